//! The syntax of smb.conf: sections, `name = value`, comments, continued lines, `include`.
//!
//! Own code, because the ini crates drop line numbers or do not know continued lines, and none
//! ignores spaces and case inside names as smb.conf(5) does.
//!
//! Where Samba and ksmbd read the same text differently:
//! - `#` and `;` after white space begin a comment (ksmbd.conf(5)); Samba would make them part of
//!   the value. Without white space before them, or in double quotes, they are part of the value.
//! - a line ending in a backslash goes on in the next (smb.conf(5)); the backslash and the line
//!   break are removed, nothing else. Comments are not continued.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::diag::{Pos, Report};

/// `include` within `include` at most this deep: more is taken for a file that includes itself.
const MAX_INCLUDE_DEPTH: usize = 10;

/// How many lines all files of one configuration may have together. A file that includes itself
/// twice would else make 2^10 readings of it.
const MAX_LINES: usize = 200_000;

/// One `name = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as written, trimmed.
    pub name: String,
    /// Where the name begins.
    pub name_at: Pos,
    /// The value, trimmed and without a comment; may be empty.
    pub value: String,
    /// Where the value begins (or would begin).
    pub value_at: Pos,
    /// A comment after the value has been cut off.
    pub comment_cut: bool,
}

/// One `[section]` as written; a later section of the same name is another element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The text in brackets, trimmed.
    pub name: String,
    /// Where the name begins.
    pub at: Pos,
    /// What stands in it.
    pub entries: Vec<Entry>,
}

/// A configuration as written, includes put in their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// In order of appearance.
    pub sections: Vec<Section>,
}

/// Reads files for `include`; a parameter so that tests need no disk.
pub type Loader<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Vec<u8>>;

/// Removes white space and case from a parameter name: `Guest OK` and `guestok` are the same.
#[must_use]
pub(super) fn normal_name(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Reads `content` of `file` and all that it includes. Mistakes go to `report`; what could be read
/// is returned all the same, so that mistakes further on are found in the same run.
pub(super) fn read(file: &Path, content: &[u8], load: Loader<'_>, report: &mut Report) -> Document {
    let mut reader = Reader {
        load,
        report,
        document: Document::default(),
        skipping: false,
        lines_left: MAX_LINES,
    };
    reader.file(file, content, 0);
    reader.document
}

struct Reader<'a> {
    load: Loader<'a>,
    report: &'a mut Report,
    document: Document,
    /// The last section header was wrong: what follows belongs nowhere, and is no mistake itself.
    skipping: bool,
    lines_left: usize,
}

/// A line with its continuations, and where each piece of it came from.
struct LogicalLine {
    text: String,
    /// Byte offset in `text` and line number of each piece.
    pieces: Vec<(usize, u32)>,
    file: Arc<Path>,
}

impl LogicalLine {
    fn pos(&self, offset: usize) -> Pos {
        let (start, line) = self
            .pieces
            .iter()
            .rev()
            .find(|(start, _)| *start <= offset)
            .copied()
            .unwrap_or((0, 1));
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |before| before.chars().count());
        Pos {
            file: Arc::clone(&self.file),
            line,
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, content: &[u8], depth: usize) {
        let file: Arc<Path> = Arc::from(path);
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut lines = (1u32..).zip(content.split(|&b| b == b'\n'));
        while let Some((number, raw)) = lines.next() {
            let at = Pos {
                file: Arc::clone(&file),
                line: number,
                column: 1,
            };
            let Some(left) = self.lines_left.checked_sub(1) else {
                self.report.error(
                    &at,
                    format!("the configuration has more than {MAX_LINES} lines with all that it includes; expected a file that does not include itself"),
                );
                return;
            };
            self.lines_left = left;
            let Some(text) = self.decode(raw, &at) else {
                continue;
            };
            let mut line = LogicalLine {
                text,
                pieces: vec![(0, number)],
                file: Arc::clone(&file),
            };
            if !is_blank_or_comment(&line.text) {
                while line.text.ends_with('\\') {
                    line.text.pop();
                    let Some((number, raw)) = lines.next() else {
                        break;
                    };
                    let at = Pos {
                        line: number,
                        ..at.clone()
                    };
                    line.pieces.push((line.text.len(), number));
                    match self.decode(raw, &at) {
                        Some(more) => line.text.push_str(&more),
                        None => break,
                    }
                }
                self.line(&line, path, depth);
            }
        }
    }

