//! Two backends that get the same operations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use driver_mio::fs::{LocalFs, LocalOptions};
use driver_sim::memory::MemoryFs;
use smb_engine::identity::Identity;
use smb_engine::names::same_name;
use smb_engine::vfs::{
    Backend, Capabilities, Creation, DataAccess, DirItem, FileInfo, Location, OpenHow, SharePath,
    VfsHandle, VfsOp, VfsReply, VfsResult,
};
use smb_proto::FileTime;
use smb_proto::info::SecurityInformation;

use crate::act::{creation, security};
use crate::same::Clock;
use crate::step::{Name, SLOTS, Which};

/// Bytes in a stream at most: more than an attribute holds.
pub(crate) const STREAM_MAX: u64 = 70_000;
/// A handle that nobody has given out, of the present (those of snapshots are marked in their upper bits).
pub(crate) const NO_HANDLE: VfsHandle = VfsHandle(u32::MAX as u64);

/// What is open under the same number in both.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) handles: [VfsHandle; 2],
    pub(crate) at: Location,
    /// What the server said it would do with the data.
    pub(crate) data: DataAccess,
    /// Names that a walk has shown so far, of each.
    pub(crate) walked: [Vec<DirItem>; 2],
    /// Names of the directory changed since the walk began.
    pub(crate) disturbed: bool,
    pub(crate) walking: bool,
}

/// How often each kind of operation was carried out.
pub(crate) type Done = RefCell<BTreeMap<&'static str, u32>>;

pub(crate) struct Twin<'a> {
    local: LocalFs,
    memory: MemoryFs,
    pub(crate) by: Identity,
    pub(crate) clock: Clock,
    pub(crate) slots: [Option<Slot>; SLOTS],
    /// Steps so far, which give each write bytes of its own.
    pub(crate) count: u8,
    pub(crate) done: &'a Done,
    _dir: tempfile::TempDir,
}

pub(crate) fn location(name: &Name) -> Location {
    let (path, stream) = match name.0.split_once(':') {
        Some((path, stream)) => (path, Some(stream.to_owned())),
        None => (&name.0[..], None),
    };
    Location {
        path: SharePath::new(path).expect("steps use proper paths"),
        stream,
    }
}

macro_rules! kinds {
    ($($kind:ident)*; $($other:ident)*) => {
        /// All kinds of operations that steps carry out.
        pub(crate) const KINDS: &[&str] = &[$(stringify!($kind)),*];

        fn kind_of(op: &VfsOp) -> &'static str {
            match op {
                $(VfsOp::$kind { .. } => stringify!($kind),)*
                $(VfsOp::$other { .. } => stringify!($other),)*
            }
        }
    };
}

kinds! {
    Open OpenById Create Overwrite Close Read Write Flush Stat SetBasic SetSize SetAllocation Rename
    Link Remove CheckEmpty List Streams Eas SetEas Security SetSecurity Volume CopyRange ZeroRange
    AllocatedRanges SetSparse SetCompression Trim ObjectId SetObjectId Reparse SetReparse
    DeleteReparse;
    // Taken by others, and not there without being set up: the contract's checks try them.
    Snapshots OpenSnapshot Quotas SetQuota Watch
}

fn infos(answer: &mut VfsResult) -> Vec<&mut FileInfo> {
    match answer {
        Ok(VfsReply::Opened(o)) => vec![&mut o.info],
        Ok(VfsReply::Missing(m)) => vec![&mut m.parent],
        Ok(VfsReply::Info(info)) => vec![info],
        Ok(VfsReply::Listing(l)) => l.items.iter_mut().map(|i| &mut i.info).collect(),
        _ => Vec::new(),
    }
}

