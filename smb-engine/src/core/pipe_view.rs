//! What a remote call over a named pipe may know of the server: the tables as one caller sees them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use smb_proto::dtyp::AccessMask;

use super::{Conn, Core, Open, OpenKind, Session, Tree, TreeShare, Wake};
use crate::config::Share;
use crate::dispatch;
use crate::identity::{Identity, IdentityKind};
use crate::names::same_name;
use crate::pipe::{
    AccountKind, AccountView, Caller, ConnectionView, FileView, Pipe, ServerView, SessionView,
    ShareView,
};
use crate::status::Refusal;
use crate::table::Id;
use crate::time::Now;
use smb_proto::NtStatus;

/// STYPE_DISKTREE and STYPE_IPC with STYPE_SPECIAL, [MS-SRVS] 2.2.2.4.
const DISK: u32 = 0;
const IPC: u32 = 0x8000_0003;

/// The version of Windows that is shown: one that knows all of SMB 3.1.1.
const VERSION: (u32, u32) = (10, 0);

/// What calls over this open are answered from.
pub(crate) fn view(
    core: &Core,
    now: Now,
    open: Id<Open>,
    accounts: &[Identity],
) -> Result<ServerView, Refusal> {
    let gone = Refusal(NtStatus::USER_SESSION_DELETED);
    let own = core.opens.get(open).ok_or(gone)?.session;
    let me = core
        .sessions
        .get(own)
        .and_then(Session::established)
        .ok_or(gone)?
        .identity
        .clone();
    let config = &core.config;
    // Who else is here is for administrators; everybody sees what is their own. Who administers every
    // share (`admin users` for all) may know who is on them.
    let all_shares =
        !config.shares.is_empty() && config.shares.iter().all(|s| s.admin_users.names(&me));
    let admin = me.is_administrator() || all_shares;
    let visible = |session: Id<Session>| admin || session == own;
    let mut by_session = BTreeMap::<_, u32>::new();
    let mut by_tree = BTreeMap::<_, u32>::new();
    for (_, o) in core.opens.iter().filter(|(_, o)| visible(o.session)) {
        let n = by_session.entry(o.session).or_default();
        *n = n.saturating_add(1);
        let n = by_tree.entry(o.tree).or_default();
        *n = n.saturating_add(1);
    }
    Ok(ServerView {
        server_name: config.server_name.clone(),
        workgroup: config.workgroup.clone(),
        comment: config.server_string.clone(),
        version: VERSION,
        domain_sid: config.domain_sid,
        shares: config
            .shares
            .iter()
            .filter(|s| s.browseable)
            .map(|s| share(core, s))
            .collect(),
        accounts: accounts.iter().map(account).collect(),
        sessions: core
            .sessions
            .iter()
            .filter(|(id, _)| visible(*id))
            .filter_map(|(id, s)| session(core, now, s, by_session.get(&id)))
            .collect(),
        connections: core
            .trees
            .iter()
            .filter(|(_, t)| visible(t.session))
            .filter_map(|(id, t)| connection(core, now, t, by_tree.get(&id)))
            .collect(),
        files: core
            .opens
            .iter()
            .filter(|(_, o)| visible(o.session))
            .filter_map(|(id, o)| file(core, id, o))
            .collect(),
        caller: Caller {
            name: me.name.clone(),
            domain: me.domain.clone(),
            sid: me.sid,
            anonymous: me.kind == IdentityKind::Anonymous,
            admin,
        },
        now: now.wall,
        uptime: uptime(now.wall, config.started),
    })
}

fn uptime(now: smb_proto::FileTime, started: smb_proto::FileTime) -> std::time::Duration {
    // FILETIME counts 100 ns.
    std::time::Duration::from_micros(now.0.saturating_sub(started.0).checked_div(10).unwrap_or(0))
}

/// SHI1005_FLAGS_ACCESS_BASED_DIRECTORY_ENUM, [MS-SRVS] 2.2.4.29.
const ACCESS_BASED: u32 = 0x0800;

