//! Connection-oriented PDUs, [C706] 12.6 and [MS-RPCE] 2.2.2.

use bitflags::bitflags;
use bytes::Bytes;

use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, len16, slice_of};

const WHAT: &str = "RPC PDU";

/// Bytes of the common header.
pub const HEADER_LEN: usize = 16;
/// Bytes of a request or response before its stub data (without an object UUID).
pub const STUB_OFFSET: usize = 24;
/// Bytes of an authentication trailer before its value, [MS-RPCE] 2.2.2.11.
const AUTH_HEADER_LEN: usize = 8;
/// The smallest fragment that every implementation must be able to receive, [C706] 12.6.3.1.
pub const MIN_FRAGMENT: u16 = 1432;
/// The most presentation contexts that are read from a bind.
pub const MAX_CONTEXTS: usize = 32;
/// The most transfer syntaxes that are read for one presentation context.
pub const MAX_TRANSFER_SYNTAXES: usize = 16;

bitflags! {
    /// pfc_flags, [C706] 12.6.3.1 and [MS-RPCE] 2.2.2.3.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PfcFlags: u8 {
        /// First fragment of a call.
        const FIRST_FRAG = 0x01;
        /// Last fragment of a call.
        const LAST_FRAG = 0x02;
        /// A cancel is pending; in a bind: headers can be signed.
        const PENDING_CANCEL = 0x04;
        /// Concurrent calls are supported.
        const CONC_MPX = 0x10;
        /// In a fault: the call was not executed.
        const DID_NOT_EXECUTE = 0x20;
        /// "Maybe" semantics: no reply is wanted.
        const MAYBE = 0x40;
        /// An object UUID is in the header.
        const OBJECT_UUID = 0x80;
        const _ = !0;
    }
}

impl PfcFlags {
    /// A call in one fragment.
    pub const WHOLE: Self = Self::FIRST_FRAG.union(Self::LAST_FRAG);
}

/// p_syntax_id_t: an interface or a transfer syntax with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxId {
    /// Which.
    pub uuid: Guid,
    /// Version: the major in the lower half, the minor in the upper.
    pub version: u32,
}

impl SyntaxId {
    /// NDR 2.0, the only transfer syntax that is implemented here.
    pub const NDR: Self = Self {
        uuid: Guid::from_fields(
            0x8a88_5d04,
            0x1ceb,
            0x11c9,
            [0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60],
        ),
        version: 2,
    };
    /// NDR64, [MS-RPCE] 2.2.4.12.
    pub const NDR64: Self = Self {
        uuid: Guid::from_fields(
            0x7171_0533,
            0xbeba,
            0x4937,
            [0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36],
        ),
        version: 1,
    };
    /// In a result that accepts nothing.
    pub const NIL: Self = Self {
        uuid: Guid::NIL,
        version: 0,
    };

    /// The major version.
    #[must_use]
    pub fn major(&self) -> u16 {
        let [a, b, _, _] = self.version.to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// The minor version.
    #[must_use]
    pub fn minor(&self) -> u16 {
        let [_, _, a, b] = self.version.to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// If this is the pseudo transfer syntax of bind time feature negotiation
    /// ([MS-RPCE] 2.2.2.14): the features that the client offers.
    #[must_use]
    pub fn features(&self) -> Option<u16> {
        match self.uuid.to_bytes() {
            [
                0x2c,
                0x1c,
                0xb7,
                0x6c,
                0x12,
                0x98,
                0x40,
                0x45,
                a,
                b,
                0,
                0,
                0,
                0,
                0,
                0,
            ] => Some(u16::from_le_bytes([a, b])),
            _ => None,
        }
    }

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            uuid: f.guid()?,
            version: f.u32()?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.guid(self.uuid);
        w.u32(self.version);
    }
}

/// p_cont_elem_t: one presentation context that a client proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextElement {
    /// The number that requests will name it by.
    pub id: u16,
    /// The interface.
    pub interface: SyntaxId,
    /// Transfer syntaxes, any of which will do.
    pub transfers: Vec<SyntaxId>,
}

/// bind and alter_context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The largest fragment the client will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment the client can receive, in bytes.
    pub max_recv_frag: u16,
    /// The association group, zero for a new one.
    pub assoc_group: u32,
    /// What is proposed.
    pub contexts: Vec<ContextElement>,
}

