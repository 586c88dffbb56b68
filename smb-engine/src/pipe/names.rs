//! From names to SIDs and back, over the accounts of a view and the well-known ones
//! ([MS-LSAT] 3.1.1, [MS-DTYP] 2.4.2.4).

use smb_proto::dtyp::Sid;
use smb_proto::rpc::lsarpc::name_use;
use smb_proto::rpc::samr::GROUP_RID_USERS;

use super::{AccountKind, ServerView};
use crate::names::same_name;

/// What a name or SID stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) sid: Sid,
    /// Empty for a domain itself.
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) domain_sid: Sid,
    /// One of [`name_use`].
    pub(super) kind: u16,
}

/// Name of the domain of the built-in groups.
pub(super) const BUILTIN: &str = "BUILTIN";
const AUTHORITY: &str = "NT AUTHORITY";
const UNIX_USER: &str = "Unix User";
const UNIX_GROUP: &str = "Unix Group";

/// Well-known SIDs with domain and name.
const WELL_KNOWN: &[(Sid, &str, &str)] = &[
    (Sid::NULL, "", "NULL SID"),
    (Sid::WORLD, "", "Everyone"),
    (Sid::CREATOR_OWNER, "", "CREATOR OWNER"),
    (Sid::CREATOR_GROUP, "", "CREATOR GROUP"),
    (Sid::OWNER_RIGHTS, "", "OWNER RIGHTS"),
    (Sid::NETWORK, AUTHORITY, "NETWORK"),
    (Sid::ANONYMOUS, AUTHORITY, "ANONYMOUS LOGON"),
    (Sid::AUTHENTICATED_USERS, AUTHORITY, "Authenticated Users"),
    (Sid::LOCAL_SYSTEM, AUTHORITY, "SYSTEM"),
];

/// The built-in groups.
pub(super) const ALIASES: &[(Sid, &str, &str)] = &[
    (
        Sid::BUILTIN_ADMINISTRATORS,
        "Administrators",
        "Members can do everything",
    ),
    (Sid::BUILTIN_USERS, "Users", "Ordinary users"),
    (Sid::BUILTIN_GUESTS, "Guests", "Users without an account"),
    (
        Sid::BUILTIN_BACKUP_OPERATORS,
        "Backup Operators",
        "Members can read and restore everything",
    ),
];

/// The group that every user of a server without a domain is in.
pub(super) const DEFAULT_GROUP: &str = "None";

/// Number of a kind of account.
pub(super) fn kind_of(kind: AccountKind) -> u16 {
    match kind {
        AccountKind::User => name_use::USER,
        AccountKind::Group => name_use::GROUP,
        AccountKind::Alias => name_use::ALIAS,
    }
}

fn in_domain(sid: Sid, name: &str, domain: &str, kind: u16) -> Principal {
    let domain_sid = match sid.split_rid() {
        Some((parent, _)) => parent,
        None => sid,
    };
    Principal {
        sid,
        name: name.to_owned(),
        domain: domain.to_owned(),
        domain_sid,
        kind,
    }
}

fn domain(sid: Sid, name: &str) -> Principal {
    Principal {
        sid,
        name: String::new(),
        domain: name.to_owned(),
        domain_sid: sid,
        kind: name_use::DOMAIN,
    }
}

/// Everyone that is known by name: accounts first, so that a well-known name can be overridden.
fn all(view: &ServerView) -> impl Iterator<Item = Principal> + '_ {
    let accounts = view.accounts.iter().map(|a| {
        let domain = match a.sid.split_rid().map(|(parent, _)| parent) {
            Some(Sid::BUILTIN) => BUILTIN,
            Some(Sid::UNIX_USERS) => UNIX_USER,
            Some(Sid::UNIX_GROUPS) => UNIX_GROUP,
            _ => &view.server_name,
        };
        in_domain(a.sid, &a.name, domain, kind_of(a.kind))
    });
    let caller = &view.caller;
    let caller = (!caller.anonymous)
        .then(|| in_domain(caller.sid, &caller.name, &caller.domain, name_use::USER));
    let group = view
        .domain_sid
        .with_rid(GROUP_RID_USERS)
        .map(|sid| in_domain(sid, DEFAULT_GROUP, &view.server_name, name_use::GROUP));
    let aliases = ALIASES
        .iter()
        .map(|&(sid, name, _)| in_domain(sid, name, BUILTIN, name_use::ALIAS));
    let known = WELL_KNOWN
        .iter()
        .map(|&(sid, domain, name)| in_domain(sid, name, domain, name_use::WELL_KNOWN_GROUP));
    let domains = [
        domain(view.domain_sid, &view.server_name),
        domain(Sid::BUILTIN, BUILTIN),
        domain(Sid::NT_AUTHORITY, AUTHORITY),
    ];
    accounts
        .chain(caller)
        .chain(group)
        .chain(aliases)
        .chain(known)
        .chain(domains)
}

