//! FSCTL_SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 3.3.5.15.1.

use smb_proto::fsctl::SrvSnapshotArray;

use super::{Call, INVALID_PARAMETER, encoded};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::Wake;
use crate::vfs::{Capabilities, VfsOp, VfsReply, snapshot_token};

/// Asks for the snapshots of the volume; without any there is nothing to ask.
pub(super) fn start(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    if call.max_output < SrvSnapshotArray::LEN_MIN {
        return Err(INVALID_PARAMETER);
    }
    let share = cx.tree()?.1.disk().ok_or(super::INVALID_DEVICE_REQUEST)?;
    if !share.capabilities.contains(Capabilities::SNAPSHOTS) {
        return Ok(answer(call, Vec::new()));
    }
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::Snapshots { handle })?;
    Ok(call.wait(super::At::Snapshots))
}

/// All of them, or how many there are if the client has no room for all.
pub(super) fn resume(call: Call, wake: Wake) -> CmdResult {
    let VfsReply::Snapshots(times) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    Ok(answer(
        call,
        times.into_iter().map(snapshot_token).collect(),
    ))
}

fn answer(call: Call, tokens: Vec<String>) -> crate::cmd::Step {
    let list = SrvSnapshotArray::fitting(tokens, call.max_output);
    call.reply(encoded(|w| list.encode(w)))
}
