//! Writing and reading lists of entries.

use bytes::BytesMut;

use super::class::{Ea, Layout, Shape};
use super::{DirClass, DirEntry, PosixAttributes};
use crate::ParseError;
use crate::dtyp::{FileTime, Sid};
use crate::info::FileAttributes;
use crate::info::layout::{Field, read_len, read_name, write_name};
use crate::wire::{ChainWriter, Entries, Fields, Writer, decode_utf16, len32, utf16_len};

/// Entries of a listing begin at multiples of 8 bytes, [MS-FSCC] 2.4.
const ALIGN: usize = 8;
/// Reading needs no alignment, and not every server keeps to it.
const PARSE_ALIGN: usize = 1;
/// More entries than fit in the largest answer that SMB2 can carry (16 MiB of the shortest ones).
const MAX_ENTRIES: usize = 1 << 20;
/// Bytes of ShortName.
const SHORT_NAME_LEN: usize = 24;

/// The answer to one QUERY_DIRECTORY being filled.
#[derive(Debug)]
pub struct DirList {
    class: DirClass,
    limit: usize,
    w: Writer,
    chain: ChainWriter,
    count: usize,
}

impl DirList {
    /// An empty answer of `class` with room for `limit` bytes.
    #[must_use]
    pub fn new(class: DirClass, limit: usize) -> Self {
        Self {
            class,
            limit,
            w: Writer::new(),
            chain: ChainWriter::new(ALIGN),
            count: 0,
        }
    }

    /// Appends `entry` if it fits, and answers whether it did.
    #[must_use]
    pub fn push(&mut self, entry: &DirEntry) -> bool {
        let needed = self
            .w
            .position()
            .checked_next_multiple_of(ALIGN)
            .and_then(|at| at.checked_add(self.class.encoded_len(entry)));
        if needed.is_none_or(|needed| needed > self.limit) {
            return false;
        }
        self.class.encode_entry(entry, &mut self.w, &mut self.chain);
        self.count = self.count.saturating_add(1);
        true
    }

    /// Entries so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.w.position()
    }

    /// Nothing appended yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The finished list.
    #[must_use]
    pub fn into_inner(self) -> BytesMut {
        self.w.into_inner()
    }
}

impl DirClass {
    /// Bytes that `entry` takes in this class, without the padding that may precede it.
    #[must_use]
    pub fn encoded_len(self, entry: &DirEntry) -> usize {
        let sids = match self.layout() {
            Layout::Posix => {
                let posix = entry.posix.unwrap_or_default();
                posix
                    .owner
                    .encoded_len()
                    .saturating_add(posix.group.encoded_len())
            }
            Layout::Names | Layout::Common(_) => 0,
        };
        self.fixed_len()
            .saturating_add(sids)
            .saturating_add(utf16_len(&entry.name))
    }

    /// Appends `entry` in this class as the next one of `chain`, which must align to 8 bytes.
    pub fn encode_entry(self, entry: &DirEntry, w: &mut Writer, chain: &mut ChainWriter) {
        chain.begin(w);
        w.u32(0);
        w.u32(entry.file_index);
        match self.layout() {
            Layout::Names => write_name(w, &entry.name),
            Layout::Posix => encode_posix(entry, w),
            Layout::Common(shape) => encode_common(entry, shape, w),
        }
    }

    /// Reads one entry, `input` beginning at its NextEntryOffset.
    fn parse_entry(self, input: &[u8]) -> Result<DirEntry, ParseError> {
        let mut f = Fields::new(input, self.name());
        f.skip(4)?;
        let file_index = f.u32()?;
        let mut entry = match self.layout() {
            Layout::Names => DirEntry {
                name: read_name(&mut f)?,
                ..DirEntry::default()
            },
            Layout::Posix => parse_posix(&mut f)?,
            Layout::Common(shape) => parse_common(&mut f, shape)?,
        };
        entry.file_index = file_index;
        Ok(entry)
    }
}

/// Reads a listing of `class`. Fields that the class does not have keep their defaults.
///
/// # Errors
///
/// An entry that is cut short or whose name is not inside it, a chain of offsets that leads outside,
/// a name that is not UTF-16.
pub fn parse_list(class: DirClass, input: &[u8]) -> Result<Vec<DirEntry>, ParseError> {
    Entries::new(input, PARSE_ALIGN, MAX_ENTRIES, class.name())
        .map(|entry| class.parse_entry(entry?))
        .collect()
}

fn encode_times_and_sizes(entry: &DirEntry, w: &mut Writer) {
    w.filetime(entry.creation_time);
    w.filetime(entry.last_access_time);
    w.filetime(entry.last_write_time);
    w.filetime(entry.change_time);
    w.u64(entry.end_of_file);
    w.u64(entry.allocation_size);
    w.u32(entry.attributes.bits());
}

fn parse_times_and_sizes(f: &mut Fields<'_>) -> Result<DirEntry, ParseError> {
    Ok(DirEntry {
        creation_time: FileTime::read(f)?,
        last_access_time: FileTime::read(f)?,
        last_write_time: FileTime::read(f)?,
        change_time: FileTime::read(f)?,
        end_of_file: f.u64()?,
        allocation_size: f.u64()?,
        attributes: FileAttributes::read(f)?,
        ..DirEntry::default()
    })
}

