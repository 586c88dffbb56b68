//! LOGOFF, [MS-SMB2] 3.3.5.6.

use smb_proto::msg;

use super::{CmdResult, Cx};
use crate::core::teardown;

/// Ends the session on all its channels. The answer is still protected with its keys.
pub(super) fn start(cx: &mut Cx<'_>) -> CmdResult {
    let (id, _) = cx.session()?;
    let plan = cx
        .core
        .sessions
        .get_mut(id)
        .and_then(crate::core::Session::seal_plan);
    if let Some(chain) = cx.op_mut()?.chain.and_then(|c| cx.core.chains.get_mut(c))
        && chain.sealed.is_some()
    {
        chain.seal = plan;
    }
    teardown::end_session(cx.core, cx.now, id);
    Ok(msg::Response::Logoff(msg::logoff::Response).into())
}
