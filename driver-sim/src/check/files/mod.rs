//! Names, contents, share modes, byte-range locks and deletion: a simple model of the share, told
//! every request and answer.
//!
//! [`state`] is what there is, [`step`], [`create`] and [`rename`] say what each operation does, one
//! moment after another, [`model`] tries the orders, [`ask`] makes operations of requests, [`session`]
//! and [`outside`] know what begins and ends besides, [`forget`] what is not followed.
//! Streams, links, reparse points and what outsiders do are not followed: the names concerned are
//! left out until everything open there is closed, and count as unknown then.

mod ask;
mod create;
mod forget;
mod locks;
mod model;
mod op;
mod outside;
mod rename;
mod session;
mod state;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, ResumeKey, SrvResumeKeyResponse};
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{AsyncId, FileId, MessageId, SessionId, TreeId};
use smb_proto::msg::tree_connect::{ShareFlags, ShareType};
use smb_proto::msg::{Request, Response};
use smb_proto::{Dialect, Header, NtStatus};

pub(super) use self::ask::file_id;
use self::ask::{Asked, Meaning};
use self::model::{Answer, Model};
use self::op::{Lenient, Op, What};
use self::state::No;
use super::{Checker, Outside, Proof, Seen, Violation};

const NAME: &str = "files";

/// Why the checker remembers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Setup {
        previous: SessionId,
    },
    TreeConnect,
    /// LOGOFF or TREE_DISCONNECT.
    Ending {
        tree: Option<TreeId>,
        /// How things were before.
        before: Life,
    },
    Create,
    Close(FileId),
    /// FSCTL_SRV_REQUEST_RESUME_KEY.
    Key(FileId),
    /// To be told when the answer is there.
    Other,
}

/// A request without answer.
#[derive(Debug, Clone, Copy)]
struct Sent {
    no: No,
    role: Role,
    session: SessionId,
    tree: TreeId,
    proof: Proof,
    interim: Option<AsyncId>,
    /// No element of the same message follows.
    last: bool,
    /// It may be answered with an open that was there before.
    again: bool,
}

/// The element before, for related ones.
#[derive(Debug, Clone, Copy)]
struct Before {
    no: No,
    session: SessionId,
    tree: TreeId,
    /// CREATE whose open `FileId::RELATED` means.
    file: Option<No>,
    /// That CREATE is in the same message.
    creator: Option<No>,
    /// An element before may leave nothing to those that are related to it, or a tree connect that
    /// is not known yet: what they come to is not followed.
    shaky: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Live,
    /// A request that ends it is on its way.
    Ending,
    Dead,
}

#[derive(Debug)]
struct Session {
    conns: BTreeSet<ConnId>,
    life: Life,
    seals: bool,
    /// It has been shown that it need not sign.
    unsigned: bool,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    disk: bool,
    life: Life,
    /// Not everything is allowed there, or has to be encrypted.
    restricted: bool,
    /// TreeConnect.MaximalAccess.
    maximal: AccessMask,
}

#[derive(Debug, Clone, Copy)]
struct Handle {
    no: No,
    session: SessionId,
    tree: TreeId,
    /// It may outlive its connection.
    durable: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Files {
    model: Model,
    next: No,
    before: BTreeMap<ConnId, Before>,
    sent: BTreeMap<(ConnId, MessageId), Sent>,
    sessions: BTreeMap<SessionId, Session>,
    trees: BTreeMap<(SessionId, TreeId), Tree>,
    /// Opens that are not closed.
    handles: BTreeMap<FileId, Handle>,
    /// Durable opens whose connection has gone, by the lasting half of their ids: their names are not
    /// followed any more, since nobody is told when they end.
    away: BTreeMap<u64, No>,
    /// Opens by the keys with which they are named as sources of copies.
    keys: BTreeMap<[u8; 24], No>,
    /// MaxReadSize and MaxWriteSize of the smallest server that was seen.
    max_io: u32,
    /// Connections of dialect 2.0.2, in which a WRITE has no flags ([MS-SMB2] 2.2.21).
    flagless: BTreeSet<ConnId>,
    judged: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            model: Model::default(),
            next: 1,
            before: BTreeMap::new(),
            sent: BTreeMap::new(),
            sessions: BTreeMap::new(),
            trees: BTreeMap::new(),
            handles: BTreeMap::new(),
            away: BTreeMap::new(),
            keys: BTreeMap::new(),
            max_io: u32::MAX,
            flagless: BTreeSet::new(),
            judged: 0,
        }
    }
}

