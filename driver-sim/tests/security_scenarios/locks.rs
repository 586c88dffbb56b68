//! Byte-range locks that wait, and acknowledgments of breaks.

use driver_sim::client::ops;
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Pair;
use smb_proto::NtStatus;
use smb_proto::id::LeaseKey;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::{LockElement, LockFlags};
use smb_proto::msg::oplock_break::{Message, OplockBreak};
use smb_proto::msg::{OplockLevel, lock};

use crate::bed::S;

const EXCLUSIVE: LockFlags = LockFlags::EXCLUSIVE_LOCK;
const NOW: LockFlags = LockFlags::FAIL_IMMEDIATELY;

fn two_with_a_file() -> Bed {
    let mut bed = Bed::new(Pair::new(), 2);
    bed.create(0, ops::create("f", CreateDisposition::Create));
    bed.open(1, "f");
    bed
}

/// CVE-2026-53198, CVE-2026-64396, CVE-2026-64437: a lock that waits, and two CANCELs, the unlock that
/// grants it, the CLOSE of its handle, and the loss of its connection: exactly one final answer, and what
/// comes too late changes nothing.
#[test]
fn blocked_lock_cancelled_granted_closed_or_cut_off() {
    const ENDS: &[NtStatus] = &[
        S::SUCCESS,
        S::CANCELLED,
        S::RANGE_NOT_LOCKED,
        S::FILE_CLOSED,
    ];
    let world = || {
        let mut bed = two_with_a_file();
        let (tree, file) = (bed.tree(0), bed.file(0, 0));
        bed.pair
            .lock(tree, ops::lock(file, 0, 10, EXCLUSIVE))
            .unwrap();
        bed
    };
    let actors = [
        vec![Act::request(1, "lock", ENDS, |bed| {
            ops::lock(bed.file(1, 0), 5, 10, EXCLUSIVE).into()
        })],
        vec![Act::cancel("lock"), Act::cancel("lock")],
        vec![Act::request(0, "unlock", &[S::SUCCESS], |bed| {
            ops::lock(bed.file(0, 0), 0, 10, LockFlags::UNLOCK).into()
        })],
        vec![Act::request(1, "close", &[S::SUCCESS], |bed| {
            ops::close(bed.file(1, 0)).into()
        })],
        vec![Act::disconnect(1)],
    ];
    let explored = explore(world, &actors, |bed| {
        // Nothing of the second client's is left on the file.
        let (tree, file) = (bed.tree(0), bed.file(0, 0));
        let all = ops::lock(file, 0, 100, EXCLUSIVE | NOW);
        assert_eq!(bed.pair.lock(tree, all), Ok(()));
    });
    assert_eq!(explored.orders, 360);
    explored.assert_seen("lock", ENDS);
}

/// CVE-2026-64396: two that wait for the same range, and one who leaves: the other gets it, once.
#[test]
fn two_blocked_locks_and_one_that_leaves() {
    const ENDS: &[NtStatus] = &[
        S::SUCCESS,
        S::CANCELLED,
        S::RANGE_NOT_LOCKED,
        S::FILE_CLOSED,
    ];
    let world = || {
        let mut bed = Bed::new(Pair::new(), 3);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.open(1, "f");
        bed.open(2, "f");
        let (tree, file) = (bed.tree(0), bed.file(0, 0));
        bed.pair
            .lock(tree, ops::lock(file, 0, 10, EXCLUSIVE))
            .unwrap();
        bed
    };
    let lock = |seat: usize, name| {
        Act::request(seat, name, ENDS, move |bed| {
            ops::lock(bed.file(seat, 0), 0, 10, EXCLUSIVE).into()
        })
    };
    let actors = [
        vec![lock(1, "one"), Act::disconnect(1)],
        vec![lock(2, "two"), Act::cancel("two")],
        vec![Act::request(0, "close", &[S::SUCCESS], |bed| {
            ops::close(bed.file(0, 0)).into()
        })],
    ];
    let explored = explore(world, &actors, |_| {});
    assert_eq!(explored.orders, 30);
    explored.assert_seen("one", &[S::SUCCESS]);
    explored.assert_seen("two", &[S::SUCCESS, S::CANCELLED]);
}

