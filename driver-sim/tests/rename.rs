//! New names: rename, hard link, deletion. [MS-FSA] 2.1.5.15.3, 2.1.5.15.6, 2.1.5.15.11.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::info::file::{
    DispositionFlags, FileAllInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileLinkInformation, FileRenameInformation,
    FileRenameInformationEx, FileStandardInformation, RenameFlags,
};
use smb_proto::info::{FileAttributes, FileInfoClass};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::wire::Writer;

type Done = Result<(), NtStatus>;

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

fn world() -> (Pair, Tree) {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"aa").unwrap();
    pair.fs().write_file("b", b"b").unwrap();
    pair.fs().write_file("d\\f", b"f").unwrap();
    pair.fs().make_dir("e").unwrap();
    let tree = pair.mount();
    (pair, tree)
}

fn rename(pair: &mut Pair, tree: Tree, file: FileId, to: &str, replace: bool) -> Done {
    let buffer = bytes(|w| {
        FileRenameInformation {
            replace_if_exists: replace,
            root_directory: 0,
            file_name: to.to_owned(),
        }
        .encode(w);
    });
    pair.set_file(tree, file, FileInfoClass::Rename, buffer)
}

fn link(pair: &mut Pair, tree: Tree, file: FileId, to: &str, replace: bool) -> Done {
    let buffer = bytes(|w| {
        FileLinkInformation {
            replace_if_exists: replace,
            root_directory: 0,
            file_name: to.to_owned(),
        }
        .encode(w);
    });
    pair.set_file(tree, file, FileInfoClass::Link, buffer)
}

fn delete(pair: &mut Pair, tree: Tree, file: FileId, yes: bool) -> Done {
    let buffer = bytes(|w| {
        FileDispositionInformation {
            delete_pending: yes,
        }
        .encode(w);
    });
    pair.set_file(tree, file, FileInfoClass::Disposition, buffer)
}

