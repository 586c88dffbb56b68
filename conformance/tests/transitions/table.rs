//! What the specification says about each input in each state. Every pair is listed: no arm stands for
//! states or commands that are not named.
//!
//! Sections are those of [MS-SMB2] where no other document is named. `Ours:` begins the
//! comment on a rule that the specification leaves to the implementation, or words otherwise; it says
//! what the specification has, and what is done here.

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

/// What the specification says to `input` in `state`.
pub(crate) fn expected(state: State, input: Input) -> Expected {
    use Input as I;
    use State as S;
    match state {
        // 3.3.7.1: nothing reaches the server any more, and nothing comes back.
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
            // 3.3.5.2.4: no such session.
            S::Negotiated | S::LoggedOff | S::LogoffWaits => {
                status(NtStatus::USER_SESSION_DELETED, state)
            }
            // Ours: 3.3.5.2.4 has STATUS_NOT_SUPPORTED for a session that has no key yet. Here a session
            // that is not authenticated counts as none (3.3.5.2.9 leaves the error open).
            S::InProgress => status(NtStatus::USER_SESSION_DELETED, state),
            // Ours: the session's state (3.3.5.2.9) is looked at before the signature (3.3.5.2.4), which
            // alone would be STATUS_ACCESS_DENIED.
            S::Expired | S::ExpiredClosed | S::ExpiredTreeGone => {
                status(NtStatus::NETWORK_SESSION_EXPIRED, state)
            }
            // 3.3.5.2.4: the signature does not verify.
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
            // 3.3.7.1
            S::Gone => to(Reaction::Nothing, S::Gone),
        },
        I::Smb1Negotiate => match state {
            // 3.3.5.3.1
            S::Fresh => status(NtStatus::SUCCESS, S::Wildcard),
            // 3.3.5.2.3: its message id is 0, and that has been used.
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
        // 3.3.5.2.3
        I::UsedMessageId => CLOSED,
        // 3.3.5.2.6: no such command, and less than a header.
        I::UnknownCommand | I::NotSmb => CLOSED,
        // Ours: 2.2.1.2 forbids the flag in requests, and 3.3.5.2.6 lets the server disconnect besides
        // STATUS_INVALID_PARAMETER; that is not sent, since nobody answers an answer.
        I::Answer => CLOSED,
        // Ours: 2.1 has the first byte zero and does not say what follows if it is not. Where the next
        // frame begins cannot be known then.
        I::FrameType => CLOSED,
        // 3.3.5.2.1.1: no such session, and no such algorithm; 3.3.5.2.2 before NEGOTIATE.
        I::UnknownCipher => CLOSED,
        // 3.3.7.1
        I::Disconnect => CLOSED,
        // What the file system has done is answered: 3.3.5.12, then what waited for it, 3.3.5.6 or
        // 3.3.5.10. Elsewhere nothing is left for it to do.
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
        // 3.3.6.3, after a time of the implementation's choice (`unauthenticated_for`).
        I::LogonTime => match state {
            S::Fresh | S::Wildcard | S::Negotiated | S::InProgress => CLOSED,
            // Ours: 3.3.6.3 disconnects here too, where no session is left. Only who has never logged on
            // is disconnected.
            S::LoggedOff | S::LogoffWaits => to(Reaction::Nothing, state),
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
            | S::Draining
            | S::Expired
            | S::ExpiredClosed
            | S::ExpiredTreeGone
            | S::Gone => to(Reaction::Nothing, state),
        },
        // 3.3.2.3 and 3.3.6.3: the session's state is all that changes, what waits goes on to wait.
        I::Lifetime => match state {
            // The time of `LogonTime` has passed as well.
            S::Fresh | S::Wildcard | S::Negotiated | S::InProgress => CLOSED,
            // Ours: as with `LogonTime`.
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
        // 3.3.4.23 disconnects, and 3.3.4.17 cancels what waits for others.
        // Ours: what runs is finished first.
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

/// Ours: 3.3.4.23 disconnects at once. Here a server that ends takes no more requests and finishes what
/// runs; the last answer ends the connection, and so does still what breaks the framing (2.1, 3.3.5.2.6,
/// 3.3.5.2.1.1) or is SMB1, and the client itself (3.3.7.1).
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

/// The checks before any command (3.3.5.2): `Some` where one of them answers.
fn gates(state: State, command: Command) -> Option<Expected> {
    use Command as C;
    use State as S;
    match (state, command) {
        // 3.3.5.4
        (S::Fresh | S::Wildcard, C::Negotiate) => None,
        // 3.3.5.2.2
        (S::Fresh | S::Wildcard, _) => Some(CLOSED),
        // 3.3.5.4: a dialect is agreed on.
        (_, C::Negotiate) => Some(CLOSED),
        // 3.3.5.5 looks for the session itself; 3.3.5.16 answers nothing in any case.
        (_, C::SessionSetup | C::Cancel) => None,
        // Ours: 3.3.5.17 verifies no session where none is named, but says that a server should disconnect
        // while there is none at all. An ECHO is answered: `LogonTime` ends the connection anyway.
        (S::Negotiated, C::Echo) => None,
        // 3.3.5.2.9: no such session.
        (S::Negotiated | S::LoggedOff | S::LogoffWaits, _) => {
            Some(status(NtStatus::USER_SESSION_DELETED, state))
        }
        // Ours: 3.3.5.2.9 leaves the error open, but carries out LOGOFF, CLOSE and LOCK. Who is not
        // authenticated has nothing yet that these could end.
        (S::InProgress, _) => Some(status(NtStatus::USER_SESSION_DELETED, state)),
        // 3.3.5.2.9 for LOGOFF, CLOSE and LOCK.
        // Ours: TREE_DISCONNECT, which should be refused; like CLOSE it only gives up what there is.
        (S::Expired | S::ExpiredClosed, C::Logoff | C::Close | C::Lock | C::TreeDisconnect)
        | (S::ExpiredTreeGone, C::Logoff) => None,
        // 3.3.5.2.11, of what passes 3.3.5.2.9.
        // Ours: CLOSE, for which 3.3.5.10 looks for the open first: STATUS_FILE_CLOSED.
        (S::ExpiredTreeGone, C::Close | C::Lock | C::TreeDisconnect) => {
            Some(status(NtStatus::NETWORK_NAME_DELETED, state))
        }
        // 3.3.5.2.9
        (S::Expired | S::ExpiredClosed | S::ExpiredTreeGone, _) => {
            Some(status(NtStatus::NETWORK_SESSION_EXPIRED, state))
        }
        // 3.3.5.6, 3.3.5.7, 3.3.5.17: a session and no tree connect.
        (_, C::Logoff | C::TreeConnect | C::Echo) => None,
        // 3.3.5.2.11
        // Ours: CLOSE, as above.
        (S::Valid | S::TreeGone, _) => Some(status(NtStatus::NETWORK_NAME_DELETED, state)),
        // 3.3.5.2.9 and 3.3.5.2.11 find both.
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

/// 3.3.5.2.6: a body that is too short is STATUS_INVALID_PARAMETER.
/// Ours: after the checks of the session and the tree connect, whose order with this one is left open.
fn malformed(state: State, command: Command) -> Expected {
    if let Some(refusal) = gates(state, command) {
        return refusal;
    }
    match command {
        // Ours: 3.3.5.2.6 excepts no command, but a CANCEL has no answer (3.3.5.16), and all that counts
        // is in its header.
        Command::Cancel => cancel(state),
        _ => status(NtStatus::INVALID_PARAMETER, state),
    }
}

/// 3.3.5.16: never answered itself, and what cannot be cancelled goes on.
/// Ours: what waits for others can be cancelled, a READ that the file system has begun cannot.
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
        // 3.3.5.4
        C::Negotiate => done(S::Negotiated),
        C::SessionSetup => match state {
            // 3.3.5.5.1, 3.3.5.5.3
            S::Negotiated => status(NtStatus::MORE_PROCESSING_REQUIRED, S::InProgress),
            // 3.3.5.5.3: another first token where the last one is due; the authentication fails, and the
            // session goes.
            // Ours: the status, which is that of the authentication protocol.
            S::InProgress => status(NtStatus::INVALID_PARAMETER, S::LoggedOff),
            // 3.3.5.5: no such session.
            S::LoggedOff | S::LogoffWaits => status(NtStatus::USER_SESSION_DELETED, state),
            // 3.3.5.5.2: authenticated again.
            // Ours: a session that has expired stays so meanwhile instead of becoming InProgress. In both
            // 3.3.5.2.9 lets the same commands pass, and leaves the error of InProgress open.
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
        // 3.3.5.17
        C::Echo => done(state),
        // 3.3.5.6
        C::Logoff => match (state, ending(state)) {
            // Ours: answered when what runs has been (3.3.5.16: what is not cancelled goes on).
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
        // Ours: 3.3.4.17 cancels what waits on the open, which would be STATUS_CANCELLED (3.3.5.16). The
        // status here is what smbtorture's smb2.lock.cancel wants.
        State::LockWaits => Some(NtStatus::RANGE_NOT_LOCKED),
        // 3.3.5.10 for CLOSE.
        // Ours: the same with TREE_DISCONNECT and LOGOFF, which close the open (3.3.4.17).
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
        // 3.3.5.10 to 3.3.5.15, 3.3.5.18 to 3.3.5.21, 3.3.5.22.1: no such open.
        // Ours: an open whose CLOSE waits counts as none (`CloseWaits`).
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
        // 3.3.5.10
        (C::Close, _) => match (state, ending(state)) {
            // Ours: while the open is used, the CLOSE waits (3.3.5.16: what is not cancelled goes on).
            (S::ReadRuns, _) => to(Reaction::Nothing, S::CloseWaits),
            (S::Expired, _) => status(NtStatus::SUCCESS, S::ExpiredClosed),
            (_, None) => status(NtStatus::SUCCESS, S::FileClosed),
            (_, Some(pending)) => status(NtStatus::SUCCESS, S::FileClosed).ends(pending),
        },
        // 3.3.5.11, 3.3.5.20, 3.3.5.21
        (C::Flush | C::QueryInfo | C::SetInfo, _) => done,
        // 3.3.5.12, 3.3.5.13
        (C::Read | C::Write, false) => done,
        // Ours: [MS-FSA] 2.1.5.3 and 2.1.5.4 take the open of a data file only. The status here is what
        // smbtorture's smb2.read.dir wants of READ.
        (C::Read | C::Write, true) => status(NtStatus::INVALID_DEVICE_REQUEST, state),
        // 3.3.5.14; a directory: [MS-FSA] 2.1.5.8.
        (C::Lock, false) => done,
        (C::Lock, true) => invalid,
        // 3.3.5.15; FSCTL_SET_SPARSE, a directory: [MS-FSA] 2.1.5.10.38.
        (C::Ioctl, false) => done,
        (C::Ioctl, true) => invalid,
        // 3.3.5.18
        (C::QueryDirectory, false) => invalid,
        (C::QueryDirectory, true) => done,
        // 3.3.5.19; asynchronous as in 3.3.4.2.
        (C::ChangeNotify, false) => invalid,
        (C::ChangeNotify, true) => to(Reaction::Interim, S::NotifyWaits),
        // Ours: where no break is under way, 3.3.5.22.1 has STATUS_INVALID_DEVICE_STATE. No oplock is
        // ever granted here, so that the client breaks the protocol.
        (C::OplockBreak, _) => status(NtStatus::INVALID_OPLOCK_PROTOCOL, state),
        // Not about an open: `request` has answered them.
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
