//! Rights, identities, and names that want out.

use bytes::Bytes;
use driver_sim::client::{LogonFor, ops};
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::fsctl::reparse::{ReparseDataBuffer, ReparseTag};
use smb_proto::fsctl::{DuplicateExtents, FsctlCode, SetSparse, ZeroData};
use smb_proto::id::FileId;
use smb_proto::info::file::{FileLinkInformation, FileRenameInformation};
use smb_proto::info::{FileInfoClass, FsInfoClass, SecurityInformation};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};
use smb_proto::wire::Writer;

use crate::bed::{S, other};

fn bytes(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    w.written().to_vec()
}

fn open_as(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> FileId {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

/// CVE-2026-52944, CVE-2026-64398, CVE-2026-64399, CVE-2026-64395, CVE-2026-68457: FSCTLs that change a
/// file, by handles that may not, and on a share that is only read. To set the sparse attribute takes the
/// right to write data or that to write attributes ([MS-FSA] 2.1.5.10.38); zeroing and sharing extents
/// change data, and take the right to write them (2.1.5.10.39, 2.1.5.10.5).
#[test]
fn ioctls_that_change_a_file_without_the_right() {
    use AccessMask as A;
    let sparse = bytes(|w| SetSparse { set_sparse: true }.encode(w));
    let zero = bytes(|w| {
        ZeroData {
            file_offset: 0,
            beyond_final_zero: 4,
        }
        .encode(w);
    });
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"data").unwrap();
    pair.fs().write_file("source", b"other data").unwrap();
    let tree = pair.mount();
    let session = tree.target.session;
    let readonly = pair.tree(tree.end, session, "readonly").unwrap();
    let duplicate = |source| {
        bytes(|w| {
            DuplicateExtents {
                source_file_id: source,
                source_file_offset: 0,
                target_file_offset: 0,
                byte_count: 4,
            }
            .encode(w);
        })
    };
    let fsctl = |pair: &mut Pair, tree, file, code, input: &[u8]| {
        let request = ops::fsctl(file, code, input.to_vec(), 0);
        pair.call(tree, request).status()
    };
    let ours = FsctlCode::DUPLICATE_EXTENTS_TO_FILE;
    let source = open_as(&mut pair, tree, "source", A::FILE_READ_DATA);
    let closed = open_as(&mut pair, tree, "source", A::FILE_READ_ATTRIBUTES);
    let read_only = A::FILE_READ_DATA | A::FILE_READ_ATTRIBUTES | A::FILE_READ_EA;
    for (tree, access, may_set_sparse) in [
        (tree, read_only, false),
        (tree, A::FILE_WRITE_EA | A::DELETE | A::WRITE_DAC, false),
        (tree, A::FILE_WRITE_ATTRIBUTES, true),
        (tree, A::FILE_WRITE_ATTRIBUTES | read_only, true),
        (readonly, read_only, false),
    ] {
        let file = open_as(&mut pair, tree, "f", access);
        let status = fsctl(&mut pair, tree, file, FsctlCode::SET_ZERO_DATA, &zero);
        assert_eq!(status, S::ACCESS_DENIED, "{access:?}");
        let source = if tree == readonly {
            open_as(&mut pair, tree, "source", A::FILE_READ_DATA)
        } else {
            source
        };
        let status = fsctl(&mut pair, tree, file, ours, &duplicate(source));
        assert_eq!(status, S::ACCESS_DENIED, "{access:?}");
        let status = fsctl(&mut pair, tree, file, FsctlCode::SET_SPARSE, &sparse);
        let expected = if may_set_sparse {
            S::SUCCESS
        } else {
            S::ACCESS_DENIED
        };
        assert_eq!(status, expected, "{access:?}");
        pair.close(tree, file).unwrap();
    }
    // The share does not let anybody have more.
    for access in [A::FILE_WRITE_DATA, A::FILE_WRITE_ATTRIBUTES, A::DELETE] {
        let request = create::Request {
            desired_access: access,
            ..ops::open("f")
        };
        let refused = pair.create(readonly, request).unwrap_err();
        assert_eq!(refused, S::ACCESS_DENIED, "{access:?}");
    }
    // A source that may not be read.
    let target = open_as(&mut pair, tree, "f", A::FILE_WRITE_DATA);
    let status = fsctl(&mut pair, tree, target, ours, &duplicate(closed));
    assert_eq!(status, S::ACCESS_DENIED);
    assert_eq!(pair.fs().read_file("f").unwrap(), b"data");
    pair.finish();
}

fn dacl(sid: Sid, mask: AccessMask) -> SecurityDescriptor {
    SecurityDescriptor {
        dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(sid, mask, AceFlags::empty())])),
        ..SecurityDescriptor::default()
    }
}

