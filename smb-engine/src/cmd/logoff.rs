//! LOGOFF, [MS-SMB2] 3.3.5.6.

use smb_proto::msg;

use super::{CmdResult, Cx, Phase, Step};
use crate::core::{Wait, Wake, teardown};

/// A LOGOFF that waits for what still runs.
#[derive(Debug)]
pub(crate) struct State;

/// Ends the session on all its channels. What runs in it is answered first; all that is still
/// protected with its keys.
pub(super) fn start(cx: &mut Cx<'_>) -> CmdResult {
    let (id, _) = cx.session()?;
    teardown::end_session(cx.core, cx.now, id);
    if cx.core.runs_elsewhere(id, cx.op) {
        cx.core.logoffs.insert(id, cx.op);
        cx.wait_for(Wait::Ended(id))?;
        return Ok(Step::Wait(Phase::Logoff(State)));
    }
    Ok(answer())
}

/// Everything has been answered.
pub(super) fn resume(_: State, _: &Wake) -> CmdResult {
    Ok(answer())
}

fn answer() -> Step {
    msg::Response::Logoff(msg::logoff::Response).into()
}
