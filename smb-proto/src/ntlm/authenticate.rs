use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::{
    AvFlags, ClientChallenge, Field, MessageType, NegotiateFlags, Payloads, Version, decode_text,
    encode_text, payload_start, read_head, write_head,
};
use crate::ParseError;
use crate::wire::{Fields, Writer};

const WHAT: &str = "AUTHENTICATE_MESSAGE";

/// Where the MIC lies in an AUTHENTICATE_MESSAGE that has one.
pub const MIC_RANGE: Range<usize> = 72..88;

/// Length of NTProofStr, and of an NTLMv1 response.
const PROOF_LEN: usize = 16;
const NTLM_V1_LEN: usize = 24;

/// AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3.
///
/// Layout: Signature (8), MessageType (4), six field descriptors of 8 bytes
/// (LmChallengeResponse, NtChallengeResponse, DomainName, UserName, Workstation,
/// EncryptedRandomSessionKey), NegotiateFlags (4), Version (8), MIC (16), payload. Old clients
/// leave out MIC, older ones Version too; where the payload begins tells.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AuthenticateMessage {
    /// NegotiateFlags: what both sides agreed on. [`Self::encode`] sets VERSION as it follows from
    /// [`Self::version`].
    pub flags: NegotiateFlags,
    /// Version, where its flag is set and there is room for it.
    pub version: Option<Version>,
    /// The 16 bytes of MIC, if there is room for them before the payload. Whether they mean
    /// something is told by [`Self::promises_mic`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub mic: Option<[u8; 16]>,
    /// LmChallengeResponse: LMv2 (24 bytes), zero bytes, or empty.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub lm_response: Bytes,
    /// NtChallengeResponse: NTProofStr and NTLMv2_CLIENT_CHALLENGE, 24 bytes of NTLMv1, or empty
    /// (anonymous).
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub nt_response: Bytes,
    /// DomainName as the client's user gave it.
    pub domain: String,
    /// UserName; empty for an anonymous logon.
    pub user: String,
    /// Workstation.
    pub workstation: String,
    /// EncryptedRandomSessionKey: 16 bytes if a key exchange was agreed, else empty.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub encrypted_session_key: Bytes,
}

impl AuthenticateMessage {
    /// Reads the message. Payloads without bytes may point anywhere.
    ///
    /// # Errors
    /// [`ParseError::BadStructure`] for another message, [`ParseError::OutOfBounds`] for fields
    /// outside the message, [`ParseError::BadString`] for a name in another encoding.
    pub fn parse(token: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(token, WHAT);
        read_head(&mut f, MessageType::Authenticate)?;
        let mut fields = [Field { len: 0, offset: 0 }; 6];
        for field in &mut fields {
            *field = Field::read(&mut f)?;
        }
        let flags = NegotiateFlags::from_bits_retain(f.u32()?);
        let fixed = f.position();
        let [lm, nt, domain, user, workstation, session_key] = fields;
        let text = |field: Field, what| decode_text(&field.bytes(token, fixed, what)?, flags, what);
        let domain = text(domain, "DomainName of AUTHENTICATE_MESSAGE")?;
        let user = text(user, "UserName of AUTHENTICATE_MESSAGE")?;
        let workstation = text(workstation, "Workstation of AUTHENTICATE_MESSAGE")?;

        let start = payload_start(token, &fields);
        let mut version = None;
        let mut mic = None;
        if start >= MIC_RANGE.start {
            let value = Version::read(&mut f)?;
            version = flags.contains(NegotiateFlags::VERSION).then_some(value);
        }
        if start >= MIC_RANGE.end {
            mic = Some(f.array()?);
        }
        Ok(Self {
            flags,
            version,
            mic,
            lm_response: lm.bytes(token, fixed, WHAT)?,
            nt_response: nt.bytes(token, fixed, WHAT)?,
            domain,
            user,
            workstation,
            encrypted_session_key: session_key.bytes(token, fixed, WHAT)?,
        })
    }

    /// Appends the message. Version is left out if there is neither it nor a MIC.
    pub fn encode(&self, w: &mut Writer) {
        let mut flags = self.flags;
        flags.set(NegotiateFlags::VERSION, self.version.is_some());
        let mut payloads = Payloads::new(w);
        write_head(w, MessageType::Authenticate);
        payloads.field(w, self.lm_response.clone());
        payloads.field(w, self.nt_response.clone());
        payloads.field(w, encode_text(&self.domain, flags));
        payloads.field(w, encode_text(&self.user, flags));
        payloads.field(w, encode_text(&self.workstation, flags));
        payloads.field(w, self.encrypted_session_key.clone());
        w.u32(flags.bits());
        if self.version.is_some() || self.mic.is_some() {
            self.version.unwrap_or_default().write(w);
        }
        if let Some(mic) = &self.mic {
            w.bytes(mic);
        }
        // Names first, as Windows has them.
        payloads.finish(w, &[2, 3, 4, 0, 1, 5]);
    }

