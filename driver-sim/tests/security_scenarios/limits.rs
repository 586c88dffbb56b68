//! Exhaustion, and the server's own end.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use driver_sim::client::{ClientConfig, ops};
use driver_sim::explore::{Act, Bed, explore};
use driver_sim::pair::Pair;
use smb_engine::output::CloseReason;
use smb_engine::vfs::VfsOp;
use smb_engine::{Control, Counts, Fault};
use smb_proto::NtStatus;
use smb_proto::msg::create::CreateDisposition;

use crate::bed::S;

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// CVE-2025-38501 ("KSMBDrain"), CVE-2025-68246, CVE-2026-23228, CVE-2026-31711: one address takes all it
/// can get and says nothing: others still get in, the silent ones are closed in time, and each place that
/// becomes free can be taken again. A refused connection does not count.
#[test]
fn silent_connections_of_one_address() {
    let mut pair = Pair::builder()
        .config(|c| {
            c.limits.max_connections = 10;
            c.limits.max_connections_per_ip = 6;
        })
        .build();
    let connect = |pair: &mut Pair, last| pair.accept_from(address(last), ClientConfig::default());
    let full = Err(CloseReason::TooManyConnections);
    let mut silent = Vec::new();
    for round in 0..3 {
        while let Ok(end) = connect(&mut pair, 66) {
            silent.push(end);
        }
        assert_eq!(pair.counts().connections, 6, "{round}");
        for _ in 0..100 {
            assert_eq!(connect(&mut pair, 66), full);
        }
        assert_eq!(pair.counts().connections, 6);
        // Somebody else comes in, and works.
        let end = connect(&mut pair, 1).unwrap();
        pair.client(end).negotiate();
        pair.run();
        pair.mount_on(end);
        // One place is given back and taken again.
        pair.disconnect(silent.pop().unwrap());
        silent.push(connect(&mut pair, 66).unwrap());
        pair.advance(Duration::from_secs(31));
        for end in silent.drain(..) {
            let expected = CloseReason::Fault(Fault::LogonTimeout);
            assert_eq!(pair.close_reason(end), Some(&expected));
        }
        assert_eq!(pair.counts().connections, 1);
        pair.disconnect(end);
        assert_eq!(pair.counts(), Counts::default());
    }
    // The bound in all, over addresses.
    for last in 0..10 {
        connect(&mut pair, last).unwrap();
    }
    assert_eq!(connect(&mut pair, 77), full);
    pair.finish();
}

/// CVE-2023-32246: the server is told to stop while requests run and connections break: what runs is
/// answered to whoever is there, nothing new is taken in, and in the end nobody is left.
#[test]
fn drain_beside_requests_and_disconnects() {
    const ENDS: &[NtStatus] = &[S::SUCCESS, S::CANCELLED, S::END_OF_FILE];
    let world = || {
        let mut bed = Bed::new(Pair::new(), 2);
        bed.create(0, ops::create("f", CreateDisposition::Create));
        bed.may_close(0);
        bed.may_close(1);
        bed.pair
            .hold(|op| matches!(op, VfsOp::Write { .. } | VfsOp::Open { .. }));
        bed
    };
    let actors = [
        vec![
            Act::request(0, "write", ENDS, |bed| {
                ops::write(bed.file(0, 0), 0, "x").into()
            }),
            Act::request(1, "open", ENDS, |_| ops::open("f").into()),
        ],
        vec![Act::new("drain", |bed| bed.pair.control(Control::Drain))],
        vec![Act::disconnect(1)],
        vec![Act::complete(), Act::complete()],
    ];
    let explored = explore(world, &actors, |bed| {
        assert_eq!(bed.pair.counts().connections, 0);
        let refused = bed.pair.accept_from(address(1), ClientConfig::default());
        assert_eq!(refused, Err(CloseReason::Administrative));
    });
    assert_eq!(explored.orders, 180);
    explored.assert_seen("write", &[S::SUCCESS]);
    explored.assert_seen("open", &[S::SUCCESS]);
}