fn share(core: &Core, s: &Share) -> ShareView {
    let users = core
        .trees
        .iter()
        .filter(|(_, t)| t.disk().is_some_and(|d| same_name(&d.name, &s.name)))
        .count();
    ShareView {
        name: s.name.clone(),
        share_type: DISK,
        comment: s.comment.clone(),
        // The host's paths are not for clients; this one has the form they expect.
        path: format!("C:\\{}", s.name),
        max_users: u32::try_from(s.max_connections)
            .ok()
            .filter(|n| *n != u32::MAX),
        current_users: count(users),
        flags: if s.hide_unreadable { ACCESS_BASED } else { 0 },
        security: None,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn account(a: &Identity) -> AccountView {
    AccountView {
        sid: a.sid,
        name: a.name.clone(),
        full_name: String::new(),
        comment: String::new(),
        kind: AccountKind::User,
        groups: a.groups.clone(),
        disabled: false,
    }
}

/// The address of a client of this session.
fn client(core: &Core, s: &Session) -> String {
    s.channels
        .keys()
        .find_map(|conn| core.conns.get(*conn))
        .map(|c: &Conn| match c.peer.address.to_canonical() {
            IpAddr::V4(a) => a.to_string(),
            IpAddr::V6(a) => a.to_string(),
        })
        .unwrap_or_default()
}

fn session(core: &Core, now: Now, s: &Session, opens: Option<&u32>) -> Option<SessionView> {
    let identity = &s.established()?.identity;
    Some(SessionView {
        client: client(core, s),
        user: identity.name.clone(),
        guest: identity.kind == IdentityKind::Guest,
        opens: opens.copied().unwrap_or(0),
        active: now.mono - s.created,
        idle: now.mono - s.last_used,
    })
}

fn connection(core: &Core, now: Now, t: &Tree, opens: Option<&u32>) -> Option<ConnectionView> {
    let s = core.sessions.get(t.session)?;
    let (share, share_type) = match &t.share {
        TreeShare::Pipe => ("IPC$".to_owned(), IPC),
        TreeShare::Disk(share) => (share.name.clone(), DISK),
    };
    Some(ConnectionView {
        id: t.wire.0,
        share,
        share_type,
        client: client(core, s),
        user: s.established()?.identity.name.clone(),
        opens: opens.copied().unwrap_or(0),
        active: now.mono - t.connected,
    })
}

fn file(core: &Core, id: Id<Open>, o: &Open) -> Option<FileView> {
    let f = o.file()?;
    let share = core.trees.get(o.tree)?.disk()?.name.clone();
    let locks = core
        .files
        .get(f.file)
        .map_or(0, |row| row.locks.iter().filter(|l| l.open == id).count());
    let mut permissions = 0;
    for (right, bit) in [
        (AccessMask::FILE_READ_DATA, 1),
        (AccessMask::FILE_WRITE_DATA, 2),
        (AccessMask::FILE_APPEND_DATA, 4),
    ] {
        if o.granted.contains(right) {
            permissions |= bit;
        }
    }
    Some(FileView {
        id: u32::try_from(id.to_u64() & u64::from(u32::MAX)).ok()?,
        path: format!("C:\\{share}\\{}", f.at.path),
        user: f.by.name.clone(),
        permissions,
        locks: count(locks),
    })
}

/// The pipe of an open.
pub(crate) fn pipe_mut(core: &mut Core, open: Id<Open>) -> Result<&mut Pipe, Refusal> {
    match core.opens.get_mut(open).map(|o| &mut o.kind) {
        Some(OpenKind::Pipe(pipe)) => Ok(pipe),
        Some(OpenKind::File(_) | OpenKind::Quota(_)) => {
            Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST))
        }
        None => Err(Refusal(NtStatus::FILE_CLOSED)),
    }
}

/// Lets those who wait for something to read look again.
pub(crate) fn wake_readers(core: &mut Core, now: Now, open: Id<Open>) {
    for op in core.pipe_readers.get(&open).cloned().unwrap_or_default() {
        dispatch::wake(core, now, op, Wake::Ready);
    }
}

/// An operation waits for something to read no longer.
pub(crate) fn drop_reader(core: &mut Core, open: Id<Open>, op: Id<super::Op>) {
    if let Some(readers) = core.pipe_readers.get_mut(&open) {
        readers.retain(|r| *r != op);
        if readers.is_empty() {
            core.pipe_readers.remove(&open);
        }
    }
}
