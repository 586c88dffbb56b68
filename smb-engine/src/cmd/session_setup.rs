//! SESSION_SETUP, [MS-SMB2] 3.3.5.5.

use std::sync::Arc;

use bytes::Bytes;
use smb_proto::crypto::{
    Key, OpeningKey, PreauthHash, SealingKey, SessionKeys, SigningKey, signing_key,
};
use smb_proto::header::HeaderFlags;
use smb_proto::id::SessionId;
use smb_proto::msg::negotiate::SecurityMode;
use smb_proto::msg::session_setup::{Request, Response, SessionFlags, SetupFlags};
use smb_proto::{NtStatus, msg};

use super::{CmdResult, Cx, Outcome, Phase, Step};
use crate::auth::{Acceptor, Names, Progress, Proof, Proven, Purpose, Setup};
use crate::config::{EncryptionPolicy, MapToGuest, SigningPolicy};
use crate::core::{
    Channel, Conn, Established, Negotiated, Session, SessionState, Timer, Wake, teardown,
};
use crate::event::Event;
use crate::identity::{Account, Identity, IdentityKind};
use crate::output::{Completion, ConnId, KeyUpdate, Output, Query};
use crate::status::Refusal;
use crate::table::Id;

/// A SESSION_SETUP that waits for the account database.
#[derive(Debug)]
pub(crate) struct State {
    session: Id<Session>,
    proof: Box<Proof>,
    security_mode: SecurityMode,
}

const DENIED: Refusal = Refusal(NtStatus::ACCESS_DENIED);
const DELETED: Refusal = Refusal(NtStatus::USER_SESSION_DELETED);

/// Takes the next token of an authentication.
pub(super) fn start(cx: &mut Cx<'_>, request: &Request, raw: &Bytes, sealed: bool) -> CmdResult {
    let conn = cx.conn()?;
    let negotiated = negotiated(cx, conn)?;
    // 3.3.5.5 step 1.
    if cx.core.config.encryption == EncryptionPolicy::Required && negotiated.cipher.is_none() {
        return Err(DENIED);
    }
    let session = find_or_begin(cx, conn, &negotiated, request, raw, sealed)?;
    let wall = cx.now.wall;
    let config = cx.core.config.clone();
    let server_challenge = cx.core.entropy.bytes();
    let setup = cx
        .core
        .sessions
        .get_mut(session)
        .and_then(|s| s.setups.get_mut(&conn))
        .ok_or(DELETED)?;
    // Two steps of one authentication cannot overlap: the hash would depend on their order.
    if setup.busy {
        return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    if let Some(hash) = &mut setup.preauth {
        hash.update(raw);
    }
    let names = Names {
        server: &config.server_name,
        wall,
    };
    let security_mode = SecurityMode::from_bits_retain(request.security_mode.bits());
    match setup
        .acceptor
        .step(&request.security_buffer, &names, server_challenge)
    {
        Err(status) => Err(fail(cx, session, conn, "", status)),
        Ok(Progress::Continue(token)) => {
            let body = Response {
                session_flags: SessionFlags::empty(),
                security_buffer: token,
            };
            Ok(Outcome::ReplyWith(
                NtStatus::MORE_PROCESSING_REQUIRED,
                msg::Response::SessionSetup(body),
            )
            .into())
        }
        Ok(Progress::Prove(proof)) => {
            setup.busy = true;
            // It runs in the session: a LOGOFF waits for it.
            cx.op_mut()?.session = Some(session);
            let query = Query::Account {
                user: proof.user().to_owned(),
                domain: proof.domain().to_owned(),
            };
            cx.ask_accounts(query)?;
            Ok(Step::Wait(Phase::SessionSetup(State {
                session,
                proof,
                security_mode,
            })))
        }
        Ok(Progress::Anonymous(token)) => {
            if config.refuse_anonymous {
                return Err(fail(cx, session, conn, "", NtStatus::LOGON_FAILURE));
            }
            let who = Identity {
                name: "ANONYMOUS LOGON".to_owned(),
                domain: "NT AUTHORITY".to_owned(),
                kind: IdentityKind::Anonymous,
                sid: smb_proto::dtyp::Sid::ANONYMOUS,
                ..config.guest.clone()
            };
            establish(cx, session, conn, who, None, token, security_mode)
        }
    }
}

/// The account has been looked up.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let State {
        session,
        proof,
        security_mode,
    } = state;
    let conn = cx.conn()?;
    let account = match wake {
        Wake::Completion(Completion::Account(account)) => account,
        _ => {
            return Err(fail(
                cx,
                session,
                conn,
                proof.user(),
                NtStatus::LOGON_FAILURE,
            ));
        }
    };
    let setup = cx
        .core
        .sessions
        .get_mut(session)
        .and_then(|s| s.setups.get_mut(&conn))
        .ok_or(DELETED)?;
    setup.busy = false;
    let unknown = account.is_none();
    let verdict = setup
        .acceptor
        .judge(&proof, account.as_ref().map(|a| &a.nt_hash));
    match (verdict, account) {
        (Ok(Proven { key, token }), Some(Account { identity, .. })) => {
            establish(cx, session, conn, identity, Some(key), token, security_mode)
        }
        (Err(NtStatus::LOGON_FAILURE), None)
            if unknown && cx.core.config.map_to_guest == MapToGuest::BadUser =>
        {
            let token = cx
                .core
                .sessions
                .get(session)
                .and_then(|s| s.setups.get(&conn))
                .map(|s| s.acceptor.accept_unproven())
                .unwrap_or_default();
            let guest = cx.core.config.guest.clone();
            establish(cx, session, conn, guest, None, token, security_mode)
        }
        (Err(status), _) => Err(fail(cx, session, conn, proof.user(), status)),
        (Ok(_), None) => Err(fail(
            cx,
            session,
            conn,
            proof.user(),
            NtStatus::LOGON_FAILURE,
        )),
    }
}

