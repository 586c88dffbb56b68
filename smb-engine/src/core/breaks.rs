//! Breaking oplocks and leases: finding who holds some, telling them, waiting for them
//! ([MS-SMB2] 3.3.4.6, 3.3.4.7, 3.3.5.22, 3.3.6.1, [MS-FSA] 2.1.4.12). The rules themselves are in
//! [`super::caching`].

use smb_proto::NtStatus;
use smb_proto::create_ctx::LeaseState;
use smb_proto::msg::{OplockLevel, oplock_break};

use super::caching::{self, Around, Caching, Contention, Notice};
use super::lease::{Lease, LeaseOwner, LeaseRequest};
use super::{
    Core, File, FileOpen, Open, Timer, dir_lease, durable, notification, persistent, retell,
};
use crate::dispatch;
use crate::table::Id;
use crate::time::Now;

/// What an open may cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cache {
    /// Nothing, or no more.
    #[default]
    None,
    /// By an oplock of its own (Open.OplockLevel, Open.OplockState).
    Oplock(Caching),
    /// By a lease that it shares with others (Open.Lease).
    Lease(Id<Lease>),
}

/// Who does something that caches of others stand against. What it holds itself does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct By {
    pub(crate) open: Option<Id<Open>>,
    pub(crate) lease: Option<LeaseOwner>,
}

/// One who may cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Oplock(Id<Open>),
    Lease(Id<Lease>),
}

/// Who does something through this open.
pub(crate) fn by(core: &Core, open: Id<Open>) -> By {
    let lease = core
        .opens
        .get(open)
        .and_then(Open::file)
        .and_then(|f| match f.cache {
            Cache::Lease(id) => core.leases.get(id).map(|l| l.owner),
            Cache::None | Cache::Oplock(_) => None,
        });
    By {
        open: Some(open),
        lease,
    }
}

pub(super) fn caching(core: &Core, holder: Holder) -> Option<Caching> {
    match holder {
        Holder::Lease(id) => core.leases.get(id).map(|l| l.caching),
        Holder::Oplock(id) => match core.opens.get(id)?.file()?.cache {
            Cache::Oplock(c) => Some(c),
            Cache::None | Cache::Lease(_) => None,
        },
    }
}

fn set(core: &mut Core, holder: Holder, caching: Caching) {
    match holder {
        Holder::Lease(id) => {
            if let Some(l) = core.leases.get_mut(id) {
                l.caching = caching;
            }
            lease_changed(core, id);
        }
        Holder::Oplock(id) => {
            if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
                // Nothing is left of an oplock that is broken to nothing.
                let gone = caching.state().is_empty();
                f.cache = if gone {
                    Cache::None
                } else {
                    Cache::Oplock(caching)
                };
            }
            persistent::changed(core, id);
        }
    }
}

/// Opens that outlive the server tell of their lease.
fn lease_changed(core: &mut Core, id: Id<Lease>) {
    let opens = core.leases.get(id).map(|l| l.opens.clone());
    for open in opens.unwrap_or_default() {
        persistent::changed(core, open);
    }
}

/// All who may cache something of the file but `by`.
fn holders(core: &Core, row: Id<File>, by: By) -> Vec<Holder> {
    let Some(row) = core.files.get(row) else {
        return Vec::new();
    };
    let leases = row.leases.iter().copied().filter(|id| {
        let owner = core.leases.get(*id).map(|l| l.owner);
        owner.is_some() && owner != by.lease
    });
    let oplocks = row.opens.iter().copied().filter(|id| {
        let file = core.opens.get(*id).and_then(Open::file);
        by.open != Some(*id) && file.is_some_and(|f| matches!(f.cache, Cache::Oplock(_)))
    });
    let leases = leases.map(Holder::Lease);
    leases.chain(oplocks.map(Holder::Oplock)).collect()
}

