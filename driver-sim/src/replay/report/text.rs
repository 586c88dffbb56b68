//! The report as text for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::{Exchange, Report};
use crate::replay::compare::{flatten, text};
use crate::replay::rules::Class;
use crate::replay::section;

/// Divergences that are listed one by one after the first.
const LISTED: usize = 40;
/// Columns of one side of a comparison.
const COLUMN: usize = 46;

impl Report {
    /// The report as text: what was replayed, the first divergence in full, the others by line, the
    /// rest by rule.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        self.heading(out)?;
        if let Some(first) = self.first_divergence() {
            writeln!(out, "\nFirst divergence")?;
            self.in_full(out, first)?;
            self.others(out, first.number)?;
        }
        self.by_rule(out, Class::Policy)?;
        self.by_rule(out, Class::Expected)?;
        let c = &self.counts;
        writeln!(
            out,
            "\n{}: {} requests replayed, {} skipped; differences: {} divergent, {} policy, {} expected",
            self.capture, c.replayed, c.skipped, c.divergence, c.policy, c.expected
        )
    }

    fn heading(&self, out: &mut String) -> std::fmt::Result {
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        for c in &self.conversations {
            write!(
                out,
                "conversation {}: {} -> {}",
                c.number, c.client, c.server
            )?;
            if let Some(dialect) = &c.dialect {
                write!(out, ", SMB {dialect}")?;
            }
            writeln!(out, ", {} requests", c.requests)?;
            if let Some(why) = &c.stopped {
                writeln!(out, "  not replayed to its end: {why}")?;
            }
            for note in &c.notes {
                writeln!(out, "  {note}")?;
            }
        }
        for server in &self.servers {
            writeln!(
                out,
                "server {}: {}",
                server.addresses.join(", "),
                server.facts.join("; ")
            )?;
            for what in &server.broken {
                writeln!(out, "  DISORDER: {what}")?;
            }
        }
        Ok(())
    }

    fn in_full(&self, out: &mut String, e: &Exchange) -> std::fmt::Result {
        writeln!(
            out,
            "  packet {}, conversation {}: {}",
            e.frame, e.conversation, e.title
        )?;
        writeln!(out, "  {}", section::of(&e.command))?;
        for note in &e.notes {
            writeln!(out, "  note: {note}")?;
        }
        writeln!(out, "\n  request")?;
        let mut fields = Vec::new();
        flatten(e.request.as_ref().unwrap_or(&Value::Null), "", &mut fields);
        for (path, value) in &fields {
            writeln!(out, "    {path}: {}", cut(value, 100))?;
        }
        writeln!(out, "\n    {:<34} {:<COLUMN$} engine", "answer", "captured")?;
        for (path, captured, engine) in e.side_by_side() {
            let differs = e.differences.iter().find(|d| covers(&d.field, &path));
            let mark = match differs.map(|d| d.class) {
                None => ' ',
                Some(Class::Divergence) => '!',
                Some(Class::Policy) => '~',
                Some(Class::Expected) => '.',
            };
            writeln!(
                out,
                "  {mark} {:<34} {:<COLUMN$} {}",
                cut(&path, 34),
                cut(&captured, COLUMN),
                cut(&engine, COLUMN)
            )?;
        }
        writeln!(out, "  (! divergence, ~ policy, . expected)")
    }

    fn others(&self, out: &mut String, first: usize) -> std::fmt::Result {
        let others: Vec<(&Exchange, &super::Difference)> = self
            .exchanges
            .iter()
            .flat_map(|e| e.differences.iter().map(move |d| (e, d)))
            .filter(|(e, d)| d.class == Class::Divergence && e.number != first)
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nOther divergences: {}", others.len())?;
        for (e, d) in others.iter().take(LISTED) {
            let follows = match e.follows {
                Some(n) => format!("  (follows from exchange {n})"),
                None => String::new(),
            };
            writeln!(
                out,
                "  packet {:>6}  {}\n                 {}: {} | {}{follows}",
                e.frame,
                e.title,
                d.field,
                cut(&text(&d.captured), 60),
                cut(&text(&d.engine), 60),
            )?;
        }
        if others.len() > LISTED {
            writeln!(out, "  … and {} more", others.len() - LISTED)?;
        }
        Ok(())
    }

    fn by_rule(&self, out: &mut String, class: Class) -> std::fmt::Result {
        let mut rules: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        for d in self.exchanges.iter().flat_map(|e| &e.differences) {
            if let (true, Some(rule)) = (d.class == class, &d.rule) {
                let reason = match rule.as_str() {
                    "follows" => "follow from differences in earlier exchanges",
                    _ => d.reason.as_deref().unwrap_or(""),
                };
                rules.entry(rule).or_insert((0, reason)).0 += 1;
            }
        }
        if rules.is_empty() {
            return Ok(());
        }
        let title = match class {
            Class::Expected => "Expected differences",
            Class::Policy => "Differences of policy",
            Class::Divergence => "Divergences",
        };
        writeln!(out, "\n{title}")?;
        for (rule, (count, reason)) in rules {
            writeln!(out, "  {count:>6}  {rule}: {reason}")?;
        }
        Ok(())
    }
}

/// Whether a difference at `field` is about what is printed at `path`.
pub(super) fn covers(field: &str, path: &str) -> bool {
    path == field
        || path
            .strip_prefix(field)
            .is_some_and(|rest| rest.starts_with(['.', '[']))
}

impl Exchange {
    /// All fields of both answers by path.
    pub(super) fn side_by_side(&self) -> Vec<(String, String, String)> {
        let leaves = |tree: &Option<Value>| {
            let mut out = Vec::new();
            if let Some(tree) = tree {
                flatten(tree, "", &mut out);
            }
            out
        };
        let (captured, engine) = (leaves(&self.captured), leaves(&self.engine));
        let mut rest: Vec<(String, String)> = engine;
        let mut out = Vec::new();
        for (path, value) in captured {
            // What the engine has between two common fields comes between them.
            if let Some(at) = rest.iter().position(|(p, _)| *p == path) {
                for (p, v) in rest.drain(..at).collect::<Vec<_>>() {
                    out.push((p, String::from("-"), v));
                }
                let (_, other) = rest.remove(0);
                out.push((path, value, other));
            } else {
                out.push((path, value, String::from("-")));
            }
        }
        for (p, v) in rest {
            out.push((p, String::from("-"), v));
        }
        for d in &self.differences {
            if !out.iter().any(|(p, _, _)| covers(&d.field, p)) {
                out.insert(0, (d.field.clone(), text(&d.captured), text(&d.engine)));
            }
        }
        out
    }
}

/// At most so many characters.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let head: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{head}…")
}
