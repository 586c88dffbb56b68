//! `smb-sim`: whole conversations with the server as a function of a seed, and packet captures
//! replayed against it.

mod journal;
mod replay;
mod run;
mod show;
mod shrink;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Simulates the SMB server: whole runs from a seed, and packet captures replayed against it.
#[derive(Parser)]
#[command(name = "smb-sim", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Shrink(shrink::Args),
    Show(show::Args),
    Replay(replay::Args),
    Journal(journal::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Shrink(args) => shrink::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Journal(args) => journal::run(&args),
    };
    result.unwrap_or_else(|error| {
        // Whoever reads the output has seen enough.
        let piped = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
        if error.chain().any(|e| e.downcast_ref().is_some_and(piped)) {
            return ExitCode::SUCCESS;
        }
        eprintln!("smb-sim: {error:#}");
        ExitCode::from(2)
    })
}
