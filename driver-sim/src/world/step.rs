//! The steps of a script. They name files, sessions and tree connects by slots of their client, so
//! that a script stays meaningful when steps are dropped from it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names that steps use, by number. Some mean the same file, some cannot be names.
pub const NAMES: [&str; 20] = [
    "a",
    "b",
    "A",
    "c.txt",
    "dir",
    "dir\\a",
    "dir\\b",
    "dir\\sub",
    "dir\\sub\\x",
    "DIR\\A",
    "a:stream",
    "b:stream",
    "dir2",
    "dir2\\y",
    "\u{fc}ml\u{e4}ut \u{20ac}",
    "missing\\z",
    "",
    "..\\out",
    "bad<name",
    "dir\\a\\below",
];

/// Slots for files of one client.
pub const SLOTS: u8 = 6;

/// Who takes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// A client by number.
    Client(u8),
    /// The world around: disk, clock, people at the server's machine.
    World,
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whose it is.
    pub who: Who,
    /// Microseconds after the actor's step before.
    pub after_us: u64,
    /// What is done.
    pub what: Do,
}

/// A lease that a CREATE asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAsked {
    /// Number of the key, of those of the client.
    pub key: u8,
    /// LeaseState.
    pub state: u8,
    /// Version 2, with this epoch.
    pub epoch: Option<u16>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Do {
    /// Another session on the same connection, into a slot of sessions.
    Logon {
        /// Slot.
        session: u8,
        /// Number of the user.
        user: u8,
        /// With a wrong proof.
        wrong: bool,
    },
    /// Proves the user of a session again.
    Reauthenticate {
        /// Slot.
        session: u8,
    },
    /// Uses the first session of another client on this connection too.
    Bind {
        /// The other client.
        from: u8,
    },
    /// Ends a session.
    Logoff {
        /// Slot.
        session: u8,
    },
    /// Connects to a share, into a slot of tree connects.
    Tree {
        /// Slot of the tree connect.
        tree: u8,
        /// Slot of the session.
        session: u8,
        /// Number of the share.
        share: u8,
    },
    /// Ends a tree connect.
    TreeDisconnect {
        /// Slot.
        tree: u8,
    },
    /// One request.
    Call {
        /// Slot of the tree connect.
        tree: u8,
        /// What is asked.
        call: Call,
    },
    /// Several requests in one message.
    Compound {
        /// Slot of the tree connect.
        tree: u8,
        /// Each takes over what the one before was about.
        related: bool,
        /// What is asked.
        calls: Vec<Call>,
    },
    /// ECHO.
    Echo,
    /// Cancels the n-th outstanding request, counted from the newest.
    Cancel {
        /// Which.
        nth: u8,
    },
    /// Breaks the rules.
    Raw(Raw),
    /// Drops the connection and makes a new one.
    Reconnect {
        /// The new session replaces the old one ([MS-SMB2] 3.3.5.5.3).
        replace: bool,
        /// What was under way is lost; else the connection is closed in order.
        reset: bool,
    },
    /// Ends its own direction; whatever comes is still taken in.
    HalfClose,
    /// Nothing is carried in either direction for a while.
    Stall {
        /// Milliseconds.
        ms: u64,
    },
    /// Somebody at the server's machine changes the share.
    Outside(Edit),
    /// The volume gets another size, in units of 4096 bytes.
    Capacity {
        /// Units.
        units: u64,
    },
    /// The disk fails at everything for a while.
    DiskDown {
        /// Milliseconds.
        ms: u64,
    },
    /// The machine loses its power: connections, server and all that was not flushed are gone. A new
    /// server starts.
    Crash,
    /// The wall clock is set.
    ClockJump {
        /// By so many seconds.
        seconds: i64,
    },
}

/// A change from outside SMB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edit {
    /// Writes a file anew.
    Write {
        /// Number of the name.
        name: u8,
        /// Bytes.
        len: u32,
        /// Value of each byte.
        fill: u8,
    },
    /// Removes a file or an empty directory.
    Remove {
        /// Number of the name.
        name: u8,
    },
    /// Renames.
    Rename {
        /// Number of the name.
        from: u8,
        /// Number of the new name.
        to: u8,
    },
    /// Makes a directory.
    MakeDir {
        /// Number of the name.
        name: u8,
    },
}

