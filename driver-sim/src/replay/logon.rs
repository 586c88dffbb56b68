//! Authentications of a capture, done again with an account of the replay.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::msg::Request;
use smb_proto::ntlm::{AuthenticateMessage, MessageType, NegotiateFlags, NegotiateMessage};
use smb_proto::spnego::{Mechanism as Mech, MechanismList, Token};

use super::plan::{MADE_UP, account_name};
use crate::capture::{Conversation, Logon, Mechanism, Message, Proof};
use crate::client::{Credentials, Spoil};

/// How one logon is replayed.
pub(super) struct Redo {
    pub(super) credentials: Credentials,
    /// The first token goes as captured: the list of mechanisms and NTLM's first message in it.
    pub(super) begun: Option<(Option<MechanismList>, Bytes)>,
}

/// The token of a SESSION_SETUP request.
pub(super) fn token(message: &Message) -> Option<&Bytes> {
    match message.as_request()? {
        Request::SessionSetup(r) => Some(&r.security_buffer),
        _ => None,
    }
}

/// An NTLM message in a token, bare or in SPNEGO.
fn ntlm(token: &Bytes, wanted: MessageType) -> Option<Bytes> {
    let inner = match Token::parse(token) {
        Ok(Token::Init(init)) => init.mech_token?,
        Ok(Token::Resp(resp)) => resp.response_token?,
        Err(_) => token.clone(),
    };
    (MessageType::of(&inner) == Ok(wanted)).then_some(inner)
}

/// Plans a logon; `account` is the hash of the user's account, if there is one. `None` if its tokens are not understood, so that they have to go as they are.
pub(super) fn plan(
    conversation: &Conversation,
    logon: &Logon,
    account: Option<NtHash>,
) -> Option<Redo> {
    let tokens: Vec<&Bytes> = logon
        .requests
        .iter()
        .filter_map(|i| token(conversation.messages.get(*i)?))
        .collect();
    let first = *tokens.first()?;
    let authenticate = tokens
        .iter()
        .find_map(|t| ntlm(t, MessageType::Authenticate))
        .and_then(|t| AuthenticateMessage::parse(&t).ok());
    let with_mic = tokens
        .iter()
        .any(|t| matches!(Token::parse(t), Ok(Token::Resp(r)) if r.mech_list_mic.is_some()));
    let anonymous = logon.mechanism == Mechanism::Anonymous;
    let hash = account.unwrap_or_else(|| match &logon.proof {
        Proof::Password(password) => NtHash::of_password(password),
        Proof::NtHash(hash) => NtHash::from_bytes(*hash),
        Proof::None | Proof::Wrong | Proof::SessionKey => NtHash::of_password(MADE_UP),
    });
    let user = if anonymous { "" } else { account_name(logon) };
    let mut credentials = Credentials {
        domain: logon.domain.clone(),
        hash,
        mic: authenticate
            .as_ref()
            .is_some_and(AuthenticateMessage::promises_mic),
        mech_list_mic: with_mic,
        key_exchange: authenticate
            .as_ref()
            .is_none_or(|a| a.flags.contains(NegotiateFlags::KEY_EXCH)),
        spnego: true,
        ..Credentials::new(user, "")
    };
    // Whether the name or the password was wrong cannot be seen.
    if logon.status == Some(NtStatus::LOGON_FAILURE) {
        credentials.spoil = Some(Spoil::Proof);
    }
    if MessageType::of(first) == Ok(MessageType::Negotiate) {
        credentials.spnego = false;
        return Some(Redo {
            credentials,
            begun: Some((None, first.clone())),
        });
    }
    let Ok(Token::Init(init)) = Token::parse(first) else {
        return None;
    };
    let offers_ntlm = init.mechanisms.mechanisms().contains(&Mech::Ntlmssp);
    if logon.mechanism == Mechanism::Kerberos || !offers_ntlm {
        // Done with NTLM in place of what this server does not have.
        credentials.mic = true;
        credentials.mech_list_mic = true;
        return Some(Redo {
            credentials,
            begun: None,
        });
    }
    let negotiate = tokens
        .iter()
        .find_map(|t| ntlm(t, MessageType::Negotiate))
        .unwrap_or_else(first_message);
    Some(Redo {
        credentials,
        begun: Some((Some(init.mechanisms), negotiate)),
    })
}

/// The NEGOTIATE_MESSAGE of a client of which none was seen.
fn first_message() -> Bytes {
    NegotiateMessage::new(
        NegotiateFlags::UNICODE
            | NegotiateFlags::REQUEST_TARGET
            | NegotiateFlags::NTLM
            | NegotiateFlags::EXTENDED_SESSIONSECURITY
            | NegotiateFlags::SIGN
            | NegotiateFlags::ALWAYS_SIGN
            | NegotiateFlags::KEY_EXCH
            | NegotiateFlags::KEY_128
            | NegotiateFlags::KEY_56,
    )
    .to_bytes()
}
