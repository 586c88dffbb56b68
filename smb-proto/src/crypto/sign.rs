//! Message signing, [MS-SMB2] 3.1.4.1 and 3.1.5.1.

use std::fmt;

use aes::Aes128Enc;
use aes::cipher::BlockCipherEncrypt;
use cmac::Cmac;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::kdf::hmac_sha256;
use crate::header::{HEADER_LEN, HeaderFlags, SIGNATURE_RANGE};
use crate::{Command, Dialect, ParseError};

/// A signing algorithm by its SigningAlgorithmId, [MS-SMB2] 2.2.3.1.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum SigningAlgorithm {
    /// HMAC-SHA256, of which the first 16 bytes are sent.
    HmacSha256 = 0,
    /// AES-128-CMAC.
    AesCmac = 1,
    /// AES-128-GMAC.
    AesGmac = 2,
}

impl SigningAlgorithm {
    /// All algorithms in the order of their ids.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::AesCmac, Self::AesGmac];

    /// The algorithm with this SigningAlgorithmId.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|a| u16::from(*a) == code)
    }

    /// What a dialect uses when nothing else was negotiated.
    #[must_use]
    pub fn default_of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Smb202 | Dialect::Smb210 => Self::HmacSha256,
            Dialect::Smb300 | Dialect::Smb302 | Dialect::Smb311 => Self::AesCmac,
        }
    }
}

impl From<SigningAlgorithm> for u16 {
    fn from(a: SigningAlgorithm) -> Self {
        a as Self
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::AesCmac => "AES-128-CMAC",
            Self::AesGmac => "AES-128-GMAC",
        })
    }
}

/// Signs and verifies messages of a session or channel. The key schedule is computed once.
///
/// A message is one element of a compound: it begins at its SMB2 header and has the padding that
/// precedes the next element ([MS-SMB2] 3.1.4.1).
#[derive(Clone)]
pub struct SigningKey(State);

#[derive(Clone)]
enum State {
    Hmac(Hmac<Sha256>),
    Cmac(Cmac<Aes128Enc>),
    Gmac(Gmac),
    #[cfg(feature = "stub-crypto")]
    Stub(SigningAlgorithm),
}

/// AES-128 and GHASH keyed with its encryption of the zero block (SP800-38D 7.1).
#[derive(Clone)]
struct Gmac {
    cipher: Aes128Enc,
    ghash: GHash,
}

/// What of a header the signature depends on beside its bytes.
struct Parts<'a> {
    before: &'a [u8],
    signature: &'a [u8; 16],
    after: &'a [u8],
    nonce: [u8; 12],
}

impl<'a> Parts<'a> {
    /// Splits a message, or the first part of one, around its Signature field.
    fn of(message: &'a [u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "signed message";
        let (header, after) = message
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(ParseError::Truncated(WHAT))?;
        let (before, signature) = header
            .split_last_chunk::<16>()
            .ok_or(ParseError::Truncated(WHAT))?;
        let mut f = crate::wire::Fields::at(header, 12, WHAT)?;
        let command = f.u16()?;
        f.skip(2)?;
        let flags = HeaderFlags::from_bits_retain(f.u32()?);
        f.skip(4)?;
        let message_id = f.u64()?;

        // [MS-SMB2] 3.1.4.1: MessageId, then 32 bits of which bit 0 says that the server sends and
        // bit 1 that this is a CANCEL request, which has the MessageId of the cancelled one.
        let from_server = flags.contains(HeaderFlags::SERVER_TO_REDIR);
        let cancel = !from_server && command == u16::from(Command::Cancel);
        let bits = u32::from(from_server) | u32::from(cancel) << 1;
        let mut nonce = [0; 12];
        let source = message_id
            .to_le_bytes()
            .into_iter()
            .chain(bits.to_le_bytes());
        for (to, from) in nonce.iter_mut().zip(source) {
            *to = from;
        }
        Ok(Self {
            before,
            signature,
            after,
            nonce,
        })
    }
}

impl SigningKey {
    /// A key for `algorithm`.
    #[must_use]
    pub fn new(algorithm: SigningAlgorithm, key: &[u8; 16]) -> Self {
        Self(match algorithm {
            SigningAlgorithm::HmacSha256 => State::Hmac(hmac_sha256(key)),
            SigningAlgorithm::AesCmac => State::Cmac(Cmac::new(key.into())),
            SigningAlgorithm::AesGmac => State::Gmac(Gmac::new(key)),
        })
    }

    /// A key that protects nothing: its signature is a checksum of the message. For simulations that
    /// look at everything but cryptography; both sides must use it.
    #[cfg(feature = "stub-crypto")]
    #[must_use]
    pub fn stub(algorithm: SigningAlgorithm) -> Self {
        Self(State::Stub(algorithm))
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self.0 {
            #[cfg(feature = "stub-crypto")]
            State::Stub(algorithm) => algorithm,
            State::Hmac(_) => SigningAlgorithm::HmacSha256,
            State::Cmac(_) => SigningAlgorithm::AesCmac,
            State::Gmac(_) => SigningAlgorithm::AesGmac,
        }
    }

