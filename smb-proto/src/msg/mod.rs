//! The bodies of the 19 commands, request and response.

pub mod cancel;
pub mod echo;
pub mod error;
pub mod logoff;
pub mod negotiate;
pub mod negotiate_context;
pub mod session_setup;
pub mod tree_connect;
pub mod tree_disconnect;

mod algorithm;
mod context_list;
mod empty;
#[cfg(test)]
mod test_util;
