//! Mandatory integrity labels, [MS-DTYP] 2.5.3.3.

use smb_proto::dtyp::{AccessMask, AceFlags, AceType, AclSlot, SecurityDescriptor, Sid};

use crate::identity::{Identity, IdentityKind};

/// The policy of a label ([MS-DTYP] 2.4.4.13, Mask).
const NO_WRITE_UP: u32 = 1;
const NO_READ_UP: u32 = 2;
const NO_EXECUTE_UP: u32 = 4;

/// Integrity levels: the last part of S-1-16-x ([MS-DTYP] 2.4.2.4).
const UNTRUSTED: u32 = 0;
const LOW: u32 = 0x1000;
const MEDIUM: u32 = 0x2000;
const HIGH: u32 = 0x3000;

/// The level of a label in force, with its policy; `None` if the object has none.
fn of_object(sd: &SecurityDescriptor) -> Option<(u32, u32)> {
    let AclSlot::Acl(sacl) = &sd.sacl else {
        return None;
    };
    let label = sacl.aces.iter().find(|ace| {
        ace.kind == AceType::SYSTEM_MANDATORY_LABEL && !ace.flags.contains(AceFlags::INHERIT_ONLY)
    })?;
    let (authority, level) = label.sid()?.split_rid()?;
    let is_label = Some(authority) == Sid::MANDATORY_MEDIUM.split_rid().map(|(a, _)| a);
    is_label.then_some((level, label.mask()?.bits()))
}

/// The level of a user, as Windows takes it from the groups of a token: administrators high,
/// authenticated users medium, everyone else low, anonymous untrusted.
fn of_user(who: &Identity) -> u32 {
    if who.is_administrator() {
        return HIGH;
    }
    match who.kind {
        IdentityKind::System => HIGH,
        IdentityKind::User => MEDIUM,
        IdentityKind::Guest => LOW,
        IdentityKind::Anonymous => UNTRUSTED,
    }
}

/// The rights that the object's label leaves for the DACL to give.
///
/// An object without label leaves everything: on Windows it counts as medium with NO_WRITE_UP, which
/// would keep guests from writing to shares that are there for guests.
pub(super) fn leaves(sd: &SecurityDescriptor, who: &Identity) -> AccessMask {
    let Some((level, policy)) = of_object(sd) else {
        return AccessMask::FILE_ALL_ACCESS;
    };
    if of_user(who) >= level || policy & (NO_WRITE_UP | NO_READ_UP | NO_EXECUTE_UP) == 0 {
        return AccessMask::FILE_ALL_ACCESS;
    }
    let mut left = AccessMask::empty();
    for (forbids, rights) in [
        (NO_READ_UP, AccessMask::FILE_GENERIC_READ),
        (NO_WRITE_UP, AccessMask::FILE_GENERIC_WRITE),
        (NO_EXECUTE_UP, AccessMask::FILE_GENERIC_EXECUTE),
    ] {
        if policy & forbids == 0 {
            left |= rights;
        }
    }
    left
}

/// Whether `who` may give this label: nobody gives one above his own without SeRelabelPrivilege.
pub(crate) fn may_give(sd: &SecurityDescriptor, who: &Identity) -> bool {
    of_object(sd).is_none_or(|(level, _)| level <= of_user(who))
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::user;
    use super::*;
    use smb_proto::dtyp::{Ace, AceBody, Acl};

    fn labelled(level: u32, policy: u32, flags: AceFlags) -> SecurityDescriptor {
        let (authority, _) = Sid::MANDATORY_MEDIUM.split_rid().unwrap();
        let label = Ace {
            kind: AceType::SYSTEM_MANDATORY_LABEL,
            flags,
            body: AceBody::Plain {
                mask: AccessMask::from_bits_retain(policy),
                sid: authority.with_rid(level).unwrap(),
                data: Vec::new(),
            },
        };
        SecurityDescriptor {
            sacl: AclSlot::Acl(Acl::new(vec![label])),
            ..SecurityDescriptor::default()
        }
    }

    #[test]
    fn labels_limit_who_is_below_them() {
        use AccessMask as A;
        let all = A::FILE_ALL_ACCESS;
        let (read, write, execute) = (
            A::FILE_GENERIC_READ,
            A::FILE_GENERIC_WRITE,
            A::FILE_GENERIC_EXECUTE,
        );
        for (level, policy, left) in [
            (LOW, 7, all),
            (MEDIUM, 7, all),
            (HIGH, 0, all),
            (HIGH, NO_WRITE_UP, read | execute),
            (HIGH, NO_READ_UP, write | execute),
            (HIGH, NO_WRITE_UP | NO_READ_UP, execute),
            (HIGH, 7, A::empty()),
        ] {
            let sd = labelled(level, policy, AceFlags::empty());
            assert_eq!(leaves(&sd, &user(7, &[])), left, "{level:x} {policy}");
            assert_eq!(may_give(&sd, &user(7, &[])), level <= MEDIUM);
        }
        let heirs = labelled(HIGH, 7, AceFlags::INHERIT_ONLY);
        assert_eq!(leaves(&heirs, &user(7, &[])), all);
        assert_eq!(leaves(&SecurityDescriptor::default(), &user(7, &[])), all);
    }

    #[test]
    fn levels_of_users() {
        let mut who = user(7, &[]);
        let sd = labelled(MEDIUM, NO_WRITE_UP, AceFlags::empty());
        let writes = |who: &Identity| leaves(&sd, who).contains(AccessMask::FILE_WRITE_DATA);
        assert!(writes(&who));
        who.kind = IdentityKind::Guest;
        assert!(!writes(&who));
        who.groups.push(Sid::BUILTIN_ADMINISTRATORS);
        assert!(writes(&who));
        assert!(may_give(&labelled(HIGH, 1, AceFlags::empty()), &who));
    }
}
