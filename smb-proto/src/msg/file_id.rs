//! SMB2_FILEID in message bodies, [MS-SMB2] 2.2.14.1: Persistent (8 bytes), Volatile (8).

use crate::ParseError;
use crate::id::FileId;
use crate::wire::{Fields, Writer};

pub(super) fn read(f: &mut Fields<'_>) -> Result<FileId, ParseError> {
    Ok(FileId {
        persistent: f.u64()?,
        volatile: f.u64()?,
    })
}

pub(super) fn write(id: FileId, w: &mut Writer) {
    w.u64(id.persistent);
    w.u64(id.volatile);
}
