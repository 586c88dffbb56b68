//! FILE_NOTIFY_INFORMATION, [MS-FSCC] 2.7.1: the changes that a CHANGE_NOTIFY response reports.

use crate::ParseError;
use crate::wire::{ChainWriter, Entries, Fields, Writer, decode_utf16, len32, utf16_len};

/// Most entries that [`parse`] takes from one buffer. An entry has at least 12 bytes, and the
/// largest buffer a client can ask for is 8 MiB; no server reports this many at once.
pub const ENTRIES_MAX: usize = 65_536;

/// Action of a [`Change`], [MS-FSCC] 2.7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Action(pub u32);

impl Action {
    /// FILE_ACTION_ADDED: the file was created.
    pub const ADDED: Self = Self(1);
    /// FILE_ACTION_REMOVED: the file was deleted.
    pub const REMOVED: Self = Self(2);
    /// FILE_ACTION_MODIFIED: attributes, times, size or data changed.
    pub const MODIFIED: Self = Self(3);
    /// FILE_ACTION_RENAMED_OLD_NAME: renamed, and this is the old name.
    pub const RENAMED_OLD_NAME: Self = Self(4);
    /// FILE_ACTION_RENAMED_NEW_NAME: renamed, and this is the new name.
    pub const RENAMED_NEW_NAME: Self = Self(5);
    /// FILE_ACTION_ADDED_STREAM: a named stream was added.
    pub const ADDED_STREAM: Self = Self(6);
    /// FILE_ACTION_REMOVED_STREAM: a named stream was removed.
    pub const REMOVED_STREAM: Self = Self(7);
    /// FILE_ACTION_MODIFIED_STREAM: a named stream changed.
    pub const MODIFIED_STREAM: Self = Self(8);
    /// FILE_ACTION_REMOVED_BY_DELETE: an object id was removed by a delete.
    pub const REMOVED_BY_DELETE: Self = Self(9);
    /// FILE_ACTION_ID_NOT_TUNNELLED: an object id could not be carried over.
    pub const ID_NOT_TUNNELLED: Self = Self(10);
    /// FILE_ACTION_TUNNELLED_ID_COLLISION: a carried-over object id is in use.
    pub const TUNNELLED_ID_COLLISION: Self = Self(11);
}

/// One change: what happened to which name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Change {
    /// What happened.
    pub action: Action,
    /// The name relative to the watched directory.
    pub name: String,
}

const WHAT: &str = "FILE_NOTIFY_INFORMATION";

impl Change {
    /// Bytes of this entry on the wire without the padding that a following entry needs:
    /// NextEntryOffset, Action, FileNameLength (4 bytes each) and the name.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        utf16_len(&self.name).saturating_add(12)
    }
}

/// Reads a buffer of entries, each aligned to 4 bytes. An empty buffer has none.
///
/// # Errors
/// [`ParseError`] when an entry does not fit, and [`ParseError::TooMany`] above [`ENTRIES_MAX`].
pub fn parse(buf: &[u8]) -> Result<Vec<Change>, ParseError> {
    Entries::new(buf, 4, ENTRIES_MAX, WHAT)
        .map(|entry| {
            let mut f = Fields::new(entry?, WHAT);
            f.skip(4)?;
            let action = Action(f.u32()?);
            let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(WHAT))?;
            let name = decode_utf16(f.bytes(len)?, WHAT)?;
            Ok(Change { action, name })
        })
        .collect()
}

/// Appends `changes` as one chain. The writer's base must be a multiple of 4 bytes away from where
/// the chain begins.
pub fn encode(changes: &[Change], w: &mut Writer) {
    let mut chain = ChainWriter::new(4);
    for change in changes {
        chain.begin(w);
        w.u32(0);
        w.u32(change.action.0);
        w.u32(len32(utf16_len(&change.name)));
        w.utf16(&change.name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(changes: &[Change]) -> Vec<u8> {
        let mut w = Writer::new();
        encode(changes, &mut w);
        w.into_inner().to_vec()
    }

    #[test]
    fn known_bytes() {
        let changes = [
            Change {
                action: Action::RENAMED_OLD_NAME,
                name: "a".into(),
            },
            Change {
                action: Action::RENAMED_NEW_NAME,
                name: "bc".into(),
            },
        ];
        let bytes = encoded(&changes);
        assert_eq!(
            bytes,
            b"\x10\0\0\0\x04\0\0\0\x02\0\0\0a\0\0\0\0\0\0\0\x05\0\0\0\x04\0\0\0b\0c\0"
        );
        assert_eq!(parse(&bytes).unwrap(), changes);
        assert_eq!(parse(&[]), Ok(vec![]));
    }

    #[test]
    fn refuses_bad_names_and_lengths() {
        assert_eq!(
            parse(b"\0\0\0\0\x01\0\0\0\x01\0\0\0a"),
            Err(ParseError::BadString(WHAT))
        );
        assert_eq!(
            parse(b"\0\0\0\0\x01\0\0\0\x04\0\0\0a\0"),
            Err(ParseError::Truncated(WHAT))
        );
        let long = [4u8, 0, 0, 0].repeat(3 * ENTRIES_MAX);
        assert!(parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn round_trip_and_truncation(raw in prop::collection::vec((1u32..12, ".{0,12}"), 0..6)) {
            let changes: Vec<_> = raw
                .into_iter()
                .map(|(action, name)| Change { action: Action(action), name })
                .collect();
            let bytes = encoded(&changes);
            prop_assert_eq!(&parse(&bytes).unwrap(), &changes);
            for n in 1..bytes.len() {
                prop_assert!(parse(&bytes[..n]).is_err());
            }
        }
    }
}
