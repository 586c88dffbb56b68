//! The one SMB1 message that is answered: the multi-protocol NEGOTIATE, [MS-SMB2] 3.3.5.3.
//!
//! Its layout is that of [MS-CIFS] 2.2.4.52.1 behind the header of [MS-CIFS] 2.2.3.1.

use bytes::Bytes;

use crate::ParseError;
use crate::wire::{Fields, Writer, len16};

/// ProtocolId of an SMB1 message: 0xFF 'S' 'M' 'B'.
pub const SMB1_PROTOCOL_ID: [u8; 4] = *b"\xffSMB";

/// Length of the SMB1 header in bytes.
pub const SMB1_HEADER_LEN: usize = 32;

/// SMB_COM_NEGOTIATE
pub const SMB_COM_NEGOTIATE: u8 = 0x72;

/// The dialect string that stands for SMB 2.0.2.
pub const DIALECT_SMB_2_002: &[u8] = b"SMB 2.002";

/// The dialect string that stands for SMB 2.1 and later.
pub const DIALECT_SMB_2_WILDCARD: &[u8] = b"SMB 2.???";

/// The most dialect strings that are read from one request; clients send about ten.
pub const MAX_DIALECTS: usize = 64;

/// BufferFormat in front of a dialect string.
const DIALECT_FORMAT: u8 = 0x02;

/// Whether `message` is an SMB1 message, by its ProtocolId.
#[must_use]
pub fn is_smb1(message: &[u8]) -> bool {
    message.starts_with(&SMB1_PROTOCOL_ID)
}

/// Whether `message` is an SMB1 NEGOTIATE, by its ProtocolId and command.
#[must_use]
pub fn is_negotiate(message: &[u8]) -> bool {
    matches!(
        message.split_first_chunk::<5>(),
        Some(([0xff, b'S', b'M', b'B', SMB_COM_NEGOTIATE], _))
    )
}

/// SMB_COM_NEGOTIATE request.
///
/// Layout: header (32 bytes), WordCount (1, 0), ByteCount (2), then for each dialect BufferFormat
/// (1, 0x02) and a NUL-terminated string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NegotiateRequest {
    /// Dialect strings in order, without their NUL.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub dialects: Vec<Bytes>,
}

impl NegotiateRequest {
    /// Reads a message that begins at its SMB1 header. Of the header only ProtocolId and command
    /// matter. Bytes after those that ByteCount counts are ignored.
    ///
    /// # Errors
    /// [`ParseError::BadStructure`] if it is not an SMB1 NEGOTIATE, or WordCount is not 0;
    /// [`ParseError::Truncated`]; [`ParseError::BadValue`] for a dialect without its BufferFormat
    /// or NUL; [`ParseError::TooMany`] above [`MAX_DIALECTS`].
    pub fn parse(message: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "SMB1 NEGOTIATE request";
        if !is_negotiate(message) {
            return Err(ParseError::BadStructure(WHAT));
        }
        let mut f = Fields::at(message, SMB1_HEADER_LEN, WHAT)?;
        if f.u8()? != 0 {
            return Err(ParseError::BadStructure(WHAT));
        }
        let byte_count = usize::from(f.u16()?);
        let mut rest = f.bytes(byte_count)?;
        let mut dialects = Vec::new();
        while let Some((format, tail)) = rest.split_first() {
            if dialects.len() >= MAX_DIALECTS {
                return Err(ParseError::TooMany(WHAT));
            }
            let mut parts = tail.splitn(2, |b| *b == 0);
            let (DIALECT_FORMAT, Some(name), Some(after)) = (*format, parts.next(), parts.next())
            else {
                return Err(ParseError::BadValue(WHAT));
            };
            dialects.push(message.slice_ref(name));
            rest = after;
        }
        Ok(Self { dialects })
    }

