//! FSCTL_QUERY_ALLOCATED_RANGES: which parts of a sparse file have storage.

use super::list;
use crate::ParseError;
use crate::wire::{Fields, Writer};

/// FILE_ALLOCATED_RANGE_BUFFER, [MS-FSCC] 2.3, FSCTL_QUERY_ALLOCATED_RANGES. The input is one, the
/// output a list of them.
///
/// Layout: FileOffset (8), Length (8), both signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileAllocatedRange {
    /// Bytes from the start of the file.
    pub file_offset: i64,
    /// Bytes.
    pub length: i64,
}

impl FileAllocatedRange {
    /// Bytes of one range.
    pub const LEN: usize = 16;

    const WHAT: &'static str = "FILE_ALLOCATED_RANGE_BUFFER";

    /// Reads the input buffer. Negative values are read; they have an answer of their own.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Self::read(&mut Fields::new(input, Self::WHAT))
    }

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            file_offset: f.i64()?,
            length: f.i64()?,
        })
    }

    /// Writes one range.
    pub fn encode(&self, w: &mut Writer) {
        w.i64(self.file_offset);
        w.i64(self.length);
    }
}

/// Reads the output buffer. A part of a range at the end is [`ParseError::BadStructure`].
pub fn parse_ranges(output: &[u8]) -> Result<Vec<FileAllocatedRange>, ParseError> {
    let count = output.len() / FileAllocatedRange::LEN;
    let mut f = Fields::new(output, FileAllocatedRange::WHAT);
    let ranges = list(
        &mut f,
        count,
        FileAllocatedRange::LEN,
        FileAllocatedRange::read,
    )?;
    if f.rest().is_empty() {
        Ok(ranges)
    } else {
        Err(ParseError::BadStructure(FileAllocatedRange::WHAT))
    }
}

/// Writes the output buffer.
pub fn encode_ranges(ranges: &[FileAllocatedRange], w: &mut Writer) {
    for range in ranges {
        range.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{round_trip, round_trip_fixed};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(raw in prop::collection::vec(any::<(i64, i64)>(), 1..5)) {
            let ranges: Vec<_> = raw
                .into_iter()
                .map(|(file_offset, length)| FileAllocatedRange { file_offset, length })
                .collect();
            round_trip_fixed(&ranges[0], |v, w| v.encode(w), |b| FileAllocatedRange::parse(b));
            let bytes = round_trip(&ranges, |v, w| encode_ranges(v, w), |b| parse_ranges(b));
            for len in 0..bytes.len() {
                prop_assert_eq!(parse_ranges(&bytes[..len]).is_ok(), len % 16 == 0);
            }
        }
    }
}
