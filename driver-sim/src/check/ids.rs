//! Names that the server gives out: a FileId names one open for ever, SessionIds and TreeIds are
//! not given out again while they are in use ([MS-SMB2] 3.3.1.8 to 3.3.1.10).

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_proto::create_ctx::{DurableReconnect, DurableReconnectV2};
use smb_proto::header::HeaderFlags;
use smb_proto::id::{FileId, MessageId, SessionId, TreeId};
use smb_proto::{Command, Header, NtStatus, msg};

use super::{Checker, Outside, Seen, Violation};

const NAME: &str = "ids";

/// A request that may bring a new name.
#[derive(Debug, Clone, Copy)]
struct Asked {
    session: SessionId,
    previous: SessionId,
    /// The open that it names, or that it made before, may come back.
    again: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Ids {
    /// Both halves of all FileIds so far: neither half alone may come back either, since the first
    /// is all that a reconnect names, and the second all that a session needs.
    persistent: BTreeSet<u64>,
    volatile: BTreeSet<u64>,
    /// Sessions that are certainly in use, and their connections.
    sessions: BTreeMap<SessionId, ConnId>,
    trees: BTreeSet<(SessionId, TreeId)>,
    asked: BTreeMap<(ConnId, MessageId), Asked>,
    judged: u64,
}

fn wrong(what: String) -> Violation {
    Violation::new(NAME, what)
}

impl Ids {
    fn request(&mut self, conn: ConnId, header: &Header, request: Option<&msg::Request>) {
        // It has the id of the request that it cancels ([MS-SMB2] 3.2.4.24).
        if header.command() == Some(Command::Cancel) {
            return;
        }
        let mut asked = Asked {
            session: header.session_id,
            previous: SessionId(0),
            again: header.flags.contains(HeaderFlags::REPLAY_OPERATION),
        };
        match request {
            Some(msg::Request::SessionSetup(r)) => {
                // It may end at any time from now on.
                asked.previous = r.previous_session_id;
                self.end_session(asked.previous);
                self.end_session(header.session_id);
            }
            Some(msg::Request::Create(r)) => {
                let names = [DurableReconnect::NAME, DurableReconnectV2::NAME];
                asked.again |= r.contexts.iter().any(|c| names.contains(&&c.name[..]));
            }
            Some(msg::Request::Logoff(_)) => self.end_session(header.session_id),
            Some(msg::Request::TreeDisconnect(_)) => {
                self.trees.remove(&(header.session_id, header.tree_id()));
                // It may be that of the element before.
                self.trees.retain(|(s, _)| *s != header.session_id);
            }
            _ => {}
        }
        self.asked.insert((conn, header.message_id), asked);
    }

    fn end_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.trees.retain(|(s, _)| *s != session);
    }

    fn end_conn(&mut self, conn: ConnId) {
        let gone: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, c)| **c == conn)
            .map(|(s, _)| *s)
            .collect();
        for session in gone {
            self.end_session(session);
        }
        self.asked.retain(|(c, _), _| *c != conn);
    }

    fn file(&mut self, id: FileId, again: bool) -> Result<(), Violation> {
        if id.persistent == u64::MAX || id.volatile == u64::MAX {
            return Err(wrong(format!("FileId {id} means something else")));
        }
        let new = self.persistent.insert(id.persistent) & self.volatile.insert(id.volatile);
        if !new && !again {
            return Err(wrong(format!("FileId {id} was given out before")));
        }
        Ok(())
    }

    fn answer(
        &mut self,
        conn: ConnId,
        header: &Header,
        body: &msg::Response,
    ) -> Result<(), Violation> {
        let asked = self.asked.remove(&(conn, header.message_id));
        self.judged += 1;
        match body {
            msg::Response::Create(r) => self.file(r.file_id, asked.is_some_and(|a| a.again)),
            msg::Response::SessionSetup(_) => {
                let Some(asked) = asked else { return Ok(()) };
                let id = header.session_id;
                if asked.session == SessionId(0) && self.sessions.contains_key(&id) {
                    return Err(wrong(format!("SessionId {id} is in use")));
                }
                if header.status == NtStatus::SUCCESS {
                    self.sessions.insert(id, conn);
                }
                Ok(())
            }
            msg::Response::TreeConnect(_) => {
                let key = (header.session_id, header.tree_id());
                // An answer after an interim one does not name it.
                let named = matches!(header.route, smb_proto::header::Route::Sync { .. });
                if named && !self.trees.insert(key) {
                    return Err(wrong(format!("TreeId {} is in use", key.1)));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Checker for Ids {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, _now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            // A server that was started anew gives out the same names again.
            Seen::Outside(Outside::Lost) => {
                let judged = self.judged;
                *self = Self {
                    judged,
                    ..Self::default()
                };
                Ok(())
            }
            Seen::Request {
                conn,
                header,
                request,
                ..
            } => {
                self.request(*conn, header, *request);
                Ok(())
            }
            Seen::Answer { conn, header, body } => self.answer(*conn, header, body),
            Seen::Closing { conn } | Seen::Disconnected { conn } => {
                self.end_conn(*conn);
                Ok(())
            }
            Seen::Connected { .. }
            | Seen::Interim { .. }
            | Seen::Break { .. }
            | Seen::Settled
            | Seen::Outside(_) => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
