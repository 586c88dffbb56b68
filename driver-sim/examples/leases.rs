//! What leases cost the engine: many on one client, one on many clients, and a break to all of these.
//!
//! `cargo run --release -p driver-sim --example leases`. Time is the engine's alone, with a file system
//! in memory; memory is the growth of the process, clients of the simulator included. The command
//! fails if the cost of one open, break or acknowledgment grows with their number.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use driver_sim::client::{
    Client, ClientConfig, ClientEvent, Credentials, LogonFor, Part, Target, ops,
};
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{BEGIN, DOMAIN, share};
use smb_engine::config::{Config, Limits};
use smb_engine::output::ConnId;
use smb_engine::vfs::Backend;
use smb_engine::{Accounts, Action, Engine, Peer};
use smb_proto::create_ctx::{Lease, LeaseFlags, LeaseState, LeaseV2};
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::msg::create::{self, CreateDisposition};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::oplock_break::{LeaseBreakAck, LeaseBreakFlags, Message};
use smb_proto::msg::{self, OplockLevel, Response};
use smb_proto::{Guid, NtStatus};

/// By how much the cost of one may differ between the smallest and the largest number.
const SLACK: f64 = 4.0;

/// An engine with clients.
struct World {
    engine: Engine,
    fs: MemoryFs,
    accounts: Accounts,
    clients: Vec<(ConnId, Client, Target)>,
    by_conn: BTreeMap<ConnId, usize>,
    /// Time in the engine.
    took: Duration,
}

impl World {
    fn new() -> Self {
        let fs = MemoryFs::new(1, BEGIN.wall);
        let config = Config {
            leases: true,
            directory_leases: true,
            limits: Limits {
                max_connections: 100_000,
                max_connections_per_ip: 100_000,
                max_sessions: 100_000,
                max_opens: 1_000_000,
                ..Limits::default()
            },
            ..Config::new("SIM", DOMAIN, vec![share("files", &fs)])
        };
        let accounts = Accounts::new(&config, [("user", "secret")]);
        Self {
            engine: Engine::new(config, [7; 32]),
            fs,
            accounts,
            clients: Vec::new(),
            by_conn: BTreeMap::new(),
            took: Duration::ZERO,
        }
    }

    /// A client that has connected to the share.
    fn join(&mut self) -> Result<usize> {
        let peer = Peer {
            address: [127, 0, 0, 1].into(),
            port: 50_000,
        };
        let conn = match self.engine.accept(BEGIN, peer) {
            Ok(conn) => conn,
            Err(reason) => bail!("connection refused: {reason:?}"),
        };
        let n = self.clients.len();
        let mut config = ClientConfig::default().seed(n as u64);
        config.client_guid = Guid::from_bytes((n as u128).to_le_bytes());
        config.capabilities |= GlobalCapabilities::LEASING | GlobalCapabilities::DIRECTORY_LEASING;
        self.clients.push((conn, Client::new(config), Target::NONE));
        self.by_conn.insert(conn, n);
        self.clients[n].1.negotiate();
        self.exchange(n);
        let credentials = Credentials::new("user", "secret");
        self.clients[n].1.logon(credentials, LogonFor::New);
        self.exchange(n);
        let session = self.events(n).into_iter().find_map(|e| match e {
            ClientEvent::LoggedOn { session, .. } => Some(session),
            _ => None,
        });
        self.clients[n].2.session = session.context("logon failed")?;
        let reply = self.call(n, ops::tree_connect(r"\\SIM\files"))?;
        self.clients[n].2.tree = reply.0;
        Ok(n)
    }

    fn events(&mut self, n: usize) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.clients[n].1.poll_event()).collect()
    }

    /// Carries what a client sends to the engine, and what that answers to whom it is for.
    fn exchange(&mut self, n: usize) {
        while let Some(bytes) = self.clients[n].1.poll_transmit() {
            let conn = self.clients[n].0;
            let begun = Instant::now();
            self.engine.receive(BEGIN, conn, &bytes);
            let mut sent = Vec::new();
            while let Some(action) = self.engine.poll_with(
                BEGIN,
                |by, op| self.fs.execute(by, op),
                |query| self.accounts.answer(&query),
            ) {
                if let Action::Transmit(to, segments) = action {
                    sent.push((to, segments));
                }
            }
            self.took += begun.elapsed();
            for (to, segments) in sent {
                let Some(to) = self.by_conn.get(&to) else {
                    continue;
                };
                for segment in segments.0 {
                    self.clients[*to].1.receive(&segment);
                }
            }
        }
    }

    fn call(
        &mut self,
        n: usize,
        request: impl Into<msg::Request>,
    ) -> Result<(smb_proto::id::TreeId, Response)> {
        let target = self.clients[n].2;
        self.clients[n].1.send_part(Part::new(target, request));
        self.exchange(n);
        let reply = self.events(n).into_iter().find_map(|e| match e {
            ClientEvent::Reply(reply) => Some(reply),
            _ => None,
        });
        let reply = reply.context("no answer")?;
        ensure!(
            reply.status() == NtStatus::SUCCESS,
            "answered {}",
            reply.status()
        );
        Ok((reply.header.tree_id(), reply.body))
    }

    /// Opens a file with a lease of all that can be had.
    fn open(&mut self, n: usize, name: &str, key: u128, expected: LeaseState) -> Result<FileId> {
        let lease = Lease {
            key: LeaseKey(key.to_le_bytes()),
            state: LeaseState::READ | LeaseState::HANDLE | LeaseState::WRITE,
            flags: LeaseFlags::empty(),
            v2: Some(LeaseV2 {
                parent_key: LeaseKey([0; 16]),
                epoch: 0,
            }),
        };
        let request = create::Request {
            requested_oplock_level: OplockLevel::LEASE,
            contexts: vec![lease.to_raw()],
            ..ops::create(name, CreateDisposition::OpenIf)
        };
        let (_, Response::Create(created)) = self.call(n, request)? else {
            bail!("not the answer to a CREATE");
        };
        let lease = created.contexts.iter().find(|c| c.name == Lease::NAME);
        let lease = Lease::parse(&lease.context("no lease")?.data)?;
        ensure!(lease.state == expected, "granted {:?}", lease.state);
        Ok(created.file_id)
    }
}

