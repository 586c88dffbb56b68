//! What a configuration says, with every default filled in.

use std::path::PathBuf;

use smb_proto::Dialect;

use super::diag::Pos;
use super::hosts::HostList;
use super::snapshots::{SnapshotDir, SnapshotOrder, TimeFormat};
use super::value::{Credits, IoSize, Limit, Mappings, Mode, NameList, Ports, Principal};
use crate::fs::Mangled;

use super::words::{
    Ciphers, DirectoryLeases, Encryption, InheritOwner, LogLevel, MapToGuest, NetbiosName,
    Protocol, RestrictAnonymous, Signing, SigningAlgorithms, VfsObjects,
};

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
    /// Sessions of one user.
    pub max_user_sessions: Limit,
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
    /// So are leases on directories.
    pub smb3_directory_leases: DirectoryLeases,
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
    /// Where the server keeps what it has to know after its next start.
    pub state_directory: PathBuf,
    /// `smbd:writetimeupdatedelay`: microseconds after which the first write to an open file shows in
    /// its write time.
    pub write_time_delay: u32,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            bind_interfaces_only: false,
            deadtime: 0,
            durable_handles: true,
            guest_account: "nobody".to_owned(),
            interfaces: Vec::new(),
            hosts_allow: None,
            hosts_deny: None,
            map_to_guest: MapToGuest::Never,
            max_active_sessions: Limit(1024),
            max_connections: Limit(256),
            max_ip_connections: Limit(32),
            max_open_files: Limit(10_000),
            max_user_sessions: Limit(1024),
            netbios_name: NetbiosName("SANSMB".to_owned()),
            restrict_anonymous: RestrictAnonymous::No,
            root_directory: None,
            server_max_protocol: Protocol(Dialect::Smb311),
            server_min_protocol: Protocol(Dialect::Smb210),
            multi_channel: true,
            signing: Signing::Auto,
            signing_algorithms: SigningAlgorithms::default(),
            server_string: "sansmb".to_owned(),
            fake_fscaps: 64,
            smb2_leases: true,
            smb3_directory_leases: DirectoryLeases::Refused,
            smb2_max_credits: Credits(8192),
            smb2_max_read: IoSize(4 << 20),
            smb2_max_trans: IoSize(4 << 20),
            smb2_max_write: IoSize(4 << 20),
            encryption: Encryption::IfRequired,
            ciphers: Ciphers::default(),
            ports: Ports(vec![445]),
            workgroup: NetbiosName("WORKGROUP".to_owned()),
            log_level: LogLevel::Info,
            state_directory: PathBuf::from("/var/lib/sansmb"),
            write_time_delay: 2_000_000,
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
    /// SE_DACL_AUTO_INHERITED is kept as Windows does, not as the client sends it.
    pub acl_flag_inherited_canonicalization: bool,
    /// These act as administrators of the share.
    pub admin_users: Vec<Principal>,
    /// Appears in listings.
    pub browseable: bool,
    /// Clients may ask to be told of changes.
    pub change_notify: bool,
    /// Text in listings.
    pub comment: String,
    /// Permission bits that a new file may have.
    pub create_mask: Mode,
    /// Paths may cross into other file systems.
    pub crossmnt: bool,
    /// Permission bits that a new directory may have.
    pub directory_mask: Mode,
    /// `catia:mappings`: characters that are shown as others, if `vfs objects` has catia.
    pub catia_mappings: Mappings,
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
    /// Opens may outlive the server ([MS-SMB2] 3.3.1.6 Share.IsCA).
    pub continuous_availability: bool,
    /// Names that begin with a dot are shown as hidden.
    pub hide_dot_files: bool,
    /// Names that are shown as hidden.
    pub hide_files: NameList,
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
    /// They are told of changes that other programs of the host make, too.
    pub kernel_change_notify: bool,
    /// Which names have an 8.3 name besides.
    pub mangled_names: Mangled,
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
    /// `shadow:snapdir`: where the snapshots are, beneath `shadow:basedir` if it is relative.
    pub shadow_snapdir: SnapshotDir,
    /// `shadow:basedir`: the directory that the snapshots are of; unset: that of the share.
    pub shadow_basedir: Option<PathBuf>,
    /// `shadow:format`: how the names of snapshots tell their times.
    pub shadow_format: TimeFormat,
    /// `shadow:sort`: in which order clients see them.
    pub shadow_sort: SnapshotOrder,
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
            acl_flag_inherited_canonicalization: true,
            admin_users: Vec::new(),
            browseable: true,
            change_notify: true,
            comment: String::new(),
            continuous_availability: false,
            create_mask: Mode(0o744),
            crossmnt: true,
            directory_mask: Mode(0o755),
            catia_mappings: Mappings::default(),
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
            hide_files: NameList::default(),
            hide_unreadable: false,
            hosts_allow: None,
            hosts_deny: None,
            inherit_owner: InheritOwner::No,
            invalid_users: Vec::new(),
            kernel_change_notify: true,
            mangled_names: Mangled::default(),
            max_connections: Limit(128),
            oplocks: true,
            path: None,
            read_list: Vec::new(),
            read_only: true,
            shadow_snapdir: SnapshotDir(PathBuf::from(".snapshots")),
            shadow_basedir: None,
            shadow_format: TimeFormat("@GMT-%Y.%m.%d-%H.%M.%S".to_owned()),
            shadow_sort: SnapshotOrder::NewestFirst,
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
