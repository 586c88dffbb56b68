//! The numbers that name a piece of information: InfoType, FileInfoClass, FsInfoClass.

macro_rules! classes {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$vdoc:meta])* $variant:ident = $code:literal => $text:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $code,)*
        }

        impl $name {
            /// Every value that has a name, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value with this number; `None` for one without a name.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The name in the specification.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

classes! {
    /// InfoType of QUERY_INFO and SET_INFO, [MS-SMB2] 2.2.37 and 2.2.39. One byte.
    InfoType {
        /// Information about a file, pipe or directory; the class is a [`FileInfoClass`].
        File = 1 => "SMB2_0_INFO_FILE",
        /// Information about the volume; the class is an [`FsInfoClass`].
        FileSystem = 2 => "SMB2_0_INFO_FILESYSTEM",
        /// The security descriptor; which parts of it says
        /// [`SecurityInformation`](super::SecurityInformation).
        Security = 3 => "SMB2_0_INFO_SECURITY",
        /// Quotas of users on the volume.
        Quota = 4 => "SMB2_0_INFO_QUOTA",
    }
}

classes! {
    /// File information classes, [MS-FSCC] 2.4, those of them that only the Windows headers
    /// describe (`ntifs.h`, `wdm.h`), and the one of the SMB3 POSIX extensions. One byte.
    FileInfoClass {
        /// Directory listing, see [`DirClass::Directory`](super::dir::DirClass::Directory).
        Directory = 1 => "FileDirectoryInformation",
        /// Directory listing with EaSize.
        FullDirectory = 2 => "FileFullDirectoryInformation",
        /// Directory listing with EaSize and short name.
        BothDirectory = 3 => "FileBothDirectoryInformation",
        /// Times and attributes.
        Basic = 4 => "FileBasicInformation",
        /// Sizes, link count, delete pending.
        Standard = 5 => "FileStandardInformation",
        /// 64-bit file id.
        Internal = 6 => "FileInternalInformation",
        /// Size of the extended attributes.
        Ea = 7 => "FileEaInformation",
        /// Access granted to the open.
        Access = 8 => "FileAccessInformation",
        /// Full name; local use only.
        Name = 9 => "FileNameInformation",
        /// Rename.
        Rename = 10 => "FileRenameInformation",
        /// Create a hard link.
        Link = 11 => "FileLinkInformation",
        /// Directory listing of names only.
        Names = 12 => "FileNamesInformation",
        /// Delete on close.
        Disposition = 13 => "FileDispositionInformation",
        /// File pointer of the open.
        Position = 14 => "FilePositionInformation",
        /// Extended attributes.
        FullEa = 15 => "FileFullEaInformation",
        /// Mode of the open.
        Mode = 16 => "FileModeInformation",
        /// Buffer alignment that the device wants.
        Alignment = 17 => "FileAlignmentInformation",
        /// Nine classes in one.
        All = 18 => "FileAllInformation",
        /// Set the allocation size.
        Allocation = 19 => "FileAllocationInformation",
        /// Set the size.
        EndOfFile = 20 => "FileEndOfFileInformation",
        /// 8.3 name.
        AlternateName = 21 => "FileAlternateNameInformation",
        /// Named streams.
        Stream = 22 => "FileStreamInformation",
        /// Modes of a pipe end.
        Pipe = 23 => "FilePipeInformation",
        /// Local end of a pipe.
        PipeLocal = 24 => "FilePipeLocalInformation",
        /// Remote end of a pipe.
        PipeRemote = 25 => "FilePipeRemoteInformation",
        /// Local use only.
        MailslotQuery = 26 => "FileMailslotQueryInformation",
        /// Local use only.
        MailslotSet = 27 => "FileMailslotSetInformation",
        /// Compressed size and format.
        Compression = 28 => "FileCompressionInformation",
        /// Object id; local use only.
        ObjectId = 29 => "FileObjectIdInformation",
        /// Local use only.
        Completion = 30 => "FileCompletionInformation",
        /// Local use only.
        MoveCluster = 31 => "FileMoveClusterInformation",
        /// Quota entries; on SMB2 asked for with [`InfoType::Quota`].
        Quota = 32 => "FileQuotaInformation",
        /// Reparse tag of a listed file; local use only.
        ReparsePoint = 33 => "FileReparsePointInformation",
        /// Times, sizes and attributes.
        NetworkOpen = 34 => "FileNetworkOpenInformation",
        /// Attributes and reparse tag.
        AttributeTag = 35 => "FileAttributeTagInformation",
        /// Local use only.
        Tracking = 36 => "FileTrackingInformation",
        /// Directory listing with EaSize, short name and 64-bit file id.
        IdBothDirectory = 37 => "FileIdBothDirectoryInformation",
        /// Directory listing with EaSize and 64-bit file id.
        IdFullDirectory = 38 => "FileIdFullDirectoryInformation",
        /// Set the valid data length.
        ValidDataLength = 39 => "FileValidDataLengthInformation",
        /// Set the 8.3 name.
        ShortName = 40 => "FileShortNameInformation",
        /// Local use only.
        SfioReserve = 44 => "FileSfioReserveInformation",
        /// Local use only.
        SfioVolume = 45 => "FileSfioVolumeInformation",
        /// All links of a file; local use only.
        HardLink = 46 => "FileHardLinkInformation",
        /// Name without short names in it.
        NormalizedName = 48 => "FileNormalizedNameInformation",
        /// Local use only.
        IdGlobalTxDirectory = 50 => "FileIdGlobalTxDirectoryInformation",
        /// Link counts; local use only.
        StandardLink = 54 => "FileStandardLinkInformation",
        /// What a client knows about the protocol a file is reached by; answered by redirectors,
        /// never by servers.
        RemoteProtocol = 55 => "FileRemoteProtocolInformation",
        /// Volume serial number and 128-bit file id.
        Id = 59 => "FileIdInformation",
        /// Directory listing with EaSize, reparse tag and 128-bit file id.
        IdExtdDirectory = 60 => "FileIdExtdDirectoryInformation",
        /// Directory listing with EaSize, reparse tag, 128-bit file id and short name.
        IdExtdBothDirectory = 63 => "FileIdExtdBothDirectoryInformation",
        /// Delete with flags.
        DispositionEx = 64 => "FileDispositionInformationEx",
        /// Rename with flags.
        RenameEx = 65 => "FileRenameInformationEx",
        /// Times, sizes, ids, access.
        Stat = 68 => "FileStatInformation",
        /// As Stat, with Linux metadata.
        StatLx = 70 => "FileStatLxInformation",
        /// Whether names in a directory differ by case.
        CaseSensitive = 71 => "FileCaseSensitiveInformation",
        /// Create a hard link, with flags.
        LinkEx = 72 => "FileLinkInformationEx",
        /// Directory listing with EaSize, reparse tag and 64-bit file id.
        Id64ExtdDirectory = 78 => "FileId64ExtdDirectoryInformation",
        /// Directory listing with EaSize, reparse tag, 64-bit file id and short name.
        Id64ExtdBothDirectory = 79 => "FileId64ExtdBothDirectoryInformation",
        /// Directory listing with EaSize, reparse tag, both file ids.
        IdAllExtdDirectory = 80 => "FileIdAllExtdDirectoryInformation",
        /// Directory listing with EaSize, reparse tag, both file ids and short name.
        IdAllExtdBothDirectory = 81 => "FileIdAllExtdBothDirectoryInformation",
        /// POSIX attributes, as query and as directory listing; [POSIX-FSCC] 2.3.1.1.
        Posix = 100 => "FilePosixInformation",
    }
}

classes! {
    /// File system information classes, [MS-FSCC] 2.5, and the one of the SMB3 POSIX extensions.
    /// One byte.
    FsInfoClass {
        /// Label, serial number, creation time.
        Volume = 1 => "FileFsVolumeInformation",
        /// Set the label; local use only.
        Label = 2 => "FileFsLabelInformation",
        /// Total and free space.
        Size = 3 => "FileFsSizeInformation",
        /// Device type and characteristics.
        Device = 4 => "FileFsDeviceInformation",
        /// Abilities, longest name, name of the file system.
        Attribute = 5 => "FileFsAttributeInformation",
        /// Default quotas and how they are enforced.
        Control = 6 => "FileFsControlInformation",
        /// Total and free space, without and with quotas.
        FullSize = 7 => "FileFsFullSizeInformation",
        /// Object id of the volume.
        ObjectId = 8 => "FileFsObjectIdInformation",
        /// Whether a driver is in the path; local use only.
        DriverPath = 9 => "FileFsDriverPathInformation",
        /// Local use only.
        VolumeFlags = 10 => "FileFsVolumeFlagsInformation",
        /// Physical and logical sector sizes.
        SectorSize = 11 => "FileFsSectorSizeInformation",
        /// What `statvfs` says; [POSIX-FSCC] 2.3.2.1.
        Posix = 100 => "FileFsPosixInformation",
    }
}

/// How much room a query needs ([MS-FSA] 2.1.5.12 and 2.1.5.13): with less, the answer is
/// STATUS_INFO_LENGTH_MISMATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum QueryLen {
    /// The answer always has this many bytes.
    Fixed(usize),
    /// The answer ends in something of variable length (a name, a list). The number is the least
    /// OutputBufferLength, which is the size of the structure in the memory of Windows, so that it
    /// can be a few bytes more than the fixed part on the wire. With more room than that but not
    /// enough, the answer is cut and goes with STATUS_BUFFER_OVERFLOW.
    Variable(usize),
}

