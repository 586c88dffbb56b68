//! Configuration files in the syntax of smb.conf, with the parameters of ksmbd.conf(5) and some of
//! Samba's.
//!
//! [`load`] reads a file and everything it includes, reports every mistake with file, line and
//! column, and gives an [`EffectiveConfig`] with all defaults filled in; [`print()`] writes one as a
//! file again.
//!
//! Rules, those of ksmbd unless it says otherwise:
//! - Case and spaces in names of parameters do not count (Samba).
//! - Sections of the same name are one section.
//! - A parameter given again in a section counts only if it was empty before; an empty value sets
//!   nothing.
//! - `read only` beats `writable` beats `writeable` beats `write ok` within a section.
//! - A share parameter in `[global]` is the default of all shares, wherever `[global]` stands. What
//!   a share says itself wins in any case (Samba; ksmbd lets `read only` in `[global]` win over
//!   `writable` in a share).
//! - Where ksmbd takes an unreadable value for a default without a word, it is a mistake here.

mod build;
mod convert;
mod diag;
mod hosts;
pub mod listen;
mod params;
mod print;
mod reader;
mod samba_names;
mod snapshots;
mod types;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::io::{self, Read as _};
use std::path::Path;

pub use build::check_share_name;
pub use convert::{Host, Storage, UnknownNames, engine_config, unknown_groups};
pub use diag::{ConfigError, Pos, Problem, Report};
pub use hosts::{HostList, HostPattern};
pub use params::{Access, Effect, PARAMS, Param, Scope, Slot, find};
pub use print::print;
pub use reader::{Document, Entry, Loader, Section};
pub use snapshots::{SnapshotDir, SnapshotOrder, TimeFormat};
pub use types::{EffectiveConfig, Global, ShareConfig};
pub use value::{
    Choice, Credits, Expected, IoSize, Limit, Mappings, Mode, NameList, Ports, Principal, Setting,
};
pub use words::{
    Ciphers, DirectoryLeases, Encryption, InheritOwner, LogLevel, MapToGuest, NetbiosName,
    Protocol, RestrictAnonymous, Signing, SigningAlgorithms, VfsObjects,
};

/// A configuration file has at most this many bytes; more is taken for a mistake.
const MAX_FILE: u64 = 16 << 20;

/// Reads the configuration in a file. Warnings come with the result.
///
/// # Errors
/// If the file cannot be read, or has mistakes: all of them, and the warnings too.
pub fn load(path: &Path) -> Result<(EffectiveConfig, Vec<Problem>), ConfigError> {
    let content = read_file(path).map_err(|source| ConfigError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    parse(path, &content, &mut read_file)
}

/// Reads the configuration in `content`, which is called `file` in messages; `load` reads what is
/// included.
///
/// # Errors
/// If there are mistakes: all of them, and the warnings too.
pub fn parse(
    file: &Path,
    content: &[u8],
    load: Loader<'_>,
) -> Result<(EffectiveConfig, Vec<Problem>), ConfigError> {
    let mut report = Report::default();
    let document = reader::read(file, content, load, &mut report);
    let config = build::build(&document, &mut report);
    report.errors.sort_by(|a, b| a.at.cmp(&b.at));
    report.warnings.sort_by(|a, b| a.at.cmp(&b.at));
    if report.errors.is_empty() {
        Ok((config, report.warnings))
    } else {
        Err(ConfigError::Invalid(report))
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it has more than 16 MiB",
        ));
    }
    Ok(content)
}
