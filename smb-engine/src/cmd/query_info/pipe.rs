//! Information about a named pipe, [MS-FSA] 2.1.5.12 as far as pipes have it.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{
    FileAccessInformation, FileInternalInformation, FileModeInformation, FilePipeInformation,
    FilePipeLocalInformation, FilePipeRemoteInformation, FilePositionInformation,
    FileStandardInformation,
};
use smb_proto::info::{FileInfoClass, QueryLen};
use smb_proto::msg::query_info;
use smb_proto::wire::Writer;

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{answer, length_mismatch, room};
use crate::status::Refusal;

/// Bytes that a pipe takes in before its writer has to wait; what Windows shows for its own pipes.
const QUOTA: u32 = 4096;

pub(super) fn query(cx: &Cx<'_>, request: &query_info::Request) -> CmdResult {
    use FileInfoClass as C;
    let class = FileInfoClass::from_code(request.file_info_class)
        .ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    let (id, open) = cx.open()?;
    let (granted, number) = (open.granted, id.to_u64());
    let w = &mut Writer::new();
    match class {
        C::Standard => FileStandardInformation {
            allocation_size: u64::from(QUOTA),
            end_of_file: 0,
            number_of_links: 1,
            // Windows says so of every pipe: it ends with its last handle.
            delete_pending: true,
            directory: false,
        }
        .encode(w),
        C::Internal => FileInternalInformation {
            index_number: number,
        }
        .encode(w),
        C::Access => FileAccessInformation {
            access_flags: granted,
        }
        .encode(w),
        C::Position => FilePositionInformation::default().encode(w),
        C::Mode => FileModeInformation::default().encode(w),
        C::Pipe | C::PipeLocal | C::PipeRemote => {
            if !granted.contains(AccessMask::FILE_READ_ATTRIBUTES) {
                return Err(Refusal(NtStatus::ACCESS_DENIED));
            }
            match class {
                C::Pipe => FilePipeInformation {
                    read_mode: 1,
                    completion_mode: 0,
                }
                .encode(w),
                C::PipeLocal => FilePipeLocalInformation {
                    named_pipe_type: FilePipeLocalInformation::TYPE_MESSAGE,
                    named_pipe_configuration: FilePipeLocalInformation::FULL_DUPLEX,
                    maximum_instances: u32::MAX,
                    current_instances: 1,
                    inbound_quota: QUOTA,
                    read_data_available: 0,
                    outbound_quota: QUOTA,
                    write_quota_available: QUOTA,
                    named_pipe_state: FilePipeLocalInformation::CONNECTED,
                    named_pipe_end: FilePipeLocalInformation::CLIENT_END,
                }
                .encode(w),
                _ => FilePipeRemoteInformation::default().encode(w),
            }
        }
        // What the file system of pipes does not know.
        _ => return Err(Refusal(NtStatus::INVALID_PARAMETER)),
    }
    let len = class.query_len().ok_or(WRONG_REPLY)?;
    let room = room(request);
    if room < QueryLen::min(len) {
        return Ok(length_mismatch(cx));
    }
    Ok(answer(cx, std::mem::take(w).into_inner(), len, room))
}
