//! What happens in a watched directory, as the host tells it.

use super::path::SharePath;

/// A change in a directory that [`super::VfsOp::Watch`] watches, made by another program or by an
/// operation of the server itself. Hosts do not always tell these apart, so a backend tells both, and
/// tells the effects of an operation before its answer; the server knows its own again.
///
/// Names are as listings show them. What listings do not show is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// A name has come: something was made, linked, or moved here from where nobody watches.
    Added {
        /// The name.
        at: SharePath,
        /// It is a directory.
        directory: bool,
    },
    /// A name has gone: removed, or moved to where nobody watches.
    Removed {
        /// The name.
        at: SharePath,
        /// It was a directory.
        directory: bool,
    },
    /// A name has become another one, in the same or another directory. What had the new name before
    /// is gone.
    Renamed {
        /// The old name.
        from: SharePath,
        /// The new name.
        to: SharePath,
        /// It is a directory.
        directory: bool,
    },
    /// Data or size of a file have changed.
    Written {
        /// Which.
        at: SharePath,
    },
    /// Attributes, times, descriptor or extended attributes have changed; hosts do not say which.
    Touched {
        /// Of what.
        at: SharePath,
    },
    /// More has happened than the host could keep.
    Lost,
}
