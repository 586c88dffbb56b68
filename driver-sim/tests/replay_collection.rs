//! Replays every capture of the collection: nothing crashes, and no difference is without a rule.
//!
//! The collection is the folder that the environment variable SANSMB_CAPTURES names, else
//! `shared/captures` beside the repository. Without it this fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use driver_sim::capture::{Capture, Options as ReadOptions, Secrets};
use driver_sim::replay::{Options, ReplayError, Rules, Timing, replay};

/// Captures whose only connection begins in the middle.
const UNUSABLE: [&str; 3] = [
    "public/wireshark-smb311-lz77-lz77huff-lznt1.pcap",
    "public/zeek-smb2-multiple-pdus.pcap",
    "public/zeek-smb2readwrite.pcap",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn collection() -> PathBuf {
    let folder = std::env::var_os("SANSMB_CAPTURES")
        .map_or_else(|| root().join("../shared/captures"), PathBuf::from);
    assert!(
        folder.join("captures.tsv").is_file(),
        "the collection of captures is missing: there is no {}/captures.tsv; \
         SANSMB_CAPTURES names the folder",
        folder.display()
    );
    folder
}

/// What the catalogue knows of a capture that opens it.
fn read_options(row: &BTreeMap<&str, &str>) -> ReadOptions {
    let known = |column: &str| row.get(column).copied().filter(|v| *v != "-");
    let mut secrets = Secrets::default();
    if let (Some(users), Some(passwords)) = (known("user"), known("password")) {
        for (user, password) in users.split(',').zip(passwords.split('|')) {
            secrets.add_password(&format!("{user}:{password}")).unwrap();
        }
    }
    for key in known("session_keys").into_iter().flat_map(|k| k.split(';')) {
        secrets.add_session_key(key).unwrap();
    }
    let mut options = ReadOptions {
        secrets,
        ..ReadOptions::default()
    };
    let ports = known("tcp_ports").into_iter().flat_map(|p| p.split(','));
    options
        .ports
        .extend(ports.map(|p| p.parse::<u16>().unwrap()));
    options
}

#[test]
fn every_capture_replays_and_every_difference_has_a_rule() {
    let folder = collection();
    let expected = Rules::load(&root().join("conformance/captures/expected")).unwrap();
    let rules = expected.then(Rules::built_in().unwrap());
    let table = std::fs::read_to_string(folder.join("captures.tsv")).unwrap();
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let (mut requests, mut wrong) = (0, Vec::new());
    for line in lines {
        let row: BTreeMap<&str, &str> = names.iter().copied().zip(line.split('\t')).collect();
        let file = row["file"];
        let capture = Capture::open(&folder.join(file), &read_options(&row)).unwrap();
        let options = Options {
            name: file.rsplit('/').next().unwrap().to_owned(),
            tree: None,
            timing: Timing::Captured,
            rules: rules.clone(),
        };
        let report = match replay(&capture, &options, &mut |_| {}) {
            Ok(report) => report,
            Err(ReplayError::Unusable(_)) if UNUSABLE.contains(&file) => continue,
            Err(e) => panic!("{file}: {e}"),
        };
        assert!(!UNUSABLE.contains(&file), "{file} can be replayed");
        requests += report.counts.replayed;
        if report.diverges() {
            wrong.push(format!("{file}\n{}", report.to_text()));
        }
        assert!(!report.to_html().is_empty());
        report.to_json().unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(requests > 9000, "{requests}");
}
