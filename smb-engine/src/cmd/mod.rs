//! The commands. Each module has `start`, which a request enters, and, if it can wait, a `State`
//! and `resume`. Commands never call one another; what they share lies in [`crate::core`].

mod cancel;
mod change_notify;
pub(crate) mod close;
mod create;
mod echo;
mod flush;
mod ioctl;
mod lock;
mod logoff;
pub(crate) mod negotiate;
mod oplock_break;
mod query_directory;
mod query_info;
mod read;
mod session_setup;
mod set_info;
mod tree_connect;
mod tree_disconnect;
mod write;

pub(crate) use cancel::cancel;
pub(crate) use create::restore;

use bytes::Bytes;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::SessionId;
use smb_proto::msg;
use smb_proto::{Dialect, Header, NtStatus};

use crate::config::BackendId;
use crate::core::{Core, File, FileOpen, Op, Open, Session, Tree, Wait, Wake, breaks};
use crate::error::Fault;
use crate::output::{Completion, ConnId, Output, Query, Token};
use crate::status::Refusal;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{BasicChange, Payload, VfsOp, VfsReply, VfsRequest};

/// What a command has come to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once")]
pub(crate) enum Step {
    /// Finished.
    Done(Outcome),
    /// Waiting for what was asked last (`Cx::ask_vfs`, `Cx::wait_for` …); goes on in `resume`.
    Wait(Phase),
}

/// How a command ends.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once")]
pub(crate) enum Outcome {
    /// STATUS_SUCCESS with this body.
    Reply(msg::Response),
    /// Another status with a full body: MORE_PROCESSING_REQUIRED, BUFFER_OVERFLOW …
    ReplyWith(NtStatus, msg::Response),
    /// READ data.
    Read(NtStatus, Payload),
    /// A status with an ERROR response ([MS-SMB2] 2.2.2) that carries data.
    Error(NtStatus, msg::error::Response),
    /// No answer at all.
    Silent,
    /// The peer broke the protocol: close the connection.
    Fault(Fault),
}

impl From<msg::Response> for Outcome {
    fn from(body: msg::Response) -> Self {
        Self::Reply(body)
    }
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

impl From<msg::Response> for Step {
    fn from(body: msg::Response) -> Self {
        Self::Done(Outcome::Reply(body))
    }
}

/// What `start` and `resume` answer; a [`Refusal`] becomes an ERROR response without data.
pub(crate) type CmdResult = Result<Step, Refusal>;

/// The state of an operation that waits, by command.
#[derive(Debug)]
pub(crate) enum Phase {
    SessionSetup(session_setup::State),
    Logoff(logoff::State),
    Create(Box<create::State>),
    Close(close::State),
    Flush(flush::State),
    Read(read::State),
    Write(write::State),
    Lock(lock::State),
    Ioctl(ioctl::State),
    QueryDirectory(query_directory::State),
    ChangeNotify(change_notify::State),
    QueryInfo(query_info::State),
    SetInfo(set_info::State),
}

/// What a command works with: the tables, the time, and the operation it is.
pub(crate) struct Cx<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: Now,
    pub(crate) op: Id<Op>,
}

