//! The only place where names become files.
//!
//! Everything is opened with `openat2` and RESOLVE_BENEATH from the share's root directory (or from
//! a directory inside it that was opened so), hence the kernel itself refuses every way out: `..`,
//! absolute links, magic links, and directories that are moved away while a path is walked.
//! Changes of a directory (create, rename, link, remove) take the opened directory and one
//! component, so they cannot be led elsewhere between check and use.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;
use smb_engine::vfs::{SharePath, VfsError};

use super::cache::NameCache;
use super::error::{os, retry};
use super::names::Naming;
use super::options::LocalOptions;
use super::reparse;

/// How often an `openat2` is repeated that raced with a rename (EAGAIN).
const RACES: usize = 64;
/// Symbolic links that are followed in one path.
const MAX_LINKS: usize = 40;

/// What a name led to.
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
pub(super) enum Resolved {
    /// It exists.
    Found(Found),
    /// All but the last component exists.
    Missing(Gap),
}

/// Something that exists.
pub(super) struct Found {
    /// An O_PATH descriptor.
    pub(super) fd: OwnedFd,
    /// Its metadata.
    pub(super) stat: Statx,
    /// Its name as stored.
    pub(super) at: SharePath,
}

/// A directory in which a name is missing.
pub(super) struct Gap {
    /// The directory (O_PATH).
    pub(super) parent: OwnedFd,
    /// The directory's name as stored.
    pub(super) at: SharePath,
}

/// A directory and one name in it.
pub(super) struct Place {
    /// The directory (O_PATH).
    pub(super) dir: OwnedFd,
    /// The directory's name as stored.
    pub(super) at: SharePath,
    /// The last component as asked for.
    pub(super) name: String,
}

/// The share's tree.
pub(super) struct Tree {
    root: OwnedFd,
    resolve: ResolveFlags,
    follow: bool,
    /// For the names that clients must not see.
    options: LocalOptions,
    pub(super) naming: Arc<Naming>,
    pub(super) names: NameCache,
}

/// Metadata of an open file.
pub(super) fn stat_fd(fd: BorrowedFd<'_>) -> Result<Statx, Errno> {
    let what = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    retry(|| fs::statx(fd, c"", AtFlags::EMPTY_PATH, what))
}

/// Metadata of a name in an open directory; a link is not followed.
pub(super) fn stat_entry(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Statx, Errno> {
    let what = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    retry(|| fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, what))
}

/// The type in a file's mode.
pub(super) fn file_type(stat: &Statx) -> FileType {
    FileType::from_raw_mode(stat.stx_mode.into())
}

impl Tree {
    pub(super) fn new(root: OwnedFd, options: &LocalOptions, local: bool) -> Self {
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if !options.cross_mounts {
            resolve |= ResolveFlags::NO_XDEV;
        }
        let naming = Arc::new(options.naming());
        Self {
            root,
            resolve,
            follow: options.follow_symlinks,
            options: options.clone(),
            names: NameCache::new(local, naming.clone()),
            naming,
        }
    }

