//! The layout that the responses to QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO share
//! ([MS-SMB2] 2.2.34, 2.2.36, 2.2.38): StructureSize 9, OutputBufferOffset (2 bytes),
//! OutputBufferLength (4), buffer.

use bytes::Bytes;

use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer, len16, len32, slice_of};

/// Where the buffer begins, counted from the SMB2 header.
const BUFFER: usize = HEADER_LEN + 8;

pub(super) fn parse(element: &Bytes, what: &'static str) -> Result<Bytes, ParseError> {
    let mut f = Fields::at(element, HEADER_LEN, what)?;
    f.structure_size(9)?;
    let offset = usize::from(f.u16()?);
    let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
    slice_of(element, offset, len, BUFFER, what)
}

/// The eight bytes before the buffer, for a payload of `len` bytes that follows by other means. The
/// offset is that of the buffer also when there is no payload: some clients insist on it.
pub(super) fn encode_fixed(len: usize, w: &mut Writer) {
    w.u16(9);
    w.u16(len16(BUFFER));
    w.u32(len32(len));
}

pub(super) fn encode(output: &Bytes, w: &mut Writer) {
    encode_fixed(output.len(), w);
    w.bytes(output);
}
