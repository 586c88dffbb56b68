//! From a configuration to what the engine is told.

use std::time::Duration;

use smb_engine::config::{
    BackendId, Config, EncryptionPolicy, Interface, Limits, MapToGuest as EngineMapToGuest, Share,
    SigningPolicy, UserList,
};
use smb_engine::vfs::Capabilities;
use smb_proto::FileTime;
use smb_proto::dtyp::Sid;

use super::diag::{Pos, Problem};
use super::types::{EffectiveConfig, ShareConfig};
use super::value::Principal;
use super::words::{DirectoryLeases, Encryption, MapToGuest, RestrictAnonymous, Signing};
use crate::users::{Accounts, Machine};

/// The storage of one share, as it was found when the share was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Its number.
    pub backend: BackendId,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Longest name of one component, in UTF-16 units.
    pub max_name: u32,
}

/// What the configuration does not say and the engine must know.
#[derive(Debug)]
pub struct Host<'a> {
    /// Users and their identities.
    pub accounts: &'a Accounts,
    /// SID and GUID.
    pub machine: &'a Machine,
    /// Interfaces to report to clients.
    pub interfaces: Vec<Interface>,
    /// Now.
    pub started: FileTime,
}

/// A configuration that names users or groups that the system does not have: one message each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct UnknownNames(pub Vec<String>);

/// The engine's configuration. `storage` is asked for each share that is served, in order.
///
/// # Errors
/// If `force user` or `force group` name someone whom the system does not know.
pub fn engine_config(
    config: &EffectiveConfig,
    host: &Host<'_>,
    storage: impl FnMut(&ShareConfig) -> Storage,
) -> Result<Config, UnknownNames> {
    let global = &config.global;
    let shares = shares(config, host.accounts, storage)?;
    Ok(Config {
        server_name: global.netbios_name.0.to_uppercase(),
        workgroup: global.workgroup.0.clone(),
        server_string: global.server_string.clone(),
        server_guid: host.machine.guid,
        domain_sid: host.machine.domain,
        min_dialect: global.server_min_protocol.0,
        max_dialect: global.server_max_protocol.0,
        signing: match global.signing {
            Signing::Auto => SigningPolicy::WhenAsked,
            Signing::Mandatory => SigningPolicy::Required,
        },
        signing_algorithms: global.signing_algorithms.0.clone(),
        encryption: encryption(global.encryption),
        ciphers: global.ciphers.0.clone(),
        map_to_guest: match global.map_to_guest {
            MapToGuest::Never => EngineMapToGuest::Never,
            MapToGuest::BadUser => EngineMapToGuest::BadUser,
        },
        guest: host.accounts.guest(&global.guest_account),
        refuse_anonymous: match global.restrict_anonymous {
            RestrictAnonymous::No => false,
            RestrictAnonymous::Ipc | RestrictAnonymous::All => true,
        },
        multichannel: global.multi_channel,
        leases: global.smb2_leases,
        directory_leases: global.smb3_directory_leases == DirectoryLeases::Granted,
        durable_handles: global.durable_handles,
        interfaces: host.interfaces.clone(),
        started: host.started,
        shares,
        limits: Limits {
            max_transact: global.smb2_max_trans.0,
            max_read: global.smb2_max_read.0,
            max_write: global.smb2_max_write.0,
            max_credits: global.smb2_max_credits.0,
            max_connections: count(global.max_connections.0),
            max_connections_per_ip: count(global.max_ip_connections.0),
            max_sessions: count(global.max_active_sessions.0),
            max_sessions_per_user: count(global.max_user_sessions.0),
            max_opens: count(global.max_open_files.0),
            idle_for: Duration::from_secs(u64::from(global.deadtime) * 60),
            // Some clients take an interim answer for the final one; a disk that is merely slow is
            // waited for, and only what takes really long is announced.
            interim_after: Duration::from_secs(5),
            write_time_delay: Duration::from_micros(u64::from(global.write_time_delay)),
            ..Limits::default()
        },
    })
}