impl Files {
    /// For a share of whose content nothing is known at the start.
    #[must_use]
    pub fn unknown() -> Self {
        let mut files = Self::default();
        files.model.env.murky.insert("".into());
        files
    }

    fn number(&mut self) -> No {
        self.next += 1;
        self.next - 1
    }

    fn request(&mut self, conn: ConnId, header: &Header, request: Option<&Request>, proof: Proof) {
        if matches!(request, Some(Request::Cancel(_))) {
            self.cancel(conn, header);
            return;
        }
        let key = (conn, header.message_id);
        if self.sent.contains_key(&key) {
            // The server closes the connection.
            return;
        }
        let no = self.number();
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        let before = self.before.remove(&conn).filter(|_| related);
        let (session, tree) = match before {
            Some(b) => (b.session, b.tree),
            None => (header.session_id, header.tree_id()),
        };
        let mut now = Before {
            no,
            session,
            tree,
            file: before.and_then(|b| b.file),
            creator: before.and_then(|b| b.creator),
            shaky: before.is_some_and(|b| b.shaky),
        };
        let mut sent = Sent {
            no,
            role: Role::Other,
            session,
            tree,
            proof,
            interim: None,
            last: header.next_command == 0,
            again: matches!(request, Some(Request::Create(r)) if super::takes_up(header, r)),
        };
        if let Some(request) = request {
            let after = before.map(|b| b.no);
            let charge = u64::from(header.credit_charge.max(1));
            sent.role = self.meet(conn, request, &sent, &mut now, after, charge);
        }
        now.shaky |=
            proof == Proof::Forged || matches!(request, None | Some(Request::TreeConnect(_)));
        self.sent.insert(key, sent);
        if header.next_command != 0 {
            self.before.insert(conn, now);
        }
        if let Some(op) = self.model.pending.get_mut(&no) {
            op.asker = Some(key);
        }
    }

    fn cancel(&mut self, conn: ConnId, header: &Header) {
        let named = |(key, sent): (&(ConnId, MessageId), &Sent)| {
            let this = match header.route {
                Route::Async(id) => sent.interim == Some(id),
                Route::Sync { .. } => key.1 == header.message_id,
            };
            (key.0 == conn && this).then_some(sent.no)
        };
        if let Some(op) = self
            .sent
            .iter()
            .find_map(named)
            .and_then(|no| self.model.pending.get_mut(&no))
        {
            op.cancelled = true;
            // It may be waiting for others to give up what they cache.
            if matches!(
                op.what,
                What::Create(_) | What::Rename { .. } | What::Delete { .. }
            ) {
                op.faults.insert(NtStatus::CANCELLED.0);
            }
        }
    }

