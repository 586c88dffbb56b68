//! The headers in front of messages that are not sent as they are: encrypted
//! ([MS-SMB2] 2.2.41) and compressed ([MS-SMB2] 2.2.42). Layout only.

use std::ops::Range;

use crate::ParseError;
use crate::id::SessionId;
use crate::msg::negotiate_context::CompressionAlgorithm;
use crate::wire::{Fields, Writer};

/// Length of [`TransformHeader`] in bytes.
pub const TRANSFORM_HEADER_LEN: usize = 52;

/// ProtocolId of an encrypted message: 0xFD 'S' 'M' 'B'.
pub const TRANSFORM_PROTOCOL_ID: [u8; 4] = *b"\xfdSMB";

/// ProtocolId of a compressed message: 0xFC 'S' 'M' 'B'.
pub const COMPRESSION_PROTOCOL_ID: [u8; 4] = *b"\xfcSMB";

/// The part of the transform header that is authenticated with the message: Nonce to SessionId.
pub const AAD_RANGE: Range<usize> = 20..52;

/// SMB2 TRANSFORM_HEADER, [MS-SMB2] 2.2.41.
///
/// Layout: ProtocolId (4 bytes), Signature (16), Nonce (16), OriginalMessageSize (4), Reserved (2),
/// Flags (2), SessionId (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TransformHeader {
    /// Signature: the authentication tag.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub signature: [u8; 16],
    /// Nonce: the first 11 bytes are used with CCM and the first 12 with GCM.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub nonce: [u8; 16],
    /// OriginalMessageSize: bytes of the message behind this header.
    pub original_message_size: u32,
    /// In dialect 3.1.1 Flags, before that EncryptionAlgorithm; the only value of either is
    /// [`Self::ENCRYPTED`].
    pub flags: u16,
    /// The session whose keys were used.
    pub session_id: SessionId,
}

impl TransformHeader {
    /// SMB2_TRANSFORM_HEADER_FLAG_ENCRYPTED, and SMB2_ENCRYPTION_AES128_CCM in the older meaning.
    pub const ENCRYPTED: u16 = 0x0001;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] below 52 bytes, [`ParseError::BadStructure`] for another
    /// ProtocolId.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, "transform header");
        protocol_id(&mut f, TRANSFORM_PROTOCOL_ID)?;
        let signature = f.array()?;
        let nonce = f.array()?;
        let original_message_size = f.u32()?;
        f.skip(2)?;
        let flags = f.u16()?;
        let session_id = SessionId(f.u64()?);
        Ok(Self {
            signature,
            nonce,
            original_message_size,
            flags,
            session_id,
        })
    }

    /// Appends the 52 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&TRANSFORM_PROTOCOL_ID);
        w.bytes(&self.signature);
        w.bytes(&self.nonce);
        w.u32(self.original_message_size);
        w.u16(0);
        w.u16(self.flags);
        w.u64(self.session_id.0);
    }
}

/// The authenticated part of the transform header at the start of `message`, as received: a peer
/// may have put something into the reserved field, and its tag covers that. `None` if `message` is
/// shorter than the header.
#[must_use]
pub fn aad(message: &[u8]) -> Option<&[u8]> {
    message.get(AAD_RANGE)
}

/// The two forms of SMB2 COMPRESSION_TRANSFORM_HEADER, told apart by the Flags at byte 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum CompressionHeader {
    /// [MS-SMB2] 2.2.42.1
    Unchained(UnchainedHeader),
    /// [MS-SMB2] 2.2.42.2: at byte [`Self::CHAINED_LEN`] the first [`PayloadHeader`] follows.
    Chained {
        /// OriginalCompressedSegmentSize: bytes of the whole message once decompressed.
        original_size: u32,
    },
}

/// SMB2_COMPRESSION_TRANSFORM_HEADER_UNCHAINED, [MS-SMB2] 2.2.42.1.
///
/// Layout: ProtocolId (4 bytes), OriginalCompressedSegmentSize (4), CompressionAlgorithm (2), Flags
/// (2, 0), Offset (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UnchainedHeader {
    /// OriginalCompressedSegmentSize: bytes of the compressed segment once decompressed.
    pub original_size: u32,
    /// CompressionAlgorithm; see [`CompressionAlgorithm::from_code`].
    pub algorithm: u16,
    /// Offset: bytes between this header and the compressed segment, which are sent as they are.
    pub offset: u32,
}

impl CompressionHeader {
    /// SMB2_COMPRESSION_FLAG_NONE
    pub const FLAG_NONE: u16 = 0x0000;
    /// SMB2_COMPRESSION_FLAG_CHAINED
    pub const FLAG_CHAINED: u16 = 0x0001;
    /// Length of the unchained form in bytes.
    pub const UNCHAINED_LEN: usize = 16;
    /// Length of the chained form in bytes.
    pub const CHAINED_LEN: usize = 8;

