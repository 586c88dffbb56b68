//! Names of directories without regard to case, so that looking for a name that is not there (the
//! first half of every create) does not read the whole directory each time.
//!
//! A directory is read once and then kept in step by inotify, whose events are queued before the
//! call that causes them returns. Where another machine can change the directory (network file
//! systems), or the host has no watch left, what was read counts only while the directory's
//! modification and change times stand still.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, Statx, StatxFlags, statat, statx};
use rustix::io::Errno;
use smb_engine::names::{fold, is_made_short};

use super::error::retry;
use super::names::{Mangled, Naming, normal_form};
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

/// Names of the host by a form of their share names; almost always one each.
#[derive(Default)]
struct Index(BTreeMap<String, Vec<Vec<u8>>>);

impl Index {
    fn insert(&mut self, key: String, host: &[u8]) -> bool {
        let same = self.0.entry(key).or_default();
        let new = !same.iter().any(|n| n == host);
        if new {
            same.push(host.to_vec());
        }
        new
    }

    fn remove(&mut self, key: &str, host: &[u8]) {
        if let Some(same) = self.0.get_mut(key) {
            same.retain(|n| n != host);
            if same.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn get(&self, key: &str) -> &[Vec<u8>] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.values().flatten()
    }
}

/// The names of one directory.
struct Names {
    naming: Arc<Naming>,
    folded: Index,
    /// By folded 8.3 name; made when first asked for.
    short: Option<Index>,
    /// By normalised form; made when first asked for.
    normal: Option<Index>,
    count: usize,
    /// Names that something else was moved to although they were there. What is told then is the
    /// same for a file that takes the place of another and for two that change places, and only the
    /// latter leaves the name behind when it is moved away next.
    replaced: BTreeSet<Vec<u8>>,
    /// Such names that were moved away: nobody knows whether they are there.
    doubtful: BTreeSet<Vec<u8>>,
}

impl Names {
    fn new(naming: Arc<Naming>) -> Self {
        Self {
            naming,
            folded: Index::default(),
            short: None,
            normal: None,
            count: 0,
            replaced: BTreeSet::new(),
            doubtful: BTreeSet::new(),
        }
    }

    /// Enters a name; whether it is new.
    fn insert(&mut self, host: &[u8]) -> bool {
        let share = self.naming.to_share(host);
        if !self.folded.insert(fold(&share), host) {
            return false;
        }
        self.count = self.count.saturating_add(1);
        if let (Some(index), Some(short)) = (&mut self.short, self.naming.short(host, &share)) {
            index.insert(fold(&short), host);
        }
        if let Some(index) = &mut self.normal {
            index.insert(normal_form(&share), host);
        }
        true
    }

    fn remove(&mut self, host: &[u8]) {
        let share = self.naming.to_share(host);
        let key = fold(&share);
        if !self.folded.get(&key).iter().any(|n| n == host) {
            return;
        }
        self.count = self.count.saturating_sub(1);
        self.folded.remove(&key, host);
        if let (Some(index), Some(short)) = (&mut self.short, self.naming.short(host, &share)) {
            index.remove(&fold(&short), host);
        }
        if let Some(index) = &mut self.normal {
            index.remove(&normal_form(&share), host);
        }
        self.replaced.remove(host);
        self.doubtful.remove(host);
    }

    /// What inotify tells.
    fn apply(&mut self, change: Change, host: &[u8]) {
        match change {
            Change::Made => {
                self.insert(host);
                self.replaced.remove(host);
                self.doubtful.remove(host);
            }
            Change::MovedHere => {
                if !self.insert(host) {
                    self.replaced.insert(host.to_vec());
                }
                self.doubtful.remove(host);
            }
            Change::MovedAway if self.replaced.remove(host) => {
                self.doubtful.insert(host.to_vec());
            }
            Change::MovedAway | Change::Removed => self.remove(host),
        }
    }

    /// The name that equals `wanted` without regard to case, else the one whose 8.3 name it is, else
    /// (where that is configured) the one of another normalisation.
    fn find(&mut self, dir: BorrowedFd<'_>, wanted: &str) -> Option<Vec<u8>> {
        let key = fold(wanted);
        if let Some(found) = self.first(dir, self.folded.get(&key).to_vec()) {
            return Some(found);
        }
        if is_made_short(&key) && self.naming.mangled != Mangled::No {
            let (naming, folded) = (&self.naming, &self.folded);
            let index = self.short.get_or_insert_with(|| {
                let mut index = Index::default();
                for host in folded.all() {
                    if let Some(short) = naming.short(host, &naming.to_share(host)) {
                        index.insert(fold(&short), host);
                    }
                }
                index
            });
            // A name that two files have is none of either's: it would lead to the wrong one.
            if let [_] = index.get(&key) {
                let one = index.get(&key).to_vec();
                return self.first(dir, one);
            }
        }
        if self.naming.normalised {
            let (naming, folded) = (&self.naming, &self.folded);
            let index = self.normal.get_or_insert_with(|| {
                let mut index = Index::default();
                for host in folded.all() {
                    index.insert(normal_form(&naming.to_share(host)), host);
                }
                index
            });
            let same = index.get(&normal_form(wanted)).to_vec();
            return self.first(dir, same);
        }
        None
    }

