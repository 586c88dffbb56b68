//! NTLMSSP messages, [MS-NLMP] 2.2: layouts only. What is computed over them is in
//! [`crate::crypto::ntlm`].
//!
//! NTLM counts offsets from the start of its own message, so an encoder here takes a writer whose
//! base is that start (or use `to_bytes`).

mod authenticate;
mod av_pair;
mod challenge;
mod client_challenge;
mod flags;
mod negotiate;

pub use authenticate::{AuthenticateMessage, MIC_RANGE};
pub use av_pair::{AvFlags, AvId, AvPair, AvPairs};
pub use challenge::ChallengeMessage;
pub use client_challenge::ClientChallenge;
pub use flags::NegotiateFlags;
pub use negotiate::NegotiateMessage;

use bytes::Bytes;

use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16, encode_utf16, len16, len32, slice_of};

/// The Signature field that every message begins with.
pub const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// MessageType, [MS-NLMP] 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[repr(u32)]
pub enum MessageType {
    /// NtLmNegotiate: NEGOTIATE_MESSAGE, from the client.
    Negotiate = 1,
    /// NtLmChallenge: CHALLENGE_MESSAGE, from the server.
    Challenge = 2,
    /// NtLmAuthenticate: AUTHENTICATE_MESSAGE, from the client.
    Authenticate = 3,
}

impl MessageType {
    /// Which message `token` is, judging by its first 12 bytes.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] below 12 bytes, [`ParseError::BadStructure`] without the NTLMSSP
    /// signature, [`ParseError::BadValue`] for another type.
    pub fn of(token: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "NTLMSSP message";
        let mut f = Fields::new(token, WHAT);
        if f.array()? != SIGNATURE {
            return Err(ParseError::BadStructure(WHAT));
        }
        match f.u32()? {
            1 => Ok(Self::Negotiate),
            2 => Ok(Self::Challenge),
            3 => Ok(Self::Authenticate),
            _ => Err(ParseError::BadValue(WHAT)),
        }
    }
}

/// VERSION, [MS-NLMP] 2.2.2.10. 8 bytes; for debugging only, nothing may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Version {
    /// ProductMajorVersion.
    pub major: u8,
    /// ProductMinorVersion.
    pub minor: u8,
    /// ProductBuild.
    pub build: u16,
    /// NTLMRevisionCurrent, normally [`Self::NTLMSSP_REVISION_W2K3`].
    pub revision: u8,
}

impl Version {
    /// NTLMSSP_REVISION_W2K3.
    pub const NTLMSSP_REVISION_W2K3: u8 = 0x0f;

    const LEN: usize = 8;

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let major = f.u8()?;
        let minor = f.u8()?;
        let build = f.u16()?;
        f.skip(3)?;
        let revision = f.u8()?;
        Ok(Self {
            major,
            minor,
            build,
            revision,
        })
    }

    fn write(self, w: &mut Writer) {
        w.u8(self.major);
        w.u8(self.minor);
        w.u16(self.build);
        w.zeros(3);
        w.u8(self.revision);
    }
}

/// A "Fields" descriptor: Len (2 bytes), MaxLen (2 bytes, ignored), BufferOffset (4 bytes).
#[derive(Debug, Clone, Copy)]
struct Field {
    len: usize,
    offset: usize,
}

impl Field {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let what = f.what();
        let len = usize::from(f.u16()?);
        f.skip(2)?;
        let offset = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
        Ok(Self { len, offset })
    }

    /// The bytes it points at, which must lie behind the first `fixed` bytes of the message.
    fn bytes(self, message: &Bytes, fixed: usize, what: &'static str) -> Result<Bytes, ParseError> {
        slice_of(message, self.offset, self.len, fixed, what)
    }

    /// Where its payload begins; `None` if it has none.
    fn start(self) -> Option<usize> {
        (self.len != 0).then_some(self.offset)
    }
}

/// Where the payload of a message begins: the lowest offset of its fields, or its end.
fn payload_start(message: &[u8], fields: &[Field]) -> usize {
    let starts = fields.iter().filter_map(|f| f.start());
    starts.min().unwrap_or(message.len())
}

/// Writes descriptors now and their payloads at the end.
struct Payloads {
    base: usize,
    pending: Vec<(usize, Bytes)>,
}

impl Payloads {
    fn new(w: &Writer) -> Self {
        Self {
            base: w.position(),
            pending: Vec::new(),
        }
    }

    /// Writes a descriptor whose offset is filled in by [`Self::finish`].
    fn field(&mut self, w: &mut Writer, payload: Bytes) {
        w.u16(len16(payload.len()));
        w.u16(len16(payload.len()));
        self.pending.push((w.position(), payload));
        w.u32(0);
    }

    /// Appends the payloads in the order given by their indices.
    fn finish(self, w: &mut Writer, order: &[usize]) {
        for (at, payload) in order.iter().filter_map(|&n| self.pending.get(n)) {
            w.patch_u32(*at, len32(w.position().saturating_sub(self.base)));
            w.bytes(payload);
        }
    }
}

/// Decodes a string in the character set that `flags` name. The OEM character set is not
/// transmitted, so that only its ASCII part can be read.
fn decode_text(
    bytes: &[u8],
    flags: NegotiateFlags,
    what: &'static str,
) -> Result<String, ParseError> {
    if flags.contains(NegotiateFlags::UNICODE) {
        return decode_utf16(bytes, what);
    }
    if !bytes.is_ascii() {
        return Err(ParseError::BadString(what));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| ParseError::BadString(what))
}

/// The inverse of [`decode_text`]; in the OEM character set what is not ASCII becomes `?`.
fn encode_text(text: &str, flags: NegotiateFlags) -> Bytes {
    if flags.contains(NegotiateFlags::UNICODE) {
        return encode_utf16(text).into();
    }
    let ascii = |c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?');
    text.chars().map(ascii).collect()
}

/// Reads Signature and MessageType.
fn read_head(f: &mut Fields<'_>, expected: MessageType) -> Result<(), ParseError> {
    if f.array()? != SIGNATURE || f.u32()? != expected as u32 {
        return Err(ParseError::BadStructure(f.what()));
    }
    Ok(())
}

/// Writes Signature and MessageType.
fn write_head(w: &mut Writer, message_type: MessageType) {
    w.bytes(&SIGNATURE);
    w.u32(message_type as u32);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        /// Any version.
        pub(in crate::ntlm) fn version()(
            major: u8, minor: u8, build: u16, revision: u8,
        ) -> Version {
            Version { major, minor, build, revision }
        }
    }

    #[test]
    fn types() {
        let token = |n: u8| [&SIGNATURE[..], &[n, 0, 0, 0]].concat();
        assert_eq!(MessageType::of(&token(1)), Ok(MessageType::Negotiate));
        assert_eq!(MessageType::of(&token(2)), Ok(MessageType::Challenge));
        assert_eq!(MessageType::of(&token(3)), Ok(MessageType::Authenticate));
        assert!(matches!(
            MessageType::of(&token(4)),
            Err(ParseError::BadValue(_))
        ));
        assert!(matches!(
            MessageType::of(b"NTLMSSP\x01\0\0\0\0"),
            Err(ParseError::BadStructure(_))
        ));
        for n in 0..12 {
            assert!(matches!(
                MessageType::of(&token(1)[..n]),
                Err(ParseError::Truncated(_))
            ));
        }
    }
}
