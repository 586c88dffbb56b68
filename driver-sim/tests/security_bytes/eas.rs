//! Extended attributes.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::{EaFlags, FileFullEaInformation, FileGetEaInformation};
use smb_proto::msg::{Response, query_info};
use smb_proto::wire::Writer;

use crate::bed::{patched, twice};

const INCONSISTENT: NtStatus = NtStatus::EA_LIST_INCONSISTENT;

/// Two attributes: entries at 0 and 16.
fn list() -> Vec<u8> {
    let ea = |name: &'static [u8], value: &'static [u8]| FileFullEaInformation {
        flags: EaFlags::empty(),
        name: Bytes::from_static(name),
        value: Bytes::from_static(value),
    };
    let mut w = Writer::new();
    FileFullEaInformation::encode_list(&[ea(b"ONE", b"1111"), ea(b"TWO", b"22")], &mut w);
    w.written().to_vec()
}

fn set(pair: &mut Pair, tree: Tree, file: FileId, bytes: Vec<u8>) -> Result<(), NtStatus> {
    pair.set_file(tree, file, FileInfoClass::FullEa, bytes)
}

fn query(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    input: Vec<u8>,
    room: u32,
) -> (NtStatus, usize) {
    let request = query_info::Request {
        input: input.into(),
        output_buffer_length: room,
        flags: query_info::QueryInfoFlags::RESTART_SCAN,
        ..ops::query_file(file, FileInfoClass::FullEa)
    };
    let reply = pair.call(tree, request);
    match &reply.body {
        Response::QueryInfo(r) => (reply.status(), r.output.len()),
        _ => (reply.status(), 0),
    }
}

/// CVE-2023-4130: a list whose chain or whose names leave the buffer is refused whole.
#[test]
fn set_ea_list_that_leaves_the_buffer() {
    twice(|pair| {
        let tree = pair.mount();
        let file = pair.create_new(tree, "f").unwrap();
        assert_eq!(list().len(), 16 + 8 + 4 + 2);
        let mut wrong = Vec::new();
        for next in [
            1u32,
            4,
            7,
            8,
            17,
            18,
            30,
            32,
            0xffff,
            0x7fff_fffc,
            u32::MAX - 3,
            u32::MAX,
        ] {
            wrong.push(patched(list(), &[(0, &next.to_le_bytes())]));
            // The last one goes on.
            wrong.push(patched(list(), &[(16, &next.to_le_bytes())]));
        }
        for len in [5u8, 100, 255] {
            wrong.push(patched(list(), &[(5, &[len])]));
            wrong.push(patched(list(), &[(16 + 5, &[len])]));
        }
        for len in [5u16, 0x7fff, 0xffff] {
            wrong.push(patched(list(), &[(6, &len.to_le_bytes())]));
            wrong.push(patched(list(), &[(16 + 6, &len.to_le_bytes())]));
        }
        // No zero behind the name.
        wrong.push(patched(list(), &[(8 + 3, b"X")]));
        wrong.push(patched(list(), &[(16 + 8 + 3, b"X")]));
        for len in (1..16).chain(17..30) {
            wrong.push(list()[..len].to_vec());
        }
        for bytes in wrong {
            // Less than the fixed part of one entry is no list at all ([MS-FSA] 2.1.5.15).
            let expected = match bytes.len() {
                0..8 => NtStatus::INFO_LENGTH_MISMATCH,
                _ => INCONSISTENT,
            };
            let status = set(pair, tree, file, bytes.clone());
            assert_eq!(status, Err(expected), "{bytes:?}");
            let (status, _) = query(pair, tree, file, Vec::new(), 1000);
            assert_eq!(status, NtStatus::NO_EAS_ON_FILE);
        }
        set(pair, tree, file, list()).unwrap();
    });
}

/// CVE-2026-31612: names to look for that leave the input.
#[test]
fn query_ea_whose_name_leaves_the_input() {
    twice(|pair| {
        let tree = pair.mount();
        let file = pair.create_new(tree, "f").unwrap();
        set(pair, tree, file, list()).unwrap();
        let mut w = Writer::new();
        let names = [b"ONE", b"TWO"].map(|name| FileGetEaInformation {
            name: Bytes::from_static(name),
        });
        FileGetEaInformation::encode_list(&names, &mut w);
        let good = w.written().to_vec();
        assert_eq!(
            query(pair, tree, file, good.clone(), 1000).0,
            NtStatus::SUCCESS
        );
        for len in [4u8, 20, 255] {
            let bytes = patched(good.clone(), &[(12 + 4, &[len])]);
            assert_eq!(
                query(pair, tree, file, bytes, 1000).0,
                INCONSISTENT,
                "{len}"
            );
        }
        for next in [1u32, 5, 13, 1000, u32::MAX] {
            let bytes = patched(good.clone(), &[(0, &next.to_le_bytes())]);
            assert_eq!(
                query(pair, tree, file, bytes, 1000).0,
                INCONSISTENT,
                "{next}"
            );
        }
        for len in (1..9).chain(13..good.len()) {
            let status = query(pair, tree, file, good[..len].to_vec(), 1000).0;
            assert_eq!(status, INCONSISTENT, "cut to {len}");
        }
    });
}

/// CVE-2025-68806, CVE-2026-31705: neither entries nor the padding between them pass the end of what
/// the client has room for.
#[test]
fn query_ea_never_writes_beyond_the_buffer() {
    twice(|pair| {
        let tree = pair.mount();
        let file = pair.create_new(tree, "f").unwrap();
        set(pair, tree, file, list()).unwrap();
        let whole = list().len();
        for room in 0..=whole + 8 {
            let (status, len) = query(pair, tree, file, Vec::new(), room as u32);
            assert!(len <= room, "{room}: {len}");
            let expected = match room {
                0..16 => NtStatus::BUFFER_TOO_SMALL,
                _ if room < whole => NtStatus::BUFFER_OVERFLOW,
                _ => NtStatus::SUCCESS,
            };
            assert_eq!(status, expected, "{room}");
        }
    });
}
