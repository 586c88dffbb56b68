use smb_engine::vfs::VfsError;

use super::probe::{HOW, Probe, directory, file};

const CASES: [(&str, &str); 4] = [
    ("MiXed.TXT", "mIxED.txt"),
    ("Ünïcödé", "ünÏCÖDÉ"),
    ("Документ", "дОКУМЕНТ"),
    ("ΑΒΓδ", "αβγΔ"),
];

pub(super) fn case_is_kept(p: &Probe<'_>) {
    for (stored, asked) in CASES {
        p.put(stored, b"");
        let opened = p.open_full(asked);
        assert_eq!(opened.at, p.at(stored));
        p.close(opened.handle).unwrap();
    }
    let dir = p.open("");
    let mut expected: Vec<String> = CASES.iter().map(|c| c.0.to_owned()).collect();
    expected.sort();
    assert_eq!(p.names(dir), expected);
}

pub(super) fn case_is_ignored(p: &Probe<'_>) {
    for (stored, asked) in CASES {
        p.make_dir(stored);
        for what in [file(), directory()] {
            assert_eq!(p.create(asked, what).unwrap_err(), VfsError::Exists);
        }
        p.put(&format!("{asked}\\below"), b"x");
        assert_eq!(p.content(&format!("{stored}\\BELOW")), b"x");
    }
}

/// Names that are good for clients, whatever the host thinks of them.
pub(super) fn unusual(p: &Probe<'_>) {
    let mut names = [
        " leading",
        "a b",
        "😀",
        "日本語.txt",
        "e\u{301}",
        "%41",
        "a+b=c",
        "~tmp$",
        "nul-like",
        "x;y",
        "[a]",
        "{b}",
        "comma,",
        "tick'",
        "at@",
        "(1)",
        "...a",
        ".hidden",
    ];
    for name in names {
        p.put(name, name.as_bytes());
        assert_eq!(p.content(name), name.as_bytes(), "{name}");
    }
    let dir = p.open("");
    names.sort_unstable();
    assert_eq!(p.names(dir), names);
}

pub(super) fn long(p: &Probe<'_>) {
    let fits = "n".repeat(255);
    p.put(&fits, b"long");
    assert_eq!(p.content(&fits), b"long");
    let too_long = "n".repeat(256);
    let refused = p.create(&too_long, file()).unwrap_err();
    assert_eq!(refused, VfsError::NameTooLong);
    match p.find(&too_long, HOW) {
        Err(VfsError::NameTooLong) => {}
        other => panic!("{other:?}"),
    }
}
