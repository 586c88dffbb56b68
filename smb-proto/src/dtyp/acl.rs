//! ACE and ACL, [MS-DTYP] 2.4.4 and 2.4.5: lists of who may do what.

use bitflags::bitflags;

use super::{AccessMask, Guid, Sid};
use crate::ParseError;
use crate::wire::{Fields, Writer, len16};

/// AceType, [MS-DTYP] 2.4.4.1. A number that the specification does not name is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AceType(pub u8);

#[allow(
    missing_docs,
    reason = "the names are those of [MS-DTYP] 2.4.4.1 without _ACE_TYPE"
)]
impl AceType {
    pub const ACCESS_ALLOWED: Self = Self(0x00);
    pub const ACCESS_DENIED: Self = Self(0x01);
    pub const SYSTEM_AUDIT: Self = Self(0x02);
    pub const SYSTEM_ALARM: Self = Self(0x03);
    pub const ACCESS_ALLOWED_COMPOUND: Self = Self(0x04);
    pub const ACCESS_ALLOWED_OBJECT: Self = Self(0x05);
    pub const ACCESS_DENIED_OBJECT: Self = Self(0x06);
    pub const SYSTEM_AUDIT_OBJECT: Self = Self(0x07);
    pub const SYSTEM_ALARM_OBJECT: Self = Self(0x08);
    pub const ACCESS_ALLOWED_CALLBACK: Self = Self(0x09);
    pub const ACCESS_DENIED_CALLBACK: Self = Self(0x0a);
    pub const ACCESS_ALLOWED_CALLBACK_OBJECT: Self = Self(0x0b);
    pub const ACCESS_DENIED_CALLBACK_OBJECT: Self = Self(0x0c);
    pub const SYSTEM_AUDIT_CALLBACK: Self = Self(0x0d);
    pub const SYSTEM_ALARM_CALLBACK: Self = Self(0x0e);
    pub const SYSTEM_AUDIT_CALLBACK_OBJECT: Self = Self(0x0f);
    pub const SYSTEM_ALARM_CALLBACK_OBJECT: Self = Self(0x10);
    pub const SYSTEM_MANDATORY_LABEL: Self = Self(0x11);
    pub const SYSTEM_RESOURCE_ATTRIBUTE: Self = Self(0x12);
    pub const SYSTEM_SCOPED_POLICY_ID: Self = Self(0x13);
}

/// How the body of an ACE of some type is laid out.
enum Layout {
    /// Mask, SID, then data ([MS-DTYP] 2.4.4.2 and those like it).
    Plain,
    /// Mask, flags, up to two GUIDs, SID, then data ([MS-DTYP] 2.4.4.3 and those like it).
    Object,
    /// Reserved or not known.
    Opaque,
}

impl AceType {
    fn layout(self) -> Layout {
        match self {
            Self::ACCESS_ALLOWED
            | Self::ACCESS_DENIED
            | Self::SYSTEM_AUDIT
            | Self::SYSTEM_ALARM
            | Self::ACCESS_ALLOWED_CALLBACK
            | Self::ACCESS_DENIED_CALLBACK
            | Self::SYSTEM_AUDIT_CALLBACK
            | Self::SYSTEM_ALARM_CALLBACK
            | Self::SYSTEM_MANDATORY_LABEL
            | Self::SYSTEM_RESOURCE_ATTRIBUTE
            | Self::SYSTEM_SCOPED_POLICY_ID => Layout::Plain,
            Self::ACCESS_ALLOWED_OBJECT
            | Self::ACCESS_DENIED_OBJECT
            | Self::SYSTEM_AUDIT_OBJECT
            | Self::SYSTEM_ALARM_OBJECT
            | Self::ACCESS_ALLOWED_CALLBACK_OBJECT
            | Self::ACCESS_DENIED_CALLBACK_OBJECT
            | Self::SYSTEM_AUDIT_CALLBACK_OBJECT
            | Self::SYSTEM_ALARM_CALLBACK_OBJECT => Layout::Object,
            Self(_) => Layout::Opaque,
        }
    }
}

bitflags! {
    /// AceFlags, [MS-DTYP] 2.4.4.1.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AceFlags: u8 {
        /// Files in the directory inherit the entry.
        const OBJECT_INHERIT = 0x01;
        /// Directories in the directory inherit the entry.
        const CONTAINER_INHERIT = 0x02;
        /// What inherits the entry does not pass it on.
        const NO_PROPAGATE_INHERIT = 0x04;
        /// The entry is only for inheritance and says nothing of this object.
        const INHERIT_ONLY = 0x08;
        /// The entry was inherited.
        const INHERITED = 0x10;
        /// An audit entry speaks of granted access.
        const SUCCESSFUL_ACCESS = 0x40;
        /// An audit entry speaks of refused access.
        const FAILED_ACCESS = 0x80;
        const _ = !0;
    }
}

