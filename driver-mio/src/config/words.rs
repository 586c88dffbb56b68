//! Types of parameters whose values are words: their spellings in Samba and ksmbd.

use smb_proto::Dialect;
use smb_proto::crypto::{Cipher, SigningAlgorithm};

use crate::fs::Mangled;

use super::value::{
    Choice, Expected, Setting, choice_setting, list, parse_algorithms, show_choice, show_list,
};

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

/// Whether clients are granted leases on directories. `auto` is Samba's word for: unless something
/// stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryLeases {
    /// They are.
    Granted,
    /// They are not.
    Refused,
}

impl Choice for DirectoryLeases {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("yes", Self::Granted),
        ("true", Self::Granted),
        ("on", Self::Granted),
        ("1", Self::Granted),
        // A listing that a client caches is not told of what other programs change, unless somebody
        // watches the directory besides.
        ("auto", Self::Refused),
        ("no", Self::Refused),
        ("false", Self::Refused),
        ("off", Self::Refused),
        ("0", Self::Refused),
    ];
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

impl Choice for Mangled {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("yes", Self::Yes),
        ("true", Self::Yes),
        ("1", Self::Yes),
        ("no", Self::No),
        ("false", Self::No),
        ("0", Self::No),
        ("illegal", Self::Illegal),
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
    /// `catia`: characters are shown as others, as `catia:mappings` says.
    pub catia: bool,
    /// `fruit`: names are found whatever their Unicode normalisation, as macOS expects.
    pub fruit: bool,
    /// `streams_xattr`: named streams.
    pub streams_xattr: bool,
    /// `shadow_copy2`: snapshots, as the parameters `shadow:…` describe them.
    pub shadow_copy2: bool,
}

impl Default for VfsObjects {
    fn default() -> Self {
        Self {
            acl_xattr: true,
            catia: false,
            fruit: false,
            streams_xattr: true,
            shadow_copy2: false,
        }
    }
}

impl Setting for VfsObjects {
    fn parse(text: &str, notes: &mut Vec<String>) -> Result<Self, Expected> {
        let mut objects = Self {
            acl_xattr: false,
            catia: false,
            fruit: false,
            streams_xattr: false,
            shadow_copy2: false,
        };
        for word in list(text) {
            match word.as_str() {
                "acl_xattr" => objects.acl_xattr = true,
                "catia" => objects.catia = true,
                "fruit" => objects.fruit = true,
                "streams_xattr" => objects.streams_xattr = true,
                "shadow_copy2" => objects.shadow_copy2 = true,
                // Neither, which an empty value cannot say: an empty value is not set.
                "none" => {}
                _ => notes.push(format!(
                    "the module `{word}` is left out; acl_xattr, catia, fruit, streams_xattr and \
                     shadow_copy2 exist"
                )),
            }
        }
        Ok(objects)
    }

    fn show(&self) -> String {
        let words: Vec<&str> = [
            (self.catia, "catia"),
            (self.fruit, "fruit"),
            (self.acl_xattr, "acl_xattr"),
            (self.streams_xattr, "streams_xattr"),
            (self.shadow_copy2, "shadow_copy2"),
        ]
        .into_iter()
        .filter_map(|(on, word)| on.then_some(word))
        .collect();
        if words.is_empty() {
            return "none".to_owned();
        }
        words.join(" ")
    }
}

choice_setting!(
    DirectoryLeases,
    RestrictAnonymous,
    Signing,
    Encryption,
    KsmbdEncryption,
    InheritOwner,
    Mangled,
);
