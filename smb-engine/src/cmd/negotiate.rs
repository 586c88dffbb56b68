//! NEGOTIATE, [MS-SMB2] 3.3.5.3 and 3.3.5.4.

use bytes::Bytes;
use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm};
use smb_proto::dialect::WILDCARD_REVISION;
use smb_proto::id::MessageId;
use smb_proto::msg::negotiate::{GlobalCapabilities, Request, Response, SecurityMode};
use smb_proto::msg::negotiate_context::{
    Encryption, HashAlgorithm, NegotiateContext, PreauthIntegrity, Signing,
};
use smb_proto::{Command, Dialect, Guid, Header, NtStatus, msg, smb1};

use super::{CmdResult, Cx};
use crate::config::{Config, EncryptionPolicy, SigningPolicy};
use crate::core::{ConnState, Core, Negotiated};
use crate::error::Fault;
use crate::event::Event;
use crate::output::{Answer, Body, ConnId, KeyUpdate, Outbound, Output};
use crate::status::Refusal;
use crate::time::Now;

const INVALID: Refusal = Refusal(NtStatus::INVALID_PARAMETER);

/// Bytes of salt in the pre-authentication context; [MS-SMB2] 3.3.5.4 leaves the length open,
/// Windows sends 32.
const SALT_LEN: usize = 32;

/// Negotiates a dialect and everything that depends on it.
pub(super) fn start(cx: &mut Cx<'_>, request: &Request, raw: &Bytes) -> CmdResult {
    let conn = cx.conn()?;
    if request.dialects.is_empty() {
        return Err(INVALID);
    }
    let config = cx.core.config.clone();
    let dialect = choose_dialect(&config, request)?;
    let offers = if dialect == Dialect::Smb311 {
        Contexts::of(request)?
    } else {
        Contexts::default()
    };

    let client_seals = request
        .capabilities
        .contains(GlobalCapabilities::ENCRYPTION);
    let cipher = match dialect {
        Dialect::Smb202 | Dialect::Smb210 => None,
        // 3.3.5.4: these dialects know one cipher, and say so by a capability.
        Dialect::Smb300 | Dialect::Smb302 => (client_seals
            && config.encryption != EncryptionPolicy::Off
            && config.ciphers.contains(&Cipher::Aes128Ccm))
        .then_some(Cipher::Aes128Ccm),
        Dialect::Smb311 => offers.encryption.and_then(|theirs| {
            let ours = config.ciphers.iter().copied();
            (config.encryption != EncryptionPolicy::Off)
                .then(|| ours.into_iter().find(|c| theirs.known().any(|t| t == *c)))
                .flatten()
        }),
    };
    let signing = match (dialect, offers.signing) {
        (Dialect::Smb311, Some(theirs)) => config
            .signing_algorithms
            .iter()
            .copied()
            .find(|a| theirs.known().any(|t| t == *a)),
        _ => None,
    };
    let mut capabilities = GlobalCapabilities::empty();
    capabilities.set(GlobalCapabilities::LARGE_MTU, dialect.has_multi_credit());
    let leases = config.leases && dialect >= Dialect::Smb210;
    capabilities.set(GlobalCapabilities::LEASING, leases);
    capabilities.set(
        GlobalCapabilities::DIRECTORY_LEASING,
        leases
            && config.directory_leases
            && dialect.is_smb3()
            && request
                .capabilities
                .contains(GlobalCapabilities::DIRECTORY_LEASING),
    );
    capabilities.set(
        GlobalCapabilities::MULTI_CHANNEL,
        config.multichannel
            && dialect.is_smb3()
            && request
                .capabilities
                .contains(GlobalCapabilities::MULTI_CHANNEL),
    );
    capabilities.set(
        GlobalCapabilities::PERSISTENT_HANDLES,
        config.persistent_handles()
            && dialect.is_smb3()
            && request
                .capabilities
                .contains(GlobalCapabilities::PERSISTENT_HANDLES),
    );
    capabilities.set(
        GlobalCapabilities::ENCRYPTION,
        cipher.is_some() && dialect != Dialect::Smb311,
    );

    let mut contexts = Vec::new();
    if dialect == Dialect::Smb311 {
        contexts.push(NegotiateContext::PreauthIntegrity(PreauthIntegrity {
            hash_algorithms: vec![HashAlgorithm::Sha512.into()],
            salt: Bytes::copy_from_slice(&cx.core.entropy.bytes::<SALT_LEN>()),
        }));
        if offers.encryption.is_some() {
            contexts.push(NegotiateContext::Encryption(Encryption {
                ciphers: vec![cipher.map_or(0, u16::from)],
            }));
        }
        if let Some(algorithm) = signing {
            contexts.push(NegotiateContext::Signing(Signing {
                algorithms: vec![algorithm.into()],
            }));
        }
    }
    let response = response(
        &config,
        cx.now,
        dialect.into(),
        dialect,
        capabilities,
        contexts,
    );
    let negotiated = Negotiated {
        dialect,
        client_guid: request.client_guid,
        client_capabilities: request.capabilities,
        client_security_mode: request.security_mode,
        capabilities,
        security_mode: response.security_mode,
        cipher,
        signing: signing.unwrap_or_else(|| SigningAlgorithm::default_of(dialect)),
        preauth: (dialect == Dialect::Smb311).then(|| PreauthHash::ZERO.after(raw)),
    };
    settle(cx.core, conn, negotiated);
    Ok(msg::Response::Negotiate(response).into())
}

