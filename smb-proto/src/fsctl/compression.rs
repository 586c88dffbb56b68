//! FSCTL_GET_COMPRESSION and FSCTL_SET_COMPRESSION.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// Compression state of a file or directory, [MS-FSCC] 2.3, FSCTL_GET_COMPRESSION reply and
/// FSCTL_SET_COMPRESSION request.
///
/// Layout: CompressionState (2). Other values than the constants are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CompressionState(pub u16);

impl CompressionState {
    /// COMPRESSION_FORMAT_NONE.
    pub const NONE: Self = Self(0);
    /// COMPRESSION_FORMAT_DEFAULT: compressed in the way that the file system prefers.
    pub const DEFAULT: Self = Self(1);
    /// COMPRESSION_FORMAT_LZNT1.
    pub const LZNT1: Self = Self(2);

    /// Reads the buffer.
    pub fn parse(buffer: &[u8]) -> Result<Self, ParseError> {
        Fields::new(buffer, "CompressionState").u16().map(Self)
    }

    /// Writes the buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::round_trip_fixed;

    #[test]
    fn layout() {
        for state in [
            CompressionState::NONE,
            CompressionState::LZNT1,
            CompressionState(0x0102),
        ] {
            round_trip_fixed(&state, |v, w| v.encode(w), |b| CompressionState::parse(b));
        }
        assert_eq!(
            CompressionState::parse(&[2, 0]),
            Ok(CompressionState::LZNT1)
        );
    }
}
