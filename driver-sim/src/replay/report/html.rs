//! The report as a page: one file without anything from elsewhere. Without scripts it is a plain
//! listing whose details open; with them it can be filtered.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::text::covers;
use super::{Exchange, Report};
use crate::replay::compare::{flatten, text};
use crate::replay::rules::Class;
use crate::replay::section;

/// Exchanges without anything to see that are drawn one by one; more of them in a row are folded
/// into one line in large reports.
const ROWS_MAX: usize = 5000;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Report {
    /// The page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_html(&mut out);
        out
    }

    fn write_html(&self, out: &mut String) -> std::fmt::Result {
        let title = escape(&self.capture);
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Replay of {title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n"
        )?;
        self.header(out)?;
        self.filters(out)?;
        self.sequence(out)?;
        self.reasons(out)?;
        write!(out, "<script>\n{SCRIPT}</script>\n</body></html>\n")
    }

    fn header(&self, out: &mut String) -> std::fmt::Result {
        let c = &self.counts;
        let verdict = match (self.diverges(), c.policy) {
            (true, _) => ("divergence", "The engine answers differently"),
            (false, 0) => ("same", "The engine answers the same"),
            (false, _) => ("policy", "The engine answers the same, policy apart"),
        };
        write!(
            out,
            "<header><h1>{}</h1><p class=\"verdict {}\">{}</p>\n<ul class=\"counts\">",
            escape(&self.capture),
            verdict.0,
            verdict.1
        )?;
        for (class, count, what) in [
            ("", c.replayed, "requests replayed"),
            ("", c.skipped, "not sent"),
            ("divergence", c.divergence, "divergent fields"),
            ("policy", c.policy, "differ by policy"),
            ("expected", c.expected, "differ as expected"),
        ] {
            write!(out, "<li class=\"{class}\"><b>{count}</b> {what}</li>")?;
        }
        writeln!(out, "</ul>")?;
        if let Some(first) = self.first_divergence() {
            writeln!(
                out,
                "<p><a href=\"#e{0}\">First divergence: packet {1}, {2}</a></p>",
                first.number,
                first.frame,
                escape(&first.title)
            )?;
        }
        writeln!(
            out,
            "<details class=\"facts\"><summary>Conversations and servers</summary>"
        )?;
        for note in &self.notes {
            writeln!(out, "<p>{}</p>", escape(note))?;
        }
        write!(out, "<ul>")?;
        for c in &self.conversations {
            write!(
                out,
                "<li>conversation {}: {} → {}",
                c.number,
                escape(&c.client),
                escape(&c.server)
            )?;
            if let Some(dialect) = &c.dialect {
                write!(out, ", SMB {}", escape(dialect))?;
            }
            write!(out, ", {} requests", c.requests)?;
            for note in c.stopped.iter().chain(&c.notes) {
                write!(out, "<br>{}", escape(note))?;
            }
            writeln!(out, "</li>")?;
        }
        writeln!(out, "</ul><ul>")?;
        for s in &self.servers {
            write!(out, "<li>server {}:", escape(&s.addresses.join(", ")))?;
            for fact in s.facts.iter().chain(&s.broken) {
                write!(out, "<br>{}", escape(fact))?;
            }
            writeln!(out, "</li>")?;
        }
        writeln!(out, "</ul></details></header>")
    }

    /// Controls; they are hidden until the script shows them.
    fn filters(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "<form id=\"filters\" hidden><span class=\"group\">")?;
        for (class, label) in [
            ("divergence", "divergence"),
            ("policy", "policy"),
            ("expected", "expected"),
            ("same", "same"),
            ("skipped", "not sent"),
        ] {
            write!(
                out,
                "<label class=\"chip {class}\"><input type=\"checkbox\" name=\"class\" \
                 value=\"{class}\" checked>{label}</label>"
            )?;
        }
        write!(out, "</span>")?;
        let commands: BTreeSet<&str> = self.exchanges.iter().map(|e| e.command.as_str()).collect();
        select(
            out,
            "command",
            "all commands",
            commands.iter().map(|c| (*c, *c)),
        )?;
        let numbers: Vec<(String, String)> = self
            .conversations
            .iter()
            .map(|c| {
                let label = format!("{} — {}", c.number, c.client);
                (c.number.to_string(), label)
            })
            .collect();
        let options = numbers.iter().map(|(n, l)| (n.as_str(), l.as_str()));
        select(out, "conversation", "all conversations", options)?;
        writeln!(
            out,
            "<input type=\"search\" name=\"text\" placeholder=\"name, field or status\">\
             <button type=\"button\" id=\"prev\" title=\"previous divergence (k)\">↑</button>\
             <button type=\"button\" id=\"next\" title=\"next divergence (j)\">↓</button>\
             <output id=\"shown\"></output></form>"
        )
    }

    fn sequence(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "<main><div class=\"lanes\"><span>packet, connection, seconds</span><span>captured client</span><span>captured server</span>\
             <span>engine</span></div><ol id=\"list\">"
        )?;
        let fold = self.exchanges.len() > ROWS_MAX;
        let start = self.exchanges.first().map_or(0.0, |e| e.time);
        let mut folded = 0u64;
        for e in &self.exchanges {
            let plain = e.class().is_none_or(|c| c == Class::Expected) && e.skipped.is_none();
            if fold && plain {
                folded += 1;
                continue;
            }
            fold_row(out, &mut folded)?;
            self.row(out, e, start)?;
        }
        fold_row(out, &mut folded)?;
        writeln!(out, "</ol></main>")
    }

    fn row(&self, out: &mut String, e: &Exchange, start: f64) -> std::fmt::Result {
        let class = e.class_name();
        let fields: Vec<&str> = e.differences.iter().map(|d| d.field.as_str()).collect();
        let find = [
            &e.title,
            e.status.as_deref().unwrap_or(""),
            &fields.join(" "),
        ]
        .join(" ");
        write!(
            out,
            "<li id=\"e{}\" class=\"row {class}\" data-class=\"{class}\" data-command=\"{}\" \
             data-conversation=\"{}\" data-find=\"{}\">",
            e.number,
            escape(&e.command),
            e.conversation,
            escape(&find.to_lowercase())
        )?;
        let details = !e.differences.is_empty() || !e.notes.is_empty() || e.skipped.is_some();
        let (open, close) = if details {
            ("<details><summary>", "</summary>")
        } else {
            ("<div class=\"summary\">", "</div>")
        };
        write!(
            out,
            "{open}<span class=\"at\"><span class=\"no\">{}</span> <span class=\"c c{}\">{}</span> \
             <span class=\"t\">{:.3}</span></span><span class=\"ask\"><b>{}</b>{}</span>",
            e.frame,
            e.conversation % 8,
            e.conversation,
            (e.time - start).max(0.0),
            escape(&e.command),
            escape(e.title.strip_prefix(e.command.as_str()).unwrap_or(&e.title))
        )?;
        answer(out, e.status.as_deref(), "none")?;
        let none = if e.skipped.is_some() {
            "not sent"
        } else {
            "none"
        };
        answer(out, e.engine_status.as_deref(), none)?;
        write!(out, "<span class=\"badges\">")?;
        for class in [Class::Divergence, Class::Policy, Class::Expected] {
            let count = e.differences.iter().filter(|d| d.class == class).count();
            if count > 0 {
                let name = class.name();
                write!(
                    out,
                    "<span class=\"badge {name}\" title=\"{name}\">{count}</span>"
                )?;
            }
        }
        write!(out, "</span>{close}")?;
        if details {
            self.details(out, e)?;
            write!(out, "</details>")?;
        }
        writeln!(out, "</li>")
    }

    fn details(&self, out: &mut String, e: &Exchange) -> std::fmt::Result {
        write!(out, "<div class=\"more\"><p>{}", section::of(&e.command))?;
        if let Some(n) = e.follows {
            write!(
                out,
                " · <a href=\"#e{n}\">follows from an earlier difference</a>"
            )?;
        }
        write!(out, "</p>")?;
        for note in e.notes.iter().chain(&e.skipped) {
            write!(out, "<p class=\"note\">{}</p>", escape(note))?;
        }
        if !e.differences.is_empty() {
            write!(
                out,
                "<table><thead><tr><th>field</th><th>captured</th><th>engine</th><th>class</th>\
                 </tr></thead><tbody>"
            )?;
            for d in &e.differences {
                write!(
                    out,
                    "<tr class=\"{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    d.class.name(),
                    escape(&d.field),
                    escape(&text(&d.captured)),
                    escape(&text(&d.engine)),
                    match &d.rule {
                        Some(rule) => escape(&format!(
                            "{}: {rule} — {}",
                            d.class.name(),
                            d.reason.as_deref().unwrap_or("")
                        )),
                        None => escape(d.class.name()),
                    }
                )?;
            }
            write!(out, "</tbody></table>")?;
        }
        if let Some(request) = &e.request {
            write!(
                out,
                "<details class=\"deep\"><summary>both messages, decoded</summary>"
            )?;
            tree(out, "request", request)?;
            write!(
                out,
                "<table class=\"both\"><thead><tr><th>answer</th><th>captured</th><th>engine</th>\
                 </tr></thead><tbody>"
            )?;
            for (path, captured, engine) in e.side_by_side() {
                let differs = e.differences.iter().find(|d| covers(&d.field, &path));
                write!(
                    out,
                    "<tr class=\"{}\"><td>{}</td><td>{}</td><td>{}</td></tr>",
                    differs.map_or("", |d| d.class.name()),
                    escape(&path),
                    escape(&captured),
                    escape(&engine)
                )?;
            }
            write!(out, "</tbody></table></details>")?;
        }
        write!(out, "</div>")
    }

    /// The rules that were used, with their reasons.
    fn reasons(&self, out: &mut String) -> std::fmt::Result {
        if self.rules.is_empty() {
            return Ok(());
        }
        write!(
            out,
            "<section><h2>Rules that explain differences</h2><table><thead><tr><th>rule</th>\
             <th>class</th><th>fields</th><th>reason</th></tr></thead><tbody>"
        )?;
        for (rule, count) in &self.rules {
            let all = self.exchanges.iter().flat_map(|e| &e.differences);
            let Some(d) = all.into_iter().find(|d| d.rule.as_ref() == Some(rule)) else {
                continue;
            };
            let reason = match rule.as_str() {
                "follows" => "follow from differences in earlier exchanges",
                _ => d.reason.as_deref().unwrap_or(""),
            };
            write!(
                out,
                "<tr class=\"{}\"><td>{}</td><td>{}</td><td class=\"n\">{count}</td><td>{}</td></tr>",
                d.class.name(),
                escape(rule),
                d.class.name(),
                escape(reason)
            )?;
        }
        writeln!(out, "</tbody></table></section>")
    }
}

