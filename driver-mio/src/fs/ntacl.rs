//! `security.NTACL`: security descriptors as Samba's acl_xattr and ksmbd store them.
//!
//! The value is NDR, little-endian: version (2 bytes), the same again as the selector of a union,
//! then a pointer and what it points to:
//!
//! | version | content |
//! |---|---|
//! | 1 | the descriptor |
//! | 2 | pointer to it, hash (16) |
//! | 3 | pointer to it, hash type (2), hash (64) |
//! | 4 | pointer to it, hash type (2), hash (64), description with NUL, time (8, aligned to 4), hash of the POSIX ACL (64) |
//!
//! The descriptor itself follows, aligned to 4. Its offsets count from the beginning of the value.
//!
//! The second hash of version 4 ties the descriptor to the state of the file system for which it was
//! stored: owner, group, mode and POSIX ACLs. If they are others now, someone changed the permissions
//! on the host, and the descriptor is void. SHA-256 fills 32 of the 64 bytes.

use sha2::{Digest, Sha256};
use smb_proto::FileTime;
use smb_proto::dtyp::SecurityDescriptor;

use super::posix_acl::PosixAcl;

/// A stored descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) descriptor: SecurityDescriptor,
    /// The state of the file system it was stored for, if it says so.
    pub(super) state: Option<[u8; 32]>,
}

const HASH_LEN: usize = 64;
const HASH_SHA256: u16 = 1;
const DESCRIPTION: &[u8] = b"posix_acl\0";
/// Where the descriptor begins in what is written.
const DESCRIPTOR_AT: usize = 160;
/// Positions of the four offsets in a descriptor's header.
const OFFSETS: [usize; 4] = [4, 8, 12, 16];

fn u16_at(value: &[u8], at: usize) -> Option<u16> {
    value
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_le_bytes(*b))
}

/// Moves the offsets of a descriptor by what `shift` says.
fn move_offsets(descriptor: &mut [u8], shift: impl Fn(u32) -> Option<u32>) -> Option<()> {
    for at in OFFSETS {
        let field: &mut [u8; 4] = descriptor.get_mut(at..)?.first_chunk_mut()?;
        let offset = u32::from_le_bytes(*field);
        if offset != 0 {
            *field = shift(offset)?.to_le_bytes();
        }
    }
    Some(())
}

impl Stored {
    /// Reads a value; `None` if it cannot be understood.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let version = u16_at(value, 0)?;
        if u16_at(value, 2)? != version {
            return None;
        }
        // Behind the pointer to the structure, except that version 1 has no structure.
        let (start, state) = match version {
            1 => (8, None),
            2 => (12 + 16, None),
            3 => (14 + HASH_LEN, None),
            4 => {
                let text = 14 + HASH_LEN;
                let len = value.get(text..)?.iter().position(|&b| b == 0)?;
                let description = value.get(text..text + len + 1)?;
                let hash_at = (text + len + 1).next_multiple_of(4) + 8;
                let hash = value.get(hash_at..)?.first_chunk::<HASH_LEN>()?;
                let ours = description == DESCRIPTION && u16_at(value, 12)? == HASH_SHA256;
                let state = hash.first_chunk::<32>().copied().filter(|_| ours);
                (hash_at + HASH_LEN, state)
            }
            _ => return None,
        };
        let start = start.next_multiple_of(4);
        let base = u32::try_from(start).ok()?;
        let mut descriptor = value.get(start..)?.to_vec();
        move_offsets(&mut descriptor, |offset| offset.checked_sub(base))?;
        Some(Self {
            descriptor: SecurityDescriptor::parse(&descriptor).ok()?,
            state,
        })
    }
}

/// The value of version 4.
pub(super) fn encode(descriptor: &SecurityDescriptor, state: &[u8; 32], now: FileTime) -> Vec<u8> {
    let mut bytes = descriptor.to_vec();
    let own_hash = Sha256::digest(&bytes);
    let mut out = vec![4, 0, 4, 0, 0, 0, 2, 0, 4, 0, 2, 0];
    out.extend(HASH_SHA256.to_le_bytes());
    out.extend(own_hash);
    out.extend([0; HASH_LEN - 32]);
    out.extend(DESCRIPTION);
    out.extend(now.0.to_le_bytes());
    out.extend(state);
    out.extend([0; HASH_LEN - 32]);
    debug_assert_eq!(out.len(), DESCRIPTOR_AT);
    let base = u32::try_from(out.len()).unwrap_or(0);
    // A header is always there, and no descriptor reaches the end of 32 bits.
    let _moved = move_offsets(&mut bytes, |offset| offset.checked_add(base));
    out.extend(bytes);
    out
}

