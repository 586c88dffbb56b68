//! A storm: several clients that do anything at any time with a few files, on a disk that answers in
//! any order, and sometimes fails. All of it follows from the seed, also which kinds of things happen.

use std::panic::{AssertUnwindSafe, catch_unwind};

use driver_sim::check::{self, Checker, Panel};
use driver_sim::client::{Part, Random, Seal, ops};
use driver_sim::pair::{Pair, Tree};
use smb_engine::mutation::Mutation;
use smb_engine::vfs::{VfsError, VfsOp};
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, ZeroData};
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::FileRenameInformation;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{self, close, logoff, tree_disconnect};
use smb_proto::wire::Writer;

const NAMES: [&str; 5] = ["a", "b", "d", "d\\x", "d\\y"];
const CLIENTS: usize = 3;
/// Requests that one client has in flight at most.
const MAX_IN_FLIGHT: usize = 3;

/// One storm.
pub(crate) struct Storm {
    pub(crate) pair: Pair,
    r: Random,
    clients: Vec<Client>,
    /// Kinds of requests that happen at all.
    kinds: Vec<Kind>,
    /// Of ten steps, so many let the disk answer one thing (10: it answers at once).
    disk: u64,
    breaks: bool,
    malice: bool,
    /// Everybody shares everything of one or two files.
    crowd: bool,
    /// Everybody only watches and makes things in a directory.
    watch: bool,
    /// The machine loses its power from time to time; a sequence of its own, so that nothing else of the
    /// storm depends on it.
    power: Option<Random>,
    /// What every engine of this storm does wrong.
    mutation: Option<Mutation>,
}

