//! LOCK, [MS-SMB2] 3.3.5.14, and what locks do to READ and WRITE.

use driver_sim::client::{ClientEvent, Part, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::id::{AsyncId, FileId, MessageId};
use smb_proto::msg::lock::{LockElement, LockFlags, Request};
use smb_proto::msg::{logoff, tree_disconnect};

const SHARED: LockFlags = LockFlags::SHARED_LOCK.union(LockFlags::FAIL_IMMEDIATELY);
const EXCLUSIVE: LockFlags = LockFlags::EXCLUSIVE_LOCK.union(LockFlags::FAIL_IMMEDIATELY);
const UNLOCK: LockFlags = LockFlags::UNLOCK;
const WAIT: LockFlags = LockFlags::EXCLUSIVE_LOCK;

fn lock(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    offset: u64,
    len: u64,
    flags: LockFlags,
) -> NtStatus {
    match pair.lock(tree, ops::lock(file, offset, len, flags)) {
        Ok(()) => NtStatus::SUCCESS,
        Err(status) => status,
    }
}

fn array(file: FileId, elements: &[(u64, u64, LockFlags)]) -> Request {
    Request {
        locks: elements
            .iter()
            .map(|(offset, length, flags)| LockElement {
                offset: *offset,
                length: *length,
                flags: *flags,
            })
            .collect(),
        ..ops::lock(file, 0, 0, SHARED)
    }
}

/// A file with 200 bytes, open twice.
fn two() -> (Pair, Tree, FileId, FileId) {
    let mut pair = Pair::new();
    pair.fs().write_file("a", &[1; 200]).unwrap();
    let tree = pair.mount();
    let a = pair.open(tree, "a").unwrap();
    let b = pair.open(tree, "a").unwrap();
    (pair, tree, a, b)
}

/// Begins a LOCK that has to wait, and checks that it says so.
fn begin(pair: &mut Pair, tree: Tree, request: Request) -> (MessageId, AsyncId) {
    pair.client_events(tree.end);
    let id = pair.start(tree, request);
    let interim = pair
        .client_events(tree.end)
        .into_iter()
        .find_map(|e| match e {
            ClientEvent::Interim { message, async_id } if message == id => Some(async_id),
            _ => None,
        });
    assert_eq!(pair.reply(tree.end, id), None);
    (id, interim.expect("no interim answer"))
}

#[test]
fn what_locks_allow() {
    const OK: NtStatus = NtStatus::SUCCESS;
    const CONFLICT: NtStatus = NtStatus::FILE_LOCK_CONFLICT;
    for (flags, own_write, others_read, others_write) in [
        (SHARED, CONFLICT, OK, CONFLICT),
        (EXCLUSIVE, OK, CONFLICT, CONFLICT),
    ] {
        let (mut pair, tree, a, b) = two();
        assert_eq!(lock(&mut pair, tree, a, 100, 100, flags), OK);
        let mut status = |file, write| {
            let result = if write {
                pair.write(tree, file, 150, &b"x"[..]).map(|_| ())
            } else {
                pair.read(tree, file, 150, 10).map(|_| ())
            };
            result.err().unwrap_or(OK)
        };
        assert_eq!(status(a, false), OK);
        assert_eq!(status(a, true), own_write);
        assert_eq!(status(b, false), others_read);
        assert_eq!(status(b, true), others_write);
        // Beside the range, and of nothing within it.
        assert!(pair.write(tree, b, 0, vec![2; 100]).is_ok());
        assert!(pair.write(tree, b, 200, vec![2; 100]).is_ok());
        assert!(pair.read(tree, b, 150, 0).is_ok());
        assert!(pair.write(tree, b, 150, &b""[..]).is_ok());
        assert_eq!(pair.read(tree, b, 50, 51).is_ok(), others_read == OK);
        assert_eq!(lock(&mut pair, tree, a, 100, 100, UNLOCK), OK);
        assert!(pair.write(tree, b, 150, &b"x"[..]).is_ok());
        pair.finish();
    }
}

#[test]
fn closing_unlocks() {
    let (mut pair, tree, a, b) = two();
    assert_eq!(
        lock(&mut pair, tree, a, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    let refused = NtStatus::LOCK_NOT_GRANTED;
    assert_eq!(lock(&mut pair, tree, b, 0, 10, EXCLUSIVE), refused);
    assert_eq!(lock(&mut pair, tree, b, 0, 10, SHARED), refused);
    pair.close(tree, a).unwrap();
    assert_eq!(
        lock(&mut pair, tree, b, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    pair.finish();
}

#[test]
fn malformed_requests() {
    let (mut pair, tree, a, _) = two();
    let invalid = NtStatus::INVALID_PARAMETER;
    let status = |pair: &mut Pair, elements: &[(u64, u64, LockFlags)]| {
        pair.call(tree, array(a, elements)).status()
    };
    let none = LockFlags::empty();
    assert_eq!(status(&mut pair, &[]), invalid);
    for flags in [
        none,
        LockFlags::FAIL_IMMEDIATELY,
        LockFlags::from_bits_retain(!0x17),
        UNLOCK | LockFlags::SHARED_LOCK,
        UNLOCK | LockFlags::EXCLUSIVE_LOCK,
        UNLOCK | LockFlags::FAIL_IMMEDIATELY,
        LockFlags::SHARED_LOCK | LockFlags::EXCLUSIVE_LOCK,
    ] {
        assert_eq!(status(&mut pair, &[(1, 1, flags)]), invalid, "{flags:?}");
    }
    assert_eq!(status(&mut pair, &[(1, 1, none), (1, 1, UNLOCK)]), invalid);
    assert_eq!(
        status(&mut pair, &[(1, 1, EXCLUSIVE), (5, 1, UNLOCK)]),
        invalid
    );
    assert_eq!(status(&mut pair, &[(1, 1, SHARED), (5, 1, WAIT)]), invalid);
    // Nothing of all that has left a lock.
    assert_eq!(
        status(&mut pair, &[(1, 1, UNLOCK)]),
        NtStatus::RANGE_NOT_LOCKED
    );
    let beyond = NtStatus::INVALID_LOCK_RANGE;
    assert_eq!(status(&mut pair, &[(u64::MAX, 2, EXCLUSIVE)]), beyond);
    assert_eq!(status(&mut pair, &[(u64::MAX, u64::MAX, UNLOCK)]), beyond);
    let many = vec![(0, 1, SHARED); 65];
    assert_eq!(status(&mut pair, &many), invalid);
    assert_eq!(status(&mut pair, &many[..64]), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn an_array_is_locked_whole_or_not_at_all() {
    let (mut pair, tree, a, b) = two();
    assert_eq!(
        lock(&mut pair, tree, b, 50, 1, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    let request = array(a, &[(0, 10, EXCLUSIVE), (45, 10, EXCLUSIVE)]);
    assert_eq!(pair.lock(tree, request), Err(NtStatus::LOCK_NOT_GRANTED));
    assert_eq!(
        lock(&mut pair, tree, b, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    pair.finish();
}

#[test]
fn an_array_is_unlocked_as_far_as_it_goes() {
    let (mut pair, tree, a, _) = two();
    assert_eq!(
        lock(&mut pair, tree, a, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    let not_locked = Err(NtStatus::RANGE_NOT_LOCKED);
    let first_missing = array(a, &[(10, 10, UNLOCK), (0, 10, UNLOCK)]);
    assert_eq!(pair.lock(tree, first_missing), not_locked);
    assert_eq!(
        lock(&mut pair, tree, a, 0, 10, EXCLUSIVE),
        NtStatus::LOCK_NOT_GRANTED
    );
    let second_missing = array(a, &[(0, 10, UNLOCK), (10, 10, UNLOCK)]);
    assert_eq!(pair.lock(tree, second_missing), not_locked);
    assert_eq!(
        lock(&mut pair, tree, a, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    pair.finish();
}

#[test]
fn a_lock_waits_for_its_turn() {
    let (mut pair, tree, a, b) = two();
    let c = pair.open(tree, "a").unwrap();
    assert_eq!(lock(&mut pair, tree, a, 100, 50, WAIT), NtStatus::SUCCESS);
    let (first, _) = begin(&mut pair, tree, ops::lock(b, 100, 50, WAIT));
    let (second, _) = begin(&mut pair, tree, ops::lock(c, 100, 50, WAIT));
    assert_eq!(lock(&mut pair, tree, a, 100, 50, UNLOCK), NtStatus::SUCCESS);
    let reply = pair.wait(tree.end, first);
    assert!(reply.was_async);
    assert_eq!(reply.status(), NtStatus::SUCCESS);
    assert_eq!(pair.reply(tree.end, second), None);
    pair.close(tree, b).unwrap();
    assert_eq!(pair.wait(tree.end, second).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn who_waits_for_another_range_is_not_in_the_way() {
    let (mut pair, tree, a, b) = two();
    let c = pair.open(tree, "a").unwrap();
    assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
    assert_eq!(lock(&mut pair, tree, a, 50, 10, WAIT), NtStatus::SUCCESS);
    let (first, _) = begin(&mut pair, tree, ops::lock(b, 0, 10, WAIT));
    let (second, _) = begin(&mut pair, tree, ops::lock(c, 50, 10, WAIT));
    assert_eq!(lock(&mut pair, tree, a, 50, 10, UNLOCK), NtStatus::SUCCESS);
    assert_eq!(pair.wait(tree.end, second).status(), NtStatus::SUCCESS);
    assert_eq!(pair.reply(tree.end, first), None);
    assert_eq!(lock(&mut pair, tree, a, 0, 10, UNLOCK), NtStatus::SUCCESS);
    assert_eq!(pair.wait(tree.end, first).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn a_waiting_lock_is_cancelled_once() {
    let (mut pair, tree, a, b) = two();
    assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
    let (id, _) = begin(&mut pair, tree, ops::lock(b, 0, 10, WAIT));
    // What waits is not held.
    assert_eq!(
        lock(&mut pair, tree, b, 0, 10, UNLOCK),
        NtStatus::RANGE_NOT_LOCKED
    );
    pair.client(tree.end).cancel(id);
    pair.client(tree.end).cancel(id);
    pair.run();
    assert_eq!(pair.wait(tree.end, id).status(), NtStatus::CANCELLED);
    assert_eq!(lock(&mut pair, tree, a, 0, 10, UNLOCK), NtStatus::SUCCESS);
    assert_eq!(
        lock(&mut pair, tree, b, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    assert_eq!(pair.fault(tree.end), None);
    pair.finish();
}

#[test]
fn a_waiting_lock_ends_with_its_open() {
    let (mut pair, tree, a, b) = two();
    assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
    let (id, _) = begin(&mut pair, tree, ops::lock(b, 0, 10, WAIT));
    pair.close(tree, b).unwrap();
    assert_eq!(pair.wait(tree.end, id).status(), NtStatus::RANGE_NOT_LOCKED);
    pair.client(tree.end).cancel(id);
    pair.run();
    assert_eq!(pair.fault(tree.end), None);
    pair.finish();
}

#[test]
fn a_waiting_lock_ends_with_tree_connect_session_and_connection() {
    for how in 0..3 {
        let (mut pair, tree, a, b) = two();
        assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
        let (id, _) = begin(&mut pair, tree, ops::lock(b, 0, 10, WAIT));
        match how {
            0 => drop(pair.call(tree, tree_disconnect::Request)),
            1 => drop(pair.call(tree, logoff::Request)),
            _ => {
                pair.disconnect(tree.end);
                pair.run();
            }
        }
        if how < 2 {
            // The open with the lock goes first, and leaves it to the one that waits; as in Windows.
            assert_eq!(pair.wait(tree.end, id).status(), NtStatus::SUCCESS);
        }
        pair.finish();
    }
}

#[test]
fn locks_of_a_lost_connection_are_gone() {
    let (mut pair, tree, a, _) = two();
    assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
    let other = pair.mount();
    let c = pair.open(other, "a").unwrap();
    let (id, _) = begin(&mut pair, other, ops::lock(c, 0, 10, WAIT));
    pair.disconnect(tree.end);
    pair.run();
    assert_eq!(pair.wait(other.end, id).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn only_the_last_of_a_message_waits() {
    let (mut pair, tree, a, b) = two();
    assert_eq!(lock(&mut pair, tree, a, 0, 10, WAIT), NtStatus::SUCCESS);
    let t = tree.target;
    let replies = pair.call_compound(
        tree.end,
        vec![
            Part::new(t, ops::lock(b, 0, 10, WAIT)),
            Part::new(t, ops::read(b, 50, 1)),
        ],
    );
    assert_eq!(replies[0].status(), NtStatus::INTERNAL_ERROR);
    assert_eq!(replies[1].status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn named_streams_have_locks_of_their_own() {
    let (mut pair, tree, a, _) = two();
    pair.fs().write_file("a:s", &[1; 100]).unwrap();
    let s = pair.open(tree, "a:s").unwrap();
    assert_eq!(
        lock(&mut pair, tree, a, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    assert_eq!(
        lock(&mut pair, tree, s, 0, 10, EXCLUSIVE),
        NtStatus::SUCCESS
    );
    pair.finish();
}

#[test]
fn directories_have_no_locks() {
    let mut pair = Pair::new();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let d = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        lock(&mut pair, tree, d, 0, 10, EXCLUSIVE),
        NtStatus::INVALID_PARAMETER
    );
    pair.finish();
}

#[test]
fn one_open_has_only_so_many_locks() {
    let mut pair = Pair::builder()
        .config(|c| c.limits.max_locks_per_open = 3)
        .build();
    pair.fs().write_file("a", &[1; 10]).unwrap();
    let tree = pair.mount();
    let a = pair.open(tree, "a").unwrap();
    for i in 0..3 {
        assert_eq!(lock(&mut pair, tree, a, i, 1, EXCLUSIVE), NtStatus::SUCCESS);
    }
    assert_eq!(
        lock(&mut pair, tree, a, 3, 1, EXCLUSIVE),
        NtStatus::INSUFFICIENT_RESOURCES
    );
    assert_eq!(lock(&mut pair, tree, a, 0, 1, UNLOCK), NtStatus::SUCCESS);
    assert_eq!(lock(&mut pair, tree, a, 3, 1, EXCLUSIVE), NtStatus::SUCCESS);
    pair.finish();
}
