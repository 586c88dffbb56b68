//! Any one context of a CREATE response, [MS-SMB2] 2.2.14.2.

use super::{
    AaplResponse, DiskIdResponse, DurableResponse, DurableResponseV2, Lease, MaximalAccessResponse,
    PosixResponse, RawContext, SvhdxOpenDevice,
};
use crate::ParseError;

/// One known context of a CREATE response. The contexts that are missing here, among them the two
/// reconnects, have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ResponseContext {
    /// SMB2_CREATE_DURABLE_HANDLE_RESPONSE.
    Durable(DurableResponse),
    /// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE.
    MaximalAccess(MaximalAccessResponse),
    /// SMB2_CREATE_QUERY_ON_DISK_ID.
    DiskId(DiskIdResponse),
    /// SMB2_CREATE_RESPONSE_LEASE and SMB2_CREATE_RESPONSE_LEASE_V2.
    Lease(Lease),
    /// SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2.
    DurableV2(DurableResponseV2),
    /// SVHDX_OPEN_DEVICE_CONTEXT_RESPONSE.
    Svhdx(SvhdxOpenDevice),
    /// SMB2_CREATE_POSIX.
    Posix(PosixResponse),
    /// AAPL.
    Aapl(AaplResponse),
}

impl ResponseContext {
    /// Reads a context by its name; `None` for one that is not known and is to be ignored.
    pub fn parse(raw: &RawContext) -> Result<Option<Self>, ParseError> {
        let data = &raw.data;
        Ok(Some(match raw.name.as_ref() {
            DurableResponse::NAME => Self::Durable(DurableResponse::parse(data)?),
            MaximalAccessResponse::NAME => Self::MaximalAccess(MaximalAccessResponse::parse(data)?),
            DiskIdResponse::NAME => Self::DiskId(DiskIdResponse::parse(data)?),
            Lease::NAME => Self::Lease(Lease::parse(data)?),
            DurableResponseV2::NAME => Self::DurableV2(DurableResponseV2::parse(data)?),
            SvhdxOpenDevice::NAME => Self::Svhdx(SvhdxOpenDevice::parse(data)?),
            PosixResponse::NAME => Self::Posix(PosixResponse::parse(data)?),
            AaplResponse::NAME => Self::Aapl(AaplResponse::parse(data)?),
            _ => return Ok(None),
        }))
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        match self {
            Self::Durable(c) => c.to_raw(),
            Self::MaximalAccess(c) => c.to_raw(),
            Self::DiskId(c) => c.to_raw(),
            Self::Lease(c) => c.to_raw(),
            Self::DurableV2(c) => c.to_raw(),
            Self::Svhdx(c) => c.to_raw(),
            Self::Posix(c) => c.to_raw(),
            Self::Aapl(c) => c.to_raw(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        AaplServerReply, AppInstanceId, AppInstanceVersion, DurableFlags, LeaseFlags, LeaseState,
        LeaseV2, RequestContext, encode_chain, parse_chain,
    };
    use super::*;
    use crate::NtStatus;
    use crate::dtyp::AccessMask;
    use crate::id::LeaseKey;
    use crate::testing::{hex, written};
    use proptest::prelude::*;

    #[test]
    fn every_name_leads_back_to_its_context() {
        let sid = hex("01 01 000000000005 12000000");
        let all = [
            ResponseContext::Durable(DurableResponse),
            ResponseContext::MaximalAccess(MaximalAccessResponse {
                query_status: NtStatus::SUCCESS,
                maximal_access: AccessMask::FILE_READ_DATA,
            }),
            ResponseContext::DiskId(DiskIdResponse {
                disk_file_id: 1,
                volume_id: 2,
            }),
            ResponseContext::Lease(Lease {
                key: LeaseKey([3; 16]),
                state: LeaseState::READ,
                flags: LeaseFlags::BREAK_IN_PROGRESS,
                v2: Some(LeaseV2 {
                    parent_key: LeaseKey::default(),
                    epoch: 4,
                }),
            }),
            ResponseContext::DurableV2(DurableResponseV2 {
                timeout_ms: 60_000,
                flags: DurableFlags::empty(),
            }),
            ResponseContext::Svhdx(SvhdxOpenDevice {
                initiator_id: None,
                flags: 0,
                originator_flags: 1,
                open_request_id: 13,
                initiator_host_name: String::new(),
                v2: None,
            }),
            ResponseContext::Posix(PosixResponse {
                nlink: 1,
                reparse_tag: 0,
                mode: 0o644,
                owner: sid.clone(),
                group: sid,
            }),
            ResponseContext::Aapl(AaplResponse::ServerQuery(AaplServerReply::default())),
        ];
        let raw: Vec<RawContext> = all.iter().map(ResponseContext::to_raw).collect();
        let bytes = written(|w| encode_chain(&raw, w));
        let back: Vec<_> = parse_chain(&bytes)
            .unwrap()
            .iter()
            .map(|raw| ResponseContext::parse(raw).unwrap().unwrap())
            .collect();
        assert_eq!(back, all);
    }

    #[test]
    fn names_without_an_answer_are_ignored() {
        for name in [&b"DHnC"[..], b"DH2C", b"AlSi", b"TWrp", b"ExtA", b"SecD"] {
            assert_eq!(
                ResponseContext::parse(&RawContext::new(name, vec![1])),
                Ok(None)
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_in_any_context_never_panics(
            name in prop::sample::select(vec![
                &b"ExtA"[..], b"SecD", b"DHnQ", b"DHnC", b"AlSi", b"MxAc", b"TWrp", b"QFid", b"RqLs",
                b"DH2Q", b"DH2C", b"AAPL", AppInstanceId::NAME, AppInstanceVersion::NAME,
                SvhdxOpenDevice::NAME, PosixResponse::NAME,
            ]),
            first in 0u8..4,
            mut data in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            // AAPL and SVHDX begin with a small number that leads on
            if let Some(head) = data.first_chunk_mut::<4>() {
                *head = [first, 0, 0, 0];
            }
            let raw = RawContext::new(name, data);
            let _ = RequestContext::parse(&raw);
            let _ = ResponseContext::parse(&raw);
        }
    }
}
