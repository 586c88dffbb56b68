//! NTLMv2 and NTLM session security, [MS-NLMP] 3.3.2 and 3.4.
//!
//! NTLMv1 and sessions without extended session security are left out on purpose: their responses
//! and keys can be recovered from a recording.

mod security;

pub use security::{MessageSecurity, Sender};

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Key;
use crate::ntlm::{MIC_RANGE, NegotiateFlags};
use crate::wire::encode_utf16;

/// Length of NTProofStr.
const PROOF_LEN: usize = 16;

/// The shortest NTLMv2 response: NTProofStr, the fixed part of NTLMv2_CLIENT_CHALLENGE, and
/// MsvAvEOL.
const NT_V2_RESPONSE_MIN: usize = 16 + 28 + 4;

fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    // RFC 2104 pads the key with zero bytes to one block of 64; a key of that length cannot be
    // refused.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Md5>::new(&block.into());
    block.zeroize();
    parts.iter().for_each(|p| mac.update(p));
    mac.finalize().into_bytes().into()
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|p| hash.update(p));
    hash.finalize().into()
}

fn rc4(key: &[u8; 16]) -> Rc4 {
    // The key schedule of RC4 repeats the key until it has 256 bytes, so the doubled key gives the
    // same stream, and 32 bytes are what the cipher takes without a check that could fail.
    let mut doubled = [0; 32];
    let twice = key.iter().cycle();
    doubled
        .iter_mut()
        .zip(twice)
        .for_each(|(to, from)| *to = *from);
    let cipher = Rc4::new(&doubled.into());
    doubled.zeroize();
    cipher
}

/// Upper case as RtlUpcaseUnicodeString has it: each UTF-16 unit for itself, so that the length
/// stays and characters without a single upper case one remain.
fn upcase(text: &str) -> String {
    let one = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(u), None) if c.len_utf16() == 1 && u.len_utf16() == 1 => u,
            _ => c,
        }
    };
    text.chars().map(one).collect()
}

/// NTOWFv1, the "NT hash": MD4 of the password in UTF-16LE, [MS-NLMP] 3.3.1. Whoever has it can log
/// on as the user. Wiped when dropped, no content in `Debug`, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NtHash([u8; 16]);

impl NtHash {
    /// The hash of `password`.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let text = Zeroizing::new(encode_utf16(password));
        Self(Md4::digest(&*text).into())
    }

    /// The hash as a user database keeps it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a user database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for NtHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for NtHash {}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash")
    }
}

/// NTOWFv2, [MS-NLMP] 3.3.2: HMAC-MD5 of the user name in upper case and the domain, keyed with the
/// NT hash. It serves as ResponseKeyNT and ResponseKeyLM.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ResponseKey([u8; 16]);

impl ResponseKey {
    /// The key for `user` and `domain` as they are in the AUTHENTICATE_MESSAGE.
    #[must_use]
    pub fn new(nt_hash: &NtHash, user: &str, domain: &str) -> Self {
        let user = encode_utf16(&upcase(user));
        Self(hmac_md5(&nt_hash.0, &[&user, &encode_utf16(domain)]))
    }

    /// NTProofStr for `temp`, the encoded [`crate::ntlm::ClientChallenge`].
    #[must_use]
    pub fn nt_proof(&self, server_challenge: &[u8; 8], temp: &[u8]) -> [u8; 16] {
        hmac_md5(&self.0, &[server_challenge, temp])
    }

    fn session_base_key(&self, proof: &[u8; 16]) -> Key {
        hmac_md5(&self.0, &[proof]).into()
    }

    /// NtChallengeResponse and SessionBaseKey for `temp`, the client's part.
    #[must_use]
    pub fn respond(&self, server_challenge: &[u8; 8], temp: &[u8]) -> (Vec<u8>, Key) {
        let proof = self.nt_proof(server_challenge, temp);
        ([&proof, temp].concat(), self.session_base_key(&proof))
    }

    /// SessionBaseKey, which for NTLMv2 is the KeyExchangeKey too ([MS-NLMP] 3.4.5.1), if
    /// `nt_response` is an NTLMv2 response that this key made; else `None`.
    #[must_use]
    pub fn verify(&self, server_challenge: &[u8; 8], nt_response: &[u8]) -> Option<Key> {
        if nt_response.len() < NT_V2_RESPONSE_MIN {
            return None;
        }
        let (proof, temp) = nt_response.split_first_chunk::<PROOF_LEN>()?;
        let expected = self.nt_proof(server_challenge, temp);
        bool::from(expected.ct_eq(proof)).then(|| self.session_base_key(proof))
    }

