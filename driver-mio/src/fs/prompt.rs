//! Which operations are done at once: those that change or read little, from the kernel's caches.
//!
//! Names and metadata may have to come from the disk, once; a driver notices when that takes long.
//! What grows with a file's size, a directory's or a disk's backlog waits for nobody else's turn and
//! is given back.

use rustix::fs::FileType;
use rustix::io::{Errno, IoSliceMut, ReadWriteFlags, preadv2};
use smb_engine::identity::Identity;
use smb_engine::vfs::{Backend, Payload, VfsHandle, VfsOp, VfsReply, VfsResult};

use super::LocalFs;
use super::error::retry;
use super::handle::Open;
use super::path::stat_fd;

/// Data above this, in bytes, are better carried by another core.
const LITTLE_DATA: usize = 64 << 10;

/// A file with more storage than this, in bytes, takes its time to be cut or removed.
const LITTLE_FILE: u64 = 4 << 20;

impl LocalFs {
    #[allow(
        clippy::result_large_err,
        reason = "moved once; a box would cost more than the copy"
    )]
    pub(super) fn at_once(&self, by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        let short = match &op {
            VfsOp::Read {
                handle,
                offset,
                len,
            } => {
                let cached = self.read_cached(*handle, *offset, *len);
                return cached.map(Ok).ok_or(op);
            }
            VfsOp::Write { data, through, .. } => !*through && data.len() <= LITTLE_DATA,
            VfsOp::Rename { replace, .. } | VfsOp::Link { replace, .. } => !*replace,
            // What is cut, or removed with its last handle, gives its storage back.
            VfsOp::Overwrite { handle, .. }
            | VfsOp::SetSize { handle, .. }
            | VfsOp::Remove { handle, .. }
            | VfsOp::Close { handle } => self.is_little(*handle, &op),
            VfsOp::Open { .. }
            | VfsOp::OpenById { .. }
            | VfsOp::Create { .. }
            | VfsOp::Stat { .. }
            | VfsOp::SetBasic { .. }
            | VfsOp::CheckEmpty { .. }
            | VfsOp::Streams { .. }
            | VfsOp::Eas { .. }
            | VfsOp::SetEas { .. }
            | VfsOp::Security { .. }
            | VfsOp::SetSecurity { .. }
            | VfsOp::Volume { .. }
            | VfsOp::SetSparse { .. }
            | VfsOp::SetCompression { .. }
            | VfsOp::Trim { .. }
            | VfsOp::ObjectId { .. }
            | VfsOp::SetObjectId { .. }
            | VfsOp::Reparse { .. }
            | VfsOp::SetReparse { .. }
            | VfsOp::DeleteReparse { .. } => true,
            VfsOp::Flush { .. }
            | VfsOp::Quotas { .. }
            | VfsOp::SetQuota { .. }
            | VfsOp::OpenSnapshot { .. }
            | VfsOp::Snapshots { .. }
            | VfsOp::SetAllocation { .. }
            | VfsOp::List { .. }
            | VfsOp::CopyRange { .. }
            | VfsOp::ZeroRange { .. }
            | VfsOp::AllocatedRanges { .. }
            | VfsOp::Watch { .. } => false,
        };
        if short {
            Ok(self.execute(by, op))
        } else {
            Err(op)
        }
    }

    /// Whether the file behind a handle has little storage to give back, if `op` gives it back.
    fn is_little(&self, handle: VfsHandle, op: &VfsOp) -> bool {
        let Ok(open) = self.handles.get(handle) else {
            return true;
        };
        if open.kind != FileType::RegularFile || open.stream.is_some() {
            return true;
        }
        let Ok(stat) = stat_fd(open.node.fd()) else {
            return true;
        };
        let keeps = matches!(op, VfsOp::Close { .. }) && stat.stx_nlink > 0;
        keeps || stat.stx_blocks.saturating_mul(512) <= LITTLE_FILE
    }

    /// Reads what the kernel has in memory; `None` if some of it is not, or the kernel cannot tell.
    fn read_cached(&self, handle: VfsHandle, offset: u64, len: u32) -> Option<VfsReply> {
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= LITTLE_DATA)?;
        let open = self.handles.get(handle).ok()?;
        // Errors and odd cases are told by the ordinary way.
        let end = offset.checked_add(u64::try_from(len).ok()?)?;
        if open.kind != FileType::RegularFile
            || open.stream.is_some()
            || i64::try_from(end).is_err()
        {
            return None;
        }
        let mut payload = Payload::zeroed(len);
        let got = fill(&open, payload.data_mut(), offset).ok()?;
        payload.truncate(got);
        Some(VfsReply::Data(payload))
    }
}