/// p_cont_def_result_t and [MS-RPCE] 2.2.2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextResult {
    /// acceptance (0), with the transfer syntax chosen.
    Accepted(SyntaxId),
    /// user_rejection (1), with a reason.
    UserRejection(u16),
    /// provider_rejection (2), with a reason: one of the constants of this type.
    ProviderRejection(u16),
    /// negotiate_ack (3): the features that both sides have ([MS-RPCE] 2.2.2.14).
    Features(u16),
}

impl ContextResult {
    /// abstract_syntax_not_supported.
    pub const ABSTRACT_SYNTAX: Self = Self::ProviderRejection(1);
    /// proposed_transfer_syntaxes_not_supported.
    pub const TRANSFER_SYNTAXES: Self = Self::ProviderRejection(2);
    /// local_limit_exceeded.
    pub const LOCAL_LIMIT: Self = Self::ProviderRejection(3);

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let (result, reason, syntax) = (f.u16()?, f.u16()?, SyntaxId::read(f)?);
        match result {
            0 => Ok(Self::Accepted(syntax)),
            1 => Ok(Self::UserRejection(reason)),
            2 => Ok(Self::ProviderRejection(reason)),
            3 => Ok(Self::Features(reason)),
            _ => Err(ParseError::BadValue(WHAT)),
        }
    }

    fn encode(self, w: &mut Writer) {
        let (result, reason, syntax) = match self {
            Self::Accepted(syntax) => (0, 0, syntax),
            Self::UserRejection(reason) => (1, reason, SyntaxId::NIL),
            Self::ProviderRejection(reason) => (2, reason, SyntaxId::NIL),
            Self::Features(features) => (3, features, SyntaxId::NIL),
        };
        w.u16(result);
        w.u16(reason);
        syntax.encode(w);
    }
}

/// bind_ack and alter_context_resp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAck {
    /// The largest fragment the server will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment the server can receive, in bytes.
    pub max_recv_frag: u16,
    /// The association group.
    pub assoc_group: u32,
    /// Secondary address: the pipe's name, as `\pipe\srvsvc`; empty in alter_context_resp.
    pub secondary_address: String,
    /// One result for each presentation context, in the client's order.
    pub results: Vec<ContextResult>,
}

/// bind_nak, [C706] 12.6.4.5 and [MS-RPCE] 2.2.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindNak {
    /// Why; one of the constants of this type.
    pub reason: u16,
}

impl BindNak {
    /// No reason is given.
    pub const REASON_NOT_SPECIFIED: u16 = 0;
    /// local_limit_exceeded.
    pub const LOCAL_LIMIT_EXCEEDED: u16 = 2;
    /// authentication_type_not_recognized.
    pub const AUTHENTICATION_TYPE_NOT_RECOGNIZED: u16 = 8;
}

/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A hint at the bytes of stub data from here to the end of the call.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// The operation.
    pub opnum: u16,
    /// The object, if the flag says that there is one.
    pub object: Option<Guid>,
    /// This fragment's part of the parameters.
    pub stub: Bytes,
}

/// response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// A hint at the bytes of stub data from here to the end of the call.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// This fragment's part of the parameters.
    pub stub: Bytes,
}

/// fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The presentation context.
    pub context_id: u16,
    /// Why; one of the constants of this type, [C706] appendix E and [MS-RPCE] 2.2.1.1.5.
    pub status: u32,
}

impl Fault {
    /// nca_s_op_rng_error: the interface has no such operation.
    pub const OP_RNG_ERROR: u32 = 0x1c01_0002;
    /// nca_s_unk_if: no such presentation context.
    pub const UNK_IF: u32 = 0x1c01_0003;
    /// nca_s_proto_error: PDUs that do not fit together.
    pub const PROTO_ERROR: u32 = 0x1c01_000b;
    /// nca_s_fault_context_mismatch: a context handle that is not open.
    pub const CONTEXT_MISMATCH: u32 = 0x1c00_001a;
    /// nca_s_fault_remote_no_memory.
    pub const REMOTE_NO_MEMORY: u32 = 0x1c00_001b;
    /// RPC_X_BAD_STUB_DATA: the parameters could not be read.
    pub const BAD_STUB_DATA: u32 = 0x0000_06f7;
    /// ERROR_ACCESS_DENIED.
    pub const ACCESS_DENIED: u32 = 0x0000_0005;
}