impl Cx<'_> {
    /// The operation itself. It exists as long as its command runs.
    pub(crate) fn op_mut(&mut self) -> Result<&mut Op, Refusal> {
        self.core
            .ops
            .get_mut(self.op)
            .ok_or(Refusal(NtStatus::INTERNAL_ERROR))
    }

    fn op_ref(&self) -> Result<&Op, Refusal> {
        self.core
            .ops
            .get(self.op)
            .ok_or(Refusal(NtStatus::INTERNAL_ERROR))
    }

    /// The header of the request, with related ids filled in.
    pub(crate) fn header(&self) -> Result<Header, Refusal> {
        Ok(self.op_ref()?.header)
    }

    /// The connection; gone if it was lost while the operation waited.
    pub(crate) fn conn(&self) -> Result<ConnId, Refusal> {
        self.op_ref()?
            .conn
            .ok_or(Refusal(NtStatus::CONNECTION_DISCONNECTED))
    }

    /// The session's id and row; gone if it ended while the operation waited.
    pub(crate) fn session(&self) -> Result<(Id<Session>, &Session), Refusal> {
        let id = self
            .op_ref()?
            .session
            .ok_or(Refusal(NtStatus::USER_SESSION_DELETED))?;
        let session = self
            .core
            .sessions
            .get(id)
            .ok_or(Refusal(NtStatus::USER_SESSION_DELETED))?;
        Ok((id, session))
    }

    /// The tree connect's id and row; gone if it ended while the operation waited.
    pub(crate) fn tree(&self) -> Result<(Id<Tree>, &Tree), Refusal> {
        let id = self
            .op_ref()?
            .tree
            .ok_or(Refusal(NtStatus::NETWORK_NAME_DELETED))?;
        let tree = self
            .core
            .trees
            .get(id)
            .ok_or(Refusal(NtStatus::NETWORK_NAME_DELETED))?;
        Ok((id, tree))
    }

    /// The open that the request names. While the operation runs it is not closed.
    pub(crate) fn open(&self) -> Result<(Id<Open>, &Open), Refusal> {
        let id = self.op_ref()?.open.ok_or(Refusal(NtStatus::FILE_CLOSED))?;
        let open = self
            .core
            .opens
            .get(id)
            .ok_or(Refusal(NtStatus::FILE_CLOSED))?;
        Ok((id, open))
    }

    /// As [`Self::open`], to change it.
    pub(crate) fn open_mut(&mut self) -> Result<&mut Open, Refusal> {
        let id = self.op_ref()?.open.ok_or(Refusal(NtStatus::FILE_CLOSED))?;
        self.core
            .opens
            .get_mut(id)
            .ok_or(Refusal(NtStatus::FILE_CLOSED))
    }

    /// The open as a file; STATUS_INVALID_DEVICE_REQUEST for a pipe.
    pub(crate) fn file_open(&self) -> Result<&FileOpen, Refusal> {
        self.open()?
            .1
            .file()
            .ok_or(Refusal(NtStatus::INVALID_DEVICE_REQUEST))
    }

    /// As [`Self::file_open`], to change it.
    pub(crate) fn file_open_mut(&mut self) -> Result<&mut FileOpen, Refusal> {
        self.open_mut()?
            .file_mut()
            .ok_or(Refusal(NtStatus::INVALID_DEVICE_REQUEST))
    }

    /// STATUS_ACCESS_DENIED unless the open was granted one of `rights` and the tree connect gives it.
    pub(crate) fn need_any(&self, rights: AccessMask) -> Result<(), Refusal> {
        let granted = self.open()?.1.granted & self.tree()?.1.access;
        if granted.intersects(rights) {
            Ok(())
        } else {
            Err(Refusal(NtStatus::ACCESS_DENIED))
        }
    }

    /// The dialect of the connection.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        let conn = self.conn().ok()?;
        self.core.conns.get(conn)?.dialect()
    }

    /// A limit on bytes as this connection was told it: 2.0.2 has no requests above 64 KiB.
    pub(crate) fn single_credit_cap(&self, limit: u32) -> u32 {
        match self.dialect() {
            Some(d) if d.has_multi_credit() => limit,
            _ => limit.min(65536),
        }
    }

    /// Whether the answer has to be given without waiting, because elements of the same message
    /// follow ([MS-SMB2] 3.3.5.2.7: only the last may go asynchronous).
    pub(crate) fn is_last(&self) -> bool {
        self.op_ref().is_ok_and(|op| op.last)
    }

    /// Uses a second open, besides that of the request (the source of a copy): it is not closed before
    /// the operation ends.
    pub(crate) fn hold(&mut self, id: Id<Open>) -> Result<(), Refusal> {
        if self.op_ref()?.source.is_some() {
            return Err(Refusal(NtStatus::INTERNAL_ERROR));
        }
        let open = self
            .core
            .opens
            .get_mut(id)
            .filter(|o| !o.closing)
            .ok_or(Refusal(NtStatus::FILE_CLOSED))?;
        open.running = open.running.saturating_add(1);
        self.op_mut()?.source = Some(id);
        Ok(())
    }

    fn token(&mut self) -> Result<Token, Refusal> {
        let op = self.op;
        let row = self.op_mut()?;
        row.seq = row.seq.wrapping_add(1);
        row.wait = Wait::Completion(row.seq);
        Ok(Token { op, seq: row.seq })
    }

    /// Asks the backend of the operation's open, as the identity that opened it. The operation must
    /// then answer [`Step::Wait`].
    pub(crate) fn ask_vfs(&mut self, op: VfsOp) -> Result<(), Refusal> {
        let file = self.file_open()?;
        let (backend, by) = (file.backend, file.by.clone());
        if op.changes_data() {
            let (id, _) = self.open()?;
            breaks::data_changes(self.core, self.now, id);
        }
        self.ask_backend(backend, by, op)
    }

    /// Data was changed through the operation's open: if the client keeps its times where they are
    /// ([MS-FSCC] 2.4.7), asks the backend to set them back, and says so.
    pub(crate) fn restore_times(&mut self) -> Result<bool, Refusal> {
        let file = self.file_open()?;
        let handle = file.handle;
        let change = BasicChange {
            write: file.frozen_write_time,
            change: file.frozen_change_time,
            ..BasicChange::default()
        };
        if change == BasicChange::default() {
            return Ok(false);
        }
        self.ask_vfs(VfsOp::SetBasic { handle, change })?;
        Ok(true)
    }

    /// Asks any backend as any identity.
    pub(crate) fn ask_backend(
        &mut self,
        backend: BackendId,
        by: std::sync::Arc<crate::identity::Identity>,
        op: VfsOp,
    ) -> Result<(), Refusal> {
        let token = self.token()?;
        self.op_mut()?.own = crate::core::own::OwnChange::of(backend, &op);
        self.core.emit(Output::Vfs(VfsRequest {
            token,
            backend,
            by,
            op,
        }));
        Ok(())
    }

    /// Asks the account database.
    pub(crate) fn ask_accounts(&mut self, query: Query) -> Result<(), Refusal> {
        let token = self.token()?;
        self.core.emit(Output::Lookup(token, query));
        Ok(())
    }

    /// Waits for something other than the driver.
    pub(crate) fn wait_for(&mut self, wait: Wait) -> Result<(), Refusal> {
        self.op_mut()?.wait = wait;
        Ok(())
    }

    /// Waits until others have given up what they cache of a file. The client learns at once that it
    /// has to wait, where it can be told.
    pub(crate) fn wait_for_breaks(&mut self, row: Id<File>) -> Result<(), Refusal> {
        if self.is_last() {
            self.go_async()?;
        }
        let op = self.op;
        if let Some(f) = self.core.files.get_mut(row) {
            f.break_waiters.push(op);
        }
        self.wait_for(Wait::Break(row))
    }

    /// Sends the interim answer at once: the operation will wait for others, not for a disk
    /// ([MS-SMB2] 3.3.4.2). STATUS_INTERNAL_ERROR if other elements of the message follow.
    pub(crate) fn go_async(&mut self) -> Result<(), Refusal> {
        crate::dispatch::go_async(self.core, self.op)
    }
}