    /// Makes an operation of a request, if the model follows it.
    fn meet(
        &mut self,
        conn: ConnId,
        request: &Request,
        sent: &Sent,
        now: &mut Before,
        after: Option<No>,
        charge: u64,
    ) -> Role {
        let (session, tree) = (sent.session, sent.tree);
        match request {
            Request::SessionSetup(r) => {
                return Role::Setup {
                    previous: r.previous_session_id,
                };
            }
            Request::TreeConnect(_) => return Role::TreeConnect,
            Request::Logoff(_) => return self.ending(sent, None),
            Request::TreeDisconnect(_) => return self.ending(sent, Some(tree)),
            _ => {}
        }
        let (mut op, asked) = match request {
            Request::Create(r) => {
                now.file = Some(sent.no);
                now.creator = Some(sent.no);
                let asked = ask::create(r);
                let asked = if sent.again { asked.blurred() } else { asked };
                (Op::new(What::Stale), Some(asked))
            }
            _ => {
                let Some(id) = file_id(request) else {
                    return Role::Other;
                };
                let mut op = Op::new(What::Stale);
                op.creator = now.creator;
                let open = match id {
                    FileId::RELATED if now.file.is_some() => now.file,
                    id => match self.handles.get(&id) {
                        Some(h) if (h.session, h.tree) == (session, tree) => Some(h.no),
                        _ => None,
                    },
                };
                now.file = open.or(now.file);
                match open {
                    Some(open) if !self.model.follows(open) => {
                        // Its names are not followed. New ones are not either.
                        let asked = ask::on_open(request, open, charge);
                        self.model.env.linked |= asked.links;
                        match asked.what {
                            Meaning::BlursOpen(_, Some(to))
                            | Meaning::Blurs(to)
                            | Meaning::Followed(What::Rename { to, .. }) => {
                                self.blur_rename(sent.no, open, to);
                            }
                            _ => {}
                        }
                        return self.role(request, id, sent, open);
                    }
                    Some(open) => (op, Some(ask::on_open(request, open, charge))),
                    None if self.guesses(session, sent) => return Self::role_of(request),
                    None => (op, None),
                }
            }
        };
        if now.shaky {
            return self.unfollowed(request, asked, sent, now.file);
        }
        op.after = after;
        let known_tree = self.trees.get(&(session, tree)).copied();
        let live = self.sessions.get(&session);
        let usable = live.is_some_and(|s| s.conns.contains(&conn) && s.life != Life::Dead)
            && known_tree.is_some_and(|t| t.life != Life::Dead)
            && sent.proof != Proof::Forged;
        if known_tree.is_some_and(|t| !t.disk) {
            return self.pipe_role(request, sent);
        }
        let role = Self::role_of(request);
        let Some(mut asked) = asked.filter(|_| usable) else {
            op.what = What::Stale;
            op.lenient = Lenient::Any;
            self.model.add(sent.no, op);
            return role;
        };
        if let Meaning::Followed(What::Smash { open }) = asked.what {
            let source = |key: &ResumeKey| self.keys.get(&key.0).copied();
            let followed = |what: &What| matches!(what, What::Copy { source, .. } if self.model.follows(*source));
            if let Some(copy) = ask::copy(request, open, source).filter(followed) {
                asked.what = Meaning::Followed(copy);
            }
        }
        if let Meaning::Followed(What::Write { through, .. }) = &mut asked.what {
            *through &= !self.flagless.contains(&conn);
        }
        // [MS-SMB2] 3.3.5.9: MAXIMUM_ALLOWED gives nothing beyond TreeConnect.MaximalAccess.
        if let (Meaning::Followed(What::Create(c)), Some(t)) = (&mut asked.what, known_tree)
            && c.maximum
        {
            c.access &= t.maximal;
        }
        let ending = live.is_none_or(|s| s.life != Life::Live)
            || known_tree.is_none_or(|t| t.life != Life::Live);
        let distrusted = live.is_none_or(|s| s.seals || (sent.proof == Proof::None && !s.unsigned))
            || known_tree.is_none_or(|t| t.restricted);
        let large = match request {
            Request::Read(r) => r.length > self.max_io,
            Request::Write(r) => r.data.len() > self.max_io as usize,
            _ => false,
        };
        // Only the last element of a message may wait.
        let hurried = matches!(request, Request::Lock(_)) && !sent.last;
        op.lenient = if ending {
            Lenient::Any
        } else if asked.unusual || distrusted || large || hurried {
            Lenient::Start
        } else {
            Lenient::No
        };
        self.take(op, asked, sent.no);
        role
    }

    /// An id that is not known may be that of an open that is being made: what these concern is not
    /// followed. Says whether there are any.
    fn guesses(&mut self, session: SessionId, sent: &Sent) -> bool {
        let makes = |s: &&Sent| s.role == Role::Create && s.session == session;
        let making: Vec<No> = self.sent.values().filter(makes).map(|s| s.no).collect();
        for no in &making {
            let path = match self.model.pending.get(no).map(|op| &op.what) {
                Some(What::Create(c)) => Some(c.path.clone()),
                _ => None,
            };
            self.blur(sent.no, path);
        }
        !making.is_empty()
    }