fn encode_common(entry: &DirEntry, shape: Shape, w: &mut Writer) {
    encode_times_and_sizes(entry, w);
    w.u32(len32(utf16_len(&entry.name)));
    let tag = entry
        .attributes
        .contains(FileAttributes::REPARSE_POINT)
        .then_some(entry.reparse_tag);
    match shape.ea {
        Ea::None => {}
        Ea::Shared => w.u32(tag.unwrap_or(entry.ea_size)),
        Ea::SharedPadded => {
            w.u32(tag.unwrap_or(entry.ea_size));
            w.u32(0);
        }
        Ea::Apart => {
            w.u32(entry.ea_size);
            w.u32(tag.unwrap_or(0));
        }
    }
    // The short name stands before a FileId that is not preceded by a reparse tag, else behind it.
    if shape.short_name && shape.ea == Ea::Shared {
        encode_short_name(&entry.short_name, w);
        if shape.id {
            w.u16(0);
        }
    }
    if shape.id {
        w.u64(entry.file_id);
    }
    if shape.id_128 {
        entry.file_id_128.write(w);
    }
    if shape.short_name && shape.ea == Ea::Apart {
        encode_short_name(&entry.short_name, w);
    }
    w.utf16(&entry.name);
}

fn parse_common(f: &mut Fields<'_>, shape: Shape) -> Result<DirEntry, ParseError> {
    let mut entry = parse_times_and_sizes(f)?;
    let name_len = read_len(f)?;
    let is_reparse_point = entry.attributes.contains(FileAttributes::REPARSE_POINT);
    match shape.ea {
        Ea::None => {}
        Ea::Shared | Ea::SharedPadded => {
            let value = f.u32()?;
            if is_reparse_point {
                entry.reparse_tag = value;
            } else {
                entry.ea_size = value;
            }
            if shape.ea == Ea::SharedPadded {
                f.skip(4)?;
            }
        }
        Ea::Apart => {
            entry.ea_size = f.u32()?;
            let tag = f.u32()?;
            if is_reparse_point {
                entry.reparse_tag = tag;
            }
        }
    }
    if shape.short_name && shape.ea == Ea::Shared {
        entry.short_name = parse_short_name(f)?;
        if shape.id {
            f.skip(2)?;
        }
    }
    if shape.id {
        entry.file_id = f.u64()?;
    }
    if shape.id_128 {
        entry.file_id_128 = u128::read(f)?;
    }
    if shape.short_name && shape.ea == Ea::Apart {
        entry.short_name = parse_short_name(f)?;
    }
    let what = f.what();
    let name = f
        .bytes(name_len)
        .map_err(|_| ParseError::OutOfBounds(what))?;
    entry.name = decode_utf16(name, what)?;
    Ok(entry)
}

/// ShortNameLength in bytes, a reserved byte, ShortName in 24 bytes.
fn encode_short_name(name: &str, w: &mut Writer) {
    let mut units = [0; SHORT_NAME_LEN];
    let mut len = 0_u8;
    for (place, unit) in units
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(name.encode_utf16())
    {
        *place = unit.to_le_bytes();
        len = len.saturating_add(2);
    }
    w.u8(len);
    w.u8(0);
    w.bytes(&units);
}

/// Where Apple's extensions were negotiated, servers keep other things in this place (and say an odd
/// length), so that what is not a name counts as none.
fn parse_short_name(f: &mut Fields<'_>) -> Result<String, ParseError> {
    let what = f.what();
    let len = usize::from(f.u8()?);
    f.skip(1)?;
    let name = f.bytes(SHORT_NAME_LEN)?;
    Ok(name
        .get(..len)
        .and_then(|name| decode_utf16(name, what).ok())
        .unwrap_or_default())
}

fn encode_posix(entry: &DirEntry, w: &mut Writer) {
    let posix = entry.posix.unwrap_or_default();
    encode_times_and_sizes(entry, w);
    w.u64(entry.file_id);
    w.u32(posix.device);
    w.u32(0);
    w.u32(posix.hard_links);
    w.u32(entry.reparse_tag);
    w.u32(posix.mode);
    posix.owner.encode(w);
    posix.group.encode(w);
    write_name(w, &entry.name);
}

fn parse_posix(f: &mut Fields<'_>) -> Result<DirEntry, ParseError> {
    let mut entry = parse_times_and_sizes(f)?;
    entry.file_id = f.u64()?;
    let device = f.u32()?;
    f.skip(4)?;
    let hard_links = f.u32()?;
    entry.reparse_tag = f.u32()?;
    let mode = f.u32()?;
    let owner = Sid::read(f)?;
    let group = Sid::read(f)?;
    entry.posix = Some(PosixAttributes {
        device,
        hard_links,
        mode,
        owner,
        group,
    });
    entry.name = read_name(f)?;
    Ok(entry)
}
