//! The only place where objects of the tables end: connection → session → tree connect → open →
//! file. Every function may be called for something that has gone already.

use std::sync::Arc;

use smb_proto::FileTime;
use smb_proto::info::notify::Action;
use smb_proto::msg::change_notify::CompletionFilter;

use super::lease::LeaseOwner;
use super::{
    Core, DeletePending, File, FileOpen, Open, OpenKind, Session, Timer, Tree, Wait, Wake,
};
use crate::config::BackendId;
use crate::dispatch;
use crate::event::Event;
use crate::identity::Identity;
use crate::output::{ConnId, KeyUpdate, Output};
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{Location, NodeId, VfsHandle};

/// An operation has stopped using an open.
pub(crate) fn release(core: &mut Core, now: Now, open: Id<Open>) {
    let Some(o) = core.opens.get_mut(open) else {
        return;
    };
    o.running = o.running.saturating_sub(1);
    if o.running == 0
        && let Some(closer) = o.closer.take()
    {
        dispatch::wake(core, now, closer, Wake::Ready);
    }
}

/// Begins to close an open: nothing new may use it, and whoever waits on it for other clients is
/// answered. Says whether the caller is the one to close it.
pub(crate) fn begin_close(core: &mut Core, now: Now, open: Id<Open>) -> bool {
    let Some(o) = core.opens.get_mut(open) else {
        return false;
    };
    if o.closing {
        return false;
    }
    o.closing = true;
    core.timers.clear(Timer::Durable(open));
    stop_using(core, now, open);
    true
}

/// Answers whoever waits on an open for other clients.
pub(crate) fn stop_using(core: &mut Core, now: Now, open: Id<Open>) {
    let Some(o) = core.opens.get(open) else {
        return;
    };
    let mut waiting = Vec::new();
    let mut file = None;
    if o.running > 0 {
        // Breaks may be waited for in the row of another file: of what a rename replaces, or of what is
        // open beneath a directory.
        let breaks = core.ops.iter();
        let breaks = breaks.filter(|(_, op)| matches!(op.wait, Wait::Break(_)));
        let mine = breaks.filter(|(_, op)| op.open == Some(open));
        waiting.extend(mine.map(|(id, _)| id));
    }
    if let Some(f) = o.file() {
        waiting.extend(f.scan.waiting.iter().copied());
        if let Some(w) = &f.watch {
            waiting.extend(w.waiting.iter().copied());
        }
        file = Some(f.file);
    }
    if let Some(f) = file.and_then(|id| core.files.get(id)) {
        waiting.extend(
            f.lock_waiters
                .iter()
                .filter(|op| core.ops.get(**op).is_some_and(|op| op.open == Some(open))),
        );
    }
    waiting.extend(core.pipe_readers.get(&open).into_iter().flatten());
    for op in waiting {
        dispatch::interrupt(core, now, op, Wake::Closed);
    }
}

/// What is left to do with the backend after an open has left the tables.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) backend: BackendId,
    pub(crate) by: Arc<Identity>,
    pub(crate) handle: VfsHandle,
    /// The write time that the file gets by being closed.
    pub(crate) write_time: Option<FileTime>,
    /// Data was written through it: where, and the lease on the directory of who did.
    pub(crate) written: Option<Box<(Location, Option<LeaseOwner>)>>,
    /// The name to remove first, and the row to drop then.
    pub(crate) remove: Option<Box<Removal>>,
}

/// A name that goes with the last open of its file.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) row: Id<File>,
    pub(crate) node: NodeId,
    pub(crate) at: Location,
    pub(crate) by: Arc<Identity>,
    /// The lease on its directory that stays: of who said that the name goes, if that one closes it.
    pub(crate) parent_lease: Option<LeaseOwner>,
    pub(crate) directory: bool,
}

/// Takes an open that nothing uses any more out of all tables: its share mode and locks end here.
/// `None` if nothing of it is the backend's (a pipe, quotas), or it had gone.
pub(crate) fn detach(core: &mut Core, now: Now, id: Id<Open>) -> Option<Leftover> {
    let open = core.opens.remove(id)?;
    super::durable::release(core, id, &open);
    core.watching.remove(&id);
    if let Some(s) = core.sessions.get_mut(open.session) {
        s.opens.remove(&id);
    }
    let OpenKind::File(f) = open.kind else {
        return None;
    };
    let keep_locks = mutated!(core, LockKeptAtClose);
    let mut wake = std::collections::VecDeque::new();
    let mut goes = false;
    super::breaks::release(core, id, &f);
    if let Some(row) = core.files.get_mut(f.file) {
        row.opens.retain(|o| *o != id);
        let before = row.locks.len();
        row.locks.retain(|l| l.open != id || keep_locks);
        if row.locks.len() != before {
            wake.extend(row.lock_waiters.iter().copied());
        }
        wake.extend(std::mem::take(&mut row.break_waiters));
        if f.delete_on_close && row.delete_pending.is_none() {
            row.delete_pending = Some(DeletePending {
                at: f.at.clone(),
                by: f.by.clone(),
                parent_lease: f.parent_lease,
            });
            goes = true;
        }
    }
    if goes {
        super::persistent::file_changed(core, f.file);
        super::notify::directory_goes(core, now, f.file);
    }
    let write_time = super::write_time::closed(core, now, &f);
    let remove = settle_rows(core, &f);
    dispatch::wake_all(core, now, wake);
    Some(Leftover {
        backend: f.backend,
        by: f.by,
        handle: f.handle,
        write_time: write_time.filter(|_| remove.is_none()),
        written: f.wrote.then(|| Box::new((f.at, f.parent_lease))),
        remove,
    })
}

