//! FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA and FSCTL_QUERY_ALLOCATED_RANGES, [MS-FSCC] 2.3,
//! [MS-FSA] 2.1.5.10.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FileAllocatedRange, SetSparse, ZeroData, encode_ranges};
use smb_proto::info::FileAttributes;
use smb_proto::msg::change_notify::CompletionFilter;

use super::{At, Call, INVALID_PARAMETER, encoded, need_capability};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::range_lock::{self, Intent};
use crate::core::{Wake, notify};
use crate::status::Refusal;
use crate::vfs::{AllocatedRange, Capabilities, FileInfo, VfsHandle, VfsOp, VfsReply};

/// What the backend was asked.
#[derive(Debug)]
pub(super) enum State {
    Setting,
    Zeroing,
    /// The size and attributes, before the ranges.
    Sizing {
        offset: u64,
        end: u64,
    },
    Listing,
}

/// The open as a file with data; directories have none.
fn data_handle(cx: &Cx<'_>) -> Result<VfsHandle, Refusal> {
    need_capability(cx, Capabilities::SPARSE)?;
    let f = cx.file_open()?;
    if f.directory {
        return Err(INVALID_PARAMETER);
    }
    Ok(f.handle)
}

/// Sets or clears the attribute. The code itself names no right; NTFS asks for one of these.
pub(super) fn set(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    cx.need_any(
        AccessMask::FILE_WRITE_DATA
            | AccessMask::FILE_APPEND_DATA
            | AccessMask::FILE_WRITE_ATTRIBUTES,
    )?;
    let handle = data_handle(cx)?;
    let sparse = SetSparse::parse(input)
        .map_err(|_| INVALID_PARAMETER)?
        .set_sparse;
    cx.ask_vfs(VfsOp::SetSparse { handle, sparse })?;
    Ok(call.wait(At::Sparse(State::Setting)))
}

/// Overwrites a range with zeros, without changing the size.
pub(super) fn zero(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    cx.need_any(AccessMask::FILE_WRITE_DATA)?;
    let handle = data_handle(cx)?;
    let (offset, beyond) = zero_range(input)?;
    let (id, _) = cx.open()?;
    let row = cx.file_open()?.file;
    let len = beyond.saturating_sub(offset);
    let blocked = cx
        .core
        .files
        .get(row)
        .is_some_and(|row| range_lock::conflicts(&row.locks, id, offset, len, Intent::Write));
    if blocked {
        return Err(Refusal(NtStatus::FILE_LOCK_CONFLICT));
    }
    if len == 0 {
        return Ok(call.done());
    }
    cx.ask_vfs(VfsOp::ZeroRange {
        handle,
        offset,
        beyond,
    })?;
    Ok(call.wait(At::Sparse(State::Zeroing)))
}

fn zero_range(input: &[u8]) -> Result<(u64, u64), Refusal> {
    let zero = ZeroData::parse(input).map_err(|_| INVALID_PARAMETER)?;
    let offset = u64::try_from(zero.file_offset).map_err(|_| INVALID_PARAMETER)?;
    let beyond = u64::try_from(zero.beyond_final_zero).map_err(|_| INVALID_PARAMETER)?;
    if offset > beyond {
        return Err(INVALID_PARAMETER);
    }
    Ok((offset, beyond))
}

/// Tells which parts of a range have storage.
pub(super) fn ranges(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    let handle = data_handle(cx)?;
    let (offset, end) = asked_range(input)?;
    cx.ask_vfs(VfsOp::Stat { handle })?;
    Ok(call.wait(At::Sparse(State::Sizing { offset, end })))
}

fn asked_range(input: &[u8]) -> Result<(u64, u64), Refusal> {
    let range = FileAllocatedRange::parse(input).map_err(|_| INVALID_PARAMETER)?;
    let end = range
        .file_offset
        .checked_add(range.length)
        .ok_or(INVALID_PARAMETER)?;
    if range.length < 0 {
        return Err(INVALID_PARAMETER);
    }
    let offset = u64::try_from(range.file_offset).map_err(|_| INVALID_PARAMETER)?;
    let end = u64::try_from(end).map_err(|_| INVALID_PARAMETER)?;
    Ok((offset, end))
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    match (state, wake.vfs()?) {
        (State::Setting, VfsReply::Done) => {
            let (id, _) = cx.open()?;
            notify::changed(cx.core, cx.now, id, CompletionFilter::ATTRIBUTES);
            Ok(call.done())
        }
        (State::Zeroing, VfsReply::Done) => {
            let (id, _) = cx.open()?;
            notify::data_written(cx.core, cx.now, id);
            Ok(call.done())
        }
        (State::Sizing { offset, end }, VfsReply::Info(info)) => {
            sized(cx, call, &info, offset, end)
        }
        (State::Listing, VfsReply::Ranges(ranges)) => list(call, &ranges),
        (State::Setting | State::Zeroing | State::Sizing { .. } | State::Listing, _) => {
            Err(WRONG_REPLY)
        }
    }
}

