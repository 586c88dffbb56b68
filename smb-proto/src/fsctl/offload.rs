//! FSCTL_OFFLOAD_READ and FSCTL_OFFLOAD_WRITE: copying by a token that stands for data. Layout
//! only.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// STORAGE_OFFLOAD_TOKEN, [MS-FSCC] 2.1.11, 512 bytes that only their maker understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OffloadToken(
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] pub [u8; 512],
);

/// FSCTL_OFFLOAD_READ_INPUT, [MS-FSCC] 2.3, FSCTL_OFFLOAD_READ request.
///
/// Layout: Size (4, value 32), Flags (4), TokenTimeToLive (4), Reserved (4), FileOffset (8),
/// CopyLength (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OffloadReadInput {
    /// Reserved flags.
    pub flags: u32,
    /// Milliseconds that the token should be good for; 0 leaves it to the server.
    pub token_time_to_live_ms: u32,
    /// Where the data begins.
    pub file_offset: u64,
    /// Bytes.
    pub copy_length: u64,
}

/// Reads a Size field and refuses any other value than `expected`.
fn check_size(f: &mut Fields<'_>, expected: u32) -> Result<(), ParseError> {
    if f.u32()? == expected {
        Ok(())
    } else {
        Err(ParseError::BadStructure(f.what()))
    }
}

impl OffloadReadInput {
    const SIZE: u32 = 32;

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FSCTL_OFFLOAD_READ_INPUT");
        check_size(&mut f, Self::SIZE)?;
        let flags = f.u32()?;
        let token_time_to_live_ms = f.u32()?;
        f.u32()?;
        Ok(Self {
            flags,
            token_time_to_live_ms,
            file_offset: f.u64()?,
            copy_length: f.u64()?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(Self::SIZE);
        w.u32(self.flags);
        w.u32(self.token_time_to_live_ms);
        w.u32(0);
        w.u64(self.file_offset);
        w.u64(self.copy_length);
    }
}

/// FSCTL_OFFLOAD_READ_OUTPUT, [MS-FSCC] 2.3, FSCTL_OFFLOAD_READ reply.
///
/// Layout: Size (4, value 528), Flags (4), TransferLength (8), Token (512).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OffloadReadOutput {
    /// 1: all beyond the current range is zero.
    pub flags: u32,
    /// Bytes that the token stands for.
    pub transfer_length: u64,
    /// The token.
    pub token: OffloadToken,
}

impl OffloadReadOutput {
    const SIZE: u32 = 528;

    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "FSCTL_OFFLOAD_READ_OUTPUT");
        check_size(&mut f, Self::SIZE)?;
        Ok(Self {
            flags: f.u32()?,
            transfer_length: f.u64()?,
            token: OffloadToken(f.array()?),
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(Self::SIZE);
        w.u32(self.flags);
        w.u64(self.transfer_length);
        w.bytes(&self.token.0);
    }
}

/// FSCTL_OFFLOAD_WRITE_INPUT, [MS-FSCC] 2.3, FSCTL_OFFLOAD_WRITE request.
///
/// Layout: Size (4, value 544), Flags (4), FileOffset (8), CopyLength (8), TransferOffset (8),
/// Token (512).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OffloadWriteInput {
    /// Reserved flags.
    pub flags: u32,
    /// Where to write.
    pub file_offset: u64,
    /// Bytes.
    pub copy_length: u64,
    /// Where to begin in the data that the token stands for.
    pub transfer_offset: u64,
    /// The token.
    pub token: OffloadToken,
}

impl OffloadWriteInput {
    const SIZE: u32 = 544;

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FSCTL_OFFLOAD_WRITE_INPUT");
        check_size(&mut f, Self::SIZE)?;
        Ok(Self {
            flags: f.u32()?,
            file_offset: f.u64()?,
            copy_length: f.u64()?,
            transfer_offset: f.u64()?,
            token: OffloadToken(f.array()?),
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(Self::SIZE);
        w.u32(self.flags);
        w.u64(self.file_offset);
        w.u64(self.copy_length);
        w.u64(self.transfer_offset);
        w.bytes(&self.token.0);
    }
}

/// FSCTL_OFFLOAD_WRITE_OUTPUT, [MS-FSCC] 2.3, FSCTL_OFFLOAD_WRITE reply.
///
/// Layout: Size (4, value 16), Flags (4), LengthWritten (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OffloadWriteOutput {
    /// Reserved flags.
    pub flags: u32,
    /// Bytes that were written.
    pub length_written: u64,
}

impl OffloadWriteOutput {
    const SIZE: u32 = 16;

    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "FSCTL_OFFLOAD_WRITE_OUTPUT");
        check_size(&mut f, Self::SIZE)?;
        Ok(Self {
            flags: f.u32()?,
            length_written: f.u64()?,
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(Self::SIZE);
        w.u32(self.flags);
        w.u64(self.length_written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{round_trip_fixed, written};

    #[test]
    fn layouts() {
        let token = OffloadToken([9; 512]);
        let read_in = OffloadReadInput {
            flags: 1,
            token_time_to_live_ms: 2,
            file_offset: 3,
            copy_length: 4,
        };
        round_trip_fixed(&read_in, |v, w| v.encode(w), |b| OffloadReadInput::parse(b));
        let read_out = OffloadReadOutput {
            flags: 1,
            transfer_length: 2,
            token,
        };
        round_trip_fixed(
            &read_out,
            |v, w| v.encode(w),
            |b| OffloadReadOutput::parse(b),
        );
        let write_in = OffloadWriteInput {
            flags: 1,
            file_offset: 2,
            copy_length: 3,
            transfer_offset: 4,
            token,
        };
        round_trip_fixed(
            &write_in,
            |v, w| v.encode(w),
            |b| OffloadWriteInput::parse(b),
        );
        let write_out = OffloadWriteOutput {
            flags: 1,
            length_written: 2,
        };
        round_trip_fixed(
            &write_out,
            |v, w| v.encode(w),
            |b| OffloadWriteOutput::parse(b),
        );
        // each Size field is the size
        for bytes in [
            written(|w| read_in.encode(w)),
            written(|w| read_out.encode(w)),
            written(|w| write_in.encode(w)),
            written(|w| write_out.encode(w)),
        ] {
            assert_eq!(
                bytes[..4],
                u32::try_from(bytes.len()).unwrap().to_le_bytes()
            );
        }
        assert!(matches!(
            OffloadReadInput::parse(&[0; 32]),
            Err(ParseError::BadStructure(_))
        ));
    }
}
