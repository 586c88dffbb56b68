//! An LZ4 block, as the LZ4 block format description of its authors has it.

use super::lz77::take;
use super::output::Output;

/// Appends until `out` has `end` bytes or the input ends; `None` if it is damaged.
pub(super) fn decompress(input: &[u8], end: usize, out: &mut Output) -> Option<()> {
    let base = out.len();
    let mut rest = input;
    while !rest.is_empty() && out.len() <= end {
        let [token] = take(&mut rest)?;
        let count = length(token >> 4, &mut rest)?;
        let (literals, tail) = rest.split_at_checked(count)?;
        out.literals(literals)?;
        rest = tail;
        // The last sequence has literals only.
        if rest.is_empty() {
            return Some(());
        }
        let distance = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let len = length(token & 15, &mut rest)?.checked_add(4)?;
        out.copy(base, distance, len, end)?;
    }
    Some(())
}

/// A length of four bits, continued in bytes if they are all ones.
fn length(bits: u8, rest: &mut &[u8]) -> Option<usize> {
    let mut len = usize::from(bits);
    if bits == 15 {
        loop {
            let [byte] = take(rest)?;
            len = len.checked_add(usize::from(byte))?;
            if byte != 255 {
                break;
            }
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    #[test]
    fn literals_and_matches() {
        let mut out = Output::new(100, 100).unwrap();
        // "abc", a match of 4 + 15 + 3 bytes at distance 3, and "xy".
        decompress(&hex("3f 616263 0300 03 20 7879"), 100, &mut out).unwrap();
        assert_eq!(out.into_inner(), b"abcabcabcabcabcabcabcabcaxy");
        let mut out = Output::new(100, 100).unwrap();
        assert_eq!(decompress(&hex("1f 61 0200 03"), 100, &mut out), None);
    }
}
