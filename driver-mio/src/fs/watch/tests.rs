use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use smb_engine::identity::Identity;
use smb_engine::names::Pattern;
use smb_engine::vfs::{
    Backend, Creation, DataAccess, Location, OpenHow, VfsHandle, VfsOp, WriteAt,
};
use smb_proto::info::FileAttributes;

use super::*;

struct Bed {
    dir: tempfile::TempDir,
    fs: LocalFs,
}

impl Bed {
    fn new() -> Self {
        Self::with(LocalOptions::default())
    }

    fn with(options: LocalOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("d/sub/deep")).unwrap();
        fs::write(dir.path().join("d/f"), "x").unwrap();
        fs::create_dir(dir.path().join("e")).unwrap();
        let fs = LocalFs::open(dir.path(), options).unwrap();
        Self { dir, fs }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn run(&self, op: VfsOp) -> VfsReply {
        self.fs.execute(&Identity::system(), op).unwrap()
    }

    fn open(&self, path: &str) -> VfsHandle {
        let how = OpenHow {
            data: DataAccess::Best,
            open_reparse: false,
        };
        let at = location(path);
        match self.run(VfsOp::Open { at, how }) {
            VfsReply::Opened(opened) => opened.handle,
            other => panic!("{other:?}"),
        }
    }

    fn watch(&self, path: &str, recursive: bool) -> VfsHandle {
        let handle = self.open(path);
        self.run(VfsOp::Watch { handle, recursive });
        handle
    }

    /// What happened since the last call, as text.
    fn told(&self) -> Vec<String> {
        let watcher = self.fs.watcher().unwrap();
        let all = watcher.deliver(false, |all| all);
        all.iter().map(text).collect()
    }
}

fn location(path: &str) -> Location {
    Location::from(SharePath::new(path).unwrap())
}

fn text(what: &Outside) -> String {
    let slash = |directory: &bool| if *directory { "\\" } else { "" };
    match what {
        Outside::Added { at, directory } => format!("+{at}{}", slash(directory)),
        Outside::Removed { at, directory } => format!("-{at}{}", slash(directory)),
        Outside::Renamed {
            from,
            to,
            directory,
        } => format!("{from}>{to}{}", slash(directory)),
        Outside::Written { at } => format!("w {at}"),
        Outside::Touched { at } => format!("t {at}"),
        Outside::Lost => "lost".to_owned(),
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn tells_what_happens_in_a_directory() {
    let bed = Bed::new();
    assert!(!bed.fs.watcher().unwrap().is_active());
    let handle = bed.watch("d", false);
    fs::write(bed.at("d/new"), "data").unwrap();
    assert_eq!(bed.told(), ["+d\\new", "w d\\new"]);
    fs::rename(bed.at("d/new"), bed.at("d/newer")).unwrap();
    mode(&bed.at("d/newer"), 0o600);
    fs::remove_file(bed.at("d/newer")).unwrap();
    fs::create_dir(bed.at("d/a:b")).unwrap();
    assert_eq!(
        bed.told(),
        [
            "d\\new>d\\newer",
            "t d\\newer",
            "-d\\newer",
            "+d\\a\u{f022}b\\"
        ]
    );
    // Not beneath.
    fs::write(bed.at("d/sub/x"), "").unwrap();
    assert_eq!(bed.told(), [""; 0]);
    // To and from where nobody looks.
    fs::rename(bed.at("d/f"), bed.at("d/sub/f")).unwrap();
    fs::rename(bed.at("d/sub/f"), bed.at("d/back")).unwrap();
    assert_eq!(bed.told(), ["-d\\f", "+d\\back"]);
    bed.run(VfsOp::Close { handle });
    assert!(!bed.fs.watcher().unwrap().is_active());
    fs::write(bed.at("d/after"), "").unwrap();
    assert_eq!(bed.told(), [""; 0]);
}

#[test]
fn a_recursive_watch_sees_new_directories() {
    let bed = Bed::new();
    bed.watch("", true);
    fs::create_dir_all(bed.at("d/sub/deep/1/2/3")).unwrap();
    fs::write(bed.at("d/sub/deep/1/2/3/x"), "").unwrap();
    let deep = "d\\sub\\deep\\1";
    assert_eq!(
        bed.told(),
        [
            format!("+{deep}\\"),
            format!("+{deep}\\2\\"),
            format!("+{deep}\\2\\3\\"),
            format!("+{deep}\\2\\3\\x"),
        ]
    );
    fs::write(bed.at("d/sub/deep/1/2/3/y"), "y").unwrap();
    assert_eq!(
        bed.told(),
        [format!("+{deep}\\2\\3\\y"), format!("w {deep}\\2\\3\\y")]
    );
    // A directory takes what is in it along.
    fs::rename(bed.at("d/sub/deep/1"), bed.at("e/one")).unwrap();
    fs::remove_file(bed.at("e/one/2/3/y")).unwrap();
    assert_eq!(
        bed.told(),
        [format!("{deep}>e\\one\\"), "-e\\one\\2\\3\\y".to_owned()]
    );
    // What comes from elsewhere is watched too, but is one thing.
    let elsewhere = tempfile::tempdir_in(bed.dir.path().parent().unwrap()).unwrap();
    fs::create_dir_all(elsewhere.path().join("t/u")).unwrap();
    fs::rename(elsewhere.path().join("t"), bed.at("t")).unwrap();
    assert_eq!(bed.told(), ["+t\\"]);
    fs::write(bed.at("t/u/v"), "").unwrap();
    assert_eq!(bed.told(), ["+t\\u\\v"]);
    fs::rename(bed.at("t"), elsewhere.path().join("t")).unwrap();
    fs::write(elsewhere.path().join("t/u/w"), "").unwrap();
    assert_eq!(bed.told(), ["-t\\"]);
    fs::remove_dir_all(bed.at("e")).unwrap();
    assert_eq!(
        bed.told(),
        [
            "-e\\one\\2\\3\\x",
            "-e\\one\\2\\3\\",
            "-e\\one\\2\\",
            "-e\\one\\",
            "-e\\"
        ]
    );
}

#[test]
fn the_directories_on_the_way_are_watched_for_its_name() {
    let bed = Bed::new();
    let handle = bed.watch("d\\sub\\deep", false);
    fs::rename(bed.at("d"), bed.at("n")).unwrap();
    fs::write(bed.at("n/sub/deep/x"), "").unwrap();
    assert_eq!(bed.told(), ["d>n\\", "+n\\sub\\deep\\x"]);
    fs::remove_dir_all(bed.at("n/sub")).unwrap();
    assert_eq!(
        bed.told(),
        ["-n\\sub\\deep\\x", "-n\\sub\\deep\\", "-n\\sub\\"]
    );
    bed.run(VfsOp::Close { handle });
}

#[test]
fn directories_that_change_places_are_told_apart() {
    let bed = Bed::new();
    bed.watch("", true);
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        bed.at("d"),
        rustix::fs::CWD,
        bed.at("e"),
        rustix::fs::RenameFlags::EXCHANGE,
    )
    .unwrap();
    fs::write(bed.at("d/x"), "").unwrap();
    fs::write(bed.at("e/sub/y"), "").unwrap();
    assert_eq!(bed.told(), ["d>e\\", "e>d\\", "+d\\x", "+e\\sub\\y"]);
}

#[test]
fn what_clients_do_not_see_is_not_told() {
    let bed = Bed::with(LocalOptions {
        veto_files: vec![Pattern::new("secret*").unwrap()],
        ..LocalOptions::default()
    });
    bed.watch("", true);
    fs::write(bed.at("secret1"), "x").unwrap();
    fs::create_dir(bed.at("secret2")).unwrap();
    fs::write(bed.at("secret2/x"), "x").unwrap();
    fs::write(bed.at(".smb-link-1-1"), "x").unwrap();
    assert_eq!(bed.told(), [""; 0]);
    fs::rename(bed.at("secret1"), bed.at("seen")).unwrap();
    fs::rename(bed.at("d"), bed.at("secret3")).unwrap();
    fs::write(bed.at("secret3/sub/x"), "x").unwrap();
    assert_eq!(bed.told(), ["+seen", "-d\\"]);
    // A link inside or out of the share is not followed.
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), bed.at("link")).unwrap();
    fs::write(outside.path().join("x"), "").unwrap();
    assert_eq!(bed.told(), ["+link"]);
}

