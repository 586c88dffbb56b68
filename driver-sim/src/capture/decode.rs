//! From frames to messages of one connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use smb_proto::crypto::{PreauthHash, SigningKey};
use smb_proto::frame::NetBiosType;
use smb_proto::header::{HeaderFlags, PROTOCOL_ID, Route};
use smb_proto::id::{AsyncId, FileId, MessageId, SessionId};
use smb_proto::info::file::FileRenameInformation;
use smb_proto::info::{FileInfoClass, InfoType};
use smb_proto::msg::{Request, Response, oplock_break};
use smb_proto::smb1::{NegotiateRequest, SMB1_PROTOCOL_ID};
use smb_proto::transform::{COMPRESSION_PROTOCOL_ID, TRANSFORM_PROTOCOL_ID, TransformHeader};
use smb_proto::{Command, Header, ParseError, compress};

use super::elements::{asked, split};
use super::keys::{Exchange, Scope, Sessions};
use super::names::{self, Names, Open};
use super::tcp::Place;
use super::{
    Body, Compound, Content, Conversation, Direction, Message, Other, Resolved, Signature, Start,
    Transport, smb1,
};

/// Requests that wait for an answer on one connection; beyond, the oldest are forgotten. A server
/// grants a few thousand credits at most.
pub(super) const PENDING_MAX: usize = 8192;

/// Authentications recorded for one connection.
pub(super) const LOGONS_MAX: usize = 10_000;

/// What all connections of a capture share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) sessions: Sessions,
    pub(super) names: Names,
}

/// A message or another frame.
#[derive(Debug)]
pub(super) enum Item {
    Message(Box<Message>),
    Other(Box<Other>),
}

/// A frame as the framing layer cuts it.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) direction: Direction,
    pub(super) bytes: Bytes,
    pub(super) missing: u64,
    pub(super) first: Place,
    pub(super) last: Place,
}

/// A request without its final answer.
#[derive(Debug)]
pub(super) struct Pending {
    index: usize,
    command_code: u16,
    pub(super) asked: Option<Arc<Request>>,
    resolved: Resolved,
    pub(super) logon: Option<usize>,
}

/// What related elements take from those before them.
#[derive(Debug, Clone, Default)]
struct Chain {
    resolved: Resolved,
    /// A CREATE made the file of the chain, and its answer is still to come.
    begun: bool,
}

/// How a frame was protected.
#[derive(Debug, Clone, Copy, Default)]
struct Wrapping {
    sealed: bool,
    compressed: bool,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) scope: Scope,
    messages: usize,
    pending: BTreeMap<MessageId, Pending>,
    asynchronous: BTreeMap<AsyncId, MessageId>,
    /// Opens by the CREATE request that made them, for related requests answered later.
    created: BTreeMap<usize, FileId>,
    pub(super) preauth: PreauthHash,
    pub(super) exchanges: BTreeMap<usize, Exchange>,
    /// Authentications that wait for the client.
    pub(super) active: BTreeMap<SessionId, usize>,
    pub(super) channels: BTreeMap<SessionId, SigningKey>,
    first_seen: bool,
}

