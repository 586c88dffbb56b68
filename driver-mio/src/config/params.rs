//! Every parameter that this server knows, each with what it does here.
//!
//! The order has a meaning: where two parameters set the same thing ([`Param::of`]), the earlier
//! one wins within a section.

use super::types::{Global, ShareConfig};
use super::value::{Expected, Limit, Setting};
use super::words::KsmbdEncryption;

/// Where a parameter may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In `[global]` alone.
    Global,
    /// In a share, or in `[global]` as the default of all shares.
    Share,
    /// In `[global]` for the server and in a share for the share.
    Both,
}

/// What a parameter does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What its description says.
    Works,
    /// Its value is checked, but nothing comes of it, for this reason. Said as a warning unless the
    /// value is one of `harmless`, with which nothing would happen anyway.
    None {
        /// Why, as a clause.
        because: &'static str,
        /// Values, as they are shown, that are not worth a warning.
        harmless: &'static [&'static str],
    },
}

type Set<T> = fn(&mut T, &str, &mut Vec<String>) -> Result<(), Expected>;
type Show<T> = fn(&T) -> String;

/// Reads a parameter into a configuration and writes it out again.
pub struct Access<T> {
    pub(super) set: Set<T>,
    pub(super) show: Show<T>,
}

/// What a parameter sets.
pub enum Slot {
    /// A field of [`Global`].
    Global(Access<Global>),
    /// A field of [`ShareConfig`].
    Share(Access<ShareConfig>),
    /// A field of either.
    Both(Access<Global>, Access<ShareConfig>),
    /// Nothing. The value is checked and given back as it would be shown.
    Nothing(
        Scope,
        fn(&str, &mut Vec<String>) -> Result<String, Expected>,
    ),
}

/// One parameter.
pub struct Param {
    /// Name as ksmbd.conf(5) or smb.conf(5) spells it.
    pub name: &'static str,
    /// Other names of the same parameter.
    pub synonyms: &'static [&'static str],
    /// The parameter whose field this one sets, if it is not its own.
    pub of: Option<&'static str>,
    /// What it does.
    pub effect: Effect,
    pub(super) slot: Slot,
    pub(super) free_text: bool,
}

impl Param {
    /// Where it may stand.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self.slot {
            Slot::Global(_) => Scope::Global,
            Slot::Share(_) => Scope::Share,
            Slot::Both(..) => Scope::Both,
            Slot::Nothing(scope, _) => scope,
        }
    }

    /// The name of what is set: two parameters with the same target exclude each other.
    #[must_use]
    pub fn target(&self) -> &'static str {
        self.of.unwrap_or(self.name)
    }
}

/// The parameter of this name or synonym, whatever its case and spaces.
#[must_use]
pub fn find(name: &str) -> Option<&'static Param> {
    let wanted = super::reader::normal_name(name);
    PARAMS.iter().find(|p| {
        std::iter::once(&p.name)
            .chain(p.synonyms)
            .any(|n| super::reader::normal_name(n) == wanted)
    })
}

/// Ties the type of a field to what reads and shows it.
fn parse_into<T: Setting>(
    field: &mut T,
    text: &str,
    notes: &mut Vec<String>,
) -> Result<(), Expected> {
    *field = T::parse(text, notes)?;
    Ok(())
}

const fn free_text<T: Setting, S>(_: fn(&S) -> &T) -> bool {
    T::FREE_TEXT
}

fn check<T: Setting>(text: &str, notes: &mut Vec<String>) -> Result<String, Expected> {
    T::parse(text, notes).map(|value| value.show())
}

macro_rules! access {
    ($owner:ty, $field:ident) => {
        Access {
            set: |t: &mut $owner, text, notes| parse_into(&mut t.$field, text, notes),
            show: |t: &$owner| t.$field.show(),
        }
    };
}

macro_rules! effect {
    () => {
        Effect::Works
    };
    ($because:literal, [$($harmless:literal),*]) => {
        Effect::None { because: $because, harmless: &[$($harmless),*] }
    };
}

/// `global "name" (synonyms) => field` and so on; a reason in braces says that it has no effect.
macro_rules! param {
    (global $name:literal $(| $synonym:literal)* => $field:ident $({ $($effect:tt)* })?) => {
        Param {
            name: $name,
            synonyms: &[$($synonym),*],
            of: None,
            effect: effect!($($($effect)*)?),
            slot: Slot::Global(access!(Global, $field)),
            free_text: free_text(|t: &Global| &t.$field),
        }
    };
    (share $name:literal $(| $synonym:literal)* => $field:ident $({ $($effect:tt)* })?) => {
        Param {
            name: $name,
            synonyms: &[$($synonym),*],
            of: None,
            effect: effect!($($($effect)*)?),
            slot: Slot::Share(access!(ShareConfig, $field)),
            free_text: free_text(|t: &ShareConfig| &t.$field),
        }
    };
    (both $name:literal $(| $synonym:literal)* => $field:ident) => {
        Param {
            name: $name,
            synonyms: &[$($synonym),*],
            of: None,
            effect: Effect::Works,
            slot: Slot::Both(access!(Global, $field), access!(ShareConfig, $field)),
            free_text: free_text(|t: &Global| &t.$field),
        }
    };
    (nothing $scope:ident $name:literal $(| $synonym:literal)* : $type:ty { $($effect:tt)* }) => {
        Param {
            name: $name,
            synonyms: &[$($synonym),*],
            of: None,
            effect: effect!($($effect)*),
            slot: Slot::Nothing(Scope::$scope, check::<$type>),
            free_text: <$type as Setting>::FREE_TEXT,
        }
    };
}

