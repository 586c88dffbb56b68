//! Requests that wait: interim answers, CANCEL, and what ends a wait.

use std::time::Duration;

use driver_sim::client::{ClientConfig, ClientEvent, Part, Sign, ops};
use driver_sim::pair::{End, Pair};
use smb_engine::vfs::VfsOp;
use smb_proto::id::MessageId;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::lock::LockFlags;
use smb_proto::{Dialect, NtStatus, msg};

fn interim(pair: &mut Pair, end: End, id: MessageId) -> bool {
    pair.client_events(end)
        .iter()
        .any(|e| matches!(e, ClientEvent::Interim { message, .. } if *message == id))
}

#[test]
fn what_takes_long_gets_an_interim_answer() {
    for dialect in Dialect::ALL {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(dialect).signing());
        let tree = pair.mount_on(end);
        let file = pair.create_new(tree, "f").unwrap();
        pair.hold(|op| matches!(op, VfsOp::Read { .. }));
        pair.fs().write_file("f", b"slow").unwrap();
        let id = pair.start(tree, ops::read(file, 0, 10));
        pair.advance(Duration::from_millis(100));
        assert!(!interim(&mut pair, end, id));
        pair.advance(Duration::from_secs(1));
        assert!(interim(&mut pair, end, id));
        // A file operation that has begun is not interrupted.
        pair.client(end).cancel(id);
        pair.run();
        assert!(pair.reply(end, id).is_none());
        pair.release();
        let reply = pair.wait(end, id);
        assert_eq!(reply.status(), NtStatus::SUCCESS);
        assert!(reply.was_async && reply.signed);
        pair.finish();
    }
}

/// [MS-SMB2] 3.3.5.16: a signed CANCEL is verified like any other request.
#[test]
fn a_cancel_with_a_wrong_signature_cancels_nothing() {
    let mut pair = Pair::new();
    let end = pair.connect_as(ClientConfig::default().signing());
    let tree = pair.mount_on(end);
    let dir = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(dir, CompletionFilter::FILE_NAME, false));
    let part = Part::new(tree.target, msg::cancel::Request).sign(Sign::Wrong);
    pair.client(end).send_part(part.message_id(id.0));
    pair.run();
    assert!(pair.reply(end, id).is_none());
    pair.client(end).cancel(id);
    pair.run();
    assert_eq!(pair.wait(end, id).status(), NtStatus::CANCELLED);
    pair.finish();
}

#[test]
fn a_waiting_notification_is_cancelled() {
    for protect in [
        ClientConfig::signing as fn(ClientConfig) -> ClientConfig,
        ClientConfig::encrypting,
    ] {
        let mut pair = Pair::new();
        let end = pair.connect_as(protect(ClientConfig::default()));
        let tree = pair.mount_on(end);
        let dir = pair.create(tree, ops::open_dir("")).unwrap().file_id;
        let id = pair.start(tree, ops::notify(dir, CompletionFilter::FILE_NAME, false));
        assert!(interim(&mut pair, end, id));
        pair.client(end).cancel(id);
        pair.run();
        assert_eq!(pair.wait(end, id).status(), NtStatus::CANCELLED);
        // A second CANCEL finds nothing, and is not answered.
        pair.client(end).cancel(id);
        pair.run();
        assert!(pair.reply(end, id).is_none());
        assert!(pair.is_connected(end));
        pair.finish();
    }
}

#[test]
fn closing_ends_a_notification() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let dir = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(dir, CompletionFilter::FILE_NAME, false));
    pair.close(tree, dir).unwrap();
    assert_eq!(pair.wait(tree.end, id).status(), NtStatus::NOTIFY_CLEANUP);
    pair.finish();
}

#[test]
fn changes_are_reported_to_others() {
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let dir = pair.create(one, ops::open_dir("")).unwrap().file_id;
    let id = pair.start(one, ops::notify(dir, CompletionFilter::FILE_NAME, false));
    let file = pair.create_new(two, "new.txt").unwrap();
    let reply = pair.wait(one.end, id);
    assert_eq!(reply.status(), NtStatus::SUCCESS);
    let msg::Response::ChangeNotify(body) = reply.body else {
        panic!("no CHANGE_NOTIFY answer");
    };
    let name: Vec<u8> = "new.txt"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(body.output.windows(name.len()).any(|w| w == name));
    pair.close(two, file).unwrap();
    pair.finish();
}

#[test]
fn a_lock_that_waits() {
    let exclusive = LockFlags::EXCLUSIVE_LOCK;
    let mut pair = Pair::new();
    let (one, two) = (pair.mount(), pair.mount());
    let mine = pair.create_new(one, "f").unwrap();
    let theirs = pair.open(two, "f").unwrap();
    let wait = |pair: &mut Pair| pair.start(two, ops::lock(theirs, 0, 10, exclusive));
    pair.lock(
        one,
        ops::lock(mine, 0, 10, exclusive | LockFlags::FAIL_IMMEDIATELY),
    )
    .unwrap();
    // Cancelled.
    let id = wait(&mut pair);
    assert!(interim(&mut pair, two.end, id));
    pair.client(two.end).cancel(id);
    pair.run();
    assert_eq!(pair.wait(two.end, id).status(), NtStatus::CANCELLED);
    // Granted when the other one unlocks.
    let id = wait(&mut pair);
    assert!(pair.reply(two.end, id).is_none());
    pair.lock(one, ops::lock(mine, 0, 10, LockFlags::UNLOCK))
        .unwrap();
    assert_eq!(pair.wait(two.end, id).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn a_connection_may_break_while_everything_waits() {
    for kept in [
        (|op| matches!(op, VfsOp::Open { .. })) as fn(&VfsOp) -> bool,
        |op| matches!(op, VfsOp::Create { .. }),
        |op| matches!(op, VfsOp::Read { .. } | VfsOp::Write { .. }),
        |op| matches!(op, VfsOp::Close { .. }),
        |op| matches!(op, VfsOp::List { .. }),
        |_| true,
    ] {
        let mut pair = Pair::new();
        pair.fs().write_file("d\\f", b"x").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "d\\f").unwrap();
        let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
        pair.start(tree, ops::notify(dir, CompletionFilter::all(), true));
        pair.hold(kept);
        pair.start(tree, ops::open("d\\f"));
        pair.start(
            tree,
            ops::create("new", msg::create::CreateDisposition::OpenIf),
        );
        pair.start(tree, ops::read(file, 0, 1));
        pair.start(tree, ops::write(file, 0, "y"));
        pair.start(
            tree,
            ops::query_directory(dir, smb_proto::info::FileInfoClass::Names, "*", 4096),
        );
        pair.start(tree, ops::close(file));
        pair.disconnect(tree.end);
        // Only what the backend still does is left.
        assert_eq!(pair.counts().connections, 0);
        assert_eq!(pair.counts().messages, 0);
        pair.finish();
    }
}
