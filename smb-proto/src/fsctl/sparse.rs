//! FSCTL_SET_SPARSE.

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// FILE_SET_SPARSE_BUFFER, [MS-FSCC] 2.3, FSCTL_SET_SPARSE request.
///
/// Layout: nothing, which means true, or SetSparse (1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SetSparse {
    /// Whether the file is to be sparse.
    pub set_sparse: bool,
}

impl SetSparse {
    /// Reads the input buffer; any value but zero is true.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let set_sparse =
            input.is_empty() || Fields::new(input, "FILE_SET_SPARSE_BUFFER").u8()? != 0;
        Ok(Self { set_sparse })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(u8::from(self.set_sparse));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::round_trip;

    #[test]
    fn empty_input_is_true() {
        for (input, set_sparse) in [
            (&[][..], true),
            (&[0], false),
            (&[1], true),
            (&[0, 1], false),
        ] {
            assert_eq!(
                SetSparse::parse(input),
                Ok(SetSparse { set_sparse }),
                "{input:?}"
            );
        }
        for set_sparse in [false, true] {
            round_trip(
                &SetSparse { set_sparse },
                |v, w| v.encode(w),
                |b| SetSparse::parse(b),
            );
        }
    }
}
