//! Names inside a share.

use std::fmt;

/// A path inside a share: components separated by backslashes, none of them empty, `.` or `..`;
/// the empty path is the share's root. The server checks names before it makes one, so a backend
/// may rely on this form; what further characters a backend's host forbids is the backend's affair.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SharePath(String);

impl SharePath {
    /// The share's root directory.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// From text in the form described at the type; `None` if it is not in that form.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fine = text.is_empty()
            || text
                .split('\\')
                .all(|c| !c.is_empty() && c != "." && c != ".." && !c.contains(['/', '\0']));
        fine.then(|| Self(text.to_owned()))
    }

    /// The text, components separated by backslashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the share's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('\\').filter(|c| !c.is_empty())
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('\\').next().unwrap_or("")
    }

    /// The path without its last component; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(
            self.0
                .rsplit_once('\\')
                .map_or("", |(dir, _)| dir)
                .to_owned(),
        ))
    }

    /// The path of `name` in this directory; `None` if `name` is not one proper component.
    #[must_use]
    pub fn join(&self, name: &str) -> Option<Self> {
        if name.is_empty() || name.contains('\\') {
            return None;
        }
        Self::new(&if self.is_root() {
            name.to_owned()
        } else {
            format!("{}\\{name}", self.0)
        })
    }

    /// If this path is `dir` or lies beneath it (compared without regard to case): what follows
    /// `dir`, without leading backslash.
    #[must_use]
    pub fn beneath<'a>(&'a self, dir: &Self) -> Option<&'a str> {
        if dir.is_root() {
            return Some(&self.0);
        }
        let mut mine = self.components();
        for theirs in dir.components() {
            if !crate::names::same_name(mine.next()?, theirs) {
                return None;
            }
        }
        let depth = dir.components().count();
        let skip = self
            .components()
            .take(depth)
            .map(|c| c.len().saturating_add(1))
            .sum::<usize>();
        Some(self.0.get(skip..).unwrap_or(""))
    }
}

impl fmt::Display for SharePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SharePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A file or directory, or one of its named streams ([MS-FSCC] 2.1.5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// The file or directory.
    pub path: SharePath,
    /// The name of an alternate data stream, without colons and type; `None` for the unnamed one.
    pub stream: Option<String>,
}

impl From<SharePath> for Location {
    fn from(path: SharePath) -> Self {
        Self { path, stream: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proper_paths() {
        for bad in ["\\a", "a\\", "a\\\\b", ".", "a\\..\\b", "a/b", "a\0"] {
            assert_eq!(SharePath::new(bad), None, "{bad:?}");
        }
        let p = SharePath::new("Dir\\sub\\f.txt").unwrap();
        assert_eq!(p.file_name(), "f.txt");
        assert_eq!(p.parent().unwrap().as_str(), "Dir\\sub");
        assert_eq!(
            p.beneath(&SharePath::new("dIR").unwrap()),
            Some("sub\\f.txt")
        );
        assert_eq!(p.beneath(&p), Some(""));
        assert_eq!(p.beneath(&SharePath::new("Di").unwrap()), None);
        assert_eq!(SharePath::root().join("a").unwrap().as_str(), "a");
        assert_eq!(SharePath::root().join("a\\b"), None);
        assert_eq!(SharePath::root().parent(), None);
    }
}
