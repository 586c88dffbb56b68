//! Any one context of a CREATE request, [MS-SMB2] 2.2.13.2.

use super::{
    AaplRequest, AllocationSize, AppInstanceId, AppInstanceVersion, DiskIdRequest,
    DurableReconnect, DurableReconnectV2, DurableRequest, DurableRequestV2, EaBuffer, Lease,
    MaximalAccessRequest, PosixRequest, RawContext, SdBuffer, SvhdxOpenDevice, TimewarpToken,
};
use crate::ParseError;

/// One known context of a CREATE request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum RequestContext {
    /// SMB2_CREATE_EA_BUFFER.
    Ea(EaBuffer),
    /// SMB2_CREATE_SD_BUFFER.
    Sd(SdBuffer),
    /// SMB2_CREATE_DURABLE_HANDLE_REQUEST.
    Durable(DurableRequest),
    /// SMB2_CREATE_DURABLE_HANDLE_RECONNECT.
    DurableReconnect(DurableReconnect),
    /// SMB2_CREATE_ALLOCATION_SIZE.
    AllocationSize(AllocationSize),
    /// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST.
    MaximalAccess(MaximalAccessRequest),
    /// SMB2_CREATE_TIMEWARP_TOKEN.
    Timewarp(TimewarpToken),
    /// SMB2_CREATE_QUERY_ON_DISK_ID.
    DiskId(DiskIdRequest),
    /// SMB2_CREATE_REQUEST_LEASE and SMB2_CREATE_REQUEST_LEASE_V2.
    Lease(Lease),
    /// SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2.
    DurableV2(DurableRequestV2),
    /// SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2.
    DurableReconnectV2(DurableReconnectV2),
    /// SMB2_CREATE_APP_INSTANCE_ID.
    AppInstanceId(AppInstanceId),
    /// SMB2_CREATE_APP_INSTANCE_VERSION.
    AppInstanceVersion(AppInstanceVersion),
    /// SVHDX_OPEN_DEVICE_CONTEXT.
    Svhdx(SvhdxOpenDevice),
    /// SMB2_CREATE_POSIX.
    Posix(PosixRequest),
    /// AAPL.
    Aapl(AaplRequest),
}

