//! READ, [MS-SMB2] 3.3.5.12.

use smb_proto::dtyp::AccessMask;
use smb_proto::msg::Channel;
use smb_proto::msg::read::{ReadFlags, Request};
use smb_proto::{Dialect, NtStatus};

use super::{CmdResult, Cx, Outcome, Phase, Step, WRONG_REPLY};
use crate::core::range_lock::{self, Intent};
use crate::core::{OpenKind, Wait, Wake, pipe_view};
use crate::status::Refusal;
use crate::vfs::{Payload, VfsOp, VfsReply};

/// Where a READ is.
#[derive(Debug)]
pub(crate) enum State {
    /// The backend works on it.
    File {
        offset: u64,
        length: u32,
        minimum: u32,
    },
    /// It waits for something to come out of a pipe.
    Pipe { length: u32 },
}

/// Enters a READ.
pub(super) fn start(cx: &mut Cx<'_>, request: &Request) -> CmdResult {
    // Windows lets whoever may execute a file read it, for paging it in.
    cx.need_any(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE)?;
    let max = cx.single_credit_cap(cx.core.config.limits.max_read);
    if request.length > max || has_foreign_channel(cx, request.channel) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    match &cx.open()?.1.kind {
        OpenKind::Pipe(_) => {
            // The flag came with 3.0.2, and has no meaning on a pipe.
            let flags = cx.dialect() >= Some(Dialect::Smb302);
            if flags && request.flags.contains(ReadFlags::READ_UNBUFFERED) {
                return Err(Refusal(NtStatus::INVALID_PARAMETER));
            }
            cx.need_any(AccessMask::FILE_READ_DATA)?;
            pipe(cx, request.length, false)
        }
        OpenKind::File(_) => file(cx, request),
        OpenKind::Quota(_) => Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST)),
    }
}

/// Reading the next message of a pipe, or what fits of it; waits for one if there is none.
fn pipe(cx: &mut Cx<'_>, length: u32, waited: bool) -> CmdResult {
    let (id, _) = cx.open()?;
    let op = cx.op;
    let pipe = pipe_view::pipe_mut(cx.core, id)?;
    if pipe.is_broken() {
        pipe_view::drop_reader(cx.core, id, op);
        return Err(Refusal(NtStatus::PIPE_DISCONNECTED));
    }
    if pipe.messages() == 0 && length > 0 {
        if !waited {
            if !cx.is_last() {
                return Err(Refusal(NtStatus::PIPE_EMPTY));
            }
            cx.go_async()?;
            cx.core.pipe_readers.entry(id).or_default().push(op);
        }
        cx.wait_for(Wait::Pipe(id))?;
        return Ok(Step::Wait(Phase::Read(State::Pipe { length })));
    }
    let max = usize::try_from(length).unwrap_or(usize::MAX);
    let read = pipe.read(max);
    pipe_view::drop_reader(cx.core, id, op);
    let status = if read.more {
        NtStatus::BUFFER_OVERFLOW
    } else {
        NtStatus::SUCCESS
    };
    Ok(Outcome::Read(status, Payload::copy_of(&read.data)).into())
}

/// Whether the data is to travel outside the message: by RDMA, which no connection here has. Before
/// 3.0 the field is reserved.
fn has_foreign_channel(cx: &Cx<'_>, channel: Channel) -> bool {
    channel != Channel::NONE && cx.dialect().is_some_and(Dialect::is_smb3)
}

