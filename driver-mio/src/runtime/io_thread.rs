//! A thread that owns sockets and their links.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use smb_engine::Server;
use smb_engine::output::ConnId;
use smb_engine::time::Now;

use super::gate::{SharedGate, Work};
use super::socket::{Received, Socket};
use super::storage::{Job, Storage};

const WAKER: Token = Token(0);

/// Tokens of listeners; those of connections follow.
const LISTENERS: usize = 1;

/// Accepts in a row before connections have their turn.
const ACCEPTS_IN_A_ROW: usize = 64;

/// Messages that enter the server together; what they bring is sent before the next ones enter.
const MESSAGES_AT_ONCE: usize = 32;

/// How long accepting rests when the process has no descriptors left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// The waker of a thread's poll.
pub(super) fn waker(poll: &Poll) -> io::Result<Waker> {
    Waker::new(poll.registry(), WAKER)
}

/// One thread.
pub(super) struct IoThread {
    index: usize,
    poll: Poll,
    listeners: Vec<TcpListener>,
    gate: SharedGate,
    storage: Arc<Storage>,
    first_message: usize,
    sockets: BTreeMap<usize, (ConnId, Socket)>,
    by_conn: BTreeMap<ConnId, usize>,
    /// Sockets to look at before sleeping: ready, or with something to send.
    active: BTreeSet<usize>,
    next_token: usize,
    /// Listeners that may have more connections to accept.
    accepting: bool,
}

impl IoThread {
    pub(super) fn new(
        index: usize,
        poll: Poll,
        mut listeners: Vec<TcpListener>,
        gate: SharedGate,
        storage: Arc<Storage>,
        first_message: usize,
    ) -> io::Result<Self> {
        for (i, listener) in listeners.iter_mut().enumerate() {
            poll.registry()
                .register(listener, Token(LISTENERS + i), Interest::READABLE)?;
        }
        let next_token = LISTENERS + listeners.len();
        Ok(Self {
            index,
            poll,
            listeners,
            gate,
            storage,
            first_message,
            sockets: BTreeMap::new(),
            by_conn: BTreeMap::new(),
            active: BTreeSet::new(),
            next_token,
            accepting: false,
        })
    }

