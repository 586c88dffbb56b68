//! What files and volumes tell, and what of it can be set: [MS-SMB2] 3.3.5.20 and 3.3.5.21.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, Credentials, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::info::file::{
    EaFlags, FileAllInformation, FileAllocationInformation, FileBasicInformation,
    FileEndOfFileInformation, FileFullEaInformation, FileGetEaInformation, FileMode,
    FileModeInformation, FileNameInformation, FilePositionInformation, FileStandardInformation,
    FileStreamInformation, FileValidDataLengthInformation,
};
use smb_proto::info::{
    FileAttributes, FileInfoClass, FsInfoClass, InfoType, QueryLen, SecurityInformation,
};
use smb_proto::msg::query_info::{QueryInfoFlags, Request};
use smb_proto::msg::{create, set_info};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, FileTime, NtStatus};

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

fn world() -> (Pair, Tree, FileId) {
    let mut pair = Pair::new();
    pair.fs().write_file("dir\\file.txt", b"hello").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "dir\\file.txt").unwrap();
    (pair, tree, file)
}

fn basic(pair: &mut Pair, tree: Tree, file: FileId) -> FileBasicInformation {
    let bytes = pair.query_file(tree, file, FileInfoClass::Basic).unwrap();
    FileBasicInformation::parse(&bytes).unwrap()
}

fn set_basic(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    info: FileBasicInformation,
) -> Result<(), NtStatus> {
    pair.set_file(tree, file, FileInfoClass::Basic, bytes(|w| info.encode(w)))
}

fn size(pair: &mut Pair, tree: Tree, file: FileId) -> u64 {
    let bytes = pair
        .query_file(tree, file, FileInfoClass::Standard)
        .unwrap();
    FileStandardInformation::parse(&bytes).unwrap().end_of_file
}

/// With every length of buffer: too short for the fixed part, too short for the rest, enough.
#[test]
fn lengths_of_file_classes() {
    let (mut pair, tree, file) = world();
    for &class in FileInfoClass::ALL {
        let Some(len) = class.query_len() else {
            continue;
        };
        let (status, whole) = pair.query(tree, ops::query_file(file, class));
        if status != NtStatus::SUCCESS {
            continue;
        }
        for n in 0..=whole.len() + 3 {
            let request = Request {
                output_buffer_length: u32::try_from(n).unwrap(),
                ..ops::query_file(file, class)
            };
            let (status, part) = pair.query(tree, request);
            let expected = match len {
                _ if n < len.min() => (NtStatus::INFO_LENGTH_MISMATCH, 0),
                QueryLen::Variable(_) if n < whole.len() => (NtStatus::BUFFER_OVERFLOW, n),
                _ => (NtStatus::SUCCESS, whole.len()),
            };
            assert_eq!((status, part.len()), expected, "{class:?} with {n} bytes");
            assert!(whole.starts_with(&part));
        }
    }
    pair.finish();
}

#[test]
fn which_file_classes_are_answered() {
    let (mut pair, tree, file) = world();
    for &class in FileInfoClass::ALL {
        let (status, _) = pair.query(tree, ops::query_file(file, class));
        use FileInfoClass as C;
        let expected = match class {
            C::Pipe | C::PipeLocal | C::PipeRemote => NtStatus::INVALID_PARAMETER,
            C::FullEa => NtStatus::NO_EAS_ON_FILE,
            // The file system in memory has no 8.3 names, but this one is one.
            C::AlternateName => NtStatus::SUCCESS,
            C::CaseSensitive => NtStatus::INVALID_PARAMETER,
            C::Stat | C::StatLx => NtStatus::SUCCESS,
            C::Posix => NtStatus::INVALID_INFO_CLASS,
            c if c.uses().query => NtStatus::SUCCESS,
            c if c.is_documented() => NtStatus::NOT_SUPPORTED,
            _ => NtStatus::INVALID_INFO_CLASS,
        };
        assert_eq!(status, expected, "{class:?}");
    }
    let unknown = Request {
        file_info_class: 200,
        ..ops::query_file(file, FileInfoClass::Basic)
    };
    assert_eq!(pair.query(tree, unknown).0, NtStatus::INVALID_INFO_CLASS);
    let no_type = Request {
        info_type: 9,
        ..ops::query_file(file, FileInfoClass::Basic)
    };
    assert_eq!(pair.query(tree, no_type).0, NtStatus::INVALID_PARAMETER);
    let quota = Request {
        info_type: InfoType::Quota.code(),
        ..ops::query_file(file, FileInfoClass::Basic)
    };
    // Without the question that has to go with it.
    assert_eq!(pair.query(tree, quota).0, NtStatus::INVALID_PARAMETER);
    pair.finish();
}

