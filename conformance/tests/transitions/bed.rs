//! A server and a client in a given state, and what it takes to bring an input about.

use std::time::Duration;

use bytes::Bytes;
use driver_sim::check::Panel;
use driver_sim::client::{
    ClientConfig, ClientEvent, Credentials, LogonFor, Part, Reply, Sign, Target, ops,
};
use driver_sim::pair::{End, Pair, Tree};
use smb_engine::Control;
use smb_engine::vfs::VfsOp;
use smb_proto::fsctl::FsctlCode;
use smb_proto::header::HeaderFlags;
use smb_proto::id::{FileId, MessageId, SessionId};
use smb_proto::info::FileInfoClass;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::query_directory::QueryDirectoryFlags;
use smb_proto::msg::{self, Response, cancel, echo, logoff, oplock_break, tree_disconnect};
use smb_proto::{Command, Dialect, NtStatus, smb1};

use crate::state::{Input, Pending, Reaction, State};
use crate::table::expected;

/// A session lasts so long.
const LIFETIME: Duration = Duration::from_secs(3600);

pub(crate) struct Bed {
    pub(crate) pair: Pair,
    end: End,
    target: Target,
    file: FileId,
    /// The request that waits.
    waiting: Option<MessageId>,
    /// What the client would say after the wildcard.
    negotiate: Vec<Bytes>,
    /// A session that was there has begun to authenticate again.
    pub(crate) again: bool,
    /// Where the client and the server are.
    pub(crate) state: State,
}

impl Bed {
    /// A server with a client in `state`.
    pub(crate) fn new(state: State) -> Self {
        let mut pair = Pair::builder()
            .config(|c| c.limits.session_lifetime = LIFETIME)
            // The table is what judges here; the checkers know nothing of a server that ends.
            .panel(Panel::new(Vec::new()))
            .build();
        pair.fs().write_file("file", b"some data").unwrap();
        pair.fs().make_dir("dir").unwrap();
        let end = pair.accept(ClientConfig::only(Dialect::Smb302).signing());
        let mut bed = Self {
            pair,
            end,
            target: Target::NONE,
            file: FileId {
                persistent: 0x7777,
                volatile: 0x7777,
            },
            waiting: None,
            negotiate: Vec::new(),
            again: false,
            state: State::Fresh,
        };
        bed.reach(state);
        bed.state = state;
        bed
    }

    /// Brings an input about on the way to a state.
    fn take(&mut self, input: Input) {
        let expected = expected(self.state, input);
        self.step(input);
        self.state = expected.next;
    }

    fn reach(&mut self, state: State) {
        match state {
            State::Fresh => {}
            State::Wildcard => self.take(Input::Smb1Negotiate),
            State::Negotiated => self.take(Input::Request(Command::Negotiate)),
            State::InProgress => {
                self.reach(State::Negotiated);
                self.take(Input::Request(Command::SessionSetup));
            }
            State::Valid => {
                self.reach(State::Negotiated);
                let user = Credentials::new("user", "secret");
                let id = self.pair.client(self.end).logon(user, LogonFor::New);
                self.pair.run();
                let session = self.pair.logon_outcome(self.end, id).unwrap();
                self.target = Target::session(session);
                self.state = State::Valid;
            }
            State::LoggedOff => {
                self.reach(State::Valid);
                self.take(Input::Request(Command::Logoff));
            }
            State::Connected => {
                self.reach(State::Valid);
                self.take(Input::Request(Command::TreeConnect));
            }
            State::TreeGone => {
                self.reach(State::Connected);
                self.take(Input::Request(Command::TreeDisconnect));
            }
            State::OpenFile => {
                self.reach(State::Connected);
                self.take(Input::Request(Command::Create));
            }
            State::OpenDirectory => {
                self.reach(State::Connected);
                let tree = self.tree();
                let opened = self.pair.create(tree, ops::open_dir("dir")).unwrap();
                self.file = opened.file_id;
                self.state = State::OpenDirectory;
            }
            State::FileClosed => {
                self.reach(State::OpenFile);
                self.take(Input::Request(Command::Close));
            }
            State::LockWaits => {
                self.reach(State::OpenFile);
                let tree = self.tree();
                let other = self.pair.open(tree, "file").unwrap();
                let exclusive = LockFlags::EXCLUSIVE_LOCK;
                let at_once = exclusive | LockFlags::FAIL_IMMEDIATELY;
                self.pair
                    .lock(tree, ops::lock(other, 1000, 10, at_once))
                    .unwrap();
                let waits = ops::lock(self.file, 1000, 10, exclusive);
                self.waiting = Some(self.pair.start(tree, waits));
            }
            State::NotifyWaits => {
                self.reach(State::OpenDirectory);
                self.take(Input::Request(Command::ChangeNotify));
            }
            State::ReadRuns => {
                self.reach(State::OpenFile);
                let tree = self.tree();
                self.pair
                    .hold(|op| matches!(op, VfsOp::Read { len: 3, .. }));
                self.waiting = Some(self.pair.start(tree, ops::read(self.file, 0, 3)));
            }
            State::Expired => {
                self.reach(State::OpenFile);
                self.take(Input::Lifetime);
            }
            State::CloseWaits => {
                self.reach(State::ReadRuns);
                self.state = State::ReadRuns;
                self.take(Input::Request(Command::Close));
            }
            State::LogoffWaits => {
                self.reach(State::ReadRuns);
                self.state = State::ReadRuns;
                self.take(Input::Request(Command::Logoff));
            }
            State::Draining => {
                self.reach(State::ReadRuns);
                self.state = State::ReadRuns;
                self.take(Input::Drain);
            }
            State::ExpiredClosed => {
                self.reach(State::Expired);
                self.take(Input::Request(Command::Close));
            }
            State::ExpiredTreeGone => {
                self.reach(State::Expired);
                self.take(Input::Request(Command::TreeDisconnect));
            }
            State::Gone => self.take(Input::Disconnect),
        }
    }

