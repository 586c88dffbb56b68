//! What a client may send, and what it is granted: [MS-SMB2] 3.3.1.1, 3.3.1.2, 3.3.5.2.3.

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::config::Limits;
use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_proto::id::MessageId;
use smb_proto::{Command, Dialect, Header, NtStatus, msg};

use super::{Checker, Seen, Violation};

const NAME: &str = "credits";

/// A request that was taken.
#[derive(Debug, Clone, Copy)]
struct Taken {
    wanted: u64,
    charge: u64,
    granted: u64,
    /// The client had as many credits as it may have at some time since.
    full: bool,
}

/// One connection: the plain definition, ids granted and ids used.
#[derive(Debug)]
struct Window {
    /// All ids below were granted.
    high: u64,
    /// Ids below `low` are used, and those in the set.
    low: u64,
    used: BTreeSet<u64>,
    multi: bool,
    taken: BTreeMap<MessageId, Taken>,
    /// Elements of the message that is being received.
    arriving: Vec<(MessageId, Taken)>,
    /// The client has broken the rules: nothing that came then or later is answered.
    broken: bool,
}

impl Window {
    fn take(&mut self, first: u64, charge: u64) -> bool {
        let Some(end) = first.checked_add(charge) else {
            return false;
        };
        if first < self.low || end > self.high || (first..end).any(|id| self.used.contains(&id)) {
            return false;
        }
        self.used.extend(first..end);
        while self.used.remove(&self.low) {
            self.low += 1;
        }
        true
    }

    fn available(&self) -> u64 {
        (self.high - self.low).saturating_sub(self.used.len() as u64)
    }

    /// Notes for all requests in flight whether the client may be at its limit now: what was granted in
    /// answers that have not left, since others of their message are not ready, counts too.
    fn note_limit(&mut self, max: u64) {
        let open = |t: &Taken| t.wanted.saturating_sub(t.granted);
        let promised: u64 = self.taken.values().map(open).sum();
        let (available, span) = (self.available(), self.high - self.low);
        for t in self.taken.values_mut() {
            let of_others = promised - open(t);
            t.full |= available + of_others >= max || span >= max.saturating_mul(4);
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Credits {
    max: u64,
    windows: BTreeMap<ConnId, Window>,
    judged: u64,
}

impl Default for Credits {
    fn default() -> Self {
        Self::new(Limits::default().max_credits)
    }
}

fn wrong(what: String) -> Violation {
    Violation::new(NAME, what)
}

impl Credits {
    /// For a server that lets one connection have at most `max` credits.
    #[must_use]
    pub fn new(max: u16) -> Self {
        Self {
            max: u64::from(max).max(1),
            windows: BTreeMap::new(),
            judged: 0,
        }
    }

    fn request(&mut self, conn: ConnId, header: &Header) {
        let Some(w) = self.windows.get_mut(&conn) else {
            return;
        };
        if header.command() != Some(Command::Cancel) {
            let charge = if w.multi {
                u64::from(header.credit_charge.max(1))
            } else {
                1
            };
            if !w.take(header.message_id.0, charge) {
                w.broken = true;
            }
            let taken = Taken {
                wanted: u64::from(header.credits.max(1)),
                charge,
                granted: 0,
                full: false,
            };
            w.arriving.push((header.message_id, taken));
        }
        // The elements of a message are admitted all or none.
        if header.next_command == 0 {
            let arrived = std::mem::take(&mut w.arriving);
            if !w.broken {
                w.taken.extend(arrived);
                w.note_limit(self.max);
            }
        }
    }

    fn grant(&mut self, conn: ConnId, header: &Header) -> Result<(), Violation> {
        let max = self.max;
        let id = header.message_id;
        let Some(w) = self.windows.get_mut(&conn) else {
            return Ok(());
        };
        let granted = u64::from(header.credits);
        w.high += granted;
        let available = w.available();
        if available > max {
            return Err(wrong(format!(
                "connection {conn} has {available} credits, more than the {max} of the limit"
            )));
        }
        let broken = w.broken;
        let Some(taken) = w.taken.get_mut(&id) else {
            return Err(wrong(format!(
                "message {id} on {conn} was answered, which the client had no credits for{}",
                if broken {
                    " (or came after one it had none for)"
                } else {
                    ""
                }
            )));
        };
        taken.granted += granted;
        let taken = *taken;
        // Who asks for what it spends does not get poorer, unless it was at a limit meanwhile.
        w.note_limit(max);
        let full = w.taken.get(&id).is_some_and(|t| t.full);
        if taken.granted < taken.wanted.min(taken.charge) && !full {
            return Err(wrong(format!(
                "message {id} on {conn} took {} credits, asked for {}, was granted {}, and the client has {available}",
                taken.charge, taken.wanted, taken.granted
            )));
        }
        if available == 0 && w.taken.len() == 1 {
            return Err(wrong(format!(
                "connection {conn} has no credits left and nothing outstanding that could bring some"
            )));
        }
        Ok(())
    }

    fn answer(
        &mut self,
        conn: ConnId,
        header: &Header,
        body: &msg::Response,
    ) -> Result<(), Violation> {
        self.grant(conn, header)?;
        self.judged += 1;
        if let Some(w) = self.windows.get_mut(&conn) {
            w.taken.remove(&header.message_id);
            if let msg::Response::Negotiate(n) = body
                && header.status == NtStatus::SUCCESS
            {
                w.multi =
                    Dialect::from_code(n.dialect_revision).is_some_and(Dialect::has_multi_credit);
            }
        }
        Ok(())
    }
}

impl Checker for Credits {
    fn name(&self) -> &'static str {
        NAME
    }

    fn observe(&mut self, _now: Now, seen: &Seen<'_>) -> Result<(), Violation> {
        match seen {
            Seen::Connected { conn } => {
                let window = Window {
                    high: 1,
                    low: 0,
                    used: BTreeSet::new(),
                    multi: false,
                    taken: BTreeMap::new(),
                    arriving: Vec::new(),
                    broken: false,
                };
                self.windows.insert(*conn, window);
                Ok(())
            }
            Seen::Disconnected { conn } => {
                self.windows.remove(conn);
                Ok(())
            }
            Seen::Request { conn, header, .. } => {
                self.request(*conn, header);
                Ok(())
            }
            Seen::Interim { conn, header } => self.grant(*conn, header),
            Seen::Answer { conn, header, body } => self.answer(*conn, header, body),
            Seen::Closing { .. } | Seen::Break { .. } | Seen::Settled | Seen::Outside(_) => Ok(()),
        }
    }

    fn judged(&self) -> u64 {
        self.judged
    }
}
