//! Reads every capture of the collection and holds what is found against its catalogue.
//!
//! The collection is the folder that the environment variable SANSMB_CAPTURES names, else
//! `shared/captures` beside the repository. Without it these tests fail: what they check cannot be
//! checked otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use driver_sim::capture::{
    Capture, Content, Direction, Message, Options, Proof, Secrets, Signature, Start,
};
use smb_proto::crypto::PreauthHash;
use smb_proto::msg::Response;
use smb_proto::transform::TransformHeader;
use smb_proto::{Command, Dialect};

/// The folder with the captures.
fn collection() -> PathBuf {
    let folder = std::env::var_os("SANSMB_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"),
        PathBuf::from,
    );
    assert!(
        folder.join("captures.tsv").is_file(),
        "the collection of captures is missing: there is no {}/captures.tsv; \
         SANSMB_CAPTURES names the folder",
        folder.display()
    );
    folder
}

/// One line of the catalogue by column.
type Row = BTreeMap<String, String>;

fn catalogue(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("captures.tsv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| {
            let cells = line.split('\t').map(str::to_owned);
            names.iter().map(|n| (*n).to_owned()).zip(cells).collect()
        })
        .collect()
}

fn row(folder: &Path, file: &str) -> Row {
    catalogue(folder)
        .into_iter()
        .find(|r| r["file"] == file)
        .unwrap_or_else(|| panic!("the catalogue has no {file}"))
}

/// The parts of a list in a cell; `-` is an empty one.
fn list(cell: &str) -> Vec<&str> {
    cell.split(';').filter(|part| *part != "-").collect()
}

/// All that the catalogue knows about the secrets of a capture.
fn options(row: &Row, passwords: bool, keys: bool) -> Options {
    let mut secrets = Secrets::default();
    if passwords {
        let words = list(&row["password"]);
        for (user, word) in list(&row["user"]).iter().zip(words) {
            secrets.add_password(&format!("{user}:{word}")).unwrap();
        }
    }
    if keys {
        for key in list(&row["session_keys"]) {
            secrets.add_session_key(key).unwrap();
        }
    }
    Options {
        secrets,
        ..Options::default()
    }
}

fn read(folder: &Path, row: &Row) -> Capture {
    let path = folder.join(&row["file"]);
    Capture::open(&path, &options(row, true, true))
        .unwrap_or_else(|e| panic!("{}: {e}", row["file"]))
}

fn messages(capture: &Capture) -> impl Iterator<Item = &Message> {
    capture.conversations.iter().flat_map(|c| &c.messages)
}

/// Requests by command as the catalogue counts them: OPLOCK_BREAK in both directions.
fn commands(capture: &Capture) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in messages(capture) {
        let command = message.header.command().unwrap();
        if message.direction == Direction::ToServer || command == Command::OplockBreak {
            *counts.entry(command.to_string()).or_insert(0) += 1;
        }
    }
    counts
}

/// What is known to deviate from the catalogue, with the reason.
fn known(file: &str, what: &str) -> bool {
    matches!(
        (file, what),
        // A proxy in it has a second connection on port 4445, which the catalogue does not count.
        ("public/suricata-smb-length-5770.pcap", "commands")
            // and it makes one WRITE longer than its frame.
            | ("public/suricata-smb-length-5770.pcap", "unreadable")
            // Written with a tool that lost track after a very long message.
            | ("made/smbclient-311-bigwrite.pcap" | "made/smbclient-311-scopy.pcap", "commands")
            // An attack: a compressed message that is none.
            | ("public/zeek-SMBGhost.pcap", "unreadable")
    )
}

