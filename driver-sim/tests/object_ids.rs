//! Object ids of files, [MS-FSA] 2.1.5.10.1, .2, .13, .35 and .36.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::{Backend, Capabilities};
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FileObjectId, FsctlCode};
use smb_proto::id::FileId;
use smb_proto::info::FsInfoClass;
use smb_proto::info::fs::{FileFsAttributeInformation, FileFsVolumeInformation, FsAttributes};
use smb_proto::msg::create::CreateOptions;
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, Guid, NtStatus};

const GET: FsctlCode = FsctlCode::GET_OBJECT_ID;
const CREATE: FsctlCode = FsctlCode::CREATE_OR_GET_OBJECT_ID;
const SET: FsctlCode = FsctlCode::SET_OBJECT_ID;
const EXTEND: FsctlCode = FsctlCode::SET_OBJECT_ID_EXTENDED;
const DELETE: FsctlCode = FsctlCode::DELETE_OBJECT_ID;

fn fsctl(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    code: FsctlCode,
    input: impl Into<Bytes>,
) -> Result<Bytes, NtStatus> {
    let reply = pair.call(tree, ops::fsctl(file, code, input, 64));
    match (reply.status(), &reply.body) {
        (NtStatus::SUCCESS, Response::Ioctl(r)) => Ok(r.output.clone()),
        (status, _) => Err(status),
    }
}

fn id(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    code: FsctlCode,
) -> Result<FileObjectId, NtStatus> {
    let output = fsctl(pair, tree, file, code, Bytes::new())?;
    Ok(FileObjectId::parse(&output).unwrap())
}

fn bytes(id: &FileObjectId) -> Vec<u8> {
    let mut w = Writer::new();
    id.encode(&mut w);
    w.written().to_vec()
}

fn open_as(pair: &mut Pair, tree: Tree, access: AccessMask, options: CreateOptions) -> FileId {
    let request = create::Request {
        desired_access: access,
        create_options: options,
        ..ops::open("a")
    };
    pair.create(tree, request).unwrap().file_id
}

/// A share with the file `a`, on which `user` is administrator and `other` is not.
fn with_administrator() -> Pair {
    let fs = MemoryFs::new(1, FileTime(0x01d0_0000_0000_0000));
    fs.write_file("a", b"").unwrap();
    Pair::builder()
        .share("files", |s| s.admin_users.users = vec!["user".into()])
        .fs(fs)
        .build()
}

#[test]
fn made_when_asked_for_and_kept() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    assert_eq!(
        id(&mut pair, tree, f, GET),
        Err(NtStatus::OBJECTID_NOT_FOUND)
    );
    let made = id(&mut pair, tree, f, CREATE).unwrap();
    assert_ne!(made.object_id, Guid::NIL);
    // BirthObjectId is the same, and there is no domain.
    assert_eq!(made.extended_info[16..32], made.object_id.to_bytes());
    assert_eq!(made.extended_info[32..], [0; 16]);
    for code in [GET, CREATE] {
        let again = pair.open(tree, "a").unwrap();
        assert_eq!(id(&mut pair, tree, again, code), Ok(made));
    }
    fsctl(&mut pair, tree, f, DELETE, Bytes::new()).unwrap();
    fsctl(&mut pair, tree, f, DELETE, Bytes::new()).unwrap();
    assert_eq!(
        id(&mut pair, tree, f, GET),
        Err(NtStatus::OBJECTID_NOT_FOUND)
    );
    assert_ne!(id(&mut pair, tree, f, CREATE), Ok(made));
    let attributes = pair.query_fs(tree, f, FsInfoClass::Attribute).unwrap();
    let attributes = FileFsAttributeInformation::parse(&attributes).unwrap();
    assert!(
        attributes
            .attributes
            .contains(FsAttributes::SUPPORTS_OBJECT_IDS)
    );
    let volume = pair.query_fs(tree, f, FsInfoClass::Volume).unwrap();
    assert!(
        FileFsVolumeInformation::parse(&volume)
            .unwrap()
            .supports_objects
    );
    pair.finish();
}

