//! CLOSE, [MS-SMB2] 2.2.15 and 2.2.16.

use bitflags::bitflags;
use bytes::Bytes;

use super::file_id;
use crate::ParseError;
use crate::dtyp::FileTime;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::info::FileAttributes;
use crate::wire::{Fields, Writer};

bitflags! {
    /// Flags of a CLOSE request and response.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct CloseFlags: u16 {
        /// SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: the attribute fields of the response are asked for
        /// (request) or valid (response).
        const POSTQUERY_ATTRIB = 0x0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 CLOSE Request, [MS-SMB2] 2.2.15.
///
/// Body: StructureSize 24 (2 bytes), Flags (2), Reserved (4), FileId (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Flags.
    pub flags: CloseFlags,
    /// The open to close.
    pub file_id: FileId,
}

const REQUEST: &str = "SMB2 CLOSE request";

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.15.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(24)?;
        let flags = CloseFlags::from_bits_retain(f.u16()?);
        f.skip(4)?;
        Ok(Self {
            flags,
            file_id: file_id::read(&mut f)?,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(24);
        w.u16(self.flags.bits());
        w.u32(0);
        file_id::write(self.file_id, w);
    }
}

/// SMB2 CLOSE Response, [MS-SMB2] 2.2.16. All fields are zero unless the flags say that they are
/// valid.
///
/// Body: StructureSize 60 (2 bytes), Flags (2), Reserved (4), four times (8 each), AllocationSize
/// (8), EndofFile (8), FileAttributes (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// Flags.
    pub flags: CloseFlags,
    /// CreationTime.
    pub creation_time: FileTime,
    /// LastAccessTime.
    pub last_access_time: FileTime,
    /// LastWriteTime.
    pub last_write_time: FileTime,
    /// ChangeTime.
    pub change_time: FileTime,
    /// AllocationSize in bytes.
    pub allocation_size: u64,
    /// EndofFile in bytes.
    pub end_of_file: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
}

const RESPONSE: &str = "SMB2 CLOSE response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.16.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, RESPONSE)?;
        f.structure_size(60)?;
        let flags = CloseFlags::from_bits_retain(f.u16()?);
        f.skip(4)?;
        Ok(Self {
            flags,
            creation_time: f.filetime()?,
            last_access_time: f.filetime()?,
            last_write_time: f.filetime()?,
            change_time: f.filetime()?,
            allocation_size: f.u64()?,
            end_of_file: f.u64()?,
            file_attributes: FileAttributes::from_bits_retain(f.u32()?),
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(60);
        w.u16(self.flags.bits());
        w.u32(0);
        w.filetime(self.creation_time);
        w.filetime(self.last_access_time);
        w.filetime(self.last_write_time);
        w.filetime(self.change_time);
        w.u64(self.allocation_size);
        w.u64(self.end_of_file);
        w.u32(self.file_attributes.bits());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            flags: u16,
            (persistent, volatile) in any::<(u64, u64)>(),
            times in any::<[u64; 4]>(),
            (allocation_size, end_of_file, attributes) in any::<(u64, u64, u32)>(),
        ) {
            let flags = CloseFlags::from_bits_retain(flags);
            let request = Request { flags, file_id: FileId { persistent, volatile } };
            round_trip(&request, 24, Request::encode, Request::parse);
            let response = Response {
                flags,
                creation_time: FileTime(times[0]),
                last_access_time: FileTime(times[1]),
                last_write_time: FileTime(times[2]),
                change_time: FileTime(times[3]),
                allocation_size,
                end_of_file,
                file_attributes: FileAttributes::from_bits_retain(attributes),
            };
            let bytes = round_trip(&response, 60, Response::encode, Response::parse);
            prop_assert_eq!(bytes.len(), 64 + 60);
        }
    }

    /// Sent by Samba 4.17.
    #[test]
    fn a_captured_response() {
        let body = hex("\
            3c000100000000000dfecf12807add01d07ed112807add019f3cd112807add019f3cd112
            807add0100100000000000007c0100000000000020000000");
        let response = Response::parse(&element_of(&body)).unwrap();
        assert_eq!(
            response,
            Response {
                flags: CloseFlags::POSTQUERY_ATTRIB,
                creation_time: FileTime(0x01dd_7a80_12cf_fe0d),
                last_access_time: FileTime(0x01dd_7a80_12d1_7ed0),
                last_write_time: FileTime(0x01dd_7a80_12d1_3c9f),
                change_time: FileTime(0x01dd_7a80_12d1_3c9f),
                allocation_size: 4096,
                end_of_file: 380,
                file_attributes: FileAttributes::ARCHIVE,
            }
        );
        assert_eq!(element(|w| response.encode(w))[64..], body);
    }
}