impl Decoder {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            messages: 0,
            pending: BTreeMap::new(),
            asynchronous: BTreeMap::new(),
            created: BTreeMap::new(),
            preauth: PreauthHash::ZERO,
            exchanges: BTreeMap::new(),
            active: BTreeMap::new(),
            channels: BTreeMap::new(),
            first_seen: false,
        }
    }

    /// Messages so far.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Takes a NetBIOS packet.
    pub(super) fn netbios(
        &self,
        conversation: &mut Conversation,
        kind: NetBiosType,
        frame: Frame,
        out: &mut Vec<Item>,
    ) {
        let name = match kind {
            NetBiosType::SessionRequest => {
                conversation.transport = Transport::NetBios;
                "SESSION REQUEST"
            }
            NetBiosType::PositiveResponse => {
                conversation.transport = Transport::NetBios;
                "POSITIVE SESSION RESPONSE"
            }
            NetBiosType::NegativeResponse => "NEGATIVE SESSION RESPONSE",
            NetBiosType::RetargetResponse => "RETARGET SESSION RESPONSE",
            NetBiosType::KeepAlive => "SESSION KEEP ALIVE",
        };
        self.other(frame, Content::NetBios(name), out);
    }

    fn other(&self, frame: Frame, content: Content, out: &mut Vec<Item>) {
        out.push(Item::Other(Box::new(Other {
            before: self.messages,
            time: frame.last.time,
            direction: frame.direction,
            frames: (frame.first.frame, frame.last.frame),
            raw: frame.bytes,
            content,
        })));
    }

    /// Takes a frame.
    pub(super) fn frame(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        frame: Frame,
        out: &mut Vec<Item>,
    ) {
        let mut wrapping = Wrapping::default();
        let mut plain = frame.bytes.clone();
        if plain.starts_with(&TRANSFORM_PROTOCOL_ID) {
            let header = match TransformHeader::parse(&plain) {
                Ok(header) => header,
                Err(e) => return self.other(frame, Content::Unreadable(e), out),
            };
            let dialect = conversation.negotiated.as_ref().map(|n| n.dialect);
            let opened =
                shared
                    .sessions
                    .open(self.scope, dialect, frame.direction, &header, &plain);
            let Some(opened) = opened else {
                return self.other(frame, Content::Sealed(header), out);
            };
            plain = opened;
            wrapping.sealed = true;
        }
        if plain.starts_with(&COMPRESSION_PROTOCOL_ID) {
            match compress::decompress(&plain) {
                Ok(bytes) => plain = bytes,
                Err(e) => return self.other(frame, Content::Compressed(e.to_string()), out),
            }
            wrapping.compressed = true;
        }
        if plain.starts_with(&SMB1_PROTOCOL_ID) {
            return self.smb1(conversation, &plain, frame, out);
        }
        if !plain.starts_with(&PROTOCOL_ID) {
            let error = ParseError::BadStructure("SMB2 header");
            return self.other(frame, Content::Unreadable(error), out);
        }
        let (elements, error) = split(&plain, frame.missing);
        let count = elements.len();
        let mut chain = Chain::default();
        for (index, raw) in elements.into_iter().enumerate() {
            let missing = if index + 1 == count && error.is_none() {
                frame.missing
            } else {
                0
            };
            let compound = Compound { index, count };
            self.element(
                shared,
                conversation,
                &frame,
                raw,
                missing,
                compound,
                wrapping,
                &mut chain,
                out,
            );
        }
        if let Some((error, rest)) = error {
            let frame = Frame {
                bytes: rest,
                ..frame
            };
            self.other(frame, Content::Unreadable(error), out);
        }
    }

    fn smb1(
        &mut self,
        conversation: &mut Conversation,
        plain: &Bytes,
        frame: Frame,
        out: &mut Vec<Item>,
    ) {
        const COMMAND: usize = 4;
        let (Some(command), Some(status)) = (plain.get(COMMAND), plain.get(5..9)) else {
            let error = ParseError::Truncated("SMB1 header");
            return self.other(frame, Content::Unreadable(error), out);
        };
        let content = match NegotiateRequest::parse(plain) {
            Ok(request) if frame.direction == Direction::ToServer => {
                self.first(conversation, true);
                let text = |d: &Bytes| String::from_utf8_lossy(d).into_owned();
                Content::Smb1Negotiate(request.dialects.iter().map(text).collect())
            }
            Ok(_) | Err(_) => {
                self.first(conversation, *command == 0x72);
                Content::Smb1 {
                    command: smb1::command_name(*command),
                    status: status.try_into().map_or(0, u32::from_le_bytes),
                }
            }
        };
        self.other(frame, content, out);
    }

    /// Says how the capture of the connection begins, at its first message.
    fn first(&mut self, conversation: &mut Conversation, negotiate: bool) {
        if !self.first_seen && conversation.start == Start::Middle && negotiate {
            conversation.start = Start::Negotiate;
        }
        self.first_seen = true;
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it belongs to one element"
    )]
    fn element(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        frame: &Frame,
        raw: Bytes,
        missing: u64,
        compound: Compound,
        wrapping: Wrapping,
        chain: &mut Chain,
        out: &mut Vec<Item>,
    ) {
        let header = match Header::parse(&raw) {
            Ok(header) => header,
            Err(e) => {
                let rest = Frame {
                    bytes: raw,
                    ..*frame
                };
                return self.other(rest, Content::Unreadable(e), out);
            }
        };
        let negotiate = header.command() == Some(Command::Negotiate);
        self.first(conversation, negotiate);
        let body = if missing > 0 {
            Err(ParseError::Truncated("not all of the message was captured"))
        } else {
            match (frame.direction, header.command()) {
                (_, None) => Err(ParseError::BadValue("SMB2 command")),
                (Direction::ToServer, Some(command)) => {
                    Request::parse(command, &raw).map(Body::Request)
                }
                (Direction::ToClient, Some(_)) => {
                    Response::parse(&header, &raw).map(Body::Response)
                }
            }
        };
        let mut message = Message {
            number: self.messages,
            time: frame.last.time,
            direction: frame.direction,
            frames: (frame.first.frame, frame.last.frame),
            header,
            body,
            raw,
            missing,
            sealed: wrapping.sealed,
            compressed: wrapping.compressed,
            signature: Signature::Unsigned,
            compound,
            resolved: Resolved::default(),
            request: None,
            asked: None,
            answer: None,
            interim: None,
        };
        match frame.direction {
            Direction::ToServer => self.request(shared, conversation, &mut message, chain),
            Direction::ToClient => self.response(shared, conversation, &mut message),
        }
        message.signature = self.verify(&shared.sessions, &message);
        self.messages += 1;
        out.push(Item::Message(Box::new(message)));
    }

    /// What the signature is worth, [MS-SMB2] 3.1.5.1.
    fn verify(&self, sessions: &Sessions, message: &Message) -> Signature {
        if !message.header.flags.contains(HeaderFlags::SIGNED) {
            return Signature::Unsigned;
        }
        let session = message.resolved.session;
        let shared = sessions.get(self.scope, session);
        // Bindings are signed with the key of the session, everything else with that of the channel.
        let keys = [
            self.channels.get(&session),
            shared.and_then(|s| s.signing.as_ref()),
        ];
        let mut keys = keys.into_iter().flatten().peekable();
        if message.missing > 0 || keys.peek().is_none() {
            Signature::Unknown
        } else if keys.any(|key| key.verify(&message.raw)) {
            Signature::Good
        } else if message.sealed && message.header.signature == [0; 16] {
            // [MS-SMB2] 3.1.4.1: what is encrypted is not signed, whatever the flag says.
            Signature::Unsigned
        } else if message.is_interim() || message.sealed {
            // [MS-SMB2] 3.2.5.1.3: the other side does not look at these, and servers put in what
            // they like.
            Signature::Unknown
        } else {
            Signature::Bad
        }
    }

    fn request(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        message: &mut Message,
        chain: &mut Chain,
    ) {
        let header = &message.header;
        let related =
            header.flags.contains(HeaderFlags::RELATED_OPERATIONS) && message.compound.index > 0;
        if related {
            message.resolved.session = chain.resolved.session;
            message.resolved.tree = chain.resolved.tree;
        } else {
            *chain = Chain::default();
            message.resolved.session = header.session_id;
            message.resolved.tree = header.tree_id();
        }
        message.resolved.share =
            shared
                .names
                .tree(self.scope, message.resolved.session, message.resolved.tree);
        let mut logon = None;
        match message.as_request() {
            Some(Request::Create(r)) => {
                let name: Arc<str> = r.name.as_str().into();
                shared.names.leased(self.scope, r, &name);
                message.resolved.name = Some(name);
                message.resolved.create = Some(message.number);
            }
            Some(Request::TreeConnect(r)) => message.resolved.share = Some(r.path.as_str().into()),
            Some(Request::Negotiate(_)) => self.preauth = PreauthHash::ZERO.after(&message.raw),
            Some(Request::SessionSetup(r)) => {
                logon = self.logon_request(conversation, message, r);
            }
            Some(Request::OplockBreak(oplock_break::Message::LeaseAck(ack))) => {
                message.resolved.name = shared.names.lease(self.scope, ack.lease_key);
            }
            Some(Request::Cancel(_)) => {
                // It has the id of what it cancels, and no answer of its own.
                let id = match header.route {
                    Route::Async(id) => self.asynchronous.get(&id).copied(),
                    Route::Sync { .. } => None,
                };
                let target = self.pending.get(&id.unwrap_or(header.message_id));
                if let Some(target) = target {
                    message.resolved = target.resolved.clone();
                }
                return;
            }
            Some(request) => {
                if let Some(id) = names::file_id(request) {
                    self.resolve_file(
                        shared,
                        conversation,
                        &mut message.resolved,
                        id,
                        related,
                        chain,
                    );
                }
            }
            None => {}
        }
        chain.begun = message.resolved.create == Some(message.number)
            || (chain.begun && message.resolved.file.is_none());
        // A request without file leaves that of the chain alone.
        let mut resolved = message.resolved.clone();
        if resolved.name.is_none() && resolved.file.is_none() && related {
            resolved.file = chain.resolved.file;
            resolved.name = chain.resolved.name.clone();
            resolved.create = chain.resolved.create;
        }
        chain.resolved = resolved;
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_first();
        }
        let pending = Pending {
            index: message.number,
            command_code: message.header.command_code,
            asked: message
                .as_request()
                .and_then(|r| asked(r, message.raw.len()))
                .map(Arc::new),
            resolved: message.resolved.clone(),
            logon,
        };
        self.pending.insert(message.header.message_id, pending);
    }

    /// What is known of the file that a request names.
    fn resolve_file(
        &self,
        shared: &Shared,
        conversation: &Conversation,
        resolved: &mut Resolved,
        id: FileId,
        related: bool,
        chain: &Chain,
    ) {
        if id == FileId::RELATED {
            if related {
                resolved.file = chain.resolved.file;
                resolved.name = chain.resolved.name.clone();
                resolved.create = chain.resolved.create;
            }
            return;
        }
        resolved.file = Some(id);
        if let Some(open) = shared.names.open(self.scope, id) {
            resolved.name = Some(Arc::clone(&open.name));
            let (at, index) = open.create;
            resolved.create = (at == conversation.number).then_some(index);
        }
    }

    fn response(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        message: &mut Message,
    ) {
        let header = message.header;
        message.resolved.session = header.session_id;
        message.resolved.tree = header.tree_id();
        if header.message_id == MessageId::UNSOLICITED {
            self.notification(shared, conversation, message);
            return;
        }
        let known = self
            .pending
            .get(&header.message_id)
            .is_some_and(|p| p.command_code == header.command_code);
        let interim = message.is_interim() && matches!(header.route, Route::Async(_));
        let pending = if !known {
            None
        } else if interim {
            if let Route::Async(id) = header.route {
                if self.asynchronous.len() >= PENDING_MAX {
                    self.asynchronous.pop_first();
                }
                self.asynchronous.insert(id, header.message_id);
            }
            let p = &self.pending[&header.message_id];
            message.resolved = Resolved {
                session: header.session_id,
                ..p.resolved.clone()
            };
            message.request = Some(p.index);
            message.asked = p.asked.clone();
            return;
        } else {
            self.pending.remove(&header.message_id)
        };
        if let Route::Async(id) = header.route {
            self.asynchronous.remove(&id);
        }
        if let Some(p) = &pending {
            let tree = match header.route {
                Route::Sync { tree_id, .. } => tree_id,
                Route::Async(_) => p.resolved.tree,
            };
            message.resolved = Resolved {
                session: header.session_id,
                tree,
                ..p.resolved.clone()
            };
            if message.resolved.file.is_none()
                && let Some(create) = p.resolved.create
            {
                message.resolved.file = self.created.get(&create).copied();
            }
            message.request = Some(p.index);
            message.asked = p.asked.clone();
        }
        self.note(shared, conversation, message, pending.as_ref());
        if message.resolved.share.is_none() {
            message.resolved.share =
                shared
                    .names
                    .tree(self.scope, message.resolved.session, message.resolved.tree);
        }
    }

    /// A break that the server sends by itself.
    fn notification(&self, shared: &Shared, conversation: &Conversation, message: &mut Message) {
        let Some(Response::OplockBreak(body)) = message.as_response() else {
            return;
        };
        match *body {
            oplock_break::Message::Oplock(b) => {
                let chain = Chain::default();
                let resolved = &mut message.resolved;
                self.resolve_file(shared, conversation, resolved, b.file_id, false, &chain);
            }
            oplock_break::Message::LeaseNotification(b) => {
                message.resolved.name = shared.names.lease(self.scope, b.lease_key);
            }
            oplock_break::Message::LeaseAck(_) => {}
        }
    }

    /// Learns from an answer.
    fn note(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        message: &mut Message,
        pending: Option<&Pending>,
    ) {
        let asked = pending.and_then(|p| p.asked.as_deref());
        let resolved = &mut message.resolved;
        match &message.body {
            Ok(Body::Response(Response::Negotiate(r))) => {
                self.negotiated(conversation, message, r, pending);
            }
            Ok(Body::Response(Response::SessionSetup(r))) => {
                let r = r.clone();
                self.logon_response(shared, conversation, message, Some(&r), pending);
            }
            Ok(Body::Response(Response::Error(_)))
                if message.header.command() == Some(Command::SessionSetup) =>
            {
                self.logon_response(shared, conversation, message, None, pending);
            }
            Ok(Body::Response(Response::TreeConnect(_))) => {
                if let Some(path) = &resolved.share {
                    let path = Arc::clone(path);
                    shared
                        .names
                        .connected(self.scope, resolved.session, resolved.tree, path);
                }
            }
            Ok(Body::Response(Response::Create(r))) => {
                resolved.file = Some(r.file_id);
                if let (Some(create), Some(name)) = (resolved.create, &resolved.name) {
                    if self.created.len() >= PENDING_MAX {
                        self.created.pop_first();
                    }
                    self.created.insert(create, r.file_id);
                    let open = Open {
                        name: Arc::clone(name),
                        create: (conversation.number, create),
                    };
                    shared.names.opened(self.scope, r.file_id, open);
                }
            }
            Ok(Body::Response(Response::Close(_))) => {
                if let Some(file) = resolved.file {
                    shared.names.closed(self.scope, file);
                }
            }
            Ok(Body::Response(Response::SetInfo(_))) => {
                if let (Some(Request::SetInfo(asked)), Some(file)) = (asked, resolved.file)
                    && asked.info_type == InfoType::File.code()
                    && asked.file_info_class == FileInfoClass::Rename.code()
                    && let Ok(rename) = FileRenameInformation::parse(&asked.buffer)
                {
                    shared
                        .names
                        .renamed(self.scope, file, rename.file_name.into());
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
}
