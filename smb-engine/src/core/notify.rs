//! Telling watching opens what has changed ([MS-FSA] 2.1.4.1, [MS-SMB2] 3.3.5.19).

use smb_proto::info::notify::{Action, Change};
use smb_proto::msg::change_notify::CompletionFilter;

use super::{Core, Open};
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
    let max = core.config.limits.max_notify_bytes;
    for id in core.opens.ids() {
        let mut wake = None;
        if let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut)
            && f.backend == backend
            && let Some(watch) = &mut f.watch
            && watch.filter.intersects(filter)
        {
            for (at, action) in changes {
                if let Some(name) = name_for(&f.at.path, watch.recursive, at) {
                    watch.add(
                        Change {
                            action: *action,
                            name,
                        },
                        max,
                    );
                    wake = watch.waiting.front().copied();
                }
            }
        }
        if let Some(op) = wake {
            // The operation takes itself out of the list when it looks.
            dispatch::wake(core, now, op, super::Wake::Ready);
        }
    }
}

/// Data of an open file or stream has changed through this open: its closing will know, and watches
/// are told ([MS-FSA] 2.1.5.4).
pub(crate) fn data_written(core: &mut Core, now: Now, id: Id<Open>) {
    let Some(f) = core.opens.get_mut(id).and_then(Open::file_mut) else {
        return;
    };
    f.wrote = true;
    let filter = match f.at.stream {
        Some(_) => CompletionFilter::STREAM_WRITE | CompletionFilter::STREAM_SIZE,
        None => CompletionFilter::LAST_WRITE | CompletionFilter::SIZE,
    };
    changed(core, now, id, filter);
}

/// Something of what is open has changed through this open: watches are told.
pub(crate) fn changed(core: &mut Core, now: Now, id: Id<Open>, filter: CompletionFilter) {
    let Some(f) = core.opens.get(id).and_then(Open::file) else {
        return;
    };
    let backend = f.backend;
    if !watched(core, backend) {
        return;
    }
    let at = f.at.clone();
    let action = match at.stream {
        Some(_) => Action::MODIFIED_STREAM,
        None => Action::MODIFIED,
    };
    report(core, now, backend, &at, action, filter);
}

/// Whether anybody watches anything on a backend: what WRITE asks before it names the change.
fn watched(core: &Core, backend: BackendId) -> bool {
    core.opens
        .iter()
        .filter_map(|(_, o)| o.file())
        .any(|f| f.backend == backend && f.watch.is_some())
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
