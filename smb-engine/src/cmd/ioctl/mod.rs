//! IOCTL, [MS-SMB2] 3.3.5.15: the checks that all share, and which file handles which code.

mod compression;
mod copychunk;
mod duplicate;
mod integrity;
mod interfaces;
mod object_id;
mod pipe;
mod reparse;
mod resiliency;
mod snapshots;
mod sparse;
mod trim;
mod validate_negotiate;

use bytes::Bytes;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::FsctlCode;
use smb_proto::id::FileId;
use smb_proto::msg::ioctl::{IoctlFlags, Request, Response};
use smb_proto::wire::Writer;
use smb_proto::{NtStatus, msg};

use super::{CmdResult, Cx, Outcome, Phase, Step};
use crate::core::{OpenKind, Wake};
use crate::status::Refusal;
use crate::vfs::Capabilities;

const INVALID_PARAMETER: Refusal = Refusal(NtStatus::INVALID_PARAMETER);
const INVALID_DEVICE_REQUEST: Refusal = Refusal(NtStatus::INVALID_DEVICE_REQUEST);

/// What of a request its answer needs.
#[derive(Debug, Clone, Copy)]
struct Call {
    code: FsctlCode,
    file_id: FileId,
    /// MaxOutputResponse, in bytes.
    max_output: usize,
}

impl Call {
    /// An answer without output.
    fn done(self) -> Step {
        self.reply(Bytes::new())
    }

    /// STATUS_SUCCESS with this output.
    fn reply(self, output: Bytes) -> Step {
        msg::Response::Ioctl(self.response(output)).into()
    }

    /// Another status with this output.
    fn reply_with(self, status: NtStatus, output: Bytes) -> Step {
        Outcome::ReplyWith(status, msg::Response::Ioctl(self.response(output))).into()
    }

    fn response(self, output: Bytes) -> Response {
        Response {
            ctl_code: self.code,
            file_id: self.file_id,
            input: Bytes::new(),
            output,
        }
    }
}

