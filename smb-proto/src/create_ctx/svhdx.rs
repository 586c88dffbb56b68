//! SVHDX_OPEN_DEVICE_CONTEXT, [MS-SMB2] 2.2.13.2.14 and 2.2.14.2.14, laid out in [MS-RSVD] 2.2.4.12,
//! 2.2.4.31 and 2.2.4.32.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, decode_utf16, len16, utf16_len};

/// Room for the host name in bytes of UTF-16.
const NAME_ROOM: usize = 126;
const LEN_V1: usize = 168;
const LEN_V2: usize = 192;
const VERSION_1: u32 = 1;
const VERSION_2: u32 = 2;
const WHAT: &str = "SVHDX_OPEN_DEVICE_CONTEXT";

/// Opens a shared virtual disk; the response has the same layout as the request.
///
/// Layout: Version (4), HasInitiatorId (1), Reserved (3), InitiatorId (16), Flags (4),
/// OriginatorFlags (4), OpenRequestId (8), InitiatorHostNameLength (2), InitiatorHostName (126);
/// version 2 goes on with [`VirtualDiskProperties`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SvhdxOpenDevice {
    /// The initiator, if the message names one.
    pub initiator_id: Option<Guid>,
    /// Reserved flags of the application.
    pub flags: u32,
    /// Which component opens the disk: 1 for a virtual SCSI disk, 4 for a file.
    pub originator_flags: u32,
    /// The client's number for this request.
    pub open_request_id: u64,
    /// Computer name of the initiator, at most 63 UTF-16 units.
    pub initiator_host_name: String,
    /// What version 2 adds; `None` is version 1.
    pub v2: Option<VirtualDiskProperties>,
}

/// The fields that only version 2 has, [MS-RSVD] 2.2.4.32; in requests they are zero.
///
/// Layout: VirtualDiskPropertiesInitialized (4), ServerServiceVersion (4), VirtualSectorSize (4),
/// PhysicalSectorSize (4), VirtualSize (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct VirtualDiskProperties {
    /// Not zero if the other fields are valid.
    pub initialized: u32,
    /// Version of the protocol that the server speaks.
    pub server_service_version: u32,
    /// Bytes in a sector of the virtual disk.
    pub virtual_sector_size: u32,
    /// Bytes in a sector of the disk beneath.
    pub physical_sector_size: u32,
    /// Bytes in the virtual disk.
    pub virtual_size: u64,
}

impl SvhdxOpenDevice {
    /// The context's name.
    pub const NAME: &'static [u8] =
        b"\x9C\xCB\xCF\x9E\x04\xC1\xE6\x43\x98\x0E\x15\x8D\xA1\xF6\xEC\x83";