/// CVE-2026-64394: a descriptor is set by handles without WRITE_DAC or WRITE_OWNER ([MS-FSA] 2.1.5.17).
#[test]
fn set_security_without_the_right() {
    use {AccessMask as A, SecurityInformation as P};
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"data").unwrap();
    let tree = pair.mount();
    let sd = dacl(Sid::WORLD, A::FILE_ALL_ACCESS).to_vec();
    for (access, parts) in [
        (A::FILE_WRITE_DATA | A::FILE_WRITE_ATTRIBUTES, P::DACL),
        (A::WRITE_OWNER, P::DACL),
        (A::WRITE_DAC, P::OWNER),
        (A::WRITE_DAC, P::GROUP),
        (A::WRITE_DAC | A::WRITE_OWNER, P::SACL),
        (A::WRITE_DAC, P::DACL | P::OWNER),
    ] {
        let file = open_as(&mut pair, tree, "f", access);
        let status = pair.call(tree, ops::set_security(file, parts, sd.clone()));
        assert_eq!(status.status(), S::ACCESS_DENIED, "{access:?} {parts:?}");
    }
    pair.finish();
}

/// CVE-2026-64393, CVE-2026-64392, CVE-2026-64391: whatever a request makes the backend do, it does as the
/// user who opened the file: also what is left to do when the connection has gone, and what is deleted
/// only when another user closes the last handle.
#[test]
fn effects_carry_the_openers_identity() {
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"data").unwrap();
    pair.fs().write_file("g", b"data").unwrap();
    let tree = pair.mount();
    let end = pair.connect();
    let session = pair.logon(end, other()).unwrap();
    let theirs = pair.tree(end, session, "files").unwrap();
    // Who did what, by watching every operation.
    let drain = |pair: &mut Pair| {
        let mut seen = Vec::new();
        let next = |pair: &Pair| {
            let request = pair.held_requests().next()?;
            let removes = matches!(request.op, VfsOp::Remove { .. });
            Some((request.by.name.clone(), removes))
        };
        while let Some(one) = next(pair) {
            seen.push(one);
            pair.release_oldest();
        }
        seen
    };
    pair.hold(|_| true);
    for request in [
        ops::open("f").into(),
        ops::create("f:s", CreateDisposition::OpenIf).into(),
        ops::create("new", CreateDisposition::Create).into(),
        create::Request {
            create_options: CreateOptions::DELETE_ON_CLOSE,
            ..ops::open("g")
        }
        .into(),
    ] as [smb_proto::msg::Request; 4]
    {
        pair.start(tree, request);
        let seen = drain(&mut pair);
        assert!(
            !seen.is_empty() && seen.iter().all(|(by, _)| by == "user"),
            "{seen:?}"
        );
    }
    // Two users have the file open; one marks it, the other closes last.
    let id = pair.start(theirs, ops::open("f"));
    assert!(drain(&mut pair).iter().all(|(by, _)| by == "other"));
    assert_eq!(pair.wait(end, id).status(), S::SUCCESS);
    let id = pair.start(
        tree,
        create::Request {
            create_options: CreateOptions::DELETE_ON_CLOSE,
            ..ops::open("f")
        },
    );
    drain(&mut pair);
    assert_eq!(pair.wait(tree.end, id).status(), S::SUCCESS);
    // All handles of the first user go with its connection; a name goes with them.
    pair.disconnect(tree.end);
    let seen = drain(&mut pair);
    assert!(seen.iter().all(|(by, _)| by == "user"), "{seen:?}");
    assert_eq!(seen.iter().filter(|(_, removes)| *removes).count(), 1);
    assert!(pair.fs().exists("f") && !pair.fs().exists("g"));
    pair.disconnect(end);
    let seen = drain(&mut pair);
    // Removed for who wanted it, closed for who held it.
    assert!(seen.contains(&("user".to_owned(), true)), "{seen:?}");
    assert!(seen.contains(&("other".to_owned(), false)), "{seen:?}");
    assert!(!pair.fs().exists("f"));
    pair.finish();
}

