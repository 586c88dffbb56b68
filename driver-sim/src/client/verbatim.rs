//! A client that sends what it is given: message ids, credits, flags, compounds and bodies are the
//! caller's, byte for byte. Its own are only what follows from keys: tokens of an authentication,
//! signatures, encryption. It judges nothing; who replays a conversation wants to see what a server
//! does, not to have the connection ended.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm};
use smb_proto::dialect::WILDCARD_REVISION;
use smb_proto::frame::{Deframer, Frame, MAX_MESSAGE_LEN, encode_prefix};
use smb_proto::header::{HeaderFlags, SIGNATURE_RANGE};
use smb_proto::id::{MessageId, SessionId};
use smb_proto::msg::compound;
use smb_proto::msg::negotiate::{self, GlobalCapabilities};
use smb_proto::msg::negotiate_context::NegotiateContext;
use smb_proto::msg::session_setup::{self, SessionFlags};
use smb_proto::spnego::MechanismList;
use smb_proto::transform::{TRANSFORM_HEADER_LEN, TRANSFORM_PROTOCOL_ID, TransformHeader, aad};
use smb_proto::{Command, Dialect, FileTime, Header, NtStatus, msg};

use super::auth::{AuthError, Initiator};
use super::config::Credentials;
use super::event::Negotiated;
use super::random::Random;
use super::session::{ExportedSession, Session};

/// Where the header has its flags.
const FLAGS_AT: std::ops::Range<usize> = 16..20;

/// One element to send: from its SMB2 header on, complete but for signature and NextCommand's
/// consequences.
#[derive(Debug, Clone)]
pub struct Element {
    /// Header and body, padding included.
    pub bytes: BytesMut,
    /// The session whose keys protect it.
    pub session: SessionId,
    /// Sign it (if that session has a key here).
    pub sign: bool,
    /// Spoil the signature afterwards.
    pub spoil: bool,
    /// It carries a token of this logon.
    pub logon: Option<LogonKey>,
}

/// Names a logon of a [`Verbatim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogonKey(u32);

/// How a logon is done.
#[derive(Debug, Clone)]
pub struct LogonPlan {
    /// Who.
    pub credentials: Credentials,
    /// Goes on from a first token that the caller sends himself: SPNEGO's list of mechanisms as it
    /// is in there, and the NTLM NEGOTIATE_MESSAGE.
    pub begun: Option<(Option<MechanismList>, Bytes)>,
    /// What it is for.
    pub purpose: super::LogonFor,
}

struct Logon {
    initiator: Initiator,
    preauth: PreauthHash,
    purpose: super::LogonFor,
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Not signed.
    No,
    /// Signed rightly.
    Good,
    /// Signed wrongly.
    Bad,
    /// Signed with a key that this side does not have.
    NoKey,
}

/// One element of an answer.
#[derive(Debug, Clone)]
pub struct Received {
    /// Header and body, decrypted.
    pub raw: Bytes,
    /// The header.
    pub header: Header,
    /// It came encrypted, for this session.
    pub sealed: Option<SessionId>,
    /// Its signature.
    pub signed: Signed,
}

/// A connection of a client that sends what it is given; see the module's documentation.
pub struct Verbatim {
    random: Random,
    nonce_prefix: [u8; 3],
    now: FileTime,
    deframer: Deframer,
    out: VecDeque<Bytes>,
    received: VecDeque<Received>,
    faults: Vec<String>,
    preauth: PreauthHash,
    /// Capabilities of the NEGOTIATE that is under way.
    offered: GlobalCapabilities,
    negotiated: Option<Negotiated>,
    sessions: BTreeMap<SessionId, Session>,
    logons: BTreeMap<LogonKey, Logon>,
    /// Logons that a request without answer belongs to.
    waiting: BTreeMap<MessageId, LogonKey>,
    next_logon: u32,
}

