//! A client with opens, leases and locks writes numbered records while its server is killed, or its
//! connection cut, again and again. Nothing that was acknowledged may be lost, and nothing granted twice.
//!
//! usage: crash SMB-SERVER DIRECTORY PORT KILLS CUTS SEED USER

mod line;
mod server;
mod state;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use driver_sim::client::Random;

use server::Server;
use state::{Mode, State};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &'static str| args.next().context(what);
    let binary = PathBuf::from(next("SMB-SERVER")?);
    let directory = PathBuf::from(next("DIRECTORY")?);
    let port: u16 = next("PORT")?.parse()?;
    let kills: u32 = next("KILLS")?.parse()?;
    let cuts: u32 = next("CUTS")?.parse()?;
    let seed: u64 = next("SEED")?.parse()?;
    let user = next("USER")?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut random = Random::new(seed);
    let mut passed = 0;

    let mut server = Server::prepare(&binary, &directory, address, &user)?;
    server.start()?;
    for (mode, times) in [(Mode::Killed, kills), (Mode::Cut, cuts)] {
        let mut state = State::new(mode, seed);
        for round in 0..=times {
            // The last one is not disturbed: everything has to be as it should.
            let after = (round < times).then(|| {
                let most = [20, 150, 600][usize::try_from(random.below(3)).unwrap_or(0)];
                Duration::from_millis(1 + random.below(most))
            });
            let result = state.round(&mut server, after);
            result.with_context(|| format!("{mode:?}, round {round}, seed {seed}"))?;
            passed += 1;
        }
        println!("{mode:?} {times} times: {}", state.summary());
    }
    println!("{passed} passed, 0 failed, 0 skipped");
    Ok(())
}
