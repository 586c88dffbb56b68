//! FSCTL_DUPLICATE_EXTENTS_TO_FILE and its EX form, [MS-FSCC] 2.3, [MS-FSA] 2.1.5.10: sharing storage
//! between two files of one volume.

use std::sync::Arc;

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{DuplicateExtents, DuplicateExtentsEx, FsctlCode};
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;

use super::{At, Call, INVALID_PARAMETER, need_capability};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::range_lock::{self, Intent};
use crate::core::{File, Open, Wake, notify};
use crate::identity::Identity;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{Capabilities, FileInfo, VfsHandle, VfsOp, VfsReply};

const NOT_SUPPORTED: Refusal = Refusal(NtStatus::NOT_SUPPORTED);

/// What is to be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    source_offset: u64,
    target_offset: u64,
    len: u64,
}

/// Where a request is.
#[derive(Debug)]
pub(super) struct State {
    source: VfsHandle,
    extent: Extent,
    asked: Asked,
}

/// What the backend was asked.
#[derive(Debug)]
enum Asked {
    /// The size of the source.
    Source,
    /// The size of the target, knowing the source.
    Target(Box<FileInfo>),
    /// To share.
    Share,
}

/// Enters a request; its open is the target.
pub(super) fn start(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    need_capability(cx, Capabilities::REFLINK)?;
    cx.need_any(AccessMask::FILE_WRITE_DATA)?;
    let request = if call.code == FsctlCode::DUPLICATE_EXTENTS_TO_FILE_EX {
        DuplicateExtentsEx::parse(input).map(|r| r.extents)
    } else {
        DuplicateExtents::parse(input)
    }
    .map_err(|_| INVALID_PARAMETER)?;
    let extent = extent(&request)?;
    let source_id = find(cx, request.source_file_id).ok_or(Refusal(NtStatus::INVALID_HANDLE))?;
    let (target_id, _) = cx.open()?;
    let target = cx.file_open()?;
    let source = cx
        .core
        .opens
        .get(source_id)
        .ok_or(Refusal(NtStatus::INVALID_HANDLE))?;
    if !source.granted.intersects(AccessMask::FILE_READ_DATA) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let from = source.file().ok_or(Refusal(NtStatus::INVALID_HANDLE))?;
    if from.directory || target.directory {
        return Err(NOT_SUPPORTED);
    }
    if from.backend != target.backend || from.node.volume != target.node.volume {
        return Err(Refusal(NtStatus::NOT_SAME_DEVICE));
    }
    if from.file == target.file && overlaps(&extent) {
        return Err(NOT_SUPPORTED);
    }
    let Extent {
        source_offset,
        target_offset,
        len,
    } = extent;
    let blocked = |row: Id<File>, open: Id<Open>, offset: u64, intent: Intent| {
        cx.core
            .files
            .get(row)
            .is_some_and(|row| range_lock::conflicts(&row.locks, open, offset, len, intent))
    };
    if blocked(from.file, source_id, source_offset, Intent::Read)
        || blocked(target.file, target_id, target_offset, Intent::Write)
    {
        return Err(Refusal(NtStatus::FILE_LOCK_CONFLICT));
    }
    let (handle, by): (VfsHandle, Arc<Identity>) = (from.handle, from.by.clone());
    let backend = from.backend;
    cx.hold(source_id)?;
    cx.ask_backend(backend, by, VfsOp::Stat { handle })?;
    Ok(call.wait(At::Duplicate(State {
        source: handle,
        extent,
        asked: Asked::Source,
    })))
}

/// The open in this session that a FileId names.
fn find(cx: &Cx<'_>, file_id: FileId) -> Option<Id<Open>> {
    let id = Id::from_u64(file_id.volatile)?;
    let open = cx.core.opens.get(id)?;
    let mine = open.session == cx.session().ok()?.0;
    (mine && !open.closing && open.file_id == file_id).then_some(id)
}

fn extent(r: &DuplicateExtents) -> Result<Extent, Refusal> {
    let ends = |offset: i64| offset.checked_add(r.byte_count).is_some();
    if !ends(r.source_file_offset) || !ends(r.target_file_offset) {
        return Err(INVALID_PARAMETER);
    }
    let unsigned = |v: i64| u64::try_from(v).map_err(|_| INVALID_PARAMETER);
    Ok(Extent {
        source_offset: unsigned(r.source_file_offset)?,
        target_offset: unsigned(r.target_file_offset)?,
        len: unsigned(r.byte_count)?,
    })
}

fn overlaps(e: &Extent) -> bool {
    e.source_offset < e.target_offset.saturating_add(e.len)
        && e.target_offset < e.source_offset.saturating_add(e.len)
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    let State {
        source,
        extent,
        asked,
    } = state;
    let wait = |asked| {
        call.wait(At::Duplicate(State {
            source,
            extent,
            asked,
        }))
    };
    match (asked, wake.vfs()?) {
        (Asked::Source, VfsReply::Info(info)) => {
            let handle = cx.file_open()?.handle;
            cx.ask_vfs(VfsOp::Stat { handle })?;
            Ok(wait(Asked::Target(Box::new(info))))
        }
        (Asked::Target(from), VfsReply::Info(to)) => {
            check(&extent, &from, &to)?;
            if extent.len == 0 {
                return Ok(call.done());
            }
            let to = cx.file_open()?.handle;
            cx.ask_vfs(VfsOp::CopyRange {
                from: source,
                from_offset: extent.source_offset,
                to,
                to_offset: extent.target_offset,
                len: extent.len,
            })?;
            Ok(wait(Asked::Share))
        }
        (Asked::Share, VfsReply::Written(count)) => {
            let (id, _) = cx.open()?;
            notify::data_written(cx.core, cx.now, id);
            if count < extent.len {
                // The source has become shorter meanwhile.
                return Err(NOT_SUPPORTED);
            }
            Ok(call.done())
        }
        (Asked::Source | Asked::Target(_) | Asked::Share, _) => Err(WRONG_REPLY),
    }
}

/// Both ranges lie within their files, and holes stay possible where the source has them.
fn check(e: &Extent, from: &FileInfo, to: &FileInfo) -> Result<(), Refusal> {
    let sparse = |i: &FileInfo| i.attributes.contains(FileAttributes::SPARSE_FILE);
    if e.source_offset.saturating_add(e.len) > from.size
        || e.target_offset.saturating_add(e.len) > to.size
        || (sparse(from) && !sparse(to))
    {
        return Err(NOT_SUPPORTED);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_of_requests() {
        let at = |source_file_offset, target_file_offset, byte_count| {
            extent(&DuplicateExtents {
                source_file_id: FileId::default(),
                source_file_offset,
                target_file_offset,
                byte_count,
            })
        };
        assert_eq!(
            at(1, 2, 3),
            Ok(Extent {
                source_offset: 1,
                target_offset: 2,
                len: 3
            })
        );
        for (source, target, len) in [
            (-1, 0, 1),
            (0, -1, 1),
            (0, 0, -1),
            (1, 0, i64::MAX),
            (0, 1, i64::MAX),
        ] {
            assert_eq!(at(source, target, len), Err(INVALID_PARAMETER));
        }
        for (source, target, len, expected) in [
            (0, 4, 4, false),
            (4, 0, 4, false),
            (0, 3, 4, true),
            (3, 0, 4, true),
            (0, 0, 1, true),
        ] {
            assert_eq!(overlaps(&at(source, target, len).unwrap()), expected);
        }
    }
}
