//! Cryptography of SMB2 and SMB3 as pure functions on slices.
//!
//! Whoever owns a session keeps the derived keys; whoever owns a connection keeps [`SigningKey`],
//! [`SealingKey`] and [`OpeningKey`], whose cipher state is computed once. Nonces come from the
//! caller, so the same inputs always give the same bytes. Secrets are wiped when dropped, show no
//! content in `Debug`, and are compared in constant time.

mod aead;
mod kdf;
mod key;
mod preauth;
mod sign;

pub use aead::{Cipher, OpenError, OpeningKey, SealError, SealingKey};
pub use kdf::{SessionKeys, derive_key, signing_key};
pub use key::Key;
pub use preauth::PreauthHash;
pub use sign::{SigningAlgorithm, SigningKey};

#[cfg(test)]
pub(crate) mod testing {
    /// The bytes of a hexadecimal string; blanks are skipped.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
            .collect();
        let (pairs, rest) = digits.as_chunks::<2>();
        assert!(rest.is_empty());
        pairs.iter().map(|[a, b]| a << 4 | b).collect()
    }

    /// [`hex`] as an array.
    pub(crate) fn hex_array<const N: usize>(text: &str) -> [u8; N] {
        hex(text).try_into().unwrap()
    }
}