    /// LmChallengeResponse of LMv2, 24 bytes: HMAC-MD5 of both challenges, then the client's.
    #[must_use]
    pub fn lm_respond(&self, server_challenge: &[u8; 8], client_challenge: &[u8; 8]) -> Vec<u8> {
        let proof = hmac_md5(&self.0, &[server_challenge, client_challenge]);
        [&proof[..], client_challenge].concat()
    }

    /// Whether `lm_response` is an LMv2 response that this key made.
    #[must_use]
    pub fn lm_verify(&self, server_challenge: &[u8; 8], lm_response: &[u8]) -> bool {
        let Some((proof, client_challenge)) = lm_response.split_first_chunk::<PROOF_LEN>() else {
            return false;
        };
        if client_challenge.len() != 8 {
            return false;
        }
        let expected = hmac_md5(&self.0, &[server_challenge, client_challenge]);
        expected.ct_eq(proof).into()
    }
}

impl fmt::Debug for ResponseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseKey")
    }
}

/// RC4K of a session key with the KeyExchangeKey, [MS-NLMP] 3.1.5.1.2: what a client puts into
/// EncryptedRandomSessionKey. The operation is its own inverse.
#[must_use]
pub fn exchange_session_key(key_exchange_key: &Key, session_key: &Key) -> [u8; 16] {
    let mut data = session_key.session_key();
    rc4(&key_exchange_key.session_key()).apply_keystream(&mut data);
    data
}

/// ExportedSessionKey, the key that SMB derives its own from, [MS-NLMP] 3.2.5.1.2: the decrypted
/// EncryptedRandomSessionKey if `flags` (those of the AUTHENTICATE_MESSAGE) agree on a key exchange,
/// else the KeyExchangeKey itself.
///
/// `None` if `encrypted` has not the length that the flags demand. Clients that agree on a key
/// exchange but on neither signing nor sealing may send one or not.
#[must_use]
pub fn exported_session_key(
    flags: NegotiateFlags,
    key_exchange_key: &Key,
    encrypted: &[u8],
) -> Option<Key> {
    if !flags.contains(NegotiateFlags::KEY_EXCH) {
        return Some(key_exchange_key.clone());
    }
    let protects = flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL);
    if encrypted.is_empty() && !protects {
        return Some(key_exchange_key.clone());
    }
    let encrypted = Key::from(<[u8; 16]>::try_from(encrypted).ok()?);
    Some(exchange_session_key(key_exchange_key, &encrypted).into())
}

