//! IOCTL, [MS-SMB2] 3.3.5.15, except copies and pipes.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, ops};
use driver_sim::pair::{Pair, Tree};
use smb_engine::config::Interface;
use smb_engine::vfs::Capabilities;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::reparse::{
    ReparseDataBuffer, ReparsePoint, ReparseTag, SymbolicLink, SymlinkFlags,
};
use smb_proto::fsctl::{
    CompressionState, DfsReferralRequest, DuplicateExtents, FileAllocatedRange, FileObjectId,
    FsctlCode, SetSparse, SrvSnapshotArray, ValidateNegotiateRequest, ValidateNegotiateResponse,
    ZeroData, parse_interfaces, parse_ranges,
};
use smb_proto::id::FileId;
use smb_proto::msg::ioctl::{IoctlFlags, Request};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, NtStatus};

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

/// Status and output.
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
        Response::Ioctl(r) => {
            assert_eq!((r.ctl_code, r.file_id), (code, file));
            r.output.clone()
        }
        _ => Bytes::new(),
    };
    (reply.status(), output)
}

fn status(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    code: FsctlCode,
    input: impl Into<Bytes>,
) -> NtStatus {
    fsctl(pair, tree, file, code, input, 4096).0
}

fn open_as(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> FileId {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

#[test]
fn what_every_request_must_be() {
    let max = 128 << 10;
    let mut pair = Pair::builder()
        .config(|c| c.limits.max_transact = max)
        .build();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let good = ops::fsctl(f, FsctlCode::GET_COMPRESSION, Bytes::new(), 2);
    assert_eq!(pair.call(tree, good.clone()).status(), NtStatus::SUCCESS);
    for flags in [0, 2, 3] {
        let request = Request {
            flags: IoctlFlags::from_bits_retain(flags),
            ..good.clone()
        };
        assert_eq!(pair.call(tree, request).status(), NtStatus::NOT_SUPPORTED);
    }
    for (max_in, max_out, expected) in [
        (0, max, NtStatus::SUCCESS),
        (max, 2, NtStatus::SUCCESS),
        (0, max + 1, NtStatus::INVALID_PARAMETER),
        (max + 1, 2, NtStatus::INVALID_PARAMETER),
    ] {
        let request = Request {
            max_input_response: max_in,
            max_output_response: max_out,
            ..good.clone()
        };
        assert_eq!(pair.call(tree, request).status(), expected);
    }
    // These name no file.
    for code in [
        FsctlCode::DFS_GET_REFERRALS,
        FsctlCode::DFS_GET_REFERRALS_EX,
        FsctlCode::QUERY_NETWORK_INTERFACE_INFO,
        FsctlCode::VALIDATE_NEGOTIATE_INFO,
        FsctlCode::PIPE_WAIT,
    ] {
        let refused = status(&mut pair, tree, f, code, Bytes::new());
        assert_eq!(refused, NtStatus::INVALID_PARAMETER, "{code}");
    }
    // The others do.
    let all = status(
        &mut pair,
        tree,
        FileId::RELATED,
        good.ctl_code,
        Bytes::new(),
    );
    assert_eq!(all, NtStatus::FILE_CLOSED);
    pair.finish();
}

#[test]
fn what_is_not_there() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    for code in [
        FsctlCode::OFFLOAD_READ,
        FsctlCode::PIPE_PEEK,
        FsctlCode(0x0009_ffff),
        FsctlCode(0),
    ] {
        let refused = status(&mut pair, tree, f, code, Bytes::new());
        assert_eq!(refused, NtStatus::INVALID_DEVICE_REQUEST, "{code}");
    }
    let hash = status(&mut pair, tree, f, FsctlCode::SRV_READ_HASH, Bytes::new());
    assert_eq!(hash, NtStatus::HASH_NOT_SUPPORTED);
    let referral = DfsReferralRequest {
        max_referral_level: 4,
        request_file_name: "\\server\\files".to_owned(),
    };
    let dfs = status(
        &mut pair,
        tree,
        FileId::RELATED,
        FsctlCode::DFS_GET_REFERRALS,
        bytes(|w| referral.encode(w)),
    );
    assert_eq!(dfs, NtStatus::FS_DRIVER_REQUIRED);
    pair.finish();
}

/// What this client has sent, to be validated.
fn negotiated(config: &ClientConfig, dialect: Dialect) -> ValidateNegotiateRequest {
    let capabilities = if dialect.is_smb3() {
        config.capabilities
    } else {
        GlobalCapabilities::empty()
    };
    ValidateNegotiateRequest {
        capabilities: capabilities.bits(),
        guid: config.client_guid,
        security_mode: config.security_mode.bits(),
        dialects: vec![dialect.into()],
    }
}

#[test]
fn the_negotiation_is_validated() {
    for dialect in Dialect::ALL {
        let mut pair = Pair::new();
        let config = ClientConfig::only(dialect);
        let request = negotiated(&config, dialect);
        let end = pair.connect_as(config);
        let tree = pair.mount_on(end);
        let (status, output) = fsctl(
            &mut pair,
            tree,
            FileId::RELATED,
            FsctlCode::VALIDATE_NEGOTIATE_INFO,
            bytes(|w| request.encode(w)),
            24,
        );
        assert_eq!(status, NtStatus::SUCCESS);
        let answer = ValidateNegotiateResponse::parse(&output).unwrap();
        let n = pair.client(end).negotiated().unwrap().response.clone();
        assert_eq!(answer.dialect, u16::from(dialect));
        assert_eq!(answer.guid, n.server_guid);
        assert_eq!(answer.capabilities, n.capabilities.bits());
        assert_eq!(answer.security_mode, n.security_mode.bits());
        pair.finish();
    }
}

#[test]
fn a_changed_negotiation_ends_the_connection() {
    let changes: [fn(&mut ValidateNegotiateRequest); 5] = [
        |r| r.capabilities ^= 1,
        |r| r.guid = smb_proto::Guid::NIL,
        |r| r.security_mode ^= 2,
        |r| r.dialects.push(0x0311),
        |r| r.dialects.clear(),
    ];
    for change in changes {
        let mut pair = Pair::new();
        let config = ClientConfig::only(Dialect::Smb302);
        let mut request = negotiated(&config, Dialect::Smb302);
        let end = pair.connect_as(config);
        let tree = pair.mount_on(end);
        change(&mut request);
        let input = bytes(|w| request.encode(w));
        let code = FsctlCode::VALIDATE_NEGOTIATE_INFO;
        pair.start(tree, ops::fsctl(FileId::RELATED, code, input, 24));
        pair.assert_faulted(end);
        pair.finish();
    }
}

#[test]
fn interfaces_are_listed_to_clients_of_smb3() {
    let interface = |index, address: &str| Interface {
        index,
        rss: true,
        rdma: false,
        link_speed: 10_000_000_000,
        address: address.parse().unwrap(),
    };
    let list = vec![
        interface(1, "192.0.2.1"),
        interface(0, "192.0.2.2"),
        interface(1, "2001:db8::1"),
    ];
    for (multichannel, dialect, expected) in [
        (true, Dialect::Smb311, NtStatus::SUCCESS),
        (true, Dialect::Smb210, NtStatus::NOT_SUPPORTED),
        (false, Dialect::Smb311, NtStatus::SUCCESS),
    ] {
        let mut pair = Pair::builder()
            .config(|c| {
                c.multichannel = multichannel;
                c.interfaces = list.clone();
            })
            .build();
        let mut config = ClientConfig::only(dialect);
        config.capabilities |= GlobalCapabilities::MULTI_CHANNEL;
        let end = pair.connect_as(config);
        let tree = pair.mount_on(end);
        let code = FsctlCode::QUERY_NETWORK_INTERFACE_INFO;
        let (status, output) = fsctl(&mut pair, tree, FileId::RELATED, code, Bytes::new(), 4096);
        assert_eq!(status, expected, "{multichannel} {dialect}");
        if status == NtStatus::SUCCESS {
            let shown = parse_interfaces(&output).unwrap();
            let addresses: Vec<_> = shown.iter().map(|i| i.address.to_string()).collect();
            assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"]);
            let short = fsctl(&mut pair, tree, FileId::RELATED, code, Bytes::new(), 303).0;
            assert_eq!(short, NtStatus::BUFFER_TOO_SMALL);
            let n = pair.client(end).negotiated().unwrap();
            let told = n.response.capabilities;
            assert_eq!(
                told.contains(GlobalCapabilities::MULTI_CHANNEL),
                multichannel
            );
        }
        pair.finish();
    }
}

#[test]
fn without_compression() {
    let mut pair = Pair::builder()
        .config(|c| {
            for share in &mut c.shares {
                share.capabilities -= Capabilities::COMPRESSION;
            }
        })
        .build();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let (got, output) = fsctl(
        &mut pair,
        tree,
        f,
        FsctlCode::GET_COMPRESSION,
        Bytes::new(),
        2,
    );
    assert_eq!(got, NtStatus::SUCCESS);
    assert_eq!(CompressionState::parse(&output), Ok(CompressionState::NONE));
    for (state, expected) in [
        (CompressionState::NONE, NtStatus::SUCCESS),
        (CompressionState::DEFAULT, NtStatus::NOT_SUPPORTED),
        (CompressionState::LZNT1, NtStatus::NOT_SUPPORTED),
    ] {
        let input = bytes(|w| state.encode(w));
        assert_eq!(
            status(&mut pair, tree, f, FsctlCode::SET_COMPRESSION, input),
            expected
        );
    }
    pair.finish();
}

#[test]
fn there_are_no_snapshots() {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let code = FsctlCode::SRV_ENUMERATE_SNAPSHOTS;
    assert_eq!(
        fsctl(&mut pair, tree, d, code, Bytes::new(), 15).0,
        NtStatus::INVALID_PARAMETER
    );
    let (got, output) = fsctl(&mut pair, tree, d, code, Bytes::new(), 16);
    assert_eq!(got, NtStatus::SUCCESS);
    assert_eq!(
        SrvSnapshotArray::parse(&output)
            .unwrap()
            .number_of_snapshots,
        0
    );
    pair.finish();
}

#[test]
fn object_ids_are_those_of_files() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    pair.fs().write_file("b", b"").unwrap();
    let tree = pair.mount();
    let mut id = |name: &str| {
        let f = pair.open(tree, name).unwrap();
        let code = FsctlCode::CREATE_OR_GET_OBJECT_ID;
        let (got, output) = fsctl(&mut pair, tree, f, code, Bytes::new(), 64);
        assert_eq!(got, NtStatus::SUCCESS);
        let short = fsctl(&mut pair, tree, f, code, Bytes::new(), 63).0;
        assert_eq!(short, NtStatus::INVALID_PARAMETER);
        FileObjectId::parse(&output).unwrap().object_id
    };
    let (a, b, again) = (id("a"), id("b"), id("A"));
    assert_eq!(a, again);
    assert_ne!(a, b);
    pair.finish();
}

