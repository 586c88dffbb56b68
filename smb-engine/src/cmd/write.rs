//! WRITE, [MS-SMB2] 3.3.5.13.

use bytes::Bytes;
use smb_proto::dtyp::AccessMask;
use smb_proto::msg::create::CreateOptions;
use smb_proto::msg::write::{Request, Response, WriteFlags};
use smb_proto::msg::{self, Channel};
use smb_proto::{Dialect, NtStatus};

use super::{CmdResult, Cx, Phase, Step, WRONG_REPLY};
use crate::core::range_lock::{self, Intent};
use crate::core::{OpenKind, Wake, notify, pipe_view};
use crate::identity::Identity;
use crate::output::{Completion, Query};
use crate::status::Refusal;
use crate::vfs::{VfsOp, VfsReply, WriteAt};

/// Where the largest file of NTFS ends. Windows and Samba refuse with STATUS_INVALID_PARAMETER what
/// would be written behind it, and clients rely on one answer, not on the host's limit.
const FILE_SIZE_MAX: u64 = 0xfff_ffff_0000;

/// The offset that means the end of the file ([MS-FSA] 2.1.5.4).
const AT_END: u64 = u64::MAX;

/// Where a WRITE is.
#[derive(Debug)]
pub(crate) enum State {
    /// Asking for the size, because the open may append but not overwrite.
    Sizing {
        offset: u64,
        data: Bytes,
        through: bool,
    },
    /// The backend writes.
    Writing { offset: u64, len: u32 },
    /// The backend sets the write time back, which the client keeps where it is.
    Restoring { count: u32 },
    /// Asking for the accounts that a call over a pipe may ask about.
    Pipe(Bytes),
}

/// Enters a WRITE.
pub(super) fn start(cx: &mut Cx<'_>, request: Request) -> CmdResult {
    cx.need_any(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
    let max = cx.single_credit_cap(cx.core.config.limits.max_write);
    let fits = u32::try_from(request.data.len()).is_ok_and(|len| len <= max);
    // Data that comes by RDMA, which no connection here has. Before 3.0 the field is reserved.
    let foreign = request.channel != Channel::NONE && cx.dialect().is_some_and(Dialect::is_smb3);
    if !fits || foreign {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    match &cx.open()?.1.kind {
        OpenKind::Pipe(pipe) => {
            // The flag came with 3.0.2, and has no meaning on a pipe.
            let flags = cx.dialect() >= Some(Dialect::Smb302);
            if flags && request.flags.contains(WriteFlags::WRITE_UNBUFFERED) {
                return Err(Refusal(NtStatus::INVALID_PARAMETER));
            }
            if pipe.needs_accounts() {
                cx.ask_accounts(Query::Accounts)?;
                return Ok(Step::Wait(Phase::Write(State::Pipe(request.data))));
            }
            write_pipe(cx, &request.data, &[])
        }
        OpenKind::File(_) => file(cx, request),
        OpenKind::Quota(_) => Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST)),
    }
}

/// Writing to a pipe, which answers every call that is complete thereby.
fn write_pipe(cx: &mut Cx<'_>, data: &[u8], accounts: &[Identity]) -> CmdResult {
    let (id, _) = cx.open()?;
    let view = pipe_view::view(cx.core, cx.now, id, accounts)?;
    let written = pipe_view::pipe_mut(cx.core, id)?.write(data, &view);
    // Also if it broke: who waits for an answer will get none.
    pipe_view::wake_readers(cx.core, cx.now, id);
    written?;
    let count = u32::try_from(data.len()).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    Ok(msg::Response::Write(Response { count }).into())
}

/// Writing to a file.
fn file(cx: &mut Cx<'_>, request: Request) -> CmdResult {
    let may_overwrite = cx.open()?.1.granted.contains(AccessMask::FILE_WRITE_DATA);
    let f = cx.file_open()?;
    if f.directory {
        return Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST));
    }
    let handle = f.handle;
    // 2.0.2 has no flags (2.2.21). WRITE_UNBUFFERED asks for a way around caches that clients cannot
    // observe, not for stable storage.
    let asked =
        request.flags.contains(WriteFlags::WRITE_THROUGH) && cx.dialect() != Some(Dialect::Smb202);
    let through = asked || f.options.contains(CreateOptions::WRITE_THROUGH);
    let Request { offset, data, .. } = request;
    // Only an open that can do nothing but append names the end; from others it is a negative offset,
    // which Windows refuses.
    if may_overwrite || offset != AT_END {
        check_range(offset, data.len())?;
    }
    if data.is_empty() {
        return Ok(msg::Response::Write(Response { count: 0 }).into());
    }
    if may_overwrite {
        return write(cx, offset, WriteAt::Offset(offset), data, through);
    }
    cx.ask_vfs(VfsOp::Stat { handle })?;
    Ok(Step::Wait(Phase::Write(State::Sizing {
        offset,
        data,
        through,
    })))
}

