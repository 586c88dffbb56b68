//! FSCTLs about how a file lies on its volume: compression, trimming, checksums.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::Capabilities;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{
    ChecksumAlgorithm, CompressionState, FileLevelTrim, FileLevelTrimOutput, FsctlCode,
    IntegrityFlags, IntegrityInfo, SetIntegrity, TrimRange,
};
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;
use smb_proto::msg::create::{CreateDisposition, CreateOptions};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

fn fsctl(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    code: FsctlCode,
    input: impl Into<Bytes>,
    max: u32,
) -> (NtStatus, Bytes) {
    let reply = pair.call(tree, ops::fsctl(file, code, input, max));
    let output = match &reply.body {
        Response::Ioctl(r) => r.output.clone(),
        _ => Bytes::new(),
    };
    (reply.status(), output)
}

fn state(pair: &mut Pair, tree: Tree, file: FileId) -> CompressionState {
    let code = FsctlCode::GET_COMPRESSION;
    let (status, output) = fsctl(pair, tree, file, code, Bytes::new(), 2);
    assert_eq!(status, NtStatus::SUCCESS);
    CompressionState::parse(&output).unwrap()
}

fn compress(pair: &mut Pair, tree: Tree, file: FileId, state: CompressionState) -> NtStatus {
    let input = bytes(|w| state.encode(w));
    fsctl(pair, tree, file, FsctlCode::SET_COMPRESSION, input, 0).0
}

fn open_as(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> FileId {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

#[test]
fn the_state_of_compression_is_kept() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let attributes = |pair: &mut Pair| {
        let opened = pair.create(tree, ops::open("a")).unwrap();
        opened.file_attributes
    };
    assert_eq!(state(&mut pair, tree, f), CompressionState::NONE);
    for (set, status, shown) in [
        (
            CompressionState::DEFAULT,
            NtStatus::SUCCESS,
            CompressionState::LZNT1,
        ),
        (
            CompressionState(0x42),
            NtStatus::INVALID_PARAMETER,
            CompressionState::LZNT1,
        ),
        (
            CompressionState::NONE,
            NtStatus::SUCCESS,
            CompressionState::NONE,
        ),
        (
            CompressionState::LZNT1,
            NtStatus::SUCCESS,
            CompressionState::LZNT1,
        ),
    ] {
        assert_eq!(compress(&mut pair, tree, f, set), status);
        assert_eq!(state(&mut pair, tree, f), shown);
        let seen = attributes(&mut pair).contains(FileAttributes::COMPRESSED);
        assert_eq!(seen, shown == CompressionState::LZNT1);
    }
    let short = fsctl(
        &mut pair,
        tree,
        f,
        FsctlCode::GET_COMPRESSION,
        Bytes::new(),
        1,
    )
    .0;
    assert_eq!(short, NtStatus::INVALID_PARAMETER);
    let short = fsctl(&mut pair, tree, f, FsctlCode::SET_COMPRESSION, vec![1], 0).0;
    assert_eq!(short, NtStatus::INVALID_PARAMETER);
    pair.finish();
}

#[test]
fn who_may_compress() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    for (access, expected) in [
        (AccessMask::FILE_WRITE_DATA, NtStatus::SUCCESS),
        (AccessMask::FILE_READ_DATA, NtStatus::ACCESS_DENIED),
        (AccessMask::FILE_WRITE_ATTRIBUTES, NtStatus::ACCESS_DENIED),
    ] {
        let f = open_as(&mut pair, tree, "a", access);
        assert_eq!(
            compress(&mut pair, tree, f, CompressionState::DEFAULT),
            expected,
            "{access:?}"
        );
        // Whoever has the file open may ask.
        assert_eq!(state(&mut pair, tree, f), CompressionState::LZNT1);
    }
    pair.finish();
}

#[test]
fn compressed_directories_pass_it_on() {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let make = |pair: &mut Pair, name: &str, more: CreateOptions| {
        let mut request = if name.contains("dir") {
            ops::make_dir(name)
        } else {
            ops::create(name, CreateDisposition::Create)
        };
        request.create_options |= more;
        let f = pair.create(tree, request).unwrap().file_id;
        state(pair, tree, f)
    };
    let (none, no) = (CreateOptions::empty(), CreateOptions::NO_COMPRESSION);
    let ok = compress(&mut pair, tree, d, CompressionState::LZNT1);
    assert_eq!(ok, NtStatus::SUCCESS);
    for name in ["d\\a", "d\\dir", "d\\dir\\b", "d\\c:stream"] {
        assert_eq!(
            make(&mut pair, name, none),
            CompressionState::LZNT1,
            "{name}"
        );
    }
    for name in ["d\\x", "d\\dirx"] {
        assert_eq!(make(&mut pair, name, no), CompressionState::NONE, "{name}");
    }
    compress(&mut pair, tree, d, CompressionState::NONE);
    assert_eq!(make(&mut pair, "d\\later", none), CompressionState::NONE);
    let a = pair.open(tree, "d\\a").unwrap();
    assert_eq!(state(&mut pair, tree, a), CompressionState::LZNT1);
    pair.finish();
}

fn trim(list: &[(u64, u64)]) -> Bytes {
    let ranges = list
        .iter()
        .map(|&(offset, length)| TrimRange { offset, length });
    let request = FileLevelTrim {
        key: 0,
        ranges: ranges.collect(),
    };
    bytes(|w| request.encode(w))
}

