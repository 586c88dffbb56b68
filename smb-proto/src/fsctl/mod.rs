//! Input and output structures of FSCTLs.

mod code;

pub use code::FsctlCode;
