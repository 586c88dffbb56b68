//! Names behind a length.

use crate::ParseError;
use crate::info::layout::{read_name, write_name};
use crate::wire::{Fields, Writer};

macro_rules! name_structure {
    ($(#[$doc:meta])* $name:ident($what:literal) { $(#[$fdoc:meta])* $field:ident }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name {
            $(#[$fdoc])*
            pub $field: String,
        }

        impl $name {
            /// Bytes before FileName.
            pub const FIXED_LEN: usize = 4;

            /// Reads it from the beginning of `input`.
            ///
            /// # Errors
            ///
            /// `input` is too short, or the name is not inside it or not UTF-16.
            pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
                Self::read(&mut Fields::new(input, $what))
            }

            pub(crate) fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
                Ok(Self {
                    $field: read_name(f)?,
                })
            }

            /// Appends it.
            pub fn encode(&self, w: &mut Writer) {
                write_name(w, &self.$field);
            }
        }
    };
}

name_structure! {
    /// FILE_NAME_INFORMATION: FileNameLength (4 bytes, in bytes), FileName.
    ///
    /// The answer to FileAlternateNameInformation ([MS-FSCC] 2.4.5) and
    /// FileNormalizedNameInformation ([MS-FSCC] 2.4.34), the last part of FileAllInformation, and
    /// FileNameInformation ([MS-FSCC] 2.4.31), which is for local use only.
    FileNameInformation("FILE_NAME_INFORMATION") {
        /// The name: 8.3 form, path from the root of the share, or path from the root of the
        /// volume with a leading backslash, as the class says.
        name
    }
}

name_structure! {
    /// FileShortNameInformation, [MS-FSCC] 2.4.44. Set.
    FileShortNameInformation("FILE_SHORT_NAME_INFORMATION") {
        /// The new 8.3 name; empty removes it.
        name
    }
}
