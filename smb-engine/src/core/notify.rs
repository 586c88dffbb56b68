//! Telling watching opens what has changed ([MS-FSA] 2.1.4.1, [MS-SMB2] 3.3.5.19).

use smb_proto::info::notify::{Action, Change};
use smb_proto::msg::change_notify::CompletionFilter;

use super::{Core, File, Open, Wake, Watch, dir_lease};
use crate::config::BackendId;
use crate::dispatch;
use crate::table::Id;
use crate::time::Now;
use crate::vfs::{Location, SharePath};

/// Adds a change to every watch that wants it, and wakes who waits for one.
pub(crate) fn report(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    at: &Location,
    action: Action,
    filter: CompletionFilter,
) {
    report_all(core, now, backend, &[(at, action)], filter);
}

/// As [`report`], for changes that belong together (the two halves of a rename) and must reach a
/// waiting request in one answer.
pub(crate) fn report_all(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    changes: &[(&Location, Action)],
    filter: CompletionFilter,
) {
    let any = mutated!(core, NotifyUnasked);
    let watching: Vec<Id<Open>> = core.watching.iter().copied().collect();
    for id in watching {
        let mut wake = None;
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut)
            && f.backend == backend
            && f.snapshot.is_none()
            && let Some(watch) = &mut f.watch
            && (watch.filter.intersects(filter) || any)
        {
            for (at, action) in changes {
                if let Some(name) = name_for(&f.at.path, watch.recursive, at) {
                    watch.add(Change {
                        action: *action,
                        name,
                    });
                    wake = watch.waiting.front().copied();
                }
            }
        }
        if mutated!(core, NotifyLost) {
            continue;
        }
        if let Some(op) = wake {
            // The operation takes itself out of the list when it looks.
            dispatch::wake(core, now, op, Wake::Ready);
        }
    }
}

/// As [`report`] of something modified, for those watches only that do not get to see `known`.
pub(crate) fn report_unless(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    at: &Location,
    filter: CompletionFilter,
    known: CompletionFilter,
) {
    let watching: Vec<Id<Open>> = core.watching.iter().copied().collect();
    for id in watching {
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut)
            && f.backend == backend
            && f.snapshot.is_none()
            && let Some(watch) = &mut f.watch
            && watch.filter.intersects(filter)
            && !watch.filter.intersects(known)
            && let Some(name) = name_for(&f.at.path, watch.recursive, at)
        {
            watch.add(Change {
                action: Action::MODIFIED,
                name,
            });
            wake_first(core, now, id);
        }
    }
}

/// More has happened in the directories of a backend than the host could tell.
pub(crate) fn lost(core: &mut Core, now: Now, backend: BackendId) {
    let watching: Vec<Id<Open>> = core.watching.iter().copied().collect();
    for id in watching {
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut)
            && f.backend == backend
            && f.snapshot.is_none()
            && let Some(watch) = &mut f.watch
        {
            watch.lose();
            wake_first(core, now, id);
        }
    }
}

/// Lets the first who waits on an open look.
fn wake_first(core: &mut Core, now: Now, id: Id<Open>) {
    let watch = core.opens.get(id).and_then(Open::file);
    if let Some(op) = watch.and_then(|f| f.watch.as_ref()?.waiting.front().copied()) {
        dispatch::wake(core, now, op, Wake::Ready);
    }
}

/// Lets all who wait on an open look.
pub(crate) fn wake_all(core: &mut Core, now: Now, id: Id<Open>) {
    let watch = core.opens.get(id).and_then(Open::file);
    let waiting = watch
        .and_then(|f| f.watch.as_ref())
        .map(|w| w.waiting.clone());
    for op in waiting.into_iter().flatten() {
        dispatch::wake(core, now, op, Wake::Ready);
    }
}

