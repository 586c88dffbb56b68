//! The server side of a test bed: configuration, accounts, shares.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use smb_engine::Engine;
use smb_engine::config::{BackendId, Config, EncryptionPolicy, Share, SigningPolicy};
use smb_engine::identity::{Account, Identity};
use smb_engine::names::fold;
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::Backend;
use smb_proto::crypto::PreauthHash;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::dtyp::Sid;
use smb_proto::{FileTime, Guid};

use super::Pair;
use crate::check::{self, Panel};
use crate::memory::MemoryFs;

/// The account domain of the test bed's server.
pub const DOMAIN: Sid = Sid::domain(1, 2, 3);

/// When the virtual world begins.
pub const BEGIN: Now = Now {
    mono: Instant(1_000_000),
    // 2024-01-01 00:00:00 UTC
    wall: FileTime(133_485_408_000_000_000),
};

/// What to make a [`Pair`] of. The default server takes everything: all dialects, algorithms and
/// ciphers; shares `files` and `readonly` on one file system in memory; users `user` and `other`,
/// with `secret` as password, and nobody as guest.
pub struct Builder {
    config: Config,
    seed: u64,
    accounts: BTreeMap<String, Account>,
    fs: Arc<MemoryFs>,
    panel: Option<Panel>,
    /// There may be something in the file system already.
    filled: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let fs = Arc::new(MemoryFs::new(1, BEGIN.wall));
        let mut readonly = share("readonly", &fs);
        readonly.read_only = true;
        let config = Config {
            server_guid: Guid::from_bytes(*b"driver-sim serve"),
            started: BEGIN.wall,
            ..Config::new("SIM", DOMAIN, vec![share("files", &fs), readonly])
        };
        Self {
            config,
            seed: 0,
            accounts: BTreeMap::new(),
            fs,
            panel: None,
            filled: false,
        }
        .account("user", "secret")
        .account("other", "secret")
    }
}

impl Builder {
    /// Changes the configuration.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the engine's seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds an account.
    #[must_use]
    pub fn account(mut self, name: &str, password: &str) -> Self {
        let rid = 1000 + u32::try_from(self.accounts.len()).unwrap_or(0);
        let account = Account {
            nt_hash: NtHash::of_password(password),
            identity: Identity::user(name, DOMAIN.with_rid(rid).unwrap_or(Sid::NULL)),
        };
        self.accounts.insert(fold(name), account);
        self
    }

    /// Demands signatures.
    #[must_use]
    pub fn signing_required(self) -> Self {
        self.config(|c| c.signing = SigningPolicy::Required)
    }

    /// Sets the encryption policy of the whole server.
    #[must_use]
    pub fn encryption(self, policy: EncryptionPolicy) -> Self {
        self.config(|c| c.encryption = policy)
    }

    /// Changes a share of the default configuration.
    #[must_use]
    pub fn share(self, name: &str, change: impl FnOnce(&mut Share)) -> Self {
        self.config(|c| {
            if let Some(share) = c.shares.iter_mut().find(|s| s.name == name) {
                change(share);
            }
        })
    }

    /// Lets these checkers look on in place of all that there are.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panel = Some(panel);
        self
    }

    /// Uses this file system in place of a fresh one.
    #[must_use]
    pub fn fs(mut self, fs: MemoryFs) -> Self {
        for share in &mut self.config.shares {
            share.capabilities = fs.capabilities();
        }
        self.fs = Arc::new(fs);
        self.filled = true;
        self
    }

    /// The test bed.
    #[must_use]
    pub fn build(self) -> Pair {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let panel = self.panel.unwrap_or_else(|| {
            let mut checkers = check::all_for(&self.config.limits);
            checkers.retain(|c| c.name() != "files");
            checkers.push(Box::new(if self.filled {
                check::Files::unknown()
            } else {
                check::Files::default()
            }));
            checkers.push(Box::new(check::Credits::new(
                self.config.limits.max_credits,
            )));
            Panel::new(checkers)
        });
        let mut engine = Engine::new(self.config.clone(), seed);
        engine.observe(panel.observer());
        Pair {
            engine,
            config: self.config,
            starts: 0,
            kept: BTreeMap::new(),
            panel,
            invariants: true,
            fault: None,
            now: BEGIN,
            fs: self.fs,
            accounts: self.accounts,
            ends: Vec::new(),
            events: Vec::new(),
            holds: |_| false,
            holds_lookups: false,
            held: VecDeque::new(),
            trace: PreauthHash::ZERO,
            largest: 0,
        }
    }
}

/// A share of `fs` that everybody with an account may use.
#[must_use]
pub fn share(name: &str, fs: &MemoryFs) -> Share {
    Share::new(name, BackendId(0), fs.capabilities())
}
