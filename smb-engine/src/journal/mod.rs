//! Everything that goes into a [`Server`], written down so that it can be gone through
//! again: since the server is a function of its inputs, that gives the same outputs, byte for byte.
//!
//! Whoever drives a server hands it a [`Recorder`]; what the recorder is told is encoded with
//! [`Frame::input`] and, for each output, [`digest`]. A journal is [`MAGIC`], then frames: length of
//! the payload (4 bytes, little-endian), a checksum of kind and payload (4), the kind (1), the
//! payload. The first frame is the start (configuration and seed), the last of a journal that was
//! closed in order the end.
//!
//! A journal holds what the server saw, in plain text: file contents, names, and the hashes of
//! passwords that the account database answered with.

mod digest;
mod frame;
pub(crate) mod pack;
mod types;

pub use digest::digest;
pub use frame::{Entry, Frame, HEAD_LEN, Head, MAGIC, MAX_FRAME};
pub use pack::DecodeError;

use bytes::Bytes;

use crate::Peer;
use crate::config::BackendId;
use crate::error::Fault;
use crate::link::Inbound;
use crate::output::{Completion, ConnId, Output, Token};
use crate::server::{Control, Server};
use crate::time::Now;
use crate::vfs::Outside;

/// Writes down what goes into a server and what comes out. It is called with the server at hand, so it
/// must be quick and wait for nothing.
pub trait Recorder: Send {
    /// The server is about to be given this.
    fn input(&mut self, now: Now, input: InputRef<'_>);

    /// The server has given this out.
    fn output(&mut self, output: &Output);
}

/// One input of a server, as it is told to a [`Recorder`].
#[derive(Debug, Clone, Copy)]
pub enum InputRef<'a> {
    /// [`Server::handle_accept`]
    Accept(Peer),
    /// [`Server::handle_message`]
    Message(ConnId, &'a Inbound),
    /// [`Server::handle_fault`]
    Fault(ConnId, &'a Fault),
    /// [`Server::handle_closed`]
    Closed(ConnId),
    /// [`Server::handle_completion`]
    Completion(Token, &'a Completion),
    /// [`Server::handle_timeout`]
    Timeout,
    /// [`Server::handle_control`]
    Control(Control),
    /// [`Server::restore`]
    Restore(&'a [(u64, Bytes)]),
    /// [`Server::handle_outside`]
    Outside(BackendId, &'a Outside),
}

/// One input of a server, as it is read from a journal.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "given to the server at once")]
pub enum Input {
    /// See [`InputRef::Accept`].
    Accept(Peer),
    /// See [`InputRef::Message`].
    Message(ConnId, Inbound),
    /// See [`InputRef::Fault`].
    Fault(ConnId, Fault),
    /// See [`InputRef::Closed`].
    Closed(ConnId),
    /// See [`InputRef::Completion`].
    Completion(Token, Completion),
    /// See [`InputRef::Timeout`].
    Timeout,
    /// See [`InputRef::Control`].
    Control(Control),
    /// See [`InputRef::Restore`].
    Restore(Vec<(u64, Bytes)>),
    /// See [`InputRef::Outside`].
    Outside(BackendId, Outside),
}

impl Input {
    /// Gives it to a server.
    pub fn give(self, server: &mut Server, now: Now) {
        match self {
            Self::Accept(peer) => {
                // Whether it was wanted shows in what follows: a connection that was refused has no
                // further inputs.
                let _wanted = server.handle_accept(now, peer);
            }
            Self::Message(conn, inbound) => server.handle_message(now, conn, inbound),
            Self::Fault(conn, fault) => server.handle_fault(now, conn, fault),
            Self::Closed(conn) => server.handle_closed(now, conn),
            Self::Completion(token, completion) => {
                server.handle_completion(now, token, completion);
            }
            Self::Timeout => server.handle_timeout(now),
            Self::Control(control) => server.handle_control(now, control),
            Self::Restore(kept) => server.restore(now, kept),
            Self::Outside(backend, what) => server.handle_outside(now, backend, what),
        }
    }
}

/// Where a server's recorder is kept.
#[derive(Default)]
pub(crate) struct Desk(Option<Box<dyn Recorder>>);

impl Desk {
    pub(crate) fn open(&mut self, recorder: Box<dyn Recorder>) {
        self.0 = Some(recorder);
    }

    pub(crate) fn input(&mut self, now: Now, input: InputRef<'_>) {
        if let Some(recorder) = &mut self.0 {
            recorder.input(now, input);
        }
    }

    pub(crate) fn output(&mut self, output: Option<&Output>) {
        if let (Some(recorder), Some(output)) = (&mut self.0, output) {
            recorder.output(output);
        }
    }
}

#[cfg(test)]
mod tests;
