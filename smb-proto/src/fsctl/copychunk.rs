//! FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE: copying on the server.

use super::{ResumeKey, list, size};
use crate::ParseError;
use crate::wire::{Fields, Writer, len32};

/// SRV_COPYCHUNK, [MS-SMB2] 2.2.31.1.1: one range to copy.
///
/// Layout: SourceOffset (8), TargetOffset (8), Length (4), Reserved (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvCopychunk {
    /// Where to read, in bytes from the start of the source.
    pub source_offset: u64,
    /// Where to write, in bytes from the start of the target.
    pub target_offset: u64,
    /// How many bytes.
    pub length: u32,
}

/// SRV_COPYCHUNK_COPY, [MS-SMB2] 2.2.31.1.
///
/// Layout: SourceKey (24), ChunkCount (4), Reserved (4), Chunks (24 each).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvCopychunkCopy {
    /// The file to read, as FSCTL_SRV_REQUEST_RESUME_KEY named it.
    pub source_key: ResumeKey,
    /// What to copy. The server's limit on their number is not checked here: exceeding it has an
    /// answer of its own ([MS-SMB2] 3.3.5.15.6).
    pub chunks: Vec<SrvCopychunk>,
}

impl SrvCopychunkCopy {
    const WHAT: &'static str = "SRV_COPYCHUNK_COPY";

    /// Reads the input buffer. ChunkCount must be covered by what was received.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let source_key = ResumeKey(f.array()?);
        let count = size(f.u32()?, Self::WHAT)?;
        f.u32()?; // Reserved
        let chunks = list(&mut f, count, 24, |f| {
            let chunk = SrvCopychunk {
                source_offset: f.u64()?,
                target_offset: f.u64()?,
                length: f.u32()?,
            };
            f.u32()?; // Reserved
            Ok(chunk)
        })?;
        Ok(Self { source_key, chunks })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&self.source_key.0);
        w.u32(len32(self.chunks.len()));
        w.u32(0);
        for chunk in &self.chunks {
            w.u64(chunk.source_offset);
            w.u64(chunk.target_offset);
            w.u32(chunk.length);
            w.u32(0);
        }
    }
}

/// SRV_COPYCHUNK_RESPONSE, [MS-SMB2] 2.2.32.1.
///
/// Layout: ChunksWritten (4), ChunkBytesWritten (4), TotalBytesWritten (4). In an answer with
/// STATUS_INVALID_PARAMETER to a request beyond the server's limits, the fields are those limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvCopychunkResponse {
    /// Chunks copied; or the limit on the number of chunks.
    pub chunks_written: u32,
    /// Bytes copied of the chunk that failed; or the limit on the bytes of one chunk.
    pub chunk_bytes_written: u32,
    /// Bytes copied; or the limit on the bytes of all chunks.
    pub total_bytes_written: u32,
}

impl SrvCopychunkResponse {
    /// Reads the output buffer.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, "SRV_COPYCHUNK_RESPONSE");
        Ok(Self {
            chunks_written: f.u32()?,
            chunk_bytes_written: f.u32()?,
            total_bytes_written: f.u32()?,
        })
    }

    /// Writes the output buffer, 12 bytes.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.chunks_written);
        w.u32(self.chunk_bytes_written);
        w.u32(self.total_bytes_written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    /// Sent by smbtorture, answered by Samba.
    #[test]
    fn real_exchange() {
        let r = SrvCopychunkCopy::parse(&hex(
            "71b0083b00000000df7aa1e7000000007800140000000000 01000000 00000000
             0000000000000000 0000000000000000 00100000 00000000",
        ))
        .unwrap();
        let chunk = SrvCopychunk {
            source_offset: 0,
            target_offset: 0,
            length: 4096,
        };
        assert_eq!(r.chunks, [chunk]);
        let r = SrvCopychunkResponse::parse(&hex("01000000 00000000 00100000")).unwrap();
        assert_eq!((r.chunks_written, r.total_bytes_written), (1, 4096));
    }

    #[test]
    fn a_count_beyond_the_input_is_refused_before_it_costs_memory() {
        let mut input = vec![0; 32 + 24];
        input[24..28].fill(0xff);
        assert!(matches!(
            SrvCopychunkCopy::parse(&input),
            Err(ParseError::Truncated(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(
            key in prop::array::uniform24(any::<u8>()),
            chunks in prop::collection::vec(any::<(u64, u64, u32)>(), 0..5),
            response: (u32, u32, u32),
        ) {
            let chunks = chunks
                .into_iter()
                .map(|(source_offset, target_offset, length)| SrvCopychunk {
                    source_offset,
                    target_offset,
                    length,
                })
                .collect();
            round_trip_fixed(
                &SrvCopychunkCopy { source_key: ResumeKey(key), chunks },
                |v, w| v.encode(w),
                |b| SrvCopychunkCopy::parse(b),
            );
            let (chunks_written, chunk_bytes_written, total_bytes_written) = response;
            round_trip_fixed(
                &SrvCopychunkResponse { chunks_written, chunk_bytes_written, total_bytes_written },
                |v, w| v.encode(w),
                |b| SrvCopychunkResponse::parse(b),
            );
        }
    }
}
