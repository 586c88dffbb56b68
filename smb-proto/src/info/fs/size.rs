//! Space and sectors.

use bitflags::bitflags;

use crate::info::layout::{fixed, flag_fields};

fixed! {
    /// FileFsSizeInformation, [MS-FSCC] 2.5.8. Query.
    FileFsSizeInformation("FILE_FS_SIZE_INFORMATION", 24) {
        /// Allocation units that the user can have.
        total_allocation_units: u64,
        /// Allocation units that are free for the user.
        available_allocation_units: u64,
        /// Sectors in an allocation unit.
        sectors_per_allocation_unit: u32,
        /// Bytes in a sector.
        bytes_per_sector: u32,
    }
}

fixed! {
    /// FileFsFullSizeInformation, [MS-FSCC] 2.5.4. Query.
    FileFsFullSizeInformation("FILE_FS_FULL_SIZE_INFORMATION", 32) {
        /// Allocation units that the user can have.
        total_allocation_units: u64,
        /// Allocation units that are free for the user.
        caller_available_allocation_units: u64,
        /// Allocation units that are free.
        actual_available_allocation_units: u64,
        /// Sectors in an allocation unit.
        sectors_per_allocation_unit: u32,
        /// Bytes in a sector.
        bytes_per_sector: u32,
    }
}

bitflags! {
    /// Flags of [`FileFsSectorSizeInformation`]. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SectorFlags: u32 {
        /// SSINFO_FLAGS_ALIGNED_DEVICE: the first physical sector begins where the first logical
        /// one does.
        const ALIGNED_DEVICE = 0x0000_0001;
        /// SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE: the partition begins with a physical sector.
        const PARTITION_ALIGNED_ON_DEVICE = 0x0000_0002;
        /// SSINFO_FLAGS_NO_SEEK_PENALTY: seeking costs nothing.
        const NO_SEEK_PENALTY = 0x0000_0004;
        /// SSINFO_FLAGS_TRIM_ENABLED: the device wants to know of freed blocks.
        const TRIM_ENABLED = 0x0000_0008;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { SectorFlags }

fixed! {
    /// FileFsSectorSizeInformation, [MS-FSCC] 2.5.7. Query.
    FileFsSectorSizeInformation("FILE_FS_SECTOR_SIZE_INFORMATION", 28) {
        /// Bytes in a logical sector.
        logical_bytes_per_sector: u32,
        /// Bytes that are written as one or not at all.
        physical_bytes_per_sector_for_atomicity: u32,
        /// Bytes in which writing is fastest.
        physical_bytes_per_sector_for_performance: u32,
        /// Bytes that the file system takes for the unit of atomic writes.
        effective_physical_bytes_per_sector_for_atomicity: u32,
        /// Flags.
        flags: SectorFlags,
        /// Distance of the first logical sector from the beginning of its physical one, in bytes.
        byte_offset_for_sector_alignment: u32,
        /// Distance of the partition from the beginning of its first physical sector, in bytes.
        byte_offset_for_partition_alignment: u32,
    }
}