    fn tree(&self) -> Tree {
        Tree {
            end: self.end,
            target: self.target,
        }
    }

    /// A request of this command, in order.
    fn body(&self, command: Command) -> msg::Request {
        let file = self.file;
        match command {
            Command::Negotiate => msg::negotiate::Request {
                dialects: vec![Dialect::Smb302 as u16],
                security_mode: msg::negotiate::SecurityMode::SIGNING_ENABLED,
                capabilities: msg::negotiate::GlobalCapabilities::empty(),
                client_guid: smb_proto::Guid::from_bytes([1; 16]),
                client_start_time: smb_proto::FileTime::ZERO,
                contexts: Vec::new(),
            }
            .into(),
            Command::SessionSetup => {
                let mut body = msg::session_setup::Request {
                    flags: msg::session_setup::SetupFlags::empty(),
                    security_mode: msg::negotiate::SecurityMode::SIGNING_ENABLED,
                    capabilities: msg::negotiate::GlobalCapabilities::empty(),
                    previous_session_id: SessionId(0),
                    security_buffer: Bytes::new(),
                };
                // NTLM NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1: Unicode, request target, NTLM, 128, key
                // exchange, extended session security, always sign, sign.
                let mut token = b"NTLMSSP\0\x01\0\0\0".to_vec();
                token.extend(0x6008_8215_u32.to_le_bytes());
                token.extend([0; 16]);
                body.security_buffer = token.into();
                body.into()
            }
            Command::Logoff => logoff::Request.into(),
            Command::TreeConnect => ops::tree_connect("\\\\server\\files").into(),
            Command::TreeDisconnect => tree_disconnect::Request.into(),
            Command::Create => ops::create("file", CreateDisposition::Open).into(),
            Command::Close => ops::close(file).into(),
            Command::Flush => ops::flush(file).into(),
            Command::Read => ops::read(file, 0, 9).into(),
            Command::Write => ops::write(file, 0, &b"other"[..]).into(),
            Command::Lock => {
                let flags = LockFlags::SHARED_LOCK | LockFlags::FAIL_IMMEDIATELY;
                ops::lock(file, 5000, 10, flags).into()
            }
            Command::Ioctl => ops::fsctl(file, FsctlCode::SET_SPARSE, Bytes::new(), 0).into(),
            Command::Cancel => cancel::Request.into(),
            Command::Echo => echo::Request.into(),
            Command::QueryDirectory => msg::query_directory::Request {
                flags: QueryDirectoryFlags::RESTART_SCANS,
                ..ops::query_directory(file, FileInfoClass::IdBothDirectory, "*", 4096)
            }
            .into(),
            Command::ChangeNotify => ops::notify(file, CompletionFilter::FILE_NAME, false).into(),
            Command::QueryInfo => ops::query_file(file, FileInfoClass::Standard).into(),
            Command::SetInfo => {
                // FileBasicInformation that changes nothing.
                ops::set_file(file, FileInfoClass::Basic, Bytes::from(vec![0; 40])).into()
            }
            Command::OplockBreak => oplock_break::Message::Oplock(oplock_break::OplockBreak {
                oplock_level: msg::OplockLevel::NONE,
                file_id: file,
            })
            .into(),
        }
    }

