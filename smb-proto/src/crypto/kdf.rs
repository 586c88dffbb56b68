//! Key derivation, [MS-SMB2] 3.1.4.2.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{Cipher, Key, PreauthHash};
use crate::Dialect;

/// SP800-108 key derivation in counter mode with HMAC-SHA256, r = 32 and L = 8 · `N` bits,
/// [MS-SMB2] 3.1.4.2. `N` is at most 32, so that one iteration is enough.
///
/// `label` and `context` are given with the terminating zero byte where the specification counts
/// it; the separator between them is added here.
#[must_use]
pub fn derive_key<const N: usize>(key: &[u8], label: &[u8], context: &[u8]) -> [u8; N] {
    const { assert!(N <= 32) };
    let bits = u32::try_from(N).unwrap_or(32).saturating_mul(8);
    let mut mac = hmac_sha256(key);
    mac.update(&1u32.to_be_bytes());
    mac.update(label);
    mac.update(&[0]);
    mac.update(context);
    mac.update(&bits.to_be_bytes());
    let full: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
    let mut derived = [0; N];
    for (to, from) in derived.iter_mut().zip(full.iter()) {
        *to = *from;
    }
    derived
}

/// HMAC-SHA256 with `key` of at most one block; what a longer one has beyond 64 bytes is hashed.
pub(super) fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    // RFC 2104 pads a short key with zero bytes to one block, so padding it here changes nothing,
    // and a key of exactly one block cannot be refused.
    let mut block = [0; 64];
    if let Some(start) = block.get_mut(..key.len()) {
        start.copy_from_slice(key);
    } else {
        use sha2::Digest;
        let digest: [u8; 32] = Sha256::digest(key).into();
        for (to, from) in block.iter_mut().zip(digest) {
            *to = from;
        }
    }
    let mac = Hmac::new(&block.into());
    block.zeroize();
    mac
}

/// The keys of one authenticated session, [MS-SMB2] 3.3.5.5.3 (server) and 3.2.5.3.1 (client).
///
/// They are named by direction rather than by who encrypts, so that both sides use the same type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// Session.SigningKey, 16 bytes.
    pub signing: Key,
    /// Seals what the server sends: EncryptionKey of the server, DecryptionKey of the client.
    /// `None` where no cipher was negotiated or the dialect has none.
    pub server_to_client: Option<Key>,
    /// Seals what the client sends: DecryptionKey of the server, EncryptionKey of the client.
    pub client_to_server: Option<Key>,
    /// Session.ApplicationKey, 16 bytes; what a named pipe's server gets as the session key.
    pub application: Key,
}

impl SessionKeys {
    /// Derives all keys from the key that the authentication gave (Session.FullSessionKey).
    ///
    /// `preauth` is Session.PreauthIntegrityHashValue and matters in dialect 3.1.1 only. Ciphers
    /// with 256-bit keys derive from the whole key, everything else from its first 16 bytes.
    #[must_use]
    pub fn derive(
        dialect: Dialect,
        cipher: Option<Cipher>,
        full_session_key: &Key,
        preauth: &PreauthHash,
    ) -> Self {
        let session_key = Zeroizing::new(full_session_key.session_key());
        let signing = signing_key(dialect, full_session_key, preauth);
        let cipher_key = |label: &[u8], context: &[u8]| -> Option<Key> {
            Some(match cipher? {
                Cipher::Aes128Ccm | Cipher::Aes128Gcm => {
                    derive_key::<16>(&*session_key, label, context).into()
                }
                Cipher::Aes256Ccm | Cipher::Aes256Gcm => {
                    derive_key::<32>(full_session_key.as_bytes(), label, context).into()
                }
            })
        };
        match dialect {
            Dialect::Smb202 | Dialect::Smb210 => Self {
                signing,
                server_to_client: None,
                client_to_server: None,
                application: (*session_key).into(),
            },
            Dialect::Smb300 | Dialect::Smb302 => Self {
                signing,
                server_to_client: cipher_key(b"SMB2AESCCM\0", b"ServerOut\0"),
                client_to_server: cipher_key(b"SMB2AESCCM\0", b"ServerIn \0"),
                application: derive_key::<16>(&*session_key, b"SMB2APP\0", b"SmbRpc\0").into(),
            },
            Dialect::Smb311 => Self {
                signing,
                server_to_client: cipher_key(b"SMBS2CCipherKey\0", &preauth.0),
                client_to_server: cipher_key(b"SMBC2SCipherKey\0", &preauth.0),
                application: derive_key::<16>(&*session_key, b"SMBAppKey\0", &preauth.0).into(),
            },
        }
    }
}

