//! FSCTL_LMR_REQUEST_RESILIENCY, [MS-SMB2] 3.3.5.15.9.

use bytes::Bytes;
use smb_proto::fsctl::ResiliencyRequest;
use smb_proto::{Dialect, NtStatus};

use super::super::{CmdResult, Cx};
use super::{Call, INVALID_DEVICE_REQUEST, INVALID_PARAMETER};
use crate::core::durable;
use crate::status::Refusal;

/// Lets an open outlive its connection, whoever else comes near the file.
pub(super) fn start(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    if cx.dialect() == Some(Dialect::Smb202) {
        return Err(INVALID_DEVICE_REQUEST);
    }
    if !cx.core.config.durable_handles {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    let asked = ResiliencyRequest::parse(input).map_err(|_| INVALID_PARAMETER)?;
    let timeout = durable::resilient_timeout(asked.timeout_ms).ok_or(INVALID_PARAMETER)?;
    let (id, _) = cx.open()?;
    if cx.file_open()?.snapshot.is_some() {
        return Err(INVALID_DEVICE_REQUEST);
    }
    durable::make_resilient(cx.core, id, timeout);
    Ok(call.done())
}
