//! CLOSE, [MS-SMB2] 3.3.5.10, and the same work when no CLOSE comes.

use smb_proto::NtStatus;
use smb_proto::msg::{self, close};

use super::{CmdResult, Cx, Phase, Step, WRONG_REPLY};
use crate::core::teardown::{self, Leftover};
use crate::core::{Open, OpenKind, Wait, Wake, dir_lease, write_time};
use crate::event::Event;
use crate::output::Completion;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{BasicChange, FileInfo, VfsOp, VfsReply};

/// Where a CLOSE is.
#[derive(Debug)]
pub(crate) enum State {
    /// Waiting for other operations on the open.
    Quieting { open: Id<Open>, attributes: bool },
    /// Setting the write time that the close gives.
    Dating(Leftover, bool),
    /// Asking for the attributes that the answer shows.
    Querying(Leftover),
    /// Removing the name of a file that is to be deleted.
    Removing(Leftover, Option<FileInfo>),
    /// Giving the handle back.
    Closing(Option<FileInfo>),
}

/// Enters a CLOSE.
pub(super) fn start(cx: &mut Cx<'_>, request: &close::Request) -> CmdResult {
    let attributes = request.flags.contains(close::CloseFlags::POSTQUERY_ATTRIB);
    let open = cx
        .op_mut()?
        .closing_open
        .ok_or(Refusal(NtStatus::FILE_CLOSED))?;
    if !teardown::begin_close(cx.core, cx.now, open) {
        return Err(Refusal(NtStatus::FILE_CLOSED));
    }
    quiet(cx, open, attributes)
}

/// Closes an open on which [`teardown::begin_close`] was called, without request.
pub(crate) fn unasked(cx: &mut Cx<'_>, open: Id<Open>) -> CmdResult {
    quiet(cx, open, false)
}

/// Goes on with a CLOSE.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::Quieting { open, attributes } => quiet(cx, open, attributes),
        State::Dating(left, attributes) => {
            if let Wake::Completion(Completion::Vfs(Err(error))) = wake {
                cx.core.event(Event::BackendFailed {
                    doing: "write time at close",
                    error,
                });
            }
            query(cx, left, attributes)
        }
        State::Querying(left) => {
            // Without attributes the file is closed all the same; the flag of the answer says so.
            let info = match wake.vfs().map(|r| write_time::in_reply(cx.core, r)) {
                Ok(VfsReply::Info(info)) => Some(info),
                Ok(_) => return Err(WRONG_REPLY),
                Err(_) => None,
            };
            remove(cx, left, info)
        }
        State::Removing(left, info) => {
            let done = match wake {
                Wake::Completion(Completion::Vfs(Ok(_))) => true,
                Wake::Completion(Completion::Vfs(Err(error))) => {
                    cx.core.event(Event::BackendFailed {
                        doing: "delete on close",
                        error,
                    });
                    false
                }
                _ => false,
            };
            if let Some(r) = &left.remove {
                teardown::removed(cx.core, cx.now, left.backend, r, done);
            }
            give_back(cx, &left, info)
        }
        State::Closing(info) => {
            if let Wake::Completion(Completion::Vfs(Err(error))) = wake {
                cx.core.event(Event::BackendFailed {
                    doing: "close",
                    error,
                });
            }
            Ok(reply(info))
        }
    }
}

fn quiet(cx: &mut Cx<'_>, open: Id<Open>, attributes: bool) -> CmdResult {
    let op = cx.op;
    let Some(o) = cx.core.opens.get_mut(open) else {
        return Err(Refusal(NtStatus::FILE_CLOSED));
    };
    if o.running > 0 {
        o.closer = Some(op);
        cx.wait_for(Wait::Quiet(open))?;
        return Ok(Step::Wait(Phase::Close(State::Quieting {
            open,
            attributes,
        })));
    }
    let is_file = matches!(o.kind, OpenKind::File(_));
    let Some(left) = teardown::detach(cx.core, cx.now, open) else {
        debug_assert!(!is_file);
        return Ok(reply(None));
    };
    if let Some(time) = left.write_time {
        let op = VfsOp::SetBasic {
            handle: left.handle,
            change: BasicChange {
                write: Some(time),
                ..BasicChange::default()
            },
        };
        cx.ask_backend(left.backend, left.by.clone(), op)?;
        return Ok(Step::Wait(Phase::Close(State::Dating(left, attributes))));
    }
    query(cx, left, attributes)
}

fn query(cx: &mut Cx<'_>, mut left: Leftover, attributes: bool) -> CmdResult {
    // A name that goes now is told of when it has.
    if let Some(written) = left.written.take()
        && left.remove.is_none()
    {
        let (at, by) = *written;
        dir_lease::entry_changed(cx.core, cx.now, left.backend, &at, by);
    }
    if attributes {
        cx.ask_backend(
            left.backend,
            left.by.clone(),
            VfsOp::Stat {
                handle: left.handle,
            },
        )?;
        return Ok(Step::Wait(Phase::Close(State::Querying(left))));
    }
    remove(cx, left, None)
}

fn remove(cx: &mut Cx<'_>, left: Leftover, info: Option<FileInfo>) -> CmdResult {
    let Some(r) = &left.remove else {
        return give_back(cx, &left, info);
    };
    let op = VfsOp::Remove {
        handle: left.handle,
        at: r.at.clone(),
    };
    cx.ask_backend(left.backend, r.by.clone(), op)?;
    Ok(Step::Wait(Phase::Close(State::Removing(left, info))))
}

fn give_back(cx: &mut Cx<'_>, left: &Leftover, info: Option<FileInfo>) -> CmdResult {
    cx.ask_backend(
        left.backend,
        left.by.clone(),
        VfsOp::Close {
            handle: left.handle,
        },
    )?;
    Ok(Step::Wait(Phase::Close(State::Closing(info))))
}

fn reply(info: Option<FileInfo>) -> Step {
    let body = match info {
        None => close::Response::default(),
        Some(i) => close::Response {
            flags: close::CloseFlags::POSTQUERY_ATTRIB,
            creation_time: i.creation,
            last_access_time: i.access,
            last_write_time: i.write,
            change_time: i.change,
            allocation_size: i.allocation,
            end_of_file: i.size,
            file_attributes: i.attributes,
        },
    };
    msg::Response::Close(body).into()
}