impl Verbatim {
    /// A client on a new connection. `now` goes into NTLM where the server names no time.
    #[must_use]
    pub fn new(seed: u64, now: FileTime) -> Self {
        let mut random = Random::new(seed);
        Self {
            nonce_prefix: random.bytes(),
            random,
            now,
            deframer: Deframer::new(MAX_MESSAGE_LEN),
            out: VecDeque::new(),
            received: VecDeque::new(),
            faults: Vec::new(),
            preauth: PreauthHash::ZERO,
            offered: GlobalCapabilities::empty(),
            negotiated: None,
            sessions: BTreeMap::new(),
            logons: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_logon: 0,
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// The next element that has arrived.
    pub fn poll_received(&mut self) -> Option<Received> {
        self.received.pop_front()
    }

    /// Takes what could not be understood of what has arrived.
    pub fn take_faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }

    /// What was agreed on.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether messages of this session can be encrypted.
    #[must_use]
    pub fn can_seal(&self, session: SessionId) -> bool {
        let session = self.sessions.get(&session);
        session.is_some_and(|s| s.sealing.is_some())
    }

    /// What another connection needs to bind this session.
    #[must_use]
    pub fn export(&self, id: SessionId) -> Option<ExportedSession> {
        let session = Box::new(self.sessions.get(&id)?.clone());
        session.full_key.as_ref()?;
        Some(ExportedSession { id, session })
    }

    /// Sends bytes as one message, with its length prefix.
    pub fn send_frame(&mut self, message: &[u8]) {
        let prefix = encode_prefix(message.len()).unwrap_or([0, 0xff, 0xff, 0xff]);
        self.out.push_back([&prefix, message].concat().into());
    }

    /// Begins a logon. The token is the first to send, unless the plan says that one was sent.
    pub fn begin_logon(&mut self, plan: LogonPlan) -> (LogonKey, Option<Bytes>) {
        let (initiator, token) = match plan.begun {
            Some((list, negotiate)) => {
                let i = Initiator::resume(plan.credentials, list, negotiate, self.now);
                (i, None)
            }
            None => {
                let (i, token) = Initiator::new(plan.credentials, self.now);
                (i, Some(token))
            }
        };
        if let super::LogonFor::Bind(exported) = &plan.purpose {
            // Its requests are signed with the session's key until the channel has its own.
            let mut session = Session::clone(&exported.session);
            session.signing = session.main_signing.clone();
            session.sealed = 0;
            self.sessions.insert(exported.id, session);
        }
        let key = LogonKey(self.next_logon);
        self.next_logon += 1;
        let logon = Logon {
            initiator,
            preauth: self.preauth,
            purpose: plan.purpose,
        };
        self.logons.insert(key, logon);
        (key, token)
    }

    /// The token that follows on an answer with STATUS_MORE_PROCESSING_REQUIRED.
    ///
    /// # Errors
    /// The answer's token makes no sense.
    pub fn next_token(&mut self, key: LogonKey, answer: &Received) -> Result<Bytes, AuthError> {
        let logon = self.logons.get_mut(&key).ok_or(AuthError::OutOfTurn)?;
        let response = session_setup::Response::parse(&answer.raw).map_err(AuthError::Parse)?;
        logon
            .initiator
            .step(&response.security_buffer, &mut self.random)
    }

    /// Signs, encrypts and frames these elements as one message. `seal` names the session that
    /// encrypts it; whether it could says the answer.
    pub fn send(&mut self, mut elements: Vec<Element>, seal: Option<SessionId>) -> bool {
        let sealing = seal.filter(|id| self.can_seal(*id));
        for element in &mut elements {
            if sealing.is_none() {
                self.sign(element);
            } else {
                set_signed(&mut element.bytes, false);
            }
            self.note_sent(element);
        }
        let mut message = BytesMut::new();
        for element in &elements {
            message.extend_from_slice(&element.bytes);
        }
        if let Some(id) = sealing {
            let prefix = self.nonce_prefix;
            if let Some(session) = self.sessions.get_mut(&id) {
                message = session.seal(id, prefix, message);
            }
        }
        self.send_frame(&message);
        seal.is_none() || sealing.is_some()
    }

    fn sign(&self, element: &mut Element) {
        let session = self.sessions.get(&element.session);
        let key = session.and_then(|s| s.signing.as_ref());
        if !element.sign {
            return;
        }
        let Some(key) = key else {
            return;
        };
        // An element without a whole header goes as it is.
        if key.sign(&mut element.bytes).is_ok()
            && element.spoil
            && let Some(byte) = element.bytes.get_mut(SIGNATURE_RANGE.start)
        {
            *byte ^= 1;
        }
    }

    /// Feeds the hashes over what is sent.
    fn note_sent(&mut self, element: &Element) {
        let Ok(header) = Header::parse(&element.bytes) else {
            return;
        };
        if let Some(key) = element.logon {
            self.waiting.insert(header.message_id, key);
            if let Some(logon) = self.logons.get_mut(&key) {
                logon.preauth.update(&element.bytes);
            }
        }
        if header.command() == Some(Command::Negotiate) && self.negotiated.is_none() {
            self.preauth.update(&element.bytes);
            let raw = Bytes::copy_from_slice(&element.bytes);
            if let Ok(request) = negotiate::Request::parse(&raw) {
                self.offered = request.capabilities;
            }
        }
    }

    /// Takes received bytes, however they were cut.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.deframer.feed(BytesMut::from(bytes));
        loop {
            match self.deframer.next_frame() {
                Ok(None) => return,
                Ok(Some(Frame::Message(message))) => self.message(message),
                Ok(Some(Frame::NetBios { packet_type, .. })) => {
                    let what = format!("NetBIOS packet {packet_type:?} from the server");
                    self.faults.push(what);
                }
                Err(e) => {
                    self.faults.push(format!("framing: {e}"));
                    return;
                }
            }
        }
    }

