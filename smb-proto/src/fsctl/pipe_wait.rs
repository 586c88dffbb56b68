//! FSCTL_PIPE_WAIT.

use super::size;
use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16, len32, utf16_len};

/// FSCTL_PIPE_WAIT request, [MS-FSCC] 2.3.49. There is no output.
///
/// Layout: Timeout (8, signed), NameLength (4), TimeoutSpecified (1), Padding (1), Name (UTF-16LE).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PipeWait {
    /// How long to wait, in the unit of the wire, if the client says so. The specification names
    /// 100 milliseconds; Windows sends intervals of 100 nanoseconds as a negative number.
    pub timeout: Option<i64>,
    /// The pipe, without `\pipe\`.
    pub name: String,
}

impl PipeWait {
    const WHAT: &'static str = "FSCTL_PIPE_WAIT request";

    /// Reads the input buffer.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let timeout = f.i64()?;
        let name_len = size(f.u32()?, Self::WHAT)?;
        let specified = f.u8()? != 0;
        f.u8()?;
        Ok(Self {
            timeout: specified.then_some(timeout),
            name: decode_utf16(f.bytes(name_len)?, Self::WHAT)?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.i64(self.timeout.unwrap_or(0));
        w.u32(len32(utf16_len(&self.name)));
        w.u8(u8::from(self.timeout.is_some()));
        w.u8(0);
        w.utf16(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    /// Sent by Windows; its Timeout is left over from something else and to be ignored.
    #[test]
    fn real_request() {
        let r = PipeWait::parse(&hex(
            "0b003a005c005400 10000000 00 00 4d007300460074006500570064007300",
        ));
        let expected = PipeWait {
            timeout: None,
            name: "MsFteWds".to_owned(),
        };
        assert_eq!(r, Ok(expected));
    }

    proptest! {
        #[test]
        fn round_trips(timeout: Option<i64>, name: String) {
            let value = PipeWait { timeout, name };
            round_trip_fixed(&value, |v, w| v.encode(w), |b| PipeWait::parse(b));
        }
    }
}
