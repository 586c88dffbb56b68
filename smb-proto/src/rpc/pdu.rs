//! Connection-oriented PDUs, C706 12.6 and [MS-RPCE] 2.2.2.

mod bind;

use bitflags::bitflags;
use bytes::Bytes;

use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, len16, slice_of};

pub use self::bind::{
    Bind, BindAck, BindNak, ContextElement, ContextResult, MAX_CONTEXTS, MAX_TRANSFER_SYNTAXES,
    SyntaxId,
};

const WHAT: &str = "RPC PDU";

/// Bytes of the common header.
pub const HEADER_LEN: usize = 16;
/// Bytes of a request or response before its stub data (without an object UUID).
pub const STUB_OFFSET: usize = 24;
/// Bytes of an authentication trailer before its value, [MS-RPCE] 2.2.2.11.
const AUTH_HEADER_LEN: usize = 8;
/// The smallest fragment that every implementation must be able to receive, C706 12.6.3.1.
pub const MIN_FRAGMENT: u16 = 1432;

bitflags! {
    /// pfc_flags, C706 12.6.3.1 and [MS-RPCE] 2.2.2.3.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub stub: Bytes,
}

/// response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// A hint at the bytes of stub data from here to the end of the call.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// This fragment's part of the parameters.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub stub: Bytes,
}

/// fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Fault {
    /// The presentation context.
    pub context_id: u16,
    /// Why; one of the constants of this type, C706 appendix E and [MS-RPCE] 2.2.1.1.5.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AuthTrailer {
    /// Security provider: 9 SPNEGO, 10 NTLM, 16 Kerberos, 68 Netlogon.
    pub auth_type: u8,
    /// 2 connect, 5 integrity, 6 privacy.
    pub auth_level: u8,
    /// Which of several security contexts.
    pub context_id: u32,
    /// The token.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub value: Bytes,
}

/// What one PDU is, by its PTYPE.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
/// The common header (C706 12.6.3.1): version 5 (1 byte), minor version 0 or 1 (1), PTYPE (1),
/// flags (1), data representation (4), length of the fragment (2), length of the authentication
/// value (2), call id (4). Only the little-endian, ASCII, IEEE representation is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

#[cfg(test)]
mod tests;