/// What an entry says, by the shape of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum AceBody {
    /// All types about the whole object.
    Plain {
        /// Rights allowed, denied or audited; policy bits of a mandatory label.
        mask: AccessMask,
        /// Whose.
        sid: Sid,
        /// What follows the SID: the condition of a callback entry, a resource attribute; else
        /// empty, or padding that the sender put there. Its length is a multiple of four.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        data: Vec<u8>,
    },
    /// The types about a part of a directory-service object.
    Object {
        /// Rights allowed, denied or audited.
        mask: AccessMask,
        /// ObjectType, if present.
        object_type: Option<Guid>,
        /// InheritedObjectType, if present.
        inherited_object_type: Option<Guid>,
        /// Whose.
        sid: Sid,
        /// As in [`AceBody::Plain`].
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        data: Vec<u8>,
    },
    /// Everything after the header of a type that is reserved or not known; its length is a
    /// multiple of four.
    Opaque(Vec<u8>),
}

/// One access control entry.
///
/// On the wire ([MS-DTYP] 2.4.4.1): type (1 byte), flags (1), size of the whole entry (2, a
/// multiple of four), body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Ace {
    /// AceType. It must be of the shape of `body`.
    pub kind: AceType,
    /// AceFlags.
    pub flags: AceFlags,
    /// The rest.
    pub body: AceBody,
}

const ACE_HEADER: usize = 4;
const ACL_HEADER: usize = 8;
const OBJECT_TYPE_PRESENT: u32 = 1;
const INHERITED_OBJECT_TYPE_PRESENT: u32 = 2;

impl Ace {
    /// An ACCESS_ALLOWED_ACE.
    #[must_use]
    pub fn allow(sid: Sid, mask: AccessMask, flags: AceFlags) -> Self {
        Self::plain(AceType::ACCESS_ALLOWED, sid, mask, flags)
    }

    /// An ACCESS_DENIED_ACE.
    #[must_use]
    pub fn deny(sid: Sid, mask: AccessMask, flags: AceFlags) -> Self {
        Self::plain(AceType::ACCESS_DENIED, sid, mask, flags)
    }

    fn plain(kind: AceType, sid: Sid, mask: AccessMask, flags: AceFlags) -> Self {
        Self {
            kind,
            flags,
            body: AceBody::Plain {
                mask,
                sid,
                data: Vec::new(),
            },
        }
    }

    /// Whom the entry speaks of; `None` for an opaque one.
    #[must_use]
    pub fn sid(&self) -> Option<&Sid> {
        match &self.body {
            AceBody::Plain { sid, .. } | AceBody::Object { sid, .. } => Some(sid),
            AceBody::Opaque(_) => None,
        }
    }

