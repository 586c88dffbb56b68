//! Quotas of users on a volume: InfoType [`Quota`](super::InfoType::Quota).

use super::layout::read_len;
use crate::ParseError;
use crate::dtyp::{FileTime, Sid};
use crate::wire::{ChainWriter, Entries, Fields, Writer, len32, sub_slice};

/// Entries of answers begin at multiples of 8 bytes, [MS-FSCC] 2.4.40.
const ALIGN: usize = 8;
/// Entries of questions begin at multiples of 4 bytes, [MS-FSCC] 2.4.40.1.
const GET_ALIGN: usize = 4;
/// More entries than fit in the largest message.
const MAX_ENTRIES: usize = 1 << 18;

/// One entry of FileQuotaInformation, [MS-FSCC] 2.4.40. Query and set.
///
/// On the wire: NextEntryOffset, SidLength (4 bytes each), ChangeTime, QuotaUsed, QuotaThreshold,
/// QuotaLimit (8 bytes each), Sid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileQuotaInformation {
    /// When the entry was last changed.
    pub change_time: FileTime,
    /// Bytes in use.
    pub quota_used: i64,
    /// Bytes from which on the user is warned; −1 for none.
    pub quota_threshold: i64,
    /// Bytes that the user can have; −1 for any number, −2 in a set request removes the entry.
    pub quota_limit: i64,
    /// The user.
    pub sid: Sid,
}

impl FileQuotaInformation {
    /// Bytes of an entry before the SID.
    pub const FIXED_LEN: usize = 40;

    /// Bytes on the wire, without padding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Self::FIXED_LEN.saturating_add(self.sid.encoded_len())
    }

    /// Reads a list; an empty input is an empty list.
    ///
    /// # Errors
    ///
    /// A chain that is misaligned or leads outside, an entry that is cut short, a malformed SID.
    pub fn parse_list(input: &[u8]) -> Result<Vec<Self>, ParseError> {
        const WHAT: &str = "FILE_QUOTA_INFORMATION";
        Entries::new(input, ALIGN, MAX_ENTRIES, WHAT)
            .map(|entry| {
                let mut f = Fields::new(entry?, WHAT);
                f.skip(4)?;
                let sid_len = read_len(&mut f)?;
                Ok(Self {
                    change_time: f.filetime()?,
                    quota_used: f.i64()?,
                    quota_threshold: f.i64()?,
                    quota_limit: f.i64()?,
                    sid: Sid::parse(f.bytes(sid_len)?)?,
                })
            })
            .collect()
    }

    /// Appends it as the next entry of `chain`, which must align to 8 bytes.
    pub fn encode_entry(&self, w: &mut Writer, chain: &mut ChainWriter) {
        chain.begin(w);
        w.u32(0);
        w.u32(len32(self.sid.encoded_len()));
        w.filetime(self.change_time);
        w.i64(self.quota_used);
        w.i64(self.quota_threshold);
        w.i64(self.quota_limit);
        self.sid.encode(w);
    }

    /// Appends a list.
    pub fn encode_list(list: &[Self], w: &mut Writer) {
        let mut chain = ChainWriter::new(ALIGN);
        for entry in list {
            entry.encode_entry(w, &mut chain);
        }
    }
}

/// Whose quotas a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum QuotaSids {
    /// Everybody's.
    All,
    /// Everybody's, beginning with this one.
    From(Sid),
    /// Those of the users in a list of FILE_GET_QUOTA_INFORMATION, [MS-FSCC] 2.4.40.1.
    List(Vec<Sid>),
}

/// SMB2_QUERY_QUOTA_INFO, [MS-SMB2] 2.2.37.1: the input of a QUERY_INFO for quotas.
///
/// On the wire: ReturnSingle, RestartScan (1 byte each), Reserved (2), SidListLength,
/// StartSidLength, StartSidOffset (4 each; the offset counts from SidBuffer), SidBuffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct QueryQuotaInfo {
    /// At most one entry is wanted.
    pub return_single: bool,
    /// Begin again rather than go on where the last query on this open stopped.
    pub restart_scan: bool,
    /// Whose quotas. If both a list and a SID to begin with were sent, this is the list.
    pub sids: QuotaSids,
}

