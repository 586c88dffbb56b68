//! All names of a file.

use crate::ParseError;
use crate::info::layout::read_len;
use crate::wire::{ChainWriter, Entries, Fields, Writer, decode_utf16, len32};

/// Entries begin at multiples of 8 bytes, [MS-FSCC] 2.4.16.1.
const ALIGN: usize = 8;
/// More links than a file can have (1024 on NTFS).
const MAX_ENTRIES: usize = 65_536;
/// BytesNeeded and EntriesReturned.
const HEAD: usize = 8;

/// FileHardLinkInformation, [MS-FSCC] 2.4.16. Local use only.
///
/// On the wire: BytesNeeded, EntriesReturned (4 bytes each), the entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileHardLinkInformation {
    /// Bytes that all names need.
    pub bytes_needed: u32,
    /// The names that fitted; their number is EntriesReturned.
    pub entries: Vec<FileLinkEntryInformation>,
}

/// FILE_LINK_ENTRY_INFORMATION, [MS-FSCC] 2.4.16.1.
///
/// On the wire: NextEntryOffset (4 bytes), ParentFileId (8), FileNameLength (4, counting UTF-16
/// units rather than bytes), FileName.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileLinkEntryInformation {
    /// 64-bit file id of the directory.
    pub parent_file_id: u64,
    /// Name in that directory.
    pub name: String,
}

impl FileHardLinkInformation {
    /// Reads it from the beginning of `input`. EntriesReturned is not believed: the chain says how
    /// many there are.
    ///
    /// # Errors
    ///
    /// `input` is too short, the chain is misaligned or leads outside, an entry is cut short, a
    /// name is not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "FILE_LINKS_INFORMATION";
        let mut f = Fields::new(input, WHAT);
        let bytes_needed = f.u32()?;
        f.skip(4)?;
        let entries = Entries::new(f.rest(), ALIGN, MAX_ENTRIES, WHAT)
            .map(|entry| {
                let mut f = Fields::new(entry?, WHAT);
                f.skip(4)?;
                let parent_file_id = f.u64()?;
                let units = read_len(&mut f)?;
                let len = units.checked_mul(2).ok_or(ParseError::OutOfBounds(WHAT))?;
                Ok(FileLinkEntryInformation {
                    parent_file_id,
                    name: decode_utf16(f.bytes(len)?, WHAT)?,
                })
            })
            .collect::<Result<_, ParseError>>()?;
        Ok(Self {
            bytes_needed,
            entries,
        })
    }

    /// Appends it; `w` must stand at a multiple of 8.
    pub fn encode(&self, w: &mut Writer) {
        debug_assert_eq!(w.position() % HEAD, 0);
        w.u32(self.bytes_needed);
        w.u32(len32(self.entries.len()));
        let mut chain = ChainWriter::new(ALIGN);
        for entry in &self.entries {
            chain.begin(w);
            w.u32(0);
            w.u64(entry.parent_file_id);
            w.u32(len32(entry.name.encode_utf16().count()));
            w.utf16(&entry.name);
        }
    }
}
