//! A channel is lost while a CREATE waits for others: it goes on for the session if the client can ask for
//! it again by its name ([MS-SMB2] 3.3.5.9.10), and ends if not.

use std::time::Duration;

use driver_sim::check::{self, Panel};
use driver_sim::client::{ClientConfig, ClientEvent, Credentials, LogonFor, Part, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::{Pair, Tree};
use smb_proto::create_ctx::{DurableFlags, DurableRequestV2};
use smb_proto::header::HeaderFlags;
use smb_proto::id::FileId;
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::{OplockLevel, oplock_break};
use smb_proto::{Dialect, Guid, NtStatus as S};

fn newest(seed: u64) -> ClientConfig {
    ClientConfig {
        seed,
        capabilities: GlobalCapabilities::LARGE_MTU | GlobalCapabilities::MULTI_CHANNEL,
        ..ClientConfig::only(Dialect::Smb311).signing()
    }
}

/// An open with this oplock level, and a name for the CREATE.
fn named(level: OplockLevel, guid: Option<u8>) -> create::Request {
    let mut request = create::Request {
        requested_oplock_level: level,
        ..ops::create("f", CreateDisposition::OpenIf)
    };
    let name = guid.map(|guid| DurableRequestV2 {
        timeout_ms: 0,
        flags: DurableFlags::empty(),
        create_guid: Guid::from_bytes([guid; 16]),
    });
    request.contexts.extend(name.map(|n| n.to_raw()));
    request
}

/// Somebody who holds a batch oplock on `f`, and a session of another client with `channels` channels.
fn world(channels: usize) -> (Pair, Tree, FileId, Vec<Tree>) {
    let (mut pair, holder, trees) = clients(channels);
    let held = pair
        .create(holder, named(OplockLevel::BATCH, None))
        .unwrap();
    assert_eq!(held.oplock_level, OplockLevel::BATCH);
    (pair, holder, held.file_id, trees)
}

fn clients(channels: usize) -> (Pair, Tree, Vec<Tree>) {
    // What these know of is CREATEs that stand alone, and that nobody makes wait.
    let checkers = check::all().into_iter();
    let checkers = checkers.filter(|c| !["files", "answers", "ids"].contains(&c.name()));
    let checkers = checkers.collect();
    let mut pair = Pair::builder()
        .panel(Panel::new(checkers))
        .config(|c| {
            c.multichannel = true;
            c.durable_handles = true;
        })
        .build();
    let holder = pair.connect_as(newest(100).seed(100));
    let holder = pair.mount_on(holder);
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let mut trees = vec![tree];
    for seed in 2..=channels as u64 {
        let end = pair.connect_as(newest(seed));
        let exported = pair.client(first).export(tree.target.session).unwrap();
        let user = Credentials::new("user", "secret");
        pair.logon_for(end, user, LogonFor::Bind(exported)).unwrap();
        trees.push(Tree { end, ..tree });
    }
    (pair, holder, trees)
}

fn replay(pair: &mut Pair, tree: Tree, request: create::Request) -> Result<create::Response, S> {
    let mut part = Part::new(tree.target, request);
    part.flags = HeaderFlags::REPLAY_OPERATION;
    let reply = pair.call_part(tree.end, part);
    match reply.body {
        smb_proto::msg::Response::Create(body) => Ok(body),
        _ => Err(reply.status()),
    }
}

#[test]
fn a_named_create_goes_on_for_the_session() {
    for level in [OplockLevel::NONE, OplockLevel::LEVEL_II, OplockLevel::BATCH] {
        let (mut pair, holder, held, trees) = world(4);
        let request = named(level, Some(9));
        pair.start(trees[0], request.clone());
        pair.run();
        let breaks = pair.client_events(holder.end);
        let told = breaks.iter().filter(|e| matches!(e, ClientEvent::Break(_)));
        assert_eq!(told.count(), 1);
        pair.disconnect(trees[0].end);
        // It is still waiting, and waits for no second break.
        for channel in trees.iter().take(3).skip(1) {
            let early = replay(&mut pair, *channel, request.clone());
            assert_eq!(early, Err(S::FILE_NOT_AVAILABLE));
            pair.disconnect(channel.end);
        }
        assert!(pair.client_events(holder.end).is_empty());
        pair.close(holder, held).unwrap();
        assert_eq!(pair.counts().opens, 1);
        let made = replay(&mut pair, trees[3], request).unwrap();
        assert_eq!(made.oplock_level, level);
        assert_eq!(pair.write(trees[3], made.file_id, 0, "x"), Ok(1));
        pair.close(trees[3], made.file_id).unwrap();
        assert_eq!(pair.counts().opens, 0);
        pair.finish();
    }
}

/// Nobody could ever ask for the open that it would make.
#[test]
fn a_create_without_name_ends_with_its_channel() {
    let (mut pair, holder, held, trees) = world(2);
    pair.start(trees[0], named(OplockLevel::BATCH, None));
    pair.run();
    pair.disconnect(trees[0].end);
    pair.close(holder, held).unwrap();
    pair.advance(Duration::from_secs(60));
    assert_eq!(pair.counts().opens, 0);
    pair.finish();
}

/// With the last channel the session ends, and what waited for it.
#[test]
fn the_last_channel_takes_a_named_create_along() {
    let (mut pair, holder, held, trees) = world(2);
    pair.start(trees[0], named(OplockLevel::BATCH, Some(9)));
    pair.run();
    pair.disconnect(trees[0].end);
    pair.disconnect(trees[1].end);
    assert_eq!(pair.counts().sessions, 1);
    pair.close(holder, held).unwrap();
    assert_eq!(pair.counts().opens, 0);
    pair.finish();
}

/// The loss of the channel on which a CREATE waits, the holder's answer and two replays, in every order: one open in the end, or none; never two, and never one that nobody can name.
#[test]
fn every_order_of_loss_answer_and_replay() {
    const MADE: &[S] = &[S::SUCCESS];
    const AGAIN: &[S] = &[S::SUCCESS, S::FILE_NOT_AVAILABLE, S::DUPLICATE_OBJECTID];
    let world = |level| {
        let (pair, holder, trees) = clients(2);
        let mut bed = Bed::of(pair, [trees[0], trees[1], holder]);
        bed.create(2, named(OplockLevel::BATCH, None));
        let create = Part::new(trees[0].target, named(level, Some(9)));
        bed.ask(0, "create", MADE, create);
        bed.pair.run();
        bed
    };
    for level in [OplockLevel::NONE, OplockLevel::BATCH] {
        for acknowledges in [true, false] {
            let again = |name| {
                Act::part(1, name, AGAIN, move |bed| {
                    let mut part = Part::new(bed.tree(1).target, named(level, Some(9)));
                    part.flags = HeaderFlags::REPLAY_OPERATION;
                    part
                })
            };
            let ack = Act::request(2, "ack", &[S::SUCCESS, S::INVALID_OPLOCK_PROTOCOL], |bed| {
                oplock_break::Message::Oplock(oplock_break::OplockBreak {
                    oplock_level: OplockLevel::LEVEL_II,
                    file_id: bed.file(2, 0),
                })
                .into()
            });
            let close = Act::request(2, "close", &[S::SUCCESS], |bed| {
                ops::close(bed.file(2, 0)).into()
            });
            let holder = if acknowledges { vec![ack] } else { vec![close] };
            let actors = [
                vec![Act::disconnect(0)],
                vec![again("one"), again("two")],
                holder,
            ];
            let explored = explore(
                || world(level),
                &actors,
                |bed| {
                    let made: Vec<_> = ["create", "one", "two"]
                        .into_iter()
                        .filter_map(|name| bed.reply(name))
                        .filter_map(|r| match &r.body {
                            smb_proto::msg::Response::Create(c) => Some(c.file_id),
                            _ => None,
                        })
                        .collect();
                    assert!(
                        made.windows(2).all(|w| w[0] == w[1]),
                        "two opens for one name"
                    );
                    let opens = bed.pair.counts().opens;
                    let mine = opens - usize::from(acknowledges);
                    assert!(mine <= 1);
                    // Whoever has heard of none can still ask.
                    if mine == 1 {
                        let tree = bed.tree(1);
                        let mut ask = || replay(&mut bed.pair, tree, named(level, Some(9)));
                        let id = made.first().copied();
                        let id = id.unwrap_or_else(|| ask().unwrap().file_id);
                        bed.pair.close(tree, id).unwrap();
                    }
                },
            );
            assert_eq!(explored.orders, 12);
            explored.assert_seen("one", &[S::SUCCESS, S::FILE_NOT_AVAILABLE]);
        }
    }
}
