//! Where a client's unpredictable values come from: a seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A generator expanded from a number; the same number gives the same values.
#[derive(Debug, Clone)]
pub struct Random(ChaCha20Rng);

impl Random {
    /// The generator of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// `N` fresh bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// A fresh value.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A value below `n` (0 if `n` is 0).
    pub fn below(&mut self, n: u64) -> u64 {
        // The bias is beyond notice for the small numbers it is used for.
        self.u64().checked_rem(n).unwrap_or(0)
    }
}
