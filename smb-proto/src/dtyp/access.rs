//! ACCESS_MASK, [MS-DTYP] 2.4.3, with the meanings it has for files and directories.

use bitflags::bitflags;

bitflags! {
    /// Rights asked for or granted: [MS-DTYP] 2.4.3 for the standard and generic rights,
    /// [MS-SMB2] 2.2.13.1 for the 16 bits that are specific to files, pipes and directories.
    ///
    /// A directory gives other names to some bits of a file; both names are here. Unknown bits are
    /// kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AccessMask: u32 {
        /// Read data.
        const FILE_READ_DATA = 0x0000_0001;
        /// Enumerate a directory.
        const FILE_LIST_DIRECTORY = 0x0000_0001;
        /// Write data.
        const FILE_WRITE_DATA = 0x0000_0002;
        /// Create a file in a directory.
        const FILE_ADD_FILE = 0x0000_0002;
        /// Append data.
        const FILE_APPEND_DATA = 0x0000_0004;
        /// Create a directory in a directory.
        const FILE_ADD_SUBDIRECTORY = 0x0000_0004;
        /// Read extended attributes.
        const FILE_READ_EA = 0x0000_0008;
        /// Write extended attributes.
        const FILE_WRITE_EA = 0x0000_0010;
        /// Execute a file.
        const FILE_EXECUTE = 0x0000_0020;
        /// Pass through a directory.
        const FILE_TRAVERSE = 0x0000_0020;
        /// Delete entries of a directory whatever their own descriptors say.
        const FILE_DELETE_CHILD = 0x0000_0040;
        /// Read attributes.
        const FILE_READ_ATTRIBUTES = 0x0000_0080;
        /// Write attributes.
        const FILE_WRITE_ATTRIBUTES = 0x0000_0100;
        /// Delete or rename.
        const DELETE = 0x0001_0000;
        /// Read owner, group and DACL.
        const READ_CONTROL = 0x0002_0000;
        /// Change the DACL.
        const WRITE_DAC = 0x0004_0000;
        /// Change the owner.
        const WRITE_OWNER = 0x0008_0000;
        /// Wait on the object; has no effect on the wire.
        const SYNCHRONIZE = 0x0010_0000;
        /// Read or change the SACL.
        const ACCESS_SYSTEM_SECURITY = 0x0100_0000;
        /// Everything that may be granted.
        const MAXIMUM_ALLOWED = 0x0200_0000;
        /// Every right of the object type, see [`Self::map_generic`].
        const GENERIC_ALL = 0x1000_0000;
        /// The rights needed to execute, see [`Self::map_generic`].
        const GENERIC_EXECUTE = 0x2000_0000;
        /// The rights needed to write, see [`Self::map_generic`].
        const GENERIC_WRITE = 0x4000_0000;
        /// The rights needed to read, see [`Self::map_generic`].
        const GENERIC_READ = 0x8000_0000;
        const _ = !0;
    }
}

impl AccessMask {
    /// What GENERIC_READ means for a file (FILE_GENERIC_READ).
    pub const FILE_GENERIC_READ: Self = Self::from_bits_retain(0x0012_0089);
    /// What GENERIC_WRITE means for a file (FILE_GENERIC_WRITE).
    pub const FILE_GENERIC_WRITE: Self = Self::from_bits_retain(0x0012_0116);
    /// What GENERIC_EXECUTE means for a file (FILE_GENERIC_EXECUTE).
    pub const FILE_GENERIC_EXECUTE: Self = Self::from_bits_retain(0x0012_00a0);
    /// What GENERIC_ALL means for a file (FILE_ALL_ACCESS).
    pub const FILE_ALL_ACCESS: Self = Self::from_bits_retain(0x001f_01ff);
    /// The four generic rights.
    pub const GENERIC: Self = Self::from_bits_retain(0xf000_0000);

    /// The same rights with the generic ones replaced by what they mean for files and directories
    /// ([MS-SMB2] 2.2.13.1, the table under each generic right).
    #[must_use]
    pub fn map_generic(self) -> Self {
        let mut out = self.difference(Self::GENERIC);
        for (generic, specific) in [
            (Self::GENERIC_READ, Self::FILE_GENERIC_READ),
            (Self::GENERIC_WRITE, Self::FILE_GENERIC_WRITE),
            (Self::GENERIC_EXECUTE, Self::FILE_GENERIC_EXECUTE),
            (Self::GENERIC_ALL, Self::FILE_ALL_ACCESS),
        ] {
            if self.contains(generic) {
                out |= specific;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_rights_become_file_rights() {
        assert_eq!(
            (AccessMask::GENERIC_READ | AccessMask::DELETE).map_generic(),
            AccessMask::FILE_GENERIC_READ | AccessMask::DELETE
        );
        assert_eq!(
            AccessMask::GENERIC_ALL.map_generic(),
            AccessMask::FILE_ALL_ACCESS
        );
        assert_eq!(
            AccessMask::FILE_ALL_ACCESS.map_generic(),
            AccessMask::FILE_ALL_ACCESS
        );
        assert_eq!(
            AccessMask::FILE_GENERIC_READ
                | AccessMask::FILE_GENERIC_WRITE
                | AccessMask::FILE_GENERIC_EXECUTE
                | AccessMask::DELETE
                | AccessMask::WRITE_DAC
                | AccessMask::WRITE_OWNER
                | AccessMask::FILE_DELETE_CHILD,
            AccessMask::FILE_ALL_ACCESS
        );
    }
}
