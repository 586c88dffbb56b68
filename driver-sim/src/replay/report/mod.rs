//! What a replay found.

mod html;
mod json;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::rules::Class;

/// The report of a replay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Name of the capture.
    pub capture: String,
    /// What the reader of the capture has to say.
    pub notes: Vec<String>,
    /// Servers that were found in it.
    pub servers: Vec<ServerReport>,
    /// Its conversations.
    pub conversations: Vec<ConversationReport>,
    /// Differences by class.
    pub counts: Counts,
    /// Differences by rule, of those that have one.
    pub rules: BTreeMap<String, u64>,
    /// Requests with their two answers, in the order of the capture.
    pub exchanges: Vec<Exchange>,
}

/// Numbers of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that were sent and whose answers were compared.
    pub replayed: u64,
    /// Requests that were not sent.
    pub skipped: u64,
    /// Differences of each class.
    pub expected: u64,
    /// See [`Self::expected`].
    pub policy: u64,
    /// See [`Self::expected`].
    pub divergence: u64,
}

/// A server of the capture.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerReport {
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Numbers of its conversations.
    pub conversations: Vec<usize>,
    /// What was taken from the capture to set up the engine.
    pub facts: Vec<String>,
    /// What is wrong with the engine as a whole after the replay.
    pub broken: Vec<String>,
}

/// A connection of the capture.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConversationReport {
    /// Its number.
    pub number: usize,
    /// Who connected.
    pub client: String,
    /// To whom.
    pub server: String,
    /// What they agreed on.
    pub dialect: Option<String>,
    /// Messages of both sides.
    pub messages: usize,
    /// Requests among them.
    pub requests: usize,
    /// It was not replayed, or only up to a point, and why.
    pub stopped: Option<String>,
    /// What the reader of the capture has to say about it.
    pub notes: Vec<String>,
}

/// Which of two sides of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The captured server.
    Captured,
    /// The engine.
    Engine,
}

/// A request with its two answers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Exchange {
    /// Its number in the report.
    pub number: usize,
    /// Number of its conversation.
    pub conversation: usize,
    /// Index of the request among the conversation's messages; `None` where there is none (breaks,
    /// the end of the connection).
    pub message: Option<usize>,
    /// Packet of the capture.
    pub frame: u64,
    /// When, in seconds since 1970.
    pub time: f64,
    /// The command.
    pub command: String,
    /// The request in one line.
    pub title: String,
    /// Name of the file that it is about.
    pub name: String,
    /// Status of the captured answer.
    pub status: Option<String>,
    /// Status of the engine's answer.
    pub engine_status: Option<String>,
    /// It was not sent, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What happened besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Number of an earlier exchange, whose outcome makes this one differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<usize>,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// The request, decoded, where something differs that is not expected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The captured answer, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured: Option<Value>,
    /// The engine's answer, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Value>,
}

/// One field that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Path of the field.
    pub field: String,
    /// What the captured server said; null if it did not have the field.
    pub captured: Value,
    /// What the engine said.
    pub engine: Value,
    /// What the difference is.
    pub class: Class,
    /// The rule that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Exchange {
    /// The worst class among its differences.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.differences.iter().map(|d| d.class).max()
    }
}

impl Report {
    pub(super) fn new(capture: &str, notes: &[String]) -> Self {
        Self {
            capture: capture.to_owned(),
            notes: notes.to_vec(),
            ..Self::default()
        }
    }

    /// Requests that were sent.
    #[must_use]
    pub fn replayed(&self) -> u64 {
        self.counts.replayed
    }

    /// Whether there is a divergence, or the engine is in disorder.
    #[must_use]
    pub fn diverges(&self) -> bool {
        self.counts.divergence > 0 || self.servers.iter().any(|s| !s.broken.is_empty())
    }

    /// The first exchange with a divergence that does not follow from another one.
    #[must_use]
    pub fn first_divergence(&self) -> Option<&Exchange> {
        let of = |own: bool| {
            self.exchanges.iter().find(move |e| {
                e.class() == Some(Class::Divergence) && (e.follows.is_none() || !own)
            })
        };
        of(true).or_else(|| of(false))
    }

    /// Orders, numbers and counts.
    pub(super) fn finish(&mut self) {
        self.conversations.sort_by_key(|c| c.number);
        let mut place = vec![0; self.exchanges.len()];
        self.exchanges.sort_by(|a, b| {
            (a.time, a.number)
                .partial_cmp(&(b.time, b.number))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        for (new, exchange) in self.exchanges.iter_mut().enumerate() {
            if let Some(p) = place.get_mut(exchange.number) {
                *p = new;
            }
            exchange.number = new;
        }
        self.follow(&place);
        for exchange in &self.exchanges {
            let requested = exchange.message.is_some();
            self.counts.replayed += u64::from(requested && exchange.skipped.is_none());
            self.counts.skipped += u64::from(exchange.skipped.is_some());
            for difference in &exchange.differences {
                match difference.class {
                    Class::Expected => self.counts.expected += 1,
                    Class::Policy => self.counts.policy += 1,
                    Class::Divergence => self.counts.divergence += 1,
                }
                if let Some(rule) = &difference.rule {
                    *self.rules.entry(rule.clone()).or_default() += 1;
                }
            }
        }
    }

    /// What follows from something that is no divergence is none either.
    fn follow(&mut self, place: &[usize]) {
        for n in 0..self.exchanges.len() {
            let root = self
                .exchanges
                .get(n)
                .and_then(|e| place.get(e.follows?).copied());
            let cause = root.and_then(|r| self.exchanges.get(r));
            let class = cause.and_then(Exchange::class);
            let Some(exchange) = self.exchanges.get_mut(n) else {
                return;
            };
            exchange.follows = root;
            let (Some(class), Some(root)) = (class, root) else {
                continue;
            };
            for d in &mut exchange.differences {
                if d.class == Class::Divergence {
                    d.class = class;
                    d.rule = Some("follows".to_owned());
                    d.reason = Some(format!("follows from exchange {root}"));
                }
            }
        }
    }
}
