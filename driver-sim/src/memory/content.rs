//! The bytes of one stream.

use std::collections::BTreeMap;

use smb_engine::vfs::AllocatedRange;

/// Bytes of one allocation unit.
pub(super) const UNIT: u64 = 4096;

/// A stream's bytes: units that were written, everything else reads as zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    size: u64,
    /// Written units by number, each [`UNIT`] bytes.
    units: BTreeMap<u64, Vec<u8>>,
    /// Bytes reserved beyond what is written.
    reserved: u64,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of storage taken.
    pub(super) fn allocation(&self, sparse: bool) -> u64 {
        if sparse {
            (self.units.len() as u64).saturating_mul(UNIT)
        } else {
            round_up(self.size.max(self.reserved))
        }
    }

    pub(super) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let end = offset.saturating_add(len as u64).min(self.size);
        let mut out = vec![0; usize::try_from(end.saturating_sub(offset)).unwrap_or(0)];
        if out.is_empty() {
            return out;
        }
        for (number, bytes) in self.units.range(offset / UNIT..end.div_ceil(UNIT)) {
            let unit_start = number * UNIT;
            let from = offset.max(unit_start);
            let to = end.min(unit_start + UNIT);
            out[span(from - offset, to - offset)]
                .copy_from_slice(&bytes[span(from - unit_start, to - unit_start)]);
        }
        out
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let number = at / UNIT;
            let unit_start = number * UNIT;
            let to = end.min(unit_start + UNIT);
            let unit = self
                .units
                .entry(number)
                .or_insert_with(|| vec![0; UNIT as usize]);
            unit[span(at - unit_start, to - unit_start)]
                .copy_from_slice(&data[span(at - offset, to - offset)]);
            at = to;
        }
        if !data.is_empty() {
            self.size = self.size.max(end);
        }
    }

    /// A mixture of two states of one stream, unit by unit, as a machine that loses its power leaves
    /// it. `newer` chooses: for the size, then for each unit in order.
    pub(super) fn mixture(old: &Self, new: &Self, newer: &mut dyn FnMut() -> bool) -> Self {
        let mut mixed = Self {
            size: if newer() { new.size } else { old.size },
            units: BTreeMap::new(),
            reserved: 0,
        };
        let numbers: std::collections::BTreeSet<u64> =
            old.units.keys().chain(new.units.keys()).copied().collect();
        for number in numbers.range(..mixed.size.div_ceil(UNIT)) {
            let from = if newer() { new } else { old };
            if let Some(unit) = from.units.get(number) {
                mixed.units.insert(*number, unit.clone());
            }
        }
        // What lies behind the end reads as zeros once the stream grows again.
        let size = mixed.size;
        if let Some(last) = mixed.units.get_mut(&(size / UNIT)) {
            last[span(size % UNIT, UNIT)].fill(0);
        }
        mixed
    }

    /// Cuts or grows; growth reads as zeros.
    pub(super) fn set_size(&mut self, size: u64) {
        if size < self.size {
            self.zero(size, self.size);
            self.units.retain(|number, _| number * UNIT < size);
            self.reserved = 0;
        }
        self.size = size;
    }

    /// Cuts to, or reserves, `size` bytes.
    pub(super) fn set_allocation(&mut self, size: u64) {
        if size < self.size {
            self.set_size(size);
        }
        self.reserved = size;
    }

    /// Makes `offset..beyond` read as zeros, giving back whole units; the size stays.
    pub(super) fn zero(&mut self, offset: u64, beyond: u64) {
        let beyond = beyond.min(self.size);
        if offset >= beyond {
            return;
        }
        let touched: Vec<u64> = self
            .units
            .range(offset / UNIT..beyond.div_ceil(UNIT))
            .map(|(number, _)| *number)
            .collect();
        for number in touched {
            let unit_start = number * UNIT;
            let (from, to) = (offset.max(unit_start), beyond.min(unit_start + UNIT));
            // The rest of the last unit lies behind the end of the file.
            let whole = from == unit_start && (to == unit_start + UNIT || to == self.size);
            if whole {
                self.units.remove(&number);
            } else if let Some(unit) = self.units.get_mut(&number) {
                unit[span(from - unit_start, to - unit_start)].fill(0);
            }
        }
    }

    /// The parts of `offset..offset + len` that have storage: of a file that is not sparse, all.
    pub(super) fn allocated(&self, sparse: bool, offset: u64, len: u64) -> Vec<AllocatedRange> {
        let end = offset.saturating_add(len).min(self.size);
        if offset >= end {
            return Vec::new();
        }
        if !sparse {
            return vec![AllocatedRange {
                offset,
                len: end - offset,
            }];
        }
        let mut ranges: Vec<AllocatedRange> = Vec::new();
        for number in self
            .units
            .range(offset / UNIT..end.div_ceil(UNIT))
            .map(|u| u.0)
        {
            let from = offset.max(number * UNIT);
            let to = end.min((number + 1) * UNIT);
            match ranges.last_mut() {
                Some(last) if last.offset + last.len == from => last.len += to - from,
                _ => ranges.push(AllocatedRange {
                    offset: from,
                    len: to - from,
                }),
            }
        }
        ranges
    }
}

fn round_up(bytes: u64) -> u64 {
    bytes.div_ceil(UNIT).saturating_mul(UNIT)
}

fn span(from: u64, to: u64) -> std::ops::Range<usize> {
    // Both are differences inside buffers that exist.
    usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, Vec<u8>),
        Size(u64),
        Zero(u64, u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = 0..20_000u64;
        prop_oneof![
            (at.clone(), prop::collection::vec(1u8.., 0..9000))
                .prop_map(|(o, d)| Step::Write(o, d)),
            at.clone().prop_map(Step::Size),
            (at.clone(), at).prop_map(|(a, b)| Step::Zero(a.min(b), a.max(b))),
        ]
    }

    proptest! {
        #[test]
        fn is_a_vector_of_bytes(steps in prop::collection::vec(step(), 0..12), from in 0..20_000u64, len in 0..20_000usize) {
            let mut model: Vec<u8> = Vec::new();
            let mut content = Content::default();
            for step in steps {
                match step {
                    Step::Write(offset, data) => {
                        content.write(offset, &data);
                        let end = offset as usize + data.len();
                        if !data.is_empty() {
                            model.resize(model.len().max(end), 0);
                            model[offset as usize..end].copy_from_slice(&data);
                        }
                    }
                    Step::Size(size) => {
                        content.set_size(size);
                        model.resize(size as usize, 0);
                    }
                    Step::Zero(a, b) => {
                        content.zero(a, b);
                        let n = model.len();
                        model[(a as usize).min(n)..(b as usize).min(n)].fill(0);
                    }
                }
                prop_assert_eq!(content.size(), model.len() as u64);
            }
            let start = (from as usize).min(model.len());
            let end = (start + len).min(model.len());
            prop_assert_eq!(&content.read(from, len)[..], &model[start..end]);
            // What is not zero has storage.
            let ranges = content.allocated(true, 0, u64::MAX);
            for (i, byte) in model.iter().enumerate() {
                let i = i as u64;
                let has = ranges.iter().any(|r| r.offset <= i && i < r.offset + r.len);
                prop_assert!(*byte == 0 || has);
            }
            prop_assert!(ranges.windows(2).all(|w| w[0].offset + w[0].len < w[1].offset));
        }
    }
}
