//! Reparse points: symbolic links and special files of the host as clients see them, and reparse
//! data that clients store.

use bytes::{BufMut, Bytes, BytesMut};
use rustix::fs::{FileType, XattrFlags, readlinkat};
use smb_engine::identity::Identity;
use smb_engine::vfs::{Reparse, VfsError, VfsReply, VfsResult};
use smb_proto::info::FileAttributes;

use super::LocalFs;
use super::error::os;
use super::handle::Open;
use super::path::stat_fd;
use super::xattr::{self, Holder};

/// IO_REPARSE_TAG_SYMLINK, [MS-FSCC] 2.1.2.1.
const TAG_SYMLINK: u32 = 0xa000_000c;
/// IO_REPARSE_TAG_NFS, [MS-FSCC] 2.1.2.6.
const TAG_NFS: u32 = 0x8000_0014;
/// SYMLINK_FLAG_RELATIVE, [MS-FSCC] 2.1.2.4.
const SYMLINK_FLAG_RELATIVE: u32 = 1;
/// Reparse data of at most 16 KiB, [MS-FSCC] 2.1.2.
const MAX_DATA: usize = 16 << 10;
/// ReparseTag, ReparseDataLength, Reserved.
const HEADER: usize = 8;

/// The tag by which clients see a type of file; 0 for those that are none.
pub(super) fn tag_of(kind: FileType) -> u32 {
    match kind {
        FileType::RegularFile | FileType::Directory => 0,
        FileType::Symlink => TAG_SYMLINK,
        _ => TAG_NFS,
    }
}

/// The tag in stored reparse data; 0 if there is none.
pub(super) fn stored_tag(holder: &Holder<'_>) -> Result<u32, VfsError> {
    let value = holder.get(xattr::REPARSE).map_err(os)?;
    Ok(value
        .as_deref()
        .and_then(parse)
        .map_or(0, |reparse| reparse.tag))
}

/// REPARSE_DATA_BUFFER: tag (4 bytes), length of the data (2), reserved (2), data.
fn parse(value: &[u8]) -> Option<Reparse> {
    let (tag, rest) = value.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let data = rest
        .get(2..)?
        .get(..usize::from(u16::from_le_bytes(*len)))?;
    Some(Reparse {
        tag: u32::from_le_bytes(*tag),
        data: Bytes::copy_from_slice(data),
    })
}

/// SymbolicLinkReparseBuffer, [MS-FSCC] 2.1.2.4, without the header: offset and length of the
/// substitute name (2 bytes each), of the print name, flags (4), the names.
fn symlink_data(target: &str) -> Result<Bytes, VfsError> {
    let name: Vec<u8> = target
        .replace('/', "\\")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let len = u16::try_from(name.len()).map_err(|_| VfsError::NameTooLong)?;
    let mut out = BytesMut::new();
    out.put_u16_le(len);
    out.put_u16_le(len);
    out.put_u16_le(0);
    out.put_u16_le(len);
    out.put_u32_le(if target.starts_with('/') {
        0
    } else {
        SYMLINK_FLAG_RELATIVE
    });
    out.put_slice(&name);
    out.put_slice(&name);
    Ok(out.freeze())
}

impl LocalFs {
    pub(super) fn reparse(&self, open: &Open) -> VfsResult {
        let (tag, data) = match open.kind {
            FileType::RegularFile | FileType::Directory => {
                let stored = if self.xattrs {
                    open.node.holder().get(xattr::REPARSE).map_err(os)?
                } else {
                    None
                };
                return stored
                    .as_deref()
                    .and_then(parse)
                    .map(VfsReply::Reparse)
                    .ok_or(VfsError::NotAReparsePoint);
            }
            FileType::Symlink => {
                let target = readlinkat(open.node.fd(), c"", Vec::new()).map_err(os)?;
                (TAG_SYMLINK, symlink_data(&target.to_string_lossy())?)
            }
            kind => {
                // The type as eight characters; for devices followed by major and minor number.
                let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
                let mut data = BytesMut::new();
                data.put_slice(match kind {
                    FileType::Fifo => b"FIFO\0\0\0\0",
                    FileType::Socket => b"SOCK\0\0\0\0",
                    FileType::CharacterDevice => b"CHR\0\0\0\0\0",
                    FileType::BlockDevice => b"BLK\0\0\0\0\0",
                    _ => return Err(VfsError::NotSupported),
                });
                if device {
                    let stat = stat_fd(open.node.fd()).map_err(os)?;
                    data.put_u32_le(stat.stx_rdev_major);
                    data.put_u32_le(stat.stx_rdev_minor);
                }
                (TAG_NFS, data.freeze())
            }
        };
        Ok(VfsReply::Reparse(Reparse { tag, data }))
    }

