//! What an authentication that has succeeded makes, [MS-SMB2] 3.3.5.5.3.

use std::sync::Arc;

use bytes::Bytes;
use smb_proto::crypto::{Key, OpeningKey, PreauthHash, SealingKey, SessionKeys, SigningKey};
use smb_proto::id::SessionId;
use smb_proto::msg::negotiate::SecurityMode;
use smb_proto::msg::session_setup::{Response, SessionFlags};
use smb_proto::{NtStatus, msg};

use super::{DELETED, DENIED, bind, fail, negotiated};
use crate::auth::Purpose;
use crate::cmd::{CmdResult, Cx};
use crate::config::{EncryptionPolicy, SigningPolicy};
use crate::core::{Channel, Established, Negotiated, Session, SessionState, Timer, teardown};
use crate::event::Event;
use crate::identity::{Identity, IdentityKind};
use crate::output::{ConnId, KeyUpdate, Output};
use crate::status::Refusal;
use crate::table::Id;

/// 3.3.5.5.3: the authentication has succeeded.
pub(super) fn establish(
    cx: &mut Cx<'_>,
    id: Id<Session>,
    conn: ConnId,
    who: Identity,
    key: Option<Key>,
    token: Bytes,
    mode: SecurityMode,
) -> CmdResult {
    let unprivileged = matches!(who.kind, IdentityKind::Guest | IdentityKind::Anonymous);
    let config = cx.core.config.clone();
    if unprivileged
        && (config.signing == SigningPolicy::Required
            || config.encryption == EncryptionPolicy::Required)
    {
        let name = who.name.clone();
        return Err(fail(cx, id, conn, &name, NtStatus::ACCESS_DENIED));
    }
    if too_many(cx, id, conn, &who) {
        let name = who.name.clone();
        let status = NtStatus::INSUFFICIENT_RESOURCES;
        return Err(fail(cx, id, conn, &name, status));
    }
    let negotiated = negotiated(cx, conn)?;
    #[cfg(feature = "stub-crypto")]
    let stub = cx.core.stub_crypto;
    let session = cx.core.sessions.get_mut(id).ok_or(DELETED)?;
    let setup = session.setups.remove(&conn).ok_or(DELETED)?;
    let wire = session.wire;
    let user = who.name.clone();
    match setup.purpose {
        Purpose::New => {
            let asked =
                (mode | negotiated.client_security_mode).contains(SecurityMode::SIGNING_REQUIRED);
            let required = config.signing == SigningPolicy::Required || asked;
            let mut made = make(&negotiated, who, key, setup.preauth);
            #[cfg(feature = "stub-crypto")]
            if stub {
                made.stub_crypto();
            }
            made.signing_required = made.signing.is_some() && required;
            made.encrypt = made.seal.is_some() && config.encryption >= EncryptionPolicy::Desired;
            made.encryption_required =
                made.encrypt && config.encryption == EncryptionPolicy::Required;
            session.channels.insert(
                conn,
                Channel {
                    signing: made.signing.clone(),
                },
            );
            session.state = SessionState::Valid(made);
            let idle = config.limits.idle_for;
            if !idle.is_zero() {
                cx.core.arm(Timer::Idle(id), cx.now, idle);
            }
            end_previous(cx, id, setup.previous);
        }
        Purpose::Again => again(session, who),
        Purpose::Bind => {
            let same = session
                .established()
                .is_some_and(|e| e.identity.sid == who.sid);
            let Some(key) = key.filter(|_| same) else {
                if let Some(c) = cx.core.conns.get_mut(conn) {
                    c.sessions.remove(&wire);
                }
                return Err(DENIED);
            };
            let signing = bind::channel_key(&negotiated, &key, setup.preauth);
            #[cfg(feature = "stub-crypto")]
            let signing = match signing {
                Some(key) if stub => Some(Arc::new(SigningKey::stub(key.algorithm()))),
                other => other,
            };
            session.channels.insert(conn, Channel { signing });
        }
    }
    let lifetime = config.limits.session_lifetime;
    if setup.purpose != Purpose::Bind && !lifetime.is_zero() {
        cx.core.arm(Timer::Expire(id), cx.now, lifetime);
    }
    welcome(cx, id, conn)?;
    cx.core.event(Event::LoggedOn {
        conn,
        session: wire,
        user,
        unprivileged,
    });
    let session = cx.core.sessions.get(id).ok_or(DELETED)?;
    let established = session.established().ok_or(DELETED)?;
    let mut flags = SessionFlags::empty();
    match established.identity.kind {
        IdentityKind::Guest => flags |= SessionFlags::IS_GUEST,
        IdentityKind::Anonymous => flags |= SessionFlags::IS_NULL,
        IdentityKind::User | IdentityKind::System => {}
    }
    flags.set(SessionFlags::ENCRYPT_DATA, established.encrypt);
    let body = Response {
        session_flags: flags,
        security_buffer: token,
    };
    // The answer that ends an authentication is signed with the key it has made (3.3.5.5.3), so
    // that the client can tell that the negotiation was not tampered with.
    let sign = session.signing_key(conn);
    cx.op_mut()?.sign = sign;
    Ok(msg::Response::SessionSetup(body).into())
}

