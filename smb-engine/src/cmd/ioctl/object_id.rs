//! Object ids of files: FSCTL_CREATE_OR_GET_OBJECT_ID, FSCTL_GET_OBJECT_ID, FSCTL_SET_OBJECT_ID,
//! FSCTL_SET_OBJECT_ID_EXTENDED and FSCTL_DELETE_OBJECT_ID, [MS-FSA] 2.1.5.10.1, .2, .13, .35, .36.
//!
//! Where none can be stored, every file has one all the same, made of its number and the server's
//! GUID: programs of Windows take a refusal for a file that is not there.

use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FileObjectId, FsctlCode};
use smb_proto::msg::create::CreateOptions;
use smb_proto::{Guid, NtStatus};

use super::{At, Call, INVALID_DEVICE_REQUEST, INVALID_PARAMETER, encoded, need_capability};
use crate::cmd::{CmdResult, Cx, Step, WRONG_REPLY};
use crate::core::Wake;
use crate::output::Completion;
use crate::status::{Refusal, of_vfs};
use crate::vfs::{Capabilities, VfsError, VfsOp, VfsReply};

/// Bytes of FILE_OBJECTID_BUFFER.
const BUFFER: usize = 64;
/// Bytes of what FSCTL_SET_OBJECT_ID_EXTENDED sets.
const EXTENDED: usize = 48;

/// What the backend was asked.
#[derive(Debug)]
pub(super) enum State {
    /// The id, to be told.
    Getting,
    /// The id, or else one is made.
    GettingOrCreating,
    /// To keep this one, which is then told.
    Creating(FileObjectId),
    /// The id, of which this part changes.
    Extending([u8; EXTENDED]),
    /// To keep another one, or none.
    Setting,
}

/// FSCTL_GET_OBJECT_ID and FSCTL_CREATE_OR_GET_OBJECT_ID.
pub(super) fn get(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    if call.max_output < BUFFER {
        return Err(INVALID_PARAMETER);
    }
    if !stores(cx)? {
        let made_up = of_number(cx)?;
        return Ok(answer(call, &made_up));
    }
    let state = if call.code == FsctlCode::GET_OBJECT_ID {
        State::Getting
    } else {
        State::GettingOrCreating
    };
    ask(cx, call, state)
}

/// FSCTL_SET_OBJECT_ID: for those who restore what was saved.
pub(super) fn set(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    if input.len() != BUFFER {
        return Err(INVALID_PARAMETER);
    }
    let id = FileObjectId::parse(input).map_err(|_| INVALID_PARAMETER)?;
    may_change(cx)?;
    let file = cx.file_open()?;
    // Open.HasRestoreAccess, [MS-FSA] 2.1.5.1: the privilege, and the wish to use it.
    let restores =
        file.by.is_administrator() && file.options.contains(CreateOptions::OPEN_FOR_BACKUP_INTENT);
    if !restores || !cx.tree()?.1.access.contains(AccessMask::FILE_WRITE_DATA) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    store(cx, call, Some(id), false)
}

/// FSCTL_SET_OBJECT_ID_EXTENDED.
pub(super) fn extend(cx: &mut Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    let extended = <[u8; EXTENDED]>::try_from(input).map_err(|_| INVALID_PARAMETER)?;
    may_change(cx)?;
    may_write(cx)?;
    ask(cx, call, State::Extending(extended))
}

/// FSCTL_DELETE_OBJECT_ID. That there is none is no error.
pub(super) fn delete(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    may_change(cx)?;
    may_write(cx)?;
    store(cx, call, None, false)
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    let Wake::Completion(Completion::Vfs(result)) = wake else {
        return Err(WRONG_REPLY);
    };
    match (state, result) {
        (State::Getting | State::GettingOrCreating, Ok(VfsReply::ObjectId(Some(id)))) => {
            Ok(answer(call, &id))
        }
        (State::Getting | State::Extending(_), Ok(VfsReply::ObjectId(None))) => {
            Err(Refusal(NtStatus::OBJECTID_NOT_FOUND))
        }
        (State::GettingOrCreating, Ok(VfsReply::ObjectId(None))) => create(cx, call),
        (State::Creating(id), Ok(VfsReply::Done)) => Ok(answer(call, &id)),
        // Another client was faster, and has an answer already.
        (State::Creating(_), Err(VfsError::Exists)) => ask(cx, call, State::Getting),
        (
            State::Creating(_),
            Err(VfsError::AccessDenied | VfsError::ReadOnly | VfsError::NotSupported),
        ) => {
            let made_up = of_number(cx)?;
            Ok(answer(call, &made_up))
        }
        (State::Extending(extended_info), Ok(VfsReply::ObjectId(Some(id)))) => {
            let id = FileObjectId {
                extended_info,
                ..id
            };
            store(cx, call, Some(id), true)
        }
        (State::Setting, Ok(VfsReply::Done)) => Ok(call.done()),
        (State::Setting, Err(VfsError::Exists)) => Err(Refusal(NtStatus::OBJECT_NAME_COLLISION)),
        (_, Err(error)) => Err(Refusal(of_vfs(&error))),
        (
            State::Getting
            | State::GettingOrCreating
            | State::Creating(_)
            | State::Extending(_)
            | State::Setting,
            Ok(_),
        ) => Err(WRONG_REPLY),
    }
}