/// `writable` and its other spellings say the opposite of `read only`.
const fn writable(name: &'static str) -> Param {
    Param {
        name,
        synonyms: &[],
        of: Some("read only"),
        effect: Effect::Works,
        slot: Slot::Share(Access {
            set: |share, text, notes| {
                share.read_only = !bool::parse(text, notes)?;
                Ok(())
            },
            show: |share| (!share.read_only).show(),
        }),
        free_text: false,
    }
}

const NO_KERBEROS: &str = "Kerberos is not supported yet";

/// All parameters: those of ksmbd.conf(5) first.
pub const PARAMS: &[Param] = &[
    // Global parameters of ksmbd.
    param!(global "bind interfaces only" => bind_interfaces_only),
    param!(global "deadtime" => deadtime),
    param!(global "durable handles" => durable_handles),
    param!(both "guest account" => guest_account),
    param!(global "interfaces" => interfaces),
    param!(nothing Global "ipc timeout": u32 {
        "there is no second process that could stop answering", ["0"]
    }),
    Param {
        name: "kerberos keytab file",
        synonyms: &[],
        of: None,
        effect: Effect::None {
            because: NO_KERBEROS,
            harmless: &[],
        },
        slot: Slot::Nothing(Scope::Global, check::<String>),
        free_text: true,
    },
    Param {
        name: "kerberos service name",
        synonyms: &[],
        of: None,
        effect: Effect::None {
            because: NO_KERBEROS,
            harmless: &[],
        },
        slot: Slot::Nothing(Scope::Global, check::<String>),
        free_text: true,
    },
    Param {
        name: "kerberos support",
        synonyms: &[],
        of: None,
        effect: Effect::None {
            because: NO_KERBEROS,
            harmless: &["no"],
        },
        slot: Slot::Nothing(Scope::Global, check::<bool>),
        free_text: false,
    },
    param!(global "map to guest" => map_to_guest),
    param!(global "max active sessions" => max_active_sessions),
    param!(both "max connections" => max_connections),
    param!(global "max ip connections" => max_ip_connections),
    param!(global "max open files" => max_open_files),
    param!(global "netbios name" => netbios_name),
    param!(global "restrict anonymous" => restrict_anonymous),
    param!(global "root directory" | "root" | "root dir" => root_directory),
    param!(global "server max protocol" | "max protocol" | "protocol" => server_max_protocol),
    param!(global "server min protocol" | "min protocol" => server_min_protocol),
    param!(global "server multi channel support" => multi_channel),
    param!(global "server signing" => signing),
    param!(global "server string" => server_string),
    param!(global "share:fake_fscaps" => fake_fscaps {
        "what the file system can do is reported as it is", ["64"]
    }),
    param!(global "smb2 leases" => smb2_leases),
    param!(global "smb2 max credits" => smb2_max_credits),
    param!(global "smb2 max read" => smb2_max_read),
    param!(global "smb2 max trans" => smb2_max_trans),
    param!(global "smb2 max write" => smb2_max_write),
    param!(global "smb3 directory leases" => smb3_directory_leases),
    // This server's own.
    param!(global "max user sessions" => max_user_sessions),
    // Samba's parameter wins over ksmbd's, which says the same with other words.
    param!(both "server smb encrypt" | "smb encrypt" => encryption),
    Param {
        name: "smb3 encryption",
        synonyms: &[],
        of: Some("server smb encrypt"),
        effect: Effect::Works,
        slot: Slot::Global(Access {
            set: |global, text, notes| {
                global.encryption = KsmbdEncryption::parse(text, notes)?.0;
                Ok(())
            },
            show: |global| global.encryption.show(),
        }),
        free_text: false,
    },
    param!(nothing Global "smbd max io size": SizeOnly {
        "SMB Direct (RDMA) is not supported", ["8M"]
    }),
    param!(global "smb ports" => ports),
    Param {
        name: "tcp port",
        synonyms: &[],
        of: Some("smb ports"),
        effect: Effect::Works,
        slot: Slot::Global(Access {
            set: |global, text, notes| match text.parse::<u16>() {
                Ok(port) if port != 0 => parse_into(&mut global.ports, text, notes),
                _ => Err(Expected::new("a port number from 1 to 65535")),
            },
            show: |global| global.ports.show(),
        }),
        free_text: false,
    },
    param!(global "state directory" => state_directory),
    param!(global "workgroup" => workgroup),
    // Share parameters of ksmbd.
    param!(share "browseable" | "browsable" => browseable),
    param!(share "comment" => comment),
    param!(share "continuous availability" => continuous_availability),
    param!(share "create mask" | "create mode" => create_mask),
    param!(share "crossmnt" => crossmnt),
    param!(share "directory mask" | "directory mode" => directory_mask),
    param!(share "follow symlinks" => follow_symlinks),
    param!(share "force create mode" => force_create_mode),
    param!(share "force directory mode" => force_directory_mode),
    param!(share "force group" | "group" => force_group),
    param!(share "force user" => force_user),
    param!(share "guest ok" | "public" => guest_ok),
    param!(share "hide dot files" => hide_dot_files),
    param!(share "hide files" => hide_files),
    param!(share "inherit owner" => inherit_owner),
    param!(share "invalid users" => invalid_users),
    param!(share "oplocks" => oplocks),
    param!(share "path" | "directory" => path),
    param!(share "read list" => read_list),
    param!(share "read only" => read_only),
    writable("writable"),
    writable("writeable"),
    writable("write ok"),
    param!(share "store dos attributes" => store_dos_attributes),
    param!(share "valid users" => valid_users),
    param!(share "veto files" => veto_files),
    param!(share "vfs objects" | "vfs object" => vfs_objects),
    param!(share "write list" => write_list),
    // Samba's module shadow_copy2, which `vfs objects` turns on.
    param!(share "shadow:snapdir" => shadow_snapdir),
    param!(share "shadow:basedir" => shadow_basedir),
    param!(share "shadow:format" => shadow_format),
    param!(share "shadow:sort" => shadow_sort),
    param!(nothing Share "shadow:fixinodes": bool {
        "a file in a snapshot is never the same as the present one", ["yes"]
    }),
    param!(nothing Share "shadow:localtime": bool {
        "the names of snapshots tell their times in UTC", ["no"]
    }),
    // Share parameters that ksmbd reads without documenting them, or added lately.
    param!(share "admin users" => admin_users),
    param!(share "change notify" => change_notify),
    param!(share "kernel change notify" => kernel_change_notify),
    param!(both "hosts allow" | "allow hosts" => hosts_allow),
    param!(both "hosts deny" | "deny hosts" => hosts_deny),
    param!(nothing Share "time machine": bool {
        "Time Machine is not supported yet", ["no"]
    }),
    param!(nothing Share "aapl model": String {
        "Apple's extensions are not supported yet", []
    }),
    param!(share "hide unreadable" => hide_unreadable),
    param!(nothing Share "allow insecure wide links": bool {
        "no link ever leads out of a share", ["no"]
    }),
    // Parameters of Samba that ksmbd does not have.
    param!(global "server smb3 signing algorithms" => signing_algorithms),
    param!(global "server smb3 encryption algorithms" => ciphers),
    param!(global "log level" | "debuglevel" => log_level),
    param!(global "smbd:writetimeupdatedelay" => write_time_delay),
    param!(share "acl flag inherited canonicalization" => acl_flag_inherited_canonicalization),
    param!(share "available" => available),
    param!(share "catia:mappings" => catia_mappings),
    param!(share "ea support" => ea_support),
    param!(share "guest only" | "only guest" => guest_only),
    param!(share "mangled names" => mangled_names),
    param!(nothing Global "max smbd processes": Limit {
        "there is one process; `max connections` bounds the connections", []
    }),
    param!(nothing Global "server role": String {
        "this is a standalone server", ["standalone server", "standalone", "auto"]
    }),
    param!(nothing Global "security": String {
        "users are those of the user database", ["user", "USER", "auto", "AUTO"]
    }),
    param!(nothing Global "encrypt passwords": bool {
        "passwords never cross the network in clear", ["yes"]
    }),
    param!(nothing Global "passdb backend": String {
        "users are those of the user database; see `smb-server user`", []
    }),
    param!(nothing Global "disable netbios": bool { "there is no NetBIOS", ["yes"] }),
    param!(nothing Global "load printers": bool { "printers are not supported", ["no"] }),
    param!(nothing Global "disable spoolss": bool { "printers are not supported", ["yes"] }),
    param!(nothing Share "printable" | "print ok": bool { "printers are not supported", ["no"] }),
];

/// A size that nothing is done with.
struct SizeOnly(u64);

impl Setting for SizeOnly {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        super::value::parse_size(text).map(Self)
    }

    fn show(&self) -> String {
        super::value::show_size(self.0)
    }
}