    /// Reads the header at the start of `bytes`. Both forms need 12 bytes to be told apart, the
    /// chained form having a payload header behind it.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::BadStructure`] for another ProtocolId,
    /// [`ParseError::BadValue`] for Flags other than the two.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "compression header";
        let mut f = Fields::new(bytes, WHAT);
        protocol_id(&mut f, COMPRESSION_PROTOCOL_ID)?;
        let original_size = f.u32()?;
        let algorithm = f.u16()?;
        match f.u16()? {
            Self::FLAG_NONE => Ok(Self::Unchained(UnchainedHeader {
                original_size,
                algorithm,
                offset: f.u32()?,
            })),
            Self::FLAG_CHAINED => Ok(Self::Chained { original_size }),
            _ => Err(ParseError::BadValue(WHAT)),
        }
    }

    /// Appends the header: 16 bytes, or 8 in the chained form.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&COMPRESSION_PROTOCOL_ID);
        match self {
            Self::Unchained(h) => {
                w.u32(h.original_size);
                w.u16(h.algorithm);
                w.u16(Self::FLAG_NONE);
                w.u32(h.offset);
            }
            Self::Chained { original_size } => w.u32(*original_size),
        }
    }
}

/// SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER, [MS-SMB2] 2.2.42.2.1.
///
/// Layout: CompressionAlgorithm (2 bytes), Flags (2), Length (4), OriginalPayloadSize (4, with
/// LZNT1, LZ77, LZ77+Huffman and LZ4 only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PayloadHeader {
    /// CompressionAlgorithm; see [`CompressionAlgorithm::from_code`].
    pub algorithm: u16,
    /// Flags: [`CompressionHeader::FLAG_CHAINED`] in the first payload, 0 in the others.
    pub flags: u16,
    /// Bytes of payload behind this header. On the wire Length counts OriginalPayloadSize as
    /// well; this does not.
    pub payload_len: u32,
    /// OriginalPayloadSize: bytes of the payload once decompressed. Present exactly with the
    /// algorithms that [`Self::has_original_size`] names.
    pub original_size: Option<u32>,
}

impl PayloadHeader {
    /// Whether the header of a payload of this algorithm has OriginalPayloadSize.
    #[must_use]
    pub fn has_original_size(algorithm: CompressionAlgorithm) -> bool {
        match algorithm {
            CompressionAlgorithm::Lznt1
            | CompressionAlgorithm::Lz77
            | CompressionAlgorithm::Lz77Huffman
            | CompressionAlgorithm::Lz4 => true,
            CompressionAlgorithm::None | CompressionAlgorithm::PatternV1 => false,
        }
    }

