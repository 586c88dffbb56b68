//! When the name names nothing: [MS-FSA] 2.1.5.1.1.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;
use smb_proto::info::notify::Action;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::CreateOptions;

use super::commit::Created;
use super::{
    Attempt, CmdResult, Cx, State, WRONG_REPLY, access, being_deleted, commit, give_back, has_room,
    refuse, undo, wait,
};
use crate::acl;
use crate::core::{dir_lease, lease, notify};
use crate::status::Refusal;
use crate::vfs::{
    Capabilities, Creation, FileInfo, Location, Missing, Opened, VfsError, VfsOp, VfsReply,
    VfsResult,
};

/// Rights to a new stream that do not come from its file: it can be read about and removed by whom
/// it was made.
const OF_MAKER: AccessMask = AccessMask::DELETE.union(AccessMask::FILE_READ_ATTRIBUTES);

/// What will be created, decided before the backend is asked.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Open.GrantedAccess.
    pub(super) access: AccessMask,
    /// Rights that the directory gives to everything in it.
    pub(super) by_parent: AccessMask,
    what: Creation,
}

/// Decides whether it may be created, and creates it.
pub(super) fn create(cx: &mut Cx<'_>, a: Attempt, place: &Missing) -> CmdResult {
    let plan = plan(cx, &a, place)?;
    // A directory as place of a stream may be the file itself, or where the file is missing too.
    let base_missing =
        a.name.at.stream.is_some() && place.parent.is_directory() && !a.name.at.path.is_root();
    if !base_missing {
        return ask(cx, a, plan);
    }
    let op = VfsOp::Create {
        at: a.name.at.path.clone().into(),
        what: Creation {
            allocation: 0,
            ..plan.what.clone()
        },
    };
    cx.ask_backend(a.backend, a.by.clone(), op)?;
    wait(State::CreatingBase(a, plan))
}

