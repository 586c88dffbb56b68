//! What the specification says about each input in each state. Every pair is listed: no arm stands for
//! states or commands that are not named.

use smb_proto::{Command, NtStatus};

use crate::state::{Input, Pending, Reaction, State};

/// What the specification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) reaction: Reaction,
    pub(crate) pending: Pending,
    pub(crate) next: State,
}

fn to(reaction: Reaction, next: State) -> Expected {
    Expected {
        reaction,
        pending: Pending::Unanswered,
        next,
    }
}

fn status(status: NtStatus, next: State) -> Expected {
    to(Reaction::Status(status), next)
}

const CLOSED: Expected = Expected {
    reaction: Reaction::Close,
    pending: Pending::Unanswered,
    next: State::Gone,
};

impl Expected {
    fn ends(self, status: NtStatus) -> Self {
        Self {
            pending: Pending::Answered(status),
            ..self
        }
    }
}

/// What the specification says to `input` in `state`. Sections are those of [MS-SMB2].
pub(crate) fn expected(state: State, input: Input) -> Expected {
    use Input as I;
    use State as S;
    match state {
        // Nothing reaches the server any more, and nothing comes back.
        S::Gone => return to(Reaction::Nothing, S::Gone),
        S::Draining => return draining(input),
        _ => {}
    }
    match input {
        I::Request(command) => request(state, command),
        I::Malformed(command) => malformed(state, command),
        I::WrongSignature => match state {
            // 3.3.5.2.2: the first message is NEGOTIATE.
            S::Fresh | S::Wildcard => CLOSED,
            // 3.3.5.2.9
            S::Negotiated | S::InProgress | S::LoggedOff | S::LogoffWaits => {
                status(NtStatus::USER_SESSION_DELETED, state)
            }
            // The session's state comes first, 3.3.5.2.9.
            S::Expired | S::ExpiredClosed | S::ExpiredTreeGone => {
                status(NtStatus::NETWORK_SESSION_EXPIRED, state)
            }
            // 3.3.5.2.4
            S::Valid
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining => status(NtStatus::ACCESS_DENIED, state),
            S::Gone => to(Reaction::Nothing, S::Gone),
        },
        // 3.3.5.3.1: once, as the first message.
        I::Smb1Negotiate => match state {
            S::Fresh => status(NtStatus::SUCCESS, S::Wildcard),
            S::Wildcard
            | S::Negotiated
            | S::InProgress
            | S::Valid
            | S::LoggedOff
            | S::LogoffWaits
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => CLOSED,
        },
        // 3.3.5.2.3, 3.3.5.2.6, 3.3.5.2, 2.1, 3.3.5.2.1.1: each closes the connection.
        I::UsedMessageId
        | I::UnknownCommand
        | I::Answer
        | I::FrameType
        | I::NotSmb
        | I::UnknownCipher
        | I::Disconnect => CLOSED,
        I::Completion => match state {
            S::ReadRuns => to(Reaction::Nothing, S::OpenFile).ends(NtStatus::SUCCESS),
            S::LogoffWaits => to(Reaction::Nothing, S::LoggedOff).ends(NtStatus::SUCCESS),
            S::CloseWaits => to(Reaction::Nothing, S::FileClosed).ends(NtStatus::SUCCESS),
            S::Fresh
            | S::Wildcard
            | S::Negotiated
            | S::InProgress
            | S::Valid
            | S::LoggedOff
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => to(Reaction::Nothing, state),
        },
        // A limit of the server (`unauthenticated_for`): who has never logged on is disconnected.
        I::LogonTime => match state {
            S::Fresh | S::Wildcard | S::Negotiated | S::InProgress => CLOSED,
            S::Valid
            | S::LoggedOff
            | S::LogoffWaits
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => to(Reaction::Nothing, state),
        },
        // 3.3.2.2; what waits goes on to wait.
        I::Lifetime => match state {
            S::Fresh | S::Wildcard | S::Negotiated | S::InProgress => CLOSED,
            S::LoggedOff | S::LogoffWaits => to(Reaction::Nothing, state),
            S::Valid | S::TreeGone | S::ExpiredTreeGone => {
                to(Reaction::Nothing, S::ExpiredTreeGone)
            }
            S::Connected | S::FileClosed | S::CloseWaits | S::ExpiredClosed => {
                to(Reaction::Nothing, S::ExpiredClosed)
            }
            S::OpenFile
            | S::OpenDirectory
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::Draining
            | S::Expired
            | S::Gone => to(Reaction::Nothing, S::Expired),
        },
        // How a server ends is its own affair: what waits for others is cancelled, what runs is finished.
        I::Drain => match state {
            S::LockWaits | S::NotifyWaits => CLOSED.ends(NtStatus::CANCELLED),
            S::ReadRuns | S::CloseWaits | S::LogoffWaits | S::Draining => {
                to(Reaction::Nothing, S::Draining)
            }
            S::Fresh
            | S::Wildcard
            | S::Negotiated
            | S::InProgress
            | S::Valid
            | S::LoggedOff
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => CLOSED,
        },
    }
}

