//! Nine classes in one.

use super::{
    FileAccessInformation, FileAlignmentInformation, FileBasicInformation, FileEaInformation,
    FileInternalInformation, FileModeInformation, FileNameInformation, FilePositionInformation,
    FileStandardInformation,
};
use crate::ParseError;
use crate::wire::{Fields, Writer};

/// FileAllInformation, [MS-FSCC] 2.4.2. Query. 96 bytes, then the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileAllInformation {
    /// BasicInformation.
    pub basic: FileBasicInformation,
    /// StandardInformation.
    pub standard: FileStandardInformation,
    /// InternalInformation.
    pub internal: FileInternalInformation,
    /// EaInformation.
    pub ea: FileEaInformation,
    /// AccessInformation.
    pub access: FileAccessInformation,
    /// PositionInformation.
    pub position: FilePositionInformation,
    /// ModeInformation.
    pub mode: FileModeInformation,
    /// AlignmentInformation.
    pub alignment: FileAlignmentInformation,
    /// NameInformation.
    pub name: FileNameInformation,
}

impl FileAllInformation {
    /// Bytes before FileName.
    pub const FIXED_LEN: usize = 100;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, or the name is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let f = &mut Fields::new(input, "FILE_ALL_INFORMATION");
        Ok(Self {
            basic: FileBasicInformation::read(f)?,
            standard: FileStandardInformation::read(f)?,
            internal: FileInternalInformation::read(f)?,
            ea: FileEaInformation::read(f)?,
            access: FileAccessInformation::read(f)?,
            position: FilePositionInformation::read(f)?,
            mode: FileModeInformation::read(f)?,
            alignment: FileAlignmentInformation::read(f)?,
            name: FileNameInformation::read(f)?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        self.basic.encode(w);
        self.standard.encode(w);
        self.internal.encode(w);
        self.ea.encode(w);
        self.access.encode(w);
        self.position.encode(w);
        self.mode.encode(w);
        self.alignment.encode(w);
        self.name.encode(w);
    }
}