    /// The message as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.into_inner().freeze()
    }

    /// Whether the NT response is of NTLMv2, judging by its length.
    #[must_use]
    pub fn is_ntlm_v2(&self) -> bool {
        self.nt_response.len() > NTLM_V1_LEN
    }

    /// The NTLMv2_CLIENT_CHALLENGE in the NT response; `None` if that is not of NTLMv2.
    ///
    /// # Errors
    /// Those of [`ClientChallenge::parse`].
    pub fn client_challenge(&self) -> Option<Result<ClientChallenge, ParseError>> {
        if !self.is_ntlm_v2() {
            return None;
        }
        let temp = self.nt_response.get(PROOF_LEN..)?;
        Some(ClientChallenge::parse(&self.nt_response.slice_ref(temp)))
    }

    /// Whether the client says, in the MsvAvFlags that its NT response proves, that
    /// [`Self::mic`] must be checked, [MS-NLMP] 3.2.5.1.2. A message that promises a MIC and has no
    /// room for one must be refused.
    #[must_use]
    pub fn promises_mic(&self) -> bool {
        matches!(
            self.client_challenge(),
            Some(Ok(c)) if c.av_pairs.flags().contains(AvFlags::MIC_PROVIDED)
        )
    }

    /// Whether this is an anonymous logon, [MS-NLMP] 3.2.5.1.2: no user name, no NT response, and
    /// an LM response of nothing or one zero byte.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user.is_empty()
            && self.nt_response.is_empty()
            && (self.lm_response.is_empty() || self.lm_response[..] == [0])
    }
}

