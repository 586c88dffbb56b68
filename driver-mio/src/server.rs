//! The whole server from its configuration: storage for every share, accounts, the engine, and the
//! [`runtime`] that moves bytes between them until a signal ends it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use smb_engine::config::BackendId;
use smb_engine::identity::{Account, Identity};

use crate::config::listen::{local_addresses, reported};
use crate::config::{EffectiveConfig, Host, ShareConfig, Storage, UnknownNames, engine_config};
use crate::fs::LocalFsError;
use crate::journal::Journal;
use crate::persistent::{Persistent, PersistentError};
use crate::runtime::{self, Running, StartError};
use crate::storage;
use crate::users::{Accounts, Machine};

/// How long requests that run may take when the server is told to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server is made from.
#[derive(Debug)]
pub struct Setup {
    /// The configuration. Only shares that are available are served.
    pub config: EffectiveConfig,
    /// Users.
    pub accounts: Accounts,
    /// SID and GUID of the machine.
    pub machine: Machine,
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// A file in which everything that happens is written down; see [`Journal`].
    pub journal: Option<PathBuf>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration names users or groups that the system does not have.
    #[error(transparent)]
    Config(#[from] UnknownNames),
    /// Directories of shares that cannot be served.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Directories(Vec<DirectoryError>),
    /// The journal.
    #[error("cannot make the journal {}: {source}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Where persistent opens are kept.
    #[error(transparent)]
    Persistent(#[from] PersistentError),
    /// Sockets or threads.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses to tell its interfaces or to watch for signals.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A directory that the kernel does not let us serve safely.
    #[error(transparent)]
    Storage(#[from] LocalFsError),
}

/// Signals that end the server, caught from the moment that this exists: SIGTERM and SIGINT
/// (Ctrl-C).
#[derive(Debug)]
pub struct EndSignals(Signals);

impl EndSignals {
    /// Starts to catch them. A second one ends the process at once, with exit code 1.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn catch() -> Result<Self, ServeError> {
        let failed = |source| ServeError::System {
            what: "watch for signals",
            source,
        };
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal finds the flag unset, and sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&again))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&again)))
                .map_err(failed)?;
        }
        Signals::new([SIGTERM, SIGINT]).map(Self).map_err(failed)
    }

    /// Waits for one, then lets the server finish what it does and ends it.
    pub fn wait(mut self, running: Running) {
        if self.0.forever().next().is_some() {
            tracing::info!("ending: no new requests are taken");
        }
        if running.shut_down(PATIENCE) {
            tracing::info!("ended");
        } else {
            tracing::warn!(seconds = PATIENCE.as_secs(), "ended with requests cut off");
        }
    }
}

/// Starts the server. When this returns, clients can connect.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub fn start(setup: Setup) -> Result<Running, ServeError> {
    let Setup {
        config,
        accounts,
        machine,
        listen,
        journal,
    } = setup;
    let problems = check_shares(&config);
    if !problems.is_empty() {
        return Err(ServeError::Directories(problems));
    }
    let addresses = local_addresses().map_err(|source| ServeError::System {
        what: "read the interfaces of this machine",
        source,
    })?;
    let storage = config
        .shares
        .iter()
        .filter(|s| s.available)
        .map(|share| storage::open(share, &config.path_of(share), &machine.domain))
        .collect::<Result<Vec<_>, _>>()?;
    let host = Host {
        accounts: &accounts,
        machine: &machine,
        interfaces: reported(&config.global, &addresses),
        started: runtime::wall_clock(),
    };
    let (backends, watchers): (Vec<_>, Vec<_>) =
        storage.into_iter().map(|s| (s.backend, s.watcher)).unzip();
    let mut opened = (0u32..).zip(&backends);
    let engine = engine_config(&config, &host, |_| {
        // As many shares are converted as were opened, in the same order.
        let (id, capabilities) = opened.next().map_or_else(
            || (u32::MAX, smb_engine::vfs::Capabilities::empty()),
            |(id, backend)| (id, backend.capabilities()),
        );
        Storage {
            backend: BackendId(id),
            capabilities,
            max_name: 255,
        }
    })?;
    let cores = available_parallelism().map_or(1, NonZero::get);
    let made = journal
        .as_deref()
        .map(|path| {
            Journal::create(path).map_err(|source| ServeError::Journal {
                path: path.to_path_buf(),
                source,
            })
        })
        .transpose()?;
    let persistent = config
        .shares
        .iter()
        .any(|s| s.available && s.continuous_availability)
        .then(|| Persistent::open(&config.global.state_directory))
        .transpose()?;
    let running = runtime::start(runtime::Setup {
        config: engine,
        backends,
        watchers,
        accounts: Arc::new(accounts),
        listen,
        io_threads: cores,
        file_threads: (2 * cores).max(4),
        journal: made,
        persistent,
    });
    if let (Err(_), Some(path)) = (&running, &journal) {
        // Nothing has happened that it could tell; the next start may use the name.
        let _ = fs::remove_file(path);
    }
    Ok(running?)
}

impl runtime::Accounts for Accounts {
    fn account(&self, user: &str, _domain: &str) -> Option<Account> {
        self.account(user)
    }

    fn identities(&self) -> Vec<Identity> {
        self.identities()
    }
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", place.as_ref().map(|p| format!("{p}: ")).unwrap_or_default(), describe(path, *kind, source))]
pub struct DirectoryError {
    /// Where the configuration names it, if one does.
    pub place: Option<String>,
    /// The directory.
    pub path: PathBuf,
    /// In which way.
    pub kind: DirectoryProblem,
    /// What the system said.
    pub source: io::Error,
}

/// In which way a directory cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryProblem {
    /// There is none.
    Missing,
    /// It is something else.
    NotADirectory,
    /// This process may not read it.
    NotAllowed,
    /// Something else.
    Other,
}

fn describe(path: &Path, kind: DirectoryProblem, source: &io::Error) -> String {
    let path = path.display();
    match kind {
        DirectoryProblem::Missing => {
            format!("the directory `{path}` does not exist; create it or name another")
        }
        DirectoryProblem::NotADirectory => {
            format!("`{path}` is not a directory; name the directory that it is in")
        }
        DirectoryProblem::NotAllowed => format!(
            "no permission to read the directory `{path}`; give it to the user that runs smb-server or run smb-server as its owner"
        ),
        DirectoryProblem::Other => format!("cannot read the directory `{path}`: {source}"),
    }
}

/// Whether this process can list a directory.
///
/// # Errors
/// Why not.
pub fn check_directory(path: &Path) -> Result<(), DirectoryError> {
    match fs::read_dir(path) {
        Ok(_) => Ok(()),
        Err(source) => {
            let kind = match source.kind() {
                io::ErrorKind::NotFound => DirectoryProblem::Missing,
                io::ErrorKind::NotADirectory => DirectoryProblem::NotADirectory,
                io::ErrorKind::PermissionDenied => DirectoryProblem::NotAllowed,
                _ => DirectoryProblem::Other,
            };
            Err(DirectoryError {
                place: None,
                path: path.to_path_buf(),
                kind,
                source,
            })
        }
    }
}

/// The shares whose directories cannot be served, and why.
#[must_use]
pub fn check_shares(config: &EffectiveConfig) -> Vec<DirectoryError> {
    let check = |share: &ShareConfig| {
        check_directory(&config.path_of(share)).err().map(|e| {
            let place = share.path_at.as_ref().or(share.at.as_ref());
            DirectoryError {
                place: place.map(ToString::to_string),
                ..e
            }
        })
    };
    config
        .shares
        .iter()
        .filter(|s| s.available)
        .filter_map(check)
        .collect()
}
