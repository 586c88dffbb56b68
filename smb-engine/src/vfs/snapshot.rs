//! Earlier states of a share: how clients name them, and how a backend keeps what is open in them
//! apart from the present.

use smb_proto::FileTime;

use super::{NodeId, VfsError, VfsHandle, VfsOp, VfsReply};

/// Units of [`FileTime`] in a second: snapshots are told apart by the second.
const SECOND: u64 = 10_000_000;
const TOKEN: &str = "@GMT-";

/// The token of a snapshot, `@GMT-YYYY.MM.DD-HH.MM.SS` in UTC ([MS-SMB2] 2.2.32.2).
#[must_use]
pub fn snapshot_token(taken: FileTime) -> String {
    let (seconds, _) = taken.to_unix();
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{TOKEN}{year:04}.{month:02}.{day:02}-{hour:02}.{minute:02}.{second:02}")
}

/// What a token names; `None` if it is none.
#[must_use]
pub fn parse_snapshot_token(text: &str) -> Option<FileTime> {
    let rest = text.strip_prefix(TOKEN)?;
    let (date, time) = rest.split_once('-')?;
    let three = |text: &str, widths: [usize; 3]| {
        let mut parts = text.split('.');
        let mut out = [0i64; 3];
        for (value, width) in out.iter_mut().zip(widths) {
            let part = parts.next()?;
            let digits = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
            *value = part.parse().ok().filter(|_| digits)?;
        }
        parts.next().is_none().then_some(out)
    };
    let [year, month, day] = three(date, [4, 2, 2])?;
    let [hour, minute, second] = three(time, [2, 2, 2])?;
    moment(year, month, day, hour, minute, second)
}

/// A moment of the civil calendar in UTC; `None` if there is no such.
#[must_use]
pub fn moment(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<FileTime> {
    let fine = (1601..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    let days = days_of(year, month, day);
    // A day that the month does not have would be one of the next.
    if !fine || date_of(days) != (year, month, day) {
        return None;
    }
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add(hour.saturating_mul(3600))
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second);
    Some(FileTime::from_unix(seconds, 0))
}

/// Whether two times name the same snapshot.
#[must_use]
pub fn same_snapshot(a: FileTime, b: FileTime) -> bool {
    a.0.checked_div(SECOND) == b.0.checked_div(SECOND)
}

/// Days since 1970 of a date in the Gregorian calendar, counted in years that begin in March, so that
/// the leap day is the last of a year.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 {
        year.saturating_sub(1)
    } else {
        year
    };
    let month = (month.saturating_add(9)).rem_euclid(12);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (month.saturating_mul(153).saturating_add(2) / 5).saturating_add(day);
    era.saturating_mul(146_097)
        .saturating_add(of_era.saturating_mul(365))
        .saturating_add(of_era / 4)
        .saturating_sub(of_era / 100)
        .saturating_add(of_year)
        .saturating_sub(719_469)
}

/// The date of a day since 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = of_era
        .saturating_sub(of_era / 1460)
        .saturating_add(of_era / 36_524)
        .saturating_sub(of_era / 146_096)
        / 365;
    let before = year
        .saturating_mul(365)
        .saturating_add(year / 4)
        .saturating_sub(year / 100);
    let of_year = of_era.saturating_sub(before);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year
        .saturating_sub(month.saturating_mul(153).saturating_add(2) / 5)
        .saturating_add(1);
    let (month, later) = if month < 10 {
        (month.saturating_add(3), 0)
    } else {
        (month.saturating_sub(9), 1)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year)
        .saturating_add(later);
    (year, month, day)
}

/// A number that a backend gives to a snapshot while something is open in it. The handles that the
/// server sees carry it in their upper 16 bits; 0 there is the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotSlot(u16);

const SLOT_BIT: u32 = 48;

impl SnapshotSlot {
    /// All slots there are.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=u16::MAX).map(Self)
    }

    /// The snapshot in which a handle was opened, and the handle there; `None` for the present.
    #[must_use]
    pub fn of(handle: VfsHandle) -> Option<(Self, VfsHandle)> {
        let slot = u16::try_from(handle.0 >> SLOT_BIT).unwrap_or(u16::MAX);
        let inner = VfsHandle(handle.0 & ((1 << SLOT_BIT) - 1));
        (slot != 0).then_some((Self(slot), inner))
    }

    /// A handle of the snapshot as the server sees it.
    #[must_use]
    pub fn tagged(self, handle: VfsHandle) -> VfsHandle {
        VfsHandle(handle.0 | (u64::from(self.0) << SLOT_BIT))
    }
}

