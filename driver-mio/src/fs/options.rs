//! How a directory is shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use smb_engine::names::{Pattern, same_name};
use smb_proto::dtyp::Sid;

use super::names::{Mangled, NameMap, Naming};

/// Settings of one local directory; the names are those of ksmbd.conf and smb.conf.
#[derive(Clone)]
pub struct LocalOptions {
    /// `create mask`: permission bits that new files can have.
    pub create_mask: u32,
    /// `directory mask`: permission bits that new directories can have.
    pub directory_mask: u32,
    /// `force create mode`: permission bits that new files always have.
    pub force_create_mode: u32,
    /// `force directory mode`: permission bits that new directories always have.
    pub force_directory_mode: u32,
    /// `hide dot files`: names that begin with a dot get the HIDDEN attribute.
    pub hide_dot_files: bool,
    /// `hide files`: names that get the HIDDEN attribute.
    pub hide_files: Vec<Pattern>,
    /// `mangled names`: which names have an 8.3 name besides.
    pub mangled_names: Mangled,
    /// `catia:mappings`: characters that are shown as others.
    pub name_map: NameMap,
    /// Names that differ in Unicode normalisation only are found by each other, as macOS expects.
    pub match_normalised: bool,
    /// `veto files`: names that do not exist for clients.
    pub veto_files: Vec<Pattern>,
    /// `follow symlinks`: follow symbolic links that stay inside the share. Links that lead out are
    /// never followed.
    pub follow_symlinks: bool,
    /// `crossmnt`: descend into other file systems that are mounted inside the share.
    pub cross_mounts: bool,
    /// `store dos attributes`: keep attributes and creation time in `user.DOSATTRIB`; else READONLY
    /// comes from the permission bits.
    pub store_dos_attributes: bool,
    /// `inherit owner`: what is made in a directory belongs to the directory's owner.
    pub inherit_owner: bool,
    /// `kernel change notify`: changes that other programs make are told to clients that watch.
    pub watch: bool,
    /// The volume's label.
    pub label: String,
    /// Which SIDs the host's users and groups have.
    pub sids: Arc<dyn SidMapper>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            create_mask: 0o744,
            directory_mask: 0o755,
            force_create_mode: 0,
            force_directory_mode: 0,
            hide_dot_files: true,
            hide_files: Vec::new(),
            mangled_names: Mangled::default(),
            name_map: NameMap::default(),
            match_normalised: false,
            veto_files: Vec::new(),
            follow_symlinks: false,
            cross_mounts: true,
            store_dos_attributes: true,
            inherit_owner: false,
            watch: true,
            label: String::new(),
            sids: Arc::new(AccountSids::default()),
        }
    }
}

impl LocalOptions {
    pub(super) fn naming(&self) -> Naming {
        Naming {
            map: self.name_map.clone(),
            mangled: self.mangled_names,
            normalised: self.match_normalised,
        }
    }

    /// Whether a name has the HIDDEN attribute whatever is stored.
    pub(super) fn hidden(&self, name: &str) -> bool {
        (self.hide_dot_files && name.starts_with('.'))
            || self.hide_files.iter().any(|p| p.matches(name))
    }

    /// Whether clients must not see this name.
    pub(super) fn vetoed(&self, name: &str) -> bool {
        (name.starts_with('.') && same_name(name, super::depot::NAME))
            || self.veto_files.iter().any(|p| p.matches(name))
    }
}

/// A user or group of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostId {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// Translates between the host's users and groups and their SIDs.
pub trait SidMapper: Send + Sync {
    /// The SID of a user or group.
    fn sid(&self, id: HostId) -> Sid;

    /// The user or group that has this SID; `None` if the host knows none.
    fn host_id(&self, sid: &Sid) -> Option<HostId>;
}

/// SIDs of known accounts, and for all others those that Samba uses: S-1-22-1-UID for users and
/// S-1-22-2-GID for groups.
#[derive(Debug, Clone, Default)]
pub struct AccountSids {
    by_id: BTreeMap<HostId, Sid>,
    by_sid: BTreeMap<Sid, HostId>,
}

impl AccountSids {
    /// With these accounts.
    pub fn new(accounts: impl IntoIterator<Item = (HostId, Sid)>) -> Self {
        let mut out = Self::default();
        for (id, sid) in accounts {
            // The first account of an id is the one that is shown; all are understood.
            out.by_id.entry(id).or_insert(sid);
            out.by_sid.insert(sid, id);
        }
        out
    }
}

impl SidMapper for AccountSids {
    fn sid(&self, id: HostId) -> Sid {
        let unix = match id {
            HostId::User(uid) => Sid::UNIX_USERS.with_rid(uid),
            HostId::Group(gid) => Sid::UNIX_GROUPS.with_rid(gid),
        };
        self.by_id.get(&id).copied().or(unix).unwrap_or(Sid::NULL)
    }

    fn host_id(&self, sid: &Sid) -> Option<HostId> {
        self.by_sid.get(sid).copied().or_else(|| {
            sid.rid_in(&Sid::UNIX_USERS)
                .map(HostId::User)
                .or_else(|| sid.rid_in(&Sid::UNIX_GROUPS).map(HostId::Group))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_their_sids_and_others_those_of_samba() {
        let alice = Sid::domain(1, 2, 3).with_rid(1000).unwrap();
        let map = AccountSids::new([(HostId::User(500), alice)]);
        assert_eq!(map.sid(HostId::User(500)), alice);
        assert_eq!(map.host_id(&alice), Some(HostId::User(500)));
        assert_eq!(map.sid(HostId::User(7)).to_string(), "S-1-22-1-7");
        assert_eq!(map.sid(HostId::Group(7)).to_string(), "S-1-22-2-7");
        for id in [HostId::User(7), HostId::Group(9)] {
            assert_eq!(map.host_id(&map.sid(id)), Some(id));
        }
        assert_eq!(map.host_id(&Sid::WORLD), None);
    }
}
