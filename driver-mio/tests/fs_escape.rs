//! Nothing outside a shared directory is ever reached, whatever links and races there are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver_mio::fs::{LocalFs, LocalOptions};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use smb_engine::identity::{Identity, IdentityKind};
use smb_engine::vfs::{
    Backend, Creation, DataAccess, Location, OpenHow, SharePath, VfsHandle, VfsOp, VfsReply,
    VfsResult, WriteAt,
};
use smb_proto::info::FileAttributes;

const CANARY: &str = "OUTSIDE";

struct World {
    _temp: tempfile::TempDir,
    share: PathBuf,
    outside: PathBuf,
}

impl World {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let share = temp.path().join("share");
        let outside = temp.path().join("outside");
        for (dir, content) in [(&share.join("d"), "inside"), (&outside, CANARY)] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("secret"), content).unwrap();
            fs::set_permissions(dir.join("secret"), PermissionsExt::from_mode(0o666)).unwrap();
            fs::create_dir(dir.join("sub")).unwrap();
            fs::write(dir.join("sub/secret"), content).unwrap();
        }
        for dir in [temp.path(), &share, &share.join("d"), &outside] {
            fs::set_permissions(dir, PermissionsExt::from_mode(0o777)).unwrap();
        }
        Self {
            _temp: temp,
            share,
            outside,
        }
    }

    /// The outside is as it was.
    fn check(&self) {
        let list = |dir: &Path| {
            let mut names: Vec<_> = fs::read_dir(dir)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(list(&self.outside), ["secret", "sub"]);
        assert_eq!(list(&self.outside.join("sub")), ["secret"]);
        for name in ["secret", "sub/secret"] {
            let path = self.outside.join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), CANARY);
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7000, 0);
        }
    }
}

fn at(name: &str) -> Location {
    SharePath::new(name).unwrap().into()
}

/// One client that opens, lists, writes, creates, renames and removes under `d`.
struct Client<'a> {
    fs: &'a LocalFs,
    by: Identity,
    reached: usize,
}

impl Client<'_> {
    fn run(&self, op: VfsOp) -> VfsResult {
        self.fs.execute(&self.by, op)
    }

    fn open(&self, name: &str, data: DataAccess) -> Option<VfsHandle> {
        let how = OpenHow {
            data,
            open_reparse: false,
        };
        match self.run(VfsOp::Open { at: at(name), how }) {
            Ok(VfsReply::Opened(o)) => Some(o.handle),
            _ => None,
        }
    }

    fn close(&self, handle: VfsHandle) {
        self.run(VfsOp::Close { handle }).unwrap();
    }

    fn round(&mut self, n: usize) {
        for name in ["d\\secret", "D\\SECRET", "d\\sub\\secret", "l\\secret"] {
            if let Some(handle) = self.open(name, DataAccess::ReadWrite) {
                let read = VfsOp::Read {
                    handle,
                    offset: 0,
                    len: 100,
                };
                let Ok(VfsReply::Data(data)) = self.run(read) else {
                    panic!("no data")
                };
                assert_ne!(data.data(), CANARY.as_bytes(), "{name}");
                let data = Bytes::from_static(b"inside");
                let at = WriteAt::Offset(0);
                let through = false;
                self.run(VfsOp::Write {
                    handle,
                    at,
                    data,
                    through,
                })
                .unwrap();
                self.close(handle);
                self.reached += 1;
            }
        }
        for dir in ["d", "l", "D"] {
            if let Some(handle) = self.open(dir, DataAccess::Read) {
                let list = VfsOp::List {
                    handle,
                    restart: true,
                    pattern: None,
                    limit: 100,
                    security: false,
                };
                if let Ok(VfsReply::Listing(list)) = self.run(list) {
                    for item in list.items {
                        assert_ne!(item.info.size, CANARY.len() as u64, "{}", item.name);
                    }
                }
                self.close(handle);
            }
            let name = format!("{dir}\\new{n}");
            let what = Creation {
                directory: n.is_multiple_of(2),
                attributes: FileAttributes::HIDDEN,
                security: None,
                eas: Vec::new(),
                allocation: 0,
            };
            let Ok(VfsReply::Opened(o)) = self.run(VfsOp::Create {
                at: at(&name),
                what,
            }) else {
                continue;
            };
            let handle = o.handle;
            let moved = format!("{dir}\\sub\\moved{n}");
            let rename = VfsOp::Rename {
                handle,
                from: at(&name),
                to: at(&moved),
                replace: true,
            };
            let now = if self.run(rename).is_ok() {
                moved
            } else {
                name
            };
            let to = SharePath::new(&format!("{dir}\\link{n}")).unwrap();
            let linked = VfsOp::Link {
                handle,
                to: to.clone(),
                replace: true,
            };
            if self.run(linked).is_ok() {
                while self
                    .run(VfsOp::Remove {
                        handle,
                        at: to.clone().into(),
                    })
                    .is_err()
                {}
            }
            // The name is there again as soon as the directory is.
            while self
                .run(VfsOp::Remove {
                    handle,
                    at: at(&now),
                })
                .is_err()
            {}
            self.close(handle);
            self.reached += 1;
        }
    }
}

