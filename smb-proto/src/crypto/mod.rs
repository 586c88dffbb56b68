//! Cryptography as pure functions on slices.
