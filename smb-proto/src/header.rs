//! The SMB2 header, [MS-SMB2] 2.2.1. 64 bytes.

use bitflags::bitflags;

use crate::id::{AsyncId, MessageId, SessionId, TreeId};
use crate::wire::{Fields, Writer};
use crate::{Command, NtStatus, ParseError};

/// Length of the header in bytes, and its StructureSize.
pub const HEADER_LEN: usize = 64;

/// ProtocolId of an SMB2 message: 0xFE 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = *b"\xfeSMB";

/// Where the 16 signature bytes lie in the header.
pub const SIGNATURE_RANGE: std::ops::Range<usize> = 48..64;

bitflags! {
    /// Flags of the SMB2 header, [MS-SMB2] 2.2.1.2.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct HeaderFlags: u32 {
        /// SMB2_FLAGS_SERVER_TO_REDIR: a response.
        const SERVER_TO_REDIR = 0x0000_0001;
        /// SMB2_FLAGS_ASYNC_COMMAND: the header has an AsyncId instead of a TreeId.
        const ASYNC_COMMAND = 0x0000_0002;
        /// SMB2_FLAGS_RELATED_OPERATIONS: ids are those of the previous element.
        const RELATED_OPERATIONS = 0x0000_0004;
        /// SMB2_FLAGS_SIGNED.
        const SIGNED = 0x0000_0008;
        /// SMB2_FLAGS_PRIORITY_MASK (3.1.1).
        const PRIORITY_MASK = 0x0000_0070;
        /// SMB2_FLAGS_DFS_OPERATIONS.
        const DFS_OPERATIONS = 0x1000_0000;
        /// SMB2_FLAGS_REPLAY_OPERATION (3.x).
        const REPLAY_OPERATION = 0x2000_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// The eight bytes that differ between the synchronous and the asynchronous form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Route {
    /// [MS-SMB2] 2.2.1.2: ProcessId (Reserved) and TreeId.
    Sync {
        /// ProcessId; servers echo it.
        process_id: u32,
        /// The tree connect.
        tree_id: TreeId,
    },
    /// [MS-SMB2] 2.2.1.1: AsyncId.
    Async(AsyncId),
}

/// One SMB2 header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Header {
    /// CreditCharge: credits that the request takes (0 in dialect 2.0.2).
    pub credit_charge: u16,
    /// In a response the status; in a request ChannelSequence (low 16 bits) in 3.x dialects.
    pub status: NtStatus,
    /// Command code as received; see [`Self::command`].
    pub command_code: u16,
    /// CreditRequest in a request, CreditResponse in a response.
    pub credits: u16,
    /// Flags.
    pub flags: HeaderFlags,
    /// Offset of the next element of a compound from the start of this header, 0 for the last.
    pub next_command: u32,
    /// MessageId.
    pub message_id: MessageId,
    /// TreeId or AsyncId.
    pub route: Route,
    /// SessionId.
    pub session_id: SessionId,
    /// Signature, zero when the message is not signed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub signature: [u8; 16],
}

impl Header {
    /// A header of a request with all other fields zero.
    #[must_use]
    pub fn request(command: Command, message_id: MessageId) -> Self {
        Self {
            credit_charge: 0,
            status: NtStatus::SUCCESS,
            command_code: command.into(),
            credits: 1,
            flags: HeaderFlags::empty(),
            next_command: 0,
            message_id,
            route: Route::Sync {
                process_id: 0,
                tree_id: TreeId(0),
            },
            session_id: SessionId(0),
            signature: [0; 16],
        }
    }

    /// The command, `None` if the specification does not name the code.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        Command::from_code(self.command_code)
    }

    /// The TreeId; 0 in the asynchronous form.
    #[must_use]
    pub fn tree_id(&self) -> TreeId {
        match self.route {
            Route::Sync { tree_id, .. } => tree_id,
            Route::Async(_) => TreeId(0),
        }
    }

    /// ChannelSequence of a request in 3.x dialects: the low half of the status field.
    #[must_use]
    pub fn channel_sequence(&self) -> u16 {
        let [a, b, _, _] = self.status.0.to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] below 64 bytes, [`ParseError::BadStructure`] for another
    /// ProtocolId or StructureSize.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, "SMB2 header");
        if f.array::<4>()? != PROTOCOL_ID {
            return Err(ParseError::BadStructure("SMB2 header"));
        }
        f.structure_size(64)?;
        let credit_charge = f.u16()?;
        let status = NtStatus(f.u32()?);
        let command_code = f.u16()?;
        let credits = f.u16()?;
        let flags = HeaderFlags::from_bits_retain(f.u32()?);
        let next_command = f.u32()?;
        let message_id = MessageId(f.u64()?);
        let route = if flags.contains(HeaderFlags::ASYNC_COMMAND) {
            Route::Async(AsyncId(f.u64()?))
        } else {
            Route::Sync {
                process_id: f.u32()?,
                tree_id: TreeId(f.u32()?),
            }
        };
        let session_id = SessionId(f.u64()?);
        let signature = f.array()?;
        Ok(Self {
            credit_charge,
            status,
            command_code,
            credits,
            flags,
            next_command,
            message_id,
            route,
            session_id,
            signature,
        })
    }

    /// Appends the 64 bytes. The flag of the asynchronous form follows from [`Self::route`].
    pub fn encode(&self, w: &mut Writer) {
        let mut flags = self.flags;
        flags.set(
            HeaderFlags::ASYNC_COMMAND,
            matches!(self.route, Route::Async(_)),
        );
        w.bytes(&PROTOCOL_ID);
        w.u16(64);
        w.u16(self.credit_charge);
        w.u32(self.status.0);
        w.u16(self.command_code);
        w.u16(self.credits);
        w.u32(flags.bits());
        w.u32(self.next_command);
        w.u64(self.message_id.0);
        match self.route {
            Route::Sync {
                process_id,
                tree_id,
            } => {
                w.u32(process_id);
                w.u32(tree_id.0);
            }
            Route::Async(id) => w.u64(id.0),
        }
        w.u64(self.session_id.0);
        w.bytes(&self.signature);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip_and_truncation(bytes in any::<[u8; 60]>()) {
            let mut raw = PROTOCOL_ID.to_vec();
            raw.extend_from_slice(&bytes);
            raw[4..6].copy_from_slice(&64u16.to_le_bytes());
            let header = Header::parse(&raw).unwrap();
            let mut w = Writer::new();
            header.encode(&mut w);
            prop_assert_eq!(w.written(), &raw[..]);
            for n in 0..64 {
                prop_assert!(Header::parse(&raw[..n]).is_err());
            }
        }
    }

    #[test]
    fn refuses_other_protocols() {
        let mut raw = [0; 64];
        assert!(Header::parse(&raw).is_err());
        raw[..4].copy_from_slice(&PROTOCOL_ID);
        raw[4] = 63;
        assert!(Header::parse(&raw).is_err());
    }
}
