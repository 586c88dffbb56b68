//! Not written yet.
use super::{CmdResult, Cx};
use crate::core::Wake;
use crate::status::Refusal;
use smb_proto::NtStatus;
use smb_proto::msg;
#[derive(Debug)]
pub(crate) struct State;
pub(super) fn start(_cx: &mut Cx<'_>, _r: msg::set_info::Request) -> CmdResult {
    Err(Refusal(NtStatus::NOT_IMPLEMENTED))
}
pub(super) fn resume(_cx: &mut Cx<'_>, _s: State, _w: Wake) -> CmdResult {
    Err(Refusal(NtStatus::NOT_IMPLEMENTED))
}