/// CVE-2025-21945, CVE-2026-31477, CVE-2023-54162: ranges of no length, ranges that are not locked, ranges
/// beyond the last byte, and arrays of which a later element fails: all of an array or nothing of it
/// ([MS-SMB2] 3.3.5.14).
#[test]
fn lock_of_no_length_unlock_of_nothing_and_half_arrays() {
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let mine = pair.create_new(one, "f").unwrap();
    let theirs = pair.open(two, "f").unwrap();
    let gone = Err(S::RANGE_NOT_LOCKED);
    for (offset, length) in [
        (0, 0),
        (0, 1),
        (5, 0),
        (u64::MAX, 0),
        (u64::MAX, 1),
        (0, u64::MAX),
    ] {
        let unlock = ops::lock(mine, offset, length, LockFlags::UNLOCK);
        assert_eq!(pair.lock(one, unlock.clone()), gone, "{offset} {length}");
        let take = ops::lock(mine, offset, length, EXCLUSIVE | NOW);
        assert_eq!(pair.lock(one, take), Ok(()), "{offset} {length}");
        assert_eq!(pair.lock(one, unlock.clone()), Ok(()));
        assert_eq!(pair.lock(one, unlock), gone);
    }
    for (offset, length) in [(2, u64::MAX), (u64::MAX, 2), (u64::MAX, u64::MAX)] {
        for flags in [EXCLUSIVE | NOW, LockFlags::UNLOCK] {
            let beyond = pair.lock(one, ops::lock(mine, offset, length, flags));
            assert_eq!(beyond, Err(S::INVALID_LOCK_RANGE), "{offset} {length}");
        }
    }
    // Every length of array, the last element of which cannot be had.
    pair.lock(two, ops::lock(theirs, 1000, 1, EXCLUSIVE | NOW))
        .unwrap();
    for count in 1..10u64 {
        let element = |offset| LockElement {
            offset,
            length: 1,
            flags: EXCLUSIVE | NOW,
        };
        let locks: Vec<_> = (0..count).chain([1000]).map(element).collect();
        let request = lock::Request {
            locks,
            ..ops::lock(mine, 0, 1, EXCLUSIVE)
        };
        assert_eq!(pair.lock(one, request), Err(S::LOCK_NOT_GRANTED));
        assert_eq!(
            pair.lock(two, ops::lock(theirs, 0, 10, EXCLUSIVE | NOW)),
            Ok(())
        );
        assert_eq!(
            pair.lock(two, ops::lock(theirs, 0, 10, LockFlags::UNLOCK)),
            Ok(())
        );
    }
    pair.finish();
}

fn acknowledgment(bed: &Bed) -> smb_proto::msg::Request {
    Message::Oplock(OplockBreak {
        oplock_level: OplockLevel::NONE,
        file_id: bed.file(0, 0),
    })
    .into()
}

/// CVE-2023-52479, CVE-2025-38437, CVE-2025-39720, CVE-2025-37776, CVE-2025-38092: acknowledgments of
/// breaks that never were, twice, beside CLOSE and the end of the connection ([MS-SMB2] 3.3.5.22.1 and
/// 3.3.5.22.2).
#[test]
fn acknowledgment_without_a_break() {
    const NO_BREAK: &[NtStatus] = &[
        S::INVALID_OPLOCK_PROTOCOL,
        S::INVALID_DEVICE_STATE,
        S::FILE_CLOSED,
    ];
    let world = || {
        let mut bed = two_with_a_file();
        bed.pair
            .hold(|op| matches!(op, smb_engine::vfs::VfsOp::Close { .. }));
        bed
    };
    let actors = [
        vec![
            Act::request(0, "one", NO_BREAK, acknowledgment),
            Act::request(0, "two", NO_BREAK, acknowledgment),
        ],
        vec![Act::request(0, "close", &[S::SUCCESS], |bed| {
            ops::close(bed.file(0, 0)).into()
        })],
        vec![Act::complete()],
        vec![Act::disconnect(0)],
    ];
    explore(world, &actors, |_| {});
    let mut pair = Pair::new();
    let tree = pair.mount();
    let lease = |key| {
        Message::LeaseAck(smb_proto::msg::oplock_break::LeaseBreakAck {
            lease_key: LeaseKey(key),
            lease_state: smb_proto::create_ctx::LeaseState::empty(),
        })
    };
    for key in [[0; 16], [7; 16], [0xff; 16]] {
        let status = pair.call(tree, lease(key)).status();
        assert_eq!(status, S::OBJECT_NAME_NOT_FOUND);
    }
    pair.finish();
}
