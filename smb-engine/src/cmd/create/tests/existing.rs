//! Opening what exists.

use super::*;

#[test]
fn opens_what_exists() {
    let mut b = Bench::new();
    let id = b.create(open("D\\f.txt"));
    let how = OpenHow {
        data: DataAccess::Read,
        open_reparse: false,
    };
    let expected = VfsOp::Open {
        at: at("D\\f.txt"),
        how,
    };
    assert_eq!(b.op(), &expected);
    b.answer(Ok(found(9, 3, at("d\\F.TXT"))));
    let r = b.response(id);
    assert_eq!(r.create_action, CreateAction::OPENED);
    assert_eq!(r.oplock_level, OplockLevel::NONE);
    assert_eq!((r.end_of_file, r.allocation_size), (50, 60));
    assert_eq!(r.creation_time, FileTime(10));
    assert!(r.contexts.is_empty());
    let (_, o) = b.open_of(id);
    assert_eq!(o.granted, AccessMask::FILE_READ_DATA);
    assert_eq!(o.running, 0);
    assert_eq!(o.file().unwrap().at, at("d\\F.TXT"));
    b.quiet(1);
    let closed = b.close(id);
    b.expect_close(9);
    assert_eq!(b.status(closed), NtStatus::SUCCESS);
    b.quiet(0);
    assert_eq!(b.core.files.len(), 0);
}

#[test]
fn dispositions_on_an_existing_file() {
    use CreateDisposition as D;
    for d in D::ALL {
        let mut b = Bench::new();
        let id = b.opened(request("f", d), 9, 3);
        match d {
            D::Open | D::OpenIf => {
                assert_eq!(b.response(id).create_action, CreateAction::OPENED);
                b.quiet(1);
            }
            D::Create => {
                assert_eq!(b.status(id), NtStatus::OBJECT_NAME_COLLISION);
                b.expect_close(9);
                b.quiet(0);
            }
            D::Supersede | D::Overwrite | D::OverwriteIf => {
                // The open is in the tables before anything is destroyed.
                assert_eq!(b.core.opens.len(), 1);
                let VfsOp::Overwrite {
                    supersede, what, ..
                } = b.op()
                else {
                    panic!("{:?}", b.op());
                };
                assert_eq!(*supersede, d == D::Supersede);
                assert_eq!(what.attributes, FileAttributes::ARCHIVE);
                b.answer(Ok(VfsReply::Info(FileInfo { size: 0, ..info(3) })));
                let r = b.response(id);
                assert_eq!(r.end_of_file, 0);
                let expected = if d == D::Supersede {
                    CreateAction::SUPERSEDED
                } else {
                    CreateAction::OVERWRITTEN
                };
                assert_eq!(r.create_action, expected);
                b.quiet(1);
            }
        }
    }
}

#[test]
fn a_failed_overwrite_leaves_nothing() {
    let mut b = Bench::new();
    let mut r = request("f", CreateDisposition::OverwriteIf);
    r.desired_access = AccessMask::DELETE;
    r.create_options = CreateOptions::DELETE_ON_CLOSE;
    let id = b.opened(r, 9, 3);
    b.answer(Err(VfsError::NoSpace));
    assert_eq!(b.status(id), NtStatus::DISK_FULL);
    // given back, and not deleted
    b.expect_close(9);
    b.quiet(0);
    assert_eq!(b.core.files.len(), 0);
}

