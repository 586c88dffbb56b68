//! Negotiation and authentication as seen by the client ([MS-SMB2] 3.2.5.2, 3.2.5.3).

use bytes::Bytes;
use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm};
use smb_proto::dialect::WILDCARD_REVISION;
use smb_proto::header::HeaderFlags;
use smb_proto::id::{MessageId, SessionId};
use smb_proto::msg::negotiate::{self, GlobalCapabilities, SecurityMode};
use smb_proto::msg::negotiate_context::{
    Encryption, HashAlgorithm, NegotiateContext, PreauthIntegrity, Signing,
};
use smb_proto::msg::session_setup::{self, SessionFlags, SetupFlags};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, FileTime, Header, NtStatus, msg, smb1};

use super::auth::Initiator;
use super::config::Credentials;
use super::event::{ClientEvent, ClientFault, LogonId, Negotiated};
use super::part::{Part, Seal, Sign, Target};
use super::session::{ExportedSession, Session};
use super::{Client, Pending, Purpose};

/// What a logon is for.
#[derive(Debug, Clone, Default)]
pub enum LogonFor {
    /// A new session.
    #[default]
    New,
    /// A new session that replaces one of a connection that was lost ([MS-SMB2] 3.2.4.2.3).
    Replacing(SessionId),
    /// Proving the user of a session again.
    Again(SessionId),
    /// Using a session of another connection on this one too.
    Bind(ExportedSession),
}

/// A logon in progress.
pub(super) struct Logon {
    initiator: Initiator,
    session: SessionId,
    preauth: PreauthHash,
    purpose: LogonFor,
}

impl Client {
    /// Sends NEGOTIATE; [`ClientEvent::Negotiated`] follows.
    pub fn negotiate(&mut self) {
        match self.config.smb1_dialects.take() {
            None => self.negotiate_smb2(),
            Some(dialects) => self.negotiate_from_smb1(dialects),
        }
    }

    /// Begins with an SMB1 negotiate that offers these; where the answer is the wildcard, NEGOTIATE
    /// follows by itself.
    pub fn negotiate_from_smb1(&mut self, dialects: Vec<Bytes>) {
        let mut w = Writer::new();
        smb1::NegotiateRequest { dialects }.encode(&mut w);
        // The answer is an SMB2 one with message id 0 ([MS-SMB2] 3.3.5.3).
        let pending = Pending {
            command: smb_proto::Command::Negotiate.into(),
            target: Target::NONE,
            async_id: None,
            sealed: false,
            signed: false,
            related: false,
            purpose: Purpose::Negotiate,
        };
        self.pending.insert(MessageId(0), pending);
        self.window.next = 1;
        self.send_frame(w.written());
    }

    fn negotiate_smb2(&mut self) {
        let c = &self.config;
        let mut contexts = Vec::new();
        if c.dialects.contains(&Dialect::Smb311) {
            contexts.push(NegotiateContext::PreauthIntegrity(PreauthIntegrity {
                hash_algorithms: vec![HashAlgorithm::Sha512.into()],
                salt: Bytes::copy_from_slice(&self.random.bytes::<32>()),
            }));
            if !c.ciphers.is_empty() {
                contexts.push(NegotiateContext::Encryption(Encryption {
                    ciphers: c.ciphers.iter().map(|c| (*c).into()).collect(),
                }));
            }
            if !c.signing_algorithms.is_empty() {
                contexts.push(NegotiateContext::Signing(Signing {
                    algorithms: c.signing_algorithms.iter().map(|a| (*a).into()).collect(),
                }));
            }
            contexts.extend(c.contexts.iter().cloned());
        }
        let only_old = c.dialects.iter().all(|d| *d < Dialect::Smb300);
        let request = negotiate::Request {
            dialects: c.dialects.iter().map(|d| (*d).into()).collect(),
            security_mode: c.security_mode,
            // [MS-SMB2] 2.2.3: zero if no 3.x dialect is offered.
            capabilities: if only_old {
                GlobalCapabilities::empty()
            } else {
                c.capabilities
            },
            client_guid: c.client_guid,
            client_start_time: FileTime::ZERO,
            contexts,
        };
        let part = Part::new(Target::NONE, request);
        self.queue(vec![part], Seal::No, Purpose::Negotiate);
    }

    /// Feeds a request to the hash that it belongs to.
    pub(super) fn hash_request(&mut self, id: MessageId, element: &[u8]) {
        match self.pending.get(&id).map(|p| p.purpose) {
            Some(Purpose::Negotiate) => self.preauth.update(element),
            Some(Purpose::Logon(logon)) => {
                if let Some(logon) = self.logons.get_mut(&logon) {
                    logon.preauth.update(element);
                }
            }
            Some(Purpose::Plain) | None => {}
        }
    }

