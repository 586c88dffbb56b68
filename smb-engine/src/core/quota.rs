//! Quotas, seen from an open: one of the file in which NTFS keeps them, or any other on the volume.

use std::sync::Arc;

use super::open::QuotaWalk;
use super::{Open, OpenKind};
use crate::config::BackendId;
use crate::identity::Identity;

/// Whose volume it is, and who asks; `None` for a pipe.
pub(crate) fn place(open: &Open) -> Option<(BackendId, Arc<Identity>)> {
    match &open.kind {
        OpenKind::File(f) => Some((f.backend, f.by.clone())),
        OpenKind::Quota(q) => Some((q.backend, q.by.clone())),
        OpenKind::Pipe(_) => None,
    }
}

/// How far the quotas have been told through an open; `None` for a pipe.
pub(crate) fn walk(open: &mut Open) -> Option<&mut QuotaWalk> {
    match &mut open.kind {
        OpenKind::File(f) => Some(&mut f.scan.quotas),
        OpenKind::Quota(q) => Some(&mut q.walk),
        OpenKind::Pipe(_) => None,
    }
}
