//! The user database, in the format of ksmbdpwd.db(5): one `name:base64(NT hash)` a line.
//!
//! Blank lines and lines that begin with `#` or `;` are kept as they are. A change is written to a
//! new file that then takes the place of the old one, so that a reader sees either and a crash
//! loses neither.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use smb_engine::names::same_name;
use smb_proto::crypto::ntlm::NtHash;
use zeroize::Zeroizing;

/// Where the database is found beside a configuration.
pub const DEFAULT_FILE_NAME: &str = "ksmbdpwd.db";

/// Names have at most this many bytes, as in ksmbd.
const MAX_NAME: usize = 47;

/// More than this is no user database.
const MAX_FILE: u64 = 64 << 20;

/// With or without `=` at the end: ksmbd takes both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is wrong with a user database, or with a change to it.
#[derive(Debug, thiserror::Error)]
pub enum UserDbError {
    /// It could not be read.
    #[error("cannot read the user database `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be written.
    #[error("cannot write the user database `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody can read it, and an NT hash is as good as the password.
    #[error(
        "the user database `{path}` can be read or written by everybody, and its hashes are as good as passwords; take that away with `chmod 600 {path}`", path = .0.display()
    )]
    OpenToAll(PathBuf),
    /// Lines that are none: all of them, one message each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The name cannot be a user's.
    #[error("`{0}` cannot be a user name; expected {1}")]
    BadName(String, &'static str),
    /// `add` of a user that is there.
    #[error("the user `{0}` exists already; `smb-server user passwd {0}` changes the password")]
    Exists(String),
    /// `passwd` or `delete` of a user that is not there.
    #[error("there is no user `{0}` in `{path}`; `smb-server user list` shows who is", path = .1.display())]
    Missing(String, PathBuf),
}

#[derive(Clone)]
enum Line {
    Text(String),
    User(String, NtHash),
}

/// Names and NT hashes.
#[derive(Clone, Default)]
pub struct UserDb {
    lines: Vec<Line>,
}

impl std::fmt::Debug for UserDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether a user can have this name: 1 to 47 bytes, no colon or control character, not beginning
/// like a comment.
///
/// # Errors
/// [`UserDbError::BadName`]
pub fn check_user_name(name: &str) -> Result<(), UserDbError> {
    let expected = "1 to 47 bytes without colons, control characters, and white space, `#` or `;` at the start";
    let wrong = |c: char| c.is_control() || c == ':';
    if name.is_empty()
        || name.len() > MAX_NAME
        || name.contains(wrong)
        || name.trim() != name
        || name.starts_with(['#', ';'])
    {
        return Err(UserDbError::BadName(name.to_owned(), expected));
    }
    Ok(())
}

impl UserDb {
    /// Reads a database; one that does not exist has no users.
    ///
    /// # Errors
    /// If it cannot be read, others than owner and group may read it, or a line is wrong.
    pub fn load(path: &Path) -> Result<Self, UserDbError> {
        let failed = |source| UserDbError::Read {
            path: path.to_path_buf(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(failed(e)),
        };
        let meta = file.metadata().map_err(failed)?;
        if meta.is_file() && meta.mode() & 0o007 != 0 {
            return Err(UserDbError::OpenToAll(path.to_path_buf()));
        }
        let mut content = Zeroizing::new(Vec::new());
        file.take(MAX_FILE)
            .read_to_end(&mut content)
            .map_err(failed)?;
        Self::parse(path, &content)
    }

    /// Reads a database from memory; `path` is for messages.
    ///
    /// # Errors
    /// [`UserDbError::Invalid`] with every wrong line.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, UserDbError> {
        let mut db = Self::default();
        let mut mistakes = Vec::new();
        let mut places: Vec<(String, usize)> = Vec::new();
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        if content.is_empty() {
            return Ok(db);
        }
        for (number, line) in (1usize..).zip(content.split(|&b| b == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match parse_line(line) {
                Ok(Line::User(name, hash)) => {
                    if let Some((_, first)) = places.iter().find(|(n, _)| same_name(n, &name)) {
                        mistakes.push(format!(
                            "{}:{number}: the user `{name}` is given already on line {first}; expected one line for each user",
                            path.display()
                        ));
                    }
                    places.push((name.clone(), number));
                    db.lines.push(Line::User(name, hash));
                }
                Ok(text) => db.lines.push(text),
                Err(expected) => {
                    mistakes.push(format!("{}:{number}: expected {expected}", path.display()))
                }
            }
        }
        if mistakes.is_empty() {
            Ok(db)
        } else {
            Err(UserDbError::Invalid(mistakes))
        }
    }

    /// The names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users().map(|(name, _)| name)
    }

