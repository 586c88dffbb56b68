//! A client that follows a script.

mod act;
mod cache;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use smb_engine::time::Instant;
use smb_proto::crypto::{Cipher, Key, SigningAlgorithm};
use smb_proto::fsctl::{ResumeKey, SrvResumeKeyResponse};
use smb_proto::id::{FileId, MessageId, SessionId};
use smb_proto::msg;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::oplock_break::Message;
use smb_proto::{Dialect, FileTime, Guid};

use self::cache::Kept;
use super::dice::Dice;
use super::plan::{ClientPlan, PeerKind, Plan};
use super::server::{PASSWORD, SHARES, USERS};
use super::step::{Do, Step};
use super::{raw, request};
use crate::client::{
    Client, ClientConfig, ClientEvent, ClientFault, Credentials, ExportedSession, LogonFor,
    LogonId, Part, Reply, Spoil, Target, ops,
};

/// Connections that a client makes by itself at most: one that breaks early would go on for ever.
const PERSISTENCE: u64 = 12;

/// What an actor wants of the world.
#[derive(Debug)]
pub(super) enum Wish {
    /// Call again at this time.
    Wake(Instant),
    /// Drop the connection (if there is one) and make a new one; `reset`: what is under way is lost.
    Reconnect { reset: bool },
    /// End this direction.
    HalfClose,
    /// Nothing is carried for so long.
    Stall(Duration),
    /// The first session of another client.
    Export(u8),
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no connection.
    Gone,
    Negotiating,
    LoggingOn(LogonId),
    Mounting,
    Ready,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Mount,
    Tree(u8),
    TreeGone(u8),
    Open(u8),
    Closed(u8),
    LoggedOff(u8),
    Key,
    Other,
}

/// A slot that holds something, or will.
#[derive(Debug, Clone, Copy)]
enum Slot<T> {
    Waiting,
    Holds(T),
}

/// A client, its connection, and what is left of its script.
pub(super) struct Actor {
    number: usize,
    pub(super) plan: ClientPlan,
    guid: Guid,
    seed: u64,
    dice: Dice,
    pub(super) client: Option<Client>,
    /// Its connection, as the world numbers them.
    pub(super) wire: Option<usize>,
    stage: Stage,
    steps: VecDeque<Step>,
    ready_at: Instant,
    connections: u64,
    replacing: Option<SessionId>,
    sessions: BTreeMap<u8, Slot<SessionId>>,
    logons: BTreeMap<LogonId, u8>,
    trees: BTreeMap<u8, Slot<(Target, bool)>>,
    files: BTreeMap<u8, Slot<FileId>>,
    key: ResumeKey,
    /// How it treats breaks and what it had open.
    habits: Dice,
    creates: u64,
    /// What the CREATE that is sent next asks to keep.
    asking: Option<Kept>,
    keeping: BTreeMap<MessageId, Kept>,
    /// Durable opens.
    kept: BTreeMap<FileId, Kept>,
    /// Those of the connection before.
    left: Vec<Kept>,
    opened_by: BTreeMap<FileId, Target>,
    /// Breaks to be acknowledged, after so many turns.
    owed: Vec<(u8, Message)>,
    expected: BTreeMap<MessageId, Expect>,
    /// Requests with an interim answer: they do not count as under way.
    parked: Vec<MessageId>,
    /// It has broken the rules: what it gets may be anything.
    pub(super) lenient: bool,
    /// Keys of sessions that it has made since these were last taken.
    pub(super) new_keys: Vec<(SessionId, Key)>,
}

impl Actor {
    pub(super) fn new(number: usize, plan: &Plan) -> Self {
        let steps = plan.steps.iter();
        let mine = super::step::Who::Client(u8::try_from(number).unwrap_or(u8::MAX));
        let seed = plan.seed ^ ((number as u64 + 1) << 40);
        // Only clients with the same GUID may bind each other's sessions.
        let family = if plan.server.multichannel {
            0
        } else {
            number as u64
        };
        let mut guid = *b"world client ...";
        guid[13..].copy_from_slice(&family.to_le_bytes()[..3]);
        Self {
            number,
            plan: plan.clients[number].clone(),
            guid: Guid::from_bytes(guid),
            seed,
            dice: Dice::new(plan.seed, 1000 + number as u64),
            client: None,
            wire: None,
            stage: Stage::Gone,
            steps: steps.filter(|s| s.who == mine).cloned().collect(),
            ready_at: Instant(0),
            connections: 0,
            replacing: None,
            sessions: BTreeMap::new(),
            logons: BTreeMap::new(),
            trees: BTreeMap::new(),
            files: BTreeMap::new(),
            key: ResumeKey([0; 24]),
            habits: Dice::new(plan.seed, 2000 + number as u64),
            creates: 0,
            asking: None,
            keeping: BTreeMap::new(),
            kept: BTreeMap::new(),
            left: Vec::new(),
            opened_by: BTreeMap::new(),
            owed: Vec::new(),
            expected: BTreeMap::new(),
            parked: Vec::new(),
            lenient: false,
            new_keys: Vec::new(),
        }
    }

