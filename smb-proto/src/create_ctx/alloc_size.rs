//! SMB2_CREATE_ALLOCATION_SIZE, [MS-SMB2] 2.2.13.2.6.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::wire::Writer;

/// Space to reserve for a file that is created or overwritten ("AlSi"). There is no context in the
/// response.
///
/// Layout: AllocationSize (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AllocationSize {
    /// Bytes to reserve.
    pub allocation_size: u64,
}

impl AllocationSize {
    /// The context's name.
    pub const NAME: &'static [u8] = b"AlSi";

    /// Reads the data of the context.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 8, "SMB2_CREATE_ALLOCATION_SIZE")?;
        Ok(Self {
            allocation_size: f.u64()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.allocation_size);
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
        let value = AllocationSize {
            allocation_size: 0x0010_0000,
        };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| AllocationSize::parse(b));
        assert_eq!(value.to_raw().data[..], [0, 0, 0x10, 0, 0, 0, 0, 0]);
        assert!(AllocationSize::parse(&[0; 9]).is_err());
    }
}
