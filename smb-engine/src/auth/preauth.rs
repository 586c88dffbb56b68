//! The pre-authentication integrity hash, [MS-SMB2] 3.3.5.4 and 3.3.5.5.

use smb_proto::{Command, NtStatus};

use crate::core::{ConnState, Core, Op};
use crate::output::ConnId;

/// An answer to NEGOTIATE or SESSION_SETUP is about to leave as `bytes`: it enters the hash of the
/// connection, or that of the authentication it belongs to. The answer that ends an authentication
/// is not part of its hash.
pub(crate) fn on_answer(core: &mut Core, conn: ConnId, op: &Op, status: NtStatus, bytes: &[u8]) {
    match op.header.command() {
        Some(Command::Negotiate) => {
            if let Some(c) = core.conns.get_mut(conn)
                && let ConnState::Negotiated(n) = &mut c.state
                && let Some(hash) = &mut n.preauth
            {
                hash.update(bytes);
            }
        }
        Some(Command::SessionSetup) if status == NtStatus::MORE_PROCESSING_REQUIRED => {
            let session = core.session_by_wire(op.header.session_id).map(|(id, _)| id);
            if let Some(setup) = session
                .and_then(|id| core.sessions.get_mut(id))
                .and_then(|s| s.setups.get_mut(&conn))
                && let Some(hash) = &mut setup.preauth
            {
                hash.update(bytes);
            }
        }
        _ => {}
    }
}
