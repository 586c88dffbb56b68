//! Reparse points: symbolic links and special files of the host as clients see them, and reparse
//! data that clients store.

use std::os::fd::BorrowedFd;

use bytes::Bytes;
use rustix::fs::{FileType, XattrFlags, readlinkat};
use smb_engine::identity::Identity;
use smb_engine::vfs::{Reparse, VfsError, VfsReply, VfsResult};
use smb_proto::dtyp::Guid;
use smb_proto::fsctl::reparse::{
    NfsSpecialFile, ReparsePoint, ReparseTag, SymbolicLink, SymlinkFlags,
};
use smb_proto::info::FileAttributes;

use super::LocalFs;
use super::error::os;
use super::handle::Open;
use super::names::Naming;
use super::path::stat_fd;
use super::xattr::{self, Holder, magic};

/// Reparse data of at most 16 KiB, [MS-FSCC] 2.1.2.
const MAX_DATA: usize = 16 << 10;
/// ReparseTag, ReparseDataLength, Reserved.
const HEADER: usize = 8;

/// The tag by which clients see a type of file; 0 for those that are none.
pub(super) fn tag_of(kind: FileType) -> u32 {
    match kind {
        FileType::RegularFile | FileType::Directory => 0,
        FileType::Symlink => ReparseTag::SYMLINK.0,
        _ => ReparseTag::NFS.0,
    }
}

/// What a client has stored; `None` if there is nothing.
fn stored(holder: &Holder<'_>) -> Result<Option<Reparse>, VfsError> {
    let value = holder.get(xattr::REPARSE).map_err(os)?;
    Ok(value.as_deref().and_then(parse))
}

/// The tag in stored reparse data; 0 if there is none.
pub(super) fn stored_tag(holder: &Holder<'_>) -> Result<u32, VfsError> {
    Ok(stored(holder)?.map_or(0, |reparse| reparse.tag))
}

/// Ends a walk at a file or directory that a client made a symbolic link, with `unparsed` UTF-16
/// units of the name left.
///
/// A directory is empty when it becomes a link, and gets no entries as long as it is one. So a path
/// that the kernel finds does not lead through one, and only what it does not find has to be looked
/// at: a walk through real directories costs nothing more.
pub(super) fn stop_at_stored(fd: BorrowedFd<'_>, unparsed: usize) -> Result<(), VfsError> {
    match stored(&Holder::Magic(magic(fd)))? {
        Some(reparse) => reparse.stop(unparsed),
        None => Ok(()),
    }
}

