//! One SMB client crate behind a line protocol, so that the scenario of
//! `conformance/clients` drives Rust crates like any other client.
//!
//! Requests and answers are JSON, one a line, on standard input and output.
//! The answer is `{"ok": value}` or `{"refused": "text", "status": number}`,
//! `status` being the NTSTATUS where the crate tells it.

mod client;
mod smb2_crate;
mod smb_crate;

use std::io::{BufRead, Write};

use clap::Parser;
use serde_json::json;

use client::{Client, Request, Target};

/// Which crate to drive.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Crate {
    Smb,
    Smb2,
}

#[derive(Parser)]
struct Args {
    /// The client crate.
    client: Crate,
    #[command(flatten)]
    target: Target,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.client {
        Crate::Smb => serve(smb_crate::SmbCrate::new(args.target)?).await,
        Crate::Smb2 => serve(smb2_crate::Smb2Crate::new(args.target)?).await,
    }
}

/// Answers requests until standard input ends.
async fn serve(mut client: impl Client) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let answer = match client::run(&mut client, request).await {
            Ok(value) => json!({ "ok": value }),
            Err(refusal) => json!({ "refused": refusal.text, "status": refusal.status }),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
