//! The examples for embedders serve what they say, to the simulator's client over real sockets.

use std::net::{SocketAddr, TcpListener};

use driver_sim::client::{ClientConfig, ops};
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileInfoClass;
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::msg::{Response, create};
use smb_proto::{Dialect, NtStatus};

use wire::Wire;

mod wire;

#[allow(dead_code, reason = "it has a main function of its own")]
#[path = "../../smb-engine/examples/memory_tree.rs"]
mod memory_tree;

#[allow(dead_code, reason = "it has a main function of its own")]
#[path = "../../driver-mio/examples/embed.rs"]
mod embed;

#[test]
fn a_tree_made_up_in_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(|| memory_tree::serve(stream?));
        }
    });
    shows_the_tree(address);
}

#[test]
fn the_same_tree_over_the_ready_made_driver() {
    let running = embed::serve("127.0.0.1:0".parse().unwrap()).unwrap();
    shows_the_tree(running.addresses()[0]);
    assert!(running.shut_down(std::time::Duration::from_secs(5)));
}

/// Both examples show the same files.
fn shows_the_tree(address: SocketAddr) {
    for config in [
        ClientConfig::only(Dialect::Smb202).signing(),
        ClientConfig::default().signing(),
        ClientConfig::default().encrypting(),
    ] {
        let (mut wire, target) = Wire::mount(address, config, "tree");
        let open = |name: &str| create::Request {
            desired_access: AccessMask::GENERIC_READ,
            ..ops::open(name)
        };
        let opened = |wire: &mut Wire, name: &str| {
            let id = wire.client.send(target, open(name));
            let reply = wire.reply(id);
            match reply.body {
                Response::Create(r) => Ok(r.file_id),
                _ => Err(reply.header.status),
            }
        };

        let file = opened(&mut wire, "README.txt").unwrap();
        let id = wire.client.send(target, ops::read(file, 0, 1000));
        let Response::Read(read) = wire.reply(id).body else {
            panic!("no data");
        };
        assert_eq!(&read.data[..], b"No disk.\n");
        assert_eq!(
            opened(&mut wire, "other"),
            Err(NtStatus::OBJECT_NAME_NOT_FOUND)
        );

        let root = opened(&mut wire, "").unwrap();
        let class = FileInfoClass::IdBothDirectory;
        let list = ops::query_directory(root, class, "*", 65536);
        let id = wire.client.send(target, list);
        let Response::QueryDirectory(listed) = wire.reply(id).body else {
            panic!("no listing");
        };
        let entries = parse_list(DirClass::IdBothDirectory, &listed.output).unwrap();
        let names: Vec<_> = entries.iter().map(|e| &e.name[..]).collect();
        assert_eq!(names, [".", "..", "readme.txt", "b"]);

        let id = wire.client.send(target, ops::write(file, 0, "x"));
        assert_eq!(wire.reply(id).status(), NtStatus::ACCESS_DENIED);
    }
}
