//! NDR 2.0, C706 chapter 14: how parameters of remote calls are laid out.
//!
//! A type implements [`Ndr`] once and is thereby read and written: the same walk over its fields is
//! driven by a [`Reader`] or a [`Writer`]. A structure has two parts, as C706 14.3.12 orders
//! them: its *fixed* part, in which a pointer is only a number, and the *deferred* part, in which
//! what the pointers point at follows in the same order.
//!
//! The types map as follows:
//!
//! | IDL | Rust |
//! |---|---|
//! | `unsigned char`, `short`, `long`, `hyper` | `u8`, `u16`, `u32`, `u64` |
//! | 16-bit enumeration | `u16` |
//! | `[unique] T *` | `Option<T>` |
//! | `[ref] T *` parameter, embedded structure | `T` |
//! | `[size_is(n)] T *` behind a pointer | `Option<Vec<T>>` |
//! | `[string] wchar_t *` | [`WideStr`] (behind a unique pointer: `Option<WideStr>`) |
//! | `RPC_UNICODE_STRING` | [`UnicodeString`] |
//! | `RPC_SID` | [`Sid`] |
//! | context handle | [`ContextHandle`] |
//! | `[size_is(MAX), length_is(n)] T *` | [`Varying`] |

#[macro_use]
mod macros;

use std::convert::Infallible;

use bytes::Bytes;

use crate::ParseError;
use crate::dtyp::Sid;
use crate::wire::{Fields, Writer as ByteWriter, decode_utf16, len16, len32};

const WHAT: &str = "NDR";

/// The most elements an array may have, whatever its type. The largest that a specification
/// allows is the 20,480 SIDs of a lookup ([MS-LSAT] 2.2.18).
pub const MAX_ELEMENTS: usize = 20_480;

/// The most UTF-16 units a string may have.
pub const MAX_STRING_UNITS: usize = 32_768;

/// One direction of the walk over a value: reading fills it, writing leaves it as it is.
pub trait Coder {
    /// What can go wrong: nothing when writing.
    type Error;

    /// Moves to the next multiple of `to` (a power of two) from the start of the stub.
    fn align(&mut self, to: usize) -> Result<(), Self::Error>;
    /// Bytes as they are.
    fn bytes(&mut self, v: &mut [u8]) -> Result<(), Self::Error>;
    /// The referent identifier of a pointer: whether there is something it points at.
    fn pointer(&mut self, present: bool) -> Result<bool, Self::Error>;
    /// The maximum count of a conformant array whose elements have at least `each` bytes.
    fn count(&mut self, len: usize, each: usize) -> Result<usize, Self::Error>;
    /// Maximum count, offset and actual count of a conformant varying array, as [`Self::count`].
    fn varying(&mut self, max: usize, len: usize, each: usize) -> Result<usize, Self::Error>;
    /// The characters of a conformant varying string. `terminated`: a NUL follows the text and is
    /// counted.
    fn wide(&mut self, text: &mut String, terminated: bool) -> Result<(), Self::Error>;
    /// A SID after its conformance.
    fn sid(&mut self, sid: &mut Sid) -> Result<(), Self::Error>;
    /// A condition between fields that a reader insists on.
    fn check(&mut self, holds: bool) -> Result<(), Self::Error>;

    /// An 8-bit integer.
    fn u8(&mut self, v: &mut u8) -> Result<(), Self::Error> {
        let mut b = [*v];
        self.bytes(&mut b)?;
        [*v] = b;
        Ok(())
    }

    /// A 16-bit integer at its alignment.
    fn u16(&mut self, v: &mut u16) -> Result<(), Self::Error> {
        self.align(2)?;
        let mut b = v.to_le_bytes();
        self.bytes(&mut b)?;
        *v = u16::from_le_bytes(b);
        Ok(())
    }

    /// A 32-bit integer at its alignment.
    fn u32(&mut self, v: &mut u32) -> Result<(), Self::Error> {
        self.align(4)?;
        let mut b = v.to_le_bytes();
        self.bytes(&mut b)?;
        *v = u32::from_le_bytes(b);
        Ok(())
    }

    /// A 64-bit integer at its alignment.
    fn u64(&mut self, v: &mut u64) -> Result<(), Self::Error> {
        self.align(8)?;
        let mut b = v.to_le_bytes();
        self.bytes(&mut b)?;
        *v = u64::from_le_bytes(b);
        Ok(())
    }
}

/// Reads a stub. Every count is compared with the bytes that are left before anything is
/// allocated for it.
#[derive(Debug)]
pub struct Reader<'a> {
    fields: Fields<'a>,
}

impl<'a> Reader<'a> {
    /// A reader of the stub data of one call.
    #[must_use]
    pub fn new(stub: &'a [u8]) -> Self {
        Self {
            fields: Fields::new(stub, WHAT),
        }
    }

    fn len(&mut self, each: usize) -> Result<usize, ParseError> {
        let n = usize::try_from(self.fields.u32()?).map_err(|_| ParseError::TooMany(WHAT))?;
        if n > MAX_ELEMENTS.max(MAX_STRING_UNITS) {
            return Err(ParseError::TooMany(WHAT));
        }
        if n.saturating_mul(each.max(1)) > self.fields.rest().len() {
            return Err(ParseError::Truncated(WHAT));
        }
        Ok(n)
    }
}

