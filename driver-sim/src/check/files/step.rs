//! What an operation may do next: all possibilities, each taking effect at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::SrvCopychunk;

use super::create::create;
use super::locks::{self, Intent};
use super::op::{Config, MAX_CONTENT, Op, Outcome, Stage, What, resized};
use super::rename::rename;
use super::state::{Env, No, Node, ROOT, State, Tri};

/// Operations without answer.
pub(super) type Pending = BTreeMap<No, Op>;
/// What can come next.
pub(super) type Nexts = Vec<(State, Stage)>;

pub(super) fn over(state: &State, outcome: Outcome) -> (State, Stage) {
    (state.clone(), Stage::Over(outcome))
}

pub(super) fn refused(state: &State, status: NtStatus) -> (State, Stage) {
    over(state, Outcome::Refused(status))
}

/// All next steps of operation `no` in this configuration; none if it has to wait, or is over.
pub(super) fn next(env: &Env, pending: &Pending, config: &Config, no: No) -> Nexts {
    let (Some(op), stage) = (pending.get(&no), config.stage(no)) else {
        return Vec::new();
    };
    let waits =
        |prev: No| pending.contains_key(&prev) && !matches!(config.stage(prev), Stage::Over(_));
    if matches!(stage, Stage::Over(_)) || op.after.is_some_and(waits) {
        return Vec::new();
    }
    let mut all = by_kind(env, config, no, op, stage);
    if op.orphan {
        all.push(over(&config.state, Outcome::Gone));
    }
    all
}

fn by_kind(env: &Env, config: &Config, no: No, op: &Op, stage: &Stage) -> Nexts {
    let state = &config.state;
    if *stage == Stage::Start {
        if let Some(status) = op.failed {
            return vec![refused(state, status)];
        }
        if let Some(creator) = op.creator
            && let Stage::Over(Outcome::Refused(status)) = config.stage(creator)
        {
            return vec![refused(state, *status)];
        }
    }
    match &op.what {
        What::Create(c) => create(env, state, no, c, stage),
        What::Close { open, query } => close(env, state, op, *open, *query, stage),
        What::Rename { open, to, replace } => with_open(state, *open, stage, |node| {
            rename(env, state, *open, node, to, *replace, stage)
        }),
        What::Delete { open, on } => with_open(state, *open, stage, |node| {
            delete(env, state, *open, node, *on, stage)
        }),
        What::Read {
            open,
            offset,
            len,
            min,
        } => with_open(state, *open, stage, |node| {
            read(state, op, *open, node, (*offset, *len, *min), stage)
        }),
        What::Write {
            open,
            offset,
            data,
            through,
        } => with_open(state, *open, stage, |node| {
            // What was stable stays so, if this goes there too.
            let through = *through || state.open(*open).is_some_and(|o| o.through);
            let stays = through && state.nodes[&node].flushed;
            let mut all = write(state, *open, node, *offset, data, stage);
            for (state, stage) in &mut all {
                if stays
                    && let (Stage::Over(Outcome::Wrote(_)), Some(n)) = (stage, state.node_mut(node))
                {
                    n.flushed = true;
                }
            }
            all
        }),
        What::Flush { open } => with_open(state, *open, stage, |node| {
            let mut flushed = state.clone();
            if let Some(n) = flushed.node_mut(node) {
                n.flushed = true;
            }
            vec![
                (flushed, Stage::Over(Outcome::Done)),
                over(state, Outcome::Refusal),
            ]
        }),
        What::Resize { open, size, cut } => with_open(state, *open, stage, |node| {
            resize(state, *open, node, *size, *cut)
        }),
        What::Zero { open, from, beyond } => with_open(state, *open, stage, |node| {
            vec![changed(state, node, Outcome::Done, |content| {
                zeroed(content, *from, *beyond)
            })]
        }),
        What::Copy {
            open,
            source,
            chunks,
        } => with_open(state, *open, stage, |node| {
            copy(state, *source, node, chunks, stage)
        }),
        What::Smash { open } => with_open(state, *open, stage, |node| {
            vec![changed(state, node, Outcome::Anything, |_| None)]
        }),
        What::Harden { open } => with_open(state, *open, stage, |node| {
            let mut state = state.clone();
            if let Some(n) = state.node_mut(node) {
                n.odd = true;
            }
            vec![(state, Stage::Over(Outcome::Anything))]
        }),
        What::Lock {
            open,
            elements,
            may_wait,
        } => {
            if state.open(*open).is_none_or(|o| o.closing) && *may_wait {
                // Also one that waited already.
                return vec![
                    refused(state, NtStatus::RANGE_NOT_LOCKED),
                    refused(state, NtStatus::FILE_CLOSED),
                ];
            }
            lockable(state, *open, stage, |node| {
                let held = &state.nodes[&node].locks;
                match locks::take(held, *open, elements) {
                    Some(all) => vec![with_locks(state, node, all, Outcome::Done)],
                    None if op.cancelled => vec![refused(state, NtStatus::CANCELLED)],
                    None if *may_wait => Vec::new(),
                    None => vec![refused(state, NtStatus::LOCK_NOT_GRANTED)],
                }
            })
        }
        What::Unlock { open, elements } => lockable(state, *open, stage, |node| {
            let mut held = state.nodes[&node].locks.clone();
            let outcome = if locks::give_back(&mut held, *open, elements) {
                Outcome::Done
            } else {
                Outcome::Refused(NtStatus::RANGE_NOT_LOCKED)
            };
            vec![with_locks(state, node, held, outcome)]
        }),
        What::Query { open } => with_open(state, *open, stage, |node| {
            let n = &state.nodes[&node];
            match stage {
                Stage::Sized(size) => {
                    let outcome = Outcome::Info {
                        size: *size,
                        pending: n.pending,
                        dir: n.dir,
                    };
                    vec![over(state, outcome)]
                }
                _ => vec![(state.clone(), Stage::Sized(size_of(n)))],
            }
        }),
        What::Touch { open } => with_open(state, *open, stage, |_| {
            vec![over(state, Outcome::Anything)]
        }),
        What::Stale => vec![refused(state, NtStatus::FILE_CLOSED)],
    }
}