    /// Length of this header in bytes, 8 or 12.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.original_size.is_some() { 12 } else { 8 }
    }

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`]; [`ParseError::BadValue`] for an algorithm that this crate does
    /// not know (the length of its header is not known either) and for a Length that does not
    /// cover OriginalPayloadSize.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "compression payload header";
        let mut f = Fields::new(bytes, WHAT);
        let algorithm = f.u16()?;
        let flags = f.u16()?;
        let length = f.u32()?;
        let known = CompressionAlgorithm::from_code(algorithm).ok_or(ParseError::BadValue(WHAT))?;
        let (payload_len, original_size) = if Self::has_original_size(known) {
            let payload_len = length.checked_sub(4).ok_or(ParseError::BadValue(WHAT))?;
            (payload_len, Some(f.u32()?))
        } else {
            (length, None)
        };
        Ok(Self {
            algorithm,
            flags,
            payload_len,
            original_size,
        })
    }

    /// Appends the 8 or 12 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.algorithm);
        w.u16(self.flags);
        match self.original_size {
            Some(size) => {
                w.u32(self.payload_len.saturating_add(4));
                w.u32(size);
            }
            None => w.u32(self.payload_len),
        }
    }
}

/// SMB2_COMPRESSION_PATTERN_PAYLOAD_V1, [MS-SMB2] 2.2.42.2.2: Pattern (1 byte), Reserved1 (1),
/// Reserved2 (2), Repetitions (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PatternV1 {
    /// The byte to repeat.
    pub pattern: u8,
    /// How often.
    pub repetitions: u32,
}

impl PatternV1 {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// Reads the payload at the start of `bytes`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] below 8 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, "compression pattern");
        let pattern = f.u8()?;
        f.skip(3)?;
        let repetitions = f.u32()?;
        Ok(Self {
            pattern,
            repetitions,
        })
    }

    /// Appends the 8 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(self.pattern);
        w.zeros(3);
        w.u32(self.repetitions);
    }
}

fn protocol_id(f: &mut Fields<'_>, expected: [u8; 4]) -> Result<(), ParseError> {
    if f.array::<4>()? == expected {
        Ok(())
    } else {
        Err(ParseError::BadStructure(f.what()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut w = Writer::new();
        encode(&mut w);
        w.written().to_vec()
    }

    #[test]
    fn transform_header_layout() {
        let header = TransformHeader {
            signature: [1; 16],
            nonce: [2; 16],
            original_message_size: 0x0304_0506,
            flags: TransformHeader::ENCRYPTED,
            session_id: SessionId(0x0708_090a_0b0c_0d0e),
        };
        let raw = written(|w| header.encode(w));
        assert_eq!(raw.len(), TRANSFORM_HEADER_LEN);
        assert_eq!(raw[..4], *b"\xfdSMB");
        assert_eq!(raw[4..20], [1; 16]);
        let tail = [6, 5, 4, 3, 0, 0, 1, 0, 14, 13, 12, 11, 10, 9, 8, 7];
        assert_eq!(aad(&raw).unwrap(), [&[2; 16][..], &tail].concat());
        assert_eq!(aad(&raw[..51]), None);
        let mut other = raw;
        other[0] = 0xfe;
        let refused = TransformHeader::parse(&other);
        assert_eq!(refused, Err(ParseError::BadStructure("transform header")));
    }

    #[test]
    fn compression_header_layouts() {
        let unchained = CompressionHeader::Unchained(UnchainedHeader {
            original_size: 0x1000,
            algorithm: CompressionAlgorithm::Lz77.into(),
            offset: 0x50,
        });
        let raw = written(|w| unchained.encode(w));
        assert_eq!(raw, b"\xfcSMB\0\x10\0\0\x02\0\0\0\x50\0\0\0");
        assert_eq!(CompressionHeader::parse(&raw), Ok(unchained));
        for n in 0..raw.len() {
            assert!(CompressionHeader::parse(&raw[..n]).is_err());
        }

        let chained = CompressionHeader::Chained { original_size: 9 };
        let payload = PayloadHeader {
            algorithm: CompressionAlgorithm::Lz77Huffman.into(),
            flags: CompressionHeader::FLAG_CHAINED,
            payload_len: 6,
            original_size: Some(9),
        };
        let raw = written(|w| {
            chained.encode(w);
            payload.encode(w);
        });
        assert_eq!(raw, b"\xfcSMB\x09\0\0\0\x03\0\x01\0\x0a\0\0\0\x09\0\0\0");
        assert_eq!(CompressionHeader::parse(&raw), Ok(chained));
        assert_eq!(CompressionHeader::parse(&raw[..12]), Ok(chained));
        assert!(CompressionHeader::parse(&raw[..11]).is_err());
        let payload_bytes = &raw[CompressionHeader::CHAINED_LEN..];
        assert_eq!(PayloadHeader::parse(payload_bytes), Ok(payload));
        assert_eq!(payload.encoded_len(), payload_bytes.len());
    }

    #[test]
    fn compression_headers_refuse_what_they_cannot_mean() {
        let flags = CompressionHeader::parse(b"\xfcSMB\0\x10\0\0\x02\0\x02\0\x50\0\0\0");
        assert!(matches!(flags, Err(ParseError::BadValue(_))));
        let id = CompressionHeader::parse(b"\xfdSMB\0\x10\0\0\x02\0\0\0\x50\0\0\0");
        assert!(matches!(id, Err(ParseError::BadStructure(_))));
        let short = PayloadHeader::parse(&[2, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(short, Err(ParseError::BadValue(_))));
        let unknown = PayloadHeader::parse(&[9, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(unknown, Err(ParseError::BadValue(_))));
    }

    proptest! {
        #[test]
        fn transform_round_trip(bytes in any::<[u8; 48]>()) {
            let mut raw = TRANSFORM_PROTOCOL_ID.to_vec();
            raw.extend_from_slice(&bytes);
            raw[40..42].fill(0);
            let header = TransformHeader::parse(&raw).unwrap();
            prop_assert_eq!(written(|w| header.encode(w)), &raw[..]);
            for n in 0..raw.len() {
                prop_assert!(TransformHeader::parse(&raw[..n]).is_err());
            }
        }

        #[test]
        fn payload_round_trip(algorithm in 0u16..7, rest in any::<[u8; 10]>()) {
            let mut raw = algorithm.to_le_bytes().to_vec();
            raw.extend_from_slice(&rest);
            if let Ok(header) = PayloadHeader::parse(&raw) {
                let known = CompressionAlgorithm::from_code(algorithm).unwrap();
                let with_size = PayloadHeader::has_original_size(known);
                prop_assert_eq!(header.original_size.is_some(), with_size);
                let len = header.encoded_len();
                prop_assert_eq!(written(|w| header.encode(w)), &raw[..len]);
                for n in 0..len {
                    prop_assert!(PayloadHeader::parse(&raw[..n]).is_err());
                }
            }
        }

        #[test]
        fn pattern_round_trip((pattern, repetitions) in any::<(u8, u32)>()) {
            let p = PatternV1 { pattern, repetitions };
            let raw = written(|w| p.encode(w));
            prop_assert_eq!(PatternV1::parse(&raw), Ok(p));
            prop_assert_eq!(raw.len(), PatternV1::LEN);
            for n in 0..raw.len() {
                prop_assert!(PatternV1::parse(&raw[..n]).is_err());
            }
        }
    }
}
