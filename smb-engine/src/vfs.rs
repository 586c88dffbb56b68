//! The file system as messages: what the server asks ([`VfsOp`]), and what it may be answered
//! ([`VfsReply`], [`VfsError`]).
//!
//! The vocabulary is SMB's: names with backslashes, DOS attributes, streams, security
//! descriptors. A backend never sees a session, a lock or an oplock; the server never sees a
//! descriptor, an errno or a host path. What a backend has to guarantee is written at each
//! operation; the contract suite of `driver-sim` checks it.
//!
//! Rules for all operations:
//!
//! * Exactly one answer to each. Answers may come in any order, but two operations that the server
//!   has outstanding on one handle may run at the same time.
//! * `by` is the identity on whose behalf the operation runs; a backend that can, acts with it.
//! * Nothing outside the share is ever reached, whatever names, links and races there are.

mod node;
mod op;
mod outside;
mod path;
mod reparse;
mod sacl;
mod snapshot;

pub use node::{
    AllocatedRange, Capabilities, DirItem, Ea, FileInfo, NodeId, Quota, QuotaLimits, StreamInfo,
    VolumeInfo, readable_by_all,
};
pub use op::{
    Backend, BasicChange, Creation, DataAccess, Listing, Missing, OpenHow, Opened, Payload,
    VfsError, VfsHandle, VfsOp, VfsReply, VfsRequest, VfsResult, WriteAt,
};
pub use outside::Outside;
pub use path::{Location, SharePath};
pub use reparse::Reparse;
pub use sacl::{sacl_part, sacl_with};
pub use snapshot::{
    Route, SnapshotSlot, moment, out_of_snapshot, parse_snapshot_token, route, same_snapshot,
    snapshot_token,
};