impl RequestContext {
    /// Reads a context by its name; `None` for one that is not known and is to be ignored.
    pub fn parse(raw: &RawContext) -> Result<Option<Self>, ParseError> {
        let data = &raw.data;
        Ok(Some(match raw.name.as_ref() {
            EaBuffer::NAME => Self::Ea(EaBuffer { list: data.clone() }),
            SdBuffer::NAME => Self::Sd(SdBuffer {
                descriptor: data.clone(),
            }),
            DurableRequest::NAME => Self::Durable(DurableRequest::parse(data)?),
            DurableReconnect::NAME => Self::DurableReconnect(DurableReconnect::parse(data)?),
            AllocationSize::NAME => Self::AllocationSize(AllocationSize::parse(data)?),
            MaximalAccessRequest::NAME => Self::MaximalAccess(MaximalAccessRequest::parse(data)?),
            TimewarpToken::NAME => Self::Timewarp(TimewarpToken::parse(data)?),
            DiskIdRequest::NAME => Self::DiskId(DiskIdRequest::parse(data)?),
            Lease::NAME => Self::Lease(Lease::parse(data)?),
            DurableRequestV2::NAME => Self::DurableV2(DurableRequestV2::parse(data)?),
            DurableReconnectV2::NAME => Self::DurableReconnectV2(DurableReconnectV2::parse(data)?),
            AppInstanceId::NAME => Self::AppInstanceId(AppInstanceId::parse(data)?),
            AppInstanceVersion::NAME => Self::AppInstanceVersion(AppInstanceVersion::parse(data)?),
            SvhdxOpenDevice::NAME => Self::Svhdx(SvhdxOpenDevice::parse(data)?),
            PosixRequest::NAME => Self::Posix(PosixRequest::parse(data)?),
            AaplRequest::NAME => Self::Aapl(AaplRequest::parse(data)?),
            _ => return Ok(None),
        }))
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        match self {
            Self::Ea(c) => c.to_raw(),
            Self::Sd(c) => c.to_raw(),
            Self::Durable(c) => c.to_raw(),
            Self::DurableReconnect(c) => c.to_raw(),
            Self::AllocationSize(c) => c.to_raw(),
            Self::MaximalAccess(c) => c.to_raw(),
            Self::Timewarp(c) => c.to_raw(),
            Self::DiskId(c) => c.to_raw(),
            Self::Lease(c) => c.to_raw(),
            Self::DurableV2(c) => c.to_raw(),
            Self::DurableReconnectV2(c) => c.to_raw(),
            Self::AppInstanceId(c) => c.to_raw(),
            Self::AppInstanceVersion(c) => c.to_raw(),
            Self::Svhdx(c) => c.to_raw(),
            Self::Posix(c) => c.to_raw(),
            Self::Aapl(c) => c.to_raw(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{AaplCaps, AaplQueryBits, DurableFlags, LeaseFlags, LeaseState};
    use super::*;
    use crate::FileTime;
    use crate::dtyp::Guid;
    use crate::id::{FileId, LeaseKey};
    use bytes::Bytes;

    /// One of each.
    pub(crate) fn all() -> Vec<RequestContext> {
        let create_guid = Guid::from_bytes([3; 16]);
        let file_id = FileId {
            persistent: 1,
            volatile: 2,
        };
        vec![
            RequestContext::Ea(EaBuffer {
                list: Bytes::from_static(b"eas"),
            }),
            RequestContext::Sd(SdBuffer {
                descriptor: Bytes::from_static(b"sd"),
            }),
            RequestContext::Durable(DurableRequest),
            RequestContext::DurableReconnect(DurableReconnect { file_id }),
            RequestContext::AllocationSize(AllocationSize { allocation_size: 5 }),
            RequestContext::MaximalAccess(MaximalAccessRequest {
                timestamp: Some(FileTime(6)),
            }),
            RequestContext::Timewarp(TimewarpToken {
                timestamp: FileTime(7),
            }),
            RequestContext::DiskId(DiskIdRequest),
            RequestContext::Lease(Lease {
                key: LeaseKey([8; 16]),
                state: LeaseState::READ,
                flags: LeaseFlags::empty(),
                v2: None,
            }),
            RequestContext::DurableV2(DurableRequestV2 {
                timeout_ms: 9,
                flags: DurableFlags::PERSISTENT,
                create_guid,
            }),
            RequestContext::DurableReconnectV2(DurableReconnectV2 {
                file_id,
                create_guid,
                flags: DurableFlags::empty(),
            }),
            RequestContext::AppInstanceId(AppInstanceId {
                app_instance_id: Guid::from_bytes([10; 16]),
            }),
            RequestContext::AppInstanceVersion(AppInstanceVersion { high: 11, low: 12 }),
            RequestContext::Svhdx(SvhdxOpenDevice {
                initiator_id: None,
                flags: 0,
                originator_flags: 1,
                open_request_id: 13,
                initiator_host_name: "h".to_owned(),
                v2: None,
            }),
            RequestContext::Posix(PosixRequest { mode: 0o600 }),
            RequestContext::Aapl(AaplRequest::ServerQuery {
                bitmap: AaplQueryBits::MODEL_INFO,
                client_caps: AaplCaps::UNIX_BASED,
            }),
        ]
    }

    #[test]
    fn every_name_leads_back_to_its_context() {
        for context in all() {
            assert_eq!(RequestContext::parse(&context.to_raw()), Ok(Some(context)));
        }
    }

    #[test]
    fn unknown_names_are_ignored_and_case_matters() {
        for name in [&b"mxac"[..], b"AISi", b"xxxxx", &[0; 16]] {
            let raw = RawContext {
                name: Bytes::copy_from_slice(name),
                data: Bytes::new(),
            };
            assert_eq!(RequestContext::parse(&raw), Ok(None));
        }
    }
}
