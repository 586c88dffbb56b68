//! File systems in memory: from what a capture shows, or from a directory.

use std::path::Path;

use bytes::Bytes;
use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, BasicChange, DataAccess, Ea, Location, OpenHow, SharePath, VfsHandle, VfsOp, VfsReply,
    WriteAt,
};
use smb_proto::FileTime;
use smb_proto::info::{FileAttributes, SecurityInformation};

use super::ReplayError;
use super::tree::{Initial, Share};
use crate::memory::MemoryFs;

/// Bytes that a tree from a directory may have in all.
const TREE_MAX: u64 = 1 << 30;

/// Makes the file system that `share` describes.
pub(super) fn from_capture(share: &Share, volume: u64, now: FileTime) -> MemoryFs {
    let fs = MemoryFs::new(volume, now);
    let has_children = |key: &str| {
        let below = format!("{key}\\");
        let first = share.nodes.range(below.clone()..).next();
        first.is_some_and(|(k, n)| k.starts_with(&below) && n.initial.is_some())
    };
    let nodes = || {
        share
            .nodes
            .iter()
            .filter_map(|(k, n)| Some((k, n.path.as_str(), n.initial.as_ref()?)))
    };
    // What cannot be made (a name that no backend takes) is left out: the replay shows it.
    for (key, path, initial) in nodes() {
        if key.is_empty() {
            continue;
        }
        let plain = |s: &super::tree::Stream| s.name.is_empty();
        let directory = initial.directory.unwrap_or_else(|| has_children(key));
        if directory {
            let _ = fs.make_dir(path);
        } else if !initial.streams.values().any(plain) {
            let _ = fs.write_file(path, &[]);
        }
    }
    for (_, path, initial) in nodes() {
        for stream in initial.streams.values() {
            let name = if stream.name.is_empty() {
                path.to_owned()
            } else {
                format!("{path}:{}", stream.name)
            };
            if stream.name.is_empty() && path.is_empty() {
                continue;
            }
            let _ = fs.write_file(&name, &[]);
            if let Some(handle) = open(&fs, path, Some(&stream.name)) {
                for (offset, data) in &stream.content {
                    act(&fs, write(handle, *offset, data));
                }
                if let Some(size) = stream.size {
                    act(&fs, VfsOp::SetSize { handle, size });
                }
                act(&fs, VfsOp::Close { handle });
            }
        }
    }
    // Making a name changes the directory above it, so times come last.
    for (_, path, initial) in nodes() {
        if let Some(handle) = open(&fs, path, None) {
            describe(&fs, handle, initial);
            act(&fs, VfsOp::Close { handle });
        }
    }
    fs
}

fn write(handle: VfsHandle, offset: u64, data: &Bytes) -> VfsOp {
    VfsOp::Write {
        handle,
        at: WriteAt::Offset(offset),
        data: data.clone(),
        through: false,
    }
}

fn describe(fs: &MemoryFs, handle: VfsHandle, initial: &Initial) {
    if !initial.eas.is_empty() {
        let eas = initial.eas.iter().map(|ea| Ea {
            flags: ea.flags.bits(),
            name: String::from_utf8_lossy(&ea.name).into_owned(),
            value: ea.value.clone(),
        });
        act(
            fs,
            VfsOp::SetEas {
                handle,
                eas: eas.collect(),
            },
        );
    }
    if let Some(descriptor) = &initial.security {
        let mut parts = SecurityInformation::empty();
        parts.set(SecurityInformation::OWNER, descriptor.owner.is_some());
        parts.set(SecurityInformation::GROUP, descriptor.group.is_some());
        let dacl = descriptor.dacl != smb_proto::dtyp::AclSlot::Absent;
        parts.set(SecurityInformation::DACL, dacl);
        act(
            fs,
            VfsOp::SetSecurity {
                handle,
                parts,
                descriptor: descriptor.clone(),
            },
        );
    }
    let attributes = initial.attributes.unwrap_or_default();
    if attributes.contains(FileAttributes::SPARSE_FILE) {
        let sparse = true;
        act(fs, VfsOp::SetSparse { handle, sparse });
    }
    let times = initial.times;
    let at = |n: usize| times.and_then(|t| t.get(n).copied());
    let change = BasicChange {
        creation: at(0),
        access: at(1),
        write: at(2),
        change: at(3),
        attributes: initial.attributes,
    };
    act(fs, VfsOp::SetBasic { handle, change });
}

fn open(fs: &MemoryFs, path: &str, stream: Option<&str>) -> Option<VfsHandle> {
    let at = Location {
        path: SharePath::new(path)?,
        stream: stream.filter(|s| !s.is_empty()).map(str::to_owned),
    };
    let how = OpenHow {
        data: DataAccess::Best,
        open_reparse: true,
    };
    let system = Identity::system();
    match fs.execute(&system, VfsOp::Open { at, how }) {
        Ok(VfsReply::Opened(opened)) => Some(opened.handle),
        _ => None,
    }
}

/// What fails here is missing from the share, and the replay shows it.
fn act(fs: &MemoryFs, op: VfsOp) {
    let _ = fs.execute(&Identity::system(), op);
}

/// Makes a file system of a directory: that of the share's name in `dir`, if there is one, else `dir`
/// itself. Links are not followed.
///
/// # Errors
/// Something cannot be read, or it is more than 1 GiB.
pub(super) fn from_directory(
    dir: &Path,
    share: &str,
    volume: u64,
    now: FileTime,
) -> Result<MemoryFs, ReplayError> {
    let own = dir.join(share);
    let root = if own.is_dir() { own } else { dir.to_owned() };
    let fs = MemoryFs::new(volume, now);
    let mut room = TREE_MAX;
    let mut rest = vec![(root, String::new())];
    while let Some((at, name)) = rest.pop() {
        let tree = |source| ReplayError::Tree(at.clone(), source);
        let mut entries: Vec<_> = std::fs::read_dir(&at)
            .map_err(tree)?
            .collect::<Result<_, _>>()
            .map_err(tree)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let Ok(leaf) = entry.file_name().into_string() else {
                continue;
            };
            let path = if name.is_empty() {
                leaf
            } else {
                format!("{name}\\{leaf}")
            };
            let kind = entry.file_type().map_err(tree)?;
            if kind.is_dir() {
                let _ = fs.make_dir(&path);
                rest.push((entry.path(), path));
            } else if kind.is_file() {
                let len = entry.metadata().map_err(tree)?.len();
                room = room.checked_sub(len).ok_or(ReplayError::TreeTooLarge)?;
                let data = std::fs::read(entry.path()).map_err(tree)?;
                let _ = fs.write_file(&path, &data);
            }
        }
    }
    Ok(fs)
}
