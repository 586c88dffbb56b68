//! TREE_CONNECT, [MS-SMB2] 2.2.9 and 2.2.10.

use bitflags::bitflags;
use bytes::Bytes;

use super::context_list::{self, List};
use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer, decode_utf16, len16, len32, sub_slice};

/// The most tree connect contexts that are read from one request; one type is defined.
pub const MAX_CONTEXTS: u16 = 16;

bitflags! {
    /// Flags of the request, [MS-SMB2] 2.2.9. Reserved outside dialect 3.1.1.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct TreeConnectFlags: u16 {
        /// SMB2_TREE_CONNECT_FLAG_CLUSTER_RECONNECT
        const CLUSTER_RECONNECT = 0x0001;
        /// SMB2_TREE_CONNECT_FLAG_REDIRECT_TO_OWNER: a share redirect is understood.
        const REDIRECT_TO_OWNER = 0x0002;
        /// SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT: the buffer begins with an extension.
        const EXTENSION_PRESENT = 0x0004;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// ShareFlags of the response, [MS-SMB2] 2.2.10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ShareFlags: u32 {
        /// SMB2_SHAREFLAG_DFS
        const DFS = 0x0000_0001;
        /// SMB2_SHAREFLAG_DFS_ROOT
        const DFS_ROOT = 0x0000_0002;
        /// SMB2_SHAREFLAG_AUTO_CACHING. The two bits of [`Self::CACHING_MASK`] are one value.
        const AUTO_CACHING = 0x0000_0010;
        /// SMB2_SHAREFLAG_VDO_CACHING
        const VDO_CACHING = 0x0000_0020;
        /// SMB2_SHAREFLAG_NO_CACHING
        const NO_CACHING = 0x0000_0030;
        /// Where the caching policy lies; zero is SMB2_SHAREFLAG_MANUAL_CACHING.
        const CACHING_MASK = 0x0000_0030;
        /// SMB2_SHAREFLAG_RESTRICT_EXCLUSIVE_OPENS
        const RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100;
        /// SMB2_SHAREFLAG_FORCE_SHARED_DELETE
        const FORCE_SHARED_DELETE = 0x0000_0200;
        /// SMB2_SHAREFLAG_ALLOW_NAMESPACE_CACHING
        const ALLOW_NAMESPACE_CACHING = 0x0000_0400;
        /// SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM
        const ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800;
        /// SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK
        const FORCE_LEVELII_OPLOCK = 0x0000_1000;
        /// SMB2_SHAREFLAG_ENABLE_HASH_V1
        const ENABLE_HASH_V1 = 0x0000_2000;
        /// SMB2_SHAREFLAG_ENABLE_HASH_V2
        const ENABLE_HASH_V2 = 0x0000_4000;
        /// SMB2_SHAREFLAG_ENCRYPT_DATA
        const ENCRYPT_DATA = 0x0000_8000;
        /// SMB2_SHAREFLAG_IDENTITY_REMOTING
        const IDENTITY_REMOTING = 0x0004_0000;
        /// SMB2_SHAREFLAG_COMPRESS_DATA
        const COMPRESS_DATA = 0x0010_0000;
        /// SMB2_SHAREFLAG_ISOLATED_TRANSPORT
        const ISOLATED_TRANSPORT = 0x0020_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

bitflags! {
    /// Capabilities of the response, [MS-SMB2] 2.2.10.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ShareCapabilities: u32 {
        /// SMB2_SHARE_CAP_DFS
        const DFS = 0x0000_0008;
        /// SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY
        const CONTINUOUS_AVAILABILITY = 0x0000_0010;
        /// SMB2_SHARE_CAP_SCALEOUT
        const SCALEOUT = 0x0000_0020;
        /// SMB2_SHARE_CAP_CLUSTER
        const CLUSTER = 0x0000_0040;
        /// SMB2_SHARE_CAP_ASYMMETRIC
        const ASYMMETRIC = 0x0000_0080;
        /// SMB2_SHARE_CAP_REDIRECT_TO_OWNER
        const REDIRECT_TO_OWNER = 0x0000_0100;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// ShareType of the response, [MS-SMB2] 2.2.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ShareType(pub u8);

impl ShareType {
    /// SMB2_SHARE_TYPE_DISK
    pub const DISK: Self = Self(0x01);
    /// SMB2_SHARE_TYPE_PIPE
    pub const PIPE: Self = Self(0x02);
    /// SMB2_SHARE_TYPE_PRINT
    pub const PRINT: Self = Self(0x03);
}

/// SMB2_TREE_CONNECT_CONTEXT, [MS-SMB2] 2.2.9.2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TreeConnectContext {
    /// ContextType, for instance [`Self::REMOTED_IDENTITY`].
    pub context_type: u16,
    /// Data.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub data: Bytes,
}

impl TreeConnectContext {
    /// SMB2_REMOTED_IDENTITY_TREE_CONNECT_CONTEXT_ID, [MS-SMB2] 2.2.9.2.1.
    pub const REMOTED_IDENTITY: u16 = 0x0001;
}

/// TREE_CONNECT request, [MS-SMB2] 2.2.9.
///
/// Layout from the end of the header: StructureSize (2 bytes, 9), Flags (2), PathOffset (2),
/// PathLength (2); then the path. With EXTENSION_PRESENT ([MS-SMB2] 2.2.9.1) there is before the
/// path: TreeConnectContextOffset (4), TreeConnectContextCount (2), Reserved (10); and after it
/// the contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Flags as received; without meaning before dialect 3.1.1.
    pub flags: TreeConnectFlags,
    /// The path, `\\server\share`, as received.
    pub path: String,
    /// Tree connect contexts of the extension.
    pub contexts: Vec<TreeConnectContext>,
}

