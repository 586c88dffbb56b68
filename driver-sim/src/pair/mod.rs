//! A test bed: the engine, any number of clients, a file system in memory, accounts, and time that
//! moves only when it is told to.
//!
//! [`Pair::run`] carries bytes and questions back and forth until nobody has anything more to say,
//! and checks the engine's invariants after every single input; the checkers of [`crate::check`] look on.
//! Nothing in it is random: the same
//! calls give the same bytes ([`Pair::trace`]).
//!
//! ```
//! use driver_sim::client::ops;
//! use driver_sim::pair::Pair;
//! use smb_proto::msg::create::CreateDisposition;
//!
//! let mut pair = Pair::new();
//! let tree = pair.mount();
//! let file = pair.create(tree, ops::create("a.txt", CreateDisposition::Create)).unwrap();
//! pair.write(tree, file.file_id, 0, "hello").unwrap();
//! pair.close(tree, file.file_id).unwrap();
//! pair.finish();
//! assert_eq!(pair.fs().read_file("a.txt").unwrap(), b"hello");
//! ```

mod calls;
mod hold;
mod setup;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smb_engine::config::{BackendId, Config};
use smb_engine::event::Event;
use smb_engine::identity::Account;
use smb_engine::names::fold;
use smb_engine::output::{CloseReason, Completion, ConnId, Keep, Query, Token};
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::{Backend, VfsError, VfsOp, VfsRequest};
use smb_engine::{Action, Control, Counts, Engine, Peer};
use smb_proto::FileTime;
use smb_proto::crypto::PreauthHash;
use smb_proto::id::MessageId;

pub use calls::{Answer, Tree};
pub use setup::{BEGIN, Builder, DOMAIN, share};

use crate::check::{Outside, Panel, Seen};
use crate::client::{Client, ClientConfig, ClientEvent, ClientFault, Reply};
use crate::memory::MemoryFs;

use hold::Held;

/// Names a client of a test bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End(usize);

/// Says with which error the disk answers an operation, if it is not to be carried out.
type Fault = Box<dyn FnMut(&VfsOp) -> Option<VfsError> + Send>;

/// One client and its connection.
struct Wire {
    client: Client,
    /// `None` once the connection has gone.
    conn: Option<ConnId>,
    /// Why the server closed it.
    closed: Option<CloseReason>,
    /// What the client sends waits for [`Pair::deliver`].
    paused: bool,
    fault: Option<ClientFault>,
    replies: BTreeMap<MessageId, Reply>,
    /// Everything but replies.
    events: Vec<ClientEvent>,
}

/// The test bed; see the module's documentation.
pub struct Pair {
    engine: Engine,
    /// For an engine that takes its place.
    config: Config,
    /// How often one has.
    starts: u8,
    /// What engines have had kept for those that take their place.
    kept: BTreeMap<u64, Bytes>,
    now: Now,
    fs: Arc<MemoryFs>,
    accounts: BTreeMap<String, Account>,
    ends: Vec<Wire>,
    events: Vec<Event>,
    /// Which file operations are kept back until [`Pair::release`].
    holds: fn(&VfsOp) -> bool,
    /// The same for questions about accounts.
    holds_lookups: bool,
    held: VecDeque<Held>,
    trace: PreauthHash,
    largest: usize,
    /// Looks on, and says what the engine may not answer.
    panel: Panel,
    invariants: bool,
    fault: Option<Fault>,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// A test bed with a server that takes everything; see [`Builder`].
    #[must_use]
    pub fn new() -> Self {
        Builder::default().build()
    }

    /// To choose the server's configuration.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The checkers that look on.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// The file system behind the shares. What the caller does there is done past the server, so that
    /// the checkers know nothing of names and contents any more.
    #[must_use]
    pub fn fs(&self) -> &MemoryFs {
        let touched = Outside::Touched { path: "" };
        self.panel.tell(self.now, &Seen::Outside(touched));
        &self.fs
    }

    /// The engine itself, for what the test bed has no word for.
    #[must_use]
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Leaves the engine's own invariants unchecked, so that only checkers find what is wrong.
    pub fn skip_invariants(&mut self) {
        self.invariants = false;
    }