    /// The first of these names that is there.
    fn first(&mut self, dir: BorrowedFd<'_>, names: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        for name in names {
            if !self.doubtful.remove(&name) {
                return Some(name);
            }
            match retry(|| statat(dir, &name[..], AtFlags::SYMLINK_NOFOLLOW)) {
                Err(Errno::NOENT) => self.remove(&name),
                _ => return Some(name),
            }
        }
        None
    }
}

/// What happened to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Made,
    MovedHere,
    MovedAway,
    Removed,
}

impl Change {
    fn of(what: ReadFlags) -> Self {
        if what.contains(ReadFlags::CREATE) {
            Self::Made
        } else if what.contains(ReadFlags::MOVED_TO) {
            Self::MovedHere
        } else if what.contains(ReadFlags::MOVED_FROM) {
            Self::MovedAway
        } else {
            Self::Removed
        }
    }
}

enum State {
    /// Someone reads the directory; what changes meanwhile.
    Loading(Vec<(Vec<u8>, Change)>),
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
    naming: Arc<Naming>,
    inner: Mutex<Inner>,
    inotify: Option<OwnedFd>,
}

impl NameCache {
    /// `local`: only this machine changes the file system, so that inotify sees everything.
    pub(super) fn new(local: bool, naming: Arc<Naming>) -> Self {
        Self {
            naming,
            inner: Mutex::default(),
            inotify: local
                .then(|| inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok())
                .flatten(),
        }
    }