#[test]
fn names() {
    let (mut pair, tree, file) = world();
    let all = pair.query_file(tree, file, FileInfoClass::All).unwrap();
    let all = FileAllInformation::parse(&all).unwrap();
    assert_eq!(all.name.name, "\\dir\\file.txt");
    assert_eq!(all.standard.end_of_file, 5);
    assert_eq!(all.access.access_flags, AccessMask::FILE_ALL_ACCESS);
    let mut name = |class| {
        let bytes = pair.query_file(tree, file, class).unwrap();
        FileNameInformation::parse(&bytes).unwrap().name
    };
    assert_eq!(name(FileInfoClass::NormalizedName), "dir\\file.txt");
    assert_eq!(name(FileInfoClass::AlternateName), "FILE.TXT");
    let long = pair.create_new(tree, "no short name").unwrap();
    assert_eq!(
        pair.query_file(tree, long, FileInfoClass::AlternateName),
        Err(NtStatus::OBJECT_NAME_NOT_FOUND)
    );
    let end = pair.connect_as(ClientConfig::only(Dialect::Smb302));
    let old = pair.mount_on(end);
    let file = pair.open(old, "dir\\file.txt").unwrap();
    assert_eq!(
        pair.query_file(old, file, FileInfoClass::NormalizedName),
        Err(NtStatus::NOT_SUPPORTED)
    );
    pair.finish();
}

#[test]
fn rights() {
    let (mut pair, tree, _) = world();
    let blind = create::Request {
        desired_access: AccessMask::SYNCHRONIZE | AccessMask::FILE_READ_DATA,
        ..ops::open("dir\\file.txt")
    };
    let file = pair.create(tree, blind).unwrap().file_id;
    use FileInfoClass as C;
    for class in [C::Basic, C::All, C::NetworkOpen, C::AttributeTag, C::FullEa] {
        assert_eq!(
            pair.query_file(tree, file, class),
            Err(NtStatus::ACCESS_DENIED),
            "{class:?}"
        );
    }
    for class in [C::Standard, C::Internal, C::Ea, C::Stream, C::Access] {
        assert!(pair.query_file(tree, file, class).is_ok(), "{class:?}");
    }
    let parts = SecurityInformation::DACL;
    assert_eq!(
        pair.query(tree, ops::query_security(file, parts)).0,
        NtStatus::ACCESS_DENIED
    );
    for (class, input) in [
        (C::Basic, vec![0; 40]),
        (C::EndOfFile, vec![0; 8]),
        (C::Allocation, vec![0; 8]),
        (C::Disposition, vec![1]),
        (C::FullEa, vec![0; 9]),
    ] {
        assert_eq!(
            pair.set_file(tree, file, class, input),
            Err(NtStatus::ACCESS_DENIED),
            "{class:?}"
        );
    }
    pair.finish();
}

#[test]
fn volumes() {
    let (mut pair, tree, file) = world();
    for &class in FsInfoClass::ALL {
        let (status, whole) = pair.query(tree, ops::query_fs(file, class));
        use FsInfoClass as C;
        let expected = match class {
            C::Label | C::DriverPath => NtStatus::NOT_SUPPORTED,
            C::VolumeFlags | C::Posix => NtStatus::INVALID_INFO_CLASS,
            _ => NtStatus::SUCCESS,
        };
        assert_eq!(status, expected, "{class:?}");
        let Some(len) = class.query_len().filter(|_| status.is_success()) else {
            continue;
        };
        for n in 0..whole.len() {
            let request = Request {
                output_buffer_length: u32::try_from(n).unwrap(),
                ..ops::query_fs(file, class)
            };
            let expected = if n < len.min() {
                NtStatus::INFO_LENGTH_MISMATCH
            } else {
                NtStatus::BUFFER_OVERFLOW
            };
            assert_eq!(pair.query(tree, request).0, expected, "{class:?} {n}");
        }
    }
    pair.finish();
}

