//! FSCTL_SRV_READ_HASH: hashes of a file for branch caching. Layout only.

use bytes::Bytes;

use super::size;
use crate::wire::{Fields, Writer, decode_utf16, len16, len32, slice_of, utf16_len};
use crate::{FileTime, ParseError};

/// How the client wants the hashes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HashRetrieval(pub u32);

impl HashRetrieval {
    /// SRV_HASH_RETRIEVE_HASH_BASED: by offset and length in the hash file.
    pub const HASH_BASED: Self = Self(1);
    /// SRV_HASH_RETRIEVE_FILE_BASED: by offset and length in the file.
    pub const FILE_BASED: Self = Self(2);
}

/// SRV_READ_HASH request, [MS-SMB2] 2.2.31.2.
///
/// Layout: HashType (4), HashVersion (4), HashRetrievalType (4), Length (4), Offset (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvReadHash {
    /// 1: Peer Content Caching and Retrieval, the only type.
    pub hash_type: u32,
    /// 1 or 2.
    pub hash_version: u32,
    /// What `length` and `offset` count.
    pub retrieval_type: HashRetrieval,
    /// Bytes wanted.
    pub length: u32,
    /// Where they begin.
    pub offset: u64,
}

impl SrvReadHash {
    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "SRV_READ_HASH request");
        Ok(Self {
            hash_type: f.u32()?,
            hash_version: f.u32()?,
            retrieval_type: HashRetrieval(f.u32()?),
            length: f.u32()?,
            offset: f.u64()?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.hash_type);
        w.u32(self.hash_version);
        w.u32(self.retrieval_type.0);
        w.u32(self.length);
        w.u64(self.offset);
    }
}

/// HASH_HEADER, [MS-SMB2] 2.2.32.4.1: what a hash file begins with.
///
/// Layout: HashType (4), HashVersion (4), SourceFileChangeTime (8), SourceFileSize (8),
/// HashBlobLength (4), HashBlobOffset (4), Dirty (2), SourceFileNameLength (2), SourceFileName.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvHashHeader {
    /// Type of the hashes.
    pub hash_type: u32,
    /// Version of the hashes.
    pub hash_version: u32,
    /// When the file was last changed.
    pub source_file_change_time: FileTime,
    /// Size of the file in bytes.
    pub source_file_size: u64,
    /// Bytes of hashes.
    pub hash_blob_length: u32,
    /// Where the hashes begin, counted from this header.
    pub hash_blob_offset: u32,
    /// Whether the hashes are being remade.
    pub dirty: bool,
    /// Name of the file; on the wire with a terminating zero, which is not part of it here.
    pub source_file_name: String,
}

impl SrvHashHeader {
    const WHAT: &'static str = "HASH_HEADER";

    /// Reads the header.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, Self::WHAT);
        let hash_type = f.u32()?;
        let hash_version = f.u32()?;
        let source_file_change_time = f.filetime()?;
        let source_file_size = f.u64()?;
        let hash_blob_length = f.u32()?;
        let hash_blob_offset = f.u32()?;
        let dirty = f.u16()? != 0;
        let name_len = usize::from(f.u16()?);
        let name = decode_utf16(f.bytes(name_len)?, Self::WHAT)?;
        Ok(Self {
            hash_type,
            hash_version,
            source_file_change_time,
            source_file_size,
            hash_blob_length,
            hash_blob_offset,
            dirty,
            source_file_name: name.strip_suffix('\0').unwrap_or(&name).to_owned(),
        })
    }

    /// Writes the header.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.hash_type);
        w.u32(self.hash_version);
        w.filetime(self.source_file_change_time);
        w.u64(self.source_file_size);
        w.u32(self.hash_blob_length);
        w.u32(self.hash_blob_offset);
        w.u16(u16::from(self.dirty));
        w.u16(len16(utf16_len(&self.source_file_name).saturating_add(2)));
        w.utf16(&self.source_file_name);
        w.u16(0);
    }
}

/// SRV_HASH_RETRIEVE_HASH_BASED response, [MS-SMB2] 2.2.32.4.2.
///
/// Layout: Offset (8), BufferLength (4), Reserved (4), Buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvHashRetrieveHashBased {
    /// Where `buffer` begins in the hash file.
    pub offset: u64,
    /// A part of the hash file.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub buffer: Bytes,
}

impl SrvHashRetrieveHashBased {
    const WHAT: &'static str = "SRV_HASH_RETRIEVE_HASH_BASED";

    /// Reads the output buffer.
    pub fn parse(output: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, Self::WHAT);
        let offset = f.u64()?;
        let len = size(f.u32()?, Self::WHAT)?;
        f.u32()?;
        Ok(Self {
            offset,
            buffer: slice_of(output, f.position(), len, 0, Self::WHAT)?,
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.offset);
        w.u32(len32(self.buffer.len()));
        w.u32(0);
        w.bytes(&self.buffer);
    }
}

/// SRV_HASH_RETRIEVE_FILE_BASED response, [MS-SMB2] 2.2.32.4.3.
///
/// Layout: FileDataOffset (8), FileDataLength (8), BufferLength (4), Reserved (4), Buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvHashRetrieveFileBased {
    /// Where the data that the hashes cover begins in the file.
    pub file_data_offset: u64,
    /// Bytes of the file that the hashes cover.
    pub file_data_length: u64,
    /// The hashes.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub buffer: Bytes,
}

impl SrvHashRetrieveFileBased {
    const WHAT: &'static str = "SRV_HASH_RETRIEVE_FILE_BASED";

    /// Reads the output buffer.
    pub fn parse(output: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, Self::WHAT);
        let file_data_offset = f.u64()?;
        let file_data_length = f.u64()?;
        let len = size(f.u32()?, Self::WHAT)?;
        f.u32()?;
        Ok(Self {
            file_data_offset,
            file_data_length,
            buffer: slice_of(output, f.position(), len, 0, Self::WHAT)?,
        })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.file_data_offset);
        w.u64(self.file_data_length);
        w.u32(len32(self.buffer.len()));
        w.u32(0);
        w.bytes(&self.buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::round_trip_fixed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(
            a: (u32, u32, u32, u32, u64),
            b: (u32, u32, u64, u64, u32, u32, bool),
            name in "[^\0]{0,20}",
            buffer in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            round_trip_fixed(
                &SrvReadHash {
                    hash_type: a.0,
                    hash_version: a.1,
                    retrieval_type: HashRetrieval(a.2),
                    length: a.3,
                    offset: a.4,
                },
                |v, w| v.encode(w),
                |b| SrvReadHash::parse(b),
            );
            round_trip_fixed(
                &SrvHashHeader {
                    hash_type: b.0,
                    hash_version: b.1,
                    source_file_change_time: FileTime(b.2),
                    source_file_size: b.3,
                    hash_blob_length: b.4,
                    hash_blob_offset: b.5,
                    dirty: b.6,
                    source_file_name: name,
                },
                |v, w| v.encode(w),
                |b| SrvHashHeader::parse(b),
            );
            let buffer = Bytes::from(buffer);
            round_trip_fixed(
                &SrvHashRetrieveHashBased { offset: a.4, buffer: buffer.clone() },
                |v, w| v.encode(w),
                SrvHashRetrieveHashBased::parse,
            );
            round_trip_fixed(
                &SrvHashRetrieveFileBased {
                    file_data_offset: b.2,
                    file_data_length: b.3,
                    buffer,
                },
                |v, w| v.encode(w),
                SrvHashRetrieveFileBased::parse,
            );
        }
    }
}