    pub(super) fn set_reparse(&self, by: &Identity, open: &Open, reparse: &Reparse) -> VfsResult {
        if !self.xattrs {
            return Err(VfsError::NotSupported);
        }
        if !matches!(open.kind, FileType::RegularFile | FileType::Directory) {
            return Err(VfsError::ReparseTagMismatch);
        }
        if reparse.tag == 0 || reparse.data.len() > MAX_DATA - HEADER {
            return Err(VfsError::Invalid);
        }
        if open.kind == FileType::Directory {
            super::dir::has_no_names(&open.node)?;
        }
        let acting = self.own.act_as(by)?;
        let holder = open.node.holder();
        let present = stored_tag(&holder)?;
        if present != 0 && present != reparse.tag {
            return Err(VfsError::ReparseTagMismatch);
        }
        let mut value = reparse.tag.to_le_bytes().to_vec();
        let len = u16::try_from(reparse.data.len()).map_err(|_| VfsError::Invalid)?;
        value.extend(len.to_le_bytes());
        value.extend([0, 0]);
        value.extend(&reparse.data);
        acting.or_as_server(|| {
            holder
                .set(xattr::REPARSE, &value, XattrFlags::empty())
                .map_err(os)
        })?;
        self.mark_reparse(open, true, &acting)
    }

    pub(super) fn delete_reparse(&self, by: &Identity, open: &Open, tag: u32) -> VfsResult {
        match tag_of(open.kind) {
            0 => {}
            own if own == tag => return Err(VfsError::NotSupported),
            _ => return Err(VfsError::ReparseTagMismatch),
        }
        let holder = open.node.holder();
        let present = if self.xattrs { stored_tag(&holder)? } else { 0 };
        if present == 0 {
            return Err(VfsError::NotAReparsePoint);
        }
        if present != tag {
            return Err(VfsError::ReparseTagMismatch);
        }
        let acting = self.own.act_as(by)?;
        acting.or_as_server(|| holder.remove(xattr::REPARSE).map_err(os))?;
        self.mark_reparse(open, false, &acting)
    }

    fn mark_reparse(
        &self,
        open: &Open,
        set: bool,
        acting: &super::identity::Acting<'_>,
    ) -> VfsResult {
        self.change_dos(
            open,
            |dos, _| {
                let mut attributes = dos.attributes.unwrap_or_default();
                attributes.set(FileAttributes::REPARSE_POINT, set);
                dos.attributes = Some(attributes);
            },
            acting,
        )?;
        Ok(VfsReply::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_form() {
        let value = [0x0c, 0, 0, 0xa0, 2, 0, 0, 0, 7, 8, 9];
        let reparse = parse(&value).unwrap();
        assert_eq!((reparse.tag, &reparse.data[..]), (TAG_SYMLINK, &[7, 8][..]));
        for n in 0..10 {
            assert_eq!(parse(&value[..n]), None);
        }
    }

    #[test]
    fn link_targets() {
        let data = symlink_data("../a").unwrap();
        assert_eq!(&data[..12], [8, 0, 8, 0, 0, 0, 8, 0, 1, 0, 0, 0]);
        assert_eq!(&data[12..20], b".\0.\0\\\0a\0");
        assert_eq!(data.len(), 28);
        assert_eq!(symlink_data("/a").unwrap()[8], 0);
    }
}
