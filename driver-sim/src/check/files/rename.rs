//! FileRenameInformation, [MS-FSA] 2.1.5.15.11. The server looks at several things one after the
//! other, so each may be as it was at another moment.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;

use super::op::{Outcome, Stage};
use super::state::{Entry, Env, No, Path, ROOT, State, Tri, inside, parent};
use super::step::{Nexts, need, over, refused};

/// After so many checks comes the change.
const CHECKS: u8 = 4;

pub(super) fn rename(
    env: &Env,
    state: &State,
    open: No,
    node: No,
    to: &Path,
    replace: bool,
    stage: &Stage,
) -> Nexts {
    let passed = |n| (state.clone(), Stage::Passed(n));
    match stage {
        Stage::Start => need(state, open, AccessMask::DELETE, || {
            let mut all = own(env, state, open, node, to, 1);
            if state.name_of(node).is_some_and(|name| **name == **to) {
                // The same name, or only its case changes.
                all.push(over(state, Outcome::Done));
            }
            all
        }),
        Stage::Passed(1) => match dir_of(env, state, to) {
            None => vec![
                passed(2),
                no_path(state),
                refused(state, NtStatus::STOPPED_ON_SYMLINK),
            ],
            Some(Err(())) => vec![no_path(state)],
            Some(Ok(dir)) => {
                let held = if state.nodes[&node].dir {
                    Tri::No
                } else {
                    state.directory_held(open, dir)
                };
                let mut all = either(state, held, NtStatus::SHARING_VIOLATION, 2);
                if env.security {
                    all.push(refused(state, NtStatus::ACCESS_DENIED));
                }
                all
            }
        },
        Stage::Passed(2) => match state.look(env, to) {
            Some(Entry::Absent) => vec![passed(3)],
            Some(Entry::Node(n)) if n == node => vec![passed(3)],
            Some(Entry::Node(_)) if !replace => {
                vec![refused(state, NtStatus::OBJECT_NAME_COLLISION)]
            }
            Some(Entry::Node(n)) => {
                let target = &state.nodes[&n];
                let taken = target.dir || target.removing || state.opens_of(n).next().is_some();
                let odd = if target.odd || env.security {
                    Tri::Maybe
                } else {
                    Tri::No
                };
                either(state, Tri::of(taken).or(odd), NtStatus::ACCESS_DENIED, 3)
            }
            None => vec![
                passed(3),
                refused(state, NtStatus::OBJECT_NAME_COLLISION),
                refused(state, NtStatus::ACCESS_DENIED),
            ],
        },
        Stage::Passed(3) => own(env, state, open, node, to, CHECKS),
        _ => change(env, state, node, to, replace),
    }
}

fn no_path(state: &State) -> (State, Stage) {
    refused(state, NtStatus::OBJECT_PATH_NOT_FOUND)
}

/// The directory of the new name; `None` if it is not known.
fn dir_of(env: &Env, state: &State, to: &Path) -> Option<Result<No, ()>> {
    match state.look(env, parent(to)?) {
        Some(Entry::Node(n)) if state.node(n).is_some_and(|n| n.dir) => Some(Ok(n)),
        Some(_) => Some(Err(())),
        None => None,
    }
}

/// Refused if it is so, else on to the next check.
fn either(state: &State, is: Tri, status: NtStatus, next: u8) -> Nexts {
    let mut all = Vec::new();
    if is.possible() {
        all.push(refused(state, status));
    }
    if !is.certain() {
        all.push((state.clone(), Stage::Passed(next)));
    }
    all
}

/// What can be said of the file that is renamed.
fn own(env: &Env, state: &State, open: No, node: No, to: &Path, next: u8) -> Nexts {
    let n = &state.nodes[&node];
    if n.pending || node == ROOT {
        return vec![refused(state, NtStatus::ACCESS_DENIED)];
    }
    if n.dir {
        if state.name_of(node).is_some_and(|name| inside(to, name)) {
            return vec![refused(state, NtStatus::INVALID_PARAMETER)];
        }
        let used = state.open_beneath(env, node);
        if used.certain() {
            return vec![refused(state, NtStatus::ACCESS_DENIED)];
        }
        let mut all = either(
            state,
            state.held_by_others(open, node),
            NtStatus::SHARING_VIOLATION,
            next,
        );
        if used.possible() {
            all.push(refused(state, NtStatus::ACCESS_DENIED));
        }
        return all;
    }
    either(
        state,
        state.held_by_others(open, node),
        NtStatus::SHARING_VIOLATION,
        next,
    )
}

/// The disk changes the name.
fn change(env: &Env, state: &State, node: No, to: &Path, replace: bool) -> Nexts {
    let done = |replaces: Option<No>| {
        let mut state = state.clone();
        if let Some(old) = replaces {
            state.unname(old);
        }
        state.rename(node, to);
        (state, Stage::Over(Outcome::Done))
    };
    let collision = refused(state, NtStatus::OBJECT_NAME_COLLISION);
    let denied = refused(state, NtStatus::ACCESS_DENIED);
    if state.name_of(node).is_none() {
        return vec![refused(state, NtStatus::OBJECT_NAME_NOT_FOUND)];
    }
    if let Some(Err(())) = dir_of(env, state, to) {
        return vec![
            no_path(state),
            refused(state, NtStatus::OBJECT_NAME_NOT_FOUND),
        ];
    }
    match state.look(env, to) {
        Some(Entry::Absent) => vec![done(None)],
        Some(Entry::Node(n)) if n == node => vec![done(None)],
        Some(Entry::Node(_)) if !replace => vec![collision],
        Some(Entry::Node(n)) if state.nodes[&n].dir => vec![denied],
        Some(Entry::Node(n)) => vec![done(Some(n))],
        None => vec![done(None), collision, denied],
    }
}
