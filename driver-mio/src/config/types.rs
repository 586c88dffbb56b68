//! What a configuration says, with every default filled in.

use std::path::PathBuf;

use smb_proto::Dialect;
use smb_proto::crypto::{Cipher, SigningAlgorithm};

use super::diag::Pos;
use super::hosts::HostList;
use super::value::{
    Choice, Credits, IoSize, Limit, Mode, NameList, Ports, Principal, Setting, choice_setting,
    parse_algorithms, show_list,
};
use super::value::{Expected, list, show_choice};

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EffectiveConfig {
    /// `[global]`.
    pub global: Global,
    /// The shares in order of appearance.
    pub shares: Vec<ShareConfig>,
}

impl EffectiveConfig {
    /// Where the files of a share are: its path beneath `root directory`.
    #[must_use]
    pub fn path_of(&self, share: &ShareConfig) -> PathBuf {
        let path = share.path.clone().unwrap_or_default();
        match &self.global.root_directory {
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(&path)),
            None => path,
        }
    }

    /// The encryption that holds for a share: its own setting, or the server's.
    #[must_use]
    pub fn encryption_of(&self, share: &ShareConfig) -> Encryption {
        match self.global.encryption {
            Encryption::Off => Encryption::Off,
            global => share.encryption.unwrap_or(global),
        }
    }
}

/// What holds for the whole server. Each field is the parameter of the same name unless it says
/// otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    /// Listen on `interfaces` alone.
    pub bind_interfaces_only: bool,
    /// Minutes without activity and without open files after which a connection is closed; 0:
    /// never.
    pub deadtime: u32,
    /// Durable handles are granted.
    pub durable_handles: bool,
    /// The system user that guests act as.
    pub guest_account: String,
    /// Interface names, addresses or networks.
    pub interfaces: Vec<String>,
    /// Addresses that may connect to the server at all; unset: all.
    pub hosts_allow: Option<HostList>,
    /// Addresses that may not.
    pub hosts_deny: Option<HostList>,
    /// Who becomes guest.
    pub map_to_guest: MapToGuest,
    /// Sessions in all.
    pub max_active_sessions: Limit,
    /// Connections in all.
    pub max_connections: Limit,
    /// Connections from one address.
    pub max_ip_connections: Limit,
    /// Open files in all.
    pub max_open_files: Limit,
    /// The server's NetBIOS name.
    pub netbios_name: NetbiosName,
    /// What anonymous sessions may do.
    pub restrict_anonymous: RestrictAnonymous,
    /// Stands before the path of every share.
    pub root_directory: Option<PathBuf>,
    /// Newest dialect.
    pub server_max_protocol: Protocol,
    /// Oldest dialect.
    pub server_min_protocol: Protocol,
    /// Several connections may belong to one session.
    pub multi_channel: bool,
    /// `server signing`
    pub signing: Signing,
    /// `server smb3 signing algorithms`, the preferred first.
    pub signing_algorithms: SigningAlgorithms,
    /// Comment of the server in listings.
    pub server_string: String,
    /// `share:fake_fscaps`: file system attributes ([MS-FSCC] 2.5.1) announced in addition.
    pub fake_fscaps: u32,
    /// Leases are granted.
    pub smb2_leases: bool,
    /// Credits of one connection.
    pub smb2_max_credits: Credits,
    /// Bytes of one READ.
    pub smb2_max_read: IoSize,
    /// Bytes of one QUERY_INFO, SET_INFO, QUERY_DIRECTORY, CHANGE_NOTIFY or IOCTL.
    pub smb2_max_trans: IoSize,
    /// Bytes of one WRITE.
    pub smb2_max_write: IoSize,
    /// `server smb encrypt` and `smb3 encryption`
    pub encryption: Encryption,
    /// `server smb3 encryption algorithms`, the preferred first.
    pub ciphers: Ciphers,
    /// `smb ports` and `tcp port`
    pub ports: Ports,
    /// Workgroup that the server says it is in.
    pub workgroup: NetbiosName,
    /// How much is logged.
    pub log_level: LogLevel,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            bind_interfaces_only: false,
            deadtime: 0,
            durable_handles: false,
            guest_account: "nobody".to_owned(),
            interfaces: Vec::new(),
            hosts_allow: None,
            hosts_deny: None,
            map_to_guest: MapToGuest::Never,
            max_active_sessions: Limit(1024),
            max_connections: Limit(256),
            max_ip_connections: Limit(32),
            max_open_files: Limit(10_000),
            netbios_name: NetbiosName("SANSMB".to_owned()),
            restrict_anonymous: RestrictAnonymous::No,
            root_directory: None,
            server_max_protocol: Protocol(Dialect::Smb311),
            server_min_protocol: Protocol(Dialect::Smb210),
            multi_channel: false,
            signing: Signing::Auto,
            signing_algorithms: SigningAlgorithms::default(),
            server_string: "sansmb".to_owned(),
            fake_fscaps: 64,
            smb2_leases: true,
            smb2_max_credits: Credits(8192),
            smb2_max_read: IoSize(4 << 20),
            smb2_max_trans: IoSize(4 << 20),
            smb2_max_write: IoSize(4 << 20),
            encryption: Encryption::IfRequired,
            ciphers: Ciphers::default(),
            ports: Ports(vec![445]),
            workgroup: NetbiosName("WORKGROUP".to_owned()),
            log_level: LogLevel::Info,
        }
    }
}

