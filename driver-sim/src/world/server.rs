//! The server of a world: its configuration, accounts, shares, and what lies on its disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smb_engine::Engine;
use smb_engine::config::{
    Config, EncryptionPolicy, Interface, Limits, MapToGuest, Share, SigningPolicy,
};
use smb_engine::identity::{Account, Identity};
use smb_engine::names::fold;
use smb_engine::output::{Completion, Query};
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::dtyp::Sid;
use smb_proto::{Dialect, Guid};

use super::plan::{Plan, ServerPlan};
use crate::memory::MemoryFs;
use crate::pair::{BEGIN, DOMAIN, share};

/// Users by number; the server knows the first three.
pub const USERS: [&str; 5] = ["user", "other", "third", "stranger", ""];
/// Password of all of them.
pub const PASSWORD: &str = "secret";
/// Shares by number; the last one does not exist.
pub const SHARES: [&str; 5] = ["files", "readonly", "sealed", "IPC$", "missing"];

/// What lies on the disk in the beginning; `None` is a directory.
pub(super) const PRESENT: [(&str, Option<&[u8]>); 5] = [
    ("dir", None),
    ("dir\\sub", None),
    ("a", Some(b"the file a")),
    ("dir\\a", Some(b"the file a in the directory dir")),
    ("c.txt", Some(&[b'c'; 5000])),
];

/// Accounts by folded name.
pub(super) fn accounts() -> BTreeMap<String, Account> {
    let known = USERS.iter().take(3).zip(1000..);
    known
        .map(|(name, rid)| {
            let account = Account {
                nt_hash: NtHash::of_password(PASSWORD),
                identity: Identity::user(name, DOMAIN.with_rid(rid).unwrap_or(Sid::NULL)),
            };
            (fold(name), account)
        })
        .collect()
}

/// The answer to a look-up.
pub(super) fn look_up(accounts: &BTreeMap<String, Account>, query: &Query) -> Completion {
    match query {
        Query::Account { user, .. } => Completion::Account(accounts.get(&fold(user)).cloned()),
        Query::Accounts => {
            Completion::Accounts(accounts.values().map(|a| a.identity.clone()).collect())
        }
    }
}

/// A file system with what lies there in the beginning.
pub(super) fn file_system() -> MemoryFs {
    let fs = MemoryFs::new(1, BEGIN.wall);
    for (name, content) in PRESENT {
        let made = match content {
            None => fs.make_dir(name),
            Some(data) => fs.write_file(name, data),
        };
        assert_eq!(made, Ok(()), "what lies there in the beginning can be made");
    }
    fs.track_stability();
    fs
}

fn encryption(level: u8) -> EncryptionPolicy {
    match level {
        0 => EncryptionPolicy::Off,
        1 => EncryptionPolicy::WhenAsked,
        2 => EncryptionPolicy::Desired,
        _ => EncryptionPolicy::Required,
    }
}

fn shares(plan: &ServerPlan, fs: &MemoryFs) -> Vec<Share> {
    let mut files = share(SHARES[0], fs);
    files.guest_ok = plan.guests;
    let mut readonly = share(SHARES[1], fs);
    readonly.read_only = true;
    let mut sealed = share(SHARES[2], fs);
    sealed.encryption = encryption(plan.share_encryption);
    vec![files, readonly, sealed]
}

/// The configuration that a plan asks for.
pub(super) fn config(plan: &Plan, fs: &MemoryFs) -> Config {
    let p = &plan.server;
    let dialect = |code, other| Dialect::from_code(code).unwrap_or(other);
    let base = Config::new("SIM", DOMAIN, shares(p, fs));
    Config {
        server_guid: Guid::from_bytes(*b"driver-sim serve"),
        started: BEGIN.wall,
        min_dialect: dialect(p.min_dialect, Dialect::Smb202),
        max_dialect: dialect(p.max_dialect, Dialect::Smb311),
        signing: if p.signing_required {
            SigningPolicy::Required
        } else {
            SigningPolicy::WhenAsked
        },
        encryption: encryption(p.encryption),
        map_to_guest: if p.guests {
            MapToGuest::BadUser
        } else {
            MapToGuest::Never
        },
        multichannel: p.multichannel,
        interfaces: vec![Interface {
            index: 1,
            rss: false,
            rdma: false,
            link_speed: 1_000_000_000,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        }],
        limits: limits(p),
        leases: true,
        durable_handles: true,
        ..base
    }
}

/// The limits of a plan's server.
pub(super) fn limits(p: &ServerPlan) -> Limits {
    Limits {
        max_transact: p.max_transact,
        max_read: p.max_transact,
        max_write: p.max_transact,
        max_credits: p.max_credits,
        max_opens: p.max_opens,
        max_async_per_connection: p.max_async,
        interim_after: Duration::from_millis(p.interim_ms),
        session_lifetime: Duration::from_millis(p.session_lifetime_ms),
        idle_for: Duration::from_millis(p.idle_ms),
        break_after: Duration::from_millis(p.break_ms),
        ..Limits::default()
    }
}

/// The server of a plan; `start` counts how often the machine was started.
pub(super) fn engine(plan: &Plan, fs: &Arc<MemoryFs>, start: u64) -> Engine {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&plan.seed.to_le_bytes());
    seed[8..16].copy_from_slice(&start.to_le_bytes());
    let mut engine = Engine::new(config(plan, fs), seed);
    if plan.stub_crypto {
        engine.stub_crypto();
    }
    engine
}
