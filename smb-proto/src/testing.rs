//! Checks that the tests of every layout share.

use std::fmt::Debug;

use bytes::Bytes;

use crate::ParseError;
use crate::wire::Writer;

/// What `encode` writes, as one buffer.
pub(crate) fn written(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

/// Encodes `value` and demands that it reads back equal.
pub(crate) fn round_trip<T: PartialEq + Debug>(
    value: &T,
    encode: impl FnOnce(&T, &mut Writer),
    parse: impl Fn(&Bytes) -> Result<T, ParseError>,
) -> Bytes {
    let bytes = written(|w| encode(value, w));
    assert_eq!(parse(&bytes).as_ref(), Ok(value), "bytes {bytes:02x?}");
    bytes
}

/// As [`round_trip`], and every shorter input must be refused.
pub(crate) fn round_trip_fixed<T: PartialEq + Debug>(
    value: &T,
    encode: impl FnOnce(&T, &mut Writer),
    parse: impl Fn(&Bytes) -> Result<T, ParseError>,
) {
    let bytes = round_trip(value, encode, &parse);
    for len in 0..bytes.len() {
        assert!(parse(&bytes.slice(..len)).is_err(), "accepted {len} bytes");
    }
}

/// Bytes from hexadecimal text; white space is skipped.
pub(crate) fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "odd number of hexadecimal digits");
    pairs.iter().map(|[h, l]| h << 4 | l).collect()
}
