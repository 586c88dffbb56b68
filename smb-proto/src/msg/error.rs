//! ERROR response, [MS-SMB2] 2.2.2: the body of every response whose status is a failure, and of
//! interim responses.

use bitflags::bitflags;
use bytes::Bytes;

use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer, decode_utf16, len16, len32, slice_of, sub_slice};
use crate::{Dialect, ParseError};

/// The most addresses that are read from one share redirect.
pub const MAX_ADDRESSES: usize = 64;

/// ERROR response, [MS-SMB2] 2.2.2.
///
/// Layout from the end of the header: StructureSize (2 bytes, 9), ErrorContextCount (1), Reserved
/// (1), ByteCount (4), ErrorData (ByteCount; one zero byte if that is 0).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// ErrorData.
    pub data: ErrorData,
}

/// ErrorData in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ErrorData {
    /// Data as [MS-SMB2] 2.2.2.2 defines them by status; usually empty.
    Plain(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] Bytes),
    /// Dialect 3.1.1: the data within contexts, [MS-SMB2] 2.2.2.1. At most 255; an empty list
    /// cannot be told from empty plain data and reads back as such.
    Contexts(Vec<ErrorContext>),
}

impl Default for ErrorData {
    fn default() -> Self {
        Self::Plain(Bytes::new())
    }
}

/// SMB2 ERROR Context, [MS-SMB2] 2.2.2.1: ErrorDataLength (4 bytes), ErrorId (4), data; each at a
/// multiple of 8 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ErrorContext {
    /// ErrorId: [`Self::DEFAULT`] or [`Self::SHARE_REDIRECT`].
    pub error_id: u32,
    /// ErrorContextData.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
}

impl ErrorContext {
    /// SMB2_ERROR_ID_DEFAULT
    pub const DEFAULT: u32 = 0;
    /// SMB2_ERROR_ID_SHARE_REDIRECT: the data are a [`ShareRedirect`].
    pub const SHARE_REDIRECT: u32 = 0x7264_5253;
}

impl Response {
    /// A response without data.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A response with data of the kind that the status defines, in the form of `dialect`:
    /// 3.1.1 puts them into a context ([MS-SMB2] 2.2.2.1).
    #[must_use]
    pub fn with_data(data: Bytes, dialect: Dialect) -> Self {
        let data = match dialect {
            Dialect::Smb311 => ErrorData::Contexts(vec![ErrorContext {
                error_id: ErrorContext::DEFAULT,
                data,
            }]),
            Dialect::Smb202 | Dialect::Smb210 | Dialect::Smb300 | Dialect::Smb302 => {
                ErrorData::Plain(data)
            }
        };
        Self { data }
    }

    /// The data of STATUS_BUFFER_TOO_SMALL: the length in bytes that would do
    /// ([MS-SMB2] 2.2.2.2).
    #[must_use]
    pub fn buffer_too_small(required: u32, dialect: Dialect) -> Self {
        Self::with_data(Bytes::copy_from_slice(&required.to_le_bytes()), dialect)
    }

    /// The data of STATUS_STOPPED_ON_SYMLINK ([MS-SMB2] 2.2.2.2.1).
    #[must_use]
    pub fn stopped_on_symlink(link: &SymbolicLink, dialect: Dialect) -> Self {
        let mut w = Writer::new();
        link.encode(&mut w);
        Self::with_data(w.into_inner().freeze(), dialect)
    }

    /// The data that belong to the status, in whichever form they came: plain, or those of the
    /// first context with the default id. `None` if only other contexts came.
    #[must_use]
    pub fn status_data(&self) -> Option<&Bytes> {
        match &self.data {
            ErrorData::Plain(data) => Some(data),
            ErrorData::Contexts(contexts) => contexts
                .iter()
                .find(|c| c.error_id == ErrorContext::DEFAULT)
                .map(|c| &c.data),
        }
    }

