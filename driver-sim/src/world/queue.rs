//! The one queue of everything that is going to happen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use smb_engine::time::Instant;

/// What is going to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Coming {
    /// The first segment on its way to the server has arrived.
    Up(usize),
    /// The first segment on its way to the client has arrived.
    Down(usize),
    /// The server hears that the connection was reset.
    Reset(usize),
    /// An operation of the disk, or a look-up, is done.
    Done(u64),
    /// It is a client's turn.
    Client(usize),
    /// It is the turn of the world around.
    World,
}

/// Coming events by (time, sequence): of two at the same time, the one entered first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, Coming)>>,
    sequence: u64,
}

impl Queue {
    pub(super) fn at(&mut self, time: Instant, what: Coming) {
        self.sequence += 1;
        self.heap.push(Reverse((time, self.sequence, what)));
    }

    pub(super) fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((time, ..))| *time)
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Coming)> {
        self.heap.pop().map(|Reverse((time, _, what))| (time, what))
    }
}
