//! Opens of an earlier server are made again: by name, or by identity if somebody has renamed the file
//! meanwhile. Their clients take them up with SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2
//! ([MS-SMB2] 3.3.5.9.12).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smb_proto::create_ctx::LeaseState;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::FileId;
use smb_proto::msg::create::{CreateAction, CreateOptions, ShareAccess};

use super::super::{CmdResult, Cx, Outcome};
use super::{State, ask_close, wait};
use crate::config::BackendId;
use crate::core::breaks::Cache;
use crate::core::caching::Caching;
use crate::core::durable::{AppInstance, CreateKey, Durable, Kind, Made};
use crate::core::lease::{Lease, LeaseOwner};
use crate::core::persistent::{self, LeaseRecord, Record};
use crate::core::sequence::{LockSequence, Sequence};
use crate::core::{
    Core, DeletePending, File, FileKey, FileOpen, Open, OpenKind, RangeLock, Scan, Timer, Wake,
};
use crate::dispatch;
use crate::event::Event;
use crate::identity::Identity;
use crate::names::fold;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{DataAccess, OpenHow, Opened, VfsOp, VfsReply};

/// An open on its way back.
#[derive(Debug)]
pub(crate) struct Restoring {
    persistent: u64,
    record: Record,
    backend: BackendId,
    by: Arc<Identity>,
    /// The name led elsewhere; this is the file by its identity.
    by_id: bool,
}

/// Makes an open again that an earlier server has had.
pub(crate) fn start(core: &mut Core, now: Now, persistent: u64, bytes: Bytes) {
    let record = Record::from_bytes(&bytes);
    persistent::known(core, persistent, bytes);
    let next = persistent.wrapping_add(1);
    core.next_persistent_id = core.next_persistent_id.max(next);
    let Ok(record) = record else {
        core.event(Event::NotRestored { id: persistent });
        return;
    };
    let share = core.shares.get(&fold(&record.share));
    let share = share.filter(|s| s.continuous_availability && core.config.durable_handles);
    let Some(backend) = share.map(|s| s.backend) else {
        core.event(Event::NotRestored { id: persistent });
        return;
    };
    core.kept.restoring = core.kept.restoring.saturating_add(1);
    let restoring = Restoring {
        persistent,
        by: Arc::new(record.by.clone()),
        record,
        backend,
        by_id: false,
    };
    dispatch::spawn(core, now, |cx| ask(cx, restoring));
}

fn ask(cx: &mut Cx<'_>, r: Restoring) -> CmdResult {
    const WRITES: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);
    const READS: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_EXECUTE);
    let granted = AccessMask::from_bits_retain(r.record.granted);
    let options = CreateOptions::from_bits_retain(r.record.options);
    let how = OpenHow {
        data: if granted.intersects(WRITES) {
            DataAccess::ReadWrite
        } else if granted.intersects(READS) {
            DataAccess::Read
        } else {
            DataAccess::None
        },
        open_reparse: options.contains(CreateOptions::OPEN_REPARSE_POINT),
    };
    let op = if r.by_id {
        VfsOp::OpenById {
            node: r.record.node,
            how,
        }
    } else {
        VfsOp::Open {
            at: r.record.at.clone(),
            how,
        }
    };
    cx.ask_backend(r.backend, r.by.clone(), op)?;
    wait(State::Restoring(r))
}

/// The backend has opened it, or not.
pub(super) fn resume(cx: &mut Cx<'_>, r: Restoring, wake: Wake) -> CmdResult {
    let opened = match wake.vfs() {
        Ok(VfsReply::Opened(opened)) => opened,
        // It has another name now, or none.
        Ok(VfsReply::Missing(_)) | Err(_) if !r.by_id && r.record.at.stream.is_none() => {
            return by_id(cx, r);
        }
        Ok(_) | Err(_) => return lost(cx, &r, None),
    };
    if opened.info.node != r.record.node {
        let handle = opened.handle;
        if r.by_id {
            return lost(cx, &r, Some(handle));
        }
        let (backend, by) = (r.backend, r.by.clone());
        dispatch::spawn(cx.core, cx.now, |cx| ask_close(cx, backend, by, handle));
        return by_id(cx, r);
    }
    enter(cx.core, cx.now, &r, opened);
    persistent::settled(cx.core);
    Ok(Outcome::Silent.into())
}

fn by_id(cx: &mut Cx<'_>, r: Restoring) -> CmdResult {
    ask(cx, Restoring { by_id: true, ..r })
}

