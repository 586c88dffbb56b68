//! Operations and their answers.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smb_proto::FileTime;
use smb_proto::dtyp::{Guid, SecurityDescriptor, Sid};
use smb_proto::fsctl::FileObjectId;
use smb_proto::info::{FileAttributes, SecurityInformation};
use thiserror::Error;

use super::node::{
    AllocatedRange, Capabilities, DirItem, Ea, FileInfo, NodeId, Quota, QuotaLimits, StreamInfo,
    VolumeInfo,
};
use super::path::{Location, SharePath};
use super::reparse::Reparse;
use crate::config::BackendId;
use crate::identity::Identity;
use crate::output::Token;

/// A backend's name for something it holds open; chosen by the backend, never 0, valid until
/// [`VfsOp::Close`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VfsHandle(pub u64);

/// One operation on its way to a backend.
#[derive(Debug, Clone)]
pub struct VfsRequest {
    /// Comes back with the answer.
    pub token: Token,
    /// Which backend.
    pub backend: BackendId,
    /// On whose behalf.
    pub by: Arc<Identity>,
    /// What.
    pub op: VfsOp,
}

/// How much the server will do with the data of what it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataAccess {
    /// Metadata only.
    None,
    /// Read data (list, for a directory).
    Read,
    /// Read and write data.
    ReadWrite,
    /// As much as the identity is allowed; what is not shows as a refusal later.
    Best,
}

/// How an existing thing is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHow {
    /// Use of the data.
    pub data: DataAccess,
    /// Open a reparse point itself. If not set, a symbolic link of the host is followed where the
    /// share's policy says so and it stays inside; any other, and every one that a client made, is
    /// [`VfsError::StoppedOnSymlink`]. Points of other tags are opened as what they are in either
    /// case; whether that was asked for is the server's business.
    ///
    /// On the way to the last component a link is treated as if this were not set, whatever
    /// operation the name belongs to.
    pub open_reparse: bool,
}

/// What to create, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// A directory, else a file (or a stream, if the location has one).
    pub directory: bool,
    /// DOS attributes to store (ARCHIVE, HIDDEN, SYSTEM, READONLY … as given, and COMPRESSED where the
    /// backend has [`Capabilities::COMPRESSION`]; DIRECTORY, NORMAL and REPARSE_POINT are ignored).
    pub attributes: FileAttributes,
    /// Descriptor to store; `None`: as the host makes it.
    pub security: Option<SecurityDescriptor>,
    /// Extended attributes.
    pub eas: Vec<Ea>,
    /// Bytes to reserve, 0 for none.
    pub allocation: u64,
}

/// Times and attributes to set; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasicChange {
    /// CreationTime.
    pub creation: Option<FileTime>,
    /// LastAccessTime.
    pub access: Option<FileTime>,
    /// LastWriteTime.
    pub write: Option<FileTime>,
    /// ChangeTime; a backend that cannot set it ignores it.
    pub change: Option<FileTime>,
    /// All settable DOS attributes (the others are ignored).
    pub attributes: Option<FileAttributes>,
}

/// Where a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAt {
    /// At this byte; beyond the end the gap reads as zeros.
    Offset(u64),
    /// Behind the last byte, whatever others write meanwhile.
    End,
}

