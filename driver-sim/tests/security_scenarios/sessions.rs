//! Sessions: setting them up, proving again, replacing, logging off.

use std::time::Duration;

use driver_sim::client::{ClientConfig, LogonFor, Part, Target, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Pair;
use smb_engine::Fault;
use smb_engine::output::CloseReason;
use smb_engine::vfs::VfsOp;
use smb_proto::id::SessionId;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{echo, logoff};
use smb_proto::{Dialect, NtStatus};

use crate::bed::{S, channels_bed, many_channels, other, seat, user, wrong};

/// CVE-2023-32247, CVE-2024-50284: logons that are begun and never finished are bounded in number, on
/// each connection and in all, and in time.
#[test]
fn session_setups_without_end() {
    let mut pair = Pair::builder()
        .config(|c| {
            c.limits.max_pending_logons = 4;
            c.limits.max_sessions = 10;
        })
        .build();
    let begin = |pair: &mut Pair, end, count: usize| {
        // Each first half goes out, the second one is lost.
        for _ in 0..count {
            pair.pause(end);
            pair.client(end).logon(user(), LogonFor::New);
            pair.deliver(end);
            while pair.client(end).poll_transmit().is_some() {}
            pair.resume(end);
        }
    };
    let mut ends = Vec::new();
    for in_all in [4, 8, 10, 10] {
        let end = pair.connect();
        begin(&mut pair, end, 20);
        assert_eq!(pair.counts().sessions, in_all);
        ends.push(end);
    }
    let refused = pair.logon(ends[0], user());
    assert_eq!(refused, Err(S::INSUFFICIENT_RESOURCES));
    // Nobody has proven anything in time.
    pair.advance(Duration::from_secs(31));
    for end in ends {
        let expected = CloseReason::Fault(Fault::LogonTimeout);
        assert_eq!(pair.close_reason(end), Some(&expected));
    }
    assert_eq!(pair.counts(), smb_engine::Counts::default());
    pair.mount();
    pair.finish();
}

/// CVE-2023-32250, CVE-2023-32252, CVE-2023-32257, CVE-2023-52480, CVE-2024-50286, CVE-2024-58087,
/// CVE-2024-50086, CVE-2025-37899: proving again on one channel, logging off on the other, and the end
/// of the authentication, in every order: one of them is first, and who comes too late is told so.
#[test]
fn setup_logoff_and_expiry_on_two_channels() {
    let world = || {
        let mut bed = channels_bed(many_channels().config(|c| {
            c.limits.session_lifetime = Duration::from_secs(10);
        }));
        bed.create(0, ops::make_dir("d"));
        bed.pair.hold_lookups();
        bed.pair.pause(bed.tree(0).end);
        bed
    };
    let actors = [
        vec![
            Act::new("again", |bed| {
                let again = LogonFor::Again(bed.tree(0).target.session);
                bed.log_on(
                    0,
                    "again",
                    &[S::SUCCESS, S::USER_SESSION_DELETED],
                    user(),
                    again,
                );
            }),
            Act::deliver(0),
            Act::deliver(0),
            Act::complete(),
        ],
        vec![
            Act::request(1, "open", &[S::SUCCESS, S::NETWORK_SESSION_EXPIRED], |_| {
                ops::open_dir("d").into()
            }),
            Act::part(1, "logoff", &[S::SUCCESS], |bed| {
                Part::new(Target::session(bed.tree(1).target.session), logoff::Request)
            }),
        ],
        vec![Act::wait(Duration::from_secs(11))],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().sessions, 0);
    });
    assert_eq!(explored.orders, 105);
    explored.assert_seen("again", &[S::SUCCESS, S::USER_SESSION_DELETED]);
    explored.assert_seen("open", &[S::SUCCESS, S::NETWORK_SESSION_EXPIRED]);
}

/// CVE-2023-32250: two that log off, and one who works, on two channels.
#[test]
fn logoff_on_both_channels_beside_work() {
    const LATE: &[NtStatus] = &[S::SUCCESS, S::USER_SESSION_DELETED];
    let world = || {
        let mut bed = channels_bed(many_channels());
        bed.create(0, ops::make_dir("d"));
        bed.pair.hold(|op| matches!(op, VfsOp::Close { .. }));
        bed
    };
    let logoff = |seat, name| {
        Act::part(seat, name, LATE, move |bed| {
            Part::new(
                Target::session(bed.tree(seat).target.session),
                logoff::Request,
            )
        })
    };
    let actors = [
        vec![logoff(0, "first")],
        vec![logoff(1, "second")],
        vec![
            Act::request(0, "open", LATE, |_| ops::open_dir("d").into()),
            Act::request(1, "echo", LATE, |_| echo::Request.into()),
        ],
        vec![Act::complete(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().sessions, 0);
        assert_eq!(bed.pair.fs().open_handles(), 0);
    });
    for name in ["first", "second", "open", "echo"] {
        explored.assert_seen(name, LATE);
    }
}

