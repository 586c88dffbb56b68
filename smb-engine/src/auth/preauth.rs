//! The pre-authentication integrity hash, [MS-SMB2] 3.3.5.4 and 3.3.5.5.

use smb_proto::NtStatus;

use crate::core::{Core, Op};
use crate::output::ConnId;

/// An answer to NEGOTIATE or SESSION_SETUP is about to leave as `bytes`.
pub(crate) fn on_answer(
    _core: &mut Core,
    _conn: ConnId,
    _op: &Op,
    _status: NtStatus,
    _bytes: &[u8],
) {
}
