//! The conversation in words, one line for each thing that happens.

use smb_engine::Counts;
use smb_engine::time::Now;

use crate::pair::BEGIN;

/// Lines, if they are wanted.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: Option<Vec<String>>,
    counts: Counts,
}

impl Story {
    pub(super) fn new(told: bool) -> Self {
        Self {
            lines: told.then(Vec::new),
            counts: Counts::default(),
        }
    }

    pub(super) fn is_told(&self) -> bool {
        self.lines.is_some()
    }

    /// Adds a line with the time since the world began.
    pub(super) fn tell(&mut self, now: Now, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let us = (now.mono - BEGIN.mono).as_micros();
            lines.push(format!(
                "{:>5}.{:06}  {}",
                us / 1_000_000,
                us % 1_000_000,
                what()
            ));
        }
    }

    /// Adds a line if the numbers of the server's objects have changed.
    pub(super) fn count(&mut self, now: Now, counts: Counts) {
        if self.lines.is_none() || counts == self.counts {
            return;
        }
        let before = std::mem::replace(&mut self.counts, counts);
        let pairs = [
            ("connections", before.connections, counts.connections),
            ("sessions", before.sessions, counts.sessions),
            ("trees", before.trees, counts.trees),
            ("opens", before.opens, counts.opens),
            ("files", before.files, counts.files),
            ("messages", before.messages, counts.messages),
            ("operations", before.operations, counts.operations),
        ];
        let changes: Vec<String> = pairs
            .iter()
            .filter(|(_, old, new)| old != new)
            .map(|(name, old, new)| format!("{name} {old} => {new}"))
            .collect();
        if !changes.is_empty() {
            self.tell(now, || format!("      state: {}", changes.join(", ")));
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