/// CVE-2025-38561, CVE-2025-38562: two logons at once on one connection: each has its own
/// pre-authentication hash, which the client checks by the signature of the last answer.
#[test]
fn parallel_session_setups_do_not_mix_their_hashes() {
    let world = || {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(Dialect::Smb311).signing());
        pair.pause(end);
        pair.hold_lookups();
        Bed::of(pair, [seat(end)])
    };
    let logon = |name: &'static str, credentials: fn() -> _| {
        Act::new(name, move |bed: &mut Bed| {
            bed.log_on(0, name, &[S::SUCCESS], credentials(), LogonFor::New);
        })
    };
    let actors = [
        vec![logon("one", user)],
        vec![logon("two", other)],
        vec![
            Act::deliver(0),
            Act::deliver(0),
            Act::deliver(0),
            Act::deliver(0),
        ],
        vec![Act::complete_newest(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().sessions, 2);
    });
    assert_eq!(explored.orders, 840);
}

/// CVE-2025-37778, CVE-2025-37924: while a logon waits for the account, its next step is refused; and a
/// repeated proof that fails ends the session with all it has open ([MS-SMB2] 3.3.5.5.3: "the server
/// MUST remove the session object"), rather than letting it go on half-changed.
#[test]
fn reauthentication_that_fails_or_overlaps() {
    let world = || {
        let mut bed = Bed::new(Pair::new(), 1);
        bed.create(0, ops::make_dir("d"));
        bed.pair.hold_lookups();
        bed.pair.pause(bed.tree(0).end);
        bed
    };
    const LATE: &[NtStatus] = &[
        S::SUCCESS,
        S::LOGON_FAILURE,
        S::USER_SESSION_DELETED,
        S::REQUEST_NOT_ACCEPTED,
        S::INVALID_PARAMETER,
    ];
    let again = |name: &'static str, credentials: fn() -> _| {
        Act::new(name, move |bed: &mut Bed| {
            let purpose = LogonFor::Again(bed.tree(0).target.session);
            bed.log_on(0, name, LATE, credentials(), purpose);
        })
    };
    let deliver = || Act::deliver(0);
    let actors = [
        vec![again("bad", wrong)],
        vec![again("good", user)],
        vec![deliver(), deliver(), deliver(), deliver()],
        vec![Act::complete(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        // A session is there with its one identity, or it is not there at all.
        let left = bed.pair.counts();
        assert_eq!(left.sessions, left.opens);
        let tree = bed.tree(0);
        let status = bed.pair.call(tree, ops::open_dir("d")).status();
        let expected = match left.sessions {
            0 => S::USER_SESSION_DELETED,
            _ => S::SUCCESS,
        };
        assert_eq!(status, expected);
    });
    assert_eq!(explored.orders, 840);
    let overlapping = [
        S::INVALID_PARAMETER,
        S::REQUEST_NOT_ACCEPTED,
        S::USER_SESSION_DELETED,
    ];
    let with = |status| [overlapping.as_slice(), &[status]].concat();
    explored.assert_seen("good", &with(S::SUCCESS));
    explored.assert_seen("bad", &with(S::LOGON_FAILURE));
}