fn plan(cx: &Cx<'_>, a: &Attempt, place: &Missing) -> Result<Plan, NtStatus> {
    let f = &a.fields;
    if !f.creates() {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    if a.name.directory && !f.directory() {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    // The file that the lease is on is another one.
    let owner = a.cache.lease.map(|l| l.owner);
    if owner.is_some_and(|owner| lease::is_elsewhere(cx.core, owner, None)) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if a.capabilities.contains(Capabilities::READ_ONLY) {
        return Err(NtStatus::MEDIA_WRITE_PROTECTED);
    }
    let in_file = a.name.at.stream.is_some() && !place.parent.is_directory();
    let container = if a.name.at.stream.is_some() && (in_file || a.name.at.path.is_root()) {
        a.name.at.path.clone()
    } else {
        a.name.at.path.parent().unwrap_or_default()
    };
    // Nothing is added to what is being deleted.
    if being_deleted(cx.core, place.parent.node, &container.into()) {
        return Err(NtStatus::DELETE_PENDING);
    }
    let by_parent = acl::check::maximal(&place.security, &a.by);
    let mut access = access::new(f, by_parent, a.tree_access, a.by.is_administrator())?;
    if in_file {
        let read_only = place.parent.attributes.contains(FileAttributes::READONLY);
        let rights = by_parent | OF_MAKER | AccessMask::ACCESS_SYSTEM_SECURITY;
        if read_only || !rights.contains(f.desired) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        access &= rights;
    }
    has_room(cx.core).map_err(|Refusal(status)| status)?;
    let mut attributes = f.attributes;
    if !f.directory() {
        attributes |= FileAttributes::ARCHIVE;
    }
    // [MS-FSA] 2.1.5.1.1: what is made in a compressed directory is compressed too.
    if a.capabilities.contains(Capabilities::COMPRESSION)
        && place.parent.attributes.contains(FileAttributes::COMPRESSED)
        && !f.options.contains(CreateOptions::NO_COMPRESSION)
    {
        attributes |= FileAttributes::COMPRESSED;
    }
    let security = if a.capabilities.contains(Capabilities::SECURITY) && !in_file {
        acl::inherit::for_new(a.ctx.sd.as_ref(), &place.security, &a.by, f.directory())?
    } else {
        None
    };
    Ok(Plan {
        access,
        by_parent: if in_file { OF_MAKER } else { by_parent },
        what: Creation {
            directory: f.directory(),
            attributes,
            security,
            eas: a.ctx.eas.clone(),
            allocation: if f.directory() { 0 } else { a.ctx.allocation },
        },
    })
}

/// Asks the backend to create it.
fn ask(cx: &mut Cx<'_>, a: Attempt, plan: Plan) -> CmdResult {
    let mut what = plan.what.clone();
    if a.name.at.stream.is_some() {
        // These are the file's.
        what.attributes = FileAttributes::empty();
        what.security = None;
        what.eas = Vec::new();
    }
    let op = VfsOp::Create {
        at: a.name.at.clone(),
        what,
    };
    cx.ask_backend(a.backend, a.by.clone(), op)?;
    wait(State::Creating(a, plan))
}

/// The file of a new stream is there (or was there already, if the stream is a directory's).
pub(super) fn base_created(
    cx: &mut Cx<'_>,
    a: Attempt,
    plan: Plan,
    result: VfsResult,
) -> CmdResult {
    match result {
        Ok(VfsReply::Opened(base)) => {
            report(cx, &a, &base.at, &base.info);
            give_back(cx, &a, base.handle);
            ask(cx, a, plan)
        }
        Ok(_) => Err(WRONG_REPLY),
        Err(VfsError::Exists) => ask(cx, a, plan),
        Err(error) => refuse(cx, error),
    }
}

/// It is there.
pub(super) fn created(cx: &mut Cx<'_>, a: Attempt, plan: Plan, result: VfsResult) -> CmdResult {
    let opened = match result {
        Ok(VfsReply::Opened(opened)) => opened,
        Ok(_) => return Err(WRONG_REPLY),
        // Somebody else was faster.
        Err(VfsError::Exists) => return a.again(cx, NtStatus::OBJECT_NAME_COLLISION),
        // The directory (or the file of the stream) has gone.
        Err(VfsError::NotFound) => return Err(Refusal(NtStatus::OBJECT_PATH_NOT_FOUND)),
        Err(error) => return refuse(cx, error),
    };
    report(cx, &a, &opened.at, &opened.info);
    go_on(cx, a, plan, opened, Ok(()))
}

/// Enters what was created in the tables, at once or when others have given up what they cache of it.
pub(super) fn go_on(
    cx: &mut Cx<'_>,
    a: Attempt,
    plan: Plan,
    opened: Opened,
    woken: Result<(), Refusal>,
) -> CmdResult {
    let (at, handle) = (opened.at.clone(), opened.handle);
    let result = woken.and_then(|()| commit::created(cx, &a, opened, &plan));
    let result = match result {
        Ok(Created::Done(step)) => Ok(step),
        Ok(Created::Wait(row, opened)) => {
            cx.wait_for_breaks(row)?;
            return wait(State::BreakingNew(a, plan, opened));
        }
        Err(refusal) => Err(refusal),
    };
    if result.is_err() {
        // A file that was to vanish when it is closed does so if it could not be opened either.
        if a.fields.delete_on_close() {
            undo(cx, &a, at, handle);
        } else {
            give_back(cx, &a, handle);
        }
    }
    result
}

/// Tells watching opens of something new.
fn report(cx: &mut Cx<'_>, a: &Attempt, at: &Location, info: &FileInfo) {
    let (action, filter) = match (&at.stream, info.is_directory()) {
        (Some(_), _) => (Action::ADDED_STREAM, CompletionFilter::STREAM_NAME),
        (None, true) => (Action::ADDED, CompletionFilter::DIR_NAME),
        (None, false) => (Action::ADDED, CompletionFilter::FILE_NAME),
    };
    let by = a.cache.lease.and_then(|l| l.parent_lease());
    dir_lease::entry_changed(cx.core, cx.now, a.backend, at, by);
    notify::report(cx.core, cx.now, a.backend, at, action, filter);
}