    /// Runs until the gate says stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        while !self.gate.is_stopping() {
            let patience = self.patience();
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "waiting for sockets failed");
                return;
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(t) if t < LISTENERS + self.listeners.len() => self.accepting = true,
                    Token(t) => {
                        if let Some((_, socket)) = self.sockets.get_mut(&t) {
                            socket.set_ready(event);
                            self.active.insert(t);
                        }
                    }
                }
            }
            if self.index == 0 {
                self.time();
            }
            self.accept();
            self.carry_out();
            self.serve();
        }
    }

    /// How long to sleep: not at all if a socket still has something to read.
    fn patience(&self) -> Option<Duration> {
        if !self.active.is_empty() {
            return Some(Duration::ZERO);
        }
        let timer = (self.index == 0).then(|| self.gate.timeout()).flatten();
        let timer = timer.map(|due| due - self.gate.now().mono + Duration::from_micros(1));
        if self.accepting {
            Some(timer.map_or(OUT_OF_DESCRIPTORS, |t| t.min(OUT_OF_DESCRIPTORS)))
        } else {
            timer
        }
    }

    fn time(&self) {
        let now = self.gate.now().mono;
        if self.gate.timeout().is_some_and(|due| due <= now) {
            self.enter(Server::handle_timeout);
        }
    }

    /// Lets `input` use the server, and carries out what can be done without waiting.
    fn enter(&self, input: impl FnOnce(&mut Server, Now)) {
        let ((), jobs) = self.gate.enter_from(Some(self.index), input);
        self.work(jobs);
    }

    fn work(&self, mut jobs: Vec<Job>) {
        while !jobs.is_empty() {
            let mut done = Vec::with_capacity(jobs.len());
            for job in jobs {
                match self.storage.try_now(job) {
                    Ok(completion) => done.push(completion),
                    Err(job) => self.gate.submit(job),
                }
            }
            if done.is_empty() {
                return;
            }
            jobs = self.storage.bring(&self.gate, Some(self.index), done);
        }
    }

    fn accept(&mut self) {
        if !self.accepting {
            return;
        }
        self.accepting = false;
        for listener in &self.listeners {
            for round in 0.. {
                if round == ACCEPTS_IN_A_ROW {
                    self.accepting = true;
                    break;
                }
                match listener.accept() {
                    Ok((stream, peer)) => self.gate.accept(stream, peer),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e)
                        if matches!(
                            e.kind(),
                            io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                        ) => {}
                    Err(error) => {
                        tracing::error!(%error, "cannot accept connections for the moment");
                        self.accepting = true;
                        break;
                    }
                }
            }
        }
    }

    /// Carries out what the server has decided.
    fn carry_out(&mut self) {
        for work in self.gate.inbox(self.index) {
            match work {
                Work::Adopt(conn, stream) => {
                    let token = self.next_token;
                    self.next_token += 1;
                    let registry = self.poll.registry();
                    let socket = Socket::new(stream, self.first_message).and_then(|mut socket| {
                        let interest = Interest::READABLE | Interest::WRITABLE;
                        registry.register(socket.stream(), Token(token), interest)?;
                        Ok(socket)
                    });
                    match socket {
                        Ok(socket) => {
                            self.sockets.insert(token, (conn, socket));
                            self.by_conn.insert(conn, token);
                            self.active.insert(token);
                        }
                        Err(error) => {
                            tracing::warn!(%conn, %error, "connection lost at once");
                            let jobs = self.gate.closed(self.index, conn);
                            self.work(jobs);
                        }
                    }
                }
                Work::Send(conn, answer) => {
                    if let Some(socket) = self.socket(conn) {
                        socket.queue(answer);
                    }
                }
                Work::Keys(conn, keys) => {
                    if let Some(socket) = self.socket(conn) {
                        socket.apply(keys);
                    }
                }
                Work::Close(conn) => {
                    if let Some(socket) = self.socket(conn) {
                        socket.close_when_sent();
                    }
                }
            }
        }
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        let token = self.by_conn.get(&conn)?;
        self.active.insert(*token);
        self.sockets.get_mut(token).map(|(_, socket)| socket)
    }

    /// Writes and reads on every socket that is ready for it.
    fn serve(&mut self) {
        for token in std::mem::take(&mut self.active) {
            let Some((conn, socket)) = self.sockets.get_mut(&token) else {
                continue;
            };
            let conn = *conn;
            let mut gone = socket.send().is_err();
            if !gone && socket.wants_read() {
                let received = socket.receive();
                gone = received.ended;
                gone |= self.hand_over(token, conn, received);
            }
            let finished = self
                .sockets
                .get(&token)
                .is_some_and(|(_, s)| s.is_finished());
            if gone || finished {
                self.drop_socket(token);
            }
        }
    }

    /// Gives what a socket has received to the server, and sends what comes of it; whether the
    /// connection is lost.
    fn hand_over(&mut self, token: usize, conn: ConnId, received: Received) -> bool {
        let mut messages = received.messages.into_iter();
        let mut fault = received.fault;
        while messages.len() > 0 || fault.is_some() {
            self.enter(|server, now| {
                for message in messages.by_ref().take(MESSAGES_AT_ONCE) {
                    server.handle_message(now, conn, message);
                }
                if messages.len() == 0
                    && let Some(fault) = fault.take()
                {
                    server.handle_fault(now, conn, fault);
                }
            });
            self.carry_out();
            let lost = |(_, socket): &mut (ConnId, Socket)| socket.send().is_err();
            if self.sockets.get_mut(&token).is_some_and(lost) {
                return true;
            }
        }
        false
    }

    fn drop_socket(&mut self, token: usize) {
        if let Some((conn, mut socket)) = self.sockets.remove(&token) {
            self.by_conn.remove(&conn);
            // The descriptor is closed right after, which deregisters it as well.
            let _ = self.poll.registry().deregister(socket.stream());
            drop(socket);
            let jobs = self.gate.closed(self.index, conn);
            self.work(jobs);
        }
    }
}
