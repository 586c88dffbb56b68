//! Reading a directory in chunks.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, openat};
use rustix::io::Errno;

use super::error::retry;

/// Bytes of names read at a time.
const CHUNK: usize = 32 << 10;

/// A walk through one directory, with a descriptor of its own, so that several walks of one
/// directory do not disturb each other.
pub(super) struct Walk {
    dir: OwnedFd,
    ready: VecDeque<Vec<u8>>,
    end: bool,
}

impl Walk {
    /// From the beginning.
    pub(super) fn begin(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self {
            dir: retry(|| openat(dir, c".", flags, Mode::empty()))?,
            ready: VecDeque::new(),
            end: false,
        })
    }

    /// The directory.
    pub(super) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The next name as the host has it, without `.` and `..`.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        if self.ready.is_empty() && !self.end {
            self.fill()?;
        }
        Ok(self.ready.pop_front())
    }

    /// Puts back what [`Self::next`] gave last.
    pub(super) fn put_back(&mut self, name: Vec<u8>) {
        self.ready.push_front(name);
    }

    fn fill(&mut self) -> Result<(), Errno> {
        let mut buf = Vec::<u8>::with_capacity(CHUNK);
        let mut raw = RawDir::new(self.dir.as_fd(), buf.spare_capacity_mut());
        // One chunk may hold nothing but the dots.
        while self.ready.is_empty() {
            loop {
                match raw.next() {
                    None => {
                        self.end = true;
                        return Ok(());
                    }
                    Some(Err(Errno::INTR)) => {}
                    // A directory that was removed has no names.
                    Some(Err(Errno::NOENT)) => {
                        self.end = true;
                        return Ok(());
                    }
                    Some(Err(e)) => return Err(e),
                    Some(Ok(entry)) => {
                        let name = entry.file_name().to_bytes();
                        if !matches!(name, b"." | b"..") {
                            self.ready.push_back(name.to_vec());
                        }
                    }
                }
                if raw.is_buffer_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_comes_once() {
        let dir = tempfile::tempdir().unwrap();
        let fd = std::fs::File::open(dir.path()).unwrap();
        assert!(Walk::begin(fd.as_fd()).unwrap().next().unwrap().is_none());
        let want: BTreeSet<_> = (0..3000)
            .map(|i| format!("{i:0>40}").into_bytes())
            .collect();
        for name in &want {
            std::fs::write(dir.path().join(str::from_utf8(name).unwrap()), "").unwrap();
        }
        let mut walk = Walk::begin(fd.as_fd()).unwrap();
        let mut other = Walk::begin(fd.as_fd()).unwrap();
        let mut seen = Vec::new();
        while let Some(entry) = walk.next().unwrap() {
            if seen.len() == 10 && entry != *b"back" {
                walk.put_back(entry);
                seen.push(b"back".to_vec());
                continue;
            }
            seen.push(entry);
            other.next().unwrap();
        }
        assert_eq!(seen.remove(10), b"back");
        assert_eq!(seen.len(), want.len());
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), want);
    }

    #[test]
    fn a_removed_directory_has_no_names() {
        let dir = tempfile::tempdir().unwrap();
        let fd = std::fs::File::open(dir.path()).unwrap();
        let mut walk = Walk::begin(fd.as_fd()).unwrap();
        dir.close().unwrap();
        assert!(walk.next().unwrap().is_none());
    }
}
