//! TREE_DISCONNECT, [MS-SMB2] 3.3.5.8.

use smb_proto::msg;

use super::{CmdResult, Cx};
use crate::core::teardown;

/// Ends the tree connect; what was opened through it is closed.
pub(super) fn start(cx: &mut Cx<'_>) -> CmdResult {
    let (id, _) = cx.tree()?;
    teardown::end_tree(cx.core, cx.now, id);
    Ok(msg::Response::TreeDisconnect(msg::tree_disconnect::Response).into())
}
