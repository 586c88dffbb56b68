//! From a seed to a plan. Each seed switches features and kinds of fault on and off ("swarm
//! testing"): a world that does everything at once hides what a world with few things in it shows.

use super::dice::Dice;
use super::plan::{ClientPlan, DiskPlan, NetPlan, PeerKind, Plan, ServerPlan};
use super::request::{FILE, FILE_SYSTEM, SECURITY};
use super::step::{Call, Control, Do, Edit, NAMES, Raw, SLOTS, Set, Step, Who};

/// Kinds of steps, of which each seed has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Read,
    Write,
    Flush,
    Lock,
    List,
    Notify,
    Query,
    Set,
    Delete,
    Rename,
    Ioctl,
    Copy,
    Compound,
    Echo,
    Cancel,
    Session,
    Tree,
    Raw,
    Reconnect,
    Stall,
}

/// All kinds with their usual weights; those of the first few are never switched off.
const KINDS: [(Kind, u32); 22] = [
    (Kind::Open, 26),
    (Kind::Close, 12),
    (Kind::Read, 14),
    (Kind::Write, 14),
    (Kind::Flush, 3),
    (Kind::Lock, 12),
    (Kind::List, 6),
    (Kind::Notify, 6),
    (Kind::Query, 8),
    (Kind::Set, 8),
    (Kind::Delete, 5),
    (Kind::Rename, 7),
    (Kind::Ioctl, 5),
    (Kind::Copy, 4),
    (Kind::Compound, 10),
    (Kind::Echo, 2),
    (Kind::Cancel, 6),
    (Kind::Session, 3),
    (Kind::Tree, 3),
    (Kind::Raw, 3),
    (Kind::Reconnect, 1),
    (Kind::Stall, 1),
];

/// What a seed has chosen for all of its steps.
struct Mix {
    weights: Vec<u32>,
    /// Names in use, so that clients meet.
    names: Vec<u8>,
    /// Greatest pause between two steps, in microseconds.
    pause: u64,
    /// Greatest offset in files.
    reach: u64,
    /// Longest read or write.
    longest: u32,
    /// One sharing and one access for all, so that opens rarely conflict; else any.
    friendly: bool,
    clients: u8,
}

/// The plan of a seed.
#[must_use]
pub fn plan(seed: u64, stub_crypto: bool) -> Plan {
    let mut d = Dice::new(seed, 0);
    let d = &mut d;
    let server = server(d);
    let faults = d.chance(3, 4);
    let net = network(d, faults);
    let disk = disk(d, faults);
    let number = d.pick(&[1, 2, 2, 2, 3, 3, 4]);
    let mut clients: Vec<ClientPlan> = (0..number).map(|_| client(d, &server, faults)).collect();
    if faults && d.chance(1, 3) {
        clients.push(ClientPlan {
            kind: d.pick(&[PeerKind::Silent, PeerKind::Half, PeerKind::Stranger]),
            ..ClientPlan::plain()
        });
    }
    let mix = mix(d, number, server.max_transact);
    let mut steps = Vec::new();
    let many = d.between(10, 60);
    for n in 0..number {
        for _ in 0..many {
            let what = step(d, &mix, n);
            steps.push(Step {
                who: Who::Client(n),
                after_us: d.below(mix.pause + 1),
                what,
            });
        }
    }
    if faults {
        outside(d, &mut steps, many * mix.pause / 2 + 1000);
    }
    Plan {
        seed,
        stub_crypto,
        server,
        net,
        disk,
        clients,
        steps,
    }
}

fn server(d: &mut Dice) -> ServerPlan {
    let mut plan = ServerPlan {
        signing_required: d.chance(1, 6),
        encryption: d.pick(&[1, 1, 1, 1, 2, 3, 0]),
        share_encryption: d.pick(&[2, 3]),
        guests: d.chance(1, 4),
        multichannel: d.chance(1, 3),
        max_credits: d.pick(&[512, 512, 128, 64, 8192]),
        max_transact: d.pick(&[65536, 1 << 20, 1 << 20, 8 << 20]),
        interim_ms: d.pick(&[500, 5, 50]),
        ..ServerPlan::open()
    };
    if d.chance(1, 8) {
        plan.max_dialect = d.pick(&[0x0202, 0x0210, 0x0300, 0x0302]);
    }
    if d.chance(1, 12) {
        plan.max_opens = 4;
    }
    if d.chance(1, 12) {
        plan.max_async = 2;
    }
    if d.chance(1, 10) {
        plan.session_lifetime_ms = d.between(20, 2000);
    }
    if d.chance(1, 10) {
        plan.idle_ms = d.between(1000, 5000);
    }
    plan
}

