//! Sessions, tree connects and connections: how they begin and end, and what ends with them.

use std::collections::BTreeSet;

use smb_engine::output::ConnId;
use smb_proto::create_ctx::{DurableResponse, DurableResponseV2};
use smb_proto::id::{FileId, SessionId, TreeId};
use smb_proto::msg::session_setup::SessionFlags;
use smb_proto::msg::{Response, create};
use smb_proto::{Header, NtStatus};

use super::op::{Lenient, Op, What};
use super::state::No;
use super::{Files, Handle, Life, Proof, Role, Sent, Session};

/// Whether an open may outlive its connection. What was made durable before says so only once.
pub(super) fn is_durable(r: &create::Response) -> bool {
    let names = [DurableResponse::NAME, DurableResponseV2::NAME];
    r.contexts.iter().any(|c| names.contains(&c.name.as_ref()))
}

impl Files {
    /// LOGOFF or TREE_DISCONNECT: everything may be closed from now on.
    pub(super) fn ending(&mut self, sent: &Sent, tree: Option<TreeId>) -> Role {
        let live = self.sessions.get_mut(&sent.session);
        if sent.proof == Proof::Forged || live.is_none_or(|s| s.life == Life::Dead) {
            return Role::Other;
        }
        let of_tree = tree.map(|t| self.trees.get(&(sent.session, t)).map(|t| t.life));
        if of_tree.is_some_and(|life| life.is_none_or(|life| life == Life::Dead)) {
            return Role::Other;
        }
        let of_session = self.sessions.get(&sent.session).map(|s| s.life);
        let before = of_tree.flatten().or(of_session).unwrap_or(Life::Dead);
        self.set_life(sent.session, tree, Life::Ending);
        self.close_all(sent.session, tree, Some(sent.no));
        Role::Ending { tree, before }
    }

    pub(super) fn set_life(&mut self, session: SessionId, tree: Option<TreeId>, life: Life) {
        for ((s, t), info) in &mut self.trees {
            let dead = info.life == Life::Dead;
            if *s == session && tree.is_none_or(|tree| tree == *t) && !dead {
                info.life = life;
            }
        }
        if tree.is_none()
            && let Some(s) = self.sessions.get_mut(&session)
            && s.life != Life::Dead
        {
            s.life = life;
        }
    }

    /// Closes all opens of a session or tree connect, also those that are on their way; with an
    /// owner, if that succeeds.
    pub(super) fn close_all(
        &mut self,
        session: SessionId,
        tree: Option<TreeId>,
        owner: Option<No>,
    ) {
        let ours = |s: SessionId, t: TreeId| s == session && tree.is_none_or(|tree| tree == t);
        let mut opens: Vec<No> = self
            .handles
            .values()
            .filter(|h| ours(h.session, h.tree))
            .map(|h| h.no)
            .collect();
        let sent: Vec<Sent> = self
            .sent
            .values()
            .filter(|s| ours(s.session, s.tree))
            .copied()
            .collect();
        for s in sent {
            if s.role == Role::Create {
                opens.push(s.no);
            }
            if let Some(op) = self.model.pending.get_mut(&s.no) {
                op.lenient = Lenient::Any;
            }
        }
        for open in opens {
            if !self.model.follows(open) {
                if owner.is_none() {
                    self.model.loose.remove(&open);
                }
                continue;
            }
            let no = self.number();
            let mut op = Op::new(What::Close { open, query: false });
            op.owner = owner;
            // One that is on its way is closed once it is there.
            op.after = self.model.pending.contains_key(&open).then_some(open);
            self.model.add(no, op);
        }
        if owner.is_none() {
            self.handles.retain(|_, h| !ours(h.session, h.tree));
        }
    }