impl QueryLen {
    /// The least OutputBufferLength.
    #[must_use]
    pub const fn min(self) -> usize {
        match self {
            Self::Fixed(n) | Self::Variable(n) => n,
        }
    }
}

/// Which of the two operations a class may be used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Uses {
    /// QUERY_INFO.
    pub query: bool,
    /// SET_INFO.
    pub set: bool,
}

const QUERY: Uses = Uses {
    query: true,
    set: false,
};
const SET: Uses = Uses {
    query: false,
    set: true,
};
const BOTH: Uses = Uses {
    query: true,
    set: true,
};
const NEITHER: Uses = Uses {
    query: false,
    set: false,
};

impl FileInfoClass {
    /// What the lists of [MS-SMB2] 2.2.37 and 2.2.39 allow over the network. A class with neither
    /// is for directory listings ([MS-SMB2] 2.2.33), for local use, or described by Windows
    /// headers only. FilePosixInformation is allowed to be queried where POSIX extensions were
    /// negotiated.
    #[must_use]
    pub const fn uses(self) -> Uses {
        match self {
            Self::Standard
            | Self::Internal
            | Self::Ea
            | Self::Access
            | Self::Alignment
            | Self::All
            | Self::AlternateName
            | Self::Stream
            | Self::PipeLocal
            | Self::PipeRemote
            | Self::Compression
            | Self::NetworkOpen
            | Self::AttributeTag
            | Self::NormalizedName
            | Self::Id
            | Self::Posix => QUERY,
            Self::Basic | Self::Position | Self::FullEa | Self::Mode | Self::Pipe => BOTH,
            Self::Rename
            | Self::Link
            | Self::Disposition
            | Self::Allocation
            | Self::EndOfFile
            | Self::ValidDataLength
            | Self::ShortName => SET,
            Self::Directory
            | Self::FullDirectory
            | Self::BothDirectory
            | Self::Name
            | Self::Names
            | Self::MailslotQuery
            | Self::MailslotSet
            | Self::ObjectId
            | Self::Completion
            | Self::MoveCluster
            | Self::Quota
            | Self::ReparsePoint
            | Self::Tracking
            | Self::IdBothDirectory
            | Self::IdFullDirectory
            | Self::SfioReserve
            | Self::SfioVolume
            | Self::HardLink
            | Self::IdGlobalTxDirectory
            | Self::StandardLink
            | Self::RemoteProtocol
            | Self::IdExtdDirectory
            | Self::IdExtdBothDirectory
            | Self::DispositionEx
            | Self::RenameEx
            | Self::Stat
            | Self::StatLx
            | Self::CaseSensitive
            | Self::LinkEx
            | Self::Id64ExtdDirectory
            | Self::Id64ExtdBothDirectory
            | Self::IdAllExtdDirectory
            | Self::IdAllExtdBothDirectory => NEITHER,
        }
    }

