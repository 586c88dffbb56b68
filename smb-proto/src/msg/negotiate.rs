//! NEGOTIATE, [MS-SMB2] 2.2.3 and 2.2.4.

use bitflags::bitflags;
use bytes::Bytes;

use super::negotiate_context::{NegotiateContext, parse_list};
use crate::dtyp::{FileTime, Guid};
use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer, len16, len32, slice_of};
use crate::{Dialect, ParseError};

bitflags! {
    /// SecurityMode, [MS-SMB2] 2.2.3, 2.2.4 and 2.2.5.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct SecurityMode: u16 {
        /// SMB2_NEGOTIATE_SIGNING_ENABLED: implied in all dialects; servers ignore it.
        const SIGNING_ENABLED = 0x0001;
        /// SMB2_NEGOTIATE_SIGNING_REQUIRED
        const SIGNING_REQUIRED = 0x0002;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// Capabilities of client and server, [MS-SMB2] 2.2.3 and 2.2.4.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct GlobalCapabilities: u32 {
        /// SMB2_GLOBAL_CAP_DFS
        const DFS = 0x0000_0001;
        /// SMB2_GLOBAL_CAP_LEASING
        const LEASING = 0x0000_0002;
        /// SMB2_GLOBAL_CAP_LARGE_MTU: requests of more than one credit.
        const LARGE_MTU = 0x0000_0004;
        /// SMB2_GLOBAL_CAP_MULTI_CHANNEL
        const MULTI_CHANNEL = 0x0000_0008;
        /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES
        const PERSISTENT_HANDLES = 0x0000_0010;
        /// SMB2_GLOBAL_CAP_DIRECTORY_LEASING
        const DIRECTORY_LEASING = 0x0000_0020;
        /// SMB2_GLOBAL_CAP_ENCRYPTION
        const ENCRYPTION = 0x0000_0040;
        /// SMB2_GLOBAL_CAP_NOTIFICATIONS: server to client notifications.
        const NOTIFICATIONS = 0x0000_0080;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// NEGOTIATE request, [MS-SMB2] 2.2.3.
///
/// Layout from the end of the header: StructureSize (2 bytes, 36), DialectCount (2), SecurityMode
/// (2), Reserved (2), Capabilities (4), ClientGuid (16), then either NegotiateContextOffset (4),
/// NegotiateContextCount (2) and Reserved2 (2), or ClientStartTime (8); Dialects (2 each); padding
/// to 8; contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Dialects as offered: unknown numbers, repetitions and an empty list included.
    pub dialects: Vec<u16>,
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// Capabilities of the client.
    pub capabilities: GlobalCapabilities,
    /// ClientGuid.
    pub client_guid: Guid,
    /// ClientStartTime, which servers ignore. Zero when 0x0311 is offered, since its place is
    /// taken by the contexts then.
    pub client_start_time: FileTime,
    /// Negotiate contexts in order, duplicates included. Present only when 0x0311 is offered.
    pub contexts: Vec<NegotiateContext>,
}

impl Request {
    /// Length of the fixed part of the body.
    const FIXED: usize = 36;

    /// Whether `dialect` is offered.
    #[must_use]
    pub fn offers(&self, dialect: Dialect) -> bool {
        self.dialects.contains(&dialect.into())
    }

    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if the dialects or contexts do not fit, and the errors of
    /// [`NegotiateContext::parse`]; a context list that is misaligned, begins before the end of
    /// the dialects, or has more than
    /// [`MAX_CONTEXTS`](super::negotiate_context::MAX_CONTEXTS) entries.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, "NEGOTIATE request")?;
        f.structure_size(36)?;
        let dialect_count = usize::from(f.u16()?);
        let security_mode = SecurityMode::from_bits_retain(f.u16()?);
        f.skip(2)?;
        let capabilities = GlobalCapabilities::from_bits_retain(f.u32()?);
        let client_guid = f.guid()?;
        let eight = f.array::<8>()?;
        let (codes, _) = f.bytes(dialect_count.saturating_mul(2))?.as_chunks();
        let mut request = Self {
            dialects: codes.iter().map(|c| u16::from_le_bytes(*c)).collect(),
            security_mode,
            capabilities,
            client_guid,
            client_start_time: FileTime::ZERO,
            contexts: Vec::new(),
        };
        if request.offers(Dialect::Smb311) {
            let [a, b, c, d, e, g, _, _] = eight;
            let offset = u32::from_le_bytes([a, b, c, d]);
            let count = u16::from_le_bytes([e, g]);
            request.contexts = parse_list(element, offset, count, f.position())?;
        } else {
            request.client_start_time = FileTime(u64::from_le_bytes(eight));
        }
        Ok(request)
    }

    /// Appends the body. Contexts are written only if 0x0311 is offered, ClientStartTime only if
    /// it is not.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        w.u16(36);
        w.u16(len16(self.dialects.len()));
        w.u16(self.security_mode.bits());
        w.u16(0);
        w.u32(self.capabilities.bits());
        w.guid(self.client_guid);
        let eight = w.position();
        let with_contexts = self.offers(Dialect::Smb311);
        w.filetime(if with_contexts {
            FileTime::ZERO
        } else {
            self.client_start_time
        });
        debug_assert_eq!(w.position(), start.saturating_add(Self::FIXED));
        for dialect in &self.dialects {
            w.u16(*dialect);
        }
        if with_contexts {
            if let Some(offset) = encode_list(&self.contexts, w) {
                w.patch_u32(eight, offset);
            }
            w.patch_u16(eight.saturating_add(4), len16(self.contexts.len()));
        }
    }
}

