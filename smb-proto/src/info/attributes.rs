//! File attributes, [MS-FSCC] 2.6.

use bitflags::bitflags;

bitflags! {
    /// FILE_ATTRIBUTE_* of a file or directory, 4 bytes on the wire.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct FileAttributes: u32 {
        /// Must not be written or deleted.
        const READONLY = 0x0000_0001;
        /// Not shown in ordinary listings.
        const HIDDEN = 0x0000_0002;
        /// Part of, or used by, the operating system.
        const SYSTEM = 0x0000_0004;
        /// A directory.
        const DIRECTORY = 0x0000_0010;
        /// Needs to be archived.
        const ARCHIVE = 0x0000_0020;
        /// No other attribute; only valid alone.
        const NORMAL = 0x0000_0080;
        /// Used for temporary storage.
        const TEMPORARY = 0x0000_0100;
        /// A sparse file.
        const SPARSE_FILE = 0x0000_0200;
        /// Has a reparse point.
        const REPARSE_POINT = 0x0000_0400;
        /// Compressed.
        const COMPRESSED = 0x0000_0800;
        /// The data is not available immediately.
        const OFFLINE = 0x0000_1000;
        /// Not to be indexed by the content indexing service.
        const NOT_CONTENT_INDEXED = 0x0000_2000;
        /// Encrypted by the file system.
        const ENCRYPTED = 0x0000_4000;
        /// Configured with integrity support.
        const INTEGRITY_STREAM = 0x0000_8000;
        /// Excluded from the data integrity scan.
        const NO_SCRUB_DATA = 0x0002_0000;
        /// The open of the file fetches it from remote storage.
        const RECALL_ON_OPEN = 0x0004_0000;
        /// To be kept fully present locally.
        const PINNED = 0x0008_0000;
        /// Not to be kept fully present locally.
        const UNPINNED = 0x0010_0000;
        /// Reading the data fetches it from remote storage.
        const RECALL_ON_DATA_ACCESS = 0x0040_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
