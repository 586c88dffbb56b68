use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context, bail};
use driver_sim::world::plan::Plan;
use driver_sim::world::{self, Options, Outcome, Stats, Tape, scenario, swarm};
use indicatif::{ProgressBar, ProgressStyle};

/// Runs the world of each seed and prints a hash of all that the server sent.
#[derive(clap::Args)]
#[command(
    after_help = "The last line is the hash over all seeds: the same seeds give the same hash. A seed that \
                  fails is printed with the command that runs it again, and the exit status is 1."
)]
pub(crate) struct Args {
    /// One seed.
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "script"])]
    seed: Option<u64>,
    /// Seeds from A up to, and without, B.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, conflicts_with = "script")]
    seeds: Option<Range<u64>>,
    /// A script that `smb-sim shrink --out` wrote.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A world with a name in the place of random ones; the seed then decides about delays only.
    #[arg(long, value_name = "NAME", conflicts_with = "script")]
    scenario: Option<String>,
    /// Lists the names.
    #[arg(long)]
    list: bool,
    /// Prints the conversation, with what the server's tables do (one seed only).
    #[arg(long)]
    trace: bool,
    /// Writes the packets into a pcapng file (one seed only). What is encrypted in it opens with options
    /// that are printed, and are in the file's comment: pcapng has no place for keys of SMB sessions.
    #[arg(long, value_name = "FILE", conflicts_with = "stub_crypto")]
    pcapng: Option<PathBuf>,
    /// Replaces signatures and ciphers by checksums. Everything else stays, also the bytes around
    /// them; it is a little faster.
    #[arg(long)]
    stub_crypto: bool,
    /// Seeds that run at the same time.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Prints the answers by command and status too.
    #[arg(long)]
    coverage: bool,
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("seeds are given as A..B")?;
    let number = |t: &str| t.parse::<u64>().map_err(|e| format!("{t:?}: {e}"));
    let range = number(from)?..number(to)?;
    if range.is_empty() {
        return Err("no seeds in this range".to_owned());
    }
    Ok(range)
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list {
        for s in scenario::ALL {
            println!("{:<18} {}", s.name, s.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &args.scenario
        && scenario::find(name).is_none()
    {
        bail!("no scenario {name:?}; smb-sim run --list names them all");
    }
    let seeds = match (&args.seeds, args.seed) {
        (Some(range), _) => range.clone(),
        (None, Some(seed)) => seed..seed.saturating_add(1),
        (None, None) => 0..1,
    };
    // A panic is reported as the failure of its seed.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(file) = &args.script {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let plan: Plan = serde_json::from_str(&text)
            .with_context(|| format!("{} is no script", file.display()))?;
        let again = format!("smb-sim run --script {}", file.display());
        return one(args, &plan, &again);
    }
    if seeds.end - seeds.start == 1 {
        let plan = plan(args, seeds.start);
        return one(args, &plan, &reproduce(args, seeds.start));
    }
    if args.trace || args.pcapng.is_some() {
        bail!("--trace and --pcapng are for one seed");
    }
    Ok(many(args, seeds))
}

/// The plan of a seed.
fn plan(args: &Args, seed: u64) -> Plan {
    match args.scenario.as_deref().and_then(scenario::find) {
        Some(scenario) => scenario.plan(seed, args.stub_crypto),
        None => swarm::plan(seed, args.stub_crypto),
    }
}

/// The command that runs one seed again.
fn reproduce(args: &Args, seed: u64) -> String {
    let mut command = format!("smb-sim run --seed {seed}");
    if let Some(name) = &args.scenario {
        command.push_str(&format!(" --scenario {name}"));
    }
    if args.stub_crypto {
        command.push_str(" --stub-crypto");
    }
    command
}

fn one(args: &Args, plan: &Plan, again: &str) -> anyhow::Result<ExitCode> {
    let options = Options {
        trace: args.trace,
        capture: args.pcapng.is_some(),
    };
    let begin = Instant::now();
    let outcome = world::run(plan, &options);
    let seconds = begin.elapsed().as_secs_f64();
    if args.trace {
        println!("{:?}", plan.server);
        println!("{:?}", plan.net);
        println!("{:?}", plan.disk);
        for client in &plan.clients {
            println!("{client:?}");
        }
        for line in &outcome.story {
            println!("{line}");
        }
    }
    print!("{}", outcome.stats.report(seconds));
    if args.coverage {
        print!("{}", outcome.stats.coverage());
    }
    let failed = outcome.failure.is_some();
    if let Some(failure) = &outcome.failure {
        println!("FAILED {failure}");
        println!("again: {again} --trace");
    }
    if let (Some(file), Some(tape)) = (&args.pcapng, &outcome.tape) {
        write_capture(file, tape)?;
    }
    println!("hash {:016x}", outcome.hash);
    Ok(ExitCode::from(u8::from(failed)))
}

fn write_capture(file: &Path, tape: &Tape) -> anyhow::Result<()> {
    let what = || format!("cannot write {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(what)?);
    tape.write(&mut out).with_context(what)?;
    out.flush().with_context(what)?;
    println!(
        "capture: tshark -r {} {}",
        file.display(),
        tape.wireshark_options().join(" ")
    );
    println!("(the first option alone opens all but sessions of guests)");
    Ok(())
}

fn many(args: &Args, seeds: Range<u64>) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    let bar = ProgressBar::new(seeds.end - seeds.start);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left") {
        bar.set_style(style);
    }
    let begin = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let (sender, receiver) = mpsc::channel::<(u64, Outcome)>();
    let (mut stats, mut failures, mut hash) = (Stats::default(), 0u64, 0u64);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, next, seeds) = (sender.clone(), &next, &seeds);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let plan = plan(args, seed);
                    let outcome = world::run(&plan, &Options::default());
                    if sender.send((seed, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Results come in any order and are taken in that of the seeds.
        let mut early = BTreeMap::new();
        let mut due = seeds.start;
        for (seed, outcome) in receiver {
            bar.inc(1);
            early.insert(seed, outcome);
            while let Some(outcome) = early.remove(&due) {
                hash = hash.rotate_left(5) ^ outcome.hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                stats.add(&outcome.stats);
                if let Some(failure) = &outcome.failure {
                    failures += 1;
                    bar.suspend(|| println!("FAILED {} : {failure}", reproduce(args, due)));
                    if !args.keep_going {
                        // Let the others finish, and start no more.
                        next.store(seeds.end, Ordering::Relaxed);
                    }
                }
                due += 1;
            }
        }
    });
    bar.finish_and_clear();
    print!("{}", stats.report(begin.elapsed().as_secs_f64()));
    if args.coverage {
        print!("{}", stats.coverage());
    }
    if failures > 0 {
        println!("{failures} of {} seeds failed", stats.worlds);
    }
    println!("hash {hash:016x}");
    ExitCode::from(u8::from(failures > 0))
}
