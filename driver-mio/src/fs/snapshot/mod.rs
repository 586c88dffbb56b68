//! Earlier states of a share: a source says which there are, each is served as a directory of its
//! own, and everything about it is told apart from the present by the handle.

mod shadow_copy;

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, Capabilities, DataAccess, Location, OpenHow, Route, SnapshotSlot, VfsError, VfsHandle,
    VfsOp, VfsReply, VfsResult, WriteAt, out_of_snapshot, route, same_snapshot,
};
use smb_proto::FileTime;

use super::handle::lock;
use super::{LocalFs, LocalFsError, LocalOptions};

pub use shadow_copy::ShadowCopy;

/// Bytes read and written at a time when something is copied out of a snapshot.
const CHUNK: u64 = 1 << 20;

/// Where snapshots come from.
pub trait SnapshotSource: Send + Sync {
    /// When they were taken, in the order in which clients are to see them. Asked each time, since
    /// they come and go.
    ///
    /// # Errors
    /// They cannot be listed; no snapshots at all are no error.
    fn list(&self) -> Result<Vec<FileTime>, VfsError>;

    /// The directory that was the share's when the snapshot was taken.
    ///
    /// # Errors
    /// [`VfsError::NotFound`] if there is no such snapshot.
    fn open(&self, taken: FileTime) -> Result<OwnedFd, VfsError>;
}

/// A directory together with its earlier states.
pub struct WithSnapshots {
    present: LocalFs,
    options: LocalOptions,
    source: Box<dyn SnapshotSource>,
    /// Snapshots in which something is open.
    used: Mutex<BTreeMap<SnapshotSlot, Used>>,
}

#[derive(Clone)]
struct Used {
    taken: FileTime,
    fs: Arc<LocalFs>,
    /// Handles open in it, or being opened.
    handles: usize,
}

