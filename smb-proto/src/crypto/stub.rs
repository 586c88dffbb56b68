//! A checksum in the place of signatures and tags, for simulations.

/// 16 bytes that depend on every byte of the segments and on where they are cut.
pub(super) fn checksum<'a>(segments: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |word: u64| {
        hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    };
    for segment in segments {
        let (words, rest) = segment.as_chunks::<8>();
        words.iter().for_each(|w| add(u64::from_le_bytes(*w)));
        rest.iter().for_each(|b| add(u64::from(*b)));
        // Lengths are far below 2^64.
        add(u64::try_from(segment.len()).unwrap_or(u64::MAX));
    }
    let mut out = [0; 16];
    let halves = hash.to_le_bytes().into_iter();
    let second = hash.rotate_left(17).to_le_bytes();
    for (to, from) in out.iter_mut().zip(halves.chain(second)) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Cipher, OpeningKey, SealingKey, SigningAlgorithm, SigningKey};

    #[test]
    fn every_bit_counts() {
        let key = SigningKey::stub(SigningAlgorithm::AesGmac);
        let mut message = vec![7; 100];
        assert_eq!(key.sign(&mut message), Ok(()));
        assert!(key.verify(&message));
        for at in 0..message.len() {
            let mut other = message.clone();
            other[at] ^= 1;
            assert!(!key.verify(&other), "{at}");
        }
    }

    #[test]
    fn a_sealed_message_opens_only_as_it_was_sealed() {
        let seal = SealingKey::stub(Cipher::Aes128Gcm);
        let open = OpeningKey::stub(Cipher::Aes128Gcm);
        let mut message = *b"something to be sealed";
        let tag = seal.seal(&[1; 16], &[2; 32], &mut message).unwrap();
        let mut other = message;
        other[3] ^= 1;
        assert!(open.open(&[1; 16], &[2; 32], &mut message, &tag).is_ok());
        assert!(open.open(&[1; 16], &[2; 32], &mut other, &tag).is_err());
        assert!(open.open(&[1; 16], &[3; 32], &mut message, &tag).is_err());
    }
}