impl Request {
    /// Length of the fixed part of the body.
    const FIXED: usize = 8;
    /// Length of the extension in front of the path.
    const EXTENSION: usize = 16;

    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// The extension is read if its flag is set and PathOffset leaves room for it. A path that
    /// begins where the extension should be is how a client of an older dialect writes it, for
    /// which the flags are a reserved field to be ignored.
    ///
    /// TreeConnectContextOffset is taken to count from the SMB2 header, as all other offsets of
    /// requests do; the specification says "the start of the SMB2 TREE_CONNECT request".
    ///
    /// # Errors
    /// [`ParseError::Truncated`], [`ParseError::OutOfBounds`] for a path or context outside the
    /// message, [`ParseError::BadString`] for a path that is not UTF-16LE,
    /// [`ParseError::TooMany`] above [`MAX_CONTEXTS`].
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        const WHAT: &str = "TREE_CONNECT request";
        let mut f = Fields::at(element, HEADER_LEN, WHAT)?;
        f.structure_size(9)?;
        let flags = TreeConnectFlags::from_bits_retain(f.u16()?);
        let offset = usize::from(f.u16()?);
        let len = usize::from(f.u16()?);
        let fixed_end = f.position();
        let path = sub_slice(element, offset, len, fixed_end, WHAT)?;
        let path = decode_utf16(path, WHAT)?;
        let extension_end = fixed_end.saturating_add(Self::EXTENSION);
        let contexts =
            if flags.contains(TreeConnectFlags::EXTENSION_PRESENT) && offset >= extension_end {
                let list = List {
                    offset: f.u32()?,
                    count: f.u16()?,
                    max: MAX_CONTEXTS,
                    fixed_end: extension_end,
                };
                f.skip(10)?;
                list.parse(element, "tree connect contexts")?
            } else {
                Vec::new()
            };
        let contexts = contexts
            .into_iter()
            .map(|(context_type, data)| TreeConnectContext { context_type, data })
            .collect();
        Ok(Self {
            flags,
            path,
            contexts,
        })
    }

    /// Appends the body. With contexts the flag EXTENSION_PRESENT is set.
    pub fn encode(&self, w: &mut Writer) {
        let mut flags = self.flags;
        if !self.contexts.is_empty() {
            flags |= TreeConnectFlags::EXTENSION_PRESENT;
        }
        let extended = flags.contains(TreeConnectFlags::EXTENSION_PRESENT);
        let start = w.position();
        let extension = start.saturating_add(Self::FIXED);
        let path = if extended {
            extension.saturating_add(Self::EXTENSION)
        } else {
            extension
        };
        w.u16(9);
        w.u16(flags.bits());
        w.u16(len16(path));
        w.u16(0);
        w.zeros(path.saturating_sub(extension));
        w.utf16(&self.path);
        let path_len = len16(w.position().saturating_sub(path));
        w.patch_u16(start.saturating_add(6), path_len);
        if !self.contexts.is_empty() {
            w.align(8);
            w.patch_u32(extension, len32(w.position()));
            w.patch_u16(extension.saturating_add(4), len16(self.contexts.len()));
            for context in &self.contexts {
                context_list::encode_one(w, context.context_type, |w| w.bytes(&context.data));
            }
        }
    }
}