fn ranges(pair: &mut Pair, tree: Tree, f: FileId, offset: i64, length: i64) -> Vec<(i64, i64)> {
    let input = bytes(|w| {
        FileAllocatedRange {
            file_offset: offset,
            length,
        }
        .encode(w);
    });
    let code = FsctlCode::QUERY_ALLOCATED_RANGES;
    let (status, output) = fsctl(pair, tree, f, code, input, 4096);
    assert_eq!(status, NtStatus::SUCCESS);
    parse_ranges(&output)
        .unwrap()
        .iter()
        .map(|r| (r.file_offset, r.length))
        .collect()
}

fn zero(from: i64, to: i64) -> Bytes {
    bytes(|w| {
        ZeroData {
            file_offset: from,
            beyond_final_zero: to,
        }
        .encode(w);
    })
}

#[test]
fn sparse_files() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[7; 12288]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let ok = NtStatus::SUCCESS;
    // Not sparse: zeros have storage.
    assert_eq!(
        status(&mut pair, tree, f, FsctlCode::SET_ZERO_DATA, zero(0, 4096)),
        ok
    );
    assert_eq!(ranges(&mut pair, tree, f, 0, 99_999), [(0, 12288)]);
    assert_eq!(pair.fs().read_file("a").unwrap()[..4096], [0; 4096]);
    assert_eq!(
        status(&mut pair, tree, f, FsctlCode::SET_SPARSE, Bytes::new()),
        ok
    );
    assert_eq!(
        status(
            &mut pair,
            tree,
            f,
            FsctlCode::SET_ZERO_DATA,
            zero(4096, 8192)
        ),
        ok
    );
    assert_eq!(ranges(&mut pair, tree, f, 0, 99_999), [(8192, 4096)]);
    assert_eq!(ranges(&mut pair, tree, f, 9000, 10), [(9000, 10)]);
    assert_eq!(ranges(&mut pair, tree, f, 0, 8192), []);
    assert_eq!(ranges(&mut pair, tree, f, 12288, 10), []);
    assert_eq!(ranges(&mut pair, tree, f, 8192, 0), []);
    // Behind the end nothing happens, and the size stays.
    assert_eq!(
        status(
            &mut pair,
            tree,
            f,
            FsctlCode::SET_ZERO_DATA,
            zero(12000, 99_999)
        ),
        ok
    );
    assert_eq!(pair.fs().read_file("a").unwrap().len(), 12288);
    for (from, to) in [(9, 3), (-1, 3), (0, -1)] {
        assert_eq!(
            status(&mut pair, tree, f, FsctlCode::SET_ZERO_DATA, zero(from, to)),
            NtStatus::INVALID_PARAMETER
        );
    }
    let off = bytes(|w| SetSparse { set_sparse: false }.encode(w));
    assert_eq!(status(&mut pair, tree, f, FsctlCode::SET_SPARSE, off), ok);
    assert_eq!(ranges(&mut pair, tree, f, 0, 99_999), [(0, 12288)]);
    pair.finish();
}

