//! POSIX ACLs as the kernel keeps them in `system.posix_acl_access` and `system.posix_acl_default`.
//!
//! The value: version (4 bytes, 2), then for each entry tag (2), permission bits (2), user or group
//! id (4), little-endian, in the order of the tags.

/// `system.posix_acl_access`.
pub(super) const ACCESS: &str = "system.posix_acl_access";
/// `system.posix_acl_default`, of directories.
pub(super) const DEFAULT: &str = "system.posix_acl_default";

const VERSION: u32 = 2;
const NO_ID: u32 = u32::MAX;

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tag {
    /// ACL_USER_OBJ: the owner.
    Owner,
    /// ACL_USER: a user.
    User(u32),
    /// ACL_GROUP_OBJ: the file's group.
    Group,
    /// ACL_GROUP: a group.
    OtherGroup(u32),
    /// ACL_MASK: the most that all but owner and others get.
    Mask,
    /// ACL_OTHER: everyone else.
    Others,
}

impl Tag {
    fn number(self) -> u16 {
        match self {
            Self::Owner => 0x01,
            Self::User(_) => 0x02,
            Self::Group => 0x04,
            Self::OtherGroup(_) => 0x08,
            Self::Mask => 0x10,
            Self::Others => 0x20,
        }
    }

    fn id(self) -> Option<u32> {
        match self {
            Self::User(id) | Self::OtherGroup(id) => Some(id),
            Self::Owner | Self::Group | Self::Mask | Self::Others => None,
        }
    }

    fn from_number(tag: u16, id: u32) -> Option<Self> {
        Some(match tag {
            0x01 => Self::Owner,
            0x02 => Self::User(id),
            0x04 => Self::Group,
            0x08 => Self::OtherGroup(id),
            0x10 => Self::Mask,
            0x20 => Self::Others,
            _ => return None,
        })
    }
}

/// The entries of an ACL: tag and permission bits (4 read, 2 write, 1 execute).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PosixAcl(pub(super) Vec<(Tag, u16)>);

impl PosixAcl {
    /// The ACL that permission bits alone are.
    pub(super) fn from_mode(mode: u16) -> Self {
        Self(vec![
            (Tag::Owner, mode >> 6 & 7),
            (Tag::Group, mode >> 3 & 7),
            (Tag::Others, mode & 7),
        ])
    }

