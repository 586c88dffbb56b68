//! Byte-range locks: rules on the list of one file's locks, [MS-FSA] 2.1.4.10, 2.1.5.8, 2.1.5.9.
//!
//! A lock belongs to the open that took it. Locks are not merged or split: what is unlocked has to be
//! exactly what was locked.

use super::{Open, RangeLock};
use crate::table::Id;

/// What is going to be done with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Reading it.
    Read,
    /// Writing it.
    Write,
    /// Locking it against writers.
    LockShared,
    /// Locking it against everybody else.
    LockExclusive,
}

impl Intent {
    fn is_exclusive(self) -> bool {
        matches!(self, Self::Write | Self::LockExclusive)
    }

    fn is_lock(self) -> bool {
        matches!(self, Self::LockShared | Self::LockExclusive)
    }
}

/// A lock that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) exclusive: bool,
}

/// Whether a range ends at or before the last of 2^64 bytes; a lock beyond is
/// STATUS_INVALID_LOCK_RANGE.
pub(crate) fn is_valid(offset: u64, len: u64) -> bool {
    len == 0 || offset.checked_add(len.saturating_sub(1)).is_some()
}

/// Whether two ranges overlap in the sense of [MS-FSA] 2.1.4.10. A range without bytes lies between
/// two bytes: it overlaps what reaches over this place from both sides, never another one without
/// bytes, and at offset 0 nothing.
fn overlap(a: (u64, u64), b: (u64, u64)) -> bool {
    let last = |(offset, len): (u64, u64)| match len {
        0 => offset.checked_sub(1),
        _ => Some(offset.saturating_add(len.saturating_sub(1))),
    };
    match (last(a), last(b)) {
        (Some(last_a), Some(last_b)) => a.0 <= last_b && b.0 <= last_a,
        (None, _) | (_, None) => false,
    }
}

/// Whether held locks forbid `open` to do this with a range.
///
/// * An exclusive lock forbids everything to other opens; its own may read, write, and lock the
///   range shared besides.
/// * A shared lock forbids writing and exclusive locks to all, its own open too.
pub(crate) fn conflicts(
    locks: &[RangeLock],
    open: Id<Open>,
    offset: u64,
    len: u64,
    intent: Intent,
) -> bool {
    // READ and WRITE of nothing succeed before anybody looks at locks ([MS-FSA] 2.1.5.3, 2.1.5.4).
    if len == 0 && !intent.is_lock() {
        return false;
    }
    locks
        .iter()
        .filter(|held| overlap((held.offset, held.len), (offset, len)))
        .any(|held| {
            if held.exclusive {
                held.open != open || intent == Intent::LockExclusive
            } else {
                intent.is_exclusive()
            }
        })
}

/// Takes all the locks, or none of them if one conflicts ([MS-SMB2] 3.3.5.14.2).
pub(crate) fn lock_all(locks: &mut Vec<RangeLock>, open: Id<Open>, wanted: &[Wanted]) -> bool {
    let before = locks.len();
    for w in wanted {
        let intent = if w.exclusive {
            Intent::LockExclusive
        } else {
            Intent::LockShared
        };
        if conflicts(locks, open, w.offset, w.len, intent) {
            locks.truncate(before);
            return false;
        }
        locks.push(RangeLock {
            open,
            offset: w.offset,
            len: w.len,
            exclusive: w.exclusive,
        });
    }
    true
}

