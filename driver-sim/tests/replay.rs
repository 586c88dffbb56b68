//! Captures replayed: made here from a conversation with the engine itself, changed, long, and those
//! in the shared folder.

use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use driver_sim::capture::{Capture, Options as ReadOptions, Secrets};
use driver_sim::client::{Client, ClientConfig, ClientEvent, Credentials, LogonFor, Target, ops};
use driver_sim::memory::MemoryFs;
use driver_sim::pair::{BEGIN, DOMAIN, share};
use driver_sim::replay::{Class, Options, Report, Rules, Timing, replay};
use smb_engine::config::Config;
use smb_engine::output::{Completion, ConnId};
use smb_engine::time::{Instant, Now};
use smb_engine::vfs::Backend;
use smb_engine::{Accounts, Action, Engine, Peer};
use smb_proto::FileTime;
use smb_proto::id::FileId;
use smb_proto::info::FileInfoClass;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{Request, Response, echo};

const CLIENT: &str = "192.0.2.1:50000";
const SERVER: &str = "192.0.2.2:445";

/// A classic pcap file of raw IPv4 packets (LINKTYPE_RAW).
struct Pcap {
    out: Vec<u8>,
    micros: u64,
    /// Next sequence numbers of client and server.
    seq: [u32; 2],
}

impl Pcap {
    fn new() -> Self {
        let mut out = Vec::new();
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 101] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let mut this = Self {
            out,
            micros: 0,
            seq: [1000, 2000],
        };
        this.segment(0, 0x02, &[]);
        this.segment(1, 0x12, &[]);
        this.seq = [1001, 2001];
        this
    }

    /// Data from the client (0) or the server (1).
    fn data(&mut self, from: usize, bytes: &[u8]) {
        for chunk in bytes.chunks(60_000) {
            self.segment(from, 0x18, chunk);
            self.seq[from] = self.seq[from].wrapping_add(chunk.len() as u32);
        }
    }

    fn segment(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let ends: [SocketAddr; 2] = [CLIENT.parse().unwrap(), SERVER.parse().unwrap()];
        let address = |end: SocketAddr| match end.ip() {
            std::net::IpAddr::V4(ip) => ip.octets(),
            std::net::IpAddr::V6(_) => unreachable!("the addresses here are IPv4"),
        };
        let mut p = vec![0x45, 0];
        p.extend_from_slice(&(40 + payload.len() as u16).to_be_bytes());
        p.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0]);
        p.extend_from_slice(&address(ends[from]));
        p.extend_from_slice(&address(ends[1 - from]));
        p.extend_from_slice(&ends[from].port().to_be_bytes());
        p.extend_from_slice(&ends[1 - from].port().to_be_bytes());
        p.extend_from_slice(&self.seq[from].to_be_bytes());
        p.extend_from_slice(&self.seq[1 - from].to_be_bytes());
        p.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        p.extend_from_slice(payload);
        self.micros += 10;
        let length = p.len() as u32;
        for word in [
            1_700_000_000 + (self.micros / 1_000_000) as u32,
            (self.micros % 1_000_000) as u32,
            length,
            length,
        ] {
            self.out.extend_from_slice(&word.to_le_bytes());
        }
        self.out.extend_from_slice(&p);
    }
}

/// A client and an engine whose conversation is captured.
struct Recorder {
    engine: Engine,
    accounts: Accounts,
    fs: MemoryFs,
    conn: ConnId,
    client: Client,
    pcap: Pcap,
    now: Now,
}

impl Recorder {
    fn new(config: ClientConfig) -> Self {
        let fs = MemoryFs::new(1, BEGIN.wall);
        let server = Config::new("SIM", DOMAIN, vec![share("files", &fs)]);
        let accounts = Accounts::new(&server, [("ann", "secret")]);
        let now = Now {
            mono: Instant(1_000_000),
            wall: FileTime::from_unix(1_700_000_000, 0),
        };
        let mut engine = Engine::new(server, [3; 32]);
        let peer: SocketAddr = CLIENT.parse().unwrap();
        let conn = engine.accept(now, Peer::from(peer)).unwrap();
        Self {
            engine,
            accounts,
            fs,
            conn,
            client: Client::new(config),
            pcap: Pcap::new(),
            now,
        }
    }

