//! House rules that no compiler checks: the pure crates reach nothing outside, layers point
//! downwards, files stay readable, and nothing of the workshop is left in the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the repository's root, and its text.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn walk(dir: &Path, wanted: &[&str], found: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let skipped = [
                "target",
                ".git",
                ".venv",
                "out",
                "corpus",
                "artifacts",
                "__pycache__",
            ];
            if !skipped.contains(&name.as_str()) {
                walk(&path, wanted, found);
            }
        } else if wanted.iter().any(|w| name.ends_with(w)) {
            let relative = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            found.push(Source {
                path: relative,
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

fn sources(dir: &str, wanted: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(dir), wanted, &mut found);
    assert!(!found.is_empty(), "no sources under {dir}");
    found
}

/// Lines of code with their numbers: no comments, nothing after the unit tests begin.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source
        .text
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l))
        .take_while(|(_, l)| l.trim() != "#[cfg(test)]")
        .filter(|(_, l)| !l.trim_start().starts_with("//"))
}

#[test]
fn the_pure_crates_reach_nothing_outside() {
    const FORBIDDEN: &[&str] = &[
        "std::fs",
        "std::env",
        "std::thread",
        "std::process",
        "std::io",
        "std::os",
        "std::sync::Mutex",
        "std::sync::RwLock",
        "std::rc",
        "std::cell",
        "time::Instant::now",
        "SystemTime",
        "TcpStream",
        "UdpSocket",
        "HashMap",
        "HashSet",
        "RandomState",
        "getrandom",
        "thread_rng",
        "OsRng",
        "static mut",
        "thread_local!",
        "OnceLock",
        "LazyLock",
        "println!",
        "eprintln!",
        "unsafe ",
    ];
    // Values that describe addresses do no I/O.
    const ALLOWED: &[&str] = &[
        "std::net::IpAddr",
        "std::net::Ipv4Addr",
        "std::net::Ipv6Addr",
        "std::net::SocketAddr",
    ];
    let mut bad = Vec::new();
    for source in sources("smb-proto/src", &[".rs"])
        .iter()
        .chain(&sources("smb-engine/src", &[".rs"]))
    {
        if source.path.contains("/tests") || source.path.ends_with("test_util.rs") {
            continue;
        }
        for (number, line) in code(source) {
            let net = line.contains("std::net") && !ALLOWED.iter().any(|a| line.contains(a));
            if let Some(word) = FORBIDDEN.iter().find(|w| line.contains(*w)) {
                bad.push(format!("{}:{number}: {word}", source.path));
            } else if net {
                bad.push(format!("{}:{number}: std::net", source.path));
            }
        }
    }
    assert!(bad.is_empty(), "the pure crates use:\n{}", bad.join("\n"));
    for name in ["smb-proto", "smb-engine"] {
        let text = fs::read_to_string(root().join(name).join("src/lib.rs")).unwrap();
        assert!(
            text.contains("#![forbid(unsafe_code)]"),
            "{name} does not forbid unsafe code"
        );
    }
}

#[test]
fn crates_depend_downwards_only() {
    for (name, forbidden) in [
        (
            "smb-proto",
            &[
                "smb-engine",
                "driver-mio",
                "driver-sim",
                "conformance",
                "mio",
                "tracing",
            ][..],
        ),
        (
            "smb-engine",
            &["driver-mio", "driver-sim", "conformance", "mio", "tracing"],
        ),
        ("driver-mio", &["driver-sim", "conformance"]),
        ("driver-sim", &["driver-mio", "conformance"]),
    ] {
        let text = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let start = text.find("[dependencies]").unwrap();
        let section = &text[start + 1..];
        let section = &section[..section.find("\n[").unwrap_or(section.len())];
        for crate_name in forbidden {
            let uses = section.lines().any(|l| {
                l.starts_with(&format!("{crate_name}.")) || l.starts_with(&format!("{crate_name} "))
            });
            assert!(!uses, "{name} depends on {crate_name}");
        }
    }
}

