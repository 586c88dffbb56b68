//! LOCK, [MS-SMB2] 3.3.5.14.

use smb_proto::dtyp::AccessMask;
use smb_proto::msg::lock::{LockElement, LockFlags, Request, Response};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::{NtStatus, msg};

use super::{CmdResult, Cx, Phase, Step};
use crate::core::range_lock::{self, Wanted};
use crate::core::{File, Open, RangeLock, Wait, Wake, breaks};
use crate::dispatch;
use crate::status::Refusal;
use crate::table::Id;

const INVALID: Refusal = Refusal(NtStatus::INVALID_PARAMETER);

/// A LOCK that waits for its range.
#[derive(Debug)]
pub(crate) struct State {
    row: Id<File>,
    sequence: Sequence,
    wanted: Wanted,
}

/// LockSequenceIndex and LockSequenceNumber.
#[derive(Debug, Clone, Copy)]
struct Sequence {
    index: u32,
    number: u8,
}

/// Enters a LOCK.
pub(super) fn start(cx: &mut Cx<'_>, request: Request) -> CmdResult {
    let f = cx.file_open()?;
    // [MS-FSA] 2.1.5.8
    if f.directory {
        return Err(INVALID);
    }
    let row = f.file;
    let sequence = Sequence {
        index: request.lock_sequence_index,
        number: request.lock_sequence_number,
    };
    if keeps_sequence(cx)
        && let f = cx.file_open_mut()?
        && f.lock_sequence.is_repeated(sequence.index, sequence.number)
    {
        return Ok(msg::Response::Lock(Response).into());
    }
    let max = cx.core.config.limits.max_lock_elements;
    let first = request.locks.first().ok_or(INVALID)?;
    if request.locks.len() > max {
        return Err(INVALID);
    }
    // What the I/O manager of Windows asks for before it hands a lock on.
    cx.need_any(
        AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA,
    )?;
    if first.flags.contains(LockFlags::UNLOCK) {
        unlock(cx, row, sequence, &request.locks)
    } else {
        lock(cx, row, sequence, &request.locks)
    }
}

/// Whether repeated LOCKs are known as such: on opens that outlive their connection, and where a
/// session has several (3.3.5.14).
fn keeps_sequence(cx: &Cx<'_>) -> bool {
    let durable = cx.file_open().is_ok_and(|f| f.durable.is_some());
    let conn = cx.conn().ok().and_then(|c| cx.core.conns.get(c));
    let negotiated = conn.and_then(|c| c.negotiated());
    durable
        || negotiated.is_some_and(|n| n.capabilities.contains(GlobalCapabilities::MULTI_CHANNEL))
}

fn succeeded(cx: &mut Cx<'_>, sequence: Sequence) -> CmdResult {
    if keeps_sequence(cx) {
        let f = cx.file_open_mut()?;
        f.lock_sequence.succeeded(sequence.index, sequence.number);
    }
    Ok(msg::Response::Lock(Response).into())
}

/// 3.3.5.14.1: one after another; what was unlocked before one fails stays unlocked.
fn unlock(
    cx: &mut Cx<'_>,
    row: Id<File>,
    sequence: Sequence,
    elements: &[LockElement],
) -> CmdResult {
    let (id, _) = cx.open()?;
    let mut released = false;
    let mut result = Ok(());
    if let Some(f) = cx.core.files.get_mut(row) {
        for element in elements {
            result = unlock_one(&mut f.locks, id, element);
            if result.is_err() {
                break;
            }
            released = true;
        }
    }
    if released && !mutated!(cx.core, LostWakeup) {
        wake_waiters(cx, row);
    }
    result?;
    succeeded(cx, sequence)
}

fn unlock_one(
    locks: &mut Vec<RangeLock>,
    open: Id<Open>,
    element: &LockElement,
) -> Result<(), Refusal> {
    if element.flags != LockFlags::UNLOCK {
        return Err(INVALID);
    }
    if !range_lock::is_valid(element.offset, element.length) {
        return Err(Refusal(NtStatus::INVALID_LOCK_RANGE));
    }
    if !range_lock::unlock(locks, open, element.offset, element.length) {
        return Err(Refusal(NtStatus::RANGE_NOT_LOCKED));
    }
    Ok(())
}

/// Lets those who wait for a range look again, the first first.
fn wake_waiters(cx: &mut Cx<'_>, row: Id<File>) {
    let waiting = cx
        .core
        .files
        .get(row)
        .map(|f| f.lock_waiters.iter().copied().collect())
        .unwrap_or_default();
    dispatch::wake_all(cx.core, cx.now, waiting);
}

