//! TREE_CONNECT, [MS-SMB2] 3.3.5.7.

use std::sync::Arc;

use smb_proto::dtyp::AccessMask;
use smb_proto::id::TreeId;
use smb_proto::msg::tree_connect::{self, ShareCapabilities, ShareFlags, ShareType};
use smb_proto::{Dialect, NtStatus, msg};

use super::{CmdResult, Cx};
use crate::config::{EncryptionPolicy, Share};
use crate::core::{Tree, TreeShare};
use crate::event::Event;
use crate::identity::{Identity, IdentityKind};
use crate::names::{fold, same_name};
use crate::status::Refusal;

/// What a user may do on a share that only lets read.
const READ_ONLY: AccessMask = AccessMask::from_bits_retain(0x0012_00a9);
/// Everything.
const FULL: AccessMask = AccessMask::from_bits_retain(0x001f_01ff);

/// Connects a share, or says why not, and lets the audit know.
pub(super) fn start(cx: &mut Cx<'_>, request: &tree_connect::Request, sealed: bool) -> CmdResult {
    let (conn, session) = (cx.conn()?, cx.session()?.1.wire);
    let result = connect(cx, request, sealed);
    cx.core.event(match &result {
        Ok((name, _)) => Event::TreeConnected {
            conn,
            session,
            share: name.clone(),
        },
        Err(Refusal(status)) => Event::TreeRefused {
            conn,
            session,
            share: request.path.clone(),
            status: *status,
        },
    });
    Ok(msg::Response::TreeConnect(result?.1).into())
}

