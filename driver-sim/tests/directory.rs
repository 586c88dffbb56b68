//! Listing directories, [MS-SMB2] 3.3.5.18.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::info::dir::{DirClass, DirEntry, parse_list};
use smb_proto::msg::query_directory::{QueryDirectoryFlags as F, Request};
use smb_proto::msg::{Response, create};

fn world(names: &[&str]) -> (Pair, Tree, FileId) {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    for name in names {
        pair.fs()
            .write_file(&format!("d\\{name}"), name.as_bytes())
            .unwrap();
    }
    let tree = pair.mount();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    (pair, tree, dir)
}

fn request(dir: FileId, pattern: &str, flags: F, room: u32) -> Request {
    Request {
        flags,
        ..ops::query_directory(dir, FileInfoClass::IdBothDirectory, pattern, room)
    }
}

fn entries(response: &Response) -> Vec<DirEntry> {
    match response {
        Response::QueryDirectory(r) => parse_list(DirClass::IdBothDirectory, &r.output).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ask(pair: &mut Pair, tree: Tree, request: Request) -> Result<Vec<String>, NtStatus> {
    let reply = pair.call(tree, request);
    match reply.status() {
        NtStatus::SUCCESS => Ok(entries(&reply.body).into_iter().map(|e| e.name).collect()),
        status => Err(status),
    }
}

#[test]
fn everything_with_its_metadata() {
    let (mut pair, tree, dir) = world(&["B.txt", "a"]);
    let all = pair.list(tree, dir, "*").unwrap();
    let names: Vec<_> = all.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, [".", "..", "a", "B.txt"]);
    assert_eq!((all[3].end_of_file, all[2].end_of_file), (5, 1));
    assert!(all[0].file_id != 0 && all[1].file_id == 0);
    assert_ne!(all[2].file_id, all[3].file_id);
    pair.finish();
}

#[test]
fn patterns() {
    for (pattern, names) in [
        ("", &[".", "..", "a.txt", "b", "b.c"][..]),
        ("*.TXT", &["a.txt"]),
        ("b*", &["b", "b.c"]),
        ("<.c", &["b.c"]),
        ("?", &[".", "b"]),
        ("B", &["b"]),
    ] {
        let (mut pair, tree, dir) = world(&["a.txt", "b", "b.c"]);
        assert_eq!(
            ask(&mut pair, tree, request(dir, pattern, F::empty(), 65536)).unwrap(),
            names,
            "{pattern:?}"
        );
        pair.finish();
    }
}

#[test]
fn nothing_found_and_nothing_more() {
    let (mut pair, tree, dir) = world(&["a"]);
    let mut ask = |pattern, flags| ask(&mut pair, tree, request(dir, pattern, flags, 65536));
    assert_eq!(ask("x*", F::empty()), Err(NtStatus::NO_SUCH_FILE));
    assert_eq!(ask("x*", F::empty()), Err(NtStatus::NO_MORE_FILES));
    // The pattern is that of the first query until a restart or reopen brings another.
    assert_eq!(ask("a", F::empty()), Err(NtStatus::NO_MORE_FILES));
    assert_eq!(ask("a", F::RESTART_SCANS).unwrap(), ["a"]);
    assert_eq!(ask("", F::RESTART_SCANS).unwrap(), ["a"]);
    assert_eq!(ask("y", F::RESTART_SCANS), Err(NtStatus::NO_MORE_FILES));
    assert_eq!(ask("y", F::REOPEN), Err(NtStatus::NO_SUCH_FILE));
    assert_eq!(ask("", F::REOPEN).unwrap(), [".", "..", "a"]);
    pair.finish();
}

#[test]
fn one_at_a_time() {
    let (mut pair, tree, dir) = world(&["a", "b"]);
    for name in [".", "..", "a", "b"] {
        let single = request(dir, "*", F::RETURN_SINGLE_ENTRY, 65536);
        assert_eq!(ask(&mut pair, tree, single).unwrap(), [name]);
    }
    let single = request(dir, "*", F::RETURN_SINGLE_ENTRY, 65536);
    assert_eq!(ask(&mut pair, tree, single), Err(NtStatus::NO_MORE_FILES));
    pair.finish();
}

#[test]
fn small_buffers() {
    let names: Vec<_> = (0..50).map(|i| format!("file-{i:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (mut pair, tree, dir) = world(&names);
    let mut got = Vec::new();
    loop {
        match ask(&mut pair, tree, request(dir, "*", F::empty(), 300)) {
            Ok(some) => {
                assert!((1..=3).contains(&some.len()));
                got.extend(some);
            }
            Err(status) => {
                assert_eq!(status, NtStatus::NO_MORE_FILES);
                break;
            }
        }
    }
    assert_eq!(got[2..], names);
    // The fixed part must fit, and the first entry too.
    let least = u32::try_from(DirClass::IdBothDirectory.fixed_len()).unwrap();
    for room in [0, least - 1, least] {
        let small = request(dir, "file-07", F::REOPEN, room);
        assert_eq!(
            ask(&mut pair, tree, small),
            Err(NtStatus::INFO_LENGTH_MISMATCH)
        );
    }
    let enough = request(dir, "file-07", F::REOPEN, least + 14);
    assert_eq!(ask(&mut pair, tree, enough).unwrap(), ["file-07"]);
    pair.finish();
}

#[test]
fn every_class() {
    let (mut pair, tree, dir) = world(&["a"]);
    for class in DirClass::ALL {
        let q = Request {
            flags: F::REOPEN,
            ..ops::query_directory(dir, class.info_class(), "*", 65536)
        };
        let reply = pair.call(tree, q);
        if class == DirClass::Posix {
            assert_eq!(reply.status(), NtStatus::INVALID_INFO_CLASS);
            continue;
        }
        let Response::QueryDirectory(r) = &reply.body else {
            panic!("{class:?}: {reply:?}");
        };
        let names: Vec<_> = parse_list(class, &r.output)
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, [".", "..", "a"], "{class:?}");
    }
    pair.finish();
}

#[test]
fn refusals() {
    let (mut pair, tree, dir) = world(&["a"]);
    let file = pair.open(tree, "d\\a").unwrap();
    let good = request(dir, "*", F::empty(), 65536);
    let no_class = Request {
        file_information_class: 4,
        ..good.clone()
    };
    let too_long = Request {
        output_buffer_length: (8 << 20) + 1,
        ..good.clone()
    };
    for (request, status) in [
        (
            request(file, "*", F::empty(), 65536),
            NtStatus::INVALID_PARAMETER,
        ),
        (no_class, NtStatus::INVALID_INFO_CLASS),
        (too_long, NtStatus::INVALID_PARAMETER),
        (
            request(dir, "a\\b", F::empty(), 65536),
            NtStatus::OBJECT_NAME_INVALID,
        ),
    ] {
        assert_eq!(ask(&mut pair, tree, request), Err(status));
    }
    let blind = pair
        .create(
            tree,
            create::Request {
                desired_access: AccessMask::FILE_READ_ATTRIBUTES,
                ..ops::open_dir("d")
            },
        )
        .unwrap()
        .file_id;
    assert_eq!(
        ask(&mut pair, tree, request(blind, "*", F::empty(), 65536)),
        Err(NtStatus::ACCESS_DENIED)
    );
    pair.finish();
}

#[test]
fn queries_on_one_open_take_turns() {
    let names: Vec<_> = (0..400).map(|i| format!("{i:03}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (mut pair, tree, dir) = world(&names);
    pair.hold(|op| matches!(op, VfsOp::List { .. }));
    let ids: Vec<_> = (0..40)
        .map(|_| pair.start(tree, request(dir, "*", F::empty(), 2000)))
        .collect();
    assert_eq!(pair.held(), 1, "only one query works at a time");
    pair.release();
    let mut got = Vec::new();
    for id in ids {
        let reply = pair.wait(tree.end, id);
        if reply.status() == NtStatus::SUCCESS {
            got.extend(entries(&reply.body).into_iter().map(|e| e.name));
        } else {
            assert_eq!(reply.status(), NtStatus::NO_MORE_FILES);
        }
    }
    assert_eq!(got.len(), 402);
    got.sort();
    assert_eq!(got[2..], names);
    pair.finish();
}

#[test]
fn a_waiting_query_can_be_cancelled_and_closed() {
    let (mut pair, tree, dir) = world(&["a"]);
    pair.hold(|op| matches!(op, VfsOp::List { .. }));
    let first = pair.start(tree, request(dir, "*", F::empty(), 65536));
    let second = pair.start(tree, request(dir, "*", F::empty(), 65536));
    let third = pair.start(tree, request(dir, "*", F::empty(), 65536));
    pair.client(tree.end).cancel(second);
    pair.run();
    assert_eq!(pair.wait(tree.end, second).status(), NtStatus::CANCELLED);
    let close = pair.start(tree, ops::close(dir));
    assert_eq!(pair.wait(tree.end, third).status(), NtStatus::FILE_CLOSED);
    pair.release();
    assert_eq!(pair.wait(tree.end, first).status(), NtStatus::SUCCESS);
    assert_eq!(pair.wait(tree.end, close).status(), NtStatus::SUCCESS);
    pair.finish();
}
