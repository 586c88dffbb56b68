//! Directory listings: the answers to QUERY_DIRECTORY ([MS-SMB2] 2.2.33 and 2.2.34).
//!
//! All classes are lists of the same entries with more or fewer fields, so there is one entry type,
//! [`DirEntry`], and a table of layouts behind [`DirClass`].

mod class;
mod entry;
mod list;

pub use class::DirClass;
pub use entry::{DirEntry, PosixAttributes};
pub use list::{DirList, parse_list};

#[cfg(test)]
mod tests;