fn open_with(
    pair: &mut Pair,
    tree: Tree,
    name: &str,
    access: AccessMask,
    share: ShareAccess,
) -> FileId {
    let request = create::Request {
        desired_access: access,
        share_access: share,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

fn name_of(pair: &mut Pair, tree: Tree, file: FileId) -> String {
    let all = pair.query_file(tree, file, FileInfoClass::All).unwrap();
    FileAllInformation::parse(&all).unwrap().name.name
}

#[test]
fn everybody_who_has_it_open_sees_the_new_name() {
    let (mut pair, tree) = world();
    let one = pair.open(tree, "a").unwrap();
    let two = pair.open(tree, "A").unwrap();
    assert_eq!(rename(&mut pair, tree, one, "d\\New", false), Ok(()));
    for file in [one, two] {
        assert_eq!(name_of(&mut pair, tree, file), "\\d\\New");
    }
    assert!(!pair.fs().exists("a"));
    assert_eq!(pair.read(tree, two, 0, 10).unwrap(), "aa");
    // Deleting goes by the name that it has now.
    delete(&mut pair, tree, two, true).unwrap();
    pair.close(tree, one).unwrap();
    pair.close(tree, two).unwrap();
    assert!(!pair.fs().exists("d\\New"));
    pair.finish();
}

#[test]
fn a_deletion_on_close_follows() {
    let (mut pair, tree) = world();
    let request = create::Request {
        create_options: CreateOptions::DELETE_ON_CLOSE,
        ..ops::open("a")
    };
    let file = pair.create(tree, request).unwrap().file_id;
    rename(&mut pair, tree, file, "c", false).unwrap();
    pair.fs().write_file("a", b"another").unwrap();
    pair.close(tree, file).unwrap();
    assert!(pair.fs().exists("a") && !pair.fs().exists("c"));
    pair.finish();
}

#[test]
fn targets_that_exist() {
    let (mut pair, tree) = world();
    let file = pair.open(tree, "a").unwrap();
    let refuse = |pair: &mut Pair, to: &str, replace, status| {
        assert_eq!(rename(pair, tree, file, to, replace), Err(status), "{to}");
    };
    refuse(&mut pair, "b", false, NtStatus::OBJECT_NAME_COLLISION);
    refuse(&mut pair, "e", true, NtStatus::ACCESS_DENIED);
    refuse(&mut pair, "x\\y", true, NtStatus::OBJECT_PATH_NOT_FOUND);
    refuse(&mut pair, "b\\y", true, NtStatus::OBJECT_PATH_NOT_FOUND);
    // Not while somebody has it open, though only to look at it.
    let other = open_with(
        &mut pair,
        tree,
        "b",
        AccessMask::FILE_READ_ATTRIBUTES,
        ops::SHARE_ALL,
    );
    refuse(&mut pair, "b", true, NtStatus::ACCESS_DENIED);
    pair.close(tree, other).unwrap();
    assert_eq!(rename(&mut pair, tree, file, "B", true), Ok(()));
    assert_eq!(pair.fs().read_file("b").unwrap(), b"aa");
    // Only the case changes, to itself, and back.
    assert_eq!(rename(&mut pair, tree, file, "b", false), Ok(()));
    assert_eq!(name_of(&mut pair, tree, file), "\\b");
    assert_eq!(rename(&mut pair, tree, file, "b", false), Ok(()));
    pair.finish();
}

#[test]
fn read_only_targets() {
    let (mut pair, tree) = world();
    let target = pair.open(tree, "b").unwrap();
    let basic = bytes(|w| {
        FileBasicInformation {
            attributes: FileAttributes::READONLY,
            ..FileBasicInformation::default()
        }
        .encode(w);
    });
    pair.set_file(tree, target, FileInfoClass::Basic, basic)
        .unwrap();
    assert_eq!(
        delete(&mut pair, tree, target, true),
        Err(NtStatus::CANNOT_DELETE)
    );
    pair.close(tree, target).unwrap();
    let file = pair.open(tree, "a").unwrap();
    assert_eq!(
        rename(&mut pair, tree, file, "b", true),
        Err(NtStatus::ACCESS_DENIED)
    );
    let ignoring = bytes(|w| {
        FileRenameInformationEx {
            flags: RenameFlags::REPLACE_IF_EXISTS | RenameFlags::IGNORE_READONLY_ATTRIBUTE,
            root_directory: 0,
            file_name: "b".to_owned(),
        }
        .encode(w);
    });
    assert_eq!(
        pair.set_file(tree, file, FileInfoClass::RenameEx, ignoring),
        Ok(())
    );
    pair.finish();
}

#[test]
fn directories() {
    let (mut pair, tree) = world();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        rename(&mut pair, tree, dir, "d\\x", false),
        Err(NtStatus::INVALID_PARAMETER)
    );
    let child = pair.open(tree, "d\\f").unwrap();
    assert_eq!(
        rename(&mut pair, tree, dir, "g", false),
        Err(NtStatus::ACCESS_DENIED)
    );
    pair.close(tree, child).unwrap();
    assert_eq!(rename(&mut pair, tree, dir, "e\\g", false), Ok(()));
    assert_eq!(pair.fs().read_file("e\\g\\f").unwrap(), b"f");
    assert_eq!(name_of(&mut pair, tree, dir), "\\e\\g");
    pair.finish();
}

#[test]
fn who_holds_the_file_or_its_directory() {
    use smb_proto::dtyp::AccessMask as A;
    let (all, no_write) = (ops::SHARE_ALL, ShareAccess::READ | ShareAccess::DELETE);
    let violation = Err(NtStatus::SHARING_VIOLATION);
    for (access, share, expected) in [
        (A::FILE_LIST_DIRECTORY, all, Ok(())),
        (A::FILE_LIST_DIRECTORY, no_write, violation),
        (A::FILE_LIST_DIRECTORY | A::DELETE, all, violation),
        (A::FILE_READ_ATTRIBUTES, no_write, Ok(())),
    ] {
        let (mut pair, tree) = world();
        let file = pair.open(tree, "d\\f").unwrap();
        open_with(&mut pair, tree, "d", access, share);
        assert_eq!(rename(&mut pair, tree, file, "d\\g", false), expected);
        pair.finish();
    }
    // Without DELETE nothing is renamed.
    let (mut pair, tree) = world();
    let file = open_with(&mut pair, tree, "a", A::FILE_GENERIC_WRITE, all);
    assert_eq!(
        rename(&mut pair, tree, file, "x", false),
        Err(NtStatus::ACCESS_DENIED)
    );
    pair.finish();
}

#[test]
fn streams() {
    let (mut pair, tree) = world();
    let stream = pair.create_new(tree, "a:one").unwrap();
    pair.write(tree, stream, 0, "stream").unwrap();
    assert_eq!(rename(&mut pair, tree, stream, ":two", false), Ok(()));
    assert_eq!(name_of(&mut pair, tree, stream), "\\a:two");
    assert_eq!(pair.fs().read_file("a:two").unwrap(), b"stream");
    assert_eq!(
        rename(&mut pair, tree, stream, "c", false),
        Err(NtStatus::INVALID_PARAMETER)
    );
    // The file takes its streams along.
    let file = pair.open(tree, "a").unwrap();
    assert_eq!(rename(&mut pair, tree, file, "c", false), Ok(()));
    assert_eq!(name_of(&mut pair, tree, stream), "\\c:two");
    pair.finish();
}

#[test]
fn links() {
    let (mut pair, tree) = world();
    let file = pair.open(tree, "a").unwrap();
    assert_eq!(
        link(&mut pair, tree, file, "b", false),
        Err(NtStatus::OBJECT_NAME_COLLISION)
    );
    assert_eq!(link(&mut pair, tree, file, "e\\a2", false), Ok(()));
    assert_eq!(link(&mut pair, tree, file, "b", true), Ok(()));
    assert_eq!(pair.fs().read_file("b").unwrap(), b"aa");
    let standard = |pair: &mut Pair| {
        let bytes = pair
            .query_file(tree, file, FileInfoClass::Standard)
            .unwrap();
        let s = FileStandardInformation::parse(&bytes).unwrap();
        (s.number_of_links, s.delete_pending)
    };
    assert_eq!(standard(&mut pair), (3, false));
    delete(&mut pair, tree, file, true).unwrap();
    assert_eq!(standard(&mut pair), (2, true));
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        link(&mut pair, tree, dir, "x", false),
        Err(NtStatus::FILE_IS_A_DIRECTORY)
    );
    pair.finish();
}

