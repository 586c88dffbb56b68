//! What other programs do in watched directories, as inotify tells it.
//!
//! inotify watches single directories, so a recursive watch is one for each directory beneath, and a
//! directory that comes into being gets its own. The directories on the way from the share's root to a
//! watched one are watched as well: only they tell what becomes of its name.
//!
//! The kernel queues the events of a system call before it returns. So whoever empties the queue after
//! an operation of the server has seen all that the operation did; [`Watcher::deliver`] hands it on
//! before the operation's answer, where the server knows it again.

mod dirs;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, StatxFlags, statx};
use rustix::io::Errno;
use smb_engine::vfs::{Outside, SharePath, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::error::{os, retry};
use super::handle::{Open, lock};
use super::names::Naming;
use super::options::LocalOptions;
use super::rename::TEMPORARY;
use super::xattr::magic;
use dirs::{Dirs, Wd};

/// Directories of one share that are watched at most; each takes about a kilobyte of kernel memory.
const MAX_DIRECTORIES: usize = 100_000;
/// How long the second half of a rename may be behind the first.
const SECOND_HALF: Duration = Duration::from_millis(1);

const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

/// Watches directories of one share.
pub struct Watcher {
    inotify: OwnedFd,
    root: OwnedFd,
    options: LocalOptions,
    naming: Naming,
    mount: u64,
    inner: Mutex<Inner>,
    /// Held while events are taken and handed on, so that they arrive in order.
    order: Mutex<()>,
    /// Watches that somebody has asked for.
    active: AtomicUsize,
    /// That no more directories can be watched has been said.
    full: AtomicBool,
}

struct Inner {
    dirs: Dirs,
    /// What was asked for, by handle.
    asked: BTreeMap<u64, Asked>,
}

/// A watch that somebody has asked for.
struct Asked {
    dir: OwnedFd,
    recursive: bool,
    /// The directory and those on the way to it.
    pinned: Vec<Wd>,
    /// The directory.
    at: Wd,
}

/// The first half of a rename.
struct Moved {
    cookie: u32,
    from: Option<SharePath>,
    /// The watched directory that is being renamed.
    dir: Option<Wd>,
    directory: bool,
    /// Its place in [`Taken::out`], if there is no second half.
    slot: usize,
}

/// What is taken from the queue in one go.
#[derive(Default)]
struct Taken {
    /// What happened, and in which directory; places of first halves of renames are free.
    out: Vec<(Wd, Option<Outside>)>,
    moved: Vec<Moved>,
    /// Names that were found in new directories, whose events may still come.
    found: BTreeSet<(Wd, Vec<u8>)>,
}

impl Taken {
    fn push(&mut self, wd: Wd, what: Outside) {
        // Writing goes on and on.
        if self
            .out
            .last()
            .is_none_or(|(_, last)| last.as_ref() != Some(&what))
        {
            self.out.push((wd, Some(what)));
        }
    }

    /// Keeps a place.
    fn slot(&mut self, wd: Wd) -> usize {
        self.out.push((wd, None));
        self.out.len() - 1
    }
}

/// What is known of an event.
struct Event<'a> {
    wd: Wd,
    what: ReadFlags,
    cookie: u32,
    name: &'a [u8],
}

impl LocalFs {
    /// What tells of changes in this directory; `None` where the host cannot.
    #[must_use]
    pub fn watcher(&self) -> Option<std::sync::Arc<Watcher>> {
        self.watcher.clone()
    }

    pub(super) fn watch(&self, handle: u64, open: &Open, recursive: bool) -> VfsResult {
        let Some(watcher) = &self.watcher else {
            return Err(VfsError::NotSupported);
        };
        if !open.is_directory() {
            return Err(VfsError::NotADirectory);
        }
        let at = lock(&open.at).path.clone();
        match watcher.watch(handle, open.node.fd(), &at, recursive) {
            Ok(()) => Ok(VfsReply::Done),
            Err(Errno::NOSPC) => Err(VfsError::NotSupported),
            Err(e) => Err(os(e)),
        }
    }

    pub(super) fn unwatch(&self, handle: u64) {
        if let Some(watcher) = &self.watcher {
            watcher.unwatch(handle);
        }
    }
}

