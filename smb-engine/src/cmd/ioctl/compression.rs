//! FSCTL_GET_COMPRESSION and FSCTL_SET_COMPRESSION, [MS-FSCC] 2.3.29 and 2.3.67.
//!
//! The state is kept and shown; how the bytes lie on the medium is the backend's affair
//! ([MS-FSCC] 2.3.67: implementation-dependent).

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::CompressionState;
use smb_proto::info::FileAttributes;
use smb_proto::msg::change_notify::CompletionFilter;

use super::{At, Call, INVALID_PARAMETER, encoded};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::{Wake, notify};
use crate::status::Refusal;
use crate::vfs::{Capabilities, VfsOp, VfsReply};

/// Bytes of CompressionState.
const STATE_LEN: usize = 2;

/// What the backend was asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Getting,
    Setting,
}

fn can_compress(cx: &Cx<'_>) -> Result<bool, Refusal> {
    let share = cx.tree()?.1.disk().ok_or(super::INVALID_DEVICE_REQUEST)?;
    Ok(share.capabilities.contains(Capabilities::COMPRESSION))
}

/// Tells the state. A file system that cannot compress says that nothing is compressed, as ReFS does.
pub(super) fn get(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    if call.max_output < STATE_LEN {
        return Err(INVALID_PARAMETER);
    }
    if !can_compress(cx)? {
        return Ok(answer(call, CompressionState::NONE));
    }
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::Stat { handle })?;
    Ok(call.wait(At::Compression(State::Getting)))
}

/// Sets the state. Where nothing can be compressed, NONE is all that can be set.
pub(super) fn set(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    cx.need_any(AccessMask::FILE_WRITE_DATA)?;
    let compressed = match CompressionState::parse(input).map_err(|_| INVALID_PARAMETER)? {
        CompressionState::NONE => false,
        CompressionState::DEFAULT | CompressionState::LZNT1 => true,
        _ => return Err(INVALID_PARAMETER),
    };
    if !can_compress(cx)? {
        return if compressed {
            Err(Refusal(NtStatus::NOT_SUPPORTED))
        } else {
            Ok(call.done())
        };
    }
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::SetCompression { handle, compressed })?;
    Ok(call.wait(At::Compression(State::Setting)))
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    match (state, wake.vfs()?) {
        (State::Getting, VfsReply::Info(info)) => {
            // DEFAULT is no state but a wish ([MS-FSCC] 2.3.67), and LZNT1 what it stands for.
            let compressed = info.attributes.contains(FileAttributes::COMPRESSED);
            Ok(answer(
                call,
                if compressed {
                    CompressionState::LZNT1
                } else {
                    CompressionState::NONE
                },
            ))
        }
        (State::Setting, VfsReply::Done) => {
            let (id, _) = cx.open()?;
            notify::changed(cx.core, cx.now, id, CompletionFilter::ATTRIBUTES);
            Ok(call.done())
        }
        (State::Getting | State::Setting, _) => Err(WRONG_REPLY),
    }
}

fn answer(call: Call, state: CompressionState) -> crate::cmd::Step {
    call.reply(encoded(|w| state.encode(w)))
}
