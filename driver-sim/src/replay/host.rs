//! The replay's side of the wire: one engine, its files and accounts, and a client for each
//! captured connection. Time is what the replay says it is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smb_engine::config::Config;
use smb_engine::identity::Account;
use smb_engine::names::fold;
use smb_engine::output::{Completion, ConnId, Query};
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::Backend;
use smb_engine::{Action, Engine, Peer};
use smb_proto::FileTime;
use smb_proto::crypto::ntlm::NtHash;

use crate::client::Verbatim;
use crate::memory::MemoryFs;

/// Timers that may run out one after the other without time moving on.
const TIMERS_MAX: usize = 10_000;

/// One connection.
pub(super) struct Line {
    pub(super) client: Verbatim,
    conn: Option<ConnId>,
    /// Why the engine closed it.
    pub(super) closed: Option<String>,
}

/// An engine and what belongs to it.
pub(super) struct Host {
    engine: Engine,
    now: Now,
    backends: Vec<Arc<MemoryFs>>,
    accounts: BTreeMap<String, Account>,
    pub(super) lines: BTreeMap<usize, Line>,
    inputs: u64,
    /// What the engine's tables say against each other, if they do.
    pub(super) broken: Option<String>,
}

impl Host {
    pub(super) fn new(
        config: Config,
        accounts: BTreeMap<String, Account>,
        backends: Vec<Arc<MemoryFs>>,
        wall: FileTime,
    ) -> Self {
        Self {
            engine: Engine::new(config, [7; 32]),
            now: Now {
                mono: Instant(1_000_000),
                wall,
            },
            backends,
            accounts,
            lines: BTreeMap::new(),
            inputs: 0,
            broken: None,
        }
    }

    /// A client connects.
    pub(super) fn connect(&mut self, line: usize, from: SocketAddr) {
        let seed = u64::try_from(line).unwrap_or(0);
        let client = Verbatim::new(seed, self.now.wall);
        let (conn, closed) = match self.engine.accept(self.now, Peer::from(from)) {
            Ok(conn) => (Some(conn), None),
            Err(why) => (None, Some(format!("{why:?}"))),
        };
        self.lines.insert(
            line,
            Line {
                client,
                conn,
                closed,
            },
        );
        self.settle();
    }

    /// A client's connection goes.
    pub(super) fn disconnect(&mut self, line: usize) {
        if let Some(conn) = self.lines.get_mut(&line).and_then(|l| l.conn.take()) {
            self.engine.closed(self.now, conn);
            self.settle();
        }
    }

    /// Whether the connection exists.
    pub(super) fn is_connected(&self, line: usize) -> bool {
        self.lines.get(&line).is_some_and(|l| l.conn.is_some())
    }

    /// Lets time come to `wall`; deadlines that lie in between are met one after the other.
    pub(super) fn advance_to(&mut self, wall: FileTime) {
        let ticks = wall.0.saturating_sub(self.now.wall.0);
        let until = Instant(self.now.mono.0.saturating_add(ticks / 10));
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.set_time(due);
            let before = self.engine.poll_timeout();
            self.engine.timeout(self.now);
            self.settle();
            self.transmit();
            if self.engine.poll_timeout() == before {
                break;
            }
        }
        self.set_time(until);
    }

    fn set_time(&mut self, mono: Instant) {
        let passed = mono.0.saturating_sub(self.now.mono.0);
        self.now = Now {
            mono: mono.max(self.now.mono),
            wall: FileTime(self.now.wall.0.saturating_add(passed.saturating_mul(10))),
        };
        for fs in &self.backends {
            fs.set_now(self.now.wall);
        }
    }

    /// Carries what clients have to send to the engine, and its answers back, until there is nothing
    /// more.
    pub(super) fn transmit(&mut self) {
        let lines: Vec<usize> = self.lines.keys().copied().collect();
        for line in lines {
            while let Some(entry) = self.lines.get_mut(&line)
                && let Some(bytes) = entry.client.poll_transmit()
            {
                if let Some(conn) = entry.conn {
                    self.engine.receive(self.now, conn, &bytes);
                    self.settle();
                }
            }
        }
        // Deadlines that lie at this very moment.
        for _ in 0..TIMERS_MAX {
            let due = self.engine.poll_timeout();
            if due.is_none_or(|due| due > self.now.mono) {
                break;
            }
            self.engine.timeout(self.now);
            self.settle();
            if self.engine.poll_timeout() == due {
                break;
            }
        }
    }

    fn settle(&mut self) {
        self.inputs += 1;
        while let Some(action) = self.engine.poll() {
            match action {
                Action::Transmit(conn, segments) => {
                    let line = self.lines.values_mut().find(|l| l.conn == Some(conn));
                    if let Some(line) = line {
                        for segment in segments.0 {
                            line.client.receive(&segment);
                        }
                    }
                }
                Action::Vfs(request) => {
                    let backend = usize::try_from(request.backend.0).ok();
                    let fs = backend.and_then(|n| self.backends.get(n)).cloned();
                    let result = match fs {
                        Some(fs) => fs.execute(&request.by, request.op),
                        None => Err(smb_engine::vfs::VfsError::NotFound),
                    };
                    let completion = Completion::Vfs(result);
                    self.engine.complete(self.now, request.token, completion);
                }
                Action::Lookup(token, query) => {
                    let answer = self.look_up(&query);
                    self.engine.complete(self.now, token, answer);
                }
                Action::Close(conn, why) => {
                    let line = self.lines.values_mut().find(|l| l.conn == Some(conn));
                    if let Some(line) = line {
                        line.conn = None;
                        line.closed = Some(format!("{why:?}"));
                    }
                    self.engine.closed(self.now, conn);
                }
                Action::Event(_) | Action::Store(_) => {}
            }
        }
        // All tables are walked, which takes long where they are large.
        if self.broken.is_none() && (self.inputs < 2000 || self.inputs.is_multiple_of(512)) {
            self.broken = self.engine.check_invariants().err();
        }
    }

    /// The NT hash of an account.
    pub(super) fn hash_of(&self, user: &str) -> Option<NtHash> {
        Some(self.accounts.get(&fold(user))?.nt_hash.clone())
    }

    fn look_up(&self, query: &Query) -> Completion {
        match query {
            Query::Account { user, .. } => {
                Completion::Account(self.accounts.get(&fold(user)).cloned())
            }
            Query::Accounts => {
                let all = self.accounts.values().map(|a| a.identity.clone());
                Completion::Accounts(all.collect())
            }
        }
    }

    /// Disconnects everybody and says what the engine still holds then.
    pub(super) fn finish(&mut self) -> Option<String> {
        let lines: Vec<usize> = self.lines.keys().copied().collect();
        for line in lines {
            self.disconnect(line);
        }
        // Durable opens wait for their clients, but not for ever.
        let wait = u64::try_from(Duration::from_secs(3600).as_nanos() / 100).unwrap_or(0);
        self.advance_to(FileTime(self.now.wall.0.saturating_add(wait)));
        self.broken = self
            .broken
            .take()
            .or_else(|| self.engine.check_invariants().err());
        let counts = self.engine.counts();
        (counts != smb_engine::Counts::default()).then(|| format!("{counts:?}"))
    }
}