/// Where an operation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the present.
    Present(VfsOp),
    /// Into a snapshot, with the handle as it is there.
    Past(SnapshotSlot, VfsOp),
    /// A copy of bytes out of a snapshot.
    CopyOut {
        /// The snapshot.
        slot: SnapshotSlot,
        /// The source in it.
        from: VfsHandle,
        /// First byte there.
        from_offset: u64,
        /// The target in the present.
        to: VfsHandle,
        /// First byte there.
        to_offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Nowhere: what was is not changed. ([`VfsError::StaleHandle`] if there is no such snapshot.)
    Refused(SnapshotSlot, VfsError),
}

/// Finds out whether an operation is about the present or an earlier state, in which nothing can be
/// changed: a new name would have to be one of the present, which is another volume.
#[must_use]
pub fn route(mut op: VfsOp) -> Route {
    if let VfsOp::CopyRange {
        from,
        from_offset,
        to,
        to_offset,
        len,
    } = op
    {
        return match (SnapshotSlot::of(from), SnapshotSlot::of(to)) {
            (_, Some((slot, _))) => Route::Refused(slot, VfsError::ReadOnly),
            (None, None) => Route::Present(op),
            (Some((slot, from)), None) => Route::CopyOut {
                slot,
                from,
                from_offset,
                to,
                to_offset,
                len,
            },
        };
    }
    let Some((handle, kind)) = handle_of(&mut op) else {
        return Route::Present(op);
    };
    let Some((slot, inner)) = SnapshotSlot::of(*handle) else {
        return Route::Present(op);
    };
    *handle = inner;
    match kind {
        Kind::Looks => Route::Past(slot, op),
        Kind::Changes => Route::Refused(slot, VfsError::ReadOnly),
        Kind::Names => Route::Refused(slot, VfsError::OtherVolume),
    }
}

enum Kind {
    Looks,
    Changes,
    Names,
}

/// The handle that an operation works on, and what it does with it.
fn handle_of(op: &mut VfsOp) -> Option<(&mut VfsHandle, Kind)> {
    match op {
        VfsOp::Open { .. }
        | VfsOp::OpenById { .. }
        | VfsOp::OpenSnapshot { .. }
        | VfsOp::Create { .. }
        | VfsOp::Quotas { .. }
        | VfsOp::SetQuota { .. }
        | VfsOp::CopyRange { .. } => None,
        VfsOp::Close { handle }
        | VfsOp::Read { handle, .. }
        | VfsOp::Flush { handle }
        | VfsOp::Stat { handle }
        | VfsOp::CheckEmpty { handle }
        | VfsOp::List { handle, .. }
        | VfsOp::Streams { handle }
        | VfsOp::Eas { handle }
        | VfsOp::Security { handle }
        | VfsOp::Volume { handle }
        | VfsOp::AllocatedRanges { handle, .. }
        | VfsOp::ObjectId { handle }
        | VfsOp::Reparse { handle }
        | VfsOp::Watch { handle, .. }
        | VfsOp::Snapshots { handle } => Some((handle, Kind::Looks)),
        VfsOp::Overwrite { handle, .. }
        | VfsOp::Write { handle, .. }
        | VfsOp::SetBasic { handle, .. }
        | VfsOp::SetSize { handle, .. }
        | VfsOp::SetAllocation { handle, .. }
        | VfsOp::Remove { handle, .. }
        | VfsOp::SetEas { handle, .. }
        | VfsOp::SetSecurity { handle, .. }
        | VfsOp::ZeroRange { handle, .. }
        | VfsOp::SetSparse { handle, .. }
        | VfsOp::SetCompression { handle, .. }
        | VfsOp::Trim { handle, .. }
        | VfsOp::SetObjectId { handle, .. }
        | VfsOp::SetReparse { handle, .. }
        | VfsOp::DeleteReparse { handle, .. } => Some((handle, Kind::Changes)),
        VfsOp::Rename { handle, .. } | VfsOp::Link { handle, .. } => Some((handle, Kind::Names)),
    }
}

