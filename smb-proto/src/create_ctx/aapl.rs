//! "AAPL", Apple's create context: macOS asks what the server can do, and later for the path of a
//! file by its number. It is in no specification; the layout is what macOS, Samba and Wireshark
//! agree on.

use bitflags::bitflags;

use super::{RawContext, pack};
use crate::wire::{Fields, Writer, decode_utf16, len32, utf16_len};
use crate::{NtStatus, ParseError};

const NAME: &[u8] = b"AAPL";
const SERVER_QUERY: u32 = 1;
const RESOLVE_ID: u32 = 2;
/// A model or path longer than this is refused.
const TEXT_MAX: usize = 0x10000;

bitflags! {
    /// Which parts of a server query are wanted or present. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AaplQueryBits: u64 {
        /// [`AaplServerReply::server_caps`].
        const SERVER_CAPS = 1;
        /// [`AaplServerReply::volume_caps`].
        const VOLUME_CAPS = 2;
        /// [`AaplServerReply::model`].
        const MODEL_INFO = 4;
        const _ = !0;
    }
}

bitflags! {
    /// What a client or server can do. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AaplCaps: u64 {
        /// Directory listings carry Apple's attributes.
        const SUPPORTS_READ_DIR_ATTR = 1;
        /// Server-side copy in the manner of copyfile(3).
        const SUPPORTS_OSX_COPYFILE = 2;
        /// The peer is UNIX-based.
        const UNIX_BASED = 4;
        /// Access control lists in the NFS form.
        const SUPPORTS_NFS_ACE = 8;
        const _ = !0;
    }
}

bitflags! {
    /// What the volume can do. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct AaplVolumeCaps: u64 {
        /// [`AaplRequest::ResolveId`] is answered.
        const SUPPORT_RESOLVE_ID = 1;
        /// Names differ by case.
        const CASE_SENSITIVE = 2;
        /// FLUSH reaches the disk, which Time Machine demands.
        const FULL_SYNC = 4;
        const _ = !0;
    }
}

/// What macOS asks.
///
/// Layout: CommandCode (4), Reserved (4), then for a server query RequestBitmap (8) and
/// ClientCapabilities (8), for a resolution of an id the FileId (8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum AaplRequest {
    /// kAAPL_SERVER_QUERY, 1.
    ServerQuery {
        /// What the client wants to know.
        bitmap: AaplQueryBits,
        /// What the client can do.
        client_caps: AaplCaps,
    },
    /// kAAPL_RESOLVE_ID, 2: what is the path of this file?
    ResolveId {
        /// The file's number, as directory listings gave it.
        file_id: u64,
    },
}

impl AaplRequest {
    /// The context's name.
    pub const NAME: &'static [u8] = NAME;

    /// Reads the data of the context; a command that is not known is [`ParseError::BadValue`].
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, "AAPL request");
        let command = f.u32()?;
        f.u32()?;
        match command {
            SERVER_QUERY => Ok(Self::ServerQuery {
                bitmap: AaplQueryBits::from_bits_retain(f.u64()?),
                client_caps: AaplCaps::from_bits_retain(f.u64()?),
            }),
            RESOLVE_ID => Ok(Self::ResolveId { file_id: f.u64()? }),
            _ => Err(ParseError::BadValue("AAPL CommandCode")),
        }
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::ServerQuery {
                bitmap,
                client_caps,
            } => {
                w.u32(SERVER_QUERY);
                w.u32(0);
                w.u64(bitmap.bits());
                w.u64(client_caps.bits());
            }
            Self::ResolveId { file_id } => {
                w.u32(RESOLVE_ID);
                w.u32(0);
                w.u64(*file_id);
            }
        }
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

/// The parts of an answered server query; what is `None` was not asked for or is not told.
///
/// Layout: ReplyBitmap (8), ServerCapabilities (8, if present), VolumeCapabilities (8, if present),
/// and if present Pad (4), ModelStringLength (4, bytes), ModelString (UTF-16LE).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AaplServerReply {
    /// What the server can do.
    pub server_caps: Option<AaplCaps>,
    /// What the volume can do.
    pub volume_caps: Option<AaplVolumeCaps>,
    /// The model that the Finder shows an icon for, such as `MacSamba`.
    pub model: Option<String>,
}

/// What the server answers.
///
/// Layout: CommandCode (4), Reserved (4), then [`AaplServerReply`], or Status (4), PathLength (4,
/// bytes) and Path (UTF-16LE).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum AaplResponse {
    /// Answer to [`AaplRequest::ServerQuery`].
    ServerQuery(AaplServerReply),
    /// Answer to [`AaplRequest::ResolveId`].
    ResolveId {
        /// Whether the file was found.
        status: NtStatus,
        /// Its path below the share, or empty.
        path: String,
    },
}

impl AaplResponse {
    /// The context's name.
    pub const NAME: &'static [u8] = NAME;

    const WHAT: &'static str = "AAPL response";