#[test]
fn too_little_room_for_ranges() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let code = FsctlCode::QUERY_ALLOCATED_RANGES;
    let all = bytes(|w| {
        FileAllocatedRange {
            file_offset: 0,
            length: 1 << 20,
        }
        .encode(w);
    });
    let ask = |pair: &mut Pair, max| fsctl(pair, tree, f, code, all.clone(), max);
    assert_eq!(ask(&mut pair, 0).0, NtStatus::SUCCESS);
    status(&mut pair, tree, f, FsctlCode::SET_SPARSE, Bytes::new());
    for i in 0..3 {
        pair.write(tree, f, i * 65536, &b"x"[..]).unwrap();
    }
    assert_eq!(ask(&mut pair, 0).0, NtStatus::BUFFER_TOO_SMALL);
    let (got, output) = ask(&mut pair, 40);
    assert_eq!(got, NtStatus::BUFFER_OVERFLOW);
    assert_eq!(parse_ranges(&output).unwrap().len(), 2);
    assert_eq!(ask(&mut pair, 48).0, NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn rights_to_sparse_files() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[1; 10]).unwrap();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let range = bytes(|w| {
        FileAllocatedRange {
            file_offset: 0,
            length: 10,
        }
        .encode(w);
    });
    let denied = NtStatus::ACCESS_DENIED;
    let ok = NtStatus::SUCCESS;
    for (access, set, punch, ask) in [
        (AccessMask::FILE_READ_DATA, denied, denied, ok),
        (AccessMask::FILE_WRITE_DATA, ok, ok, denied),
        (AccessMask::FILE_APPEND_DATA, ok, denied, denied),
        (AccessMask::FILE_WRITE_ATTRIBUTES, ok, denied, denied),
        (AccessMask::FILE_READ_ATTRIBUTES, denied, denied, denied),
    ] {
        let f = open_as(&mut pair, tree, "a", access);
        let mut status = |code, input: Bytes| status(&mut pair, tree, f, code, input);
        assert_eq!(status(FsctlCode::SET_SPARSE, Bytes::new()), set);
        assert_eq!(status(FsctlCode::SET_ZERO_DATA, zero(0, 5)), punch);
        assert_eq!(
            status(FsctlCode::QUERY_ALLOCATED_RANGES, range.clone()),
            ask
        );
    }
    // Directories have no data.
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let invalid = NtStatus::INVALID_PARAMETER;
    assert_eq!(
        status(&mut pair, tree, d, FsctlCode::SET_SPARSE, Bytes::new()),
        invalid
    );
    assert_eq!(
        status(&mut pair, tree, d, FsctlCode::SET_ZERO_DATA, zero(0, 5)),
        invalid
    );
    pair.finish();
}

