//! Names of directories without regard to case, so that looking for a name that is not there (the
//! first half of every create) does not read the whole directory each time.
//!
//! A directory is read once and then kept in step by inotify, whose events are queued before the
//! call that causes them returns. Where another machine can change the directory (network file
//! systems), or the host has no watch left, what was read counts only while the directory's
//! modification and change times stand still.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, Statx, StatxFlags, statx};
use rustix::io::Errno;
use smb_engine::names::{fold, is_made_short, short_name};

use super::error::retry;
use super::names::to_share;
use super::walk::Walk;
use super::xattr::magic;

/// Directories kept at most.
const MAX_DIRECTORIES: usize = 512;
/// Names kept at most, all directories together (about 100 bytes each).
const MAX_NAMES: usize = 500_000;
/// How long ago a directory must have changed last for its times to tell two states apart.
const SETTLED: Duration = Duration::from_secs(2);

/// A directory: device and inode.
type Key = (u64, u64);

/// The names of one directory by their folded form; almost always one each.
#[derive(Default)]
struct Names(BTreeMap<String, Vec<Vec<u8>>>);

impl Names {
    fn key(host: &[u8]) -> String {
        fold(&to_share(host))
    }

    fn insert(&mut self, host: Vec<u8>) {
        let same = self.0.entry(Self::key(&host)).or_default();
        if !same.contains(&host) {
            same.push(host);
        }
    }

