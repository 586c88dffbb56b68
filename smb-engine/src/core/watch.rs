//! Change notification of one directory open, [MS-FSA] 2.1.1.5.

use std::collections::VecDeque;

use smb_proto::info::notify::Change;
use smb_proto::msg::change_notify::CompletionFilter;

use super::Op;
use crate::table::Id;

/// What a directory open wants to know, and what happened since it last asked.
#[derive(Debug)]
pub(crate) struct Watch {
    /// CompletionFilter of the first request; fixed for the life of the open.
    pub(crate) filter: CompletionFilter,
    /// SMB2_WATCH_TREE of the first request.
    pub(crate) recursive: bool,
    /// Changes that no request has taken yet.
    pub(crate) changes: Vec<Change>,
    /// Bytes that [`Self::changes`] takes in an answer.
    pub(crate) bytes: usize,
    /// Most of them that are kept: as much as the first request had room for, as on Windows.
    pub(crate) max: usize,
    /// More happened than is kept: the next answer is STATUS_NOTIFY_ENUM_DIR.
    pub(crate) overflowed: bool,
    /// The directory has been removed by somebody who does not come through this server.
    pub(crate) gone: bool,
    /// CHANGE_NOTIFY requests that wait, first come first served.
    pub(crate) waiting: VecDeque<Id<Op>>,
}

impl Watch {
    /// A watch that has seen nothing yet.
    pub(crate) fn new(filter: CompletionFilter, recursive: bool, max: usize) -> Self {
        Self {
            filter,
            recursive,
            max,
            changes: Vec::new(),
            bytes: 0,
            overflowed: false,
            gone: false,
            waiting: VecDeque::new(),
        }
    }

    /// What happened since the last request; `None` if it was more than is kept.
    pub(crate) fn take(&mut self) -> Option<Vec<Change>> {
        self.bytes = 0;
        let changes = std::mem::take(&mut self.changes);
        (!std::mem::replace(&mut self.overflowed, false)).then_some(changes)
    }

    /// More has happened than can be told.
    pub(crate) fn lose(&mut self) {
        self.overflowed = true;
        self.changes.clear();
        self.bytes = 0;
    }

    /// Whether a request would be answered at once.
    pub(crate) fn has_news(&self) -> bool {
        self.overflowed || !self.changes.is_empty()
    }

    /// Keeps a change for the next request, or notes that there were too many.
    pub(crate) fn add(&mut self, entry: Change) {
        if self.overflowed {
            return;
        }
        let bytes = self
            .bytes
            .checked_next_multiple_of(4)
            .unwrap_or(usize::MAX)
            .saturating_add(entry.encoded_len());
        if bytes > self.max {
            self.lose();
            return;
        }
        self.bytes = bytes;
        self.changes.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::info::notify::Action;

    fn change(name: &str) -> Change {
        Change {
            action: Action::ADDED,
            name: name.to_owned(),
        }
    }

    #[test]
    fn keeps_changes_up_to_a_bound() {
        // 12 + 4 bytes each.
        let mut w = Watch::new(CompletionFilter::FILE_NAME, false, 32);
        assert!(!w.has_news());
        w.add(change("ab"));
        w.add(change("cd"));
        assert_eq!(w.take().map(|c| c.len()), Some(2));
        assert!(!w.has_news());
        for _ in 0..3 {
            w.add(change("ab"));
        }
        assert!(w.has_news());
        assert_eq!(w.take(), None);
        w.add(change("ab"));
        assert_eq!(w.take(), Some(vec![change("ab")]));
    }
}
