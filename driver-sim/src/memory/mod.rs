//! The executable model of the VFS contract: a file system in memory.
//!
//! Simple before fast: names in sorted maps, no randomness, no clock of its own. Other backends are
//! tested against it, and the engine is tested on it.

mod content;
mod crash;
mod data;
mod listing;
mod meta;
mod names;
mod node;
mod open;
mod setup;
mod snapshot;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, Capabilities, FileInfo, NodeId, Outside, QuotaLimits, VfsError, VfsHandle, VfsOp,
    VfsReply, VfsResult, VolumeInfo,
};
use smb_proto::FileTime;
use smb_proto::dtyp::Sid;

use content::UNIT;
use node::{Node, Stream};

/// Longest name of one component, in UTF-16 units.
const NAME_MAX: usize = 255;
/// Extended attributes of one file, in the bytes that [`FileInfo::ea_size`] counts.
const EAS_MAX: usize = 65_535;
/// Largest file, in bytes.
const SIZE_MAX: u64 = 1 << 60;
/// Names of one file at most (as NTFS has it).
const LINKS_MAX: u32 = 1024;
const ROOT: u64 = 1;

/// A file system in memory.
#[derive(Debug)]
pub struct MemoryFs {
    capabilities: Capabilities,
    volume: u64,
    state: Mutex<State>,
    past: snapshot::Past,
}

/// Something open.
#[derive(Debug)]
struct Handle {
    node: u64,
    /// `None` for a directory.
    stream: Option<u64>,
    /// Last name (folded) that the walk has passed.
    walked: Option<String>,
}

/// Everything that changes.
#[derive(Debug)]
struct State {
    volume: u64,
    now: FileTime,
    created: FileTime,
    nodes: BTreeMap<u64, Node>,
    streams: BTreeMap<u64, Stream>,
    handles: BTreeMap<u64, Handle>,
    next_id: u64,
    /// Allocation units in all.
    total_units: u64,
    /// Quotas, and when they were changed.
    quotas: BTreeMap<Sid, (FileTime, QuotaLimits)>,
    /// What was not flushed is remembered, for [`MemoryFs::crash`].
    tracked: bool,
    /// Watched directories: handle, and whether what is beneath is watched too.
    watches: BTreeMap<u64, bool>,
    /// What happened in them.
    told: Vec<Outside>,
}

impl MemoryFs {
    /// An empty file system with all capabilities. `volume` is the number in its [`NodeId`]s; `now`
    /// the time until [`Self::set_now`] says otherwise.
    #[must_use]
    pub fn new(volume: u64, now: FileTime) -> Self {
        let mut root = Node::new(true, now, node::default_security(&Identity::system()));
        root.links = 1;
        Self {
            capabilities: Capabilities::all() - Capabilities::READ_ONLY,
            volume,
            state: Mutex::new(State {
                volume,
                now,
                created: now,
                nodes: BTreeMap::from([(ROOT, root)]),
                streams: BTreeMap::new(),
                handles: BTreeMap::new(),
                next_id: ROOT + 1,
                total_units: 1 << 28,
                quotas: BTreeMap::new(),
                tracked: false,
                watches: BTreeMap::new(),
                told: Vec::new(),
            }),
            past: snapshot::Past::default(),
        }
    }

    /// The same with other capabilities; operations outside them are refused.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held has already failed the test that it belongs to.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this operation needs and the backend may not have.
    fn admit(&self, op: &VfsOp) -> Result<(), VfsError> {
        use Capabilities as C;
        let location = match op {
            VfsOp::Open { at, .. } | VfsOp::Create { at, .. } | VfsOp::Remove { at, .. } => {
                Some(at)
            }
            VfsOp::Rename { to, .. } => Some(to),
            _ => None,
        };
        let mut needs = match op {
            VfsOp::OpenById { .. } => C::OPEN_BY_ID,
            VfsOp::OpenSnapshot { .. } | VfsOp::Snapshots { .. } => C::SNAPSHOTS,
            VfsOp::Link { .. } => C::HARD_LINKS,
            VfsOp::Eas { .. } | VfsOp::SetEas { .. } => C::EAS,
            VfsOp::SetSecurity { .. } => C::SECURITY,
            VfsOp::ZeroRange { .. } | VfsOp::AllocatedRanges { .. } | VfsOp::SetSparse { .. } => {
                C::SPARSE
            }
            VfsOp::SetCompression { .. } => C::COMPRESSION,
            VfsOp::Trim { .. } => C::TRIM,
            VfsOp::ObjectId { .. } | VfsOp::SetObjectId { .. } => C::OBJECT_IDS,
            VfsOp::Quotas { .. } | VfsOp::SetQuota { .. } => C::QUOTAS,
            VfsOp::Reparse { .. } | VfsOp::SetReparse { .. } | VfsOp::DeleteReparse { .. } => {
                C::REPARSE
            }
            VfsOp::Watch { .. } => C::WATCH,
            _ => C::empty(),
        };
        needs.set(C::STREAMS, location.is_some_and(|at| at.stream.is_some()));
        if !self.capabilities.contains(needs) {
            return Err(VfsError::NotSupported);
        }
        if self.capabilities.contains(C::READ_ONLY) && op.is_change() {
            return Err(VfsError::ReadOnly);
        }
        Ok(())
    }
}

