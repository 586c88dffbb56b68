//! Telling the server's own doing from that of others.
//!
//! Hosts tell of every change in a watched directory, whoever made it ([`Outside`]). The server tells
//! its watchers of its own changes itself, when they are done and with all that it knows about them.
//! So what the host tells about a name while the backend works on that name is kept until the answer
//! is there: it is the operation's own effect if the operation went well and could have that effect.

use crate::config::BackendId;
use crate::names::same_name;
use crate::table::Id;
use crate::vfs::{Outside, SharePath, VfsOp};

use super::Open;

/// What a backend is doing to names, and what the host has told about them meanwhile.
#[derive(Debug)]
pub(crate) struct OwnChange {
    pub(crate) backend: BackendId,
    what: What,
    kept: Vec<Kept>,
}

#[derive(Debug)]
enum What {
    /// A name comes.
    Adds(SharePath),
    /// A name goes.
    Removes(SharePath),
    /// A name becomes another.
    Moves(SharePath, SharePath),
    /// What the operation's open names changes.
    Changes,
}

#[derive(Debug)]
struct Kept {
    what: Outside,
    /// The operation can have done this.
    own: bool,
}

fn same(a: &SharePath, b: &SharePath) -> bool {
    same_name(a.as_str(), b.as_str())
}

impl OwnChange {
    /// What `op` does; `None` if it changes nothing.
    pub(crate) fn of(backend: BackendId, op: &VfsOp) -> Option<Self> {
        if !op.is_change() {
            return None;
        }
        let what = match op {
            VfsOp::Create { at, .. } if at.stream.is_none() => What::Adds(at.path.clone()),
            VfsOp::Remove { at, .. } if at.stream.is_none() => What::Removes(at.path.clone()),
            VfsOp::Link { to, .. } => What::Adds(to.clone()),
            VfsOp::Rename { from, to, .. } if from.stream.is_none() => {
                What::Moves(from.path.clone(), to.path.clone())
            }
            // A stream is a change of its file.
            VfsOp::Create { at, .. } | VfsOp::Remove { at, .. } => {
                What::Moves(at.path.clone(), at.path.clone())
            }
            _ => What::Changes,
        };
        Some(Self {
            backend,
            what,
            kept: Vec::new(),
        })
    }

    /// The open whose name decides, if it is not the operation that names what it changes.
    pub(crate) fn by_open(&self, open: Option<Id<Open>>) -> Option<Id<Open>> {
        match self.what {
            What::Changes => open,
            What::Adds(_) | What::Removes(_) | What::Moves(..) => None,
        }
    }

    /// Keeps `what` until the operation is done, if it concerns a name that the operation works on;
    /// else gives it back. `open`: the present name of what the operation has open.
    pub(crate) fn keep(&mut self, what: Outside, open: Option<&SharePath>) -> Option<Outside> {
        let mine = |path: &SharePath| match &self.what {
            What::Adds(at) | What::Removes(at) => same(path, at),
            What::Moves(from, to) => same(path, from) || same(path, to),
            What::Changes => open.is_some_and(|at| same(path, at)),
        };
        let concerned = match &what {
            Outside::Added { at, .. }
            | Outside::Removed { at, .. }
            | Outside::Written { at }
            | Outside::Touched { at } => mine(at),
            Outside::Renamed { from, to, .. } => mine(from) || mine(to),
            Outside::Lost => false,
        };
        if !concerned {
            return Some(what);
        }
        // Once something else has happened to the name, all that follows came after.
        let own = self.kept.iter().all(|k| k.own) && self.explains(&what);
        if own || !self.kept.is_empty() {
            self.kept.push(Kept { what, own });
            return None;
        }
        Some(what)
    }

    /// Whether the operation can have done this to a name of its own.
    fn explains(&self, what: &Outside) -> bool {
        match (what, &self.what) {
            (Outside::Written { .. } | Outside::Touched { .. }, _) | (_, What::Changes) => true,
            (Outside::Added { at, .. }, What::Adds(name) | What::Moves(_, name)) => same(at, name),
            (Outside::Removed { .. }, What::Removes(_) | What::Moves(..)) => true,
            (Outside::Renamed { from, to, .. }, What::Moves(old, new)) => {
                same(from, old) && same(to, new)
            }
            (Outside::Renamed { to, .. }, What::Adds(name)) => same(to, name),
            _ => false,
        }
    }

    /// The operation is done: what others did before it, and what they did after it.
    pub(crate) fn settle(self, failed: bool) -> Settled {
        let backend = self.backend;
        let what = self.kept.into_iter();
        let others: Vec<_> = what
            .filter(|k| failed || !k.own)
            .map(|k| (backend, k.what))
            .collect();
        if failed {
            (others, Vec::new())
        } else {
            (Vec::new(), others)
        }
    }
}

/// What others did before an operation, and what they did after it.
pub(crate) type Settled = (Vec<(BackendId, Outside)>, Vec<(BackendId, Outside)>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{Creation, Location};
    use smb_proto::info::FileAttributes;

    fn path(text: &str) -> SharePath {
        SharePath::new(text).unwrap()
    }

    fn added(at: &str) -> Outside {
        Outside::Added {
            at: path(at),
            directory: false,
        }
    }

    fn removed(at: &str) -> Outside {
        Outside::Removed {
            at: path(at),
            directory: false,
        }
    }

    fn creation(at: &str) -> OwnChange {
        let what = Creation {
            directory: false,
            attributes: FileAttributes::empty(),
            security: None,
            eas: Vec::new(),
            allocation: 0,
        };
        let at = Location::from(path(at));
        OwnChange::of(BackendId(3), &VfsOp::Create { at, what }).unwrap()
    }

    #[test]
    fn what_it_does_itself_is_not_told_again() {
        let mut own = creation("d\\X");
        assert_eq!(own.keep(added("d\\x"), None), None);
        let touched = Outside::Touched { at: path("d\\x") };
        assert_eq!(own.keep(touched, None), None);
        assert_eq!(own.keep(added("d\\y"), None), Some(added("d\\y")));
        assert_eq!(own.settle(false), (vec![], vec![]));
    }

    #[test]
    fn what_fails_was_done_by_another() {
        let mut own = creation("x");
        assert_eq!(own.keep(added("x"), None), None);
        assert_eq!(own.settle(true), (vec![(BackendId(3), added("x"))], vec![]));
    }

    #[test]
    fn what_comes_after_stays_after() {
        let mut own = creation("x");
        for what in [added("x"), removed("x"), added("x")] {
            assert_eq!(own.keep(what, None), None);
        }
        let later = [removed("x"), added("x")].map(|w| (BackendId(3), w));
        assert_eq!(own.settle(false), (vec![], later.into()));
        // What was there before cannot be the operation's.
        let mut own = creation("x");
        assert_eq!(own.keep(removed("x"), None), Some(removed("x")));
    }
}
