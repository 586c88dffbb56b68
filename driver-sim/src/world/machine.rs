//! The world's machinery: carries bytes, questions and time between engine, clients and disk.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smb_engine::event::Event;
use smb_engine::identity::Account;
use smb_engine::output::{CloseReason, Completion, ConnId, Query, Token};
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::{VfsRequest, VfsResult};
use smb_engine::{Action, Engine, Peer};
use smb_proto::FileTime;

use super::actor::{Actor, Wish};
use super::dice::Dice;
use super::disk::Disk;
use super::eye::Eye;
use super::net::{Arrival, Pipe};
use super::plan::{NetPlan, Plan};
use super::queue::{Coming, Queue};
use super::server;
use super::stats::Stats;
use super::step::{Do, Step, Who};
use super::story::Story;
use super::tape::Tape;
use super::{Failure, Options, Outcome};
use crate::check::{self, Outside, Panel, Seen};
use crate::pair::BEGIN;

/// A connection between a client and the server.
struct Wire {
    actor: usize,
    /// The server's name for it; `None` once it has gone there.
    conn: Option<ConnId>,
    /// The client still has it.
    alive: bool,
    up: Pipe,
    down: Pipe,
    /// What has arrived and is not taken in, since the client does not read what it is sent.
    held_back: Vec<Arrival>,
    /// The server has asked for it to be closed.
    closing: bool,
}

/// A question of the server that has no answer yet.
enum Question {
    /// To be carried out when its time has come.
    File(VfsRequest),
    /// Carried out already.
    Answered(Token, VfsResult),
    Lookup(Token, Query),
}

/// A hash that is the same everywhere: FNV-1a over 8 bytes at a time.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let step = |h: u64, w: u64| {
            let h = (h ^ w).wrapping_mul(0x0000_0100_0000_01b3);
            // Lets high bits reach low ones, since whole words go in.
            h ^ (h >> 29)
        };
        for word in words {
            self.0 = step(self.0, u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.0 = step(self.0, u64::from(*byte));
        }
        self.0 = step(self.0, bytes.len() as u64);
    }
}

/// See the module's documentation.
pub(super) struct Machine {
    pub(super) plan: Plan,
    net: NetPlan,
    pub(super) now: Now,
    pub(super) queue: Queue,
    pub(super) engine: Engine,
    pub(super) disk: Disk,
    pub(super) actors: Vec<Actor>,
    wires: Vec<Wire>,
    by_conn: BTreeMap<ConnId, usize>,
    questions: BTreeMap<u64, Question>,
    next_question: u64,
    accounts: BTreeMap<String, Account>,
    pub(super) outside: std::collections::VecDeque<Step>,
    /// How often the server was started.
    starts: u64,
    pub(super) dice: Dice,
    hash: Fnv,
    pub(super) panel: Panel,
    pub(super) eye: Eye,
    tape: Option<Tape>,
}

impl Machine {
    pub(super) fn new(plan: &Plan, options: &Options) -> Self {
        let fs = Arc::new(server::file_system());
        let panel = Panel::new(check::all_for(plan.server.max_credits));
        let eye = Eye::new(panel.clone(), Story::new(options.trace));
        for (path, content) in server::PRESENT {
            panel.tell(BEGIN, &Seen::Outside(Outside::Present { path, content }));
        }
        let mut engine = server::engine(plan, &fs, 0);
        engine.observe(Box::new(eye.clone()));
        let outside = plan.steps.iter().filter(|s| s.who == Who::World);
        Self {
            net: plan.net.clone(),
            now: BEGIN,
            queue: Queue::default(),
            engine,
            disk: Disk::new(fs, plan.disk.clone(), Dice::new(plan.seed, 1)),
            actors: (0..plan.clients.len())
                .map(|n| Actor::new(n, plan))
                .collect(),
            wires: Vec::new(),
            by_conn: BTreeMap::new(),
            questions: BTreeMap::new(),
            next_question: 0,
            accounts: server::accounts(),
            outside: outside.cloned().collect(),
            starts: 0,
            dice: Dice::new(plan.seed, 2),
            hash: Fnv(0xcbf2_9ce4_8422_2325),
            panel,
            eye,
            tape: options.capture.then(Tape::default),
            plan: plan.clone(),
        }
    }

