//! A directory of snapshots, named by a pattern of their times, as Samba's `shadow_copy2` has them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use smb_engine::vfs::{VfsError, moment};
use smb_proto::FileTime;

use super::SnapshotSource;
use crate::fs::error::{os, retry};

/// Snapshots beneath one directory.
#[derive(Debug, Clone)]
pub struct ShadowCopy {
    /// `shadow:basedir`: the directory that the snapshots are of; the share lies in it.
    pub base: PathBuf,
    /// The share's path beneath `base`, empty if it is the same.
    pub share: PathBuf,
    /// `shadow:snapdir`: the directory of the snapshots, beneath `base` if it is relative.
    pub dir: PathBuf,
    /// `shadow:format`: how their names tell the time, in UTC: `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`,
    /// `%s` (seconds since 1970), `%T`, `%F` and `%%`, as in strptime(3).
    pub format: String,
    /// `shadow:sort`: the oldest first.
    pub ascending: bool,
}

/// The directory of snapshots, if there is one, and what lies in it: times and names.
type Found = (Option<OwnedFd>, Vec<(FileTime, String)>);

/// What lies in a share can be made by clients: no link is followed there.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl ShadowCopy {
    fn open_dir(&self) -> Result<OwnedFd, Errno> {
        const FLAGS: OFlags = OFlags::RDONLY
            .union(OFlags::DIRECTORY)
            .union(OFlags::CLOEXEC);
        if self.dir.is_absolute() {
            return retry(|| fs::openat(CWD, &self.dir, FLAGS, Mode::empty()));
        }
        let base = retry(|| fs::openat(CWD, &self.base, FLAGS, Mode::empty()))?;
        retry(|| fs::openat2(&base, &self.dir, FLAGS, Mode::empty(), INSIDE))
    }

    fn all(&self) -> Result<Found, VfsError> {
        let dir = match self.open_dir() {
            Ok(dir) => dir,
            // None was taken yet.
            Err(Errno::NOENT) => return Ok((None, Vec::new())),
            Err(e) => return Err(os(e)),
        };
        let mut found = Vec::new();
        for entry in Dir::read_from(dir.as_fd()).map_err(os)? {
            let entry = entry.map_err(os)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if let Some(time) = parse(&self.format, name) {
                found.push((time, name.to_owned()));
            }
        }
        found.sort();
        // Two names of one moment cannot be told apart by clients.
        found.dedup_by_key(|(time, _)| *time);
        Ok((Some(dir), found))
    }
}

impl SnapshotSource for ShadowCopy {
    fn list(&self) -> Result<Vec<FileTime>, VfsError> {
        let (_, found) = self.all()?;
        let mut times: Vec<_> = found.into_iter().map(|(time, _)| time).collect();
        if !self.ascending {
            times.reverse();
        }
        Ok(times)
    }

    fn open(&self, taken: FileTime) -> Result<OwnedFd, VfsError> {
        const FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
        let (dir, found) = self.all()?;
        let name = found
            .iter()
            .find(|(time, _)| smb_engine::vfs::same_snapshot(*time, taken))
            .map(|(_, name)| name);
        let (Some(dir), Some(name)) = (dir, name) else {
            return Err(VfsError::NotFound);
        };
        let path = Path::new(name).join(&self.share);
        retry(|| fs::openat2(&dir, &path, FLAGS, Mode::empty(), INSIDE)).map_err(|e| match e {
            // The share did not exist then, or something else lies in its place.
            Errno::NOTDIR | Errno::LOOP | Errno::XDEV => VfsError::NotFound,
            e => os(e),
        })
    }
}

/// The time that a name tells; `None` if it does not follow the format.
fn parse(format: &str, name: &str) -> Option<FileTime> {
    let mut date = Date {
        year: 1970,
        month: 1,
        day: 1,
        ..Date::default()
    };
    let rest = date.read(format, name)?;
    if !rest.is_empty() {
        return None;
    }
    match date.unix {
        Some(seconds) => Some(FileTime::from_unix(seconds, 0)),
        None => moment(
            date.year,
            date.month,
            date.day,
            date.hour,
            date.minute,
            date.second,
        ),
    }
}

#[derive(Default)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    unix: Option<i64>,
}

impl Date {
    /// Takes what the format describes from the front of `text`; the rest.
    fn read<'a>(&mut self, format: &str, mut text: &'a str) -> Option<&'a str> {
        let mut format = format.chars();
        while let Some(c) = format.next() {
            if c != '%' {
                text = text.strip_prefix(c)?;
                continue;
            }
            let (field, width) = match format.next()? {
                '%' => {
                    text = text.strip_prefix('%')?;
                    continue;
                }
                'F' => {
                    text = self.read("%Y-%m-%d", text)?;
                    continue;
                }
                'T' => {
                    text = self.read("%H:%M:%S", text)?;
                    continue;
                }
                's' => {
                    let end = text.bytes().take_while(u8::is_ascii_digit).count().min(12);
                    let (digits, rest) = text.split_at_checked(end)?;
                    self.unix = Some(digits.parse().ok()?);
                    text = rest;
                    continue;
                }
                'Y' => (&mut self.year, 4),
                'm' => (&mut self.month, 2),
                'd' => (&mut self.day, 2),
                'H' => (&mut self.hour, 2),
                'M' => (&mut self.minute, 2),
                'S' => (&mut self.second, 2),
                _ => return None,
            };
            let (digits, rest) = text.split_at_checked(width)?;
            let good = digits.bytes().all(|b| b.is_ascii_digit());
            *field = digits.parse().ok().filter(|_| good)?;
            text = rest;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_times() {
        let at = FileTime::from_unix(1_700_557_507, 0);
        for (format, name) in [
            ("@GMT-%Y.%m.%d-%H.%M.%S", "@GMT-2023.11.21-09.05.07"),
            ("snap_%F_%T", "snap_2023-11-21_09:05:07"),
            (
                "zfs-auto-%Y%m%d%H%M%S-100%%",
                "zfs-auto-20231121090507-100%",
            ),
            ("%s", "1700557507"),
        ] {
            assert_eq!(parse(format, name), Some(at), "{format}");
            assert_eq!(parse(format, &format!("{name}x")), None, "{format}");
            assert_eq!(parse(format, &format!("x{name}")), None, "{format}");
        }
        assert_eq!(parse("%Y", "2023"), moment(2023, 1, 1, 0, 0, 0));
        for (format, name) in [("%Y", "20é3"), ("%q", "x"), ("%", "%"), ("%s", "")] {
            assert_eq!(parse(format, name), None, "{format}");
        }
    }
}
