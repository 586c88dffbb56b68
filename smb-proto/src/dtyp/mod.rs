//! Data types of [MS-DTYP]: GUIDs, times, security identifiers and descriptors.

mod filetime;
mod guid;

pub use filetime::FileTime;
pub use guid::Guid;
