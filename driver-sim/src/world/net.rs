//! Connections: bytes in two directions, cut, delayed, held back and lost as the plan has it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use smb_engine::time::Instant;

use super::dice::Dice;
use super::plan::NetPlan;

/// Something on its way.
#[derive(Debug)]
struct Segment {
    due: Instant,
    what: Arrival,
}

/// What arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Bytes.
    Bytes(Bytes),
    /// The sender has ended its direction.
    End,
    /// The connection breaks here.
    Break,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    segments: VecDeque<Segment>,
    /// When the last one is due: nothing overtakes.
    last: Instant,
    /// Bytes on their way.
    on_way: usize,
    /// Bytes that may still arrive before the connection breaks.
    left: Option<u64>,
    /// Bytes in a millisecond; 0: any number.
    rate: u64,
    /// The sender has ended it.
    ended: bool,
    dice: Dice,
    pub(super) stalls: u64,
}

impl Pipe {
    /// A direction that breaks after `breaks_after` bytes (0: never) and carries `rate` bytes in a
    /// millisecond (0: any number).
    pub(super) fn new(dice: Dice, breaks_after: u64, rate: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            last: Instant(0),
            on_way: 0,
            left: (breaks_after > 0).then_some(breaks_after),
            rate,
            ended: false,
            dice,
            stalls: 0,
        }
    }

    /// Bytes on their way.
    pub(super) fn on_way(&self) -> usize {
        self.on_way
    }

    /// When what was sent last arrives.
    pub(super) fn last_due(&self) -> Instant {
        self.last
    }

    /// Nothing is slow any more, and nothing breaks.
    pub(super) fn heal(&mut self) {
        self.rate = 0;
        self.left = None;
    }

    /// Nothing arrives before `until`, not even what is on its way.
    pub(super) fn stall(&mut self, until: Instant) {
        for segment in &mut self.segments {
            segment.due = segment.due.max(until);
        }
        self.last = self.last.max(until);
        self.stalls += 1;
    }

    /// Sends; gives the times at which something arrives.
    pub(super) fn send(&mut self, now: Instant, net: &NetPlan, bytes: Bytes) -> Vec<Instant> {
        if self.ended || bytes.is_empty() {
            return Vec::new();
        }
        let mut cuts: Vec<usize> = (0..self.dice.below(u64::from(net.cuts) + 1))
            .map(|_| usize::try_from(self.dice.below(bytes.len() as u64)).unwrap_or(0))
            .filter(|at| *at > 0)
            .collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        cuts.dedup();
        let (mut from, mut times) = (0, Vec::new());
        for to in cuts {
            let due = self.due(now, net, to - from);
            self.on_way += to - from;
            let what = Arrival::Bytes(bytes.slice(from..to));
            self.segments.push_back(Segment { due, what });
            times.push(due);
            from = to;
        }
        times
    }

    fn due(&mut self, now: Instant, net: &NetPlan, len: usize) -> Instant {
        let (low, high) = net.latency_us;
        let mut due = now + Duration::from_micros(self.dice.between(low, high));
        if self.dice.chance(u64::from(net.stall_permille), 1000) {
            due = due + Duration::from_millis(self.dice.below(net.stall_ms + 1));
            self.stalls += 1;
        }
        if self.dice.chance(u64::from(net.coalesce_percent), 100) && !self.segments.is_empty() {
            // Arrives together with the one before.
            return self.last;
        }
        due = due.max(self.last);
        let rate = match (self.rate, net.bytes_per_ms) {
            (0, other) | (other, 0) => other,
            (a, b) => a.min(b),
        };
        if let Some(us) = (len as u64 * 1000).checked_div(rate) {
            due = due + Duration::from_micros(us);
        }
        self.last = due;
        due
    }

    /// Ends the direction behind what was sent; gives the time at which the end arrives.
    pub(super) fn end(&mut self, now: Instant, net: &NetPlan) -> Option<Instant> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let due = self.due(now, net, 0);
        let what = Arrival::End;
        self.segments.push_back(Segment { due, what });
        Some(due)
    }

    /// Takes what has arrived by now. All that is due is handed over as one, as a socket does.
    pub(super) fn arrive(&mut self, now: Instant) -> Option<Arrival> {
        let mut together: Vec<Bytes> = Vec::new();
        loop {
            match self.segments.front().filter(|s| s.due <= now) {
                Some(Segment {
                    what: Arrival::Bytes(bytes),
                    ..
                }) => together.push(bytes.clone()),
                Some(_) if together.is_empty() => {
                    return self.segments.pop_front().map(|s| s.what);
                }
                _ => break,
            }
            self.segments.pop_front();
        }
        let mut bytes = match &together[..] {
            [] => return None,
            [one] => one.clone(),
            many => many.concat().into(),
        };
        self.on_way -= bytes.len();
        if let Some(left) = &mut self.left {
            let fits = usize::try_from(*left).unwrap_or(usize::MAX);
            if bytes.len() >= fits {
                // What follows the break is lost.
                bytes.truncate(fits);
                self.segments.clear();
                self.on_way = 0;
                self.ended = true;
                let what = Arrival::Break;
                self.segments.push_back(Segment { due: now, what });
            }
            *left -= bytes.len() as u64;
        }
        Some(Arrival::Bytes(bytes))
    }

    /// When the next segment is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.segments.front().map(|s| s.due)
    }

    /// All that is on its way is lost.
    pub(super) fn clear(&mut self) {
        self.segments.clear();
        self.on_way = 0;
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> NetPlan {
        NetPlan {
            cuts: 5,
            coalesce_percent: 30,
            stall_permille: 100,
            stall_ms: 50,
            bytes_per_ms: 10,
            ..NetPlan::calm()
        }
    }

    fn everything(pipe: &mut Pipe) -> (Vec<u8>, Option<Arrival>) {
        let mut out = Vec::new();
        while let Some(due) = pipe.next_due() {
            match pipe.arrive(due) {
                Some(Arrival::Bytes(b)) => out.extend_from_slice(&b),
                last => return (out, last),
            }
        }
        (out, None)
    }

    #[test]
    fn bytes_arrive_in_order_however_they_are_cut() {
        for seed in 0..50 {
            let mut pipe = Pipe::new(Dice::new(seed, 0), 0, 0);
            let data: Vec<u8> = (0..200).collect();
            for (i, part) in data.chunks(70).enumerate() {
                let part = Bytes::copy_from_slice(part);
                assert!(!pipe.send(Instant(i as u64), &net(), part).is_empty());
            }
            assert!(pipe.end(Instant(9), &net()).is_some());
            assert_eq!(everything(&mut pipe), (data, Some(Arrival::End)));
            assert_eq!(pipe.on_way(), 0);
        }
    }

    #[test]
    fn a_connection_breaks_at_any_byte() {
        for at in 1..100 {
            let mut pipe = Pipe::new(Dice::new(at, 0), at, 0);
            let data: Vec<u8> = (0..100).collect();
            pipe.send(Instant(0), &net(), data.clone().into());
            let (got, last) = everything(&mut pipe);
            assert_eq!(got, data[..usize::try_from(at).unwrap()]);
            assert_eq!(last, Some(Arrival::Break));
        }
    }
}