fn identity(uid: Option<u32>) -> Identity {
    Identity {
        uid,
        gid: uid,
        admin: false,
        kind: IdentityKind::User,
        ..Identity::system()
    }
}

/// `d` is a directory in one moment and a link out of the share in the next.
fn swapped(absolute: bool, follow: bool, by: Identity) {
    let world = World::new();
    fs::set_permissions(world.share.join("d/sub"), PermissionsExt::from_mode(0o777)).unwrap();
    let target = if absolute {
        world.outside.clone()
    } else {
        PathBuf::from("../outside")
    };
    symlink(target, world.share.join("l")).unwrap();
    let options = LocalOptions {
        follow_symlinks: follow,
        ..LocalOptions::default()
    };
    let backend = LocalFs::open(&world.share, options).unwrap();
    let stop = AtomicBool::new(false);
    let reached = std::thread::scope(|s| {
        s.spawn(|| {
            let (d, l) = (world.share.join("d"), world.share.join("l"));
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &d, CWD, &l, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let end = Instant::now() + Duration::from_secs(1);
        let mut client = Client {
            fs: &backend,
            by,
            reached: 0,
        };
        let mut n = 0;
        while Instant::now() < end {
            client.round(n);
            n += 1;
        }
        stop.store(true, Ordering::Relaxed);
        client.reached
    });
    assert!(reached > 0, "the race was never won, so nothing was tested");
    world.check();
}

#[test]
fn a_directory_that_becomes_an_absolute_link() {
    for follow in [false, true] {
        swapped(true, follow, identity(None));
    }
}

#[test]
fn a_directory_that_becomes_a_relative_link() {
    for follow in [false, true] {
        swapped(false, follow, identity(Some(5001)));
    }
}

#[test]
fn a_directory_that_is_moved_away_while_it_is_walked() {
    let world = World::new();
    let deep = world.share.join("d/a/b/c");
    fs::create_dir_all(&deep).unwrap();
    // From inside the directory that moves, `..` may lead out of the share.
    symlink("../../../../secret", deep.join("up")).unwrap();
    symlink("../../../secret", deep.join("near")).unwrap();
    fs::write(world.share.join("secret"), "inside").unwrap();
    let options = LocalOptions {
        follow_symlinks: true,
        ..LocalOptions::default()
    };
    let backend = LocalFs::open(&world.share, options).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            let (here, there) = (world.share.join("d/a"), world.outside.join("a"));
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&here, &there).unwrap();
                fs::rename(&there, &here).unwrap();
            }
        });
        let client = Client {
            fs: &backend,
            by: identity(None),
            reached: 0,
        };
        let end = Instant::now() + Duration::from_secs(1);
        let mut opened = 0;
        while Instant::now() < end {
            for name in ["d\\a\\b\\c\\up", "D\\A\\B\\C\\NEAR"] {
                let Some(handle) = client.open(name, DataAccess::Read) else {
                    continue;
                };
                let read = VfsOp::Read {
                    handle,
                    offset: 0,
                    len: 100,
                };
                let Ok(VfsReply::Data(data)) = client.run(read) else {
                    panic!("no data")
                };
                assert_eq!(data.data(), b"inside", "{name}");
                client.close(handle);
                opened += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(opened > 0);
    });
    world.check();
}