#[test]
fn times_and_attributes() {
    let (mut pair, tree, file) = world();
    let before = basic(&mut pair, tree, file);
    let change = FileBasicInformation {
        creation_time: FileTime(1 << 56),
        attributes: FileAttributes::HIDDEN,
        ..FileBasicInformation::default()
    };
    set_basic(&mut pair, tree, file, change).unwrap();
    let after = basic(&mut pair, tree, file);
    assert_eq!(after.creation_time, FileTime(1 << 56));
    assert_eq!(after.attributes, FileAttributes::HIDDEN);
    assert_eq!(
        (after.last_write_time, after.last_access_time),
        (before.last_write_time, before.last_access_time)
    );
    let none = FileBasicInformation {
        attributes: FileAttributes::NORMAL,
        ..FileBasicInformation::default()
    };
    set_basic(&mut pair, tree, file, none).unwrap();
    assert_eq!(
        basic(&mut pair, tree, file).attributes,
        FileAttributes::NORMAL
    );
    let wrong = FileBasicInformation {
        attributes: FileAttributes::DIRECTORY,
        ..FileBasicInformation::default()
    };
    assert_eq!(
        set_basic(&mut pair, tree, file, wrong),
        Err(NtStatus::INVALID_PARAMETER)
    );
    assert_eq!(
        pair.set_file(tree, file, FileInfoClass::Basic, vec![0; 39]),
        Err(NtStatus::INFO_LENGTH_MISMATCH)
    );
    pair.finish();
}

#[test]
fn a_write_time_that_the_client_keeps() {
    let (mut pair, tree, file) = world();
    let time = |n: i64| FileBasicInformation {
        last_write_time: FileTime(n.cast_unsigned()),
        ..FileBasicInformation::default()
    };
    let second = std::time::Duration::from_secs(1);
    let begin = basic(&mut pair, tree, file).last_write_time;
    for (kept, expected) in [(-1, begin), (1 << 56, FileTime(1 << 56))] {
        set_basic(&mut pair, tree, file, time(kept)).unwrap();
        pair.advance(second);
        pair.write(tree, file, 0, "x").unwrap();
        assert_eq!(basic(&mut pair, tree, file).last_write_time, expected);
        pair.advance(second);
        let end = bytes(|w| FileEndOfFileInformation { end_of_file: 3 }.encode(w));
        pair.set_file(tree, file, FileInfoClass::EndOfFile, end)
            .unwrap();
        assert_eq!(basic(&mut pair, tree, file).last_write_time, expected);
    }
    set_basic(&mut pair, tree, file, time(-2)).unwrap();
    pair.advance(second);
    pair.write(tree, file, 0, "y").unwrap();
    assert_eq!(
        basic(&mut pair, tree, file).last_write_time,
        pair.now().wall
    );
    pair.finish();
}

#[test]
fn a_change_time_that_the_client_keeps() {
    let (mut pair, tree, file) = world();
    let set = FileBasicInformation {
        change_time: FileTime(1 << 56),
        ..FileBasicInformation::default()
    };
    set_basic(&mut pair, tree, file, set).unwrap();
    pair.advance(std::time::Duration::from_secs(1));
    let other = FileBasicInformation {
        attributes: FileAttributes::HIDDEN,
        ..FileBasicInformation::default()
    };
    set_basic(&mut pair, tree, file, other).unwrap();
    pair.write(tree, file, 0, "x").unwrap();
    let now = basic(&mut pair, tree, file);
    assert_eq!(now.change_time, FileTime(1 << 56));
    assert_eq!(now.attributes, FileAttributes::HIDDEN);
    pair.finish();
}

#[test]
fn sizes() {
    let (mut pair, tree, file) = world();
    let end = |n| bytes(|w| FileEndOfFileInformation { end_of_file: n }.encode(w));
    let allocation = |n| bytes(|w| FileAllocationInformation { allocation_size: n }.encode(w));
    let valid = |n| {
        bytes(|w| {
            FileValidDataLengthInformation {
                valid_data_length: n,
            }
            .encode(w);
        })
    };
    use FileInfoClass as C;
    pair.set_file(tree, file, C::EndOfFile, end(100)).unwrap();
    assert_eq!(size(&mut pair, tree, file), 100);
    pair.set_file(tree, file, C::Allocation, allocation(0))
        .unwrap();
    assert_eq!(size(&mut pair, tree, file), 0);
    let dir = pair.create(tree, ops::open_dir("dir")).unwrap().file_id;
    for (on, class, input, status) in [
        (file, C::EndOfFile, end(-1), NtStatus::INVALID_PARAMETER),
        (
            file,
            C::Allocation,
            allocation(i64::MIN),
            NtStatus::INVALID_PARAMETER,
        ),
        (
            file,
            C::EndOfFile,
            end(i64::MAX),
            NtStatus::INVALID_PARAMETER,
        ),
        (dir, C::EndOfFile, end(0), NtStatus::INVALID_PARAMETER),
        (
            dir,
            C::Allocation,
            allocation(0),
            NtStatus::INVALID_PARAMETER,
        ),
        (
            file,
            C::ValidDataLength,
            valid(0),
            NtStatus::PRIVILEGE_NOT_HELD,
        ),
        (
            file,
            C::EndOfFile,
            Bytes::from_static(&[0; 7]),
            NtStatus::INFO_LENGTH_MISMATCH,
        ),
    ] {
        assert_eq!(pair.set_file(tree, on, class, input), Err(status));
    }
    pair.finish();
}

