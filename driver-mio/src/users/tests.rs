use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use smb_engine::identity::IdentityKind;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::dtyp::Sid;

use super::accounts::Unknown;
use super::*;

fn parse(text: &str) -> Result<UserDb, UserDbError> {
    UserDb::parse(Path::new("users.db"), text.as_bytes())
}

#[track_caller]
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Err(UserDbError::Invalid(mistakes)) => mistakes,
        other => panic!("expected mistakes, got {other:?}"),
    }
}

/// The NT hash of "password", as every list of them has it, and its Base64 form.
const HASH: [u8; 16] = [
    0x88, 0x46, 0xf7, 0xea, 0xee, 0x8f, 0xb1, 0x17, 0xad, 0x06, 0xbd, 0xd8, 0x30, 0xb7, 0x58, 0x6c,
];
const HASH_TEXT: &str = "iEb36u6PsRetBr3YMLdYbA==";

#[test]
fn the_format_of_ksmbd() {
    let mut db = UserDb::default();
    db.add("anna", NtHash::of_password("password")).unwrap();
    assert_eq!(*db.to_text(), format!("anna:{HASH_TEXT}\n"));
    let again = parse(&db.to_text()).unwrap();
    assert_eq!(again.find("anna").unwrap().1.as_bytes(), &HASH);
    // ksmbd does not insist on the padding.
    let bare = parse(&format!("anna:{}", HASH_TEXT.trim_end_matches('='))).unwrap();
    assert_eq!(bare.find("ANNA").unwrap().0, "anna");
}

#[test]
fn comments_and_blank_lines_stay() {
    let text = format!("# people\n\nanna:{HASH_TEXT}\n; more\nbob:{HASH_TEXT}\n");
    let mut db = parse(&text).unwrap();
    assert_eq!(db.names().collect::<Vec<_>>(), ["anna", "bob"]);
    assert!(db.remove("ANNA") && !db.remove("anna"));
    assert!(db.set("bob", NtHash::of_password("x")) && !db.set("anna", NtHash::of_password("x")));
    let out = db.to_text();
    assert!(out.starts_with("# people\n\n; more\nbob:"));
    assert!(!out.contains(HASH_TEXT));
    assert!(parse("").unwrap().is_empty() && parse("\n\n").unwrap().is_empty());
    assert_eq!(*parse(&text.replace('\n', "\r\n")).unwrap().to_text(), text);
}

#[test]
fn all_wrong_lines_are_named() {
    let text = format!(
        "anna:{HASH_TEXT}\nbob\n:x\nANNA:{HASH_TEXT}\ncarl:AAAA\ndora:not base64!\nemil:{HASH_TEXT}\n"
    );
    assert_eq!(
        mistakes(&text),
        [
            "users.db:2: expected `name:hash`, as `smb-server user add` writes it",
            "users.db:3: expected a user name of 1 to 47 bytes before the colon, without control characters and without white space around it",
            "users.db:4: the user `ANNA` is given already on line 1; expected one line for each user",
            "users.db:5: expected the 16 bytes of an NT hash in Base64 after the colon",
            "users.db:6: expected the 16 bytes of an NT hash in Base64 after the colon",
        ]
    );
}

#[test]
fn names_of_users() {
    for good in ["a", "Anna Lena", "änne", &"x".repeat(47)] {
        check_user_name(good).unwrap();
    }
    for bad in [
        "",
        "a:b",
        " a",
        "a ",
        "#a",
        ";a",
        "a\nb",
        &"x".repeat(48),
        &"ä".repeat(24),
    ] {
        assert!(check_user_name(bad).is_err(), "{bad}");
    }
    let mut db = UserDb::default();
    db.add("Anna", NtHash::of_password("x")).unwrap();
    assert_eq!(
        db.add("anna", NtHash::of_password("y"))
            .unwrap_err()
            .to_string(),
        "the user `Anna` exists already; `smb-server user passwd Anna` changes the password"
    );
}

#[test]
fn hashes_are_not_printed() {
    let db = parse(&format!("anna:{HASH_TEXT}\n")).unwrap();
    assert_eq!(format!("{db:?}"), "[\"anna\"]");
}