fn network(d: &mut Dice, faults: bool) -> NetPlan {
    let mut plan = NetPlan {
        latency_us: d.pick(&[(0, 0), (50, 300), (10, 5000), (20_000, 60_000)]),
        ..NetPlan::calm()
    };
    if !faults {
        return plan;
    }
    if d.chance(1, 3) {
        plan.bytes_per_ms = d.pick(&[100, 1000, 10_000]);
    }
    if d.chance(1, 2) {
        plan.cuts = d.pick(&[1, 3, 8]);
    }
    if d.chance(1, 2) {
        plan.coalesce_percent = d.pick(&[10, 50, 90]);
    }
    if d.chance(1, 4) {
        plan.stall_permille = d.pick(&[5, 30]);
        plan.stall_ms = d.pick(&[10, 1000, 5000]);
    }
    if d.chance(1, 6) {
        plan.send_buffer = d.pick(&[0, 1000, 65536]);
    }
    plan
}

fn disk(d: &mut Dice, faults: bool) -> DiskPlan {
    let mut plan = DiskPlan {
        latency_us: d.pick(&[(0, 0), (20, 200), (100, 10_000)]),
        ..DiskPlan::calm()
    };
    if d.chance(1, 3) {
        plan.slow_percent = d.pick(&[2, 20]);
        plan.slow_ms = d.pick(&[20, 600, 2000]);
    }
    if !faults {
        return plan;
    }
    if d.chance(1, 4) {
        plan.eio = d.pick(&[50, 500]);
    }
    if d.chance(1, 8) {
        plan.quota = 500;
    }
    if d.chance(1, 8) {
        plan.short_reads = 1000;
    }
    if d.chance(1, 8) {
        plan.capacity = d.between(1, 40);
    }
    plan
}

/// Some of these, at least one, in any order.
fn some(d: &mut Dice, all: &[u16]) -> Vec<u16> {
    let mut rest = all.to_vec();
    let mut out = Vec::new();
    while !rest.is_empty() && (out.is_empty() || d.chance(2, 3)) {
        let n = usize::try_from(d.below(rest.len() as u64)).unwrap_or(0);
        out.push(rest.swap_remove(n));
    }
    out
}

fn client(d: &mut Dice, server: &ServerPlan, faults: bool) -> ClientPlan {
    let all = ClientPlan::plain().dialects;
    let mut dialects = match d.below(3) {
        0 => all.clone(),
        1 => vec![0x0311],
        _ => some(d, &all),
    };
    dialects.sort_unstable();
    if d.chance(9, 10) && !dialects.iter().any(|x| *x <= server.max_dialect) {
        dialects.insert(0, server.max_dialect);
    }
    let mut plan = ClientPlan {
        dialects,
        smb1_first: d.chance(1, 16),
        user: d.pick(&[0, 0, 0, 1, 1, 2, 3, 4]),
        share: d.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        sign: d.chance(1, 3),
        encrypt: d.chance(1, 4),
        ciphers: some(d, &[1, 2, 3, 4]),
        signing_algorithms: some(d, &[0, 1, 2]),
        credits: d.pick(&[1, 8, 32, 64, 500]),
        large_mtu: d.chance(4, 5),
        depth: d.pick(&[1, 2, 4, 8]),
        reconnects: d.chance(3, 4),
        ..ClientPlan::plain()
    };
    if faults && d.chance(1, 8) {
        plan.reads_per_ms = d.pick(&[10, 200]);
    }
    if faults && d.chance(1, 6) {
        plan.reset_after = d.between(1, 20_000);
    }
    if faults && d.chance(1, 6) {
        plan.reset_after_received = d.between(1, 20_000);
    }
    plan
}