/// An answer out of a snapshot as the server sees it: a file that has not changed since is on the
/// host often the same as the present one, but must have an identity of its own, because share modes
/// and locks hang on it.
#[must_use]
pub fn out_of_snapshot(mut reply: VfsReply, slot: SnapshotSlot, taken: FileTime) -> VfsReply {
    let past = |node: &mut NodeId| {
        // Some odd number for each snapshot; the upper bit is free in the numbers of file systems.
        let salt = (taken.0 / SECOND).wrapping_mul(0x9e37_79b9_7f4a_7c15) | (1 << 63);
        node.volume ^= salt;
        node.file ^= salt & !0xffff_ffff;
    };
    match &mut reply {
        VfsReply::Opened(opened) => {
            opened.handle = slot.tagged(opened.handle);
            past(&mut opened.info.node);
        }
        VfsReply::Missing(missing) => past(&mut missing.parent.node),
        VfsReply::Info(info) => past(&mut info.node),
        VfsReply::Listing(listing) => {
            for item in &mut listing.items {
                past(&mut item.info.node);
            }
        }
        VfsReply::Done
        | VfsReply::Data(_)
        | VfsReply::Written(_)
        | VfsReply::Streams(_)
        | VfsReply::Eas(_)
        | VfsReply::Security(_)
        | VfsReply::Volume(_)
        | VfsReply::Ranges(_)
        | VfsReply::ObjectId(_)
        | VfsReply::Quotas(_)
        | VfsReply::Reparse(_)
        | VfsReply::Snapshots(_) => {}
    }
    reply
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens() {
        let taken = moment(2023, 11, 21, 9, 5, 7).unwrap();
        assert_eq!(taken, FileTime::from_unix(1_700_557_507, 0));
        assert_eq!(snapshot_token(taken), "@GMT-2023.11.21-09.05.07");
        for bad in [
            "@GMT-2023.11.21-09.05.7",
            "@GMT-2023.11.21-09.05.07.1",
            "@GMT-2023.02.29-00.00.00",
            "@GMT-2023.13.01-00.00.00",
            "@GMT-2023.01.00-00.00.00",
            "@GMT-2023.01.01-24.00.00",
            "@GMT-+023.01.01-00.00.00",
            "@gmt-2023.01.01-00.00.00",
            "2023.01.01-00.00.00",
            "@GMT-",
        ] {
            assert_eq!(parse_snapshot_token(bad), None, "{bad}");
        }
        assert!(parse_snapshot_token("@GMT-2024.02.29-23.59.59").is_some());
    }

    proptest! {
        #[test]
        fn tokens_come_back(seconds in -11_644_473_600i64..253_402_300_800) {
            let taken = FileTime::from_unix(seconds, 0);
            prop_assert_eq!(parse_snapshot_token(&snapshot_token(taken)), Some(taken));
        }

        #[test]
        fn handles_come_back(inner in 1u64..1 << 48, slot in 1u16..) {
            let slot = SnapshotSlot(slot);
            let tagged = slot.tagged(VfsHandle(inner));
            prop_assert_eq!(SnapshotSlot::of(tagged), Some((slot, VfsHandle(inner))));
            prop_assert_eq!(SnapshotSlot::of(VfsHandle(inner)), None);
        }
    }

    #[test]
    fn the_past_is_not_changed() {
        let slot = SnapshotSlot(3);
        let (past, now) = (slot.tagged(VfsHandle(5)), VfsHandle(7));
        let size = |handle| VfsOp::SetSize { handle, size: 1 };
        assert_eq!(route(size(now)), Route::Present(size(now)));
        assert_eq!(route(size(past)), Route::Refused(slot, VfsError::ReadOnly));
        let link = VfsOp::Link {
            handle: past,
            to: super::super::SharePath::root(),
            replace: false,
        };
        assert_eq!(route(link), Route::Refused(slot, VfsError::OtherVolume));
        let (handle, inner) = (past, VfsHandle(5));
        let stat = VfsOp::Stat { handle: inner };
        assert_eq!(route(VfsOp::Stat { handle }), Route::Past(slot, stat));
        let copy = |from, to| VfsOp::CopyRange {
            from,
            from_offset: 1,
            to,
            to_offset: 2,
            len: 3,
        };
        assert_eq!(
            route(copy(now, past)),
            Route::Refused(slot, VfsError::ReadOnly)
        );
        assert_eq!(route(copy(now, now)), Route::Present(copy(now, now)));
        let out = Route::CopyOut {
            slot,
            from: inner,
            from_offset: 1,
            to: now,
            to_offset: 2,
            len: 3,
        };
        assert_eq!(route(copy(past, now)), out);
    }
}
