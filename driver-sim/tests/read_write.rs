//! READ, WRITE and FLUSH, [MS-SMB2] 3.3.5.11 to 3.3.5.13.

use driver_sim::client::{ClientConfig, Part, ops};
use driver_sim::pair::{Pair, Tree};
use smb_engine::output::CloseReason;
use smb_engine::vfs::VfsOp;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::info::notify::{self, Action};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::{self, CreateOptions};
use smb_proto::msg::read::ReadFlags;
use smb_proto::msg::write::WriteFlags;
use smb_proto::msg::{Channel, Response, read, write};
use smb_proto::{Dialect, NtStatus};

const MAX: u64 = i64::MAX as u64;

fn open_as(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> FileId {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

fn read_min(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    offset: u64,
    length: u32,
    minimum_count: u32,
) -> Result<usize, NtStatus> {
    let reply = pair.call(
        tree,
        read::Request {
            minimum_count,
            ..ops::read(file, offset, length)
        },
    );
    match reply.body {
        Response::Read(r) => Ok(r.data.len()),
        _ => Err(reply.status()),
    }
}

#[test]
fn what_was_written_is_read() {
    for dialect in Dialect::ALL {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(dialect));
        let tree = pair.mount_on(end);
        let f = pair.create_new(tree, "a").unwrap();
        let data: Vec<u8> = (0..60_000u32).map(|i| i as u8).collect();
        assert_eq!(pair.write(tree, f, 10, data.clone()), Ok(60_000));
        assert_eq!(pair.read(tree, f, 0, 10).unwrap(), vec![0; 10]);
        assert_eq!(pair.read(tree, f, 10, 65_000).unwrap(), data);
        assert_eq!(pair.read(tree, f, 60_009, 2).unwrap(), data[59_999..]);
        assert_eq!(pair.flush(tree, f), Ok(()));
        pair.close(tree, f).unwrap();
        pair.finish();
    }
}

#[test]
fn the_end_of_a_file_and_minimum_counts() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[7; 70_000]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let size = 70_000;
    let eof = Err(NtStatus::END_OF_FILE);
    for (offset, length, minimum, expected) in [
        (0, 10, 1, Ok(10)),
        (size, 10, 0, eof),
        (size, 0, 0, Ok(0)),
        (size, 0, 1, eof),
        (size - 1, 2, 0, Ok(1)),
        (size - 1, 1, 2, eof),
        (0, 1, 0x10000, eof),
        (0, 5, 10, eof),
        (MAX - 1, 1, 0, eof),
        (MAX, 0, 0, Ok(0)),
        (MAX, 1, 0, Err(NtStatus::INVALID_PARAMETER)),
        (MAX + 1, 0, 0, Err(NtStatus::INVALID_PARAMETER)),
        (u64::MAX, 0, 0, Err(NtStatus::INVALID_PARAMETER)),
        (u64::MAX, 1, 0, Err(NtStatus::INVALID_PARAMETER)),
    ] {
        assert_eq!(
            read_min(&mut pair, tree, f, offset, length, minimum),
            expected,
            "{offset} {length} {minimum}"
        );
    }
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn where_nothing_can_be_written() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let f = pair.create_new(tree, "a").unwrap();
    let refused = Err(NtStatus::INVALID_PARAMETER);
    let end = 0xfff_ffff_0000;
    for (offset, len, expected) in [
        (u64::MAX, 100, refused),
        (u64::MAX - 1, 100, refused),
        (MAX + 1, 0, refused),
        (MAX, 1, refused),
        (MAX, 0, Ok(0)),
        (end, 1, refused),
        (end, 0, Ok(0)),
    ] {
        assert_eq!(
            pair.write(tree, f, offset, vec![1; len]),
            expected,
            "{offset} {len}"
        );
    }
    assert_eq!(pair.fs().read_file("a").unwrap(), b"");
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn rights() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"0123456789").unwrap();
    let tree = pair.mount();
    let denied = NtStatus::ACCESS_DENIED;
    let attributes = AccessMask::FILE_READ_ATTRIBUTES;
    for (access, may_read, may_write) in [
        (AccessMask::FILE_READ_DATA, true, false),
        (AccessMask::FILE_EXECUTE, true, false),
        (AccessMask::FILE_WRITE_DATA, false, true),
        (attributes, false, false),
        (AccessMask::FILE_WRITE_ATTRIBUTES, false, false),
    ] {
        let f = open_as(&mut pair, tree, "a", access | attributes);
        let read = pair.read(tree, f, 0, 4).map(|d| d.len());
        assert_eq!(read, if may_read { Ok(4) } else { Err(denied) });
        let write = pair.write(tree, f, 0, &b"0"[..]);
        assert_eq!(write, if may_write { Ok(1) } else { Err(denied) });
        let flush = pair.flush(tree, f);
        assert_eq!(flush, if may_write { Ok(()) } else { Err(denied) });
        pair.close(tree, f).unwrap();
    }
    pair.finish();
}