/// The MIC of an AUTHENTICATE_MESSAGE, [MS-NLMP] 3.1.5.1.2: HMAC-MD5 with ExportedSessionKey of the
/// three messages as they were sent, the MIC field ([`MIC_RANGE`]) of the last taken as zero.
#[must_use]
pub fn message_integrity_code(
    exported_session_key: &Key,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> [u8; 16] {
    let before = authenticate.get(..MIC_RANGE.start).unwrap_or(authenticate);
    let mic = authenticate.get(MIC_RANGE).map_or(&[][..], |_| &[0; 16]);
    let after = authenticate.get(MIC_RANGE.end..).unwrap_or_default();
    hmac_md5(
        &exported_session_key.session_key(),
        &[negotiate, challenge, before, mic, after],
    )
}

/// Whether the MIC in `authenticate` is right; see [`message_integrity_code`]. Constant time for a
/// given length. A message too short for a MIC has none.
#[must_use]
pub fn verify_mic(
    exported_session_key: &Key,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> bool {
    let Some(mic) = authenticate.get(MIC_RANGE) else {
        return false;
    };
    let expected = message_integrity_code(exported_session_key, negotiate, challenge, authenticate);
    expected.ct_eq(mic).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::FileTime;
    use crate::crypto::testing::{hex, hex_array};
    use crate::ntlm::{
        AuthenticateMessage, AvId, AvPairs, ChallengeMessage, ClientChallenge, NegotiateMessage,
    };

    /// Common values of the examples, [MS-NLMP] 4.2.1 and 4.2.4.
    const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    const FLAGS: NegotiateFlags = NegotiateFlags::from_bits_retain(0xe28a_8233);

    fn published_key() -> ResponseKey {
        ResponseKey::new(&NtHash::of_password("Password"), "User", "Domain")
    }

    fn published_temp() -> Vec<u8> {
        let mut av_pairs = AvPairs::default();
        av_pairs.set_text(AvId::NB_DOMAIN_NAME, "Domain");
        av_pairs.set_text(AvId::NB_COMPUTER_NAME, "Server");
        let temp = ClientChallenge {
            timestamp: FileTime(0),
            challenge: [0xaa; 8],
            av_pairs,
        };
        temp.to_bytes().to_vec()
    }

    /// [MS-NLMP] 4.2.2.1.2 and 4.2.4.1.1.
    #[test]
    fn published_hashes() {
        assert_eq!(
            NtHash::of_password("Password").as_bytes()[..],
            hex("a4f49c406510bdcab6824ee7c30fd852")
        );
        assert_eq!(
            published_key().0[..],
            hex("0c868a403bfd7a93a3001ef22ef02e3f")
        );
    }

    /// [MS-NLMP] 4.2.4.1.2 to 4.2.4.2.3.
    #[test]
    fn published_responses() {
        let key = published_key();
        let lm = key.lm_respond(&SERVER_CHALLENGE, &[0xaa; 8]);
        assert_eq!(lm, hex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"));
        assert!(key.lm_verify(&SERVER_CHALLENGE, &lm));
        assert!(!key.lm_verify(&[0; 8], &lm));

        let temp = published_temp();
        let (response, base_key) = key.respond(&SERVER_CHALLENGE, &temp);
        assert_eq!(response[..16], hex("68cd0ab851e51c96aabc927bebef6a1c"));
        assert_eq!(response[16..], temp);
        assert_eq!(base_key.as_bytes(), hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(
            key.verify(&SERVER_CHALLENGE, &response),
            Some(base_key.clone())
        );

        let exported = Key::from([0x55; 16]);
        let encrypted = exchange_session_key(&base_key, &exported);
        assert_eq!(encrypted[..], hex("c5dad2544fc9799094ce1ce90bc9d03e"));
        assert_eq!(
            exported_session_key(FLAGS, &base_key, &encrypted),
            Some(exported)
        );
    }

    /// Accounts of the recordings that the tests of this project use.
    #[test]
    fn hashes_of_other_alphabets() {
        for (password, hash) in [
            ("Secr3t-alice", "79d4c91af040aa315ef8278c6da75ce5"),
            ("p4ss word bob", "3c6fcf6b846cfc956d6ab262c6e3e59b"),
            ("Grüße-東京-9", "76a2cd91d148d7bed9d56d80ae5ac0dc"),
        ] {
            assert_eq!(
                NtHash::of_password(password),
                NtHash::from_bytes(hex_array(hash))
            );
        }
    }

    #[test]
    fn upper_case_keeps_the_length() {
        assert_eq!(upcase("user.Name-1"), "USER.NAME-1");
        assert_eq!(upcase("grüßé東京жλ"), "GRÜßÉ東京ЖΛ");
        assert_eq!(upcase("\u{10428}\u{149}"), "\u{10428}\u{149}");
    }

    #[test]
    fn refuses_other_responses() {
        let key = published_key();
        let (response, _) = key.respond(&SERVER_CHALLENGE, &published_temp());
        assert!(key.verify(&[0; 8], &response).is_none());
        for n in 0..response.len() {
            assert!(key.verify(&SERVER_CHALLENGE, &response[..n]).is_none());
            let mut bad = response.clone();
            bad[n] ^= 1;
            assert!(key.verify(&SERVER_CHALLENGE, &bad).is_none());
        }
        let short = key.respond(&SERVER_CHALLENGE, &[]).0;
        assert!(key.verify(&SERVER_CHALLENGE, &short).is_none());
        for other in [
            ResponseKey::new(&NtHash::of_password("password"), "User", "Domain"),
            ResponseKey::new(&NtHash::of_password("Password"), "Usr", "Domain"),
            ResponseKey::new(&NtHash::of_password("Password"), "User", "DOMAIN"),
        ] {
            assert!(other.verify(&SERVER_CHALLENGE, &response).is_none());
        }
        let lower = ResponseKey::new(&NtHash::of_password("Password"), "uSER", "Domain");
        assert!(lower.verify(&SERVER_CHALLENGE, &response).is_some());
        let lm = key.lm_respond(&SERVER_CHALLENGE, &[1; 8]);
        for n in 0..lm.len() {
            assert!(!key.lm_verify(&SERVER_CHALLENGE, &lm[..n]));
        }
    }

    #[test]
    fn when_keys_are_exchanged() {
        let kx = Key::from([1; 16]);
        let exchange = NegotiateFlags::KEY_EXCH;
        let sign = exchange | NegotiateFlags::SIGN;
        let seal = exchange | NegotiateFlags::SEAL;
        let decrypted = Some(Key::from(exchange_session_key(&kx, &Key::from([2; 16]))));
        let own = Some(kx.clone());
        for (flags, encrypted, expected) in [
            (NegotiateFlags::SIGN, &[2; 16][..], &own),
            (NegotiateFlags::empty(), &[], &own),
            (sign, &[2; 16], &decrypted),
            (seal, &[2; 16], &decrypted),
            (sign, &[], &None),
            (sign, &[2; 15], &None),
            (sign, &[2; 17], &None),
            (exchange, &[2; 16], &decrypted),
            (exchange, &[], &own),
            (exchange, &[2; 8], &None),
        ] {
            let key = exported_session_key(flags, &kx, encrypted);
            assert_eq!(&key, expected, "{flags:?} {}", encrypted.len());
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let hash = NtHash::from_bytes([0xab; 16]);
        assert_eq!(format!("{hash:?}"), "NtHash");
        assert_eq!(
            format!("{:?}", ResponseKey::new(&hash, "u", "d")),
            "ResponseKey"
        );
    }

    proptest! {
        /// A whole logon, client and server with the messages between them as bytes.
        #[test]
        fn logon(
            password in ".{0,20}",
            user in ".{1,20}",
            domain in ".{0,15}",
            server_challenge: [u8; 8],
            client_challenge: [u8; 8],
            session_key: [u8; 16],
            bad: prop::sample::Index,
        ) {
            let hash = NtHash::of_password(&password);
            let negotiate = NegotiateMessage::new(FLAGS).to_bytes();
            let mut target_info = AvPairs::default();
            target_info.set_text(AvId::NB_COMPUTER_NAME, "SRV");
            let challenge = ChallengeMessage {
                flags: FLAGS,
                target_name: "SRV".into(),
                server_challenge,
                target_info: Some(target_info.clone()),
                version: None,
            }
            .to_bytes();

            target_info.set_flags(crate::ntlm::AvFlags::MIC_PROVIDED);
            let temp = ClientChallenge {
                timestamp: FileTime(5),
                challenge: client_challenge,
                av_pairs: target_info,
            }
            .to_bytes();
            let key = ResponseKey::new(&hash, &user, &domain);
            let (nt_response, base_key) = key.respond(&server_challenge, &temp);
            let session_key = Key::from(session_key);
            let mut message = AuthenticateMessage {
                flags: FLAGS,
                version: None,
                mic: Some([0; 16]),
                lm_response: vec![0; 24].into(),
                nt_response: nt_response.into(),
                domain,
                user,
                workstation: "WS".into(),
                encrypted_session_key: exchange_session_key(&base_key, &session_key)
                    .to_vec()
                    .into(),
            };
            let mic = message_integrity_code(
                &session_key, &negotiate, &challenge, &message.to_bytes(),
            );
            message.mic = Some(mic);
            let sent = message.to_bytes();

            let got = AuthenticateMessage::parse(&sent).unwrap();
            prop_assert!(got.promises_mic());
            let key = ResponseKey::new(&hash, &got.user, &got.domain);
            let base_key = key.verify(&server_challenge, &got.nt_response).unwrap();
            let exported =
                exported_session_key(got.flags, &base_key, &got.encrypted_session_key).unwrap();
            prop_assert_eq!(&exported, &session_key);
            prop_assert!(verify_mic(&exported, &negotiate, &challenge, &sent));

            let flip = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let n = bad.index(bytes.len());
                bytes[n] ^= 1;
                bytes
            };
            prop_assert!(!verify_mic(&exported, &flip(&negotiate), &challenge, &sent));
            prop_assert!(!verify_mic(&exported, &negotiate, &flip(&challenge), &sent));
            prop_assert!(!verify_mic(&exported, &negotiate, &challenge, &flip(&sent)));
            for n in 0..88 {
                prop_assert!(!verify_mic(&exported, &negotiate, &challenge, &sent[..n]));
            }
        }
    }
}