    /// The host name in `dir` that equals `wanted` (a share name) without regard to case.
    pub(super) fn find(&self, dir: BorrowedFd<'_>, wanted: &str) -> Result<Option<Vec<u8>>, Errno> {
        let (key, stamp) = identify(dir)?;
        {
            let mut inner = self.lock();
            self.drain(&mut inner);
            inner.uses = inner.uses.saturating_add(1);
            let now = inner.uses;
            if let Some(entry) = inner.directories.get_mut(&key) {
                match &mut entry.state {
                    State::Ready(names)
                        if entry.watch.is_some() || (entry.settled && entry.stamp == stamp) =>
                    {
                        entry.last_used = now;
                        return Ok(names.find(dir, wanted));
                    }
                    State::Ready(_) => inner.forget(key, self.inotify.as_ref()),
                    State::Loading(_) => {
                        drop(inner);
                        return self.scan(dir).map(|mut names| names.find(dir, wanted));
                    }
                }
            }
            self.begin(&mut inner, key, stamp, dir);
        }
        let names = self.scan(dir);
        let mut inner = self.lock();
        self.drain(&mut inner);
        let mut names = match names {
            Ok(names) => names,
            Err(e) => {
                inner.forget(key, self.inotify.as_ref());
                return Err(e);
            }
        };
        // The entry may have been dropped meanwhile (queue overflow, directory removed).
        if let Some(entry) = inner.directories.get_mut(&key)
            && let State::Loading(changes) = &mut entry.state
        {
            let changes = std::mem::take(changes);
            for (name, change) in changes {
                // Whether the directory was read before this or after it, is unknown.
                match change {
                    Change::MovedAway | Change::Removed => {
                        names.insert(&name);
                        names.doubtful.insert(name);
                    }
                    Change::Made | Change::MovedHere => names.apply(change, &name),
                }
            }
            let found = names.find(dir, wanted);
            entry.state = State::Ready(names);
            inner.shrink(key, self.inotify.as_ref());
            return Ok(found);
        }
        Ok(names.find(dir, wanted))
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

    fn scan(&self, dir: BorrowedFd<'_>) -> Result<Names, Errno> {
        let mut names = Names::new(self.naming.clone());
        let mut walk = Walk::begin(dir)?;
        while let Some(name) = walk.next()? {
            names.insert(&name);
        }
        Ok(names)
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
        match &mut entry.state {
            State::Loading(changes) => changes.push((name, Change::of(what))),
            State::Ready(names) => names.apply(Change::of(what), &name),
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
            State::Ready(names) => names.count,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    fn cache(local: bool) -> NameCache {
        NameCache::new(local, Arc::default())
    }

    fn both() -> [NameCache; 2] {
        [true, false].map(cache)
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
        let cache = cache(true);
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
        let cache = cache(true);
        let dir = tempfile::tempdir().unwrap();
        let fd = File::open(dir.path()).unwrap();
        cache.find(fd.as_fd(), "x").unwrap();
        // Whoever were to read it again would not find this.
        let mut inner = cache.lock();
        for entry in inner.directories.values_mut() {
            let State::Ready(names) = &mut entry.state else {
                panic!("not read")
            };
            names.insert(b"Made-Up");
        }
        drop(inner);
        assert!(cache.find(fd.as_fd(), "made-up").unwrap().is_some());
    }

    #[test]
    fn files_that_change_places_stay() {
        use rustix::fs::{RenameFlags, renameat_with};
        let cache = cache(true);
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir_in(dir.path()).unwrap();
        let (fd, other_fd) = (
            File::open(dir.path()).unwrap(),
            File::open(other.path()).unwrap(),
        );
        for name in ["One", "Two", "Three"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::write(other.path().join("Four"), "").unwrap();
        let find = |name: &str| cache.find(fd.as_fd(), name).unwrap().is_some();
        let find_other = |name: &str| cache.find(other_fd.as_fd(), name).unwrap().is_some();
        assert!(find("one") && find_other("four"));
        let exchange = RenameFlags::EXCHANGE;
        renameat_with(&fd, "One", &fd, "Two", exchange).unwrap();
        assert!(find("one") && find("two"));
        renameat_with(&fd, "Three", &other_fd, "Four", exchange).unwrap();
        assert!(find("three") && find_other("four"));
        // A name that was taken by another and then moved away is gone.
        fs::rename(dir.path().join("One"), dir.path().join("Two")).unwrap();
        fs::rename(dir.path().join("Two"), dir.path().join("Three")).unwrap();
        assert!(!find("one") && !find("two") && find("three"));
        fs::rename(dir.path().join("Three"), dir.path().join("tWO")).unwrap();
        assert!(!find("three") && find("two"));
    }

    #[test]
    fn short_names_are_found_and_kept_in_step() {
        for cache in both() {
            let dir = tempfile::tempdir().unwrap();
            let fd = File::open(dir.path()).unwrap();
            let find = |name: &str| cache.find(fd.as_fd(), name).unwrap();
            let short = |name: &str| smb_engine::names::short_name(name).unwrap();
            for i in 0..300 {
                let name = format!("A long name {i}.text");
                fs::write(dir.path().join(&name), "").unwrap();
                assert_eq!(find(&short(&name).to_lowercase()), Some(name.into_bytes()));
            }
            fs::remove_file(dir.path().join("A long name 7.text")).unwrap();
            assert_eq!(find(&short("a long name 7.text")), None);
            // A name of this form that is really there comes first.
            let taken = short("A long name 8.text");
            fs::write(dir.path().join(&taken), "").unwrap();
            assert_eq!(find(&taken.to_lowercase()), Some(taken.into_bytes()));
        }
        let none = Naming {
            mangled: Mangled::No,
            ..Naming::default()
        };
        let cache = NameCache::new(true, Arc::new(none));
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("A long name"), "").unwrap();
        let fd = File::open(dir.path()).unwrap();
        let short = smb_engine::names::short_name("A long name").unwrap();
        assert_eq!(cache.find(fd.as_fd(), &short), Ok(None));
    }

    #[test]
    fn normalisation_is_matched_where_asked_for() {
        for (normalised, local) in [(true, true), (true, false), (false, true)] {
            let naming = Naming {
                normalised,
                ..Naming::default()
            };
            let cache = NameCache::new(local, Arc::new(naming));
            let dir = tempfile::tempdir().unwrap();
            let fd = File::open(dir.path()).unwrap();
            let find = |name: &str| cache.find(fd.as_fd(), name).unwrap();
            fs::write(dir.path().join("Cafe\u{301}"), "").unwrap();
            assert_eq!(find("caf\u{e9}").is_some(), normalised);
            assert!(find("cafE\u{301}").is_some());
            fs::write(dir.path().join("\u{c9}t\u{e9}"), "").unwrap();
            assert_eq!(find("e\u{301}te\u{301}").is_some(), normalised);
            fs::remove_file(dir.path().join("Cafe\u{301}")).unwrap();
            assert_eq!(find("caf\u{e9}"), None);
        }
    }
}
