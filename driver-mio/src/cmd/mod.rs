//! What each subcommand does.

mod bind;
pub(crate) mod check;
mod connect;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod user;

use std::io::{self, Write as _};
use std::process::ExitCode;

use driver_mio::config::ConfigError;
use driver_mio::config::listen::NoSuchInterface;
use driver_mio::server::{DirectoryError, DirectoryProblem, ServeError};
use driver_mio::users::{PasswordError, SubAuthError, UserDbError};

/// Why the command failed: whether its user is to change what they said, or the machine.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, the configuration or the user database is wrong: exit code 2.
    Usage(String),
    /// Something else went wrong: exit code 1.
    Runtime(String),
}

impl Failure {
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Usage(message) | Self::Runtime(message) => message,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Runtime(_) => ExitCode::from(1),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<NoSuchInterface> for Failure {
    fn from(e: NoSuchInterface) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<SubAuthError> for Failure {
    fn from(e: SubAuthError) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<UserDbError> for Failure {
    fn from(e: UserDbError) -> Self {
        let message = e.to_string();
        match e {
            UserDbError::Read { .. } | UserDbError::Write { .. } => Self::Runtime(message),
            UserDbError::OpenToAll(_)
            | UserDbError::Invalid(_)
            | UserDbError::BadName(..)
            | UserDbError::Exists(_)
            | UserDbError::Missing(..) => Self::Usage(message),
        }
    }
}

impl From<PasswordError> for Failure {
    fn from(e: PasswordError) -> Self {
        let message = e.to_string();
        match e {
            PasswordError::Random(_) => Self::Runtime(message),
            PasswordError::Read { .. }
            | PasswordError::Ask(_)
            | PasswordError::Differ
            | PasswordError::Length => Self::Usage(message),
        }
    }
}

impl From<DirectoryError> for Failure {
    fn from(e: DirectoryError) -> Self {
        ServeError::Directories(vec![e]).into()
    }
}

impl From<ServeError> for Failure {
    fn from(e: ServeError) -> Self {
        let message = e.to_string();
        match e {
            ServeError::Config(_) => Self::Usage(message),
            ServeError::Directories(directories) => {
                if directories.iter().all(|d| {
                    matches!(
                        d.kind,
                        DirectoryProblem::NotAllowed | DirectoryProblem::Other
                    )
                }) {
                    Self::Runtime(message)
                } else {
                    Self::Usage(message)
                }
            }
            ServeError::Start(_)
            | ServeError::Journal { .. }
            | ServeError::Persistent(_)
            | ServeError::System { .. }
            | ServeError::Storage(_) => Self::Runtime(message),
        }
    }
}

/// Writes to standard output. That nobody reads it any more is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Runtime(format!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}
