//! Direct-TCP framing, [MS-SMB2] 2.1: a zero byte, the length of the message as 24 bits in network
//! order, the message.
//!
//! The same four bytes serve NetBIOS over TCP (RFC 1002, 4.3), whose first byte is a packet type
//! and zero for a session message. The other packet types are cut as well, so that a keep-alive
//! can be ignored and a session request on port 139 answered.

use bytes::BytesMut;
use thiserror::Error;

/// Length of the prefix in bytes.
pub const PREFIX_LEN: usize = 4;

/// The longest message that a prefix can announce, in bytes.
pub const MAX_MESSAGE_LEN: usize = 0x00ff_ffff;

/// The longest NetBIOS packet other than a message: RFC 1002, 4.3.1 has 17 bits of length.
const MAX_NETBIOS_LEN: usize = 0x0001_ffff;

/// Packet types of NetBIOS sessions other than the session message, RFC 1002, 4.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NetBiosType {
    /// SESSION REQUEST: called and calling name.
    SessionRequest = 0x81,
    /// POSITIVE SESSION RESPONSE
    PositiveResponse = 0x82,
    /// NEGATIVE SESSION RESPONSE: one byte of error code.
    NegativeResponse = 0x83,
    /// RETARGET SESSION RESPONSE
    RetargetResponse = 0x84,
    /// SESSION KEEP ALIVE: empty; receivers ignore it.
    KeepAlive = 0x85,
}

impl NetBiosType {
    /// The packet type of a first byte, `None` for a byte that begins no such packet.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0x81 => Some(Self::SessionRequest),
            0x82 => Some(Self::PositiveResponse),
            0x83 => Some(Self::NegativeResponse),
            0x84 => Some(Self::RetargetResponse),
            0x85 => Some(Self::KeepAlive),
            _ => None,
        }
    }
}

/// One unit of the stream, without its prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message (possibly empty): SMB2, encrypted, compressed or SMB1, by its first four bytes.
    Message(BytesMut),
    /// A NetBIOS packet that is not a message.
    NetBios {
        /// What it is.
        packet_type: NetBiosType,
        /// What follows its prefix.
        body: BytesMut,
    },
}

/// Why a stream cannot be cut any further. Where the next frame would begin is not known then, so
/// the connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The first byte of a prefix is neither zero nor a NetBIOS packet type.
    #[error("first byte of the frame is {0:#04x}")]
    BadFirstByte(u8),
    /// The frame is longer than is accepted.
    #[error("frame of {len} bytes where {max} are accepted")]
    TooLong {
        /// Length that the prefix announces.
        len: usize,
        /// Length that is accepted.
        max: usize,
    },
}

/// The prefix of a message of `len` bytes; `None` above [`MAX_MESSAGE_LEN`].
#[must_use]
pub fn encode_prefix(len: usize) -> Option<[u8; PREFIX_LEN]> {
    let len = u32::try_from(len).ok()?;
    match len.to_be_bytes() {
        [0, a, b, c] => Some([0, a, b, c]),
        _ => None,
    }
}

/// Cuts a byte stream into frames.
///
/// A frame is a slice of the buffer that was fed. Bytes are copied only where a frame began in one
/// allocation and goes on in another. A caller that reads into one large `BytesMut` and feeds what
/// it read with `split`, with room left for [`Self::missing`] bytes, has none copied.
#[derive(Debug)]
pub struct Deframer {
    buf: BytesMut,
    max_len: usize,
    failed: Option<FrameError>,
}

