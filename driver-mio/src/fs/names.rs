//! Names of the host and names of the share.
//!
//! A host name is any bytes but `/` and NUL; a share name is UTF-16 text without control
//! characters, `"*:<>?\|` and trailing dots or spaces ([MS-FSCC] 2.1.5). What the latter forbids is
//! shown through the private-use characters that Services for Macintosh introduced and that macOS
//! and the Linux kernel client translate back by themselves:
//!
//! | host | share |
//! |---|---|
//! | 0x01 to 0x1f | U+F001 to U+F01F |
//! | `" * : < > ? \ \|` | U+F020 to U+F027 |
//! | space, dot at the end | U+F028, U+F029 |
//! | a byte that is not part of UTF-8 | U+F000 + byte (U+F080 to U+F0FF) |
//! | a character that stands for another one | its bytes, as in the line above |
//!
//! A [`NameMap`] of Samba's `catia` comes before this table. Every host name has one share name and
//! is found by it again; besides, what clients may write instead is understood: a plain dot or space
//! at the end, and the private-use characters where the map has others for the same.

use smb_engine::names::{fold, fold_char, short_name};
use smb_engine::vfs::VfsError;
use unicode_normalization::UnicodeNormalization;

const SPECIAL: [char; 8] = ['"', '*', ':', '<', '>', '?', '\\', '|'];
const TRAILING_SPACE: char = '\u{f028}';
const TRAILING_DOT: char = '\u{f029}';
/// NAME_MAX of Linux.
const MAX_NAME: usize = 255;

/// Characters of the host that are shown as others, as `catia:mappings` says; both ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameMap(Vec<(char, char)>);

impl NameMap {
    /// From pairs of host and share character. `None` if a character stands twice on one side, if a
    /// share character is one that names cannot have.
    #[must_use]
    pub fn new(pairs: Vec<(char, char)>) -> Option<Self> {
        // No name of the host has a slash, so there is nothing to stand for it.
        let pairs: Vec<_> = pairs.into_iter().filter(|(host, _)| *host != '/').collect();
        let fine = pairs.iter().enumerate().all(|(i, &(host, share))| {
            let unique = pairs
                .iter()
                .take(i)
                .all(|&(h, s)| h != host && fold_char(s) != fold_char(share));
            unique && host != '\0' && share >= ' ' && share != '/' && !SPECIAL.contains(&share)
        });
        fine.then_some(Self(pairs))
    }

    /// The pairs.
    #[must_use]
    pub fn pairs(&self) -> &[(char, char)] {
        &self.0
    }

    fn of_host(&self, c: char) -> Option<char> {
        self.0.iter().find(|(h, _)| *h == c).map(|(_, s)| *s)
    }

    /// What stands for the character; also in another case, because clients may write it so.
    fn of_share(&self, c: char) -> Option<char> {
        let folded = |s: char| fold_char(s) == fold_char(c);
        self.0
            .iter()
            .find(|(_, s)| *s == c)
            .or_else(|| self.0.iter().find(|(_, s)| folded(*s)))
            .map(|(h, _)| *h)
    }
}

/// `mangled names`: which names have an 8.3 name besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mangled {
    /// None.
    No,
    /// All that do not have that form themselves.
    #[default]
    Yes,
    /// Those with characters that Windows forbids.
    Illegal,
}

/// How the names of a share are made and compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Naming {
    pub(super) map: NameMap,
    pub(super) mangled: Mangled,
    /// Names that differ in Unicode normalisation only are the same.
    pub(super) normalised: bool,
}

impl Naming {
    /// What a host character is shown as, if it is not itself.
    fn shown(&self, c: char) -> Option<char> {
        self.map.of_host(c).or_else(|| special_of(c))
    }

    /// Whether the character stands for another one, so that it cannot stand for itself.
    fn has_meaning(&self, c: char) -> bool {
        matches!(u32::from(c), 0xf001..=0xf029 | 0xf080..=0xf0ff) || self.map.of_share(c).is_some()
    }

    /// The share's name of a host name.
    pub(super) fn to_share(&self, host: &[u8]) -> String {
        let mut out = String::with_capacity(host.len());
        for chunk in host.utf8_chunks() {
            let valid = chunk.valid();
            if valid.is_ascii() && self.map.0.is_empty() && !valid.bytes().any(is_special) {
                out.push_str(valid);
            } else {
                for c in valid.chars() {
                    if let Some(special) = self.shown(c) {
                        out.push(special);
                    } else if self.has_meaning(c) {
                        let mut utf8 = [0; 4];
                        out.extend(c.encode_utf8(&mut utf8).bytes().map(escaped_byte));
                    } else {
                        out.push(c);
                    }
                }
            }
            out.extend(chunk.invalid().iter().map(|&b| escaped_byte(b)));
        }
        replace_trailing(&mut out);
        out
    }

