//! What must hold between the tables after every input.

use smb_proto::Command;
use smb_proto::create_ctx::LeaseState;

use super::breaks::Cache;
use super::caching::{self, Caching};
use super::{Core, File, OpenKind, SessionState};
use crate::table::Id;

/// Walks all tables. The sentence names the first disagreement.
pub(crate) fn check(core: &Core) -> Result<(), String> {
    connections(core)?;
    sessions(core)?;
    opens(core)?;
    files(core)?;
    leases(core)?;
    super::persistent::check(core)?;
    operations(core)
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn connections(core: &Core) -> Result<(), String> {
    for (id, c) in core.conns.iter() {
        for (wire, session) in &c.sessions {
            let s = core
                .sessions
                .get(*session)
                .ok_or_else(|| format!("connection {id} lists session {wire}, which has gone"))?;
            must(
                s.channels.contains_key(&id) || s.setups.contains_key(&id),
                || format!("connection {id} lists session {wire}, which does not know it"),
            )?;
        }
        for chain in &c.chains {
            let known = core.chains.get(*chain).is_some_and(|ch| ch.conn == id);
            must(known, || {
                format!("connection {id} lists message {chain}, which has gone")
            })?;
        }
        for op in c.by_message.values().chain(c.by_async.values()) {
            let known = core.ops.get(*op).is_some_and(|op| op.conn == Some(id));
            must(known, || {
                format!("connection {id} lists operation {op}, which has gone")
            })?;
        }
        must(c.window.available() > 0 || !c.chains.is_empty(), || {
            format!("connection {id} has no credits and nothing that will grant any")
        })?;
    }
    Ok(())
}

fn sessions(core: &Core) -> Result<(), String> {
    must(core.sessions.len() == core.session_by_wire.len(), || {
        "sessions and their ids differ in number".to_owned()
    })?;
    for (id, s) in core.sessions.iter() {
        must(core.session_by_wire.get(&s.wire) == Some(&id), || {
            format!("session {id} is not known by its id {}", s.wire)
        })?;
        for conn in s.channels.keys().chain(s.setups.keys()) {
            let known = core
                .conns
                .get(*conn)
                .is_some_and(|c| c.sessions.get(&s.wire) == Some(&id));
            must(known, || {
                format!("session {id} has a channel on {conn}, which does not know it")
            })?;
        }
        must(!s.channels.is_empty() || !s.setups.is_empty(), || {
            format!("session {id} has neither channel nor set-up")
        })?;
        if matches!(s.state, SessionState::InProgress) {
            must(
                s.trees.is_empty() && s.opens.is_empty() && s.channels.is_empty(),
                || format!("session {id} owns things before it is authenticated"),
            )?;
        }
        for (wire, tree) in &s.trees {
            let known = core
                .trees
                .get(*tree)
                .is_some_and(|t| t.session == id && t.wire == *wire);
            must(known, || {
                format!("session {id} lists tree connect {wire}, which has gone")
            })?;
        }
        for open in &s.opens {
            let known = core.opens.get(*open).is_some_and(|o| o.session == id);
            must(known, || {
                format!("session {id} lists open {open}, which has gone")
            })?;
        }
    }
    for (id, t) in core.trees.iter() {
        let known = core
            .sessions
            .get(t.session)
            .is_some_and(|s| s.trees.get(&t.wire) == Some(&id));
        must(known, || format!("tree connect {id} belongs to no session"))?;
    }
    Ok(())
}

fn opens(core: &Core) -> Result<(), String> {
    for id in &core.watching {
        must(core.opens.get(*id).is_some(), || {
            format!("open {id} is listed as watching and has gone")
        })?;
    }
    for (id, o) in core.opens.iter() {
        let waits = core.timers.has(super::Timer::Durable(id));
        must(waits == (o.disconnected && !o.closing), || {
            format!("open {id} and the time in which its client may come back do not agree")
        })?;
        if !o.closing && !o.disconnected {
            let known = core
                .sessions
                .get(o.session)
                .is_some_and(|s| s.opens.contains(&id));
            must(known, || format!("open {id} belongs to no session"))?;
        }
        let users = core
            .ops
            .iter()
            .flat_map(|(_, op)| [op.open, op.source])
            .filter(|open| *open == Some(id))
            .count();
        must(usize::try_from(o.running) == Ok(users), || {
            format!(
                "open {id} counts {} operations, there are {users}",
                o.running
            )
        })?;
        must(
            core.watching.contains(&id) == super::notify::watches(core, id),
            || format!("open {id} watches and is not listed as such, or the other way round"),
        )?;
        if let OpenKind::File(f) = &o.kind {
            let known = core
                .files
                .get(f.file)
                .is_some_and(|r| r.opens.contains(&id));
            must(known, || format!("open {id} is missing in its file's row"))?;
            for op in f
                .watch
                .iter()
                .flat_map(|w| &w.waiting)
                .chain(&f.scan.waiting)
            {
                must(core.ops.get(*op).is_some(), || {
                    format!("open {id} is waited for by operation {op}, which has gone")
                })?;
            }
        }
    }
    Ok(())
}

fn files(core: &Core) -> Result<(), String> {
    must(core.files.len() == core.file_by_key.len(), || {
        "file rows and keys differ".to_owned()
    })?;
    for (id, r) in core.files.iter() {
        must(core.file_by_key.get(&r.key) == Some(&id), || {
            format!("row {id} is not under its key")
        })?;
        for open in &r.opens {
            let known = core
                .opens
                .get(*open)
                .and_then(|o| o.file())
                .is_some_and(|f| f.file == id);
            must(known, || {
                format!("row {id} lists open {open}, which has gone")
            })?;
        }
        must(
            !r.opens.is_empty() || r.removing || r.delete_pending.is_some(),
            || format!("row {id} has no open and nothing left to do"),
        )?;
        for lock in &r.locks {
            must(r.opens.contains(&lock.open), || {
                format!("row {id} has a lock without open")
            })?;
        }
        for (i, a) in r.locks.iter().enumerate() {
            for b in r.locks.iter().skip(i.saturating_add(1)) {
                let clash = (a.exclusive || b.exclusive)
                    && a.open != b.open
                    && a.len > 0
                    && b.len > 0
                    && a.offset <= b.offset.saturating_add(b.len.saturating_sub(1))
                    && b.offset <= a.offset.saturating_add(a.len.saturating_sub(1));
                must(!clash, || format!("row {id} has conflicting locks"))?;
            }
        }
        for op in &r.lock_waiters {
            must(core.ops.get(*op).is_some(), || {
                format!("row {id} lists waiter {op}, which has gone")
            })?;
        }
    }
    Ok(())
}

fn leases(core: &Core) -> Result<(), String> {
    must(core.leases.len() == core.lease_by_owner.len(), || {
        "leases and their keys differ in number".to_owned()
    })?;
    must(super::dir_lease::agree(core), || {
        "leases on directories are not under the names of these".to_owned()
    })?;
    for (id, l) in core.leases.iter() {
        must(core.lease_by_owner.get(&l.owner) == Some(&id), || {
            format!("lease {id} is not under its key")
        })?;
        let on = core.files.get(l.file);
        must(on.is_some_and(|r| r.leases.contains(&id)), || {
            format!("lease {id} is missing in its file's row")
        })?;
        must(!l.opens.is_empty(), || format!("lease {id} has no open"))?;
        for open in &l.opens {
            let file = core.opens.get(*open).and_then(|o| o.file());
            let known = file.is_some_and(|f| f.cache == Cache::Lease(id) && f.file == l.file);
            must(known, || {
                format!("lease {id} lists open {open}, which does not have it")
            })?;
        }
        breaking(core, &l.caching, super::Timer::LeaseBreak(id))?;
    }
    for (id, o) in core.opens.iter() {
        match o.file().map(|f| f.cache) {
            Some(Cache::Lease(lease)) => {
                let known = core
                    .leases
                    .get(lease)
                    .is_some_and(|l| l.opens.contains(&id));
                must(known, || {
                    format!("open {id} has a lease that does not know it")
                })?;
            }
            Some(Cache::Oplock(c)) => breaking(core, &c, super::Timer::OplockBreak(id))?,
            Some(Cache::None) | None => {}
        }
    }
    for (id, row) in core.files.iter() {
        caches(core, id, row)?;
    }
    Ok(())
}

/// A break that is not acknowledged has its deadline, and nothing else has one.
fn breaking(core: &Core, c: &Caching, timer: super::Timer) -> Result<(), String> {
    must(c.breaking().is_some() == core.timers.has(timer), || {
        format!("{timer:?} and the break it is for do not agree")
    })
}

/// Who caches writes is alone ([MS-FSA] 2.1.1.10), and whoever waits for breaks waits for one.
fn caches(core: &Core, id: Id<File>, row: &File) -> Result<(), String> {
    let leases = row.leases.iter().filter_map(|l| core.leases.get(*l));
    let leases: Vec<_> = leases.map(|l| (l.caching, l.opens.as_slice())).collect();
    let oplocks = row.opens.iter().filter_map(|o| {
        let cache = core.opens.get(*o)?.file()?.cache;
        match cache {
            Cache::Oplock(c) => Some((c, std::slice::from_ref(o))),
            Cache::None | Cache::Lease(_) => None,
        }
    });
    for (c, opens) in leases.iter().copied().chain(oplocks) {
        if !c.state().contains(LeaseState::WRITE) {
            continue;
        }
        for id_of_other in row.opens.iter().filter(|o| !opens.contains(o)) {
            let Some(other) = core.opens.get(*id_of_other) else {
                continue;
            };
            // One that is still being made may join the same lease.
            let being_made = core.ops.iter().any(|(_, op)| {
                op.open == Some(*id_of_other) && op.header.command() == Some(Command::Create)
            });
            if being_made {
                continue;
            }
            let caches = match other.file().map(|f| f.cache) {
                None | Some(Cache::None) => false,
                Some(Cache::Oplock(c)) => !c.state().is_empty(),
                Some(Cache::Lease(id)) => {
                    let lease = core.leases.get(id);
                    lease.is_some_and(|l| !l.caching.state().is_empty())
                }
            };
            let looks = caching::only_looks_beside_a_lease(other.granted);
            must(looks && !caches, || {
                format!("somebody caches writes of file {id}, and is not alone")
            })?;
        }
    }
    for op in &row.break_waiters {
        let waits = core
            .ops
            .get(*op)
            .is_some_and(|op| op.wait == super::Wait::Break(id));
        must(waits, || {
            format!("row {id} lists {op}, which does not wait for breaks")
        })?;
    }
    Ok(())
}

fn operations(core: &Core) -> Result<(), String> {
    for (open, readers) in &core.pipe_readers {
        for op in readers {
            let waits = core
                .ops
                .get(*op)
                .is_some_and(|op| op.wait == super::Wait::Pipe(*open));
            must(waits, || {
                format!("pipe {open} lists reader {op}, which does not wait for it")
            })?;
        }
    }
    for (session, op) in &core.logoffs {
        let waits = core
            .ops
            .get(*op)
            .is_some_and(|op| op.wait == super::Wait::Ended(*session));
        must(waits && core.runs_elsewhere(*session, *op), || {
            format!("LOGOFF {op} of session {session} has nothing to wait for")
        })?;
    }
    for (id, op) in core.ops.iter() {
        must(op.phase.is_some(), || {
            format!("operation {id} neither runs nor waits")
        })?;
        if let Some(chain) = op.chain {
            let known = core
                .chains
                .get(chain)
                .is_some_and(|c| c.current == Some(id));
            must(known, || {
                format!("operation {id} belongs to a message that does not run it")
            })?;
        }
    }
    for (id, chain) in core.chains.iter() {
        must(chain.current.is_some(), || {
            format!("message {id} waits for nothing")
        })?;
    }
    Ok(())
}
