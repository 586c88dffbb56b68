//! What a capture consists of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm};
use smb_proto::id::{FileId, SessionId, TreeId};
use smb_proto::msg::{Request, Response};
use smb_proto::transform::TransformHeader;
use smb_proto::{Dialect, Guid, Header, NtStatus, ParseError};

/// A whole capture.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// The connections that carry SMB, in the order of their first packet.
    pub conversations: Vec<Conversation>,
    /// What the reader has to say about the file as a whole, one sentence each.
    pub notes: Vec<String>,
    /// Packets in the file.
    pub packets: u64,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// The other direction.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// What is around the SMB messages in the TCP stream. Both use the same four bytes in front of a
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Direct TCP, [MS-SMB2] 2.1, usually port 445.
    Direct,
    /// A NetBIOS session service (RFC 1002, 4.3) with its session request, usually port 139.
    NetBios,
}

/// With what the capture of a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The TCP handshake: nothing is missing at the beginning.
    Handshake,
    /// The first packet seen continues an existing TCP connection, but the first message is a
    /// NEGOTIATE, so that everything that matters is there.
    Negotiate,
    /// Somewhere in the middle: the dialect, keys, names of open files are not known.
    Middle,
}

/// How the capture of a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an RST.
    Reset(Direction),
    /// With a FIN; the direction is that of the first one.
    Closed(Direction),
    /// The capture ends while the connection is open.
    Open,
}

/// Why bytes of a stream are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// The receiver acknowledged them, so they were sent, but they are not in the capture.
    NotCaptured,
    /// Packets were recorded only in part (snaplen).
    Cut,
    /// They were neither seen nor acknowledged when the connection or the capture ended.
    End,
    /// More was waiting behind the gap than the reader holds in memory.
    Limit,
    /// The bytes are there, but they begin no frame; the length counts up to the next frame.
    NotSmb,
}

/// Bytes that are missing in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Which direction.
    pub direction: Direction,
    /// How many bytes.
    pub len: u64,
    /// Why.
    pub cause: GapCause,
    /// How many messages of the conversation came before (both directions): an index into
    /// [`Conversation::messages`].
    pub before: usize,
    /// Packet at which it was found out.
    pub frame: u64,
}

/// One TCP connection.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its number, from 0, in the order of the first packets.
    pub number: usize,
    /// Who connects.
    pub client: SocketAddr,
    /// To whom.
    pub server: SocketAddr,
    /// Direct TCP or NetBIOS.
    pub transport: Transport,
    /// How the capture begins.
    pub start: Start,
    /// How it ends.
    pub end: End,
    /// When it ended, or its last packet, since 1970-01-01 UTC.
    pub end_time: Duration,
    /// Time of its first packet since 1970-01-01 UTC.
    pub time: Duration,
    /// All SMB2 messages of both directions in the order of the capture, one for each element of
    /// a compound.
    pub messages: Vec<Message>,
    /// Frames that are no readable SMB2 messages.
    pub others: Vec<Other>,
    /// Missing bytes.
    pub gaps: Vec<Gap>,
    /// What was negotiated, once it is known.
    pub negotiated: Option<Negotiated>,
    /// Authentications in the order in which they began.
    pub logons: Vec<Logon>,
    /// Segments that repeat bytes seen before.
    pub retransmitted: u64,
    /// Segments that came after later ones.
    pub reordered: u64,
    /// What else is worth saying, one sentence each.
    pub notes: Vec<String>,
}

/// The outcome of NEGOTIATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The dialect.
    pub dialect: Dialect,
    /// The cipher; `None` where no encryption is possible.
    pub cipher: Option<Cipher>,
    /// The signing algorithm.
    pub signing: SigningAlgorithm,
    /// ClientGuid; `None` where an SMB1 NEGOTIATE was answered, or the request was not captured.
    pub client_guid: Option<Guid>,
    /// ServerGuid.
    pub server_guid: Guid,
    /// Index of the request in [`Conversation::messages`], if there is an SMB2 one.
    pub request: Option<usize>,
    /// The hash after request and response (3.1.1; else zero).
    pub preauth: PreauthHash,
}

