//! QUERY_DIRECTORY, [MS-SMB2] 2.2.33 and 2.2.34.

use bitflags::bitflags;
use bytes::Bytes;

use super::{file_id, output};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, decode_utf16, len16, sub_slice, utf16_len};

bitflags! {
    /// Flags of a QUERY_DIRECTORY request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct QueryDirectoryFlags: u8 {
        /// SMB2_RESTART_SCANS: from the beginning, with the same pattern.
        const RESTART_SCANS = 0x01;
        /// SMB2_RETURN_SINGLE_ENTRY.
        const RETURN_SINGLE_ENTRY = 0x02;
        /// SMB2_INDEX_SPECIFIED: continue at FileIndex.
        const INDEX_SPECIFIED = 0x04;
        /// SMB2_REOPEN: from the beginning, with the pattern of this request.
        const REOPEN = 0x10;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 QUERY_DIRECTORY Request, [MS-SMB2] 2.2.33.
///
/// Body: StructureSize 33 (2 bytes), FileInformationClass (1), Flags (1), FileIndex (4), FileId
/// (16), FileNameOffset (2), FileNameLength (2), OutputBufferLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// FileInformationClass as received ([MS-FSCC] 2.4).
    pub file_information_class: u8,
    /// Flags.
    pub flags: QueryDirectoryFlags,
    /// FileIndex, where the flags say that it counts.
    pub file_index: u32,
    /// The open directory.
    pub file_id: FileId,
    /// FileName: the search pattern; empty for none.
    pub file_name: String,
    /// OutputBufferLength: most bytes that the response may carry.
    pub output_buffer_length: u32,
}

const REQUEST: &str = "SMB2 QUERY_DIRECTORY request";
const REQUEST_NAME: &str = "SMB2 QUERY_DIRECTORY request pattern";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 32;

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.33.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(33)?;
        let file_information_class = f.u8()?;
        let flags = QueryDirectoryFlags::from_bits_retain(f.u8()?);
        let file_index = f.u32()?;
        let file_id = file_id::read(&mut f)?;
        let offset = usize::from(f.u16()?);
        let len = usize::from(f.u16()?);
        let output_buffer_length = f.u32()?;
        let name = sub_slice(element, offset, len, REQUEST_BUFFER, REQUEST_NAME)?;
        Ok(Self {
            file_information_class,
            flags,
            file_index,
            file_id,
            file_name: decode_utf16(name, REQUEST_NAME)?,
            output_buffer_length,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(33);
        w.u8(self.file_information_class);
        w.u8(self.flags.bits());
        w.u32(self.file_index);
        file_id::write(self.file_id, w);
        w.u16(if self.file_name.is_empty() {
            0
        } else {
            len16(REQUEST_BUFFER)
        });
        w.u16(len16(utf16_len(&self.file_name)));
        w.u32(self.output_buffer_length);
        w.utf16(&self.file_name);
    }
}

/// SMB2 QUERY_DIRECTORY Response, [MS-SMB2] 2.2.34.
///
/// Body: StructureSize 9 (2 bytes), OutputBufferOffset (2), OutputBufferLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// The entries, laid out as the class of the request says ([MS-FSCC] 2.4).
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub output: Bytes,
}

const RESPONSE: &str = "SMB2 QUERY_DIRECTORY response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.34.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let output = output::parse(element, RESPONSE)?;
        Ok(Self { output })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        output::encode(&self.output, w);
    }

    /// Appends only the 8 bytes before the entries, for `len` bytes of them that the caller sends
    /// behind without copying.
    pub fn encode_fixed(len: usize, w: &mut Writer) {
        output::encode_fixed(len, w);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            (class, flags, file_index, output_buffer_length) in any::<(u8, u8, u32, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            file_name in ".{0,20}",
            output in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                file_information_class: class,
                flags: QueryDirectoryFlags::from_bits_retain(flags),
                file_index,
                file_id: FileId { persistent, volatile },
                file_name,
                output_buffer_length,
            };
            round_trip(&request, 32, Request::encode, Request::parse);
            let response = Response { output: output.into() };
            round_trip(&response, 8, Response::encode, Response::parse);
        }
    }

    #[test]
    fn known_bytes() {
        let request = Request {
            file_information_class: 37,
            flags: QueryDirectoryFlags::RESTART_SCANS,
            file_index: 0,
            file_id: FileId::RELATED,
            file_name: "*".into(),
            output_buffer_length: 65536,
        };
        let bytes = element(|w| request.encode(w));
        assert_eq!(
            &bytes[64..],
            b"\x21\0\x25\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
              \x60\0\x02\0\0\0\x01\0*\0"
        );
        let mut odd = bytes.to_vec();
        odd[90] = 1;
        assert_eq!(
            Request::parse(&odd.into()),
            Err(ParseError::BadString(REQUEST_NAME))
        );
    }
}
