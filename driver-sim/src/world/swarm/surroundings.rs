//! What the clients do not choose: the server's limits, the network, the disk.

use super::super::dice::Dice;
use super::super::plan::{DiskPlan, NetPlan, ServerPlan};

pub(super) fn server(d: &mut Dice) -> ServerPlan {
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
    plan.break_ms = d.pick(&[50, 500, 5000]);
    plan
}

pub(super) fn network(d: &mut Dice, faults: bool) -> NetPlan {
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

pub(super) fn disk(d: &mut Dice, faults: bool) -> DiskPlan {
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