    /// The required length that STATUS_BUFFER_TOO_SMALL carries; `None` if there is none.
    #[must_use]
    pub fn required_length(&self) -> Option<u32> {
        let (length, _) = self.status_data()?.split_first_chunk::<4>()?;
        Some(u32::from_le_bytes(*length))
    }

    /// Reads the body of a message element that begins at its SMB2 header. The one byte of empty
    /// data may be missing, as it is from some servers.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::BadStructure`] for another StructureSize,
    /// [`ParseError::OutOfBounds`] for data or a context longer than the message.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "ERROR response";
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        f.structure_size(9)?;
        let context_count = f.u8()?;
        f.skip(1)?;
        let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(WHAT))?;
        let data = slice_of(element, f.position(), len, f.position(), WHAT)?;
        if context_count == 0 {
            return Ok(Self {
                data: ErrorData::Plain(data),
            });
        }
        let mut contexts = Vec::with_capacity(context_count.into());
        let mut at = 0;
        for _ in 0..context_count {
            let mut f = Fields::at(&data, at, "error context")?;
            let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(WHAT))?;
            let error_id = f.u32()?;
            let begin = f.position();
            contexts.push(ErrorContext {
                error_id,
                data: slice_of(&data, begin, len, begin, "error context")?,
            });
            at = begin
                .checked_add(len)
                .and_then(|end| end.checked_next_multiple_of(8))
                .ok_or(ParseError::OutOfBounds("error context"))?;
        }
        Ok(Self {
            data: ErrorData::Contexts(contexts),
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        let (count, contexts) = match &self.data {
            ErrorData::Plain(_) => (0, [].as_slice()),
            ErrorData::Contexts(c) => {
                // The count is one byte; what it cannot count is not written either.
                let count = u8::try_from(c.len()).unwrap_or(u8::MAX);
                (count, c.get(..count.into()).unwrap_or(&[]))
            }
        };
        w.u16(9);
        w.u8(count);
        w.u8(0);
        let byte_count = w.position();
        w.u32(0);
        let begin = w.position();
        if let ErrorData::Plain(data) = &self.data {
            w.bytes(data);
        }
        for context in contexts {
            w.align(8);
            w.u32(len32(context.data.len()));
            w.u32(context.error_id);
            w.bytes(&context.data);
        }
        let len = w.position().saturating_sub(begin);
        w.patch_u32(byte_count, len32(len));
        if len == 0 {
            w.u8(0);
        }
    }
}

bitflags! {
    /// Flags of a symbolic link, [MS-SMB2] 2.2.2.2.1.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SymlinkFlags: u32 {
        /// SYMLINK_FLAG_RELATIVE: the target is relative to the directory of the link.
        const RELATIVE = 0x0000_0001;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// Symbolic Link Error Response, [MS-SMB2] 2.2.2.2.1.
///
/// Layout: SymLinkLength (4 bytes), SymLinkErrorTag (4, "SYML"), ReparseTag (4, 0xA000000C),
/// ReparseDataLength (2), UnparsedPathLength (2), SubstituteNameOffset (2), SubstituteNameLength
/// (2), PrintNameOffset (2), PrintNameLength (2), Flags (4); PathBuffer, from which the offsets
/// count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SymbolicLink {
    /// UnparsedPathLength: bytes of the requested path (in UTF-16LE) that follow the link.
    pub unparsed_path_length: u16,
    /// SubstituteName: where the link points.
    pub substitute_name: String,
    /// PrintName: the same for people.
    pub print_name: String,
    /// Flags.
    pub flags: SymlinkFlags,
}

impl SymbolicLink {
    const ERROR_TAG: u32 = 0x4c4d_5953;
    const REPARSE_TAG: u32 = 0xa000_000c;
    /// Offset of PathBuffer.
    const FIXED: usize = 28;

