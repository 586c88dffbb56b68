//! Leases on directories: what a client caches of a listing, and who may change the entries without
//! its being told ([MS-SMB2] 3.3.1.4, [MS-FSA] 2.1.4.12 with PARENT_OBJECT, 2.1.4.12.2).
//!
//! A directory knows nothing of its entries in the tables, so leases on directories are found by the
//! directory's name, which follows renames.

use std::collections::{BTreeMap, BTreeSet};

use super::breaks;
use super::lease::{Lease, LeaseOwner};
use super::{Core, Open};
use crate::config::BackendId;
use crate::names::fold;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{Location, SharePath};

/// Which directory: its folded name.
pub(crate) type Place = (BackendId, String);

/// The leases on each directory.
pub(crate) type Places = BTreeMap<Place, BTreeSet<Id<Lease>>>;

fn place(backend: BackendId, path: &SharePath) -> Place {
    (backend, fold(path.as_str()))
}

/// Where the directory of a lease is now: as one of its opens has it. `None` for what never changes.
fn place_of(core: &Core, opens: &[Id<Open>]) -> Option<Place> {
    let file = opens.iter().find_map(|o| core.opens.get(*o)?.file())?;
    let changes = file.directory && file.snapshot.is_none();
    changes.then(|| place(file.backend, &file.at.path))
}

/// A lease has its first open, or its directory has a new name.
pub(crate) fn enter(core: &mut Core, id: Id<Lease>) {
    let Some(lease) = core.leases.get(id) else {
        return;
    };
    let place = place_of(core, &lease.opens);
    leave(core, id);
    if let Some(lease) = core.leases.get_mut(id) {
        lease.place.clone_from(&place);
    }
    if let Some(place) = place {
        core.dir_leases.entry(place).or_default().insert(id);
    }
}

/// A lease is about to end.
pub(crate) fn leave(core: &mut Core, id: Id<Lease>) {
    let Some(place) = core.leases.get_mut(id).and_then(|l| l.place.take()) else {
        return;
    };
    if let Some(leases) = core.dir_leases.get_mut(&place) {
        leases.remove(&id);
        if leases.is_empty() {
            core.dir_leases.remove(&place);
        }
    }
}

/// A directory has a new name, and with it all that is beneath.
pub(crate) fn moved(core: &mut Core) {
    let all: Vec<_> = core.dir_leases.values().flatten().copied().collect();
    for id in all {
        enter(core, id);
    }
}

/// The entry of this name has come, gone or changed in what listings show. `by` names the lease on the
/// directory that whoever did this has itself: that one stays.
pub(crate) fn entry_changed(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    at: &Location,
    by: Option<LeaseOwner>,
) {
    if core.dir_leases.is_empty() {
        return;
    }
    let Some(directory) = at.path.parent() else {
        return;
    };
    let leases = core.dir_leases.get(&place(backend, &directory));
    let leases: Vec<_> = leases.into_iter().flatten().copied().collect();
    for id in leases {
        let owner = core.leases.get(id).map(|l| l.owner);
        if owner.is_some() && owner != by {
            breaks::listing_changed(core, now, id);
        }
    }
}

/// Nobody knows what has changed in the directories of a backend.
pub(crate) fn all_changed(core: &mut Core, now: Now, backend: BackendId) {
    let places = core.dir_leases.iter().filter(|((b, _), _)| *b == backend);
    let leases: Vec<_> = places.flat_map(|(_, leases)| leases).copied().collect();
    for id in leases {
        breaks::listing_changed(core, now, id);
    }
}

/// What is open here has changed in what listings show, through this open.
pub(crate) fn changed_through(core: &mut Core, now: Now, id: Id<Open>) {
    if core.dir_leases.is_empty() {
        return;
    }
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let (backend, at, by) = (f.backend, f.at.clone(), f.parent_lease);
    entry_changed(core, now, backend, &at, by);
}

/// Whether the names under which leases on directories are found are right; for the cross-table
/// checks.
pub(crate) fn agree(core: &Core) -> bool {
    let listed: usize = core.dir_leases.values().map(BTreeSet::len).sum();
    let on_directories = core.leases.iter().filter(|(_, l)| l.place.is_some());
    listed == on_directories.count()
        && core.leases.iter().all(|(id, l)| {
            let found = l.place.as_ref().and_then(|p| core.dir_leases.get(p));
            l.place == place_of(core, &l.opens)
                && (l.place.is_none() || found.is_some_and(|leases| leases.contains(&id)))
        })
}
