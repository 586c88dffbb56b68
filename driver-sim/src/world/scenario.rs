//! Worlds with a name: one situation each, in which every step has a purpose. The seed decides about
//! delays and orders only.

use super::plan::{ClientPlan, DiskPlan, NetPlan, PeerKind, Plan, ServerPlan};
use super::step::{Call, Control, Do, Edit, Raw, Set, Step, Who};

/// A world with a name.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    change: fn(&mut Plan),
}

impl Scenario {
    /// Its plan.
    #[must_use]
    pub fn plan(&self, seed: u64, stub_crypto: bool) -> Plan {
        let mut plan = Plan {
            seed,
            stub_crypto,
            server: ServerPlan::open(),
            net: NetPlan {
                latency_us: (10, 2000),
                ..NetPlan::calm()
            },
            disk: DiskPlan::calm(),
            clients: vec![ClientPlan::plain(), ClientPlan::plain()],
            steps: Vec::new(),
        };
        (self.change)(&mut plan);
        plan
    }
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "lock-handover",
        about: "one client waits for a lock until the other unlocks, closes or is cut off",
        change: lock_handover,
    },
    Scenario {
        name: "delete-on-close",
        about: "a file that is to be deleted when closed, by a close, a logoff and a lost connection",
        change: delete_on_close,
    },
    Scenario {
        name: "share-modes",
        about: "opens that shut each other out, and one that fails and must leave nothing behind",
        change: share_modes,
    },
    Scenario {
        name: "watch",
        about: "changes in a watched directory, more than fit into an answer, then its deletion",
        change: watch,
    },
    Scenario {
        name: "power-loss",
        about: "the machine fails between writing and flushing, and clients come back",
        change: power_loss,
    },
    Scenario {
        name: "disk-full",
        about: "the volume has no space, then some, then fails at everything",
        change: disk_full,
    },
    Scenario {
        name: "slow-reader",
        about: "a client asks for much and reads it slowly",
        change: slow_reader,
    },
    Scenario {
        name: "silent-peers",
        about: "peers that say nothing, half a message, or never log on",
        change: silent_peers,
    },
    Scenario {
        name: "cut-logon",
        about: "the connection breaks somewhere in negotiation and logon, again and again",
        change: cut_logon,
    },
    Scenario {
        name: "session-expires",
        about: "a session's time is over in the midst of work, and it is proven again",
        change: session_expires,
    },
    Scenario {
        name: "two-channels",
        about: "a session on two connections, ended on one of them",
        change: two_channels,
    },
    Scenario {
        name: "replaced-session",
        about: "a client that lost its connection replaces its old session",
        change: replaced_session,
    },
    Scenario {
        name: "rule-breaker",
        about: "everything that breaks the protocol, beside a client that works",
        change: rule_breaker,
    },
    Scenario {
        name: "outside",
        about: "names and contents change underneath open files",
        change: outside,
    },
    Scenario {
        name: "cancel",
        about: "requests that wait are cancelled, also some that do not wait any more",
        change: cancel,
    },
    Scenario {
        name: "pipe",
        about: "a named pipe that is read before anything is written to it, and closed meanwhile",
        change: pipe,
    },
];

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|s| s.name == name)
}

const EVERYTHING: u32 = 0x001f_01ff;

fn add(plan: &mut Plan, client: u8, after_us: u64, what: Do) {
    plan.steps.push(Step {
        who: Who::Client(client),
        after_us,
        what,
    });
}

fn world(plan: &mut Plan, after_us: u64, what: Do) {
    plan.steps.push(Step {
        who: Who::World,
        after_us,
        what,
    });
}

fn call(plan: &mut Plan, client: u8, after_us: u64, call: Call) {
    add(plan, client, after_us, Do::Call { tree: 0, call });
}

/// Opens, or makes, a file.
fn open(slot: u8, name: u8) -> Call {
    Call::Open {
        slot,
        name,
        disposition: 3,
        access: EVERYTHING,
        share: 7,
        options: 0,
        oplock: 0,
        contexts: false,
        lease: None,
        durable: None,
    }
}

fn open_with(slot: u8, name: u8, access: u32, share: u32, options: u32) -> Call {
    Call::Open {
        slot,
        name,
        disposition: 3,
        access,
        share,
        options,
        oplock: 0,
        contexts: false,
        lease: None,
        durable: None,
    }
}

