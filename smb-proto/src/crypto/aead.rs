//! Encryption of messages, [MS-SMB2] 3.1.4.3.

use std::fmt;

use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::AesGcm;
use ccm::Ccm;
use ccm::aead::array::Array;
use ccm::aead::consts::{U11, U12, U16};
use ccm::aead::{AeadInOut, KeyInit};
use thiserror::Error;

use super::Key;

/// A cipher by its CipherId, [MS-SMB2] 2.2.3.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Cipher {
    /// AES-128-CCM, the only one of dialects 3.0 and 3.0.2.
    Aes128Ccm = 1,
    /// AES-128-GCM.
    Aes128Gcm = 2,
    /// AES-256-CCM.
    Aes256Ccm = 3,
    /// AES-256-GCM.
    Aes256Gcm = 4,
}

impl Cipher {
    /// All ciphers in the order of their ids.
    pub const ALL: [Self; 4] = [
        Self::Aes128Ccm,
        Self::Aes128Gcm,
        Self::Aes256Ccm,
        Self::Aes256Gcm,
    ];

    /// The cipher with this CipherId.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|c| u16::from(*c) == code)
    }

    /// Length of its key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes128Gcm => 16,
            Self::Aes256Ccm | Self::Aes256Gcm => 32,
        }
    }

    /// How many bytes of the Nonce field of the transform header it uses, [MS-SMB2] 2.2.41. The
    /// others are zero.
    #[must_use]
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes256Ccm => 11,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
        }
    }
}

impl From<Cipher> for u16 {
    fn from(c: Cipher) -> Self {
        c as Self
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes128Ccm => "AES-128-CCM",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Ccm => "AES-256-CCM",
            Self::Aes256Gcm => "AES-256-GCM",
        })
    }
}

/// The message is longer than the cipher allows (4 GiB and more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("message too long for the cipher")]
pub struct SealError;

/// The tag does not belong to this key, nonce, associated data and message: it was made with
/// another key or changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("message does not authenticate")]
pub struct OpenError;

/// The cipher with its key schedule.
#[derive(Clone)]
enum State {
    Ccm128(Ccm<Aes128Enc, U16, U11>),
    Gcm128(AesGcm<Aes128Enc, U12>),
    Ccm256(Ccm<Aes256Enc, U16, U11>),
    Gcm256(AesGcm<Aes256Enc, U12>),
    #[cfg(feature = "stub-crypto")]
    Stub(Cipher),
}

impl State {
    fn new(cipher: Cipher, key: &Key) -> Option<Self> {
        Some(match cipher {
            Cipher::Aes128Ccm => Self::Ccm128(Ccm::new(key.as_array::<16>()?.into())),
            Cipher::Aes128Gcm => Self::Gcm128(AesGcm::new(key.as_array::<16>()?.into())),
            Cipher::Aes256Ccm => Self::Ccm256(Ccm::new(key.as_array::<32>()?.into())),
            Cipher::Aes256Gcm => Self::Gcm256(AesGcm::new(key.as_array::<32>()?.into())),
        })
    }

    fn cipher(&self) -> Cipher {
        match self {
            Self::Ccm128(_) => Cipher::Aes128Ccm,
            Self::Gcm128(_) => Cipher::Aes128Gcm,
            Self::Ccm256(_) => Cipher::Aes256Ccm,
            Self::Gcm256(_) => Cipher::Aes256Gcm,
            #[cfg(feature = "stub-crypto")]
            Self::Stub(cipher) => *cipher,
        }
    }
}

fn nonce11(nonce: &[u8; 16]) -> Array<u8, U11> {
    let [n @ .., _, _, _, _, _] = *nonce;
    n.into()
}

fn nonce12(nonce: &[u8; 16]) -> Array<u8, U12> {
    let [n @ .., _, _, _, _] = *nonce;
    n.into()
}

/// Encrypts messages in one direction of a session. The key schedule is computed once.
#[derive(Clone)]
pub struct SealingKey(State);

impl SealingKey {
    /// A key that protects nothing: messages stay as they are, and the tag is a checksum. For
    /// simulations that look at everything but cryptography; both sides must use it.
    #[cfg(feature = "stub-crypto")]
    #[must_use]
    pub fn stub(cipher: Cipher) -> Self {
        Self(State::Stub(cipher))
    }

