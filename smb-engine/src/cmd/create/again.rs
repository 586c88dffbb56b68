//! Opens that are made durable, taken up again, and CREATEs that are repeated: [MS-SMB2] 3.3.5.9.6,
//! 3.3.5.9.7, 3.3.5.9.10, 3.3.5.9.12 and 3.3.5.9.13.

use smb_proto::create_ctx::{
    DurableFlags, DurableResponse, DurableResponseV2, Lease, RawContext, Requested,
};
use smb_proto::header::HeaderFlags;
use smb_proto::id::FileId;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::{CreateAction, Request};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::{Dialect, Guid, NtStatus};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{State, cache, done, reply, wait};
use crate::core::durable::{self, AppInstance, Claim, CreateKey, Durable, Kind, Made, NotYours};
use crate::core::{Conn, FileOpen, Wake, breaks};
use crate::status::Refusal;
use crate::vfs::{VfsOp, VfsReply};

const INVALID: Refusal = Refusal(NtStatus::INVALID_PARAMETER);

/// What a CREATE asks for beyond the life of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Survival {
    /// Make it durable if that is possible.
    pub(super) durable: Option<Durable>,
    /// The client's name for this CREATE.
    pub(super) key: Option<CreateKey>,
    pub(super) app: Option<AppInstance>,
    pub(super) client: Guid,
}

/// Takes up a durable open, or answers a repeated CREATE, if that is what the request is; else what it
/// asks for.
pub(super) fn start(
    cx: &mut Cx<'_>,
    request: &Request,
    oplocks: bool,
) -> Result<Result<Survival, CmdResult>, Refusal> {
    let all = Requested::from_raw(&request.contexts).map_err(|_| INVALID)?;
    let conn = cx.core.conns.get(cx.conn()?);
    let Some(negotiated) = conn.and_then(Conn::negotiated) else {
        return Ok(Ok(Survival::default()));
    };
    let (client, dialect) = (negotiated.client_guid, negotiated.dialect);
    let smb3 = dialect.is_smb3();
    let first = [all.durable.is_some(), all.durable_reconnect.is_some()];
    let second = [all.durable_v2.is_some(), all.durable_reconnect_v2.is_some()];
    // The two versions do not mix. Who reconnects may ask with version 1 besides (3.3.5.9.7).
    if first.contains(&true) && second.contains(&true) || second == [true, true] {
        return Err(INVALID);
    }
    if let Some(r) = &all.durable_reconnect {
        let what = Reconnect::plain(r.file_id);
        return reconnect(cx, request, oplocks, what).map(Err);
    }
    let lasting = negotiated
        .capabilities
        .contains(GlobalCapabilities::PERSISTENT_HANDLES)
        && cx
            .tree()?
            .1
            .disk()
            .is_some_and(|s| s.continuous_availability);
    if let Some(r) = all.durable_reconnect_v2.as_ref().filter(|_| smb3) {
        let what = Reconnect {
            create_guid: Some(r.create_guid),
            persistent: r.flags.contains(DurableFlags::PERSISTENT),
            ..Reconnect::plain(r.file_id)
        };
        if what.persistent && !lasting {
            return Err(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND));
        }
        return reconnect(cx, request, oplocks, what).map(Err);
    }
    let mut survival = Survival {
        client,
        ..Survival::default()
    };
    survival.app = all.app_instance_id.filter(|_| smb3).map(|a| AppInstance {
        id: a.app_instance_id,
        version: all
            .app_instance_version
            .filter(|_| dialect == Dialect::Smb311)
            .map(|v| (v.high, v.low)),
    });
    if !cx.core.config.durable_handles {
        return Ok(Ok(survival));
    }
    if all.durable.is_some() {
        survival.durable = Some(Durable {
            kind: Kind::Durable,
            create_guid: None,
            timeout: durable::VERSION_1_FOR,
        });
    }
    let Some(v2) = all.durable_v2.as_ref().filter(|_| smb3) else {
        return Ok(Ok(survival));
    };
    survival.durable = Some(Durable {
        kind: if lasting && v2.flags.contains(DurableFlags::PERSISTENT) {
            Kind::Persistent
        } else {
            Kind::Durable
        },
        create_guid: Some(v2.create_guid),
        timeout: durable::timeout(v2.timeout_ms),
    });
    let key = CreateKey {
        client,
        create: v2.create_guid,
    };
    survival.key = Some(key);
    if let Some(made) = cx.core.creates.get(&key).copied() {
        return repeated(cx, request, oplocks, key, made).map(Err);
    }
    let op = cx.op;
    cx.core.creates.insert(key, Made::Pending(op));
    cx.op_mut()?.create_key = Some(key);
    Ok(Ok(survival))
}

