//! Opens that wait for their client to come back.

use std::time::Duration;

use driver_sim::client::{ClientConfig, Credentials, Part, ops};
use driver_sim::pair::{Pair, Tree};
use smb_engine::vfs::{VfsError, VfsOp};
use smb_proto::Guid;
use smb_proto::create_ctx::{
    DurableFlags, DurableReconnectV2, DurableRequestV2, Lease, LeaseFlags, LeaseState,
};
use smb_proto::header::HeaderFlags;
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::{self, CreateDisposition, ShareAccess};
use smb_proto::msg::lock::LockFlags;

use crate::bed::S;

const TIMEOUT: Duration = Duration::from_secs(20);
const EXCLUSIVE: LockFlags = LockFlags::EXCLUSIVE_LOCK.union(LockFlags::FAIL_IMMEDIATELY);

fn pair() -> Pair {
    Pair::builder()
        .config(|c| {
            c.leases = true;
            c.durable_handles = true;
        })
        .build()
}

fn mount(pair: &mut Pair, client: u64, user: &str) -> Tree {
    let end = pair.connect_as(ClientConfig::default().seed(client));
    let session = pair.logon(end, Credentials::new(user, "secret")).unwrap();
    pair.tree(end, session, "files").unwrap()
}

/// A durable CREATE with an oplock on the handle.
fn durable(name: &str, guid: u8) -> create::Request {
    let context = DurableRequestV2 {
        timeout_ms: u32::try_from(TIMEOUT.as_millis()).unwrap(),
        flags: DurableFlags::empty(),
        create_guid: Guid::from_bytes([guid; 16]),
    };
    create::Request {
        requested_oplock_level: OplockLevel::BATCH,
        contexts: vec![context.to_raw()],
        ..ops::create(name, CreateDisposition::OpenIf)
    }
}

fn again(name: &str, file_id: FileId, guid: u8) -> create::Request {
    let context = DurableReconnectV2 {
        file_id,
        create_guid: Guid::from_bytes([guid; 16]),
        flags: DurableFlags::empty(),
    };
    create::Request {
        requested_oplock_level: OplockLevel::BATCH,
        contexts: vec![context.to_raw()],
        ..ops::open(name)
    }
}

/// CVE-2026-31717: who knows the ids of another user's open does not get it, and does not disturb it.
#[test]
fn reconnect_by_another_user() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1, "user");
    let file = pair.create(tree, durable("f", 1)).unwrap().file_id;
    pair.disconnect(tree.end);
    for client in [1, 2] {
        let thief = mount(&mut pair, client, "other");
        let stolen = pair.create(thief, again("f", file, 1));
        assert_eq!(stolen.unwrap_err(), S::ACCESS_DENIED);
        pair.disconnect(thief.end);
    }
    let tree = mount(&mut pair, 1, "user");
    let back = pair.create(tree, again("f", file, 1)).unwrap();
    assert_eq!(back.file_id.persistent, file.persistent);
    pair.close(tree, back.file_id).unwrap();
    pair.finish();
}

/// CVE-2026-23427, CVE-2025-71204: a CREATE is repeated from another session, or taken up again, while
/// its open is connected.
#[test]
fn create_repeated_while_its_open_is_connected() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1, "user");
    let file = pair.create(tree, durable("f", 1)).unwrap().file_id;
    let second = mount(&mut pair, 1, "user");
    for replay in [HeaderFlags::empty(), HeaderFlags::REPLAY_OPERATION] {
        let mut part = Part::new(second.target, durable("f", 1));
        part.flags |= replay;
        let reply = pair.call_part(second.end, part);
        assert_eq!(reply.header.status, S::DUPLICATE_OBJECTID);
    }
    let taken = pair.create(second, again("f", file, 1));
    assert_eq!(taken.unwrap_err(), S::OBJECT_NAME_NOT_FOUND);
    pair.write(tree, file, 0, "x").unwrap();
    // It was used: it cannot be meant by a repetition any more, and its name is free.
    let other = pair.create(second, durable("g", 1)).unwrap().file_id;
    assert_ne!(other.persistent, file.persistent);
    pair.close(tree, file).unwrap();
    pair.close(second, other).unwrap();
    pair.finish();
}

