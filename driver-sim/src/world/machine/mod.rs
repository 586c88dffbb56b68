//! The world's machinery: carries bytes, questions and time between engine, clients and disk.

mod wires;

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smb_engine::config::BackendId;
use smb_engine::event::Event;
use smb_engine::identity::Account;
use smb_engine::output::{CloseReason, Completion, ConnId, Query, Token};
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::{VfsRequest, VfsResult};
use smb_engine::{Action, Engine};
use smb_proto::FileTime;

use super::actor::Actor;
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

/// Makes an engine wrong on purpose.
pub(super) type Spoil = Box<dyn Fn(&mut Engine)>;

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
    /// What is done to every engine.
    spoil: Option<Spoil>,
    /// How often the server was started.
    starts: u64,
    /// What servers have had kept for those that take their place.
    kept: BTreeMap<u64, Bytes>,
    pub(super) dice: Dice,
    hash: Fnv,
    pub(super) panel: Panel,
    pub(super) eye: Eye,
    tape: Option<Tape>,
}

impl Machine {
    pub(super) fn new(plan: &Plan, options: &Options, spoil: Option<Spoil>) -> Self {
        let fs = Arc::new(server::file_system());
        let panel = Panel::new(check::all_for(&server::limits(&plan.server)));
        let eye = Eye::new(panel.clone(), Story::new(options.trace));
        for (path, content) in server::PRESENT {
            panel.tell(BEGIN, &Seen::Outside(Outside::Present { path, content }));
        }
        let mut engine = server::engine(plan, &fs, 0);
        engine.observe(Box::new(eye.clone()));
        if let Some(spoil) = &spoil {
            spoil(&mut engine);
        }
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
            spoil,
            starts: 0,
            kept: BTreeMap::new(),
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
        if self.spoil.is_none() {
            self.engine
                .check_invariants()
                .map_err(|what| Failure::new("invariant", what))?;
        }
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
                    self.give_outside();
                    Question::Answered(request.token, result)
                } else {
                    Question::File(request)
                };
                self.ask(question);
            }
            Action::Lookup(token, query) => self.ask(Question::Lookup(token, query)),
            Action::Close(conn, reason) => self.close(conn, &reason)?,
            Action::Store(news) => crate::pair::keep(&mut self.kept, news),
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
                self.give_outside();
                (request.token, Completion::Vfs(result))
            }
            Question::Answered(token, result) => (token, Completion::Vfs(result)),
            Question::Lookup(token, query) => (token, server::look_up(&self.accounts, &query)),
        };
        self.input(|engine, now| engine.complete(now, token, completion))
    }

    /// Tells the engine what the disk tells of watched directories, its own operations included.
    fn give_outside(&mut self) {
        for what in self.disk.fs.take_outside() {
            self.tell(|| format!("      the disk tells: {what:?}"));
            self.engine.outside(self.now, BackendId(0), what);
        }
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
                self.give_outside();
                self.settle()?;
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
        self.disk.crash(self.now, &self.panel);
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
        self.starts += 1;
        self.engine = server::engine(&self.plan, &self.disk.fs, self.starts);
        self.engine.observe(Box::new(self.eye.clone()));
        if let Some(spoil) = &self.spoil {
            spoil(&mut self.engine);
        }
        let kept = self.kept.iter().map(|(id, r)| (*id, r.clone())).collect();
        self.engine.restore(self.now, kept);
        self.settle()?;
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
