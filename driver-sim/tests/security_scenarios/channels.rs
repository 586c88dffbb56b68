//! Several connections of one session.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, ClientFault, Credentials, Part, Sign, Target, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Tree;
use smb_engine::config::MapToGuest;
use smb_engine::vfs::VfsOp;
use smb_proto::header::HeaderFlags;
use smb_proto::id::SessionId;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::session_setup::{self, SetupFlags};
use smb_proto::msg::{echo, logoff};
use smb_proto::{Command, NtStatus};

use crate::bed::{
    S, binding, channel, channels_bed, first_channel, many_channels, other, user, wrong,
};

const LATE: &[NtStatus] = &[S::SUCCESS, S::USER_SESSION_DELETED];

/// CVE-2025-22040, CVE-2025-22041, CVE-2026-23226, CVE-2023-32258: a second channel is bound while the
/// first connection breaks: the session lives as long as it has a channel, and a binding to one that has
/// ended is told so.
#[test]
fn binding_beside_the_end_of_the_first_channel() {
    let world = || {
        let mut pair = many_channels().build();
        let (tree, second) = first_channel(&mut pair);
        let mut bed = Bed::of(
            pair,
            [
                tree,
                Tree {
                    end: second,
                    ..tree
                },
            ],
        );
        bed.create(0, ops::make_dir("d"));
        bed.pair.hold_lookups();
        bed.pair.pause(second);
        bed
    };
    let actors = [
        vec![
            Act::new("bind", |bed| {
                // The key is known to the client, whatever has become of the connection.
                let tree = bed.tree(0);
                if bed
                    .pair
                    .client(tree.end)
                    .export(tree.target.session)
                    .is_some()
                {
                    let purpose = binding(&mut bed.pair, tree);
                    bed.log_on(1, "bind", LATE, user(), purpose);
                }
            }),
            Act::deliver(1),
            Act::deliver(1),
        ],
        vec![Act::complete()],
        vec![Act::disconnect(0)],
        vec![Act::request(0, "open", &[S::SUCCESS], |_| {
            ops::open_dir("d").into()
        })],
    ];
    let explored = explore(world, &actors, |bed| {
        let lives = bed.answer("bind") == Some(S::SUCCESS);
        assert_eq!(bed.pair.counts().sessions, usize::from(lives));
        if lives {
            let tree = bed.tree(1);
            let reply = bed.pair.call(tree, ops::open_dir("d"));
            assert!(reply.signed && reply.status() == S::SUCCESS);
        }
    });
    assert_eq!(explored.orders, 120);
    explored.assert_seen("bind", LATE);
}

/// CVE-2024-50283, CVE-2023-32258: CLOSE on one channel, LOGOFF on the other, while the backend takes its
/// time.
#[test]
fn close_beside_logoff() {
    const ENDS: &[NtStatus] = &[S::SUCCESS, S::USER_SESSION_DELETED, S::FILE_CLOSED];
    let world = || {
        let mut bed = channels_bed(many_channels());
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.pair
            .hold(|op| matches!(op, VfsOp::Close { .. } | VfsOp::Read { .. }));
        bed
    };
    let actors = [
        vec![Act::request(0, "close", ENDS, |bed| {
            ops::close(bed.file(0, 0)).into()
        })],
        vec![Act::request(
            1,
            "read",
            &[
                S::SUCCESS,
                S::END_OF_FILE,
                S::USER_SESSION_DELETED,
                S::FILE_CLOSED,
            ],
            |bed| ops::read(bed.file(0, 0), 0, 1).into(),
        )],
        vec![Act::part(1, "logoff", LATE, |bed| {
            Part::new(Target::session(bed.tree(1).target.session), logoff::Request)
        })],
        vec![Act::complete(), Act::complete()],
        vec![Act::disconnect(0)],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.fs().open_handles(), 0);
    });
    assert_eq!(explored.orders, 360);
    explored.assert_seen("close", &[S::SUCCESS, S::USER_SESSION_DELETED]);
}

