//! What opens encrypted messages and checks signatures: passwords, hashes, session keys.

use smb_proto::crypto::Key;
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::id::SessionId;
use thiserror::Error;

use super::Proof;

/// A secret that is not written as it should be. The text is not repeated, since it is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// No colon between user and secret.
    #[error("expected USER:{0} or DOMAIN\\USER:{0}")]
    NoColon(&'static str),
    /// Not 32 hexadecimal digits.
    #[error("an NT hash has 32 hexadecimal digits")]
    BadHash,
    /// Not `SID:KEY`, nor an entry of Wireshark's smb2_seskey_list.
    #[error(
        "expected SESSION:KEY or SESSION,KEY,S2C-KEY,C2S-KEY in hexadecimal digits (a session id has up \
         to 16, a key 32 or 64)"
    )]
    BadSessionKey,
}

/// An account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) domain: Option<String>,
    pub(super) user: String,
    pub(super) hash: NtHash,
    pub(super) proof: Proof,
}

/// A session whose key is given.
#[derive(Debug, Clone)]
pub(super) struct GivenKey {
    /// The id in both byte orders that it may have been written in.
    pub(super) ids: [SessionId; 2],
    /// What the authentication gave.
    pub(super) session: Option<Key>,
    /// What opens messages of the server.
    pub(super) server_to_client: Option<Key>,
    /// What opens messages of the client.
    pub(super) client_to_server: Option<Key>,
}

/// The secrets that a user of a capture knows.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub(super) accounts: Vec<Account>,
    pub(super) keys: Vec<GivenKey>,
}

impl Secrets {
    /// Adds `USER:PASSWORD` or `DOMAIN\USER:PASSWORD`. Without domain, it is used with any.
    ///
    /// # Errors
    /// [`SecretError::NoColon`]
    pub fn add_password(&mut self, text: &str) -> Result<(), SecretError> {
        let (domain, user, password) = split(text).ok_or(SecretError::NoColon("PASSWORD"))?;
        self.accounts.push(Account {
            domain,
            user,
            hash: NtHash::of_password(password),
            proof: Proof::Password(password.to_owned()),
        });
        Ok(())
    }

    /// Adds `USER:HASH` or `DOMAIN\USER:HASH`, the hash being the NT hash in 32 hexadecimal digits.
    ///
    /// # Errors
    /// [`SecretError::NoColon`], [`SecretError::BadHash`]
    pub fn add_nt_hash(&mut self, text: &str) -> Result<(), SecretError> {
        let (domain, user, hash) = split(text).ok_or(SecretError::NoColon("HASH"))?;
        let hash = hex(hash).and_then(|b| <[u8; 16]>::try_from(b).ok());
        let hash = hash.ok_or(SecretError::BadHash)?;
        self.accounts.push(Account {
            domain,
            user,
            hash: NtHash::from_bytes(hash),
            proof: Proof::NtHash(hash),
        });
        Ok(())
    }

    /// Adds a session key: `SESSION:KEY`, or an entry of Wireshark's `smb2_seskey_list`,
    /// `SESSION,KEY,S2C-KEY,C2S-KEY`, in which keys may be empty and everything may be quoted. The session
    /// id is taken as a number and in the order of the bytes on the wire, which is how Wireshark
    /// writes it. The key is what the authentication gave (NTLM's exported session key, the subkey of
    /// Kerberos), 16 or 32 bytes.
    ///
    /// # Errors
    /// [`SecretError::BadSessionKey`]
    pub fn add_session_key(&mut self, text: &str) -> Result<(), SecretError> {
        const BAD: SecretError = SecretError::BadSessionKey;
        let mut parts = text.split([',', ':']).map(|p| p.trim().trim_matches('"'));
        let id = parts.next().unwrap_or_default();
        let id = id.strip_prefix("0x").unwrap_or(id);
        let id = match id.len() {
            1..=16 => u64::from_str_radix(id, 16).map_err(|_| BAD)?,
            _ => return Err(BAD),
        };
        let mut keys = [None, None, None];
        for key in &mut keys {
            *key = match parts.next().unwrap_or_default() {
                "" => None,
                text => {
                    let bytes = hex(text).filter(|b| matches!(b.len(), 16 | 32));
                    Some(bytes.and_then(|b| Key::new(&b)).ok_or(BAD)?)
                }
            };
        }
        if parts.next().is_some() || keys.iter().all(Option::is_none) {
            return Err(BAD);
        }
        let [session, server_to_client, client_to_server] = keys;
        self.keys.push(GivenKey {
            ids: [SessionId(id), SessionId(id.swap_bytes())],
            session,
            server_to_client,
            client_to_server,
        });
        Ok(())
    }

    /// Keys given for a session.
    pub(super) fn keys_of(&self, session: SessionId) -> impl Iterator<Item = &GivenKey> {
        self.keys.iter().filter(move |k| k.ids.contains(&session))
    }

    /// Accounts that may be meant by a user and domain as sent.
    pub(super) fn accounts_of<'a>(
        &'a self,
        user: &str,
        domain: &str,
    ) -> impl Iterator<Item = &'a Account> {
        let (user, domain) = (user.to_lowercase(), domain.to_lowercase());
        self.accounts.iter().filter(move |a| {
            a.user.to_lowercase() == user
                && a.domain
                    .as_ref()
                    .is_none_or(|d| domain.is_empty() || d.to_lowercase() == domain)
        })
    }
}

/// Domain, user, rest.
fn split(text: &str) -> Option<(Option<String>, String, &str)> {
    let (name, secret) = text.split_once(':')?;
    let (domain, user) = match name.split_once('\\') {
        Some((domain, user)) => (Some(domain.to_owned()), user),
        None => (None, name),
    };
    Some((domain, user.to_owned(), secret))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let mut s = Secrets::default();
        s.add_password("alice:a:b").unwrap();
        s.add_password("LAB\\Bob:").unwrap();
        s.add_nt_hash("carol:79d4c91af040aa315ef8278c6da75ce5")
            .unwrap();
        s.add_session_key("1900009c003c0000:9a9ea16a0cdbeb6064772318073f172f")
            .unwrap();
        s.add_session_key("\"1900009c003c0000\",\"\",\"9a9ea16a0cdbeb6064772318073f172f\",\"\"")
            .unwrap();
        assert_eq!(s.accounts_of("ALICE", "X").count(), 1);
        assert_eq!(s.accounts_of("bob", "lab").count(), 1);
        assert_eq!(s.accounts_of("bob", "other").count(), 0);
        let keys: Vec<_> = s.keys_of(SessionId(0x3c00_9c00_0019)).collect();
        assert_eq!(keys.len(), 2);
        assert!(keys[0].session.is_some() && keys[1].session.is_none());
        assert_eq!(s.keys_of(SessionId(0x1900_009c_003c_0000)).count(), 2);
        assert_eq!(s.accounts[0].proof, Proof::Password("a:b".into()));
    }

    #[test]
    fn mistakes() {
        let mut s = Secrets::default();
        assert_eq!(
            s.add_password("alice"),
            Err(SecretError::NoColon("PASSWORD"))
        );
        assert_eq!(s.add_nt_hash("alice:12"), Err(SecretError::BadHash));
        for bad in [
            "",
            "12",
            "12:34",
            "xyz:9a9ea16a0cdbeb6064772318073f172f",
            "1,,,",
            "1:é",
        ] {
            assert_eq!(
                s.add_session_key(bad),
                Err(SecretError::BadSessionKey),
                "{bad}"
            );
        }
    }
}
