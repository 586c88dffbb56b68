//! The checks that every request passes, in the order of [MS-SMB2] 3.3.5.2.

use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{FileId, SessionId, TreeId};
use smb_proto::{Command, NtStatus, msg};

use crate::core::credit::charge_for;
use crate::core::{Chain, Core, LastFile, Op, Open, SessionState, durable};
use crate::error::Fault;
use crate::link::{Element, Signature};
use crate::output::ConnId;
use crate::table::Id;
use crate::time::Now;

/// Why a request goes no further.
pub(super) enum Stop {
    /// It is refused.
    Refuse(NtStatus),
    /// The connection is closed.
    Fault(Fault),
}

impl From<NtStatus> for Stop {
    fn from(status: NtStatus) -> Self {
        Self::Refuse(status)
    }
}

/// What a command needs before its handler may see it.
struct Needs {
    session: bool,
    tree: bool,
}

/// The command table: NEGOTIATE, SESSION_SETUP, CANCEL and most ECHOs work without session; LOGOFF and
/// TREE_CONNECT without tree connect.
fn needs(command: Command) -> Needs {
    use Command as C;
    match command {
        C::Negotiate | C::SessionSetup | C::Echo | C::Cancel => Needs {
            session: false,
            tree: false,
        },
        C::Logoff | C::TreeConnect => Needs {
            session: true,
            tree: false,
        },
        C::TreeDisconnect
        | C::Create
        | C::Close
        | C::Flush
        | C::Read
        | C::Write
        | C::Lock
        | C::Ioctl
        | C::QueryDirectory
        | C::ChangeNotify
        | C::QueryInfo
        | C::SetInfo
        | C::OplockBreak => Needs {
            session: true,
            tree: true,
        },
    }
}

/// Runs all checks and fills in what they found: session, tree connect, open, signing key.
pub(super) fn check(
    core: &mut Core,
    now: Now,
    chain_id: Id<Chain>,
    op_id: Id<Op>,
    element: &Element,
) -> Result<(), Stop> {
    let Some(command) = element.header.command() else {
        return Err(Stop::Fault(Fault::UnknownCommand(
            element.header.command_code,
        )));
    };
    let named = element.body.as_ref().ok().and_then(named_file);
    let checked = may_begin(core, now, chain_id, op_id, element, command);
    // 3.3.5.2.7.2: who names a file and is refused before anybody has looked for it leaves the refusal to
    // those that mean the same file. Not that it is closed, which it is not.
    if let (Err(Stop::Refuse(status)), Some(_)) = (&checked, named)
        && let Some(chain) = core.chains.get_mut(chain_id)
        && chain.related.file == LastFile::None
    {
        chain.related.file = LastFile::Failed(*status);
    }
    checked?;
    match named {
        Some(file_id) => resolve_open(core, chain_id, op_id, element, command, file_id),
        None => Ok(()),
    }
}

/// All checks but that of the open.
fn may_begin(
    core: &mut Core,
    now: Now,
    chain_id: Id<Chain>,
    op_id: Id<Op>,
    element: &Element,
    command: Command,
) -> Result<(), Stop> {
    take_over_related(core, chain_id, op_id, element, command)?;
    let needs = needs(command);
    let sealed = core.chains.get(chain_id).and_then(|c| c.sealed);
    if command == Command::SessionSetup && sealed.is_none() {
        sign_setup(core, op_id, element);
    }
    if needs.session || (command == Command::Echo && names_session(core, op_id, element, sealed)) {
        check_session(core, now, op_id, element, command, sealed)?;
    }
    if needs.tree {
        check_tree(core, op_id, sealed.is_some())?;
    }
    if let Ok(body) = &element.body {
        check_charge(core, op_id, element, body)?;
    }
    Ok(())
}