/// Breaks whatever caches of others stand against this. Says whether that has to be waited for, in
/// [`File::break_waiters`].
pub(crate) fn contend(core: &mut Core, now: Now, row: Id<File>, by: By, what: Contention) -> bool {
    let mut wait = false;
    for holder in holders(core, row, by) {
        let Some(held) = caching(core, holder) else {
            continue;
        };
        let lease = matches!(holder, Holder::Lease(_));
        match caching::demand(held.state(), lease, what) {
            Some(demand) => {
                break_to(core, now, holder, demand.keep);
                // It may have been broken at once.
                let still = caching(core, holder).is_some_and(|c| c.breaking().is_some());
                wait |= still && (demand.wait || in_the_way(held, lease, what));
            }
            None => wait |= in_the_way(held, lease, what),
        }
    }
    wait && !mutated!(core, BreakNotAwaited)
}

/// An open waits for breaks that are on their way, whoever caused them. One that replaces the content
/// does not begin to wait for them, since it needs nothing of what they bring back.
fn in_the_way(held: Caching, lease: bool, what: Contention) -> bool {
    let Contention::Open {
        access,
        overwrites,
        waited,
        denied: _,
    } = what
    else {
        return false;
    };
    if overwrites && !waited {
        return false;
    }
    let looks =
        caching::only_looks(access) || (lease && caching::only_looks_beside_a_lease(access));
    held.breaking().is_some() && !looks
}

fn break_to(core: &mut Core, now: Now, holder: Holder, keep: LeaseState) {
    let Some(mut c) = caching(core, holder) else {
        return;
    };
    if mutated!(core, BreakNotSent) {
        return end(core, holder);
    }
    let told = c.breaking();
    let Some(notice) = c.demand(keep) else {
        if let Some(to) = told.filter(|_| mutated!(core, BreakSentTwice)) {
            let from = c.state();
            let acknowledge = true;
            let notice = Notice {
                from,
                to,
                acknowledge,
            };
            tell(core, now, holder, notice);
        }
        set(core, holder, c);
        return;
    };
    set(core, holder, c);
    if let Holder::Lease(id) = holder
        && !mutated!(core, EpochNotCounted)
        && let Some(l) = core.leases.get_mut(id)
    {
        l.epoch = l.epoch.wrapping_add(1);
    }
    tell(core, now, holder, notice);
}

/// Tells the client of a holder; one that cannot be told holds nothing any more. Further steps of one
/// break do not count in the epoch.
pub(super) fn tell(core: &mut Core, now: Now, holder: Holder, notice: Notice) {
    let body = match holder {
        Holder::Lease(id) => {
            let Some(l) = core.leases.get(id) else {
                return;
            };
            let mut flags = oplock_break::LeaseBreakFlags::empty();
            flags.set(
                oplock_break::LeaseBreakFlags::ACK_REQUIRED,
                notice.acknowledge,
            );
            oplock_break::Message::LeaseNotification(oplock_break::LeaseBreakNotification {
                new_epoch: if l.v2 { l.epoch } else { 0 },
                flags,
                lease_key: l.owner.key,
                current_lease_state: notice.from,
                new_lease_state: notice.to,
            })
        }
        Holder::Oplock(id) => {
            let Some(open) = core.opens.get(id) else {
                return;
            };
            oplock_break::Message::Oplock(oplock_break::OplockBreak {
                oplock_level: caching::to_oplock(notice.to),
                file_id: open.file_id,
            })
        }
    };
    let opens = match holder {
        Holder::Lease(id) => core.leases.get(id).map(|l| l.opens.clone()),
        Holder::Oplock(id) => Some(vec![id]),
    };
    let opens = opens.unwrap_or_default();
    let told = opens
        .iter()
        .find_map(|open| notification::send(core, *open, body));
    // A client that may be long in coming back is told then.
    let waits = opens.iter().any(|open| durable::stays(core, *open));
    if told.is_none() && !waits {
        unreachable(core, now, holder, &opens);
        return;
    };
    if notice.acknowledge {
        if let Some(conn) = told {
            retell::told(core, holder, conn, notice);
        }
        let after = core.config.limits.break_after;
        core.arm(timer(holder), now, after);
    }
}

/// Nobody can be told: nothing is cached any more, and durable opens that wait for their clients give
/// way ([MS-SMB2] 3.3.4.6, 3.3.4.7).
fn unreachable(core: &mut Core, now: Now, holder: Holder, opens: &[Id<Open>]) {
    end(core, holder);
    for id in opens {
        durable::give_way(core, now, *id);
    }
}

