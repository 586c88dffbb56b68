//! When a written file shows a new write time ([MS-FSA] 2.1.5.4: the object store updates
//! LastWriteTime lazily).
//!
//! The host moves the time with every write; what clients see follows as on NTFS and Samba, because
//! programs compare times that they have read before. The first write shows after
//! [`crate::config::Limits::write_time_delay`], later ones when the open that wrote is closed. A
//! flush, a new size and a FileBasicInformation show at once what is outstanding. What is kept here
//! ends with the last open of the file, and a crash loses nothing: the medium has the true time.

use smb_proto::FileTime;

use super::{Core, File, FileKey, FileOpen, Timer};
use crate::table::Id;
use crate::time::{Instant, Now};
use crate::vfs::{DirItem, NodeId, VfsReply};

/// The write time of a file that is open, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WriteTime {
    /// Shown instead of what the backend says.
    shown: Option<FileTime>,
    /// What the backend said last, while that was shown.
    seen: Option<FileTime>,
    /// The first write has been shown: the others wait for a close.
    settled: bool,
    /// The last write that waits for a close.
    late: Option<Instant>,
}

impl WriteTime {
    /// The time to show when the backend says `host`.
    fn show(&mut self, host: FileTime) -> FileTime {
        self.shown.unwrap_or_else(|| {
            self.seen = Some(host);
            host
        })
    }

    /// Data was written. Says whether this write is to be shown after the delay.
    fn written(&mut self, now: Instant) -> bool {
        if self.shown.is_none() && !self.settled {
            self.shown = self.seen;
            return self.shown.is_some();
        }
        self.shown = self.shown.or(self.seen);
        self.late = Some(now);
        false
    }

    /// From now on the time of the last write is shown. Says when the last write was that nobody
    /// could see yet.
    fn settle(&mut self) -> Option<Instant> {
        self.shown = None;
        self.seen = None;
        self.settled = true;
        self.late.take()
    }
}

/// The row on which the write time of a file hangs: that of its unnamed stream.
fn row_of(core: &Core, node: NodeId) -> Option<Id<File>> {
    let key = FileKey { node, stream: None };
    core.file_by_key.get(&key).copied()
}

/// The write time to show of a file when the backend says `host`.
pub(crate) fn shown(core: &mut Core, node: NodeId, host: FileTime) -> FileTime {
    match row_of(core, node).and_then(|row| core.files.get_mut(row)) {
        Some(row) => row.write_time.show(host),
        None => host,
    }
}

/// An answer of the backend with the write times to show.
pub(crate) fn in_reply(core: &mut Core, mut reply: VfsReply) -> VfsReply {
    match &mut reply {
        VfsReply::Info(info) => info.write = shown(core, info.node, info.write),
        VfsReply::Listing(listing) => {
            for DirItem { info, .. } in &mut listing.items {
                info.write = shown(core, info.node, info.write);
            }
        }
        _ => {}
    }
    reply
}

/// Data of a file was changed through this open.
pub(super) fn written(core: &mut Core, now: Now, f: Id<File>) {
    let delay = core.config.limits.write_time_delay;
    let Some(row) = core.files.get_mut(f) else {
        return;
    };
    // The data of other streams have no write time.
    if delay.is_zero() || row.key.stream.is_some() {
        return;
    }
    if row.write_time.written(now.mono) {
        core.arm(Timer::WriteTime(f), now, delay);
    }
}

/// Shows what is outstanding of a file: it was flushed, or got a new size.
pub(crate) fn settle(core: &mut Core, node: NodeId) {
    if let Some(row) = row_of(core, node) {
        settle_row(core, row);
    }
}

/// As [`settle`]. Says when the last write was that nobody could see yet.
fn settle_row(core: &mut Core, id: Id<File>) -> Option<Instant> {
    core.timers.clear(Timer::WriteTime(id));
    core.files.get_mut(id)?.write_time.settle()
}

/// The delay after the first write is over.
pub(crate) fn due(core: &mut Core, id: Id<File>) {
    if let Some(row) = core.files.get_mut(id) {
        row.write_time.settle();
    }
}

/// The file has new content or a time of its client's choice: nothing is outstanding any more, and
/// the next write is a first one.
pub(crate) fn reset(core: &mut Core, node: NodeId) {
    if let Some(id) = row_of(core, node)
        && let Some(row) = core.files.get_mut(id)
    {
        row.write_time = WriteTime::default();
        core.timers.clear(Timer::WriteTime(id));
    }
}

/// An open is closed. What it has written is shown; the result is the write time that the file gets,
/// if its last write lies so far back that the close is what the client will see.
pub(super) fn closed(core: &mut Core, now: Now, f: &FileOpen) -> Option<FileTime> {
    if !f.wrote || f.at.stream.is_some() {
        return None;
    }
    let late = settle_row(core, f.file)?;
    let long_ago = now.mono - late >= core.config.limits.write_time_delay;
    (long_ago && f.frozen_write_time.is_none()).then_some(now.wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: FileTime = FileTime(1000);
    const B: FileTime = FileTime(2000);
    const C: FileTime = FileTime(3000);

    #[test]
    fn the_first_write_shows_after_the_delay() {
        let mut t = WriteTime::default();
        assert_eq!(t.show(A), A);
        assert!(t.written(Instant(5)));
        assert_eq!(t.show(B), A);
        assert_eq!(t.settle(), None);
        assert_eq!(t.show(B), B);
    }

    #[test]
    fn later_writes_wait_for_the_close() {
        let mut t = WriteTime::default();
        t.show(A);
        assert!(t.written(Instant(5)));
        t.settle();
        assert_eq!(t.show(B), B);
        assert!(!t.written(Instant(7)));
        assert_eq!(t.show(C), B);
        assert_eq!(t.settle(), Some(Instant(7)));
        assert_eq!(t.show(C), C);
    }

    #[test]
    fn what_nobody_saw_can_move_on() {
        let mut t = WriteTime::default();
        t.show(A);
        assert!(t.written(Instant(5)));
        // A second write during the delay waits with the first.
        assert!(!t.written(Instant(6)));
        assert_eq!(t.show(B), A);
        t.settle();
        assert!(!t.written(Instant(7)));
        assert_eq!(t.show(C), C);
    }
}
