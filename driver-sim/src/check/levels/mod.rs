//! Oplocks, leases and durable opens: who may cache what of a file beside whom, what a break has to
//! say and whom it has to reach, what has to wait for it, and which opens may be taken up again.
//! [MS-SMB2] 3.3.4.6, 3.3.4.7, 3.3.5.9, 3.3.5.9.6 to 3.3.5.9.12, 3.3.5.22, [MS-FSA] 2.1.4.12, 2.1.5.18.
//!
//! Files are known by the ids that CREATE answers name (SMB2_CREATE_QUERY_ON_DISK_ID); of opens that do
//! not ask for it only the breaks are judged. [`model`] is what is known, [`asked`] makes deeds of
//! requests, [`opening`] judges CREATE, [`breaking`] breaks and their acknowledgments.

mod asked;
mod breaking;
mod model;
mod opening;

use std::collections::BTreeMap;
use std::time::Duration;

use smb_engine::output::ConnId;
use smb_engine::time::{Instant, Now};
use smb_proto::header::HeaderFlags;
use smb_proto::id::{FileId, MessageId, SessionId, TreeId};
use smb_proto::{Command, Header, NtStatus, msg};

use self::asked::Asked;
use self::model::{Life, Model};
use super::{Checker, Outside, Proof, Seen, Violation};

const NAME: &str = "levels";

/// A request without answer.
#[derive(Debug, Clone)]
struct Sent {
    /// Number of the event.
    at: u64,
    asked: Asked,
    session: SessionId,
    tree: TreeId,
    /// It is a message of its own.
    alone: bool,
    replay: bool,
    trusted: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Levels {
    model: Model,
    /// How long the server waits for acknowledgments.
    break_after: Duration,
    /// Events so far.
    events: u64,
    sent: BTreeMap<(ConnId, MessageId), Sent>,
    /// Session, tree connect and file of the element before, for related ones.
    before: BTreeMap<ConnId, (SessionId, TreeId, Option<FileId>)>,
    /// The server is about to end: nothing is judged any more.
    blind: bool,
    /// There was a server before, from which opens may have come down.
    restarted: bool,
    judged: u64,
}

impl Default for Levels {
    fn default() -> Self {
        Self::new(smb_engine::config::Limits::default().break_after)
    }
}

impl Levels {
    /// For a server that waits so long for acknowledgments.
    #[must_use]
    pub fn new(break_after: Duration) -> Self {
        Self {
            model: Model::default(),
            break_after,
            events: 0,
            sent: BTreeMap::new(),
            before: BTreeMap::new(),
            blind: false,
            restarted: false,
            judged: 0,
        }
    }

    fn request(
        &mut self,
        conn: ConnId,
        header: &Header,
        request: Option<&msg::Request>,
        proof: Proof,
    ) {
        // It has the id of the request that it cancels ([MS-SMB2] 3.2.4.24).
        if header.command() == Some(Command::Cancel) {
            return;
        }
        let related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        let before = self.before.remove(&conn).filter(|_| related);
        let named = (header.session_id, header.tree_id());
        let (session, tree) = before.map_or(named, |b| (b.0, b.1));
        let mut file = before.and_then(|b| b.2);
        let mut asked = request.map_or(Asked::Other, asked::asked);
        match &mut asked {
            Asked::Close(id) | Asked::Deed(id, _) => {
                if related && *id == FileId::RELATED {
                    *id = file.unwrap_or(FileId::RELATED);
                }
                file = Some(*id);
            }
            Asked::Create(_) => file = None,
            _ => {
                let named = request.and_then(super::files::file_id);
                file = named.filter(|id| *id != FileId::RELATED).or(file);
            }
        }
        match &asked {
            Asked::Close(id) => self.model.leaving(|open, _| open == id),
            Asked::Logoff => self.model.leaving(|_, o| o.session == session),
            Asked::TreeDisconnect => {
                self.model
                    .leaving(|_, o| (o.session, o.tree) == (session, tree));
            }
            Asked::Negotiate(guid) => {
                self.model.guids.entry(conn).or_insert(*guid);
            }
            Asked::Setup => {
                if let Some(msg::Request::SessionSetup(r)) = request {
                    let previous = r.previous_session_id;
                    if previous != session {
                        self.model.leaving(|_, o| o.session == previous);
                    }
                }
            }
            // Opens of another instance of the application end.
            Asked::Create(c) if c.app => self.model.leaving(|_, _| true),
            _ => {}
        }
        if header.next_command != 0 {
            self.before.insert(conn, (session, tree, file));
        }
        let sent = Sent {
            at: self.events,
            asked,
            session,
            tree,
            alone: header.next_command == 0 && !related,
            replay: header.flags.contains(HeaderFlags::REPLAY_OPERATION),
            trusted: proof != Proof::Forged,
        };
        self.sent.entry((conn, header.message_id)).or_insert(sent);
    }