    /// Reads the structure at the start of `data`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::BadStructure`] for another tag,
    /// [`ParseError::OutOfBounds`] for a name outside the data, [`ParseError::BadString`].
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        const WHAT: &str = "symbolic link error";
        let mut f = Fields::new(data, WHAT);
        f.skip(4)?;
        if f.u32()? != Self::ERROR_TAG || f.u32()? != Self::REPARSE_TAG {
            return Err(ParseError::BadStructure(WHAT));
        }
        f.skip(2)?;
        let unparsed_path_length = f.u16()?;
        let [substitute, print] = [(f.u16()?, f.u16()?), (f.u16()?, f.u16()?)];
        let flags = SymlinkFlags::from_bits_retain(f.u32()?);
        let buffer = f.rest();
        let name = |(offset, len): (u16, u16)| {
            let bytes = sub_slice(buffer, offset.into(), len.into(), 0, WHAT)?;
            decode_utf16(bytes, WHAT)
        };
        Ok(Self {
            unparsed_path_length,
            substitute_name: name(substitute)?,
            print_name: name(print)?,
            flags,
        })
    }

    /// Appends the structure. The names together must be below 64 KiB in UTF-16LE.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        w.zeros(4);
        w.u32(Self::ERROR_TAG);
        w.u32(Self::REPARSE_TAG);
        w.u16(0);
        w.u16(self.unparsed_path_length);
        w.zeros(8);
        w.u32(self.flags.bits());
        let buffer = w.position();
        debug_assert_eq!(buffer, start.saturating_add(Self::FIXED));
        w.utf16(&self.substitute_name);
        let substitute_len = w.position().saturating_sub(buffer);
        w.utf16(&self.print_name);
        let total = w.position().saturating_sub(buffer);
        let print_len = total.saturating_sub(substitute_len);
        let at = |offset: usize| start.saturating_add(offset);
        w.patch_u32(at(0), len32(total.saturating_add(24)));
        w.patch_u16(at(12), len16(total.saturating_add(12)));
        w.patch_u16(at(16), 0);
        w.patch_u16(at(18), len16(substitute_len));
        w.patch_u16(at(20), len16(substitute_len));
        w.patch_u16(at(22), len16(print_len));
    }
}

/// MOVE_DST_IPADDR, [MS-SMB2] 2.2.2.2.2.1: Type (4 bytes), Reserved (4), address (16; an IPv4
/// address in the first four). Addresses are in network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum MoveAddress {
    /// MOVE_DST_IPADDR_V4
    V4(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] [u8; 4]),
    /// MOVE_DST_IPADDR_V6
    V6(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))] [u8; 16]),
}

/// Share Redirect Error Context Response, [MS-SMB2] 2.2.2.2.2.
///
/// Layout: StructureSize (4 bytes, 48), NotificationType (4, 3), ResourceNameOffset (4, from the
/// start of this structure), ResourceNameLength (4), Reserved (2), TargetType (2, 0), IPAddrCount
/// (4), IPAddrMoveList (24 each), ResourceName.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ShareRedirect {
    /// IPAddrMoveList: where the share is now.
    pub addresses: Vec<MoveAddress>,
    /// ResourceName: the share's name.
    pub resource_name: String,
}

impl ShareRedirect {
    const WHAT: &'static str = "share redirect error";
    /// SHARE_MOVE_NOTIFICATION
    const NOTIFICATION_TYPE: u32 = 3;

