//! Operations that wait: parking, interim answers, waking, interrupting.

use smb_proto::header::Route;
use smb_proto::{Command, NtStatus};

use super::{answer, settle};
use crate::cmd::{self, Cx, Phase};
use crate::core::{Core, Op, Timer, Wait, Wake, outside};
use crate::event::Event;
use crate::output::{Completion, Token};
use crate::status::Refusal;
use crate::table::Id;
use crate::time::Now;

/// Lets an operation wait, with an interim answer if that takes long.
pub(super) fn park(core: &mut Core, now: Now, op_id: Id<Op>, phase: Phase) {
    let after = core.config.limits.interim_after;
    let Some(op) = core.ops.get_mut(op_id) else {
        return;
    };
    debug_assert!(
        op.wait != Wait::Nothing,
        "an operation parked without waiting for anything"
    );
    op.phase = Some(phase);
    let may_answer = op.chain.is_some() && op.last && op.async_id.is_none();
    let command = op.header.command();
    if may_answer && !matches!(command, Some(Command::SessionSetup | Command::Logoff)) {
        core.arm(Timer::Interim(op_id), now, after);
    }
}

/// The time for an interim answer has come.
pub(crate) fn interim_due(core: &mut Core, op: Id<Op>) {
    // Where the session has ended meanwhile, there is one way left to seal: for the final answer.
    let chain = core.ops.get(op).and_then(|op| core.chains.get(op.chain?));
    if chain.is_some_and(|c| c.seal.is_some()) {
        return;
    }
    // A connection at its limit of asynchronous requests goes without: the answer just comes late.
    let _ = go_async(core, op);
}

/// Sends the interim answer ([MS-SMB2] 3.3.4.2) unless one was sent already.
pub(crate) fn go_async(core: &mut Core, op_id: Id<Op>) -> Result<(), Refusal> {
    let max = core.config.limits.max_async_per_connection;
    let Some(op) = core.ops.get(op_id) else {
        return Ok(());
    };
    let (Some(chain_id), Some(conn)) = (op.chain, op.conn) else {
        return Ok(());
    };
    if op.async_id.is_some() {
        return Ok(());
    }
    if !op.last {
        return Err(Refusal(NtStatus::INTERNAL_ERROR));
    }
    if core.conns.get(conn).is_none_or(|c| c.by_async.len() >= max) {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    let id = core.async_id();
    if let Some(c) = core.conns.get_mut(conn) {
        c.by_async.insert(id, op_id);
    }
    core.timers.clear(Timer::Interim(op_id));
    if let Some(op) = core.ops.get_mut(op_id) {
        op.async_id = Some(id);
        op.header.route = match op.header.route {
            Route::Sync { .. } | Route::Async(_) => Route::Async(id),
        };
    }
    answer::interim(core, chain_id, op_id);
    // The answers of the elements before leave together with the interim one; the final answer
    // will be a message of its own.
    super::flush(core, chain_id);
    Ok(())
}

/// Lets a waiting operation go on.
pub(crate) fn wake(core: &mut Core, now: Now, op_id: Id<Op>, wake: Wake) {
    let Some(op) = core.ops.get_mut(op_id) else {
        return;
    };
    let Some(phase) = op.phase.take() else { return };
    op.wait = Wait::Nothing;
    let step = cmd::resume(
        &mut Cx {
            core,
            now,
            op: op_id,
        },
        phase,
        wake,
    );
    settle(core, now, op_id, step);
}

/// The driver's answer to a question. One that nobody waits for is counted and dropped.
pub(crate) fn complete(core: &mut Core, now: Now, token: Token, completion: Completion) {
    let Some(op) = core
        .ops
        .get_mut(token.op)
        .filter(|op| op.wait == Wait::Completion(token.seq))
    else {
        core.event(Event::Stale);
        return;
    };
    let own = op.own.take();
    let failed = matches!(completion, Completion::Vfs(Err(_)));
    // What the host told meanwhile about the names concerned: if the operation failed, it was not
    // its doing; if not, what does not belong to it came after.
    let (before, after) = own.map(|own| own.settle(failed)).unwrap_or_default();
    outside::tell(core, now, before);
    wake(core, now, token.op, Wake::Completion(completion));
    outside::tell(core, now, after);
}

/// Interrupts an operation that waits for other clients (a lock, a change, another query). One that
/// waits for the driver is left to finish: its effect happens anyway and must be accounted for.
pub(crate) fn interrupt(core: &mut Core, now: Now, op_id: Id<Op>, why: Wake) {
    let Some(op) = core.ops.get_mut(op_id) else {
        return;
    };
    match op.wait {
        Wait::Completion(_) => {
            op.cancelled |= matches!(why, Wake::Cancelled);
            return;
        }
        Wait::Nothing | Wait::Quiet(_) | Wait::Ended(_) => return,
        Wait::Lock(file) => {
            if let Some(f) = core.files.get_mut(file) {
                f.lock_waiters.retain(|w| *w != op_id);
            }
        }
        Wait::Break(file) => {
            if let Some(f) = core.files.get_mut(file) {
                f.break_waiters.retain(|w| *w != op_id);
            }
        }
        Wait::Notify(open) => {
            if let Some(w) = core
                .opens
                .get_mut(open)
                .and_then(|o| o.file_mut())
                .and_then(|f| f.watch.as_mut())
            {
                w.waiting.retain(|w| *w != op_id);
            }
        }
        Wait::Pipe(open) => crate::core::pipe_view::drop_reader(core, open, op_id),
        Wait::Scan(open) => {
            if let Some(f) = core.opens.get_mut(open).and_then(|o| o.file_mut()) {
                f.scan.waiting.retain(|w| *w != op_id);
            }
        }
    }
    wake(core, now, op_id, why);
}
