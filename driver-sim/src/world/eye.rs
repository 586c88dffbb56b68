//! Looks on at the engine: tells the checkers, keeps the ledger, counts, and writes down.

use std::sync::{Arc, Mutex, PoisonError};

use smb_engine::Observer;
use smb_engine::link::Inbound;
use smb_engine::output::{Body, ConnId, Outbound};
use smb_engine::time::Now;
use smb_proto::id::MessageId;
use smb_proto::msg;

use super::describe;
use super::ledger::Ledger;
use super::stats::Stats;
use super::story::Story;
use crate::check::{Panel, Violation};

/// What the eye has seen.
pub(super) struct Seen {
    pub(super) ledger: Ledger,
    pub(super) stats: Stats,
    pub(super) story: Story,
    pub(super) found: Option<Violation>,
}

/// The observer of a world's engine. A clone is the same eye.
#[derive(Clone)]
pub(super) struct Eye {
    inner: Arc<Mutex<Seen>>,
    panel: Panel,
}

impl Eye {
    pub(super) fn new(panel: Panel, story: Story) -> Self {
        let inner = Seen {
            ledger: Ledger::default(),
            stats: Stats::default(),
            story,
            found: None,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            panel,
        }
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Eye {
    fn accepted(&mut self, now: Now, conn: ConnId) {
        self.with(|s| {
            s.ledger.accepted(conn);
            s.story
                .tell(now, || format!("connection {conn} is accepted"));
        });
        self.panel.observer().accepted(now, conn);
    }

    fn received(&mut self, now: Now, conn: ConnId, message: &Inbound) {
        self.with(|s| {
            s.ledger.received(conn, message);
            if !s.story.is_told() {
                return;
            }
            match message {
                Inbound::Smb1Negotiate(_) => {
                    s.story.tell(now, || format!("{conn} -> NEGOTIATE of SMB1"));
                }
                Inbound::Message { elements, sealed } => {
                    for (i, e) in elements.iter().enumerate() {
                        let how = describe::protection(sealed.is_some(), &e.header);
                        let text = describe::request(&e.header, e.body.as_ref());
                        let more = if i > 0 { "+ " } else { "" };
                        s.story.tell(now, || format!("{conn} -> {more}{text}{how}"));
                    }
                }
            }
        });
        self.panel.observer().received(now, conn, message);
    }

    fn answered(&mut self, now: Now, conn: ConnId, answer: &Outbound) {
        self.with(|s| {
            if let Err(what) = s.ledger.answered(conn, answer) {
                s.found.get_or_insert(what);
            }
            for (i, e) in answer.elements.iter().enumerate() {
                if e.header.message_id != MessageId::UNSOLICITED {
                    s.stats.answered(e.header.command_code, e.header.status);
                }
                if !s.story.is_told() {
                    continue;
                }
                let text = match &e.body {
                    Body::Message(body) => describe::response(&e.header, body),
                    Body::Read(data) => describe::data(&e.header, data.len()),
                    Body::Encoded(bytes) => match msg::Response::parse(&e.header, bytes) {
                        Ok(body) => describe::response(&e.header, &body),
                        Err(error) => format!("does not parse: {error}"),
                    },
                };
                let mut how = describe::protection(answer.seal.is_some(), &e.header);
                if answer.seal.is_none() && e.sign.is_some() {
                    how = " [signed]";
                }
                let more = if i > 0 { "+ " } else { "" };
                s.story.tell(now, || format!("{conn} <- {more}{text}{how}"));
            }
        });
        self.panel.observer().answered(now, conn, answer);
    }

    fn closing(&mut self, now: Now, conn: ConnId) {
        self.panel.observer().closing(now, conn);
    }

    fn closed(&mut self, now: Now, conn: ConnId) {
        self.with(|s| {
            s.ledger.gone(conn);
            s.story.tell(now, || format!("connection {conn} has gone"));
        });
        self.panel.observer().closed(now, conn);
    }

    fn settled(&mut self, now: Now) {
        self.panel.observer().settled(now);
    }
}
