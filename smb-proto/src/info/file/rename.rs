//! New names: rename and hard link, in the forms that SMB2 uses.

use bitflags::bitflags;

use crate::ParseError;
use crate::info::layout::{read_name, write_name};
use crate::wire::{Fields, Writer};

/// Windows refuses shorter buffers than this, so [MS-FSCC] 2.4.41.2 has a Padding field.
const LEAST: usize = 24;

bitflags! {
    /// Flags of FileRenameInformationEx, FILE_RENAME_INFORMATION of `ntifs.h`. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct RenameFlags: u32 {
        /// An existing file of that name goes away.
        const REPLACE_IF_EXISTS = 0x0000_0001;
        /// Even while it is open; its opens stay usable.
        const POSIX_SEMANTICS = 0x0000_0002;
        /// The pinned and unpinned attributes are not taken from the new directory.
        const SUPPRESS_PIN_STATE_INHERITANCE = 0x0000_0004;
        /// The storage reserve is not taken from the new directory.
        const SUPPRESS_STORAGE_RESERVE_INHERITANCE = 0x0000_0008;
        /// Reserves are adjusted so that free space does not grow.
        const NO_INCREASE_AVAILABLE_SPACE = 0x0000_0010;
        /// Reserves are adjusted so that free space does not shrink.
        const NO_DECREASE_AVAILABLE_SPACE = 0x0000_0020;
        /// A read-only file may be replaced.
        const IGNORE_READONLY_ATTRIBUTE = 0x0000_0040;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// Flags of FileLinkInformationEx, FILE_LINK_INFORMATION of `ntifs.h`. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LinkFlags: u32 {
        /// An existing file of that name goes away.
        const REPLACE_IF_EXISTS = 0x0000_0001;
        /// Even while it is open; its opens stay usable.
        const POSIX_SEMANTICS = 0x0000_0002;
        /// The storage reserve is not taken from the directory of the link.
        const SUPPRESS_STORAGE_RESERVE_INHERITANCE = 0x0000_0008;
        /// Reserves are adjusted so that free space does not grow.
        const NO_INCREASE_AVAILABLE_SPACE = 0x0000_0010;
        /// Reserves are adjusted so that free space does not shrink.
        const NO_DECREASE_AVAILABLE_SPACE = 0x0000_0020;
        /// A read-only file may be replaced.
        const IGNORE_READONLY_ATTRIBUTE = 0x0000_0040;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// The 4 bytes of flags, or a BOOLEAN and 3 bytes that can hold anything.
trait Head: Sized {
    fn from_word(word: u32) -> Self;
    fn to_word(&self) -> u32;
}

impl Head for bool {
    fn from_word(word: u32) -> Self {
        word & 0xff != 0
    }

    fn to_word(&self) -> u32 {
        u32::from(*self)
    }
}

impl Head for RenameFlags {
    fn from_word(word: u32) -> Self {
        Self::from_bits_retain(word)
    }

    fn to_word(&self) -> u32 {
        self.bits()
    }
}

impl Head for LinkFlags {
    fn from_word(word: u32) -> Self {
        Self::from_bits_retain(word)
    }

    fn to_word(&self) -> u32 {
        self.bits()
    }
}

macro_rules! new_name {
    ($(#[$doc:meta])* $name:ident($what:literal) { $(#[$fdoc:meta])* $head:ident: $ty:ty }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name {
            $(#[$fdoc])*
            pub $head: $ty,
            /// RootDirectory: must be zero on the network.
            pub root_directory: u64,
            /// FileName: the new path, from the root of the share; for a stream it begins with a
            /// colon.
            pub file_name: String,
        }

        impl $name {
            /// Bytes before FileName.
            pub const FIXED_LEN: usize = 20;

            /// Reads it from the beginning of `input`.
            ///
            /// # Errors
            ///
            /// `input` is too short, or the name is not inside it or not UTF-16.
            pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
                let mut f = Fields::new(input, $what);
                let head = <$ty as Head>::from_word(f.u32()?);
                f.skip(4)?;
                Ok(Self {
                    $head: head,
                    root_directory: f.u64()?,
                    file_name: read_name(&mut f)?,
                })
            }

            /// Appends it, padded to 24 bytes, which is the least that Windows takes.
            pub fn encode(&self, w: &mut Writer) {
                let start = w.position();
                w.u32(Head::to_word(&self.$head));
                w.zeros(4);
                w.u64(self.root_directory);
                write_name(w, &self.file_name);
                let len = w.position().saturating_sub(start);
                w.zeros(LEAST.saturating_sub(len));
            }
        }
    };
}

new_name! {
    /// FileRenameInformation for SMB2, [MS-FSCC] 2.4.41.2. Set.
    FileRenameInformation("FILE_RENAME_INFORMATION_TYPE_2") {
        /// An existing file of that name goes away.
        replace_if_exists: bool
    }
}

new_name! {
    /// FileRenameInformationEx (65), FILE_RENAME_INFORMATION of `ntifs.h`. Set.
    FileRenameInformationEx("FILE_RENAME_INFORMATION_EX") {
        /// Flags.
        flags: RenameFlags
    }
}

new_name! {
    /// FileLinkInformation for SMB2, [MS-FSCC] 2.4.27.2. Set.
    FileLinkInformation("FILE_LINK_INFORMATION_TYPE_2") {
        /// An existing file of that name goes away.
        replace_if_exists: bool
    }
}

new_name! {
    /// FileLinkInformationEx (72), FILE_LINK_INFORMATION of `ntifs.h`. Set.
    FileLinkInformationEx("FILE_LINK_INFORMATION_EX") {
        /// Flags.
        flags: LinkFlags
    }
}
