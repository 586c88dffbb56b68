//! CREATE, [MS-SMB2] 3.3.5.9 with [MS-FSA] 2.1.5.1: reserve, wait, commit.
//!
//! The backend is asked to open what the name names. What it opened is judged by the tables here
//! (is it being deleted, who may do what, who shares with whom) and entered, all without waiting;
//! only then is content destroyed. What does not exist is created exclusively, so that of two
//! clients one creates and the other starts over and finds it.
//!
//! While the backend works, anything may happen to the session, the connection or the file. A
//! handle that can no longer be used is always given back.

mod access;
mod again;
mod cache;
mod commit;
mod ctx;
mod existing;
mod missing;
mod pipe;
mod quota;
mod reply;
mod resolve;
pub(crate) mod restore;
pub(super) mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::msg::create::{CreateDisposition, CreateOptions, Request};
use smb_proto::msg::{self, error};

use self::again::Survival;
use self::commit::Reserved;
use self::ctx::Contexts;
use self::resolve::Fields;
use super::{CmdResult, Cx, Outcome, Phase, Step, WRONG_REPLY};
use crate::config::BackendId;
use crate::core::breaks::CacheRequest;
use crate::core::name::Name;
use crate::core::{Conn, Core, TreeShare, Wake};
use crate::dispatch;
use crate::event::Event;
use crate::identity::Identity;
use crate::output::Completion;
use crate::status::{Refusal, of_vfs};
use crate::vfs::{
    Capabilities, DataAccess, Location, NodeId, OpenHow, Opened, VfsError, VfsHandle, VfsOp,
    VfsReply, VfsResult,
};

/// How often a CREATE starts over because the file came or went meanwhile. Each round means that
/// another client has made progress, so more than a few are a client's own game.
const MAX_TRIES: u32 = 16;

/// Where a CREATE is.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "boxed where it is kept")]
pub(crate) enum State {
    /// The backend looks for what the name names.
    Opening(Attempt),
    /// It is there, and the backend opens its directory, whose descriptor matters too.
    AskingParent(Attempt, Opened),
    /// The backend creates the file that a new stream needs.
    CreatingBase(Attempt, missing::Plan),
    /// The backend creates it.
    Creating(Attempt, missing::Plan),
    /// The open is entered in the tables, and the backend replaces the content of the file.
    Overwriting(Reserved),
    /// Others give up what they cache of it; then everything begins anew.
    Breaking(Attempt),
    /// The same for something that was created and that others have opened since.
    BreakingNew(Attempt, missing::Plan, Opened),
    /// The open was there already, and the backend is asked for what the answer shows of its file.
    Again(again::Again),
    /// Of the server's own: the backend opens what an earlier server had open.
    Restoring(restore::Restoring),
    /// Of the server's own: the backend removes what was created for nothing.
    Undoing(BackendId, Arc<Identity>, VfsHandle),
    /// Of the server's own: the backend takes a handle back.
    GivingBack,
}

impl State {
    /// The backend has been asked to open something that the tables do not know yet.
    fn in_flight(&self) -> bool {
        match self {
            Self::Opening(_)
            | Self::AskingParent(..)
            | Self::CreatingBase(..)
            | Self::Creating(..)
            | Self::BreakingNew(..) => true,
            Self::Breaking(_)
            | Self::Again(_)
            | Self::Restoring(_)
            | Self::Overwriting(_)
            | Self::Undoing(..)
            | Self::GivingBack => false,
        }
    }
}

/// A CREATE on a disk share on its way.
#[derive(Debug)]
pub(crate) struct Attempt {
    name: Name,
    fields: Fields,
    ctx: Contexts,
    cache: CacheRequest,
    survival: Survival,
    backend: BackendId,
    by: Arc<Identity>,
    capabilities: Capabilities,
    /// TreeConnect.MaximalAccess.
    tree_access: AccessMask,
    /// [`Core::removals`] when the backend was asked: what was removed later may be what it opened.
    since: u64,
    tries: u32,
    /// It has waited for others to give up what they cache.
    waited: bool,
}

/// Enters a CREATE.
pub(super) fn start(cx: &mut Cx<'_>, request: Request) -> CmdResult {
    let (_, tree) = cx.tree()?;
    let share = match &tree.share {
        TreeShare::Pipe => return pipe::open(cx, &request),
        TreeShare::Disk(share) => share.clone(),
    };
    let (by, tree_access) = (tree.identity.clone(), tree.access);
    let survival = match again::start(cx, &request, share.oplocks)? {
        Ok(survival) => survival,
        Err(step) => return step,
    };
    let fields = Fields::check(&request)?;
    if quota::is_meant(&request.name) {
        return quota::open(cx, &fields, share.backend, by, tree_access);
    }
    let (text, token) = snapshot::split(&request.name, share.capabilities);
    let name = Name::parse(&text, share.max_name)?;
    agree(&name, &fields, share.capabilities)?;
    let mut ctx = Contexts::check(&request.contexts, share.capabilities, &by)?;
    ctx.snapshot = ctx.snapshot.or(token);
    let capabilities = snapshot::capabilities(share.capabilities, &fields, &ctx)?;
    has_room(cx.core)?;
    let cache = cache::request(cx, &request, share.oplocks)?;
    let attempt = Attempt {
        name,
        fields,
        ctx,
        cache,
        survival,
        backend: share.backend,
        by,
        capabilities,
        tree_access,
        since: 0,
        tries: 0,
        waited: false,
    };
    cx.core.creates_in_flight = cx.core.creates_in_flight.saturating_add(1);
    let step = attempt.open(cx);
    land(cx.core, step)
}