    /// Reads the data of the context. Bits of ReplyBitmap that are not known announce parts which
    /// come after the known ones, and are not read.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(data, Self::WHAT);
        let command = f.u32()?;
        f.u32()?;
        match command {
            SERVER_QUERY => {
                let bitmap = AaplQueryBits::from_bits_retain(f.u64()?);
                let mut reply = AaplServerReply::default();
                if bitmap.contains(AaplQueryBits::SERVER_CAPS) {
                    reply.server_caps = Some(AaplCaps::from_bits_retain(f.u64()?));
                }
                if bitmap.contains(AaplQueryBits::VOLUME_CAPS) {
                    reply.volume_caps = Some(AaplVolumeCaps::from_bits_retain(f.u64()?));
                }
                if bitmap.contains(AaplQueryBits::MODEL_INFO) {
                    f.u32()?;
                    reply.model = Some(Self::text(&mut f)?);
                }
                Ok(Self::ServerQuery(reply))
            }
            RESOLVE_ID => Ok(Self::ResolveId {
                status: NtStatus(f.u32()?),
                path: Self::text(&mut f)?,
            }),
            _ => Err(ParseError::BadValue("AAPL CommandCode")),
        }
    }

    fn text(f: &mut Fields<'_>) -> Result<String, ParseError> {
        let len = usize::try_from(f.u32()?)
            .ok()
            .filter(|&len| len <= TEXT_MAX)
            .ok_or(ParseError::OutOfBounds(Self::WHAT))?;
        decode_utf16(f.bytes(len)?, Self::WHAT)
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::ServerQuery(reply) => {
                w.u32(SERVER_QUERY);
                w.u32(0);
                let mut bitmap = AaplQueryBits::empty();
                bitmap.set(AaplQueryBits::SERVER_CAPS, reply.server_caps.is_some());
                bitmap.set(AaplQueryBits::VOLUME_CAPS, reply.volume_caps.is_some());
                bitmap.set(AaplQueryBits::MODEL_INFO, reply.model.is_some());
                w.u64(bitmap.bits());
                if let Some(caps) = reply.server_caps {
                    w.u64(caps.bits());
                }
                if let Some(caps) = reply.volume_caps {
                    w.u64(caps.bits());
                }
                if let Some(model) = &reply.model {
                    w.u32(0);
                    w.u32(len32(utf16_len(model)));
                    w.utf16(model);
                }
            }
            Self::ResolveId { status, path } => {
                w.u32(RESOLVE_ID);
                w.u32(0);
                w.u32(status.0);
                w.u32(len32(utf16_len(path)));
                w.utf16(path);
            }
        }
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn real_contexts() {
        // smbtorture asks, Samba with its fruit module answers
        let query = AaplRequest::ServerQuery {
            bitmap: AaplQueryBits::SERVER_CAPS
                | AaplQueryBits::VOLUME_CAPS
                | AaplQueryBits::MODEL_INFO,
            client_caps: AaplCaps::SUPPORTS_READ_DIR_ATTR
                | AaplCaps::UNIX_BASED
                | AaplCaps::SUPPORTS_NFS_ACE,
        };
        let bytes = hex("01000000 00000000 0700000000000000 0d00000000000000");
        assert_eq!(AaplRequest::parse(&bytes), Ok(query));
        let reply = AaplResponse::ServerQuery(AaplServerReply {
            server_caps: Some(
                AaplCaps::SUPPORTS_READ_DIR_ATTR
                    | AaplCaps::UNIX_BASED
                    | AaplCaps::SUPPORTS_NFS_ACE,
            ),
            volume_caps: Some(AaplVolumeCaps::FULL_SYNC),
            model: Some("MacSamba".to_owned()),
        });
        let bytes = hex(
            "01000000 00000000 0700000000000000 0d00000000000000 0400000000000000
             00000000 10000000 4d0061006300530061006d0062006100",
        );
        assert_eq!(AaplResponse::parse(&bytes).as_ref(), Ok(&reply));
        assert_eq!(reply.to_raw().data, bytes);
        // macOS and its server, from a public capture
        assert_eq!(
            AaplRequest::parse(&hex("02000000 00000000 6ab4b10200000000")),
            Ok(AaplRequest::ResolveId {
                file_id: 0x02b1_b46a
            })
        );
        assert_eq!(
            AaplResponse::parse(&hex("02000000 00000000 0f0000c0 00000000")),
            Ok(AaplResponse::ResolveId {
                status: NtStatus(0xc000_000f),
                path: String::new()
            })
        );
        assert_eq!(
            AaplResponse::parse(&hex("02000000 00000000 00000000 08000000 74006f0074006f00")),
            Ok(AaplResponse::ResolveId {
                status: NtStatus(0),
                path: "toto".to_owned()
            })
        );
    }

    #[test]
    fn unknown_commands_and_long_texts_are_refused() {
        assert!(matches!(
            AaplRequest::parse(&[3; 24]),
            Err(ParseError::BadValue(_))
        ));
        assert!(matches!(
            AaplResponse::parse(&[3; 24]),
            Err(ParseError::BadValue(_))
        ));
        let long = hex("02000000 00000000 00000000 ffffffff");
        assert!(matches!(
            AaplResponse::parse(&long),
            Err(ParseError::OutOfBounds(_))
        ));
    }

    proptest! {
        #[test]
        fn requests(a: u64, b: u64) {
            let query = AaplRequest::ServerQuery {
                bitmap: AaplQueryBits::from_bits_retain(a),
                client_caps: AaplCaps::from_bits_retain(b),
            };
            round_trip_fixed(&query, |v, w| v.encode(w), |b| AaplRequest::parse(b));
            let resolve = AaplRequest::ResolveId { file_id: a };
            round_trip_fixed(&resolve, |v, w| v.encode(w), |b| AaplRequest::parse(b));
        }

        #[test]
        fn responses(server: Option<u64>, volume: Option<u64>, model: Option<String>, path: String, status: u32) {
            let reply = AaplResponse::ServerQuery(AaplServerReply {
                server_caps: server.map(AaplCaps::from_bits_retain),
                volume_caps: volume.map(AaplVolumeCaps::from_bits_retain),
                model,
            });
            round_trip_fixed(&reply, |v, w| v.encode(w), |b| AaplResponse::parse(b));
            let resolved = AaplResponse::ResolveId { status: NtStatus(status), path };
            round_trip_fixed(&resolved, |v, w| v.encode(w), |b| AaplResponse::parse(b));
        }
    }
}
