//! Which directories are watched, and what they are called now.

use std::collections::BTreeMap;

use smb_engine::vfs::SharePath;

use crate::fs::names::Naming;

/// inotify's number of a watched directory.
pub(super) type Wd = i32;

/// One watched directory.
#[derive(Debug)]
struct Dir {
    /// The directory that it is in, if that is watched too.
    parent: Option<Wd>,
    /// Its name there.
    name: Vec<u8>,
    /// Its path, if it has no watched parent.
    base: SharePath,
    /// Watched directories in it.
    children: BTreeMap<Vec<u8>, Wd>,
    /// How many watches it serves, itself or as a directory on the way to one.
    pins: u32,
    /// How many of them see everything beneath it.
    deep: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Dirs {
    naming: Naming,
    all: BTreeMap<Wd, Dir>,
    /// What had the name to which something else was moved last: two directories that change
    /// places do so in two renames, and the second one is about this.
    displaced: Option<(Wd, Vec<u8>, Wd)>,
}

impl Dirs {
    pub(super) fn new(naming: Naming) -> Self {
        Self {
            naming,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, wd: Wd) -> bool {
        self.all.contains_key(&wd)
    }

    /// Enters a directory without watched parent.
    pub(super) fn add_top(&mut self, wd: Wd, base: SharePath) {
        self.all.entry(wd).or_insert_with(|| Dir {
            parent: None,
            name: Vec::new(),
            base,
            children: BTreeMap::new(),
            pins: 0,
            deep: 0,
        });
    }

    /// Enters the directory `name` in `parent`; `false` if it is there already (under whatever
    /// name).
    pub(super) fn add(&mut self, wd: Wd, parent: Wd, name: &[u8]) -> bool {
        if self.all.contains_key(&wd) {
            return false;
        }
        let Some(dir) = self.all.get_mut(&parent) else {
            return false;
        };
        dir.children.insert(name.to_vec(), wd);
        let dir = Dir {
            parent: Some(parent),
            name: name.to_vec(),
            base: SharePath::root(),
            children: BTreeMap::new(),
            pins: 0,
            deep: 0,
        };
        self.all.insert(wd, dir);
        true
    }

    /// Counts a watch that needs this directory.
    pub(super) fn pin(&mut self, wd: Wd, deep: bool) {
        if let Some(dir) = self.all.get_mut(&wd) {
            dir.pins += 1;
            dir.deep += u32::from(deep);
        }
    }

    pub(super) fn unpin(&mut self, wd: Wd, deep: bool) {
        if let Some(dir) = self.all.get_mut(&wd) {
            dir.pins = dir.pins.saturating_sub(1);
            dir.deep = dir.deep.saturating_sub(u32::from(deep));
        }
    }

    fn up(&self, wd: Wd) -> impl Iterator<Item = &Dir> {
        let mut next = Some(wd);
        std::iter::from_fn(move || {
            let dir = self.all.get(&next?)?;
            next = dir.parent;
            Some(dir)
        })
    }

    /// Whether what comes into being in this directory has to be watched as well.
    pub(super) fn is_deep(&self, wd: Wd) -> bool {
        self.up(wd).any(|d| d.deep > 0)
    }

    /// Its present path in the share.
    pub(super) fn path(&self, wd: Wd) -> Option<SharePath> {
        let mut names = Vec::new();
        let mut base = None;
        for dir in self.up(wd) {
            match dir.parent {
                Some(_) => names.push(self.naming.to_share(&dir.name)),
                None => base = Some(dir.base.clone()),
            }
        }
        let mut path = base?;
        for name in names.iter().rev() {
            path = path.join(name)?;
        }
        Some(path)
    }

    /// Takes a name out of a directory, because it was moved or removed; the watched directory that
    /// had it.
    pub(super) fn take(&mut self, parent: Wd, name: &[u8]) -> Option<Wd> {
        if let Some((p, n, wd)) = self.displaced.take()
            && p == parent
            && n == name
        {
            return Some(wd);
        }
        self.all.get_mut(&parent)?.children.remove(name)
    }

    /// Gives a directory that was taken its new name.
    pub(super) fn put(&mut self, wd: Wd, parent: Wd, name: &[u8]) {
        let Some(dir) = self.all.get_mut(&parent) else {
            return;
        };
        let before = dir.children.insert(name.to_vec(), wd);
        self.displaced = before.map(|before| (parent, name.to_vec(), before));
        if let Some(dir) = self.all.get_mut(&wd) {
            dir.parent = Some(parent);
            dir.name = name.to_vec();
        }
    }

    /// Something that is not watched has taken a name.
    pub(super) fn covered(&mut self, parent: Wd, name: &[u8]) {
        let dir = self.all.get_mut(&parent);
        let before = dir.and_then(|d| d.children.remove(name));
        self.displaced = before.map(|before| (parent, name.to_vec(), before));
    }

    /// Forgets a directory, and gives all beneath it to be forgotten too.
    pub(super) fn remove(&mut self, wd: Wd) -> Vec<Wd> {
        let Some(dir) = self.all.remove(&wd) else {
            return Vec::new();
        };
        if let Some(parent) = dir.parent.and_then(|p| self.all.get_mut(&p))
            && parent.children.get(&dir.name) == Some(&wd)
        {
            parent.children.remove(&dir.name);
        }
        dir.children.into_values().collect()
    }

    /// Directories that no watch needs.
    pub(super) fn idle(&self) -> Vec<Wd> {
        let mut needed: BTreeMap<Wd, bool> = BTreeMap::new();
        let mut idle = Vec::new();
        for (&wd, dir) in &self.all {
            let deep = dir.parent.map_or(dir.deep > 0, |_| {
                *needed.entry(wd).or_insert_with(|| self.is_deep(wd))
            });
            if dir.pins == 0 && !deep {
                idle.push(wd);
            }
        }
        idle
    }

    /// Forgets all; what was there.
    pub(super) fn clear(&mut self) -> Vec<Wd> {
        self.displaced = None;
        std::mem::take(&mut self.all).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1` is the root, `2` is `a` in it, `3` is `b` in that.
    fn dirs() -> Dirs {
        let mut dirs = Dirs::default();
        dirs.add_top(1, SharePath::root());
        assert!(dirs.add(2, 1, b"a"));
        assert!(dirs.add(3, 2, b"b"));
        assert!(!dirs.add(3, 1, b"elsewhere"));
        dirs
    }

    fn path(dirs: &Dirs, wd: Wd) -> String {
        dirs.path(wd).unwrap().as_str().to_owned()
    }

    #[test]
    fn names_follow_renames() {
        let mut dirs = dirs();
        assert_eq!(path(&dirs, 3), "a\\b");
        let moved = dirs.take(1, b"a").unwrap();
        dirs.put(moved, 1, b"n:m");
        assert_eq!(path(&dirs, 3), "n\u{f022}m\\b");
        assert_eq!(dirs.take(1, b"a"), None);
    }

    #[test]
    fn directories_change_places() {
        let mut dirs = dirs();
        dirs.add(4, 1, b"x");
        for (from, to) in [((1, &b"a"[..]), (1, &b"x"[..])), ((1, b"x"), (1, b"a"))] {
            let moved = dirs.take(from.0, from.1).unwrap();
            dirs.put(moved, to.0, to.1);
        }
        assert_eq!((path(&dirs, 2), path(&dirs, 4)), ("x".into(), "a".into()));
        assert_eq!(path(&dirs, 3), "x\\b");
        assert_eq!(dirs.take(1, b"a"), Some(4));
        assert_eq!(dirs.take(1, b"x"), Some(2));
    }

    #[test]
    fn what_nobody_needs_is_idle() {
        let mut dirs = dirs();
        dirs.pin(1, false);
        dirs.pin(2, true);
        assert!(dirs.is_deep(3) && !dirs.is_deep(1));
        assert_eq!(dirs.idle(), []);
        dirs.unpin(2, true);
        assert_eq!(dirs.idle(), [2, 3]);
        assert_eq!(dirs.remove(2), [3]);
        assert_eq!(dirs.path(3), None);
    }
}