/// sec_trailer and the token after it, [MS-RPCE] 2.2.2.11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthTrailer {
    /// Security provider: 9 SPNEGO, 10 NTLM, 16 Kerberos, 68 Netlogon.
    pub auth_type: u8,
    /// 2 connect, 5 integrity, 6 privacy.
    pub auth_level: u8,
    /// Which of several security contexts.
    pub context_id: u32,
    /// The token.
    pub value: Bytes,
}

/// What one PDU is, by its PTYPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// request (0).
    Request(Request),
    /// response (2).
    Response(Response),
    /// fault (3).
    Fault(Fault),
    /// bind (11).
    Bind(Bind),
    /// bind_ack (12).
    BindAck(BindAck),
    /// bind_nak (13).
    BindNak(BindNak),
    /// alter_context (14).
    AlterContext(Bind),
    /// alter_context_resp (15).
    AlterContextResp(BindAck),
    /// auth3 (16), [MS-RPCE] 2.2.2.5: only a trailer.
    Auth3,
    /// shutdown (17).
    Shutdown,
    /// co_cancel (18).
    Cancel,
    /// orphaned (19).
    Orphaned,
}

/// One PDU.
///
/// The common header ([C706] 12.6.3.1): version 5 (1 byte), minor version 0 or 1 (1), PTYPE (1),
/// flags (1), data representation (4), length of the fragment (2), length of the authentication
/// value (2), call id (4). Only the little-endian, ASCII, IEEE representation is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// pfc_flags. OBJECT_UUID follows from the body when a request is encoded.
    pub flags: PfcFlags,
    /// call_id: replies carry that of their request.
    pub call_id: u32,
    /// The rest.
    pub body: Body,
    /// Authentication trailer, if any.
    pub auth: Option<AuthTrailer>,
}

const DATA_REPRESENTATION: [u8; 4] = [0x10, 0, 0, 0];

impl Pdu {
    /// A PDU that is not a fragment and has no authentication trailer.
    #[must_use]
    pub fn whole(call_id: u32, body: Body) -> Self {
        Self {
            flags: PfcFlags::WHOLE,
            call_id,
            body,
            auth: None,
        }
    }

    /// The length of the PDU at the start of `input`, as soon as enough of it is there to tell;
    /// so a stream is cut into PDUs.
    pub fn fragment_len(input: &[u8]) -> Result<Option<usize>, ParseError> {
        let Some(header) = input.get(..HEADER_LEN) else {
            return Ok(None);
        };
        let mut f = Fields::new(header, WHAT);
        if f.u8()? != 5 || f.u8()? > 1 {
            return Err(ParseError::BadStructure(WHAT));
        }
        f.skip(2)?;
        if f.array()? != DATA_REPRESENTATION {
            return Err(ParseError::BadValue(WHAT));
        }
        let len = usize::from(f.u16()?);
        if len < HEADER_LEN {
            return Err(ParseError::OutOfBounds(WHAT));
        }
        Ok(Some(len))
    }

