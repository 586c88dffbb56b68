//! WRITE, [MS-SMB2] 2.2.21 and 2.2.22.

use bitflags::bitflags;
use bytes::Bytes;

use super::{Channel, file_id};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len16, len32, slice_of};

bitflags! {
    /// Flags of a WRITE request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct WriteFlags: u32 {
        /// SMB2_WRITEFLAG_WRITE_THROUGH: on storage before the response (2.1 and later).
        const WRITE_THROUGH = 0x0000_0001;
        /// SMB2_WRITEFLAG_WRITE_UNBUFFERED: past any cache (3.0.2 and later).
        const WRITE_UNBUFFERED = 0x0000_0002;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 WRITE Request, [MS-SMB2] 2.2.21.
///
/// Body: StructureSize 49 (2 bytes), DataOffset (2), Length (4), Offset (8), FileId (16), Channel
/// (4), RemainingBytes (4), WriteChannelInfoOffset (2), WriteChannelInfoLength (2), Flags (4),
/// buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Offset in the file.
    pub offset: u64,
    /// The open to write to.
    pub file_id: FileId,
    /// Channel.
    pub channel: Channel,
    /// RemainingBytes: with an SMB Direct channel the bytes to fetch from there; else what the
    /// client means to write after this request.
    pub remaining_bytes: u32,
    /// The channel information; empty unless [`Self::channel`] says otherwise.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub channel_info: Bytes,
    /// Flags.
    pub flags: WriteFlags,
    /// The data.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
}

const REQUEST: &str = "SMB2 WRITE request";
const REQUEST_INFO: &str = "SMB2 WRITE request channel information";
const REQUEST_DATA: &str = "SMB2 WRITE request data";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 48;
/// Where the data may begin at the latest, [MS-SMB2] 3.3.5.13.
const DATA_OFFSET_MAX: usize = 0x100;

impl Request {
    /// Reads the request. Data that is present must begin behind the fixed part and not after
    /// byte 256 of the element.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.21.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(49)?;
        let data_offset = usize::from(f.u16()?);
        let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(REQUEST_DATA))?;
        let offset = f.u64()?;
        let file_id = file_id::read(&mut f)?;
        let channel = Channel(f.u32()?);
        let remaining_bytes = f.u32()?;
        let info_offset = usize::from(f.u16()?);
        let info_len = usize::from(f.u16()?);
        let flags = WriteFlags::from_bits_retain(f.u32()?);
        if data_offset > DATA_OFFSET_MAX {
            return Err(ParseError::OutOfBounds(REQUEST_DATA));
        }
        Ok(Self {
            offset,
            file_id,
            channel,
            remaining_bytes,
            channel_info: slice_of(element, info_offset, info_len, REQUEST_BUFFER, REQUEST_INFO)?,
            flags,
            data: slice_of(element, data_offset, len, REQUEST_BUFFER, REQUEST_DATA)?,
        })
    }

    /// Appends the body: channel information, if any, before the data, or behind them where it is so
    /// long that the data would begin later than byte 256 (then the data have at most 65,000 bytes).
    pub fn encode(&self, w: &mut Writer) {
        let (data_len, info_len) = (self.data.len(), self.channel_info.len());
        let behind = data_len > 0 && REQUEST_BUFFER.saturating_add(info_len) > DATA_OFFSET_MAX;
        let (data_at, info_at) = match (data_len, info_len) {
            (_, 0) => (REQUEST_BUFFER, 0),
            (0, _) => (REQUEST_BUFFER, REQUEST_BUFFER),
            _ if behind => (REQUEST_BUFFER, REQUEST_BUFFER.saturating_add(data_len)),
            _ => (REQUEST_BUFFER.saturating_add(info_len), REQUEST_BUFFER),
        };
        w.u16(49);
        w.u16(len16(data_at));
        w.u32(len32(data_len));
        w.u64(self.offset);
        file_id::write(self.file_id, w);
        w.u32(self.channel.0);
        w.u32(self.remaining_bytes);
        w.u16(len16(info_at));
        w.u16(len16(info_len));
        w.u32(self.flags.bits());
        let (first, second) = if behind {
            (&self.data, &self.channel_info)
        } else {
            (&self.channel_info, &self.data)
        };
        w.bytes(first);
        w.bytes(second);
    }
}

/// SMB2 WRITE Response, [MS-SMB2] 2.2.22.
///
/// Body: StructureSize 17 (2 bytes), Reserved (2), Count (4), Remaining (4),
/// WriteChannelInfoOffset (2), WriteChannelInfoLength (2); the last three are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// Count: bytes written.
    pub count: u32,
}

const RESPONSE: &str = "SMB2 WRITE response";

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.22.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, RESPONSE)?;
        f.structure_size(17)?;
        f.skip(2)?;
        let count = f.u32()?;
        f.skip(8)?;
        Ok(Self { count })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(17);
        w.u16(0);
        w.u32(self.count);
        w.zeros(8);
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
            (persistent, volatile, offset) in any::<(u64, u64, u64)>(),
            (channel, remaining_bytes, flags) in any::<(u32, u32, u32)>(),
            info in prop::collection::vec(any::<u8>(), 0..300),
            data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                offset,
                file_id: FileId { persistent, volatile },
                channel: Channel(channel),
                remaining_bytes,
                channel_info: info.into(),
                flags: WriteFlags::from_bits_retain(flags),
                data: data.into(),
            };
            round_trip(&request, 48, Request::encode, Request::parse);
            let response = Response { count: flags };
            round_trip(&response, 16, Response::encode, Response::parse);
        }
    }

    #[test]
    fn data_begins_between_the_fixed_part_and_byte_256() {
        let request = Request {
            offset: 0,
            file_id: FileId::default(),
            channel: Channel::NONE,
            remaining_bytes: 0,
            channel_info: Bytes::new(),
            flags: WriteFlags::empty(),
            data: Bytes::from(vec![7; 300]),
        };
        let bytes = element(|w| request.encode(w));
        assert_eq!(Request::parse(&bytes).as_ref(), Ok(&request));
        for (offset, good) in [(111, false), (112, true), (0x100, true), (0x101, false)] {
            let mut moved = bytes.to_vec();
            moved[66..68].copy_from_slice(&u16::to_le_bytes(offset));
            moved[68..72].copy_from_slice(&9u32.to_le_bytes());
            assert_eq!(Request::parse(&moved.into()).is_ok(), good, "{offset}");
        }
    }

    #[test]
    fn data_is_not_copied() {
        let bytes = element(|w| {
            Request {
                offset: 0,
                file_id: FileId::default(),
                channel: Channel::NONE,
                remaining_bytes: 0,
                channel_info: Bytes::new(),
                flags: WriteFlags::empty(),
                data: Bytes::from_static(b"xyz"),
            }
            .encode(w);
        });
        let request = Request::parse(&bytes).unwrap();
        assert_eq!(request.data.as_ptr(), bytes[112..].as_ptr());
    }
}
