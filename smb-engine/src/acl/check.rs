//! The access check, [MS-DTYP] 2.5.3.2, on plain values.

use smb_proto::dtyp::{AccessMask, AceBody, AceFlags, AceType, AclSlot, SecurityDescriptor, Sid};

use crate::identity::Identity;

/// Every right that `who` has by `sd`: the rights of FILE_ALL_ACCESS for which the algorithm of
/// [MS-DTYP] 2.5.3.2 says yes.
///
/// The algorithm takes one request and walks the list once; each right is decided by the first
/// entry that names it. So one walk that remembers what was decided answers all requests together.
///
/// ACCESS_SYSTEM_SECURITY never comes from a descriptor: it is a privilege.
pub(crate) fn maximal(sd: &SecurityDescriptor, who: &Identity) -> AccessMask {
    if who.admin {
        return AccessMask::FILE_ALL_ACCESS;
    }
    let acl = match &sd.dacl {
        // Without a list nothing is protected.
        AclSlot::Absent | AclSlot::Null => return AccessMask::FILE_ALL_ACCESS,
        AclSlot::Acl(acl) => acl,
    };
    let owner = sd.owner.as_ref().is_some_and(|o| is_one_of(who, o));
    let mut allowed = AccessMask::empty();
    let mut denied = AccessMask::empty();
    let limits_owner = acl
        .aces
        .iter()
        .any(|a| !a.flags.contains(AceFlags::INHERIT_ONLY) && a.sid() == Some(&Sid::OWNER_RIGHTS));
    if owner && !limits_owner {
        allowed |= AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
    }
    for ace in &acl.aces {
        if ace.flags.contains(AceFlags::INHERIT_ONLY) {
            continue;
        }
        let (mask, sid) = match &ace.body {
            AceBody::Plain { mask, sid, .. } => (*mask, sid),
            // A file has no parts; an entry about one does not speak of the file.
            AceBody::Object {
                mask,
                sid,
                object_type: None,
                ..
            } => (*mask, sid),
            AceBody::Object { .. } | AceBody::Opaque(_) => continue,
        };
        let speaks_of_us = is_one_of(who, sid) || (owner && *sid == Sid::OWNER_RIGHTS);
        if !speaks_of_us {
            continue;
        }
        let mask = mask.map_generic();
        match ace.kind {
            AceType::ACCESS_ALLOWED | AceType::ACCESS_ALLOWED_OBJECT => {
                allowed |= mask.difference(denied);
            }
            // The condition of a callback entry is not evaluated, which is UNKNOWN: that denies
            // where it can and allows nothing ([MS-DTYP] 2.5.3.1.5).
            AceType::ACCESS_DENIED
            | AceType::ACCESS_DENIED_OBJECT
            | AceType::ACCESS_DENIED_CALLBACK
            | AceType::ACCESS_DENIED_CALLBACK_OBJECT => denied |= mask.difference(allowed),
            // Audit, labels and attributes neither allow nor deny.
            AceType(_) => {}
        }
    }
    allowed & AccessMask::FILE_ALL_ACCESS
}

/// Whether access-based enumeration shows a file to `who` ([MS-SMB2] 2.2.10,
/// SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM): he may read all of it.
pub(crate) fn may_list(sd: &SecurityDescriptor, who: &Identity) -> bool {
    const READ: AccessMask = AccessMask::FILE_READ_DATA
        .union(AccessMask::FILE_READ_EA)
        .union(AccessMask::FILE_READ_ATTRIBUTES)
        .union(AccessMask::READ_CONTROL);
    maximal(sd, who).contains(READ)
}