#[test]
fn a_read_only_share_is_left_alone() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[1; 10]).unwrap();
    let end = pair.connect();
    let files = pair.mount_on(end);
    let tree = pair.tree(end, files.target.session, "readonly").unwrap();
    let f = open_as(
        &mut pair,
        tree,
        "a",
        AccessMask::FILE_READ_DATA | AccessMask::FILE_READ_ATTRIBUTES,
    );
    for (code, input) in [
        (FsctlCode::SET_SPARSE, Bytes::new()),
        (FsctlCode::SET_ZERO_DATA, zero(0, 5)),
        (FsctlCode::SET_REPARSE_POINT, Bytes::new()),
        (FsctlCode::DELETE_REPARSE_POINT, Bytes::new()),
        (FsctlCode::SET_COMPRESSION, Bytes::from_static(&[0, 0])),
    ] {
        let refused = status(&mut pair, tree, f, code, input);
        assert_eq!(refused, NtStatus::ACCESS_DENIED, "{code}");
    }
    pair.finish();
}

#[test]
fn zeros_are_kept_out_of_locks() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[1; 100]).unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let other = pair.open(tree, "a").unwrap();
    let exclusive = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
    pair.lock(tree, ops::lock(other, 10, 10, exclusive))
        .unwrap();
    let code = FsctlCode::SET_ZERO_DATA;
    for (from, to, expected) in [
        (0, 10, NtStatus::SUCCESS),
        (0, 11, NtStatus::FILE_LOCK_CONFLICT),
        (20, 30, NtStatus::SUCCESS),
        (12, 12, NtStatus::SUCCESS),
    ] {
        assert_eq!(status(&mut pair, tree, f, code, zero(from, to)), expected);
    }
    pair.finish();
}

