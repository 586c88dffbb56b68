//! Decompression of messages, [MS-SMB2] 3.1.4.4 and 3.2.5.1.10, by the algorithms of [MS-XCA].
//!
//! Each algorithm is a pure function that appends to a buffer and never past the length that it
//! is told, so that a message cannot grow beyond what its header announces.

mod huffman;
mod lz4;
mod lz77;
mod lznt1;
mod output;

use bytes::Bytes;
use thiserror::Error;

use crate::ParseError;
use crate::msg::negotiate_context::CompressionAlgorithm;
use crate::transform::{CompressionHeader, PatternV1, PayloadHeader};
use output::Output;

/// The longest message that is made by decompression, in bytes: what the length prefix of the
/// transport can announce, which the message would have needed uncompressed.
pub const MESSAGE_MAX: usize = crate::frame::MAX_MESSAGE_LEN;

/// Payloads in one chained message; real ones have a handful.
const PAYLOADS_MAX: usize = 1024;

/// Why a message cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecompressError {
    /// A header is not laid out as it should be.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// An algorithm that is not known, or that cannot be used there.
    #[error("compression algorithm {0:#06x}")]
    Algorithm(u16),
    /// The compressed data breaks the rules of its algorithm.
    #[error("{0}: compressed data is damaged")]
    Damaged(&'static str),
    /// The result has another length than the header announces, or is too long.
    #[error("decompressed length is not the one announced")]
    Length,
}

/// Decompresses a message that begins with SMB2 COMPRESSION_TRANSFORM_HEADER, [MS-SMB2] 2.2.42.
///
/// # Errors
/// [`DecompressError`]
pub fn decompress(message: &[u8]) -> Result<Bytes, DecompressError> {
    match CompressionHeader::parse(message)? {
        CompressionHeader::Unchained(h) => {
            let rest = message
                .get(CompressionHeader::UNCHAINED_LEN..)
                .ok_or(ParseError::Truncated("compression header"))?;
            let offset = usize::try_from(h.offset).map_err(|_| DecompressError::Length)?;
            let (plain, compressed) = rest
                .split_at_checked(offset)
                .ok_or(ParseError::OutOfBounds("compression Offset"))?;
            let size = usize::try_from(h.original_size).map_err(|_| DecompressError::Length)?;
            let end = plain.len().saturating_add(size);
            let mut out = Output::new(end, MESSAGE_MAX).ok_or(DecompressError::Length)?;
            out.literals(plain).ok_or(DecompressError::Length)?;
            payload(h.algorithm, compressed, size, &mut out)?;
            finish(out, end)
        }
        CompressionHeader::Chained { original_size } => chained(message, original_size),
    }
}

fn finish(out: Output, len: usize) -> Result<Bytes, DecompressError> {
    let bytes = out.into_inner();
    if bytes.len() == len {
        Ok(bytes.into())
    } else {
        Err(DecompressError::Length)
    }
}

/// [MS-SMB2] 2.2.42.2: payloads one behind the other, each with a header of its own.
fn chained(message: &[u8], original_size: u32) -> Result<Bytes, DecompressError> {
    let len = usize::try_from(original_size).map_err(|_| DecompressError::Length)?;
    let mut out = Output::new(len, MESSAGE_MAX).ok_or(DecompressError::Length)?;
    let mut rest = message.get(CompressionHeader::CHAINED_LEN..).unwrap_or(&[]);
    for _ in 0..PAYLOADS_MAX {
        if rest.is_empty() {
            return finish(out, len);
        }
        let header = PayloadHeader::parse(rest)?;
        let body = rest
            .get(header.encoded_len()..)
            .ok_or(ParseError::Truncated("compression payload"))?;
        let payload_len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        let (body, tail) = body
            .split_at_checked(payload_len)
            .ok_or(ParseError::Truncated("compression payload"))?;
        let size = match header.original_size {
            Some(size) => usize::try_from(size).map_err(|_| DecompressError::Length)?,
            None => payload_len,
        };
        payload(header.algorithm, body, size, &mut out)?;
        rest = tail;
    }
    Err(ParseError::TooMany("compression payload").into())
}

