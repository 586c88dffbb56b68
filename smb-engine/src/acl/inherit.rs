//! What a new file or directory inherits, [MS-DTYP] 2.5.3.4.

use smb_proto::NtStatus;
use smb_proto::dtyp::{
    AccessMask, Ace, AceBody, AceFlags, AceType, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};

use super::check::is_one_of;
use crate::identity::Identity;

const INHERIT: AceFlags = AceFlags::OBJECT_INHERIT.union(AceFlags::CONTAINER_INHERIT);

/// The descriptor of something new in a directory, from what the creator gave (if anything) and
/// from the directory's descriptor ([MS-DTYP] 2.5.3.4.1). `None`: neither says anything, the host
/// makes one.
///
/// Owner and group stay those of the creator ([MS-FSA] 2.1.5.1.1 asks for no
/// DEFAULT_OWNER_FROM_PARENT).
///
/// # Errors
/// STATUS_BAD_INHERITANCE_ACL: it would be longer than a descriptor can be. Leaving entries out
/// could let in who is to stay out.
pub(crate) fn for_new(
    given: Option<&SecurityDescriptor>,
    parent: &SecurityDescriptor,
    who: &Identity,
    directory: bool,
) -> Result<Option<SecurityDescriptor>, NtStatus> {
    let made = combined(given, parent, who, directory);
    let fits = |sd: &SecurityDescriptor| {
        let dacl = sd.dacl.acl().map_or(0, Acl::encoded_len);
        dacl <= Acl::MAX_LEN && sd.encoded_len() <= SecurityDescriptor::MAX_LEN
    };
    if made.as_ref().is_some_and(|sd| !fits(sd)) {
        return Err(NtStatus::BAD_INHERITANCE_ACL);
    }
    Ok(made)
}

fn combined(
    given: Option<&SecurityDescriptor>,
    parent: &SecurityDescriptor,
    who: &Identity,
    directory: bool,
) -> Option<SecurityDescriptor> {
    let owner = given.and_then(|g| g.owner).unwrap_or(who.sid);
    let group = given
        .and_then(|g| g.group)
        .unwrap_or_else(|| primary_group(who));
    let heir = Heir {
        owner: &owner,
        group: &group,
        directory,
    };
    let inherited = heir.inherits(
        &parent.dacl,
        parent.control & SdControl::DACL_AUTO_INHERITED,
    );
    let (sacl, sacl_control) = new_sacl(given, parent, who, &heir);
    // A list that the creator gave as a default only, is one only where nothing is inherited.
    let given_dacl = given
        .filter(|g| inherited.is_none() || !g.control.contains(SdControl::DACL_DEFAULTED))
        .map(|g| (&g.dacl, kept_control(g.control)));
    let (dacl, control) = match (given_dacl, inherited) {
        (Some((AclSlot::Acl(acl), control)), _) => {
            let mut acl = acl.clone();
            map_generic(&mut acl);
            (AclSlot::Acl(acl), control)
        }
        (Some((AclSlot::Null, control)), _) => (AclSlot::Null, control),
        (_, Some(acl)) => {
            let auto = parent.control & SdControl::DACL_AUTO_INHERITED;
            (AclSlot::Acl(acl), auto)
        }
        (None, None) if sacl == AclSlot::Absent => return None,
        (None, None) => (AclSlot::Acl(default_dacl(&owner)), SdControl::empty()),
        (Some((AclSlot::Absent, control)), None) => {
            let g = given?;
            if g.owner.is_none() && g.group.is_none() && sacl == AclSlot::Absent {
                return None;
            }
            (AclSlot::Acl(default_dacl(&owner)), control)
        }
    };
    Some(SecurityDescriptor {
        control: control | sacl_control,
        owner: Some(owner),
        group: Some(group),
        sacl,
        dacl,
    })
}

/// The audit list and label of something new: what the creator gave, if he may, else what the
/// directory hands on.
fn new_sacl(
    given: Option<&SecurityDescriptor>,
    parent: &SecurityDescriptor,
    who: &Identity,
    heir: &Heir<'_>,
) -> (AclSlot, SdControl) {
    // Setting an audit list takes a privilege.
    let given = given.filter(|g| who.is_administrator() && g.sacl != AclSlot::Absent);
    if let Some(g) = given {
        return (g.sacl.clone(), g.control & SdControl::SACL_PROTECTED);
    }
    let auto = parent.control & SdControl::SACL_AUTO_INHERITED;
    match heir.inherits(&parent.sacl, auto) {
        Some(acl) => (AclSlot::Acl(acl), auto),
        None => (AclSlot::Absent, SdControl::empty()),
    }
}

