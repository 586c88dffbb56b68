//! Keys of one session on one connection.

use smb_proto::Dialect;
use smb_proto::crypto::{
    Key, OpeningKey, PreauthHash, SealingKey, SessionKeys, SigningKey, signing_key,
};
use smb_proto::id::SessionId;

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
