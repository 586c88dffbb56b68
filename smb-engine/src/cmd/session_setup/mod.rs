//! SESSION_SETUP, [MS-SMB2] 3.3.5.5: which session a request is about, and its authentication step by
//! step.

mod bind;
mod establish;

use bytes::Bytes;
use smb_proto::crypto::PreauthHash;
use smb_proto::header::HeaderFlags;
use smb_proto::id::SessionId;
use smb_proto::msg::negotiate::SecurityMode;
use smb_proto::msg::session_setup::{Request, Response, SessionFlags, SetupFlags};
use smb_proto::{NtStatus, msg};

use self::establish::establish;
use super::{CmdResult, Cx, Outcome, Phase, Step};
use crate::auth::{Acceptor, Names, Progress, Proof, Proven, Purpose, Setup};
use crate::config::{EncryptionPolicy, MapToGuest};
use crate::core::{Conn, Negotiated, Session, Wake, teardown};
use crate::event::Event;
use crate::identity::{Account, Identity, IdentityKind};
use crate::output::{Completion, ConnId, Query};
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
    if request.flags.contains(SetupFlags::BINDING) {
        return bind::step(cx, conn, negotiated, wire, raw, has_setup);
    }
    match (here, has_setup) {
        // The next step of what is in progress.
        (Some(id), Some(Purpose::New | Purpose::Again)) => Ok(id),
        (Some(id), None) => begin_again(cx, conn, id, &header, raw, sealed),
        (Some(_), Some(Purpose::Bind)) | (None, _) => Err(DELETED),
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
            (Some(key), true) if !key.verify(raw) => {
                // The answer is signed all the same, so that the client can believe it.
                let key = key.clone();
                cx.op_mut()?.sign = Some(key);
                return Err(DENIED);
            }
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
