//! What was covered.

use std::collections::{BTreeMap, BTreeSet};

use smb_engine::Counts;
use smb_proto::{Command, NtStatus};

/// Numbers about one world, or the sum over several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Worlds.
    pub worlds: u64,
    /// Virtual time, in microseconds.
    pub simulated_us: u64,
    /// Requests that were answered.
    pub operations: u64,
    /// Inputs of the engine.
    pub inputs: u64,
    /// Bytes that the server sent.
    pub bytes_sent: u64,
    /// Answers by command code and status.
    pub answers: BTreeMap<(u16, u32), u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Connections that the server closed, by reason.
    pub closed: BTreeMap<String, u64>,
    /// Distinct states of the server: how many there are of each kind of object (none, one, two, a
    /// few, many).
    pub states: BTreeSet<u32>,
    /// Largest number of bytes that the server held for one connection.
    pub most_held: usize,
    /// Answers that each checker judged, and how often it gave up.
    pub judged: BTreeMap<&'static str, (u64, u64)>,
}

/// A number as "none, one, two, a few, many".
fn bucket(n: usize) -> u32 {
    match n {
        0..=2 => u32::try_from(n).unwrap_or(0),
        3..=7 => 3,
        8..=31 => 4,
        _ => 5,
    }
}

impl Stats {
    pub(super) fn answered(&mut self, command: u16, status: NtStatus) {
        *self.answers.entry((command, status.0)).or_default() += 1;
    }

    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(super) fn state(&mut self, c: Counts) {
        let parts = [
            c.connections,
            c.sessions,
            c.trees,
            c.opens,
            c.files,
            c.messages,
            c.operations,
            c.timers,
        ];
        self.states
            .insert(parts.into_iter().fold(0, |all, n| all * 6 + bucket(n)));
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.simulated_us += other.simulated_us;
        self.operations += other.operations;
        self.inputs += other.inputs;
        self.bytes_sent += other.bytes_sent;
        for (key, n) in &other.answers {
            *self.answers.entry(*key).or_default() += n;
        }
        for (key, n) in &other.faults {
            *self.faults.entry(key).or_default() += n;
        }
        for (key, n) in &other.closed {
            *self.closed.entry(key.clone()).or_default() += n;
        }
        self.states.extend(&other.states);
        self.most_held = self.most_held.max(other.most_held);
        for (key, (judged, given_up)) in &other.judged {
            let entry = self.judged.entry(key).or_default();
            entry.0 += judged;
            entry.1 += given_up;
        }
    }

    /// Several lines for people. `seconds` is the real time that it took.
    #[must_use]
    pub fn report(&self, seconds: f64) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        let simulated = self.simulated_us as f64 / 1e6;
        let per = |n: f64| n / seconds.max(1e-9);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} worlds in {seconds:.1} s: {simulated:.0} simulated seconds ({:.0} per second), {} \
             operations ({:.0} per second), {} inputs of the engine",
            self.worlds,
            per(simulated),
            self.operations,
            per(self.operations as f64),
            self.inputs,
        );
        let commands: BTreeSet<u16> = self.answers.keys().map(|(c, _)| *c).collect();
        let _ = writeln!(
            out,
            "covered: {} commands, {} pairs of command and status, {} states of the server; at most {} \
             bytes held for one connection",
            commands.len(),
            self.answers.len(),
            self.states.len(),
            self.most_held,
        );
        let list = |all: &BTreeMap<&'static str, u64>| {
            let each = all.iter().map(|(kind, n)| format!("{kind} {n}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(out, "faults: {}", list(&self.faults));
        let judged = self.judged.iter();
        let judged: Vec<String> = judged
            .map(|(name, (judged, given_up))| format!("{name} {judged} ({given_up} given up)"))
            .collect();
        let _ = writeln!(out, "answers judged: {}", judged.join(", "));
        out
    }

    /// The answers by command and status, one command in a line.
    #[must_use]
    pub fn coverage(&self) -> String {
        let mut lines: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for ((command, status), n) in &self.answers {
            let status = NtStatus(*status);
            let name = status
                .name()
                .map_or_else(|| status.to_string(), str::to_owned);
            lines
                .entry(*command)
                .or_default()
                .push(format!("{name} {n}"));
        }
        let mut out = String::new();
        for (command, statuses) in lines {
            let name =
                Command::from_code(command).map_or_else(|| "?".to_owned(), |c| c.to_string());
            out.push_str(&format!("{name}: {}\n", statuses.join(", ")));
        }
        for (reason, n) in &self.closed {
            out.push_str(&format!("closed by the server: {reason}: {n}\n"));
        }
        out
    }
}
