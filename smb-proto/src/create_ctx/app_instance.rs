//! SMB2_CREATE_APP_INSTANCE_ID, [MS-SMB2] 2.2.13.2.13.

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::dtyp::Guid;
use crate::wire::Writer;

/// Names the application whose file this is, so that its next instance on another client can take
/// the file over. There is no context in the response.
///
/// Layout: StructureSize (2, value 20), Reserved (2), AppInstanceId (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AppInstanceId {
    /// The application's identifier.
    pub app_instance_id: Guid,
}

impl AppInstanceId {
    /// The context's name.
    pub const NAME: &'static [u8] =
        b"\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74";

    /// Reads the data of the context. Checking StructureSize is optional, [MS-SMB2] 3.3.5.9.13;
    /// the length of the data is checked instead.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = exact(data, 20, "SMB2_CREATE_APP_INSTANCE_ID")?;
        f.skip(4)?;
        Ok(Self {
            app_instance_id: f.guid()?,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(20);
        w.u16(0);
        w.guid(self.app_instance_id);
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
        let value = AppInstanceId {
            app_instance_id: Guid::from_bytes([7; 16]),
        };
        round_trip_fixed(&value, |v, w| v.encode(w), |b| AppInstanceId::parse(b));
        assert_eq!(value.to_raw().data[..5], [20, 0, 0, 0, 7]);
        assert_eq!(AppInstanceId::NAME.len(), 16);
        assert!(AppInstanceId::parse(&[0; 21]).is_err());
    }
}