/// Reading from a file. READ_UNBUFFERED asks for a way around caches that clients cannot observe; the
/// backend's cache is coherent, so that it needs no other handling.
fn file(cx: &mut Cx<'_>, request: &Request) -> CmdResult {
    let (id, _) = cx.open()?;
    let f = cx.file_open()?;
    let (handle, row, directory) = (f.handle, f.file, f.directory);
    if directory {
        return Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST));
    }
    let (offset, length, minimum) = (request.offset, request.length, request.minimum_count);
    // Offsets are signed in [MS-FSA] 2.1.5.3.
    if !is_within(offset, u64::from(length), i64::MAX.unsigned_abs()) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    if length == 0 {
        return finish(Payload::default(), minimum, true);
    }
    let blocked = cx.core.files.get(row).is_some_and(|row| {
        range_lock::conflicts(&row.locks, id, offset, u64::from(length), Intent::Read)
    });
    if blocked {
        return Err(Refusal(NtStatus::FILE_LOCK_CONFLICT));
    }
    cx.ask_vfs(VfsOp::Read {
        handle,
        offset,
        len: length,
    })?;
    Ok(Step::Wait(Phase::Read(State::File {
        offset,
        length,
        minimum,
    })))
}

/// Whether a range lies below `end`.
fn is_within(offset: u64, len: u64, end: u64) -> bool {
    offset.checked_add(len).is_some_and(|last| last <= end)
}

/// Goes on with a READ.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let (offset, length, minimum) = match (state, &wake) {
        (State::Pipe { length }, Wake::Ready) => return pipe(cx, length, true),
        (State::Pipe { .. }, Wake::Closed) => return Err(Refusal(NtStatus::PIPE_BROKEN)),
        (State::Pipe { .. }, _) => {
            wake.vfs()?;
            return Err(WRONG_REPLY);
        }
        (
            State::File {
                offset,
                length,
                minimum,
            },
            _,
        ) => (offset, length, minimum),
    };
    let VfsReply::Data(data) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    let got = u64::try_from(data.len()).map_err(|_| WRONG_REPLY)?;
    if got > u64::from(length) {
        return Err(WRONG_REPLY);
    }
    if mutated!(cx.core, ReadPastEnd) && got > 0 && got < u64::from(length) {
        let mut padded = Payload::zeroed(usize::try_from(got).unwrap_or(0).saturating_add(1));
        if let Some(room) = padded.data_mut().get_mut(..data.len()) {
            room.copy_from_slice(data.data());
        }
        return finish(padded, minimum, false);
    }
    if got > 0
        && let Ok(f) = cx.file_open_mut()
    {
        f.position = offset.saturating_add(got);
    }
    finish(data, minimum, false)
}

/// STATUS_END_OF_FILE if something was asked for and nothing is there, or less than the client can
/// use (3.3.5.12, MinimumCount).
fn finish(data: Payload, minimum: u32, nothing_asked: bool) -> CmdResult {
    let short = usize::try_from(minimum).map_or(true, |minimum| data.len() < minimum);
    if short || (data.is_empty() && !nothing_asked) {
        return Err(Refusal(NtStatus::END_OF_FILE));
    }
    Ok(Outcome::Read(NtStatus::SUCCESS, data).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_counts() {
        let status =
            |len: usize, minimum, nothing| match finish(Payload::zeroed(len), minimum, nothing) {
                Ok(Step::Done(Outcome::Read(status, data))) => {
                    assert_eq!(data.len(), len);
                    status
                }
                Err(Refusal(status)) => status,
                other => panic!("{other:?}"),
            };
        for (len, minimum, nothing, expected) in [
            (0, 0, true, NtStatus::SUCCESS),
            (0, 1, true, NtStatus::END_OF_FILE),
            (0, 0, false, NtStatus::END_OF_FILE),
            (1, 0, false, NtStatus::SUCCESS),
            (1, 1, false, NtStatus::SUCCESS),
            (1, 2, false, NtStatus::END_OF_FILE),
            (5, u32::MAX, false, NtStatus::END_OF_FILE),
        ] {
            assert_eq!(status(len, minimum, nothing), expected, "{len} {minimum}");
        }
    }

    #[test]
    fn ranges() {
        let max = i64::MAX.unsigned_abs();
        assert!(is_within(max, 0, max));
        assert!(is_within(max - 1, 1, max));
        assert!(!is_within(max, 1, max));
        assert!(!is_within(max + 1, 0, max));
        assert!(!is_within(u64::MAX, 1, max));
    }
}