/// One authentication: the SESSION_SETUP exchange until its final answer.
#[derive(Debug, Clone)]
pub struct Logon {
    /// The session; zero until the server has given it an id.
    pub session: SessionId,
    /// Indices of its requests in [`Conversation::messages`].
    pub requests: Vec<usize>,
    /// It binds the connection to a session of another one.
    pub binding: bool,
    /// It repeats the authentication of a session of this connection.
    pub again: bool,
    /// How.
    pub mechanism: Mechanism,
    /// The user as sent; empty for anonymous.
    pub user: String,
    /// The domain as sent.
    pub domain: String,
    /// The workstation as sent.
    pub workstation: String,
    /// Whether one of the given secrets belongs to it.
    pub proof: Proof,
    /// Status of the last answer seen.
    pub status: Option<NtStatus>,
    /// Server says: guest session.
    pub guest: bool,
    /// Server says: anonymous session.
    pub anonymous: bool,
    /// The hash after the last request (3.1.1; else zero).
    pub preauth: PreauthHash,
}

/// How a client authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// NTLM with an NTLMv2 response.
    NtlmV2,
    /// NTLM with an older response.
    NtlmV1,
    /// NTLM without a user.
    Anonymous,
    /// Kerberos.
    Kerberos,
    /// Something else, or nothing was seen of it yet.
    Unknown,
}

/// What is known about the secret behind a logon.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing was given for this user.
    None,
    /// A password, which the exchange confirms.
    Password(String),
    /// An NT hash, which the exchange confirms.
    NtHash([u8; 16]),
    /// Something was given for this user, but it is not what the client had.
    Wrong,
    /// A session key was given.
    SessionKey,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(_) => "Password(..)",
            Self::NtHash(_) => "NtHash(..)",
            Self::Wrong => "Wrong",
            Self::SessionKey => "SessionKey",
        })
    }
}

/// The body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// From the client.
    Request(Request),
    /// From the server.
    Response(Response),
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signature {
    /// The message is not signed.
    Unsigned,
    /// Signed, and rightly.
    Good,
    /// Signed, and wrongly.
    Bad,
    /// Signed, but the key is not known.
    Unknown,
}

/// Where a message stands in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound {
    /// Its position, from 0.
    pub index: usize,
    /// Elements of the frame: 1 for a message that is no compound.
    pub count: usize,
}

/// The ids of a message with what they stand for. Ids that a related element leaves to the one
/// before it ([MS-SMB2] 3.3.5.2.7.2), and the ids of an asynchronous answer, are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The session.
    pub session: SessionId,
    /// The tree connect.
    pub tree: TreeId,
    /// The open; `None` where the message has none, and in a related request whose CREATE is not
    /// answered yet.
    pub file: Option<FileId>,
    /// Index in [`Conversation::messages`] of the CREATE request that made the open, if it is on the
    /// same connection.
    pub create: Option<usize>,
    /// Name of the file in its share, as the CREATE request gave it.
    pub name: Option<Arc<str>>,
    /// Path of the share, as the TREE_CONNECT request gave it.
    pub share: Option<Arc<str>>,
}

/// One SMB2 message (an element of a compound counts as one).
#[derive(Debug, Clone)]
pub struct Message {
    /// Its index in [`Conversation::messages`].
    pub number: usize,
    /// When its last byte was captured, since 1970-01-01 UTC.
    pub time: Duration,
    /// Who sent it.
    pub direction: Direction,
    /// First and last packet that its frame came in, counted from 1 as in Wireshark.
    pub frames: (u64, u64),
    /// Its header.
    pub header: Header,
    /// Its body, or why it cannot be read.
    pub body: Result<Body, ParseError>,
    /// The element as the SMB2 layer sees it: decrypted, decompressed, from its header to its end.
    pub raw: Bytes,
    /// Bytes at its end that are not in the capture; if not zero the body is not read.
    pub missing: u64,
    /// It was encrypted.
    pub sealed: bool,
    /// It was compressed.
    pub compressed: bool,
    /// Its signature.
    pub signature: Signature,
    /// Its place in a compound.
    pub compound: Compound,
    /// What its ids mean.
    pub resolved: Resolved,
    /// Of an answer: index of its request. `None` for requests, breaks, and where the request was not
    /// captured.
    pub request: Option<usize>,
    /// Of an answer: the request itself, for what the answer does not say (the information class, for
    /// instance). Data that was to be written is left out, and very long requests are.
    pub asked: Option<Arc<Request>>,
    /// Of a request: index of the final answer.
    pub answer: Option<usize>,
    /// Of a request: index of the interim answer (STATUS_PENDING).
    pub interim: Option<usize>,
}

