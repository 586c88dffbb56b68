//! One TCP connection while its packets come: both streams put together, cut into frames, decoded.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::decode::{Decoder, Frame, Item, Shared};
use super::framing::{Cut, Framer};
use super::keys::Scope;
use super::packet::Segment;
use super::tcp::{Half, Piece, Place};
use super::{Conversation, Direction, End, Event, Gap, Start};

/// Bytes that one direction holds while an earlier segment is missing.
const WAITING_MAX: usize = 4 << 20;

/// Gaps reported for each conversation; further ones are only counted.
const GAPS_MAX: usize = 10_000;

/// One connection while its packets come.
pub(super) struct Flow {
    pub(super) conversation: usize,
    pub(super) client: SocketAddr,
    /// Sequence number of the client's SYN.
    pub(super) isn: Option<u32>,
    halves: [Half; 2],
    framers: [Framer; 2],
    decoder: Decoder,
    pub(super) held: usize,
    gaps: usize,
    ended: bool,
}

fn index(direction: Direction) -> usize {
    match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 1,
    }
}

impl Flow {
    /// A connection of which nothing was seen yet. `whole`: its handshake was.
    pub(super) fn new(
        conversation: usize,
        client: SocketAddr,
        server: SocketAddr,
        isn: Option<u32>,
        whole: bool,
    ) -> Self {
        Self {
            conversation,
            client,
            isn,
            halves: [Half::default(), Half::default()],
            framers: [Framer::new(whole), Framer::new(whole)],
            decoder: Decoder::new(Scope::Address(server)),
            held: 0,
            gaps: 0,
            ended: false,
        }
    }

    /// Where both directions begin, if their SYNs were seen before.
    pub(super) fn begun(&mut self, client_isn: Option<u32>, server_isn: Option<u32>) {
        for (half, isn) in self.halves.iter_mut().zip([client_isn, server_isn]) {
            if let Some(isn) = isn {
                half.syn(isn);
            }
        }
    }

    /// The client's first bytes, too few for a frame.
    pub(super) fn early(&mut self, seq: u32, bytes: &[u8], place: Place) {
        let [to_server, _] = &mut self.halves;
        let [framer, _] = &mut self.framers;
        let mut pieces = Vec::new();
        let len = bytes.len();
        to_server.segment(seq, bytes, len, false, place, WAITING_MAX, &mut pieces);
        for piece in pieces {
            framer.take(piece, &mut Vec::new());
        }
    }

    /// Takes a segment.
    pub(super) fn follow(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        segment: &Segment<'_>,
        place: Place,
        events: &mut VecDeque<Event>,
    ) {
        let direction = if segment.from == self.client {
            Direction::ToServer
        } else {
            Direction::ToClient
        };
        let (this, other) = (index(direction), index(direction.reverse()));
        let mut pieces = Vec::new();
        // What the acknowledgement settles comes before what the segment brings: an answer
        // acknowledges its request.
        if let Some(ack) = segment.ack {
            self.halves[other].ack(ack, place, &mut pieces);
        }
        let before = pieces.len();
        let mut seq = segment.seq;
        if segment.syn {
            self.halves[this].syn(segment.seq);
            seq = seq.wrapping_add(1);
        }
        self.halves[this].segment(
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
            self.piece(shared, conversation, direction, piece, events);
        }
        if !self.ended {
            conversation.end_time = place.time;
        }
        if segment.rst {
            conversation.end = End::Reset(direction);
            self.ended = true;
        } else if segment.fin && !self.ended {
            conversation.end = End::Closed(direction);
            self.ended = true;
        }
        conversation.retransmitted = self.halves.iter().map(|h| h.retransmitted).sum();
        conversation.reordered = self.halves.iter().map(|h| h.reordered).sum();
        self.held = self.now_held();
    }

    /// Ends the connection.
    pub(super) fn finish(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        place: Place,
        events: &mut VecDeque<Event>,
    ) {
        self.release(shared, conversation, place, Framer::end, events);
        let found = self.framers.iter().any(|f| f.found);
        describe(conversation, self.decoder.messages(), found, self.gaps);
    }

    fn now_held(&self) -> usize {
        self.halves.iter().map(Half::held).sum::<usize>()
            + self.framers.iter().map(Framer::held).sum::<usize>()
    }

    /// Lets go of what is held, since memory is short.
    pub(super) fn drop_held(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        place: Place,
        events: &mut VecDeque<Event>,
    ) {
        self.release(shared, conversation, place, Framer::drop_held, events);
        self.held = self.now_held();
    }

    /// Passes on what waits for earlier bytes; `end` is what becomes of unfinished frames.
    fn release(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        place: Place,
        end: impl Fn(&mut Framer, Place, &mut Vec<Cut>),
        events: &mut VecDeque<Event>,
    ) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let mut pieces = Vec::new();
            self.halves[index(direction)].end(place, &mut pieces);
            for piece in pieces {
                self.piece(shared, conversation, direction, piece, events);
            }
            let mut cuts = Vec::new();
            end(&mut self.framers[index(direction)], place, &mut cuts);
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

/// Whether no SMB was found in a conversation that has ended.
pub(super) fn is_empty(conversation: &Conversation) -> bool {
    conversation.notes.iter().any(|note| note == NOTHING)
}