/// The bytes that `encode` writes.
fn encoded(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

/// An IOCTL that waits.
#[derive(Debug)]
pub(crate) struct State {
    call: Call,
    at: At,
}

/// What it is and where it stands.
#[derive(Debug)]
enum At {
    Compression(compression::State),
    CopyChunk(Box<copychunk::State>),
    Duplicate(duplicate::State),
    /// The volume, for the checksums that it does not keep.
    Integrity,
    ObjectId(object_id::State),
    Pipe(pipe::State),
    Reparse(reparse::State),
    /// When snapshots were taken.
    Snapshots,
    Sparse(sparse::State),
    Trim(trim::State),
}

impl Call {
    fn wait(self, at: At) -> Step {
        Step::Wait(Phase::Ioctl(State { call: self, at }))
    }
}

/// Whether this FSCTL works on an open. The others carry a FileId of all ones (3.3.5.15).
pub(super) fn needs_file(request: &Request) -> bool {
    !matches!(
        request.ctl_code,
        FsctlCode::DFS_GET_REFERRALS
            | FsctlCode::DFS_GET_REFERRALS_EX
            | FsctlCode::QUERY_NETWORK_INTERFACE_INFO
            | FsctlCode::VALIDATE_NEGOTIATE_INFO
            | FsctlCode::PIPE_WAIT
    )
}

/// Enters an IOCTL.
pub(super) fn start(cx: &mut Cx<'_>, request: Request) -> CmdResult {
    if request.flags != IoctlFlags::IS_FSCTL {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    let file_id = if needs_file(&request) {
        cx.open()?.1.file_id
    } else if request.file_id == FileId::RELATED {
        request.file_id
    } else {
        return Err(INVALID_PARAMETER);
    };
    let max = cx.single_credit_cap(cx.core.config.limits.max_transact);
    let sent = u32::try_from(request.input.len()).unwrap_or(u32::MAX);
    if sent > max || request.max_input_response > max || request.max_output_response > max {
        return Err(INVALID_PARAMETER);
    }
    let call = Call {
        code: request.ctl_code,
        file_id,
        max_output: usize::try_from(request.max_output_response).unwrap_or(usize::MAX),
    };
    if !needs_file(&request) {
        return without_file(cx, call, &request.input);
    }
    check_access(cx, call.code)?;
    match cx.open()?.1.kind {
        OpenKind::Pipe(_) => pipe::start(cx, call, &request.input),
        OpenKind::File(_) => on_file(cx, call, &request.input),
        OpenKind::Quota(_) => Err(INVALID_DEVICE_REQUEST),
    }
}

/// The rights that a control code itself names: bits 14 and 15, as the I/O manager of Windows checks
/// them ([MS-FSCC] 2.3, the codes are made of device, access, function and method).
fn check_access(cx: &Cx<'_>, code: FsctlCode) -> Result<(), Refusal> {
    const READ: u32 = 1 << 14;
    const WRITE: u32 = 1 << 15;
    // Windows' file servers let writers compress, although the code names both rights.
    if code.0 & READ != 0 && code != FsctlCode::SET_COMPRESSION {
        cx.need_any(AccessMask::FILE_READ_DATA)?;
    }
    if code.0 & WRITE != 0 {
        cx.need_any(AccessMask::FILE_WRITE_DATA)?;
    }
    Ok(())
}

fn without_file(cx: &Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    match call.code {
        FsctlCode::VALIDATE_NEGOTIATE_INFO => validate_negotiate::start(cx, call, input),
        FsctlCode::QUERY_NETWORK_INTERFACE_INFO => interfaces::start(cx, call),
        FsctlCode::PIPE_WAIT => pipe::wait(cx, call, input),
        // 3.3.5.15.2: there is no DFS here.
        _ => Err(Refusal(NtStatus::FS_DRIVER_REQUIRED)),
    }
}

fn on_file(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    match call.code {
        FsctlCode::SRV_REQUEST_RESUME_KEY => copychunk::resume_key(cx, call),
        FsctlCode::SRV_COPYCHUNK | FsctlCode::SRV_COPYCHUNK_WRITE => {
            copychunk::start(cx, call, input)
        }
        FsctlCode::DUPLICATE_EXTENTS_TO_FILE | FsctlCode::DUPLICATE_EXTENTS_TO_FILE_EX => {
            duplicate::start(cx, call, input)
        }
        FsctlCode::SET_SPARSE => sparse::set(cx, call, input),
        FsctlCode::SET_ZERO_DATA => sparse::zero(cx, call, input),
        FsctlCode::QUERY_ALLOCATED_RANGES => sparse::ranges(cx, call, input),
        FsctlCode::GET_REPARSE_POINT => reparse::get(cx, call),
        FsctlCode::SET_REPARSE_POINT => reparse::set(cx, call, input),
        FsctlCode::DELETE_REPARSE_POINT => reparse::delete(cx, call, input),
        FsctlCode::CREATE_OR_GET_OBJECT_ID | FsctlCode::GET_OBJECT_ID => object_id::get(cx, call),
        FsctlCode::SET_OBJECT_ID => object_id::set(cx, call, input),
        FsctlCode::SET_OBJECT_ID_EXTENDED => object_id::extend(cx, call, input),
        FsctlCode::DELETE_OBJECT_ID => object_id::delete(cx, call),
        FsctlCode::GET_COMPRESSION => compression::get(cx, call),
        FsctlCode::SET_COMPRESSION => compression::set(cx, call, input),
        FsctlCode::FILE_LEVEL_TRIM => trim::start(cx, call, input),
        FsctlCode::GET_INTEGRITY_INFORMATION => integrity::get(cx, call),
        FsctlCode::SET_INTEGRITY_INFORMATION => integrity::set(cx, call, input),
        FsctlCode::SRV_ENUMERATE_SNAPSHOTS => snapshots::start(cx, call),
        // 3.3.5.15.7: branch cache is off.
        FsctlCode::SRV_READ_HASH => Err(Refusal(NtStatus::HASH_NOT_SUPPORTED)),
        FsctlCode::LMR_REQUEST_RESILIENCY => resiliency::start(cx, call, input),
        // Also for codes that are known but that this volume has no use for: QUERY_ON_DISK_VOLUME_INFO, which is of optical media alone ([MS-FSA] 2.1.5.10.23).
        _ => Err(INVALID_DEVICE_REQUEST),
    }
}

/// Goes on with an IOCTL.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let State { call, at } = state;
    match at {
        At::Compression(s) => compression::resume(cx, call, s, wake),
        At::CopyChunk(s) => copychunk::resume(cx, call, s, wake),
        At::Duplicate(s) => duplicate::resume(cx, call, s, wake),
        At::Integrity => integrity::resume(call, wake),
        At::ObjectId(s) => object_id::resume(cx, call, s, wake),
        At::Pipe(s) => pipe::resume(cx, call, s, wake),
        At::Reparse(s) => reparse::resume(cx, call, s, wake),
        At::Snapshots => snapshots::resume(call, wake),
        At::Sparse(s) => sparse::resume(cx, call, s, wake),
        At::Trim(s) => trim::resume(cx, call, s, wake),
    }
}

/// Refuses what the share's backend cannot do.
fn need_capability(cx: &Cx<'_>, capability: Capabilities) -> Result<(), Refusal> {
    let share = cx.tree()?.1.disk().ok_or(INVALID_DEVICE_REQUEST)?;
    if share.capabilities.contains(capability) {
        Ok(())
    } else {
        Err(INVALID_DEVICE_REQUEST)
    }
}
