//! When a peer has broken the protocol.

use smb_proto::ParseError;
use smb_proto::id::{MessageId, SessionId};
use thiserror::Error;

/// Why a connection is closed without an answer. The peer broke framing, the credit window or the
/// integrity of a message ([MS-SMB2] 3.3.5.2 and subsections); other connections are not touched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A length prefix that is not allowed: not direct TCP, or longer than the limit.
    #[error("frame of {len} bytes, at most {max} allowed")]
    FrameTooLong {
        /// Announced length.
        len: usize,
        /// The limit at that moment.
        max: usize,
    },
    /// The first byte of the length prefix is not zero.
    #[error("frame type {0:#04x} is not direct TCP")]
    FrameType(u8),
    /// A message with another ProtocolId, or one that is too short for its header.
    #[error("not an SMB2 message: {0}")]
    NotSmb2(ParseError),
    /// An SMB1 message other than the first NEGOTIATE.
    #[error("SMB1 message after the first")]
    Smb1,
    /// A compound whose elements overlap, run out of the message or are misaligned (3.3.5.2.7).
    #[error("malformed compound: {0}")]
    Compound(ParseError),
    /// An encrypted message that does not open, or whose session is unknown (3.3.5.2.1.1).
    #[error("encrypted message for session {0} does not open")]
    Decrypt(SessionId),
    /// An encrypted message where encryption was not negotiated.
    #[error("encrypted message without a negotiated cipher")]
    NoCipher,
    /// A plaintext session id that differs from the one of the transform header (3.3.5.2.1.1).
    #[error("session id inside an encrypted message differs from its transform header")]
    SessionMismatch,
    /// A compressed message; compression is not negotiated.
    #[error("compressed message without negotiated compression")]
    NoCompression,
    /// A command code that the specification does not name (3.3.5.2.6).
    #[error("unknown command {0:#06x}")]
    UnknownCommand(u16),
    /// A message id outside the window, or used twice (3.3.5.2.3).
    #[error("message id {0} outside the credit window")]
    MessageIdWindow(MessageId),
    /// A first message that is not NEGOTIATE.
    #[error("command before NEGOTIATE")]
    NotNegotiated,
    /// NEGOTIATE after NEGOTIATE (3.3.5.4).
    #[error("second NEGOTIATE")]
    SecondNegotiate,
    /// FSCTL_VALIDATE_NEGOTIATE_INFO shows that someone changed the negotiation (3.3.5.15.12).
    #[error("negotiation was tampered with")]
    NegotiateTampered,
    /// No authenticated session within the allowed time.
    #[error("no logon within the allowed time")]
    LogonTimeout,
    /// A response sent to a server.
    #[error("a response was received")]
    ResponseReceived,
}
