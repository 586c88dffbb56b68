//! Extended attributes of whatever is at hand: an open file, a descriptor that only names a file, or
//! a name in an open directory.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;

use super::error::retry;

/// Attributes and creation time, as Samba and ksmbd store them.
pub(super) const DOSATTRIB: &str = "user.DOSATTRIB";
/// Streams: prefix, then the stream's name, then its type.
pub(super) const STREAM_PREFIX: &str = "user.DosStream.";
/// Streams whose data lie elsewhere; the prefix is as long, so that the same names fit.
pub(super) const BIG_STREAM_PREFIX: &str = "user.BigStream.";
/// The type behind a stream's name.
pub(super) const STREAM_TYPE: &str = ":$DATA";
/// The security descriptor, where the server may write it.
pub(super) const NTACL: &str = "security.NTACL";
/// The security descriptor, where it may not.
pub(super) const NTACL_USER: &str = "user.NTACL";
/// Reparse data, as Samba stores it since 4.21.
pub(super) const REPARSE: &str = "user.SmbReparse";
/// The object id and what belongs to it: the 64 bytes of [MS-FSCC] 2.1.3.
pub(super) const OBJECT_ID: &str = "user.SansmbObjectId";
/// The prefix of extended attributes that clients see as EAs.
pub(super) const USER: &str = "user.";

/// Who has the attributes.
pub(super) enum Holder<'a> {
    /// An open file or directory.
    Fd(BorrowedFd<'a>),
    /// The magic link of a descriptor that was opened with O_PATH.
    Magic(CString),
    /// A name in a directory; a link there is not followed.
    Entry(CString),
}

/// The path by which the kernel finds an open file again without resolving a name.
pub(super) fn magic(fd: BorrowedFd<'_>) -> CString {
    let text = format!("/proc/self/fd/{}", fd.as_raw_fd());
    CString::new(text).unwrap_or_default()
}

impl<'a> Holder<'a> {
    /// Something in the open directory `dir`. `name` is one component.
    pub(super) fn entry(dir: BorrowedFd<'a>, name: &[u8]) -> Self {
        let mut path = magic(dir).into_bytes();
        path.push(b'/');
        path.extend_from_slice(name);
        Self::Entry(CString::new(path).unwrap_or_default())
    }

    /// The value of an attribute; `None` if it has none of that name.
    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Errno> {
        let mut value = vec![0; 512];
        loop {
            match retry(|| self.get_into(name, &mut value)) {
                Ok(len) => {
                    value.truncate(len);
                    return Ok(Some(value));
                }
                Err(Errno::RANGE) => {
                    // It may grow between the two calls, so go round until it fits.
                    let Some(len) = self.size(name)? else {
                        return Ok(None);
                    };
                    value.resize(len.max(1), 0);
                }
                Err(e) => return absent(e).map(|()| None),
            }
        }
    }

    fn get_into(&self, name: &str, value: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Fd(fd) => fs::fgetxattr(fd, name, value),
            Self::Magic(path) => fs::getxattr(path, name, value),
            Self::Entry(path) => fs::lgetxattr(path, name, value),
        }
    }

    /// The length of an attribute's value; `None` if it has none of that name.
    pub(super) fn size(&self, name: &str) -> Result<Option<usize>, Errno> {
        let len = retry(|| match self {
            Self::Fd(fd) => fs::fgetxattr_query(fd, name),
            Self::Magic(path) => fs::getxattr_query(path, name),
            Self::Entry(path) => fs::lgetxattr_query(path, name),
        });
        match len {
            Ok(len) => Ok(Some(len)),
            Err(e) => absent(e).map(|()| None),
        }
    }

    /// Sets an attribute.
    pub(super) fn set(&self, name: &str, value: &[u8], flags: XattrFlags) -> Result<(), Errno> {
        retry(|| match self {
            Self::Fd(fd) => fs::fsetxattr(fd, name, value, flags),
            Self::Magic(path) => fs::setxattr(path, name, value, flags),
            Self::Entry(path) => fs::lsetxattr(path, name, value, flags),
        })
    }

    /// Removes an attribute; whether there was one.
    pub(super) fn remove(&self, name: &str) -> Result<bool, Errno> {
        let done = retry(|| match self {
            Self::Fd(fd) => fs::fremovexattr(fd, name),
            Self::Magic(path) => fs::removexattr(path, name),
            Self::Entry(path) => fs::lremovexattr(path, name),
        });
        match done {
            Ok(()) => Ok(true),
            Err(e) => absent(e).map(|()| false),
        }
    }

    /// The names of all attributes, those that are not UTF-8 left out: none of ours is such.
    pub(super) fn list(&self) -> Result<Vec<String>, Errno> {
        let mut names = vec![0; 1024];
        let len = loop {
            let done = retry(|| self.list_into(&mut names));
            match done {
                Ok(len) => break len,
                Err(Errno::RANGE) => {
                    let len = retry(|| self.list_size())?;
                    names.resize(len.max(1), 0);
                }
                Err(e) => {
                    absent(e)?;
                    break 0;
                }
            }
        };
        Ok(names
            .get(..len)
            .unwrap_or(&[])
            .split(|&b| b == 0)
            .filter(|name| !name.is_empty())
            .filter_map(|name| String::from_utf8(name.to_vec()).ok())
            .collect())
    }

    fn list_size(&self) -> Result<usize, Errno> {
        match self {
            Self::Fd(fd) => fs::flistxattr_query(fd),
            Self::Magic(path) => fs::listxattr_query(path),
            Self::Entry(path) => fs::llistxattr_query(path),
        }
    }

    fn list_into(&self, names: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Fd(fd) => fs::flistxattr(fd, names),
            Self::Magic(path) => fs::listxattr(path, names),
            Self::Entry(path) => fs::llistxattr(path, names),
        }
    }
}

/// A file system without extended attributes has none.
fn absent(e: Errno) -> Result<(), Errno> {
    match e {
        Errno::NODATA | Errno::OPNOTSUPP => Ok(()),
        e => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn all_ways_to_a_file_see_the_same_attributes() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join("f")).unwrap();
        let dir_fd = std::fs::File::open(dir.path()).unwrap();
        let holders = [
            Holder::Fd(file.as_fd()),
            Holder::Magic(magic(file.as_fd())),
            Holder::entry(dir_fd.as_fd(), b"f"),
        ];
        let long = vec![7; 2000];
        for h in &holders {
            assert_eq!(h.get("user.none"), Ok(None));
            assert_eq!(h.size("user.none"), Ok(None));
            assert_eq!(h.remove("user.none"), Ok(false));
            h.set("user.long", &long, XattrFlags::CREATE).unwrap();
            assert_eq!(
                h.set("user.long", b"", XattrFlags::CREATE),
                Err(Errno::EXIST)
            );
            for other in &holders {
                assert_eq!(other.get("user.long"), Ok(Some(long.clone())));
                assert_eq!(other.size("user.long"), Ok(Some(2000)));
                assert!(other.list().unwrap().contains(&"user.long".to_owned()));
            }
            assert_eq!(h.remove("user.long"), Ok(true));
        }
        for i in 0..60 {
            let name = format!("user.a-rather-long-name-{i}");
            holders[0].set(&name, b"x", XattrFlags::empty()).unwrap();
        }
        let seen = holders[2].list().unwrap();
        assert_eq!(seen.iter().filter(|n| n.starts_with("user.a-")).count(), 60);
    }
}
