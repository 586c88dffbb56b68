//! What the model knows of the share: names, files, opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smb_proto::dtyp::AccessMask;
use smb_proto::msg::create::ShareAccess;

use super::locks::Lock;

/// Number of a request. That of a CREATE also names the open, and the file if it made one.
pub(super) type No = u64;
/// A name: folded, backslashes between components, empty for the root.
pub(super) type Path = Arc<str>;

/// Number of the root directory.
pub(super) const ROOT: No = 0;

/// A file or directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) dir: bool,
    /// `None`: not known.
    pub(super) content: Option<Arc<Vec<u8>>>,
    /// The content is on stable storage.
    pub(super) flushed: bool,
    /// Sorted.
    pub(super) locks: Vec<Lock>,
    /// Goes with its last open.
    pub(super) pending: bool,
    /// The last open has gone, and the name is being removed.
    pub(super) removing: bool,
    /// May have attributes that make the server refuse things.
    pub(super) odd: bool,
}

/// An open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Open {
    pub(super) node: No,
    pub(super) access: AccessMask,
    pub(super) share: u32,
    /// FILE_DELETE_ON_CLOSE.
    pub(super) doc: bool,
    /// FILE_WRITE_THROUGH.
    pub(super) through: bool,
    /// A CLOSE has begun.
    pub(super) closing: bool,
    /// It may have fewer rights than `access` says.
    pub(super) unsure: bool,
}

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    Node(No),
    Absent,
}

/// Something that may not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tri {
    No,
    Yes,
    Maybe,
}

impl Tri {
    pub(super) fn possible(self) -> bool {
        self != Self::No
    }

    pub(super) fn certain(self) -> bool {
        self == Self::Yes
    }

    pub(super) fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Maybe, _) | (_, Self::Maybe) => Self::Maybe,
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// What is the same in all possible states.
#[derive(Debug, Default)]
pub(super) struct Env {
    /// Names of which nothing is known, unless an entry says something, with all that is beneath.
    pub(super) murky: BTreeSet<Path>,
    /// Names that are not followed while some opens that are not followed exist, and how many of
    /// those and of requests for them there are.
    pub(super) vague: BTreeMap<Path, usize>,
    /// Files may have several names: what is not followed may be the same file under another one, and is not
    /// followed any more.
    pub(super) linked: bool,
    /// Somebody has changed a security descriptor.
    pub(super) security: bool,
}

/// Whether `path` is `prefix` or lies beneath it.
pub(super) fn beneath(path: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

/// The directory of a name; `None` for the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('\\').map_or("", |(dir, _)| dir))
}

impl Env {
    pub(super) fn is_vague(&self, path: &str) -> bool {
        self.vague.keys().any(|v| beneath(path, v))
    }

    fn is_murky(&self, path: &str) -> bool {
        self.murky.iter().any(|m| beneath(path, m))
    }

    /// Whether something unknown may be in a directory.
    fn hides(&self, dir: &str) -> bool {
        self.is_murky(dir)
            || self.murky.iter().any(|m| beneath(m, dir))
            || self.vague.keys().any(|v| beneath(v, dir))
    }
}

/// One possible state of the share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<No, Arc<Node>>,
    pub(super) names: BTreeMap<Path, Entry>,
    pub(super) opens: BTreeMap<No, Arc<Open>>,
}

impl Default for State {
    fn default() -> Self {
        let root = Node {
            dir: true,
            ..Node::default()
        };
        Self {
            nodes: BTreeMap::from([(ROOT, Arc::new(root))]),
            names: BTreeMap::from([("".into(), Entry::Node(ROOT))]),
            opens: BTreeMap::new(),
        }
    }
}

/// Accesses that take part in sharing ([MS-FSA] 2.1.5.1.2.2).
const READS: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_EXECUTE);
const WRITES: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);

/// Whether one who shares like this suffers that access of another.
fn suffers(share: u32, access: AccessMask) -> bool {
    let share = ShareAccess::from_bits_retain(share);
    let lets = |what, does| share.contains(what) || !access.intersects(does);
    lets(ShareAccess::READ, READS)
        && lets(ShareAccess::WRITE, WRITES)
        && lets(ShareAccess::DELETE, AccessMask::DELETE)
}

fn takes_part(access: AccessMask) -> bool {
    access.intersects(READS | WRITES | AccessMask::DELETE)
}

impl State {
    pub(super) fn node(&self, no: No) -> Option<&Node> {
        self.nodes.get(&no).map(Arc::as_ref)
    }

    pub(super) fn node_mut(&mut self, no: No) -> Option<&mut Node> {
        self.nodes.get_mut(&no).map(Arc::make_mut)
    }

    pub(super) fn open(&self, no: No) -> Option<&Open> {
        self.opens.get(&no).map(Arc::as_ref)
    }

    pub(super) fn open_mut(&mut self, no: No) -> Option<&mut Open> {
        self.opens.get_mut(&no).map(Arc::make_mut)
    }

    /// What a name names; `None` if that is not known.
    pub(super) fn look(&self, env: &Env, path: &str) -> Option<Entry> {
        match self.names.get(path) {
            Some(entry) => Some(*entry),
            None if env.is_murky(path) => None,
            None => Some(Entry::Absent),
        }
    }

