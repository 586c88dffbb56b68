//! From a file to messages, as they come: packets are given to their connections, whose streams
//! are put together, cut into frames and decoded.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use thiserror::Error;

use super::decode::{Decoder, Frame, Item, Shared};
use super::file::{Next, Packet, PacketFile};
use super::framing::{Cut, Framer, begins_frame, surely_begins};
use super::keys::Scope;
use super::packet::{Dissected, Segment, dissect};
use super::secrets::Secrets;
use super::tcp::{Half, Piece, Place};
use super::{
    Capture, Conversation, Direction, End, Gap, GapCause, Message, Other, Start, Transport,
};

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
    /// Bytes of messages that [`Capture::read`] keeps.
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

/// Bytes that one direction holds while an earlier segment is missing.
const WAITING_MAX: usize = 4 << 20;

/// Bytes that all connections together hold of incomplete frames and streams.
const HELD_MAX: usize = 256 << 20;

/// Gaps reported for each conversation; further ones are only counted.
const GAPS_MAX: usize = 10_000;

/// Both ends of a connection in a fixed order.
type Ends = (SocketAddr, SocketAddr);

/// One connection while its packets come.
struct Flow {
    conversation: usize,
    client: SocketAddr,
    /// Sequence number of the client's SYN.
    isn: Option<u32>,
    halves: [Half; 2],
    framers: [Framer; 2],
    decoder: Decoder,
    held: usize,
    gaps: usize,
    ended: bool,
}

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

#[derive(Debug, Default)]
struct Counts {
    fragments: u64,
    cut_headers: u64,
    cut_packets: u64,
    unknown_links: BTreeMap<u32, u64>,
    tcp: u64,
    other: u64,
    beyond: u64,
    forgotten: u64,
    messages: u64,
    ports: BTreeMap<u16, u64>,
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

fn index(direction: Direction) -> usize {
    match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 1,
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
        *self.counts.ports.entry(server.port()).or_default() += 1;
        self.conversations.push(Conversation {
            number,
            client,
            server,
            transport: Transport::Direct,
            start: if whole {
                Start::Handshake
            } else {
                Start::Middle
            },
            end: End::Open,
            end_time: self.last.time,
            time: self.last.time,
            messages: Vec::new(),
            others: Vec::new(),
            gaps: Vec::new(),
            negotiated: None,
            logons: Vec::new(),
            retransmitted: 0,
            reordered: 0,
            notes: Vec::new(),
        });
        let mut halves = [Half::default(), Half::default()];
        let mut framers = [Framer::new(whole), Framer::new(whole)];
        let [to_server, to_client] = &mut halves;
        if let Some(isn) = handshake.client_isn {
            to_server.syn(isn);
        }
        if let Some(isn) = handshake.server_isn {
            to_client.syn(isn);
        }
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
        if let Some(early) = &handshake.early {
            let [to_server, _] = &mut halves;
            let (bytes, place) = (&early.bytes, early.place);
            let mut pieces = Vec::new();
            to_server.segment(
                early.seq,
                bytes,
                bytes.len(),
                false,
                place,
                WAITING_MAX,
                &mut pieces,
            );
            // Too little for a frame, so that nothing but the framer gets it.
            for piece in pieces {
                framers[0].take(piece, &mut Vec::new());
            }
        }
        self.flows.insert(
            key,
            Flow {
                conversation: number,
                client,
                isn,
                halves,
                framers,
                decoder: Decoder::new(Scope::Address(server)),
                held: 0,
                gaps: 0,
                ended: false,
            },
        );
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
        let direction = if segment.from == flow.client {
            Direction::ToServer
        } else {
            Direction::ToClient
        };
        let (this, other) = (index(direction), index(direction.reverse()));
        let mut pieces = Vec::new();
        // What the acknowledgement settles comes before what the segment brings: an answer
        // acknowledges its request.
        if let Some(ack) = segment.ack {
            flow.halves[other].ack(ack, place, &mut pieces);
        }
        let before = pieces.len();
        let mut seq = segment.seq;
        if segment.syn {
            flow.halves[this].syn(segment.seq);
            seq = seq.wrapping_add(1);
        }
        flow.halves[this].segment(
            seq,
            segment.payload,
            segment.len,
            segment.fin,
            place,
            WAITING_MAX,
            &mut pieces,
        );
        for (taken, piece) in pieces.into_iter().enumerate() {
            let direction = if taken < before {
                direction.reverse()
            } else {
                direction
            };
            flow.piece(
                &mut self.shared,
                conversation,
                direction,
                piece,
                &mut self.events,
            );
        }
        if !flow.ended {
            conversation.end_time = self.last.time;
        }
        if segment.rst {
            conversation.end = End::Reset(direction);
            flow.ended = true;
        } else if segment.fin && !flow.ended {
            conversation.end = End::Closed(direction);
            flow.ended = true;
        }
        conversation.retransmitted = flow.halves.iter().map(|h| h.retransmitted).sum();
        conversation.reordered = flow.halves.iter().map(|h| h.reordered).sum();
        self.held -= flow.held;
        flow.held = flow.now_held();
        if self.held + flow.held > HELD_MAX {
            flow.drop_held(&mut self.shared, conversation, place, &mut self.events);
            flow.held = flow.now_held();
        }
        self.held += flow.held;
    }

