//! SMB2_CREATE_TIMEWARP_TOKEN, [MS-SMB2] 2.2.13.2.7.

use super::{RawContext, exact, pack};
use crate::wire::Writer;
use crate::{FileTime, ParseError};

/// Opens the file as it was in a snapshot ("TWrp"). There is no context in the response.
///
/// Layout: Timestamp (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TimewarpToken {
    /// When the snapshot was taken.
    pub timestamp: FileTime,
}

impl TimewarpToken {
    /// The context's name.
    pub const NAME: &'static [u8] = b"TWrp";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 8, "SMB2_CREATE_TIMEWARP_TOKEN")?;
        Ok(Self {
            timestamp: f.filetime()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.filetime(self.timestamp);
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
    use crate::testing::round_trip_fixed;

    #[test]
    fn layout() {
        let value = TimewarpToken {
            timestamp: FileTime(0x0102_0304_0506_0708),
        };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| TimewarpToken::parse(b));
        assert_eq!(value.to_raw().data[..], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert!(TimewarpToken::parse(&[0; 9]).is_err());
    }
}
