//! QUERY_INFO, [MS-SMB2] 3.3.5.20.

mod ea;
mod file;
mod fs;
mod pipe;
mod quota;
mod security;
mod short_name;

use bytes::{Bytes, BytesMut};
use smb_proto::info::{InfoType, QueryLen};
use smb_proto::msg::{self, error, query_info};
use smb_proto::{Dialect, NtStatus};

use super::{CmdResult, Cx, Outcome, Phase, Step};
use crate::core::{OpenKind, Wake};
use crate::status::Refusal;

/// Which answer of the backend a QUERY_INFO waits for.
#[derive(Debug)]
pub(crate) enum State {
    /// Metadata or streams of a file.
    File(file::State),
    /// Extended attributes.
    Ea(ea::State),
    /// The 8.3 name.
    ShortName(short_name::State),
    /// The volume.
    Fs(fs::State),
    /// Quotas.
    Quota(quota::State),
    /// The security descriptor.
    Security(security::State),
}

/// Enters a QUERY_INFO.
pub(super) fn start(cx: &mut Cx<'_>, request: query_info::Request) -> CmdResult {
    let max = cx.core.config.limits.max_transact;
    if request.output_buffer_length > max
        || u32::try_from(request.input.len()).map_or(true, |n| n > max)
    {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    match InfoType::from_code(request.info_type) {
        Some(InfoType::File) => match &cx.open()?.1.kind {
            OpenKind::Pipe(_) => pipe::query(cx, &request),
            OpenKind::File(_) => file::start(cx, &request),
            OpenKind::Quota(_) => Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST)),
        },
        Some(InfoType::FileSystem) => fs::start(cx, &request),
        Some(InfoType::Security) => security::start(cx, &request),
        Some(InfoType::Quota) => quota::start(cx, &request),
        None => Err(Refusal(NtStatus::INVALID_PARAMETER)),
    }
}

/// Goes on with a QUERY_INFO.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::File(s) => file::resume(cx, s, wake),
        State::Ea(s) => ea::resume(cx, &s, wake),
        State::ShortName(s) => short_name::resume(cx, s, wake),
        State::Fs(s) => fs::resume(cx, s, wake),
        State::Quota(s) => quota::resume(cx, s, wake),
        State::Security(s) => security::resume(cx, &s, wake),
    }
}

fn waits(state: State) -> Step {
    Step::Wait(Phase::QueryInfo(state))
}

/// OutputBufferLength of a request as a size.
fn room(request: &query_info::Request) -> usize {
    usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX)
}

fn dialect(cx: &Cx<'_>) -> Dialect {
    cx.conn()
        .ok()
        .and_then(|id| cx.core.conns.get(id)?.dialect())
        .unwrap_or(Dialect::Smb311)
}

/// The answer to a buffer that does not even take the fixed part ([MS-SMB2] 3.3.5.20.1: in 3.1.1
/// with an error context without data).
fn length_mismatch(cx: &Cx<'_>) -> Step {
    let body = error::Response::with_data(Bytes::new(), dialect(cx));
    Outcome::Error(NtStatus::INFO_LENGTH_MISMATCH, body).into()
}

fn output(output: Bytes) -> msg::Response {
    msg::Response::QueryInfo(query_info::Response { output })
}

/// Answers with as much of `bytes` as the client has room for. Less than all goes with
/// STATUS_BUFFER_OVERFLOW if the class ends in something variable.
fn answer(cx: &Cx<'_>, mut bytes: BytesMut, len: QueryLen, room: usize) -> Step {
    if room < len.min() {
        return length_mismatch(cx);
    }
    if bytes.len() <= room {
        return output(bytes.freeze()).into();
    }
    bytes.truncate(room);
    Outcome::ReplyWith(NtStatus::BUFFER_OVERFLOW, output(bytes.freeze())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_as_a_size() {
        let request = query_info::Request {
            info_type: 1,
            file_info_class: 4,
            output_buffer_length: 40,
            additional_information: 0,
            flags: query_info::QueryInfoFlags::empty(),
            file_id: smb_proto::id::FileId::RELATED,
            input: Bytes::new(),
        };
        assert_eq!(room(&request), 40);
    }
}
