//! Captures that are damaged, cut off, or none at all: an error or a part of it, never a panic, and
//! never more memory than the limits say.

use std::io::{self, Read};
use std::path::Path;

use driver_sim::capture::{
    Capture, CaptureError, Content, Direction, Event, GapCause, Options, Reader, Signature, fields,
    line, other_line,
};
use proptest::prelude::*;

/// Our own captures, small ones.
fn own_captures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/captures");
    let mut captures: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e == "pcap" || e == "pcapng")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    captures.sort();
    assert!(!captures.is_empty(), "no captures in {}", folder.display());
    captures
}

/// One that is not encrypted, so that parts of it say something.
fn plain_capture() -> Vec<u8> {
    let name = "smb-server-smbclient-files.pcap";
    let mut all = own_captures();
    let at = all.iter().position(|(n, _)| n == name);
    all.swap_remove(at.unwrap_or_else(|| panic!("no {name}"))).1
}

fn options() -> Options {
    let mut options = Options::default();
    options.secrets.add_password("conform1:Secret-001").unwrap();
    options
}

/// Reads all there is, shows all of it, and answers the number of messages.
fn drain<R: Read>(source: R) -> Result<usize, CaptureError> {
    let mut reader = Reader::new(source, &options())?;
    let mut messages = 0;
    while let Some(event) = reader.next_event() {
        match event {
            Event::Message(_, message) => {
                messages += 1;
                assert!(!line(&message).is_empty());
                assert!(fields(&message).is_object());
            }
            Event::Other(_, other) => assert!(!other_line(&other).is_empty()),
            Event::Gap(_, gap) => assert!(gap.len > 0),
        }
        assert!(reader.held() <= 300 << 20);
    }
    reader.check().map(|()| messages)
}

/// Where the packets of a classic little-endian capture begin, with the length of each.
fn packets(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut at = 24;
    let mut found = Vec::new();
    while let Some(header) = bytes.get(at..at + 16) {
        let len = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
        found.push((at, len));
        at += 16 + len;
    }
    found
}

#[test]
fn own_captures_are_read_wholly() {
    for (name, bytes) in own_captures() {
        let capture = Capture::read(&bytes[..], &options(), |_| ()).unwrap();
        for conversation in &capture.conversations {
            assert!(
                conversation.gaps.is_empty(),
                "{name}: {:?}",
                conversation.gaps
            );
            assert!(conversation.messages.len() > 3, "{name}");
            assert!(
                conversation
                    .others
                    .iter()
                    .all(|o| { !matches!(o.content, Content::Sealed(_) | Content::Unreadable(_)) })
            );
            for message in &conversation.messages {
                assert!(message.body.is_ok(), "{name}: {}", line(message));
                assert_ne!(
                    message.signature,
                    Signature::Bad,
                    "{name}: {}",
                    line(message)
                );
            }
        }
    }
}

/// A file cut off anywhere gives what came before.
#[test]
fn cut_off_files() {
    let bytes = plain_capture();
    let whole = drain(&bytes[..]).unwrap();
    let mut last = 0;
    for n in (0..bytes.len()).step_by(97) {
        match drain(&bytes[..n]) {
            Ok(messages) => {
                assert!(messages >= last && messages <= whole);
                last = messages;
            }
            Err(CaptureError::NotACapture(_)) => assert!(n < 24),
            Err(CaptureError::NoSmb(_)) => assert_eq!(last, 0),
            Err(e) => panic!("{e}"),
        }
    }
    assert!(last + 5 > whole);
}

/// Packets recorded with a small snaplen: the heads of messages are there, what is missing is said.
#[test]
fn small_snaplen() {
    let bytes = plain_capture();
    let whole = drain(&bytes[..]).unwrap();
    const SNAPLEN: usize = 200;
    let mut cut = bytes[..24].to_vec();
    for (at, len) in packets(&bytes) {
        let kept = len.min(SNAPLEN);
        cut.extend(&bytes[at..at + 8]);
        cut.extend((kept as u32).to_le_bytes());
        cut.extend(&bytes[at + 12..at + 16 + kept]);
    }
    let capture = Capture::read(&cut[..], &options(), |_| ()).unwrap();
    let conversation = &capture.conversations[0];
    let found = conversation.messages.len();
    assert!(found * 10 > whole * 8, "{found} of {whole}");
    assert!(conversation.gaps.iter().any(|g| g.cause == GapCause::Cut));
    let partial = conversation.messages.iter().filter(|m| m.missing > 0);
    assert!(partial.count() > 0);
    assert!(capture.notes.iter().any(|n| n.contains("snaplen")));
}

