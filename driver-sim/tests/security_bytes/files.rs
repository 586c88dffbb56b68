//! Offsets and sizes in files and streams, names, and information about what has none.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::id::FileId;
use smb_proto::info::file::FileRenameInformation;
use smb_proto::info::{FileInfoClass, FsInfoClass};
use smb_proto::msg::lock::LockFlags;
use smb_proto::wire::Writer;

use crate::bed::{INVALID, patched, twice};

fn eof(pair: &mut Pair, tree: Tree, file: FileId, size: i64) -> Result<(), NtStatus> {
    let buffer = size.to_le_bytes().to_vec();
    pair.set_file(tree, file, FileInfoClass::EndOfFile, buffer)
}

/// CVE-2024-56626, CVE-2024-56627, CVE-2025-37947: offsets of streams that are negative, or at or
/// behind the end.
#[test]
fn stream_offsets_negative_or_behind_the_end() {
    twice(|pair| {
        pair.fs().write_file("f", b"data").unwrap();
        let tree = pair.mount();
        for name in ["f:s", "f"] {
            let file = pair
                .create(
                    tree,
                    ops::create(name, smb_proto::msg::create::CreateDisposition::OpenIf),
                )
                .unwrap()
                .file_id;
            pair.write(tree, file, 0, "stream").unwrap();
            let end = pair.fs().read_file(name).unwrap().len() as u64;
            for offset in [end, end + 1, 1 << 16, 1 << 40, i64::MAX as u64 - 10] {
                let read = pair.read(tree, file, offset, 10);
                assert_eq!(read, Err(NtStatus::END_OF_FILE), "{offset}");
            }
            assert_eq!(&pair.read(tree, file, end - 1, 10).unwrap()[..], b"m");
            for offset in [1 << 63, u64::MAX, u64::MAX - 9, i64::MAX as u64 - 5] {
                let read = pair.read(tree, file, offset, 10);
                assert_eq!(read, Err(INVALID), "{offset}");
                // All ones mean "append" where the specification has it, else nothing.
                let write = pair.write(tree, file, offset, "0123456789");
                assert_eq!(write, Err(INVALID), "{offset}");
            }
            // A gap reads as zeros, not as what happened to lie there.
            pair.write(tree, file, end + 4, "x").unwrap();
            assert_eq!(&pair.read(tree, file, end, 10).unwrap()[..], b"\0\0\0\0x");
            // What no file can hold.
            let far = pair.write(tree, file, (1 << 62) + 7, "x");
            assert!(far.is_err(), "{far:?}");
            pair.close(tree, file).unwrap();
        }
    });
}

fn rename_to(name: &str) -> Vec<u8> {
    let mut w = Writer::new();
    FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: name.to_owned(),
    }
    .encode(&mut w);
    w.written().to_vec()
}

/// CVE-2025-37956, CVE-2021-47568: a new name that is empty, or longer than the buffer, or no name.
#[test]
fn rename_to_nothing() {
    twice(|pair| {
        pair.fs().write_file("f", b"data").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        for class in [FileInfoClass::Rename, FileInfoClass::Link] {
            let mut set = |bytes: Vec<u8>| pair.set_file(tree, file, class, bytes).unwrap_err();
            // [MS-FSA] 2.1.5.15.11: an empty name is no name.
            assert_eq!(set(rename_to("")), NtStatus::OBJECT_NAME_INVALID);
            let good = rename_to("new");
            for len in [7u32, 8, 1000, 0x7fff_fffe, u32::MAX - 1, u32::MAX] {
                let status = set(patched(good.clone(), &[(16, &len.to_le_bytes())]));
                let refused = [
                    INVALID,
                    NtStatus::INFO_LENGTH_MISMATCH,
                    NtStatus::OBJECT_NAME_INVALID,
                ];
                assert!(refused.contains(&status), "{len}: {status}");
            }
            for len in 0..20 {
                let status = set(good[..len].to_vec());
                assert_eq!(status, NtStatus::INFO_LENGTH_MISMATCH, "cut to {len}");
            }
            for name in ["\0", "a\0b", "a\"b", "a|b", "a\\\\b", "<", "*"] {
                let status = set(rename_to(name));
                assert_eq!(status, NtStatus::OBJECT_NAME_INVALID, "{name:?}");
            }
        }
        assert_eq!(pair.fs().tree().lines().count(), 2, "{}", pair.fs().tree());
    });
}