#[test]
fn names_do_not_lead_out() {
    let world = World::new();
    let backend = LocalFs::open(&world.share, LocalOptions::default()).unwrap();
    let client = Client {
        fs: &backend,
        by: identity(None),
        reached: 0,
    };
    // What decodes to dots or slashes on the host.
    for name in [
        "\u{f029}",
        ".\u{f029}",
        ".\u{f029}\\outside\\secret",
        "\u{f02f}etc",
        "d\\.\u{f029}\\.\u{f029}\\outside\\secret",
        "\u{f0af}etc\u{f0af}passwd",
        "\u{f02e}\u{f02e}\\outside\\secret",
    ] {
        assert_eq!(client.open(name, DataAccess::Read), None, "{name:?}");
        let what = Creation {
            directory: false,
            attributes: FileAttributes::empty(),
            security: None,
            eas: Vec::new(),
            allocation: 0,
        };
        if let Ok(VfsReply::Opened(o)) = client.run(VfsOp::Create { at: at(name), what }) {
            // A name like any other.
            assert!(fs::read_dir(&world.share).unwrap().count() == 2, "{name:?}");
            client
                .run(VfsOp::Remove {
                    handle: o.handle,
                    at: o.at,
                })
                .unwrap();
        }
    }
    for (target, name) in [
        ("/proc/self/root/etc/passwd", "magic"),
        ("/proc/self/cwd", "cwd"),
        ("/", "root"),
        ("..", "parent"),
    ] {
        symlink(target, world.share.join(name)).unwrap();
        for follow in [false, true] {
            let options = LocalOptions {
                follow_symlinks: follow,
                ..LocalOptions::default()
            };
            let backend = LocalFs::open(&world.share, options).unwrap();
            let client = Client {
                fs: &backend,
                by: identity(None),
                reached: 0,
            };
            assert_eq!(client.open(name, DataAccess::None), None, "{target}");
            let below = format!("{name}\\outside\\secret");
            assert_eq!(client.open(&below, DataAccess::None), None, "{target}");
        }
    }
    world.check();
}

/// What is mounted inside a share is not entered where that is said.
#[test]
fn a_mount_point_that_is_not_to_be_crossed() {
    const INSIDE: &str = "FS_ESCAPE_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_none() {
        // Once more in a process with a mount table of its own, which not every machine gives.
        let unshare = |words: &[&std::ffi::OsStr]| {
            let mut command = Command::new("unshare");
            command.arg("-m").args(words).env(INSIDE, "1");
            command.status().is_ok_and(|status| status.success())
        };
        if !unshare(&["true".as_ref()]) {
            eprintln!("nothing can be mounted here");
            return;
        }
        let program = std::env::current_exe().unwrap();
        let name = "a_mount_point_that_is_not_to_be_crossed";
        assert!(unshare(&[
            program.as_ref(),
            "--exact".as_ref(),
            name.as_ref()
        ]));
        return;
    }
    let world = World::new();
    let at_mount = world.share.join("mnt");
    fs::create_dir(&at_mount).unwrap();
    rustix::mount::mount_bind(&world.outside, &at_mount).unwrap();
    symlink("mnt/sub", world.share.join("in")).unwrap();
    for (cross_mounts, follow_symlinks) in [(true, true), (false, true), (false, false)] {
        let options = LocalOptions {
            cross_mounts,
            follow_symlinks,
            ..LocalOptions::default()
        };
        let backend = LocalFs::open(&world.share, options).unwrap();
        let client = Client {
            fs: &backend,
            by: identity(None),
            reached: 0,
        };
        for name in [
            "mnt",
            "MNT",
            "mnt\\secret",
            "Mnt\\SECRET",
            "in",
            "in\\secret",
        ] {
            let opened = client.open(name, DataAccess::Read).is_some();
            assert_eq!(opened, cross_mounts, "{name}");
        }
        let root = client.open("", DataAccess::Read).unwrap();
        for pattern in ["*", "mnt"] {
            let list = VfsOp::List {
                handle: root,
                restart: true,
                pattern: smb_engine::names::Pattern::new(pattern),
                limit: 100,
                security: false,
            };
            let Ok(VfsReply::Listing(list)) = client.run(list) else {
                panic!("no listing by {pattern}")
            };
            let shown = list.items.iter().any(|item| item.name == "mnt");
            assert_eq!(shown, cross_mounts, "{pattern}");
        }
        client.close(root);
    }
    world.check();
    let lazily = rustix::mount::UnmountFlags::DETACH;
    rustix::mount::unmount(&at_mount, lazily).unwrap();
}