    pub(super) fn negotiate_answered(
        &mut self,
        header: &Header,
        body: msg::Response,
        raw: &Bytes,
    ) -> Result<(), ClientFault> {
        let msg::Response::Negotiate(response) = body else {
            self.events
                .push_back(ClientEvent::NegotiateFailed(header.status));
            return Ok(());
        };
        if response.dialect_revision == WILDCARD_REVISION {
            // It answered the SMB1 request; now the real one ([MS-SMB2] 3.2.5.2).
            self.negotiate_smb2();
            return Ok(());
        }
        self.preauth.update(raw);
        let fault = ClientFault::Negotiation;
        let dialect = Dialect::from_code(response.dialect_revision)
            .filter(|d| self.config.dialects.contains(d))
            .ok_or_else(|| fault("dialect was not offered"))?;
        let (cipher, signing) = match dialect {
            Dialect::Smb202 | Dialect::Smb210 => (None, SigningAlgorithm::HmacSha256),
            Dialect::Smb300 | Dialect::Smb302 => {
                let both = self.config.capabilities & response.capabilities;
                let cipher = both.contains(GlobalCapabilities::ENCRYPTION);
                (
                    cipher.then_some(Cipher::Aes128Ccm),
                    SigningAlgorithm::AesCmac,
                )
            }
            Dialect::Smb311 => self.chosen(&response).map_err(fault)?,
        };
        let negotiated = Negotiated {
            dialect,
            cipher,
            signing,
            response,
        };
        self.negotiated = Some(negotiated.clone());
        self.events.push_back(ClientEvent::Negotiated(negotiated));
        Ok(())
    }