/// Drops the rows that nobody needs any more, and says which name has to go.
///
/// A file that is to be deleted goes when no stream of it is open any more ([MS-FSA] 2.1.5.5), or
/// with POSIX semantics with the open that said so; the others then have a file without this name.
fn settle_rows(core: &mut Core, f: &FileOpen) -> Option<Box<Removal>> {
    let rows = core.rows_of(f.node);
    let open_somewhere = rows
        .iter()
        .any(|r| core.files.get(*r).is_some_and(|r| !r.opens.is_empty()));
    let mut removal = None;
    for row in rows {
        let Some(r) = core.files.get_mut(row) else {
            continue;
        };
        let whole = r.key.stream.is_none();
        let at_once = f.posix_delete && row == f.file && r.delete_pending.is_some();
        let needed = !r.opens.is_empty() || (whole && open_somewhere && r.delete_pending.is_some());
        if r.removing || (needed && !at_once) {
            continue;
        }
        match (&r.delete_pending, &removal) {
            // The whole file is first in order, and takes its streams with it.
            (Some(pending), None) => {
                r.removing = true;
                removal = Some(Box::new(Removal {
                    row,
                    node: f.node,
                    at: pending.at.clone(),
                    by: pending.by.clone(),
                    parent_lease: pending
                        .parent_lease
                        .filter(|lease| f.parent_lease == Some(*lease)),
                    directory: f.directory && whole,
                }));
            }
            _ => drop_row(core, row),
        }
    }
    removal
}

/// A row has no more use.
pub(crate) fn drop_row(core: &mut Core, row: Id<File>) {
    core.timers.clear(Timer::WriteTime(row));
    if let Some(r) = core.files.remove(row) {
        core.file_by_key.remove(&r.key);
    }
}

/// The backend has removed a name (or could not): its row ends, and who waits for that looks again.
pub(crate) fn removed(core: &mut Core, now: Now, backend: BackendId, r: &Removal, done: bool) {
    let row = core.files.get_mut(r.row);
    let waiting = row.map(|row| std::mem::take(&mut row.break_waiters));
    end_removal(core, now, backend, r, done);
    dispatch::wake_all(core, now, waiting.unwrap_or_default().into());
}

fn end_removal(core: &mut Core, now: Now, backend: BackendId, r: &Removal, done: bool) {
    match core.files.get_mut(r.row) {
        // Others have the file open still.
        Some(row) if !row.opens.is_empty() => {
            row.removing = false;
            row.delete_pending = None;
            super::persistent::file_changed(core, r.row);
        }
        _ => drop_row(core, r.row),
    }
    if !done {
        return;
    }
    core.removals = core.removals.wrapping_add(1);
    if core.creates_in_flight > 0 {
        core.removed_meanwhile.insert(r.node, core.removals);
    }
    let filter = match (&r.at.stream, r.directory) {
        (Some(_), _) => CompletionFilter::STREAM_NAME,
        (None, true) => CompletionFilter::DIR_NAME,
        (None, false) => CompletionFilter::FILE_NAME,
    };
    let action = match r.at.stream {
        Some(_) => Action::REMOVED_STREAM,
        None => Action::REMOVED,
    };
    super::dir_lease::entry_changed(core, now, backend, &r.at, r.parent_lease);
    super::notify::report(core, now, backend, &r.at, action, filter);
}

/// Closes an open for which no CLOSE came.
pub(crate) fn close_open(core: &mut Core, now: Now, open: Id<Open>) {
    if mutated!(core, DeleteOnCloseForgotten)
        && let Some(f) = core.opens.get_mut(open).and_then(Open::file_mut)
    {
        f.delete_on_close = false;
    }
    if begin_close(core, now, open) {
        dispatch::spawn(core, now, |cx| crate::cmd::close::unasked(cx, open));
    }
}

/// Ends a tree connect and everything opened through it ([MS-SMB2] 3.3.5.8).
pub(crate) fn end_tree(core: &mut Core, now: Now, id: Id<Tree>) {
    let Some(tree) = core.trees.remove(id) else {
        return;
    };
    if let Some(s) = core.sessions.get_mut(tree.session) {
        s.trees.remove(&tree.wire);
    }
    stop_waiting(core, now, |op| op.tree == Some(id));
    let opens: Vec<_> = core
        .opens
        .iter()
        .filter(|(_, o)| o.tree == id && !o.disconnected)
        .map(|(id, _)| id)
        .collect();
    for open in opens {
        close_open(core, now, open);
    }
}

