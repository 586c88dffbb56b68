//! ChannelSequence: telling requests that were sent before a channel was lost from those sent after
//! it, [MS-SMB2] 3.3.5.2.10, and repeated LOCKs from new ones, 3.3.5.14.

use std::collections::BTreeMap;

/// Open.ChannelSequence, Open.OutstandingRequestCount and Open.OutstandingPreRequestCount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sequence {
    current: u16,
    /// How often it has changed: numbers come again after 2^16.
    changes: u32,
    /// Requests with the present number that are not answered.
    outstanding: u32,
    /// Those with an earlier one.
    before: u32,
}

/// A request that counts, until [`Sequence::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted(u32);

impl Sequence {
    pub(crate) fn new(current: u16) -> Self {
        Self {
            current,
            ..Self::default()
        }
    }

    /// Takes in a request with this number. `None`: it comes too late, or repeats one that may still
    /// be running; then one that changes something is refused with STATUS_FILE_NOT_AVAILABLE, and
    /// another one goes on without being counted.
    pub(crate) fn enter(&mut self, number: u16, repeated: bool) -> Option<Counted> {
        let ahead = number.wrapping_sub(self.current);
        if ahead > 0x7fff || (repeated && self.before > 0) {
            return None;
        }
        if ahead > 0 {
            self.before = self.before.saturating_add(self.outstanding);
            self.outstanding = 0;
            self.current = number;
            self.changes = self.changes.wrapping_add(1);
        }
        self.outstanding = self.outstanding.saturating_add(1);
        Some(Counted(self.changes))
    }

    /// A request is answered.
    pub(crate) fn leave(&mut self, counted: Counted) {
        if counted.0 == self.changes {
            self.outstanding = self.outstanding.saturating_sub(1);
        } else {
            self.before = self.before.saturating_sub(1);
        }
    }
}

/// Open.LockSequenceArray: the number of the last LOCK that succeeded, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LockSequence(BTreeMap<u32, u8>);

/// Buckets of [`LockSequence`]; index 0 means none.
const BUCKETS: u32 = 64;

impl LockSequence {
    /// Whether a LOCK with this number has succeeded already. If not, what was known of the index is
    /// forgotten until [`Self::succeeded`].
    pub(crate) fn is_repeated(&mut self, index: u32, number: u8) -> bool {
        if self.0.get(&index) == Some(&number) {
            return true;
        }
        self.0.remove(&index);
        false
    }

    /// What is known of each index.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, u8)> {
        self.0.iter().map(|(index, number)| (*index, *number))
    }

    /// A LOCK with this number has succeeded.
    pub(crate) fn succeeded(&mut self, index: u32, number: u8) {
        if (1..=BUCKETS).contains(&index) {
            self.0.insert(index, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_by_at_most_half_the_circle() {
        let mut s = Sequence::new(0);
        for (number, good) in [
            (0, true),
            (0x8000, false),
            (0xffff, false),
            (0x7fff, true),
            (0x7ffe, false),
            (0, false),
            (0x8000, true),
            (0xffff, true),
            (0, true),
            (1, true),
            (0, false),
        ] {
            let counted = s.enter(number, false);
            assert_eq!(counted.is_some(), good, "{number:#x}");
            if let Some(counted) = counted {
                s.leave(counted);
            }
        }
    }

    #[test]
    fn a_repetition_waits_for_what_was_sent_before_the_change() {
        let mut s = Sequence::new(0);
        let first = s.enter(0, false).unwrap();
        let second = s.enter(1, false).unwrap();
        assert_eq!(s.enter(1, true), None);
        s.leave(first);
        let repeated = s.enter(1, true).unwrap();
        s.leave(second);
        s.leave(repeated);
        assert_eq!((s.outstanding, s.before), (0, 0));
    }

    #[test]
    fn lock_numbers() {
        let mut l = LockSequence::default();
        assert!(!l.is_repeated(1, 5));
        l.succeeded(1, 5);
        assert!(l.is_repeated(1, 5));
        // Another number forgets the one before, whether it succeeds or not.
        assert!(!l.is_repeated(1, 6));
        assert!(!l.is_repeated(1, 5));
        l.succeeded(0, 1);
        l.succeeded(65, 1);
        assert!(!l.is_repeated(0, 1) && !l.is_repeated(65, 1));
    }
}
