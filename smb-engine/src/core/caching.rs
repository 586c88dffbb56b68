//! What clients may cache, and what they have to give up for others: rules on plain values.
//!
//! Oplocks and leases are one thing here, a [`LeaseState`]: level II caches reads, an exclusive oplock
//! reads and writes, a batch oplock the handle too ([MS-SMB2] 3.3.1.4, [MS-FSA] 2.1.4.12). They differ
//! in two respects: an oplock is broken to level II or to nothing, and only leases of the same key
//! leave each other alone.

use smb_proto::create_ctx::LeaseState;
use smb_proto::dtyp::AccessMask;
use smb_proto::msg::OplockLevel;

const NONE: LeaseState = LeaseState::empty();
const READ: LeaseState = LeaseState::READ;
const HANDLE: LeaseState = LeaseState::HANDLE;
const WRITE: LeaseState = LeaseState::WRITE;

/// An open with these rights alone looks at a file: it breaks no oplock and hinders none
/// ([MS-FSA] 2.1.4.12).
const LOOKS: AccessMask = AccessMask::FILE_READ_ATTRIBUTES
    .union(AccessMask::FILE_WRITE_ATTRIBUTES)
    .union(AccessMask::SYNCHRONIZE);

/// Whether an open with this access neither breaks nor hinders an oplock.
pub(crate) fn only_looks(access: AccessMask) -> bool {
    LOOKS.contains(access)
}

/// The same for leases, which reading the descriptor does not break either.
pub(crate) fn only_looks_beside_a_lease(access: AccessMask) -> bool {
    LOOKS.union(AccessMask::READ_CONTROL).contains(access)
}

/// What an oplock allows to cache.
pub(crate) fn of_oplock(level: OplockLevel) -> LeaseState {
    match level {
        OplockLevel::LEVEL_II => READ,
        OplockLevel::EXCLUSIVE => READ | WRITE,
        OplockLevel::BATCH => READ | WRITE | HANDLE,
        _ => NONE,
    }
}

/// The oplock that allows to cache this, or less.
pub(crate) fn to_oplock(state: LeaseState) -> OplockLevel {
    if state.contains(READ | WRITE | HANDLE) {
        OplockLevel::BATCH
    } else if state.contains(READ | WRITE) {
        OplockLevel::EXCLUSIVE
    } else if state.contains(READ) {
        OplockLevel::LEVEL_II
    } else {
        OplockLevel::NONE
    }
}

/// What somebody does that others' caches stand against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contention {
    /// Opens the file.
    Open {
        /// Granted access and what the disposition does.
        access: AccessMask,
        /// The share modes stand against it: a handle that is only cached may be closed.
        denied: bool,
        /// The content is replaced.
        overwrites: bool,
        /// It has waited for a break already.
        waited: bool,
    },
    /// Changes the data or the size, or locks a range.
    Data,
    /// Changes or removes the name.
    Name,
    /// Changes what a listing of the directory shows.
    Listing,
}

/// What a holder has to do for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    /// What it may keep.
    pub(crate) keep: LeaseState,
    /// The other one waits until the holder has done so.
    pub(crate) wait: bool,
}

/// What a holder of `held` has to give up; `None` if it may stay as it is.
pub(crate) fn demand(held: LeaseState, lease: bool, what: Contention) -> Option<Demand> {
    let keep_or_none = |keep: LeaseState, wait| (keep != held).then_some(Demand { keep, wait });
    match what {
        Contention::Open {
            access,
            denied,
            overwrites,
            waited: _,
        } => {
            if only_looks(access) || (lease && only_looks_beside_a_lease(access)) {
                return None;
            }
            let goes = if denied { HANDLE } else { WRITE };
            let replaces = overwrites && !denied;
            let mut keep = held.difference(goes);
            if replaces {
                keep = NONE;
            }
            if !lease && keep != held {
                keep &= READ;
            }
            keep_or_none(keep, held.intersects(goes))
        }
        // Who caches writes is the one who writes. An oplock of level II is lost by the writer too.
        Contention::Data if held.contains(READ) && !held.contains(WRITE) => {
            keep_or_none(NONE, false)
        }
        Contention::Name if held.contains(HANDLE) => {
            let keep = held.difference(HANDLE);
            keep_or_none(if lease { keep } else { keep & READ }, true)
        }
        Contention::Listing => keep_or_none(NONE, false),
        Contention::Data | Contention::Name => None,
    }
}