    fn run(&mut self) -> Vec<ClientEvent> {
        while let Some(bytes) = self.client.poll_transmit() {
            self.pcap.data(0, &bytes);
            self.engine.receive(self.now, self.conn, &bytes);
            let (fs, accounts) = (&self.fs, &self.accounts);
            while let Some(action) = self.engine.poll_with(
                self.now,
                |by, op| fs.execute(by, op),
                |query| -> Completion { accounts.answer(&query) },
            ) {
                if let Action::Transmit(_, segments) = action {
                    for segment in segments.0 {
                        self.pcap.data(1, &segment);
                        self.client.receive(&segment);
                    }
                }
            }
        }
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    fn call(&mut self, target: Target, request: impl Into<Request>) -> Response {
        self.client.send(target, request);
        match self.run().into_iter().next() {
            Some(ClientEvent::Reply(reply)) => reply.body,
            other => panic!("{other:?}"),
        }
    }

    /// Logs on and makes a file.
    fn begin(&mut self) -> (Target, FileId) {
        self.client.negotiate();
        self.run();
        self.client
            .logon(Credentials::new("ann", "secret"), LogonFor::New);
        let session = self.run().into_iter().find_map(|event| match event {
            ClientEvent::LoggedOn { session, .. } => Some(session),
            _ => None,
        });
        let target = Target::session(session.unwrap());
        let request = ops::tree_connect("\\\\SIM\\files");
        self.client.send(target, request);
        let tree = self.run().into_iter().find_map(|event| match event {
            ClientEvent::Reply(reply) => Some(reply.header.tree_id()),
            _ => None,
        });
        let target = Target {
            session: session.unwrap(),
            tree: tree.unwrap(),
        };
        let create = ops::create("dir.txt", CreateDisposition::Create);
        let Response::Create(made) = self.call(target, create) else {
            panic!("not created");
        };
        (target, made.file_id)
    }

    fn finish(self) -> Vec<u8> {
        self.pcap.out
    }
}

fn read(pcap: &[u8]) -> Capture {
    let mut secrets = Secrets::default();
    secrets.add_password("ann:secret").unwrap();
    let options = ReadOptions {
        secrets,
        ..ReadOptions::default()
    };
    Capture::read(pcap, &options, |_| {}).unwrap()
}

fn options(timing: Timing) -> Options {
    Options {
        name: "test.pcap".to_owned(),
        tree: None,
        timing,
        rules: Rules::built_in().unwrap(),
    }
}

fn replayed(pcap: &[u8]) -> Report {
    replay(&read(pcap), &options(Timing::Captured), &mut |_| {}).unwrap()
}

/// A short conversation with some of everything.
fn short(config: ClientConfig) -> Vec<u8> {
    let mut r = Recorder::new(config);
    let (target, file) = r.begin();
    r.call(
        target,
        ops::write(file, 0, Bytes::from_static(b"the content of the file")),
    );
    r.call(target, ops::read(file, 4, 7));
    r.call(target, ops::query_file(file, FileInfoClass::Standard));
    r.call(target, echo::Request);
    let missing = ops::open("nothing");
    assert!(matches!(r.call(target, missing), Response::Error(_)));
    r.call(target, ops::close(file));
    r.finish()
}

#[test]
fn the_engine_answers_as_itself() {
    for config in [
        ClientConfig::default(),
        ClientConfig::default().signing(),
        ClientConfig::default().encrypting(),
        ClientConfig::only(smb_proto::Dialect::Smb202),
        ClientConfig::only(smb_proto::Dialect::Smb300).signing(),
    ] {
        for timing in [Timing::Captured, Timing::Fast] {
            let pcap = short(config.clone());
            let report = replay(&read(&pcap), &options(timing), &mut |_| {}).unwrap();
            assert_eq!(report.counts.divergence, 0, "{}", report.to_text());
            assert_eq!(report.counts.policy, 0, "{}", report.to_text());
            assert_eq!(report.counts.skipped, 0);
            assert_eq!(report.counts.replayed, 11);
            assert!(!report.diverges());
        }
    }
}

#[test]
fn another_answer_is_a_divergence_that_the_report_shows() {
    let mut pcap = short(ClientConfig::default());
    // The last one is the answer to READ; the first is the WRITE request.
    let at = |pcap: &[u8]| pcap.windows(7).rposition(|w| w == b"content").unwrap();
    let place = at(&pcap);
    pcap[place] = b'C';
    let report = replayed(&pcap);
    assert!(report.diverges());
    assert_eq!(report.counts.divergence, 1, "{}", report.to_text());
    let first = report.first_divergence().unwrap();
    assert_eq!(first.command, "READ");
    assert_eq!(first.class(), Some(Class::Divergence));
    let difference = &first.differences[0];
    assert!(difference.field.starts_with("body.data"), "{difference:?}");
    let text = report.to_text();
    assert!(text.contains("First divergence"), "{text}");
    assert!(text.contains("[MS-SMB2] 3.3.5.12"), "{text}");
    let page = report.to_html();
    assert!(page.contains("class=\"row divergence\""));
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["counts"]["divergence"], 1);
    // A rule can explain it.
    let rule = "[[rule]]\nid = \"x\"\nclass = \"policy\"\ncommand = \"READ\"\nreason = \"r\"";
    let rules = Rules::parse(rule, std::path::Path::new("x.toml")).unwrap();
    let options = Options {
        rules: rules.then(Rules::built_in().unwrap()),
        ..options(Timing::Captured)
    };
    let report = replay(&read(&pcap), &options, &mut |_| {}).unwrap();
    assert!(!report.diverges());
    assert_eq!(report.rules.get("x"), Some(&1));
}