    /// Appends the whole message, header included, as a client of today's fills it: Unicode, NT
    /// status codes, long names and extended security in Flags2, all ids zero.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&SMB1_PROTOCOL_ID);
        w.u8(SMB_COM_NEGOTIATE);
        w.u32(0);
        w.u8(0x18);
        w.u16(0xc853);
        // PIDHigh, SecurityFeatures, Reserved, TID, PIDLow, UID, MID.
        w.zeros(20);
        w.u8(0);
        let byte_count = w.position();
        w.u16(0);
        let begin = w.position();
        for dialect in &self.dialects {
            w.u8(DIALECT_FORMAT);
            w.bytes(dialect);
            w.u8(0);
        }
        let len = w.position().saturating_sub(begin);
        w.patch_u16(byte_count, len16(len));
    }

    /// Whether "SMB 2.002" is offered.
    #[must_use]
    pub fn offers_smb2_002(&self) -> bool {
        self.offers(DIALECT_SMB_2_002)
    }

    /// Whether "SMB 2.???" is offered.
    #[must_use]
    pub fn offers_smb2_wildcard(&self) -> bool {
        self.offers(DIALECT_SMB_2_WILDCARD)
    }

    fn offers(&self, name: &[u8]) -> bool {
        self.dialects.iter().any(|d| d == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn request(dialects: &[&'static [u8]]) -> NegotiateRequest {
        NegotiateRequest {
            dialects: dialects.iter().map(|d| Bytes::from_static(d)).collect(),
        }
    }

    fn encoded(r: &NegotiateRequest) -> Bytes {
        let mut w = Writer::new();
        r.encode(&mut w);
        w.into_inner().freeze()
    }

    #[test]
    fn layout_and_offers() {
        let r = request(&[b"NT LM 0.12", DIALECT_SMB_2_002, DIALECT_SMB_2_WILDCARD]);
        let raw = encoded(&r);
        assert_eq!(raw[..9], *b"\xffSMBr\0\0\0\0");
        assert_eq!(
            raw[32..],
            *b"\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"
        );
        assert!(is_smb1(&raw) && is_negotiate(&raw));
        let read = NegotiateRequest::parse(&raw).unwrap();
        assert!(read.offers_smb2_002() && read.offers_smb2_wildcard());
        assert_eq!(read, r);
        assert_eq!(read.dialects[0].as_ptr(), raw[36..].as_ptr());

        let old = request(&[b"NT LM 0.12", b"SMB 2.00", b"smb 2.???"]);
        assert!(!old.offers_smb2_002() && !old.offers_smb2_wildcard());
    }

    #[test]
    fn other_messages_are_not_negotiates() {
        let raw = encoded(&request(&[DIALECT_SMB_2_002]));
        for (at, value) in [(0, 0xfe), (4, 0x73), (32, 1)] {
            let mut other = raw.to_vec();
            other[at] = value;
            let refused = NegotiateRequest::parse(&other.into());
            assert!(matches!(refused, Err(ParseError::BadStructure(_))), "{at}");
        }
        assert!(!is_negotiate(b"\xffSMB") && is_smb1(b"\xffSMB") && !is_smb1(b"\xfeSMB"));
        for (at, value) in [(35, 3), (45, 1)] {
            let mut other = raw.to_vec();
            assert_eq!(other[at], if at == 35 { DIALECT_FORMAT } else { 0 });
            other[at] = value;
            let refused = NegotiateRequest::parse(&other.into());
            assert!(matches!(refused, Err(ParseError::BadValue(_))), "{at}");
        }
    }

    #[test]
    fn the_number_of_dialects_is_bounded() {
        let most = request(&[b"x".as_slice(); MAX_DIALECTS]);
        assert_eq!(NegotiateRequest::parse(&encoded(&most)), Ok(most));
        let over = NegotiateRequest::parse(&encoded(&request(&[b"".as_slice(); MAX_DIALECTS + 1])));
        assert!(matches!(over, Err(ParseError::TooMany(_))));
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(
            dialects in vec(vec(1u8.., 0..12).prop_map(Bytes::from), 0..8),
            junk in vec(any::<u8>(), 0..8),
        ) {
            let r = NegotiateRequest { dialects };
            let raw = encoded(&r);
            for n in 0..raw.len() {
                prop_assert!(NegotiateRequest::parse(&raw.slice(..n)).is_err());
            }
            let longer = [&raw[..], &junk].concat();
            prop_assert_eq!(NegotiateRequest::parse(&longer.into()), Ok(r));
        }

        #[test]
        fn any_bytes_are_survived(data in vec(0u8..4, 0..80)) {
            let mut raw = encoded(&NegotiateRequest::default()).to_vec();
            raw[33] = u8::try_from(data.len()).unwrap();
            raw.extend_from_slice(&data);
            if let Ok(r) = NegotiateRequest::parse(&raw.into()) {
                prop_assert_eq!(NegotiateRequest::parse(&encoded(&r)), Ok(r));
            }
        }
    }
}
