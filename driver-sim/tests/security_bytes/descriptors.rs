//! Security descriptors: what clients set, and what lies in store.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::create_ctx::RawContext;
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::id::FileId;
use smb_proto::info::SecurityInformation;
use smb_proto::msg::Response;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};

use crate::bed::twice;

const WORLD: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
const HEADER: u32 = 20;

/// A self-relative descriptor with these offsets of owner, group, SACL and DACL, and what follows.
fn descriptor(control: u16, offsets: [u32; 4], rest: &[u8]) -> Vec<u8> {
    let mut out = vec![1, 0];
    out.extend((0x8000 | control).to_le_bytes());
    out.extend(offsets.iter().flat_map(|o| o.to_le_bytes()));
    out.extend(rest);
    out
}

/// A descriptor with nothing but a DACL.
fn with_dacl(acl: &[u8]) -> Vec<u8> {
    descriptor(4, [0, 0, 0, HEADER], acl)
}

fn acl(size: u16, count: u16, aces: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend(size.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend([0, 0]);
    out.extend(aces);
    out
}

fn ace(size: u16, sid: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0];
    out.extend(size.to_le_bytes());
    out.extend(0x001f_01ffu32.to_le_bytes());
    out.extend(sid);
    out
}

fn sid(count: u8, subs: &[u32]) -> Vec<u8> {
    let mut out = vec![1, count, 0, 0, 0, 0, 0, 5];
    out.extend(subs.iter().flat_map(|s| s.to_le_bytes()));
    out
}

/// A list with one entry for this SID, all sizes right.
fn list_for(sid: &[u8]) -> Vec<u8> {
    let size = u16::try_from(8 + sid.len()).unwrap();
    acl(8 + size, 1, &ace(size, sid))
}

fn set(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    parts: SecurityInformation,
    sd: &[u8],
) -> NtStatus {
    let request = ops::set_security(file, parts, sd.to_vec());
    pair.call(tree, request).status()
}