/// A CREATE of this name was here before.
fn repeated(
    cx: &mut Cx<'_>,
    request: &Request,
    oplocks: bool,
    key: CreateKey,
    made: Made,
) -> Result<CmdResult, Refusal> {
    let Made::Open(id) = made else {
        // It is not finished: the client has to ask again.
        return Err(Refusal(NtStatus::FILE_NOT_AVAILABLE));
    };
    const DUPLICATE: Refusal = Refusal(NtStatus::DUPLICATE_OBJECTID);
    let replay = cx.header()?.flags.contains(HeaderFlags::REPLAY_OPERATION);
    let open = cx.core.opens.get(id).ok_or(DUPLICATE)?;
    let (session, _) = cx.session()?;
    if open.disconnected && replay {
        let what = Reconnect {
            create_guid: Some(key.create),
            persistent: open.file().is_some_and(FileOpen::persistent),
            repeated: Some(request.requested_oplock_level),
            ..Reconnect::plain(open.file_id)
        };
        return reconnect(cx, request, oplocks, what);
    }
    if !replay || open.session != session {
        return Err(DUPLICATE);
    }
    // The same lease has to be asked for, if one is (3.3.5.9.10).
    let asked = cache::request(cx, request, oplocks)?;
    let has_lease = request
        .contexts
        .iter()
        .any(|c| c.name.as_ref() == Lease::NAME);
    if has_lease {
        let mine = breaks::by(cx.core, id).lease;
        if mine.is_none() || asked.lease.map(|l| l.owner) != mine {
            return Err(Refusal(NtStatus::ACCESS_DENIED));
        }
    }
    let level = request.requested_oplock_level;
    let durable = level == OplockLevel::BATCH || level == OplockLevel::LEASE;
    use_open(cx, id)?;
    look(
        cx,
        Again {
            durable,
            lease: has_lease,
            repeated: Some(level),
            taken_up: false,
        },
    )
}

/// Lets the operation use an open that it has not made.
fn use_open(cx: &mut Cx<'_>, id: crate::Id<crate::core::Open>) -> Result<(), Refusal> {
    let open = cx.core.opens.get_mut(id).ok_or(WRONG_REPLY)?;
    open.running = open.running.saturating_add(1);
    cx.op_mut()?.open = Some(id);
    Ok(())
}

/// What somebody says about the open that is to be taken up.
#[derive(Debug, Clone, Copy)]
struct Reconnect {
    file_id: FileId,
    create_guid: Option<Guid>,
    persistent: bool,
    /// The request is the repetition of the CREATE that made it, with this level.
    repeated: Option<OplockLevel>,
}

impl Reconnect {
    fn plain(file_id: FileId) -> Self {
        Self {
            file_id,
            create_guid: None,
            persistent: false,
            repeated: None,
        }
    }
}

/// Takes up a durable open again.
fn reconnect(
    cx: &mut Cx<'_>,
    request: &Request,
    oplocks: bool,
    what: Reconnect,
) -> Result<CmdResult, Refusal> {
    let repeated = what.repeated;
    let client = cx.core.conns.get(cx.conn()?).and_then(Conn::negotiated);
    let client = client.map_or(Guid::NIL, |n| n.client_guid);
    // Whatever oplock level is asked for besides.
    let lease = if oplocks {
        cache::lease(cx, request)?
    } else {
        None
    };
    let (session, _) = cx.session()?;
    let (tree, row) = cx.tree()?;
    let claim = Claim {
        file_id: what.file_id,
        create_guid: what.create_guid,
        lease,
        persistent: what.persistent,
        client,
        who: row.identity.sid,
    };
    let backend = row.disk().map(|share| share.backend);
    let id = durable::find(cx.core, &claim).map_err(|why| {
        Refusal(match why {
            NotYours::NotFound => NtStatus::OBJECT_NAME_NOT_FOUND,
            NotYours::Denied => NtStatus::ACCESS_DENIED,
        })
    })?;
    let file = cx.core.opens.get(id).and_then(|o| o.file());
    let file = file.ok_or(WRONG_REPLY)?;
    if Some(file.backend) != backend {
        return Err(Refusal(NtStatus::OBJECT_NAME_NOT_FOUND));
    }
    // Who has a lease says the name of the file too (3.3.5.9.7, 3.3.5.9.12).
    if lease.is_some() && !crate::names::same_name(&request.name, file.at.path.as_str()) {
        return Err(INVALID);
    }
    let conn = cx.conn()?;
    let sequence = cx.header()?.channel_sequence();
    durable::take_up(cx.core, id, session, tree, conn, sequence);
    use_open(cx, id)?;
    look(
        cx,
        Again {
            durable: repeated.is_some(),
            lease: lease.is_some(),
            repeated,
            taken_up: true,
        },
    )
}

