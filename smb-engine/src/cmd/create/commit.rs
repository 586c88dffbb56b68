//! Entering a new open in the tables: sharing ([MS-FSA] 2.1.5.1.2.2), the row of the file, and then
//! what changes the file.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;
use smb_proto::info::notify::Action;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::{CreateAction, CreateDisposition, ShareAccess};

use super::access::Grant;
use super::again::{self, Survival};
use super::ctx::Contexts;
use super::missing::Plan;
use super::{
    Attempt, CmdResult, Cx, State, Step, WRONG_REPLY, being_deleted, done, give_back, has_room,
    reply, wait,
};
use crate::acl;
use crate::core::breaks::{self, By, Cache, CacheRequest};
use crate::core::caching::Contention;
use crate::core::sequence::{LockSequence, Sequence};
use crate::core::share_mode::{Claim, Kin, compatible};
use crate::core::{
    Core, File, FileKey, FileOpen, Open, OpenKind, Scan, dir_lease, durable, lease, notify,
    teardown, write_time,
};
use crate::names::fold;
use crate::status::Refusal;
use crate::table::Id;
use crate::vfs::{Creation, Opened, VfsOp, VfsReply, VfsResult};

/// An open that is entered and whose file is being overwritten.
#[derive(Debug)]
pub(crate) struct Reserved {
    open: Id<Open>,
    ctx: Contexts,
    cache: CacheRequest,
    survival: Survival,
    maximal: AccessMask,
    action: CreateAction,
    delete_on_close: bool,
}

/// Enters the open of an existing file, then overwrites the file if that was asked for. On a
/// refusal the handle is given back.
pub(super) fn existing(cx: &mut Cx<'_>, mut a: Attempt, opened: Opened, grant: Grant) -> CmdResult {
    let implied = a.fields.implied();
    let handle = opened.handle;
    let info = opened.info.clone();
    let id = match enter(cx, &a, opened, grant.access, implied) {
        Ok(Entry::In(id)) => id,
        Ok(Entry::Wait(row, _)) => {
            give_back(cx, &a, handle);
            cx.wait_for_breaks(row)?;
            a.waited = true;
            return wait(State::Breaking(a));
        }
        Err(refusal) => {
            give_back(cx, &a, handle);
            return Err(refusal);
        }
    };
    let a = &a;
    let reserved = Reserved {
        open: id,
        ctx: a.ctx.clone(),
        cache: a.cache,
        survival: a.survival,
        maximal: grant.maximal,
        action: action(a.fields.disposition),
        delete_on_close: a.fields.delete_on_close(),
    };
    if implied.is_empty() || mutated!(cx.core, ContentKept) {
        return finish(cx, &reserved, &info);
    }
    let stream = a.name.at.stream.is_some();
    let (attributes, eas) = if stream {
        // These are the file's.
        (FileAttributes::empty(), Vec::new())
    } else {
        let attributes = a.fields.attributes | FileAttributes::ARCHIVE;
        (attributes, a.ctx.eas.clone())
    };
    let op = VfsOp::Overwrite {
        handle,
        what: Creation {
            directory: false,
            attributes,
            security: None,
            eas,
            allocation: a.ctx.allocation,
        },
        supersede: !stream && a.fields.disposition == CreateDisposition::Supersede,
    };
    if let Err(refusal) = cx.ask_vfs(op) {
        teardown::close_open(cx.core, cx.now, id);
        return Err(refusal);
    }
    wait(State::Overwriting(reserved))
}

/// The content was replaced, or not.
pub(super) fn overwritten(cx: &mut Cx<'_>, r: &Reserved, result: VfsResult) -> CmdResult {
    let refusal = match result {
        Ok(VfsReply::Info(info)) => {
            report_overwrite(cx, r.open);
            let open = cx.core.opens.get(r.open).and_then(Open::file);
            if open.is_some_and(|f| f.at.stream.is_none()) {
                write_time::reset(cx.core, info.node);
            }
            return finish(cx, r, &info);
        }
        Ok(_) => WRONG_REPLY,
        Err(error) => error.into(),
    };
    if mutated!(cx.core, ShareModeNotUndone) {
        return Err(refusal);
    }
    teardown::close_open(cx.core, cx.now, r.open);
    Err(refusal)
}

/// What has come of a CREATE of something new.
#[allow(clippy::large_enum_variant, reason = "looked at at once")]
pub(super) enum Created {
    /// It is open.
    Done(Step),
    /// Somebody else has opened it meanwhile and caches; it is open in the backend.
    Wait(Id<File>, Opened),
}

