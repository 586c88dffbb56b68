//! What the tests of all message bodies need.

use std::fmt::Debug;

use bytes::Bytes;

use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::wire::Writer;

/// A message element: 64 bytes in the place of the header, then the body that `encode` writes.
pub(crate) fn element(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    w.zeros(HEADER_LEN);
    encode(&mut w);
    w.into_inner().freeze()
}

/// A message element with this body.
pub(crate) fn element_of(body: &[u8]) -> Bytes {
    element(|w| w.bytes(body))
}

/// Bytes from hexadecimal text; white space is skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let (pairs, []) = digits.as_chunks::<2>() else {
        panic!("odd number of hexadecimal digits");
    };
    pairs.iter().map(|[h, l]| (h * 16 + l) as u8).collect()
}

/// Parses every prefix of `element` (none may panic) and checks that all below `needed` bytes,
/// the smallest that hold the whole structure, are refused.
pub(crate) fn truncations<T>(
    element: &Bytes,
    needed: usize,
    parse: impl Fn(&Bytes) -> Result<T, ParseError>,
) {
    for n in 0..element.len() {
        let refused = parse(&element.slice(..n)).is_err();
        assert!(refused || n >= needed, "accepted with only {n} bytes");
    }
    assert!(parse(element).is_ok());
}

/// Encodes `value`, reads it back, also with bytes behind it, and cuts the element at every length:
/// what is shorter than the fixed part (`fixed` bytes of body) must be refused, and a longer one may
/// only parse to the same value (what was cut off was padding). Answers the element.
pub(crate) fn round_trip<T: PartialEq + Debug>(
    value: &T,
    fixed: usize,
    encode: impl FnOnce(&T, &mut Writer),
    parse: impl Fn(&Bytes) -> Result<T, ParseError>,
) -> Bytes {
    let bytes = element(|w| encode(value, w));
    assert!(bytes.len() >= HEADER_LEN + fixed);
    for n in 0..bytes.len() {
        let cut = parse(&bytes.slice(..n));
        if n < HEADER_LEN + fixed {
            assert!(cut.is_err(), "parsed {n} of {} bytes", bytes.len());
        } else if let Ok(cut) = cut {
            assert_eq!(&cut, value, "parsed {n} of {} bytes", bytes.len());
        }
    }
    assert_eq!(parse(&bytes).as_ref(), Ok(value));
    let mut longer = bytes.to_vec();
    longer.extend_from_slice(&[0xaa; 7]);
    assert_eq!(
        parse(&Bytes::from(longer)).as_ref(),
        Ok(value),
        "bytes behind the body"
    );
    bytes
}
