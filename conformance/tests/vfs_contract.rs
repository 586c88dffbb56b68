//! The local directory backend keeps the contract, each rule as the memory model keeps it.
//! `SANSMB_DIFFERENTIAL_DIR` says where its directory is made.

use std::panic::{AssertUnwindSafe, catch_unwind};

use driver_mio::fs::{LocalFs, LocalOptions};
use driver_sim::contract;
use smb_engine::vfs::Backend;

#[test]
fn a_local_directory_keeps_the_contract() {
    let dir = match std::env::var_os("SANSMB_DIFFERENTIAL_DIR") {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    }
    .unwrap();
    let fs = LocalFs::open(dir.path(), LocalOptions::default()).unwrap();
    println!("{:?} {:?}", fs.capabilities(), fs.notes());
    // All of them are tried, so that one run shows everything that is wrong.
    let failed: Vec<_> = contract::checks()
        .iter()
        .filter(|check| catch_unwind(AssertUnwindSafe(|| check.run(&fs))).is_err())
        .map(|check| check.name)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
