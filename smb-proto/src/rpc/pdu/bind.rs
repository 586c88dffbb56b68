//! Binding interfaces: bind, bind_ack, bind_nak, alter_context and its response
//! (C706 12.6.4.3 to 12.6.4.5, [MS-RPCE] 2.2.2.4, 2.2.2.5 and 2.2.2.14).

use super::WHAT;
use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, len16};

/// The most presentation contexts that are read from a bind.
pub const MAX_CONTEXTS: usize = 32;

/// The most transfer syntaxes that are read for one presentation context.
pub const MAX_TRANSFER_SYNTAXES: usize = 16;

/// p_syntax_id_t: an interface or a transfer syntax with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

    pub(super) fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            uuid: f.guid()?,
            version: f.u32()?,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.guid(self.uuid);
        w.u32(self.version);
    }
}

/// p_cont_elem_t: one presentation context that a client proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

    pub(super) fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let (result, reason, syntax) = (f.u16()?, f.u16()?, SyntaxId::read(f)?);
        match result {
            0 => Ok(Self::Accepted(syntax)),
            1 => Ok(Self::UserRejection(reason)),
            2 => Ok(Self::ProviderRejection(reason)),
            3 => Ok(Self::Features(reason)),
            _ => Err(ParseError::BadValue(WHAT)),
        }
    }

    pub(super) fn encode(self, w: &mut Writer) {
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

/// bind_nak, C706 12.6.4.5 and [MS-RPCE] 2.2.2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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

impl Bind {
    pub(super) fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
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

    pub(super) fn encode(&self, w: &mut Writer) {
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
    pub(super) fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
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

    pub(super) fn encode(&self, w: &mut Writer) {
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