/// Appends the `size` bytes that a payload stands for.
fn payload(
    algorithm: u16,
    data: &[u8],
    size: usize,
    out: &mut Output,
) -> Result<(), DecompressError> {
    let known =
        CompressionAlgorithm::from_code(algorithm).ok_or(DecompressError::Algorithm(algorithm))?;
    let end = out.len().checked_add(size).ok_or(DecompressError::Length)?;
    match known {
        CompressionAlgorithm::None => out.literals(data).ok_or(DecompressError::Length)?,
        CompressionAlgorithm::PatternV1 => {
            let pattern = PatternV1::parse(data)?;
            let count =
                usize::try_from(pattern.repetitions).map_err(|_| DecompressError::Length)?;
            return out
                .repeat(pattern.pattern, count)
                .ok_or(DecompressError::Length);
        }
        CompressionAlgorithm::Lznt1 => {
            lznt1::decompress(data, end, out).ok_or(DecompressError::Damaged("LZNT1"))?;
        }
        CompressionAlgorithm::Lz77 => {
            lz77::decompress(data, end, out).ok_or(DecompressError::Damaged("LZ77"))?;
        }
        CompressionAlgorithm::Lz77Huffman => {
            huffman::decompress(data, end, out).ok_or(DecompressError::Damaged("LZ77+Huffman"))?;
        }
        CompressionAlgorithm::Lz4 => {
            lz4::decompress(data, end, out).ok_or(DecompressError::Damaged("LZ4"))?;
        }
    }
    if out.len() == end {
        Ok(())
    } else {
        Err(DecompressError::Length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Writer;

    fn unchained(algorithm: CompressionAlgorithm, plain: &[u8], data: &[u8], size: u32) -> Vec<u8> {
        let mut w = Writer::new();
        CompressionHeader::Unchained(crate::transform::UnchainedHeader {
            original_size: size,
            algorithm: algorithm.into(),
            offset: u32::try_from(plain.len()).unwrap(),
        })
        .encode(&mut w);
        w.bytes(plain);
        w.bytes(data);
        w.into_inner().to_vec()
    }

    #[test]
    fn unchained_keeps_what_is_in_front() {
        let data = hex_lz77();
        let message = unchained(CompressionAlgorithm::Lz77, b"head", &data, 26);
        assert_eq!(
            decompress(&message).unwrap(),
            &b"headabcdefghijklmnopqrstuvwxyz"[..]
        );
        let wrong = unchained(CompressionAlgorithm::Lz77, b"head", &data, 27);
        assert!(decompress(&wrong).is_err());
    }

    /// [MS-XCA] 3.2, first example.
    fn hex_lz77() -> Vec<u8> {
        let mut data = vec![0x3f, 0, 0, 0];
        data.extend(b"abcdefghijklmnopqrstuvwxyz");
        data
    }

    #[test]
    fn chained_with_a_pattern() {
        let mut w = Writer::new();
        CompressionHeader::Chained { original_size: 45 }.encode(&mut w);
        let mut part = |algorithm: CompressionAlgorithm, size: Option<u32>, data: &[u8]| {
            PayloadHeader {
                algorithm: algorithm.into(),
                flags: 1,
                payload_len: u32::try_from(data.len()).unwrap(),
                original_size: size,
            }
            .encode(&mut w);
            w.bytes(data);
        };
        part(CompressionAlgorithm::None, None, b"1234");
        part(
            CompressionAlgorithm::PatternV1,
            None,
            &[b'z', 0, 0, 0, 15, 0, 0, 0],
        );
        part(CompressionAlgorithm::Lz77, Some(26), &hex_lz77());
        let message = w.into_inner();
        assert_eq!(
            decompress(&message).unwrap(),
            &b"1234zzzzzzzzzzzzzzzabcdefghijklmnopqrstuvwxyz"[..]
        );
        for n in 0..message.len() {
            assert!(decompress(&message[..n]).is_err(), "{n}");
        }
    }

    proptest! {
        /// Whatever comes in, it does not panic, nor become longer than announced.
        #[test]
        fn survives_anything(
            code in 0u16..7,
            size in 0u32..100_000,
            data in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut message = b"\xfcSMB".to_vec();
            message.extend(size.to_le_bytes());
            message.extend(code.to_le_bytes());
            message.extend([0; 6]);
            message.extend(&data);
            if let Ok(out) = decompress(&message) {
                prop_assert_eq!(out.len(), size as usize);
            }
        }
    }
}