    fn message(&mut self, message: BytesMut) {
        let opened = match message.first_chunk::<4>() {
            Some(&TRANSFORM_PROTOCOL_ID) => self.open(message).map(|(m, id)| (m, Some(id))),
            _ => Some((message.freeze(), None)),
        };
        let Some((message, sealed)) = opened else {
            self.faults
                .push("an encrypted answer does not open".to_owned());
            return;
        };
        let elements = match compound::split(&message) {
            Ok(elements) => elements,
            Err(e) => return self.faults.push(format!("answer: {e}")),
        };
        for raw in elements {
            match Header::parse(&raw) {
                Ok(header) => self.element(raw, header, sealed),
                Err(e) => self.faults.push(format!("answer: {e}")),
            }
        }
    }

    fn open(&self, mut message: BytesMut) -> Option<(Bytes, SessionId)> {
        let header = TransformHeader::parse(&message).ok()?;
        let key = self.sessions.get(&header.session_id)?.opening.as_ref()?;
        let mut body = message.split_off(TRANSFORM_HEADER_LEN);
        let aad = aad(&message)?;
        key.open(&header.nonce, aad, &mut body, &header.signature)
            .ok()?;
        Some((body.freeze(), header.session_id))
    }

    fn element(&mut self, raw: Bytes, header: Header, sealed: Option<SessionId>) {
        let command = header.command();
        if command == Some(Command::Negotiate) {
            self.negotiate_answered(&raw, &header);
        }
        let done = self.logon_answered(&raw, &header);
        let signing = self
            .sessions
            .get(&header.session_id)
            .and_then(|s| s.signing.as_ref());
        let signed = match (header.flags.contains(HeaderFlags::SIGNED), signing) {
            _ if sealed.is_some() => Signed::No,
            (false, _) => Signed::No,
            (true, None) => Signed::NoKey,
            (true, Some(key)) if key.verify(&raw) => Signed::Good,
            (true, Some(_)) => Signed::Bad,
        };
        if let Some(why) = done {
            self.faults.push(why);
        }
        if command == Some(Command::Logoff) && header.status == NtStatus::SUCCESS {
            self.sessions.remove(&header.session_id);
        }
        self.received.push_back(Received {
            raw,
            header,
            sealed,
            signed,
        });
    }

