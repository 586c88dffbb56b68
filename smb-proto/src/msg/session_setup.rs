//! SESSION_SETUP, [MS-SMB2] 2.2.5 and 2.2.6.

use bitflags::bitflags;
use bytes::Bytes;

use super::negotiate::{GlobalCapabilities, SecurityMode};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::SessionId;
use crate::wire::{Fields, Writer, len16, slice_of};

bitflags! {
    /// Flags of the request, [MS-SMB2] 2.2.5.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SetupFlags: u8 {
        /// SMB2_SESSION_FLAG_BINDING: bind an existing session to this connection (3.x).
        const BINDING = 0x01;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// SessionFlags of the response, [MS-SMB2] 2.2.6.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SessionFlags: u16 {
        /// SMB2_SESSION_FLAG_IS_GUEST
        const IS_GUEST = 0x0001;
        /// SMB2_SESSION_FLAG_IS_NULL: an anonymous session.
        const IS_NULL = 0x0002;
        /// SMB2_SESSION_FLAG_ENCRYPT_DATA: all further messages must be encrypted (3.x).
        const ENCRYPT_DATA = 0x0004;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SESSION_SETUP request, [MS-SMB2] 2.2.5.
///
/// Layout from the end of the header: StructureSize (2 bytes, 25), Flags (1), SecurityMode (1),
/// Capabilities (4), Channel (4), SecurityBufferOffset (2), SecurityBufferLength (2),
/// PreviousSessionId (8); security buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Flags; reserved outside the 3.x dialects.
    pub flags: SetupFlags,
    /// SecurityMode; one byte here, so the high byte is always zero and is not encoded.
    pub security_mode: SecurityMode,
    /// Capabilities; only DFS has a meaning here.
    pub capabilities: GlobalCapabilities,
    /// PreviousSessionId: the session that the client lost and wants removed; 0 for none.
    pub previous_session_id: SessionId,
    /// The security buffer: a SPNEGO token or a bare mechanism token.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub security_buffer: Bytes,
}

impl Request {
    /// Length of the fixed part of the body.
    const FIXED: usize = 24;

    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::BadStructure`] for another StructureSize, and
    /// [`ParseError::OutOfBounds`] for a security buffer outside the message.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "SESSION_SETUP request";
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        f.structure_size(25)?;
        let flags = SetupFlags::from_bits_retain(f.u8()?);
        let security_mode = SecurityMode::from_bits_retain(f.u8()?.into());
        let capabilities = GlobalCapabilities::from_bits_retain(f.u32()?);
        f.skip(4)?;
        let offset = usize::from(f.u16()?);
        let len = usize::from(f.u16()?);
        let previous_session_id = SessionId(f.u64()?);
        let security_buffer = slice_of(element, offset, len, f.position(), WHAT)?;
        Ok(Self {
            flags,
            security_mode,
            capabilities,
            previous_session_id,
            security_buffer,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        let [mode, _] = self.security_mode.bits().to_le_bytes();
        w.u16(25);
        w.u8(self.flags.bits());
        w.u8(mode);
        w.u32(self.capabilities.bits());
        w.u32(0);
        w.u16(len16(start.saturating_add(Self::FIXED)));
        w.u16(len16(self.security_buffer.len()));
        w.u64(self.previous_session_id.0);
        w.bytes(&self.security_buffer);
    }
}

/// SESSION_SETUP response, [MS-SMB2] 2.2.6.
///
/// Layout from the end of the header: StructureSize (2 bytes, 9), SessionFlags (2),
/// SecurityBufferOffset (2), SecurityBufferLength (2); security buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// SessionFlags.
    pub session_flags: SessionFlags,
    /// The security buffer: the token that answers the client's, or empty.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub security_buffer: Bytes,
}

impl Response {
    /// Length of the fixed part of the body.
    const FIXED: usize = 8;

    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// # Errors
    /// As [`Request::parse`].
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "SESSION_SETUP response";
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        f.structure_size(9)?;
        let session_flags = SessionFlags::from_bits_retain(f.u16()?);
        let offset = usize::from(f.u16()?);
        let len = usize::from(f.u16()?);
        let security_buffer = slice_of(element, offset, len, f.position(), WHAT)?;
        Ok(Self {
            session_flags,
            security_buffer,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        w.u16(9);
        w.u16(self.session_flags.bits());
        w.u16(len16(start.saturating_add(Self::FIXED)));
        w.u16(len16(self.security_buffer.len()));
        w.bytes(&self.security_buffer);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, truncations};
    use super::*;

    #[test]
    fn request_of_a_real_client() {
        // smbclient of Samba 4.17, its first token cut to six bytes.
        let e = element_of(&hex(
            "1900 00 01 01000000 00000000 5800 0600 0000000000000000 604806062b06",
        ));
        let request = Request::parse(&e).unwrap();
        let expected = Request {
            flags: SetupFlags::empty(),
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: GlobalCapabilities::DFS,
            previous_session_id: SessionId(0),
            security_buffer: e.slice(88..),
        };
        assert_eq!(request, expected);
        assert_eq!(request.security_buffer.as_ptr(), e[88..].as_ptr());
        assert_eq!(element(|w| request.encode(w)), e);
    }

    #[test]
    fn response_of_a_real_server() {
        let e = element_of(&hex(
            "0900 0000 4800 1d00 a11b3019a0030a0100a312041001000000cf60f4f69d4f22d800000000",
        ));
        let response = Response::parse(&e).unwrap();
        assert_eq!(response.session_flags, SessionFlags::empty());
        assert_eq!(response.security_buffer, e.slice(72..));
        assert_eq!(element(|w| response.encode(w)), e);
    }

    #[test]
    fn buffers_outside_the_message_are_refused() {
        for (offset, len, ok) in [
            (88u16, 2u16, true),
            (88, 3, false),
            (87, 1, false),
            (0, 0, true),
        ] {
            let mut body = vec![0; 26];
            body[0] = 25;
            body[12..14].copy_from_slice(&offset.to_le_bytes());
            body[14..16].copy_from_slice(&len.to_le_bytes());
            assert_eq!(
                Request::parse(&element_of(&body)).is_ok(),
                ok,
                "{offset} {len}"
            );
        }
        let refused = Response::parse(&element_of(&[9, 0, 0, 0, 72, 0, 1, 0]));
        assert!(matches!(refused, Err(ParseError::OutOfBounds(_))));
        let refused = Response::parse(&element_of(&[8, 0, 0, 0, 72, 0, 0, 0]));
        assert!(matches!(refused, Err(ParseError::BadStructure(_))));
    }

    proptest! {
        #[test]
        fn request_round_trip(
            (flags, mode, capabilities, previous) in any::<(u8, u8, u32, u64)>(),
            buffer in vec(any::<u8>(), 0..40),
        ) {
            let r = Request {
                flags: SetupFlags::from_bits_retain(flags),
                security_mode: SecurityMode::from_bits_retain(mode.into()),
                capabilities: GlobalCapabilities::from_bits_retain(capabilities),
                previous_session_id: SessionId(previous),
                security_buffer: buffer.into(),
            };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Request::parse(&e), Ok(r));
            truncations(&e, e.len(), Request::parse);
        }

        #[test]
        fn response_round_trip(flags: u16, buffer in vec(any::<u8>(), 0..40)) {
            let r = Response {
                session_flags: SessionFlags::from_bits_retain(flags),
                security_buffer: buffer.into(),
            };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Response::parse(&e), Ok(r));
            truncations(&e, e.len(), Response::parse);
        }
    }
}
