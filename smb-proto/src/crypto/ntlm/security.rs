//! Session security: signatures and sealing after the logon, [MS-NLMP] 3.4.

use std::fmt;

use rc4::{Rc4, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{hmac_md5, md5, rc4};
use crate::crypto::Key;
use crate::ntlm::NegotiateFlags;

/// Who sends the messages that a [`MessageSecurity`] protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Client to server.
    Client,
    /// Server to client.
    Server,
}

/// Signs or seals the messages of one sender, in their order, [MS-NLMP] 3.4. A context needs two,
/// one for each direction.
///
/// SMB itself needs it only for the mechListMIC of SPNEGO (RFC 4178 5), which is the first message
/// of each direction.
pub struct MessageSecurity {
    signing_key: Zeroizing<[u8; 16]>,
    handle: Rc4,
    encrypts_checksum: bool,
    sequence: u32,
}

impl MessageSecurity {
    /// Length of a signature: Version (4), Checksum (8), SeqNum (4), [MS-NLMP] 2.2.2.9.2.
    pub const SIGNATURE_LEN: usize = 16;

    /// The state before the first message. `None` if `flags` lack extended session security, whose
    /// absence leaves no usable signature.
    #[must_use]
    pub fn new(flags: NegotiateFlags, exported_session_key: &Key, sender: Sender) -> Option<Self> {
        if !flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
            return None;
        }
        let key = Zeroizing::new(exported_session_key.session_key());
        // [MS-NLMP] 3.4.5.3: the sealing key has the agreed strength.
        let strength = if flags.contains(NegotiateFlags::KEY_128) {
            16
        } else if flags.contains(NegotiateFlags::KEY_56) {
            7
        } else {
            5
        };
        let weakened = key.get(..strength)?;
        let (sign, seal): (&[u8], &[u8]) = match sender {
            Sender::Client => (
                b"session key to client-to-server signing key magic constant\0",
                b"session key to client-to-server sealing key magic constant\0",
            ),
            Sender::Server => (
                b"session key to server-to-client signing key magic constant\0",
                b"session key to server-to-client sealing key magic constant\0",
            ),
        };
        let sealing_key = Zeroizing::new(md5(&[weakened, seal]));
        Some(Self {
            signing_key: Zeroizing::new(md5(&[&*key, sign])),
            handle: rc4(&sealing_key),
            encrypts_checksum: flags.contains(NegotiateFlags::KEY_EXCH),
            sequence: 0,
        })
    }

    /// MAC, [MS-NLMP] 3.4.4.2.
    fn next(&mut self, message: &[u8]) -> [u8; 16] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let [mut checksum @ .., _, _, _, _, _, _, _, _] =
            hmac_md5(&self.signing_key, &[&sequence, message]);
        if self.encrypts_checksum {
            self.handle.apply_keystream(&mut checksum);
        }
        let mut signature = [0; Self::SIGNATURE_LEN];
        let fields = 1u32
            .to_le_bytes()
            .into_iter()
            .chain(checksum)
            .chain(sequence);
        signature
            .iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = from);
        signature
    }

    /// GSS_GetMIC: the signature of the next message.
    pub fn sign(&mut self, message: &[u8]) -> [u8; 16] {
        self.next(message)
    }

    /// GSS_VerifyMIC: whether `signature` belongs to the next message. After `false` the two sides
    /// are out of step and the context is of no further use.
    #[must_use]
    pub fn verify(&mut self, message: &[u8], signature: &[u8]) -> bool {
        self.next(message)[..].ct_eq(signature).into()
    }

    /// GSS_Wrap: encrypts the next message in place and answers its signature.
    pub fn seal(&mut self, message: &mut [u8]) -> [u8; 16] {
        // The checksum is that of the plain text, but its key stream follows the message's.
        let plain = Zeroizing::new(message.to_vec());
        self.handle.apply_keystream(message);
        self.next(&plain)
    }

    /// GSS_Unwrap: decrypts the next message in place and checks its signature; see
    /// [`Self::verify`].
    #[must_use]
    pub fn open(&mut self, message: &mut [u8], signature: &[u8]) -> bool {
        self.handle.apply_keystream(message);
        self.verify(message, signature)
    }
}

impl fmt::Debug for MessageSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageSecurity(next {})", self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::testing::hex;
    use crate::wire::encode_utf16;

    /// Flags of the examples in [MS-NLMP] 4.2.4.
    const FLAGS: NegotiateFlags = NegotiateFlags::from_bits_retain(0xe28a_8233);

    /// [MS-NLMP] 4.2.4.4.
    #[test]
    fn published_wrap() {
        let new = || MessageSecurity::new(FLAGS, &Key::from([0x55; 16]), Sender::Client).unwrap();
        let plain = encode_utf16("Plaintext");
        let mut text = plain.clone();
        let signature = new().seal(&mut text);
        assert_eq!(text, hex("54e50165bf1936dc996020c1811b0f06fb5f"));
        assert_eq!(signature[..], hex("010000007fb38ec5c55d497600000000"));
        assert!(new().open(&mut text, &signature));
        assert_eq!(text, plain);
    }

    /// Both mechListMIC of the 3.1.1 example in "SMB 2 and SMB 3 security in Windows 10: the anatomy
    /// of signing and cryptographic keys", Microsoft Open Specifications Support Team Blog.
    #[test]
    fn published_mech_list_mic() {
        let key = Key::new(&hex("270E1BA896585EEB7AF3472D3B4C75A7")).unwrap();
        let flags = NegotiateFlags::from_bits_retain(0xe288_8215);
        let mech_types = hex("300c060a2b06010401823702020a");
        for (sender, mic) in [
            (Sender::Client, "0100000063775A9A5FD97F0600000000"),
            (Sender::Server, "010000003B453CDC3524164200000000"),
        ] {
            let new = || MessageSecurity::new(flags, &key, sender).unwrap();
            assert_eq!(new().sign(&mech_types)[..], hex(mic));
            assert!(new().verify(&mech_types, &hex(mic)));
        }
    }

    #[test]
    fn signatures_count_messages() {
        let key = Key::from([3; 16]);
        let flags = FLAGS - NegotiateFlags::KEY_EXCH;
        for flags in [FLAGS, flags, flags - NegotiateFlags::KEY_128] {
            let new = |sender| MessageSecurity::new(flags, &key, sender).unwrap();
            let mut client = new(Sender::Client);
            let mut server = new(Sender::Client);
            let first = client.sign(b"a");
            let second = client.sign(b"a");
            assert_ne!(first, second);
            assert!(server.verify(b"a", &first));
            assert!(server.verify(b"a", &second));
            assert!(!server.verify(b"a", &second));
            assert!(!new(Sender::Client).verify(b"b", &first));
            assert!(!new(Sender::Server).verify(b"a", &first));
            assert!(!new(Sender::Client).verify(b"a", &first[..15]));
            assert!(!new(Sender::Client).verify(b"a", &[]));
        }
        let legacy = FLAGS - NegotiateFlags::EXTENDED_SESSIONSECURITY;
        assert!(MessageSecurity::new(legacy, &key, Sender::Client).is_none());
    }

    #[test]
    fn debug_shows_no_content() {
        let security = MessageSecurity::new(FLAGS, &Key::from([3; 16]), Sender::Client);
        assert_eq!(
            format!("{:?}", security.unwrap()),
            "MessageSecurity(next 0)"
        );
    }
}
