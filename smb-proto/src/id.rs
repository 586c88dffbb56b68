//! Identifiers as they appear on the wire. Each is a type of its own, so that one cannot be given
//! where another is meant.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $int);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

id! {
    /// MessageId of the SMB2 header, [MS-SMB2] 2.2.1.
    MessageId(u64)
}
id! {
    /// AsyncId of the asynchronous SMB2 header, [MS-SMB2] 2.2.1.1.
    AsyncId(u64)
}
id! {
    /// SessionId of the SMB2 header, [MS-SMB2] 2.2.1.
    SessionId(u64)
}
id! {
    /// TreeId of the synchronous SMB2 header, [MS-SMB2] 2.2.1.2.
    TreeId(u32)
}

impl MessageId {
    /// The id that unsolicited break notifications carry, [MS-SMB2] 2.2.23.
    pub const UNSOLICITED: Self = Self(u64::MAX);
}

impl SessionId {
    /// All ones: "the session of the previous element" in a related compound, [MS-SMB2] 3.3.5.2.7.2.
    pub const RELATED: Self = Self(u64::MAX);
}

impl TreeId {
    /// All ones: "the tree connect of the previous element" in a related compound.
    pub const RELATED: Self = Self(u32::MAX);
}

/// SMB2_FILEID: the two halves of a handle, [MS-SMB2] 2.2.14.1. 16 bytes: persistent, volatile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId {
    /// Survives a reconnect of a durable open.
    pub persistent: u64,
    /// Valid on one session.
    pub volatile: u64,
}

impl FileId {
    /// All ones: "the file of the previous element" in a related compound, [MS-SMB2] 3.3.5.2.7.2.
    pub const RELATED: Self = Self {
        persistent: u64::MAX,
        volatile: u64::MAX,
    };
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({:#x}:{:#x})", self.persistent, self.volatile)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}:{:#x}", self.persistent, self.volatile)
    }
}

/// LeaseKey chosen by the client, [MS-SMB2] 2.2.13.2.8. 16 bytes, opaque.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct LeaseKey(pub [u8; 16]);
