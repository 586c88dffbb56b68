//! Operations: requests (or the server's own work) on their way through their phases.

use std::sync::Arc;

use smb_proto::Header;
use smb_proto::crypto::SigningKey;
use smb_proto::id::AsyncId;

use super::durable::CreateKey;
use super::sequence::Counted;
use super::{Chain, File, Open, Session, Tree};
use crate::cmd::Phase;
use crate::output::{Completion, ConnId};
use crate::table::Id;

/// What an operation waits for: exactly one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing: it is running right now.
    Nothing,
    /// The answer of the driver with this sequence number.
    Completion(u32),
    /// A byte-range lock to become free, in the row's list of waiters.
    Lock(Id<File>),
    /// Others to give up what they cache of a file, in the row's list of waiters.
    Break(Id<File>),
    /// A change in a watched directory, in the watch's list of waiters.
    Notify(Id<Open>),
    /// Another query on the same directory open.
    Scan(Id<Open>),
    /// Something to read from a named pipe, in [`super::Core::pipe_readers`].
    Pipe(Id<Open>),
    /// Other operations on the open that it closes.
    Quiet(Id<Open>),
    /// Other operations of the session that it has ended, in [`super::Core::logoffs`].
    Ended(Id<Session>),
}

/// Why an operation goes on.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "handed over once")]
pub(crate) enum Wake {
    /// The driver answered.
    Completion(Completion),
    /// What it waited for may be there: look again.
    Ready,
    /// CANCEL.
    Cancelled,
    /// The open, tree connect or session it works on is being closed.
    Closed,
}

/// One operation.
pub struct Op {
    /// The message it belongs to; `None` for the server's own work.
    pub(crate) chain: Option<Id<Chain>>,
    /// Its connection; `None` for the server's own work.
    pub(crate) conn: Option<ConnId>,
    /// Header of the request (for the server's own work: all zero).
    pub(crate) header: Header,
    pub(crate) session: Option<Id<Session>>,
    pub(crate) tree: Option<Id<Tree>>,
    /// The open it uses and counts in [`Open::running`].
    pub(crate) open: Option<Id<Open>>,
    /// A second open that it uses and counts, from which it copies.
    pub(crate) source: Option<Id<Open>>,
    /// It counts in [`Open::sequence`] of this open.
    pub(crate) counted: Option<(Id<Open>, Counted)>,
    /// The client's name for the CREATE that it is.
    pub(crate) create_key: Option<CreateKey>,
    /// The open that it closes (CLOSE does not count in [`Open::running`], it waits for that).
    pub(crate) closing_open: Option<Id<Open>>,
    /// Its request was signed, so its answer will be.
    pub(crate) sign: Option<Arc<SigningKey>>,
    /// Set once an interim answer was sent.
    pub(crate) async_id: Option<AsyncId>,
    /// Last element of its message, so an interim answer is possible.
    pub(crate) last: bool,
    pub(crate) wait: Wait,
    /// State of the command while it waits.
    pub(crate) phase: Option<Phase>,
    /// Number of the last question asked.
    pub(crate) seq: u32,
    /// What the backend is changing for it right now.
    pub(crate) own: Option<super::own::OwnChange>,
    /// CANCEL came while it waited for the driver.
    pub(crate) cancelled: bool,
}