/// Metadata or data of the file (or stream) at `at` changed. `filter` speaks of files; for a stream
/// it is turned into what streams have ([MS-FSA] 2.1.4.1, [MS-SMB2] 2.2.35).
pub(crate) fn modified(
    core: &mut Core,
    now: Now,
    backend: BackendId,
    at: &Location,
    filter: CompletionFilter,
) {
    if at.stream.is_none() {
        report(core, now, backend, at, Action::MODIFIED, filter);
        return;
    }
    use CompletionFilter as F;
    let mut of_stream = F::empty();
    of_stream.set(F::STREAM_SIZE, filter.contains(F::SIZE));
    of_stream.set(F::STREAM_WRITE, filter.contains(F::LAST_WRITE));
    report(core, now, backend, at, Action::MODIFIED_STREAM, of_stream);
    // Times, attributes, descriptors and EAs belong to the file.
    let of_file = filter.difference(F::SIZE | F::LAST_WRITE);
    if !of_file.is_empty() {
        let file = Location::from(at.path.clone());
        report(core, now, backend, &file, Action::MODIFIED, of_file);
    }
}

/// Data of an open file or stream has changed through this open: its closing will know, and watches
/// are told ([MS-FSA] 2.1.5.4).
pub(crate) fn data_written(core: &mut Core, now: Now, id: Id<Open>) {
    let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) else {
        return;
    };
    f.wrote = true;
    let (file, frozen) = (f.file, f.frozen_write_time.is_some());
    if !frozen {
        super::write_time::written(core, now, file);
    }
    // Who has a lease on the directory is told when the file is closed, as by Windows.
    tell(
        core,
        now,
        id,
        CompletionFilter::LAST_WRITE | CompletionFilter::SIZE,
    );
}

/// Something of what is open has changed through this open: watches are told, and who has a lease on
/// the directory.
pub(crate) fn changed(core: &mut Core, now: Now, id: Id<Open>, filter: CompletionFilter) {
    dir_lease::changed_through(core, now, id);
    tell(core, now, id, filter);
}

fn tell(core: &mut Core, now: Now, id: Id<Open>, filter: CompletionFilter) {
    if core.watching.is_empty() {
        return;
    }
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let (backend, at) = (f.backend, f.at.clone());
    modified(core, now, backend, &at, filter);
}

/// A directory became delete pending: whoever waits for changes in it is told
/// ([MS-FSA] 2.1.5.15.3; the operations find STATUS_DELETE_PENDING in the row).
pub(crate) fn directory_goes(core: &mut Core, now: Now, row: Id<File>) {
    let Some(r) = core.files.get(row) else { return };
    let waiting: Vec<_> = r
        .opens
        .iter()
        .filter_map(|o| core.opens.get(*o)?.file()?.watch.as_ref())
        .flat_map(|w| w.waiting.iter().copied())
        .collect();
    for op in waiting {
        dispatch::wake(core, now, op, Wake::Ready);
    }
}

/// Gives an open a watch. It stays as it is for the life of the open.
pub(crate) fn watch(core: &mut Core, id: Id<Open>, watch: Watch) {
    if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) {
        f.watch = Some(watch);
        core.watching.insert(id);
    }
}

/// The name under which a watch of `dir` sees a change at `at`; `None` if it does not see it.
fn name_for(dir: &SharePath, recursive: bool, at: &Location) -> Option<String> {
    let rest = at.path.beneath(dir)?;
    if rest.is_empty() || (!recursive && rest.contains('\\')) {
        return None;
    }
    Some(match &at.stream {
        Some(stream) => format!("{rest}:{stream}"),
        None => rest.to_owned(),
    })
}

/// Whether an open watches something; used by the cross-table checks.
pub(crate) fn watches(core: &Core, id: Id<Open>) -> bool {
    core.opens
        .get(id)
        .and_then(Open::file)
        .is_some_and(|f| f.watch.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SharePath {
        SharePath::new(text).unwrap()
    }

    #[test]
    fn names_are_relative_to_the_watched_directory() {
        let at = |text: &str| Location::from(path(text));
        let see = |dir: &str, recursive, name: &str| name_for(&path(dir), recursive, &at(name));
        assert_eq!(see("d", false, "D\\x").as_deref(), Some("x"));
        assert_eq!(see("", false, "x").as_deref(), Some("x"));
        assert_eq!(see("d", true, "d\\a\\b").as_deref(), Some("a\\b"));
        assert_eq!(see("d", false, "d\\a\\b"), None);
        // Not the directory itself, nor what lies beside it.
        assert_eq!(see("d", true, "d"), None);
        assert_eq!(see("d", true, "dx\\a"), None);
        let stream = Location {
            path: path("d\\x"),
            stream: Some("s".to_owned()),
        };
        assert_eq!(name_for(&path("d"), false, &stream).as_deref(), Some("x:s"));
    }
}
