//! From messages to commands and back: chains of elements, operations that wait, answers.

mod answer;
mod gate;
mod pending;

use std::collections::VecDeque;

use smb_proto::msg::error;
use smb_proto::{Command, NtStatus};

pub(crate) use pending::{complete, go_async, interim_due, interrupt, wake};

use crate::cmd::{self, Cx, Outcome, Step};
use crate::core::durable::Made;
use crate::core::persistent;
use crate::core::{Chain, ConnState, Core, LastFile, Op, Related, Wait};
use crate::error::Fault;
use crate::link::{Element, Inbound};
use crate::output::{CloseReason, ConnId, Outbound, Output};
use crate::status::Refusal;
use crate::table::Id;
use crate::time::Now;

/// Takes in one message.
pub(crate) fn receive(core: &mut Core, now: Now, conn: ConnId, inbound: Inbound) {
    let Some(c) = core.conns.get(conn) else {
        core.event(crate::event::Event::Stale);
        return;
    };
    if c.closing || c.draining {
        return;
    }
    let result = match inbound {
        Inbound::Smb1Negotiate(request) => cmd::negotiate::smb1(core, now, conn, &request),
        Inbound::Message { elements, sealed } => admit(core, conn, &elements).map(|()| {
            let bytes = elements.iter().map(|e| e.raw.len());
            let chain = core.chains.insert(Chain {
                conn,
                bytes: bytes.fold(0, usize::saturating_add),
                todo: elements.into(),
                answers: Vec::new(),
                current: None,
                sealed: sealed.map(crate::link::Sealed::session),
                seal: None,
                related: Related::default(),
                begun: 0,
            });
            if let Some(c) = core.conns.get_mut(conn) {
                c.chains.insert(chain);
            }
            run(core, now, chain);
        }),
    };
    if let Err(fault) = result {
        core.close_conn(conn, CloseReason::Fault(fault));
    }
}

/// What is checked for the whole message before any of it is carried out: direction, command codes
/// ([MS-SMB2] 3.3.5.2.6), negotiation state (3.3.5.2.2), message ids (3.3.5.2.3).
fn admit(core: &mut Core, conn: ConnId, elements: &[Element]) -> Result<(), Fault> {
    let max = core.config.limits.max_compound;
    let any = mutated!(core, AnyMessageId);
    let Some(c) = core.conns.get_mut(conn) else {
        return Ok(());
    };
    if elements.len() > max {
        return Err(Fault::Compound(smb_proto::ParseError::TooMany("compound")));
    }
    for element in elements {
        let header = &element.header;
        if header
            .flags
            .contains(smb_proto::header::HeaderFlags::SERVER_TO_REDIR)
        {
            return Err(Fault::ResponseReceived);
        }
        let command = header
            .command()
            .ok_or(Fault::UnknownCommand(header.command_code))?;
        match (&c.state, command) {
            (ConnState::Negotiated(_), Command::Negotiate) => return Err(Fault::SecondNegotiate),
            (ConnState::Negotiated(_), _) | (_, Command::Negotiate) => {}
            (ConnState::Fresh | ConnState::Wildcard, _) => return Err(Fault::NotNegotiated),
        }
        // CANCEL takes no id of its own: it names that of the request to cancel (3.3.5.2.3).
        if command == Command::Cancel {
            continue;
        }
        let multi = c
            .dialect()
            .is_some_and(smb_proto::Dialect::has_multi_credit);
        let charge = if multi { header.credit_charge } else { 1 };
        c.window
            .take(header.message_id.0, charge)
            .or_else(|error| if any { Ok(()) } else { Err(error) })
            .map_err(|_| Fault::MessageIdWindow(header.message_id))?;
    }
    Ok(())
}

/// Works on a chain until one of its elements waits or all are answered.
pub(crate) fn run(core: &mut Core, now: Now, chain_id: Id<Chain>) {
    loop {
        let Some(chain) = core.chains.get_mut(chain_id) else {
            return;
        };
        if chain.current.is_some() {
            return;
        }
        let conn = chain.conn;
        if core.conns.get(conn).is_none_or(|c| c.closing) {
            drop_chain(core, chain_id);
            return;
        }
        let Some(chain) = core.chains.get_mut(chain_id) else {
            return;
        };
        let Some(element) = chain.todo.pop_front() else {
            flush(core, chain_id);
            drop_chain(core, chain_id);
            return;
        };
        chain.begun = chain.begun.saturating_add(1);
        if element.header.command() == Some(Command::Cancel) {
            cmd::cancel(core, now, conn, &element);
            continue;
        }
        begin(core, now, chain_id, conn, element);
    }
}

