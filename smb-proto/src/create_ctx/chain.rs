//! The list of create contexts, [MS-SMB2] 2.2.13.2.

use bytes::Bytes;

use crate::ParseError;
use crate::wire::{Entries, Fields, Writer, len16, len32, slice_of};

/// Contexts that one CREATE may carry. The specification defines fewer than twenty; the bound only
/// keeps a hostile list short.
pub const MAX_CONTEXTS: usize = 64;

/// Contexts, and their names and data, begin at multiples of this, counted from the first context.
const ALIGN: usize = 8;

/// Length of the fields before the Buffer.
const FIXED: usize = 16;

/// The shortest name: that of every context which is not named by a GUID.
const NAME_MIN: usize = 4;

const WHAT: &str = "SMB2_CREATE_CONTEXT";

/// One create context, [MS-SMB2] 2.2.13.2, its data not looked at yet.
///
/// Layout: Next (4), NameOffset (2), NameLength (2), Reserved (2), DataOffset (2), DataLength (4),
/// Buffer. Offsets count from the start of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RawContext {
    /// The name: four characters, or the 16 bytes of a GUID for the newer contexts.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub name: Bytes,
    /// The payload, whose layout the name determines.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
}

impl RawContext {
    /// A context with a name that is known at compile time.
    #[must_use]
    pub fn new(name: &'static [u8], data: impl Into<Bytes>) -> Self {
        Self {
            name: Bytes::from_static(name),
            data: data.into(),
        }
    }

    fn parse(entry: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(entry, WHAT);
        f.u32()?; // Next: the walk has used it
        let name_at = usize::from(f.u16()?);
        let name_len = usize::from(f.u16()?);
        f.u16()?; // Reserved
        let data_at = usize::from(f.u16()?);
        let data_len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(WHAT))?;
        if name_len < NAME_MIN {
            return Err(ParseError::BadValue("SMB2_CREATE_CONTEXT NameLength"));
        }
        if name_at % ALIGN != 0 {
            return Err(ParseError::Misaligned("SMB2_CREATE_CONTEXT NameOffset"));
        }
        // The offset of absent data is to be ignored.
        if data_len != 0 && data_at % ALIGN != 0 {
            return Err(ParseError::Misaligned("SMB2_CREATE_CONTEXT DataOffset"));
        }
        Ok(Self {
            name: slice_of(
                entry,
                name_at,
                name_len,
                FIXED,
                "SMB2_CREATE_CONTEXT NameOffset",
            )?,
            data: slice_of(
                entry,
                data_at,
                data_len,
                FIXED,
                "SMB2_CREATE_CONTEXT DataOffset",
            )?,
        })
    }
}

/// Reads the list that CreateContextsOffset and CreateContextsLength of a CREATE request or
/// response delimit. An empty buffer is an empty list. Names and data are slices of `buf`.
///
/// Next must be a multiple of 8 and lead to a further context inside the buffer, so that the walk
/// always goes forward; name and data must lie behind the 16 fixed bytes and inside their context.
///
/// # Errors
///
/// [`ParseError::TooMany`] beyond [`MAX_CONTEXTS`], [`ParseError::BadValue`] for a name of less
/// than four bytes, and the usual ones for what does not fit or is misaligned. A server answers
/// all of them with STATUS_INVALID_PARAMETER ([MS-SMB2] 3.3.5.9).
pub fn parse_chain(buf: &Bytes) -> Result<Vec<RawContext>, ParseError> {
    Entries::new(buf, ALIGN, MAX_CONTEXTS, WHAT)
        .map(|entry| RawContext::parse(&buf.slice_ref(entry?)))
        .collect()
}

