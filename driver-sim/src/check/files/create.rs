//! CREATE: look for the name, judge what is there or make it, enter the open, replace the content.
//! [MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.

use std::sync::Arc;

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::msg::create::CreateDisposition;

use super::op::{Create, Outcome, Stage};
use super::state::{Entry, Env, No, Node, Open, Path, ROOT, State, Tri, parent};
use super::step::{Nexts, refused, size_of};

pub(super) fn create(env: &Env, state: &State, no: No, c: &Create, stage: &Stage) -> Nexts {
    match stage {
        Stage::Start => look(env, state, no, c),
        Stage::Found {
            node: Some(node),
            size,
        } => judge(env, state, no, c, *node, *size),
        Stage::Found { node: None, .. } => plan(env, state, c),
        Stage::Planned => make(env, state, no, c),
        Stage::Made => enter_made(state, no, c),
        Stage::Entered { dir } => {
            let mut state = state.clone();
            if let Some(node) = state.open(no).map(|o| o.node)
                && let Some(n) = state.node_mut(node)
            {
                n.content = Some(Arc::default());
                n.flushed = false;
                n.odd |= c.odd;
            }
            if let Some(o) = state.open_mut(no) {
                o.doc = c.doc;
            }
            let created = Outcome::Created {
                action: c.action(),
                size: Some(0),
                dir: *dir,
            };
            vec![(state, Stage::Over(created))]
        }
        _ => Vec::new(),
    }
}

/// What the directories of a path may be: states in which they are known, or a refusal.
fn walk(env: &Env, state: &State, no: No, path: &str) -> Nexts {
    let missing = |state: &State| refused(state, NtStatus::OBJECT_PATH_NOT_FOUND);
    let mut dirs: Vec<&str> = std::iter::successors(parent(path), |p| parent(p)).collect();
    dirs.reverse();
    let mut all = Vec::new();
    let mut state = state.clone();
    for (depth, dir) in dirs.into_iter().enumerate() {
        match state.look(env, dir) {
            Some(Entry::Node(n)) if state.node(n).is_some_and(|n| n.dir) => {}
            Some(entry) => {
                all.push(missing(&state));
                if matches!(entry, Entry::Node(n) if is_discovered(n)) {
                    all.push(refused(&state, NtStatus::STOPPED_ON_SYMLINK));
                }
                return all;
            }
            None => {
                all.push(missing(&state));
                all.push(refused(&state, NtStatus::STOPPED_ON_SYMLINK));
                state = discovered(&state, no, depth, dir, true);
            }
        }
    }
    all.push((state, Stage::Start));
    all
}

/// What was unknown may be a reparse point.
fn unfollowed(state: &State) -> [(State, Stage); 2] {
    [
        refused(state, NtStatus::STOPPED_ON_SYMLINK),
        refused(state, NtStatus::IO_REPARSE_TAG_NOT_HANDLED),
    ]
}

/// Whether something turned up by [`discovered`].
fn is_discovered(node: No) -> bool {
    node >> 63 == 1
}

/// A state in which something unknown turns out to be there.
fn discovered(state: &State, no: No, depth: usize, path: &str, dir: bool) -> State {
    let mut state = state.clone();
    // A number that no request has.
    let id = (1 << 63) | (no << 8) | (depth as u64 & 0x7f) << 1 | u64::from(dir);
    let node = Node {
        dir,
        odd: true,
        ..Node::default()
    };
    state.nodes.insert(id, Arc::new(node));
    state.names.insert(path.into(), Entry::Node(id));
    state
}

/// The disk looks for the name.
fn look(env: &Env, state: &State, no: No, c: &Create) -> Nexts {
    let mut all = Vec::new();
    for (state, stage) in walk(env, state, no, &c.path) {
        if stage != Stage::Start {
            all.push((state, stage));
            continue;
        }
        let found = |state: &State, node: Option<No>| {
            let size = node.and_then(|n| state.node(n)).and_then(size_of);
            Stage::Found { node, size }
        };
        match state.look(env, &c.path) {
            Some(Entry::Node(n)) => all.push((state.clone(), found(&state, Some(n)))),
            Some(Entry::Absent) => all.push((state.clone(), found(&state, None))),
            None => {
                let mut absent = state.clone();
                absent.names.insert(c.path.clone(), Entry::Absent);
                let next = found(&absent, None);
                all.push((absent, next));
                for dir in [false, true] {
                    let there = discovered(&state, no, 0x7f, &c.path, dir);
                    let node = match there.look(env, &c.path) {
                        Some(Entry::Node(n)) => Some(n),
                        _ => None,
                    };
                    let next = found(&there, node);
                    all.push((there, next));
                }
            }
        }
    }
    all
}

/// Something is there.
fn judge(env: &Env, state: &State, no: No, c: &Create, node: No, size: Option<u64>) -> Nexts {
    let mut all = if is_discovered(node) {
        unfollowed(state).into()
    } else {
        Vec::new()
    };
    all.extend(judge_known(env, state, no, c, node, size));
    all
}

