//! Worlds as functions of their seed.

use driver_sim::capture::{self, Capture, Secrets};
use driver_sim::world::plan::Plan;
use driver_sim::world::shrink::shrink_with;
use driver_sim::world::step::Do;
use driver_sim::world::{self, Failure, Options, Outcome, Tape, swarm};
use smb_proto::{Command, NtStatus};

fn run(plan: &Plan) -> Outcome {
    world::run(plan, &Options::default())
}

#[test]
fn seeds_pass_and_the_same_seed_gives_the_same_hash() {
    for seed in 0..12 {
        for stub in [false, true] {
            let plan = swarm::plan(seed, stub);
            let first = run(&plan);
            assert_eq!(first.failure, None, "seed {seed}, stub {stub}");
            assert_eq!(first.hash, run(&plan).hash, "seed {seed}, stub {stub}");
        }
    }
}

#[test]
fn seeds_differ() {
    let mut hashes: Vec<u64> = (0..20).map(|s| run(&swarm::plan(s, true)).hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn writing_down_changes_nothing() {
    for seed in 0..10 {
        let plan = swarm::plan(seed, false);
        let options = Options {
            trace: true,
            capture: true,
        };
        let told = world::run(&plan, &options);
        assert_eq!(told.hash, run(&plan).hash);
        assert!(told.story.len() > 10, "{:?}", told.story);
    }
}

#[test]
fn a_plan_survives_being_written_to_a_file() {
    for seed in 0..20 {
        let plan = swarm::plan(seed, false);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}

/// Runs a plan and calls it a failure that something was written.
fn fail_at_writes(plan: &Plan) -> Outcome {
    let mut outcome = run(plan);
    let key = (u16::from(Command::Write), NtStatus::SUCCESS.0);
    if outcome.stats.answers.contains_key(&key) {
        outcome.failure = Some(Failure {
            kind: "written".to_owned(),
            what: String::new(),
        });
    }
    outcome
}

#[test]
fn what_fails_is_made_smaller_and_still_fails() {
    // A seed whose first client makes the file that it writes: else the shortest needs another client.
    let failing = (3..200)
        .map(|seed| swarm::plan(seed, true))
        .find(|plan| fail_at_writes(plan).failure.is_some())
        .expect("some seed writes");
    let shrunk = shrink_with(&failing, |_| {}, fail_at_writes).expect("it fails");
    assert_eq!(shrunk.failure.kind, "written");
    // An open and a write are all it takes.
    assert!(shrunk.plan.steps.len() <= 2, "{:?}", shrunk.plan.steps);
    assert_eq!(shrunk.plan.clients.len(), 1);
    assert_eq!(
        fail_at_writes(&shrunk.plan).failure.map(|f| f.kind),
        Some("written".to_owned())
    );
    let passing = swarm::plan(0, true);
    assert!(shrink_with(&passing, |_| {}, run).is_none());
}

/// Messages of the capture of a seed: all, sealed ones, and those of the sealed ones that were opened.
fn decoded(tape: &Tape, secrets: Secrets) -> (usize, usize, usize) {
    let mut file = Vec::new();
    tape.write(&mut file).unwrap();
    let options = capture::Options {
        secrets,
        ..capture::Options::default()
    };
    let capture = Capture::read(&file[..], &options, |_| ()).unwrap();
    let all: Vec<_> = capture
        .conversations
        .iter()
        .flat_map(|c| &c.messages)
        .collect();
    let opened = all.iter().filter(|m| m.sealed).count();
    let shut = capture.conversations.iter().flat_map(|c| &c.others);
    (all.len(), opened, shut.count())
}

#[test]
fn a_capture_decodes_with_the_password_and_with_the_keys_it_names() {
    let mut sealed = 0;
    for seed in 0..15 {
        let mut plan = swarm::plan(seed, false);
        // What breaks rules cannot be decoded, and keys of a server that was started again have the
        // same names as those before.
        plan.steps
            .retain(|s| !matches!(s.what, Do::Raw(_) | Do::Crash));
        let options = Options {
            capture: true,
            ..Options::default()
        };
        let tape = world::run(&plan, &options).tape.expect("it was asked for");
        let mut password = Secrets::default();
        for user in ["user", "other", "third"] {
            password.add_password(&format!("{user}:secret")).unwrap();
        }
        let mut keys = Secrets::default();
        for option in tape.wireshark_options() {
            if let Some((_, entry)) = option.split_once("smb2_seskey_list:") {
                keys.add_session_key(entry.trim_end_matches('\'')).unwrap();
            }
        }
        let by_password = decoded(&tape, password);
        assert_eq!(by_password, decoded(&tape, keys), "seed {seed}");
        assert!(by_password.0 > 5, "seed {seed}: {by_password:?}");
        sealed += by_password.1;
    }
    assert!(sealed > 100, "{sealed}");
}
