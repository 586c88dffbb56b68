//! Cryptography of SMB2 and SMB3 as pure functions on slices.
//!
//! Whoever owns a session keeps the derived keys; whoever owns a connection keeps [`SigningKey`],
//! [`SealingKey`] and [`OpeningKey`], whose cipher state is computed once. Nonces come from the
//! caller, so the same inputs always give the same bytes. Secrets are wiped when dropped, show no
//! content in `Debug`, and are compared in constant time.

mod aead;
mod kdf;
mod key;
pub mod ntlm;
mod preauth;
mod sign;
#[cfg(feature = "stub-crypto")]
mod stub;

pub use aead::{Cipher, OpenError, OpeningKey, SealError, SealingKey};
pub use kdf::{SessionKeys, derive_key, signing_key};
pub use key::Key;
pub use preauth::PreauthHash;
pub use sign::{SigningAlgorithm, SigningKey};

#[cfg(test)]
pub(crate) mod testing {
    /// The bytes of a hexadecimal string; white space is skipped.
    pub(crate) fn hex(text: &str) -> Vec<u8> {
        crate::testing::hex(text).to_vec()
    }

    /// [`hex`] as an array.
    pub(crate) fn hex_array<const N: usize>(text: &str) -> [u8; N] {
        hex(text).try_into().unwrap()
    }
}