impl Wake {
    /// The backend's good answer; refusals of the backend and of whoever interrupts the wait become
    /// statuses.
    pub(crate) fn vfs(self) -> Result<VfsReply, Refusal> {
        match self {
            Self::Completion(Completion::Vfs(result)) => Ok(result?),
            Self::Cancelled => Err(Refusal(NtStatus::CANCELLED)),
            Self::Closed => Err(Refusal(NtStatus::FILE_CLOSED)),
            Self::Ready | Self::Completion(Completion::Account(_) | Completion::Accounts(_)) => {
                Err(Refusal(NtStatus::INTERNAL_ERROR))
            }
        }
    }
}

/// A backend answered an operation with something that belongs to another one: the embedder's
/// mistake, reported to the client as an internal error rather than believed.
pub(crate) const WRONG_REPLY: Refusal = Refusal(NtStatus::INTERNAL_ERROR);

/// Enters a request. `raw` is the element as received, `sealed` the session it was encrypted for.
pub(crate) fn start(
    cx: &mut Cx<'_>,
    request: msg::Request,
    raw: &Bytes,
    sealed: Option<SessionId>,
) -> CmdResult {
    use msg::Request as R;
    match request {
        R::Negotiate(r) => negotiate::start(cx, &r, raw),
        R::SessionSetup(r) => session_setup::start(cx, &r, raw, sealed.is_some()),
        R::Logoff(_) => logoff::start(cx),
        R::TreeConnect(r) => tree_connect::start(cx, &r, sealed.is_some()),
        R::TreeDisconnect(_) => tree_disconnect::start(cx),
        R::Create(r) => create::start(cx, r),
        R::Close(r) => close::start(cx, &r),
        R::Flush(r) => flush::start(cx, &r),
        R::Read(r) => read::start(cx, &r),
        R::Write(r) => write::start(cx, r),
        R::Lock(r) => lock::start(cx, r),
        R::Ioctl(r) => ioctl::start(cx, r),
        R::Cancel(_) => Ok(Outcome::Silent.into()),
        R::Echo(_) => echo::start(cx),
        R::QueryDirectory(r) => query_directory::start(cx, r),
        R::ChangeNotify(r) => change_notify::start(cx, &r),
        R::QueryInfo(r) => query_info::start(cx, r),
        R::SetInfo(r) => set_info::start(cx, r),
        R::OplockBreak(r) => oplock_break::start(cx, &r),
    }
}

/// Goes on with a request that waited.
pub(crate) fn resume(cx: &mut Cx<'_>, phase: Phase, wake: Wake) -> CmdResult {
    match phase {
        Phase::SessionSetup(s) => session_setup::resume(cx, s, wake),
        Phase::Logoff(s) => logoff::resume(s, &wake),
        Phase::Create(s) => create::resume(cx, *s, wake),
        Phase::Close(s) => close::resume(cx, s, wake),
        Phase::Flush(s) => flush::resume(cx, s, wake),
        Phase::Read(s) => read::resume(cx, s, wake),
        Phase::Write(s) => write::resume(cx, s, wake),
        Phase::Lock(s) => lock::resume(cx, s, wake),
        Phase::Ioctl(s) => ioctl::resume(cx, s, wake),
        Phase::QueryDirectory(s) => query_directory::resume(cx, s, wake),
        Phase::ChangeNotify(s) => change_notify::resume(cx, s, wake),
        Phase::QueryInfo(s) => query_info::resume(cx, s, wake),
        Phase::SetInfo(s) => set_info::resume(cx, s, wake),
    }
}

/// Whether an IOCTL works on an open ([MS-SMB2] 3.3.5.15: some carry FileId all ones).
pub(crate) fn ioctl_needs_file(request: &msg::ioctl::Request) -> bool {
    ioctl::needs_file(request)
}
