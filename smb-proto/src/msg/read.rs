//! READ, [MS-SMB2] 2.2.19 and 2.2.20.

use bitflags::bitflags;
use bytes::Bytes;

use super::{Channel, file_id};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len16, len32, slice_of};

bitflags! {
    /// Flags of a READ request (3.0.2 and later).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ReadFlags: u8 {
        /// SMB2_READFLAG_READ_UNBUFFERED: read from storage, past any cache.
        const READ_UNBUFFERED = 0x01;
        /// SMB2_READFLAG_REQUEST_COMPRESSED: the response may be compressed (3.1.1).
        const REQUEST_COMPRESSED = 0x02;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 READ Request, [MS-SMB2] 2.2.19.
///
/// Body: StructureSize 49 (2 bytes), Padding (1), Flags (1), Length (4), Offset (8), FileId (16),
/// MinimumCount (4), Channel (4), RemainingBytes (4), ReadChannelInfoOffset (2),
/// ReadChannelInfoLength (2), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Padding: where in the response the client would like the data, counted from the SMB2
    /// header. Not binding.
    pub padding: u8,
    /// Flags.
    pub flags: ReadFlags,
    /// Length: bytes to read.
    pub length: u32,
    /// Offset in the file.
    pub offset: u64,
    /// The open to read from.
    pub file_id: FileId,
    /// MinimumCount: with fewer bytes than this the server answers an error.
    pub minimum_count: u32,
    /// Channel.
    pub channel: Channel,
    /// RemainingBytes that the client means to read after this request.
    pub remaining_bytes: u32,
    /// The channel information; empty unless [`Self::channel`] says otherwise.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub channel_info: Bytes,
}

const REQUEST: &str = "SMB2 READ request";
const REQUEST_INFO: &str = "SMB2 READ request channel information";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 48;

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.19.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(49)?;
        let padding = f.u8()?;
        let flags = ReadFlags::from_bits_retain(f.u8()?);
        let length = f.u32()?;
        let offset = f.u64()?;
        let file_id = file_id::read(&mut f)?;
        let minimum_count = f.u32()?;
        let channel = Channel(f.u32()?);
        let remaining_bytes = f.u32()?;
        let info_offset = usize::from(f.u16()?);
        let info_len = usize::from(f.u16()?);
        Ok(Self {
            padding,
            flags,
            length,
            offset,
            file_id,
            minimum_count,
            channel,
            remaining_bytes,
            channel_info: slice_of(element, info_offset, info_len, REQUEST_BUFFER, REQUEST_INFO)?,
        })
    }

    /// Appends the body. The buffer has at least one byte, as the specification asks for.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(49);
        w.u8(self.padding);
        w.u8(self.flags.bits());
        w.u32(self.length);
        w.u64(self.offset);
        file_id::write(self.file_id, w);
        w.u32(self.minimum_count);
        w.u32(self.channel.0);
        w.u32(self.remaining_bytes);
        if self.channel_info.is_empty() {
            w.zeros(5);
        } else {
            w.u16(len16(REQUEST_BUFFER));
            w.u16(len16(self.channel_info.len()));
            w.bytes(&self.channel_info);
        }
    }
}

bitflags! {
    /// Flags of a READ response (3.1.1; Reserved2 before).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ResponseFlags: u32 {
        /// SMB2_READFLAG_RESPONSE_RDMA_TRANSFORM: the data begins with an RDMA transform.
        const RDMA_TRANSFORM = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 READ Response, [MS-SMB2] 2.2.20.
///
/// Body: StructureSize 17 (2 bytes), DataOffset (1), Reserved (1), DataLength (4), DataRemaining
/// (4), Flags (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// The data; empty when it was sent over another channel.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
    /// DataRemaining: bytes sent over the channel of the request, else 0.
    pub data_remaining: u32,
    /// Flags.
    pub flags: ResponseFlags,
}

const RESPONSE: &str = "SMB2 READ response";
const RESPONSE_DATA: &str = "SMB2 READ response data";

impl Response {
    /// Length of the body before the data.
    pub const FIXED_LEN: usize = 16;

    /// DataOffset that [`Self::encode`] and [`Self::encode_fixed`] write: where the data begins,
    /// counted from the SMB2 header.
    pub const DATA_OFFSET: u8 = 80;

    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.20.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, RESPONSE)?;
        f.structure_size(17)?;
        let offset = usize::from(f.u8()?);
        f.skip(1)?;
        let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(RESPONSE_DATA))?;
        Ok(Self {
            data_remaining: f.u32()?,
            flags: ResponseFlags::from_bits_retain(f.u32()?),
            data: slice_of(
                element,
                offset,
                len,
                usize::from(Self::DATA_OFFSET),
                RESPONSE_DATA,
            )?,
        })
    }

    /// Appends the body with the data.
    pub fn encode(&self, w: &mut Writer) {
        self.encode_head(self.data.len(), w);
        w.bytes(&self.data);
    }

    /// Appends only the 16 bytes before the data, for `data_len` bytes that the caller sends behind
    /// them without copying. DataRemaining and Flags are zero.
    pub fn encode_fixed(data_len: usize, w: &mut Writer) {
        Self {
            data: Bytes::new(),
            data_remaining: 0,
            flags: ResponseFlags::empty(),
        }
        .encode_head(data_len, w);
    }

    fn encode_head(&self, data_len: usize, w: &mut Writer) {
        w.u16(17);
        w.u8(Self::DATA_OFFSET);
        w.u8(0);
        w.u32(len32(data_len));
        w.u32(self.data_remaining);
        w.u32(self.flags.bits());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            (padding, flags, length, offset) in any::<(u8, u8, u32, u64)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            (minimum_count, channel, remaining_bytes) in any::<(u32, u32, u32)>(),
            data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                padding,
                flags: ReadFlags::from_bits_retain(flags),
                length,
                offset,
                file_id: FileId { persistent, volatile },
                minimum_count,
                channel: Channel(channel),
                remaining_bytes,
                channel_info: data.clone().into(),
            };
            round_trip(&request, 48, Request::encode, Request::parse);
            let response = Response {
                data: data.into(),
                data_remaining: remaining_bytes,
                flags: ResponseFlags::from_bits_retain(length),
            };
            round_trip(&response, 16, Response::encode, Response::parse);
        }
    }

    #[test]
    fn the_fixed_part_and_a_separate_payload_make_the_same_message() {
        let response = Response {
            data: Bytes::from_static(b"payload"),
            data_remaining: 0,
            flags: ResponseFlags::empty(),
        };
        let whole = element(|w| response.encode(w));
        let parts = element(|w| {
            Response::encode_fixed(7, w);
            assert_eq!(w.position(), HEADER_LEN + Response::FIXED_LEN);
            w.bytes(b"payload");
        });
        assert_eq!(whole, parts);
        assert_eq!(
            &whole[64..],
            b"\x11\0\x50\0\x07\0\0\0\0\0\0\0\0\0\0\0payload"
        );
    }

    #[test]
    fn data_may_begin_later_but_not_inside_the_fixed_part() {
        let later = element_of(b"\x11\0\x52\0\x02\0\0\0\0\0\0\0\0\0\0\0..ab");
        assert_eq!(&Response::parse(&later).unwrap().data[..], b"ab");
        let inside = element_of(b"\x11\0\x4f\0\x02\0\0\0\0\0\0\0\0\0\0\0..ab");
        assert_eq!(
            Response::parse(&inside),
            Err(ParseError::OutOfBounds(RESPONSE_DATA))
        );
    }
}
