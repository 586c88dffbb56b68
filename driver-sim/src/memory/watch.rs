//! Telling what happens in watched directories.

use smb_engine::vfs::{Outside, SharePath, VfsError, VfsHandle, VfsOp, VfsReply, VfsResult};

use super::{MemoryFs, ROOT, State};

/// What an operation will have done, if it goes well.
pub(super) enum Doing {
    /// One of these, whose name is known.
    Named(Outside),
    /// A change of data.
    Writes(VfsHandle),
    /// A change of something else.
    Touches(VfsHandle),
}

impl MemoryFs {
    /// What has happened in watched directories since this was last asked.
    #[must_use]
    pub fn take_outside(&self) -> Vec<Outside> {
        std::mem::take(&mut self.state().told)
    }
}

impl State {
    pub(super) fn watch(&mut self, handle: VfsHandle, recursive: bool) -> VfsResult {
        if !self.node_of(handle)?.is_directory() {
            return Err(VfsError::NotADirectory);
        }
        self.watches.insert(handle.0, recursive);
        Ok(VfsReply::Done)
    }

    /// What is to be told of an operation; asked before it is carried out.
    pub(super) fn doing(&self, op: &VfsOp) -> Option<Doing> {
        if self.watches.is_empty() || !op.is_change() {
            return None;
        }
        let is_directory = |handle| self.node_of(handle).is_ok_and(|n| n.is_directory());
        Some(match op {
            VfsOp::Create { at, .. } if at.stream.is_some() => Doing::Named(Outside::Touched {
                at: at.path.clone(),
            }),
            VfsOp::Create { at, what } => Doing::Named(Outside::Added {
                at: at.path.clone(),
                directory: what.directory,
            }),
            VfsOp::Remove { at, handle } if at.stream.is_none() => Doing::Named(Outside::Removed {
                at: at.path.clone(),
                directory: is_directory(*handle),
            }),
            VfsOp::Rename {
                from, to, handle, ..
            } if from.stream.is_none() => Doing::Named(Outside::Renamed {
                from: from.path.clone(),
                to: to.path.clone(),
                directory: is_directory(*handle),
            }),
            VfsOp::Link { to, .. } => Doing::Named(Outside::Added {
                at: to.clone(),
                directory: false,
            }),
            VfsOp::Write { handle, .. }
            | VfsOp::Overwrite { handle, .. }
            | VfsOp::SetSize { handle, .. }
            | VfsOp::SetAllocation { handle, .. }
            | VfsOp::CopyRange { to: handle, .. }
            | VfsOp::Trim { handle, .. }
            | VfsOp::ZeroRange { handle, .. } => Doing::Writes(*handle),
            VfsOp::SetBasic { handle, .. }
            | VfsOp::Rename { handle, .. }
            | VfsOp::Remove { handle, .. }
            | VfsOp::SetEas { handle, .. }
            | VfsOp::SetSecurity { handle, .. }
            | VfsOp::SetSparse { handle, .. }
            | VfsOp::SetCompression { handle, .. }
            | VfsOp::SetReparse { handle, .. }
            | VfsOp::DeleteReparse { handle, .. } => Doing::Touches(*handle),
            _ => return None,
        })
    }

    /// The operation went well.
    pub(super) fn done(&mut self, doing: Doing) {
        let what = match doing {
            Doing::Named(what) => Some(what),
            Doing::Writes(handle) => self.open_name(handle).map(|at| Outside::Written { at }),
            Doing::Touches(handle) => self.open_name(handle).map(|at| Outside::Touched { at }),
        };
        if let Some(what) = what {
            self.tell(what);
        }
    }

    /// Tells it to whoever watches there.
    pub(super) fn tell(&mut self, what: Outside) {
        let seen = |at: &SharePath| {
            self.watches.iter().any(|(handle, recursive)| {
                let dir = self.open_name(VfsHandle(*handle));
                let rest = dir.as_ref().and_then(|dir| at.beneath(dir));
                rest.is_some_and(|rest| *recursive || !rest.contains('\\'))
            })
        };
        let told = match &what {
            Outside::Added { at, .. }
            | Outside::Removed { at, .. }
            | Outside::Written { at }
            | Outside::Touched { at } => seen(at),
            Outside::Renamed { from, to, .. } => seen(from) || seen(to),
            Outside::Lost => true,
        } || self.is_watched_itself(&what);
        if told {
            self.told.push(what);
        }
    }

    /// A directory that was removed has no name any more by which it could be found.
    fn is_watched_itself(&self, what: &Outside) -> bool {
        matches!(
            what,
            Outside::Removed {
                directory: true,
                ..
            }
        )
    }

    /// A name of what is open.
    fn open_name(&self, handle: VfsHandle) -> Option<SharePath> {
        let node = self.handle(handle).ok()?.node;
        self.name_beneath(ROOT, &SharePath::root(), node)
    }

    fn name_beneath(&self, dir: u64, at: &SharePath, wanted: u64) -> Option<SharePath> {
        if dir == wanted {
            return Some(at.clone());
        }
        let entries = self.nodes.get(&dir)?.entries.as_ref()?;
        entries
            .values()
            .find_map(|e| self.name_beneath(e.node, &at.join(&e.name)?, wanted))
    }
}
