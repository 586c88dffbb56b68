//! Reading and writing the values of parameters: one implementation of [`Setting`] per type.

use std::path::{Path, PathBuf};

use crate::fs::NameMap;

use super::reader::without_comment;

/// A value that was not understood: what was expected instead, as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(pub String);

impl Expected {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// A type that a parameter's value can have. `parse(show(v)) == v` for every value that `parse`
/// returns.
pub trait Setting: Sized {
    /// Any text is right, so a comment cut off its end may have been meant as part of it.
    const FREE_TEXT: bool = false;

    /// Reads a value, which is never empty. What is understood but will not have the effect that
    /// the text says goes to `notes`.
    ///
    /// # Errors
    /// What was expected instead.
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected>;

    /// The value as a configuration file has it.
    fn show(&self) -> String;
}

/// Removes double quotes around a value. As in Samba they stay if there are more inside.
#[must_use]
pub(super) fn unquoted(text: &str) -> &str {
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) if !inner.contains('"') => inner,
        _ => text,
    }
}

/// Puts quotes around a text that would be read differently without.
fn quoted_if_needed(text: &str) -> String {
    let needs =
        text.is_empty() || text.ends_with('\\') || without_comment(text.trim()) != (text, false);
    if needs && !text.contains('"') {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

impl Setting for bool {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "enable" | "enabled" => Ok(true),
            "no" | "false" | "off" | "0" | "disable" | "disabled" => Ok(false),
            _ => Err(Expected::new("`yes` or `no`")),
        }
    }

    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Setting for String {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let text = unquoted(text);
        if let Some(found) = macro_in(text) {
            notes.push(format!(
                "macros are not supported: `{found}` is taken as it is written"
            ));
        }
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        quoted_if_needed(self)
    }
}

/// The first `%X` that Samba would replace (smb.conf(5), VARIABLE SUBSTITUTIONS).
fn macro_in(text: &str) -> Option<&str> {
    const LETTERS: &str = "UGhmLMRdaIiTDwvVuSPgHNjJtpEFKOYXZ$(";
    text.match_indices('%')
        .find(|(at, _)| text[at + 1..].starts_with(|c| LETTERS.contains(c)))
        .and_then(|(at, _)| text.get(at..at + 2))
}

/// A directory or file by its absolute path.
impl Setting for PathBuf {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let text = String::parse(text, notes)?;
        let path = Path::new(&text);
        if !path.is_absolute() {
            return Err(Expected::new("an absolute path, as in `/srv/files`"));
        }
        Ok(path.to_path_buf())
    }

    fn show(&self) -> String {
        // Paths are made from text above, so nothing is lost here.
        quoted_if_needed(&self.to_string_lossy())
    }
}