impl Coder for Reader<'_> {
    type Error = ParseError;

    fn align(&mut self, to: usize) -> Result<(), ParseError> {
        let at = self.fields.position();
        let next = at.checked_next_multiple_of(to).unwrap_or(at);
        self.fields.skip(next.saturating_sub(at))
    }

    fn bytes(&mut self, v: &mut [u8]) -> Result<(), ParseError> {
        v.copy_from_slice(self.fields.bytes(v.len())?);
        Ok(())
    }

    fn pointer(&mut self, _present: bool) -> Result<bool, ParseError> {
        self.align(4)?;
        Ok(self.fields.u32()? != 0)
    }

    fn count(&mut self, _len: usize, each: usize) -> Result<usize, ParseError> {
        self.align(4)?;
        let n = self.len(each)?;
        if n > MAX_ELEMENTS {
            return Err(ParseError::TooMany(WHAT));
        }
        Ok(n)
    }

    fn varying(&mut self, _max: usize, _len: usize, each: usize) -> Result<usize, ParseError> {
        self.align(4)?;
        let max = self.fields.u32()?;
        let offset = self.fields.u32()?;
        let actual = self.len(each)?;
        if offset != 0 || len32(actual) > max {
            return Err(ParseError::BadValue(WHAT));
        }
        Ok(actual)
    }

    fn wide(&mut self, text: &mut String, terminated: bool) -> Result<(), ParseError> {
        let units = self.varying(0, 0, 2)?;
        let raw = self.fields.bytes(units.saturating_mul(2))?;
        *text = decode_utf16(raw, WHAT)?;
        if terminated && let Some(end) = text.find('\0') {
            text.truncate(end);
        }
        Ok(())
    }

    fn sid(&mut self, sid: &mut Sid) -> Result<(), ParseError> {
        *sid = Sid::read(&mut self.fields)?;
        Ok(())
    }

    fn check(&mut self, holds: bool) -> Result<(), ParseError> {
        if holds {
            Ok(())
        } else {
            Err(ParseError::BadValue(WHAT))
        }
    }
}

/// Writes a stub. Referent identifiers count up from 0x00020000 in steps of four, as those of
/// other implementations do, so that traces are easy to compare.
#[derive(Debug, Default)]
pub struct Writer {
    out: ByteWriter,
    pointers: u32,
}

impl Writer {
    /// A writer of the stub data of one call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The stub.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.out.into_inner().freeze()
    }
}

impl Coder for Writer {
    type Error = Infallible;

    fn align(&mut self, to: usize) -> Result<(), Infallible> {
        self.out.align(to);
        Ok(())
    }

    fn bytes(&mut self, v: &mut [u8]) -> Result<(), Infallible> {
        self.out.bytes(v);
        Ok(())
    }

    fn pointer(&mut self, present: bool) -> Result<bool, Infallible> {
        self.out.align(4);
        if present {
            self.out
                .u32(self.pointers.saturating_mul(4).saturating_add(0x0002_0000));
            self.pointers = self.pointers.saturating_add(1);
        } else {
            self.out.u32(0);
        }
        Ok(present)
    }

    fn count(&mut self, len: usize, _each: usize) -> Result<usize, Infallible> {
        self.out.align(4);
        self.out.u32(len32(len));
        Ok(len)
    }

    fn varying(&mut self, max: usize, len: usize, _each: usize) -> Result<usize, Infallible> {
        self.out.align(4);
        self.out.u32(len32(max.max(len)));
        self.out.u32(0);
        self.out.u32(len32(len));
        Ok(len)
    }

    fn wide(&mut self, text: &mut String, terminated: bool) -> Result<(), Infallible> {
        let units = text
            .encode_utf16()
            .count()
            .saturating_add(usize::from(terminated));
        self.varying(0, units, 2)?;
        self.out.utf16(text);
        if terminated {
            self.out.u16(0);
        }
        Ok(())
    }

    fn sid(&mut self, sid: &mut Sid) -> Result<(), Infallible> {
        sid.encode(&mut self.out);
        Ok(())
    }

    fn check(&mut self, _holds: bool) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A type that can be a parameter, or part of one.
pub trait Ndr: Default {
    /// Alignment of the fixed part, and the least number of bytes that it has.
    const ALIGN: usize;

    /// Walks over the fixed part.
    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error>;

    /// Walks over what the pointers in the fixed part point at.
    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        let _ = c;
        Ok(())
    }

    /// Walks over a whole parameter.
    fn whole<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        self.fixed(c)?;
        self.deferred(c)
    }
}

macro_rules! ndr_integers {
    ($($t:ident = $size:literal),*) => { $(
        impl Ndr for $t {
            const ALIGN: usize = $size;

            fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                c.$t(self)
            }
        }
    )* };
}

/// Nothing, for unions whose other values have no arm.
impl Ndr for () {
    const ALIGN: usize = 1;

    fn fixed<C: Coder>(&mut self, _c: &mut C) -> Result<(), C::Error> {
        Ok(())
    }
}