    fn part(&mut self, part: Part) -> Option<MessageId> {
        // After the wildcard there is one message id, and the client has used it in its mind.
        let part = match self.state {
            State::Wildcard if part.message_id.is_none() => part.message_id(1),
            _ => part,
        };
        let id = self.pair.client(self.end).send_part(part);
        self.pair.run();
        Some(id)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.pair.client(self.end).send_bytes(bytes);
        self.pair.run();
    }

    /// Brings an input about; the message that it was, if it was one.
    fn apply(&mut self, input: Input) -> Option<MessageId> {
        match input {
            Input::Request(Command::Negotiate) if self.state == State::Fresh => {
                self.pair.client(self.end).negotiate();
                self.pair.run();
            }
            Input::Request(Command::Negotiate) if self.state == State::Wildcard => {
                for bytes in std::mem::take(&mut self.negotiate) {
                    self.bytes(&bytes);
                }
            }
            Input::Request(Command::Cancel) => {
                let waiting = self.waiting.unwrap_or(MessageId(1));
                return match self.state {
                    State::LockWaits | State::NotifyWaits | State::ReadRuns => {
                        self.pair.client(self.end).cancel(waiting);
                        self.pair.run();
                        None
                    }
                    _ => self.part(Part::new(self.target, cancel::Request).message_id(1)),
                };
            }
            Input::Request(command) => {
                return self.part(Part::new(self.target, self.body(command)));
            }
            Input::Malformed(command) => {
                // The client takes no unsigned refusal about a session that it still believes in.
                let target = match (self.state, command) {
                    (State::LogoffWaits, Command::SessionSetup) => Target::NONE,
                    _ => self.target,
                };
                let mut part = Part::raw(target, command as u16, Bytes::from_static(&[0xff; 2]));
                if command == Command::Cancel {
                    part = part.message_id(self.waiting.unwrap_or(MessageId(1)).0);
                }
                return self.part(part);
            }
            Input::WrongSignature => {
                let body = self.body(Command::QueryInfo);
                return self.part(Part::new(self.target, body).sign(Sign::Wrong));
            }
            Input::UsedMessageId => {
                // In a fresh connection none is used, but none but 0 is allowed either.
                let used = u64::from(self.state == State::Fresh);
                return self.part(Part::new(Target::NONE, echo::Request).message_id(used));
            }
            Input::UnknownCommand => {
                let body = Bytes::from_static(&[4, 0, 0, 0]);
                return self.part(Part::raw(self.target, 19, body));
            }
            Input::Answer => {
                let mut part = Part::new(Target::NONE, echo::Request);
                part.flags = HeaderFlags::SERVER_TO_REDIR;
                return self.part(part);
            }
            Input::FrameType => self.bytes(&[1, 0, 0, 4, 0, 0, 0, 0]),
            Input::NotSmb => self.bytes(b"\0\0\0\x08GET / \r\n"),
            Input::Smb1Negotiate if self.state == State::Fresh => {
                self.pair.pause(self.end);
                let client = self.pair.client(self.end);
                client.negotiate_from_smb1(vec![Bytes::from_static(smb1::DIALECT_SMB_2_WILDCARD)]);
                self.pair.deliver(self.end);
                // What the client says next is kept for when it is asked for.
                while let Some(bytes) = self.pair.client(self.end).poll_transmit() {
                    self.negotiate.push(bytes);
                }
                self.pair.resume(self.end);
            }
            Input::Smb1Negotiate => {
                let dialects = vec![Bytes::from_static(smb1::DIALECT_SMB_2_WILDCARD)];
                let mut w = smb_proto::wire::Writer::new();
                smb1::NegotiateRequest { dialects }.encode(&mut w);
                self.pair.client(self.end).send_frame(w.written());
                self.pair.run();
            }
            Input::UnknownCipher => {
                let mut message = b"\xfdSMB".to_vec();
                message.resize(52 + 64, 0x11);
                self.pair.client(self.end).send_frame(&message);
                self.pair.run();
            }
            Input::Completion => {
                self.pair.release();
                self.pair.run();
            }
            Input::LogonTime => self.pair.advance(Duration::from_secs(31)),
            Input::Lifetime => self.pair.advance(LIFETIME + Duration::from_secs(1)),
            Input::Drain => {
                self.pair.control(Control::Drain);
                self.pair.run();
            }
            Input::Disconnect => {
                self.pair.disconnect(self.end);
                self.pair.run();
            }
        }
        None
    }

