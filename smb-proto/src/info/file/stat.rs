//! Classes made for the Windows Subsystem for Linux; described by `ntifs.h`, not by [MS-FSCC].

use bitflags::bitflags;

use crate::dtyp::{AccessMask, FileTime};
use crate::info::FileAttributes;
use crate::info::layout::{fixed, flag_fields};

fixed! {
    /// FileStatInformation (68), FILE_STAT_INFORMATION. Query.
    FileStatInformation("FILE_STAT_INFORMATION", 72) {
        /// The 64-bit file id.
        file_id: u64,
        /// When the file was created.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data were last written.
        last_write_time: FileTime,
        /// When its data or metadata were last changed.
        change_time: FileTime,
        /// Bytes taken on the disk.
        allocation_size: u64,
        /// Size in bytes.
        end_of_file: u64,
        /// Attributes.
        attributes: FileAttributes,
        /// Reparse tag; zero unless the file is a reparse point.
        reparse_tag: u32,
        /// Names that the file has.
        number_of_links: u32,
        /// Rights that the caller has.
        effective_access: AccessMask,
    }
}

bitflags! {
    /// Which fields of [`FileStatLxInformation`] mean something. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LxFlags: u32 {
        /// LxUid does.
        const HAS_UID = 0x01;
        /// LxGid does.
        const HAS_GID = 0x02;
        /// LxMode does.
        const HAS_MODE = 0x04;
        /// The device numbers do.
        const HAS_DEVICE_ID = 0x08;
        /// Names in this directory differ by case.
        const CASE_SENSITIVE_DIR = 0x10;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// Flags of [`FileCaseSensitiveInformation`]. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct CaseSensitiveFlags: u32 {
        /// FILE_CS_FLAG_CASE_SENSITIVE_DIR: names in this directory differ by case.
        const CASE_SENSITIVE_DIR = 0x01;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { LxFlags CaseSensitiveFlags }

fixed! {
    /// FileStatLxInformation (70), FILE_STAT_LX_INFORMATION. Query.
    FileStatLxInformation("FILE_STAT_LX_INFORMATION", 96) {
        /// The 64-bit file id.
        file_id: u64,
        /// When the file was created.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data were last written.
        last_write_time: FileTime,
        /// When its data or metadata were last changed.
        change_time: FileTime,
        /// Bytes taken on the disk.
        allocation_size: u64,
        /// Size in bytes.
        end_of_file: u64,
        /// Attributes.
        attributes: FileAttributes,
        /// Reparse tag; zero unless the file is a reparse point.
        reparse_tag: u32,
        /// Names that the file has.
        number_of_links: u32,
        /// Rights that the caller has.
        effective_access: AccessMask,
        /// Which of the following mean something.
        lx_flags: LxFlags,
        /// Owner.
        lx_uid: u32,
        /// Owning group.
        lx_gid: u32,
        /// File type and permissions, as in `st_mode`.
        lx_mode: u32,
        /// Major number of a device file.
        lx_device_id_major: u32,
        /// Minor number of a device file.
        lx_device_id_minor: u32,
    }
}

fixed! {
    /// FileCaseSensitiveInformation (71), FILE_CASE_SENSITIVE_INFORMATION. Query and set.
    FileCaseSensitiveInformation("FILE_CASE_SENSITIVE_INFORMATION", 4) {
        /// Flags.
        flags: CaseSensitiveFlags,
    }
}
