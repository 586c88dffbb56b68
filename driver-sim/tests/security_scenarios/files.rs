//! Handles and names.

use std::collections::BTreeMap;

use driver_sim::client::{Part, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Pair;
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::info::FileInfoClass;
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::info::file::{FileBasicInformation, FileLinkInformation};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};
use smb_proto::msg::{Response, logoff};
use smb_proto::wire::Writer;

use crate::bed::S;

/// CVE-2025-37952, CVE-2026-74522: CLOSE twice, the end of the session, and another client that opens the
/// same file meanwhile, with the backend in between: one owner closes it, once.
#[test]
fn close_twice_beside_logoff_and_another_open() {
    const ENDS: &[NtStatus] = &[S::SUCCESS, S::FILE_CLOSED, S::USER_SESSION_DELETED];
    let world = || {
        let mut bed = Bed::new(Pair::new(), 2);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.pair
            .hold(|op| matches!(op, VfsOp::Close { .. } | VfsOp::Open { .. }));
        bed
    };
    let close = |name| Act::request(0, name, ENDS, |bed| ops::close(bed.file(0, 0)).into());
    let actors = [
        vec![close("first"), close("second")],
        vec![Act::part(0, "logoff", &[S::SUCCESS], |bed| {
            let session = bed.tree(0).target.session;
            Part::new(
                driver_sim::client::Target::session(session),
                logoff::Request,
            )
        })],
        vec![Act::request(1, "open", &[S::SUCCESS], |_| {
            ops::open("f").into()
        })],
        vec![Act::complete_newest(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().opens, 1);
        assert_eq!(bed.pair.fs().open_handles(), 1);
    });
    assert_eq!(explored.orders, 180);
    explored.assert_seen("first", &[S::SUCCESS, S::USER_SESSION_DELETED]);
    explored.assert_seen("second", &[S::FILE_CLOSED, S::USER_SESSION_DELETED]);
}

/// CVE-2025-71223, CVE-2025-68809: delete-on-close by one handle, the disposition set and cleared by
/// another, and both closed, in every order: the file goes if the last word was that it should, and
/// nobody opens what is about to go.
#[test]
fn delete_on_close_flags_beside_close() {
    let world = || {
        let mut bed = Bed::new(Pair::new(), 2);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.open(1, "f");
        bed.pair.hold(|op| matches!(op, VfsOp::Remove { .. }));
        bed
    };
    let dispose = |name, value: u8| {
        Act::request(0, name, &[S::SUCCESS, S::FILE_CLOSED], move |bed| {
            ops::set_file(bed.file(0, 0), FileInfoClass::Disposition, vec![value]).into()
        })
    };
    let close = |seat: usize, name| {
        Act::request(seat, name, &[S::SUCCESS], move |bed| {
            ops::close(bed.file(seat, 0)).into()
        })
    };
    let actors = [
        vec![
            dispose("set", 1),
            dispose("clear", 0),
            dispose("set again", 1),
        ],
        vec![close(0, "close one")],
        vec![close(1, "close two")],
        vec![Act::request(
            1,
            "open",
            &[S::SUCCESS, S::DELETE_PENDING, S::OBJECT_NAME_NOT_FOUND],
            |_| ops::open("f").into(),
        )],
        vec![Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        // What the last of the three that was in time has said.
        let in_time = |name: &str| bed.answer(name) == Some(S::SUCCESS);
        let doomed = match (in_time("set"), in_time("clear"), in_time("set again")) {
            (_, _, true) => true,
            (_, true, false) => false,
            (set, false, false) => set,
        };
        // Who has opened it in time still holds it.
        let held = bed.answer("open") == Some(S::SUCCESS);
        let there = bed.pair.fs().exists("f");
        assert_eq!(there, held || !doomed);
    });
    assert_eq!(explored.orders, 840);
    explored.assert_seen(
        "open",
        &[S::SUCCESS, S::DELETE_PENDING, S::OBJECT_NAME_NOT_FOUND],
    );
}