/// Appends the list, beginning at the writer's present position, which the caller has aligned to
/// 8 bytes from the SMB2 header. The last context is not padded. An empty list appends nothing.
pub fn encode_chain(contexts: &[RawContext], w: &mut Writer) {
    let start = w.position();
    let align = |w: &mut Writer| {
        let over = w.position().saturating_sub(start) % ALIGN;
        if over != 0 {
            w.zeros(ALIGN.saturating_sub(over));
        }
    };
    let mut previous = None;
    for context in contexts {
        align(w);
        let at = w.position();
        if let Some(previous) = previous {
            w.patch_u32(previous, len32(at.saturating_sub(previous)));
        }
        previous = Some(at);
        w.u32(0);
        w.u16(len16(FIXED));
        w.u16(len16(context.name.len()));
        w.u16(0);
        let data_offset_at = w.position();
        w.u16(0);
        w.u32(len32(context.data.len()));
        w.bytes(&context.name);
        if !context.data.is_empty() {
            align(w);
            w.patch_u16(data_offset_at, len16(w.position().saturating_sub(at)));
            w.bytes(&context.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(contexts: &[RawContext]) -> Bytes {
        let mut w = Writer::new();
        encode_chain(contexts, &mut w);
        w.into_inner().freeze()
    }

    fn any_context() -> impl Strategy<Value = RawContext> {
        (
            prop::collection::vec(any::<u8>(), 4..20),
            prop::collection::vec(any::<u8>(), 0..40),
        )
            .prop_map(|(name, data)| RawContext {
                name: name.into(),
                data: data.into(),
            })
    }

    /// Two contexts as smbclient sends them.
    fn two() -> Vec<u8> {
        let mut v = vec![24, 0, 0, 0, 16, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        v.extend(b"MxAc\0\0\0\0");
        v.extend([0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 24, 0, 8, 0, 0, 0]);
        v.extend(b"AlSi\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08");
        v
    }

    #[test]
    fn reads_and_writes_the_layout() {
        let contexts = vec![
            RawContext::new(b"MxAc", Bytes::new()),
            RawContext::new(b"AlSi", vec![1, 2, 3, 4, 5, 6, 7, 8]),
        ];
        assert_eq!(parse_chain(&Bytes::from(two())), Ok(contexts.clone()));
        assert_eq!(encode(&contexts), two());
        assert_eq!(parse_chain(&Bytes::new()), Ok(vec![]));
        assert!(encode(&[]).is_empty());
    }

    #[test]
    fn offsets_count_from_the_context_wherever_the_writer_stands() {
        let contexts = [
            RawContext::new(b"DHnQ", vec![0; 16]),
            RawContext::new(b"QFid", Bytes::new()),
        ];
        let mut w = Writer::new();
        w.bytes(&[0xee; 5]);
        encode_chain(&contexts, &mut w);
        assert_eq!(w.written()[5..], encode(&contexts));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let with = |at: usize, v: u8| {
            let mut b = two();
            b[at] = v;
            parse_chain(&Bytes::from(b))
        };
        // Next: misaligned, past the end, onto the end
        assert!(matches!(with(0, 20), Err(ParseError::Misaligned(_))));
        assert!(matches!(with(0, 200), Err(ParseError::OutOfBounds(_))));
        assert!(matches!(with(0, 56), Err(ParseError::OutOfBounds(_))));
        // a context too short for its fixed part
        assert!(matches!(with(0, 8), Err(ParseError::Truncated(_))));
        // NameOffset inside the fixed part, misaligned, outside
        assert!(matches!(with(4, 8), Err(ParseError::OutOfBounds(_))));
        assert!(matches!(with(4, 17), Err(ParseError::Misaligned(_))));
        assert!(matches!(with(4, 24), Err(ParseError::OutOfBounds(_))));
        // NameLength
        assert!(matches!(with(6, 3), Err(ParseError::BadValue(_))));
        assert!(matches!(with(6, 9), Err(ParseError::OutOfBounds(_))));
        // DataOffset and DataLength of the second, whose fields begin at 24
        assert!(matches!(with(34, 8), Err(ParseError::OutOfBounds(_))));
        assert!(matches!(with(34, 25), Err(ParseError::Misaligned(_))));
        assert!(matches!(with(36, 9), Err(ParseError::OutOfBounds(_))));
        assert!(matches!(with(39, 255), Err(ParseError::OutOfBounds(_))));
        // the offset of absent data is ignored
        assert!(with(10, 255).is_ok());
    }

    #[test]
    fn the_count_is_bounded() {
        let one = RawContext::new(b"MxAc", Bytes::new());
        assert!(parse_chain(&encode(&vec![one.clone(); MAX_CONTEXTS])).is_ok());
        assert_eq!(
            parse_chain(&encode(&vec![one; MAX_CONTEXTS + 1])),
            Err(ParseError::TooMany(WHAT))
        );
    }

    proptest! {
        #[test]
        fn round_trip(contexts in prop::collection::vec(any_context(), 0..6)) {
            prop_assert_eq!(parse_chain(&encode(&contexts)), Ok(contexts));
        }

        #[test]
        fn truncation_never_panics(contexts in prop::collection::vec(any_context(), 1..4)) {
            let whole = encode(&contexts);
            for len in 1..whole.len() {
                prop_assert!(parse_chain(&whole.slice(..len)).is_err());
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_chain(&Bytes::from(bytes));
        }
    }
}
