//! The server: what goes in and what comes out, and nothing else.

use crate::cmd::restore;
use crate::config::{BackendId, Config};
use crate::core::{
    Conn, Core, Held, Peer, Timer, Wait, Wake, breaks, durable, outside, persistent, teardown,
    write_time,
};
use crate::dispatch;
use crate::error::Fault;
use crate::journal::{Desk, InputRef, Recorder};
use crate::link::Inbound;
use crate::output::{CloseReason, Completion, ConnId, Output, Token};
use crate::time::{Instant, Now};
use crate::vfs::Outside;

/// What an operator tells a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Take in nothing more, answer what runs, then close every connection.
    Drain,
}

/// How many objects there are; all zero once every client has gone and every answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Transport connections.
    pub connections: usize,
    /// Sessions, also those being set up.
    pub sessions: usize,
    /// Tree connects.
    pub trees: usize,
    /// Opens.
    pub opens: usize,
    /// Rows of open files and streams.
    pub files: usize,
    /// Messages being worked on.
    pub messages: usize,
    /// Operations, also the server's own.
    pub operations: usize,
    /// Deadlines.
    pub timers: usize,
}

/// The server of one process; see the crate's documentation for how it is driven.
pub struct Server {
    core: Core,
    draining: bool,
    desk: Desk,
}

