//! Not written yet.
use super::{CmdResult, Cx};
use crate::core::Core;
use crate::error::Fault;
use crate::output::ConnId;
use crate::status::Refusal;
use crate::time::Now;
use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::{msg, smb1};
pub(super) fn start(_cx: &mut Cx<'_>, _r: &msg::negotiate::Request, _raw: &Bytes) -> CmdResult {
    Err(Refusal(NtStatus::NOT_IMPLEMENTED))
}
pub(crate) fn smb1(
    _core: &mut Core,
    _now: Now,
    _conn: ConnId,
    _r: &smb1::NegotiateRequest,
) -> Result<(), Fault> {
    Ok(())
}