/// Makes an id ([MS-FSA] 2.1.5.10.1), unless nothing may be changed here.
fn create(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    let (_, tree) = cx.tree()?;
    let disk = tree.disk().ok_or(INVALID_DEVICE_REQUEST)?;
    let past = cx.file_open()?.snapshot.is_some();
    if past
        || disk.capabilities.contains(Capabilities::READ_ONLY)
        || !tree.access.contains(AccessMask::FILE_WRITE_DATA)
    {
        let made_up = of_number(cx)?;
        return Ok(answer(call, &made_up));
    }
    let fresh = Guid::from_bytes(cx.core.entropy.bytes());
    let id = FileObjectId::with_birth(fresh, cx.core.config.server_guid, fresh, Guid::NIL);
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::SetObjectId {
        handle,
        id: Some(id),
        replace: false,
    })?;
    Ok(call.wait(At::ObjectId(State::Creating(id))))
}

fn ask(cx: &mut Cx<'_>, call: Call, state: State) -> CmdResult {
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::ObjectId { handle })?;
    Ok(call.wait(At::ObjectId(state)))
}

fn store(cx: &mut Cx<'_>, call: Call, id: Option<FileObjectId>, replace: bool) -> CmdResult {
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::SetObjectId {
        handle,
        id,
        replace,
    })?;
    Ok(call.wait(At::ObjectId(State::Setting)))
}

fn stores(cx: &Cx<'_>) -> Result<bool, Refusal> {
    let disk = cx.tree()?.1.disk().ok_or(INVALID_DEVICE_REQUEST)?;
    Ok(disk.capabilities.contains(Capabilities::OBJECT_IDS))
}

/// Whether ids can be changed on this volume at all.
fn may_change(cx: &Cx<'_>) -> Result<(), Refusal> {
    need_capability(cx, Capabilities::OBJECT_IDS)?;
    let disk = cx.tree()?.1.disk().ok_or(INVALID_DEVICE_REQUEST)?;
    if disk.capabilities.contains(Capabilities::READ_ONLY) {
        return Err(Refusal(NtStatus::MEDIA_WRITE_PROTECTED));
    }
    Ok(())
}

/// [MS-FSCC] 2.3.4: the handle is one with which data or attributes can be written.
fn may_write(cx: &Cx<'_>) -> Result<(), Refusal> {
    cx.need_any(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_WRITE_ATTRIBUTES)
}

fn answer(call: Call, id: &FileObjectId) -> Step {
    call.reply(encoded(|w| id.encode(w)))
}

/// The id of a file for which none can be stored: its number on the volume, and half of the server's
/// GUID. It says nothing of the host's volume.
fn of_number(cx: &Cx<'_>) -> Result<FileObjectId, Refusal> {
    let server = cx.core.config.server_guid;
    let id = made_up(cx.file_open()?.node.file, server);
    Ok(FileObjectId::with_birth(id, server, id, Guid::NIL))
}

fn made_up(file: u64, server: Guid) -> Guid {
    let [.., a, b, c, d, e, f, g, h] = server.to_bytes();
    let [i, j, k, l, m, n, o, p] = file.to_le_bytes();
    Guid::from_bytes([i, j, k, l, m, n, o, p, a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_file_and_stay() {
        let server = Guid::from_bytes([9; 16]);
        assert_eq!(made_up(5, server), made_up(5, server));
        assert_ne!(made_up(5, server), made_up(6, server));
    }
}
