//! FSCTL_VALIDATE_NEGOTIATE_INFO: the client proves that nobody tampered with NEGOTIATE.

use super::list;
use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::{Fields, Writer, len16};

/// VALIDATE_NEGOTIATE_INFO request, [MS-SMB2] 2.2.31.4: what the client sent in its NEGOTIATE.
///
/// Layout: Capabilities (4), Guid (16), SecurityMode (2), DialectCount (2), Dialects (2 each).
/// The values are as they stand in NEGOTIATE, to be compared, not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ValidateNegotiateRequest {
    /// Capabilities of the client.
    pub capabilities: u32,
    /// ClientGuid.
    pub guid: Guid,
    /// SecurityMode of the client.
    pub security_mode: u16,
    /// The dialects that were offered.
    pub dialects: Vec<u16>,
}

impl ValidateNegotiateRequest {
    const WHAT: &'static str = "VALIDATE_NEGOTIATE_INFO request";

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let capabilities = f.u32()?;
        let guid = f.guid()?;
        let security_mode = f.u16()?;
        let count = usize::from(f.u16()?);
        Ok(Self {
            capabilities,
            guid,
            security_mode,
            dialects: list(&mut f, count, 2, |f| f.u16())?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.capabilities);
        w.guid(self.guid);
        w.u16(self.security_mode);
        w.u16(len16(self.dialects.len()));
        for &dialect in &self.dialects {
            w.u16(dialect);
        }
    }
}

/// VALIDATE_NEGOTIATE_INFO response, [MS-SMB2] 2.2.32.6: what the server answered to NEGOTIATE.
///
/// Layout: Capabilities (4), Guid (16), SecurityMode (2), Dialect (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ValidateNegotiateResponse {
    /// Capabilities of the server.
    pub capabilities: u32,
    /// ServerGuid.
    pub guid: Guid,
    /// SecurityMode of the server.
    pub security_mode: u16,
    /// The dialect that was chosen.
    pub dialect: u16,
}

impl ValidateNegotiateResponse {
    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "VALIDATE_NEGOTIATE_INFO response");
        Ok(Self {
            capabilities: f.u32()?,
            guid: f.guid()?,
            security_mode: f.u16()?,
            dialect: f.u16()?,
        })
    }

    /// Writes the output buffer, 24 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.capabilities);
        w.guid(self.guid);
        w.u16(self.security_mode);
        w.u16(self.dialect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    /// Sent by smbclient, answered by impacket's server.
    #[test]
    fn real_exchange() {
        let r = ValidateNegotiateRequest::parse(&hex(
            "00000000 00000000000000000000000000000000 0100 0100 0202",
        ))
        .unwrap();
        assert_eq!(r.security_mode, 1);
        assert_eq!(r.dialects, [0x0202]);
        let r = ValidateNegotiateResponse::parse(&hex(
            "00000000 41414141414141414141414141414141 0100 0202",
        ))
        .unwrap();
        assert_eq!(r.guid, Guid::from_bytes([0x41; 16]));
        assert_eq!(r.dialect, 0x0202);
    }

    proptest! {
        #[test]
        fn round_trips(
            capabilities: u32,
            guid: [u8; 16],
            security_mode: u16,
            dialects in prop::collection::vec(any::<u16>(), 0..8),
            dialect: u16,
        ) {
            let guid = Guid::from_bytes(guid);
            round_trip_fixed(
                &ValidateNegotiateRequest { capabilities, guid, security_mode, dialects },
                |v, w| v.encode(w),
                |b| ValidateNegotiateRequest::parse(b),
            );
            round_trip_fixed(
                &ValidateNegotiateResponse { capabilities, guid, security_mode, dialect },
                |v, w| v.encode(w),
                |b| ValidateNegotiateResponse::parse(b),
            );
        }
    }
}
