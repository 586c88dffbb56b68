//! Reparse points, [MS-FSCC] 2.1.2: the buffers of FSCTL_GET_REPARSE_POINT,
//! FSCTL_SET_REPARSE_POINT and FSCTL_DELETE_REPARSE_POINT.

mod buffer;
mod link;
mod nfs;
mod point;
mod tag;

pub use buffer::ReparseDataBuffer;
pub use link::{MountPoint, SymbolicLink, SymlinkFlags};
pub use nfs::NfsSpecialFile;
pub use point::ReparsePoint;
pub use tag::ReparseTag;