/// Whether this would be one session more than the user may have, not counting the one that it replaces.
fn too_many(cx: &Cx<'_>, id: Id<Session>, conn: ConnId, who: &Identity) -> bool {
    let setup = cx.core.sessions.get(id).and_then(|s| s.setups.get(&conn));
    let Some(setup) = setup.filter(|s| s.purpose == Purpose::New) else {
        return false;
    };
    let most = cx.core.config.limits.max_sessions_per_user;
    let others = cx.core.sessions.iter().filter(|(_, s)| {
        let same = s.established().is_some_and(|e| e.identity.sid == who.sid);
        same && s.wire != setup.previous
    });
    // Most servers have fewer sessions in all, and nobody has to be counted.
    cx.core.sessions.len() > most && others.count() >= most
}

/// The keys of a new session.
fn make(
    negotiated: &Negotiated,
    who: Identity,
    key: Option<Key>,
    preauth: Option<PreauthHash>,
) -> Established {
    let preauth = preauth.unwrap_or(PreauthHash::ZERO);
    let keys = key
        .as_ref()
        .map(|key| SessionKeys::derive(negotiated.dialect, negotiated.cipher, key, &preauth));
    let signing = keys
        .as_ref()
        .and_then(|k| k.signing.as_array::<16>())
        .map(|k| Arc::new(SigningKey::new(negotiated.signing, k)));
    let cipher = negotiated.cipher;
    let seal = keys
        .as_ref()
        .and_then(|k| SealingKey::new(cipher?, k.server_to_client.as_ref()?))
        .map(Arc::new);
    let open = keys
        .as_ref()
        .and_then(|k| OpeningKey::new(cipher?, k.client_to_server.as_ref()?))
        .map(Arc::new);
    Established {
        identity: Arc::new(who),
        session_key: key,
        signing,
        seal,
        open,
        signing_required: false,
        encrypt: false,
        encryption_required: false,
    }
}

/// A repeated authentication renews who the session acts for; its keys stay (3.3.5.5.3).
fn again(session: &mut Session, who: Identity) {
    let state = std::mem::replace(&mut session.state, SessionState::InProgress);
    session.state = match state {
        SessionState::Valid(mut e) | SessionState::Expired(mut e) => {
            e.identity = Arc::new(who);
            SessionState::Valid(e)
        }
        SessionState::InProgress => SessionState::InProgress,
    };
}

/// The link learns the keys, and the connection counts as authenticated.
fn welcome(cx: &mut Cx<'_>, id: Id<Session>, conn: ConnId) -> Result<(), Refusal> {
    let session = cx.core.sessions.get(id).ok_or(DELETED)?;
    let wire = session.wire;
    let verify = session.signing_key(conn);
    let open = session.established().and_then(|e| e.open.clone());
    cx.core.emit(Output::Keys(
        conn,
        KeyUpdate::Install {
            session: wire,
            verify,
            open,
        },
    ));
    let limits = &cx.core.config.limits;
    let largest = limits
        .max_transact
        .max(limits.max_read)
        .max(limits.max_write);
    // Room for headers, contexts and the padding of compounds.
    let max = usize::try_from(largest)
        .unwrap_or(usize::MAX)
        .saturating_add(64 << 10);
    let Some(c) = cx.core.conns.get_mut(conn) else {
        return Err(DELETED);
    };
    if !c.authenticated {
        c.authenticated = true;
        cx.core.timers.clear(Timer::Logon(conn));
        cx.core.emit(Output::Keys(conn, KeyUpdate::MaxMessage(max)));
    }
    Ok(())
}

/// 3.3.5.5.3: a client that comes back after losing its connection names its old session, which
/// ends now that it has proven to be the same user.
fn end_previous(cx: &mut Cx<'_>, id: Id<Session>, previous: SessionId) {
    let Some((old, session)) = cx.core.session_by_wire(previous) else {
        return;
    };
    let who = |s: &Session| s.established().map(|e| e.identity.sid);
    let same = who(session).is_some() && who(session) == cx.core.sessions.get(id).and_then(who);
    if old != id && same {
        teardown::end_session(cx.core, cx.now, old);
    }
}
