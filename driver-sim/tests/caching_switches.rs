//! Where leases and oplocks are switched off, on streams, and beside each other.

mod leasing;

use driver_sim::client::ops;
use driver_sim::pair::Pair;
use leasing::*;
use smb_proto::NtStatus;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::negotiate::GlobalCapabilities;

#[test]
fn a_share_without_oplocks_grants_nothing() {
    let mut pair = server().share("files", |s| s.oplocks = false).build();
    let tree = client(&mut pair, 1);
    let (_, lease) = open_leased(&mut pair, tree, file("f"), key(1), RWH, None).unwrap();
    assert_eq!(lease, None);
    let (_, lease) = open_leased(&mut pair, tree, dir("d"), key(2), RH, None).unwrap();
    assert_eq!(lease, None);
    let mut request = file("g");
    request.requested_oplock_level = OplockLevel::BATCH;
    let answer = pair.create(tree, request).unwrap();
    assert_eq!(answer.oplock_level, OplockLevel::NONE);
    pair.finish();
}

#[test]
fn a_server_without_leases_grants_oplocks() {
    let mut pair = server().config(|c| c.leases = false).build();
    let tree = client(&mut pair, 1);
    let all = GlobalCapabilities::LEASING | GlobalCapabilities::DIRECTORY_LEASING;
    let negotiated = pair.client(tree.end).negotiated().unwrap();
    assert!(!negotiated.response.capabilities.intersects(all));
    let (_, lease) = open_leased(&mut pair, tree, file("f"), key(1), RWH, None).unwrap();
    assert_eq!(lease, None);
    let mut request = file("g");
    request.requested_oplock_level = OplockLevel::BATCH;
    let answer = pair.create(tree, request).unwrap();
    assert_eq!(answer.oplock_level, OplockLevel::BATCH);
    pair.finish();
}

#[test]
fn each_stream_has_its_own() {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    let base = open_leased(&mut pair, a, file("f"), key(1), RWH, None).unwrap();
    let stream = open_leased(&mut pair, a, file("f:s"), key(2), RWH, None).unwrap();
    assert_eq!(base.1.unwrap().state, RWH);
    assert_eq!(stream.1.unwrap().state, RWH);
    // The key is the file's.
    let mixed = open_leased(&mut pair, a, file("f:t"), key(1), RWH, None);
    assert_eq!(mixed.map(|_| ()), Err(NtStatus::INVALID_PARAMETER));
    told(&mut pair, a.end);
    let id = pair.start(b, file("f:s"));
    let one = told(&mut pair, a.end);
    let keys: Vec<_> = one.iter().map(|t| (t.key, t.from, t.to)).collect();
    assert_eq!(keys, [(key(2), RWH, RH)]);
    assert_eq!(acknowledge(&mut pair, a, one[0]), NtStatus::SUCCESS);
    assert_eq!(pair.wait(b.end, id).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn a_lease_and_an_oplock_on_one_file() {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    let (mine, lease) = open_leased(&mut pair, a, file("f"), key(1), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    // Beside a lease on the handle there is no oplock.
    let mut request = ops::open("f");
    request.requested_oplock_level = OplockLevel::LEVEL_II;
    let theirs = pair.create(b, request.clone()).unwrap();
    assert_eq!(theirs.oplock_level, OplockLevel::NONE);
    pair.close(b, theirs.file_id).unwrap();
    pair.close(a, mine).unwrap();
    // And beside an oplock no lease on the handle.
    let theirs = pair.create(b, request).unwrap();
    assert_eq!(theirs.oplock_level, OplockLevel::LEVEL_II);
    let (mine, lease) = open_leased(&mut pair, a, file("f"), key(1), RWH, None).unwrap();
    assert_eq!(lease.unwrap().state, R);
    // A write takes both.
    pair.write(b, theirs.file_id, 0, "x").unwrap();
    let lost: Vec<_> = told(&mut pair, a.end)
        .iter()
        .map(|t| (t.from, t.to))
        .collect();
    assert_eq!(lost, [(R, NONE)]);
    pair.close(a, mine).unwrap();
    pair.finish();
}

#[test]
fn locks_are_granted_in_the_order_in_which_they_were_asked_for() {
    use smb_proto::msg::lock::LockFlags;
    let mut pair = Pair::new();
    let trees: Vec<_> = (0..5).map(|_| pair.mount()).collect();
    let holder = pair.create_new(trees[0], "f").unwrap();
    pair.lock(
        trees[0],
        ops::lock(holder, 0, 10, LockFlags::EXCLUSIVE_LOCK),
    )
    .unwrap();
    let mut waiting = Vec::new();
    for tree in &trees[1..] {
        let open = pair.open(*tree, "f").unwrap();
        let id = pair.start(*tree, ops::lock(open, 5, 10, LockFlags::EXCLUSIVE_LOCK));
        waiting.push((*tree, open, id));
    }
    let unlock = |open, offset| ops::lock(open, offset, 10, LockFlags::UNLOCK);
    pair.lock(trees[0], unlock(holder, 0)).unwrap();
    for n in 0..waiting.len() {
        let (tree, open, id) = waiting[n];
        assert_eq!(pair.wait(tree.end, id).status(), NtStatus::SUCCESS, "{n}");
        for (later, _, id) in &waiting[n + 1..] {
            assert!(pair.reply(later.end, *id).is_none(), "{n}");
        }
        // Even and odd ones go in different ways.
        if n % 2 == 0 {
            pair.lock(tree, unlock(open, 5)).unwrap();
        } else {
            pair.close(tree, open).unwrap();
        }
    }
    pair.finish();
}