/// CVE-2025-71153, CVE-2025-40286: what a failing query or read has taken, it gives back.
#[test]
fn failing_queries_and_reads_keep_nothing() {
    twice(|pair| {
        pair.fs().write_file("f", b"data").unwrap();
        pair.fs().write_file("f:s", b"stream").unwrap();
        pair.fs().make_dir("d").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
        let before = pair.counts();
        for class in FileInfoClass::ALL {
            for room in [0, 1, 4, 8, 39, 40, 95, 96, 100] {
                let mut request = ops::query_file(file, *class);
                request.output_buffer_length = room;
                let reply = pair.call(tree, request);
                let fits = match &reply.body {
                    smb_proto::msg::Response::QueryInfo(r) => r.output.len() <= room as usize,
                    _ => true,
                };
                assert!(fits, "{class:?} {room}");
            }
        }
        for _ in 0..50 {
            assert!(pair.read(tree, dir, 0, 10).is_err());
            assert!(pair.read(tree, file, 4, 10).is_err());
        }
        assert_eq!(pair.counts(), before);
    });
}

/// CVE-2023-32248, CVE-2023-53399: IPC$ has no file system.
#[test]
fn file_system_information_of_ipc() {
    twice(|pair| {
        let end = pair.connect();
        let files = pair.mount_on(end);
        let ipc = pair.tree(end, files.target.session, "IPC$").unwrap();
        let pipe = pair.open(ipc, "srvsvc").unwrap();
        for class in FsInfoClass::ALL {
            let status = pair.query_fs(ipc, pipe, *class).unwrap_err();
            let fits = matches!(
                status,
                NtStatus::INVALID_DEVICE_REQUEST
                    | NtStatus::NOT_SUPPORTED
                    | NtStatus::INVALID_INFO_CLASS
            );
            assert!(fits, "{class:?}: {status}");
        }
    });
}

/// CVE-2025-68786: sizes of zero, and equal to the present one, while ranges are locked: no range is
/// computed from the size less one. Locks do not hinder a change of size: [MS-FSA] 2.1.5.15.4 looks
/// at none.
#[test]
fn end_of_file_with_locked_ranges() {
    twice(|pair| {
        pair.fs().write_file("f", b"0123456789").unwrap();
        let (one, two) = (pair.mount(), pair.mount());
        let (mine, theirs) = (pair.open(one, "f").unwrap(), pair.open(two, "f").unwrap());
        let now = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
        for (offset, length) in [(0, 1), (9, 1), (10, u64::MAX - 10), (u64::MAX, 0)] {
            pair.lock(one, ops::lock(mine, offset, length, now))
                .unwrap();
        }
        for size in [10, 9, 0, 0, 11, 10] {
            assert_eq!(eof(pair, two, theirs, size), Ok(()), "{size}");
        }
        // The locks are where they were.
        let conflict = Err(NtStatus::FILE_LOCK_CONFLICT);
        assert_eq!(pair.read(two, theirs, 0, 1), conflict);
        assert_eq!(&pair.read(two, theirs, 1, 1).unwrap()[..], b"\0");
        for size in [-1, i64::MIN] {
            assert_eq!(eof(pair, two, theirs, size), Err(INVALID));
        }
        pair.fs().write_file("empty", b"").unwrap();
        let empty = pair.open(one, "empty").unwrap();
        pair.lock(one, ops::lock(empty, 0, u64::MAX, now)).unwrap();
        assert_eq!(eof(pair, one, empty, 0), Ok(()));
    });
}

/// CVE-2022-32742, CVE-2025-9640: a hole reads as zeros, in files and streams.
#[test]
fn holes_read_as_zeros() {
    twice(|pair| {
        let tree = pair.mount();
        pair.fs().write_file("f", b"secretsecret").unwrap();
        for name in ["f", "f:s"] {
            let file = pair
                .create(
                    tree,
                    ops::create(name, smb_proto::msg::create::CreateDisposition::OpenIf),
                )
                .unwrap()
                .file_id;
            pair.write(tree, file, 0, "secretsecret").unwrap();
            eof(pair, tree, file, 2).unwrap();
            eof(pair, tree, file, 12).unwrap();
            let data = pair.read(tree, file, 0, 100).unwrap();
            assert_eq!(&data[..], b"se\0\0\0\0\0\0\0\0\0\0", "{name}");
        }
    });
}

/// A backend that fails leaves nothing behind either.
#[test]
fn a_connection_that_breaks_during_an_error_keeps_nothing() {
    twice(|pair| {
        pair.fs().write_file("f", b"data").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        pair.hold(|op| matches!(op, VfsOp::Read { .. } | VfsOp::Streams { .. }));
        pair.start(tree, ops::read(file, 100, 10));
        pair.start(tree, ops::query_file(file, FileInfoClass::All));
        pair.start(tree, ops::query_file(file, FileInfoClass::Stream));
        pair.disconnect(tree.end);
    });
}
