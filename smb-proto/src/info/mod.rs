//! Information classes of [MS-FSCC]: what QUERY_INFO, SET_INFO and QUERY_DIRECTORY carry.
//!
//! * [`mod@file`]: one structure for each class of [MS-FSCC] 2.4 that speaks of one file.
//! * [`dir`]: directory listings; one [`DirEntry`](dir::DirEntry) can be written as any class.
//! * [`fs`]: classes of [MS-FSCC] 2.5, which speak of the volume.
//! * [`notify`]: the changes that CHANGE_NOTIFY reports.
//! * [`quota`]: quota entries and the question for them.
//!
//! Every structure both parses and encodes. Bytes behind a structure are ignored when parsing:
//! clients send whole buffers. Lengths and offsets that point outside what was received are errors.

mod attributes;
mod class;
pub mod dir;
pub mod file;
pub mod fs;
mod layout;
pub mod notify;
pub mod quota;
mod security;

pub use attributes::FileAttributes;
pub use class::{FileInfoClass, FsInfoClass, InfoType, QueryLen, Uses};
pub use security::SecurityInformation;
