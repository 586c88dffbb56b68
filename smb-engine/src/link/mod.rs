//! The byte path of one connection: bytes to verified messages, answers to bytes. No shared state.

use bytes::Bytes;
use smb_proto::id::SessionId;
use smb_proto::{Header, ParseError, msg, smb1};

/// One received transport message.
#[derive(Debug)]
pub enum Inbound {
    /// The SMB1 negotiate that older and cautious clients begin with.
    Smb1Negotiate(smb1::NegotiateRequest),
    /// An SMB2 message of one or more elements, never none.
    Message {
        /// In the order received.
        elements: Vec<Element>,
        /// It came encrypted, and it opened.
        sealed: Option<Sealed>,
    },
}

/// One element of a message.
#[derive(Debug)]
pub struct Element {
    /// Its header.
    pub header: Header,
    /// Its body; one that does not parse is answered in its turn, with an error status.
    pub body: Result<msg::Request, ParseError>,
    /// What the link found out about its signature.
    pub signature: Signature,
    /// Header and body as received: what hashes and signatures with other keys are computed over.
    pub raw: Bytes,
}

/// Proof that a message was opened with the key of this session; only the link can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed(SessionId);

impl Sealed {
    /// The session of the transform header.
    #[must_use]
    pub fn session(self) -> SessionId {
        self.0
    }
}

/// Proof that a signature was verified; only the link can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified(());

/// The state of an element's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// The element does not claim to be signed (or was encrypted, which takes its place).
    Absent,
    /// Signed, and right.
    Good(Verified),
    /// Signed, and wrong.
    Bad,
    /// Signed, but the link has no key for its session.
    NoKey,
}

/// Encodes one answer that stands alone in its message, signed if it says so.
pub(crate) fn encode_alone(_answer: crate::output::Answer) -> Bytes {
    Bytes::new()
}
