//! Time as the driver tells it. Nothing in this crate asks for it.

use std::ops::{Add, Sub};
use std::time::Duration;

use smb_proto::FileTime;

/// A point on the driver's monotonic clock, in microseconds since an origin of its choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks at one moment; every input of the server carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines. Never goes back.
    pub mono: Instant,
    /// For times that a client sees. May jump.
    pub wall: FileTime,
}

impl Now {
    /// Both clocks from the time since 1970-01-01 00:00 UTC, for programs whose only clock is the
    /// time of day. When that is set back, deadlines come late.
    #[must_use]
    pub fn since_1970(time: Duration) -> Self {
        Self {
            mono: Instant::default() + time,
            wall: FileTime::from_unix(
                i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                time.subsec_nanos(),
            ),
        }
    }
}
