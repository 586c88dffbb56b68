//! From a file to messages, as they come: packets are given to their connections, whose streams
//! are put together, cut into frames and decoded.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use thiserror::Error;

use super::counts::Counts;
use super::decode::Shared;
use super::file::{Next, Packet, PacketFile};
use super::flow::{self, Flow};
use super::framing::{begins_frame, surely_begins};
use super::packet::{Dissected, Segment, dissect};
use super::secrets::Secrets;
use super::tcp::Place;
use super::{Conversation, Gap, Message, Other};

/// Why a capture is of no use.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    Io(#[source] std::io::Error),
    /// It is no capture; the text says what else.
    #[error("not a capture: {0}")]
    NotACapture(&'static str),
    /// There is no SMB in it; the text says what was found.
    #[error("no SMB in this capture: {0}")]
    NoSmb(String),
    /// There is more in it than may be held in memory.
    #[error("the capture holds more than {0} MiB of SMB messages, too much to keep in memory")]
    TooLarge(usize),
}

/// How a capture is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// TCP ports of SMB servers. Connections to others are taken as well if their first bytes are
    /// an SMB frame.
    pub ports: Vec<u16>,
    /// What opens encrypted messages.
    pub secrets: Secrets,
    /// Bytes of messages that [`Capture::read`](super::Capture::read) keeps.
    pub kept_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ports: vec![445, 139],
            secrets: Secrets::default(),
            kept_max: 2 << 30,
        }
    }
}

/// What a [`Reader`] finds. The number is that of the conversation.
#[derive(Debug)]
pub enum Event {
    /// A message. Its number counts, [`Message::answer`] and [`Message::interim`] are not known yet.
    Message(usize, Box<Message>),
    /// Another frame.
    Other(usize, Box<Other>),
    /// Missing bytes.
    Gap(usize, Gap),
}

/// Connections followed at the same time; of more, the oldest are taken for ended.
const FLOWS_MAX: usize = 16_384;

/// Connections reported; packets of more are only counted.
const CONVERSATIONS_MAX: usize = 100_000;

/// Handshakes to other ports remembered until the first data.
const HANDSHAKES_MAX: usize = 16_384;

/// Bytes that all connections together hold of incomplete frames and streams.
const HELD_MAX: usize = 256 << 20;

/// Both ends of a connection in a fixed order.
type Ends = (SocketAddr, SocketAddr);

/// The first packets of a connection to a port that is not known for SMB.
#[derive(Debug, Default)]
struct Handshake {
    client: Option<SocketAddr>,
    client_isn: Option<u32>,
    server_isn: Option<u32>,
    /// The client's first bytes, if they are too few to tell what they begin: some clients send
    /// the length of a message by itself.
    early: Option<Early>,
}

/// A segment put aside.
#[derive(Debug)]
struct Early {
    seq: u32,
    bytes: Vec<u8>,
    place: Place,
}

/// Reads a capture and gives its messages one by one, in bounded memory.
pub struct Reader<R: Read> {
    file: PacketFile<R>,
    ports: Vec<u16>,
    shared: Shared,
    conversations: Vec<Conversation>,
    flows: BTreeMap<Ends, Flow>,
    order: VecDeque<Ends>,
    handshakes: BTreeMap<Ends, Handshake>,
    held: usize,
    counts: Counts,
    events: VecDeque<Event>,
    last: Place,
    trouble: Option<String>,
    done: bool,
}

fn ends(segment: &Segment<'_>) -> Ends {
    if segment.from <= segment.to {
        (segment.from, segment.to)
    } else {
        (segment.to, segment.from)
    }
}

