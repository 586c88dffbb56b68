//! Opens that outlive their connection ([MS-SMB2] 3.3.1.10 Open.IsDurable, 3.3.7.1, 3.3.2.2), and
//! CREATEs that a client may repeat ([MS-SMB2] 3.3.5.9.10).

use std::time::Duration;

use smb_proto::create_ctx::LeaseState;
use smb_proto::dtyp::Sid;
use smb_proto::id::FileId;
use smb_proto::msg::create::CreateAction;
use smb_proto::{Guid, NtStatus};

use super::breaks::Cache;
use super::sequence::Sequence;
use super::{Core, FileOpen, Op, Open, Session, Timer, Tree, breaks, persistent, teardown};
use crate::output::ConnId;
use crate::table::Id;
use crate::time::Now;

/// How long a durable open of version 1 waits for its client; Windows: 16 minutes.
pub(crate) const VERSION_1_FOR: Duration = Duration::from_secs(16 * 60);
/// The same for version 2, if the client names no time.
const DEFAULT_FOR: Duration = Duration::from_secs(60);
/// The longest time that a client may name.
const LONGEST: Duration = Duration::from_secs(300);

/// The longest time for a resilient open (MaxResiliencyTimeout), and for one that names none; Windows:
/// 300 and 120 seconds.
const RESILIENT_LONGEST: Duration = Duration::from_secs(300);
const RESILIENT_FOR: Duration = Duration::from_secs(120);

/// What an open outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its connection, as long as nobody else comes near the file (Open.IsDurable).
    Durable,
    /// Its connection, whoever comes (Open.IsResilient).
    Resilient,
    /// The server too (Open.IsPersistent).
    Persistent,
}

/// What makes an open durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durable {
    pub(crate) kind: Kind,
    /// Open.CreateGuid of version 2.
    pub(crate) create_guid: Option<Guid>,
    /// Open.DurableOpenTimeout.
    pub(crate) timeout: Duration,
}

/// A client's name for one of its CREATEs (Open.ClientGuid, Open.CreateGuid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CreateKey {
    pub(crate) client: Guid,
    pub(crate) create: Guid,
}

/// What has become of a CREATE that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is still being worked on.
    Pending(Id<Op>),
    /// It made this open, which has not been used yet, or is durable and has lost its connection.
    Open(Id<Open>),
}

/// The time for which a durable open of version 2 waits for its client.
pub(crate) fn timeout(asked_ms: u32) -> Duration {
    match asked_ms {
        0 => DEFAULT_FOR,
        ms => Duration::from_millis(u64::from(ms)).min(LONGEST),
    }
}

/// The time for which a resilient open waits; `None` if that is too long (3.3.5.15.9).
pub(crate) fn resilient_timeout(asked_ms: u32) -> Option<Duration> {
    match asked_ms {
        0 => Some(RESILIENT_FOR),
        ms => Some(Duration::from_millis(u64::from(ms))).filter(|t| *t <= RESILIENT_LONGEST),
    }
}

/// Makes an open resilient. One that outlives the server does anyway.
pub(crate) fn make_resilient(core: &mut Core, id: Id<Open>, timeout: Duration) {
    let before = core
        .opens
        .get(id)
        .and_then(Open::file)
        .and_then(|f| f.durable);
    if before.is_some_and(|d| d.kind == Kind::Persistent) {
        return;
    }
    let durable = Durable {
        kind: Kind::Resilient,
        create_guid: before.and_then(|d| d.create_guid),
        timeout,
    };
    make(core, id, durable);
}

/// Whether this open may be made durable: it is of a file, and its client caches the handle, so that
/// the server can have it back at any time (3.3.5.9.6, 3.3.5.9.10).
///
/// One that is to outlive the server may be any open of a file: what it caches does not matter.
pub(crate) fn possible(core: &Core, id: Id<Open>, kind: Kind) -> bool {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return false;
    };
    if kind == Kind::Persistent {
        return !f.directory && f.snapshot.is_none();
    }
    let handle = cached(core, f.cache).contains(LeaseState::HANDLE);
    handle && !f.directory && f.at.stream.is_none()
}

fn cached(core: &Core, cache: Cache) -> LeaseState {
    match cache {
        Cache::None => LeaseState::empty(),
        Cache::Oplock(c) => c.state(),
        Cache::Lease(id) => core
            .leases
            .get(id)
            .map_or(LeaseState::empty(), |l| l.caching.state()),
    }
}

/// Whether an open stays when its connection has gone (3.3.7.1). With ranges locked it does only if
/// nobody else can come near the file meanwhile.
fn outlives(core: &Core, id: Id<Open>) -> bool {
    let Some(open) = core.opens.get(id).filter(|o| !o.closing) else {
        return false;
    };
    let Some(f) = open.file() else {
        return false;
    };
    match f.durable.map(|d| d.kind) {
        None => return false,
        Some(Kind::Durable) => {}
        Some(Kind::Resilient | Kind::Persistent) => return true,
    }
    let breaking = match f.cache {
        Cache::None => false,
        Cache::Oplock(c) => c.breaking().is_some(),
        Cache::Lease(lease) => {
            let lease = core.leases.get(lease);
            lease.is_some_and(|l| l.caching.breaking().is_some())
        }
    };
    let Some(row) = core.files.get(f.file) else {
        return false;
    };
    let locked = row.locks.iter().any(|l| l.open == id);
    let cached = cached(core, f.cache);
    cached.contains(LeaseState::HANDLE)
        && !breaking
        && row.delete_pending.is_none()
        && (!locked || cached.contains(LeaseState::WRITE))
}

