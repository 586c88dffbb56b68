//! Reading, writing, sizes and ranges.

use smb_engine::vfs::{Payload, VfsError, VfsHandle, VfsReply, VfsResult, WriteAt};
use smb_proto::info::FileAttributes;

use super::content::UNIT;
use super::{SIZE_MAX, State};

impl State {
    /// Refuses what would not fit any more.
    pub(super) fn space_for(&self, more: u64) -> Result<(), VfsError> {
        if more == 0 {
            return Ok(());
        }
        let free = self.total_units.saturating_sub(self.used_units());
        if more.div_ceil(UNIT) > free {
            return Err(VfsError::NoSpace);
        }
        Ok(())
    }

    /// Refuses a size that is too large, or for which there is no space.
    fn grow_to(&self, handle: VfsHandle, end: u64) -> Result<(), VfsError> {
        let sparse = self.node_of(handle)?.is_sparse();
        let has = self.stream_of(handle)?.content.allocation(sparse);
        if end > SIZE_MAX {
            return Err(VfsError::TooLarge);
        }
        self.space_for(end.saturating_sub(has))
    }

    pub(super) fn read(&self, handle: VfsHandle, offset: u64, len: u32) -> VfsResult {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let data = self.stream_of(handle)?.content.read(offset, len);
        Ok(VfsReply::Data(Payload::copy_of(&data)))
    }

    pub(super) fn write(
        &mut self,
        handle: VfsHandle,
        at: WriteAt,
        data: &[u8],
        through: bool,
    ) -> VfsResult {
        let now = self.now;
        let size = self.stream_of(handle)?.content.size();
        let offset = match at {
            WriteAt::Offset(offset) => offset,
            WriteAt::End => size,
        };
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(VfsError::TooLarge)?;
        if self.node_of(handle)?.is_sparse() {
            if end > SIZE_MAX {
                return Err(VfsError::TooLarge);
            }
            self.space_for(data.len() as u64)?;
        } else {
            self.grow_to(handle, end)?;
        }
        self.content_to_change(handle)?.write(offset, data);
        if through && let Some(stable) = &mut self.stream_of_mut(handle)?.stable {
            stable.write(offset, data);
        }
        if !data.is_empty() {
            self.node_of_mut(handle)?.modified(now);
        }
        Ok(VfsReply::Written(data.len() as u64))
    }

    pub(super) fn set_size(&mut self, handle: VfsHandle, size: u64) -> VfsResult {
        let now = self.now;
        if self.node_of(handle)?.is_sparse() {
            self.stream_of(handle)?;
            if size > SIZE_MAX {
                return Err(VfsError::TooLarge);
            }
        } else {
            self.grow_to(handle, size)?;
        }
        self.content_to_change(handle)?.set_size(size);
        self.node_of_mut(handle)?.modified(now);
        Ok(VfsReply::Done)
    }

    pub(super) fn set_allocation(&mut self, handle: VfsHandle, size: u64) -> VfsResult {
        let now = self.now;
        self.grow_to(handle, size)?;
        let content = self.content_to_change(handle)?;
        let changes = size != content.size();
        content.set_allocation(size);
        if changes {
            self.node_of_mut(handle)?.modified(now);
        }
        Ok(VfsReply::Done)
    }

    pub(super) fn copy(
        &mut self,
        from: VfsHandle,
        from_offset: u64,
        to: VfsHandle,
        to_offset: u64,
        len: u64,
    ) -> VfsResult {
        self.handle(to)?;
        let source = &self.stream_of(from)?.content;
        let rest = source.size().saturating_sub(from_offset);
        let len = usize::try_from(len.min(rest)).map_err(|_| VfsError::TooLarge)?;
        let data = source.read(from_offset, len);
        self.write(to, WriteAt::Offset(to_offset), &data, false)
    }

    pub(super) fn zero(&mut self, handle: VfsHandle, offset: u64, beyond: u64) -> VfsResult {
        let now = self.now;
        let size = self.stream_of(handle)?.content.size();
        if beyond < offset {
            return Err(VfsError::Invalid);
        }
        if offset < beyond.min(size) {
            self.content_to_change(handle)?.zero(offset, beyond);
            self.node_of_mut(handle)?.modified(now);
        }
        Ok(VfsReply::Done)
    }

    /// Whole units in the range read as zeros afterwards.
    pub(super) fn trim(&mut self, handle: VfsHandle, offset: u64, beyond: u64) -> VfsResult {
        let size = self.stream_of(handle)?.content.size();
        if self.is_named_stream(handle)? {
            return Ok(VfsReply::Done);
        }
        let start = offset.checked_next_multiple_of(UNIT).unwrap_or(u64::MAX);
        let end = beyond.min(size) / UNIT * UNIT;
        if start < end {
            let now = self.now;
            self.content_to_change(handle)?.zero(start, end);
            self.node_of_mut(handle)?.modified(now);
        }
        Ok(VfsReply::Done)
    }

    pub(super) fn set_compression(&mut self, handle: VfsHandle, compressed: bool) -> VfsResult {
        let now = self.now;
        let node = self.node_of_mut(handle)?;
        node.attributes.set(FileAttributes::COMPRESSED, compressed);
        node.change = now;
        Ok(VfsReply::Done)
    }

    pub(super) fn allocated(
        &self,
        handle: VfsHandle,
        offset: u64,
        len: u64,
        limit: usize,
    ) -> VfsResult {
        let sparse = self.node_of(handle)?.is_sparse();
        let content = &self.stream_of(handle)?.content;
        let mut ranges = content.allocated(sparse, offset, len);
        ranges.truncate(limit);
        Ok(VfsReply::Ranges(ranges))
    }

    pub(super) fn set_sparse(&mut self, handle: VfsHandle, sparse: bool) -> VfsResult {
        let now = self.now;
        if self.handle(handle)?.stream.is_none() {
            // [MS-FSA] 2.1.5.10.38
            return Err(VfsError::Invalid);
        }
        let node = self.node_of_mut(handle)?;
        node.attributes.set(FileAttributes::SPARSE_FILE, sparse);
        node.change = now;
        Ok(VfsReply::Done)
    }
}