#[test]
fn position_and_mode() {
    let (mut pair, tree, file) = world();
    use FileInfoClass as C;
    let position = |n| {
        bytes(|w| {
            FilePositionInformation {
                current_byte_offset: n,
            }
            .encode(w);
        })
    };
    pair.set_file(tree, file, C::Position, position(77))
        .unwrap();
    assert_eq!(
        pair.query_file(tree, file, C::Position).unwrap(),
        position(77)
    );
    assert_eq!(
        pair.set_file(tree, file, C::Position, position(-1)),
        Err(NtStatus::INVALID_PARAMETER)
    );
    let mode = |mode| bytes(|w| FileModeInformation { mode }.encode(w));
    let through = mode(FileMode::WRITE_THROUGH);
    pair.set_file(tree, file, C::Mode, through.clone()).unwrap();
    assert_eq!(pair.query_file(tree, file, C::Mode).unwrap(), through);
    assert_eq!(
        pair.set_file(tree, file, C::Mode, mode(FileMode::from_bits_retain(1))),
        Err(NtStatus::INVALID_PARAMETER)
    );
    pair.finish();
}

#[test]
fn which_classes_can_be_set() {
    let (mut pair, tree, file) = world();
    for &class in FileInfoClass::ALL {
        use FileInfoClass as C;
        let expected = match class {
            C::Quota | C::ObjectId | C::ReparsePoint => NtStatus::NOT_SUPPORTED,
            C::ShortName => NtStatus::SHORT_NAMES_NOT_ENABLED_ON_VOLUME,
            C::Pipe => NtStatus::INVALID_PARAMETER,
            C::RenameEx | C::LinkEx | C::DispositionEx => continue,
            c if c.uses().set => continue,
            _ => NtStatus::INVALID_INFO_CLASS,
        };
        assert_eq!(
            pair.set_file(tree, file, class, vec![0; 128]),
            Err(expected),
            "{class:?}"
        );
    }
    let request = |kind: InfoType, class: u8| set_info::Request {
        info_type: kind.code(),
        file_info_class: class,
        ..ops::set_file(file, FileInfoClass::Basic, vec![0; 128])
    };
    for (request, status) in [
        (
            request(InfoType::FileSystem, FsInfoClass::Size.code()),
            NtStatus::INVALID_INFO_CLASS,
        ),
        (
            request(InfoType::FileSystem, FsInfoClass::Control.code()),
            NtStatus::NOT_SUPPORTED,
        ),
        (request(InfoType::Quota, 0), NtStatus::ACCESS_DENIED),
    ] {
        assert_eq!(pair.call(tree, request).status(), status);
    }
    pair.finish();
}

#[test]
fn streams() {
    let (mut pair, tree, file) = world();
    let stream = pair.create_new(tree, "dir\\file.txt:more").unwrap();
    pair.write(tree, stream, 0, "abc").unwrap();
    let bytes = pair.query_file(tree, file, FileInfoClass::Stream).unwrap();
    let list: Vec<_> = FileStreamInformation::parse_list(&bytes)
        .unwrap()
        .into_iter()
        .map(|s| (s.name, s.size))
        .collect();
    assert_eq!(
        list,
        [("::$DATA".to_owned(), 5), (":more:$DATA".to_owned(), 3)]
    );
    let dir = pair.create(tree, ops::open_dir("dir")).unwrap().file_id;
    assert_eq!(
        pair.query_file(tree, dir, FileInfoClass::Stream).unwrap(),
        Bytes::new()
    );
    pair.finish();
}

