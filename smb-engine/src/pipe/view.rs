//! What remote calls may know of the server, as plain values.

use std::time::Duration;

use smb_proto::FileTime;
use smb_proto::dtyp::{SecurityDescriptor, Sid};

/// The server as one caller sees it at one moment. Whoever makes it leaves out what the caller may
/// not see; the calls themselves refuse only what the specifications reserve for administrators or
/// keep from anonymous callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// NetBIOS name of the server, which is also that of its account domain.
    pub server_name: String,
    /// Workgroup.
    pub workgroup: String,
    /// Comment of the server.
    pub comment: String,
    /// Version that is reported: major and minor.
    pub version: (u32, u32),
    /// SID of the account domain.
    pub domain_sid: Sid,
    /// Who calls.
    pub caller: Caller,
    /// Shares that the caller may see. IPC$ need not be among them.
    pub shares: Vec<ShareView>,
    /// Users and groups.
    pub accounts: Vec<AccountView>,
    /// Sessions.
    pub sessions: Vec<SessionView>,
    /// Tree connects.
    pub connections: Vec<ConnectionView>,
    /// Opens.
    pub files: Vec<FileView>,
    /// The time.
    pub now: FileTime,
    /// How long the server has run.
    pub uptime: Duration,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account name.
    pub name: String,
    /// Domain or server that the account belongs to.
    pub domain: String,
    /// The account.
    pub sid: Sid,
    /// A null session.
    pub anonymous: bool,
    /// May see what is for administrators.
    pub admin: bool,
}

/// One share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareView {
    /// Name.
    pub name: String,
    /// STYPE_*, [MS-SRVS] 2.2.2.4.
    pub share_type: u32,
    /// Comment.
    pub comment: String,
    /// Path to show, as `C:\name`; not that of the host.
    pub path: String,
    /// Users at most; `None` for no limit.
    pub max_users: Option<u32>,
    /// Users now.
    pub current_users: u32,
    /// SHI1005_FLAGS, [MS-SRVS] 2.2.4.29: caching, DFS, access-based enumeration.
    pub flags: u32,
    /// Who may connect, if that is kept as a descriptor.
    pub security: Option<SecurityDescriptor>,
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountKind {
    /// A user.
    User,
    /// A group of the domain.
    Group,
    /// A local group.
    Alias,
}

/// One user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// SID; what is not directly under the server's domain or BUILTIN can be looked up, but not
    /// enumerated.
    pub sid: Sid,
    /// Account name.
    pub name: String,
    /// Full name.
    pub full_name: String,
    /// Comment.
    pub comment: String,
    /// What it is.
    pub kind: AccountKind,
    /// Groups and aliases that it is a member of.
    pub groups: Vec<Sid>,
    /// Cannot log on.
    pub disabled: bool,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Name or address of the client, without backslashes.
    pub client: String,
    /// User name.
    pub user: String,
    /// Guest.
    pub guest: bool,
    /// Opens.
    pub opens: u32,
    /// How long it has been.
    pub active: Duration,
    /// How long nothing was asked on it.
    pub idle: Duration,
}

/// One tree connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// A number.
    pub id: u32,
    /// Name of the share.
    pub share: String,
    /// STYPE_*.
    pub share_type: u32,
    /// Name or address of the client, without backslashes.
    pub client: String,
    /// User name.
    pub user: String,
    /// Opens.
    pub opens: u32,
    /// How long it has been.
    pub active: Duration,
}

/// One open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// A number.
    pub id: u32,
    /// Path, as `C:\share\dir\file`.
    pub path: String,
    /// User name.
    pub user: String,
    /// 1 read, 2 write, 4 create ([MS-SRVS] 2.2.4.7).
    pub permissions: u32,
    /// Byte-range locks.
    pub locks: u32,
}
