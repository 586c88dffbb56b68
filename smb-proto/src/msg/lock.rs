//! LOCK, [MS-SMB2] 2.2.26 and 2.2.27.

use bitflags::bitflags;
use bytes::Bytes;

use super::empty::empty_body;
use super::file_id;
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len16};

/// Most elements that one request may carry. Each has 24 bytes, so that this is more than fits
/// into what one credit pays for (64 KiB).
pub const LOCKS_MAX: usize = 4096;

bitflags! {
    /// Flags of one lock element.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LockFlags: u32 {
        /// SMB2_LOCKFLAG_SHARED_LOCK.
        const SHARED_LOCK = 0x0000_0001;
        /// SMB2_LOCKFLAG_EXCLUSIVE_LOCK.
        const EXCLUSIVE_LOCK = 0x0000_0002;
        /// SMB2_LOCKFLAG_UNLOCK.
        const UNLOCK = 0x0000_0004;
        /// SMB2_LOCKFLAG_FAIL_IMMEDIATELY: do not wait.
        const FAIL_IMMEDIATELY = 0x0000_0010;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2_LOCK_ELEMENT, [MS-SMB2] 2.2.26.1: Offset (8 bytes), Length (8), Flags (4), Reserved (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LockElement {
    /// Offset of the range in the file.
    pub offset: u64,
    /// Length of the range in bytes; may be 0.
    pub length: u64,
    /// Flags.
    pub flags: LockFlags,
}

/// SMB2 LOCK Request, [MS-SMB2] 2.2.26.
///
/// Body: StructureSize 48 (2 bytes), LockCount (2), LockSequenceNumber (4 bits) and
/// LockSequenceIndex (28 bits), FileId (16), elements (24 each).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// LockSequenceNumber: 4 bits, the low ones of the field.
    pub lock_sequence_number: u8,
    /// LockSequenceIndex: 28 bits; 1 to 64 where it has a meaning, 0 for none.
    pub lock_sequence_index: u32,
    /// The open to lock in.
    pub file_id: FileId,
    /// Ranges to lock or unlock. Legal requests have at least one.
    pub locks: Vec<LockElement>,
}

const REQUEST: &str = "SMB2 LOCK request";

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.26; [`ParseError::TooMany`] above
    /// [`LOCKS_MAX`].
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(48)?;
        let count = usize::from(f.u16()?);
        let sequence = f.u32()?;
        let file_id = file_id::read(&mut f)?;
        if count > LOCKS_MAX {
            return Err(ParseError::TooMany(REQUEST));
        }
        let locks = (0..count)
            .map(|_| {
                let lock = LockElement {
                    offset: f.u64()?,
                    length: f.u64()?,
                    flags: LockFlags::from_bits_retain(f.u32()?),
                };
                f.skip(4)?;
                Ok(lock)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            lock_sequence_number: (sequence & 0x0f).to_le_bytes()[0],
            lock_sequence_index: sequence >> 4,
            file_id,
            locks,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(48);
        w.u16(len16(self.locks.len()));
        w.u32(self.lock_sequence_index << 4 | u32::from(self.lock_sequence_number & 0x0f));
        file_id::write(self.file_id, w);
        for lock in &self.locks {
            w.u64(lock.offset);
            w.u64(lock.length);
            w.u32(lock.flags.bits());
            w.u32(0);
        }
    }
}

empty_body! {
    /// SMB2 LOCK Response, [MS-SMB2] 2.2.27.
    Response, "SMB2 LOCK response"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            number in 0u8..16,
            index in 0u32..1 << 28,
            (persistent, volatile) in any::<(u64, u64)>(),
            locks in prop::collection::vec(any::<(u64, u64, u32)>(), 0..5),
        ) {
            let request = Request {
                lock_sequence_number: number,
                lock_sequence_index: index,
                file_id: FileId { persistent, volatile },
                locks: locks
                    .into_iter()
                    .map(|(offset, length, flags)| LockElement {
                        offset,
                        length,
                        flags: LockFlags::from_bits_retain(flags),
                    })
                    .collect(),
            };
            round_trip(&request, 24, Request::encode, Request::parse);
        }
    }

    #[test]
    fn sequence_number_is_in_the_low_bits_and_counts_are_bounded() {
        let request = Request {
            lock_sequence_number: 5,
            lock_sequence_index: 64,
            file_id: FileId::default(),
            locks: vec![],
        };
        let bytes = element(|w| request.encode(w));
        assert_eq!(&bytes[64..72], b"\x30\0\0\0\x05\x04\0\0");
        let mut many = bytes.to_vec();
        many[66..68].copy_from_slice(&u16::to_le_bytes(4097));
        many.resize(64 + 24 + 24 * 4097, 0);
        assert_eq!(
            Request::parse(&many.into()),
            Err(ParseError::TooMany(REQUEST))
        );
    }

    #[test]
    fn response() {
        round_trip(&Response, 4, Response::encode, Response::parse);
    }
}
