//! The disk: the file system in memory, with delays and failures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smb_engine::identity::Identity;
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::{
    Backend, DataAccess, Location, OpenHow, SharePath, VfsError, VfsOp, VfsReply, VfsRequest,
    VfsResult, WriteAt,
};

use super::dice::Dice;
use super::plan::DiskPlan;
use super::step::{Edit, NAMES};
use crate::check::{Outside, Panel, Seen};
use crate::memory::MemoryFs;

/// The disk of a world.
pub(super) struct Disk {
    pub(super) fs: Arc<MemoryFs>,
    plan: DiskPlan,
    dice: Dice,
    /// Everything fails until then.
    down_until: Instant,
    /// Failures made, by kind.
    pub(super) injected: BTreeMap<&'static str, u64>,
}

/// Whether an operation takes space.
fn takes_space(op: &VfsOp) -> bool {
    matches!(
        op,
        VfsOp::Write { .. }
            | VfsOp::Create { .. }
            | VfsOp::SetSize { .. }
            | VfsOp::SetAllocation { .. }
            | VfsOp::CopyRange { .. }
    )
}

impl Disk {
    pub(super) fn new(fs: Arc<MemoryFs>, plan: DiskPlan, dice: Dice) -> Self {
        if plan.capacity > 0 {
            fs.set_capacity(plan.capacity);
        }
        Self {
            fs,
            plan,
            dice,
            down_until: Instant(0),
            injected: BTreeMap::new(),
        }
    }

    /// Nothing fails any more, and there is space.
    pub(super) fn heal(&mut self) {
        self.plan = DiskPlan::calm();
        self.down_until = Instant(0);
        self.fs.set_capacity(1 << 28);
    }

    pub(super) fn down(&mut self, until: Instant) {
        self.down_until = until;
        self.count("disk down");
    }

    pub(super) fn count(&mut self, kind: &'static str) {
        *self.injected.entry(kind).or_default() += 1;
    }

    /// How long an operation takes.
    pub(super) fn delay(&mut self) -> Duration {
        if self.dice.chance(u64::from(self.plan.slow_percent), 100) {
            return Duration::from_millis(self.dice.below(self.plan.slow_ms + 1));
        }
        let (low, high) = self.plan.latency_us;
        Duration::from_micros(self.dice.between(low, high))
    }

    /// Whether an operation is carried out as soon as it is asked for, though answered later; else
    /// right before its answer.
    pub(super) fn at_once(&mut self) -> bool {
        self.dice.chance(1, 4)
    }

    /// Carries out an operation, or lets it fail, and tells the checkers what they could not know.
    pub(super) fn carry_out(&mut self, now: Now, request: &VfsRequest, panel: &Panel) -> VfsResult {
        let op = &request.op;
        if let Some(error) = self.failure(now, op) {
            return self.fail(now, request, error, panel);
        }
        if let (true, VfsOp::Read { .. }) = (self.one_in(self.plan.short_reads), op) {
            self.count("short read");
            panel.tell(now, &Seen::Outside(Outside::ShortRead { op }));
            let result = self.fs.execute(&request.by, op.clone());
            return result.map(|reply| match reply {
                VfsReply::Data(mut data) => {
                    let keep = self.dice.below(data.len() as u64 + 1);
                    data.truncate(usize::try_from(keep).unwrap_or(0));
                    VfsReply::Data(data)
                }
                other => other,
            });
        }
        let result = self.fs.execute(&request.by, op.clone());
        if let Err(error @ VfsError::NoSpace) = &result {
            self.count("no space");
            panel.tell(now, &Seen::Outside(Outside::Fault { op, error }));
        }
        result
    }

    fn one_in(&mut self, ten_thousand: u16) -> bool {
        ten_thousand > 0 && self.dice.chance(u64::from(ten_thousand), 10_000)
    }

    fn failure(&mut self, now: Now, op: &VfsOp) -> Option<VfsError> {
        if now.mono < self.down_until || self.one_in(self.plan.eio) {
            self.count("input/output error");
            return Some(VfsError::Io);
        }
        if takes_space(op) && self.one_in(self.plan.quota) {
            self.count("quota");
            return Some(VfsError::Quota);
        }
        None
    }

