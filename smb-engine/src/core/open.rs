//! Opens, [MS-SMB2] 3.3.1.10.

use std::collections::VecDeque;
use std::sync::Arc;

use smb_proto::FileTime;
use smb_proto::Guid;
use smb_proto::dtyp::{AccessMask, Sid};
use smb_proto::id::FileId;
use smb_proto::msg::create::{CreateAction, CreateOptions, ShareAccess};

use super::durable::{AppInstance, CreateKey, Durable, Kind};
use super::sequence::{LockSequence, Sequence};
use super::{File, Op, Session, Tree};
use crate::config::BackendId;
use crate::identity::Identity;
use crate::names::Pattern;
use crate::output::ConnId;
use crate::pipe::Pipe;
use crate::table::Id;
use crate::vfs::{DirItem, Location, NodeId, VfsHandle};

/// What is open.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "lives in a table slot")]
pub(crate) enum OpenKind {
    /// A file, directory or stream.
    File(FileOpen),
    /// A named pipe on IPC$.
    Pipe(Box<Pipe>),
    /// The quotas of a volume.
    Quota(QuotaOpen),
}

/// What an open of the quotas of a volume has besides.
#[derive(Debug)]
pub(crate) struct QuotaOpen {
    pub(crate) backend: BackendId,
    pub(crate) by: Arc<Identity>,
    pub(crate) walk: QuotaWalk,
}

/// How far quotas have been told: up to and with this user's.
pub(crate) type QuotaWalk = Option<Sid>;

/// One open.
#[derive(Debug)]
pub(crate) struct Open {
    /// As the client knows it.
    pub(crate) file_id: FileId,
    pub(crate) session: Id<Session>,
    pub(crate) tree: Id<Tree>,
    /// Open.GrantedAccess.
    pub(crate) granted: AccessMask,
    pub(crate) kind: OpenKind,
    /// Operations that use it right now; it is closed when none is left.
    pub(crate) running: u32,
    /// CLOSE or teardown has begun: no new operation may use it.
    pub(crate) closing: bool,
    /// Its connection has gone, and it waits for its client to come back.
    pub(crate) disconnected: bool,
    pub(crate) sequence: Sequence,
    /// The operation that closes it, waiting for `running` to become zero.
    pub(crate) closer: Option<Id<Op>>,
}

/// What an open of a file has besides.
#[derive(Debug)]
pub(crate) struct FileOpen {
    pub(crate) handle: VfsHandle,
    pub(crate) backend: BackendId,
    /// Who opened it; everything done through it, also its end, is done as this identity.
    pub(crate) by: Arc<Identity>,
    pub(crate) file: Id<File>,
    pub(crate) node: NodeId,
    /// Present name; follows renames made through this server.
    pub(crate) at: Location,
    pub(crate) directory: bool,
    /// The snapshot in which it was opened: nothing of it can be changed, and it has no part in what
    /// happens to its name in the present.
    pub(crate) snapshot: Option<FileTime>,
    pub(crate) share: ShareAccess,
    /// Open.Connection: where it was opened, and where its breaks go as long as that is there.
    pub(crate) conn: ConnId,
    /// What its client may cache.
    pub(crate) cache: super::breaks::Cache,
    /// Its client's lease on the directory that it is in, which changes through this open leave alone
    /// (ParentOplockKey in [MS-FSA] 2.1.1.6).
    pub(crate) parent_lease: Option<super::lease::LeaseOwner>,
    /// It outlives its connection.
    pub(crate) durable: Option<Durable>,
    /// ClientGuid of the connection it was made on.
    pub(crate) client: Guid,
    /// The application that made it.
    pub(crate) app: Option<AppInstance>,
    /// The client's name for the CREATE that made it, which may be repeated still
    /// (Open.IsReplayEligible).
    pub(crate) replayable: Option<CreateKey>,
    /// What that CREATE did.
    pub(crate) action: CreateAction,
    pub(crate) lock_sequence: LockSequence,
    pub(crate) options: CreateOptions,
    /// FILE_DELETE_ON_CLOSE was given: closing this open marks the file delete pending.
    pub(crate) delete_on_close: bool,
    /// The name is to go when this open is closed, whoever has the file open besides
    /// (FILE_DISPOSITION_POSIX_SEMANTICS, [MS-FSCC] 2.4.11).
    pub(crate) posix_delete: bool,
    /// CurrentByteOffset of FilePositionInformation.
    pub(crate) position: u64,
    pub(crate) scan: Scan,
    /// Change notification, once asked for.
    pub(crate) watch: Option<crate::core::Watch>,
    /// The write time that stays when data is written through this open, since the client set it
    /// (or −1), [MS-FSCC] 2.4.7, [MS-FSA] 2.1.1.6 UserSetModificationTime.
    pub(crate) frozen_write_time: Option<FileTime>,
    /// Where its client was told of the break of an oplock that it has not acknowledged.
    pub(crate) told: Option<super::retell::Told>,
    /// The same for the change time (UserSetChangeTime).
    pub(crate) frozen_change_time: Option<FileTime>,
    /// Data was written through it, so closing reports a change of content.
    pub(crate) wrote: bool,
}

/// QUERY_DIRECTORY's walk, [MS-SMB2] 3.3.5.18: one for each open.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The pattern of the walk; set by the first query or a restart.
    pub(crate) pattern: Option<Pattern>,
    /// A query was made; the next one goes on.
    pub(crate) started: bool,
    /// The backend has said that nothing follows.
    pub(crate) ended: bool,
    /// A query was answered, so that an empty rest is STATUS_NO_MORE_FILES and not
    /// STATUS_NO_SUCH_FILE.
    pub(crate) answered: bool,
    /// The backend has to begin again with the next question.
    pub(crate) rewind: bool,
    /// Names received and not sent yet.
    pub(crate) buffered: VecDeque<DirItem>,
    /// A query is running; another one has to wait for it.
    pub(crate) busy: bool,
    /// Queries that wait for the running one.
    pub(crate) waiting: VecDeque<Id<Op>>,
    /// Waiting queries are being woken one after another.
    pub(crate) waking: bool,
    /// The extended attribute with which the next query of all goes on ([MS-FSA] 2.1.1.6
    /// NextEaEntry), counted from zero.
    pub(crate) next_ea: usize,
    /// How far the quotas of the volume have been told.
    pub(crate) quotas: QuotaWalk,
}

impl FileOpen {
    /// It outlives the server (Open.IsPersistent).
    pub(crate) fn persistent(&self) -> bool {
        self.durable.is_some_and(|d| d.kind == Kind::Persistent)
    }
}

impl Open {
    /// The file part; `None` for a pipe.
    pub(crate) fn file(&self) -> Option<&FileOpen> {
        match &self.kind {
            OpenKind::File(f) => Some(f),
            OpenKind::Pipe(_) | OpenKind::Quota(_) => None,
        }
    }

    /// The file part; `None` for a pipe.
    pub(crate) fn file_mut(&mut self) -> Option<&mut FileOpen> {
        match &mut self.kind {
            OpenKind::File(f) => Some(f),
            OpenKind::Pipe(_) | OpenKind::Quota(_) => None,
        }
    }
}
