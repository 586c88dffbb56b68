//! FSCTL_SRV_ENUMERATE_SNAPSHOTS: the previous versions of a share.

use super::size;
use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16, len32, utf16_len};

/// SRV_SNAPSHOT_ARRAY, [MS-SMB2] 2.2.32.2. The request has no input.
///
/// Layout: NumberOfSnapShots (4), NumberOfSnapShotsReturned (4), SnapShotArraySize (4), SnapShots:
/// each name in UTF-16LE with a terminating zero, and one more zero at the end. A name has the form
/// `@GMT-YYYY.MM.DD-HH.MM.SS`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvSnapshotArray {
    /// How many snapshots there are.
    pub number_of_snapshots: u32,
    /// Bytes that SnapShots takes with all of them.
    pub snapshot_array_size: u32,
    /// All names, or none where they do not fit into the client's buffer.
    pub snapshots: Vec<String>,
}

impl SrvSnapshotArray {
    /// The smallest output, and the smallest MaxOutputResponse that is allowed
    /// ([MS-SMB2] 3.3.5.15.1).
    pub const LEN_MIN: usize = 16;

    const FIXED: usize = 12;
    const WHAT: &'static str = "SRV_SNAPSHOT_ARRAY";

    /// The answer for these snapshots to a client whose buffer has `max_output` bytes: with their
    /// names if they fit, else with their number and size.
    #[must_use]
    pub fn fitting(snapshots: Vec<String>, max_output: usize) -> Self {
        let array_size = snapshots
            .iter()
            .map(|s| utf16_len(s).saturating_add(2))
            .fold(2, usize::saturating_add);
        Self {
            number_of_snapshots: len32(snapshots.len()),
            snapshot_array_size: len32(array_size),
            snapshots: if array_size.saturating_add(Self::FIXED) <= max_output {
                snapshots
            } else {
                Vec::new()
            },
        }
    }

    /// Reads the output buffer.
    ///
    /// # Errors
    ///
    /// [`ParseError::BadValue`] if the names are not as many as NumberOfSnapShotsReturned says.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, Self::WHAT);
        let number_of_snapshots = f.u32()?;
        let returned = size(f.u32()?, Self::WHAT)?;
        let snapshot_array_size = f.u32()?;
        let mut snapshots = Vec::new();
        if returned != 0 {
            let array = f.bytes(size(snapshot_array_size, Self::WHAT)?)?;
            let text = decode_utf16(array, Self::WHAT)?;
            // Every name is followed by a zero, so the list is over where a name is empty.
            snapshots.extend(
                text.split('\0')
                    .take_while(|name| !name.is_empty())
                    .map(str::to_owned),
            );
            if snapshots.len() != returned {
                return Err(ParseError::BadValue("NumberOfSnapShotsReturned"));
            }
        }
        Ok(Self {
            number_of_snapshots,
            snapshot_array_size,
            snapshots,
        })
    }

    /// Writes the output buffer, at least [`Self::LEN_MIN`] bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.number_of_snapshots);
        w.u32(len32(self.snapshots.len()));
        w.u32(self.snapshot_array_size);
        if self.snapshots.is_empty() {
            w.u32(0);
            return;
        }
        for name in &self.snapshots {
            w.utf16(name);
            w.u16(0);
        }
        w.u16(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{round_trip, round_trip_fixed, written};
    use proptest::prelude::*;

    fn names() -> Vec<String> {
        vec![
            "@GMT-2018.06.30-19.34.17".to_owned(),
            "@GMT-2018.06.30-19.33.37".to_owned(),
        ]
    }

    #[test]
    fn sizes() {
        // a Windows server counts 102 bytes for two snapshots
        let all = SrvSnapshotArray::fitting(names(), 114);
        assert_eq!(all.snapshot_array_size, 102);
        assert_eq!(written(|w| all.encode(w)).len(), 114);
        let counted = SrvSnapshotArray::fitting(names(), 113);
        assert_eq!(counted.number_of_snapshots, 2);
        assert_eq!(counted.snapshot_array_size, 102);
        assert!(counted.snapshots.is_empty());
        let bytes = round_trip(&counted, |v, w| v.encode(w), |b| SrvSnapshotArray::parse(b));
        assert_eq!(bytes.len(), SrvSnapshotArray::LEN_MIN);
    }

    #[test]
    fn a_wrong_count_is_refused() {
        let mut bytes = written(|w| SrvSnapshotArray::fitting(names(), 200).encode(w)).to_vec();
        bytes[4] = 3;
        assert!(matches!(
            SrvSnapshotArray::parse(&bytes),
            Err(ParseError::BadValue(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(names in prop::collection::vec("@GMT-[0-9.]{1,20}", 1..5)) {
            let value = SrvSnapshotArray::fitting(names, usize::MAX);
            round_trip_fixed(&value, |v, w| v.encode(w), |b| SrvSnapshotArray::parse(b));
        }
    }
}