    /// Lets the disk fail: with the error that `fault` names for an operation, without carrying it out.
    pub fn inject(&mut self, fault: impl FnMut(&VfsOp) -> Option<VfsError> + Send + 'static) {
        self.fault = Some(Box::new(fault));
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// A client.
    ///
    /// # Panics
    /// It is another test bed's.
    #[must_use]
    pub fn client(&mut self, end: End) -> &mut Client {
        &mut self.ends[end.0].client
    }

    /// A client has connected; nothing is sent yet.
    ///
    /// # Panics
    /// The server does not want the connection.
    pub fn accept(&mut self, config: ClientConfig) -> End {
        match self.accept_from(IpAddr::V4(Ipv4Addr::LOCALHOST), config) {
            Ok(end) => end,
            Err(reason) => panic!("connection refused: {reason:?}"),
        }
    }

    /// As [`Self::accept`], from this address.
    ///
    /// # Errors
    /// The server does not want the connection.
    pub fn accept_from(
        &mut self,
        address: IpAddr,
        config: ClientConfig,
    ) -> Result<End, CloseReason> {
        let port = u16::try_from(50_000 + self.ends.len()).unwrap_or(0);
        let conn = self.engine.accept(self.now, Peer { address, port })?;
        self.ends.push(Wire {
            client: Client::new(config),
            conn: Some(conn),
            closed: None,
            paused: false,
            fault: None,
            replies: BTreeMap::new(),
            events: Vec::new(),
        });
        self.settle();
        Ok(End(self.ends.len() - 1))
    }

    /// The client's connection breaks.
    pub fn disconnect(&mut self, end: End) {
        if let Some(conn) = self.ends[end.0].conn.take() {
            self.engine.closed(self.now, conn);
            self.settle();
        }
    }

    /// The server's machine loses its power and starts again. Nobody is connected any more; of the
    /// content that was not flushed since [`MemoryFs::track_stability`], `newer` says for each part
    /// whether it had reached the disk by itself.
    pub fn lose_power(&mut self, newer: &mut dyn FnMut() -> bool) {
        self.start_again(newer);
    }

    /// The server's process is killed and another one started. Nobody is connected any more; what was
    /// written is there, and what the server has had kept of persistent opens.
    pub fn restart(&mut self) {
        self.start_again(&mut || true);
    }

    /// What the server has had kept for the one that takes its place, by number.
    #[must_use]
    pub fn kept(&self) -> &BTreeMap<u64, Bytes> {
        &self.kept
    }

    fn start_again(&mut self, newer: &mut dyn FnMut() -> bool) {
        self.fs.crash(newer);
        let lost = Seen::Outside(Outside::Lost);
        self.panel.tell(self.now, &lost);
        for end in &mut self.ends {
            if let Some(conn) = end.conn.take() {
                self.panel.tell(self.now, &Seen::Disconnected { conn });
            }
        }
        self.held.clear();
        self.starts += 1;
        let mut seed = [0xc4; 32];
        seed[0] = self.starts;
        self.engine = Engine::new(self.config.clone(), seed);
        self.engine.observe(self.panel.observer());
        let kept = self.kept.iter().map(|(id, r)| (*id, r.clone())).collect();
        self.engine.restore(self.now, kept);
        self.settle();
    }

    /// Whether the client is connected.
    #[must_use]
    pub fn is_connected(&self, end: End) -> bool {
        self.ends[end.0].conn.is_some()
    }

    /// Why the server closed the connection.
    #[must_use]
    pub fn close_reason(&self, end: End) -> Option<&CloseReason> {
        self.ends[end.0].closed.as_ref()
    }

    /// How the server broke the protocol, as the client sees it.
    #[must_use]
    pub fn fault(&self, end: End) -> Option<&ClientFault> {
        self.ends[end.0].fault.as_ref()
    }

    /// Takes the final answer to a request, if it has come.
    pub fn reply(&mut self, end: End, message: MessageId) -> Option<Reply> {
        self.ends[end.0].replies.remove(&message)
    }

    /// Takes what happened at a client besides replies.
    pub fn client_events(&mut self, end: End) -> Vec<ClientEvent> {
        std::mem::take(&mut self.ends[end.0].events)
    }

    /// Takes what the engine reported.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Numbers of the engine's objects.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// When the engine wants to be called if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    /// A hash over all bytes that the engine has sent so far, in order, with their connections.
    #[must_use]
    pub fn trace(&self) -> PreauthHash {
        self.trace
    }

    /// A command of the operator.
    pub fn control(&mut self, control: Control) {
        match control {
            Control::Drain => self.panel.tell(self.now, &Seen::Outside(Outside::Drained)),
        }
        self.engine.control(self.now, control);
        self.settle();
        self.run();
    }

    /// Carries everything back and forth until nobody has anything more to say. Time stands still.
    pub fn run(&mut self) {
        self.tell_outside();
        loop {
            let mut quiet = true;
            for i in 0..self.ends.len() {
                while !self.ends[i].paused && self.carry(i) {
                    quiet = false;
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// Carries the next thing that a client sends to the server, if there is any.
    fn carry(&mut self, i: usize) -> bool {
        let Some(bytes) = self.ends[i].client.poll_transmit() else {
            return false;
        };
        if let Some(conn) = self.ends[i].conn {
            self.engine.receive(self.now, conn, &bytes);
            self.settle();
        }
        true
    }

    /// Bytes of the longest message that the engine has sent so far, with its prefix.
    #[must_use]
    pub fn largest_message(&self) -> usize {
        self.largest
    }

    /// Lets time pass; deadlines that lie in it are met one after the other.
    pub fn advance(&mut self, by: Duration) {
        self.run();
        let until = self.now.mono + by;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.set_time(due);
            self.engine.timeout(self.now);
            self.settle();
            self.run();
        }
        self.set_time(until);
    }

    fn set_time(&mut self, mono: Instant) {
        let passed = mono - self.now.mono;
        let ticks = u64::try_from(passed.as_nanos() / 100).unwrap_or(u64::MAX);
        self.now = Now {
            mono: mono.max(self.now.mono),
            wall: FileTime(self.now.wall.0.saturating_add(ticks)),
        };
        self.fs.set_now(self.now.wall);
    }

    /// Carries out what the engine wants, and checks it. Clients take in what they get, but what
    /// they send in return waits for [`Self::run`].
    fn settle(&mut self) {
        self.check();
        while let Some(action) = self.engine.poll() {
            match action {
                Action::Transmit(conn, segments) => {
                    self.trace.update(&conn_number(conn));
                    self.largest = self.largest.max(segments.len());
                    let end = self.ends.iter().position(|e| e.conn == Some(conn));
                    for segment in segments.0 {
                        self.trace.update(&segment);
                        if let Some(end) = end {
                            self.ends[end].client.receive(&segment);
                        }
                    }
                    if let Some(end) = end {
                        self.ends[end].collect();
                    }
                }
                Action::Vfs(request) if (self.holds)(&request.op) => {
                    self.held.push_back(Held::Vfs(request));
                }
                Action::Lookup(token, query) if self.holds_lookups => {
                    self.held.push_back(Held::Lookup(token, query));
                }
                Action::Vfs(request) => self.carry_out(request),
                Action::Lookup(token, query) => self.answer_lookup(token, &query),
                Action::Close(conn, reason) => {
                    if let Some(end) = self.ends.iter_mut().find(|e| e.conn == Some(conn)) {
                        end.conn = None;
                        end.closed = Some(reason);
                    }
                    self.engine.closed(self.now, conn);
                    self.check();
                }
                Action::Store(news) => keep(&mut self.kept, news),
                Action::Event(event) => self.events.push(event),
            }
        }
    }

    fn carry_out(&mut self, request: VfsRequest) {
        let fault = self.fault.as_mut().and_then(|fault| fault(&request.op));
        let result = match fault {
            Some(error) => {
                let told = Outside::Fault {
                    op: &request.op,
                    error: &error,
                };
                self.panel.tell(self.now, &Seen::Outside(told));
                Err(error)
            }
            None => self.fs.execute(&request.by, request.op),
        };
        self.give_outside();
        self.engine
            .complete(self.now, request.token, Completion::Vfs(result));
        self.check();
    }

    /// Tells the engine what the file system has told, of the engine's own operations and of what was
    /// done past it.
    fn give_outside(&mut self) {
        for what in self.fs.take_outside() {
            self.engine.outside(self.now, BackendId(0), what);
        }
    }

    fn tell_outside(&mut self) {
        self.give_outside();
        self.settle();
    }

    fn answer_lookup(&mut self, token: Token, query: &Query) {
        let answer = self.look_up(query);
        self.engine.complete(self.now, token, answer);
        self.check();
    }

    fn look_up(&self, query: &Query) -> Completion {
        match query {
            Query::Account { user, .. } => {
                Completion::Account(self.accounts.get(&fold(user)).cloned())
            }
            Query::Accounts => {
                let all = self.accounts.values().map(|a| a.identity.clone());
                Completion::Accounts(all.collect())
            }
        }
    }

    fn check(&self) {
        if self.invariants
            && let Err(what) = self.engine.check_invariants()
        {
            panic!("invariant broken: {what}");
        }
        if let Err(what) = self.panel.verdict() {
            panic!("{what}");
        }
    }

    /// Disconnects everybody, carries out what is left, and sees that nothing remains.
    ///
    /// # Panics
    /// The engine or the file system still holds something.
    pub fn finish(&mut self) {
        for i in 0..self.ends.len() {
            self.disconnect(End(i));
        }
        self.release();
        if let Err(what) = self.panel.finish() {
            panic!("{what}");
        }
        assert_eq!(self.counts(), Counts::default(), "objects are left over");
        assert_eq!(self.fs.open_handles(), 0, "backend handles are left open");
    }
}

/// Keeps what a server has had kept.
pub(crate) fn keep(kept: &mut BTreeMap<u64, Bytes>, news: Vec<Keep>) {
    for Keep { id, record } in news {
        match record {
            Some(record) => kept.insert(id, record),
            None => kept.remove(&id),
        };
    }
}

/// A connection as bytes for the trace.
fn conn_number(conn: ConnId) -> [u8; 8] {
    conn.to_u64().to_le_bytes()
}

impl Wire {
    fn collect(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Reply(reply) => {
                    self.replies.insert(reply.message, reply);
                }
                ClientEvent::Fault(fault) => {
                    self.fault = Some(fault.clone());
                    self.events.push(ClientEvent::Fault(fault));
                }
                other => self.events.push(other),
            }
        }
    }
}