/// NEGOTIATE response, [MS-SMB2] 2.2.4.
///
/// Layout from the end of the header: StructureSize (2 bytes, 65), SecurityMode (2),
/// DialectRevision (2), NegotiateContextCount (2), ServerGuid (16), Capabilities (4),
/// MaxTransactSize (4), MaxReadSize (4), MaxWriteSize (4), SystemTime (8), ServerStartTime (8),
/// SecurityBufferOffset (2), SecurityBufferLength (2), NegotiateContextOffset (4); security buffer;
/// padding to 8; contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// DialectRevision: the dialect chosen, or
    /// [`WILDCARD_REVISION`](crate::dialect::WILDCARD_REVISION).
    pub dialect_revision: u16,
    /// ServerGuid.
    pub server_guid: Guid,
    /// Capabilities of the server.
    pub capabilities: GlobalCapabilities,
    /// MaxTransactSize in bytes: buffers of QUERY_INFO, QUERY_DIRECTORY, CHANGE_NOTIFY and so on.
    pub max_transact_size: u32,
    /// MaxReadSize in bytes.
    pub max_read_size: u32,
    /// MaxWriteSize in bytes.
    pub max_write_size: u32,
    /// SystemTime: when the response was made.
    pub system_time: FileTime,
    /// ServerStartTime; zero in current servers.
    pub server_start_time: FileTime,
    /// The security buffer: a SPNEGO token, or empty.
    pub security_buffer: Bytes,
    /// Negotiate contexts in order. Present only in dialect 3.1.1.
    pub contexts: Vec<NegotiateContext>,
}

impl Response {
    /// Length of the fixed part of the body.
    const FIXED: usize = 64;

    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::OutOfBounds`] for a security buffer outside the
    /// message, and those of the contexts as in [`Request::parse`].
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "NEGOTIATE response";
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        f.structure_size(65)?;
        let security_mode = SecurityMode::from_bits_retain(f.u16()?);
        let dialect_revision = f.u16()?;
        let context_count = f.u16()?;
        let server_guid = f.guid()?;
        let capabilities = GlobalCapabilities::from_bits_retain(f.u32()?);
        let max_transact_size = f.u32()?;
        let max_read_size = f.u32()?;
        let max_write_size = f.u32()?;
        let system_time = f.filetime()?;
        let server_start_time = f.filetime()?;
        let buffer_offset = usize::from(f.u16()?);
        let buffer_len = usize::from(f.u16()?);
        let context_offset = f.u32()?;
        let end = f.position();
        let security_buffer = slice_of(element, buffer_offset, buffer_len, end, WHAT)?;
        // In other dialects both context fields are reserved, and some servers fill them.
        let contexts = if dialect_revision == u16::from(Dialect::Smb311) {
            parse_list(element, context_offset, context_count, end)?
        } else {
            Vec::new()
        };
        Ok(Self {
            security_mode,
            dialect_revision,
            server_guid,
            capabilities,
            max_transact_size,
            max_read_size,
            max_write_size,
            system_time,
            server_start_time,
            security_buffer,
            contexts,
        })
    }

    /// Appends the body. Contexts are written only in dialect 3.1.1.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        let contexts = if self.dialect_revision == u16::from(Dialect::Smb311) {
            self.contexts.as_slice()
        } else {
            &[]
        };
        w.u16(65);
        w.u16(self.security_mode.bits());
        w.u16(self.dialect_revision);
        w.u16(len16(contexts.len()));
        w.guid(self.server_guid);
        w.u32(self.capabilities.bits());
        w.u32(self.max_transact_size);
        w.u32(self.max_read_size);
        w.u32(self.max_write_size);
        w.filetime(self.system_time);
        w.filetime(self.server_start_time);
        w.u16(len16(start.saturating_add(Self::FIXED)));
        w.u16(len16(self.security_buffer.len()));
        let context_offset = w.position();
        w.u32(0);
        w.bytes(&self.security_buffer);
        if let Some(offset) = encode_list(contexts, w) {
            w.patch_u32(context_offset, offset);
        }
    }
}

/// Appends the contexts and answers the offset of the first, `None` if there is none.
fn encode_list(contexts: &[NegotiateContext], w: &mut Writer) -> Option<u32> {
    if contexts.is_empty() {
        return None;
    }
    w.align(8);
    let offset = len32(w.position());
    for context in contexts {
        context.encode(w);
    }
    Some(offset)
}
