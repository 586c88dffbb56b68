//! POSIX attributes.

use crate::ParseError;
use crate::dtyp::{FileTime, Sid};
use crate::info::FileAttributes;
use crate::info::dir::PosixAttributes;
use crate::info::layout::{Field, read_name, write_name};
use crate::wire::{Fields, Writer};

/// FilePosixInformation (100), [POSIX-FSCC] 2.3.1.1. Query, where POSIX extensions were negotiated.
///
/// On the wire: the times, EndOfFile, AllocationSize (8 bytes each), FileAttributes (4), Inode (8),
/// DeviceId, Reserved, HardLinks, ReparseTag, Mode (4 each), owner and group SID. In a directory
/// listing ([`DirClass::Posix`](crate::info::dir::DirClass::Posix)) a name follows; servers differ
/// in whether one does here, and clients do not read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FilePosixInformation {
    /// When the file was created.
    pub creation_time: FileTime,
    /// When it was last read.
    pub last_access_time: FileTime,
    /// When its data were last written.
    pub last_write_time: FileTime,
    /// When its data or metadata were last changed.
    pub change_time: FileTime,
    /// Size in bytes.
    pub end_of_file: u64,
    /// Bytes taken on the disk.
    pub allocation_size: u64,
    /// Attributes.
    pub attributes: FileAttributes,
    /// Inode number.
    pub inode: u64,
    /// Reparse tag; zero unless the file is a reparse point.
    pub reparse_tag: u32,
    /// Device, links, mode, owner, group.
    pub posix: PosixAttributes,
    /// FileNameLength and FileName, if there.
    pub name: Option<String>,
}

impl FilePosixInformation {
    /// Bytes before the SIDs.
    pub const FIXED_LEN: usize = 80;

    /// Reads it; what is left behind the SIDs is the name.
    ///
    /// # Errors
    ///
    /// `input` is too short, a SID is malformed, or the name is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let f = &mut Fields::new(input, "FilePosixInformation");
        let creation_time = FileTime::read(f)?;
        let last_access_time = FileTime::read(f)?;
        let last_write_time = FileTime::read(f)?;
        let change_time = FileTime::read(f)?;
        let end_of_file = f.u64()?;
        let allocation_size = f.u64()?;
        let attributes = FileAttributes::read(f)?;
        let inode = f.u64()?;
        let device = f.u32()?;
        f.skip(4)?;
        let hard_links = f.u32()?;
        let reparse_tag = f.u32()?;
        let mode = f.u32()?;
        let posix = PosixAttributes {
            device,
            hard_links,
            mode,
            owner: Sid::read(f)?,
            group: Sid::read(f)?,
        };
        let name = if f.rest().is_empty() {
            None
        } else {
            Some(read_name(f)?)
        };
        Ok(Self {
            creation_time,
            last_access_time,
            last_write_time,
            change_time,
            end_of_file,
            allocation_size,
            attributes,
            inode,
            reparse_tag,
            posix,
            name,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.filetime(self.creation_time);
        w.filetime(self.last_access_time);
        w.filetime(self.last_write_time);
        w.filetime(self.change_time);
        w.u64(self.end_of_file);
        w.u64(self.allocation_size);
        w.u32(self.attributes.bits());
        w.u64(self.inode);
        w.u32(self.posix.device);
        w.u32(0);
        w.u32(self.posix.hard_links);
        w.u32(self.reparse_tag);
        w.u32(self.posix.mode);
        self.posix.owner.encode(w);
        self.posix.group.encode(w);
        if let Some(name) = &self.name {
            write_name(w, name);
        }
    }
}
