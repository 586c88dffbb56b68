//! Elements of a message, and what is kept of them.

use bytes::Bytes;
use smb_proto::ParseError;
use smb_proto::header::{HEADER_LEN, PROTOCOL_ID};
use smb_proto::msg::{Request, compound};

/// Requests above this length are not kept until their answer.
const ASKED_MAX: usize = 16_384;

/// A request as it is kept for its answer: without data, which the answer does not need.
pub(super) fn asked(request: &Request, len: usize) -> Option<Request> {
    if let Request::Write(write) = request {
        let mut write = write.clone();
        write.data = Bytes::new();
        return Some(Request::Write(write));
    }
    (len <= ASKED_MAX).then(|| request.clone())
}

/// The elements of a message, and what could not be split with the reason.
pub(super) fn split(message: &Bytes, missing: u64) -> (Vec<Bytes>, Option<(ParseError, Bytes)>) {
    if let Ok(elements) = compound::split(message) {
        return (elements, None);
    }
    const NEXT_COMMAND: std::ops::Range<usize> = 20..24;
    let mut elements = Vec::new();
    let mut rest = message.clone();
    loop {
        let bad = |error, rest| Some((error, rest));
        if !rest.starts_with(&PROTOCOL_ID) || elements.len() >= compound::ELEMENTS_MAX {
            let error = ParseError::BadStructure("SMB2 compound");
            return (elements, bad(error, rest));
        }
        if rest.len() < HEADER_LEN {
            return (elements, bad(ParseError::Truncated("SMB2 header"), rest));
        }
        let next = rest.get(NEXT_COMMAND).and_then(|b| b.try_into().ok());
        let next = u32::from_le_bytes(next.unwrap_or_default()) as usize;
        if next == 0 || (next > rest.len() && missing > 0) {
            elements.push(rest);
            return (elements, None);
        }
        if next < HEADER_LEN || next > rest.len() {
            // What the header says is still worth showing.
            elements.push(rest.clone());
            let error = ParseError::OutOfBounds("NextCommand");
            return (elements, bad(error, Bytes::new()));
        }
        elements.push(rest.split_to(next));
    }
}
