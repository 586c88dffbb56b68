//! Files, directories and their streams.

use std::collections::BTreeMap;

use smb_engine::identity::Identity;
use smb_engine::vfs::{Ea, FileInfo, NodeId, Reparse};
use smb_proto::FileTime;
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::fsctl::FileObjectId;
use smb_proto::info::FileAttributes;

use super::content::Content;

/// A name in a directory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// As it was given.
    pub(super) name: String,
    pub(super) node: u64,
}

/// A named or unnamed stream. It outlives its name while a handle has it open.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// As it was given; empty for the unnamed one.
    pub(super) name: String,
    pub(super) content: Content,
    /// What a crash would leave, where that differs from [`Self::content`].
    pub(super) stable: Option<Content>,
}

/// A file or directory.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Entries by folded name; `None` for a file.
    pub(super) entries: Option<BTreeMap<String, Entry>>,
    /// Streams by folded name (empty: the unnamed one), as keys of the table of streams.
    pub(super) streams: BTreeMap<String, u64>,
    /// Stored attributes: only those that can be set, and SPARSE_FILE.
    pub(super) attributes: FileAttributes,
    pub(super) creation: FileTime,
    pub(super) access: FileTime,
    pub(super) write: FileTime,
    pub(super) change: FileTime,
    /// Number of names.
    pub(super) links: u32,
    /// By folded name.
    pub(super) eas: BTreeMap<String, Ea>,
    pub(super) security: SecurityDescriptor,
    pub(super) reparse: Option<Reparse>,
    pub(super) object_id: Option<FileObjectId>,
}

/// Attributes that a client can set ([MS-FSA] 2.1.5.15.2 lists those it cannot).
pub(super) const SETTABLE: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM)
    .union(FileAttributes::ARCHIVE)
    .union(FileAttributes::TEMPORARY)
    .union(FileAttributes::OFFLINE)
    .union(FileAttributes::NOT_CONTENT_INDEXED)
    .union(FileAttributes::NO_SCRUB_DATA);

/// Attributes that something can be created with.
pub(super) const CREATABLE: FileAttributes = SETTABLE.union(FileAttributes::COMPRESSED);

impl Node {
    pub(super) fn new(directory: bool, now: FileTime, security: SecurityDescriptor) -> Self {
        Self {
            entries: directory.then(BTreeMap::new),
            streams: BTreeMap::new(),
            attributes: FileAttributes::empty(),
            creation: now,
            access: now,
            write: now,
            change: now,
            links: 0,
            eas: BTreeMap::new(),
            security,
            reparse: None,
            object_id: None,
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.entries.is_some()
    }

    pub(super) fn is_sparse(&self) -> bool {
        self.attributes.contains(FileAttributes::SPARSE_FILE)
    }

    /// Content or entries have changed.
    pub(super) fn modified(&mut self, now: FileTime) {
        self.write = now;
        self.change = now;
    }

    /// EaSize, [MS-FSCC] 2.4.13: as NTFS packs them, 4 bytes and for each 4 bytes, the name with
    /// its zero byte, and the value.
    pub(super) fn ea_size(&self) -> usize {
        if self.eas.is_empty() {
            return 0;
        }
        let each = |ea: &Ea| 5 + ea.name.len() + ea.value.len();
        4 + self.eas.values().map(each).sum::<usize>()
    }

    /// Metadata as seen through `stream`; `None` is the directory itself.
    pub(super) fn info(&self, id: NodeId, stream: Option<&Stream>) -> FileInfo {
        let mut attributes = self.attributes;
        let named = stream.is_some_and(|s| !s.name.is_empty());
        // A stream of a directory is no directory.
        attributes.set(FileAttributes::DIRECTORY, self.is_directory() && !named);
        attributes.set(FileAttributes::REPARSE_POINT, self.reparse.is_some());
        if attributes.is_empty() {
            attributes = FileAttributes::NORMAL;
        }
        FileInfo {
            node: id,
            creation: self.creation,
            access: self.access,
            write: self.write,
            change: self.change,
            size: stream.map_or(0, |s| s.content.size()),
            allocation: stream.map_or(0, |s| s.content.allocation(self.is_sparse())),
            attributes,
            links: self.links,
            ea_size: u32::try_from(self.ea_size()).unwrap_or(u32::MAX),
            reparse_tag: self.reparse.as_ref().map_or(0, |r| r.tag),
            hidden_by_name: false,
        }
    }
}

/// The descriptor of what is created without one: everything to everyone, owned by whoever made it.
pub(super) fn default_security(by: &Identity) -> SecurityDescriptor {
    let everyone = Ace::allow(Sid::WORLD, AccessMask::FILE_ALL_ACCESS, AceFlags::empty());
    SecurityDescriptor {
        owner: Some(by.sid),
        group: Some(by.groups.first().copied().unwrap_or(Sid::BUILTIN_USERS)),
        dacl: AclSlot::Acl(Acl::new(vec![everyone])),
        ..SecurityDescriptor::default()
    }
}