    /// Whether [MS-FSCC] 2.4 lists the class. A server answers a query for a listed class that the
    /// network does not allow with STATUS_NOT_SUPPORTED and one for any other class with
    /// STATUS_INVALID_INFO_CLASS ([MS-SMB2] 3.3.5.20.1). Setting a class without
    /// [`Uses::set`] is STATUS_INVALID_INFO_CLASS in both cases ([MS-SMB2] 3.3.5.21.1), except
    /// FileQuotaInformation, which can be set but not so: STATUS_NOT_SUPPORTED.
    #[must_use]
    pub const fn is_documented(self) -> bool {
        !matches!(
            self,
            Self::Completion
                | Self::RemoteProtocol
                | Self::IdExtdBothDirectory
                | Self::DispositionEx
                | Self::RenameEx
                | Self::Stat
                | Self::StatLx
                | Self::CaseSensitive
                | Self::LinkEx
                | Self::Posix
        )
    }

    /// Size of the answer to a query, for every class that this crate has a query structure for
    /// (whether or not the network allows it); `None` for directory classes and the rest.
    #[must_use]
    pub const fn query_len(self) -> Option<QueryLen> {
        use QueryLen::{Fixed, Variable};
        Some(match self {
            Self::Basic => Fixed(40),
            Self::Standard => Fixed(24),
            Self::Internal => Fixed(8),
            Self::Ea | Self::Access | Self::Mode | Self::Alignment | Self::CaseSensitive => {
                Fixed(4)
            }
            Self::Position => Fixed(8),
            Self::Name | Self::AlternateName | Self::NormalizedName => Variable(8),
            // The query names no least length: without EAs the answer is empty.
            Self::FullEa => Variable(0),
            Self::All => Variable(104),
            Self::Stream => Variable(32),
            Self::Pipe => Fixed(8),
            Self::PipeLocal => Fixed(40),
            Self::PipeRemote => Fixed(12),
            Self::Compression => Fixed(16),
            Self::ObjectId => Fixed(72),
            Self::Quota => Variable(0),
            Self::ReparsePoint => Fixed(12),
            Self::NetworkOpen => Fixed(56),
            Self::AttributeTag => Fixed(8),
            Self::HardLink => Variable(8),
            Self::StandardLink => Fixed(12),
            Self::RemoteProtocol => Fixed(116),
            Self::Id => Fixed(24),
            Self::Stat => Fixed(72),
            Self::StatLx => Fixed(96),
            // Without the two SIDs, whose size depends on the file.
            Self::Posix => Variable(80),
            Self::Directory
            | Self::FullDirectory
            | Self::BothDirectory
            | Self::Rename
            | Self::Link
            | Self::Names
            | Self::Disposition
            | Self::Allocation
            | Self::EndOfFile
            | Self::MailslotQuery
            | Self::MailslotSet
            | Self::Completion
            | Self::MoveCluster
            | Self::Tracking
            | Self::IdBothDirectory
            | Self::IdFullDirectory
            | Self::ValidDataLength
            | Self::ShortName
            | Self::SfioReserve
            | Self::SfioVolume
            | Self::IdGlobalTxDirectory
            | Self::IdExtdDirectory
            | Self::IdExtdBothDirectory
            | Self::DispositionEx
            | Self::RenameEx
            | Self::LinkEx
            | Self::Id64ExtdDirectory
            | Self::Id64ExtdBothDirectory
            | Self::IdAllExtdDirectory
            | Self::IdAllExtdBothDirectory => return None,
        })
    }

