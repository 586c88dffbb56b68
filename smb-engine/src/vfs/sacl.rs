//! The parts of a SACL that have names of their own.

use smb_proto::dtyp::{AceType, Acl, AclSlot};
use smb_proto::info::SecurityInformation;

/// The part of a descriptor that an entry of a SACL belongs to ([MS-DTYP] 2.4.7): labels, attributes
/// and scopes are asked for and set by themselves, each with a right of its own.
#[must_use]
pub fn sacl_part(kind: AceType) -> SecurityInformation {
    match kind {
        AceType::SYSTEM_MANDATORY_LABEL => SecurityInformation::LABEL,
        AceType::SYSTEM_RESOURCE_ATTRIBUTE => SecurityInformation::ATTRIBUTE,
        AceType::SYSTEM_SCOPED_POLICY_ID => SecurityInformation::SCOPE,
        AceType(_) => SecurityInformation::SACL,
    }
}

/// The SACL after `parts` of it were set from `given`: entries of other parts stay, and entries in
/// `given` of other parts count for nothing.
#[must_use]
pub fn sacl_with(present: &AclSlot, given: &AclSlot, parts: SecurityInformation) -> AclSlot {
    let set = |kind| parts.intersects(sacl_part(kind));
    let of = |slot: &AclSlot, wanted: bool| {
        let aces = slot.acl().into_iter().flat_map(|acl| &acl.aces);
        aces.filter(|ace| set(ace.kind) == wanted)
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut aces = of(given, true);
    aces.extend(of(present, false));
    match given {
        AclSlot::Absent | AclSlot::Null if aces.is_empty() => given.clone(),
        AclSlot::Absent | AclSlot::Null | AclSlot::Acl(_) => AclSlot::Acl(Acl::new(aces)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Sid};

    #[test]
    fn parts_do_not_touch_each_other() {
        use SecurityInformation as S;
        let ace = |kind, bit| Ace {
            kind,
            ..Ace::allow(
                Sid::WORLD,
                AccessMask::from_bits_retain(bit),
                AceFlags::empty(),
            )
        };
        let list = |aces: &[&Ace]| AclSlot::Acl(Acl::new(aces.iter().copied().cloned().collect()));
        let (audit, audit2) = (ace(AceType::SYSTEM_AUDIT, 1), ace(AceType::SYSTEM_AUDIT, 2));
        let (label, label2) = (
            ace(AceType::SYSTEM_MANDATORY_LABEL, 1),
            ace(AceType::SYSTEM_MANDATORY_LABEL, 2),
        );
        let present = list(&[&audit, &label]);
        let given = list(&[&audit2, &label2]);
        for (parts, expected) in [
            (S::SACL | S::LABEL, list(&[&audit2, &label2])),
            (S::LABEL, list(&[&label2, &audit])),
            (S::SACL, list(&[&audit2, &label])),
            (S::SCOPE, list(&[&audit, &label])),
        ] {
            assert_eq!(sacl_with(&present, &given, parts), expected, "{parts:?}");
        }
        let none = AclSlot::Absent;
        assert_eq!(sacl_with(&present, &none, S::SACL), list(&[&label]));
        assert_eq!(sacl_with(&present, &none, S::SACL | S::LABEL), none);
        let null = AclSlot::Null;
        assert_eq!(sacl_with(&none, &null, S::SACL), null);
    }
}