/// 3.3.5.2.7.2: a related element takes session and tree connect from the one before.
fn take_over_related(
    core: &mut Core,
    chain_id: Id<Chain>,
    op_id: Id<Op>,
    element: &Element,
    command: Command,
) -> Result<(), Stop> {
    let Some(chain) = core.chains.get(chain_id) else {
        return Ok(());
    };
    let (first, related) = (chain.begun <= 1, chain.related);
    if chain.begun > 1 || !chain.todo.is_empty() {
        // Their answers are hashed as encoded, and nothing may follow them in one message.
        if matches!(command, Command::Negotiate | Command::SessionSetup) {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
    }
    if !element
        .header
        .flags
        .contains(HeaderFlags::RELATED_OPERATIONS)
    {
        if let Some(chain) = core.chains.get_mut(chain_id) {
            chain.related.file = LastFile::None;
        }
        return Ok(());
    }
    if first {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    let needs = needs(command);
    let Some(op) = core.ops.get_mut(op_id) else {
        return Ok(());
    };
    // Commands that need neither pass them on to those behind them.
    match related.session.filter(|s| *s != SessionId(0)) {
        Some(session) => op.header.session_id = session,
        None if needs.session => return Err(NtStatus::INVALID_PARAMETER.into()),
        None => {}
    }
    match related.tree.filter(|t| *t != TreeId(0)) {
        Some(tree) => {
            if let Route::Sync { tree_id, .. } = &mut op.header.route {
                *tree_id = tree;
            }
        }
        None if needs.tree => return Err(NtStatus::INVALID_PARAMETER.into()),
        None => {}
    }
    Ok(())
}

/// 3.3.5.2.9 (session), 3.3.5.2.4 (signature), 3.3.5.2.1.1 and 3.3.5.2.9 (encryption).
fn check_session(
    core: &mut Core,
    now: Now,
    op_id: Id<Op>,
    element: &Element,
    command: Command,
    sealed: Option<SessionId>,
) -> Result<(), Stop> {
    let Some(op) = core.ops.get(op_id) else {
        return Ok(());
    };
    let (wire, conn) = (op.header.session_id, op.conn);
    if let Some(sealed) = sealed
        && sealed != wire
    {
        return Err(Stop::Fault(Fault::SessionMismatch));
    }
    let Some(conn) = conn else { return Ok(()) };
    // A set-up in progress, or a binding in progress on this connection, gives no right to anything.
    let here = core.conns.get(conn).and_then(|c| c.sessions.get(&wire));
    let here = here.copied().filter(|id| {
        core.sessions
            .get(*id)
            .is_some_and(|s| s.channels.contains_key(&conn))
    });
    let Some(id) = here else {
        sign_as_stranger(core, op_id, conn, wire, element);
        return Err(NtStatus::USER_SESSION_DELETED.into());
    };
    let session = core
        .sessions
        .get_mut(id)
        .ok_or(NtStatus::USER_SESSION_DELETED)?;
    session.last_used = now.mono;
    let key = session.signing_key(conn);
    let established = match &session.state {
        SessionState::InProgress => return Err(NtStatus::USER_SESSION_DELETED.into()),
        SessionState::Expired(e) => {
            let passes = matches!(
                command,
                Command::Logoff | Command::Close | Command::Lock | Command::TreeDisconnect
            );
            if !passes {
                return Err(NtStatus::NETWORK_SESSION_EXPIRED.into());
            }
            e
        }
        SessionState::Valid(e) => e,
    };
    let mut sign = None;
    if sealed.is_none() {
        match element.signature {
            Signature::Good(_) => sign = key,
            Signature::Bad | Signature::NoKey => {
                // The answer is signed all the same, so that the client can believe it.
                if let Some(op) = core.ops.get_mut(op_id) {
                    op.sign = key;
                }
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            Signature::Absent if established.signing_required => {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            Signature::Absent => {}
        }
        if established.encryption_required {
            // Who has signed gets a signed refusal (3.3.4.1.1).
            if let Some(op) = core.ops.get_mut(op_id) {
                op.sign = sign;
            }
            return Err(NtStatus::ACCESS_DENIED.into());
        }
    }
    if let Some(op) = core.ops.get_mut(op_id) {
        op.session = Some(id);
        op.sign = sign;
    }
    Ok(())
}

/// A session has no channel on this connection (any more), but the request is signed with a key of it:
/// then so is the refusal, and the client can believe it.
fn sign_as_stranger(
    core: &mut Core,
    op_id: Id<Op>,
    conn: ConnId,
    wire: SessionId,
    element: &Element,
) {
    if element.signature == Signature::Absent {
        return;
    }
    let elsewhere = core
        .session_by_wire(wire)
        .and_then(|(_, s)| s.established());
    let ended = core.conns.get(conn).into_iter().flat_map(|c| &c.ended);
    let key = elsewhere
        .and_then(|e| e.signing.as_ref())
        .into_iter()
        .chain(
            ended
                .filter(|(ended, _)| *ended == wire)
                .map(|(_, key)| key),
        )
        .find(|key| key.verify(&element.raw))
        .cloned();
    if let Some(op) = core.ops.get_mut(op_id) {
        op.sign = key;
    }
}

/// 3.3.4.1.1: who authenticates a session again and signs for it gets a signed answer, also if that says
/// that the request is malformed.
fn sign_setup(core: &mut Core, op_id: Id<Op>, element: &Element) {
    let Some((wire, conn)) = core
        .ops
        .get(op_id)
        .and_then(|op| Some((op.header.session_id, op.conn?)))
    else {
        return;
    };
    let Signature::Good(_) = element.signature else {
        sign_as_stranger(core, op_id, conn, wire, element);
        return;
    };
    let session = core.conns.get(conn).and_then(|c| c.sessions.get(&wire));
    let session = session.and_then(|id| core.sessions.get(*id));
    let key = session
        .filter(|s| s.channels.contains_key(&conn))
        .and_then(|s| s.signing_key(conn));
    if let Some(op) = core.ops.get_mut(op_id) {
        op.sign = key;
    }
}

/// 3.3.5.17: whether an ECHO is about a session, which then has to be there.
fn names_session(core: &Core, op_id: Id<Op>, element: &Element, sealed: Option<SessionId>) -> bool {
    let named = core
        .ops
        .get(op_id)
        .is_some_and(|op| op.header.session_id != SessionId(0));
    element.header.flags.contains(HeaderFlags::SIGNED) || (sealed.is_none() && named)
}

/// 3.3.5.2.11
fn check_tree(core: &mut Core, op_id: Id<Op>, sealed: bool) -> Result<(), Stop> {
    let Some(op) = core.ops.get(op_id) else {
        return Ok(());
    };
    let session = op.session.and_then(|s| core.sessions.get(s));
    let id = session
        .and_then(|s| s.trees.get(&op.header.tree_id()))
        .copied()
        .ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    let tree = core.trees.get(id).ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    if tree.encryption_required && !sealed {
        return Err(NtStatus::ACCESS_DENIED.into());
    }
    if let Some(op) = core.ops.get_mut(op_id) {
        op.tree = Some(id);
    }
    Ok(())
}

/// 3.3.5.2.5: the credits of the request must cover what it sends and what it asks for.
fn check_charge(
    core: &Core,
    op_id: Id<Op>,
    element: &Element,
    body: &msg::Request,
) -> Result<(), Stop> {
    let multi = core
        .ops
        .get(op_id)
        .and_then(|op| core.conns.get(op.conn?)?.dialect())
        .is_some_and(smb_proto::Dialect::has_multi_credit);
    if !multi {
        return Ok(());
    }
    use msg::Request as R;
    let (send, expected) = match body {
        R::Read(r) => (0, u64::from(r.length)),
        R::Write(r) => (r.data.len() as u64, 0),
        R::Ioctl(r) => (
            r.input.len() as u64,
            u64::from(r.max_input_response).saturating_add(u64::from(r.max_output_response)),
        ),
        R::QueryDirectory(r) => (0, u64::from(r.output_buffer_length)),
        R::ChangeNotify(r) => (0, u64::from(r.output_buffer_length)),
        R::QueryInfo(r) => (r.input.len() as u64, u64::from(r.output_buffer_length)),
        R::SetInfo(r) => (r.buffer.len() as u64, 0),
        R::Negotiate(_)
        | R::SessionSetup(_)
        | R::Logoff(_)
        | R::TreeConnect(_)
        | R::TreeDisconnect(_)
        | R::Create(_)
        | R::Close(_)
        | R::Flush(_)
        | R::Lock(_)
        | R::Cancel(_)
        | R::Echo(_)
        | R::OplockBreak(_) => (0, 0),
    };
    let has = u64::from(element.header.credit_charge.max(1));
    if charge_for(send, expected) > has {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    Ok(())
}

/// The FileId of a request, for commands that work on an open. IOCTLs that work on none carry all
/// ones ([MS-SMB2] 2.2.31).
fn named_file(body: &msg::Request) -> Option<FileId> {
    use msg::Request as R;
    match body {
        R::Close(r) => Some(r.file_id),
        R::Flush(r) => Some(r.file_id),
        R::Read(r) => Some(r.file_id),
        R::Write(r) => Some(r.file_id),
        R::Lock(r) => Some(r.file_id),
        R::Ioctl(r) if crate::cmd::ioctl_needs_file(r) => Some(r.file_id),
        R::QueryDirectory(r) => Some(r.file_id),
        R::ChangeNotify(r) => Some(r.file_id),
        R::QueryInfo(r) => Some(r.file_id),
        R::SetInfo(r) => Some(r.file_id),
        R::Ioctl(_)
        | R::Negotiate(_)
        | R::SessionSetup(_)
        | R::Logoff(_)
        | R::TreeConnect(_)
        | R::TreeDisconnect(_)
        | R::Create(_)
        | R::Cancel(_)
        | R::Echo(_)
        | R::OplockBreak(_) => None,
    }
}

/// Finds the open in the session's table and counts the operation in it.
fn resolve_open(
    core: &mut Core,
    chain_id: Id<Chain>,
    op_id: Id<Op>,
    element: &Element,
    command: Command,
    mut file_id: FileId,
) -> Result<(), Stop> {
    let related = element
        .header
        .flags
        .contains(HeaderFlags::RELATED_OPERATIONS);
    if related && let Some(chain) = core.chains.get(chain_id) {
        match chain.related.file {
            LastFile::Id(id) => {
                if file_id == FileId::RELATED {
                    file_id = id;
                }
            }
            LastFile::Failed(status) => return Err(status.into()),
            LastFile::None => {}
        }
    }
    let Some(op) = core.ops.get(op_id) else {
        return Ok(());
    };
    let (session, tree) = (op.session, op.tree);
    let conn = op.conn.and_then(|c| core.conns.get(c));
    let smb3 = conn
        .and_then(crate::core::Conn::dialect)
        .is_some_and(smb_proto::Dialect::is_smb3);
    let id: Id<Open> = Id::from_u64(file_id.volatile).ok_or(NtStatus::FILE_CLOSED)?;
    let open = core.opens.get_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
    let foreign = Some(open.session) != session || Some(open.tree) != tree;
    if open.file_id != file_id || (foreign && !mutated!(core, ForeignFileId)) || open.closing {
        return Err(NtStatus::FILE_CLOSED.into());
    }
    // What has been heard of will not be repeated (Open.IsReplayEligible).
    durable::used(core, id);
    let Some(open) = core.opens.get_mut(id) else {
        return Ok(());
    };
    if smb3 {
        // What was sent before a channel was lost must not undo what came after it (3.3.5.2.10).
        let header = &element.header;
        let repeated = header.flags.contains(HeaderFlags::REPLAY_OPERATION);
        let counted = open.sequence.enter(header.channel_sequence(), repeated);
        let changes = matches!(command, Command::Write | Command::SetInfo | Command::Ioctl);
        if counted.is_none() && changes {
            return Err(NtStatus::FILE_NOT_AVAILABLE.into());
        }
        if let Some(op) = core.ops.get_mut(op_id) {
            op.counted = counted.map(|c| (id, c));
        }
    }
    if command != Command::Close {
        open.running = open.running.saturating_add(1);
        if let Some(op) = core.ops.get_mut(op_id) {
            op.open = Some(id);
        }
    } else if let Some(op) = core.ops.get_mut(op_id) {
        // CLOSE is not counted: it waits for those that are.
        op.closing_open = Some(id);
    }
    Ok(())
}
