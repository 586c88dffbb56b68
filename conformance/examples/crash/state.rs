//! What the client knows to be so, and what it does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use driver_sim::client::{Random, Reply, ops};
use smb_proto::create_ctx::{
    DurableFlags, DurableReconnectV2, DurableRequestV2, Lease, LeaseFlags, LeaseState, LeaseV2,
    RawContext,
};
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::lock::{self, LockFlags};
use smb_proto::msg::{OplockLevel, Response};
use smb_proto::{Guid, NtStatus};

use crate::line::Line;
use crate::server::Server;

/// Bytes of a record.
const RECORD: u64 = 64;
const RWH: LeaseState = LeaseState::READ
    .union(LeaseState::WRITE)
    .union(LeaseState::HANDLE);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The server is killed and started again; the opens are persistent.
    Killed,
    /// The connection is cut; the opens are durable.
    Cut,
}

/// An open, from the moment at which it was asked for.
#[derive(Debug, Clone)]
struct Handle {
    name: String,
    guid: Guid,
    key: Option<LeaseKey>,
    /// `None`: there was no answer yet.
    file: Option<FileId>,
    /// It was closed, and there was no answer yet.
    closing: bool,
}

/// See the module's documentation.
pub(crate) struct State {
    mode: Mode,
    random: Random,
    next: u64,
    /// The first takes the records, the second the locks.
    handles: Vec<Handle>,
    /// Records that were acknowledged.
    records: u64,
    /// Locked ranges, by their first byte.
    locked: BTreeSet<u64>,
    /// Ranges that were unlocked.
    free: BTreeSet<u64>,
    locks: u64,
    /// A LOCK without answer.
    pending: Option<lock::Request>,
    done: BTreeMap<&'static str, u64>,
}

/// Why a round ends.
enum End {
    /// The connection is gone.
    Broken,
    /// Something is not as it should be.
    Wrong(anyhow::Error),
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::Other || e.kind() == io::ErrorKind::WouldBlock {
            Self::Wrong(e.into())
        } else {
            Self::Broken
        }
    }
}

impl From<anyhow::Error> for End {
    fn from(e: anyhow::Error) -> Self {
        Self::Wrong(e)
    }
}

impl State {
    pub(crate) fn new(mode: Mode, seed: u64) -> Self {
        let mut state = Self {
            mode,
            random: Random::new(seed ^ 1),
            next: 0,
            handles: Vec::new(),
            records: 0,
            locked: BTreeSet::new(),
            free: BTreeSet::new(),
            locks: 0,
            pending: None,
            done: BTreeMap::new(),
        };
        state.wish("records", true);
        // Without lease it keeps everybody else off until its client is back.
        state.wish("locks", mode == Mode::Cut);
        state
    }