fn get(pair: &mut Pair, tree: Tree, file: FileId) -> Vec<u8> {
    let all = SecurityInformation::OWNER | SecurityInformation::GROUP | SecurityInformation::DACL;
    match pair.call(tree, ops::query_security(file, all)).body {
        Response::QueryInfo(r) => r.output.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// CVE-2025-22038, CVE-2025-22039, CVE-2025-21946, CVE-2025-21994, CVE-2022-47942, CVE-2026-31611,
/// CVE-2026-68097, CVE-2026-68100, CVE-2026-72382: descriptors that lie about their parts. Nothing of
/// them is stored.
#[test]
fn set_security_that_lies_about_its_parts() {
    const SD: NtStatus = NtStatus::INVALID_SECURITY_DESCR;
    const ACL: NtStatus = NtStatus::INVALID_ACL;
    const SID: NtStatus = NtStatus::INVALID_SID;
    use SecurityInformation as S;
    let mut wrong: Vec<(S, Vec<u8>, NtStatus)> = Vec::new();
    // Offsets outside the descriptor, or into its header.
    for offset in [1, 4, 19, 32, 33, 0x7fff_ffff, u32::MAX - 3, u32::MAX] {
        wrong.push((S::OWNER, descriptor(0, [offset, 0, 0, 0], &WORLD), SD));
        wrong.push((S::GROUP, descriptor(0, [0, offset, 0, 0], &WORLD), SD));
        let list = list_for(&[1, 0, 0, 0, 0, 0, 0, 5]);
        let offset = offset + if offset == 32 || offset == 33 { 12 } else { 0 };
        wrong.push((S::DACL, descriptor(4, [0, 0, 0, offset], &list), SD));
    }
    // Parts that begin inside and end outside.
    for offset in [24, 25, 28, 31] {
        wrong.push((S::OWNER, descriptor(0, [offset, 0, 0, 0], &WORLD), SID));
    }
    for len in 0..12 {
        wrong.push((
            S::OWNER,
            descriptor(0, [HEADER, 0, 0, 0], &WORLD[..len]),
            if len == 0 { SD } else { SID },
        ));
    }
    // More sub-authorities than there is room for, or than there may be.
    for count in [2u8, 15, 16, 255] {
        let mut owner = WORLD;
        owner[1] = count;
        wrong.push((S::OWNER, descriptor(0, [HEADER, 0, 0, 0], &owner), SID));
        let list = acl(28, 1, &ace(20, &owner));
        let expected = if count > 15 { SID } else { ACL };
        wrong.push((S::DACL, with_dacl(&list), expected));
    }
    let many = [0u32; 16];
    wrong.push((S::DACL, with_dacl(&list_for(&sid(16, &many))), SID));
    let long = descriptor(0, [HEADER, 0, 0, 0], &sid(16, &many));
    wrong.push((S::OWNER, long, SID));
    // An ACL that is smaller than its header, or larger than the descriptor.
    for size in [0, 1, 7, 29, 1000, 0xfffc, 0xffff] {
        wrong.push((S::DACL, with_dacl(&acl(size, 1, &ace(20, &WORLD))), ACL));
    }
    for len in 1..8 {
        wrong.push((S::DACL, with_dacl(&acl(8, 0, &[])[..len]), ACL));
    }
    // More entries than the list has room for.
    for count in [2, 3, 100, 0xffff] {
        wrong.push((S::DACL, with_dacl(&acl(28, count, &ace(20, &WORLD))), ACL));
    }
    wrong.push((S::DACL, with_dacl(&acl(8, 1, &[])), ACL));
    // Entries that are smaller than their fixed part, or than their SID, or larger than the list.
    for size in [0, 1, 3, 4, 7, 8, 12, 15, 16, 18, 24, 0x7ffc, 0xffff] {
        wrong.push((S::DACL, with_dacl(&acl(28, 1, &ace(size, &WORLD))), ACL));
    }
    // Sizes that wrap around when added up in 16 bits.
    let two = [ace(0xfff0, &WORLD), ace(20, &WORLD)].concat();
    wrong.push((S::DACL, with_dacl(&acl(48, 2, &two)), ACL));
    // Longer than any descriptor.
    let mut huge = with_dacl(&list_for(&WORLD));
    huge.resize(SecurityDescriptor::MAX_LEN + 1, 0);
    wrong.push((S::DACL, huge, SD));
    twice(|pair| {
        pair.fs().write_file("f", b"").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        let before = get(pair, tree, file);
        for (n, (parts, bytes, status)) in wrong.iter().enumerate() {
            let shown = &bytes[..bytes.len().min(64)];
            let got = set(pair, tree, file, *parts, bytes);
            assert_eq!(got, *status, "{n}: {parts:?} {shown:?}");
            assert_eq!(get(pair, tree, file), before, "{n}: something was stored");
        }
        // Cut short anywhere.
        let whole = with_dacl(&list_for(&WORLD));
        for len in 0..whole.len() {
            let got = set(pair, tree, file, SecurityInformation::DACL, &whole[..len]);
            assert!([SD, ACL].contains(&got), "cut to {len}: {got}");
        }
        assert_eq!(get(pair, tree, file), before);
    });
}

/// CVE-2025-22038, CVE-2022-47942: SIDs that are odd but whole are nothing special: none at all below
/// the authority, and NFS's with a part missing (S-1-5-88-3 without mode).
#[test]
fn sids_with_few_sub_authorities() {
    twice(|pair| {
        pair.fs().write_file("f", b"").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        for odd in [
            sid(0, &[]),
            sid(1, &[88]),
            sid(2, &[88, 1]),
            sid(2, &[88, 2]),
            sid(2, &[88, 3]),
            sid(3, &[88, 3, u32::MAX]),
        ] {
            let bytes = with_dacl(&list_for(&odd));
            let status = set(pair, tree, file, SecurityInformation::DACL, &bytes);
            assert_eq!(status, NtStatus::SUCCESS, "{odd:?}");
            let stored = SecurityDescriptor::parse(&get(pair, tree, file)).unwrap();
            let entry = &stored.dacl.acl().unwrap().aces[0];
            assert_eq!(entry.sid(), Some(&Sid::parse(&odd).unwrap()));
        }
    });
}

fn dacl(aces: Vec<Ace>) -> SecurityDescriptor {
    SecurityDescriptor {
        dacl: AclSlot::Acl(Acl::new(aces)),
        ..SecurityDescriptor::default()
    }
}

/// CVE-2026-31704, CVE-2026-31706, CVE-2026-31712, CVE-2026-43490, CVE-2026-53390, CVE-2026-63909,
/// CVE-2026-64138, CVE-2026-68098, CVE-2026-68099, CVE-2023-52755: what a directory hands on does not
/// fit in a descriptor: nothing is made ([MS-ERREF] STATUS_BAD_INHERITANCE_ACL), rather than something
/// with part of the protection.
#[test]
fn parent_dacl_that_does_not_fit_when_inherited() {
    let creator = Ace::allow(
        Sid::CREATOR_OWNER,
        AccessMask::FILE_ALL_ACCESS,
        AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT,
    );
    let all = Ace::allow(Sid::WORLD, AccessMask::FILE_ALL_ACCESS, AceFlags::empty());
    twice(|pair| {
        let tree = pair.mount();
        let dir = pair.create(tree, ops::make_dir("d")).unwrap().file_id;
        // Each becomes a longer one in a file, and two in a directory.
        for (count, file, sub) in [
            (100, NtStatus::SUCCESS, NtStatus::SUCCESS),
            (1500, NtStatus::SUCCESS, NtStatus::BAD_INHERITANCE_ACL),
            (
                3000,
                NtStatus::BAD_INHERITANCE_ACL,
                NtStatus::BAD_INHERITANCE_ACL,
            ),
        ] {
            let mut aces = vec![all.clone()];
            aces.extend(std::iter::repeat_n(creator.clone(), count));
            let parts = SecurityInformation::DACL;
            let status = set(pair, tree, dir, parts, &dacl(aces).to_vec());
            assert_eq!(status, NtStatus::SUCCESS);
            for (options, expected) in [
                (CreateOptions::NON_DIRECTORY_FILE, file),
                (CreateOptions::DIRECTORY_FILE, sub),
            ] {
                let request = create::Request {
                    create_options: options,
                    ..ops::create("d\\new", CreateDisposition::Create)
                };
                let made = pair.create(tree, request);
                let status = made.as_ref().map_or_else(|s| *s, |_| NtStatus::SUCCESS);
                assert_eq!(status, expected, "{count} {options:?}");
                assert_eq!(pair.fs().exists("d\\new"), made.is_ok());
                if let Ok(made) = made {
                    let whole = get(pair, tree, made.file_id);
                    assert!(SecurityDescriptor::parse(&whole).is_ok());
                    let gone = pair.set_file(
                        tree,
                        made.file_id,
                        smb_proto::info::FileInfoClass::Disposition,
                        vec![1],
                    );
                    assert_eq!(gone, Ok(()));
                    pair.close(tree, made.file_id).unwrap();
                }
            }
        }
    });
}

/// CVE-2022-49366, CVE-2023-53061, CVE-2026-64139: descriptors that are refused half-way, in CREATE too,
/// in a loop: nothing is held.
#[test]
fn refused_descriptors_hold_nothing() {
    twice(|pair| {
        let tree = pair.mount();
        let bytes = with_dacl(&acl(28, 0xffff, &ace(20, &WORLD)));
        let before = pair.counts();
        for _ in 0..50 {
            let request = create::Request {
                contexts: vec![RawContext::new(b"SecD", bytes.clone())],
                ..ops::create("new", CreateDisposition::Create)
            };
            let status = pair.create(tree, request).unwrap_err();
            assert_eq!(status, NtStatus::INVALID_PARAMETER);
            assert!(!pair.fs().exists("new"));
            assert_eq!(pair.counts(), before);
        }
    });
}
