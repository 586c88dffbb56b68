//! Metadata: times, sizes and attributes.

use rustix::fs::{
    self, CWD, FileType, Mode, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps,
};
use rustix::fs::{AtFlags, XattrFlags};
use smb_engine::identity::Identity;
use smb_engine::vfs::{BasicChange, FileInfo, NodeId, VfsError, VfsReply, VfsResult};
use smb_proto::FileTime;
use smb_proto::info::FileAttributes;

use super::dosattrib::DosAttrib;
use super::error::{os, retry};
use super::handle::{Node, Open};
use super::path::{file_type, stat_fd};
use super::xattr::{self, Holder, magic};
use super::{LocalFs, ea, reparse};

/// Attributes that a client can set.
const SETTABLE: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM)
    .union(FileAttributes::ARCHIVE)
    .union(FileAttributes::TEMPORARY)
    .union(FileAttributes::OFFLINE)
    .union(FileAttributes::NOT_CONTENT_INDEXED)
    .union(FileAttributes::NO_SCRUB_DATA);

/// What is kept of the attributes stored by others.
const STORED: FileAttributes = SETTABLE
    .union(FileAttributes::SPARSE_FILE)
    .union(FileAttributes::COMPRESSED)
    .union(FileAttributes::REPARSE_POINT);

/// The identity of what `stat` describes.
pub(super) fn node_id(stat: &Statx) -> NodeId {
    NodeId {
        volume: (u64::from(stat.stx_dev_major) << 32) | u64::from(stat.stx_dev_minor),
        file: stat.stx_ino,
    }
}

fn time(t: StatxTimestamp) -> FileTime {
    FileTime::from_unix(t.tv_sec, t.tv_nsec)
}

/// Birth, where the file system knows it; else the oldest of the other times, as Samba does.
pub(super) fn birth(stat: &Statx) -> FileTime {
    if StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME)
        && stat.stx_btime.tv_sec != 0
    {
        time(stat.stx_btime)
    } else {
        [stat.stx_mtime, stat.stx_ctime, stat.stx_atime]
            .map(time)
            .into_iter()
            .min()
            .unwrap_or_default()
    }
}

/// What the extended attributes add to a file's metadata.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) dos: DosAttrib,
    pub(super) ea_size: u32,
    pub(super) reparse_tag: u32,
}

