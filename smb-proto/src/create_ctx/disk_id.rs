//! SMB2_CREATE_QUERY_ON_DISK_ID, [MS-SMB2] 2.2.13.2.9 and 2.2.14.2.9.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::wire::Writer;

/// Asks for the identity of the file on its volume ("QFid", request). It carries no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DiskIdRequest;

impl DiskIdRequest {
    /// The context's name.
    pub const NAME: &'static [u8] = b"QFid";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        exact(data, 0, "SMB2_CREATE_QUERY_ON_DISK_ID").map(|_| Self)
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |_| ())
    }
}

/// The identity of the file on its volume ("QFid", response).
///
/// Layout: DiskFileId (8), VolumeId (8), Reserved (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DiskIdResponse {
    /// Unique among the files of the volume.
    pub disk_file_id: u64,
    /// The volume.
    pub volume_id: u64,
}

impl DiskIdResponse {
    /// The context's name.
    pub const NAME: &'static [u8] = b"QFid";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 32, "SMB2_CREATE_QUERY_ON_DISK_ID response")?;
        Ok(Self {
            disk_file_id: f.u64()?,
            volume_id: f.u64()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.disk_file_id);
        w.u64(self.volume_id);
        w.zeros(16);
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
    use crate::testing::{hex, round_trip_fixed};

    #[test]
    fn layouts() {
        assert_eq!(DiskIdRequest::parse(&[]), Ok(DiskIdRequest));
        assert!(DiskIdRequest::parse(&[0]).is_err());
        assert!(DiskIdRequest.to_raw().data.is_empty());
        // from a public capture
        let bytes = hex("ceee1d0000000000 0108000000000000 0000000000000000 0000000000000000");
        let value = DiskIdResponse {
            disk_file_id: 0x001d_eece,
            volume_id: 0x0801,
        };
        assert_eq!(DiskIdResponse::parse(&bytes), Ok(value));
        assert_eq!(value.to_raw().data, bytes);
        round_trip_fixed(&value, |v, w| v.encode(w), |b| DiskIdResponse::parse(b));
    }
}
