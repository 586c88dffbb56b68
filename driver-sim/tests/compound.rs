//! Several requests in one message, [MS-SMB2] 3.3.5.2.7.

use driver_sim::client::{ClientConfig, Credentials, LogonFor, Part, Target, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{Response, echo};
use smb_proto::{Dialect, NtStatus};

const LAST: FileId = FileId::RELATED;

fn statuses(pair: &mut Pair, tree: Tree, parts: Vec<Part>) -> Vec<NtStatus> {
    let replies = pair.call_compound(tree.end, parts);
    replies.iter().map(|r| r.status()).collect()
}

#[test]
fn related_requests_use_the_file_of_the_first() {
    let protections: [fn(ClientConfig) -> ClientConfig; 3] = [
        ClientConfig::signing,
        ClientConfig::encrypting,
        std::convert::identity,
    ];
    for dialect in [Dialect::Smb202, Dialect::Smb300, Dialect::Smb311] {
        for protect in protections {
            let mut pair = Pair::new();
            let end = pair.connect_as(protect(ClientConfig::only(dialect)));
            let tree = pair.mount_on(end);
            let t = tree.target;
            let parts = vec![
                Part::new(t, ops::create("f", CreateDisposition::Create)),
                Part::new(t, ops::write(LAST, 0, "hello")).related(),
                Part::new(t, ops::read(LAST, 1, 3)).related(),
                Part::new(t, ops::query_file(LAST, FileInfoClass::Standard)).related(),
                Part::new(t, ops::close(LAST)).related(),
            ];
            let replies = pair.call_compound(end, parts);
            assert!(replies.iter().all(|r| r.status() == NtStatus::SUCCESS));
            let Response::Read(read) = &replies[2].body else {
                panic!("no READ answer");
            };
            assert_eq!(&read.data[..], b"ell");
            assert_eq!(pair.counts().opens, 0);
            pair.finish();
        }
    }
}

#[test]
fn a_failed_create_fails_what_depends_on_it() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let parts = vec![
        Part::new(t, ops::open("missing")),
        Part::new(t, ops::query_file(LAST, FileInfoClass::Basic)).related(),
        Part::new(t, ops::close(LAST)).related(),
    ];
    let missing = NtStatus::OBJECT_NAME_NOT_FOUND;
    assert_eq!(statuses(&mut pair, tree, parts), [missing; 3]);
    pair.finish();
}

#[test]
fn unrelated_requests_stand_alone() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let nowhere = Target::session(smb_proto::id::SessionId(0x1234));
    let parts = vec![
        Part::new(t, ops::open("missing")),
        Part::new(t, ops::create("f", CreateDisposition::Create)),
        Part::new(nowhere, ops::close(LAST)),
        Part::new(Target::NONE, echo::Request),
    ];
    assert_eq!(
        statuses(&mut pair, tree, parts),
        [
            NtStatus::OBJECT_NAME_NOT_FOUND,
            NtStatus::SUCCESS,
            NtStatus::USER_SESSION_DELETED,
            NtStatus::SUCCESS,
        ]
    );
    pair.finish();
}

#[test]
fn the_first_cannot_be_related() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let parts = vec![
        Part::new(t, ops::close(LAST)).related(),
        Part::new(Target::NONE, echo::Request),
    ];
    assert_eq!(
        statuses(&mut pair, tree, parts),
        [NtStatus::INVALID_PARAMETER, NtStatus::SUCCESS]
    );
    pair.finish();
}

#[test]
fn related_after_unrelated_without_file() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let parts = vec![
        Part::new(t, echo::Request),
        Part::new(t, ops::close(LAST)).related(),
    ];
    let got = statuses(&mut pair, tree, parts);
    assert_eq!(got[0], NtStatus::SUCCESS);
    assert!(got[1].is_error(), "{}", got[1]);
    pair.finish();
}

