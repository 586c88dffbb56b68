//! FileDispositionInformation and its extended form, [MS-FSA] 2.1.5.15.3.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{
    DispositionFlags, FileDispositionInformation, FileDispositionInformationEx,
};
use smb_proto::info::{FileAttributes, FileInfoClass};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{breaks_done, done, expect_done, malformed, needs, waits};
use crate::core::{DeletePending, Wake, breaks, notify};
use crate::status::Refusal;
use crate::vfs::{VfsOp, VfsReply};

/// What is being found out.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Others give up the handles that they cache; then everything begins anew.
    Breaking(FileInfoClass, Bytes),
    /// Whether the file is read-only.
    Attributes(DispositionFlags),
    /// Whether the directory is empty.
    Empty(DispositionFlags),
}

pub(super) fn start(cx: &mut Cx<'_>, class: FileInfoClass, input: &Bytes) -> CmdResult {
    let flags = match class {
        FileInfoClass::DispositionEx => {
            FileDispositionInformationEx::parse(input)
                .map_err(malformed)?
                .flags
        }
        _ => {
            let info = FileDispositionInformation::parse(input).map_err(malformed)?;
            if info.delete_pending {
                DispositionFlags::DELETE
            } else {
                DispositionFlags::empty()
            }
        }
    };
    needs(cx, AccessMask::DELETE)?;
    if !flags.contains(DispositionFlags::DELETE) {
        let file = cx.file_open_mut()?;
        file.posix_delete = false;
        if flags.contains(DispositionFlags::ON_CLOSE) {
            file.delete_on_close = false;
            return Ok(done());
        }
        let row = file.file;
        if !mutated!(cx.core, DeleteNotTakenBack)
            && let Some(row) = cx.core.files.get_mut(row)
        {
            row.delete_pending = None;
        }
        return Ok(done());
    }
    let file = cx.file_open()?;
    let handle = file.handle;
    if file.at.path.is_root() && file.at.stream.is_none() {
        return Err(Refusal(NtStatus::CANNOT_DELETE));
    }
    if let Some(row) = breaks::name_goes(cx.core, cx.now, cx.open()?.0) {
        cx.wait_for_breaks(row)?;
        return waits(super::State::Disposition(State::Breaking(
            class,
            input.clone(),
        )));
    }
    cx.ask_vfs(VfsOp::Stat { handle })?;
    waits(super::State::Disposition(State::Attributes(flags)))
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::Breaking(class, input) => {
            breaks_done(&wake)?;
            start(cx, class, &input)
        }
        State::Attributes(flags) => {
            let VfsReply::Info(info) = wake.vfs()? else {
                return Err(WRONG_REPLY);
            };
            if info.attributes.contains(FileAttributes::READONLY)
                && !flags.contains(DispositionFlags::IGNORE_READONLY_ATTRIBUTE)
            {
                return Err(Refusal(NtStatus::CANNOT_DELETE));
            }
            let file = cx.file_open()?;
            let handle = file.handle;
            if file.directory && file.at.stream.is_none() {
                cx.ask_vfs(VfsOp::CheckEmpty { handle })?;
                return waits(super::State::Disposition(State::Empty(flags)));
            }
            mark(cx, flags)
        }
        State::Empty(flags) => {
            expect_done(wake)?;
            mark(cx, flags)
        }
    }
}

/// The file goes when its last open does, or with POSIX semantics when this one does.
fn mark(cx: &mut Cx<'_>, flags: DispositionFlags) -> CmdResult {
    let file = cx.file_open_mut()?;
    file.posix_delete = flags.contains(DispositionFlags::POSIX_SEMANTICS);
    if flags.contains(DispositionFlags::ON_CLOSE) {
        file.delete_on_close = true;
        return Ok(done());
    }
    let row = file.file;
    let pending = DeletePending {
        at: file.at.clone(),
        by: file.by.clone(),
        parent_lease: file.parent_lease,
    };
    if let Some(r) = cx.core.files.get_mut(row) {
        r.delete_pending = Some(pending);
    }
    notify::directory_goes(cx.core, cx.now, row);
    Ok(done())
}
