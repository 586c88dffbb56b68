//! The initiator's side of SPNEGO and NTLMv2 ([MS-SPNG] 3.1, [MS-NLMP] 3.1.5).

use bytes::Bytes;
use smb_proto::crypto::Key;
use smb_proto::crypto::ntlm::{
    MessageSecurity, ResponseKey, Sender, exchange_session_key, message_integrity_code,
};
use smb_proto::ntlm::{
    AuthenticateMessage, AvFlags, AvId, ChallengeMessage, ClientChallenge, NegotiateFlags,
    NegotiateMessage,
};
use smb_proto::spnego::{Mechanism, MechanismList, NegState, NegTokenInit, NegTokenResp, Token};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, ParseError};
use thiserror::Error;

use super::config::{Credentials, Spoil};
use super::random::Random;

/// The server's half of an authentication makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthError {
    /// A token that is not laid out as it should be.
    #[error("server's token: {0}")]
    Parse(#[from] ParseError),
    /// A token without the message that is due.
    #[error("server's token has nothing for the mechanism")]
    Empty,
    /// The server refuses all offered mechanisms, or picks one that was not offered.
    #[error("no common mechanism")]
    Mechanism,
    /// The checksum over the list of mechanisms is wrong or missing.
    #[error("server's mechListMIC is wrong or missing")]
    MechListMic,
    /// A token after the last one, or none where one is due.
    #[error("token out of turn")]
    OutOfTurn,
}

/// What NTLM leaves behind.
struct Proven {
    key: Key,
    flags: NegotiateFlags,
}

enum State {
    /// The NEGOTIATE_MESSAGE was sent.
    Begun(Bytes),
    /// The AUTHENTICATE_MESSAGE was sent.
    Answered(Option<Proven>),
    Done,
}

/// One authentication.
pub(super) struct Initiator {
    credentials: Credentials,
    list: Option<MechanismList>,
    sent_mic: bool,
    now: FileTime,
    state: State,
}

impl Initiator {
    /// Begins, and gives the first token.
    pub(super) fn new(credentials: Credentials, now: FileTime) -> (Self, Bytes) {
        let mut flags = NegotiateFlags::UNICODE
            | NegotiateFlags::REQUEST_TARGET
            | NegotiateFlags::NTLM
            | NegotiateFlags::EXTENDED_SESSIONSECURITY
            | NegotiateFlags::TARGET_INFO
            | NegotiateFlags::KEY_128
            | NegotiateFlags::KEY_56;
        if !credentials.user.is_empty() {
            flags |= NegotiateFlags::SIGN | NegotiateFlags::ALWAYS_SIGN;
            flags.set(NegotiateFlags::KEY_EXCH, credentials.key_exchange);
        }
        let mut w = Writer::new();
        NegotiateMessage::new(flags).encode(&mut w);
        let negotiate = w.into_inner().freeze();
        let list = credentials
            .spnego
            .then(|| MechanismList::new(credentials.mechanisms.clone()));
        let token = match &list {
            None => negotiate.clone(),
            Some(list) => {
                let ours_first = list.mechanisms().first() == Some(&Mechanism::Ntlmssp);
                encode(&Token::Init(NegTokenInit {
                    mechanisms: list.clone(),
                    // The optimistic token belongs to the first mechanism.
                    mech_token: ours_first.then(|| negotiate.clone()),
                    hints: None,
                    mech_list_mic: None,
                }))
            }
        };
        let initiator = Self {
            credentials,
            list,
            sent_mic: false,
            now,
            state: State::Begun(negotiate),
        };
        (initiator, token)
    }

    /// Goes on from a first token that was sent already: with this NTLM message in it, or (if
    /// another mechanism came first) to be sent next.
    pub(super) fn resume(
        credentials: Credentials,
        list: Option<MechanismList>,
        negotiate: Bytes,
        now: FileTime,
    ) -> Self {
        Self {
            credentials,
            list,
            sent_mic: false,
            now,
            state: State::Begun(negotiate),
        }
    }

    /// Takes the token of an answer with STATUS_MORE_PROCESSING_REQUIRED and gives the next one.
    pub(super) fn step(&mut self, token: &Bytes, random: &mut Random) -> Result<Bytes, AuthError> {
        let State::Begun(negotiate) = &self.state else {
            return Err(AuthError::OutOfTurn);
        };
        let negotiate = negotiate.clone();
        let challenge = match &self.list {
            None => token.clone(),
            Some(_) => {
                let resp = response(token)?;
                if resp.mechanism.is_some_and(|m| m != Mechanism::Ntlmssp)
                    || resp.state == Some(NegState::Reject)
                {
                    return Err(AuthError::Mechanism);
                }
                match resp.response_token {
                    Some(inner) => inner,
                    // The server picked NTLM, which was not our first choice: begin with it.
                    None => {
                        return Ok(self.wrap(negotiate, None));
                    }
                }
            }
        };
        let (authenticate, proven) = self.authenticate(&negotiate, &challenge, random)?;
        let mic = self.mech_list_mic(&proven);
        self.sent_mic = mic.is_some();
        self.state = State::Answered(proven);
        Ok(if self.list.is_some() {
            self.wrap(authenticate, mic)
        } else {
            authenticate
        })
    }

