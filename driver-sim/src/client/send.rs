//! From parts to frames: message ids, credits, signatures, encryption.

use bytes::{Bytes, BytesMut};
use smb_proto::frame::encode_prefix;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{MessageId, SessionId, TreeId};
use smb_proto::msg::compound::Joiner;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::{Command, Dialect, Header, NtStatus, msg};

use super::part::{Part, PartBody, Seal, Sign, Target};
use super::{Client, Pending, Purpose};

/// The ids that the client may use, from its own point of view: it uses them in order, so two
/// numbers say all.
#[derive(Debug)]
pub(super) struct Window {
    /// The next id to use.
    pub(super) next: u64,
    /// Ids below were granted.
    pub(super) granted: u64,
}

/// A message that waits for credits.
#[derive(Debug)]
pub(super) struct Queued {
    parts: Vec<(Part, MessageId, u16)>,
    seal: Seal,
    purpose: Purpose,
    /// It may go once this many ids were granted.
    needs: u64,
}

impl Client {
    /// Whether requests may take several credits.
    fn multi_credit(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|n| {
            n.dialect.has_multi_credit()
                && n.response
                    .capabilities
                    .contains(GlobalCapabilities::LARGE_MTU)
        })
    }

    /// Sends one request; the answer comes as [`super::ClientEvent::Reply`] with this id. If
    /// there are no credits for it, it goes when some were granted.
    pub fn send(&mut self, target: Target, body: impl Into<msg::Request>) -> MessageId {
        self.send_part(Part::new(target, body))
    }

    /// Sends one element.
    pub fn send_part(&mut self, part: Part) -> MessageId {
        self.queue(vec![part], Seal::Auto, Purpose::Plain)
            .first()
            .copied()
            .unwrap_or_default()
    }

    /// Sends several elements in one message; each is answered with its own id.
    pub fn send_compound(&mut self, parts: Vec<Part>) -> Vec<MessageId> {
        self.queue(parts, Seal::Auto, Purpose::Plain)
    }

    /// As [`Self::send_compound`], with encryption as said.
    pub fn send_sealed(&mut self, parts: Vec<Part>, seal: Seal) -> Vec<MessageId> {
        self.queue(parts, seal, Purpose::Plain)
    }

    /// Sends bytes as they are, without any framing.
    pub fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        self.out.push_back(bytes.into());
    }

    /// Sends bytes as one message, with its length prefix.
    pub fn send_frame(&mut self, message: &[u8]) {
        let prefix = encode_prefix(message.len()).unwrap_or([0, 0xff, 0xff, 0xff]);
        self.out.push_back([&prefix, message].concat().into());
    }

    /// Encrypts bytes as they are for a session and sends them as one message: what lies inside is no
    /// business of this client. Without keys for the session they go in the clear.
    pub fn send_sealed_bytes(&mut self, session: SessionId, plain: &[u8]) {
        let message = self.seal(session, BytesMut::from(plain), false);
        self.send_frame(&message);
    }

    /// Asks to cancel a request: by its AsyncId if it got an interim answer, else by its message
    /// id. CANCEL takes no credit and is not answered ([MS-SMB2] 3.2.4.24).
    pub fn cancel(&mut self, message: MessageId) {
        let pending = self.pending.get(&message);
        let target = pending.map_or(Target::NONE, |p| p.target);
        let route = pending.and_then(|p| p.async_id).map(Route::Async);
        let part = Part::new(target, msg::cancel::Request).message_id(message.0);
        let header = Header {
            credits: 0,
            ..self.header(&part, message, 0)
        };
        let header = Header {
            route: route.unwrap_or(header.route),
            ..header
        };
        self.transmit(&[(part, header)], Seal::Auto);
    }

    pub(super) fn queue(
        &mut self,
        parts: Vec<Part>,
        seal: Seal,
        purpose: Purpose,
    ) -> Vec<MessageId> {
        let multi = self.multi_credit();
        let mut ids = Vec::with_capacity(parts.len());
        let mut needs = 0;
        let mut with_ids = Vec::with_capacity(parts.len());
        for part in parts {
            let charge = match part.charge {
                Some(charge) => charge,
                None if multi => part.needed_charge(),
                None => 0,
            };
            let id = match part.message_id {
                Some(id) => id,
                None => {
                    let id = MessageId(self.window.next);
                    self.window.next += u64::from(charge.max(1));
                    needs = self.window.next;
                    id
                }
            };
            ids.push(id);
            with_ids.push((part, id, charge));
        }
        self.waiting.push_back(Queued {
            parts: with_ids,
            seal,
            purpose,
            needs,
        });
        self.send_waiting();
        ids
    }

    /// Sends what the credits suffice for, in order.
    pub(super) fn send_waiting(&mut self) {
        while self
            .waiting
            .front()
            .is_some_and(|q| q.needs <= self.window.granted)
        {
            let Some(queued) = self.waiting.pop_front() else {
                return;
            };
            let mut elements = Vec::with_capacity(queued.parts.len());
            for (part, id, charge) in queued.parts {
                let header = self.header(&part, id, charge);
                let pending = Pending {
                    command: header.command_code,
                    target: part.target,
                    async_id: None,
                    sealed: false,
                    signed: false,
                    related: part.related,
                    purpose: queued.purpose,
                };
                if part.command() != Some(Command::Cancel) {
                    self.pending.insert(id, pending);
                }
                elements.push((part, header));
            }
            self.transmit(&elements, queued.seal);
        }
    }

    fn header(&self, part: &Part, id: MessageId, charge: u16) -> Header {
        let code = match &part.body {
            PartBody::Request(r) => r.command().into(),
            PartBody::Raw(code, _) => *code,
        };
        let (session_id, tree_id) = if part.related {
            (SessionId::RELATED, TreeId::RELATED)
        } else {
            (part.target.session, part.target.tree)
        };
        let mut flags = part.flags;
        flags.set(HeaderFlags::RELATED_OPERATIONS, part.related);
        Header {
            credit_charge: charge,
            status: NtStatus(u32::from(part.channel_sequence)),
            command_code: code,
            credits: part.credits.unwrap_or(self.config.credits),
            flags,
            next_command: 0,
            message_id: id,
            route: Route::Sync {
                process_id: 0xfeff,
                tree_id,
            },
            session_id,
            signature: [0; 16],
        }
    }

    /// Whether a message goes encrypted.
    fn seals(&self, target: Target, seal: Seal) -> bool {
        let Some(session) = self.sessions.get(&target.session) else {
            return false;
        };
        let can = session.sealing.is_some();
        match seal {
            Seal::No => false,
            Seal::Yes | Seal::Wrong => can,
            Seal::Auto => {
                let wanted =
                    session.encrypt || self.config.encrypt || self.sealed_trees.contains(&target);
                can && wanted
            }
        }
    }

    /// Whether an element is signed.
    fn signs(&self, part: &Part) -> bool {
        let session = self.sessions.get(&part.target.session);
        let Some(session) = session.filter(|s| s.signing.is_some()) else {
            return false;
        };
        match part.sign {
            Sign::No => false,
            Sign::Yes | Sign::Wrong => true,
            Sign::Auto => session.sign || self.config.sign || self.must_sign(part),
        }
    }

    /// [MS-SMB2] 3.2.4.1.1: TREE_CONNECT is signed in 3.1.1, so that the server can rely on the
    /// pre-authentication hash.
    fn must_sign(&self, part: &Part) -> bool {
        let dialect = self.negotiated.as_ref().map(|n| n.dialect);
        dialect == Some(Dialect::Smb311) && part.command() == Some(Command::TreeConnect)
    }

    /// Encodes, signs, encrypts and frames.
    fn transmit(&mut self, elements: &[(Part, Header)], seal: Seal) {
        let target = elements.first().map_or(Target::NONE, |(p, _)| p.target);
        // The exchange that makes a session cannot be encrypted yet; later ones are as others.
        let sealed = self.seals(target, seal);
        let mut joiner = Joiner::new();
        let mut signed = Vec::with_capacity(elements.len());
        for (part, header) in elements {
            let sign = !sealed && self.signs(part);
            let mut header = *header;
            header.flags.set(HeaderFlags::SIGNED, sign);
            let w = joiner.begin();
            header.encode(w);
            match &part.body {
                PartBody::Request(body) => body.encode(w),
                PartBody::Raw(_, bytes) => w.bytes(bytes),
            }
            signed.push(sign);
        }
        let joined = joiner.finish();
        let mut message = joined.buf;
        for (((part, header), range), sign) in elements.iter().zip(joined.elements).zip(&signed) {
            let element = &mut message[range];
            let session = self.sessions.get(&part.target.session);
            if let (true, Some(key)) = (*sign, session.and_then(|s| s.signing.as_ref())) {
                key.sign(element).expect("an element has a whole header");
                if part.sign == Sign::Wrong {
                    element[smb_proto::header::SIGNATURE_RANGE.start] ^= 1;
                }
            }
            if let Some(p) = self.pending.get_mut(&header.message_id) {
                p.sealed = sealed;
                p.signed = *sign;
            }
            self.hash_request(header.message_id, element);
        }
        if sealed {
            message = self.seal(target.session, message, seal == Seal::Wrong);
        }
        self.send_frame(&message);
    }

    fn seal(&mut self, id: SessionId, message: BytesMut, spoil: bool) -> BytesMut {
        let prefix = self.nonce_prefix;
        let Some(session) = self.sessions.get_mut(&id) else {
            return message;
        };
        let spoil = spoil && session.sealing.is_some();
        let mut message = session.seal(id, prefix, message);
        if spoil && let Some(last) = message.last_mut() {
            *last ^= 1;
        }
        message
    }
}