    pub(super) fn outcome(self, failure: Option<Failure>) -> Outcome {
        let (mut stats, mut story) = self
            .eye
            .with(|s| (std::mem::take(&mut s.stats), s.story.take()));
        stats.worlds = 1;
        stats.simulated_us =
            u64::try_from((self.now.mono - BEGIN.mono).as_micros()).unwrap_or(u64::MAX);
        stats.operations = self.eye.with(|s| s.ledger.answered);
        for (kind, n) in &self.disk.injected {
            *stats.faults.entry(kind).or_default() += n;
        }
        let stalls: u64 = self.wires.iter().map(|w| w.up.stalls + w.down.stalls).sum();
        if stalls > 0 {
            *stats.faults.entry("stall").or_default() += stalls;
        }
        for (name, judged, given_up) in self.panel.tally() {
            stats.judged.insert(name, (judged, given_up));
        }
        if let Some(failure) = &failure {
            story.push(format!("FAILED {failure}"));
        }
        Outcome {
            failure,
            hash: self.hash.finish(),
            stats,
            story,
            tape: self.tape,
        }
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        self.eye.with(|s| s.story.tell(self.now, what));
    }

    pub(super) fn fault(&self, kind: &'static str) {
        self.eye.with(|s| s.stats.fault(kind));
    }

    pub(super) fn stats<T>(&self, act: impl FnOnce(&mut Stats) -> T) -> T {
        self.eye.with(|s| act(&mut s.stats))
    }

    fn set_time(&mut self, mono: Instant) {
        let passed = mono - self.now.mono;
        let ticks = u64::try_from(passed.as_nanos() / 100).unwrap_or(u64::MAX);
        self.now.mono = mono.max(self.now.mono);
        self.now.wall = FileTime(self.now.wall.0.saturating_add(ticks));
        self.disk.fs.set_now(self.now.wall);
    }

    /// Sets the wall clock.
    pub(super) fn jump(&mut self, seconds: i64) {
        let ticks = seconds.saturating_mul(10_000_000);
        self.now.wall = FileTime(self.now.wall.0.saturating_add_signed(ticks));
        self.disk.fs.set_now(self.now.wall);
        self.fault("clock set");
    }

    /// Lets the next thing happen, if it happens until `limit`; says whether there was one.
    pub(super) fn step(&mut self, limit: Instant) -> Result<bool, Failure> {
        let timer = self.engine.poll_timeout();
        let next = self.queue.next_time();
        let time = match (timer, next) {
            (None, None) => return Ok(false),
            (Some(t), None) => t,
            (None, Some(n)) => n,
            (Some(t), Some(n)) => t.min(n),
        };
        if time > limit {
            return Ok(false);
        }
        self.set_time(time.max(self.now.mono));
        if next.is_none_or(|n| n > time) {
            self.input(|engine, now| engine.timeout(now))?;
            return Ok(true);
        }
        let Some((_, what)) = self.queue.pop() else {
            return Ok(false);
        };
        match what {
            Coming::Up(wire) => self.arrived_up(wire)?,
            Coming::Down(wire) => self.arrived_down(wire)?,
            Coming::Reset(wire) => self.server_hears_end(wire)?,
            Coming::Done(question) => self.answer(question)?,
            Coming::Client(actor) => self.turn(actor)?,
            Coming::World => self.world_turn()?,
        }
        Ok(true)
    }

    /// Gives the engine an input, and does what it wants then.
    pub(super) fn input(&mut self, give: impl FnOnce(&mut Engine, Now)) -> Result<(), Failure> {
        give(&mut self.engine, self.now);
        self.settle()
    }

    fn settle(&mut self) -> Result<(), Failure> {
        loop {
            self.check()?;
            let Some(action) = self.engine.poll() else {
                return Ok(());
            };
            self.act(action)?;
        }
    }

    fn check(&self) -> Result<(), Failure> {
        self.engine
            .check_invariants()
            .map_err(|what| Failure::new("invariant", what))?;
        let counts = self.engine.counts();
        let now = self.now;
        let found = self.eye.with(|s| {
            s.stats.inputs += 1;
            s.stats.state(counts);
            s.story.count(now, counts);
            s.found.take()
        });
        let found = found.map_or_else(|| self.panel.verdict(), Err);
        found.map_err(|v| Failure::new(v.checker, v.what))
    }

