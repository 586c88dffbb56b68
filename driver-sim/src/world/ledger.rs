//! Whether every request is answered exactly once.

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::link::Inbound;
use smb_engine::output::{Body, ConnId, Outbound};
use smb_proto::header::Route;
use smb_proto::id::{MessageId, SessionId, TreeId};
use smb_proto::msg::tree_connect::ShareType;
use smb_proto::{Command, Header, NtStatus, msg};

use crate::check::Violation;

/// Name of this check in reports.
const NAME: &str = "answers";

/// A request without final answer.
#[derive(Debug)]
struct Open {
    command: u16,
    interim: bool,
    may_wait: bool,
}

/// Connections and what was asked on them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: BTreeMap<ConnId, BTreeMap<MessageId, Open>>,
    /// Connections that the server has asked to be closed.
    closing: Vec<ConnId>,
    pub(super) answered: u64,
    /// Tree connects to named pipes, where a READ may wait.
    pipes: BTreeSet<(SessionId, TreeId)>,
}

fn violation(what: String) -> Violation {
    Violation {
        checker: NAME,
        what,
    }
}

impl Ledger {
    pub(super) fn accepted(&mut self, conn: ConnId) {
        self.open.insert(conn, BTreeMap::new());
    }

    pub(super) fn received(&mut self, conn: ConnId, message: &Inbound) {
        let Some(mut open) = self.open.remove(&conn) else {
            return;
        };
        match message {
            // It is answered as a NEGOTIATE with message id 0 ([MS-SMB2] 3.3.5.3.1).
            Inbound::Smb1Negotiate(_) => {
                let command = Command::Negotiate.into();
                let entry = Open {
                    command,
                    interim: false,
                    may_wait: false,
                };
                open.insert(MessageId(0), entry);
            }
            Inbound::Message { elements, .. } => {
                for element in elements {
                    let header = &element.header;
                    if header.command() == Some(Command::Cancel) {
                        continue;
                    }
                    let entry = Open {
                        command: header.command_code,
                        interim: false,
                        may_wait: element
                            .body
                            .as_ref()
                            .is_ok_and(|body| self.may_wait(header, body)),
                    };
                    // One with a used id ends the connection, so nothing is lost.
                    open.entry(header.message_id).or_insert(entry);
                }
            }
        }
        self.open.insert(conn, open);
    }

    /// Whether a request may rightly wait for what other clients do.
    fn may_wait(&self, header: &Header, body: &msg::Request) -> bool {
        let tree = header.tree_id();
        match body {
            msg::Request::Lock(_) | msg::Request::ChangeNotify(_) => true,
            msg::Request::Read(_) | msg::Request::Ioctl(_) => {
                tree == TreeId::RELATED || self.pipes.contains(&(header.session_id, tree))
            }
            _ => false,
        }
    }

    pub(super) fn answered(&mut self, conn: ConnId, answer: &Outbound) -> Result<(), Violation> {
        if self.closing.contains(&conn) {
            return Err(violation(format!(
                "something is sent on connection {conn}, which the server has closed"
            )));
        }
        let Some(open) = self.open.get_mut(&conn) else {
            return Err(violation(format!(
                "something is sent on connection {conn}, which has gone"
            )));
        };
        for element in &answer.elements {
            let header = &element.header;
            let id = header.message_id;
            if id == MessageId::UNSOLICITED {
                continue;
            }
            let Some(entry) = open.get_mut(&id) else {
                return Err(violation(format!(
                    "connection {conn}: message {id} is answered with {} and is not outstanding",
                    header.status
                )));
            };
            if entry.command != header.command_code {
                return Err(violation(format!(
                    "connection {conn}: message {id} is answered with command {:#x}",
                    header.command_code
                )));
            }
            if header.status == NtStatus::PENDING && matches!(header.route, Route::Async(_)) {
                if std::mem::replace(&mut entry.interim, true) {
                    return Err(violation(format!(
                        "connection {conn}: message {id} gets a second interim answer"
                    )));
                }
                continue;
            }
            open.remove(&id);
            self.answered += 1;
            if let Body::Message(msg::Response::TreeConnect(r)) = &element.body
                && r.share_type == ShareType::PIPE
            {
                self.pipes.insert((header.session_id, header.tree_id()));
            }
        }
        Ok(())
    }

    pub(super) fn closing(&mut self, conn: ConnId) {
        self.closing.push(conn);
    }

    pub(super) fn gone(&mut self, conn: ConnId) {
        self.open.remove(&conn);
        self.closing.retain(|c| *c != conn);
    }

    /// All connections are gone at once.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.closing.clear();
    }

    /// Requests on living connections that have no answer; `waiting` counts those too that may wait
    /// for other clients.
    pub(super) fn outstanding(&self, waiting: bool) -> Vec<String> {
        let mut out = Vec::new();
        for (conn, open) in &self.open {
            if self.closing.contains(conn) {
                continue;
            }
            for (id, entry) in open {
                if !entry.may_wait || waiting {
                    let name = Command::from_code(entry.command)
                        .map_or_else(|| format!("{:#x}", entry.command), |c| c.to_string());
                    out.push(format!("{name} {id} on connection {conn}"));
                }
            }
        }
        out
    }
}
