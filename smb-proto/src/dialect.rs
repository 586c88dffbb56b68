//! Protocol revisions, [MS-SMB2] 2.2.3.

use std::fmt;

/// A dialect that the two sides can agree on. Ordered from oldest to newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Dialect {
    /// SMB 2.0.2
    Smb202 = 0x0202,
    /// SMB 2.1
    Smb210 = 0x0210,
    /// SMB 3.0
    Smb300 = 0x0300,
    /// SMB 3.0.2
    Smb302 = 0x0302,
    /// SMB 3.1.1
    Smb311 = 0x0311,
}

/// The DialectRevision that answers an SMB1 negotiate offering "SMB 2.???", [MS-SMB2] 3.3.5.3.1.
pub const WILDCARD_REVISION: u16 = 0x02ff;

impl Dialect {
    /// All dialects, oldest first.
    pub const ALL: [Self; 5] = [
        Self::Smb202,
        Self::Smb210,
        Self::Smb300,
        Self::Smb302,
        Self::Smb311,
    ];

    /// The dialect with this revision number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|d| u16::from(*d) == code)
    }

    /// Whether this is one of the 3.x dialects.
    #[must_use]
    pub fn is_smb3(self) -> bool {
        self >= Self::Smb300
    }

    /// Whether requests may take more than one credit ([MS-SMB2] 3.3.5.2.5): all but 2.0.2.
    #[must_use]
    pub fn has_multi_credit(self) -> bool {
        self >= Self::Smb210
    }
}

impl From<Dialect> for u16 {
    fn from(d: Dialect) -> Self {
        d as Self
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smb202 => "2.0.2",
            Self::Smb210 => "2.1",
            Self::Smb300 => "3.0",
            Self::Smb302 => "3.0.2",
            Self::Smb311 => "3.1.1",
        })
    }
}
