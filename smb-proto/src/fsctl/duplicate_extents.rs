//! FSCTL_DUPLICATE_EXTENTS_TO_FILE and its EX form: sharing storage between files (reflink).

use bitflags::bitflags;

use crate::ParseError;
use crate::id::FileId;
use crate::wire::{Fields, Writer};

/// SMB2_DUPLICATE_EXTENTS_DATA, [MS-FSCC] 2.3, FSCTL_DUPLICATE_EXTENTS_TO_FILE request. There is no
/// output.
///
/// Layout: SourceFileID (16), SourceFileOffset (8), TargetFileOffset (8), ByteCount (8), the last
/// three signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DuplicateExtents {
    /// The open to share from.
    pub source_file_id: FileId,
    /// Where to begin in the source.
    pub source_file_offset: i64,
    /// Where to begin in the target.
    pub target_file_offset: i64,
    /// Bytes.
    pub byte_count: i64,
}

impl DuplicateExtents {
    const WHAT: &'static str = "SMB2_DUPLICATE_EXTENTS_DATA";

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Self::read(&mut Fields::new(input, Self::WHAT))
    }

    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            source_file_id: FileId {
                persistent: f.u64()?,
                volatile: f.u64()?,
            },
            source_file_offset: f.i64()?,
            target_file_offset: f.i64()?,
            byte_count: f.i64()?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.source_file_id.persistent);
        w.u64(self.source_file_id.volatile);
        w.i64(self.source_file_offset);
        w.i64(self.target_file_offset);
        w.i64(self.byte_count);
    }
}

bitflags! {
    /// Flags of [`DuplicateExtentsEx`]. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct DuplicateExtentsFlags: u32 {
        /// DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC: all or nothing.
        const SOURCE_ATOMIC = 0x0000_0001;
        const _ = !0;
    }
}

/// SMB2_DUPLICATE_EXTENTS_DATA_EX, [MS-FSCC] 2.3, FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX request.
///
/// Layout: StructureSize (8, value 0x30), the fields of [`DuplicateExtents`] (40), Flags (4),
/// Reserved (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DuplicateExtentsEx {
    /// What to share.
    pub extents: DuplicateExtents,
    /// How.
    pub flags: DuplicateExtentsFlags,
}

impl DuplicateExtentsEx {
    const STRUCTURE_SIZE: u64 = 0x30;
    const WHAT: &'static str = "SMB2_DUPLICATE_EXTENTS_DATA_EX";

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        if f.u64()? != Self::STRUCTURE_SIZE {
            return Err(ParseError::BadStructure(Self::WHAT));
        }
        let extents = DuplicateExtents::read(&mut f)?;
        let flags = DuplicateExtentsFlags::from_bits_retain(f.u32()?);
        f.u32()?;
        Ok(Self { extents, flags })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(Self::STRUCTURE_SIZE);
        self.extents.encode(w);
        w.u32(self.flags.bits());
        w.u32(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{round_trip_fixed, written};
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        let extents = DuplicateExtents::parse(&[1; 40]).unwrap();
        let ex = DuplicateExtentsEx {
            extents,
            flags: DuplicateExtentsFlags::SOURCE_ATOMIC,
        };
        let bytes = written(|w| ex.encode(w));
        assert_eq!((bytes.len(), bytes[0], bytes[48]), (56, 0x30, 1));
        let mut wrong = bytes.to_vec();
        wrong[0] = 0x38;
        assert!(matches!(
            DuplicateExtentsEx::parse(&wrong),
            Err(ParseError::BadStructure(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(persistent: u64, volatile: u64, numbers: (i64, i64, i64), flags: u32) {
            let extents = DuplicateExtents {
                source_file_id: FileId { persistent, volatile },
                source_file_offset: numbers.0,
                target_file_offset: numbers.1,
                byte_count: numbers.2,
            };
            round_trip_fixed(&extents, |v, w| v.encode(w), |b| DuplicateExtents::parse(b));
            let flags = DuplicateExtentsFlags::from_bits_retain(flags);
            let ex = DuplicateExtentsEx { extents, flags };
            round_trip_fixed(&ex, |v, w| v.encode(w), |b| DuplicateExtentsEx::parse(b));
        }
    }
}