    /// Reads an attribute's value; `None` if it is none.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let (version, entries) = value.split_first_chunk::<4>()?;
        let (entries, []) = entries.as_chunks::<8>() else {
            return None;
        };
        if u32::from_le_bytes(*version) != VERSION {
            return None;
        }
        let entries = entries.iter().map(|&[t0, t1, p0, p1, a, b, c, d]| {
            let tag = Tag::from_number(
                u16::from_le_bytes([t0, t1]),
                u32::from_le_bytes([a, b, c, d]),
            )?;
            Some((tag, u16::from_le_bytes([p0, p1])))
        });
        entries.collect::<Option<Vec<_>>>().map(Self)
    }

    /// The attribute's value.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut entries = self.0.clone();
        entries.sort_unstable();
        let mut out = VERSION.to_le_bytes().to_vec();
        for (tag, bits) in entries {
            out.extend(tag.number().to_le_bytes());
            out.extend(bits.to_le_bytes());
            out.extend(tag.id().unwrap_or(NO_ID).to_le_bytes());
        }
        out
    }

    /// What the mask leaves of the entries it limits; the mask itself is left out.
    pub(super) fn effective(&self) -> impl Iterator<Item = (Tag, u16)> {
        let mask = self.bits(Tag::Mask).unwrap_or(7);
        self.0.iter().filter_map(move |&(tag, bits)| match tag {
            Tag::Mask => None,
            Tag::Owner | Tag::Others => Some((tag, bits)),
            Tag::User(_) | Tag::Group | Tag::OtherGroup(_) => Some((tag, bits & mask)),
        })
    }

    fn bits(&self, wanted: Tag) -> Option<u16> {
        let entry = self.0.iter().find(|(tag, _)| *tag == wanted)?;
        Some(entry.1)
    }

    /// The permission bits that the mode shows for this ACL.
    pub(super) fn mode(&self) -> u16 {
        let bits = |tag| self.bits(tag).unwrap_or(0);
        let group = self.bits(Tag::Mask).unwrap_or_else(|| bits(Tag::Group));
        bits(Tag::Owner) << 6 | group << 3 | bits(Tag::Others)
    }

    /// Whether it says no more than a mode can.
    pub(super) fn is_minimal(&self) -> bool {
        let extended = |tag: &Tag| matches!(tag, Tag::User(_) | Tag::OtherGroup(_) | Tag::Mask);
        !self.0.iter().any(|(tag, _)| extended(tag))
    }

    /// As Samba serialises an ACL in NDR to take its hash: the number of entries (4 bytes), aligned
    /// to 8 the same again (4) and zero (4), then for each entry, aligned to 8: the tag twice (2
    /// each, with Samba's numbers), for users and groups the id (8, aligned to 8), the bits (4).
    pub(super) fn append_ndr(&self, out: &mut Vec<u8>) {
        let mut entries = self.0.clone();
        entries.sort_unstable();
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        out.extend(count.to_le_bytes());
        align8(out);
        out.extend(count.to_le_bytes());
        out.extend([0; 4]);
        for (tag, bits) in entries {
            let number: u16 = match tag {
                Tag::User(_) => 1,
                Tag::Owner => 2,
                Tag::OtherGroup(_) => 3,
                Tag::Group => 4,
                Tag::Others => 5,
                Tag::Mask => 6,
            };
            align8(out);
            out.extend(number.to_le_bytes());
            out.extend(number.to_le_bytes());
            if let Some(id) = tag.id() {
                align8(out);
                out.extend(u64::from(id).to_le_bytes());
            }
            out.extend(u32::from(bits).to_le_bytes());
        }
    }
}

fn align8(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// user::rwx user:1003:rwx group::r-x group:65534:r-x mask::rwx other::r-x
    const VALUE: &str = "0200000001000700ffffffff02000700eb03000004000500ffffffff08000500feff0000\
                         10000700ffffffff20000500ffffffff";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn reads_what_the_kernel_keeps() {
        let acl = PosixAcl::parse(&hex(VALUE)).unwrap();
        assert_eq!(
            acl.0,
            [
                (Tag::Owner, 7),
                (Tag::User(1003), 7),
                (Tag::Group, 5),
                (Tag::OtherGroup(65534), 5),
                (Tag::Mask, 7),
                (Tag::Others, 5)
            ]
        );
        assert_eq!(acl.encode(), hex(VALUE));
        assert_eq!(acl.mode(), 0o775);
        assert!(!acl.is_minimal());
        for n in 0..hex(VALUE).len() {
            if n < 4 || n % 8 != 4 {
                assert_eq!(PosixAcl::parse(&hex(VALUE)[..n]), None);
            }
        }
    }

    #[test]
    fn the_mask_limits() {
        let acl = PosixAcl(vec![
            (Tag::Owner, 6),
            (Tag::User(1), 7),
            (Tag::Group, 5),
            (Tag::Mask, 4),
            (Tag::Others, 7),
        ]);
        let left: Vec<_> = acl.effective().collect();
        assert_eq!(
            left,
            [
                (Tag::Owner, 6),
                (Tag::User(1), 4),
                (Tag::Group, 4),
                (Tag::Others, 7)
            ]
        );
        assert_eq!(acl.mode(), 0o647);
    }

    proptest! {
        #[test]
        fn modes_round_trip(mode in 0u16..0o1000) {
            let acl = PosixAcl::from_mode(mode);
            prop_assert!(acl.is_minimal());
            prop_assert_eq!(acl.mode(), mode);
            prop_assert_eq!(PosixAcl::parse(&acl.encode()), Some(acl));
        }

        #[test]
        fn garbage_is_refused_quietly(value in prop::collection::vec(any::<u8>(), 0..64)) {
            PosixAcl::parse(&value);
        }
    }
}
