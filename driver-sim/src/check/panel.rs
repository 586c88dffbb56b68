//! Several checkers as one, looking on at an engine.

use std::sync::{Arc, Mutex, PoisonError};

use smb_engine::Observer;
use smb_engine::link::{Inbound, Signature};
use smb_engine::output::{Body, ConnId, Outbound};
use smb_engine::time::Now;
use smb_proto::header::Route;
use smb_proto::id::MessageId;
use smb_proto::msg::read;
use smb_proto::{Command, Header, NtStatus, msg};

use super::{Checker, Proof, Seen, Violation};

/// Checkers, and the first thing that one of them found. A clone is the same panel.
#[derive(Clone)]
pub struct Panel(Arc<Mutex<Inner>>);

struct Inner {
    checkers: Vec<Box<dyn Checker>>,
    found: Option<Violation>,
}

impl Panel {
    /// A panel of these checkers; see [`super::all`].
    #[must_use]
    pub fn new(checkers: Vec<Box<dyn Checker>>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            checkers,
            found: None,
        })))
    }

    /// To be given to [`smb_engine::Engine::observe`].
    #[must_use]
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(self.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells every checker.
    pub fn tell(&self, now: Now, seen: &Seen<'_>) {
        self.with(|inner| inner.tell(now, seen));
    }

    /// Whether all is well so far.
    ///
    /// # Errors
    /// The first thing that was found.
    pub fn verdict(&self) -> Result<(), Violation> {
        self.with(|inner| inner.found.clone().map_or(Ok(()), Err))
    }

    /// Ends the observation.
    ///
    /// # Errors
    /// The first thing that was found, now or before.
    pub fn finish(&self) -> Result<(), Violation> {
        self.with(|inner| {
            for checker in &mut inner.checkers {
                if inner.found.is_none() {
                    inner.found = checker.finish().err();
                }
            }
            inner.found.clone().map_or(Ok(()), Err)
        })
    }

    /// Name, answers judged, and times given up, of each checker.
    #[must_use]
    pub fn tally(&self) -> Vec<(&'static str, u64, u64)> {
        self.with(|inner| {
            let all = inner.checkers.iter();
            all.map(|c| (c.name(), c.judged(), c.given_up())).collect()
        })
    }
}

impl Inner {
    fn tell(&mut self, now: Now, seen: &Seen<'_>) {
        for checker in &mut self.checkers {
            if self.found.is_some() {
                return;
            }
            self.found = checker.observe(now, seen).err();
        }
    }

    fn idle(&self) -> bool {
        self.found.is_some() || self.checkers.is_empty()
    }

    fn answered(&mut self, now: Now, conn: ConnId, answer: &Outbound) {
        for element in &answer.elements {
            let header = &element.header;
            let parsed;
            let body = match &element.body {
                Body::Message(body) => body,
                Body::Read(payload) => {
                    parsed = Ok(msg::Response::Read(read::Response {
                        data: payload.data().to_vec().into(),
                        data_remaining: 0,
                        flags: read::ResponseFlags::empty(),
                    }));
                    match &parsed {
                        Ok(body) => body,
                        Err(_) => return,
                    }
                }
                Body::Encoded(bytes) => {
                    parsed = msg::Response::parse(header, bytes);
                    match &parsed {
                        Ok(body) => body,
                        Err(error) => {
                            self.found = Some(Violation {
                                checker: "panel",
                                what: format!("an answer does not parse: {error}"),
                            });
                            return;
                        }
                    }
                }
            };
            let seen = if header.message_id == MessageId::UNSOLICITED {
                Seen::Break { conn, header, body }
            } else if header.status == NtStatus::PENDING && matches!(header.route, Route::Async(_))
            {
                Seen::Interim { conn, header }
            } else {
                Seen::Answer { conn, header, body }
            };
            self.tell(now, &seen);
        }
    }
}

impl Observer for Panel {
    fn accepted(&mut self, now: Now, conn: ConnId) {
        self.tell(now, &Seen::Connected { conn });
    }

    fn received(&mut self, now: Now, conn: ConnId, message: &Inbound) {
        self.with(|inner| {
            if inner.idle() {
                return;
            }
            let (elements, sealed) = match message {
                // Answered in SMB2, as if it were a NEGOTIATE with MessageId 0.
                Inbound::Smb1Negotiate(_) => {
                    let seen = Seen::Request {
                        conn,
                        header: &Header::request(Command::Negotiate, MessageId(0)),
                        request: None,
                        proof: Proof::None,
                    };
                    inner.tell(now, &seen);
                    return;
                }
                Inbound::Message { elements, sealed } => (elements, sealed.is_some()),
            };
            for element in elements {
                let proof = match element.signature {
                    _ if sealed => Proof::Good,
                    Signature::Good(_) => Proof::Good,
                    Signature::Absent => Proof::None,
                    Signature::Bad | Signature::NoKey => Proof::Forged,
                };
                let seen = Seen::Request {
                    conn,
                    header: &element.header,
                    request: element.body.as_ref().ok(),
                    proof,
                };
                inner.tell(now, &seen);
            }
        });
    }

    fn answered(&mut self, now: Now, conn: ConnId, answer: &Outbound) {
        self.with(|inner| {
            if !inner.idle() {
                inner.answered(now, conn, answer);
            }
        });
    }

    fn closing(&mut self, now: Now, conn: ConnId) {
        self.tell(now, &Seen::Closing { conn });
    }

    fn closed(&mut self, now: Now, conn: ConnId) {
        self.tell(now, &Seen::Disconnected { conn });
    }

    fn settled(&mut self, now: Now) {
        self.tell(now, &Seen::Settled);
    }
}
