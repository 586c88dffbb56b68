//! The clients of a capture replayed against the engine, and its answers compared with those that
//! were captured.
//!
//! For each server in the capture an engine is set up as that server seems to have been (dialects,
//! ciphers, shares, files, accounts), and everything that its clients sent is sent again, in the same
//! order over as many connections: bodies, credits, flags and compounds as captured; ids, tokens,
//! signatures and encryption made anew. Then every answer is compared field by field, and each
//! difference is [`Class::Expected`], [`Class::Policy`] or [`Class::Divergence`], by rules
//! ([`Rules`]) that are data.

mod adapt;
mod build;
mod compare;
mod host;
mod ids;
mod judge;
mod logon;
mod names;
mod plan;
mod report;
mod rules;
mod run;
mod script;
mod section;
mod tree;

use std::path::PathBuf;

use thiserror::Error;

pub use report::{ConversationReport, Counts, Difference, Exchange, Report, ServerReport, Side};
pub use rules::{Class, Rule, Rules, RulesError};

use crate::capture::{Capture, Direction};

/// How time goes in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// As in the capture: what waits for a timer waits as long as it did there. The time is virtual, so
    /// nobody has to wait for it.
    #[default]
    Captured,
    /// A microsecond from message to message.
    Fast,
}

/// How to replay.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the capture, for rules and the report.
    pub name: String,
    /// Take the shares' content from this directory.
    pub tree: Option<PathBuf>,
    /// Time.
    pub timing: Timing,
    /// What is no divergence.
    pub rules: Rules,
}

/// A capture that cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// There is no SMB2 in it.
    #[error("no SMB2 conversation in the capture")]
    Nothing,
    /// There is, but nothing that a client could send.
    #[error("nothing in the capture can be replayed: {0}")]
    Unusable(String),
    /// The directory of `--tree`.
    #[error("{path}: {1}", path = .0.display())]
    Tree(PathBuf, std::io::Error),
    /// The directory of `--tree`.
    #[error("the directory holds more than 1 GiB")]
    TreeTooLarge,
}

/// Replays a capture. `progress` is told how many steps were done since it was last called.
///
/// # Errors
/// There is nothing to replay, or the tree cannot be read.
pub fn replay(
    capture: &Capture,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, ReplayError> {
    let all = &capture.conversations;
    if all
        .iter()
        .all(|c| c.messages.is_empty() && c.others.is_empty())
    {
        return Err(ReplayError::Nothing);
    }
    let mut report = Report::new(&options.name, &capture.notes);
    for conversations in plan::servers(all) {
        let plan = plan::plan(all, conversations, options)?;
        let server = judge::server(all, &plan);
        let outcome = run::run(all, plan, options, progress);
        judge::judge(all, server, outcome, options, &mut report);
    }
    report.finish();
    if report.replayed() == 0 {
        let why = report.conversations.iter().find_map(|c| c.stopped.clone());
        let why = why.unwrap_or_else(|| "no client sends anything".to_owned());
        return Err(ReplayError::Unusable(why));
    }
    Ok(report)
}

/// Steps that [`replay`] will report for a capture, about.
#[must_use]
pub fn steps(capture: &Capture) -> u64 {
    let messages = capture.conversations.iter().flat_map(|c| &c.messages);
    let sent = messages.filter(|m| m.direction == Direction::ToServer && m.compound.index == 0);
    u64::try_from(sent.count()).unwrap_or(u64::MAX)
}