/// What stands around an open that wants to cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Around {
    /// Another open that does more than look, or another lease, whatever is left of it.
    pub(crate) others: bool,
    /// Somebody has a lease on the handle.
    pub(crate) handle_lease: bool,
    /// Somebody has an oplock.
    pub(crate) oplock: bool,
    /// Somebody caches writes: who only looks may have come beside.
    pub(crate) writer: bool,
    /// Ranges are locked.
    pub(crate) locks: bool,
    /// It is a directory, of which nothing can be written ([MS-FSA] 2.1.5.18).
    pub(crate) directory: bool,
}

/// What is granted of what is asked for ([MS-FSA] 2.1.5.18.1, 2.1.5.18.2).
pub(crate) fn grant(asked: LeaseState, lease: bool, around: Around) -> LeaseState {
    let mut state = asked & (READ | WRITE | HANDLE);
    if around.directory {
        state.remove(WRITE);
    }
    if !state.contains(READ) || around.locks || around.writer {
        return NONE;
    }
    if around.others {
        state.remove(WRITE);
    }
    if lease {
        if around.oplock {
            state.remove(HANDLE);
        }
        state
    } else if around.handle_lease {
        NONE
    } else {
        of_oplock(to_oplock(state))
    }
}

/// A break that the holder has been told of and has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Breaking {
    /// What the holder was told to keep.
    told: LeaseState,
    /// What it may keep in the end: others have come meanwhile.
    until: LeaseState,
}

/// What the holder has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) from: LeaseState,
    pub(crate) to: LeaseState,
    /// It has to acknowledge; until then it keeps what it has.
    pub(crate) acknowledge: bool,
}

/// Why an acknowledgment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadAck {
    /// Nothing is being broken.
    NotBreaking,
    /// It would keep more than it was told.
    TooMuch,
}

/// What one holder may cache, and the break that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Caching {
    state: LeaseState,
    breaking: Option<Breaking>,
}

impl Caching {
    pub(crate) fn new(state: LeaseState) -> Self {
        Self {
            state,
            breaking: None,
        }
    }

    /// What it may cache, until it has acknowledged a break.
    pub(crate) fn state(&self) -> LeaseState {
        self.state
    }

    /// What it was told to keep in a break that it has not acknowledged.
    pub(crate) fn breaking(&self) -> Option<LeaseState> {
        self.breaking.map(|b| b.told)
    }

    /// Breaks to at most `keep`; what the holder has to be told, if anything. A holder that is being
    /// told already learns of more when it has acknowledged.
    pub(crate) fn demand(&mut self, keep: LeaseState) -> Option<Notice> {
        let mut keep = keep & self.state;
        // Nothing is cached without reads.
        if !keep.contains(READ) {
            keep = NONE;
        }
        if let Some(b) = &mut self.breaking {
            b.until &= keep;
            return None;
        }
        if keep == self.state {
            return None;
        }
        Some(self.tell(keep))
    }

    /// Who caches reads alone has nothing to bring back, so nothing is waited for.
    fn tell(&mut self, keep: LeaseState) -> Notice {
        let from = self.state;
        let acknowledge = from.intersects(WRITE | HANDLE);
        if acknowledge {
            self.breaking = Some(Breaking {
                told: keep,
                until: keep,
            });
        } else {
            self.state = keep;
        }
        Notice {
            from,
            to: keep,
            acknowledge,
        }
    }