/// Goes on with a CREATE.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let in_flight = state.in_flight();
    if let State::Breaking(attempt) = state {
        woken(&wake)?;
        cx.core.creates_in_flight = cx.core.creates_in_flight.saturating_add(1);
        let step = attempt.open(cx);
        return land(cx.core, step);
    }
    let step = match state {
        State::Again(again) => again::resume(cx, again, wake),
        State::Restoring(restoring) => restore::resume(cx, restoring, wake),
        State::BreakingNew(a, plan, opened) => missing::go_on(cx, a, plan, opened, woken(&wake)),
        other => go_on(cx, other, wake),
    };
    if in_flight { land(cx.core, step) } else { step }
}

/// Why the waiting for others has ended: they are done, or the client does not want any more.
fn woken(wake: &Wake) -> Result<(), Refusal> {
    match wake {
        Wake::Ready => Ok(()),
        Wake::Cancelled => Err(Refusal(NtStatus::CANCELLED)),
        Wake::Closed => Err(Refusal(NtStatus::USER_SESSION_DELETED)),
        Wake::Completion(_) => Err(WRONG_REPLY),
    }
}

/// Ends the time in which what the backend opens is not in the tables, once that is so.
fn land(core: &mut Core, step: CmdResult) -> CmdResult {
    let still = matches!(&step, Ok(Step::Wait(Phase::Create(state))) if state.in_flight());
    if !still {
        core.creates_in_flight = core.creates_in_flight.saturating_sub(1);
        if core.creates_in_flight == 0 {
            core.removed_meanwhile.clear();
        }
    }
    step
}

fn go_on(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let result: VfsResult = match wake {
        Wake::Completion(Completion::Vfs(result)) => result,
        // Nothing else wakes an operation that waits for a backend.
        Wake::Completion(Completion::Account(_) | Completion::Accounts(_))
        | Wake::Ready
        | Wake::Cancelled
        | Wake::Closed => return Err(WRONG_REPLY),
    };
    match state {
        State::Opening(a) => match result {
            Ok(VfsReply::Opened(opened)) => existing::judge(cx, a, opened, None),
            Ok(VfsReply::Missing(place)) => missing::create(cx, a, &place),
            Ok(_) => Err(WRONG_REPLY),
            Err(error) => refuse(cx, error),
        },
        State::AskingParent(a, opened) => {
            let mut rights = AccessMask::empty();
            if let Ok(VfsReply::Opened(parent)) = result {
                rights = crate::acl::check::maximal(&parent.security, &a.by);
                give_back(cx, &a, parent.handle);
            }
            existing::judge(cx, a, opened, Some(rights))
        }
        State::CreatingBase(a, plan) => missing::base_created(cx, a, plan, result),
        State::Creating(a, plan) => missing::created(cx, a, plan, result),
        State::Overwriting(reserved) => commit::overwritten(cx, &reserved, result),
        // These wait for others, not for the backend.
        State::Breaking(_) | State::BreakingNew(..) | State::Again(_) | State::Restoring(_) => {
            Err(WRONG_REPLY)
        }
        State::Undoing(backend, by, handle) => {
            failed(cx, "removing what was created for nothing", result);
            ask_close(cx, backend, by, handle)
        }
        State::GivingBack => {
            failed(cx, "close", result);
            Ok(Outcome::Silent.into())
        }
    }
}

/// Lets an operation wait in a state.
fn wait(state: State) -> CmdResult {
    Ok(Step::Wait(Phase::Create(Box::new(state))))
}