/// Whether `who` may make `owner` the owner of something: itself or one of its groups
/// ([MS-DTYP] 2.5.3.4.1, STATUS_INVALID_OWNER).
pub(crate) fn may_own(who: &Identity, owner: &Sid) -> bool {
    who.is_administrator() || is_one_of(who, owner)
}

/// Replaces generic rights by what they mean for files, in the entries that speak of the object
/// itself; what is only inherited keeps them ([MS-DTYP] 2.5.3.4.3).
pub(crate) fn map_generic(acl: &mut Acl) {
    for ace in &mut acl.aces {
        if !ace.flags.contains(AceFlags::INHERIT_ONLY) {
            set_mask(ace, AccessMask::map_generic);
        }
    }
}

/// What of the control flags is stored: AUTO_INHERITED only together with the request for it
/// ([MS-DTYP] 2.5.3.4.1).
fn kept_control(given: SdControl) -> SdControl {
    let mut kept = given & SdControl::DACL_PROTECTED;
    if given.contains(SdControl::DACL_INHERIT_REQ) {
        kept |= given & SdControl::DACL_AUTO_INHERITED;
    }
    kept
}

fn primary_group(who: &Identity) -> Sid {
    let host = || Sid::UNIX_GROUPS.with_rid(who.gid?);
    who.groups.first().copied().or_else(host).unwrap_or(who.sid)
}

/// What the token of a Windows user would give: everything to the owner and to the system.
fn default_dacl(owner: &Sid) -> Acl {
    Acl::new(
        [*owner, Sid::LOCAL_SYSTEM]
            .map(|sid| Ace::allow(sid, AccessMask::FILE_ALL_ACCESS, AceFlags::empty()))
            .into(),
    )
}

/// Something new that inherits.
struct Heir<'a> {
    owner: &'a Sid,
    group: &'a Sid,
    directory: bool,
}

impl Heir<'_> {
    /// What is inherited of a list of the directory ([MS-DTYP] 2.5.3.4.4, ComputeInheritedACLfromParent);
    /// `None` if nothing in it is. `auto`: the directory takes part in automatic inheritance, in
    /// which entries are marked as inherited.
    fn inherits(&self, list: &AclSlot, auto: SdControl) -> Option<Acl> {
        let mark = if auto.is_empty() {
            AceFlags::empty()
        } else {
            AceFlags::INHERITED
        };
        let mut aces = Vec::new();
        for ace in &list.acl()?.aces {
            if self.directory {
                self.for_directory(ace, mark, &mut aces);
            } else if ace.flags.contains(AceFlags::OBJECT_INHERIT) {
                aces.push(effective(ace, self.owner, self.group, mark));
            }
        }
        (!aces.is_empty()).then(|| Acl::new(aces))
    }

    fn for_directory(&self, ace: &Ace, mark: AceFlags, out: &mut Vec<Ace>) {
        const AUDIT: AceFlags = AceFlags::SUCCESSFUL_ACCESS.union(AceFlags::FAILED_ACCESS);
        let passes_on = !ace.flags.contains(AceFlags::NO_PROPAGATE_INHERIT);
        let kept = ace.flags & (INHERIT | AUDIT);
        if ace.flags.contains(AceFlags::CONTAINER_INHERIT) {
            let mine = effective(ace, self.owner, self.group, mark);
            if !passes_on {
                out.push(mine);
            } else if mine.body == ace.body {
                out.push(Ace {
                    flags: kept | mark,
                    ..mine
                });
            } else {
                // What it means here differs from what is passed on: two entries.
                out.push(mine);
                out.push(Ace {
                    flags: kept | AceFlags::INHERIT_ONLY | mark,
                    ..ace.clone()
                });
            }
        } else if ace.flags.contains(AceFlags::OBJECT_INHERIT) && passes_on {
            out.push(Ace {
                flags: kept | AceFlags::INHERIT_ONLY | mark,
                ..ace.clone()
            });
        }
    }
}

/// The entry as it applies to the new object: generic rights mapped, CREATOR OWNER and CREATOR
/// GROUP replaced, nothing passed on.
fn effective(ace: &Ace, owner: &Sid, group: &Sid, mark: AceFlags) -> Ace {
    let mut mine = ace.clone();
    mine.flags = mark | (ace.flags & (AceFlags::SUCCESSFUL_ACCESS | AceFlags::FAILED_ACCESS));
    if ace.kind != AceType::SYSTEM_MANDATORY_LABEL {
        set_mask(&mut mine, AccessMask::map_generic);
    }
    match &mut mine.body {
        AceBody::Plain { sid, .. } | AceBody::Object { sid, .. } => {
            if *sid == Sid::CREATOR_OWNER {
                *sid = *owner;
            } else if *sid == Sid::CREATOR_GROUP {
                *sid = *group;
            }
        }
        AceBody::Opaque(_) => {}
    }
    mine
}