/// Begins one element.
fn begin(core: &mut Core, now: Now, chain_id: Id<Chain>, conn: ConnId, element: Element) {
    let Some(chain) = core.chains.get_mut(chain_id) else {
        return;
    };
    let sealed = chain.sealed;
    let op = core.ops.insert(Op {
        chain: Some(chain_id),
        conn: Some(conn),
        header: element.header,
        session: None,
        tree: None,
        open: None,
        source: None,
        closing_open: None,
        counted: None,
        create_key: None,
        sign: None,
        async_id: None,
        last: chain.todo.is_empty(),
        wait: Wait::Nothing,
        phase: None,
        seq: 0,
        own: None,
        cancelled: false,
    });
    chain.current = Some(op);
    if let Some(c) = core.conns.get_mut(conn) {
        c.by_message.insert(element.header.message_id, op);
    }
    let step = match gate::check(core, now, chain_id, op, &element) {
        Err(gate::Stop::Refuse(status)) => Err(Refusal(status)),
        Err(gate::Stop::Fault(fault)) => Ok(Outcome::Fault(fault).into()),
        Ok(()) => match element.body {
            Err(error) => Err(Refusal(crate::status::of_parse(error))),
            Ok(body) => cmd::start(&mut Cx { core, now, op }, body, &element.raw, sealed),
        },
    };
    settle(core, now, op, step);
}

/// Takes what a command has come to: parks the operation or finishes it.
pub(crate) fn settle(core: &mut Core, now: Now, op: Id<Op>, step: cmd::CmdResult) {
    may_have_changed(core, op);
    let outcome = match step {
        Ok(Step::Wait(phase)) => {
            pending::park(core, now, op, phase);
            return;
        }
        Ok(Step::Done(outcome)) => outcome,
        Err(Refusal(status)) => Outcome::Error(status, error::Response::default()),
    };
    finish(core, now, op, outcome);
}

/// What is kept of opens that outlive the server may have changed with these commands.
fn may_have_changed(core: &mut Core, op: Id<Op>) {
    let Some((op, open)) = core.ops.get(op).and_then(|op| Some((op, op.open?))) else {
        return;
    };
    match op.header.command() {
        Some(Command::Create | Command::Lock | Command::Ioctl) => persistent::changed(core, open),
        Some(Command::SetInfo) => {
            let row = core.opens.get(open).and_then(crate::core::Open::file);
            if let Some(row) = row.map(|f| f.file) {
                persistent::file_changed(core, row);
            }
        }
        _ => {}
    }
}

/// Ends an operation and goes on with its chain.
fn finish(core: &mut Core, now: Now, op_id: Id<Op>, outcome: Outcome) {
    let Some(op) = core.ops.remove(op_id) else {
        return;
    };
    core.timers.clear(crate::core::Timer::Interim(op_id));
    if let Some(c) = op.conn.and_then(|conn| core.conns.get_mut(conn)) {
        if c.by_message.get(&op.header.message_id) == Some(&op_id) {
            c.by_message.remove(&op.header.message_id);
        }
        if let Some(id) = op.async_id {
            c.by_async.remove(&id);
        }
    }
    if let Some(key) = op.create_key
        && core.creates.get(&key) == Some(&Made::Pending(op_id))
    {
        core.creates.remove(&key);
    }
    if let Some((open, counted)) = op.counted
        && let Some(open) = core.opens.get_mut(open)
    {
        open.sequence.leave(counted);
    }
    let used = [op.open, op.source];
    let chain_id = op.chain;
    if let (Some(chain_id), Some(conn)) = (chain_id, op.conn) {
        if let Outcome::Fault(fault) = outcome {
            core.close_conn(conn, CloseReason::Fault(fault));
        } else {
            answer::push(core, chain_id, conn, &op, outcome);
        }
        if let Some(chain) = core.chains.get_mut(chain_id)
            && chain.current == Some(op_id)
        {
            chain.current = None;
        }
    }
    for open in used.into_iter().flatten() {
        crate::core::teardown::release(core, now, open);
    }
    if let Some(chain_id) = chain_id {
        run(core, now, chain_id);
    }
    if let Some(session) = op.session {
        ended(core, now, session);
    }
    crate::core::breaks::afterwards(core, now);
}