/// TREE_CONNECT response, [MS-SMB2] 2.2.10.
///
/// Layout from the end of the header: StructureSize (2 bytes, 16), ShareType (1), Reserved (1),
/// ShareFlags (4), Capabilities (4), MaximalAccess (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// ShareType.
    pub share_type: ShareType,
    /// ShareFlags.
    pub share_flags: ShareFlags,
    /// Capabilities.
    pub capabilities: ShareCapabilities,
    /// MaximalAccess: an access mask ([MS-SMB2] 2.2.13.1) of what the user may do on the share.
    pub maximal_access: u32,
}

impl Response {
    /// Reads the body of a message element that begins at its SMB2 header.
    ///
    /// # Errors
    /// [`ParseError::Truncated`], and [`ParseError::BadStructure`] for another StructureSize.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, "TREE_CONNECT response")?;
        f.structure_size(16)?;
        let share_type = ShareType(f.u8()?);
        f.skip(1)?;
        Ok(Self {
            share_type,
            share_flags: ShareFlags::from_bits_retain(f.u32()?),
            capabilities: ShareCapabilities::from_bits_retain(f.u32()?),
            maximal_access: f.u32()?,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(16);
        w.u8(self.share_type.0);
        w.u8(0);
        w.u32(self.share_flags.bits());
        w.u32(self.capabilities.bits());
        w.u32(self.maximal_access);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, truncations};
    use super::*;

    #[test]
    fn request_of_a_real_client() {
        let e = element_of(&hex(
            "0900 0000 4800 2000 5c005c003100320037002e0030002e0030002e0031005c006400610074006100",
        ));
        let request = Request::parse(&e).unwrap();
        let expected = Request {
            path: r"\\127.0.0.1\data".to_owned(),
            ..Request::default()
        };
        assert_eq!(request, expected);
        assert_eq!(element(|w| request.encode(w)), e);
        truncations(&e, e.len(), Request::parse);
    }

    #[test]
    fn responses_of_a_real_server() {
        let e = element_of(&hex("1000 01 00 00000000 00000000 ff011f00"));
        let response = Response::parse(&e).unwrap();
        let expected = Response {
            share_type: ShareType::DISK,
            maximal_access: 0x001f_01ff,
            ..Response::default()
        };
        assert_eq!(response, expected);
        assert_eq!(element(|w| response.encode(w)), e);
        let pipe = Response::parse(&element_of(&hex("1000 02 00 00000000 00000000 a9001f00")));
        assert_eq!(pipe.unwrap().share_type, ShareType::PIPE);
    }

    fn extended() -> Request {
        Request {
            flags: TreeConnectFlags::EXTENSION_PRESENT | TreeConnectFlags::REDIRECT_TO_OWNER,
            path: r"\\s\x".to_owned(),
            contexts: vec![TreeConnectContext {
                context_type: TreeConnectContext::REMOTED_IDENTITY,
                data: Bytes::from_static(b"abc"),
            }],
        }
    }

    #[test]
    fn the_extension_lies_in_front_of_the_path() {
        let e = element(|w| extended().encode(w));
        let expected = hex(
            "0900 0600 5800 0a00 68000000 0100 00000000000000000000 5c005c0073005c007800
             000000000000 0100 0300 00000000 616263",
        );
        assert_eq!(&e[64..], expected);
        assert_eq!(Request::parse(&e), Ok(extended()));
        // Contexts may not lie in the extension, and their number is bounded.
        let mut raw = e.to_vec();
        raw[72] = 0x50;
        let refused = Request::parse(&raw.clone().into());
        assert!(matches!(refused, Err(ParseError::OutOfBounds(_))));
        raw[76..78].copy_from_slice(&(MAX_CONTEXTS + 1).to_le_bytes());
        let refused = Request::parse(&raw.into());
        assert!(matches!(refused, Err(ParseError::TooMany(_))));
    }

    #[test]
    fn flags_of_older_dialects_are_a_reserved_field() {
        let body = hex("0900 ffff 4800 0200 6100");
        let request = Request::parse(&element_of(&body)).unwrap();
        assert_eq!((request.path.as_str(), request.contexts.len()), ("a", 0));
        assert_eq!(request.flags.bits(), 0xffff);
    }

    #[test]
    fn bad_paths_are_refused() {
        let parse = |text| Request::parse(&element_of(&hex(text)));
        let odd = parse("0900 0000 4800 0100 61");
        assert!(matches!(odd, Err(ParseError::BadString(_))));
        let surrogate = parse("0900 0000 4800 0200 00d8");
        assert!(matches!(surrogate, Err(ParseError::BadString(_))));
        let in_front = parse("0900 0000 4700 0200 6100");
        assert!(matches!(in_front, Err(ParseError::OutOfBounds(_))));
        let behind = parse("0900 0000 4800 0400 6100");
        assert!(matches!(behind, Err(ParseError::OutOfBounds(_))));
        let size = parse("0800 0000 4800 0200 6100");
        assert!(matches!(size, Err(ParseError::BadStructure(_))));
    }

    proptest! {
        #[test]
        fn request_round_trip(
            flags: u16,
            path in ".{0,12}",
            contexts in vec((any::<u16>(), vec(any::<u8>(), 0..20)), 0..4),
        ) {
            let mut flags = TreeConnectFlags::from_bits_retain(flags);
            let contexts: Vec<_> = contexts
                .into_iter()
                .map(|(context_type, data)| TreeConnectContext {
                    context_type,
                    data: data.into(),
                })
                .collect();
            if !contexts.is_empty() {
                flags |= TreeConnectFlags::EXTENSION_PRESENT;
            }
            // An empty path may stand anywhere, so only one that is there tells a cut.
            let needed = if path.is_empty() && contexts.is_empty() { 72 } else { usize::MAX };
            let r = Request { flags, path, contexts };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Request::parse(&e), Ok(r));
            truncations(&e, needed.min(e.len()), Request::parse);
        }

        #[test]
        fn response_round_trip((kind, flags, capabilities, access) in any::<(u8, u32, u32, u32)>()) {
            let r = Response {
                share_type: ShareType(kind),
                share_flags: ShareFlags::from_bits_retain(flags),
                capabilities: ShareCapabilities::from_bits_retain(capabilities),
                maximal_access: access,
            };
            let e = element(|w| r.encode(w));
            prop_assert_eq!(Response::parse(&e), Ok(r));
            truncations(&e, e.len(), Response::parse);
        }
    }
}
