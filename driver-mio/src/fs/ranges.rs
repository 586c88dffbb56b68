//! Copying, zeroing and asking for ranges of data.

use rustix::fs::{self, FallocateFlags, SeekFrom};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{AllocatedRange, VfsError, VfsReply, VfsResult, WriteAt};
use smb_proto::info::FileAttributes;

use super::LocalFs;
use super::error::{os, retry};
use super::handle::Open;
use super::path::stat_fd;
use super::read::read_full;
use super::write::write_all;

/// Bytes copied at a time where the kernel cannot copy.
const CHUNK: u64 = 1 << 20;

/// Bytes of what is trimmed as a whole.
const PAGE: u64 = 4096;

impl LocalFs {
    pub(super) fn copy_range(
        &self,
        by: &Identity,
        (from, from_offset): (&Open, u64),
        (to, to_offset): (&Open, u64),
        len: u64,
    ) -> VfsResult {
        self.need_writable(to)?;
        if from.is_directory() {
            return Err(VfsError::IsADirectory);
        }
        let size = match &from.stream {
            Some(stream) => stream.size(&from.node)?,
            None => stat_fd(from.node.fd()).map_err(os)?.stx_size,
        };
        let len = len.min(size.saturating_sub(from_offset));
        if to_offset
            .checked_add(len)
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return Err(VfsError::TooLarge);
        }
        let overlaps = from.id == to.id && from_offset.abs_diff(to_offset) < len;
        let plain = from.stream.is_none() && to.stream.is_none();
        let mut done = 0;
        if plain && !overlaps {
            let _acting = self.own.act_as(by)?;
            done = copy_in_kernel(from, from_offset, to, to_offset, len)?;
        }
        // The rest, or all, through memory; backwards if the target lies behind the source.
        let rest = len - done;
        let backwards = overlaps && to_offset > from_offset;
        let mut moved = 0;
        while moved < rest {
            let part = CHUNK.min(rest - moved);
            let at = done
                + if backwards {
                    rest - moved - part
                } else {
                    moved
                };
            let got = self.copy_part(by, (from, from_offset + at), (to, to_offset + at), part)?;
            moved += got;
            if got < part {
                break;
            }
        }
        Ok(VfsReply::Written(done + moved))
    }

    fn copy_part(
        &self,
        by: &Identity,
        (from, from_offset): (&Open, u64),
        (to, to_offset): (&Open, u64),
        len: u64,
    ) -> Result<u64, VfsError> {
        let len = usize::try_from(len).map_err(|_| VfsError::TooLarge)?;
        let data = match &from.stream {
            Some(stream) => stream.read(&from.node, from_offset, len)?,
            None => {
                let mut buf = vec![0; len];
                let got = read_full(from, &mut buf, from_offset)?;
                buf.truncate(got);
                buf
            }
        };
        self.write(by, to, WriteAt::Offset(to_offset), &data, false)?;
        u64::try_from(data.len()).map_err(|_| VfsError::TooLarge)
    }

    pub(super) fn zero_range(
        &self,
        by: &Identity,
        open: &Open,
        offset: u64,
        beyond: u64,
    ) -> VfsResult {
        if open.is_directory() {
            return Err(VfsError::IsADirectory);
        }
        if offset > beyond {
            return Err(VfsError::Invalid);
        }
        if let Some(stream) = &open.stream {
            if offset >= beyond.min(stream.size(&open.node)?) {
                return Ok(VfsReply::Done);
            }
            self.change_stream(by, open, |stream| stream.zero(&open.node, offset, beyond))?;
            return Ok(VfsReply::Done);
        }
        self.need_writable(open)?;
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let end = beyond.min(stat.stx_size);
        let Some(len) = end.checked_sub(offset).filter(|&len| len > 0) else {
            return Ok(VfsReply::Done);
        };
        let sparse = self.is_sparse(open)?;
        let _acting = self.own.act_as(by)?;
        let how = if sparse {
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE
        } else {
            FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE
        };
        match retry(|| fs::fallocate(open.node.fd(), how, offset, len)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            done => return done.map(|()| VfsReply::Done).map_err(os),
        }
        let zeros = vec![0; usize::try_from(len.min(CHUNK)).unwrap_or(0)];
        let mut at = offset;
        while at < end {
            let part = usize::try_from((end - at).min(CHUNK)).unwrap_or(0);
            let part = zeros.get(..part).unwrap_or(&zeros);
            write_all(open.node.fd(), WriteAt::Offset(at), part, false)?;
            at = at.saturating_add(CHUNK);
        }
        Ok(VfsReply::Done)
    }

    /// Only what lies in whole pages is punched, so that neighbours are not touched.
    pub(super) fn trim(&self, by: &Identity, open: &Open, offset: u64, beyond: u64) -> VfsResult {
        if open.is_directory() {
            return Err(VfsError::IsADirectory);
        }
        if open.stream.is_some() {
            return Ok(VfsReply::Done);
        }
        let size = stat_fd(open.node.fd()).map_err(os)?.stx_size;
        let start = offset.checked_next_multiple_of(PAGE);
        let end = beyond.min(size) / PAGE * PAGE;
        let Some((start, len)) = start.and_then(|s| Some((s, end.checked_sub(s)?))) else {
            return Ok(VfsReply::Done);
        };
        if len == 0 {
            return Ok(VfsReply::Done);
        }
        self.need_writable(open)?;
        let _acting = self.own.act_as(by)?;
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        retry(|| fs::fallocate(open.node.fd(), how, start, len)).map_err(os)?;
        Ok(VfsReply::Done)
    }

    fn is_sparse(&self, open: &Open) -> Result<bool, VfsError> {
        let info = self.info(open)?;
        Ok(info.attributes.contains(FileAttributes::SPARSE_FILE))
    }

    pub(super) fn allocated_ranges(
        &self,
        open: &Open,
        offset: u64,
        len: u64,
        limit: usize,
    ) -> VfsResult {
        if open.is_directory() {
            return Err(VfsError::IsADirectory);
        }
        let info = self.info(open)?;
        let end = offset.saturating_add(len).min(info.size);
        let mut ranges = Vec::new();
        if offset >= end {
            return Ok(VfsReply::Ranges(ranges));
        }
        // A file that is not sparse has storage everywhere, [MS-FSCC] 2.3.55.
        if open.stream.is_some() || !info.attributes.contains(FileAttributes::SPARSE_FILE) {
            ranges.push(AllocatedRange {
                offset,
                len: end - offset,
            });
            ranges.truncate(limit);
            return Ok(VfsReply::Ranges(ranges));
        }
        let fd = open.node.fd();
        let mut at = offset;
        while at < end && ranges.len() < limit {
            let start = match retry(|| fs::seek(fd, SeekFrom::Data(at))) {
                Ok(start) => start,
                // Nothing but a hole follows.
                Err(Errno::NXIO) => break,
                Err(e) => return Err(os(e)),
            };
            if start >= end {
                break;
            }
            let hole = match retry(|| fs::seek(fd, SeekFrom::Hole(start))) {
                Ok(hole) => hole.min(end),
                // It was cut meanwhile.
                Err(Errno::NXIO) => break,
                Err(e) => return Err(os(e)),
            };
            ranges.push(AllocatedRange {
                offset: start,
                len: hole.saturating_sub(start),
            });
            at = hole.max(at.saturating_add(1));
        }
        Ok(VfsReply::Ranges(ranges))
    }

    pub(super) fn set_compression(
        &self,
        by: &Identity,
        open: &Open,
        compressed: bool,
    ) -> VfsResult {
        if !self.xattrs || !self.options.store_dos_attributes {
            return Err(VfsError::NotSupported);
        }
        let acting = self.own.act_as(by)?;
        self.change_dos(
            open,
            |dos, _| {
                let mut attributes = dos.attributes.unwrap_or_default();
                attributes.set(FileAttributes::COMPRESSED, compressed);
                dos.attributes = Some(attributes);
            },
            &acting,
        )?;
        Ok(VfsReply::Done)
    }

    pub(super) fn set_sparse(&self, by: &Identity, open: &Open, sparse: bool) -> VfsResult {
        if open.is_directory() {
            return Err(VfsError::Invalid);
        }
        if !self.xattrs || !self.options.store_dos_attributes {
            return Err(VfsError::NotSupported);
        }
        let acting = self.own.act_as(by)?;
        self.change_dos(
            open,
            |dos, _| {
                let mut attributes = dos.attributes.unwrap_or_default();
                attributes.set(FileAttributes::SPARSE_FILE, sparse);
                dos.attributes = Some(attributes);
            },
            &acting,
        )?;
        Ok(VfsReply::Done)
    }
}

/// Lets the kernel copy (or clone) as much as it can; bytes copied.
fn copy_in_kernel(
    from: &Open,
    mut from_offset: u64,
    to: &Open,
    mut to_offset: u64,
    len: u64,
) -> Result<u64, VfsError> {
    let mut done = 0;
    while done < len {
        let part = usize::try_from(len - done).unwrap_or(usize::MAX);
        let copied = retry(|| {
            fs::copy_file_range(
                from.node.fd(),
                Some(&mut from_offset),
                to.node.fd(),
                Some(&mut to_offset),
                part,
            )
        });
        match copied {
            Ok(0) => break,
            Ok(n) => done += u64::try_from(n).map_err(|_| VfsError::TooLarge)?,
            // Not between these two, or not here at all.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => break,
            Err(e) => return Err(os(e)),
        }
    }
    Ok(done)
}
