//! Headers and bodies of answers.

use bytes::Bytes;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::{Command, Header, NtStatus, msg};

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
    let Some(mut related) = core.chains.get(chain_id).map(|c| c.related) else {
        return;
    };
    super::carry(&mut related, command, status, op, core);
    if let Some(chain) = core.chains.get_mut(chain_id) {
        chain.related = related;
        chain.answers.push(answer);
    }
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