#[test]
fn set_by_those_who_restore() {
    let mut pair = with_administrator();
    let tree = pair.mount();
    let wanted = FileObjectId {
        object_id: Guid::from_bytes([7; 16]),
        extended_info: [8; 48],
    };
    let other = FileObjectId {
        object_id: Guid::from_bytes([9; 16]),
        ..wanted
    };
    let all = AccessMask::FILE_ALL_ACCESS;
    let backup = CreateOptions::OPEN_FOR_BACKUP_INTENT;
    let f = open_as(&mut pair, tree, all, CreateOptions::empty());
    let refused = fsctl(&mut pair, tree, f, SET, bytes(&wanted));
    assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    let f = open_as(&mut pair, tree, all, backup);
    for len in [0, 16, 63, 65] {
        let refused = fsctl(&mut pair, tree, f, SET, vec![1; len]);
        assert_eq!(refused, Err(NtStatus::INVALID_PARAMETER), "{len}");
    }
    fsctl(&mut pair, tree, f, SET, bytes(&wanted)).unwrap();
    assert_eq!(id(&mut pair, tree, f, GET), Ok(wanted));
    let refused = fsctl(&mut pair, tree, f, SET, bytes(&other));
    assert_eq!(refused, Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(id(&mut pair, tree, f, CREATE), Ok(wanted));
    pair.finish();
}

#[test]
fn the_rest_is_changed_by_writers() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let part = || vec![5; 48];
    let none = fsctl(&mut pair, tree, f, EXTEND, part());
    assert_eq!(none, Err(NtStatus::OBJECTID_NOT_FOUND));
    let made = id(&mut pair, tree, f, CREATE).unwrap();
    for len in [0, 47, 49, 64] {
        let refused = fsctl(&mut pair, tree, f, EXTEND, vec![5; len]);
        assert_eq!(refused, Err(NtStatus::INVALID_PARAMETER), "{len}");
    }
    let none = CreateOptions::empty();
    let reader = open_as(&mut pair, tree, AccessMask::FILE_READ_DATA, none);
    for (code, input) in [(EXTEND, part()), (DELETE, Vec::new())] {
        let refused = fsctl(&mut pair, tree, reader, code, input);
        assert_eq!(refused, Err(NtStatus::ACCESS_DENIED), "{code}");
    }
    let writer = open_as(&mut pair, tree, AccessMask::FILE_WRITE_ATTRIBUTES, none);
    fsctl(&mut pair, tree, writer, EXTEND, part()).unwrap();
    let changed = FileObjectId {
        extended_info: [5; 48],
        ..made
    };
    assert_eq!(id(&mut pair, tree, reader, GET), Ok(changed));
    // `other` is no administrator.
    let refused = fsctl(&mut pair, tree, f, SET, bytes(&made));
    assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    pair.finish();
}

/// Where none can be kept, or nothing may be changed, there is one all the same.
#[test]
fn made_up_where_none_can_be_kept() {
    for (can, set) in [
        (
            MemoryFs::new(1, FileTime(0x01d0_0000_0000_0000)).capabilities()
                - Capabilities::OBJECT_IDS,
            NtStatus::INVALID_DEVICE_REQUEST,
        ),
        (
            MemoryFs::new(1, FileTime(0x01d0_0000_0000_0000)).capabilities()
                | Capabilities::READ_ONLY,
            NtStatus::MEDIA_WRITE_PROTECTED,
        ),
    ] {
        let fs = MemoryFs::new(1, FileTime(0x01d0_0000_0000_0000));
        fs.write_file("a", b"").unwrap();
        fs.write_file("b", b"").unwrap();
        let mut pair = Pair::builder().fs(fs.with_capabilities(can)).build();
        let tree = pair.mount();
        let open = |pair: &mut Pair, name: &str| {
            let request = create::Request {
                desired_access: AccessMask::FILE_READ_DATA,
                ..ops::open(name)
            };
            pair.create(tree, request).unwrap().file_id
        };
        let (a, b) = (open(&mut pair, "a"), open(&mut pair, "b"));
        let made = id(&mut pair, tree, a, CREATE).unwrap();
        assert_eq!(id(&mut pair, tree, a, CREATE), Ok(made));
        assert_ne!(id(&mut pair, tree, b, CREATE), Ok(made));
        for (code, len) in [(SET, 64), (EXTEND, 48), (DELETE, 0)] {
            let refused = fsctl(&mut pair, tree, a, code, vec![1; len]);
            assert_eq!(refused, Err(set), "{code}");
        }
        pair.finish();
    }
}
