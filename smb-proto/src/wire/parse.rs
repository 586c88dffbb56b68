//! A cursor over one structure, driven by nom parsers, and checked access to the variable parts
//! that a structure points at.

use bytes::Bytes;
use nom::Parser;
use nom::number::complete as number;

use crate::ParseError;
use crate::dtyp::{FileTime, Guid};

/// What nom reports inside this crate; only its position matters, the context is [`Fields::what`].
type NomError<'a> = nom::error::Error<&'a [u8]>;

/// Reads the fields of one structure in order. Every read is checked; the first one that does not
/// fit answers [`ParseError::Truncated`] with the structure's name.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
    taken: usize,
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Starts reading `input` as the structure named `what` (used in errors).
    #[must_use]
    pub fn new(input: &'a [u8], what: &'static str) -> Self {
        Self {
            rest: input,
            taken: 0,
            what,
        }
    }

    /// Starts reading at `offset` bytes into `input`, so that [`Self::position`] counts from the
    /// start of `input`. Answers [`ParseError::Truncated`] if `input` is shorter than that.
    pub fn at(input: &'a [u8], offset: usize, what: &'static str) -> Result<Self, ParseError> {
        let rest = input.get(offset..).ok_or(ParseError::Truncated(what))?;
        Ok(Self {
            rest,
            taken: offset,
            what,
        })
    }

    /// Runs a nom parser on what is left.
    pub fn run<O>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = O, Error = NomError<'a>>,
    ) -> Result<O, ParseError> {
        let before = self.rest.len();
        let (rest, value) = parser
            .parse(self.rest)
            .map_err(|_| ParseError::Truncated(self.what))?;
        self.taken = self.taken.saturating_add(before.saturating_sub(rest.len()));
        self.rest = rest;
        Ok(value)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, ParseError> {
        self.run(number::le_u8)
    }

    /// Little-endian 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, ParseError> {
        self.run(number::le_u16)
    }

    /// Little-endian 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, ParseError> {
        self.run(number::le_u32)
    }

    /// Little-endian 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, ParseError> {
        self.run(number::le_u64)
    }

    /// Little-endian signed 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, ParseError> {
        self.run(number::le_i64)
    }

    /// A GUID, 16 bytes, [MS-DTYP] 2.3.4.2.
    pub fn guid(&mut self) -> Result<Guid, ParseError> {
        self.array().map(Guid::from_bytes)
    }

    /// A FILETIME, 8 bytes, [MS-DTYP] 2.3.3.
    pub fn filetime(&mut self) -> Result<FileTime, ParseError> {
        self.u64().map(FileTime)
    }

    /// `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let what = self.what;
        let slice = self.bytes(N)?;
        <[u8; N]>::try_from(slice).map_err(|_| ParseError::Truncated(what))
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], ParseError> {
        self.run(nom::bytes::complete::take(len))
    }

    /// Steps over `len` bytes.
    pub fn skip(&mut self, len: usize) -> Result<(), ParseError> {
        self.bytes(len).map(|_| ())
    }

    /// Reads a StructureSize field and refuses any other value than `expected`.
    pub fn structure_size(&mut self, expected: u16) -> Result<(), ParseError> {
        if self.u16()? == expected {
            Ok(())
        } else {
            Err(ParseError::BadStructure(self.what))
        }
    }

    /// Everything not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes read so far (with [`Self::at`]: the offset in the whole input).
    #[must_use]
    pub fn position(&self) -> usize {
        self.taken
    }

    /// The name of the structure, as errors give it.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }
}

/// The `len` bytes at `offset` of `element`, as a shared slice (no copy).
///
/// An empty range is always allowed, whatever its offset: clients send stale offsets with a zero
/// length. A range that is not empty must begin at or after `fixed_end` (so that it cannot overlap
/// the fixed part) and end inside the element, else [`ParseError::OutOfBounds`].
pub fn slice_of(
    element: &Bytes,
    offset: usize,
    len: usize,
    fixed_end: usize,
    what: &'static str,
) -> Result<Bytes, ParseError> {
    if len == 0 {
        return Ok(Bytes::new());
    }
    let part = sub_slice(element, offset, len, fixed_end, what)?;
    Ok(element.slice_ref(part))
}

/// As [`slice_of`], for a borrowed input.
pub fn sub_slice<'a>(
    element: &'a [u8],
    offset: usize,
    len: usize,
    fixed_end: usize,
    what: &'static str,
) -> Result<&'a [u8], ParseError> {
    if len == 0 {
        return Ok(&[]);
    }
    if offset < fixed_end {
        return Err(ParseError::OutOfBounds(what));
    }
    offset
        .checked_add(len)
        .and_then(|end| element.get(offset..end))
        .ok_or(ParseError::OutOfBounds(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_counts() {
        let mut f = Fields::new(&[1, 2, 0, 3, 0, 0, 0, 9], "t");
        assert_eq!(f.u8(), Ok(1));
        assert_eq!(f.u16(), Ok(2));
        assert_eq!(f.u32(), Ok(3));
        assert_eq!(f.position(), 7);
        assert_eq!(f.rest(), &[9]);
        assert_eq!(f.u16(), Err(ParseError::Truncated("t")));
    }

    #[test]
    fn slices_stay_inside_and_behind_the_fixed_part() {
        let b = Bytes::from_static(&[0, 1, 2, 3, 4]);
        assert_eq!(
            slice_of(&b, 2, 3, 2, "t"),
            Ok(Bytes::from_static(&[2, 3, 4]))
        );
        assert_eq!(
            slice_of(&b, 2, 4, 2, "t"),
            Err(ParseError::OutOfBounds("t"))
        );
        assert_eq!(
            slice_of(&b, 1, 1, 2, "t"),
            Err(ParseError::OutOfBounds("t"))
        );
        assert_eq!(
            slice_of(&b, usize::MAX, 2, 0, "t"),
            Err(ParseError::OutOfBounds("t"))
        );
        assert_eq!(slice_of(&b, 999, 0, 2, "t"), Ok(Bytes::new()));
    }
}