fn mix(d: &mut Dice, clients: u8, max_transact: u32) -> Mix {
    let weights = KINDS
        .iter()
        .enumerate()
        .map(|(i, (_, weight))| {
            if i >= 4 && d.chance(2, 5) {
                0
            } else {
                weight * d.pick(&[1, 1, 2, 4])
            }
        })
        .collect();
    let few = d.chance(1, 2);
    let mut names: Vec<u8> = (0..if few { 3 } else { 8 })
        .map(|_| d.small(u8::try_from(NAMES.len()).unwrap_or(1)))
        .collect();
    names.push(0);
    Mix {
        weights,
        names,
        pause: d.pick(&[0, 200, 5_000, 100_000]),
        reach: d.pick(&[64, 10_000, 100_000, 1 << 33]),
        longest: d.pick(&[64, 4096, 65536, 300_000]).min(max_transact),
        friendly: d.chance(1, 2),
        clients,
    }
}

fn slot(d: &mut Dice) -> u8 {
    // Low slots more often, so that what was opened is used.
    d.small(SLOTS).min(d.small(SLOTS))
}

fn tree(d: &mut Dice) -> u8 {
    d.pick(&[0, 0, 0, 0, 0, 0, 1, 2])
}

fn offset(d: &mut Dice, mix: &Mix) -> u64 {
    if d.chance(1, 50) {
        return d.pick(&[u64::MAX, i64::MAX as u64, 1 << 62, 1 << 40]);
    }
    let n = d.below(mix.reach);
    if d.chance(1, 2) { n & !7 } else { n }
}

fn length(d: &mut Dice, mix: &Mix) -> u32 {
    let n = u32::try_from(d.below(u64::from(mix.longest) + 1)).unwrap_or(0);
    // Mostly short: long ones cost time and say little more.
    if d.chance(1, 8) { n } else { n.min(600) }
}

fn step(d: &mut Dice, mix: &Mix, me: u8) -> Do {
    let kind = KINDS[d.weighted(&mix.weights)].0;
    match kind {
        Kind::Compound => compound(d, mix),
        Kind::Echo => Do::Echo,
        Kind::Cancel => Do::Cancel { nth: d.small(3) },
        Kind::Session => session(d, mix, me),
        Kind::Tree => match d.below(3) {
            0 => Do::TreeDisconnect { tree: tree(d) },
            _ => Do::Tree {
                tree: d.between(0, 2) as u8,
                session: d.pick(&[0, 0, 0, 1, 7]),
                share: d.pick(&[0, 0, 1, 2, 3, 4]),
            },
        },
        Kind::Raw => Do::Raw(raw(d)),
        Kind::Reconnect => match d.below(4) {
            0 => Do::HalfClose,
            _ => Do::Reconnect {
                replace: d.chance(1, 2),
                reset: d.chance(1, 2),
            },
        },
        Kind::Stall => Do::Stall {
            ms: d.pick(&[1, 50, 1000]),
        },
        kind => Do::Call {
            tree: tree(d),
            call: call(d, mix, kind),
        },
    }
}

fn session(d: &mut Dice, mix: &Mix, me: u8) -> Do {
    match d.below(6) {
        0 | 1 => Do::Logon {
            session: 1,
            user: d.small(5),
            wrong: d.chance(1, 4),
        },
        2 | 3 => Do::Reauthenticate {
            session: d.pick(&[0, 0, 1]),
        },
        4 if mix.clients > 1 => Do::Bind {
            from: (me + 1) % mix.clients,
        },
        _ => Do::Logoff {
            session: d.pick(&[0, 1, 1, 7]),
        },
    }
}

fn compound(d: &mut Dice, mix: &Mix) -> Do {
    let related = d.chance(2, 3);
    let many = d.between(1, 4);
    let mut calls = Vec::new();
    if d.chance(2, 3) {
        calls.push(call(d, mix, Kind::Open));
    }
    for _ in 0..many {
        let kind = d.pick(&[
            Kind::Read,
            Kind::Write,
            Kind::Query,
            Kind::Set,
            Kind::Flush,
            Kind::List,
            Kind::Lock,
            Kind::Notify,
            Kind::Delete,
        ]);
        calls.push(call(d, mix, kind));
    }
    if d.chance(2, 3) {
        calls.push(call(d, mix, Kind::Close));
    }
    Do::Compound {
        tree: tree(d),
        related,
        calls,
    }
}