    fn compute(&self, parts: &Parts<'_>, rest: &[&[u8]]) -> [u8; 16] {
        let segments = [parts.before, &[0; 16], parts.after];
        let segments = segments.into_iter().chain(rest.iter().copied());
        match &self.0 {
            State::Hmac(mac) => {
                let mut mac = mac.clone();
                segments.for_each(|s| mac.update(s));
                let full: [u8; 32] = mac.finalize().into_bytes().into();
                let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = full;
                first
            }
            State::Cmac(mac) => {
                let mut mac = mac.clone();
                segments.for_each(|s| mac.update(s));
                mac.finalize().into_bytes().into()
            }
            State::Gmac(mac) => mac.compute(&parts.nonce, segments),
            #[cfg(feature = "stub-crypto")]
            State::Stub(_) => super::stub::checksum(segments),
        }
    }

    /// The signature of the message made of `first` and then `rest`, its Signature field taken as
    /// zero. `first` has at least the whole header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if `first` is shorter than a header.
    pub fn signature(&self, first: &[u8], rest: &[&[u8]]) -> Result<[u8; 16], ParseError> {
        Ok(self.compute(&Parts::of(first)?, rest))
    }

    /// Writes the signature of `message` into its header. The flags must be final already
    /// (SMB2_FLAGS_SIGNED set): they are signed too.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if `message` is shorter than a header.
    pub fn sign(&self, message: &mut [u8]) -> Result<(), ParseError> {
        self.sign_segments(message, &[])
    }

    /// As [`Self::sign`] for a message in several parts, of which `first` has at least the header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if `first` is shorter than a header.
    pub fn sign_segments(&self, first: &mut [u8], rest: &[&[u8]]) -> Result<(), ParseError> {
        let signature = self.signature(first, rest)?;
        first
            .get_mut(SIGNATURE_RANGE)
            .ok_or(ParseError::Truncated("signed message"))?
            .copy_from_slice(&signature);
        Ok(())
    }

