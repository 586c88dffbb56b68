//! SMB2_CREATE_APP_INSTANCE_VERSION, [MS-SMB2] 2.2.13.2.15.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::wire::Writer;

/// The version of an application instance (SMB 3.1.1): an older instance cannot take a file from a
/// newer one. There is no context in the response.
///
/// Layout: StructureSize (2, value 24), Reserved (2), Padding (4), AppInstanceVersionHigh (8),
/// AppInstanceVersionLow (8). The derived order is that of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AppInstanceVersion {
    /// The more significant half.
    pub high: u64,
    /// The less significant half.
    pub low: u64,
}

impl AppInstanceVersion {
    /// The context's name.
    pub const NAME: &'static [u8] =
        b"\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10";

    /// Reads the data of the context. As for the identifier, only the length is checked.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 24, "SMB2_CREATE_APP_INSTANCE_VERSION")?;
        f.skip(8)?;
        Ok(Self {
            high: f.u64()?,
            low: f.u64()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(24);
        w.zeros(6);
        w.u64(self.high);
        w.u64(self.low);
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
    use crate::testing::{hex, round_trip_fixed};

    #[test]
    fn layout_and_order() {
        let value = AppInstanceVersion { high: 1, low: 2 };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| AppInstanceVersion::parse(b));
        assert_eq!(
            value.to_raw().data,
            hex("1800 0000 00000000 0100000000000000 0200000000000000")
        );
        assert!(AppInstanceVersion { high: 0, low: 9 } < value);
        assert!(AppInstanceVersion { high: 1, low: 3 } > value);
        assert!(AppInstanceVersion::parse(&[0; 25]).is_err());
    }
}
