//! Any bytes are read without a panic, and what has been read is printed so that it reads back.

use std::io;
use std::path::Path;

use proptest::prelude::*;

use crate::config::{PARAMS, Scope, parse, print};

fn nothing(_: &Path) -> io::Result<Vec<u8>> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// Names of parameters, right and nearly right.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..PARAMS.len()).prop_map(|i| PARAMS[i].name.to_owned()),
        1 => "[a-z :=#\\[\"\\\\]{0,8}",
        1 => Just("include".to_owned()),
    ]
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "yes",
                "no",
                "0",
                "7",
                "4M",
                "0640",
                "SMB3",
                "SMB2_02",
                "auto",
                "mandatory",
                "required",
                "bad user",
                "/srv/a b",
                "/a/b*/",
                "@staff, anna",
                "\"x; #\" y",
                "a # b",
                "10. EXCEPT 10.1.1.1",
                "445 139",
                "-AES-128-GCM",
                "acl_xattr",
                "none",
                "\"\"",
                "\"",
                "\\",
                "a\\",
                "\"a\\\"",
                "lo eth0",
                "0x3a:0xf7",
            ][..]
        )
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        "\\PC{0,6}",
    ]
}

/// Text that looks like a configuration.
fn any_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        6 => (any_name(), any_value()).prop_map(|(n, v)| format!("{n} = {v}")),
        1 => prop::sample::select(&["[global]", "[s]", "[T]", "[t]", "[homes]", "[", "[]", "# \\", "x"][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

/// A text that is usually right: every parameter in a place where it may stand.
fn plausible() -> impl Strategy<Value = String> {
    prop::collection::vec((0..PARAMS.len(), any_value()), 0..10).prop_map(|entries| {
        let of = |wanted: &[Scope]| -> String {
            entries
                .iter()
                .map(|(i, v)| (&PARAMS[*i], v))
                .filter(|(p, _)| wanted.contains(&p.scope()))
                .map(|(p, v)| format!("{} = {v}\n", p.name))
                .collect()
        };
        format!(
            "[s]\n{}path = /s\n[global]\n{}server min protocol = SMB2_02\ninterfaces = lo\n",
            of(&[Scope::Share]),
            of(&[Scope::Global, Scope::Both]),
        )
    })
}

proptest! {
    #[test]
    fn bytes_never_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(Path::new("f"), &content, &mut nothing);
    }

    #[test]
    fn text_never_panics_and_round_trips(text in any_text()) {
        round_trip(&text)?;
    }

    #[test]
    fn what_is_printed_reads_back(text in plausible()) {
        round_trip(&text)?;
    }
}

fn round_trip(text: &str) -> Result<(), TestCaseError> {
    let Ok((config, _)) = parse(Path::new("f"), text.as_bytes(), &mut nothing) else {
        return Ok(());
    };
    for all in [false, true] {
        let printed = print(&config, all);
        let again = parse(Path::new("g"), printed.as_bytes(), &mut nothing);
        let (again, _) = again
            .map_err(|e| TestCaseError::fail(format!("does not read back: {e}\n{printed}")))?;
        prop_assert_eq!(&config.global, &again.global, "{}", printed);
        prop_assert_eq!(print(&again, true), print(&config, true));
    }
    Ok(())
}

/// The generator of right texts is not so wild that nothing is ever checked.
#[test]
fn most_plausible_texts_are_right() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let right = (0..200)
        .filter(|_| {
            let text = plausible().new_tree(&mut runner).unwrap().current();
            parse(Path::new("f"), text.as_bytes(), &mut nothing).is_ok()
        })
        .count();
    assert!(right >= 10, "{right} of 200");
}