/// Where two values differ: lines of one that the other does not have.
fn differences(local: &VfsResult, memory: &VfsResult) -> String {
    let texts = [local, memory].map(|value| format!("{value:#?}"));
    let [a, b] = texts.each_ref().map(|t| t.lines().collect::<Vec<_>>());
    let mut out = String::new();
    for (side, mine, other) in [(" local", &a, &b), ("memory", &b, &a)] {
        let own = mine.iter().filter(|line| !other.contains(line));
        let own: String = own.map(|line| format!("{side}: {line}\n")).collect();
        out.push_str(&own);
    }
    if out.is_empty() {
        return format!("in the order of lines\n local: {local:?}\nmemory: {memory:?}");
    }
    out
}

impl<'a> Twin<'a> {
    pub(crate) fn new(parent: &Path, done: &'a Done) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("smb-differential")
            .tempdir_in(parent)
            .unwrap_or_else(|e| panic!("a directory in {}: {e}", parent.display()));
        let options = LocalOptions {
            hide_dot_files: false,
            ..LocalOptions::default()
        };
        let local = LocalFs::open(dir.path(), options).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let past = now - Duration::from_secs(3600);
        let time = |d: Duration| FileTime::from_unix(d.as_secs().try_into().unwrap(), 0);
        let capabilities = local.capabilities() | Capabilities::OPEN_BY_ID;
        let memory = MemoryFs::new(1, time(now)).with_capabilities(capabilities);
        let twin = Self {
            local,
            memory,
            by: Identity::system(),
            clock: Clock(time(past)),
            slots: [const { None }; SLOTS],
            count: 0,
            done,
            _dir: dir,
        };
        // The descriptor of a directory that was there before is the host's affair.
        let how = OpenHow {
            data: DataAccess::Read,
            open_reparse: false,
        };
        let at = Location::default();
        let root = twin.execute(|_| VfsOp::Open {
            at: at.clone(),
            how,
        });
        twin.describe_new(&root, 0).expect("the root directory");
        for (side, answer) in root.into_iter().enumerate() {
            let Ok(VfsReply::Opened(opened)) = answer else {
                panic!("the root directory does not open: {answer:?}")
            };
            twin.backend(side)
                .execute(
                    &twin.by,
                    VfsOp::Close {
                        handle: opened.handle,
                    },
                )
                .unwrap();
        }
        twin
    }

    /// Directories and a file to begin with, so that most steps find something.
    pub(crate) fn furnish(&mut self) -> Result<(), String> {
        for (slot, name, directory) in [(0, "d", true), (1, "d\\e", true), (2, "a", false)] {
            let at = location(&Name(name.to_owned()));
            self.create(slot, &at, creation(directory, 0, &[], 0), 0)?;
        }
        Ok(())
    }

    pub(crate) fn backend(&self, side: usize) -> &dyn Backend {
        match side {
            0 => &self.local,
            _ => &self.memory,
        }
    }

    pub(crate) fn execute(&self, op: impl Fn(usize) -> VfsOp) -> [VfsResult; 2] {
        [0, 1].map(|side| {
            let op = op(side);
            let kind = kind_of(&op);
            let answer = self.backend(side).execute(&self.by, op);
            if side == 0 && answer.is_ok() {
                *self.done.borrow_mut().entry(kind).or_default() += 1;
            }
            answer
        })
    }

    pub(crate) fn handle(&self, slot: usize, side: usize) -> VfsHandle {
        self.slots[slot]
            .as_ref()
            .map_or(NO_HANDLE, |s| s.handles[side])
    }

    /// Both, and whether they answer the same; the answer of the local one.
    pub(crate) fn same(&self, op: impl Fn(usize) -> VfsOp) -> Result<VfsResult, String> {
        let [local, memory] = self.execute(op);
        self.compare(&local, &memory)?;
        Ok(local)
    }

    pub(crate) fn compare(&self, local: &VfsResult, memory: &VfsResult) -> Result<(), String> {
        let (mut a, mut b) = (self.clock.answer(local), self.clock.answer(memory));
        // The host moves the time of the last change on for reasons of its own.
        for (a, b) in infos(&mut a).into_iter().zip(infos(&mut b)) {
            if a.change == FileTime(u64::MAX) {
                b.change = a.change;
            }
        }
        if a == b {
            return Ok(());
        }
        Err(format!("the answers differ\n{}", differences(&a, &b)))
    }

