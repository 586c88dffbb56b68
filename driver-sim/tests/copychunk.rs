//! Copies on the server, [MS-SMB2] 3.3.5.15.5 and 3.3.5.15.6.

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::config::BackendId;
use smb_engine::vfs::VfsOp;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{
    FsctlCode, ResumeKey, SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse,
    SrvResumeKeyResponse,
};
use smb_proto::id::FileId;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;

const OK: NtStatus = NtStatus::SUCCESS;
const BOTH: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_WRITE_DATA);

fn open_as(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> FileId {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    pair.create(tree, request).unwrap().file_id
}

fn key(pair: &mut Pair, tree: Tree, file: FileId) -> ResumeKey {
    let code = FsctlCode::SRV_REQUEST_RESUME_KEY;
    let reply = pair.call(tree, ops::fsctl(file, code, Bytes::new(), 32));
    let Response::Ioctl(r) = reply.body else {
        panic!("{reply:?}")
    };
    SrvResumeKeyResponse::parse(&r.output).unwrap().resume_key
}

fn input(source_key: ResumeKey, chunks: &[(u64, u64, u32)]) -> Bytes {
    let copy = SrvCopychunkCopy {
        source_key,
        chunks: chunks
            .iter()
            .map(|(source_offset, target_offset, length)| SrvCopychunk {
                source_offset: *source_offset,
                target_offset: *target_offset,
                length: *length,
            })
            .collect(),
    };
    let mut w = Writer::new();
    copy.encode(&mut w);
    w.into_inner().freeze()
}

/// Status and the three numbers of the answer, if it has them.
fn copy(
    pair: &mut Pair,
    tree: Tree,
    to: FileId,
    code: FsctlCode,
    input: Bytes,
) -> (NtStatus, Option<[u32; 3]>) {
    let reply = pair.call(tree, ops::fsctl(to, code, input, 12));
    let numbers = match &reply.body {
        Response::Ioctl(r) => {
            let r = SrvCopychunkResponse::parse(&r.output).unwrap();
            Some([
                r.chunks_written,
                r.chunk_bytes_written,
                r.total_bytes_written,
            ])
        }
        _ => None,
    };
    (reply.status(), numbers)
}

const COPY: FsctlCode = FsctlCode::SRV_COPYCHUNK;
const COPY_WRITE: FsctlCode = FsctlCode::SRV_COPYCHUNK_WRITE;

/// A source of 8192 bytes that differ, an empty target, and the source's key.
fn files() -> (Pair, Tree, FileId, FileId, ResumeKey) {
    let mut pair = Pair::new();
    pair.fs().write_file("from", &pattern(8192)).unwrap();
    pair.fs().write_file("to", b"").unwrap();
    let tree = pair.mount();
    let from = open_as(&mut pair, tree, "from", BOTH);
    let to = open_as(&mut pair, tree, "to", BOTH);
    let k = key(&mut pair, tree, from);
    (pair, tree, from, to, k)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7) as u8).collect()
}

#[test]
fn chunks_are_copied() {
    let (mut pair, tree, _, to, k) = files();
    let chunks = input(k, &[(0, 4096, 4096), (4096, 0, 4096), (10, 8192, 1)]);
    assert_eq!(
        copy(&mut pair, tree, to, COPY, chunks),
        (OK, Some([3, 0, 8193]))
    );
    let (from, to) = (pattern(8192), pair.fs().read_file("to").unwrap());
    assert_eq!(to[..4096], from[4096..]);
    assert_eq!(to[4096..8192], from[..4096]);
    assert_eq!(to[8192..], from[10..11]);
    pair.finish();
}

#[test]
fn a_file_can_be_copied_into_itself() {
    let (mut pair, tree, from, _, k) = files();
    // The second chunk reads what the first has added.
    let chunks = input(k, &[(0, 8192, 4096), (8192, 12288, 4096)]);
    assert_eq!(
        copy(&mut pair, tree, from, COPY, chunks),
        (OK, Some([2, 0, 8192]))
    );
    let data = pair.fs().read_file("from").unwrap();
    assert_eq!(data[8192..12288], data[..4096]);
    assert_eq!(data[12288..], data[..4096]);
    pair.finish();
}

