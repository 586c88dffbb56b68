//! Serves directories over SMB2/3.

pub mod config;
pub mod fs;
pub mod journal;
pub mod persistent;
pub mod runtime;
pub mod server;
pub mod storage;
pub mod users;
