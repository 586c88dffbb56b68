//! All shared state in one place, with one owner.
//!
//! Each table holds one kind of object of [MS-SMB2] 3.3.1; objects name each other by id, both
//! ways. Rules that decide about one row are functions on plain values in the files of this
//! folder; only [`teardown`] removes anything.

pub(crate) mod breaks;
pub(crate) mod caching;
mod chain;
mod conn;
pub(crate) mod credit;
pub(crate) mod dir_lease;
pub(crate) mod durable;
mod file;
mod held;
pub(crate) mod invariants;
pub(crate) mod lease;
pub(crate) mod name;
mod notification;
pub(crate) mod notify;
mod op;
mod open;
pub(crate) mod outside;
pub(crate) mod own;
pub(crate) mod persistent;
pub(crate) mod pipe_view;
pub(crate) mod quota;
pub(crate) mod range_lock;
pub(crate) mod rename;
mod retell;
pub(crate) mod sequence;
mod session;
pub(crate) mod share_mode;
pub(crate) mod teardown;
mod timer;
mod tree;
mod watch;
pub(crate) mod write_time;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(crate) use chain::{Chain, LastFile, Related};
pub use conn::Conn;
pub use conn::Peer;
pub(crate) use conn::{ConnState, Negotiated};
pub(crate) use file::{DeletePending, File, FileKey, RangeLock};
pub use held::Held;
pub(crate) use held::held;
pub use op::Op;
pub(crate) use op::{Wait, Wake};
pub(crate) use open::{FileOpen, Open, OpenKind, QuotaOpen, Scan};
pub(crate) use session::{Channel, Established, Session, SessionState};
pub(crate) use timer::Timers;
pub(crate) use tree::{Tree, TreeShare};
pub(crate) use watch::Watch;

use smb_proto::id::SessionId;

use crate::config::{Config, Share};
use crate::entropy::Entropy;
use crate::event::Event;
use crate::output::{CloseReason, ConnId, Output};
use crate::table::{Id, Table};
use crate::time::Now;
use crate::vfs::NodeId;

/// Every table of the server.
pub(crate) struct Core {
    pub(crate) config: Arc<Config>,
    /// Shares by folded name.
    pub(crate) shares: BTreeMap<String, Arc<Share>>,
    pub(crate) entropy: Entropy,
    pub(crate) conns: Table<Conn>,
    pub(crate) sessions: Table<Session>,
    /// Sessions by the id that clients know (GlobalSessionTable).
    pub(crate) session_by_wire: BTreeMap<SessionId, Id<Session>>,
    pub(crate) next_session_id: u32,
    pub(crate) trees: Table<Tree>,
    pub(crate) opens: Table<Open>,
    pub(crate) files: Table<File>,
    pub(crate) leases: Table<lease::Lease>,
    /// Every lease by client and key (GlobalLeaseTableList).
    pub(crate) lease_by_owner: BTreeMap<lease::LeaseOwner, Id<lease::Lease>>,
    /// Leases on directories by the names of these.
    pub(crate) dir_leases: dir_lease::Places,
    /// Durable opens by the persistent half of their FileId.
    pub(crate) durables: BTreeMap<u64, Id<Open>>,
    /// CREATEs that their clients may repeat.
    pub(crate) creates: BTreeMap<durable::CreateKey, durable::Made>,
    /// What the driver keeps of persistent opens, and what of that may have changed.
    pub(crate) kept: persistent::Kept,
    /// What follows an acknowledgment of a break, once that is answered.
    pub(crate) later: VecDeque<breaks::Later>,
    /// Opens with a [`Watch`], so that a change need not look at all opens.
    pub(crate) watching: BTreeSet<Id<Open>>,
    /// The row of each file or stream that has an open.
    pub(crate) file_by_key: BTreeMap<FileKey, Id<File>>,
    /// READs that wait for something to come out of a named pipe, first come first served.
    pub(crate) pipe_readers: BTreeMap<Id<Open>, Vec<Id<Op>>>,
    /// LOGOFFs that wait for what still runs in the session that they have ended.
    pub(crate) logoffs: BTreeMap<Id<Session>, Id<Op>>,
    pub(crate) chains: Table<Chain>,
    pub(crate) ops: Table<Op>,
    /// Requests with an interim answer, by the AsyncId the client knows.
    pub(crate) timers: Timers,
    /// CREATEs that have asked a backend to open something and have not entered it in
    /// [`Self::files`] yet.
    pub(crate) creates_in_flight: usize,
    /// Files removed while such CREATEs were in flight, with the number of the removal: what a
    /// CREATE opened before that may be these.
    pub(crate) removed_meanwhile: BTreeMap<NodeId, u64>,
    /// Removals so far.
    pub(crate) removals: u64,
    pub(crate) next_async_id: u64,
    pub(crate) next_persistent_id: u64,
    /// Signatures and ciphers are checksums.
    #[cfg(feature = "stub-crypto")]
    pub(crate) stub_crypto: bool,
    #[cfg(feature = "mutations")]
    pub(crate) mutation: Option<crate::mutation::Mutation>,
    out: VecDeque<Output>,
}

