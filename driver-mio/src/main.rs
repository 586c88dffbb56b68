//! The `smb-server` command.

mod cli;
mod cmd;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use cmd::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.message().lines() {
                eprintln!("smb-server: {line}");
            }
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Serve(args) => {
            log_to_stderr(cli, "info")?;
            cmd::serve::serve(args)
        }
        Command::Run(args) => {
            let (config, warnings) = driver_mio::config::load(&args.config)?;
            log_to_stderr(cli, config.global.log_level.filter())?;
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            cmd::run::run(args, config)
        }
        Command::Check(args) => cmd::check::check(args),
        Command::User(command) => {
            log_to_stderr(cli, "warn")?;
            cmd::user::user(command)
        }
    }
}

/// Logs by --log, else by -v, else by `level`, to standard error: standard output is for answers.
fn log_to_stderr(cli: &Cli, level: &str) -> Result<(), Failure> {
    let filter = match (&cli.log, cli.verbose) {
        (Some(filter), _) => EnvFilter::try_new(filter).map_err(|e| {
            Failure::Usage(format!(
                "cannot log by `{filter}` ({e}); expected a level such as `debug`, or `target=level` with commas between"
            ))
        })?,
        (None, 0) => EnvFilter::new(level),
        (None, 1) => EnvFilter::new("debug"),
        (None, _) => EnvFilter::new("trace"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