/// A file that is not sparse has all its storage, whatever the host does with it.
fn sized(cx: &mut Cx<'_>, call: Call, info: &FileInfo, offset: u64, end: u64) -> CmdResult {
    let len = end.min(info.size).saturating_sub(offset);
    if len == 0 {
        return list(call, &[]);
    }
    if !info.attributes.contains(FileAttributes::SPARSE_FILE) {
        return list(call, &[AllocatedRange { offset, len }]);
    }
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::AllocatedRanges {
        handle,
        offset,
        len,
        limit: fitting(call).saturating_add(1),
    })?;
    Ok(call.wait(At::Sparse(State::Listing)))
}

/// Ranges that the client has room for.
fn fitting(call: Call) -> usize {
    call.max_output
        .checked_div(FileAllocatedRange::LEN)
        .unwrap_or(0)
}

/// STATUS_BUFFER_OVERFLOW with as many as fit; STATUS_BUFFER_TOO_SMALL if that is none.
fn list(call: Call, ranges: &[AllocatedRange]) -> CmdResult {
    let fitting = fitting(call);
    if fitting == 0 && !ranges.is_empty() {
        return Err(Refusal(NtStatus::BUFFER_TOO_SMALL));
    }
    let shown: Vec<_> = ranges
        .iter()
        .take(fitting)
        .map(|r| {
            Ok(FileAllocatedRange {
                file_offset: i64::try_from(r.offset).map_err(|_| WRONG_REPLY)?,
                length: i64::try_from(r.len).map_err(|_| WRONG_REPLY)?,
            })
        })
        .collect::<Result<_, Refusal>>()?;
    let output = encoded(|w| encode_ranges(&shown, w));
    if shown.len() < ranges.len() {
        return Ok(call.reply_with(NtStatus::BUFFER_OVERFLOW, output));
    }
    Ok(call.reply(output))
}

#[cfg(test)]
mod tests {
    use smb_proto::fsctl::{FsctlCode, parse_ranges};
    use smb_proto::id::FileId;
    use smb_proto::msg;

    use super::*;
    use crate::cmd::{Outcome, Step};

    #[test]
    fn ranges_to_zero() {
        let at = |file_offset, beyond_final_zero| {
            let z = ZeroData {
                file_offset,
                beyond_final_zero,
            };
            zero_range(&encoded(|w| z.encode(w)))
        };
        assert_eq!(at(3, 9), Ok((3, 9)));
        assert_eq!(at(9, 9), Ok((9, 9)));
        for (offset, beyond) in [(9, 3), (-1, 3), (0, -1), (i64::MIN, i64::MIN)] {
            assert_eq!(at(offset, beyond), Err(INVALID_PARAMETER));
        }
        assert_eq!(zero_range(&[0; 15]), Err(INVALID_PARAMETER));
    }

    #[test]
    fn ranges_to_ask_for() {
        let at = |file_offset, length| {
            let r = FileAllocatedRange {
                file_offset,
                length,
            };
            asked_range(&encoded(|w| r.encode(w)))
        };
        assert_eq!(at(3, 9), Ok((3, 12)));
        assert_eq!(at(0, i64::MAX), Ok((0, i64::MAX.unsigned_abs())));
        for (offset, len) in [(1, i64::MAX), (-1, 3), (5, -1), (-1, -1)] {
            assert_eq!(at(offset, len), Err(INVALID_PARAMETER));
        }
        assert_eq!(asked_range(&[]), Err(INVALID_PARAMETER));
    }

    #[test]
    fn as_many_ranges_as_fit() {
        let ranges: Vec<_> = (0..3)
            .map(|i| AllocatedRange {
                offset: i * 100,
                len: 10,
            })
            .collect();
        let shown = |max_output, ranges: &[AllocatedRange]| {
            let call = Call {
                code: FsctlCode::QUERY_ALLOCATED_RANGES,
                file_id: FileId::default(),
                max_output,
            };
            let (status, body) = match list(call, ranges) {
                Ok(Step::Done(Outcome::Reply(body))) => (NtStatus::SUCCESS, body),
                Ok(Step::Done(Outcome::ReplyWith(status, body))) => (status, body),
                Err(Refusal(status)) => return (status, 0),
                other => panic!("{other:?}"),
            };
            let msg::Response::Ioctl(body) = body else {
                panic!("{body:?}");
            };
            (status, parse_ranges(&body.output).unwrap().len())
        };
        assert_eq!(shown(0, &[]), (NtStatus::SUCCESS, 0));
        assert_eq!(shown(15, &ranges), (NtStatus::BUFFER_TOO_SMALL, 0));
        assert_eq!(shown(47, &ranges), (NtStatus::BUFFER_OVERFLOW, 2));
        assert_eq!(shown(48, &ranges), (NtStatus::SUCCESS, 3));
    }
}