/// CVE-2026-64397: two QUERY_DIRECTORYs on one handle at once, cancelled, restarted, closed: one walk, in
/// which every name comes once.
#[test]
fn two_directory_queries_on_one_handle_at_once() {
    const ENDS: &[NtStatus] = &[
        S::SUCCESS,
        S::NO_MORE_FILES,
        S::NO_SUCH_FILE,
        S::FILE_CLOSED,
        S::CANCELLED,
    ];
    let world = || {
        let mut bed = Bed::new(Pair::new(), 1);
        bed.create(0, ops::make_dir("d"));
        for n in 0..30 {
            bed.pair
                .fs()
                .write_file(&format!("d\\{n:02}"), b"")
                .unwrap();
        }
        bed.pair
            .hold(|op| matches!(op, VfsOp::List { .. } | VfsOp::Stat { .. }));
        bed
    };
    let query = |name| {
        Act::request(0, name, ENDS, |bed| {
            ops::query_directory(bed.file(0, 0), FileInfoClass::Names, "*", 200).into()
        })
    };
    let actors = [
        vec![query("one"), query("two")],
        vec![query("three"), Act::cancel("two")],
        vec![Act::complete(), Act::complete(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        let mut seen = BTreeMap::new();
        for name in ["one", "two", "three"] {
            if let Some(Response::QueryDirectory(r)) = bed.reply(name).map(|r| &r.body) {
                for entry in parse_list(DirClass::Names, &r.output).unwrap() {
                    *seen.entry(entry.name).or_insert(0) += 1;
                }
            }
        }
        assert!(
            !seen.is_empty() && seen.values().all(|n| *n == 1),
            "{seen:?}"
        );
    });
    assert_eq!(explored.orders, 210);
    // And with the handle closed in between.
    let actors = [
        vec![query("one"), query("two")],
        vec![Act::request(0, "close", &[S::SUCCESS], |bed| {
            ops::close(bed.file(0, 0)).into()
        })],
        vec![Act::complete(), Act::complete()],
    ];
    let explored = explore(world, &actors, |_| {});
    assert_eq!(explored.orders, 30);
}

/// CVE-2024-41030, CVE-2025-37775: a directory is opened for writing, and written to: it has no data.
/// CVE-2024-57895: one time set alone moves the time of change, and nothing else.
#[test]
fn directory_written_to_and_one_time_set_alone() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let dir = pair.create(tree, ops::make_dir("d")).unwrap().file_id;
    for (request, name) in [
        (ops::write(dir, 0, "x").into(), "WRITE"),
        (ops::read(dir, 0, 1).into(), "READ"),
    ] as [(smb_proto::msg::Request, &str); 2]
    {
        let status = pair.call(tree, request).status();
        assert_eq!(status, S::INVALID_DEVICE_REQUEST, "{name}");
    }
    for disposition in [CreateDisposition::Overwrite, CreateDisposition::Supersede] {
        let request = create::Request {
            create_options: CreateOptions::DIRECTORY_FILE,
            ..ops::create("d", disposition)
        };
        assert_eq!(
            pair.create(tree, request).unwrap_err(),
            S::INVALID_PARAMETER
        );
    }
    let get = |pair: &mut Pair| {
        let raw = pair.query_file(tree, dir, FileInfoClass::Basic).unwrap();
        FileBasicInformation::parse(&raw).unwrap()
    };
    let before = get(&mut pair);
    pair.advance(std::time::Duration::from_secs(60));
    let mut w = Writer::new();
    FileBasicInformation {
        last_write_time: smb_proto::FileTime(before.last_write_time.0 - 10_000_000),
        creation_time: smb_proto::FileTime(0),
        last_access_time: smb_proto::FileTime(0),
        change_time: smb_proto::FileTime(0),
        ..before
    }
    .encode(&mut w);
    pair.set_file(tree, dir, FileInfoClass::Basic, w.written().to_vec())
        .unwrap();
    let after = get(&mut pair);
    assert_eq!(
        after.last_write_time.0,
        before.last_write_time.0 - 10_000_000
    );
    assert_eq!(after.creation_time, before.creation_time);
    assert!(after.change_time > before.change_time);
    pair.finish();
}

fn link(name: &str, replace: bool) -> Vec<u8> {
    let mut w = Writer::new();
    FileLinkInformation {
        replace_if_exists: replace,
        root_directory: 0,
        file_name: name.to_owned(),
    }
    .encode(&mut w);
    w.written().to_vec()
}

/// CVE-2025-38711, CVE-2026-45924: a hard link over a name that exists, replacing it or not, while that is
/// opened, closed and deleted by another: it is made, or refused, and nothing gets stuck.
#[test]
fn link_over_an_existing_name() {
    const ENDS: &[NtStatus] = &[
        S::SUCCESS,
        S::OBJECT_NAME_COLLISION,
        S::ACCESS_DENIED,
        S::DELETE_PENDING,
        S::SHARING_VIOLATION,
    ];
    for replace in [false, true] {
        let world = || {
            let mut bed = Bed::new(Pair::new(), 2);
            bed.create(0, ops::create("a", CreateDisposition::Create));
            bed.create(1, ops::create("b", CreateDisposition::Create));
            bed.pair
                .hold(|op| matches!(op, VfsOp::Link { .. } | VfsOp::Remove { .. }));
            bed
        };
        let actors = [
            vec![Act::request(0, "link", ENDS, move |bed| {
                ops::set_file(bed.file(0, 0), FileInfoClass::Link, link("b", replace)).into()
            })],
            vec![
                Act::request(1, "delete", &[S::SUCCESS], |bed| {
                    ops::set_file(bed.file(1, 0), FileInfoClass::Disposition, vec![1]).into()
                }),
                Act::request(1, "close", &[S::SUCCESS], |bed| {
                    ops::close(bed.file(1, 0)).into()
                }),
            ],
            vec![Act::complete(), Act::complete()],
        ];
        let explored = explore(world, &actors, |bed| {
            // The other's name is either gone or the link's.
            let linked = bed.answer("link") == Some(S::SUCCESS);
            assert_eq!(bed.pair.fs().exists("b"), linked);
            assert!(bed.pair.fs().exists("a"));
        });
        assert_eq!(explored.orders, 30);
    }
}