    fn negotiate_answered(&mut self, raw: &Bytes, header: &Header) {
        if self.negotiated.is_some() || header.status != NtStatus::SUCCESS {
            return;
        }
        let Ok(response) = negotiate::Response::parse(raw) else {
            return self
                .faults
                .push("NEGOTIATE response does not parse".to_owned());
        };
        if response.dialect_revision == WILDCARD_REVISION {
            return;
        }
        self.preauth.update(raw);
        let Some(dialect) = Dialect::from_code(response.dialect_revision) else {
            return self
                .faults
                .push("NEGOTIATE answers an unknown dialect".to_owned());
        };
        let both = self.offered & response.capabilities;
        let (mut cipher, mut signing) = match dialect {
            Dialect::Smb202 | Dialect::Smb210 => (None, SigningAlgorithm::HmacSha256),
            Dialect::Smb300 | Dialect::Smb302 => {
                let cipher = both.contains(GlobalCapabilities::ENCRYPTION);
                (
                    cipher.then_some(Cipher::Aes128Ccm),
                    SigningAlgorithm::AesCmac,
                )
            }
            Dialect::Smb311 => (None, SigningAlgorithm::AesCmac),
        };
        for context in &response.contexts {
            match context {
                NegotiateContext::Encryption(c) => {
                    cipher = c.ciphers.first().and_then(|c| Cipher::from_code(*c));
                }
                NegotiateContext::Signing(c) => {
                    let code = c.algorithms.first().copied();
                    signing = code
                        .and_then(SigningAlgorithm::from_code)
                        .unwrap_or(signing);
                }
                _ => {}
            }
        }
        self.negotiated = Some(Negotiated {
            dialect,
            cipher,
            signing,
            response,
        });
    }

    /// Follows a logon; gives what was wrong with the server's half.
    fn logon_answered(&mut self, raw: &Bytes, header: &Header) -> Option<String> {
        if header.command() != Some(Command::SessionSetup) || header.status == NtStatus::PENDING {
            return None;
        }
        let key = self.waiting.remove(&header.message_id)?;
        if header.status == NtStatus::MORE_PROCESSING_REQUIRED {
            self.logons.get_mut(&key)?.preauth.update(raw);
            return None;
        }
        let mut logon = self.logons.remove(&key)?;
        let body = msg::Response::parse(header, raw);
        let Ok(msg::Response::SessionSetup(response)) = body else {
            if matches!(logon.purpose, super::LogonFor::Bind(_)) {
                self.sessions.remove(&header.session_id);
            }
            return None;
        };
        let unprivileged = response
            .session_flags
            .intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL);
        let session_key = match logon
            .initiator
            .finish(&response.security_buffer, unprivileged)
        {
            Ok(key) => key,
            Err(e) => return Some(format!("logon: {e}")),
        };
        let negotiated = self.negotiated.as_ref()?;
        let id = header.session_id;
        match (&logon.purpose, session_key) {
            (super::LogonFor::Again(_), _) if self.sessions.contains_key(&id) => {}
            (super::LogonFor::Bind(_), Some(key)) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.bind(negotiated, &key, &logon.preauth, false);
                }
            }
            (_, Some(key)) if !unprivileged => {
                let session = Session::derive(negotiated, &key, &logon.preauth, false);
                self.sessions.insert(id, session);
            }
            _ => {
                self.sessions.insert(id, Session::keyless());
            }
        }
        None
    }
}

/// Sets or clears the flag that says that an element is signed, and takes away what was there.
fn set_signed(element: &mut [u8], signed: bool) {
    if let Some(flags) = element
        .get_mut(FLAGS_AT)
        .and_then(|f| f.first_chunk_mut::<4>())
    {
        let mut value = HeaderFlags::from_bits_retain(u32::from_le_bytes(*flags));
        value.set(HeaderFlags::SIGNED, signed);
        *flags = value.bits().to_le_bytes();
    }
    if let Some(signature) = element.get_mut(SIGNATURE_RANGE) {
        signature.fill(0);
    }
}