/// The client of an open has come back: it learns of a break that has begun meanwhile.
pub(crate) fn tell_again(core: &mut Core, open: Id<Open>) {
    let cache = core.opens.get(open).and_then(Open::file).map(|f| f.cache);
    let holder = match cache {
        Some(Cache::Lease(id)) => Holder::Lease(id),
        Some(Cache::Oplock(_)) => Holder::Oplock(open),
        Some(Cache::None) | None => return,
    };
    let Some((c, to)) = caching(core, holder).and_then(|c| Some((c, c.breaking()?))) else {
        return;
    };
    let notice = Notice {
        from: c.state(),
        to,
        acknowledge: true,
    };
    core.later.push_back(match holder {
        Holder::Lease(id) => Later::Lease(id, notice),
        Holder::Oplock(id) => Later::Oplock(id, notice),
    });
}

pub(super) fn timer(holder: Holder) -> Timer {
    match holder {
        Holder::Lease(id) => Timer::LeaseBreak(id),
        Holder::Oplock(id) => Timer::OplockBreak(id),
    }
}

/// A holder may cache nothing from now on.
fn end(core: &mut Core, holder: Holder) {
    core.timers.clear(timer(holder));
    if let Some(mut c) = caching(core, holder) {
        c.end();
        set(core, holder, c);
    }
}

/// The time for acknowledging a break is over: the server goes on as if nothing were cached
/// ([MS-SMB2] 3.3.6.1, 3.3.6.5).
pub(crate) fn lease_overdue(core: &mut Core, now: Now, id: Id<Lease>) {
    end(core, Holder::Lease(id));
    if let Some(row) = core.leases.get(id).map(|l| l.file) {
        wake_waiters(core, now, row);
    }
}

/// As [`lease_overdue`], of an oplock.
pub(crate) fn oplock_overdue(core: &mut Core, now: Now, id: Id<Open>) {
    end(core, Holder::Oplock(id));
    if let Some(row) = core.opens.get(id).and_then(Open::file).map(|f| f.file) {
        wake_waiters(core, now, row);
    }
}

/// The client of an oplock keeps this level. What it has then; a status if it may not say so now
/// ([MS-SMB2] 3.3.5.22.1).
pub(crate) fn acknowledge_oplock(
    core: &mut Core,
    id: Id<Open>,
    level: OplockLevel,
) -> Result<OplockLevel, NtStatus> {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return Err(NtStatus::FILE_CLOSED);
    };
    let row = f.file;
    let Cache::Oplock(mut c) = f.cache else {
        return Err(NtStatus::INVALID_OPLOCK_PROTOCOL);
    };
    let Some(told) = c.breaking() else {
        return Err(NtStatus::INVALID_OPLOCK_PROTOCOL);
    };
    let keep = caching::of_oplock(level);
    let fits = level == OplockLevel::NONE || level == OplockLevel::LEVEL_II;
    let result = if fits && told.contains(keep) {
        Ok(level)
    } else {
        // Whatever the client thinks it has, it has nothing.
        let wrong_kind = level == OplockLevel::LEASE;
        Err(if wrong_kind {
            NtStatus::INVALID_PARAMETER
        } else {
            NtStatus::INVALID_OPLOCK_PROTOCOL
        })
    };
    let keep = if result.is_ok() {
        keep
    } else {
        LeaseState::empty()
    };
    core.timers.clear(Timer::OplockBreak(id));
    let more = c.acknowledge(keep).ok().flatten();
    set(core, Holder::Oplock(id), c);
    if let Some(notice) = more {
        core.later.push_back(Later::Oplock(id, notice));
    }
    core.later.push_back(Later::Wake(row));
    result
}

/// The client of a lease keeps this ([MS-SMB2] 3.3.5.22.2).
pub(crate) fn acknowledge_lease(
    core: &mut Core,
    owner: LeaseOwner,
    keep: LeaseState,
) -> Result<LeaseState, NtStatus> {
    let id = core.lease_by_owner.get(&owner).copied();
    let Some((id, lease)) = id.and_then(|id| Some((id, core.leases.get_mut(id)?))) else {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    };
    if mutated!(core, AnyAcknowledgment) && lease.caching.breaking().is_none() {
        return Ok(keep);
    }
    let more = lease.caching.acknowledge(keep).map_err(|bad| match bad {
        caching::BadAck::NotBreaking => NtStatus::UNSUCCESSFUL,
        caching::BadAck::TooMuch => NtStatus::REQUEST_NOT_ACCEPTED,
    })?;
    let row = lease.file;
    lease_changed(core, id);
    core.timers.clear(Timer::LeaseBreak(id));
    if let Some(notice) = more {
        core.later.push_back(Later::Lease(id, notice));
    }
    core.later.push_back(Later::Wake(row));
    Ok(keep)
}

