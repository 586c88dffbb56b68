//! Packets out of pcap and pcapng files, one at a time.

use std::borrow::Cow;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};
use pcap_file::{Endianness, PcapError, TsResolution};

use super::CaptureError;

/// The longest record that is read, in bytes: the size of the buffer of the library. Packets are at
/// most 256 KiB by convention.
const RECORD_MAX: usize = 8_000_000;

/// One record of the file.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Since 1970-01-01 UTC.
    pub(super) time: Duration,
    /// LINKTYPE of the interface.
    pub(super) link: u32,
    /// What was recorded of it.
    pub(super) data: Cow<'a, [u8]>,
    /// It was longer than what was recorded.
    pub(super) cut: bool,
}

/// What comes next in a file.
pub(super) enum Next<'a> {
    Packet(Packet<'a>),
    /// The end, with what is wrong about it.
    End(Option<String>),
}

/// Counts what is read, and remembers whether the end was met.
struct Counting<R> {
    inner: R,
    position: Position,
}

/// How far a file was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Position {
    bytes: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Position {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if n == 0 && !buf.is_empty() {
            self.position.ended.store(true, Ordering::Relaxed);
        }
        self.position.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

type Input<R> = Counting<io::Chain<Cursor<Vec<u8>>, R>>;

enum Format<R: Read> {
    Pcap {
        reader: PcapReader<Input<R>>,
        link: u32,
        nanoseconds: bool,
    },
    PcapNg(Box<PcapNgReader<Input<R>>>),
}

/// Reads a file.
pub(super) struct PacketFile<R: Read> {
    format: Format<R>,
    position: Position,
    packets: u64,
    ended: bool,
}

/// What a file is that begins like this, if it is known and no capture.
fn other_format(head: &[u8]) -> &'static str {
    match head {
        [0x1f, 0x8b, ..] => "it is compressed with gzip: unpack it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it is compressed with zstd: unpack it first",
        [0xfd, b'7', b'z', b'X', ..] => "it is compressed with xz: unpack it first",
        [b'B', b'Z', b'h', ..] => "it is compressed with bzip2: unpack it first",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive: unpack it first",
        [b's', b'n', b'o', b'o', ..] => "it is a snoop capture: convert it with editcap",
        [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1] => {
            "it is a capture of a patched libpcap: convert it with editcap"
        }
        [] => "it is empty",
        _ => "it begins like neither a pcap nor a pcapng file",
    }
}

impl<R: Read> PacketFile<R> {
    /// Reads the head of a file.
    pub(super) fn new(mut source: R) -> Result<Self, CaptureError> {
        let mut head = Vec::new();
        source
            .by_ref()
            .take(4)
            .read_to_end(&mut head)
            .map_err(CaptureError::Io)?;
        let magic = <[u8; 4]>::try_from(head.as_slice()).unwrap_or_default();
        let why = other_format(&head);
        let position = Position::default();
        let input = Counting {
            inner: Cursor::new(head).chain(source),
            position: position.clone(),
        };
        let format = match u32::from_be_bytes(magic) {
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => {
                let reader = PcapReader::new(input).map_err(damaged_head)?;
                let header = reader.header();
                Format::Pcap {
                    // The upper bits tell about a checksum behind each packet.
                    link: u32::from(header.datalink) & 0xffff,
                    nanoseconds: header.ts_resolution == TsResolution::NanoSecond,
                    reader,
                }
            }
            SECTION_HEADER_BLOCK => {
                Format::PcapNg(Box::new(PcapNgReader::new(input).map_err(damaged_head)?))
            }
            _ => return Err(CaptureError::NotACapture(why)),
        };
        Ok(Self {
            format,
            position,
            packets: 0,
            ended: false,
        })
    }

    /// Entries of Wireshark's smb2_seskey_list in the comments of a pcapng file: the simulator puts
    /// the keys of its sessions there, as arguments for tshark.
    pub(super) fn session_keys(&self) -> Vec<String> {
        const MARK: &str = "smb2_seskey_list:";
        let Format::PcapNg(reader) = &self.format else {
            return Vec::new();
        };
        let mut keys = Vec::new();
        for option in &reader.section().options {
            if let SectionHeaderOption::Comment(text) = option {
                let entries = text.split(MARK).skip(1);
                let ends = |c: char| c == '\'' || c.is_whitespace();
                keys.extend(
                    entries
                        .filter_map(|e| e.split(ends).next())
                        .map(str::to_owned),
                );
            }
        }
        keys
    }

