//! The client's side of a capture, sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{FileId, MessageId, SessionId, TreeId};
use smb_proto::msg::Response;
use smb_proto::{Command, FileTime, NtStatus};

use super::host::Host;
use super::ids::{self, At, Ids, Missing};
use super::logon;
use super::plan::{Plan, account_name, wall};
use super::script::{Event, What, chain, events, logon_of, replace_token};
use super::{Options, Timing};
use crate::capture::{Content, Conversation, Direction, Message, Other, Signature, Start};
use crate::client::{Element, LogonFor, LogonKey, LogonPlan, Received};

/// Bytes that are filled in at the end of a request that was captured in part.
const FILL_MAX: u64 = 16 << 20;

/// What became of one request of the capture.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) conversation: usize,
    /// Index of the request.
    pub(super) message: usize,
    pub(super) interim: Option<Received>,
    pub(super) answer: Option<Received>,
    /// It was not sent, and why.
    pub(super) skipped: Option<String>,
    /// The slot whose outcome makes this one differ: it made an id that this one names.
    pub(super) follows: Option<usize>,
    /// What happened besides, one sentence each.
    pub(super) notes: Vec<String>,
    /// The message id it was sent with.
    sent_as: MessageId,
    logon: Option<usize>,
}

/// What became of one conversation.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Answers that belong to no request: breaks, and the answer to an SMB1 NEGOTIATE.
    pub(super) unsolicited: Vec<Received>,
    /// It was not replayed, or only up to a point, and why.
    pub(super) stopped: Option<String>,
    /// The engine closed the connection: why, and after which request (index in the messages).
    pub(super) closed: Option<(String, Option<usize>)>,
    /// What the client could make nothing of.
    pub(super) faults: Vec<String>,
}

/// Everything that a replay with one server gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) slots: Vec<Slot>,
    pub(super) ended: BTreeMap<usize, Ended>,
    /// What is wrong with the engine as a whole.
    pub(super) broken: Vec<String>,
}

/// What is known on the way about one connection.
#[derive(Default)]
struct State {
    open: bool,
    /// What message ids of the capture are moved by.
    offset: i64,
    outstanding: BTreeMap<MessageId, usize>,
    /// The slot of each request by its index.
    slots: BTreeMap<usize, usize>,
    /// The latest request with this captured id.
    by_id: BTreeMap<MessageId, usize>,
    logons: BTreeMap<usize, LogonState>,
    last: Option<usize>,
    ended: Ended,
}

struct LogonState {
    key: Option<LogonKey>,
    last: Option<Received>,
    done: bool,
}

/// What an exchange made in the capture and not in the replay.
#[derive(Default)]
struct Lost {
    sessions: BTreeMap<(usize, SessionId), usize>,
    trees: BTreeMap<(usize, SessionId, TreeId), usize>,
    files: BTreeMap<(usize, FileId), usize>,
}

struct Runner<'a> {
    all: &'a [Conversation],
    host: Host,
    ids: Ids,
    lost: Lost,
    states: BTreeMap<usize, State>,
    slots: Vec<Slot>,
}