/// CVE-2024-46795, CVE-2026-31409, CVE-2026-52911: a binding that failed, or was only begun, opens no way
/// into the session; the connection is as good as before for a session of its own.
#[test]
fn failed_binding_leaves_no_way_in() {
    let mut pair = many_channels().build();
    let (tree, second) = first_channel(&mut pair);
    let file = pair.create_new(tree, "f").unwrap();
    let victim = tree.target;
    for credentials in [wrong(), other(), Credentials::new("nobody", "x")] {
        let purpose = binding(&mut pair, tree);
        let failed = pair.logon_for(second, credentials, purpose);
        assert!(failed.is_err());
        for request in [
            ops::read(file, 0, 1).into(),
            ops::open("f").into(),
            ops::tree_connect("\\\\SIM\\files").into(),
            logoff::Request.into(),
        ] as [smb_proto::msg::Request; 4]
        {
            let status = pair.call_end(second, victim, request).status();
            assert_eq!(status, S::USER_SESSION_DELETED);
        }
    }
    // Begun, and then used as if it were done.
    pair.pause(second);
    let purpose = binding(&mut pair, tree);
    pair.client(second).logon(user(), purpose);
    pair.deliver(second);
    while pair.client(second).poll_transmit().is_some() {}
    pair.resume(second);
    let begun = pair.call_end(second, victim, ops::open("f"));
    assert_eq!(begun.status(), S::USER_SESSION_DELETED);
    let own = pair.mount_on(second);
    assert_ne!(own.target.session, victim.session);
    assert_eq!(pair.open(own, "f").map(|_| ()), Ok(()));
    let reply = pair.call_end(second, victim, ops::open("f"));
    assert_eq!(reply.status(), S::USER_SESSION_DELETED);
    assert_eq!(pair.call(tree, echo::Request).status(), S::SUCCESS);
    pair.finish();
}

/// CVE-2026-31476, CVE-2026-64389: whatever fails in binding to a victim's session, what the victim gets
/// afterwards is the same, byte for byte, as if nobody had tried: state and keys are untouched.
#[test]
fn binding_with_a_wrong_proof_changes_nothing() {
    let victim_sees = |attacks: bool| {
        let mut pair = many_channels().build();
        let (tree, second) = first_channel(&mut pair);
        let file = pair.create_new(tree, "f").unwrap();
        if attacks {
            for credentials in [wrong(), other()] {
                let purpose = binding(&mut pair, tree);
                let status = pair.logon_for(second, credentials, purpose).unwrap_err();
                assert!([S::LOGON_FAILURE, S::ACCESS_DENIED].contains(&status));
            }
            // Without the session's key: not signed, or signed wrongly. The refusal is not signed
            // either: who cannot sign gets nothing that is.
            for (sign, expected) in [
                (Sign::No, S::INVALID_PARAMETER),
                (Sign::Wrong, S::ACCESS_DENIED),
            ] {
                let end = pair.connect_as(channel(3));
                let request = session_setup::Request {
                    flags: SetupFlags::BINDING,
                    ..setup()
                };
                // The client knows the key; its own request for it is lost.
                let purpose = binding(&mut pair, tree);
                pair.pause(end);
                pair.client(end).logon(user(), purpose);
                while pair.client(end).poll_transmit().is_some() {}
                pair.resume(end);
                let next = pair.client(end).next_message_id().0;
                let target = Target::session(tree.target.session);
                let part = Part::new(target, request).sign(sign);
                let id = pair.client(end).send_part(part.message_id(next - 1));
                pair.run();
                let answered = pair.reply(end, id).map(|r| r.status());
                let fault = pair.fault(end).cloned();
                let unsigned = fault.map(|fault| match fault {
                    ClientFault::NotSigned(_, status) => status,
                    other => panic!("{other}"),
                });
                assert_eq!(answered.or(unsigned), Some(expected), "{sign:?}");
            }
        }
        let replies = [
            pair.call(tree, ops::write(file, 0, "data")),
            pair.call(tree, ops::read(file, 0, 4)),
            pair.call(tree, ops::close(file)),
        ];
        let seen = replies.map(|reply| {
            assert!(reply.signed);
            (reply.status(), reply.raw)
        });
        pair.finish();
        seen
    };
    assert_eq!(victim_sees(true), victim_sees(false));
}

fn setup() -> session_setup::Request {
    session_setup::Request {
        flags: SetupFlags::empty(),
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: GlobalCapabilities::empty(),
        previous_session_id: SessionId(0),
        security_buffer: Bytes::from_static(&[0; 40]),
    }
}