impl Backend for MemoryFs {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn execute(&self, by: &Identity, op: VfsOp) -> VfsResult {
        self.admit(&op)?;
        let op = match self.in_the_past(by, op) {
            Ok(done) => return done,
            Err(op) => op,
        };
        let mut s = self.state();
        let doing = s.doing(&op);
        let result = s.carry_out(by, op);
        if let (Ok(_), Some(doing)) = (&result, doing) {
            s.done(doing);
        }
        result
    }
}

impl State {
    fn carry_out(&mut self, by: &Identity, op: VfsOp) -> VfsResult {
        let s = self;
        match op {
            VfsOp::Open { at, how } => s.open(&at, how),
            VfsOp::OpenById { node, how } => s.open_by_id(node, how),
            VfsOp::OpenSnapshot { .. } | VfsOp::Snapshots { .. } => Err(VfsError::NotSupported),
            VfsOp::Create { at, what } => s.create(by, &at, what),
            VfsOp::Overwrite {
                handle,
                what,
                supersede,
            } => s.overwrite(handle, what, supersede),
            VfsOp::Close { handle } => s.close(handle),
            VfsOp::Read {
                handle,
                offset,
                len,
            } => s.read(handle, offset, len),
            VfsOp::Write {
                handle,
                at,
                data,
                through,
            } => s.write(handle, at, &data, through),
            VfsOp::Flush { handle } => s.flush(handle),
            VfsOp::Stat { handle } => s.stat(handle).map(VfsReply::Info),
            VfsOp::SetBasic { handle, change } => s.set_basic(handle, change),
            VfsOp::SetSize { handle, size } => s.set_size(handle, size),
            VfsOp::SetAllocation { handle, size } => s.set_allocation(handle, size),
            VfsOp::Rename {
                handle,
                from,
                to,
                replace,
            } => s.rename(handle, &from, &to, replace),
            VfsOp::Link {
                handle,
                to,
                replace,
            } => s.link(handle, &to, replace),
            VfsOp::Remove { handle, at } => s.remove(handle, &at),
            VfsOp::CheckEmpty { handle } => s.check_empty(handle),
            VfsOp::List {
                handle,
                restart,
                pattern,
                limit,
                security,
            } => s.list(handle, restart, pattern.as_ref(), limit, security),
            VfsOp::Streams { handle } => s.stream_list(handle),
            VfsOp::Eas { handle } => s.eas(handle),
            VfsOp::SetEas { handle, eas } => s.set_eas(handle, eas),
            VfsOp::Security { handle } => s.security(handle),
            VfsOp::SetSecurity {
                handle,
                parts,
                descriptor,
            } => s.set_security(handle, parts, descriptor),
            VfsOp::Volume { handle } => s.volume(handle),
            VfsOp::CopyRange {
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => s.copy(from, from_offset, to, to_offset, len),
            VfsOp::ZeroRange {
                handle,
                offset,
                beyond,
            } => s.zero(handle, offset, beyond),
            VfsOp::AllocatedRanges {
                handle,
                offset,
                len,
                limit,
            } => s.allocated(handle, offset, len, limit),
            VfsOp::SetSparse { handle, sparse } => s.set_sparse(handle, sparse),
            VfsOp::SetCompression { handle, compressed } => s.set_compression(handle, compressed),
            VfsOp::Trim {
                handle,
                offset,
                beyond,
            } => s.trim(handle, offset, beyond),
            VfsOp::ObjectId { handle } => s.object_id(handle),
            VfsOp::SetObjectId {
                handle,
                id,
                replace,
            } => s.set_object_id(handle, id, replace),
            VfsOp::Quotas { of } => Ok(VfsReply::Quotas(s.quotas(&of))),
            VfsOp::SetQuota { sid, limits } => s.set_quota(sid, limits),
            VfsOp::Reparse { handle } => s.reparse(handle),
            VfsOp::SetReparse { handle, reparse } => s.set_reparse(handle, reparse),
            VfsOp::DeleteReparse { handle, tag, guid } => s.delete_reparse(handle, tag, guid),
            VfsOp::Watch { handle, recursive } => s.watch(handle, recursive),
        }
    }

    fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn handle(&self, handle: VfsHandle) -> Result<&Handle, VfsError> {
        self.handles.get(&handle.0).ok_or(VfsError::StaleHandle)
    }

    /// The node of a handle. It is kept while the handle is.
    fn node_of(&self, handle: VfsHandle) -> Result<&Node, VfsError> {
        let node = self.handle(handle)?.node;
        self.nodes.get(&node).ok_or(VfsError::StaleHandle)
    }

    fn node_of_mut(&mut self, handle: VfsHandle) -> Result<&mut Node, VfsError> {
        let node = self.handle(handle)?.node;
        self.nodes.get_mut(&node).ok_or(VfsError::StaleHandle)
    }

    /// The stream of a handle; a directory has none.
    fn stream_of(&self, handle: VfsHandle) -> Result<&Stream, VfsError> {
        let stream = self.handle(handle)?.stream.ok_or(VfsError::IsADirectory)?;
        self.streams.get(&stream).ok_or(VfsError::StaleHandle)
    }

    fn stream_of_mut(&mut self, handle: VfsHandle) -> Result<&mut Stream, VfsError> {
        let stream = self.handle(handle)?.stream.ok_or(VfsError::IsADirectory)?;
        self.streams.get_mut(&stream).ok_or(VfsError::StaleHandle)
    }

    /// Whether a handle is that of a named stream.
    fn is_named_stream(&self, handle: VfsHandle) -> Result<bool, VfsError> {
        let stream = self.handle(handle)?.stream;
        let stream = stream.and_then(|s| self.streams.get(&s));
        Ok(stream.is_some_and(|s| !s.name.is_empty()))
    }

    fn id_of(&self, node: u64) -> NodeId {
        NodeId {
            volume: self.volume,
            file: node,
        }
    }

    /// Metadata of a node through its unnamed stream.
    fn info_of(&self, number: u64) -> Result<FileInfo, VfsError> {
        let node = self.nodes.get(&number).ok_or(VfsError::NotFound)?;
        let stream = node.streams.get("").and_then(|s| self.streams.get(s));
        let stream = if node.is_directory() { None } else { stream };
        Ok(node.info(self.id_of(number), stream))
    }

    fn stat(&self, handle: VfsHandle) -> Result<FileInfo, VfsError> {
        let h = self.handle(handle)?;
        let stream = h.stream.and_then(|s| self.streams.get(&s));
        Ok(self.node_of(handle)?.info(self.id_of(h.node), stream))
    }

    fn used_units(&self) -> u64 {
        let mut used = 0u64;
        for node in self.nodes.values() {
            for stream in node.streams.values().filter_map(|s| self.streams.get(s)) {
                used = used.saturating_add(stream.content.allocation(node.is_sparse()) / UNIT);
            }
        }
        used
    }

    fn volume(&self, handle: VfsHandle) -> VfsResult {
        self.handle(handle)?;
        let free = self.total_units.saturating_sub(self.used_units());
        Ok(VfsReply::Volume(VolumeInfo {
            creation: self.created,
            serial: 0x5a3d_0000 | u32::try_from(self.volume & 0xffff).unwrap_or(0),
            label: "memory".to_owned(),
            sector: 512,
            sectors_per_unit: 8,
            total_units: self.total_units,
            available_units: free,
            free_units: free,
        }))
    }

    /// Drops what has neither name nor handle any more.
    fn collect_garbage(&mut self, number: u64) {
        let Some(node) = self.nodes.get(&number) else {
            return;
        };
        let open = |f: &dyn Fn(&Handle) -> bool| self.handles.values().any(f);
        if node.links == 0 && !open(&|h| h.node == number) {
            for stream in node.streams.values() {
                self.streams.remove(stream);
            }
            self.nodes.remove(&number);
        }
    }

    fn drop_stream_if_unused(&mut self, stream: u64) {
        let named = self
            .nodes
            .values()
            .any(|n| n.streams.values().any(|s| *s == stream));
        if !named && !self.handles.values().any(|h| h.stream == Some(stream)) {
            self.streams.remove(&stream);
        }
    }
}

#[cfg(test)]
mod tests;
