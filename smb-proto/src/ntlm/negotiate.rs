use bytes::Bytes;

use super::{
    Field, MessageType, NegotiateFlags, Payloads, Version, payload_start, read_head, write_head,
};
use crate::ParseError;
use crate::wire::{Fields, Writer};

const WHAT: &str = "NEGOTIATE_MESSAGE";

/// NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1.
///
/// Layout: Signature (8), MessageType (4), NegotiateFlags (4), DomainNameFields (8),
/// WorkstationFields (8), Version (8), payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NegotiateMessage {
    /// NegotiateFlags. [`Self::encode`] sets those that follow from the other fields.
    pub flags: NegotiateFlags,
    /// DomainName in the client's OEM character set, which is not known here.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub domain: Bytes,
    /// Workstation in the client's OEM character set.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub workstation: Bytes,
    /// Version, where its flag is set.
    pub version: Option<Version>,
}

impl NegotiateMessage {
    /// A message that only offers `flags`.
    #[must_use]
    pub fn new(flags: NegotiateFlags) -> Self {
        Self {
            flags,
            domain: Bytes::new(),
            workstation: Bytes::new(),
            version: None,
        }
    }

    /// Reads the message. Old clients end it after NegotiateFlags or before Version.
    ///
    /// # Errors
    /// [`ParseError::BadStructure`] for another message, [`ParseError::OutOfBounds`] for names
    /// outside the message.
    pub fn parse(token: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(token, WHAT);
        read_head(&mut f, MessageType::Negotiate)?;
        let flags = NegotiateFlags::from_bits_retain(f.u32()?);
        let mut message = Self::new(flags);
        if f.rest().is_empty() {
            return Ok(message);
        }
        let domain = Field::read(&mut f)?;
        let workstation = Field::read(&mut f)?;
        let fixed = f.position();
        // What a field points at without its flag is to be ignored, its bounds too.
        let mut used = Vec::new();
        if flags.contains(NegotiateFlags::OEM_DOMAIN_SUPPLIED) {
            message.domain = domain.bytes(token, fixed, WHAT)?;
            used.push(domain);
        }
        if flags.contains(NegotiateFlags::OEM_WORKSTATION_SUPPLIED) {
            message.workstation = workstation.bytes(token, fixed, WHAT)?;
            used.push(workstation);
        }
        let room = payload_start(token, &used).saturating_sub(fixed);
        if flags.contains(NegotiateFlags::VERSION) && room >= Version::LEN {
            message.version = Some(Version::read(&mut f)?);
        }
        Ok(message)
    }

    /// Appends the message.
    pub fn encode(&self, w: &mut Writer) {
        let mut flags = self.flags;
        flags.set(NegotiateFlags::OEM_DOMAIN_SUPPLIED, !self.domain.is_empty());
        flags.set(
            NegotiateFlags::OEM_WORKSTATION_SUPPLIED,
            !self.workstation.is_empty(),
        );
        flags.set(NegotiateFlags::VERSION, self.version.is_some());
        let mut payloads = Payloads::new(w);
        write_head(w, MessageType::Negotiate);
        w.u32(flags.bits());
        payloads.field(w, self.domain.clone());
        payloads.field(w, self.workstation.clone());
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
    use crate::ntlm::tests::version;

    /// What Windows 10 sends, from the 3.1.1 example of "SMB 2 and SMB 3 security in Windows 10:
    /// the anatomy of signing and cryptographic keys".
    const WINDOWS_10: &str = "4E544C4D5353500001000000978208E200000000000000000000000000000000
        060380250000000F";

    #[test]
    fn windows() {
        let bytes = hex(WINDOWS_10).into();
        let message = NegotiateMessage::parse(&bytes).unwrap();
        assert_eq!(message.flags.bits(), 0xe208_8297);
        assert_eq!(
            message.version,
            Some(Version {
                major: 6,
                minor: 3,
                build: 9600,
                revision: 15,
            })
        );
        assert!(message.domain.is_empty());
        assert!(message.workstation.is_empty());
        let again = NegotiateMessage::parse(&message.to_bytes()).unwrap();
        assert_eq!(again, message);
    }

    #[test]
    fn shorter_forms() {
        let flags = NegotiateFlags::UNICODE | NegotiateFlags::NTLM;
        let full = NegotiateMessage::new(flags).to_bytes();
        let expected = NegotiateMessage::new(flags);
        for len in [16, 32, 40] {
            assert_eq!(
                NegotiateMessage::parse(&full.slice(..len)).as_ref(),
                Ok(&expected)
            );
        }
        for len in (0..16).chain(17..32) {
            assert!(NegotiateMessage::parse(&full.slice(..len)).is_err());
        }
    }

    #[test]
    fn fields_without_their_flag_are_ignored() {
        let mut bytes = NegotiateMessage::new(NegotiateFlags::UNICODE)
            .to_bytes()
            .to_vec();
        bytes[16..24].fill(0xff);
        bytes[24..32].fill(0xff);
        assert!(NegotiateMessage::parse(&bytes.clone().into()).is_ok());
        bytes[13] |= 0x10;
        assert_eq!(
            NegotiateMessage::parse(&bytes.into()),
            Err(ParseError::OutOfBounds(WHAT))
        );
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(
            flags: u32,
            domain in prop::collection::vec(any::<u8>(), 0..20),
            workstation in prop::collection::vec(any::<u8>(), 0..20),
            version in prop::option::of(version()),
        ) {
            let message = NegotiateMessage {
                flags: NegotiateFlags::from_bits_retain(flags),
                domain: domain.into(),
                workstation: workstation.into(),
                version,
            };
            let bytes = message.to_bytes();
            let parsed = NegotiateMessage::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.to_bytes(), &bytes);
            let expected = NegotiateMessage { flags: parsed.flags, ..message };
            prop_assert_eq!(parsed, expected);
            for n in 0..bytes.len() {
                let _ = NegotiateMessage::parse(&bytes.slice(..n));
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
            message.extend(bytes);
            let _ = NegotiateMessage::parse(&message.into());
        }
    }
}
