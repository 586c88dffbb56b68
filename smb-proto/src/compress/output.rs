//! The buffer that decompression writes to.

/// A buffer that never grows past the length it is made for.
#[derive(Debug)]
pub(super) struct Output {
    buf: Vec<u8>,
    max: usize,
}

/// Memory set aside at once; more is taken as it is needed, so that an announced length alone
/// costs nothing.
const RESERVE: usize = 65_536;

impl Output {
    /// A buffer for `max` bytes; `None` if that is more than `limit`.
    pub(super) fn new(max: usize, limit: usize) -> Option<Self> {
        (max <= limit).then(|| Self {
            buf: Vec::with_capacity(max.min(RESERVE)),
            max,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.buf.len()
    }

    /// Appends one byte; `None` if it is full.
    pub(super) fn literal(&mut self, byte: u8) -> Option<()> {
        if self.buf.len() >= self.max {
            return None;
        }
        self.buf.push(byte);
        Some(())
    }

    /// Appends bytes; `None` if they do not fit.
    pub(super) fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        if self.max.saturating_sub(self.buf.len()) < bytes.len() {
            return None;
        }
        self.buf.extend_from_slice(bytes);
        Some(())
    }

    /// Appends a byte many times; `None` if they do not fit.
    pub(super) fn repeat(&mut self, byte: u8, count: usize) -> Option<()> {
        if self.max.saturating_sub(self.buf.len()) < count {
            return None;
        }
        let len = self.buf.len().saturating_add(count);
        self.buf.resize(len, byte);
        Some(())
    }

    /// Appends `len` bytes that begin `distance` before the end, which may be bytes that this
    /// appends. At most up to `end`; what goes beyond is left out. `None` if the distance leads
    /// before `base`, or is 0.
    pub(super) fn copy(
        &mut self,
        base: usize,
        distance: usize,
        len: usize,
        end: usize,
    ) -> Option<()> {
        let from = self.buf.len().checked_sub(distance)?;
        if distance == 0 || from < base {
            return None;
        }
        let room = end.min(self.max).saturating_sub(self.buf.len());
        for i in 0..len.min(room) {
            let byte = *self.buf.get(from.checked_add(i)?)?;
            self.buf.push(byte);
        }
        Some(())
    }

    pub(super) fn into_inner(self) -> Vec<u8> {
        self.buf
    }
}
