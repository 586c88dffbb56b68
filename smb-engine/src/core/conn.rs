//! Connections, [MS-SMB2] 3.3.1.7.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm, SigningKey};
use smb_proto::id::{AsyncId, MessageId, SessionId};
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::{Dialect, Guid};

use super::credit::Window;
use super::{Chain, Op, Session};
use crate::table::Id;

/// Who is at the other end, as the transport knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address of the client.
    pub address: IpAddr,
    /// Port of the client.
    pub port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self {
            address: address.ip(),
            port: address.port(),
        }
    }
}

/// How far the negotiation is.
#[derive(Debug)]
pub(crate) enum ConnState {
    /// Nothing was received.
    Fresh,
    /// An SMB1 negotiate was answered with the wildcard dialect; an SMB2 one must follow.
    Wildcard,
    /// A dialect is agreed on.
    Negotiated(Box<Negotiated>),
}

/// What the negotiation fixed.
#[derive(Debug, Clone)]
pub(crate) struct Negotiated {
    pub(crate) dialect: Dialect,
    pub(crate) client_guid: Guid,
    pub(crate) client_capabilities: GlobalCapabilities,
    pub(crate) client_security_mode: SecurityMode,
    /// What the server announced.
    pub(crate) capabilities: GlobalCapabilities,
    pub(crate) security_mode: SecurityMode,
    /// `None`: no encryption on this connection.
    pub(crate) cipher: Option<Cipher>,
    pub(crate) signing: SigningAlgorithm,
    /// Connection.PreauthIntegrityHashValue, 3.1.1 only.
    pub(crate) preauth: Option<PreauthHash>,
}

/// One transport connection.
pub struct Conn {
    pub(crate) peer: Peer,
    pub(crate) state: ConnState,
    pub(crate) window: Window,
    /// Sessions that have a channel here, or a set-up in progress here (Connection.SessionTable).
    pub(crate) sessions: BTreeMap<SessionId, Id<Session>>,
    /// Keys of sessions that have ended and that had a channel here: who still signs with one is told
    /// so in a way that it can believe. The youngest few.
    pub(crate) ended: VecDeque<(SessionId, Arc<SigningKey>)>,
    /// Messages being worked on (Connection.RequestList).
    pub(crate) chains: BTreeSet<Id<Chain>>,
    /// Operations by the id of their request, for CANCEL.
    pub(crate) by_message: BTreeMap<MessageId, Id<Op>>,
    /// Operations with an interim answer (Connection.AsyncCommandList).
    pub(crate) by_async: BTreeMap<AsyncId, Id<Op>>,
    /// An authenticated session was established here at least once.
    pub(crate) authenticated: bool,
    /// Nothing more is taken in; it is closed when what runs is answered.
    pub(crate) draining: bool,
    /// The driver has been told to close it.
    pub(crate) closing: bool,
}

impl Conn {
    pub(crate) fn new(peer: Peer, max_credits: u16) -> Self {
        Self {
            peer,
            state: ConnState::Fresh,
            window: Window::new(max_credits),
            sessions: BTreeMap::new(),
            ended: VecDeque::new(),
            chains: BTreeSet::new(),
            by_message: BTreeMap::new(),
            by_async: BTreeMap::new(),
            authenticated: false,
            draining: false,
            closing: false,
        }
    }

    /// A session has ended that signed with this key here.
    pub(crate) fn remember_ended(&mut self, session: SessionId, key: Arc<SigningKey>) {
        /// As many as a client can have lost without knowing, and more.
        const MOST: usize = 16;
        self.ended.retain(|(wire, _)| *wire != session);
        if self.ended.len() >= MOST {
            self.ended.pop_front();
        }
        self.ended.push_back((session, key));
    }

    /// What was negotiated; `None` before.
    pub(crate) fn negotiated(&self) -> Option<&Negotiated> {
        match &self.state {
            ConnState::Negotiated(n) => Some(n),
            ConnState::Fresh | ConnState::Wildcard => None,
        }
    }

    /// The dialect, once agreed on.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.negotiated().map(|n| n.dialect)
    }
}