    /// The share's root directory.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens `path` (host form, several components) beneath `dir`.
    fn beneath(
        &self,
        dir: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
        links: bool,
    ) -> Result<OwnedFd, Errno> {
        let mut resolve = self.resolve;
        if !links {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let path = if path.is_empty() { b"." } else { path };
        for _ in 0..RACES {
            match fs::openat2(dir, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Opens one component of `dir` without following a link.
    pub(super) fn child(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        self.beneath(dir, name, flags | OFlags::NOFOLLOW, mode, false)
    }

    fn host_components(&self, path: &SharePath) -> Result<Vec<Vec<u8>>, VfsError> {
        path.components().map(|c| self.naming.to_host(c)).collect()
    }

    /// A path as the share shows it, of one that may be written in another way.
    fn proper(&self, path: &SharePath) -> Result<SharePath, VfsError> {
        if path.components().all(|c| self.naming.is_proper(c)) {
            return Ok(path.clone());
        }
        let names: Vec<String> = path
            .components()
            .map(|c| {
                self.naming
                    .to_host(c)
                    .map(|host| self.naming.to_share(&host))
            })
            .collect::<Result<_, _>>()?;
        SharePath::new(&names.join("\\")).ok_or(VfsError::InvalidName)
    }

    fn path_fd(&self, dir: BorrowedFd<'_>, path: &[u8], links: bool) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        self.beneath(dir, path, flags, Mode::empty(), links)
    }

    /// What `path` names. `last`: follow it if it is a link and links are followed here.
    pub(super) fn resolve(&self, path: &SharePath, last: bool) -> Result<Resolved, VfsError> {
        let names = self.host_components(path)?;
        // Most names exist exactly as asked for.
        match self.path_fd(self.root(), &join(&names), self.follow) {
            Ok(fd) => {
                return self
                    .found(fd, self.proper(path)?, &names, last)
                    .map(Resolved::Found);
            }
            Err(e) if may_differ(e) => {}
            Err(e) => return Err(os(e)),
        }
        let Some((name, parents)) = names.split_last() else {
            // The root directory cannot be missing.
            return Err(VfsError::NotFound);
        };
        // Next, a directory that exists as asked for.
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let (dir, at, mut real) = match self.beneath(
            self.root(),
            &join(parents),
            flags,
            Mode::empty(),
            self.follow,
        ) {
            Ok(dir) => {
                let at = self.proper(&path.parent().unwrap_or_default())?;
                (dir, at, parents.to_vec())
            }
            Err(e) if may_differ(e) => self.walk(path)?,
            Err(e) => return Err(os(e)),
        };
        let Some((fd, stored)) = self.find(dir.as_fd(), path.file_name(), name)? else {
            return Ok(Resolved::Missing(Gap { parent: dir, at }));
        };
        let at = at
            .join(&self.naming.to_share(&stored))
            .ok_or(VfsError::InvalidName)?;
        real.push(stored);
        self.found(fd, at, &real, last).map(Resolved::Found)
    }

    /// The directory that `path` lies in, and its last component.
    pub(super) fn place(&self, path: &SharePath) -> Result<Place, VfsError> {
        let name = path.file_name().to_owned();
        let Some(parent) = path.parent() else {
            return Err(VfsError::Invalid);
        };
        // The whole name is judged before any of it is looked for, [MS-FSA] 2.1.5.1.
        let mut names = self.host_components(path)?;
        names.pop();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let (dir, at) = match self.beneath(
            self.root(),
            &join(&names),
            flags,
            Mode::empty(),
            self.follow,
        ) {
            Ok(dir) => (dir, self.proper(&parent)?),
            Err(e) if may_differ(e) => {
                let (dir, at, _) = self.walk(path)?;
                (dir, at)
            }
            Err(e) => return Err(os(e)),
        };
        Ok(Place { dir, at, name })
    }

    /// The host name in `dir` of a component as asked for: an exact match, else one that differs in
    /// case; with a descriptor of what it names.
    pub(super) fn find(
        &self,
        dir: BorrowedFd<'_>,
        name: &str,
        host: &[u8],
    ) -> Result<Option<(OwnedFd, Vec<u8>)>, VfsError> {
        match self.path_fd(dir, host, false) {
            Ok(fd) => return Ok(Some((fd, host.to_vec()))),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(os(e)),
        }
        let other = match self.names.find(dir, name) {
            Ok(Some(other)) => other,
            Ok(None) => return Ok(None),
            // A directory that may be searched but not read shows exact names only.
            Err(Errno::ACCESS) => return Ok(None),
            Err(e) => return Err(os(e)),
        };
        // What was asked for is no name to be hidden, but what it stands for may be: a short name.
        if self.options.vetoed(&self.naming.to_share(&other)) {
            return Ok(None);
        }
        match self.path_fd(dir, &other, false) {
            Ok(fd) => Ok(Some((fd, other))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(os(e)),
        }
    }

    /// Walks to the directory of `path`, one component at a time: its descriptor, its name as
    /// stored, and the same for the host.
    fn walk(&self, path: &SharePath) -> Result<(OwnedFd, SharePath, Vec<Vec<u8>>), VfsError> {
        let mut dir = self
            .beneath(
                self.root(),
                b"",
                OFlags::PATH | OFlags::DIRECTORY,
                Mode::empty(),
                false,
            )
            .map_err(os)?;
        let mut at = SharePath::root();
        let mut real = Vec::new();
        let mut rest: Vec<&str> = path.components().collect();
        rest.pop();
        let mut links = 0_usize;
        for (i, name) in rest.iter().enumerate() {
            let found = self.find(dir.as_fd(), name, &self.naming.to_host(name)?)?;
            let behind = || path.components().skip(i.saturating_add(1));
            let Some((fd, stored)) = found else {
                let rest = path.components().skip(i);
                reparse::stop_at_stored(dir.as_fd(), reparse::unparsed(rest))?;
                return Err(VfsError::PathNotFound);
            };
            at = at
                .join(&self.naming.to_share(&stored))
                .ok_or(VfsError::InvalidName)?;
            real.push(stored);
            let stat = stat_fd(fd.as_fd()).map_err(os)?;
            dir = match file_type(&stat) {
                FileType::Directory => fd,
                FileType::Symlink => {
                    links = links.saturating_add(1);
                    if links > MAX_LINKS {
                        return Err(VfsError::TooManyLinks);
                    }
                    let next = self.follow_link(&fd, &real, behind())?;
                    let stat = stat_fd(next.as_fd()).map_err(os)?;
                    if file_type(&stat) != FileType::Directory {
                        return Err(VfsError::PathNotFound);
                    }
                    next
                }
                FileType::RegularFile => {
                    reparse::stop_at_stored(fd.as_fd(), reparse::unparsed(behind()))?;
                    return Err(VfsError::PathNotFound);
                }
                _ => return Err(VfsError::PathNotFound),
            };
        }
        Ok((dir, at, real))
    }

    /// What the link `fd` at `real` leads to, if that lies inside the share and links are followed.
    fn follow_link<'a>(
        &self,
        fd: &OwnedFd,
        real: &[Vec<u8>],
        behind: impl Iterator<Item = &'a str>,
    ) -> Result<OwnedFd, VfsError> {
        if self.follow {
            match self.beneath(self.root(), &join(real), OFlags::PATH, Mode::empty(), true) {
                Ok(fd) => return Ok(fd),
                // It leads out of the share, nowhere, or in a circle: the client may judge itself.
                Err(Errno::XDEV | Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                Err(e) => return Err(os(e)),
            }
        }
        let target = fs::readlinkat(fd, c"", Vec::new()).map_err(os)?;
        let (target, relative) = reparse::target_shown(&self.naming, target.as_bytes());
        Err(VfsError::StoppedOnSymlink {
            unparsed: u16::try_from(reparse::unparsed(behind)).unwrap_or(u16::MAX),
            relative,
            target,
        })
    }

    fn found(
        &self,
        mut fd: OwnedFd,
        at: SharePath,
        real: &[Vec<u8>],
        last: bool,
    ) -> Result<Found, VfsError> {
        let mut stat = stat_fd(fd.as_fd()).map_err(os)?;
        if last && file_type(&stat) == FileType::Symlink {
            fd = self.follow_link(&fd, real, std::iter::empty())?;
            stat = stat_fd(fd.as_fd()).map_err(os)?;
        }
        Ok(Found { fd, stat, at })
    }

    /// The target of a link in `dir` (whose name is `at`), for listings: `None` if it is not
    /// followed.
    pub(super) fn entry_target(&self, at: &SharePath, name: &[u8]) -> Option<OwnedFd> {
        if !self.follow {
            return None;
        }
        let mut real = self.host_components(at).ok()?;
        real.push(name.to_vec());
        self.beneath(self.root(), &join(&real), OFlags::PATH, Mode::empty(), true)
            .ok()
    }
}

/// Whether a path that failed so may name something with other case, or through a link.
fn may_differ(e: Errno) -> bool {
    matches!(
        e,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG
    )
}

fn join(names: &[Vec<u8>]) -> Vec<u8> {
    names.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, create_dir_all, write};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn tree(dir: &Path, follow: bool) -> Tree {
        let options = LocalOptions {
            follow_symlinks: follow,
            ..LocalOptions::default()
        };
        Tree::new(std::fs::File::open(dir).unwrap().into(), &options, true)
    }

    fn path(text: &str) -> SharePath {
        SharePath::new(text).unwrap()
    }

    fn at(tree: &Tree, text: &str) -> Result<String, VfsError> {
        match tree.resolve(&path(text), true)? {
            Resolved::Found(f) => Ok(f.at.as_str().to_owned()),
            Resolved::Missing(gap) => Ok(format!("missing in '{}'", gap.at)),
        }
    }

    #[test]
    fn names_are_found_without_regard_to_case() {
        let dir = tempfile::tempdir().unwrap();
        create_dir_all(dir.path().join("One/Two")).unwrap();
        write(dir.path().join("One/Two/File.txt"), "").unwrap();
        write(dir.path().join("One/Two/file.TXT"), "").unwrap();
        let t = tree(dir.path(), false);
        for (asked, want) in [
            ("", ""),
            ("One\\Two", "One\\Two"),
            ("oNE\\tWO", "One\\Two"),
            ("one\\two\\File.txt", "One\\Two\\File.txt"),
            ("One\\Two\\file.TXT", "One\\Two\\file.TXT"),
            ("one\\TWO\\new", "missing in 'One\\Two'"),
            ("new", "missing in ''"),
        ] {
            assert_eq!(at(&t, asked).as_deref(), Ok(want), "{asked}");
        }
        assert!(
            at(&t, "ONE\\TWO\\FILE.TXT")
                .unwrap()
                .starts_with("One\\Two\\")
        );
        for absent in ["no\\such", "One\\no\\x", "One\\Two\\File.txt\\x"] {
            assert_eq!(at(&t, absent), Err(VfsError::PathNotFound), "{absent}");
        }
        assert_eq!(at(&t, "a:b"), Err(VfsError::InvalidName));
        assert_eq!(at(&t, &"n".repeat(256)), Err(VfsError::NameTooLong));
    }

    #[test]
    fn links_are_reported_or_followed_inside() {
        let out = tempfile::tempdir().unwrap();
        write(out.path().join("canary"), "").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let p = |n: &str| dir.path().join(n);
        create_dir_all(p("d/sub")).unwrap();
        write(p("d/sub/f"), "").unwrap();
        symlink("d/sub", p("in")).unwrap();
        symlink("../d", p("d/up")).unwrap();
        symlink(out.path(), p("absolute")).unwrap();
        symlink("../../..", p("d/out")).unwrap();
        symlink("gone", p("dangling")).unwrap();
        symlink("loop", p("loop")).unwrap();

        let t = tree(dir.path(), false);
        assert_eq!(
            at(&t, "in\\f\\Gé"),
            Err(VfsError::StoppedOnSymlink {
                unparsed: 5,
                target: "d\\sub".to_owned(),
                relative: true
            })
        );
        assert!(matches!(
            at(&t, "absolute"),
            Err(VfsError::StoppedOnSymlink {
                unparsed: 0,
                relative: false,
                ..
            })
        ));
        let Resolved::Found(link) = t.resolve(&path("IN"), false).unwrap() else {
            panic!("missing")
        };
        assert_eq!(file_type(&link.stat), FileType::Symlink);

        let t = tree(dir.path(), true);
        for inside in ["in\\f", "d\\up\\sub\\f", "IN\\F", "D\\UP\\SUB\\F"] {
            assert!(
                at(&t, inside).unwrap().to_lowercase().ends_with("\\f"),
                "{inside}"
            );
        }
        for outside in [
            "absolute\\canary",
            "absolute",
            "d\\out",
            "d\\out\\etc",
            "dangling",
            "loop",
        ] {
            assert!(
                matches!(at(&t, outside), Err(VfsError::StoppedOnSymlink { .. })),
                "{outside}: {:?}",
                at(&t, outside)
            );
        }
    }

    #[test]
    fn places_are_directories() {
        let dir = tempfile::tempdir().unwrap();
        create_dir(dir.path().join("Dir")).unwrap();
        write(dir.path().join("file"), "").unwrap();
        let t = tree(dir.path(), false);
        let place = t.place(&path("dIR\\x")).unwrap();
        assert_eq!((place.at.as_str(), place.name.as_str()), ("Dir", "x"));
        assert!(t.place(&path("file\\x")).is_err());
        assert!(t.place(&path("no\\x")).is_err());
        assert_eq!(t.place(&SharePath::root()).err(), Some(VfsError::Invalid));
    }
}