#[test]
fn what_lies_behind_the_source_is_not_copied() {
    let (mut pair, tree, _, to, k) = files();
    let chunks = input(k, &[(0, 0, 4096), (4096, 4096, 8192)]);
    assert_eq!(
        copy(&mut pair, tree, to, COPY, chunks),
        (NtStatus::INVALID_VIEW_SIZE, Some([1, 0, 4096]))
    );
    assert_eq!(pair.fs().read_file("to").unwrap(), pattern(8192)[..4096]);
    pair.finish();
}

#[test]
fn limits_are_told() {
    let (mut pair, tree, _, to, k) = files();
    let limits = (NtStatus::INVALID_PARAMETER, Some([256, 1 << 20, 16 << 20]));
    for chunks in [
        vec![(0, 0, u32::MAX)],
        vec![(0, 0, (1 << 20) + 1)],
        vec![(0, 0, 0)],
        vec![(0, 0, 1); 257],
        vec![(0, 0, 1 << 20); 17],
        vec![(i64::MAX as u64, 0, 1)],
        vec![(0, u64::MAX, 1)],
    ] {
        let request = input(k, &chunks);
        assert_eq!(copy(&mut pair, tree, to, COPY, request), limits);
    }
    // More chunks announced than sent.
    let short = input(k, &[(0, 0, 1)]).slice(..40);
    assert_eq!(copy(&mut pair, tree, to, COPY, short), limits);
    // No room for the answer.
    let request = ops::fsctl(to, COPY, input(k, &[(0, 0, 1)]), 11);
    let reply = pair.call(tree, request);
    assert_eq!(reply.status(), NtStatus::INVALID_PARAMETER);
    assert!(matches!(reply.body, Response::Error(_)));
    assert_eq!(pair.fs().read_file("to").unwrap(), b"");
    // Nothing to do is done.
    assert_eq!(
        copy(&mut pair, tree, to, COPY, input(k, &[])),
        (OK, Some([0, 0, 0]))
    );
    pair.finish();
}

#[test]
fn keys_are_those_of_open_files_of_the_session() {
    let (mut pair, tree, from, to, k) = files();
    let unknown = (NtStatus::OBJECT_NAME_NOT_FOUND, None);
    let chunk = [(0, 0, 1)];
    let bogus = ResumeKey(*b"deadbeefdeadbeefdeadbeef");
    assert_eq!(
        copy(&mut pair, tree, to, COPY, input(bogus, &chunk)),
        unknown
    );
    let mut almost = k;
    almost.0[23] ^= 1;
    assert_eq!(
        copy(&mut pair, tree, to, COPY, input(almost, &chunk)),
        unknown
    );
    // Somebody else's.
    let other = pair.mount();
    let theirs = open_as(&mut pair, other, "to", BOTH);
    assert_eq!(
        copy(&mut pair, other, theirs, COPY, input(k, &chunk)),
        unknown
    );
    pair.close(tree, from).unwrap();
    assert_eq!(copy(&mut pair, tree, to, COPY, input(k, &chunk)), unknown);
    pair.finish();
}

#[test]
fn across_tree_connects() {
    let (mut pair, tree, _, _, k) = files();
    let second = pair.tree(tree.end, tree.target.session, "files").unwrap();
    let to = open_as(&mut pair, second, "to", BOTH);
    let chunk = input(k, &[(0, 0, 100)]);
    assert_eq!(
        copy(&mut pair, second, to, COPY, chunk),
        (OK, Some([1, 0, 100]))
    );
    pair.finish();
}

#[test]
fn across_backends() {
    // To the engine these are two; that both are one file system in truth makes no difference.
    let mut pair = Pair::builder()
        .share("readonly", |s| {
            s.backend = BackendId(1);
            s.read_only = false;
        })
        .build();
    pair.fs().write_file("from", &pattern(8192)).unwrap();
    pair.fs().write_file("to", b"").unwrap();
    let first = pair.mount();
    let second = pair
        .tree(first.end, first.target.session, "readonly")
        .unwrap();
    let from = open_as(&mut pair, first, "from", BOTH);
    let to = open_as(&mut pair, second, "to", BOTH);
    let k = key(&mut pair, first, from);
    pair.hold(is_copy);
    let chunks = input(k, &[(0, 0, 4096), (4096, 4096, 4096)]);
    assert_eq!(
        copy(&mut pair, second, to, COPY, chunks),
        (OK, Some([2, 0, 8192]))
    );
    assert_eq!(pair.fs().read_file("to").unwrap(), pattern(8192));
    pair.finish();
}