fn judge_known(env: &Env, state: &State, no: No, c: &Create, node: No, size: Option<u64>) -> Nexts {
    let Some(n) = state.node(node) else {
        return vec![(state.clone(), Stage::Start)];
    };
    if state.name_of(node).is_none() {
        // It was removed meanwhile: begins again.
        return vec![(state.clone(), Stage::Start)];
    }
    if n.pending || n.removing {
        return vec![refused(state, NtStatus::DELETE_PENDING)];
    }
    let must_be_new = c.disposition == CreateDisposition::Create;
    let collision = NtStatus::OBJECT_NAME_COLLISION;
    let or_collision = |status| if must_be_new { collision } else { status };
    if n.dir && c.nondir {
        return vec![refused(state, or_collision(NtStatus::FILE_IS_A_DIRECTORY))];
    }
    if !n.dir && c.dir {
        return vec![refused(state, or_collision(NtStatus::NOT_A_DIRECTORY))];
    }
    if must_be_new || (n.dir && c.destroys()) {
        return vec![refused(state, collision)];
    }
    let mut all = Vec::new();
    if c.doc && (node == ROOT || n.odd) {
        all.push(refused(state, NtStatus::CANNOT_DELETE));
        if node == ROOT {
            return all;
        }
    }
    if n.odd || env.security {
        all.push(refused(state, NtStatus::ACCESS_DENIED));
    }
    let unsure = c.maximum && (n.odd || env.security);
    let conflict = state.conflict(node, c.access | c.implied(), c.share);
    if conflict.possible() {
        all.push(refused(state, NtStatus::SHARING_VIOLATION));
    }
    // Who is granted less may not conflict.
    if conflict.certain() && !unsure {
        return all;
    }
    let mut entered = entered(state, no, c, node, unsure);
    let dir = n.dir;
    if c.destroys() {
        all.push((entered, Stage::Entered { dir }));
    } else {
        if let Some(o) = entered.open_mut(no) {
            o.doc = c.doc;
        }
        let created = Outcome::Created {
            action: c.action(),
            size,
            dir,
        };
        all.push((entered, Stage::Over(created)));
    }
    all
}

fn entered(state: &State, no: No, c: &Create, node: No, unsure: bool) -> State {
    let mut state = state.clone();
    let open = Open {
        node,
        access: c.access,
        share: c.share,
        doc: false,
        through: c.through,
        closing: false,
        unsure,
    };
    state.opens.insert(no, Arc::new(open));
    state
}

/// The directory that something is made in, if it is there.
fn directory(env: &Env, state: &State, path: &Path) -> Option<No> {
    match state.look(env, parent(path)?) {
        Some(Entry::Node(n)) if state.node(n).is_some_and(|n| n.dir) => Some(n),
        _ => None,
    }
}

/// Nothing is there.
fn plan(env: &Env, state: &State, c: &Create) -> Nexts {
    if !c.creates() {
        return vec![refused(state, NtStatus::OBJECT_NAME_NOT_FOUND)];
    }
    let Some(dir) = directory(env, state, &c.path) else {
        return vec![refused(state, NtStatus::OBJECT_PATH_NOT_FOUND)];
    };
    if state.nodes[&dir].pending || state.nodes[&dir].removing {
        return vec![refused(state, NtStatus::DELETE_PENDING)];
    }
    let mut all = Vec::new();
    if env.security {
        all.push(refused(state, NtStatus::ACCESS_DENIED));
    }
    if c.doc && c.odd {
        all.push(refused(state, NtStatus::CANNOT_DELETE));
    }
    all.push((state.clone(), Stage::Planned));
    all
}

/// The disk makes it.
fn make(env: &Env, state: &State, no: No, c: &Create) -> Nexts {
    if directory(env, state, &c.path).is_none() {
        return vec![refused(state, NtStatus::OBJECT_PATH_NOT_FOUND)];
    }
    if state.look(env, &c.path) != Some(Entry::Absent) {
        // Somebody else was faster: begins again.
        return vec![(state.clone(), Stage::Start)];
    }
    let mut state = state.clone();
    let node = Node {
        dir: c.dir,
        content: (!c.dir).then(Arc::default),
        // Names are kept as by a journal, and a new file has nothing to lose.
        flushed: true,
        odd: c.odd,
        ..Node::default()
    };
    state.nodes.insert(no, Arc::new(node));
    state.names.insert(c.path.clone(), Entry::Node(no));
    vec![(state, Stage::Made)]
}

/// It was made, and somebody else may have found it meanwhile.
fn enter_made(state: &State, no: No, c: &Create) -> Nexts {
    let Some(n) = state.node(no) else {
        return vec![refused(state, NtStatus::DELETE_PENDING)];
    };
    let failed = |status| {
        let mut all = vec![refused(state, status)];
        if c.doc {
            let mut undone = state.clone();
            undone.unname(no);
            all.push((undone, Stage::Over(Outcome::Refused(status))));
        }
        all
    };
    if n.pending || n.removing {
        return failed(NtStatus::DELETE_PENDING);
    }
    let conflict = state.conflict(no, c.access, c.share);
    let mut all = Vec::new();
    if conflict.possible() {
        all.extend(failed(NtStatus::SHARING_VIOLATION));
    }
    if conflict != Tri::Yes {
        let mut entered = entered(state, no, c, no, false);
        if let Some(o) = entered.open_mut(no) {
            o.doc = c.doc;
        }
        let created = Outcome::Created {
            action: 2,
            size: (!c.dir).then_some(0),
            dir: c.dir,
        };
        all.push((entered, Stage::Over(created)));
    }
    all
}

/// What has to be undone when a CREATE is refused at this stage.
pub(super) fn abandon(state: &State, no: No, c: &Create, stage: &Stage) -> Vec<State> {
    let mut kept = state.clone();
    kept.opens.remove(&no);
    let mut all = vec![];
    if matches!(stage, Stage::Made) && c.doc {
        let mut undone = kept.clone();
        undone.unname(no);
        all.push(undone);
    }
    all.push(kept);
    all
}

/// The rights that a request is taken to have been granted.
pub(super) fn granted(desired: AccessMask) -> (AccessMask, bool) {
    let maximum = desired.contains(AccessMask::MAXIMUM_ALLOWED);
    let mut access = desired
        .map_generic()
        .difference(AccessMask::MAXIMUM_ALLOWED);
    if maximum {
        access |= AccessMask::FILE_ALL_ACCESS;
    }
    (access, maximum)
}
