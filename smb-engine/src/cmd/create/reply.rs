//! What a CREATE answers, [MS-SMB2] 2.2.14 and 2.2.2.2.1.

use smb_proto::Dialect;
use smb_proto::create_ctx::RawContext;
use smb_proto::dtyp::FileTime;
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::{CreateAction, Response, ResponseFlags};
use smb_proto::msg::error::{SymbolicLink, SymlinkFlags};

use crate::vfs::FileInfo;

/// The answer for a file, directory or stream.
pub(super) fn file(
    file_id: FileId,
    create_action: CreateAction,
    info: &FileInfo,
    contexts: Vec<RawContext>,
    dialect: Option<Dialect>,
) -> Response {
    let mut flags = ResponseFlags::empty();
    if dialect.is_some_and(Dialect::is_smb3)
        && info.attributes.contains(FileAttributes::REPARSE_POINT)
    {
        flags |= ResponseFlags::REPARSEPOINT;
    }
    Response {
        oplock_level: OplockLevel::NONE,
        flags,
        create_action,
        creation_time: info.creation,
        last_access_time: info.access,
        last_write_time: info.write,
        change_time: info.change,
        allocation_size: info.allocation,
        end_of_file: info.size,
        file_attributes: info.attributes,
        file_id,
        contexts,
    }
}

/// The answer for a named pipe, as Windows fills it in: no times, one page.
pub(super) fn pipe(file_id: FileId, contexts: Vec<RawContext>) -> Response {
    Response {
        oplock_level: OplockLevel::NONE,
        flags: ResponseFlags::empty(),
        create_action: CreateAction::OPENED,
        creation_time: FileTime::ZERO,
        last_access_time: FileTime::ZERO,
        last_write_time: FileTime::ZERO,
        change_time: FileTime::ZERO,
        allocation_size: 4096,
        end_of_file: 0,
        file_attributes: FileAttributes::NORMAL,
        file_id,
        contexts,
    }
}

/// The link on which the backend stopped. `unparsed` counts UTF-16 units of the name behind it.
pub(super) fn symlink(unparsed: u16, target: String, relative: bool) -> SymbolicLink {
    let mut flags = SymlinkFlags::empty();
    flags.set(SymlinkFlags::RELATIVE, relative);
    SymbolicLink {
        unparsed_path_length: unparsed.saturating_mul(2),
        substitute_name: target.clone(),
        print_name: target,
        flags,
    }
}
