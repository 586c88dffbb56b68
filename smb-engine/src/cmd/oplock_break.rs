//! OPLOCK_BREAK acknowledgments, [MS-SMB2] 3.3.5.22.

use smb_proto::NtStatus;
use smb_proto::msg::{self, oplock_break};

use super::{CmdResult, Cx};
use crate::core::breaks;
use crate::core::lease::LeaseOwner;
use crate::status::Refusal;
use crate::table::Id;

/// Enters an acknowledgment. One of an oplock that is not being broken answers
/// STATUS_INVALID_OPLOCK_PROTOCOL, as Windows and Samba do (3.3.5.22.1 names
/// STATUS_INVALID_DEVICE_STATE).
pub(super) fn start(cx: &mut Cx<'_>, request: &oplock_break::Request) -> CmdResult {
    let answer = match request {
        oplock_break::Message::Oplock(ack) => {
            let (session, _) = cx.session()?;
            let open = Id::from_u64(ack.file_id.volatile).filter(|id| {
                cx.core
                    .opens
                    .get(*id)
                    .is_some_and(|o| o.file_id == ack.file_id && o.session == session && !o.closing)
            });
            let open = open.ok_or(Refusal(NtStatus::FILE_CLOSED))?;
            let oplock_level = breaks::acknowledge_oplock(cx.core, open, ack.oplock_level)?;
            oplock_break::Message::Oplock(oplock_break::OplockBreak {
                oplock_level,
                file_id: ack.file_id,
            })
        }
        oplock_break::Message::LeaseAck(ack) => {
            let conn = cx.core.conns.get(cx.conn()?);
            let client = conn.and_then(|c| c.negotiated()).map(|n| n.client_guid);
            let client = client.ok_or(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND))?;
            let owner = LeaseOwner {
                client,
                key: ack.lease_key,
            };
            let lease_state = breaks::acknowledge_lease(cx.core, owner, ack.lease_state)?;
            oplock_break::Message::LeaseAck(oplock_break::LeaseBreakAck {
                lease_key: ack.lease_key,
                lease_state,
            })
        }
        oplock_break::Message::LeaseNotification(_) => {
            return Err(Refusal(NtStatus::INVALID_PARAMETER));
        }
    };
    Ok(msg::Response::OplockBreak(answer).into())
}
