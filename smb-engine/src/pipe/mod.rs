//! Named pipes on IPC$: the remote calls with which clients list shares, translate SIDs and read
//! accounts.
//!
//! A [`Pipe`] is one open of one pipe. It takes the bytes that a client writes, cuts them into RPC
//! PDUs, answers each call from a [`ServerView`], and keeps the answers until they are read. It
//! has no other input: what a call may know is in the view.

mod handles;
mod lsarpc;
mod names;
mod netpath;
mod rpc;
mod samr;
mod srvsvc;
mod view;
mod wkssvc;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use smb_proto::NtStatus;
use smb_proto::rpc::pdu::Pdu;

use self::rpc::{Association, Family};
pub use self::view::{
    AccountKind, AccountView, Caller, ConnectionView, FileView, ServerView, SessionView, ShareView,
};

/// The most bytes of answers that wait to be read. A client that asks for more without reading is
/// disconnected from the pipe.
pub const MAX_PENDING: usize = 2 << 20;

/// What a read from a pipe gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The bytes. Empty: nothing is there to be read (STATUS_PIPE_EMPTY, unless the read may
    /// wait).
    pub data: Bytes,
    /// The message goes on: the answer is STATUS_BUFFER_OVERFLOW, and the next read continues.
    pub more: bool,
}

/// One open of one named pipe, in message mode.
#[derive(Debug)]
pub struct Pipe {
    association: Association,
    /// Bytes written that are not a whole PDU yet.
    inbox: BytesMut,
    /// PDUs to be read, each a message.
    outbox: VecDeque<Bytes>,
    /// The client broke the protocol; nothing more is taken.
    broken: bool,
}

/// The pipes that exist: name, secondary address in bind_ack, interfaces behind it. As in Windows,
/// the account interfaces share one process and can be bound on any of its pipes.
const PIPES: &[(&str, &str, Family)] = &[
    ("srvsvc", "\\pipe\\srvsvc", Family::Server),
    ("wkssvc", "\\pipe\\wkssvc", Family::Server),
    ("lsarpc", "\\pipe\\lsass", Family::Accounts),
    ("lsass", "\\pipe\\lsass", Family::Accounts),
    ("samr", "\\pipe\\lsass", Family::Accounts),
];

impl Pipe {
    /// Opens the pipe of this name, without regard to case, with or without a backslash or `pipe\`
    /// before it; `None` if there is none (STATUS_OBJECT_NAME_NOT_FOUND).
    #[must_use]
    pub fn open(name: &str) -> Option<Self> {
        let name = name.strip_prefix('\\').unwrap_or(name);
        let name = match name.split_at_checked(5) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("pipe\\") => rest,
            _ => name,
        };
        let (_, address, family) = PIPES.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name))?;
        Some(Self {
            association: Association::new(*family, address),
            inbox: BytesMut::new(),
            outbox: VecDeque::new(),
            broken: false,
        })
    }

    /// Bytes of requests that are not complete and of answers that wait to be read.
    #[must_use]
    pub fn held(&self) -> usize {
        self.inbox.len().saturating_add(self.available())
    }

    /// Takes what the client wrote, and answers every call that is complete thereby.
    ///
    /// # Errors
    ///
    /// STATUS_PIPE_DISCONNECTED once the client has sent something that is no RPC PDU, or has
    /// asked for more than [`MAX_PENDING`] bytes without reading them.
    pub fn write(&mut self, data: &[u8], view: &ServerView) -> Result<(), NtStatus> {
        if self.broken {
            return Err(NtStatus::PIPE_DISCONNECTED);
        }
        self.inbox.extend_from_slice(data);
        let done = self.take_pdus(view);
        if done.is_err() {
            self.broken = true;
            self.inbox = BytesMut::new();
        }
        done
    }

    fn take_pdus(&mut self, view: &ServerView) -> Result<(), NtStatus> {
        const BROKEN: NtStatus = NtStatus::PIPE_DISCONNECTED;
        while let Some(len) = Pdu::fragment_len(&self.inbox).map_err(|_| BROKEN)? {
            if self.inbox.len() < len {
                break;
            }
            if self.available() > MAX_PENDING {
                return Err(BROKEN);
            }
            let pdu = Pdu::parse(&self.inbox.split_to(len).freeze()).map_err(|_| BROKEN)?;
            let replies = self.association.handle(pdu, view).map_err(|_| BROKEN)?;
            self.outbox.extend(replies);
        }
        Ok(())
    }

    /// Takes at most `max` bytes of the next message.
    pub fn read(&mut self, max: usize) -> ReadOutcome {
        let Some(message) = self.outbox.front_mut() else {
            return ReadOutcome {
                data: Bytes::new(),
                more: false,
            };
        };
        if message.len() > max {
            return ReadOutcome {
                data: message.split_to(max),
                more: true,
            };
        }
        ReadOutcome {
            data: self.outbox.pop_front().unwrap_or_default(),
            more: false,
        }
    }

    /// A write and a read in one (FSCTL_PIPE_TRANSCEIVE, [MS-FSCC] 2.3.47).
    ///
    /// # Errors
    ///
    /// STATUS_PIPE_BUSY if something is there that was not read; else as [`Self::write`].
    pub fn transceive(
        &mut self,
        input: &[u8],
        max_out: usize,
        view: &ServerView,
    ) -> Result<ReadOutcome, NtStatus> {
        if !self.outbox.is_empty() {
            return Err(NtStatus::PIPE_BUSY);
        }
        self.write(input, view)?;
        Ok(self.read(max_out))
    }

    /// Bytes that can be read, over all messages (FSCTL_PIPE_PEEK, FilePipeLocalInformation).
    #[must_use]
    pub fn available(&self) -> usize {
        self.outbox.iter().map(Bytes::len).sum()
    }

    /// Bytes of the message that is read next, and its first ones (FSCTL_PIPE_PEEK).
    #[must_use]
    pub fn next_message(&self) -> Option<&Bytes> {
        self.outbox.front()
    }

    /// Messages that can be read (FSCTL_PIPE_PEEK).
    #[must_use]
    pub fn messages(&self) -> usize {
        self.outbox.len()
    }

    /// Whether the calls of this pipe ask for accounts, so that [`ServerView::accounts`] has to be
    /// filled in.
    #[must_use]
    pub fn needs_accounts(&self) -> bool {
        self.association.family() == Family::Accounts
    }

    /// Whether the client has been disconnected from the pipe for breaking the protocol.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests;
