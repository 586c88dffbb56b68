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
pub struct NegotiateRequest {
    /// Dialect strings in order, without their NUL.
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