    /// Reads the data of the context.
    ///
    /// # Errors
    ///
    /// [`ParseError::BadStructure`] for an unknown version or a length that is not that of the
    /// version, [`ParseError::BadValue`] for HasInitiatorId other than 0 and 1,
    /// [`ParseError::OutOfBounds`] for a name longer than its field.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let version = Fields::new(data, WHAT).u32()?;
        let len = match version {
            VERSION_1 => LEN_V1,
            VERSION_2 => LEN_V2,
            _ => return Err(ParseError::BadStructure(WHAT)),
        };
        let mut f = exact(data, len, WHAT)?;
        f.u32()?; // Version
        let has_initiator_id = match f.u8()? {
            0 => false,
            1 => true,
            _ => {
                return Err(ParseError::BadValue(
                    "SVHDX_OPEN_DEVICE_CONTEXT HasInitiatorId",
                ));
            }
        };
        f.skip(3)?;
        let initiator_id = Some(f.guid()?).filter(|_| has_initiator_id);
        let flags = f.u32()?;
        let originator_flags = f.u32()?;
        let open_request_id = f.u64()?;
        let name_len = usize::from(f.u16()?);
        let name = f
            .bytes(NAME_ROOM)?
            .get(..name_len)
            .ok_or(ParseError::OutOfBounds(
                "SVHDX_OPEN_DEVICE_CONTEXT InitiatorHostNameLength",
            ))?;
        let initiator_host_name =
            decode_utf16(name, "SVHDX_OPEN_DEVICE_CONTEXT InitiatorHostName")?;
        let v2 = if version == VERSION_2 {
            Some(VirtualDiskProperties {
                initialized: f.u32()?,
                server_service_version: f.u32()?,
                virtual_sector_size: f.u32()?,
                physical_sector_size: f.u32()?,
                virtual_size: f.u64()?,
            })
        } else {
            None
        };
        Ok(Self {
            initiator_id,
            flags,
            originator_flags,
            open_request_id,
            initiator_host_name,
            v2,
        })
    }

    /// Writes the data of the context. What of the host name exceeds its field is cut off at a
    /// character.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(if self.v2.is_some() {
            VERSION_2
        } else {
            VERSION_1
        });
        w.u8(u8::from(self.initiator_id.is_some()));
        w.zeros(3);
        w.guid(self.initiator_id.unwrap_or(Guid::NIL));
        w.u32(self.flags);
        w.u32(self.originator_flags);
        w.u64(self.open_request_id);
        let mut name = self.initiator_host_name.as_str();
        while utf16_len(name) > NAME_ROOM {
            let last = name.char_indices().next_back().map_or(0, |(at, _)| at);
            name = name.get(..last).unwrap_or_default();
        }
        let name_len = utf16_len(name);
        w.u16(len16(name_len));
        w.utf16(name);
        w.zeros(NAME_ROOM.saturating_sub(name_len));
        if let Some(v2) = self.v2 {
            w.u32(v2.initialized);
            w.u32(v2.server_service_version);
            w.u32(v2.virtual_sector_size);
            w.u32(v2.physical_sector_size);
            w.u64(v2.virtual_size);
        }
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
    use crate::testing::{hex, round_trip_fixed, written};
    use proptest::prelude::*;

    /// The request of [MS-RSVD] 4.1.
    #[test]
    fn published_example() {
        let value = SvhdxOpenDevice {
            initiator_id: Some(Guid::from_bytes([7; 16])),
            flags: 0,
            originator_flags: 1,
            open_request_id: 0x1ec7_871e,
            initiator_host_name: "client01".to_owned(),
            v2: None,
        };
        let mut bytes = hex(
            "01000000 01 000000 07070707070707070707070707070707 00000000
             01000000 1e87c71e00000000 1000 63006c00690065006e0074003000 3100",
        )
        .to_vec();
        bytes.resize(LEN_V1, 0);
        assert_eq!(SvhdxOpenDevice::parse(&bytes).as_ref(), Ok(&value));
        assert_eq!(value.to_raw().data, bytes);
    }

    #[test]
    fn refusals() {
        let good = written(|w| {
            SvhdxOpenDevice {
                initiator_id: None,
                flags: 0,
                originator_flags: 4,
                open_request_id: 1,
                initiator_host_name: "é".repeat(70),
                v2: Some(VirtualDiskProperties::default()),
            }
            .encode(w);
        });
        let cut = SvhdxOpenDevice::parse(&good).unwrap();
        assert_eq!(cut.initiator_host_name, "é".repeat(63));
        let with = |at: usize, v: u8| {
            let mut b = good.to_vec();
            b[at] = v;
            SvhdxOpenDevice::parse(&b)
        };
        assert!(matches!(with(0, 1), Err(ParseError::BadStructure(_))));
        assert!(matches!(with(0, 3), Err(ParseError::BadStructure(_))));
        assert!(matches!(with(4, 2), Err(ParseError::BadValue(_))));
        assert!(matches!(with(40, 127), Err(ParseError::OutOfBounds(_))));
        assert!(matches!(with(40, 125), Err(ParseError::BadString(_))));
    }

    proptest! {
        #[test]
        fn round_trips(
            id: Option<[u8; 16]>,
            flags: u32,
            originator_flags: u32,
            open_request_id: u64,
            initiator_host_name in "\\PC{0,31}",
            v2: Option<(u32, u32, u32, u32, u64)>,
        ) {
            let value = SvhdxOpenDevice {
                initiator_id: id.map(Guid::from_bytes),
                flags,
                originator_flags,
                open_request_id,
                initiator_host_name,
                v2: v2.map(|(a, b, c, d, e)| VirtualDiskProperties {
                    initialized: a,
                    server_service_version: b,
                    virtual_sector_size: c,
                    physical_sector_size: d,
                    virtual_size: e,
                }),
            };
            round_trip_fixed(&value, |v, w| v.encode(w), |b| SvhdxOpenDevice::parse(b));
        }
    }
}
