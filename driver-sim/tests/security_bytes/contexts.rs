//! Create contexts.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::create_ctx::RawContext;
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::{OplockLevel, Response};
use smb_proto::{Command, NtStatus};

use crate::bed::{INVALID, ask, body, patched, twice};

fn with(name: &'static [u8], data: Vec<u8>) -> create::Request {
    create::Request {
        contexts: vec![RawContext::new(name, data)],
        ..ops::create("f", CreateDisposition::OpenIf)
    }
}

/// Whether nothing came of a request.
fn nothing_made(pair: &Pair, tree: Tree) {
    assert_eq!(pair.counts().opens, 0, "{tree:?}");
    assert_eq!(pair.fs().open_handles(), 0);
    assert!(!pair.fs().exists("f"));
}

/// CVE-2025-22042, CVE-2025-22043, CVE-2024-46742, CVE-2025-37962: a context with less data than its
/// structure has: the request is refused before anything is opened.
#[test]
fn create_contexts_with_less_data_than_they_need() {
    // Sizes that are right, for the names that mean something.
    let known: [(&[u8], &[usize]); 10] = [
        (b"RqLs", &[32, 52]),
        (b"DHnQ", &[16]),
        (b"DHnC", &[16]),
        (b"DH2Q", &[32]),
        (b"DH2C", &[36]),
        (b"AlSi", &[8]),
        (b"TWrp", &[8]),
        (b"MxAc", &[0, 8]),
        (b"QFid", &[0]),
        (
            b"\x45\xbc\xa6\x6a\xef\xa7\xf7\x4a\x90\x08\xfa\x46\x2e\x14\x4d\x74",
            &[20],
        ),
    ];
    twice(|pair| {
        let tree = pair.mount();
        for (name, right) in known {
            for len in (0..=60).filter(|len| !right.contains(len)) {
                let status = pair.create(tree, with(name, vec![1; len])).unwrap_err();
                assert_eq!(status, INVALID, "{name:?} {len}");
                nothing_made(pair, tree);
            }
        }
        // Lists within contexts that end too early.
        for len in 1..8 {
            let status = pair.create(tree, with(b"ExtA", vec![1; len])).unwrap_err();
            assert_eq!(status, NtStatus::EA_LIST_INCONSISTENT, "ExtA {len}");
            let status = pair.create(tree, with(b"SecD", vec![1; len])).unwrap_err();
            assert_eq!(status, INVALID, "SecD {len}");
            nothing_made(pair, tree);
        }
    });
}

/// CVE-2023-1194, CVE-2024-26954: Next, NameOffset, NameLength, DataOffset and DataLength of a context
/// that lead outside, or back, or to places that are not aligned.
#[test]
fn create_contexts_that_lead_outside() {
    let two = create::Request {
        contexts: vec![
            RawContext::new(b"MxAc", vec![0; 8]),
            RawContext::new(b"AlSi", vec![0; 8]),
        ],
        ..ops::create("f", CreateDisposition::OpenIf)
    };
    let good = body(two);
    let at = usize::try_from(u32::from_le_bytes(good[48..52].try_into().unwrap())).unwrap() - 64;
    let second = u32::from_le_bytes(good[at..at + 4].try_into().unwrap());
    let len = u32::try_from(good.len() - at).unwrap();
    let mut wrong: Vec<Vec<(usize, Vec<u8>)>> = Vec::new();
    let u16s = |place: usize, v: u16| (place, v.to_le_bytes().to_vec());
    let u32s = |place: usize, v: u32| (place, v.to_le_bytes().to_vec());
    // CreateContextsOffset and CreateContextsLength of the request.
    for offset in [1u32, 64, 119, 121, 0xffff, u32::MAX] {
        wrong.push(vec![u32s(48, offset)]);
    }
    for size in [1, 15, len + 1, len + 8, 0x7fff_ffff, u32::MAX] {
        wrong.push(vec![u32s(52, size)]);
    }
    for first in [at, at + second as usize] {
        for next in [
            1,
            4,
            7,
            second + 1,
            second + 4,
            0xffff,
            0x7fff_fff8,
            u32::MAX,
        ] {
            wrong.push(vec![u32s(first, next)]);
        }
        for place in [1u16, 15, 0x100, 0xfff8, 0xffff] {
            wrong.push(vec![u16s(first + 4, place)]);
            wrong.push(vec![u16s(first + 10, place)]);
        }
        for size in [0u16, 1, 3, 0x100, 0xffff] {
            wrong.push(vec![u16s(first + 6, size)]);
        }
        for size in [9u32, 0x100, 0x7fff_ffff, u32::MAX - 23, u32::MAX] {
            wrong.push(vec![u32s(first + 12, size)]);
        }
    }
    twice(|pair| {
        let tree = pair.mount();
        for changes in &wrong {
            let changes: Vec<(usize, &[u8])> =
                changes.iter().map(|(at, new)| (*at, &new[..])).collect();
            let bytes = patched(good.clone(), &changes);
            let status = ask(pair, tree, Command::Create, bytes);
            assert_eq!(status, INVALID, "{changes:?}");
            nothing_made(pair, tree);
        }
        // Cut short anywhere behind the name.
        for len in at..good.len() {
            let status = ask(pair, tree, Command::Create, &good[..len]);
            assert_eq!(status, INVALID, "cut to {len}");
        }
        assert_eq!(
            ask(pair, tree, Command::Create, good.clone()),
            NtStatus::SUCCESS
        );
    });
}

/// CVE-2025-22043: RequestedOplockLevel says lease, and no context tells which: none is granted
/// ([MS-SMB2] 3.3.5.9).
#[test]
fn lease_level_without_lease_context() {
    twice(|pair| {
        let tree = pair.mount();
        let request = create::Request {
            requested_oplock_level: OplockLevel::LEASE,
            ..ops::create("f", CreateDisposition::OpenIf)
        };
        let reply = pair.call(tree, request);
        let Response::Create(made) = reply.body else {
            panic!("{}", reply.header.status)
        };
        assert_eq!(made.oplock_level, OplockLevel::NONE);
        // Levels that do not exist.
        for level in [0x02, 0x07, 0x80, 0xfe] {
            let bytes = patched(body(ops::open("f")), &[(3, &[level])]);
            let status = ask(pair, tree, Command::Create, bytes);
            assert!(
                status == NtStatus::SUCCESS || status == INVALID,
                "{level:#x}: {status}"
            );
        }
    });
}