/// An optional value: unset until given.
impl<T: Setting> Setting for Option<T> {
    const FREE_TEXT: bool = T::FREE_TEXT;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        T::parse(text, notes).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

impl Setting for u32 {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        text.parse()
            .map_err(|_| Expected::new(format!("a number from 0 to {}", Self::MAX)))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number with an optional suffix K, M, G, T, P or E for powers of 1024, upper or lower case,
/// and an optional `B` after it (`4MB`). Decimal, or hexadecimal with `0x`.
///
/// # Errors
/// If it is not such a number or does not fit 64 bits.
pub(super) fn parse_size(text: &str) -> Result<u64, Expected> {
    let expected = || Expected::new("a number with or without one of K, M, G, T, P, E, as in `4M`");
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None => (text, 10),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    if number.is_empty() {
        return Err(expected());
    }
    let number =
        u64::from_str_radix(number, radix).map_err(|_| Expected::new("a number below 16E"))?;
    let suffix = suffix.trim_start().to_ascii_lowercase();
    let unit = match suffix.strip_suffix('b') {
        Some(unit) => unit,
        None => suffix.as_str(),
    };
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return Err(expected()),
    };
    (0..power)
        .try_fold(number, |n, _| n.checked_mul(1024))
        .ok_or_else(|| Expected::new("a number below 16E"))
}

/// The shortest way to write a size.
#[must_use]
pub(super) fn show_size(mut size: u64) -> String {
    let mut unit = "";
    for next in ["K", "M", "G", "T", "P", "E"] {
        if size == 0 || !size.is_multiple_of(1024) {
            break;
        }
        size /= 1024;
        unit = next;
    }
    format!("{size}{unit}")
}

/// How many of something are allowed: 1 to 65,536. As in ksmbd 0 means the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(pub u32);

impl Limit {
    /// The most that can be allowed.
    pub const MAX: Self = Self(65_536);
}

impl Setting for Limit {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let n = parse_size(text)?;
        match u32::try_from(n) {
            Ok(0) => Ok(Self::MAX),
            Ok(n) if n <= Self::MAX.0 => Ok(Self(n)),
            _ => {
                notes.push(format!("{n} is more than can be: {} is used", Self::MAX.0));
                Ok(Self::MAX)
            }
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// How many bytes one request may carry: 64 KiB to 8 MiB, as in ksmbd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IoSize(pub u32);

impl IoSize {
    /// 64 KiB
    pub const MIN: Self = Self(64 << 10);
    /// 8 MiB
    pub const MAX: Self = Self(8 << 20);
}

impl Setting for IoSize {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let n = parse_size(text)?;
        let size = match u32::try_from(n) {
            Ok(n) if n < Self::MIN.0 => Self::MIN,
            Ok(n) if n <= Self::MAX.0 => return Ok(Self(n)),
            _ => Self::MAX,
        };
        notes.push(format!(
            "{} is outside 64K to 8M: {} is used",
            show_size(n),
            size.show()
        ));
        Ok(size)
    }

    fn show(&self) -> String {
        show_size(u64::from(self.0))
    }
}

/// How many credits a connection can have: 1 to 8192 ([MS-SMB2] 3.3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credits(pub u16);

impl Setting for Credits {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        const MAX: u16 = 8192;
        match parse_size(text)? {
            0 => Err(Expected::new("a number from 1 to 8192")),
            n => match u16::try_from(n) {
                Ok(n) if n <= MAX => Ok(Self(n)),
                _ => {
                    notes.push(format!("{n} is more than can be: {MAX} is used"));
                    Ok(Self(MAX))
                }
            },
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// Permission bits, in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Setting for Mode {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|m| *m <= 0o7777)
            .map(Self)
            .ok_or_else(|| Expected::new("permission bits in octal from 0000 to 7777"))
    }

    fn show(&self) -> String {
        format!("{:04o}", self.0)
    }
}

/// The TCP ports that are listened to. Port 139 speaks NetBIOS, which this server does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(pub Vec<u16>);

impl Setting for Ports {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let mut ports = Vec::new();
        for word in list(text) {
            let port: u16 = word
                .parse()
                .ok()
                .filter(|p| *p != 0)
                .ok_or_else(|| Expected::new("port numbers from 1 to 65535"))?;
            if port == 139 {
                notes.push("port 139 is left out: NetBIOS is not supported".to_owned());
            } else if !ports.contains(&port) {
                ports.push(port);
            }
        }
        if ports.is_empty() {
            return Err(Expected::new(
                "at least one port other than 139, as in `445`",
            ));
        }
        Ok(Self(ports))
    }

    fn show(&self) -> String {
        let ports: Vec<_> = self.0.iter().map(u16::to_string).collect();
        ports.join(" ")
    }
}

/// The elements of a list, separated by commas, semicolons, tabs and spaces. Double quotes keep
/// spaces in an element.
#[must_use]
pub(super) fn list(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' | ',' | ';' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Writes a list so that [`list`] reads the same elements.
#[must_use]
pub(super) fn show_list<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| {
            let word = word.as_ref();
            if word.contains([' ', '\t', ',', ';', '#']) || word.ends_with('\\') {
                format!("\"{word}\"")
            } else {
                word.to_owned()
            }
        })
        .collect();
    words.join(", ")
}

impl Setting for Vec<String> {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        let words = list(text);
        if words.is_empty() {
            return Err(Expected::new("at least one name"));
        }
        Ok(words)
    }

    fn show(&self) -> String {
        show_list(self)
    }
}

/// A user or a group in a list such as `valid users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A user by name.
    User(String),
    /// All members of a group of the system (`@group` or `+group`).
    Group(String),
}

impl Setting for Vec<Principal> {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let words = list(text);
        if words.is_empty() {
            return Err(Expected::new("user names, and group names after `@`"));
        }
        words
            .into_iter()
            .map(|word| {
                if let Some(found) = macro_in(&word) {
                    notes.push(format!(
                        "macros are not supported: `{found}` is taken as it is written"
                    ));
                }
                let name = word.trim_start_matches(['@', '+', '&']);
                if name.is_empty() {
                    return Err(Expected::new("user names, and group names after `@`"));
                }
                let sigil = &word[..word.len() - name.len()];
                if sigil.contains('&') {
                    notes.push(format!(
                        "NIS netgroups are not supported: `{word}` is taken for a group of the system"
                    ));
                }
                Ok(if sigil.is_empty() {
                    Principal::User(word)
                } else {
                    Principal::Group(name.to_owned())
                })
            })
            .collect()
    }

    fn show(&self) -> String {
        show_list(self.iter().map(|p| match p {
            Principal::User(name) => name.clone(),
            Principal::Group(name) => format!("@{name}"),
        }))
    }
}

