//! FSCTL_GET_OBJECT_ID, FSCTL_CREATE_OR_GET_OBJECT_ID, FSCTL_SET_OBJECT_ID and the extended part.

use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer};

/// FILE_OBJECTID_BUFFER, [MS-FSCC] 2.1.3.
///
/// Layout: ObjectId (16), then 48 bytes: BirthVolumeId, BirthObjectId and DomainId (type 1), or
/// anything the application put there (type 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileObjectId {
    /// Identifies the file on its volume.
    pub object_id: Guid,
    /// The rest: three GUIDs, or data of the application.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub extended_info: [u8; 48],
}

impl FileObjectId {
    /// A buffer of type 1.
    #[must_use]
    pub fn with_birth(
        object_id: Guid,
        birth_volume_id: Guid,
        birth_object_id: Guid,
        domain_id: Guid,
    ) -> Self {
        let mut extended_info = [0; 48];
        let parts = [birth_volume_id, birth_object_id, domain_id];
        for (place, part) in extended_info.chunks_exact_mut(16).zip(parts) {
            place.copy_from_slice(&part.to_bytes());
        }
        Self {
            object_id,
            extended_info,
        }
    }

    /// Reads the buffer.
    pub fn parse(buffer: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(buffer, "FILE_OBJECTID_BUFFER");
        Ok(Self {
            object_id: f.guid()?,
            extended_info: f.array()?,
        })
    }

    /// Writes the buffer, 64 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.guid(self.object_id);
        w.bytes(&self.extended_info);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed, written};

    /// Sent by Samba.
    #[test]
    fn real_answer() {
        let id =
            Guid::from_bytes(*b"\x00\xfe\x00\x00\x00\x00\x00\x00\x14\x40\x9b\x00\x00\x00\x00\x00");
        let volume =
            Guid::from_bytes(*b"\x23\xf3\x39\xc3\xd6\x70\x95\xea\xcb\x02\x51\xcf\xca\xe5\xbc\x5b");
        let value = FileObjectId::with_birth(id, volume, id, Guid::NIL);
        let bytes = hex(
            "00fe00000000000014409b0000000000 23f339c3d67095eacb0251cfcae5bc5b
             00fe00000000000014409b0000000000 00000000000000000000000000000000",
        );
        assert_eq!(FileObjectId::parse(&bytes), Ok(value));
        assert_eq!(written(|w| value.encode(w)), bytes);
        round_trip_fixed(&value, |v, w| v.encode(w), |b| FileObjectId::parse(b));
    }
}
