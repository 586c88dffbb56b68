//! Snapshots of a real directory.

use std::fs as host;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use smb_engine::vfs::{SharePath, parse_snapshot_token};

use super::*;

const TAKEN: &str = "@GMT-2024.02.29-01.02.03";

struct Fixture {
    fs: WithSnapshots,
    by: Identity,
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = dir.path().join(".snapshots").join(TAKEN);
        host::create_dir_all(snapshot.join("d")).unwrap();
        host::write(snapshot.join("d/f"), b"old content").unwrap();
        host::create_dir(dir.path().join("d")).unwrap();
        host::write(dir.path().join("d/f"), b"new").unwrap();
        let source = ShadowCopy {
            base: dir.path().to_owned(),
            share: PathBuf::new(),
            dir: ".snapshots".into(),
            format: "@GMT-%Y.%m.%d-%H.%M.%S".to_owned(),
            ascending: false,
        };
        let options = LocalOptions::default();
        let present = LocalFs::open(dir.path(), options.clone()).unwrap();
        Self {
            fs: WithSnapshots::new(present, options, Box::new(source)),
            by: Identity::system(),
            dir,
        }
    }

    fn run(&self, op: VfsOp) -> VfsResult {
        self.fs.execute(&self.by, op)
    }

    fn open(&self, path: &str, taken: Option<&str>) -> VfsResult {
        let at: Location = SharePath::new(path).unwrap().into();
        let data = DataAccess::ReadWrite;
        self.run(match taken {
            Some(token) => VfsOp::OpenSnapshot {
                at,
                data,
                taken: parse_snapshot_token(token).unwrap(),
            },
            None => VfsOp::Open {
                at,
                how: OpenHow {
                    data,
                    open_reparse: false,
                },
            },
        })
    }

    fn opened(&self, path: &str, taken: Option<&str>) -> smb_engine::vfs::Opened {
        match self.open(path, taken) {
            Ok(VfsReply::Opened(opened)) => opened,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn read(&self, handle: VfsHandle) -> Vec<u8> {
        let op = VfsOp::Read {
            handle,
            offset: 0,
            len: 100,
        };
        match self.run(op) {
            Ok(VfsReply::Data(data)) => data.data().to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn snapshots(&self) -> Vec<FileTime> {
        let handle = self.opened("", None).handle;
        match self.run(VfsOp::Snapshots { handle }) {
            Ok(VfsReply::Snapshots(times)) => times,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_is_read_and_not_changed() {
    let f = Fixture::new();
    let (past, now) = (f.opened("D\\F", Some(TAKEN)), f.opened("d\\f", None));
    assert_eq!(past.at.path.as_str(), "d\\f");
    assert_eq!(f.read(past.handle), b"old content");
    assert_eq!(f.read(now.handle), b"new");
    let write = VfsOp::Write {
        handle: past.handle,
        at: WriteAt::End,
        data: bytes::Bytes::from_static(b"x"),
        through: false,
    };
    assert_eq!(f.run(write), Err(VfsError::ReadOnly));
    let copy = VfsOp::CopyRange {
        from: past.handle,
        from_offset: 4,
        to: now.handle,
        to_offset: 1,
        len: 100,
    };
    assert_eq!(f.run(copy), Ok(VfsReply::Written(7)));
    assert_eq!(f.read(now.handle), b"ncontent");
    assert!(matches!(
        f.open("d\\new", Some(TAKEN)),
        Ok(VfsReply::Missing(_))
    ));
    assert_eq!(
        f.open("d\\f", Some("@GMT-2024.02.29-01.02.04")),
        Err(VfsError::NotFound)
    );
}

#[test]
fn a_file_that_did_not_change_is_another_one() {
    let f = Fixture::new();
    let there = f.dir.path().join(".snapshots").join(TAKEN).join("d/same");
    host::write(f.dir.path().join("d/same"), b"same").unwrap();
    host::hard_link(f.dir.path().join("d/same"), there).unwrap();
    let (past, now) = (f.opened("d\\same", Some(TAKEN)), f.opened("d\\same", None));
    assert_ne!(past.info.node.file, now.info.node.file);
    let dir = f.opened("d", Some(TAKEN)).handle;
    let list = VfsOp::List {
        handle: dir,
        restart: true,
        pattern: None,
        security: false,
        limit: 10,
    };
    let Ok(VfsReply::Listing(listing)) = f.run(list) else {
        panic!("no listing");
    };
    let item = listing.items.iter().find(|i| i.name == "same").unwrap();
    assert_eq!(item.info.node, past.info.node);
    let Ok(VfsReply::Info(info)) = f.run(VfsOp::Stat {
        handle: past.handle,
    }) else {
        panic!("no metadata");
    };
    assert_eq!(info.node, past.info.node);
}

#[test]
fn snapshots_come_and_go() {
    let f = Fixture::new();
    let dir = f.dir.path().join(".snapshots");
    host::create_dir(dir.join("@GMT-2024.03.01-00.00.00")).unwrap();
    host::create_dir(dir.join("something else")).unwrap();
    let newest_first =
        ["@GMT-2024.03.01-00.00.00", TAKEN].map(|t| parse_snapshot_token(t).unwrap());
    assert_eq!(f.snapshots(), newest_first);
    host::remove_dir_all(&dir).unwrap();
    assert_eq!(f.snapshots(), []);
}

#[test]
fn nothing_is_kept_of_what_is_closed() {
    let f = Fixture::new();
    let handles = [0; 3].map(|_| f.opened("d\\f", Some(TAKEN)).handle);
    assert!(f.open("missing", Some(TAKEN)).is_ok());
    assert_eq!(f.fs.used().len(), 1);
    for handle in handles {
        assert_eq!(f.run(VfsOp::Close { handle }), Ok(VfsReply::Done));
    }
    assert!(f.fs.used().is_empty());
    let handle = handles[0];
    assert_eq!(f.run(VfsOp::Stat { handle }), Err(VfsError::StaleHandle));
}

#[test]
fn links_lead_nowhere() {
    let f = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    host::write(outside.path().join("canary"), b"secret").unwrap();
    let (dir, other) = (f.dir.path().join(".snapshots"), "@GMT-2024.03.01-00.00.00");
    symlink(outside.path(), dir.join(other)).unwrap();
    symlink(outside.path(), dir.join(TAKEN).join("link")).unwrap();
    assert_eq!(f.open("canary", Some(other)), Err(VfsError::NotFound));
    assert!(!matches!(
        f.open("link\\canary", Some(TAKEN)),
        Ok(VfsReply::Opened(_))
    ));
    // The whole directory swapped for a link.
    host::rename(&dir, f.dir.path().join("moved")).unwrap();
    host::create_dir(outside.path().join(TAKEN)).unwrap();
    symlink(outside.path(), &dir).unwrap();
    assert!(f.open("", Some(TAKEN)).is_err());
}
