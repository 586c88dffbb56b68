//! Tree connects and pipes.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Pair;
use smb_proto::fsctl::FsctlCode;
use smb_proto::info::{FileInfoClass, FsInfoClass, SecurityInformation};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{Request, tree_disconnect};
use smb_proto::{NtStatus, msg};

use crate::bed::S;

/// What a request may come to whose tree connect goes.
const ENDS: &[NtStatus] = &[
    S::SUCCESS,
    S::NETWORK_NAME_DELETED,
    S::FILE_CLOSED,
    S::NOTIFY_CLEANUP,
    S::RANGE_NOT_LOCKED,
    S::CANCELLED,
];

/// CVE-2022-47939 (CVSS 10), CVE-2023-32254, CVE-2023-53358, CVE-2025-68817: TREE_DISCONNECT twice, beside
/// any command on the tree connect that the backend takes its time for: what runs comes to its end or is
/// told that the tree connect has gone, and the second TREE_DISCONNECT finds none.
#[test]
fn tree_disconnect_twice_or_beside_any_command() {
    let world = || {
        let mut bed = Bed::new(Pair::new(), 1);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.create(0, ops::make_dir("d"));
        let (tree, file) = (bed.tree(0), bed.file(0, 0));
        bed.pair.write(tree, file, 0, "data").unwrap();
        bed.pair.hold(|_| true);
        bed
    };
    let commands: [fn(&Bed) -> Request; 16] = [
        |_| ops::open("f").into(),
        |_| ops::create("new", CreateDisposition::Create).into(),
        |_| ops::create("f", CreateDisposition::Overwrite).into(),
        |bed| ops::close(bed.file(0, 0)).into(),
        |bed| {
            msg::close::Request {
                flags: msg::close::CloseFlags::POSTQUERY_ATTRIB,
                ..ops::close(bed.file(0, 0))
            }
            .into()
        },
        |bed| ops::flush(bed.file(0, 0)).into(),
        |bed| ops::read(bed.file(0, 0), 0, 4).into(),
        |bed| ops::write(bed.file(0, 0), 0, "more").into(),
        |bed| ops::lock(bed.file(0, 0), 0, 1, LockFlags::EXCLUSIVE_LOCK).into(),
        |bed| ops::fsctl(bed.file(0, 0), FsctlCode::GET_COMPRESSION, vec![], 2).into(),
        |bed| ops::query_directory(bed.file(0, 1), FileInfoClass::Names, "*", 4096).into(),
        |bed| ops::notify(bed.file(0, 1), CompletionFilter::all(), true).into(),
        |bed| ops::query_file(bed.file(0, 0), FileInfoClass::All).into(),
        |bed| ops::query_fs(bed.file(0, 0), FsInfoClass::FullSize).into(),
        |bed| ops::query_security(bed.file(0, 0), SecurityInformation::DACL).into(),
        |bed| ops::set_file(bed.file(0, 0), FileInfoClass::EndOfFile, vec![0; 8]).into(),
    ];
    const DISCONNECTED: &[NtStatus] = &[S::SUCCESS, S::NETWORK_NAME_DELETED];
    let leave = |name| Act::request(0, name, DISCONNECTED, |_| tree_disconnect::Request.into());
    for command in commands {
        let actors = [
            vec![leave("first")],
            vec![leave("second")],
            vec![Act::request(0, "command", ENDS, command)],
            vec![Act::complete(), Act::complete_newest()],
        ];
        let explored = explore(world, &actors, |bed| {
            let both = [bed.answer("first"), bed.answer("second")];
            let successes = both.iter().filter(|s| **s == Some(S::SUCCESS)).count();
            assert_eq!(successes, 1);
            assert_eq!((bed.pair.counts().trees, bed.pair.counts().opens), (0, 0));
            assert_eq!(bed.pair.fs().open_handles(), 0);
        });
        assert_eq!(explored.orders, 60);
        explored.assert_seen("first", DISCONNECTED);
    }
}