    pub(crate) fn on(
        &self,
        slot: usize,
        op: impl Fn(VfsHandle) -> VfsOp,
    ) -> Result<VfsResult, String> {
        self.same(|side| op(self.handle(slot, side)))
    }

    /// As much as a stream can hold on the host, if this is one.
    pub(crate) fn clamp(&self, slot: usize, place: u64) -> u64 {
        match &self.slots[slot] {
            Some(s) if s.at.stream.is_some() => place % STREAM_MAX,
            _ => place,
        }
    }

    pub(crate) fn close(&mut self, slot: usize) -> Result<(), String> {
        let answer = self.on(slot, |handle| VfsOp::Close { handle })?;
        match (self.slots[slot].take(), answer) {
            (Some(_), Err(e)) => Err(format!("closing what is open: {e}")),
            _ => Ok(()),
        }
    }

    /// Gives something new the descriptor of this number, and says whether that worked alike.
    fn describe_new(&self, answers: &[VfsResult; 2], number: u8) -> Result<(), String> {
        let handles = answers.each_ref().map(|a| match a {
            Ok(VfsReply::Opened(opened)) => opened.handle,
            _ => NO_HANDLE,
        });
        self.same(|side| VfsOp::SetSecurity {
            handle: handles[side],
            parts: SecurityInformation::OWNER
                | SecurityInformation::GROUP
                | SecurityInformation::DACL,
            descriptor: security(number),
        })?
        .map(drop)
        .map_err(|e| e.to_string())
    }

    /// Keeps what was opened.
    pub(crate) fn keep(
        &mut self,
        slot: usize,
        data: DataAccess,
        answers: [VfsResult; 2],
    ) -> Result<(), String> {
        self.compare(&answers[0], &answers[1])?;
        let [Ok(VfsReply::Opened(local)), Ok(VfsReply::Opened(memory))] = answers else {
            return Ok(());
        };
        if self.slots[slot].is_some() {
            self.close(slot)?;
        }
        self.slots[slot] = Some(Slot {
            handles: [local.handle, memory.handle],
            at: local.at,
            data,
            walked: Default::default(),
            disturbed: false,
            walking: false,
        });
        Ok(())
    }