/// A frame that is no readable SMB2 message.
#[derive(Debug, Clone)]
pub struct Other {
    /// How many messages of the conversation came before: an index into
    /// [`Conversation::messages`].
    pub before: usize,
    /// When its last byte was captured, since 1970-01-01 UTC.
    pub time: Duration,
    /// Who sent it.
    pub direction: Direction,
    /// First and last packet, as in [`Message::frames`].
    pub frames: (u64, u64),
    /// The frame without its length prefix, as far as it was captured.
    pub raw: Bytes,
    /// What it is.
    pub content: Content,
}

/// What a frame is that is no readable SMB2 message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// SMB1 NEGOTIATE with these dialects; an SMB2 server answers it ([MS-SMB2] 3.3.5.3).
    Smb1Negotiate(Vec<String>),
    /// Another SMB1 message.
    Smb1 {
        /// Name of its command, [MS-CIFS] 2.2.2.1.
        command: &'static str,
        /// Status of a response.
        status: u32,
    },
    /// Encrypted, and no key opens it.
    Sealed(TransformHeader),
    /// Compressed, and it cannot be decompressed.
    Compressed(String),
    /// A NetBIOS packet other than a message, by name.
    NetBios(&'static str),
    /// Nothing of the kind, or cut off before its header ends.
    Unreadable(ParseError),
}

impl Message {
    /// The request in it.
    #[must_use]
    pub fn as_request(&self) -> Option<&Request> {
        match &self.body {
            Ok(Body::Request(request)) => Some(request),
            Ok(Body::Response(_)) | Err(_) => None,
        }
    }

    /// The response in it.
    #[must_use]
    pub fn as_response(&self) -> Option<&Response> {
        match &self.body {
            Ok(Body::Response(response)) => Some(response),
            Ok(Body::Request(_)) | Err(_) => None,
        }
    }

    /// Whether it is a STATUS_PENDING answer, [MS-SMB2] 3.3.4.2.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.direction == Direction::ToClient && self.header.status == NtStatus::PENDING
    }
}

impl Conversation {
    /// One that begins. `whole`: with the TCP handshake.
    pub(super) fn new(
        number: usize,
        client: SocketAddr,
        server: SocketAddr,
        whole: bool,
        time: Duration,
    ) -> Self {
        Self {
            number,
            client,
            server,
            transport: Transport::Direct,
            start: if whole {
                Start::Handshake
            } else {
                Start::Middle
            },
            end: End::Open,
            end_time: time,
            time,
            messages: Vec::new(),
            others: Vec::new(),
            gaps: Vec::new(),
            negotiated: None,
            logons: Vec::new(),
            retransmitted: 0,
            reordered: 0,
            notes: Vec::new(),
        }
    }

    /// The request that a message answers.
    #[must_use]
    pub fn request_of(&self, message: &Message) -> Option<&Message> {
        self.messages.get(message.request?)
    }

    /// The final answer to a request.
    #[must_use]
    pub fn answer_of(&self, message: &Message) -> Option<&Message> {
        self.messages.get(message.answer?)
    }
}

impl GapCause {
    /// What the cause is in a few words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NotCaptured => "not captured",
            Self::Cut => "recorded in part (snaplen)",
            Self::End => "not seen before the end",
            Self::Limit => "given up, too much waits behind them",
            Self::NotSmb => "begin no SMB frame",
        }
    }
}