    /// The host's name of a share name of one component. [`VfsError::InvalidName`] for a name that
    /// no host name has: with a character that only the mapping may make.
    pub(super) fn to_host(&self, share: &str) -> Result<Vec<u8>, VfsError> {
        let mut out = Vec::with_capacity(share.len());
        // The one name that this is another writing of.
        let mut proper = String::with_capacity(share.len());
        let mut rest = share.chars().peekable();
        while let Some(c) = rest.next() {
            let host = match u32::from(c) {
                _ if self.map.of_share(c).is_some() => self.map.of_share(c),
                code @ 0xf001..=0xf01f => char::from_u32(code - 0xf000),
                code @ 0xf020..=0xf027 => {
                    let index = usize::try_from(code - 0xf020).unwrap_or(0);
                    SPECIAL.get(index).copied()
                }
                0xf028 if rest.peek().is_none() => Some(' '),
                0xf029 if rest.peek().is_none() => Some('.'),
                code @ 0xf080..=0xf0ff => {
                    out.push(code.to_le_bytes()[0]);
                    proper.push(c);
                    continue;
                }
                _ if special_of(c).is_some() => None,
                _ => Some(c),
            };
            let host = host.ok_or(VfsError::InvalidName)?;
            out.extend(host.encode_utf8(&mut [0; 4]).bytes());
            proper.push(self.shown(host).unwrap_or(host));
        }
        replace_trailing(&mut proper);
        if out.is_empty()
            || matches!(&out[..], b"." | b"..")
            || out.iter().any(|&b| b == b'/' || b == 0)
            || self.to_share(&out) != proper
        {
            return Err(VfsError::InvalidName);
        }
        if out.len() > MAX_NAME {
            return Err(VfsError::NameTooLong);
        }
        Ok(out)
    }

    /// Whether a share name that [`Self::to_host`] takes can only be what [`Self::to_share`] gives;
    /// `false` if that is unknown.
    pub(super) fn is_proper(&self, share: &str) -> bool {
        self.map.0.is_empty() && !share.ends_with(['.', ' '])
    }

    /// The 8.3 name of a host name whose share name is `share`.
    pub(super) fn short(&self, host: &[u8], share: &str) -> Option<String> {
        match self.mangled {
            Mangled::No => None,
            Mangled::Illegal if host == share.as_bytes() => None,
            Mangled::Yes | Mangled::Illegal => short_name(share),
        }
    }
}

/// The form of a share name in which names of different normalisation are the same.
pub(super) fn normal_form(share: &str) -> String {
    if share.is_ascii() {
        return fold(share);
    }
    // Folding and normalising disturb each other in rare cases, so the result is folded again.
    fold(&fold(share).nfc().collect::<String>())
}

/// The private-use character of a host character that Windows forbids anywhere in a name.
fn special_of(c: char) -> Option<char> {
    if ('\u{1}'..='\u{1f}').contains(&c) {
        return char::from_u32(u32::from(c) + 0xf000);
    }
    let index = SPECIAL.iter().position(|&s| s == c)?;
    char::from_u32(0xf020 + u32::try_from(index).ok()?)
}

fn is_special(b: u8) -> bool {
    b < b' ' || SPECIAL.contains(&char::from(b))
}