#[test]
fn extended_attributes() {
    let (mut pair, tree, file) = world();
    let ea = |name: &'static str, value: &'static str| FileFullEaInformation {
        flags: EaFlags::empty(),
        name: Bytes::from_static(name.as_bytes()),
        value: Bytes::from_static(value.as_bytes()),
    };
    let list =
        |eas: &[FileFullEaInformation]| bytes(|w| FileFullEaInformation::encode_list(eas, w));
    use FileInfoClass as C;
    pair.set_file(
        tree,
        file,
        C::FullEa,
        list(&[ea("ONE", "1"), ea("TWO", "22")]),
    )
    .unwrap();
    let get = |pair: &mut Pair, request| {
        let (status, bytes) = pair.query(tree, request);
        let names: Vec<_> = FileFullEaInformation::parse_list(&bytes)
            .unwrap()
            .into_iter()
            .map(|e| (String::from_utf8(e.name.to_vec()).unwrap(), e.value.len()))
            .collect();
        (status, names)
    };
    let one = ("ONE".to_owned(), 1);
    let two = ("TWO".to_owned(), 2);
    let all = ops::query_file(file, C::FullEa);
    assert_eq!(
        get(&mut pair, all.clone()),
        (NtStatus::SUCCESS, vec![one.clone(), two.clone()])
    );
    // The next query goes on where this one stopped, unless it is told where.
    assert_eq!(get(&mut pair, all.clone()), (NtStatus::NO_MORE_EAS, vec![]));
    let single = Request {
        flags: QueryInfoFlags::RESTART_SCAN | QueryInfoFlags::RETURN_SINGLE_ENTRY,
        ..all.clone()
    };
    assert_eq!(
        get(&mut pair, single),
        (NtStatus::SUCCESS, vec![one.clone()])
    );
    assert_eq!(
        get(&mut pair, all.clone()),
        (NtStatus::SUCCESS, vec![two.clone()])
    );
    let second = Request {
        flags: QueryInfoFlags::INDEX_SPECIFIED,
        additional_information: 2,
        ..all.clone()
    };
    assert_eq!(get(&mut pair, second), (NtStatus::SUCCESS, vec![two]));
    let named = Request {
        input: bytes(|w| {
            FileGetEaInformation::encode_list(
                &[FileGetEaInformation {
                    name: Bytes::from_static(b"one"),
                }],
                w,
            );
        }),
        ..all.clone()
    };
    assert_eq!(get(&mut pair, named), (NtStatus::SUCCESS, vec![one]));
    let short = Request {
        flags: QueryInfoFlags::RESTART_SCAN,
        output_buffer_length: 15,
        ..all.clone()
    };
    assert_eq!(get(&mut pair, short.clone()).0, NtStatus::BUFFER_OVERFLOW);
    let none = Request {
        output_buffer_length: 8,
        ..short
    };
    assert_eq!(get(&mut pair, none).0, NtStatus::BUFFER_TOO_SMALL);
    // An empty value removes.
    pair.set_file(tree, file, C::FullEa, list(&[ea("one", ""), ea("TWO", "")]))
        .unwrap();
    assert_eq!(get(&mut pair, all).0, NtStatus::NO_EAS_ON_FILE);
    for (input, status) in [
        (list(&[ea("a*", "1")]), NtStatus::INVALID_EA_NAME),
        (
            list(&[ea("abcdef", "1")]).slice(..10),
            NtStatus::EA_LIST_INCONSISTENT,
        ),
    ] {
        assert_eq!(pair.set_file(tree, file, C::FullEa, input), Err(status));
    }
    pair.finish();
}

#[test]
fn pipes_have_no_volume_and_no_times() {
    let mut pair = Pair::new();
    let end = pair.connect();
    let session = pair.logon(end, Credentials::new("user", "secret")).unwrap();
    let tree = pair.tree(end, session, "IPC$").unwrap();
    let open = create::Request {
        desired_access: AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE,
        ..ops::open("srvsvc")
    };
    let pipe = pair.create(tree, open).unwrap().file_id;
    let standard = pair
        .query_file(tree, pipe, FileInfoClass::Standard)
        .unwrap();
    let standard = FileStandardInformation::parse(&standard).unwrap();
    assert_eq!(
        (standard.allocation_size, standard.number_of_links),
        (4096, 1)
    );
    assert_eq!(
        pair.query_file(tree, pipe, FileInfoClass::Stream),
        Err(NtStatus::INVALID_PARAMETER)
    );
    assert_eq!(
        pair.query_fs(tree, pipe, FsInfoClass::Size),
        Err(NtStatus::INVALID_DEVICE_REQUEST)
    );
    assert_eq!(
        pair.set_file(tree, pipe, FileInfoClass::Basic, vec![0; 40]),
        Err(NtStatus::NOT_SUPPORTED)
    );
    pair.finish();
}
