//! A driver takes a while to close a connection: meanwhile nothing more is sent on it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use driver_sim::client::{Client, ClientConfig, ClientEvent, Credentials, LogonFor, Target, ops};
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{BEGIN, DOMAIN, share};
use smb_engine::config::Config;
use smb_engine::identity::{Account, Identity};
use smb_engine::output::{Completion, ConnId};
use smb_engine::time::Now;
use smb_engine::vfs::{Backend, VfsOp, VfsRequest};
use smb_engine::{Action, Engine, Peer};
use smb_proto::crypto::ntlm::NtHash;
use smb_proto::id::FileId;
use smb_proto::msg::Response;

/// An engine, one client, and READs that are kept back.
struct Bed {
    engine: Engine,
    fs: MemoryFs,
    client: Client,
    conn: ConnId,
    now: Now,
    held: Vec<VfsRequest>,
    closed: bool,
    /// Bytes sent since the server asked for the end.
    late: usize,
}

impl Bed {
    fn new() -> Self {
        let fs = MemoryFs::new(1, BEGIN.wall);
        fs.write_file("f", b"content").unwrap();
        let config = Config::new("SIM", DOMAIN, vec![share("files", &fs)]);
        let mut engine = Engine::new(config, [0; 32]);
        let peer = Peer {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 1,
        };
        let conn = engine.accept(BEGIN, peer).unwrap();
        Self {
            engine,
            fs,
            client: Client::new(ClientConfig::default()),
            conn,
            now: BEGIN,
            held: Vec::new(),
            closed: false,
            late: 0,
        }
    }

    fn run(&mut self) {
        loop {
            while let Some(action) = self.engine.poll() {
                self.act(action);
            }
            let Some(bytes) = self.client.poll_transmit() else {
                return;
            };
            self.engine.receive(self.now, self.conn, &bytes);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Transmit(_, segments) => {
                self.late += if self.closed { segments.len() } else { 0 };
                segments.0.iter().for_each(|s| self.client.receive(s));
            }
            Action::Vfs(r) if matches!(r.op, VfsOp::Read { .. }) => self.held.push(r),
            Action::Vfs(r) => {
                let result = self.fs.execute(&r.by, r.op);
                self.engine
                    .complete(self.now, r.token, Completion::Vfs(result));
            }
            Action::Lookup(token, _) => {
                let account = Account {
                    nt_hash: NtHash::of_password("secret"),
                    identity: Identity::user("user", DOMAIN.with_rid(1000).unwrap()),
                };
                let answer = Completion::Account(Some(account));
                self.engine.complete(self.now, token, answer);
            }
            Action::Close(..) => self.closed = true,
            Action::Event(_) | Action::Store(_) => {}
        }
    }

    fn reply(&mut self) -> driver_sim::client::Reply {
        self.run();
        loop {
            match self.client.poll_event() {
                Some(ClientEvent::Reply(reply)) => return reply,
                Some(_) => {}
                None => panic!("no answer"),
            }
        }
    }

    /// A READ is under way when the client breaks the protocol.
    fn reading_and_broken() -> Self {
        let mut bed = Self::new();
        bed.client.negotiate();
        bed.run();
        bed.client
            .logon(Credentials::new("user", "secret"), LogonFor::New);
        bed.run();
        let mut events = std::iter::from_fn(|| bed.client.poll_event());
        let session = events.find_map(|e| match e {
            ClientEvent::LoggedOn { session, .. } => Some(session),
            _ => None,
        });
        let target = Target::session(session.expect("logged on"));
        let tree = ops::tree_connect("\\\\SIM\\files");
        bed.client.send(target, tree);
        let tree = bed.reply().header.tree_id();
        let target = Target { tree, ..target };
        bed.client.send(target, ops::open("f"));
        let Response::Create(open) = bed.reply().body else {
            panic!("no open");
        };
        let id: FileId = open.file_id;
        bed.client.send(target, ops::read(id, 0, 7));
        bed.client.send_frame(b"nonsense");
        bed.run();
        assert!(bed.closed);
        assert_eq!(bed.held.len(), 1);
        bed
    }
}

#[test]
fn no_interim_answer_after_the_end() {
    let mut bed = Bed::reading_and_broken();
    let later = Duration::from_secs(20);
    bed.now = Now {
        mono: bed.now.mono + later,
        ..bed.now
    };
    bed.engine.timeout(bed.now);
    bed.run();
    assert_eq!(bed.late, 0);
}

#[test]
fn no_answer_after_the_end() {
    let mut bed = Bed::reading_and_broken();
    let read = bed.held.remove(0);
    let result = bed.fs.execute(&read.by, read.op);
    bed.engine
        .complete(bed.now, read.token, Completion::Vfs(result));
    bed.run();
    assert_eq!(bed.late, 0);
    bed.engine.closed(bed.now, bed.conn);
    bed.run();
    assert_eq!(bed.engine.check_invariants(), Ok(()));
}
