//! Negotiate contexts of dialect 3.1.1, [MS-SMB2] 2.2.3.1 (request) and 2.2.4.1 (response).
//!
//! A context that lists ids keeps them as raw numbers, since a peer may offer ids that this crate
//! does not know; `known` gives those that it does, in the order of the sender's preference.

use bitflags::bitflags;
use bytes::Bytes;

pub use super::algorithm::{CompressionAlgorithm, HashAlgorithm, RdmaTransform};
use super::context_list::{self, List};
use crate::ParseError;
use crate::crypto::{Cipher, SigningAlgorithm};
use crate::wire::{Fields, Writer, decode_utf16, encode_utf16, len16};

/// The most contexts that are read from one message; the specification defines eight types.
pub const MAX_CONTEXTS: u16 = 64;

/// ContextType values, [MS-SMB2] 2.2.3.1.
pub mod context_type {
    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES
    pub const PREAUTH_INTEGRITY: u16 = 0x0001;
    /// SMB2_ENCRYPTION_CAPABILITIES
    pub const ENCRYPTION: u16 = 0x0002;
    /// SMB2_COMPRESSION_CAPABILITIES
    pub const COMPRESSION: u16 = 0x0003;
    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID
    pub const NETNAME: u16 = 0x0005;
    /// SMB2_TRANSPORT_CAPABILITIES
    pub const TRANSPORT: u16 = 0x0006;
    /// SMB2_RDMA_TRANSFORM_CAPABILITIES
    pub const RDMA_TRANSFORM: u16 = 0x0007;
    /// SMB2_SIGNING_CAPABILITIES
    pub const SIGNING: u16 = 0x0008;
    /// SMB2_POSIX_EXTENSIONS_AVAILABLE of the SMB3 POSIX extensions; [MS-SMB2] reserves the
    /// number.
    pub const POSIX: u16 = 0x0100;
}

bitflags! {
    /// Flags of the compression context, [MS-SMB2] 2.2.3.1.3.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct CompressionFlags: u32 {
        /// SMB2_COMPRESSION_CAPABILITIES_FLAG_CHAINED: chained compression is understood.
        const CHAINED = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// Flags of the transport context, [MS-SMB2] 2.2.3.1.5.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct TransportFlags: u32 {
        /// SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY: the transport's security may stand in for SMB2
        /// encryption.
        const ACCEPT_TRANSPORT_LEVEL_SECURITY = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2_PREAUTH_INTEGRITY_CAPABILITIES, [MS-SMB2] 2.2.3.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PreauthIntegrity {
    /// HashAlgorithms by preference, at least one; see [`Self::known`].
    pub hash_algorithms: Vec<u16>,
    /// Salt: random bytes, so that no two chains are alike.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub salt: Bytes,
}

/// SMB2_ENCRYPTION_CAPABILITIES, [MS-SMB2] 2.2.3.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Encryption {
    /// Ciphers by preference; a response holds the one chosen, or 0 where none is common
    /// ([MS-SMB2] 2.2.4.1.2). Clients that do not want to encrypt send the context with an empty
    /// list, so that one is read as well.
    pub ciphers: Vec<u16>,
}

/// SMB2_COMPRESSION_CAPABILITIES, [MS-SMB2] 2.2.3.1.3.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Compression {
    /// Flags.
    pub flags: CompressionFlags,
    /// CompressionAlgorithms by preference, at least one.
    pub algorithms: Vec<u16>,
}

/// SMB2_SIGNING_CAPABILITIES, [MS-SMB2] 2.2.3.1.7.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Signing {
    /// SigningAlgorithms by preference, at least one; a response holds the one chosen.
    pub algorithms: Vec<u16>,
}

/// SMB2_RDMA_TRANSFORM_CAPABILITIES, [MS-SMB2] 2.2.3.1.6.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RdmaTransforms {
    /// RDMATransformIds, at least one.
    pub transforms: Vec<u16>,
}

/// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID, [MS-SMB2] 2.2.3.1.4: the server name that the client asked
/// for. Kept as received, since a server that does not use the name does not refuse an ill-formed
/// one either.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NetName {
    /// UTF-16LE without terminator.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub raw: Bytes,
}

/// SMB2_POSIX_EXTENSIONS_AVAILABLE of the SMB3 POSIX extensions: the extensions that are offered,
/// each named by 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Posix {
    /// Extension ids, 16 bytes each.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub ids: Bytes,
}

