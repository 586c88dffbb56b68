//! Lists whose elements begin with the offset of the next one: directory entries, EAs, stream
//! lists, create contexts, notifications ([MS-FSCC] 2.4 and others).

use super::Writer;
use super::write::len32;
use crate::ParseError;

/// Walks a NextEntryOffset chain. Each item is the bytes of one entry, from its NextEntryOffset
/// field up to the next entry (or the end of the buffer for the last).
///
/// The walk is bounded: an offset must be at least 4, aligned to `align`, inside the buffer, and no
/// more than `max` entries are taken. After an error the iterator ends.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: Option<&'a [u8]>,
    align: usize,
    left: usize,
    what: &'static str,
}

impl<'a> Entries<'a> {
    /// A walk over `buf`; an empty buffer has no entries.
    #[must_use]
    pub fn new(buf: &'a [u8], align: usize, max: usize, what: &'static str) -> Self {
        let rest = if buf.is_empty() { None } else { Some(buf) };
        Self {
            rest,
            align,
            left: max,
            what,
        }
    }

    fn step(&mut self, buf: &'a [u8]) -> Result<&'a [u8], ParseError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(ParseError::TooMany(self.what))?;
        let (head, _) = buf
            .split_first_chunk::<4>()
            .ok_or(ParseError::Truncated(self.what))?;
        let next = usize::try_from(u32::from_le_bytes(*head))
            .map_err(|_| ParseError::OutOfBounds(self.what))?;
        if next == 0 {
            return Ok(buf);
        }
        if next & self.align.saturating_sub(1) != 0 {
            return Err(ParseError::Misaligned(self.what));
        }
        let (entry, rest) = buf
            .split_at_checked(next)
            .ok_or(ParseError::OutOfBounds(self.what))?;
        if next < 4 || rest.is_empty() {
            return Err(ParseError::OutOfBounds(self.what));
        }
        self.rest = Some(rest);
        Ok(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let buf = self.rest.take()?;
        Some(self.step(buf))
    }
}

/// Writes a NextEntryOffset chain: call [`Self::begin`] before each entry (it pads the previous
/// one and links it), then write the entry beginning with four zero bytes for its own offset.
#[derive(Debug)]
pub struct ChainWriter {
    align: usize,
    last: Option<usize>,
}

impl ChainWriter {
    /// A chain whose entries are aligned to `align` bytes relative to the writer's base.
    #[must_use]
    pub fn new(align: usize) -> Self {
        Self { align, last: None }
    }

    /// Starts the next entry and answers its position.
    pub fn begin(&mut self, w: &mut Writer) -> usize {
        if let Some(last) = self.last {
            w.align(self.align);
            w.patch_u32(last, len32(w.position().saturating_sub(last)));
        }
        let at = w.position();
        self.last = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(buf: &[u8]) -> Result<Vec<&[u8]>, ParseError> {
        Entries::new(buf, 4, 3, "t").collect()
    }

    #[test]
    fn writes_and_walks() {
        let mut w = Writer::new();
        let mut chain = ChainWriter::new(4);
        for payload in [&b"abcde"[..], b"f"] {
            chain.begin(&mut w);
            w.u32(0);
            w.bytes(payload);
        }
        let buf = w.into_inner();
        assert_eq!(
            walk(&buf).unwrap(),
            [&b"\x0c\0\0\0abcde\0\0\0"[..], b"\0\0\0\0f"]
        );
    }

    #[test]
    fn refuses_loops_and_overruns() {
        assert_eq!(walk(&[]), Ok(vec![]));
        assert_eq!(walk(&[0, 0]), Err(ParseError::Truncated("t")));
        assert_eq!(walk(&[2, 0, 0, 0]), Err(ParseError::Misaligned("t")));
        assert_eq!(walk(&[4, 0, 0, 0]), Err(ParseError::OutOfBounds("t")));
        assert_eq!(walk(&[8, 0, 0, 0, 0]), Err(ParseError::OutOfBounds("t")));
        let long: Vec<u8> = [4, 0, 0, 0].repeat(4);
        assert_eq!(walk(&long), Err(ParseError::TooMany("t")));
    }
}
