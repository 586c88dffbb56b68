//! What a client tells its owner.

use bytes::Bytes;
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::id::{AsyncId, MessageId, SessionId};
use smb_proto::msg::negotiate;
use smb_proto::msg::session_setup::SessionFlags;
use smb_proto::{Command, Dialect, Header, NtStatus, ParseError, msg};
use thiserror::Error;

use super::auth::AuthError;

/// Names one logon of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogonId(pub(super) u32);

/// What the two sides have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Dialect.
    pub dialect: Dialect,
    /// Cipher, if encryption is possible.
    pub cipher: Option<Cipher>,
    /// Signing algorithm.
    pub signing: SigningAlgorithm,
    /// The whole answer.
    pub response: negotiate::Response,
}

/// The final answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's id.
    pub message: MessageId,
    /// Header of the answer.
    pub header: Header,
    /// Body of the answer.
    pub body: msg::Response,
    /// It was signed, and rightly.
    pub signed: bool,
    /// It came encrypted.
    pub sealed: bool,
    /// The answer came after an interim one.
    pub was_async: bool,
    /// The element as received (and decrypted).
    pub raw: Bytes,
}

impl Reply {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> NtStatus {
        self.header.status
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "moved once")]
pub enum ClientEvent {
    /// NEGOTIATE is done.
    Negotiated(Negotiated),
    /// NEGOTIATE was refused.
    NegotiateFailed(NtStatus),
    /// A logon has succeeded.
    LoggedOn {
        /// Which.
        logon: LogonId,
        /// The session it made (or renewed, or was bound to).
        session: SessionId,
        /// SessionFlags of the answer.
        flags: SessionFlags,
    },
    /// A logon was refused.
    LogonFailed {
        /// Which.
        logon: LogonId,
        /// How.
        status: NtStatus,
    },
    /// The final answer to a request.
    Reply(Reply),
    /// An interim answer: the final one comes later.
    Interim {
        /// The request's id.
        message: MessageId,
        /// The id to cancel it by.
        async_id: AsyncId,
    },
    /// An oplock or lease is broken by the server.
    Break(msg::oplock_break::Message),
    /// The server broke the protocol; nothing more is taken in.
    Fault(ClientFault),
}

/// How a server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientFault {
    /// Framing.
    #[error("framing: {0}")]
    Frame(#[from] smb_proto::frame::FrameError),
    /// A NetBIOS packet that is no message.
    #[error("NetBIOS packet of type {0:#04x}")]
    NetBios(u8),
    /// Something that does not parse.
    #[error("answer to {1:?}: {0}")]
    Parse(ParseError, Option<Command>),
    /// An encrypted message that does not open, or for a session without keys.
    #[error("encrypted message for session {0} does not open")]
    Decrypt(SessionId),
    /// A compressed message.
    #[error("compressed message")]
    Compressed,
    /// A request came from the server.
    #[error("a request came from the server")]
    NotAResponse,
    /// An answer to nothing that was asked.
    #[error("answer to message {0} which is not outstanding")]
    Unexpected(MessageId),
    /// An answer with another command than the request.
    #[error("answer to message {0} has command {1:#06x}")]
    WrongCommand(MessageId, u16),
    /// A wrong signature.
    #[error("wrong signature on the answer to message {0}")]
    Signature(MessageId),
    /// An answer that had to be signed and was not.
    #[error("answer {1} to message {0} is not signed")]
    NotSigned(MessageId, NtStatus),
    /// An answer to an encrypted request that is not encrypted.
    #[error("answer to encrypted message {0} is not encrypted")]
    NotSealed(MessageId),
    /// A second interim answer, or an asynchronous id that differs from the interim one's.
    #[error("asynchronous answers to message {0} do not fit together")]
    Async(MessageId),
    /// Negotiation answered with something that was not offered.
    #[error("negotiation: {0}")]
    Negotiation(&'static str),
    /// The server's half of an authentication.
    #[error("authentication: {0}")]
    Auth(#[from] AuthError),
}
