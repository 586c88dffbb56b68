//! `docs/security-scenarios.md` and `docs/interop-traps.md` name tests; each of them exists, and every row
//! has one or says what it waits for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Names of tests as the document writes them: file or folder, and function.
fn tests_of(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                tests_of(&path, found);
            }
            continue;
        }
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Attributes may stand between #[test] and the function.
        let mut test = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                test = true;
            } else if let (true, Some(rest)) = (test, line.strip_prefix("fn ")) {
                let function = rest.split(['(', '<']).next().unwrap_or(rest);
                found.insert(format!("{name}::{function}"));
                test = false;
            }
        }
    }
}

fn document() -> String {
    fs::read_to_string(root().join("docs/security-scenarios.md")).unwrap()
}

fn traps() -> String {
    fs::read_to_string(root().join("docs/interop-traps.md")).unwrap()
}

#[test]
fn every_test_that_is_named_exists() {
    let mut found = BTreeSet::new();
    for dir in [
        "conformance/tests",
        "driver-mio",
        "driver-sim",
        "smb-engine/src",
        "smb-proto/src",
    ] {
        tests_of(&root().join(dir), &mut found);
    }
    let documents = document() + &traps();
    let rows = documents.lines().filter(|l| l.starts_with("| "));
    let named: Vec<&str> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|quoted| quoted.contains("::"))
        .collect();
    assert!(named.len() > 100, "{} tests are named", named.len());
    let missing: Vec<_> = named.iter().filter(|n| !found.contains(**n)).collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:?}");
}

#[test]
fn every_row_has_a_test_or_waits() {
    let document = document();
    let rows: Vec<&str> = document
        .lines()
        .filter(|l| l.starts_with("| CVE") || l.starts_with("| ZDI"))
        .collect();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for row in rows {
        let tests = row.contains("::");
        assert!(tests || row.contains("waits for: "), "{row}");
    }
}

#[test]
fn every_trap_has_a_test_or_waits() {
    let traps = traps();
    let rows: Vec<&str> = traps
        .lines()
        .filter(|l| l.starts_with("| "))
        .skip(1)
        .collect();
    assert!(rows.len() >= 10, "{} rows", rows.len());
    for row in rows {
        assert!(row.contains("::") || row.contains("waits for: "), "{row}");
    }
}

/// The other way round: what is among the scenarios stands in the document.
#[test]
fn every_scenario_is_named() {
    let mut scenarios = BTreeSet::new();
    for dir in ["security_bytes", "security_scenarios"] {
        tests_of(&root().join("driver-sim/tests").join(dir), &mut scenarios);
    }
    let document = document();
    let unnamed: Vec<_> = scenarios
        .iter()
        .filter(|name| !document.contains(&format!("`{name}`")))
        .collect();
    assert!(unnamed.is_empty(), "not in the document: {unnamed:?}");
}
