//! Writing data, sizes, and bringing data to stable storage.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use rustix::fs::{self, FileType, OFlags};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use smb_engine::identity::Identity;
use smb_engine::vfs::{VfsError, VfsReply, VfsResult, WriteAt};

use super::LocalFs;
use super::create::reserve;
use super::error::{os, retry};
use super::handle::Open;
use super::open::reopen;
use super::path::stat_fd;
use super::stream_file::touch;

impl LocalFs {
    pub(super) fn write(
        &self,
        by: &Identity,
        open: &Open,
        at: WriteAt,
        data: &[u8],
        through: bool,
    ) -> VfsResult {
        let written = u64::try_from(data.len()).map_err(|_| VfsError::TooLarge)?;
        if open.stream.is_some() {
            self.change_stream(by, open, |stream| stream.write(&open.node, at, data))?;
            if through {
                if let Some(stream) = &open.stream {
                    stream.sync(&open.node)?;
                }
                sync(open, false)?;
            }
            return Ok(VfsReply::Written(written));
        }
        self.need_writable(open)?;
        let _acting = self.own.act_as(by)?;
        write_all(open.node.fd(), at, data, through)?;
        Ok(VfsReply::Written(written))
    }

    /// Refuses what is not a file opened for writing.
    pub(super) fn need_writable(&self, open: &Open) -> Result<(), VfsError> {
        if open.is_directory() {
            Err(VfsError::IsADirectory)
        } else if open.writable {
            Ok(())
        } else {
            Err(VfsError::AccessDenied)
        }
    }

    pub(super) fn flush(&self, open: &Open) -> VfsResult {
        if let Some(stream) = &open.stream {
            stream.sync(&open.node)?;
        }
        sync(open, true)?;
        Ok(VfsReply::Done)
    }

    pub(super) fn set_size(&self, by: &Identity, open: &Open, size: u64) -> VfsResult {
        if open.stream.is_some() {
            self.change_stream(by, open, |stream| stream.set_size(&open.node, size))?;
            return Ok(VfsReply::Done);
        }
        self.need_writable(open)?;
        if i64::try_from(size).is_err() {
            return Err(VfsError::TooLarge);
        }
        let _acting = self.own.act_as(by)?;
        retry(|| fs::ftruncate(open.node.fd(), size)).map_err(os)?;
        Ok(VfsReply::Done)
    }

    pub(super) fn set_allocation(&self, by: &Identity, open: &Open, size: u64) -> VfsResult {
        if let Some(stream) = &open.stream {
            if !open.writable {
                return Err(VfsError::AccessDenied);
            }
            let present = stream.size(&open.node)?;
            if size < present {
                self.change_stream(by, open, |stream| stream.set_size(&open.node, size))?;
            } else if size > present {
                // Nothing can be reserved, but it counts as a change, as it does for a file.
                self.change_stream(by, open, |_| touch(&open.node))?;
            }
            return Ok(VfsReply::Done);
        }
        self.need_writable(open)?;
        let present = stat_fd(open.node.fd()).map_err(os)?.stx_size;
        let _acting = self.own.act_as(by)?;
        if size < present {
            retry(|| fs::ftruncate(open.node.fd(), size)).map_err(os)?;
        } else if size > present {
            reserve(open.node.fd(), size)?;
        }
        Ok(VfsReply::Done)
    }
}

/// Writes everything, or fails.
pub(super) fn write_all(
    fd: BorrowedFd<'_>,
    at: WriteAt,
    mut data: &[u8],
    through: bool,
) -> Result<(), VfsError> {
    let mut flags = ReadWriteFlags::empty();
    if through {
        flags |= ReadWriteFlags::DSYNC;
    }
    // The kernel appends in one step under the file's own lock, whoever else writes.
    let (mut offset, append) = match at {
        WriteAt::Offset(offset) => (offset, false),
        WriteAt::End => (0, true),
    };
    if append {
        flags |= ReadWriteFlags::APPEND;
    }
    let end = offset.checked_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
    if end.is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(VfsError::TooLarge);
    }
    while !data.is_empty() {
        let n = retry(|| pwritev2(fd, &[IoSlice::new(data)], offset, flags)).map_err(os)?;
        if n == 0 {
            return Err(VfsError::Io);
        }
        data = data.get(n..).unwrap_or(&[]);
        if !append {
            offset = offset.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
        }
    }
    Ok(())
}

/// Brings a file to stable storage: its data, and with `all` its metadata.
fn sync(open: &Open, all: bool) -> Result<(), VfsError> {
    let call = |fd: BorrowedFd<'_>| {
        retry(|| {
            if all {
                fs::fsync(fd)
            } else {
                fs::fdatasync(fd)
            }
        })
    };
    match call(open.node.fd()) {
        // The descriptor only names the file.
        Err(Errno::BADF) => {
            let flags = match open.kind {
                FileType::Directory => OFlags::DIRECTORY,
                FileType::RegularFile => OFlags::RDONLY,
                _ => return Ok(()),
            };
            let fd = reopen(open.node.fd(), flags).map_err(os)?;
            call(std::os::fd::AsFd::as_fd(&fd)).map_err(os)
        }
        // Some file systems have nothing to do for a directory.
        Err(Errno::INVAL) if open.kind == FileType::Directory => Ok(()),
        done => done.map_err(os),
    }
}