impl Global {
    /// Whether a host at this address may connect to the server, by `hosts allow` and `hosts deny`
    /// of `[global]`: allowed wins where both name it; the machine itself may always connect unless
    /// it is denied by address.
    #[must_use]
    pub fn admits(&self, address: std::net::IpAddr) -> bool {
        super::hosts::admits(self.hosts_allow.as_ref(), self.hosts_deny.as_ref(), address)
    }
}

/// One share. Each field is the parameter of the same name unless it says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareConfig {
    /// The section's name: 1 to 63 bytes.
    pub name: String,
    /// Where the section begins, if it comes from a file.
    pub at: Option<Pos>,
    /// Where `path` is given, if it comes from a file.
    pub path_at: Option<Pos>,
    /// The share is served at all.
    pub available: bool,
    /// These act as administrators of the share.
    pub admin_users: Vec<Principal>,
    /// Appears in listings.
    pub browseable: bool,
    /// Text in listings.
    pub comment: String,
    /// Permission bits that a new file may have.
    pub create_mask: Mode,
    /// Paths may cross into other file systems.
    pub crossmnt: bool,
    /// Permission bits that a new directory may have.
    pub directory_mask: Mode,
    /// Extended attributes can be read and written.
    pub ea_support: bool,
    /// `server smb encrypt` of the share; unset: as the server says.
    pub encryption: Option<Encryption>,
    /// Symbolic links are followed, as long as they stay in the share.
    pub follow_symlinks: bool,
    /// Permission bits that a new file gets in any case.
    pub force_create_mode: Mode,
    /// Permission bits that a new directory gets in any case.
    pub force_directory_mode: Mode,
    /// The system group that everybody acts as.
    pub force_group: Option<String>,
    /// The system user that everybody acts as.
    pub force_user: Option<String>,
    /// The system user that guests of this share act as; unset: as the server says.
    pub guest_account: Option<String>,
    /// Whoever connects is a guest.
    pub guest_only: bool,
    /// Guests may connect.
    pub guest_ok: bool,
    /// Names that begin with a dot are shown as hidden.
    pub hide_dot_files: bool,
    /// Files that a user cannot read are not listed.
    pub hide_unreadable: bool,
    /// Addresses that may connect, of those that may connect to the server; unset: all.
    pub hosts_allow: Option<HostList>,
    /// Addresses that may not.
    pub hosts_deny: Option<HostList>,
    /// New files belong to the owner of the directory.
    pub inherit_owner: InheritOwner,
    /// These may not connect.
    pub invalid_users: Vec<Principal>,
    /// Connections to the share.
    pub max_connections: Limit,
    /// Oplocks are granted.
    pub oplocks: bool,
    /// The directory. Always set in a configuration that has been read without error.
    pub path: Option<PathBuf>,
    /// These may only read.
    pub read_list: Vec<Principal>,
    /// Nobody may write but `write_list`.
    pub read_only: bool,
    /// DOS attributes are kept in an extended attribute.
    pub store_dos_attributes: bool,
    /// If not empty, only these may connect.
    pub valid_users: Vec<Principal>,
    /// Names that do not exist for clients.
    pub veto_files: NameList,
    /// What is kept in extended attributes.
    pub vfs_objects: VfsObjects,
    /// These may write although the share is read-only.
    pub write_list: Vec<Principal>,
}

