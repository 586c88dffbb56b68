//! The parts of a journal.

use super::digest::Hash;
use super::pack::{DecodeError, Pack, Reader};
use super::{Input, InputRef};
use crate::config::Config;
use crate::time::Now;

/// What every journal begins with; the last character is the version of the format.
pub const MAGIC: [u8; 8] = *b"SMBJRNL1";
/// Bytes before each payload: its length (4), a checksum (4), the kind (1).
pub const HEAD_LEN: usize = 9;
/// Longest payload in bytes: more than the largest message or completion.
pub const MAX_FRAME: usize = 64 << 20;

const START: u8 = 0;
const INPUT: u8 = 1;
const OUTPUTS: u8 = 2;
const END: u8 = 3;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub len: usize,
    checksum: u32,
    kind: u8,
}

/// What a payload says.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
pub enum Entry {
    /// How the server was made.
    Start(Config, [u8; 32]),
    /// Something went in.
    Input(Now, Input),
    /// This came out since the last entry: one [`super::digest`] each.
    Outputs(Vec<u64>),
    /// The server has ended in order.
    End,
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hash = Hash::new();
    hash.bytes(&[kind]);
    hash.bytes(payload);
    let [a, b, c, d, ..] = hash.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Writes frames.
#[derive(Debug, Clone, Copy)]
pub struct Frame;

impl Frame {
    pub(super) fn put(kind: u8, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend([0; HEAD_LEN]);
        payload(out);
        let Some((head, body)) = out
            .get_mut(start..)
            .and_then(|frame| frame.split_at_mut_checked(HEAD_LEN))
        else {
            return;
        };
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let checksum = checksum(kind, body);
        for (to, from) in head.iter_mut().zip(
            len.to_le_bytes()
                .into_iter()
                .chain(checksum.to_le_bytes())
                .chain([kind]),
        ) {
            *to = from;
        }
    }

    /// Appends the first frame.
    pub fn start(config: &Config, seed: &[u8; 32], out: &mut Vec<u8>) {
        Self::put(START, out, |out| {
            out.extend(seed);
            config.pack(out);
        });
    }

    /// Appends an input.
    pub fn input(now: Now, input: InputRef<'_>, out: &mut Vec<u8>) {
        Self::put(INPUT, out, |out| {
            now.pack(out);
            input.pack(out);
        });
    }

    /// Appends the digests of what has come out since the last frame.
    pub fn outputs(digests: &[u64], out: &mut Vec<u8>) {
        Self::put(OUTPUTS, out, |out| {
            for digest in digests {
                digest.pack(out);
            }
        });
    }

    /// Appends the last frame.
    pub fn end(out: &mut Vec<u8>) {
        Self::put(END, out, |_| {});
    }
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// The payload would be longer than [`MAX_FRAME`].
    pub fn parse(head: &[u8; HEAD_LEN]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(head);
        let len = usize::try_from(u32::unpack(&mut r)?).unwrap_or(usize::MAX);
        let checksum = u32::unpack(&mut r)?;
        let kind = u8::unpack(&mut r)?;
        if len > MAX_FRAME {
            return Err(DecodeError::Value("length of a frame"));
        }
        Ok(Self {
            len,
            checksum,
            kind,
        })
    }

    /// Reads the payload that belongs to this head.
    ///
    /// # Errors
    /// It is not what was written.
    pub fn entry(self, payload: &[u8]) -> Result<Entry, DecodeError> {
        if checksum(self.kind, payload) != self.checksum {
            return Err(DecodeError::Checksum);
        }
        let mut r = Reader::new(payload);
        let entry = match self.kind {
            START => {
                let seed = r.array()?;
                Entry::Start(Config::unpack(&mut r)?, seed)
            }
            INPUT => Entry::Input(Now::unpack(&mut r)?, Input::unpack(&mut r)?),
            OUTPUTS => {
                let (words, rest) = payload.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(DecodeError::Value("digests"));
                }
                return Ok(Entry::Outputs(
                    words.iter().map(|w| u64::from_le_bytes(*w)).collect(),
                ));
            }
            END => Entry::End,
            _ => return Err(DecodeError::Value("kind of a frame")),
        };
        r.end("frame")?;
        Ok(entry)
    }
}