/// What follows an acknowledgment once it is answered.
#[derive(Debug)]
pub(crate) enum Later {
    /// The next step of the break.
    Lease(Id<Lease>, Notice),
    /// The same, of an oplock.
    Oplock(Id<Open>, Notice),
    /// Who waits for breaks of the file looks again.
    Wake(Id<File>),
}

/// Does what was put off until the answer.
pub(crate) fn afterwards(core: &mut Core, now: Now) {
    while let Some(later) = core.later.pop_front() {
        match later {
            Later::Lease(id, notice) => tell(core, now, Holder::Lease(id), notice),
            Later::Oplock(id, notice) => tell(core, now, Holder::Oplock(id), notice),
            Later::Wake(row) => wake_waiters(core, now, row),
        }
    }
}

/// Lets those look again who wait for breaks of a file.
pub(crate) fn wake_waiters(core: &mut Core, now: Now, row: Id<File>) {
    let Some(row) = core.files.get_mut(row) else {
        return;
    };
    let waiting = std::mem::take(&mut row.break_waiters);
    dispatch::wake_all(core, now, waiting.into());
}

/// Data of the file changes through this open, or a range of it is locked: nobody else may go on
/// caching reads.
pub(crate) fn data_changes(core: &mut Core, now: Now, open: Id<Open>) {
    let Some(row) = core.opens.get(open).and_then(Open::file).map(|f| f.file) else {
        return;
    };
    if mutated!(core, ReadsKept) {
        return;
    }
    let by = By {
        open: None,
        ..by(core, open)
    };
    contend(core, now, row, by, Contention::Data);
}

/// The name of the file changes or goes through this open: handles that others cache have to be closed
/// first. The row in which that has to be waited for, if any.
pub(crate) fn name_goes(core: &mut Core, now: Now, open: Id<Open>) -> Option<Id<File>> {
    let row = core.opens.get(open)?.file()?.file;
    if mutated!(core, HandlesKept) {
        return None;
    }
    let by = by(core, open);
    contend(core, now, row, by, Contention::Name).then_some(row)
}

/// What this client caches of a listing is not true any more.
pub(crate) fn listing_changed(core: &mut Core, now: Now, lease: Id<Lease>) {
    let holder = Holder::Lease(lease);
    let held = caching(core, holder).unwrap_or_default();
    if let Some(demand) = caching::demand(held.state(), true, Contention::Listing) {
        break_to(core, now, holder, demand.keep);
    }
}

/// What a CREATE asks to cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CacheRequest {
    /// Level of an oplock; NONE where a lease is asked for.
    pub(crate) oplock: OplockLevel,
    pub(crate) lease: Option<LeaseRequest>,
}