/// CVE-2026-52996, CVE-2026-53010, CVE-2026-64016, CVE-2026-72381: the name of a CREATE is that of one
/// client; an open is taken up once, however many ask, and one whose reconnect fails waits on.
#[test]
fn names_of_creates_and_reconnects_that_fail_or_overlap() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1, "user");
    let file = pair.create(tree, durable("f", 1)).unwrap().file_id;
    let other = mount(&mut pair, 2, "user");
    let mine = pair.create(other, durable("g", 1)).unwrap().file_id;
    pair.close(other, mine).unwrap();
    pair.disconnect(tree.end);

    // The disk fails at the worst moment.
    let mut left = 1;
    pair.inject(move |op| {
        let fails = matches!(op, VfsOp::Stat { .. }) && left > 0;
        left -= u32::from(fails);
        fails.then_some(VfsError::Io)
    });
    let tree = mount(&mut pair, 1, "user");
    assert!(pair.create(tree, again("f", file, 1)).is_err());

    // Two at once.
    let second = mount(&mut pair, 1, "user");
    pair.hold(|op| matches!(op, VfsOp::Stat { .. }));
    let first = pair.start(tree, again("f", file, 1));
    pair.run();
    let late = pair.start(second, again("f", file, 1));
    pair.run();
    pair.release();
    let late = pair.wait(second.end, late);
    assert_eq!(late.header.status, S::OBJECT_NAME_NOT_FOUND);
    let first = pair.wait(tree.end, first);
    assert_eq!(first.header.status, S::SUCCESS);

    // The connection ends while the answer is on its way.
    pair.disconnect(tree.end);
    pair.hold(|op| matches!(op, VfsOp::Stat { .. }));
    pair.start(second, again("f", file, 1));
    pair.run();
    pair.disconnect(second.end);
    pair.release();
    pair.hold(|_| false);
    let tree = mount(&mut pair, 1, "user");
    let back = pair.create(tree, again("f", file, 1)).unwrap();
    pair.close(tree, back.file_id).unwrap();
    pair.finish();
}

/// CVE-2026-31718, CVE-2026-64142, CVE-2025-37802: locks stay with an open that waits, as long as nobody
/// else can come near the file, and go with it.
#[test]
fn locks_of_opens_that_wait() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1, "user");
    let file = pair.create(tree, durable("f", 1)).unwrap().file_id;
    pair.lock(tree, ops::lock(file, 0, 10, EXCLUSIVE)).unwrap();
    pair.disconnect(tree.end);
    let tree = mount(&mut pair, 1, "user");
    let file = pair.create(tree, again("f", file, 1)).unwrap().file_id;
    // The same range cannot be locked twice: the lock is there.
    let twice = pair.lock(tree, ops::lock(file, 0, 10, EXCLUSIVE));
    assert_eq!(twice.unwrap_err(), S::LOCK_NOT_GRANTED);
    pair.disconnect(tree.end);
    pair.advance(TIMEOUT + Duration::from_secs(1));
    let other = mount(&mut pair, 2, "user");
    let theirs = pair.open(other, "f").unwrap();
    pair.lock(other, ops::lock(theirs, 0, 10, EXCLUSIVE))
        .unwrap();
    pair.close(other, theirs).unwrap();

    // Where others could come near, an open with locks does not wait.
    let tree = mount(&mut pair, 1, "user");
    let mut request = durable("f", 2);
    request.requested_oplock_level = OplockLevel::LEASE;
    let lease = Lease {
        key: LeaseKey([1; 16]),
        state: LeaseState::READ | LeaseState::HANDLE,
        flags: LeaseFlags::empty(),
        v2: None,
    };
    request.contexts.push(lease.to_raw());
    let file = pair.create(tree, request).unwrap().file_id;
    pair.lock(tree, ops::lock(file, 0, 10, EXCLUSIVE)).unwrap();
    pair.disconnect(tree.end);
    let theirs = pair.open(other, "f").unwrap();
    pair.lock(other, ops::lock(theirs, 0, 10, EXCLUSIVE))
        .unwrap();
    pair.close(other, theirs).unwrap();
    pair.finish();
}

/// CVE-2026-64140, CVE-2026-64141, CVE-2025-71150: an open without session is found by nobody but by who
/// takes it up, and gives way to who opens the file.
#[test]
fn opens_without_session() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1, "user");
    let mut request = durable("f", 1);
    request.share_access = ShareAccess::empty();
    let file = pair.create(tree, request).unwrap().file_id;
    pair.disconnect(tree.end);
    assert_eq!(pair.counts().opens, 1);
    assert_eq!(pair.counts().sessions, 0);
    let tree = mount(&mut pair, 1, "user");
    assert_eq!(pair.read(tree, file, 0, 1).unwrap_err(), S::FILE_CLOSED);
    assert_eq!(pair.close(tree, file).unwrap_err(), S::FILE_CLOSED);
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    assert_eq!(pair.list(tree, root, "*").unwrap().len(), 3);
    pair.close(tree, root).unwrap();
    let new = pair.open(tree, "f").unwrap();
    assert_eq!(pair.counts().opens, 1);
    let gone = pair.create(tree, again("f", file, 1));
    assert_eq!(gone.unwrap_err(), S::OBJECT_NAME_NOT_FOUND);
    pair.close(tree, new).unwrap();
    pair.finish();
}
