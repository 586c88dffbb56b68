//! Special files of NFS, [MS-FSCC] 2.1.2.6.

use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16};

const LNK: u64 = 0x0000_0000_014b_4e4c;
const CHR: u64 = 0x0000_0000_0052_4843;
const BLK: u64 = 0x0000_0000_004b_4c42;
const FIFO: u64 = 0x0000_0000_4f46_4946;
const SOCK: u64 = 0x0000_0000_4b43_4f53;

/// Data of IO_REPARSE_TAG_NFS, [MS-FSCC] 2.1.2.6.
///
/// Layout: Type (8), DataBuffer: the target in UTF-16LE, or major and minor (4 each), or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum NfsSpecialFile {
    /// NFS_SPECFILE_LNK with its target, `/` between its parts.
    Symlink(String),
    /// NFS_SPECFILE_CHR.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// NFS_SPECFILE_BLK.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// NFS_SPECFILE_FIFO.
    Fifo,
    /// NFS_SPECFILE_SOCK.
    Socket,
}

impl NfsSpecialFile {
    const WHAT: &'static str = "Network File System Reparse Data Buffer";

    /// Reads the data of the reparse point.
    ///
    /// # Errors
    ///
    /// [`ParseError::BadValue`] for another type, and [`ParseError::BadStructure`] for data behind
    /// what the type has.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, Self::WHAT);
        let kind = match f.u64()? {
            LNK => return decode_utf16(f.rest(), Self::WHAT).map(Self::Symlink),
            CHR => Self::CharDevice {
                major: f.u32()?,
                minor: f.u32()?,
            },
            BLK => Self::BlockDevice {
                major: f.u32()?,
                minor: f.u32()?,
            },
            FIFO => Self::Fifo,
            SOCK => Self::Socket,
            _ => return Err(ParseError::BadValue(Self::WHAT)),
        };
        if f.rest().is_empty() {
            Ok(kind)
        } else {
            Err(ParseError::BadStructure(Self::WHAT))
        }
    }

    /// Writes the data of the reparse point.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Symlink(target) => {
                w.u64(LNK);
                w.utf16(target);
            }
            Self::CharDevice { major, minor } => {
                w.u64(CHR);
                w.u32(*major);
                w.u32(*minor);
            }
            Self::BlockDevice { major, minor } => {
                w.u64(BLK);
                w.u32(*major);
                w.u32(*minor);
            }
            Self::Fifo => w.u64(FIFO),
            Self::Socket => w.u64(SOCK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{round_trip, round_trip_fixed, written};

    #[test]
    fn round_trips() {
        for value in [
            NfsSpecialFile::CharDevice { major: 5, minor: 1 },
            NfsSpecialFile::BlockDevice { major: 8, minor: 2 },
            NfsSpecialFile::Fifo,
            NfsSpecialFile::Socket,
        ] {
            round_trip_fixed(&value, |v, w| v.encode(w), |b| NfsSpecialFile::parse(b));
            let mut long = written(|w| value.encode(w)).to_vec();
            long.push(0);
            assert!(matches!(
                NfsSpecialFile::parse(&long),
                Err(ParseError::BadStructure(_))
            ));
        }
        let link = NfsSpecialFile::Symlink("../ü".to_owned());
        let bytes = round_trip(&link, |v, w| v.encode(w), |b| NfsSpecialFile::parse(b));
        assert_eq!(bytes[..4], *b"LNK\x01");
        assert!(NfsSpecialFile::parse(&bytes[..9]).is_err());
        assert!(matches!(
            NfsSpecialFile::parse(&[1; 8]),
            Err(ParseError::BadValue(_))
        ));
    }

    #[test]
    fn types_spell_their_names() {
        for (value, name) in [
            (
                NfsSpecialFile::CharDevice { major: 0, minor: 0 },
                &b"CHR"[..],
            ),
            (NfsSpecialFile::BlockDevice { major: 0, minor: 0 }, b"BLK"),
            (NfsSpecialFile::Fifo, b"FIFO"),
            (NfsSpecialFile::Socket, b"SOCK"),
        ] {
            assert!(written(|w| value.encode(w)).starts_with(name));
        }
    }
}
