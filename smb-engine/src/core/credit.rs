//! The message ids that a client may use, [MS-SMB2] 3.3.1.1 and 3.3.5.2.3.

/// CommandSequenceWindow of one connection: ids below `low` are used up, ids from `high` on are not
/// granted yet, and of those between, the bitmap says which are used.
#[derive(Debug)]
pub(crate) struct Window {
    low: u64,
    high: u64,
    /// One bit for each id from `low` rounded down to a multiple of 64.
    used: std::collections::VecDeque<u64>,
    /// Unused ids in the window: the credits that the client has.
    available: u64,
    max: u64,
}

/// An id outside the window, or used already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutsideWindow;

impl Window {
    /// The window of a new connection: the one id 0.
    pub(crate) fn new(max: u16) -> Self {
        Self {
            low: 0,
            high: 1,
            used: std::collections::VecDeque::from([0]),
            available: 1,
            max: u64::from(max).max(1),
        }
    }

    fn word_bit(&self, id: u64) -> (usize, u64) {
        let base = self.low & !63;
        let at = id.saturating_sub(base);
        (
            usize::try_from(at >> 6).unwrap_or(usize::MAX),
            1 << (at & 63),
        )
    }

    /// Takes the ids `first .. first + charge` (3.3.5.2.3: a request of charge n uses n ids).
    pub(crate) fn take(&mut self, first: u64, charge: u16) -> Result<(), OutsideWindow> {
        let charge = u64::from(charge.max(1));
        let end = first.checked_add(charge).ok_or(OutsideWindow)?;
        if first < self.low || end > self.high {
            return Err(OutsideWindow);
        }
        for id in first..end {
            let (word, bit) = self.word_bit(id);
            if self.used.get(word).is_none_or(|w| w & bit != 0) {
                return Err(OutsideWindow);
            }
        }
        for id in first..end {
            let (word, bit) = self.word_bit(id);
            if let Some(w) = self.used.get_mut(word) {
                *w |= bit;
            }
        }
        self.available = self.available.saturating_sub(charge);
        self.advance();
        Ok(())
    }

    fn advance(&mut self) {
        while self.low < self.high {
            let (word, bit) = self.word_bit(self.low);
            if self.used.get(word).is_none_or(|w| w & bit == 0) {
                break;
            }
            self.low = self.low.saturating_add(1);
            if self.low & 63 == 0 {
                self.used.pop_front();
            }
        }
        let words = self.word_bit(self.high).0.saturating_add(1);
        self.used.resize(words, 0);
    }

    /// Grants up to `wanted` further ids and says how many (3.3.1.2). A client that holds none gets
    /// at least one, so that it can always go on; the span of the window is bounded by four times
    /// the maximum, so that a client that leaves gaps stops at some point.
    pub(crate) fn grant(&mut self, wanted: u16) -> u16 {
        let room = self.max.saturating_sub(self.available);
        let span = self.high.saturating_sub(self.low);
        let span_room = self.max.saturating_mul(4).saturating_sub(span);
        let mut give = u64::from(wanted).min(room).min(span_room);
        if give == 0 && self.available == 0 {
            give = 1;
        }
        self.high = self.high.saturating_add(give);
        self.available = self.available.saturating_add(give);
        self.advance();
        u16::try_from(give).unwrap_or(u16::MAX)
    }

    /// Credits that the client has.
    pub(crate) fn available(&self) -> u64 {
        self.available
    }
}

/// Credits that a request of this payload needs, [MS-SMB2] 3.3.5.2.5.
pub(crate) fn charge_for(send: u64, expected: u64) -> u64 {
    send.max(expected).saturating_sub(1) / 65536 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_id_once() {
        let mut w = Window::new(10);
        assert_eq!(w.take(1, 1), Err(OutsideWindow));
        assert_eq!(w.take(0, 1), Ok(()));
        assert_eq!(w.take(0, 1), Err(OutsideWindow));
        assert_eq!(w.grant(100), 10);
        assert_eq!(w.take(3, 2), Ok(()));
        assert_eq!(w.take(4, 1), Err(OutsideWindow));
        assert_eq!(w.take(10, 2), Err(OutsideWindow));
        assert_eq!(w.take(u64::MAX, 2), Err(OutsideWindow));
        assert_eq!(w.available(), 8);
    }

    #[test]
    fn charges() {
        assert_eq!(charge_for(0, 0), 1);
        assert_eq!(charge_for(65536, 0), 1);
        assert_eq!(charge_for(0, 65537), 2);
    }

    proptest! {
        /// Against the plain definition: a set of granted and a set of used ids.
        #[test]
        fn agrees_with_sets(steps in proptest::collection::vec((0u64..80, 1u16..5, 0u16..20), 1..200)) {
            let mut w = Window::new(16);
            let (mut high, mut used) = (1u64, std::collections::BTreeSet::new());
            for (id, charge, wanted) in steps {
                let ids: Vec<u64> = (id..id + u64::from(charge)).collect();
                let fine = ids.iter().all(|i| *i < high && !used.contains(i));
                prop_assert_eq!(w.take(id, charge).is_ok(), fine);
                if fine {
                    used.extend(ids);
                }
                high += u64::from(w.grant(wanted));
                prop_assert_eq!(w.available(), high - used.len() as u64);
                prop_assert!(w.available() <= 16 && w.available() >= 1);
            }
        }
    }
}