/// smbclient sends the new name of a hard link with a backslash in front.
#[test]
fn full_pathnames() {
    let (mut pair, tree) = world();
    let file = pair.open(tree, "a").unwrap();
    assert_eq!(link(&mut pair, tree, file, "\\e\\a2", false), Ok(()));
    assert_eq!(pair.fs().read_file("e\\a2").unwrap(), b"aa");
    for bad in ["\\", "\\\\x", "\\:s"] {
        assert!(link(&mut pair, tree, file, bad, false).is_err(), "{bad}");
    }
    assert_eq!(rename(&mut pair, tree, file, "\\new", false), Ok(()));
    assert!(pair.open(tree, "a").is_err());
    assert!(pair.open(tree, "new").is_ok());
    pair.finish();
}

#[test]
fn deletion() {
    let (mut pair, tree) = world();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        delete(&mut pair, tree, dir, true),
        Err(NtStatus::DIRECTORY_NOT_EMPTY)
    );
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    assert_eq!(
        delete(&mut pair, tree, root, true),
        Err(NtStatus::CANNOT_DELETE)
    );
    // Taken back.
    let file = pair.open(tree, "a").unwrap();
    delete(&mut pair, tree, file, true).unwrap();
    assert_eq!(pair.open(tree, "a"), Err(NtStatus::DELETE_PENDING));
    assert_eq!(
        rename(&mut pair, tree, file, "x", false),
        Err(NtStatus::ACCESS_DENIED)
    );
    delete(&mut pair, tree, file, false).unwrap();
    pair.close(tree, file).unwrap();
    assert!(pair.fs().exists("a"));
    // With the open that says so.
    let file = pair.open(tree, "a").unwrap();
    let set = |flags| bytes(|w| FileDispositionInformationEx { flags }.encode(w));
    let on_close = DispositionFlags::DELETE | DispositionFlags::ON_CLOSE;
    for flags in [on_close, DispositionFlags::ON_CLOSE, on_close] {
        pair.set_file(tree, file, FileInfoClass::DispositionEx, set(flags))
            .unwrap();
    }
    pair.close(tree, file).unwrap();
    assert!(!pair.fs().exists("a"));
    pair.finish();
}

#[test]
fn what_others_do_while_the_backend_is_asked() {
    let (mut pair, tree) = world();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    pair.hold(|op| matches!(op, VfsOp::Open { at, .. } if at.path.as_str() == "g"));
    let buffer = bytes(|w| {
        FileRenameInformation {
            replace_if_exists: false,
            root_directory: 0,
            file_name: "g".to_owned(),
        }
        .encode(w);
    });
    let id = pair.start(tree, ops::set_file(dir, FileInfoClass::Rename, buffer));
    assert_eq!(pair.held(), 1);
    pair.open(tree, "d\\f").unwrap();
    pair.release();
    assert_eq!(pair.wait(tree.end, id).status(), NtStatus::ACCESS_DENIED);
    assert!(pair.fs().exists("d"));
    pair.finish();
}

