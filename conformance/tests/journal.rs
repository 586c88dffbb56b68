//! What a server on real sockets wrote into its journal gives the same outputs again.

mod wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use driver_mio::fs::{LocalFs, LocalOptions};
use driver_mio::journal::Journal;
use driver_mio::runtime::{Setup, start};
use driver_sim::client::{ClientConfig, ops};
use driver_sim::journal::{self, JournalError, Report};
use smb_engine::Accounts;
use smb_engine::config::{BackendId, Config, Share};
use smb_engine::journal::{HEAD_LEN, MAGIC};
use smb_engine::vfs::Backend;
use smb_proto::dtyp::Sid;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::Response;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::{Dialect, NtStatus};

use wire::Wire;

/// One client's work: files written, read, renamed and deleted, a listing, refusals, and at the end a
/// connection that is cut with files open.
fn work(address: SocketAddr, config: ClientConfig, name: &str) {
    let (mut wire, target) = Wire::mount(address, config, "files");
    for round in 0..5 {
        let file = format!("{name}-{round}");
        let made = ops::create(&file, CreateDisposition::Create);
        let id = wire.client.send(target, made);
        let answer = wire.reply(id);
        let Response::Create(made) = answer.body else {
            panic!("not created: {:?}", answer.header.status);
        };
        let data = vec![b'd'; 10_000 * (round + 1)];
        let id = wire
            .client
            .send(target, ops::write(made.file_id, 0, data.clone()));
        assert_eq!(wire.reply(id).status(), NtStatus::SUCCESS);
        let id = wire.client.send(target, ops::read(made.file_id, 0, 65_536));
        let Response::Read(read) = wire.reply(id).body else {
            panic!("not read");
        };
        assert!(read.data == data);
        if round % 2 == 0 {
            let id = wire.client.send(target, ops::close(made.file_id));
            assert_eq!(wire.reply(id).status(), NtStatus::SUCCESS);
        }
    }
    let id = wire.client.send(target, ops::open("no such file"));
    assert_eq!(wire.reply(id).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    let id = wire.client.send(target, ops::open_dir(""));
    let Response::Create(root) = wire.reply(id).body else {
        panic!("the root does not open");
    };
    let class = FileInfoClass::IdBothDirectory;
    let list = ops::query_directory(root.file_id, class, "*", 65536);
    let id = wire.client.send(target, list);
    assert_eq!(wire.reply(id).status(), NtStatus::SUCCESS);
}

/// A server with a journal, some clients at the same time, a client that is none, the end.
fn recorded(dir: &Path) -> Vec<u8> {
    let share_dir = dir.join("share");
    std::fs::create_dir(&share_dir).unwrap();
    // Whoever the test runs as, the users of the share may work in it.
    std::fs::set_permissions(&share_dir, PermissionsExt::from_mode(0o777)).unwrap();
    let path = dir.join("journal");
    let files = LocalFs::open(&share_dir, LocalOptions::default()).unwrap();
    let share = Share::new("files", BackendId(0), files.capabilities());
    let config = Config::new("SERVER", Sid::domain(1, 2, 3), vec![share]);
    let accounts = Accounts::new(&config, [("demo", "demo")]);
    let running = start(Setup {
        config,
        watchers: vec![files.watcher()],
        backends: vec![Arc::new(files)],
        accounts: Arc::new(accounts),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        io_threads: 2,
        file_threads: 2,
        journal: Some(Journal::create(&path).unwrap()),
        persistent: None,
    })
    .unwrap();
    let address = running.addresses()[0];
    std::thread::scope(|scope| {
        let clients = [
            ("old", ClientConfig::only(Dialect::Smb202).signing()),
            ("signed", ClientConfig::default().signing()),
            ("sealed", ClientConfig::default().encrypting()),
        ];
        for (name, config) in clients {
            scope.spawn(move || work(address, config, name));
        }
        scope.spawn(move || {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut rest = Vec::new();
            // The server hangs up; how that shows is the host's affair.
            let _ = socket.read_to_end(&mut rest);
        });
    });
    assert!(running.shut_down(Duration::from_secs(10)));
    std::fs::read(&path).unwrap()
}

fn again(journal: &[u8]) -> Result<Report, JournalError> {
    journal::run(journal, |_, _, _| {})
}

#[test]
fn a_journal_gives_the_same_outputs_again() {
    let dir = tempfile::tempdir().unwrap();
    let whole = recorded(dir.path());
    let report = again(&whole).unwrap();
    assert!(report.difference.is_none(), "{report:?}");
    assert!(report.complete && report.broken.is_none(), "{report:?}");
    assert!(report.inputs > 100 && report.outputs > 100, "{report:?}");

    // Cut anywhere, it goes as far as it goes.
    for part in 1..20 {
        let len = whole.len() * part / 20;
        let report = again(&whole[..len]).unwrap();
        assert!(report.difference.is_none() && !report.complete);
    }
    assert!(matches!(again(&whole[..20]), Err(JournalError::Empty)));
    assert!(matches!(again(b""), Err(JournalError::NotAJournal)));
    assert!(matches!(
        again(b"GET / HTTP/1.0\r\n"),
        Err(JournalError::NotAJournal)
    ));

    // A byte that has changed is noticed wherever it is.
    for part in 0..20 {
        let mut damaged = whole.clone();
        let at = MAGIC.len() + (whole.len() - MAGIC.len()) * part / 20;
        damaged[at] ^= 0x10;
        match again(&damaged) {
            Err(JournalError::Damaged { .. }) => {}
            // A length that leads beyond the end looks like a cut.
            Ok(report) => assert!(!report.complete && report.difference.is_none()),
            Err(e) => panic!("byte {at}: {e}"),
        }
    }
}

/// As after a change of the program: the first output is not what the journal says.
#[test]
fn the_first_difference_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = recorded(dir.path());
    // Other digests, with a right checksum, in the first entry that has some.
    let mut at = MAGIC.len();
    loop {
        let head = &journal[at..at + HEAD_LEN];
        let len = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        if head[8] == 2 {
            let mut changed = Vec::new();
            smb_engine::journal::Frame::outputs(&vec![7; len / 8], &mut changed);
            journal[at..at + changed.len()].copy_from_slice(&changed);
            break;
        }
        at += HEAD_LEN + len;
    }
    let difference = again(&journal).unwrap().difference.unwrap();
    assert_eq!(difference.output, 1);
    assert!(difference.now.is_some() && difference.then);
    assert!(!difference.after.is_empty());
}