#[test]
fn who_may_only_append_overwrites_nothing() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"01234").unwrap();
    let tree = pair.mount();
    let f = open_as(&mut pair, tree, "a", AccessMask::FILE_APPEND_DATA);
    assert_eq!(
        pair.write(tree, f, 4, &b"x"[..]),
        Err(NtStatus::ACCESS_DENIED)
    );
    assert_eq!(pair.write(tree, f, 5, &b"5"[..]), Ok(1));
    assert_eq!(pair.write(tree, f, u64::MAX, &b"67"[..]), Ok(2));
    assert_eq!(pair.write(tree, f, 9, &b"9"[..]), Ok(1));
    assert_eq!(pair.fs().read_file("a").unwrap(), b"01234567\x009");
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn a_read_only_share_takes_nothing() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"0123").unwrap();
    let end = pair.connect();
    let files = pair.mount_on(end);
    let tree = pair.tree(end, files.target.session, "readonly").unwrap();
    let f = open_as(&mut pair, tree, "a", AccessMask::FILE_READ_DATA);
    assert_eq!(pair.read(tree, f, 0, 4).unwrap(), &b"0123"[..]);
    assert_eq!(
        pair.write(tree, f, 0, &b"x"[..]),
        Err(NtStatus::ACCESS_DENIED)
    );
    assert_eq!(pair.flush(tree, f), Err(NtStatus::ACCESS_DENIED));
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn directories_have_no_data_but_can_be_flushed() {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let refused = NtStatus::INVALID_DEVICE_REQUEST;
    assert_eq!(pair.read(tree, d, 0, 10), Err(refused));
    assert_eq!(pair.read(tree, d, 0, 0), Err(refused));
    assert_eq!(pair.write(tree, d, 0, &b"x"[..]), Err(refused));
    assert_eq!(pair.flush(tree, d), Ok(()));
    pair.close(tree, d).unwrap();
    pair.finish();
}

#[test]
fn more_than_was_announced_is_refused() {
    let mut pair = Pair::builder()
        .config(|c| {
            c.limits.max_read = 1 << 20;
            c.limits.max_write = 1 << 20;
        })
        .build();
    pair.fs().write_file("a", &[1; 3 << 20]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let refused = Err(NtStatus::INVALID_PARAMETER);
    assert_eq!(pair.read(tree, f, 0, 1 << 20).unwrap().len(), 1 << 20);
    assert_eq!(read_min(&mut pair, tree, f, 0, (1 << 20) + 1, 0), refused);
    assert_eq!(pair.write(tree, f, 0, vec![2; 1 << 20]), Ok(1 << 20));
    assert_eq!(
        pair.write(tree, f, 0, vec![2; (1 << 20) + 1])
            .map(|n| n as usize),
        refused
    );
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn the_charge_covers_the_data() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[1; 100]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    for (request, expected) in [
        (ops::read(f, 0, 65_536), NtStatus::SUCCESS),
        (ops::read(f, 0, 65_537), NtStatus::INVALID_PARAMETER),
    ] {
        let mut part = Part::new(tree.target, request);
        part.charge = Some(1);
        assert_eq!(pair.call_part(tree.end, part).status(), expected);
    }
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn there_is_no_rdma() {
    for (dialect, expected) in [
        (Dialect::Smb210, NtStatus::SUCCESS),
        (Dialect::Smb300, NtStatus::INVALID_PARAMETER),
        (Dialect::Smb311, NtStatus::INVALID_PARAMETER),
    ] {
        let mut pair = Pair::new();
        pair.fs().write_file("a", &[1; 100]).unwrap();
        let end = pair.connect_as(ClientConfig::only(dialect));
        let tree = pair.mount_on(end);
        let f = pair.open(tree, "a").unwrap();
        let read = read::Request {
            channel: Channel::RDMA_V1,
            ..ops::read(f, 0, 10)
        };
        assert_eq!(pair.call(tree, read).status(), expected);
        let write = write::Request {
            channel: Channel::RDMA_V1,
            ..ops::write(f, 0, &b"x"[..])
        };
        assert_eq!(pair.call(tree, write).status(), expected);
        pair.close(tree, f).unwrap();
        pair.finish();
    }
}

fn is_write_through(op: &VfsOp) -> bool {
    matches!(op, VfsOp::Write { through: true, .. })
}

#[test]
fn write_through() {
    for (dialect, flags, options, expected) in [
        (
            Dialect::Smb311,
            WriteFlags::empty(),
            CreateOptions::empty(),
            0,
        ),
        (
            Dialect::Smb311,
            WriteFlags::WRITE_THROUGH,
            CreateOptions::empty(),
            1,
        ),
        (
            Dialect::Smb311,
            WriteFlags::WRITE_UNBUFFERED,
            CreateOptions::empty(),
            0,
        ),
        (
            Dialect::Smb202,
            WriteFlags::WRITE_THROUGH,
            CreateOptions::empty(),
            0,
        ),
        (
            Dialect::Smb202,
            WriteFlags::empty(),
            CreateOptions::WRITE_THROUGH,
            1,
        ),
    ] {
        let mut pair = Pair::new();
        pair.fs().write_file("a", b"").unwrap();
        let end = pair.connect_as(ClientConfig::only(dialect));
        let tree = pair.mount_on(end);
        let open = create::Request {
            create_options: options,
            ..ops::open("a")
        };
        let f = pair.create(tree, open).unwrap().file_id;
        pair.hold(is_write_through);
        let id = pair.start(
            tree,
            write::Request {
                flags,
                ..ops::write(f, 0, &b"x"[..])
            },
        );
        assert_eq!(pair.held(), expected, "{dialect} {flags:?} {options:?}");
        pair.release();
        pair.run();
        assert_eq!(pair.wait(end, id).status(), NtStatus::SUCCESS);
        pair.close(tree, f).unwrap();
        pair.finish();
    }
}

#[test]
fn unbuffered_reading_is_reading() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"0123").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let request = read::Request {
        flags: ReadFlags::READ_UNBUFFERED,
        ..ops::read(f, 0, 4)
    };
    assert_eq!(pair.call(tree, request).status(), NtStatus::SUCCESS);
    pair.close(tree, f).unwrap();
    pair.finish();
}

