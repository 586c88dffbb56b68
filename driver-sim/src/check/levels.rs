//! Oplocks and leases: what a CREATE may be granted, and when a break may come.
//!
//! A level is at most what was asked for, a lease is given only to who asked for one, and a break goes
//! to who holds something.

use std::collections::BTreeMap;

use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_proto::create_ctx::Lease;
use smb_proto::id::{FileId, MessageId};
use smb_proto::msg::{self, OplockLevel};

use super::{Checker, Seen, Violation};

const NAME: &str = "levels";

/// What a CREATE asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    level: OplockLevel,
    lease: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Levels {
    asked: BTreeMap<(ConnId, MessageId), Asked>,
    /// Opens with a level.
    held: BTreeMap<FileId, (ConnId, OplockLevel)>,
    judged: u64,
}

fn wrong(what: String) -> Violation {
    Violation::new(NAME, what)
}

impl Levels {
    fn created(
        &mut self,
        conn: ConnId,
        asked: Asked,
        r: &msg::create::Response,
    ) -> Result<(), Violation> {
        let level = r.oplock_level;
        let lease = r.contexts.iter().any(|c| c.name.as_ref() == Lease::NAME);
        if level == OplockLevel::NONE && !lease {
            return Ok(());
        }
        if level.0 > asked.level.0 || (lease && !asked.lease) {
            return Err(wrong(format!(
                "{} asked for {:?} and was granted {level:?}",
                r.file_id, asked.level
            )));
        }
        self.held.insert(r.file_id, (conn, level));
        Ok(())
    }
}

impl Checker for Levels {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, _now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            Seen::Request {
                conn,
                header,
                request,
                ..
            } => {
                match request {
                    Some(msg::Request::Create(r)) => {
                        let asked = Asked {
                            level: r.requested_oplock_level,
                            lease: r.contexts.iter().any(|c| c.name.as_ref() == Lease::NAME),
                        };
                        self.asked.insert((*conn, header.message_id), asked);
                    }
                    Some(msg::Request::Close(r)) => {
                        self.held.remove(&r.file_id);
                    }
                    _ => {}
                }
                Ok(())
            }
            Seen::Answer { conn, header, body } => {
                let asked = self.asked.remove(&(*conn, header.message_id));
                match (asked, body) {
                    (Some(asked), msg::Response::Create(r)) => {
                        self.judged += 1;
                        self.created(*conn, asked, r)
                    }
                    _ => Ok(()),
                }
            }
            Seen::Break { conn, .. } => {
                self.judged += 1;
                if self.held.values().any(|(c, _)| c == conn) {
                    Ok(())
                } else {
                    Err(wrong(format!(
                        "a break to connection {conn}, which holds no oplock or lease"
                    )))
                }
            }
            Seen::Disconnected { conn } => {
                self.held.retain(|_, (c, _)| c != conn);
                self.asked.retain(|(c, _), _| c != conn);
                Ok(())
            }
            Seen::Connected { .. }
            | Seen::Closing { .. }
            | Seen::Interim { .. }
            | Seen::Settled
            | Seen::Outside(_) => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