/// Whether name, fields and share fit together.
fn agree(name: &Name, fields: &Fields, capabilities: Capabilities) -> Result<(), NtStatus> {
    // [MS-FSA] 2.1.5.1: even the unnamed stream cannot be named where there are no streams.
    if (name.at.stream.is_some() || name.data) && !capabilities.contains(Capabilities::STREAMS) {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    if name.data && fields.directory() {
        return Err(NtStatus::NOT_A_DIRECTORY);
    }
    if name.directory && fields.options.contains(CreateOptions::NON_DIRECTORY_FILE) {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(())
}

/// Refuses more opens than the server may have.
fn has_room(core: &Core) -> Result<(), Refusal> {
    if core.opens.len() >= core.config.limits.max_opens {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    Ok(())
}

impl Attempt {
    /// Asks for what the name names.
    fn open(mut self, cx: &mut Cx<'_>) -> CmdResult {
        self.since = cx.core.removals;
        let how = OpenHow {
            data: self.data_access(),
            open_reparse: self
                .fields
                .options
                .contains(CreateOptions::OPEN_REPARSE_POINT),
        };
        let op = snapshot::open(self.ctx.snapshot, self.name.at.clone(), how);
        cx.ask_backend(self.backend, self.by.clone(), op)?;
        wait(State::Opening(self))
    }

    /// Starts over because the file came or went meanwhile; `status` when that has happened too
    /// often.
    fn again(mut self, cx: &mut Cx<'_>, status: NtStatus) -> CmdResult {
        self.tries = self.tries.saturating_add(1);
        if self.tries >= MAX_TRIES {
            return Err(Refusal(status));
        }
        self.open(cx)
    }

    /// What the backend has to be able to do with an existing file.
    fn data_access(&self) -> DataAccess {
        const WRITES: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);
        const READS: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_EXECUTE);
        let f = &self.fields;
        // An existing file will be refused, whatever it is.
        if f.disposition == CreateDisposition::Create {
            return DataAccess::None;
        }
        let rights = f.desired | f.implied();
        if f.directory() {
            // The rights of the same number mean adding entries; a directory's data is its list.
            return if rights.intersects(READS | WRITES) {
                DataAccess::Read
            } else if f.maximum {
                DataAccess::Best
            } else {
                DataAccess::None
            };
        }
        if rights.intersects(WRITES) {
            DataAccess::ReadWrite
        } else if f.maximum {
            DataAccess::Best
        } else if rights.intersects(READS) {
            DataAccess::Read
        } else {
            DataAccess::None
        }
    }
}

/// The name of `node` was removed after the backend was asked, so that what it opened may be the
/// removed file.
fn removed_since(core: &Core, node: NodeId, since: u64) -> bool {
    core.removed_meanwhile
        .get(&node)
        .is_some_and(|n| *n > since)
}

/// Whether the file (or the stream of it, or the whole with all streams) is being deleted under
/// this name ([MS-FSA] 2.1.5.1: Link.IsDeleted, Stream.IsDeleted).
fn being_deleted(core: &Core, node: NodeId, at: &Location) -> bool {
    core.rows_of(node).into_iter().any(|id| {
        let Some(row) = core.files.get(id) else {
            return false;
        };
        let concerned = match (&row.key.stream, &at.stream) {
            (None, _) => true,
            (Some(row), Some(mine)) => *row == crate::names::fold(mine),
            (Some(_), None) => false,
        };
        let this_name = row
            .delete_pending
            .as_ref()
            .is_some_and(|p| p.at.path.beneath(&at.path) == Some(""));
        concerned && (row.removing || this_name)
    })
}

/// The backend will not open it.
pub(super) fn refuse(cx: &Cx<'_>, error: VfsError) -> CmdResult {
    match error {
        VfsError::StoppedOnSymlink {
            unparsed,
            target,
            relative,
        } => {
            let link = reply::symlink(unparsed, target, relative);
            let dialect = cx.core.conns.get(cx.conn()?).and_then(Conn::dialect);
            let dialect = dialect.ok_or(Refusal(NtStatus::CONNECTION_DISCONNECTED))?;
            let body = error::Response::stopped_on_symlink(&link, dialect);
            Ok(Outcome::Error(NtStatus::STOPPED_ON_SYMLINK, body).into())
        }
        // Something on the way is no directory.
        VfsError::NotADirectory => Err(Refusal(NtStatus::OBJECT_PATH_NOT_FOUND)),
        other => Err(Refusal(of_vfs(&other))),
    }
}

/// Gives back a handle that will not be used.
fn give_back(cx: &mut Cx<'_>, a: &Attempt, handle: VfsHandle) {
    let (backend, by) = (a.backend, a.by.clone());
    dispatch::spawn(cx.core, cx.now, |cx| ask_close(cx, backend, by, handle));
}

/// Removes what was just created and gives the handle back.
fn undo(cx: &mut Cx<'_>, a: &Attempt, at: Location, handle: VfsHandle) {
    let (backend, by) = (a.backend, a.by.clone());
    dispatch::spawn(cx.core, cx.now, |cx| {
        cx.ask_backend(backend, by.clone(), VfsOp::Remove { handle, at })?;
        wait(State::Undoing(backend, by, handle))
    });
}

fn ask_close(
    cx: &mut Cx<'_>,
    backend: BackendId,
    by: Arc<Identity>,
    handle: VfsHandle,
) -> CmdResult {
    cx.ask_backend(backend, by, VfsOp::Close { handle })?;
    wait(State::GivingBack)
}

/// Reports the failure of something that nobody waits for.
fn failed(cx: &mut Cx<'_>, doing: &'static str, result: VfsResult) {
    if let Err(error) = result {
        cx.core.event(Event::BackendFailed { doing, error });
    }
}

/// The answer as a step.
fn done(body: msg::create::Response) -> CmdResult {
    Ok(msg::Response::Create(body).into())
}