impl Server {
    /// A server with this configuration. `seed` is where all its unpredictable values come from: in
    /// production 32 bytes of the operating system's randomness, in a simulation a number.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            core: Core::new(config, seed),
            draining: false,
            desk: Desk::default(),
        }
    }

    /// From now on sessions are protected by checksums in the place of signatures and ciphers, which
    /// protect nothing: for simulations, with clients that do the same.
    #[cfg(feature = "stub-crypto")]
    pub fn stub_crypto(&mut self) {
        self.core.stub_crypto = true;
    }

    /// Makes a deliberate mistake from now on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: crate::mutation::Mutation) {
        self.core.mutation = Some(mutation);
    }

    /// From now on `recorder` is told what goes in and what comes out. For a journal that can be gone
    /// through again, before the first input.
    pub fn record(&mut self, recorder: Box<dyn Recorder>) {
        self.desk.open(recorder);
    }

    /// A client has connected.
    ///
    /// # Errors
    /// The connection is not wanted; the driver closes it at once.
    pub fn handle_accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, CloseReason> {
        self.desk.input(now, InputRef::Accept(peer));
        let limits = &self.core.config.limits;
        let same = self
            .core
            .conns
            .iter()
            .filter(|(_, c)| c.peer.address == peer.address)
            .count();
        if self.draining || self.core.kept.restoring > 0 {
            return Err(CloseReason::Administrative);
        }
        if self.core.conns.len() >= limits.max_connections || same >= limits.max_connections_per_ip
        {
            return Err(CloseReason::TooManyConnections);
        }
        let (credits, patience) = (limits.max_credits, limits.unauthenticated_for);
        let conn = self.core.conns.insert(Conn::new(peer, credits));
        self.core.arm(Timer::Logon(conn), now, patience);
        Ok(conn)
    }

    /// What an earlier server has had its driver keep ([`Output::Store`]), as it is now. Before the
    /// first client: the opens are there when no operation is left ([`Self::counts`]); until then
    /// connections are refused.
    pub fn restore(&mut self, now: Now, kept: Vec<(u64, bytes::Bytes)>) {
        self.desk.input(now, InputRef::Restore(&kept));
        for (id, record) in kept {
            restore::start(&mut self.core, now, id, record);
        }
        persistent::keep(&mut self.core);
    }

    /// A message has arrived.
    pub fn handle_message(&mut self, now: Now, conn: ConnId, inbound: Inbound) {
        self.desk.input(now, InputRef::Message(conn, &inbound));
        dispatch::receive(&mut self.core, now, conn, inbound);
        persistent::keep(&mut self.core);
    }

    /// The connection's link has found that the peer broke the protocol.
    pub fn handle_fault(&mut self, now: Now, conn: ConnId, fault: Fault) {
        self.desk.input(now, InputRef::Fault(conn, &fault));
        self.core.close_conn(conn, CloseReason::Fault(fault));
    }

    /// The transport connection has gone.
    pub fn handle_closed(&mut self, now: Now, conn: ConnId) {
        self.desk.input(now, InputRef::Closed(conn));
        teardown::end_conn(&mut self.core, now, conn);
        persistent::keep(&mut self.core);
    }

    /// The answer to an [`Output::Vfs`] or [`Output::Lookup`].
    pub fn handle_completion(&mut self, now: Now, token: Token, completion: Completion) {
        self.desk
            .input(now, InputRef::Completion(token, &completion));
        dispatch::complete(&mut self.core, now, token, completion);
        persistent::keep(&mut self.core);
    }

    /// Something has happened in a directory that [`crate::vfs::VfsOp::Watch`] watches. What an
    /// operation of the server itself has done is told before its completion, or not at all.
    pub fn handle_outside(&mut self, now: Now, backend: BackendId, what: Outside) {
        self.desk.input(now, InputRef::Outside(backend, &what));
        outside::happened(&mut self.core, now, backend, what);
        persistent::keep(&mut self.core);
    }

    /// The time that [`Self::poll_timeout`] named has come (an early call does nothing).
    pub fn handle_timeout(&mut self, now: Now) {
        self.desk.input(now, InputRef::Timeout);
        while let Some(timer) = self.core.timers.pop_due(now.mono) {
            match timer {
                Timer::Interim(op) => dispatch::interim_due(&mut self.core, op),
                Timer::Logon(conn) => {
                    if self.core.conns.get(conn).is_some_and(|c| !c.authenticated) {
                        self.core
                            .close_conn(conn, CloseReason::Fault(Fault::LogonTimeout));
                    }
                }
                Timer::Idle(session) => self.idle(now, session),
                Timer::WriteTime(file) => write_time::due(&mut self.core, file),
                Timer::Durable(open) => durable::overdue(&mut self.core, now, open),
                Timer::OplockBreak(open) => breaks::oplock_overdue(&mut self.core, now, open),
                Timer::LeaseBreak(lease) => breaks::lease_overdue(&mut self.core, now, lease),
                Timer::Expire(session) => {
                    if let Some(s) = self.core.sessions.get_mut(session) {
                        s.expire();
                    }
                }
            }
        }
        persistent::keep(&mut self.core);
    }

    fn idle(&mut self, now: Now, id: crate::Id<crate::core::Session>) {
        let after = self.core.config.limits.idle_for;
        let Some(s) = self.core.sessions.get(id) else {
            return;
        };
        let due = s.last_used + after;
        if s.opens.is_empty() && due <= now.mono {
            let conns: Vec<ConnId> = s.channels.keys().copied().collect();
            for conn in conns {
                self.core.close_conn(conn, CloseReason::Idle);
            }
        } else {
            let wait = (due - now.mono).max(std::time::Duration::from_secs(1));
            self.core.arm(Timer::Idle(id), now, wait);
        }
    }

    /// A command of the operator.
    pub fn handle_control(&mut self, now: Now, control: Control) {
        self.desk.input(now, InputRef::Control(control));
        match control {
            Control::Drain => self.drain(now),
        }
        persistent::keep(&mut self.core);
    }

    fn drain(&mut self, now: Now) {
        self.draining = true;
        for conn in self.core.conns.ids() {
            if let Some(c) = self.core.conns.get_mut(conn) {
                c.draining = true;
            }
        }
        durable::end_all(&mut self.core, now);
        let waiting: Vec<_> = self
            .core
            .ops
            .iter()
            .filter(|(_, op)| matches!(op.wait, Wait::Lock(_) | Wait::Notify(_) | Wait::Break(_)))
            .map(|(id, _)| id)
            .collect();
        for op in waiting {
            dispatch::interrupt(&mut self.core, now, op, Wake::Cancelled);
        }
        for conn in self.core.conns.ids() {
            if self
                .core
                .conns
                .get(conn)
                .is_some_and(|c| c.chains.is_empty())
            {
                self.core.close_conn(conn, CloseReason::Administrative);
            }
        }
    }

    /// The next thing for the driver to do; `None` when there is nothing more for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.core.next_output();
        self.desk.output(output.as_ref());
        output
    }

    /// When [`Self::handle_timeout`] wants to be called if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.core.timers.first()
    }

    /// Numbers of objects.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let c = &self.core;
        Counts {
            connections: c.conns.len(),
            sessions: c.sessions.len(),
            trees: c.trees.len(),
            opens: c.opens.len(),
            files: c.files.len(),
            messages: c.chains.len(),
            operations: c.ops.len(),
            timers: c.timers.len(),
        }
    }

    /// Bytes held for one connection, or (`None`) for all; those that its link holds not included.
    #[must_use]
    pub fn held(&self, conn: Option<ConnId>) -> Held {
        crate::core::held(&self.core, conn)
    }

    /// Checks that the tables agree with each other; for tests and the simulator.
    ///
    /// # Errors
    /// A sentence about the first disagreement.
    pub fn check_invariants(&self) -> Result<(), String> {
        crate::core::invariants::check(&self.core)
    }
}