/// One negotiate context.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum NegotiateContext {
    /// [MS-SMB2] 2.2.3.1.1
    PreauthIntegrity(PreauthIntegrity),
    /// [MS-SMB2] 2.2.3.1.2
    Encryption(Encryption),
    /// [MS-SMB2] 2.2.3.1.3
    Compression(Compression),
    /// [MS-SMB2] 2.2.3.1.4
    NetName(NetName),
    /// [MS-SMB2] 2.2.3.1.5
    Transport(TransportFlags),
    /// [MS-SMB2] 2.2.3.1.6
    RdmaTransforms(RdmaTransforms),
    /// [MS-SMB2] 2.2.3.1.7
    Signing(Signing),
    /// SMB3 POSIX extensions
    Posix(Posix),
    /// A type that this crate does not know; servers ignore it ([MS-SMB2] 3.3.5.4).
    Other {
        /// ContextType.
        context_type: u16,
        /// Data.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        data: Bytes,
    },
}

impl PreauthIntegrity {
    /// The algorithms offered that this crate knows.
    pub fn known(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        known(&self.hash_algorithms, HashAlgorithm::from_code)
    }

    fn parse(data: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, "preauth integrity context");
        let count = f.u16()?;
        let salt_len = f.u16()?;
        let hash_algorithms = ids(&mut f, count)?;
        let salt = data.slice_ref(f.bytes(salt_len.into())?);
        Ok(Self {
            hash_algorithms,
            salt,
        })
    }
}

impl Encryption {
    /// The ciphers offered that this crate knows.
    pub fn known(&self) -> impl Iterator<Item = Cipher> + '_ {
        known(&self.ciphers, Cipher::from_code)
    }
}

impl Compression {
    /// The algorithms offered that this crate knows; `None` (no compression) is one of them.
    pub fn known(&self) -> impl Iterator<Item = CompressionAlgorithm> + '_ {
        known(&self.algorithms, CompressionAlgorithm::from_code)
    }
}

impl Signing {
    /// The algorithms offered that this crate knows.
    pub fn known(&self) -> impl Iterator<Item = SigningAlgorithm> + '_ {
        known(&self.algorithms, SigningAlgorithm::from_code)
    }
}

impl RdmaTransforms {
    /// The transforms offered that this crate knows.
    pub fn known(&self) -> impl Iterator<Item = RdmaTransform> + '_ {
        known(&self.transforms, RdmaTransform::from_code)
    }
}

impl NetName {
    /// The context that asks for the server `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            raw: encode_utf16(name).into(),
        }
    }

    /// The name.
    ///
    /// # Errors
    /// [`ParseError::BadString`] if it is not well-formed UTF-16LE.
    pub fn text(&self) -> Result<String, ParseError> {
        decode_utf16(&self.raw, "netname context")
    }
}

impl Posix {
    /// The id of the SMB 3.1.1 POSIX extensions, version 1.
    pub const VERSION_1: [u8; 16] = [
        0x93, 0xad, 0x25, 0x50, 0x9c, 0xb4, 0x11, 0xe7, 0xb4, 0x23, 0x83, 0xde, 0x96, 0x8b, 0xcd,
        0x7c,
    ];

    /// The context that offers version 1.
    #[must_use]
    pub fn version_1() -> Self {
        Self {
            ids: Bytes::from_static(&Self::VERSION_1),
        }
    }

    /// Whether version 1 is among the extensions offered.
    #[must_use]
    pub fn has_version_1(&self) -> bool {
        let (ids, _) = self.ids.as_chunks::<16>();
        ids.contains(&Self::VERSION_1)
    }
}

impl NegotiateContext {
    /// ContextType.
    #[must_use]
    pub fn context_type(&self) -> u16 {
        match self {
            Self::PreauthIntegrity(_) => context_type::PREAUTH_INTEGRITY,
            Self::Encryption(_) => context_type::ENCRYPTION,
            Self::Compression(_) => context_type::COMPRESSION,
            Self::NetName(_) => context_type::NETNAME,
            Self::Transport(_) => context_type::TRANSPORT,
            Self::RdmaTransforms(_) => context_type::RDMA_TRANSFORM,
            Self::Signing(_) => context_type::SIGNING,
            Self::Posix(_) => context_type::POSIX,
            Self::Other { context_type, .. } => *context_type,
        }
    }