/// The hash of what the file system itself says about a file's permissions, as Samba takes it: two
/// pointers (4 bytes each) to the access and the default ACL, owner (8), group (8), mode (4, with
/// the file type), the access ACL, the default ACL.
pub(super) fn state_hash(
    (uid, gid, mode): (u32, u32, u16),
    access: Option<&PosixAcl>,
    default: Option<&PosixAcl>,
) -> [u8; 32] {
    let from_mode = PosixAcl::from_mode(mode);
    let mut out = Vec::with_capacity(160);
    out.extend(0x0002_0000u32.to_le_bytes());
    out.extend(default.map_or(0, |_| 0x0002_0004u32).to_le_bytes());
    out.extend(u64::from(uid).to_le_bytes());
    out.extend(u64::from(gid).to_le_bytes());
    out.extend(u32::from(mode).to_le_bytes());
    access.unwrap_or(&from_mode).append_ndr(&mut out);
    if let Some(default) = default {
        out.resize(out.len().next_multiple_of(4), 0);
        default.append_ndr(&mut out);
    }
    Sha256::digest(&out).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smb_proto::dtyp::{AccessMask, AceFlags, Sid};

    /// What smbd 4.17.12 wrote for a file of uid 1003 and gid 65534 with mode 0100775 and
    /// [`FILE_ACL`].
    const FILE: &str = "0400040000000200040002000100bf848f63a792ce201f922c1e203da8297dd44b02cfa196\
        b53503c97f3d1add36000000000000000000000000000000000000000000000000000000000000000070\
        6f7369785f61636c000eb4b18dc77add01381ea6350c8b0167b4c8f44cedfa2671f4182762c5583ad04e\
        e1f2e16b6a7a75000000000000000000000000000000000000000000000000000000000000000001\
        000480b4000000d000000000000000ec000000010500000000000515000000819075bc8422cdcf5682a8\
        01e8030000010500000000000515000000819075bc8422cdcf5682a801010200000200640003000000\
        00002400ff011f00010500000000000515000000819075bc8422cdcf5682a801e8030000000024\
        00a9001200010500000000000515000000819075bc8422cdcf5682a8010102000000001400a9001200\
        010100000000000100000000";
    const FILE_ACL: &str = "0200000001000700ffffffff02000700eb03000004000500ffffffff08000500feff00\
        0010000700ffffffff20000500ffffffff";
    /// The hash of the state in what it wrote for a directory with mode 040775, access and default
    /// ACL both [`FILE_ACL`].
    const DIRECTORY_STATE: &str =
        "5d47bdbdb44f29bec59a3a5b5d9e5b4104f4304cf4b8e14a80376ef83245b6d3";

    /// The same for a directory without default ACL.
    const BARE_DIRECTORY_STATE: &str =
        "19fd3b16ac5cf30c5e98036735f7dbcfda691b0b727ff3e2dae73f826f2cf232";

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn reads_what_samba_writes() {
        let value = hex(FILE);
        let stored = Stored::parse(&value).unwrap();
        let domain = Sid::domain(3_161_821_313, 3_486_327_428, 27_820_630);
        let d = &stored.descriptor;
        assert_eq!(d.owner, domain.with_rid(1000));
        assert_eq!(d.group, domain.with_rid(513));
        let aces = &d.dacl.acl().unwrap().aces;
        assert_eq!(aces.len(), 3);
        assert_eq!(aces[0].sid(), d.owner.as_ref());
        assert_eq!(aces[0].mask(), Some(AccessMask::FILE_ALL_ACCESS));
        assert_eq!(aces[2].sid(), Some(&Sid::WORLD));
        assert_eq!(aces[2].flags, AceFlags::empty());
        for n in 0..value.len() {
            assert_eq!(Stored::parse(&value[..n]), None, "{n}");
        }
    }

    #[test]
    fn takes_the_hash_that_samba_takes() {
        let acl = PosixAcl::parse(&hex(FILE_ACL)).unwrap();
        let file = state_hash((1003, 65534, 0o100_775), Some(&acl), None);
        assert_eq!(Stored::parse(&hex(FILE)).unwrap().state, Some(file));
        let directory = state_hash((1003, 65534, 0o040_775), Some(&acl), Some(&acl));
        assert_eq!(directory[..], hex(DIRECTORY_STATE));
        let empty = PosixAcl(Vec::new());
        let bare = state_hash((1003, 65534, 0o040_775), Some(&acl), Some(&empty));
        assert_eq!(bare[..], hex(BARE_DIRECTORY_STATE));
    }

    #[test]
    fn writes_what_samba_writes() {
        let value = hex(FILE);
        let stored = Stored::parse(&value).unwrap();
        let time = FileTime(u64::from_le_bytes(*value[88..].first_chunk().unwrap()));
        let mut written = encode(&stored.descriptor, &stored.state.unwrap(), time);
        assert_eq!(Stored::parse(&written), Some(stored));
        // The hash of the file system's own descriptor is one of Samba's, which only it can take.
        written[14..46].copy_from_slice(&value[14..46]);
        assert_eq!(written, value);
    }

    #[test]
    fn reads_older_versions() {
        let new = Stored::parse(&hex(FILE)).unwrap().descriptor;
        for (version, middle) in [(1u8, 0usize), (2, 20), (3, 70)] {
            let mut value = vec![version, 0, version, 0, 0, 0, 2, 0];
            value.resize(8 + middle, 0);
            value.resize(value.len().next_multiple_of(4), 0);
            let base = u32::try_from(value.len()).unwrap();
            let mut sd = new.to_vec();
            move_offsets(&mut sd, |o| o.checked_add(base)).unwrap();
            value.extend(sd);
            let stored = Stored::parse(&value).unwrap();
            assert_eq!(
                (stored.descriptor, stored.state),
                (new.clone(), None),
                "{version}"
            );
        }
    }

    proptest! {
        #[test]
        fn damaged_values_do_not_panic(at in 0usize..396, with: u8, cut in 0usize..397) {
            let mut value = hex(FILE);
            let at = at.min(value.len() - 1);
            value[at] = with;
            Stored::parse(&value);
            value.truncate(cut);
            Stored::parse(&value);
        }

        #[test]
        fn garbage_is_refused_quietly(value in prop::collection::vec(any::<u8>(), 0..300)) {
            Stored::parse(&value);
        }
    }
}
