//! What a new name means for everybody who has the file, or a directory of its path, open:
//! [MS-FSA] 2.1.5.15.11.

use std::collections::BTreeSet;

use smb_proto::dtyp::AccessMask;
use smb_proto::info::notify::Action;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::ShareAccess;

use super::caching::Contention;
use super::share_mode::{Claim, Kin, SHARED, compatible};
use super::{Core, File, FileOpen, Open, breaks, dir_lease, notify, persistent};
use crate::config::BackendId;
use crate::names::same_name;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{Location, NodeId, SharePath};

/// Whether an open other than `id` of the same row does not share deletion, which includes a change
/// of the name.
pub(crate) fn held_by_others(core: &Core, id: Id<Open>, row: Id<File>) -> bool {
    core.files.get(row).is_some_and(|r| {
        r.opens
            .iter()
            .filter(|o| **o != id)
            .filter_map(|o| core.opens.get(*o))
            .any(|o| o.granted.intersects(SHARED) && !shares_delete(o))
    })
}

/// Whether somebody other than `id` has a directory open in a way that forbids a new name in it.
/// Windows opens the directory of the new name for adding to it, sharing reading and writing, and
/// these opens conflict with that: who could delete the directory, or does not let others write.
pub(crate) fn directory_held(core: &Core, id: Id<Open>, directory: NodeId) -> bool {
    let adding = Claim {
        access: AccessMask::FILE_ADD_FILE,
        share: ShareAccess::READ | ShareAccess::WRITE,
    };
    core.rows_of(directory)
        .iter()
        .filter_map(|r| core.files.get(*r))
        .flat_map(|r| &r.opens)
        .filter(|o| **o != id)
        .filter_map(|o| core.opens.get(*o))
        .filter_map(|o| {
            Some(Claim {
                access: o.granted,
                share: o.file()?.share,
            })
        })
        .any(|held| !compatible(adding, held, Kin::Same))
}

fn shares_delete(open: &Open) -> bool {
    open.file()
        .is_some_and(|f| f.share.contains(ShareAccess::DELETE))
}

/// The rows of all that is open beneath a directory.
pub(crate) fn rows_beneath(core: &Core, directory: &FileOpen) -> BTreeSet<Id<File>> {
    let opens = core.opens.iter().filter_map(|(_, o)| o.file());
    let beneath = opens.filter(|f| is_beneath(f, directory));
    beneath.map(|f| f.file).collect()
}

/// A directory of this name has a new one soon: handles that others cache of what is beneath have to be
/// closed first ([MS-FSA] 2.1.4.2). A row in which that has to be waited for, if any.
pub(crate) fn ask_for_handles_beneath(
    core: &mut Core,
    now: Now,
    open: Id<Open>,
) -> Option<Id<File>> {
    let f = core.opens.get(open)?.file()?;
    if !f.directory || f.at.stream.is_some() {
        return None;
    }
    let rows = rows_beneath(core, f);
    let by = breaks::by(core, open);
    let mut first = None;
    for row in rows {
        if breaks::contend(core, now, row, by, Contention::Name) {
            first = first.or(Some(row));
        }
    }
    first
}

/// Whether something beneath a directory is open.
pub(crate) fn in_use_beneath(core: &Core, directory: &FileOpen) -> bool {
    core.opens
        .iter()
        .filter_map(|(_, o)| o.file())
        .any(|f| is_beneath(f, directory))
}

fn is_beneath(f: &FileOpen, directory: &FileOpen) -> bool {
    let rest = f.at.path.beneath(&directory.at.path);
    f.backend == directory.backend
        && f.snapshot.is_none()
        && rest.is_some_and(|rest| !rest.is_empty())
}

/// The file of an open has a new name: everybody who has it open under the old one is taken along,
/// and watchers are told.
pub(crate) fn renamed(core: &mut Core, now: Now, id: Id<Open>, to: &Location) {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let (backend, node, directory) = (f.backend, f.node, f.directory);
    let (from, by) = (f.at.clone(), f.parent_lease);
    take_along(core, backend, &from, to, directory);
    dir_lease::entry_changed(core, now, backend, &from, by);
    dir_lease::entry_changed(core, now, backend, to, by);
    for row in core.rows_of(node) {
        if let Some(pending) = core
            .files
            .get_mut(row)
            .and_then(|r| r.delete_pending.as_mut())
        {
            moved(&mut pending.at, &from, to, directory);
        }
    }
    tell(core, now, backend, (&from, to), directory);
}

