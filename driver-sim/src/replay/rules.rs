//! Which differences mean nothing: rules over commands, fields, values.
//!
//! A rule names what has to be so (each condition that it has), and what the difference then is. The
//! first that fits decides: those given by the user come before those built in. What fits none is a
//! divergence.
//!
//! ```toml
//! [[rule]]
//! id = "file-id"
//! class = "expected"
//! command = ["CREATE"]
//! field = ["body.file_id*"]
//! reason = "ids are chosen by the server"
//! ```
//!
//! In patterns `*` stands for any text. Values are compared as they are printed; `-` is a field that
//! is not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::compare::text;

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// No two servers would answer the same here: ids, times, salts.
    Expected,
    /// The captured server is configured otherwise, or offers what this one does not.
    Policy,
    /// Everything else.
    Divergence,
}

impl Class {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Policy => "policy",
            Self::Divergence => "divergence",
        }
    }
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::One(pattern) => glob(pattern, text),
            Self::Many(patterns) => patterns.iter().any(|p| glob(p, text)),
        }
    }
}

/// One rule; a condition that is absent always holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in reports.
    pub id: String,
    /// What the difference is.
    pub class: Class,
    /// Why.
    pub reason: String,
    command: Option<Texts>,
    field: Option<Texts>,
    /// The captured value.
    captured: Option<Texts>,
    /// The engine's value.
    engine: Option<Texts>,
    /// Status of the captured answer.
    status: Option<Texts>,
    /// Status of the engine's answer.
    engine_status: Option<Texts>,
    /// Fields of the request by path.
    #[serde(default)]
    request: BTreeMap<String, Texts>,
    /// Fields of the captured answer by path.
    #[serde(default)]
    answer: BTreeMap<String, Texts>,
    /// Name of the file that the request is about.
    name: Option<Texts>,
    /// Name of the capture's file, without directory.
    capture: Option<Texts>,
    /// Dialect of the conversation.
    dialect: Option<Texts>,
}

/// What a rule is asked about.
pub(super) struct Context<'a> {
    pub(super) capture: &'a str,
    pub(super) dialect: &'a str,
    pub(super) command: &'a str,
    pub(super) status: &'a str,
    pub(super) engine_status: &'a str,
    pub(super) name: &'a str,
    /// Fields of the request, flattened.
    pub(super) request: &'a [(String, String)],
    /// Fields of the captured answer, flattened.
    pub(super) answer: &'a [(String, String)],
    pub(super) field: &'a str,
    pub(super) captured: &'a Value,
    pub(super) engine: &'a Value,
}

impl Rule {
    fn fits(&self, c: &Context<'_>) -> bool {
        let ok = |texts: &Option<Texts>, text: &str| texts.as_ref().is_none_or(|t| t.fits(text));
        ok(&self.field, c.field)
            && ok(&self.command, c.command)
            && ok(&self.status, c.status)
            && ok(&self.engine_status, c.engine_status)
            && ok(&self.capture, c.capture)
            && ok(&self.dialect, c.dialect)
            && ok(&self.name, c.name)
            && (self.captured.is_none() || ok(&self.captured, &text(c.captured)))
            && (self.engine.is_none() || ok(&self.engine, &text(c.engine)))
            && all_fit(&self.request, c.request)
            && all_fit(&self.answer, c.answer)
    }
}

/// Whether each of the conditions is met by a field.
fn all_fit(conditions: &BTreeMap<String, Texts>, fields: &[(String, String)]) -> bool {
    conditions.iter().all(|(path, texts)| {
        fields
            .iter()
            .any(|(p, value)| glob(path, p) && texts.fits(value))
    })
}

/// Rules in order of precedence.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// Rules that cannot be used.
#[derive(Debug, Error)]
pub enum RulesError {
    /// A file that cannot be read.
    #[error("{path}: {1}", path = .0.display())]
    Read(PathBuf, std::io::Error),
    /// A file that does not parse.
    #[error("{path}: {1}", path = .0.display())]
    Parse(PathBuf, Box<toml::de::Error>),
}

