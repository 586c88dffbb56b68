//! Share modes, byte-range locks and delete-on-close between clients.

use driver_sim::client::ops;
use driver_sim::pair::Pair;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::msg::lock::LockFlags;

fn open(access: AccessMask, share: ShareAccess) -> create::Request {
    create::Request {
        desired_access: access,
        share_access: share,
        ..ops::create("f", CreateDisposition::OpenIf)
    }
}

/// [MS-FSA] 2.1.5.1.2.2: every pair of opens with every access and every share mode.
#[test]
fn share_modes_hold_across_connections() {
    let accesses = [
        AccessMask::FILE_READ_DATA,
        AccessMask::FILE_WRITE_DATA,
        AccessMask::FILE_APPEND_DATA,
        AccessMask::FILE_EXECUTE,
        AccessMask::DELETE,
        AccessMask::FILE_READ_ATTRIBUTES,
        AccessMask::READ_CONTROL,
        AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA,
    ];
    // What an access needs the other open to share.
    let needs = |a: AccessMask| {
        let mut share = ShareAccess::empty();
        share.set(
            ShareAccess::READ,
            a.intersects(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE),
        );
        share.set(
            ShareAccess::WRITE,
            a.intersects(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA),
        );
        share.set(ShareAccess::DELETE, a.contains(AccessMask::DELETE));
        share
    };
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    for a in accesses {
        for b in accesses {
            for i in 0..8 {
                for j in 0..8 {
                    let (si, sj) = (
                        ShareAccess::from_bits_retain(i),
                        ShareAccess::from_bits_retain(j),
                    );
                    // An open that touches neither data nor name takes no part.
                    let plays = |m: AccessMask| !needs(m).is_empty();
                    let fits =
                        !plays(a) || !plays(b) || (si.contains(needs(b)) && sj.contains(needs(a)));
                    let first = pair.create(one, open(a, si)).unwrap().file_id;
                    let second = pair.create(two, open(b, sj)).map(|r| r.file_id);
                    match second {
                        Ok(file) => {
                            assert!(fits, "{a:?} {si:?} then {b:?} {sj:?} was admitted");
                            pair.close(two, file).unwrap();
                        }
                        Err(status) => {
                            assert_eq!(status, NtStatus::SHARING_VIOLATION);
                            assert!(!fits, "{a:?} {si:?} then {b:?} {sj:?} was refused");
                        }
                    }
                    pair.close(one, first).unwrap();
                }
            }
        }
    }
    pair.finish();
}

#[test]
fn a_failed_open_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let alone = open(AccessMask::GENERIC_ALL, ShareAccess::empty());
    let file = pair.create(one, alone.clone()).unwrap().file_id;
    for _ in 0..3 {
        let refused = pair.create(two, alone.clone()).unwrap_err();
        assert_eq!(refused, NtStatus::SHARING_VIOLATION);
        assert_eq!(pair.counts().opens, 1);
        assert_eq!(pair.fs().open_handles(), 1);
    }
    pair.close(one, file).unwrap();
    let file = pair.create(two, alone).unwrap().file_id;
    pair.close(two, file).unwrap();
    pair.finish();
}

#[test]
fn the_opens_of_a_lost_connection_are_gone() {
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let alone = open(AccessMask::GENERIC_ALL, ShareAccess::empty());
    pair.create(one, alone.clone()).unwrap();
    pair.disconnect(one.end);
    pair.create(two, alone).unwrap();
    pair.finish();
}

fn delete_on_close(name: &str) -> create::Request {
    create::Request {
        create_options: CreateOptions::DELETE_ON_CLOSE,
        ..ops::create(name, CreateDisposition::OpenIf)
    }
}

#[test]
fn delete_on_close_waits_for_the_last_open() {
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let keeper = pair.create_new(two, "f").unwrap();
    let deleter = pair.create(one, delete_on_close("f")).unwrap().file_id;
    // Before it is closed, nothing is pending.
    let third = pair.open(two, "f").unwrap();
    pair.close(two, third).unwrap();
    pair.close(one, deleter).unwrap();
    assert!(pair.fs().exists("f"));
    assert_eq!(pair.open(two, "f"), Err(NtStatus::DELETE_PENDING));
    pair.write(two, keeper, 0, "still here").unwrap();
    pair.close(two, keeper).unwrap();
    assert!(!pair.fs().exists("f"));
    pair.finish();
}

#[test]
fn delete_on_close_happens_at_disconnect() {
    let mut pair = Pair::new();
    let one = pair.mount();
    pair.create(one, delete_on_close("f")).unwrap();
    assert!(pair.fs().exists("f"));
    pair.disconnect(one.end);
    assert!(!pair.fs().exists("f"));
    pair.finish();
}

#[test]
fn disposition_can_be_set_and_taken_back() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    let set = |pair: &mut Pair, on: u8| {
        pair.set_file(tree, file, FileInfoClass::Disposition, vec![on])
            .unwrap();
    };
    set(&mut pair, 1);
    assert_eq!(pair.open(tree, "f"), Err(NtStatus::DELETE_PENDING));
    set(&mut pair, 0);
    let again = pair.open(tree, "f").unwrap();
    pair.close(tree, again).unwrap();
    set(&mut pair, 1);
    pair.close(tree, file).unwrap();
    assert!(!pair.fs().exists("f"));
    pair.finish();
}

#[test]
fn a_directory_with_entries_stays() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    pair.fs().write_file("d\\f", b"").unwrap();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        pair.set_file(tree, dir, FileInfoClass::Disposition, vec![1]),
        Err(NtStatus::DIRECTORY_NOT_EMPTY)
    );
    let file = pair.open(tree, "d\\f").unwrap();
    pair.set_file(tree, file, FileInfoClass::Disposition, vec![1])
        .unwrap();
    pair.close(tree, file).unwrap();
    pair.set_file(tree, dir, FileInfoClass::Disposition, vec![1])
        .unwrap();
    pair.close(tree, dir).unwrap();
    assert!(!pair.fs().exists("d"));
    pair.finish();
}

#[test]
fn locks_exclude_others() {
    const NOW: LockFlags = LockFlags::FAIL_IMMEDIATELY;
    let exclusive = LockFlags::EXCLUSIVE_LOCK | NOW;
    let shared = LockFlags::SHARED_LOCK | NOW;
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let mine = pair.create_new(one, "f").unwrap();
    pair.write(one, mine, 0, vec![1; 100]).unwrap();
    let theirs = pair.open(two, "f").unwrap();
    pair.lock(one, ops::lock(mine, 10, 10, exclusive)).unwrap();
    for (offset, len, flags, result) in [
        (0, 10, exclusive, Ok(())),
        (19, 1, shared, Err(NtStatus::LOCK_NOT_GRANTED)),
        (5, 30, exclusive, Err(NtStatus::LOCK_NOT_GRANTED)),
        (20, 10, exclusive, Ok(())),
    ] {
        let request = ops::lock(theirs, offset, len, flags);
        assert_eq!(pair.lock(two, request), result, "{offset} {len}");
    }
    assert_eq!(
        pair.read(two, theirs, 12, 1),
        Err(NtStatus::FILE_LOCK_CONFLICT)
    );
    assert_eq!(
        pair.write(two, theirs, 12, "x"),
        Err(NtStatus::FILE_LOCK_CONFLICT)
    );
    pair.read(one, mine, 12, 1).unwrap();
    // Closing gives the locks back.
    pair.close(one, mine).unwrap();
    pair.write(two, theirs, 12, "x").unwrap();
    pair.finish();
}