/// The size of a file, if known; directories have none that matters.
pub(super) fn size_of(node: &Node) -> Option<u64> {
    if node.dir {
        return None;
    }
    node.content.as_ref().map(|c| c.len() as u64)
}

/// Goes on with the open's file; STATUS_FILE_CLOSED if the open is closed, and also possibly if its
/// CLOSE has begun.
fn with_open(state: &State, open: No, stage: &Stage, go: impl FnOnce(No) -> Nexts) -> Nexts {
    let closed = || refused(state, NtStatus::FILE_CLOSED);
    match state.open(open) {
        None => vec![closed()],
        Some(o) => {
            let mut all = go(o.node);
            if o.closing && *stage == Stage::Start {
                all.push(closed());
            }
            all
        }
    }
}

/// What comes of a right being needed: goes on, or is refused, or either.
pub(super) fn need(state: &State, open: No, any: AccessMask, go: impl FnOnce() -> Nexts) -> Nexts {
    let Some(o) = state.open(open) else {
        return vec![refused(state, NtStatus::FILE_CLOSED)];
    };
    let denied = refused(state, NtStatus::ACCESS_DENIED);
    if !o.access.intersects(any) {
        return vec![denied];
    }
    let mut all = go();
    if o.unsure {
        all.push(denied);
    }
    all
}

/// Goes on with the open's file if that can have locks ([MS-FSA] 2.1.5.8).
fn lockable(state: &State, open: No, stage: &Stage, go: impl FnOnce(No) -> Nexts) -> Nexts {
    with_open(state, open, stage, |node| {
        if state.nodes[&node].dir {
            return vec![refused(state, NtStatus::INVALID_PARAMETER)];
        }
        let any = AccessMask::FILE_READ_DATA | WRITES | AccessMask::FILE_APPEND_DATA;
        need(state, open, any, || go(node))
    })
}

const READS: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_EXECUTE);
const WRITES: AccessMask = AccessMask::FILE_WRITE_DATA;

fn read(
    state: &State,
    op: &Op,
    open: No,
    node: No,
    (offset, len, min): (u64, u32, u32),
    stage: &Stage,
) -> Nexts {
    let n = &state.nodes[&node];
    if *stage == Stage::Start {
        return need(state, open, READS, || {
            if n.dir {
                return vec![refused(state, NtStatus::INVALID_DEVICE_REQUEST)];
            }
            if locks::blocked(&n.locks, open, offset, u64::from(len), Intent::Read) {
                return vec![refused(state, NtStatus::FILE_LOCK_CONFLICT)];
            }
            vec![(state.clone(), Stage::Passed(1))]
        });
    }
    let Some(content) = &n.content else {
        return vec![over(state, Outcome::SomeData(len))];
    };
    let at = usize::try_from(offset).map_or(content.len(), |o| o.min(content.len()));
    let end = at.saturating_add(len as usize).min(content.len());
    let data = &content[at..end];
    let mut all = Vec::new();
    if op.short {
        all.push(over(state, Outcome::SomeData(len)));
    }
    let empty = data.is_empty() && len > 0;
    all.push(if empty || data.len() < min as usize {
        refused(state, NtStatus::END_OF_FILE)
    } else {
        over(state, Outcome::Data(data.to_vec()))
    });
    all
}

