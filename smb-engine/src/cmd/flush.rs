//! FLUSH, [MS-SMB2] 3.3.5.11.

use smb_proto::dtyp::AccessMask;
use smb_proto::msg::{self, flush};

use super::{CmdResult, Cx, Phase, Step, WRONG_REPLY};
use crate::core::{OpenKind, Wake, write_time};
use crate::vfs::{VfsOp, VfsReply};

/// A FLUSH that the backend works on.
#[derive(Debug)]
pub(crate) struct State;

/// Enters a FLUSH. The rights have the same bits for a file and for a directory (FILE_ADD_FILE,
/// FILE_ADD_SUBDIRECTORY). What macOS asks for besides with 0xFFFF in Reserved1, data on stable
/// storage and not only in the file system, is what every flush does here.
pub(super) fn start(cx: &mut Cx<'_>, _request: &flush::Request) -> CmdResult {
    if let OpenKind::Pipe(_) = cx.open()?.1.kind {
        // What was written to a pipe has been consumed when WRITE is answered.
        return Ok(msg::Response::Flush(flush::Response).into());
    }
    cx.need_any(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
    let handle = cx.file_open()?.handle;
    if mutated!(cx.core, FlushForgotten) {
        return Ok(msg::Response::Flush(flush::Response).into());
    }
    cx.ask_vfs(VfsOp::Flush { handle })?;
    Ok(Step::Wait(Phase::Flush(State)))
}

/// Goes on with a FLUSH.
pub(super) fn resume(cx: &mut Cx<'_>, State: State, wake: Wake) -> CmdResult {
    match wake.vfs()? {
        VfsReply::Done => {
            let node = cx.file_open()?.node;
            write_time::settle(cx.core, node);
            Ok(msg::Response::Flush(flush::Response).into())
        }
        _ => Err(WRONG_REPLY),
    }
}