/// Enters the open of a file that was just created. On a refusal the handle is left to the caller.
///
/// Somebody else may have opened the file between its creation and now, with a share mode that
/// excludes this open; then this one is refused, as if it had come later.
pub(super) fn created(
    cx: &mut Cx<'_>,
    a: &Attempt,
    opened: Opened,
    plan: &Plan,
) -> Result<Created, Refusal> {
    let mut maximal = acl::check::maximal(&opened.security, &a.by);
    if plan.by_parent.contains(AccessMask::FILE_DELETE_CHILD) {
        maximal |= AccessMask::DELETE;
    }
    if plan.by_parent.contains(AccessMask::FILE_LIST_DIRECTORY) {
        maximal |= AccessMask::FILE_READ_ATTRIBUTES;
    }
    let info = opened.info.clone();
    let open = match enter(cx, a, opened, plan.access, AccessMask::empty())? {
        Entry::In(open) => open,
        Entry::Wait(row, opened) => return Ok(Created::Wait(row, opened)),
    };
    let reserved = Reserved {
        open,
        ctx: a.ctx.clone(),
        cache: a.cache,
        survival: a.survival,
        maximal: maximal & a.tree_access,
        action: CreateAction::CREATED,
        delete_on_close: a.fields.delete_on_close(),
    };
    finish(cx, &reserved, &info).map(Created::Done)
}

fn action(disposition: CreateDisposition) -> CreateAction {
    match disposition {
        CreateDisposition::Supersede => CreateAction::SUPERSEDED,
        CreateDisposition::Overwrite | CreateDisposition::OverwriteIf => CreateAction::OVERWRITTEN,
        CreateDisposition::Open | CreateDisposition::Create | CreateDisposition::OpenIf => {
            CreateAction::OPENED
        }
    }
}

/// Whether a new open is in the tables.
#[allow(clippy::large_enum_variant, reason = "looked at at once")]
enum Entry {
    In(Id<Open>),
    /// Others first have to give up what they cache of this.
    Wait(Id<File>, Opened),
}

/// Makes the open and puts it into all tables, if it is still wanted and gets along with the
/// others. The operation uses it from now on.
fn enter(
    cx: &mut Cx<'_>,
    a: &Attempt,
    opened: Opened,
    access: AccessMask,
    implied: AccessMask,
) -> Result<Entry, Refusal> {
    let conn = cx.conn()?;
    let header = cx.header()?;
    let (session, tree) = (cx.session()?.0, cx.tree()?.0);
    has_room(cx.core)?;
    if being_deleted(cx.core, opened.info.node, &opened.at) {
        return Err(Refusal(NtStatus::DELETE_PENDING));
    }
    let key = FileKey {
        node: opened.info.node,
        stream: opened.at.stream.as_deref().map(fold),
    };
    let claim = Claim {
        access: access | implied,
        share: a.fields.share,
    };
    let owner = a.cache.lease.map(|l| l.owner);
    if owner.is_some_and(|owner| lease::is_elsewhere(cx.core, owner, Some(&key))) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    if let (Some(app), Some(row)) = (a.survival.app, cx.core.file_by_key.get(&key).copied()) {
        durable::take_over(cx.core, cx.now, row, app, a.survival.client)?;
    }
    let there = cx.core.file_by_key.get(&key);
    if there.is_some_and(|row| durable::keeps_off(cx.core, *row)) {
        return Err(Refusal(NtStatus::FILE_NOT_AVAILABLE));
    }
    let mut sharing = check_sharing(cx.core, &key, claim);
    if let Some(row) = cx.core.file_by_key.get(&key).copied() {
        let by = By {
            open: None,
            lease: owner,
        };
        let what = Contention::Open {
            access: claim.access,
            denied: sharing.is_err(),
            overwrites: !implied.is_empty(),
            waited: a.waited,
        };
        let mut waits = breaks::contend(cx.core, cx.now, row, by, what);
        // The name goes with this open: handles that others cache have to be closed.
        if sharing.is_ok() && a.fields.delete_on_close() {
            waits |= breaks::contend(cx.core, cx.now, row, by, Contention::Name);
        }
        if waits {
            return Ok(Entry::Wait(row, opened));
        }
        // Opens that waited for their clients may have gone, and names with them.
        if being_deleted(cx.core, opened.info.node, &opened.at) {
            if cx.core.files.get(row).is_some_and(|r| r.removing) {
                return Ok(Entry::Wait(row, opened));
            }
            return Err(Refusal(NtStatus::DELETE_PENDING));
        }
        sharing = check_sharing(cx.core, &key, claim);
    }
    sharing?;
    let persistent = cx.core.next_persistent_id;
    cx.core.next_persistent_id = persistent.wrapping_add(1);
    if mutated!(cx.core, FileIdReused) && persistent & 0xffff_ffff > 7 {
        cx.core.next_persistent_id = (persistent & !0xffff_ffff) | 1;
    }
    let file = cx.core.file_row(key);
    let id = cx.core.opens.insert(Open {
        file_id: FileId {
            persistent,
            volatile: 0,
        },
        session,
        tree,
        granted: access,
        kind: OpenKind::File(FileOpen {
            handle: opened.handle,
            backend: a.backend,
            by: a.by.clone(),
            file,
            node: opened.info.node,
            directory: opened.info.is_directory() && opened.at.stream.is_none(),
            at: opened.at,
            share: a.fields.share,
            conn,
            cache: Cache::None,
            parent_lease: a.cache.lease.and_then(|l| l.parent_lease()),
            durable: None,
            client: a.survival.client,
            app: None,
            replayable: None,
            action: CreateAction::OPENED,
            lock_sequence: LockSequence::default(),
            options: a.fields.options,
            delete_on_close: false,
            posix_delete: false,
            position: 0,
            snapshot: a.ctx.snapshot,
            scan: Scan::default(),
            watch: None,
            frozen_write_time: None,
            told: None,
            frozen_change_time: None,
            wrote: false,
        }),
        running: 1,
        closing: false,
        disconnected: false,
        sequence: Sequence::new(header.channel_sequence()),
        closer: None,
    });
    if let Some(row) = cx.core.files.get_mut(file) {
        row.opens.push(id);
    }
    own(cx, id)?;
    Ok(Entry::In(id))
}