fn set_mask(ace: &mut Ace, f: impl FnOnce(AccessMask) -> AccessMask) {
    match &mut ace.body {
        AceBody::Plain { mask, .. } | AceBody::Object { mask, .. } => *mask = f(*mask),
        AceBody::Opaque(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::{account, user};
    use super::*;

    const OI: AceFlags = AceFlags::OBJECT_INHERIT;
    const CI: AceFlags = AceFlags::CONTAINER_INHERIT;
    const NP: AceFlags = AceFlags::NO_PROPAGATE_INHERIT;
    const IO: AceFlags = AceFlags::INHERIT_ONLY;
    const NONE: AceFlags = AceFlags::empty();
    const WRITE: AccessMask = AccessMask::FILE_WRITE_DATA;

    fn parent(aces: Vec<Ace>) -> SecurityDescriptor {
        SecurityDescriptor {
            owner: Some(account(1)),
            dacl: AclSlot::Acl(Acl::new(aces)),
            ..SecurityDescriptor::default()
        }
    }

    fn child(parent: &SecurityDescriptor, directory: bool) -> Option<Vec<Ace>> {
        let sd = for_new(None, parent, &user(7, &[70]), directory).unwrap()?;
        assert_eq!(sd.owner, Some(account(7)));
        assert_eq!(sd.group, Some(account(70)));
        Some(sd.dacl.acl().unwrap().aces.clone())
    }

    /// The combinations of flags that Windows was measured with by Samba's tests.
    #[test]
    fn flags() {
        for (given, file, directory) in [
            (NONE, None, None),
            (OI, Some(NONE), Some(OI | IO)),
            (CI, None, Some(CI)),
            (OI | CI, Some(NONE), Some(OI | CI)),
            (NP, None, None),
            (NP | OI, Some(NONE), None),
            (NP | CI, None, Some(NONE)),
            (NP | OI | CI, Some(NONE), Some(NONE)),
            (IO, None, None),
            (IO | OI, Some(NONE), Some(OI | IO)),
            (IO | CI, None, Some(CI)),
            (IO | OI | CI, Some(NONE), Some(OI | CI)),
            (IO | NP, None, None),
            (IO | NP | OI, Some(NONE), None),
            (IO | NP | CI, None, Some(NONE)),
            (IO | NP | OI | CI, Some(NONE), Some(NONE)),
        ] {
            let p = parent(vec![Ace::allow(account(3), WRITE, given)]);
            for (directory, expected) in [(false, file), (true, directory)] {
                let expected = expected.map(|f| vec![Ace::allow(account(3), WRITE, f)]);
                assert_eq!(child(&p, directory), expected, "{given:?} {directory}");
            }
        }
    }

    #[test]
    fn creators_and_generic_rights_are_resolved() {
        let p = parent(vec![
            Ace::allow(Sid::CREATOR_OWNER, AccessMask::GENERIC_ALL, OI | CI | IO),
            Ace::allow(Sid::CREATOR_GROUP, WRITE, CI),
        ]);
        let mine = Ace::allow(account(7), AccessMask::FILE_ALL_ACCESS, NONE);
        assert_eq!(child(&p, false), Some(vec![mine.clone()]));
        assert_eq!(
            child(&p, true),
            Some(vec![
                mine,
                Ace::allow(Sid::CREATOR_OWNER, AccessMask::GENERIC_ALL, OI | CI | IO),
                Ace::allow(account(70), WRITE, NONE),
                Ace::allow(Sid::CREATOR_GROUP, WRITE, CI | IO),
            ])
        );
    }

    #[test]
    fn automatic_inheritance_is_marked() {
        let mut p = parent(vec![Ace::allow(account(3), WRITE, OI)]);
        p.control = SdControl::DACL_AUTO_INHERITED | SdControl::DACL_PROTECTED;
        let sd = for_new(None, &p, &user(7, &[]), false).unwrap().unwrap();
        assert_eq!(sd.control, SdControl::DACL_AUTO_INHERITED);
        assert_eq!(sd.dacl.acl().unwrap().aces[0].flags, AceFlags::INHERITED);
    }

    #[test]
    fn what_the_creator_gives_comes_first() {
        let who = user(7, &[]);
        let p = parent(vec![Ace::allow(account(3), WRITE, OI)]);
        let own = parent(vec![Ace::allow(account(9), AccessMask::GENERIC_READ, NONE)]);
        let sd = for_new(Some(&own), &p, &who, false).unwrap().unwrap();
        assert_eq!(sd.owner, Some(account(1)));
        assert_eq!(
            sd.dacl.acl().unwrap().aces,
            [Ace::allow(account(9), AccessMask::FILE_GENERIC_READ, NONE)]
        );
        // a NULL list is one, an absent one is not
        let mut null = SecurityDescriptor::default();
        let sd = for_new(Some(&null), &p, &who, false).unwrap().unwrap();
        assert_eq!(sd.dacl.acl().unwrap().aces.len(), 1);
        null.dacl = AclSlot::Null;
        let sd = for_new(Some(&null), &p, &who, false).unwrap().unwrap();
        assert_eq!(sd.dacl, AclSlot::Null);
        // nothing to say and nothing to inherit
        let empty = SecurityDescriptor::default();
        assert_eq!(
            for_new(Some(&empty), &parent(vec![]), &who, false),
            Ok(None)
        );
        let owned = SecurityDescriptor {
            owner: Some(account(7)),
            ..SecurityDescriptor::default()
        };
        let sd = for_new(Some(&owned), &parent(vec![]), &who, false)
            .unwrap()
            .unwrap();
        assert_eq!(sd.dacl.acl().unwrap().aces.len(), 2);
    }

    #[test]
    fn audit_lists_and_labels_are_inherited() {
        let audit = |flags| Ace {
            kind: AceType::SYSTEM_AUDIT,
            ..Ace::allow(Sid::WORLD, WRITE, flags | AceFlags::FAILED_ACCESS)
        };
        let label = |flags| Ace {
            kind: AceType::SYSTEM_MANDATORY_LABEL,
            ..Ace::allow(Sid::MANDATORY_MEDIUM, AccessMask::FILE_READ_DATA, flags)
        };
        let mut p = parent(vec![Ace::allow(account(3), WRITE, OI | CI)]);
        p.sacl = AclSlot::Acl(Acl::new(vec![audit(CI), audit(NONE), label(OI | CI)]));
        p.control = SdControl::SACL_AUTO_INHERITED;
        let new = |directory| {
            for_new(None, &p, &user(7, &[]), directory)
                .unwrap()
                .unwrap()
        };
        let file = new(false);
        assert_eq!(file.sacl.acl().unwrap().aces, [label(AceFlags::INHERITED)]);
        assert_eq!(file.control, SdControl::SACL_AUTO_INHERITED);
        assert_eq!(file.dacl.acl().unwrap().aces[0].flags, NONE);
        let directory = new(true);
        assert_eq!(
            directory.sacl.acl().unwrap().aces,
            [
                audit(CI | AceFlags::INHERITED),
                label(OI | CI | AceFlags::INHERITED)
            ]
        );
        // Only who holds the privilege gives something else.
        let given = SecurityDescriptor {
            sacl: AclSlot::Acl(Acl::new(vec![audit(NONE)])),
            ..SecurityDescriptor::default()
        };
        let mut who = user(7, &[]);
        let made = for_new(Some(&given), &p, &who, false).unwrap().unwrap();
        assert_eq!(made.sacl, file.sacl);
        who.groups.push(Sid::BUILTIN_ADMINISTRATORS);
        let made = for_new(Some(&given), &p, &who, false).unwrap().unwrap();
        assert_eq!(made.sacl, given.sacl);
    }

    #[test]
    fn a_default_gives_way_to_what_is_inherited() {
        let who = user(7, &[]);
        let mut own = parent(vec![Ace::allow(account(9), WRITE, NONE)]);
        own.control = SdControl::DACL_DEFAULTED;
        let inheritable = parent(vec![Ace::allow(account(3), WRITE, OI)]);
        let whose = |p: &SecurityDescriptor| {
            let made = for_new(Some(&own), p, &who, false).unwrap().unwrap();
            *made.dacl.acl().unwrap().aces[0].sid().unwrap()
        };
        assert_eq!(whose(&inheritable), account(3));
        assert_eq!(whose(&parent(vec![])), account(9));
    }

    #[test]
    fn owners() {
        let mut who = user(7, &[70]);
        assert!(may_own(&who, &account(7)) && may_own(&who, &account(70)));
        assert!(!may_own(&who, &account(8)));
        who.admin = true;
        assert!(may_own(&who, &account(8)));
    }
}