/// CVE-2023-32249: a session of a guest has no key, so that nobody can be shown to own it: it is not
/// bound ([MS-SMB2] 3.3.5.5 step 4, STATUS_NOT_SUPPORTED).
#[test]
fn binding_to_the_session_of_a_guest() {
    for credentials in [Credentials::new("stranger", "x"), Credentials::anonymous()] {
        let mut pair = many_channels()
            .config(|c| c.map_to_guest = MapToGuest::BadUser)
            .build();
        let config = |seed| ClientConfig {
            sign: false,
            security_mode: SecurityMode::SIGNING_ENABLED,
            ..channel(seed)
        };
        let first = pair.connect_as(config(1));
        let session = pair.logon(first, credentials).unwrap();
        let second = pair.connect_as(config(2));
        let request = session_setup::Request {
            flags: SetupFlags::BINDING,
            ..setup()
        };
        // Claims to be signed.
        pair.pause(second);
        let id = pair.client(second).send(Target::session(session), request);
        let mut frame = pair.client(second).poll_transmit().unwrap().to_vec();
        frame[4 + 16] |= HeaderFlags::SIGNED.bits() as u8;
        pair.client(second).send_bytes(frame);
        pair.resume(second);
        let status = pair.wait(second, id).status();
        assert_eq!(status, S::NOT_SUPPORTED);
        let echo = pair.call_end(first, Target::session(session), echo::Request);
        assert_eq!(echo.status(), S::SUCCESS);
        pair.finish();
    }
}

/// CVE-2026-64390: a lock that was taken on the second channel for a handle of the first belongs to the
/// handle: it goes with it, and not with the channel.
#[test]
fn lock_on_a_second_channel_belongs_to_the_open() {
    const ENDS: &[NtStatus] = &[S::SUCCESS, S::FILE_CLOSED, S::USER_SESSION_DELETED];
    let world = || {
        let mut pair = many_channels().build();
        let [one, two] = crate::bed::two_channels(&mut pair);
        let third = pair.mount();
        let mut bed = Bed::of(pair, [one, two, third]);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.open(2, "f");
        bed
    };
    let exclusive = LockFlags::EXCLUSIVE_LOCK;
    let actors = [
        vec![
            Act::request(1, "lock", ENDS, move |bed| {
                ops::lock(
                    bed.file(0, 0),
                    0,
                    1,
                    exclusive | LockFlags::FAIL_IMMEDIATELY,
                )
                .into()
            }),
            Act::disconnect(1),
        ],
        vec![Act::request(0, "close", &[S::SUCCESS], |bed| {
            ops::close(bed.file(0, 0)).into()
        })],
        vec![Act::request(
            2,
            "write",
            &[S::SUCCESS, S::FILE_LOCK_CONFLICT],
            |bed| ops::write(bed.file(2, 0), 0, "x").into(),
        )],
    ];
    let explored = explore(world, &actors, |bed| {
        // The handle has gone, whatever came first: nothing is locked any more.
        let (tree, file) = (bed.tree(2), bed.file(2, 0));
        assert_eq!(bed.pair.write(tree, file, 0, "x"), Ok(1));
        assert_eq!(bed.pair.counts().sessions, 2);
    });
    assert_eq!(explored.orders, 12);
    explored.assert_seen("write", &[S::SUCCESS, S::FILE_LOCK_CONFLICT]);
    explored.assert_seen("lock", &[S::SUCCESS, S::FILE_CLOSED]);
}

/// A message id is a connection's own: CANCEL on one channel does not reach what waits on the other.
#[test]
fn cancel_does_not_cross_channels() {
    let mut pair = many_channels().build();
    let [one, two] = crate::bed::two_channels(&mut pair);
    let dir = pair.create(one, ops::make_dir("d")).unwrap().file_id;
    let filter = smb_proto::msg::change_notify::CompletionFilter::all();
    let id = pair.start(one, ops::notify(dir, filter, false));
    let part = Part::raw(
        two.target,
        Command::Cancel.into(),
        Bytes::from_static(&[4, 0, 0, 0]),
    );
    pair.client(two.end).send_part(part.message_id(id.0));
    pair.run();
    assert!(pair.reply(one.end, id).is_none());
    pair.client(one.end).cancel(id);
    pair.run();
    assert_eq!(pair.wait(one.end, id).status(), S::CANCELLED);
    pair.finish();
}