    /// A key for `cipher`; `None` if `key` has not [`Cipher::key_len`] bytes.
    #[must_use]
    pub fn new(cipher: Cipher, key: &Key) -> Option<Self> {
        State::new(cipher, key).map(Self)
    }

    /// The cipher.
    #[must_use]
    pub fn cipher(&self) -> Cipher {
        self.0.cipher()
    }

    /// Encrypts `message` in place and answers the tag for the Signature field of the transform
    /// header, [MS-SMB2] 3.1.4.3.
    ///
    /// `nonce` is the Nonce field, of which [`Cipher::nonce_len`] bytes count; it must never be
    /// used again with this key. `aad` is the transform header from its Nonce field on (32 bytes).
    ///
    /// # Errors
    /// [`SealError`] for messages beyond the limit of the cipher; `message` is then unchanged.
    pub fn seal(
        &self,
        nonce: &[u8; 16],
        aad: &[u8],
        message: &mut [u8],
    ) -> Result<[u8; 16], SealError> {
        #[cfg(feature = "stub-crypto")]
        if let State::Stub(_) = &self.0 {
            return Ok(super::stub::checksum(
                [&nonce[..], aad, message].into_iter(),
            ));
        }
        let buf = message.into();
        let tag = match &self.0 {
            State::Ccm128(c) => c.encrypt_inout_detached(&nonce11(nonce), aad, buf),
            State::Gcm128(c) => c.encrypt_inout_detached(&nonce12(nonce), aad, buf),
            State::Ccm256(c) => c.encrypt_inout_detached(&nonce11(nonce), aad, buf),
            State::Gcm256(c) => c.encrypt_inout_detached(&nonce12(nonce), aad, buf),
            #[cfg(feature = "stub-crypto")]
            State::Stub(_) => return Err(SealError),
        };
        tag.map(Into::into).map_err(|_| SealError)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.cipher())
    }
}

/// Decrypts messages in one direction of a session. The key schedule is computed once.
#[derive(Clone)]
pub struct OpeningKey(State);

impl OpeningKey {
    /// A key that protects nothing: messages stay as they are, and the tag is a checksum. For
    /// simulations that look at everything but cryptography; both sides must use it.
    #[cfg(feature = "stub-crypto")]
    #[must_use]
    pub fn stub(cipher: Cipher) -> Self {
        Self(State::Stub(cipher))
    }

    /// A key for `cipher`; `None` if `key` has not [`Cipher::key_len`] bytes.
    #[must_use]
    pub fn new(cipher: Cipher, key: &Key) -> Option<Self> {
        State::new(cipher, key).map(Self)
    }

    /// The cipher.
    #[must_use]
    pub fn cipher(&self) -> Cipher {
        self.0.cipher()
    }

