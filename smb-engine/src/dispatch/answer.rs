//! Headers and bodies of answers.

use bytes::Bytes;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::{Command, Dialect, Header, NtStatus, msg};

use crate::cmd::Outcome;
use crate::core::{Chain, Core, Op};
use crate::event::Event;
use crate::output::{Answer, Body, ConnId};
use crate::table::Id;

/// The header that answers a request ([MS-SMB2] 3.3.4.1).
fn header_for(request: &Header, status: NtStatus, credits: u16) -> Header {
    let echoed = HeaderFlags::RELATED_OPERATIONS
        | HeaderFlags::PRIORITY_MASK
        | HeaderFlags::DFS_OPERATIONS
        | HeaderFlags::REPLAY_OPERATION;
    Header {
        credit_charge: request.credit_charge,
        status,
        command_code: request.command_code,
        credits,
        flags: (request.flags & echoed) | HeaderFlags::SERVER_TO_REDIR,
        next_command: 0,
        message_id: request.message_id,
        route: request.route,
        session_id: request.session_id,
        signature: [0; 16],
    }
}

/// Adds the final answer of an operation to its chain.
pub(super) fn push(core: &mut Core, chain_id: Id<Chain>, conn: ConnId, op: &Op, outcome: Outcome) {
    if mutated!(core, NotAnswered) && matches!(outcome, Outcome::Error(NtStatus::END_OF_FILE, _)) {
        return;
    }
    let (status, body) = match outcome {
        Outcome::Reply(body) => (NtStatus::SUCCESS, Body::Message(body)),
        Outcome::ReplyWith(status, body) => (status, Body::Message(body)),
        Outcome::Read(status, payload) => (status, Body::Read(payload)),
        Outcome::Error(status, body) => (status, Body::Message(msg::Response::Error(body))),
        Outcome::Silent | Outcome::Fault(_) => return,
    };
    let Some(command) = op.header.command() else {
        return;
    };
    // The interim answer has granted the credits already ([MS-SMB2] 3.3.4.2).
    let credits = match (op.async_id, core.conns.get_mut(conn)) {
        (None, Some(_)) if mutated!(core, CreditLeak) && status.is_error() => 0,
        (None, Some(c)) => c.window.grant(op.header.credits.max(1)),
        _ => 0,
    };
    let header = header_for(&op.header, status, credits);
    let answer = if matches!(command, Command::Negotiate | Command::SessionSetup) {
        hashed(core, conn, op, header, body, status)
    } else {
        Answer {
            header,
            body,
            sign: op.sign.clone(),
        }
    };
    core.event(Event::Answered {
        conn,
        command,
        status,
    });
    make_room(core, chain_id, conn, &answer.body);
    let Some(mut related) = core.chains.get(chain_id).map(|c| c.related) else {
        return;
    };
    super::carry(&mut related, command, status, op, core);
    let twice = mutated!(core, AnsweredTwice) && command == Command::Flush;
    if let Some(chain) = core.chains.get_mut(chain_id) {
        chain.related = related;
        if twice {
            chain.answers.push(Answer {
                header,
                body: Body::Message(msg::Response::Flush(msg::flush::Response)),
                sign: op.sign.clone(),
            });
        }
        chain.answers.push(answer);
    }
}

/// Sends what a chain has answered so far if one more would make the message longer than it should be
/// ([MS-SMB2] 3.3.4.1.3: MaxTransactSize and 256 bytes); answers need not leave together. Once the
/// session has ended there is one way left to seal, for the last of them.
fn make_room(core: &mut Core, chain_id: Id<Chain>, conn: ConnId, body: &Body) {
    let multi = core
        .conns
        .get(conn)
        .and_then(crate::core::Conn::dialect)
        .is_some_and(Dialect::has_multi_credit);
    let cap = if multi { u32::MAX } else { 65536 };
    let limit = core.config.limits.max_transact.min(cap).saturating_add(256);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(chain) = core.chains.get(chain_id) else {
        return;
    };
    let so_far = chain
        .answers
        .iter()
        .map(|a| size(&a.body))
        .fold(0usize, usize::saturating_add);
    if so_far > 0 && chain.seal.is_none() && so_far.saturating_add(size(body)) > limit {
        super::flush(core, chain_id);
    }
}

/// Bytes that an answer takes in a compound, or a little more.
fn size(body: &Body) -> usize {
    use msg::Response as R;
    const HEADER: usize = smb_proto::header::HEADER_LEN;
    let bytes = match body {
        Body::Encoded(bytes) => return bytes.len().next_multiple_of(8),
        Body::Read(payload) => payload.len().saturating_add(16),
        Body::Message(message) => match message {
            R::QueryInfo(r) => r.output.len().saturating_add(8),
            R::QueryDirectory(r) => r.output.len().saturating_add(8),
            R::ChangeNotify(r) => r.output.len().saturating_add(8),
            R::Ioctl(r) => {
                let both = r.input.len().saturating_add(r.output.len());
                both.saturating_add(56)
            }
            R::Read(r) => r.data.len().saturating_add(16),
            R::Create(r) => {
                let contexts = r.contexts.iter().map(|c| {
                    let len = c.name.len().saturating_add(c.data.len());
                    len.saturating_add(32)
                });
                contexts.fold(88, usize::saturating_add)
            }
            R::SessionSetup(r) => r.security_buffer.len().saturating_add(8),
            R::Error(r) => r.status_data().map_or(8, |d| d.len().saturating_add(24)),
            R::Negotiate(_) => 512,
            R::Close(_) => 60,
            R::OplockBreak(_) => 36,
            R::Logoff(_)
            | R::TreeConnect(_)
            | R::TreeDisconnect(_)
            | R::Flush(_)
            | R::Write(_)
            | R::Lock(_)
            | R::Echo(_)
            | R::SetInfo(_) => 16,
        },
    };
    bytes.saturating_add(HEADER).next_multiple_of(8)
}

/// The answers that the pre-authentication hash covers are encoded here, so that the hash is over
/// the very bytes that leave ([MS-SMB2] 3.3.5.4, 3.3.5.5).
fn hashed(
    core: &mut Core,
    conn: ConnId,
    op: &Op,
    header: Header,
    body: Body,
    status: NtStatus,
) -> Answer {
    let answer = Answer {
        header,
        body,
        sign: op.sign.clone(),
    };
    let bytes: Bytes = crate::link::encode_alone(answer);
    crate::auth::preauth::on_answer(core, conn, op, status, &bytes);
    Answer {
        header,
        body: Body::Encoded(bytes),
        sign: None,
    }
}

/// Adds the interim answer of an operation to its chain: STATUS_PENDING with the new AsyncId, not
/// signed ([MS-SMB2] 3.3.4.1.1: an interim response to an async request is not), and with the
/// credits that the final one will not carry.
pub(super) fn interim(core: &mut Core, chain_id: Id<Chain>, op_id: Id<Op>) {
    let Some(op) = core.ops.get(op_id) else {
        return;
    };
    let (request, conn) = (op.header, op.conn);
    let sign = op.sign.clone();
    let credits = conn
        .and_then(|conn| core.conns.get_mut(conn))
        .map_or(0, |c| c.window.grant(request.credits.max(1)));
    let header = header_for(&request, NtStatus::PENDING, credits);
    debug_assert!(matches!(header.route, Route::Async(_)));
    let body = Body::Message(msg::Response::Error(msg::error::Response::default()));
    if let Some(chain) = core.chains.get_mut(chain_id) {
        chain.answers.push(Answer { header, body, sign });
    }
}
