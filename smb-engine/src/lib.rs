//! An SMB2/3 file server as a state machine: no I/O, no clock, no randomness, no threads.
//!
//! Two machines share the work. [`link::Link`], one for each transport connection, turns bytes into
//! verified, decrypted, parsed messages and answers back into bytes; it costs CPU and shares
//! nothing. [`Server`], one for each process, owns every session, tree connect, open and lock; it
//! costs almost nothing and touches no payload. A driver carries values between them:
//!
//! ```text
//! let conn = server.handle_accept(now, peer)?;         // and link = Link::new(..)
//! loop {
//!     link.feed(received_bytes);
//!     while let Some(message) = link.next() {
//!         match message {
//!             Ok(inbound) => server.handle_message(now, conn, inbound),
//!             Err(fault) => server.handle_fault(now, conn, fault),
//!         }
//!         while let Some(output) = server.poll_output() {
//!             match output {
//!                 Output::Send(conn, answer) => send(Link::seal(answer)),
//!                 Output::Keys(conn, keys) => links[conn].apply(keys),
//!                 Output::Store(news) => keep them for the server.restore(..) of the next start,
//!                 Output::Vfs(request) => later: server.handle_completion(now, token, ..),
//!                 Output::Lookup(token, query) => later: server.handle_completion(now, token, ..),
//!                 Output::Close(conn, _) => flush, close, server.handle_closed(now, conn),
//!                 Output::Event(event) => log(event),
//!             }
//!         }
//!     }
//!     // and when the time of server.poll_timeout() has come: server.handle_timeout(now)
//! }
//! ```
//!
//! Inputs cannot fail and may come in any order; a stale id is counted and ignored. Outputs may be
//! drained at any time. The server is a function of its configuration, its seed and its inputs:
//! the same ones give the same outputs, byte for byte.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

/// Whether a deliberate mistake is to be made; `false` without the feature.
#[cfg(feature = "mutations")]
macro_rules! mutated {
    ($core:expr, $mutation:ident) => {
        $core.mutation == Some($crate::mutation::Mutation::$mutation)
    };
}
#[cfg(not(feature = "mutations"))]
macro_rules! mutated {
    ($core:expr, $mutation:ident) => {
        false
    };
}

mod accounts;
mod acl;
mod auth;
mod cmd;
mod core;
mod dispatch;
mod engine;
mod entropy;
mod error;
mod status;
mod table;

pub mod config;
pub mod event;
pub mod identity;
pub mod journal;
pub mod link;
#[cfg(feature = "mutations")]
pub mod mutation;
pub mod names;
pub mod output;
pub mod pipe;
pub mod server;
pub mod time;
pub mod vfs;

pub use crate::core::{Conn, Held, Op, Peer};
pub use accounts::Accounts;
pub use engine::{Action, Engine, Observer};
pub use error::Fault;
pub use server::{Control, Counts, Server};
pub use table::Id;
