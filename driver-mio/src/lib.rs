//! Serves directories over SMB2/3.

pub mod config;
pub mod users;

pub mod runtime;
