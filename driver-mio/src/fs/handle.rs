//! What is open.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FileType;
use smb_engine::vfs::{Location, NodeId, VfsError, VfsHandle};

use super::dir::Listed;
use super::stream_file::StreamFile;
use super::xattr::{Holder, magic};

/// Locks a mutex whose holders leave no half-done state behind when they panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A descriptor of a file, directory or link.
pub(super) struct Node {
    fd: OwnedFd,
    /// It only names the file (O_PATH): no data can be read or written through it.
    path_only: bool,
}

impl Node {
    pub(super) fn path_only(fd: OwnedFd) -> Self {
        Self {
            fd,
            path_only: true,
        }
    }

    pub(super) fn with_data(fd: OwnedFd) -> Self {
        Self {
            fd,
            path_only: false,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Its extended attributes.
    pub(super) fn holder(&self) -> Holder<'_> {
        if self.path_only {
            Holder::Magic(magic(self.fd()))
        } else {
            Holder::Fd(self.fd())
        }
    }
}

/// Something open.
pub(super) struct Open {
    pub(super) node: Node,
    pub(super) id: NodeId,
    pub(super) kind: FileType,
    /// The open stream; `None` for the unnamed one and for directories.
    pub(super) stream: Option<Arc<StreamFile>>,
    /// The host lets this handle write data.
    pub(super) writable: bool,
    /// Its present name; a rename through this server changes it.
    pub(super) at: Mutex<Location>,
    /// Where listing stopped.
    pub(super) walk: Mutex<Listed>,
}

impl Open {
    /// The last component of its name, for `hide dot files`.
    pub(super) fn file_name(&self) -> String {
        lock(&self.at).path.file_name().to_owned()
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == FileType::Directory && self.stream.is_none()
    }
}

const SHARDS: usize = 16;

/// The table of open handles. Each shard's lock is held for a map operation only.
pub(super) struct Handles {
    shards: [Mutex<BTreeMap<u64, Arc<Open>>>; SHARDS],
    next: AtomicU64,
}

impl Default for Handles {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            next: AtomicU64::new(1),
        }
    }
}

impl Handles {
    fn shard(&self, handle: VfsHandle) -> MutexGuard<'_, BTreeMap<u64, Arc<Open>>> {
        let index = usize::try_from(handle.0).unwrap_or(0) % SHARDS;
        lock(&self.shards[index])
    }

    pub(super) fn insert(&self, open: Open) -> VfsHandle {
        let handle = VfsHandle(self.next.fetch_add(1, Ordering::Relaxed));
        self.shard(handle).insert(handle.0, Arc::new(open));
        handle
    }

    pub(super) fn get(&self, handle: VfsHandle) -> Result<Arc<Open>, VfsError> {
        self.shard(handle)
            .get(&handle.0)
            .cloned()
            .ok_or(VfsError::StaleHandle)
    }

    pub(super) fn remove(&self, handle: VfsHandle) -> Result<Arc<Open>, VfsError> {
        self.shard(handle)
            .remove(&handle.0)
            .ok_or(VfsError::StaleHandle)
    }

    /// All that is open at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Open>> {
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }
}