fn link(target: &str) -> Bytes {
    let point = ReparsePoint::SymbolicLink(SymbolicLink {
        substitute_name: target.to_owned(),
        print_name: target.to_owned(),
        flags: SymlinkFlags::RELATIVE,
    });
    bytes(|w| point.to_buffer().encode(w))
}

fn without_data(tag: ReparseTag) -> Bytes {
    bytes(|w| {
        ReparseDataBuffer {
            tag,
            guid: None,
            data: Bytes::new(),
        }
        .encode(w);
    })
}

#[test]
fn reparse_points() {
    let mut pair = Pair::new();
    pair.fs().write_file("a", b"").unwrap();
    let tree = pair.mount();
    let f = pair.open(tree, "a").unwrap();
    let (get, set, delete) = (
        FsctlCode::GET_REPARSE_POINT,
        FsctlCode::SET_REPARSE_POINT,
        FsctlCode::DELETE_REPARSE_POINT,
    );
    let none = NtStatus::NOT_A_REPARSE_POINT;
    assert_eq!(status(&mut pair, tree, f, get, Bytes::new()), none);
    let invalid = NtStatus::IO_REPARSE_DATA_INVALID;
    assert_eq!(status(&mut pair, tree, f, set, Bytes::new()), invalid);
    assert_eq!(
        status(&mut pair, tree, f, set, link("b\\c")),
        NtStatus::SUCCESS
    );
    let (got, output) = fsctl(&mut pair, tree, f, get, Bytes::new(), 4096);
    assert_eq!((got, output), (NtStatus::SUCCESS, link("b\\c")));
    let (got, output) = fsctl(&mut pair, tree, f, get, Bytes::new(), 10);
    assert_eq!((got, output.len()), (NtStatus::BUFFER_OVERFLOW, 10));
    assert_eq!(
        fsctl(&mut pair, tree, f, get, Bytes::new(), 7).0,
        NtStatus::BUFFER_TOO_SMALL
    );
    assert_eq!(
        status(&mut pair, tree, f, delete, without_data(ReparseTag::NFS)),
        NtStatus::IO_REPARSE_TAG_MISMATCH
    );
    assert_eq!(status(&mut pair, tree, f, delete, link("b\\c")), invalid);
    let tag = without_data(ReparseTag::SYMLINK);
    assert_eq!(
        status(&mut pair, tree, f, delete, tag.clone()),
        NtStatus::SUCCESS
    );
    assert_eq!(status(&mut pair, tree, f, delete, tag), none);
    pair.close(tree, f).unwrap();

    let f = open_as(&mut pair, tree, "a", AccessMask::FILE_READ_EA);
    let denied = NtStatus::ACCESS_DENIED;
    assert_eq!(status(&mut pair, tree, f, get, Bytes::new()), denied);
    assert_eq!(status(&mut pair, tree, f, set, link("b")), denied);
    pair.finish();
}

