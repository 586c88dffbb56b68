//! Compounds: several messages in one frame, chained by NextCommand, [MS-SMB2] 2.2.1 and 3.3.5.2.7.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{Body, encode_message};
use crate::header::{HEADER_LEN, PROTOCOL_ID};
use crate::wire::{Fields, Writer, len32};
use crate::{Header, ParseError};

/// Most elements that [`split`] takes from one message. Clients chain a handful; the bound keeps
/// small what one message can make a server do at once.
pub const ELEMENTS_MAX: usize = 128;

/// Where NextCommand lies in the header.
const NEXT_COMMAND: usize = 20;

const WHAT: &str = "SMB2 compound";

/// Cuts a message into its elements, slices of `message` that each begin at an SMB2 header. All
/// but the last end where the next begins, so that they include their padding (which signatures
/// cover); the last is all the rest. A message that is no compound is its only element.
///
/// # Errors
/// [`ParseError::Truncated`] when an element is shorter than a header,
/// [`ParseError::BadStructure`] when it does not begin with the ProtocolId of SMB2,
/// [`ParseError::Misaligned`] when a NextCommand is not a multiple of 8,
/// [`ParseError::OutOfBounds`] when it leads into the own header or behind the message,
/// [`ParseError::TooMany`] above [`ELEMENTS_MAX`] elements.
pub fn split(message: &Bytes) -> Result<Vec<Bytes>, ParseError> {
    let mut elements = Vec::new();
    let mut rest = message.clone();
    while elements.len() < ELEMENTS_MAX {
        if rest.len() < HEADER_LEN {
            return Err(ParseError::Truncated(WHAT));
        }
        if !rest.starts_with(&PROTOCOL_ID) {
            return Err(ParseError::BadStructure(WHAT));
        }
        let next = Fields::at(&rest, NEXT_COMMAND, WHAT)?.u32()?;
        if next == 0 {
            elements.push(rest);
            return Ok(elements);
        }
        if next & 7 != 0 {
            return Err(ParseError::Misaligned(WHAT));
        }
        let next = usize::try_from(next).map_err(|_| ParseError::OutOfBounds(WHAT))?;
        if next < HEADER_LEN || next > rest.len() {
            return Err(ParseError::OutOfBounds(WHAT));
        }
        elements.push(rest.split_to(next));
    }
    Err(ParseError::TooMany(WHAT))
}

/// Chains messages into one: pads each but the last to a multiple of 8 bytes and enters its
/// NextCommand. Signatures are left to the caller, who finds each element by its range.
#[derive(Debug, Default)]
pub struct Joiner {
    w: Writer,
    /// Where the elements before the present one lie in the buffer.
    done: Vec<Range<usize>>,
    /// Where the present element begins in the buffer, if there is one.
    start: Option<usize>,
}

/// What a [`Joiner`] has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The buffer, with what was in it before.
    pub buf: BytesMut,
    /// Where in the buffer each element lies, padding included.
    pub elements: Vec<Range<usize>>,
}

impl Joiner {
    /// A joiner with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A joiner that appends to `buf`.
    #[must_use]
    pub fn append_to(buf: BytesMut) -> Self {
        Self {
            w: Writer::append_to(buf),
            done: Vec::new(),
            start: None,
        }
    }

    /// Begins the next element and answers the writer for it, whose base is the element's start.
    /// The caller writes the header (NextCommand zero) and the body.
    pub fn begin(&mut self) -> &mut Writer {
        let start = match self.start {
            None => 0,
            Some(start) => {
                self.w.align(8);
                let len = self.w.position();
                self.w.patch_u32(NEXT_COMMAND, len32(len));
                let end = start.saturating_add(len);
                self.done.push(start..end);
                end
            }
        };
        self.w.rebase();
        self.start = Some(start);
        &mut self.w
    }

    /// Appends one message as the next element.
    pub fn push(&mut self, header: &Header, body: &impl Body) {
        encode_message(header, body, self.begin());
    }