impl Deframer {
    /// A deframer that accepts messages of up to `max_len` bytes (prefix not counted).
    #[must_use]
    pub fn new(max_len: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            max_len,
            failed: None,
        }
    }

    /// Changes the length accepted, for frames not yet cut.
    pub fn set_max_len(&mut self, max_len: usize) {
        self.max_len = max_len;
    }

    /// Takes received bytes. Those that continue the previous ones in the same allocation, or come
    /// when nothing is held, are taken without copying.
    pub fn feed(&mut self, bytes: BytesMut) {
        if self.buf.is_empty() {
            self.buf = bytes;
        } else {
            self.buf.unsplit(bytes);
        }
    }

    /// The next complete frame, `None` if more bytes are needed for it.
    ///
    /// # Errors
    /// [`FrameError`]; every later call answers the same.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.cut().inspect_err(|error| self.failed = Some(*error))
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((packet_type, len)) = self.prefix()? else {
            return Ok(None);
        };
        let end = PREFIX_LEN.saturating_add(len);
        if self.buf.len() < end {
            return Ok(None);
        }
        let mut body = self.buf.split_to(end);
        let body = body.split_off(PREFIX_LEN);
        Ok(Some(match packet_type {
            None => Frame::Message(body),
            Some(packet_type) => Frame::NetBios { packet_type, body },
        }))
    }

    /// The prefix at the start of what is held: the packet type (`None` for a message) and length.
    fn prefix(&self) -> Result<Option<(Option<NetBiosType>, usize)>, FrameError> {
        let Some(first) = self.buf.first() else {
            return Ok(None);
        };
        let (packet_type, max) = match (*first, NetBiosType::from_code(*first)) {
            (0, _) => (None, self.max_len),
            (_, Some(t)) => (Some(t), self.max_len.min(MAX_NETBIOS_LEN)),
            (other, None) => return Err(FrameError::BadFirstByte(other)),
        };
        let Some(([_, a, b, c], _)) = self.buf.split_first_chunk::<PREFIX_LEN>() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
        if len > max {
            return Err(FrameError::TooLong { len, max });
        }
        Ok(Some((packet_type, len)))
    }

    /// Bytes still missing until the next frame is complete; 0 if it is, or after an error.
    #[must_use]
    pub fn missing(&self) -> usize {
        let wanted = match self.prefix() {
            Ok(Some((_, len))) => PREFIX_LEN.saturating_add(len),
            Ok(None) => PREFIX_LEN,
            Err(_) => 0,
        };
        wanted.saturating_sub(self.buf.len())
    }

    /// Bytes held that no frame has been cut from yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(body: &[u8]) -> Frame {
        Frame::Message(BytesMut::from(body))
    }

    #[test]
    fn prefix_is_big_endian_and_ends_at_24_bits() {
        assert_eq!(encode_prefix(0), Some([0; 4]));
        assert_eq!(encode_prefix(0x01_0203), Some([0, 1, 2, 3]));
        assert_eq!(encode_prefix(MAX_MESSAGE_LEN), Some([0, 255, 255, 255]));
        assert_eq!(encode_prefix(MAX_MESSAGE_LEN + 1), None);
        assert_eq!(encode_prefix(usize::MAX), None);
    }

    #[test]
    fn cuts_without_copying() {
        let bytes = BytesMut::from(&b"\0\0\0\x03abc\0\0\0\0\0\0\0\x02de"[..]);
        let place = bytes.as_ptr();
        let mut d = Deframer::new(3);
        d.feed(bytes);
        let Ok(Some(Frame::Message(first))) = d.next_frame() else {
            panic!("no message");
        };
        assert_eq!(&first[..], b"abc");
        assert_eq!(first.as_ptr(), place.wrapping_add(4));
        assert_eq!(d.next_frame(), Ok(Some(message(b""))));
        assert_eq!(d.next_frame(), Ok(Some(message(b"de"))));
        assert_eq!(d.next_frame(), Ok(None));
        assert_eq!((d.missing(), d.buffered()), (4, 0));
    }

    #[test]
    fn a_frame_read_in_pieces_of_one_buffer_is_not_copied() {
        let mut d = Deframer::new(100);
        let mut room = BytesMut::with_capacity(64);
        let place = room.as_ptr();
        let mut read = |d: &mut Deframer, bytes: &[u8]| {
            room.extend_from_slice(bytes);
            d.feed(room.split());
            d.next_frame()
        };
        assert_eq!((read(&mut d, b"\0\0\0"), d.missing()), (Ok(None), 1));
        assert_eq!((read(&mut d, b"\x04ab"), d.missing()), (Ok(None), 2));
        let Ok(Some(Frame::Message(first))) = read(&mut d, b"cd\0") else {
            panic!("no message");
        };
        assert_eq!(&first[..], b"abcd");
        assert_eq!(first.as_ptr(), place.wrapping_add(4));
        assert_eq!((d.missing(), d.buffered()), (3, 1));
        let Ok(Some(Frame::Message(second))) = read(&mut d, b"\0\0\x01x") else {
            panic!("no message");
        };
        assert_eq!(
            (&second[..], second.as_ptr()),
            (&b"x"[..], place.wrapping_add(12))
        );
    }

    #[test]
    fn netbios_packets_are_told_apart() {
        let mut d = Deframer::new(MAX_MESSAGE_LEN);
        d.feed(BytesMut::from(
            &b"\x85\0\0\0\x81\0\0\x02xy\x83\0\0\x01\x82"[..],
        ));
        let netbios = |packet_type, body: &[u8]| Frame::NetBios {
            packet_type,
            body: BytesMut::from(body),
        };
        assert_eq!(
            d.next_frame(),
            Ok(Some(netbios(NetBiosType::KeepAlive, b"")))
        );
        assert_eq!(
            d.next_frame(),
            Ok(Some(netbios(NetBiosType::SessionRequest, b"xy")))
        );
        assert_eq!(
            d.next_frame(),
            Ok(Some(netbios(NetBiosType::NegativeResponse, b"\x82")))
        );
        for code in 0..=u8::MAX {
            if let Some(t) = NetBiosType::from_code(code) {
                assert_eq!(t as u8, code);
            }
        }
        d.feed(BytesMut::from(&b"\x81\x02\0\0"[..]));
        let error = FrameError::TooLong {
            len: 0x2_0000,
            max: 0x1_ffff,
        };
        assert_eq!(d.next_frame(), Err(error));
    }

    #[test]
    fn errors_stay() {
        let mut d = Deframer::new(3);
        d.feed(BytesMut::from(&b"\0\0\0\x04"[..]));
        let too_long = Err(FrameError::TooLong { len: 4, max: 3 });
        assert_eq!(d.next_frame(), too_long);
        d.set_max_len(4);
        assert_eq!(d.next_frame(), too_long);

        // Known from the first byte alone, before the rest of a prefix has come.
        let mut d = Deframer::new(3);
        d.feed(BytesMut::from(&b"G"[..]));
        assert_eq!(d.next_frame(), Err(FrameError::BadFirstByte(b'G')));
        assert_eq!(d.missing(), 0);
    }

    proptest! {
        /// However a stream is split, the same frames come out.
        #[test]
        fn splitting_does_not_matter(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            cuts in prop::collection::vec(1usize..30, 1..40),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(&encode_prefix(body.len()).unwrap());
                stream.extend_from_slice(body);
            }
            let mut d = Deframer::new(40);
            let mut rest = &stream[..];
            let mut found = Vec::new();
            for cut in cuts.iter().cycle() {
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                d.feed(BytesMut::from(piece));
                rest = tail;
                while let Some(frame) = d.next_frame().unwrap() {
                    found.push(frame);
                }
                if rest.is_empty() {
                    break;
                }
            }
            let expected: Vec<_> = bodies.iter().map(|b| message(b)).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(d.buffered(), 0);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut d = Deframer::new(32);
            d.feed(BytesMut::from(&bytes[..]));
            while let Ok(Some(_)) = d.next_frame() {}
            prop_assert!(d.buffered() <= bytes.len());
        }
    }
}