/// Ends the waiting for breaks of others of what has lost its tree connect or session.
fn stop_waiting(core: &mut Core, now: Now, concerns: impl Fn(&super::Op) -> bool) {
    let waiting: Vec<_> = core
        .ops
        .iter()
        .filter(|(_, op)| matches!(op.wait, Wait::Break(_)) && concerns(op))
        .map(|(id, _)| id)
        .collect();
    for op in waiting {
        dispatch::interrupt(core, now, op, Wake::Closed);
    }
}

/// Ends a session on all its channels ([MS-SMB2] 3.3.5.6, 3.3.7.1). Durable opens stay behind, however
/// it ends.
pub(crate) fn end_session(core: &mut Core, now: Now, id: Id<Session>) {
    super::durable::leave_behind(core, now, id);
    let Some(session) = core.sessions.get_mut(id) else {
        return;
    };
    let trees: Vec<_> = session.trees.values().copied().collect();
    for tree in trees {
        end_tree(core, now, tree);
    }
    stop_waiting(core, now, |op| op.session == Some(id));
    let Some(session) = core.sessions.get(id) else {
        return;
    };
    let opens: Vec<_> = session.opens.iter().copied().collect();
    for open in opens {
        close_open(core, now, open);
    }
    let Some(mut session) = core.sessions.remove(id) else {
        return;
    };
    // What came encrypted is answered encrypted, also after the end.
    for chain in core.chains.ids() {
        if let Some(chain) = core.chains.get_mut(chain)
            && chain.sealed == Some(session.wire)
            && chain.seal.is_none()
        {
            chain.seal = session.seal_plan();
        }
    }
    core.session_by_wire.remove(&session.wire);
    core.timers.clear(Timer::Idle(id));
    core.timers.clear(Timer::Expire(id));
    for (conn, channel) in &session.channels {
        if let (Some(c), Some(key)) = (core.conns.get_mut(*conn), channel.signing.clone()) {
            c.remember_ended(session.wire, key);
        }
    }
    let conns: Vec<ConnId> = session
        .channels
        .keys()
        .chain(session.setups.keys())
        .copied()
        .collect();
    for conn in conns {
        if let Some(c) = core.conns.get_mut(conn)
            && c.sessions.remove(&session.wire).is_some()
        {
            core.emit(Output::Keys(conn, KeyUpdate::Remove(session.wire)));
        }
    }
    if session.established().is_some() {
        core.event(Event::LoggedOff {
            session: session.wire,
        });
    }
}

/// The connection for which an operation goes on when its own has gone: a CREATE that the client will
/// repeat on another channel of the session, by the name it has given it ([MS-SMB2] 3.3.5.9.10), and
/// that would wait for itself if it had to begin anew.
fn heir(core: &Core, op: Id<super::Op>, gone: ConnId) -> Option<ConnId> {
    let op = core.ops.get(op).filter(|op| op.create_key.is_some())?;
    let session = core.sessions.get(op.session?)?;
    let mut others = session.channels.keys().filter(|c| **c != gone);
    others
        .find(|c| core.conns.get(**c).is_some_and(|c| !c.closing))
        .copied()
}

/// A transport connection has gone ([MS-SMB2] 3.3.7.1): what only it carried ends with it.
pub(crate) fn end_conn(core: &mut Core, now: Now, id: ConnId) {
    let Some(c) = core.conns.get_mut(id) else {
        return;
    };
    c.closing = true;
    let chains: Vec<_> = c.chains.iter().copied().collect();
    let sessions: Vec<_> = c.sessions.iter().map(|(w, s)| (*w, *s)).collect();
    for chain in chains {
        let Some(chain) = core.chains.remove(chain) else {
            continue;
        };
        let Some(op) = chain.current else { continue };
        // Nobody can be answered any more. What the backend is doing comes to its end and is
        // accounted for; what waits for others stops waiting.
        if let Some(op) = core.ops.get_mut(op) {
            op.chain = None;
        }
        core.timers.clear(Timer::Interim(op));
    }
    let orphans: Vec<_> = core
        .ops
        .iter()
        .filter(|(_, op)| op.conn == Some(id) && op.chain.is_none())
        .map(|(op, _)| op)
        .collect();
    for op in orphans {
        let heir = heir(core, op, id);
        let Some(o) = core.ops.get_mut(op) else {
            continue;
        };
        o.conn = heir;
        if heir.is_none() && !matches!(o.wait, Wait::Completion(_)) {
            dispatch::interrupt(core, now, op, Wake::Closed);
        }
    }
    core.timers.clear(Timer::Logon(id));
    let unheard = super::retell::on(core, id);
    for (wire, session) in sessions {
        let Some(s) = core.sessions.get_mut(session) else {
            continue;
        };
        s.channels.remove(&id);
        s.setups.remove(&id);
        let alone = s.channels.is_empty();
        if let Some(c) = core.conns.get_mut(id) {
            c.sessions.remove(&wire);
        }
        if alone {
            end_session(core, now, session);
        }
    }
    core.conns.remove(id);
    super::retell::again(core, now, unheard);
}