    pub(crate) fn create(
        &mut self,
        slot: usize,
        at: &Location,
        mut what: Creation,
        number: u8,
    ) -> Result<(), String> {
        // A descriptor of the host's own making cannot be the same: it is replaced at once.
        let own = number == 4;
        what.security = (!own).then(|| security(number));
        let mut answers = self.execute(|_| VfsOp::Create {
            at: at.clone(),
            what: what.clone(),
        });
        if own && answers.iter().all(Result::is_ok) {
            if at.stream.is_none() {
                self.describe_new(&answers, number)?;
            }
            if let [Ok(VfsReply::Opened(local)), Ok(VfsReply::Opened(memory))] = &mut answers {
                memory.security.clone_from(&local.security);
            }
        }
        let made = answers[0].is_ok();
        self.keep(slot, DataAccess::ReadWrite, answers)?;
        if made && own && at.stream.is_some() {
            // It may have made the file as well.
            self.on(slot, |handle| VfsOp::SetSecurity {
                handle,
                parts: SecurityInformation::OWNER
                    | SecurityInformation::GROUP
                    | SecurityInformation::DACL,
                descriptor: security(number),
            })?
            .map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    pub(crate) fn own_or(&self, slot: usize, which: &Which) -> Location {
        match (which, &self.slots[slot]) {
            (Which::Other(name), _) => location(name),
            (Which::Own, Some(slot)) => slot.at.clone(),
            (Which::Own, None) => location(&Name("a".to_owned())),
        }
    }

    /// The names of a directory have changed, so a walk may show the old or the new.
    pub(crate) fn disturb(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            slot.disturbed = true;
        }
    }

    pub(crate) fn rename(
        &mut self,
        slot: usize,
        from: &Location,
        to: &Location,
        replace: bool,
    ) -> Result<(), String> {
        let answer = self.on(slot, |handle| VfsOp::Rename {
            handle,
            from: from.clone(),
            to: to.clone(),
            replace,
        })?;
        if answer.is_err() {
            return Ok(());
        }
        // Every handle of what was renamed, and of what lies beneath, has a new name.
        for open in self.slots.iter_mut().flatten() {
            if to.stream.is_some() {
                let same_file = open.at.path.beneath(&from.path) == Some("");
                let same_stream = match (&open.at.stream, &from.stream) {
                    (Some(a), Some(b)) => same_name(a, b),
                    _ => false,
                };
                if same_file && same_stream {
                    open.at.stream.clone_from(&to.stream);
                }
            } else if let Some(rest) = open.at.path.beneath(&from.path) {
                let new = match rest {
                    "" => to.path.as_str().to_owned(),
                    rest => format!("{}\\{rest}", to.path),
                };
                open.at.path = SharePath::new(&new).expect("made of two proper paths");
            }
        }
        Ok(())
    }

    pub(crate) fn info(&self, handles: [VfsHandle; 2]) -> Result<FileInfo, String> {
        match self.same(|side| VfsOp::Stat {
            handle: handles[side],
        })? {
            Ok(VfsReply::Info(info)) => Ok(info),
            other => Err(format!("no information about what is open: {other:?}")),
        }
    }

    pub(crate) fn data(&self, handles: [VfsHandle; 2], size: u64) -> Result<Vec<u8>, String> {
        let len = u32::try_from(size).map_err(|_| format!("a file of {size} bytes"))?;
        match self.same(|side| VfsOp::Read {
            handle: handles[side],
            offset: 0,
            len,
        })? {
            Ok(VfsReply::Data(data)) => Ok(data.data().to_vec()),
            Err(e) => Err(format!("no data: {e}")),
            other => Err(format!("no data: {other:?}")),
        }
    }

    pub(crate) fn handles(&self, slot: usize) -> [VfsHandle; 2] {
        [self.handle(slot, 0), self.handle(slot, 1)]
    }

    /// Everything that the two hold, first through what is still open, then by name.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        for slot in 0..SLOTS {
            if self.slots[slot].is_none() {
                continue;
            }
            let handles = self.handles(slot);
            let info = self
                .info(handles)
                .map_err(|e| format!("at the end, slot {slot}: {e}"))?;
            let data = self.slots[slot].as_ref().map(|s| s.data);
            if info.is_directory() && data != Some(DataAccess::None) {
                self.list(handles, "*", 3)
                    .map_err(|e| format!("at the end, slot {slot}: {e}"))?;
            }
            self.close(slot)?;
        }
        self.tree()?;
        match self.memory.open_handles() {
            0 => Ok(()),
            n => Err(format!("{n} handles left")),
        }
    }

    /// The identities of what is open.
    pub(crate) fn nodes(
        &self,
        handles: [VfsHandle; 2],
    ) -> Result<[smb_engine::vfs::NodeId; 2], String> {
        let answers = self.execute(|side| VfsOp::Stat {
            handle: handles[side],
        });
        match answers {
            [Ok(VfsReply::Info(a)), Ok(VfsReply::Info(b))] => Ok([a.node, b.node]),
            other => Err(format!("no information: {other:?}")),
        }
    }

    /// Opens a name in both.
    pub(crate) fn open_both(&self, at: &Location) -> Result<[VfsHandle; 2], String> {
        let how = OpenHow {
            data: DataAccess::ReadWrite,
            open_reparse: true,
        };
        let answers = self.execute(|_| VfsOp::Open {
            at: at.clone(),
            how,
        });
        self.compare(&answers[0], &answers[1])?;
        match answers {
            [Ok(VfsReply::Opened(a)), Ok(VfsReply::Opened(b))] => Ok([a.handle, b.handle]),
            [local, _] => Err(format!("{at:?} does not open: {local:?}")),
        }
    }
}
