//! The accounts of a view as a database of two domains: the server's own and BUILTIN.

use smb_proto::dtyp::Sid;
use smb_proto::rpc::samr::{
    GROUP_RID_USERS, USER_ACCOUNT_DISABLED, USER_DONT_EXPIRE_PASSWORD, USER_NORMAL_ACCOUNT,
};

use super::super::names::{ALIASES, BUILTIN, DEFAULT_GROUP};
use super::super::{AccountKind, ServerView};
use crate::names::same_name;

/// One account, from the view or built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) sid: Sid,
    pub(super) rid: u32,
    pub(super) name: &'a str,
    pub(super) full_name: &'a str,
    pub(super) comment: &'a str,
    pub(super) kind: AccountKind,
    pub(super) disabled: bool,
}

impl Entry<'_> {
    /// USER_ACCOUNT codes, [MS-SAMR] 2.2.1.12.
    pub(super) fn account_control(&self) -> u32 {
        let disabled = if self.disabled {
            USER_ACCOUNT_DISABLED
        } else {
            0
        };
        USER_NORMAL_ACCOUNT | USER_DONT_EXPIRE_PASSWORD | disabled
    }
}

/// The accounts of a view.
pub(super) struct Database<'a> {
    view: &'a ServerView,
}

impl<'a> Database<'a> {
    pub(super) fn new(view: &'a ServerView) -> Self {
        Self { view }
    }

    pub(super) fn domain_names(&self) -> [&'a str; 2] {
        [&self.view.server_name, BUILTIN]
    }

    pub(super) fn domain_name(&self, domain: &Sid) -> &'a str {
        if *domain == Sid::BUILTIN {
            BUILTIN
        } else {
            &self.view.server_name
        }
    }

    pub(super) fn domain_by_name(&self, name: &str) -> Option<Sid> {
        if same_name(name, BUILTIN) {
            Some(Sid::BUILTIN)
        } else if same_name(name, &self.view.server_name) {
            Some(self.view.domain_sid)
        } else {
            None
        }
    }

    pub(super) fn has_domain(&self, domain: &Sid) -> bool {
        *domain == Sid::BUILTIN || *domain == self.view.domain_sid
    }

    /// Accounts of the view, then the built-in ones that it does not name itself.
    fn all(&self) -> impl Iterator<Item = Entry<'a>> {
        let view = self.view;
        let own = view.accounts.iter().filter_map(|a| {
            let (domain, rid) = a.sid.split_rid()?;
            (domain == Sid::BUILTIN || domain == view.domain_sid).then_some(Entry {
                sid: a.sid,
                rid,
                name: &a.name,
                full_name: &a.full_name,
                comment: &a.comment,
                kind: a.kind,
                disabled: a.disabled,
            })
        });
        let entry = |sid: Sid, name, comment, kind| Entry {
            sid,
            rid: sid.split_rid().map_or(0, |(_, rid)| rid),
            name,
            full_name: "",
            comment,
            kind,
            disabled: false,
        };
        let group = view.domain_sid.with_rid(GROUP_RID_USERS);
        let group =
            group.map(|sid| entry(sid, DEFAULT_GROUP, "Ordinary users", AccountKind::Group));
        let aliases = ALIASES
            .iter()
            .map(move |&(sid, name, comment)| entry(sid, name, comment, AccountKind::Alias));
        let built_in = group
            .into_iter()
            .chain(aliases)
            .filter(|e| !view.accounts.iter().any(|a| a.sid == e.sid));
        own.chain(built_in)
    }

    /// The accounts of a kind directly in a domain, by relative identifier.
    pub(super) fn entries(&self, domain: &Sid, kind: AccountKind) -> Vec<Entry<'a>> {
        let mut found: Vec<_> = self
            .all()
            .filter(|e| e.kind == kind && e.sid.rid_in(domain).is_some())
            .collect();
        found.sort_by_key(|e| e.rid);
        found
    }

    pub(super) fn get(&self, sid: &Sid) -> Option<Entry<'a>> {
        self.all().find(|e| e.sid == *sid)
    }

    pub(super) fn by_name(&self, domain: &Sid, name: &str) -> Option<Entry<'a>> {
        self.all()
            .find(|e| e.sid.rid_in(domain).is_some() && same_name(e.name, name))
    }

    /// Whether an account with these groups is in `group`: every user is in the default group.
    fn is_member(&self, kind: AccountKind, groups: &[Sid], group: &Sid) -> bool {
        let default = kind == AccountKind::User
            && group.rid_in(&self.view.domain_sid) == Some(GROUP_RID_USERS);
        default || groups.contains(group)
    }

    /// The members of a group or alias.
    pub(super) fn members(&self, group: &Sid) -> Vec<Sid> {
        self.view
            .accounts
            .iter()
            .filter(|a| self.is_member(a.kind, &a.groups, group))
            .map(|a| a.sid)
            .collect()
    }

    /// Relative identifiers of the domain groups that a user is in; the default group first.
    pub(super) fn groups_of(&self, user: &Sid) -> Vec<u32> {
        let Some(account) = self.view.accounts.iter().find(|a| a.sid == *user) else {
            return Vec::new();
        };
        let mut rids = vec![GROUP_RID_USERS];
        for group in self.entries(&self.view.domain_sid, AccountKind::Group) {
            if group.rid != GROUP_RID_USERS && account.groups.contains(&group.sid) {
                rids.push(group.rid);
            }
        }
        rids
    }

    /// Relative identifiers of the aliases of `domain` that any of `sids` is in.
    pub(super) fn aliases_of(&self, domain: &Sid, sids: &[Sid]) -> Vec<u32> {
        self.entries(domain, AccountKind::Alias)
            .iter()
            .filter(|alias| {
                self.view
                    .accounts
                    .iter()
                    .any(|a| sids.contains(&a.sid) && a.groups.contains(&alias.sid))
            })
            .map(|alias| alias.rid)
            .collect()
    }
}