impl Exchange {
    fn class_name(&self) -> &'static str {
        match (self.class(), &self.skipped) {
            (Some(class), _) => class.name(),
            (None, Some(_)) => "skipped",
            (None, None) => "same",
        }
    }
}

fn answer(out: &mut String, status: Option<&str>, none: &str) -> std::fmt::Result {
    let (class, text) = match status {
        None => ("none", none.to_owned()),
        Some("STATUS_SUCCESS") => ("ok", "SUCCESS".to_owned()),
        Some(status) => {
            let short = status.strip_prefix("STATUS_").unwrap_or(status);
            ("err", escape(short))
        }
    };
    write!(out, "<span class=\"ans {class}\">{text}</span>")
}

fn fold_row(out: &mut String, folded: &mut u64) -> std::fmt::Result {
    if *folded > 0 {
        writeln!(
            out,
            "<li class=\"fold\">{folded} exchanges without difference, or with expected ones only</li>"
        )?;
        *folded = 0;
    }
    Ok(())
}

fn tree(out: &mut String, title: &str, value: &Value) -> std::fmt::Result {
    let mut fields = Vec::new();
    flatten(value, "", &mut fields);
    write!(
        out,
        "<table class=\"both\"><thead><tr><th>{title}</th><th></th></tr></thead><tbody>"
    )?;
    for (path, value) in fields {
        write!(
            out,
            "<tr><td>{}</td><td>{}</td></tr>",
            escape(&path),
            escape(&value)
        )?;
    }
    write!(out, "</tbody></table>")
}

