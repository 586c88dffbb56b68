//! The local directory backend and the executable model of the VFS contract give the same answers:
//! random sequences of operations run on both, each answer is compared, and at the end everything
//! that the two file systems hold.
//!
//! A difference is shrunk to a sequence from which nothing more can be left out. `SANSMB_SEQUENCES`
//! sets the number of sequences (per directory), `SANSMB_SEED` another seed than the one that every
//! run starts from, `SANSMB_DIFFERENTIAL_DIR` where the directories are made (else the build
//! directory).

mod act;
mod same;
mod step;
mod tree;
mod twin;
mod walks;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use step::Step;
use twin::{Done, KINDS, Twin};

/// Sequences where nobody says how many.
const SEQUENCES: u32 = 300;

fn number(variable: &str, default: u32) -> u32 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}")),
        Err(_) => default,
    }
}

/// Both backends do the same; where the answers differ.
fn run(parent: &Path, done: &Done, steps: &[Step]) -> Result<(), String> {
    let mut twin = Twin::new(parent, done);
    twin.furnish()
        .map_err(|e| format!("at the beginning: {e}"))?;
    for (number, step) in steps.iter().enumerate() {
        twin.run(step)
            .map_err(|e| format!("step {number}, {step:?}: {e}"))?;
    }
    twin.finish()
}

fn compare_in(parent: &Path) {
    let cases = number("SANSMB_SEQUENCES", SEQUENCES);
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number("SANSMB_SEED", 0).to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let steps = prop::collection::vec(step::step(), 1..60);
    let done = Done::default();
    let result = runner.run(&steps, |steps| {
        run(parent, &done, &steps).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {
            let done = done.take();
            println!("{cases} sequences in {}: {done:?}", parent.display());
            // A sequence of nothing but refusals would prove nothing.
            let rare = |kind: &&&str| done.get(**kind).is_none_or(|&n| n < cases / 300);
            // A directory alone has no snapshots.
            let present = KINDS.iter().filter(|kind| !kind.contains("Snapshot"));
            let rare: Vec<_> = present.filter(rare).collect();
            assert!(rare.is_empty(), "hardly ever carried out: {rare:?}");
        }
        Err(TestError::Fail(_, mut steps)) => {
            let mut reason = run(parent, &done, &steps).err();
            // What shrinking the values has made superfluous.
            let mut at = steps.len();
            while let Some(last) = at.checked_sub(1) {
                at = last;
                let mut fewer = steps.clone();
                fewer.remove(at);
                if let Err(e) = run(parent, &done, &fewer) {
                    (steps, reason) = (fewer, Some(e));
                }
            }
            let reason = reason.unwrap_or_else(|| "once, but not when tried again".to_owned());
            let listing: String = steps
                .iter()
                .enumerate()
                .map(|(number, step)| format!("{number:3} {step:?}\n"))
                .collect();
            panic!(
                "with d, d\\e and a open in slots 0 to 2, the backends differ after\n{listing}{reason}"
            );
        }
        Err(TestError::Abort(reason)) => panic!("aborted: {reason}"),
    }
}

#[test]
fn a_local_directory_answers_as_the_model() {
    let parent = std::env::var_os("SANSMB_DIFFERENTIAL_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    compare_in(&parent);
}

#[test]
fn a_directory_in_memory_answers_as_the_model() {
    let tmpfs = Path::new("/dev/shm");
    if !tmpfs.is_dir() {
        println!("SKIPPED: this host has no /dev/shm");
        return;
    }
    compare_in(tmpfs);
}