    /// Reads the Data of a context of type `kind`. Bytes after what the type defines are ignored.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if the data are shorter than they say, [`ParseError::BadValue`]
    /// for a list of ids without an id.
    pub fn parse(kind: u16, data: &Bytes) -> Result<Self, ParseError> {
        Ok(match kind {
            context_type::PREAUTH_INTEGRITY => {
                Self::PreauthIntegrity(PreauthIntegrity::parse(data)?)
            }
            context_type::ENCRYPTION => {
                let mut f = Fields::new(data, "encryption context");
                let count = f.u16()?;
                Self::Encryption(Encryption {
                    ciphers: id_list(&mut f, count)?,
                })
            }
            context_type::COMPRESSION => {
                let mut f = Fields::new(data, "compression context");
                let count = f.u16()?;
                f.skip(2)?;
                Self::Compression(Compression {
                    flags: CompressionFlags::from_bits_retain(f.u32()?),
                    algorithms: ids(&mut f, count)?,
                })
            }
            context_type::NETNAME => Self::NetName(NetName { raw: data.clone() }),
            context_type::TRANSPORT => {
                let bits = Fields::new(data, "transport context").u32()?;
                Self::Transport(TransportFlags::from_bits_retain(bits))
            }
            context_type::RDMA_TRANSFORM => {
                let mut f = Fields::new(data, "RDMA transform context");
                let count = f.u16()?;
                f.skip(6)?;
                Self::RdmaTransforms(RdmaTransforms {
                    transforms: ids(&mut f, count)?,
                })
            }
            context_type::SIGNING => {
                let mut f = Fields::new(data, "signing context");
                let count = f.u16()?;
                Self::Signing(Signing {
                    algorithms: ids(&mut f, count)?,
                })
            }
            context_type::POSIX => Self::Posix(Posix { ids: data.clone() }),
            _ => Self::Other {
                context_type: kind,
                data: data.clone(),
            },
        })
    }

    /// Appends the context, padded in front to a multiple of 8 bytes from the writer's base.
    pub fn encode(&self, w: &mut Writer) {
        context_list::encode_one(w, self.context_type(), |w| self.encode_data(w));
    }

    fn encode_data(&self, w: &mut Writer) {
        match self {
            Self::PreauthIntegrity(c) => {
                w.u16(len16(c.hash_algorithms.len()));
                w.u16(len16(c.salt.len()));
                encode_ids(w, &c.hash_algorithms);
                w.bytes(&c.salt);
            }
            Self::Encryption(c) => {
                w.u16(len16(c.ciphers.len()));
                encode_ids(w, &c.ciphers);
            }
            Self::Compression(c) => {
                w.u16(len16(c.algorithms.len()));
                w.u16(0);
                w.u32(c.flags.bits());
                encode_ids(w, &c.algorithms);
            }
            Self::NetName(c) => w.bytes(&c.raw),
            Self::Transport(flags) => w.u32(flags.bits()),
            Self::RdmaTransforms(c) => {
                w.u16(len16(c.transforms.len()));
                w.u16(0);
                w.u32(0);
                encode_ids(w, &c.transforms);
            }
            Self::Signing(c) => {
                w.u16(len16(c.algorithms.len()));
                encode_ids(w, &c.algorithms);
            }
            Self::Posix(c) => w.bytes(&c.ids),
            Self::Other { data, .. } => w.bytes(data),
        }
    }
}

/// Reads the `count` contexts at `offset` of a message. Duplicates are kept, in order.
pub(super) fn parse_list(
    element: &Bytes,
    offset: u32,
    count: u16,
    fixed_end: usize,
) -> Result<Vec<NegotiateContext>, ParseError> {
    const WHAT: &str = "negotiate contexts";
    if count != 0 && offset & 7 != 0 {
        return Err(ParseError::Misaligned(WHAT));
    }
    let list = List {
        offset,
        count,
        max: MAX_CONTEXTS,
        fixed_end,
    };
    list.parse(element, WHAT)?
        .iter()
        .map(|(kind, data)| NegotiateContext::parse(*kind, data))
        .collect()
}

/// Reads `count` ids, at least one.
fn ids(f: &mut Fields<'_>, count: u16) -> Result<Vec<u16>, ParseError> {
    if count == 0 {
        return Err(ParseError::BadValue(f.what()));
    }
    id_list(f, count)
}

fn id_list(f: &mut Fields<'_>, count: u16) -> Result<Vec<u16>, ParseError> {
    let (pairs, _) = f.bytes(usize::from(count).saturating_mul(2))?.as_chunks();
    Ok(pairs.iter().map(|p| u16::from_le_bytes(*p)).collect())
}

fn encode_ids(w: &mut Writer, ids: &[u16]) {
    for id in ids {
        w.u16(*id);
    }
}

