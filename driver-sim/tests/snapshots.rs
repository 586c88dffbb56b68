//! Snapshots: FSCTL_SRV_ENUMERATE_SNAPSHOTS ([MS-SMB2] 3.3.5.15.1), and opens of what was (3.3.5.9.4).

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::{Capabilities, parse_snapshot_token};
use smb_proto::create_ctx::TimewarpToken;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, SrvSnapshotArray};
use smb_proto::id::FileId;
use smb_proto::info::file::{
    FileDispositionInformation, FileEndOfFileInformation, FileRenameInformation,
};
use smb_proto::info::{FileInfoClass, SecurityInformation};
use smb_proto::msg::create::{CreateDisposition, CreateOptions};
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, NtStatus};

const FIRST: &str = "@GMT-2024.02.29-01.02.03";
const SECOND: &str = "@GMT-2024.03.01-00.00.00";

fn time(token: &str) -> FileTime {
    parse_snapshot_token(token).unwrap()
}

/// Three states of a share: `d\f` had other content in each, `d\g` came with the second.
fn three_states() -> (Pair, Tree) {
    let mut pair = Pair::new();
    let fs = pair.fs();
    fs.make_dir("d").unwrap();
    fs.write_file("d\\f", b"one").unwrap();
    fs.take_snapshot(time(FIRST));
    fs.write_file("d\\f", b"two").unwrap();
    fs.write_file("d\\g", b"").unwrap();
    fs.take_snapshot(time(SECOND));
    fs.write_file("d\\f", b"three").unwrap();
    let tree = pair.mount();
    (pair, tree)
}

fn at(name: &str, token: &str) -> create::Request {
    let mut request = ops::open(name);
    let timestamp = time(token);
    request.contexts.push(TimewarpToken { timestamp }.to_raw());
    request
}

fn read(pair: &mut Pair, tree: Tree, request: create::Request) -> Bytes {
    let f = pair.create(tree, request).unwrap().file_id;
    let data = pair.read(tree, f, 0, 100).unwrap();
    pair.close(tree, f).unwrap();
    data
}

fn refused(pair: &mut Pair, tree: Tree, request: create::Request) -> NtStatus {
    pair.create(tree, request).unwrap_err()
}

#[test]
fn they_are_listed() {
    let (mut pair, tree) = three_states();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let mut ask = |max| {
        let code = FsctlCode::SRV_ENUMERATE_SNAPSHOTS;
        let reply = pair.call(tree, ops::fsctl(d, code, Bytes::new(), max));
        assert_eq!(reply.status(), NtStatus::SUCCESS);
        let Response::Ioctl(answer) = &reply.body else {
            panic!("{reply:?}");
        };
        SrvSnapshotArray::parse(&answer.output).unwrap()
    };
    assert_eq!(ask(4096).snapshots, [SECOND, FIRST]);
    // Too little room: how many there are, and how much they need.
    let counted = ask(16);
    assert_eq!(counted.snapshots, [""; 0]);
    assert_eq!(counted.number_of_snapshots, 2);
    assert_eq!(counted.snapshot_array_size, 2 * 50 + 2);
    pair.finish();
}

#[test]
fn only_who_may_list_the_directory_sees_them() {
    let (mut pair, tree) = three_states();
    for (desired_access, expected) in [
        (AccessMask::FILE_READ_ATTRIBUTES, NtStatus::ACCESS_DENIED),
        (AccessMask::FILE_LIST_DIRECTORY, NtStatus::SUCCESS),
    ] {
        let request = create::Request {
            desired_access,
            ..ops::open_dir("d")
        };
        let d = pair.create(tree, request).unwrap().file_id;
        let code = FsctlCode::SRV_ENUMERATE_SNAPSHOTS;
        let reply = pair.call(tree, ops::fsctl(d, code, Bytes::new(), 4096));
        assert_eq!(reply.status(), expected);
    }
    pair.finish();
}

#[test]
fn what_was_is_there() {
    let (mut pair, tree) = three_states();
    for (request, content) in [
        (at("d\\f", FIRST), "one"),
        (at("d\\f", SECOND), "two"),
        (ops::open("d\\f"), "three"),
        (ops::open(&format!("{FIRST}\\d\\f")), "one"),
        (ops::open(&format!("d\\{SECOND}\\f")), "two"),
        (ops::open(&format!("d\\f\\{FIRST}")), "one"),
    ] {
        let name = request.name.clone();
        assert_eq!(read(&mut pair, tree, request), content, "{name}");
    }
    for (name, token) in [("d\\g", FIRST), ("d\\f", "@GMT-2024.02.29-01.02.04")] {
        assert_eq!(
            refused(&mut pair, tree, at(name, token)),
            NtStatus::OBJECT_NAME_NOT_FOUND
        );
    }
    // Zero is the present.
    let mut now = ops::open("d\\f");
    let timestamp = FileTime::ZERO;
    now.contexts.push(TimewarpToken { timestamp }.to_raw());
    assert_eq!(read(&mut pair, tree, now), "three");
    pair.finish();
}

