//! SMB2_CREATE_EA_BUFFER, [MS-SMB2] 2.2.13.2.1.

use bytes::Bytes;

use super::RawContext;

/// Extended attributes for the file that is being created ("ExtA").
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EaBuffer {
    /// A list of FILE_FULL_EA_INFORMATION, [MS-FSCC] 2.4.16, not parsed here.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub list: Bytes,
}

impl EaBuffer {
    /// The context's name.
    pub const NAME: &'static [u8] = b"ExtA";

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        RawContext::new(Self::NAME, self.list.clone())
    }
}
