//! What the server is told at its start, and may be told again with a control input.

use std::net::IpAddr;
use std::time::Duration;

use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::{Dialect, FileTime, Guid};

use crate::identity::{Identity, IdentityKind};
use crate::vfs::Capabilities;

/// A storage backend of the driver, by number. Several shares may use one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(pub u32);

/// `server signing` of ksmbd.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningPolicy {
    /// Sign where the client asks for it.
    WhenAsked,
    /// Refuse whoever cannot sign ([MS-SMB2] 3.3.1.5 RequireMessageSigning).
    Required,
}

/// Encryption of the whole server or of one share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EncryptionPolicy {
    /// The capability is not announced.
    Off,
    /// A client may encrypt.
    WhenAsked,
    /// Sessions (or tree connects) are told to encrypt if the client can.
    Desired,
    /// Who cannot encrypt is refused ([MS-SMB2] 3.3.1.5 EncryptData, RejectUnencryptedAccess).
    Required,
}

/// Who becomes guest (`map to guest` of ksmbd.conf).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapToGuest {
    /// Nobody.
    Never,
    /// Who names an unknown user.
    BadUser,
}

/// Bounds on what peers can make the server hold or do. Each is enforced where its name is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// MaxTransactSize, MaxReadSize, MaxWriteSize of NEGOTIATE in bytes ([MS-SMB2] 3.3.5.4).
    pub max_transact: u32,
    /// See [`Self::max_transact`].
    pub max_read: u32,
    /// See [`Self::max_transact`].
    pub max_write: u32,
    /// Credits that one connection can have at most.
    pub max_credits: u16,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_ip: usize,
    /// Sessions in all.
    pub max_sessions: usize,
    /// Sessions of one user; the next one is refused when it has proved who it is.
    pub max_sessions_per_user: usize,
    /// Connections of one session; one more is not bound to it ([MS-SMB2] 3.3.5.5; Windows: 32).
    pub max_channels_per_session: usize,
    /// Tree connects of one session.
    pub max_trees_per_session: usize,
    /// Opens in all.
    pub max_opens: usize,
    /// Session set-ups in progress on one connection.
    pub max_pending_logons: usize,
    /// How long a connection may exist without an authenticated session.
    pub unauthenticated_for: Duration,
    /// How long a session may be idle without open files (`deadtime`); zero: for ever.
    pub idle_for: Duration,
    /// How long an authentication is good for; then the client has to prove its user again
    /// ([MS-SMB2] 3.3.5.2.9). Zero: for ever.
    pub session_lifetime: Duration,
    /// Largest message before authentication, in bytes.
    pub max_message_unauthenticated: usize,
    /// Elements of one compound.
    pub max_compound: usize,
    /// Byte ranges of one LOCK request.
    pub max_lock_elements: usize,
    /// Byte-range locks of one open.
    pub max_locks_per_open: usize,
    /// Requests without an answer on one connection (CHANGE_NOTIFY, waiting locks …).
    pub max_async_per_connection: usize,
    /// Bytes that one COPYCHUNK request copies at most ([MS-SMB2] 3.3.3: 16 MiB).
    pub max_copy_total: u32,
    /// Bytes of one copy chunk (1 MiB).
    pub max_copy_chunk: u32,
    /// Chunks of one COPYCHUNK request (256).
    pub max_copy_chunks: u32,
    /// Bytes of change notifications kept for one watch.
    pub max_notify_bytes: usize,
    /// When an operation that has not finished gets its interim answer ([MS-SMB2] 3.3.4.2).
    pub interim_after: Duration,
    /// When the first write to an open file shows in its write time; later ones show when the file is
    /// closed. Zero: each at once.
    pub write_time_delay: Duration,
    /// How long a client has to acknowledge the break of an oplock or lease
    /// ([MS-SMB2] 3.3.2.1 and 3.3.2.5: 35 seconds).
    pub break_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_transact: 8 << 20,
            max_read: 8 << 20,
            max_write: 8 << 20,
            max_credits: 8192,
            max_connections: 1024,
            max_connections_per_ip: 256,
            max_sessions: 4096,
            max_sessions_per_user: usize::MAX,
            max_channels_per_session: 32,
            max_trees_per_session: 1024,
            max_opens: 65536,
            max_pending_logons: 16,
            unauthenticated_for: Duration::from_secs(30),
            idle_for: Duration::ZERO,
            session_lifetime: Duration::ZERO,
            max_message_unauthenticated: 64 << 10,
            max_compound: 64,
            max_lock_elements: 64,
            max_locks_per_open: 16384,
            max_async_per_connection: 512,
            max_copy_total: 16 << 20,
            max_copy_chunk: 1 << 20,
            max_copy_chunks: 256,
            max_notify_bytes: 64 << 10,
            interim_after: Duration::from_millis(500),
            write_time_delay: Duration::from_secs(2),
            break_after: Duration::from_secs(35),
        }
    }
}

