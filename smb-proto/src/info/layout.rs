//! What the structures of this module have in common: fields of fixed size in order, and names
//! behind a length.

use crate::dtyp::{AccessMask, FileTime, Guid};
use crate::info::FileAttributes;
use crate::wire::{Fields, Writer, decode_utf16, len32, utf16_len};
use crate::{NtStatus, ParseError};

/// A field of fixed size.
pub(crate) trait Field: Sized {
    /// Reads it.
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError>;
    /// Appends it.
    fn write(&self, w: &mut Writer);
}

macro_rules! integer_fields {
    ($($int:ident)*) => {$(
        impl Field for $int {
            fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
                f.$int()
            }

            fn write(&self, w: &mut Writer) {
                w.$int(*self);
            }
        }
    )*};
}
integer_fields! { u8 u16 u32 u64 i64 }

/// BOOLEAN, [MS-FSCC] 2.1.8: one byte; anything but zero is true.
impl Field for bool {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        Ok(f.u8()? != 0)
    }

    fn write(&self, w: &mut Writer) {
        w.u8(u8::from(*self));
    }
}

impl Field for u128 {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.array().map(Self::from_le_bytes)
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(&self.to_le_bytes());
    }
}

impl<const N: usize> Field for [u8; N] {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.array()
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(self);
    }
}

impl Field for FileTime {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.filetime()
    }

    fn write(&self, w: &mut Writer) {
        w.filetime(*self);
    }
}

impl Field for Guid {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.guid()
    }

    fn write(&self, w: &mut Writer) {
        w.guid(*self);
    }
}

impl Field for NtStatus {
    fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        f.u32().map(Self)
    }

    fn write(&self, w: &mut Writer) {
        w.u32(self.0);
    }
}

macro_rules! flag_fields {
    ($($flags:ty)*) => {$(
        impl $crate::info::layout::Field for $flags {
            fn read(
                f: &mut $crate::wire::Fields<'_>,
            ) -> Result<Self, $crate::ParseError> {
                f.u32().map(Self::from_bits_retain)
            }

            fn write(&self, w: &mut $crate::wire::Writer) {
                w.u32(self.bits());
            }
        }
    )*};
}
pub(crate) use flag_fields;
flag_fields! { AccessMask FileAttributes }

/// Declares a structure whose fields all have a fixed size, in the order of the wire, with `LEN`,
/// `parse`, `read` and `encode`. `pad N` stands for N reserved bytes at the end.
macro_rules! fixed {
    (
        $(#[$doc:meta])*
        $name:ident($what:literal, $len:literal $(, pad $pad:literal)?) {
            $($(#[$fdoc:meta])* $field:ident: $ty:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $ty,)*
        }

        impl $name {
            /// Bytes on the wire.
            pub const LEN: usize = $len;

            /// Reads it from the beginning of `input`; what follows it is ignored.
            ///
            /// # Errors
            ///
            /// [`ParseError::Truncated`](crate::ParseError::Truncated) if `input` is shorter than
            /// [`Self::LEN`].
            pub fn parse(input: &[u8]) -> Result<Self, $crate::ParseError> {
                Self::read(&mut $crate::wire::Fields::new(input, $what))
            }

            /// Appends it.
            pub fn encode(&self, w: &mut $crate::wire::Writer) {
                $($crate::info::layout::Field::write(&self.$field, w);)*
                $(w.zeros($pad);)?
            }

            /// Reads it where it stands inside another structure.
            pub(crate) fn read(
                f: &mut $crate::wire::Fields<'_>,
            ) -> Result<Self, $crate::ParseError> {
                let it = Self {
                    $($field: <$ty as $crate::info::layout::Field>::read(f)?,)*
                };
                $(f.skip($pad)?;)?
                Ok(it)
            }
        }

        #[cfg(test)]
        impl $crate::info::layout::testing::Fixed for $name {
            const LEN: usize = Self::LEN;

            fn parse(input: &[u8]) -> Result<Self, $crate::ParseError> {
                Self::parse(input)
            }

            fn encode(&self, w: &mut $crate::wire::Writer) {
                self.encode(w);
            }
        }
    };
}
pub(crate) use fixed;

/// Reads a length in bytes (4 bytes) and the UTF-16LE name right behind it.
pub(crate) fn read_name(f: &mut Fields<'_>) -> Result<String, ParseError> {
    let len = read_len(f)?;
    let what = f.what();
    let name = f.bytes(len).map_err(|_| ParseError::OutOfBounds(what))?;
    decode_utf16(name, what)
}

/// Reads a length of 4 bytes.
pub(crate) fn read_len(f: &mut Fields<'_>) -> Result<usize, ParseError> {
    let what = f.what();
    usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))
}

/// Appends what [`read_name`] reads.
pub(crate) fn write_name(w: &mut Writer, name: &str) {
    w.u32(len32(utf16_len(name)));
    w.utf16(name);
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A structure made by [`fixed`].
    pub(crate) trait Fixed: Sized + PartialEq + std::fmt::Debug {
        const LEN: usize;
        fn parse(input: &[u8]) -> Result<Self, ParseError>;
        fn encode(&self, w: &mut Writer);
    }

    /// What `encode` writes.
    pub(crate) fn bytes_of(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut w = Writer::new();
        encode(&mut w);
        w.into_inner().to_vec()
    }

    /// `input` parses, encodes to `reserved`-masked itself, and every shorter input is refused.
    pub(crate) fn check_fixed<T: Fixed>(input: &[u8]) {
        let value = T::parse(input).expect("long enough");
        let out = bytes_of(|w| value.encode(w));
        assert_eq!(out.len(), T::LEN);
        assert_eq!(T::parse(&out).as_ref(), Ok(&value));
        for cut in 0..T::LEN {
            assert!(
                matches!(T::parse(&input[..cut]), Err(ParseError::Truncated(_))),
                "{cut} bytes"
            );
        }
    }

    /// Parsing never panics, whatever is cut off.
    pub(crate) fn survives_cuts<T>(input: &[u8], parse: impl Fn(&[u8]) -> Result<T, ParseError>) {
        for cut in 0..=input.len() {
            let _ = parse(&input[..cut]);
        }
    }
}
