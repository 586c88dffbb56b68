//! Going through a journal of `smb-server --journal` again.
//!
//! The server is a function of its configuration, seed and inputs, all of which a journal holds; so
//! every output must be what it was. Where one is not, the program has changed since (or is not a
//! function of its inputs, which would be a bug).

use std::io::{self, Read};

use smb_engine::Server;
use smb_engine::journal::{DecodeError, Entry, HEAD_LEN, Head, Input, MAGIC, digest};
use smb_engine::output::Output;
use smb_engine::time::Now;
use thiserror::Error;

/// A journal that says nothing.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("cannot read")]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error("this is no journal, or one of another version of the program")]
    NotAJournal,
    /// A part of it is not what was written.
    #[error("damaged at byte {at}: {how}")]
    Damaged {
        /// Where the part begins.
        at: u64,
        /// How it shows.
        how: DecodeError,
    },
    /// It ends before the configuration does.
    #[error("it ends before anything has happened")]
    Empty,
    /// A second beginning, or an end before the end.
    #[error("parts in an impossible order at byte {at}")]
    Order {
        /// Where.
        at: u64,
    },
}

/// The first output that is not what it was.
#[derive(Debug)]
pub struct Difference {
    /// Number of the input before it, from 1.
    pub input: u64,
    /// That input.
    pub after: String,
    /// Number of the output since that input, from 1.
    pub output: usize,
    /// What came out now; `None`: nothing more.
    pub now: Option<String>,
    /// Whether something came out then.
    pub then: bool,
}

/// What going through a journal has shown.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs given.
    pub inputs: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// Time of the first and the last input.
    pub span: Option<(Now, Now)>,
    /// It ends with the server's end; else in the middle, where the program was killed or the disk
    /// was full.
    pub complete: bool,
    /// Bytes behind the last whole part.
    pub cut: u64,
    /// The first difference; nothing behind it was looked at.
    pub difference: Option<Difference>,
    /// What the tables of the server disagree about, at the end or at the difference.
    pub broken: Option<String>,
}

struct Source<R> {
    from: R,
    at: u64,
}

#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
enum Part {
    Entry(u64, Entry),
    /// So many bytes of a part that is not whole.
    Cut(u64),
}

impl<R: Read> Source<R> {
    /// As many bytes as there are.
    fn fill(&mut self, buf: &mut Vec<u8>, len: usize) -> io::Result<bool> {
        buf.clear();
        let mut part = self.from.by_ref().take(len as u64);
        Ok(part.read_to_end(buf)? == len)
    }

    fn next(&mut self, buf: &mut Vec<u8>) -> Result<Part, JournalError> {
        let at = self.at;
        let damaged = |how| JournalError::Damaged { at, how };
        if !self.fill(buf, HEAD_LEN)? {
            return Ok(Part::Cut(buf.len() as u64));
        }
        let Some(head) = buf.first_chunk::<HEAD_LEN>() else {
            return Ok(Part::Cut(0));
        };
        let head = Head::parse(head).map_err(damaged)?;
        if !self.fill(buf, head.len)? {
            return Ok(Part::Cut((HEAD_LEN + buf.len()) as u64));
        }
        let entry = head.entry(buf).map_err(damaged)?;
        self.at += (HEAD_LEN + head.len) as u64;
        Ok(Part::Entry(at, entry))
    }
}

/// Longest text of an input or output that is shown, in characters.
const SHOWN: usize = 2000;

fn shown(value: &dyn std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{} … ({} bytes)", &text[..end], text.len()),
    }
}

/// One line about an input.
fn line(input: &Input) -> String {
    match input {
        Input::Message(conn, smb_engine::link::Inbound::Message { elements, sealed }) => {
            let commands: Vec<String> = elements
                .iter()
                .map(|e| match e.header.command() {
                    Some(command) => format!("{command:?} message {}", e.header.message_id.0),
                    None => "unknown command".to_owned(),
                })
                .collect();
            let sealed = if sealed.is_some() { ", encrypted" } else { "" };
            format!("from {conn}: {}{sealed}", commands.join(", "))
        }
        input => shown(input),
    }
}

/// Gives a server everything in a journal, and compares what comes out. `watch` is told each input
/// (its number, its time, a line about it) before the server is.
///
/// # Errors
/// [`JournalError`]: the journal is of no use. One that only ends too early is not an error.
pub fn run(
    from: impl Read,
    mut watch: impl FnMut(u64, Now, &dyn Fn() -> String),
) -> Result<Report, JournalError> {
    let mut source = Source { from, at: 0 };
    let mut buf = Vec::new();
    if !source.fill(&mut buf, MAGIC.len())? || buf != MAGIC {
        return Err(JournalError::NotAJournal);
    }
    source.at = MAGIC.len() as u64;
    let (config, seed) = match source.next(&mut buf)? {
        Part::Entry(_, Entry::Start(config, seed)) => (config, seed),
        Part::Entry(at, _) => return Err(JournalError::Order { at }),
        Part::Cut(_) => return Err(JournalError::Empty),
    };
    let mut server = Server::new(config, seed);
    let mut report = Report::default();
    let mut last = "the start".to_owned();
    loop {
        match source.next(&mut buf)? {
            Part::Entry(_, Entry::Input(now, input)) => {
                report.inputs += 1;
                report.span = Some((report.span.map_or(now, |(first, _)| first), now));
                watch(report.inputs, now, &|| line(&input));
                last = line(&input);
                input.give(&mut server, now);
            }
            Part::Entry(_, Entry::Outputs(then)) => {
                let found = compare(&mut server, &then);
                report.outputs += then.len() as u64;
                if let Some((output, now, then)) = found {
                    report.difference = Some(Difference {
                        input: report.inputs,
                        after: last,
                        output,
                        now: now.map(|o| shown(&o)),
                        then,
                    });
                    break;
                }
            }
            Part::Entry(at, Entry::End) => {
                report.complete = true;
                if let Some(output) = server.poll_output() {
                    report.difference = Some(Difference {
                        input: report.inputs,
                        after: last,
                        output: 1,
                        now: Some(shown(&output)),
                        then: false,
                    });
                    break;
                }
                if !matches!(source.next(&mut buf)?, Part::Cut(0)) {
                    return Err(JournalError::Order { at });
                }
                break;
            }
            Part::Entry(at, Entry::Start(..)) => return Err(JournalError::Order { at }),
            Part::Cut(bytes) => {
                report.cut = bytes;
                break;
            }
        }
    }
    report.broken = server.check_invariants().err();
    Ok(report)
}

/// The first difference: number of the output, what came out now, whether something did then.
fn compare(server: &mut Server, then: &[u64]) -> Option<(usize, Option<Output>, bool)> {
    for (index, wanted) in then.iter().enumerate() {
        match server.poll_output() {
            Some(output) if digest(&output) == *wanted => {}
            other => return Some((index + 1, other, true)),
        }
    }
    None
}
