//! Names that opens may have, and those that are not followed for a while.

use std::collections::BTreeSet;

use super::model::Model;
use super::op::{Config, Op, What};
use super::state::{Entry, No, Path, beneath};

/// Names that are forgotten together at most; beyond that, all are.
const MAX_ENTANGLED: usize = 64;

impl Model {
    /// All names that an open may have.
    pub(super) fn paths_of(&self, open: No) -> BTreeSet<Path> {
        let known = self.paths.get(&open).or_else(|| self.loose.get(&open));
        known.cloned().unwrap_or_default()
    }

    /// An open or request that is not followed keeps these names from being followed.
    pub(super) fn loosen(&mut self, no: No, paths: impl IntoIterator<Item = Path>) {
        self.loose.entry(no).or_default().extend(paths);
    }

    /// Whatever lies at or beneath one of these names may soon lie at or beneath another.
    pub(super) fn renaming(&mut self, from: &BTreeSet<Path>, to: &Path) {
        let all = self.paths.values_mut();
        let all = all.chain(self.pending.values_mut().map(|op| &mut op.paths));
        for paths in all.chain(self.loose.values_mut()) {
            let new: Vec<Path> = from
                .iter()
                .flat_map(|from| paths.iter().filter_map(|p| moved(p, from, to)))
                .collect();
            paths.extend(new);
        }
    }

    /// Drops the names that opens could have got by renames that came to nothing, or had before.
    pub(super) fn settle_names(&mut self) {
        let renames = |op: &Op| matches!(op.what, What::Rename { .. });
        if self.pending.values().any(renames) {
            return;
        }
        for (no, paths) in self.paths.iter_mut().filter(|(_, p)| p.len() > 1) {
            let now = |config: &Config| {
                let node = config.state.open(*no)?.node;
                config.state.name_of(node).cloned()
            };
            let Some(now) = self.configs.iter().map(now).collect::<Option<_>>() else {
                continue;
            };
            *paths = now;
            for op in self.pending.values_mut() {
                if op.what.open() == Some(*no) {
                    op.paths.clone_from(paths);
                }
            }
        }
    }

    /// Names that nothing keeps from being followed any more count as unknown.
    pub(super) fn sweep(&mut self) {
        let loose = &self.loose;
        let linked = self.env.linked;
        let settled: Vec<Path> = self
            .env
            .vague
            .keys()
            .filter(|v| !linked && !loose.values().flatten().any(|p| beneath(p, v)))
            .cloned()
            .collect();
        for path in settled {
            self.env.vague.remove(&path);
            self.env.murky.insert(path);
        }
        self.tidy();
    }

    /// Stops following a name and what lies beneath it, until all that is open there is closed.
    pub(super) fn forget(&mut self, path: &str) {
        let names = self.entangled(path);
        let forgotten = |path: &Path| names.iter().any(|name| beneath(path, name));
        let concerned = |paths: &BTreeSet<Path>| paths.iter().any(forgotten);
        let opens: Vec<No> = self
            .paths
            .iter()
            .filter(|(_, paths)| concerned(paths))
            .map(|(no, _)| *no)
            .collect();
        for no in opens {
            let paths = self.paths.remove(&no).unwrap_or_default();
            self.loosen(no, paths);
            for config in &mut self.configs {
                config.state.opens.remove(&no);
                let nodes = config.state.nodes.values_mut();
                for node in nodes.filter(|n| n.locks.iter().any(|l| l.open == no)) {
                    std::sync::Arc::make_mut(node)
                        .locks
                        .retain(|l| l.open != no);
                }
            }
        }
        let ops: Vec<No> = self
            .pending
            .iter()
            .filter(|(_, op)| concerned(&op.paths))
            .map(|(no, _)| *no)
            .collect();
        for no in ops {
            if let Some(op) = self.pending.remove(&no) {
                for config in &mut self.configs {
                    config.stages.remove(&no);
                }
                match op.what {
                    // Closed by nobody in particular: it stays open for all that is known.
                    What::Close { open, .. } if op.asker.is_none() => {
                        self.loose.remove(&open);
                    }
                    _ if op.asker.is_some() && !op.orphan => {
                        self.loosen(no, op.paths.into_iter().filter(forgotten));
                    }
                    _ => {
                        self.loose.remove(&no);
                    }
                }
            }
        }
        for config in &mut self.configs {
            config
                .state
                .names
                .retain(|p, e| *e == Entry::Node(super::state::ROOT) || !forgotten(p));
        }
        self.env
            .vague
            .extend(names.into_iter().map(|name| (name, 0)));
    }

    /// The machine lost its power: nothing is open or under way any more. Names, attributes and
    /// descriptors are kept, as by a journal; of contents, what was flushed. What was under way may
    /// have come to anything.
    pub(super) fn lost(&mut self) {
        let under_way: BTreeSet<Path> = self
            .pending
            .values()
            .flat_map(|op| op.paths.iter().cloned())
            .collect();
        for path in under_way {
            self.forget(&path);
        }
        self.pending.clear();
        self.paths.clear();
        self.loose.clear();
        for config in &mut self.configs {
            config.stages.clear();
            config.state.opens.clear();
            for node in config.state.nodes.values_mut() {
                let node = std::sync::Arc::make_mut(node);
                if !node.flushed {
                    node.content = None;
                }
                node.flushed = true;
                node.locks.clear();
                (node.pending, node.removing) = (false, false);
            }
        }
        self.sweep();
    }

    /// A name with all others that cannot be followed without it: what may have the one may have
    /// the other.
    fn entangled(&self, path: &str) -> BTreeSet<Path> {
        let mut names: BTreeSet<Path> = BTreeSet::from([path.into()]);
        loop {
            let known = |p: &Path| names.iter().any(|name| beneath(p, name));
            let mut more = BTreeSet::new();
            let opens = self.paths.values();
            let ops = self.pending.values();
            let others = ops.clone().filter(|op| op.what.target().is_none());
            for paths in opens.chain(others.map(|op| &op.paths)) {
                if paths.iter().any(known) {
                    more.extend(paths.iter().cloned());
                }
            }
            // What lies beneath a directory moves with it.
            for op in ops {
                let Some((open, to)) = op.what.target() else {
                    continue;
                };
                for from in self.paths.get(&open).into_iter().flatten() {
                    let there = names.iter().filter_map(|name| moved(name, from, to));
                    let back = names.iter().filter_map(|name| moved(name, to, from));
                    more.extend(there.chain(back));
                }
            }
            more.retain(|p| !known(p));
            if more.is_empty() {
                return names;
            }
            names.extend(more);
            // Renames there and back could go on for ever.
            if names.len() > MAX_ENTANGLED {
                return BTreeSet::from(["".into()]);
            }
        }
    }
}

/// The name that `path` gets when `from` is renamed to `to`, if it lies there.
fn moved(path: &Path, from: &str, to: &str) -> Option<Path> {
    // The root is not renamed.
    if from.is_empty() || !beneath(path, from) {
        return None;
    }
    Some(format!("{to}{}", path.get(from.len()..)?).into())
}