/// Memory of the process, in bytes.
fn resident() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split(' ').nth(1).context("statm")?.parse()?;
    Ok(pages * 4096.0)
}

/// One line of the table.
struct Row {
    time: f64,
    memory: f64,
}

fn show(what: &str, n: usize, took: Duration, grown: f64) -> Row {
    let count = n as f64;
    let row = Row {
        time: took.as_secs_f64() / count * 1e6,
        memory: grown / count / 1024.0,
    };
    println!(
        "{n:>6} {what:<38} {:>9.3} ms {:>9.2} us each {:>8.2} KiB each",
        took.as_secs_f64() * 1e3,
        row.time,
        row.memory
    );
    row
}

fn linear(what: &str, rows: &[Row]) -> Result<()> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    ensure!(
        last.time < SLACK * first.time && last.memory < SLACK * first.memory.max(1.0),
        "{what}: the cost of one grows with their number"
    );
    Ok(())
}

fn main() -> Result<()> {
    const ALL: LeaseState = LeaseState::READ
        .union(LeaseState::HANDLE)
        .union(LeaseState::WRITE);
    const SHARED: LeaseState = LeaseState::READ.union(LeaseState::HANDLE);

    let mut rows = Vec::new();
    for n in [1_000, 10_000] {
        let mut world = World::new();
        let client = world.join()?;
        let (before, begun) = (resident()?, world.took);
        for i in 0..n {
            world.open(client, &format!("file {i}"), i as u128 + 1, ALL)?;
        }
        let grown = resident()? - before;
        rows.push(show(
            "opens with a lease, one client",
            n,
            world.took - begun,
            grown,
        ));
    }
    linear("opens", &rows)?;

    let (mut breaks, mut acks) = (Vec::new(), Vec::new());
    for n in [250, 1_000] {
        let mut world = World::new();
        let writer = world.join()?;
        let before = resident()?;
        let begin = world.call(writer, ops::create("file", CreateDisposition::Create))?;
        let Response::Create(open) = begin.1 else {
            bail!("not the answer to a CREATE");
        };
        let mut clients = Vec::new();
        for _ in 0..n {
            clients.push(world.join()?);
        }
        let begun = world.took;
        for client in &clients {
            world.open(*client, "file", 1, SHARED)?;
        }
        let grown = resident()? - before;
        // Every open is held against the share modes of all others, so this grows.
        show(
            "clients with a lease on one file",
            n,
            world.took - begun,
            grown,
        );
        let (before, begun) = (resident()?, world.took);
        world.call(writer, ops::write(open.file_id, 0, "x"))?;
        let grown = resident()? - before;
        breaks.push(show(
            "breaks by one WRITE",
            n,
            world.took - begun,
            grown.max(0.0),
        ));
        let begun = world.took;
        for client in &clients {
            let events = world.events(*client);
            let told = events.iter().find_map(|e| match e {
                ClientEvent::Break(Message::LeaseNotification(b)) => Some(*b),
                _ => None,
            });
            let told = told.context("a client was not told")?;
            ensure!(
                told.flags.contains(LeaseBreakFlags::ACK_REQUIRED)
                    && told.new_lease_state.is_empty(),
                "told {told:?}"
            );
            let ack = Message::LeaseAck(LeaseBreakAck {
                lease_key: told.lease_key,
                lease_state: told.new_lease_state,
            });
            world.call(*client, msg::Request::OplockBreak(ack))?;
        }
        acks.push(show("acknowledgments", n, world.took - begun, 0.0));
    }
    linear("breaks", &breaks)?;
    linear("acknowledgments", &acks)?;
    Ok(())
}
