//! Data types of [MS-DTYP]: GUIDs, times, security identifiers and descriptors.

mod access;
mod acl;
mod filetime;
mod guid;
mod sd;
mod sid;

pub use access::AccessMask;
pub use acl::{Ace, AceBody, AceFlags, AceType, Acl};
pub use filetime::FileTime;
pub use guid::Guid;
pub use sd::{AclSlot, SdControl, SecurityDescriptor};
pub use sid::{MAX_SUB_AUTHORITIES, Sid, SidTextError};

#[cfg(test)]
pub(crate) use sid::tests::any_sid;
