//! Create contexts, [MS-SMB2] 2.2.13.2 and 2.2.14.2: named extras of a CREATE request or response.
//!
//! [`parse_chain`] and [`encode_chain`] know the list, [`RawContext`] is one element of it.

mod chain;

pub use chain::{MAX_CONTEXTS, RawContext, encode_chain, parse_chain};
