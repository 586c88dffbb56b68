//! Abilities of a file system, and its device.

use bitflags::bitflags;

use crate::ParseError;
use crate::info::layout::{Field, fixed, flag_fields, read_name, write_name};
use crate::wire::{Fields, Writer};

bitflags! {
    /// FileSystemAttributes, [MS-FSCC] 2.5.1. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct FsAttributes: u32 {
        /// Names that differ only by case can be told apart.
        const CASE_SENSITIVE_SEARCH = 0x0000_0001;
        /// Names keep their case.
        const CASE_PRESERVED_NAMES = 0x0000_0002;
        /// Names are Unicode.
        const UNICODE_ON_DISK = 0x0000_0004;
        /// Access control lists are kept and enforced.
        const PERSISTENT_ACLS = 0x0000_0008;
        /// Single files can be compressed.
        const FILE_COMPRESSION = 0x0000_0010;
        /// Quotas per user.
        const VOLUME_QUOTAS = 0x0000_0020;
        /// Sparse files.
        const SUPPORTS_SPARSE_FILES = 0x0000_0040;
        /// Reparse points.
        const SUPPORTS_REPARSE_POINTS = 0x0000_0080;
        /// Remote storage.
        const SUPPORTS_REMOTE_STORAGE = 0x0000_0100;
        /// Says more than a status when an open is closed.
        const RETURNS_CLEANUP_RESULT_INFO = 0x0000_0200;
        /// Delete and rename as POSIX has them.
        const SUPPORTS_POSIX_UNLINK_RENAME = 0x0000_0400;
        /// The whole volume is compressed.
        const VOLUME_IS_COMPRESSED = 0x0000_8000;
        /// Object ids.
        const SUPPORTS_OBJECT_IDS = 0x0001_0000;
        /// The encrypting file system.
        const SUPPORTS_ENCRYPTION = 0x0002_0000;
        /// Named streams.
        const NAMED_STREAMS = 0x0004_0000;
        /// Nothing can be written.
        const READ_ONLY_VOLUME = 0x0008_0000;
        /// Can be written once, in order.
        const SEQUENTIAL_WRITE_ONCE = 0x0010_0000;
        /// Transactions.
        const SUPPORTS_TRANSACTIONS = 0x0020_0000;
        /// Hard links.
        const SUPPORTS_HARD_LINKS = 0x0040_0000;
        /// Extended attributes.
        const SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000;
        /// Files can be opened by id.
        const SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000;
        /// The change journal.
        const SUPPORTS_USN_JOURNAL = 0x0200_0000;
        /// Integrity streams.
        const SUPPORTS_INTEGRITY_STREAMS = 0x0400_0000;
        /// Extents shared by files: FSCTL_DUPLICATE_EXTENTS_TO_FILE.
        const SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000;
        /// Valid data may end anywhere in a file.
        const SUPPORTS_SPARSE_VDL = 0x1000_0000;
        /// Direct access to persistent memory.
        const DAX_VOLUME = 0x2000_0000;
        /// Ghosting.
        const SUPPORTS_GHOSTING = 0x4000_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { FsAttributes }

/// FileFsAttributeInformation, [MS-FSCC] 2.5.1. Query.
///
/// On the wire: FileSystemAttributes, MaximumComponentNameLength, FileSystemNameLength (4 bytes
/// each), FileSystemName.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFsAttributeInformation {
    /// Abilities.
    pub attributes: FsAttributes,
    /// Longest path component, in UTF-16 units.
    pub maximum_component_name_length: u32,
    /// Name of the file system, as `NTFS`.
    pub file_system_name: String,
}

impl FileFsAttributeInformation {
    /// Bytes before the name.
    pub const FIXED_LEN: usize = 12;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, or the name is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let f = &mut Fields::new(input, "FILE_FS_ATTRIBUTE_INFORMATION");
        Ok(Self {
            attributes: FsAttributes::read(f)?,
            maximum_component_name_length: f.u32()?,
            file_system_name: read_name(f)?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.attributes.bits());
        w.u32(self.maximum_component_name_length);
        write_name(w, &self.file_system_name);
    }
}

/// DeviceType, [MS-FSCC] 2.5.10. 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DeviceType(pub u32);

impl DeviceType {
    /// FILE_DEVICE_CD_ROM.
    pub const CD_ROM: Self = Self(2);
    /// FILE_DEVICE_DISK.
    pub const DISK: Self = Self(7);
    /// FILE_DEVICE_NAMED_PIPE, which the specification does not list: the answer for IPC$.
    pub const NAMED_PIPE: Self = Self(0x11);
}

impl Field for DeviceType {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.u32().map(Self)
    }

    fn write(&self, w: &mut Writer) {
        w.u32(self.0);
    }
}

bitflags! {
    /// Characteristics of a device, [MS-FSCC] 2.5.10. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct DeviceCharacteristics: u32 {
        /// FILE_REMOVABLE_MEDIA.
        const REMOVABLE_MEDIA = 0x0000_0001;
        /// FILE_READ_ONLY_DEVICE.
        const READ_ONLY_DEVICE = 0x0000_0002;
        /// FILE_FLOPPY_DISKETTE.
        const FLOPPY_DISKETTE = 0x0000_0004;
        /// FILE_WRITE_ONCE_MEDIA.
        const WRITE_ONCE_MEDIA = 0x0000_0008;
        /// FILE_REMOTE_DEVICE.
        const REMOTE_DEVICE = 0x0000_0010;
        /// FILE_DEVICE_IS_MOUNTED.
        const DEVICE_IS_MOUNTED = 0x0000_0020;
        /// FILE_VIRTUAL_VOLUME.
        const VIRTUAL_VOLUME = 0x0000_0040;
        /// FILE_DEVICE_SECURE_OPEN.
        const DEVICE_SECURE_OPEN = 0x0000_0100;
        /// FILE_CHARACTERISTIC_TS_DEVICE.
        const TS_DEVICE = 0x0000_1000;
        /// FILE_CHARACTERISTIC_WEBDAV_DEVICE.
        const WEBDAV_DEVICE = 0x0000_2000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { DeviceCharacteristics }

fixed! {
    /// FileFsDeviceInformation, [MS-FSCC] 2.5.10. Query.
    FileFsDeviceInformation("FILE_FS_DEVICE_INFORMATION", 8) {
        /// Type.
        device_type: DeviceType,
        /// Characteristics.
        characteristics: DeviceCharacteristics,
    }
}