/// A question or command to a backend. Each names the reply it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VfsOp {
    /// Opens what exists. Names are matched without regard to case, an exact match first.
    /// → [`VfsReply::Opened`]; [`VfsReply::Missing`] if only the last component (or the stream)
    /// is not there; [`VfsError::PathNotFound`] if more is missing.
    Open {
        /// What.
        at: Location,
        /// How.
        how: OpenHow,
    },
    /// Opens by identity. → [`VfsReply::Opened`]
    OpenById {
        /// What.
        node: NodeId,
        /// How.
        how: OpenHow,
    },
    /// Opens what existed when a snapshot was taken, as [`Self::Open`] opens what exists. Whatever
    /// `data` says, nothing can be changed through the handle: what would is refused with
    /// [`VfsError::ReadOnly`] (a new name with [`VfsError::OtherVolume`]). Identities differ from those
    /// of the present. → [`VfsReply::Opened`]; [`VfsReply::Missing`]; [`VfsError::NotFound`] if there
    /// is no such snapshot
    OpenSnapshot {
        /// What.
        at: Location,
        /// Use of the data.
        data: DataAccess,
        /// When it was taken, to the second.
        taken: FileTime,
    },
    /// When snapshots of the volume were taken. → [`VfsReply::Snapshots`]
    Snapshots {
        /// Something on the volume.
        handle: VfsHandle,
    },
    /// Creates what does not exist and opens it for reading and writing.
    /// → [`VfsReply::Opened`]; [`VfsError::Exists`] if anything of that name (in any case) is there.
    Create {
        /// Where.
        at: Location,
        /// What.
        what: Creation,
    },
    /// Replaces the content of an open file: size 0, EAs and attributes replaced, other streams of
    /// the file removed if this is the unnamed one ([MS-FSA] 2.1.5.1.2). The identity stays.
    /// → [`VfsReply::Info`]
    Overwrite {
        /// Of what.
        handle: VfsHandle,
        /// New attributes, EAs, allocation; `directory` is false and `security` `None` here.
        what: Creation,
        /// Replace all attributes (SUPERSEDE); else add to them (OVERWRITE).
        supersede: bool,
    },
    /// Gives a handle back. → [`VfsReply::Done`]; the handle is gone even if an error is reported
    /// (which then is that of data not written).
    Close {
        /// Which.
        handle: VfsHandle,
    },
    /// Reads up to `len` bytes. → [`VfsReply::Data`], shorter only at the end of the file, empty
    /// beyond it.
    Read {
        /// Of what.
        handle: VfsHandle,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u32,
    },
    /// Writes all of `data`. → [`VfsReply::Written`]
    Write {
        /// To what.
        handle: VfsHandle,
        /// Where.
        at: WriteAt,
        /// What.
        data: Bytes,
        /// On stable storage before the answer.
        through: bool,
    },
    /// Everything written so far on stable storage. → [`VfsReply::Done`]
    Flush {
        /// Of what.
        handle: VfsHandle,
    },
    /// → [`VfsReply::Info`]
    Stat {
        /// Of what.
        handle: VfsHandle,
    },
    /// Sets times and attributes. → [`VfsReply::Done`]
    SetBasic {
        /// Of what.
        handle: VfsHandle,
        /// What changes.
        change: BasicChange,
    },
    /// Sets EndOfFile; growth reads as zeros. → [`VfsReply::Done`]
    SetSize {
        /// Of what.
        handle: VfsHandle,
        /// Bytes.
        size: u64,
    },
    /// Sets AllocationSize: below the file's size it cuts the file, above it reserves space
    /// ([MS-FSA] 2.1.5.15.1). → [`VfsReply::Done`]
    SetAllocation {
        /// Of what.
        handle: VfsHandle,
        /// Bytes.
        size: u64,
    },
    /// Gives a new name, in the same or another directory of the share; a stream gets a new stream
    /// name of the same file. Atomic; a directory takes its contents with it.
    /// → [`VfsReply::Done`]; [`VfsError::Exists`] if the target exists and is not to be replaced (a
    /// target that differs only in case and is the same file is no obstacle);
    /// [`VfsError::AccessDenied`] if it is to be replaced and is a directory.
    Rename {
        /// Of what.
        handle: VfsHandle,
        /// Its present name.
        from: Location,
        /// Its new name.
        to: Location,
        /// Replace a file of that name.
        replace: bool,
    },
    /// A further name for the same file. → [`VfsReply::Done`]
    Link {
        /// Of what.
        handle: VfsHandle,
        /// The new name.
        to: SharePath,
        /// Replace a file of that name.
        replace: bool,
    },
    /// Removes a name (or a stream) if it still is that of `handle`. The content stays readable
    /// through open handles. → [`VfsReply::Done`]; [`VfsError::NotEmpty`] for a directory with
    /// entries.
    Remove {
        /// Of what.
        handle: VfsHandle,
        /// The name.
        at: Location,
    },
    /// Whether a directory has entries. → [`VfsReply::Done`] if it has none, else
    /// [`VfsError::NotEmpty`].
    CheckEmpty {
        /// Which.
        handle: VfsHandle,
    },
    /// The next names of a directory, without `.` and `..`, in an order that does not change during
    /// one walk; names created or removed meanwhile may or may not appear, no other name appears
    /// twice or is left out. → [`VfsReply::Listing`]
    List {
        /// Which directory.
        handle: VfsHandle,
        /// Begin a new walk; else go on where the last one on this handle stopped.
        restart: bool,
        /// Only names that match ([`crate::names::Pattern`]); `None`: all.
        pattern: Option<crate::names::Pattern>,
        /// At most so many.
        limit: usize,
        /// Tell the descriptor of each ([`super::DirItem::security`]).
        security: bool,
    },
    /// → [`VfsReply::Streams`], the unnamed one first (a directory has none).
    Streams {
        /// Of what.
        handle: VfsHandle,
    },
    /// → [`VfsReply::Eas`] in a stable order.
    Eas {
        /// Of what.
        handle: VfsHandle,
    },
    /// Sets or (empty value) removes EAs, all or none of them. → [`VfsReply::Done`]
    SetEas {
        /// Of what.
        handle: VfsHandle,
        /// Which.
        eas: Vec<Ea>,
    },
    /// → [`VfsReply::Security`]: the whole descriptor; the server cuts out what was asked for.
    Security {
        /// Of what.
        handle: VfsHandle,
    },
    /// Stores the parts of a descriptor that `parts` names; of a SACL by [`super::sacl_with`].
    /// → [`VfsReply::Done`]
    SetSecurity {
        /// Of what.
        handle: VfsHandle,
        /// Which parts change.
        parts: SecurityInformation,
        /// Their new values.
        descriptor: SecurityDescriptor,
    },
    /// The volume that something lies on. → [`VfsReply::Volume`]
    Volume {
        /// What.
        handle: VfsHandle,
    },
    /// Copies bytes between two open files of this backend (or inside one), by cloning where the host
    /// can. → [`VfsReply::Written`], less than `len` only at the end of the source.
    CopyRange {
        /// Source.
        from: VfsHandle,
        /// First byte there.
        from_offset: u64,
        /// Target.
        to: VfsHandle,
        /// First byte there.
        to_offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Makes bytes read as zeros, without changing the size, giving storage back where the file is
    /// sparse. → [`VfsReply::Done`]
    ZeroRange {
        /// Of what.
        handle: VfsHandle,
        /// First byte.
        offset: u64,
        /// First byte behind.
        beyond: u64,
    },
    /// Parts of a range that have storage. → [`VfsReply::Ranges`], ascending.
    AllocatedRanges {
        /// Of what.
        handle: VfsHandle,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
        /// At most so many ranges.
        limit: usize,
    },
    /// Sets or clears the SPARSE_FILE attribute. → [`VfsReply::Done`]
    SetSparse {
        /// Of what.
        handle: VfsHandle,
        /// New state.
        sparse: bool,
    },
    /// Sets or clears the COMPRESSED attribute of a file or directory; what is created in a directory
    /// later does not follow by itself ([`Creation::attributes`] says it). → [`VfsReply::Done`]
    SetCompression {
        /// Of what.
        handle: VfsHandle,
        /// New state.
        compressed: bool,
    },
    /// The content of a range is of no use any more: storage of the 4 KiB pages that lie in it as
    /// a whole is given back, and these read as zeros, or as before; nothing else changes.
    /// → [`VfsReply::Done`]; [`VfsError::IsADirectory`] for a directory
    Trim {
        /// Of what.
        handle: VfsHandle,
        /// First byte.
        offset: u64,
        /// First byte behind.
        beyond: u64,
    },
    /// The object id of a file or directory ([MS-FSA] 2.1.1.3 ObjectId and what belongs to it), which
    /// goes along with it and is gone with it. → [`VfsReply::ObjectId`]
    ObjectId {
        /// Of what.
        handle: VfsHandle,
    },
    /// Gives an object id, or with `None` takes it away; that there is none to be taken away is no
    /// error. → [`VfsReply::Done`]; [`VfsError::Exists`] if it has one and is not to get another
    SetObjectId {
        /// Of what.
        handle: VfsHandle,
        /// The id.
        id: Option<FileObjectId>,
        /// Replace the one it has.
        replace: bool,
    },
    /// Quotas of users on the volume of the root. → [`VfsReply::Quotas`], in any order; who has no quota
    /// is left out.
    Quotas {
        /// Whose.
        of: Vec<Sid>,
    },
    /// Gives a user a quota, or with `None` takes it away. The server has checked who may do so.
    /// → [`VfsReply::Done`]; [`VfsError::NotFound`] for a user who is not known on the volume, and where
    /// there is none to take away
    SetQuota {
        /// Whose.
        sid: Sid,
        /// How much.
        limits: Option<QuotaLimits>,
    },
    /// The reparse data. → [`VfsReply::Reparse`]
    Reparse {
        /// Of what.
        handle: VfsHandle,
    },
    /// Makes a file or an empty directory a reparse point. → [`VfsReply::Done`];
    /// [`VfsError::NotEmpty`] for a directory with entries, [`VfsError::ReparseTagMismatch`] and
    /// [`VfsError::ReparseConflict`] if it is one of another tag or (for tags that are not
    /// Microsoft's) of another GUID.
    SetReparse {
        /// Of what.
        handle: VfsHandle,
        /// Tag and data.
        reparse: Reparse,
    },
    /// Makes a reparse point an ordinary file again. → [`VfsReply::Done`]; refused as
    /// [`Self::SetReparse`] is.
    DeleteReparse {
        /// Of what.
        handle: VfsHandle,
        /// The tag it must have.
        tag: u32,
        /// The GUID it must have, if the tag is not Microsoft's.
        guid: Option<Guid>,
    },
    /// From now until the handle is given back, tells what happens in a directory, as
    /// [`super::Outside`] through the driver: names that come, go and change, data and metadata of
    /// what the names name, and what becomes of the directory's own name. → [`VfsReply::Done`];
    /// [`VfsError::NotSupported`] if the host cannot, or has no room for more.
    Watch {
        /// Which directory.
        handle: VfsHandle,
        /// Everything beneath it as well.
        recursive: bool,
    },
}

