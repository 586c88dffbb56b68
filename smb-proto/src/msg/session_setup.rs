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
pub struct Response {
    /// SessionFlags.
    pub session_flags: SessionFlags,
    /// The security buffer: the token that answers the client's, or empty.
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
