//! FSCTL_PIPE_TRANSCEIVE, FSCTL_PIPE_PEEK and FSCTL_PIPE_WAIT, [MS-SMB2] 3.3.5.15.3, 3.3.5.15.4 and
//! 3.3.5.15.10.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::fsctl::{FsctlCode, PipeWait};
use smb_proto::info::file::FilePipeLocalInformation;

use super::{At, Call, INVALID_DEVICE_REQUEST, INVALID_PARAMETER, encoded};
use crate::cmd::{CmdResult, Cx};
use crate::core::{TreeShare, Wake, pipe_view};
use crate::identity::Identity;
use crate::output::{Completion, Query};
use crate::pipe::Pipe;
use crate::status::Refusal;

/// Bytes of an FSCTL_PIPE_PEEK answer before the data ([MS-FSCC] 2.3.46).
const PEEKED: usize = 16;

/// A transaction that waits for the accounts that its call may ask about.
#[derive(Debug)]
pub(super) struct State {
    input: Bytes,
}

/// Enters an FSCTL on a pipe.
pub(super) fn start(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    let (id, _) = cx.open()?;
    let pipe = pipe_view::pipe_mut(cx.core, id)?;
    match call.code {
        FsctlCode::PIPE_TRANSCEIVE if pipe.needs_accounts() => {
            cx.ask_accounts(Query::Accounts)?;
            Ok(call.wait(At::Pipe(State {
                input: input.clone(),
            })))
        }
        FsctlCode::PIPE_TRANSCEIVE => transceive(cx, call, input, &[]),
        FsctlCode::PIPE_PEEK => peek(call, pipe),
        _ => Err(INVALID_DEVICE_REQUEST),
    }
}

/// Goes on with a transaction.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    match wake {
        Wake::Completion(Completion::Accounts(accounts)) => {
            transceive(cx, call, &state.input, &accounts)
        }
        other => {
            other.vfs()?;
            Err(crate::cmd::WRONG_REPLY)
        }
    }
}

fn transceive(cx: &mut Cx<'_>, call: Call, input: &[u8], accounts: &[Identity]) -> CmdResult {
    let (id, _) = cx.open()?;
    let view = pipe_view::view(cx.core, cx.now, id, accounts)?;
    let pipe = pipe_view::pipe_mut(cx.core, id)?;
    let read = pipe.transceive(input, call.max_output, &view)?;
    Ok(if read.more {
        call.reply_with(NtStatus::BUFFER_OVERFLOW, read.data)
    } else {
        call.reply(read.data)
    })
}

/// What could be read, without taking it.
fn peek(call: Call, pipe: &Pipe) -> CmdResult {
    let room = call
        .max_output
        .checked_sub(PEEKED)
        .ok_or(INVALID_PARAMETER)?;
    let next = pipe.next_message().cloned().unwrap_or_default();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let shown = next.slice(..next.len().min(room));
    let output = encoded(|w| {
        w.u32(FilePipeLocalInformation::CONNECTED);
        w.u32(count(pipe.available()));
        w.u32(count(pipe.messages()));
        w.u32(count(next.len()));
        w.bytes(&shown);
    });
    Ok(if shown.len() < next.len() {
        call.reply_with(NtStatus::BUFFER_OVERFLOW, output)
    } else {
        call.reply(output)
    })
}

/// Waits for an instance of a pipe: those that exist always have one.
pub(super) fn wait(cx: &Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    if !matches!(cx.tree()?.1.share, TreeShare::Pipe) {
        return Err(INVALID_DEVICE_REQUEST);
    }
    let request = PipeWait::parse(input).map_err(|e| Refusal(crate::status::of_parse(e)))?;
    if Pipe::open(&request.name).is_none() {
        return Err(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    Ok(call.done())
}
