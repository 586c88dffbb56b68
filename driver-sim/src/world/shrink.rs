//! From a plan that fails to a smaller one that fails in the same way.

use super::plan::{ClientPlan, DiskPlan, NetPlan, PeerKind, Plan, ServerPlan};
use super::step::{Do, Who};
use super::{Failure, Options, Outcome, run};

/// A smaller plan.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// How it fails.
    pub failure: Failure,
    /// Worlds that were run to find it.
    pub runs: u64,
}

/// Makes `plan`, which fails, smaller as long as that is possible: drops steps, clients, parts of
/// compounds, faults and settings, keeping what still fails in the same check. `progress` is told the
/// number of steps after each success. `None` if the plan does not fail at all.
pub fn shrink(plan: &Plan, progress: impl FnMut(usize)) -> Option<Shrunk> {
    shrink_with(plan, progress, |plan| run(plan, &Options::default()))
}

/// As [`shrink`], with a way of its own to run a plan.
pub fn shrink_with(
    plan: &Plan,
    mut progress: impl FnMut(usize),
    mut run: impl FnMut(&Plan) -> Outcome,
) -> Option<Shrunk> {
    let failure = run(plan).failure?;
    let mut best = Shrunk {
        plan: plan.clone(),
        failure,
        runs: 1,
    };
    let mut attempt = |best: &mut Shrunk, plan: Plan| {
        if plan == best.plan {
            return false;
        }
        best.runs += 1;
        match run(&plan).failure {
            Some(failure) if failure.kind == best.failure.kind => {
                progress(plan.steps.len());
                best.plan = plan;
                best.failure = failure;
                true
            }
            _ => false,
        }
    };
    loop {
        let before = best.plan.clone();
        drop_steps(&mut best, &mut attempt);
        calm_down(&mut best, &mut attempt);
        simplify_steps(&mut best, &mut attempt);
        if best.plan == before {
            return Some(best);
        }
    }
}

/// Drops ever smaller runs of steps.
fn drop_steps(best: &mut Shrunk, attempt: &mut impl FnMut(&mut Shrunk, Plan) -> bool) {
    let mut size = best.plan.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < best.plan.steps.len() {
            let mut plan = best.plan.clone();
            let end = (at + size).min(plan.steps.len());
            plan.steps.drain(at..end);
            if !attempt(best, plan) {
                at += size;
            }
        }
        if size == 1 {
            return;
        }
        size = size.div_ceil(2);
    }
}

/// Faults, settings and clients, one after the other.
fn calm_down(best: &mut Shrunk, attempt: &mut impl FnMut(&mut Shrunk, Plan) -> bool) {
    let changes: [fn(&mut Plan); 21] = [
        |p| p.net = NetPlan::calm(),
        |p| p.disk = DiskPlan::calm(),
        |p| p.server = ServerPlan::open(),
        |p| p.stub_crypto = true,
        |p| p.net.latency_us = NetPlan::calm().latency_us,
        |p| p.net.bytes_per_ms = 0,
        |p| p.net.cuts = 0,
        |p| p.net.coalesce_percent = 0,
        |p| p.net.stall_permille = 0,
        |p| p.net.send_buffer = NetPlan::calm().send_buffer,
        |p| p.disk.latency_us = DiskPlan::calm().latency_us,
        |p| p.disk.slow_percent = 0,
        |p| p.disk.eio = 0,
        |p| p.disk.quota = 0,
        |p| p.disk.short_reads = 0,
        |p| p.disk.capacity = 0,
        |p| p.server.max_credits = ServerPlan::open().max_credits,
        |p| p.server.max_transact = ServerPlan::open().max_transact,
        |p| p.server.session_lifetime_ms = 0,
        |p| p.server.idle_ms = 0,
        |p| p.server.interim_ms = ServerPlan::open().interim_ms,
    ];
    for change in changes {
        let mut plan = best.plan.clone();
        change(&mut plan);
        attempt(best, plan);
    }
    for n in 0..best.plan.clients.len() {
        let changes: [fn(&mut ClientPlan); 8] = [
            |c| *c = ClientPlan::plain(),
            |c| c.kind = PeerKind::Normal,
            |c| (c.reset_after, c.reset_after_received) = (0, 0),
            |c| c.reads_per_ms = 0,
            |c| (c.sign, c.encrypt) = (false, false),
            |c| c.depth = 1,
            |c| c.user = 0,
            |c| c.share = 0,
        ];
        for change in changes {
            let mut plan = best.plan.clone();
            change(&mut plan.clients[n]);
            attempt(best, plan);
        }
    }
    for n in (0..best.plan.clients.len()).rev() {
        if best.plan.clients.len() > 1 {
            let plan = without_client(&best.plan, n);
            attempt(best, plan);
        }
    }
}

/// The plan without a client and its steps; those behind it move up.
fn without_client(plan: &Plan, n: usize) -> Plan {
    let mut plan = plan.clone();
    plan.clients.remove(n);
    let up = |number: &mut u8| {
        if usize::from(*number) > n {
            *number -= 1;
        }
    };
    plan.steps
        .retain(|s| s.who != Who::Client(u8::try_from(n).unwrap_or(u8::MAX)));
    for step in &mut plan.steps {
        if let Who::Client(number) = &mut step.who {
            up(number);
        }
        if let Do::Bind { from } = &mut step.what {
            up(from);
        }
    }
    plan
}

/// Pauses, and parts of compounds.
fn simplify_steps(best: &mut Shrunk, attempt: &mut impl FnMut(&mut Shrunk, Plan) -> bool) {
    for at in 0..best.plan.steps.len() {
        let mut plan = best.plan.clone();
        plan.steps[at].after_us = 0;
        attempt(best, plan);
        while let Do::Compound { calls, .. } = &best.plan.steps[at].what
            && calls.len() > 1
        {
            let number = calls.len();
            let dropped = (0..number).any(|n| {
                let mut plan = best.plan.clone();
                if let Do::Compound { calls, .. } = &mut plan.steps[at].what {
                    calls.remove(n);
                }
                attempt(best, plan)
            });
            if !dropped {
                break;
            }
        }
    }
}