    /// Whether nothing more will come from it by itself.
    pub(super) fn is_done(&self) -> bool {
        self.plan.kind != PeerKind::Normal || self.steps.is_empty()
    }

    /// Forgets the rest of its script.
    pub(super) fn give_up(&mut self) {
        self.steps.clear();
    }

    /// Whether it has something to send and no credits for it.
    pub(super) fn is_out_of_credits(&self) -> bool {
        self.client.as_ref().is_some_and(|c| c.waiting() > 0)
    }

    /// Whether it has a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.wire.is_some()
    }

    fn config(&self, now: FileTime, stub: bool) -> ClientConfig {
        let plan = &self.plan;
        let dialects = plan.dialects.iter();
        let base = ClientConfig::default().seed(self.seed ^ self.connections);
        let mut capabilities = GlobalCapabilities::ENCRYPTION;
        capabilities.set(GlobalCapabilities::LARGE_MTU, plan.large_mtu);
        let mut config = ClientConfig {
            dialects: dialects.filter_map(|d| Dialect::from_code(*d)).collect(),
            smb1_dialects: plan.smb1_first.then(|| {
                let mut strings = vec![smb_proto::smb1::DIALECT_SMB_2_WILDCARD.into()];
                if plan.dialects.contains(&Dialect::Smb202.into()) {
                    strings.push(smb_proto::smb1::DIALECT_SMB_2_002.into());
                }
                strings
            }),
            client_guid: self.guid,
            capabilities,
            ciphers: plan
                .ciphers
                .iter()
                .filter_map(|c| Cipher::from_code(*c))
                .collect(),
            signing_algorithms: plan
                .signing_algorithms
                .iter()
                .filter_map(|c| SigningAlgorithm::from_code(*c))
                .collect(),
            encrypt: plan.encrypt,
            credits: plan.credits,
            now,
            stub_crypto: stub,
            ..base
        };
        if plan.sign {
            config = config.signing();
        }
        config
    }

    /// A connection was made.
    pub(super) fn connected(&mut self, wire: usize, now: FileTime, stub: bool) {
        self.connections += 1;
        let mut client = Client::new(self.config(now, stub));
        match self.plan.kind {
            PeerKind::Normal | PeerKind::Stranger => client.negotiate(),
            PeerKind::Silent => {}
            PeerKind::Half => client.send_bytes(raw::half()),
        }
        self.client = Some(client);
        self.wire = Some(wire);
        self.stage = Stage::Negotiating;
        self.lenient = false;
    }

    /// The connection has gone, and all that lived on it.
    pub(super) fn lost(&mut self) {
        self.replacing = self.first_session().or(self.replacing);
        self.client = None;
        self.wire = None;
        self.stage = Stage::Gone;
        self.sessions.clear();
        self.logons.clear();
        self.trees.clear();
        self.files.clear();
        self.left
            .extend(std::mem::take(&mut self.kept).into_values());
        self.keeping.clear();
        self.opened_by.clear();
        self.owed.clear();
        self.expected.clear();
        self.parked.clear();
    }

    fn first_session(&self) -> Option<SessionId> {
        self.sessions.values().find_map(|s| match s {
            Slot::Holds(id) => Some(*id),
            Slot::Waiting => None,
        })
    }

    /// What another connection needs to bind the first session.
    pub(super) fn export(&self) -> Option<ExportedSession> {
        self.client.as_ref()?.export(self.first_session()?)
    }

    /// Binds a session of another connection.
    pub(super) fn bind(&mut self, exported: Option<ExportedSession>) {
        let (Some(client), Some(exported)) = (&mut self.client, exported) else {
            return;
        };
        let known = |s: &Slot<SessionId>| matches!(s, Slot::Holds(id) if *id == exported.id);
        if self.sessions.values().any(known) {
            return;
        }
        let id = client.logon(credentials(self.plan.user, false), LogonFor::Bind(exported));
        self.sessions.insert(7, Slot::Waiting);
        self.logons.insert(id, 7);
    }

    /// Cancels all that is under way.
    pub(super) fn cancel_all(&mut self) {
        if let Some(client) = &mut self.client {
            for id in self.expected.keys() {
                client.cancel(*id);
            }
        }
    }

    /// Ends its sessions.
    pub(super) fn log_off(&mut self) {
        let slots: Vec<u8> = self.sessions.keys().copied().collect();
        for slot in slots {
            self.take_step(&Do::Logoff { session: slot });
        }
    }

    /// Takes in what the client has to say.
    pub(super) fn take_events(&mut self) -> Result<(), ClientFault> {
        while let Some(event) = self.client.as_mut().and_then(Client::poll_event) {
            match event {
                ClientEvent::Negotiated(_) => {
                    if self.plan.kind == PeerKind::Normal {
                        self.begin_logon();
                    }
                }
                ClientEvent::NegotiateFailed(_) => self.give_up(),
                ClientEvent::LoggedOn { logon, session, .. } => self.logged_on(logon, session),
                ClientEvent::LogonFailed { logon, .. } => {
                    if self.stage == Stage::LoggingOn(logon) {
                        self.give_up();
                    }
                    if let Some(slot) = self.logons.remove(&logon)
                        && matches!(self.sessions.get(&slot), Some(Slot::Waiting))
                    {
                        self.sessions.remove(&slot);
                    }
                }
                ClientEvent::Reply(reply) => self.replied(&reply),
                ClientEvent::Interim { message, .. } => self.parked.push(message),
                ClientEvent::Break(notice) => self.broken(notice),
                ClientEvent::Fault(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn begin_logon(&mut self) {
        let purpose = match self.replacing.take() {
            Some(old) if self.dice.chance(1, 2) => LogonFor::Replacing(old),
            _ => LogonFor::New,
        };
        if let Some(client) = &mut self.client {
            let id = client.logon(credentials(self.plan.user, false), purpose);
            self.stage = Stage::LoggingOn(id);
            self.sessions.insert(0, Slot::Waiting);
            self.logons.insert(id, 0);
        }
    }

    fn logged_on(&mut self, logon: LogonId, session: SessionId) {
        let key = self.client.as_ref().and_then(|c| c.session_key(session));
        self.new_keys.extend(key.map(|key| (session, key)));
        if let Some(slot) = self.logons.remove(&logon) {
            self.sessions.insert(slot, Slot::Holds(session));
        }
        if self.stage == Stage::LoggingOn(logon) {
            self.stage = Stage::Mounting;
            self.mount(Expect::Mount, 0, session, self.plan.share);
        }
    }

    fn mount(&mut self, expect: Expect, slot: u8, session: SessionId, share: u8) {
        let share = usize::from(share) % SHARES.len();
        let request = ops::tree_connect(&format!("\\\\SIM\\{}", SHARES[share]));
        let waiting = Slot::Waiting;
        self.trees.insert(slot, waiting);
        self.send(expect, Part::new(Target::session(session), request));
    }

    fn send(&mut self, expect: Expect, part: Part) {
        if let Some(client) = &mut self.client {
            let id = client.send_part(part);
            self.expected.insert(id, expect);
            self.keeping
                .extend(self.asking.take().map(|kept| (id, kept)));
        }
    }

    fn replied(&mut self, reply: &Reply) {
        let id = reply.message;
        self.parked.retain(|m| *m != id);
        let Some(expect) = self.expected.remove(&id) else {
            return;
        };
        let kept = self.keeping.remove(&id);
        let good = !reply.status().is_error();
        match (expect, &reply.body) {
            (Expect::Mount | Expect::Tree(_), body) => {
                let slot = match expect {
                    Expect::Tree(slot) => slot,
                    _ => 0,
                };
                if let msg::Response::TreeConnect(r) = body {
                    let target = Target {
                        session: reply.header.session_id,
                        tree: reply.header.tree_id(),
                    };
                    let pipe = r.share_type == msg::tree_connect::ShareType::PIPE;
                    self.trees.insert(slot, Slot::Holds((target, pipe)));
                } else {
                    self.trees.remove(&slot);
                }
                if expect == Expect::Mount {
                    self.stage = Stage::Ready;
                    self.come_back();
                }
            }
            (Expect::Open(slot), msg::Response::Create(r)) => {
                let holds = self.files.insert(slot, Slot::Holds(r.file_id));
                if let Some(Slot::Holds(before)) = holds {
                    self.kept.remove(&before);
                }
                let target = Target {
                    session: reply.header.session_id,
                    tree: self.tree(0).0.tree,
                };
                self.opened(kept, target, r);
            }
            (Expect::Open(slot), _) => {
                self.files.remove(&slot);
            }
            (Expect::Closed(slot), _) if good => {
                if let Some(Slot::Holds(id)) = self.files.remove(&slot) {
                    self.kept.remove(&id);
                }
            }
            (Expect::TreeGone(slot), _) if good => {
                self.trees.remove(&slot);
            }
            (Expect::LoggedOff(slot), _) if good => {
                self.sessions.remove(&slot);
            }
            (Expect::Key, msg::Response::Ioctl(r)) => {
                if let Ok(key) = SrvResumeKeyResponse::parse(&r.output) {
                    self.key = key.resume_key;
                }
            }
            _ => {}
        }
    }

    /// Takes steps of the script as long as it can; says what it wants of the world.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Wish> {
        self.acknowledge();
        loop {
            let step = self.steps.front()?;
            let reconnects = matches!(step.what, Do::Reconnect { .. });
            match self.stage {
                Stage::Gone if reconnects => {}
                Stage::Gone if self.plan.reconnects && self.connections < PERSISTENCE => {
                    return Some(Wish::Reconnect { reset: true });
                }
                Stage::Gone => {
                    // Nobody will take these steps.
                    let next = |s: &Step| matches!(s.what, Do::Reconnect { .. });
                    let skip = self.steps.iter().position(next);
                    self.steps.drain(..skip.unwrap_or(self.steps.len()));
                    continue;
                }
                Stage::Negotiating | Stage::LoggingOn(_) | Stage::Mounting if !reconnects => {
                    return None;
                }
                _ => {}
            }
            if now < self.ready_at {
                return Some(Wish::Wake(self.ready_at));
            }
            if self.stage != Stage::Gone && self.must_wait(&step.what.clone()) {
                return None;
            }
            let step = self.steps.pop_front()?;
            if let Some(next) = self.steps.front() {
                self.ready_at = now + Duration::from_micros(next.after_us);
            }
            match step.what {
                Do::Reconnect { replace, reset } => {
                    if !replace {
                        self.replacing = None;
                    }
                    return Some(Wish::Reconnect { reset });
                }
                Do::HalfClose => return Some(Wish::HalfClose),
                Do::Stall { ms } => return Some(Wish::Stall(Duration::from_millis(ms))),
                Do::Bind { from } => return Some(Wish::Export(from)),
                other => self.take_step(&other),
            }
        }
    }

    /// Requests that count as under way.
    fn under_way(&self) -> usize {
        self.expected.len() - self.parked.len().min(self.expected.len())
    }

    /// A step has to wait for what it names, and for its turn.
    fn must_wait(&self, what: &Do) -> bool {
        let waits = |slot: u8| matches!(self.files.get(&slot), Some(Slot::Waiting));
        let tree_waits = |tree: u8| matches!(self.trees.get(&tree), Some(Slot::Waiting));
        let session_waits = |s: u8| matches!(self.sessions.get(&s), Some(Slot::Waiting));
        if self.under_way() >= usize::from(self.plan.depth.max(1)) {
            return !matches!(
                what,
                Do::Cancel { .. } | Do::Reconnect { .. } | Do::HalfClose | Do::Stall { .. }
            );
        }
        match what {
            Do::Call { tree, call } => tree_waits(*tree) || waits(request::slot(call)),
            Do::Compound { tree, calls, .. } => {
                tree_waits(*tree) || calls.iter().any(|c| waits(request::slot(c)))
            }
            Do::Raw(super::step::Raw::Mutated { slot, .. }) => waits(*slot),
            Do::Tree { session, .. } | Do::Reauthenticate { session } | Do::Logoff { session } => {
                session_waits(*session)
            }
            Do::TreeDisconnect { tree } => tree_waits(*tree),
            _ => false,
        }
    }

    fn session(&self, slot: u8) -> SessionId {
        match self.sessions.get(&slot) {
            Some(Slot::Holds(id)) => *id,
            // One that is not there.
            Some(Slot::Waiting) | None => SessionId(0x5eed_0000 + u64::from(slot)),
        }
    }

    fn tree(&self, slot: u8) -> (Target, bool) {
        match self.trees.get(&slot) {
            Some(Slot::Holds(tree)) => *tree,
            Some(Slot::Waiting) | None => {
                let target = Target {
                    session: self.session(0),
                    tree: smb_proto::id::TreeId(0xbad0 + u32::from(slot)),
                };
                (target, false)
            }
        }
    }

    fn file(&self, slot: u8) -> FileId {
        match self.files.get(&slot) {
            Some(Slot::Holds(id)) => *id,
            Some(Slot::Waiting) | None => FileId {
                persistent: 0xbad,
                volatile: u64::from(slot),
            },
        }
    }

    /// For reports.
    pub(super) fn describe(&self) -> String {
        format!(
            "client {}: {:?}, {} steps left, {} requests under way, {} parked",
            self.number,
            self.stage,
            self.steps.len(),
            self.expected.len(),
            self.parked.len()
        )
    }
}

fn credentials(user: u8, wrong: bool) -> Credentials {
    let name = USERS[usize::from(user) % USERS.len()];
    if name.is_empty() {
        return Credentials::anonymous();
    }
    let credentials = Credentials::new(name, PASSWORD);
    if wrong {
        credentials.spoiled(Spoil::Proof)
    } else {
        credentials
    }
}