/// Whether `sid` is the user or one of its groups. A host's user and group ids count as the SIDs
/// that stand for them (S-1-22-1-uid, S-1-22-2-gid), because a backend without better knowledge
/// names owners so.
pub(crate) fn is_one_of(who: &Identity, sid: &Sid) -> bool {
    if who.all_sids().any(|s| s == sid) {
        return true;
    }
    let Some((domain, rid)) = sid.split_rid() else {
        return false;
    };
    if domain == Sid::UNIX_USERS {
        who.uid == Some(rid)
    } else if domain == Sid::UNIX_GROUPS {
        who.gid == Some(rid) || who.host_groups.contains(&rid)
    } else {
        false
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::IdentityKind;
    use proptest::prelude::*;
    use smb_proto::dtyp::{Ace, Acl};

    const READ: AccessMask = AccessMask::FILE_GENERIC_READ;
    const WRITE: AccessMask = AccessMask::FILE_GENERIC_WRITE;
    const DOMAIN: Sid = Sid::domain(1, 2, 3);

    pub(crate) fn account(rid: u32) -> Sid {
        DOMAIN.with_rid(rid).unwrap()
    }

    pub(crate) fn user(rid: u32, groups: &[u32]) -> Identity {
        Identity {
            name: format!("u{rid}"),
            domain: "D".into(),
            kind: IdentityKind::User,
            sid: account(rid),
            groups: groups.iter().map(|g| account(*g)).collect(),
            uid: Some(rid),
            gid: None,
            host_groups: Vec::new(),
            admin: false,
        }
    }

    fn sd(owner: Sid, aces: Vec<Ace>) -> SecurityDescriptor {
        SecurityDescriptor {
            owner: Some(owner),
            dacl: AclSlot::Acl(Acl::new(aces)),
            ..SecurityDescriptor::default()
        }
    }

    fn allow(sid: Sid, mask: AccessMask) -> Ace {
        Ace::allow(sid, mask, AceFlags::empty())
    }

    fn deny(sid: Sid, mask: AccessMask) -> Ace {
        Ace::deny(sid, mask, AceFlags::empty())
    }

    #[test]
    fn the_table() {
        let owner_gets = AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
        let (me, other, group) = (account(7), account(8), account(70));
        let all = AccessMask::FILE_ALL_ACCESS;
        let inherit_only = |mut a: Ace| {
            a.flags = AceFlags::INHERIT_ONLY;
            a
        };
        for (owner, aces, expected) in [
            (other, vec![], AccessMask::empty()),
            (me, vec![], owner_gets),
            (other, vec![allow(me, READ)], READ),
            (
                other,
                vec![allow(group, READ), allow(me, WRITE)],
                READ | WRITE,
            ),
            (other, vec![allow(other, all)], AccessMask::empty()),
            (other, vec![allow(Sid::WORLD, READ)], READ),
            (other, vec![allow(me, AccessMask::GENERIC_ALL)], all),
            // the first entry that names a right decides it
            (
                other,
                vec![deny(group, WRITE), allow(me, all)],
                all.difference(WRITE),
            ),
            (other, vec![allow(me, all), deny(group, WRITE)], all),
            (
                other,
                vec![inherit_only(allow(me, all))],
                AccessMask::empty(),
            ),
            (
                other,
                vec![inherit_only(deny(me, all)), allow(me, READ)],
                READ,
            ),
            // rights of the owner cannot be denied away, but limited by OWNER RIGHTS
            (me, vec![deny(me, all)], owner_gets),
            (me, vec![allow(Sid::OWNER_RIGHTS, READ)], READ),
            (
                me,
                vec![deny(Sid::OWNER_RIGHTS, all), allow(me, READ)],
                AccessMask::empty(),
            ),
            (
                other,
                vec![allow(Sid::OWNER_RIGHTS, READ)],
                AccessMask::empty(),
            ),
            (
                me,
                vec![inherit_only(allow(Sid::OWNER_RIGHTS, READ))],
                owner_gets,
            ),
            // the host's name for the same user
            (
                other,
                vec![allow(Sid::UNIX_USERS.with_rid(7).unwrap(), READ)],
                READ,
            ),
            (
                other,
                vec![allow(Sid::UNIX_GROUPS.with_rid(7).unwrap(), READ)],
                AccessMask::empty(),
            ),
            (Sid::UNIX_USERS.with_rid(7).unwrap(), vec![], owner_gets),
        ] {
            let sd = sd(owner, aces);
            assert_eq!(maximal(&sd, &user(7, &[70])), expected, "{sd:?}");
        }
    }

    #[test]
    fn no_list_and_administrators() {
        let mut d = sd(account(8), vec![]);
        let mut who = user(7, &[]);
        assert_eq!(maximal(&d, &who), AccessMask::empty());
        for none in [AclSlot::Absent, AclSlot::Null] {
            d.dacl = none;
            assert_eq!(maximal(&d, &who), AccessMask::FILE_ALL_ACCESS);
        }
        d.dacl = AclSlot::Acl(Acl::new(vec![deny(
            Sid::WORLD,
            AccessMask::FILE_ALL_ACCESS,
        )]));
        who.admin = true;
        assert_eq!(maximal(&d, &who), AccessMask::FILE_ALL_ACCESS);
    }

    #[test]
    fn guests_are_not_authenticated() {
        let d = sd(account(8), vec![allow(Sid::AUTHENTICATED_USERS, READ)]);
        let mut who = user(7, &[]);
        assert_eq!(maximal(&d, &who), READ);
        who.kind = IdentityKind::Guest;
        assert_eq!(maximal(&d, &who), AccessMask::empty());
    }

    #[test]
    fn conditions_deny_and_do_not_allow() {
        let mut yes = allow(account(7), READ);
        yes.kind = AceType::ACCESS_ALLOWED_CALLBACK;
        let mut no = deny(account(7), WRITE);
        no.kind = AceType::ACCESS_DENIED_CALLBACK;
        let who = user(7, &[]);
        assert_eq!(
            maximal(&sd(account(8), vec![yes]), &who),
            AccessMask::empty()
        );
        let both = sd(
            account(8),
            vec![no, allow(account(7), AccessMask::FILE_ALL_ACCESS)],
        );
        assert_eq!(
            maximal(&both, &who),
            AccessMask::FILE_ALL_ACCESS.difference(WRITE)
        );
    }

    /// The pseudo-code of [MS-DTYP] 2.5.3.2 for one request, word for word.
    fn sequential(sd: &SecurityDescriptor, who: &Identity, desired: AccessMask) -> bool {
        let mut remaining = desired;
        let acl = sd.dacl.acl().unwrap();
        if sd.owner.as_ref().is_some_and(|o| is_one_of(who, o)) {
            remaining -= AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
        }
        for ace in &acl.aces {
            if ace.flags.contains(AceFlags::INHERIT_ONLY) || !is_one_of(who, ace.sid().unwrap()) {
                continue;
            }
            let mask = ace.mask().unwrap();
            if ace.kind == AceType::ACCESS_ALLOWED {
                remaining -= mask;
            } else if remaining.intersects(mask) {
                return false;
            }
        }
        remaining.is_empty()
    }

    proptest! {
        #[test]
        fn one_walk_answers_every_request(
            aces in prop::collection::vec((any::<bool>(), 6u32..9, any::<u32>(), any::<bool>()), 0..8),
            owner in 6u32..9,
            desired: u32,
        ) {
            let aces = aces.into_iter().map(|(yes, rid, mask, io)| {
                let mask = AccessMask::from_bits_retain(mask) & AccessMask::FILE_ALL_ACCESS;
                let flags = if io { AceFlags::INHERIT_ONLY } else { AceFlags::empty() };
                if yes {
                    Ace::allow(account(rid), mask, flags)
                } else {
                    Ace::deny(account(rid), mask, flags)
                }
            }).collect();
            let sd = sd(account(owner), aces);
            let who = user(7, &[6]);
            let desired = AccessMask::from_bits_retain(desired) & AccessMask::FILE_ALL_ACCESS;
            prop_assert_eq!(
                sequential(&sd, &who, desired),
                maximal(&sd, &who).contains(desired)
            );
        }
    }
}
