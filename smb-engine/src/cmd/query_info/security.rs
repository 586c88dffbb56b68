//! The security descriptor, [MS-SMB2] 3.3.5.20.3, [MS-FSA] 2.1.5.14.

use smb_proto::NtStatus;
use smb_proto::dtyp::{AccessMask, AclSlot, SdControl, SecurityDescriptor};
use smb_proto::info::SecurityInformation;
use smb_proto::msg::{error, query_info};

use super::super::{CmdResult, Cx, Outcome, WRONG_REPLY};
use super::{dialect, output, room, waits};
use crate::core::Wake;
use crate::status::Refusal;
use crate::vfs::{VfsOp, VfsReply, sacl_part};

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    parts: SecurityInformation,
    room: usize,
}

/// The rights that the parts need ([MS-FSA] 2.1.5.14).
fn wanted(parts: SecurityInformation) -> AccessMask {
    use SecurityInformation as S;
    let mut out = AccessMask::empty();
    if parts.intersects(S::OWNER | S::GROUP | S::DACL | S::LABEL | S::ATTRIBUTE | S::SCOPE) {
        out |= AccessMask::READ_CONTROL;
    }
    if parts.intersects(S::SACL) {
        out |= AccessMask::ACCESS_SYSTEM_SECURITY;
    }
    if parts.intersects(S::BACKUP) {
        out |= AccessMask::READ_CONTROL | AccessMask::ACCESS_SYSTEM_SECURITY;
    }
    out
}

pub(super) fn start(cx: &mut Cx<'_>, request: &query_info::Request) -> CmdResult {
    let handle = cx.file_open()?.handle;
    let parts = SecurityInformation::from_bits_retain(request.additional_information);
    let (_, open) = cx.open()?;
    if !open.granted.contains(wanted(parts)) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    cx.ask_vfs(VfsOp::Security { handle })?;
    Ok(waits(super::State::Security(State {
        parts,
        room: room(request),
    })))
}

pub(super) fn resume(cx: &Cx<'_>, state: &State, wake: Wake) -> CmdResult {
    let VfsReply::Security(whole) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    let bytes = cut(whole, state.parts).to_vec();
    if bytes.len() > state.room {
        let required = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let body = error::Response::buffer_too_small(required, dialect(cx));
        return Ok(Outcome::Error(NtStatus::BUFFER_TOO_SMALL, body).into());
    }
    Ok(output(bytes.into()).into())
}

/// The parts of a descriptor that were asked for; the control flags go with their parts.
fn cut(whole: SecurityDescriptor, parts: SecurityInformation) -> SecurityDescriptor {
    use SecurityInformation as S;
    let has = |part: SecurityInformation| parts.intersects(part | S::BACKUP);
    let mut control = whole.control;
    if !has(S::OWNER) {
        control.remove(SdControl::OWNER_DEFAULTED);
    }
    if !has(S::GROUP) {
        control.remove(SdControl::GROUP_DEFAULTED);
    }
    if !has(S::DACL) {
        control.remove(
            SdControl::DACL_DEFAULTED
                | SdControl::DACL_TRUSTED
                | SdControl::DACL_INHERIT_REQ
                | SdControl::DACL_AUTO_INHERITED
                | SdControl::DACL_PROTECTED,
        );
    }
    let of_sacl = S::SACL | S::LABEL | S::ATTRIBUTE | S::SCOPE;
    if !has(of_sacl) {
        control.remove(
            SdControl::SACL_DEFAULTED
                | SdControl::SACL_INHERIT_REQ
                | SdControl::SACL_AUTO_INHERITED
                | SdControl::SACL_PROTECTED,
        );
    }
    SecurityDescriptor {
        control,
        owner: whole.owner.filter(|_| has(S::OWNER)),
        group: whole.group.filter(|_| has(S::GROUP)),
        sacl: sacl_parts(whole.sacl, parts),
        dacl: if has(S::DACL) {
            whole.dacl
        } else {
            AclSlot::Absent
        },
    }
}

/// LABEL, ATTRIBUTE and SCOPE are entries of the SACL that have their own names and rights; SACL
/// means the others.
fn sacl_parts(slot: AclSlot, parts: SecurityInformation) -> AclSlot {
    use SecurityInformation as S;
    if !parts.intersects(S::SACL | S::LABEL | S::ATTRIBUTE | S::SCOPE | S::BACKUP) {
        return AclSlot::Absent;
    }
    match slot {
        AclSlot::Acl(mut acl) => {
            acl.aces
                .retain(|ace| parts.intersects(sacl_part(ace.kind) | S::BACKUP));
            AclSlot::Acl(acl)
        }
        AclSlot::Null => AclSlot::Null,
        AclSlot::Absent => AclSlot::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::dtyp::{Acl, Sid};

    #[test]
    fn rights_follow_the_parts() {
        use SecurityInformation as S;
        assert_eq!(wanted(S::empty()), AccessMask::empty());
        assert_eq!(wanted(S::OWNER | S::DACL), AccessMask::READ_CONTROL);
        assert_eq!(wanted(S::SACL), AccessMask::ACCESS_SYSTEM_SECURITY);
    }

    #[test]
    fn only_what_was_asked_for() {
        let whole = SecurityDescriptor {
            control: SdControl::DACL_PROTECTED | SdControl::SACL_PROTECTED,
            owner: Some(Sid::WORLD),
            group: Some(Sid::LOCAL_SYSTEM),
            sacl: AclSlot::Null,
            dacl: AclSlot::Acl(Acl::new(vec![])),
        };
        let owner = cut(whole.clone(), SecurityInformation::OWNER);
        assert_eq!(owner.owner, whole.owner);
        assert_eq!((owner.group, owner.dacl), (None, AclSlot::Absent));
        assert_eq!(owner.control, SdControl::empty());
        let dacl = cut(whole.clone(), SecurityInformation::DACL);
        assert_eq!(dacl.control, SdControl::DACL_PROTECTED);
        assert_eq!(cut(whole.clone(), SecurityInformation::BACKUP), whole);
    }
}
