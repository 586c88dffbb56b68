//! Plain LZ77, [MS-XCA] 2.4.4.

use super::output::Output;

/// Appends until `out` has `end` bytes or the input ends; `None` if it is damaged.
pub(super) fn decompress(input: &[u8], end: usize, out: &mut Output) -> Option<()> {
    let base = out.len();
    let mut rest = input;
    let mut flags = 0u32;
    let mut left = 0u32;
    // A byte whose upper half has not been used yet, at this place of the input.
    let mut half: Option<usize> = None;
    let total = input.len();
    while out.len() < end {
        if left == 0 {
            flags = u32::from_le_bytes(take(&mut rest)?);
            left = 32;
        }
        left = left.saturating_sub(1);
        if flags >> left & 1 == 0 {
            let [byte] = take(&mut rest)?;
            out.literal(byte)?;
            continue;
        }
        // The flag behind the last symbol is set, and nothing follows it.
        if rest.is_empty() {
            return None;
        }
        let word = u16::from_le_bytes(take(&mut rest)?);
        let distance = usize::from(word >> 3).checked_add(1)?;
        let mut len = usize::from(word & 7);
        if len == 7 {
            len = match half.take() {
                Some(at) => usize::from(input.get(at)? >> 4),
                None => {
                    half = Some(total.checked_sub(rest.len())?);
                    let [byte] = take(&mut rest)?;
                    usize::from(byte & 15)
                }
            };
            if len == 15 {
                let [byte] = take(&mut rest)?;
                len = usize::from(byte);
                if len == 255 {
                    len = usize::from(u16::from_le_bytes(take(&mut rest)?));
                    if len == 0 {
                        len = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
                    }
                    len = len.checked_sub(15 + 7)?;
                }
                len = len.checked_add(15)?;
            }
            len = len.checked_add(7)?;
        }
        out.copy(base, distance, len.checked_add(3)?, end)?;
    }
    Some(())
}

/// The next `N` bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
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

    /// [MS-XCA] 3.2.
    #[test]
    fn published() {
        let alphabet = hex("3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a");
        assert_eq!(plain(&alphabet, 26).unwrap(), b"abcdefghijklmnopqrstuvwxyz");
        let abc = hex("ffffff1f 61 62 63 17 00 0f ff 26 01");
        assert_eq!(plain(&abc, 300).unwrap(), "abc".repeat(100).as_bytes());
        for n in 0..abc.len() {
            assert_eq!(plain(&abc[..n], 300), None);
        }
    }

    #[test]
    fn distance_before_the_start_is_refused() {
        assert_eq!(plain(&hex("ffffffff 61 62 0f 00"), 10), None);
    }
}