#[test]
fn another_status_makes_later_requests_follow() {
    // The capture says that the file was there when it was created.
    let mut r = Recorder::new(ClientConfig::default());
    let (target, file) = r.begin();
    r.call(target, ops::close(file));
    let mut pcap = r.finish();
    let created = pcap.windows(4).rposition(|w| w == b"\xfeSMB").unwrap();
    // The last message is the answer to CLOSE.
    assert_eq!(pcap[created + 12], 6);
    pcap[created + 8..created + 12].copy_from_slice(&0xc000_0022u32.to_le_bytes());
    let report = replayed(&pcap);
    let first = report.first_divergence().unwrap();
    assert_eq!(first.command, "CLOSE");
    assert_eq!(first.status.as_deref(), Some("STATUS_ACCESS_DENIED"));
    assert_eq!(first.engine_status.as_deref(), Some("STATUS_SUCCESS"));
}

#[test]
fn content_that_was_read_is_there_again() {
    // Only the second half of the conversation: the file exists, and is read.
    let mut r = Recorder::new(ClientConfig::default());
    r.fs.write_file("deep\\down\\old.txt", b"what was there before")
        .unwrap();
    let (target, file) = r.begin();
    r.call(target, ops::close(file));
    let Response::Create(opened) = r.call(target, ops::open("deep\\down\\old.txt")) else {
        panic!("not opened");
    };
    r.call(target, ops::read(opened.file_id, 5, 100));
    r.call(target, ops::close(opened.file_id));
    let report = replayed(&r.finish());
    assert!(!report.diverges(), "{}", report.to_text());
    assert_eq!(report.counts.replayed, 9);
}

#[test]
fn captures_without_smb_are_refused() {
    let empty = Capture::default();
    assert!(replay(&empty, &options(Timing::Fast), &mut |_| {}).is_err());
}

#[test]
fn a_hundred_thousand_messages_take_seconds() {
    const REQUESTS: usize = 50_000;
    let mut r = Recorder::new(ClientConfig::default());
    let (target, file) = r.begin();
    let data = Bytes::from(vec![7; 512]);
    for n in 0..(REQUESTS / 4) as u64 {
        r.call(target, ops::write(file, n % 4096 * 512, data.clone()));
        r.call(target, ops::read(file, n % 4096 * 512, 512));
        r.call(target, ops::query_file(file, FileInfoClass::Basic));
        r.call(target, echo::Request);
    }
    let pcap = r.finish();
    let begin = Clock::now();
    let capture = read(&pcap);
    let messages: usize = capture.conversations.iter().map(|c| c.messages.len()).sum();
    assert!(messages >= 100_000);
    let mut steps = 0;
    let report = replay(&capture, &options(Timing::Captured), &mut |n| steps += n).unwrap();
    let page = report.to_html().len();
    let took = begin.elapsed();
    println!("{messages} messages, {steps} steps, {page} bytes of HTML, {took:?}");
    assert!(!report.diverges(), "{}", report.to_text());
    // Three seconds in a debug build; the bound is for a busy machine.
    assert!(took < Duration::from_secs(60), "{took:?}");
}
