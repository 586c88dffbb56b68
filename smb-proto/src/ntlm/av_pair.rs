use bitflags::bitflags;
use bytes::Bytes;

use crate::wire::{Fields, Writer, decode_utf16, encode_utf16, len16};
use crate::{FileTime, ParseError};

const WHAT: &str = "AV_PAIR list";

/// Most pairs that are read from one list; the specification names ten.
const MAX_PAIRS: usize = 32;

/// AvId of an AV_PAIR, [MS-NLMP] 2.2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AvId(pub u16);

impl AvId {
    /// MsvAvEOL: the end of a list. Never in [`AvPairs`].
    pub const EOL: Self = Self(0);
    /// MsvAvNbComputerName, text: NetBIOS name of the server.
    pub const NB_COMPUTER_NAME: Self = Self(1);
    /// MsvAvNbDomainName, text: NetBIOS name of the server's domain.
    pub const NB_DOMAIN_NAME: Self = Self(2);
    /// MsvAvDnsComputerName, text.
    pub const DNS_COMPUTER_NAME: Self = Self(3);
    /// MsvAvDnsDomainName, text.
    pub const DNS_DOMAIN_NAME: Self = Self(4);
    /// MsvAvDnsTreeName, text: DNS name of the forest.
    pub const DNS_TREE_NAME: Self = Self(5);
    /// MsvAvFlags, 4 bytes: [`AvFlags`].
    pub const FLAGS: Self = Self(6);
    /// MsvAvTimestamp, 8 bytes: FILETIME of the server.
    pub const TIMESTAMP: Self = Self(7);
    /// MsvAvSingleHost: Single_Host_Data, [MS-NLMP] 2.2.2.2.
    pub const SINGLE_HOST: Self = Self(8);
    /// MsvAvTargetName, text: SPN of the server, as the client knows it.
    pub const TARGET_NAME: Self = Self(9);
    /// MsvAvChannelBindings, 16 bytes: MD5 of the channel bindings.
    pub const CHANNEL_BINDINGS: Self = Self(10);
}

bitflags! {
    /// Value of MsvAvFlags, [MS-NLMP] 2.2.2.1.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AvFlags: u32 {
        /// The account authentication is constrained.
        const CONSTRAINED = 1;
        /// The AUTHENTICATE_MESSAGE has a MIC.
        const MIC_PROVIDED = 2;
        /// The SPN of MsvAvTargetName is from an untrusted source.
        const UNTRUSTED_SPN = 4;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// AV_PAIR, [MS-NLMP] 2.2.2.1: AvId (2 bytes), AvLen (2 bytes), Value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AvPair {
    /// What the value is.
    pub id: AvId,
    /// The value as on the wire.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub value: Bytes,
}

/// A list of AV_PAIR structures without the MsvAvEOL at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AvPairs(pub Vec<AvPair>);