    fn wish(&mut self, name: &str, lease: bool) {
        self.next += 1;
        let number = u128::from(self.next) << 8 | u128::from(self.mode == Mode::Cut);
        self.handles.push(Handle {
            name: format!("{name}-{:?}", self.mode),
            guid: Guid::from_bytes(number.to_le_bytes()),
            key: lease.then(|| LeaseKey(number.to_be_bytes())),
            file: None,
            closing: false,
        });
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    pub(crate) fn summary(&self) -> String {
        let done: Vec<_> = self.done.iter().map(|(k, n)| format!("{n} {k}")).collect();
        done.join(", ")
    }

    /// Connects, finds everything as it was left, and goes on until the connection breaks; without
    /// `after` only for a while.
    pub(crate) fn round(&mut self, server: &mut Server, after: Option<Duration>) -> Result<()> {
        if let (Mode::Killed, Some(after)) = (self.mode, after) {
            server.kill_after(after)?;
        }
        let end = self.session(server, after);
        server.again()?;
        match (end, after) {
            (Err(End::Wrong(e)), _) => Err(e),
            (Err(End::Broken), None) => bail!("the connection broke by itself"),
            (Err(End::Broken), Some(_)) | (Ok(()), _) => Ok(()),
        }
    }

    fn session(&mut self, server: &Server, after: Option<Duration>) -> Result<(), End> {
        let mut line = Line::connect(server.address, 1)?;
        if let (Mode::Cut, Some(after)) = (self.mode, after) {
            let socket = line.socket.try_clone()?;
            std::thread::spawn(move || {
                std::thread::sleep(after);
                // It may be gone already.
                let _ = socket.shutdown(Shutdown::Both);
            });
        }
        line.mount(&server.user)?;
        self.others_stay_out(server)?;
        self.take_up(&mut line)?;
        self.verify(&mut line)?;
        let until = Instant::now() + Duration::from_millis(300);
        while after.is_some() || Instant::now() < until {
            self.step(&mut line)?;
        }
        Ok(())
    }

    /// As long as the client is not back nobody gets at what it has locked.
    fn others_stay_out(&mut self, server: &Server) -> Result<(), End> {
        let Some(locks) = self.handles.get(1).filter(|h| h.file.is_some()) else {
            return Ok(());
        };
        if self.mode == Mode::Cut {
            return Ok(());
        }
        let name = locks.name.clone();
        let mut other = Line::connect(server.address, 2)?;
        other.mount(&server.user)?;
        let reply = other.call(ops::open(&name))?;
        let wrong = "a file that waits for its client";
        expect(&reply, NtStatus::FILE_NOT_AVAILABLE, wrong)?;
        self.count("others refused");
        Ok(())
    }

    fn request(&self, handle: &Handle) -> create::Request {
        let flags = match self.mode {
            Mode::Killed => DurableFlags::PERSISTENT,
            Mode::Cut => DurableFlags::empty(),
        };
        let durable = DurableRequestV2 {
            timeout_ms: 120_000,
            flags,
            create_guid: handle.guid,
        };
        with_lease(
            create::Request {
                contexts: vec![durable.to_raw()],
                ..ops::create(&handle.name, CreateDisposition::OpenIf)
            },
            handle.key,
        )
    }

    /// Every open is there, or comes now.
    fn take_up(&mut self, line: &mut Line) -> Result<(), End> {
        let mut at = 0;
        while let Some(handle) = self.handles.get(at).cloned() {
            let Some(file) = handle.file else {
                let made = self.made(line.replay(self.request(&handle))?, &handle)?;
                if let Some(h) = self.handles.get_mut(at) {
                    h.file = Some(made);
                }
                at += 1;
                continue;
            };
            match self.back(line, &handle, file)? {
                Some(file) if handle.closing => {
                    let reply = line.call(ops::close(file))?;
                    expect(&reply, NtStatus::SUCCESS, "a repeated CLOSE")?;
                    self.handles.remove(at);
                }
                // The CLOSE was done, and its answer lost.
                None => {
                    self.handles.remove(at);
                }
                Some(file) => {
                    if let Some(h) = self.handles.get_mut(at) {
                        h.file = Some(file);
                    }
                    at += 1;
                }
            }
        }
        if let Some(request) = self.pending.clone() {
            self.lock(line, request)?;
        }
        Ok(())
    }

    /// Takes an open up again. `None`: it has been closed.
    fn back(&mut self, line: &mut Line, h: &Handle, file: FileId) -> Result<Option<FileId>, End> {
        let context = DurableReconnectV2 {
            file_id: file,
            create_guid: h.guid,
            flags: match self.mode {
                Mode::Killed => DurableFlags::PERSISTENT,
                Mode::Cut => DurableFlags::empty(),
            },
        };
        let request = create::Request {
            contexts: vec![context.to_raw()],
            ..ops::open(&h.name)
        };
        let request = with_lease(request, h.key);
        // The server may not know yet that the connection is gone.
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let reply = line.call(request.clone())?;
            let missing = reply.header.status == NtStatus::OBJECT_NAME_NOT_FOUND;
            if missing && h.closing {
                return Ok(None);
            }
            if missing && self.mode == Mode::Cut && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            let new = self.made(reply, h)?;
            if new.persistent != file.persistent {
                let wrong = anyhow::anyhow!("{} came back as another open", h.name);
                return Err(End::Wrong(wrong));
            }
            self.count("opens taken up");
            return Ok(Some(new));
        }
    }

    /// The open that a CREATE has given, with everything that was asked for.
    fn made(&self, reply: Reply, h: &Handle) -> Result<FileId, End> {
        let status = reply.header.status;
        let Response::Create(made) = reply.body else {
            return Err(End::Wrong(anyhow::anyhow!("{} is lost: {status}", h.name)));
        };
        let lease = made.contexts.iter().find(|c| c.name[..] == *Lease::NAME);
        let lease = lease.and_then(|c| Lease::parse(&c.data).ok());
        let state = lease.map(|l| l.state);
        if state != h.key.map(|_| RWH) {
            let wrong = anyhow::anyhow!("{} has lease {state:?}", h.name);
            return Err(End::Wrong(wrong));
        }
        Ok(made.file_id)
    }

    fn file(&self, at: usize) -> Result<FileId> {
        let handle = self.handles.get(at);
        handle.and_then(|h| h.file).context("an open is missing")
    }

