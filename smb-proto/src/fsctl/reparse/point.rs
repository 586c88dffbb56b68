//! Reparse points whose data is understood.

use bytes::Bytes;

use super::{MountPoint, NfsSpecialFile, ReparseDataBuffer, ReparseTag, SymbolicLink};
use crate::ParseError;
use crate::wire::{Fields, Writer, slice_of};

/// Version in the data of a symbolic link of the Windows Subsystem for Linux.
const LX_SYMLINK_VERSION: u32 = 2;

/// The meaning of a [`ReparseDataBuffer`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ReparsePoint {
    /// IO_REPARSE_TAG_SYMLINK.
    SymbolicLink(SymbolicLink),
    /// IO_REPARSE_TAG_MOUNT_POINT.
    MountPoint(MountPoint),
    /// IO_REPARSE_TAG_NFS.
    Nfs(NfsSpecialFile),
    /// IO_REPARSE_TAG_LX_SYMLINK, with the target in UTF-8, `/` between its parts. Layout: Version
    /// (4, value 2), Target.
    LxSymlink(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] Bytes),
    /// IO_REPARSE_TAG_AF_UNIX, without data.
    AfUnix,
    /// IO_REPARSE_TAG_LX_FIFO, without data.
    LxFifo,
    /// IO_REPARSE_TAG_LX_CHR, without data: the device numbers are in the EA `$LXDEV`.
    LxChr,
    /// IO_REPARSE_TAG_LX_BLK, without data: the device numbers are in the EA `$LXDEV`.
    LxBlk,
}

impl ReparsePoint {
    /// Reads the data of a buffer by its tag; `None` for a tag that is not known.
    ///
    /// # Errors
    ///
    /// Those of the kind; [`ParseError::BadStructure`] for data where the kind has none.
    pub fn parse(buffer: &ReparseDataBuffer) -> Result<Option<Self>, ParseError> {
        let data = &buffer.data;
        let empty = |value: Self| {
            if data.is_empty() {
                Ok(value)
            } else {
                Err(ParseError::BadStructure("reparse point without data"))
            }
        };
        Ok(Some(match buffer.tag {
            ReparseTag::SYMLINK => Self::SymbolicLink(SymbolicLink::parse(data)?),
            ReparseTag::MOUNT_POINT => Self::MountPoint(MountPoint::parse(data)?),
            ReparseTag::NFS => Self::Nfs(NfsSpecialFile::parse(data)?),
            ReparseTag::LX_SYMLINK => {
                let what = "LX symlink reparse data";
                let mut f = Fields::new(data, what);
                if f.u32()? != LX_SYMLINK_VERSION {
                    return Err(ParseError::BadStructure(what));
                }
                let target = slice_of(data, f.position(), f.rest().len(), 0, what)?;
                Self::LxSymlink(target)
            }
            ReparseTag::AF_UNIX => empty(Self::AfUnix)?,
            ReparseTag::LX_FIFO => empty(Self::LxFifo)?,
            ReparseTag::LX_CHR => empty(Self::LxChr)?,
            ReparseTag::LX_BLK => empty(Self::LxBlk)?,
            _ => return Ok(None),
        }))
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> ReparseTag {
        match self {
            Self::SymbolicLink(_) => ReparseTag::SYMLINK,
            Self::MountPoint(_) => ReparseTag::MOUNT_POINT,
            Self::Nfs(_) => ReparseTag::NFS,
            Self::LxSymlink(_) => ReparseTag::LX_SYMLINK,
            Self::AfUnix => ReparseTag::AF_UNIX,
            Self::LxFifo => ReparseTag::LX_FIFO,
            Self::LxChr => ReparseTag::LX_CHR,
            Self::LxBlk => ReparseTag::LX_BLK,
        }
    }

    /// As a buffer.
    #[must_use]
    pub fn to_buffer(&self) -> ReparseDataBuffer {
        let mut w = Writer::new();
        match self {
            Self::SymbolicLink(link) => link.encode(&mut w),
            Self::MountPoint(point) => point.encode(&mut w),
            Self::Nfs(file) => file.encode(&mut w),
            Self::LxSymlink(target) => {
                w.u32(LX_SYMLINK_VERSION);
                w.bytes(target);
            }
            Self::AfUnix | Self::LxFifo | Self::LxChr | Self::LxBlk => {}
        }
        ReparseDataBuffer {
            tag: self.tag(),
            guid: None,
            data: w.into_inner().freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SymlinkFlags;
    use super::*;

    #[test]
    fn every_kind_leads_back_to_itself() {
        for point in [
            ReparsePoint::SymbolicLink(SymbolicLink {
                substitute_name: "a\\b".to_owned(),
                print_name: "a\\b".to_owned(),
                flags: SymlinkFlags::RELATIVE,
            }),
            ReparsePoint::MountPoint(MountPoint {
                substitute_name: "\\??\\C:\\x".to_owned(),
                print_name: "C:\\x".to_owned(),
            }),
            ReparsePoint::Nfs(NfsSpecialFile::Fifo),
            ReparsePoint::LxSymlink(Bytes::from_static(b"/etc/\xff")),
            ReparsePoint::AfUnix,
            ReparsePoint::LxFifo,
            ReparsePoint::LxChr,
            ReparsePoint::LxBlk,
        ] {
            let buffer = point.to_buffer();
            assert_eq!(buffer.tag, point.tag());
            assert_eq!(ReparsePoint::parse(&buffer), Ok(Some(point)));
        }
    }

    #[test]
    fn refusals() {
        let buffer = |tag, data: &'static [u8]| ReparseDataBuffer {
            tag,
            guid: None,
            data: Bytes::from_static(data),
        };
        assert_eq!(
            ReparsePoint::parse(&buffer(ReparseTag::DFS, b"x")),
            Ok(None)
        );
        for (tag, data) in [
            (ReparseTag::LX_FIFO, &b"x"[..]),
            (ReparseTag::LX_SYMLINK, b"\x01\0\0\0a"),
        ] {
            assert!(matches!(
                ReparsePoint::parse(&buffer(tag, data)),
                Err(ParseError::BadStructure(_))
            ));
        }
        assert!(ReparsePoint::parse(&buffer(ReparseTag::LX_SYMLINK, b"\x02\0\0")).is_err());
    }
}
