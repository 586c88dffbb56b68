//! Named streams of a file.

use crate::ParseError;
use crate::info::layout::read_len;
use crate::wire::{ChainWriter, Entries, Fields, Writer, decode_utf16, len32, utf16_len};

/// Entries begin at multiples of 8 bytes, [MS-FSCC] 2.4.47.
const ALIGN: usize = 8;
/// Reading needs no alignment, and not every server keeps to it: macOS aligns to 4 bytes.
const PARSE_ALIGN: usize = 1;
/// More streams than fit in the largest answer.
const MAX_ENTRIES: usize = 1 << 20;

/// One entry of FileStreamInformation, [MS-FSCC] 2.4.47. Query. A directory without streams has
/// none, a file at least `::$DATA`.
///
/// On the wire: NextEntryOffset, StreamNameLength (4 bytes each), StreamSize,
/// StreamAllocationSize (8 bytes each), StreamName.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileStreamInformation {
    /// Size in bytes.
    pub size: u64,
    /// Bytes taken on the disk.
    pub allocation_size: u64,
    /// Name in the form `:name:$DATA`; the unnamed stream is `::$DATA`.
    pub name: String,
}

impl FileStreamInformation {
    /// Bytes of an entry before its name.
    pub const FIXED_LEN: usize = 24;

    /// Bytes on the wire, without padding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Self::FIXED_LEN.saturating_add(utf16_len(&self.name))
    }

    /// Reads a list; an empty input is an empty list.
    ///
    /// # Errors
    ///
    /// A chain that leads outside, an entry that is cut short, a name that is not
    /// UTF-16.
    pub fn parse_list(input: &[u8]) -> Result<Vec<Self>, ParseError> {
        const WHAT: &str = "FILE_STREAM_INFORMATION";
        Entries::new(input, PARSE_ALIGN, MAX_ENTRIES, WHAT)
            .map(|entry| {
                let mut f = Fields::new(entry?, WHAT);
                f.skip(4)?;
                let len = read_len(&mut f)?;
                Ok(Self {
                    size: f.u64()?,
                    allocation_size: f.u64()?,
                    name: decode_utf16(f.bytes(len)?, WHAT)?,
                })
            })
            .collect()
    }

    /// Appends it as the next entry of `chain`, which must align to 8 bytes.
    pub fn encode_entry(&self, w: &mut Writer, chain: &mut ChainWriter) {
        chain.begin(w);
        w.u32(0);
        w.u32(len32(utf16_len(&self.name)));
        w.u64(self.size);
        w.u64(self.allocation_size);
        w.utf16(&self.name);
    }

    /// Appends a list.
    pub fn encode_list(list: &[Self], w: &mut Writer) {
        let mut chain = ChainWriter::new(ALIGN);
        for stream in list {
            stream.encode_entry(w, &mut chain);
        }
    }
}
