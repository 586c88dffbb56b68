//! The one mapping from parse errors and backend errors to NTSTATUS.

use smb_proto::{NtStatus, ParseError};

use crate::vfs::VfsError;

/// A body that does not parse ([MS-SMB2] 3.3.5.2.6 and the first paragraphs of each command).
pub(crate) fn of_parse(error: ParseError) -> NtStatus {
    match error {
        ParseError::BadString(_) => NtStatus::OBJECT_NAME_INVALID,
        ParseError::Truncated(_)
        | ParseError::BadStructure(_)
        | ParseError::OutOfBounds(_)
        | ParseError::Misaligned(_)
        | ParseError::BadValue(_)
        | ParseError::TooMany(_) => NtStatus::INVALID_PARAMETER,
    }
}

/// A backend's refusal, as [MS-FSA] names the same situation.
pub(crate) fn of_vfs(error: &VfsError) -> NtStatus {
    match error {
        VfsError::NotFound => NtStatus::OBJECT_NAME_NOT_FOUND,
        VfsError::PathNotFound => NtStatus::OBJECT_PATH_NOT_FOUND,
        VfsError::Exists => NtStatus::OBJECT_NAME_COLLISION,
        VfsError::NotADirectory => NtStatus::NOT_A_DIRECTORY,
        VfsError::IsADirectory => NtStatus::FILE_IS_A_DIRECTORY,
        VfsError::NotEmpty => NtStatus::DIRECTORY_NOT_EMPTY,
        VfsError::AccessDenied => NtStatus::ACCESS_DENIED,
        VfsError::ReadOnly => NtStatus::MEDIA_WRITE_PROTECTED,
        VfsError::NoSpace => NtStatus::DISK_FULL,
        VfsError::Quota => NtStatus::QUOTA_EXCEEDED,
        VfsError::TooManyOpen => NtStatus::TOO_MANY_OPENED_FILES,
        VfsError::TooManyLinks => NtStatus::TOO_MANY_LINKS,
        VfsError::InvalidName | VfsError::NameTooLong => NtStatus::OBJECT_NAME_INVALID,
        VfsError::TooLarge | VfsError::Invalid => NtStatus::INVALID_PARAMETER,
        VfsError::OtherVolume => NtStatus::NOT_SAME_DEVICE,
        VfsError::Busy => NtStatus::SHARING_VIOLATION,
        VfsError::NotSupported => NtStatus::NOT_SUPPORTED,
        VfsError::EasTooLarge => NtStatus::EA_TOO_LARGE,
        VfsError::NotAReparsePoint => NtStatus::NOT_A_REPARSE_POINT,
        VfsError::ReparseTagMismatch => NtStatus::IO_REPARSE_TAG_MISMATCH,
        VfsError::ReparseConflict => NtStatus::REPARSE_ATTRIBUTE_CONFLICT,
        VfsError::StoppedOnSymlink { .. } => NtStatus::STOPPED_ON_SYMLINK,
        VfsError::StaleHandle => NtStatus::FILE_CLOSED,
        VfsError::Io => NtStatus::UNEXPECTED_IO_ERROR,
        VfsError::Gone => NtStatus::SERVER_UNAVAILABLE,
    }
}

impl From<VfsError> for Refusal {
    fn from(error: VfsError) -> Self {
        Self(of_vfs(&error))
    }
}

impl From<NtStatus> for Refusal {
    fn from(status: NtStatus) -> Self {
        Self(status)
    }
}

/// A request understood and refused: what `?` in a command turns errors into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) NtStatus);
