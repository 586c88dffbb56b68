//! Tries to get out of a share of a running server; see `conformance/escape`.
//!
//! `escape attack ADDRESS SHARE USER PASSWORD SECONDS OUTSIDE` is a client that, while the tree under it
//! is being changed, opens, lists, makes, renames, links, copies and removes names that lead out of the
//! share at one moment and not at the next. `escape names …` (the same words) tries every way to spell a
//! name that leads out. Both say what they reached: `FAIL` lines tell of the canary, which lies in
//! OUTSIDE. `escape swap DIR ELSEWHERE` changes the tree until it is ended.

#[path = "../../tests/wire/mod.rs"]
mod wire;

mod attack;
mod client;
mod names;
mod swap;

use std::process::ExitCode;
use std::time::Duration;

use client::Client;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["swap", dir, elsewhere] => swap::run(dir.as_ref(), elsewhere.as_ref()),
        [what, address, share, user, password, seconds, outside] => {
            let address = address.parse().expect("an address with port");
            let mut client = Client::mount(address, share, (user, password));
            match what {
                "attack" => {
                    let seconds = seconds.parse().expect("a number of seconds");
                    attack::run(&mut client, Duration::from_secs(seconds), outside);
                }
                "names" => names::run(&mut client, outside),
                _ => return usage(),
            }
            if client.failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: escape attack|names ADDRESS SHARE USER PASSWORD SECONDS OUTSIDE\n       \
         escape swap DIR ELSEWHERE"
    );
    ExitCode::from(2)
}