impl Default for ShareConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            at: None,
            path_at: None,
            available: true,
            admin_users: Vec::new(),
            browseable: true,
            comment: String::new(),
            create_mask: Mode(0o744),
            crossmnt: true,
            directory_mask: Mode(0o755),
            ea_support: true,
            encryption: None,
            follow_symlinks: false,
            force_create_mode: Mode(0),
            force_directory_mode: Mode(0),
            force_group: None,
            force_user: None,
            guest_account: None,
            guest_only: false,
            guest_ok: false,
            hide_dot_files: true,
            hide_unreadable: false,
            hosts_allow: None,
            hosts_deny: None,
            inherit_owner: InheritOwner::No,
            invalid_users: Vec::new(),
            max_connections: Limit(128),
            oplocks: true,
            path: None,
            read_list: Vec::new(),
            read_only: true,
            store_dos_attributes: true,
            valid_users: Vec::new(),
            veto_files: NameList::default(),
            vfs_objects: VfsObjects::default(),
            write_list: Vec::new(),
        }
    }
}

impl ShareConfig {
    /// Whether a host that may connect to the server ([`Global::admits`]) may connect to the share
    /// too, by the share's own lists.
    #[must_use]
    pub fn admits(&self, address: std::net::IpAddr) -> bool {
        super::hosts::admits(self.hosts_allow.as_ref(), self.hosts_deny.as_ref(), address)
    }
}

/// Who becomes guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapToGuest {
    /// Nobody: a wrong name or password is refused.
    Never,
    /// Whoever names a user that does not exist.
    BadUser,
}

impl Setting for MapToGuest {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        match text.to_ascii_lowercase().as_str() {
            "never" => Ok(Self::Never),
            "bad user" => Ok(Self::BadUser),
            other @ ("bad password" | "bad uid") => {
                notes.push(format!(
                    "`{other}` is not supported: nobody becomes guest, as with `never`"
                ));
                Ok(Self::Never)
            }
            _ => Err(Expected::new("`never` or `bad user`")),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Never => "never",
            Self::BadUser => "bad user",
        }
        .to_owned()
    }
}

/// What anonymous sessions may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestrictAnonymous {
    /// No restriction beyond `guest ok`.
    No,
    /// Not connect to IPC$, nor to a share without `guest ok`.
    Ipc,
    /// As `Ipc`.
    All,
}

impl Choice for RestrictAnonymous {
    const WORDS: &'static [(&'static str, Self)] =
        &[("0", Self::No), ("1", Self::Ipc), ("2", Self::All)];
}

/// A dialect as `server min protocol` and `server max protocol` spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol(pub Dialect);

/// Names of dialects before SMB 2, which Samba knows.
const BEFORE_SMB2: [&str; 6] = ["NT1", "LANMAN2", "LANMAN1", "CORE", "COREPLUS", "CORE+"];