/// The connection of a session has gone: what outlives it waits for its client from now on.
pub(crate) fn leave_behind(core: &mut Core, now: Now, session: Id<Session>) {
    let opens = core.sessions.get(session).map(|s| s.opens.clone());
    for id in opens.unwrap_or_default() {
        if outlives(core, id) {
            disconnect(core, now, id);
        }
    }
}

/// Lets an open wait for its client.
pub(crate) fn disconnect(core: &mut Core, now: Now, id: Id<Open>) {
    teardown::stop_using(core, now, id);
    // What was waiting may have closed it.
    let Some(open) = core.opens.get_mut(id).filter(|o| !o.closing) else {
        return;
    };
    open.disconnected = true;
    let session = open.session;
    let timeout = open.file().and_then(|f| f.durable).map(|d| d.timeout);
    if let Some(s) = core.sessions.get_mut(session) {
        s.opens.remove(&id);
    }
    core.arm(Timer::Durable(id), now, timeout.unwrap_or_default());
}

/// The client has not come back in time.
pub(crate) fn overdue(core: &mut Core, now: Now, id: Id<Open>) {
    teardown::close_open(core, now, id);
}

/// Who wants to take up an open again, and what it says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) file_id: FileId,
    /// Version 2 names the CREATE.
    pub(crate) create_guid: Option<Guid>,
    pub(crate) lease: Option<super::lease::LeaseRequest>,
    /// SMB2_DHANDLE_FLAG_PERSISTENT, where connection and share have such opens.
    pub(crate) persistent: bool,
    /// ClientGuid of the connection.
    pub(crate) client: Guid,
    pub(crate) who: Sid,
}

/// Why an open cannot be taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotYours {
    /// There is no such open, or what is said about it is wrong.
    NotFound,
    /// It is another user's.
    Denied,
}

/// The durable open that a claim names, if it may be taken up (3.3.5.9.7, 3.3.5.9.12).
pub(crate) fn find(core: &Core, claim: &Claim) -> Result<Id<Open>, NotYours> {
    let id = core.durables.get(&claim.file_id.persistent).copied();
    // Who has not heard of its open knows the name of its CREATE.
    let by_name = || {
        let create = claim.create_guid.filter(|_| claim.persistent)?;
        let client = claim.client;
        match core.creates.get(&CreateKey { client, create })? {
            Made::Open(id) => Some(*id),
            Made::Pending(_) => None,
        }
    };
    let id = id.or_else(by_name).ok_or(NotYours::NotFound)?;
    let open = core.opens.get(id).ok_or(NotYours::NotFound)?;
    let f = open.file().ok_or(NotYours::NotFound)?;
    let durable = f.durable.ok_or(NotYours::NotFound)?;
    // Version 1 names no CREATE, whichever version made it durable; and what version 1 has made, version 2
    // calls by zeros.
    let made = durable.create_guid.unwrap_or(Guid::NIL);
    let other = claim.create_guid.is_some_and(|guid| guid != made);
    let here = !open.disconnected && !mutated!(core, DurableTakenTwice);
    if here || open.closing || other {
        return Err(NotYours::NotFound);
    }
    // Before the server has ended too, a durable open is not made persistent, nor the other way round.
    if (durable.kind == Kind::Persistent) != claim.persistent {
        return Err(NotYours::NotFound);
    }
    let lease = match f.cache {
        Cache::Lease(lease) => core.leases.get(lease),
        Cache::None | Cache::Oplock(_) => None,
    };
    let same_lease = match (lease, &claim.lease) {
        (None, None) => true,
        (Some(has), Some(asked)) => has.owner == asked.owner && has.v2 == asked.epoch.is_some(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !same_lease {
        return Err(NotYours::NotFound);
    }
    if f.by.sid != claim.who {
        return Err(NotYours::Denied);
    }
    Ok(id)
}

/// Takes an open up again.
pub(crate) fn take_up(
    core: &mut Core,
    id: Id<Open>,
    session: Id<Session>,
    tree: Id<Tree>,
    conn: ConnId,
    channel_sequence: u16,
) {
    core.timers.clear(Timer::Durable(id));
    if let Some(open) = core.opens.get_mut(id) {
        if open.running == 0 {
            open.sequence = Sequence::new(channel_sequence);
        }
        open.disconnected = false;
        open.session = session;
        open.tree = tree;
        if let Some(f) = open.file_mut() {
            f.conn = conn;
        }
    }
    if let Some(s) = core.sessions.get_mut(session) {
        s.opens.insert(id);
    }
    breaks::tell_again(core, id);
}

/// An open is used: its CREATE has been heard of, and cannot be meant any more (Open.IsReplayEligible).
pub(crate) fn used(core: &mut Core, id: Id<Open>) {
    let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) else {
        return;
    };
    // One that outlives the server can always be asked for again.
    if f.persistent() {
        return;
    }
    if let Some(key) = f.replayable.take() {
        core.creates.remove(&key);
    }
}

/// What an open was made by, so that the same answer can be given again.
pub(crate) fn made(core: &mut Core, id: Id<Open>, key: CreateKey, action: CreateAction) {
    core.creates.insert(key, Made::Open(id));
    if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
        f.replayable = Some(key);
        f.action = action;
    }
}

