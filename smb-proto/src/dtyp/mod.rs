//! Data types of [MS-DTYP]: GUIDs, times, security identifiers and descriptors.

mod access;
mod filetime;
mod guid;

pub use access::AccessMask;
pub use filetime::FileTime;
pub use guid::Guid;