    /// The rights it speaks of; `None` for an opaque one.
    #[must_use]
    pub fn mask(&self) -> Option<AccessMask> {
        match &self.body {
            AceBody::Plain { mask, .. } | AceBody::Object { mask, .. } => Some(*mask),
            AceBody::Opaque(_) => None,
        }
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let body = match &self.body {
            AceBody::Plain { sid, data, .. } => sid
                .encoded_len()
                .saturating_add(data.len())
                .saturating_add(4),
            AceBody::Object {
                object_type,
                inherited_object_type,
                sid,
                data,
                ..
            } => {
                let guids = usize::from(object_type.is_some())
                    .saturating_add(usize::from(inherited_object_type.is_some()));
                sid.encoded_len()
                    .saturating_add(data.len())
                    .saturating_add(guids.saturating_mul(16))
                    .saturating_add(8)
            }
            AceBody::Opaque(data) => data.len(),
        };
        body.saturating_add(ACE_HEADER)
            .checked_next_multiple_of(4)
            .unwrap_or(usize::MAX)
    }

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let kind = AceType(f.u8()?);
        let flags = AceFlags::from_bits_retain(f.u8()?);
        let size = usize::from(f.u16()?);
        if size & 3 != 0 {
            return Err(ParseError::Misaligned("ACE"));
        }
        let body_len = size
            .checked_sub(ACE_HEADER)
            .ok_or(ParseError::OutOfBounds("ACE"))?;
        let mut b = Fields::new(f.bytes(body_len)?, "ACE");
        let body = match kind.layout() {
            Layout::Plain => AceBody::Plain {
                mask: AccessMask::from_bits_retain(b.u32()?),
                sid: Sid::read(&mut b)?,
                data: b.rest().to_vec(),
            },
            Layout::Object => {
                let mask = AccessMask::from_bits_retain(b.u32()?);
                let present = b.u32()?;
                let mut guid = |bit| match present & bit {
                    0 => Ok(None),
                    _ => b.guid().map(Some),
                };
                let object_type = guid(OBJECT_TYPE_PRESENT)?;
                let inherited_object_type = guid(INHERITED_OBJECT_TYPE_PRESENT)?;
                AceBody::Object {
                    mask,
                    object_type,
                    inherited_object_type,
                    sid: Sid::read(&mut b)?,
                    data: b.rest().to_vec(),
                }
            }
            Layout::Opaque => AceBody::Opaque(b.rest().to_vec()),
        };
        Ok(Self { kind, flags, body })
    }

    /// Appends the entry, padded to four bytes.
    pub fn encode(&self, w: &mut Writer) {
        let len = self.encoded_len();
        let end = w.position().saturating_add(len);
        w.u8(self.kind.0);
        w.u8(self.flags.bits());
        w.u16(len16(len));
        match &self.body {
            AceBody::Plain { mask, sid, data } => {
                w.u32(mask.bits());
                sid.encode(w);
                w.bytes(data);
            }
            AceBody::Object {
                mask,
                object_type,
                inherited_object_type,
                sid,
                data,
            } => {
                w.u32(mask.bits());
                let mut present = 0;
                if object_type.is_some() {
                    present |= OBJECT_TYPE_PRESENT;
                }
                if inherited_object_type.is_some() {
                    present |= INHERITED_OBJECT_TYPE_PRESENT;
                }
                w.u32(present);
                for guid in [object_type, inherited_object_type].into_iter().flatten() {
                    w.guid(*guid);
                }
                sid.encode(w);
                w.bytes(data);
            }
            AceBody::Opaque(data) => w.bytes(data),
        }
        w.zeros(end.saturating_sub(w.position()));
    }
}

/// An access control list.
///
/// On the wire ([MS-DTYP] 2.4.5): revision (1 byte), zero (1), size of the whole list (2), number
/// of entries (2), zero (2), entries. Room between the last entry and the end of the list is
/// allowed and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Acl {
    /// AclRevision: 2, or 4 if object entries may be in it.
    pub revision: u8,
    /// The entries, in the order in which they are checked.
    pub aces: Vec<Ace>,
}

impl Acl {
    /// The largest list that its 16-bit size field can describe, in bytes.
    pub const MAX_LEN: usize = 65_532;

    /// A list of these entries, with the revision that they need ([MS-DTYP] 2.4.5).
    #[must_use]
    pub fn new(aces: Vec<Ace>) -> Self {
        let objects = aces
            .iter()
            .any(|a| matches!(a.body, AceBody::Object { .. }));
        Self {
            revision: if objects { 4 } else { 2 },
            aces,
        }
    }

