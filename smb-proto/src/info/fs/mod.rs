//! File system information classes, [MS-FSCC] 2.5: what is asked about a volume.

mod attribute;
mod control;
mod posix;
mod size;
mod volume;

pub use attribute::{
    DeviceCharacteristics, DeviceType, FileFsAttributeInformation, FileFsDeviceInformation,
    FsAttributes,
};
pub use control::{
    FileFsControlInformation, FileFsDriverPathInformation, FileFsObjectIdInformation,
    FsControlFlags,
};
pub use posix::FileFsPosixInformation;
pub use size::{
    FileFsFullSizeInformation, FileFsSectorSizeInformation, FileFsSizeInformation, SectorFlags,
};
pub use volume::{FileFsLabelInformation, FileFsVolumeInformation};

#[cfg(test)]
mod tests;