/// The signing key alone: Channel.SigningKey of a session binding, which keeps the session's other
/// keys, [MS-SMB2] 3.3.5.5.3. In dialects before 3.0 it is the session key itself.
#[must_use]
pub fn signing_key(dialect: Dialect, full_session_key: &Key, preauth: &PreauthHash) -> Key {
    let session_key = Zeroizing::new(full_session_key.session_key());
    match dialect {
        Dialect::Smb202 | Dialect::Smb210 => (*session_key).into(),
        Dialect::Smb300 | Dialect::Smb302 => {
            derive_key::<16>(&*session_key, b"SMB2AESCMAC\0", b"SmbSign\0").into()
        }
        Dialect::Smb311 => derive_key::<16>(&*session_key, b"SMBSigningKey\0", &preauth.0).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::{hex, hex_array};

    fn key(text: &str) -> Key {
        Key::new(&hex(text)).unwrap()
    }

    /// RFC 4231 test cases 1 and 6: a short key and one longer than a block.
    #[test]
    fn hmac_sha256_vectors() {
        let mut mac = hmac_sha256(&[0x0b; 20]);
        mac.update(b"Hi There");
        assert_eq!(
            mac.finalize().into_bytes()[..],
            hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        );
        let mut mac = hmac_sha256(&[0xaa; 131]);
        mac.update(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            mac.finalize().into_bytes()[..],
            hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        );
    }

    /// Both examples are from the Microsoft Open Specifications Support Team Blog, "SMB 2 and SMB
    /// 3 security in Windows 10: the anatomy of signing and cryptographic keys". Its Encryption and
    /// Decryption keys are those of the client.
    #[test]
    fn published_3_0() {
        for dialect in [Dialect::Smb300, Dialect::Smb302] {
            let keys = SessionKeys::derive(
                dialect,
                Some(Cipher::Aes128Ccm),
                &key("7CD451825D0450D235424E44BA6E78CC"),
                &PreauthHash::ZERO,
            );
            assert_eq!(keys.signing, key("0B7E9C5CAC36C0F6EA9AB275298CEDCE"));
            assert_eq!(
                keys.client_to_server,
                Some(key("FAD27796665B313EBB578F388632B4F7"))
            );
            assert_eq!(
                keys.server_to_client,
                Some(key("B0F0427F7CEB416D1D9DCC0CD4F99447"))
            );
            assert_eq!(keys.application, key("BB23A4575AA26C721AF525AF15A87B4F"));
            // The second channel.
            assert_eq!(
                signing_key(
                    dialect,
                    &key("4E01A2B313BCF660CC250BEF021AEDE6"),
                    &PreauthHash::ZERO
                ),
                key("BA1A17DBBFEC349BCA105563D598952F")
            );
        }
    }

    #[test]
    fn published_3_1_1() {
        let preauth = PreauthHash(hex_array(
            "0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB7928622DDDAD522D97
            51640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01",
        ));
        let keys = SessionKeys::derive(
            Dialect::Smb311,
            Some(Cipher::Aes128Gcm),
            &key("270E1BA896585EEB7AF3472D3B4C75A7"),
            &preauth,
        );
        assert_eq!(keys.signing, key("73FE7A9A77BEF0BDE49C650D8CCB5F76"));
        assert_eq!(
            keys.client_to_server,
            Some(key("629BCBC54422A0F572B97F45989B6073"))
        );
        assert_eq!(
            keys.server_to_client,
            Some(key("E2AF0DCEFAC68DA71A0DFBD0D1350D74"))
        );
        assert_eq!(keys.application, key("6D7AD7954E9EC61E907B4D473DC178FF"));
    }

    /// The keys that the Wireshark wiki gives for its SMB 3.1.1 example (a Windows server).
    #[test]
    fn recorded_3_1_1() {
        let preauth = PreauthHash(hex_array(
            "fb116c8020e23fd8e4e30701f1dad7afd8e3ff220dc45bff1d7ffb92eea3a689
            5f7f4939b9757eed97a81ec4fad97591e88173de781f328233a6f5374559f12a",
        ));
        let keys = SessionKeys::derive(
            Dialect::Smb311,
            Some(Cipher::Aes128Ccm),
            &key("b25a135fc3dc14269f20d7cbc8716b6b"),
            &preauth,
        );
        assert_eq!(
            keys.client_to_server,
            Some(key("f8c1a6b544e8226f98ee44778eaf316b"))
        );
        assert_eq!(
            keys.server_to_client,
            Some(key("394071f1a21db5ba683efa868c36aedf"))
        );
    }

    #[test]
    fn before_3_0_the_session_key_signs() {
        let full = Key::new(&[5; 9]).unwrap();
        for dialect in [Dialect::Smb202, Dialect::Smb210] {
            let keys = SessionKeys::derive(
                dialect,
                Some(Cipher::Aes128Ccm),
                &full,
                &PreauthHash([1; 64]),
            );
            let padded = Key::new(&[5, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0]).unwrap();
            assert_eq!(keys.signing, padded);
            assert_eq!(keys.application, padded);
            assert_eq!(keys.server_to_client, None);
            assert_eq!(keys.client_to_server, None);
        }
    }

    #[test]
    fn long_keys_matter_to_256_bit_ciphers_only() {
        let long = Key::from([9; 32]);
        let short = Key::from([9; 16]);
        let derive =
            |cipher, key| SessionKeys::derive(Dialect::Smb311, cipher, key, &PreauthHash::ZERO);
        assert_eq!(
            derive(Some(Cipher::Aes128Gcm), &long),
            derive(Some(Cipher::Aes128Gcm), &short)
        );
        let with_long = derive(Some(Cipher::Aes256Gcm), &long);
        let with_short = derive(Some(Cipher::Aes256Gcm), &short);
        assert_eq!(with_long.signing, with_short.signing);
        assert_eq!(with_long.application, with_short.application);
        assert_ne!(with_long.server_to_client, with_short.server_to_client);
        assert_ne!(with_long.client_to_server, with_short.client_to_server);
        assert_eq!(derive(None, &long).server_to_client, None);
    }
}