impl VfsOp {
    /// Whether it changes something.
    #[must_use]
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Overwrite { .. }
            | Self::Write { .. }
            | Self::SetBasic { .. }
            | Self::SetSize { .. }
            | Self::SetAllocation { .. }
            | Self::Rename { .. }
            | Self::Link { .. }
            | Self::Remove { .. }
            | Self::SetEas { .. }
            | Self::SetSecurity { .. }
            | Self::CopyRange { .. }
            | Self::ZeroRange { .. }
            | Self::SetSparse { .. }
            | Self::SetCompression { .. }
            | Self::Trim { .. }
            | Self::SetObjectId { .. }
            | Self::SetQuota { .. }
            | Self::SetReparse { .. }
            | Self::DeleteReparse { .. } => true,
            Self::Open { .. }
            | Self::OpenById { .. }
            | Self::OpenSnapshot { .. }
            | Self::Snapshots { .. }
            | Self::Close { .. }
            | Self::Read { .. }
            | Self::Flush { .. }
            | Self::Stat { .. }
            | Self::CheckEmpty { .. }
            | Self::List { .. }
            | Self::Streams { .. }
            | Self::Eas { .. }
            | Self::Security { .. }
            | Self::Volume { .. }
            | Self::AllocatedRanges { .. }
            | Self::ObjectId { .. }
            | Self::Quotas { .. }
            | Self::Reparse { .. }
            | Self::Watch { .. } => false,
        }
    }
}

