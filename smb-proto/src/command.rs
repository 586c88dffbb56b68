//! The 19 commands, [MS-SMB2] 2.2.1.2.

use std::fmt;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Command field of the SMB2 header, [MS-SMB2] 2.2.1.2.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Command { $($(#[$doc])* $name = $code,)* }

        impl Command {
            /// All commands in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The command of a code; `None` for a code that the specification does not name.
            #[must_use]
            pub fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The name without its SMB2 prefix, as in `TREE_CONNECT`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

commands! {
    /// [MS-SMB2] 2.2.3
    Negotiate = 0x0000, "NEGOTIATE";
    /// [MS-SMB2] 2.2.5
    SessionSetup = 0x0001, "SESSION_SETUP";
    /// [MS-SMB2] 2.2.7
    Logoff = 0x0002, "LOGOFF";
    /// [MS-SMB2] 2.2.9
    TreeConnect = 0x0003, "TREE_CONNECT";
    /// [MS-SMB2] 2.2.11
    TreeDisconnect = 0x0004, "TREE_DISCONNECT";
    /// [MS-SMB2] 2.2.13
    Create = 0x0005, "CREATE";
    /// [MS-SMB2] 2.2.15
    Close = 0x0006, "CLOSE";
    /// [MS-SMB2] 2.2.17
    Flush = 0x0007, "FLUSH";
    /// [MS-SMB2] 2.2.19
    Read = 0x0008, "READ";
    /// [MS-SMB2] 2.2.21
    Write = 0x0009, "WRITE";
    /// [MS-SMB2] 2.2.26
    Lock = 0x000a, "LOCK";
    /// [MS-SMB2] 2.2.31
    Ioctl = 0x000b, "IOCTL";
    /// [MS-SMB2] 2.2.30
    Cancel = 0x000c, "CANCEL";
    /// [MS-SMB2] 2.2.28
    Echo = 0x000d, "ECHO";
    /// [MS-SMB2] 2.2.33
    QueryDirectory = 0x000e, "QUERY_DIRECTORY";
    /// [MS-SMB2] 2.2.35
    ChangeNotify = 0x000f, "CHANGE_NOTIFY";
    /// [MS-SMB2] 2.2.37
    QueryInfo = 0x0010, "QUERY_INFO";
    /// [MS-SMB2] 2.2.39
    SetInfo = 0x0011, "SET_INFO";
    /// [MS-SMB2] 2.2.23 and 2.2.24
    OplockBreak = 0x0012, "OPLOCK_BREAK";
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Command> for u16 {
    fn from(c: Command) -> Self {
        c as Self
    }
}