    /// Bytes on the wire. More than [`Self::MAX_LEN`] cannot be encoded.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.aces
            .iter()
            .fold(ACL_HEADER, |sum, ace| sum.saturating_add(ace.encoded_len()))
    }

    /// Reads the list at the start of `input`; what follows it is not looked at.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "ACL");
        let revision = f.u8()?;
        if !matches!(revision, 2..=4) {
            return Err(ParseError::BadStructure("ACL"));
        }
        f.skip(1)?;
        let size = usize::from(f.u16()?);
        let count = usize::from(f.u16()?);
        f.skip(2)?;
        let body_len = size
            .checked_sub(ACL_HEADER)
            .ok_or(ParseError::OutOfBounds("ACL"))?;
        let mut body = Fields::new(f.bytes(body_len)?, "ACL");
        if count > body_len / ACE_HEADER {
            return Err(ParseError::TooMany("ACL"));
        }
        let aces = (0..count)
            .map(|_| Ace::read(&mut body))
            .collect::<Result<_, _>>()?;
        Ok(Self { revision, aces })
    }

    /// Appends the list. It must not be longer than [`Self::MAX_LEN`].
    pub fn encode(&self, w: &mut Writer) {
        w.u8(self.revision);
        w.u8(0);
        w.u16(len16(self.encoded_len()));
        w.u16(len16(self.aces.len()));
        w.u16(0);
        for ace in &self.aces {
            ace.encode(w);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dtyp::any_sid;
    use proptest::prelude::*;

    fn padded() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<[u8; 4]>(), 0..4).prop_map(|v| v.concat())
    }

    fn any_ace() -> impl Strategy<Value = Ace> {
        (
            any::<u8>(),
            any::<u8>(),
            any::<u32>(),
            any_sid(),
            prop::option::of(any::<[u8; 16]>()),
            prop::option::of(any::<[u8; 16]>()),
            padded(),
        )
            .prop_map(|(kind, flags, mask, sid, o, i, data)| {
                let kind = AceType(kind % 0x18);
                let mask = AccessMask::from_bits_retain(mask);
                Ace {
                    kind,
                    flags: AceFlags::from_bits_retain(flags),
                    body: match kind.layout() {
                        Layout::Plain => AceBody::Plain { mask, sid, data },
                        Layout::Object => AceBody::Object {
                            mask,
                            object_type: o.map(Guid::from_bytes),
                            inherited_object_type: i.map(Guid::from_bytes),
                            sid,
                            data,
                        },
                        Layout::Opaque => AceBody::Opaque(data),
                    },
                }
            })
    }

    /// Any list of a few entries.
    pub(in crate::dtyp) fn any_acl() -> impl Strategy<Value = Acl> {
        (2u8..=4, prop::collection::vec(any_ace(), 0..5))
            .prop_map(|(revision, aces)| Acl { revision, aces })
    }

    #[test]
    fn reads_a_list_of_two_entries() {
        // Deny DELETE to Guests, allow everything to Everyone, then eight unused bytes.
        let mut wire = vec![2, 0, 60, 0, 2, 0, 0, 0];
        wire.extend([1, 0, 24, 0, 0, 0, 1, 0]);
        wire.extend([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x22, 2, 0, 0]);
        wire.extend([0, 3, 20, 0, 0xff, 1, 0x1f, 0]);
        wire.extend([1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        wire.extend([0xee; 8]);
        let acl = Acl::new(vec![
            Ace::deny(Sid::BUILTIN_GUESTS, AccessMask::DELETE, AceFlags::empty()),
            Ace::allow(
                Sid::WORLD,
                AccessMask::FILE_ALL_ACCESS,
                AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT,
            ),
        ]);
        assert_eq!(Acl::parse(&wire), Ok(acl.clone()));
        wire.truncate(52);
        wire[2] = 52;
        let mut w = Writer::new();
        acl.encode(&mut w);
        assert_eq!(w.written(), wire);
    }

    #[test]
    fn refuses_lists_that_do_not_add_up() {
        let list = |size: u8, count: u8, ace: &[u8]| {
            let mut v = vec![2, 0, size, 0, count, 0, 0, 0];
            v.extend(ace);
            Acl::parse(&v)
        };
        assert_eq!(list(8, 0, &[]).map(|a| a.aces), Ok(vec![]));
        assert_eq!(list(7, 0, &[]), Err(ParseError::OutOfBounds("ACL")));
        assert_eq!(list(12, 0, &[]), Err(ParseError::Truncated("ACL")));
        assert_eq!(list(8, 1, &[]), Err(ParseError::TooMany("ACL")));
        assert_eq!(
            list(12, 1, &[0, 0, 3, 0]),
            Err(ParseError::Misaligned("ACE"))
        );
        assert_eq!(
            list(12, 1, &[0, 0, 0, 0]),
            Err(ParseError::OutOfBounds("ACE"))
        );
        assert_eq!(
            list(12, 1, &[0, 0, 8, 0]),
            Err(ParseError::Truncated("ACL"))
        );
        assert_eq!(
            list(12, 1, &[0, 0, 4, 0]),
            Err(ParseError::Truncated("ACE"))
        );
        assert_eq!(
            Acl::parse(&[9, 0, 8, 0, 0, 0, 0, 0]),
            Err(ParseError::BadStructure("ACL"))
        );
    }

    proptest! {
        #[test]
        fn round_trips(acl in any_acl()) {
            let mut w = Writer::new();
            acl.encode(&mut w);
            prop_assert_eq!(w.written().len(), acl.encoded_len());
            let back = Acl::parse(w.written());
            prop_assert_eq!(back.as_ref(), Ok(&acl));
            for n in 0..w.written().len() {
                prop_assert!(Acl::parse(&w.written()[..n]).is_err());
            }
        }

        #[test]
        fn takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(acl) = Acl::parse(&bytes) {
                let mut w = Writer::new();
                acl.encode(&mut w);
                prop_assert_eq!(Acl::parse(w.written()), Ok(acl));
            }
        }
    }
}
