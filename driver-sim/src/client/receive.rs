//! From frames to events: decryption, verification, matching answers to requests.

use bytes::{Bytes, BytesMut};
use smb_proto::frame::Frame;
use smb_proto::header::{HeaderFlags, Route};
use smb_proto::id::{MessageId, SessionId};
use smb_proto::msg::compound;
use smb_proto::msg::tree_connect::ShareFlags;
use smb_proto::transform::{
    COMPRESSION_PROTOCOL_ID, TRANSFORM_HEADER_LEN, TRANSFORM_PROTOCOL_ID, TransformHeader, aad,
};
use smb_proto::{Command, Header, NtStatus, msg};

use super::event::{ClientEvent, ClientFault, Reply};
use super::part::Target;
use super::{Client, Pending, Purpose};

/// How an element was protected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protected {
    pub(super) sealed: bool,
    pub(super) signed: bool,
}

impl Client {
    /// Takes received bytes, however they were cut.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.deframer.feed(BytesMut::from(bytes));
        loop {
            let result = match self.deframer.next_frame() {
                Ok(None) => return,
                Ok(Some(Frame::Message(message))) => self.message(message),
                Ok(Some(Frame::NetBios { packet_type, .. })) => {
                    Err(ClientFault::NetBios(packet_type as u8))
                }
                Err(e) => Err(e.into()),
            };
            if let Err(fault) = result {
                self.broken = true;
                self.events.push_back(ClientEvent::Fault(fault));
                return;
            }
            self.send_waiting();
        }
    }

    fn message(&mut self, message: BytesMut) -> Result<(), ClientFault> {
        let (message, sealed_for) = match message.first_chunk::<4>() {
            Some(&TRANSFORM_PROTOCOL_ID) => {
                let (plain, session) = self.open(message)?;
                (plain, Some(session))
            }
            Some(&COMPRESSION_PROTOCOL_ID) => return Err(ClientFault::Compressed),
            _ => (message.freeze(), None),
        };
        let elements = compound::split(&message).map_err(|e| ClientFault::Parse(e, None))?;
        for element in elements {
            self.element(element, sealed_for)?;
        }
        Ok(())
    }

    fn open(&self, mut message: BytesMut) -> Result<(Bytes, SessionId), ClientFault> {
        let header = TransformHeader::parse(&message).map_err(|e| ClientFault::Parse(e, None))?;
        let fault = || ClientFault::Decrypt(header.session_id);
        let session = self.sessions.get(&header.session_id).ok_or_else(fault)?;
        let key = session.opening.as_ref().ok_or_else(fault)?;
        let mut body = message.split_off(TRANSFORM_HEADER_LEN);
        if header.flags != TransformHeader::ENCRYPTED
            || usize::try_from(header.original_message_size) != Ok(body.len())
        {
            return Err(fault());
        }
        let aad = aad(&message).ok_or_else(fault)?;
        key.open(&header.nonce, aad, &mut body, &header.signature)
            .map_err(|_| fault())?;
        Ok((body.freeze(), header.session_id))
    }

    fn element(&mut self, raw: Bytes, sealed: Option<SessionId>) -> Result<(), ClientFault> {
        let header = Header::parse(&raw).map_err(|e| ClientFault::Parse(e, None))?;
        if !header.flags.contains(HeaderFlags::SERVER_TO_REDIR) {
            return Err(ClientFault::NotAResponse);
        }
        self.window.granted += u64::from(header.credits);
        let id = header.message_id;
        if id == MessageId::UNSOLICITED {
            let parsed = msg::oplock_break::Message::parse(&raw)
                .map_err(|e| ClientFault::Parse(e, header.command()))?;
            self.events.push_back(ClientEvent::Break(parsed));
            return Ok(());
        }
        let pending = *self.pending.get(&id).ok_or(ClientFault::Unexpected(id))?;
        if pending.command != header.command_code {
            return Err(ClientFault::WrongCommand(id, header.command_code));
        }
        if pending.sealed && sealed.is_none() {
            return Err(ClientFault::NotSealed(id));
        }
        if header.status == NtStatus::PENDING {
            return self.interim(&header, id);
        }
        // [MS-SMB2] 3.3.4.2: asynchronous with the id of the interim answer, or not at all.
        let fits = match (header.route, pending.async_id) {
            (Route::Async(theirs), Some(known)) => theirs == known,
            (Route::Sync { .. }, None) => true,
            (Route::Async(_), None) | (Route::Sync { .. }, Some(_)) => false,
        };
        if !fits {
            return Err(ClientFault::Async(id));
        }
        self.pending.remove(&id);
        let body = msg::Response::parse(&header, &raw)
            .map_err(|e| ClientFault::Parse(e, header.command()))?;
        match pending.purpose {
            Purpose::Negotiate => {
                return self.negotiate_answered(&header, body, &raw);
            }
            Purpose::Logon(logon) => {
                let sealed = sealed.is_some();
                return self.logon_answered(logon, &header, body, &raw, sealed);
            }
            Purpose::Plain => {}
        }
        let protected = Protected {
            sealed: sealed.is_some(),
            signed: self.verify(&header, &pending, sealed, &raw)?,
        };
        self.note(&header, &body, &pending);
        self.events.push_back(ClientEvent::Reply(Reply {
            message: id,
            header,
            body,
            signed: protected.signed,
            sealed: protected.sealed,
            was_async: pending.async_id.is_some(),
            raw,
        }));
        Ok(())
    }

    /// An interim answer; it is not signed ([MS-SMB2] 3.3.4.1.1 says when, 3.2.5.1.3 that it need
    /// not be verified).
    fn interim(&mut self, header: &Header, id: MessageId) -> Result<(), ClientFault> {
        let (Route::Async(async_id), Some(pending)) = (header.route, self.pending.get_mut(&id))
        else {
            return Err(ClientFault::Async(id));
        };
        if pending.async_id.replace(async_id).is_some() {
            return Err(ClientFault::Async(id));
        }
        self.events.push_back(ClientEvent::Interim {
            message: id,
            async_id,
        });
        Ok(())
    }

    /// [MS-SMB2] 3.2.5.1.3: whether it is signed, and rightly.
    fn verify(
        &self,
        header: &Header,
        pending: &Pending,
        sealed: Option<SessionId>,
        raw: &Bytes,
    ) -> Result<bool, ClientFault> {
        let id = header.message_id;
        let session = self.sessions.get(&pending.target.session);
        let key = session.and_then(|s| s.signing.as_ref());
        if sealed.is_some() {
            return Ok(false);
        }
        match (header.flags.contains(HeaderFlags::SIGNED), key) {
            (true, Some(key)) if key.verify(raw) => Ok(true),
            (true, Some(_)) => Err(ClientFault::Signature(id)),
            // Signed with a key that this side does not have (any more).
            (true, None) => Ok(false),
            // Errors that deny the session itself cannot be signed.
            (false, Some(_)) if pending.signed && !unsignable(header.status, pending.related) => {
                Err(ClientFault::NotSigned(id, header.status))
            }
            (false, _) => Ok(false),
        }
    }

    /// Learns from answers: trees that want encryption, sessions that have ended.
    fn note(&mut self, header: &Header, body: &msg::Response, pending: &Pending) {
        match body {
            msg::Response::TreeConnect(r) if r.share_flags.contains(ShareFlags::ENCRYPT_DATA) => {
                self.sealed_trees.insert(Target {
                    session: header.session_id,
                    tree: header.tree_id(),
                });
            }
            msg::Response::Logoff(_) => {
                self.sessions.remove(&pending.target.session);
            }
            msg::Response::TreeDisconnect(_) => {
                self.sealed_trees.remove(&pending.target);
            }
            _ => {}
        }
    }

    /// The command of an outstanding request.
    #[must_use]
    pub fn outstanding(&self, message: MessageId) -> Option<Command> {
        Command::from_code(self.pending.get(&message)?.command)
    }
}

/// Statuses that a server without the session has to send unsigned; the last one to an element
/// that is related to one without session.
fn unsignable(status: NtStatus, related: bool) -> bool {
    match status {
        NtStatus::USER_SESSION_DELETED | NtStatus::NETWORK_SESSION_EXPIRED => true,
        NtStatus::INVALID_PARAMETER => related,
        _ => false,
    }
}
