//! Deleting through an open.

use bitflags::bitflags;

use crate::info::layout::{fixed, flag_fields};

fixed! {
    /// FileDispositionInformation, [MS-FSCC] 2.4.11. Set.
    FileDispositionInformation("FILE_DISPOSITION_INFORMATION", 1) {
        /// The file goes away when its last open is closed; false takes that back.
        delete_pending: bool,
    }
}

bitflags! {
    /// Flags of [`FileDispositionInformationEx`]. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct DispositionFlags: u32 {
        /// Delete; without it the file stays.
        const DELETE = 0x0000_0001;
        /// The name goes away when this open is closed, even if others remain.
        const POSIX_SEMANTICS = 0x0000_0002;
        /// Fails if the file is mapped as an image.
        const FORCE_IMAGE_SECTION_CHECK = 0x0000_0004;
        /// The flags change the delete-on-close state of the open.
        const ON_CLOSE = 0x0000_0008;
        /// A read-only file may be deleted.
        const IGNORE_READONLY_ATTRIBUTE = 0x0000_0010;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { DispositionFlags }

fixed! {
    /// FileDispositionInformationEx (64), FILE_DISPOSITION_INFORMATION_EX of `ntddk.h`. Set.
    FileDispositionInformationEx("FILE_DISPOSITION_INFORMATION_EX", 4) {
        /// Flags.
        flags: DispositionFlags,
    }
}