fn open(d: &mut Dice, mix: &Mix) -> Call {
    let all = 0x001f_01ff;
    let (access, share) = if mix.friendly && d.chance(9, 10) {
        (all, 7)
    } else {
        let access = d.pick(&[
            all,
            1,
            2,
            3,
            0x0001_0000,
            0x80,
            0x8000_0000,
            0x4000_0000,
            0x0200_0000,
            0,
        ]);
        (access, d.pick(&[7, 7, 7, 0, 1, 2, 3, 4, 5, 6]))
    };
    let mut options = d.pick(&[0, 0, 0, 0, 0x40, 0x40, 1, 1]);
    if d.chance(1, 10) {
        options |= 0x1000;
    }
    if d.chance(1, 30) {
        options |= d.pick(&[
            0x2,
            0x4,
            0x8,
            0x20,
            0x100,
            0x2000,
            0x4000,
            0x0020_0000,
            0x0080_0000,
        ]);
    }
    Call::Open {
        slot: slot(d),
        name: d.pick(&mix.names),
        disposition: d.pick(&[1, 3, 3, 3, 2, 5, 0, 4, 1, 9]),
        access,
        share,
        options,
        oplock: d.pick(&[0, 0, 1, 8, 9]),
        contexts: d.chance(1, 8),
    }
}

fn call(d: &mut Dice, mix: &Mix, kind: Kind) -> Call {
    let slot = slot(d);
    match kind {
        Kind::Close => Call::Close {
            slot,
            attributes: d.chance(1, 2),
        },
        Kind::Read => Call::Read {
            slot,
            offset: offset(d, mix),
            len: length(d, mix),
            minimum: if d.chance(1, 8) {
                1 + u32::from(d.small(200))
            } else {
                0
            },
        },
        Kind::Write => Call::Write {
            slot,
            // From here on all ones mean "at the end".
            offset: offset(d, mix),
            len: length(d, mix),
            fill: d.small(255),
            through: d.chance(1, 6),
        },
        Kind::Flush => Call::Flush { slot },
        Kind::Lock => lock(d, slot),
        Kind::List => Call::List {
            slot,
            class: d.pick(&[1, 2, 3, 12, 37, 38, 37, 99]),
            flags: d.pick(&[0, 0, 1, 2, 3, 0x10]),
            pattern: d.small(6),
            len: d
                .pick(&[65536, 4096, 300, 100, 0])
                .min(mix.longest.max(300)),
        },
        Kind::Notify => Call::Notify {
            slot,
            filter: d.pick(&[0xfff, 3, 0x10, 1, 0]),
            tree: d.chance(1, 2),
            len: d.pick(&[4096, 4096, 64, 0]),
        },
        Kind::Query => query(d, slot),
        Kind::Set => Call::Set {
            slot,
            set: match d.below(6) {
                0 | 1 => Set::Size(offset(d, mix)),
                2 => Set::Allocation(offset(d, mix)),
                3 => Set::Attributes(d.pick(&[0x80, 0x20, 1, 2, 0x100, 0x10])),
                4 => Set::Ea(d.pick(&[0, 5, 200])),
                _ => Set::Security {
                    open: d.chance(3, 4),
                },
            },
        },
        Kind::Delete => Call::Set {
            slot,
            set: Set::Delete(d.chance(4, 5)),
        },
        Kind::Rename => Call::Set {
            slot,
            set: if d.chance(1, 4) {
                Set::Link {
                    to: d.pick(&mix.names),
                    replace: d.chance(1, 2),
                }
            } else {
                Set::Rename {
                    to: d.pick(&mix.names),
                    replace: d.chance(1, 2),
                }
            },
        },
        Kind::Ioctl => Call::Ioctl {
            slot,
            control: ioctl(d, mix),
        },
        Kind::Copy => Call::Ioctl {
            slot,
            control: if d.chance(1, 2) {
                Control::ResumeKey
            } else {
                Control::Copy {
                    from: offset(d, mix),
                    to: offset(d, mix),
                    len: length(d, mix),
                }
            },
        },
        _ => open(d, mix),
    }
}

fn lock(d: &mut Dice, slot: u8) -> Call {
    let unlock = d.chance(1, 3);
    let many = d.pick(&[1, 1, 1, 2, 3]);
    let ranges = (0..many)
        .map(|_| {
            let flags = match (unlock, d.chance(1, 2)) {
                (true, _) => 4,
                (false, exclusive) => {
                    let kind = if exclusive { 2 } else { 1 };
                    // Only a single one may wait ([MS-SMB2] 2.2.26.1).
                    let waits = many == 1 && d.chance(2, 3);
                    if waits { kind } else { kind | 0x10 }
                }
            };
            (
                d.pick(&[0, 0, 10, 100]),
                d.pick(&[10, 10, 1, 100, 0]),
                flags,
            )
        })
        .collect();
    Call::Lock { slot, ranges }
}

