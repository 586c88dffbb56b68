//! Lists of typed contexts: type, length, four reserved bytes, data; each but the first at the
//! next multiple of 8 bytes. Negotiate contexts ([MS-SMB2] 2.2.3.1) and tree connect contexts
//! ([MS-SMB2] 2.2.9.2) are laid out so.

use bytes::Bytes;

use crate::ParseError;
use crate::wire::{Fields, Writer, len16, slice_of};

/// Where a list of contexts lies.
pub(super) struct List {
    /// Offset of the first context from the SMB2 header, as received.
    pub(super) offset: u32,
    /// Contexts that the sender says are there.
    pub(super) count: u16,
    /// The most that are accepted.
    pub(super) max: u16,
    /// Where the list may begin at the earliest.
    pub(super) fixed_end: usize,
}

impl List {
    /// Reads the contexts as (type, data) in the order of the wire. A count of 0 reads nothing,
    /// whatever the offset.
    pub(super) fn parse(
        &self,
        element: &Bytes,
        what: &'static str,
    ) -> Result<Vec<(u16, Bytes)>, ParseError> {
        if self.count > self.max {
            return Err(ParseError::TooMany(what));
        }
        let mut found = Vec::with_capacity(self.count.into());
        let mut at = usize::try_from(self.offset).map_err(|_| ParseError::OutOfBounds(what))?;
        for _ in 0..self.count {
            if at < self.fixed_end {
                return Err(ParseError::OutOfBounds(what));
            }
            let mut f = Fields::at(element, at, what)?;
            let kind = f.u16()?;
            let len = usize::from(f.u16()?);
            f.skip(4)?;
            let data = slice_of(element, f.position(), len, f.position(), what)?;
            found.push((kind, data));
            at = f
                .position()
                .checked_add(len)
                .and_then(|end| end.checked_next_multiple_of(8))
                .ok_or(ParseError::OutOfBounds(what))?;
        }
        Ok(found)
    }
}

/// Appends one context, padded in front to a multiple of 8 bytes; `data` writes its data.
pub(super) fn encode_one(w: &mut Writer, kind: u16, data: impl FnOnce(&mut Writer)) {
    w.align(8);
    let at = w.position();
    w.u16(kind);
    w.u16(0);
    w.u32(0);
    let begin = w.position();
    data(w);
    let len = w.position().saturating_sub(begin);
    w.patch_u16(at.saturating_add(2), len16(len));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(offset: u32, count: u16) -> List {
        List {
            offset,
            count,
            max: 2,
            fixed_end: 8,
        }
    }

    #[test]
    fn pads_between_and_stays_inside() {
        let mut w = Writer::new();
        w.zeros(8);
        encode_one(&mut w, 7, |w| w.bytes(b"abc"));
        encode_one(&mut w, 9, |_| {});
        let e = w.into_inner().freeze();
        assert_eq!(
            &e[8..],
            b"\x07\0\x03\0\0\0\0\0abc\0\0\0\0\0\x09\0\0\0\0\0\0\0"
        );
        let read = list(8, 2).parse(&e, "t").unwrap();
        assert_eq!(read, [(7, Bytes::from_static(b"abc")), (9, Bytes::new())]);
        assert_eq!(list(u32::MAX, 0).parse(&e, "t"), Ok(vec![]));
        assert_eq!(list(0, 1).parse(&e, "t"), Err(ParseError::OutOfBounds("t")));
        assert_eq!(list(8, 3).parse(&e, "t"), Err(ParseError::TooMany("t")));
        assert_eq!(list(24, 2).parse(&e, "t"), Err(ParseError::Truncated("t")));
        assert!(list(u32::MAX, 1).parse(&e, "t").is_err());
        let cut = e.slice(..18);
        assert_eq!(
            list(8, 1).parse(&cut, "t"),
            Err(ParseError::OutOfBounds("t"))
        );
    }
}