fn select<'a>(
    out: &mut String,
    name: &str,
    all: &str,
    options: impl Iterator<Item = (&'a str, &'a str)>,
) -> std::fmt::Result {
    write!(
        out,
        "<select name=\"{name}\"><option value=\"\">{all}</option>"
    )?;
    for (value, label) in options {
        write!(
            out,
            "<option value=\"{}\">{}</option>",
            escape(value),
            escape(label)
        )?;
    }
    write!(out, "</select>")
}

/// Text that means itself in HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_capture_cannot_become_markup() {
        let report = Report {
            capture: "<script>alert(1)</script>".to_owned(),
            exchanges: vec![Exchange {
                command: "CREATE".to_owned(),
                title: "CREATE  \"\"><img src=x onerror='x'>\u{1b}".to_owned(),
                ..Exchange::default()
            }],
            ..Report::default()
        };
        let page = report.to_html();
        assert!(!page.contains("<script>alert"));
        assert!(!page.contains("<img"));
        assert!(!page.contains('\u{1b}'));
        // Nothing is fetched from anywhere.
        for what in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!page.replace("src=x", "").contains(what), "{what}");
        }
    }

    #[test]
    fn long_reports_fold_what_is_the_same() {
        let exchange = Exchange {
            command: "ECHO".to_owned(),
            title: "ECHO".to_owned(),
            ..Exchange::default()
        };
        let report = Report {
            exchanges: vec![exchange; ROWS_MAX + 1],
            ..Report::default()
        };
        let page = report.to_html();
        assert!(page.contains("5001 exchanges without difference"));
        assert!(page.len() < 20_000);
    }
}