/// A network interface as FSCTL_QUERY_NETWORK_INTERFACE_INFO reports it ([MS-SMB2] 2.2.32.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Interface index.
    pub index: u32,
    /// Receive-side scaling.
    pub rss: bool,
    /// RDMA.
    pub rdma: bool,
    /// Bits per second.
    pub link_speed: u64,
    /// Address.
    pub address: IpAddr,
}

/// A list of user names and `@group` names, as in `valid users`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserList {
    /// User names.
    pub users: Vec<String>,
    /// Groups, by the SIDs that members have in their [`Identity`].
    pub groups: Vec<smb_proto::dtyp::Sid>,
}

impl UserList {
    /// Nobody is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Whether the list names this identity.
    #[must_use]
    pub fn names(&self, who: &Identity) -> bool {
        self.users
            .iter()
            .any(|u| crate::names::same_name(u, &who.name))
            || self.groups.iter().any(|g| who.groups.contains(g))
    }
}

/// One share, [MS-SMB2] 3.3.1.6. IPC$ exists without being configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Name; compared without regard to case.
    pub name: String,
    /// Comment in listings.
    pub comment: String,
    /// Where its files are.
    pub backend: BackendId,
    /// What the backend can do.
    pub capabilities: Capabilities,
    /// File system name for FileFsAttributeInformation ("NTFS", because clients decide by it).
    pub file_system: String,
    /// Longest name of one component, in UTF-16 units.
    pub max_name: u32,
    /// Nobody writes, except `write_list`.
    pub read_only: bool,
    /// Appears in listings.
    pub browseable: bool,
    /// Guests and anonymous sessions may connect.
    pub guest_ok: bool,
    /// Whoever connects is guest.
    pub guest_only: bool,
    /// Encryption of this share.
    pub encryption: EncryptionPolicy,
    /// If not empty, only these may connect.
    pub valid_users: UserList,
    /// These may not.
    pub invalid_users: UserList,
    /// These may only read.
    pub read_list: UserList,
    /// These may write on a read-only share.
    pub write_list: UserList,
    /// These act as administrators of the share.
    pub admin_users: UserList,
    /// Whoever connects acts as this identity (`force user`, `force group`).
    pub force_identity: Option<Identity>,
    /// Addresses that may connect; empty: all.
    pub hosts_allow: Vec<String>,
    /// Addresses that may not.
    pub hosts_deny: Vec<String>,
    /// Tree connects at most.
    pub max_connections: usize,
    /// Oplocks and leases may be granted.
    pub oplocks: bool,
    /// Opens may outlive the server itself ([MS-SMB2] 3.3.1.6 Share.IsCA): the driver keeps what
    /// [`crate::output::Output::Store`] tells it.
    pub continuous_availability: bool,
    /// Access-based enumeration ([MS-SMB2] 2.2.10): listings leave out what the user may not read.
    pub hide_unreadable: bool,
    /// A descriptor that a client sets keeps SE_DACL_AUTO_INHERITED only together with
    /// SE_DACL_AUTO_INHERIT_REQ ([MS-DTYP] 2.4.6), as on Windows; else it is stored as it came.
    pub canonical_inherited: bool,
    /// CHANGE_NOTIFY is supported.
    pub change_notify: bool,
}