    /// Ends a connection, whether or not its packets did.
    fn finish(&mut self, key: Ends) {
        let Some(mut flow) = self.flows.remove(&key) else {
            return;
        };
        self.held -= flow.held;
        let Some(conversation) = self.conversations.get_mut(flow.conversation) else {
            return;
        };
        for direction in [Direction::ToServer, Direction::ToClient] {
            let mut pieces = Vec::new();
            flow.halves[index(direction)].end(self.last, &mut pieces);
            for piece in pieces {
                flow.piece(
                    &mut self.shared,
                    conversation,
                    direction,
                    piece,
                    &mut self.events,
                );
            }
            let mut cuts = Vec::new();
            flow.framers[index(direction)].end(self.last, &mut cuts);
            flow.cuts(
                &mut self.shared,
                conversation,
                direction,
                cuts,
                &mut self.events,
            );
        }
        let messages = flow.decoder.messages();
        self.counts.messages += messages as u64;
        let found = flow.framers.iter().any(|f| f.found);
        describe(conversation, messages, found, flow.gaps);
    }

    /// What is to be said about the file as a whole; complete after the last event.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let c = &self.counts;
        let mut notes: Vec<String> = self.trouble.iter().cloned().collect();
        let mut say = |n: u64, one: &str, many: &str| {
            if n > 0 {
                notes.push(format!("{n} {}", if n == 1 { one } else { many }));
            }
        };
        say(
            c.cut_packets,
            "packet was recorded only in part (snaplen)",
            "packets were recorded only in part (snaplen)",
        );
        say(
            c.fragments,
            "IP fragment, which is not put together: its bytes count as missing",
            "IP fragments, which are not put together: their bytes count as missing",
        );
        say(
            c.cut_headers,
            "packet is cut within its TCP header",
            "packets are cut within their TCP headers",
        );
        say(
            c.beyond,
            "packet of connections beyond the most that are looked at",
            "packets of connections beyond the most that are looked at",
        );
        say(
            c.forgotten,
            "connection was given up for the sake of newer ones",
            "connections were given up for the sake of newer ones",
        );
        for (link, n) in &c.unknown_links {
            say(
                *n,
                &format!("packet has the link type {link}, which is not known here"),
                &format!("packets have the link type {link}, which is not known here"),
            );
        }
        notes
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
        if self
            .conversations
            .iter()
            .any(|c| !c.notes.contains(&NOTHING.to_owned()))
        {
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

/// Said of connections in which no frame was found.
const NOTHING: &str = "no SMB message was found in it";

/// Sums a conversation up.
fn describe(conversation: &mut Conversation, messages: usize, found: bool, gaps: usize) {
    let mut notes = Vec::new();
    if !found && messages == 0 {
        notes.push(NOTHING.to_owned());
    } else if conversation.start == Start::Middle {
        notes.push(
            "the capture begins in the middle of it: dialect, keys and the names of files opened before \
             are not known, so signatures are not checked, and encrypted messages are opened only \
             with --session-key"
                .to_owned(),
        );
    }
    if gaps > GAPS_MAX {
        notes.push(format!("{} more gaps", gaps - GAPS_MAX));
    }
    conversation.notes.extend(notes);
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

impl Flow {
    fn now_held(&self) -> usize {
        self.halves.iter().map(Half::held).sum::<usize>()
            + self.framers.iter().map(Framer::held).sum::<usize>()
    }

    /// Lets go of what is held, since memory is short.
    fn drop_held(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        place: Place,
        events: &mut VecDeque<Event>,
    ) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let mut pieces = Vec::new();
            self.halves[index(direction)].end(place, &mut pieces);
            for piece in pieces {
                self.piece(shared, conversation, direction, piece, events);
            }
            let mut cuts = Vec::new();
            self.framers[index(direction)].drop_held(place, &mut cuts);
            self.cuts(shared, conversation, direction, cuts, events);
        }
    }

    fn piece(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        direction: Direction,
        piece: Piece,
        events: &mut VecDeque<Event>,
    ) {
        let mut cuts = Vec::new();
        self.framers[index(direction)].take(piece, &mut cuts);
        self.cuts(shared, conversation, direction, cuts, events);
    }

    fn cuts(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        direction: Direction,
        cuts: Vec<Cut>,
        events: &mut VecDeque<Event>,
    ) {
        let number = self.conversation;
        let mut items = Vec::new();
        for cut in cuts {
            match cut {
                Cut::Message {
                    bytes,
                    missing,
                    first,
                    last,
                } => {
                    let frame = Frame {
                        direction,
                        bytes,
                        missing,
                        first,
                        last,
                    };
                    self.decoder.frame(shared, conversation, frame, &mut items);
                }
                Cut::NetBios {
                    packet_type,
                    body,
                    first,
                    last,
                } => {
                    let frame = Frame {
                        direction,
                        bytes: body,
                        missing: 0,
                        first,
                        last,
                    };
                    self.decoder
                        .netbios(conversation, packet_type, frame, &mut items);
                }
                Cut::Gap(len, cause, place) => {
                    self.gaps += 1;
                    if self.gaps <= GAPS_MAX {
                        events.push_back(Event::Gap(
                            number,
                            Gap {
                                direction,
                                len,
                                cause,
                                before: self.decoder.messages(),
                                frame: place.frame,
                            },
                        ));
                    }
                }
            }
            events.extend(items.drain(..).map(|item| match item {
                Item::Message(m) => Event::Message(number, m),
                Item::Other(o) => Event::Other(number, o),
            }));
        }
    }
}

impl Capture {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn open(path: &Path, options: &Options) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(CaptureError::Io)?;
        Self::read(file, options, |_| ())
    }

