//! File information classes, [MS-FSCC] 2.4: one structure for each.

mod access;
mod all;
mod basic;
mod disposition;
mod ea;
mod hard_link;
mod id;
mod name;
mod pipe;
mod posix;
mod remote_protocol;
mod rename;
mod size;
mod stat;
mod stream;

pub use access::{
    FileAccessInformation, FileAlignmentInformation, FileEaInformation, FileMode,
    FileModeInformation,
};
pub use all::FileAllInformation;
pub use basic::{FileAttributeTagInformation, FileBasicInformation, FileNetworkOpenInformation};
pub use disposition::{DispositionFlags, FileDispositionInformation, FileDispositionInformationEx};
pub use ea::{EaFlags, FileFullEaInformation, FileGetEaInformation};
pub use hard_link::{FileHardLinkInformation, FileLinkEntryInformation};
pub use id::{
    FileIdInformation, FileInternalInformation, FileObjectIdInformation,
    FileReparsePointInformation,
};
pub use name::{FileNameInformation, FileShortNameInformation};
pub use pipe::{FilePipeInformation, FilePipeLocalInformation, FilePipeRemoteInformation};
pub use posix::FilePosixInformation;
pub use remote_protocol::FileRemoteProtocolInformation;
pub use rename::{
    FileLinkInformation, FileLinkInformationEx, FileRenameInformation, FileRenameInformationEx,
    LinkFlags, RenameFlags,
};
pub use size::{
    FileAllocationInformation, FileCompressionInformation, FileEndOfFileInformation,
    FilePositionInformation, FileStandardInformation, FileStandardLinkInformation,
    FileValidDataLengthInformation,
};
pub use stat::{
    CaseSensitiveFlags, FileCaseSensitiveInformation, FileStatInformation, FileStatLxInformation,
    LxFlags,
};
pub use stream::FileStreamInformation;

#[cfg(test)]
mod tests;
