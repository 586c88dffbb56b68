//! One direction of a stream cut into frames, and found again after bytes are missing.

use bytes::{Buf, Bytes, BytesMut};
use smb_proto::frame::{NetBiosType, PREFIX_LEN};

use super::GapCause;
use super::tcp::{Piece, Place};

/// Messages up to this length get memory of their own, so that keeping one does not keep the
/// whole buffer that it came in.
const COPY_MAX: usize = 65536;

/// A buffer with more room than this is given back as soon as little is in it: thousands of
/// connections may have one.
const ROOM_MAX: usize = 4096;

/// What a stream consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A message as far as it was captured.
    Message {
        bytes: Bytes,
        /// Bytes missing at its end.
        missing: u64,
        first: Place,
        last: Place,
    },
    NetBios {
        packet_type: NetBiosType,
        body: Bytes,
        first: Place,
        last: Place,
    },
    /// Missing bytes, or bytes that begin no frame.
    Gap(u64, GapCause, Place),
}

#[derive(Debug)]
enum State {
    /// The buffer begins with a frame.
    Synced,
    /// The rest of a message that is lost anyway is passed over.
    Skipping(u64),
    /// Where the next frame begins is not known; so many bytes were passed over.
    Lost(u64),
}

/// Cuts one direction.
#[derive(Debug)]
pub(super) struct Framer {
    buf: BytesMut,
    state: State,
    /// Where the first byte of the buffer was.
    first: Place,
    /// A frame was cut from this stream before.
    pub(super) found: bool,
}

/// Whether a frame can begin with these bytes; `None` if there are too few to tell.
pub(super) fn begins_frame(bytes: &[u8]) -> Option<bool> {
    let first = *bytes.first()?;
    if NetBiosType::from_code(first).is_some() {
        return Some(true);
    }
    if first != 0 {
        return Some(false);
    }
    let prefix = bytes.get(..PREFIX_LEN)?;
    if prefix == [0; 4] {
        return Some(true);
    }
    let len = prefix.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let known = bytes.get(PREFIX_LEN..)?;
    let known = known.get(..known.len().min(len).min(4))?;
    let fits = match known.split_first() {
        Some((first, rest)) => {
            matches!(first, 0xfc..=0xff) && rest == b"SMB".get(..rest.len()).unwrap_or(&[])
        }
        None => return None,
    };
    if fits && known.len() < len.min(4) {
        return None;
    }
    Some(fits && len >= 4)
}

/// Whether these bytes surely begin a message, for finding one in the middle of a stream; `None`
/// if there are too few to tell.
pub(super) fn surely_begins(bytes: &[u8]) -> Option<bool> {
    let [zero, a, b, c, magic, s, m, l] = *bytes.first_chunk::<8>()?;
    let len = u32::from_be_bytes([0, a, b, c]);
    let min = match magic {
        0xfe => 64,
        0xff => 32,
        0xfd => 52,
        0xfc => 16,
        _ => return Some(false),
    };
    if zero != 0 || [s, m, l] != *b"SMB" || len < min {
        return Some(false);
    }
    if magic != 0xfe {
        return Some(true);
    }
    // StructureSize of the header.
    Some(*bytes.get(8..10)? == [64, 0])
}

/// How many bytes [`surely_begins`] wants to see.
const SURE_LEN: usize = 10;

impl Framer {
    /// A stream that is seen from its beginning, or from anywhere.
    pub(super) fn new(from_start: bool) -> Self {
        Self {
            buf: BytesMut::new(),
            state: if from_start {
                State::Synced
            } else {
                State::Lost(0)
            },
            first: Place::default(),
            found: false,
        }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.buf.len()
    }

    /// Takes the next piece of the stream.
    pub(super) fn take(&mut self, piece: Piece, out: &mut Vec<Cut>) {
        match piece {
            Piece::Data(data, place) => self.data(data, place, out),
            Piece::Gap(len, cause, place) => self.gap(len, cause, place, out),
        }
    }

    fn data(&mut self, mut data: Bytes, place: Place, out: &mut Vec<Cut>) {
        if let State::Skipping(left) = &mut self.state {
            let n = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
            data.advance(n);
            *left -= n as u64;
            if *left > 0 {
                return;
            }
            self.state = State::Synced;
        }
        if data.is_empty() {
            return;
        }
        if self.buf.is_empty() {
            self.first = place;
        }
        self.buf.extend_from_slice(&data);
        loop {
            let more = match self.state {
                State::Synced => self.cut(place, out),
                State::Lost(_) => self.search(false, place, out),
                State::Skipping(_) => false,
            };
            if !more {
                break;
            }
        }
        if self.buf.len() < ROOM_MAX {
            self.buf = BytesMut::from(&self.buf[..]);
        }
    }