/// A request about files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// CREATE into a slot.
    Open {
        /// Slot.
        slot: u8,
        /// Number of the name.
        name: u8,
        /// CreateDisposition.
        disposition: u32,
        /// DesiredAccess.
        access: u32,
        /// ShareAccess.
        share: u32,
        /// CreateOptions.
        options: u32,
        /// RequestedOplockLevel.
        oplock: u8,
        /// Ask for the maximal access and the disk id too.
        contexts: bool,
        /// The lease to ask for, where `oplock` is that of leases.
        lease: Option<LeaseAsked>,
        /// Ask for a durable open: of version 1 (0), or of version 2 for so many milliseconds.
        durable: Option<u32>,
    },
    /// CLOSE.
    Close {
        /// Slot.
        slot: u8,
        /// Ask for the attributes.
        attributes: bool,
    },
    /// READ.
    Read {
        /// Slot.
        slot: u8,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u32,
        /// MinimumCount.
        minimum: u32,
    },
    /// WRITE.
    Write {
        /// Slot.
        slot: u8,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u32,
        /// What the bytes are made of.
        fill: u8,
        /// On stable storage before the answer.
        through: bool,
    },
    /// FLUSH.
    Flush {
        /// Slot.
        slot: u8,
    },
    /// LOCK with ranges of (offset, length, flags).
    Lock {
        /// Slot.
        slot: u8,
        /// Ranges.
        ranges: Vec<(u64, u64, u32)>,
    },
    /// QUERY_DIRECTORY.
    List {
        /// Slot.
        slot: u8,
        /// FileInformationClass.
        class: u8,
        /// SMB2_RESTART_SCANS and the like.
        flags: u8,
        /// Number of the pattern.
        pattern: u8,
        /// OutputBufferLength.
        len: u32,
    },
    /// CHANGE_NOTIFY.
    Notify {
        /// Slot.
        slot: u8,
        /// CompletionFilter.
        filter: u32,
        /// SMB2_WATCH_TREE.
        tree: bool,
        /// OutputBufferLength.
        len: u32,
    },
    /// QUERY_INFO.
    Query {
        /// Slot.
        slot: u8,
        /// InfoType.
        kind: u8,
        /// FileInfoClass.
        class: u8,
        /// AdditionalInformation.
        more: u32,
        /// OutputBufferLength.
        len: u32,
    },
    /// SET_INFO.
    Set {
        /// Slot.
        slot: u8,
        /// What is set.
        set: Set,
    },
    /// IOCTL.
    Ioctl {
        /// Slot.
        slot: u8,
        /// What is asked for.
        control: Control,
    },
}

/// What SET_INFO sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Set {
    /// FileDispositionInformation.
    Delete(bool),
    /// FileRenameInformation.
    Rename {
        /// Number of the name.
        to: u8,
        /// ReplaceIfExists.
        replace: bool,
    },
    /// FileLinkInformation.
    Link {
        /// Number of the name.
        to: u8,
        /// ReplaceIfExists.
        replace: bool,
    },
    /// FileEndOfFileInformation.
    Size(u64),
    /// FileAllocationInformation.
    Allocation(u64),
    /// FileBasicInformation with these attributes.
    Attributes(u32),
    /// FileFullEaInformation with one attribute of so many bytes.
    Ea(u16),
    /// A security descriptor that gives everything to everybody, or nothing to anybody.
    Security {
        /// Everything.
        open: bool,
    },
}

/// What IOCTL asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// FSCTL_SRV_REQUEST_RESUME_KEY; the key is kept for copies.
    ResumeKey,
    /// FSCTL_SRV_COPYCHUNK with the last resume key.
    Copy {
        /// First byte of the source.
        from: u64,
        /// First byte of the target.
        to: u64,
        /// Bytes.
        len: u32,
    },
    /// FSCTL_SET_ZERO_DATA.
    Zero {
        /// First byte.
        from: u64,
        /// First byte behind.
        beyond: u64,
    },
    /// FSCTL_SET_SPARSE.
    Sparse(bool),
    /// FSCTL_QUERY_ALLOCATED_RANGES.
    Ranges {
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
        /// MaxOutputResponse.
        room: u32,
    },
    /// FSCTL_QUERY_NETWORK_INTERFACE_INFO.
    Interfaces,
    /// FSCTL_PIPE_TRANSCEIVE with these bytes, which make no RPC.
    Transceive(u16),
    /// Any code.
    Other(u32),
}

/// How the rules are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Raw {
    /// Random bytes with a right length in front.
    Garbage(u16),
    /// A length prefix of more than anybody takes.
    TooLong,
    /// A first byte that is no length.
    BadPrefix(u8),
    /// A keep-alive of NetBIOS.
    KeepAlive,
    /// An SMB1 message.
    Smb1,
    /// A message id that was used already.
    UsedId,
    /// A message id far beyond the window.
    FarId,
    /// CreditCharge greater than the credits.
    Overcharge,
    /// An ECHO with a wrong signature.
    WrongSignature,
    /// An encrypted ECHO with a bit changed.
    WrongSeal,
    /// An encrypted message for a session that is not there.
    SealedForNobody,
    /// A compressed message.
    Compressed,
    /// Any body behind the header of a command.
    Body {
        /// Command code, also such as do not exist.
        command: u16,
        /// Bytes.
        len: u16,
    },
    /// A compound with a wrong NextCommand.
    BadCompound(u8),
    /// An answer.
    Response,
    /// A second NEGOTIATE.
    Negotiate,
    /// A request with the ids of a session and tree connect that are not there.
    Stranger,
    /// A WRITE with the bits of its fixed part changed at one place.
    Mutated {
        /// Slot.
        slot: u8,
        /// Byte of the body.
        at: u8,
        /// Bits to change.
        bits: u8,
    },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(n) => write!(f, "client {n}"),
            Self::World => f.write_str("world"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: +{} us {:?}", self.who, self.after_us, self.what)
    }
}