/// Refuses negative offsets and what no file can hold ([MS-FSA] 2.1.5.4).
fn check_range(offset: u64, len: usize) -> Result<(), Refusal> {
    const REFUSED: Refusal = Refusal(NtStatus::INVALID_PARAMETER);
    if offset > i64::MAX.unsigned_abs() {
        return Err(REFUSED);
    }
    let len = u64::try_from(len).map_err(|_| REFUSED)?;
    let end = offset.checked_add(len).ok_or(REFUSED)?;
    if len > 0 && end > FILE_SIZE_MAX {
        return Err(REFUSED);
    }
    Ok(())
}

/// Hands the data to the backend, unless a lock forbids it. `offset` is where it goes as far as is
/// known now.
fn write(cx: &mut Cx<'_>, offset: u64, at: WriteAt, data: Bytes, through: bool) -> CmdResult {
    let (id, _) = cx.open()?;
    let f = cx.file_open()?;
    let (handle, row) = (f.handle, f.file);
    let len = u32::try_from(data.len()).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    let blocked = cx.core.files.get(row).is_some_and(|row| {
        range_lock::conflicts(&row.locks, id, offset, u64::from(len), Intent::Write)
    });
    if blocked && !mutated!(cx.core, WriteIgnoresLocks) {
        return Err(Refusal(NtStatus::FILE_LOCK_CONFLICT));
    }
    cx.ask_vfs(VfsOp::Write {
        handle,
        at,
        data,
        through,
    })?;
    Ok(Step::Wait(Phase::Write(State::Writing { offset, len })))
}

/// Goes on with a WRITE.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let wake = match (&state, wake) {
        (State::Pipe(data), Wake::Completion(Completion::Accounts(accounts))) => {
            return write_pipe(cx, data, &accounts);
        }
        (_, wake) => wake,
    };
    match (state, wake.vfs()?) {
        (
            State::Sizing {
                offset,
                data,
                through,
            },
            VfsReply::Info(info),
        ) => {
            let (offset, at) = match appending(offset, info.size)? {
                Some(offset) => (offset, WriteAt::Offset(offset)),
                None => (info.size, WriteAt::End),
            };
            check_range(offset, data.len())?;
            write(cx, offset, at, data, through)
        }
        (State::Writing { offset, len }, VfsReply::Written(count)) => {
            let count = u32::try_from(count).map_err(|_| WRONG_REPLY)?;
            if count > len {
                return Err(WRONG_REPLY);
            }
            let (id, _) = cx.open()?;
            if let Ok(f) = cx.file_open_mut() {
                f.position = offset.saturating_add(u64::from(count));
            }
            notify::data_written(cx.core, cx.now, id);
            if cx.restore_times()? {
                return Ok(Step::Wait(Phase::Write(State::Restoring { count })));
            }
            Ok(msg::Response::Write(Response { count }).into())
        }
        (State::Restoring { count }, VfsReply::Done) => {
            Ok(msg::Response::Write(Response { count }).into())
        }
        (
            State::Sizing { .. } | State::Writing { .. } | State::Restoring { .. } | State::Pipe(_),
            _,
        ) => Err(WRONG_REPLY),
    }
}

/// Where an open without FILE_WRITE_DATA may write: not within the file (3.3.5.13). `None`: at its
/// end, wherever that is when the backend gets there.
fn appending(offset: u64, size: u64) -> Result<Option<u64>, Refusal> {
    match offset {
        AT_END => Ok(None),
        _ if offset < size => Err(Refusal(NtStatus::ACCESS_DENIED)),
        _ if offset == size => Ok(None),
        _ => Ok(Some(offset)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_data_may_go() {
        const REFUSED: Result<(), Refusal> = Err(Refusal(NtStatus::INVALID_PARAMETER));
        let max = i64::MAX.unsigned_abs();
        for (offset, len, expected) in [
            (0, 1, Ok(())),
            (FILE_SIZE_MAX - 1, 1, Ok(())),
            (FILE_SIZE_MAX, 1, REFUSED),
            (FILE_SIZE_MAX, 0, Ok(())),
            (max, 0, Ok(())),
            (max, 1, REFUSED),
            (max + 1, 0, REFUSED),
            (AT_END - 1, 1, REFUSED),
            (AT_END, 0, REFUSED),
        ] {
            assert_eq!(check_range(offset, len), expected, "{offset} {len}");
        }
    }

    #[test]
    fn appending_never_overwrites() {
        assert_eq!(appending(AT_END, 7), Ok(None));
        assert_eq!(appending(7, 7), Ok(None));
        assert_eq!(appending(9, 7), Ok(Some(9)));
        assert_eq!(appending(6, 7), Err(Refusal(NtStatus::ACCESS_DENIED)));
    }
}
