//! What clients in the field have stumbled over with other servers; see docs/interop-traps.md.

mod leasing;

use driver_sim::client::{ClientConfig, ClientEvent, ops};
use driver_sim::pair::Pair;
use leasing::{RH, RWH, client, file, key, open_leased, server, told, waits};
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::info::{FileInfoClass, FsInfoClass};
use smb_proto::msg::query_directory::QueryDirectoryFlags;
use smb_proto::msg::{Response, close, flush, oplock_break, query_directory};
use smb_proto::{FileTime, NtStatus};

/// Windows takes an unsigned error for none at all, and waits.
#[test]
fn refusals_are_signed() {
    let mut pair = Pair::new();
    let end = pair.connect_as(ClientConfig::signing(ClientConfig::default()));
    let tree = pair.mount_on(end);
    let reply = pair.call(tree, ops::open("nothing"));
    assert_eq!(reply.status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert!(reply.signed);
    pair.finish();
}

/// Explorer asks for the entry of a folder that it has just made.
#[test]
fn an_exact_name_gives_that_entry_alone() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    let made = pair.create(tree, ops::make_dir("New folder")).unwrap();
    pair.close(tree, made.file_id).unwrap();
    for name in ["New folder", "NEW FOLDER"] {
        let request = query_directory::Request {
            flags: QueryDirectoryFlags::RETURN_SINGLE_ENTRY | QueryDirectoryFlags::RESTART_SCANS,
            ..ops::query_directory(root, FileInfoClass::IdBothDirectory, name, 4096)
        };
        let reply = pair.call(tree, request);
        let Response::QueryDirectory(list) = &reply.body else {
            panic!("{reply:?}");
        };
        let names: Vec<_> = parse_list(DirClass::IdBothDirectory, &list.output)
            .unwrap()
            .into_iter()
            .map(|e| e.name)
            .collect();
        assert_eq!(names, ["New folder"]);
    }
    pair.finish();
}

/// Who closes what it was to give up has acknowledged; nobody waits for the timeout. And a client with
/// a lease is told of it as of a lease.
#[test]
fn closing_acknowledges_a_break_of_a_lease() {
    let mut pair = server().build();
    let (holder, other) = (client(&mut pair, 1), client(&mut pair, 2));
    let (open, lease) = open_leased(&mut pair, holder, file("f"), key(1), RWH, None).unwrap();
    assert_eq!(lease.unwrap().state, RWH);
    let id = pair.start(other, file("f"));
    assert!(waits(&mut pair, other, id));
    let breaks = told(&mut pair, holder.end);
    assert_eq!(breaks.len(), 1);
    assert_eq!((breaks[0].from, breaks[0].to), (RWH, RH));
    pair.close(holder, open).unwrap();
    assert_eq!(pair.wait(other.end, id).status(), NtStatus::SUCCESS);
    let oplocks = pair
        .client_events(holder.end)
        .into_iter()
        .any(|e| matches!(e, ClientEvent::Break(oplock_break::Message::Oplock(_))));
    assert!(!oplocks);
    pair.finish();
}

/// Clients mount with these at hand, or not at all.
#[test]
fn classes_that_mounting_asks_for() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    for class in [
        FsInfoClass::SectorSize,
        FsInfoClass::ObjectId,
        FsInfoClass::Attribute,
        FsInfoClass::Volume,
        FsInfoClass::Device,
        FsInfoClass::FullSize,
    ] {
        pair.query_fs(tree, root, class).unwrap();
    }
    for class in [FileInfoClass::NormalizedName, FileInfoClass::All] {
        pair.query_file(tree, root, class).unwrap();
    }
    pair.finish();
}

/// macOS flushes to stable storage with 0xFFFF where the specification has zero, and asks again where
/// CLOSE tells no times.
#[test]
fn flush_and_close_as_macos_sends_them() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let f = pair.create_new(tree, "f").unwrap();
    pair.write(tree, f, 0, "data").unwrap();
    let flush = flush::Request {
        reserved1: 0xffff,
        file_id: f,
    };
    assert_eq!(pair.call(tree, flush).status(), NtStatus::SUCCESS);
    let close = close::Request {
        flags: close::CloseFlags::POSTQUERY_ATTRIB,
        file_id: f,
    };
    let reply = pair.call(tree, close);
    let Response::Close(told) = &reply.body else {
        panic!("{reply:?}");
    };
    assert_eq!(told.end_of_file, 4);
    for time in [
        told.creation_time,
        told.last_access_time,
        told.last_write_time,
        told.change_time,
    ] {
        assert_ne!(time, FileTime::ZERO);
    }
    pair.finish();
}
