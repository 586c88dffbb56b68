//! Deletion, renames and links with POSIX semantics: [MS-FSCC] 2.4.12, 2.4.43, 2.4.28.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::id::FileId;
use smb_proto::info::file::{
    DispositionFlags, FileDispositionInformationEx, FileLinkInformationEx, FileRenameInformationEx,
    FileStandardInformation, LinkFlags, RenameFlags,
};
use smb_proto::info::{FileAttributes, FileInfoClass};
use smb_proto::msg::create::{self, ShareAccess};
use smb_proto::wire::Writer;

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

fn world() -> (Pair, Tree) {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"aa").unwrap();
    pair.fs().write_file("b", b"b").unwrap();
    let tree = pair.mount();
    (pair, tree)
}

fn open(pair: &mut Pair, tree: Tree, name: &str, share: ShareAccess) -> FileId {
    let request = create::Request {
        share_access: share,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

fn dispose(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    flags: DispositionFlags,
) -> Result<(), NtStatus> {
    let info = FileDispositionInformationEx { flags };
    let buffer = bytes(|w| info.encode(w));
    pair.set_file(tree, file, FileInfoClass::DispositionEx, buffer)
}

fn rename(pair: &mut Pair, tree: Tree, file: FileId, to: &str, flags: RenameFlags) -> NtStatus {
    let info = FileRenameInformationEx {
        flags,
        root_directory: 0,
        file_name: to.to_owned(),
    };
    let buffer = bytes(|w| info.encode(w));
    let done = pair.set_file(tree, file, FileInfoClass::RenameEx, buffer);
    done.err().unwrap_or(NtStatus::SUCCESS)
}

fn standard(pair: &mut Pair, tree: Tree, file: FileId) -> FileStandardInformation {
    let info = pair.query_file(tree, file, FileInfoClass::Standard);
    FileStandardInformation::parse(&info.unwrap()).unwrap()
}

const ALL: ShareAccess = ShareAccess::READ
    .union(ShareAccess::WRITE)
    .union(ShareAccess::DELETE);
const DELETE: DispositionFlags = DispositionFlags::DELETE.union(DispositionFlags::POSIX_SEMANTICS);

/// The name goes with the open that deletes, and can be used again; the others keep the file.
#[test]
fn the_name_goes_with_the_open_that_deletes() {
    let (mut pair, tree) = world();
    let other = open(&mut pair, tree, "a", ALL);
    let deleter = open(&mut pair, tree, "a", ALL);
    dispose(&mut pair, tree, deleter, DELETE).unwrap();
    // Until it is closed the name is there, and nobody can open it.
    assert_eq!(pair.open(tree, "a"), Err(NtStatus::DELETE_PENDING));
    pair.close(tree, deleter).unwrap();
    assert_eq!(pair.open(tree, "a"), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(&pair.read(tree, other, 0, 10).unwrap()[..], b"aa");
    pair.write(tree, other, 2, b"more".as_slice()).unwrap();
    let gone = standard(&mut pair, tree, other);
    assert!(gone.delete_pending && gone.number_of_links == 0);
    // A new file of the name has nothing to do with the old one.
    let new = pair.create_new(tree, "a").unwrap();
    pair.write(tree, new, 0, b"new".as_slice()).unwrap();
    assert_eq!(&pair.read(tree, other, 0, 10).unwrap()[..], b"aamore");
    let _ = dispose(&mut pair, tree, other, DispositionFlags::DELETE);
    pair.close(tree, other).unwrap();
    pair.close(tree, new).unwrap();
    assert_eq!(pair.fs().read_file("a").unwrap(), b"new");
    pair.finish();
}

#[test]
fn without_posix_semantics_the_last_open_takes_it() {
    let (mut pair, tree) = world();
    let other = open(&mut pair, tree, "a", ALL);
    let deleter = open(&mut pair, tree, "a", ALL);
    dispose(&mut pair, tree, deleter, DispositionFlags::DELETE).unwrap();
    pair.close(tree, deleter).unwrap();
    assert_eq!(pair.open(tree, "a"), Err(NtStatus::DELETE_PENDING));
    // Taken back by the other one.
    dispose(&mut pair, tree, other, DispositionFlags::empty()).unwrap();
    dispose(&mut pair, tree, other, DELETE).unwrap();
    dispose(&mut pair, tree, other, DispositionFlags::empty()).unwrap();
    pair.close(tree, other).unwrap();
    assert_eq!(pair.fs().read_file("a").unwrap(), b"aa");
    pair.finish();
}

#[test]
fn read_only_files_need_another_flag() {
    let (mut pair, tree) = world();
    let create = create::Request {
        file_attributes: FileAttributes::READONLY,
        ..ops::create("ro", create::CreateDisposition::Create)
    };
    let file = pair.create(tree, create).unwrap().file_id;
    assert_eq!(
        dispose(&mut pair, tree, file, DELETE),
        Err(NtStatus::CANNOT_DELETE)
    );
    let flags = DELETE | DispositionFlags::IGNORE_READONLY_ATTRIBUTE;
    dispose(&mut pair, tree, file, flags).unwrap();
    pair.close(tree, file).unwrap();
    assert_eq!(pair.open(tree, "ro"), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    pair.finish();
}

#[test]
fn an_open_file_can_be_replaced() {
    let replace = RenameFlags::REPLACE_IF_EXISTS;
    let posix = replace | RenameFlags::POSIX_SEMANTICS;
    let (mut pair, tree) = world();
    let target = open(&mut pair, tree, "b", ALL);
    let file = pair.open(tree, "a").unwrap();
    assert_eq!(
        rename(&mut pair, tree, file, "b", replace),
        NtStatus::ACCESS_DENIED
    );
    assert_eq!(
        rename(&mut pair, tree, file, "b", RenameFlags::POSIX_SEMANTICS),
        NtStatus::OBJECT_NAME_COLLISION
    );
    assert_eq!(rename(&mut pair, tree, file, "b", posix), NtStatus::SUCCESS);
    assert_eq!(&pair.read(tree, target, 0, 9).unwrap()[..], b"b");
    assert_eq!(standard(&mut pair, tree, target).number_of_links, 0);
    assert_eq!(&pair.read(tree, file, 0, 9).unwrap()[..], b"aa");
    pair.close(tree, target).unwrap();
    pair.close(tree, file).unwrap();
    assert_eq!(pair.fs().read_file("b").unwrap(), b"aa");

    // Not one whose user does not share its deletion.
    let _holder = open(&mut pair, tree, "b", ShareAccess::READ);
    let other = pair.create_new(tree, "c").unwrap();
    assert_eq!(
        rename(&mut pair, tree, other, "b", posix),
        NtStatus::ACCESS_DENIED
    );
    pair.finish();
}

#[test]
fn a_link_can_replace_an_open_file() {
    let (mut pair, tree) = world();
    let target = open(&mut pair, tree, "b", ALL);
    let file = pair.open(tree, "a").unwrap();
    let info = FileLinkInformationEx {
        flags: LinkFlags::REPLACE_IF_EXISTS | LinkFlags::POSIX_SEMANTICS,
        root_directory: 0,
        file_name: "b".to_owned(),
    };
    let buffer = bytes(|w| info.encode(w));
    pair.set_file(tree, file, FileInfoClass::LinkEx, buffer)
        .unwrap();
    assert_eq!(&pair.read(tree, target, 0, 9).unwrap()[..], b"b");
    assert_eq!(pair.fs().read_file("b").unwrap(), b"aa");
    assert_eq!(standard(&mut pair, tree, file).number_of_links, 2);
    pair.close(tree, target).unwrap();
    pair.finish();
}