impl VfsOp {
    /// Whether data or size of what [`Self`] is about change, so that nobody may go on caching them.
    /// (What replaces a whole file is looked at before, by CREATE.)
    #[must_use]
    pub fn changes_data(&self) -> bool {
        matches!(
            self,
            Self::Write { .. }
                | Self::SetSize { .. }
                | Self::SetAllocation { .. }
                | Self::CopyRange { .. }
                | Self::ZeroRange { .. }
                | Self::Trim { .. }
        )
    }
}

/// READ data with room in front, so that headers can be written before it and the whole sealed in
/// place without moving the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    buf: BytesMut,
}

impl Default for Payload {
    /// No data, with the room in front all the same.
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl Payload {
    /// Bytes kept free in front: direct-TCP prefix (4), transform header (52), SMB2 header (64),
    /// READ response (16).
    pub const ROOM: usize = 4 + 52 + 64 + 16;

    /// A payload of `len` zero bytes, to be filled through [`Self::data_mut`] and then cut with
    /// [`Self::truncate`].
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self {
            buf: BytesMut::zeroed(Self::ROOM.saturating_add(len)),
        }
    }

    /// A payload with a copy of `data`.
    #[must_use]
    pub fn copy_of(data: &[u8]) -> Self {
        let mut buf = BytesMut::with_capacity(Self::ROOM.saturating_add(data.len()));
        buf.resize(Self::ROOM, 0);
        buf.extend_from_slice(data);
        Self { buf }
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.buf.get(Self::ROOM..).unwrap_or(&[])
    }

