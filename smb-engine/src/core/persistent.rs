//! Opens that outlive the server ([MS-SMB2] 3.3.1.10 Open.IsPersistent): what has to be kept of them
//! outside, and when that has changed.
//!
//! Whoever changes something of what a [`Record`] tells calls [`changed`]; after each input [`keep`]
//! hands the differences to the driver, ahead of the answers that the input has made. So nobody is
//! told of anything that a server which starts after this one would not know.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use smb_proto::Guid;
use smb_proto::id::LeaseKey;

use super::breaks::Cache;
use super::lease::LeaseOwner;
use super::{Core, File, Open};
use crate::identity::Identity;
use crate::journal::pack::{DecodeError, Pack, Reader, record};
use crate::output::{Keep, Output};
use crate::table::Id;
use crate::vfs::{Location, NodeId};

/// The layout of [`Record`]; those of another one are not read.
const VERSION: u8 = 1;

/// What the driver has been told, by the persistent half of the FileId.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    records: BTreeMap<u64, Bytes>,
    changed: BTreeSet<u64>,
    /// Opens of an earlier server that are not back yet.
    pub(crate) restoring: usize,
}

/// One open, as a later server makes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) version: u8,
    /// Name of the share: backends have other numbers in another configuration.
    pub(crate) share: String,
    pub(crate) at: Location,
    pub(crate) node: NodeId,
    pub(crate) by: Identity,
    pub(crate) granted: u32,
    pub(crate) share_access: u32,
    pub(crate) options: u32,
    pub(crate) action: u32,
    pub(crate) client: Guid,
    pub(crate) create_guid: Option<Guid>,
    pub(crate) timeout_ms: u64,
    pub(crate) app: Option<AppRecord>,
    pub(crate) delete_on_close: bool,
    /// The file goes with its last open.
    pub(crate) delete_pending: bool,
    /// What it may cache by an oplock of its own.
    pub(crate) oplock: u32,
    pub(crate) lease: Option<LeaseRecord>,
    pub(crate) locks: Vec<LockRecord>,
    /// Open.LockSequenceArray.
    pub(crate) sequences: Vec<SequenceRecord>,
}

/// AppInstanceId and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppRecord {
    pub(crate) id: Guid,
    pub(crate) high: Option<u64>,
    pub(crate) low: Option<u64>,
}

/// The lease of an open, told with each of its opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRecord {
    pub(crate) client: Guid,
    pub(crate) key: u128,
    pub(crate) state: u32,
    pub(crate) parent: Option<u128>,
    pub(crate) v2: bool,
    pub(crate) epoch: u16,
}

/// A locked range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockRecord {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) exclusive: bool,
}

/// A LOCK that has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SequenceRecord {
    pub(crate) index: u32,
    pub(crate) number: u8,
}

record! {
    Record {
        version share at node by granted share_access options action client create_guid timeout_ms
        app delete_on_close delete_pending oplock lease locks sequences
    }
    AppRecord { id high low }
    LeaseRecord { client key state parent v2 epoch }
    LockRecord { offset len exclusive }
    SequenceRecord { index number }
}

impl Record {
    fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.pack(&mut out);
        out.into()
    }

    /// Reads what an earlier server has told its driver.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.first() != Some(&VERSION) {
            return Err(DecodeError::Value("version"));
        }
        let mut r = Reader::new(bytes);
        let record = Self::unpack(&mut r)?;
        r.end("record")?;
        Ok(record)
    }
}

impl LeaseRecord {
    pub(crate) fn owner(&self) -> LeaseOwner {
        LeaseOwner {
            client: self.client,
            key: LeaseKey(self.key.to_le_bytes()),
        }
    }

    pub(crate) fn parent(&self) -> Option<LeaseKey> {
        self.parent.map(|p| LeaseKey(p.to_le_bytes()))
    }
}

/// Something may have changed of what is kept of an open.
pub(crate) fn changed(core: &mut Core, id: Id<Open>) {
    if let Some(open) = core.opens.get(id)
        && open.file().is_some_and(super::FileOpen::persistent)
    {
        core.kept.changed.insert(open.file_id.persistent);
    }
}

/// The same, of all opens of a file.
pub(crate) fn file_changed(core: &mut Core, row: Id<File>) {
    let opens = core.files.get(row).map(|r| r.opens.clone());
    for id in opens.unwrap_or_default() {
        changed(core, id);
    }
}

/// A persistent open has left the tables.
pub(crate) fn gone(core: &mut Core, persistent: u64) {
    core.kept.changed.insert(persistent);
}

/// What an earlier server has told is known to be kept.
pub(crate) fn known(core: &mut Core, persistent: u64, record: Bytes) {
    core.kept.records.insert(persistent, record);
    core.kept.changed.insert(persistent);
}

/// An open of an earlier server is back, or will not come.
pub(crate) fn settled(core: &mut Core) {
    core.kept.restoring = core.kept.restoring.saturating_sub(1);
}

