//! SECURITY_DESCRIPTOR in its self-relative form, [MS-DTYP] 2.4.6.

use bitflags::bitflags;

use super::{Acl, Sid};
use crate::ParseError;
use crate::wire::{Fields, Writer, len32, sub_slice};

bitflags! {
    /// Control, [MS-DTYP] 2.4.6.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SdControl: u16 {
        /// The owner came from a default.
        const OWNER_DEFAULTED = 0x0001;
        /// The group came from a default.
        const GROUP_DEFAULTED = 0x0002;
        /// A DACL is present, possibly a NULL one.
        const DACL_PRESENT = 0x0004;
        /// The DACL came from a default.
        const DACL_DEFAULTED = 0x0008;
        /// A SACL is present, possibly a NULL one.
        const SACL_PRESENT = 0x0010;
        /// The SACL came from a default.
        const SACL_DEFAULTED = 0x0020;
        /// DT.
        const DACL_TRUSTED = 0x0040;
        /// SS.
        const SERVER_SECURITY = 0x0080;
        /// The DACL shall be computed from the parent's when it is set.
        const DACL_INHERIT_REQ = 0x0100;
        /// The SACL shall be computed from the parent's when it is set.
        const SACL_INHERIT_REQ = 0x0200;
        /// The DACL was computed by inheritance.
        const DACL_AUTO_INHERITED = 0x0400;
        /// The SACL was computed by inheritance.
        const SACL_AUTO_INHERITED = 0x0800;
        /// The parent's DACL does not reach this object.
        const DACL_PROTECTED = 0x1000;
        /// The parent's SACL does not reach this object.
        const SACL_PROTECTED = 0x2000;
        /// Sbz1 is meaningful.
        const RM_CONTROL_VALID = 0x4000;
        /// Owner, group and lists follow the header at offsets.
        const SELF_RELATIVE = 0x8000;
    }
}

/// The flags that follow from the rest of a [`SecurityDescriptor`].
const IMPLIED: SdControl = SdControl::DACL_PRESENT
    .union(SdControl::SACL_PRESENT)
    .union(SdControl::SELF_RELATIVE);

/// One of the two lists of a descriptor. The difference between the first two matters: as a DACL,
/// [`AclSlot::Null`] grants everything to everyone; [`AclSlot::Absent`] says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum AclSlot {
    /// The descriptor has no such list (the PRESENT flag is clear).
    #[default]
    Absent,
    /// The PRESENT flag is set and the offset is zero.
    Null,
    /// A list.
    Acl(Acl),
}

impl AclSlot {
    /// The list, if there is one.
    #[must_use]
    pub fn acl(&self) -> Option<&Acl> {
        match self {
            Self::Acl(acl) => Some(acl),
            Self::Absent | Self::Null => None,
        }
    }

    fn parse(input: &[u8], present: bool, offset: u32) -> Result<Self, ParseError> {
        match (present, offset) {
            (false, _) => Ok(Self::Absent),
            (true, 0) => Ok(Self::Null),
            (true, _) => Acl::parse(at(input, offset)?).map(Self::Acl),
        }
    }

    fn encode(&self, offset_at: usize, start: usize, w: &mut Writer) {
        if let Self::Acl(acl) = self {
            w.patch_u32(offset_at, len32(w.position().saturating_sub(start)));
            acl.encode(w);
        }
    }
}

/// A security descriptor.
///
/// On the wire, self-relative: revision (1 byte, 1), Sbz1 (1), control (2), four offsets from the
/// start of the descriptor (4 each: owner, group, SACL, DACL; zero for none), then these parts in
/// any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SecurityDescriptor {
    /// Control flags other than DACL_PRESENT, SACL_PRESENT and SELF_RELATIVE: those follow from
    /// the other fields, are removed by the parser, and ignored and set anew by the encoder.
    pub control: SdControl,
    /// Owner, if present.
    pub owner: Option<Sid>,
    /// Primary group, if present.
    pub group: Option<Sid>,
    /// System list: auditing, integrity label, resource attributes.
    pub sacl: AclSlot,
    /// Discretionary list: who may do what.
    pub dacl: AclSlot,
}

