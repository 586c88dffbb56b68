//! The file system in memory keeps the contract of which it is the model.

use driver_sim::contract;
use driver_sim::memory::MemoryFs;
use smb_engine::vfs::{Backend, Capabilities};
use smb_proto::FileTime;

#[test]
fn memory_keeps_the_contract() {
    let fs = MemoryFs::new(1, FileTime::from_unix(1_700_000_000, 0));
    fs.take_snapshot(FileTime::from_unix(1_600_000_000, 0));
    for check in contract::checks() {
        assert!(check.applies_to(fs.capabilities()), "{}", check.name);
        println!("{}", check.name);
        check.run(&fs);
    }
}

#[test]
fn without_its_extras_too() {
    let fs = MemoryFs::new(1, FileTime::from_unix(1_700_000_000, 0))
        .with_capabilities(Capabilities::empty());
    let checks = contract::checks();
    let (apply, not): (Vec<contract::Check>, Vec<contract::Check>) = checks
        .into_iter()
        .partition(|c| c.applies_to(fs.capabilities()));
    assert!(apply.len() > 30 && not.len() > 15);
    for check in apply {
        println!("{}", check.name);
        check.run(&fs);
    }
}
