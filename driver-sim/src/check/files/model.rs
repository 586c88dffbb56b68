//! All possibilities of how things stand, and which of them an answer leaves.
//!
//! Nothing is carried out when it is asked for. When an answer comes, everything that could have
//! happened up to it is tried: steps of its own operation, in any order with steps of others that
//! are in flight and could matter to it. What agrees with the answer remains.

use std::collections::{BTreeMap, BTreeSet};

use smb_proto::NtStatus;
use smb_proto::fsctl::SrvCopychunkResponse;
use smb_proto::info::FileAttributes;
use smb_proto::info::file::FileStandardInformation;
use smb_proto::msg::Response;
use smb_proto::msg::close::CloseFlags;

use super::create::abandon;
use super::op::{Config, Lenient, Op, Outcome, Stage, What};
use super::state::{Env, No, Path, beneath};
use super::step::{Pending, next};

/// Possibilities that are followed at most.
const MAX_CONFIGS: usize = 300;
/// Possibilities that are tried at most to explain one answer.
const MAX_TRIES: usize = 6_000;

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: NtStatus,
    pub(super) body: &'a Response,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) env: Env,
    pub(super) pending: Pending,
    pub(super) configs: Vec<Config>,
    /// Names that each open may have had.
    pub(super) paths: BTreeMap<No, BTreeSet<Path>>,
    /// Opens and requests that are not followed, and names that they may have.
    pub(super) loose: BTreeMap<No, BTreeSet<Path>>,
    pub(super) given_up: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            env: Env::default(),
            pending: Pending::new(),
            configs: vec![Config::default()],
            paths: BTreeMap::new(),
            loose: BTreeMap::new(),
            given_up: 0,
        }
    }
}

impl Model {
    /// Whether this open is followed.
    pub(super) fn follows(&self, open: No) -> bool {
        self.paths.contains_key(&open)
    }

    /// Takes in an operation.
    pub(super) fn add(&mut self, no: No, mut op: Op) {
        match &op.what {
            What::Create(c) => {
                op.paths.insert(c.path.clone());
                self.paths.insert(no, op.paths.clone());
            }
            What::Rename { open, to, .. } => {
                let (open, to) = (*open, to.clone());
                op.paths
                    .extend(self.paths.get(&open).into_iter().flatten().cloned());
                self.renaming(&op.paths.clone(), &to);
                op.paths.insert(to.clone());
                op.paths.extend(super::state::parent(&to).map(Path::from));
            }
            What::Copy { open, source, .. } => {
                let both = [open, source].map(|open| self.paths.get(open));
                op.paths
                    .extend(both.into_iter().flatten().flatten().cloned());
            }
            what => {
                let of_open = what.open().and_then(|open| self.paths.get(&open));
                op.paths.extend(of_open.into_iter().flatten().cloned());
            }
        }
        self.pending.insert(no, op);
    }

    /// All operations that could matter to this one, itself included.
    fn related(&self, no: No) -> BTreeSet<No> {
        let mut found = BTreeSet::from([no]);
        let mut todo = vec![no];
        while let Some(a) = todo.pop() {
            let Some(of_a) = self.pending.get(&a) else {
                continue;
            };
            for (b, of_b) in &self.pending {
                if !found.contains(b) && matter(a, of_a, *b, of_b) {
                    found.insert(*b);
                    todo.push(*b);
                }
            }
        }
        found
    }

    /// Tries everything that may have happened, by steps of `ops`, and keeps what `keep` takes.
    /// `None`: that was too much.
    fn explore(
        &self,
        ops: &BTreeSet<No>,
        mut keep: impl FnMut(&Config, &mut BTreeSet<Config>) -> bool,
    ) -> Option<BTreeSet<Config>> {
        let mut kept = BTreeSet::new();
        let mut seen: BTreeSet<Config> = self.configs.iter().cloned().collect();
        let mut todo = self.configs.clone();
        while let Some(config) = todo.pop() {
            if keep(&config, &mut kept) {
                continue;
            }
            for no in ops {
                for (state, stage) in next(&self.env, &self.pending, &config, *no) {
                    let mut stages = config.stages.clone();
                    // Back at the start.
                    if stage == Stage::Start {
                        stages.remove(no);
                    } else {
                        stages.insert(*no, stage);
                    }
                    let next = Config { state, stages };
                    if seen.insert(next.clone()) {
                        todo.push(next);
                    }
                }
            }
            if seen.len() > MAX_TRIES || kept.len() > MAX_CONFIGS {
                return None;
            }
        }
        Some(kept)
    }