/// A server that ends takes no requests; what breaks the framing still ends the
/// connection, and so does the last answer.
fn draining(input: Input) -> Expected {
    match input {
        Input::Completion => CLOSED.ends(NtStatus::SUCCESS),
        Input::FrameType | Input::NotSmb | Input::UnknownCipher | Input::Disconnect => CLOSED,
        Input::Smb1Negotiate => CLOSED,
        Input::Request(_)
        | Input::Malformed(_)
        | Input::WrongSignature
        | Input::UsedMessageId
        | Input::UnknownCommand
        | Input::Answer
        | Input::LogonTime
        | Input::Lifetime
        | Input::Drain => to(Reaction::Nothing, State::Draining),
    }
}

/// The checks before any command: `Some` where one of them answers.
fn gates(state: State, command: Command) -> Option<Expected> {
    use Command as C;
    use State as S;
    match (state, command) {
        (S::Fresh | S::Wildcard, C::Negotiate) => None,
        // 3.3.5.2.2
        (S::Fresh | S::Wildcard, _) => Some(CLOSED),
        // 3.3.5.4
        (_, C::Negotiate) => Some(CLOSED),
        // 3.3.5.5 looks for the session itself; 3.3.5.16 needs none.
        (_, C::SessionSetup | C::Cancel) => None,
        // 3.3.5.17: without session.
        (S::Negotiated, C::Echo) => None,
        // 3.3.5.2.9
        (S::Negotiated | S::InProgress | S::LoggedOff | S::LogoffWaits, _) => {
            Some(status(NtStatus::USER_SESSION_DELETED, state))
        }
        (S::Expired | S::ExpiredClosed, C::Logoff | C::Close | C::Lock | C::TreeDisconnect)
        | (S::ExpiredTreeGone, C::Logoff) => None,
        (S::ExpiredTreeGone, C::Close | C::Lock | C::TreeDisconnect) => {
            Some(status(NtStatus::NETWORK_NAME_DELETED, state))
        }
        (S::Expired | S::ExpiredClosed | S::ExpiredTreeGone, _) => {
            Some(status(NtStatus::NETWORK_SESSION_EXPIRED, state))
        }
        (_, C::Logoff | C::TreeConnect | C::Echo) => None,
        // 3.3.5.2.11
        (S::Valid | S::TreeGone, _) => Some(status(NtStatus::NETWORK_NAME_DELETED, state)),
        (
            S::Connected
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Gone,
            _,
        ) => None,
    }
}

/// 3.3.5.2.6 and each command's own section: a body that is too short is STATUS_INVALID_PARAMETER.
fn malformed(state: State, command: Command) -> Expected {
    if let Some(refusal) = gates(state, command) {
        return refusal;
    }
    match command {
        // 3.3.5.16: all that counts is in the header.
        Command::Cancel => cancel(state),
        _ => status(NtStatus::INVALID_PARAMETER, state),
    }
}

