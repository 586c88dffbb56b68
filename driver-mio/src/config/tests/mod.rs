//! The rules of the configuration, one by one.

mod convert;
mod random;
mod rules;
mod syntax;
mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{ConfigError, EffectiveConfig, Problem, Report, parse};

/// Reads a configuration from memory, with files to include.
fn read_with(
    text: &str,
    files: &[(&str, &str)],
) -> Result<(EffectiveConfig, Vec<Problem>), ConfigError> {
    let files: BTreeMap<PathBuf, Vec<u8>> = files
        .iter()
        .map(|(name, content)| (PathBuf::from(name), content.as_bytes().to_vec()))
        .collect();
    parse(
        Path::new("/etc/smb.conf"),
        text.as_bytes(),
        &mut |path: &Path| {
            files
                .get(path)
                .cloned()
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        },
    )
}

/// A configuration without mistakes and warnings.
#[track_caller]
fn good(text: &str) -> EffectiveConfig {
    let (config, warnings) = read_with(text, &[]).unwrap();
    assert_eq!(warnings, []);
    config
}

/// A configuration with warnings but without mistakes.
#[track_caller]
fn warned(text: &str) -> (EffectiveConfig, Vec<String>) {
    let (config, warnings) = read_with(text, &[]).unwrap();
    (config, lines(&warnings))
}

/// The mistakes and warnings of a configuration.
#[track_caller]
fn bad(text: &str) -> Report {
    match read_with(text, &[]) {
        Err(ConfigError::Invalid(report)) => report,
        other => panic!("expected mistakes, got {other:?}"),
    }
}

/// Findings as `line:column message`.
fn lines(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|p| format!("{}:{} {}", p.at.line, p.at.column, p.message))
        .collect()
}

/// Asserts that the only mistake is this one.
#[track_caller]
fn one_mistake(text: &str, expected: &str) {
    assert_eq!(lines(&bad(text).errors), [expected]);
}