/// The input from an offset in the header, which may not point into the header.
fn at(input: &[u8], offset: u32) -> Result<&[u8], ParseError> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let len = input.len().saturating_sub(start).max(1);
    sub_slice(
        input,
        start,
        len,
        SecurityDescriptor::HEADER_LEN,
        "SECURITY_DESCRIPTOR",
    )
}

impl SecurityDescriptor {
    /// Bytes of the fixed header.
    pub const HEADER_LEN: usize = 20;
    /// The longest descriptor that is read, in bytes. [MS-SMB2] sets no limit; Windows stores at
    /// most 64 KiB.
    pub const MAX_LEN: usize = 65_536;

    /// Reads a self-relative descriptor. The SELF_RELATIVE flag is not insisted on: there is no
    /// other form on the wire.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "SECURITY_DESCRIPTOR";
        if input.len() > Self::MAX_LEN {
            return Err(ParseError::TooMany(WHAT));
        }
        let mut f = Fields::new(input, WHAT);
        if f.u8()? != 1 {
            return Err(ParseError::BadStructure(WHAT));
        }
        f.skip(1)?;
        let control = SdControl::from_bits_retain(f.u16()?);
        let sid = |offset| match offset {
            0 => Ok(None),
            _ => at(input, offset).and_then(Sid::parse).map(Some),
        };
        let (owner, group, sacl, dacl) = (f.u32()?, f.u32()?, f.u32()?, f.u32()?);
        Ok(Self {
            control: control.difference(IMPLIED),
            owner: sid(owner)?,
            group: sid(group)?,
            sacl: AclSlot::parse(input, control.contains(SdControl::SACL_PRESENT), sacl)?,
            dacl: AclSlot::parse(input, control.contains(SdControl::DACL_PRESENT), dacl)?,
        })
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let sids = [&self.owner, &self.group].into_iter().flatten();
        let acls = [&self.sacl, &self.dacl]
            .into_iter()
            .filter_map(AclSlot::acl);
        sids.map(Sid::encoded_len)
            .chain(acls.map(Acl::encoded_len))
            .fold(Self::HEADER_LEN, usize::saturating_add)
    }

    /// Appends the descriptor; its offsets count from the writer's present position. Neither list
    /// may be longer than [`Acl::MAX_LEN`].
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        let field = |n: usize| start.saturating_add(n);
        let mut control = self.control.difference(IMPLIED) | SdControl::SELF_RELATIVE;
        control.set(
            SdControl::SACL_PRESENT,
            !matches!(self.sacl, AclSlot::Absent),
        );
        control.set(
            SdControl::DACL_PRESENT,
            !matches!(self.dacl, AclSlot::Absent),
        );
        w.u8(1);
        w.u8(0);
        w.u16(control.bits());
        w.zeros(16);
        for (sid, offset_at) in [(&self.owner, field(4)), (&self.group, field(8))] {
            if let Some(sid) = sid {
                w.patch_u32(offset_at, len32(w.position().saturating_sub(start)));
                sid.encode(w);
            }
        }
        self.sacl.encode(field(12), start, w);
        self.dacl.encode(field(16), start, w);
    }

    /// The descriptor as bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.written().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtyp::acl::tests::any_acl;
    use crate::dtyp::any_sid;
    use crate::dtyp::{AccessMask, Ace, AceFlags};
    use proptest::prelude::*;

    fn any_slot() -> impl Strategy<Value = AclSlot> {
        prop_oneof![
            Just(AclSlot::Absent),
            Just(AclSlot::Null),
            any_acl().prop_map(AclSlot::Acl)
        ]
    }

    fn any_sd() -> impl Strategy<Value = SecurityDescriptor> {
        (
            any::<u16>(),
            prop::option::of(any_sid()),
            prop::option::of(any_sid()),
            any_slot(),
            any_slot(),
        )
            .prop_map(|(control, owner, group, sacl, dacl)| SecurityDescriptor {
                control: SdControl::from_bits_retain(control).difference(IMPLIED),
                owner,
                group,
                sacl,
                dacl,
            })
    }

    #[test]
    fn absent_null_and_empty_lists_differ() {
        let sd = |dacl| SecurityDescriptor {
            dacl,
            ..SecurityDescriptor::default()
        };
        let absent = sd(AclSlot::Absent).to_vec();
        let null = sd(AclSlot::Null).to_vec();
        let empty = sd(AclSlot::Acl(Acl::new(vec![]))).to_vec();
        assert_eq!(absent[..4], [1, 0, 0, 0x80]);
        assert_eq!(null[..4], [1, 0, 4, 0x80]);
        assert_eq!((absent.len(), null.len(), empty.len()), (20, 20, 28));
        for bytes in [absent, null, empty] {
            let back = SecurityDescriptor::parse(&bytes).unwrap();
            assert_eq!(back.to_vec(), bytes);
        }
    }

    #[test]
    fn reads_parts_in_any_order() {
        // DACL first, then group, then owner.
        let mut wire = vec![1, 0, 4, 0x90];
        for offset in [60u32, 48, 0, 20] {
            wire.extend(offset.to_le_bytes());
        }
        wire.extend([2, 0, 28, 0, 1, 0, 0, 0]);
        wire.extend([0, 0, 20, 0, 0xff, 1, 0x1f, 0]);
        wire.extend([1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        wire.extend([1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]);
        wire.extend([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        assert_eq!(
            SecurityDescriptor::parse(&wire),
            Ok(SecurityDescriptor {
                control: SdControl::DACL_PROTECTED,
                owner: Some(Sid::BUILTIN_ADMINISTRATORS),
                group: Some(Sid::LOCAL_SYSTEM),
                sacl: AclSlot::Absent,
                dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(
                    Sid::WORLD,
                    AccessMask::FILE_ALL_ACCESS,
                    AceFlags::empty()
                )])),
            })
        );
    }

    #[test]
    fn offsets_stay_inside_and_behind_the_header() {
        let mut wire = SecurityDescriptor {
            owner: Some(Sid::WORLD),
            ..SecurityDescriptor::default()
        }
        .to_vec();
        for offset in [1, 19, 32, 33, u32::MAX] {
            wire[4..8].copy_from_slice(&offset.to_le_bytes());
            assert_eq!(
                SecurityDescriptor::parse(&wire),
                Err(ParseError::OutOfBounds("SECURITY_DESCRIPTOR")),
                "{offset}"
            );
        }
        wire[4..8].copy_from_slice(&22u32.to_le_bytes());
        assert!(SecurityDescriptor::parse(&wire).is_err());
        assert_eq!(
            SecurityDescriptor::parse(&vec![1; SecurityDescriptor::MAX_LEN + 1]),
            Err(ParseError::TooMany("SECURITY_DESCRIPTOR"))
        );
    }

    proptest! {
        #[test]
        fn round_trips(sd in any_sd()) {
            let bytes = sd.to_vec();
            prop_assert_eq!(bytes.len(), sd.encoded_len());
            prop_assert_eq!(SecurityDescriptor::parse(&bytes), Ok(sd));
            for n in 0..bytes.len() {
                prop_assert!(SecurityDescriptor::parse(&bytes[..n]).is_err());
            }
        }

        #[test]
        fn offsets_count_from_where_it_begins(sd in any_sd()) {
            let mut w = Writer::new();
            w.zeros(5);
            sd.encode(&mut w);
            prop_assert_eq!(&w.written()[5..], sd.to_vec());
        }
    }
}