ndr_integers!(u8 = 1, u16 = 2, u32 = 4, u64 = 8);

/// A unique pointer.
impl<T: Ndr> Ndr for Option<T> {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        let present = c.pointer(self.is_some())?;
        if !present {
            *self = None;
        } else if self.is_none() {
            *self = Some(T::default());
        }
        Ok(())
    }

    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        match self {
            Some(v) => v.whole(c),
            None => Ok(()),
        }
    }
}

/// Only where the value is kept; on the wire there is no difference.
impl<T: Ndr> Ndr for Box<T> {
    const ALIGN: usize = T::ALIGN;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        T::fixed(self, c)
    }

    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        T::deferred(self, c)
    }
}

/// A conformant array.
impl<T: Ndr> Ndr for Vec<T> {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        let n = c.count(self.len(), T::ALIGN)?;
        self.resize_with(n, T::default);
        self.iter_mut().try_for_each(|v| v.fixed(c))
    }

    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        self.iter_mut().try_for_each(|v| v.deferred(c))
    }
}

/// A conformant varying array whose declared size is the constant `MAX`, as in
/// `[size_is(1000), length_is(Count)]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Varying<T, const MAX: usize>(pub Vec<T>);

impl<T: Ndr, const MAX: usize> Ndr for Varying<T, MAX> {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        let n = c.varying(MAX, self.0.len(), T::ALIGN)?;
        c.check(n <= MAX)?;
        self.0.resize_with(n, T::default);
        self.0.iter_mut().try_for_each(|v| v.fixed(c))
    }

    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        self.0.iter_mut().try_for_each(|v| v.deferred(c))
    }
}

/// `[string] wchar_t *`: text with a terminating NUL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct WideStr(pub String);

impl From<&str> for WideStr {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Ndr for WideStr {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        c.wide(&mut self.0, true)
    }
}

/// RPC_UNICODE_STRING, [MS-DTYP] 2.3.10: length and maximum length in bytes (2 each), pointer to
/// the characters, which have no terminator.
///
/// `None` is a NULL buffer. Text is written with equal lengths; text of more than 32,767 units
/// cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UnicodeString(pub Option<String>);

impl UnicodeString {
    /// The text; empty for a NULL buffer.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

impl From<&str> for UnicodeString {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl Ndr for UnicodeString {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        c.align(4)?;
        let units = self.text().encode_utf16().count();
        let mut len = len16(units.saturating_mul(2));
        c.u16(&mut len)?;
        let mut max = len;
        c.u16(&mut max)?;
        c.check(len & 1 == 0 && len <= max)?;
        let present = c.pointer(self.0.is_some())?;
        c.check(present || len == 0)?;
        if !present {
            self.0 = None;
        } else if self.0.is_none() {
            self.0 = Some(String::new());
        }
        Ok(())
    }

    fn deferred<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        match &mut self.0 {
            Some(text) => c.wide(text, false),
            None => Ok(()),
        }
    }
}

/// RPC_SID, [MS-DTYP] 2.4.2.3: a conformant structure.
impl Ndr for Sid {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        let n = c.count(self.sub_authorities().len(), 4)?;
        c.sid(self)?;
        c.check(n == self.sub_authorities().len())
    }
}

/// A context handle, 20 bytes (C706 14.2.15): attributes and a UUID that the server chose. All
/// zero is the closed handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ContextHandle(
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] pub [u8; 20],
);

impl ContextHandle {
    /// What a server answers when it has closed the handle, or could not open it.
    pub const NULL: Self = Self([0; 20]);
}

impl Ndr for ContextHandle {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        c.align(4)?;
        c.bytes(&mut self.0)
    }
}

/// OLD_LARGE_INTEGER, [MS-SAMR] 2.2.2.2: 64 bits aligned like 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OldLargeInteger(pub i64);

impl Ndr for OldLargeInteger {
    const ALIGN: usize = 4;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        c.align(4)?;
        let mut b = self.0.to_le_bytes();
        c.bytes(&mut b)?;
        self.0 = i64::from_le_bytes(b);
        Ok(())
    }
}

/// Bytes in a fixed array, as a GUID.
impl<const N: usize> Ndr for [u8; N]
where
    Self: Default,
{
    const ALIGN: usize = 1;

    fn fixed<C: Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
        c.bytes(self)
    }
}

/// The largest of some alignments.
pub(super) const fn max_align(of: &[usize]) -> usize {
    let mut max = 1;
    let mut rest = of;
    while let Some((&first, more)) = rest.split_first() {
        if first > max {
            max = first;
        }
        rest = more;
    }
    max
}

/// Reads a value from a whole stub. Bytes after it are ignored: a verification trailer may follow
/// ([MS-RPCE] 2.2.2.13).
pub(super) fn parse_stub<T: Ndr>(
    stub: &[u8],
    walk: impl FnOnce(&mut T, &mut Reader<'_>) -> Result<(), ParseError>,
) -> Result<T, ParseError> {
    let mut value = T::default();
    walk(&mut value, &mut Reader::new(stub))?;
    Ok(value)
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macros declare public items")]
mod tests;
