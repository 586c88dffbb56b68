//! How a client reaches a file.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// FileRemoteProtocolInformation (55), FILE_REMOTE_PROTOCOL_INFORMATION of `ntifs.h`: what a
/// redirector tells its own programs; servers answer it with STATUS_NOT_SUPPORTED. 116 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileRemoteProtocolInformation {
    /// StructureVersion: 1 to 4, with the version of Windows.
    pub structure_version: u16,
    /// StructureSize: bytes of the structure in that version.
    pub structure_size: u16,
    /// Protocol: WNNC_NET_SMB is 0x0002_0000.
    pub protocol: u32,
    /// ProtocolMajorVersion.
    pub major_version: u16,
    /// ProtocolMinorVersion.
    pub minor_version: u16,
    /// ProtocolRevision.
    pub revision: u16,
    /// Flags.
    pub flags: u32,
    /// ProtocolSpecific: for SMB2 capabilities of the server and of the share.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub protocol_specific: [u8; 64],
}

impl FileRemoteProtocolInformation {
    /// Bytes of the structure.
    pub const LEN: usize = 116;

    /// Reads it from the beginning of `input`.
    ///
    /// # Errors
    ///
    /// [`ParseError::Truncated`] if `input` is shorter than [`Self::LEN`].
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, "FILE_REMOTE_PROTOCOL_INFORMATION");
        let structure_version = f.u16()?;
        let structure_size = f.u16()?;
        let protocol = f.u32()?;
        let major_version = f.u16()?;
        let minor_version = f.u16()?;
        let revision = f.u16()?;
        f.skip(2)?;
        let flags = f.u32()?;
        f.skip(32)?;
        Ok(Self {
            structure_version,
            structure_size,
            protocol,
            major_version,
            minor_version,
            revision,
            flags,
            protocol_specific: f.array()?,
        })
    }

    /// Appends it.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.structure_version);
        w.u16(self.structure_size);
        w.u32(self.protocol);
        w.u16(self.major_version);
        w.u16(self.minor_version);
        w.u16(self.revision);
        w.u16(0);
        w.u32(self.flags);
        w.zeros(32);
        w.bytes(&self.protocol_specific);
    }
}
