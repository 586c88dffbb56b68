//! SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST and _RESPONSE, [MS-SMB2] 2.2.13.2.5 and 2.2.14.2.5.

use super::{RawContext, exact, pack};
use crate::dtyp::AccessMask;
use crate::wire::Writer;
use crate::{FileTime, NtStatus, ParseError};

/// Asks for the rights that the client could have had ("MxAc", request).
///
/// Layout: nothing, or Timestamp (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MaximalAccessRequest {
    /// If given, the answer is wanted only if the file was modified after this time.
    pub timestamp: Option<FileTime>,
}

impl MaximalAccessRequest {
    /// The context's name.
    pub const NAME: &'static [u8] = b"MxAc";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let timestamp = if data.is_empty() {
            None
        } else {
            let mut f = exact(data, 8, "SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST")?;
            Some(f.filetime()?)
        };
        Ok(Self { timestamp })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        if let Some(timestamp) = self.timestamp {
            w.filetime(timestamp);
        }
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// The rights that the client could have had ("MxAc", response).
///
/// Layout: QueryStatus (4), MaximalAccess (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MaximalAccessResponse {
    /// Whether the rights could be determined.
    pub query_status: NtStatus,
    /// The rights, if `query_status` is success.
    pub maximal_access: AccessMask,
}

impl MaximalAccessResponse {
    /// The context's name.
    pub const NAME: &'static [u8] = b"MxAc";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 8, "SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE")?;
        Ok(Self {
            query_status: NtStatus(f.u32()?),
            maximal_access: AccessMask::from_bits_retain(f.u32()?),
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.query_status.0);
        w.u32(self.maximal_access.bits());
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn request_with_and_without_time() {
        assert_eq!(
            MaximalAccessRequest::parse(&[]),
            Ok(MaximalAccessRequest { timestamp: None })
        );
        for len in [1, 4, 7, 9, 16] {
            assert!(MaximalAccessRequest::parse(&vec![0; len]).is_err());
        }
    }

    /// From a public capture.
    #[test]
    fn real_response() {
        let r = MaximalAccessResponse::parse(&hex("00000000 9f011700")).unwrap();
        assert_eq!(r.query_status, NtStatus::SUCCESS);
        assert_eq!(r.maximal_access.bits(), 0x0017_019f);
    }

    proptest! {
        #[test]
        fn round_trips(time: Option<u64>, status: u32, access: u32) {
            let request = MaximalAccessRequest { timestamp: time.map(FileTime) };
            round_trip(&request, |v, w| v.encode(w), |b| MaximalAccessRequest::parse(b));
            let response = MaximalAccessResponse {
                query_status: NtStatus(status),
                maximal_access: AccessMask::from_bits_retain(access),
            };
            round_trip_fixed(&response, |v, w| v.encode(w), |b| MaximalAccessResponse::parse(b));
        }
    }
}