#[test]
fn a_share_that_is_only_read() {
    let (mut pair, _) = world();
    let end = pair.connect();
    let credentials = driver_sim::client::Credentials::new("user", "secret");
    let session = pair.logon(end, credentials).unwrap();
    let tree = pair.tree(end, session, "readonly").unwrap();
    let file = open_with(
        &mut pair,
        tree,
        "a",
        AccessMask::FILE_GENERIC_READ,
        ops::SHARE_ALL,
    );
    for result in [
        rename(&mut pair, tree, file, "x", false),
        link(&mut pair, tree, file, "x", false),
        delete(&mut pair, tree, file, true),
    ] {
        assert_eq!(result, Err(NtStatus::ACCESS_DENIED));
    }
    assert_eq!(
        pair.create(tree, ops::create("x", CreateDisposition::Create))
            .map(|_| ()),
        Err(NtStatus::ACCESS_DENIED)
    );
    pair.finish();
}

fn exclusive(name: &str) -> create::Request {
    create::Request {
        desired_access: AccessMask::FILE_READ_DATA | AccessMask::DELETE,
        share_access: ShareAccess::empty(),
        ..ops::create(name, CreateDisposition::OpenIf)
    }
}

/// Somebody guesses the FileId of an open that is being made: the checkers lose sight of its name.
fn guess_while_making(pair: &mut Pair, tree: Tree, name: &str) {
    pair.hold(|_| true);
    let making = pair.start(tree, ops::open(name));
    assert_eq!(
        pair.read(
            tree,
            FileId {
                persistent: 7,
                volatile: 7
            },
            0,
            1
        ),
        Err(NtStatus::FILE_CLOSED)
    );
    pair.release();
    pair.wait(tree.end, making);
}

/// A rename that came to nothing leaves no trace, whatever happens at the name that it asked for.
#[test]
fn a_refused_rename_leaves_the_share_mode() {
    let (mut pair, tree) = world();
    let file = pair.create(tree, exclusive("new")).unwrap().file_id;
    assert_eq!(
        rename(&mut pair, tree, file, "none\\x", false),
        Err(NtStatus::OBJECT_PATH_NOT_FOUND)
    );
    guess_while_making(&mut pair, tree, "none\\x");
    let again = pair.create(tree, exclusive("new")).map(|r| r.file_id);
    assert_eq!(again, Err(NtStatus::SHARING_VIOLATION));
    pair.close(tree, file).unwrap();
    pair.create(tree, exclusive("new")).unwrap();
    pair.finish();
}

/// While a rename runs, its file has the one name or the other; then it has the new one, and its share
/// mode.
#[test]
fn a_rename_takes_its_share_mode_along() {
    let (mut pair, tree) = world();
    let file = pair.create(tree, exclusive("new")).unwrap().file_id;
    let buffer = bytes(|w| {
        FileRenameInformation {
            replace_if_exists: false,
            root_directory: 0,
            file_name: "d\\x".to_owned(),
        }
        .encode(w);
    });
    pair.hold(|_| true);
    let id = pair.start(tree, ops::set_file(file, FileInfoClass::Rename, buffer));
    guess_while_making(&mut pair, tree, "d\\x");
    assert_eq!(pair.wait(tree.end, id).status(), NtStatus::SUCCESS);
    assert_eq!(pair.open(tree, "new"), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    let again = pair.create(tree, exclusive("d\\x")).map(|r| r.file_id);
    assert_eq!(again, Err(NtStatus::SHARING_VIOLATION));
    pair.close(tree, file).unwrap();
    pair.create(tree, exclusive("d\\x")).unwrap();
    pair.finish();
}

/// Both are on their way from the old name: the slower one goes on from where the faster one has led.
#[test]
fn two_renames_of_a_file_at_once() {
    for newest_first in [false, true] {
        let (mut pair, tree) = world();
        let [one, two] = [(); 2].map(|()| pair.open(tree, "a").unwrap());
        pair.hold(|op| matches!(op, VfsOp::Rename { .. }));
        let request = |file, to: &str| {
            let buffer = bytes(|w| {
                FileRenameInformation {
                    replace_if_exists: false,
                    root_directory: 0,
                    file_name: to.to_owned(),
                }
                .encode(w);
            });
            ops::set_file(file, FileInfoClass::Rename, buffer)
        };
        let first = pair.start(tree, request(one, "x"));
        let second = pair.start(tree, request(two, "d\\y"));
        assert_eq!(pair.held(), 2);
        if newest_first {
            assert!(pair.release_newest());
        }
        pair.release();
        for id in [first, second] {
            assert_eq!(pair.wait(tree.end, id).status(), NtStatus::SUCCESS);
        }
        let last = if newest_first { "x" } else { "d\\y" };
        for name in ["a", "x", "d\\y"] {
            assert_eq!(pair.fs().exists(name), name == last, "{name}");
        }
        for file in [one, two] {
            pair.close(tree, file).unwrap();
        }
        pair.finish();
    }
}