    fn act(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Transmit(conn, segments) => {
                self.hash.write_u64(conn.to_u64());
                self.hash.write_u64(self.now.mono.0);
                for segment in segments.0 {
                    self.hash.write(&segment);
                    self.transmit(conn, segment.freeze());
                }
            }
            Action::Vfs(request) => {
                let question = if self.disk.at_once() {
                    let result = self.disk.carry_out(self.now, &request, &self.panel);
                    Question::Answered(request.token, result)
                } else {
                    Question::File(request)
                };
                self.ask(question);
            }
            Action::Lookup(token, query) => self.ask(Question::Lookup(token, query)),
            Action::Close(conn, reason) => self.close(conn, &reason)?,
            Action::Event(event) => self.tell_event(&event),
        }
        Ok(())
    }

    fn transmit(&mut self, conn: ConnId, bytes: Bytes) {
        self.stats(|s| s.bytes_sent += bytes.len() as u64);
        let Some(number) = self.by_conn.get(&conn).copied() else {
            return;
        };
        let wire = &mut self.wires[number];
        if !wire.alive {
            return;
        }
        if let Some(tape) = &mut self.tape {
            tape.data(self.now, number, wire.actor, true, &bytes);
        }
        for due in wire.down.send(self.now.mono, &self.net, bytes) {
            self.queue.at(due, Coming::Down(number));
        }
    }

    fn ask(&mut self, question: Question) {
        let number = self.next_question;
        self.next_question += 1;
        self.questions.insert(number, question);
        let due = self.now.mono + self.disk.delay();
        self.queue.at(due, Coming::Done(number));
    }

    fn answer(&mut self, number: u64) -> Result<(), Failure> {
        // Of a server that was started since, nothing is left to answer.
        let Some(question) = self.questions.remove(&number) else {
            return Ok(());
        };
        let (token, completion) = match question {
            Question::File(request) => {
                let result = self.disk.carry_out(self.now, &request, &self.panel);
                (request.token, Completion::Vfs(result))
            }
            Question::Answered(token, result) => (token, Completion::Vfs(result)),
            Question::Lookup(token, query) => (token, server::look_up(&self.accounts, &query)),
        };
        self.input(|engine, now| engine.complete(now, token, completion))
    }

    fn close(&mut self, conn: ConnId, reason: &CloseReason) -> Result<(), Failure> {
        self.hash.write_u64(!conn.to_u64());
        let text = format!("{reason:?}");
        let kind = text.split(['(', '{', ' ']).next().unwrap_or("").to_owned();
        let kind = match reason {
            CloseReason::Fault(fault) => {
                let fault = format!("{fault:?}");
                fault.split(['(', '{', ' ']).next().unwrap_or("").to_owned()
            }
            _ => kind,
        };
        let now = self.now;
        self.eye.with(|s| {
            *s.stats.closed.entry(kind).or_default() += 1;
            s.ledger.closing(conn);
            s.story.tell(now, || {
                format!("{conn} is closed by the server: {reason:?}")
            });
        });
        let Some(number) = self.by_conn.get(&conn).copied() else {
            return Ok(());
        };
        self.wires[number].closing = true;
        // The client gets what was sent before, then the end.
        let wire = &mut self.wires[number];
        if let Some(due) = wire.down.end(self.now.mono, &self.net) {
            self.queue.at(due, Coming::Down(number));
        }
        if self.dice.chance(1, 2) {
            self.server_forgets(number)?;
        } else {
            // The driver gets round to it when everything is sent.
            let due = self.wires[number].down.last_due();
            self.queue.at(due, Coming::Reset(number));
        }
        Ok(())
    }

    fn tell_event(&self, event: &Event) {
        if !matches!(event, Event::Answered { .. } | Event::Closing { .. }) {
            self.tell(|| format!("      event: {event:?}"));
        }
    }

    /// Bytes have come to the server.
    fn arrived_up(&mut self, number: usize) -> Result<(), Failure> {
        loop {
            let wire = &mut self.wires[number];
            let Some(arrival) = wire.up.arrive(self.now.mono) else {
                return Ok(());
            };
            if let (Some(tape), Some(_)) = (&mut self.tape, wire.conn) {
                match &arrival {
                    Arrival::Bytes(b) => tape.data(self.now, number, wire.actor, false, b),
                    Arrival::End => tape.ended(self.now, number, wire.actor, false),
                    Arrival::Break => tape.reset(self.now, number, wire.actor),
                }
            }
            if wire.down.on_way() > self.net.send_buffer && arrival != Arrival::Break {
                wire.held_back.push(arrival);
                continue;
            }
            self.take_in(number, arrival)?;
        }
    }

    fn take_in(&mut self, number: usize, arrival: Arrival) -> Result<(), Failure> {
        let wire = &self.wires[number];
        let Some(conn) = wire.conn else {
            return Ok(());
        };
        match arrival {
            Arrival::Bytes(_) if wire.closing => Ok(()),
            Arrival::Bytes(bytes) => {
                self.input(|engine, now| engine.receive(now, conn, &bytes))?;
                self.check_held(conn)?;
                Ok(())
            }
            // As the driver does, which answers nobody that has ended its direction.
            Arrival::End => self.server_hears_end(number),
            Arrival::Break => {
                self.fault("reset");
                self.tell(|| format!("connection {conn} breaks on the way to the server"));
                self.broken(number)
            }
        }
    }

    /// What the server holds for a connection: of messages, one that is not complete, and for each
    /// credit 64 KiB of a request ([MS-SMB2] 3.3.5.2.5) with its headers; with each open, what its
    /// watch or its pipe may keep.
    fn check_held(&self, conn: ConnId) -> Result<(), Failure> {
        let held = self.engine.held(Some(conn));
        self.stats(|s| s.most_held = s.most_held.max(held.total()));
        let p = &self.plan.server;
        let transact = usize::try_from(p.max_transact).unwrap_or(usize::MAX);
        let message = transact.saturating_add(128 << 10);
        let requests = usize::from(p.max_credits) * ((64 << 10) + 1024);
        let each = transact + smb_engine::pipe::MAX_PENDING;
        let kept = self.engine.counts().opens * each;
        if held.unparsed > message || held.requests > requests || held.kept > kept {
            let what = format!(
                "for one connection is held {held:?}; allowed are {message}, {requests}, {kept}"
            );
            return Err(Failure::new("memory", what));
        }
        Ok(())
    }

    /// Bytes have come to the client.
    fn arrived_down(&mut self, number: usize) -> Result<(), Failure> {
        let now = self.now;
        let wire = &mut self.wires[number];
        let Some(arrival) = wire.down.arrive(now.mono) else {
            return Ok(());
        };
        let again = wire.down.next_due().filter(|due| *due <= now.mono);
        if let Some(due) = again {
            self.queue.at(due, Coming::Down(number));
        }
        let actor = wire.actor;
        if !wire.alive {
            return Ok(());
        }
        match arrival {
            Arrival::Bytes(bytes) => {
                if let Some(client) = &mut self.actors[actor].client {
                    client.receive(&bytes);
                }
                self.client_speaks(actor)?;
                self.let_in(number)
            }
            Arrival::End => {
                self.wires[number].alive = false;
                self.wires[number].up.clear();
                self.tell(|| format!("client {actor}: the server has ended the connection"));
                self.actor_lost(actor)
            }
            Arrival::Break => {
                self.fault("reset");
                self.tell(|| format!("connection of client {actor} breaks on the way to it"));
                self.broken(number)
            }
        }
    }

    /// What was held back is taken in once the client has read enough.
    fn let_in(&mut self, number: usize) -> Result<(), Failure> {
        while self.wires[number].down.on_way() <= self.net.send_buffer
            && !self.wires[number].held_back.is_empty()
        {
            let arrival = self.wires[number].held_back.remove(0);
            self.take_in(number, arrival)?;
        }
        Ok(())
    }

    /// A connection breaks for both.
    fn broken(&mut self, number: usize) -> Result<(), Failure> {
        let actor = self.wires[number].actor;
        let alive = std::mem::replace(&mut self.wires[number].alive, false);
        self.wires[number].up.clear();
        self.wires[number].down.clear();
        self.server_forgets(number)?;
        if alive {
            self.actor_lost(actor)?;
        }
        Ok(())
    }

    /// The server's side of a connection ends: by a reset, by the client's end, or since it was to be
    /// closed.
    fn server_hears_end(&mut self, number: usize) -> Result<(), Failure> {
        if let Some(due) = self.wires[number].down.end(self.now.mono, &self.net) {
            self.queue.at(due, Coming::Down(number));
        }
        self.server_forgets(number)
    }

    fn server_forgets(&mut self, number: usize) -> Result<(), Failure> {
        let Some(conn) = self.wires[number].conn.take() else {
            return Ok(());
        };
        if let Some(tape) = &mut self.tape {
            tape.ended(self.now, number, self.wires[number].actor, true);
        }
        self.wires[number].held_back.clear();
        self.by_conn.remove(&conn);
        self.input(|engine, now| engine.closed(now, conn))
    }

    fn actor_lost(&mut self, actor: usize) -> Result<(), Failure> {
        self.actors[actor].lost();
        // It notices after a while, and connects again if it wants to.
        let pause = Duration::from_micros(self.dice.between(100, 20_000));
        self.queue.at(self.now.mono + pause, Coming::Client(actor));
        Ok(())
    }

    /// Events of a client, what they lead to, and its bytes.
    fn client_speaks(&mut self, number: usize) -> Result<(), Failure> {
        if let Err(fault) = self.actors[number].take_events() {
            if !self.actors[number].lenient {
                let what = format!("client {number}: {fault}");
                return Err(Failure::new("client", what));
            }
            self.tell(|| format!("client {number} gives up: {fault}"));
            return self.drop_connection(number, true);
        }
        if let Some(tape) = &mut self.tape {
            for (session, key) in self.actors[number].new_keys.drain(..) {
                tape.key(session, key);
            }
        }
        self.turn(number)
    }

    /// A client takes steps as long as it can.
    pub(super) fn turn(&mut self, number: usize) -> Result<(), Failure> {
        loop {
            let wish = self.actors[number].advance(self.now.mono);
            self.send_out(number);
            match wish {
                None => return Ok(()),
                Some(Wish::Wake(at)) => {
                    self.queue.at(at, Coming::Client(number));
                    return Ok(());
                }
                Some(Wish::Reconnect { reset }) => {
                    if self.actors[number].is_connected() {
                        self.drop_connection(number, reset)?;
                    }
                    self.connect(number)?;
                }
                Some(Wish::HalfClose) => {
                    if let Some(wire) = self.actors[number].wire
                        && let Some(due) = self.wires[wire].up.end(self.now.mono, &self.net)
                    {
                        self.fault("half-close");
                        self.queue.at(due, Coming::Up(wire));
                    }
                }
                Some(Wish::Stall(by)) => self.stall(number, by),
                Some(Wish::Export(from)) => {
                    let exported = self.actors.get(usize::from(from)).and_then(Actor::export);
                    self.actors[number].bind(exported);
                }
            }
        }
    }

    fn stall(&mut self, number: usize, by: Duration) {
        let Some(wire) = self.actors[number].wire else {
            return;
        };
        let until = self.now.mono + by;
        self.wires[wire].up.stall(until);
        self.wires[wire].down.stall(until);
        self.queue.at(until, Coming::Up(wire));
        self.queue.at(until, Coming::Down(wire));
    }

    /// Puts on its way what a client has to send.
    pub(super) fn send_out(&mut self, number: usize) {
        let actor = &mut self.actors[number];
        let (Some(client), Some(wire)) = (&mut actor.client, actor.wire) else {
            return;
        };
        while let Some(bytes) = client.poll_transmit() {
            for due in self.wires[wire].up.send(self.now.mono, &self.net, bytes) {
                self.queue.at(due, Coming::Up(wire));
            }
        }
    }

    /// A client makes a connection.
    pub(super) fn connect(&mut self, number: usize) -> Result<(), Failure> {
        let wire = self.wires.len();
        let peer = Peer {
            address: IpAddr::V4(Ipv4Addr::new(
                10,
                0,
                0,
                u8::try_from(number + 2).unwrap_or(1),
            )),
            port: u16::try_from(40_000 + wire).unwrap_or(0),
        };
        let conn = self.engine.accept(self.now, peer);
        let Ok(conn) = conn else {
            self.actors[number].give_up();
            return Ok(());
        };
        let plan = &self.plan.clients[number];
        let part = 10_000 + 2 * wire as u64;
        let breaks = if self.healed() {
            (0, 0)
        } else {
            (plan.reset_after, plan.reset_after_received)
        };
        let rate = if self.healed() { 0 } else { plan.reads_per_ms };
        self.wires.push(Wire {
            actor: number,
            conn: Some(conn),
            alive: true,
            up: Pipe::new(Dice::new(self.plan.seed, part), breaks.0, 0),
            down: Pipe::new(Dice::new(self.plan.seed, part + 1), breaks.1, rate),
            held_back: Vec::new(),
            closing: false,
        });
        self.by_conn.insert(conn, wire);
        if let Some(tape) = &mut self.tape {
            tape.opened(self.now, wire, number);
        }
        self.tell(|| format!("client {number} connects: {conn}"));
        self.settle()?;
        self.actors[number].connected(wire, self.now.wall, self.plan.stub_crypto);
        self.send_out(number);
        Ok(())
    }

    /// A client drops its connection; `reset`: at once, else the server hears of it behind what was
    /// sent.
    pub(super) fn drop_connection(&mut self, number: usize, reset: bool) -> Result<(), Failure> {
        let Some(wire) = self.actors[number].wire else {
            return Ok(());
        };
        self.actors[number].lost();
        self.wires[wire].alive = false;
        self.wires[wire].down.clear();
        self.tell(|| format!("client {number} drops its connection"));
        if reset {
            self.fault("reset");
            self.wires[wire].up.clear();
            let (low, high) = self.net.latency_us;
            let due = self.now.mono + Duration::from_micros(self.dice.between(low, high));
            self.queue.at(due, Coming::Reset(wire));
        } else if let Some(due) = self.wires[wire].up.end(self.now.mono, &self.net) {
            self.queue.at(due, Coming::Up(wire));
        }
        Ok(())
    }

    fn healed(&self) -> bool {
        self.net == NetPlan::calm()
    }

    /// No faults any more from now on.
    pub(super) fn heal(&mut self) {
        self.net = NetPlan::calm();
        self.disk.heal();
        for number in 0..self.wires.len() {
            self.wires[number].up.heal();
            self.wires[number].down.heal();
            // What was held back by a slow reader has a chance to be looked at again.
            self.queue.at(self.now.mono, Coming::Down(number));
        }
    }

    /// The next thing that the world around does.
    fn world_turn(&mut self) -> Result<(), Failure> {
        let Some(step) = self.outside.pop_front() else {
            return Ok(());
        };
        if let Some(next) = self.outside.front() {
            let due = self.now.mono + Duration::from_micros(next.after_us);
            self.queue.at(due, Coming::World);
        }
        self.tell(|| format!("world: {:?}", step.what));
        match &step.what {
            Do::Outside(edit) => {
                self.fault("edit from outside");
                if let Err(error) = self.disk.edit(self.now, edit, &self.panel) {
                    self.tell(|| format!("      which cannot be done: {error}"));
                }
            }
            Do::Capacity { units } => self.disk.fs.set_capacity(*units),
            Do::DiskDown { ms } => {
                let until = self.now.mono + Duration::from_millis(*ms);
                self.disk.down(until);
            }
            Do::ClockJump { seconds } => self.jump(*seconds),
            Do::Crash => self.crash()?,
            _ => {}
        }
        Ok(())
    }

    /// The machine loses its power, and starts again.
    fn crash(&mut self) -> Result<(), Failure> {
        for wire in &mut self.wires {
            if let Some(conn) = wire.conn.take() {
                self.panel.tell(self.now, &Seen::Disconnected { conn });
            }
            wire.alive = false;
            wire.up.clear();
            wire.down.clear();
            wire.held_back.clear();
        }
        self.by_conn.clear();
        self.questions.clear();
        self.eye.with(|s| s.ledger.clear());
        self.disk.crash(self.now, &self.panel);
        self.starts += 1;
        self.engine = server::engine(&self.plan, &self.disk.fs, self.starts);
        self.engine.observe(Box::new(self.eye.clone()));
        for actor in 0..self.actors.len() {
            if self.actors[actor].is_connected() {
                self.actor_lost(actor)?;
            }
        }
        Ok(())
    }

    /// Questions without answer.
    pub(super) fn questions(&self) -> usize {
        self.questions.len()
    }
}
