//! Byte-range locks by their plain definition ([MS-FSA] 2.1.4.10).

use smb_proto::msg::lock::{LockElement, LockFlags};

use super::state::No;

/// A held lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lock {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) exclusive: bool,
    pub(super) open: No,
}

/// What somebody wants to do with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
    Share,
    Exclude,
}

/// A range on a ruler that has a mark for each byte (odd numbers) and one for each gap in front of a
/// byte (even numbers): a range without bytes lies in a gap, others cover their bytes and the gaps
/// between them. First and last mark.
fn marks(offset: u64, len: u64) -> Option<(u128, u128)> {
    let offset = u128::from(offset);
    match u128::from(len) {
        0 if offset == 0 => None,
        0 => Some((2 * offset, 2 * offset)),
        len => Some((2 * offset + 1, 2 * (offset + len) - 1)),
    }
}

fn meet(a: (u64, u64), b: (u64, u64)) -> bool {
    if a.1 == 0 && b.1 == 0 {
        return false;
    }
    match (marks(a.0, a.1), marks(b.0, b.1)) {
        (Some(a), Some(b)) => a.0 <= b.1 && b.0 <= a.1,
        _ => false,
    }
}

/// Whether a held lock stands in the way.
pub(super) fn blocked(locks: &[Lock], open: No, offset: u64, len: u64, intent: Intent) -> bool {
    let io = matches!(intent, Intent::Read | Intent::Write);
    if io && len == 0 {
        return false;
    }
    locks
        .iter()
        .filter(|l| meet((l.offset, l.len), (offset, len)))
        .any(|l| match intent {
            Intent::Read | Intent::Share => l.exclusive && l.open != open,
            Intent::Write => !l.exclusive || l.open != open,
            Intent::Exclude => true,
        })
}

/// Takes all of the locks; `None` if one is not to be had.
pub(super) fn take(locks: &[Lock], open: No, wanted: &[LockElement]) -> Option<Vec<Lock>> {
    let mut all = locks.to_vec();
    for w in wanted {
        let exclusive = w.flags.contains(LockFlags::EXCLUSIVE_LOCK);
        let intent = if exclusive {
            Intent::Exclude
        } else {
            Intent::Share
        };
        if blocked(&all, open, w.offset, w.length, intent) {
            return None;
        }
        all.push(Lock {
            offset: w.offset,
            len: w.length,
            exclusive,
            open,
        });
    }
    all.sort_unstable();
    Some(all)
}

/// Gives locks back, one after the other, and says whether all were there.
pub(super) fn give_back(locks: &mut Vec<Lock>, open: No, elements: &[LockElement]) -> bool {
    for e in elements {
        let mine = |l: &Lock| (l.open, l.offset, l.len) == (open, e.offset, e.length);
        let found = locks
            .iter()
            .position(|l| mine(l) && l.exclusive)
            .or_else(|| locks.iter().position(mine));
        match found {
            Some(i) => {
                locks.remove(i);
            }
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(open: No, offset: u64, len: u64, exclusive: bool) -> Lock {
        Lock {
            offset,
            len,
            exclusive,
            open,
        }
    }

    #[test]
    fn who_may_do_what_beside_a_lock() {
        use Intent::{Exclude, Read, Share, Write};
        for (exclusive, same, intent, expected) in [
            (true, true, Read, false),
            (true, true, Write, false),
            (true, true, Share, false),
            (true, true, Exclude, true),
            (true, false, Read, true),
            (true, false, Write, true),
            (true, false, Share, true),
            (false, true, Read, false),
            (false, true, Write, true),
            (false, false, Read, false),
            (false, false, Write, true),
            (false, false, Share, false),
            (false, false, Exclude, true),
        ] {
            let held = [lock(1, 10, 10, exclusive)];
            let who = if same { 1 } else { 2 };
            assert_eq!(blocked(&held, who, 15, 1, intent), expected, "{intent:?}");
            assert!(!blocked(&held, who, 20, 1, intent));
        }
    }

    #[test]
    fn ranges_without_bytes_lie_between_bytes() {
        for (a, b, expected) in [
            ((10, 0), (9, 2), true),
            ((10, 0), (10, 2), false),
            ((10, 0), (9, 1), false),
            ((10, 0), (10, 0), false),
            ((0, 0), (0, 5), false),
            ((u64::MAX, 0), (u64::MAX - 1, 2), true),
        ] {
            assert_eq!(meet(a, b), expected, "{a:?} {b:?}");
            assert_eq!(meet(b, a), expected, "{a:?} {b:?}");
        }
    }
}