#[test]
fn types() {
    let dir = CreateOptions::DIRECTORY_FILE;
    let file = CreateOptions::NON_DIRECTORY_FILE;
    let none = CreateOptions::empty();
    use CreateDisposition as D;
    const OK: NtStatus = NtStatus::SUCCESS;
    for (name, d, options, is_dir, expected) in [
        ("x", D::Open, dir, true, OK),
        ("x", D::Open, none, true, OK),
        ("x\\", D::Open, none, true, OK),
        ("x::$INDEX_ALLOCATION", D::Open, none, true, OK),
        ("x", D::Open, file, true, NtStatus::FILE_IS_A_DIRECTORY),
        (
            "x::$DATA",
            D::Open,
            none,
            true,
            NtStatus::FILE_IS_A_DIRECTORY,
        ),
        ("x", D::Open, dir, false, NtStatus::NOT_A_DIRECTORY),
        ("x\\", D::Open, none, false, NtStatus::OBJECT_NAME_INVALID),
        ("x::$DATA", D::Open, none, false, OK),
        ("x", D::Create, dir, false, NtStatus::OBJECT_NAME_COLLISION),
        ("x", D::Create, dir, true, NtStatus::OBJECT_NAME_COLLISION),
        ("x", D::Create, file, true, NtStatus::OBJECT_NAME_COLLISION),
        ("x", D::OpenIf, dir, true, OK),
        (
            "x",
            D::OverwriteIf,
            none,
            true,
            NtStatus::OBJECT_NAME_COLLISION,
        ),
    ] {
        let mut b = Bench::new();
        let mut r = request(name, d);
        r.create_options = options;
        let id = b.create(r);
        let reply = if is_dir {
            directory(9, 3, at("x"), ALL)
        } else {
            found(9, 3, at("x"))
        };
        b.answer(Ok(reply));
        assert_eq!(b.status(id), expected, "{name} {d:?} {options:?} {is_dir}");
        if expected != OK {
            b.expect_close(9);
        }
        b.quiet(usize::from(expected == OK));
    }
    // refused without asking anybody
    for (name, options, expected) in [
        ("x:s", dir, NtStatus::NOT_A_DIRECTORY),
        ("x\\", file, NtStatus::OBJECT_NAME_INVALID),
        ("\\x", none, NtStatus::INVALID_PARAMETER),
        ("..\\x", none, NtStatus::OBJECT_PATH_SYNTAX_BAD),
    ] {
        let mut b = Bench::new();
        let mut r = open(name);
        r.create_options = options;
        let id = b.create(r);
        assert_eq!(b.status(id), expected);
        b.quiet(0);
    }
}

#[test]
fn sharing() {
    let mut b = Bench::new();
    let mut first = open("f");
    first.share_access = ShareAccess::READ;
    let first = b.opened(first, 9, 3);
    assert_eq!(b.status(first), NtStatus::SUCCESS);
    let mut writer = open("f");
    writer.desired_access = AccessMask::FILE_WRITE_DATA;
    let id = b.opened(writer.clone(), 10, 3);
    assert_eq!(b.status(id), NtStatus::SHARING_VIOLATION);
    b.expect_close(10);
    // overwriting writes, whatever was asked for
    let id = b.opened(request("f", CreateDisposition::OverwriteIf), 11, 3);
    assert_eq!(b.status(id), NtStatus::SHARING_VIOLATION);
    b.expect_close(11);
    // another stream is another thing
    let mut stream = writer.clone();
    stream.name = "f:s".into();
    let id = b.opened(stream, 12, 3);
    assert_eq!(b.status(id), NtStatus::SUCCESS);
    // metadata only
    let mut stat = open("f");
    stat.desired_access = AccessMask::FILE_READ_ATTRIBUTES;
    stat.share_access = ShareAccess::empty();
    let id = b.opened(stat, 13, 3);
    assert_eq!(b.status(id), NtStatus::SUCCESS);
    b.close(first);
    b.expect_close(9);
    let id = b.opened(writer, 14, 3);
    assert_eq!(b.status(id), NtStatus::SUCCESS);
    b.quiet(3);
}

#[test]
fn what_is_being_deleted_is_not_opened() {
    let mut b = Bench::new();
    let mut r = open("f");
    r.desired_access = AccessMask::DELETE;
    let first = b.opened(r, 9, 3);
    let file = b.open_of(first).1.file().unwrap();
    let (row, by) = (file.file, file.by.clone());
    b.core.files.get_mut(row).unwrap().delete_pending = Some(DeletePending {
        at: at("f"),
        by,
        parent_lease: None,
    });
    for name in ["f", "F", "f:s"] {
        let id = b.opened(open(name), 10, 3);
        assert_eq!(b.status(id), NtStatus::DELETE_PENDING, "{name}");
        b.expect_close(10);
    }
    // another name of the same file
    let id = b.opened(open("link"), 11, 3);
    assert_eq!(b.status(id), NtStatus::SUCCESS);
    b.close(id);
    b.expect_close(11);
    // while the backend removes it, under no name
    b.close(first);
    let id = b.create(open("link"));
    b.answer_at(1, Ok(found(12, 3, at("link"))));
    assert_eq!(b.status(id), NtStatus::DELETE_PENDING);
    b.answer_at(1, Ok(VfsReply::Done));
    assert!(matches!(b.op(), VfsOp::Remove { .. }));
    b.answer(Ok(VfsReply::Done));
    b.expect_close(9);
    b.quiet(0);
}

