use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use driver_sim::journal::{self, Report};

/// Runs a journal of `smb-server --journal` again, and compares every output.
///
/// Exit status 0: all outputs are what they were; 1: one is not; 2: the journal is of no use, or (as far
/// as it goes without difference) ends too early.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The journal
    file: PathBuf,

    /// Print a line for each input
    #[arg(short, long)]
    verbose: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let file = File::open(&args.file).with_context(|| format!("cannot open {shown}"))?;
    let report = journal::run(
        BufReader::with_capacity(1 << 20, file),
        |number, now, line| {
            if args.verbose {
                println!(
                    "{number:>8}  {:>12.6} s  {}",
                    now.mono.0 as f64 / 1e6,
                    line()
                );
            }
        },
    )
    .with_context(|| format!("{shown}"))?;
    print!("{}", text(&report));
    Ok(ExitCode::from(
        match (&report.difference, &report.broken, report.complete) {
            (Some(_), _, _) | (None, Some(_), _) => 1,
            (None, None, false) => 2,
            (None, None, true) => 0,
        },
    ))
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    let seconds = report
        .span
        .map_or(0.0, |(first, last)| (last.mono - first.mono).as_secs_f64());
    out.push_str(&format!(
        "{} inputs in {seconds:.3} s, {} outputs compared\n",
        report.inputs, report.outputs
    ));
    if let Some(d) = &report.difference {
        out.push_str(&format!(
            "first difference: output {} after input {} ({})\n",
            d.output, d.input, d.after
        ));
        match (&d.now, d.then) {
            (Some(now), true) => out.push_str(&format!("  it is now {now}\n")),
            (Some(now), false) => out.push_str(&format!("  there was none; it is now {now}\n")),
            (None, _) => out.push_str("  there is none now\n"),
        }
    }
    if let Some(broken) = &report.broken {
        out.push_str(&format!("the server's tables disagree: {broken}\n"));
    }
    if report.difference.is_none() {
        out.push_str(match report.complete {
            true => "identical\n",
            false => "identical as far as it goes: the journal ends before the server did",
        });
        if !report.complete {
            out.push_str(&format!(" ({} bytes of an unfinished entry)\n", report.cut));
        }
    }
    out
}
