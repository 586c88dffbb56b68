//! Operations on a backend under test, with answers of the right kind.

use bytes::Bytes;
use smb_engine::identity::Identity;
use smb_engine::names::Pattern;
use smb_engine::vfs::{
    AllocatedRange, Backend, BasicChange, Creation, DataAccess, DirItem, Ea, FileInfo, Listing,
    Location, Missing, OpenHow, Opened, Payload, SharePath, StreamInfo, VfsError, VfsHandle, VfsOp,
    VfsReply, WriteAt,
};
use smb_proto::info::FileAttributes;

/// A refusal or an answer.
pub(super) type Got<T> = Result<T, VfsError>;

/// A backend, and the directory that belongs to one check alone.
pub(super) struct Probe<'a> {
    backend: &'a dyn Backend,
    by: Identity,
    dir: String,
}

/// What an open came to.
#[derive(Debug)]
pub(super) enum Found {
    Opened(Opened),
    Missing(Missing),
}

macro_rules! reply {
    ($self:ident, $op:expr, $variant:ident) => {{
        match $self.backend.execute(&$self.by, $op) {
            Err(e) => Err(e),
            Ok(VfsReply::$variant(value)) => Ok(value),
            Ok(other) => panic!("not a {}: {other:?}", stringify!($variant)),
        }
    }};
    ($self:ident, $op:expr) => {{
        match $self.backend.execute(&$self.by, $op) {
            Err(e) => Err(e),
            Ok(VfsReply::Done) => Ok(()),
            Ok(other) => panic!("not Done: {other:?}"),
        }
    }};
}

pub(super) const HOW: OpenHow = OpenHow {
    data: DataAccess::ReadWrite,
    open_reparse: false,
};

/// A new file without anything special.
pub(super) fn file() -> Creation {
    Creation {
        directory: false,
        attributes: FileAttributes::empty(),
        security: None,
        eas: Vec::new(),
        allocation: 0,
    }
}

/// A new directory without anything special.
pub(super) fn directory() -> Creation {
    Creation {
        directory: true,
        ..file()
    }
}

impl<'a> Probe<'a> {
    /// Makes the directory `name` in the root, for one check.
    pub(super) fn new(backend: &'a dyn Backend, name: &str) -> Self {
        let probe = Self {
            backend,
            by: Identity::system(),
            dir: String::new(),
        };
        let made = probe.create(name, directory()).unwrap_or_else(|e| {
            panic!("the directory of the check cannot be made: {e}");
        });
        probe.close(made.handle).unwrap();
        Self {
            dir: format!("{name}\\"),
            ..probe
        }
    }

    /// A location in the check's directory; `name:stream` for a stream, empty for the directory.
    pub(super) fn at(&self, name: &str) -> Location {
        let (path, stream) = match name.split_once(':') {
            Some((path, stream)) => (path, Some(stream.to_owned())),
            None => (name, None),
        };
        let whole = format!("{}{path}", self.dir);
        let path = SharePath::new(whole.trim_end_matches('\\')).expect("checks use proper names");
        Location { path, stream }
    }

    pub(super) fn find(&self, name: &str, how: OpenHow) -> Got<Found> {
        let at = self.at(name);
        match self.backend.execute(&self.by, VfsOp::Open { at, how })? {
            VfsReply::Opened(opened) => Ok(Found::Opened(opened)),
            VfsReply::Missing(missing) => Ok(Found::Missing(missing)),
            other => panic!("neither opened nor missing: {other:?}"),
        }
    }

    /// Opens what must be there.
    pub(super) fn open_full(&self, name: &str) -> Opened {
        match self.find(name, HOW) {
            Ok(Found::Opened(opened)) => opened,
            other => panic!("{name} does not open: {other:?}"),
        }
    }

    pub(super) fn open(&self, name: &str) -> VfsHandle {
        self.open_full(name).handle
    }

    /// Whether an open says that it is missing.
    pub(super) fn is_missing(&self, name: &str) -> bool {
        match self.find(name, HOW) {
            Ok(Found::Missing(_)) => true,
            Ok(Found::Opened(opened)) => {
                self.close(opened.handle).unwrap();
                false
            }
            Err(e) => panic!("opening {name}: {e}"),
        }
    }

