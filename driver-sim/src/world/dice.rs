//! Random choices from a seed.

use crate::client::Random;

/// A source of random choices. Each part of a world has its own, so that what one part draws does
/// not change what another does.
#[derive(Debug, Clone)]
pub(super) struct Dice(Random);

impl Dice {
    /// The dice of one part, named by `part`, of the world of `seed`.
    pub(super) fn new(seed: u64, part: u64) -> Self {
        // Spreads the bits of both, so that neighbours have nothing in common (splitmix64).
        let mut z = seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(Random::new(z ^ (z >> 31)))
    }

    /// A value below `n`; 0 if `n` is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0.below(n)
    }

    /// A value from `low` to `high`, both possible.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Small numbers, as bytes.
    pub(super) fn small(&mut self, n: u8) -> u8 {
        u8::try_from(self.below(u64::from(n))).unwrap_or(0)
    }

    /// True `n` times in `of`.
    pub(super) fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let n = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from[n]
    }

    /// An index by weights; 0 if all are zero.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total = weights.iter().map(|w| u64::from(*w)).sum();
        let mut left = self.below(total);
        for (i, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return i,
            }
        }
        0
    }
}
