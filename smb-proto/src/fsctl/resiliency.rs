//! FSCTL_LMR_REQUEST_RESILIENCY: an open that survives a lost connection.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// NETWORK_RESILIENCY_REQUEST, [MS-SMB2] 2.2.31.3. The response has no output.
///
/// Layout: Timeout (4), Reserved (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ResiliencyRequest {
    /// Milliseconds that the open should outlive its connection; 0 leaves it to the server.
    pub timeout_ms: u32,
}

impl ResiliencyRequest {
    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "NETWORK_RESILIENCY_REQUEST");
        let timeout_ms = f.u32()?;
        f.u32()?;
        Ok(Self { timeout_ms })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.timeout_ms);
        w.u32(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed, written};

    #[test]
    fn layout() {
        let value = ResiliencyRequest { timeout_ms: 60_000 };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| ResiliencyRequest::parse(b));
        assert_eq!(written(|w| value.encode(w)), hex("60ea0000 00000000"));
    }
}