impl fmt::Debug for AuthenticateMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A response lets whoever reads it try passwords, so only lengths are shown.
        f.debug_struct("AuthenticateMessage")
            .field("flags", &self.flags)
            .field("version", &self.version)
            .field("has_mic", &self.mic.is_some())
            .field("lm_response_len", &self.lm_response.len())
            .field("nt_response_len", &self.nt_response.len())
            .field("domain", &self.domain)
            .field("user", &self.user)
            .field("workstation", &self.workstation)
            .field(
                "encrypted_session_key_len",
                &self.encrypted_session_key.len(),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::testing::hex;
    use crate::ntlm::AvId;
    use crate::ntlm::tests::version;

    /// [MS-NLMP] 4.2.4.3: no MIC.
    #[test]
    fn published() {
        let bytes: Bytes = hex(
            "4e544c4d5353500003000000180018006c00000054005400840000000c000c00
            48000000080008005400000010001000 5c00000010001000d8000000358288e2
            0501280a0000000f44006f006d00610069006e00550073006500720043004f00
            4d0050005500540045005200 86c35097ac9cec102554764a57cccc19aaaaaaaa
            aaaaaaaa68cd0ab851e51c96aabc927bebef6a1c010100000000000000000000
            00000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00
            01000c005300650072007600650072000000000000000000c5dad2544fc97990
            94ce1ce90bc9d03e",
        )
        .into();
        let message = AuthenticateMessage::parse(&bytes).unwrap();
        assert_eq!(message.flags.bits(), 0xe288_8235);
        assert_eq!(message.domain, "Domain");
        assert_eq!(message.user, "User");
        assert_eq!(message.workstation, "COMPUTER");
        assert_eq!(message.mic, None);
        assert_eq!(message.version.unwrap().build, 2600);
        assert_eq!(message.lm_response.len(), 24);
        assert_eq!(message.nt_response.len(), 84);
        assert_eq!(
            message.encrypted_session_key,
            hex("c5dad2544fc9799094ce1ce90bc9d03e")
        );
        let challenge = message.client_challenge().unwrap().unwrap();
        assert_eq!(challenge.challenge, [0xaa; 8]);
        assert_eq!(
            challenge.av_pairs.text(AvId::NB_DOMAIN_NAME).as_deref(),
            Some("Domain")
        );
        assert!(message.is_ntlm_v2());
        assert!(!message.promises_mic());
        assert!(!message.is_anonymous());
        assert_eq!(message.to_bytes(), bytes);
    }

    /// What Windows 10 sends, from the 3.1.1 example of "SMB 2 and SMB 3 security in Windows 10:
    /// the anatomy of signing and cryptographic keys".
    #[test]
    fn windows() {
        let bytes: Bytes = hex(
            "4E544C4D53535000030000001800180090000000EE00EE00A80000000C000C00580000001A001A00
            64000000120012007E0000001000100096010000158288E2060380250000000FECAC77A5F385A8BF
            9C38C706EEEDDCD3530055005400330031003100610064006D0069006E0069007300740072006100
            74006F00720044005200490056004500520033003100310000000000000000000000000000000000
            000000000000000063078EB639FE03E20A231C3AE3BF23080101000000000000A1A1F5ADCBAED001
            BC4AD05F223CC90F0000000002000C0053005500540033003100310001000C005300550054003300
            3100310004000C0053005500540033003100310003000C0053005500540033003100310007000800
            A1A1F5ADCBAED00106000400020000000800300030000000000000000000000000300000B61FEFCA
            A857EA57BF1EDCEBF8974B8E0EBA5A6DFD9D07A31D11B548F8C9D0CC0A0010000000000000000000
            00000000000000000900160063006900660073002F00530055005400330031003100000000000000
            0000000000003B9BDFF38F5EE8F9663F11A0F4C03A78",
        )
        .into();
        let message = AuthenticateMessage::parse(&bytes).unwrap();
        assert_eq!(message.domain, "SUT311");
        assert_eq!(message.user, "administrator");
        assert_eq!(message.workstation, "DRIVER311");
        assert_eq!(
            message.mic.unwrap()[..],
            hex("ECAC77A5F385A8BF9C38C706EEEDDCD3")
        );
        assert_eq!(message.mic.unwrap()[..], bytes[MIC_RANGE]);
        assert!(message.promises_mic());
        let challenge = message.client_challenge().unwrap().unwrap();
        assert_eq!(
            challenge.av_pairs.text(AvId::TARGET_NAME).as_deref(),
            Some("cifs/SUT311")
        );
        assert_eq!(challenge.av_pairs.timestamp(), Some(challenge.timestamp));
        assert_eq!(message.to_bytes(), bytes);
    }

    fn empty(flags: NegotiateFlags) -> AuthenticateMessage {
        AuthenticateMessage {
            flags,
            version: None,
            mic: None,
            lm_response: Bytes::new(),
            nt_response: Bytes::new(),
            domain: String::new(),
            user: String::new(),
            workstation: String::new(),
            encrypted_session_key: Bytes::new(),
        }
    }

    #[test]
    fn anonymous() {
        let mut message = empty(NegotiateFlags::UNICODE);
        assert!(message.is_anonymous());
        message.lm_response = Bytes::from_static(&[0]);
        assert!(message.is_anonymous());
        assert!(message.client_challenge().is_none());
        message.lm_response = Bytes::from_static(&[1]);
        assert!(!message.is_anonymous());
        message.lm_response = Bytes::new();
        message.user = "u".into();
        assert!(!message.is_anonymous());
    }

    #[test]
    fn oem_names() {
        let mut message = empty(NegotiateFlags::OEM);
        message.user = "user".into();
        let bytes = message.to_bytes();
        assert_eq!(&bytes[64..], b"user");
        assert_eq!(AuthenticateMessage::parse(&bytes).unwrap().user, "user");
        message.user = "üser".into();
        assert_eq!(&message.to_bytes()[64..], b"?ser");
        let mut bytes = bytes.to_vec();
        bytes[64] = 0x81;
        assert!(matches!(
            AuthenticateMessage::parse(&bytes.into()),
            Err(ParseError::BadString(_))
        ));
    }

    #[test]
    fn debug_shows_no_response() {
        let mut message = empty(NegotiateFlags::UNICODE);
        message.nt_response = Bytes::from_static(&[251; 40]);
        message.lm_response = Bytes::from_static(&[251; 24]);
        message.encrypted_session_key = Bytes::from_static(&[251; 16]);
        let shown = format!("{message:?}");
        assert!(!shown.contains("251") && !shown.contains("fb"), "{shown}");
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(
            flags: u32,
            version in prop::option::of(version()),
            mic: Option<[u8; 16]>,
            responses in prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..60)),
            names in prop::array::uniform3("[a-zA-Z0-9.-]{0,12}"),
        ) {
            let [lm, nt, key] = responses;
            let [domain, user, workstation] = names;
            let message = AuthenticateMessage {
                flags: NegotiateFlags::from_bits_retain(flags),
                version,
                mic,
                lm_response: lm.into(),
                nt_response: nt.into(),
                domain,
                user,
                workstation,
                encrypted_session_key: key.into(),
            };
            let bytes = message.to_bytes();
            let parsed = AuthenticateMessage::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.to_bytes(), &bytes);
            let expected = AuthenticateMessage { flags: parsed.flags, ..message };
            prop_assert_eq!(parsed, expected);
            for n in 0..bytes.len() {
                if let Ok(short) = AuthenticateMessage::parse(&bytes.slice(..n)) {
                    let _ = short.promises_mic();
                }
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
            message.extend(bytes);
            if let Ok(message) = AuthenticateMessage::parse(&message.into()) {
                let _ = message.promises_mic();
            }
        }
    }
}