/// A write by an open that may also overwrite, or only append ([MS-SMB2] 3.3.5.13).
fn write(state: &State, open: No, node: No, offset: u64, data: &[u8], stage: &Stage) -> Nexts {
    let n = &state.nodes[&node];
    let len = data.len() as u64;
    let at_end = offset == u64::MAX;
    let passed = |n| vec![(state.clone(), Stage::Passed(n))];
    let blocked = |at: u64| locks::blocked(&n.locks, open, at, len, Intent::Write);
    let conflict = || vec![refused(state, NtStatus::FILE_LOCK_CONFLICT)];
    match stage {
        Stage::Start => {
            let any = WRITES | AccessMask::FILE_APPEND_DATA;
            need(state, open, any, || {
                if n.dir {
                    return vec![refused(state, NtStatus::INVALID_DEVICE_REQUEST)];
                }
                let overwrites = state.open(open).is_some_and(|o| o.access.contains(WRITES));
                if !overwrites && len > 0 {
                    return vec![(state.clone(), Stage::Sized(size_of(n)))];
                }
                if blocked(offset) {
                    conflict()
                } else {
                    passed(1)
                }
            })
        }
        Stage::Sized(None) => {
            let mut all = vec![refused(state, NtStatus::ACCESS_DENIED)];
            all.extend(conflict());
            let wrote = Outcome::Wrote(u32::try_from(len).unwrap_or(u32::MAX));
            all.push(changed(state, node, wrote, |_| None));
            all
        }
        Stage::Sized(Some(size)) if offset < *size => {
            vec![refused(state, NtStatus::ACCESS_DENIED)]
        }
        Stage::Sized(Some(size)) if blocked(if at_end { *size } else { offset }) => conflict(),
        Stage::Sized(Some(size)) if at_end || offset == *size => passed(2),
        Stage::Sized(Some(_)) => passed(1),
        Stage::Passed(2) => vec![put(state, node, None, data)],
        _ => vec![put(state, node, Some(offset), data)],
    }
}

/// The data go to the disk; `None`: to the end.
fn put(state: &State, node: No, offset: Option<u64>, data: &[u8]) -> (State, Stage) {
    let outcome = Outcome::Wrote(u32::try_from(data.len()).unwrap_or(u32::MAX));
    if data.is_empty() {
        return over(state, outcome);
    }
    changed(state, node, outcome, |content| {
        let offset = offset.unwrap_or(content.len() as u64);
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(data.len())?;
        if end > MAX_CONTENT {
            return None;
        }
        let mut content = content.as_ref().clone();
        if content.len() < end {
            content.resize(end, 0);
        }
        content.get_mut(start..end)?.copy_from_slice(data);
        Some(content.into())
    })
}

/// SRV_COPYCHUNK_COPY, [MS-SMB2] 3.3.5.15.6: each chunk at a moment of its own. What one that fails has
/// done is not known.
fn copy(state: &State, source: No, target: No, chunks: &[SrvCopychunk], stage: &Stage) -> Nexts {
    let done = match stage {
        Stage::Passed(n) => usize::from(*n),
        _ => 0,
    };
    let Some(chunk) = chunks.get(done) else {
        let total = chunks.iter().map(|c| u64::from(c.length)).sum();
        return vec![over(state, Outcome::Copied(total))];
    };
    let mut all = vec![if done == 0 {
        over(state, Outcome::Refusal)
    } else {
        changed(state, target, Outcome::Refusal, |_| None)
    }];
    let smashed = || changed(state, target, Outcome::Anything, |_| None);
    let from = state.open(source).and_then(|o| state.node(o.node));
    let part = from.and_then(|n| n.content.as_ref()).and_then(|content| {
        let start = usize::try_from(chunk.source_offset).ok()?;
        let end = start.checked_add(chunk.length as usize)?;
        content.get(start..end).map(<[u8]>::to_vec)
    });
    match (part, u8::try_from(done + 1)) {
        (Some(part), Ok(next)) => {
            let (state, _) = put(state, target, Some(chunk.target_offset), &part);
            all.push((state, Stage::Passed(next)));
        }
        _ => all.push(smashed()),
    }
    all
}

fn resize(state: &State, open: No, node: No, size: u64, cut: bool) -> Nexts {
    need(state, open, WRITES, || {
        if state.nodes[&node].dir {
            return vec![refused(state, NtStatus::INVALID_PARAMETER)];
        }
        vec![changed(state, node, Outcome::Done, |content| {
            if cut && size >= content.len() as u64 {
                return Some(content.clone());
            }
            resized(content, size)
        })]
    })
}