    /// Brings an input about and says what came of it.
    pub(crate) fn step(&mut self, input: Input) -> (Reaction, Pending) {
        if !self.pair.is_connected(self.end) {
            return (Reaction::Nothing, Pending::Unanswered);
        }
        self.pair.client_events(self.end);
        let sent = self.apply(input);
        let pending = match self.waiting.and_then(|id| self.pair.reply(self.end, id)) {
            None => Pending::Unanswered,
            Some(reply) => {
                self.waiting = None;
                Pending::Answered(reply.status())
            }
        };
        let events = self.pair.client_events(self.end);
        let answer = sent.and_then(|id| self.pair.reply(self.end, id));
        let negotiated = events
            .iter()
            .any(|e| matches!(e, ClientEvent::Negotiated(_)));
        let interim = events
            .iter()
            .any(|e| matches!(e, ClientEvent::Interim { message, .. } if Some(*message) == sent));
        if interim {
            self.waiting = sent;
        }
        let reaction = match answer {
            Some(answer) => {
                self.learn(&answer);
                Reaction::Status(answer.status())
            }
            None if negotiated => Reaction::Status(NtStatus::SUCCESS),
            // The client says so only when it has a dialect; here it would go on.
            None if input == Input::Smb1Negotiate && self.state == State::Fresh => {
                Reaction::Status(NtStatus::SUCCESS)
            }
            None if !self.pair.is_connected(self.end) => Reaction::Close,
            None if interim => Reaction::Interim,
            None => Reaction::Nothing,
        };
        (reaction, pending)
    }

    /// Keeps the ids that an answer gives.
    fn learn(&mut self, answer: &Reply) {
        match (&answer.body, self.state) {
            (Response::SessionSetup(_), State::Negotiated) => {
                self.target = Target::session(answer.header.session_id);
            }
            (Response::TreeConnect(_), State::Valid | State::TreeGone) => {
                self.target.tree = answer.header.tree_id();
            }
            (Response::Create(r), State::Connected | State::FileClosed) => self.file = r.file_id,
            _ => {}
        }
    }

    /// Lets go of a request that still waits although the state no longer speaks of it (the session
    /// has expired, or its tree connect has gone).
    pub(crate) fn settle(&mut self) {
        let speaks = matches!(
            self.state,
            State::LockWaits
                | State::NotifyWaits
                | State::ReadRuns
                | State::CloseWaits
                | State::LogoffWaits
                | State::Draining
        );
        if !speaks {
            self.pair.release();
            self.pair.run();
            self.waiting = None;
        }
    }

    /// Whether the server is in the state that the table says: sessions are counted, and questions
    /// that change nothing are answered as in that state.
    pub(crate) fn check_state(&mut self, next: State) -> Result<(), String> {
        self.state = next;
        let sessions = self.pair.counts().sessions;
        let wanted = match next {
            State::Fresh
            | State::Wildcard
            | State::Negotiated
            | State::LoggedOff
            | State::LogoffWaits
            | State::Gone => 0,
            State::InProgress
            | State::Valid
            | State::Connected
            | State::TreeGone
            | State::OpenFile
            | State::OpenDirectory
            | State::FileClosed
            | State::LockWaits
            | State::NotifyWaits
            | State::ReadRuns
            | State::CloseWaits
            | State::Draining
            | State::Expired
            | State::ExpiredClosed
            | State::ExpiredTreeGone => 1,
        };
        // A server that ends may be waiting for a LOGOFF as well.
        if sessions != wanted && next != State::Draining {
            return Err(format!("{sessions} sessions in {next:?}"));
        }
        if self.pair.is_connected(self.end) == (next == State::Gone) {
            return Err(format!("connected or not, unlike {next:?}"));
        }
        match next {
            State::Fresh | State::Wildcard | State::Gone => return Ok(()),
            _ => {}
        }
        for question in [Command::Echo, Command::QueryInfo, Command::QueryDirectory] {
            let (reaction, pending) = self.step(Input::Request(question));
            let wanted = expected(next, Input::Request(question));
            if (reaction, pending) != (wanted.reaction, wanted.pending) {
                return Err(format!(
                    "not in {next:?}: {question:?} gives {reaction:?} {pending:?}"
                ));
            }
        }
        Ok(())
    }
}