/// Gives a new open its id on the wire and to its session and operation.
pub(super) fn own(cx: &mut Cx<'_>, id: Id<Open>) -> Result<(), Refusal> {
    if let Some(open) = cx.core.opens.get_mut(id) {
        open.file_id.volatile = id.to_u64();
        if let Some(session) = cx.core.sessions.get_mut(open.session) {
            session.opens.insert(id);
        }
    }
    cx.op_mut()?.open = Some(id);
    Ok(())
}

fn check_sharing(core: &Core, key: &FileKey, new: Claim) -> Result<(), Refusal> {
    for row in core.rows_of(key.node) {
        let Some(row) = core.files.get(row) else {
            continue;
        };
        let kin = if row.key.stream == key.stream {
            Kin::Same
        } else if key.stream.is_none() {
            Kin::NamedStream
        } else {
            Kin::Other
        };
        for open in &row.opens {
            let Some(open) = core.opens.get(*open) else {
                continue;
            };
            let Some(file) = open.file() else { continue };
            let existing = Claim {
                access: open.granted,
                share: file.share,
            };
            let mut new = new;
            if mutated!(core, ShareModeOneSided) {
                new.share = ShareAccess::all();
            }
            if !compatible(new, existing, kin) {
                return Err(Refusal(NtStatus::SHARING_VIOLATION));
            }
        }
    }
    Ok(())
}

/// The open is there and the file is as asked for: answers.
fn finish(cx: &mut Cx<'_>, r: &Reserved, info: &crate::vfs::FileInfo) -> CmdResult {
    let dialect = cx
        .conn()
        .ok()
        .and_then(|conn| cx.core.conns.get(conn))
        .and_then(crate::core::Conn::dialect);
    let open = cx.open_mut()?;
    // It was torn down while the backend worked; whoever did that closes it.
    if open.closing {
        return Err(Refusal(NtStatus::FILE_CLOSED));
    }
    let file_id = open.file_id;
    if let Some(file) = open.file_mut() {
        file.delete_on_close = r.delete_on_close;
    }
    let mut info = info.clone();
    info.write = write_time::shown(cx.core, info.node, info.write);
    let info = &info;
    let (id, _) = cx.open()?;
    breaks::grant(cx.core, id, &r.cache, r.action != CreateAction::OPENED);
    let durable = again::grant(cx, &r.survival, r.action)?;
    let (level, lease) = breaks::answer(cx.core, id);
    let lease = lease.and_then(|l| cx.core.leases.get(l));
    let mut granted: Vec<_> = lease.map(|l| l.context().to_raw()).into_iter().collect();
    granted.extend(durable);
    let contexts = r.ctx.answer(r.maximal, info, granted);
    let mut answer = reply::file(file_id, r.action, info, contexts, dialect);
    answer.oplock_level = level;
    if mutated!(cx.core, OplockGranted) {
        answer.oplock_level = OplockLevel::EXCLUSIVE;
    }
    done(answer)
}

/// Tells watching opens that a file has new content.
fn report_overwrite(cx: &mut Cx<'_>, open: Id<Open>) {
    let Some(file) = cx.core.opens.get(open).and_then(Open::file) else {
        return;
    };
    let (backend, at) = (file.backend, file.at.clone());
    let (action, filter) = if at.stream.is_some() {
        (
            Action::MODIFIED_STREAM,
            CompletionFilter::STREAM_SIZE | CompletionFilter::STREAM_WRITE,
        )
    } else {
        (
            Action::MODIFIED,
            CompletionFilter::ATTRIBUTES | CompletionFilter::SIZE | CompletionFilter::LAST_WRITE,
        )
    };
    dir_lease::changed_through(cx.core, cx.now, open);
    notify::report(cx.core, cx.now, backend, &at, action, filter);
}
