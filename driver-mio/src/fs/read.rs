//! Reading data.

use rustix::fs::FileType;
use rustix::io::{Errno, pread};
use smb_engine::vfs::{Payload, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::error::{os, retry};
use super::handle::Open;

impl LocalFs {
    pub(super) fn read(&self, open: &Open, offset: u64, len: u32) -> VfsResult {
        let len = usize::try_from(len).map_err(|_| VfsError::Invalid)?;
        if let Some(stream) = &open.stream {
            let data = stream.read(&open.node, offset, len)?;
            return Ok(VfsReply::Data(Payload::copy_of(&data)));
        }
        if open.kind == FileType::Directory {
            return Err(VfsError::IsADirectory);
        }
        let mut payload = Payload::zeroed(len);
        let got = read_full(open, payload.data_mut(), offset)?;
        payload.truncate(got);
        Ok(VfsReply::Data(payload))
    }
}

/// Fills `buf` from `offset`, or as far as the file goes.
pub(super) fn read_full(open: &Open, buf: &mut [u8], offset: u64) -> Result<usize, VfsError> {
    // Beyond what the kernel can express there is no data either.
    if i64::try_from(offset).is_err() {
        return Ok(0);
    }
    let mut got = 0;
    while got < buf.len() {
        let at = offset.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
        match retry(|| pread(open.node.fd(), &mut buf[got..], at)) {
            Ok(0) => break,
            Ok(n) => got += n,
            // The range reaches beyond the largest offset.
            Err(Errno::INVAL | Errno::OVERFLOW) if at > i64::MAX as u64 - buf.len() as u64 => break,
            Err(e) => return Err(os(e)),
        }
    }
    Ok(got)
}
