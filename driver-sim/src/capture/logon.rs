//! NEGOTIATE and SESSION_SETUP of one connection: dialect, pre-authentication hash, keys.

use smb_proto::crypto::{Cipher, PreauthHash, SigningAlgorithm};
use smb_proto::header::HeaderFlags;
use smb_proto::id::SessionId;
use smb_proto::msg::negotiate_context::NegotiateContext;
use smb_proto::msg::session_setup::{SessionFlags, SetupFlags};
use smb_proto::msg::{Request, negotiate, session_setup};
use smb_proto::{Dialect, NtStatus};

use super::decode::{Decoder, LOGONS_MAX, PENDING_MAX, Pending, Shared};
use super::keys::{Exchange, Scope};
use super::{Conversation, Logon, Mechanism, Message, Negotiated, Proof};

impl Decoder {
    pub(super) fn negotiated(
        &mut self,
        conversation: &mut Conversation,
        message: &Message,
        response: &negotiate::Response,
        pending: Option<&Pending>,
    ) {
        // The answer to an SMB1 NEGOTIATE with "SMB 2.???" only asks for a second one.
        let Some(dialect) = Dialect::from_code(response.dialect_revision) else {
            return;
        };
        let preauth = match dialect {
            Dialect::Smb311 => self.preauth.after(&message.raw),
            Dialect::Smb202 | Dialect::Smb210 | Dialect::Smb300 | Dialect::Smb302 => {
                PreauthHash::ZERO
            }
        };
        self.preauth = preauth;
        let (cipher, signing) = algorithms(dialect, &response.contexts);
        let client_guid = match pending.and_then(|p| p.asked.as_deref()) {
            Some(Request::Negotiate(r)) => Some(r.client_guid),
            Some(_) | None => None,
        };
        self.scope = Scope::Server(response.server_guid);
        conversation.negotiated = Some(Negotiated {
            dialect,
            cipher,
            signing,
            client_guid,
            server_guid: response.server_guid,
            request: message.request,
            preauth,
        });
    }

    pub(super) fn logon_request(
        &mut self,
        conversation: &mut Conversation,
        message: &Message,
        request: &session_setup::Request,
    ) -> Option<usize> {
        let session = message.header.session_id;
        let index = match self.active.get(&session) {
            Some(index) => *index,
            None => {
                if conversation.logons.len() >= LOGONS_MAX {
                    return None;
                }
                let binding = request.flags.contains(SetupFlags::BINDING);
                conversation.logons.push(Logon {
                    session,
                    requests: Vec::new(),
                    binding,
                    again: session != SessionId(0) && !binding,
                    mechanism: Mechanism::Unknown,
                    user: String::new(),
                    domain: String::new(),
                    workstation: String::new(),
                    proof: Proof::None,
                    status: None,
                    guest: false,
                    anonymous: false,
                    preauth: PreauthHash::ZERO,
                });
                let index = conversation.logons.len() - 1;
                let exchange = Exchange::new(self.preauth);
                if self.exchanges.len() >= PENDING_MAX {
                    self.exchanges.pop_first();
                }
                self.exchanges.insert(index, exchange);
                index
            }
        };
        let logon = conversation.logons.get_mut(index)?;
        let exchange = self.exchanges.get_mut(&index)?;
        logon.requests.push(message.number);
        if is_311(conversation.negotiated.as_ref()) {
            exchange.preauth.update(&message.raw);
            logon.preauth = exchange.preauth;
        }
        exchange.request_token(&request.security_buffer, logon);
        Some(index)
    }

    pub(super) fn logon_response(
        &mut self,
        shared: &mut Shared,
        conversation: &mut Conversation,
        message: &Message,
        response: Option<&session_setup::Response>,
        pending: Option<&Pending>,
    ) {
        let (header, session) = (&message.header, message.header.session_id);
        let Some(index) = pending.and_then(|p| p.logon) else {
            return;
        };
        let Some(logon) = conversation.logons.get_mut(index) else {
            return;
        };
        logon.status = Some(header.status);
        if let (Some(response), NtStatus::MORE_PROCESSING_REQUIRED) = (response, header.status) {
            logon.session = session;
            if self.active.len() >= PENDING_MAX {
                self.active.pop_first();
            }
            self.active.insert(session, index);
            if let Some(exchange) = self.exchanges.get_mut(&index) {
                if is_311(conversation.negotiated.as_ref()) {
                    exchange.preauth.update(&message.raw);
                }
                exchange.response_token(&response.security_buffer);
            }
            return;
        }
        self.active.retain(|_, i| *i != index);
        let exchange = self.exchanges.remove(&index);
        let Some(response) = response else { return };
        logon.session = session;
        logon.guest = response.session_flags.contains(SessionFlags::IS_GUEST);
        logon.anonymous = response.session_flags.contains(SessionFlags::IS_NULL);
        let (Some(exchange), Some(negotiated)) = (exchange, &conversation.negotiated) else {
            return;
        };
        if logon.guest || logon.anonymous {
            return;
        }
        // Repeating an authentication changes no keys, [MS-SMB2] 3.3.5.5.3.
        let again = logon.again && self.channels.contains_key(&session);
        let signed = header.flags.contains(HeaderFlags::SIGNED);
        let signed = (signed && message.missing == 0).then_some(&message.raw[..]);
        if again {
            return;
        }
        let key = shared
            .sessions
            .authenticated(self.scope, negotiated, &exchange, logon, signed);
        if let Some(key) = key {
            if self.channels.len() >= PENDING_MAX {
                self.channels.pop_first();
            }
            self.channels.insert(session, key);
        }
    }
}

fn is_311(negotiated: Option<&Negotiated>) -> bool {
    negotiated.is_some_and(|n| n.dialect == Dialect::Smb311)
}

/// Cipher and signing algorithm that a NEGOTIATE response settles on.
fn algorithms(
    dialect: Dialect,
    contexts: &[NegotiateContext],
) -> (Option<Cipher>, SigningAlgorithm) {
    let default = SigningAlgorithm::default_of(dialect);
    match dialect {
        Dialect::Smb202 | Dialect::Smb210 => (None, default),
        Dialect::Smb300 | Dialect::Smb302 => (Some(Cipher::Aes128Ccm), default),
        Dialect::Smb311 => {
            let (mut cipher, mut signing) = (None, default);
            for context in contexts {
                match context {
                    NegotiateContext::Encryption(c) => cipher = c.known().next(),
                    NegotiateContext::Signing(s) => signing = s.known().next().unwrap_or(default),
                    _ => {}
                }
            }
            (cipher, signing)
        }
    }
}
