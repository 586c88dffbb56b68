//! All contexts of a CREATE request together.

use super::{
    AaplRequest, AllocationSize, AppInstanceId, AppInstanceVersion, DiskIdRequest,
    DurableReconnect, DurableReconnectV2, DurableRequest, DurableRequestV2, EaBuffer, Lease,
    MaximalAccessRequest, PosixRequest, RawContext, RequestContext, SdBuffer, SvhdxOpenDevice,
    TimewarpToken,
};
use crate::ParseError;

/// What the contexts of one CREATE request ask for, in whatever order they came
/// ([MS-SMB2] 2.2.13.2: there is no required order).
///
/// A name may be there more than once: neither [MS-SMB2] 2.2.13.2 nor 3.3.5.9 forbids it or says
/// which counts. Here the first counts, as with Samba and Linux's in-kernel server, which look a
/// context up by its name and take the first they find. Both versions of a lease are one context in
/// this respect, since they share their name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Requested {
    /// Extended attributes for a new file.
    pub ea: Option<EaBuffer>,
    /// Security descriptor for a new file.
    pub sd: Option<SdBuffer>,
    /// The open is to be durable.
    pub durable: Option<DurableRequest>,
    /// A durable open is to be taken up again.
    pub durable_reconnect: Option<DurableReconnect>,
    /// Space to reserve.
    pub allocation_size: Option<AllocationSize>,
    /// The maximal access is asked for.
    pub maximal_access: Option<MaximalAccessRequest>,
    /// The file is to be opened as it was in a snapshot.
    pub timewarp: Option<TimewarpToken>,
    /// The identity on disk is asked for.
    pub disk_id: Option<DiskIdRequest>,
    /// A lease is asked for.
    pub lease: Option<Lease>,
    /// The open is to be durable or persistent.
    pub durable_v2: Option<DurableRequestV2>,
    /// A durable or persistent open is to be taken up again.
    pub durable_reconnect_v2: Option<DurableReconnectV2>,
    /// The application that opens.
    pub app_instance_id: Option<AppInstanceId>,
    /// The version of the application that opens.
    pub app_instance_version: Option<AppInstanceVersion>,
    /// The file is a shared virtual disk.
    pub svhdx: Option<SvhdxOpenDevice>,
    /// The open is to have POSIX semantics.
    pub posix: Option<PosixRequest>,
    /// What macOS asks.
    pub aapl: Option<AaplRequest>,
}

impl Requested {
    /// Sorts the contexts of a request. Names that are not known are ignored.
    ///
    /// # Errors
    ///
    /// Those of the first known context whose data is malformed, be it a repeated one.
    pub fn from_raw(contexts: &[RawContext]) -> Result<Self, ParseError> {
        fn first<T>(place: &mut Option<T>, value: T) {
            place.get_or_insert(value);
        }
        let mut all = Self::default();
        for raw in contexts {
            let Some(context) = RequestContext::parse(raw)? else {
                continue;
            };
            match context {
                RequestContext::Ea(c) => first(&mut all.ea, c),
                RequestContext::Sd(c) => first(&mut all.sd, c),
                RequestContext::Durable(c) => first(&mut all.durable, c),
                RequestContext::DurableReconnect(c) => first(&mut all.durable_reconnect, c),
                RequestContext::AllocationSize(c) => first(&mut all.allocation_size, c),
                RequestContext::MaximalAccess(c) => first(&mut all.maximal_access, c),
                RequestContext::Timewarp(c) => first(&mut all.timewarp, c),
                RequestContext::DiskId(c) => first(&mut all.disk_id, c),
                RequestContext::Lease(c) => first(&mut all.lease, c),
                RequestContext::DurableV2(c) => first(&mut all.durable_v2, c),
                RequestContext::DurableReconnectV2(c) => first(&mut all.durable_reconnect_v2, c),
                RequestContext::AppInstanceId(c) => first(&mut all.app_instance_id, c),
                RequestContext::AppInstanceVersion(c) => first(&mut all.app_instance_version, c),
                RequestContext::Svhdx(c) => first(&mut all.svhdx, c),
                RequestContext::Posix(c) => first(&mut all.posix, c),
                RequestContext::Aapl(c) => first(&mut all.aapl, c),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::create_ctx::request::tests::all;

    #[test]
    fn every_context_finds_its_place() {
        let raw: Vec<RawContext> = all().iter().map(RequestContext::to_raw).collect();
        let r = Requested::from_raw(&raw).unwrap();
        let found: Vec<Option<RequestContext>> = vec![
            r.ea.map(RequestContext::Ea),
            r.sd.map(RequestContext::Sd),
            r.durable.map(RequestContext::Durable),
            r.durable_reconnect.map(RequestContext::DurableReconnect),
            r.allocation_size.map(RequestContext::AllocationSize),
            r.maximal_access.map(RequestContext::MaximalAccess),
            r.timewarp.map(RequestContext::Timewarp),
            r.disk_id.map(RequestContext::DiskId),
            r.lease.map(RequestContext::Lease),
            r.durable_v2.map(RequestContext::DurableV2),
            r.durable_reconnect_v2
                .map(RequestContext::DurableReconnectV2),
            r.app_instance_id.map(RequestContext::AppInstanceId),
            r.app_instance_version
                .map(RequestContext::AppInstanceVersion),
            r.svhdx.map(RequestContext::Svhdx),
            r.posix.map(RequestContext::Posix),
            r.aapl.map(RequestContext::Aapl),
        ];
        let expected: Vec<Option<RequestContext>> = all().into_iter().map(Some).collect();
        assert_eq!(found, expected);
        assert_eq!(Requested::from_raw(&[]), Ok(Requested::default()));
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let raw = [1, 2].map(|allocation_size| AllocationSize { allocation_size }.to_raw());
        let r = Requested::from_raw(&raw).unwrap();
        assert_eq!(r.allocation_size.unwrap().allocation_size, 1);
    }

    #[test]
    fn a_malformed_context_is_an_error_and_an_unknown_one_is_not() {
        assert!(Requested::from_raw(&[RawContext::new(b"AlSi", vec![0; 7])]).is_err());
        assert_eq!(
            Requested::from_raw(&[RawContext::new(b"Whatever", vec![0; 7])]),
            Ok(Requested::default())
        );
    }
}
