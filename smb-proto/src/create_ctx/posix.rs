//! SMB2_CREATE_POSIX, the create context of the SMB3 POSIX extensions.
//!
//! It is in no Microsoft document; the layout is that of the extensions as Samba, the Linux client
//! and Linux's in-kernel server speak them.

use bytes::Bytes;

use super::{RawContext, pack};
use crate::ParseError;
use crate::wire::{Fields, Writer, slice_of};

const NAME: &[u8] = b"\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C";

/// Asks for an open with POSIX semantics, and gives the permissions of a new file.
///
/// Layout: Mode (4). Early clients append four reserved bytes, so that more data is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PosixRequest {
    /// Permission bits of a file that is created, `0o7777` at most.
    pub mode: u32,
}

impl PosixRequest {
    /// The context's name.
    pub const NAME: &'static [u8] = NAME;

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        Ok(Self {
            mode: Fields::new(data, "SMB2_CREATE_POSIX request").u32()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.mode);
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// The open has POSIX semantics.
///
/// Layout: HardLinks (4), ReparseTag (4), Mode (4), owner SID (variable), group SID (variable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PosixResponse {
    /// Number of hard links.
    pub nlink: u32,
    /// Reparse tag, or 0.
    pub reparse_tag: u32,
    /// Permission bits.
    pub mode: u32,
    /// The owner: a SID in the binary form of [MS-DTYP] 2.4.2.2.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub owner: Bytes,
    /// The group: a SID in the same form.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub group: Bytes,
}

impl PosixResponse {
    /// The context's name.
    pub const NAME: &'static [u8] = NAME;

    const WHAT: &'static str = "SMB2_CREATE_POSIX response";

    /// Reads the data of the context. The SIDs are delimited, not looked into.
    pub fn parse(data: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, Self::WHAT);
        let nlink = f.u32()?;
        let reparse_tag = f.u32()?;
        let mode = f.u32()?;
        let mut sid = || {
            let start = f.position();
            // Revision (1), SubAuthorityCount (1), IdentifierAuthority (6), SubAuthority (4 each)
            f.u8()?;
            let count = usize::from(f.u8()?);
            let len = count.saturating_mul(4).saturating_add(8);
            f.skip(len.saturating_sub(2))?;
            slice_of(data, start, len, 0, Self::WHAT)
        };
        let owner = sid()?;
        let group = sid()?;
        Ok(Self {
            nlink,
            reparse_tag,
            mode,
            owner,
            group,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.nlink);
        w.u32(self.reparse_tag);
        w.u32(self.mode);
        w.bytes(&self.owner);
        w.bytes(&self.group);
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn request() {
        let value = PosixRequest { mode: 0o644 };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| PosixRequest::parse(b));
        assert_eq!(
            PosixRequest::parse(&hex("a4010000 00000000")),
            Ok(PosixRequest { mode: 0o644 })
        );
    }

    fn sid() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u32>(), 0..5).prop_map(|subs| {
            let mut b = vec![1, subs.len() as u8, 0, 0, 0, 0, 0, 5];
            b.extend(subs.iter().flat_map(|s| s.to_le_bytes()));
            b.into()
        })
    }

    proptest! {
        #[test]
        fn response(nlink: u32, reparse_tag: u32, mode: u32, owner in sid(), group in sid()) {
            let value = PosixResponse { nlink, reparse_tag, mode, owner, group };
            round_trip_fixed(&value, |v, w| v.encode(w), PosixResponse::parse);
        }
    }
}