fn close(slot: u8) -> Call {
    Call::Close {
        slot,
        attributes: true,
    }
}

fn write(slot: u8, offset: u64, len: u32) -> Call {
    Call::Write {
        slot,
        offset,
        len,
        fill: 1,
        through: false,
    }
}

fn read(slot: u8, offset: u64, len: u32) -> Call {
    Call::Read {
        slot,
        offset,
        len,
        minimum: 0,
    }
}

fn lock(slot: u8, flags: u32) -> Call {
    Call::Lock {
        slot,
        ranges: vec![(0, 10, flags)],
    }
}

fn lock_handover(plan: &mut Plan) {
    plan.clients.push(ClientPlan::plain());
    for client in 0..3 {
        call(plan, client, 0, open(0, 0));
    }
    for round in 0..4 {
        call(plan, 0, 5000, lock(0, 2));
        call(plan, 1, 8000, lock(0, 2));
        call(plan, 2, 8000, lock(0, 1));
        match round {
            0 => call(plan, 0, 20_000, lock(0, 4)),
            1 => {
                call(plan, 0, 20_000, close(0));
                call(plan, 0, 0, open(0, 0));
            }
            _ => {
                let reset = round == 2;
                let replace = false;
                add(plan, 0, 20_000, Do::Reconnect { replace, reset });
                call(plan, 0, 0, open(0, 0));
            }
        }
        call(plan, 1, 20_000, lock(0, 4));
        call(plan, 2, 20_000, lock(0, 4));
    }
}

fn delete_on_close(plan: &mut Plan) {
    let doomed = open_with(0, 1, EVERYTHING, 7, 0x1000);
    call(plan, 0, 0, doomed.clone());
    call(plan, 1, 2000, open(1, 1));
    call(plan, 0, 5000, close(0));
    call(plan, 1, 5000, close(1));
    call(plan, 1, 5000, open_with(2, 1, EVERYTHING, 7, 0x1000));
    add(plan, 1, 5000, Do::Logoff { session: 0 });
    call(plan, 0, 20_000, doomed);
    let lost = Do::Reconnect {
        replace: false,
        reset: true,
    };
    add(plan, 0, 5000, lost);
    call(plan, 0, 20_000, open(3, 1));
    call(
        plan,
        0,
        0,
        Call::Set {
            slot: 3,
            set: Set::Delete(true),
        },
    );
    call(
        plan,
        0,
        0,
        Call::Set {
            slot: 3,
            set: Set::Delete(false),
        },
    );
    call(plan, 0, 0, close(3));
}

fn share_modes(plan: &mut Plan) {
    for share in 0..8 {
        let slot = (share % 4) as u8;
        call(plan, 0, 500, open_with(slot, 0, 3, share, 0));
        call(plan, 1, 700, open_with(slot, 0, 0x0001_0001, 7 - share, 0));
        call(plan, 1, 300, read(slot, 0, 10));
        call(plan, 0, 700, close(slot));
        call(plan, 1, 700, close(slot));
    }
}

fn watch(plan: &mut Plan) {
    call(plan, 0, 0, open_with(0, 4, EVERYTHING, 7, 1));
    for _ in 0..3 {
        let notify = Call::Notify {
            slot: 0,
            filter: 0xfff,
            tree: true,
            len: 64,
        };
        call(plan, 0, 1000, notify);
    }
    for name in [5, 6, 8, 5] {
        call(plan, 1, 3000, open(1, name));
        call(plan, 1, 0, write(1, 0, 100));
        call(plan, 1, 0, close(1));
    }
    call(plan, 1, 0, open_with(2, 12, EVERYTHING, 7, 1));
    call(
        plan,
        0,
        20_000,
        Call::Set {
            slot: 0,
            set: Set::Delete(true),
        },
    );
    call(plan, 0, 0, close(0));
}

fn power_loss(plan: &mut Plan) {
    for client in 0..2 {
        for round in 0..4 {
            call(plan, client, 1000, open(0, client));
            call(plan, client, 0, write(0, 5000 * round, 6000));
            if round % 2 == 0 {
                call(plan, client, 0, Call::Flush { slot: 0 });
            }
            call(plan, client, 500, read(0, 0, 4000));
            call(plan, client, 0, close(0));
        }
    }
    for _ in 0..3 {
        world(plan, 4000, Do::Crash);
    }
}