    /// What the answer to a request about an open changes.
    fn role_of(request: &Request) -> Role {
        match request {
            Request::Create(_) => Role::Create,
            Request::Close(r) => Role::Close(r.file_id),
            Request::Ioctl(r) if r.ctl_code == FsctlCode::SRV_REQUEST_RESUME_KEY => {
                Role::Key(r.file_id)
            }
            _ => Role::Other,
        }
    }

    /// Leaves out what a request concerns.
    fn unfollowed(
        &mut self,
        request: &Request,
        asked: Option<Asked>,
        sent: &Sent,
        file: Option<No>,
    ) -> Role {
        let paths = match (asked.map(|a| a.what), file) {
            (Some(Meaning::Followed(What::Create(c))), _) => BTreeSet::from([c.path]),
            (_, Some(open)) => self.model.paths_of(open),
            (_, None) => BTreeSet::new(),
        };
        self.blur(sent.no, paths);
        Self::role_of(request)
    }

    /// Enters an operation, or leaves out what it concerns.
    fn take(&mut self, mut op: Op, asked: Asked, no: No) {
        self.model.env.security |= asked.security;
        self.model.env.linked |= asked.links;
        match asked.what {
            Meaning::Impossible => {
                op.what = What::Stale;
                op.lenient = Lenient::Any;
                self.model.add(no, op);
            }
            Meaning::Followed(what) => {
                let vague = |model: &Model, path: &str| model.env.is_vague(path);
                match &what {
                    What::Create(c) if vague(&self.model, &c.path) => {
                        self.model.loosen(no, [c.path.clone()]);
                        return;
                    }
                    // A directory with something in it that is not followed, or to such a place.
                    What::Rename { open, to, .. } => {
                        let from = self.model.paths_of(*open);
                        let hides = |p: &str| {
                            self.model
                                .env
                                .vague
                                .keys()
                                .any(|v| state::beneath(v, p) || state::beneath(p, v))
                        };
                        if hides(to) || from.iter().any(|p| hides(p)) {
                            self.blur_rename(no, *open, to.clone());
                            return;
                        }
                    }
                    _ => {}
                }
                op.what = what;
                self.model.add(no, op);
            }
            Meaning::Blurs(path) => self.blur(no, Some(path)),
            Meaning::BlursOpen(open, None) => {
                let paths = self.model.paths_of(open);
                self.blur(no, paths);
            }
            Meaning::BlursOpen(open, Some(to)) => self.blur_rename(no, open, to),
        }
    }

    /// Stops following names because of request `no`.
    fn blur(&mut self, no: No, paths: impl IntoIterator<Item = state::Path>) {
        for path in paths {
            self.model.forget(&path);
            self.model.loosen(no, [path]);
        }
    }

    /// Stops following what an open may be named, before and after it may get a further name.
    fn blur_rename(&mut self, no: No, open: No, to: state::Path) {
        let from = self.model.paths_of(open);
        self.model.renaming(&from, &to);
        self.blur(no, from);
        self.blur(no, [to]);
    }

    fn role(&mut self, request: &Request, id: FileId, sent: &Sent, open: No) -> Role {
        // It keeps its name unknown as long as it runs.
        let paths = self.model.paths_of(open);
        self.model.loosen(sent.no, paths);
        match request {
            Request::Close(_) => Role::Close(id),
            _ => Role::Other,
        }
    }

    fn pipe_role(&self, request: &Request, _sent: &Sent) -> Role {
        match request {
            Request::Create(_) => Role::Create,
            Request::Close(r) => Role::Close(r.file_id),
            _ => Role::Other,
        }
    }

