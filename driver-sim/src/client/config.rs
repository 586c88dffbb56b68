//! How a client behaves.

use bytes::Bytes;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::negotiate_context::NegotiateContext;
use smb_proto::spnego::Mechanism;
use smb_proto::{Dialect, FileTime, Guid};

/// What a client offers and how it protects its messages.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Dialects to offer.
    pub dialects: Vec<Dialect>,
    /// Begin with an SMB1 NEGOTIATE that offers these dialect strings ([MS-SMB2] 3.2.4.2.1).
    pub smb1_dialects: Option<Vec<Bytes>>,
    /// ClientGuid.
    pub client_guid: Guid,
    /// Signing enabled or required.
    pub security_mode: SecurityMode,
    /// Capabilities to announce.
    pub capabilities: GlobalCapabilities,
    /// Ciphers to offer in 3.1.1, the preferred first; empty: no encryption context.
    pub ciphers: Vec<Cipher>,
    /// Signing algorithms to offer in 3.1.1; empty: no signing context.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// Further contexts of 3.1.1, behind the others.
    pub contexts: Vec<NegotiateContext>,
    /// Sign every request of a session that has a key, asked for or not.
    pub sign: bool,
    /// Encrypt every request of a session that can, asked for or not.
    pub encrypt: bool,
    /// Credits to ask for with each request.
    pub credits: u16,
    /// The client's clock, for NTLM where the server names no time.
    pub now: FileTime,
    /// Where salts, challenges and keys come from.
    pub seed: u64,
    /// Signatures and ciphers are checksums; the server must do the same.
    pub stub_crypto: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            dialects: Dialect::ALL.to_vec(),
            smb1_dialects: None,
            client_guid: Guid::from_bytes(*b"driver-sim clien"),
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: GlobalCapabilities::LARGE_MTU | GlobalCapabilities::ENCRYPTION,
            ciphers: Cipher::ALL.to_vec(),
            signing_algorithms: SigningAlgorithm::ALL.to_vec(),
            contexts: Vec::new(),
            sign: false,
            encrypt: false,
            credits: 32,
            now: FileTime::from_unix(1_700_000_000, 0),
            seed: 0,
            stub_crypto: false,
        }
    }
}

impl ClientConfig {
    /// The default, offering one dialect only.
    #[must_use]
    pub fn only(dialect: Dialect) -> Self {
        Self {
            dialects: vec![dialect],
            ..Self::default()
        }
    }

    /// With this seed; the client's GUID follows from it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        let mut guid = *b"driver-sim clien";
        for (to, from) in guid.iter_mut().zip(seed.to_le_bytes()) {
            *to ^= from;
        }
        self.client_guid = Guid::from_bytes(guid);
        self
    }

    /// Signing every request and demanding signed answers.
    #[must_use]
    pub fn signing(mut self) -> Self {
        self.sign = true;
        self.security_mode |= SecurityMode::SIGNING_REQUIRED;
        self
    }

    /// Encrypting every request.
    #[must_use]
    pub fn encrypting(mut self) -> Self {
        self.encrypt = true;
        self
    }

    /// Offering one cipher only (3.1.1).
    #[must_use]
    pub fn cipher(mut self, cipher: Cipher) -> Self {
        self.ciphers = vec![cipher];
        self
    }

    /// Offering one signing algorithm only (3.1.1).
    #[must_use]
    pub fn signing_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.signing_algorithms = vec![algorithm];
        self
    }
}

/// What to spoil in an authentication, to see it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// The NTLMv2 proof.
    Proof,
    /// The MIC of the AUTHENTICATE_MESSAGE.
    Mic,
    /// The checksum over SPNEGO's list of mechanisms.
    MechListMic,
}

/// Who logs on, and how.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Account name; empty for an anonymous logon.
    pub user: String,
    /// Domain.
    pub domain: String,
    /// MD4 of the password.
    pub hash: NtHash,
    /// Wrap NTLM in SPNEGO; else send it bare.
    pub spnego: bool,
    /// Mechanisms to offer in SPNEGO.
    pub mechanisms: Vec<Mechanism>,
    /// Send a MIC ([MS-NLMP] 3.1.5.1.2) where the server's challenge has a time.
    pub mic: bool,
    /// Protect SPNEGO's list of mechanisms (RFC 4178, 5).
    pub mech_list_mic: bool,
    /// Let the client choose the session key (NTLMSSP_NEGOTIATE_KEY_EXCH).
    pub key_exchange: bool,
    /// Spoil something.
    pub spoil: Option<Spoil>,
}

impl Credentials {
    /// A user with a password, authenticating as Windows does.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            domain: String::new(),
            hash: NtHash::of_password(password),
            spnego: true,
            mechanisms: vec![Mechanism::Ntlmssp],
            mic: true,
            mech_list_mic: true,
            key_exchange: true,
            spoil: None,
        }
    }

    /// Nobody: a null session.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("", "")
    }

    /// NTLM messages without SPNEGO.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.spnego = false;
        self
    }

    /// With something spoiled.
    #[must_use]
    pub fn spoiled(mut self, spoil: Spoil) -> Self {
        self.spoil = Some(spoil);
        self
    }
}
