//! The data of named streams that are too large for an extended attribute.
//!
//! They lie in files of the directory [`NAME`] at the share's root, which belongs to the server alone
//! and which clients cannot see. The file's attribute `user.BigStream.NAME:$DATA` names the one that
//! holds the data, so that it goes along with every rename and link. A copy that the host made has
//! the same attribute; it gets data of its own when the stream is first opened. The name of a data
//! file begins with the number of the file it belongs to, and ends in a random number that only
//! those know who may read the attribute: nobody comes to the data of others with an attribute that
//! he wrote himself.
//!
//! A file that the host removes leaves its data behind here.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use smb_engine::vfs::VfsError;

use super::error::{os, retry};
use super::handle::lock;
use super::path::stat_fd;

/// The directory of the data.
pub(super) const NAME: &str = ".sansmb-streams";

/// The name of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Number of the file it belongs to.
    owner: u64,
    random: u128,
}

impl Key {
    /// What an attribute says; `None` if that is no name of a data file.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (owner, random) = text.split_once('-')?;
        let key = Self {
            owner: u64::from_str_radix(owner, 16).ok()?,
            random: u128::from_str_radix(random, 16).ok()?,
        };
        // Signs, capitals and missing zeros are not ours.
        (key.text() == text).then_some(key)
    }

    pub(super) fn text(self) -> String {
        format!("{:016x}-{:032x}", self.owner, self.random)
    }
}

/// The data file of an open stream.
pub(super) struct Side {
    pub(super) key: Key,
    pub(super) fd: OwnedFd,
}

impl Side {
    pub(super) fn size(&self) -> Result<u64, VfsError> {
        Ok(stat_fd(self.fd.as_fd()).map_err(os)?.stx_size)
    }
}

/// The directory.
pub(super) struct Depot {
    root: OwnedFd,
    /// The server's own user, to whom it has to belong.
    uid: u32,
    /// It has been seen: files may have data there.
    used: AtomicBool,
    /// Data files whose streams are gone, until the server itself can remove them.
    doomed: Mutex<Vec<Key>>,
}

impl Depot {
    /// That of a share; nothing is made yet.
    pub(super) fn new(root: OwnedFd, uid: u32) -> Self {
        let used = fs::statat(&root, NAME, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        Self {
            root,
            uid,
            used: AtomicBool::new(used),
            doomed: Mutex::default(),
        }
    }

    /// Whether any file may have data here.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Only the server itself gets at the directory. While a thread acts as a user, this says what makes
    /// the caller try again as the server.
    fn need_server(&self) -> Result<(), VfsError> {
        if rustix::process::geteuid().as_raw() == self.uid {
            Ok(())
        } else {
            Err(VfsError::AccessDenied)
        }
    }

    /// The directory, if it is the server's own and nobody else's.
    fn directory(&self) -> Result<OwnedFd, VfsError> {
        self.need_server()?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = retry(|| fs::openat(&self.root, NAME, flags, Mode::empty())).map_err(os)?;
        let stat = stat_fd(dir.as_fd()).map_err(os)?;
        if stat.stx_uid != self.uid || stat.stx_mode & 0o077 != 0 {
            tracing::warn!("{NAME} is not the server's alone and is not used");
            return Err(VfsError::NoSpace);
        }
        Ok(dir)
    }

    /// Makes a data file for a stream of `owner`.
    pub(super) fn create(&self, owner: BorrowedFd<'_>) -> Result<Side, VfsError> {
        self.need_server()?;
        match retry(|| fs::mkdirat(&self.root, NAME, Mode::RWXU)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(os(e)),
        }
        let dir = self.directory()?;
        self.used.store(true, Ordering::Relaxed);
        let stat = stat_fd(owner).map_err(os)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| VfsError::Io)?;
        let key = Key {
            owner: stat.stx_ino,
            random: u128::from_le_bytes(random),
        };
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = retry(|| fs::openat(&dir, key.text(), flags, mode)).map_err(os)?;
        Ok(Side { key, fd })
    }

    /// Opens a data file; [`VfsError::NotFound`] if it is not there.
    fn open(&self, key: Key) -> Result<OwnedFd, VfsError> {
        let dir = self.directory()?;
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match retry(|| fs::openat(&dir, key.text(), flags, Mode::empty())) {
            Err(Errno::ROFS) => {
                let flags = flags - OFlags::RDWR;
                retry(|| fs::openat(&dir, key.text(), flags, Mode::empty()))
            }
            done => done,
        };
        fd.map_err(os)
    }

    /// The data file that an attribute of `owner` names. If it is that of another file, `owner` is a
    /// copy of that one: a data file of its own, with the same content, that no attribute names yet.
    pub(super) fn open_for(&self, key: Key, owner: BorrowedFd<'_>) -> Result<Side, VfsError> {
        let fd = self.open(key)?;
        if stat_fd(owner).map_err(os)?.stx_ino == key.owner {
            return Ok(Side { key, fd });
        }
        let own = self.create(owner)?;
        let (mut from, mut to) = (std::fs::File::from(fd), std::fs::File::from(own.fd));
        if let Err(e) = std::io::copy(&mut from, &mut to) {
            self.doom(own.key);
            return Err(Errno::from_io_error(&e).map_or(VfsError::Io, os));
        }
        Ok(Side {
            key: own.key,
            fd: to.into(),
        })
    }

    /// Size of a data file; `None` if it is not there.
    pub(super) fn size(&self, key: Key) -> Result<Option<u64>, VfsError> {
        let dir = match self.directory() {
            Err(VfsError::NotFound) => return Ok(None),
            dir => dir?,
        };
        match fs::statat(&dir, key.text(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(os(e)),
        }
    }

    /// Has a data file removed at the end of the operation.
    pub(super) fn doom(&self, key: Key) {
        lock(&self.doomed).push(key);
    }

    /// Removes what [`Self::doom`] named. Runs as the server.
    pub(super) fn bury(&self) {
        let doomed = std::mem::take(&mut *lock(&self.doomed));
        if doomed.is_empty() {
            return;
        }
        let Ok(dir) = self.directory() else { return };
        for key in doomed {
            match retry(|| fs::unlinkat(&dir, key.text(), AtFlags::empty())) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => tracing::warn!("cannot remove {NAME}/{}: {e}", key.text()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        let key = Key {
            owner: 0xab,
            random: 7,
        };
        assert_eq!(Key::parse(key.text().as_bytes()), Some(key));
        for bad in [
            "",
            "ab-7",
            "../../etc/passwd",
            "00000000000000AB-00000000000000000000000000000007",
            "+0000000000000ab-00000000000000000000000000000007",
            "00000000000000ab-00000000000000000000000000000007/",
        ] {
            assert_eq!(Key::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let root = || OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let uid = rustix::process::geteuid().as_raw();
        let owner = std::fs::File::open(dir.path()).unwrap();
        let depot = Depot::new(root(), uid);
        assert!(!depot.is_used());
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(NAME)).unwrap();
        assert!(depot.create(owner.as_fd()).is_err());
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        let side = depot.create(owner.as_fd()).unwrap();
        assert!(depot.is_used() && Depot::new(root(), uid).is_used());
        assert_eq!(depot.size(side.key), Ok(Some(0)));
        assert_eq!(
            Depot::new(root(), uid + 1).open(side.key).err(),
            Some(VfsError::AccessDenied)
        );
        depot.doom(side.key);
        depot.bury();
        assert_eq!(depot.size(side.key), Ok(None));
    }
}