#[test]
fn sharing_storage() {
    let mut pair = Pair::builder()
        .share("files", |s| s.capabilities |= Capabilities::REFLINK)
        .build();
    pair.fs().write_file("from", &[7; 8192]).unwrap();
    pair.fs().write_file("to", &[1; 8192]).unwrap();
    let tree = pair.mount();
    let from = pair.open(tree, "from").unwrap();
    let to = pair.open(tree, "to").unwrap();
    let code = FsctlCode::DUPLICATE_EXTENTS_TO_FILE;
    let request = |source, source_offset, target_offset, count| {
        bytes(|w| {
            DuplicateExtents {
                source_file_id: source,
                source_file_offset: source_offset,
                target_file_offset: target_offset,
                byte_count: count,
            }
            .encode(w);
        })
    };
    let (ok, unsupported) = (NtStatus::SUCCESS, NtStatus::NOT_SUPPORTED);
    for (source, offset, target, count, expected) in [
        (from, 0, 4096, 4096, ok),
        (from, 0, 0, 0, ok),
        (from, 4096, 0, 8192, unsupported),
        (from, 0, 4096, 8192, unsupported),
        (to, 0, 2048, 4096, unsupported),
        (from, -1, 0, 1, NtStatus::INVALID_PARAMETER),
        (FileId::default(), 0, 0, 4096, NtStatus::INVALID_HANDLE),
    ] {
        assert_eq!(
            status(
                &mut pair,
                tree,
                to,
                code,
                request(source, offset, target, count)
            ),
            expected
        );
    }
    let content = pair.fs().read_file("to").unwrap();
    assert_eq!(
        (&content[..4096], &content[4096..]),
        (&[1; 4096][..], &[7; 4096][..])
    );
    // Rights and locks on both sides.
    let blind = open_as(&mut pair, tree, "from", AccessMask::FILE_WRITE_DATA);
    let reader = open_as(&mut pair, tree, "to", AccessMask::FILE_READ_DATA);
    let denied = NtStatus::ACCESS_DENIED;
    assert_eq!(
        status(&mut pair, tree, to, code, request(blind, 0, 0, 1)),
        denied
    );
    assert_eq!(
        status(&mut pair, tree, reader, code, request(from, 0, 0, 1)),
        denied
    );
    let exclusive = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
    pair.lock(tree, ops::lock(blind, 0, 10, exclusive)).unwrap();
    assert_eq!(
        status(&mut pair, tree, to, code, request(from, 0, 0, 4096)),
        NtStatus::FILE_LOCK_CONFLICT
    );
    pair.finish();

    // Where the backend cannot.
    let mut pair = Pair::builder()
        .share("files", |s| s.capabilities -= Capabilities::REFLINK)
        .build();
    pair.fs().write_file("from", &[7; 10]).unwrap();
    let tree = pair.mount();
    let from = pair.open(tree, "from").unwrap();
    assert_eq!(
        status(&mut pair, tree, from, code, request(from, 0, 5, 5)),
        NtStatus::INVALID_DEVICE_REQUEST
    );
    pair.finish();
}
