//! REPARSE_DATA_BUFFER and REPARSE_GUID_DATA_BUFFER, [MS-FSCC] 2.1.2.2 and 2.1.2.3.

use bytes::Bytes;

use super::ReparseTag;
use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, len16, slice_of};

/// A reparse point as it is stored, its data not looked at.
///
/// Layout: ReparseTag (4), ReparseDataLength (2), Reserved (2), ReparseGuid (16, in the second form
/// only), DataBuffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ReparseDataBuffer {
    /// What the data is.
    pub tag: ReparseTag,
    /// The owner of a tag that is not Microsoft's.
    pub guid: Option<Guid>,
    /// The data, less than 64 KiB.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
}

impl ReparseDataBuffer {
    /// MAXIMUM_REPARSE_DATA_BUFFER_SIZE: bytes that a buffer may have with its header.
    pub const LEN_MAX: usize = 16 * 1024;

    const HEADER: usize = 8;
    const HEADER_GUID: usize = 24;
    const WHAT: &'static str = "REPARSE_DATA_BUFFER";

    /// Reads the buffer. Which of the two forms it has follows from its length, as file systems
    /// judge it ([MS-FSA] 2.1.5.10, FSCTL_SET_REPARSE_POINT).
    ///
    /// # Errors
    ///
    /// [`ParseError::BadStructure`] if the length fits neither form.
    pub fn parse(buffer: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(buffer, Self::WHAT);
        let tag = ReparseTag(f.u32()?);
        let len = usize::from(f.u16()?);
        f.u16()?; // Reserved
        let rest = buffer.len().saturating_sub(len);
        let guid = if rest == Self::HEADER {
            None
        } else if rest == Self::HEADER_GUID {
            Some(f.guid()?)
        } else {
            return Err(ParseError::BadStructure(Self::WHAT));
        };
        Ok(Self {
            tag,
            guid,
            data: slice_of(buffer, f.position(), len, 0, Self::WHAT)?,
        })
    }

    /// Writes the buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.tag.0);
        w.u16(len16(self.data.len()));
        w.u16(0);
        if let Some(guid) = self.guid {
            w.guid(guid);
        }
        w.bytes(&self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip};
    use proptest::prelude::*;

    #[test]
    fn the_length_must_fit() {
        let ok = hex("0c0000a0 0200 0000 aabb");
        assert_eq!(ReparseDataBuffer::parse(&ok).unwrap().data, hex("aabb"));
        for bad in ["0c0000a0 0300 0000 aabb", "0c0000a0 0100 0000 aabb"] {
            assert!(matches!(
                ReparseDataBuffer::parse(&hex(bad)),
                Err(ParseError::BadStructure(_))
            ));
        }
    }

    proptest! {
        #[test]
        fn round_trips(tag: u32, guid: Option<[u8; 16]>, data in prop::collection::vec(any::<u8>(), 0..40)) {
            let value = ReparseDataBuffer {
                tag: ReparseTag(tag),
                guid: guid.map(Guid::from_bytes),
                data: data.into(),
            };
            let bytes = round_trip(&value, |v, w| v.encode(w), ReparseDataBuffer::parse);
            for len in 0..bytes.len() {
                // with a GUID that is cut off whole, the rest can be of the other form
                let part = ReparseDataBuffer::parse(&bytes.slice(..len));
                prop_assert!(part.is_err() || (guid.is_some() && len + 16 == bytes.len()));
            }
        }
    }
}