#[test]
fn saved_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.db");
    UserDb::update(&path, |db| db.add("anna", NtHash::of_password("x"))).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    UserDb::update(&path, |db| db.add("bob", NtHash::of_password("x"))).unwrap();
    assert_eq!(
        UserDb::load(&path).unwrap().names().collect::<Vec<_>>(),
        ["anna", "bob"]
    );
    // No temporary file stays behind, nor after a change that fails.
    UserDb::update(&path, |db| db.add("bob", NtHash::of_password("y"))).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_link_to_the_database_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    UserDb::update(&link, |db| db.add("anna", NtHash::of_password("x"))).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(UserDb::load(&file).unwrap().names().count(), 1);
}

#[test]
fn a_database_open_to_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.db");
    fs::write(&path, "").unwrap();
    for (mode, refused) in [(0o644, true), (0o602, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(UserDb::load(&path).is_err(), refused, "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let message = UserDb::load(&path).unwrap_err().to_string();
    assert!(
        message.ends_with(&format!("`chmod 600 {}`", path.display())),
        "{message}"
    );
}

#[test]
fn changes_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.db");
    std::thread::scope(|scope| {
        for i in 0..8 {
            let path = &path;
            scope.spawn(move || {
                UserDb::update(path, |db| {
                    db.add(&format!("u{i}"), NtHash::of_password("x"))
                })
                .unwrap();
            });
        }
    });
    assert_eq!(UserDb::load(&path).unwrap().names().count(), 8);
}

#[test]
fn passwords_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    for (content, password) in [
        ("secret\n", "secret"),
        ("a b \r\nmore\n", "a b "),
        ("x", "x"),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(*from_file(&path).unwrap(), password);
    }
    for content in ["", "\n", &"x".repeat(129), &"x".repeat(9000)] {
        fs::write(&path, content).unwrap();
        assert!(matches!(from_file(&path), Err(PasswordError::Length)));
    }
    assert!(matches!(
        from_file(&folder.path().join("gone")),
        Err(PasswordError::Read { .. })
    ));
}

#[test]
fn generated_passwords() {
    let (one, two) = (generate().unwrap(), generate().unwrap());
    assert_ne!(*one, *two);
    assert_eq!(one.len(), 19);
    for (i, c) in one.chars().enumerate() {
        assert_eq!(c == '-', i % 5 == 4, "{}", *one);
        assert!(!"lo01".contains(c), "{}", *one);
    }
    check(&one).unwrap();
}

#[test]
fn sids_of_host_accounts() {
    let domain = Sid::domain(1, 2, 3);
    assert_eq!(
        sids::of_uid(&domain, 1000).to_string(),
        "S-1-5-21-1-2-3-1000"
    );
    assert_eq!(sids::of_uid(&domain, 0).to_string(), "S-1-22-1-0");
    assert_eq!(sids::of_gid(100).to_string(), "S-1-22-2-100");
    for uid in [0, 1, 1000, u32::MAX] {
        assert_eq!(
            sids::uid_of(&domain, &sids::of_uid(&domain, uid)),
            Some(uid)
        );
        assert_eq!(sids::gid_of(&sids::of_gid(uid)), Some(uid));
    }
    assert_eq!(
        sids::uid_of(&domain, &"S-1-22-1-7".parse().unwrap()),
        Some(7)
    );
    assert_eq!(
        sids::uid_of(&domain, &"S-1-5-88-1-7".parse().unwrap()),
        Some(7)
    );
    assert_eq!(sids::gid_of(&"S-1-5-88-2-7".parse().unwrap()), Some(7));
    for other in [
        "S-1-5-21-1-2-4-1000",
        "S-1-5-32-544",
        "S-1-22-2-5",
        "S-1-5-21-1-2-3",
    ] {
        assert_eq!(
            sids::uid_of(&domain, &other.parse().unwrap()),
            None,
            "{other}"
        );
    }
}

#[test]
fn identity_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let derived = Machine::load(Some(folder.path())).unwrap();
    assert_eq!(derived, Machine::load(None).unwrap());
    assert_ne!(Machine::from_id(b"a"), Machine::from_id(b"b"));
    assert_eq!(derived.domain.sub_authorities().len(), 4);
    let file = folder.path().join("ksmbd.subauth");
    fs::write(&file, "11:22:4294967295\n").unwrap();
    let read = Machine::load(Some(folder.path())).unwrap();
    assert_eq!(read.domain.to_string(), "S-1-5-21-11-22-4294967295");
    assert_eq!(read.guid, derived.guid);
    for wrong in ["", "1:2", "1:2:3:4", "1:2:x", "1:2:4294967296"] {
        fs::write(&file, wrong).unwrap();
        let message = Machine::load(Some(folder.path())).unwrap_err().to_string();
        assert!(
            message.contains("ksmbd.subauth:1: expected three numbers"),
            "{message}"
        );
    }
}

