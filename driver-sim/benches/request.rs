//! The cost of one request through the whole engine: bytes in, table work, the answer's bytes out,
//! over a file system in memory. What the client does is not counted.
//!
//! `cargo bench -p driver-sim --bench request`; compare only figures of one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use driver_sim::client::{
    Client, ClientConfig, ClientEvent, Credentials, LogonFor, Part, Reply, Target, ops,
};
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{BEGIN, DOMAIN, share};
use smb_engine::config::Config;
use smb_engine::output::ConnId;
use smb_engine::vfs::Backend;
use smb_engine::{Accounts, Action, Engine, Peer};
use smb_proto::Command;
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{self, Response};

/// An engine with one client that has connected to a share.
struct Rig {
    engine: Engine,
    conn: ConnId,
    fs: MemoryFs,
    accounts: Accounts,
    client: Client,
    target: Target,
}

impl Rig {
    fn new(client: ClientConfig) -> Self {
        let fs = MemoryFs::new(1, BEGIN.wall);
        let config = Config::new("SIM", DOMAIN, vec![share("files", &fs)]);
        let accounts = Accounts::new(&config, [("user", "secret")]);
        let mut engine = Engine::new(config, [7; 32]);
        let peer = Peer {
            address: [127, 0, 0, 1].into(),
            port: 50_000,
        };
        let conn = engine.accept(BEGIN, peer).unwrap();
        let client = Client::new(client);
        let mut rig = Self {
            engine,
            conn,
            fs,
            accounts,
            client,
            target: Target::NONE,
        };
        rig.client.negotiate();
        rig.exchange();
        let credentials = Credentials::new("user", "secret");
        rig.client.logon(credentials, LogonFor::New);
        rig.exchange();
        let session =
            std::iter::from_fn(|| rig.client.poll_event()).find_map(|event| match event {
                ClientEvent::LoggedOn { session, .. } => Some(session),
                _ => None,
            });
        rig.target.session = session.unwrap();
        let (reply, _) = rig.call(ops::tree_connect(r"\\SIM\files"));
        rig.target.tree = reply.header.tree_id();
        rig
    }

    /// Carries all messages to and fro; how long the engine took.
    fn exchange(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        while let Some(bytes) = self.client.poll_transmit() {
            let begun = Instant::now();
            self.engine.receive(BEGIN, self.conn, black_box(&bytes));
            let mut sent: Vec<BytesMut> = Vec::new();
            while let Some(action) = self.engine.poll_with(
                BEGIN,
                |by, op| self.fs.execute(by, op),
                |query| self.accounts.answer(&query),
            ) {
                if let Action::Transmit(_, segments) = action {
                    sent.extend(segments.0);
                }
            }
            took += begun.elapsed();
            for segment in sent {
                self.client.receive(&segment);
            }
        }
        took
    }

    fn call(&mut self, request: impl Into<msg::Request>) -> (Reply, Duration) {
        self.client.send_part(Part::new(self.target, request));
        let took = self.exchange();
        let reply = std::iter::from_fn(|| self.client.poll_event()).find_map(|event| match event {
            ClientEvent::Reply(reply) => Some(reply),
            _ => None,
        });
        (reply.unwrap(), took)
    }

    fn create(&mut self, name: &str) -> (FileId, Duration) {
        let (reply, took) = self.call(ops::create(name, CreateDisposition::OpenIf));
        match reply.body {
            Response::Create(created) => (created.file_id, took),
            other => panic!("{other:?}"),
        }
    }
}

fn protections() -> [(&'static str, ClientConfig); 3] {
    [
        ("plain", ClientConfig::default()),
        ("signed", ClientConfig::default().signing()),
        ("sealed", ClientConfig::default().encrypting()),
    ]
}

fn requests(c: &mut Criterion) {
    for (protection, config) in protections() {
        let mut group = c.benchmark_group(protection);
        let mut rig = Rig::new(config);
        let mut file = rig.create("file").0;
        rig.call(ops::write(file, 0, vec![7; 1 << 20]));
        let mut time = |name: &str, bytes: usize, request: &dyn Fn(FileId) -> msg::Request| {
            group.throughput(if bytes == 0 {
                Throughput::Elements(1)
            } else {
                Throughput::Bytes(bytes as u64)
            });
            group.bench_function(name, |b| {
                b.iter_custom(|n| (0..n).map(|_| rig.call(request(file)).1).sum());
            });
        };
        time("ECHO", 0, &|_| msg::echo::Request.into());
        time("QUERY_INFO", 0, &|f| {
            ops::query_file(f, FileInfoClass::NetworkOpen).into()
        });
        time("READ 4 KiB", 4096, &|f| ops::read(f, 0, 4096).into());
        time("READ 1 MiB", 1 << 20, &|f| ops::read(f, 0, 1 << 20).into());
        let (small, large) = (vec![1; 4096], bytes::Bytes::from(vec![1; 1 << 20]));
        time("WRITE 4 KiB", 4096, &|f| {
            ops::write(f, 0, small.clone()).into()
        });
        time("WRITE 1 MiB", 1 << 20, &|f| {
            ops::write(f, 0, large.clone()).into()
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function("CREATE and CLOSE", |b| {
            b.iter_custom(|n| {
                let mut took = Duration::ZERO;
                for _ in 0..n {
                    let (other, created) = rig.create("other");
                    took += created + rig.call(ops::close(other)).1;
                }
                took
            });
        });
        let closed = rig.call(ops::close(std::mem::take(&mut file))).0;
        assert_eq!(closed.header.command(), Some(Command::Close));
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
