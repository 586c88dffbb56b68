//! Tree connects, [MS-SMB2] 3.3.1.9.

use std::sync::Arc;

use smb_proto::dtyp::AccessMask;
use smb_proto::id::TreeId;

use super::Session;
use crate::config::Share;
use crate::identity::Identity;
use crate::table::Id;

/// What is connected.
#[derive(Debug, Clone)]
pub(crate) enum TreeShare {
    /// IPC$: named pipes.
    Pipe,
    /// A directory tree. Keeps the configuration with which it was connected.
    Disk(Arc<Share>),
}

/// One tree connect.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) wire: TreeId,
    pub(crate) session: Id<Session>,
    pub(crate) share: TreeShare,
    /// TreeConnect.MaximalAccess.
    pub(crate) access: AccessMask,
    /// Who file operations run as: the session's user, or the share's forced one.
    pub(crate) identity: Arc<Identity>,
    /// Requests must be encrypted (3.3.5.2.11).
    pub(crate) encryption_required: bool,
    /// TreeConnect.CreationTime.
    pub(crate) connected: crate::time::Instant,
}

impl Tree {
    /// The disk share; `None` for IPC$.
    pub(crate) fn disk(&self) -> Option<&Arc<Share>> {
        match &self.share {
            TreeShare::Disk(share) => Some(share),
            TreeShare::Pipe => None,
        }
    }
}
