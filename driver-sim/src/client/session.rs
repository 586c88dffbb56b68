//! Keys of one session on one connection.

use bytes::BytesMut;
use smb_proto::Dialect;
use smb_proto::crypto::{
    Key, OpeningKey, PreauthHash, SealingKey, SessionKeys, SigningKey, signing_key,
};
use smb_proto::id::SessionId;
use smb_proto::transform::{AAD_RANGE, TransformHeader};
use smb_proto::wire::Writer;

use super::event::Negotiated;

/// A session as one connection uses it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// `None` for guest and anonymous sessions.
    pub(super) full_key: Option<Key>,
    /// Key of this channel.
    pub(super) signing: Option<SigningKey>,
    /// Key of the session's first channel, with which bindings are signed.
    pub(super) main_signing: Option<SigningKey>,
    pub(super) sealing: Option<SealingKey>,
    pub(super) opening: Option<OpeningKey>,
    /// Signing is demanded by one of the sides.
    pub(super) sign: bool,
    /// The server demands encryption.
    pub(super) encrypt: bool,
    /// Messages sealed so far.
    pub(super) sealed: u64,
}

/// What another connection needs to bind a session ([MS-SMB2] 3.2.4.2.3.1). Holds keys.
#[derive(Debug, Clone)]
pub struct ExportedSession {
    /// The session.
    pub id: SessionId,
    pub(super) session: Box<Session>,
}

impl Session {
    /// A session without keys.
    pub(super) fn keyless() -> Self {
        Self {
            full_key: None,
            signing: None,
            main_signing: None,
            sealing: None,
            opening: None,
            sign: false,
            encrypt: false,
            sealed: 0,
        }
    }

    /// The keys that follow from the key of an authentication.
    pub(super) fn derive(
        negotiated: &Negotiated,
        key: &Key,
        preauth: &PreauthHash,
        stub: bool,
    ) -> Self {
        let keys = SessionKeys::derive(negotiated.dialect, negotiated.cipher, key, preauth);
        let signing = signing_of(negotiated, &keys.signing, stub);
        let cipher = negotiated.cipher;
        if let (true, Some(cipher)) = (stub, cipher) {
            return Self {
                full_key: Some(key.clone()),
                main_signing: signing.clone(),
                signing,
                sealing: Some(SealingKey::stub(cipher)),
                opening: Some(OpeningKey::stub(cipher)),
                ..Self::keyless()
            };
        }
        Self {
            full_key: Some(key.clone()),
            main_signing: signing.clone(),
            signing,
            sealing: cipher.and_then(|c| SealingKey::new(c, keys.client_to_server.as_ref()?)),
            opening: cipher.and_then(|c| OpeningKey::new(c, keys.server_to_client.as_ref()?)),
            sign: false,
            encrypt: false,
            sealed: 0,
        }
    }

    /// Takes the key of a channel that was bound.
    pub(super) fn bind(
        &mut self,
        negotiated: &Negotiated,
        key: &Key,
        preauth: &PreauthHash,
        stub: bool,
    ) {
        let key = signing_key(negotiated.dialect, key, preauth);
        self.signing = signing_of(negotiated, &key, stub);
    }

    /// A message encrypted for this session, with its transform header ([MS-SMB2] 3.1.4.3); as it is
    /// if there is no key. `prefix` is the connection's part of the nonces.
    pub(super) fn seal(
        &mut self,
        id: SessionId,
        prefix: [u8; 3],
        mut message: BytesMut,
    ) -> BytesMut {
        let Some(key) = &self.sealing else {
            return message;
        };
        self.sealed += 1;
        // Unique for the key, also among channels: a counter, and bytes of this connection.
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.sealed.to_le_bytes());
        nonce[8..11].copy_from_slice(&prefix);
        let mut header = TransformHeader {
            signature: [0; 16],
            nonce,
            original_message_size: u32::try_from(message.len()).unwrap_or(u32::MAX),
            flags: TransformHeader::ENCRYPTED,
            session_id: id,
        };
        let mut w = Writer::new();
        header.encode(&mut w);
        header.signature = key
            .seal(&nonce, &w.written()[AAD_RANGE], &mut message)
            .expect("messages are far below the limit of the ciphers");
        let mut w = Writer::new();
        header.encode(&mut w);
        let mut out = w.into_inner();
        out.extend_from_slice(&message);
        out
    }

    /// Whether the dialect signs the answer that ends an authentication in any case.
    pub(super) fn final_answer_is_signed(dialect: Dialect) -> bool {
        dialect == Dialect::Smb311
    }
}

fn signing_of(negotiated: &Negotiated, key: &Key, stub: bool) -> Option<SigningKey> {
    if stub {
        return Some(SigningKey::stub(negotiated.signing));
    }
    Some(SigningKey::new(negotiated.signing, key.as_array::<16>()?))
}
