//! Wire formats and cryptography of SMB2 and SMB3, as pure functions over bytes.
//!
//! This crate knows how messages are *laid out*; whether a message is legal at some moment is the
//! business of `smb-engine`. Nothing here does I/O, reads a clock or draws randomness.
//!
//! # Conventions
//!
//! * A parser takes the bytes of one message element beginning at its SMB2 header, because
//!   offsets in SMB2 bodies count from there ([MS-SMB2] 2.2.1), and returns a typed value or a
//!   [`ParseError`]. It never panics and never reads outside the slice it was given.
//! * Payloads (WRITE data, READ data, security tokens …) are reference-counted slices of the
//!   received buffer, never copies.
//! * An encoder appends to a [`wire::Writer`], which back-patches offsets and pads as the
//!   specification says. What an encoder writes, the parser of the same type reads back equal.
//! * Reserved fields are ignored when parsed and written as zero unless the specification names
//!   another value.
//!
//! # Features
//!
//! * `serde`: messages and structures can be serialised, in a form meant for reading: bytes in
//!   hexadecimal digits, flags, statuses and times by name.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::arithmetic_side_effects
    )
)]

mod error;
#[cfg(feature = "serde")]
mod ser;
#[cfg(test)]
mod testing;

pub mod command;
pub mod compress;
pub mod create_ctx;
pub mod crypto;
pub mod dialect;
pub mod dtyp;
pub mod frame;
pub mod fsctl;
pub mod header;
pub mod id;
pub mod info;
pub mod msg;
pub mod ntlm;
pub mod rpc;
pub mod smb1;
pub mod spnego;
pub mod status;
pub mod transform;
pub mod wire;

pub use command::Command;
pub use dialect::Dialect;
pub use dtyp::{FileTime, Guid};
pub use error::ParseError;
pub use header::Header;
pub use status::NtStatus;
