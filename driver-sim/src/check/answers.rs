//! Every request is answered exactly once, or cancelled and then answered, or its connection is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smb_engine::output::ConnId;
use smb_engine::time::{Instant, Now};
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{AsyncId, MessageId};
use smb_proto::msg::oplock_break::{LeaseBreakFlags, Message};
use smb_proto::{Command, Header, NtStatus, msg};

use super::{Checker, Outside, Proof, Seen, Violation};

const NAME: &str = "answers";

/// A request without final answer.
#[derive(Debug)]
struct Pending {
    header: Header,
    interim: Option<AsyncId>,
    /// It may wait for other clients for as long as it likes.
    patient: bool,
    /// It may wait for a break, or belongs to a message of which another one may.
    yields: bool,
    /// CANCEL has named it while it waited.
    cancelled: bool,
}

/// See the module's documentation. [MS-SMB2] 3.3.4.1, 3.3.4.2, 3.3.5.16.
#[derive(Debug)]
pub struct Answers {
    /// How long the server waits for acknowledgments of breaks.
    break_after: Duration,
    /// Until when it waits for one that it has asked for.
    breaking_until: Option<Instant>,
    open: BTreeMap<ConnId, BTreeMap<MessageId, Pending>>,
    /// Connections on which the next element belongs to the message of the one before.
    chained: BTreeSet<ConnId>,
    /// Connections on which nothing more may be answered.
    closing: BTreeSet<ConnId>,
    /// Not all requests that come in are taken any more.
    draining: bool,
    judged: u64,
}

fn wrong(what: String) -> Violation {
    Violation::new(NAME, what)
}

/// Whether the server may let a request wait until another client does something.
fn patient(request: Option<&msg::Request>) -> bool {
    use msg::Request as R;
    match request {
        // READ: of a named pipe.
        Some(R::Lock(_) | R::ChangeNotify(_) | R::Read(_)) => true,
        Some(R::Ioctl(r)) => matches!(
            r.ctl_code,
            smb_proto::fsctl::FsctlCode::PIPE_WAIT | smb_proto::fsctl::FsctlCode::PIPE_TRANSCEIVE
        ),
        _ => false,
    }
}

/// Whether a break has to be acknowledged, or may have to be: an oplock does not say.
fn wants_acknowledgment(body: &msg::Response) -> bool {
    match body {
        msg::Response::OplockBreak(Message::LeaseNotification(b)) => {
            b.flags.contains(LeaseBreakFlags::ACK_REQUIRED)
        }
        _ => true,
    }
}

impl Answers {
    /// For a server that waits so long for acknowledgments of breaks.
    #[must_use]
    pub fn new(break_after: Duration) -> Self {
        Self {
            break_after,
            breaking_until: None,
            open: BTreeMap::new(),
            chained: BTreeSet::new(),
            closing: BTreeSet::new(),
            draining: false,
            judged: 0,
        }
    }

    fn request(
        &mut self,
        conn: ConnId,
        header: &Header,
        request: Option<&msg::Request>,
        proof: Proof,
    ) -> Result<(), Violation> {
        let Some(open) = self.open.get_mut(&conn) else {
            return Err(wrong(format!("a request on unknown connection {conn}")));
        };
        if header.command() == Some(Command::Cancel) {
            let named = match header.route {
                Route::Async(id) => open.values_mut().find(|p| p.interim == Some(id)),
                Route::Sync { .. } => open.get_mut(&header.message_id),
            };
            // One that waits for the disk cannot be called back.
            if let Some(pending) = named
                && proof != Proof::Forged
            {
                pending.cancelled = pending.patient && pending.interim.is_some();
            }
            return Ok(());
        }
        let chained = self.chained.remove(&conn) || header.next_command != 0;
        if header.next_command != 0 {
            self.chained.insert(conn);
        }
        let pending = Pending {
            header: *header,
            interim: None,
            patient: patient(request),
            yields: chained
                || matches!(
                    header.command(),
                    // What ends an open waits for what still works on it.
                    Some(
                        Command::Create
                            | Command::SetInfo
                            | Command::Close
                            | Command::TreeDisconnect
                            | Command::Logoff
                    )
                ),
            cancelled: false,
        };
        // One with an id that is in use closes the connection; see `credits`.
        open.entry(header.message_id).or_insert(pending);
        Ok(())
    }