/// An open has left the tables.
pub(crate) fn release(core: &mut Core, id: Id<Open>, open: &Open) {
    core.timers.clear(Timer::Durable(id));
    let persistent = open.file_id.persistent;
    if core.durables.get(&persistent) == Some(&id) {
        core.durables.remove(&persistent);
    }
    if open.file().is_some_and(FileOpen::persistent) {
        persistent::gone(core, persistent);
    }
    if let Some(key) = open.file().and_then(|f| f.replayable)
        && core.creates.get(&key) == Some(&Made::Open(id))
    {
        core.creates.remove(&key);
    }
}

/// A disconnected open stands in the way of somebody who is there: it is given up ([MS-SMB2] 3.3.4.6,
/// 3.3.4.7). Says whether it was one.
///
/// Resilient and persistent ones stay.
pub(crate) fn give_way(core: &mut Core, now: Now, id: Id<Open>) -> bool {
    let waits = core.opens.get(id).is_some_and(|o| o.disconnected) && !stays(core, id);
    if waits && !mutated!(core, DurableKept) {
        teardown::close_open(core, now, id);
    }
    waits
}

/// Whether an open waits for its client whoever else comes near the file.
pub(crate) fn stays(core: &Core, id: Id<Open>) -> bool {
    let durable = core
        .opens
        .get(id)
        .and_then(Open::file)
        .and_then(|f| f.durable);
    durable.is_some_and(|d| d.kind != Kind::Durable)
}

/// Whether an open of the file that waits for its client keeps everybody else off: it outlives the
/// server, and its client does not cache the handle, which could be asked back (3.3.5.9).
pub(crate) fn keeps_off(core: &Core, row: Id<super::File>) -> bool {
    let opens = core.files.get(row).map(|r| r.opens.as_slice());
    opens.unwrap_or_default().iter().any(|id| {
        let open = core.opens.get(*id).filter(|o| o.disconnected && !o.closing);
        let file = open.and_then(Open::file).filter(|f| f.persistent());
        file.is_some_and(|f| !cached(core, f.cache).contains(LeaseState::HANDLE))
    })
}

/// Makes an open durable.
pub(crate) fn make(core: &mut Core, id: Id<Open>, durable: Durable) {
    let Some(open) = core.opens.get_mut(id) else {
        return;
    };
    let persistent = open.file_id.persistent;
    if let Some(f) = open.file_mut() {
        f.durable = Some(durable);
        core.durables.insert(persistent, id);
    }
    persistent::changed(core, id);
}

/// Applications that are restarted elsewhere take over what they had open ([MS-SMB2] 3.3.5.9.13): what
/// the same application has open from another client ends.
///
/// # Errors
/// What is open belongs to a version that is not older: nothing ends.
pub(crate) fn take_over(
    core: &mut Core,
    now: Now,
    row: Id<super::File>,
    app: AppInstance,
    client: Guid,
) -> Result<(), NtStatus> {
    let opens = core.files.get(row).map(|r| r.opens.clone());
    let mut older = Vec::new();
    for id in opens.unwrap_or_default() {
        let file = core
            .opens
            .get(id)
            .filter(|o| !o.closing)
            .and_then(Open::file);
        let file = file.filter(|f| f.client != client);
        let Some(other) = file.and_then(|f| f.app).filter(|a| a.id == app.id) else {
            continue;
        };
        if !other.yields_to(app) {
            return Err(NtStatus::FILE_FORCED_CLOSED);
        }
        older.push(id);
    }
    for id in older {
        teardown::close_open(core, now, id);
    }
    Ok(())
}

/// AppInstanceId and AppInstanceVersion of an open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppInstance {
    pub(crate) id: Guid,
    /// High and low half.
    pub(crate) version: Option<(u64, u64)>,
}

impl AppInstance {
    /// Whether a newer instance takes over: versions, where both have one, have to grow
    /// ([MS-SMB2] 3.3.5.9.15).
    fn yields_to(self, newer: Self) -> bool {
        match (self.version, newer.version) {
            (Some(mine), Some(theirs)) => theirs > mine,
            _ => true,
        }
    }
}

/// The server ends: nothing outlives its connection any more but what outlives the server.
pub(crate) fn end_all(core: &mut Core, now: Now) {
    for id in core.opens.ids() {
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
            f.durable = f.durable.filter(|d| d.kind == Kind::Persistent);
        }
        give_way(core, now, id);
    }
}
