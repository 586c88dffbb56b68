//! Secret bytes.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest key in bytes.
const MAX: usize = 32;

/// A symmetric key of 1 to 32 bytes, wiped when dropped. `Debug` shows only its length, equality
/// takes constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key {
    bytes: [u8; MAX],
    len: usize,
}

impl Key {
    /// A key with these bytes; `None` if there are none or more than 32.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let mut key = Self {
            bytes: [0; MAX],
            len: bytes.len(),
        };
        key.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// The bytes if there are exactly `N`.
    #[must_use]
    pub fn as_array<const N: usize>(&self) -> Option<&[u8; N]> {
        self.as_bytes().try_into().ok()
    }

    /// Session.SessionKey of a cryptographic key: its first 16 bytes, padded with zero bytes on the
    /// right if it is shorter, [MS-SMB2] 3.3.1.8.
    #[must_use]
    pub fn session_key(&self) -> [u8; 16] {
        let (first, _) = self.bytes.split_first_chunk().unwrap_or((&[0; 16], &[]));
        *first
    }
}

impl From<[u8; 16]> for Key {
    fn from(mut bytes: [u8; 16]) -> Self {
        let mut key = Self {
            bytes: [0; MAX],
            len: bytes.len(),
        };
        for (to, from) in key.bytes.iter_mut().zip(&bytes) {
            *to = *from;
        }
        bytes.zeroize();
        key
    }
}

impl From<[u8; 32]> for Key {
    fn from(mut bytes: [u8; 32]) -> Self {
        let key = Self {
            bytes,
            len: bytes.len(),
        };
        bytes.zeroize();
        key
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(Key::new(&[]), None);
        assert_eq!(Key::new(&[1; 33]), None);
        for len in 1..=32 {
            let key = Key::new(&vec![7; len]).unwrap();
            assert_eq!(key.as_bytes(), vec![7; len]);
            let mut padded = vec![7; len];
            padded.resize(16.max(len), 0);
            assert_eq!(&key.session_key(), &padded[..16]);
        }
        assert_eq!(Key::from([3; 16]), Key::new(&[3; 16]).unwrap());
        assert_eq!(Key::from([3; 32]), Key::new(&[3; 32]).unwrap());
        assert_ne!(Key::from([3; 32]), Key::from([3; 16]));
        assert_eq!(Key::from([3; 16]).as_array(), Some(&[3; 16]));
        assert_eq!(Key::from([3; 16]).as_array::<32>(), None);
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Key::from([0xab; 16])), "Key(16 bytes)");
    }
}