    fn answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        header: &Header,
        body: &msg::Response,
    ) -> Result<(), String> {
        let Some(sent) = self.sent.remove(&(conn, header.message_id)) else {
            return Ok(());
        };
        let good = header.status == NtStatus::SUCCESS;
        match (&sent.asked, body) {
            (Asked::Create(asked), msg::Response::Create(r)) => {
                self.judged += 1;
                self.created(now, conn, &sent, asked, r)
            }
            (Asked::Setup, msg::Response::SessionSetup(_)) if good => {
                let conns = self.model.sessions.entry(header.session_id).or_default();
                conns.insert(conn);
                Ok(())
            }
            (Asked::Setup, _) if header.status.is_error() => {
                self.model.leaving(|_, o| o.session == sent.session);
                Ok(())
            }
            (Asked::Logoff, _) if good => {
                self.model.ended(|_, o| o.session == sent.session);
                self.model.sessions.remove(&sent.session);
                Ok(())
            }
            (Asked::TreeDisconnect, _) if good => {
                let gone = (sent.session, sent.tree);
                self.model
                    .ended(|_, o| (o.session, o.tree) == gone && o.life == Life::Leaving);
                Ok(())
            }
            (Asked::Close(id), _) if good => {
                self.model.ended(|open, _| open == id);
                Ok(())
            }
            (Asked::Resiliency(id), _) if good => {
                if let Some(open) = self.model.opens.get_mut(id) {
                    // For how long is up to the server.
                    let guid = open.durable.and_then(|d| d.guid);
                    let timeout = Duration::MAX;
                    open.durable = Some(model::Durable { guid, timeout });
                }
                Ok(())
            }
            (Asked::Deed(id, deed), _) if good => {
                let Some(open) = self.model.opens.get(id) else {
                    return Ok(());
                };
                let Some(file) = open.file.clone() else {
                    return Ok(());
                };
                self.judged += 1;
                // Who changes data by an oplock that caches reads loses that too.
                let me = open.holder;
                self.model.done(*deed, &file, me, sent.at, now)
            }
            (Asked::AckOplock(..) | Asked::AckLease(..), _) => {
                self.judged += 1;
                self.acknowledged(now, conn, &sent, header.status)
            }
            _ => Ok(()),
        }
    }

    fn see(&mut self, now: Now, seen: &Seen<'_>) -> Result<(), String> {
        self.events += 1;
        let now = now.mono;
        match seen {
            Seen::Outside(Outside::Lost) => {
                *self = Self {
                    judged: self.judged,
                    restarted: true,
                    ..Self::new(self.break_after)
                };
            }
            Seen::Outside(Outside::Drained) => self.blind = true,
            _ if self.blind => {}
            Seen::Request {
                conn,
                header,
                request,
                proof,
            } => self.request(*conn, header, *request, *proof),
            Seen::Answer { conn, header, body } => {
                return self.answer(now, *conn, header, body);
            }
            Seen::Break { conn, body, .. } => {
                if let msg::Response::OplockBreak(notice) = body {
                    self.judged += 1;
                    return self.broken(now, *conn, notice);
                }
            }
            Seen::Closing { conn } => self.model.closing(*conn),
            Seen::Disconnected { conn } => {
                self.model.disconnected(*conn, now);
                self.sent.retain(|(c, _), _| c != conn);
                self.before.remove(conn);
            }
            Seen::Connected { .. } | Seen::Interim { .. } | Seen::Settled | Seen::Outside(_) => {}
        }
        Ok(())
    }
}

impl Checker for Levels {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        self.see(now, seen)
            .map_err(|what| Violation::new(NAME, what))
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
