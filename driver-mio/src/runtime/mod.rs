//! Carries values between sockets, files, accounts and the protocol engine.
//!
//! I/O threads own sockets and their links: they read, decrypt, parse, encode, seal and write. The
//! engine's shared half is behind the gate, held for table work only. File operations that do not
//! wait run where they come up, others on the pool. See `docs/threading.md`.

mod clock;
mod gate;
mod io_thread;
mod log;
mod pool;
mod socket;
mod storage;
mod watch;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use smb_engine::config::Config;
use smb_engine::identity::{Account, Identity};
use smb_engine::output::Query;
use smb_engine::server::{Control, Counts};
use smb_engine::vfs::Backend;
use smb_engine::{Server, output};
use thiserror::Error;

use crate::fs::Watcher;
use crate::journal::Journal;
use crate::persistent::{Persistent, PersistentError};
use gate::Gate;
use pool::Pool;
use storage::Storage;

/// Where users come from. Called from threads on which waiting is allowed, so it may block.
pub trait Accounts: Send + Sync {
    /// The account of this name, if there is one. Domains are mostly ignored: one server has one
    /// set of accounts.
    fn account(&self, user: &str, domain: &str) -> Option<Account>;

    /// Users and groups, for listings over lsarpc and samr.
    fn identities(&self) -> Vec<Identity>;
}

impl Accounts for smb_engine::Accounts {
    fn account(&self, user: &str, _domain: &str) -> Option<Account> {
        self.find(user).cloned()
    }

    fn identities(&self) -> Vec<Identity> {
        self.identities()
    }
}

/// Everything that a server needs to run.
pub struct Setup {
    /// Configuration of the engine; shares name their backends by index.
    pub config: Config,
    /// The storage that [`smb_engine::config::BackendId`]s count.
    pub backends: Vec<Arc<dyn Backend>>,
    /// For each of them what tells of changes by other programs; may be shorter.
    pub watchers: Vec<Option<Arc<Watcher>>>,
    /// Users.
    pub accounts: Arc<dyn Accounts>,
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Threads for sockets and cryptography.
    pub io_threads: usize,
    /// Threads for file operations.
    pub file_threads: usize,
    /// Where everything that happens is written down; see [`Journal`].
    pub journal: Option<Journal>,
    /// Where persistent opens are kept.
    pub persistent: Option<Persistent>,
}

