use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use driver_sim::world::plan::Plan;
use driver_sim::world::{shrink, swarm};
use indicatif::ProgressBar;

/// Finds a smaller script that fails like a seed does.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The seed that fails.
    seed: u64,
    /// The seed failed with --stub-crypto.
    #[arg(long)]
    stub_crypto: bool,
    /// Where the smaller script goes, for `smb-sim run --script FILE`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    std::panic::set_hook(Box::new(|_| {}));
    let plan: Plan = swarm::plan(args.seed, args.stub_crypto);
    let bar = ProgressBar::new_spinner();
    let shrunk = shrink::shrink(&plan, |steps| {
        bar.set_message(format!("{steps} steps"));
        bar.tick();
    });
    bar.finish_and_clear();
    let Some(shrunk) = shrunk else {
        println!("seed {} does not fail", args.seed);
        return Ok(ExitCode::SUCCESS);
    };
    println!(
        "{} steps of {} are left, {} clients of {} ({} worlds run)",
        shrunk.plan.steps.len(),
        plan.steps.len(),
        shrunk.plan.clients.len(),
        plan.clients.len(),
        shrunk.runs
    );
    println!(
        "{:?}\n{:?}\n{:?}",
        shrunk.plan.server, shrunk.plan.net, shrunk.plan.disk
    );
    for (n, client) in shrunk.plan.clients.iter().enumerate() {
        println!("client {n}: {client:?}");
    }
    for step in &shrunk.plan.steps {
        println!("{step}");
    }
    println!("FAILED {}", shrunk.failure);
    if let Some(file) = &args.out {
        let text = serde_json::to_string_pretty(&shrunk.plan)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("again: smb-sim run --script {} --trace", file.display());
    }
    Ok(ExitCode::from(1))
}
