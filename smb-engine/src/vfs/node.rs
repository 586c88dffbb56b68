//! What a backend tells about files, directories and volumes.

use bitflags::bitflags;
use bytes::Bytes;
use smb_proto::FileTime;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::info::FileAttributes;

/// Identity of a file or directory, the same for all its names and streams, and stable while the
/// file exists. Two shares that show the same file must give it the same identity, because share
/// modes, locks and oplocks hang on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId {
    /// The volume; chosen by the backend, unique in the process.
    pub volume: u64,
    /// The file on the volume: what clients see as FileId, IndexNumber ([MS-FSCC] 2.1.9, 2.4.22).
    pub file: u64,
}

/// Metadata of a file, directory or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Identity of the file (a stream has that of its file).
    pub node: NodeId,
    /// CreationTime, [MS-FSCC] 2.4.7.
    pub creation: FileTime,
    /// LastAccessTime.
    pub access: FileTime,
    /// LastWriteTime.
    pub write: FileTime,
    /// ChangeTime.
    pub change: FileTime,
    /// EndOfFile of the stream this is about, in bytes; 0 for a directory.
    pub size: u64,
    /// AllocationSize of the stream, in bytes.
    pub allocation: u64,
    /// Attributes as a client sees them: never empty ([`FileAttributes::NORMAL`] alone if no other),
    /// DIRECTORY set for a directory, REPARSE_POINT set with a tag.
    pub attributes: FileAttributes,
    /// Number of hard links.
    pub links: u32,
    /// EaSize as [MS-FSCC] 2.4.13 counts it: 0 without EAs, else 4 plus each entry.
    pub ea_size: u32,
    /// Reparse tag; 0 if it is none.
    pub reparse_tag: u32,
    /// HIDDEN is among the attributes only because of the name (`hide dot files`, `hide files`), so
    /// that whoever overwrites it need not know of it.
    pub hidden_by_name: bool,
}

impl FileInfo {
    /// An ordinary file with nothing special about it, all of whose times are `time`.
    #[must_use]
    pub fn file(node: NodeId, size: u64, time: FileTime) -> Self {
        Self {
            node,
            creation: time,
            access: time,
            write: time,
            change: time,
            size,
            allocation: size,
            attributes: FileAttributes::NORMAL,
            links: 1,
            ea_size: 0,
            reparse_tag: 0,
            hidden_by_name: false,
        }
    }

    /// A directory with nothing special about it.
    #[must_use]
    pub fn directory(node: NodeId, time: FileTime) -> Self {
        Self {
            attributes: FileAttributes::DIRECTORY,
            ..Self::file(node, 0, time)
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }
}

/// One name of a listing, or what is known of a file by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirItem {
    /// The name as stored, one component.
    pub name: String,
    /// The 8.3 name, empty if there is none.
    pub short_name: String,
    /// Its metadata.
    pub info: FileInfo,
    /// Its security descriptor, where the listing was to tell it.
    pub security: Option<Box<SecurityDescriptor>>,
}

impl DirItem {
    /// A name without 8.3 name.
    #[must_use]
    pub fn new(name: &str, info: FileInfo) -> Self {
        Self {
            name: name.to_owned(),
            short_name: String::new(),
            info,
            security: None,
        }
    }
}

/// An extended attribute, [MS-FSCC] 2.4.16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ea {
    /// FILE_NEED_EA (0x80) or 0.
    pub flags: u8,
    /// The name, ASCII, without terminator. Compared without regard to case.
    pub name: String,
    /// The value; empty in a change means: remove.
    pub value: Bytes,
}

/// A data stream of a file, [MS-FSCC] 2.4.49.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Name without colons and type; empty for the unnamed stream.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Bytes allocated.
    pub allocation: u64,
}

/// A part of a file that has storage, [MS-FSCC] 2.3.55.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocatedRange {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// A descriptor that lets everybody read and nobody write, for backends without security.
#[must_use]
pub fn readable_by_all() -> SecurityDescriptor {
    let read = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE;
    let everybody = Ace::allow(Sid::WORLD, read, AceFlags::empty());
    SecurityDescriptor {
        control: SdControl::empty(),
        owner: Some(Sid::LOCAL_SYSTEM),
        group: Some(Sid::LOCAL_SYSTEM),
        sacl: AclSlot::Absent,
        dacl: AclSlot::Acl(Acl::new(vec![everybody])),
    }
}

/// A volume, [MS-FSCC] 2.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// VolumeCreationTime.
    pub creation: FileTime,
    /// VolumeSerialNumber.
    pub serial: u32,
    /// VolumeLabel.
    pub label: String,
    /// Bytes per sector, a power of two.
    pub sector: u32,
    /// Sectors per allocation unit.
    pub sectors_per_unit: u32,
    /// Allocation units in all.
    pub total_units: u64,
    /// Allocation units that the asking user can still take.
    pub available_units: u64,
    /// Allocation units free.
    pub free_units: u64,
}

impl VolumeInfo {
    /// A volume on which there is no room, with 4 KiB units.
    #[must_use]
    pub fn full(label: &str) -> Self {
        Self {
            creation: FileTime::ZERO,
            serial: 0,
            label: label.to_owned(),
            sector: 512,
            sectors_per_unit: 8,
            total_units: 1,
            available_units: 0,
            free_units: 0,
        }
    }
}

/// What a user may take of a volume, in bytes; `None`: any amount ([MS-FSCC] 2.4.40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaLimits {
    /// From here on the user is to be warned.
    pub threshold: Option<u64>,
    /// What is more than this is refused with [`super::VfsError::Quota`].
    pub limit: Option<u64>,
}

/// The quota of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The user.
    pub sid: Sid,
    /// When it was last changed; [`FileTime::ZERO`] if the host does not know.
    pub change: FileTime,
    /// Bytes in use.
    pub used: u64,
    /// Bytes that may be used.
    pub limits: QuotaLimits,
}

bitflags! {
    /// What a backend can do; what it cannot is refused by the server without asking it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Capabilities: u32 {
        /// Named streams.
        const STREAMS = 1 << 0;
        /// Extended attributes.
        const EAS = 1 << 1;
        /// Stored security descriptors.
        const SECURITY = 1 << 2;
        /// Sparse files, zero ranges, allocated ranges.
        const SPARSE = 1 << 3;
        /// Block cloning.
        const REFLINK = 1 << 4;
        /// Hard links.
        const HARD_LINKS = 1 << 5;
        /// Reparse points.
        const REPARSE = 1 << 6;
        /// Names keep their case.
        const CASE_PRESERVING = 1 << 7;
        /// Open by [`NodeId`].
        const OPEN_BY_ID = 1 << 8;
        /// Nothing can be changed.
        const READ_ONLY = 1 << 9;
        /// The COMPRESSED attribute, kept for each file and directory.
        const COMPRESSION = 1 << 10;
        /// Snapshots can be listed and opened.
        const SNAPSHOTS = 1 << 12;
        /// Storage of trimmed ranges is given back.
        const TRIM = 1 << 11;
        /// Object ids of files and directories.
        const OBJECT_IDS = 1 << 13;
        /// Quotas of users on the volume.
        const QUOTAS = 1 << 14;
        /// Tells what happens in directories ([`super::VfsOp::Watch`]).
        const WATCH = 1 << 16;
    }
}