#[test]
fn trimming() {
    const CODE: FsctlCode = FsctlCode::FILE_LEVEL_TRIM;
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[7; 40_000]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let (got, output) = fsctl(&mut pair, tree, f, CODE, trim(&[(0, 8192), (9000, 10)]), 4);
    assert_eq!(got, NtStatus::SUCCESS);
    let done = FileLevelTrimOutput::parse(&output).unwrap();
    assert_eq!(done.num_ranges_processed, 2);
    let data = pair.fs().read_file("a").unwrap();
    assert_eq!(data.len(), 40_000);
    assert!(data[..8192].iter().all(|b| *b == 0) && data[8192..].iter().all(|b| *b == 7));
    // The output is optional, but not half of it.
    let (got, output) = fsctl(&mut pair, tree, f, CODE, trim(&[(0, 1)]), 0);
    assert_eq!((got, output.len()), (NtStatus::SUCCESS, 0));
    for (input, max, expected) in [
        (trim(&[(0, 1)]), 3, NtStatus::INVALID_PARAMETER),
        (trim(&[]), 4, NtStatus::INVALID_PARAMETER),
        (Bytes::from_static(&[0; 23]), 4, NtStatus::INVALID_PARAMETER),
        (trim(&[(1, u64::MAX)]), 4, NtStatus::INTEGER_OVERFLOW),
    ] {
        assert_eq!(fsctl(&mut pair, tree, f, CODE, input, max).0, expected);
    }
    let reader = open_as(&mut pair, tree, "a", AccessMask::FILE_READ_DATA);
    let got = fsctl(&mut pair, tree, reader, CODE, trim(&[(0, 1)]), 4).0;
    assert_eq!(got, NtStatus::ACCESS_DENIED);
    compress(&mut pair, tree, f, CompressionState::DEFAULT);
    let got = fsctl(&mut pair, tree, f, CODE, trim(&[(0, 1)]), 4).0;
    assert_eq!(got, NtStatus::INVALID_PARAMETER);
    pair.finish();
}

#[test]
fn trimming_ends_at_a_lock() {
    const CODE: FsctlCode = FsctlCode::FILE_LEVEL_TRIM;
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[7; 40_000]).unwrap();
    let tree = pair.mount();
    let (f, other) = (pair.open(tree, "a").unwrap(), pair.open(tree, "a").unwrap());
    let lock = ops::lock(other, 8192, 4096, LockFlags::EXCLUSIVE_LOCK);
    assert_eq!(pair.call(tree, lock).status(), NtStatus::SUCCESS);
    let list = [(0, 4096), (8192, 4096), (16_384, 4096)];
    let (got, output) = fsctl(&mut pair, tree, f, CODE, trim(&list), 4);
    assert_eq!(got, NtStatus::SUCCESS);
    let done = FileLevelTrimOutput::parse(&output).unwrap();
    assert_eq!(done.num_ranges_processed, 1);
    assert_eq!(
        pair.fs().read_file("a").unwrap()[4096..],
        [7; 40_000 - 4096]
    );
    let got = fsctl(&mut pair, tree, f, CODE, trim(&list[1..]), 4).0;
    assert_eq!(got, NtStatus::NO_RANGES_PROCESSED);
    pair.finish();
}

#[test]
fn checksums_are_not_kept() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let get = FsctlCode::GET_INTEGRITY_INFORMATION;
    let (got, output) = fsctl(&mut pair, tree, f, get, Bytes::new(), 16);
    assert_eq!(got, NtStatus::SUCCESS);
    let info = IntegrityInfo::parse(&output).unwrap();
    assert_eq!(info.checksum_algorithm, ChecksumAlgorithm::NONE);
    assert_eq!(info.cluster_size, 4096);
    let short = fsctl(&mut pair, tree, f, get, Bytes::new(), 15).0;
    assert_eq!(short, NtStatus::INVALID_PARAMETER);
    for (checksum_algorithm, expected) in [
        (ChecksumAlgorithm::NONE, NtStatus::SUCCESS),
        (ChecksumAlgorithm::UNCHANGED, NtStatus::SUCCESS),
        (ChecksumAlgorithm::CRC64, NtStatus::NOT_SUPPORTED),
        (ChecksumAlgorithm(7), NtStatus::INVALID_PARAMETER),
    ] {
        let flags = IntegrityFlags::empty();
        let set = SetIntegrity {
            checksum_algorithm,
            flags,
        };
        let input = bytes(|w| set.encode(w));
        let code = FsctlCode::SET_INTEGRITY_INFORMATION;
        assert_eq!(fsctl(&mut pair, tree, f, code, input, 0).0, expected);
    }
    pair.finish();
}

#[test]
fn what_the_volume_cannot_do() {
    let mut pair = Pair::builder()
        .config(|c| {
            for share in &mut c.shares {
                share.capabilities -= Capabilities::TRIM | Capabilities::REFLINK;
            }
        })
        .build();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    for code in [
        FsctlCode::FILE_LEVEL_TRIM,
        FsctlCode::GET_INTEGRITY_INFORMATION,
        FsctlCode::SET_INTEGRITY_INFORMATION,
        FsctlCode::DUPLICATE_EXTENTS_TO_FILE,
        FsctlCode::QUERY_ON_DISK_VOLUME_INFO,
    ] {
        let got = fsctl(&mut pair, tree, f, code, vec![0; 64], 4096).0;
        assert_eq!(got, NtStatus::INVALID_DEVICE_REQUEST, "{code:?}");
    }
    pair.finish();
}
