//! How each type of the engine's interface is written down.

use bytes::Bytes;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::dtyp::{SecurityDescriptor, Sid};
use smb_proto::fsctl::FileObjectId;
use smb_proto::id::{MessageId, SessionId};
use smb_proto::info::FileAttributes;
use smb_proto::wire::Writer;
use smb_proto::{Dialect, FileTime, Guid, ParseError, smb1};

use super::pack::{DecodeError, Pack, Reader, choice, put_len, record};
use super::{Input, InputRef};
use crate::Peer;
use crate::config::{
    BackendId, Config, EncryptionPolicy, Interface, Limits, MapToGuest, Share, SigningPolicy,
    UserList,
};
use crate::error::Fault;
use crate::identity::{Account, Identity, IdentityKind};
use crate::link::{Inbound, SignatureKind};
use crate::output::{Completion, Token};
use crate::server::Control;
use crate::table::Id;
use crate::time::{Instant, Now};
use crate::vfs::{
    AllocatedRange, Capabilities, DirItem, Ea, FileInfo, Listing, Location, Missing, NodeId,
    Opened, Outside, Payload, Quota, QuotaLimits, Reparse, SharePath, StreamInfo, VfsError,
    VfsHandle, VfsReply, VolumeInfo,
};

macro_rules! newtype {
    ($($type:ident)*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                self.0.pack(out);
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Pack::unpack(r).map(Self)
            }
        })*
    };
}

newtype! { Instant FileTime VfsHandle BackendId SessionId MessageId }

macro_rules! flags {
    ($($type:ident)*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                self.bits().pack(out);
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Pack::unpack(r).map(Self::from_bits_retain)
            }
        })*
    };
}

flags! { Capabilities FileAttributes }

/// One of few values, by its place in the list of all.
macro_rules! listed {
    ($($type:ident)*) => {
        $(impl Pack for $type {
            fn pack(&self, out: &mut Vec<u8>) {
                let place = Self::ALL.iter().position(|v| v == self);
                out.push(place.and_then(|p| u8::try_from(p).ok()).unwrap_or(u8::MAX));
            }

            fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let place = usize::from(u8::unpack(r)?);
                Self::ALL.get(place).copied().ok_or(DecodeError::Value(stringify!($type)))
            }
        })*
    };
}

listed! { Dialect Cipher SigningAlgorithm }

impl<T> Pack for Id<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        self.to_u64().pack(out);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_u64(u64::unpack(r)?).ok_or(DecodeError::Value("id"))
    }
}

impl Pack for Guid {
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.to_bytes());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self::from_bytes)
    }
}

impl Pack for NtHash {
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.as_bytes());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self::from_bytes)
    }
}

impl Pack for Sid {
    fn pack(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new();
        self.encode(&mut w);
        put_len(w.written().len(), out);
        out.extend(w.written());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.len()?;
        Self::parse(r.bytes(len)?).map_err(|_| DecodeError::Value("SID"))
    }
}

impl Pack for FileObjectId {
    fn pack(&self, out: &mut Vec<u8>) {
        self.object_id.pack(out);
        out.extend(self.extended_info);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            object_id: Guid::unpack(r)?,
            extended_info: r.array()?,
        })
    }
}

impl Pack for SecurityDescriptor {
    fn pack(&self, out: &mut Vec<u8>) {
        Bytes::from(self.to_vec()).pack(out);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::parse(&Bytes::unpack(r)?).map_err(|_| DecodeError::Value("security descriptor"))
    }
}

impl Pack for SharePath {
    fn pack(&self, out: &mut Vec<u8>) {
        put_len(self.as_str().len(), out);
        out.extend(self.as_str().as_bytes());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(&String::unpack(r)?).ok_or(DecodeError::Value("path"))
    }
}

impl Pack for Payload {
    fn pack(&self, out: &mut Vec<u8>) {
        put_len(self.len(), out);
        out.extend_from_slice(self.data());
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = r.len()?;
        r.bytes(len).map(Self::copy_of)
    }
}

