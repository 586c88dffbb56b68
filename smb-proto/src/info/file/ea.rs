//! Extended attributes.

use bitflags::bitflags;
use bytes::Bytes;

use crate::ParseError;
use crate::wire::{ChainWriter, Entries, Fields, Writer, len16};

/// Entries begin at multiples of 4 bytes, [MS-FSCC] 2.4.15.
const ALIGN: usize = 4;
/// Far more than a file can have: the attributes of one file take at most 64 KiB together.
const MAX_ENTRIES: usize = 16_384;

bitflags! {
    /// Flags of an extended attribute, [MS-FSCC] 2.4.15. One byte.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct EaFlags: u8 {
        /// FILE_NEED_EA: who does not know what the attribute means must not open the file.
        const NEED_EA = 0x80;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// One extended attribute: an entry of FileFullEaInformation, [MS-FSCC] 2.4.15 (query and set), and
/// of the SMB2_CREATE_EA_BUFFER create context ([MS-SMB2] 2.2.13.2.1).
///
/// On the wire: NextEntryOffset (4 bytes), Flags, EaNameLength (1 byte each), EaValueLength (2),
/// EaName, a zero byte that the length does not count, EaValue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFullEaInformation {
    /// Flags.
    pub flags: EaFlags,
    /// EaName: ASCII, compared without regard to case. At most 255 bytes; what exceeds them is not
    /// written.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub name: Bytes,
    /// EaValue: empty removes the attribute when set. At most 65535 bytes.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub value: Bytes,
}

impl FileFullEaInformation {
    /// Bytes of an entry before its name.
    pub const FIXED_LEN: usize = 8;

    /// Bytes on the wire, without padding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Self::FIXED_LEN
            .saturating_add(self.name.len())
            .saturating_add(1)
            .saturating_add(self.value.len())
    }

    /// Reads a list of attributes; names and values are slices of `input`. An empty input is an
    /// empty list.
    ///
    /// # Errors
    ///
    /// A chain that is misaligned or leads outside, an entry that is cut short, a name that is not
    /// followed by a zero byte. Servers answer STATUS_EA_LIST_INCONSISTENT.
    pub fn parse_list(input: &Bytes) -> Result<Vec<Self>, ParseError> {
        const WHAT: &str = "FILE_FULL_EA_INFORMATION";
        Entries::new(input, ALIGN, MAX_ENTRIES, WHAT)
            .map(|entry| {
                let mut f = Fields::new(entry?, WHAT);
                f.skip(4)?;
                let flags = EaFlags::from_bits_retain(f.u8()?);
                let name_len = usize::from(f.u8()?);
                let value_len = usize::from(f.u16()?);
                let name = take_name(&mut f, name_len)?;
                let value = f.bytes(value_len)?;
                Ok(Self {
                    flags,
                    name: input.slice_ref(name),
                    value: input.slice_ref(value),
                })
            })
            .collect()
    }

    /// Appends it as the next entry of `chain`, which must align to 4 bytes.
    pub fn encode_entry(&self, w: &mut Writer, chain: &mut ChainWriter) {
        chain.begin(w);
        w.u32(0);
        w.u8(self.flags.bits());
        let name = write_name_len(w, &self.name);
        w.u16(len16(self.value.len()));
        w.bytes(name);
        w.u8(0);
        w.bytes(&self.value);
    }

    /// Appends a list.
    pub fn encode_list(list: &[Self], w: &mut Writer) {
        let mut chain = ChainWriter::new(ALIGN);
        for ea in list {
            ea.encode_entry(w, &mut chain);
        }
    }
}

/// FILE_GET_EA_INFORMATION, [MS-FSCC] 2.4.15.1: which attributes a query is about.
///
/// On the wire: NextEntryOffset (4 bytes), EaNameLength (1 byte), EaName, a zero byte that the
/// length does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileGetEaInformation {
    /// EaName: ASCII, compared without regard to case. At most 255 bytes; what exceeds them is not
    /// written.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub name: Bytes,
}

impl FileGetEaInformation {
    /// Reads a list; names are slices of `input`.
    ///
    /// # Errors
    ///
    /// As [`FileFullEaInformation::parse_list`].
    pub fn parse_list(input: &Bytes) -> Result<Vec<Self>, ParseError> {
        const WHAT: &str = "FILE_GET_EA_INFORMATION";
        Entries::new(input, ALIGN, MAX_ENTRIES, WHAT)
            .map(|entry| {
                let mut f = Fields::new(entry?, WHAT);
                f.skip(4)?;
                let name_len = usize::from(f.u8()?);
                let name = take_name(&mut f, name_len)?;
                Ok(Self {
                    name: input.slice_ref(name),
                })
            })
            .collect()
    }

    /// Appends a list.
    pub fn encode_list(list: &[Self], w: &mut Writer) {
        let mut chain = ChainWriter::new(ALIGN);
        for ea in list {
            chain.begin(w);
            w.u32(0);
            let name = write_name_len(w, &ea.name);
            w.bytes(name);
            w.u8(0);
        }
    }
}

/// Takes a name and the zero byte behind it.
fn take_name<'a>(f: &mut Fields<'a>, len: usize) -> Result<&'a [u8], ParseError> {
    let name = f.bytes(len)?;
    if f.u8()? == 0 {
        Ok(name)
    } else {
        Err(ParseError::BadValue(f.what()))
    }
}

/// Writes the length of as much of `name` as it can express, and answers that part.
fn write_name_len<'a>(w: &mut Writer, name: &'a [u8]) -> &'a [u8] {
    let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    w.u8(len);
    name.get(..usize::from(len)).unwrap_or(name)
}
