//! The byte path of one connection: bytes to verified messages, answers to bytes. No shared state.

mod open;
mod seal;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smb_proto::crypto::{OpeningKey, SigningKey};
use smb_proto::frame::{Deframer, Frame, FrameError, NetBiosType};
use smb_proto::id::SessionId;
use smb_proto::{Header, ParseError, msg, smb1};

pub(crate) use seal::encode_alone;

use crate::error::Fault;
use crate::output::{KeyUpdate, Outbound, Segments};

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

/// What was found out about a signature, without the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureKind {
    Absent,
    Good,
    Bad,
    NoKey,
}

impl Signature {
    pub(crate) fn kind(self) -> SignatureKind {
        match self {
            Self::Absent => SignatureKind::Absent,
            Self::Good(_) => SignatureKind::Good,
            Self::Bad => SignatureKind::Bad,
            Self::NoKey => SignatureKind::NoKey,
        }
    }

    fn restored(kind: SignatureKind) -> Self {
        match kind {
            SignatureKind::Absent => Self::Absent,
            SignatureKind::Good => Self::Good(Verified(())),
            SignatureKind::Bad => Self::Bad,
            SignatureKind::NoKey => Self::NoKey,
        }
    }
}

impl Inbound {
    /// A message that a link opened and a journal kept, with what the link found out: for going
    /// through the journal, which believes what it says.
    pub(crate) fn restored(
        elements: Vec<(SignatureKind, Bytes)>,
        sealed: Option<SessionId>,
    ) -> Result<Self, ParseError> {
        let elements = elements
            .into_iter()
            .map(|(kind, raw)| open::element(raw, |_| Signature::restored(kind)))
            .collect::<Result<Vec<_>, _>>()?;
        let sealed = sealed.map(Sealed);
        Ok(Self::Message { elements, sealed })
    }
}

/// Keys of one session on this connection.
#[derive(Debug, Default)]
struct Keys {
    verify: Option<Arc<SigningKey>>,
    open: Option<Arc<OpeningKey>>,
}

/// The byte path of one connection. Owned by whoever owns the socket; needs no lock.
#[derive(Debug)]
pub struct Link {
    deframer: Deframer,
    /// Nothing has been received yet: an SMB1 negotiate is possible.
    fresh: bool,
    encryption: bool,
    keys: BTreeMap<SessionId, Keys>,
}

impl Link {
    /// The link of a new connection, which takes messages of up to `max_message` bytes until
    /// [`KeyUpdate::MaxMessage`] says otherwise.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        Self {
            deframer: Deframer::new(max_message),
            fresh: true,
            encryption: false,
            keys: BTreeMap::new(),
        }
    }

    /// Takes received bytes, however they were cut.
    pub fn feed(&mut self, bytes: BytesMut) {
        self.deframer.feed(bytes);
    }

    /// Bytes still missing of the message that has begun to arrive; how much to read next.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.deframer.missing()
    }

    /// Bytes of a message that has not arrived as a whole.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.deframer.buffered()
    }

    /// The next complete message, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The peer broke the protocol; the connection has to be closed, and this not called again.
    #[allow(
        clippy::should_implement_trait,
        reason = "feeding more makes it go on; not an iterator"
    )]
    pub fn next(&mut self) -> Option<Result<Inbound, Fault>> {
        loop {
            return match self.deframer.next_frame() {
                Ok(None) => None,
                Ok(Some(Frame::Message(message))) => Some(self.open(message)),
                // Keep-alives of NetBIOS sessions are to be ignored (RFC 1002 4.3.7).
                Ok(Some(Frame::NetBios {
                    packet_type: NetBiosType::KeepAlive,
                    ..
                })) => continue,
                Ok(Some(Frame::NetBios { packet_type, .. })) => {
                    Some(Err(Fault::FrameType(packet_type as u8)))
                }
                Err(FrameError::BadFirstByte(byte)) => Some(Err(Fault::FrameType(byte))),
                Err(FrameError::TooLong { len, max }) => {
                    Some(Err(Fault::FrameTooLong { len, max }))
                }
            };
        }
    }

    fn open(&mut self, message: BytesMut) -> Result<Inbound, Fault> {
        let fresh = std::mem::replace(&mut self.fresh, false);
        open::open(&self.keys, self.encryption, fresh, message)
    }

    /// Takes what the server says about keys and limits.
    pub fn apply(&mut self, update: KeyUpdate) {
        match update {
            KeyUpdate::Negotiated { encryption } => self.encryption = encryption,
            KeyUpdate::MaxMessage(len) => self.deframer.set_max_len(len),
            KeyUpdate::Install {
                session,
                verify,
                open,
            } => {
                self.keys.insert(session, Keys { verify, open });
            }
            KeyUpdate::Remove(session) => {
                self.keys.remove(&session);
            }
        }
    }

    /// Turns an answer into the bytes to send. Depends on nothing but the answer: whoever owns the
    /// socket may do it on any thread, as long as the order stays.
    #[must_use]
    pub fn seal(answer: Outbound) -> Segments {
        seal::seal(answer)
    }
}
