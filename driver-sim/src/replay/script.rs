//! What the clients of a capture do, in its order, and the small changes that their messages need.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smb_proto::header::HEADER_LEN;
use smb_proto::msg::session_setup;
use smb_proto::wire::Writer;

use super::ids;
use crate::capture::{Conversation, Direction, End};
use crate::client::Element;

/// Something that a client does.
#[derive(Debug)]
pub(super) enum What {
    /// Messages from this one on, so many, in one frame.
    Frame(usize, usize),
    /// A frame that is no readable message, by index.
    Other(usize),
    /// The end of the connection.
    Close,
}

/// When who does what.
pub(super) struct Event {
    pub(super) time: Duration,
    pub(super) conversation: usize,
    pub(super) what: What,
}

/// What clients do, in the order of the capture.
pub(super) fn events(all: &[Conversation], conversations: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    for &index in conversations {
        let Some(c) = all.get(index) else { continue };
        let mut time = c.time;
        let mut at = 0;
        let mut others = c.others.iter().enumerate().peekable();
        while at <= c.messages.len() {
            while let Some((n, other)) = others.next_if(|(_, o)| o.before <= at) {
                time = time.max(other.time);
                if other.direction == Direction::ToServer {
                    events.push(Event {
                        time,
                        conversation: index,
                        what: What::Other(n),
                    });
                }
            }
            let Some(m) = c.messages.get(at) else { break };
            time = time.max(m.time);
            if m.direction == Direction::ToClient {
                at += 1;
                continue;
            }
            let rest = c.messages.iter().skip(at + 1);
            let more = rest
                .zip(m.compound.index + 1..)
                .take_while(|(n, i)| {
                    n.direction == m.direction && n.compound.index == *i && n.frames == m.frames
                })
                .count();
            events.push(Event {
                time,
                conversation: index,
                what: What::Frame(at, 1 + more),
            });
            at += 1 + more;
        }
        if c.end != End::Open {
            events.push(Event {
                time: time.max(c.end_time),
                conversation: index,
                what: What::Close,
            });
        }
    }
    // Stable: what one connection does stays in order.
    events.sort_by_key(|e| e.time);
    events
}

/// The logon that a request belongs to.
pub(super) fn logon_of(c: &Conversation, message: usize) -> Option<usize> {
    c.logons.iter().position(|l| l.requests.contains(&message))
}

/// Pads the elements of a compound and enters where each next one begins.
pub(super) fn chain(elements: &mut [Element]) {
    let count = elements.len();
    for (n, element) in elements.iter_mut().enumerate() {
        let mut next = 0;
        if n + 1 < count {
            let len = element.bytes.len().next_multiple_of(8);
            element.bytes.resize(len, 0);
            next = u32::try_from(len).unwrap_or(0);
        }
        ids::set_next(&mut element.bytes, next);
    }
}

/// Puts another token into a SESSION_SETUP request.
pub(super) fn replace_token(element: &mut BytesMut, token: &Bytes) {
    let raw = element.clone().freeze();
    let Ok(mut request) = session_setup::Request::parse(&raw) else {
        return;
    };
    request.security_buffer = token.clone();
    let mut w = Writer::new();
    w.bytes(raw.get(..HEADER_LEN).unwrap_or(&[]));
    request.encode(&mut w);
    *element = w.into_inner();
}
