//! Which keys belong to which session: followed from the authentications of a connection, or given.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use smb_proto::crypto::ntlm::{ResponseKey, exported_session_key};
use smb_proto::crypto::{
    Cipher, Key, OpeningKey, PreauthHash, SessionKeys, SigningKey, signing_key,
};
use smb_proto::id::SessionId;
use smb_proto::ntlm::{AuthenticateMessage, ChallengeMessage, MessageType};
use smb_proto::spnego::{self, Token};
use smb_proto::transform::{TRANSFORM_HEADER_LEN, TransformHeader, aad};
use smb_proto::{Dialect, Guid};

use super::secrets::Secrets;
use super::{Direction, Logon, Mechanism, Negotiated, Proof};

/// The server that ids belong to: all connections with the same ServerGuid share sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Server(Guid),
    /// No NEGOTIATE was captured: each server address for itself.
    Address(std::net::SocketAddr),
}

/// Keys of a session that all its channels share.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) signing: Option<SigningKey>,
    opening: [Option<OpeningKey>; 2],
}

/// Sessions kept; more are forgotten, the oldest ids first.
const SESSIONS_MAX: usize = 65_536;

/// All sessions of a capture.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    pub(super) secrets: Secrets,
    by_id: BTreeMap<(Scope, SessionId), Session>,
}

/// What is known of an authentication while it goes on.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) preauth: PreauthHash,
    challenge: Option<[u8; 8]>,
    authenticate: Option<AuthenticateMessage>,
}

fn side(direction: Direction) -> usize {
    match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 1,
    }
}

impl Sessions {
    pub(super) fn get(&self, scope: Scope, id: SessionId) -> Option<&Session> {
        self.by_id.get(&(scope, id))
    }

    fn insert(&mut self, scope: Scope, id: SessionId, session: Session) {
        if self.by_id.len() >= SESSIONS_MAX {
            self.by_id.pop_first();
        }
        self.by_id.insert((scope, id), session);
    }

    /// Ends an authentication with success: finds the key and derives from it. Answers the signing
    /// key of the channel. `signed` is the final answer if it is signed: of several keys the one
    /// that made its signature is right.
    pub(super) fn authenticated(
        &mut self,
        scope: Scope,
        negotiated: &Negotiated,
        exchange: &Exchange,
        logon: &mut Logon,
        signed: Option<&[u8]>,
    ) -> Option<SigningKey> {
        let mut candidates = Vec::new();
        let (ntlm, proof) = self.key_of_password(exchange, logon);
        logon.proof = proof;
        candidates.extend(ntlm.map(|key| (key, logon.proof.clone())));
        for given in self.secrets.keys_of(logon.session) {
            candidates.extend(given.session.clone().map(|key| (key, Proof::SessionKey)));
        }
        let derive = |key: &Key| {
            let key = signing_key(negotiated.dialect, key, &exchange.preauth);
            Some(SigningKey::new(negotiated.signing, key.as_array()?))
        };
        let chosen = candidates.iter().position(|(key, _)| {
            let signing = derive(key);
            signed.is_some_and(|m| signing.is_some_and(|s| s.verify(m)))
        });
        // Without a signature to go by, the first is as good as any.
        let (key, proof) = candidates.get(chosen.unwrap_or(0))?;
        logon.proof = proof.clone();
        let signing = derive(key);
        if !logon.binding {
            let keys = SessionKeys::derive(
                negotiated.dialect,
                negotiated.cipher,
                key,
                &exchange.preauth,
            );
            let opening = |key: &Option<Key>| OpeningKey::new(negotiated.cipher?, key.as_ref()?);
            let session = Session {
                signing: signing.clone(),
                opening: [
                    opening(&keys.client_to_server),
                    opening(&keys.server_to_client),
                ],
            };
            self.insert(scope, logon.session, session);
        }
        signing
    }

    /// The key that the password of the user gives.
    fn key_of_password(&self, exchange: &Exchange, logon: &Logon) -> (Option<Key>, Proof) {
        let (Some(challenge), Some(message)) = (&exchange.challenge, &exchange.authenticate) else {
            return (None, Proof::None);
        };
        let mut found = Proof::None;
        for account in self.secrets.accounts_of(&logon.user, &logon.domain) {
            let key = ResponseKey::new(&account.hash, &message.user, &message.domain);
            let Some(base) = key.verify(challenge, &message.nt_response) else {
                found = Proof::Wrong;
                continue;
            };
            let exported =
                exported_session_key(message.flags, &base, &message.encrypted_session_key);
            return (exported, account.proof.clone());
        }
        (None, found)
    }

