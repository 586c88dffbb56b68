//! Durable and persistent handles of SMB 3.x: SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 and
//! _RECONNECT_V2, [MS-SMB2] 2.2.13.2.11, 2.2.13.2.12 and 2.2.14.2.12.

use bitflags::bitflags;

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::dtyp::Guid;
use crate::id::FileId;
use crate::wire::Writer;

bitflags! {
    /// Flags of the version 2 contexts. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct DurableFlags: u32 {
        /// SMB2_DHANDLE_FLAG_PERSISTENT: the open is to survive a failure of the server.
        const PERSISTENT = 0x0000_0002;
        const _ = !0;
    }
}

/// Asks for a durable open ("DH2Q", request), [MS-SMB2] 2.2.13.2.11.
///
/// Layout: Timeout (4), Flags (4), Reserved (8), CreateGuid (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableRequestV2 {
    /// Milliseconds that the open should outlive its connection; 0 leaves it to the server.
    pub timeout_ms: u32,
    /// Whether the open should be persistent.
    pub flags: DurableFlags,
    /// The client's name for this CREATE, by which a replay is recognised.
    pub create_guid: Guid,
}

impl DurableRequestV2 {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DH2Q";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 32, "SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2")?;
        let timeout_ms = f.u32()?;
        let flags = DurableFlags::from_bits_retain(f.u32()?);
        f.skip(8)?;
        Ok(Self {
            timeout_ms,
            flags,
            create_guid: f.guid()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.timeout_ms);
        w.u32(self.flags.bits());
        w.zeros(8);
        w.guid(self.create_guid);
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// The open was made durable ("DH2Q", response), [MS-SMB2] 2.2.14.2.12.
///
/// Layout: Timeout (4), Flags (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableResponseV2 {
    /// Milliseconds that the open will outlive its connection.
    pub timeout_ms: u32,
    /// Whether the open is persistent.
    pub flags: DurableFlags,
}

impl DurableResponseV2 {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DH2Q";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 8, "SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2")?;
        Ok(Self {
            timeout_ms: f.u32()?,
            flags: DurableFlags::from_bits_retain(f.u32()?),
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.timeout_ms);
        w.u32(self.flags.bits());
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// Asks to reconnect to a durable open ("DH2C"), [MS-SMB2] 2.2.13.2.12. There is no context in the
/// response.
///
/// Layout: FileId (16), CreateGuid (16), Flags (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DurableReconnectV2 {
    /// The open, as it was called before the connection was lost.
    pub file_id: FileId,
    /// The CreateGuid of the request that made the open.
    pub create_guid: Guid,
    /// Whether the open is persistent.
    pub flags: DurableFlags,
}

impl DurableReconnectV2 {
    /// The context's name.
    pub const NAME: &'static [u8] = b"DH2C";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 36, "SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2")?;
        Ok(Self {
            file_id: FileId {
                persistent: f.u64()?,
                volatile: f.u64()?,
            },
            create_guid: f.guid()?,
            flags: DurableFlags::from_bits_retain(f.u32()?),
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.file_id.persistent);
        w.u64(self.file_id.volatile);
        w.guid(self.create_guid);
        w.u32(self.flags.bits());
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
    use proptest::prelude::*;

    /// Sent by smbtorture.
    #[test]
    fn real_contexts() {
        let q = DurableRequestV2::parse(&hex(
            "ffffffff 00000000 0000000000000000 01e2032084e5a44884149394fee46475",
        ))
        .unwrap();
        assert_eq!(q.timeout_ms, u32::MAX);
        assert!(q.flags.is_empty());
        assert_eq!(q.create_guid.to_bytes()[..4], [0x01, 0xe2, 0x03, 0x20]);
        let c = DurableReconnectV2::parse(&hex(
            "39f6a756000000004ce8018200000000 1339c64a7978b84481d1c81006d8f51d 00000000",
        ))
        .unwrap();
        assert_eq!(c.file_id.persistent, 0x56a7_f639);
        assert_eq!(c.file_id.volatile, 0x8201_e84c);
        assert_eq!(c.create_guid.to_bytes()[15], 0x1d);
    }

    proptest! {
        #[test]
        fn round_trip(timeout_ms: u32, flags: u32, guid: [u8; 16], persistent: u64, volatile: u64) {
            let flags = DurableFlags::from_bits_retain(flags);
            let create_guid = Guid::from_bytes(guid);
            let file_id = FileId { persistent, volatile };
            round_trip_fixed(
                &DurableRequestV2 { timeout_ms, flags, create_guid },
                |v, w| v.encode(w),
                |b| DurableRequestV2::parse(b),
            );
            round_trip_fixed(
                &DurableResponseV2 { timeout_ms, flags },
                |v, w| v.encode(w),
                |b| DurableResponseV2::parse(b),
            );
            round_trip_fixed(
                &DurableReconnectV2 { file_id, create_guid, flags },
                |v, w| v.encode(w),
                |b| DurableReconnectV2::parse(b),
            );
        }
    }
}