    /// The name of a file, if it still has one.
    pub(super) fn name_of(&self, node: No) -> Option<&Path> {
        self.names
            .iter()
            .find(|(_, e)| **e == Entry::Node(node))
            .map(|(p, _)| p)
    }

    /// Whether a directory has entries.
    pub(super) fn has_entries(&self, env: &Env, node: No) -> Tri {
        let Some(dir) = self.name_of(node) else {
            return Tri::No;
        };
        let inside = |(p, e): (&Path, &Entry)| matches!(e, Entry::Node(_)) && inside(p, dir);
        if self.names.iter().any(inside) {
            Tri::Yes
        } else if env.hides(dir) {
            Tri::Maybe
        } else {
            Tri::No
        }
    }

    /// Whether something beneath a directory is open.
    pub(super) fn open_beneath(&self, env: &Env, node: No) -> Tri {
        let Some(dir) = self.name_of(node) else {
            return Tri::No;
        };
        let found = self
            .opens
            .values()
            .any(|o| self.name_of(o.node).is_some_and(|name| inside(name, dir)));
        if found {
            Tri::Yes
        } else {
            Tri::of(false).or(if env.vague.keys().any(|v| beneath(v, dir)) {
                Tri::Maybe
            } else {
                Tri::No
            })
        }
    }

    pub(super) fn opens_of(&self, node: No) -> impl Iterator<Item = (No, &Open)> {
        self.opens
            .iter()
            .filter(move |(_, o)| o.node == node)
            .map(|(no, o)| (*no, o.as_ref()))
    }

    /// Whether a new open of `node` conflicts with those there are.
    pub(super) fn conflict(&self, node: No, access: AccessMask, share: u32) -> Tri {
        if !takes_part(access) {
            return Tri::No;
        }
        let mut found = Tri::No;
        for (_, o) in self.opens_of(node) {
            if !takes_part(o.access) {
                continue;
            }
            if !suffers(o.share, access) {
                found = found.or(Tri::Yes);
            } else if !suffers(share, o.access) {
                found = found.or(if o.unsure { Tri::Maybe } else { Tri::Yes });
            }
        }
        found
    }

    /// Whether an open other than `open` of its file does not share deletion.
    pub(super) fn held_by_others(&self, open: No, node: No) -> Tri {
        let mut found = Tri::No;
        for (no, o) in self.opens_of(node) {
            let refuses = o.share & ShareAccess::DELETE.bits() == 0 && takes_part(o.access);
            if no != open && refuses {
                found = found.or(if o.unsure { Tri::Maybe } else { Tri::Yes });
            }
        }
        found
    }

    /// Whether an open other than `open` of a directory forbids that it gets a new entry.
    pub(super) fn directory_held(&self, open: No, dir: No) -> Tri {
        let adding = ShareAccess::READ | ShareAccess::WRITE;
        let mut found = Tri::No;
        for (no, o) in self.opens_of(dir) {
            if no == open || !takes_part(o.access) {
                continue;
            }
            if !suffers(o.share, AccessMask::FILE_ADD_FILE) || !suffers(adding.bits(), o.access) {
                found = found.or(if o.unsure { Tri::Maybe } else { Tri::Yes });
            }
        }
        found
    }

    /// Takes the name of a file away.
    pub(super) fn unname(&mut self, node: No) {
        while let Some(path) = self.name_of(node).cloned() {
            self.names.insert(path, Entry::Absent);
        }
    }

    /// Gives a file (with what is in it) a new name.
    pub(super) fn rename(&mut self, node: No, to: &Path) {
        let Some(from) = self.name_of(node).cloned() else {
            return;
        };
        if *from == **to {
            return;
        }
        let moved: Vec<(Path, Entry)> = self
            .names
            .iter()
            .filter(|(p, _)| beneath(p, &from))
            .map(|(p, e)| (p.clone(), *e))
            .collect();
        for (path, entry) in moved {
            self.names.insert(path.clone(), Entry::Absent);
            let rest = path.get(from.len()..).unwrap_or("");
            self.names.insert(format!("{to}{rest}").into(), entry);
        }
    }

    /// Drops an open: its share mode and its locks end.
    pub(super) fn detach(&mut self, no: No) {
        let Some(open) = self.opens.remove(&no) else {
            return;
        };
        let last = self.opens_of(open.node).next().is_none();
        if let Some(node) = self.node_mut(open.node) {
            node.locks.retain(|l| l.open != no);
            node.pending |= open.doc;
            node.removing = node.pending && last;
        }
    }

    /// Drops what nobody can reach any more.
    pub(super) fn sweep(&mut self, env: &Env) {
        let mut used: BTreeSet<No> = self.opens.values().map(|o| o.node).collect();
        used.extend(self.names.values().filter_map(|e| match e {
            Entry::Node(no) => Some(*no),
            Entry::Absent => None,
        }));
        if self.nodes.len() > used.len() {
            self.nodes.retain(|no, _| used.contains(no));
        }
        self.names
            .retain(|p, e| *e != Entry::Absent || env.is_murky(p));
    }
}

/// Whether `path` lies beneath `dir` and is not `dir` itself.
pub(super) fn inside(path: &str, dir: &str) -> bool {
    path.len() > dir.len() && beneath(path, dir)
}
