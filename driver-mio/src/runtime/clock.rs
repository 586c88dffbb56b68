//! The two clocks of the engine's inputs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use smb_engine::time::{self, Now};
use smb_proto::FileTime;

/// Counts from the server's start.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Now {
            mono: time::Instant(mono),
            wall: wall(),
        }
    }
}

/// The present time of day.
pub(super) fn wall() -> FileTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    FileTime::from_unix(
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        since.subsec_nanos(),
    )
}