    /// Elements begun so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done
            .len()
            .saturating_add(usize::from(self.start.is_some()))
    }

    /// Whether no element has been begun.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start.is_none()
    }

    /// Pads the last element as well, as Windows does in answers to compounds.
    pub fn pad(&mut self) {
        self.w.align(8);
    }

    /// Ends the last element, which is not padded.
    #[must_use]
    pub fn finish(mut self) -> Joined {
        let len = self.w.position();
        let buf = self.w.into_inner();
        if let Some(start) = self.start {
            self.done.push(start..start.saturating_add(len));
        }
        // Positions count from the first element; the buffer may have had something before it.
        let before = buf
            .len()
            .saturating_sub(self.done.last().map_or(buf.len(), |last| last.end));
        let elements = self
            .done
            .into_iter()
            .map(|r| r.start.saturating_add(before)..r.end.saturating_add(before))
            .collect();
        Joined { buf, elements }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Request, echo, query_directory};
    use super::*;
    use crate::Command;
    use crate::id::{FileId, MessageId};
    use crate::msg::query_directory::QueryDirectoryFlags;

    fn listing(pattern: &str) -> Request {
        Request::from(query_directory::Request {
            file_information_class: 1,
            flags: QueryDirectoryFlags::empty(),
            file_index: 0,
            file_id: FileId::RELATED,
            file_name: pattern.into(),
            output_buffer_length: 0,
        })
    }

    fn join(bodies: &[Request], before: &[u8]) -> Joined {
        let mut joiner = Joiner::append_to(BytesMut::from(before));
        for (n, body) in bodies.iter().enumerate() {
            assert_eq!(joiner.len(), n);
            assert_eq!(joiner.is_empty(), n == 0);
            let header = Header::request(body.command(), MessageId(n as u64));
            joiner.push(&header, body);
        }
        joiner.finish()
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_again(
            patterns in prop::collection::vec("[a-z]{0,9}", 1..6),
            before in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let bodies: Vec<_> = patterns.iter().map(|p| listing(p)).collect();
            let joined = join(&bodies, &before);
            prop_assert!(joined.buf.starts_with(&before));
            let whole = joined.buf.clone().freeze();
            let message = whole.slice(before.len()..);
            let elements = split(&message).unwrap();
            prop_assert_eq!(elements.len(), bodies.len());
            for (n, element) in elements.iter().enumerate() {
                let header = Header::parse(element).unwrap();
                prop_assert_eq!(header.message_id, MessageId(n as u64));
                let body = Request::parse(header.command().unwrap(), element).unwrap();
                prop_assert_eq!(&body, &bodies[n]);
                prop_assert_eq!(&whole[joined.elements[n].clone()], &element[..]);
                prop_assert_eq!(element.len() % 8 != 0 && n + 1 != elements.len(), false);
            }
            for n in 0..message.len() {
                // A cut inside the last body still splits; a cut before it cannot.
                let cut = split(&message.slice(..n));
                let last = joined.elements[bodies.len() - 1].start - before.len();
                prop_assert_eq!(cut.is_ok(), n >= last + HEADER_LEN);
            }
        }
    }

    #[test]
    fn refuses_bad_chains() {
        let echo = Request::from(echo::Request);
        assert_eq!(echo.command(), Command::Echo);
        let good = join(&[echo.clone(), echo], &[]).buf.to_vec();
        assert_eq!(good[20], 72);
        for (at, value, error) in [
            (20, 68, ParseError::Misaligned(WHAT)),
            (20, 56, ParseError::OutOfBounds(WHAT)),
            (20, 200, ParseError::OutOfBounds(WHAT)),
            (20, 80, ParseError::Truncated(WHAT)),
            (72, 0xff, ParseError::BadStructure(WHAT)),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(split(&bad.into()), Err(error), "byte {at}");
        }
        // NextCommand that ends exactly at the end of the message leads to an empty element.
        let mut bad = good.clone();
        bad.truncate(72);
        assert_eq!(split(&bad.into()), Err(ParseError::Truncated(WHAT)));
    }

    #[test]
    fn bounds_the_number_of_elements() {
        let echo = Request::from(echo::Request);
        let most = join(&vec![echo.clone(); ELEMENTS_MAX], &[]).buf.freeze();
        assert_eq!(split(&most).map(|e| e.len()), Ok(ELEMENTS_MAX));
        let more = join(&vec![echo; ELEMENTS_MAX + 1], &[]).buf.freeze();
        assert_eq!(split(&more), Err(ParseError::TooMany(WHAT)));
    }

    #[test]
    fn nothing_joined_is_nothing() {
        let joined = Joiner::append_to(BytesMut::from(&b"xy"[..])).finish();
        assert_eq!(&joined.buf[..], b"xy");
        assert!(joined.elements.is_empty());
    }
}