    /// How far the file was read.
    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// Packets read so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// The next packet. A file that cannot be read any further ends there.
    pub(super) fn next_packet(&mut self) -> Next<'_> {
        if self.ended {
            return Next::End(None);
        }
        let number = self.packets + 1;
        let result = match &mut self.format {
            Format::Pcap {
                reader,
                link,
                nanoseconds,
            } => match reader.next_raw_packet() {
                None => Ok(None),
                Some(Ok(raw)) => {
                    let unit = if *nanoseconds { 1 } else { 1000 };
                    let nanos = u64::from(raw.ts_frac) * unit;
                    let time =
                        Duration::from_secs(u64::from(raw.ts_sec)) + Duration::from_nanos(nanos);
                    Ok(Some((time, *link, raw.data, raw.orig_len, raw.incl_len)))
                }
                Some(Err(e)) => Err(e),
            },
            Format::PcapNg(reader) => next_of_blocks(reader),
        };
        match result {
            Ok(Some((time, link, data, original, recorded))) => {
                self.packets = number;
                Next::Packet(Packet {
                    number,
                    time,
                    link,
                    data,
                    cut: original > recorded,
                })
            }
            Ok(None) => {
                self.ended = true;
                Next::End(None)
            }
            Err(e) => {
                self.ended = true;
                Next::End(Some(self.position.describe(&e, number)))
            }
        }
    }
}

impl Position {
    /// What is wrong with the file in one sentence.
    fn describe(&self, error: &PcapError, number: u64) -> String {
        let at_end = self.ended.load(Ordering::Relaxed);
        match error {
            PcapError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof && at_end => {
                format!("the file ends in the middle of packet {number}")
            }
            PcapError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => format!(
                "the file is damaged: packet {number} claims more than {RECORD_MAX} bytes; \
                 nothing behind it was read"
            ),
            PcapError::IoError(e) => format!("reading packet {number}: {e}"),
            PcapError::IncompleteBuffer
            | PcapError::InvalidField(_)
            | PcapError::Utf8Error(_)
            | PcapError::FromUtf8Error(_)
            | PcapError::InvalidInterfaceId(_) => format!(
                "the file is damaged at packet {number} ({error}); nothing behind it was read"
            ),
        }
    }
}

fn damaged_head(error: PcapError) -> CaptureError {
    match error {
        PcapError::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof => CaptureError::Io(e),
        PcapError::IoError(_)
        | PcapError::IncompleteBuffer
        | PcapError::InvalidField(_)
        | PcapError::Utf8Error(_)
        | PcapError::FromUtf8Error(_)
        | PcapError::InvalidInterfaceId(_) => {
            CaptureError::NotACapture("its header is damaged or cut off")
        }
    }
}

/// Time, link type, data, original length, recorded length.
type Raw<'a> = (Duration, u32, Cow<'a, [u8]>, u32, u32);

/// The next block with a packet in it. The blocks are read here rather than by the library, which
/// takes all times for nanoseconds and refuses a file for an odd option.
fn next_of_blocks<R: Read>(reader: &mut PcapNgReader<R>) -> Result<Option<Raw<'_>>, PcapError> {
    // The library lends a block for as long as the reader is borrowed, so that the loop must end
    // before the block is used.
    let wanted = loop {
        let big = reader.section().endianness == Endianness::Big;
        let block = match reader.next_raw_block() {
            None => return Ok(None),
            Some(block) => block?,
        };
        let wanted = match block.type_ {
            ENHANCED_PACKET_BLOCK | PACKET_BLOCK | SIMPLE_PACKET_BLOCK => {
                Some(read_packet_block(block.type_, &block.body, big)?)
            }
            _ => None,
        };
        if let Some(wanted) = wanted {
            break wanted;
        }
    };
    let (interface, units, data, original) = wanted;
    let known = reader.interfaces().get(interface as usize);
    let Some(known) = known else {
        return Err(PcapError::InvalidInterfaceId(interface));
    };
    let (mut resolution, mut offset) = (6, 0);
    for option in &known.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(r) => resolution = *r,
            InterfaceDescriptionOption::IfTsOffset(o) => offset = *o,
            _ => {}
        }
    }
    let time = units_to_time(units, resolution).saturating_add(Duration::from_secs(offset));
    let link = u32::from(known.linktype);
    let snaplen = if known.snaplen == 0 {
        usize::MAX
    } else {
        known.snaplen as usize
    };
    let data = match data {
        Stored::Exactly(data) => data,
        // A simple packet has no length of its own: it is that of the packet, as far as the
        // interface records.
        Stored::UpTo(mut data) => {
            data.truncate(snaplen.min(original as usize));
            data
        }
    };
    let recorded = u32::try_from(data.len()).unwrap_or(u32::MAX);
    Ok(Some((time, link, data.into(), original, recorded)))
}

/// Data of a packet block.
enum Stored {
    Exactly(Vec<u8>),
    UpTo(Vec<u8>),
}