    /// The data, to be filled.
    pub fn data_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(Self::ROOM..).unwrap_or(&mut [])
    }

    /// Keeps the first `len` bytes of data.
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(Self::ROOM.saturating_add(len));
    }

    /// Bytes of data.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len().saturating_sub(Self::ROOM)
    }

    /// Whether there is no data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole buffer: [`Self::ROOM`] bytes without meaning, then the data.
    #[must_use]
    pub fn into_buffer(self) -> BytesMut {
        self.buf
    }
}

/// Something that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its handle.
    pub handle: VfsHandle,
    /// Its metadata.
    pub info: FileInfo,
    /// Its name as stored (the case may differ from what was asked).
    pub at: Location,
    /// Its descriptor, stored or made from what the host has.
    pub security: SecurityDescriptor,
}

/// The directory in which the last component of a name was not found. For a missing stream: the
/// file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Metadata of the directory (or file).
    pub parent: FileInfo,
    /// Its descriptor.
    pub security: SecurityDescriptor,
}

/// A part of a directory's names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The names.
    pub items: Vec<DirItem>,
    /// Nothing follows.
    pub end: bool,
}

/// The good answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per operation, moved a few times"
)]
pub enum VfsReply {
    /// It was done.
    Done,
    /// It is open.
    Opened(Opened),
    /// There is no such thing, but there could be.
    Missing(Missing),
    /// Metadata.
    Info(FileInfo),
    /// Bytes read.
    Data(Payload),
    /// Bytes written.
    Written(u64),
    /// Names.
    Listing(Listing),
    /// Streams.
    Streams(Vec<StreamInfo>),
    /// Extended attributes.
    Eas(Vec<Ea>),
    /// A descriptor.
    Security(SecurityDescriptor),
    /// A volume.
    Volume(VolumeInfo),
    /// Allocated ranges.
    Ranges(Vec<AllocatedRange>),
    /// An object id, if there is one.
    ObjectId(Option<FileObjectId>),
    /// Quotas.
    Quotas(Vec<Quota>),
    /// Reparse data.
    Reparse(Reparse),
    /// When snapshots were taken, no second twice, in the order in which clients are to see them.
    Snapshots(Vec<FileTime>),
}