/// Every capture is read as the catalogue says: the same commands in the same number, nothing left
/// that is unreadable, encrypted or compressed, no signature that is wrong.
#[test]
fn all_captures_agree_with_their_catalogue() {
    let folder = collection();
    let rows = catalogue(&folder);
    assert!(rows.len() >= 180, "only {} captures", rows.len());
    let mut wrong = Vec::new();
    let nobody = |header: &TransformHeader| header.session_id.0 == 0;
    let (mut count, mut good) = (0, 0);
    for row in &rows {
        let file = row["file"].as_str();
        let capture = read(&folder, row);
        let mut say = |what: &str, text: String| {
            if !known(file, what) {
                wrong.push(format!("{file}: {what}: {text}"));
            }
        };
        let mut expected = list(&row["commands"]);
        if row["commands_after_decryption"] != "-" {
            expected = list(&row["commands_after_decryption"]);
        }
        let found: Vec<String> = commands(&capture)
            .iter()
            .map(|(name, n)| format!("{name}={n}"))
            .collect();
        if found != expected {
            say(
                "commands",
                format!("found {found:?}, expected {expected:?}"),
            );
        }
        for conversation in &capture.conversations {
            for other in &conversation.others {
                match &other.content {
                    // impacket says good-bye encrypted for no session.
                    Content::Sealed(header) if nobody(header) => {}
                    Content::Sealed(_) => say("encrypted", format!("{:?}", other.frames)),
                    Content::Compressed(e) => say("unreadable", e.clone()),
                    Content::Unreadable(e) => say("unreadable", format!("{e} {:?}", other.frames)),
                    Content::Smb1Negotiate(_) | Content::Smb1 { .. } | Content::NetBios(_) => {}
                }
            }
            for m in &conversation.messages {
                count += 1;
                good += usize::from(m.signature == Signature::Good);
                if let (Err(e), 0) = (&m.body, m.missing) {
                    say("unreadable", format!("{e} {:?}", m.frames));
                }
                if m.signature == Signature::Bad {
                    say("signature", format!("message {} {:?}", m.number, m.frames));
                }
                // Answers belong to requests, and the other way round.
                if let Some(request) = m.request {
                    let request = &conversation.messages[request];
                    assert_eq!(request.header.message_id, m.header.message_id);
                    assert!(request.answer == Some(m.number) || request.interim == Some(m.number));
                }
            }
            let whole = conversation.gaps.is_empty() && conversation.start != Start::Middle;
            let unasked = conversation.messages.iter().filter(|m| {
                m.direction == Direction::ToClient
                    && m.request.is_none()
                    && m.header.message_id.0 != u64::MAX
                    && m.header.command() != Some(Command::Negotiate)
            });
            if whole && unasked.count() > 0 {
                say("unasked", "an answer without request".to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 15_000, "only {count} messages");
    assert!(good > 2_000, "only {good} signatures checked");
}

/// Passwords alone open what was encrypted by NTLM sessions, hashes do, session keys do.
#[test]
fn each_kind_of_secret_opens_encrypted_captures() {
    let folder = collection();
    let mut sealed_captures = 0;
    for row in catalogue(&folder) {
        let encrypted = row["encrypted_frames"].parse::<usize>().unwrap_or(0);
        if encrypted == 0 {
            continue;
        }
        let path = folder.join(&row["file"]);
        let open = |options: &Options| {
            let capture = Capture::open(&path, options).unwrap();
            let sealed = (capture.conversations.iter().flat_map(|c| &c.others))
                .filter(|o| matches!(o.content, Content::Sealed(h) if h.session_id.0 != 0));
            (
                sealed.count(),
                messages(&capture).filter(|m| m.sealed).count(),
            )
        };
        let (left, opened) = open(&Options::default());
        assert!(left > 0 && opened == 0, "{}", row["file"]);
        let (left, opened) = open(&options(&row, false, true));
        assert!(
            left == 0 && opened > 0,
            "{}: {left} left with keys",
            row["file"]
        );
        if row["password"] != "-" {
            let (left, opened) = open(&options(&row, true, false));
            assert!(
                left == 0 && opened > 0,
                "{}: {left} left with passwords",
                row["file"]
            );
            let mut by_hash = Options::default();
            for (user, hash) in list(&row["user"]).iter().zip(list(&row["nt_hash"])) {
                by_hash
                    .secrets
                    .add_nt_hash(&format!("{user}:{hash}"))
                    .unwrap();
            }
            assert_eq!(open(&by_hash).0, 0, "{}: with hashes", row["file"]);
        }
        let mut wrong = Options::default();
        for user in list(&row["user"]) {
            wrong
                .secrets
                .add_password(&format!("{user}:wrong"))
                .unwrap();
        }
        assert_eq!(open(&wrong).1, 0);
        sealed_captures += 1;
    }
    assert!(
        sealed_captures > 10,
        "only {sealed_captures} encrypted captures"
    );
}

/// The hashes that the Wireshark wiki lists for this capture, and its keys.
#[test]
fn preauthentication_hashes_of_a_published_capture() {
    let folder = collection();
    let row = row(&folder, "public/zeek-smb311.pcap");
    let capture = read(&folder, &row);
    let conversation = &capture.conversations[0];
    let published = [
        "19a081739c67126a6a5a68523963fbd7",
        "9b8f4c61dc66404c401d094925c99e20",
        "95315f500c9f5dc5d4a839073b580212",
        "b500d29caee78d7e757394c3e241158a",
        "fb116c8020e23fd8e4e30701f1dad7af",
    ];
    let start = |hash: &PreauthHash| format!("{hash:?}")["PreauthHash(".len()..][..32].to_owned();
    let mut hash = PreauthHash::ZERO;
    for (message, expected) in conversation.messages.iter().zip(published) {
        hash.update(&message.raw);
        assert_eq!(start(&hash), expected);
    }
    let negotiated = conversation.negotiated.as_ref().unwrap();
    assert_eq!(negotiated.dialect, Dialect::Smb311);
    assert_eq!(start(&negotiated.preauth), published[1]);
    let logon = &conversation.logons[0];
    assert_eq!(start(&logon.preauth), published[4]);
    assert_eq!(logon.proof, Proof::SessionKey);
    assert_eq!(conversation.start, Start::Negotiate);

    // The keys that the wiki lists open each their own direction, without the session key.
    let mut options = Options::default();
    options
        .secrets
        .add_session_key(
            "690000ac1c280000,,394071f1a21db5ba683efa868c36aedf,f8c1a6b544e8226f98ee44778eaf316b",
        )
        .unwrap();
    let opened = Capture::open(&folder.join(&row["file"]), &options).unwrap();
    assert_eq!(messages(&opened).filter(|m| m.sealed).count(), 32);
    let mut one = Options::default();
    one.secrets
        .add_session_key("0x281cac000069,,394071f1a21db5ba683efa868c36aedf,")
        .unwrap();
    let opened = Capture::open(&folder.join(&row["file"]), &one).unwrap();
    let sealed: Vec<&Message> = messages(&opened).filter(|m| m.sealed).collect();
    assert!(!sealed.is_empty());
    assert!(sealed.iter().all(|m| m.direction == Direction::ToClient));
}

/// Three READ answers, one for each algorithm, of 4096 times the letter a.
#[test]
fn compressed_answers() {
    let folder = collection();
    let name = "public/wireshark-smb311-lz77-lz77huff-lznt1.pcap";
    let capture = read(&folder, &row(&folder, name));
    let data: Vec<_> = messages(&capture)
        .map(|m| match m.as_response() {
            Some(Response::Read(r)) if m.compressed => r.data.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(data.len(), 3);
    assert!(data.iter().all(|d| *d == vec![b'a'; 4096]));
}

/// Names of files are found for the messages that only have ids.
#[test]
fn names_follow_ids_across_compounds_and_renames() {
    let folder = collection();
    let capture = read(&folder, &row(&folder, "made/torture-rename-simple.pcap"));
    let conversation = &capture.conversations[0];
    let closed: Vec<&str> = conversation
        .messages
        .iter()
        .filter(|m| m.header.command() == Some(Command::Close))
        .filter_map(|m| m.resolved.name.as_deref())
        .collect();
    assert!(closed.contains(&"test_rename\\newname.txt"), "{closed:?}");
    for row in catalogue(&folder) {
        if row["replay"] != "full" {
            continue;
        }
        for message in messages(&read(&folder, &row)) {
            let about_a_file = matches!(
                message.header.command(),
                Some(Command::Read | Command::Write | Command::QueryDirectory)
            );
            let file = message.resolved.file;
            if about_a_file && message.direction == Direction::ToServer && file.is_some() {
                // Some tests send ids that were never given.
                let invented = message.resolved.name.is_none()
                    && !row["file"].contains("torture")
                    && !row["file"].contains("compound");
                assert!(!invented, "{}: message {}", row["file"], message.number);
            }
        }
    }
}
