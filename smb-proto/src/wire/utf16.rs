//! UTF-16LE, the only string encoding of SMB2.

use crate::ParseError;

/// Decodes UTF-16LE. An odd length or an unpaired surrogate is [`ParseError::BadString`].
pub fn decode_utf16(bytes: &[u8], what: &'static str) -> Result<String, ParseError> {
    let (units, []) = bytes.as_chunks::<2>() else {
        return Err(ParseError::BadString(what));
    };
    char::decode_utf16(units.iter().map(|&u| u16::from_le_bytes(u)))
        .collect::<Result<String, _>>()
        .map_err(|_| ParseError::BadString(what))
}

/// Encodes as UTF-16LE without terminator.
#[must_use]
pub fn encode_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Length of `text` in bytes of UTF-16LE.
#[must_use]
pub fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count().saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        for s in ["", "a", "Grüße-東京-🎉"] {
            assert_eq!(decode_utf16(&encode_utf16(s), "t").as_deref(), Ok(s));
            assert_eq!(encode_utf16(s).len(), utf16_len(s));
        }
        assert_eq!(decode_utf16(&[1], "t"), Err(ParseError::BadString("t")));
        assert_eq!(
            decode_utf16(&[0, 0xd8], "t"),
            Err(ParseError::BadString("t"))
        );
    }
}
