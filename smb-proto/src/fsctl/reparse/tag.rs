//! Reparse tags, [MS-FSCC] 2.1.2.1.

use std::fmt;

/// What kind of reparse point a file is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReparseTag(pub u32);

impl ReparseTag {
    /// IO_REPARSE_TAG_MOUNT_POINT: a junction, or another volume mounted on a directory.
    pub const MOUNT_POINT: Self = Self(0xa000_0003);
    /// IO_REPARSE_TAG_SYMLINK.
    pub const SYMLINK: Self = Self(0xa000_000c);
    /// IO_REPARSE_TAG_DFS.
    pub const DFS: Self = Self(0x8000_000a);
    /// IO_REPARSE_TAG_NFS: special files of NFS.
    pub const NFS: Self = Self(0x8000_0014);
    /// IO_REPARSE_TAG_LX_SYMLINK: a symbolic link of the Windows Subsystem for Linux.
    pub const LX_SYMLINK: Self = Self(0xa000_001d);
    /// IO_REPARSE_TAG_AF_UNIX: a socket.
    pub const AF_UNIX: Self = Self(0x8000_0023);
    /// IO_REPARSE_TAG_LX_FIFO.
    pub const LX_FIFO: Self = Self(0x8000_0024);
    /// IO_REPARSE_TAG_LX_CHR: a character device.
    pub const LX_CHR: Self = Self(0x8000_0025);
    /// IO_REPARSE_TAG_LX_BLK: a block device.
    pub const LX_BLK: Self = Self(0x8000_0026);

    /// Whether Microsoft owns the tag; the buffers of others carry a GUID.
    #[must_use]
    pub fn is_microsoft(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }

    /// Whether the file is a name for another file or directory.
    #[must_use]
    pub fn is_name_surrogate(self) -> bool {
        self.0 & 0x2000_0000 != 0
    }
}

impl fmt::Debug for ReparseTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReparseTag({:#010x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits() {
        assert!(ReparseTag::SYMLINK.is_name_surrogate());
        assert!(ReparseTag::SYMLINK.is_microsoft());
        assert!(!ReparseTag::NFS.is_name_surrogate());
        assert!(!ReparseTag(0x0000_1234).is_microsoft());
    }
}