fn known<T>(ids: &[u16], from_code: fn(u16) -> Option<T>) -> impl Iterator<Item = T> + '_
where
    T: 'static,
{
    ids.iter().filter_map(move |id| from_code(*id))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn id_list() -> impl Strategy<Value = Vec<u16>> {
        vec(any::<u16>(), 1..6)
    }

    fn payload() -> impl Strategy<Value = Bytes> {
        vec(any::<u8>(), 0..20).prop_map(Bytes::from)
    }

    /// Any context, of a known type or not.
    pub(crate) fn any_context() -> impl Strategy<Value = NegotiateContext> {
        prop_oneof![
            (id_list(), payload()).prop_map(|(hash_algorithms, salt)| {
                NegotiateContext::PreauthIntegrity(PreauthIntegrity {
                    hash_algorithms,
                    salt,
                })
            }),
            id_list().prop_map(|ciphers| NegotiateContext::Encryption(Encryption { ciphers })),
            (any::<u32>(), id_list()).prop_map(|(flags, algorithms)| {
                NegotiateContext::Compression(Compression {
                    flags: CompressionFlags::from_bits_retain(flags),
                    algorithms,
                })
            }),
            payload().prop_map(|raw| NegotiateContext::NetName(NetName { raw })),
            any::<u32>()
                .prop_map(|f| NegotiateContext::Transport(TransportFlags::from_bits_retain(f))),
            id_list().prop_map(|transforms| {
                NegotiateContext::RdmaTransforms(RdmaTransforms { transforms })
            }),
            id_list().prop_map(|algorithms| NegotiateContext::Signing(Signing { algorithms })),
            payload().prop_map(|ids| NegotiateContext::Posix(Posix { ids })),
            (0x0101..=u16::MAX, payload())
                .prop_map(|(context_type, data)| NegotiateContext::Other { context_type, data }),
        ]
    }

    fn data_of(context: &NegotiateContext) -> Bytes {
        let mut w = Writer::new();
        context.encode_data(&mut w);
        w.into_inner().freeze()
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(context in any_context(), junk in payload()) {
            let data = data_of(&context);
            let kind = context.context_type();
            prop_assert_eq!(NegotiateContext::parse(kind, &data), Ok(context.clone()));
            let opaque = matches!(
                context,
                NegotiateContext::NetName(_)
                    | NegotiateContext::Posix(_)
                    | NegotiateContext::Other { .. }
            );
            for n in 0..data.len() {
                let read = NegotiateContext::parse(kind, &data.slice(..n));
                prop_assert_eq!(read.is_ok(), opaque);
            }
            if !opaque {
                let mut longer = data.to_vec();
                longer.extend_from_slice(&junk);
                prop_assert_eq!(NegotiateContext::parse(kind, &longer.into()), Ok(context));
            }
        }

        #[test]
        fn any_data_are_survived(kind in 0u16..0x0102, data in payload()) {
            if let Ok(context) = NegotiateContext::parse(kind, &data) {
                let again = NegotiateContext::parse(kind, &data_of(&context));
                prop_assert_eq!(again, Ok(context));
            }
        }
    }

    #[test]
    fn a_list_of_ids_must_not_be_empty() {
        for (kind, len) in [
            (context_type::PREAUTH_INTEGRITY, 4),
            (context_type::COMPRESSION, 8),
            (context_type::RDMA_TRANSFORM, 8),
            (context_type::SIGNING, 2),
        ] {
            let read = NegotiateContext::parse(kind, &vec![0; len].into());
            assert!(matches!(read, Err(ParseError::BadValue(_))), "{kind:#x}");
        }
    }

    #[test]
    fn ids_unknown_here_are_kept_but_not_known() {
        let c = Encryption {
            ciphers: vec![9, 4, 0, 2],
        };
        let known: Vec<_> = c.known().collect();
        assert_eq!(known, [Cipher::Aes256Gcm, Cipher::Aes128Gcm]);
        let c = Compression {
            flags: CompressionFlags::CHAINED,
            algorithms: vec![4, 0],
        };
        let known: Vec<_> = c.known().collect();
        assert_eq!(
            known,
            [CompressionAlgorithm::PatternV1, CompressionAlgorithm::None]
        );
    }

    #[test]
    fn names_and_posix_extensions() {
        let name = NetName::new("Größe");
        assert_eq!(name.text().as_deref(), Ok("Größe"));
        let odd = NetName {
            raw: Bytes::from_static(b"a"),
        };
        assert!(matches!(odd.text(), Err(ParseError::BadString(_))));
        assert!(Posix::version_1().has_version_1());
        let two = [[0; 16], Posix::VERSION_1].concat();
        assert!(Posix { ids: two.into() }.has_version_1());
        let shifted = [&[0][..], &Posix::VERSION_1].concat();
        assert!(
            !Posix {
                ids: shifted.into()
            }
            .has_version_1()
        );
    }
}