/// Asks for what the answer shows of the file.
fn look(cx: &mut Cx<'_>, again: Again) -> Result<CmdResult, Refusal> {
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::Stat { handle })?;
    Ok(wait(State::Again(again)))
}

/// What the answer for an open that was there already says besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    /// That it is durable.
    durable: bool,
    /// Its lease.
    lease: bool,
    /// What the CREATE did that made it, and the oplock level that is asked for now.
    repeated: Option<OplockLevel>,
    /// It waited for its client until now.
    taken_up: bool,
}

/// The answer for an open that was there already.
pub(super) fn resume(cx: &mut Cx<'_>, again: Again, wake: Wake) -> CmdResult {
    let info = match wake.vfs() {
        Ok(VfsReply::Info(info)) => info,
        failed => {
            // It stays as it was, for the next try.
            let (id, _) = cx.open()?;
            if again.taken_up {
                durable::disconnect(cx.core, cx.now, id);
            }
            return Err(failed.err().unwrap_or(WRONG_REPLY));
        }
    };
    let dialect = cx.dialect();
    let (id, open) = cx.open()?;
    if open.closing {
        return Err(Refusal(NtStatus::FILE_CLOSED));
    }
    let (file_id, file) = (open.file_id, cx.file_open()?);
    let action = if again.repeated.is_some() {
        file.action
    } else {
        CreateAction::OPENED
    };
    let mut contexts = Vec::new();
    if let Some(durable) = file.durable.filter(|_| again.durable) {
        contexts.push(durable_context(durable));
    }
    let (level, lease) = breaks::answer(cx.core, id);
    if let Some(lease) = lease
        .filter(|_| again.lease)
        .and_then(|l| cx.core.leases.get(l))
    {
        contexts.push(lease.context().to_raw());
    }
    let mut answer = reply::file(file_id, action, &info, contexts, dialect);
    // A repeated CREATE is answered as what it asks for would have been.
    answer.oplock_level = again.repeated.filter(|_| !again.taken_up).unwrap_or(level);
    done(answer)
}

/// Makes a new open durable, if that was asked for and is possible; the context that says so.
pub(super) fn grant(
    cx: &mut Cx<'_>,
    survival: &Survival,
    action: CreateAction,
) -> Result<Option<RawContext>, Refusal> {
    let (id, _) = cx.open()?;
    if let Some(f) = cx.core.opens.get_mut(id).and_then(|o| o.file_mut()) {
        f.client = survival.client;
        f.app = survival.app;
    }
    if let Some(key) = survival.key {
        durable::made(cx.core, id, key, action);
    }
    let Some(asked) = survival.durable else {
        return Ok(None);
    };
    // Who asks for more than is possible gets what there is.
    let plain = Durable {
        kind: Kind::Durable,
        ..asked
    };
    let kinds = [asked, plain].into_iter();
    let Some(asked) = kinds
        .into_iter()
        .find(|d| durable::possible(cx.core, id, d.kind))
    else {
        return Ok(None);
    };
    durable::make(cx.core, id, asked);
    Ok(Some(durable_context(asked)))
}

fn durable_context(durable: Durable) -> RawContext {
    match durable.create_guid {
        None => DurableResponse.to_raw(),
        Some(_) => DurableResponseV2 {
            timeout_ms: u32::try_from(durable.timeout.as_millis()).unwrap_or(u32::MAX),
            flags: match durable.kind {
                Kind::Durable | Kind::Resilient => DurableFlags::empty(),
                Kind::Persistent => DurableFlags::PERSISTENT,
            },
        }
        .to_raw(),
    }
}
