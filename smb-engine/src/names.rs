//! Comparing names: without regard to case, and with the wildcards of [MS-FSA] 2.1.4.4.

/// One character in the form in which names are compared: simple case folding (CaseFolding.txt of
/// Unicode, statuses C and S), which is what the upcased comparison of [MS-FSA] 2.1.4.3 means for
/// all of Unicode. Characters whose folding is more than one character stay.
#[must_use]
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(c)
        .and_then(|folded| char::from_u32(folded.get()))
        .unwrap_or(c)
}

/// A name in the form in which names are compared; the key of maps of names.
#[must_use]
pub fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// Whether two names are the same without regard to case.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || a.chars().map(fold_char).eq(b.chars().map(fold_char))
}

/// Whether a name has the form of [MS-FSCC] 2.1.5.2.1: up to eight characters, and after a dot up to
/// three, all of them ASCII and none of those that DOS forbids.
#[must_use]
pub fn short_enough(name: &str) -> bool {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let fine = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"*+,./:;<=>?[\\]|".contains(&b))
    };
    (1..=8).contains(&base.len())
        && extension.len() <= 3
        && fine(base)
        && fine(extension)
        && !name.ends_with('.')
}

/// An 8.3 name for a name that is none, for backends whose host keeps no short names: the first
/// character of the name, `~`, six digits made from all of it, and three characters of the extension.
/// The same name always gets the same one; that two names of a directory get the same is unlikely,
/// not impossible. `None` for a name that has the form itself.
#[must_use]
pub fn short_name(name: &str) -> Option<String> {
    if short_enough(name) {
        return None;
    }
    let plain = |part: &str, most: usize| -> String {
        part.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            .map(|c| c.to_ascii_uppercase())
            .take(most)
            .collect()
    };
    let (base, extension) = match name.rsplit_once('.') {
        Some((base, extension)) if !base.is_empty() => (base, plain(extension, 3)),
        _ => (name, String::new()),
    };
    // FNV-1a.
    let mut hash = name
        .chars()
        .map(fold_char)
        .flat_map(|c| u32::from(c).to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
    // The low bits alone depend on the last characters too little.
    hash ^= hash >> 32;
    let mut out = format!("{:_<1}~", plain(base, 1));
    for _ in 0..SHORT_DIGITS {
        let digit = u32::try_from(hash % 36).unwrap_or(0);
        out.extend(char::from_digit(digit, 36).map(|c| c.to_ascii_uppercase()));
        hash /= 36;
    }
    if !extension.is_empty() {
        out.push('.');
        out.push_str(&extension);
    }
    Some(out)
}

/// Digits in the names that [`short_name`] makes.
const SHORT_DIGITS: usize = 6;

/// Whether a name could be one that [`short_name`] makes; a backend that does not find a name like
/// this looks for the one that it is made of.
#[must_use]
pub fn is_made_short(name: &str) -> bool {
    let base = name.rsplit_once('.').map_or(name, |(base, _)| base);
    short_enough(name)
        && base.len() == SHORT_DIGITS.saturating_add(2)
        && base.get(1..2) == Some("~")
}

/// Whether a text can be the name of an extended attribute: 1 to 254 ASCII characters, none of them
/// a control character or one of `"*+,/:;<=>?[\]|` ([MS-FSCC] 2.4.15).
#[must_use]
pub fn valid_ea_name(name: &str) -> bool {
    (1..=254).contains(&name.len())
        && name
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && !b"\"*+,/:;<=>?[\\]|".contains(&b))
}

/// A search expression, [MS-FSA] 2.1.4.4: `*` and `?` and their DOS forms `<` (DOS_STAR), `>`
/// (DOS_QM) and `"` (DOS_DOT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    folded: Vec<char>,
}

