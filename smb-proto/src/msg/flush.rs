//! FLUSH, [MS-SMB2] 2.2.17 and 2.2.18.

use bytes::Bytes;

use super::empty::empty_body;
use super::file_id;
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer};

/// SMB2 FLUSH Request, [MS-SMB2] 2.2.17.
///
/// Body: StructureSize 24 (2 bytes), Reserved1 (2), Reserved2 (4), FileId (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Reserved1: zero, except that macOS sends 0xFFFF where it wants the data on stable storage
    /// (its F_FULLFSYNC) rather than only handed to the file system.
    pub reserved1: u16,
    /// The open to flush.
    pub file_id: FileId,
}

const REQUEST: &str = "SMB2 FLUSH request";

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.17.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(24)?;
        let reserved1 = f.u16()?;
        f.skip(4)?;
        Ok(Self {
            reserved1,
            file_id: file_id::read(&mut f)?,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(24);
        w.u16(self.reserved1);
        w.u32(0);
        file_id::write(self.file_id, w);
    }
}

empty_body! {
    /// SMB2 FLUSH Response, [MS-SMB2] 2.2.18.
    Response, "SMB2 FLUSH response"
}

#[cfg(test)]
mod tests {
    use super::super::test_util::round_trip;
    use super::*;

    #[test]
    fn bodies() {
        let request = Request {
            reserved1: 0xffff,
            file_id: FileId {
                persistent: 0x0102_0304_0506_0708,
                volatile: 9,
            },
        };
        let bytes = round_trip(&request, 24, Request::encode, Request::parse);
        assert_eq!(
            &bytes[64..],
            b"\x18\0\xff\xff\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0"
        );
        let bytes = round_trip(&Response, 4, Response::encode, Response::parse);
        assert_eq!(&bytes[64..], b"\x04\0\0\0");
    }
}
