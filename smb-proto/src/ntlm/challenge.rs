use bytes::Bytes;

use super::{
    AvPairs, Field, MessageType, NegotiateFlags, Payloads, Version, decode_text, encode_text,
    payload_start, read_head, write_head,
};
use crate::ParseError;
use crate::wire::{Fields, Writer};

const WHAT: &str = "CHALLENGE_MESSAGE";

/// CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2.
///
/// Layout: Signature (8), MessageType (4), TargetNameFields (8), NegotiateFlags (4),
/// ServerChallenge (8), Reserved (8), TargetInfoFields (8), Version (8), payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ChallengeMessage {
    /// NegotiateFlags: what the server takes of the client's offer. [`Self::encode`] sets
    /// TARGET_INFO and VERSION as they follow from the other fields.
    pub flags: NegotiateFlags,
    /// TargetName: the server's domain or own name.
    pub target_name: String,
    /// ServerChallenge.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub server_challenge: [u8; 8],
    /// TargetInfo.
    pub target_info: Option<AvPairs>,
    /// Version, where its flag is set.
    pub version: Option<Version>,
}

impl ChallengeMessage {
    /// Reads the message. Old servers end it before TargetInfoFields or Version.
    ///
    /// # Errors
    /// [`ParseError::BadStructure`] for another message, [`ParseError::OutOfBounds`] for fields
    /// outside the message, [`ParseError::BadString`] for a name in another encoding.
    pub fn parse(token: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(token, WHAT);
        read_head(&mut f, MessageType::Challenge)?;
        let name = Field::read(&mut f)?;
        let flags = NegotiateFlags::from_bits_retain(f.u32()?);
        let server_challenge = f.array()?;
        let mut fixed = f.position();
        let mut target_info = None;
        let mut version = None;
        if flags.contains(NegotiateFlags::TARGET_INFO)
            || payload_start(token, &[name]) >= Self::FIXED_LEN
        {
            f.skip(8)?;
            let info = Field::read(&mut f)?;
            fixed = f.position();
            if flags.contains(NegotiateFlags::TARGET_INFO) {
                target_info = Some(AvPairs::parse(&info.bytes(token, fixed, WHAT)?)?);
            }
            let room = payload_start(token, &[name, info]).saturating_sub(fixed);
            if flags.contains(NegotiateFlags::VERSION) && room >= Version::LEN {
                version = Some(Version::read(&mut f)?);
            }
        }
        let target_name = decode_text(&name.bytes(token, fixed, WHAT)?, flags, WHAT)?;
        Ok(Self {
            flags,
            target_name,
            server_challenge,
            target_info,
            version,
        })
    }

    /// Everything before the payload.
    const FIXED_LEN: usize = 56;

    /// Appends the message.
    pub fn encode(&self, w: &mut Writer) {
        let mut flags = self.flags;
        flags.set(NegotiateFlags::TARGET_INFO, self.target_info.is_some());
        flags.set(NegotiateFlags::VERSION, self.version.is_some());
        let mut payloads = Payloads::new(w);
        write_head(w, MessageType::Challenge);
        payloads.field(w, encode_text(&self.target_name, flags));
        w.u32(flags.bits());
        w.bytes(&self.server_challenge);
        w.zeros(8);
        payloads.field(
            w,
            self.target_info
                .as_ref()
                .map(AvPairs::to_bytes)
                .unwrap_or_default(),
        );
        self.version.unwrap_or_default().write(w);
        payloads.finish(w, &[0, 1]);
    }

    /// The message as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.into_inner().freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::testing::hex;
    use crate::ntlm::av_pair::tests::av_pairs;
    use crate::ntlm::tests::version;
    use crate::ntlm::{AvId, AvPair};

    /// [MS-NLMP] 4.2.4.3.
    #[test]
    fn published() {
        let bytes: Bytes = hex(
            "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef
            00000000000000002400240044000000060070170000000f5300650072007600
            6500720002000c0044006f006d00610069006e0001000c005300650072007600
            6500720000000000",
        )
        .into();
        let message = ChallengeMessage::parse(&bytes).unwrap();
        let text = |t: &str| Bytes::from(crate::wire::encode_utf16(t));
        assert_eq!(
            message,
            ChallengeMessage {
                flags: NegotiateFlags::from_bits_retain(0xe28a_8233),
                target_name: "Server".into(),
                server_challenge: [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
                target_info: Some(AvPairs(vec![
                    AvPair {
                        id: AvId::NB_DOMAIN_NAME,
                        value: text("Domain"),
                    },
                    AvPair {
                        id: AvId::NB_COMPUTER_NAME,
                        value: text("Server"),
                    },
                ])),
                version: Some(Version {
                    major: 6,
                    minor: 0,
                    build: 6000,
                    revision: 15,
                }),
            }
        );
        assert_eq!(message.to_bytes(), bytes);
    }

    #[test]
    fn oldest_form() {
        let mut w = Writer::new();
        write_head(&mut w, MessageType::Challenge);
        w.u16(3);
        w.u16(3);
        w.u32(32);
        w.u32(NegotiateFlags::OEM.bits());
        w.bytes(b"12345678");
        w.bytes(b"SRV");
        let message = ChallengeMessage::parse(&w.into_inner().freeze()).unwrap();
        assert_eq!(message.target_name, "SRV");
        assert_eq!(message.server_challenge, *b"12345678");
        assert_eq!(message.target_info, None);
        assert_eq!(message.version, None);
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(
            flags: u32,
            target_name in "[a-zA-Z0-9.-]{0,12}",
            server_challenge: [u8; 8],
            target_info in prop::option::of(av_pairs()),
            version in prop::option::of(version()),
        ) {
            let message = ChallengeMessage {
                flags: NegotiateFlags::from_bits_retain(flags),
                target_name,
                server_challenge,
                target_info,
                version,
            };
            let bytes = message.to_bytes();
            let parsed = ChallengeMessage::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.to_bytes(), &bytes);
            let expected = ChallengeMessage { flags: parsed.flags, ..message };
            prop_assert_eq!(parsed, expected);
            for n in 0..bytes.len() {
                let _ = ChallengeMessage::parse(&bytes.slice(..n));
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
            message.extend(bytes);
            let _ = ChallengeMessage::parse(&message.into());
        }
    }
}