/// Users and groups that lists of the configuration name and the system does not have, so that the
/// lists do not have the effect that their author expects.
#[must_use]
pub fn unknown_groups(config: &EffectiveConfig, accounts: &Accounts) -> Vec<Problem> {
    let mut problems = Vec::new();
    for share in config.shares.iter().filter(|s| s.available) {
        let Some(at) = &share.at else { continue };
        for (list, principals) in lists(share) {
            for principal in principals {
                if let Principal::Group(name) = principal
                    && accounts.group(name).is_none()
                {
                    problems.push(unknown_group(at, share, list, name));
                }
            }
        }
    }
    problems
}

fn unknown_group(at: &Pos, share: &ShareConfig, list: &str, name: &str) -> Problem {
    Problem {
        at: at.clone(),
        message: format!(
            "`{list}` of `[{}]` names the group `{name}`, which the system does not have: nobody is in it",
            share.name
        ),
    }
}

fn lists(share: &ShareConfig) -> [(&'static str, &[Principal]); 5] {
    [
        ("valid users", &share.valid_users),
        ("invalid users", &share.invalid_users),
        ("read list", &share.read_list),
        ("write list", &share.write_list),
        ("admin users", &share.admin_users),
    ]
}

fn shares(
    config: &EffectiveConfig,
    accounts: &Accounts,
    mut storage: impl FnMut(&ShareConfig) -> Storage,
) -> Result<Vec<Share>, UnknownNames> {
    let mut unknown = Vec::new();
    let mut shares = Vec::new();
    for share in config.shares.iter().filter(|s| s.available) {
        let force_identity = match (&share.force_user, &share.force_group) {
            (None, None) => None,
            (user, group) => match accounts.forced(user.as_deref(), group.as_deref()) {
                Ok(identity) => Some(identity),
                Err(e) => {
                    let at = share.at.as_ref().map(|at| format!("{at}: "));
                    unknown.push(format!("{}`[{}]`: {e}", at.unwrap_or_default(), share.name));
                    continue;
                }
            },
        };
        let list = |principals| user_list(principals, accounts);
        // The engine knows lists of shares only, and no exceptions in them.
        let global = &config.global;
        let hosts_allow = super::hosts::admitted_by_both(
            (global.hosts_allow.as_ref(), global.hosts_deny.as_ref()),
            (share.hosts_allow.as_ref(), share.hosts_deny.as_ref()),
        );
        let Storage {
            backend,
            capabilities,
            max_name,
        } = storage(share);
        shares.push(Share {
            name: share.name.clone(),
            comment: share.comment.clone(),
            backend,
            capabilities,
            file_system: "NTFS".to_owned(),
            max_name,
            read_only: share.read_only,
            browseable: share.browseable,
            guest_ok: share.guest_ok,
            guest_only: share.guest_only && share.guest_ok,
            encryption: encryption(config.encryption_of(share)),
            valid_users: list(&share.valid_users),
            invalid_users: list(&share.invalid_users),
            read_list: list(&share.read_list),
            write_list: list(&share.write_list),
            admin_users: list(&share.admin_users),
            force_identity,
            hosts_allow,
            hosts_deny: Vec::new(),
            max_connections: count(share.max_connections.0),
            oplocks: share.oplocks,
            continuous_availability: share.continuous_availability,
            hide_unreadable: share.hide_unreadable,
            canonical_inherited: share.acl_flag_inherited_canonicalization,
            change_notify: share.change_notify,
        });
    }
    if unknown.is_empty() {
        Ok(shares)
    } else {
        Err(UnknownNames(unknown))
    }
}

fn encryption(encryption: Encryption) -> EncryptionPolicy {
    match encryption {
        Encryption::Off => EncryptionPolicy::Off,
        Encryption::IfRequired => EncryptionPolicy::WhenAsked,
        Encryption::Desired => EncryptionPolicy::Desired,
        Encryption::Required => EncryptionPolicy::Required,
    }
}

fn user_list(principals: &[Principal], accounts: &Accounts) -> UserList {
    let mut list = UserList::default();
    for principal in principals {
        match principal {
            Principal::User(name) => list.users.push(name.clone()),
            // A group that does not exist must not vanish from the list: an empty `valid users`
            // lets everybody in. Nobody has the null SID.
            Principal::Group(name) => list.groups.push(accounts.group(name).unwrap_or(Sid::NULL)),
        }
    }
    list
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