    /// Cuts one frame; `false` if there is none yet.
    fn cut(&mut self, place: Place, out: &mut Vec<Cut>) -> bool {
        match begins_frame(&self.buf) {
            None => return false,
            Some(false) => {
                self.state = State::Lost(0);
                return true;
            }
            Some(true) => {}
        }
        let Some(end) = self.frame_end() else {
            return false;
        };
        if self.buf.len() < end {
            return false;
        }
        let mut frame = self.buf.split_to(end);
        let code = frame.first().copied().unwrap_or(0);
        frame.advance(PREFIX_LEN);
        let body = own(frame);
        let (first, last) = (self.first, place);
        self.first = place;
        self.found = true;
        out.push(match NetBiosType::from_code(code) {
            Some(packet_type) => Cut::NetBios {
                packet_type,
                body,
                first,
                last,
            },
            None => Cut::Message {
                bytes: body,
                missing: 0,
                first,
                last,
            },
        });
        true
    }

    /// Where the frame at the start of the buffer ends, prefix included.
    fn frame_end(&self) -> Option<usize> {
        let [kind, a, b, c] = *self.buf.first_chunk::<PREFIX_LEN>()?;
        // RFC 1002, 4.3.1: packets that are no messages have 17 bits of length.
        let a = if kind == 0 { a } else { a & 1 };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(PREFIX_LEN + len)
    }

    /// Looks for the next frame; `false` if there is none yet. At the `last` chance it is looked
    /// for also where there are too few bytes to be sure.
    fn search(&mut self, last: bool, place: Place, out: &mut Vec<Cut>) -> bool {
        let State::Lost(mut passed) = self.state else {
            return false;
        };
        let mut at = 0;
        let found = loop {
            match self.buf.get(at..).map(surely_begins) {
                Some(Some(true)) => break true,
                Some(Some(false)) => at += 1,
                Some(None) | None => break false,
            }
        };
        if last && !found {
            at = self.buf.len();
        }
        self.buf.advance(at);
        passed += at as u64;
        if at > 0 {
            self.first = place;
        }
        if !found && !last {
            // What is left is too short to tell, and bounded by that.
            debug_assert!(self.buf.len() < SURE_LEN);
            self.state = State::Lost(passed);
            return false;
        }
        if passed > 0 {
            out.push(Cut::Gap(passed, GapCause::NotSmb, place));
        }
        self.state = if found { State::Synced } else { State::Lost(0) };
        found
    }

    fn gap(&mut self, len: u64, cause: GapCause, place: Place, out: &mut Vec<Cut>) {
        match self.state {
            State::Skipping(left) => {
                self.state = if len <= left {
                    if len == left {
                        State::Synced
                    } else {
                        State::Skipping(left - len)
                    }
                } else {
                    State::Lost(0)
                };
            }
            State::Lost(_) => {
                self.search(true, place, out);
            }
            State::Synced => self.gap_in_frames(len, place, out),
        }
        out.push(Cut::Gap(len, cause, place));
    }

    /// Bytes are missing where frames were in order: what was captured of the present one is
    /// given, and if its length is known and the gap ends within it, so is the next beginning.
    fn gap_in_frames(&mut self, len: u64, place: Place, out: &mut Vec<Cut>) {
        let end = self.frame_end();
        let have = self.buf.len();
        if let Some(end) = end
            && have >= PREFIX_LEN
            && begins_frame(&self.buf) != Some(false)
        {
            let missing = (end - have) as u64;
            let mut frame = self.buf.split();
            frame.advance(PREFIX_LEN);
            out.push(Cut::Message {
                bytes: own(frame),
                missing,
                first: self.first,
                last: place,
            });
            self.state = match missing.checked_sub(len) {
                Some(0) => State::Synced,
                Some(rest) => State::Skipping(rest),
                None => State::Lost(0),
            };
        } else {
            self.buf.clear();
            self.state = State::Lost(have as u64);
        }
    }

    /// Gives up what is held, since memory is short.
    pub(super) fn drop_held(&mut self, place: Place, out: &mut Vec<Cut>) {
        let held = self.buf.len() as u64;
        self.buf = BytesMut::new();
        self.state = State::Lost(0);
        if held > 0 {
            out.push(Cut::Gap(held, GapCause::Limit, place));
        }
    }

