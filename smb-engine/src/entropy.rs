//! The engine's only source of unpredictable values: ChaCha20 expanded from the seed that the
//! driver gives at construction. Same seed, same inputs, same values.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Deterministic generator, cryptographically strong as long as the seed is secret.
pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// `N` fresh bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }
}