/// Fills `buf` from `offset` with what is in memory, or as far as the file goes.
fn fill(open: &Open, buf: &mut [u8], mut offset: u64) -> Result<usize, Errno> {
    let mut got = 0;
    while got < buf.len() {
        let rest = &mut buf[got..];
        let read = retry(|| {
            let mut slices = [IoSliceMut::new(rest)];
            preadv2(open.node.fd(), &mut slices, offset, ReadWriteFlags::NOWAIT)
        })?;
        if read == 0 {
            break;
        }
        got += read;
        offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use smb_engine::vfs::{DataAccess, Location, OpenHow, SharePath, WriteAt};

    use super::*;
    use crate::fs::LocalOptions;

    fn handle_of(fs: &LocalFs, name: &str) -> VfsHandle {
        let how = OpenHow {
            data: DataAccess::ReadWrite,
            open_reparse: false,
        };
        let at = Location::from(SharePath::new(name).unwrap());
        match fs.execute(&Identity::system(), VfsOp::Open { at, how }) {
            Ok(VfsReply::Opened(opened)) => opened.handle,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_takes_its_time_is_given_back_untouched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("small"), b"0123456789").unwrap();
        std::fs::write(dir.path().join("large"), vec![7; 8 << 20]).unwrap();
        let fs = LocalFs::open(dir.path(), LocalOptions::default()).unwrap();
        let (small, large) = (handle_of(&fs, "small"), handle_of(&fs, "large"));
        let by = Identity::system();
        let write = |len| VfsOp::Write {
            handle: small,
            at: WriteAt::Offset(0),
            data: Bytes::from(vec![1; len]),
            through: false,
        };
        for op in [
            VfsOp::Flush { handle: small },
            VfsOp::SetSize {
                handle: large,
                size: 0,
            },
            write(LITTLE_DATA + 1),
            VfsOp::Read {
                handle: large,
                offset: 0,
                len: 1 << 20,
            },
        ] {
            assert_eq!(fs.execute_now(&by, op.clone()), Err(op));
        }
        for op in [
            VfsOp::Stat { handle: small },
            write(10),
            VfsOp::SetSize {
                handle: small,
                size: 3,
            },
            VfsOp::Close { handle: large },
        ] {
            assert!(matches!(fs.execute_now(&by, op), Ok(Ok(_))));
        }
        assert_eq!(std::fs::read(dir.path().join("small")).unwrap(), [1; 3]);
    }

    #[test]
    fn cached_data_is_read_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), b"0123456789").unwrap();
        let fs = LocalFs::open(dir.path(), LocalOptions::default()).unwrap();
        let handle = handle_of(&fs, "file");
        for (offset, len) in [(0, 10), (3, 4), (8, 10), (10, 5), (99, 1), (0, 0)] {
            let op = VfsOp::Read {
                handle,
                offset,
                len,
            };
            let by = Identity::system();
            // A file system may not know what it has in memory: then the operation comes back.
            match fs.execute_now(&by, op.clone()) {
                Ok(read) => assert_eq!(read, fs.execute(&by, op)),
                Err(back) => assert_eq!(back, op),
            }
        }
    }
}
