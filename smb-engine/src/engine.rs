//! [`Server`] and a [`Link`] for each connection put together, for one thread: the simulator, tests,
//! and embedders who want one object.
//!
//! ```text
//! let conn = engine.accept(now, peer)?;
//! engine.receive(now, conn, &bytes);
//! while let Some(action) = engine.poll() {
//!     match action {
//!         Action::Transmit(conn, segments) => write them to the socket of conn,
//!         Action::Vfs(request) => engine.complete(now, request.token, Completion::Vfs(..)),
//!         Action::Store(news) => keep them for engine.restore(..) of the next start,
//!         Action::Lookup(token, query) => engine.complete(now, token, ..),
//!         Action::Close(conn, _) => { close the socket; engine.closed(now, conn); }
//!         Action::Event(event) => log(event),
//!     }
//! }
//! // when engine.poll_timeout() has come: engine.timeout(now), and poll again
//! ```
//!
//! Answers to [`Action::Vfs`] and [`Action::Lookup`] may come at once or later, in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;

use crate::config::{BackendId, Config};
use crate::event::Event;
use crate::identity::Identity;
use crate::link::{Inbound, Link};
use crate::output::{
    CloseReason, Completion, ConnId, Keep, Outbound, Output, Query, Segments, Token,
};
use crate::server::{Control, Counts, Server};
use crate::time::{Instant, Now};
use crate::vfs::{Outside, VfsOp, VfsRequest, VfsResult};
use crate::{Fault, Held, Peer};

/// Something for the embedder to do. Actions for one connection are carried out in order.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once, from the queue to the embedder"
)]
pub enum Action {
    /// Send these bytes.
    Transmit(ConnId, Segments),
    /// Carry out a file operation and answer with [`Engine::complete`].
    Vfs(VfsRequest),
    /// Look something up and answer with [`Engine::complete`].
    Lookup(Token, Query),
    /// Keep this before anything that comes later is sent; see [`Output::Store`].
    Store(Vec<Keep>),
    /// Send what was to be sent, close the connection, and say [`Engine::closed`]. Nothing more is
    /// taken in from it.
    Close(ConnId, CloseReason),
    /// Something worth counting, logging or auditing.
    Event(Event),
}

/// Looks on while an [`Engine`] works: requests in plain text at the very moment at which the server
/// gets them, answers at the moment at which it gives them. For checkers, traces and statistics.
pub trait Observer: Send {
    /// The server took in a connection.
    fn accepted(&mut self, now: Now, conn: ConnId);

    /// The server is about to be given this message.
    fn received(&mut self, now: Now, conn: ConnId, message: &Inbound);

    /// The server has given these answers. They may still be lost on the way.
    fn answered(&mut self, now: Now, conn: ConnId, answer: &Outbound);

    /// The server wants the connection closed; it takes in and gives out nothing more on it.
    fn closing(&mut self, now: Now, conn: ConnId);

    /// The connection has gone, and the server is about to be told.
    fn closed(&mut self, now: Now, conn: ConnId);

    /// The server has worked off everything it was given, and no question of its own
    /// ([`Action::Vfs`], [`Action::Lookup`]) is without answer: what is not done by now waits for
    /// other clients.
    fn settled(&mut self, now: Now);
}

/// A whole server in one object; see the module's documentation for how it is driven.
///
/// Inputs cannot fail and may come in any order; one for a connection that has gone does nothing.
/// The same configuration, seed and inputs give the same actions, byte for byte.
pub struct Engine {
    server: Server,
    links: BTreeMap<ConnId, Link>,
    actions: VecDeque<Action>,
    max_message: usize,
    /// Questions without answer, if somebody looks on.
    questions: BTreeSet<Token>,
    observer: Option<Box<dyn Observer>>,
}

