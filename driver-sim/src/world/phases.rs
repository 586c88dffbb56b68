//! The course of a world: the script with its faults, calm, farewell, and what is left.

use std::time::Duration;

use smb_engine::Counts;
use smb_engine::time::Instant;

use super::machine::Machine;
use super::plan::PeerKind;
use super::queue::Coming;
use super::{Failure, PATIENCE};

/// The longest a script may take, in virtual time.
const LONGEST: Duration = Duration::from_secs(600);
/// How long all timers together may take to run out.
const TIMERS: Duration = Duration::from_secs(24 * 3600);

impl Machine {
    pub(super) fn run(&mut self) -> Result<(), Failure> {
        self.script()?;
        self.calm()?;
        self.farewell()?;
        self.nothing_is_left()
    }

    fn until(
        &mut self,
        limit: Instant,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Failure> {
        while !done(self) && self.step(limit)? {}
        Ok(())
    }

    /// Everybody connects and follows the script.
    fn script(&mut self) -> Result<(), Failure> {
        for actor in 0..self.actors.len() {
            let after = Duration::from_micros(self.dice.below(3000));
            self.queue.at(self.now.mono + after, Coming::Client(actor));
            // A first connection is made whatever the script says.
        }
        if let Some(first) = self.outside.front() {
            let due = self.now.mono + Duration::from_micros(first.after_us);
            self.queue.at(due, Coming::World);
        }
        for actor in 0..self.actors.len() {
            self.connect(actor)?;
        }
        let limit = self.now.mono + LONGEST;
        self.until(limit, |m| {
            m.outside.is_empty() && m.actors.iter().all(super::actor::Actor::is_done)
        })
    }

    /// The faults stop: everything that can be answered has to be.
    fn calm(&mut self) -> Result<(), Failure> {
        self.tell(|| "no more faults".to_owned());
        self.outside.clear();
        for actor in &mut self.actors {
            actor.give_up();
        }
        self.heal();
        let limit = self.now.mono + PATIENCE;
        self.until(limit, Self::is_quiet)?;
        self.all_answered(false, "after the faults had stopped")?;
        if self.dice.chance(3, 4) {
            self.tell(|| "everything that waits is cancelled".to_owned());
            for actor in 0..self.actors.len() {
                self.actors[actor].cancel_all();
                self.send_out(actor);
            }
            let limit = self.now.mono + PATIENCE;
            self.until(limit, Self::is_silent)?;
            self.all_answered(true, "after everything was cancelled")?;
        }
        Ok(())
    }

    /// Nothing is under way but what waits for other clients.
    fn is_quiet(&self) -> bool {
        self.questions() == 0
            && self.queue.next_time().is_none()
            && self.eye.with(|s| s.ledger.outstanding(false).is_empty())
    }

    fn is_silent(&self) -> bool {
        self.questions() == 0
            && self.queue.next_time().is_none()
            && self.eye.with(|s| s.ledger.outstanding(true).is_empty())
    }

    fn all_answered(&self, waiting: bool, when: &str) -> Result<(), Failure> {
        let open = self.eye.with(|s| s.ledger.outstanding(waiting));
        if open.is_empty() {
            return Ok(());
        }
        let actors: Vec<String> = self
            .actors
            .iter()
            .map(super::actor::Actor::describe)
            .collect();
        let what = format!(
            "not answered {when}: {} ({})",
            open.join(", "),
            actors.join("; ")
        );
        Err(Failure::new("progress", what))
    }

    /// All leave, each in its own way; those who never logged on have to be sent away.
    fn farewell(&mut self) -> Result<(), Failure> {
        for actor in 0..self.actors.len() {
            let kind = self.actors[actor].plan.kind;
            if !self.actors[actor].is_connected() || kind != PeerKind::Normal {
                continue;
            }
            match self.dice.below(3) {
                0 => self.drop_connection(actor, true)?,
                1 => self.drop_connection(actor, false)?,
                _ => {
                    self.actors[actor].log_off();
                    self.send_out(actor);
                }
            }
        }
        let limit = self.now.mono + PATIENCE;
        self.until(limit, |m| m.is_silent())?;
        // Who has spent all credits on requests that wait cannot even say goodbye: only CANCEL is free.
        let stuck = self
            .actors
            .iter()
            .any(super::actor::Actor::is_out_of_credits);
        self.all_answered(!stuck, "when all took their leave")?;
        for actor in 0..self.actors.len() {
            if self.actors[actor].plan.kind == PeerKind::Normal {
                self.drop_connection(actor, true)?;
            }
        }
        let limit = self.now.mono + TIMERS;
        self.until(limit, |_| false)
    }

    fn nothing_is_left(&self) -> Result<(), Failure> {
        for (n, actor) in self.actors.iter().enumerate() {
            if actor.is_connected() {
                let what = format!("client {n} never logged on and is still connected");
                return Err(Failure::new("progress", what));
            }
        }
        let counts = self.engine.counts();
        if counts != Counts::default() {
            return Err(Failure::new("left over", format!("{counts:?}")));
        }
        let handles = self.disk.fs.open_handles();
        if handles != 0 {
            let what = format!("{handles} handles of the disk are still open");
            return Err(Failure::new("left over", what));
        }
        let held = self.engine.held(None).total();
        if held != 0 {
            return Err(Failure::new("left over", format!("{held} bytes")));
        }
        self.panel
            .finish()
            .map_err(|v| Failure::new(v.checker, v.what))
    }
}