impl QueryQuotaInfo {
    /// Bytes before SidBuffer.
    pub const FIXED_LEN: usize = 16;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// `input` is too short, a length or offset leads outside, a SID or the list is malformed.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "SMB2_QUERY_QUOTA_INFO";
        let mut f = Fields::new(input, WHAT);
        let return_single = f.u8()? != 0;
        let restart_scan = f.u8()? != 0;
        f.skip(2)?;
        let list_len = read_len(&mut f)?;
        let start_len = read_len(&mut f)?;
        let start_offset = read_len(&mut f)?;
        let buffer = f.rest();
        let sids = if list_len != 0 {
            QuotaSids::List(parse_get_list(sub_slice(buffer, 0, list_len, 0, WHAT)?)?)
        } else if start_len != 0 {
            QuotaSids::From(Sid::parse(sub_slice(
                buffer,
                start_offset,
                start_len,
                0,
                WHAT,
            )?)?)
        } else {
            QuotaSids::All
        };
        Ok(Self {
            return_single,
            restart_scan,
            sids,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        let mut buffer = Writer::new();
        let (list_len, start_len) = match &self.sids {
            QuotaSids::All => (0, 0),
            QuotaSids::From(sid) => {
                sid.encode(&mut buffer);
                (0, buffer.position())
            }
            QuotaSids::List(list) => {
                encode_get_list(list, &mut buffer);
                (buffer.position(), 0)
            }
        };
        w.u8(u8::from(self.return_single));
        w.u8(u8::from(self.restart_scan));
        w.u16(0);
        w.u32(len32(list_len));
        w.u32(len32(start_len));
        w.u32(0);
        w.bytes(buffer.written());
    }
}

/// A list of FILE_GET_QUOTA_INFORMATION, [MS-FSCC] 2.4.40.1: NextEntryOffset, SidLength (4 bytes
/// each), Sid.
fn parse_get_list(input: &[u8]) -> Result<Vec<Sid>, ParseError> {
    const WHAT: &str = "FILE_GET_QUOTA_INFORMATION";
    Entries::new(input, GET_ALIGN, MAX_ENTRIES, WHAT)
        .map(|entry| {
            let mut f = Fields::new(entry?, WHAT);
            f.skip(4)?;
            let len = read_len(&mut f)?;
            Sid::parse(f.bytes(len)?)
        })
        .collect()
}

fn encode_get_list(list: &[Sid], w: &mut Writer) {
    let mut chain = ChainWriter::new(GET_ALIGN);
    for sid in list {
        chain.begin(w);
        w.u32(0);
        w.u32(len32(sid.encoded_len()));
        sid.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::layout::testing::{bytes_of, survives_cuts};

    fn sids() -> Vec<Sid> {
        vec![
            "S-1-5-21-1-2-3-1000".parse().unwrap(),
            Sid::BUILTIN_USERS,
            Sid::WORLD,
        ]
    }

    #[test]
    fn entries_round_trip() {
        let list: Vec<_> = sids()
            .into_iter()
            .map(|sid| FileQuotaInformation {
                change_time: FileTime(7),
                quota_used: 4096,
                quota_threshold: -1,
                quota_limit: -2,
                sid,
            })
            .collect();
        let out = bytes_of(|w| FileQuotaInformation::encode_list(&list, w));
        // 40 + 28 bytes, padded to a multiple of 8.
        assert_eq!(out[..8], [72, 0, 0, 0, 28, 0, 0, 0]);
        assert_eq!(FileQuotaInformation::parse_list(&out), Ok(list));
        survives_cuts(&out, FileQuotaInformation::parse_list);
        assert_eq!(FileQuotaInformation::parse_list(&[]), Ok(vec![]));
    }

    #[test]
    fn questions_round_trip() {
        for sids in [
            QuotaSids::All,
            QuotaSids::From(Sid::WORLD),
            QuotaSids::List(sids()),
        ] {
            let query = QueryQuotaInfo {
                return_single: false,
                restart_scan: true,
                sids,
            };
            let out = bytes_of(|w| query.encode(w));
            assert_eq!(QueryQuotaInfo::parse(&out).as_ref(), Ok(&query));
            for cut in 0..out.len() {
                assert!(QueryQuotaInfo::parse(&out[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn a_list_goes_before_a_start_and_offsets_stay_inside() {
        let list = bytes_of(|w| encode_get_list(&[Sid::WORLD], w));
        let mut query = vec![1, 0, 0, 0, 20, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0];
        query.extend_from_slice(&list);
        assert_eq!(
            QueryQuotaInfo::parse(&query).map(|q| q.sids),
            Ok(QuotaSids::List(vec![Sid::WORLD]))
        );
        // Without the list, the offset finds the SID inside the same buffer.
        query[4] = 0;
        assert_eq!(
            QueryQuotaInfo::parse(&query).map(|q| q.sids),
            Ok(QuotaSids::From(Sid::WORLD))
        );
        query[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(
            QueryQuotaInfo::parse(&query),
            Err(ParseError::OutOfBounds("SMB2_QUERY_QUOTA_INFO"))
        );
    }
}
