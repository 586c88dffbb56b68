//! What ids stand for: names of files by file id, paths of shares by tree id.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use smb_proto::create_ctx::Lease;
use smb_proto::id::{FileId, LeaseKey, SessionId, TreeId};
use smb_proto::msg::{Request, create};

use super::keys::Scope;

/// Most entries of each kind; the smallest ids are forgotten first.
const ENTRIES_MAX: usize = 65_536;

/// An open file.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) name: Arc<str>,
    /// Number of the conversation and of the CREATE request in it.
    pub(super) create: (usize, usize),
}

/// All names of a capture.
#[derive(Debug, Default)]
pub(super) struct Names {
    opens: BTreeMap<(Scope, FileId), Open>,
    leases: BTreeMap<(Scope, LeaseKey), Arc<str>>,
    trees: BTreeMap<(Scope, SessionId, TreeId), Arc<str>>,
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= ENTRIES_MAX {
        map.pop_first();
    }
    map.insert(key, value);
}

impl Names {
    pub(super) fn open(&self, scope: Scope, id: FileId) -> Option<&Open> {
        self.opens.get(&(scope, id))
    }

    pub(super) fn lease(&self, scope: Scope, key: LeaseKey) -> Option<Arc<str>> {
        self.leases.get(&(scope, key)).cloned()
    }

    pub(super) fn tree(&self, scope: Scope, session: SessionId, tree: TreeId) -> Option<Arc<str>> {
        self.trees.get(&(scope, session, tree)).cloned()
    }

    pub(super) fn opened(&mut self, scope: Scope, id: FileId, open: Open) {
        put(&mut self.opens, (scope, id), open);
    }

    pub(super) fn renamed(&mut self, scope: Scope, id: FileId, name: Arc<str>) {
        if let Some(open) = self.opens.get_mut(&(scope, id)) {
            open.name = name;
        }
    }

    pub(super) fn closed(&mut self, scope: Scope, id: FileId) {
        self.opens.remove(&(scope, id));
    }

    pub(super) fn connected(
        &mut self,
        scope: Scope,
        session: SessionId,
        tree: TreeId,
        path: Arc<str>,
    ) {
        put(&mut self.trees, (scope, session, tree), path);
    }

    /// Remembers whose lease a CREATE asks for.
    pub(super) fn leased(&mut self, scope: Scope, request: &create::Request, name: &Arc<str>) {
        for context in &request.contexts {
            if context.name == Bytes::from_static(Lease::NAME)
                && let Ok(lease) = Lease::parse(&context.data)
            {
                put(&mut self.leases, (scope, lease.key), Arc::clone(name));
            }
        }
    }
}

/// The file id in a request.
pub(super) fn file_id(request: &Request) -> Option<FileId> {
    use smb_proto::msg::oplock_break::Message as Break;
    match request {
        Request::Close(r) => Some(r.file_id),
        Request::Flush(r) => Some(r.file_id),
        Request::Read(r) => Some(r.file_id),
        Request::Write(r) => Some(r.file_id),
        Request::Lock(r) => Some(r.file_id),
        Request::Ioctl(r) => Some(r.file_id),
        Request::QueryDirectory(r) => Some(r.file_id),
        Request::ChangeNotify(r) => Some(r.file_id),
        Request::QueryInfo(r) => Some(r.file_id),
        Request::SetInfo(r) => Some(r.file_id),
        Request::OplockBreak(Break::Oplock(r)) => Some(r.file_id),
        Request::OplockBreak(Break::LeaseNotification(_) | Break::LeaseAck(_))
        | Request::Negotiate(_)
        | Request::SessionSetup(_)
        | Request::Logoff(_)
        | Request::TreeConnect(_)
        | Request::TreeDisconnect(_)
        | Request::Create(_)
        | Request::Cancel(_)
        | Request::Echo(_) => None,
    }
}
