//! Why bytes could not be read as the structure they should be.

use thiserror::Error;

/// A message or structure that is not laid out as the specification says.
///
/// The name in a variant is the structure or field that was being read. How a server answers
/// (with a status, or by closing the connection) is decided by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The input ended before the structure did.
    #[error("{0}: input too short")]
    Truncated(&'static str),
    /// A StructureSize, version, signature or magic field has another value than the one required.
    #[error("{0}: wrong structure size or signature")]
    BadStructure(&'static str),
    /// An offset and length that point outside the element or into its fixed part.
    #[error("{0}: offset or length outside the message")]
    OutOfBounds(&'static str),
    /// An offset that is not aligned as required.
    #[error("{0}: misaligned")]
    Misaligned(&'static str),
    /// A value that the field cannot have.
    #[error("{0}: value not allowed")]
    BadValue(&'static str),
    /// A string that is not UTF-16LE (odd length or an unpaired surrogate).
    #[error("{0}: not well-formed UTF-16")]
    BadString(&'static str),
    /// More elements than the parser's bound for this list.
    #[error("{0}: too many elements")]
    TooMany(&'static str),
}

impl ParseError {
    /// The name of the structure or field that was being read.
    #[must_use]
    pub fn context(&self) -> &'static str {
        match self {
            Self::Truncated(c)
            | Self::BadStructure(c)
            | Self::OutOfBounds(c)
            | Self::Misaligned(c)
            | Self::BadValue(c)
            | Self::BadString(c)
            | Self::TooMany(c) => c,
        }
    }
}