    fn answer(&mut self, conn: ConnId, header: &Header, body: &Response) -> Result<(), Violation> {
        let Some(sent) = self.sent.remove(&(conn, header.message_id)) else {
            return Ok(());
        };
        let answer = Answer {
            status: header.status,
            body,
        };
        let good = header.status == NtStatus::SUCCESS;
        if self.model.pending.contains_key(&sent.no) {
            self.judged += 1;
            self.model
                .answer(sent.no, answer)
                .map_err(|what| Violation::new(NAME, what))?;
        }
        if good
            && sent.proof == Proof::None
            && let Some(s) = self.sessions.get_mut(&sent.session)
        {
            s.unsigned = true;
        }
        if let Response::Negotiate(r) = body {
            self.max_io = self.max_io.min(r.max_read_size).min(r.max_write_size);
            if r.dialect_revision == Dialect::Smb202 as u16 {
                self.flagless.insert(conn);
            }
        }
        match sent.role {
            Role::Setup { .. } => self.set_up(conn, header, body, &sent),
            Role::TreeConnect => {
                if let Response::TreeConnect(r) = body {
                    let maximal = AccessMask::from_bits_retain(r.maximal_access);
                    let tree = Tree {
                        disk: r.share_type == ShareType::DISK,
                        life: Life::Live,
                        restricted: !maximal.contains(AccessMask::FILE_ALL_ACCESS)
                            || r.share_flags.contains(ShareFlags::ENCRYPT_DATA),
                        maximal,
                    };
                    self.trees.insert((sent.session, header.tree_id()), tree);
                }
            }
            Role::Ending { tree, .. } if good => {
                for op in self.model.pending.values_mut() {
                    if op.owner == Some(sent.no) {
                        op.owner = None;
                    }
                }
                self.set_life(sent.session, tree, Life::Dead);
                let ours = |h: &Handle| {
                    h.session == sent.session && tree.is_none_or(|tree| tree == h.tree)
                };
                for h in self.handles.values().filter(|h| ours(h)) {
                    self.model.loose.remove(&h.no);
                }
                self.handles.retain(|_, h| !ours(h));
            }
            Role::Ending { tree, before } => {
                // Another one ends it, and may not be answered before all that runs there.
                let gone = [
                    NtStatus::USER_SESSION_DELETED,
                    NtStatus::NETWORK_NAME_DELETED,
                ];
                if !gone.contains(&header.status) {
                    self.set_life(sent.session, tree, before);
                }
                self.model.disown(sent.no);
            }
            Role::Create => {
                if let Response::Create(r) = body {
                    let tree = match header.route {
                        Route::Sync { tree_id, .. } => tree_id,
                        Route::Async(_) => sent.tree,
                    };
                    let handle = Handle {
                        no: sent.no,
                        session: sent.session,
                        tree,
                        durable: session::is_durable(r),
                    };
                    if sent.again {
                        self.came_back(r.file_id, handle);
                    } else {
                        self.handles.insert(r.file_id, handle);
                    }
                } else {
                    self.model.loose.remove(&sent.no);
                }
            }
            Role::Close(id) => {
                self.model.loose.remove(&sent.no);
                if good && let Some(h) = self.handles.remove(&id) {
                    self.model.loose.remove(&h.no);
                }
            }
            Role::Key(id) => {
                self.model.loose.remove(&sent.no);
                if let (Response::Ioctl(r), Some(h), true) = (body, self.handles.get(&id), good)
                    && let Ok(r) = SrvResumeKeyResponse::parse(&r.output)
                {
                    self.keys.insert(r.resume_key.0, h.no);
                }
            }
            Role::Other => {
                self.model.loose.remove(&sent.no);
            }
        }
        Ok(())
    }
}

impl Checker for Files {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, _now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            Seen::Request {
                conn,
                header,
                request,
                proof,
            } => self.request(*conn, header, *request, *proof),
            Seen::Interim { conn, header } => {
                if let Some(sent) = self.sent.get_mut(&(*conn, header.message_id))
                    && let Route::Async(id) = header.route
                {
                    sent.interim = Some(id);
                }
            }
            Seen::Answer { conn, header, body } => return self.answer(*conn, header, body),
            Seen::Disconnected { conn } => self.disconnected(*conn),
            Seen::Closing { conn } => {
                // No answers come any more, but what waits there goes on waiting.
                for ((c, _), sent) in &self.sent {
                    if c == conn
                        && let Some(op) = self.model.pending.get_mut(&sent.no)
                    {
                        op.lenient = Lenient::Any;
                    }
                }
            }
            Seen::Settled => {
                return self
                    .model
                    .settled()
                    .map_err(|what| Violation::new(NAME, what));
            }
            Seen::Outside(outside) => self.outside(outside),
            Seen::Connected { .. } | Seen::Break { .. } => {}
        }
        Ok(())
    }

    fn given_up(&self) -> u64 {
        self.model.given_up
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
