//! The bodies of the 19 commands, request and response.

pub mod cancel;
pub mod change_notify;
pub mod close;
pub mod compound;
pub mod create;
pub mod echo;
pub mod error;
pub mod flush;
pub mod ioctl;
pub mod lock;
pub mod logoff;
pub mod negotiate;
pub mod negotiate_context;
pub mod oplock_break;
pub mod query_directory;
pub mod query_info;
pub mod read;
pub mod session_setup;
pub mod set_info;
pub mod tree_connect;
pub mod tree_disconnect;
pub mod write;

mod algorithm;
mod any;
mod channel;
mod context_list;
mod empty;
mod file_id;
mod oplock_level;
mod output;
#[cfg(test)]
mod test_util;

pub use any::{Body, Request, Response, encode_message};
pub use channel::Channel;
pub use oplock_level::OplockLevel;