struct Client {
    tree: Tree,
    files: Vec<(FileId, &'static str)>,
    sent: Vec<(MessageId, Option<&'static str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Close,
    Read,
    Write,
    Resize,
    Zero,
    Lock,
    Delete,
    Rename,
    Query,
    Flush,
    Notify,
    List,
    Cancel,
    Compound,
    Foreign,
}

const OPTIONAL: [Kind; 13] = [
    Kind::Read,
    Kind::Write,
    Kind::Resize,
    Kind::Zero,
    Kind::Lock,
    Kind::Delete,
    Kind::Rename,
    Kind::Query,
    Kind::Flush,
    Kind::Notify,
    Kind::List,
    Kind::Compound,
    Kind::Foreign,
];

impl Storm {
    /// A storm that all checkers watch.
    pub(crate) fn new(seed: u64) -> Self {
        Self::watched(seed, check::all())
    }

    /// A storm that these checkers watch.
    pub(crate) fn watched(seed: u64, checkers: Vec<Box<dyn Checker>>) -> Self {
        let mut r = Random::new(seed ^ 0x5707);
        let mut pair = Pair::builder()
            .seed(seed)
            .panel(Panel::new(checkers))
            .build();
        let clients = (0..CLIENTS)
            .map(|_| Client {
                tree: pair.mount(),
                files: Vec::new(),
                sent: Vec::new(),
            })
            .collect();
        let mut kinds = vec![Kind::Create; 5];
        kinds.extend([Kind::Close; 3]);
        for kind in OPTIONAL {
            let weight = r.below(5);
            kinds.extend((0..weight).map(|_| kind));
        }
        kinds.extend([Kind::Cancel]);
        let crowd = r.below(2) == 0;
        let watch = r.below(4) == 0;
        if crowd {
            kinds.extend([Kind::Lock; 8]);
            kinds.extend([Kind::Write; 4]);
        }
        if watch {
            kinds.extend([Kind::Notify; 10]);
        }
        let disk = [10, 10, 3, 5, 8][r.below(5) as usize];
        if disk < 10 {
            pair.hold(|_| true);
        }
        let mut faults = Random::new(seed ^ 0xfa17);
        if r.below(3) == 0 {
            pair.inject(move |op| {
                let (error, one_in) = match op {
                    VfsOp::Overwrite { .. } => (VfsError::NoSpace, 2),
                    VfsOp::Write { .. } => (VfsError::NoSpace, 8),
                    VfsOp::Remove { .. } | VfsOp::Read { .. } | VfsOp::Rename { .. } => {
                        (VfsError::Io, 8)
                    }
                    _ => return None,
                };
                (faults.below(one_in) == 0).then_some(error)
            });
        }
        let breaks = r.below(2) == 0;
        let malice = r.below(4) == 0;
        let mut power = Random::new(seed ^ 0x90e4);
        let power = (power.below(3) == 0).then_some(power);
        if power.is_some() {
            pair.fs().track_stability();
        }
        Self {
            pair,
            r,
            clients,
            kinds,
            disk,
            breaks,
            malice,
            crowd,
            watch,
            power,
            mutation: None,
        }
    }

    /// The same with an engine that makes a mistake.
    pub(crate) fn mutated(seed: u64, mutation: Mutation) -> Self {
        let mut storm = Self::new(seed);
        storm.pair.skip_invariants();
        storm.pair.engine().mutate(mutation);
        storm.mutation = Some(mutation);
        storm
    }

    /// So many steps, and the end of everything.
    pub(crate) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.pair.release();
        self.pair.finish();
    }

    fn step(&mut self) {
        if let Some(power) = &mut self.power
            && power.below(25) == 0
        {
            self.pair.lose_power(&mut || power.below(2) == 0);
            if let Some(mutation) = self.mutation {
                self.pair.engine().mutate(mutation);
            }
            for client in &mut self.clients {
                client.tree = self.pair.mount();
                client.files.clear();
                client.sent.clear();
            }
        }
        let held = self.pair.held() as u64;
        if held > 0 && (self.r.below(10) < self.disk || held > 12) {
            let n = self.r.below(held);
            self.pair.release_nth(n as usize);
        } else if self.r.below(40) == 0 {
            let ms = self.r.below(1500);
            self.pair.advance(std::time::Duration::from_millis(ms));
        } else {
            let who = self.r.below(CLIENTS as u64) as usize;
            self.act(who);
        }
        for who in 0..CLIENTS {
            self.collect(who);
        }
    }

    fn collect(&mut self, who: usize) {
        let client = &mut self.clients[who];
        let end = client.tree.end;
        let mut waiting = Vec::new();
        for (id, name) in std::mem::take(&mut client.sent) {
            match self.pair.reply(end, id) {
                None => waiting.push((id, name)),
                Some(reply) => {
                    if let (msg::Response::Create(r), Some(name)) = (reply.body, name) {
                        client.files.push((r.file_id, name));
                    }
                }
            }
        }
        client.sent = waiting;
        let connected = self.pair.is_connected(end);
        if !connected {
            let tree = self.pair.mount();
            self.clients[who] = Client {
                tree,
                files: Vec::new(),
                sent: Vec::new(),
            };
        }
    }

    fn act(&mut self, who: usize) {
        let tree = self.clients[who].tree;
        if self.breaks && self.r.below(30) == 0 {
            match self.r.below(4) {
                0 => drop(self.pair.start(tree, logoff::Request)),
                1 => drop(self.pair.start(tree, tree_disconnect::Request)),
                _ => {}
            }
            self.pair.disconnect(tree.end);
            return;
        }
        if self.malice && self.r.below(60) == 0 {
            let next = self.pair.client(tree.end).next_message_id().0;
            let id = [next + 9000, next.saturating_sub(1)][self.r.below(2) as usize];
            let part = Part::new(tree.target, msg::echo::Request).message_id(id);
            self.pair.client(tree.end).send_part(part);
            self.pair.run();
            return;
        }
        let kind = self.kinds[self.r.below(self.kinds.len() as u64) as usize];
        if kind == Kind::Cancel {
            let sent = &self.clients[who].sent;
            if !sent.is_empty() {
                let id = sent[self.r.below(sent.len() as u64) as usize].0;
                self.pair.client(tree.end).cancel(id);
                self.pair.run();
            }
            return;
        }
        if self.clients[who].sent.len() >= MAX_IN_FLIGHT {
            return;
        }
        if kind == Kind::Compound {
            let (create, name) = self.create();
            let parts = vec![
                Part::new(tree.target, create),
                Part::new(tree.target, ops::read(FileId::RELATED, 0, 20)).related(),
                Part::new(tree.target, ops::close(FileId::RELATED)).related(),
            ];
            let ids = self.pair.client(tree.end).send_sealed(parts, Seal::Auto);
            self.pair.run();
            let _ = name;
            self.clients[who]
                .sent
                .extend(ids.into_iter().map(|id| (id, None)));
            return;
        }
        let (request, name) = match kind {
            Kind::Create => {
                let (request, name) = self.create();
                (request.into(), Some(name))
            }
            _ => match self.on_file(who, kind) {
                Some(request) => (request, None),
                None => return,
            },
        };
        let id = self.pair.start(tree, request);
        self.clients[who].sent.push((id, name));
    }

    fn create(&mut self) -> (create::Request, &'static str) {
        let r = &mut self.r;
        let name = match (self.crowd, self.watch) {
            (_, true) => NAMES[2 + r.below(3) as usize],
            (true, false) => NAMES[r.below(2) as usize],
            (false, false) => NAMES[r.below(NAMES.len() as u64) as usize],
        };
        let directory = name == "d" && r.below(8) != 0;
        let disposition = match r.below(10) {
            _ if directory => {
                [CreateDisposition::OpenIf, CreateDisposition::Open][r.below(2) as usize]
            }
            0 => CreateDisposition::Supersede,
            1 => CreateDisposition::Create,
            2 | 3 => CreateDisposition::OverwriteIf,
            4 => CreateDisposition::Overwrite,
            5 => CreateDisposition::Open,
            _ => CreateDisposition::OpenIf,
        };
        let mut create_options = CreateOptions::empty();
        if directory {
            create_options |= CreateOptions::DIRECTORY_FILE;
        }
        if r.below(6) == 0 && name != "d" || r.below(24) == 0 {
            create_options |= CreateOptions::DELETE_ON_CLOSE;
        }
        let desired_access = match r.below(8) + 8 * u64::from(self.crowd) {
            0 => AccessMask::FILE_GENERIC_READ,
            1 => AccessMask::FILE_READ_ATTRIBUTES | AccessMask::DELETE,
            2 => AccessMask::FILE_READ_ATTRIBUTES,
            3 => AccessMask::FILE_APPEND_DATA | AccessMask::FILE_READ_DATA,
            4 => AccessMask::FILE_GENERIC_WRITE,
            5 => AccessMask::MAXIMUM_ALLOWED,
            _ => AccessMask::FILE_ALL_ACCESS,
        };
        let share = if r.below(3) == 0 && !self.crowd {
            r.below(8)
        } else {
            7
        };
        let request = create::Request {
            desired_access,
            share_access: ShareAccess::from_bits_retain(share as u32),
            create_options,
            ..ops::create(name, disposition)
        };
        (request, name)
    }

    fn on_file(&mut self, who: usize, kind: Kind) -> Option<msg::Request> {
        let owner = match kind {
            Kind::Foreign => (who + 1) % CLIENTS,
            _ => who,
        };
        let r = &mut self.r;
        let files = &mut self.clients[owner].files;
        if files.is_empty() {
            return None;
        }
        let at = r.below(files.len() as u64) as usize;
        let (file, name) = files[at];
        let mut bytes = vec![0; r.below(24) as usize];
        bytes.fill_with(|| r.below(256) as u8);
        Some(match kind {
            Kind::Close => {
                // Sometimes it is used once more.
                if r.below(5) != 0 {
                    files.remove(at);
                }
                let mut request = ops::close(file);
                if r.below(2) == 0 {
                    request.flags = close::CloseFlags::POSTQUERY_ATTRIB;
                }
                request.into()
            }
            Kind::Write => ops::write(file, r.below(24), bytes).into(),
            Kind::Resize => {
                let size = r.below(40).to_le_bytes().to_vec();
                let class = [FileInfoClass::EndOfFile, FileInfoClass::Allocation];
                ops::set_file(file, class[r.below(2) as usize], size).into()
            }
            Kind::Zero => {
                let mut w = Writer::new();
                ZeroData {
                    file_offset: r.below(10) as i64,
                    beyond_final_zero: 10 + r.below(20) as i64,
                }
                .encode(&mut w);
                ops::fsctl(file, FsctlCode::SET_ZERO_DATA, w.written().to_vec(), 0).into()
            }
            Kind::Lock => {
                let flags = [1, 2, 2, 4, 4, 4, 0x11, 0x12][r.below(8) as usize];
                let flags = LockFlags::from_bits_retain(flags);
                ops::lock(file, 8 * r.below(2), 8, flags).into()
            }
            Kind::Delete => {
                let on = u8::from(r.below(3) != 0);
                ops::set_file(file, FileInfoClass::Disposition, vec![on]).into()
            }
            Kind::Rename => {
                let to = NAMES[r.below(NAMES.len() as u64) as usize];
                let mut w = Writer::new();
                FileRenameInformation {
                    replace_if_exists: r.below(2) == 0,
                    root_directory: 0,
                    file_name: to.to_owned(),
                }
                .encode(&mut w);
                ops::set_file(file, FileInfoClass::Rename, w.written().to_vec()).into()
            }
            Kind::Query => ops::query_file(file, FileInfoClass::Standard).into(),
            Kind::Flush => ops::flush(file).into(),
            Kind::Notify if name == "d" => {
                let filter = [
                    CompletionFilter::FILE_NAME,
                    CompletionFilter::FILE_NAME | CompletionFilter::DIR_NAME,
                    CompletionFilter::SIZE,
                ];
                ops::notify(file, filter[r.below(3) as usize], r.below(2) == 0).into()
            }
            Kind::List if name == "d" => {
                ops::query_directory(file, FileInfoClass::IdBothDirectory, "*", 4096).into()
            }
            _ => ops::read(file, r.below(40), 1 + r.below(40) as u32).into(),
        })
    }
}

/// What went wrong in a storm, if anything did.
pub(crate) fn verdict(make: impl FnOnce() -> Storm, steps: usize) -> Option<String> {
    complaint(|| make().run(steps))
}

/// What a checker found first in this.
pub(crate) fn complaint(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
    Some(text.unwrap_or_else(|| "a panic without words".to_owned()))
}
