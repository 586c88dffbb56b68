//! Sizes, counts and positions. What clients set is signed, as the specification has it, so that a
//! negative number can be refused.

use crate::info::layout::fixed;

fixed! {
    /// FileStandardInformation, [MS-FSCC] 2.4.45. Query.
    FileStandardInformation("FILE_STANDARD_INFORMATION", 24, pad 2) {
        /// Bytes taken on the disk.
        allocation_size: u64,
        /// Size in bytes.
        end_of_file: u64,
        /// Names that the file has and that are not deleted.
        number_of_links: u32,
        /// The file goes away when its last open is closed.
        delete_pending: bool,
        /// It is a directory.
        directory: bool,
    }
}

fixed! {
    /// FileStandardLinkInformation, [MS-FSCC] 2.4.46. Local use only.
    FileStandardLinkInformation("FILE_STANDARD_LINK_INFORMATION", 12, pad 2) {
        /// Names that are not deleted.
        number_of_accessible_links: u32,
        /// All names.
        total_number_of_links: u32,
        /// The file goes away when its last open is closed.
        delete_pending: bool,
        /// It is a directory.
        directory: bool,
    }
}

fixed! {
    /// FileAllocationInformation, [MS-FSCC] 2.4.4. Set.
    FileAllocationInformation("FILE_ALLOCATION_INFORMATION", 8) {
        /// Bytes to take on the disk; a size beyond it is cut. Negative values are invalid.
        allocation_size: i64,
    }
}

fixed! {
    /// FileEndOfFileInformation, [MS-FSCC] 2.4.13. Set.
    FileEndOfFileInformation("FILE_END_OF_FILE_INFORMATION", 8) {
        /// The new size in bytes. Negative values are invalid.
        end_of_file: i64,
    }
}

fixed! {
    /// FileValidDataLengthInformation, [MS-FSCC] 2.4.48. Set.
    FileValidDataLengthInformation("FILE_VALID_DATA_LENGTH_INFORMATION", 8) {
        /// Bytes from the beginning that count as written. Negative values are invalid.
        valid_data_length: i64,
    }
}

fixed! {
    /// FilePositionInformation, [MS-FSCC] 2.4.39. Query and set.
    FilePositionInformation("FILE_POSITION_INFORMATION", 8) {
        /// File pointer of the open. Negative values are invalid.
        current_byte_offset: i64,
    }
}

fixed! {
    /// FileCompressionInformation, [MS-FSCC] 2.4.9. Query.
    FileCompressionInformation("FILE_COMPRESSION_INFORMATION", 16, pad 3) {
        /// Bytes that the file takes compressed.
        compressed_file_size: u64,
        /// 0 not compressed, 2 LZNT1.
        compression_format: u16,
        /// Logarithm (base 2) of the compression unit in bytes.
        compression_unit_shift: u8,
        /// Logarithm (base 2) of the compression chunk in bytes.
        chunk_shift: u8,
        /// Logarithm (base 2) of the cluster in bytes.
        cluster_shift: u8,
    }
}