    /// Records and locks are those that were acknowledged.
    fn verify(&mut self, line: &mut Line) -> Result<(), End> {
        let file = self.file(0)?;
        let mut number = 0;
        while number < self.records {
            let some = (self.records - number).min(16_000);
            let length = u32::try_from(some * RECORD).context("too long")?;
            let reply = line.call(ops::read(file, number * RECORD, length))?;
            let Response::Read(read) = reply.body else {
                return Err(End::Wrong(anyhow::anyhow!("records cannot be read")));
            };
            for n in 0..some {
                let from = usize::try_from(n * RECORD).context("too long")?;
                let is = read.data.get(from..from + RECORD as usize);
                if is != Some(&record(number + n)[..]) {
                    let wrong = anyhow::anyhow!("record {} is lost", number + n);
                    return Err(End::Wrong(wrong));
                }
            }
            number += some;
        }
        let locks = self.handles.get(1).cloned().context("no open for locks")?;
        let second = with_lease(ops::open(&locks.name), locks.key);
        let Response::Create(second) = line.call(second)?.body else {
            return Err(End::Wrong(anyhow::anyhow!("a second open is refused")));
        };
        let second = second.file_id;
        for (ranges, free) in [(self.locked.clone(), false), (self.free.clone(), true)] {
            let skip = ranges.len().saturating_sub(40);
            for at in ranges.into_iter().skip(skip) {
                let how = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
                let reply = line.call(ops::lock(second, at, 1, how))?;
                if free {
                    expect(&reply, NtStatus::SUCCESS, "a lock of what was unlocked")?;
                    let reply = line.call(ops::lock(second, at, 1, LockFlags::UNLOCK))?;
                    expect(&reply, NtStatus::SUCCESS, "unlocking")?;
                } else {
                    expect(&reply, NtStatus::LOCK_NOT_GRANTED, "a second lock")?;
                }
            }
        }
        let reply = line.call(ops::close(second))?;
        expect(&reply, NtStatus::SUCCESS, "closing")?;
        self.count("times verified");
        Ok(())
    }

    fn step(&mut self, line: &mut Line) -> Result<(), End> {
        match self.random.below(10) {
            0 if self.handles.len() < 12 => {
                let name = format!("more-{}", self.next);
                self.wish(&name, self.next.is_multiple_of(2) || self.mode == Mode::Cut);
                let handle = self.handles.last().cloned().context("just made")?;
                let made = self.made(line.call(self.request(&handle))?, &handle)?;
                if let Some(h) = self.handles.last_mut() {
                    h.file = Some(made);
                }
                self.count("opens");
            }
            1 if self.handles.len() > 8 => {
                let at = 2;
                let file = self.file(at)?;
                if let Some(h) = self.handles.get_mut(at) {
                    h.closing = true;
                }
                let reply = line.call(ops::close(file))?;
                expect(&reply, NtStatus::SUCCESS, "CLOSE")?;
                self.handles.remove(at);
                self.count("closes");
            }
            2..4 => {
                let file = self.file(1)?;
                let unlock = self.locked.len() > 30;
                let first = self.locked.first().copied().filter(|_| unlock);
                let how = if unlock {
                    LockFlags::UNLOCK
                } else {
                    LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY
                };
                let at = first.unwrap_or(self.locks * 2);
                let number = u8::try_from(self.locks / 64 % 16).unwrap_or(0);
                let request = lock::Request {
                    lock_sequence_index: u32::try_from(self.locks % 64).unwrap_or(0) + 1,
                    lock_sequence_number: number,
                    ..ops::lock(file, at, 1, how)
                };
                self.locks += 1;
                self.pending = Some(request.clone());
                self.lock(line, request)?;
            }
            _ => {
                let file = self.file(0)?;
                let data = record(self.records).to_vec();
                let reply = line.call(ops::write(file, self.records * RECORD, data))?;
                expect(&reply, NtStatus::SUCCESS, "WRITE")?;
                self.records += 1;
                self.count("records");
            }
        }
        Ok(())
    }

    /// Sends a LOCK, for the first time or again.
    fn lock(&mut self, line: &mut Line, mut request: lock::Request) -> Result<(), End> {
        request.file_id = self.file(1)?;
        let reply = line.call(request.clone())?;
        expect(&reply, NtStatus::SUCCESS, "LOCK")?;
        self.pending = None;
        for element in &request.locks {
            if element.flags.contains(LockFlags::UNLOCK) {
                self.locked.remove(&element.offset);
                self.free.insert(element.offset);
            } else {
                self.locked.insert(element.offset);
            }
        }
        self.count("locks and unlocks");
        Ok(())
    }
}

fn expect(reply: &Reply, status: NtStatus, what: &str) -> Result<()> {
    let is = reply.header.status;
    ensure!(is == status, "{what} was answered {is}, not {status}");
    Ok(())
}

fn with_lease(mut request: create::Request, key: Option<LeaseKey>) -> create::Request {
    if let Some(key) = key {
        request.requested_oplock_level = OplockLevel::LEASE;
        request.contexts.push(lease(key));
    }
    request
}

fn lease(key: LeaseKey) -> RawContext {
    Lease {
        key,
        state: RWH,
        flags: LeaseFlags::empty(),
        v2: Some(LeaseV2 {
            parent_key: LeaseKey([0; 16]),
            epoch: 0,
        }),
    }
    .to_raw()
}

/// The bytes of a record.
fn record(number: u64) -> [u8; RECORD as usize] {
    let mut out = [b'.'; RECORD as usize];
    for (to, from) in out.iter_mut().zip(format!("record {number:020}\n").bytes()) {
        *to = from;
    }
    out
}
