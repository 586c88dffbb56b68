//! Durable handles of SMB 2.1: SMB2_CREATE_DURABLE_HANDLE_REQUEST and _RECONNECT,
//! [MS-SMB2] 2.2.13.2.3, 2.2.13.2.4 and 2.2.14.2.3.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::id::FileId;
use crate::wire::Writer;

/// Asks for a durable open ("DHnQ", request), [MS-SMB2] 2.2.13.2.3: DurableRequest, 16 reserved
/// bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableRequest;

impl DurableRequest {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DHnQ";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        exact(data, 16, "SMB2_CREATE_DURABLE_HANDLE_REQUEST").map(|_| Self)
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.zeros(16);
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// The open was made durable ("DHnQ", response), [MS-SMB2] 2.2.14.2.3: 8 reserved bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableResponse;

impl DurableResponse {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DHnQ";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        exact(data, 8, "SMB2_CREATE_DURABLE_HANDLE_RESPONSE").map(|_| Self)
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.zeros(8);
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// Asks to reconnect to a durable open ("DHnC"), [MS-SMB2] 2.2.13.2.4: Data, the 16 bytes of an
/// SMB2_FILEID. There is no context in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableReconnect {
    /// The open, as it was called before the connection was lost.
    pub file_id: FileId,
}

impl DurableReconnect {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DHnC";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 16, "SMB2_CREATE_DURABLE_HANDLE_RECONNECT")?;
        Ok(Self {
            file_id: FileId {
                persistent: f.u64()?,
                volatile: f.u64()?,
            },
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.file_id.persistent);
        w.u64(self.file_id.volatile);
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
    use crate::testing::round_trip_fixed;

    #[test]
    fn layouts() {
        round_trip_fixed(
            &DurableRequest,
            |v, w| v.encode(w),
            |b| DurableRequest::parse(b),
        );
        round_trip_fixed(
            &DurableResponse,
            |v, w| v.encode(w),
            |b| DurableResponse::parse(b),
        );
        let reconnect = DurableReconnect {
            file_id: FileId {
                persistent: 0x0102_0304_0506_0708,
                volatile: 9,
            },
        };
        round_trip_fixed(
            &reconnect,
            |v, w| v.encode(w),
            |b| DurableReconnect::parse(b),
        );
        let raw = reconnect.to_raw();
        assert_eq!(
            raw.data[..],
            [8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0]
        );
        assert!(matches!(
            DurableRequest::parse(&[0; 17]),
            Err(ParseError::BadStructure(_))
        ));
    }
}