/// 3.3.5.16: never answered itself. What waits for others ends, a READ goes on.
fn cancel(state: State) -> Expected {
    match state {
        State::LockWaits => to(Reaction::Nothing, State::OpenFile).ends(NtStatus::CANCELLED),
        State::NotifyWaits => to(Reaction::Nothing, State::OpenDirectory).ends(NtStatus::CANCELLED),
        State::Fresh
        | State::Wildcard
        | State::Negotiated
        | State::InProgress
        | State::Valid
        | State::LoggedOff
        | State::LogoffWaits
        | State::Connected
        | State::TreeGone
        | State::OpenFile
        | State::OpenDirectory
        | State::FileClosed
        | State::ReadRuns
        | State::CloseWaits
        | State::Draining
        | State::Expired
        | State::ExpiredClosed
        | State::ExpiredTreeGone
        | State::Gone => to(Reaction::Nothing, state),
    }
}

fn request(state: State, command: Command) -> Expected {
    use Command as C;
    use State as S;
    if let Some(refusal) = gates(state, command) {
        return refusal;
    }
    let done = |next| status(NtStatus::SUCCESS, next);
    match command {
        C::Negotiate => done(S::Negotiated),
        C::SessionSetup => match state {
            S::Negotiated => status(NtStatus::MORE_PROCESSING_REQUIRED, S::InProgress),
            // Another first token where the last one is due: the authentication fails, 3.3.5.5.3.
            S::InProgress => status(NtStatus::INVALID_PARAMETER, S::LoggedOff),
            // 3.3.5.5 step 3
            S::LoggedOff | S::LogoffWaits => status(NtStatus::USER_SESSION_DELETED, state),
            // 3.3.5.5.2: authenticated again, the session stays as it is meanwhile.
            S::Fresh
            | S::Wildcard
            | S::Valid
            | S::Connected
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => status(NtStatus::MORE_PROCESSING_REQUIRED, state),
        },
        C::Cancel => cancel(state),
        C::Echo => done(state),
        // 3.3.5.6
        C::Logoff => match (state, ending(state)) {
            // Answered when what runs has been.
            (S::ReadRuns | S::CloseWaits, _) => to(Reaction::Nothing, S::LogoffWaits),
            (_, None) => done(S::LoggedOff),
            (_, Some(pending)) => done(S::LoggedOff).ends(pending),
        },
        // 3.3.5.7
        C::TreeConnect => match state {
            S::Valid | S::TreeGone => done(S::Connected),
            S::Fresh
            | S::Wildcard
            | S::Negotiated
            | S::InProgress
            | S::LoggedOff
            | S::LogoffWaits
            | S::Connected
            | S::OpenFile
            | S::OpenDirectory
            | S::FileClosed
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => done(state),
        },
        // 3.3.5.8
        C::TreeDisconnect => match (state, ending(state)) {
            (S::Expired | S::ExpiredClosed, _) => done(S::ExpiredTreeGone),
            (_, None) => done(S::TreeGone),
            (_, Some(pending)) => done(S::TreeGone).ends(pending),
        },
        // 3.3.5.9
        C::Create => match state {
            S::Connected | S::FileClosed => done(S::OpenFile),
            S::Fresh
            | S::Wildcard
            | S::Negotiated
            | S::InProgress
            | S::Valid
            | S::LoggedOff
            | S::LogoffWaits
            | S::TreeGone
            | S::OpenFile
            | S::OpenDirectory
            | S::LockWaits
            | S::NotifyWaits
            | S::ReadRuns
            | S::CloseWaits
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => done(state),
        },
        C::Close
        | C::Flush
        | C::Read
        | C::Write
        | C::Lock
        | C::Ioctl
        | C::QueryDirectory
        | C::ChangeNotify
        | C::QueryInfo
        | C::SetInfo
        | C::OplockBreak => on_open(state, command),
    }
}