/// CVE-2026-68130, CVE-2025-38191, ZDI-25040: who names another's session as its previous one ends it
/// only by proving to be the same user; not by beginning, not by failing, not as somebody else.
#[test]
fn previous_session_id_of_a_victim() {
    const REFUSED: &[NtStatus] = &[S::LOGON_FAILURE, S::SUCCESS];
    let world = || {
        let mut pair = Pair::new();
        let victim = pair.mount();
        let end = pair.connect();
        let mut bed = Bed::of(pair, [victim, seat(end)]);
        bed.create(0, ops::make_dir("d"));
        bed.pair.pause(end);
        bed.pair.hold_lookups();
        bed
    };
    let replace = |name: &'static str, credentials: fn() -> _| {
        Act::new(name, move |bed: &mut Bed| {
            let purpose = LogonFor::Replacing(bed.tree(0).target.session);
            bed.log_on(1, name, REFUSED, credentials(), purpose);
        })
    };
    let work = |name| Act::request(0, name, &[S::SUCCESS], |_| ops::open_dir("d").into());
    for credentials in [wrong, other] {
        let attacker = vec![
            replace("attack", credentials),
            Act::deliver(1),
            Act::deliver(1),
            Act::complete(),
        ];
        let victim = vec![work("one"), work("two"), work("three")];
        let explored = explore(world, &[attacker, victim], |bed| {
            let tree = bed.tree(0);
            let echo = bed.pair.call(tree, echo::Request);
            assert_eq!(echo.status(), S::SUCCESS);
        });
        assert_eq!(explored.orders, 35);
    }
    // The same user, twice at once: the old session ends with the first proof, and not before.
    let world = || {
        let mut pair = Pair::new();
        let old = pair.mount();
        let ends = [pair.connect(), pair.connect()];
        let mut bed = Bed::of(pair, [old, seat(ends[0]), seat(ends[1])]);
        bed.create(0, ops::make_dir("d"));
        bed.pair.pause(ends[0]);
        bed.pair.pause(ends[1]);
        bed
    };
    let replace = |seat: usize, name: &'static str| {
        Act::new(name, move |bed: &mut Bed| {
            let purpose = LogonFor::Replacing(bed.tree(0).target.session);
            bed.log_on(seat, name, &[S::SUCCESS], user(), purpose);
            bed.pair.deliver(bed.tree(seat).end);
        })
    };
    let actors = [
        vec![replace(1, "one"), Act::deliver(1)],
        vec![replace(2, "two"), Act::deliver(2)],
        vec![Act::request(
            0,
            "work",
            &[S::SUCCESS, S::USER_SESSION_DELETED],
            |_| ops::open_dir("d").into(),
        )],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().sessions, 2);
    });
    explored.assert_seen("work", &[S::SUCCESS, S::USER_SESSION_DELETED]);
}

/// CVE-2025-71150, CVE-2025-40285: looking for sessions that are not valid, or not there, a thousand
/// times, holds nothing.
#[test]
fn lookups_of_sessions_that_are_not_valid() {
    let mut pair = Pair::new();
    let end = pair.connect();
    pair.pause(end);
    pair.client(end).logon(user(), LogonFor::New);
    pair.deliver(end);
    while pair.client(end).poll_transmit().is_some() {}
    pair.resume(end);
    let before = pair.counts();
    assert_eq!(before.sessions, 1);
    for session in (0..3)
        .chain([u64::MAX, 1 << 32])
        .map(SessionId)
        .cycle()
        .take(1000)
    {
        let target = Target::session(session);
        for request in [
            ops::tree_connect("\\\\SIM\\files").into(),
            logoff::Request.into(),
            ops::open("f").into(),
        ] as [smb_proto::msg::Request; 3]
        {
            let status = pair.call_end(end, target, request).status();
            assert_eq!(status, S::USER_SESSION_DELETED, "{session}");
        }
    }
    assert_eq!(pair.counts(), before);
    pair.finish();
}

/// CVE-2024-26592, CVE-2024-49988, CVE-2024-53186, CVE-2025-21955, CVE-2025-22074, CVE-2025-37777,
/// CVE-2025-38325, CVE-2026-68381, CVE-2026-53271: the connection breaks, or the session ends, while
/// requests run in the backend and wait for others; teardown comes to its end, and who waited for what
/// was held gets it.
#[test]
fn disconnect_or_logoff_while_requests_run_and_wait() {
    const GONE: &[NtStatus] = &[
        S::SUCCESS,
        S::USER_SESSION_DELETED,
        S::NETWORK_NAME_DELETED,
        S::FILE_CLOSED,
        S::RANGE_NOT_LOCKED,
        S::NOTIFY_CLEANUP,
        S::CANCELLED,
    ];
    let world = || {
        let mut bed = Bed::new(Pair::new(), 2);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.create(0, ops::make_dir("d"));
        bed.open(1, "f");
        let tree = bed.tree(0);
        let held = ops::lock(bed.file(0, 0), 0, 1, LockFlags::EXCLUSIVE_LOCK);
        bed.pair.lock(tree, held).unwrap();
        bed.pair.hold(|op| {
            matches!(
                op,
                VfsOp::Write { .. } | VfsOp::Open { .. } | VfsOp::Close { .. }
            )
        });
        bed
    };
    let leave = [Act::disconnect as fn(usize) -> Act, |seat| {
        Act::part(seat, "logoff", GONE, move |bed| {
            Part::new(
                Target::session(bed.tree(seat).target.session),
                logoff::Request,
            )
        })
    }];
    for leave in leave {
        let actors = [
            vec![
                Act::request(0, "write", GONE, |bed| {
                    ops::write(bed.file(0, 0), 0, "x").into()
                }),
                Act::request(0, "notify", GONE, |bed| {
                    ops::notify(bed.file(0, 1), CompletionFilter::all(), true).into()
                }),
            ],
            vec![leave(0)],
            vec![Act::request(1, "lock", &[S::SUCCESS], |bed| {
                ops::lock(bed.file(1, 0), 0, 1, LockFlags::EXCLUSIVE_LOCK).into()
            })],
            vec![Act::complete(), Act::complete()],
        ];
        let explored = explore(world, &actors, |bed| {
            assert_eq!(bed.answer("lock"), Some(S::SUCCESS));
            assert_eq!(bed.pair.counts().opens, 1);
        });
        assert_eq!(explored.orders, 180);
    }
}