    fn remove(&mut self, host: &[u8]) {
        let key = Self::key(host);
        if let Some(same) = self.0.get_mut(&key) {
            same.retain(|n| n != host);
            if same.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// The name, or the one whose 8.3 form it is.
    fn find(&self, folded: &str) -> Option<Vec<u8>> {
        if let Some(found) = self.0.get(folded) {
            return found.first().cloned();
        }
        if !is_made_short(folded) {
            return None;
        }
        let mut all = self.0.values().flatten();
        all.find(|host| short_name(&to_share(host)).is_some_and(|s| s == folded))
            .cloned()
    }
}

enum State {
    /// Someone reads the directory; what changes meanwhile (name, whether it is there).
    Loading(Vec<(Vec<u8>, bool)>),
    Ready(Names),
}

/// When a directory changed last.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp(i64, u32, i64, u32);

struct Entry {
    state: State,
    watch: Option<i32>,
    stamp: Stamp,
    /// The stamp was old enough when the names were read.
    settled: bool,
    last_used: u64,
}

#[derive(Default)]
struct Inner {
    directories: BTreeMap<Key, Entry>,
    watches: BTreeMap<i32, Key>,
    uses: u64,
}

/// The cache.
pub(super) struct NameCache {
    inner: Mutex<Inner>,
    inotify: Option<OwnedFd>,
}

impl NameCache {
    /// `local`: only this machine changes the file system, so that inotify sees everything.
    pub(super) fn new(local: bool) -> Self {
        Self {
            inner: Mutex::default(),
            inotify: local
                .then(|| inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok())
                .flatten(),
        }
    }

    /// The host name in `dir` that equals `wanted` (a share name) without regard to case.
    pub(super) fn find(&self, dir: BorrowedFd<'_>, wanted: &str) -> Result<Option<Vec<u8>>, Errno> {
        let wanted = fold(wanted);
        let (key, stamp) = identify(dir)?;
        {
            let mut inner = self.lock();
            self.drain(&mut inner);
            inner.uses = inner.uses.saturating_add(1);
            let now = inner.uses;
            if let Some(entry) = inner.directories.get_mut(&key) {
                match &entry.state {
                    State::Ready(names)
                        if entry.watch.is_some() || (entry.settled && entry.stamp == stamp) =>
                    {
                        entry.last_used = now;
                        return Ok(names.find(&wanted));
                    }
                    State::Ready(_) => inner.forget(key, self.inotify.as_ref()),
                    State::Loading(_) => {
                        drop(inner);
                        return scan(dir).map(|names| names.find(&wanted));
                    }
                }
            }
            self.begin(&mut inner, key, stamp, dir);
        }
        let names = scan(dir);
        let mut inner = self.lock();
        self.drain(&mut inner);
        let names = match names {
            Ok(names) => names,
            Err(e) => {
                inner.forget(key, self.inotify.as_ref());
                return Err(e);
            }
        };
        let found = names.find(&wanted);
        // The entry may have been dropped meanwhile (queue overflow, directory removed).
        if let Some(entry) = inner.directories.get_mut(&key)
            && let State::Loading(changes) = &mut entry.state
        {
            let changes = std::mem::take(changes);
            let mut names = names;
            for (name, present) in changes {
                apply(&mut names, name, present);
            }
            let found = names.find(&wanted);
            entry.state = State::Ready(names);
            inner.shrink(key, self.inotify.as_ref());
            return Ok(found);
        }
        Ok(found)
    }

    fn begin(&self, inner: &mut Inner, key: Key, stamp: Stamp, dir: BorrowedFd<'_>) {
        let watch = self.inotify.as_ref().and_then(|inotify| {
            let what = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVE
                | WatchFlags::DELETE_SELF
                | WatchFlags::ONLYDIR;
            inotify::add_watch(inotify, magic(dir), what).ok()
        });
        if let Some(wd) = watch {
            inner.watches.insert(wd, key);
        }
        let last_used = inner.uses;
        inner.directories.insert(
            key,
            Entry {
                state: State::Loading(Vec::new()),
                watch,
                stamp,
                settled: stamp.is_settled(),
                last_used,
            },
        );
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the cache up to date.
    fn drain(&self, inner: &mut Inner) {
        let Some(inotify) = &self.inotify else {
            return;
        };
        let mut buf = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(inotify.as_fd(), &mut buf);
        loop {
            match reader.next() {
                Ok(event) => inner.take_event(
                    event.wd(),
                    event.events(),
                    event.file_name().map(|n| n.to_bytes().to_vec()),
                    inotify,
                ),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => {
                    // Nothing can be trusted any more.
                    inner.forget_all(inotify);
                    return;
                }
            }
        }
    }
}

impl Inner {
    fn take_event(&mut self, wd: i32, what: ReadFlags, name: Option<Vec<u8>>, inotify: &OwnedFd) {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.forget_all(inotify);
            return;
        }
        let Some(&key) = self.watches.get(&wd) else {
            return;
        };
        if what.intersects(ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED) {
            self.forget(key, Some(inotify));
            return;
        }
        let (Some(name), Some(entry)) = (name, self.directories.get_mut(&key)) else {
            return;
        };
        let present = what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        match &mut entry.state {
            State::Loading(changes) => changes.push((name, present)),
            State::Ready(names) => apply(names, name, present),
        }
    }

    fn forget(&mut self, key: Key, inotify: Option<&OwnedFd>) {
        if let Some(entry) = self.directories.remove(&key)
            && let Some(wd) = entry.watch
        {
            self.watches.remove(&wd);
            if let Some(inotify) = inotify {
                // Fails if the watch went with its directory.
                let _gone = inotify::remove_watch(inotify, wd);
            }
        }
    }

    fn forget_all(&mut self, inotify: &OwnedFd) {
        for key in self.directories.keys().copied().collect::<Vec<_>>() {
            self.forget(key, Some(inotify));
        }
    }

    /// Drops what was used longest ago, but not `keep`, until the limits are met.
    fn shrink(&mut self, keep: Key, inotify: Option<&OwnedFd>) {
        let count = |entry: &Entry| match &entry.state {
            State::Ready(names) => names.0.len(),
            State::Loading(_) => 0,
        };
        let mut names: usize = self.directories.values().map(count).sum();
        while names > MAX_NAMES || self.directories.len() > MAX_DIRECTORIES {
            let oldest = self
                .directories
                .iter()
                .filter(|(k, e)| **k != keep && matches!(e.state, State::Ready(_)))
                .min_by_key(|(_, e)| e.last_used)
                .map(|(k, e)| (*k, count(e)));
            let Some((key, n)) = oldest else {
                return;
            };
            names = names.saturating_sub(n);
            self.forget(key, inotify);
        }
    }
}

fn apply(names: &mut Names, name: Vec<u8>, present: bool) {
    if present {
        names.insert(name);
    } else {
        names.remove(&name);
    }
}

impl Stamp {
    fn of(stat: &Statx) -> Self {
        Self(
            stat.stx_mtime.tv_sec,
            stat.stx_mtime.tv_nsec,
            stat.stx_ctime.tv_sec,
            stat.stx_ctime.tv_nsec,
        )
    }

    fn is_settled(self) -> bool {
        let latest = u64::try_from(self.0.max(self.2)).unwrap_or(0);
        let then = UNIX_EPOCH
            .checked_add(Duration::from_secs(latest))
            .unwrap_or(UNIX_EPOCH);
        SystemTime::now()
            .duration_since(then)
            .is_ok_and(|age| age > SETTLED)
    }
}

fn identify(dir: BorrowedFd<'_>) -> Result<(Key, Stamp), Errno> {
    let stat = retry(|| {
        statx(
            dir,
            c"",
            AtFlags::EMPTY_PATH,
            StatxFlags::INO | StatxFlags::MTIME | StatxFlags::CTIME,
        )
    })?;
    let device = (u64::from(stat.stx_dev_major) << 32) | u64::from(stat.stx_dev_minor);
    Ok(((device, stat.stx_ino), Stamp::of(&stat)))
}

fn scan(dir: BorrowedFd<'_>) -> Result<Names, Errno> {
    let mut names = Names::default();
    let mut walk = Walk::begin(dir)?;
    while let Some(name) = walk.next()? {
        names.insert(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    fn both() -> [NameCache; 2] {
        [NameCache::new(true), NameCache::new(false)]
    }

    #[test]
    fn finds_without_regard_to_case_and_sees_changes() {
        for cache in both() {
            let dir = tempfile::tempdir().unwrap();
            let fd = File::open(dir.path()).unwrap();
            let find = |name: &str| cache.find(fd.as_fd(), name).unwrap();
            assert_eq!(find("readme"), None);
            for i in 0..50 {
                fs::write(dir.path().join(format!("File{i}")), "").unwrap();
                assert_eq!(
                    find(&format!("fILE{i}")),
                    Some(format!("File{i}").into_bytes())
                );
            }
            fs::remove_file(dir.path().join("File7")).unwrap();
            assert_eq!(find("file7"), None);
            fs::rename(dir.path().join("File8"), dir.path().join("Größe")).unwrap();
            assert_eq!(find("file8"), None);
            assert_eq!(find("GRÖßE"), Some("Größe".into()));
            fs::write(dir.path().join("FILE9"), "").unwrap();
            assert!(find("file9").is_some());
            fs::remove_file(dir.path().join("File9")).unwrap();
            assert_eq!(find("file9"), Some(b"FILE9".to_vec()));
            fs::write(dir.path().join("a:b"), "").unwrap();
            assert_eq!(find("A\u{f022}B"), Some(b"a:b".to_vec()));
        }
    }

    #[test]
    fn a_directory_made_anew_is_another_one() {
        for cache in both() {
            let dir = tempfile::tempdir().unwrap();
            for round in 0..20 {
                let sub = dir.path().join("sub");
                fs::create_dir(&sub).unwrap();
                fs::write(sub.join(format!("n{round}")), "").unwrap();
                let fd = File::open(&sub).unwrap();
                assert!(
                    cache
                        .find(fd.as_fd(), &format!("N{round}"))
                        .unwrap()
                        .is_some()
                );
                if let Some(before) = u32::checked_sub(round, 1) {
                    assert_eq!(cache.find(fd.as_fd(), &format!("N{before}")).unwrap(), None);
                }
                fs::remove_dir_all(&sub).unwrap();
            }
        }
    }

    #[test]
    fn limits_hold() {
        let cache = NameCache::new(true);
        let dir = tempfile::tempdir().unwrap();
        for i in 0..MAX_DIRECTORIES + 20 {
            let sub = dir.path().join(i.to_string());
            fs::create_dir(&sub).unwrap();
            cache.find(File::open(&sub).unwrap().as_fd(), "x").unwrap();
        }
        let inner = cache.lock();
        assert_eq!(inner.directories.len(), MAX_DIRECTORIES);
        assert_eq!(inner.watches.len(), MAX_DIRECTORIES);
    }

    #[test]
    fn lookups_of_a_watched_directory_do_not_read_it() {
        let cache = NameCache::new(true);
        let dir = tempfile::tempdir().unwrap();
        let fd = File::open(dir.path()).unwrap();
        cache.find(fd.as_fd(), "x").unwrap();
        // Whoever were to read it again would not find this.
        let mut inner = cache.lock();
        for entry in inner.directories.values_mut() {
            let State::Ready(names) = &mut entry.state else {
                panic!("not read")
            };
            names.insert(b"Made-Up".to_vec());
        }
        drop(inner);
        assert!(cache.find(fd.as_fd(), "made-up").unwrap().is_some());
    }
}
