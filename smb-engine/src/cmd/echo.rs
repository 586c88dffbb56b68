//! ECHO, [MS-SMB2] 3.3.5.17.

use smb_proto::msg;

use super::{CmdResult, Cx};

/// Answers at once.
pub(super) fn start(_cx: &mut Cx<'_>) -> CmdResult {
    Ok(msg::Response::Echo(msg::echo::Response).into())
}