fn zeroed(content: &Arc<Vec<u8>>, from: u64, beyond: u64) -> Option<Arc<Vec<u8>>> {
    let clamp = |at: u64| usize::try_from(at).map_or(content.len(), |a| a.min(content.len()));
    let (from, beyond) = (clamp(from), clamp(beyond));
    let mut content = content.as_ref().clone();
    if let Some(range) = content.get_mut(from..beyond) {
        range.fill(0);
    }
    Some(content.into())
}

/// The state with new content of a file, if the old one is known.
fn changed(
    state: &State,
    node: No,
    outcome: Outcome,
    change: impl FnOnce(&Arc<Vec<u8>>) -> Option<Arc<Vec<u8>>>,
) -> (State, Stage) {
    let mut state = state.clone();
    if let Some(n) = state.node_mut(node) {
        n.content = n.content.as_ref().and_then(change);
        n.flushed = false;
    }
    (state, Stage::Over(outcome))
}

fn with_locks(
    state: &State,
    node: No,
    locks: Vec<locks::Lock>,
    outcome: Outcome,
) -> (State, Stage) {
    let mut state = state.clone();
    if let Some(n) = state.node_mut(node) {
        n.locks = locks;
    }
    (state, Stage::Over(outcome))
}

/// FileDispositionInformation, [MS-FSA] 2.1.5.15.3.
fn delete(env: &Env, state: &State, open: No, node: No, on: bool, stage: &Stage) -> Nexts {
    let n = &state.nodes[&node];
    let mark = || {
        let mut state = state.clone();
        if let Some(n) = state.node_mut(node) {
            n.pending = on;
        }
        (state, Stage::Over(Outcome::Done))
    };
    if *stage != Stage::Start {
        return vec![mark()];
    }
    need(state, open, AccessMask::DELETE, || {
        if !on {
            return vec![mark()];
        }
        let cannot = refused(state, NtStatus::CANNOT_DELETE);
        if node == ROOT {
            return vec![cannot];
        }
        let mut all = Vec::new();
        let full = if n.dir {
            state.has_entries(env, node)
        } else {
            Tri::No
        };
        if full.possible() {
            all.push(refused(state, NtStatus::DIRECTORY_NOT_EMPTY));
        }
        if !full.certain() {
            all.push((state.clone(), Stage::Passed(1)));
        }
        if n.odd {
            all.push(cannot);
        }
        all
    })
}

/// CLOSE, [MS-FSA] 2.1.5.5.
fn close(env: &Env, state: &State, op: &Op, open: No, query: bool, stage: &Stage) -> Nexts {
    match stage {
        Stage::Start => match state.open(open) {
            Some(o) if !o.closing => {
                let mut state = state.clone();
                if let Some(o) = state.open_mut(open) {
                    o.closing = true;
                }
                vec![(state, Stage::Begun)]
            }
            _ if op.asker.is_none() => vec![over(state, Outcome::Gone)],
            _ => vec![refused(state, NtStatus::FILE_CLOSED)],
        },
        Stage::Begun => {
            let Some(o) = state.open(open) else {
                return vec![over(state, Outcome::Gone)];
            };
            let node = o.node;
            let mut state = state.clone();
            state.detach(open);
            let next = Stage::Detached {
                node,
                asked: !query,
                size: None,
            };
            vec![(state, next)]
        }
        Stage::Detached {
            node, asked: false, ..
        } => {
            let next = |size| Stage::Detached {
                node: *node,
                asked: true,
                size,
            };
            let size = state.node(*node).and_then(size_of);
            vec![(state.clone(), next(size))]
        }
        Stage::Detached { node, size, .. } => {
            let done = Stage::Over(Outcome::Closed { size: *size });
            let Some(n) = state.node(*node).filter(|n| n.removing) else {
                return vec![(state.clone(), done)];
            };
            let full = if n.dir {
                state.has_entries(env, *node)
            } else {
                Tri::No
            };
            let mut all = Vec::new();
            if !full.certain() {
                let mut gone = state.clone();
                gone.unname(*node);
                if let Some(n) = gone.node_mut(*node) {
                    n.removing = false;
                }
                all.push((gone, done.clone()));
            }
            if full.possible() || !op.faults.is_empty() {
                let mut stays = state.clone();
                if let Some(n) = stays.node_mut(*node) {
                    (n.removing, n.pending) = (false, false);
                }
                all.push((stays, done));
            }
            all
        }
        _ => Vec::new(),
    }
}
