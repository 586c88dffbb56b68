//! Binding a session to a second connection, [MS-SMB2] 3.3.5.5 step 4.

use std::sync::Arc;

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::crypto::{Key, PreauthHash, SigningAlgorithm, SigningKey, signing_key};
use smb_proto::header::HeaderFlags;
use smb_proto::id::SessionId;

use super::{DELETED, DENIED, new_setup};
use crate::auth::Purpose;
use crate::cmd::Cx;
use crate::core::{Negotiated, Session, SessionState};
use crate::output::ConnId;
use crate::status::Refusal;
use crate::table::Id;

const INVALID: Refusal = Refusal(NtStatus::INVALID_PARAMETER);
const NOT_ACCEPTED: Refusal = Refusal(NtStatus::REQUEST_NOT_ACCEPTED);

/// Every step of a binding. The session is looked for among all there are, whoever's connection they
/// are on: whoever signs with its key gets a signed answer, also if that is a refusal.
pub(super) fn step(
    cx: &mut Cx<'_>,
    conn: ConnId,
    negotiated: &Negotiated,
    wire: SessionId,
    raw: &Bytes,
    purpose: Option<Purpose>,
) -> Result<Id<Session>, Refusal> {
    let header = cx.header()?;
    let (id, session) = cx.core.session_by_wire(wire).ok_or(DELETED)?;
    let signed = header.flags.contains(HeaderFlags::SIGNED);
    // Where the session has a channel, that has a key of its own, and its answers are always signed.
    let here = session.signing_key(conn);
    let key = here.clone();
    let key = key.or_else(|| session.established().and_then(|e| e.signing.clone()));
    if let (true, Some(key)) = (signed, key) {
        let good = key.verify(raw);
        if good || here.is_some() {
            cx.op_mut()?.sign = Some(key);
        }
        if !good {
            return Err(DENIED);
        }
    }
    let session = cx.core.sessions.get(id).ok_or(DELETED)?;
    compatible(session, negotiated)?;
    if !cx.core.config.multichannel {
        return Err(NOT_ACCEPTED);
    }
    if !signed {
        return Err(INVALID);
    }
    match purpose {
        // The next step of what is in progress.
        Some(Purpose::Bind) => return Ok(id),
        Some(Purpose::New | Purpose::Again) => return Err(DELETED),
        None => {}
    }
    may_bind(session, negotiated)?;
    if session.channels.contains_key(&conn) {
        return Err(NOT_ACCEPTED);
    }
    // Those that are being bound count: they would be too many together.
    let setups = session.setups.keys();
    let begun = setups.filter(|c| !session.channels.contains_key(c)).count();
    let most = cx.core.config.limits.max_channels_per_session;
    if session.channels.len().saturating_add(begun) >= most {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    if let Some(s) = cx.core.sessions.get_mut(id) {
        let setup = new_setup(Purpose::Bind, negotiated.preauth, SessionId(0));
        s.setups.insert(conn, setup);
    }
    if let Some(c) = cx.core.conns.get_mut(conn) {
        c.sessions.insert(wire, id);
    }
    Ok(id)
}

/// What both connections have to have negotiated alike. Whether one of them signs with AES-GMAC and the
/// other does not comes first, whatever their dialects are; Windows does it in this order.
fn compatible(session: &Session, negotiated: &Negotiated) -> Result<(), Refusal> {
    let established = session.established();
    let algorithm = established.and_then(|e| e.signing.as_ref().map(|k| k.algorithm()));
    if let Some(algorithm) = algorithm
        && algorithm != negotiated.signing
    {
        if algorithm == SigningAlgorithm::AesGmac {
            return Err(Refusal(NtStatus::REQUEST_OUT_OF_SEQUENCE));
        }
        if negotiated.signing == SigningAlgorithm::AesGmac {
            return Err(Refusal(NtStatus::NOT_SUPPORTED));
        }
    }
    // Dialects without multichannel cannot bind.
    if !negotiated.dialect.is_smb3() {
        return Err(NOT_ACCEPTED);
    }
    let cipher = established.and_then(|e| e.seal.as_ref().map(|k| k.cipher()));
    let keys = established.is_some_and(|e| e.session_key.is_some());
    if session.dialect != negotiated.dialect || (keys && cipher != negotiated.cipher) {
        return Err(INVALID);
    }
    Ok(())
}

/// Whether the session and the client that asks are such that it may have one more channel.
fn may_bind(session: &Session, negotiated: &Negotiated) -> Result<(), Refusal> {
    // 3.3.5.5 leaves this open; leases and durable opens are looked for by client, which has to stay
    // one and the same.
    if session.client_guid != negotiated.client_guid {
        return Err(DELETED);
    }
    match &session.state {
        SessionState::InProgress => Err(NOT_ACCEPTED),
        SessionState::Expired(_) => Err(Refusal(NtStatus::NETWORK_SESSION_EXPIRED)),
        SessionState::Valid(e) if e.session_key.is_none() => Err(Refusal(NtStatus::NOT_SUPPORTED)),
        SessionState::Valid(_) => Ok(()),
    }
}

/// Channel.SigningKey of a binding.
pub(super) fn channel_key(
    negotiated: &Negotiated,
    key: &Key,
    preauth: Option<PreauthHash>,
) -> Option<Arc<SigningKey>> {
    let preauth = preauth.unwrap_or(PreauthHash::ZERO);
    let key = signing_key(negotiated.dialect, key, &preauth);
    Some(Arc::new(SigningKey::new(
        negotiated.signing,
        key.as_array::<16>()?,
    )))
}
