//! LZ77 with Huffman coding, [MS-XCA] 2.2.

use super::lz77::take;
use super::output::Output;

/// Symbols: 256 literals, and 256 matches of 16 length classes and 16 distance classes.
const SYMBOLS: usize = 512;

/// Bytes of the table in front of each block: four bits for the code length of each symbol.
const TABLE_LEN: usize = SYMBOLS / 2;

/// Bytes that a block stands for; the last match may reach further.
const BLOCK: usize = 65_536;

/// The longest code in bits.
const CODE_MAX: u32 = 15;

/// The match symbol that ends the data where there are no more bytes.
const END: u16 = 256;

/// Appends until `out` has `end` bytes or the input ends; `None` if it is damaged.
pub(super) fn decompress(input: &[u8], end: usize, out: &mut Output) -> Option<()> {
    let base = out.len();
    let mut rest = input;
    while out.len() < end {
        let (table, tail) = rest.split_at_checked(TABLE_LEN)?;
        let codes = Codes::new(table)?;
        let block_end = out.len().checked_add(BLOCK)?.min(end);
        let mut bits = Bits::new(tail)?;
        while out.len() < block_end {
            let symbol = codes.decode(&mut bits)?;
            if let Ok(byte) = u8::try_from(symbol) {
                out.literal(byte)?;
                continue;
            }
            if symbol == END && bits.rest.is_empty() {
                return Some(());
            }
            let class = symbol.checked_sub(256)?;
            let mut len = usize::from(class & 15);
            if len == 15 {
                len = long_length(&mut bits.rest)?;
            }
            let distance_bits = u32::from(class >> 4);
            let low = usize::try_from(bits.take(distance_bits)).ok()?;
            let distance = 1usize.checked_shl(distance_bits)?.checked_add(low)?;
            out.copy(base, distance, len.checked_add(3)?, end)?;
        }
        rest = bits.rest;
    }
    Some(())
}

/// The length of a match of the last length class, which stands in bytes between the words of bits.
fn long_length(rest: &mut &[u8]) -> Option<usize> {
    let [byte] = take(rest)?;
    let mut len = usize::from(byte);
    if len == 255 {
        len = usize::from(u16::from_le_bytes(take(rest)?));
        if len == 0 {
            len = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
        }
        len = len.checked_sub(15)?;
    }
    len.checked_add(15)
}

/// The bit stream: 16-bit words in little-endian order, bits from the top.
struct Bits<'a> {
    next: u32,
    /// Valid bits of `next` beyond the first 16.
    extra: u32,
    rest: &'a [u8],
}

impl<'a> Bits<'a> {
    fn new(mut rest: &'a [u8]) -> Option<Self> {
        let high = u16::from_le_bytes(take(&mut rest)?);
        let low = u16::from_le_bytes(take(&mut rest)?);
        Some(Self {
            next: u32::from(high) << 16 | u32::from(low),
            extra: 16,
            rest,
        })
    }

    /// The next bits, at most 15, as a number; bits behind the end of the input are zero.
    fn take(&mut self, count: u32) -> u32 {
        let value = self.peek(count);
        self.skip(count);
        value
    }

    fn peek(&self, count: u32) -> u32 {
        self.next
            .checked_shr(32u32.saturating_sub(count))
            .unwrap_or(0)
    }

    fn skip(&mut self, count: u32) {
        self.next = self.next.checked_shl(count).unwrap_or(0);
        match self.extra.checked_sub(count) {
            Some(extra) => self.extra = extra,
            None => {
                let missing = count.saturating_sub(self.extra);
                let word = take(&mut self.rest).map_or(0, u16::from_le_bytes);
                self.next |= u32::from(word).checked_shl(missing).unwrap_or(0);
                self.extra = 16u32.saturating_sub(missing);
            }
        }
    }
}

/// Canonical Huffman codes: for each length the first code and the place of its symbol.
struct Codes {
    /// Symbols ordered by code.
    symbols: Vec<u16>,
    /// For each length the codes of that length begin here (as numbers of 15 bits), end there, and
    /// their symbols begin at that index.
    lengths: Vec<(u32, u32, u32, usize)>,
}

impl Codes {
    fn new(table: &[u8]) -> Option<Self> {
        let length_of = |symbol: usize| {
            let byte = table.get(symbol / 2).copied().unwrap_or(0);
            u32::from(if symbol.is_multiple_of(2) {
                byte & 15
            } else {
                byte >> 4
            })
        };
        let mut symbols = Vec::new();
        let mut lengths = Vec::new();
        let mut code = 0u32;
        for len in 1..=CODE_MAX {
            let unit = 1u32.checked_shl(CODE_MAX.checked_sub(len)?)?;
            let (begin, index) = (code, symbols.len());
            for symbol in 0..SYMBOLS {
                if length_of(symbol) == len {
                    symbols.push(u16::try_from(symbol).ok()?);
                    code = code.checked_add(unit)?;
                }
            }
            if code > begin {
                lengths.push((len, begin, code, index));
            }
        }
        // The codes must fill all that 15 bits can say.
        (code == 1 << CODE_MAX).then_some(Self { symbols, lengths })
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let next = bits.peek(CODE_MAX);
        let (len, begin, _, index) = *self.lengths.iter().find(|(_, _, end, _)| next < *end)?;
        let nth = next
            .checked_sub(begin)?
            .checked_shr(CODE_MAX.checked_sub(len)?)?;
        bits.skip(len);
        let at = index.checked_add(usize::try_from(nth).ok()?)?;
        self.symbols.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    fn plain(input: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut out = Output::new(len, len)?;
        decompress(input, len, &mut out)?;
        Some(out.into_inner())
    }

    /// A table with bytes at some places, and what follows it.
    fn input(table: &[(usize, &str)], rest: &str) -> Vec<u8> {
        let mut bytes = vec![0; TABLE_LEN];
        for (at, text) in table {
            let text = hex(text);
            bytes[*at..at + text.len()].copy_from_slice(&text);
        }
        bytes.extend(hex(rest));
        bytes
    }

    /// [MS-XCA] 3.1.
    #[test]
    fn published() {
        let alphabet = input(
            &[(48, "5055555555555555555555 454404"), (128, "04")],
            "d8523ed794115be9195ff9d67cdf8d0400000000",
        );
        assert_eq!(plain(&alphabet, 26).unwrap(), b"abcdefghijklmnopqrstuvwxyz");
        let abc = input(&[(48, "3023"), (128, "02"), (143, "20")], "a8dc0000ff2601");
        assert_eq!(plain(&abc, 300).unwrap(), "abc".repeat(100).as_bytes());
        for n in 0..TABLE_LEN + 4 {
            assert_eq!(plain(&abc[..n], 300), None);
        }
    }

    #[test]
    fn incomplete_codes_are_refused() {
        assert_eq!(plain(&input(&[(48, "50")], "d8523ed7"), 10), None);
    }
}
