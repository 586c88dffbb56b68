//! Where passwords come from: the terminal, a file, or the system's randomness. Never from the
//! command line, which every user of the machine can see.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Passwords have at most this many bytes, as in ksmbd.
const MAX_PASSWORD: usize = 128;

/// Letters and digits that are not mistaken for one another: 32, so that five random bits choose
/// one.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("cannot read the password from `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no terminal to ask on.
    #[error(
        "cannot ask for the password on the terminal ({0}); give it with --password-file FILE (`-` for standard input)"
    )]
    Ask(io::Error),
    /// The two passwords differ.
    #[error("the two passwords are not the same; nothing has been changed")]
    Differ,
    /// Too short or too long.
    #[error("expected a password of 1 to 128 bytes")]
    Length,
    /// The system gives no randomness.
    #[error("the system gives no random numbers for a password: {0}")]
    Random(getrandom::Error),
}

/// Whether this can be a password.
///
/// # Errors
/// [`PasswordError::Length`]
pub fn check(password: &str) -> Result<(), PasswordError> {
    if password.is_empty() || password.len() > MAX_PASSWORD {
        return Err(PasswordError::Length);
    }
    Ok(())
}

/// The first line of a file, or of standard input for `-`.
///
/// # Errors
/// If it cannot be read or is no password.
pub fn from_file(path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let failed = |source| PasswordError::Read {
        path: path.to_path_buf(),
        source,
    };
    // Room for one line: a String that grows would leave copies behind.
    let mut line = Zeroizing::new(String::with_capacity(4096));
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(4096)
            .read_line(&mut line)
            .map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        BufReader::new(file.take(4096))
            .read_line(&mut line)
            .map_err(failed)?;
    }
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    check(&line)?;
    Ok(line)
}

/// Asks once on the terminal, without echo.
///
/// # Errors
/// If there is no terminal or the answer is no password.
pub fn ask(prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
    let password = rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(PasswordError::Ask)?;
    check(&password)?;
    Ok(password)
}

/// Asks twice, for a password that will be kept.
///
/// # Errors
/// As [`ask`], or if the answers differ.
pub fn ask_twice(user: &str) -> Result<Zeroizing<String>, PasswordError> {
    let first = ask(&format!("New password for {user}: "))?;
    let second = ask("The same again: ")?;
    if *first == *second {
        Ok(first)
    } else {
        Err(PasswordError::Differ)
    }
}

/// A new password of four groups of four readable characters: 80 random bits.
///
/// # Errors
/// If the system gives no randomness.
pub fn generate() -> Result<Zeroizing<String>, PasswordError> {
    let mut random = Zeroizing::new([0u8; 16]);
    getrandom::fill(random.as_mut_slice()).map_err(PasswordError::Random)?;
    let mut password = Zeroizing::new(String::with_capacity(19));
    for (i, byte) in random.iter().enumerate() {
        if i != 0 && i % 4 == 0 {
            password.push('-');
        }
        let index = usize::from(byte & 31);
        password.extend(READABLE.get(index).map(|b| char::from(*b)));
    }
    Ok(password)
}