impl Reader<File> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`CaptureError::Io`], [`CaptureError::NotACapture`]
    pub fn open(path: &Path, options: &Options) -> Result<Self, CaptureError> {
        Self::new(File::open(path).map_err(CaptureError::Io)?, options)
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// [`CaptureError::Io`], [`CaptureError::NotACapture`]
    pub fn new(source: R, options: &Options) -> Result<Self, CaptureError> {
        let mut shared = Shared::default();
        shared.sessions.secrets = options.secrets.clone();
        let file = PacketFile::new(source)?;
        for key in file.session_keys() {
            // A comment may say anything; what is no key is not one.
            let _not_a_key = shared.sessions.secrets.add_session_key(&key).err();
        }
        Ok(Self {
            file,
            ports: options.ports.clone(),
            shared,
            conversations: Vec::new(),
            flows: BTreeMap::new(),
            order: VecDeque::new(),
            handshakes: BTreeMap::new(),
            held: 0,
            counts: Counts::default(),
            events: VecDeque::new(),
            last: Place::default(),
            trouble: None,
            done: false,
        })
    }

    /// The conversations so far, without their messages.
    #[must_use]
    pub fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    /// Bytes of the file read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.file.position().bytes()
    }

    /// Bytes of incomplete streams and frames held at present.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The next finding; `None` at the end.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.done {
                return None;
            }
            self.step();
        }
    }

    /// Takes one packet.
    fn step(&mut self) {
        // The packet borrows the file, everything else is free to change.
        let Self { file, .. } = self;
        match file.next_packet() {
            Next::Packet(Packet {
                number,
                time,
                link,
                data,
                cut,
            }) => {
                self.last = Place {
                    frame: number,
                    time,
                };
                self.counts.cut_packets += u64::from(cut);
                let data = data.into_owned();
                self.packet(link, &data);
            }
            Next::End(trouble) => {
                self.trouble = trouble;
                self.done = true;
                let all: Vec<Ends> = self.order.drain(..).collect();
                for ends in all {
                    self.finish(ends);
                }
            }
        }
    }

    fn packet(&mut self, link: u32, data: &[u8]) {
        match dissect(link, data) {
            Dissected::Tcp(segment) => {
                self.counts.tcp += 1;
                self.segment(&segment);
            }
            Dissected::Fragment => self.counts.fragments += 1,
            Dissected::CutHeader => self.counts.cut_headers += 1,
            Dissected::Other => self.counts.other += 1,
            Dissected::UnknownLink => {
                if self.counts.unknown_links.len() < 100 {
                    *self.counts.unknown_links.entry(link).or_default() += 1;
                }
            }
        }
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        let key = ends(segment);
        let known = self.flows.get(&key);
        // A port is used again.
        let again = known.is_some_and(|flow| {
            segment.syn
                && segment.ack.is_none()
                && segment.from == flow.client
                && (flow.isn.is_none() || flow.isn != Some(segment.seq))
        });
        if again {
            self.order.retain(|k| *k != key);
            self.finish(key);
        }
        if self.flows.contains_key(&key) || self.begin(key, segment) {
            self.follow(key, segment);
        }
    }

    /// Whether a segment of a connection not followed yet begins one that is to be followed.
    fn begin(&mut self, key: Ends, segment: &Segment<'_>) -> bool {
        let (to, from) = (segment.to.port(), segment.from.port());
        let named = (self.ports.contains(&to), self.ports.contains(&from));
        let opening = segment.syn && segment.ack.is_none();
        let mut handshake = Handshake::default();
        let client = match named {
            // What is left of a connection that has ended says nothing.
            (true, _) | (_, true) if segment.rst && segment.len == 0 => return false,
            (true, true) if opening => segment.from,
            (true, true) if segment.syn => segment.to,
            (true, false) => segment.from,
            (false, true) => segment.to,
            (true, true) => key.1,
            (false, false) => {
                if segment.syn {
                    if self.handshakes.len() >= HANDSHAKES_MAX {
                        self.handshakes.pop_first();
                    }
                    let entry = self.handshakes.entry(key).or_default();
                    if opening {
                        entry.client = Some(segment.from);
                        entry.client_isn = Some(segment.seq);
                    } else {
                        entry.server_isn = Some(segment.seq);
                    }
                    return false;
                }
                if segment.payload.is_empty() {
                    return false;
                }
                handshake = self.handshakes.remove(&key).unwrap_or_default();
                match self.is_smb(&mut handshake, segment) {
                    Some(true) => handshake.client.unwrap_or_else(|| guess_client(segment)),
                    Some(false) => return false,
                    None => {
                        self.handshakes.insert(key, handshake);
                        return false;
                    }
                }
            }
        };
        if self.conversations.len() >= CONVERSATIONS_MAX {
            self.counts.beyond += 1;
            return false;
        }
        let server = if client == segment.from {
            segment.to
        } else {
            segment.from
        };
        let whole = segment.syn || handshake.client_isn.is_some();
        let number = self.conversations.len();
        let time = self.last.time;
        let conversation = Conversation::new(number, client, server, whole, time);
        self.conversations.push(conversation);
        if self.flows.len() >= FLOWS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.forgotten += 1;
            self.finish(oldest);
        }
        self.order.push_back(key);
        let isn = if opening {
            Some(segment.seq)
        } else {
            handshake.client_isn
        };
        let mut flow = Flow::new(number, client, server, isn, whole);
        flow.begun(handshake.client_isn, handshake.server_isn);
        if let Some(early) = &handshake.early {
            flow.early(early.seq, &early.bytes, early.place);
        }
        self.flows.insert(key, flow);
        true
    }

    /// Whether the first data of a connection begin an SMB frame; `None` if there are too few.
    fn is_smb(&self, handshake: &mut Handshake, segment: &Segment<'_>) -> Option<bool> {
        let first = handshake.client_isn.map(|isn| isn.wrapping_add(1));
        let from_start = handshake.client == Some(segment.from) && first == Some(segment.seq);
        match &handshake.early {
            None if from_start && begins_frame(segment.payload).is_none() => {
                handshake.early = Some(Early {
                    seq: segment.seq,
                    bytes: segment.payload.to_vec(),
                    place: self.last,
                });
                None
            }
            Some(early) if handshake.client == Some(segment.from) => {
                let end = early.seq.wrapping_add(early.bytes.len() as u32);
                if end != segment.seq {
                    return Some(false);
                }
                let head = segment.payload.iter().take(16);
                let all: Vec<u8> = early.bytes.iter().chain(head).copied().collect();
                Some(surely_begins(&all) == Some(true))
            }
            None | Some(_) => Some(surely_begins(segment.payload) == Some(true)),
        }
    }

    /// Gives a segment to its connection.
    fn follow(&mut self, key: Ends, segment: &Segment<'_>) {
        let place = self.last;
        let Some(flow) = self.flows.get_mut(&key) else {
            return;
        };
        let Some(conversation) = self.conversations.get_mut(flow.conversation) else {
            return;
        };
        self.held -= flow.held;
        flow.follow(
            &mut self.shared,
            conversation,
            segment,
            place,
            &mut self.events,
        );
        if self.held + flow.held > HELD_MAX {
            flow.drop_held(&mut self.shared, conversation, place, &mut self.events);
        }
        self.held += flow.held;
    }

    /// Ends a connection, whether or not its packets did.
    fn finish(&mut self, key: Ends) {
        let Some(mut flow) = self.flows.remove(&key) else {
            return;
        };
        self.held -= flow.held;
        if let Some(conversation) = self.conversations.get_mut(flow.conversation) {
            flow.finish(&mut self.shared, conversation, self.last, &mut self.events);
        }
    }

    /// What is to be said about the file as a whole; complete after the last event.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.trouble.iter().cloned().collect();
        notes.extend(self.counts.notes());
        notes
    }

    /// The conversations without their messages, at the end.
    pub(super) fn into_conversations(self) -> Vec<Conversation> {
        self.conversations
    }

    /// Packets read so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.file.packets()
    }

    /// Whether there was any SMB; to be asked after the last event.
    ///
    /// # Errors
    /// [`CaptureError::NoSmb`] with what was found instead.
    pub fn check(&self) -> Result<(), CaptureError> {
        if !self.conversations.iter().all(flow::is_empty) {
            return Ok(());
        }
        let mut text = match self.packets() {
            0 => "there is no packet in it".to_owned(),
            n => format!("{n} packets, {} of them TCP", self.counts.tcp),
        };
        if self.packets() > 0 {
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            let n = self.conversations.len();
            text.push_str(&match n {
                0 => format!(", no connection to port {}", ports.join(" or ")),
                _ => format!(", {n} connections to the ports of SMB, but no SMB message"),
            });
        }
        for note in self.notes() {
            text.push_str("; ");
            text.push_str(&note);
        }
        Err(CaptureError::NoSmb(text))
    }
}

/// Who is the client, by the first frame of a connection whose handshake was not captured.
fn guess_client(segment: &Segment<'_>) -> SocketAddr {
    let byte = |at: usize| segment.payload.get(at).copied().unwrap_or(0);
    let from_server = match byte(4) {
        // Flags of the SMB2 and the SMB1 header.
        0xfe => byte(4 + 16) & 1 == 1,
        0xff => byte(4 + 9) & 0x80 != 0,
        // Nothing tells but that servers have the lower ports.
        _ => segment.from.port() < segment.to.port(),
    };
    if from_server {
        segment.to
    } else {
        segment.from
    }
}