impl Pattern {
    /// The expression `text`; `None` if it matches every name (`*`, or empty).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if matches!(text, "" | "*") {
            return None;
        }
        Some(Self {
            folded: text.chars().map(fold_char).collect(),
        })
    }

    /// The expression `text` even if it matches every name.
    #[must_use]
    pub fn of_names(text: &str) -> Self {
        Self {
            folded: text.chars().map(fold_char).collect(),
        }
    }

    /// Whether the expression has no wildcards, so that it matches one name at most.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self
            .folded
            .iter()
            .any(|c| matches!(c, '*' | '?' | '<' | '>' | '"'))
    }

    /// The (folded) name, if the expression is literal.
    #[must_use]
    pub fn as_literal(&self) -> Option<String> {
        self.is_literal().then(|| self.folded.iter().collect())
    }

    /// Whether `name` matches.
    ///
    /// Walks the name once, keeping the set of positions in the expression that are possible so
    /// far, so the time is bounded by the product of the two lengths whatever the expression.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().map(fold_char).collect();
        let last_dot = name.iter().rposition(|&c| c == '.');
        let mut now = vec![false; self.folded.len().saturating_add(1)];
        if let Some(first) = now.first_mut() {
            *first = true;
        }
        self.skip_empty(&mut now, name.first().copied(), name.is_empty());
        for (i, &c) in name.iter().enumerate() {
            let mut next = vec![false; now.len()];
            for (p, &e) in self.folded.iter().enumerate() {
                if now.get(p) != Some(&true) {
                    continue;
                }
                let (stay, step) = match e {
                    '*' => (true, false),
                    // DOS_STAR matches everything, but the last dot only if it is not the last
                    // thing it has to match.
                    '<' => (c != '.' || last_dot.is_some_and(|d| i < d), c == '.'),
                    '>' => (false, c != '.'),
                    '"' => (false, c == '.'),
                    '?' => (false, true),
                    e => (false, e == c),
                };
                if stay && let Some(n) = next.get_mut(p) {
                    *n = true;
                }
                if step && let Some(n) = next.get_mut(p.saturating_add(1)) {
                    *n = true;
                }
            }
            let rest = name.get(i.saturating_add(1)).copied();
            self.skip_empty(&mut next, rest, rest.is_none());
            now = next;
        }
        now.last() == Some(&true)
    }

    /// Marks the positions that are reached without taking a character: behind `*` and `<` always,
    /// behind `>` before a dot or at the end, behind `"` at the end.
    fn skip_empty(&self, now: &mut [bool], next: Option<char>, at_end: bool) {
        for (p, &e) in self.folded.iter().enumerate() {
            let passes = match e {
                '*' | '<' => true,
                '>' => at_end || next == Some('.'),
                '"' => at_end,
                _ => false,
            };
            if passes
                && now.get(p) == Some(&true)
                && let Some(n) = now.get_mut(p.saturating_add(1))
            {
                *n = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).is_none_or(|p| p.matches(name))
    }

    #[test]
    fn names_are_compared_folded() {
        for (a, b) in [
            ("straße.ТХТ", "STRAßE.тхт"),
            ("ß", "ẞ"),
            ("Σς", "σσ"),
            ("\u{212a}elvin \u{212b}", "kelvin å"),
            ("ſ", "S"),
            ("ǅ", "ǆ"),
            ("\u{13a0}", "\u{ab70}"),
            ("𐐀", "𐐨"),
            ("ΐ", "\u{1fd3}"),
        ] {
            assert!(same_name(a, b) && fold(a) == fold(b), "{a} {b}");
        }
        // The Turkish i is a letter of its own, and what folds to several characters stays.
        for (a, b) in [
            ("ı", "I"),
            ("İ", "i"),
            ("ß", "ss"),
            ("ﬁ", "fi"),
            ("é", "e\u{301}"),
        ] {
            assert!(!same_name(a, b), "{a} {b}");
        }
        assert!(!same_name("a", "ab"));
    }

    #[test]
    fn short_names_and_attribute_names() {
        for yes in ["A", "a.b", "12345678.123", "A_B~1.TXT"] {
            assert!(short_enough(yes), "{yes}");
        }
        for no in [
            "",
            ".a",
            "a.",
            "123456789",
            "a.1234",
            "a b",
            "a.b.c",
            "\u{e4}",
        ] {
            assert!(!short_enough(no), "{no}");
        }
        for long in [
            "a long name.text",
            ".profile",
            "\u{e4}",
            "a.b.c",
            "x.",
            "name with ~",
        ] {
            let short = short_name(long).unwrap();
            assert!(
                short_enough(&short) && is_made_short(&short),
                "{long} {short}"
            );
            assert_eq!(short_name(&long.to_uppercase()), Some(short));
        }
        assert!(short_name("a long name.text").unwrap().starts_with("A~"));
        assert_ne!(short_name("a long name 1"), short_name("a long name 2"));
        let of_many: std::collections::BTreeSet<_> = (0..100_000)
            .map(|i| short_name(&format!("a long name {i}.text")).unwrap())
            .collect();
        assert!(of_many.len() > 99_980, "{}", of_many.len());
        assert_eq!(short_name("short.txt"), None);
        assert!(
            !is_made_short("short.txt")
                && !is_made_short("~WRL0001.tmp")
                && !is_made_short("BACKUP~1")
        );
        assert!(valid_ea_name("user.name 1"));
        let long = "x".repeat(255);
        for no in ["", "a*", "a\\b", "\u{e4}", "a\n", &long] {
            assert!(!valid_ea_name(no), "{no}");
        }
    }

    #[test]
    fn wildcards() {
        for (p, yes, no) in [
            ("*", &["a", "a.b", ".x"][..], &[][..]),
            ("*.txt", &["a.TXT", ".txt", "a.b.txt"], &["a.tx", "txt"]),
            ("a?c", &["abc", "a.c"], &["ac", "abcd"]),
            ("*.*", &["a.b", "a."], &["a"]),
            ("<.txt", &["a.txt", "a.b.txt"], &["a.txt.b"]),
            // What clients send for `*.` (names without extension) and `???.???`: DOS forms.
            ("<", &["a"], &["a.b", "a.b.c"]),
            ("<\"", &["abc"], &[]),
            (
                ">>>\">>>",
                &["abc", "ab", "a.b", "abc.def", ""],
                &["abcd", "abc.defg"],
            ),
            ("abc\"", &["abc", "abc."], &["abc.d"]),
            ("ab>>", &["ab", "abc", "abcd"], &["abcde"]),
        ] {
            for n in yes {
                assert!(m(p, n), "{p} {n}");
            }
            for n in no {
                assert!(!m(p, n), "{p} {n}");
            }
        }
    }

    #[test]
    fn bad_expressions_take_bounded_time() {
        let p = Pattern::new(&"*a".repeat(200)).unwrap();
        assert!(!p.matches(&"a".repeat(199)));
    }
}