#[test]
fn a_slow_part_does_not_change_the_order() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    pair.hold(|op| matches!(op, smb_engine::vfs::VfsOp::Write { .. }));
    let parts = vec![
        Part::new(t, ops::create("f", CreateDisposition::Create)),
        Part::new(t, ops::write(LAST, 0, "slow")).related(),
        Part::new(t, ops::close(LAST)).related(),
    ];
    let ids = pair.client(tree.end).send_compound(parts);
    pair.run();
    pair.advance(std::time::Duration::from_secs(5));
    assert_eq!(pair.held(), 1);
    // In the middle of a message nothing goes asynchronous; the answers come together.
    assert!(ids.iter().all(|id| pair.reply(tree.end, *id).is_none()));
    pair.release();
    for id in ids {
        let reply = pair.wait(tree.end, id);
        assert_eq!(reply.status(), NtStatus::SUCCESS);
        assert!(!reply.was_async);
    }
    pair.finish();
}

#[test]
fn the_last_part_may_go_asynchronous() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    pair.hold(|op| matches!(op, smb_engine::vfs::VfsOp::Flush { .. }));
    let parts = vec![
        Part::new(t, ops::create("f", CreateDisposition::Create)),
        Part::new(t, ops::flush(LAST)).related(),
    ];
    let ids = pair.client(tree.end).send_compound(parts);
    pair.run();
    pair.advance(std::time::Duration::from_secs(5));
    // The first answer comes with the interim one.
    let first = pair.wait(tree.end, ids[0]);
    assert_eq!(first.status(), NtStatus::SUCCESS);
    assert!(pair.reply(tree.end, ids[1]).is_none());
    pair.release();
    let last = pair.wait(tree.end, ids[1]);
    assert_eq!(last.status(), NtStatus::SUCCESS);
    assert!(last.was_async);
    pair.finish();
}

#[test]
fn all_of_a_compound_is_told_that_the_session_has_expired() {
    let lifetime = std::time::Duration::from_secs(10);
    let mut pair = Pair::builder()
        .config(|c| c.limits.session_lifetime = lifetime)
        .build();
    let tree = pair.mount();
    let t = tree.target;
    pair.advance(lifetime);
    let parts = vec![
        Part::new(t, ops::create("f", CreateDisposition::OpenIf)),
        Part::new(t, ops::query_file(LAST, FileInfoClass::Basic)).related(),
        Part::new(t, ops::close(LAST)).related(),
    ];
    let expired = NtStatus::NETWORK_SESSION_EXPIRED;
    assert_eq!(statuses(&mut pair, tree, parts), [expired; 3]);
    pair.finish();
}

/// The file of the first is open all the same, and is closed once the session is renewed.
#[test]
fn a_file_is_not_closed_because_the_session_has_expired() {
    let lifetime = std::time::Duration::from_secs(10);
    let mut pair = Pair::builder()
        .config(|c| c.limits.session_lifetime = lifetime)
        .build();
    let tree = pair.mount();
    let t = tree.target;
    let file = pair.create_new(tree, "f").unwrap();
    pair.advance(lifetime);
    let parts = vec![
        Part::new(t, ops::query_file(file, FileInfoClass::Basic)),
        Part::new(t, ops::close(LAST)).related(),
    ];
    let expired = NtStatus::NETWORK_SESSION_EXPIRED;
    assert_eq!(statuses(&mut pair, tree, parts), [expired; 2]);
    assert_eq!(pair.counts().opens, 1);
    let again = LogonFor::Again(t.session);
    pair.logon_for(tree.end, Credentials::new("user", "secret"), again)
        .unwrap();
    let parts = vec![
        Part::new(t, ops::query_file(file, FileInfoClass::Basic)),
        Part::new(t, ops::close(LAST)).related(),
    ];
    assert_eq!(
        statuses(&mut pair, tree, parts),
        [NtStatus::SUCCESS, NtStatus::SUCCESS]
    );
    assert_eq!(pair.counts().opens, 0);
    pair.finish();
}
