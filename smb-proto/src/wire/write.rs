//! The writer that every encoder appends to.

use bytes::{BufMut, BytesMut};

use crate::dtyp::{FileTime, Guid};

/// Appends little-endian fields to a buffer, remembers where the structure begins, and can patch
/// fields that are known only later (offsets, counts, sizes).
///
/// Positions are relative to the *base*, which is where the structure that offsets count from
/// begins: the SMB2 header for message bodies.
#[derive(Debug, Default)]
pub struct Writer {
    buf: BytesMut,
    base: usize,
}

impl Writer {
    /// A writer into a new buffer whose base is its start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that appends to `buf`; the base is the present end of `buf`.
    #[must_use]
    pub fn append_to(buf: BytesMut) -> Self {
        let base = buf.len();
        Self { buf, base }
    }

    /// Moves the base to the present end, for the next element of a compound.
    pub fn rebase(&mut self) {
        self.base = self.buf.len();
    }

    /// The buffer with everything in it, also what was there before the base.
    #[must_use]
    pub fn into_inner(self) -> BytesMut {
        self.buf
    }

    /// Bytes written since the base.
    #[must_use]
    pub fn position(&self) -> usize {
        self.buf.len().saturating_sub(self.base)
    }

    /// What was written since the base.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buf.get(self.base..).unwrap_or(&[])
    }

    /// One byte.
    pub fn u8(&mut self, v: u8) {
        self.buf.put_u8(v);
    }

    /// Little-endian 16-bit integer.
    pub fn u16(&mut self, v: u16) {
        self.buf.put_u16_le(v);
    }

    /// Little-endian 32-bit integer.
    pub fn u32(&mut self, v: u32) {
        self.buf.put_u32_le(v);
    }

    /// Little-endian 64-bit integer.
    pub fn u64(&mut self, v: u64) {
        self.buf.put_u64_le(v);
    }

    /// Little-endian signed 64-bit integer.
    pub fn i64(&mut self, v: i64) {
        self.buf.put_i64_le(v);
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, v: &[u8]) {
        self.buf.put_slice(v);
    }

    /// `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        self.buf.put_bytes(0, n);
    }

    /// Zero bytes until the position is a multiple of `to` (a power of two).
    pub fn align(&mut self, to: usize) {
        let over = self.position() & to.saturating_sub(1);
        if over != 0 {
            self.zeros(to.saturating_sub(over));
        }
    }

    /// A GUID, [MS-DTYP] 2.3.4.2.
    pub fn guid(&mut self, v: Guid) {
        self.bytes(&v.to_bytes());
    }

    /// A FILETIME, [MS-DTYP] 2.3.3.
    pub fn filetime(&mut self, v: FileTime) {
        self.u64(v.0);
    }

    /// UTF-16LE text without terminator.
    pub fn utf16(&mut self, text: &str) {
        for unit in text.encode_utf16() {
            self.buf.put_u16_le(unit);
        }
    }

    /// Overwrites the byte at `at` (relative to the base). Outside what was written: no effect.
    pub fn patch_u8(&mut self, at: usize, v: u8) {
        self.patch(at, &[v]);
    }

    /// Overwrites the 16-bit field at `at` (relative to the base).
    pub fn patch_u16(&mut self, at: usize, v: u16) {
        self.patch(at, &v.to_le_bytes());
    }

    /// Overwrites the 32-bit field at `at` (relative to the base).
    pub fn patch_u32(&mut self, at: usize, v: u32) {
        self.patch(at, &v.to_le_bytes());
    }

    fn patch(&mut self, at: usize, v: &[u8]) {
        let start = self.base.saturating_add(at);
        let place = self.buf.get_mut(start..start.saturating_add(v.len()));
        debug_assert!(place.is_some(), "patch outside what was written");
        if let Some(place) = place {
            place.copy_from_slice(v);
        }
    }
}

/// A length or offset as a 16-bit field. Values that do not fit are a caller's mistake (limits are
/// far below); they saturate, so that a peer sees a wrong length rather than a wrapped one.
#[must_use]
pub(crate) fn len16(n: usize) -> u16 {
    debug_assert!(n <= usize::from(u16::MAX));
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// A length or offset as a 32-bit field; see [`len16`].
#[must_use]
pub(crate) fn len32(n: usize) -> u32 {
    debug_assert!(u32::try_from(n).is_ok());
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_and_aligns_relative_to_the_base() {
        let mut w = Writer::append_to(BytesMut::from(&[0xff][..]));
        w.u16(1);
        w.align(8);
        assert_eq!(w.position(), 8);
        w.patch_u16(0, 0x0203);
        assert_eq!(&w.into_inner()[..], &[0xff, 3, 2, 0, 0, 0, 0, 0, 0]);
    }
}