/// Hands the driver what has changed.
pub(crate) fn keep(core: &mut Core) {
    if core.kept.changed.is_empty() || core.kept.restoring > 0 {
        return;
    }
    let mut news = Vec::new();
    for id in std::mem::take(&mut core.kept.changed) {
        let record = core.durables.get(&id).and_then(|open| of(core, *open));
        let record = record.map(|r| r.to_bytes());
        if core.kept.records.get(&id) == record.as_ref() {
            continue;
        }
        match &record {
            Some(bytes) => core.kept.records.insert(id, bytes.clone()),
            None => core.kept.records.remove(&id),
        };
        news.push(Keep { id, record });
    }
    if !news.is_empty() {
        core.emit_first(Output::Store(news));
    }
}

/// What there is to keep of an open; `None` if it does not outlive the server.
fn of(core: &Core, id: Id<Open>) -> Option<Record> {
    let open = core.opens.get(id)?;
    let f = open.file().filter(|f| f.persistent())?;
    let durable = f.durable?;
    let row = core.files.get(f.file)?;
    let share = core
        .config
        .shares
        .iter()
        .find(|s| s.backend == f.backend && s.continuous_availability)?;
    let (oplock, lease) = match f.cache {
        Cache::None => (0, None),
        Cache::Oplock(c) => (c.state().bits(), None),
        Cache::Lease(lease) => {
            let lease = core.leases.get(lease).map(|l| LeaseRecord {
                client: l.owner.client,
                key: u128::from_le_bytes(l.owner.key.0),
                state: l.caching.state().bits(),
                parent: l.parent.map(|p| u128::from_le_bytes(p.0)),
                v2: l.v2,
                epoch: l.epoch,
            });
            (0, lease)
        }
    };
    let locks = row.locks.iter().filter(|l| l.open == id);
    Some(Record {
        version: VERSION,
        share: share.name.clone(),
        at: f.at.clone(),
        node: f.node,
        by: Identity::clone(&f.by),
        granted: open.granted.bits(),
        share_access: f.share.bits(),
        options: f.options.bits(),
        action: f.action.0,
        client: f.client,
        create_guid: durable.create_guid,
        timeout_ms: u64::try_from(durable.timeout.as_millis()).unwrap_or(u64::MAX),
        app: f.app.map(|a| AppRecord {
            id: a.id,
            high: a.version.map(|v| v.0),
            low: a.version.map(|v| v.1),
        }),
        delete_on_close: f.delete_on_close,
        delete_pending: row.delete_pending.is_some(),
        oplock,
        lease,
        locks: locks
            .map(|l| LockRecord {
                offset: l.offset,
                len: l.len,
                exclusive: l.exclusive,
            })
            .collect(),
        sequences: f
            .lock_sequence
            .all()
            .map(|(index, number)| SequenceRecord { index, number })
            .collect(),
    })
}

/// What is kept is what there is; for [`super::invariants`].
pub(crate) fn check(core: &Core) -> Result<(), String> {
    if core.kept.restoring > 0 {
        return Ok(());
    }
    for (id, open) in &core.durables {
        let record = of(core, *open).map(|r| r.to_bytes());
        if record.as_ref() != core.kept.records.get(id) {
            return Err(format!("what is kept of persistent open {id:#x} is stale"));
        }
    }
    match core
        .kept
        .records
        .keys()
        .find(|id| !core.durables.contains_key(id))
    {
        Some(id) => Err(format!("something is kept of open {id:#x}, which has gone")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::SharePath;
    use smb_proto::dtyp::Sid;

    fn record() -> Record {
        Record {
            version: VERSION,
            share: "files".into(),
            at: Location {
                path: SharePath::new("a\\b").unwrap(),
                stream: Some("s".into()),
            },
            node: NodeId { volume: 1, file: 2 },
            by: Identity::user("user", Sid::BUILTIN_GUESTS),
            granted: 3,
            share_access: 4,
            options: 5,
            action: 1,
            client: Guid::from_bytes([6; 16]),
            create_guid: Some(Guid::from_bytes([7; 16])),
            timeout_ms: 60_000,
            app: Some(AppRecord {
                id: Guid::from_bytes([8; 16]),
                high: Some(9),
                low: Some(10),
            }),
            delete_on_close: true,
            delete_pending: false,
            oplock: 7,
            lease: Some(LeaseRecord {
                client: Guid::from_bytes([6; 16]),
                key: 11,
                state: 7,
                parent: Some(12),
                v2: true,
                epoch: 13,
            }),
            locks: vec![LockRecord {
                offset: 14,
                len: 15,
                exclusive: true,
            }],
            sequences: vec![SequenceRecord {
                index: 16,
                number: 1,
            }],
        }
    }

    #[test]
    fn records_come_back_whole_or_not_at_all() {
        let bytes = record().to_bytes();
        assert_eq!(Record::from_bytes(&bytes), Ok(record()));
        for len in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        let mut other = bytes.to_vec();
        other[0] += 1;
        assert!(Record::from_bytes(&other).is_err());
        other[0] -= 1;
        other.push(0);
        assert!(Record::from_bytes(&other).is_err());
    }
}
