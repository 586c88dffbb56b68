//! OPLOCK_BREAK: notifications, acknowledgements and responses for oplocks and leases, [MS-SMB2]
//! 2.2.23 to 2.2.25. Which of them a body is follows from its StructureSize and its direction.

use bitflags::bitflags;
use bytes::Bytes;

use super::{OplockLevel, file_id};
use crate::ParseError;
use crate::create_ctx::LeaseState;
use crate::header::HEADER_LEN;
use crate::id::{FileId, LeaseKey};
use crate::wire::{Fields, Writer};

/// An oplock break notification, acknowledgement or response, [MS-SMB2] 2.2.23.1, 2.2.24.1 and
/// 2.2.25.1.
///
/// Body: StructureSize 24 (2 bytes), OplockLevel (1), Reserved (1), Reserved2 (4), FileId (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OplockBreak {
    /// OplockLevel: what the server leaves, or the client wants to keep, or the server confirms.
    pub oplock_level: OplockLevel,
    /// The open whose oplock it is.
    pub file_id: FileId,
}

bitflags! {
    /// Flags of a lease break notification.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LeaseBreakFlags: u32 {
        /// SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED.
        const ACK_REQUIRED = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// A lease break notification, [MS-SMB2] 2.2.23.2.
///
/// Body: StructureSize 44 (2 bytes), NewEpoch (2), Flags (4), LeaseKey (16), CurrentLeaseState (4),
/// NewLeaseState (4), BreakReason, AccessMaskHint, ShareMaskHint (4 each, reserved).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LeaseBreakNotification {
    /// NewEpoch of the lease (3.x dialects with a version 2 lease, else 0).
    pub new_epoch: u16,
    /// Flags.
    pub flags: LeaseBreakFlags,
    /// LeaseKey.
    pub lease_key: LeaseKey,
    /// CurrentLeaseState.
    pub current_lease_state: LeaseState,
    /// NewLeaseState: what is left after the break.
    pub new_lease_state: LeaseState,
}

/// A lease break acknowledgement or response, [MS-SMB2] 2.2.24.2 and 2.2.25.2.
///
/// Body: StructureSize 36 (2 bytes), Reserved (2), Flags (4, reserved), LeaseKey (16), LeaseState
/// (4), LeaseDuration (8, reserved).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LeaseBreakAck {
    /// LeaseKey.
    pub lease_key: LeaseKey,
    /// LeaseState that the client keeps, or the server confirms.
    pub lease_state: LeaseState,
}

/// The body of an OPLOCK_BREAK message in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Message {
    /// StructureSize 24: notification, acknowledgement or response of an oplock.
    Oplock(OplockBreak),
    /// StructureSize 44: notification of a lease; only servers send it.
    LeaseNotification(LeaseBreakNotification),
    /// StructureSize 36: acknowledgement or response of a lease.
    LeaseAck(LeaseBreakAck),
}

/// What a client sends. A [`Message::LeaseNotification`] parses, but is none of its messages.
pub type Request = Message;

/// What a server sends.
pub type Response = Message;

const WHAT: &str = "SMB2 OPLOCK_BREAK";

impl Message {
    /// Reads the body.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.23 to 2.2.25, also for another
    /// StructureSize than the three.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        match f.u16()? {
            24 => {
                let oplock_level = OplockLevel(f.u8()?);
                f.skip(5)?;
                Ok(Self::Oplock(OplockBreak {
                    oplock_level,
                    file_id: file_id::read(&mut f)?,
                }))
            }
            44 => {
                let notification = LeaseBreakNotification {
                    new_epoch: f.u16()?,
                    flags: LeaseBreakFlags::from_bits_retain(f.u32()?),
                    lease_key: LeaseKey(f.array()?),
                    current_lease_state: LeaseState::from_bits_retain(f.u32()?),
                    new_lease_state: LeaseState::from_bits_retain(f.u32()?),
                };
                f.skip(12)?;
                Ok(Self::LeaseNotification(notification))
            }
            36 => {
                f.skip(6)?;
                let ack = LeaseBreakAck {
                    lease_key: LeaseKey(f.array()?),
                    lease_state: LeaseState::from_bits_retain(f.u32()?),
                };
                f.skip(8)?;
                Ok(Self::LeaseAck(ack))
            }
            _ => Err(ParseError::BadStructure(WHAT)),
        }
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Oplock(oplock) => {
                w.u16(24);
                w.u8(oplock.oplock_level.0);
                w.zeros(5);
                file_id::write(oplock.file_id, w);
            }
            Self::LeaseNotification(lease) => {
                w.u16(44);
                w.u16(lease.new_epoch);
                w.u32(lease.flags.bits());
                w.bytes(&lease.lease_key.0);
                w.u32(lease.current_lease_state.bits());
                w.u32(lease.new_lease_state.bits());
                w.zeros(12);
            }
            Self::LeaseAck(lease) => {
                w.u16(36);
                w.zeros(6);
                w.bytes(&lease.lease_key.0);
                w.u32(lease.lease_state.bits());
                w.zeros(8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            (level, epoch, flags) in any::<(u8, u16, u32)>(),
            (current, new) in any::<(u32, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            key: [u8; 16],
        ) {
            let oplock = Message::Oplock(OplockBreak {
                oplock_level: OplockLevel(level),
                file_id: FileId { persistent, volatile },
            });
            round_trip(&oplock, 24, Message::encode, Message::parse);
            let notification = Message::LeaseNotification(LeaseBreakNotification {
                new_epoch: epoch,
                flags: LeaseBreakFlags::from_bits_retain(flags),
                lease_key: LeaseKey(key),
                current_lease_state: LeaseState::from_bits_retain(current),
                new_lease_state: LeaseState::from_bits_retain(new),
            });
            round_trip(&notification, 44, Message::encode, Message::parse);
            let ack = Message::LeaseAck(LeaseBreakAck {
                lease_key: LeaseKey(key),
                lease_state: LeaseState::from_bits_retain(new),
            });
            round_trip(&ack, 36, Message::encode, Message::parse);
        }
    }

    /// Sent by Samba 4.17 to smbtorture (smb2.lease.break).
    #[test]
    fn a_captured_notification() {
        let body = hex("\
            2c000000010000000df0dde0fe0fdcbaf20f221f01f02345050000000100000000000000
            0000000000000000");
        let message = Message::parse(&element_of(&body)).unwrap();
        assert_eq!(
            message,
            Message::LeaseNotification(LeaseBreakNotification {
                new_epoch: 0,
                flags: LeaseBreakFlags::ACK_REQUIRED,
                lease_key: LeaseKey(body[8..24].try_into().unwrap()),
                current_lease_state: LeaseState::READ | LeaseState::WRITE,
                new_lease_state: LeaseState::READ,
            })
        );
        assert_eq!(element(|w| message.encode(w))[64..], body);
    }

    #[test]
    fn refuses_other_sizes() {
        let mut bytes = [0; 44];
        for size in (0..=255).filter(|s| ![24, 36, 44].contains(s)) {
            bytes[0] = size;
            assert_eq!(
                Message::parse(&element_of(&bytes)),
                Err(ParseError::BadStructure(WHAT))
            );
        }
    }
}