fn escaped_byte(b: u8) -> char {
    char::from_u32(0xf000 + u32::from(b)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn replace_trailing(name: &mut String) {
    for (plain, mapped) in [(' ', TRAILING_SPACE), ('.', TRAILING_DOT)] {
        if name.ends_with(plain) {
            name.pop();
            name.push(mapped);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_share(host: &[u8]) -> String {
        Naming::default().to_share(host)
    }

    fn to_host(share: &str) -> Result<Vec<u8>, VfsError> {
        Naming::default().to_host(share)
    }

    /// The mapping of Samba's manual.
    fn catia() -> Naming {
        let pairs = [
            ('"', '\u{a8}'),
            ('*', '\u{a4}'),
            ('/', '\u{f8}'),
            (':', '\u{f7}'),
            ('<', '\u{ab}'),
            ('>', '\u{bb}'),
            ('?', '\u{bf}'),
            ('\\', '\u{ff}'),
            ('|', '\u{a6}'),
        ];
        Naming {
            map: NameMap::new(pairs.to_vec()).unwrap(),
            ..Naming::default()
        }
    }

    #[test]
    fn maps_of_catia() {
        let n = catia();
        for (host, share) in [
            (&b"a:b?"[..], "a\u{f7}b\u{bf}"),
            (b"\"<|>\\*", "\u{a8}\u{ab}\u{a6}\u{bb}\u{ff}\u{a4}"),
            ("plain \u{e4}".as_bytes(), "plain \u{e4}"),
            ("\u{f7}".as_bytes(), "\u{f0c3}\u{f0b7}"),
            (b"tab\t.", "tab\u{f009}\u{f029}"),
        ] {
            assert_eq!(n.to_share(host), share);
            assert_eq!(n.to_host(share).unwrap(), host);
        }
        // The private-use range means the same, though names are not shown so.
        assert_eq!(n.to_host("a\u{f022}b\u{f025}").unwrap(), b"a:b?");
        assert_eq!(n.to_host("\u{d8}").unwrap(), "\u{d8}".as_bytes());
        assert_eq!(n.to_host("\u{178}").unwrap(), b"\\");
        for (host, share) in [('a', '/'), ('a', ':'), ('a', '\n'), ('\0', 'a')] {
            assert_eq!(NameMap::new(vec![(host, share)]), None);
        }
        assert_eq!(NameMap::new(vec![('a', 'x'), ('a', 'y')]), None);
        assert_eq!(NameMap::new(vec![('a', 'x'), ('b', 'X')]), None);
    }

    #[test]
    fn other_writings_are_understood() {
        for (share, host) in [
            ("a.", "a."),
            ("a ", "a "),
            ("a. ", "a. "),
            ("..a..", "..a.."),
        ] {
            assert_eq!(to_host(share).unwrap(), host.as_bytes());
        }
    }

    #[test]
    fn short_names_as_configured() {
        let of = |mangled| {
            let n = Naming {
                mangled,
                ..Naming::default()
            };
            ["short.txt", "a long name", "a:b", "end."].map(|host| {
                n.short(host.as_bytes(), &n.to_share(host.as_bytes()))
                    .is_some()
            })
        };
        assert_eq!(of(Mangled::No), [false; 4]);
        assert_eq!(of(Mangled::Yes), [false, true, true, true]);
        assert_eq!(of(Mangled::Illegal), [false, false, true, true]);
    }

    #[test]
    fn normal_forms() {
        for (a, b) in [
            ("\u{e9}", "e\u{301}"),
            ("\u{c9}", "e\u{301}"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
            ("\u{1fd3}", "\u{390}"),
            ("x\u{323}\u{307}", "X\u{307}\u{323}"),
        ] {
            assert_eq!(normal_form(a), normal_form(b), "{a} {b}");
        }
        assert_ne!(normal_form("e"), normal_form("\u{e9}"));
    }

    #[test]
    fn ordinary_names_stay() {
        for name in [
            "a",
            "Grüße.txt",
            "日本語",
            "🦀.rs",
            ".profile",
            "a.b c",
            "x\u{f02e}",
        ] {
            assert_eq!(to_share(name.as_bytes()), name);
            assert_eq!(to_host(name).unwrap(), name.as_bytes());
        }
    }

    #[test]
    fn forbidden_characters_are_mapped() {
        for (host, share) in [
            (&b"a:b"[..], "a\u{f022}b"),
            (
                b"\"*<>?\\|",
                "\u{f020}\u{f021}\u{f023}\u{f024}\u{f025}\u{f026}\u{f027}",
            ),
            (b"tab\t", "tab\u{f009}"),
            (b"end.", "end\u{f029}"),
            (b"end ", "end\u{f028}"),
            (b"...", "..\u{f029}"),
            (b"\xff\xe9t\xe9", "\u{f0ff}\u{f0e9}t\u{f0e9}"),
            ("\u{f022}".as_bytes(), "\u{f0ef}\u{f080}\u{f0a2}"),
        ] {
            assert_eq!(to_share(host), share);
            assert_eq!(to_host(share).unwrap(), host);
        }
    }

    #[test]
    fn what_would_come_back_differently_is_refused() {
        for bad in [
            "a:b",
            "*",
            "\u{f029}",
            ".\u{f029}",
            "\u{f0c3}\u{f0a9}",
            "a/b",
            "",
            "x\u{f028}y",
            "\u{f029}x",
            "\u{1}",
        ] {
            assert_eq!(to_host(bad), Err(VfsError::InvalidName), "{bad:?}");
        }
        assert_eq!(to_host(&"n".repeat(256)), Err(VfsError::NameTooLong));
        assert_eq!(to_host(&"é".repeat(128)), Err(VfsError::NameTooLong));
        assert!(to_host(&"n".repeat(255)).is_ok());
    }

    proptest! {
        #[test]
        fn every_host_name_is_found_again(
            host in prop::collection::vec(
                prop_oneof![1u8..=255, Just(b'.'), Just(b' '), Just(0xef), Just(0x80)], 1..40)
        ) {
            prop_assume!(!host.contains(&b'/') && host != b"." && host != b"..");
            let share = to_share(&host);
            prop_assert!(!share.ends_with(['.', ' ']));
            prop_assert!(!share.contains(|c: char| c < ' ' || SPECIAL.contains(&c)));
            prop_assert_eq!(&to_host(&share).unwrap(), &host);
            let n = catia();
            prop_assert_eq!(n.to_host(&n.to_share(&host)).unwrap(), host);
        }

        #[test]
        fn every_share_name_comes_back_or_is_refused(share in "\\PC{0,20}") {
            if let Ok(host) = to_host(&share) {
                let proper = to_share(&host);
                prop_assert_eq!(to_host(&proper), Ok(host));
                if !share.ends_with(['.', ' ']) {
                    prop_assert_eq!(proper, share);
                }
            }
        }
    }
}