impl Setting for Protocol {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let name = text.to_ascii_uppercase();
        let dialect = match name.as_str() {
            "SMB2_02" => Dialect::Smb202,
            // Samba: SMB2 selects SMB2_10, SMB3 selects SMB3_11, whether as minimum or maximum.
            "SMB2_10" | "SMB2" => Dialect::Smb210,
            "SMB3_00" => Dialect::Smb300,
            "SMB3_02" => Dialect::Smb302,
            "SMB3_11" | "SMB3" => Dialect::Smb311,
            "DEFAULT" => {
                return Err(Expected::new(
                    "a dialect; leave the line out for the default",
                ));
            }
            old if BEFORE_SMB2.contains(&old) => {
                notes.push(format!(
                    "`{text}` is SMB1, which is not supported: SMB2_02 is used"
                ));
                Dialect::Smb202
            }
            _ => {
                return Err(Expected::new(
                    "one of SMB2_02, SMB2_10, SMB3_00, SMB3_02, SMB3_11, SMB2 (SMB2_10), SMB3 (SMB3_11)",
                ));
            }
        };
        Ok(Self(dialect))
    }

    fn show(&self) -> String {
        match self.0 {
            Dialect::Smb202 => "SMB2_02",
            Dialect::Smb210 => "SMB2_10",
            Dialect::Smb300 => "SMB3_00",
            Dialect::Smb302 => "SMB3_02",
            Dialect::Smb311 => "SMB3_11",
        }
        .to_owned()
    }
}

/// Whether clients must sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Messages are signed if the client asks for it. `disabled` is the same, as in ksmbd: SMB2
    /// has no way to refuse ([MS-SMB2] 3.3.5.4).
    Auto,
    /// Clients that do not sign are refused.
    Mandatory,
}

impl Choice for Signing {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("disabled", Self::Auto),
        ("enabled", Self::Auto),
        ("default", Self::Auto),
        ("if_required", Self::Auto),
        ("desired", Self::Auto),
        ("yes", Self::Auto),
        ("true", Self::Auto),
        ("on", Self::Auto),
        ("1", Self::Auto),
        ("no", Self::Auto),
        ("false", Self::Auto),
        ("off", Self::Auto),
        ("0", Self::Auto),
        ("mandatory", Self::Mandatory),
        ("required", Self::Mandatory),
        ("force", Self::Mandatory),
        ("forced", Self::Mandatory),
        ("enforced", Self::Mandatory),
    ];
}

/// Encryption of the server or of a share, in Samba's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// Not offered.
    Off,
    /// Used if the client asks for it.
    IfRequired,
    /// Used with every client that can.
    Desired,
    /// Clients that cannot are refused.
    Required,
}

impl Choice for Encryption {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("disabled", Self::Off),
        ("no", Self::Off),
        ("false", Self::Off),
        ("0", Self::Off),
        ("if_required", Self::IfRequired),
        ("default", Self::IfRequired),
        ("desired", Self::Desired),
        ("auto", Self::Desired),
        ("enabled", Self::Desired),
        ("yes", Self::Desired),
        ("true", Self::Desired),
        ("on", Self::Desired),
        ("1", Self::Desired),
        ("required", Self::Required),
        ("mandatory", Self::Required),
        ("force", Self::Required),
        ("forced", Self::Required),
        ("enforced", Self::Required),
    ];
}

/// The words of ksmbd's `smb3 encryption`, of which `auto` means something else than in Samba.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KsmbdEncryption(pub(super) Encryption);

impl Choice for KsmbdEncryption {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("disabled", Self(Encryption::Off)),
        ("auto", Self(Encryption::IfRequired)),
        ("enabled", Self(Encryption::IfRequired)),
        ("mandatory", Self(Encryption::Required)),
    ];
}

/// What `log level` is mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// 0: what went wrong.
    Warn,
    /// 1 and 2: connections too.
    Info,
    /// 3 and 4: requests too.
    Debug,
    /// 5 and above: everything.
    Trace,
}

impl LogLevel {
    /// The name of the level in a `tracing` filter.
    #[must_use]
    pub fn filter(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Setting for LogLevel {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let mut level = None;
        for word in list(text) {
            // Samba: `1 auth:5 winbind:2@/file`. Classes of messages are not the same here.
            let number = match word.split_once(':') {
                None => &word,
                Some(("all", number)) => number,
                Some(_) => {
                    notes.push(format!(
                        "levels of single classes are not supported: `{word}` is left out"
                    ));
                    continue;
                }
            };
            let number: u32 = number
                .parse()
                .map_err(|_| Expected::new("a number from 0 to 10"))?;
            level = Some(match number {
                0 => Self::Warn,
                1 | 2 => Self::Info,
                3 | 4 => Self::Debug,
                _ => Self::Trace,
            });
        }
        level.ok_or_else(|| Expected::new("a number from 0 to 10"))
    }

    fn show(&self) -> String {
        match self {
            Self::Warn => "0",
            Self::Info => "1",
            Self::Debug => "3",
            Self::Trace => "5",
        }
        .to_owned()
    }
}

/// Who owns a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InheritOwner {
    /// Whoever made it.
    No,
    /// The owner of the directory, on the host and in the security descriptor.
    Yes,
    /// The owner of the directory on the host alone.
    UnixOnly,
}

