//! The states, and what can happen in them.

use smb_proto::{Command, NtStatus};

/// What one client, its connection, session, tree connect, open and request are in. Each state
/// contains those before it as far as its name does not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Connected, nothing received.
    Fresh,
    /// An SMB1 negotiate was answered with the wildcard dialect (3.3.5.3.1).
    Wildcard,
    /// A dialect is agreed on.
    Negotiated,
    /// The first token of an authentication was taken.
    InProgress,
    /// A session, no tree connect.
    Valid,
    /// The session has ended; its id is still used.
    LoggedOff,
    /// A tree connect, no open.
    Connected,
    /// The tree connect has ended; its id is still used.
    TreeGone,
    /// A file is open.
    OpenFile,
    /// A directory is open.
    OpenDirectory,
    /// The file was closed; its id is still used.
    FileClosed,
    /// A LOCK waits for another open's lock.
    LockWaits,
    /// A CHANGE_NOTIFY waits for a change.
    NotifyWaits,
    /// A READ waits for the file system.
    ReadRuns,
    /// A CLOSE waits for that READ.
    CloseWaits,
    /// A LOGOFF waits for that READ; the session's id is of no use any more.
    LogoffWaits,
    /// The server ends, and only that READ is left.
    Draining,
    /// The session's lifetime is over; tree connect and open are there.
    Expired,
    /// The same, and the file is closed.
    ExpiredClosed,
    /// The same, and the tree connect has ended.
    ExpiredTreeGone,
    /// The connection is closed.
    Gone,
}

pub(crate) const STATES: [State; 21] = [
    State::Fresh,
    State::Wildcard,
    State::Negotiated,
    State::InProgress,
    State::Valid,
    State::LoggedOff,
    State::Connected,
    State::TreeGone,
    State::OpenFile,
    State::OpenDirectory,
    State::FileClosed,
    State::LockWaits,
    State::NotifyWaits,
    State::ReadRuns,
    State::CloseWaits,
    State::LogoffWaits,
    State::Draining,
    State::Expired,
    State::ExpiredClosed,
    State::ExpiredTreeGone,
    State::Gone,
];

/// Something that happens to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A request in order, about the ids that there are or were.
    Request(Command),
    /// The same with a body of two bytes.
    Malformed(Command),
    /// A request (QUERY_INFO) with a wrong signature.
    WrongSignature,
    /// A request (ECHO) with a message id that was used.
    UsedMessageId,
    /// A command code that there is not.
    UnknownCommand,
    /// A message with the flag of answers.
    Answer,
    /// A frame whose type is not that of messages.
    FrameType,
    /// A message that is not SMB.
    NotSmb,
    /// An SMB1 negotiate for SMB 2.???.
    Smb1Negotiate,
    /// An encrypted message of an unknown session.
    UnknownCipher,
    /// The file system answers what it was asked.
    Completion,
    /// The time for a logon passes (30 seconds).
    LogonTime,
    /// The lifetime of a session passes (an hour).
    Lifetime,
    /// The operator ends the server.
    Drain,
    /// The connection breaks.
    Disconnect,
}

/// All inputs.
pub(crate) fn inputs() -> Vec<Input> {
    let commands = COMMANDS.into_iter();
    let mut all: Vec<_> = commands
        .flat_map(|c| [Input::Request(c), Input::Malformed(c)])
        .collect();
    all.extend([
        Input::WrongSignature,
        Input::UsedMessageId,
        Input::UnknownCommand,
        Input::Answer,
        Input::FrameType,
        Input::NotSmb,
        Input::Smb1Negotiate,
        Input::UnknownCipher,
        Input::Completion,
        Input::LogonTime,
        Input::Lifetime,
        Input::Drain,
        Input::Disconnect,
    ]);
    all
}

/// All 19 commands.
pub(crate) const COMMANDS: [Command; 19] = [
    Command::Negotiate,
    Command::SessionSetup,
    Command::Logoff,
    Command::TreeConnect,
    Command::TreeDisconnect,
    Command::Create,
    Command::Close,
    Command::Flush,
    Command::Read,
    Command::Write,
    Command::Lock,
    Command::Ioctl,
    Command::Cancel,
    Command::Echo,
    Command::QueryDirectory,
    Command::ChangeNotify,
    Command::QueryInfo,
    Command::SetInfo,
    Command::OplockBreak,
];

/// How the server reacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The final answer.
    Status(NtStatus),
    /// STATUS_PENDING for now.
    Interim,
    /// None at all.
    Nothing,
    /// The connection is closed.
    Close,
}

/// What becomes of a request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    /// There was none, or it waits on, or its connection has gone.
    Unanswered,
    /// It is answered.
    Answered(NtStatus),
}
