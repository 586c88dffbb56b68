//! What passes between clients and server, and what becomes of connections.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use smb_engine::Peer;
use smb_engine::output::ConnId;

use super::super::Failure;
use super::super::actor::{Actor, Wish};
use super::super::dice::Dice;
use super::super::net::{Arrival, Pipe};
use super::super::plan::NetPlan;
use super::super::queue::Coming;
use super::{Machine, Wire};

impl Machine {
    /// Bytes have come to the server.
    pub(in crate::world) fn arrived_up(&mut self, number: usize) -> Result<(), Failure> {
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

    pub(in crate::world) fn take_in(
        &mut self,
        number: usize,
        arrival: Arrival,
    ) -> Result<(), Failure> {
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
    pub(in crate::world) fn check_held(&self, conn: ConnId) -> Result<(), Failure> {
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
    pub(in crate::world) fn arrived_down(&mut self, number: usize) -> Result<(), Failure> {
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
    pub(in crate::world) fn let_in(&mut self, number: usize) -> Result<(), Failure> {
        while self.wires[number].down.on_way() <= self.net.send_buffer
            && !self.wires[number].held_back.is_empty()
        {
            let arrival = self.wires[number].held_back.remove(0);
            self.take_in(number, arrival)?;
        }
        Ok(())
    }

    /// A connection breaks for both.
    pub(in crate::world) fn broken(&mut self, number: usize) -> Result<(), Failure> {
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
    pub(in crate::world) fn server_hears_end(&mut self, number: usize) -> Result<(), Failure> {
        if let Some(due) = self.wires[number].down.end(self.now.mono, &self.net) {
            self.queue.at(due, Coming::Down(number));
        }
        self.server_forgets(number)
    }

    pub(in crate::world) fn server_forgets(&mut self, number: usize) -> Result<(), Failure> {
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

    pub(in crate::world) fn actor_lost(&mut self, actor: usize) -> Result<(), Failure> {
        self.actors[actor].lost();
        // It notices after a while, and connects again if it wants to.
        let pause = Duration::from_micros(self.dice.between(100, 20_000));
        self.queue.at(self.now.mono + pause, Coming::Client(actor));
        Ok(())
    }

    /// Events of a client, what they lead to, and its bytes.
    pub(in crate::world) fn client_speaks(&mut self, number: usize) -> Result<(), Failure> {
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
    pub(in crate::world) fn turn(&mut self, number: usize) -> Result<(), Failure> {
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

    pub(in crate::world) fn stall(&mut self, number: usize, by: Duration) {
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
    pub(in crate::world) fn send_out(&mut self, number: usize) {
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
    pub(in crate::world) fn connect(&mut self, number: usize) -> Result<(), Failure> {
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
    pub(in crate::world) fn drop_connection(
        &mut self,
        number: usize,
        reset: bool,
    ) -> Result<(), Failure> {
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

    pub(in crate::world) fn healed(&self) -> bool {
        self.net == NetPlan::calm()
    }

    /// No faults any more from now on.
    pub(in crate::world) fn heal(&mut self) {
        self.net = NetPlan::calm();
        self.disk.heal();
        for number in 0..self.wires.len() {
            self.wires[number].up.heal();
            self.wires[number].down.heal();
            // What was held back by a slow reader has a chance to be looked at again.
            self.queue.at(self.now.mono, Coming::Down(number));
        }
    }
}