/// 3.3.5.14.2: all or none. The specification lets locks of an array stand that come before an element
/// with wrong flags; here such an array takes none.
fn lock(cx: &mut Cx<'_>, row: Id<File>, sequence: Sequence, elements: &[LockElement]) -> CmdResult {
    let (id, _) = cx.open()?;
    let (wanted, may_wait) = parse(elements)?;
    let max = cx.core.config.limits.max_locks_per_open;
    let f = cx
        .core
        .files
        .get_mut(row)
        .ok_or(Refusal(NtStatus::FILE_CLOSED))?;
    let held = f.locks.iter().filter(|l| l.open == id).count();
    if held.saturating_add(wanted.len()) > max {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    if range_lock::lock_all(&mut f.locks, id, &wanted) || mutated!(cx.core, LockGrantedBeside) {
        breaks::data_changes(cx.core, cx.now, id);
        return succeeded(cx, sequence);
    }
    match wanted.first() {
        Some(wanted) if may_wait => {
            cx.go_async()?;
            let op = cx.op;
            if let Some(f) = cx.core.files.get_mut(row) {
                f.lock_waiters.push(op);
            }
            wait(
                cx,
                State {
                    row,
                    sequence,
                    wanted: *wanted,
                },
            )
        }
        _ => Err(Refusal(NtStatus::LOCK_NOT_GRANTED)),
    }
}

fn wait(cx: &mut Cx<'_>, state: State) -> CmdResult {
    cx.wait_for(Wait::Lock(state.row))?;
    Ok(Step::Wait(Phase::Lock(state)))
}

/// What an array asks for, and whether it may wait for that: one element may, several may not.
fn parse(elements: &[LockElement]) -> Result<(Vec<Wanted>, bool), Refusal> {
    let several = elements.len() > 1;
    let mut may_wait = false;
    let mut wanted = Vec::with_capacity(elements.len());
    for element in elements {
        let at_once = element.flags.contains(LockFlags::FAIL_IMMEDIATELY);
        if several && !at_once {
            return Err(INVALID);
        }
        may_wait = !at_once;
        let kind = element.flags.difference(LockFlags::FAIL_IMMEDIATELY);
        let exclusive = kind == LockFlags::EXCLUSIVE_LOCK;
        if !exclusive && kind != LockFlags::SHARED_LOCK {
            return Err(INVALID);
        }
        if !range_lock::is_valid(element.offset, element.length) {
            return Err(Refusal(NtStatus::INVALID_LOCK_RANGE));
        }
        wanted.push(Wanted {
            offset: element.offset,
            len: element.length,
            exclusive,
        });
    }
    Ok((wanted, may_wait))
}

/// Goes on with a LOCK.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match wake {
        Wake::Ready => {}
        Wake::Cancelled => return Err(Refusal(NtStatus::CANCELLED)),
        Wake::Closed => return Err(Refusal(NtStatus::RANGE_NOT_LOCKED)),
        Wake::Completion(_) => return Err(Refusal(NtStatus::INTERNAL_ERROR)),
    }
    let (id, _) = cx.open()?;
    let op = cx.op;
    let f = cx
        .core
        .files
        .get_mut(state.row)
        .ok_or(Refusal(NtStatus::RANGE_NOT_LOCKED))?;
    let granted = range_lock::lock_all(&mut f.locks, id, &[state.wanted]);
    if granted {
        f.lock_waiters.retain(|w| *w != op);
        breaks::data_changes(cx.core, cx.now, id);
        succeeded(cx, state.sequence)
    } else {
        // It keeps its place among those who wait.
        wait(cx, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(flags: u32) -> LockElement {
        LockElement {
            offset: 0,
            length: 1,
            flags: LockFlags::from_bits_retain(flags),
        }
    }

    #[test]
    fn flags_of_locks() {
        const FAIL: u32 = 0x10;
        for (flags, good) in [
            (vec![1], true),
            (vec![2], true),
            (vec![1 | FAIL], true),
            (vec![2 | FAIL], true),
            (vec![0], false),
            (vec![FAIL], false),
            (vec![1 | 2], false),
            (vec![1 | 0x20], false),
            (vec![2 | 4], false),
            (vec![1 | FAIL, 2 | FAIL], true),
            (vec![1 | FAIL, 2], false),
            (vec![1, 2 | FAIL], false),
            (vec![1 | FAIL, 4], false),
            (vec![1 | FAIL, 4 | FAIL], false),
        ] {
            let elements: Vec<_> = flags.iter().map(|f| element(*f)).collect();
            match parse(&elements) {
                Ok((wanted, may_wait)) => {
                    assert!(good, "{flags:?}");
                    assert_eq!(wanted.len(), flags.len());
                    assert_eq!(may_wait, flags[0] & FAIL == 0, "{flags:?}");
                    assert_eq!(wanted[0].exclusive, flags[0] & 2 != 0);
                }
                Err(e) => {
                    assert!(!good, "{flags:?}");
                    assert_eq!(e, INVALID);
                }
            }
        }
    }

    #[test]
    fn flags_of_unlocks() {
        let open = Id::from_u64(1).unwrap();
        let held = RangeLock {
            open,
            offset: 0,
            len: 1,
            exclusive: false,
        };
        for (flags, expected) in [
            (4, Ok(())),
            (4 | 0x10, Err(INVALID)),
            (4 | 1, Err(INVALID)),
            (4 | 2, Err(INVALID)),
            (1, Err(INVALID)),
            (0, Err(INVALID)),
        ] {
            let mut locks = vec![held];
            assert_eq!(unlock_one(&mut locks, open, &element(flags)), expected);
            assert_eq!(locks.is_empty(), expected.is_ok());
        }
        let beyond = LockElement {
            offset: u64::MAX,
            length: 2,
            flags: LockFlags::UNLOCK,
        };
        assert_eq!(
            unlock_one(&mut vec![held], open, &beyond),
            Err(Refusal(NtStatus::INVALID_LOCK_RANGE))
        );
    }
}