/// Without its first packets a connection is read from the next message on.
#[test]
fn from_the_middle() {
    let bytes = plain_capture();
    let whole = drain(&bytes[..]).unwrap();
    let packets = packets(&bytes);
    let (from, _) = packets[packets.len() / 2];
    let mut half = bytes[..24].to_vec();
    half.extend(&bytes[from..]);
    let messages = drain(&half[..]).unwrap();
    assert!(messages * 3 > whole, "{messages} of {whole}");
}

/// Lost packets are gaps, and what comes behind them is read.
#[test]
fn lost_packets() {
    let bytes = plain_capture();
    let whole = drain(&bytes[..]).unwrap();
    let packets = packets(&bytes);
    for lost in 3..packets.len() {
        let mut rest = bytes[..24].to_vec();
        for (i, (at, len)) in packets.iter().enumerate() {
            if i != lost {
                rest.extend(&bytes[*at..at + 16 + len]);
            }
        }
        let capture = Capture::read(&rest[..], &options(), |_| ()).unwrap();
        let left: usize = capture.conversations.iter().map(|c| c.messages.len()).sum();
        let sealed: usize = capture.conversations.iter().map(|c| c.others.len()).sum();
        assert!(
            left + sealed + 4 > whole,
            "{left} of {whole} without packet {lost}"
        );
    }
}

/// Packets out of order and twice make no difference.
#[test]
fn reordered_and_repeated() {
    let bytes = plain_capture();
    let whole = Capture::read(&bytes[..], &options(), |_| ()).unwrap();
    let packets = packets(&bytes);
    let mut mixed = bytes[..24].to_vec();
    for pair in packets.chunks(2) {
        // Only packets of the same direction may pass each other: one side cannot answer what it
        // has not got. Whoever sends is told by the addresses in the Ethernet and IP headers.
        let same = |a: &(usize, usize), b: &(usize, usize)| {
            bytes[a.0 + 16 + 34..a.0 + 16 + 38] == bytes[b.0 + 16 + 34..b.0 + 16 + 38]
        };
        let mut order: Vec<_> = pair.to_vec();
        if let [a, b] = pair
            && same(a, b)
        {
            order.swap(0, 1);
        }
        for (at, len) in order.iter().chain(&order) {
            mixed.extend(&bytes[*at..at + 16 + len]);
        }
    }
    let again = Capture::read(&mixed[..], &options(), |_| ()).unwrap();
    let all = |c: &Capture| -> Vec<(Direction, bytes::Bytes)> {
        let messages = c.conversations.iter().flat_map(|c| &c.messages);
        messages.map(|m| (m.direction, m.raw.clone())).collect()
    };
    assert_eq!(all(&again), all(&whole));
    assert!(again.conversations[0].retransmitted > 0);
}

/// Bytes that come from nowhere, as many as wanted.
struct Endless {
    head: io::Cursor<Vec<u8>>,
    left: u64,
    state: u64,
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.head.read(buf)?;
        if n > 0 {
            return Ok(n);
        }
        let n = buf
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for chunk in buf[..n].chunks_mut(8) {
            // xorshift64
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            chunk.copy_from_slice(&self.state.to_le_bytes()[..chunk.len()]);
        }
        self.left -= n as u64;
        Ok(n)
    }
}