    /// It may have ended, for reasons that are not followed.
    pub(super) fn doubt(&mut self, session: SessionId) {
        let handles: Vec<Handle> = self.handles.values().copied().collect();
        for h in handles.iter().filter(|h| h.session == session) {
            for path in self.model.paths_of(h.no) {
                self.model.forget(&path);
            }
        }
        // So is what is on its way.
        let sent = self.sent.values().filter(|s| s.session == session);
        let running: Vec<No> = sent.map(|s| s.no).collect();
        for no in running {
            let Some(op) = self.model.pending.get_mut(&no) else {
                continue;
            };
            op.lenient = Lenient::Any;
            if let What::Create(c) = &op.what {
                let path = c.path.clone();
                self.blur(no, Some(path));
            }
        }
        self.set_life(session, None, Life::Ending);
    }

    pub(super) fn set_up(&mut self, conn: ConnId, header: &Header, body: &Response, sent: &Sent) {
        let Role::Setup { previous } = sent.role else {
            return;
        };
        let Response::SessionSetup(r) = body else {
            // A user who could not prove who he is loses the session ([MS-SMB2] 3.3.5.5.3).
            // One who could not bind another connection to it does not.
            if self
                .sessions
                .get(&sent.session)
                .is_some_and(|s| s.conns.contains(&conn))
            {
                self.doubt(sent.session);
            }
            return;
        };
        if header.status != NtStatus::SUCCESS {
            return;
        }
        let id = header.session_id;
        let fresh = Session {
            conns: BTreeSet::new(),
            life: Life::Live,
            seals: false,
            unsigned: false,
        };
        let old = self.sessions.get(&id).is_some_and(|s| s.life == Life::Dead);
        if old {
            self.sessions.remove(&id);
            self.trees.retain(|(s, _), _| *s != id);
        }
        let session = self.sessions.entry(id).or_insert(fresh);
        session.conns.insert(conn);
        session.seals |= r.session_flags.contains(SessionFlags::ENCRYPT_DATA);
        if previous != id && self.sessions.contains_key(&previous) {
            // It has ended if its user is the same, which is not known here.
            self.doubt(previous);
        }
    }

    /// Durable opens of a session whose connections have gone may stay, for how long nobody is told.
    fn leave_behind(&mut self, session: SessionId) {
        let durable = |(id, h): (&FileId, &Handle)| {
            (h.session == session && h.durable).then_some((id.persistent, h.no))
        };
        let left: Vec<(u64, No)> = self.handles.iter().filter_map(durable).collect();
        for (persistent, open) in left {
            let no = self.number();
            let paths = self.model.paths_of(open);
            self.blur(no, paths);
            self.away.insert(persistent, no);
        }
    }

    /// A CREATE was answered with an open that may have been there before.
    pub(super) fn came_back(&mut self, id: FileId, mut handle: Handle) {
        let away = self.away.remove(&id.persistent);
        // It is as durable as it was.
        handle.durable |= away.is_some();
        let before = [away, self.handles.insert(id, handle).map(|h| h.no)];
        for before in before.into_iter().flatten() {
            let paths = self.model.paths_of(before);
            self.blur(handle.no, paths);
            self.model.loose.remove(&before);
        }
    }

    pub(super) fn disconnected(&mut self, conn: ConnId) {
        let gone: Vec<Sent> = self
            .sent
            .iter()
            .filter(|((c, _), _)| *c == conn)
            .map(|(_, s)| *s)
            .collect();
        let mut ending = Vec::new();
        for (id, s) in &mut self.sessions {
            if s.conns.remove(&conn) && s.conns.is_empty() && s.life != Life::Dead {
                ending.push(*id);
            }
        }
        for session in ending {
            self.leave_behind(session);
            self.set_life(session, None, Life::Dead);
            self.close_all(session, None, None);
        }
        for s in gone {
            self.model.loose.remove(&s.no);
            if let Some(op) = self.model.pending.get_mut(&s.no) {
                op.orphan = true;
            }
            if let Role::Ending { .. } = s.role {
                // Nobody knows whether it came to that; the end of the session closes all the same.
                for op in self.model.pending.values_mut() {
                    if op.owner == Some(s.no) {
                        op.owner = None;
                        op.orphan = true;
                    }
                }
            }
        }
        self.sent.retain(|(c, _), _| *c != conn);
        self.before.remove(&conn);
    }
}
