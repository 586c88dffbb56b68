//! Leases, [MS-SMB2] 3.3.1.12: what one client may cache of one file, under a key of its own choice,
//! shared by all its opens of the file that name the key.

use smb_proto::Guid;
use smb_proto::create_ctx::{self, LeaseFlags, LeaseState, LeaseV2};
use smb_proto::id::LeaseKey;

use super::caching::Caching;
use super::dir_lease::Place;
use super::retell::Told;
use super::{Core, File, FileKey, Open};
use crate::table::Id;

/// Who a lease belongs to: the client's LeaseTable (3.3.1.11) and the key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseOwner {
    pub(crate) client: Guid,
    pub(crate) key: LeaseKey,
}

/// What a CREATE asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseRequest {
    pub(crate) owner: LeaseOwner,
    pub(crate) state: LeaseState,
    /// Key of the client's lease on the directory.
    pub(crate) parent: Option<LeaseKey>,
    /// The client's count of changes; `None` in version 1.
    pub(crate) epoch: Option<u16>,
    /// It may be on a directory.
    pub(crate) directories: bool,
}

impl LeaseRequest {
    /// The client's lease on the directory.
    pub(crate) fn parent_lease(&self) -> Option<LeaseOwner> {
        let client = self.owner.client;
        self.parent.map(|key| LeaseOwner { client, key })
    }
}

/// One lease.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) owner: LeaseOwner,
    /// What it is on.
    pub(crate) file: Id<File>,
    pub(crate) caching: Caching,
    /// Lease.ParentLeaseKey.
    pub(crate) parent: Option<LeaseKey>,
    /// Lease.Version is 2: the client is told the epoch.
    pub(crate) v2: bool,
    /// Lease.Epoch: counts the changes of the state.
    pub(crate) epoch: u16,
    /// Lease.LeaseOpens, in the order they came.
    pub(crate) opens: Vec<Id<Open>>,
    /// Under which it is in [`Core::dir_leases`].
    pub(crate) place: Option<Place>,
    /// Where its client was told of the break that it has not acknowledged.
    pub(crate) told: Option<Told>,
}

impl Lease {
    /// A lease of this state for who asked.
    pub(crate) fn new(asked: &LeaseRequest, file: Id<File>, state: LeaseState) -> Self {
        let bump = u16::from(!state.is_empty());
        Self {
            owner: asked.owner,
            file,
            caching: Caching::new(state),
            parent: asked.parent,
            v2: asked.epoch.is_some(),
            epoch: asked.epoch.unwrap_or(0).wrapping_add(bump),
            opens: Vec::new(),
            place: None,
            told: None,
        }
    }

    /// The context of the answer, [MS-SMB2] 2.2.14.2.10 and 2.2.14.2.11.
    pub(crate) fn context(&self) -> create_ctx::Lease {
        let mut flags = LeaseFlags::empty();
        let breaking = self.caching.breaking().is_some();
        flags.set(LeaseFlags::BREAK_IN_PROGRESS, breaking);
        let v2 = self.v2.then(|| LeaseV2 {
            parent_key: self.parent.unwrap_or(LeaseKey([0; 16])),
            epoch: self.epoch,
        });
        let has_parent = v2.is_some() && self.parent.is_some();
        flags.set(LeaseFlags::PARENT_LEASE_KEY_SET, has_parent);
        create_ctx::Lease {
            key: self.owner.key,
            state: self.caching.state(),
            flags,
            v2,
        }
    }
}

/// Whether this key is that of a lease on another file, which refuses the CREATE
/// ([MS-SMB2] 3.3.5.9.8).
pub(crate) fn is_elsewhere(core: &Core, owner: LeaseOwner, key: Option<&FileKey>) -> bool {
    core.lease_by_owner
        .get(&owner)
        .and_then(|id| core.leases.get(*id))
        .and_then(|l| core.files.get(l.file))
        .is_some_and(|row| Some(&row.key) != key)
}