impl Watcher {
    pub(super) fn new(root: OwnedFd, options: LocalOptions, mount: u64) -> Result<Self, Errno> {
        let naming = options.naming();
        let inner = Inner {
            dirs: Dirs::new(naming.clone()),
            asked: BTreeMap::new(),
        };
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            root,
            options,
            naming,
            mount,
            inner: Mutex::new(inner),
            order: Mutex::default(),
            active: AtomicUsize::new(0),
            full: AtomicBool::new(false),
        })
    }

    /// Whether anything is watched.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire) > 0
    }

    /// Readable when something has happened.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Hands all that has happened to `give`, while nobody else does. `after`: an operation of the
    /// server has just been carried out, so nothing more of it will come.
    pub fn deliver<R>(&self, after: bool, give: impl FnOnce(Vec<Outside>) -> R) -> R {
        let _order = lock(&self.order);
        give(self.take(after))
    }

    fn hides(&self, name: &[u8]) -> bool {
        name.starts_with(TEMPORARY) || self.options.vetoed(&self.naming.to_share(name))
    }

    fn add_watch(&self, inner: &Inner, dir: BorrowedFd<'_>) -> Result<Wd, Errno> {
        let added = if inner.dirs.len() >= MAX_DIRECTORIES {
            Err(Errno::NOSPC)
        } else {
            inotify::add_watch(&self.inotify, magic(dir), EVENTS)
        };
        if added == Err(Errno::NOSPC) && !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                share = self.options.label,
                watched = inner.dirs.len(),
                "no more directories can be watched for changes by other programs; \
                 fs.inotify.max_user_watches is the system's limit"
            );
        }
        added
    }

    fn drop_watch(&self, wd: Wd) {
        // Fails if the watch went with its directory.
        let _gone = inotify::remove_watch(&self.inotify, wd);
    }

    /// The directories from the root down to `at`, which must be `dir`.
    fn way(&self, dir: BorrowedFd<'_>, at: &SharePath) -> Result<Vec<(Vec<u8>, OwnedFd)>, Errno> {
        let mut way: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
        for name in at.components() {
            let host = self.naming.to_host(name).map_err(|_| Errno::INVAL)?;
            let here = way
                .last()
                .map_or_else(|| self.root.as_fd(), |(_, fd)| fd.as_fd());
            let fd = retry(|| {
                rustix::fs::openat2(
                    here,
                    &host[..],
                    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                    Mode::empty(),
                    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
                )
            })?;
            way.push((host, fd));
        }
        let last = way
            .last()
            .map_or_else(|| self.root.as_fd(), |(_, fd)| fd.as_fd());
        if identity(last)? == identity(dir)? {
            Ok(way)
        } else {
            Err(Errno::NOENT)
        }
    }

    fn watch(
        &self,
        handle: u64,
        dir: BorrowedFd<'_>,
        at: &SharePath,
        recursive: bool,
    ) -> Result<(), Errno> {
        let mut inner = lock(&self.inner);
        if let Some(before) = inner.asked.remove(&handle) {
            self.give_up(&mut inner, &before);
        }
        let asked = self.ask(&mut inner, dir, at, recursive)?;
        let from = asked.at;
        inner.asked.insert(handle, asked);
        self.active.store(inner.asked.len(), Ordering::Release);
        drop(inner);
        if recursive {
            self.descend(from, dir);
        }
        Ok(())
    }

    /// Watches a directory and those on the way to it.
    fn ask(
        &self,
        inner: &mut Inner,
        dir: BorrowedFd<'_>,
        at: &SharePath,
        recursive: bool,
    ) -> Result<Asked, Errno> {
        let mut pinned = Vec::new();
        let last = match self.way(dir, at) {
            Ok(way) => {
                let mut wd = self.add_watch(inner, self.root.as_fd())?;
                inner.dirs.add_top(wd, SharePath::root());
                for (name, fd) in way {
                    pinned.push(wd);
                    let next = self.add_watch(inner, fd.as_fd())?;
                    inner.dirs.add(next, wd, &name);
                    wd = next;
                }
                wd
            }
            // Behind a link, or renamed by others just now: what becomes of its name is not seen.
            Err(_) => {
                let wd = self.add_watch(inner, dir)?;
                inner.dirs.add_top(wd, at.clone());
                wd
            }
        };
        pinned.iter().for_each(|wd| inner.dirs.pin(*wd, false));
        inner.dirs.pin(last, recursive);
        pinned.push(last);
        Ok(Asked {
            dir: dir.try_clone_to_owned().map_err(|_| Errno::MFILE)?,
            recursive,
            pinned,
            at: last,
        })
    }

    fn unwatch(&self, handle: u64) {
        if !self.is_active() {
            return;
        }
        let mut inner = lock(&self.inner);
        if let Some(asked) = inner.asked.remove(&handle) {
            self.give_up(&mut inner, &asked);
            self.active.store(inner.asked.len(), Ordering::Release);
        }
    }

    fn give_up(&self, inner: &mut Inner, asked: &Asked) {
        for wd in &asked.pinned {
            inner.dirs.unpin(*wd, asked.recursive && *wd == asked.at);
        }
        self.sweep(inner);
    }

    /// Ends the watches that nobody needs.
    fn sweep(&self, inner: &mut Inner) {
        for wd in inner.dirs.idle() {
            inner.dirs.remove(wd);
            self.drop_watch(wd);
        }
    }

    /// Ends the watch of a directory and of all beneath it.
    fn drop_beneath(&self, inner: &mut Inner, wd: Wd) -> BTreeSet<Wd> {
        let mut dropped = BTreeSet::new();
        let mut gone = vec![wd];
        while let Some(wd) = gone.pop() {
            gone.extend(inner.dirs.remove(wd));
            self.drop_watch(wd);
            dropped.insert(wd);
        }
        dropped
    }

    /// Watches everything beneath a directory. What happens meanwhile is seen by whoever takes events.
    fn descend(&self, top: Wd, dir: BorrowedFd<'_>) {
        let Ok(dir) = open_dir(dir, b".") else { return };
        let mut todo = vec![(top, dir)];
        while let Some((wd, dir)) = todo.pop() {
            for (name, kind) in names(&dir) {
                if !may_be_directory(kind) || self.hides(&name) {
                    continue;
                }
                if let Some(child) = self.child(&mut lock(&self.inner), wd, &dir, &name) {
                    todo.push(child);
                }
            }
        }
    }

    /// Watches one directory in another; `None` if it is watched already, or cannot be.
    fn child(
        &self,
        inner: &mut Inner,
        parent: Wd,
        dir: &OwnedFd,
        name: &[u8],
    ) -> Option<(Wd, OwnedFd)> {
        if !inner.dirs.contains(parent) {
            return None;
        }
        let fd = open_dir(dir.as_fd(), name).ok()?;
        if !self.options.cross_mounts && mount(fd.as_fd()) != Some(self.mount) {
            return None;
        }
        let wd = self.add_watch(inner, fd.as_fd()).ok()?;
        inner.dirs.add(wd, parent, name).then_some((wd, fd))
    }

    /// Watches a directory that has come into being, and all in it; tells what was there already if
    /// it is new.
    fn arrived(&self, inner: &mut Inner, parent: Wd, name: &[u8], taken: &mut Taken, new: bool) {
        let Some(at) = inner.dirs.path(parent) else {
            return;
        };
        let Ok(dir) = self.open_beneath(&at) else {
            return;
        };
        let mut todo: Vec<_> = self.child(inner, parent, &dir, name).into_iter().collect();
        while let Some((wd, dir)) = todo.pop() {
            let at = inner.dirs.path(wd);
            for (name, kind) in names(&dir) {
                if self.hides(&name) {
                    continue;
                }
                let child = if may_be_directory(kind) {
                    self.child(inner, wd, &dir, &name)
                } else {
                    None
                };
                if new
                    && let Some(at) = at
                        .as_ref()
                        .and_then(|at| at.join(&self.naming.to_share(&name)))
                    && taken.found.insert((wd, name))
                {
                    let directory = child.is_some() || kind == FileType::Directory;
                    taken.push(wd, Outside::Added { at, directory });
                }
                todo.extend(child);
            }
        }
    }

    /// Opens a directory by its path in the share.
    fn open_beneath(&self, at: &SharePath) -> Result<OwnedFd, Errno> {
        let mut host = Vec::new();
        for name in at.components() {
            host.extend(self.naming.to_host(name).map_err(|_| Errno::INVAL)?);
            host.push(b'/');
        }
        host.push(b'.');
        retry(|| {
            rustix::fs::openat2(
                &self.root,
                &host[..],
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            )
        })
    }

    /// Empties the queue.
    fn take(&self, after: bool) -> Vec<Outside> {
        let mut taken = Taken::default();
        let mut inner = lock(&self.inner);
        self.read(&mut inner, &mut taken);
        if !taken.moved.is_empty() && !after {
            std::thread::sleep(SECOND_HALF);
            self.read(&mut inner, &mut taken);
        }
        for moved in std::mem::take(&mut taken.moved) {
            self.moved_away(&mut inner, moved, &mut taken);
        }
        taken.out.into_iter().filter_map(|(_, what)| what).collect()
    }

    /// What was renamed went to where nobody watches.
    fn moved_away(&self, inner: &mut Inner, moved: Moved, taken: &mut Taken) {
        let later = taken.out.get_mut(moved.slot..).unwrap_or_default();
        if let Some(dir) = moved.dir {
            // What happened there since happened elsewhere.
            let gone = self.drop_beneath(inner, dir);
            for (_, what) in later.iter_mut().filter(|(wd, _)| gone.contains(wd)) {
                *what = None;
            }
        }
        if let (Some(at), Some((_, place))) = (moved.from, later.first_mut()) {
            *place = Some(Outside::Removed {
                at,
                directory: moved.directory,
            });
        }
    }

    fn read(&self, inner: &mut Inner, taken: &mut Taken) {
        let mut buf = [MaybeUninit::<u8>::uninit(); 16384];
        let mut reader = inotify::Reader::new(self.inotify.as_fd(), &mut buf);
        loop {
            match reader.next() {
                Ok(event) => {
                    let what = event.events();
                    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                        taken.moved.clear();
                        taken.push(event.wd(), Outside::Lost);
                        self.begin_again(inner);
                    } else if what.contains(ReadFlags::IGNORED) {
                        inner.dirs.remove(event.wd());
                    } else if let Some(name) = event.file_name() {
                        let event = Event {
                            wd: event.wd(),
                            what,
                            cookie: event.cookie(),
                            name: name.to_bytes(),
                        };
                        self.event(inner, &event, taken);
                    }
                }
                Err(Errno::INTR) => {}
                // AGAIN: the queue is empty. Anything else would come again and again.
                Err(_) => return,
            }
        }
    }

    /// Some events are lost, so that names may be wrong: all watches are made anew.
    fn begin_again(&self, inner: &mut Inner) {
        let places: Vec<_> = inner
            .asked
            .iter()
            .map(|(handle, asked)| (*handle, inner.dirs.path(asked.at)))
            .collect();
        for wd in inner.dirs.clear() {
            self.drop_watch(wd);
        }
        for (handle, at) in places {
            let Some(asked) = inner.asked.remove(&handle) else {
                continue;
            };
            let at = at.unwrap_or_default();
            let Ok(asked) = self.ask(inner, asked.dir.as_fd(), &at, asked.recursive) else {
                continue;
            };
            if asked.recursive
                && let Ok(dir) = open_dir(asked.dir.as_fd(), b".")
            {
                let mut todo = vec![(asked.at, dir)];
                while let Some((wd, dir)) = todo.pop() {
                    for (name, kind) in names(&dir) {
                        if may_be_directory(kind) && !self.hides(&name) {
                            todo.extend(self.child(inner, wd, &dir, &name));
                        }
                    }
                }
            }
            inner.asked.insert(handle, asked);
        }
    }

    fn event(&self, inner: &mut Inner, e: &Event<'_>, taken: &mut Taken) {
        // Behind a watch that has ended, and inside what clients do not see, nothing happens.
        let Some(dir) = inner.dirs.path(e.wd) else {
            return;
        };
        let hidden = self.hides(e.name);
        let at = (!hidden)
            .then(|| dir.join(&self.naming.to_share(e.name)))
            .flatten();
        let directory = e.what.contains(ReadFlags::ISDIR);
        if e.what.contains(ReadFlags::MOVED_FROM) {
            let moved = Moved {
                cookie: e.cookie,
                from: at,
                dir: inner.dirs.take(e.wd, e.name),
                directory,
                slot: taken.slot(e.wd),
            };
            taken.moved.push(moved);
        } else if e.what.contains(ReadFlags::MOVED_TO) {
            self.moved_to(inner, e, at, taken);
        } else if e.what.contains(ReadFlags::CREATE) {
            if taken.found.remove(&(e.wd, e.name.to_vec())) {
                return;
            }
            let Some(at) = at else { return };
            taken.push(e.wd, Outside::Added { at, directory });
            if directory && inner.dirs.is_deep(e.wd) {
                self.arrived(inner, e.wd, e.name, taken, true);
            }
        } else if e.what.contains(ReadFlags::DELETE) {
            taken.found.remove(&(e.wd, e.name.to_vec()));
            if let Some(gone) = inner.dirs.take(e.wd, e.name) {
                self.drop_beneath(inner, gone);
            }
            if let Some(at) = at {
                taken.push(e.wd, Outside::Removed { at, directory });
            }
        } else if let Some(at) = at {
            if e.what.contains(ReadFlags::MODIFY) {
                taken.push(e.wd, Outside::Written { at });
            } else if e.what.contains(ReadFlags::ATTRIB) {
                taken.push(e.wd, Outside::Touched { at });
            }
        }
    }

    fn moved_to(&self, inner: &mut Inner, e: &Event<'_>, to: Option<SharePath>, taken: &mut Taken) {
        let directory = e.what.contains(ReadFlags::ISDIR);
        let first = taken.moved.iter().position(|m| m.cookie == e.cookie);
        let first = first.map(|i| taken.moved.remove(i));
        let (from, dir) = first.map_or((None, None), |m| (m.from, m.dir));
        let deep = inner.dirs.is_deep(e.wd);
        match (dir, &to) {
            (Some(dir), Some(_)) => inner.dirs.put(dir, e.wd, e.name),
            (Some(dir), None) => {
                self.drop_beneath(inner, dir);
            }
            (None, _) => inner.dirs.covered(e.wd, e.name),
        }
        match (from, to) {
            (Some(from), Some(to)) => taken.push(
                e.wd,
                Outside::Renamed {
                    from,
                    to,
                    directory,
                },
            ),
            (Some(at), None) => taken.push(e.wd, Outside::Removed { at, directory }),
            (None, Some(at)) => taken.push(e.wd, Outside::Added { at, directory }),
            (None, None) => return,
        }
        if !directory {
        } else if dir.is_some() {
            if !deep {
                self.sweep(inner);
            }
        } else if deep {
            self.arrived(inner, e.wd, e.name, taken, false);
        }
    }
}

fn open_dir(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    retry(|| rustix::fs::openat(dir, name, flags, Mode::empty()))
}

/// The names in a directory, as far as they can be read.
fn names(dir: &OwnedFd) -> Vec<(Vec<u8>, FileType)> {
    let Ok(dir) = Dir::read_from(dir) else {
        return Vec::new();
    };
    dir.map_while(Result::ok)
        .map(|entry| (entry.file_name().to_bytes().to_vec(), entry.file_type()))
        .filter(|(name, _)| !matches!(&name[..], b"." | b".."))
        .collect()
}

fn may_be_directory(kind: FileType) -> bool {
    matches!(kind, FileType::Directory | FileType::Unknown)
}

/// Device and inode.
fn identity(fd: BorrowedFd<'_>) -> Result<(u32, u32, u64), Errno> {
    let stat = retry(|| statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::INO))?;
    Ok((stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino))
}

fn mount(fd: BorrowedFd<'_>) -> Option<u64> {
    let stat = retry(|| statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)).ok()?;
    Some(stat.stx_mnt_id)
}

#[cfg(test)]
mod tests;