    /// An operation was answered.
    pub(super) fn answer(&mut self, no: No, answer: Answer<'_>) -> Result<(), String> {
        let Some(op) = self.pending.get(&no).cloned() else {
            return Ok(());
        };
        let ops = self.related(no);
        let mut expected = BTreeSet::new();
        let found = self.explore(&ops, |config, kept| {
            let stage = config.stage(no);
            if let Stage::Over(outcome) = stage {
                if agrees(&op, outcome, answer) {
                    let mut config = config.clone();
                    config.stages.remove(&no);
                    kept.insert(config);
                } else if expected.len() < 8 {
                    expected.insert(describe(outcome));
                }
                return true;
            }
            if refusable(&op, stage, answer) {
                let states = match &op.what {
                    What::Create(c) => abandon(&config.state, no, c, stage),
                    _ => vec![config.state.clone()],
                };
                for state in states {
                    let mut stages = config.stages.clone();
                    stages.remove(&no);
                    kept.insert(Config { state, stages });
                }
            }
            false
        });
        match found {
            None => self.give_up(&ops),
            Some(kept) if kept.is_empty() => {
                return Err(format!(
                    "{:?} on {:?} was answered {} {}; possible: {}",
                    op.what,
                    op.paths,
                    answer.status,
                    gist(answer.body),
                    expected.into_iter().collect::<Vec<_>>().join(" or "),
                ));
            }
            Some(kept) => self.configs = kept.into_iter().collect(),
        }
        self.pending.remove(&no);
        self.settle_names();
        for other in self.pending.values_mut() {
            if other.creator == Some(no) && answer.status.is_error() {
                other.failed = Some(answer.status);
            }
        }
        if matches!(op.what, What::Create(_)) && answer.status.is_error() {
            self.paths.remove(&no);
        }
        Ok(())
    }

    /// Nothing happens any more by itself.
    pub(super) fn settled(&mut self) -> Result<(), String> {
        self.finish_unasked();
        self.settle_names();
        self.check_waiters()?;
        self.sweep();
        Ok(())
    }

    /// What nobody waits for has come to its end.
    fn finish_unasked(&mut self) {
        let unasked = |op: &Op| op.orphan || (op.asker.is_none() && op.owner.is_none());
        loop {
            let Some((first, _)) = self.pending.iter().find(|(_, op)| unasked(op)) else {
                return;
            };
            let ops: BTreeSet<No> = self
                .related(*first)
                .into_iter()
                .filter(|no| self.pending.get(no).is_some_and(unasked))
                .collect();
            let found = self.explore(&ops, |config, kept| {
                let over = |no| matches!(config.stage(no), Stage::Over(_));
                if !ops.iter().all(|no| over(*no)) {
                    return false;
                }
                let mut config = config.clone();
                config.stages.retain(|no, _| !ops.contains(no));
                kept.insert(config);
                true
            });
            match found {
                Some(kept) if !kept.is_empty() => self.configs = kept.into_iter().collect(),
                _ => self.give_up(&ops),
            }
            for no in &ops {
                if let Some(op) = self.pending.remove(no) {
                    let ended = match op.what {
                        What::Create(_) => Some(*no),
                        What::Close { open, .. } => Some(open),
                        _ => None,
                    };
                    // Operations that wait for others may still name it.
                    if let Some(ended) = ended
                        && !self
                            .configs
                            .iter()
                            .any(|c| c.state.opens.contains_key(&ended))
                    {
                        self.paths.remove(&ended);
                    }
                }
            }
        }
    }

    /// Locks that wait: none of them may be there to be had.
    fn check_waiters(&mut self) -> Result<(), String> {
        let waiting: Vec<No> = self
            .pending
            .iter()
            .filter(|(_, op)| {
                matches!(op.what, What::Lock { .. })
                    && op.lenient != Lenient::Any
                    && op.owner.is_none()
                    && !op.orphan
            })
            .map(|(no, _)| *no)
            .collect();
        for no in waiting {
            let rightly = |config: &Config| {
                *config.stage(no) == Stage::Start
                    && next(&self.env, &self.pending, config, no).is_empty()
            };
            if !self.configs.iter().any(rightly) {
                let op = &self.pending[&no];
                return Err(format!(
                    "{:?} on {:?} could be answered and waits",
                    op.what, op.paths
                ));
            }
            let kept = self.configs.iter().filter(|c| rightly(c)).cloned();
            self.configs = kept.collect();
        }
        Ok(())
    }

    /// The search was too much: stops following what it was about.
    fn give_up(&mut self, ops: &BTreeSet<No>) {
        self.given_up += 1;
        let paths: BTreeSet<Path> = ops
            .iter()
            .filter_map(|no| self.pending.get(no))
            .flat_map(|op| op.paths.iter().cloned())
            .collect();
        for path in paths {
            self.forget(&path);
        }
        self.tidy();
        if self.configs.len() > MAX_CONFIGS {
            self.forget("");
            self.tidy();
        }
    }

    /// Possibilities that no longer differ become one.
    pub(super) fn tidy(&mut self) {
        for config in &mut self.configs {
            config.state.sweep(&self.env);
        }
        self.configs.sort();
        self.configs.dedup();
    }

    /// A request that owned operations was refused: they never were.
    pub(super) fn disown(&mut self, owner: No) {
        let owned: Vec<No> = self
            .pending
            .iter()
            .filter(|(_, op)| op.owner == Some(owner))
            .map(|(no, _)| *no)
            .collect();
        self.configs
            .retain(|c| owned.iter().all(|no| *c.stage(*no) == Stage::Start));
        for no in owned {
            self.pending.remove(&no);
        }
    }
}

