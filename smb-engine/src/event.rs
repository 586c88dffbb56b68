//! Things worth counting, logging or auditing. Never a key, a password or file content.

use smb_proto::id::SessionId;
use smb_proto::{Command, Dialect, NtStatus};

use crate::output::{CloseReason, ConnId};

/// Something that happened. The driver decides what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A dialect was agreed on.
    Negotiated {
        /// The connection.
        conn: ConnId,
        /// The dialect.
        dialect: Dialect,
    },
    /// A session was established (or bound to a further connection, or authenticated again).
    LoggedOn {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// Account name.
        user: String,
        /// Guest or anonymous.
        unprivileged: bool,
    },
    /// An authentication was refused.
    LogonFailed {
        /// The connection.
        conn: ConnId,
        /// User name as the client gave it.
        user: String,
        /// What the client was told.
        status: NtStatus,
    },
    /// A session has ended.
    LoggedOff {
        /// The session.
        session: SessionId,
    },
    /// A share was connected.
    TreeConnected {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// Share name.
        share: String,
    },
    /// A share was refused.
    TreeRefused {
        /// The connection.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// What the client asked for.
        share: String,
        /// What it was told.
        status: NtStatus,
    },
    /// A request was answered.
    Answered {
        /// The connection.
        conn: ConnId,
        /// The command.
        command: Command,
        /// The status.
        status: NtStatus,
    },
    /// The server closes a connection.
    Closing {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A backend failed at something nobody waits for any more.
    BackendFailed {
        /// What was being done.
        doing: &'static str,
        /// How it failed.
        error: crate::vfs::VfsError,
    },
    /// A persistent open of an earlier server is back, and waits for its client.
    Restored {
        /// The persistent half of its FileId.
        id: u64,
    },
    /// A persistent open of an earlier server could not be made again.
    NotRestored {
        /// The persistent half of its FileId.
        id: u64,
    },
    /// A stale id or an answer that nobody waits for; harmless.
    Stale,
}
