//! FILETIME, [MS-DTYP] 2.3.3.

use std::fmt;

/// 100-nanosecond intervals since 1601-01-01 00:00 UTC.
///
/// In some fields zero means "do not change" or "unknown", and all-ones and all-ones-minus-one
/// have meanings of their own ([MS-FSCC] 2.4.7); this type keeps the number and leaves the meaning
/// to whoever reads it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime(pub u64);

/// 100 ns intervals between 1601-01-01 and 1970-01-01.
const UNIX_EPOCH: i128 = 116_444_736_000_000_000;

impl FileTime {
    /// Zero: no time.
    pub const ZERO: Self = Self(0);

    /// From seconds since 1970 and nanoseconds; times before 1601 become zero, later ones than
    /// the type can hold become its last.
    #[must_use]
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        let ticks = i128::from(seconds)
            .saturating_mul(10_000_000)
            .saturating_add(i128::from(nanos / 100))
            .saturating_add(UNIX_EPOCH);
        Self(u64::try_from(ticks.clamp(0, i128::from(i64::MAX))).unwrap_or(0))
    }

    /// Seconds since 1970 (negative before) and nanoseconds (0 to 999,999,900).
    #[must_use]
    pub fn to_unix(self) -> (i64, u32) {
        let ticks = i128::from(self.0).saturating_sub(UNIX_EPOCH);
        let seconds = i64::try_from(ticks.div_euclid(10_000_000)).unwrap_or(i64::MAX);
        let nanos = u32::try_from(ticks.rem_euclid(10_000_000))
            .unwrap_or(0)
            .saturating_mul(100);
        (seconds, nanos)
    }
}

impl fmt::Debug for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, n) = self.to_unix();
        write!(f, "FileTime({s}.{n:09})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts() {
        assert_eq!(FileTime::from_unix(0, 0), FileTime(116_444_736_000_000_000));
        assert_eq!(
            FileTime::from_unix(-1, 500),
            FileTime(116_444_735_990_000_005)
        );
        assert_eq!(FileTime::from_unix(-1, 500).to_unix(), (-1, 500));
        assert_eq!(FileTime::from_unix(i64::MIN, 0), FileTime::ZERO);
        assert_eq!(FileTime::from_unix(i64::MAX, 0).0, i64::MAX as u64);
    }
}