    /// The holder keeps `state`; the next break, where more has to go ([MS-SMB2] 3.3.5.22.2).
    pub(crate) fn acknowledge(&mut self, state: LeaseState) -> Result<Option<Notice>, BadAck> {
        let b = self.breaking.ok_or(BadAck::NotBreaking)?;
        if !b.told.contains(state) {
            return Err(BadAck::TooMuch);
        }
        self.state = state;
        self.breaking = None;
        if b.until.contains(state) {
            return Ok(None);
        }
        // One step at a time: reads stay until there is nothing else to bring back.
        let mut next = b.until & state;
        if state.intersects(WRITE | HANDLE) {
            next |= state & READ;
        }
        let notice = self.tell(next);
        if let Some(breaking) = &mut self.breaking {
            breaking.until = b.until & state;
        }
        Ok(Some(notice))
    }

    /// More is granted to the same holder, unless a break is on its way. Says whether it was.
    pub(crate) fn upgrade(&mut self, asked: LeaseState, granted: LeaseState) -> bool {
        let more = self.breaking.is_none()
            && asked.contains(self.state)
            && granted == asked
            && granted != self.state;
        if more {
            self.state = granted;
        }
        more
    }

    /// The holder may cache nothing from now on.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const R: LeaseState = READ;
    const RW: LeaseState = READ.union(WRITE);
    const RH: LeaseState = READ.union(HANDLE);
    const RWH: LeaseState = RW.union(HANDLE);
    const N: LeaseState = NONE;

    fn open(denied: bool, overwrites: bool) -> Contention {
        Contention::Open {
            access: AccessMask::FILE_READ_DATA,
            denied,
            overwrites,
            waited: false,
        }
    }

    #[test]
    fn what_an_open_demands() {
        // (held, lease, denied, overwrites) to (keep, wait)
        for (held, lease, denied, overwrites, expected) in [
            (RWH, true, false, false, Some((RH, true))),
            (RW, true, false, false, Some((R, true))),
            (RH, true, false, false, None),
            (R, true, false, false, None),
            (RWH, true, true, false, Some((RW, true))),
            (RH, true, true, false, Some((R, true))),
            (RW, true, true, false, None),
            (RWH, true, false, true, Some((N, true))),
            (RH, true, false, true, Some((N, false))),
            (R, true, false, true, Some((N, false))),
            (RWH, true, true, true, Some((RW, true))),
            (RWH, false, false, false, Some((R, true))),
            (RW, false, false, false, Some((R, true))),
            (R, false, false, false, None),
            (RWH, false, true, false, Some((R, true))),
            (RW, false, true, false, None),
            (RWH, false, false, true, Some((N, true))),
            (R, false, false, true, Some((N, false))),
            (N, true, false, true, None),
        ] {
            let got = demand(held, lease, open(denied, overwrites)).map(|d| (d.keep, d.wait));
            assert_eq!(got, expected, "{held:?} {lease} {denied} {overwrites}");
        }
    }

    #[test]
    fn who_only_looks_breaks_nothing() {
        let looks = |access, lease| {
            let what = Contention::Open {
                access,
                denied: false,
                overwrites: false,
                waited: false,
            };
            demand(RWH, lease, what).is_none()
        };
        assert!(looks(AccessMask::FILE_READ_ATTRIBUTES, false));
        assert!(looks(AccessMask::SYNCHRONIZE, true));
        assert!(looks(AccessMask::READ_CONTROL, true));
        assert!(!looks(AccessMask::READ_CONTROL, false));
        assert!(!looks(AccessMask::DELETE, true));
    }

    #[test]
    fn what_else_demands() {
        let keep = |held, lease, what| demand(held, lease, what).map(|d| (d.keep, d.wait));
        assert_eq!(keep(R, true, Contention::Data), Some((N, false)));
        assert_eq!(keep(RH, true, Contention::Data), Some((N, false)));
        assert_eq!(keep(RWH, true, Contention::Data), None);
        assert_eq!(keep(N, true, Contention::Data), None);
        assert_eq!(keep(RWH, true, Contention::Name), Some((RW, true)));
        assert_eq!(keep(RWH, false, Contention::Name), Some((R, true)));
        assert_eq!(keep(RW, true, Contention::Name), None);
        assert_eq!(keep(RH, true, Contention::Listing), Some((N, false)));
        assert_eq!(keep(R, true, Contention::Listing), Some((N, false)));
        assert_eq!(keep(N, true, Contention::Listing), None);
    }