    /// Reads the PDU at the start of `input`; what follows it is not looked at.
    pub fn parse(input: &Bytes) -> Result<Self, ParseError> {
        let truncated = ParseError::Truncated(WHAT);
        let len = Self::fragment_len(input)?.ok_or(truncated)?;
        let all = input.get(..len).ok_or(truncated)?;
        let mut f = Fields::at(all, 2, WHAT)?;
        let kind = f.u8()?;
        let flags = PfcFlags::from_bits_retain(f.u8()?);
        f.skip(6)?;
        let auth_len = usize::from(f.u16()?);
        let call_id = f.u32()?;
        let (body_end, auth) = if auth_len == 0 {
            (len, None)
        } else {
            Self::auth(input, len, auth_len).map(|(end, auth)| (end, Some(auth)))?
        };
        let body = all.get(..body_end).ok_or(ParseError::OutOfBounds(WHAT))?;
        let mut f = Fields::at(body, HEADER_LEN, WHAT)?;
        let rest_of = |f: &Fields<'_>| {
            let at = f.position();
            slice_of(input, at, body_end.saturating_sub(at), HEADER_LEN, WHAT)
        };
        let body = match kind {
            0 => {
                let alloc_hint = f.u32()?;
                let (context_id, opnum) = (f.u16()?, f.u16()?);
                let object = if flags.contains(PfcFlags::OBJECT_UUID) {
                    Some(f.guid()?)
                } else {
                    None
                };
                Body::Request(Request {
                    alloc_hint,
                    context_id,
                    opnum,
                    object,
                    stub: rest_of(&f)?,
                })
            }
            2 => {
                let alloc_hint = f.u32()?;
                let context_id = f.u16()?;
                f.skip(2)?;
                Body::Response(Response {
                    alloc_hint,
                    context_id,
                    stub: rest_of(&f)?,
                })
            }
            3 => {
                f.skip(4)?;
                let context_id = f.u16()?;
                f.skip(2)?;
                Body::Fault(Fault {
                    context_id,
                    status: f.u32()?,
                })
            }
            11 => Body::Bind(Bind::read(&mut f)?),
            12 => Body::BindAck(BindAck::read(&mut f)?),
            13 => Body::BindNak(BindNak { reason: f.u16()? }),
            14 => Body::AlterContext(Bind::read(&mut f)?),
            15 => Body::AlterContextResp(BindAck::read(&mut f)?),
            16 => Body::Auth3,
            17 => Body::Shutdown,
            18 => Body::Cancel,
            19 => Body::Orphaned,
            _ => return Err(ParseError::BadValue(WHAT)),
        };
        Ok(Self {
            flags,
            call_id,
            body,
            auth,
        })
    }

    /// The trailer at the end of a PDU, and where what is before it and its padding ends.
    fn auth(
        input: &Bytes,
        len: usize,
        auth_len: usize,
    ) -> Result<(usize, AuthTrailer), ParseError> {
        let outside = ParseError::OutOfBounds(WHAT);
        let at = len
            .checked_sub(auth_len)
            .and_then(|v| v.checked_sub(AUTH_HEADER_LEN))
            .ok_or(outside)?;
        let mut f = Fields::at(input, at, WHAT)?;
        let (auth_type, auth_level, pad) = (f.u8()?, f.u8()?, usize::from(f.u8()?));
        f.skip(1)?;
        let context_id = f.u32()?;
        let value = slice_of(input, f.position(), auth_len, HEADER_LEN, WHAT)?;
        let body_end = at
            .checked_sub(pad)
            .filter(|&end| end >= HEADER_LEN)
            .ok_or(outside)?;
        let trailer = AuthTrailer {
            auth_type,
            auth_level,
            context_id,
            value,
        };
        Ok((body_end, trailer))
    }

    fn kind(&self) -> u8 {
        match self.body {
            Body::Request(_) => 0,
            Body::Response(_) => 2,
            Body::Fault(_) => 3,
            Body::Bind(_) => 11,
            Body::BindAck(_) => 12,
            Body::BindNak(_) => 13,
            Body::AlterContext(_) => 14,
            Body::AlterContextResp(_) => 15,
            Body::Auth3 => 16,
            Body::Shutdown => 17,
            Body::Cancel => 18,
            Body::Orphaned => 19,
        }
    }

    /// The PDU as bytes. Longer than 65,535 bytes it cannot be.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut flags = self.flags;
        if let Body::Request(r) = &self.body {
            flags.set(PfcFlags::OBJECT_UUID, r.object.is_some());
        }
        let mut w = Writer::new();
        w.u8(5);
        w.u8(0);
        w.u8(self.kind());
        w.u8(flags.bits());
        w.bytes(&DATA_REPRESENTATION);
        w.zeros(4);
        w.u32(self.call_id);
        match &self.body {
            Body::Request(r) => {
                w.u32(r.alloc_hint);
                w.u16(r.context_id);
                w.u16(r.opnum);
                if let Some(object) = r.object {
                    w.guid(object);
                }
                w.bytes(&r.stub);
            }
            Body::Response(r) => {
                w.u32(r.alloc_hint);
                w.u16(r.context_id);
                w.zeros(2);
                w.bytes(&r.stub);
            }
            Body::Fault(r) => {
                w.u32(0);
                w.u16(r.context_id);
                w.zeros(2);
                w.u32(r.status);
                w.zeros(4);
            }
            Body::Bind(b) | Body::AlterContext(b) => b.encode(&mut w),
            Body::BindAck(b) | Body::AlterContextResp(b) => b.encode(&mut w),
            Body::BindNak(b) => {
                w.u16(b.reason);
                // The protocol versions supported: one, 5.0.
                w.bytes(&[1, 5, 0]);
            }
            Body::Auth3 => w.zeros(4),
            Body::Shutdown | Body::Cancel | Body::Orphaned => {}
        }
        if let Some(auth) = &self.auth {
            let before = w.position();
            w.align(4);
            let pad = w.position().saturating_sub(before);
            w.u8(auth.auth_type);
            w.u8(auth.auth_level);
            w.u8(u8::try_from(pad).unwrap_or(0));
            w.u8(0);
            w.u32(auth.context_id);
            w.bytes(&auth.value);
            w.patch_u16(10, len16(auth.value.len()));
        }
        w.patch_u16(8, len16(w.position()));
        w.into_inner().freeze()
    }
}