    fn fail(
        &mut self,
        now: Now,
        request: &VfsRequest,
        error: VfsError,
        panel: &Panel,
    ) -> VfsResult {
        let op = &request.op;
        let torn = match op {
            // The handle is gone all the same.
            VfsOp::Close { .. } => {
                // What the backend would have said of a handle that it does not know is lost too.
                let _ = self.fs.execute(&request.by, op.clone());
                true
            }
            VfsOp::Write {
                handle,
                at: at @ WriteAt::Offset(_),
                data,
                through,
            } if self.dice.chance(1, 2) => {
                let part = usize::try_from(self.dice.below(data.len() as u64 + 1)).unwrap_or(0);
                let half = VfsOp::Write {
                    handle: *handle,
                    at: *at,
                    data: data.slice(..part),
                    through: *through,
                };
                // Whether this part could be written at all does not matter: it failed.
                let _ = self.fs.execute(&request.by, half);
                true
            }
            _ => false,
        };
        let error_ref = &error;
        let outside = if torn {
            Outside::Torn {
                op,
                error: error_ref,
            }
        } else {
            Outside::Fault {
                op,
                error: error_ref,
            }
        };
        panel.tell(now, &Seen::Outside(outside));
        Err(error)
    }

    /// Somebody changes the share past the server. What cannot be done is not done.
    pub(super) fn edit(&self, now: Now, edit: &Edit, panel: &Panel) -> Result<(), VfsError> {
        let name = |n: u8| NAMES[usize::from(n) % NAMES.len()];
        let touched = |path: &str| {
            // Directories on the way, and the file of a stream, are made where they are missing.
            let path = path.split(['\\', ':']).next().unwrap_or(path);
            panel.tell(now, &Seen::Outside(Outside::Touched { path }));
        };
        match *edit {
            Edit::Write { name: n, len, fill } => {
                touched(name(n));
                let len = usize::try_from(len).unwrap_or(0);
                self.fs.write_file(name(n), &vec![fill; len])
            }
            Edit::MakeDir { name: n } => {
                touched(name(n));
                self.fs.make_dir(name(n))
            }
            Edit::Remove { name: n } => {
                touched(name(n));
                self.with_open(name(n), |handle, at| VfsOp::Remove { handle, at })
            }
            Edit::Rename { from, to } => {
                touched(name(from));
                touched(name(to));
                let to = location(name(to)).ok_or(VfsError::InvalidName)?;
                self.with_open(name(from), |handle, from| VfsOp::Rename {
                    handle,
                    from,
                    to,
                    replace: false,
                })
            }
        }
    }

    fn with_open(
        &self,
        name: &str,
        op: impl FnOnce(smb_engine::vfs::VfsHandle, Location) -> VfsOp,
    ) -> Result<(), VfsError> {
        let by = Identity::system();
        let at = location(name).ok_or(VfsError::InvalidName)?;
        let how = OpenHow {
            data: DataAccess::None,
            open_reparse: true,
        };
        let opened = self.fs.execute(&by, VfsOp::Open { at, how })?;
        let VfsReply::Opened(opened) = opened else {
            return Err(VfsError::NotFound);
        };
        let result = self.fs.execute(&by, op(opened.handle, opened.at));
        self.fs.execute(
            &by,
            VfsOp::Close {
                handle: opened.handle,
            },
        )?;
        result.map(|_| ())
    }

    /// The machine loses its power: what was not flushed is lost, in part or wholly, and nothing is
    /// open any more.
    pub(super) fn crash(&mut self, now: Now, panel: &Panel) {
        self.count("crash");
        let dice = &mut self.dice;
        self.fs.crash(&mut || dice.chance(1, 2));
        panel.tell(now, &Seen::Outside(Outside::Lost));
    }
}

fn location(name: &str) -> Option<Location> {
    if name.is_empty() {
        return None;
    }
    let (path, stream) = match name.split_once(':') {
        Some((path, stream)) => (path, Some(stream.to_owned())),
        None => (name, None),
    };
    Some(Location {
        path: SharePath::new(path)?,
        stream,
    })
}
