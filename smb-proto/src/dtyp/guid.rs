//! GUID, [MS-DTYP] 2.3.4.

use std::fmt;

/// A GUID in the byte order of the wire ([MS-DTYP] 2.3.4.2: the first three fields little-endian).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u8; 16]);

impl Guid {
    /// All zero.
    pub const NIL: Self = Self([0; 16]);

    /// From its 16 bytes on the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From the four groups of its text form, as the specification prints GUIDs.
    #[must_use]
    pub const fn from_fields(d1: u32, d2: u16, d3: u16, d4: [u8; 8]) -> Self {
        let [a, b, c, d] = d1.to_le_bytes();
        let [e, f] = d2.to_le_bytes();
        let [g, h] = d3.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = d4;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Its 16 bytes on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q] = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{j:02x}{k:02x}-{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}{q:02x}",
            u32::from_le_bytes([a, b, c, d]),
            u16::from_le_bytes([e, g]),
            u16::from_le_bytes([h, i]),
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let g = Guid::from_fields(
            0x5cb5_0f7b,
            0x9e1d,
            0x4b53,
            [0x8e, 0xc1, 0x5a, 0x5f, 0x8a, 0x50, 0x8e, 0x01],
        );
        assert_eq!(g.to_string(), "5cb50f7b-9e1d-4b53-8ec1-5a5f8a508e01");
        assert_eq!(g.to_bytes()[..4], [0x7b, 0x0f, 0xb5, 0x5c]);
    }
}