fn connect(
    cx: &mut Cx<'_>,
    request: &tree_connect::Request,
    sealed: bool,
) -> Result<(String, tree_connect::Response), Refusal> {
    let conn = cx.conn()?;
    let dialect = cx.core.conns.get(conn).and_then(crate::core::Conn::dialect);
    let signed = cx.op_mut()?.sign.is_some();
    let (session_id, session) = cx.session()?;
    let established = session
        .established()
        .ok_or(Refusal(NtStatus::USER_SESSION_DELETED))?;
    let identity = established.identity.clone();
    // 3.3.5.7: in 3.1.1 the request of a real user must be protected.
    if dialect == Some(Dialect::Smb311) && identity.kind == IdentityKind::User && !signed && !sealed
    {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    if session.trees.len() >= cx.core.config.limits.max_trees_per_session {
        return Err(Refusal(NtStatus::INSUFFICIENT_RESOURCES));
    }
    let can_seal = established.seal.is_some();
    let name = share_name(&request.path).ok_or(Refusal(NtStatus::BAD_NETWORK_NAME))?;
    let (share, access, identity) = if same_name(name, "IPC$") {
        (TreeShare::Pipe, FULL, identity)
    } else {
        let share = cx
            .core
            .shares
            .get(&fold(name))
            .cloned()
            .ok_or(Refusal(NtStatus::BAD_NETWORK_NAME))?;
        let (access, identity) = admit(cx, &share, &identity)?;
        (TreeShare::Disk(share), access, identity)
    };
    let encryption = match &share {
        TreeShare::Pipe => EncryptionPolicy::Off,
        TreeShare::Disk(share) => share.encryption,
    };
    // 3.3.5.7: Share.EncryptData with RejectUnencryptedAccess.
    if encryption == EncryptionPolicy::Required && !can_seal {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let encrypt = encryption >= EncryptionPolicy::Desired && can_seal;
    let smb3 = dialect.is_some_and(Dialect::is_smb3) && cx.core.config.durable_handles;
    let response = describe(&share, access, encrypt, smb3);
    let shown = match &share {
        TreeShare::Pipe => "IPC$".to_owned(),
        TreeShare::Disk(share) => share.name.clone(),
    };

    let session = cx
        .core
        .sessions
        .get_mut(session_id)
        .ok_or(Refusal(NtStatus::USER_SESSION_DELETED))?;
    let mut wire = TreeId(session.next_tree_id);
    while wire.0 == 0 || wire == TreeId::RELATED || session.trees.contains_key(&wire) {
        wire = TreeId(wire.0.wrapping_add(1));
    }
    session.next_tree_id = wire.0.wrapping_add(1);
    let id = cx.core.trees.insert(Tree {
        wire,
        session: session_id,
        share,
        access,
        identity,
        encryption_required: encryption == EncryptionPolicy::Required,
        connected: cx.now.mono,
    });
    session.trees.insert(wire, id);
    if let smb_proto::header::Route::Sync { tree_id, .. } = &mut cx.op_mut()?.header.route {
        *tree_id = wire;
    }
    Ok((shown, response))
}

/// The share's name in `\\server\share`; the server's part may be anything, since clients come by
/// many names and addresses.
fn share_name(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("\\\\")?;
    let (_, share) = rest.split_once('\\')?;
    (!share.is_empty() && !share.contains('\\')).then_some(share)
}

/// Whether this user may connect this share, with which access, and as whom files are used.
fn admit(
    cx: &Cx<'_>,
    share: &Arc<Share>,
    user: &Arc<Identity>,
) -> Result<(AccessMask, Arc<Identity>), Refusal> {
    const DENIED: Refusal = Refusal(NtStatus::ACCESS_DENIED);
    let connected = cx
        .core
        .trees
        .iter()
        .filter(|(_, t)| t.disk().is_some_and(|s| same_name(&s.name, &share.name)))
        .count();
    if connected >= share.max_connections {
        return Err(Refusal(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    let conn = cx.conn()?;
    if let Some(c) = cx.core.conns.get(conn)
        && !crate::acl::host_admitted(c.peer.address, &share.hosts_allow, &share.hosts_deny)
    {
        return Err(DENIED);
    }
    let unprivileged = matches!(user.kind, IdentityKind::Guest | IdentityKind::Anonymous);
    if unprivileged && !share.guest_ok {
        return Err(DENIED);
    }
    if share.invalid_users.names(user)
        || (!share.valid_users.is_empty() && !share.valid_users.names(user))
    {
        return Err(DENIED);
    }
    let admin = share.admin_users.names(user);
    let writes =
        admin || share.write_list.names(user) || (!share.read_only && !share.read_list.names(user));
    let mut identity = if share.guest_only || (unprivileged && share.guest_ok) {
        cx.core.config.guest.clone()
    } else {
        Identity::clone(user)
    };
    if let Some(forced) = &share.force_identity {
        identity = forced.clone();
    }
    identity.admin = identity.admin || admin;
    let access = if writes { FULL } else { READ_ONLY };
    Ok((access, Arc::new(identity)))
}

/// What the client is told about the share ([MS-SMB2] 2.2.10).
fn describe(
    share: &TreeShare,
    access: AccessMask,
    encrypt: bool,
    persistent: bool,
) -> tree_connect::Response {
    let mut capabilities = ShareCapabilities::empty();
    let available = matches!(share, TreeShare::Disk(s) if s.continuous_availability);
    capabilities.set(
        ShareCapabilities::CONTINUOUS_AVAILABILITY,
        available && persistent,
    );
    let mut flags = ShareFlags::empty();
    flags.set(ShareFlags::ENCRYPT_DATA, encrypt);
    let filtered = matches!(share, TreeShare::Disk(s) if s.hide_unreadable);
    flags.set(ShareFlags::ACCESS_BASED_DIRECTORY_ENUM, filtered);
    tree_connect::Response {
        share_type: match share {
            TreeShare::Pipe => ShareType::PIPE,
            TreeShare::Disk(_) => ShareType::DISK,
        },
        share_flags: flags,
        capabilities,
        maximal_access: access.bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_names() {
        assert_eq!(share_name("\\\\host\\Share"), Some("Share"));
        for bad in [
            "",
            "share",
            "\\\\host",
            "\\\\host\\",
            "\\\\host\\a\\b",
            "\\host\\a",
        ] {
            assert_eq!(share_name(bad), None, "{bad}");
        }
    }
}
