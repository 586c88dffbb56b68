//! Times and attributes.

use crate::dtyp::FileTime;
use crate::info::FileAttributes;
use crate::info::layout::fixed;

fixed! {
    /// FileBasicInformation, [MS-FSCC] 2.4.7. Query and set.
    ///
    /// In a set request a time of zero leaves the time alone, all ones (−1) stops implicit updates
    /// of it through this open and all ones minus one (−2) lets them happen again; attributes of
    /// zero leave the attributes alone.
    FileBasicInformation("FILE_BASIC_INFORMATION", 40, pad 4) {
        /// When the file was created.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data were last written.
        last_write_time: FileTime,
        /// When its data or metadata were last changed.
        change_time: FileTime,
        /// Attributes.
        attributes: FileAttributes,
    }
}

fixed! {
    /// FileNetworkOpenInformation, [MS-FSCC] 2.4.33. Query.
    FileNetworkOpenInformation("FILE_NETWORK_OPEN_INFORMATION", 56, pad 4) {
        /// When the file was created.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data were last written.
        last_write_time: FileTime,
        /// When its data or metadata were last changed.
        change_time: FileTime,
        /// Bytes taken on the disk.
        allocation_size: u64,
        /// Size in bytes.
        end_of_file: u64,
        /// Attributes.
        attributes: FileAttributes,
    }
}

fixed! {
    /// FileAttributeTagInformation, [MS-FSCC] 2.4.6. Query.
    FileAttributeTagInformation("FILE_ATTRIBUTE_TAG_INFORMATION", 8) {
        /// Attributes.
        attributes: FileAttributes,
        /// Reparse tag; zero unless the file is a reparse point.
        reparse_tag: u32,
    }
}
