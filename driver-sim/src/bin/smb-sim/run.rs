use std::process::ExitCode;

/// Runs the world of each seed and prints a hash of all that the server sent.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not built yet")
}