    /// Whether the header of `message` has the right signature. Takes constant time for a given
    /// length; a message without a whole header is not signed.
    #[must_use]
    pub fn verify(&self, message: &[u8]) -> bool {
        match Parts::of(message) {
            Ok(parts) => self.compute(&parts, &[]).ct_eq(parts.signature).into(),
            Err(_) => false,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

impl Gmac {
    fn new(key: &[u8; 16]) -> Self {
        let cipher = Aes128Enc::new(key.into());
        let mut h = ghash::Block::default();
        cipher.encrypt_block(&mut h);
        let ghash = GHash::new(&h);
        h.zeroize();
        Self { cipher, ghash }
    }

    /// GCM (SP800-38D 7.1) with the segments as additional data and an empty plain text.
    fn compute<'a>(&self, nonce: &[u8; 12], segments: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
        let mut ghash = self.ghash.clone();
        // The bytes of a block that the segments so far have not filled.
        let mut partial = ghash::Block::default();
        let mut filled = 0usize;
        let mut total = 0u64;
        for mut segment in segments {
            total = total.saturating_add(u64::try_from(segment.len()).unwrap_or(u64::MAX));
            if filled != 0 {
                let room = partial.iter_mut().skip(filled);
                let n = room.len().min(segment.len());
                room.zip(segment).for_each(|(to, from)| *to = *from);
                segment = segment.get(n..).unwrap_or_default();
                filled = filled.saturating_add(n);
                if filled < partial.len() {
                    continue;
                }
                ghash.update(&[partial]);
            }
            let (blocks, tail) = ghash::Block::slice_as_chunks(segment);
            ghash.update(blocks);
            partial = ghash::Block::default();
            partial
                .iter_mut()
                .zip(tail)
                .for_each(|(to, from)| *to = *from);
            filled = tail.len();
        }
        if filled != 0 {
            ghash.update(&[partial]);
        }
        let mut lengths = ghash::Block::default();
        let bits = total.saturating_mul(8).to_be_bytes();
        lengths
            .iter_mut()
            .zip(bits)
            .for_each(|(to, from)| *to = from);
        ghash.update(&[lengths]);

        let mut mask = ghash::Block::default();
        let counter = nonce.iter().copied().chain(1u32.to_be_bytes());
        mask.iter_mut()
            .zip(counter)
            .for_each(|(to, from)| *to = from);
        self.cipher.encrypt_block(&mut mask);
        let mut tag = ghash.finalize();
        tag.iter_mut().zip(mask).for_each(|(to, from)| *to ^= from);
        tag.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::testing::{hex, hex_array};

    /// Messages of real clients and servers; the GMAC ones are a request, a response whose length
    /// is no multiple of 16, and a CANCEL.
    #[test]
    fn recorded() {
        let cases = [
            (
                SigningAlgorithm::HmacSha256,
                "64326d67306f695345574d426b335357",
                "fe534d4240000000000000000d00000008000000000000002200000000000000
                f91500000000000022a9ddc300000000382676c1677329ad346920448eb50807
                04000000",
            ),
            (
                SigningAlgorithm::AesCmac,
                "42a23d7723331542e55963b50e54ce24",
                "fe534d4240000100000000000200010008000000000000001300000000000000
                0000000000000000c7c2f65900000000fecf69b0bc4a966757ab8c9042a3f829
                04000000",
            ),
            (
                SigningAlgorithm::AesGmac,
                "cb7ba9cc26eec35d864d66c788b1b8e0",
                "fe534d4240000100000000000400010008000000000000000e00000000000000
                0000000019dbbd6c3489a22d000000007c60dce3f123aa57c6521675df5d9479
                04000000",
            ),
            (
                SigningAlgorithm::AesGmac,
                "81f7f35607ea08a68bb02289ec2788f9",
                "fe534d4240000100000000001100010009000000000000003500000000000000
                000000007612c03e56af35ba00000000d4b2a9ab88cf2f160a757753b6a04c61
                0200",
            ),
            (
                SigningAlgorithm::AesGmac,
                "578e6a14d401ae1e000f9ac95c1f94b5",
                "fe534d4240000000000000000c0000001a000000000000000800000000000000
                080000000000000084cbc10100000000dd5e57315020cc5a08c652cea189d6be
                04000000",
            ),
        ];
        for (algorithm, key, message) in cases {
            let key = SigningKey::new(algorithm, &hex_array(key));
            let mut message = hex(message);
            assert!(key.verify(&message), "{algorithm}");
            let signed = message.clone();
            message[SIGNATURE_RANGE].fill(0xaa);
            assert!(!key.verify(&message), "{algorithm}");
            key.sign(&mut message).unwrap();
            assert_eq!(message, signed, "{algorithm}");
        }
    }

    /// The response of the 3.1.1 example in "SMB 2 and SMB 3 security in Windows 10: the anatomy of
    /// signing and cryptographic keys", Microsoft Open Specifications Support Team Blog.
    #[test]
    fn published_cmac() {
        let key = SigningKey::new(
            SigningAlgorithm::AesCmac,
            &hex_array("73FE7A9A77BEF0BDE49C650D8CCB5F76"),
        );
        assert!(key.verify(&hex(
            "FE534D4240000100000000000100800009000000000000000300000000000000FFFE000000000000
            1900000000100000EBE146DA120BA25FC3376A49DFE31BC10900000048001D00A11B3019A0030A01
            00A3120410010000003B453CDC3524164200000000"
        )));
    }

    #[test]
    fn ids() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(
                SigningAlgorithm::from_code(algorithm.into()),
                Some(algorithm)
            );
        }
        assert_eq!(SigningAlgorithm::from_code(3), None);
    }

    #[test]
    fn shorter_than_a_header() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::new(algorithm, &[1; 16]);
            for len in 0..64 {
                let mut message = vec![0; len];
                assert!(!key.verify(&message));
                assert!(key.sign(&mut message).is_err());
                assert!(key.sign_segments(&mut message, &[&[0; 64]]).is_err());
            }
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = SigningKey::new(SigningAlgorithm::AesGmac, &[0xab; 16]);
        assert_eq!(format!("{key:?}"), "SigningKey(AES-128-GMAC)");
    }

    proptest! {
        #[test]
        fn segments_are_the_whole_message(
            algorithm in prop::sample::select(&SigningAlgorithm::ALL[..]),
            key: [u8; 16],
            message in prop::collection::vec(any::<u8>(), 64..300),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        ) {
            let key = SigningKey::new(algorithm, &key);
            let mut cuts: Vec<usize> =
                cuts.iter().map(|c| 64 + c.index(message.len() - 63)).collect();
            cuts.sort_unstable();
            let first = cuts[0];
            let mut rest = Vec::new();
            for (n, &from) in cuts.iter().enumerate() {
                let to = cuts.get(n + 1).copied().unwrap_or(message.len());
                rest.push(&message[from..to]);
            }
            let mut whole = message.clone();
            key.sign(&mut whole).unwrap();
            prop_assert!(key.verify(&whole));
            let mut head = message[..first].to_vec();
            key.sign_segments(&mut head, &rest).unwrap();
            prop_assert_eq!(&head[..], &whole[..first]);
            prop_assert_eq!(key.signature(&message[..first], &rest).unwrap(), &whole[48..64]);
        }

        #[test]
        fn every_bit_counts(
            algorithm in prop::sample::select(&SigningAlgorithm::ALL[..]),
            key: [u8; 16],
            mut message in prop::collection::vec(any::<u8>(), 64..200),
            at: prop::sample::Index,
            bit in 0..8u8,
        ) {
            let key = SigningKey::new(algorithm, &key);
            key.sign(&mut message).unwrap();
            let n = at.index(message.len());
            message[n] ^= 1 << bit;
            prop_assert!(!key.verify(&message));
            message[n] ^= 1 << bit;
            message.push(0);
            prop_assert!(!key.verify(&message));
        }
    }
}
