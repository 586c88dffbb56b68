//! What the parameters of snapshots (`shadow:…`) can say.

use std::path::PathBuf;

use super::value::{Choice, Expected, Setting, choice_setting};

/// In which order clients see snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotOrder {
    /// The newest first.
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

impl Choice for SnapshotOrder {
    const WORDS: &'static [(&'static str, Self)] =
        &[("desc", Self::NewestFirst), ("asc", Self::OldestFirst)];
}

choice_setting!(SnapshotOrder);

/// A directory of snapshots; it may be relative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotDir(pub PathBuf);

impl Setting for SnapshotDir {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let path = PathBuf::from(String::parse(text, notes)?);
        let up = path
            .components()
            .any(|c| c == std::path::Component::ParentDir);
        if up || path.as_os_str().is_empty() {
            return Err(Expected::new("a directory, without `..`"));
        }
        Ok(Self(path))
    }

    fn show(&self) -> String {
        self.0.to_string_lossy().into_owned().show()
    }
}

/// How names tell a time, with the conversions of strptime(3) that are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat(pub String);

impl Setting for TimeFormat {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        // Not macros, although they look like some: nothing is said about them.
        let text = String::parse(text, &mut Vec::new())?;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '/' || (c == '%' && !chars.next().is_some_and(|c| "YmdHMSsFT%".contains(c))) {
                return Err(Expected::new(
                    "a name with %Y, %m, %d, %H, %M, %S, %s, %F, %T and %%",
                ));
            }
        }
        Ok(Self(text))
    }

    fn show(&self) -> String {
        self.0.show()
    }
}