impl Core {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut entropy = Entropy::new(seed);
        // Clients come back with the numbers of the server that was there before this one; they must
        // not name anything else then.
        let epoch = u64::from(u32::from_le_bytes(entropy.bytes())) & 0x7fff_ffff;
        let shares = config
            .shares
            .iter()
            .map(|s| (crate::names::fold(&s.name), Arc::new(s.clone())))
            .collect();
        Self {
            config: Arc::new(config),
            shares,
            entropy,
            conns: Table::default(),
            sessions: Table::default(),
            session_by_wire: BTreeMap::new(),
            next_session_id: 1,
            trees: Table::default(),
            opens: Table::default(),
            files: Table::default(),
            leases: Table::default(),
            lease_by_owner: BTreeMap::new(),
            dir_leases: BTreeMap::new(),
            durables: BTreeMap::new(),
            creates: BTreeMap::new(),
            kept: persistent::Kept::default(),
            later: VecDeque::new(),
            watching: BTreeSet::new(),
            file_by_key: BTreeMap::new(),
            pipe_readers: BTreeMap::new(),
            logoffs: BTreeMap::new(),
            chains: Table::default(),
            ops: Table::default(),
            timers: Timers::default(),
            creates_in_flight: 0,
            removed_meanwhile: BTreeMap::new(),
            removals: 0,
            next_async_id: 1,
            next_persistent_id: (epoch << 32) | 1,
            #[cfg(feature = "stub-crypto")]
            stub_crypto: false,
            #[cfg(feature = "mutations")]
            mutation: None,
            out: VecDeque::new(),
        }
    }

    /// Queues something for the driver.
    pub(crate) fn emit(&mut self, output: Output) {
        self.out.push_back(output);
    }

    /// Queues something that the driver has to do before everything that it has not fetched yet.
    pub(crate) fn emit_first(&mut self, output: Output) {
        self.out.push_front(output);
    }

    /// Queues an event for the driver.
    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    /// The next thing for the driver to do.
    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Marks a connection as closing and tells the driver. Nothing more is read from it.
    pub(crate) fn close_conn(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(c) = self.conns.get_mut(conn) else {
            return;
        };
        if c.closing {
            return;
        }
        c.closing = true;
        self.event(Event::Closing {
            conn,
            reason: reason.clone(),
        });
        self.emit(Output::Close(conn, reason));
    }

    /// The session with this id, on whatever connections it has channels.
    pub(crate) fn session_by_wire(&self, wire: SessionId) -> Option<(Id<Session>, &Session)> {
        let id = *self.session_by_wire.get(&wire)?;
        Some((id, self.sessions.get(id)?))
    }

    /// Enters a new session under a fresh id. The ids count up within 32 bits, which is all that
    /// some clients keep of them, and pass over those in use.
    pub(crate) fn add_session(&mut self, make: impl FnOnce(SessionId) -> Session) -> SessionId {
        let wire = loop {
            let wire = SessionId(u64::from(self.next_session_id));
            self.next_session_id = self.next_session_id.wrapping_add(1).max(1);
            if !self.session_by_wire.contains_key(&wire) && wire.0 != u64::from(u32::MAX) {
                break wire;
            }
        };
        let id = self.sessions.insert(make(wire));
        self.session_by_wire.insert(wire, id);
        wire
    }

    /// The row for `key`, made if there is none.
    pub(crate) fn file_row(&mut self, key: FileKey) -> Id<File> {
        if let Some(id) = self.file_by_key.get(&key) {
            return *id;
        }
        let id = self.files.insert(File::new(key.clone()));
        self.file_by_key.insert(key, id);
        id
    }

    /// Whether an operation of this session other than `but` is in progress.
    pub(crate) fn runs_elsewhere(&self, session: Id<Session>, but: Id<Op>) -> bool {
        let mut ops = self.ops.iter();
        ops.any(|(id, op)| id != but && op.session == Some(session))
    }

    /// All rows of one file: the unnamed stream and the named ones that are open.
    pub(crate) fn rows_of(&self, node: NodeId) -> Vec<Id<File>> {
        let from = FileKey { node, stream: None };
        self.file_by_key
            .range(from..)
            .take_while(|(k, _)| k.node == node)
            .map(|(_, id)| *id)
            .collect()
    }

    /// A fresh AsyncId, [MS-SMB2] 3.3.4.2: not 0, never used twice.
    pub(crate) fn async_id(&mut self) -> smb_proto::id::AsyncId {
        let id = self.next_async_id;
        self.next_async_id = id.wrapping_add(1).max(1);
        smb_proto::id::AsyncId(id)
    }

    /// Sets (or moves) the deadline of an operation.
    pub(crate) fn arm(&mut self, timer: Timer, now: Now, after: std::time::Duration) {
        self.timers.set(timer, now.mono + after);
    }
}

pub(crate) use timer::Timer;
