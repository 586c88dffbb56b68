//! Which SID a user or group of the host has, and the other way round; the rules of ksmbd, so that
//! security descriptors that it has stored mean the same people here.
//!
//! | who | SID |
//! |---|---|
//! | root | S-1-22-1-0 |
//! | any other user | domain SID and the uid |
//! | group | S-1-22-2-gid |

use smb_proto::dtyp::Sid;

/// The SID of a user of the host.
#[must_use]
pub fn of_uid(domain: &Sid, uid: u32) -> Sid {
    let parent = if uid == 0 { &Sid::UNIX_USERS } else { domain };
    below(parent, uid)
}

/// The SID of a group of the host.
#[must_use]
pub fn of_gid(gid: u32) -> Sid {
    below(&Sid::UNIX_GROUPS, gid)
}

/// The user of the host that a SID names: one below the domain, a Unix user (S-1-22-1) or an NFS
/// user (S-1-5-88-1).
#[must_use]
pub fn uid_of(domain: &Sid, sid: &Sid) -> Option<u32> {
    [domain, &Sid::UNIX_USERS, &Sid::NFS_USERS]
        .into_iter()
        .find_map(|parent| sid.rid_in(parent))
}

/// The group of the host that a SID names: a Unix group (S-1-22-2) or an NFS group (S-1-5-88-2).
#[must_use]
pub fn gid_of(sid: &Sid) -> Option<u32> {
    [&Sid::UNIX_GROUPS, &Sid::NFS_GROUPS]
        .into_iter()
        .find_map(|parent| sid.rid_in(parent))
}

fn below(parent: &Sid, rid: u32) -> Sid {
    // Only a SID with 15 parts has no room; these parents have at most four.
    parent.with_rid(rid).unwrap_or(Sid::NULL)
}