    #[test]
    fn what_is_granted() {
        let alone = Around::default();
        let others = Around {
            others: true,
            ..alone
        };
        let handle_lease = Around {
            handle_lease: true,
            ..others
        };
        let oplock = Around {
            oplock: true,
            ..others
        };
        let writer = Around {
            writer: true,
            ..others
        };
        let locks = Around {
            locks: true,
            ..alone
        };
        let directory = Around {
            directory: true,
            ..alone
        };
        for (asked, lease, around, expected) in [
            (RWH, true, alone, RWH),
            (RW, true, alone, RW),
            (RWH, true, others, RH),
            (RWH, true, oplock, R),
            (RH, true, handle_lease, RH),
            (WRITE, true, alone, N),
            (HANDLE, true, alone, N),
            (WRITE | HANDLE, true, alone, N),
            (RWH, true, writer, N),
            (R, false, writer, N),
            (RWH, true, locks, N),
            (RWH, true, directory, RH),
            (RWH, false, alone, RWH),
            (RWH, false, others, R),
            (RW, false, others, R),
            (R, false, handle_lease, N),
            (R, false, oplock, R),
        ] {
            let got = grant(asked, lease, around);
            assert_eq!(got, expected, "{asked:?} {lease} {around:?}");
        }
    }

    #[test]
    fn breaks_go_on_in_steps() {
        let mut c = Caching::new(RWH);
        let notice = c.demand(RH).unwrap();
        assert_eq!(
            (notice.from, notice.to, notice.acknowledge),
            (RWH, RH, true)
        );
        // Another one wants more meanwhile: nothing is said yet.
        assert_eq!(c.demand(N), None);
        assert_eq!(c.acknowledge(RWH), Err(BadAck::TooMuch));
        let notice = c.acknowledge(RH).unwrap().unwrap();
        assert_eq!((notice.from, notice.to, notice.acknowledge), (RH, R, true));
        let notice = c.acknowledge(R).unwrap().unwrap();
        assert_eq!((notice.from, notice.to, notice.acknowledge), (R, N, false));
        assert_eq!((c.state(), c.breaking()), (N, None));
        assert_eq!(c.acknowledge(N), Err(BadAck::NotBreaking));
    }

    #[test]
    fn upgrades_are_strict_and_never_during_a_break() {
        let mut c = Caching::new(R);
        assert!(!c.upgrade(RWH, RH), "not what was asked for");
        assert!(!c.upgrade(HANDLE, HANDLE), "less in one respect");
        assert!(c.upgrade(RH, RH));
        assert!(!c.upgrade(RH, RH), "no change");
        c.demand(R);
        assert!(!c.upgrade(RWH, RWH));
    }

    fn state() -> impl Strategy<Value = LeaseState> {
        (0u32..8).prop_map(LeaseState::from_bits_retain)
    }

    proptest! {
        /// Whatever is demanded and acknowledged, the state only shrinks, an acknowledged break has
        /// what was demanded, and every series of breaks ends.
        #[test]
        fn breaks_end_with_what_was_demanded(
            from in state(),
            demands in prop::collection::vec(state(), 1..5),
            keeps in prop::collection::vec(state(), 0..4),
        ) {
            let mut c = Caching::new(from);
            let mut allowed = from;
            for d in &demands {
                let before = c.state();
                c.demand(*d);
                allowed &= *d;
                prop_assert!(before.contains(c.state()));
            }
            let mut keeps = keeps.into_iter();
            for _ in 0..6 {
                let Some(told) = c.breaking() else { break };
                let keep = keeps.next().unwrap_or(told) & told;
                let before = c.state();
                c.acknowledge(keep).unwrap();
                prop_assert!(before.contains(c.state()));
            }
            prop_assert_eq!(c.breaking(), None);
            prop_assert!(allowed.contains(c.state()), "{:?} beyond {:?}", c.state(), allowed);
        }
    }
}
