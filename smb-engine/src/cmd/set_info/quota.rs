//! Quotas, [MS-SMB2] 3.3.5.21.4, [MS-FSA] 2.1.5.22: administrators set them.

use std::collections::VecDeque;

use smb_proto::NtStatus;
use smb_proto::dtyp::{AccessMask, Sid};
use smb_proto::info::quota::FileQuotaInformation;

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{done, waits};
use crate::core::{Wake, quota};
use crate::output::Completion;
use crate::status::{Refusal, of_vfs};
use crate::vfs::{Capabilities, QuotaLimits, VfsError, VfsOp};

/// What is set still, one after another.
#[derive(Debug)]
pub(crate) struct State {
    rest: VecDeque<(Sid, Option<QuotaLimits>)>,
}

pub(super) fn start(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    const INVALID: Refusal = Refusal(NtStatus::INVALID_PARAMETER);
    let no_volume = Refusal(NtStatus::INVALID_DEVICE_REQUEST);
    let (_, by) = quota::place(cx.open()?.1).ok_or(no_volume)?;
    let (_, tree) = cx.tree()?;
    let can = tree.disk().ok_or(no_volume)?.capabilities;
    if !can.contains(Capabilities::QUOTAS) {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    if !by.is_administrator() || !tree.access.contains(AccessMask::FILE_WRITE_DATA) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    if can.contains(Capabilities::READ_ONLY) {
        return Err(Refusal(NtStatus::MEDIA_WRITE_PROTECTED));
    }
    let entries = FileQuotaInformation::parse_list(input).map_err(|_| INVALID)?;
    if entries.is_empty() {
        return Err(INVALID);
    }
    let rest = entries.iter().map(read).collect::<Result<_, _>>()?;
    next(cx, State { rest })
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match wake {
        Wake::Completion(Completion::Vfs(Ok(_))) => next(cx, state),
        Wake::Completion(Completion::Vfs(Err(VfsError::NotFound))) => {
            Err(Refusal(NtStatus::NO_MATCH))
        }
        Wake::Completion(Completion::Vfs(Err(error))) => Err(Refusal(of_vfs(&error))),
        Wake::Completion(Completion::Account(_) | Completion::Accounts(_))
        | Wake::Ready
        | Wake::Cancelled
        | Wake::Closed => Err(WRONG_REPLY),
    }
}

fn next(cx: &mut Cx<'_>, mut state: State) -> CmdResult {
    let Some((sid, limits)) = state.rest.pop_front() else {
        return Ok(done());
    };
    let (backend, by) = quota::place(cx.open()?.1).ok_or(WRONG_REPLY)?;
    cx.ask_backend(backend, by, VfsOp::SetQuota { sid, limits })?;
    waits(super::State::Quota(state))
}

/// One entry; no limits means that the quota is taken away.
fn read(entry: &FileQuotaInformation) -> Result<(Sid, Option<QuotaLimits>), Refusal> {
    const NONE: i64 = -1;
    const REMOVE: i64 = -2;
    if entry.sid == Sid::BUILTIN_ADMINISTRATORS && entry.quota_limit != NONE {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let bytes = |n: i64| match n {
        NONE => Ok(None),
        n => u64::try_from(n)
            .map(Some)
            .map_err(|_| Refusal(NtStatus::INVALID_PARAMETER)),
    };
    let limits = match entry.quota_limit {
        REMOVE => None,
        limit => Some(QuotaLimits {
            threshold: bytes(entry.quota_threshold)?,
            limit: bytes(limit)?,
        }),
    };
    Ok((entry.sid, limits))
}