/// What a SID stands for. Numeric POSIX users and groups that are no accounts are known by their
/// number.
pub(super) fn by_sid(view: &ServerView, sid: &Sid) -> Option<Principal> {
    if let Some(found) = all(view).find(|p| p.sid == *sid) {
        return Some(found);
    }
    let unix = |parent, domain, kind| {
        let id = sid.rid_in(&parent)?;
        Some(in_domain(*sid, &id.to_string(), domain, kind))
    };
    unix(Sid::UNIX_USERS, UNIX_USER, name_use::USER)
        .or_else(|| unix(Sid::UNIX_GROUPS, UNIX_GROUP, name_use::GROUP))
}

/// What a name stands for: `domain\name`, `name@domain`, a name alone or that of a domain.
pub(super) fn by_name(view: &ServerView, text: &str) -> Option<Principal> {
    let (domain, name) = match (text.split_once('\\'), text.rsplit_once('@')) {
        (Some((domain, name)), _) => (Some(domain), name),
        (None, Some((name, domain))) => (Some(domain), name),
        (None, None) => (None, text),
    };
    // The workgroup is no domain of its own, but clients name it.
    let domain = match domain {
        Some(d) if same_name(d, &view.workgroup) => Some(view.server_name.as_str()),
        other => other,
    };
    all(view).find(|p| match p.kind {
        name_use::DOMAIN => match domain {
            Some(d) => name.is_empty() && same_name(d, &p.domain),
            None => same_name(name, &p.domain),
        },
        _ => same_name(name, &p.name) && domain.is_none_or(|d| same_name(d, &p.domain)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ALICE, DOMAIN, view};
    use super::*;

    #[test]
    fn both_directions() {
        let view = view();
        for (name, sid, kind) in [
            ("alice", ALICE, name_use::USER),
            ("SANSRV\\Alice", ALICE, name_use::USER),
            ("LAB\\alice", ALICE, name_use::USER),
            ("alice@sansrv", ALICE, name_use::USER),
            ("sansrv", DOMAIN, name_use::DOMAIN),
            ("SANSRV\\", DOMAIN, name_use::DOMAIN),
            ("everyone", Sid::WORLD, name_use::WELL_KNOWN_GROUP),
            (
                "NT Authority\\system",
                Sid::LOCAL_SYSTEM,
                name_use::WELL_KNOWN_GROUP,
            ),
            (
                "BUILTIN\\Administrators",
                Sid::BUILTIN_ADMINISTRATORS,
                name_use::ALIAS,
            ),
            ("None", DOMAIN.with_rid(513).unwrap(), name_use::GROUP),
        ] {
            let p = by_name(&view, name).unwrap();
            assert_eq!((p.sid, p.kind), (sid, kind), "{name}");
            assert_eq!(by_sid(&view, &sid), Some(p), "{name}");
        }
        for name in ["", "nobody", "OTHER\\alice", "BUILTIN\\alice", "\\alice"] {
            assert_eq!(by_name(&view, name), None, "{name}");
        }
        assert_eq!(by_sid(&view, &DOMAIN.with_rid(4711).unwrap()), None);
    }

    #[test]
    fn posix_ids_are_their_own_names() {
        let p = by_sid(&view(), &Sid::UNIX_USERS.with_rid(1000).unwrap()).unwrap();
        assert_eq!((p.domain.as_str(), p.name.as_str()), (UNIX_USER, "1000"));
        assert_eq!(p.domain_sid, Sid::UNIX_USERS);
        let p = by_sid(&view(), &Sid::UNIX_GROUPS.with_rid(100).unwrap()).unwrap();
        assert_eq!((p.domain.as_str(), p.kind), (UNIX_GROUP, name_use::GROUP));
    }
}