/// The file is not there any more, or may not be opened any more.
fn lost(cx: &mut Cx<'_>, r: &Restoring, handle: Option<crate::vfs::VfsHandle>) -> CmdResult {
    cx.core.event(Event::NotRestored { id: r.persistent });
    persistent::settled(cx.core);
    match handle {
        Some(handle) => ask_close(cx, r.backend, r.by.clone(), handle),
        None => Ok(Outcome::Silent.into()),
    }
}

/// Enters it in the tables, waiting for its client. It got along with the others when it was made, and
/// nobody else has come yet.
fn enter(core: &mut Core, now: Now, r: &Restoring, opened: Opened) {
    let record = &r.record;
    let stream = opened.at.stream.as_deref().map(fold);
    let row = core.file_row(FileKey {
        node: opened.info.node,
        stream,
    });
    let timeout = Duration::from_millis(record.timeout_ms);
    let mut lock_sequence = LockSequence::default();
    for s in &record.sequences {
        lock_sequence.succeeded(s.index, s.number);
    }
    let key = record.create_guid.map(|create| CreateKey {
        client: record.client,
        create,
    });
    let at = opened.at;
    let id = core.opens.insert(Open {
        file_id: FileId {
            persistent: r.persistent,
            volatile: 0,
        },
        session: Id::NOBODY,
        tree: Id::NOBODY,
        granted: AccessMask::from_bits_retain(record.granted),
        kind: OpenKind::File(FileOpen {
            told: None,
            handle: opened.handle,
            backend: r.backend,
            by: r.by.clone(),
            file: row,
            node: opened.info.node,
            directory: false,
            parent_lease: record.lease.as_ref().and_then(parent_lease),
            at: at.clone(),
            share: ShareAccess::from_bits_retain(record.share_access),
            conn: Id::NOBODY,
            cache: match record.oplock {
                0 => Cache::None,
                bits => Cache::Oplock(Caching::new(LeaseState::from_bits_retain(bits))),
            },
            durable: Some(Durable {
                create_guid: record.create_guid,
                timeout,
                kind: Kind::Persistent,
            }),
            client: record.client,
            app: record.app.as_ref().map(|a| AppInstance {
                id: a.id,
                version: a.high.zip(a.low),
            }),
            replayable: key,
            action: CreateAction(record.action),
            lock_sequence,
            options: CreateOptions::from_bits_retain(record.options),
            delete_on_close: record.delete_on_close,
            posix_delete: false,
            position: 0,
            snapshot: None,
            scan: Scan::default(),
            watch: None,
            frozen_write_time: None,
            frozen_change_time: None,
            wrote: false,
        }),
        running: 0,
        closing: false,
        disconnected: true,
        sequence: Sequence::new(0),
        closer: None,
    });
    if let Some(open) = core.opens.get_mut(id) {
        open.file_id.volatile = id.to_u64();
    }
    if let Some(file) = core.files.get_mut(row) {
        file.opens.push(id);
        file.locks.extend(record.locks.iter().map(|l| RangeLock {
            open: id,
            offset: l.offset,
            len: l.len,
            exclusive: l.exclusive,
        }));
        if record.delete_pending && file.delete_pending.is_none() {
            file.delete_pending = Some(DeletePending {
                at,
                by: r.by.clone(),
                parent_lease: record.lease.as_ref().and_then(parent_lease),
            });
        }
    }
    if let Some(lease) = &record.lease {
        enter_lease(core, id, row, lease);
    }
    core.durables.insert(r.persistent, id);
    if let Some(key) = key {
        core.creates.insert(key, Made::Open(id));
    }
    core.arm(Timer::Durable(id), now, timeout);
    core.event(Event::Restored { id: r.persistent });
}

/// The client's lease on the directory.
fn parent_lease(record: &LeaseRecord) -> Option<LeaseOwner> {
    let client = record.owner().client;
    record.parent().map(|key| LeaseOwner { client, key })
}

fn enter_lease(core: &mut Core, id: Id<Open>, row: Id<File>, record: &LeaseRecord) {
    let owner = record.owner();
    let lease = match core.lease_by_owner.get(&owner).copied() {
        Some(lease) => lease,
        None => {
            let lease = core.leases.insert(Lease {
                told: None,
                owner,
                file: row,
                caching: Caching::new(LeaseState::from_bits_retain(record.state)),
                parent: record.parent(),
                v2: record.v2,
                epoch: record.epoch,
                opens: Vec::new(),
                place: None,
            });
            core.lease_by_owner.insert(owner, lease);
            if let Some(file) = core.files.get_mut(row) {
                file.leases.push(lease);
            }
            lease
        }
    };
    if let Some(l) = core.leases.get_mut(lease).filter(|l| l.file == row) {
        l.opens.push(id);
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
            f.cache = Cache::Lease(lease);
        }
    }
}