    /// Names and hashes in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = (&str, &NtHash)> {
        self.lines.iter().filter_map(|line| match line {
            Line::User(name, hash) => Some((name.as_str(), hash)),
            Line::Text(_) => None,
        })
    }

    /// No users.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// The name as stored and the hash of a user, whatever the case of `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&str, &NtHash)> {
        self.users().find(|(n, _)| same_name(n, name))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// If there is one of this name, or the name cannot be a user's.
    pub fn add(&mut self, name: &str, hash: NtHash) -> Result<(), UserDbError> {
        check_user_name(name)?;
        if let Some((existing, _)) = self.find(name) {
            return Err(UserDbError::Exists(existing.to_owned()));
        }
        self.lines.push(Line::User(name.to_owned(), hash));
        Ok(())
    }

    /// Gives a user another hash; `false` if there is no such user.
    #[must_use]
    pub fn set(&mut self, name: &str, new: NtHash) -> bool {
        for line in &mut self.lines {
            if let Line::User(n, hash) = line
                && same_name(n, name)
            {
                *hash = new;
                return true;
            }
        }
        false
    }

    /// Removes a user; `false` if there was no such user.
    #[must_use]
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| !matches!(line, Line::User(n, _) if same_name(n, name)));
        self.lines.len() != before
    }

    /// The content of the file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for line in &self.lines {
            match line {
                Line::Text(line) => text.push_str(line),
                Line::User(name, hash) => {
                    text.push_str(name);
                    text.push(':');
                    BASE64.encode_string(hash.as_bytes(), &mut text);
                }
            }
            text.push('\n');
        }
        text
    }

    /// Writes the database in the place of the file, readable by its owner alone.
    ///
    /// # Errors
    /// If that fails; the old file is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), UserDbError> {
        self.replace(path).map_err(|source| UserDbError::Write {
            path: path.to_path_buf(),
            source,
        })
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        // The file that a link leads to is replaced, not the link.
        let path = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(e) if e.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
            Err(e) => return Err(e),
        };
        let folder = folder_of(&path);
        let mut new = tempfile::Builder::new()
            .prefix(".ksmbdpwd.")
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        new.write_all(self.to_text().as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(&path).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }

    /// Reads the database in `path`, changes it and writes it back; two such changes at once come
    /// one after the other.
    ///
    /// # Errors
    /// As [`Self::load`], `change` and [`Self::save`]; nothing is changed then.
    pub fn update(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<(), UserDbError>,
    ) -> Result<(), UserDbError> {
        // The directory is locked, since the file itself is replaced.
        let folder = File::open(folder_of(path)).and_then(|f| f.lock().map(|()| f));
        let _lock = folder.map_err(|source| UserDbError::Write {
            path: path.to_path_buf(),
            source,
        })?;
        let mut db = Self::load(path)?;
        change(&mut db)?;
        db.save(path)
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// One line, or what was expected.
fn parse_line(line: &[u8]) -> Result<Line, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "UTF-8")?;
    if line.trim().is_empty() || line.starts_with(['#', ';']) {
        return Ok(Line::Text(line.to_owned()));
    }
    let (name, hash) = line
        .split_once(':')
        .ok_or("`name:hash`, as `smb-server user add` writes it")?;
    check_user_name(name).map_err(|_| {
        "a user name of 1 to 47 bytes before the colon, without control characters and without white space around it"
    })?;
    let bytes = BASE64
        .decode(hash.trim_end())
        .map(Zeroizing::new)
        .ok()
        .and_then(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).ok())
        .map(Zeroizing::new)
        .ok_or("the 16 bytes of an NT hash in Base64 after the colon")?;
    Ok(Line::User(name.to_owned(), NtHash::from_bytes(*bytes)))
}
