use bytes::Bytes;
use proptest::prelude::*;
use smb_proto::FileTime;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::info::FileAttributes;

use super::*;
use crate::config::{BackendId, Config, Share};
use crate::identity::{Account, Identity};
use crate::table::Id;
use crate::time::Instant;
use crate::vfs::{
    AllocatedRange, Capabilities, DirItem, Ea, FileInfo, Listing, Location, NodeId, Opened,
    Payload, SharePath, StreamInfo, VfsError, VfsHandle, VfsReply, VolumeInfo, readable_by_all,
};

const NOW: Now = Now {
    mono: Instant(12),
    wall: FileTime(34),
};

fn read(frames: &[u8]) -> Result<Entry, DecodeError> {
    let (head, rest) = frames.split_first_chunk::<HEAD_LEN>().unwrap();
    let head = Head::parse(head)?;
    assert_eq!(head.len, rest.len());
    head.entry(rest)
}

fn completion(result: Completion) -> Completion {
    let mut out = Vec::new();
    let token = Token {
        op: Id::from_u64(7).unwrap(),
        seq: 3,
    };
    Frame::input(NOW, InputRef::Completion(token, &result), &mut out);
    match read(&out).unwrap() {
        Entry::Input(NOW, Input::Completion(t, back)) if t == token => {
            assert_eq!(back, result);
            back
        }
        other => panic!("{other:?}"),
    }
}

fn info() -> FileInfo {
    let mut info = FileInfo::file(NodeId { volume: 1, file: 2 }, 3, FileTime(4));
    info.attributes = FileAttributes::HIDDEN | FileAttributes::ARCHIVE;
    info
}

fn descriptor() -> SecurityDescriptor {
    SecurityDescriptor {
        control: SdControl::DACL_PROTECTED,
        owner: Some(Sid::LOCAL_SYSTEM),
        group: None,
        sacl: AclSlot::Null,
        dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(
            Sid::WORLD,
            AccessMask::FILE_ALL_ACCESS,
            AceFlags::INHERITED,
        )])),
    }
}

#[test]
fn every_answer_of_a_backend_comes_back() {
    let item = DirItem::new("name", info());
    for reply in [
        VfsReply::Done,
        VfsReply::Opened(Opened {
            handle: VfsHandle(9),
            info: info(),
            at: Location {
                path: SharePath::new("a\\b").unwrap(),
                stream: Some("s".into()),
            },
            security: descriptor(),
        }),
        VfsReply::Missing(crate::vfs::Missing {
            parent: info(),
            security: readable_by_all(),
        }),
        VfsReply::Info(info()),
        VfsReply::Data(Payload::copy_of(b"data")),
        VfsReply::Written(u64::MAX),
        VfsReply::Listing(Listing {
            items: vec![item.clone(), item],
            end: true,
        }),
        VfsReply::Streams(vec![StreamInfo {
            name: String::new(),
            size: 1,
            allocation: 2,
        }]),
        VfsReply::Eas(vec![Ea {
            flags: 0x80,
            name: "ea".into(),
            value: Bytes::from_static(b"v"),
        }]),
        VfsReply::Security(descriptor()),
        VfsReply::Volume(VolumeInfo::full("label")),
        VfsReply::Ranges(vec![AllocatedRange { offset: 1, len: 2 }]),
        VfsReply::Snapshots(vec![FileTime(7)]),
        VfsReply::Quotas(vec![crate::vfs::Quota {
            sid: Sid::WORLD,
            change: FileTime(9),
            used: 1,
            limits: crate::vfs::QuotaLimits {
                threshold: None,
                limit: Some(7),
            },
        }]),
        VfsReply::ObjectId(None),
        VfsReply::ObjectId(Some(smb_proto::fsctl::FileObjectId {
            object_id: smb_proto::Guid::from_bytes([3; 16]),
            extended_info: std::array::from_fn(|i| i as u8),
        })),
        VfsReply::Reparse(crate::vfs::Reparse {
            tag: 1,
            data: Bytes::from_static(b"r"),
        }),
    ] {
        completion(Completion::Vfs(Ok(reply)));
    }
    for error in [
        VfsError::NotFound,
        VfsError::StoppedOnSymlink {
            unparsed: 7,
            target: "t".into(),
            relative: true,
        },
        VfsError::Gone,
    ] {
        completion(Completion::Vfs(Err(error)));
    }
    let mut identity = Identity::system();
    identity.uid = Some(5);
    let account = Account {
        nt_hash: NtHash::of_password("secret"),
        identity: identity.clone(),
    };
    completion(Completion::Account(Some(account)));
    completion(Completion::Account(None));
    completion(Completion::Accounts(vec![identity]));
}

#[test]
fn the_start_comes_back() {
    let shares = vec![Share::new("s", BackendId(3), Capabilities::all())];
    let config = Config::new("SERVER", Sid::domain(1, 2, 3), shares);
    let mut out = Vec::new();
    Frame::start(&config, &[9; 32], &mut out);
    match read(&out).unwrap() {
        Entry::Start(back, seed) => assert_eq!((back, seed), (config, [9; 32])),
        other => panic!("{other:?}"),
    }
    for cut in 0..out.len() - HEAD_LEN {
        let head = Head::parse(out.first_chunk().unwrap()).unwrap();
        assert!(head.entry(&out[HEAD_LEN..HEAD_LEN + cut]).is_err());
    }
}

#[test]
fn the_other_entries_come_back() {
    let mut out = Vec::new();
    Frame::outputs(&[1, u64::MAX], &mut out);
    assert!(matches!(read(&out).unwrap(), Entry::Outputs(d) if d == [1, u64::MAX]));
    out.clear();
    Frame::end(&mut out);
    assert!(matches!(read(&out).unwrap(), Entry::End));
    out.clear();
    let conn = Id::from_u64(1).unwrap();
    for fault in [
        Fault::NoCipher,
        Fault::FrameTooLong { len: 1, max: 2 },
        Fault::MessageIdWindow(smb_proto::id::MessageId(5)),
    ] {
        out.clear();
        Frame::input(NOW, InputRef::Fault(conn, &fault), &mut out);
        assert!(matches!(read(&out).unwrap(), Entry::Input(_, Input::Fault(_, f)) if f == fault));
    }
    let mut long = [0xff; HEAD_LEN];
    long[8] = 1;
    assert!(Head::parse(&long).is_err());
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(kind in 0u8..5, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        // With a right checksum, which no accident has.
        let mut out = Vec::new();
        Frame::put(kind, &mut out, |out| out.extend(&payload));
        let _refused_or_read = read(&out);
    }
}
