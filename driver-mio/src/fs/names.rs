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
//! | one of these private-use characters itself | its three bytes, as in the line above |
//!
//! Every host name has one share name and is found by it again.

use smb_engine::vfs::VfsError;

const SPECIAL: [char; 8] = ['"', '*', ':', '<', '>', '?', '\\', '|'];
const TRAILING_SPACE: char = '\u{f028}';
const TRAILING_DOT: char = '\u{f029}';

/// The private-use character of a host character that Windows forbids anywhere in a name.
fn special_of(c: char) -> Option<char> {
    if ('\u{1}'..='\u{1f}').contains(&c) {
        return char::from_u32(u32::from(c) + 0xf000);
    }
    let index = SPECIAL.iter().position(|&s| s == c)?;
    char::from_u32(0xf020 + u32::try_from(index).ok()?)
}

fn escaped_byte(b: u8) -> char {
    char::from_u32(0xf000 + u32::from(b)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether the mapping gives this character a meaning, so that it cannot stand for itself.
fn has_meaning(c: char) -> bool {
    matches!(u32::from(c), 0xf001..=0xf029 | 0xf080..=0xf0ff)
}

/// The share's name of a host name.
pub(super) fn to_share(host: &[u8]) -> String {
    let mut out = String::with_capacity(host.len());
    for chunk in host.utf8_chunks() {
        for c in chunk.valid().chars() {
            if let Some(special) = special_of(c) {
                out.push(special);
            } else if has_meaning(c) {
                let mut utf8 = [0; 4];
                out.extend(c.encode_utf8(&mut utf8).bytes().map(escaped_byte));
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().map(|&b| escaped_byte(b)));
    }
    for (plain, mapped) in [(' ', TRAILING_SPACE), ('.', TRAILING_DOT)] {
        if out.ends_with(plain) {
            out.pop();
            out.push(mapped);
            break;
        }
    }
    out
}

/// The host's name of a share name of one component. [`VfsError::InvalidName`] for a name that
/// would come back as another one (it has a character that only the mapping may make).
pub(super) fn to_host(share: &str) -> Result<Vec<u8>, VfsError> {
    let mut out = Vec::with_capacity(share.len());
    for c in share.chars() {
        match u32::from(c) {
            code @ 0xf001..=0xf01f => out.push(code.to_le_bytes()[0]),
            code @ 0xf020..=0xf027 => {
                let index = usize::try_from(code - 0xf020).unwrap_or(0);
                out.extend(SPECIAL.get(index).map(|&s| u32::from(s).to_le_bytes()[0]));
            }
            0xf028 => out.push(b' '),
            0xf029 => out.push(b'.'),
            code @ 0xf080..=0xf0ff => out.push(code.to_le_bytes()[0]),
            _ => {
                let mut utf8 = [0; 4];
                out.extend(c.encode_utf8(&mut utf8).bytes());
            }
        }
    }
    if out.is_empty()
        || matches!(&out[..], b"." | b"..")
        || out.iter().any(|&b| b == b'/' || b == 0)
        || to_share(&out) != share
    {
        return Err(VfsError::InvalidName);
    }
    if out.len() > MAX_NAME {
        return Err(VfsError::NameTooLong);
    }
    Ok(out)
}

/// NAME_MAX of Linux.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            "a.",
            "a ",
            "a:b",
            "*",
            "\u{f029}",
            ".\u{f029}",
            "\u{f0c3}\u{f0a9}",
            "a/b",
            "",
            "x\u{f028}y",
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
            prop_assert_eq!(to_host(&share).unwrap(), host);
        }

        #[test]
        fn every_share_name_comes_back_or_is_refused(share in "\\PC{0,20}") {
            if let Ok(host) = to_host(&share) {
                prop_assert_eq!(to_share(&host), share);
            }
        }
    }
}