/// CVE-2025-0620: proving again as somebody else: what is opened from then on is opened as that one, with
/// that one's groups; what is open stays with who opened it.
#[test]
fn reauthentication_takes_up_the_new_identity() {
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"data").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "f").unwrap();
    let again = LogonFor::Again(tree.target.session);
    pair.logon_for(tree.end, other(), again).unwrap();
    let session = tree.target.session;
    let fresh = pair.tree(tree.end, session, "files").unwrap();
    pair.hold(|_| true);
    for (tree, request, by) in [
        (tree, ops::read(file, 0, 1).into(), "user"),
        (fresh, ops::open("f").into(), "other"),
    ] as [(Tree, smb_proto::msg::Request, &str); 2]
    {
        pair.start(tree, request);
        let seen: Vec<_> = pair.held_requests().map(|r| r.by.name.clone()).collect();
        assert!(
            !seen.is_empty() && seen.iter().all(|name| name == by),
            "{seen:?}"
        );
        while pair.release_oldest() {}
    }
    pair.finish();
}

/// CVE-2026-64400, CVE-2026-68083, CVE-2025-21660, CVE-2021-31800: names that lead above the share, by
/// CREATE and as the target of a rename or a link, in whatever case, also over directories that are not
/// there: no backend sees any of them, and nothing is made.
#[test]
fn names_that_leave_the_share() {
    let mut pair = Pair::new();
    pair.fs().write_file("d\\f", b"data").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "d\\f").unwrap();
    let before = pair.fs().tree();
    pair.hold(|_| true);
    for name in [
        "..",
        "..\\x",
        "..\\..\\x",
        "d\\..\\..\\x",
        "D\\..\\..\\X",
        "missing\\..\\..\\x",
        "Missing\\..\\..\\..\\etc\\passwd",
        ".\\..\\x",
        "d\\.\\..\\..\\x",
        "../x",
        "d/../../x",
        "..\\x:stream",
        "\\..\\x",
        "\\\\host\\share",
        "C:\\x",
    ] {
        for disposition in [CreateDisposition::Open, CreateDisposition::OpenIf] {
            let status = pair
                .create(tree, ops::create(name, disposition))
                .unwrap_err();
            let refused = [
                S::OBJECT_PATH_SYNTAX_BAD,
                S::OBJECT_NAME_INVALID,
                S::OBJECT_PATH_NOT_FOUND,
                S::INVALID_PARAMETER,
            ];
            assert!(refused.contains(&status), "{name}: {status}");
        }
        let rename = bytes(|w| {
            FileRenameInformation {
                replace_if_exists: true,
                root_directory: 0,
                file_name: name.to_owned(),
            }
            .encode(w);
        });
        let link = bytes(|w| {
            FileLinkInformation {
                replace_if_exists: true,
                root_directory: 0,
                file_name: name.to_owned(),
            }
            .encode(w);
        });
        for (class, input) in [(FileInfoClass::Rename, rename), (FileInfoClass::Link, link)] {
            let status = pair.set_file(tree, file, class, input).unwrap_err();
            let refused = [
                S::OBJECT_PATH_SYNTAX_BAD,
                S::OBJECT_NAME_INVALID,
                S::OBJECT_PATH_NOT_FOUND,
                S::INVALID_PARAMETER,
            ];
            assert!(refused.contains(&status), "{name} {class:?}: {status}");
        }
        assert_eq!(pair.held(), 0, "{name} went to the backend");
    }
    // What stays inside is resolved on the text: the backend sees no dots at all.
    let id = pair.start(tree, ops::open("Missing\\..\\d\\..\\d\\f"));
    for request in pair.held_requests() {
        if let VfsOp::Open { at, .. } = &request.op {
            assert_eq!(at.path.as_str(), "d\\f");
        }
    }
    pair.release();
    assert_eq!(pair.wait(tree.end, id).status(), S::SUCCESS);
    assert_eq!(pair.fs().tree(), before);
    pair.finish();
}