impl Rules {
    /// The rules that hold for every capture.
    ///
    /// # Errors
    /// Never, unless the embedded file is broken; a test sees to that.
    pub fn built_in() -> Result<Self, RulesError> {
        Self::parse(include_str!("rules.toml"), Path::new("built-in rules"))
    }

    /// Reads rules from text. `path` is for messages.
    ///
    /// # Errors
    /// It does not parse.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RulesError> {
        let file: File =
            toml::from_str(text).map_err(|e| RulesError::Parse(path.to_owned(), Box::new(e)))?;
        Ok(Self(file.rule))
    }

    /// Reads rules from a file, or all `.toml` files of a directory in the order of their names.
    ///
    /// # Errors
    /// Something cannot be read or does not parse.
    pub fn load(path: &Path) -> Result<Self, RulesError> {
        let read = |e| RulesError::Read(path.to_owned(), e);
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(read)?.collect();
            files = entries.map_err(read)?.iter().map(|e| e.path()).collect();
            files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
            files.sort();
        }
        let mut all = Self::default();
        for file in files {
            let text =
                std::fs::read_to_string(&file).map_err(|e| RulesError::Read(file.clone(), e))?;
            all = all.then(Self::parse(&text, &file)?);
        }
        Ok(all)
    }

    /// These rules, and behind them `others`.
    #[must_use]
    pub fn then(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// The first rule that fits.
    pub(super) fn find(&self, context: &Context<'_>) -> Option<&Rule> {
        self.0.iter().find(|r| r.fits(context))
    }
}

/// Whether `text` is what `pattern` says, `*` standing for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or("");
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("ab*bc", "abc", false),
            ("*b*", "abc", true),
            ("*x*", "abc", false),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = Rules::parse(
            r#"
            [[rule]]
            id = "one"
            class = "policy"
            command = "CREATE"
            field = "body.x"
            captured = ["1", "2"]
            request = { "body.name" = "a*" }
            reason = "r"
            [[rule]]
            id = "all"
            class = "expected"
            field = "body.*"
            reason = "r"
            "#,
            Path::new("test"),
        )
        .unwrap();
        let request = vec![("body.name".to_owned(), "abc".to_owned())];
        let find = |command, field, captured: Value| {
            let context = Context {
                capture: "f.pcap",
                dialect: "3.1.1",
                command,
                status: "STATUS_SUCCESS",
                engine_status: "STATUS_SUCCESS",
                name: "",
                request: &request,
                answer: &[],
                field,
                captured: &captured,
                engine: &Value::Null,
            };
            rules.find(&context).map(|r| r.id.as_str().to_owned())
        };
        assert_eq!(find("CREATE", "body.x", json!(1)).as_deref(), Some("one"));
        assert_eq!(find("CREATE", "body.x", json!(3)).as_deref(), Some("all"));
        assert_eq!(find("CLOSE", "body.x", json!(1)).as_deref(), Some("all"));
        assert_eq!(find("CLOSE", "header.x", json!(1)), None);
    }

    #[test]
    fn the_built_in_rules_parse_and_have_different_names() {
        let rules = Rules::built_in().unwrap();
        let mut ids: Vec<&str> = rules.iter().map(|r| r.id.as_str()).collect();
        let count = ids.len();
        assert!(count > 0);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(rules.iter().all(|r| !r.reason.is_empty()));
    }

    #[test]
    fn a_rule_with_an_unknown_condition_is_refused() {
        let text = "[[rule]]\nid = 'x'\nclass = 'policy'\nreason = 'r'\nwhen = 'y'";
        let error = Rules::parse(text, Path::new("f.toml")).unwrap_err();
        assert!(error.to_string().contains("f.toml"), "{error}");
    }
}