/// How long the start waits for opens of an earlier server. Later, connections are refused until they
/// are there.
const RESTORING: Duration = Duration::from_secs(10);

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program listens there.
    #[error(
        "port {} on {} is in use by another program: stop that one, or choose another port with --listen",
        .0.port(), .0.ip()
    )]
    PortInUse(SocketAddr),
    /// Ports below 1024 need a right that this process lacks.
    #[error(
        "no permission to listen on port {} of {}: run as root, or choose a port above 1023 with --listen",
        .0.port(), .0.ip()
    )]
    PortForbidden(SocketAddr),
    /// No network interface has this address.
    #[error("no network interface here has the address {}: choose one that `ip addr` shows", .0.ip())]
    NoSuchAddress(SocketAddr),
    /// Another failure of listening.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system refuses threads or descriptors.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// What an earlier server has kept cannot be read.
    #[error(transparent)]
    Persistent(#[from] PersistentError),
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

/// A running server. Dropping it without [`Self::shut_down`] ends it at once.
pub struct Running {
    gate: Arc<Gate>,
    pool: Pool,
    io: Vec<JoinHandle<()>>,
    watch: Option<watch::Watch>,
    addresses: Vec<SocketAddr>,
    journal: Option<Journal>,
}

/// Opens the sockets and starts the threads. When this returns, clients can connect.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub fn start(setup: Setup) -> Result<Running, StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::NoRandomness)?;
    let first_message = setup.config.limits.max_message_unauthenticated;
    let listeners: Vec<TcpListener> = setup
        .listen
        .iter()
        .map(|a| listen(*a))
        .collect::<Result<_, _>>()?;
    let addresses = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<Vec<_>, _>>()?;
    let polls = (0..setup.io_threads.max(1))
        .map(|_| mio::Poll::new())
        .collect::<Result<Vec<_>, _>>()?;
    let wakers = polls
        .iter()
        .map(io_thread::waker)
        .collect::<Result<Vec<_>, _>>()?;
    let (jobs, queue) = pool::queue();
    let recorder = setup
        .journal
        .as_ref()
        .map(|journal| journal.recorder(&setup.config, &seed));
    let mut server = Server::new(setup.config, seed);
    if let Some(recorder) = recorder {
        server.record(recorder);
    }
    let kept = match &setup.persistent {
        Some(persistent) => persistent.load()?,
        None => Vec::new(),
    };
    let gate = Arc::new(Gate::new(server, setup.persistent, wakers, jobs));
    let storage = Arc::new(Storage::new(setup.backends, setup.watchers, setup.accounts));
    let pool = Pool::start(setup.file_threads.max(1), queue, &gate, &storage)?;
    let watch = watch::Watch::start(&gate, &storage)?;
    let mut running = Running {
        watch,
        gate: Arc::clone(&gate),
        pool,
        io: Vec::new(),
        addresses,
        journal: setup.journal,
    };
    // Clients that connect meanwhile wait in the sockets' queues.
    gate.enter(|server, now| server.restore(now, kept));
    let until = Instant::now() + RESTORING;
    while running.counts().operations > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut listeners = Some(listeners);
    for (index, poll) in polls.into_iter().enumerate() {
        // The first thread also accepts.
        let listeners = listeners.take().unwrap_or_default();
        let (gate, storage) = (Arc::clone(&gate), Arc::clone(&storage));
        let thread =
            io_thread::IoThread::new(index, poll, listeners, gate, storage, first_message)?;
        let handle = std::thread::Builder::new()
            .name(format!("smb-io-{index}"))
            .spawn(move || thread.run())?;
        running.io.push(handle);
    }
    Ok(running)
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse(address),
        io::ErrorKind::PermissionDenied => StartError::PortForbidden(address),
        io::ErrorKind::AddrNotAvailable => StartError::NoSuchAddress(address),
        _ => StartError::Listen { address, source },
    })
}

impl Running {
    /// Where clients can connect; ports that were given as 0 are filled in.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Numbers of connections, sessions, opens …
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.gate.enter(|server, _| server.counts())
    }

    /// Takes no new work, answers what runs, closes every connection, and ends the threads. What is
    /// not done within `patience` is cut off. Says whether everything came to its end.
    pub fn shut_down(mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        self.gate
            .enter(|server, now| server.handle_control(now, Control::Drain));
        let done = loop {
            let counts = self.counts();
            if counts.connections == 0 && counts.operations == 0 {
                break true;
            }
            if Instant::now() >= deadline {
                break false;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.end();
        done
    }

    fn end(&mut self) {
        self.gate.stop();
        if let Some(watch) = self.watch.take() {
            watch.end();
        }
        for thread in self.io.drain(..) {
            // A panic of that thread has been reported on standard error already.
            let _ = thread.join();
        }
        self.pool.end();
        if let Some(journal) = &mut self.journal {
            journal.finish();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The present time of day.
#[must_use]
pub fn wall_clock() -> smb_proto::FileTime {
    clock::wall()
}

/// Answers a query from the account database.
fn answer(accounts: &dyn Accounts, query: &Query) -> output::Completion {
    match query {
        Query::Account { user, domain } => {
            output::Completion::Account(accounts.account(user, domain))
        }
        Query::Accounts => output::Completion::Accounts(accounts.identities()),
    }
}

/// An address as the engine's limits per address see it: IPv4 clients of a dual-stack socket count
/// as IPv4.
fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}
