//! One connection: its socket, its link, and the bytes on their way out.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};

use bytes::{Buf, BytesMut};
use mio::event::Event;
use mio::net::TcpStream;
use smb_engine::Fault;
use smb_engine::link::{Inbound, Link};
use smb_engine::output::{KeyUpdate, Outbound};

/// Bytes that are read at once when no long message is expected.
const READ_SIZE: usize = 64 << 10;

/// Bytes on their way out above which nothing more is read: a client that does not take its answers
/// gets no further requests in.
const OUT_LIMIT: usize = 32 << 20;

/// Reads in a row before other connections have their turn.
const READS_IN_A_ROW: usize = 16;

/// What reading has brought.
pub(super) struct Received {
    /// Messages, in order.
    pub(super) messages: Vec<Inbound>,
    /// The peer broke the protocol after them.
    pub(super) fault: Option<Fault>,
    /// The connection is at its end.
    pub(super) ended: bool,
}

/// One connection.
pub(super) struct Socket {
    stream: TcpStream,
    link: Link,
    /// Room for what is read next; consecutive reads lie side by side, so that a message that
    /// arrives in pieces is put together without copying.
    spare: BytesMut,
    out: VecDeque<BytesMut>,
    out_len: usize,
    /// The socket may have something to read: the poll has said so and reading has not found it
    /// empty since.
    readable: bool,
    writable: bool,
    /// The peer sends nothing more: what is left can be read up to the end.
    read_closed: bool,
    /// Close once everything is sent.
    closing: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, max_message: usize) -> io::Result<Self> {
        // Answers are complete messages; waiting to join them only delays.
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            link: Link::new(max_message),
            spare: BytesMut::new(),
            out: VecDeque::new(),
            out_len: 0,
            readable: true,
            writable: true,
            read_closed: false,
            closing: false,
        })
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn set_ready(&mut self, event: &Event) {
        self.read_closed |= event.is_read_closed();
        self.readable |= event.is_readable() || self.read_closed;
        self.writable |= event.is_writable();
    }

    /// Whether reading is worth a try right now.
    pub(super) fn wants_read(&self) -> bool {
        self.readable && !self.closing && self.out_len < OUT_LIMIT
    }

    /// Whether everything is sent and the connection is to be closed.
    pub(super) fn is_finished(&self) -> bool {
        self.closing && self.out.is_empty()
    }

    pub(super) fn apply(&mut self, keys: KeyUpdate) {
        self.link.apply(keys);
    }

    pub(super) fn close_when_sent(&mut self) {
        self.closing = true;
    }

    /// Reads what is there, up to a fair share.
    pub(super) fn receive(&mut self) -> Received {
        let mut received = Received {
            messages: Vec::new(),
            fault: None,
            ended: false,
        };
        for _ in 0..READS_IN_A_ROW {
            if !self.wants_read() {
                break;
            }
            let want = self.link.missing().max(READ_SIZE);
            if self.spare.len() < want.min(READ_SIZE) || self.link.missing() > self.spare.len() {
                self.spare = BytesMut::zeroed(want);
            }
            match self.stream.read(&mut self.spare) {
                Ok(0) => {
                    received.ended = true;
                    self.readable = false;
                    break;
                }
                Ok(n) => {
                    // Less than there was room for: the socket is empty, and the poll tells when it
                    // no longer is (epoll(7)).
                    self.readable = n == self.spare.len() || self.read_closed;
                    self.link.feed(self.spare.split_to(n));
                    if !self.take_messages(&mut received) {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    received.ended = true;
                    self.readable = false;
                    break;
                }
            }
        }
        received
    }

    fn take_messages(&mut self, received: &mut Received) -> bool {
        while let Some(message) = self.link.next() {
            match message {
                Ok(inbound) => received.messages.push(inbound),
                Err(fault) => {
                    received.fault = Some(fault);
                    self.readable = false;
                    self.closing = true;
                    return false;
                }
            }
        }
        true
    }

    /// Seals an answer and queues its bytes.
    pub(super) fn queue(&mut self, answer: Outbound) {
        for segment in Link::seal(answer).0 {
            self.out_len = self.out_len.saturating_add(segment.len());
            self.out.push_back(segment);
        }
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) fn send(&mut self) -> io::Result<()> {
        while self.writable && !self.out.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                self.out.iter().take(64).map(|b| IoSlice::new(b)).collect();
            match self.stream.write_vectored(&slices) {
                Ok(n) => self.sent(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn sent(&mut self, mut n: usize) {
        self.out_len = self.out_len.saturating_sub(n);
        while let Some(front) = self.out.front_mut() {
            if front.len() > n {
                front.advance(n);
                return;
            }
            n -= front.len();
            self.out.pop_front();
        }
    }
}