impl WithSnapshots {
    /// `options` are those with which `present` was opened.
    pub fn new(present: LocalFs, options: LocalOptions, source: Box<dyn SnapshotSource>) -> Self {
        Self {
            present,
            // Nothing happens in what was.
            options: LocalOptions {
                watch: false,
                ..options
            },
            source,
            used: Mutex::default(),
        }
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<SnapshotSlot, Used>> {
        lock(&self.used)
    }

    /// Notes that one more handle is (or will be) open in a snapshot, opening the snapshot if none
    /// was.
    fn enter(&self, taken: FileTime) -> Result<(SnapshotSlot, Used), VfsError> {
        let join = |used: &mut BTreeMap<SnapshotSlot, Used>| {
            let found = used
                .iter_mut()
                .find(|(_, used)| same_snapshot(used.taken, taken));
            found.map(|(slot, used)| {
                used.handles += 1;
                (*slot, used.clone())
            })
        };
        if let Some(found) = join(&mut self.used()) {
            return Ok(found);
        }
        // Without the lock: the snapshot may have to be mounted first.
        let fs = Arc::new(self.open_root(taken)?);
        let mut used = self.used();
        if let Some(found) = join(&mut used) {
            return Ok(found);
        }
        let slot = SnapshotSlot::all()
            .find(|slot| !used.contains_key(slot))
            .ok_or(VfsError::TooManyOpen)?;
        let new = Used {
            taken,
            fs,
            handles: 1,
        };
        used.insert(slot, new.clone());
        Ok((slot, new))
    }

    fn open_root(&self, taken: FileTime) -> Result<LocalFs, VfsError> {
        let root = self.source.open(taken)?;
        // The path of the descriptor, so that nothing is looked up again.
        let path = format!("/proc/self/fd/{}", root.as_raw_fd());
        LocalFs::open(Path::new(&path), self.options.clone()).map_err(|error| match error {
            LocalFsError::Open { source, .. } => super::error::os(source),
            LocalFsError::NoOpenat2 { .. }
            | LocalFsError::NoProc { .. }
            | LocalFsError::OutsideSnapshots { .. }
            | LocalFsError::Identity => VfsError::Io,
        })
    }

    fn leave(&self, slot: SnapshotSlot) {
        let mut used = self.used();
        if let Some(left) = used.get_mut(&slot) {
            left.handles -= 1;
            if left.handles == 0 {
                used.remove(&slot);
            }
        }
    }

    fn open(&self, by: &Identity, at: Location, data: DataAccess, taken: FileTime) -> VfsResult {
        let (slot, used) = self.enter(taken)?;
        let how = OpenHow {
            // Writing will be refused, and the snapshot may not even let it be asked for.
            data: match data {
                DataAccess::ReadWrite => DataAccess::Read,
                DataAccess::None | DataAccess::Read | DataAccess::Best => data,
            },
            open_reparse: false,
        };
        let result = used.fs.execute(by, VfsOp::Open { at, how });
        if !matches!(result, Ok(VfsReply::Opened(_))) {
            self.leave(slot);
        }
        Ok(out_of_snapshot(result?, slot, used.taken))
    }

    fn at(&self, slot: SnapshotSlot) -> Result<Used, VfsError> {
        self.used().get(&slot).cloned().ok_or(VfsError::StaleHandle)
    }

    fn past(&self, by: &Identity, slot: SnapshotSlot, op: VfsOp) -> VfsResult {
        let closes = matches!(op, VfsOp::Close { .. });
        let used = self.at(slot)?;
        let result = used.fs.execute(by, op);
        if closes && !matches!(result, Err(VfsError::StaleHandle)) {
            self.leave(slot);
        }
        Ok(out_of_snapshot(result?, slot, used.taken))
    }

    fn copy_out(
        &self,
        by: &Identity,
        past: &LocalFs,
        (from, from_offset): (VfsHandle, u64),
        (to, to_offset): (VfsHandle, u64),
        len: u64,
    ) -> VfsResult {
        let mut done = 0;
        while done < len {
            let part = u32::try_from(CHUNK.min(len - done)).map_err(|_| VfsError::TooLarge)?;
            let read = VfsOp::Read {
                handle: from,
                offset: from_offset.saturating_add(done),
                len: part,
            };
            let VfsReply::Data(data) = past.execute(by, read)? else {
                return Err(VfsError::Io);
            };
            if data.is_empty() {
                break;
            }
            let copied = u64::try_from(data.len()).map_err(|_| VfsError::TooLarge)?;
            let offset = to_offset.checked_add(done).ok_or(VfsError::TooLarge)?;
            let write = VfsOp::Write {
                handle: to,
                at: WriteAt::Offset(offset),
                data: bytes::Bytes::copy_from_slice(data.data()),
                through: false,
            };
            self.present.execute(by, write)?;
            done += copied;
        }
        Ok(VfsReply::Written(done))
    }
}

impl Backend for WithSnapshots {
    fn capabilities(&self) -> Capabilities {
        self.present.capabilities() | Capabilities::SNAPSHOTS
    }

    fn execute(&self, by: &Identity, op: VfsOp) -> VfsResult {
        match op {
            VfsOp::OpenSnapshot { at, data, taken } => return self.open(by, at, data, taken),
            VfsOp::Snapshots { .. } => return self.source.list().map(VfsReply::Snapshots),
            _ => {}
        }
        match route(op) {
            Route::Present(op) => self.present.execute(by, op),
            Route::Past(slot, op) => self.past(by, slot, op),
            Route::Refused(slot, error) => self.at(slot).and(Err(error)),
            Route::CopyOut {
                slot,
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => {
                let past = self.at(slot)?.fs;
                self.copy_out(by, &past, (from, from_offset), (to, to_offset), len)
            }
        }
    }

    fn execute_now(&self, by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        if self.used().is_empty()
            && !matches!(op, VfsOp::OpenSnapshot { .. } | VfsOp::Snapshots { .. })
        {
            return self.present.execute_now(by, op);
        }
        // Snapshots may lie on other media, and be mounted when they are looked at.
        match route(op.clone()) {
            Route::Present(op @ (VfsOp::OpenSnapshot { .. } | VfsOp::Snapshots { .. })) => Err(op),
            Route::Present(op) => self.present.execute_now(by, op),
            Route::Past(..) | Route::CopyOut { .. } | Route::Refused(..) => Err(op),
        }
    }
}

#[cfg(test)]
mod tests;
