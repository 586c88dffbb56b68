//! Creating what does not exist, and pipes.

use super::*;

#[test]
fn creates_what_is_missing() {
    use CreateDisposition as D;
    for d in D::ALL {
        let mut b = Bench::new();
        let mut r = request("new", d);
        r.file_attributes = FileAttributes::HIDDEN;
        let id = b.create(r);
        b.answer(Ok(nothing(ALL)));
        if matches!(d, D::Open | D::Overwrite) {
            assert_eq!(b.status(id), NtStatus::OBJECT_NAME_NOT_FOUND);
            b.quiet(0);
            continue;
        }
        let expected = VfsOp::Create {
            at: at("new"),
            what: Creation {
                directory: false,
                attributes: FileAttributes::HIDDEN | FileAttributes::ARCHIVE,
                security: None,
                eas: Vec::new(),
                allocation: 0,
            },
        };
        assert_eq!(b.op(), &expected);
        b.answer(Ok(found(9, 3, at("new"))));
        assert_eq!(b.response(id).create_action, CreateAction::CREATED);
        b.quiet(1);
    }
}

#[test]
fn rights_to_create() {
    let mut b = Bench::new();
    let id = b.create(request("f", CreateDisposition::OpenIf));
    b.answer(Ok(nothing(AccessMask::FILE_ADD_SUBDIRECTORY)));
    assert_eq!(b.status(id), NtStatus::ACCESS_DENIED);
    // a share that is only read
    b.set_tree_access(AccessMask::from_bits_retain(0x0012_00a9));
    let id = b.create(request("f", CreateDisposition::OpenIf));
    b.answer(Ok(nothing(ALL)));
    assert_eq!(b.status(id), NtStatus::ACCESS_DENIED);
    let id = b.opened(request("f", CreateDisposition::OverwriteIf), 9, 3);
    assert_eq!(b.status(id), NtStatus::ACCESS_DENIED);
    b.expect_close(9);
    // a backend that cannot be changed
    b.set_tree_access(ALL);
    b.set_capabilities(Capabilities::READ_ONLY);
    let id = b.create(request("f", CreateDisposition::OpenIf));
    b.answer(Ok(nothing(ALL)));
    assert_eq!(b.status(id), NtStatus::MEDIA_WRITE_PROTECTED);
    let id = b.opened(request("f", CreateDisposition::OverwriteIf), 9, 3);
    assert_eq!(b.status(id), NtStatus::MEDIA_WRITE_PROTECTED);
    b.expect_close(9);
    b.quiet(0);
}

#[test]
fn a_stream_needs_its_file() {
    let mut b = Bench::new();
    let mut r = request("f:s", CreateDisposition::OpenIf);
    r.file_attributes = FileAttributes::HIDDEN;
    let id = b.create(r);
    let stream = Location {
        path: SharePath::new("f").unwrap(),
        stream: Some("s".into()),
    };
    b.answer(Ok(nothing(ALL)));
    let VfsOp::Create { at: base, what } = b.op() else {
        panic!("{:?}", b.op());
    };
    assert_eq!(base, &at("f"));
    assert!(what.attributes.contains(FileAttributes::HIDDEN));
    b.answer(Ok(found(9, 3, at("f"))));
    b.expect_close(9);
    let VfsOp::Create { at: what, .. } = b.op() else {
        panic!("{:?}", b.op());
    };
    assert_eq!(what, &stream);
    b.answer(Ok(found(10, 3, stream.clone())));
    assert_eq!(b.response(id).create_action, CreateAction::CREATED);
    let (_, o) = b.open_of(id);
    let row = o.file().unwrap().file;
    assert_eq!(
        b.core.files.get(row).unwrap().key,
        FileKey {
            node: NodeId { volume: 1, file: 3 },
            stream: Some("s".into())
        }
    );
    b.quiet(1);
    // in a file that is there, the file is asked
    for (mask, expected) in [
        (
            AccessMask::FILE_WRITE_DATA | AccessMask::FILE_READ_DATA,
            true,
        ),
        (AccessMask::FILE_WRITE_DATA, false),
        (AccessMask::FILE_READ_DATA, false),
    ] {
        let mut b = Bench::new();
        let id = b.create(request("f:s", CreateDisposition::OpenIf));
        b.answer(Ok(VfsReply::Missing(Missing {
            parent: info(3),
            security: sd(mask),
        })));
        if expected {
            b.answer(Ok(found(9, 3, stream.clone())));
            assert_eq!(b.status(id), NtStatus::SUCCESS);
        } else {
            assert_eq!(b.status(id), NtStatus::ACCESS_DENIED);
        }
    }
}

#[test]
fn descriptors_are_inherited() {
    let mut b = Bench::new();
    b.create(request("f", CreateDisposition::Create));
    let mut place = Missing {
        parent: info(1000),
        security: sd(ALL),
    };
    place.parent.attributes = FileAttributes::DIRECTORY;
    let inheritable = Ace::allow(account(8), ALL, AceFlags::OBJECT_INHERIT);
    place.security.dacl = AclSlot::Acl(Acl::new(vec![
        Ace::allow(account(7), ALL, AceFlags::empty()),
        inheritable,
    ]));
    b.answer(Ok(VfsReply::Missing(place)));
    let VfsOp::Create { what, .. } = b.op() else {
        panic!("{:?}", b.op());
    };
    let given = what.security.as_ref().unwrap();
    assert_eq!(given.owner, Some(account(7)));
    assert_eq!(
        given.dacl.acl().unwrap().aces,
        [Ace::allow(account(8), ALL, AceFlags::empty())]
    );
}

#[test]
fn pipes() {
    let mut b = Bench::new();
    let tree = b.tree;
    b.core.trees.get_mut(tree).unwrap().share = TreeShare::Pipe;
    let id = b.create(open("srvsvc"));
    let r = b.response(id);
    assert_eq!(r.file_attributes, FileAttributes::NORMAL);
    assert_eq!(b.open_of(id).1.granted, AccessMask::FILE_READ_DATA);
    let id = b.create(open("no-such-pipe"));
    assert_eq!(b.status(id), NtStatus::OBJECT_NAME_NOT_FOUND);
    b.quiet(1);
}
