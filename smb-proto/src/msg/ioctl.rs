//! IOCTL, [MS-SMB2] 2.2.31 and 2.2.32. The structures inside are in [`crate::fsctl`].

use bitflags::bitflags;
use bytes::Bytes;

use super::file_id;
use crate::ParseError;
use crate::fsctl::FsctlCode;
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::wire::{Fields, Writer, len32, slice_of};

bitflags! {
    /// Flags of an IOCTL request.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct IoctlFlags: u32 {
        /// SMB2_0_IOCTL_IS_FSCTL: an FSCTL; without it an IOCTL, which servers refuse.
        const IS_FSCTL = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 IOCTL Request, [MS-SMB2] 2.2.31.
///
/// Body: StructureSize 57 (2 bytes), Reserved (2), CtlCode (4), FileId (16), InputOffset (4),
/// InputCount (4), MaxInputResponse (4), OutputOffset (4), OutputCount (4), MaxOutputResponse (4),
/// Flags (4), Reserved2 (4), buffer. A request has no output, so that its offset and count are not
/// looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// CtlCode.
    pub ctl_code: FsctlCode,
    /// The open, or [`FileId::RELATED`] (all ones) for the codes that need none.
    pub file_id: FileId,
    /// The input buffer.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub input: Bytes,
    /// MaxInputResponse: most input bytes that the response may carry.
    pub max_input_response: u32,
    /// MaxOutputResponse: most output bytes that the response may carry.
    pub max_output_response: u32,
    /// Flags.
    pub flags: IoctlFlags,
}

const REQUEST: &str = "SMB2 IOCTL request";
const REQUEST_INPUT: &str = "SMB2 IOCTL request input";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 56;

impl Request {
    /// Reads the request.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.31.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(57)?;
        f.skip(2)?;
        let ctl_code = FsctlCode(f.u32()?);
        let file_id = file_id::read(&mut f)?;
        let (input_offset, input_len) = range(&mut f, REQUEST_INPUT)?;
        let max_input_response = f.u32()?;
        f.skip(8)?;
        let max_output_response = f.u32()?;
        let flags = IoctlFlags::from_bits_retain(f.u32()?);
        f.skip(4)?;
        Ok(Self {
            ctl_code,
            file_id,
            input: slice_of(
                element,
                input_offset,
                input_len,
                REQUEST_BUFFER,
                REQUEST_INPUT,
            )?,
            max_input_response,
            max_output_response,
            flags,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(57);
        w.u16(0);
        w.u32(self.ctl_code.0);
        file_id::write(self.file_id, w);
        w.u32(if self.input.is_empty() {
            0
        } else {
            len32(REQUEST_BUFFER)
        });
        w.u32(len32(self.input.len()));
        w.u32(self.max_input_response);
        w.zeros(8);
        w.u32(self.max_output_response);
        w.u32(self.flags.bits());
        w.u32(0);
        w.bytes(&self.input);
    }
}

/// SMB2 IOCTL Response, [MS-SMB2] 2.2.32.
///
/// Body: StructureSize 49 (2 bytes), Reserved (2), CtlCode (4), FileId (16), InputOffset (4),
/// InputCount (4), OutputOffset (4), OutputCount (4), Flags (4), Reserved2 (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// CtlCode of the request.
    pub ctl_code: FsctlCode,
    /// FileId of the request.
    pub file_id: FileId,
    /// The input buffer; servers send none.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub input: Bytes,
    /// The output buffer.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub output: Bytes,
}

const RESPONSE: &str = "SMB2 IOCTL response";
const RESPONSE_INPUT: &str = "SMB2 IOCTL response input";
const RESPONSE_OUTPUT: &str = "SMB2 IOCTL response output";
/// Where the buffer of a response begins, counted from the SMB2 header.
const RESPONSE_BUFFER: usize = HEADER_LEN + 48;

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.32.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, RESPONSE)?;
        f.structure_size(49)?;
        f.skip(2)?;
        let ctl_code = FsctlCode(f.u32()?);
        let file_id = file_id::read(&mut f)?;
        let (input_offset, input_len) = range(&mut f, RESPONSE_INPUT)?;
        let (output_offset, output_len) = range(&mut f, RESPONSE_OUTPUT)?;
        f.skip(8)?;
        Ok(Self {
            ctl_code,
            file_id,
            input: slice_of(
                element,
                input_offset,
                input_len,
                RESPONSE_BUFFER,
                RESPONSE_INPUT,
            )?,
            output: slice_of(
                element,
                output_offset,
                output_len,
                RESPONSE_BUFFER,
                RESPONSE_OUTPUT,
            )?,
        })
    }

    /// Appends the body. InputOffset is that of the buffer also when there is no input, and
    /// OutputOffset the next multiple of 8 behind the input ([MS-SMB2] 3.3.5.15.12 and others).
    pub fn encode(&self, w: &mut Writer) {
        w.u16(49);
        w.u16(0);
        w.u32(self.ctl_code.0);
        file_id::write(self.file_id, w);
        w.u32(len32(RESPONSE_BUFFER));
        w.u32(len32(self.input.len()));
        let output_offset_at = w.position();
        w.u32(0);
        w.u32(len32(self.output.len()));
        w.zeros(8);
        w.bytes(&self.input);
        if !self.output.is_empty() {
            w.align(8);
        }
        w.patch_u32(output_offset_at, len32(w.position()));
        w.bytes(&self.output);
    }
}

/// Reads an offset and a count of 4 bytes each.
fn range(f: &mut Fields<'_>, what: &'static str) -> Result<(usize, usize), ParseError> {
    let offset = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
    let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
    Ok((offset, len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, round_trip};
    use super::*;

    proptest! {
        #[test]
        fn bodies(
            (code, flags, max_in, max_out) in any::<(u32, u32, u32, u32)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            input in prop::collection::vec(any::<u8>(), 0..40),
            output in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let request = Request {
                ctl_code: FsctlCode(code),
                file_id: FileId { persistent, volatile },
                input: input.clone().into(),
                max_input_response: max_in,
                max_output_response: max_out,
                flags: IoctlFlags::from_bits_retain(flags),
            };
            round_trip(&request, 56, Request::encode, Request::parse);
            let response = Response {
                ctl_code: FsctlCode(code),
                file_id: FileId { persistent, volatile },
                input: input.into(),
                output: output.into(),
            };
            round_trip(&response, 48, Response::encode, Response::parse);
        }
    }

    #[test]
    fn output_is_aligned_behind_the_input() {
        let mut response = Response {
            ctl_code: FsctlCode::PIPE_TRANSCEIVE,
            file_id: FileId::default(),
            input: Bytes::from_static(b"abc"),
            output: Bytes::from_static(b"out"),
        };
        let bytes = element(|w| response.encode(w));
        assert_eq!((bytes[88], bytes[96]), (112, 120));
        response.input = Bytes::new();
        let bytes = element(|w| response.encode(w));
        assert_eq!((bytes[88], bytes[96]), (112, 112));
        assert_eq!(bytes.len(), 115);
    }
}
