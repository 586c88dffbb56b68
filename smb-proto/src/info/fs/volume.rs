//! Identity of a volume.

use crate::ParseError;
use crate::dtyp::FileTime;
use crate::info::layout::{Field, read_len, read_name, write_name};
use crate::wire::{Fields, Writer, decode_utf16, len32, utf16_len};

/// FileFsVolumeInformation, [MS-FSCC] 2.5.9. Query.
///
/// On the wire: VolumeCreationTime (8 bytes), VolumeSerialNumber, VolumeLabelLength (4 each),
/// SupportsObjects, Reserved (1 each), VolumeLabel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFsVolumeInformation {
    /// When the volume was made.
    pub creation_time: FileTime,
    /// Serial number.
    pub serial_number: u32,
    /// Files can have object ids.
    pub supports_objects: bool,
    /// Label.
    pub label: String,
}

impl FileFsVolumeInformation {
    /// Bytes before the label.
    pub const FIXED_LEN: usize = 18;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, or the label is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let f = &mut Fields::new(input, "FILE_FS_VOLUME_INFORMATION");
        let creation_time = f.filetime()?;
        let serial_number = f.u32()?;
        let len = read_len(f)?;
        let supports_objects = bool::read(f)?;
        f.skip(1)?;
        Ok(Self {
            creation_time,
            serial_number,
            supports_objects,
            label: decode_utf16(f.bytes(len)?, f.what())?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.filetime(self.creation_time);
        w.u32(self.serial_number);
        w.u32(len32(utf16_len(&self.label)));
        w.u8(u8::from(self.supports_objects));
        w.u8(0);
        w.utf16(&self.label);
    }
}

/// FileFsLabelInformation, [MS-FSCC] 2.5.5. Local use only.
///
/// On the wire: VolumeLabelLength (4 bytes, in bytes), VolumeLabel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFsLabelInformation {
    /// The new label.
    pub label: String,
}

impl FileFsLabelInformation {
    /// Bytes before the label.
    pub const FIXED_LEN: usize = 4;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, or the label is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Ok(Self {
            label: read_name(&mut Fields::new(input, "FILE_FS_LABEL_INFORMATION"))?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        write_name(w, &self.label);
    }
}
