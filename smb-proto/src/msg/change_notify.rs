//! CHANGE_NOTIFY, [MS-SMB2] 2.2.35 and 2.2.36.

use bitflags::bitflags;
use bytes::Bytes;

use super::{file_id, output};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer};

bitflags! {
    /// Flags of a CHANGE_NOTIFY request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ChangeNotifyFlags: u16 {
        /// SMB2_WATCH_TREE: also everything below the directory.
        const WATCH_TREE = 0x0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// CompletionFilter: which changes to report.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct CompletionFilter: u32 {
        /// FILE_NOTIFY_CHANGE_FILE_NAME: a file was created, deleted or renamed.
        const FILE_NAME = 0x0000_0001;
        /// FILE_NOTIFY_CHANGE_DIR_NAME: a directory was created, deleted or renamed.
        const DIR_NAME = 0x0000_0002;
        /// FILE_NOTIFY_CHANGE_ATTRIBUTES.
        const ATTRIBUTES = 0x0000_0004;
        /// FILE_NOTIFY_CHANGE_SIZE.
        const SIZE = 0x0000_0008;
        /// FILE_NOTIFY_CHANGE_LAST_WRITE.
        const LAST_WRITE = 0x0000_0010;
        /// FILE_NOTIFY_CHANGE_LAST_ACCESS.
        const LAST_ACCESS = 0x0000_0020;
        /// FILE_NOTIFY_CHANGE_CREATION.
        const CREATION = 0x0000_0040;
        /// FILE_NOTIFY_CHANGE_EA.
        const EA = 0x0000_0080;
        /// FILE_NOTIFY_CHANGE_SECURITY.
        const SECURITY = 0x0000_0100;
        /// FILE_NOTIFY_CHANGE_STREAM_NAME: a named stream was added, deleted or renamed.
        const STREAM_NAME = 0x0000_0200;
        /// FILE_NOTIFY_CHANGE_STREAM_SIZE.
        const STREAM_SIZE = 0x0000_0400;
        /// FILE_NOTIFY_CHANGE_STREAM_WRITE.
        const STREAM_WRITE = 0x0000_0800;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 CHANGE_NOTIFY Request, [MS-SMB2] 2.2.35.
///
/// Body: StructureSize 32 (2 bytes), Flags (2), OutputBufferLength (4), FileId (16),
/// CompletionFilter (4), Reserved (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Flags.
    pub flags: ChangeNotifyFlags,
    /// OutputBufferLength: most bytes that the response may carry.
    pub output_buffer_length: u32,
    /// The open directory.
    pub file_id: FileId,
    /// CompletionFilter.
    pub completion_filter: CompletionFilter,
}

const REQUEST: &str = "SMB2 CHANGE_NOTIFY request";

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.35.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(32)?;
        let flags = ChangeNotifyFlags::from_bits_retain(f.u16()?);
        let output_buffer_length = f.u32()?;
        let file_id = file_id::read(&mut f)?;
        let completion_filter = CompletionFilter::from_bits_retain(f.u32()?);
        f.skip(4)?;
        Ok(Self {
            flags,
            output_buffer_length,
            file_id,
            completion_filter,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(32);
        w.u16(self.flags.bits());
        w.u32(self.output_buffer_length);
        file_id::write(self.file_id, w);
        w.u32(self.completion_filter.bits());
        w.u32(0);
    }
}

/// SMB2 CHANGE_NOTIFY Response, [MS-SMB2] 2.2.36.
///
/// Body: StructureSize 9 (2 bytes), OutputBufferOffset (2), OutputBufferLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// FILE_NOTIFY_INFORMATION entries, see [`crate::info::notify`]; empty with
    /// STATUS_NOTIFY_ENUM_DIR.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub output: Bytes,
}

const RESPONSE: &str = "SMB2 CHANGE_NOTIFY response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.36.
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
            (flags, filter, output_buffer_length) in any::<(u16, u32, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            output in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                flags: ChangeNotifyFlags::from_bits_retain(flags),
                output_buffer_length,
                file_id: FileId { persistent, volatile },
                completion_filter: CompletionFilter::from_bits_retain(filter),
            };
            round_trip(&request, 32, Request::encode, Request::parse);
            let response = Response { output: output.into() };
            round_trip(&response, 8, Response::encode, Response::parse);
        }
    }

    #[test]
    fn an_empty_response_may_look_like_an_error_body() {
        let bytes = element_of(b"\x09\0\0\0\0\0\0\0\0");
        assert_eq!(Response::parse(&bytes).unwrap().output, Bytes::new());
    }
}
