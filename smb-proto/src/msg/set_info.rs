//! SET_INFO, [MS-SMB2] 2.2.39 and 2.2.40.

use bytes::Bytes;

use super::file_id;
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len16, len32, slice_of};

/// SMB2 SET_INFO Request, [MS-SMB2] 2.2.39.
///
/// Body: StructureSize 33 (2 bytes), InfoType (1), FileInfoClass (1), BufferLength (4),
/// BufferOffset (2), Reserved (2), AdditionalInformation (4), FileId (16), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// InfoType as received; see [`InfoType::from_code`](crate::info::InfoType::from_code).
    pub info_type: u8,
    /// FileInfoClass as received.
    pub file_info_class: u8,
    /// AdditionalInformation: for a security descriptor its parts (SECURITY_INFORMATION).
    pub additional_information: u32,
    /// The open to change.
    pub file_id: FileId,
    /// The information, laid out as type and class say.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub buffer: Bytes,
}

const REQUEST: &str = "SMB2 SET_INFO request";
const REQUEST_DATA: &str = "SMB2 SET_INFO request buffer";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 32;

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.39.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(33)?;
        let info_type = f.u8()?;
        let file_info_class = f.u8()?;
        let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(REQUEST_DATA))?;
        let offset = usize::from(f.u16()?);
        f.skip(2)?;
        Ok(Self {
            info_type,
            file_info_class,
            additional_information: f.u32()?,
            file_id: file_id::read(&mut f)?,
            buffer: slice_of(element, offset, len, REQUEST_BUFFER, REQUEST_DATA)?,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(33);
        w.u8(self.info_type);
        w.u8(self.file_info_class);
        w.u32(len32(self.buffer.len()));
        w.u16(len16(REQUEST_BUFFER));
        w.u16(0);
        w.u32(self.additional_information);
        file_id::write(self.file_id, w);
        w.bytes(&self.buffer);
    }
}

/// SMB2 SET_INFO Response, [MS-SMB2] 2.2.40. Body: StructureSize 2 (2 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response;

const RESPONSE: &str = "SMB2 SET_INFO response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.40.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        Fields::at(element, HEADER_LEN, RESPONSE)?.structure_size(2)?;
        Ok(Self)
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(2);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::round_trip;
    use super::*;

    proptest! {
        #[test]
        fn requests(
            (info_type, class, additional_information) in any::<(u8, u8, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            buffer in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                info_type,
                file_info_class: class,
                additional_information,
                file_id: FileId { persistent, volatile },
                buffer: buffer.into(),
            };
            round_trip(&request, 32, Request::encode, Request::parse);
        }
    }

    #[test]
    fn response() {
        let bytes = round_trip(&Response, 2, Response::encode, Response::parse);
        assert_eq!(&bytes[64..], b"\x02\0");
    }
}
