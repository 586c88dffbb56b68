//! LOGOFF, [MS-SMB2] 3.3.5.6.

use smb_proto::msg;

use super::{CmdResult, Cx};
use crate::core::teardown;

/// Ends the session on all its channels. The answer is still protected with its keys.
pub(super) fn start(cx: &mut Cx<'_>) -> CmdResult {
    let (id, _) = cx.session()?;
    cx.keep_seal_plan(id);
    teardown::end_session(cx.core, cx.now, id);
    Ok(msg::Response::Logoff(msg::logoff::Response).into())
}