fn accounts(mapping: Mapping) -> Accounts {
    let mut db = UserDb::default();
    for name in ["root", "no-such-user-here"] {
        db.add(name, NtHash::of_password("password")).unwrap();
    }
    Accounts::new(db, Sid::domain(1, 2, 3), "BOX".to_owned(), mapping)
}

#[test]
fn accounts_with_and_without_a_host_user() {
    let refusing = accounts(Mapping::ByName);
    let root = refusing.account("ROOT").unwrap();
    assert_eq!(root.nt_hash.as_bytes(), &HASH);
    assert_eq!(root.identity.name, "root");
    assert_eq!(root.identity.domain, "BOX");
    assert_eq!(root.identity.uid, Some(0));
    assert_eq!(root.identity.sid.to_string(), "S-1-22-1-0");
    assert!(
        root.identity
            .groups
            .contains(&"S-1-22-2-0".parse().unwrap())
    );
    assert!(!root.identity.admin);
    assert_eq!(refusing.account("no-such-user-here"), None);
    assert_eq!(refusing.account("nobody-in-the-database"), None);
    assert_eq!(refusing.refused(), ["no-such-user-here"]);
    assert_eq!(refusing.identities().len(), 1);

    let host = HostUser {
        uid: 1234,
        gid: 5,
        groups: vec![5, 6],
    };
    let lenient = accounts(Mapping::All(host));
    let other = lenient.account("no-such-user-here").unwrap().identity;
    assert_eq!(other.sid.to_string(), "S-1-5-21-1-2-3-1234");
    assert_eq!((other.uid, other.gid), (Some(1234), Some(5)));
    assert_eq!(other.host_groups, [5, 6]);
    assert_eq!(lenient.refused(), Vec::<String>::new());
    // Who has an account on the host acts as the same user, but is in the own groups too.
    let root = lenient.account("root").unwrap().identity;
    assert_eq!(root.uid, Some(1234));
    assert!(root.groups.contains(&sids::of_gid(0)) && root.groups.contains(&sids::of_gid(6)));
    assert_eq!(root.host_groups, [5, 6]);
    assert_eq!(lenient.guest("nobody").uid, Some(1234));
}

#[test]
fn guests_and_forced_users() {
    let accounts = accounts(Mapping::ByName);
    let guest = accounts.guest("no-such-user-here");
    assert_eq!(guest.kind, IdentityKind::Guest);
    assert_eq!((guest.uid, guest.gid), (Some(65_534), Some(65_534)));
    let forced = accounts.forced(Some("root"), Some("daemon")).unwrap();
    assert_eq!(forced.uid, Some(0));
    assert!(
        forced
            .gid
            .is_some_and(|gid| gid != 0 && forced.host_groups.contains(&gid))
    );
    assert_eq!(
        accounts.forced(Some("no-such-user-here"), None),
        Err(Unknown::User("no-such-user-here".to_owned()))
    );
    assert_eq!(
        accounts.forced(None, Some("no-such-group-here")),
        Err(Unknown::Group("no-such-group-here".to_owned()))
    );
    assert_eq!(accounts.group("root").unwrap().to_string(), "S-1-22-2-0");
    assert_eq!(accounts.group("no-such-group-here"), None);
}

proptest! {
    #[test]
    fn any_database_is_read_without_a_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = UserDb::parse(Path::new("f"), &content);
    }

    #[test]
    fn what_is_written_reads_back(users in prop::collection::btree_map("[a-z]{1,47}", any::<[u8; 16]>(), 0..8)) {
        let mut db = UserDb::default();
        for (name, hash) in &users {
            db.add(name, NtHash::from_bytes(*hash)).unwrap();
        }
        let again = UserDb::parse(Path::new("f"), db.to_text().as_bytes()).unwrap();
        prop_assert_eq!(again.users().count(), users.len());
        for (name, hash) in &users {
            prop_assert_eq!(again.find(name).unwrap().1.as_bytes(), hash);
        }
    }
}
