//! SMB2_CREATE_SD_BUFFER, [MS-SMB2] 2.2.13.2.2.

use bytes::Bytes;

use super::RawContext;

/// The security descriptor for the file that is being created ("SecD").
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SdBuffer {
    /// A self-relative SECURITY_DESCRIPTOR, [MS-DTYP] 2.4.6, not parsed here.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub descriptor: Bytes,
}

impl SdBuffer {
    /// The context's name.
    pub const NAME: &'static [u8] = b"SecD";

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        RawContext::new(Self::NAME, self.descriptor.clone())
    }
}
