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
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::negotiate_context::tests::any_context;
    use super::super::negotiate_context::{
        Compression, CompressionFlags, Encryption, MAX_CONTEXTS, NetName, PreauthIntegrity, Signing,
    };
    use super::super::test_util::{element, element_of, hex, truncations};
    use super::*;

    /// From a smbclient of Samba 4.17 that offers all dialects from 2.1.
    const REQUEST: &str = "
        2400 0500 0100 0000 7f000000 8ad87c098c4c4044862caa00b1c2f3fc 70000000 0400 0000
        0202 1002 0003 0203 1103 0000
        0100 2600 00000000 0100 2000 0100
        820ce558672161e05c51a286f4fd7045d358094cd01c3e2edee8b4fe9ce30566 0000
        0200 0a00 00000000 0400 0200 0100 0400 0300 000000000000
        0800 0800 00000000 0300 0200 0100 0000
        0500 1200 00000000 3100320037002e0030002e0030002e003100";

    /// The answer of Samba 4.17 to it.
    const RESPONSE: &str = "
        4100 0100 1103 0300 63617073727600000000000000000000 0f000000 00008000 00008000 00008000
        38d6c90e7e7add01 0000000000000000 8000 4a00 d0000000
        604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b246e6f745f646566
        696e65645f696e5f5246433431373840706c656173655f69676e6f7265 000000000000
        0100 2600 00000000 0100 2000 0100
        cfab5a8b6e9158f37aa8d6b7606d497bcb9941c534303906b6ff4a264b54dbb5 0000
        0200 0400 00000000 0100 0200 00000000
        0800 0400 00000000 0100 0200";

    #[test]
    fn request_of_a_real_client() {
        let e = element_of(&hex(REQUEST));
        let request = Request::parse(&e).unwrap();
        let salt = e.slice(0x7e..0x9e);
        assert_eq!(salt[..2], [0x82, 0x0c]);
        let expected = Request {
            dialects: vec![0x0202, 0x0210, 0x0300, 0x0302, 0x0311],
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: GlobalCapabilities::from_bits_retain(0x7f),
            client_guid: Guid::from_fields(
                0x097c_d88a,
                0x4c8c,
                0x4440,
                [0x86, 0x2c, 0xaa, 0x00, 0xb1, 0xc2, 0xf3, 0xfc],
            ),
            client_start_time: FileTime::ZERO,
            contexts: vec![
                NegotiateContext::PreauthIntegrity(PreauthIntegrity {
                    hash_algorithms: vec![1],
                    salt,
                }),
                NegotiateContext::Encryption(Encryption {
                    ciphers: vec![2, 1, 4, 3],
                }),
                NegotiateContext::Signing(Signing {
                    algorithms: vec![2, 1, 0],
                }),
                NegotiateContext::NetName(NetName::new("127.0.0.1")),
            ],
        };
        assert_eq!(request, expected);
        assert!(request.offers(Dialect::Smb311));
        assert_eq!(element(|w| request.encode(w)), e);
        truncations(&e, e.len(), Request::parse);
    }

    #[test]
    fn response_of_a_real_server() {
        let e = element_of(&hex(RESPONSE));
        let response = Response::parse(&e).unwrap();
        assert_eq!(response.dialect_revision, 0x0311);
        assert_eq!(response.max_write_size, 8 << 20);
        assert_eq!(response.server_start_time, FileTime::ZERO);
        assert_eq!(response.security_buffer, e.slice(0x80..0xca));
        let [
            NegotiateContext::PreauthIntegrity(preauth),
            NegotiateContext::Encryption(encryption),
            NegotiateContext::Signing(signing),
        ] = response.contexts.as_slice()
        else {
            panic!("other contexts: {:?}", response.contexts);
        };
        assert_eq!(
            (preauth.salt.len(), &preauth.hash_algorithms[..]),
            (32, &[1][..])
        );
        assert_eq!(
            (&encryption.ciphers[..], &signing.algorithms[..]),
            (&[2][..], &[2][..])
        );
        assert_eq!(element(|w| response.encode(w)), e);
        truncations(&e, e.len(), Response::parse);
    }

    #[test]
    fn payloads_are_slices_of_the_message() {
        let e = element_of(&hex(RESPONSE));
        let response = Response::parse(&e).unwrap();
        assert_eq!(response.security_buffer.as_ptr(), e[0x80..].as_ptr());
    }

    fn request(contexts: Vec<NegotiateContext>) -> Request {
        Request {
            dialects: vec![0x0311],
            contexts,
            ..Request::default()
        }
    }

    fn patched(e: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
        let mut raw = e.to_vec();
        raw[at..at + bytes.len()].copy_from_slice(bytes);
        raw.into()
    }

    #[test]
    fn duplicates_and_unknown_contexts_stay_visible() {
        let compression = NegotiateContext::Compression(Compression {
            flags: CompressionFlags::empty(),
            algorithms: vec![0],
        });
        let other = NegotiateContext::Other {
            context_type: 0x7777,
            data: Bytes::from_static(b"?"),
        };
        let r = request(vec![compression.clone(), other, compression]);
        assert_eq!(Request::parse(&element(|w| r.encode(w))), Ok(r));
    }

    #[test]
    fn context_lists_are_bounded_aligned_and_behind_the_dialects() {
        let one = NegotiateContext::Encryption(Encryption { ciphers: vec![1] });
        let most = usize::from(MAX_CONTEXTS);
        let full = element(|w| request(vec![one.clone(); most]).encode(w));
        assert_eq!(Request::parse(&full).unwrap().contexts.len(), most);
        let over = element(|w| request(vec![one.clone(); most + 1]).encode(w));
        assert!(matches!(Request::parse(&over), Err(ParseError::TooMany(_))));

        let e = element(|w| request(vec![one]).encode(w));
        let offset_at = 64 + 28;
        for (offset, misaligned) in [(0x69u32, true), (0x60, false), (0, false)] {
            let error = Request::parse(&patched(&e, offset_at, &offset.to_le_bytes())).unwrap_err();
            assert_eq!(matches!(error, ParseError::Misaligned(_)), misaligned);
            assert_eq!(matches!(error, ParseError::OutOfBounds(_)), !misaligned);
        }
        for offset in [0x78u32, 0x70, 0xffff_fff8] {
            assert!(Request::parse(&patched(&e, offset_at, &offset.to_le_bytes())).is_err());
        }
        // Without contexts the offset means nothing.
        let none = element(|w| request(vec![]).encode(w));
        assert_eq!(
            Request::parse(&patched(&none, offset_at, &[3, 0, 0, 0])),
            Ok(request(vec![]))
        );
    }

    #[test]
    fn without_311_the_place_of_the_contexts_is_a_time() {
        let r = Request {
            dialects: vec![0x0202, 0x0210],
            client_start_time: FileTime(0x0102_0304_0506_0708),
            ..Request::default()
        };
        let e = element(|w| r.encode(w));
        assert_eq!(e[64 + 28..64 + 36], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(Request::parse(&e), Ok(r));
        // The same bytes in a response of another dialect are reserved.
        let response = Response {
            dialect_revision: 0x02ff,
            ..Response::default()
        };
        let e = element(|w| response.encode(w));
        let reserved_filled = patched(&patched(&e, 70, &[9, 9]), 124, &[9; 4]);
        assert_eq!(Response::parse(&reserved_filled), Ok(response));
    }

    #[test]
    fn an_empty_list_of_dialects_is_laid_out_correctly() {
        let e = element(|w| Request::default().encode(w));
        assert_eq!(e.len(), 64 + 36);
        assert_eq!(Request::parse(&e), Ok(Request::default()));
        let bad = patched(&e, 64, &[37]);
        assert!(matches!(
            Request::parse(&bad),
            Err(ParseError::BadStructure(_))
        ));
        let one_dialect_missing = patched(&e, 66, &[1]);
        assert!(matches!(
            Request::parse(&one_dialect_missing),
            Err(ParseError::Truncated(_))
        ));
    }

    proptest! {
        #[test]
        fn request_round_trip(
            mut dialects in vec(prop_oneof![Just(0x0202), Just(0x0302), any::<u16>()], 0..8),
            newest in any::<bool>(),
            (mode, capabilities, guid, time) in any::<(u16, u32, [u8; 16], u64)>(),
            contexts in vec(any_context(), 0..5),
        ) {
            dialects.retain(|d| *d != 0x0311);
            if newest {
                dialects.push(0x0311);
            }
            let r = Request {
                dialects,
                security_mode: SecurityMode::from_bits_retain(mode),
                capabilities: GlobalCapabilities::from_bits_retain(capabilities),
                client_guid: Guid::from_bytes(guid),
                client_start_time: FileTime(if newest { 0 } else { time }),
                contexts: if newest { contexts } else { vec![] },
            };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Request::parse(&e), Ok(r));
            truncations(&e, e.len(), Request::parse);
        }

        #[test]
        fn response_round_trip(
            newest in any::<bool>(),
            (mode, dialect, guid, capabilities) in any::<(u16, u16, [u8; 16], u32)>(),
            (transact, read, write, now, start) in any::<(u32, u32, u32, u64, u64)>(),
            buffer in vec(any::<u8>(), 0..40),
            contexts in vec(any_context(), 0..5),
        ) {
            let newest = newest || dialect == 0x0311;
            let r = Response {
                security_mode: SecurityMode::from_bits_retain(mode),
                dialect_revision: if newest { 0x0311 } else { dialect },
                server_guid: Guid::from_bytes(guid),
                capabilities: GlobalCapabilities::from_bits_retain(capabilities),
                max_transact_size: transact,
                max_read_size: read,
                max_write_size: write,
                system_time: FileTime(now),
                server_start_time: FileTime(start),
                security_buffer: buffer.into(),
                contexts: if newest { contexts } else { vec![] },
            };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Response::parse(&e), Ok(r));
            truncations(&e, e.len(), Response::parse);
        }

        #[test]
        fn any_bytes_are_survived(mut body in vec(any::<u8>(), 40..200), count in 0u8..4) {
            body[..4].copy_from_slice(&[36, 0, count, 0]);
            body[36..38].copy_from_slice(&[0x11, 3]);
            body[28..36].copy_from_slice(&[0x80, 0, 0, 0, count, 0, 0, 0]);
            let read = Request::parse(&element_of(&body));
            if let Ok(r) = read {
                let e = element(|w| r.encode(w));
                prop_assert_eq!(Request::parse(&e), Ok(r));
            }
            body[..2].copy_from_slice(&[65, 0]);
            let _ = Response::parse(&element_of(&body));
        }
    }
}
