//! What the open may do and how: access, mode, alignment; and the size of the EAs.

use bitflags::bitflags;

use crate::dtyp::AccessMask;
use crate::info::layout::{fixed, flag_fields};

fixed! {
    /// FileAccessInformation, [MS-FSCC] 2.4.1. Query.
    FileAccessInformation("FILE_ACCESS_INFORMATION", 4) {
        /// The rights that the open was granted.
        access_flags: AccessMask,
    }
}

fixed! {
    /// FileAlignmentInformation, [MS-FSCC] 2.4.3. Query.
    FileAlignmentInformation("FILE_ALIGNMENT_INFORMATION", 4) {
        /// Alignment that buffers need, minus one: 0 for bytes, 1 for words, … 0x1ff for 512 bytes.
        alignment_requirement: u32,
    }
}

fixed! {
    /// FileEaInformation, [MS-FSCC] 2.4.12. Query.
    FileEaInformation("FILE_EA_INFORMATION", 4) {
        /// Bytes that the extended attributes take together.
        ea_size: u32,
    }
}

bitflags! {
    /// Mode of an open, [MS-FSCC] 2.4.30: some of its CreateOptions, under the same numbers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct FileMode: u32 {
        /// FILE_WRITE_THROUGH.
        const WRITE_THROUGH = 0x0000_0002;
        /// FILE_SEQUENTIAL_ONLY.
        const SEQUENTIAL_ONLY = 0x0000_0004;
        /// FILE_NO_INTERMEDIATE_BUFFERING.
        const NO_INTERMEDIATE_BUFFERING = 0x0000_0008;
        /// FILE_SYNCHRONOUS_IO_ALERT.
        const SYNCHRONOUS_IO_ALERT = 0x0000_0010;
        /// FILE_SYNCHRONOUS_IO_NONALERT.
        const SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
        /// FILE_DELETE_ON_CLOSE.
        const DELETE_ON_CLOSE = 0x0000_1000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { FileMode }

fixed! {
    /// FileModeInformation, [MS-FSCC] 2.4.30. Query and set.
    FileModeInformation("FILE_MODE_INFORMATION", 4) {
        /// The mode.
        mode: FileMode,
    }
}
