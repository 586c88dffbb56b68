//! FSCTL_FILE_LEVEL_TRIM: ranges of a file whose contents are no longer needed.

use super::{list, size};
use crate::ParseError;
use crate::wire::{Fields, Writer, len32};

/// FILE_LEVEL_TRIM_RANGE, [MS-FSCC] 2.3.13.1.
///
/// Layout: Offset (8), Length (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrimRange {
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// FILE_LEVEL_TRIM, [MS-FSCC] 2.3.13.
///
/// Layout: Key (4), NumRanges (4), Ranges (16 each).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileLevelTrim {
    /// Reserved key of a range lock; zero.
    pub key: u32,
    /// The ranges.
    pub ranges: Vec<TrimRange>,
}

impl FileLevelTrim {
    const WHAT: &'static str = "FILE_LEVEL_TRIM";

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let key = f.u32()?;
        let count = size(f.u32()?, Self::WHAT)?;
        let ranges = list(&mut f, count, 16, |f| {
            Ok(TrimRange {
                offset: f.u64()?,
                length: f.u64()?,
            })
        })?;
        Ok(Self { key, ranges })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.key);
        w.u32(len32(self.ranges.len()));
        for range in &self.ranges {
            w.u64(range.offset);
            w.u64(range.length);
        }
    }
}

/// FILE_LEVEL_TRIM_OUTPUT, [MS-FSCC] 2.3.14.
///
/// Layout: NumRangesProcessed (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileLevelTrimOutput {
    /// Ranges that were trimmed, counted from the first.
    pub num_ranges_processed: u32,
}

impl FileLevelTrimOutput {
    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "FILE_LEVEL_TRIM_OUTPUT");
        Ok(Self {
            num_ranges_processed: f.u32()?,
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.num_ranges_processed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::round_trip_fixed;
    use proptest::prelude::*;

    #[test]
    fn a_count_beyond_the_input_is_refused() {
        let mut input = [0; 24];
        input[4..8].fill(0xff);
        assert!(matches!(
            FileLevelTrim::parse(&input),
            Err(ParseError::Truncated(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(key: u32, raw in prop::collection::vec(any::<(u64, u64)>(), 0..5), n: u32) {
            let ranges = raw
                .into_iter()
                .map(|(offset, length)| TrimRange { offset, length })
                .collect();
            let value = FileLevelTrim { key, ranges };
            round_trip_fixed(&value, |v, w| v.encode(w), |b| FileLevelTrim::parse(b));
            let output = FileLevelTrimOutput { num_ranges_processed: n };
            round_trip_fixed(&output, |v, w| v.encode(w), |b| FileLevelTrimOutput::parse(b));
        }
    }
}
