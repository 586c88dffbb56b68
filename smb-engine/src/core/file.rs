//! One row for each file or stream that somebody has open: everything that opens of it share.

use std::sync::Arc;

use super::lease::{Lease, LeaseOwner};
use super::write_time::WriteTime;
use super::{Op, Open};
use crate::identity::Identity;
use crate::table::Id;
use crate::vfs::{Location, NodeId};

/// Which file and which of its streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileKey {
    pub(crate) node: NodeId,
    /// Folded name of the stream; `None` for the unnamed one.
    pub(crate) stream: Option<String>,
}

/// The name goes when the last open of the row does ([MS-FSA] 2.1.5.5).
#[derive(Debug, Clone)]
pub(crate) struct DeletePending {
    /// Which name.
    pub(crate) at: Location,
    /// On whose behalf.
    pub(crate) by: Arc<Identity>,
    /// [`super::FileOpen::parent_lease`] of the open that said so.
    pub(crate) parent_lease: Option<LeaseOwner>,
}

/// A held byte-range lock, [MS-SMB2] 3.3.1.10 Open.LockList, [MS-FSA] 2.1.1.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RangeLock {
    pub(crate) open: Id<Open>,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) exclusive: bool,
}

/// Shared state of the opens of one file or stream.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) key: FileKey,
    /// Opens in the order they were granted.
    pub(crate) opens: Vec<Id<Open>>,
    pub(crate) delete_pending: Option<DeletePending>,
    /// The last open is closing and the name is being removed.
    pub(crate) removing: bool,
    pub(crate) locks: Vec<RangeLock>,
    /// LOCK operations that wait, first come first served.
    pub(crate) lock_waiters: Vec<Id<Op>>,
    /// Which write time clients see.
    pub(crate) write_time: WriteTime,
    /// Leases on it.
    pub(crate) leases: Vec<Id<Lease>>,
    /// Operations that wait for breaks of oplocks and leases on it.
    pub(crate) break_waiters: Vec<Id<Op>>,
}

impl File {
    pub(crate) fn new(key: FileKey) -> Self {
        Self {
            key,
            opens: Vec::new(),
            delete_pending: None,
            removing: false,
            locks: Vec::new(),
            lock_waiters: Vec::new(),
            write_time: WriteTime::default(),
            leases: Vec::new(),
            break_waiters: Vec::new(),
        }
    }
}