/// Where a message was found wrong is a text for the log only, and not kept.
impl Pack for ParseError {
    fn pack(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Truncated(_) => 0,
            Self::BadStructure(_) => 1,
            Self::OutOfBounds(_) => 2,
            Self::Misaligned(_) => 3,
            Self::BadValue(_) => 4,
            Self::BadString(_) => 5,
            Self::TooMany(_) => 6,
        };
        out.push(kind);
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const WHAT: &str = "(of a journal)";
        Ok(match u8::unpack(r)? {
            0 => Self::Truncated(WHAT),
            1 => Self::BadStructure(WHAT),
            2 => Self::OutOfBounds(WHAT),
            3 => Self::Misaligned(WHAT),
            4 => Self::BadValue(WHAT),
            5 => Self::BadString(WHAT),
            6 => Self::TooMany(WHAT),
            _ => return Err(DecodeError::Value("parse error")),
        })
    }
}

record! {
    Now { mono wall }
    Peer { address port }
    Token { op seq }
    Interface { index rss rdma link_speed address }
    UserList { users groups }
    Identity { name domain kind sid groups uid gid host_groups admin }
    Account { nt_hash identity }
    NodeId { volume file }
    FileInfo {
        node creation access write change size allocation attributes links ea_size reparse_tag
        hidden_by_name
    }
    DirItem { name short_name info security }
    Ea { flags name value }
    StreamInfo { name size allocation }
    AllocatedRange { offset len }
    VolumeInfo {
        creation serial label sector sectors_per_unit total_units available_units free_units
    }
    Location { path stream }
    Reparse { tag data }
    Opened { handle info at security }
    Missing { parent security }
    Listing { items end }
    Limits {
        max_transact max_read max_write max_credits max_connections max_connections_per_ip
        max_sessions max_sessions_per_user max_channels_per_session max_trees_per_session max_opens max_pending_logons unauthenticated_for idle_for
        session_lifetime max_message_unauthenticated max_compound max_lock_elements
        max_locks_per_open max_async_per_connection max_copy_total max_copy_chunk max_copy_chunks
        max_notify_bytes interim_after write_time_delay break_after
    }
    QuotaLimits { threshold limit }
    Quota { sid change used limits }
    Share {
        name comment backend capabilities file_system max_name read_only browseable guest_ok
        guest_only encryption valid_users invalid_users read_list write_list admin_users
        force_identity hosts_allow hosts_deny max_connections oplocks continuous_availability hide_unreadable
        canonical_inherited change_notify
    }
    Config {
        server_name workgroup server_string server_guid domain_sid min_dialect max_dialect signing
        signing_algorithms encryption ciphers map_to_guest guest refuse_anonymous multichannel leases
        directory_leases durable_handles interfaces started shares limits
    }
}

choice! {
    SigningPolicy { 0 WhenAsked 1 Required }
    EncryptionPolicy { 0 Off 1 WhenAsked 2 Desired 3 Required }
    MapToGuest { 0 Never 1 BadUser }
    IdentityKind { 0 User 1 Guest 2 Anonymous 3 System }
    Control { 0 Drain }
    Outside {
        0 Added { at, directory } 1 Removed { at, directory } 2 Renamed { from, to, directory }
        3 Written { at } 4 Touched { at } 5 Lost
    }
    Completion { 0 Vfs(result) 1 Account(account) 2 Accounts(accounts) }
    VfsReply {
        0 Done 1 Opened(opened) 2 Missing(missing) 3 Info(info) 4 Data(data) 5 Written(bytes)
        6 Listing(listing) 7 Streams(streams) 8 Eas(eas) 9 Security(descriptor) 10 Volume(volume)
        11 Ranges(ranges) 12 Reparse(reparse) 13 Snapshots(times) 14 ObjectId(id) 15 Quotas(quotas)
    }
    VfsError {
        0 NotFound 1 PathNotFound 2 Exists 3 NotADirectory 4 IsADirectory 5 NotEmpty 6 AccessDenied
        7 ReadOnly 8 NoSpace 9 Quota 10 TooManyOpen 11 TooManyLinks 12 InvalidName 13 NameTooLong
        14 TooLarge 15 OtherVolume 16 Busy 17 NotSupported 18 Invalid 19 EasTooLarge
        20 NotAReparsePoint 21 ReparseTagMismatch
        22 StoppedOnSymlink { unparsed, target, relative }
        23 StaleHandle 24 Io 25 Gone 26 ReparseConflict
    }
    Fault {
        0 FrameTooLong { len, max }
        1 FrameType(byte) 2 NotSmb2(e) 3 Smb1 4 Compound(e) 5 Decrypt(session) 6 NoCipher
        7 SessionMismatch 8 NoCompression 9 UnknownCommand(code) 10 MessageIdWindow(id)
        11 NotNegotiated 12 SecondNegotiate 13 NegotiateTampered 14 LogonTimeout
        15 ResponseReceived
    }
    SignatureKind { 0 Absent 1 Good 2 Bad 3 NoKey }
}