/// Replays all conversations of one server.
pub(super) fn run(
    all: &[Conversation],
    plan: Plan,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Outcome {
    let events = events(all, &plan.conversations);
    let start = events.first().map_or(Duration::ZERO, |e| e.time);
    let mut runner = Runner {
        all,
        host: Host::new(plan.config, plan.accounts, plan.backends, wall(start)),
        ids: Ids::default(),
        lost: Lost::default(),
        states: BTreeMap::new(),
        slots: Vec::new(),
    };
    for index in &plan.conversations {
        let mut state = State::default();
        if let Some(c) = all.get(*index)
            && c.start == Start::Middle
        {
            state.ended.stopped = Some(
                "the capture begins in the middle of the connection: neither its dialect nor its sessions \
                 are known"
                    .to_owned(),
            );
        }
        runner.states.insert(*index, state);
    }
    let mut clock = wall(start);
    for event in events {
        clock = match options.timing {
            Timing::Captured => clock.max(wall(event.time)),
            Timing::Fast => FileTime(clock.0.saturating_add(10)),
        };
        runner.host.advance_to(clock);
        runner.drain();
        progress(1);
        runner.event(&event);
        runner.drain();
    }
    runner.finish()
}

impl Runner<'_> {
    fn event(&mut self, event: &Event) {
        let index = event.conversation;
        let all = self.all;
        let Some(c) = all.get(index) else {
            return;
        };
        if let What::Close = event.what {
            return self.host.disconnect(index);
        }
        let Some(state) = self.states.get_mut(&index) else {
            return;
        };
        if !state.open && state.ended.stopped.is_none() {
            state.open = true;
            self.host.connect(index, c.client);
        }
        match event.what {
            What::Frame(first, count) => {
                let frame = c.messages.get(first..first + count).unwrap_or(&[]);
                self.frame(index, c, frame);
            }
            What::Other(n) => {
                if let Some(other) = c.others.get(n) {
                    self.other(index, other);
                }
            }
            What::Close => {}
        }
    }

    fn other(&mut self, index: usize, other: &Other) {
        let Some(state) = self.states.get_mut(&index) else {
            return;
        };
        if state.ended.stopped.is_some() {
            return;
        }
        let why = match &other.content {
            Content::Smb1Negotiate(_) | Content::Smb1 { .. } | Content::Unreadable(_) => {
                if let Some(line) = self.host.lines.get_mut(&index) {
                    line.client.send_frame(&other.raw);
                }
                return self.host.transmit();
            }
            Content::NetBios(_) => return,
            Content::Sealed(_) => "from here on the client encrypts, and no key opens it",
            Content::Compressed(_) => "from here on the client compresses, and it cannot be read",
        };
        state.ended.stopped = Some(format!("{why} (packet {})", other.frames.0));
    }

    /// Sends the elements of one frame.
    fn frame(&mut self, index: usize, c: &Conversation, frame: &[Message]) {
        let connected = self.host.is_connected(index);
        let mut elements: Vec<Element> = Vec::with_capacity(frame.len());
        for m in frame {
            let slot = self.new_slot(index, m);
            let stopped = self
                .states
                .get(&index)
                .and_then(|s| s.ended.stopped.clone());
            let reason = match stopped {
                Some(why) => Some(why),
                None if !connected => Some("the engine had closed the connection".to_owned()),
                None => None,
            };
            if reason.is_some() {
                if let Some(s) = self.slots.get_mut(slot) {
                    s.skipped = reason;
                }
                continue;
            }
            if let Some(element) = self.element(index, c, m, slot) {
                elements.push(element);
            }
        }
        let Some(first) = frame.first() else { return };
        if elements.is_empty() {
            return;
        }
        if frame.len() > 1 {
            chain(&mut elements);
        }
        let session = self.ids.session(index, first.resolved.session);
        let seal = first.sealed.then_some(session.unwrap_or_default());
        if let Some(line) = self.host.lines.get_mut(&index)
            && !line.client.send(elements, seal)
            && let Some(slot) = self.slots.last_mut()
        {
            let what = "was encrypted in the capture; the replay has no key for the session";
            slot.notes.push(what.to_owned());
        }
        self.host.transmit();
    }

    fn new_slot(&mut self, index: usize, m: &Message) -> usize {
        let slot = self.slots.len();
        self.slots.push(Slot {
            conversation: index,
            message: m.number,
            ..Slot::default()
        });
        if let Some(state) = self.states.get_mut(&index) {
            state.slots.insert(m.number, slot);
        }
        slot
    }

    /// One request with the replay's ids. `None`: it is not sent.
    fn element(
        &mut self,
        index: usize,
        c: &Conversation,
        m: &Message,
        slot: usize,
    ) -> Option<Element> {
        let mut bytes = BytesMut::from(&m.raw[..]);
        if m.missing > 0 {
            let fill = usize::try_from(m.missing.min(FILL_MAX)).unwrap_or(0);
            bytes.resize(bytes.len() + fill, 0);
            let what = "captured in part; zeros were filled in";
            self.slots.get_mut(slot)?.notes.push(what.to_owned());
        }
        let session = m.resolved.session;
        let missing = self.ids.rewrite(
            &mut bytes,
            &m.header,
            At {
                conn: index,
                session,
            },
        );
        let follows = missing.iter().find_map(|missing| match missing {
            Missing::Session(id) => self.lost.sessions.get(&(index, *id)),
            Missing::Tree(id) => self
                .lost
                .trees
                .get(&(index, session, *id))
                .or_else(|| self.lost.sessions.get(&(index, session))),
            Missing::File(id) => self.lost.files.get(&(index, *id)),
        });
        let follows = follows.copied().or_else(|| self.follows_related(c, m));
        self.slots.get_mut(slot)?.follows = follows;
        let mut logon = None;
        if let Some(at) = logon_of(c, m.number) {
            self.slots.get_mut(slot)?.logon = Some(at);
            match self.logon(index, c, m, at, slot, &mut bytes) {
                Ok(key) => logon = key,
                Err(why) => {
                    let s = self.slots.get_mut(slot)?;
                    s.skipped = Some(why);
                    self.states.get_mut(&index)?.offset -= 1;
                    return None;
                }
            }
        }
        let state = self.states.get_mut(&index)?;
        if m.header.command() == Some(Command::Cancel) {
            self.cancel(index, c, m, &mut bytes);
        } else {
            let id = m.header.message_id.0.wrapping_add_signed(state.offset);
            ids::set_message_id(&mut bytes, id);
            state.outstanding.insert(MessageId(id), slot);
            state.by_id.insert(m.header.message_id, slot);
            state.last = Some(m.number);
            self.slots.get_mut(slot)?.sent_as = MessageId(id);
        }
        let ours = self.ids.session(index, session).unwrap_or(session);
        Some(Element {
            bytes,
            session: ours,
            sign: m.header.flags.contains(HeaderFlags::SIGNED),
            spoil: m.signature == Signature::Bad,
            logon,
        })
    }

    /// A related element that goes on from a CREATE of the same frame fails with it.
    fn follows_related(&self, c: &Conversation, m: &Message) -> Option<usize> {
        let related = m.header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        let create = m.resolved.create.filter(|_| related)?;
        let state = self.states.get(&c.number)?;
        let slot = *state.slots.get(&create)?;
        let lost = self.slots.get(slot)?.answer.as_ref()?;
        let theirs = c.answer_of(c.messages.get(create)?)?;
        (theirs.header.status != lost.header.status).then_some(slot)
    }

    /// CANCEL names a request by the id of its interim answer, or by its message id.
    fn cancel(&self, index: usize, c: &Conversation, m: &Message, bytes: &mut [u8]) -> Option<()> {
        let state = self.states.get(&index)?;
        let slot = match m.header.route {
            Route::Async(id) => {
                let interim = c.messages.iter().take(m.number).rev().find(|n| {
                    n.direction == Direction::ToClient && n.header.route == Route::Async(id)
                })?;
                *state.slots.get(&interim.request?)?
            }
            Route::Sync { .. } => *state.by_id.get(&m.header.message_id)?,
        };
        let slot = self.slots.get(slot)?;
        let async_id = match slot.interim.as_ref().map(|i| i.header.route) {
            Some(Route::Async(id)) => Some(id),
            _ => None,
        };
        // A sync CANCEL stays one where the engine has given no id.
        ids::set_async(bytes, async_id);
        ids::set_message_id(bytes, slot.sent_as.0);
        Some(())
    }

    /// Enters the token of this step of a logon.
    fn logon(
        &mut self,
        index: usize,
        c: &Conversation,
        m: &Message,
        at: usize,
        slot: usize,
        bytes: &mut BytesMut,
    ) -> Result<Option<LogonKey>, String> {
        let Some(logon) = c.logons.get(at) else {
            return Ok(None);
        };
        let first = logon.requests.first() == Some(&m.number);
        let state = self.states.entry(index).or_default();
        if !first {
            let Some(known) = state.logons.get_mut(&at) else {
                return Ok(None);
            };
            if known.done {
                return Err("the engine had decided on the logon already".to_owned());
            }
            let (Some(key), Some(last)) = (known.key, known.last.take()) else {
                return Ok(None);
            };
            let Some(line) = self.host.lines.get_mut(&index) else {
                return Ok(None);
            };
            match line.client.next_token(key, &last) {
                Ok(token) => replace_token(bytes, &token),
                Err(e) => {
                    if let Some(s) = self.slots.get_mut(slot) {
                        s.notes.push(format!("the server's token: {e}"));
                    }
                }
            }
            return Ok(Some(key));
        }
        let mut known = LogonState {
            key: None,
            last: None,
            done: false,
        };
        if let Some(redo) = logon::plan(c, logon, self.host.hash_of(account_name(logon))) {
            let ours = self.ids.session(index, logon.session);
            let purpose = match ours {
                Some(id) if logon.binding => {
                    let export = self.host.lines.values().find_map(|l| l.client.export(id));
                    export.map_or(LogonFor::New, LogonFor::Bind)
                }
                Some(id) if logon.again => LogonFor::Again(id),
                _ => LogonFor::New,
            };
            if let Some(line) = self.host.lines.get_mut(&index) {
                let (key, token) = line.client.begin_logon(LogonPlan {
                    credentials: redo.credentials,
                    begun: redo.begun,
                    purpose,
                });
                if let Some(token) = token {
                    replace_token(bytes, &token);
                }
                known.key = Some(key);
            }
        }
        let key = known.key;
        state.logons.insert(at, known);
        Ok(key)
    }

    /// Takes what has arrived.
    fn drain(&mut self) {
        loop {
            let mut arrived = Vec::new();
            for (index, line) in &mut self.host.lines {
                while let Some(received) = line.client.poll_received() {
                    arrived.push((*index, received));
                }
                let faults = line.client.take_faults();
                if let Some(state) = self.states.get_mut(index) {
                    state.ended.faults.extend(faults);
                    if let Some(why) = line.closed.take() {
                        state.ended.closed = Some((why, state.last));
                    }
                }
            }
            if arrived.is_empty() {
                return;
            }
            for (index, received) in arrived {
                self.arrived(index, received);
            }
        }
    }

    fn arrived(&mut self, index: usize, received: Received) {
        let Some(state) = self.states.get_mut(&index) else {
            return;
        };
        let id = received.header.message_id;
        let Some(&slot) = state.outstanding.get(&id) else {
            return state.ended.unsolicited.push(received);
        };
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        if received.header.status == NtStatus::PENDING {
            if entry.interim.is_some() {
                entry.notes.push("a second interim answer".to_owned());
            }
            entry.interim = Some(received);
            return;
        }
        state.outstanding.remove(&id);
        let message = entry.message;
        self.learn(index, slot, message, &received);
        if self.logon_goes_on(index, slot, &received) {
            return;
        }
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.answer = Some(received);
        }
    }

    fn learn(&mut self, index: usize, slot: usize, message: usize, received: &Received) {
        let Some(c) = self.all.get(index) else { return };
        let Some(request) = c.messages.get(message) else {
            return;
        };
        let Some(theirs) = c.answer_of(request) else {
            return;
        };
        let ours = Response::parse(&received.header, &received.raw).ok();
        let session = request.resolved.session;
        let at = At {
            conn: index,
            session,
        };
        self.ids.learn(
            at,
            (&theirs.header, theirs.as_response()),
            (&received.header, ours.as_ref()),
        );
        // What came to be there and not here.
        match theirs.as_response() {
            Some(Response::Create(r)) => {
                let key = (index, r.file_id);
                if matches!(ours, Some(Response::Create(_))) {
                    self.lost.files.remove(&key);
                } else {
                    self.lost.files.insert(key, slot);
                }
            }
            Some(Response::TreeConnect(_)) if !matches!(ours, Some(Response::TreeConnect(_))) => {
                let tree = theirs.header.tree_id();
                self.lost.trees.insert((index, session, tree), slot);
            }
            Some(Response::SessionSetup(_)) if !matches!(ours, Some(Response::SessionSetup(_))) => {
                let key = (index, theirs.header.session_id);
                self.lost.sessions.insert(key, slot);
            }
            _ => {}
        }
    }

    /// After an answer to SESSION_SETUP: whether the replay has to go on where the capture does not.
    fn logon_goes_on(&mut self, index: usize, slot: usize, received: &Received) -> bool {
        self.try_logon_goes_on(index, slot, received)
            .unwrap_or(false)
    }

    fn try_logon_goes_on(
        &mut self,
        index: usize,
        slot: usize,
        received: &Received,
    ) -> Option<bool> {
        let c = self.all.get(index)?;
        let entry = self.slots.get(slot)?;
        let (at, message) = (entry.logon?, entry.message);
        let logon = c.logons.get(at)?;
        let state = self.states.get_mut(&index)?;
        let known = state.logons.get_mut(&at)?;
        if received.header.status != NtStatus::MORE_PROCESSING_REQUIRED {
            known.done = true;
            return Some(false);
        }
        let m = c.messages.get(message)?;
        let more = logon.requests.last() != Some(&message);
        let over = c
            .answer_of(m)
            .is_some_and(|a| a.header.status != NtStatus::MORE_PROCESSING_REQUIRED);
        if more && !over {
            known.last = Some(received.clone());
            return Some(false);
        }
        if !over {
            // Nobody knows how it went on.
            return Some(false);
        }
        let key = known.key?;
        let line = self.host.lines.get_mut(&index)?;
        let token = line.client.next_token(key, received).ok()?;
        let mut bytes = BytesMut::from(&m.raw[..]);
        state.offset += 1;
        let id = entry.sent_as.0.wrapping_add(1);
        ids::set_message_id(&mut bytes, id);
        let session = received.header.session_id;
        if let Some(to) = bytes.get_mut(40..48) {
            to.copy_from_slice(&session.0.to_le_bytes());
        }
        replace_token(&mut bytes, &token);
        state.outstanding.insert(MessageId(id), slot);
        let entry = self.slots.get_mut(slot)?;
        entry.sent_as = MessageId(id);
        let what = "the logon took one exchange more, with NTLM in place of the captured mechanism";
        entry.notes.push(what.to_owned());
        let element = Element {
            bytes,
            session,
            sign: m.header.flags.contains(HeaderFlags::SIGNED),
            spoil: false,
            logon: Some(key),
        };
        line.client.send(vec![element], None);
        self.host.transmit();
        Some(true)
    }

    fn finish(mut self) -> Outcome {
        self.drain();
        let mut broken = Vec::new();
        let left = self.host.finish();
        self.drain();
        if let Some(what) = self.host.broken.take() {
            broken.push(format!("the engine's tables contradict each other: {what}"));
        }
        if let Some(what) = left {
            broken.push(format!(
                "after all connections have gone the engine holds {what}"
            ));
        }
        Outcome {
            slots: self.slots,
            ended: self
                .states
                .into_iter()
                .map(|(index, state)| (index, state.ended))
                .collect(),
            broken,
        }
    }
}
