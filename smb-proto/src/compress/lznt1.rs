//! LZNT1, [MS-XCA] 2.5: chunks of up to 4096 bytes, each for itself.

use super::lz77::take;
use super::output::Output;

/// Bytes that a chunk stands for at most.
const CHUNK: usize = 4096;

/// Appends until `out` has `end` bytes or the input ends; `None` if it is damaged.
pub(super) fn decompress(input: &[u8], end: usize, out: &mut Output) -> Option<()> {
    let mut rest = input;
    while out.len() < end && rest.len() >= 2 {
        let header = u16::from_le_bytes(take(&mut rest)?);
        if header == 0 {
            break;
        }
        let len = usize::from(header & 0x0fff).checked_add(1)?;
        let (chunk, tail) = rest.split_at_checked(len)?;
        rest = tail;
        if header & 0x8000 == 0 {
            out.literals(chunk)?;
        } else {
            compressed_chunk(chunk, end, out)?;
        }
    }
    Some(())
}

fn compressed_chunk(mut rest: &[u8], end: usize, out: &mut Output) -> Option<()> {
    let base = out.len();
    let end = end.min(base.checked_add(CHUNK)?);
    while let Some((flags, tail)) = rest.split_first() {
        rest = tail;
        for bit in 0..8 {
            if rest.is_empty() || out.len() >= end {
                return Some(());
            }
            if flags >> bit & 1 == 0 {
                let [byte] = take(&mut rest)?;
                out.literal(byte)?;
                continue;
            }
            let word = u16::from_le_bytes(take(&mut rest)?);
            // How many bits the distance takes follows from how far back one can go,
            // [MS-XCA] 2.5.1.4.
            let done = out.len().checked_sub(base)?;
            let bits = usize::BITS
                .checked_sub(done.checked_sub(1)?.leading_zeros())?
                .clamp(4, 12);
            let len_bits = 16u32.checked_sub(bits)?;
            let distance = usize::from(word >> len_bits).checked_add(1)?;
            let mask = 0xffffu16.checked_shr(bits)?;
            let len = usize::from(word & mask).checked_add(3)?;
            out.copy(base, distance, len, end)?;
        }
    }
    Some(())
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

    /// [MS-XCA] 3.3.
    #[test]
    fn published() {
        let input = hex(
            "38b0884623200020 472041001 0a24701 a045204400084501 507900c045200524 138805b4024a44ef
             0358028c09160148 4500be009e000401 189000",
        );
        let text = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E \
                    F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        assert_eq!(plain(&input, 142).unwrap(), text.as_bytes());
    }

    #[test]
    fn stored_and_empty_chunks() {
        assert_eq!(plain(&hex("0230 616263 0000"), 3).unwrap(), b"abc");
        assert_eq!(plain(&hex("0000"), 3).unwrap(), b"");
        assert_eq!(plain(&hex("0230 6162"), 3), None);
    }
}
