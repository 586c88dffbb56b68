//! Input and output structures of FSCTLs, which travel in SMB2 IOCTL ([MS-SMB2] 2.2.31 and
//! 2.2.32).
//!
//! [`FsctlCode`] has the codes. Sections of [MS-FSCC] 2.3 are cited by the
//! name of the FSCTL, because their numbers shift from one revision to the next.
//!
//! Input that is longer than its structure is accepted, as file systems only demand the minimum;
//! where that differs, the parser says so.

mod allocated_ranges;
mod code;
mod compression;
mod copychunk;
mod dfs;
mod duplicate_extents;
mod integrity;
mod network_interface;
mod object_id;
mod offload;
mod pipe_wait;
mod read_hash;
pub mod reparse;
mod resiliency;
mod resume_key;
mod snapshots;
mod sparse;
mod trim;
mod validate_negotiate;
mod zero_data;

pub use allocated_ranges::{FileAllocatedRange, encode_ranges, parse_ranges};
pub use code::FsctlCode;
pub use compression::CompressionState;
pub use copychunk::{SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse};
pub use dfs::{DfsReferralRequest, DfsReferralRequestEx};
pub use duplicate_extents::{DuplicateExtents, DuplicateExtentsEx, DuplicateExtentsFlags};
pub use integrity::{ChecksumAlgorithm, IntegrityFlags, IntegrityInfo, SetIntegrity};
pub use network_interface::{
    InterfaceCapability, NetworkInterfaceInfo, encode_interfaces, parse_interfaces,
};
pub use object_id::FileObjectId;
pub use offload::{
    OffloadReadInput, OffloadReadOutput, OffloadToken, OffloadWriteInput, OffloadWriteOutput,
};
pub use pipe_wait::PipeWait;
pub use read_hash::{
    HashRetrieval, SrvHashHeader, SrvHashRetrieveFileBased, SrvHashRetrieveHashBased, SrvReadHash,
};
pub use resiliency::ResiliencyRequest;
pub use resume_key::{ResumeKey, SrvResumeKeyResponse};
pub use snapshots::SrvSnapshotArray;
pub use sparse::SetSparse;
pub use trim::{FileLevelTrim, FileLevelTrimOutput, TrimRange};
pub use validate_negotiate::{ValidateNegotiateRequest, ValidateNegotiateResponse};
pub use zero_data::ZeroData;

use crate::ParseError;
use crate::wire::Fields;

/// Reads `count` elements of `size` bytes each. That they fit is checked before anything is
/// reserved, so that a count from the wire cannot make more memory than was received.
fn list<T>(
    f: &mut Fields<'_>,
    count: usize,
    size: usize,
    read: impl Fn(&mut Fields<'_>) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    let fits = count
        .checked_mul(size)
        .is_some_and(|len| len <= f.rest().len());
    if !fits {
        return Err(ParseError::Truncated(f.what()));
    }
    (0..count).map(|_| read(f)).collect()
}

/// A count or length of 32 bits as `usize`.
fn size(n: u32, what: &'static str) -> Result<usize, ParseError> {
    usize::try_from(n).map_err(|_| ParseError::OutOfBounds(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a peer sends, every parser answers; half of the inputs begin with a valid Size
        /// or StructureSize so that the parsers behind it are reached.
        #[test]
        fn garbage_never_panics(
            mut bytes in prop::collection::vec(any::<u8>(), 0..600),
            first in prop::option::of(prop::sample::select(vec![16u8, 32, 0x30])),
        ) {
            if let (Some(first), Some(head)) = (first, bytes.first_chunk_mut::<8>()) {
                *head = u64::from(first).to_le_bytes();
            }
            let b = Bytes::from(bytes);
            let _ = parse_ranges(&b);
            let _ = parse_interfaces(&b);
            let _ = FileAllocatedRange::parse(&b);
            let _ = CompressionState::parse(&b);
            let _ = SrvCopychunkCopy::parse(&b);
            let _ = SrvCopychunkResponse::parse(&b);
            let _ = DuplicateExtents::parse(&b);
            let _ = DuplicateExtentsEx::parse(&b);
            let _ = SetIntegrity::parse(&b);
            let _ = IntegrityInfo::parse(&b);
            let _ = FileObjectId::parse(&b);
            let _ = OffloadReadInput::parse(&b);
            let _ = OffloadReadOutput::parse(&b);
            let _ = OffloadWriteInput::parse(&b);
            let _ = OffloadWriteOutput::parse(&b);
            let _ = PipeWait::parse(&b);
            let _ = SrvReadHash::parse(&b);
            let _ = SrvHashHeader::parse(&b);
            let _ = SrvHashRetrieveHashBased::parse(&b);
            let _ = SrvHashRetrieveFileBased::parse(&b);
            let _ = ResiliencyRequest::parse(&b);
            let _ = SrvResumeKeyResponse::parse(&b);
            let _ = SrvSnapshotArray::parse(&b);
            let _ = SetSparse::parse(&b);
            let _ = FileLevelTrim::parse(&b);
            let _ = FileLevelTrimOutput::parse(&b);
            let _ = ValidateNegotiateRequest::parse(&b);
            let _ = ValidateNegotiateResponse::parse(&b);
            let _ = ZeroData::parse(&b);
        }

        #[test]
        fn garbage_in_reparse_points_never_panics(
            tag in prop::sample::select(vec![
                reparse::ReparseTag::SYMLINK,
                reparse::ReparseTag::MOUNT_POINT,
                reparse::ReparseTag::NFS,
                reparse::ReparseTag::LX_SYMLINK,
                reparse::ReparseTag::LX_CHR,
            ]),
            data in prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..60),
        ) {
            let data = Bytes::from(data);
            let _ = reparse::ReparseDataBuffer::parse(&data);
            let _ = reparse::ReparsePoint::parse(&reparse::ReparseDataBuffer {
                tag,
                guid: None,
                data,
            });
        }
    }
}