    fn decode(&mut self, raw: &[u8], at: &Pos) -> Option<String> {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text,
            Err(e) => {
                let column = String::from_utf8_lossy(raw.get(..e.valid_up_to()).unwrap_or(raw))
                    .chars()
                    .count();
                let at = Pos {
                    column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
                    ..at.clone()
                };
                self.report.error(
                    &at,
                    "the line is not UTF-8; expected the file to be saved as UTF-8",
                );
                return None;
            }
        };
        if let Some(column) = text.chars().position(|c| c.is_control() && c != '\t') {
            let at = Pos {
                column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
                ..at.clone()
            };
            self.report
                .error(&at, "the line has a control character; expected plain text");
            return None;
        }
        Some(text.to_owned())
    }

    fn line(&mut self, line: &LogicalLine, path: &Path, depth: usize) {
        let text = line.text.trim_start();
        let start = line.text.len() - text.len();
        if text.is_empty() {
            return;
        }
        if let Some(rest) = text.strip_prefix('[') {
            self.section(line, start, rest);
            return;
        }
        let Some(equals) = text.find('=') else {
            self.report.error(
                &line.pos(start),
                format!(
                    "expected `name = value` or `[section]`, found `{}`",
                    shortened(text)
                ),
            );
            return;
        };
        let name = text[..equals].trim_end();
        if name.is_empty() {
            self.report.error(
                &line.pos(start),
                "expected the name of a parameter before `=`",
            );
            return;
        }
        let rest = &text[equals + 1..];
        let raw_value = rest.trim_start();
        let value_start = line.text.len() - raw_value.len();
        let (value, comment_cut) = without_comment(raw_value);
        let entry = Entry {
            name: name.to_owned(),
            name_at: line.pos(start),
            value: value.to_owned(),
            value_at: line.pos(value_start),
            comment_cut,
        };
        if normal_name(name) == "include" {
            self.include(&entry, path, depth);
            return;
        }
        if self.skipping {
            return;
        }
        match self.document.sections.last_mut() {
            Some(section) => section.entries.push(entry),
            None => self.report.error(
                &entry.name_at,
                format!("`{name}` stands before the first section; expected `[global]` or `[share name]` above it"),
            ),
        }
    }

    fn section(&mut self, line: &LogicalLine, start: usize, rest: &str) {
        self.skipping = true;
        let Some(close) = rest.find(']') else {
            self.report.error(
                &line.pos(start),
                format!(
                    "expected `]` at the end of the section name `[{}`",
                    shortened(rest)
                ),
            );
            return;
        };
        let (after, _) = without_comment(rest[close + 1..].trim_start());
        if !after.is_empty() {
            self.report.error(
                &line.pos(line.text.len() - rest[close + 1..].trim_start().len()),
                format!(
                    "expected the end of the line after `]`, found `{}`",
                    shortened(after)
                ),
            );
            return;
        }
        let name = rest[..close].trim();
        if name.is_empty() || name.contains('[') {
            self.report.error(
                &line.pos(start),
                "expected a section name in brackets, as in `[global]` or `[share name]`",
            );
            return;
        }
        self.skipping = false;
        let lead = rest.len() - rest.trim_start().len();
        self.document.sections.push(Section {
            name: name.to_owned(),
            at: line.pos(start + 1 + lead),
            entries: Vec::new(),
        });
    }

    fn include(&mut self, entry: &Entry, path: &Path, depth: usize) {
        let target = super::value::unquoted(&entry.value);
        if target.is_empty() {
            self.report
                .error(&entry.value_at, "expected a file name after `include =`");
            return;
        }
        if target.contains('%') {
            self.report.warn(
                &entry.value_at,
                format!("`include = {target}` is left out: macros with `%` are not supported"),
            );
            return;
        }
        if target.eq_ignore_ascii_case("registry") {
            self.report.warn(
                &entry.value_at,
                "`include = registry` is left out: Samba's registry is not read",
            );
            return;
        }
        if depth >= MAX_INCLUDE_DEPTH {
            self.report.error(
                &entry.value_at,
                format!("files are included more than {MAX_INCLUDE_DEPTH} deep; expected `{target}` not to include itself"),
            );
            return;
        }
        let target = match path.parent() {
            Some(folder) => folder.join(target),
            None => Path::new(target).to_path_buf(),
        };
        match (self.load)(&target) {
            Ok(content) => {
                // The section that the `include` stands in is the current one inside the file, and
                // again after it.
                let outer = self
                    .document
                    .sections
                    .last()
                    .map(|s| (s.name.clone(), s.at.clone()));
                let count = self.document.sections.len();
                let skipping = self.skipping;
                self.file(&target, &content, depth + 1);
                self.skipping = skipping;
                if let Some((name, at)) = outer
                    && self.document.sections.len() != count
                {
                    self.document.sections.push(Section {
                        name,
                        at,
                        entries: Vec::new(),
                    });
                }
            }
            Err(e) => self.report.error(
                &entry.value_at,
                format!(
                    "cannot read `{}` ({e}); expected a file that exists and can be read",
                    target.display()
                ),
            ),
        }
    }
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', ';'])
}

/// The value up to a comment, trimmed, and whether there was a comment.
pub(super) fn without_comment(value: &str) -> (&str, bool) {
    let mut quoted = false;
    let mut after_space = true;
    for (offset, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' | ';' if after_space && !quoted => return (value[..offset].trim_end(), true),
            _ => {}
        }
        after_space = c.is_whitespace();
    }
    (value.trim_end(), false)
}

/// At most 40 characters of what the file says, for a message.
fn shortened(text: &str) -> String {
    let text = text.trim_end();
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(40).collect();
    short.push('…');
    short
}