#[test]
fn the_past_is_a_file_of_its_own() {
    let (mut pair, tree) = three_states();
    // Nobody else may do anything with it, in this state.
    let mut alone = at("d\\f", FIRST);
    alone.share_access = create::ShareAccess::empty();
    let past = pair.create(tree, alone).unwrap().file_id;
    assert_eq!(
        refused(&mut pair, tree, at("d\\f", FIRST)),
        NtStatus::SHARING_VIOLATION
    );
    for request in [ops::open("d\\f"), at("d\\f", SECOND)] {
        let f = pair.create(tree, request).unwrap().file_id;
        pair.close(tree, f).unwrap();
    }
    // It is not in the way of a new name of the directory, and has no part in it.
    let mut directory = ops::open_dir("d");
    directory.desired_access |= AccessMask::DELETE;
    let d = pair.create(tree, directory).unwrap().file_id;
    let buffer = bytes(|w| {
        FileRenameInformation {
            replace_if_exists: false,
            root_directory: 0,
            file_name: "e".to_owned(),
        }
        .encode(w);
    });
    let renamed = pair.set_file(tree, d, FileInfoClass::Rename, buffer);
    assert_eq!(renamed, Ok(()));
    let name = pair.query_file(tree, past, FileInfoClass::NormalizedName);
    assert_eq!(name.unwrap()[4..], *b"d\0\\\0f\0");
    pair.finish();
}

fn set(pair: &mut Pair, tree: Tree, f: FileId, class: FileInfoClass, data: Bytes) -> NtStatus {
    pair.call(tree, ops::set_file(f, class, data)).status()
}

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

#[test]
fn nothing_of_it_can_be_changed() {
    use FileInfoClass as C;
    const PROTECTED: NtStatus = NtStatus::MEDIA_WRITE_PROTECTED;
    let (mut pair, tree) = three_states();
    for (name, disposition) in [
        ("d\\f", CreateDisposition::Overwrite),
        ("d\\f", CreateDisposition::OverwriteIf),
        ("d\\f", CreateDisposition::Supersede),
        ("d\\new", CreateDisposition::Create),
        ("d\\new", CreateDisposition::OpenIf),
        ("d\\new", CreateDisposition::Supersede),
    ] {
        let mut request = ops::create(name, disposition);
        request.contexts = at(name, FIRST).contexts;
        assert_eq!(
            refused(&mut pair, tree, request),
            PROTECTED,
            "{disposition:?}"
        );
    }
    let mut vanishing = at("d\\f", FIRST);
    vanishing.create_options |= CreateOptions::DELETE_ON_CLOSE;
    assert_eq!(refused(&mut pair, tree, vanishing), PROTECTED);
    let mut all = at("d\\f", FIRST);
    all.desired_access = AccessMask::FILE_ALL_ACCESS;
    let f = pair.create(tree, all).unwrap().file_id;
    assert_eq!(pair.write(tree, f, 0, &b"x"[..]).unwrap_err(), PROTECTED);
    let delete = FileDispositionInformation {
        delete_pending: true,
    };
    let size = FileEndOfFileInformation { end_of_file: 1 };
    for (class, data, expected) in [
        (C::Disposition, bytes(|w| delete.encode(w)), PROTECTED),
        (C::EndOfFile, bytes(|w| size.encode(w)), PROTECTED),
        (C::Basic, vec![0; 40].into(), PROTECTED),
        (C::Rename, vec![0; 24].into(), NtStatus::NOT_SAME_DEVICE),
        (C::Link, vec![0; 24].into(), NtStatus::NOT_SAME_DEVICE),
        (C::Position, vec![0; 8].into(), NtStatus::SUCCESS),
    ] {
        assert_eq!(set(&mut pair, tree, f, class, data), expected, "{class:?}");
    }
    let security = ops::set_security(f, SecurityInformation::DACL, Bytes::new());
    assert_eq!(pair.call(tree, security).status(), PROTECTED);
    let one = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    for (code, input) in [
        (FsctlCode::SET_SPARSE, vec![1]),
        (FsctlCode::SET_ZERO_DATA, one.to_vec()),
        (FsctlCode::SET_COMPRESSION, vec![1, 0]),
    ] {
        let reply = pair.call(tree, ops::fsctl(f, code, input, 0));
        assert_eq!(reply.status(), PROTECTED, "{code}");
    }
    assert_eq!(read(&mut pair, tree, at("d\\f", FIRST)), "one");
    assert_eq!(read(&mut pair, tree, ops::open("d\\f")), "three");
    pair.finish();
}

#[test]
fn a_share_without_snapshots() {
    let mut pair = Pair::builder()
        .config(|c| {
            for share in &mut c.shares {
                share.capabilities -= Capabilities::SNAPSHOTS;
            }
        })
        .build();
    pair.fs().write_file("f", b"").unwrap();
    pair.fs().make_dir(FIRST).unwrap();
    let tree = pair.mount();
    let refused = refused(&mut pair, tree, at("f", FIRST));
    assert_eq!(refused, NtStatus::OBJECT_NAME_NOT_FOUND);
    // A name is a name.
    assert!(pair.create(tree, ops::open_dir(FIRST)).is_ok());
    pair.finish();
}

/// As in CREATE, a component of the new name that names a snapshot stands for the snapshot, in which
/// nothing gets a name.
#[test]
fn no_new_names_in_the_past() {
    let (mut pair, tree) = three_states();
    let f = pair.open(tree, "d\\f").unwrap();
    for name in [
        format!("{FIRST}\\d\\new"),
        format!("d\\{FIRST}\\new"),
        format!("d\\new\\{SECOND}"),
        format!("\\{FIRST}\\d\\new"),
    ] {
        for class in [FileInfoClass::Rename, FileInfoClass::Link] {
            let mut w = Writer::new();
            // Both classes have the same layout.
            FileRenameInformation {
                replace_if_exists: false,
                root_directory: 0,
                file_name: name.clone(),
            }
            .encode(&mut w);
            let refused = pair.set_file(tree, f, class, w.into_inner().freeze());
            assert_eq!(refused, Err(NtStatus::MEDIA_WRITE_PROTECTED), "{name}");
        }
    }
    assert_eq!(read(&mut pair, tree, ops::open("d\\f")), "three");
    pair.finish();
}