impl Pack for Inbound {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Smb1Negotiate(negotiate) => {
                out.push(0);
                negotiate.dialects.pack(out);
            }
            Self::Message { elements, sealed } => {
                out.push(1);
                sealed.map(crate::link::Sealed::session).pack(out);
                put_len(elements.len(), out);
                for e in elements {
                    e.signature.kind().pack(out);
                    e.raw.pack(out);
                }
            }
        }
    }

    fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::unpack(r)? {
            0 => Ok(Self::Smb1Negotiate(smb1::NegotiateRequest {
                dialects: Pack::unpack(r)?,
            })),
            1 => {
                let sealed = Pack::unpack(r)?;
                let elements = (0..r.len()?)
                    .map(|_| Ok((SignatureKind::unpack(r)?, Bytes::unpack(r)?)))
                    .collect::<Result<_, DecodeError>>()?;
                Self::restored(elements, sealed).map_err(|_| DecodeError::Value("message"))
            }
            _ => Err(DecodeError::Value("message")),
        }
    }
}

impl InputRef<'_> {
    pub(super) fn pack(self, out: &mut Vec<u8>) {
        match self {
            Self::Accept(peer) => {
                out.push(0);
                peer.pack(out);
            }
            Self::Message(conn, inbound) => {
                out.push(1);
                conn.pack(out);
                inbound.pack(out);
            }
            Self::Fault(conn, fault) => {
                out.push(2);
                conn.pack(out);
                fault.pack(out);
            }
            Self::Closed(conn) => {
                out.push(3);
                conn.pack(out);
            }
            Self::Completion(token, completion) => {
                out.push(4);
                token.pack(out);
                completion.pack(out);
            }
            Self::Timeout => out.push(5),
            Self::Control(control) => {
                out.push(6);
                control.pack(out);
            }
            Self::Restore(kept) => {
                out.push(7);
                put_len(kept.len(), out);
                for (id, record) in kept {
                    id.pack(out);
                    record.pack(out);
                }
            }
            Self::Outside(backend, what) => {
                out.push(8);
                backend.pack(out);
                what.pack(out);
            }
        }
    }
}

impl Input {
    pub(super) fn unpack(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match u8::unpack(r)? {
            0 => Self::Accept(Pack::unpack(r)?),
            1 => Self::Message(Pack::unpack(r)?, Pack::unpack(r)?),
            2 => Self::Fault(Pack::unpack(r)?, Pack::unpack(r)?),
            3 => Self::Closed(Pack::unpack(r)?),
            4 => Self::Completion(Pack::unpack(r)?, Pack::unpack(r)?),
            5 => Self::Timeout,
            6 => Self::Control(Pack::unpack(r)?),
            7 => {
                let len = r.len()?;
                let one = |_| Ok((Pack::unpack(r)?, Pack::unpack(r)?));
                Self::Restore((0..len).map(one).collect::<Result<_, DecodeError>>()?)
            }
            8 => Self::Outside(Pack::unpack(r)?, Pack::unpack(r)?),
            _ => return Err(DecodeError::Value("input")),
        })
    }
}
