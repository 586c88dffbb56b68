//! How values appear through `serde` (feature `serde`): readable, since it is meant for listings and
//! comparisons. Bytes are hexadecimal strings, ids and statuses strings as they are printed
//! elsewhere, times ISO 8601, flags names with bars between them.

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::id::{AsyncId, FileId, LeaseKey, MessageId, SessionId, TreeId};
use crate::{Command, Dialect, FileTime, Guid, NtStatus};

/// A field that is shown in another way than `serde` would.
pub(crate) trait Show {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error>;
}

/// For `serialize_with`.
pub(crate) fn show<T: Show, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    value.show(s)
}

fn hex<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
    struct Hex<'a>(&'a [u8]);

    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
        }
    }

    s.collect_str(&Hex(bytes))
}

impl Show for Bytes {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        hex(self, s)
    }
}

impl Show for Vec<u8> {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        hex(self, s)
    }
}

impl<const N: usize> Show for [u8; N] {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        hex(self, s)
    }
}

impl Show for u128 {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{self:#x}"))
    }
}

impl<T: Show> Show for Option<T> {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.show(s),
            None => s.serialize_none(),
        }
    }
}

impl Show for Vec<Bytes> {
    fn show<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        struct Item<'a>(&'a Bytes);

        impl Serialize for Item<'_> {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                self.0.show(s)
            }
        }

        s.collect_seq(self.iter().map(Item))
    }
}

macro_rules! displayed {
    ($($t:ty),* $(,)?) => {$(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    )*};
}

displayed!(
    AsyncId,
    Command,
    Dialect,
    FileId,
    Guid,
    MessageId,
    NtStatus,
    SessionId,
    TreeId,
    crate::dtyp::Sid,
    crate::fsctl::FsctlCode,
);

impl Serialize for LeaseKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        hex(&self.0, s)
    }
}

impl Serialize for crate::fsctl::reparse::ReparseTag {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{self:?}"))
    }
}

impl Serialize for crate::spnego::MechanismList {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.mechanisms().serialize(s)
    }
}

impl Serialize for FileTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        /// The last instant of the year 9999; beyond are "never" and the marks −1 and −2.
        const LAST: u64 = 2_650_467_743_999_999_999;
        match self.0 {
            0 => s.serialize_str("0"),
            1..=LAST => {
                let (seconds, nanos) = self.to_unix();
                let (date, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
                let (year, month, day) = civil(date);
                let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
                let ticks = nanos / 100;
                s.collect_str(&format_args!(
                    "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z"
                ))
            }
            other => s.collect_str(&format_args!("{other:#x}")),
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01, by the proleptic Gregorian calendar. Years
/// are counted from March, so that the day that may be missing is the last.
fn civil(day: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    let day = day.saturating_add(719_468);
    let era = day.div_euclid(DAYS_OF_400_YEARS);
    let day = day.rem_euclid(DAYS_OF_400_YEARS);
    // Take away a day for each four years, put one back for each hundred, take one for 400.
    let leap = day
        .saturating_sub(day / 1460)
        .saturating_add(day / 36_524)
        .saturating_sub(day / 146_096);
    let year = leap / 365;
    let of_year = day
        .saturating_sub(year.saturating_mul(365))
        .saturating_sub(year / 4)
        .saturating_add(year / 100);
    let month = of_year.saturating_mul(5).saturating_add(2) / 153;
    let first = month.saturating_mul(153).saturating_add(2) / 5;
    let day = of_year.saturating_sub(first).saturating_add(1);
    let (month, next) = if month < 10 {
        (month.saturating_add(3), 0)
    } else {
        (month.saturating_sub(9), 1)
    };
    let year = era.saturating_mul(400).saturating_add(year);
    (year.saturating_add(next), month, day)
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::Header;
    use crate::header::HeaderFlags;
    use crate::info::file::FileBasicInformation;
    use crate::msg::write;

    #[test]
    fn days() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (-134_774, (1601, 1, 1)),
            (19_782, (2024, 2, 29)),
        ] {
            assert_eq!(civil(day), date);
        }
    }

    #[test]
    fn readable() {
        let mut header = Header::request(Command::Create, MessageId(5));
        header.flags = HeaderFlags::SIGNED | HeaderFlags::from_bits_retain(0x80);
        header.status = NtStatus::ACCESS_DENIED;
        let value = to_value(header).unwrap();
        assert_eq!(value["message_id"], json!("0x5"));
        assert_eq!(value["flags"], json!("SIGNED | 0x80"));
        assert_eq!(value["status"], json!("STATUS_ACCESS_DENIED"));
        assert_eq!(value["signature"], json!("00".repeat(16)));
        let basic = FileBasicInformation {
            creation_time: FileTime::from_unix(1_709_210_096, 789_000_000),
            last_write_time: FileTime(u64::MAX),
            ..FileBasicInformation::default()
        };
        let value = to_value(basic).unwrap();
        assert_eq!(
            value["creation_time"],
            json!("2024-02-29T12:34:56.7890000Z")
        );
        assert_eq!(value["last_access_time"], json!("0"));
        assert_eq!(value["last_write_time"], json!("0xffffffffffffffff"));
        let request = write::Request {
            offset: 1,
            file_id: FileId {
                persistent: 2,
                volatile: 3,
            },
            channel: crate::msg::Channel(0),
            remaining_bytes: 0,
            channel_info: Bytes::new(),
            flags: write::WriteFlags::empty(),
            data: Bytes::from_static(b"\x01\xff"),
        };
        let value = to_value(request).unwrap();
        assert_eq!(value["data"], json!("01ff"));
        assert_eq!(value["file_id"], json!("0x2:0x3"));
    }
}
