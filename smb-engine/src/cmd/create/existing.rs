//! When the name names something: [MS-FSA] 2.1.5.1.2.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;
use smb_proto::msg::create::{CreateDisposition, CreateOptions};

use super::access::{self, Existing, Verdict};
use super::{
    Attempt, CmdResult, Cx, State, being_deleted, commit, give_back, removed_since, snapshot, wait,
};
use crate::acl;
use crate::status::Refusal;
use crate::vfs::{Capabilities, DataAccess, OpenHow, Opened, SharePath};

/// Judges what the backend has opened, and goes on with it. `by_parent`: rights by the directory's
/// descriptor, once that was looked at.
pub(super) fn judge(
    cx: &mut Cx<'_>,
    a: Attempt,
    opened: Opened,
    by_parent: Option<AccessMask>,
) -> CmdResult {
    if removed_since(cx.core, opened.info.node, a.since) {
        give_back(cx, &a, opened.handle);
        return a.again(cx, NtStatus::DELETE_PENDING);
    }
    let verdict = check(cx, &a, &opened).and_then(|()| rights(&a, &opened, by_parent));
    match verdict {
        Ok(Verdict::Granted(grant)) => commit::existing(cx, a, opened, grant),
        Ok(Verdict::AskParent) => ask_parent(cx, a, opened),
        Err(status) => {
            give_back(cx, &a, opened.handle);
            Err(Refusal(status))
        }
    }
}

/// Opens the directory, for its descriptor.
fn ask_parent(cx: &mut Cx<'_>, a: Attempt, opened: Opened) -> CmdResult {
    let path = opened.at.path.parent().unwrap_or_else(SharePath::root);
    let how = OpenHow {
        data: DataAccess::None,
        open_reparse: false,
    };
    let op = snapshot::open(a.ctx.snapshot, path.into(), how);
    if let Err(refusal) = cx.ask_backend(a.backend, a.by.clone(), op) {
        give_back(cx, &a, opened.handle);
        return Err(refusal);
    }
    wait(State::AskingParent(a, opened))
}

/// What [MS-FSA] checks before access: deletion, type, disposition.
fn check(cx: &Cx<'_>, a: &Attempt, opened: &Opened) -> Result<(), NtStatus> {
    if being_deleted(cx.core, opened.info.node, &opened.at) {
        if mutated!(cx.core, WrongDeletePendingStatus) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        return Err(NtStatus::DELETE_PENDING);
    }
    let f = &a.fields;
    let directory = opened.info.is_directory() && a.name.at.stream.is_none();
    let must_not_exist = f.disposition == CreateDisposition::Create;
    let or_collision = |status| {
        if must_not_exist {
            NtStatus::OBJECT_NAME_COLLISION
        } else {
            status
        }
    };
    if directory {
        if a.name.data || f.options.contains(CreateOptions::NON_DIRECTORY_FILE) {
            return Err(or_collision(NtStatus::FILE_IS_A_DIRECTORY));
        }
        // A directory has no content that could be replaced.
        if !f.implied().is_empty() {
            return Err(NtStatus::OBJECT_NAME_COLLISION);
        }
    } else if f.directory() {
        return Err(or_collision(NtStatus::NOT_A_DIRECTORY));
    } else if a.name.directory {
        return Err(or_collision(NtStatus::OBJECT_NAME_INVALID));
    }
    if must_not_exist {
        return Err(NtStatus::OBJECT_NAME_COLLISION);
    }
    // Of all reparse points the server understands symbolic links alone, and the backend has taken
    // care of those.
    if opened.info.reparse_tag != 0 && !f.options.contains(CreateOptions::OPEN_REPARSE_POINT) {
        return Err(NtStatus::IO_REPARSE_TAG_NOT_HANDLED);
    }
    if f.implied().is_empty() {
        return Ok(());
    }
    if a.capabilities.contains(Capabilities::READ_ONLY) {
        return Err(NtStatus::MEDIA_WRITE_PROTECTED);
    }
    // Who overwrites a hidden or system file has to know that it is one.
    let mut sensitive = opened.info.attributes & (FileAttributes::HIDDEN | FileAttributes::SYSTEM);
    sensitive.set(
        FileAttributes::HIDDEN,
        sensitive.contains(FileAttributes::HIDDEN) && !opened.info.hidden_by_name,
    );
    if a.name.at.stream.is_none() && !f.attributes.contains(sensitive) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(())
}

fn rights(
    a: &Attempt,
    opened: &Opened,
    by_parent: Option<AccessMask>,
) -> Result<Verdict, NtStatus> {
    let mut attributes = opened.info.attributes;
    if a.name.at.stream.is_some() {
        attributes -= FileAttributes::DIRECTORY;
    }
    let existing = Existing {
        by_descriptor: acl::check::maximal(&opened.security, &a.by),
        by_parent,
        root: opened.at.path.is_root() && opened.at.stream.is_none(),
        attributes,
        tree: a.tree_access,
        audits: a.by.is_administrator(),
    };
    access::existing(&a.fields, &existing, a.ctx.maximal.is_some())
}