    /// Takes the token of the last answer; gives the session key, none for an anonymous logon. A
    /// server that makes a stranger guest does not know the key (`guest`), so it proves nothing.
    pub(super) fn finish(&mut self, token: &Bytes, guest: bool) -> Result<Option<Key>, AuthError> {
        let State::Answered(proven) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(AuthError::OutOfTurn);
        };
        if let Some(list) = &self.list {
            let theirs = if token.is_empty() {
                None
            } else {
                response(token)?.mech_list_mic
            };
            let right = match (&proven, &theirs) {
                (Some(p), Some(mic)) => MessageSecurity::new(p.flags, &p.key, Sender::Server)
                    .is_some_and(|mut s| s.verify(list.der(), mic)),
                // Who got a checksum has to send one (RFC 4178, 5).
                (_, None) => guest || !self.sent_mic,
                (None, Some(_)) => false,
            };
            if !right {
                return Err(AuthError::MechListMic);
            }
        }
        Ok(proven.map(|p| p.key))
    }

    fn wrap(&self, inner: Bytes, mic: Option<Bytes>) -> Bytes {
        encode(&Token::Resp(NegTokenResp {
            state: None,
            mechanism: None,
            response_token: Some(inner),
            mech_list_mic: mic,
        }))
    }

    fn mech_list_mic(&self, proven: &Option<Proven>) -> Option<Bytes> {
        let (list, p) = (self.list.as_ref()?, proven.as_ref()?);
        // A list whose first mechanism was not taken must be protected.
        let due = self.credentials.mech_list_mic || list.mechanisms().len() > 1;
        if !due {
            return None;
        }
        let mut mic = MessageSecurity::new(p.flags, &p.key, Sender::Client)?.sign(list.der());
        if self.credentials.spoil == Some(Spoil::MechListMic) {
            mic[4] ^= 1;
        }
        Some(Bytes::copy_from_slice(&mic))
    }

    /// The AUTHENTICATE_MESSAGE, [MS-NLMP] 3.1.5.1.2.
    fn authenticate(
        &self,
        negotiate: &Bytes,
        challenge: &Bytes,
        random: &mut Random,
    ) -> Result<(Bytes, Option<Proven>), AuthError> {
        let c = &self.credentials;
        let theirs = ChallengeMessage::parse(challenge)?;
        if c.user.is_empty() {
            let message = AuthenticateMessage {
                flags: theirs.flags | NegotiateFlags::ANONYMOUS,
                version: None,
                mic: None,
                lm_response: Bytes::from_static(&[0]),
                nt_response: Bytes::new(),
                domain: String::new(),
                user: String::new(),
                workstation: String::new(),
                encrypted_session_key: Bytes::new(),
            };
            return Ok((message.to_bytes(), None));
        }
        let mut pairs = theirs.target_info.clone().unwrap_or_default();
        let their_time = pairs.timestamp();
        let with_mic = c.mic && their_time.is_some();
        if with_mic {
            pairs.set_flags(pairs.flags() | AvFlags::MIC_PROVIDED);
        }
        if let Some(server) = pairs.text(AvId::NB_COMPUTER_NAME) {
            pairs.set_text(AvId::TARGET_NAME, &format!("cifs/{server}"));
        }
        let client_challenge: [u8; 8] = random.bytes();
        let temp = ClientChallenge {
            timestamp: their_time.unwrap_or(self.now),
            challenge: client_challenge,
            av_pairs: pairs,
        };
        let key = ResponseKey::new(&c.hash, &c.user, &c.domain);
        let (mut nt_response, base) = key.respond(&theirs.server_challenge, &temp.to_bytes());
        if c.spoil == Some(Spoil::Proof) {
            nt_response[0] ^= 1;
        }
        let lm_response = if their_time.is_some() {
            vec![0; 24]
        } else {
            key.lm_respond(&theirs.server_challenge, &client_challenge)
        };
        let mut flags = theirs.flags;
        flags.remove(NegotiateFlags::VERSION);
        let (exported, encrypted) = if flags.contains(NegotiateFlags::KEY_EXCH) {
            let exported = Key::from(random.bytes::<16>());
            let encrypted = exchange_session_key(&base, &exported);
            (exported, Bytes::copy_from_slice(&encrypted))
        } else {
            (base, Bytes::new())
        };
        let mut message = AuthenticateMessage {
            flags,
            version: None,
            mic: with_mic.then_some([0; 16]),
            lm_response: lm_response.into(),
            nt_response: nt_response.into(),
            domain: c.domain.clone(),
            user: c.user.clone(),
            workstation: "SIM".to_owned(),
            encrypted_session_key: encrypted,
        };
        if with_mic {
            let zeroed = message.to_bytes();
            let mut mic = message_integrity_code(&exported, negotiate, challenge, &zeroed);
            if c.spoil == Some(Spoil::Mic) {
                mic[0] ^= 1;
            }
            message.mic = Some(mic);
        }
        let proven = Proven {
            key: exported,
            flags,
        };
        Ok((message.to_bytes(), Some(proven)))
    }
}

fn response(token: &Bytes) -> Result<NegTokenResp, AuthError> {
    match Token::parse(token)? {
        Token::Resp(resp) => Ok(resp),
        Token::Init(_) => Err(AuthError::Empty),
    }
}

fn encode(token: &Token) -> Bytes {
    let mut w = Writer::new();
    token.encode(&mut w);
    w.into_inner().freeze()
}
