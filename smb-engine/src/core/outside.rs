//! What other programs do to the files of a share ([`Outside`]).

use smb_proto::info::notify::Action;
use smb_proto::msg::change_notify::CompletionFilter;

use super::own::OwnChange;
use super::{Core, Open, dir_lease, notify, rename};
use crate::config::BackendId;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{Location, Outside, SharePath};

/// The host has told this; an operation may have done it.
pub(crate) fn happened(core: &mut Core, now: Now, backend: BackendId, what: Outside) {
    let mut what = Some(what);
    for id in core.ops.ids() {
        let Some(op) = core.ops.get(id) else { continue };
        let Some(own) = op.own.as_ref().filter(|own| own.backend == backend) else {
            continue;
        };
        let open = own.by_open(op.open).and_then(|open| core.opens.get(open));
        let open = open.and_then(Open::file).map(|f| f.at.path.clone());
        let Some(own) = core.ops.get_mut(id).and_then(|op| op.own.as_mut()) else {
            continue;
        };
        let Some(w) = what.take() else { return };
        what = OwnChange::keep(own, w, open.as_ref());
    }
    tell(core, now, what.map(|w| (backend, w)));
}

/// Tells watchers what others have done.
pub(crate) fn tell(core: &mut Core, now: Now, all: impl IntoIterator<Item = (BackendId, Outside)>) {
    for (backend, what) in all {
        tell_one(core, now, backend, what);
    }
}

/// Nobody who has a lease on a directory has done this.
fn listings_change(core: &mut Core, now: Now, backend: BackendId, what: &Outside) {
    match what {
        Outside::Added { at, .. }
        | Outside::Removed { at, .. }
        | Outside::Written { at }
        | Outside::Touched { at } => {
            dir_lease::entry_changed(core, now, backend, &Location::from(at.clone()), None);
        }
        Outside::Renamed { from, to, .. } => {
            for at in [from, to] {
                dir_lease::entry_changed(core, now, backend, &Location::from(at.clone()), None);
            }
        }
        Outside::Lost => dir_lease::all_changed(core, now, backend),
    }
}

fn tell_one(core: &mut Core, now: Now, backend: BackendId, what: Outside) {
    use CompletionFilter as F;
    listings_change(core, now, backend, &what);
    let name = |directory| if directory { F::DIR_NAME } else { F::FILE_NAME };
    match what {
        Outside::Added { at, directory } => {
            let at = Location::from(at);
            notify::report(core, now, backend, &at, Action::ADDED, name(directory));
        }
        Outside::Removed { at, directory } => {
            let gone = Location::from(at);
            notify::report(core, now, backend, &gone, Action::REMOVED, name(directory));
            if directory {
                watched_directory_gone(core, now, backend, &gone.path);
            }
        }
        Outside::Renamed {
            from,
            to,
            directory,
        } => {
            let (from, to) = (Location::from(from), Location::from(to));
            rename::take_along(core, backend, &from, &to, directory);
            rename::tell(core, now, backend, (&from, &to), directory);
        }
        Outside::Written { at } => {
            let filter = F::LAST_WRITE | F::SIZE;
            notify::modified(core, now, backend, &Location::from(at), filter);
        }
        Outside::Touched { at } => {
            let filter =
                F::ATTRIBUTES | F::LAST_WRITE | F::LAST_ACCESS | F::CREATION | F::EA | F::SECURITY;
            notify::modified(core, now, backend, &Location::from(at), filter);
        }
        Outside::Lost => notify::lost(core, now, backend),
    }
}

/// A directory has been removed: whoever waits for changes in it waits no longer.
fn watched_directory_gone(core: &mut Core, now: Now, backend: BackendId, at: &SharePath) {
    let watching: Vec<Id<Open>> = core.watching.iter().copied().collect();
    for id in watching {
        let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) else {
            continue;
        };
        if f.backend == backend
            && f.snapshot.is_none()
            && f.at.path.beneath(at) == Some("")
            && let Some(watch) = &mut f.watch
        {
            watch.gone = true;
            notify::wake_all(core, now, id);
        }
    }
}
