//! Security buffers: SPNEGO and NTLM.

use bytes::Bytes;
use serde_json::{Value, json};
use smb_proto::ntlm::{AuthenticateMessage, AvId, ChallengeMessage, MessageType, NegotiateMessage};
use smb_proto::spnego::Token;

use super::{hex, parsed, put, value};

/// A security buffer.
pub(super) fn token(bytes: &Bytes) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if MessageType::of(bytes).is_ok() {
        return ntlm(bytes);
    }
    match Token::parse(bytes) {
        Ok(Token::Init(init)) => {
            let mut v = value(&init);
            if let Some(inner) = &init.mech_token {
                put(&mut v, "mech_token", ntlm(inner));
            }
            json!({ "NegTokenInit": v })
        }
        Ok(Token::Resp(resp)) => {
            let mut v = value(&resp);
            if let Some(inner) = &resp.response_token {
                put(&mut v, "response_token", ntlm(inner));
            }
            json!({ "NegTokenResp": v })
        }
        Err(e) => super::unreadable(bytes, &e),
    }
}

/// An NTLM message, or the bytes if it is none.
fn ntlm(bytes: &Bytes) -> Value {
    match MessageType::of(bytes) {
        Ok(MessageType::Negotiate) => {
            json!({ "NTLM NEGOTIATE": parsed(NegotiateMessage::parse(bytes), bytes) })
        }
        Ok(MessageType::Challenge) => match ChallengeMessage::parse(bytes) {
            Ok(message) => {
                let mut v = value(&message);
                let pairs = message.target_info.iter().flat_map(|p| &p.0);
                let pairs: Value = pairs
                    .map(|pair| {
                        let text = match pair.id {
                            AvId::NB_COMPUTER_NAME
                            | AvId::NB_DOMAIN_NAME
                            | AvId::DNS_COMPUTER_NAME
                            | AvId::DNS_DOMAIN_NAME
                            | AvId::DNS_TREE_NAME
                            | AvId::TARGET_NAME => {
                                smb_proto::wire::decode_utf16(&pair.value, "AV_PAIR").ok()
                            }
                            _ => None,
                        };
                        let text = text.unwrap_or_else(|| hex(&pair.value));
                        json!({ "id": pair.id.0, "value": text })
                    })
                    .collect();
                put(&mut v, "target_info", pairs);
                json!({ "NTLM CHALLENGE": v })
            }
            Err(e) => super::unreadable(bytes, &e),
        },
        Ok(MessageType::Authenticate) => {
            json!({ "NTLM AUTHENTICATE": parsed(AuthenticateMessage::parse(bytes), bytes) })
        }
        Err(_) => json!(hex(bytes)),
    }
}