#[test]
fn delete_on_close() {
    let mut b = Bench::new();
    let mut r = open("f");
    r.desired_access = AccessMask::DELETE;
    r.create_options = CreateOptions::DELETE_ON_CLOSE;
    let id = b.opened(r, 9, 3);
    b.close(id);
    let VfsOp::Remove { at: removed, .. } = b.op() else {
        panic!("{:?}", b.op());
    };
    assert_eq!(removed, &at("f"));
    b.answer(Ok(VfsReply::Done));
    b.expect_close(9);
    b.quiet(0);
}

#[test]
fn the_directory_may_allow_to_delete() {
    for (mask, expected) in [
        (AccessMask::FILE_DELETE_CHILD, NtStatus::SUCCESS),
        (AccessMask::FILE_LIST_DIRECTORY, NtStatus::ACCESS_DENIED),
    ] {
        let mut b = Bench::new();
        let mut r = open("d\\f");
        r.desired_access = AccessMask::DELETE;
        let id = b.create(r);
        let mut o = opened(9, 3, at("d\\f"));
        o.security = sd(AccessMask::FILE_READ_DATA);
        b.answer(Ok(VfsReply::Opened(o)));
        let VfsOp::Open { at: parent, how } = b.op() else {
            panic!("{:?}", b.op());
        };
        assert_eq!((parent, how.data), (&at("d"), DataAccess::None));
        b.answer(Ok(directory(10, 2, at("d"), mask)));
        b.expect_close(10);
        assert_eq!(b.status(id), expected);
        if expected != NtStatus::SUCCESS {
            b.expect_close(9);
        }
        b.quiet(usize::from(expected == NtStatus::SUCCESS));
    }
}

#[test]
fn hidden_and_system_files_are_not_overwritten_by_accident() {
    for (attributes, asked, expected) in [
        (FileAttributes::HIDDEN, FileAttributes::NORMAL, false),
        (FileAttributes::SYSTEM, FileAttributes::HIDDEN, false),
        (FileAttributes::HIDDEN, FileAttributes::HIDDEN, true),
        (FileAttributes::ARCHIVE, FileAttributes::NORMAL, true),
    ] {
        let mut b = Bench::new();
        let mut r = request("f", CreateDisposition::OverwriteIf);
        r.file_attributes = asked;
        let id = b.create(r);
        let mut o = opened(9, 3, at("f"));
        o.info.attributes = attributes;
        b.answer(Ok(VfsReply::Opened(o)));
        if expected {
            assert!(matches!(b.op(), VfsOp::Overwrite { .. }));
        } else {
            assert_eq!(b.status(id), NtStatus::ACCESS_DENIED);
            b.expect_close(9);
        }
    }
}

#[test]
fn maximal_access_is_told() {
    let mut b = Bench::new();
    let mut r = open("f");
    r.contexts = vec![MaximalAccessRequest { timestamp: None }.to_raw()];
    b.set_tree_access(ALL.difference(AccessMask::WRITE_OWNER));
    let id = b.opened(r, 9, 3);
    let told = MaximalAccessResponse::parse(&b.response(id).contexts[0].data).unwrap();
    assert_eq!(told.query_status, NtStatus::SUCCESS);
    assert_eq!(told.maximal_access, ALL.difference(AccessMask::WRITE_OWNER));
}

#[test]
fn links_that_are_not_followed() {
    let mut b = Bench::new();
    let id = b.create(open("link\\rest"));
    b.answer(Err(VfsError::StoppedOnSymlink {
        unparsed: 5,
        target: "..\\there".into(),
        relative: true,
    }));
    assert_eq!(b.status(id), NtStatus::STOPPED_ON_SYMLINK);
    let found = b.answers.iter().find(|(i, ..)| *i == id).unwrap();
    let Body::Message(msg::Response::Error(e)) = &found.2 else {
        panic!("{found:?}");
    };
    let link = error::SymbolicLink::parse(e.status_data().unwrap()).unwrap();
    assert_eq!(link.unparsed_path_length, 10);
    assert_eq!(link.substitute_name, "..\\there");
    b.quiet(0);
}