fn disk_full(plan: &mut Plan) {
    plan.disk.capacity = 3;
    for client in 0..2 {
        call(plan, client, 0, open(0, client));
        for n in 0..6 {
            call(plan, client, 1000, write(0, 4096 * n, 4096));
            call(
                plan,
                client,
                0,
                Call::Set {
                    slot: 0,
                    set: Set::Size(8192 * n),
                },
            );
            call(plan, client, 0, read(0, 4096 * n, 100));
        }
        call(plan, client, 0, open(1, 6));
        call(plan, client, 0, close(0));
    }
    world(plan, 4000, Do::Capacity { units: 20 });
    world(plan, 4000, Do::DiskDown { ms: 5 });
}

fn slow_reader(plan: &mut Plan) {
    plan.clients[0].reads_per_ms = 200;
    plan.clients[0].depth = 16;
    plan.net.send_buffer = 4096;
    call(plan, 0, 0, open(0, 3));
    call(plan, 1, 0, open(0, 3));
    for n in 0..20 {
        call(plan, 0, 0, read(0, 0, 5000));
        call(plan, 1, 300, write(0, n * 100, 100));
    }
    call(plan, 0, 0, close(0));
}

fn silent_peers(plan: &mut Plan) {
    for kind in [PeerKind::Silent, PeerKind::Half, PeerKind::Stranger] {
        plan.clients.push(ClientPlan {
            kind,
            ..ClientPlan::plain()
        });
    }
    call(plan, 0, 0, open(0, 0));
    call(plan, 1, 0, open(0, 0));
}

fn cut_logon(plan: &mut Plan) {
    // The seed moves the place, so that a range of seeds cuts everywhere.
    plan.clients[0].reset_after = 1 + plan.seed % 1500;
    plan.clients[1].reset_after_received = 1 + plan.seed % 1100;
    for client in 0..2 {
        call(plan, client, 0, open(0, client));
        call(plan, client, 0, write(0, 0, 100));
        call(plan, client, 0, close(0));
    }
}

fn session_expires(plan: &mut Plan) {
    plan.server.session_lifetime_ms = 20;
    for client in 0..2 {
        call(plan, client, 0, open(0, client));
        for _ in 0..4 {
            call(plan, client, 8000, write(0, 0, 10));
            call(plan, client, 8000, read(0, 0, 10));
            call(plan, client, 8000, lock(0, 2));
            add(plan, client, 2000, Do::Reauthenticate { session: 0 });
            call(plan, client, 4000, lock(0, 4));
        }
        call(plan, client, 0, close(0));
    }
}

fn two_channels(plan: &mut Plan) {
    for client in &mut plan.clients {
        client.dialects = vec![0x0311];
    }
    call(plan, 0, 0, open(0, 0));
    add(plan, 1, 15_000, Do::Bind { from: 0 });
    let tree = Do::Tree {
        tree: 1,
        session: 7,
        share: 0,
    };
    add(plan, 1, 10_000, tree);
    for _ in 0..3 {
        call(plan, 0, 2000, write(0, 0, 100));
        let call = open(0, 0);
        add(plan, 1, 2000, Do::Call { tree: 1, call });
        let call = read(0, 0, 100);
        add(plan, 1, 2000, Do::Call { tree: 1, call });
    }
    call(plan, 0, 2000, lock(0, 2));
    add(plan, 1, 5000, Do::Logoff { session: 7 });
    call(plan, 0, 5000, write(0, 0, 100));
}

fn replaced_session(plan: &mut Plan) {
    for _ in 0..4 {
        call(plan, 0, 0, open_with(0, 0, EVERYTHING, 0, 0));
        call(plan, 1, 3000, open_with(0, 0, EVERYTHING, 0, 0));
        let again = Do::Reconnect {
            replace: true,
            reset: true,
        };
        add(plan, 0, 5000, again.clone());
        add(plan, 1, 5000, again);
    }
}

