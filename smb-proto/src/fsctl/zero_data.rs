//! FSCTL_SET_ZERO_DATA.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// FILE_ZERO_DATA_INFORMATION, [MS-FSCC] 2.3, FSCTL_SET_ZERO_DATA request. There is no output.
///
/// Layout: FileOffset (8), BeyondFinalZero (8), both signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ZeroData {
    /// The first byte to become zero.
    pub file_offset: i64,
    /// The byte after the last one to become zero.
    pub beyond_final_zero: i64,
}

impl ZeroData {
    /// Reads the input buffer. Negative values and an end before the start are read; they have an
    /// answer of their own.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FILE_ZERO_DATA_INFORMATION");
        Ok(Self {
            file_offset: f.i64()?,
            beyond_final_zero: f.i64()?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.i64(self.file_offset);
        w.i64(self.beyond_final_zero);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed, written};

    /// Sent by smbtorture.
    #[test]
    fn real_request() {
        let bytes = hex("0000000000000000 0010000000000000");
        let value = ZeroData {
            file_offset: 0,
            beyond_final_zero: 4096,
        };
        assert_eq!(ZeroData::parse(&bytes), Ok(value));
        assert_eq!(written(|w| value.encode(w)), bytes);
        let negative = ZeroData {
            file_offset: -1,
            beyond_final_zero: i64::MIN,
        };
        round_trip_fixed(&negative, |v, w| v.encode(w), |b| ZeroData::parse(b));
    }
}
