//! QUERY_INFO, [MS-SMB2] 2.2.37 and 2.2.38.

use bitflags::bitflags;
use bytes::Bytes;

use super::{file_id, output};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len16, len32, slice_of};

bitflags! {
    /// Flags of a QUERY_INFO request; they count for extended attributes only.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct QueryInfoFlags: u32 {
        /// SL_RESTART_SCAN.
        const RESTART_SCAN = 0x0000_0001;
        /// SL_RETURN_SINGLE_ENTRY.
        const RETURN_SINGLE_ENTRY = 0x0000_0002;
        /// SL_INDEX_SPECIFIED.
        const INDEX_SPECIFIED = 0x0000_0004;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 QUERY_INFO Request, [MS-SMB2] 2.2.37.
///
/// Body: StructureSize 41 (2 bytes), InfoType (1), FileInfoClass (1), OutputBufferLength (4),
/// InputBufferOffset (2), Reserved (2), InputBufferLength (4), AdditionalInformation (4), Flags
/// (4), FileId (16), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// InfoType as received; see [`InfoType::from_code`](crate::info::InfoType::from_code).
    pub info_type: u8,
    /// FileInfoClass as received.
    pub file_info_class: u8,
    /// OutputBufferLength: most bytes that the response may carry.
    pub output_buffer_length: u32,
    /// AdditionalInformation: for a security descriptor its parts (SECURITY_INFORMATION), for
    /// extended attributes with [`QueryInfoFlags::INDEX_SPECIFIED`] the index of the first.
    pub additional_information: u32,
    /// Flags.
    pub flags: QueryInfoFlags,
    /// The open to ask about.
    pub file_id: FileId,
    /// The input buffer: a list of EA names, a quota query, or a name to normalize; else empty.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub input: Bytes,
}

const REQUEST: &str = "SMB2 QUERY_INFO request";
const REQUEST_INPUT: &str = "SMB2 QUERY_INFO request input";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 40;

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.37.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(41)?;
        let info_type = f.u8()?;
        let file_info_class = f.u8()?;
        let output_buffer_length = f.u32()?;
        let offset = usize::from(f.u16()?);
        f.skip(2)?;
        let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(REQUEST_INPUT))?;
        Ok(Self {
            info_type,
            file_info_class,
            output_buffer_length,
            additional_information: f.u32()?,
            flags: QueryInfoFlags::from_bits_retain(f.u32()?),
            file_id: file_id::read(&mut f)?,
            input: slice_of(element, offset, len, REQUEST_BUFFER, REQUEST_INPUT)?,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(41);
        w.u8(self.info_type);
        w.u8(self.file_info_class);
        w.u32(self.output_buffer_length);
        w.u16(if self.input.is_empty() {
            0
        } else {
            len16(REQUEST_BUFFER)
        });
        w.u16(0);
        w.u32(len32(self.input.len()));
        w.u32(self.additional_information);
        w.u32(self.flags.bits());
        file_id::write(self.file_id, w);
        w.bytes(&self.input);
    }
}

/// SMB2 QUERY_INFO Response, [MS-SMB2] 2.2.38.
///
/// Body: StructureSize 9 (2 bytes), OutputBufferOffset (2), OutputBufferLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// The information, laid out as type and class of the request say.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub output: Bytes,
}

const RESPONSE: &str = "SMB2 QUERY_INFO response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.38.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let output = output::parse(element, RESPONSE)?;
        Ok(Self { output })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        output::encode(&self.output, w);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element_of, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            (info_type, class, output_buffer_length) in any::<(u8, u8, u32)>(),
            (additional_information, flags) in any::<(u32, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            payload in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                info_type,
                file_info_class: class,
                output_buffer_length,
                additional_information,
                flags: QueryInfoFlags::from_bits_retain(flags),
                file_id: FileId { persistent, volatile },
                input: payload.clone().into(),
            };
            round_trip(&request, 40, Request::encode, Request::parse);
            let response = Response { output: payload.into() };
            round_trip(&response, 8, Response::encode, Response::parse);
        }
    }

    #[test]
    fn output_stays_behind_the_fixed_part() {
        let good = element_of(b"\x09\0\x48\0\x01\0\0\0x");
        assert_eq!(&Response::parse(&good).unwrap().output[..], b"x");
        let bad = element_of(b"\x09\0\x47\0\x01\0\0\0x");
        assert_eq!(
            Response::parse(&bad),
            Err(ParseError::OutOfBounds(RESPONSE))
        );
    }
}