/// What a client asks for as it connects and is cut off at once holds nothing either: every number of
/// steps of a logon, then the end.
#[test]
fn disconnect_after_every_step_of_a_logon() {
    for steps in 0..8 {
        for hold in [false, true] {
            let mut pair = Pair::new();
            if hold {
                pair.hold_lookups();
            }
            let end = pair.accept(ClientConfig::default());
            pair.pause(end);
            pair.client(end).negotiate();
            for step in 0..steps {
                if step == 1 {
                    pair.client(end).logon(user(), LogonFor::New);
                }
                if step == 4 && !hold {
                    let session = SessionId(1);
                    pair.client(end).send(
                        Target::session(session),
                        ops::tree_connect("\\\\SIM\\files"),
                    );
                }
                pair.deliver(end);
            }
            pair.disconnect(end);
            assert_eq!(pair.counts().connections, 0);
            pair.finish();
        }
    }
}

/// A session that ends while its encrypted requests run: they are answered, encrypted, before the answer
/// to the LOGOFF; the connection and the other session on it live on.
#[test]
fn logoff_while_encrypted_requests_run() {
    const ENDS: &[NtStatus] = &[S::SUCCESS, S::USER_SESSION_DELETED, S::FILE_CLOSED];
    let world = || {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::default().encrypting());
        let [one, two] = [(); 2].map(|()| pair.mount_on(end));
        let mut bed = Bed::of(pair, [one, two]);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.create(1, ops::make_dir("d"));
        bed.pair
            .hold(|op| matches!(op, VfsOp::Write { .. } | VfsOp::Open { .. }));
        bed
    };
    let actors = [
        // Who has logged off sends nothing more.
        vec![
            Act::request(0, "write", ENDS, |bed| {
                ops::write(bed.file(0, 0), 0, "x").into()
            }),
            Act::request(0, "open", ENDS, |_| ops::open("f").into()),
            Act::part(0, "logoff", &[S::SUCCESS], |bed| {
                Part::new(Target::session(bed.tree(0).target.session), logoff::Request)
            }),
        ],
        vec![Act::request(1, "other", &[S::SUCCESS], |bed| {
            ops::query_file(bed.file(1, 0), FileInfoClass::Basic).into()
        })],
        vec![Act::complete(), Act::complete_newest()],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().sessions, 1);
        let tree = bed.tree(1);
        assert!(bed.pair.call(tree, echo::Request).sealed);
    });
    assert_eq!(explored.orders, 60);
}

/// One user cannot take all sessions: the number of each user's is bounded, whatever the others have; a
/// client that comes back and names its old session takes its place.
#[test]
fn sessions_of_one_user_are_bounded() {
    let mut pair = Pair::builder()
        .config(|c| c.limits.max_sessions_per_user = 3)
        .build();
    let end = pair.connect();
    let ids: Vec<SessionId> = (0..3).map(|_| pair.logon(end, user()).unwrap()).collect();
    assert_eq!(pair.logon(end, user()), Err(S::INSUFFICIENT_RESOURCES));
    assert_eq!(pair.counts().sessions, 3);
    assert!(pair.logon(end, other()).is_ok());
    let replacing = LogonFor::Replacing(ids[0]);
    assert!(pair.logon_for(end, user(), replacing).is_ok());
    // Not with somebody else's, nor with one that has gone.
    for previous in [ids[0], SessionId(u64::MAX)] {
        let refused = pair.logon_for(end, user(), LogonFor::Replacing(previous));
        assert_eq!(refused, Err(S::INSUFFICIENT_RESOURCES));
    }
    let again = pair.logon_for(end, user(), LogonFor::Again(ids[1]));
    assert!(again.is_ok());
    assert_eq!(pair.counts().sessions, 4);
    pair.finish();
}
