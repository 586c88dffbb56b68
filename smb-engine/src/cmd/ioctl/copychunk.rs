//! FSCTL_SRV_REQUEST_RESUME_KEY, FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE,
//! [MS-SMB2] 3.3.5.15.5 and 3.3.5.15.6.

use std::collections::VecDeque;

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::FsctlCode;
use smb_proto::fsctl::{
    ResumeKey, SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse, SrvResumeKeyResponse,
};
use smb_proto::id::FileId;

use super::{At, Call, INVALID_DEVICE_REQUEST, INVALID_PARAMETER, encoded};
use crate::cmd::{CmdResult, Cx, Step, WRONG_REPLY};
use crate::config::{BackendId, Limits};
use crate::core::range_lock::{self, Intent};
use crate::core::{File, Open, Wake, notify};
use crate::identity::Identity;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{Payload, VfsHandle, VfsOp, VfsReply, WriteAt};

/// Bytes of SRV_COPYCHUNK_RESPONSE.
const ANSWER: usize = 12;

/// Names the open for a copy from it.
pub(super) fn resume_key(cx: &Cx<'_>, call: Call) -> CmdResult {
    if call.max_output < SrvResumeKeyResponse::LEN {
        return Err(INVALID_PARAMETER);
    }
    let answer = SrvResumeKeyResponse {
        resume_key: key_of(cx.open()?.1.file_id),
    };
    Ok(call.reply(encoded(|w| answer.encode(w))))
}

/// The key of an open is its FileId: good only within its session, so that it needs no secret.
fn key_of(id: FileId) -> ResumeKey {
    let mut key = [0; 24];
    let bytes = id
        .volatile
        .to_le_bytes()
        .into_iter()
        .chain(id.persistent.to_le_bytes());
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    ResumeKey(key)
}

/// The open in this session with that key.
fn find(cx: &Cx<'_>, key: &ResumeKey) -> Option<Id<Open>> {
    let (volatile, _) = key.0.split_first_chunk::<8>()?;
    let id = Id::from_u64(u64::from_le_bytes(*volatile))?;
    let open = cx.core.opens.get(id)?;
    let mine = open.session == cx.session().ok()?.0;
    (mine && !open.closing && key_of(open.file_id) == *key).then_some(id)
}

/// One end of the copy.
#[derive(Debug, Clone)]
struct End {
    open: Id<Open>,
    row: Id<File>,
    backend: BackendId,
    handle: VfsHandle,
    by: std::sync::Arc<Identity>,
}

impl End {
    fn of(cx: &Cx<'_>, id: Id<Open>) -> Result<Self, Refusal> {
        let f = cx
            .core
            .opens
            .get(id)
            .and_then(Open::file)
            .ok_or(INVALID_DEVICE_REQUEST)?;
        if f.directory {
            return Err(INVALID_DEVICE_REQUEST);
        }
        Ok(Self {
            open: id,
            row: f.file,
            backend: f.backend,
            handle: f.handle,
            by: f.by.clone(),
        })
    }

    fn blocked(&self, cx: &Cx<'_>, offset: u64, len: u64, intent: Intent) -> bool {
        cx.core
            .files
            .get(self.row)
            .is_some_and(|row| range_lock::conflicts(&row.locks, self.open, offset, len, intent))
    }
}

/// A copy on its way.
#[derive(Debug)]
pub(super) struct State {
    source: End,
    target: End,
    /// What is left; the first is being worked on.
    chunks: VecDeque<SrvCopychunk>,
    /// Bytes in the source.
    size: u64,
    done: SrvCopychunkResponse,
    step: Asked,
}

/// What the backend was asked.
#[derive(Debug)]
enum Asked {
    /// The size of the source.
    Size,
    /// To copy the first chunk.
    Copy,
    /// To read the first chunk, because the target lies on another backend.
    Read,
}

