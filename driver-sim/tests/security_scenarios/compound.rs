//! Compounds and the building of answers.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, Part, Sign, Target, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::{Pair, Tree};
use smb_engine::Fault;
use smb_engine::output::CloseReason;
use smb_proto::id::{FileId, SessionId};
use smb_proto::info::{FileInfoClass, SecurityInformation};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{Response, echo, logoff, tree_disconnect};
use smb_proto::{Command, NtStatus};

use crate::bed::S;

const LAST: FileId = FileId::RELATED;

fn statuses(pair: &mut Pair, tree: Tree, parts: Vec<Part>) -> Vec<NtStatus> {
    let replies = pair.call_compound(tree.end, parts);
    replies.iter().map(|r| r.status()).collect()
}

/// CVE-2023-3866, CVE-2023-52442: what is related to an element without session or tree connect has none
/// either ([MS-SMB2] 3.3.5.2.7.2).
#[test]
fn related_to_an_echo_or_a_tree_connect() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let (t, session) = (tree.target, Target::session(tree.target.session));
    for follower in [
        Part::new(t, ops::open("f")),
        Part::new(t, ops::close(LAST)),
        Part::new(t, ops::read(LAST, 0, 1)),
        Part::new(t, tree_disconnect::Request),
        Part::new(t, ops::tree_connect("\\\\SIM\\files")),
        Part::new(t, logoff::Request),
    ] {
        let echo = Part::new(Target::NONE, echo::Request);
        let parts = vec![echo, follower.related()];
        assert_eq!(
            statuses(&mut pair, tree, parts),
            [S::SUCCESS, S::INVALID_PARAMETER]
        );
    }
    let connect = |share: &str| Part::new(session, ops::tree_connect(&format!("\\\\SIM\\{share}")));
    let open = Part::new(t, ops::open("")).related();
    let parts = vec![connect("nowhere"), open.clone()];
    let expected = [S::BAD_NETWORK_NAME, S::INVALID_PARAMETER];
    assert_eq!(statuses(&mut pair, tree, parts), expected);
    // One that has made a tree connect hands it on.
    let parts = vec![connect("files"), open];
    assert_eq!(statuses(&mut pair, tree, parts), [S::SUCCESS, S::SUCCESS]);
    pair.finish();
}

/// CVE-2026-53383: what is related to an element whose session is not authenticated is not carried out,
/// whatever SessionId it shows.
#[test]
fn related_to_a_session_that_is_not_valid() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let end = pair.connect();
    // The first half of a logon.
    pair.pause(end);
    pair.client(end)
        .logon(crate::bed::user(), Default::default());
    pair.deliver(end);
    assert_eq!(pair.counts().sessions, 2);
    let in_progress = SessionId(tree.target.session.0 + 1);
    let _ = pair.client(end).poll_transmit();
    pair.resume(end);
    for session in [in_progress, SessionId(u64::MAX), tree.target.session] {
        let target = Target {
            session,
            ..tree.target
        };
        let replies = pair.call_compound(
            end,
            vec![
                Part::new(target, ops::create("evil", CreateDisposition::Create)),
                Part::new(target, ops::create("evil", CreateDisposition::Create)).related(),
            ],
        );
        let got: Vec<_> = replies.iter().map(|r| r.status()).collect();
        assert_eq!(
            got,
            [S::USER_SESSION_DELETED, S::INVALID_PARAMETER],
            "{session}"
        );
    }
    assert!(!pair.fs().exists("evil"));
    pair.finish();
}

