//! What the engine is told.

use smb_engine::config::{BackendId, Config, EncryptionPolicy, MapToGuest, SigningPolicy};
use smb_engine::vfs::Capabilities;
use smb_proto::dtyp::Sid;
use smb_proto::{Dialect, FileTime};

use super::good;
use crate::config::{Host, Storage, UnknownNames, engine_config, unknown_groups};
use crate::users::{Accounts, Machine, Mapping, UserDb};

fn accounts() -> Accounts {
    Accounts::new(
        UserDb::default(),
        Sid::domain(1, 2, 3),
        "BOX".to_owned(),
        Mapping::ByName,
    )
}

fn convert(text: &str) -> Result<Config, UnknownNames> {
    let accounts = accounts();
    let host = Host {
        accounts: &accounts,
        machine: &Machine::from_id(b"x"),
        interfaces: Vec::new(),
        started: FileTime::default(),
    };
    let mut next = 0;
    engine_config(&good(text), &host, |_| {
        next += 1;
        Storage {
            backend: BackendId(next),
            capabilities: Capabilities::all(),
            max_name: 255,
        }
    })
}

#[test]
fn the_server() {
    let config = convert(
        "[global]\nnetbios name = box\nserver signing = mandatory\nsmb3 encryption = mandatory\nmap to guest = bad user\nmax ip connections = 5\ndeadtime = 2\nsmb2 max read = 1M\nserver min protocol = SMB3_00\nserver smb3 encryption algorithms = AES-256-GCM\nrestrict anonymous = 2",
    )
    .unwrap();
    assert_eq!(config.server_name, "BOX");
    assert_eq!(config.signing, SigningPolicy::Required);
    assert_eq!(config.encryption, EncryptionPolicy::Required);
    assert_eq!(config.map_to_guest, MapToGuest::BadUser);
    assert_eq!(config.limits.max_connections_per_ip, 5);
    assert_eq!(config.limits.idle_for.as_secs(), 120);
    assert_eq!(config.limits.max_read, 1 << 20);
    assert_eq!(config.limits.max_write, 4 << 20);
    assert_eq!(
        (config.min_dialect, config.max_dialect),
        (Dialect::Smb300, Dialect::Smb311)
    );
    assert_eq!(config.ciphers.len(), 1);
    assert!(config.refuse_anonymous);
    assert_eq!(config.domain_sid, Machine::from_id(b"x").domain);
}

#[test]
fn shares() {
    let config = convert(
        "[a]\npath = /a\nwritable = yes\nsmb encrypt = required\n[off]\npath = /off\navailable = no\n[b]\npath = /b\nvalid users = anna @root\nhosts allow = 10. EXCEPT 10.128.0.0/9\nforce group = root\nguest ok = yes",
    )
    .unwrap();
    let names: Vec<_> = config
        .shares
        .iter()
        .map(|s| (s.name.as_str(), s.backend.0))
        .collect();
    assert_eq!(names, [("a", 1), ("b", 2)]);
    let (a, b) = (&config.shares[0], &config.shares[1]);
    assert!(!a.read_only && b.read_only);
    assert_eq!(a.encryption, EncryptionPolicy::Required);
    assert_eq!(b.encryption, EncryptionPolicy::WhenAsked);
    assert!(a.valid_users.is_empty() && a.hosts_allow.is_empty());
    assert_eq!(b.valid_users.users, ["anna"]);
    assert_eq!(b.valid_users.groups, ["S-1-22-2-0".parse().unwrap()]);
    assert_eq!(b.hosts_allow, ["10.0.0.0/9", "127.0.0.0/8", "::1/128"]);
    assert!(b.hosts_deny.is_empty());
    assert_eq!(b.force_identity.as_ref().unwrap().gid, Some(0));
    assert!(b.guest_ok && !b.guest_only);
}

/// A list that names only a group that does not exist lets nobody in, not everybody.
#[test]
fn a_missing_group_does_not_open_a_share() {
    let text = "[s]\npath = /s\nvalid users = @no-such-group-here";
    let config = convert(text).unwrap();
    assert!(!config.shares[0].valid_users.is_empty());
    assert_eq!(config.shares[0].valid_users.groups, [Sid::NULL]);
    let problems = unknown_groups(&good(text), &accounts());
    assert_eq!(
        problems[0].to_string(),
        "/etc/smb.conf:1:2: `valid users` of `[s]` names the group `no-such-group-here`, which the system does not have: nobody is in it"
    );
}

#[test]
fn forced_users_must_exist() {
    let error = convert("[s]\npath = /s\nforce user = no-such-user-here\n[t]\npath = /t\nforce group = no-such-group-here").unwrap_err();
    assert_eq!(
        error.to_string(),
        "/etc/smb.conf:1:2: `[s]`: the system has no user `no-such-user-here`; expected one that `getent passwd` shows\n/etc/smb.conf:4:2: `[t]`: the system has no group `no-such-group-here`; expected one that `getent group` shows"
    );
}

#[test]
fn the_machine_itself_stays_admitted() {
    let allow = |text| convert(text).unwrap().shares[0].hosts_allow.clone();
    assert_eq!(
        allow("[s]\npath = /s\nhosts deny = ALL"),
        ["127.0.0.0/8", "::1/128"]
    );
    let others = allow("[s]\npath = /s\nhosts deny = 127.0.0.0/8");
    assert!(!others.iter().any(|n| n.starts_with("127.")), "{others:?}");
    assert!(others.contains(&"::1/128".to_owned()));
    assert_eq!(
        allow("[s]\npath = /s\nhosts deny = ALL 127.0.0.0/8 ::1"),
        ["255.255.255.255/32"]
    );
}

#[test]
fn lists_of_the_server_hold_for_every_share() {
    let config = convert("[global]\nhosts allow = 10.0.0.0/8\n[a]\npath = /a\n[b]\npath = /b\nhosts allow = 10.1. 11.").unwrap();
    assert_eq!(
        config.shares[0].hosts_allow,
        ["10.0.0.0/8", "127.0.0.0/8", "::1/128"]
    );
    assert_eq!(
        config.shares[1].hosts_allow,
        ["10.1.0.0/16", "127.0.0.0/8", "::1/128"]
    );
}