/// The whole configuration of a [`crate::Server`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// NetBIOS computer name (upper case, at most 15 characters).
    pub server_name: String,
    /// Workgroup.
    pub workgroup: String,
    /// Comment of the server.
    pub server_string: String,
    /// ServerGuid, [MS-SMB2] 3.3.1.5.
    pub server_guid: Guid,
    /// SID of the server's account domain.
    pub domain_sid: smb_proto::dtyp::Sid,
    /// Oldest and newest dialect.
    pub min_dialect: Dialect,
    /// See [`Self::min_dialect`].
    pub max_dialect: Dialect,
    /// Signing.
    pub signing: SigningPolicy,
    /// Signing algorithms, the preferred first ([MS-SMB2] 3.3.5.4).
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// Encryption of everything.
    pub encryption: EncryptionPolicy,
    /// Ciphers, the preferred first.
    pub ciphers: Vec<Cipher>,
    /// Who becomes guest.
    pub map_to_guest: MapToGuest,
    /// The guest account.
    pub guest: Identity,
    /// Anonymous sessions may not be set up at all (`restrict anonymous`).
    pub refuse_anonymous: bool,
    /// Multichannel is announced.
    pub multichannel: bool,
    /// Leases are announced.
    pub leases: bool,
    /// So are leases on directories, in dialects 3.x.
    pub directory_leases: bool,
    /// Opens may outlive their connection.
    pub durable_handles: bool,
    /// Interfaces to report.
    pub interfaces: Vec<Interface>,
    /// ServerStartTime.
    pub started: FileTime,
    /// Shares, without IPC$.
    pub shares: Vec<Share>,
    /// Bounds.
    pub limits: Limits,
}

impl Share {
    /// A share that every user may read and write, with the defaults of ksmbd.conf for the rest.
    #[must_use]
    pub fn new(name: &str, backend: BackendId, capabilities: Capabilities) -> Self {
        Self {
            name: name.to_owned(),
            comment: String::new(),
            backend,
            capabilities,
            file_system: "NTFS".to_owned(),
            max_name: 255,
            read_only: capabilities.contains(Capabilities::READ_ONLY),
            browseable: true,
            guest_ok: false,
            guest_only: false,
            encryption: EncryptionPolicy::WhenAsked,
            valid_users: UserList::default(),
            invalid_users: UserList::default(),
            read_list: UserList::default(),
            write_list: UserList::default(),
            admin_users: UserList::default(),
            force_identity: None,
            hosts_allow: Vec::new(),
            hosts_deny: Vec::new(),
            max_connections: 1024,
            oplocks: true,
            continuous_availability: false,
            hide_unreadable: false,
            canonical_inherited: true,
            change_notify: true,
        }
    }
}

impl Config {
    /// Whether there are shares whose opens may outlive the server ([MS-SMB2] 3.3.5.4,
    /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES).
    #[must_use]
    pub fn persistent_handles(&self) -> bool {
        self.durable_handles && self.shares.iter().any(|s| s.continuous_availability)
    }

    /// A server with these shares: all dialects, ciphers and signing algorithms, signing and
    /// encryption where the client asks for them, no guests.
    #[must_use]
    pub fn new(server_name: &str, domain_sid: smb_proto::dtyp::Sid, shares: Vec<Share>) -> Self {
        Self {
            server_name: server_name.to_uppercase(),
            workgroup: "WORKGROUP".to_owned(),
            server_string: server_name.to_owned(),
            server_guid: Guid::NIL,
            domain_sid,
            min_dialect: Dialect::Smb202,
            max_dialect: Dialect::Smb311,
            signing: SigningPolicy::WhenAsked,
            signing_algorithms: SigningAlgorithm::ALL.into_iter().rev().collect(),
            encryption: EncryptionPolicy::WhenAsked,
            ciphers: vec![
                Cipher::Aes128Gcm,
                Cipher::Aes128Ccm,
                Cipher::Aes256Gcm,
                Cipher::Aes256Ccm,
            ],
            map_to_guest: MapToGuest::Never,
            guest: Identity {
                kind: IdentityKind::Guest,
                sid: smb_proto::dtyp::Sid::BUILTIN_GUESTS,
                ..Identity::user("guest", smb_proto::dtyp::Sid::NULL)
            },
            refuse_anonymous: false,
            multichannel: false,
            leases: false,
            directory_leases: false,
            durable_handles: false,
            interfaces: Vec::new(),
            started: FileTime::ZERO,
            shares,
            limits: Limits::default(),
        }
    }
}