    /// Checks `tag` and decrypts `message` in place, [MS-SMB2] 3.1.5.2. Parameters are those of
    /// [`SealingKey::seal`].
    ///
    /// # Errors
    /// [`OpenError`] if the message does not authenticate. What `message` then holds is not the
    /// plain text and of no use.
    pub fn open(
        &self,
        nonce: &[u8; 16],
        aad: &[u8],
        message: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), OpenError> {
        #[cfg(feature = "stub-crypto")]
        if let State::Stub(_) = &self.0 {
            let right = super::stub::checksum([&nonce[..], aad, message].into_iter());
            return if right == *tag {
                Ok(())
            } else {
                Err(OpenError)
            };
        }
        let buf = message.into();
        let tag = tag.into();
        match &self.0 {
            State::Ccm128(c) => c.decrypt_inout_detached(&nonce11(nonce), aad, buf, tag),
            State::Gcm128(c) => c.decrypt_inout_detached(&nonce12(nonce), aad, buf, tag),
            State::Ccm256(c) => c.decrypt_inout_detached(&nonce11(nonce), aad, buf, tag),
            State::Gcm256(c) => c.decrypt_inout_detached(&nonce12(nonce), aad, buf, tag),
            #[cfg(feature = "stub-crypto")]
            State::Stub(_) => return Err(OpenError),
        }
        .map_err(|_| OpenError)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({})", self.cipher())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Dialect;
    use crate::crypto::testing::{hex, hex_array};
    use crate::crypto::{PreauthHash, SessionKeys};

    /// Splits an encrypted message into nonce, associated data, tag and cipher text.
    fn split(message: &[u8]) -> ([u8; 16], &[u8], [u8; 16], Vec<u8>) {
        (
            message[20..36].try_into().unwrap(),
            &message[20..52],
            message[4..20].try_into().unwrap(),
            message[52..].to_vec(),
        )
    }

    fn check(cipher: Cipher, key: &Key, plain: &str, sealed: &str) {
        let plain = hex(plain);
        let sealed = hex(sealed);
        let (nonce, aad, tag, mut text) = split(&sealed);
        let mut again = plain.clone();
        let sealing = SealingKey::new(cipher, key).unwrap();
        assert_eq!(sealing.seal(&nonce, aad, &mut again), Ok(tag));
        assert_eq!(again, text);
        let opening = OpeningKey::new(cipher, key).unwrap();
        assert_eq!(opening.open(&nonce, aad, &mut text, &tag), Ok(()));
        assert_eq!(text, plain);
    }

    /// "Encryption in SMB 3.0: a protocol perspective", Microsoft Open Specifications Support Team
    /// Blog: a WRITE request and its response.
    #[test]
    fn published_3_0_ccm() {
        let keys = SessionKeys::derive(
            Dialect::Smb300,
            Some(Cipher::Aes128Ccm),
            &Key::new(&hex("B4546771B515F766A86735532DD6C4F0")).unwrap(),
            &PreauthHash::ZERO,
        );
        check(
            Cipher::Aes128Ccm,
            &keys.client_to_server.unwrap(),
            "FE534D4240000100000000000900400008000000000000000400000000000000
            FFFE0000010000001100001400E4080000000000000000000000000000000000
            3100700017000000000000000000000015010000390000020100000039020000
            00000000000000007000000000000000536D623320656E6372797074696F6E20
            74657374696E67",
            "FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A
            744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5
            2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4
            4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5
            AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6
            C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB",
        );
        check(
            Cipher::Aes128Ccm,
            &keys.server_to_client.unwrap(),
            "FE534D4240000100000000000900210009000000000000000400000000000000
            FFFE0000010000001100001400E4080000000000000000000000000000000000
            11000000170000000000000000000000",
            "FD534D42A6015530A18F6D9AFFE22AFAE8E66484860000000000000011000014
            00E4080050000000000001001100001400E40800DBF46435C5F14169293CE079
            E344479BF670227E49873F458672C3098DAC467DD5809F369D67409166515787
            1483E01F7BECD02064EAC3E235F913668BBC2F097980D4B378F1993EFF6E60D1
            77309E5B",
        );
    }

    /// "SMB 3.1.1 encryption in Windows 10", the same blog.
    #[test]
    fn published_3_1_1_gcm() {
        let keys = SessionKeys::derive(
            Dialect::Smb311,
            Some(Cipher::Aes128Gcm),
            &Key::new(&hex("419FDDF34C1E001909D362AE7FB6AF79")).unwrap(),
            &PreauthHash(hex_array(
                "B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDBA7DB256BA2EA30E9
                77F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770",
            )),
        );
        check(
            Cipher::Aes128Gcm,
            &keys.client_to_server.unwrap(),
            "FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000
            25000000001000000000000000000000000000000000000031007000170000000000000000000000
            0600000004000000010000000400000000000000000000007000000000000000536D623320656E63
            72797074696F6E2074657374696E67",
            "FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000
            0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02
            D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4
            4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9
            1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8",
        );
        check(
            Cipher::Aes128Gcm,
            &keys.server_to_client.unwrap(),
            "FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000
            25000000001000000000000000000000000000000000000011000000170000000000000000000000",
            "FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000
            00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8
            F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B
            82E03C9E18A050FF0EA1C967",
        );
    }

    /// Responses of Samba to smbclient: nothing is published for the 256-bit ciphers.
    #[test]
    fn recorded_256_bit() {
        let cases = [
            (
                Cipher::Aes256Ccm,
                "a3a328ec0b76091b3ceb47c43da5dd01",
                "16392523c7d728cafb6b555e2a7901ee0d72942cc04c28643b57bf78fd1012c8
                62264b37091d412378066922388201e175df55fc120070f6c67b89e58d6e2159",
                "fd534d4231f0b071213150268d44d564f87c3e250d000000000000005cca6600
                000000004200000000000100203a3957000000002b526ae05f9cf521f68a1c60
                187e34dd4f28d9811fbfbd9eca9493f0ff78aead96e5a24e8774e70287c3eccf
                8c9e454406d870b92bfe1d8f89bfa530de6e10a37891",
            ),
            (
                Cipher::Aes256Gcm,
                "cc1a167b01141442045d5eaee5cf574a",
                "89e9f930432f6fffae715f13801b3ef2d385257faa8f7c21093b92c38fdc9142
                549af9f51641fd4b3cb9e7649c9c8709eebdc247fd98a6817690d3eb07f44cbc",
                "fd534d421c63a35501d165571eb82d9d09f28aea03000000000000004c7c4aa4
                000000004400000000000100467f7a1800000000b6418bdbc9b3bbc89f7e201a
                8376d9af7e0a974cb76d2dcdb45da5e41ba6dd2099e0b66c4311a7cebd714bea
                a73a3cabd2ab006e2e0c2ee15618c2b3588bb13f90fd0192",
            ),
        ];
        for (cipher, session_key, preauth, sealed) in cases {
            let keys = SessionKeys::derive(
                Dialect::Smb311,
                Some(cipher),
                &Key::new(&hex(session_key)).unwrap(),
                &PreauthHash(hex_array(preauth)),
            );
            let sealed = hex(sealed);
            let (nonce, aad, tag, mut text) = split(&sealed);
            let opening = OpeningKey::new(cipher, &keys.server_to_client.unwrap()).unwrap();
            assert_eq!(opening.open(&nonce, aad, &mut text, &tag), Ok(()));
            assert!(text.starts_with(b"\xfeSMB"));
        }
    }

    #[test]
    fn key_lengths() {
        for cipher in Cipher::ALL {
            for len in 1..=32 {
                let key = Key::new(&vec![1; len]).unwrap();
                let fits = len == cipher.key_len();
                assert_eq!(SealingKey::new(cipher, &key).is_some(), fits);
                assert_eq!(OpeningKey::new(cipher, &key).is_some(), fits);
            }
            assert_eq!(Cipher::from_code(cipher.into()), Some(cipher));
        }
        assert_eq!(Cipher::from_code(0), None);
        assert_eq!(Cipher::from_code(5), None);
    }

    #[test]
    fn debug_shows_no_key() {
        let key = Key::from([0xab; 16]);
        let sealing = SealingKey::new(Cipher::Aes128Gcm, &key).unwrap();
        assert_eq!(format!("{sealing:?}"), "SealingKey(AES-128-GCM)");
    }

    proptest! {
        #[test]
        fn opens_what_it_sealed_and_nothing_else(
            cipher in prop::sample::select(&Cipher::ALL[..]),
            key: [u8; 32],
            nonce: [u8; 16],
            aad in prop::collection::vec(any::<u8>(), 0..40),
            plain in prop::collection::vec(any::<u8>(), 1..200),
            at: prop::sample::Index,
            bit in 0..8u8,
        ) {
            let key = Key::new(&key[..cipher.key_len()]).unwrap();
            let sealing = SealingKey::new(cipher, &key).unwrap();
            let opening = OpeningKey::new(cipher, &key).unwrap();
            let mut text = plain.clone();
            let tag = sealing.seal(&nonce, &aad, &mut text).unwrap();

            let mut opened = text.clone();
            prop_assert_eq!(opening.open(&nonce, &aad, &mut opened, &tag), Ok(()));
            prop_assert_eq!(&opened, &plain);

            // Bytes behind the ones the cipher uses do not count.
            let mut longer = nonce;
            longer[15] ^= 1;
            prop_assert_eq!(opening.open(&longer, &aad, &mut text.clone(), &tag), Ok(()));

            let flip = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let n = at.index(bytes.len());
                bytes[n] ^= 1 << bit;
                bytes
            };
            let mut bad = flip(&text);
            prop_assert_eq!(opening.open(&nonce, &aad, &mut bad, &tag), Err(OpenError));
            prop_assert_ne!(bad, plain);
            let bad = flip(&tag).try_into().unwrap();
            prop_assert_eq!(opening.open(&nonce, &aad, &mut text.clone(), &bad), Err(OpenError));
            let mut bad = nonce;
            bad[at.index(cipher.nonce_len())] ^= 1 << bit;
            prop_assert_eq!(opening.open(&bad, &aad, &mut text.clone(), &tag), Err(OpenError));
            if !aad.is_empty() {
                let bad = flip(&aad);
                prop_assert_eq!(opening.open(&nonce, &bad, &mut text.clone(), &tag), Err(OpenError));
            }
        }
    }
}