/// Garbage is refused at once, whatever it begins with.
#[test]
fn gigabytes_of_garbage() {
    let heads: [(&[u8], &str); 3] = [
        (b"", "not a capture"),
        (
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0",
            "damaged",
        ),
        (
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
            "damaged",
        ),
    ];
    for (head, expected) in heads {
        let source = Endless {
            head: io::Cursor::new(head.to_vec()),
            left: 1 << 30,
            state: 0x1234_5678_9abc_def1,
        };
        let error = drain(source).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// A record that says how long it is, around a TCP segment to port 445.
fn record(source: u16, seq: u32, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((40 + payload.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    ip.extend(source.to_be_bytes());
    ip.extend(445u16.to_be_bytes());
    ip.extend(seq.to_be_bytes());
    ip.extend([0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    ip.extend(payload);
    let mut all = vec![0; 8];
    all.extend((ip.len() as u32).to_le_bytes());
    all.extend((ip.len() as u32).to_le_bytes());
    all.extend(ip);
    all
}

/// A capture without end of segments that a function makes.
struct Segments<F> {
    make: F,
    number: u32,
    max: u32,
    buf: io::Cursor<Vec<u8>>,
}

impl<F: FnMut(u32) -> Vec<u8>> Read for Segments<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.buf.read(buf)?;
            if n > 0 || self.number >= self.max {
                return Ok(n);
            }
            self.buf = io::Cursor::new((self.make)(self.number));
            self.number += 1;
        }
    }
}

fn segments<F: FnMut(u32) -> Vec<u8>>(max: u32, make: F) -> Segments<F> {
    // LINKTYPE_RAW
    let head = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0";
    Segments {
        make,
        number: 0,
        max,
        buf: io::Cursor::new(head.to_vec()),
    }
}

/// Connections by the thousand that each leave a long message unfinished, or a hole in front of
/// data that wait for it, hold no more than the limit together.
#[test]
fn unfinished_messages_are_given_up() {
    let mut begun = vec![0, 0xff, 0xff, 0xff, 0xfe, b'S', b'M', b'B', 64, 0];
    begun.resize(60_000, 7);
    let source = segments(6_000, |n| {
        record(1000 + (n % 400) as u16, n / 400 * 60_000, &begun)
    });
    drain(source).unwrap();
    let waiting = [7u8; 60_000];
    let source = segments(6_000, |n| {
        let (port, nth) = (1000 + (n % 300) as u16, n / 300);
        let first: &[u8] = if nth == 0 { &[0; 1] } else { &waiting };
        record(port, nth * 60_000 + u32::from(nth > 0) * 5, first)
    });
    assert!(matches!(drain(source), Err(CaptureError::NoSmb(_))));
}

/// A hundred thousand messages are read in seconds, also without optimisation.
#[test]
fn a_hundred_thousand_messages() {
    let mut echo = vec![0, 0, 0, 68, 0xfe, b'S', b'M', b'B', 64, 0];
    echo.resize(72, 0);
    echo[4 + 12] = 0x0d;
    echo[4 + 64] = 4;
    let source = segments(100_000, |n| {
        echo[4 + 24..4 + 32].copy_from_slice(&u64::from(n).to_le_bytes());
        record(1000, n * 72, &echo)
    });
    let begin = std::time::Instant::now();
    let capture = Capture::read(source, &Options::default(), |_| ()).unwrap();
    assert_eq!(capture.conversations[0].messages.len(), 100_000);
    let took = begin.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes changed, anywhere.
    #[test]
    fn damaged_bytes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
    ) {
        let captures = own_captures();
        let (_, mut bytes) = captures[which.index(captures.len())].clone();
        for (at, new) in changes {
            let at = at.index(bytes.len());
            bytes[at] = new;
        }
        let _ = drain(&bytes[..]);
    }

    /// Parts left out, repeated and moved.
    #[test]
    fn shuffled_parts(
        which in any::<prop::sample::Index>(),
        parts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..3000),
            1..20,
        ),
        whole_packets in any::<bool>(),
    ) {
        let captures = own_captures();
        let (_, bytes) = &captures[which.index(captures.len())];
        let mut mixed = bytes[..24].to_vec();
        let packets = packets(bytes);
        for (at, len) in parts {
            let (from, to) = if whole_packets {
                let from = at.index(packets.len());
                let to = (from + len % 20).min(packets.len() - 1);
                (packets[from].0, packets[to].0)
            } else {
                let from = at.index(bytes.len());
                (from, (from + len).min(bytes.len()))
            };
            mixed.extend(&bytes[from..to]);
        }
        let _ = drain(&mixed[..]);
    }

    /// The payload of TCP is anything, with something that looks like a frame here and there.
    #[test]
    fn garbage_in_streams(
        parts in prop::collection::vec(
            (0u32..5000, prop::collection::vec(any::<u8>(), 0..300), 0u8..4),
            1..40,
        ),
    ) {
        let mut file = vec![];
        let mut source = segments(0, |_| vec![]);
        source.read_to_end(&mut file).unwrap();
        for (seq, mut payload, kind) in parts {
            let magic = [0xfe, 0xfd, 0xfc, 0xff][usize::from(kind)];
            if payload.len() > 80 {
                let len = (payload.len() - 4) as u16;
                payload[..4].copy_from_slice(&[0, 0, (len >> 8) as u8, len as u8]);
                payload[4..10].copy_from_slice(&[magic, b'S', b'M', b'B', 64, 0]);
            }
            file.extend(record(1000, seq, &payload));
        }
        let _ = drain(&file[..]);
    }
}
