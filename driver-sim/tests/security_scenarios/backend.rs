//! Answers of whoever the engine asks.

use bytes::Bytes;
use driver_sim::client::{LogonFor, ops};
use driver_sim::pair::Pair;
use smb_engine::event::Event;
use smb_engine::output::Completion;
use smb_engine::vfs::{Payload, VfsError, VfsOp, VfsReply};
use smb_proto::info::{FileInfoClass, SecurityInformation};
use smb_proto::msg::Request;
use smb_proto::msg::create::CreateDisposition;

use crate::bed::{S, user};

/// Answers of every kind that name nothing, for questions of every kind.
fn answers() -> Vec<Completion> {
    let replies = [
        VfsReply::Done,
        VfsReply::Data(Payload::zeroed(0)),
        VfsReply::Data(Payload::zeroed(1 << 20)),
        VfsReply::Written(u64::MAX),
        VfsReply::Streams(Vec::new()),
        VfsReply::Eas(Vec::new()),
        VfsReply::Ranges(Vec::new()),
        VfsReply::Security(smb_proto::dtyp::SecurityDescriptor::default()),
    ];
    let mut all: Vec<_> = replies.map(|r| Completion::Vfs(Ok(r))).into();
    all.push(Completion::Vfs(Err(VfsError::Io)));
    all.push(Completion::Account(None));
    all.push(Completion::Accounts(Vec::new()));
    all
}

/// CVE-2024-26608, CVE-2024-26811, CVE-2025-21748, CVE-2025-21947, CVE-2025-40084, CVE-2025-68263,
/// CVE-2026-31707: the backend or the account database answers with something that belongs to another
/// question, with more than was asked for, twice, or when nobody waits any more: an answer is believed only
/// where it fits, and one that nobody waits for is dropped.
#[test]
fn answers_that_are_late_or_of_another_kind() {
    let questions: [fn(smb_proto::id::FileId) -> Request; 7] = [
        |file| ops::read(file, 0, 4).into(),
        |file| ops::write(file, 0, Bytes::from_static(b"data")).into(),
        |file| ops::flush(file).into(),
        |file| ops::query_file(file, FileInfoClass::All).into(),
        |file| ops::query_file(file, FileInfoClass::Stream).into(),
        |file| ops::query_security(file, SecurityInformation::DACL).into(),
        |file| ops::set_file(file, FileInfoClass::EndOfFile, vec![0; 8]).into(),
    ];
    for question in questions {
        for answer in answers() {
            let mut pair = Pair::new();
            let tree = pair.mount();
            let file = pair.create_new(tree, "f").unwrap();
            pair.write(tree, file, 0, "data").unwrap();
            pair.hold(|op| !matches!(op, VfsOp::Close { .. }));
            let id = pair.start(tree, question(file));
            let token = pair.held_requests().next().map(|r| r.token).unwrap();
            pair.complete(token, answer.clone());
            // It was taken, refused, or led to the next question; the same again is late.
            pair.events();
            pair.complete(token, answer.clone());
            assert!(pair.events().contains(&Event::Stale), "{answer:?}");
            // The real answer comes after all.
            pair.release();
            let reply = pair.wait(tree.end, id);
            if let smb_proto::msg::Response::Read(read) = &reply.body {
                assert!(read.data.len() <= 4);
            }
            pair.close(tree, file).unwrap();
            pair.finish();
        }
    }
}

/// The same for the account database: an answer about files proves nobody.
#[test]
fn logon_answered_with_something_else() {
    for answer in answers() {
        if matches!(answer, Completion::Account(_)) {
            continue;
        }
        let mut pair = Pair::new();
        let tree = pair.mount();
        let file = pair
            .create(tree, ops::create("f", CreateDisposition::Create))
            .unwrap()
            .file_id;
        let end = pair.connect();
        pair.hold_lookups();
        let logon = pair.client(end).logon(user(), LogonFor::New);
        pair.run();
        let token = pair.held_lookups().next().unwrap();
        pair.complete(token, answer.clone());
        let outcome = pair.logon_outcome(end, logon);
        assert_eq!(outcome, Err(S::LOGON_FAILURE), "{answer:?}");
        assert_eq!(pair.counts().sessions, 1);
        pair.release();
        assert_eq!(pair.counts().sessions, 1);
        pair.close(tree, file).unwrap();
        pair.finish();
    }
}
