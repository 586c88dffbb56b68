//! Requests with usual values; change what matters with struct update syntax:
//! `create::Request { create_options: .., ..ops::open("x") }`.

use bytes::Bytes;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::FsctlCode;
use smb_proto::id::FileId;
use smb_proto::info::{FileAttributes, FileInfoClass, FsInfoClass, InfoType, SecurityInformation};
use smb_proto::msg::change_notify::{ChangeNotifyFlags, CompletionFilter};
use smb_proto::msg::close::CloseFlags;
use smb_proto::msg::create::{CreateDisposition, CreateOptions, ImpersonationLevel, ShareAccess};
use smb_proto::msg::ioctl::IoctlFlags;
use smb_proto::msg::lock::{LockElement, LockFlags};
use smb_proto::msg::query_directory::QueryDirectoryFlags;
use smb_proto::msg::query_info::QueryInfoFlags;
use smb_proto::msg::read::ReadFlags;
use smb_proto::msg::write::WriteFlags;
use smb_proto::msg::{
    Channel, OplockLevel, change_notify, close, create, flush, ioctl, lock, query_directory,
    query_info, read, set_info, tree_connect, write,
};

/// Everything shared.
pub const SHARE_ALL: ShareAccess = ShareAccess::READ
    .union(ShareAccess::WRITE)
    .union(ShareAccess::DELETE);

/// CREATE with this disposition: all access, everything shared, no options.
#[must_use]
pub fn create(name: &str, disposition: CreateDisposition) -> create::Request {
    create::Request {
        requested_oplock_level: OplockLevel::NONE,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: AccessMask::FILE_ALL_ACCESS,
        file_attributes: FileAttributes::NORMAL,
        share_access: SHARE_ALL,
        create_disposition: disposition.into(),
        create_options: CreateOptions::empty(),
        name: name.to_owned(),
        contexts: Vec::new(),
    }
}

/// Opens what exists.
#[must_use]
pub fn open(name: &str) -> create::Request {
    create(name, CreateDisposition::Open)
}

/// Opens a directory that exists.
#[must_use]
pub fn open_dir(name: &str) -> create::Request {
    create::Request {
        create_options: CreateOptions::DIRECTORY_FILE,
        ..open(name)
    }
}

/// Makes a directory.
#[must_use]
pub fn make_dir(name: &str) -> create::Request {
    create::Request {
        create_options: CreateOptions::DIRECTORY_FILE,
        ..create(name, CreateDisposition::Create)
    }
}

/// CLOSE.
#[must_use]
pub fn close(file_id: FileId) -> close::Request {
    close::Request {
        flags: CloseFlags::empty(),
        file_id,
    }
}

/// FLUSH.
#[must_use]
pub fn flush(file_id: FileId) -> flush::Request {
    flush::Request {
        reserved1: 0,
        file_id,
    }
}

/// READ.
#[must_use]
pub fn read(file_id: FileId, offset: u64, length: u32) -> read::Request {
    read::Request {
        padding: 0x50,
        flags: ReadFlags::empty(),
        length,
        offset,
        file_id,
        minimum_count: 0,
        channel: Channel::NONE,
        remaining_bytes: 0,
        channel_info: Bytes::new(),
    }
}

/// WRITE.
#[must_use]
pub fn write(file_id: FileId, offset: u64, data: impl Into<Bytes>) -> write::Request {
    write::Request {
        offset,
        file_id,
        channel: Channel::NONE,
        remaining_bytes: 0,
        channel_info: Bytes::new(),
        flags: WriteFlags::empty(),
        data: data.into(),
    }
}

/// QUERY_DIRECTORY.
#[must_use]
pub fn query_directory(
    file_id: FileId,
    class: FileInfoClass,
    pattern: &str,
    output_buffer_length: u32,
) -> query_directory::Request {
    query_directory::Request {
        file_information_class: class.code(),
        flags: QueryDirectoryFlags::empty(),
        file_index: 0,
        file_id,
        file_name: pattern.to_owned(),
        output_buffer_length,
    }
}

fn query_info(file_id: FileId, kind: InfoType, class: u8, more: u32) -> query_info::Request {
    query_info::Request {
        info_type: kind.code(),
        file_info_class: class,
        output_buffer_length: 65536,
        additional_information: more,
        flags: QueryInfoFlags::empty(),
        file_id,
        input: Bytes::new(),
    }
}

/// QUERY_INFO about a file.
#[must_use]
pub fn query_file(file_id: FileId, class: FileInfoClass) -> query_info::Request {
    query_info(file_id, InfoType::File, class.code(), 0)
}

/// QUERY_INFO about the file system.
#[must_use]
pub fn query_fs(file_id: FileId, class: FsInfoClass) -> query_info::Request {
    query_info(file_id, InfoType::FileSystem, class.code(), 0)
}

/// QUERY_INFO for the security descriptor.
#[must_use]
pub fn query_security(file_id: FileId, parts: SecurityInformation) -> query_info::Request {
    query_info(file_id, InfoType::Security, 0, parts.bits())
}

/// SET_INFO on a file.
#[must_use]
pub fn set_file(
    file_id: FileId,
    class: FileInfoClass,
    buffer: impl Into<Bytes>,
) -> set_info::Request {
    set_info::Request {
        info_type: InfoType::File.code(),
        file_info_class: class.code(),
        additional_information: 0,
        file_id,
        buffer: buffer.into(),
    }
}

/// SET_INFO of the security descriptor.
#[must_use]
pub fn set_security(
    file_id: FileId,
    parts: SecurityInformation,
    buffer: impl Into<Bytes>,
) -> set_info::Request {
    set_info::Request {
        info_type: InfoType::Security.code(),
        file_info_class: 0,
        additional_information: parts.bits(),
        file_id,
        buffer: buffer.into(),
    }
}

/// IOCTL with an FSCTL.
#[must_use]
pub fn fsctl(
    file_id: FileId,
    ctl_code: FsctlCode,
    input: impl Into<Bytes>,
    max_output_response: u32,
) -> ioctl::Request {
    ioctl::Request {
        ctl_code,
        file_id,
        input: input.into(),
        max_input_response: 0,
        max_output_response,
        flags: IoctlFlags::IS_FSCTL,
    }
}

/// LOCK with one element.
#[must_use]
pub fn lock(file_id: FileId, offset: u64, length: u64, flags: LockFlags) -> lock::Request {
    lock::Request {
        lock_sequence_number: 0,
        lock_sequence_index: 0,
        file_id,
        locks: vec![LockElement {
            offset,
            length,
            flags,
        }],
    }
}

/// CHANGE_NOTIFY.
#[must_use]
pub fn notify(file_id: FileId, filter: CompletionFilter, tree: bool) -> change_notify::Request {
    change_notify::Request {
        flags: if tree {
            ChangeNotifyFlags::WATCH_TREE
        } else {
            ChangeNotifyFlags::empty()
        },
        output_buffer_length: 65536,
        file_id,
        completion_filter: filter,
    }
}

/// TREE_CONNECT to `\\server\share`.
#[must_use]
pub fn tree_connect(path: &str) -> tree_connect::Request {
    tree_connect::Request {
        flags: tree_connect::TreeConnectFlags::empty(),
        path: path.to_owned(),
        contexts: Vec::new(),
    }
}
