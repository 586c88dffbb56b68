//! CHANGE_NOTIFY, [MS-SMB2] 3.3.5.19, [MS-FSA] 2.1.5.11.

use smb_proto::dtyp::AccessMask;
use smb_proto::info::notify;
use smb_proto::msg::change_notify::{self, ChangeNotifyFlags};
use smb_proto::wire::Writer;
use smb_proto::{NtStatus, msg};

use super::{CmdResult, Cx, Outcome, Phase, Step};
use crate::core::{Open, TreeShare, Wait, Wake, Watch};
use crate::event::Event;
use crate::output::Completion;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{Capabilities, VfsOp};

/// A request that waits for a change; it stands in [`Watch::waiting`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    room: usize,
    /// The backend has been asked to tell what others do.
    asked: bool,
}

/// Enters a CHANGE_NOTIFY.
pub(super) fn start(cx: &mut Cx<'_>, request: &change_notify::Request) -> CmdResult {
    let file = cx.file_open()?;
    if !file.directory || request.output_buffer_length > cx.core.config.limits.max_transact {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let (id, open) = cx.open()?;
    if !open.granted.contains(AccessMask::FILE_LIST_DIRECTORY) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let (supported, told) = match &cx.tree()?.1.share {
        TreeShare::Disk(share) => (
            share.change_notify,
            share.capabilities.contains(Capabilities::WATCH),
        ),
        TreeShare::Pipe => (false, false),
    };
    if !supported {
        return Err(Refusal(NtStatus::NOT_IMPLEMENTED));
    }
    let mut state = State {
        room: usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX),
        asked: false,
    };
    // Filter, scope and size of the first request are those of all.
    if cx.file_open()?.watch.is_none() {
        // A filter of unknown flags only waits for ever; an empty one makes no sense.
        if request.completion_filter.is_empty() {
            return Err(Refusal(NtStatus::INVALID_PARAMETER));
        }
        let recursive = request.flags.contains(ChangeNotifyFlags::WATCH_TREE);
        let max = state.room.min(cx.core.config.limits.max_notify_bytes);
        let watch = Watch::new(request.completion_filter, recursive, max);
        crate::core::notify::watch(cx.core, id, watch);
        let file = cx.file_open()?;
        // In a snapshot nothing happens any more.
        if told && file.snapshot.is_none() {
            // Nothing is promised (by an interim answer) before the host looks on.
            let handle = file.handle;
            cx.ask_vfs(VfsOp::Watch { handle, recursive })?;
            state.asked = true;
            return Ok(Step::Wait(Phase::ChangeNotify(state)));
        }
    }
    look(cx, id, state)
}

/// Goes on with a CHANGE_NOTIFY.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let (id, _) = cx.open()?;
    let op = cx.op;
    if let Some(watch) = &mut cx.file_open_mut()?.watch {
        watch.waiting.retain(|w| *w != op);
    }
    match wake {
        Wake::Ready => look(cx, id, state),
        Wake::Cancelled => Err(Refusal(NtStatus::CANCELLED)),
        Wake::Completion(Completion::Vfs(result)) if state.asked => {
            if let Err(error) = result {
                // What comes through this server is told all the same.
                cx.core.event(Event::BackendFailed {
                    doing: "watching for changes by others",
                    error,
                });
            }
            watched(cx, id, state)
        }
        Wake::Closed | Wake::Completion(_) => Err(Refusal(NtStatus::NOTIFY_CLEANUP)),
    }
}

/// The host looks on now, or cannot. Whatever would have ended the request while it waited for
/// others has to end it here.
fn watched(cx: &mut Cx<'_>, id: Id<Open>, state: State) -> CmdResult {
    let op = cx.op_mut()?;
    let (cancelled, conn) = (op.cancelled, op.conn);
    if cancelled {
        return Err(Refusal(NtStatus::CANCELLED));
    }
    let Some(conn) = conn.and_then(|conn| cx.core.conns.get(conn)) else {
        return Err(Refusal(NtStatus::NOTIFY_CLEANUP));
    };
    if conn.draining {
        return Err(Refusal(NtStatus::CANCELLED));
    }
    if cx.open()?.1.closing {
        return Err(Refusal(NtStatus::NOTIFY_CLEANUP));
    }
    let step = look(cx, id, state);
    // It came first, whoever has begun to wait since.
    let op = cx.op;
    if let Some(watch) = &mut cx.file_open_mut()?.watch
        && watch.waiting.back() == Some(&op)
    {
        watch.waiting.rotate_right(1);
    }
    step
}

/// Answers if there is something to tell, else waits behind the others.
fn look(cx: &mut Cx<'_>, id: Id<Open>, state: State) -> CmdResult {
    let file = cx.file_open()?;
    let row = file.file;
    if file.watch.as_ref().is_some_and(|w| w.gone) {
        return Err(Refusal(NtStatus::DELETE_PENDING));
    }
    if cx
        .core
        .files
        .get(row)
        .is_some_and(|r| r.delete_pending.is_some())
    {
        return Err(Refusal(NtStatus::DELETE_PENDING));
    }
    if let Some(watch) = &mut cx.file_open_mut()?.watch
        && watch.has_news()
    {
        return Ok(answer(watch, state.room));
    }
    // Nobody knows when something will change, so the client is told at once that it has to wait.
    cx.go_async()?;
    let op = cx.op;
    if let Some(watch) = &mut cx.file_open_mut()?.watch {
        watch.waiting.push_back(op);
    }
    cx.wait_for(Wait::Notify(id))?;
    Ok(Step::Wait(Phase::ChangeNotify(state)))
}

/// All changes so far, or, if they are too many for the client or were too many to keep, the advice
/// to list the directory.
fn answer(watch: &mut Watch, room: usize) -> Step {
    let output = watch.take().and_then(|changes| {
        let mut w = Writer::new();
        notify::encode(&changes, &mut w);
        let bytes = w.into_inner().freeze();
        (bytes.len() <= room).then_some(bytes)
    });
    let (status, output) = match output {
        Some(output) => (NtStatus::SUCCESS, output),
        None => (NtStatus::NOTIFY_ENUM_DIR, bytes::Bytes::new()),
    };
    let body = msg::Response::ChangeNotify(change_notify::Response { output });
    Outcome::ReplyWith(status, body).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::info::notify::{Action, Change};
    use smb_proto::msg::change_notify::CompletionFilter;

    fn told(watch: &mut Watch, room: usize) -> (NtStatus, usize) {
        match answer(watch, room) {
            Step::Done(Outcome::ReplyWith(status, msg::Response::ChangeNotify(r))) => {
                (status, notify::parse(&r.output).unwrap().len())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn too_much_for_the_client_is_dropped() {
        let mut watch = Watch::new(CompletionFilter::FILE_NAME, false, 1000);
        let add = |watch: &mut Watch| {
            watch.add(Change {
                action: Action::ADDED,
                name: "abc".to_owned(),
            });
        };
        add(&mut watch);
        add(&mut watch);
        // 12 + 6 bytes each, the first padded to 20.
        assert_eq!(told(&mut watch, 38), (NtStatus::SUCCESS, 2));
        add(&mut watch);
        add(&mut watch);
        assert_eq!(told(&mut watch, 37), (NtStatus::NOTIFY_ENUM_DIR, 0));
        assert!(!watch.has_news());
    }
}
