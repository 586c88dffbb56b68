//! Leases on directories that change past the server, as far as the host tells.

mod leasing;

use driver_sim::client::ops;
use leasing::*;
use smb_proto::NtStatus;
use smb_proto::msg::change_notify::CompletionFilter;

#[test]
fn what_other_programs_do_breaks_a_lease_on_a_directory() {
    let mut pair = server().build();
    pair.fs().make_dir("d").unwrap();
    let tree = client(&mut pair, 1);
    let (open, lease) = open_leased(&mut pair, tree, dir("d"), key(1), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    pair.start(tree, ops::notify(open, CompletionFilter::FILE_NAME, false));
    assert_eq!(told(&mut pair, tree.end), []);
    pair.fs().write_file("d\\new", b"").unwrap();
    // The host's word comes with the next thing that happens.
    pair.start(tree, smb_proto::msg::echo::Request);
    let lost = told(&mut pair, tree.end);
    let states: Vec<_> = lost.iter().map(|t| (t.from, t.to)).collect();
    assert_eq!(states, [(RH, NONE)]);
    let done = acknowledge(&mut pair, tree, lost[0]);
    assert_eq!(done, NtStatus::SUCCESS);
    pair.finish();
}
