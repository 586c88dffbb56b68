//! FSCTL_GET_INTEGRITY_INFORMATION and FSCTL_SET_INTEGRITY_INFORMATION.

use bitflags::bitflags;

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// How the file system checks the data of a file. Other values than the constants are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ChecksumAlgorithm(pub u16);

impl ChecksumAlgorithm {
    /// CHECKSUM_TYPE_NONE.
    pub const NONE: Self = Self(0);
    /// CHECKSUM_TYPE_CRC32.
    pub const CRC32: Self = Self(1);
    /// CHECKSUM_TYPE_CRC64.
    pub const CRC64: Self = Self(2);
    /// CHECKSUM_TYPE_UNCHANGED, in requests.
    pub const UNCHANGED: Self = Self(0xffff);
}

bitflags! {
    /// Flags of integrity. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct IntegrityFlags: u32 {
        /// FSCTL_INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF: a wrong checksum does not fail a read.
        const CHECKSUM_ENFORCEMENT_OFF = 0x0000_0001;
        const _ = !0;
    }
}

/// FSCTL_SET_INTEGRITY_INFORMATION_BUFFER, [MS-FSCC] 2.3, FSCTL_SET_INTEGRITY_INFORMATION request.
///
/// Layout: ChecksumAlgorithm (2), Reserved (2), Flags (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SetIntegrity {
    /// The algorithm to use.
    pub checksum_algorithm: ChecksumAlgorithm,
    /// How to use it.
    pub flags: IntegrityFlags,
}

impl SetIntegrity {
    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FSCTL_SET_INTEGRITY_INFORMATION_BUFFER");
        let checksum_algorithm = ChecksumAlgorithm(f.u16()?);
        f.u16()?;
        Ok(Self {
            checksum_algorithm,
            flags: IntegrityFlags::from_bits_retain(f.u32()?),
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.checksum_algorithm.0);
        w.u16(0);
        w.u32(self.flags.bits());
    }
}

/// FSCTL_GET_INTEGRITY_INFORMATION_BUFFER, [MS-FSCC] 2.3, FSCTL_GET_INTEGRITY_INFORMATION reply.
///
/// Layout: ChecksumAlgorithm (2), Reserved (2), Flags (4), ChecksumChunkSizeInBytes (4),
/// ClusterSizeInBytes (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IntegrityInfo {
    /// The algorithm in use.
    pub checksum_algorithm: ChecksumAlgorithm,
    /// How it is used.
    pub flags: IntegrityFlags,
    /// Bytes that one checksum covers.
    pub checksum_chunk_size: u32,
    /// Bytes in a cluster of the volume.
    pub cluster_size: u32,
}

impl IntegrityInfo {
    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "FSCTL_GET_INTEGRITY_INFORMATION_BUFFER");
        let checksum_algorithm = ChecksumAlgorithm(f.u16()?);
        f.u16()?;
        Ok(Self {
            checksum_algorithm,
            flags: IntegrityFlags::from_bits_retain(f.u32()?),
            checksum_chunk_size: f.u32()?,
            cluster_size: f.u32()?,
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.checksum_algorithm.0);
        w.u16(0);
        w.u32(self.flags.bits());
        w.u32(self.checksum_chunk_size);
        w.u32(self.cluster_size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn from_bytes() {
        let set = SetIntegrity::parse(&hex("ffff 0000 01000000")).unwrap();
        assert_eq!(set.checksum_algorithm, ChecksumAlgorithm::UNCHANGED);
        assert_eq!(set.flags, IntegrityFlags::CHECKSUM_ENFORCEMENT_OFF);
    }

    proptest! {
        #[test]
        fn round_trips(algorithm: u16, flags: u32, chunk: u32, cluster: u32) {
            let checksum_algorithm = ChecksumAlgorithm(algorithm);
            let flags = IntegrityFlags::from_bits_retain(flags);
            let set = SetIntegrity { checksum_algorithm, flags };
            round_trip_fixed(&set, |v, w| v.encode(w), |b| SetIntegrity::parse(b));
            let info = IntegrityInfo {
                checksum_algorithm,
                flags,
                checksum_chunk_size: chunk,
                cluster_size: cluster,
            };
            round_trip_fixed(&info, |v, w| v.encode(w), |b| IntegrityInfo::parse(b));
        }
    }
}