fn is_read(op: &VfsOp) -> bool {
    matches!(op, VfsOp::Read { .. })
}

#[test]
fn a_read_outlives_its_connection_in_peace() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"0123").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    pair.hold(is_read);
    pair.start(tree, ops::read(f, 0, 4));
    assert_eq!(pair.held(), 1);
    pair.disconnect(tree.end);
    pair.run();
    // The file stays open as long as the backend reads from it.
    assert_eq!(pair.fs().open_handles(), 1);
    pair.release();
    pair.run();
    assert_eq!(pair.fs().open_handles(), 0);
    assert_eq!(pair.close_reason(tree.end), None::<&CloseReason>);
    pair.finish();
}

#[test]
fn a_slow_disk_makes_an_interim_answer() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"0123").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    pair.hold(is_read);
    let id = pair.start(tree, ops::read(f, 0, 4));
    pair.advance(std::time::Duration::from_secs(5));
    assert_eq!(pair.reply(tree.end, id), None);
    pair.release();
    pair.run();
    let reply = pair.wait(tree.end, id);
    assert!(reply.was_async);
    assert!(matches!(reply.body, Response::Read(r) if r.data == b"0123"[..]));
    pair.close(tree, f).unwrap();
    pair.finish();
}

#[test]
fn watches_are_told_of_writing() {
    let mut pair = Pair::new();
    pair.fs().write_file("d\\a", b"0123").unwrap();
    let tree = pair.mount();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let f = pair.open(tree, "d\\a").unwrap();
    let id = pair.start(tree, ops::notify(d, CompletionFilter::LAST_WRITE, false));
    assert_eq!(pair.reply(tree.end, id), None);
    assert_eq!(pair.write(tree, f, 0, &b""[..]), Ok(0));
    assert_eq!(pair.reply(tree.end, id), None);
    assert_eq!(pair.write(tree, f, 0, &b"x"[..]), Ok(1));
    let Response::ChangeNotify(r) = pair.wait(tree.end, id).body else {
        panic!()
    };
    let changes = notify::parse(&r.output).unwrap();
    assert_eq!(changes[0].action, Action::MODIFIED);
    assert_eq!(changes[0].name, "a");
    pair.close(tree, f).unwrap();
    pair.close(tree, d).unwrap();
    pair.finish();
}

#[test]
fn reading_and_writing_in_one_message() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let replies = pair.call_compound(
        tree.end,
        vec![
            Part::new(t, ops::create("a", create::CreateDisposition::Create)),
            Part::new(t, ops::write(FileId::RELATED, 0, &b"abc"[..])).related(),
            Part::new(t, ops::read(FileId::RELATED, 1, 10)).related(),
            Part::new(t, ops::close(FileId::RELATED)).related(),
        ],
    );
    for reply in &replies {
        assert_eq!(reply.status(), NtStatus::SUCCESS);
    }
    assert!(matches!(&replies[2].body, Response::Read(r) if r.data == b"bc"[..]));
    pair.finish();
}