/// Whoever has something open at or beneath a name has it open under the new one.
pub(crate) fn take_along(
    core: &mut Core,
    backend: BackendId,
    from: &Location,
    to: &Location,
    directory: bool,
) {
    for other in core.opens.ids() {
        if let Some(o) = core.opens.get_mut(other).and_then(Open::file_mut)
            && o.backend == backend
            && o.snapshot.is_none()
        {
            let before = o.at.clone();
            moved(&mut o.at, from, to, directory);
            if o.at != before {
                persistent::changed(core, other);
            }
        }
    }
    if directory {
        dir_lease::moved(core);
    }
}

/// Tells watchers that one name has become another.
pub(crate) fn tell(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    (from, to): (&Location, &Location),
    directory: bool,
) {
    let same_directory = match (from.path.parent(), to.path.parent()) {
        (Some(a), Some(b)) => same_name(a.as_str(), b.as_str()),
        _ => false,
    };
    let filter = name_filter(to, directory);
    let (gone, come) = match (&to.stream, same_directory) {
        (Some(_), _) => (Action::REMOVED_STREAM, Action::ADDED_STREAM),
        (None, true) => (Action::RENAMED_OLD_NAME, Action::RENAMED_NEW_NAME),
        (None, false) => (Action::REMOVED, Action::ADDED),
    };
    notify::report_all(core, now, backend, &[(from, gone), (to, come)], filter);
    if to.stream.is_none() && !directory {
        // A file that is renamed is to be archived anew, which is a change of its attributes; Windows
        // tells whoever watches those, or creation times.
        let filter = CompletionFilter::ATTRIBUTES | CompletionFilter::CREATION;
        notify::report_unless(core, now, backend, to, filter, name_filter(to, directory));
    }
}

/// The file of an open has a further name.
pub(crate) fn linked(core: &mut Core, now: Now, id: Id<Open>, to: &Location) {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let (backend, by) = (f.backend, f.parent_lease);
    dir_lease::entry_changed(core, now, backend, to, by);
    notify::report(
        core,
        now,
        backend,
        to,
        Action::ADDED,
        CompletionFilter::FILE_NAME,
    );
}

/// The file that had the new name before is gone.
pub(crate) fn replaced(core: &mut Core, now: Now, id: Id<Open>, at: &Location) {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let backend = f.backend;
    notify::report(
        core,
        now,
        backend,
        at,
        Action::REMOVED,
        CompletionFilter::FILE_NAME,
    );
}

fn name_filter(at: &Location, directory: bool) -> CompletionFilter {
    match (&at.stream, directory) {
        (Some(_), _) => CompletionFilter::STREAM_NAME,
        (None, true) => CompletionFilter::DIR_NAME,
        (None, false) => CompletionFilter::FILE_NAME,
    }
}

/// Follows one rename: of a stream, of a file with its streams, of a directory with what is in it.
fn moved(at: &mut Location, from: &Location, to: &Location, directory: bool) {
    let Some(rest) = at.path.beneath(&from.path) else {
        return;
    };
    if let Some(stream) = &from.stream {
        let same = at.stream.as_ref().is_some_and(|s| same_name(s, stream));
        if rest.is_empty() && same {
            at.stream = to.stream.clone();
        }
        return;
    }
    if rest.is_empty() {
        at.path = to.path.clone();
    } else if directory && let Some(path) = SharePath::new(&format!("{}\\{rest}", to.path)) {
        at.path = path;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, stream: Option<&str>) -> Location {
        Location {
            path: SharePath::new(path).unwrap(),
            stream: stream.map(str::to_owned),
        }
    }

    fn after(mut it: Location, from: &Location, to: &Location, directory: bool) -> Location {
        moved(&mut it, from, to, directory);
        it
    }

    #[test]
    fn names_follow_renames() {
        let (from, to) = (at("a\\b", None), at("c\\d", None));
        assert_eq!(after(at("A\\B", None), &from, &to, false), to);
        assert_eq!(
            after(at("a\\b", Some("s")), &from, &to, false),
            at("c\\d", Some("s"))
        );
        assert_eq!(
            after(at("a\\b\\x\\y", Some("s")), &from, &to, true),
            at("c\\d\\x\\y", Some("s"))
        );
        for other in [at("a", None), at("a\\bc", None), at("x", Some("s"))] {
            assert_eq!(after(other.clone(), &from, &to, true), other);
        }
    }

    #[test]
    fn streams_are_renamed_alone() {
        let (from, to) = (at("a", Some("S")), at("a", Some("t")));
        assert_eq!(after(at("a", Some("s")), &from, &to, false), to);
        for other in [at("a", None), at("a", Some("u")), at("a\\b", Some("s"))] {
            assert_eq!(after(other.clone(), &from, &to, false), other);
        }
    }
}