/// Grants a new open what it may cache beside the others ([MS-SMB2] 3.3.5.9, 3.3.5.9.8,
/// 3.3.5.9.11, [MS-FSA] 2.1.5.18).
///
/// An open that did not find the file as it is now (it was created or replaced) does more than look.
pub(crate) fn grant(core: &mut Core, id: Id<Open>, asked: &CacheRequest, changed: bool) {
    let Some(open) = core.opens.get(id) else {
        return;
    };
    let granted = open.granted;
    let Some(f) = open.file() else { return };
    let (row, directory) = (f.file, f.directory);
    let Some(lease) = &asked.lease else {
        let looks = !changed && caching::only_looks(granted);
        if directory || looks || asked.oplock == OplockLevel::NONE {
            return;
        }
        let wanted = caching::of_oplock(asked.oplock);
        let state = caching::grant(wanted, false, around(core, row, id, None));
        set(core, Holder::Oplock(id), Caching::new(state));
        return;
    };
    // Without directory leases a request for one is ignored (3.3.5.9.8, 3.3.5.9.11).
    if directory && !lease.directories {
        return;
    }
    let mut wanted = lease.state;
    if directory {
        wanted.remove(LeaseState::WRITE);
    }
    // Of two CREATEs of different files under one key the later gets none: it was too early to refuse it.
    let elsewhere = core.lease_by_owner.get(&lease.owner);
    let elsewhere = elsewhere.and_then(|l| core.leases.get(*l));
    if elsewhere.is_some_and(|l| l.file != row) {
        return;
    }
    let around = around(core, row, id, Some(lease.owner));
    let state = caching::grant(wanted, true, around);
    let lease_id = match core.lease_by_owner.get(&lease.owner).copied() {
        Some(existing) => {
            if let Some(l) = core.leases.get_mut(existing)
                && l.caching.upgrade(wanted, state)
            {
                l.epoch = l.epoch.wrapping_add(1);
            }
            existing
        }
        None => {
            let new = core.leases.insert(Lease::new(lease, row, state));
            core.lease_by_owner.insert(lease.owner, new);
            if let Some(r) = core.files.get_mut(row) {
                r.leases.push(new);
            }
            new
        }
    };
    lease_changed(core, lease_id);
    if let Some(l) = core.leases.get_mut(lease_id) {
        l.opens.push(id);
    }
    if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
        f.cache = Cache::Lease(lease_id);
    }
    if directory {
        dir_lease::enter(core, lease_id);
    }
}

/// What stands around an open.
fn around(core: &Core, row: Id<File>, me: Id<Open>, owner: Option<LeaseOwner>) -> Around {
    let mut around = Around::default();
    if mutated!(core, CachesBeside) {
        return around;
    }
    let Some(row) = core.files.get(row) else {
        return around;
    };
    around.locks = !row.locks.is_empty();
    for id in row.opens.iter().filter(|id| **id != me) {
        let Some(open) = core.opens.get(*id) else {
            continue;
        };
        let Some(f) = open.file() else { continue };
        around.directory |= f.directory;
        let mine = match f.cache {
            Cache::None => false,
            Cache::Oplock(c) => {
                around.writer |= c.state().contains(LeaseState::WRITE);
                around.oplock = true;
                around.others = true;
                continue;
            }
            Cache::Lease(id) => {
                let lease = core.leases.get(id);
                let mine = lease.map(|l| l.owner) == owner;
                let handle = lease.is_some_and(|l| l.caching.state().contains(LeaseState::HANDLE));
                let write = lease.is_some_and(|l| l.caching.state().contains(LeaseState::WRITE));
                around.writer |= write && !mine;
                around.handle_lease |= handle && !mine;
                around.others |= !mine;
                mine
            }
        };
        around.others |= !mine && !caching::only_looks(open.granted);
    }
    let me = core.opens.get(me).and_then(Open::file);
    around.directory |= me.is_some_and(|f| f.directory);
    around
}

/// An open has left the tables: its oplock ends, and its lease if it was the last of it.
pub(crate) fn release(core: &mut Core, id: Id<Open>, f: &FileOpen) {
    core.timers.clear(Timer::OplockBreak(id));
    let Cache::Lease(lease_id) = f.cache else {
        return;
    };
    let Some(lease) = core.leases.get_mut(lease_id) else {
        return;
    };
    lease.opens.retain(|o| *o != id);
    if !lease.opens.is_empty() {
        if lease.place.is_some() {
            dir_lease::enter(core, lease_id);
        }
        return;
    }
    core.timers.clear(Timer::LeaseBreak(lease_id));
    dir_lease::leave(core, lease_id);
    if let Some(lease) = core.leases.remove(lease_id) {
        core.lease_by_owner.remove(&lease.owner);
        if let Some(row) = core.files.get_mut(lease.file) {
            row.leases.retain(|l| *l != lease_id);
        }
    }
}

/// What a CREATE answers about what its open may cache.
pub(crate) fn answer(core: &Core, open: Id<Open>) -> (OplockLevel, Option<Id<Lease>>) {
    match core.opens.get(open).and_then(Open::file).map(|f| f.cache) {
        None | Some(Cache::None) => (OplockLevel::NONE, None),
        Some(Cache::Oplock(c)) => (caching::to_oplock(c.state()), None),
        Some(Cache::Lease(id)) => (OplockLevel::LEASE, Some(id)),
    }
}
