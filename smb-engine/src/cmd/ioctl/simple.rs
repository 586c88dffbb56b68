//! FSCTLs that are answered without asking anybody.

use smb_proto::fsctl::SrvSnapshotArray;

use super::{Call, INVALID_PARAMETER, encoded};
use crate::cmd::CmdResult;

/// FSCTL_SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 3.3.5.15.1: there are none.
pub(super) fn snapshots(call: Call) -> CmdResult {
    if call.max_output < SrvSnapshotArray::LEN_MIN {
        return Err(INVALID_PARAMETER);
    }
    let none = SrvSnapshotArray::fitting(Vec::new(), call.max_output);
    Ok(call.reply(encoded(|w| none.encode(w))))
}