/// Names of files between slashes: `/a/b*/`. `*` and `?` are wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameList(pub Vec<String>);

impl Setting for NameList {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let text = String::parse(text, notes)?;
        if !text.starts_with('/') {
            return Err(Expected::new(
                "names between slashes, as in `/Thumbs.db/*.tmp/`",
            ));
        }
        let names: Vec<String> = text
            .split('/')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Err(Expected::new("at least one name between slashes"));
        }
        Ok(Self(names))
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        quoted_if_needed(&format!("/{}/", self.0.join("/")))
    }
}

/// Characters of the host and what they are shown as, in Samba's form: pairs of hexadecimal Unicode
/// numbers, as in `0x22:0xa8,0x2a:0xa4`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mappings(pub NameMap);

impl Setting for Mappings {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        let number = |text: &str| {
            let digits = text.trim().strip_prefix("0x")?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        };
        text.split(',')
            .map(|pair| {
                let (host, share) = pair.split_once(':')?;
                Some((number(host)?, number(share)?))
            })
            .collect::<Option<Vec<_>>>()
            .and_then(NameMap::new)
            .map(Self)
            .ok_or_else(|| {
                Expected::new(
                    "pairs of Unicode numbers as in `0x3a:0xf7,0x2a:0xa4`, each number once on its \
                     side, and behind the colon none that names cannot have",
                )
            })
    }

    fn show(&self) -> String {
        let pair = |(h, s): &(char, char)| format!("0x{:x}:0x{:x}", u32::from(*h), u32::from(*s));
        let pairs: Vec<_> = self.0.pairs().iter().map(pair).collect();
        pairs.join(",")
    }
}

/// A type whose values are words of a fixed list.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every word and what it means; the first word of a meaning is the one that is shown.
    const WORDS: &'static [(&'static str, Self)];
}

pub(crate) fn parse_choice<T: Choice>(text: &str) -> Result<T, Expected> {
    T::WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
        .ok_or_else(|| Expected::new(choices::<T>()))
}

pub(crate) fn show_choice<T: Choice>(value: T) -> &'static str {
    T::WORDS
        .iter()
        .find(|(_, v)| *v == value)
        .map_or("", |(word, _)| word)
}

/// "`a`, `b` or `c`": the words that are shown, without their synonyms.
fn choices<T: Choice>() -> String {
    let mut words: Vec<String> = Vec::new();
    for (word, value) in T::WORDS {
        if show_choice(*value) == *word {
            words.push(format!("`{word}`"));
        }
    }
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

/// Algorithms in order of preference. As in Samba, words that begin with `-` are taken out of
/// `defaults` and words that begin with `+` added to them.
pub(crate) fn parse_algorithms<T: Choice>(text: &str, defaults: &[T]) -> Result<Vec<T>, Expected> {
    let words = list(text);
    let relative = words.iter().filter(|w| w.starts_with(['+', '-'])).count();
    if relative != 0 && relative != words.len() {
        return Err(Expected::new(
            "either a list of algorithms or changes to the default list that all begin with `-` or `+`",
        ));
    }
    let mut algorithms = if relative == 0 {
        Vec::new()
    } else {
        defaults.to_vec()
    };
    for word in &words {
        let algorithm: T = parse_choice(word.trim_start_matches(['+', '-']))?;
        if word.starts_with('-') {
            algorithms.retain(|a| *a != algorithm);
        } else if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    if algorithms.is_empty() {
        return Err(Expected::new(format!("at least one of {}", choices::<T>())));
    }
    Ok(algorithms)
}

/// Implements [`Setting`] for types that implement [`Choice`].
macro_rules! choice_setting {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::config::value::Setting for $type {
            fn parse(
                text: &str,
                _: &mut Vec<String>,
            ) -> Result<Self, $crate::config::value::Expected> {
                $crate::config::value::parse_choice(text)
            }

            fn show(&self) -> String {
                $crate::config::value::show_choice(*self).to_owned()
            }
        }
    )+};
}
pub(crate) use choice_setting;
