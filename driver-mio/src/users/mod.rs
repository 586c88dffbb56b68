//! Users: the database of names and NT hashes, the system's accounts behind them, and their SIDs.

mod accounts;
mod db;
mod domain;
mod password;
pub mod sids;

#[cfg(test)]
mod tests;

pub use accounts::{Accounts, HostUser, Mapping, Unknown};
pub use db::{DEFAULT_FILE_NAME, UserDb, UserDbError, check_user_name};
pub use domain::{Machine, SubAuthError};
pub use password::{PasswordError, ask, ask_twice, check, from_file, generate};