impl Bind {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let (max_xmit_frag, max_recv_frag, assoc_group) = (f.u16()?, f.u16()?, f.u32()?);
        let count = usize::from(f.u8()?);
        f.skip(3)?;
        if count > MAX_CONTEXTS {
            return Err(ParseError::TooMany(WHAT));
        }
        let contexts = (0..count)
            .map(|_| {
                let id = f.u16()?;
                let transfers = usize::from(f.u8()?);
                f.skip(1)?;
                if transfers > MAX_TRANSFER_SYNTAXES {
                    return Err(ParseError::TooMany(WHAT));
                }
                Ok(ContextElement {
                    id,
                    interface: SyntaxId::read(f)?,
                    transfers: (0..transfers)
                        .map(|_| SyntaxId::read(f))
                        .collect::<Result<_, _>>()?,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            max_xmit_frag,
            max_recv_frag,
            assoc_group,
            contexts,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.max_xmit_frag);
        w.u16(self.max_recv_frag);
        w.u32(self.assoc_group);
        w.u8(u8::try_from(self.contexts.len()).unwrap_or(u8::MAX));
        w.zeros(3);
        for context in &self.contexts {
            w.u16(context.id);
            w.u8(u8::try_from(context.transfers.len()).unwrap_or(u8::MAX));
            w.u8(0);
            context.interface.encode(w);
            for transfer in &context.transfers {
                transfer.encode(w);
            }
        }
    }
}

impl BindAck {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let (max_xmit_frag, max_recv_frag, assoc_group) = (f.u16()?, f.u16()?, f.u32()?);
        let len = usize::from(f.u16()?);
        let address = f.bytes(len)?;
        let address = address.strip_suffix(&[0]).unwrap_or(address);
        let secondary_address = std::str::from_utf8(address)
            .map_err(|_| ParseError::BadString(WHAT))?
            .to_owned();
        let at = f.position();
        f.skip(at.next_multiple_of(4).saturating_sub(at))?;
        let count = usize::from(f.u8()?);
        f.skip(3)?;
        if count > MAX_CONTEXTS {
            return Err(ParseError::TooMany(WHAT));
        }
        Ok(Self {
            max_xmit_frag,
            max_recv_frag,
            assoc_group,
            secondary_address,
            results: (0..count)
                .map(|_| ContextResult::read(f))
                .collect::<Result<_, _>>()?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.max_xmit_frag);
        w.u16(self.max_recv_frag);
        w.u32(self.assoc_group);
        if self.secondary_address.is_empty() {
            w.u16(0);
        } else {
            w.u16(len16(self.secondary_address.len().saturating_add(1)));
            w.bytes(self.secondary_address.as_bytes());
            w.u8(0);
        }
        w.align(4);
        w.u8(u8::try_from(self.results.len()).unwrap_or(u8::MAX));
        w.zeros(3);
        for result in &self.results {
            result.encode(w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Bytes {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    /// `net user /domain` of Windows: NDR, NDR64 and features, each in a context of its own.
    const WINDOWS_BIND: &str = "05000b0310000000a000000002000000b810b810000000000300000000000100\
        785734123412cdabef000123456789ac01000000045d888aeb1cc9119fe808002b1048600200000001000100\
        785734123412cdabef000123456789ac0100000033057171babe37498319b5dbef9ccc360100000002000100\
        785734123412cdabef000123456789ac010000002c1cb76c12984045030000000000000001000000";
    /// The answer of a domain controller, which prefers NDR64.
    const WINDOWS_ACK: &str = "05000c03100000007400000002000000b810b810660600000c005c706970655c\
        6c73617373000000030000000200020000000000000000000000000000000000000000000000000033057171\
        babe37498319b5dbef9ccc3601000000030003000000000000000000000000000000000000000000";

    #[test]
    fn bind_of_windows() {
        let pdu = Pdu::parse(&hex(WINDOWS_BIND)).unwrap();
        let Body::Bind(bind) = &pdu.body else {
            panic!("{pdu:?}")
        };
        assert_eq!((bind.max_xmit_frag, bind.max_recv_frag), (4280, 4280));
        let transfers: Vec<_> = bind.contexts.iter().map(|c| c.transfers[0]).collect();
        assert_eq!(transfers[..2], [SyntaxId::NDR, SyntaxId::NDR64]);
        assert_eq!(transfers[2].features(), Some(3));
        assert_eq!(transfers[0].features(), None);
        assert_eq!(
            (
                bind.contexts[0].interface.major(),
                bind.contexts[0].interface.minor()
            ),
            (1, 0)
        );
        assert_eq!(pdu.to_bytes(), hex(WINDOWS_BIND));
    }

    #[test]
    fn bind_ack_of_windows() {
        let pdu = Pdu::parse(&hex(WINDOWS_ACK)).unwrap();
        let Body::BindAck(ack) = &pdu.body else {
            panic!("{pdu:?}")
        };
        assert_eq!(ack.secondary_address, "\\pipe\\lsass");
        assert_eq!(
            ack.results,
            [
                ContextResult::TRANSFER_SYNTAXES,
                ContextResult::Accepted(SyntaxId::NDR64),
                ContextResult::Features(3)
            ]
        );
        assert_eq!(pdu.to_bytes(), hex(WINDOWS_ACK));
    }

    #[test]
    fn length_is_known_from_the_header() {
        let wire = hex(WINDOWS_ACK);
        assert_eq!(Pdu::fragment_len(&wire[..15]), Ok(None));
        assert_eq!(Pdu::fragment_len(&wire[..16]), Ok(Some(0x74)));
        let changed = |at: usize, to: u8| {
            let mut w = wire.to_vec();
            w[at] = to;
            Pdu::fragment_len(&w)
        };
        assert_eq!(changed(0, 4), Err(ParseError::BadStructure(WHAT)));
        assert_eq!(changed(1, 2), Err(ParseError::BadStructure(WHAT)));
        assert_eq!(changed(4, 0), Err(ParseError::BadValue(WHAT)));
        assert_eq!(changed(8, 15), Err(ParseError::OutOfBounds(WHAT)));
    }

    #[test]
    fn trailer_and_its_padding_are_no_part_of_the_stub() {
        let pdu = Pdu {
            auth: Some(AuthTrailer {
                auth_type: 10,
                auth_level: 5,
                context_id: 1,
                value: Bytes::from_static(&[9; 16]),
            }),
            ..Pdu::whole(
                3,
                Body::Request(Request {
                    alloc_hint: 5,
                    context_id: 0,
                    opnum: 15,
                    object: None,
                    stub: Bytes::from_static(b"stub!"),
                }),
            )
        };
        let wire = pdu.to_bytes();
        assert_eq!(wire.len(), 24 + 5 + 3 + 8 + 16);
        assert_eq!(Pdu::parse(&wire), Ok(pdu));
        // More padding than there is body, more trailer than there is PDU.
        for (at, to) in [(34, 0xff), (10, 0xff)] {
            let mut bad = wire.to_vec();
            bad[at] = to;
            assert_eq!(Pdu::parse(&bad.into()), Err(ParseError::OutOfBounds(WHAT)));
        }
    }

    fn syntax() -> impl Strategy<Value = SyntaxId> {
        (any::<[u8; 16]>(), any::<u32>()).prop_map(|(uuid, version)| SyntaxId {
            uuid: Guid::from_bytes(uuid),
            version,
        })
    }

    fn stub() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    fn bind() -> impl Strategy<Value = Bind> {
        let context = (
            any::<u16>(),
            syntax(),
            prop::collection::vec(syntax(), 0..3),
        )
            .prop_map(|(id, interface, transfers)| ContextElement {
                id,
                interface,
                transfers,
            });
        (
            any::<u16>(),
            any::<u16>(),
            any::<u32>(),
            prop::collection::vec(context, 0..4),
        )
            .prop_map(
                |(max_xmit_frag, max_recv_frag, assoc_group, contexts)| Bind {
                    max_xmit_frag,
                    max_recv_frag,
                    assoc_group,
                    contexts,
                },
            )
    }

    fn bind_ack() -> impl Strategy<Value = BindAck> {
        let result = prop_oneof![
            syntax().prop_map(ContextResult::Accepted),
            any::<u16>().prop_map(ContextResult::UserRejection),
            any::<u16>().prop_map(ContextResult::ProviderRejection),
            any::<u16>().prop_map(ContextResult::Features),
        ];
        (
            any::<u16>(),
            any::<u32>(),
            "[a-z\\\\]{0,9}",
            prop::collection::vec(result, 0..4),
        )
            .prop_map(|(max, assoc_group, secondary_address, results)| BindAck {
                max_xmit_frag: max,
                max_recv_frag: max,
                assoc_group,
                secondary_address,
                results,
            })
    }

    fn body() -> impl Strategy<Value = Body> {
        let request = (
            any::<u32>(),
            any::<u16>(),
            any::<u16>(),
            prop::option::of(any::<[u8; 16]>()),
            stub(),
        )
            .prop_map(|(alloc_hint, context_id, opnum, object, stub)| {
                Body::Request(Request {
                    alloc_hint,
                    context_id,
                    opnum,
                    object: object.map(Guid::from_bytes),
                    stub,
                })
            });
        let response =
            (any::<u32>(), any::<u16>(), stub()).prop_map(|(alloc_hint, context_id, stub)| {
                Body::Response(Response {
                    alloc_hint,
                    context_id,
                    stub,
                })
            });
        prop_oneof![
            request,
            response,
            (any::<u16>(), any::<u32>())
                .prop_map(|(context_id, status)| Body::Fault(Fault { context_id, status })),
            bind().prop_map(Body::Bind),
            bind().prop_map(Body::AlterContext),
            bind_ack().prop_map(Body::BindAck),
            bind_ack().prop_map(Body::AlterContextResp),
            any::<u16>().prop_map(|reason| Body::BindNak(BindNak { reason })),
            Just(Body::Auth3),
            Just(Body::Shutdown),
            Just(Body::Cancel),
            Just(Body::Orphaned),
        ]
    }

    fn pdu() -> impl Strategy<Value = Pdu> {
        let auth = (any::<u8>(), any::<u8>(), any::<u32>(), stub()).prop_map(
            |(auth_type, auth_level, context_id, value)| AuthTrailer {
                auth_type,
                auth_level,
                context_id,
                value,
            },
        );
        (
            any::<u8>(),
            any::<u32>(),
            body(),
            prop::option::of(
                auth.prop_filter("an empty token is no trailer", |a| !a.value.is_empty()),
            ),
        )
            .prop_map(|(flags, call_id, body, auth)| {
                let mut flags = PfcFlags::from_bits_retain(flags);
                let object = matches!(&body, Body::Request(r) if r.object.is_some());
                flags.set(PfcFlags::OBJECT_UUID, object);
                Pdu {
                    flags,
                    call_id,
                    body,
                    auth,
                }
            })
    }

    proptest! {
        #[test]
        fn round_trips_and_is_refused_when_cut(pdu in pdu()) {
            let wire = pdu.to_bytes();
            prop_assert_eq!(Pdu::fragment_len(&wire), Ok(Some(wire.len())));
            prop_assert_eq!(Pdu::parse(&wire), Ok(pdu));
            for n in 0..wire.len() {
                prop_assert!(Pdu::parse(&wire.slice(..n)).is_err());
            }
        }

        #[test]
        fn any_change_of_a_byte_is_survived(pdu in pdu(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut wire = pdu.to_bytes().to_vec();
            let at = at.index(wire.len());
            wire[at] = to;
            if let Ok(again) = Pdu::parse(&wire.into()) {
                let wire = again.to_bytes();
                prop_assert_eq!(Pdu::fragment_len(&wire), Ok(Some(wire.len())));
            }
        }
    }
}
