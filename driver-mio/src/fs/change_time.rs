//! ChangeTime that a client has set ([MS-FSCC] 2.4.7).
//!
//! The host moves a file's change time on by itself and lets nobody set it. A value that a client
//! sets is therefore remembered beside the host's own at that moment, and shown until the host's
//! has moved on. It is kept in memory only: a restart forgets it, as does a change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use smb_engine::vfs::NodeId;
use smb_proto::FileTime;

/// Files remembered at once; beyond that the one with the lowest identity is forgotten.
const MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Set {
    /// The host's change time when it was set.
    host: FileTime,
    shown: FileTime,
}

/// The change times that clients have set.
#[derive(Debug, Default)]
pub(super) struct ChangeTimes(Mutex<BTreeMap<NodeId, Set>>);

impl ChangeTimes {
    /// Remembers that `shown` was set while the host says `host`.
    pub(super) fn set(&self, node: NodeId, host: FileTime, shown: FileTime) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MAX && !map.contains_key(&node) {
            map.pop_first();
        }
        map.insert(node, Set { host, shown });
    }

    /// Notes that a file was changed through this server: the host's clock may be too coarse to say.
    pub(super) fn forget(&self, node: NodeId) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.remove(&node);
    }

    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.is_empty()
    }

    /// What to show for a file whose change time is `host` by the host.
    pub(super) fn shown(&self, node: NodeId, host: FileTime) -> FileTime {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(&node)
            .filter(|s| s.host == host)
            .map_or(host, |s| s.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_until_the_file_changes() {
        let times = ChangeTimes::default();
        let node = NodeId { volume: 1, file: 2 };
        assert_eq!(times.shown(node, FileTime(5)), FileTime(5));
        times.set(node, FileTime(5), FileTime(1));
        assert_eq!(times.shown(node, FileTime(5)), FileTime(1));
        assert_eq!(times.shown(node, FileTime(6)), FileTime(6));
        times.set(node, FileTime(6), FileTime(1));
        times.forget(node);
        assert_eq!(times.shown(node, FileTime(6)), FileTime(6));
        assert!(times.is_empty());
        for file in 0..=MAX as u64 {
            times.set(NodeId { volume: 1, file }, FileTime(5), FileTime(1));
        }
        assert_eq!(times.0.lock().unwrap().len(), MAX);
    }
}
