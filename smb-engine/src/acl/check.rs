//! The access check, [MS-DTYP] 2.5.3.2, on plain values.

use smb_proto::dtyp::{AccessMask, AceBody, AceFlags, AceType, AclSlot, SecurityDescriptor, Sid};

use super::label;
use crate::identity::Identity;

/// Every right that `who` has by `sd`: the rights of FILE_ALL_ACCESS for which the algorithm of
/// [MS-DTYP] 2.5.3.2 says yes.
///
/// The algorithm takes one request and walks the list once; each right is decided by the first
/// entry that names it. So one walk that remembers what was decided answers all requests together.
///
/// What the mandatory label forbids, no list gives ([MS-DTYP] 2.5.3.3). SeTakeOwnershipPrivilege
/// gives WRITE_OWNER whatever the descriptor says. ACCESS_SYSTEM_SECURITY never comes from a
/// descriptor: it is a privilege.
pub(crate) fn maximal(sd: &SecurityDescriptor, who: &Identity) -> AccessMask {
    if who.admin {
        return AccessMask::FILE_ALL_ACCESS;
    }
    let mut rights = by_list(sd, who) & label::leaves(sd, who);
    if who.is_administrator() {
        rights |= AccessMask::WRITE_OWNER;
    }
    rights
}

/// What the DACL gives, with what the owner has in any case.
fn by_list(sd: &SecurityDescriptor, who: &Identity) -> AccessMask {
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

    /// The pseudo-code of [MS-DTYP] 2.5.3.2 for one request without privileges, step by step:
    /// `None` in place of a right is MAXIMUM_ALLOWED, which gathers what is granted.
    fn by_the_book(
        sd: &SecurityDescriptor,
        who: &Identity,
        desired: Option<AccessMask>,
    ) -> AccessMask {
        let held = |sid: &Sid| is_one_of(who, sid);
        let acl = sd.dacl.acl().unwrap();
        let owner = sd.owner.as_ref().is_some_and(held);
        let mut remaining = desired.unwrap_or(AccessMask::FILE_ALL_ACCESS);
        let (mut granted, mut denied) = (AccessMask::empty(), AccessMask::empty());
        let in_force = |a: &&Ace| !a.flags.contains(AceFlags::INHERIT_ONLY);
        let limited = acl
            .aces
            .iter()
            .filter(in_force)
            .any(|a| a.sid() == Some(&Sid::OWNER_RIGHTS));
        if owner && !limited {
            let implied = AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
            remaining -= implied;
            granted |= implied;
        }
        for ace in acl.aces.iter().filter(in_force) {
            let sid = ace.sid().unwrap();
            let applies = held(sid) || (*sid == Sid::OWNER_RIGHTS && owner);
            let mask = ace.mask().unwrap().map_generic();
            let applies_denying = applies && ace.kind != AceType::ACCESS_ALLOWED_CALLBACK;
            match ace.kind {
                AceType::ACCESS_ALLOWED if applies => {
                    remaining -= mask;
                    granted |= mask.difference(denied);
                }
                AceType::ACCESS_DENIED | AceType::ACCESS_DENIED_CALLBACK if applies_denying => {
                    if desired.is_some() && remaining.intersects(mask) {
                        return AccessMask::empty();
                    }
                    denied |= mask.difference(granted);
                }
                _ => {}
            }
        }
        match desired {
            Some(desired) if remaining.is_empty() => desired,
            Some(_) => AccessMask::empty(),
            None => granted & AccessMask::FILE_ALL_ACCESS,
        }
    }

    /// One of the entries that a generated list is made of.
    fn any_ace() -> impl Strategy<Value = Ace> {
        let sids = [
            account(6),
            account(7),
            account(8),
            Sid::WORLD,
            Sid::OWNER_RIGHTS,
            Sid::CREATOR_OWNER,
            Sid::AUTHENTICATED_USERS,
            Sid::UNIX_USERS.with_rid(7).unwrap(),
        ];
        let kinds = [
            AceType::ACCESS_ALLOWED,
            AceType::ACCESS_ALLOWED,
            AceType::ACCESS_DENIED,
            AceType::ACCESS_ALLOWED_CALLBACK,
            AceType::ACCESS_DENIED_CALLBACK,
            AceType::SYSTEM_AUDIT,
        ];
        let mask = prop_oneof![
            any::<u32>(),
            (0u32..21).prop_map(|bit| 1 << bit),
            (28u32..32).prop_map(|bit| 1 << bit),
        ];
        let of = prop::sample::select(sids.to_vec());
        (of, prop::sample::select(kinds.to_vec()), mask, 0u8..32).prop_map(
            |(sid, kind, mask, flags)| Ace {
                kind,
                ..Ace::allow(
                    sid,
                    AccessMask::from_bits_retain(mask),
                    AceFlags::from_bits_retain(flags),
                )
            },
        )
    }

    proptest! {
        #[test]
        fn one_walk_answers_every_request(
            aces in prop::collection::vec(any_ace(), 0..8),
            owner in 6u32..9,
            desired: u32,
            guest: bool,
        ) {
            let sd = sd(account(owner), aces);
            let mut who = user(7, &[6]);
            if guest {
                who.kind = IdentityKind::Guest;
            }
            let all = maximal(&sd, &who);
            prop_assert_eq!(by_the_book(&sd, &who, None), all);
            for desired in (0..21).map(|bit| 1 << bit).chain([desired]) {
                let desired = AccessMask::from_bits_retain(desired) & AccessMask::FILE_ALL_ACCESS;
                let granted = by_the_book(&sd, &who, Some(desired));
                prop_assert_eq!(granted.contains(desired), all.contains(desired), "{:?}", desired);
            }
        }

        /// What an entry more denies is never more, and what it allows never less.
        #[test]
        fn entries_in_front_are_monotonous(
            aces in prop::collection::vec(any_ace(), 0..8),
            mask: u32,
        ) {
            let who = user(7, &[6]);
            let mask = AccessMask::from_bits_retain(mask);
            let before = maximal(&sd(account(8), aces.clone()), &who);
            let with = |ace| {
                let list = [vec![ace], aces.clone()].concat();
                maximal(&sd(account(8), list), &who)
            };
            prop_assert!(before.contains(with(deny(Sid::WORLD, mask))));
            prop_assert!(with(allow(Sid::WORLD, mask)).contains(before));
        }

        /// Entries that speak of others, and those for heirs alone, change nothing.
        #[test]
        fn other_peoples_entries_change_nothing(
            aces in prop::collection::vec(any_ace(), 0..8),
            at in 0usize..8,
            mut other in any_ace(),
        ) {
            let who = user(7, &[6]);
            match &mut other.body {
                AceBody::Plain { sid, .. } if at % 2 == 0 => *sid = account(99),
                _ => other.flags |= AceFlags::INHERIT_ONLY,
            }
            let mut more = aces.clone();
            more.insert(at.min(more.len()), other);
            prop_assert_eq!(
                maximal(&sd(account(7), more), &who),
                maximal(&sd(account(7), aces), &who)
            );
        }
    }

    #[test]
    fn privileges_of_administrators() {
        let mut who = user(7, &[]);
        let nothing = sd(account(8), vec![]);
        assert_eq!(maximal(&nothing, &who), AccessMask::empty());
        who.groups.push(Sid::BUILTIN_ADMINISTRATORS);
        assert_eq!(maximal(&nothing, &who), AccessMask::WRITE_OWNER);
    }
}
