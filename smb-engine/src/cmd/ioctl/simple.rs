//! FSCTLs that are answered without asking anybody.

use smb_proto::NtStatus;
use smb_proto::fsctl::{CompressionState, SrvSnapshotArray};

use super::{Call, INVALID_PARAMETER, encoded};
use crate::cmd::CmdResult;
use crate::status::Refusal;

/// FSCTL_GET_COMPRESSION ([MS-FSCC] 2.3): nothing is compressed. Answered so also by file systems
/// that cannot compress (ReFS).
pub(super) fn get_compression(call: Call) -> CmdResult {
    if call.max_output < 2 {
        return Err(INVALID_PARAMETER);
    }
    Ok(call.reply(encoded(|w| CompressionState::NONE.encode(w))))
}

/// FSCTL_SET_COMPRESSION: what is not compressed can be left so, and nothing else.
pub(super) fn set_compression(call: Call, input: &[u8]) -> CmdResult {
    match CompressionState::parse(input).map_err(|_| INVALID_PARAMETER)? {
        CompressionState::NONE => Ok(call.done()),
        _ => Err(Refusal(NtStatus::NOT_SUPPORTED)),
    }
}

/// FSCTL_SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 3.3.5.15.1: there are none.
pub(super) fn snapshots(call: Call) -> CmdResult {
    if call.max_output < SrvSnapshotArray::LEN_MIN {
        return Err(INVALID_PARAMETER);
    }
    let none = SrvSnapshotArray::fitting(Vec::new(), call.max_output);
    Ok(call.reply(encoded(|w| none.encode(w))))
}