    pub(super) fn open_id(&self, node: smb_engine::vfs::NodeId) -> Got<Opened> {
        reply!(self, VfsOp::OpenById { node, how: HOW }, Opened)
    }

    pub(super) fn create(&self, name: &str, what: Creation) -> Got<Opened> {
        let at = self.at(name);
        reply!(self, VfsOp::Create { at, what }, Opened)
    }

    /// Creates a file that must not be there.
    pub(super) fn make(&self, name: &str) -> VfsHandle {
        self.create(name, file())
            .unwrap_or_else(|e| panic!("creating {name}: {e}"))
            .handle
    }

    /// Creates a file with this content and closes it.
    pub(super) fn put(&self, name: &str, data: &[u8]) {
        let handle = self.make(name);
        self.write(handle, 0, data);
        self.close(handle).unwrap();
    }

    /// Creates a directory and closes it.
    pub(super) fn make_dir(&self, name: &str) {
        let made = self
            .create(name, directory())
            .unwrap_or_else(|e| panic!("creating {name}: {e}"));
        self.close(made.handle).unwrap();
    }

    /// The whole content by name.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let opened = self.open_full(name);
        let len = u32::try_from(opened.info.size).unwrap();
        let data = self.read(opened.handle, 0, len);
        self.close(opened.handle).unwrap();
        data
    }

    pub(super) fn close(&self, handle: VfsHandle) -> Got<()> {
        reply!(self, VfsOp::Close { handle })
    }

    pub(super) fn try_read(&self, handle: VfsHandle, offset: u64, len: u32) -> Got<Vec<u8>> {
        let op = VfsOp::Read {
            handle,
            offset,
            len,
        };
        let data: Got<Payload> = reply!(self, op, Data);
        data.map(|d| d.data().to_vec())
    }

    pub(super) fn read(&self, handle: VfsHandle, offset: u64, len: u32) -> Vec<u8> {
        self.try_read(handle, offset, len).unwrap()
    }

    pub(super) fn try_write(&self, handle: VfsHandle, at: WriteAt, data: &[u8]) -> Got<u64> {
        let op = VfsOp::Write {
            handle,
            at,
            data: Bytes::copy_from_slice(data),
            through: false,
        };
        reply!(self, op, Written)
    }

    pub(super) fn write(&self, handle: VfsHandle, offset: u64, data: &[u8]) {
        let written = self.try_write(handle, WriteAt::Offset(offset), data);
        assert_eq!(written, Ok(data.len() as u64));
    }

    pub(super) fn stat(&self, handle: VfsHandle) -> FileInfo {
        self.try_stat(handle).unwrap()
    }

    pub(super) fn try_stat(&self, handle: VfsHandle) -> Got<FileInfo> {
        reply!(self, VfsOp::Stat { handle }, Info)
    }

    pub(super) fn overwrite(&self, handle: VfsHandle, what: Creation, supersede: bool) -> FileInfo {
        let op = VfsOp::Overwrite {
            handle,
            what,
            supersede,
        };
        let info: Got<FileInfo> = reply!(self, op, Info);
        info.unwrap()
    }

    pub(super) fn set_basic(&self, handle: VfsHandle, change: BasicChange) {
        let done: Got<()> = reply!(self, VfsOp::SetBasic { handle, change });
        done.unwrap();
    }

    pub(super) fn set_attributes(&self, handle: VfsHandle, attributes: FileAttributes) {
        let attributes = Some(attributes);
        self.set_basic(
            handle,
            BasicChange {
                attributes,
                ..BasicChange::default()
            },
        );
    }

    pub(super) fn set_size(&self, handle: VfsHandle, size: u64) -> Got<()> {
        reply!(self, VfsOp::SetSize { handle, size })
    }

    pub(super) fn set_allocation(&self, handle: VfsHandle, size: u64) -> Got<()> {
        reply!(self, VfsOp::SetAllocation { handle, size })
    }

    pub(super) fn rename(&self, handle: VfsHandle, from: &str, to: &str, replace: bool) -> Got<()> {
        let (from, to) = (self.at(from), self.at(to));
        reply!(
            self,
            VfsOp::Rename {
                handle,
                from,
                to,
                replace
            }
        )
    }

    pub(super) fn link(&self, handle: VfsHandle, to: &str, replace: bool) -> Got<()> {
        let to = self.at(to).path;
        reply!(
            self,
            VfsOp::Link {
                handle,
                to,
                replace
            }
        )
    }

    pub(super) fn remove(&self, handle: VfsHandle, name: &str) -> Got<()> {
        let at = self.at(name);
        reply!(self, VfsOp::Remove { handle, at })
    }

    pub(super) fn check_empty(&self, handle: VfsHandle) -> Got<()> {
        reply!(self, VfsOp::CheckEmpty { handle })
    }

    pub(super) fn list(
        &self,
        handle: VfsHandle,
        restart: bool,
        pattern: &str,
        limit: usize,
    ) -> Got<Listing> {
        let pattern = Pattern::new(pattern);
        let op = VfsOp::List {
            handle,
            restart,
            pattern,
            limit,
            security: false,
        };
        reply!(self, op, Listing)
    }

    /// A whole walk, some names at a time.
    pub(super) fn walk(&self, handle: VfsHandle, pattern: &str, limit: usize) -> Vec<DirItem> {
        let mut items = Vec::new();
        let mut restart = true;
        loop {
            let part = self.list(handle, restart, pattern, limit).unwrap();
            assert!(part.items.len() <= limit);
            assert!(part.end || !part.items.is_empty(), "no name and no end");
            restart = false;
            items.extend(part.items);
            if part.end {
                return items;
            }
        }
    }

    /// The names of a walk, sorted.
    pub(super) fn names(&self, handle: VfsHandle) -> Vec<String> {
        let mut names: Vec<String> = self
            .walk(handle, "*", 7)
            .into_iter()
            .map(|i| i.name)
            .collect();
        names.sort();
        names
    }

    pub(super) fn streams(&self, handle: VfsHandle) -> Vec<StreamInfo> {
        let streams: Got<Vec<StreamInfo>> = reply!(self, VfsOp::Streams { handle }, Streams);
        streams.unwrap()
    }

    pub(super) fn eas(&self, handle: VfsHandle) -> Vec<Ea> {
        let eas: Got<Vec<Ea>> = reply!(self, VfsOp::Eas { handle }, Eas);
        eas.unwrap()
    }

    pub(super) fn set_eas(&self, handle: VfsHandle, eas: &[(&str, &[u8])]) -> Got<()> {
        let eas = eas
            .iter()
            .map(|(name, value)| Ea {
                flags: 0,
                name: (*name).to_owned(),
                value: Bytes::copy_from_slice(value),
            })
            .collect();
        reply!(self, VfsOp::SetEas { handle, eas })
    }

    pub(super) fn zero(&self, handle: VfsHandle, offset: u64, beyond: u64) {
        let op = VfsOp::ZeroRange {
            handle,
            offset,
            beyond,
        };
        let done: Got<()> = reply!(self, op);
        done.unwrap();
    }

    pub(super) fn ranges(&self, handle: VfsHandle, offset: u64, len: u64) -> Vec<AllocatedRange> {
        let op = VfsOp::AllocatedRanges {
            handle,
            offset,
            len,
            limit: usize::MAX,
        };
        let ranges: Got<Vec<AllocatedRange>> = reply!(self, op, Ranges);
        ranges.unwrap()
    }

    pub(super) fn copy(&self, from: (VfsHandle, u64), to: (VfsHandle, u64), len: u64) -> Got<u64> {
        let op = VfsOp::CopyRange {
            from: from.0,
            from_offset: from.1,
            to: to.0,
            to_offset: to.1,
            len,
        };
        reply!(self, op, Written)
    }

    /// Any operation that answers `Done`.
    pub(super) fn done(&self, op: VfsOp) -> Got<()> {
        reply!(self, op)
    }

    /// Any operation.
    pub(super) fn any(&self, op: VfsOp) -> Got<VfsReply> {
        self.backend.execute(&self.by, op)
    }
}
