//! What a CREATE asks to cache: RequestedOplockLevel and the lease contexts, [MS-SMB2] 3.3.5.9,
//! 3.3.5.9.8 and 3.3.5.9.11.

use smb_proto::create_ctx::{LeaseState, Requested};
use smb_proto::id::LeaseKey;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::Request;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::{Dialect, NtStatus};

use super::super::Cx;
use crate::core::breaks::CacheRequest;
use crate::core::lease::{LeaseOwner, LeaseRequest};
use crate::status::Refusal;

/// What is asked for, as far as this server and connection have it. What they do not have is ignored.
pub(super) fn request(
    cx: &Cx<'_>,
    request: &Request,
    oplocks: bool,
) -> Result<CacheRequest, Refusal> {
    let mut asked = CacheRequest::default();
    if !oplocks {
        return Ok(asked);
    }
    match request.requested_oplock_level {
        level @ (OplockLevel::LEVEL_II | OplockLevel::EXCLUSIVE | OplockLevel::BATCH) => {
            asked.oplock = level;
        }
        OplockLevel::LEASE => asked.lease = lease(cx, request)?,
        _ => {}
    }
    Ok(asked)
}

/// The lease that the contexts ask for.
pub(super) fn lease(cx: &Cx<'_>, request: &Request) -> Result<Option<LeaseRequest>, Refusal> {
    const BITS: LeaseState = LeaseState::READ
        .union(LeaseState::HANDLE)
        .union(LeaseState::WRITE);
    let conn = cx.core.conns.get(cx.conn()?);
    let Some(negotiated) = conn.and_then(|c| c.negotiated()) else {
        return Ok(None);
    };
    let dialect = negotiated.dialect;
    let directories = negotiated
        .capabilities
        .contains(GlobalCapabilities::DIRECTORY_LEASING);
    if !cx.core.config.leases || dialect < Dialect::Smb210 {
        return Ok(None);
    }
    let all =
        Requested::from_raw(&request.contexts).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    let asked = all.lease.filter(|l| {
        // A key of zeros names nothing, and version 2 came with 3.0.
        l.key != LeaseKey([0; 16]) && (l.v2.is_none() || dialect.is_smb3())
    });
    Ok(asked.map(|l| LeaseRequest {
        owner: LeaseOwner {
            client: negotiated.client_guid,
            key: l.key,
        },
        state: l.state & BITS,
        parent: l.parent_key(),
        epoch: l.v2.map(|v2| v2.epoch),
        directories: l.v2.is_some() && directories,
    }))
}