    /// The least BufferLength of a SET_INFO, for every class that this crate has a set structure
    /// for; shorter ones are refused with STATUS_INFO_LENGTH_MISMATCH ([MS-FSA] 2.1.5.15).
    #[must_use]
    pub const fn set_min_len(self) -> Option<usize> {
        Some(match self {
            Self::Basic => 40,
            Self::Rename | Self::RenameEx | Self::Link | Self::LinkEx => 20,
            Self::Disposition => 1,
            Self::Mode | Self::ShortName | Self::DispositionEx | Self::CaseSensitive => 4,
            Self::Position
            | Self::FullEa
            | Self::Allocation
            | Self::EndOfFile
            | Self::Pipe
            | Self::ValidDataLength => 8,
            Self::Directory
            | Self::FullDirectory
            | Self::BothDirectory
            | Self::Standard
            | Self::Internal
            | Self::Ea
            | Self::Access
            | Self::Name
            | Self::Names
            | Self::Alignment
            | Self::All
            | Self::AlternateName
            | Self::Stream
            | Self::PipeLocal
            | Self::PipeRemote
            | Self::MailslotQuery
            | Self::MailslotSet
            | Self::Compression
            | Self::ObjectId
            | Self::Completion
            | Self::MoveCluster
            | Self::Quota
            | Self::ReparsePoint
            | Self::NetworkOpen
            | Self::AttributeTag
            | Self::Tracking
            | Self::IdBothDirectory
            | Self::IdFullDirectory
            | Self::SfioReserve
            | Self::SfioVolume
            | Self::HardLink
            | Self::NormalizedName
            | Self::IdGlobalTxDirectory
            | Self::StandardLink
            | Self::RemoteProtocol
            | Self::Id
            | Self::IdExtdDirectory
            | Self::IdExtdBothDirectory
            | Self::Stat
            | Self::StatLx
            | Self::Id64ExtdDirectory
            | Self::Id64ExtdBothDirectory
            | Self::IdAllExtdDirectory
            | Self::IdAllExtdBothDirectory
            | Self::Posix => return None,
        })
    }
}

