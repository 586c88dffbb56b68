//! Reading and writing bytes: the few tools that every layout in this crate is made of.

mod chain;
mod parse;
mod utf16;
mod write;

pub use chain::{ChainWriter, Entries};
pub use parse::{Fields, slice_of, sub_slice};
pub use utf16::{decode_utf16, encode_utf16, utf16_len};
pub use write::Writer;
pub(crate) use write::{len16, len32};