impl LocalFs {
    /// Reads what the extended attributes say: one call to list them, one for each that matters.
    pub(super) fn extra(&self, holder: &Holder<'_>, kind: FileType) -> Result<Extra, VfsError> {
        let mut extra = Extra {
            reparse_tag: reparse::tag_of(kind),
            ..Extra::default()
        };
        if !self.xattrs || !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Ok(extra);
        }
        let names = match holder.list() {
            Ok(names) => names,
            // A name that went away between two calls has no attributes.
            Err(rustix::io::Errno::NOENT) => return Ok(extra),
            Err(e) => return Err(os(e)),
        };
        if self.options.store_dos_attributes && names.iter().any(|n| n == xattr::DOSATTRIB) {
            let value = holder.get(xattr::DOSATTRIB).map_err(os)?;
            extra.dos = value.map(|v| DosAttrib::parse(&v)).unwrap_or_default();
        }
        extra.ea_size = ea::size_of(holder, &names).map_err(os)?;
        if names.iter().any(|n| n == xattr::REPARSE) {
            extra.reparse_tag = reparse::stored_tag(holder)?;
        }
        Ok(extra)
    }

    /// Metadata in the form of the VFS. `stream`: size of the stream it is about.
    pub(super) fn info_of(
        &self,
        stat: &Statx,
        name: &str,
        extra: &Extra,
        stream: Option<u64>,
    ) -> FileInfo {
        let kind = file_type(stat);
        let directory = kind == FileType::Directory;
        let mut attributes = match extra.dos.attributes {
            Some(stored) => stored & STORED,
            None if kind == FileType::RegularFile && stat.stx_mode & 0o200 == 0 => {
                FileAttributes::READONLY
            }
            None => FileAttributes::empty(),
        };
        attributes.set(FileAttributes::DIRECTORY, directory);
        attributes.set(FileAttributes::REPARSE_POINT, extra.reparse_tag != 0);
        let hidden_by_name =
            !attributes.contains(FileAttributes::HIDDEN) && self.options.hidden(name);
        attributes.set(
            FileAttributes::HIDDEN,
            hidden_by_name || attributes.contains(FileAttributes::HIDDEN),
        );
        let on_disk = stat.stx_blocks.saturating_mul(512);
        let (size, allocation) = match (stream, kind) {
            (Some(size), _) => (size, size.next_multiple_of(16)),
            (None, FileType::RegularFile) if attributes.contains(FileAttributes::SPARSE_FILE) => {
                (stat.stx_size, on_disk)
            }
            // Clients expect room for all bytes of a file that is not sparse, whatever the file
            // system has written so far or packs into the inode.
            (None, FileType::RegularFile) => {
                let unit = u64::from(stat.stx_blksize.clamp(512, 1 << 20));
                (stat.stx_size, on_disk.max(round_up(stat.stx_size, unit)))
            }
            (None, _) => (0, 0),
        };
        if attributes.is_empty() {
            attributes = FileAttributes::NORMAL;
        }
        FileInfo {
            node: node_id(stat),
            creation: extra.dos.creation.unwrap_or_else(|| birth(stat)),
            access: time(stat.stx_atime),
            write: time(stat.stx_mtime),
            change: self.change_times.shown(node_id(stat), time(stat.stx_ctime)),
            size,
            allocation,
            attributes,
            // A directory has one name, whatever the host counts in it.
            links: if directory {
                stat.stx_nlink.min(1)
            } else {
                stat.stx_nlink
            },
            ea_size: extra.ea_size,
            reparse_tag: extra.reparse_tag,
            hidden_by_name,
        }
    }

    /// Metadata of something that is not in the table of handles.
    pub(super) fn info_of_node(
        &self,
        node: &Node,
        stat: &Statx,
        name: &str,
    ) -> Result<FileInfo, VfsError> {
        let extra = self.extra(&node.holder(), file_type(stat))?;
        Ok(self.info_of(stat, name, &extra, None))
    }

    /// Metadata of an open file or stream.
    pub(super) fn info(&self, open: &Open) -> Result<FileInfo, VfsError> {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let extra = self.extra(&open.node.holder(), open.kind)?;
        let stream = match &open.stream {
            Some(stream) => Some(stream.size(&open.node)?),
            None => None,
        };
        let mut info = self.info_of(&stat, &open.file_name(), &extra, stream);
        if stream.is_some() {
            // A directory's stream is a file, [MS-FSA] 2.1.5.12.4.
            info.attributes.remove(FileAttributes::DIRECTORY);
            if info.attributes.is_empty() {
                info.attributes = FileAttributes::NORMAL;
            }
        }
        Ok(info)
    }

    pub(super) fn stat(&self, open: &Open) -> VfsResult {
        self.info(open).map(VfsReply::Info)
    }

    pub(super) fn set_basic(&self, by: &Identity, open: &Open, change: BasicChange) -> VfsResult {
        let acting = self.own.act_as(by)?;
        if change.attributes.is_some() || change.creation.is_some() {
            self.change_dos(
                open,
                |dos, stat| {
                    if let Some(new) = change.attributes {
                        let kept = dos.attributes.unwrap_or_default().difference(SETTABLE);
                        dos.attributes = Some(kept | (new & SETTABLE));
                    }
                    // Kept apart from the file system's own birth time, which cannot be set.
                    dos.creation = Some(
                        change
                            .creation
                            .or(dos.creation)
                            .unwrap_or_else(|| birth(stat)),
                    );
                },
                &acting,
            )?;
        }
        if change.access.is_some() || change.write.is_some() {
            let times = Timestamps {
                last_access: timespec(change.access),
                last_modification: timespec(change.write),
            };
            let path = magic(open.node.fd());
            acting.or_as_server(|| {
                retry(|| fs::utimensat(CWD, &path, &times, AtFlags::empty())).map_err(os)
            })?;
        }
        if let Some(shown) = change.change {
            let stat = stat_fd(open.node.fd()).map_err(os)?;
            self.change_times
                .set(node_id(&stat), time(stat.stx_ctime), shown);
        }
        Ok(VfsReply::Done)
    }

    /// Changes what `user.DOSATTRIB` says; without that attribute, READONLY alone, in the
    /// permission bits.
    pub(super) fn change_dos(
        &self,
        open: &Open,
        change: impl FnOnce(&mut DosAttrib, &Statx),
        acting: &super::identity::Acting<'_>,
    ) -> Result<(), VfsError> {
        if !matches!(open.kind, FileType::RegularFile | FileType::Directory) {
            // A link or special file has nowhere to keep attributes.
            return Ok(());
        }
        // Two changes at once must not lose one.
        let _one = self.node_lock(open.id);
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let holder = open.node.holder();
        let stores = self.xattrs && self.options.store_dos_attributes;
        let mut dos = if stores {
            acting.or_as_server(|| self.extra(&holder, open.kind))?.dos
        } else {
            DosAttrib::default()
        };
        dos.attributes = dos
            .attributes
            .or_else(|| Some(self.info_of(&stat, "", &Extra::default(), None).attributes & STORED));
        change(&mut dos, &stat);
        if stores {
            let value = self.stored_form(dos, open.kind).encode();
            acting.or_as_server(|| {
                holder
                    .set(xattr::DOSATTRIB, &value, XattrFlags::empty())
                    .map_err(os)
            })?;
        } else if open.kind == FileType::RegularFile {
            let mode = u32::from(stat.stx_mode) & 0o7777;
            let readonly = dos
                .attributes
                .is_some_and(|a| a.contains(FileAttributes::READONLY));
            let new = match (readonly, mode & 0o200) {
                (true, _) => mode & !0o222,
                (false, 0) => mode | (0o222 & self.options.create_mask),
                (false, _) => mode,
            };
            if new != mode {
                let path = magic(open.node.fd());
                acting.or_as_server(|| {
                    retry(|| fs::chmod(&path, Mode::from_raw_mode(new))).map_err(os)
                })?;
            }
        }
        Ok(())
    }

    /// As Samba stores attributes: DIRECTORY included, NORMAL as none.
    pub(super) fn stored_form(&self, mut dos: DosAttrib, kind: FileType) -> DosAttrib {
        if let Some(attributes) = &mut dos.attributes {
            *attributes &= STORED;
            attributes.set(FileAttributes::DIRECTORY, kind == FileType::Directory);
        }
        dos
    }
}

/// The part of attributes given with a create that is stored.
pub(super) fn settable(attributes: FileAttributes) -> FileAttributes {
    attributes & SETTABLE.union(FileAttributes::COMPRESSED)
}

fn timespec(new: Option<FileTime>) -> Timespec {
    let Some(new) = new else {
        return Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT,
        };
    };
    let (tv_sec, nanos) = new.to_unix();
    Timespec {
        tv_sec,
        tv_nsec: nanos.into(),
    }
}

fn round_up(n: u64, unit: u64) -> u64 {
    n.checked_next_multiple_of(unit).unwrap_or(n)
}
