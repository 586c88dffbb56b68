//! What happens while the backend works, and bounds.

use super::*;

/// The file is opened by the backend, then removed for another client, and only then the backend's
/// answer comes: it must not be believed.
#[test]
fn a_file_removed_meanwhile_is_looked_for_again() {
    let mut b = Bench::new();
    let mut r = open("f");
    r.desired_access = AccessMask::DELETE;
    r.create_options = CreateOptions::DELETE_ON_CLOSE;
    let first = b.opened(r, 9, 3);
    let late = b.create(request("f", CreateDisposition::OpenIf));
    b.close(first);
    assert!(matches!(b.asked[1].op, VfsOp::Remove { .. }));
    b.answer_at(1, Ok(VfsReply::Done));
    b.answer_at(1, Ok(VfsReply::Done));
    // the answer to the open that was made before the removal
    b.answer(Ok(found(10, 3, at("f"))));
    assert_eq!(
        b.asked
            .iter()
            .map(|r| &r.op)
            .find(|op| matches!(op, VfsOp::Close { .. })),
        Some(&VfsOp::Close {
            handle: VfsHandle(10)
        })
    );
    let close = b
        .asked
        .iter()
        .position(|r| matches!(r.op, VfsOp::Close { .. }));
    b.answer_at(close.unwrap(), Ok(VfsReply::Done));
    // it starts over; the host has given the number to a new file at once, which is no obstacle
    assert!(matches!(b.op(), VfsOp::Open { .. }));
    b.answer(Ok(found(11, 3, at("f"))));
    assert_eq!(b.response(late).create_action, CreateAction::OPENED);
    b.quiet(1);
}

#[test]
fn whoever_loses_the_race_to_create_finds_the_file() {
    let mut b = Bench::new();
    let ids = [
        b.create(request("f", CreateDisposition::OpenIf)),
        b.create(request("f", CreateDisposition::OpenIf)),
        b.create(request("f", CreateDisposition::Create)),
    ];
    for _ in 0..3 {
        b.answer(Ok(nothing(ALL)));
    }
    b.answer(Ok(found(9, 3, at("f"))));
    b.answer(Err(VfsError::Exists));
    b.answer(Err(VfsError::Exists));
    b.answer(Ok(found(10, 3, at("f"))));
    b.answer(Ok(found(11, 3, at("f"))));
    b.expect_close(11);
    assert_eq!(b.response(ids[0]).create_action, CreateAction::CREATED);
    assert_eq!(b.response(ids[1]).create_action, CreateAction::OPENED);
    assert_eq!(b.status(ids[2]), NtStatus::OBJECT_NAME_COLLISION);
    b.quiet(2);
}

#[test]
fn starting_over_is_bounded() {
    let mut b = Bench::new();
    let id = b.create(request("f", CreateDisposition::Create));
    for _ in 0..MAX_TRIES {
        b.answer(Ok(nothing(ALL)));
        b.answer(Err(VfsError::Exists));
    }
    assert_eq!(b.status(id), NtStatus::OBJECT_NAME_COLLISION);
    b.quiet(0);
}

/// Whatever ends while the backend works, and whatever the backend then answers, no handle is lost.
#[test]
fn no_handle_is_lost_when_the_client_goes() {
    type End = fn(&mut Bench);
    let ends: [End; 3] = [
        |b| teardown::end_conn(&mut b.core, NOW, b.conn),
        |b| teardown::end_session(&mut b.core, NOW, b.session),
        |b| teardown::end_tree(&mut b.core, NOW, b.tree),
    ];
    for end in ends {
        // while it is being opened
        let mut b = Bench::new();
        b.create(open("f"));
        end(&mut b);
        b.drain();
        b.answer(Ok(found(9, 3, at("f"))));
        b.expect_close(9);
        b.quiet(0);
        // while its directory is being opened
        let mut b = Bench::new();
        let mut r = open("f");
        r.desired_access = AccessMask::DELETE;
        b.create(r);
        let mut o = opened(9, 3, at("f"));
        o.security = sd(AccessMask::FILE_READ_DATA);
        b.answer(Ok(VfsReply::Opened(o)));
        end(&mut b);
        b.drain();
        b.answer(Ok(directory(10, 1000, at(""), ALL)));
        b.expect_close(10);
        b.expect_close(9);
        b.quiet(0);
        // while it is being created
        for doc in [false, true] {
            let mut b = Bench::new();
            let mut r = request("f", CreateDisposition::Create);
            if doc {
                r.create_options = CreateOptions::DELETE_ON_CLOSE;
                r.desired_access = AccessMask::DELETE;
            }
            b.create(r);
            b.answer(Ok(nothing(ALL)));
            end(&mut b);
            b.drain();
            b.answer(Ok(found(9, 3, at("f"))));
            if doc {
                assert!(matches!(b.op(), VfsOp::Remove { .. }));
                b.answer(Ok(VfsReply::Done));
            }
            b.expect_close(9);
            b.quiet(0);
        }
        // while it is being overwritten
        for result in [Ok(VfsReply::Info(info(3))), Err(VfsError::Io)] {
            let mut b = Bench::new();
            b.opened(request("f", CreateDisposition::Overwrite), 9, 3);
            assert!(matches!(b.op(), VfsOp::Overwrite { .. }));
            end(&mut b);
            b.drain();
            b.answer(result);
            b.expect_close(9);
            b.quiet(0);
            assert_eq!(b.core.files.len(), 0);
        }
    }
}

#[test]
fn opens_are_limited() {
    let mut b = Bench::new();
    let mut c = config();
    c.limits.max_opens = 1;
    b.core.config = Arc::new(c);
    let two = [b.create(open("f")), b.create(open("g"))];
    b.answer(Ok(found(9, 3, at("f"))));
    b.answer(Ok(found(10, 4, at("g"))));
    b.expect_close(10);
    assert_eq!(b.status(two[0]), NtStatus::SUCCESS);
    assert_eq!(b.status(two[1]), NtStatus::INSUFFICIENT_RESOURCES);
    let id = b.create(open("h"));
    assert_eq!(b.status(id), NtStatus::INSUFFICIENT_RESOURCES);
    b.quiet(1);
}
