//! What the server tells its driver to do.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smb_proto::crypto::{OpeningKey, SealingKey, SigningKey};
use smb_proto::id::SessionId;
use smb_proto::{Header, msg};

use crate::core::Conn;
use crate::core::Op;
use crate::error::Fault;
use crate::event::Event;
use crate::identity::Account;
use crate::table::Id;
use crate::vfs::{Payload, VfsRequest};

/// A transport connection, as the driver and the server name it to each other.
pub type ConnId = Id<Conn>;

/// Names one question of the server; comes back with its answer. An answer to a question that
/// nobody waits for any more is ignored (and what it opened is closed again).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    pub(crate) op: Id<Op>,
    pub(crate) seq: u32,
}

/// Something for the driver to do. Outputs for one connection are carried out in order.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once, from the queue to the driver"
)]
pub enum Output {
    /// Give it to [`crate::link::Link::seal`] and send the bytes.
    Send(ConnId, Outbound),
    /// Give it to the connection's [`crate::link::Link::apply`], before anything that comes later.
    Keys(ConnId, KeyUpdate),
    /// Carry out a file operation and answer with [`crate::Server::handle_completion`].
    Vfs(VfsRequest),
    /// Look something up and answer with [`crate::Server::handle_completion`].
    Lookup(Token, Query),
    /// Keep this, so that a server that starts after this one has ended, in whatever way, can be given
    /// it with [`crate::Server::restore`]. Nothing that comes later may leave before it is kept.
    Store(Vec<Keep>),
    /// Send what is queued for the connection, close it, and say [`crate::Server::handle_closed`].
    Close(ConnId, CloseReason),
    /// Something worth counting, logging or auditing.
    Event(Event),
}

/// What a driver keeps of one persistent open ([MS-SMB2] 3.3.1.10 Open.IsPersistent): some bytes under
/// a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The number.
    pub id: u64,
    /// The bytes, in place of what was kept under the number; `None`: nothing is to be kept any more.
    pub record: Option<Bytes>,
}

/// A question about accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The account of this name. → [`Completion::Account`]
    Account {
        /// User name as the client gave it.
        user: String,
        /// Domain as the client gave it; most databases ignore it.
        domain: String,
    },
    /// All accounts, for listings over samr and lsarpc. → [`Completion::Accounts`]
    Accounts,
}

/// The answer to an [`Output::Vfs`] or [`Output::Lookup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once, from the driver to the operation"
)]
pub enum Completion {
    /// Of a file operation.
    Vfs(crate::vfs::VfsResult),
    /// The account, if there is such.
    Account(Option<Account>),
    /// Names and SIDs of users and groups.
    Accounts(Vec<crate::identity::Identity>),
}

/// Why the server closes a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer broke the protocol.
    Fault(Fault),
    /// A limit on connections.
    TooManyConnections,
    /// Idle for too long.
    Idle,
    /// The operator or the server's end.
    Administrative,
    /// Its last session was ended by the server.
    SessionEnded,
}

/// Keys that a link needs to open and verify what comes in.
#[derive(Debug)]
pub enum KeyUpdate {
    /// NEGOTIATE is done.
    Negotiated {
        /// Encrypted messages are possible from now on.
        encryption: bool,
    },
    /// Longest message that is taken from now on, in bytes.
    MaxMessage(usize),
    /// Keys of a session on this connection; replaces earlier ones.
    Install {
        /// The session.
        session: SessionId,
        /// Verifies signatures of requests.
        verify: Option<Arc<SigningKey>>,
        /// Opens encrypted requests.
        open: Option<Arc<OpeningKey>>,
    },
    /// The session is gone from this connection.
    Remove(SessionId),
}

/// One transport message of answers, in the order of the requests.
#[derive(Debug)]
pub struct Outbound {
    /// The elements; more than one make a compound.
    pub elements: Vec<Answer>,
    /// Encrypt the whole message.
    pub seal: Option<SealPlan>,
}

/// How to encrypt a message. The nonce was chosen by the server, because all channels of a session
/// share its key; sealing is thereby a pure function.
#[derive(Debug)]
pub struct SealPlan {
    /// Key of the session, server to client.
    pub key: Arc<SealingKey>,
    /// The session.
    pub session: SessionId,
    /// 11 or 12 bytes are used, by cipher.
    pub nonce: [u8; 16],
}

/// One element of an answer.
#[derive(Debug)]
pub struct Answer {
    /// Its header; NextCommand and Signature are filled in when it is sealed.
    pub header: Header,
    /// Its body.
    pub body: Body,
    /// Sign it with this key.
    pub sign: Option<Arc<SigningKey>>,
}

/// The body of an answer.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once, from the server to the link"
)]
pub enum Body {
    /// To be encoded.
    Message(msg::Response),
    /// READ data, in a buffer with room for the headers in front.
    Read(Payload),
    /// Header and body encoded already, because the pre-authentication hash covers them
    /// ([MS-SMB2] 3.3.5.4, 3.3.5.5). Not signed again.
    Encoded(Bytes),
}

/// Bytes to send, one after the other.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Segments(pub Vec<BytesMut>);

impl Segments {
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(BytesMut::len).sum()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