    /// What both kinds of answer have in common.
    fn check(&self, conn: ConnId, header: &Header) -> Result<&Pending, Violation> {
        let id = header.message_id;
        let what = header.command_code;
        if self.closing.contains(&conn) {
            return Err(wrong(format!(
                "an answer to {id} after the end of connection {conn}"
            )));
        }
        let Some(pending) = self.open.get(&conn).and_then(|open| open.get(&id)) else {
            return Err(wrong(format!(
                "an answer (command {what:#x}) to message {id} on connection {conn}, which has none outstanding: {}",
                header.status
            )));
        };
        let asked = &pending.header;
        if asked.command_code != what {
            return Err(wrong(format!(
                "message {id} of command {:#x} answered with {what:#x}",
                asked.command_code
            )));
        }
        if !header.flags.contains(HeaderFlags::SERVER_TO_REDIR) {
            return Err(wrong(format!("the answer to {id} is no response")));
        }
        Ok(pending)
    }

    fn interim(&mut self, conn: ConnId, header: &Header) -> Result<(), Violation> {
        let pending = self.check(conn, header)?;
        let Route::Async(id) = header.route else {
            return Err(wrong("an interim answer without AsyncId".to_owned()));
        };
        if pending.interim.is_some() {
            return Err(wrong(format!(
                "message {} has two interim answers",
                header.message_id
            )));
        }
        let all = self.open.values().flat_map(BTreeMap::values);
        if id == AsyncId(0) || all.clone().any(|p| p.interim == Some(id)) {
            return Err(wrong(format!("AsyncId {id} is in use")));
        }
        if let Some(pending) = self
            .open
            .get_mut(&conn)
            .and_then(|open| open.get_mut(&header.message_id))
        {
            pending.interim = Some(id);
        }
        Ok(())
    }

    fn answer(&mut self, conn: ConnId, header: &Header) -> Result<(), Violation> {
        let pending = self.check(conn, header)?;
        let id = header.message_id;
        let route = match header.route {
            Route::Async(id) => Some(id),
            Route::Sync { .. } => None,
        };
        if route != pending.interim {
            return Err(wrong(format!(
                "the answer to {id} has AsyncId {route:?}, its interim answer had {:?}",
                pending.interim
            )));
        }
        if header.status == NtStatus::PENDING {
            return Err(wrong(format!("the final answer to {id} is STATUS_PENDING")));
        }
        if let Some(open) = self.open.get_mut(&conn) {
            open.remove(&id);
        }
        self.judged += 1;
        Ok(())
    }

    fn settled(&self, now: Instant) -> Result<(), Violation> {
        let live = self
            .open
            .iter()
            .filter(|(conn, _)| !self.closing.contains(conn));
        let breaking = self.breaking_until.is_some_and(|until| now < until);
        for (conn, open) in live {
            for (id, pending) in open {
                // Who waits for somebody who may come back has been told so.
                let waits = pending.interim.is_some()
                    && matches!(
                        pending.header.command(),
                        Some(Command::Create | Command::SetInfo)
                    );
                if !pending.cancelled && (waits || breaking && pending.yields) {
                    continue;
                }
                let command = pending.header.command_code;
                if pending.cancelled {
                    return Err(wrong(format!(
                        "message {id} on {conn} (command {command:#x}) was cancelled and is not answered"
                    )));
                }
                if !pending.patient && !self.draining {
                    return Err(wrong(format!(
                        "message {id} on {conn} (command {command:#x}) waits for nobody and is not answered"
                    )));
                }
                if pending.patient && pending.interim.is_none() && !self.draining {
                    return Err(wrong(format!(
                        "message {id} on {conn} (command {command:#x}) waits without interim answer"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Checker for Answers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            Seen::Connected { conn } => {
                // A server that was started anew gives out the same names again.
                self.closing.remove(conn);
                self.open.insert(*conn, BTreeMap::new());
                Ok(())
            }
            Seen::Closing { conn } => {
                self.closing.insert(*conn);
                Ok(())
            }
            Seen::Disconnected { conn } => {
                self.open.remove(conn);
                self.closing.insert(*conn);
                Ok(())
            }
            Seen::Request {
                conn,
                header,
                request,
                proof,
            } => self.request(*conn, header, *request, *proof),
            Seen::Interim { conn, header } => self.interim(*conn, header),
            Seen::Answer { conn, header, .. } => self.answer(*conn, header),
            Seen::Break { conn, .. } if self.closing.contains(conn) => {
                Err(wrong(format!("a break after the end of connection {conn}")))
            }
            Seen::Break { body, .. } => {
                if wants_acknowledgment(body) {
                    self.breaking_until = Some(now.mono + self.break_after);
                }
                Ok(())
            }
            Seen::Settled => self.settled(now.mono),
            Seen::Outside(Outside::Drained) => {
                self.draining = true;
                Ok(())
            }
            Seen::Outside(_) => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