/// Removes one lock of `open` over exactly this range, an exclusive one before shared ones. `false`
/// if there is none.
pub(crate) fn unlock(locks: &mut Vec<RangeLock>, open: Id<Open>, offset: u64, len: u64) -> bool {
    let is_it = |l: &RangeLock| (l.open, l.offset, l.len) == (open, offset, len);
    let found = locks
        .iter()
        .position(|l| is_it(l) && l.exclusive)
        .or_else(|| locks.iter().rposition(is_it));
    match found {
        Some(i) => {
            locks.remove(i);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(n: u64) -> Id<Open> {
        Id::from_u64(n + 1).unwrap()
    }

    fn held(n: u64, offset: u64, len: u64, exclusive: bool) -> RangeLock {
        RangeLock {
            open: open(n),
            offset,
            len,
            exclusive,
        }
    }

    #[test]
    fn who_may_do_what_beside_a_lock() {
        use Intent::*;
        // (exclusive lock held, same open, intent, conflict)
        let table = [
            (true, true, Read, false),
            (true, true, Write, false),
            (true, true, LockShared, false),
            (true, true, LockExclusive, true),
            (true, false, Read, true),
            (true, false, Write, true),
            (true, false, LockShared, true),
            (true, false, LockExclusive, true),
            (false, true, Read, false),
            (false, true, Write, true),
            (false, true, LockShared, false),
            (false, true, LockExclusive, true),
            (false, false, Read, false),
            (false, false, Write, true),
            (false, false, LockShared, false),
            (false, false, LockExclusive, true),
        ];
        for (exclusive, same, intent, expected) in table {
            let locks = [held(0, 10, 10, exclusive)];
            let who = open(if same { 0 } else { 1 });
            assert_eq!(
                conflicts(&locks, who, 15, 1, intent),
                expected,
                "{exclusive} {same} {intent:?}"
            );
            assert!(!conflicts(&locks, who, 20, 1, intent));
            assert!(!conflicts(&locks, who, 0, 10, intent));
        }
    }

    #[test]
    fn ranges_without_bytes() {
        // The pairs that [MS-FSA] 2.1.4.10 implies, in both orders.
        let table = [
            ((10, 0), (10, 0), false),
            ((10, 0), (9, 1), false),
            ((10, 0), (10, 1), false),
            ((10, 0), (11, 1), false),
            ((10, 0), (9, 2), true),
            ((10, 0), (10, 2), false),
            ((10, 0), (9, 3), true),
            ((0, 0), (0, 0), false),
            ((0, 0), (0, 5), false),
            ((u64::MAX, 0), (u64::MAX, 1), false),
            ((u64::MAX, 0), (u64::MAX, 0), false),
            ((u64::MAX, 0), (0, u64::MAX), false),
            ((u64::MAX, 0), (u64::MAX - 1, 2), true),
        ];
        for (a, b, expected) in table {
            assert_eq!(overlap(a, b), expected, "{a:?} {b:?}");
            assert_eq!(overlap(b, a), expected, "{b:?} {a:?}");
        }
        let locks = [held(0, 5, 10, true)];
        for intent in [Intent::Read, Intent::Write] {
            assert!(!conflicts(&locks, open(1), 8, 0, intent));
        }
        assert!(conflicts(&locks, open(1), 8, 0, Intent::LockShared));
    }

    #[test]
    fn ranges_end_within_64_bits() {
        for (offset, len, good) in [
            (0, 0, true),
            (0, u64::MAX, true),
            (1, u64::MAX, true),
            (2, u64::MAX, false),
            (u64::MAX, 0, true),
            (u64::MAX, 1, true),
            (u64::MAX, 2, false),
            (u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(is_valid(offset, len), good, "{offset} {len}");
        }
    }

    #[test]
    fn unlocking_takes_the_exclusive_lock_first_and_needs_the_same_range() {
        let mut locks = Vec::new();
        let w = |exclusive| Wanted {
            offset: 3,
            len: 4,
            exclusive,
        };
        assert!(lock_all(
            &mut locks,
            open(0),
            &[w(true), w(false), w(false)]
        ));
        assert!(!unlock(&mut locks, open(0), 3, 3));
        assert!(!unlock(&mut locks, open(1), 3, 4));
        assert!(unlock(&mut locks, open(0), 3, 4));
        assert!(locks.iter().all(|l| !l.exclusive));
        assert!(unlock(&mut locks, open(0), 3, 4));
        assert!(unlock(&mut locks, open(0), 3, 4));
        assert!(!unlock(&mut locks, open(0), 3, 4));
    }

    #[test]
    fn an_array_is_all_or_nothing() {
        let mut locks = vec![held(1, 50, 1, false)];
        let before = locks.clone();
        let wanted = |offset, exclusive| Wanted {
            offset,
            len: 10,
            exclusive,
        };
        assert!(!lock_all(
            &mut locks,
            open(0),
            &[wanted(0, true), wanted(45, true)]
        ));
        assert_eq!(locks, before);
        assert!(lock_all(
            &mut locks,
            open(0),
            &[wanted(0, true), wanted(45, false)]
        ));
        // The elements of one array conflict with each other too.
        assert!(!lock_all(
            &mut locks,
            open(0),
            &[wanted(100, true), wanted(105, true)]
        ));
    }

    /// A model without arithmetic: the places 2i+1 are bytes, the places 2i the gaps before them. A
    /// range of bytes covers them and the gaps between them; one without bytes covers one gap.
    fn places(offset: u64, len: u64) -> Vec<u64> {
        if len == 0 {
            return if offset == 0 {
                vec![]
            } else {
                vec![2 * offset]
            };
        }
        (2 * offset + 1..=2 * (offset + len) - 1).collect()
    }

    fn model_conflict(locks: &[RangeLock], who: u64, offset: u64, len: u64, what: Intent) -> bool {
        let here = places(offset, len);
        // Two gaps at the same place do not touch each other.
        let meet = |l: &RangeLock| {
            !(l.len == 0 && len == 0) && places(l.offset, l.len).iter().any(|p| here.contains(p))
        };
        locks.iter().filter(|l| meet(l)).any(|l| {
            let mine = l.open == open(who);
            match what {
                Intent::Read => len > 0 && l.exclusive && !mine,
                Intent::Write => len > 0 && (!l.exclusive || !mine),
                Intent::LockShared => l.exclusive && !mine,
                Intent::LockExclusive => true,
            }
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(
            steps in prop::collection::vec((0u64..3, 0u64..12, 0u64..6, 0u8..5), 1..60),
        ) {
            let mut locks = Vec::new();
            for (who, offset, len, what) in steps {
                let intent = match what {
                    0 => Intent::Read,
                    1 => Intent::Write,
                    2 => Intent::LockShared,
                    3 => Intent::LockExclusive,
                    _ => {
                        let had = locks
                            .iter()
                            .filter(|l: &&RangeLock| {
                                (l.open, l.offset, l.len) == (open(who), offset, len)
                            })
                            .count();
                        let count = locks.len();
                        prop_assert_eq!(unlock(&mut locks, open(who), offset, len), had > 0);
                        prop_assert_eq!(locks.len(), count - usize::from(had > 0));
                        continue;
                    }
                };
                let expected = model_conflict(&locks, who, offset, len, intent);
                prop_assert_eq!(conflicts(&locks, open(who), offset, len, intent), expected);
                if intent.is_lock() {
                    let wanted = Wanted { offset, len, exclusive: what == 3 };
                    prop_assert_eq!(lock_all(&mut locks, open(who), &[wanted]), !expected);
                }
            }
        }
    }
}