    /// Reads a whole capture; `progress` is told how many bytes were read, again and again.
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn read<R: Read>(
        source: R,
        options: &Options,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, CaptureError> {
        let mut reader = Reader::new(source, options)?;
        let mut found: Vec<(Vec<Message>, Vec<Other>, Vec<Gap>)> = Vec::new();
        let mut kept = 0;
        let mut events = 0u32;
        while let Some(event) = reader.next_event() {
            events = events.wrapping_add(1);
            if events.is_multiple_of(1024) {
                progress(reader.bytes_read());
            }
            let (Event::Message(number, _) | Event::Other(number, _) | Event::Gap(number, _)) =
                event;
            if found.len() <= number {
                found.resize_with(number + 1, Default::default);
            }
            let Some((messages, others, gaps)) = found.get_mut(number) else {
                continue;
            };
            match event {
                Event::Message(_, message) => {
                    kept += size_of::<Message>() + message.raw.len();
                    link(messages, &message);
                    messages.push(*message);
                }
                Event::Other(_, other) => {
                    kept += size_of::<Other>() + other.raw.len();
                    others.push(*other);
                }
                Event::Gap(_, gap) => {
                    kept += size_of::<Gap>();
                    gaps.push(gap);
                }
            }
            if kept > options.kept_max {
                return Err(CaptureError::TooLarge(options.kept_max >> 20));
            }
        }
        progress(reader.bytes_read());
        reader.check()?;
        let (notes, packets) = (reader.notes(), reader.packets());
        let mut conversations = reader.conversations;
        for (conversation, (messages, others, gaps)) in conversations.iter_mut().zip(found) {
            conversation.messages = messages;
            conversation.others = others;
            conversation.gaps = gaps;
        }
        Ok(Self {
            conversations,
            notes,
            packets,
        })
    }
}

/// Enters an answer into its request.
fn link(messages: &mut [Message], answer: &Message) {
    let request = answer.request.and_then(|index| messages.get_mut(index));
    let Some(request) = request else { return };
    if answer.is_interim() {
        request.interim = Some(answer.number);
        return;
    }
    request.answer = Some(answer.number);
    if request.resolved.file.is_none() {
        request.resolved.file = answer.resolved.file;
    }
}

impl GapCause {
    /// What the cause is in a few words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NotCaptured => "not captured",
            Self::Cut => "recorded in part (snaplen)",
            Self::End => "not seen before the end",
            Self::Limit => "given up, too much waits behind them",
            Self::NotSmb => "begin no SMB frame",
        }
    }
}