impl FsInfoClass {
    /// What [MS-FSCC] 2.5 allows over the network.
    #[must_use]
    pub const fn uses(self) -> Uses {
        match self {
            Self::Volume
            | Self::Size
            | Self::Device
            | Self::Attribute
            | Self::FullSize
            | Self::SectorSize
            | Self::Posix => QUERY,
            Self::Control | Self::ObjectId => BOTH,
            Self::Label | Self::DriverPath | Self::VolumeFlags => NEITHER,
        }
    }

    /// Size of the answer to a query; `None` for the classes that cannot be queried.
    #[must_use]
    pub const fn query_len(self) -> Option<QueryLen> {
        use QueryLen::{Fixed, Variable};
        Some(match self {
            Self::Volume => Variable(24),
            Self::Size => Fixed(24),
            Self::Device => Fixed(8),
            Self::Attribute => Variable(16),
            Self::Control => Fixed(48),
            Self::FullSize => Fixed(32),
            Self::ObjectId => Fixed(64),
            Self::DriverPath => Variable(12),
            Self::SectorSize => Fixed(28),
            Self::Posix => Fixed(56),
            Self::Label | Self::VolumeFlags => return None,
        })
    }

    /// The least BufferLength of a SET_INFO; `None` for the classes that cannot be set.
    #[must_use]
    pub const fn set_min_len(self) -> Option<usize> {
        Some(match self {
            Self::Label => 4,
            Self::Control => 48,
            Self::ObjectId => 64,
            Self::Volume
            | Self::Size
            | Self::Device
            | Self::Attribute
            | Self::FullSize
            | Self::DriverPath
            | Self::VolumeFlags
            | Self::SectorSize
            | Self::Posix => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree() {
        for code in 0..=u8::MAX {
            if let Some(class) = FileInfoClass::from_code(code) {
                assert_eq!(class.code(), code);
                assert!(FileInfoClass::ALL.contains(&class));
            }
            if let Some(class) = FsInfoClass::from_code(code) {
                assert_eq!(class.code(), code);
            }
            if let Some(kind) = InfoType::from_code(code) {
                assert_eq!(kind.code(), code);
            }
        }
        assert_eq!(FileInfoClass::from_code(0), None);
        assert_eq!(FileInfoClass::from_code(47), None);
        assert_eq!(InfoType::from_code(5), None);
        assert_eq!(FsInfoClass::Posix.code(), 0x64);
        assert_eq!(
            FileInfoClass::from_code(34).map(FileInfoClass::name),
            Some("FileNetworkOpenInformation")
        );
    }

    #[test]
    fn what_the_network_allows_has_a_length() {
        for &class in FileInfoClass::ALL {
            let uses = class.uses();
            assert!(!uses.query || class.query_len().is_some(), "{class:?}");
            assert!(!uses.set || class.set_min_len().is_some(), "{class:?}");
        }
        for &class in FsInfoClass::ALL {
            let uses = class.uses();
            assert!(!uses.query || class.query_len().is_some(), "{class:?}");
            assert!(!uses.set || class.set_min_len().is_some(), "{class:?}");
        }
    }
}