    /// Reads the structure at the start of `data`.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::BadStructure`] for another StructureSize,
    /// [`ParseError::BadValue`] for another NotificationType or an unknown type of address,
    /// [`ParseError::TooMany`] above [`MAX_ADDRESSES`], [`ParseError::OutOfBounds`] and
    /// [`ParseError::BadString`] for the name.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let what = Self::WHAT;
        let wide = |v: u32| usize::try_from(v).map_err(|_| ParseError::OutOfBounds(what));
        let mut f = Fields::new(data, what);
        if f.u32()? != 48 {
            return Err(ParseError::BadStructure(what));
        }
        if f.u32()? != Self::NOTIFICATION_TYPE {
            return Err(ParseError::BadValue(what));
        }
        let name_offset = wide(f.u32()?)?;
        let name_len = wide(f.u32()?)?;
        f.skip(4)?;
        let count = wide(f.u32()?)?;
        if count > MAX_ADDRESSES {
            return Err(ParseError::TooMany(what));
        }
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = f.u32()?;
            f.skip(4)?;
            let address = f.array::<16>()?;
            let [a, b, c, d, ..] = address;
            addresses.push(match kind {
                1 => MoveAddress::V4([a, b, c, d]),
                2 => MoveAddress::V6(address),
                _ => return Err(ParseError::BadValue(what)),
            });
        }
        let name = sub_slice(data, name_offset, name_len, f.position(), what)?;
        Ok(Self {
            addresses,
            resource_name: decode_utf16(name, what)?,
        })
    }

    /// Appends the structure.
    pub fn encode(&self, w: &mut Writer) {
        let start = w.position();
        w.u32(48);
        w.u32(Self::NOTIFICATION_TYPE);
        w.zeros(8);
        w.zeros(4);
        w.u32(len32(self.addresses.len()));
        for address in &self.addresses {
            match address {
                MoveAddress::V4(v4) => {
                    w.u32(1);
                    w.u32(0);
                    w.bytes(v4);
                    w.zeros(12);
                }
                MoveAddress::V6(v6) => {
                    w.u32(2);
                    w.u32(0);
                    w.bytes(v6);
                }
            }
        }
        let name = w.position();
        w.utf16(&self.resource_name);
        let name_len = w.position().saturating_sub(name);
        let at = |offset: usize| start.saturating_add(offset);
        w.patch_u32(at(8), len32(name.saturating_sub(start)));
        w.patch_u32(at(12), len32(name_len));
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, truncations};
    use super::*;

    #[test]
    fn no_data_is_one_zero_byte() {
        let e = element(|w| Response::empty().encode(w));
        assert_eq!(e[64..], [9, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Response::parse(&e), Ok(Response::empty()));
        assert_eq!(Response::parse(&e.slice(..72)), Ok(Response::empty()));
        truncations(&e, 72, Response::parse);
        let long = Response::parse(&element_of(&[9, 0, 0, 0, 2, 0, 0, 0, 0]));
        assert!(matches!(long, Err(ParseError::OutOfBounds(_))));
        let size = Response::parse(&element_of(&[8, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(matches!(size, Err(ParseError::BadStructure(_))));
    }

    #[test]
    fn only_311_puts_data_into_a_context() {
        for dialect in Dialect::ALL {
            let r = Response::buffer_too_small(0x102, dialect);
            let e = element(|w| r.encode(w));
            let expected = match dialect {
                Dialect::Smb311 => "0900 01 00 0c000000 04000000 00000000 02010000",
                _ => "0900 00 00 04000000 02010000",
            };
            assert_eq!(&e[64..], hex(expected), "{dialect}");
            assert_eq!(Response::parse(&e).unwrap().required_length(), Some(0x102));
        }
        assert_eq!(Response::empty().required_length(), None);
        let redirect = Response {
            data: ErrorData::Contexts(vec![ErrorContext {
                error_id: ErrorContext::SHARE_REDIRECT,
                data: Bytes::from_static(&[1, 0, 0, 0]),
            }]),
        };
        assert_eq!(redirect.required_length(), None);
    }

    #[test]
    fn symbolic_link_layout() {
        // Of the requested path the four bytes of `\x` follow the link.
        let link = SymbolicLink {
            unparsed_path_length: 4,
            substitute_name: "tt".to_owned(),
            print_name: "p".to_owned(),
            flags: SymlinkFlags::RELATIVE,
        };
        let r = Response::stopped_on_symlink(&link, Dialect::Smb302);
        let expected =
            hex("1e000000 53594d4c 0c0000a0 1200 0400 0000 0400 0400 0200 01000000 7400 7400 7000");
        assert_eq!(r.status_data().unwrap(), &expected);
        assert_eq!(SymbolicLink::parse(&expected), Ok(link.clone()));
        let mut other = expected.clone();
        other[4] = 0;
        let refused = SymbolicLink::parse(&other);
        assert!(matches!(refused, Err(ParseError::BadStructure(_))));
        // In 3.1.1 the same bytes follow the eight of a context.
        let r = Response::stopped_on_symlink(&link, Dialect::Smb311);
        assert_eq!(r.status_data().unwrap(), &expected);
    }

    #[test]
    fn share_redirect_layout() {
        let redirect = ShareRedirect {
            addresses: vec![MoveAddress::V4([192, 0, 2, 1])],
            resource_name: "s".to_owned(),
        };
        let mut w = Writer::new();
        redirect.encode(&mut w);
        let expected = hex("30000000 03000000 30000000 02000000 0000 0000 01000000
             01000000 00000000 c0000201 000000000000000000000000 7300");
        assert_eq!(w.written(), expected);
        for (at, error) in [
            (0, ParseError::BadStructure(ShareRedirect::WHAT)),
            (4, ParseError::BadValue(ShareRedirect::WHAT)),
            (8, ParseError::OutOfBounds(ShareRedirect::WHAT)),
            (20, ParseError::TooMany(ShareRedirect::WHAT)),
            (24, ParseError::BadValue(ShareRedirect::WHAT)),
        ] {
            let mut other = expected.clone();
            other[at] = 0x41;
            assert_eq!(ShareRedirect::parse(&other), Err(error));
        }
    }

    proptest! {
        #[test]
        fn plain_round_trip(data in vec(any::<u8>(), 0..40)) {
            let needed = 72 + data.len();
            let r = Response { data: ErrorData::Plain(data.into()) };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Response::parse(&e), Ok(r));
            truncations(&e, needed, Response::parse);
        }

        #[test]
        fn contexts_round_trip(
            contexts in vec((any::<u32>(), vec(any::<u8>(), 0..20)), 1..5),
        ) {
            let contexts = contexts
                .into_iter()
                .map(|(error_id, data)| ErrorContext { error_id, data: data.into() })
                .collect();
            let r = Response { data: ErrorData::Contexts(contexts) };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Response::parse(&e), Ok(r));
            truncations(&e, e.len(), Response::parse);
        }

        #[test]
        fn any_bytes_are_survived(
            count in 0u8..5,
            len in 0u8..60,
            data in vec(prop_oneof![Just(0), any::<u8>()], 0..60),
        ) {
            let mut body = vec![9, 0, count, 0, len, 0, 0, 0];
            body.extend_from_slice(&data);
            if let Ok(r) = Response::parse(&element_of(&body)) {
                let e = element(|w| r.encode(w));
                prop_assert_eq!(Response::parse(&e), Ok(r));
            }
            let _ = SymbolicLink::parse(&data);
            let _ = ShareRedirect::parse(&data);
        }

        #[test]
        fn symbolic_link_round_trip(
            (unparsed, flags) in any::<(u16, u32)>(),
            substitute in ".{0,12}",
            print in ".{0,12}",
        ) {
            let link = SymbolicLink {
                unparsed_path_length: unparsed,
                substitute_name: substitute,
                print_name: print,
                flags: SymlinkFlags::from_bits_retain(flags),
            };
            let mut w = Writer::new();
            link.encode(&mut w);
            let raw = w.written();
            prop_assert_eq!(SymbolicLink::parse(raw), Ok(link));
            for n in 0..raw.len() {
                prop_assert!(SymbolicLink::parse(&raw[..n]).is_err());
            }
        }

        #[test]
        fn share_redirect_round_trip(
            addresses in vec(
                prop_oneof![
                    any::<[u8; 4]>().prop_map(MoveAddress::V4),
                    any::<[u8; 16]>().prop_map(MoveAddress::V6),
                ],
                0..4,
            ),
            resource_name in ".{0,12}",
        ) {
            let redirect = ShareRedirect { addresses, resource_name };
            let mut w = Writer::new();
            redirect.encode(&mut w);
            let raw = w.written();
            prop_assert_eq!(ShareRedirect::parse(raw), Ok(redirect));
            for n in 0..raw.len() {
                prop_assert!(ShareRedirect::parse(&raw[..n]).is_err());
            }
        }
    }
}
