//! Breaks of what a client caches reach it on whatever channel it has left ([MS-SMB2] 3.3.4.6, 3.3.4.7).

use std::time::Duration;

use driver_sim::check::{self, Panel};
use driver_sim::client::{ClientConfig, ClientEvent, Credentials, LogonFor, Part, Target, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::{End, Pair, Tree};
use smb_proto::create_ctx::{Lease, LeaseFlags, LeaseState, LeaseV2};
use smb_proto::id::{LeaseKey, MessageId};
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::oplock_break::{LeaseBreakAck, LeaseBreakNotification, Message, OplockBreak};
use smb_proto::msg::{OplockLevel, logoff};
use smb_proto::{Dialect, NtStatus as S};

const KEY: LeaseKey = LeaseKey([5; 16]);

fn newest(seed: u64) -> ClientConfig {
    ClientConfig {
        seed,
        capabilities: GlobalCapabilities::LARGE_MTU | GlobalCapabilities::MULTI_CHANNEL,
        ..ClientConfig::only(Dialect::Smb311).signing()
    }
}

/// What a client caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Oplock,
    Lease,
}

const KINDS: [Kind; 2] = [Kind::Oplock, Kind::Lease];

fn caching(kind: Kind) -> create::Request {
    let mut request = ops::create("f", CreateDisposition::OpenIf);
    match kind {
        Kind::Oplock => request.requested_oplock_level = OplockLevel::BATCH,
        Kind::Lease => {
            request.requested_oplock_level = OplockLevel::LEASE;
            let lease = Lease {
                key: KEY,
                state: LeaseState::READ | LeaseState::WRITE | LeaseState::HANDLE,
                flags: LeaseFlags::empty(),
                v2: Some(LeaseV2 {
                    parent_key: LeaseKey([0; 16]),
                    epoch: 0,
                }),
            };
            request.contexts.push(lease.to_raw());
        }
    }
    request
}

/// A session with `channels` channels, and another client.
fn clients(channels: u64) -> (Pair, Vec<Tree>, Tree) {
    // What these know of is breaks that are told once, and CREATEs that nobody makes wait.
    let checkers = check::all().into_iter();
    let checkers = checkers.filter(|c| !["answers", "levels"].contains(&c.name()));
    let checkers = checkers.collect();
    let mut pair = Pair::builder()
        .panel(Panel::new(checkers))
        .config(|c| {
            c.multichannel = true;
            c.leases = true;
        })
        .build();
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let mut trees = vec![tree];
    for seed in 2..=channels {
        let end = pair.connect_as(newest(seed));
        let exported = pair.client(first).export(tree.target.session).unwrap();
        let user = Credentials::new("user", "secret");
        pair.logon_for(end, user, LogonFor::Bind(exported)).unwrap();
        trees.push(Tree { end, ..tree });
    }
    let other = pair.connect_as(newest(100).seed(100));
    let other = pair.mount_on(other);
    (pair, trees, other)
}

fn breaks(pair: &mut Pair, end: End) -> Vec<Message> {
    let events = pair.client_events(end).into_iter();
    let breaks = events.filter_map(|e| match e {
        ClientEvent::Break(b) => Some(b),
        _ => None,
    });
    breaks.collect()
}

/// The answer to a break.
fn ack(told: &Message) -> Message {
    match told {
        Message::Oplock(b) => Message::Oplock(OplockBreak { ..*b }),
        Message::LeaseNotification(LeaseBreakNotification {
            new_lease_state, ..
        }) => Message::LeaseAck(LeaseBreakAck {
            lease_key: KEY,
            lease_state: *new_lease_state,
        }),
        Message::LeaseAck(_) => panic!("the server acknowledges nothing"),
    }
}

/// Somebody else opens what the first channel caches.
fn contend(pair: &mut Pair, kind: Kind, holder: Tree, other: Tree) -> MessageId {
    let made = pair.create(holder, caching(kind)).unwrap();
    assert_ne!(made.oplock_level, OplockLevel::NONE);
    let id = pair.start(other, ops::open("f"));
    pair.run();
    assert!(pair.reply(other.end, id).is_none());
    id
}

#[test]
fn a_break_is_told_again_when_its_channel_is_lost() {
    for kind in KINDS {
        let (mut pair, trees, other) = clients(3);
        let waiting = contend(&mut pair, kind, trees[0], other);
        let first = breaks(&mut pair, trees[0].end);
        assert_eq!(first.len(), 1, "{kind:?}");
        pair.disconnect(trees[0].end);
        let second: Vec<Vec<Message>> = trees
            .iter()
            .skip(1)
            .map(|t| breaks(&mut pair, t.end))
            .collect();
        // On one of them, and the same.
        assert_eq!(second.concat(), first, "{kind:?}");
        let told = trees[1 + usize::from(second[0].is_empty())];
        assert!(pair.reply(other.end, waiting).is_none());
        // Whichever channel the client likes.
        let from = trees.iter().skip(1).find(|t| t.end != told.end).unwrap();
        let reply = pair.call(*from, ack(&first[0]));
        assert_eq!(reply.status(), S::SUCCESS);
        assert_eq!(pair.wait(other.end, waiting).status(), S::SUCCESS);
        // It is over: the loss of the channel that was told tells nobody anything.
        pair.disconnect(told.end);
        assert!(breaks(&mut pair, from.end).is_empty());
        pair.finish();
    }
}