/// Whether two operations can matter to each other.
fn matter(a: No, of_a: &Op, b: No, of_b: &Op) -> bool {
    let linked =
        |x: No, op: &Op| op.after == Some(x) || op.creator == Some(x) || op.what.open() == Some(x);
    if linked(a, of_b) || linked(b, of_a) {
        return true;
    }
    let naming = of_a.what.naming() && of_b.what.naming();
    of_a.paths.iter().any(|p| {
        of_b.paths.iter().any(|q| {
            p == q || (naming && !p.is_empty() && !q.is_empty() && (beneath(p, q) || beneath(q, p)))
        })
    })
}

/// Whether the operation may be refused as it was, at this stage, for reasons that lie outside.
fn refusable(op: &Op, stage: &Stage, answer: Answer<'_>) -> bool {
    let status = answer.status;
    if !status.is_error() || !matches!(answer.body, Response::Error(_)) {
        return false;
    }
    let full = [NtStatus::DISK_FULL, NtStatus::QUOTA_EXCEEDED].contains(&status);
    let grows = matches!(
        op.what,
        What::Create(_)
            | What::Write { .. }
            | What::Resize { .. }
            | What::Copy { .. }
            | What::Smash { .. }
    );
    op.faults.contains(&status.0)
        || (full && grows)
        || match op.lenient {
            Lenient::No => {
                let limits = [
                    NtStatus::INSUFFICIENT_RESOURCES,
                    NtStatus::NETWORK_SESSION_EXPIRED,
                ];
                let entering = status == NtStatus::INSUFFICIENT_RESOURCES
                    && matches!(op.what, What::Create(_));
                entering || (*stage == Stage::Start && limits.contains(&status))
            }
            Lenient::Start => *stage == Stage::Start,
            Lenient::Any => true,
        }
}

fn agrees(op: &Op, outcome: &Outcome, answer: Answer<'_>) -> bool {
    let Answer { status, body } = answer;
    let good = status == NtStatus::SUCCESS;
    match (outcome, body) {
        (Outcome::Refused(s), Response::Error(_)) => *s == status,
        (Outcome::Refused(_), _) => false,
        (Outcome::Done, Response::Error(_)) => false,
        (Outcome::Done, _) => good,
        (Outcome::Refusal, _) => status.is_error() && status != NtStatus::FILE_CLOSED,
        (Outcome::Copied(bytes), Response::Ioctl(r)) => SrvCopychunkResponse::parse(&r.output)
            .is_ok_and(|r| good && u64::from(r.total_bytes_written) == *bytes),
        (Outcome::Anything, _) => status != NtStatus::FILE_CLOSED,
        (Outcome::Data(data), Response::Read(r)) => good && r.data == *data,
        (Outcome::SomeData(max), Response::Read(r)) => good && r.data.len() <= *max as usize,
        (Outcome::SomeData(_), Response::Error(_)) => status == NtStatus::END_OF_FILE,
        (Outcome::Wrote(n), Response::Write(r)) => good && r.count == *n,
        (Outcome::Created { action, size, dir }, Response::Create(r)) => {
            good && r.create_action.0 == *action
                && size.is_none_or(|s| s == r.end_of_file)
                && r.file_attributes.contains(FileAttributes::DIRECTORY) == *dir
        }
        (Outcome::Info { size, pending, dir }, Response::QueryInfo(r)) => {
            FileStandardInformation::parse(&r.output).is_ok_and(|i| {
                good && size.is_none_or(|s| s == i.end_of_file)
                    && i.delete_pending == *pending
                    && i.directory == *dir
            })
        }
        (Outcome::Closed { size }, Response::Close(r)) => {
            let told = r.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
            let asked = matches!(op.what, What::Close { query: true, .. });
            good && if told {
                asked && size.is_none_or(|s| s == r.end_of_file)
            } else {
                !asked || !op.faults.is_empty()
            }
        }
        (
            Outcome::Data(_)
            | Outcome::SomeData(_)
            | Outcome::Wrote(_)
            | Outcome::Created { .. }
            | Outcome::Info { .. }
            | Outcome::Closed { .. }
            | Outcome::Copied(_)
            | Outcome::Gone,
            _,
        ) => false,
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(status) => status.to_string(),
        Outcome::Data(data) => format!("{} bytes {}", data.len(), start(data)),
        other => format!("{other:?}"),
    }
}

fn gist(body: &Response) -> String {
    match body {
        Response::Read(r) => format!("({} bytes {})", r.data.len(), start(&r.data)),
        Response::Create(r) => format!(
            "({:?}, size {}, {:?})",
            r.create_action, r.end_of_file, r.file_attributes
        ),
        Response::Close(r) => format!("({:?}, size {})", r.flags, r.end_of_file),
        Response::Write(r) => format!("({} bytes)", r.count),
        Response::QueryInfo(r) => match FileStandardInformation::parse(&r.output) {
            Ok(i) => format!("({i:?})"),
            Err(_) => String::new(),
        },
        _ => String::new(),
    }
}

/// The first bytes.
fn start(data: &[u8]) -> String {
    let some: Vec<String> = data.iter().take(12).map(|b| format!("{b:02x}")).collect();
    some.join("")
}
