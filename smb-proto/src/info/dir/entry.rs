//! One file of a listing.

use crate::dtyp::{FileTime, Sid};
use crate::info::FileAttributes;

/// A file in a directory listing: everything that any class can say about it. A class writes the
/// fields that it has; parsing leaves the others at their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DirEntry {
    /// FileIndex: where the entry stands in the directory; zero where that has no meaning (as on
    /// NTFS).
    pub file_index: u32,
    /// CreationTime.
    pub creation_time: FileTime,
    /// LastAccessTime.
    pub last_access_time: FileTime,
    /// LastWriteTime.
    pub last_write_time: FileTime,
    /// ChangeTime.
    pub change_time: FileTime,
    /// EndOfFile: size in bytes.
    pub end_of_file: u64,
    /// AllocationSize: bytes taken on the disk.
    pub allocation_size: u64,
    /// FileAttributes.
    pub attributes: FileAttributes,
    /// EaSize: bytes that the extended attributes take. Classes in which this field and the reparse
    /// tag share a place do not show it for a reparse point.
    pub ea_size: u32,
    /// The reparse tag; only written if [`FileAttributes::REPARSE_POINT`] is set.
    pub reparse_tag: u32,
    /// ShortName: the 8.3 name, empty if there is none. At most 12 UTF-16 units; what exceeds them
    /// is not written.
    pub short_name: String,
    /// FileId, 64 bits; also the Inode of the POSIX class.
    pub file_id: u64,
    /// FileId, 128 bits.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub file_id_128: u128,
    /// FileName: one path component.
    pub name: String,
    /// What only the POSIX class shows; if absent, that class says zero links, no mode and nobody.
    pub posix: Option<PosixAttributes>,
}

/// POSIX attributes of a file, [POSIX-FSCC] 2.3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PosixAttributes {
    /// DeviceId: device number of the volume (or, for a device file, of the device; servers
    /// differ).
    pub device: u32,
    /// HardLinks: number of names.
    pub hard_links: u32,
    /// Mode, [POSIX-FSCC] 2.1.1: permission bits as in `st_mode`, and the file type as a number in
    /// the bits from 12 on (0 file, 1 directory, 2 symbolic link, 3 character device, 4 block
    /// device, 5 FIFO, 6 socket).
    pub mode: u32,
    /// Owner.
    pub owner: Sid,
    /// Owning group.
    pub group: Sid,
}

impl Default for PosixAttributes {
    fn default() -> Self {
        Self {
            device: 0,
            hard_links: 0,
            mode: 0,
            owner: Sid::NULL,
            group: Sid::NULL,
        }
    }
}