/// An operation of a session has come to its end: if that was the last one of a session that a LOGOFF
/// has ended, the LOGOFF is answered.
fn ended(core: &mut Core, now: Now, session: Id<crate::core::Session>) {
    let Some(logoff) = core.logoffs.get(&session).copied() else {
        return;
    };
    if !core.runs_elsewhere(session, logoff) {
        core.logoffs.remove(&session);
        wake(core, now, logoff, crate::core::Wake::Ready);
    }
}

/// Sends what a chain has answered so far as one message.
fn flush(core: &mut Core, chain_id: Id<Chain>) {
    let Some(chain) = core.chains.get_mut(chain_id) else {
        return;
    };
    let elements = std::mem::take(&mut chain.answers);
    let (conn, sealed, kept) = (chain.conn, chain.sealed, chain.seal.take());
    // The driver has been told to close it: an answer, or an interim one whose time has come, has
    // nowhere to go.
    let closing = core.conns.get(conn).is_none_or(|c| c.closing);
    if elements.is_empty() || closing {
        return;
    }
    // The answer to an encrypted message is encrypted ([MS-SMB2] 3.3.4.1.4).
    let seal = sealed.and_then(|session| {
        kept.or_else(|| {
            let (id, _) = core.session_by_wire(session)?;
            core.sessions.get_mut(id)?.seal_plan()
        })
    });
    if sealed.is_some() && seal.is_none() {
        // Nothing that was asked in secret is answered in the clear.
        core.close_conn(conn, CloseReason::SessionEnded);
        return;
    }
    core.emit(Output::Send(conn, Outbound { elements, seal }));
}

/// Forgets a chain whose answers have left, or whose connection has gone.
pub(crate) fn drop_chain(core: &mut Core, chain_id: Id<Chain>) {
    let Some(chain) = core.chains.remove(chain_id) else {
        return;
    };
    let Some(c) = core.conns.get_mut(chain.conn) else {
        return;
    };
    c.chains.remove(&chain_id);
    if c.draining && c.chains.is_empty() {
        core.close_conn(chain.conn, CloseReason::Administrative);
    }
}

/// Remembers for later related elements how this one went.
fn carry(related: &mut Related, command: Command, status: NtStatus, op: &Op, core: &Core) {
    // ECHO looks for neither session nor tree connect and hands on what it names.
    let echo = command == Command::Echo;
    // A session whose time is over is still there: what follows fails for the same reason, which a
    // client knows how to mend.
    let named = echo || status == NtStatus::NETWORK_SESSION_EXPIRED;
    // An element that found no session or tree connect leaves none to those that follow.
    related.session = (named || op.session.is_some()).then_some(op.header.session_id);
    let connected = command == Command::TreeConnect && !status.is_error();
    related.tree = (named || connected || op.tree.is_some()).then(|| op.header.tree_id());
    if command == Command::Create && status.is_error() {
        related.file = LastFile::Failed(status);
        return;
    }
    if let Some(open) = op.open.and_then(|id| core.opens.get(id)) {
        related.file = LastFile::Id(open.file_id);
    }
}

/// Work of the server that no request waits for: an operation without chain.
pub(crate) fn spawn(core: &mut Core, now: Now, start: impl FnOnce(&mut Cx<'_>) -> cmd::CmdResult) {
    let op = core.ops.insert(Op {
        chain: None,
        conn: None,
        header: smb_proto::Header::request(Command::Close, smb_proto::id::MessageId(0)),
        session: None,
        tree: None,
        open: None,
        source: None,
        closing_open: None,
        counted: None,
        create_key: None,
        sign: None,
        async_id: None,
        last: true,
        wait: Wait::Nothing,
        phase: None,
        seq: 0,
        own: None,
        cancelled: false,
    });
    let step = start(&mut Cx { core, now, op });
    settle(core, now, op, step);
}

/// Wakes operations one after another, in the order given.
pub(crate) fn wake_all(core: &mut Core, now: Now, ops: VecDeque<Id<Op>>) {
    for op in ops {
        wake(core, now, op, crate::core::Wake::Ready);
    }
}
