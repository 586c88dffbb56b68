//! How the payload of a READ or WRITE travels, [MS-SMB2] 2.2.19 and 2.2.21.

/// Channel of a READ or WRITE request (3.x dialects): 0 for inside the message, other values for
/// SMB Direct. 4 bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Channel(pub u32);

impl Channel {
    /// SMB2_CHANNEL_NONE: the payload is in the message.
    pub const NONE: Self = Self(0);
    /// SMB2_CHANNEL_RDMA_V1: the channel information holds buffer descriptors.
    pub const RDMA_V1: Self = Self(1);
    /// SMB2_CHANNEL_RDMA_V1_INVALIDATE: as V1, and the token is to be invalidated remotely.
    pub const RDMA_V1_INVALIDATE: Self = Self(2);
    /// SMB2_CHANNEL_RDMA_TRANSFORM: the channel information begins with a transform (3.1.1).
    pub const RDMA_TRANSFORM: Self = Self(3);
}
