//! Sessions and their channels, [MS-SMB2] 3.3.1.8 and 3.3.1.14.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smb_proto::crypto::{Key, OpeningKey, SealingKey, SigningKey};
use smb_proto::id::{SessionId, TreeId};
use smb_proto::{Dialect, Guid};

use super::{Open, Tree};
use crate::auth::Setup;
use crate::identity::Identity;
use crate::output::{ConnId, SealPlan};
use crate::table::Id;

/// Session.State, with what exists only in each.
#[derive(Debug)]
pub(crate) enum SessionState {
    /// The first authentication is not finished; its steps are in [`Session::setups`].
    InProgress,
    /// Authenticated.
    Valid(Established),
    /// The authentication has run out; only re-authentication and a few commands pass.
    Expired(Established),
}

/// What an authenticated session has.
#[derive(Debug)]
pub(crate) struct Established {
    /// Session.SecurityContext.
    pub(crate) identity: Arc<Identity>,
    /// Session.FullSessionKey; `None` for guest and anonymous sessions, which have no key.
    pub(crate) session_key: Option<Key>,
    /// Session.SigningKey, which bindings are signed with.
    pub(crate) signing: Option<Arc<SigningKey>>,
    /// Session.EncryptionKey; `None` if this session cannot encrypt.
    pub(crate) seal: Option<Arc<SealingKey>>,
    /// Session.DecryptionKey.
    pub(crate) open: Option<Arc<OpeningKey>>,
    /// Session.SigningRequired.
    pub(crate) signing_required: bool,
    /// Session.EncryptData: the client was told to encrypt everything.
    pub(crate) encrypt: bool,
    /// Session.EncryptData and RejectUnencryptedAccess together.
    pub(crate) encryption_required: bool,
}

#[cfg(feature = "stub-crypto")]
impl Established {
    /// Puts checksums in the place of signatures and ciphers.
    pub(crate) fn stub_crypto(&mut self) {
        fn stub<K>(key: &mut Option<Arc<K>>, make: impl FnOnce(&K) -> K) {
            *key = key.take().map(|key| Arc::new(make(&key)));
        }
        stub(&mut self.signing, |k| SigningKey::stub(k.algorithm()));
        stub(&mut self.seal, |k| SealingKey::stub(k.cipher()));
        stub(&mut self.open, |k| OpeningKey::stub(k.cipher()));
    }
}

/// Channel: one connection of a session, with its own signing key.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Channel.SigningKey; `None` without session key.
    pub(crate) signing: Option<Arc<SigningKey>>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) wire: SessionId,
    pub(crate) state: SessionState,
    /// Connection.Dialect at establishment; bindings must match.
    pub(crate) dialect: Dialect,
    pub(crate) client_guid: Guid,
    /// Session.ChannelList by connection.
    pub(crate) channels: BTreeMap<ConnId, Channel>,
    /// Authentications in progress: the first one, a repeated one, or that of a binding.
    pub(crate) setups: BTreeMap<ConnId, Setup>,
    pub(crate) trees: BTreeMap<TreeId, Id<Tree>>,
    /// Opens made on it (Session.OpenTable).
    pub(crate) opens: BTreeSet<Id<Open>>,
    pub(crate) next_tree_id: u32,
    /// Counts sealed messages; the nonce of each. Never used twice with one key.
    next_nonce: u64,
    /// Session.CreationTime.
    pub(crate) created: crate::time::Instant,
    pub(crate) last_used: crate::time::Instant,
}

impl Session {
    pub(crate) fn new(
        wire: SessionId,
        dialect: Dialect,
        client_guid: Guid,
        now: crate::time::Instant,
    ) -> Self {
        Self {
            wire,
            state: SessionState::InProgress,
            dialect,
            client_guid,
            channels: BTreeMap::new(),
            setups: BTreeMap::new(),
            trees: BTreeMap::new(),
            opens: BTreeSet::new(),
            next_tree_id: 1,
            next_nonce: 0,
            created: now,
            last_used: now,
        }
    }

    /// What an authenticated session has; `None` during the first authentication.
    pub(crate) fn established(&self) -> Option<&Established> {
        match &self.state {
            SessionState::InProgress => None,
            SessionState::Valid(e) | SessionState::Expired(e) => Some(e),
        }
    }

    /// The authentication has run out; what it made stays for the next one.
    pub(crate) fn expire(&mut self) {
        let state = std::mem::replace(&mut self.state, SessionState::InProgress);
        self.state = match state {
            SessionState::Valid(e) | SessionState::Expired(e) => SessionState::Expired(e),
            SessionState::InProgress => SessionState::InProgress,
        };
    }

    /// The signing key to use on `conn`.
    pub(crate) fn signing_key(&self, conn: ConnId) -> Option<Arc<SigningKey>> {
        self.channels.get(&conn)?.signing.clone()
    }

    /// How to seal the next message to the client; `None` if the session cannot encrypt. The nonce
    /// is a counter ([MS-SMB2] 3.1.4.3: unique per key), so it cannot repeat within 2^64 messages.
    pub(crate) fn seal_plan(&mut self) -> Option<SealPlan> {
        let key = self.established()?.seal.clone()?;
        self.next_nonce = self.next_nonce.checked_add(1)?;
        let mut nonce = [0; 16];
        nonce
            .iter_mut()
            .zip(self.next_nonce.to_le_bytes())
            .for_each(|(to, from)| *to = from);
        Some(SealPlan {
            key,
            session: self.wire,
            nonce,
        })
    }
}
