//! Symbolic links and mount points, [MS-FSCC] 2.1.2.4 and 2.1.2.5.

use bitflags::bitflags;

use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16, len16, sub_slice, utf16_len};

bitflags! {
    /// Flags of a symbolic link. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SymlinkFlags: u32 {
        /// SYMLINK_FLAG_RELATIVE: the target counts from the directory that the link is in.
        const RELATIVE = 0x0000_0001;
        const _ = !0;
    }
}

/// The four fields that both kinds begin with: offset and length of the two names, counted in bytes
/// from the start of PathBuffer.
struct Names {
    substitute: (usize, usize),
    print: (usize, usize),
}

impl Names {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        let mut next = || f.u16().map(usize::from);
        Ok(Self {
            substitute: (next()?, next()?),
            print: (next()?, next()?),
        })
    }

    /// Both names out of PathBuffer.
    fn resolve(&self, paths: &[u8], what: &'static str) -> Result<(String, String), ParseError> {
        let text = |(offset, len)| decode_utf16(sub_slice(paths, offset, len, 0, what)?, what);
        Ok((text(self.substitute)?, text(self.print)?))
    }
}

/// Data of IO_REPARSE_TAG_SYMLINK, [MS-FSCC] 2.1.2.4.
///
/// Layout: SubstituteNameOffset (2), SubstituteNameLength (2), PrintNameOffset (2), PrintNameLength
/// (2), Flags (4), PathBuffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SymbolicLink {
    /// The target, with `\` between its parts.
    pub substitute_name: String,
    /// The target as a user should see it.
    pub print_name: String,
    /// Whether the target is relative.
    pub flags: SymlinkFlags,
}

impl SymbolicLink {
    const WHAT: &'static str = "Symbolic Link Reparse Data Buffer";

    /// Reads the data of the reparse point.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, Self::WHAT);
        let names = Names::read(&mut f)?;
        let flags = SymlinkFlags::from_bits_retain(f.u32()?);
        let (substitute_name, print_name) = names.resolve(f.rest(), Self::WHAT)?;
        Ok(Self {
            substitute_name,
            print_name,
            flags,
        })
    }

    /// Writes the data of the reparse point.
    pub fn encode(&self, w: &mut Writer) {
        let substitute = utf16_len(&self.substitute_name);
        w.u16(0);
        w.u16(len16(substitute));
        w.u16(len16(substitute));
        w.u16(len16(utf16_len(&self.print_name)));
        w.u32(self.flags.bits());
        w.utf16(&self.substitute_name);
        w.utf16(&self.print_name);
    }
}

/// Data of IO_REPARSE_TAG_MOUNT_POINT, [MS-FSCC] 2.1.2.5.
///
/// Layout: as [`SymbolicLink`] without Flags.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MountPoint {
    /// The target, an absolute path beginning with `\??\`.
    pub substitute_name: String,
    /// The target as a user should see it.
    pub print_name: String,
}

impl MountPoint {
    const WHAT: &'static str = "Mount Point Reparse Data Buffer";

    /// Reads the data of the reparse point.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, Self::WHAT);
        let names = Names::read(&mut f)?;
        let (substitute_name, print_name) = names.resolve(f.rest(), Self::WHAT)?;
        Ok(Self {
            substitute_name,
            print_name,
        })
    }

    /// Writes the data of the reparse point. Both names get a terminating zero that their lengths
    /// do not count: Windows takes no junction without them.
    pub fn encode(&self, w: &mut Writer) {
        let substitute = utf16_len(&self.substitute_name);
        w.u16(0);
        w.u16(len16(substitute));
        w.u16(len16(substitute.saturating_add(2)));
        w.u16(len16(utf16_len(&self.print_name)));
        w.utf16(&self.substitute_name);
        w.u16(0);
        w.utf16(&self.print_name);
        w.u16(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn the_names_may_come_in_any_order_and_overlap() {
        // print name first, as mklink writes it
        let link =
            SymbolicLink::parse(&hex("0200 0400 0000 0200 01000000 6100 6200 6300")).unwrap();
        assert_eq!(
            (link.print_name.as_str(), link.substitute_name.as_str()),
            ("a", "bc")
        );
        assert_eq!(link.flags, SymlinkFlags::RELATIVE);
        let same = SymbolicLink::parse(&hex("0000 0200 0000 0200 00000000 6100")).unwrap();
        assert_eq!(same.print_name, same.substitute_name);
    }

    #[test]
    fn names_stay_inside_the_path_buffer() {
        for bad in [
            "0200 0200 0000 0200 00000000 6100",
            "0000 0200 0000 0400 00000000 6100",
        ] {
            assert!(matches!(
                SymbolicLink::parse(&hex(bad)),
                Err(ParseError::OutOfBounds(_))
            ));
        }
        assert!(matches!(
            MountPoint::parse(&hex("0000 0300 0000 0000 6100 6200")),
            Err(ParseError::BadString(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(substitute_name: String, print_name in ".{1,20}", flags: u32) {
            let link = SymbolicLink {
                substitute_name: substitute_name.clone(),
                print_name: print_name.clone(),
                flags: SymlinkFlags::from_bits_retain(flags),
            };
            round_trip_fixed(&link, |v, w| v.encode(w), |b| SymbolicLink::parse(b));
            let point = MountPoint { substitute_name, print_name };
            let bytes = round_trip(&point, |v, w| v.encode(w), |b| MountPoint::parse(b));
            prop_assert!(bytes.ends_with(&[0, 0]));
        }
    }
}
