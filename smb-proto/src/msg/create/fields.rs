//! The fields of CREATE that have values with names, [MS-SMB2] 2.2.13 and 2.2.14.

use bitflags::bitflags;

bitflags! {
    /// ShareAccess of a CREATE request: what others may do while the file is open.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ShareAccess: u32 {
        /// FILE_SHARE_READ.
        const READ = 0x0000_0001;
        /// FILE_SHARE_WRITE.
        const WRITE = 0x0000_0002;
        /// FILE_SHARE_DELETE: deleting and renaming.
        const DELETE = 0x0000_0004;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// CreateOptions of a CREATE request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct CreateOptions: u32 {
        /// FILE_DIRECTORY_FILE: create or open a directory.
        const DIRECTORY_FILE = 0x0000_0001;
        /// FILE_WRITE_THROUGH.
        const WRITE_THROUGH = 0x0000_0002;
        /// FILE_SEQUENTIAL_ONLY.
        const SEQUENTIAL_ONLY = 0x0000_0004;
        /// FILE_NO_INTERMEDIATE_BUFFERING.
        const NO_INTERMEDIATE_BUFFERING = 0x0000_0008;
        /// FILE_SYNCHRONOUS_IO_ALERT; a server ignores it.
        const SYNCHRONOUS_IO_ALERT = 0x0000_0010;
        /// FILE_SYNCHRONOUS_IO_NONALERT; a server ignores it.
        const SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
        /// FILE_NON_DIRECTORY_FILE: fail on a directory.
        const NON_DIRECTORY_FILE = 0x0000_0040;
        /// FILE_COMPLETE_IF_OPLOCKED.
        const COMPLETE_IF_OPLOCKED = 0x0000_0100;
        /// FILE_NO_EA_KNOWLEDGE.
        const NO_EA_KNOWLEDGE = 0x0000_0200;
        /// FILE_OPEN_REMOTE_INSTANCE.
        const OPEN_REMOTE_INSTANCE = 0x0000_0400;
        /// FILE_RANDOM_ACCESS.
        const RANDOM_ACCESS = 0x0000_0800;
        /// FILE_DELETE_ON_CLOSE.
        const DELETE_ON_CLOSE = 0x0000_1000;
        /// FILE_OPEN_BY_FILE_ID: the name is an 8 or 16 byte file id.
        const OPEN_BY_FILE_ID = 0x0000_2000;
        /// FILE_OPEN_FOR_BACKUP_INTENT.
        const OPEN_FOR_BACKUP_INTENT = 0x0000_4000;
        /// FILE_NO_COMPRESSION.
        const NO_COMPRESSION = 0x0000_8000;
        /// FILE_OPEN_REQUIRING_OPLOCK.
        const OPEN_REQUIRING_OPLOCK = 0x0001_0000;
        /// FILE_DISALLOW_EXCLUSIVE.
        const DISALLOW_EXCLUSIVE = 0x0002_0000;
        /// FILE_RESERVE_OPFILTER; a server refuses it.
        const RESERVE_OPFILTER = 0x0010_0000;
        /// FILE_OPEN_REPARSE_POINT: open the reparse point itself.
        const OPEN_REPARSE_POINT = 0x0020_0000;
        /// FILE_OPEN_NO_RECALL.
        const OPEN_NO_RECALL = 0x0040_0000;
        /// FILE_OPEN_FOR_FREE_SPACE_QUERY.
        const OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// CreateDisposition: what to do when the file exists and when it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[repr(u32)]
pub enum CreateDisposition {
    /// FILE_SUPERSEDE: replace it; else create it.
    Supersede = 0,
    /// FILE_OPEN: open it; else fail.
    Open = 1,
    /// FILE_CREATE: fail; else create it.
    Create = 2,
    /// FILE_OPEN_IF: open it; else create it.
    OpenIf = 3,
    /// FILE_OVERWRITE: overwrite it; else fail.
    Overwrite = 4,
    /// FILE_OVERWRITE_IF: overwrite it; else create it.
    OverwriteIf = 5,
}

impl CreateDisposition {
    /// All dispositions in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Supersede,
        Self::Open,
        Self::Create,
        Self::OpenIf,
        Self::Overwrite,
        Self::OverwriteIf,
    ];

    /// The disposition with this number, `None` above 5.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|d| u32::from(*d) == raw)
    }
}

impl From<CreateDisposition> for u32 {
    fn from(d: CreateDisposition) -> Self {
        d as Self
    }
}

/// CreateAction of a CREATE response: what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CreateAction(pub u32);

impl CreateAction {
    /// FILE_SUPERSEDED: an existing file was replaced.
    pub const SUPERSEDED: Self = Self(0);
    /// FILE_OPENED: an existing file was opened.
    pub const OPENED: Self = Self(1);
    /// FILE_CREATED: a new file was created.
    pub const CREATED: Self = Self(2);
    /// FILE_OVERWRITTEN: an existing file was overwritten.
    pub const OVERWRITTEN: Self = Self(3);
}

/// ImpersonationLevel of a CREATE request; a server refuses values above [`Self::DELEGATE`] with
/// STATUS_BAD_IMPERSONATION_LEVEL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ImpersonationLevel(pub u32);

impl ImpersonationLevel {
    /// Anonymous.
    pub const ANONYMOUS: Self = Self(0);
    /// Identification.
    pub const IDENTIFICATION: Self = Self(1);
    /// Impersonation; what clients send.
    pub const IMPERSONATION: Self = Self(2);
    /// Delegate.
    pub const DELEGATE: Self = Self(3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispositions() {
        for d in CreateDisposition::ALL {
            assert_eq!(CreateDisposition::from_raw(d.into()), Some(d));
        }
        assert_eq!(CreateDisposition::from_raw(6), None);
    }
}