/// UTF-16 units of names behind a link, each with the separator before it.
pub(super) fn unparsed<'a>(behind: impl IntoIterator<Item = &'a str>) -> usize {
    behind
        .into_iter()
        .map(|c| c.encode_utf16().count().saturating_add(1))
        .sum()
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

/// Where a link of the host leads, as clients may read it: components named as in listings, with
/// backslashes between; and whether that counts from the link's directory.
pub(super) fn target_shown(naming: &Naming, target: &[u8]) -> (String, bool) {
    let shown: Vec<String> = target
        .split(|&b| b == b'/')
        .map(|part| match part {
            b"" | b"." | b".." => String::from_utf8_lossy(part).into_owned(),
            name => naming.to_share(name),
        })
        .collect();
    (shown.join("\\"), !target.starts_with(b"/"))
}

/// What a link of the host is to clients.
fn link_point(naming: &Naming, target: &[u8]) -> Result<ReparsePoint, VfsError> {
    let (name, relative) = target_shown(naming, target);
    // Both names, and the twenty bytes around them, have 16 KiB.
    if name.encode_utf16().count() > (MAX_DATA - 20) / 4 {
        return Err(VfsError::NameTooLong);
    }
    let mut flags = SymlinkFlags::empty();
    flags.set(SymlinkFlags::RELATIVE, relative);
    Ok(ReparsePoint::SymbolicLink(SymbolicLink {
        substitute_name: name.clone(),
        print_name: name,
        flags,
    }))
}

impl LocalFs {
    pub(super) fn reparse(&self, open: &Open) -> VfsResult {
        let device = || {
            let stat = stat_fd(open.node.fd()).map_err(os)?;
            Ok((stat.stx_rdev_major, stat.stx_rdev_minor))
        };
        let point = match open.kind {
            FileType::RegularFile | FileType::Directory => {
                let present = if self.xattrs {
                    stored(&open.node.holder())?
                } else {
                    None
                };
                return present
                    .map(VfsReply::Reparse)
                    .ok_or(VfsError::NotAReparsePoint);
            }
            FileType::Symlink => {
                let target = readlinkat(open.node.fd(), c"", Vec::new()).map_err(os)?;
                link_point(&self.tree.naming, target.as_bytes())?
            }
            FileType::Fifo => ReparsePoint::Nfs(NfsSpecialFile::Fifo),
            FileType::Socket => ReparsePoint::Nfs(NfsSpecialFile::Socket),
            FileType::CharacterDevice => {
                let (major, minor) = device()?;
                ReparsePoint::Nfs(NfsSpecialFile::CharDevice { major, minor })
            }
            FileType::BlockDevice => {
                let (major, minor) = device()?;
                ReparsePoint::Nfs(NfsSpecialFile::BlockDevice { major, minor })
            }
            FileType::Unknown => return Err(VfsError::NotSupported),
        };
        let buffer = point.to_buffer();
        Ok(VfsReply::Reparse(Reparse {
            tag: buffer.tag.0,
            data: buffer.data,
        }))
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
        let acting = self.own.act_as(by)?;
        {
            // Nothing gets a name in the directory between the look and the change.
            let _one = self.node_lock(open.id);
            if open.kind == FileType::Directory {
                super::dir::has_no_names(&open.node)?;
            }
            let holder = open.node.holder();
            if let Some(present) = stored(&holder)? {
                present.check_owner(reparse.tag, reparse.guid())?;
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
        }
        self.mark_reparse(open, true, &acting)
    }

    pub(super) fn delete_reparse(
        &self,
        by: &Identity,
        open: &Open,
        tag: u32,
        guid: Option<Guid>,
    ) -> VfsResult {
        match tag_of(open.kind) {
            0 => {}
            own if own == tag => return Err(VfsError::NotSupported),
            _ => return Err(VfsError::ReparseTagMismatch),
        }
        let holder = open.node.holder();
        let present = if self.xattrs { stored(&holder)? } else { None };
        let present = present.ok_or(VfsError::NotAReparsePoint)?;
        present.check_owner(tag, guid)?;
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
        assert_eq!(reparse.tag, ReparseTag::SYMLINK.0);
        assert_eq!(reparse.data[..], [7, 8]);
        for n in 0..10 {
            assert_eq!(parse(&value[..n]), None);
        }
    }

    #[test]
    fn link_targets() {
        for (target, shown, relative) in [
            (&b"../a"[..], "..\\a", true),
            (b"a/./b//c/", "a\\.\\b\\\\c\\", true),
            (b"/etc", "\\etc", false),
            // What Windows forbids in names is shown as in listings.
            (b"a:b/c\\d/e.", "a\u{f022}b\\c\u{f026}d\\e\u{f029}", true),
            (b"\xff", "\u{f0ff}", true),
            (b"...", "..\u{f029}", true),
        ] {
            assert_eq!(
                target_shown(&Naming::default(), target),
                (shown.to_owned(), relative)
            );
        }
        let data = link_point(&Naming::default(), b"../a")
            .unwrap()
            .to_buffer()
            .data;
        assert_eq!(&data[..12], [0, 0, 8, 0, 8, 0, 8, 0, 1, 0, 0, 0]);
        assert_eq!(&data[12..20], b".\0.\0\\\0a\0");
        assert_eq!(data.len(), 28);
        assert_eq!(
            link_point(&Naming::default(), &[b'a'; 4095]).err(),
            Some(VfsError::NameTooLong)
        );
        let long = link_point(&Naming::default(), &[b'a'; 4091])
            .unwrap()
            .to_buffer()
            .data;
        assert!(long.len() <= MAX_DATA - HEADER);
    }

    #[test]
    fn what_is_behind_a_link_begins_with_its_separator() {
        assert_eq!(unparsed([]), 0);
        assert_eq!(unparsed(["f", "G\u{e9}", "\u{1f980}"]), 2 + 3 + 3);
    }
}