#[test]
fn layers_of_the_engine_point_downwards() {
    // The folder, and what its files may not name.
    const RULES: &[(&str, &[&str])] = &[
        (
            "smb-engine/src/vfs",
            &[
                "crate::core",
                "crate::cmd",
                "crate::dispatch",
                "crate::link",
            ],
        ),
        (
            "smb-engine/src/link",
            &[
                "crate::core",
                "crate::cmd",
                "crate::dispatch",
                "crate::auth",
            ],
        ),
        (
            "smb-engine/src/acl",
            &[
                "crate::core",
                "crate::cmd",
                "crate::dispatch",
                "crate::link",
            ],
        ),
        (
            "smb-engine/src/pipe",
            &[
                "crate::core",
                "crate::cmd",
                "crate::dispatch",
                "crate::link",
            ],
        ),
    ];
    let mut bad = Vec::new();
    for (dir, forbidden) in RULES {
        for source in sources(dir, &[".rs"]) {
            for (number, line) in code(&source) {
                if let Some(layer) = forbidden.iter().find(|f| line.contains(*f)) {
                    bad.push(format!("{}:{number}: {layer}", source.path));
                }
            }
        }
    }
    // Commands do not call one another: what they share lies below them.
    for source in sources("smb-engine/src/cmd", &[".rs"]) {
        if source.path == "smb-engine/src/cmd/mod.rs" {
            continue;
        }
        let own = source.path.trim_start_matches("smb-engine/src/cmd/");
        let own = own.split(['/', '.']).next().unwrap_or_default();
        for (number, line) in code(&source) {
            for (at, _) in line.match_indices("crate::cmd::") {
                let rest = &line[at + "crate::cmd::".len()..];
                let other: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let shared = other.is_empty() || other.starts_with(char::is_uppercase);
                if !shared && other != own && other == other.to_lowercase() {
                    bad.push(format!("{}:{number}: command {other}", source.path));
                }
            }
        }
    }
    assert!(bad.is_empty(), "layers are crossed:\n{}", bad.join("\n"));
}

#[test]
fn files_stay_readable() {
    // Tables are exempt: they have no logic to lose sight of.
    const TABLES: &[&str] = &[
        "smb-proto/src/status/table.rs",
        "driver-mio/src/config/samba_names.rs",
    ];
    let mut long = Vec::new();
    for dir in [
        "smb-proto/src",
        "smb-engine/src",
        "driver-mio/src",
        "driver-sim/src",
    ] {
        for source in sources(dir, &[".rs"]) {
            // Tests are in files of their own so that the size of the code means something.
            if source.path.contains("/tests/") || source.path.ends_with("/tests.rs") {
                continue;
            }
            let lines = code(&source).count();
            if lines > 620 && !TABLES.contains(&source.path.as_str()) {
                long.push(format!("{}: {lines} lines", source.path));
            }
        }
    }
    assert!(
        long.is_empty(),
        "split these by what they own:\n{}",
        long.join("\n")
    );
}

#[test]
fn nothing_of_the_workshop_is_left() {
    // Put together here so that this file does not contain them.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/home", "/"),
        concat!("/ro", "ot/"),
        concat!("to", "do!("),
        concat!("dbg", "!("),
        concat!("FIX", "ME"),
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("pypi", ".org"),
        concat!("deb.", "debian.org"),
        concat!("registry.", "npmjs"),
    ];
    let mut bad = Vec::new();
    for source in sources(
        ".",
        &[
            ".rs", ".md", ".toml", ".py", ".sh", ".tsv", ".conf", "check", "run",
        ],
    ) {
        for (number, line) in source.text.lines().enumerate() {
            // A link of the kernel's, not a directory of somebody's machine.
            let line = line.replace("/proc/self/root", "");
            if let Some(word) = words.iter().find(|w| line.contains(*w)) {
                bad.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    assert!(bad.is_empty(), "left over:\n{}", bad.join("\n"));
}