#[test]
fn rights_on_both_files() {
    let (mut pair, tree, _, _, _) = files();
    let (read, write) = (AccessMask::FILE_READ_DATA, AccessMask::FILE_WRITE_DATA);
    let denied = (NtStatus::ACCESS_DENIED, None);
    let done = (OK, Some([1, 0, 10]));
    for (source, target, code, expected) in [
        (read, BOTH, COPY, done),
        (write, BOTH, COPY, denied),
        (read, write, COPY, denied),
        (read, write, COPY_WRITE, done),
        (read, read, COPY, denied),
        (read, read, COPY_WRITE, denied),
        (AccessMask::FILE_READ_ATTRIBUTES, BOTH, COPY, denied),
    ] {
        let from = open_as(&mut pair, tree, "from", source);
        let to = open_as(&mut pair, tree, "to", target);
        let k = key(&mut pair, tree, from);
        let request = input(k, &[(0, 0, 10)]);
        assert_eq!(copy(&mut pair, tree, to, code, request), expected);
    }
    pair.finish();
}

#[test]
fn locks_on_both_files() {
    for name in ["from", "to"] {
        let (mut pair, tree, _, to, k) = files();
        let other = pair.open(tree, name).unwrap();
        let exclusive = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
        pair.lock(tree, ops::lock(other, 4096, 10, exclusive))
            .unwrap();
        let chunks = [(0, 0, 4096), (4096, 4096, 4096)];
        assert_eq!(
            copy(&mut pair, tree, to, COPY, input(k, &chunks)),
            (NtStatus::FILE_LOCK_CONFLICT, Some([1, 0, 4096]))
        );
        pair.lock(tree, ops::lock(other, 4096, 10, LockFlags::UNLOCK))
            .unwrap();
        assert_eq!(
            copy(&mut pair, tree, to, COPY, input(k, &chunks)),
            (OK, Some([2, 0, 8192]))
        );
        pair.finish();
    }
}

fn is_copy(op: &VfsOp) -> bool {
    matches!(op, VfsOp::CopyRange { .. })
}

#[test]
fn the_source_is_not_closed_under_a_copy() {
    let (mut pair, tree, from, to, k) = files();
    pair.hold(is_copy);
    let request = ops::fsctl(to, COPY, input(k, &[(0, 0, 100)]), 12);
    let copying = pair.start(tree, request);
    let closing = pair.start(tree, ops::close(from));
    assert_eq!(pair.held(), 1);
    assert_eq!(pair.reply(tree.end, closing), None);
    assert_eq!(pair.fs().open_handles(), 2);
    pair.release();
    pair.run();
    assert_eq!(pair.wait(tree.end, copying).status(), OK);
    assert_eq!(pair.wait(tree.end, closing).status(), OK);
    assert_eq!(pair.fs().read_file("to").unwrap(), pattern(100));
    pair.finish();
}

#[test]
fn a_copy_outlives_its_connection_in_peace() {
    let (mut pair, tree, _, to, k) = files();
    pair.hold(is_copy);
    pair.start(tree, ops::fsctl(to, COPY, input(k, &[(0, 0, 100)]), 12));
    pair.disconnect(tree.end);
    pair.run();
    assert_eq!(pair.fs().open_handles(), 2);
    pair.release();
    pair.run();
    assert_eq!(pair.fs().open_handles(), 0);
    pair.finish();
}

#[test]
fn a_full_disk_is_reported_with_what_was_done() {
    let (mut pair, tree, _, to, k) = files();
    let used = 2 + 1;
    pair.fs().set_capacity(used);
    let chunks = [(0, 0, 4096), (4096, 4096, 4096)];
    assert_eq!(
        copy(&mut pair, tree, to, COPY, input(k, &chunks)),
        (NtStatus::DISK_FULL, Some([1, 0, 4096]))
    );
    pair.finish();
}

#[test]
fn directories_are_not_copied() {
    let (mut pair, tree, _, to, k) = files();
    pair.fs().make_dir("d").unwrap();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let refused = (NtStatus::INVALID_DEVICE_REQUEST, None);
    let from_dir = key(&mut pair, tree, d);
    let chunk = [(0, 0, 1)];
    assert_eq!(
        copy(&mut pair, tree, to, COPY, input(from_dir, &chunk)),
        refused
    );
    assert_eq!(copy(&mut pair, tree, d, COPY, input(k, &chunk)), refused);
    pair.finish();
}
