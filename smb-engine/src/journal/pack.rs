//! Values as bytes: numbers little-endian, lists and texts behind their length.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

/// What a journal cannot mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It ends inside a value.
    #[error("{0} ends too early")]
    Short(&'static str),
    /// A value that there is not.
    #[error("{0} has a value that it cannot have")]
    Value(&'static str),
    /// A frame that is not what was written.
    #[error("the checksum is wrong")]
    Checksum,
    /// More bytes than the value has.
    #[error("{0} has bytes left over")]
    Long(&'static str),
}

/// Bytes being read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(DecodeError::Short("value"))?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Short("number"))?;
        self.0 = rest;
        Ok(*head)
    }

    /// A length, which cannot exceed what is left: nothing takes less than a byte.
    pub(crate) fn len(&mut self) -> Result<usize, DecodeError> {
        let len = u32::from_le_bytes(self.array()?);
        let len = usize::try_from(len).map_err(|_| DecodeError::Value("length"))?;
        if len > self.0.len() {
            return Err(DecodeError::Short("list"));
        }
        Ok(len)
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Long(what))
        }
    }
}

/// Writes a length.
pub(crate) fn put_len(len: usize, out: &mut Vec<u8>) {
    // What does not fit is cut when the frame is found too long.
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// A value that can be written down.
pub(crate) trait Pack: Sized {
    fn pack(&self, out: &mut Vec<u8>);
    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! number {
    ($($type:ty)*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.array().map(Self::from_le_bytes)
            }
        })*
    };
}

number! { u8 u16 u32 u64 u128 }

impl Pack for usize {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).pack(out);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::try_from(u64::unpack(r)?).unwrap_or(Self::MAX))
    }
}

impl Pack for bool {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::unpack(r)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value("truth value")),
        }
    }
}

impl Pack for String {
    fn pack(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend(self.as_bytes());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.len()?;
        let bytes = r.bytes(len)?.to_vec();
        Self::from_utf8(bytes).map_err(|_| DecodeError::Value("text"))
    }
}

impl Pack for Bytes {
    fn pack(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend_from_slice(self);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.len()?;
        r.bytes(len).map(Self::copy_from_slice)
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        for item in self {
            item.pack(out);
        }
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.len()?;
        (0..len).map(|_| T::unpack(r)).collect()
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bool::unpack(r)?.then(|| T::unpack(r)).transpose()
    }
}

impl<T: Pack> Pack for Box<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.as_ref().pack(out);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::unpack(r).map(Self::new)
    }
}

impl<T: Pack, E: Pack> Pack for Result<T, E> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_ok().pack(out);
        match self {
            Ok(value) => value.pack(out),
            Err(e) => e.pack(out),
        }
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match bool::unpack(r)? {
            true => Ok(T::unpack(r)?),
            false => Err(E::unpack(r)?),
        })
    }
}

impl Pack for Duration {
    fn pack(&self, out: &mut Vec<u8>) {
        self.as_nanos().pack(out);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let nanos = u128::unpack(r)?;
        let seconds = u64::try_from(nanos / 1_000_000_000);
        let rest = u32::try_from(nanos % 1_000_000_000);
        match (seconds, rest) {
            (Ok(seconds), Ok(rest)) => Ok(Self::new(seconds, rest)),
            _ => Err(DecodeError::Value("duration")),
        }
    }
}

impl Pack for IpAddr {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(a) => {
                out.push(4);
                out.extend(a.octets());
            }
            Self::V6(a) => {
                out.push(6);
                out.extend(a.octets());
            }
        }
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::unpack(r)? {
            4 => Ok(Self::from(r.array::<4>()?)),
            6 => Ok(Self::from(r.array::<16>()?)),
            _ => Err(DecodeError::Value("address")),
        }
    }
}

/// A structure: its fields one after the other. One that is forgotten does not compile.
macro_rules! record {
    ($($type:ident { $($field:ident)* })*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($field.pack(out);)*
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: Pack::unpack(r)?),* })
            }
        })*
    };
}

/// An enumeration: a number for the variant, then its fields.
macro_rules! choice {
    ($($type:ident { $($number:literal $variant:ident $(($($part:ident),*))? $({$($field:ident),*})?)* })*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($part),*))? $({$($field),*})? => {
                        out.push($number);
                        $($($part.pack(out);)*)?
                        $($($field.pack(out);)*)?
                    })*
                }
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match u8::unpack(r)? {
                    $($number => Ok(Self::$variant
                        $(($({
                            let $part = Pack::unpack(r)?;
                            $part
                        }),*))?
                        $({$($field: Pack::unpack(r)?),*})?),)*
                    _ => Err(DecodeError::Value(stringify!($type))),
                }
            }
        })*
    };
}

pub(crate) use {choice, record};
