//! The exchange of tokens: SPNEGO around NTLM, or NTLM alone.

use bytes::Bytes;
use smb_proto::crypto::Key;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::ntlm::MessageType;
use smb_proto::spnego::{Mechanism, MechanismList, NegState, NegTokenInit, NegTokenResp, Token};
use smb_proto::wire::Writer;
use smb_proto::{FileTime, NtStatus};

use super::ntlm::{self, Challenged, Proof};

/// What goes into a challenge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// NetBIOS computer name.
    pub(crate) server: &'a str,
    /// Present time.
    pub(crate) wall: FileTime,
}

/// The token of the NEGOTIATE response: what the server offers ([MS-SPNG] 3.2.5.2).
pub(crate) fn offer() -> Bytes {
    encode(&Token::Init(NegTokenInit::from_server(vec![
        Mechanism::Ntlmssp,
    ])))
}

fn encode(token: &Token) -> Bytes {
    let mut w = Writer::new();
    token.encode(&mut w);
    w.into_inner().freeze()
}

/// How far the exchange is.
#[derive(Debug)]
enum State {
    /// Waiting for the first NTLM message.
    Start,
    /// Waiting for the answer to the challenge.
    Challenged(Challenged),
    /// The proof has been handed out to be checked, or the exchange has failed.
    Spent,
}

/// One authentication.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// SPNEGO's list of mechanisms as the client sent it; `None` if the client speaks NTLM alone.
    list: Option<MechanismList>,
    begun: bool,
    client_mic: Option<Bytes>,
    state: State,
}

/// What a token led to.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Send this token and wait for the next one.
    Continue(Bytes),
    /// Look up the account of the proof's user and call [`Acceptor::judge`].
    Prove(Box<Proof>),
    /// An anonymous logon; send this token with success.
    Anonymous(Bytes),
}

/// A proof that held.
#[derive(Debug)]
pub(crate) struct Proven {
    /// The exported session key.
    pub(crate) key: Key,
    /// The last token.
    pub(crate) token: Bytes,
}

impl Acceptor {
    pub(crate) fn new() -> Self {
        Self {
            list: None,
            begun: false,
            client_mic: None,
            state: State::Start,
        }
    }

    /// Takes the client's next token. `server_challenge` is used if a challenge is due.
    pub(crate) fn step(
        &mut self,
        token: &Bytes,
        names: &Names<'_>,
        server_challenge: [u8; 8],
    ) -> Result<Progress, NtStatus> {
        let inner = if token.starts_with(&smb_proto::ntlm::SIGNATURE) {
            if self.list.is_some() {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            self.begun = true;
            token.clone()
        } else {
            match self.unwrap(token)? {
                Some(inner) => inner,
                None => return Ok(Progress::Continue(self.ask_for_ntlm())),
            }
        };
        let kind = MessageType::of(&inner).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        match (std::mem::replace(&mut self.state, State::Spent), kind) {
            (State::Start, MessageType::Negotiate) => {
                let challenged = ntlm::challenge(&inner, names, server_challenge)?;
                let reply = self.wrap(
                    NegState::AcceptIncomplete,
                    Some(&challenged.challenge),
                    None,
                );
                self.state = State::Challenged(challenged);
                Ok(Progress::Continue(reply))
            }
            (State::Challenged(challenged), MessageType::Authenticate) => {
                let proof = Proof::parse(challenged, &inner)?;
                if proof.is_anonymous() {
                    return Ok(Progress::Anonymous(self.wrap(
                        NegState::AcceptCompleted,
                        None,
                        None,
                    )));
                }
                Ok(Progress::Prove(Box::new(proof)))
            }
            _ => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    /// Checks a proof against the account's hash (`None`: there is no such account).
    pub(crate) fn judge(&self, proof: &Proof, hash: Option<&NtHash>) -> Result<Proven, NtStatus> {
        let secrets = proof.check(hash)?;
        let mic = match (&self.list, &self.client_mic) {
            (Some(list), Some(client)) => Some(secrets.mech_list_mic(list.der(), client)?),
            _ => None,
        };
        let token = self.wrap(NegState::AcceptCompleted, None, mic);
        Ok(Proven {
            key: secrets.key.clone(),
            token,
        })
    }

    /// The token that ends an exchange without proof (guest).
    pub(crate) fn accept_unproven(&self) -> Bytes {
        self.wrap(NegState::AcceptCompleted, None, None)
    }

    /// Takes the NTLM message out of a SPNEGO token; `None` if it has none for us, because the
    /// client hoped for another mechanism.
    fn unwrap(&mut self, token: &Bytes) -> Result<Option<Bytes>, NtStatus> {
        const BAD: NtStatus = NtStatus::INVALID_PARAMETER;
        match Token::parse(token).map_err(|_| BAD)? {
            Token::Init(init) => {
                if self.begun {
                    return Err(BAD);
                }
                self.begun = true;
                let list = init.mechanisms;
                let ours = list
                    .mechanisms()
                    .iter()
                    .position(|m| *m == Mechanism::Ntlmssp);
                let inner = match ours {
                    None => return Err(NtStatus::LOGON_FAILURE),
                    // The optimistic token belongs to the first mechanism of the list.
                    Some(0) => init.mech_token,
                    Some(_) => None,
                };
                self.list = Some(list);
                self.client_mic = init.mech_list_mic;
                Ok(inner)
            }
            Token::Resp(resp) => {
                if self.list.is_none() {
                    return Err(BAD);
                }
                if resp.mech_list_mic.is_some() {
                    self.client_mic = resp.mech_list_mic;
                }
                resp.response_token.map(Some).ok_or(BAD)
            }
        }
    }

    /// RFC 4178 4.2.2: the server's choice, when the client's first one was another.
    fn ask_for_ntlm(&self) -> Bytes {
        encode(&Token::Resp(NegTokenResp {
            state: Some(NegState::AcceptIncomplete),
            mechanism: Some(Mechanism::Ntlmssp),
            response_token: None,
            mech_list_mic: None,
        }))
    }

    fn wrap(&self, state: NegState, token: Option<&Bytes>, mic: Option<Bytes>) -> Bytes {
        if self.list.is_none() {
            return token.cloned().unwrap_or_default();
        }
        // supportedMech belongs into the first reply only.
        let first = matches!(state, NegState::AcceptIncomplete);
        encode(&Token::Resp(NegTokenResp {
            state: Some(state),
            mechanism: first.then_some(Mechanism::Ntlmssp),
            response_token: token.cloned(),
            mech_list_mic: mic,
        }))
    }
}
