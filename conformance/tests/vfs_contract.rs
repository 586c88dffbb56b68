//! The local directory backend keeps the contract, each rule as the memory model keeps it.
//! `SANSMB_DIFFERENTIAL_DIR` says where its directory is made.

use std::panic::{AssertUnwindSafe, catch_unwind};

use driver_mio::fs::{LocalFs, LocalOptions, ShadowCopy, WithSnapshots};
use driver_sim::contract;
use smb_engine::vfs::Backend;

fn directory() -> tempfile::TempDir {
    match std::env::var_os("SANSMB_DIFFERENTIAL_DIR") {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    }
    .unwrap()
}

#[test]
fn a_local_directory_keeps_the_contract() {
    let dir = directory();
    let fs = LocalFs::open(dir.path(), LocalOptions::default()).unwrap();
    println!("{:?} {:?}", fs.capabilities(), fs.notes());
    keeps_the_contract(&fs);
}

#[test]
fn a_directory_with_snapshots_keeps_the_contract() {
    let dir = directory();
    for name in ["s2024-02-29", "s2024-03-01"] {
        std::fs::create_dir_all(dir.path().join(".snapshots").join(name)).unwrap();
    }
    let source = ShadowCopy {
        base: dir.path().to_owned(),
        share: "".into(),
        dir: ".snapshots".into(),
        format: "s%F".to_owned(),
        ascending: false,
    };
    let options = LocalOptions::default();
    let present = LocalFs::open(dir.path(), options.clone()).unwrap();
    let fs = WithSnapshots::new(present, options, Box::new(source));
    keeps_the_contract(&fs);
}

fn keeps_the_contract(fs: &dyn Backend) {
    // All of them are tried, so that one run shows everything that is wrong.
    let failed: Vec<_> = contract::checks()
        .iter()
        .filter(|check| catch_unwind(AssertUnwindSafe(|| check.run(fs))).is_err())
        .map(|check| check.name)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
