//! Who a request acts for.

use smb_proto::crypto::ntlm::NtHash;
use smb_proto::dtyp::Sid;

/// How an identity came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityKind {
    /// A user of the account database who proved the password.
    User,
    /// Someone unknown or without right password, mapped to the guest account.
    Guest,
    /// An anonymous (null) session.
    Anonymous,
    /// The server itself.
    System,
}

/// The user behind a session: names for logs, SIDs for access checks, host ids for a backend that
/// acts with them ([MS-SMB2] 3.3.1.8 Session.SecurityContext).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Account name as stored.
    pub name: String,
    /// Domain or server name it belongs to.
    pub domain: String,
    /// How it was established.
    pub kind: IdentityKind,
    /// The user.
    pub sid: Sid,
    /// Groups, without the well-known ones that [`Self::all_sids`] adds.
    pub groups: Vec<Sid>,
    /// The host's user id, where the host has such.
    pub uid: Option<u32>,
    /// The host's primary group id.
    pub gid: Option<u32>,
    /// The host's supplementary group ids.
    pub host_groups: Vec<u32>,
    /// May do everything (`admin users` of a share).
    pub admin: bool,
}

impl Identity {
    /// A user without groups and without ids on the host.
    #[must_use]
    pub fn user(name: &str, sid: Sid) -> Self {
        Self {
            name: name.to_owned(),
            domain: String::new(),
            kind: IdentityKind::User,
            sid,
            groups: Vec::new(),
            uid: None,
            gid: None,
            host_groups: Vec::new(),
            admin: false,
        }
    }

    /// The identity with which the server closes and cleans up when nobody else can be named.
    #[must_use]
    pub fn system() -> Self {
        Self {
            name: "SYSTEM".to_owned(),
            domain: "NT AUTHORITY".to_owned(),
            kind: IdentityKind::System,
            sid: Sid::LOCAL_SYSTEM,
            groups: Vec::new(),
            uid: None,
            gid: None,
            host_groups: Vec::new(),
            admin: true,
        }
    }

    /// Whether it holds the privileges of BUILTIN\Administrators: to take ownership and to give it
    /// away, and to read and change audit lists and labels ([MS-LSAD] 3.1.1.2.1:
    /// SeTakeOwnershipPrivilege, SeRestorePrivilege, SeSecurityPrivilege, SeRelabelPrivilege).
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.admin || self.groups.contains(&Sid::BUILTIN_ADMINISTRATORS)
    }

    /// The user's SID, its groups, and the well-known groups it belongs to ([MS-DTYP] 2.5.2):
    /// Everyone and Network for all; Authenticated Users for users.
    pub fn all_sids(&self) -> impl Iterator<Item = &Sid> {
        const COMMON: &[Sid] = &[Sid::WORLD, Sid::NETWORK];
        const USERS: &[Sid] = &[Sid::WORLD, Sid::NETWORK, Sid::AUTHENTICATED_USERS];
        let well_known = match self.kind {
            IdentityKind::User | IdentityKind::System => USERS,
            IdentityKind::Guest | IdentityKind::Anonymous => COMMON,
        };
        std::iter::once(&self.sid)
            .chain(&self.groups)
            .chain(well_known)
    }
}

/// An account as the driver's database knows it: the answer to [`crate::output::Query::Account`].
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// MD4 of the password, [MS-NLMP] 3.3.1 NTOWFv1.
    pub nt_hash: NtHash,
    /// Who it is.
    pub identity: Identity,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