/// Enters a copy to the request's open.
pub(super) fn start(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    let (key, _) = input.split_first_chunk::<24>().ok_or(INVALID_PARAMETER)?;
    let source = find(cx, &ResumeKey(*key)).ok_or(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND))?;
    if call.max_output < ANSWER {
        return Err(INVALID_PARAMETER);
    }
    let limits = &cx.core.config.limits;
    let chunks = match SrvCopychunkCopy::parse(input) {
        Ok(copy) if within(limits, &copy.chunks) => copy.chunks,
        _ => return Ok(beyond(limits, call)),
    };
    cx.need_any(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
    if call.code == FsctlCode::SRV_COPYCHUNK {
        cx.need_any(AccessMask::FILE_READ_DATA)?;
    }
    // As READ does.
    let readable = AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE;
    if !cx
        .core
        .opens
        .get(source)
        .is_some_and(|o| o.granted.intersects(readable))
    {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let (id, _) = cx.open()?;
    let state = State {
        source: End::of(cx, source)?,
        target: End::of(cx, id)?,
        chunks: chunks.into(),
        size: 0,
        done: SrvCopychunkResponse {
            chunks_written: 0,
            chunk_bytes_written: 0,
            total_bytes_written: 0,
        },
        step: Asked::Size,
    };
    if state.chunks.is_empty() {
        return Ok(finish(call, &state, NtStatus::SUCCESS));
    }
    cx.hold(source)?;
    let ask = VfsOp::Stat {
        handle: state.source.handle,
    };
    cx.ask_backend(state.source.backend, state.source.by.clone(), ask)?;
    Ok(wait(call, state))
}

/// Whether a request keeps to the limits that 3.3.5.15.6 lists.
fn within(limits: &Limits, chunks: &[SrvCopychunk]) -> bool {
    let max = i64::MAX.unsigned_abs();
    let ends = |offset: u64, len: u32| offset.checked_add(u64::from(len)).is_some_and(|e| e <= max);
    let total: u64 = chunks.iter().map(|c| u64::from(c.length)).sum();
    u32::try_from(chunks.len()).is_ok_and(|n| n <= limits.max_copy_chunks)
        && total <= u64::from(limits.max_copy_total)
        && chunks.iter().all(|c| {
            c.length > 0
                && c.length <= limits.max_copy_chunk
                && ends(c.source_offset, c.length)
                && ends(c.target_offset, c.length)
        })
}

/// 3.3.5.15.6.2: the answer to a request beyond the limits says what they are.
fn beyond(limits: &Limits, call: Call) -> Step {
    let answer = SrvCopychunkResponse {
        chunks_written: limits.max_copy_chunks,
        chunk_bytes_written: limits.max_copy_chunk,
        total_bytes_written: limits.max_copy_total,
    };
    call.reply_with(NtStatus::INVALID_PARAMETER, encoded(|w| answer.encode(w)))
}

fn wait(call: Call, state: State) -> Step {
    call.wait(At::CopyChunk(Box::new(state)))
}

/// The answer: how far the copy came ([MS-SMB2] 3.3.5.15.6.1 if not to the end).
fn finish(call: Call, state: &State, status: NtStatus) -> Step {
    call.reply_with(status, encoded(|w| state.done.encode(w)))
}

/// Begins the next chunk.
fn next(cx: &mut Cx<'_>, call: Call, mut state: Box<State>) -> CmdResult {
    let Some(chunk) = state.chunks.front().copied() else {
        return Ok(finish(call, &state, NtStatus::SUCCESS));
    };
    let len = u64::from(chunk.length);
    if chunk.source_offset.saturating_add(len) > state.size {
        return Ok(finish(call, &state, NtStatus::INVALID_VIEW_SIZE));
    }
    let (source, target) = (&state.source, &state.target);
    if source.blocked(cx, chunk.source_offset, len, Intent::Read)
        || target.blocked(cx, chunk.target_offset, len, Intent::Write)
    {
        return Ok(finish(call, &state, NtStatus::FILE_LOCK_CONFLICT));
    }
    if source.backend == target.backend {
        let copy = VfsOp::CopyRange {
            from: source.handle,
            from_offset: chunk.source_offset,
            to: target.handle,
            to_offset: shifted(cx, chunk.target_offset),
            len,
        };
        cx.ask_backend(target.backend, target.by.clone(), copy)?;
        state.step = Asked::Copy;
    } else {
        let read = VfsOp::Read {
            handle: source.handle,
            offset: chunk.source_offset,
            len: chunk.length,
        };
        cx.ask_backend(source.backend, source.by.clone(), read)?;
        state.step = Asked::Read;
    }
    Ok(call.wait(At::CopyChunk(state)))
}

/// The offset; with a deliberate mistake another.
#[cfg_attr(
    not(feature = "mutations"),
    allow(unused_variables, reason = "mistakes are not built in")
)]
fn shifted(cx: &Cx<'_>, offset: u64) -> u64 {
    if mutated!(cx.core, CopyShifted) {
        return offset.saturating_add(1);
    }
    offset
}

