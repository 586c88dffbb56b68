//! Breaks that a client was told of on a connection which has gone since: it may not have heard, and hears
//! it again on another channel ([MS-SMB2] 3.3.4.6 and 3.3.4.7: any connection of the client will do).

use std::collections::BTreeSet;

use super::breaks::{self, Cache, Holder};
use super::caching::Notice;
use super::{Core, Open};
use crate::output::ConnId;
use crate::time::Now;

/// Where a client was told of a break, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    conn: ConnId,
    notice: Notice,
}

fn slot(core: &mut Core, holder: Holder) -> Option<&mut Option<Told>> {
    match holder {
        Holder::Lease(id) => core.leases.get_mut(id).map(|l| &mut l.told),
        Holder::Oplock(id) => {
            let file = core.opens.get_mut(id)?.file_mut()?;
            Some(&mut file.told)
        }
    }
}

/// A client was told to give up what it caches, and has to say that it has.
pub(super) fn told(core: &mut Core, holder: Holder, conn: ConnId, notice: Notice) {
    if let Some(slot) = slot(core, holder) {
        *slot = Some(Told { conn, notice });
    }
}

/// What is being broken of sessions that have a channel on this connection, and was told on it.
pub(super) fn on(core: &mut Core, conn: ConnId) -> BTreeSet<Holder> {
    let sessions = core
        .conns
        .get(conn)
        .into_iter()
        .flat_map(|c| c.sessions.values());
    let opens = sessions
        .filter_map(|id| core.sessions.get(*id))
        .flat_map(|s| &s.opens);
    let holders = opens.filter_map(|id| match core.opens.get(*id).and_then(Open::file)?.cache {
        Cache::None => None,
        Cache::Oplock(_) => Some(Holder::Oplock(*id)),
        Cache::Lease(lease) => Some(Holder::Lease(lease)),
    });
    let mut all: BTreeSet<Holder> = holders.collect();
    all.retain(|holder| {
        let breaking = breaks::caching(core, *holder).is_some_and(|c| c.breaking().is_some());
        let told = slot(core, *holder).and_then(|t| *t);
        breaking && told.is_some_and(|t| t.conn == conn)
    });
    all
}

/// The connection has gone: they are told again, where that is possible, for as long as the first time
/// would have lasted.
pub(super) fn again(core: &mut Core, now: Now, holders: BTreeSet<Holder>) {
    for holder in holders {
        let breaking = breaks::caching(core, holder).is_some_and(|c| c.breaking().is_some());
        let Some(told) = slot(core, holder).and_then(|t| *t).filter(|_| breaking) else {
            continue;
        };
        let timer = breaks::timer(holder);
        let until = core.timers.when(timer);
        breaks::tell(core, now, holder, told.notice);
        let row = match holder {
            Holder::Lease(id) => core.leases.get(id).map(|l| l.file),
            Holder::Oplock(id) => core.opens.get(id).and_then(Open::file).map(|f| f.file),
        };
        let still = breaks::caching(core, holder).is_some_and(|c| c.breaking().is_some());
        match (still, until, row) {
            (true, Some(until), _) => core.timers.set(timer, until),
            (false, _, Some(row)) => breaks::wake_waiters(core, now, row),
            (true, None, _) | (false, _, None) => {}
        }
    }
}
