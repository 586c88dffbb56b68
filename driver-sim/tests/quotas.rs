//! Quotas of users: [MS-SMB2] 3.3.5.20.4 and 3.3.5.21.4, [MS-FSA] 2.1.5.21 and 2.1.5.22.

use bytes::Bytes;
use driver_sim::client::{Credentials, ops};
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::{Backend, Capabilities};
use smb_proto::dtyp::{AccessMask, Sid};
use smb_proto::fsctl::FsctlCode;
use smb_proto::id::FileId;
use smb_proto::info::fs::{FileFsControlInformation, FsControlFlags};
use smb_proto::info::quota::{FileQuotaInformation, QueryQuotaInfo, QuotaSids};
use smb_proto::info::{FileAttributes, FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::create::{CreateDisposition, ImpersonationLevel};
use smb_proto::msg::{close, create, query_info, set_info};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, NtStatus};

const QUOTA: &str = "$Extend\\$Quota:$Q:$INDEX_ALLOCATION";

/// A share on which `user` is administrator and `other` is not.
fn pair() -> Pair {
    with(MemoryFs::new(7, FileTime::from_unix(1_700_000_000, 0)))
}

fn with(fs: MemoryFs) -> Pair {
    Pair::builder()
        .share("files", |s| s.admin_users.users = vec!["user".into()])
        .fs(fs)
        .build()
}

fn other(pair: &mut Pair) -> Tree {
    let end = pair.connect();
    let session = pair
        .logon(end, Credentials::new("other", "secret"))
        .unwrap();
    pair.tree(end, session, "files").unwrap()
}

fn open(name: &str) -> create::Request {
    create::Request {
        desired_access: AccessMask::FILE_GENERIC_READ,
        impersonation_level: ImpersonationLevel::ANONYMOUS,
        ..ops::open(name)
    }
}

fn sid(rid: u32) -> Sid {
    Sid::domain(1, 2, 3).with_rid(rid).unwrap()
}

fn entry(sid: Sid, threshold: i64, limit: i64) -> FileQuotaInformation {
    FileQuotaInformation {
        change_time: FileTime::ZERO,
        quota_used: 0,
        quota_threshold: threshold,
        quota_limit: limit,
        sid,
    }
}

fn set(pair: &mut Pair, tree: Tree, file_id: FileId, list: &[FileQuotaInformation]) -> NtStatus {
    let mut w = Writer::new();
    FileQuotaInformation::encode_list(list, &mut w);
    let request = set_info::Request {
        info_type: InfoType::Quota.code(),
        file_info_class: 0,
        additional_information: 0,
        file_id,
        buffer: w.into_inner().freeze(),
    };
    pair.call(tree, request).status()
}

fn ask(
    pair: &mut Pair,
    tree: Tree,
    file_id: FileId,
    how: &QueryQuotaInfo,
    room: u32,
) -> Result<Vec<FileQuotaInformation>, NtStatus> {
    let mut w = Writer::new();
    how.encode(&mut w);
    let request = query_info::Request {
        info_type: InfoType::Quota.code(),
        file_info_class: 0,
        output_buffer_length: room,
        additional_information: 0,
        flags: query_info::QueryInfoFlags::empty(),
        file_id,
        input: w.into_inner().freeze(),
    };
    match pair.query(tree, request) {
        (NtStatus::SUCCESS, output) => Ok(FileQuotaInformation::parse_list(&output).unwrap()),
        (status, _) => Err(status),
    }
}

fn all(restart_scan: bool, return_single: bool) -> QueryQuotaInfo {
    QueryQuotaInfo {
        return_single,
        restart_scan,
        sids: QuotaSids::All,
    }
}

fn of(sids: Vec<Sid>) -> QueryQuotaInfo {
    QueryQuotaInfo {
        return_single: false,
        restart_scan: true,
        sids: QuotaSids::List(sids),
    }
}