/// CVE-2026-23428: what is related to a TREE_DISCONNECT finds no tree connect.
#[test]
fn related_to_a_tree_disconnect() {
    for related in [true, false] {
        for second in [
            |_| ops::create("evil", CreateDisposition::Create).into(),
            |file| ops::read(file, 0, 1).into(),
            |file| ops::close(file).into(),
            |_| tree_disconnect::Request.into(),
        ] as [fn(FileId) -> smb_proto::msg::Request; 4]
        {
            let mut pair = Pair::new();
            let tree = pair.mount();
            let file = pair.create_new(tree, "f").unwrap();
            let second = Part::new(tree.target, second(file));
            let parts = vec![
                Part::new(tree.target, tree_disconnect::Request),
                if related { second.related() } else { second },
            ];
            let got = statuses(&mut pair, tree, parts);
            assert_eq!(got, [S::SUCCESS, S::NETWORK_NAME_DELETED]);
            assert!(!pair.fs().exists("evil"));
            assert_eq!((pair.counts().trees, pair.counts().opens), (0, 0));
            pair.finish();
        }
    }
}

/// CVE-2026-23220: a wrong signature on one element fails this one; the others are answered, and the
/// message comes to its end.
#[test]
fn bad_mac_in_one_element() {
    for wrong in 0..4 {
        for related in [false, true] {
            let mut pair = Pair::new();
            let end = pair.connect_as(ClientConfig::default().signing());
            let tree = pair.mount_on(end);
            let parts = (0..4)
                .map(|n| {
                    let part = Part::new(tree.target, ops::open("missing"));
                    let sign = if n == wrong { Sign::Wrong } else { Sign::Yes };
                    let part = part.sign(sign);
                    if related && n > 0 {
                        part.related()
                    } else {
                        part
                    }
                })
                .collect();
            let got = statuses(&mut pair, tree, parts);
            for (n, status) in got.iter().enumerate() {
                let expected = match n {
                    _ if n == wrong => S::ACCESS_DENIED,
                    // The one before has no session to hand on.
                    _ if related && n > wrong => S::INVALID_PARAMETER,
                    _ => S::OBJECT_NAME_NOT_FOUND,
                };
                assert_eq!(*status, expected, "{wrong} {related} {n}");
            }
            pair.finish();
        }
    }
}

/// CVE-2026-31432, CVE-2026-31433, CVE-2026-31478: READs that fill the message, and more behind them: no
/// message is longer than MaxTransactSize and 256 bytes ([MS-SMB2] 3.3.4.1.3), and every element gets
/// what it asked for.
#[test]
fn read_that_fills_the_answer_and_queries_behind_it() {
    for (size, protect) in [
        (1u32 << 17, std::convert::identity as fn(ClientConfig) -> _),
        (1 << 17, ClientConfig::signing),
        (1 << 17, ClientConfig::encrypting),
        // Three of them do not fit into any frame.
        (8 << 20, std::convert::identity),
    ] {
        let mut pair = Pair::builder()
            .config(|c| {
                c.limits.max_transact = size;
                c.limits.max_read = size;
                c.limits.max_write = size;
            })
            .build();
        let config = ClientConfig {
            credits: 512,
            ..ClientConfig::default()
        };
        let end = pair.connect_as(protect(config));
        let tree = pair.mount_on(end);
        let t = tree.target;
        let file = pair.create_new(tree, "f").unwrap();
        let dir = pair.create(tree, ops::open_dir("")).unwrap().file_id;
        pair.write(tree, file, 0, vec![7; size as usize]).unwrap();
        let mut security = ops::query_security(file, SecurityInformation::DACL);
        security.output_buffer_length = size;
        let parts = vec![
            Part::new(t, ops::read(file, 0, size)),
            Part::new(t, security),
            Part::new(t, ops::query_file(file, FileInfoClass::All)),
            Part::new(
                t,
                ops::query_directory(dir, FileInfoClass::Names, "*", size),
            ),
            Part::new(t, ops::read(file, 0, size)),
            Part::new(t, ops::read(file, 0, size)),
            Part::new(t, ops::read(file, 1, 10)),
        ];
        let replies = pair.call_compound(end, parts);
        for (n, reply) in replies.iter().enumerate() {
            assert_eq!(reply.status(), S::SUCCESS, "{n}");
            if let (Response::Read(read), true) = (&reply.body, n != 6) {
                assert_eq!(read.data.len(), size as usize);
            }
        }
        // The prefix and the transform header are no part of the response.
        let most = size as usize + 256 + 4 + 52;
        assert!(pair.largest_message() <= most, "{}", pair.largest_message());
        pair.finish();
    }
}