/// The channel on which a file was opened has gone before the break.
#[test]
fn a_break_goes_to_a_channel_that_lives() {
    for kind in KINDS {
        let (mut pair, trees, other) = clients(2);
        pair.create(trees[0], caching(kind)).unwrap();
        pair.disconnect(trees[0].end);
        let waiting = pair.start(other, ops::open("f"));
        pair.run();
        let told = breaks(&mut pair, trees[1].end);
        assert_eq!(told.len(), 1);
        assert_eq!(pair.call(trees[1], ack(&told[0])).status(), S::SUCCESS);
        assert_eq!(pair.wait(other.end, waiting).status(), S::SUCCESS);
        pair.finish();
    }
}

/// Who is told again has no more time than the first time.
#[test]
fn losing_channels_does_not_put_off_the_end_of_a_break() {
    for kind in KINDS {
        let (mut pair, trees, other) = clients(3);
        let waiting = contend(&mut pair, kind, trees[0], other);
        pair.advance(Duration::from_secs(20));
        pair.disconnect(trees[0].end);
        pair.advance(Duration::from_secs(10));
        pair.disconnect(trees[1].end);
        assert_eq!(breaks(&mut pair, trees[2].end).len(), 1);
        pair.advance(Duration::from_secs(4));
        assert!(pair.reply(other.end, waiting).is_none());
        pair.advance(Duration::from_secs(2));
        assert_eq!(pair.wait(other.end, waiting).status(), S::SUCCESS);
        pair.finish();
    }
}

/// CVE-2024-26592, CVE-2024-53186, CVE-2025-22074 with breaks in flight: channels are lost, or the session
/// ends, beside the acknowledgment: whoever waits gets the file in every order, and nothing is left over.
#[test]
fn channels_lost_while_a_break_is_in_flight() {
    const OPENED: &[S] = &[S::SUCCESS];
    const ENDS: &[S] = &[
        S::SUCCESS,
        S::USER_SESSION_DELETED,
        S::FILE_CLOSED,
        S::UNSUCCESSFUL,
        S::OBJECT_NAME_NOT_FOUND,
        S::INVALID_OPLOCK_PROTOCOL,
    ];
    for kind in KINDS {
        let world = || {
            let (pair, trees, other) = clients(2);
            let mut bed = Bed::of(pair, [trees[0], trees[1], other]);
            bed.create(0, caching(kind));
            bed
        };
        let logoff = |seat: usize| {
            Act::part(seat, "logoff", ENDS, move |bed| {
                let session = bed.tree(seat).target.session;
                Part::new(Target::session(session), logoff::Request)
            })
        };
        let leaves: [fn(usize) -> Act; 2] =
            [Act::disconnect, |_| Act::wait(Duration::from_secs(40))];
        for leave in leaves {
            let actors = [
                vec![Act::request(2, "open", OPENED, |_| ops::open("f").into())],
                vec![Act::disconnect(0)],
                vec![
                    Act::request(1, "ack", ENDS, move |bed| match kind {
                        Kind::Oplock => Message::Oplock(OplockBreak {
                            oplock_level: OplockLevel::LEVEL_II,
                            file_id: bed.file(0, 0),
                        })
                        .into(),
                        Kind::Lease => Message::LeaseAck(LeaseBreakAck {
                            lease_key: KEY,
                            lease_state: LeaseState::READ | LeaseState::HANDLE,
                        })
                        .into(),
                    }),
                    logoff(1),
                ],
                vec![leave(1)],
            ];
            let explored = explore(world, &actors, |bed| {
                bed.pair.advance(Duration::from_secs(40));
                assert_eq!(bed.answer("open").or(Some(S::SUCCESS)), Some(S::SUCCESS));
                let (tree, id) = (bed.tree(2), bed.reply("open").map(|r| r.message));
                assert!(id.is_some(), "whoever waited was forgotten");
                assert_eq!(bed.pair.counts().opens, 1);
                assert!(bed.pair.open(tree, "f").is_ok());
            });
            assert_eq!(explored.orders, 60);
            let late = match kind {
                Kind::Oplock => S::INVALID_OPLOCK_PROTOCOL,
                Kind::Lease => S::UNSUCCESSFUL,
            };
            explored.assert_seen("ack", &[S::SUCCESS, late]);
        }
    }
}
