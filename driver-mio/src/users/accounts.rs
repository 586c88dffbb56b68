//! Accounts as the engine asks for them: a user of the database with the ids and groups that the
//! host's accounts give it.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use smb_engine::identity::{Account, Identity, IdentityKind};
use smb_proto::dtyp::Sid;

use super::db::UserDb;
use super::sids;

/// What the host knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUser {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, with the primary one.
    pub groups: Vec<u32>,
}

impl HostUser {
    /// The host's user of this name, if there is one (passwd(5) and whatever else the system
    /// consults).
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn named(name: &str) -> Result<Option<Self>, nix::Error> {
        let Some(user) = User::from_name(name)? else {
            return Ok(None);
        };
        let groups = match std::ffi::CString::new(name) {
            Ok(name) => getgrouplist(&name, user.gid)?,
            // A name with a zero byte has no entry, so this is not reached.
            Err(_) => vec![user.gid],
        };
        Ok(Some(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        }))
    }

    /// The user that this process runs as.
    #[must_use]
    pub fn of_process() -> Self {
        let gid = Gid::effective().as_raw();
        let mut groups: Vec<u32> = nix::unistd::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(Gid::as_raw)
            .collect();
        if !groups.contains(&gid) {
            groups.insert(0, gid);
        }
        Self {
            uid: Uid::effective().as_raw(),
            gid,
            groups,
        }
    }
}

/// Which user of the host somebody acts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapping {
    /// The one of the same name. Who has none cannot log on (as in ksmbd). For a server that can
    /// act as others, which takes root.
    ByName,
    /// All act as this one: the only way for a server that cannot act as others, and what is meant
    /// when somebody shares a directory of their own. Who has an account on the host is still in
    /// its groups, for lists such as `valid users`.
    All(HostUser),
}

/// Answers the engine's questions about accounts.
#[derive(Debug, Clone)]
pub struct Accounts {
    users: UserDb,
    domain: Sid,
    domain_name: String,
    mapping: Mapping,
}

impl Accounts {
    /// Accounts of `users` below `domain`, which is called `domain_name` (the server's name).
    #[must_use]
    pub fn new(users: UserDb, domain: Sid, domain_name: String, mapping: Mapping) -> Self {
        Self {
            users,
            domain,
            domain_name,
            mapping,
        }
    }

    /// The SID of the domain.
    #[must_use]
    pub fn domain(&self) -> &Sid {
        &self.domain
    }

    /// The account of a user, whatever the case of the name; `None` if there is none or the mapping
    /// is by name and the host does not know the user.
    #[must_use]
    pub fn account(&self, user: &str) -> Option<Account> {
        let (name, hash) = self.users.find(user)?;
        Some(Account {
            nt_hash: hash.clone(),
            identity: self.identity(name, IdentityKind::User)?,
        })
    }

    /// All who can log on.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        self.users
            .names()
            .filter_map(|name| self.identity(name, IdentityKind::User))
            .collect()
    }

    /// The users of the database who cannot log on because the host does not know them.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.users
            .names()
            .filter(|name| self.identity(name, IdentityKind::User).is_none())
            .map(str::to_owned)
            .collect()
    }

    /// Guests, who act as the host's user `name` if the mapping is by name; if the host does not
    /// know it, as the user and group 65534 that Linux keeps for nobody.
    #[must_use]
    pub fn guest(&self, name: &str) -> Identity {
        const NOBODY: u32 = 65_534;
        let host = match &self.mapping {
            Mapping::All(host) => host.clone(),
            Mapping::ByName => host_user(name).unwrap_or_else(|| HostUser {
                uid: NOBODY,
                gid: NOBODY,
                groups: vec![NOBODY],
            }),
        };
        self.make(name, IdentityKind::Guest, &host)
    }

    /// Whom `force user` and `force group` make of everybody: the host's user, with the group as
    /// its primary group.
    ///
    /// # Errors
    /// The name that the host does not know, and whether it is a group's.
    pub fn forced(&self, user: Option<&str>, group: Option<&str>) -> Result<Identity, Unknown> {
        let mut host = match user {
            Some(name) => host_user(name).ok_or_else(|| Unknown::User(name.to_owned()))?,
            None => HostUser::of_process(),
        };
        if let Some(group) = group {
            let gid = host_group(group).ok_or_else(|| Unknown::Group(group.to_owned()))?;
            host.gid = gid;
            if !host.groups.contains(&gid) {
                host.groups.push(gid);
            }
        }
        Ok(self.make(user.unwrap_or(""), IdentityKind::User, &host))
    }

    /// The SID of a group of the host.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<Sid> {
        host_group(name).map(sids::of_gid)
    }

    fn identity(&self, name: &str, kind: IdentityKind) -> Option<Identity> {
        let own = host_user(name);
        match &self.mapping {
            Mapping::ByName => own.map(|host| self.make(name, kind, &host)),
            Mapping::All(host) => {
                let mut identity = self.make(name, kind, host);
                for gid in own.iter().flat_map(|o| &o.groups) {
                    let sid = sids::of_gid(*gid);
                    if !identity.groups.contains(&sid) {
                        identity.groups.push(sid);
                    }
                }
                Some(identity)
            }
        }
    }

    fn make(&self, name: &str, kind: IdentityKind, host: &HostUser) -> Identity {
        Identity {
            name: name.to_owned(),
            domain: self.domain_name.clone(),
            kind,
            sid: sids::of_uid(&self.domain, host.uid),
            groups: host.groups.iter().map(|gid| sids::of_gid(*gid)).collect(),
            uid: Some(host.uid),
            gid: Some(host.gid),
            host_groups: host.groups.clone(),
            admin: false,
        }
    }
}

/// A name that the host does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// A user's.
    #[error("the system has no user `{0}`; expected one that `getent passwd` shows")]
    User(String),
    /// A group's.
    #[error("the system has no group `{0}`; expected one that `getent group` shows")]
    Group(String),
}

/// The host's user. That the system cannot tell is logged, and then it is as if there were none.
fn host_user(name: &str) -> Option<HostUser> {
    HostUser::named(name).unwrap_or_else(|error| {
        tracing::warn!(user = name, %error, "cannot look up the system user");
        None
    })
}

fn host_group(name: &str) -> Option<u32> {
    match Group::from_name(name) {
        Ok(group) => group.map(|g| g.gid.as_raw()),
        Err(error) => {
            tracing::warn!(group = name, %error, "cannot look up the system group");
            None
        }
    }
}