#[test]
fn the_file_of_quotas_is_opened_by_administrators() {
    let mut pair = pair();
    let (tree, theirs) = (pair.mount(), other(&mut pair));
    assert_eq!(
        pair.create(theirs, open(QUOTA)),
        Err(NtStatus::ACCESS_DENIED)
    );
    let opened = pair.create(tree, open(&QUOTA.to_lowercase())).unwrap();
    assert_eq!(
        opened.file_attributes,
        FileAttributes::HIDDEN
            | FileAttributes::SYSTEM
            | FileAttributes::DIRECTORY
            | FileAttributes::ARCHIVE
    );
    for time in [
        opened.creation_time,
        opened.last_access_time,
        opened.last_write_time,
        opened.change_time,
    ] {
        assert_eq!(time, FileTime::ZERO);
    }
    let f = opened.file_id;
    // It is no file otherwise.
    let none = NtStatus::INVALID_DEVICE_REQUEST;
    assert_eq!(pair.read(tree, f, 0, 1), Err(none));
    assert_eq!(pair.query_file(tree, f, FileInfoClass::Basic), Err(none));
    assert_eq!(pair.query_fs(tree, f, FsInfoClass::Size), Err(none));
    let fsctl = ops::fsctl(f, FsctlCode::GET_COMPRESSION, Bytes::new(), 2);
    assert_eq!(pair.call(tree, fsctl).status(), none);
    let control = pair.query_fs(tree, f, FsInfoClass::Control).unwrap();
    let control = FileFsControlInformation::parse(&control).unwrap();
    assert_eq!(
        control.flags,
        FsControlFlags::QUOTA_TRACK | FsControlFlags::QUOTA_ENFORCE
    );
    let close = close::Request {
        flags: close::CloseFlags::POSTQUERY_ATTRIB,
        file_id: f,
    };
    assert_eq!(pair.call(tree, close).status(), NtStatus::SUCCESS);
    assert_eq!(pair.read(tree, f, 0, 1), Err(NtStatus::FILE_CLOSED));
    for (disposition, status) in [
        (CreateDisposition::Create, NtStatus::OBJECT_NAME_COLLISION),
        (CreateDisposition::Overwrite, NtStatus::ACCESS_DENIED),
        (CreateDisposition::Supersede, NtStatus::ACCESS_DENIED),
    ] {
        let request = create::Request {
            create_disposition: disposition.into(),
            ..open(QUOTA)
        };
        assert_eq!(pair.create(tree, request), Err(status));
    }
    // Sessions that end take it along.
    pair.create(tree, open(QUOTA)).unwrap();
    pair.finish();
}