/// CVE-2023-1193, CVE-2024-57925, CVE-2025-21967: requests that wait, at the limit of their number, while
/// they are cancelled, their handle closed, and the connection lost: each is answered once, as long as
/// there is somebody to answer.
#[test]
fn requests_that_wait_at_the_limit_of_their_number() {
    const ENDS: &[NtStatus] = &[
        S::INSUFFICIENT_RESOURCES,
        S::CANCELLED,
        S::NOTIFY_CLEANUP,
        S::FILE_CLOSED,
    ];
    let world = || {
        let pair = Pair::builder().config(|c| c.limits.max_async_per_connection = 1);
        let mut bed = Bed::new(pair.build(), 1);
        bed.create(0, ops::make_dir("d"));
        bed
    };
    let notify = |name| {
        Act::request(0, name, ENDS, |bed| {
            ops::notify(bed.file(0, 0), CompletionFilter::all(), true).into()
        })
    };
    let close =
        |allowed| Act::request(0, "close", allowed, |bed| ops::close(bed.file(0, 0)).into());
    let actors = [
        vec![notify("first"), Act::cancel("first")],
        vec![
            notify("second"),
            Act::cancel("second"),
            Act::cancel("second"),
        ],
        vec![close(&[S::SUCCESS])],
        vec![Act::disconnect(0)],
    ];
    let explored = explore(world, &actors, |_| {});
    assert_eq!(explored.orders, 420);
    explored.assert_seen("first", ENDS);
}

/// ZDI's reports on ksmbd's lookup of keys: an encrypted message for a session without keys, or one of
/// another connection, ends the connection ([MS-SMB2] 3.3.5.2.1.1).
#[test]
fn encrypted_for_a_session_without_keys() {
    let mut pair = Pair::new();
    let victim = pair.connect_as(ClientConfig::default().encrypting());
    let tree = pair.mount_on(victim);
    for session in [0, 1, tree.target.session.0, u64::MAX] {
        let end = pair.connect_as(ClientConfig::default().seed(99));
        pair.mount_on(end);
        let header = smb_proto::transform::TransformHeader {
            signature: [1; 16],
            nonce: [2; 16],
            original_message_size: 200,
            flags: smb_proto::transform::TransformHeader::ENCRYPTED,
            session_id: SessionId(session),
        };
        let mut w = smb_proto::wire::Writer::new();
        header.encode(&mut w);
        w.bytes(&[3; 200]);
        pair.client(end).send_frame(w.written());
        pair.run();
        let expected = CloseReason::Fault(Fault::Decrypt(SessionId(session)));
        assert_eq!(pair.close_reason(end), Some(&expected));
    }
    assert_eq!(pair.call(tree, echo::Request).status(), S::SUCCESS);
    pair.finish();
}

/// ZDI's report on a READ in a compound whose answer was missing: every element is answered, also those
/// that cannot be what they claim.
#[test]
fn every_element_is_answered() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let t = tree.target;
    let raw = |command: Command| Part::raw(t, command.into(), Bytes::from_static(&[0; 3]));
    let parts = vec![
        Part::new(t, ops::read(LAST, 0, 10)),
        raw(Command::Read),
        Part::new(t, ops::read(LAST, 0, 10)).related(),
        raw(Command::SessionSetup),
        raw(Command::Create).related(),
        Part::new(t, ops::read(LAST, 0, 10)).related(),
    ];
    let got = statuses(&mut pair, tree, parts);
    assert!(got.iter().all(|s| s.is_error()), "{got:?}");
    pair.finish();
}