fn negotiated(cx: &Cx<'_>, conn: ConnId) -> Result<Negotiated, Refusal> {
    cx.core
        .conns
        .get(conn)
        .and_then(Conn::negotiated)
        .cloned()
        .ok_or(DELETED)
}

/// Steps 3 to 5 of 3.3.5.5: the session that the request is about, with a set-up on this
/// connection. The header of the answer carries its id.
fn find_or_begin(
    cx: &mut Cx<'_>,
    conn: ConnId,
    negotiated: &Negotiated,
    request: &Request,
    raw: &Bytes,
    sealed: bool,
) -> Result<Id<Session>, Refusal> {
    let header = cx.header()?;
    let wire = header.session_id;
    if wire == SessionId(0) {
        return begin(cx, conn, negotiated, request);
    }
    let here = cx
        .core
        .conns
        .get(conn)
        .and_then(|c| c.sessions.get(&wire))
        .copied();
    let has_setup = here
        .and_then(|id| cx.core.sessions.get(id))
        .and_then(|s| s.setups.get(&conn))
        .map(|s| s.purpose);
    let bind = request.flags.contains(SetupFlags::BINDING);
    // 3.3.5.5: a dialect without multichannel cannot bind.
    if bind && !negotiated.dialect.is_smb3() {
        return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    match (here, has_setup) {
        // The next step of what is in progress.
        (Some(id), Some(Purpose::New | Purpose::Again)) if !bind => Ok(id),
        (Some(id), Some(Purpose::Bind)) if bind => {
            check_binding(cx, id, &header, raw)?;
            Ok(id)
        }
        _ if bind => begin_binding(cx, conn, negotiated, wire, raw),
        (Some(id), None) => begin_again(cx, conn, id, &header, raw, sealed),
        _ => Err(DELETED),
    }
}

fn new_setup(purpose: Purpose, preauth: Option<PreauthHash>, previous: SessionId) -> Setup {
    Setup {
        purpose,
        preauth,
        acceptor: Acceptor::new(),
        busy: false,
        previous,
    }
}

/// 3.3.5.5.1: a new session.
fn begin(
    cx: &mut Cx<'_>,
    conn: ConnId,
    negotiated: &Negotiated,
    request: &Request,
) -> Result<Id<Session>, Refusal> {
    let limits = &cx.core.config.limits;
    let pending = cx.core.conns.get(conn).map_or(0, |c| {
        let open = |id: &&Id<Session>| {
            cx.core
                .sessions
                .get(**id)
                .is_some_and(|s| s.setups.contains_key(&conn))
        };
        c.sessions.values().filter(open).count()
    });
    if pending >= limits.max_pending_logons || cx.core.sessions.len() >= limits.max_sessions {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    let mono = cx.now.mono;
    let wire = cx
        .core
        .add_session(|wire| Session::new(wire, negotiated.dialect, negotiated.client_guid, mono));
    let (id, _) = cx.core.session_by_wire(wire).ok_or(DELETED)?;
    if let Some(s) = cx.core.sessions.get_mut(id) {
        let setup = new_setup(
            Purpose::New,
            negotiated.preauth,
            request.previous_session_id,
        );
        s.setups.insert(conn, setup);
    }
    if let Some(c) = cx.core.conns.get_mut(conn) {
        c.sessions.insert(wire, id);
    }
    cx.op_mut()?.header.session_id = wire;
    Ok(id)
}

/// 3.3.5.5.2, re-authentication of a session on this connection. A request that claims to be signed
/// must be, and the answers are.
fn begin_again(
    cx: &mut Cx<'_>,
    conn: ConnId,
    id: Id<Session>,
    header: &smb_proto::Header,
    raw: &Bytes,
    sealed: bool,
) -> Result<Id<Session>, Refusal> {
    let session = cx.core.sessions.get_mut(id).ok_or(DELETED)?;
    let key = session.signing_key(conn);
    let required = session.established().is_some_and(|e| e.signing_required);
    let signed = header.flags.contains(HeaderFlags::SIGNED);
    if !sealed {
        match (&key, signed) {
            (Some(key), true) if !key.verify(raw) => return Err(DENIED),
            (_, false) if required => return Err(DENIED),
            _ => {}
        }
    }
    session
        .setups
        .insert(conn, new_setup(Purpose::Again, None, SessionId(0)));
    if signed && !sealed {
        cx.op_mut()?.sign = key;
    }
    Ok(id)
}

/// 3.3.5.5 step 4: binding an existing session to this connection.
fn begin_binding(
    cx: &mut Cx<'_>,
    conn: ConnId,
    negotiated: &Negotiated,
    wire: SessionId,
    raw: &Bytes,
) -> Result<Id<Session>, Refusal> {
    if !cx.core.config.multichannel {
        return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    let header = cx.header()?;
    let (id, session) = cx.core.session_by_wire(wire).ok_or(DELETED)?;
    if session.client_guid != negotiated.client_guid {
        return Err(DELETED);
    }
    if session.dialect != negotiated.dialect || !header.flags.contains(HeaderFlags::SIGNED) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let established = match &session.state {
        SessionState::InProgress => return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED)),
        SessionState::Expired(_) => return Err(Refusal(NtStatus::NETWORK_SESSION_EXPIRED)),
        SessionState::Valid(e) => e,
    };
    if established.session_key.is_none() {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    if session.channels.contains_key(&conn) {
        return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    check_binding(cx, id, &header, raw)?;
    if let Some(s) = cx.core.sessions.get_mut(id) {
        s.setups.insert(
            conn,
            new_setup(Purpose::Bind, negotiated.preauth, SessionId(0)),
        );
    }
    if let Some(c) = cx.core.conns.get_mut(conn) {
        c.sessions.insert(wire, id);
    }
    Ok(id)
}

/// Every request of a binding is signed with the session's key, and so is every answer.
fn check_binding(
    cx: &mut Cx<'_>,
    id: Id<Session>,
    header: &smb_proto::Header,
    raw: &Bytes,
) -> Result<(), Refusal> {
    let key = cx
        .core
        .sessions
        .get(id)
        .and_then(Session::established)
        .and_then(|e| e.signing.clone())
        .ok_or(Refusal(NtStatus::NOT_SUPPORTED))?;
    if !header.flags.contains(HeaderFlags::SIGNED) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    if !key.verify(raw) {
        return Err(DENIED);
    }
    cx.op_mut()?.sign = Some(key);
    Ok(())
}

/// An authentication failed: a new session ends, and so does one whose user could not be proved
/// again, with all it has open (3.3.5.5.3). One that was to be bound stays as it was.
fn fail(cx: &mut Cx<'_>, id: Id<Session>, conn: ConnId, user: &str, status: NtStatus) -> Refusal {
    cx.core.event(Event::LogonFailed {
        conn,
        user: user.to_owned(),
        status,
    });
    let Some(session) = cx.core.sessions.get_mut(id) else {
        return Refusal(status);
    };
    let wire = session.wire;
    let purpose = session.setups.remove(&conn).map(|s| s.purpose);
    match purpose {
        Some(Purpose::New) => {
            if let Some(c) = cx.core.conns.get_mut(conn) {
                c.sessions.remove(&wire);
            }
            teardown::end_session(cx.core, cx.now, id);
        }
        Some(Purpose::Bind) => {
            if let Some(c) = cx.core.conns.get_mut(conn) {
                c.sessions.remove(&wire);
            }
        }
        Some(Purpose::Again) => {
            teardown::end_session(cx.core, cx.now, id);
        }
        None => {}
    }
    Refusal(status)
}

/// 3.3.5.5.3: the authentication has succeeded.
fn establish(
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
            let signing = channel_key(&negotiated, &key, setup.preauth);
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

/// Channel.SigningKey of a binding.
fn channel_key(
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