    /// The stream ends.
    pub(super) fn end(&mut self, place: Place, out: &mut Vec<Cut>) {
        match self.state {
            State::Lost(_) => {
                self.search(true, place, out);
            }
            State::Skipping(_) => {}
            State::Synced if self.buf.is_empty() => {}
            State::Synced => {
                self.gap_in_frames(0, place, out);
                if let State::Skipping(missing) = self.state {
                    out.push(Cut::Gap(missing, GapCause::End, place));
                } else {
                    self.search(true, place, out);
                }
            }
        }
    }
}

fn own(frame: BytesMut) -> Bytes {
    if frame.len() <= COPY_MAX {
        Bytes::copy_from_slice(&frame)
    } else {
        frame.freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn place(frame: u64) -> Place {
        Place {
            frame,
            time: Duration::from_secs(frame),
        }
    }

    /// A frame of `len` bytes that looks like an SMB2 message.
    fn frame(len: usize) -> Vec<u8> {
        let mut f = vec![0, 0, 0, 0, 0xfe, b'S', b'M', b'B', 64, 0];
        f.resize(len + 4, 0xaa);
        f[1..4].copy_from_slice(&(len as u32).to_be_bytes()[1..]);
        f
    }

    fn data(bytes: &[u8], at: u64) -> Piece {
        Piece::Data(Bytes::copy_from_slice(bytes), place(at))
    }

    /// Lengths of messages with what is missing, and of gaps.
    fn shape(cuts: &[Cut]) -> String {
        let words: Vec<String> = cuts
            .iter()
            .map(|c| match c {
                Cut::Message {
                    bytes,
                    missing: 0,
                    first,
                    last,
                } => {
                    format!("{}@{}-{}", bytes.len(), first.frame, last.frame)
                }
                Cut::Message { bytes, missing, .. } => format!("{}+{missing}", bytes.len()),
                Cut::NetBios { packet_type, .. } => format!("{packet_type:?}"),
                Cut::Gap(n, cause, _) => format!("[{n} {cause:?}]"),
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn frames_across_packets() {
        let mut f = Framer::new(true);
        let mut out = Vec::new();
        let mut bytes = vec![0x85, 0, 0, 0];
        bytes.extend(frame(70));
        bytes.extend(frame(80));
        f.take(data(&bytes[..30], 1), &mut out);
        f.take(data(&bytes[30..100], 2), &mut out);
        f.take(data(&bytes[100..], 3), &mut out);
        assert_eq!(shape(&out), "KeepAlive 70@1-2 80@2-3");
    }

    #[test]
    fn gap_within_a_message_keeps_its_head_and_the_next() {
        let mut f = Framer::new(true);
        let mut out = Vec::new();
        f.take(data(&frame(1000)[..104], 1), &mut out);
        f.take(Piece::Gap(500, GapCause::Cut, place(2)), &mut out);
        let mut rest = vec![0xaa; 400];
        rest.extend(frame(90));
        f.take(data(&rest, 3), &mut out);
        assert_eq!(shape(&out), "100+900 [500 Cut] 90@3-3");
    }

    #[test]
    fn gap_over_a_beginning_resynchronises() {
        let mut f = Framer::new(true);
        let mut out = Vec::new();
        f.take(data(&frame(200)[..104], 1), &mut out);
        f.take(Piece::Gap(150, GapCause::NotCaptured, place(2)), &mut out);
        let mut rest = vec![0; 33];
        rest.extend(frame(90));
        f.take(data(&rest, 3), &mut out);
        assert_eq!(shape(&out), "100+100 [150 NotCaptured] [33 NotSmb] 90@3-3");
    }

    #[test]
    fn starts_in_the_middle_and_ends_there() {
        let mut f = Framer::new(false);
        let mut out = Vec::new();
        let mut bytes = vec![7; 55];
        bytes.extend(frame(64));
        bytes.extend(&frame(300)[..100]);
        for (i, part) in bytes.chunks(50).enumerate() {
            f.take(data(part, i as u64), &mut out);
        }
        f.end(place(999), &mut out);
        assert_eq!(shape(&out), "[55 NotSmb] 64@1-2 96+204 [204 End]");
    }

    #[test]
    fn other_protocols_are_one_gap() {
        let mut f = Framer::new(true);
        let mut out = Vec::new();
        for i in 0..50 {
            f.take(data(b"GET / HTTP/1.1\r\n", i), &mut out);
            assert!(f.held() <= SURE_LEN);
        }
        f.end(place(51), &mut out);
        assert_eq!(shape(&out), "[800 NotSmb]");
    }
}
