//! The checkers can fail: an engine with a deliberate mistake is found out within a few seeds, and the
//! engine without passes the same seeds.
//!
//! Mistakes about oplocks, leases and durable opens are looked for in whole worlds, in which clients
//! acknowledge breaks and come back; the others in storms.

mod storm;

use std::collections::BTreeMap;

use bytes::Bytes;
use driver_sim::client::ops;
use driver_sim::pair::Pair;
use driver_sim::world::{self, swarm};
use smb_engine::mutation::Mutation;
use smb_proto::fsctl::{FsctlCode, SrvCopychunk, SrvCopychunkCopy, SrvResumeKeyResponse};
use smb_proto::msg::Response;
use smb_proto::wire::Writer;
use storm::{Storm, complaint, verdict};

const STEPS: usize = 150;

/// In how many seeds each mistake has to be found. All are found in far fewer; which seed it was when this
/// was written is in [`measured`].
const WITHIN: u64 = 40;

/// Mistakes, what finds them, and the first seed that does.
fn measured(mutation: Mutation) -> (&'static str, u64) {
    use Mutation as M;
    match mutation {
        M::LostWakeup => ("files", 15),
        M::LockKeptAtClose => ("files", 1),
        M::WriteIgnoresLocks => ("files", 12),
        M::DeleteOnCloseForgotten => ("files", 4),
        M::DeleteNotTakenBack => ("files", 7),
        M::WrongDeletePendingStatus => ("files", 3),
        M::FileIdReused => ("ids", 1),
        M::ForeignFileId => ("files", 12),
        M::CreditLeak => ("credits", 0),
        M::AnyMessageId => ("credits", 3),
        M::AnsweredTwice => ("answers", 2),
        M::NotAnswered => ("answers", 0),
        M::ShareModeNotUndone => ("files", 2),
        M::ShareModeOneSided => ("files", 4),
        M::ReadPastEnd => ("files", 1),
        M::SizeNotSet => ("files", 7),
        M::ContentKept => ("files", 1),
        M::OldNameKept => ("files", 3),
        M::CancelIgnored => ("answers", 14),
        M::NotifyLost => ("notify", 8),
        M::NotifyUnasked => ("notify", 8),
        M::OplockGranted => ("levels", 0),
        M::FlushForgotten => ("files", 14),
        M::CopyShifted => ("files", 0),
        M::LockGrantedBeside => ("files", 7),
        M::BreakNotSent => ("levels", 0),
        M::BreakNotAwaited => ("levels", 0),
        M::BreakSentTwice => ("levels", 0),
        M::BreakMisdirected => ("levels", 0),
        M::EpochNotCounted => ("levels", 0),
        M::AnyAcknowledgment => ("levels", 8),
        M::CachesBeside => ("levels", 0),
        M::ReadsKept => ("levels", 0),
        M::HandlesKept => ("levels", 8),
        M::DurableTakenTwice => ("levels", 2),
        M::DurableKept => ("levels", 13),
    }
}

/// A copy on the server and a look at what came of it, which storms do not have among their steps.
fn copied(mutation: Option<Mutation>) {
    let mut pair = Pair::new();
    if let Some(mutation) = mutation {
        pair.skip_invariants();
        pair.engine().mutate(mutation);
    }
    let tree = pair.mount();
    let [from, to] = ["from", "to"].map(|name| pair.create_new(tree, name).unwrap());
    pair.write(tree, from, 0, "0123456789").unwrap();
    let key = ops::fsctl(from, FsctlCode::SRV_REQUEST_RESUME_KEY, Bytes::new(), 32);
    let Response::Ioctl(answer) = pair.call(tree, key).body else {
        panic!("no key")
    };
    let copy = SrvCopychunkCopy {
        source_key: SrvResumeKeyResponse::parse(&answer.output)
            .unwrap()
            .resume_key,
        chunks: [(2, 0, 3), (0, 5, 2)]
            .map(|(source_offset, target_offset, length)| SrvCopychunk {
                source_offset,
                target_offset,
                length,
            })
            .to_vec(),
    };
    let mut w = Writer::new();
    copy.encode(&mut w);
    let input = w.into_inner().freeze();
    pair.call(tree, ops::fsctl(to, FsctlCode::SRV_COPYCHUNK, input, 12));
    let got = pair.read(tree, to, 0, 100).unwrap();
    assert_eq!(got[..], *b"234\0\x0001");
    pair.finish();
}

/// Whether it is looked for in worlds.
fn is_about_caching(mutation: Mutation) -> bool {
    mutation > Mutation::LockGrantedBeside
}

/// What went wrong in a world.
fn world(seed: u64, mutation: Mutation) -> Option<String> {
    let outcome = world::run_spoiled(&swarm::caching(seed), move |engine| engine.mutate(mutation));
    outcome.failure.map(|f| f.to_string())
}

/// What a checker found first.
fn found(mutation: Mutation) -> Option<(u64, String)> {
    if mutation == Mutation::CopyShifted {
        return Some((0, complaint(|| copied(Some(mutation)))?));
    }
    if is_about_caching(mutation) {
        return (0..WITHIN).find_map(|seed| Some((seed, world(seed, mutation)?)));
    }
    (0..WITHIN).find_map(|seed| Some((seed, verdict(|| Storm::mutated(seed, mutation), STEPS)?)))
}

fn all_are_found(which: impl Fn(Mutation) -> bool) {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL.into_iter().filter(|m| which(*m)) {
        let (checker, first) = measured(mutation);
        match found(mutation) {
            Some((seed, what)) => {
                println!("{mutation:?}: seed {seed} (was {first}): {what:.150}");
                if !what.starts_with(&format!("{checker}:")) {
                    missed.push(format!("{mutation:?} was found by another: {what:.150}"));
                }
            }
            None => missed.push(format!("{mutation:?} was not found")),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_mistake_is_found() {
    all_are_found(|m| !is_about_caching(m));
}

#[test]
fn every_mistake_about_caching_is_found() {
    all_are_found(is_about_caching);
}

/// The worlds in which mistakes about caching are looked for pass without.
#[test]
fn worlds_of_caching_pass() {
    let mut tally = BTreeMap::new();
    for seed in 0..WITHIN {
        let outcome = world::run(&swarm::caching(seed), &world::Options::default());
        assert_eq!(outcome.failure, None, "seed {seed}");
        for (name, (judged, _)) in outcome.stats.judged {
            *tally.entry(name).or_insert(0) += judged;
        }
    }
    println!("{tally:?}");
    assert!(tally["levels"] > 20 * WITHIN, "{tally:?}");
}

/// No checker complains about the engine as it is, and none passes what it has lost track of too often.
#[test]
fn the_engine_passes() {
    copied(None);
    let mut tally = BTreeMap::new();
    for seed in 0..WITHIN {
        let mut storm = Storm::new(seed);
        storm.run(STEPS);
        for (name, judged, given_up) in storm.pair.panel().tally() {
            let sum: &mut (u64, u64) = tally.entry(name).or_default();
            sum.0 += judged;
            sum.1 += given_up;
        }
    }
    println!("{tally:?}");
    for (name, (judged, given_up)) in tally {
        assert!(judged > WITHIN / 2, "{name} judged {judged} answers");
        assert!(given_up * 50 < judged, "{name} gave up {given_up} times");
    }
}