fn query(d: &mut Dice, slot: u8) -> Call {
    let (kind, class, more) = match d.below(8) {
        0 => (FILE_SYSTEM, d.pick(&[1, 3, 4, 5, 7, 11]), 0),
        1 => (SECURITY, 0, d.pick(&[1, 2, 4, 7])),
        _ => (
            FILE,
            d.pick(&[
                4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 21, 22, 34, 35, 46, 48, 59, 250,
            ]),
            0,
        ),
    };
    Call::Query {
        slot,
        kind,
        class,
        more,
        len: d.pick(&[4096, 4096, 1000, 40, 8, 0]),
    }
}

fn ioctl(d: &mut Dice, mix: &Mix) -> Control {
    match d.below(7) {
        0 => {
            let from = offset(d, mix);
            Control::Zero {
                from,
                beyond: from.saturating_add(u64::from(length(d, mix))),
            }
        }
        1 => Control::Sparse(d.chance(2, 3)),
        2 | 3 => Control::Ranges {
            offset: offset(d, mix),
            len: offset(d, mix),
            room: d.pick(&[1024, 16, 8]),
        },
        4 => Control::Interfaces,
        5 => Control::Transceive(u16::from(d.small(80))),
        _ => Control::Other(d.pick(&[
            0x0009_009c,
            0x0014_4064,
            0x0006_0194,
            0x0011_400c,
            0x0009_0090,
        ])),
    }
}

fn raw(d: &mut Dice) -> Raw {
    match d.below(22) {
        0 => Raw::Garbage(u16::from(d.small(200))),
        1 => Raw::TooLong,
        2 => Raw::BadPrefix(d.small(255).max(1)),
        3 => Raw::KeepAlive,
        4 => Raw::Smb1,
        5 => Raw::UsedId,
        6 => Raw::FarId,
        7 => Raw::Overcharge,
        8 => Raw::WrongSignature,
        9 => Raw::WrongSeal,
        10 => Raw::SealedForNobody,
        11 => Raw::Compressed,
        12 => Raw::BadCompound(d.pick(&[8, 60, 64, 68, 72, 80, 200])),
        13 => Raw::Response,
        14 => Raw::Negotiate,
        15 => Raw::Stranger,
        16..=18 => Raw::Mutated {
            slot: slot(d),
            at: d.small(48),
            bits: 1 << d.small(8),
        },
        _ => Raw::Body {
            command: u16::from(d.small(21)),
            len: u16::from(d.small(120)),
        },
    }
}

/// What the world around does during the script.
fn outside(d: &mut Dice, steps: &mut Vec<Step>, span: u64) {
    let mut add = |d: &mut Dice, what: Do| {
        steps.push(Step {
            who: Who::World,
            after_us: d.below(span),
            what,
        });
    };
    let any = |d: &mut Dice| d.small(16);
    if d.chance(1, 5) {
        for _ in 0..d.between(1, 4) {
            let edit = match d.below(4) {
                0 => Edit::Write {
                    name: any(d),
                    len: u32::from(d.small(200)),
                    fill: d.small(255),
                },
                1 => Edit::Remove { name: any(d) },
                2 => Edit::Rename {
                    from: any(d),
                    to: any(d),
                },
                _ => Edit::MakeDir { name: any(d) },
            };
            add(d, Do::Outside(edit));
        }
    }
    if d.chance(1, 8) {
        let units = d.below(30);
        add(d, Do::Capacity { units });
        add(d, Do::Capacity { units: 1 << 28 });
    }
    if d.chance(1, 8) {
        let ms = d.pick(&[1, 100, 3000]);
        add(d, Do::DiskDown { ms });
    }
    if d.chance(1, 6) {
        let seconds = d.pick(&[-86_400, -1, 3600, 400_000_000]);
        add(d, Do::ClockJump { seconds });
    }
    if d.chance(1, 8) {
        for _ in 0..d.pick(&[1, 1, 2]) {
            add(d, Do::Crash);
        }
    }
}