/// The fixed part of a packet block: interface, time in the units of the interface, data, length
/// of the whole packet.
fn read_packet_block(
    kind: u32,
    body: &[u8],
    big: bool,
) -> Result<(u32, u64, Stored, u32), PcapError> {
    let short = || PcapError::InvalidField("packet block too short");
    let u32_at = |at: usize| -> Result<u32, PcapError> {
        let bytes = body.get(at..at + 4).and_then(|b| b.try_into().ok());
        let bytes: [u8; 4] = bytes.ok_or_else(short)?;
        Ok(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    if kind == SIMPLE_PACKET_BLOCK {
        let data = body.get(4..).ok_or_else(short)?;
        return Ok((0, 0, Stored::UpTo(data.to_vec()), u32_at(0)?));
    }
    // The obsolete packet block has interface and drop count where the enhanced one has the
    // interface.
    let first = u32_at(0)?;
    let interface = match (kind == PACKET_BLOCK, big) {
        (false, _) => first,
        (true, true) => first >> 16,
        (true, false) => first & 0xffff,
    };
    let units = u64::from(u32_at(4)?) << 32 | u64::from(u32_at(8)?);
    let recorded = u32_at(12)? as usize;
    let data = body
        .get(20..20usize.saturating_add(recorded))
        .ok_or_else(short)?;
    Ok((
        interface,
        units,
        Stored::Exactly(data.to_vec()),
        u32_at(16)?,
    ))
}

/// A time of so many units; `resolution` is if_tsresol: a power of ten, or of two with the top bit.
fn units_to_time(units: u64, resolution: u8) -> Duration {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    // What does not fit 64 bits is no resolution in use.
    let Some(per_second) = base.checked_pow(exponent) else {
        return Duration::ZERO;
    };
    let rest = u128::from(units % per_second) * 1_000_000_000 / u128::from(per_second);
    Duration::new(units / per_second, u32::try_from(rest).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions() {
        assert_eq!(units_to_time(1_500_000, 6), Duration::from_millis(1500));
        assert_eq!(units_to_time(1_500_000_000, 9), Duration::from_millis(1500));
        assert_eq!(
            units_to_time(3 << 9, 0x80 | 10),
            Duration::from_millis(1500)
        );
        assert_eq!(units_to_time(7, 0x7f), Duration::ZERO);
    }

    #[test]
    fn names_what_is_no_capture() {
        for (bytes, text) in [
            (&b""[..], "empty"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"hello world", "neither"),
            (b"\xd4\xc3\xb2\xa1\x02", "damaged"),
        ] {
            let error = PacketFile::new(bytes).err().unwrap();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    /// A block in either byte order.
    fn block(kind: u32, body: &[u8], big: bool) -> Vec<u8> {
        let word = |n: u32| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let len = word(12 + body.len() as u32);
        [&word(kind), &len, body, &len].concat()
    }

    #[test]
    fn blocks_of_pcapng() {
        for big in [false, true] {
            let word = |n: u32| {
                if big {
                    n.to_be_bytes()
                } else {
                    n.to_le_bytes()
                }
            };
            let half = |n: u16| {
                if big {
                    n.to_be_bytes()
                } else {
                    n.to_le_bytes()
                }
            };
            let comment = b"x -o 'uat:smb2_seskey_list:12,ab,\"\",\"\"' y";
            let mut section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
            section.extend([half(1), half(comment.len() as u16)].concat());
            section.extend(comment);
            section.resize(section.len().next_multiple_of(4), 0);
            section.extend([0; 4]);
            // Nanoseconds: if_tsresol (9) of one byte, 9.
            let options = [half(9), half(1), [9, 0], [0, 0], [0, 0], [0, 0]].concat();
            let interface = [&half(101)[..], &half(0), &word(0), &options].concat();
            let time = 1_500_000_000u64;
            let enhanced = [
                &word(0)[..],
                &word((time >> 32) as u32),
                &word(time as u32),
                &word(5),
                &word(9),
                b"hello\0\0\0",
            ]
            .concat();
            let simple = [&word(6)[..], b"simple\0\0"].concat();
            let file = [
                block(SECTION_HEADER_BLOCK, &section, big),
                block(1, &interface, big),
                block(0x0bad, b"what", big),
                block(ENHANCED_PACKET_BLOCK, &enhanced, big),
                block(SIMPLE_PACKET_BLOCK, &simple, big),
            ]
            .concat();
            let mut reader = PacketFile::new(&file[..]).unwrap();
            assert_eq!(reader.session_keys(), ["12,ab,\"\",\"\""]);
            let Next::Packet(p) = reader.next_packet() else {
                panic!("no packet");
            };
            assert_eq!((p.number, p.link, p.cut), (1, 101, true));
            assert_eq!(
                (p.time, &p.data[..]),
                (Duration::from_millis(1500), &b"hello"[..])
            );
            let Next::Packet(p) = reader.next_packet() else {
                panic!("no second packet");
            };
            assert_eq!((&p.data[..], p.cut), (&b"simple"[..], false));
            assert!(matches!(reader.next_packet(), Next::End(None)));
        }
    }
}