    /// Decrypts a message that begins with a transform header.
    pub(super) fn open(
        &mut self,
        scope: Scope,
        dialect: Option<Dialect>,
        direction: Direction,
        header: &TransformHeader,
        message: &Bytes,
    ) -> Option<Bytes> {
        let id = header.session_id;
        if usize::try_from(header.original_message_size).ok()?
            != message.len().checked_sub(TRANSFORM_HEADER_LEN)?
        {
            return None;
        }
        let known = self
            .get(scope, id)
            .and_then(|s| s.opening[side(direction)].as_ref());
        if let Some(plain) = known.and_then(|key| open_with(key, header, message)) {
            return Some(plain);
        }
        // The authentication was not captured, or a key was given for this direction alone: all that
        // could be meant is tried, and what opened the message is kept.
        let guesses: Vec<OpeningKey> = self
            .secrets
            .keys_of(id)
            .flat_map(|given| guess(given, dialect, direction))
            .collect();
        for key in guesses {
            if let Some(plain) = open_with(&key, header, message) {
                let mut session = self.get(scope, id).cloned().unwrap_or_default();
                session.opening[side(direction)] = Some(key);
                self.insert(scope, id, session);
                return Some(plain);
            }
        }
        None
    }
}

fn open_with(key: &OpeningKey, header: &TransformHeader, message: &Bytes) -> Option<Bytes> {
    let mut body = BytesMut::from(message.get(TRANSFORM_HEADER_LEN..)?);
    key.open(&header.nonce, aad(message)?, &mut body, &header.signature)
        .ok()?;
    Some(body.freeze())
}

/// Keys that may open messages of a direction, made of what was given.
fn guess(
    given: &super::secrets::GivenKey,
    dialect: Option<Dialect>,
    direction: Direction,
) -> Vec<OpeningKey> {
    let direct = match direction {
        Direction::ToServer => &given.client_to_server,
        Direction::ToClient => &given.server_to_client,
    };
    let mut keys: Vec<OpeningKey> = direct
        .iter()
        .flat_map(|key| Cipher::ALL.iter().filter_map(|c| OpeningKey::new(*c, key)))
        .collect();
    // In 3.0 and 3.0.2 the keys follow from the session key alone.
    if dialect.is_none_or(|d| d < Dialect::Smb311)
        && let Some(key) = &given.session
    {
        let cipher = Cipher::Aes128Ccm;
        let derived = SessionKeys::derive(Dialect::Smb300, Some(cipher), key, &PreauthHash::ZERO);
        let derived = match direction {
            Direction::ToServer => derived.client_to_server,
            Direction::ToClient => derived.server_to_client,
        };
        keys.extend(derived.and_then(|key| OpeningKey::new(cipher, &key)));
    }
    keys
}

impl Exchange {
    /// An authentication that begins where the hash of the connection stands.
    pub(super) fn new(preauth: PreauthHash) -> Self {
        Self {
            preauth,
            ..Self::default()
        }
    }

    /// Takes the token of a request.
    pub(super) fn request_token(&mut self, token: &Bytes, logon: &mut Logon) {
        let Some(inner) = inner_token(token) else {
            return;
        };
        match inner {
            Inner::Kerberos => logon.mechanism = Mechanism::Kerberos,
            Inner::Ntlm(message) => {
                let Ok(message) = AuthenticateMessage::parse(&message) else {
                    return;
                };
                logon.mechanism = if message.is_anonymous() {
                    Mechanism::Anonymous
                } else if message.is_ntlm_v2() {
                    Mechanism::NtlmV2
                } else {
                    Mechanism::NtlmV1
                };
                logon.user = message.user.clone();
                logon.domain = message.domain.clone();
                logon.workstation = message.workstation.clone();
                self.authenticate = Some(message);
            }
        }
    }

    /// Takes the token of an answer.
    pub(super) fn response_token(&mut self, token: &Bytes) {
        if let Some(Inner::Ntlm(message)) = inner_token(token)
            && let Ok(challenge) = ChallengeMessage::parse(&message)
        {
            self.challenge = Some(challenge.server_challenge);
        }
    }
}

enum Inner {
    Ntlm(Bytes),
    Kerberos,
}

/// What SPNEGO, if there is any, wraps.
fn inner_token(token: &Bytes) -> Option<Inner> {
    if MessageType::of(token).is_ok() {
        return Some(Inner::Ntlm(token.clone()));
    }
    let inner = match Token::parse(token).ok()? {
        Token::Init(init) => {
            let first = init.mechanisms.mechanisms().first()?;
            if matches!(
                first,
                spnego::Mechanism::Kerberos | spnego::Mechanism::MsKerberos
            ) {
                return Some(Inner::Kerberos);
            }
            init.mech_token?
        }
        Token::Resp(resp) => resp.response_token?,
    };
    MessageType::of(&inner).ok().map(|_| Inner::Ntlm(inner))
}
