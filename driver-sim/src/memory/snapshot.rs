//! Earlier states of the whole file system.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, DataAccess, Location, OpenHow, Route, SnapshotSlot, VfsError, VfsOp, VfsReply,
    VfsResult, WriteAt, out_of_snapshot, route, same_snapshot,
};
use smb_proto::FileTime;

use super::{MemoryFs, State};

/// A state that does not change any more, and when it was taken.
#[derive(Debug)]
struct Taken {
    at: FileTime,
    fs: MemoryFs,
}

/// Snapshots by slot: the oldest has the first.
#[derive(Debug, Default)]
pub(super) struct Past(Mutex<BTreeMap<SnapshotSlot, Taken>>);

impl MemoryFs {
    fn past(&self) -> MutexGuard<'_, BTreeMap<SnapshotSlot, Taken>> {
        self.past.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everything as it is now. One of the same second is replaced.
    ///
    /// # Panics
    /// There are more than 65,535 already.
    pub fn take_snapshot(&self, at: FileTime) {
        let state = {
            let now = self.state();
            State {
                volume: now.volume,
                now: now.now,
                created: now.created,
                nodes: now.nodes.clone(),
                streams: now.streams.clone(),
                handles: BTreeMap::new(),
                next_id: now.next_id,
                total_units: now.total_units,
                quotas: BTreeMap::new(),
                tracked: false,
                watches: BTreeMap::new(),
                told: Vec::new(),
            }
        };
        let fs = Self {
            capabilities: self.capabilities,
            volume: self.volume,
            state: Mutex::new(state),
            past: Past::default(),
        };
        let mut past = self.past();
        let known = past.iter().find(|(_, taken)| same_snapshot(taken.at, at));
        let slot = known.map(|(slot, _)| *slot).unwrap_or_else(|| {
            SnapshotSlot::all()
                .find(|slot| !past.contains_key(slot))
                .expect("a slot is free")
        });
        past.insert(slot, Taken { at, fs });
    }

    /// Carries out what is about snapshots, and gives back what is about the present.
    #[allow(clippy::result_large_err, reason = "as in the trait: moved once")]
    pub(super) fn in_the_past(&self, by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        match op {
            VfsOp::OpenSnapshot { at, data, taken } => {
                return Ok(self.open_in(by, at, data, taken));
            }
            VfsOp::Snapshots { .. } => return Ok(Ok(VfsReply::Snapshots(self.times()))),
            _ => {}
        }
        match route(op) {
            Route::Present(op) => Err(op),
            Route::Refused(slot, error) => Ok(self.at(slot, |_| Err(error))),
            Route::Past(slot, op) => Ok(self.at(slot, |taken| {
                let reply = taken.fs.execute(by, op)?;
                Ok(out_of_snapshot(reply, slot, taken.at))
            })),
            Route::CopyOut {
                slot,
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => {
                let len = u32::try_from(len).unwrap_or(u32::MAX);
                let read = VfsOp::Read {
                    handle: from,
                    offset: from_offset,
                    len,
                };
                let data = self.at(slot, |taken| taken.fs.execute(by, read));
                Ok(data.and_then(|data| match data {
                    VfsReply::Data(data) => {
                        let at = WriteAt::Offset(to_offset);
                        self.state().write(to, at, data.data(), false)
                    }
                    other => panic!("a read answered {other:?}"),
                }))
            }
        }
    }

    fn at(&self, slot: SnapshotSlot, run: impl FnOnce(&Taken) -> VfsResult) -> VfsResult {
        run(self.past().get(&slot).ok_or(VfsError::StaleHandle)?)
    }

    /// Newest first.
    fn times(&self) -> Vec<FileTime> {
        let mut times: Vec<_> = self.past().values().map(|taken| taken.at).collect();
        times.sort();
        times.reverse();
        times
    }

    fn open_in(&self, by: &Identity, at: Location, data: DataAccess, when: FileTime) -> VfsResult {
        let past = self.past();
        let (slot, taken) = past
            .iter()
            .find(|(_, taken)| same_snapshot(taken.at, when))
            .ok_or(VfsError::NotFound)?;
        let how = OpenHow {
            data,
            open_reparse: false,
        };
        let reply = taken.fs.execute(by, VfsOp::Open { at, how })?;
        Ok(out_of_snapshot(reply, *slot, taken.at))
    }
}
