//! Numbers by which a file is known to its file system.

use crate::dtyp::Guid;
use crate::info::layout::fixed;

fixed! {
    /// FileInternalInformation, [MS-FSCC] 2.4.26. Query.
    FileInternalInformation("FILE_INTERNAL_INFORMATION", 8) {
        /// The 64-bit file id ([MS-FSCC] 2.1.9).
        index_number: u64,
    }
}

fixed! {
    /// FileIdInformation, [MS-FSCC] 2.4.25. Query, only in the 3.x dialects.
    FileIdInformation("FILE_ID_INFORMATION", 24) {
        /// Serial number of the volume.
        volume_serial_number: u64,
        /// The 128-bit file id ([MS-FSCC] 2.1.10).
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        file_id: u128,
    }
}

fixed! {
    /// FileObjectIdInformation, [MS-FSCC] 2.4.35. Local use only.
    ///
    /// This is the first of its two forms. In the second the last three fields are 48 bytes of
    /// meaning unknown to the server; they travel through this one unchanged.
    FileObjectIdInformation("FILE_OBJECTID_INFORMATION", 72) {
        /// The 64-bit file id.
        file_reference: u64,
        /// The object id.
        object_id: Guid,
        /// Object id of the volume where the file was created.
        birth_volume_id: Guid,
        /// The object id it had then.
        birth_object_id: Guid,
        /// Unused.
        domain_id: Guid,
    }
}

fixed! {
    /// FileReparsePointInformation, [MS-FSCC] 2.4.42. Local use only.
    FileReparsePointInformation("FILE_REPARSE_POINT_INFORMATION", 12) {
        /// The 64-bit file id.
        file_reference_number: u64,
        /// Its reparse tag.
        tag: u32,
    }
}
