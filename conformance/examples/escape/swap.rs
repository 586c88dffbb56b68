//! The other process: a directory and a file are themselves in one moment and links out of the share in
//! the next, and a directory is moved out and in while paths lead through it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Runs until it is ended. `dir` has `d` and `l`, `f` and `fl`, of which the second are links out, and
/// `deep/a`, which goes to `elsewhere` and comes back.
pub(crate) fn run(dir: &Path, elsewhere: &Path) -> ExitCode {
    let at = |name: &str| dir.join(name);
    let file_link = fs::read_link(at("fl")).expect("a link to begin with");
    let pairs = [(at("d"), at("l")), (at("f"), at("fl"))];
    let deep = (at("deep/a"), elsewhere.join("a"));
    for round in 0_u64.. {
        for (a, b) in &pairs {
            // Clients may have removed one of them for a moment.
            let _ = renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE);
        }
        if round.is_multiple_of(16) {
            let _ = fs::rename(&deep.0, &deep.1);
            let _ = fs::rename(&deep.1, &deep.0);
            mend(&pairs[1].0, &pairs[1].1, &file_link);
        }
        // At times as fast as it goes, at times with room for an open to end.
        match round / 4096 % 4 {
            0 => {}
            1 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(round % 300)),
        }
    }
    ExitCode::SUCCESS
}

/// Makes the file or the link again, whichever is missing.
fn mend(file: &Path, link: &Path, target: &Path) {
    for (missing, other) in [(file, link), (link, file)] {
        if fs::symlink_metadata(missing).is_ok() {
            continue;
        }
        let other_is_link = fs::symlink_metadata(other).is_ok_and(|m| m.is_symlink());
        if other_is_link {
            let made = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(missing);
            drop(made);
        } else {
            let _ = symlink(target, missing);
        }
    }
}
