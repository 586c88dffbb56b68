//! The time of day, [MS-SRVS] 3.1.4.21.

use smb_proto::rpc::srvsvc::TimeOfDayInfo;

use super::super::ServerView;

/// NetrRemoteTOD, [MS-SRVS] 3.1.4.21.
pub(super) fn time_of_day(view: &ServerView) -> TimeOfDayInfo {
    let (unix, nanos) = view.now.to_unix();
    let days = unix.div_euclid(86_400);
    let second = u32::try_from(unix.rem_euclid(86_400)).unwrap_or(0);
    let (year, month, day) = civil(days);
    TimeOfDayInfo {
        elapsedt: u32::try_from(unix.max(0)).unwrap_or(u32::MAX),
        // Milliseconds of a counter that wraps.
        msecs: u32::try_from(view.uptime.as_millis() & u128::from(u32::MAX)).unwrap_or(0),
        hours: second / 3600,
        mins: second / 60 % 60,
        secs: second % 60,
        hunds: nanos / 10_000_000,
        timezone: 0,
        tinterval: 310,
        day,
        month,
        year,
        weekday: u32::try_from(days.saturating_add(4).rem_euclid(7)).unwrap_or(0),
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar. Works in years
/// that begin in March, so that the leap day is the last of a year, in cycles of 400 years.
fn civil(days: i64) -> (u32, u32, u32) {
    let days = days.clamp(-134_774, 10_000_000).saturating_add(719_468);
    let cycle = days.div_euclid(146_097);
    let of_cycle = days.rem_euclid(146_097);
    let year_of_cycle =
        (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_cycle + cycle * 400 + i64::from(month <= 2);
    let small = |n: i64| u32::try_from(n).unwrap_or(0);
    (small(year), small(month), small(day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::FileTime;

    #[test]
    fn calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_779, (2026, 11, 22)),
            (-134_774, (1601, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }

    #[test]
    fn time_of_day_of_a_known_moment() {
        let view = ServerView {
            now: FileTime::from_unix(1_795_353_566, 420_000_000),
            uptime: std::time::Duration::from_millis((1 << 32) + 5),
            ..super::super::super::tests::view()
        };
        let t = time_of_day(&view);
        assert_eq!((t.year, t.month, t.day), (2026, 11, 22));
        assert_eq!((t.hours, t.mins, t.secs, t.hunds), (13, 19, 26, 42));
        // A Sunday.
        assert_eq!(t.weekday, 0);
        assert_eq!((t.elapsedt, t.msecs), (1_795_353_566, 5));
    }
}
