//! The security descriptor, [MS-SMB2] 3.3.5.21.3, [MS-FSA] 2.1.5.17.

use smb_proto::dtyp::{AccessMask, AclSlot, SdControl, SecurityDescriptor};
use smb_proto::info::SecurityInformation;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::set_info;
use smb_proto::{NtStatus, ParseError};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{change, done, needs, waits};
use crate::acl::{inherit, label};
use crate::core::Wake;
use crate::status::Refusal;
use crate::vfs::{Capabilities, VfsOp, VfsReply};

/// A descriptor whose owner may only stay who it is: waits for the present one.
#[derive(Debug)]
pub(crate) struct State {
    parts: SecurityInformation,
    descriptor: Box<SecurityDescriptor>,
}

/// The rights that the parts need ([MS-FSA] 2.1.5.17).
fn wanted(parts: SecurityInformation) -> AccessMask {
    use SecurityInformation as S;
    let mut out = AccessMask::empty();
    if parts.intersects(S::OWNER | S::GROUP | S::LABEL | S::BACKUP) {
        out |= AccessMask::WRITE_OWNER;
    }
    if parts.intersects(S::DACL | S::ATTRIBUTE | S::BACKUP) {
        out |= AccessMask::WRITE_DAC;
    }
    if parts.intersects(S::SACL | S::SCOPE | S::BACKUP) {
        out |= AccessMask::ACCESS_SYSTEM_SECURITY;
    }
    out
}

/// A descriptor that cannot be read, by the part that is wrong.
fn malformed(error: ParseError) -> Refusal {
    Refusal(match error.context() {
        "SID" => NtStatus::INVALID_SID,
        "ACL" | "ACE" => NtStatus::INVALID_ACL,
        _ => NtStatus::INVALID_SECURITY_DESCR,
    })
}

pub(super) fn start(cx: &mut Cx<'_>, request: &set_info::Request) -> CmdResult {
    let handle = cx.file_open()?.handle;
    let parts = SecurityInformation::from_bits_retain(request.additional_information);
    needs(cx, wanted(parts))?;
    let (_, tree) = cx.tree()?;
    let share = tree
        .disk()
        .filter(|s| s.capabilities.contains(Capabilities::SECURITY));
    let canonical = share
        .ok_or(Refusal(NtStatus::NOT_SUPPORTED))?
        .canonical_inherited;
    let given = SecurityDescriptor::parse(&request.buffer).map_err(malformed)?;
    let (parts, descriptor) = stored(given, parts, canonical);
    if parts.is_empty() {
        return Ok(done());
    }
    let by = &cx.file_open()?.by;
    if parts.contains(SecurityInformation::LABEL) && !label::may_give(&descriptor, by) {
        return Err(Refusal(NtStatus::PRIVILEGE_NOT_HELD));
    }
    if let Some(owner) = &descriptor.owner
        && !inherit::may_own(by, owner)
    {
        cx.ask_vfs(VfsOp::Security { handle })?;
        return waits(super::State::Security(State {
            parts,
            descriptor: Box::new(descriptor),
        }));
    }
    set(cx, parts, descriptor)
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    let VfsReply::Security(present) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    // [MS-DTYP] 2.5.3.4.1: nobody gives a file away, but writing back what is there is fine.
    if present.owner != state.descriptor.owner {
        return Err(Refusal(NtStatus::INVALID_OWNER));
    }
    set(cx, state.parts, *state.descriptor)
}

fn set(cx: &mut Cx<'_>, parts: SecurityInformation, descriptor: SecurityDescriptor) -> CmdResult {
    let handle = cx.file_open()?.handle;
    change(
        cx,
        VfsOp::SetSecurity {
            handle,
            parts,
            descriptor,
        },
        CompletionFilter::SECURITY,
    )
}