    /// What the contexts of a 3.1.1 answer say ([MS-SMB2] 3.2.5.2).
    fn chosen(
        &self,
        response: &negotiate::Response,
    ) -> Result<(Option<Cipher>, SigningAlgorithm), &'static str> {
        let mut preauth = false;
        let (mut cipher, mut signing) = (None, SigningAlgorithm::AesCmac);
        for context in &response.contexts {
            match context {
                NegotiateContext::PreauthIntegrity(c) => {
                    if c.hash_algorithms != [u16::from(HashAlgorithm::Sha512)] {
                        return Err("hash algorithm was not offered");
                    }
                    preauth = true;
                }
                NegotiateContext::Encryption(c) => match c.ciphers[..] {
                    [0] => {}
                    [code] => {
                        let chosen = Cipher::from_code(code);
                        cipher = chosen.filter(|c| self.config.ciphers.contains(c));
                        if cipher.is_none() {
                            return Err("cipher was not offered");
                        }
                    }
                    _ => return Err("not one cipher"),
                },
                NegotiateContext::Signing(c) => {
                    let [code] = c.algorithms[..] else {
                        return Err("not one signing algorithm");
                    };
                    signing = SigningAlgorithm::from_code(code)
                        .filter(|a| self.config.signing_algorithms.contains(a))
                        .ok_or("signing algorithm was not offered")?;
                }
                _ => {}
            }
        }
        if preauth {
            Ok((cipher, signing))
        } else {
            Err("no pre-authentication context")
        }
    }

    /// Begins a logon; [`ClientEvent::LoggedOn`] or [`ClientEvent::LogonFailed`] follows.
    pub fn logon(&mut self, credentials: Credentials, purpose: LogonFor) -> LogonId {
        let (initiator, token) = Initiator::new(credentials, self.config.now);
        let session = match &purpose {
            LogonFor::New | LogonFor::Replacing(_) => SessionId(0),
            LogonFor::Again(id) => *id,
            LogonFor::Bind(exported) => {
                // Its requests are signed with the session's key until the channel has its own.
                let mut session = Session::clone(&exported.session);
                session.signing = session.main_signing.clone();
                session.sealed = 0;
                self.sessions.insert(exported.id, session);
                exported.id
            }
        };
        let id = LogonId(self.next_logon);
        self.next_logon += 1;
        self.logons.insert(
            id,
            Logon {
                initiator,
                session,
                preauth: self.preauth,
                purpose,
            },
        );
        self.send_token(id, token);
        id
    }

    fn send_token(&mut self, id: LogonId, token: Bytes) {
        let Some(logon) = self.logons.get(&id) else {
            return;
        };
        let (mut flags, mut previous, mut sign) = (SetupFlags::empty(), SessionId(0), Sign::Auto);
        match &logon.purpose {
            LogonFor::New | LogonFor::Again(_) => {}
            LogonFor::Replacing(old) => previous = *old,
            LogonFor::Bind(_) => {
                flags = SetupFlags::BINDING;
                sign = Sign::Yes;
            }
        }
        let request = session_setup::Request {
            flags,
            security_mode: self.config.security_mode,
            capabilities: self.config.capabilities & GlobalCapabilities::DFS,
            previous_session_id: previous,
            security_buffer: token,
        };
        let binding = flags == SetupFlags::BINDING;
        let part = Part::new(Target::session(logon.session), request).sign(sign);
        let seal = if binding { Seal::No } else { Seal::Auto };
        self.queue(vec![part], seal, Purpose::Logon(id));
    }

    pub(super) fn logon_answered(
        &mut self,
        id: LogonId,
        header: &Header,
        body: msg::Response,
        raw: &Bytes,
        sealed: bool,
    ) -> Result<(), ClientFault> {
        let Some(mut logon) = self.logons.remove(&id) else {
            return Ok(());
        };
        let msg::Response::SessionSetup(response) = body else {
            if matches!(logon.purpose, LogonFor::Bind(_)) {
                self.sessions.remove(&logon.session);
            }
            self.events.push_back(ClientEvent::LogonFailed {
                logon: id,
                status: header.status,
            });
            return Ok(());
        };
        if header.status == NtStatus::MORE_PROCESSING_REQUIRED {
            logon.preauth.update(raw);
            logon.session = header.session_id;
            let token = logon
                .initiator
                .step(&response.security_buffer, &mut self.random)?;
            self.logons.insert(id, logon);
            self.send_token(id, token);
            return Ok(());
        }
        let guest = response.session_flags.contains(SessionFlags::IS_GUEST);
        let key = logon.initiator.finish(&response.security_buffer, guest)?;
        logon.session = header.session_id;
        self.established(&logon, key, &response, header, raw, sealed)?;
        self.events.push_back(ClientEvent::LoggedOn {
            logon: id,
            session: header.session_id,
            flags: response.session_flags,
        });
        Ok(())
    }

    /// A logon has succeeded: its keys, and with them the proof that it was the server.
    fn established(
        &mut self,
        logon: &Logon,
        key: Option<smb_proto::crypto::Key>,
        response: &session_setup::Response,
        header: &Header,
        raw: &Bytes,
        sealed: bool,
    ) -> Result<(), ClientFault> {
        let id = logon.session;
        let negotiated = self
            .negotiated
            .clone()
            .ok_or(ClientFault::Negotiation("logon before negotiation"))?;
        let unprivileged = response
            .session_flags
            .intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL);
        match (&logon.purpose, key) {
            (LogonFor::Again(_), _) => {}
            (LogonFor::Bind(_), Some(key)) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.bind(&negotiated, &key, &logon.preauth, self.config.stub_crypto);
                }
            }
            (LogonFor::New | LogonFor::Replacing(_), Some(key)) if !unprivileged => {
                let mut session =
                    Session::derive(&negotiated, &key, &logon.preauth, self.config.stub_crypto);
                let modes = self.config.security_mode | negotiated.response.security_mode;
                session.sign = modes.contains(SecurityMode::SIGNING_REQUIRED);
                session.encrypt = response.session_flags.contains(SessionFlags::ENCRYPT_DATA);
                self.sessions.insert(id, session);
            }
            _ => {
                self.sessions.insert(id, Session::keyless());
            }
        }
        let key = self.sessions.get(&id).and_then(|s| s.signing.as_ref());
        let signed = header.flags.contains(HeaderFlags::SIGNED);
        match (signed, key) {
            _ if sealed => Ok(()),
            (true, Some(key)) if !key.verify(raw) => Err(ClientFault::Signature(header.message_id)),
            (false, Some(_)) if Session::final_answer_is_signed(negotiated.dialect) => {
                Err(ClientFault::NotSigned(header.message_id, header.status))
            }
            _ => Ok(()),
        }
    }

    /// Session.SessionKey (Session.FullSessionKey in 3.1.1), from which all others follow; `None` for
    /// guest and anonymous sessions.
    #[must_use]
    pub fn session_key(&self, id: SessionId) -> Option<smb_proto::crypto::Key> {
        self.sessions.get(&id)?.full_key.clone()
    }

    /// What another connection needs to bind this session.
    #[must_use]
    pub fn export(&self, id: SessionId) -> Option<ExportedSession> {
        let session = Box::new(self.sessions.get(&id)?.clone());
        session.full_key.as_ref()?;
        Some(ExportedSession { id, session })
    }
}