#[test]
fn they_are_set_told_and_taken_away() {
    let mut pair = pair();
    let tree = pair.mount();
    let f = pair.create(tree, open(QUOTA)).unwrap().file_id;
    let (a, b) = (sid(1000), sid(1001));
    assert_eq!(
        ask(&mut pair, tree, f, &all(true, false), 4096),
        Err(NtStatus::NO_MORE_ENTRIES)
    );
    let list = [entry(a, 1000, 2000), entry(b, -1, 3000)];
    assert_eq!(set(&mut pair, tree, f, &list), NtStatus::SUCCESS);
    let both = ask(&mut pair, tree, f, &all(true, false), 4096).unwrap();
    let shown: Vec<_> = both
        .iter()
        .map(|q| (q.sid, q.quota_threshold, q.quota_limit))
        .collect();
    assert_eq!(shown, [(a, 1000, 2000), (b, -1, 3000)]);
    // One after another, and from one on.
    for (how, expected) in [
        (all(true, true), Some(a)),
        (all(false, true), Some(b)),
        (all(false, true), None),
        (
            QueryQuotaInfo {
                sids: QuotaSids::From(b),
                ..all(true, true)
            },
            Some(b),
        ),
    ] {
        let got = ask(&mut pair, tree, f, &how, 4096).map(|q| q[0].sid);
        assert_eq!(got, expected.ok_or(NtStatus::NO_MORE_ENTRIES));
    }
    // As many as there is room for: an entry has 68 bytes, the second begins at 72.
    for (room, expected) in [
        (67, Err(NtStatus::BUFFER_TOO_SMALL)),
        (68, Ok(1)),
        (139, Ok(1)),
        (140, Ok(2)),
    ] {
        let got = ask(&mut pair, tree, f, &all(true, false), room).map(|q| q.len());
        assert_eq!(got, expected, "{room}");
    }
    // Who has none is told of all the same.
    let named = ask(&mut pair, tree, f, &of(vec![b, Sid::WORLD]), 4096).unwrap();
    assert_eq!((named[0].sid, named[0].quota_limit), (b, 3000));
    assert_eq!((named[1].sid, named[1].quota_limit), (Sid::WORLD, 0));
    // Through any other open of the volume as well.
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    assert_eq!(
        ask(&mut pair, tree, root, &all(false, false), 4096),
        Ok(both)
    );
    assert_eq!(
        set(&mut pair, tree, f, &[entry(a, -1, -2)]),
        NtStatus::SUCCESS
    );
    assert_eq!(
        set(&mut pair, tree, f, &[entry(a, -1, -2)]),
        NtStatus::NO_MATCH
    );
    let left = ask(&mut pair, tree, f, &all(true, false), 4096).unwrap();
    assert_eq!(left.len(), 1);
    pair.finish();
}

#[test]
fn who_may_do_what() {
    let mut pair = pair();
    let (tree, theirs) = (pair.mount(), other(&mut pair));
    let f = pair.create(tree, open(QUOTA)).unwrap().file_id;
    let (a, b) = (sid(1000), sid(1001));
    assert_eq!(
        set(&mut pair, tree, f, &[entry(b, 5, 6)]),
        NtStatus::SUCCESS
    );
    let root = pair.create(theirs, open("")).unwrap().file_id;
    let own = ask(&mut pair, theirs, root, &of(vec![b]), 4096).unwrap();
    assert_eq!(own[0].quota_limit, 6);
    for how in [of(vec![b, a]), all(true, false)] {
        let refused = ask(&mut pair, theirs, root, &how, 4096);
        assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    }
    let denied = NtStatus::ACCESS_DENIED;
    assert_eq!(set(&mut pair, theirs, root, &[entry(b, -1, -1)]), denied);
    // Administrators cannot be limited.
    let admins = Sid::BUILTIN_ADMINISTRATORS;
    assert_eq!(set(&mut pair, tree, f, &[entry(admins, -1, 5)]), denied);
    for list in [vec![], vec![entry(a, -1, -3)], vec![entry(a, -7, 5)]] {
        let refused = set(&mut pair, tree, f, &list);
        assert_eq!(refused, NtStatus::INVALID_PARAMETER);
    }
    pair.finish();
}

#[test]
fn where_there_are_none() {
    let fs = MemoryFs::new(7, FileTime::from_unix(1_700_000_000, 0));
    let can = fs.capabilities() - Capabilities::QUOTAS;
    let mut pair = with(fs.with_capabilities(can));
    let tree = pair.mount();
    let f = pair.create(tree, open(QUOTA)).unwrap().file_id;
    let no = NtStatus::NOT_SUPPORTED;
    assert_eq!(ask(&mut pair, tree, f, &all(true, false), 4096), Err(no));
    let a = sid(1000);
    assert_eq!(set(&mut pair, tree, f, &[entry(a, -1, 5)]), no);
    let control = pair.query_fs(tree, f, FsInfoClass::Control).unwrap();
    let control = FileFsControlInformation::parse(&control).unwrap();
    assert_eq!(control.flags, FsControlFlags::empty());
    assert_eq!(control.default_quota_limit, u64::MAX);
    pair.finish();
}