#[test]
fn own_operations_are_told_before_they_are_answered() {
    let bed = Bed::new();
    bed.watch("", true);
    let what = Creation {
        directory: false,
        attributes: FileAttributes::HIDDEN,
        security: None,
        eas: Vec::new(),
        allocation: 0,
    };
    let at = location("d\\own");
    let VfsReply::Opened(opened) = bed.run(VfsOp::Create { at, what }) else {
        panic!("not opened")
    };
    let watcher = bed.fs.watcher().unwrap();
    let now = || -> Vec<_> {
        let all = watcher.deliver(true, |all| all);
        all.iter().map(text).collect()
    };
    let told = now();
    assert_eq!(told[0], "+d\\own");
    assert!(told[1..].iter().all(|t| t == "t d\\own"), "{told:?}");
    let handle = opened.handle;
    bed.run(VfsOp::Write {
        handle,
        at: WriteAt::Offset(0),
        data: "data".into(),
        through: false,
    });
    let told = now();
    assert!(told.contains(&"w d\\own".to_owned()), "{told:?}");
    bed.run(VfsOp::Rename {
        handle,
        from: location("d\\own"),
        to: location("d\\sub\\own"),
        replace: false,
    });
    let told = now();
    assert!(told.contains(&"d\\own>d\\sub\\own".to_owned()), "{told:?}");
}

#[test]
fn when_events_are_lost_all_is_watched_anew() {
    let bed = Bed::new();
    bed.watch("", true);
    let max = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let max: usize = max.trim().parse().unwrap();
    let (a, b) = (bed.at("d/f"), bed.at("d/g"));
    for _ in 0..=max / 4 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    fs::rename(bed.at("d/sub"), bed.at("d/unseen")).unwrap();
    assert_eq!(bed.told().last().unwrap(), "lost");
    fs::write(bed.at("d/unseen/deep/x"), "").unwrap();
    assert_eq!(bed.told(), ["+d\\unseen\\deep\\x"]);
}

#[test]
fn handles_that_are_no_directories_are_refused() {
    let bed = Bed::new();
    let handle = bed.open("d\\f");
    let recursive = false;
    let op = VfsOp::Watch { handle, recursive };
    let refused = bed.fs.execute(&Identity::system(), op);
    assert_eq!(refused, Err(VfsError::NotADirectory));
    let bed = Bed::with(LocalOptions {
        watch: false,
        ..LocalOptions::default()
    });
    assert!(
        !bed.fs
            .capabilities()
            .contains(smb_engine::vfs::Capabilities::WATCH)
    );
    let handle = bed.open("d");
    let refused = bed
        .fs
        .execute(&Identity::system(), VfsOp::Watch { handle, recursive });
    assert_eq!(refused, Err(VfsError::NotSupported));
}
