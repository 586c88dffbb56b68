//! An SMB2/3 client without I/O: bytes in, bytes and events out. It knows nothing of the engine and
//! works against any server.
//!
//! ```text
//! let mut client = Client::new(config);
//! client.negotiate();
//! loop {
//!     while let Some(bytes) = client.poll_transmit() { socket.write_all(&bytes)?; }
//!     while let Some(event) = client.poll_event() { .. }
//!     client.receive(&socket.read()?);
//! }
//! ```
//!
//! It behaves by the rules unless told otherwise: [`Part`] and [`Client::send_bytes`] let a test
//! break each of them. What a *server* may not do ends the connection with a [`ClientFault`].
//! Everything unpredictable comes from the seed in [`ClientConfig`], so two clients with the same
//! configuration and inputs send the same bytes.

mod auth;
mod config;
mod event;
mod logon;
pub mod ops;
mod part;
mod random;
mod receive;
mod send;
mod session;
mod verbatim;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use smb_proto::crypto::PreauthHash;
use smb_proto::frame::{Deframer, MAX_MESSAGE_LEN};
use smb_proto::id::{AsyncId, MessageId, SessionId};

pub use auth::AuthError;
pub use config::{ClientConfig, Credentials, Spoil};
pub use event::{ClientEvent, ClientFault, LogonId, Negotiated, Reply};
pub use logon::LogonFor;
pub use part::{Part, PartBody, Seal, Sign, Target};
pub use random::Random;
pub use session::ExportedSession;
pub use verbatim::{Element, LogonKey, LogonPlan, Received, Signed, Verbatim};

use logon::Logon;
use send::{Queued, Window};
use session::Session;

/// Why a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Plain,
    Negotiate,
    Logon(LogonId),
}

/// A request without final answer.
#[derive(Debug, Clone, Copy)]
struct Pending {
    command: u16,
    target: Target,
    async_id: Option<AsyncId>,
    sealed: bool,
    signed: bool,
    related: bool,
    purpose: Purpose,
}

/// One connection of a client; see the module's documentation.
pub struct Client {
    config: ClientConfig,
    random: Random,
    nonce_prefix: [u8; 3],
    deframer: Deframer,
    out: VecDeque<Bytes>,
    events: VecDeque<ClientEvent>,
    negotiated: Option<Negotiated>,
    /// Connection.PreauthIntegrityHashValue.
    preauth: PreauthHash,
    window: Window,
    waiting: VecDeque<Queued>,
    pending: BTreeMap<MessageId, Pending>,
    sessions: BTreeMap<SessionId, Session>,
    /// Tree connects that the server wants encrypted.
    sealed_trees: BTreeSet<Target>,
    logons: BTreeMap<LogonId, Logon>,
    next_logon: u32,
    broken: bool,
}

impl Client {
    /// A client on a new connection.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let mut random = Random::new(config.seed);
        Self {
            nonce_prefix: random.bytes(),
            random,
            config,
            deframer: Deframer::new(MAX_MESSAGE_LEN),
            out: VecDeque::new(),
            events: VecDeque::new(),
            negotiated: None,
            preauth: PreauthHash::ZERO,
            window: Window {
                next: 0,
                granted: 1,
            },
            waiting: VecDeque::new(),
            pending: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sealed_trees: BTreeSet::new(),
            logons: BTreeMap::new(),
            next_logon: 0,
            broken: false,
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// What was agreed on; `None` before.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Credits that are left.
    #[must_use]
    pub fn credits(&self) -> u64 {
        self.window.granted.saturating_sub(self.window.next)
    }

    /// The message id that the next request will have.
    #[must_use]
    pub fn next_message_id(&self) -> MessageId {
        MessageId(self.window.next)
    }

    /// Requests without final answer, those that wait for credits not counted.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Messages that wait for credits.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The server broke the protocol.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}
