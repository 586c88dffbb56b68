//! FSCTL_FILE_LEVEL_TRIM, [MS-FSA] 2.1.5.10.6.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FileLevelTrim, FileLevelTrimOutput};
use smb_proto::info::FileAttributes;

use super::{At, Call, INVALID_PARAMETER, encoded, need_capability};
use crate::cmd::{CmdResult, Cx, Step, WRONG_REPLY};
use crate::core::range_lock::{self, Intent};
use crate::core::{Wake, notify};
use crate::status::Refusal;
use crate::vfs::{Capabilities, VfsHandle, VfsOp, VfsReply};

/// Bytes of FILE_LEVEL_TRIM with one range: less is refused.
const LEAST_INPUT: usize = 8 + 16;
/// Bytes of FILE_LEVEL_TRIM_OUTPUT.
const OUTPUT: usize = 4;
/// Ranges of one request; what is more is left unprocessed, which the answer says.
const MOST_RANGES: usize = 4096;

/// Ranges to trim, and how many are done.
#[derive(Debug)]
pub(super) struct State {
    handle: VfsHandle,
    /// First byte, and first byte behind.
    ranges: Vec<(u64, u64)>,
    /// `None` while the attributes of the file are asked for.
    done: Option<usize>,
}

/// Enters a request.
pub(super) fn start(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    need_capability(cx, Capabilities::TRIM)?;
    cx.need_any(AccessMask::FILE_WRITE_DATA)?;
    let file = cx.file_open()?;
    let handle = file.handle;
    if file.directory || (call.max_output != 0 && call.max_output < OUTPUT) {
        return Err(INVALID_PARAMETER);
    }
    let ranges = ranges(input)?;
    cx.ask_vfs(VfsOp::Stat { handle })?;
    Ok(call.wait(At::Trim(State {
        handle,
        ranges,
        done: None,
    })))
}

fn ranges(input: &[u8]) -> Result<Vec<(u64, u64)>, Refusal> {
    if input.len() < LEAST_INPUT {
        return Err(INVALID_PARAMETER);
    }
    let request = FileLevelTrim::parse(input).map_err(|_| INVALID_PARAMETER)?;
    if request.ranges.is_empty() {
        return Err(INVALID_PARAMETER);
    }
    request
        .ranges
        .iter()
        .take(MOST_RANGES)
        .map(|r| {
            let beyond = r.offset.checked_add(r.length);
            let beyond = beyond.ok_or(Refusal(NtStatus::INTEGER_OVERFLOW))?;
            Ok((r.offset, beyond))
        })
        .collect()
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, mut state: State, wake: Wake) -> CmdResult {
    let done = match (state.done, wake.vfs()?) {
        (None, VfsReply::Info(info)) => {
            const UNTRIMMABLE: FileAttributes =
                FileAttributes::COMPRESSED.union(FileAttributes::ENCRYPTED);
            if info.attributes.intersects(UNTRIMMABLE) {
                return Err(INVALID_PARAMETER);
            }
            0
        }
        (Some(done), VfsReply::Done) => {
            let (id, _) = cx.open()?;
            notify::data_written(cx.core, cx.now, id);
            done.saturating_add(1)
        }
        (None | Some(_), _) => return Err(WRONG_REPLY),
    };
    match state.ranges.get(done) {
        // Content that another open has locked is of use to it: processing ends there.
        Some(&(offset, beyond)) if !locked(cx, offset, beyond)? => {
            cx.ask_vfs(VfsOp::Trim {
                handle: state.handle,
                offset,
                beyond,
            })?;
            state.done = Some(done);
            Ok(call.wait(At::Trim(state)))
        }
        Some(_) | None => finish(call, done),
    }
}

fn locked(cx: &Cx<'_>, offset: u64, beyond: u64) -> Result<bool, Refusal> {
    let (id, _) = cx.open()?;
    let row = cx.file_open()?.file;
    let len = beyond.saturating_sub(offset);
    Ok(cx
        .core
        .files
        .get(row)
        .is_some_and(|row| range_lock::conflicts(&row.locks, id, offset, len, Intent::Write)))
}

fn finish(call: Call, done: usize) -> Result<Step, Refusal> {
    if done == 0 {
        return Err(Refusal(NtStatus::NO_RANGES_PROCESSED));
    }
    if call.max_output == 0 {
        return Ok(call.done());
    }
    let output = FileLevelTrimOutput {
        num_ranges_processed: u32::try_from(done).unwrap_or(u32::MAX),
    };
    Ok(call.reply(encoded(|w| output.encode(w))))
}

#[cfg(test)]
mod tests {
    use smb_proto::fsctl::TrimRange;

    use super::*;

    fn of(list: &[(u64, u64)]) -> Result<Vec<(u64, u64)>, Refusal> {
        let ranges = list
            .iter()
            .map(|&(offset, length)| TrimRange { offset, length });
        let request = FileLevelTrim {
            key: 0,
            ranges: ranges.collect(),
        };
        ranges_of(&encoded(|w| request.encode(w)))
    }

    use super::ranges as ranges_of;

    #[test]
    fn ranges_of_requests() {
        assert_eq!(of(&[(1, 2), (9, 0)]), Ok(vec![(1, 3), (9, 9)]));
        assert_eq!(of(&[]), Err(INVALID_PARAMETER));
        assert_eq!(ranges_of(&[0; 23]), Err(INVALID_PARAMETER));
        assert_eq!(
            of(&[(0, 1), (2, u64::MAX)]),
            Err(Refusal(NtStatus::INTEGER_OVERFLOW))
        );
    }
}
