//! A fixed list of accounts, for programs that have no database of them.

use smb_proto::crypto::ntlm::NtHash;

use crate::config::Config;
use crate::identity::{Account, Identity};
use crate::names::same_name;
use crate::output::{Completion, Query};

/// The users that may log on.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// The user id of the first account in the server's domain; others follow.
    const FIRST_RID: u32 = 1000;

    /// Users of the server that `config` describes, with their passwords.
    #[must_use]
    pub fn new<'a>(config: &Config, users: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let sids = (Self::FIRST_RID..).map_while(|rid| config.domain_sid.with_rid(rid));
        let account = |((name, password), sid)| Account {
            nt_hash: NtHash::of_password(password),
            identity: Identity {
                domain: config.server_name.clone(),
                ..Identity::user(name, sid)
            },
        };
        Self(users.into_iter().zip(sids).map(account).collect())
    }

    /// The account of this name, in any case.
    #[must_use]
    pub fn find(&self, user: &str) -> Option<&Account> {
        self.0.iter().find(|a| same_name(&a.identity.name, user))
    }

    /// Everybody, for listings.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        self.0.iter().map(|a| a.identity.clone()).collect()
    }

    /// Answers a question of the server.
    #[must_use]
    pub fn answer(&self, query: &Query) -> Completion {
        match query {
            Query::Account { user, .. } => Completion::Account(self.find(user).cloned()),
            Query::Accounts => Completion::Accounts(self.identities()),
        }
    }
}

#[cfg(test)]
mod tests {
    use smb_proto::dtyp::Sid;

    use super::*;

    #[test]
    fn users_are_found_in_any_case() {
        let config = Config::new("S", Sid::domain(1, 2, 3), Vec::new());
        let accounts = Accounts::new(&config, [("ann", "a"), ("Bob", "b")]);
        let ask = |user: &str| {
            let (user, domain) = (user.to_owned(), String::new());
            accounts.answer(&Query::Account { user, domain })
        };
        let Completion::Account(Some(bob)) = ask("BOB") else {
            panic!("not found");
        };
        assert_eq!(bob.identity.name, "Bob");
        assert_eq!(bob.identity.sid.rid_in(&config.domain_sid), Some(1001));
        assert!(bob.nt_hash == NtHash::of_password("b"));
        assert_eq!(ask("carol"), Completion::Account(None));
        let Completion::Accounts(all) = accounts.answer(&Query::Accounts) else {
            panic!("no list");
        };
        assert_eq!(all.len(), 2);
    }
}