impl Engine {
    /// An engine with this configuration. `seed` is where all its unpredictable values come from:
    /// in production 32 bytes of the operating system's randomness.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            max_message: config.limits.max_message_unauthenticated,
            server: Server::new(config, seed),
            links: BTreeMap::new(),
            actions: VecDeque::new(),
            questions: BTreeSet::new(),
            observer: None,
        }
    }

    /// Makes a deliberate mistake from now on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: crate::mutation::Mutation) {
        self.server.mutate(mutation);
    }

    /// From now on `observer` is told what goes in and out.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// See [`Server::stub_crypto`].
    #[cfg(feature = "stub-crypto")]
    pub fn stub_crypto(&mut self) {
        self.server.stub_crypto();
    }

    /// A client has connected.
    ///
    /// # Errors
    /// The connection is not wanted; close it at once.
    pub fn accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, CloseReason> {
        let conn = self.server.handle_accept(now, peer)?;
        self.links.insert(conn, Link::new(self.max_message));
        if let Some(observer) = &mut self.observer {
            observer.accepted(now, conn);
        }
        self.collect(now);
        Ok(conn)
    }

    /// Bytes have arrived, however they were cut.
    pub fn receive(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.feed(BytesMut::from(bytes));
        }
        // The link is looked up anew for each message: the one before may have closed it, and keys
        // that it made are in place before the next is opened.
        while let Some(message) = self.links.get_mut(&conn).and_then(Link::next) {
            match message {
                Ok(inbound) => {
                    if let Some(observer) = &mut self.observer {
                        observer.received(now, conn, &inbound);
                    }
                    self.server.handle_message(now, conn, inbound);
                }
                Err(fault) => self.fault(now, conn, fault),
            }
            self.collect(now);
        }
    }

    fn fault(&mut self, now: Now, conn: ConnId, fault: Fault) {
        self.links.remove(&conn);
        self.server.handle_fault(now, conn, fault);
    }

    /// The transport connection has gone.
    pub fn closed(&mut self, now: Now, conn: ConnId) {
        self.links.remove(&conn);
        if let Some(observer) = &mut self.observer {
            observer.closed(now, conn);
        }
        self.server.handle_closed(now, conn);
        self.collect(now);
    }

    /// The answer to an [`Action::Vfs`] or [`Action::Lookup`].
    pub fn complete(&mut self, now: Now, token: Token, completion: Completion) {
        self.questions.remove(&token);
        self.server.handle_completion(now, token, completion);
        self.collect(now);
    }

    /// See [`Server::handle_outside`].
    pub fn outside(&mut self, now: Now, backend: BackendId, what: Outside) {
        self.server.handle_outside(now, backend, what);
        self.collect(now);
    }

    /// The time that [`Self::poll_timeout`] named has come (an early call does nothing).
    pub fn timeout(&mut self, now: Now) {
        self.server.handle_timeout(now);
        self.collect(now);
    }

    /// See [`Server::restore`].
    pub fn restore(&mut self, now: Now, kept: Vec<(u64, bytes::Bytes)>) {
        self.server.restore(now, kept);
        self.collect(now);
    }

    /// A command of the operator.
    pub fn control(&mut self, now: Now, control: Control) {
        self.server.handle_control(now, control);
        self.collect(now);
    }

    /// The next thing to do; `None` when there is nothing more for now.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// As [`Self::poll`], for who answers questions on the spot: they are put to `vfs` and
    /// `accounts`, and only what concerns connections comes out.
    pub fn poll_with(
        &mut self,
        now: Now,
        mut vfs: impl FnMut(&Identity, VfsOp) -> VfsResult,
        mut accounts: impl FnMut(Query) -> Completion,
    ) -> Option<Action> {
        loop {
            match self.poll()? {
                Action::Vfs(r) => {
                    let result = vfs(&r.by, r.op);
                    self.complete(now, r.token, Completion::Vfs(result));
                }
                Action::Lookup(token, query) => self.complete(now, token, accounts(query)),
                other => return Some(other),
            }
        }
    }

    /// When [`Self::timeout`] wants to be called if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    /// Numbers of objects.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.server.counts()
    }

    /// Bytes held for one connection, or (`None`) for all.
    #[must_use]
    pub fn held(&self, conn: Option<ConnId>) -> Held {
        let links = self.links.iter();
        let links = links.filter(|(id, _)| conn.is_none_or(|conn| **id == conn));
        let unparsed = links.map(|(_, link)| link.buffered());
        Held {
            unparsed: unparsed.fold(0, usize::saturating_add),
            ..self.server.held(conn)
        }
    }

    /// Checks that the tables agree with each other; for tests and the simulator.
    ///
    /// # Errors
    /// A sentence about the first disagreement.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.server.check_invariants()
    }

    /// Carries what the server says to the links and into the queue.
    fn collect(&mut self, now: Now) {
        while let Some(output) = self.server.poll_output() {
            let action = match output {
                Output::Send(conn, answer) => {
                    if let Some(observer) = &mut self.observer {
                        observer.answered(now, conn, &answer);
                    }
                    Action::Transmit(conn, Link::seal(answer))
                }
                Output::Keys(conn, update) => {
                    if let Some(link) = self.links.get_mut(&conn) {
                        link.apply(update);
                    }
                    continue;
                }
                Output::Vfs(request) => {
                    if self.observer.is_some() {
                        self.questions.insert(request.token);
                    }
                    Action::Vfs(request)
                }
                Output::Lookup(token, query) => {
                    if self.observer.is_some() {
                        self.questions.insert(token);
                    }
                    Action::Lookup(token, query)
                }
                Output::Close(conn, reason) => {
                    if let Some(observer) = &mut self.observer {
                        observer.closing(now, conn);
                    }
                    self.links.remove(&conn);
                    Action::Close(conn, reason)
                }
                Output::Store(news) => Action::Store(news),
                Output::Event(event) => Action::Event(event),
            };
            self.actions.push_back(action);
        }
        if let Some(observer) = &mut self.observer
            && self.questions.is_empty()
        {
            observer.settled(now);
        }
    }
}