/// The bad answers. One place in the engine maps them to NTSTATUS.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VfsError {
    /// The thing is gone (an open of a missing name answers [`VfsReply::Missing`] instead).
    #[error("not found")]
    NotFound,
    /// A directory on the way is missing.
    #[error("a directory on the path was not found")]
    PathNotFound,
    /// There is something of that name.
    #[error("name exists")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotADirectory,
    /// A file was needed.
    #[error("is a directory")]
    IsADirectory,
    /// The directory has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// The host refuses it to this identity.
    #[error("access denied by the host")]
    AccessDenied,
    /// The medium is read-only.
    #[error("read-only file system")]
    ReadOnly,
    /// No space left.
    #[error("no space left")]
    NoSpace,
    /// The quota is used up.
    #[error("quota exceeded")]
    Quota,
    /// The host's limit of open files.
    #[error("too many open files")]
    TooManyOpen,
    /// Too many links to one file, or links in a path.
    #[error("too many links")]
    TooManyLinks,
    /// A name the backend cannot store.
    #[error("name not possible here")]
    InvalidName,
    /// A name that is too long for the backend.
    #[error("name too long")]
    NameTooLong,
    /// Size or offset beyond what the backend can store.
    #[error("file too large")]
    TooLarge,
    /// Source and target lie on different volumes.
    #[error("not on the same volume")]
    OtherVolume,
    /// The host uses it in a way that forbids this.
    #[error("busy on the host")]
    Busy,
    /// The backend cannot do this at all.
    #[error("not supported by the file system")]
    NotSupported,
    /// An argument that makes no sense for this object.
    #[error("invalid argument")]
    Invalid,
    /// Extended attributes do not fit.
    #[error("extended attributes too large")]
    EasTooLarge,
    /// Not a reparse point.
    #[error("not a reparse point")]
    NotAReparsePoint,
    /// A reparse point of another tag.
    #[error("reparse tag does not match")]
    ReparseTagMismatch,
    /// A reparse point of the same tag, but of another owner.
    #[error("reparse points of different owners")]
    ReparseConflict,
    /// A link was met that the server does not follow.
    #[error("stopped on a symbolic link")]
    StoppedOnSymlink {
        /// Length in UTF-16 units of the part of the path behind the link, with the backslash (or
        /// for a stream the colon) it begins with.
        unparsed: u16,
        /// Where the link leads, as stored, with backslashes.
        target: String,
        /// Whether the target is relative to the link's directory.
        relative: bool,
    },
    /// The handle is not one of this backend's.
    #[error("stale handle")]
    StaleHandle,
    /// The device failed.
    #[error("input/output error")]
    Io,
    /// The operation's worker is gone (the server is shutting down).
    #[error("backend gone")]
    Gone,
}

/// What comes back.
pub type VfsResult = Result<VfsReply, VfsError>;

/// A backend that answers on the spot. Drivers run it where blocking is allowed; embedders
/// implement it for their own storage.
pub trait Backend: Send + Sync {
    /// What it can do. Does not change while it is in use.
    fn capabilities(&self) -> Capabilities;

    /// Carries out one operation.
    fn execute(&self, by: &Identity, op: VfsOp) -> VfsResult;

    /// Carries out one operation if it will not wait for storage for long, or gives it back. A driver
    /// asks this first, on the thread that has the request at hand, and takes what is given back to
    /// where waiting is allowed. A backend that cannot tell gives everything back.
    ///
    /// # Errors
    /// The operation, untouched.
    #[allow(
        clippy::result_large_err,
        reason = "moved once; a box would cost more than the copy"
    )]
    fn execute_now(&self, _by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        Err(op)
    }
}
