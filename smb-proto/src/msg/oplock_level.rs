//! Oplock levels, [MS-SMB2] 2.2.13 and 2.2.23.1.

/// OplockLevel or RequestedOplockLevel. One byte on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OplockLevel(pub u8);

impl OplockLevel {
    /// SMB2_OPLOCK_LEVEL_NONE.
    pub const NONE: Self = Self(0x00);
    /// SMB2_OPLOCK_LEVEL_II: shared, read caching.
    pub const LEVEL_II: Self = Self(0x01);
    /// SMB2_OPLOCK_LEVEL_EXCLUSIVE.
    pub const EXCLUSIVE: Self = Self(0x08);
    /// SMB2_OPLOCK_LEVEL_BATCH: exclusive with handle caching.
    pub const BATCH: Self = Self(0x09);
    /// SMB2_OPLOCK_LEVEL_LEASE: a lease context says what is asked for or granted.
    pub const LEASE: Self = Self(0xff);
}