/// Goes on with a copy.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, mut state: Box<State>, wake: Wake) -> CmdResult {
    let reply = match wake.vfs() {
        Ok(reply) => reply,
        Err(Refusal(status)) => return Ok(finish(call, &state, status)),
    };
    match (&state.step, reply) {
        (Asked::Size, VfsReply::Info(info)) => {
            state.size = info.size;
            next(cx, call, state)
        }
        (Asked::Copy, VfsReply::Written(count)) => copied(cx, call, state, count),
        (Asked::Read, VfsReply::Data(data)) => write(cx, call, state, data),
        (Asked::Size | Asked::Copy | Asked::Read, _) => Err(WRONG_REPLY),
    }
}

/// Writes what was read from another backend.
fn write(cx: &mut Cx<'_>, call: Call, mut state: Box<State>, data: Payload) -> CmdResult {
    let chunk = state.chunks.front().copied().ok_or(WRONG_REPLY)?;
    let data = data.into_buffer().split_off(Payload::ROOM).freeze();
    if data.is_empty() {
        return copied(cx, call, state, 0);
    }
    let write = VfsOp::Write {
        handle: state.target.handle,
        at: WriteAt::Offset(chunk.target_offset),
        data,
        through: false,
    };
    cx.ask_backend(state.target.backend, state.target.by.clone(), write)?;
    state.step = Asked::Copy;
    Ok(call.wait(At::CopyChunk(state)))
}

/// Accounts for a chunk of which `count` bytes were copied.
fn copied(cx: &mut Cx<'_>, call: Call, mut state: Box<State>, count: u64) -> CmdResult {
    let chunk = state.chunks.front().copied().ok_or(WRONG_REPLY)?;
    let count = u32::try_from(count)
        .ok()
        .filter(|n| *n <= chunk.length)
        .ok_or(WRONG_REPLY)?;
    state.done.total_bytes_written = state.done.total_bytes_written.saturating_add(count);
    if count > 0 {
        notify::data_written(cx.core, cx.now, state.target.open);
    }
    if count < chunk.length {
        // The source has become shorter meanwhile.
        state.done.chunk_bytes_written = count;
        return Ok(finish(call, &state, NtStatus::INVALID_VIEW_SIZE));
    }
    state.done.chunks_written = state.done.chunks_written.saturating_add(1);
    if state.source.row == state.target.row {
        let end = chunk.target_offset.saturating_add(u64::from(count));
        state.size = state.size.max(end);
    }
    state.chunks.pop_front();
    next(cx, call, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_request() {
        let limits = Limits {
            max_copy_total: 100,
            max_copy_chunk: 60,
            max_copy_chunks: 3,
            ..Limits::default()
        };
        let chunk = |length| SrvCopychunk {
            source_offset: 0,
            target_offset: 0,
            length,
        };
        assert!(within(&limits, &[]));
        assert!(within(&limits, &[chunk(60), chunk(40)]));
        assert!(within(&limits, &[chunk(1), chunk(1), chunk(1)]));
        assert!(!within(&limits, &[chunk(1); 4]));
        assert!(!within(&limits, &[chunk(61)]));
        assert!(!within(&limits, &[chunk(0)]));
        assert!(!within(&limits, &[chunk(60), chunk(41)]));
        let max = i64::MAX.unsigned_abs();
        for (source_offset, target_offset, good) in [
            (max - 5, max - 5, true),
            (max - 4, 0, false),
            (0, max - 4, false),
            (u64::MAX, 0, false),
        ] {
            let c = SrvCopychunk {
                source_offset,
                target_offset,
                length: 5,
            };
            assert_eq!(within(&limits, &[c]), good, "{source_offset}");
        }
    }

    #[test]
    fn keys_are_those_of_one_open() {
        let id = |persistent, volatile| FileId {
            persistent,
            volatile,
        };
        assert_eq!(key_of(id(1, 2)), key_of(id(1, 2)));
        assert_ne!(key_of(id(1, 2)), key_of(id(2, 1)));
    }
}
