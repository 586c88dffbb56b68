//! The backend as a whole, on a real directory.

use std::fs as host;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use bytes::Bytes;
use smb_engine::identity::{Identity, IdentityKind};
use smb_engine::names::Pattern;
use smb_engine::vfs::{
    BasicChange, Creation, DataAccess, DirItem, Ea, FileInfo, Location, OpenHow, Opened, SharePath,
    StreamInfo, VfsError, VfsHandle, WriteAt,
};
use smb_proto::FileTime;
use smb_proto::info::FileAttributes;

use super::*;

mod big_streams;

/// A backend on a fresh directory.
struct Fixture {
    fs: LocalFs,
    by: Identity,
    dir: tempfile::TempDir,
}

fn loc(text: &str) -> Location {
    let (path, stream) = match text.split_once(':') {
        Some((path, stream)) => (path, Some(stream.to_owned())),
        None => (text, None),
    };
    Location {
        path: SharePath::new(path).unwrap(),
        stream,
    }
}

const PLAIN: Creation = Creation {
    directory: false,
    attributes: FileAttributes::empty(),
    security: None,
    eas: Vec::new(),
    allocation: 0,
};

impl Fixture {
    fn new() -> Self {
        Self::with(LocalOptions::default())
    }

    fn with(options: LocalOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        host::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        Self {
            fs: LocalFs::open(dir.path(), options).unwrap(),
            by: Identity::system(),
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, op: VfsOp) -> VfsResult {
        self.fs.execute(&self.by, op)
    }

    fn try_open(&self, name: &str, data: DataAccess) -> Result<Opened, VfsError> {
        let how = OpenHow {
            data,
            open_reparse: false,
        };
        match self.run(VfsOp::Open { at: loc(name), how })? {
            VfsReply::Opened(opened) => Ok(opened),
            VfsReply::Missing(_) => Err(VfsError::NotFound),
            other => panic!("{other:?}"),
        }
    }

    fn open(&self, name: &str) -> VfsHandle {
        self.try_open(name, DataAccess::ReadWrite).unwrap().handle
    }

    fn try_create(&self, name: &str, what: Creation) -> Result<Opened, VfsError> {
        match self.run(VfsOp::Create {
            at: loc(name),
            what,
        })? {
            VfsReply::Opened(opened) => Ok(opened),
            other => panic!("{other:?}"),
        }
    }

    fn create(&self, name: &str) -> VfsHandle {
        self.try_create(name, PLAIN).unwrap().handle
    }

    fn mkdir(&self, name: &str) -> VfsHandle {
        let what = Creation {
            directory: true,
            ..PLAIN
        };
        self.try_create(name, what).unwrap().handle
    }

    fn write(&self, handle: VfsHandle, at: WriteAt, data: &[u8]) -> VfsResult {
        self.run(VfsOp::Write {
            handle,
            at,
            data: Bytes::copy_from_slice(data),
            through: false,
        })
    }

    fn read(&self, handle: VfsHandle, offset: u64, len: u32) -> Vec<u8> {
        match self.run(VfsOp::Read {
            handle,
            offset,
            len,
        }) {
            Ok(VfsReply::Data(data)) => data.data().to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn info(&self, handle: VfsHandle) -> FileInfo {
        match self.run(VfsOp::Stat { handle }) {
            Ok(VfsReply::Info(info)) => info,
            other => panic!("{other:?}"),
        }
    }

    fn list(&self, handle: VfsHandle, pattern: &str) -> Vec<DirItem> {
        let mut items = Vec::new();
        let mut restart = true;
        loop {
            let reply = self.run(VfsOp::List {
                handle,
                restart,
                pattern: Pattern::new(pattern),
                limit: 100,
                security: false,
            });
            let Ok(VfsReply::Listing(part)) = reply else {
                panic!("{reply:?}")
            };
            assert!(part.items.len() <= 100);
            items.extend(part.items);
            restart = false;
            if part.end {
                return items;
            }
        }
    }

    fn names(&self, handle: VfsHandle, pattern: &str) -> Vec<String> {
        let mut names: Vec<_> = self
            .list(handle, pattern)
            .into_iter()
            .map(|i| i.name)
            .collect();
        names.sort();
        names
    }

    fn rename(&self, handle: VfsHandle, from: &str, to: &str, replace: bool) -> VfsResult {
        self.run(VfsOp::Rename {
            handle,
            from: loc(from),
            to: loc(to),
            replace,
        })
    }

    fn remove(&self, handle: VfsHandle, at: &str) -> VfsResult {
        self.run(VfsOp::Remove {
            handle,
            at: loc(at),
        })
    }

    fn streams(&self, handle: VfsHandle) -> Vec<StreamInfo> {
        match self.run(VfsOp::Streams { handle }) {
            Ok(VfsReply::Streams(streams)) => streams,
            other => panic!("{other:?}"),
        }
    }

    fn eas(&self, handle: VfsHandle) -> Vec<(String, Vec<u8>)> {
        match self.run(VfsOp::Eas { handle }) {
            Ok(VfsReply::Eas(eas)) => eas
                .into_iter()
                .map(|ea| (ea.name, ea.value.to_vec()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn ea(name: &str, value: &[u8]) -> Ea {
    Ea {
        flags: 0,
        name: name.to_owned(),
        value: Bytes::copy_from_slice(value),
    }
}

#[test]
fn data_goes_in_and_comes_out() {
    let f = Fixture::new();
    let h = f.create("Data.bin");
    assert_eq!(
        f.write(h, WriteAt::Offset(3), b"hello"),
        Ok(VfsReply::Written(5))
    );
    assert_eq!(f.read(h, 0, 100), b"\0\0\0hello");
    assert_eq!(f.read(h, 6, 1), b"l");
    assert_eq!(f.read(h, 8, 10), b"");
    assert_eq!(f.read(h, u64::MAX, 10), b"");
    assert_eq!(f.read(h, i64::MAX as u64, 10), b"");
    assert_eq!(f.write(h, WriteAt::End, b"!"), Ok(VfsReply::Written(1)));
    assert_eq!(host::read(f.path("Data.bin")).unwrap(), b"\0\0\0hello!");
    assert_eq!(
        f.write(h, WriteAt::Offset(i64::MAX as u64), b"x"),
        Err(VfsError::TooLarge)
    );
    for size in [4, 4096, 2] {
        f.run(VfsOp::SetSize { handle: h, size }).unwrap();
        assert_eq!(f.info(h).size, size);
    }
    f.run(VfsOp::Flush { handle: h }).unwrap();
    assert_eq!(f.run(VfsOp::Close { handle: h }), Ok(VfsReply::Done));
    assert_eq!(f.run(VfsOp::Stat { handle: h }), Err(VfsError::StaleHandle));
    assert_eq!(
        f.run(VfsOp::Close { handle: h }),
        Err(VfsError::StaleHandle)
    );

    let reader = f.try_open("data.BIN", DataAccess::Read).unwrap();
    assert_eq!(reader.at, loc("Data.bin"));
    assert_eq!(
        f.write(reader.handle, WriteAt::Offset(0), b"x"),
        Err(VfsError::AccessDenied)
    );
    f.run(VfsOp::Flush {
        handle: reader.handle,
    })
    .unwrap();
    let name = f.try_open("data.BIN", DataAccess::None).unwrap().handle;
    let refused = f.run(VfsOp::Read {
        handle: name,
        offset: 0,
        len: 1,
    });
    assert_eq!(refused, Err(VfsError::AccessDenied));
    f.run(VfsOp::Flush { handle: name }).unwrap();
}

#[test]
fn appends_from_many_threads_do_not_overlap() {
    let f = Fixture::new();
    let handles: Vec<_> = (0..4)
        .map(|i| {
            if i == 0 {
                f.create("log")
            } else {
                f.open("log")
            }
        })
        .collect();
    std::thread::scope(|s| {
        for (i, &h) in handles.iter().enumerate() {
            let f = &f;
            s.spawn(move || {
                for _ in 0..200 {
                    f.write(h, WriteAt::End, &[b'a' + i as u8; 10]).unwrap();
                }
            });
        }
    });
    let data = host::read(f.path("log")).unwrap();
    assert_eq!(data.len(), 8000);
    assert!(data.chunks(10).all(|c| c.iter().all(|&b| b == c[0])));
}

#[test]
fn what_is_missing_is_said_exactly() {
    let f = Fixture::new();
    f.mkdir("Dir");
    f.create("Dir\\file");
    let open = |name: &str| {
        f.run(VfsOp::Open {
            at: loc(name),
            how: OpenHow {
                data: DataAccess::Read,
                open_reparse: false,
            },
        })
    };
    let Ok(VfsReply::Missing(gap)) = open("dir\\none") else {
        panic!()
    };
    assert!(gap.parent.is_directory());
    assert!(gap.security.owner.is_some());
    assert_eq!(open("none\\none"), Err(VfsError::PathNotFound));
    assert_eq!(open("dir\\file\\none"), Err(VfsError::PathNotFound));
    let Ok(VfsReply::Missing(gap)) = open("dir\\file:none") else {
        panic!()
    };
    assert!(!gap.parent.is_directory());
}

#[test]
fn creating_needs_a_free_name_in_any_case() {
    let f = Fixture::new();
    f.create("Name");
    assert_eq!(f.try_create("nAME", PLAIN).err(), Some(VfsError::Exists));
    assert_eq!(f.try_create("", PLAIN).err(), Some(VfsError::Exists));
    assert_eq!(
        f.try_create("no\\x", PLAIN).err(),
        Some(VfsError::PathNotFound)
    );
    assert_eq!(f.try_create("a:b", PLAIN).map(|o| o.at), Ok(loc("a:b")));
    let dot = f.try_create("x.", PLAIN).unwrap();
    assert_eq!(dot.at, loc("x\u{f029}"));
    assert_eq!(f.try_open("x.", DataAccess::None).unwrap().at, dot.at);
    assert_eq!(
        f.try_create("x\u{f029}", PLAIN).err(),
        Some(VfsError::Exists)
    );
    let f = &f;
    for round in 0..20 {
        let made: usize = std::thread::scope(|s| {
            let both = ["same", "SAME"]
                .map(|n| s.spawn(move || f.try_create(&format!("{n}{round}"), PLAIN).is_ok()));
            both.into_iter()
                .map(|t| usize::from(t.join().unwrap()))
                .sum()
        });
        assert_eq!(made, 1);
    }
}

#[test]
fn new_files_have_the_configured_modes() {
    let f = Fixture::with(LocalOptions {
        create_mask: 0o760,
        force_create_mode: 0o001,
        directory_mask: 0o777,
        force_directory_mode: 0o1000,
        ..LocalOptions::default()
    });
    f.create("f");
    f.mkdir("d");
    let mode = |n: &str| host::metadata(f.path(n)).unwrap().mode() & 0o7777;
    assert_eq!(mode("f"), 0o761);
    assert_eq!(mode("d"), 0o1777);
}

#[test]
fn attributes_and_times_are_kept() {
    let f = Fixture::new();
    let what = Creation {
        attributes: FileAttributes::ARCHIVE | FileAttributes::DIRECTORY | FileAttributes::NORMAL,
        ..PLAIN
    };
    let opened = f.try_create("f", what).unwrap();
    assert_eq!(opened.info.attributes, FileAttributes::ARCHIVE);
    let h = opened.handle;
    let time = |n: u64| FileTime(133_000_000_000_000_000 + n);
    let change = BasicChange {
        creation: Some(time(1)),
        access: Some(time(2)),
        write: Some(time(3)),
        change: Some(time(4)),
        attributes: Some(FileAttributes::HIDDEN | FileAttributes::READONLY),
    };
    f.run(VfsOp::SetBasic { handle: h, change }).unwrap();
    let info = f.info(h);
    assert_eq!(
        (info.creation, info.access, info.write),
        (time(1), time(2), time(3))
    );
    assert_eq!(
        info.attributes,
        FileAttributes::HIDDEN | FileAttributes::READONLY
    );
    let only_write = BasicChange {
        write: Some(time(9)),
        ..BasicChange::default()
    };
    f.run(VfsOp::SetBasic {
        handle: h,
        change: only_write,
    })
    .unwrap();
    let info = f.info(h);
    assert_eq!(
        (info.creation, info.access, info.write),
        (time(1), time(2), time(9))
    );
    let none = BasicChange {
        attributes: Some(FileAttributes::NORMAL),
        ..BasicChange::default()
    };
    f.run(VfsOp::SetBasic {
        handle: h,
        change: none,
    })
    .unwrap();
    assert_eq!(f.info(h).attributes, FileAttributes::NORMAL);
    assert_eq!(f.info(h).creation, time(1));

    let d = f.mkdir(".dots");
    assert_eq!(
        f.info(d).attributes,
        FileAttributes::DIRECTORY | FileAttributes::HIDDEN
    );
    host::write(f.path("plain"), "").unwrap();
    host::set_permissions(f.path("plain"), PermissionsExt::from_mode(0o444)).unwrap();
    let plain = f.try_open("plain", DataAccess::None).unwrap();
    assert_eq!(plain.info.attributes, FileAttributes::READONLY);
}

#[test]
fn without_stored_attributes_readonly_is_in_the_mode() {
    let f = Fixture::with(LocalOptions {
        store_dos_attributes: false,
        hide_dot_files: false,
        ..LocalOptions::default()
    });
    let h = f.create(".f");
    for (set, readonly) in [
        (FileAttributes::READONLY | FileAttributes::HIDDEN, true),
        (FileAttributes::NORMAL, false),
    ] {
        let change = BasicChange {
            attributes: Some(set),
            ..BasicChange::default()
        };
        f.run(VfsOp::SetBasic { handle: h, change }).unwrap();
        let mode = host::metadata(f.path(".f")).unwrap().mode();
        assert_eq!(mode & 0o200 == 0, readonly);
        let want = if readonly {
            FileAttributes::READONLY
        } else {
            FileAttributes::NORMAL
        };
        assert_eq!(f.info(h).attributes, want);
    }
}

#[test]
fn overwriting_starts_afresh_with_the_same_identity() {
    let f = Fixture::new();
    let what = Creation {
        attributes: FileAttributes::HIDDEN,
        eas: vec![ea("old", b"1")],
        ..PLAIN
    };
    let opened = f.try_create("f", what).unwrap();
    let h = opened.handle;
    f.write(h, WriteAt::Offset(0), b"content").unwrap();
    f.create("f:stream");
    let new = Creation {
        attributes: FileAttributes::ARCHIVE,
        eas: vec![ea("new", b"2")],
        ..PLAIN
    };
    for (supersede, want) in [
        (false, FileAttributes::ARCHIVE | FileAttributes::HIDDEN),
        (true, FileAttributes::ARCHIVE),
    ] {
        let reply = f.run(VfsOp::Overwrite {
            handle: h,
            what: new.clone(),
            supersede,
        });
        let Ok(VfsReply::Info(info)) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(
            (info.size, info.attributes, info.node),
            (0, want, opened.info.node)
        );
        assert_eq!(f.eas(h), [("new".to_owned(), b"2".to_vec())]);
        assert_eq!(f.streams(h).len(), 1);
    }
}

#[test]
fn streams_are_files_of_a_file() {
    let f = Fixture::new();
    let base = f.create("f");
    f.write(base, WriteAt::Offset(0), b"base").unwrap();
    let s = f.create("f:Zone");
    assert_eq!(f.info(s).size, 0);
    assert_eq!(f.info(s).node, f.info(base).node);
    f.write(s, WriteAt::Offset(2), b"ab").unwrap();
    f.write(s, WriteAt::End, b"c").unwrap();
    assert_eq!(f.read(s, 0, 100), b"\0\0abc");
    assert_eq!(f.read(s, 3, 1), b"b");
    assert_eq!(f.read(s, 9, 1), b"");
    f.run(VfsOp::SetSize { handle: s, size: 4 }).unwrap();
    assert_eq!(f.info(s).size, 4);
    assert_eq!(f.info(base).size, 4);
    assert_eq!(f.try_create("f:zONE", PLAIN).err(), Some(VfsError::Exists));
    let again = f.try_open("F:zone", DataAccess::Read).unwrap();
    assert_eq!(again.at, loc("f:Zone"));
    assert_eq!(
        f.write(again.handle, WriteAt::End, b"x"),
        Err(VfsError::AccessDenied)
    );
    let list: Vec<_> = f
        .streams(base)
        .into_iter()
        .map(|s| (s.name, s.size))
        .collect();
    assert_eq!(list, [(String::new(), 4), ("Zone".to_owned(), 4)]);

    f.rename(s, "f:Zone", "f:zone", false).unwrap();
    f.create("f:other");
    assert_eq!(
        f.rename(s, "f:zone", "f:other", false),
        Err(VfsError::Exists)
    );
    f.rename(s, "f:zone", "f:other", true).unwrap();
    assert_eq!(f.streams(base).len(), 2);
    assert_eq!(f.read(again.handle, 0, 9), b"\0\0ab");
    assert_eq!(f.remove(s, "f:zone"), Err(VfsError::NotFound));
    f.remove(s, "f:other").unwrap();
    assert_eq!(f.streams(base).len(), 1);
    assert_eq!(f.read(again.handle, 0, 9), b"\0\0ab");
    let fresh = f.create("f:other");
    assert_eq!(f.read(fresh, 0, 9), b"");

    let d = f.mkdir("d");
    let ds = f.create("d:s");
    f.write(ds, WriteAt::Offset(0), b"x").unwrap();
    assert!(!f.info(ds).is_directory());
    assert_eq!(f.streams(d).len(), 1);
    // A stream of a file that does not exist makes the file.
    f.create("new:s");
    assert!(f.path("new").exists());
}

#[test]
fn streams_have_a_limit() {
    let f = Fixture::new();
    let s = f.create("f:s");
    assert_eq!(
        f.run(VfsOp::SetSize {
            handle: s,
            size: u64::MAX
        }),
        Err(VfsError::TooLarge)
    );
    assert_eq!(f.read(s, 0, 10), b"");
}

#[test]
fn stream_writers_do_not_lose_each_others_bytes() {
    let f = Fixture::new();
    f.create("f:s");
    std::thread::scope(|s| {
        for i in 0..4u64 {
            let f = &f;
            s.spawn(move || {
                let h = f.open("f:s");
                for n in 0..50 {
                    f.write(h, WriteAt::Offset(i * 50 + n), &[b'a' + i as u8])
                        .unwrap();
                }
            });
        }
    });
    let data = f.read(f.open("f:s"), 0, 1000);
    let want: Vec<u8> = (0..200).map(|n| b'a' + (n / 50) as u8).collect();
    assert_eq!(data, want);
}

#[test]
fn eas_are_set_together_or_not_at_all() {
    let f = Fixture::new();
    let h = f.create("f");
    let set = |eas: Vec<Ea>| f.run(VfsOp::SetEas { handle: h, eas });
    set(vec![ea("One", b"1"), ea("TWO", b"22")]).unwrap();
    set(vec![ea("oNE", b"new"), ea("three", b"3")]).unwrap();
    let now = [("One", &b"new"[..]), ("TWO", b"22"), ("three", b"3")]
        .map(|(n, v)| (n.to_owned(), v.to_vec()));
    assert_eq!(f.eas(h), now);
    assert_eq!(
        f.info(h).ea_size,
        4 + (5 + 3 + 3) + (5 + 3 + 2) + (5 + 5 + 1)
    );
    for (bad, error) in [
        (ea("DOSATTRIB", b"x"), VfsError::AccessDenied),
        (ea("dosstream.x:$DATA", b"x"), VfsError::AccessDenied),
        (ea("NTACL", b"x"), VfsError::AccessDenied),
        (ea("", b"x"), VfsError::InvalidName),
        (ea("big", &vec![0; 70_000]), VfsError::EasTooLarge),
    ] {
        let done = set(vec![ea("one", b""), ea("four", b"4"), ea("two", b"5"), bad]);
        assert_eq!(done, Err(error));
        assert_eq!(f.eas(h), now);
    }
    set(now.map(|(n, _)| ea(&n, b"")).to_vec()).unwrap();
    assert_eq!(f.eas(h), []);
    assert_eq!(f.info(h).ea_size, 0);
}

#[test]
fn listing_shows_each_name_once_with_its_metadata() {
    let f = Fixture::new();
    for i in 0..950 {
        host::write(f.path(&format!("n{i:03}")), vec![0; i % 7]).unwrap();
    }
    host::create_dir(f.path("Größe")).unwrap();
    host::write(f.path("a:b"), "").unwrap();
    let root = f.open("");
    let items = f.list(root, "*");
    assert_eq!(items.len(), 952);
    assert_eq!(
        f.names(root, "*")
            .iter()
            .filter(|n| n.starts_with('n'))
            .count(),
        950
    );
    assert_eq!(f.names(root, "n0?5").len(), 10);
    assert_eq!(f.names(root, "GRÖßE"), ["Größe"]);
    assert_eq!(f.names(root, "none"), [""; 0]);
    assert_eq!(f.names(root, "A\u{f022}b"), ["a\u{f022}b"]);
    for item in &items {
        let opened = f.try_open(&item.name, DataAccess::None).unwrap();
        assert_eq!(opened.info, item.info, "{}", item.name);
        f.run(VfsOp::Close {
            handle: opened.handle,
        })
        .unwrap();
    }
    // A literal name ends the walk as well.
    f.names(root, "n001");
    let more = VfsOp::List {
        handle: root,
        restart: false,
        pattern: None,
        limit: 10,
        security: false,
    };
    let Ok(VfsReply::Listing(more)) = f.run(more) else {
        panic!()
    };
    assert!(more.items.is_empty() && more.end);
    let file = f.open("n001");
    let no = VfsOp::List {
        handle: file,
        restart: true,
        pattern: None,
        limit: 10,
        security: false,
    };
    assert_eq!(f.run(no), Err(VfsError::NotADirectory));
}

#[test]
fn short_names_find_what_they_are_made_of() {
    let f = Fixture::new();
    host::create_dir(f.path("A directory")).unwrap();
    host::write(f.path("A directory/a long name.text"), "x").unwrap();
    host::write(f.path("SHORT.TXT"), "y").unwrap();
    let short = |name: &str| smb_engine::names::short_name(name).unwrap();
    let path = format!("{}\\{}", short("A directory"), short("a long name.text"));
    let opened = f.try_open(&path.to_lowercase(), DataAccess::Read).unwrap();
    assert_eq!(opened.at, loc("A directory\\a long name.text"));
    let root = f.open("");
    let mut items: Vec<_> = f
        .list(root, "*")
        .into_iter()
        .map(|i| (i.name, i.short_name))
        .collect();
    items.sort();
    let expected = [
        ("A directory".to_owned(), short("A directory")),
        ("SHORT.TXT".to_owned(), String::new()),
    ];
    assert_eq!(items, expected);
}

#[test]
fn names_as_configured() {
    let f = Fixture::with(LocalOptions {
        hide_files: vec![Pattern::of_names("hide*")],
        mangled_names: Mangled::Illegal,
        name_map: NameMap::new(vec![(':', '\u{f7}')]).unwrap(),
        match_normalised: true,
        ..LocalOptions::default()
    });
    for (name, hidden) in [("HideMe", true), (".dot", true), ("shown", false)] {
        let info = f.info(f.create(name));
        let attributes = if hidden {
            FileAttributes::HIDDEN
        } else {
            FileAttributes::NORMAL
        };
        assert_eq!(
            (info.attributes, info.hidden_by_name),
            (attributes, hidden),
            "{name}"
        );
    }
    let stored = Creation {
        attributes: FileAttributes::HIDDEN,
        ..PLAIN
    };
    let made = f.try_create("hidden", stored).unwrap();
    assert!(!made.info.hidden_by_name);

    let at = |name: &str| f.try_open(name, DataAccess::None).unwrap().at;
    host::write(f.path("a:b long"), "").unwrap();
    host::write(f.path("e\u{301}t\u{e9}"), "").unwrap();
    assert_eq!(at("A\u{f7}B LONG"), loc("a\u{f7}b long"));
    assert_eq!(at("\u{e9}T\u{e9}"), loc("e\u{301}t\u{e9}"));
    let items = f.list(f.open(""), "*");
    let with_short: Vec<_> = items.iter().filter(|i| !i.short_name.is_empty()).collect();
    assert_eq!(with_short.len(), 1);
    assert_eq!(at(&with_short[0].short_name), loc("a\u{f7}b long"));
}

#[test]
fn names_that_clients_must_not_see_do_not_exist() {
    let f = Fixture::with(LocalOptions {
        veto_files: ["*.secret", ".git"]
            .iter()
            .filter_map(|p| Pattern::new(p))
            .collect(),
        ..LocalOptions::default()
    });
    host::create_dir(f.path(".git")).unwrap();
    host::write(f.path(".git/x"), "").unwrap();
    host::write(f.path("a.SECRET"), "").unwrap();
    let b = f.create("b");
    assert_eq!(f.names(f.open(""), "*"), ["b"]);
    assert_eq!(f.names(f.open(""), "a.secret"), [""; 0]);
    let open = |n: &str| f.try_open(n, DataAccess::None).err();
    assert_eq!(open("a.secret"), Some(VfsError::NotFound));
    assert_eq!(open(".git\\x"), Some(VfsError::PathNotFound));
    assert_eq!(
        f.try_create("c.secret", PLAIN).err(),
        Some(VfsError::AccessDenied)
    );
    assert_eq!(
        f.rename(b, "b", "b.secret", true),
        Err(VfsError::AccessDenied)
    );
    let to = SharePath::new("b.secret").unwrap();
    let link = VfsOp::Link {
        handle: b,
        to,
        replace: true,
    };
    assert_eq!(f.run(link), Err(VfsError::AccessDenied));
    // Nor by way of their short names.
    let depot = depot::NAME;
    for (name, below) in [("rather a long.secret", ""), (depot, "\\key")] {
        if below.is_empty() {
            host::write(f.path(name), "").unwrap();
        } else {
            host::create_dir(f.path(name)).unwrap();
            host::write(f.path(name).join("key"), "").unwrap();
        }
        let short = smb_engine::names::short_name(name).unwrap();
        let missing = if below.is_empty() {
            VfsError::NotFound
        } else {
            VfsError::PathNotFound
        };
        assert_eq!(open(&format!("{short}{below}")), Some(missing), "{short}");
        assert_eq!(f.names(f.open(""), &short), [""; 0], "{short}");
    }
}

#[test]
fn renaming() {
    let f = Fixture::new();
    let h = f.create("Old");
    f.write(h, WriteAt::End, b"kept").unwrap();
    f.mkdir("Dir");
    f.rename(h, "old", "dIR\\New", false).unwrap();
    assert!(f.path("Dir/New").exists() && !f.path("Old").exists());
    assert_eq!(f.rename(h, "Old", "x", false), Err(VfsError::NotFound));
    // Only the case.
    f.rename(h, "Dir\\New", "Dir\\NEW", false).unwrap();
    assert_eq!(f.names(f.open("Dir"), "*"), ["NEW"]);
    // Over something.
    let other = f.create("Other");
    assert_eq!(
        f.rename(h, "Dir\\NEW", "OTHER", false),
        Err(VfsError::Exists)
    );
    f.rename(h, "Dir\\NEW", "OTHER", true).unwrap();
    assert_eq!(f.names(f.open(""), "*"), ["Dir", "OTHER"]);
    assert_eq!(host::read(f.path("OTHER")).unwrap(), b"kept");
    assert_eq!(f.info(other).links, 0);
    assert_eq!(
        f.rename(h, "OTHER", "Dir", true),
        Err(VfsError::AccessDenied)
    );
    assert_eq!(
        f.rename(h, "OTHER", "no\\x", true),
        Err(VfsError::PathNotFound)
    );
    // A name that is another file's by now.
    assert_eq!(
        f.rename(other, "OTHER", "x", false),
        Err(VfsError::NotFound)
    );
}

#[test]
fn renaming_a_directory_takes_open_files_along() {
    let f = Fixture::new();
    let d = f.mkdir("d");
    f.mkdir("d\\.sub");
    let h = f.create("d\\.sub\\.file");
    f.rename(d, "d", "e", false).unwrap();
    f.write(h, WriteAt::End, b"x").unwrap();
    assert_eq!(host::read(f.path("e/.sub/.file")).unwrap(), b"x");
    f.rename(h, "e\\.sub\\.file", "e\\.sub\\file", false)
        .unwrap();
    // `hide dot files` goes by the present name.
    assert_eq!(f.info(h).attributes, FileAttributes::NORMAL);
    assert_eq!(
        f.rename(d, "e", "e\\.sub\\x", false),
        Err(VfsError::Invalid)
    );
    let file = f.create("file");
    f.rename(d, "e", "file", true).unwrap();
    assert!(f.path("file/.sub").is_dir());
    assert_eq!(f.info(file).links, 0);
}

#[test]
fn removing() {
    let f = Fixture::new();
    let d = f.mkdir("Dir");
    let h = f.create("Dir\\File");
    f.write(h, WriteAt::End, b"content").unwrap();
    assert_eq!(
        f.run(VfsOp::CheckEmpty { handle: d }),
        Err(VfsError::NotEmpty)
    );
    assert_eq!(f.remove(d, "Dir"), Err(VfsError::NotEmpty));
    assert_eq!(f.remove(d, "Dir\\File"), Err(VfsError::NotFound));
    f.remove(h, "dir\\FILE").unwrap();
    assert_eq!(f.read(h, 0, 100), b"content");
    assert_eq!(f.info(h).links, 0);
    f.create("Dir\\File");
    assert_eq!(f.remove(h, "Dir\\File"), Err(VfsError::NotFound));
    let h = f.open("Dir\\File");
    f.remove(h, "Dir\\File").unwrap();
    assert_eq!(f.run(VfsOp::CheckEmpty { handle: d }), Ok(VfsReply::Done));
    f.remove(d, "Dir").unwrap();
    assert_eq!(f.names(f.open(""), "*"), [""; 0]);
    assert_eq!(f.remove(f.open(""), ""), Err(VfsError::AccessDenied));
}

#[test]
fn links() {
    let f = Fixture::new();
    let h = f.create("a");
    let link = |to: &str, replace| {
        f.run(VfsOp::Link {
            handle: h,
            to: SharePath::new(to).unwrap(),
            replace,
        })
    };
    link("b", false).unwrap();
    assert_eq!(link("B", false), Err(VfsError::Exists));
    link("B", true).unwrap();
    assert_eq!(f.names(f.open(""), "*"), ["B", "a"]);
    assert_eq!(f.info(h).links, 2);
    let c = f.create("c");
    link("c", true).unwrap();
    assert_eq!((f.info(h).links, f.info(c).links), (3, 0));
    assert_eq!(f.info(f.open("c")).node, f.info(h).node);
    // To another name of the same file: one goes.
    f.rename(h, "a", "c", true).unwrap();
    assert_eq!(f.names(f.open(""), "*"), ["B", "c"]);
    let d = f.mkdir("d");
    assert_eq!(link("d", true), Err(VfsError::AccessDenied));
    let to = SharePath::new("e").unwrap();
    assert_eq!(
        f.run(VfsOp::Link {
            handle: d,
            to,
            replace: false
        }),
        Err(VfsError::IsADirectory)
    );
}

#[test]
fn ranges() {
    let f = Fixture::new();
    let h = f.create("f");
    let data: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    f.write(h, WriteAt::Offset(0), &data).unwrap();
    let to = f.create("g");
    let copy = |from, from_offset, to, to_offset, len| {
        f.run(VfsOp::CopyRange {
            from,
            from_offset,
            to,
            to_offset,
            len,
        })
    };
    assert_eq!(copy(h, 10, to, 5, 1 << 40), Ok(VfsReply::Written(299_990)));
    assert_eq!(host::read(f.path("g")).unwrap()[5..], data[10..]);
    assert_eq!(copy(h, 1 << 30, to, 0, 5), Ok(VfsReply::Written(0)));
    // Inside one file, overlapping, both ways.
    let mut want = data.clone();
    want.copy_within(0..200_000, 100_000);
    assert_eq!(
        copy(h, 0, h, 100_000, 200_000),
        Ok(VfsReply::Written(200_000))
    );
    assert_eq!(host::read(f.path("f")).unwrap(), want);
    want.copy_within(100..200_000, 7);
    assert_eq!(copy(h, 100, h, 7, 199_900), Ok(VfsReply::Written(199_900)));
    assert_eq!(host::read(f.path("f")).unwrap(), want);
    // To and from a stream.
    let s = f.create("f:s");
    assert_eq!(copy(h, 50, s, 1, 100), Ok(VfsReply::Written(100)));
    assert_eq!(f.read(s, 1, 200), want[50..150]);
    assert_eq!(copy(s, 1, to, 0, 3), Ok(VfsReply::Written(3)));

    let zero = |offset, beyond| {
        f.run(VfsOp::ZeroRange {
            handle: h,
            offset,
            beyond,
        })
    };
    let ranges = || match f.run(VfsOp::AllocatedRanges {
        handle: h,
        offset: 0,
        len: u64::MAX,
        limit: 10,
    }) {
        Ok(VfsReply::Ranges(r)) => r.into_iter().map(|r| (r.offset, r.len)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    zero(10, 20).unwrap();
    want[10..20].fill(0);
    assert_eq!(host::read(f.path("f")).unwrap(), want);
    assert_eq!(ranges(), [(0, 300_000)]);
    f.run(VfsOp::SetSparse {
        handle: h,
        sparse: true,
    })
    .unwrap();
    assert!(f.info(h).attributes.contains(FileAttributes::SPARSE_FILE));
    zero(65_536, 131_072).unwrap();
    want[65_536..131_072].fill(0);
    zero(299_000, 1 << 40).unwrap();
    want[299_000..].fill(0);
    assert_eq!(host::read(f.path("f")).unwrap(), want);
    assert_eq!(ranges(), [(0, 65_536), (131_072, 168_928)]);
    assert_eq!(zero(20, 10), Err(VfsError::Invalid));

    f.run(VfsOp::SetAllocation {
        handle: h,
        size: 1 << 20,
    })
    .unwrap();
    assert_eq!(f.info(h).size, 300_000);
    assert!(f.info(h).allocation >= 1 << 20);
    f.run(VfsOp::SetAllocation {
        handle: h,
        size: 100,
    })
    .unwrap();
    assert_eq!(f.info(h).size, 100);
}

#[test]
fn volume_and_identity() {
    let f = Fixture::new();
    let Ok(VfsReply::Volume(v)) = f.run(VfsOp::Volume { handle: f.open("") }) else {
        panic!()
    };
    assert!(v.sector == 512 && v.sectors_per_unit > 0);
    assert!(v.total_units >= v.free_units && v.free_units >= v.available_units);
    // Another share of the same directory gives the same identities.
    let a = f.create("a");
    let other = LocalFs::open(f.dir.path(), LocalOptions::default()).unwrap();
    let how = OpenHow {
        data: DataAccess::None,
        open_reparse: false,
    };
    let Ok(VfsReply::Opened(b)) = other.execute(&f.by, VfsOp::Open { at: loc("a"), how }) else {
        panic!()
    };
    assert_eq!(b.info.node, f.info(a).node);
    let Ok(VfsReply::Opened(c)) = f.run(VfsOp::OpenById {
        node: b.info.node,
        how,
    }) else {
        panic!()
    };
    assert_eq!(c.at, loc("a"));
}

#[test]
fn links_and_special_files_are_reparse_points() {
    let f = Fixture::new();
    symlink("../outside/x", f.path("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, f.path("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    let items = f.list(f.open(""), "*");
    assert!(
        items
            .iter()
            .all(|i| i.info.attributes.contains(FileAttributes::REPARSE_POINT))
    );
    assert!(matches!(
        f.try_open("link", DataAccess::Read),
        Err(VfsError::StoppedOnSymlink { relative: true, .. })
    ));
    let how = OpenHow {
        data: DataAccess::Best,
        open_reparse: true,
    };
    for (name, tag) in [("link", 0xa000_000c), ("fifo", 0x8000_0014)] {
        let Ok(VfsReply::Opened(o)) = f.run(VfsOp::Open { at: loc(name), how }) else {
            panic!()
        };
        assert_eq!(o.info.reparse_tag, tag);
        let Ok(VfsReply::Reparse(r)) = f.run(VfsOp::Reparse { handle: o.handle }) else {
            panic!()
        };
        assert_eq!(r.tag, tag);
        f.remove(o.handle, name).unwrap();
    }
    let h = f.create("plain");
    assert_eq!(
        f.run(VfsOp::Reparse { handle: h }),
        Err(VfsError::NotAReparsePoint)
    );
    let reparse = smb_engine::vfs::Reparse {
        tag: 0x8000_0023,
        data: Bytes::from_static(b"data"),
    };
    f.run(VfsOp::SetReparse {
        handle: h,
        reparse: reparse.clone(),
    })
    .unwrap();
    assert_eq!(f.info(h).reparse_tag, 0x8000_0023);
    assert!(f.info(h).attributes.contains(FileAttributes::REPARSE_POINT));
    assert_eq!(
        f.run(VfsOp::Reparse { handle: h }),
        Ok(VfsReply::Reparse(reparse))
    );
    assert_eq!(
        f.run(VfsOp::DeleteReparse {
            handle: h,
            tag: 1,
            guid: None
        }),
        Err(VfsError::ReparseTagMismatch)
    );
    f.run(VfsOp::DeleteReparse {
        handle: h,
        tag: 0x8000_0023,
        guid: None,
    })
    .unwrap();
    assert_eq!(f.info(h).attributes, FileAttributes::NORMAL);
}

#[test]
fn users_act_with_their_own_rights() {
    let f = Fixture::new();
    if !f.fs.own.is_root() {
        return;
    }
    let user = |uid| Identity {
        uid: Some(uid),
        gid: Some(uid),
        kind: IdentityKind::User,
        admin: false,
        ..Identity::system()
    };
    let as_user = |uid, op| f.fs.execute(&user(uid), op);
    let made = as_user(
        4001,
        VfsOp::Create {
            at: loc("f"),
            what: PLAIN,
        },
    );
    assert!(matches!(made, Ok(VfsReply::Opened(_))));
    let meta = host::metadata(f.path("f")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (4001, 4001));
    let open = |uid, data| {
        let how = OpenHow {
            data,
            open_reparse: false,
        };
        as_user(uid, VfsOp::Open { at: loc("f"), how })
    };
    assert!(open(4001, DataAccess::ReadWrite).is_ok());
    assert_eq!(
        open(4002, DataAccess::ReadWrite),
        Err(VfsError::AccessDenied)
    );
    assert!(open(4002, DataAccess::Read).is_ok());
    assert!(open(4002, DataAccess::Best).is_ok());
    host::set_permissions(f.path("f"), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(open(4002, DataAccess::Read), Err(VfsError::AccessDenied));
    // A directory that others may not change.
    host::create_dir(f.path("d")).unwrap();
    host::set_permissions(f.path("d"), PermissionsExt::from_mode(0o755)).unwrap();
    let denied = as_user(
        4001,
        VfsOp::Create {
            at: loc("d\\x"),
            what: PLAIN,
        },
    );
    assert_eq!(denied, Err(VfsError::AccessDenied));
    assert!(rustix::process::geteuid().is_root());
}