/// How a request that waits is answered when its open, tree connect or session is ended.
pub(crate) fn ending(state: State) -> Option<NtStatus> {
    match state {
        // [MS-FSA] 2.1.5.5 ends both with the open: the lock was never granted, and the directory is no
        // longer watched.
        State::LockWaits => Some(NtStatus::RANGE_NOT_LOCKED),
        State::NotifyWaits => Some(NtStatus::NOTIFY_CLEANUP),
        State::Fresh
        | State::Wildcard
        | State::Negotiated
        | State::InProgress
        | State::Valid
        | State::LoggedOff
        | State::LogoffWaits
        | State::Connected
        | State::TreeGone
        | State::OpenFile
        | State::OpenDirectory
        | State::FileClosed
        | State::ReadRuns
        | State::CloseWaits
        | State::Draining
        | State::Expired
        | State::ExpiredClosed
        | State::ExpiredTreeGone
        | State::Gone => None,
    }
}

fn on_open(state: State, command: Command) -> Expected {
    use Command as C;
    use State as S;
    let directory = match state {
        // 3.3.5.10 to 3.3.5.22: no such open.
        S::Fresh
        | S::Wildcard
        | S::Negotiated
        | S::InProgress
        | S::Valid
        | S::LoggedOff
        | S::LogoffWaits
        | S::TreeGone
        | S::Gone
        | S::Connected
        | S::CloseWaits
        | S::Draining
        | S::ExpiredClosed
        | S::ExpiredTreeGone
        | S::FileClosed => return status(NtStatus::FILE_CLOSED, state),
        S::OpenFile | S::LockWaits | S::ReadRuns | S::Expired => false,
        S::OpenDirectory | S::NotifyWaits => true,
    };
    let done = status(NtStatus::SUCCESS, state);
    let invalid = status(NtStatus::INVALID_PARAMETER, state);
    match (command, directory) {
        // 3.3.5.10; while it is used, the CLOSE waits.
        (C::Close, _) => match (state, ending(state)) {
            (S::ReadRuns, _) => to(Reaction::Nothing, S::CloseWaits),
            (S::Expired, _) => status(NtStatus::SUCCESS, S::ExpiredClosed),
            (_, None) => status(NtStatus::SUCCESS, S::FileClosed),
            (_, Some(pending)) => status(NtStatus::SUCCESS, S::FileClosed).ends(pending),
        },
        // 3.3.5.11, 3.3.5.20, 3.3.5.21
        (C::Flush | C::QueryInfo | C::SetInfo, _) => done,
        // 3.3.5.12, 3.3.5.13
        (C::Read | C::Write, false) => done,
        (C::Read | C::Write, true) => status(NtStatus::INVALID_DEVICE_REQUEST, state),
        // 3.3.5.14
        (C::Lock, false) => done,
        (C::Lock, true) => invalid,
        // FSCTL_SET_SPARSE, [MS-FSA] 2.1.5.10.38
        (C::Ioctl, false) => done,
        (C::Ioctl, true) => invalid,
        // 3.3.5.18
        (C::QueryDirectory, false) => invalid,
        (C::QueryDirectory, true) => done,
        // 3.3.5.19
        (C::ChangeNotify, false) => invalid,
        (C::ChangeNotify, true) => to(Reaction::Interim, S::NotifyWaits),
        // 3.3.5.22.1: no break is under way.
        (C::OplockBreak, _) => status(NtStatus::INVALID_OPLOCK_PROTOCOL, state),
        (
            C::Negotiate
            | C::SessionSetup
            | C::Logoff
            | C::TreeConnect
            | C::TreeDisconnect
            | C::Create
            | C::Cancel
            | C::Echo,
            _,
        ) => done,
    }
}
