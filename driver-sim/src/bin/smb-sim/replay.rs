use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use driver_sim::capture::Capture;
use driver_sim::replay::{Options, Rules, Timing, replay, steps};
use indicatif::{ProgressBar, ProgressStyle};

use crate::show::Input;

/// Replays the clients of a capture against the engine and compares its answers with the captured ones.
///
/// Exit status: 0 if nothing diverges, 1 if something does, 2 if the capture cannot be used.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Capture (pcap or pcapng).
    file: PathBuf,
    /// Take the content of the shares from this directory (a subdirectory with the name of a share,
    /// if there is one) instead of what the capture shows.
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    #[command(flatten)]
    input: Input,
    /// How time goes; it is virtual in both cases.
    #[arg(long, value_enum, default_value_t = TimingArg::Captured)]
    timing: TimingArg,
    /// Rules for differences that are none, before those built in: a file or a directory.
    #[arg(long, value_name = "TOML")]
    expect: Vec<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TimingArg {
    /// As in the capture.
    Captured,
    /// As fast as possible.
    Fast,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut rules = Rules::default();
    for path in &args.expect {
        rules = rules.then(Rules::load(path)?);
    }
    let options = Options {
        name: file_name(&args.file),
        tree: args.tree.clone(),
        timing: match args.timing {
            TimingArg::Captured => Timing::Captured,
            TimingArg::Fast => Timing::Fast,
        },
        rules: rules.then(Rules::built_in()?),
    };
    let capture = Capture::open(&args.file, &args.input.options()?)
        .with_context(|| args.file.display().to_string())?;
    let bar = progress_bar(steps(&capture));
    let report = replay(&capture, &options, &mut |n| bar.inc(n));
    bar.finish_and_clear();
    let report = report.with_context(|| args.file.display().to_string())?;
    if let Some(path) = &args.html {
        write(path, &report.to_html())?;
    }
    let text = if args.json {
        report.to_json()?
    } else {
        report.to_text()
    };
    let mut out = std::io::stdout().lock();
    // A reader that has seen enough is no error.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(if report.diverges() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn progress_bar(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages {eta}");
    let bar = ProgressBar::new(steps);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let context = || path.display().to_string();
    let mut file = File::create(path).with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
}
