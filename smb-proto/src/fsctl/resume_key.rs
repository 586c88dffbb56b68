//! FSCTL_SRV_REQUEST_RESUME_KEY: a name for an open file that a server-side copy can use.

use super::size;
use crate::ParseError;
use crate::wire::{Fields, Writer};

/// The server's name for an open, 24 opaque bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ResumeKey(pub [u8; 24]);

/// SRV_REQUEST_RESUME_KEY response, [MS-SMB2] 2.2.32.3. The request has no input.
///
/// Layout: ResumeKey (24), ContextLength (4), Context (variable). Servers set ContextLength to 0
/// and still send four bytes of Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SrvResumeKeyResponse {
    /// The key for [`super::SrvCopychunkCopy`].
    pub resume_key: ResumeKey,
}

impl SrvResumeKeyResponse {
    /// Bytes that [`Self::encode`] writes.
    pub const LEN: usize = 32;

    const WHAT: &'static str = "SRV_REQUEST_RESUME_KEY response";

    /// Reads the output buffer; Context is ignored.
    pub fn parse(output: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(output, Self::WHAT);
        let resume_key = ResumeKey(f.array()?);
        let context_len = size(f.u32()?, Self::WHAT)?;
        f.skip(context_len)?;
        Ok(Self { resume_key })
    }

    /// Writes the output buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&self.resume_key.0);
        w.u32(0);
        w.u32(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip};

    #[test]
    fn layout() {
        // sent by Samba
        let bytes = hex("71b0083b00000000df7aa1e700000000 7800140000000000 00000000 00000000");
        let value = SrvResumeKeyResponse::parse(&bytes).unwrap();
        assert_eq!(value.resume_key.0[..4], [0x71, 0xb0, 0x08, 0x3b]);
        let written = round_trip(
            &value,
            |v, w| v.encode(w),
            |b| SrvResumeKeyResponse::parse(b),
        );
        assert_eq!(written, bytes);
        assert_eq!(written.len(), SrvResumeKeyResponse::LEN);
        for len in 0..28 {
            assert!(SrvResumeKeyResponse::parse(&bytes[..len]).is_err());
        }
        let mut long = bytes.to_vec();
        long[24] = 5;
        assert!(SrvResumeKeyResponse::parse(&long).is_err());
    }
}