/// CVE-2022-47938: shares that do not exist, and paths that name none; offsets and lengths that lead
/// outside are among the byte vectors.
#[test]
fn tree_connect_to_an_unknown_share() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let before = pair.counts();
    let session = driver_sim::client::Target::session(tree.target.session);
    for path in [
        "",
        "\\",
        "\\\\",
        "\\\\SIM",
        "\\\\SIM\\",
        "\\\\SIM\\nowhere",
        "\\\\SIM\\files\\d",
        "\\\\SIM\\..",
        "\\\\SIM\\\0",
        "files\0",
        &format!("\\\\SIM\\{}", "x".repeat(4000)),
    ] {
        let reply = pair.call_end(tree.end, session, ops::tree_connect(path));
        assert_eq!(reply.status(), S::BAD_NETWORK_NAME, "{path:?}");
        assert_eq!(pair.counts(), before);
    }
    pair.finish();
}

/// CVE-2022-50729, CVE-2025-71220: opening pipes that do not exist, or in ways that a pipe cannot be
/// opened, in a loop; no name leads out of the list of pipes (CVE-2017-7494, CVE-2023-3961).
#[test]
fn pipes_that_do_not_open() {
    let mut pair = Pair::new();
    let files = pair.mount();
    pair.fs().write_file("srvsvc", b"a file").unwrap();
    let ipc = pair.tree(files.end, files.target.session, "IPC$").unwrap();
    let before = pair.counts();
    for _ in 0..20 {
        for name in [
            "nosuchpipe",
            "",
            "..\\files",
            "../srvsvc",
            "srvsvc/..",
            "\\srvsvc\\x",
            "a\\..\\srvsvc",
            "/tmp/x.so",
            "pipe\\pipe\\srvsvc",
            "srvsvc:stream",
        ] {
            assert!(pair.open(ipc, name).is_err(), "{name:?}");
        }
        assert_eq!(pair.counts(), before);
    }
    pair.finish();
}

/// CVE-2025-37926, CVE-2025-40039, CVE-2025-40090: one pipe, opened and closed, written to and waited for,
/// by requests in every order, with the connection breaking in between: a pipe is a handle as any other.
#[test]
fn open_beside_close_of_pipes() {
    const PIPE: &[NtStatus] = &[
        S::SUCCESS,
        S::FILE_CLOSED,
        S::PIPE_BROKEN,
        S::PIPE_DISCONNECTED,
        S::NETWORK_NAME_DELETED,
        S::CANCELLED,
    ];
    let world = || {
        let mut pair = Pair::new();
        let files = pair.mount();
        let ipc = pair.tree(files.end, files.target.session, "IPC$").unwrap();
        let mut bed = Bed::of(pair, [ipc]);
        bed.open(0, "srvsvc");
        bed
    };
    let garbage = Bytes::from_static(&[0xff; 64]);
    let actors = [
        vec![
            Act::request(0, "read", PIPE, |bed| {
                ops::read(bed.file(0, 0), 0, 100).into()
            }),
            Act::cancel("read"),
        ],
        vec![Act::request(0, "write", PIPE, move |bed| {
            ops::write(bed.file(0, 0), 0, garbage.clone()).into()
        })],
        vec![
            Act::request(0, "close", PIPE, |bed| ops::close(bed.file(0, 0)).into()),
            Act::request(0, "again", PIPE, |bed| ops::close(bed.file(0, 0)).into()),
        ],
        vec![Act::request(0, "open", PIPE, |_| {
            ops::open("srvsvc").into()
        })],
        vec![Act::request(0, "leave", &[S::SUCCESS], |_| {
            tree_disconnect::Request.into()
        })],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().opens, 0);
    });
    assert_eq!(explored.orders, 1260);
    explored.assert_seen("close", &[S::SUCCESS, S::NETWORK_NAME_DELETED]);
    explored.assert_seen("again", &[S::FILE_CLOSED, S::NETWORK_NAME_DELETED]);
}
