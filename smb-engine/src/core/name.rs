//! Names as clients write them, [MS-FSCC] 2.1.5, taken apart and checked.

use smb_proto::NtStatus;
use smb_proto::wire::utf16_len;

use crate::vfs::{Location, SharePath};

/// A name, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) at: Location,
    /// The name says that it is a data stream: `file:stream`, `file::$DATA`.
    pub(crate) data: bool,
    /// The name insists on a directory: a trailing backslash, `dir::$INDEX_ALLOCATION`.
    pub(crate) directory: bool,
}

impl Name {
    /// Takes a name relative to the share apart ([MS-FSCC] 2.1.5, [MS-SMB2] 3.3.5.9).
    /// `max_component` is the longest component in UTF-16 units.
    ///
    /// A slash separates components too: it can be part of no name, and clients that were written
    /// against Samba, which takes it so, send it.
    ///
    /// SMB2_FLAGS_DFS_OPERATIONS changes nothing: no share here is in a DFS namespace, for which
    /// 3.3.5.9 has the name taken as it is.
    pub(crate) fn parse(text: &str, max_component: u32) -> Result<Self, NtStatus> {
        const BAD: NtStatus = NtStatus::OBJECT_NAME_INVALID;
        let text = text.replace('/', "\\");
        if text.starts_with('\\') {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let (text, trailing) = match text.strip_suffix('\\') {
            Some(rest) => (rest, true),
            None => (text.as_str(), false),
        };
        if text.is_empty() {
            return Ok(Self {
                at: Location::default(),
                data: false,
                directory: false,
            });
        }
        // Streams hang on the last component; a colon before it is a bad character.
        let last_at = text.rfind('\\').map_or(0, |i| i.saturating_add(1));
        let (path, suffix) = match text.get(last_at..).and_then(|last| last.find(':')) {
            Some(colon) => text
                .split_at_checked(last_at.saturating_add(colon))
                .ok_or(BAD)?,
            None => (text, ""),
        };
        let max = usize::try_from(max_component)
            .unwrap_or(usize::MAX)
            .saturating_mul(2);
        let path = SharePath::new(&resolve(path, max)?).ok_or(BAD)?;
        let (stream, data, index) = parse_suffix(suffix, max)?;
        if trailing && data {
            return Err(BAD);
        }
        Ok(Self {
            at: Location { path, stream },
            data,
            directory: trailing || index,
        })
    }
}

/// Checks the components of a path and takes `..` away together with what it leaves, as Samba does:
/// on the text, so that no link decides where it leads. What would leave the share is refused with
/// the status that Windows has for it.
fn resolve(path: &str, max_bytes: usize) -> Result<String, NtStatus> {
    let mut components = Vec::new();
    for component in path.split('\\') {
        if component == ".." {
            components.pop().ok_or(NtStatus::OBJECT_PATH_SYNTAX_BAD)?;
        } else if !path.is_empty() {
            check_component(component, max_bytes)?;
            components.push(component);
        }
    }
    Ok(components.join("\\"))
}

/// One component of a path, [MS-FSCC] 2.1.5.2.
fn check_component(component: &str, max_bytes: usize) -> Result<(), NtStatus> {
    let bad = |c: char| c < ' ' || matches!(c, '"' | '/' | ':' | '|' | '<' | '>' | '*' | '?');
    if component.is_empty()
        || component == "."
        || component.contains(bad)
        || utf16_len(component) > max_bytes
    {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(())
}

/// `:stream`, `:stream:$DATA`, `::$DATA` or `:$I30:$INDEX_ALLOCATION` ([MS-FSCC] 2.1.5.3): the
/// stream's name, whether a data stream was named, whether a directory was.
fn parse_suffix(suffix: &str, max_bytes: usize) -> Result<(Option<String>, bool, bool), NtStatus> {
    const BAD: NtStatus = NtStatus::OBJECT_NAME_INVALID;
    let Some(rest) = suffix.strip_prefix(':') else {
        return Ok((None, false, false));
    };
    let (name, kind) = match rest.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (rest, None),
    };
    // Far more characters are good here than in a file's name ([MS-FSCC] 2.1.5.3).
    if name.contains(['/', '\0']) || utf16_len(name) > max_bytes {
        return Err(BAD);
    }
    match kind {
        None if name.is_empty() => Err(BAD),
        None => Ok((Some(name.to_owned()), true, false)),
        Some(kind) if kind.eq_ignore_ascii_case("$DATA") => {
            let name = (!name.is_empty()).then(|| name.to_owned());
            Ok((name, true, false))
        }
        Some(kind)
            if kind.eq_ignore_ascii_case("$INDEX_ALLOCATION")
                && (name.is_empty() || name.eq_ignore_ascii_case("$I30")) =>
        {
            Ok((None, false, true))
        }
        Some(_) => Err(BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let name = |text: &str| Name::parse(text, 255);
        let loc = |path: &str, stream: Option<&str>| Location {
            path: SharePath::new(path).unwrap(),
            stream: stream.map(str::to_owned),
        };
        for (text, path, stream, data, directory) in [
            ("", "", None, false, false),
            ("a", "a", None, false, false),
            ("a\\b.txt", "a\\b.txt", None, false, false),
            ("a\\b\\", "a\\b", None, false, true),
            ("a:s", "a", Some("s"), true, false),
            ("d\\a:s:$DATA", "d\\a", Some("s"), true, false),
            ("a:s:$data", "a", Some("s"), true, false),
            ("a::$Data", "a", None, true, false),
            ("a::$INDEX_ALLOCATION", "a", None, false, true),
            ("a:$i30:$INDEX_ALLOCATION", "a", None, false, true),
            (":s", "", Some("s"), true, false),
            ("a:?Stream*", "a", Some("?Stream*"), true, false),
            (
                "a:\u{5}Stream\n One",
                "a",
                Some("\u{5}Stream\n One"),
                true,
                false,
            ),
            ("é\u{1f600}", "é\u{1f600}", None, false, false),
            ("a/b\\c/", "a\\b\\c", None, false, true),
            ("a.", "a.", None, false, false),
            ("...", "...", None, false, false),
            ("a\\..\\b", "b", None, false, false),
            ("a\\b\\..", "a", None, false, false),
            ("a\\..", "", None, false, false),
        ] {
            let expected = Name {
                at: loc(path, stream),
                data,
                directory,
            };
            assert_eq!(name(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn bad_names() {
        let long = "x".repeat(256);
        let emoji = "\u{1f600}".repeat(128);
        for (text, expected) in [
            ("\\a", NtStatus::INVALID_PARAMETER),
            ("\\", NtStatus::INVALID_PARAMETER),
            ("..\\..\\..", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            ("a\\..\\..\\b", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            ("a\\.\\b", NtStatus::OBJECT_NAME_INVALID),
            (".", NtStatus::OBJECT_NAME_INVALID),
            ("a\\\\b", NtStatus::OBJECT_NAME_INVALID),
            ("a\\\\", NtStatus::OBJECT_NAME_INVALID),
            ("a*", NtStatus::OBJECT_NAME_INVALID),
            ("a?\\b", NtStatus::OBJECT_NAME_INVALID),
            ("/a", NtStatus::INVALID_PARAMETER),
            ("a/../../b", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            ("a\u{1}", NtStatus::OBJECT_NAME_INVALID),
            ("a\0", NtStatus::OBJECT_NAME_INVALID),
            ("a:s\\b", NtStatus::OBJECT_NAME_INVALID),
            ("a:", NtStatus::OBJECT_NAME_INVALID),
            ("a::", NtStatus::OBJECT_NAME_INVALID),
            ("a:::", NtStatus::OBJECT_NAME_INVALID),
            ("a:s:", NtStatus::OBJECT_NAME_INVALID),
            ("a:s:$DATA:", NtStatus::OBJECT_NAME_INVALID),
            ("a:s:$BITMAP", NtStatus::OBJECT_NAME_INVALID),
            ("a:s:$INDEX_ALLOCATION", NtStatus::OBJECT_NAME_INVALID),
            ("a:s/t", NtStatus::OBJECT_NAME_INVALID),
            ("a:s\\", NtStatus::OBJECT_NAME_INVALID),
            ("d\\:s", NtStatus::OBJECT_NAME_INVALID),
            (long.as_str(), NtStatus::OBJECT_NAME_INVALID),
            (emoji.as_str(), NtStatus::OBJECT_NAME_INVALID),
        ] {
            assert_eq!(Name::parse(text, 255), Err(expected), "{text:?}");
        }
        assert!(Name::parse(&"x".repeat(255), 255).is_ok());
        assert!(Name::parse(&"\u{1f600}".repeat(127), 255).is_ok());
    }

    proptest! {
        #[test]
        fn no_name_leaves_the_share(text in "[a.:\\\\/$é*\\x00DATA]{0,20}") {
            if let Ok(name) = Name::parse(&text, 255) {
                for c in name.at.path.components() {
                    prop_assert!(c != ".." && c != "." && !c.contains(['/', '\0', ':', '*']));
                }
                if let Some(s) = name.at.stream {
                    prop_assert!(!s.is_empty() && !s.contains(['/', '\0', ':', '\\']));
                }
            }
        }
    }
}