/// CVE-2020-14318: CHANGE_NOTIFY on a directory that may not be listed ([MS-SMB2] 3.3.5.19).
#[test]
fn change_notify_without_list_directory() {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let dir = open_as(&mut pair, tree, "d", AccessMask::FILE_READ_ATTRIBUTES);
    let request = ops::notify(dir, CompletionFilter::all(), true);
    assert_eq!(pair.call(tree, request).status(), S::ACCESS_DENIED);
    pair.finish();
}

/// CVE-2023-4091: overwriting a file that may only be read ([MS-FSA] 2.1.5.1.2: it takes the right to write
/// data, asked for or not).
#[test]
fn overwrite_of_what_may_only_be_read() {
    use AccessMask as A;
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"data").unwrap();
    let tree = pair.mount();
    let session = tree.target.session;
    let readonly = pair.tree(tree.end, session, "readonly").unwrap();
    let file = open_as(&mut pair, tree, "f", A::WRITE_DAC);
    let only = dacl(Sid::WORLD, A::FILE_GENERIC_READ | A::FILE_GENERIC_EXECUTE);
    let set = ops::set_security(file, SecurityInformation::DACL, only.to_vec());
    assert_eq!(pair.call(tree, set).status(), S::SUCCESS);
    pair.close(tree, file).unwrap();
    for tree in [tree, readonly] {
        for disposition in [
            CreateDisposition::Overwrite,
            CreateDisposition::OverwriteIf,
            CreateDisposition::Supersede,
        ] {
            for access in [
                A::FILE_READ_DATA,
                A::FILE_READ_ATTRIBUTES,
                A::MAXIMUM_ALLOWED,
            ] {
                let request = create::Request {
                    desired_access: access,
                    ..ops::create("f", disposition)
                };
                let refused = pair.create(tree, request).unwrap_err();
                assert_eq!(refused, S::ACCESS_DENIED, "{disposition:?} {access:?}");
            }
        }
    }
    assert_eq!(pair.fs().read_file("f").unwrap(), b"data");
    pair.finish();
}

/// CVE-2026-1933: a reparse point is set and removed by handles that may not write.
#[test]
fn reparse_ioctls_without_the_right() {
    use AccessMask as A;
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"").unwrap();
    let tree = pair.mount();
    let link = bytes(|w| {
        ReparseDataBuffer {
            tag: ReparseTag::SYMLINK,
            guid: None,
            data: Bytes::new(),
        }
        .encode(w);
    });
    for access in [
        A::FILE_READ_DATA | A::FILE_READ_ATTRIBUTES,
        A::DELETE | A::WRITE_DAC,
        A::FILE_WRITE_EA,
    ] {
        let file = open_as(&mut pair, tree, "f", access);
        for code in [
            FsctlCode::SET_REPARSE_POINT,
            FsctlCode::DELETE_REPARSE_POINT,
        ] {
            let request = ops::fsctl(file, code, link.clone(), 0);
            let status: NtStatus = pair.call(tree, request).status();
            assert_eq!(status, S::ACCESS_DENIED, "{access:?} {code}");
        }
    }
    pair.finish();
}

/// CVE-2026-31410: the volume's object id is made up, and the same for everybody.
#[test]
fn object_id_of_the_volume_is_made_up_and_stable() {
    let ask = |seed| {
        let mut pair = Pair::builder().seed(seed).build();
        pair.fs().write_file("f", b"").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        let id = pair.query_fs(tree, file, FsInfoClass::ObjectId);
        pair.finish();
        id
    };
    let first = ask(1);
    assert!(first.as_ref().is_ok_and(|id| id.len() == 64), "{first:?}");
    assert_eq!(first, ask(2));
}