/// The newest dialect that both sides have.
fn choose_dialect(config: &Config, request: &Request) -> Result<Dialect, Refusal> {
    Dialect::ALL
        .into_iter()
        .rev()
        .filter(|d| (config.min_dialect..=config.max_dialect).contains(d))
        .find(|d| request.offers(*d))
        .ok_or(Refusal(NtStatus::NOT_SUPPORTED))
}

/// The contexts of a 3.1.1 request that the server decides by.
#[derive(Default)]
struct Contexts<'a> {
    encryption: Option<&'a Encryption>,
    signing: Option<&'a Signing>,
}

impl<'a> Contexts<'a> {
    /// 3.3.5.4: exactly one pre-authentication context with a hash we know, at most one of each
    /// other kind.
    fn of(request: &'a Request) -> Result<Self, Refusal> {
        let mut found = Self::default();
        let mut preauth = None;
        let mut compression = 0u32;
        for context in &request.contexts {
            let again = match context {
                NegotiateContext::PreauthIntegrity(c) => preauth.replace(c).is_some(),
                NegotiateContext::Encryption(c) => found.encryption.replace(c).is_some(),
                NegotiateContext::Signing(c) => found.signing.replace(c).is_some(),
                NegotiateContext::Compression(_) => {
                    compression = compression.saturating_add(1);
                    compression > 1
                }
                NegotiateContext::NetName(_)
                | NegotiateContext::Transport(_)
                | NegotiateContext::RdmaTransforms(_)
                | NegotiateContext::Posix(_)
                | NegotiateContext::Other { .. } => false,
            };
            if again {
                return Err(INVALID);
            }
        }
        let preauth = preauth.ok_or(INVALID)?;
        if !preauth.known().any(|h| h == HashAlgorithm::Sha512) {
            return Err(Refusal(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP));
        }
        Ok(found)
    }
}

fn response(
    config: &Config,
    now: Now,
    revision: u16,
    dialect: Dialect,
    capabilities: GlobalCapabilities,
    contexts: Vec<NegotiateContext>,
) -> Response {
    let mut security_mode = SecurityMode::SIGNING_ENABLED;
    security_mode.set(
        SecurityMode::SIGNING_REQUIRED,
        config.signing == SigningPolicy::Required,
    );
    // 2.0.2 has single-credit requests only, so nothing larger than 64 KiB can be asked for.
    let cap = if dialect.has_multi_credit() {
        u32::MAX
    } else {
        65536
    };
    let limits = &config.limits;
    Response {
        security_mode,
        dialect_revision: revision,
        server_guid: config.server_guid,
        capabilities,
        max_transact_size: limits.max_transact.min(cap),
        max_read_size: limits.max_read.min(cap),
        max_write_size: limits.max_write.min(cap),
        system_time: now.wall,
        server_start_time: smb_proto::FileTime::ZERO,
        security_buffer: crate::auth::offer(),
        contexts,
    }
}

fn settle(core: &mut Core, conn: ConnId, negotiated: Negotiated) {
    let encryption = negotiated.cipher.is_some();
    let dialect = negotiated.dialect;
    if let Some(c) = core.conns.get_mut(conn) {
        c.state = ConnState::Negotiated(Box::new(negotiated));
    }
    core.emit(Output::Keys(conn, KeyUpdate::Negotiated { encryption }));
    core.event(Event::Negotiated { conn, dialect });
}

/// The SMB1 negotiate, 3.3.5.3: answered with an SMB2 response, or not at all.
pub(crate) fn smb1(
    core: &mut Core,
    now: Now,
    conn: ConnId,
    request: &smb1::NegotiateRequest,
) -> Result<(), Fault> {
    let config = core.config.clone();
    let Some(c) = core.conns.get_mut(conn) else {
        return Ok(());
    };
    if !matches!(c.state, ConnState::Fresh) {
        return Err(Fault::Smb1);
    }
    let wildcard = request.offers_smb2_wildcard() && config.max_dialect >= Dialect::Smb210;
    let plain = request.offers_smb2_002() && config.min_dialect == Dialect::Smb202;
    if !wildcard && !plain {
        return Err(Fault::Smb1);
    }
    // The exchange uses up message id 0 (3.3.5.3.1).
    c.window
        .take(0, 1)
        .map_err(|_| Fault::MessageIdWindow(MessageId(0)))?;
    let credits = c.window.grant(1);
    let mut header = Header::request(Command::Negotiate, MessageId(0));
    header.flags = smb_proto::header::HeaderFlags::SERVER_TO_REDIR;
    header.credits = credits;
    let (revision, dialect) = if wildcard {
        c.state = ConnState::Wildcard;
        (WILDCARD_REVISION, Dialect::Smb210)
    } else {
        (Dialect::Smb202.into(), Dialect::Smb202)
    };
    let mut capabilities = GlobalCapabilities::empty();
    capabilities.set(GlobalCapabilities::LARGE_MTU, wildcard);
    let response = response(&config, now, revision, dialect, capabilities, Vec::new());
    if !wildcard {
        settle(
            core,
            conn,
            Negotiated {
                dialect,
                client_guid: Guid::NIL,
                client_capabilities: GlobalCapabilities::empty(),
                // An SMB1 client has told none, and says so when it asks to validate
                // (3.3.5.15.12).
                client_security_mode: SecurityMode::empty(),
                capabilities,
                security_mode: response.security_mode,
                cipher: None,
                signing: SigningAlgorithm::HmacSha256,
                preauth: None,
            },
        );
    }
    let answer = Answer {
        header,
        body: Body::Message(msg::Response::Negotiate(response)),
        sign: None,
    };
    core.emit(Output::Send(
        conn,
        Outbound {
            elements: vec![answer],
            seal: None,
        },
    ));
    Ok(())
}
