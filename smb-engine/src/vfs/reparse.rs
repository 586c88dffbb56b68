//! Reparse points as a backend keeps them.

use bytes::Bytes;
use smb_proto::dtyp::Guid;
use smb_proto::fsctl::reparse::{ReparseTag, SymbolicLink, SymlinkFlags};

use super::op::VfsError;

/// REPARSE_DATA_BUFFER, [MS-FSCC] 2.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reparse {
    /// ReparseTag.
    pub tag: u32,
    /// DataBuffer (for GUID tags beginning with the GUID).
    pub data: Bytes,
}

impl Reparse {
    /// The owner of a tag that is not Microsoft's ([MS-FSCC] 2.1.2.3).
    #[must_use]
    pub fn guid(&self) -> Option<Guid> {
        if ReparseTag(self.tag).is_microsoft() {
            return None;
        }
        let (guid, _) = self.data.split_first_chunk::<16>()?;
        Some(Guid::from_bytes(*guid))
    }

    /// Whether a point of this kind may be replaced by one with `tag` and `guid`, or removed by who
    /// names them.
    ///
    /// # Errors
    /// [`VfsError::ReparseTagMismatch`], [`VfsError::ReparseConflict`]
    pub fn check_owner(&self, tag: u32, guid: Option<Guid>) -> Result<(), VfsError> {
        if self.tag != tag {
            Err(VfsError::ReparseTagMismatch)
        } else if self.guid() != guid {
            Err(VfsError::ReparseConflict)
        } else {
            Ok(())
        }
    }

    /// The end of a walk that came to this point with `unparsed` UTF-16 units of the name left
    /// (separators included), if it is a symbolic link.
    ///
    /// # Errors
    /// [`VfsError::StoppedOnSymlink`]; [`VfsError::Invalid`] if its data are not those of a link.
    pub fn stop(&self, unparsed: usize) -> Result<(), VfsError> {
        if ReparseTag(self.tag) != ReparseTag::SYMLINK {
            return Ok(());
        }
        let link = SymbolicLink::parse(&self.data).map_err(|_| VfsError::Invalid)?;
        Err(VfsError::StoppedOnSymlink {
            unparsed: u16::try_from(unparsed).unwrap_or(u16::MAX),
            target: link.substitute_name,
            relative: link.flags.contains(SymlinkFlags::RELATIVE),
        })
    }
}

impl VfsError {
    /// The same for a name that goes on with `rest` (a stream or a last component) and a separator
    /// before it: what is left unparsed behind a link has it at its end.
    #[must_use]
    pub fn followed_by(self, rest: Option<&str>) -> Self {
        match (self, rest) {
            (
                Self::StoppedOnSymlink {
                    unparsed,
                    target,
                    relative,
                },
                Some(rest),
            ) => {
                let more = rest.encode_utf16().count().saturating_add(1);
                let more = u16::try_from(more).unwrap_or(u16::MAX);
                Self::StoppedOnSymlink {
                    unparsed: unparsed.saturating_add(more),
                    target,
                    relative,
                }
            }
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use smb_proto::fsctl::reparse::ReparsePoint;

    use super::*;

    fn link(target: &str, flags: SymlinkFlags) -> Reparse {
        let buffer = ReparsePoint::SymbolicLink(SymbolicLink {
            substitute_name: target.to_owned(),
            print_name: "print".to_owned(),
            flags,
        })
        .to_buffer();
        Reparse {
            tag: buffer.tag.0,
            data: buffer.data,
        }
    }

    #[test]
    fn links_stop_a_walk_and_others_do_not() {
        let stopped = |target: &str, relative| {
            Err(VfsError::StoppedOnSymlink {
                unparsed: 7,
                target: target.to_owned(),
                relative,
            })
        };
        let relative = link("..\\x", SymlinkFlags::RELATIVE);
        assert_eq!(relative.stop(7), stopped("..\\x", true));
        let absolute = link("\\??\\C:\\x", SymlinkFlags::empty());
        assert_eq!(absolute.stop(7), stopped("\\??\\C:\\x", false));
        let mut broken = relative.clone();
        broken.data.truncate(13);
        assert_eq!(broken.stop(7), Err(VfsError::Invalid));
        for tag in [ReparseTag::NFS, ReparseTag::MOUNT_POINT, ReparseTag(2)] {
            let point = Reparse {
                tag: tag.0,
                ..broken.clone()
            };
            assert_eq!(point.stop(7), Ok(()));
        }
        let before = relative.stop(7).unwrap_err().followed_by(Some("st"));
        assert!(matches!(
            before,
            VfsError::StoppedOnSymlink { unparsed: 10, .. }
        ));
        let far = relative.stop(usize::MAX).unwrap_err();
        assert!(matches!(
            far,
            VfsError::StoppedOnSymlink {
                unparsed: u16::MAX,
                ..
            }
        ));
    }

    #[test]
    fn owners() {
        let foreign = |guid: u8| Reparse {
            tag: 0x0000_1234,
            data: Bytes::copy_from_slice(&[guid; 20]),
        };
        let guid = |byte| Some(Guid::from_bytes([byte; 16]));
        let point = foreign(3);
        assert_eq!(point.guid(), guid(3));
        assert_eq!(point.check_owner(0x1234, guid(3)), Ok(()));
        for other in [guid(4), None] {
            let refused = point.check_owner(0x1234, other);
            assert_eq!(refused, Err(VfsError::ReparseConflict));
        }
        let refused = point.check_owner(0x1235, guid(3));
        assert_eq!(refused, Err(VfsError::ReparseTagMismatch));
        // The data of Microsoft's tags are data.
        let own = link("some target that is long", SymlinkFlags::RELATIVE);
        assert_eq!(own.guid(), None);
        assert_eq!(own.check_owner(own.tag, None), Ok(()));
    }
}
