//! Which fields an entry of each class has.

use crate::info::FileInfoClass;

/// A class that QUERY_DIRECTORY can ask for, [MS-SMB2] 2.2.33.
///
/// The classes that [MS-SMB2] lists are 1, 2, 3, 12, 37, 38 and, since newer versions, 60 and 78 to
/// 81; 63 is described by the Windows header `ntifs.h` only and 100 belongs to the SMB3 POSIX
/// extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum DirClass {
    /// FileDirectoryInformation, [MS-FSCC] 2.4.10.
    Directory,
    /// FileFullDirectoryInformation, [MS-FSCC] 2.4.14.
    FullDirectory,
    /// FileBothDirectoryInformation, [MS-FSCC] 2.4.8.
    BothDirectory,
    /// FileNamesInformation, [MS-FSCC] 2.4.32.
    Names,
    /// FileIdBothDirectoryInformation, [MS-FSCC] 2.4.21.
    IdBothDirectory,
    /// FileIdFullDirectoryInformation, [MS-FSCC] 2.4.23.
    IdFullDirectory,
    /// FileIdExtdDirectoryInformation, [MS-FSCC] 2.4.22.
    IdExtdDirectory,
    /// FileIdExtdBothDirectoryInformation, FILE_ID_EXTD_BOTH_DIR_INFORMATION of `ntifs.h`.
    IdExtdBothDirectory,
    /// FileId64ExtdDirectoryInformation, [MS-FSCC] 2.4.18.
    Id64ExtdDirectory,
    /// FileId64ExtdBothDirectoryInformation, [MS-FSCC] 2.4.17.
    Id64ExtdBothDirectory,
    /// FileIdAllExtdDirectoryInformation, [MS-FSCC] 2.4.20.
    IdAllExtdDirectory,
    /// FileIdAllExtdBothDirectoryInformation, [MS-FSCC] 2.4.19.
    IdAllExtdBothDirectory,
    /// FilePosixInformation as a directory class, [POSIX-FSCC] 2.3.1.1.
    Posix,
}

/// How an entry is laid out behind FileIndex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// FileNameLength, FileName.
    Names,
    /// As FilePosixInformation, then FileNameLength, FileName.
    Posix,
    /// Times, sizes, attributes, FileNameLength, and what the shape says.
    Common(Shape),
}

/// What stands between FileNameLength and FileName.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// EaSize.
    pub(super) ea: Ea,
    /// FileId, 64 bits.
    pub(super) id: bool,
    /// FileId, 128 bits.
    pub(super) id_128: bool,
    /// ShortNameLength, a reserved byte, ShortName.
    pub(super) short_name: bool,
    /// Bytes from the beginning of the entry to FileName.
    pub(super) fixed_len: usize,
}

/// How EaSize and the reparse tag stand in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ea {
    /// Neither is there.
    None,
    /// One field, which holds the reparse tag if the file is a reparse point.
    Shared,
    /// As [`Self::Shared`], and 4 reserved bytes that align the FileId.
    SharedPadded,
    /// EaSize, then ReparsePointTag.
    Apart,
}

impl DirClass {
    /// Every class.
    pub const ALL: [Self; 13] = [
        Self::Directory,
        Self::FullDirectory,
        Self::BothDirectory,
        Self::Names,
        Self::IdBothDirectory,
        Self::IdFullDirectory,
        Self::IdExtdDirectory,
        Self::IdExtdBothDirectory,
        Self::Id64ExtdDirectory,
        Self::Id64ExtdBothDirectory,
        Self::IdAllExtdDirectory,
        Self::IdAllExtdBothDirectory,
        Self::Posix,
    ];

    /// The class with this number in FileInformationClass; `None` if it is none for listings.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Directory,
            2 => Self::FullDirectory,
            3 => Self::BothDirectory,
            12 => Self::Names,
            37 => Self::IdBothDirectory,
            38 => Self::IdFullDirectory,
            60 => Self::IdExtdDirectory,
            63 => Self::IdExtdBothDirectory,
            78 => Self::Id64ExtdDirectory,
            79 => Self::Id64ExtdBothDirectory,
            80 => Self::IdAllExtdDirectory,
            81 => Self::IdAllExtdBothDirectory,
            100 => Self::Posix,
            _ => return None,
        })
    }

    /// The same class among all file information classes.
    #[must_use]
    pub const fn info_class(self) -> FileInfoClass {
        match self {
            Self::Directory => FileInfoClass::Directory,
            Self::FullDirectory => FileInfoClass::FullDirectory,
            Self::BothDirectory => FileInfoClass::BothDirectory,
            Self::Names => FileInfoClass::Names,
            Self::IdBothDirectory => FileInfoClass::IdBothDirectory,
            Self::IdFullDirectory => FileInfoClass::IdFullDirectory,
            Self::IdExtdDirectory => FileInfoClass::IdExtdDirectory,
            Self::IdExtdBothDirectory => FileInfoClass::IdExtdBothDirectory,
            Self::Id64ExtdDirectory => FileInfoClass::Id64ExtdDirectory,
            Self::Id64ExtdBothDirectory => FileInfoClass::Id64ExtdBothDirectory,
            Self::IdAllExtdDirectory => FileInfoClass::IdAllExtdDirectory,
            Self::IdAllExtdBothDirectory => FileInfoClass::IdAllExtdBothDirectory,
            Self::Posix => FileInfoClass::Posix,
        }
    }

    /// The number in FileInformationClass.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.info_class().code()
    }

    /// The name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.info_class().name()
    }

    /// Bytes of an entry without its name. A query with less room than that is refused with
    /// STATUS_INFO_LENGTH_MISMATCH ([MS-FSA] 2.1.5.6.3). For [`Self::Posix`] without the two SIDs
    /// either, whose size depends on the file.
    #[must_use]
    pub const fn fixed_len(self) -> usize {
        match self.layout() {
            Layout::Names => 12,
            Layout::Posix => 92,
            Layout::Common(shape) => shape.fixed_len,
        }
    }

    /// Where the fields are.
    pub(super) const fn layout(self) -> Layout {
        let (ea, id, id_128, short_name, fixed_len) = match self {
            Self::Directory => (Ea::None, false, false, false, 64),
            Self::FullDirectory => (Ea::Shared, false, false, false, 68),
            Self::BothDirectory => (Ea::Shared, false, false, true, 94),
            Self::IdBothDirectory => (Ea::Shared, true, false, true, 104),
            Self::IdFullDirectory => (Ea::SharedPadded, true, false, false, 80),
            Self::IdExtdDirectory => (Ea::Apart, false, true, false, 88),
            Self::IdExtdBothDirectory => (Ea::Apart, false, true, true, 114),
            Self::Id64ExtdDirectory => (Ea::Apart, true, false, false, 80),
            Self::Id64ExtdBothDirectory => (Ea::Apart, true, false, true, 106),
            Self::IdAllExtdDirectory => (Ea::Apart, true, true, false, 96),
            Self::IdAllExtdBothDirectory => (Ea::Apart, true, true, true, 122),
            Self::Names => return Layout::Names,
            Self::Posix => return Layout::Posix,
        };
        Layout::Common(Shape {
            ea,
            id,
            id_128,
            short_name,
            fixed_len,
        })
    }
}
