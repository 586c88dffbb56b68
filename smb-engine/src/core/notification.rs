//! Messages that no request asked for: notifications of breaks ([MS-SMB2] 3.3.4.6, 3.3.4.7).

use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{MessageId, SessionId, TreeId};
use smb_proto::msg::{self, oplock_break};
use smb_proto::{Command, Header, NtStatus};

use super::{Core, Open};
use crate::output::{Answer, Body, ConnId, Outbound, Output};
use crate::table::Id;

/// A connection on which the client of an open can be told something: the one it was opened on, or
/// another channel of its session.
fn channel(core: &Core, open: &Open) -> Option<ConnId> {
    let session = core.sessions.get(open.session)?;
    let opened_on = open.file()?.conn;
    if mutated!(core, BreakMisdirected) {
        return core.conns.ids().into_iter().next_back();
    }
    let alive = |conn: &ConnId| core.conns.get(*conn).is_some_and(|c| !c.closing);
    let mut channels = std::iter::once(&opened_on).chain(session.channels.keys());
    channels
        .find(|c| session.channels.contains_key(c) && alive(c))
        .copied()
}

/// Sends a notification: no MessageId that a client could have used, neither session nor tree
/// connect, not signed; encrypted where the session or the share is ([MS-SMB2] 3.3.4.6, 3.3.4.7). Says
/// on which connection, if there is one.
pub(super) fn send(core: &mut Core, open: Id<Open>, body: oplock_break::Message) -> Option<ConnId> {
    let row = core.opens.get(open)?;
    let conn = channel(core, row)?;
    let (session, tree) = (row.session, row.tree);
    let shared = core.trees.get(tree).is_some_and(|t| t.encryption_required);
    let session = core.sessions.get_mut(session)?;
    let secret = shared || session.established().is_some_and(|e| e.encrypt);
    let seal = if secret { session.seal_plan() } else { None };
    if secret && seal.is_none() {
        return None;
    }
    let header = Header {
        credit_charge: 0,
        status: NtStatus::SUCCESS,
        command_code: Command::OplockBreak.into(),
        credits: 0,
        flags: HeaderFlags::SERVER_TO_REDIR,
        next_command: 0,
        message_id: MessageId(u64::MAX),
        route: Route::Sync {
            process_id: 0,
            tree_id: TreeId(0),
        },
        session_id: SessionId(0),
        signature: [0; 16],
    };
    let answer = Answer {
        header,
        body: Body::Message(msg::Response::OplockBreak(body)),
        sign: None,
    };
    core.emit(Output::Send(
        conn,
        Outbound {
            elements: vec![answer],
            seal,
        },
    ));
    Some(conn)
}