impl Choice for InheritOwner {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("no", Self::No),
        ("false", Self::No),
        ("0", Self::No),
        ("yes", Self::Yes),
        ("true", Self::Yes),
        ("1", Self::Yes),
        ("windows and unix", Self::Yes),
        ("unix only", Self::UnixOnly),
    ];
}

/// A NetBIOS name: 1 to 15 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetbiosName(pub String);

impl Setting for NetbiosName {
    const FREE_TEXT: bool = true;

    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let name = String::parse(text, notes)?;
        let length = name.chars().count();
        if length == 0
            || length > 15
            || name.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|'])
        {
            return Err(Expected::new(
                "a NetBIOS name: 1 to 15 characters, none of \\ / : * ? \" < > |",
            ));
        }
        Ok(Self(name))
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

impl Choice for SigningAlgorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("AES-128-GMAC", Self::AesGmac),
        ("AES-128-CMAC", Self::AesCmac),
        ("HMAC-SHA256", Self::HmacSha256),
    ];
}

impl Choice for Cipher {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("AES-128-GCM", Self::Aes128Gcm),
        ("AES-128-CCM", Self::Aes128Ccm),
        ("AES-256-GCM", Self::Aes256Gcm),
        ("AES-256-CCM", Self::Aes256Ccm),
    ];
}

/// Signing algorithms in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningAlgorithms(pub Vec<SigningAlgorithm>);

impl Default for SigningAlgorithms {
    fn default() -> Self {
        Self(SigningAlgorithm::WORDS.iter().map(|(_, a)| *a).collect())
    }
}

impl Setting for SigningAlgorithms {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        parse_algorithms(text, &Self::default().0).map(Self)
    }

    fn show(&self) -> String {
        show_list(self.0.iter().map(|a| show_choice(*a)))
    }
}

/// Ciphers in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphers(pub Vec<Cipher>);

impl Default for Ciphers {
    fn default() -> Self {
        Self(Cipher::WORDS.iter().map(|(_, c)| *c).collect())
    }
}

impl Setting for Ciphers {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        parse_algorithms(text, &Self::default().0).map(Self)
    }

    fn show(&self) -> String {
        show_list(self.0.iter().map(|c| show_choice(*c)))
    }
}

/// What is kept in extended attributes, by the names of the VFS modules that do it in Samba and
/// ksmbd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VfsObjects {
    /// `acl_xattr`: security descriptors.
    pub acl_xattr: bool,
    /// `streams_xattr`: named streams.
    pub streams_xattr: bool,
}

impl Default for VfsObjects {
    fn default() -> Self {
        Self {
            acl_xattr: true,
            streams_xattr: true,
        }
    }
}

impl Setting for VfsObjects {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let mut objects = Self {
            acl_xattr: false,
            streams_xattr: false,
        };
        for word in list(text) {
            match word.as_str() {
                "acl_xattr" => objects.acl_xattr = true,
                "streams_xattr" => objects.streams_xattr = true,
                // Neither, which an empty value cannot say: an empty value is not set.
                "none" => {}
                _ => notes.push(format!(
                    "the module `{word}` is left out; acl_xattr and streams_xattr exist"
                )),
            }
        }
        Ok(objects)
    }

    fn show(&self) -> String {
        match (self.acl_xattr, self.streams_xattr) {
            (true, true) => "acl_xattr streams_xattr",
            (true, false) => "acl_xattr",
            (false, true) => "streams_xattr",
            (false, false) => "none",
        }
        .to_owned()
    }
}

choice_setting!(
    RestrictAnonymous,
    Signing,
    Encryption,
    KsmbdEncryption,
    InheritOwner,
);