/// What is stored of a descriptor: the parts that were named and are there. An owner or group that
/// is named but missing is left as it is, as Samba does; a list that is named but missing protects
/// nothing any more.
fn stored(
    mut given: SecurityDescriptor,
    mut parts: SecurityInformation,
    canonical: bool,
) -> (SecurityInformation, SecurityDescriptor) {
    use SecurityInformation as S;
    if parts.contains(S::BACKUP) {
        parts |= S::OWNER | S::GROUP | S::DACL | S::SACL | S::LABEL | S::ATTRIBUTE | S::SCOPE;
        parts.remove(S::BACKUP);
    }
    let of_sacl = S::SACL | S::LABEL | S::ATTRIBUTE | S::SCOPE;
    if !parts.contains(S::OWNER) || given.owner.is_none() {
        parts.remove(S::OWNER);
        given.owner = None;
    }
    if !parts.contains(S::GROUP) || given.group.is_none() {
        parts.remove(S::GROUP);
        given.group = None;
    }
    if !parts.contains(S::DACL) {
        given.dacl = AclSlot::Absent;
    } else if given.dacl == AclSlot::Absent {
        given.dacl = AclSlot::Null;
    }
    if !parts.intersects(of_sacl) {
        given.sacl = AclSlot::Absent;
    }
    if let AclSlot::Acl(acl) = &mut given.dacl {
        inherit::map_generic(acl);
    }
    let mut control = given.control;
    // The flags of the request and those of the descriptor say the same thing; the request wins.
    for (yes, no, flag) in [
        (
            S::PROTECTED_DACL,
            S::UNPROTECTED_DACL,
            SdControl::DACL_PROTECTED,
        ),
        (
            S::PROTECTED_SACL,
            S::UNPROTECTED_SACL,
            SdControl::SACL_PROTECTED,
        ),
    ] {
        if parts.contains(yes) {
            control.insert(flag);
        } else if parts.contains(no) {
            control.remove(flag);
        }
    }
    given.control = kept(
        control,
        parts.contains(S::DACL),
        parts.intersects(of_sacl),
        canonical,
    );
    let known = S::OWNER | S::GROUP | S::DACL | of_sacl;
    (parts & known, given)
}

/// The control flags that stay: AUTO_INHERITED only together with the request for it
/// ([MS-DTYP] 2.5.3.4.1) unless the share says otherwise; the request itself does not stay.
fn kept(given: SdControl, dacl: bool, sacl: bool, canonical: bool) -> SdControl {
    let mut out = SdControl::empty();
    for (set, protected, request, done) in [
        (
            dacl,
            SdControl::DACL_PROTECTED,
            SdControl::DACL_INHERIT_REQ,
            SdControl::DACL_AUTO_INHERITED,
        ),
        (
            sacl,
            SdControl::SACL_PROTECTED,
            SdControl::SACL_INHERIT_REQ,
            SdControl::SACL_AUTO_INHERITED,
        ),
    ] {
        if !set {
            continue;
        }
        out |= given & protected;
        if !canonical || given.contains(request) {
            out |= given & done;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::dtyp::{Ace, AceFlags, Acl, Sid};

    fn given() -> SecurityDescriptor {
        SecurityDescriptor {
            control: SdControl::DACL_AUTO_INHERITED
                | SdControl::DACL_INHERIT_REQ
                | SdControl::DACL_PROTECTED
                | SdControl::OWNER_DEFAULTED,
            owner: Some(Sid::WORLD),
            group: None,
            sacl: AclSlot::Null,
            dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(
                Sid::WORLD,
                AccessMask::GENERIC_READ,
                AceFlags::empty(),
            )])),
        }
    }

    #[test]
    fn rights_follow_the_parts() {
        use SecurityInformation as S;
        assert_eq!(wanted(S::OWNER | S::GROUP), AccessMask::WRITE_OWNER);
        assert_eq!(wanted(S::DACL), AccessMask::WRITE_DAC);
        assert_eq!(wanted(S::SACL), AccessMask::ACCESS_SYSTEM_SECURITY);
    }

    #[test]
    fn only_what_was_named_and_is_there() {
        use SecurityInformation as S;
        let (parts, sd) = stored(given(), S::DACL | S::GROUP, true);
        assert_eq!(parts, S::DACL);
        assert_eq!((sd.owner, sd.sacl), (None, AclSlot::Absent));
        assert_eq!(
            sd.control,
            SdControl::DACL_AUTO_INHERITED | SdControl::DACL_PROTECTED
        );
        let acl = sd.dacl.acl().unwrap();
        assert_eq!(acl.aces[0].mask(), Some(AccessMask::FILE_GENERIC_READ));
        let (parts, sd) = stored(given(), S::OWNER, true);
        assert_eq!((parts, sd.dacl), (S::OWNER, AclSlot::Absent));
        assert_eq!(sd.control, SdControl::empty());
    }

    #[test]
    fn automatic_inheritance_needs_its_request() {
        use SecurityInformation as S;
        let mut sd = given();
        sd.control.remove(SdControl::DACL_INHERIT_REQ);
        let (_, canonical) = stored(sd.clone(), S::DACL | S::UNPROTECTED_DACL, true);
        assert_eq!(canonical.control, SdControl::empty());
        let (_, verbatim) = stored(sd, S::DACL | S::UNPROTECTED_DACL, false);
        assert_eq!(verbatim.control, SdControl::DACL_AUTO_INHERITED);
    }
}
