//! Deadlines in order.

use std::collections::{BTreeMap, BTreeSet};

use super::lease::Lease;
use super::{Conn, File, Op, Open, Session};
use crate::table::Id;
use crate::time::Instant;

/// What a deadline is for. Each has at most one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The request has no answer yet: send an interim one.
    Interim(Id<Op>),
    /// The connection must have an authenticated session by now.
    Logon(Id<Conn>),
    /// The session may have been idle for too long.
    Idle(Id<Session>),
    /// The authentication of the session has run out.
    Expire(Id<Session>),
    /// The first write to the file is to be seen in its write time.
    WriteTime(Id<File>),
    /// The client has not come back for its durable open.
    Durable(Id<Open>),
    /// The client has not acknowledged that its oplock is broken.
    OplockBreak(Id<Open>),
    /// The client has not acknowledged that its lease is broken.
    LeaseBreak(Id<Lease>),
}

/// The set of deadlines; the first is found at once.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    order: BTreeSet<(Instant, Timer)>,
    when: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(old) = self.when.insert(timer, at) {
            self.order.remove(&(old, timer));
        }
        self.order.insert((at, timer));
    }

    /// Forgets a deadline.
    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(old) = self.when.remove(&timer) {
            self.order.remove(&(old, timer));
        }
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest deadline that is not later than `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.order.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }

    /// When a deadline is, if there is one.
    pub(crate) fn when(&self, timer: Timer) -> Option<Instant> {
        self.when.get(&timer).copied()
    }

    /// Whether there is such a deadline.
    pub(crate) fn has(&self, timer: Timer) -> bool {
        self.when.contains_key(&timer)
    }

    /// Number of deadlines.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}