impl AvPairs {
    /// Reads a list up to its MsvAvEOL; what follows that is ignored.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] if the list has no end, [`ParseError::TooMany`] beyond 32 pairs.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, WHAT);
        let mut pairs = Vec::new();
        for _ in 0..=MAX_PAIRS {
            let id = AvId(f.u16()?);
            let len = usize::from(f.u16()?);
            if id == AvId::EOL {
                return Ok(Self(pairs));
            }
            let value = bytes.slice_ref(f.bytes(len)?);
            pairs.push(AvPair { id, value });
        }
        Err(ParseError::TooMany(WHAT))
    }

    /// Appends the list and its MsvAvEOL.
    pub fn encode(&self, w: &mut Writer) {
        for pair in &self.0 {
            w.u16(pair.id.0);
            w.u16(len16(pair.value.len()));
            w.bytes(&pair.value);
        }
        w.u32(0);
    }

    /// The value of the first pair with this id.
    #[must_use]
    pub fn get(&self, id: AvId) -> Option<&Bytes> {
        self.0.iter().find(|p| p.id == id).map(|p| &p.value)
    }

    /// The text of the first pair with this id; `None` if there is none or it is not UTF-16LE.
    #[must_use]
    pub fn text(&self, id: AvId) -> Option<String> {
        decode_utf16(self.get(id)?, WHAT).ok()
    }

    /// MsvAvFlags; empty if the list has none.
    #[must_use]
    pub fn flags(&self) -> AvFlags {
        let value = self.get(AvId::FLAGS).and_then(|v| v[..].try_into().ok());
        AvFlags::from_bits_retain(value.map_or(0, u32::from_le_bytes))
    }

    /// MsvAvTimestamp.
    #[must_use]
    pub fn timestamp(&self) -> Option<FileTime> {
        let value = self.get(AvId::TIMESTAMP)?[..].try_into().ok()?;
        Some(FileTime(u64::from_le_bytes(value)))
    }

    /// Replaces the value of the first pair with this id, or appends the pair.
    pub fn set(&mut self, id: AvId, value: Bytes) {
        match self.0.iter_mut().find(|p| p.id == id) {
            Some(pair) => pair.value = value,
            None => self.0.push(AvPair { id, value }),
        }
    }

    /// [`Self::set`] with text.
    pub fn set_text(&mut self, id: AvId, text: &str) {
        self.set(id, encode_utf16(text).into());
    }

    /// [`Self::set`] for MsvAvFlags.
    pub fn set_flags(&mut self, flags: AvFlags) {
        self.set(
            AvId::FLAGS,
            Bytes::copy_from_slice(&flags.bits().to_le_bytes()),
        );
    }

    /// [`Self::set`] for MsvAvTimestamp.
    pub fn set_timestamp(&mut self, time: FileTime) {
        self.set(
            AvId::TIMESTAMP,
            Bytes::copy_from_slice(&time.0.to_le_bytes()),
        );
    }

    /// The list as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.into_inner().freeze()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        /// Any list that can be sent.
        pub(in crate::ntlm) fn av_pairs()(
            pairs in prop::collection::vec(
                (1..20u16, prop::collection::vec(any::<u8>(), 0..30)),
                0..6,
            )
        ) -> AvPairs {
            AvPairs(
                pairs
                    .into_iter()
                    .map(|(id, value)| AvPair { id: AvId(id), value: value.into() })
                    .collect(),
            )
        }
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(pairs in av_pairs()) {
            let bytes = pairs.to_bytes();
            prop_assert_eq!(AvPairs::parse(&bytes), Ok(pairs));
            for n in 0..bytes.len() {
                prop_assert_eq!(
                    AvPairs::parse(&bytes.slice(..n)),
                    Err(ParseError::Truncated(WHAT))
                );
            }
        }
    }

    #[test]
    fn values() {
        let mut pairs = AvPairs::default();
        assert_eq!(pairs.flags(), AvFlags::empty());
        assert_eq!(pairs.timestamp(), None);
        assert_eq!(pairs.text(AvId::TARGET_NAME), None);
        pairs.set_flags(AvFlags::CONSTRAINED);
        pairs.set_flags(AvFlags::MIC_PROVIDED);
        pairs.set_timestamp(FileTime(77));
        pairs.set_text(AvId::TARGET_NAME, "cifs/höst");
        assert_eq!(pairs.0.len(), 3);
        assert_eq!(pairs.flags(), AvFlags::MIC_PROVIDED);
        assert_eq!(pairs.timestamp(), Some(FileTime(77)));
        assert_eq!(pairs.text(AvId::TARGET_NAME).as_deref(), Some("cifs/höst"));
        pairs.set(AvId::FLAGS, Bytes::from_static(&[2, 0, 0]));
        pairs.set(AvId::TIMESTAMP, Bytes::from_static(&[2, 0, 0]));
        pairs.set(AvId::TARGET_NAME, Bytes::from_static(&[2, 0, 0]));
        assert_eq!(pairs.flags(), AvFlags::empty());
        assert_eq!(pairs.timestamp(), None);
        assert_eq!(pairs.text(AvId::TARGET_NAME), None);
    }

    #[test]
    fn bounded() {
        let pair = [9, 0, 0, 0];
        let mut list = pair.repeat(MAX_PAIRS);
        list.extend([0; 4]);
        assert_eq!(AvPairs::parse(&list.into()).unwrap().0.len(), MAX_PAIRS);
        let mut list = pair.repeat(MAX_PAIRS + 1);
        list.extend([0; 4]);
        assert_eq!(AvPairs::parse(&list.into()), Err(ParseError::TooMany(WHAT)));
    }
}
