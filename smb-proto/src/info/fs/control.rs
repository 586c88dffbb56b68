//! Default quotas, object id, drivers.

use bitflags::bitflags;

use crate::ParseError;
use crate::dtyp::Guid;
use crate::info::layout::{Field, fixed, flag_fields, read_name, write_name};
use crate::wire::{Fields, Writer};

bitflags! {
    /// FileSystemControlFlags, [MS-FSCC] 2.5.2. 4 bytes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct FsControlFlags: u32 {
        /// Use is counted.
        const QUOTA_TRACK = 0x0000_0001;
        /// Limits are enforced.
        const QUOTA_ENFORCE = 0x0000_0002;
        /// The volume is not indexed.
        const CONTENT_INDEX_DISABLED = 0x0000_0008;
        /// Reaching a threshold is logged.
        const LOG_QUOTA_THRESHOLD = 0x0000_0010;
        /// Reaching a limit is logged.
        const LOG_QUOTA_LIMIT = 0x0000_0020;
        /// Free space reaching the threshold of the volume is logged.
        const LOG_VOLUME_THRESHOLD = 0x0000_0040;
        /// Free space reaching the limit of the volume is logged.
        const LOG_VOLUME_LIMIT = 0x0000_0080;
        /// Counts are not complete.
        const QUOTAS_INCOMPLETE = 0x0000_0100;
        /// Counts are being made again.
        const QUOTAS_REBUILDING = 0x0000_0200;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
flag_fields! { FsControlFlags }

fixed! {
    /// FileFsControlInformation, [MS-FSCC] 2.5.2. Query and set.
    FileFsControlInformation("FILE_FS_CONTROL_INFORMATION", 48, pad 4) {
        /// Free space below which indexing does not begin; zero or the number of the index service.
        free_space_start_filtering: i64,
        /// Free space below which indexing of recent changes stops.
        free_space_threshold: i64,
        /// Free space below which indexing stops.
        free_space_stop_filtering: i64,
        /// Threshold in bytes for users without a quota entry; all ones for none.
        default_quota_threshold: u64,
        /// Limit in bytes for users without a quota entry; all ones for none.
        default_quota_limit: u64,
        /// Flags.
        flags: FsControlFlags,
    }
}

/// FileFsObjectIdInformation, [MS-FSCC] 2.5.6. Query and set. 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFsObjectIdInformation {
    /// Object id of the volume.
    pub object_id: Guid,
    /// 48 bytes of the file system's own.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub extended_info: [u8; 48],
}

impl FileFsObjectIdInformation {
    /// Bytes on the wire.
    pub const LEN: usize = 64;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] if `input` is shorter than [`Self::LEN`].
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FILE_FS_OBJECTID_INFORMATION");
        Ok(Self {
            object_id: f.guid()?,
            extended_info: f.array()?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.guid(self.object_id);
        w.bytes(&self.extended_info);
    }
}

/// FileFsDriverPathInformation, [MS-FSCC] 2.5.3. Local use only.
///
/// On the wire: DriverInPath (1 byte), 3 reserved bytes, DriverNameLength (4 bytes, in bytes),
/// DriverName.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileFsDriverPathInformation {
    /// The driver is between the volume and its device.
    pub driver_in_path: bool,
    /// Name of the driver that is asked about.
    pub driver_name: String,
}

impl FileFsDriverPathInformation {
    /// Bytes before the name.
    pub const FIXED_LEN: usize = 8;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, or the name is not inside it or not UTF-16.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let f = &mut Fields::new(input, "FILE_FS_DRIVER_PATH_INFORMATION");
        let driver_in_path = bool::read(f)?;
        f.skip(3)?;
        Ok(Self {
            driver_in_path,
            driver_name: read_name(f)?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(u8::from(self.driver_in_path));
        w.zeros(3);
        write_name(w, &self.driver_name);
    }
}
