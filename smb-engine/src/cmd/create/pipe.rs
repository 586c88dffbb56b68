//! Opening a named pipe on IPC$, [MS-SMB2] 3.3.5.9 "named pipe".

use smb_proto::NtStatus;
use smb_proto::create_ctx::{MaximalAccessResponse, Requested};
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::msg::create::{ImpersonationLevel, Request};

use super::{CmdResult, Cx, commit, done, has_room, reply};
use crate::core::sequence::Sequence;
use crate::core::{Open, OpenKind};
use crate::pipe::Pipe;
use crate::status::Refusal;

/// Everything that can be done with a pipe: reading, writing, asking for its attributes.
const ALL: AccessMask = AccessMask::from_bits_retain(0x0012_019f);

/// Opens a pipe. Which users may use pipes at all is decided when they log on; what each may ask
/// is decided behind the pipe.
pub(super) fn open(cx: &mut Cx<'_>, r: &Request) -> CmdResult {
    if r.impersonation_level > ImpersonationLevel::DELEGATE {
        return Err(Refusal(NtStatus::BAD_IMPERSONATION_LEVEL));
    }
    if r.disposition().is_none() {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let contexts =
        Requested::from_raw(&r.contexts).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    if r.desired_access.is_empty() {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let mut granted = r
        .desired_access
        .difference(AccessMask::MAXIMUM_ALLOWED)
        .map_generic();
    if r.desired_access.contains(AccessMask::MAXIMUM_ALLOWED) {
        granted |= ALL;
    }
    has_room(cx.core)?;
    let pipe = Pipe::open(&r.name).ok_or(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND))?;
    let (session, tree) = (cx.session()?.0, cx.tree()?.0);
    let persistent = cx.core.next_persistent_id;
    cx.core.next_persistent_id = persistent.wrapping_add(1);
    let sequence = cx.header()?.channel_sequence();
    let id = cx.core.opens.insert(Open {
        file_id: FileId {
            persistent,
            volatile: 0,
        },
        session,
        tree,
        granted,
        kind: OpenKind::Pipe(Box::new(pipe)),
        running: 1,
        closing: false,
        disconnected: false,
        sequence: Sequence::new(sequence),
        closer: None,
    });
    commit::own(cx, id)?;
    let answer = contexts.maximal_access.map(|_| {
        MaximalAccessResponse {
            query_status: NtStatus::SUCCESS,
            maximal_access: ALL,
        }
        .to_raw()
    });
    let file_id = cx.open()?.1.file_id;
    done(reply::pipe(file_id, answer.into_iter().collect()))
}
