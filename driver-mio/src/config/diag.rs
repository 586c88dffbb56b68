//! Where something stands in a configuration file, and what is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    /// The file.
    pub file: Arc<Path>,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Pos,
    /// What is wrong and what was expected: one sentence without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Everything found in one reading, so that all mistakes can be put right at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What keeps the configuration from being used.
    pub errors: Vec<Problem>,
    /// What has no effect, or not the effect that its author may expect.
    pub warnings: Vec<Problem>,
}

impl Report {
    pub(crate) fn error(&mut self, at: &Pos, message: impl Into<String>) {
        self.errors.push(Problem {
            at: at.clone(),
            message: message.into(),
        });
    }

    pub(crate) fn warn(&mut self, at: &Pos, message: impl Into<String>) {
        self.warnings.push(Problem {
            at: at.clone(),
            message: message.into(),
        });
    }
}

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was read and has mistakes.
    #[error("{}", .0.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Report),
}
