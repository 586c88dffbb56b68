//! OPLOCK_BREAK acknowledgments, [MS-SMB2] 3.3.5.22.

use smb_proto::NtStatus;
use smb_proto::msg::oplock_break;

use super::{CmdResult, Cx};
use crate::status::Refusal;

/// No oplock or lease is ever granted here, so every acknowledgment is out of place: one of an
/// oplock answers STATUS_INVALID_OPLOCK_PROTOCOL (3.3.5.22.1) if it names an open and
/// STATUS_FILE_CLOSED if not, one of a lease STATUS_OBJECT_NAME_NOT_FOUND, since no lease has that
/// key (3.3.5.22.2).
pub(super) fn start(cx: &Cx<'_>, request: &oplock_break::Request) -> CmdResult {
    let status = match request {
        oplock_break::Message::Oplock(ack) => {
            let (session, _) = cx.session()?;
            let known = crate::table::Id::from_u64(ack.file_id.volatile)
                .and_then(|id| cx.core.opens.get(id))
                .is_some_and(|o| o.file_id == ack.file_id && o.session == session && !o.closing);
            if known {
                NtStatus::INVALID_OPLOCK_PROTOCOL
            } else {
                NtStatus::FILE_CLOSED
            }
        }
        oplock_break::Message::LeaseAck(_) => NtStatus::OBJECT_NAME_NOT_FOUND,
        oplock_break::Message::LeaseNotification(_) => NtStatus::INVALID_PARAMETER,
    };
    Err(Refusal(status))
}
