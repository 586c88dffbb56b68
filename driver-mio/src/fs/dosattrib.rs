//! `user.DOSATTRIB`: attributes and creation time as Samba and ksmbd store them.
//!
//! The value is NDR, little-endian, aligned from its beginning: `attrib_hex` (ASCII with NUL; text
//! such as `0x20` from old writers, else empty), version (2 bytes), the same again as the selector
//! of a union, then aligned to 4:
//!
//! | version | fields |
//! |---|---|
//! | 1 | attrib 4, EA size 4, size 8, allocation 8, creation 8, change 8 |
//! | 3 | valid flags 4, then as version 1 |
//! | 4 | valid flags 4, attrib 4, itime 8, creation 8 (ksmbd writes this) |
//! | 5 | valid flags 4, attrib 4, creation 8 (Samba writes this) |

use smb_proto::FileTime;
use smb_proto::info::FileAttributes;

/// What the attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DosAttrib {
    /// Attributes, if it has them.
    pub(super) attributes: Option<FileAttributes>,
    /// Creation time, if it has one.
    pub(super) creation: Option<FileTime>,
}

const VALID_ATTRIB: u32 = 0x01;
const VALID_CREATE_TIME: u32 = 0x10;

struct Ndr<'a> {
    data: &'a [u8],
    at: usize,
}

impl Ndr<'_> {
    fn take<const N: usize>(&mut self, align: usize) -> Option<[u8; N]> {
        let start = self.at.checked_next_multiple_of(align)?;
        let value = self.data.get(start..)?.first_chunk::<N>()?;
        self.at = start.checked_add(N)?;
        Some(*value)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(u32::from_le_bytes)
    }

    /// `udlong` and `NTTIME`: 8 bytes aligned to 4.
    fn u64(&mut self) -> Option<u64> {
        self.take(4).map(u64::from_le_bytes)
    }
}

impl DosAttrib {
    /// Reads a value; what cannot be understood says nothing.
    pub(super) fn parse(data: &[u8]) -> Self {
        let text_len = data.iter().position(|&b| b == 0).unwrap_or(data.len());
        let text = data.get(..text_len).unwrap_or(&[]);
        let mut ndr = Ndr {
            data,
            at: text_len.saturating_add(1),
        };
        Self::parse_info(&mut ndr).unwrap_or_else(|| Self {
            attributes: hex(text).map(FileAttributes::from_bits_retain),
            creation: None,
        })
    }

    fn parse_info(ndr: &mut Ndr<'_>) -> Option<Self> {
        let version = ndr.u16()?;
        if ndr.u16()? != version {
            return None;
        }
        let valid = match version {
            1 => VALID_ATTRIB | VALID_CREATE_TIME,
            3..=5 => ndr.u32()?,
            _ => return None,
        };
        let attributes = FileAttributes::from_bits_retain(ndr.u32()?);
        match version {
            1 | 3 => {
                ndr.u32()?;
                ndr.u64()?;
                ndr.u64()?;
            }
            4 => {
                ndr.u64()?;
            }
            _ => {}
        }
        let creation = FileTime(ndr.u64()?);
        Some(Self {
            attributes: (valid & VALID_ATTRIB != 0).then_some(attributes),
            creation: (valid & VALID_CREATE_TIME != 0 && creation != FileTime::ZERO)
                .then_some(creation),
        })
    }

    /// The value in version 5.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut valid = 0;
        if self.attributes.is_some() {
            valid |= VALID_ATTRIB;
        }
        if self.creation.is_some() {
            valid |= VALID_CREATE_TIME;
        }
        let mut out = vec![0, 0, 5, 0, 5, 0, 0, 0];
        out.extend(u32::to_le_bytes(valid));
        out.extend(self.attributes.unwrap_or_default().bits().to_le_bytes());
        out.extend(self.creation.unwrap_or_default().0.to_le_bytes());
        out
    }
}

/// `0x20` as the oldest writers stored attributes.
fn hex(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What smbd 4.17.12 wrote for a file with READONLY, HIDDEN and ARCHIVE.
    const SAMBA: [u8; 24] = [
        0, 0, 5, 0, 5, 0, 0, 0, 0x11, 0, 0, 0, 0x23, 0, 0, 0, 0x10, 0x4d, 0xb3, 0x8d, 0xc7, 0x7a,
        0xdd, 0x01,
    ];

    #[test]
    fn reads_and_writes_what_samba_writes() {
        let seen = DosAttrib::parse(&SAMBA);
        assert_eq!(
            seen,
            DosAttrib {
                attributes: Some(FileAttributes::from_bits_retain(0x23)),
                creation: Some(FileTime(0x01dd_7ac7_8db3_4d10)),
            }
        );
        assert_eq!(seen.encode(), SAMBA);
    }

    #[test]
    fn reads_older_versions() {
        let time = 0x01dd_7ac7_8db3_4d10u64.to_le_bytes();
        let want = DosAttrib {
            attributes: Some(FileAttributes::HIDDEN),
            creation: Some(FileTime(u64::from_le_bytes(time))),
        };
        // Version 4, as ksmbd writes it.
        let mut v4 = vec![0, 0, 4, 0, 4, 0, 0, 0, 0x51, 0, 0, 0, 2, 0, 0, 0];
        v4.extend([9; 8]);
        v4.extend(time);
        assert_eq!(DosAttrib::parse(&v4), want);
        // Version 3 behind a text form.
        let mut v3 = b"0x2\0".to_vec();
        v3.extend([3, 0, 3, 0, 0x11, 0, 0, 0, 2, 0, 0, 0]);
        v3.extend([9; 20]);
        v3.extend(time);
        v3.extend([9; 8]);
        assert_eq!(DosAttrib::parse(&v3), want);
        // Version 1.
        let mut v1 = vec![0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        v1.extend([9; 20]);
        v1.extend(time);
        v1.extend([9; 8]);
        assert_eq!(DosAttrib::parse(&v1), want);
        // Text alone.
        for text in [&b"0x22"[..], b"0x22\0"] {
            assert_eq!(
                DosAttrib::parse(text),
                DosAttrib {
                    attributes: Some(FileAttributes::HIDDEN | FileAttributes::ARCHIVE),
                    creation: None
                }
            );
        }
    }

    #[test]
    fn flags_say_what_counts() {
        let mut value = SAMBA;
        value[8] = 1;
        assert_eq!(DosAttrib::parse(&value).creation, None);
        value[8] = 0x10;
        assert_eq!(DosAttrib::parse(&value).attributes, None);
        value[4] = 4;
        assert_eq!(DosAttrib::parse(&value), DosAttrib::default());
    }

    proptest! {
        #[test]
        fn garbage_says_nothing_wrong(data in prop::collection::vec(any::<u8>(), 0..80)) {
            DosAttrib::parse(&data);
        }

        #[test]
        fn round_trips(attributes: Option<u32>, creation in prop::option::of(1u64..)) {
            let value = DosAttrib {
                attributes: attributes.map(FileAttributes::from_bits_retain),
                creation: creation.map(FileTime),
            };
            let bytes = value.encode();
            prop_assert_eq!(DosAttrib::parse(&bytes), value);
            for n in 0..bytes.len() {
                prop_assert_eq!(DosAttrib::parse(&bytes[..n]), DosAttrib::default());
            }
        }
    }
}