fn rule_breaker(plan: &mut Plan) {
    for n in 0..30 {
        call(plan, 0, 2000, open(0, 0));
        call(plan, 0, 2000, write(0, n * 10, 10));
        call(plan, 0, 2000, close(0));
    }
    plan.clients[1].reconnects = false;
    let kinds = [
        Raw::Garbage(100),
        Raw::TooLong,
        Raw::BadPrefix(7),
        Raw::KeepAlive,
        Raw::Smb1,
        Raw::UsedId,
        Raw::FarId,
        Raw::Overcharge,
        Raw::WrongSignature,
        Raw::WrongSeal,
        Raw::SealedForNobody,
        Raw::Compressed,
        Raw::Body {
            command: 5,
            len: 57,
        },
        Raw::Body {
            command: 99,
            len: 4,
        },
        Raw::BadCompound(60),
        Raw::BadCompound(72),
        Raw::Response,
        Raw::Negotiate,
        Raw::Stranger,
        Raw::Mutated {
            slot: 0,
            at: 2,
            bits: 0x40,
        },
    ];
    for kind in kinds {
        call(plan, 1, 0, open(0, 0));
        add(plan, 1, 3000, Do::Raw(kind));
        let again = Do::Reconnect {
            replace: false,
            reset: false,
        };
        add(plan, 1, 3000, again);
    }
}

fn outside(plan: &mut Plan) {
    for client in 0..2 {
        call(plan, client, 0, open(0, 0));
        call(plan, client, 0, open_with(1, 4, EVERYTHING, 7, 1));
        for _ in 0..4 {
            call(plan, client, 3000, read(0, 0, 100));
            let list = Call::List {
                slot: 1,
                class: 37,
                flags: 1,
                pattern: 0,
                len: 4096,
            };
            call(plan, client, 0, list);
            let to = client + 5;
            let rename = Set::Rename { to, replace: true };
            call(
                plan,
                client,
                0,
                Call::Set {
                    slot: 0,
                    set: rename,
                },
            );
        }
        call(plan, client, 0, close(0));
    }
    let edits = [
        Edit::Write {
            name: 0,
            len: 50,
            fill: 7,
        },
        Edit::Rename { from: 0, to: 1 },
        Edit::Remove { name: 5 },
        Edit::Remove { name: 6 },
        Edit::MakeDir { name: 0 },
    ];
    for edit in edits {
        world(plan, 3000, Do::Outside(edit));
    }
}

fn cancel(plan: &mut Plan) {
    plan.server.interim_ms = 5;
    call(plan, 0, 0, open(0, 0));
    call(plan, 0, 0, lock(0, 2));
    call(plan, 1, 0, open(0, 0));
    call(plan, 1, 0, open_with(1, 4, EVERYTHING, 7, 1));
    for pause in [0, 1000, 4000, 7000, 20_000] {
        call(plan, 1, 0, lock(0, 2));
        let notify = Call::Notify {
            slot: 1,
            filter: 0xfff,
            tree: false,
            len: 1000,
        };
        call(plan, 1, 0, notify);
        add(plan, 1, pause, Do::Cancel { nth: 1 });
        add(plan, 1, 0, Do::Cancel { nth: 0 });
        call(plan, 0, pause, read(0, 0, 10));
        add(plan, 0, 0, Do::Cancel { nth: 0 });
    }
}

fn pipe(plan: &mut Plan) {
    for client in &mut plan.clients {
        client.share = 3;
    }
    for client in 0..2 {
        for end in 0..3 {
            call(plan, client, 0, open(0, client));
            call(plan, client, 0, read(0, 0, 100));
            call(plan, client, 2000, write(0, 0, 10));
            let control = Control::Transceive(30);
            call(plan, client, 2000, Call::Ioctl { slot: 0, control });
            match end {
                0 => call(plan, client, 2000, close(0)),
                1 => {
                    add(plan, client, 2000, Do::TreeDisconnect { tree: 0 });
                    let tree = Do::Tree {
                        tree: 0,
                        session: 0,
                        share: 3,
                    };
                    add(plan, client, 2000, tree);
                }
                _ => add(plan, client, 2000, Do::Cancel { nth: 0 }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Options, run};

    #[test]
    fn every_scenario_passes_and_names_differ() {
        for (n, scenario) in ALL.iter().enumerate() {
            for seed in 0..4 {
                let outcome = run(&scenario.plan(seed, seed % 2 == 0), &Options::default());
                assert_eq!(outcome.failure, None, "{} {seed}", scenario.name);
                assert!(outcome.stats.operations > 5, "{}", scenario.name);
            }
            assert!(ALL[..n].iter().all(|s| s.name != scenario.name));
            assert!(find(scenario.name).is_some());
        }
    }
}
