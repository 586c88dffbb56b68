//! A world: the engine, clients, a network and a disk, in which everything is a function of a seed.
//!
//! There is one queue of events, ordered by time and, within the same microsecond, by the order in
//! which they were entered. Time jumps from event to event; a wall clock runs beside the monotonic
//! one and may be set. A seed gives a [`plan::Plan`] ([`swarm::plan`]): which features and faults
//! there are at all, and a script of steps for each client and for the world around. Running a plan
//! twice gives the same bytes ([`Outcome::hash`]).
//!
//! ```
//! use driver_sim::world::{self, Options};
//!
//! let plan = world::swarm::plan(7, false);
//! let outcome = world::run(&plan, &Options::default());
//! assert_eq!(outcome.failure, None);
//! assert_eq!(world::run(&plan, &Options::default()).hash, outcome.hash);
//! ```
//!
//! What is checked:
//!
//! * the engine's own tables after every input,
//! * that every request is answered exactly once, unless its connection has gone,
//! * what the checkers of [`crate::check`] know: contents, names, share modes, locks, credits,
//! * that clients can open and verify what they get,
//! * once the faults have stopped: that everything is answered within [`PATIENCE`] of virtual time, but
//!   what waits for other clients, and that once it is cancelled,
//! * that what the server holds for one connection stays within what its credits allow,
//! * in the end, when all have gone and all timers have run out: that nothing is left, no object, no
//!   handle of the disk, no byte.

mod actor;
mod describe;
mod dice;
mod disk;
mod eye;
mod ledger;
mod machine;
mod net;
mod phases;
pub mod plan;
mod queue;
mod raw;
mod request;
pub mod scenario;
pub mod server;
pub mod shrink;
mod stats;
pub mod step;
mod story;
pub mod swarm;
mod tape;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use smb_engine::Engine;
use thiserror::Error;

pub use stats::Stats;
pub use tape::{Tape, TapeError};

use machine::Machine;
use plan::Plan;

/// Virtual time within which everything has to be answered once there are no faults any more.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What to do beside running.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Write down the conversation.
    pub trace: bool,
    /// Write down the packets.
    pub capture: bool,
}

/// What is wrong with a world.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: {what}")]
pub struct Failure {
    /// Which check failed.
    pub kind: String,
    /// What it says.
    pub what: String,
}

impl Failure {
    fn new(kind: &str, what: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            what: what.into(),
        }
    }
}

/// What became of a world.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first thing that was wrong.
    pub failure: Option<Failure>,
    /// A hash over all that the server sent, with times and connections.
    pub hash: u64,
    /// What was covered.
    pub stats: Stats,
    /// The conversation in words, if it was asked for.
    pub story: Vec<String>,
    /// The packets, if they were asked for.
    pub tape: Option<Tape>,
}

/// Runs a world to its end.
#[must_use]
pub fn run(plan: &Plan, options: &Options) -> Outcome {
    finish(Machine::new(plan, options, None))
}

/// As [`run`], with engines that this changes when they start, so that something about them is wrong on
/// purpose: what they say about their own state is not asked for.
#[must_use]
pub fn run_spoiled(plan: &Plan, spoil: impl Fn(&mut Engine) + 'static) -> Outcome {
    let options = Options::default();
    finish(Machine::new(plan, &options, Some(Box::new(spoil))))
}

fn finish(mut machine: Machine) -> Outcome {
    // A panic of the engine is a finding like any other, and there is a story to tell about it.
    let result = catch_unwind(AssertUnwindSafe(|| machine.run()));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(panic) => Some(Failure::new("panic", panic_text(&*panic))),
    };
    machine.outcome(failure)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}
