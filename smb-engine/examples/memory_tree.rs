//! Serves files made up in memory: `cargo run --example memory_tree 4455`, and then
//! `smbclient //127.0.0.1/tree -p 4455 -U demo%demo -c 'ls; get readme.txt -'`.

use smb_engine::config::{BackendId, Config, Share};
use smb_engine::{Accounts, Action, Engine, names::same_name, time::Now, vfs::*};
use smb_proto::{FileTime, dtyp::Sid};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::time::UNIX_EPOCH;

/// Names and contents, the root first. Handles are places counted from 1; one listing tells all.
const TREE: [(&str, &str); 3] = [("", ""), ("readme.txt", "No disk.\n"), ("b", "B\n")];

fn info(n: usize) -> FileInfo {
    let (volume, file, time) = (1, n as u64 + 1, FileTime::from_unix(1_700_000_000, 0));
    match n {
        0 => FileInfo::directory(NodeId { volume, file }, time),
        n => FileInfo::file(NodeId { volume, file }, TREE[n].1.len() as u64, time),
    }
}

#[rustfmt::skip] // one line for each part of an answer
fn execute(op: VfsOp) -> VfsResult {
    let security = readable_by_all();
    let (place, handle) = (|h: VfsHandle| h.0 as usize - 1, |n| VfsHandle(n as u64 + 1));
    Ok(match op {
        VfsOp::Open { at, .. } => match TREE.iter().position(|e| same_name(e.0, at.path.as_str())) {
            Some(n) => VfsReply::Opened(Opened { handle: handle(n), info: info(n), at, security }),
            None => VfsReply::Missing(Missing { parent: info(0), security }),
        },
        VfsOp::Close { .. } => VfsReply::Done,
        VfsOp::Volume { .. } => VfsReply::Volume(VolumeInfo::full("memory")),
        VfsOp::Stat { handle } => VfsReply::Info(info(place(handle))),
        VfsOp::Read { handle, offset, len } => {
            let text = TREE[place(handle)].1.bytes().skip(offset as usize).take(len as usize);
            VfsReply::Data(Payload::copy_of(&text.collect::<Vec<u8>>()))
        }
        VfsOp::List { restart, pattern, .. } => {
            let wanted = |n: &usize| pattern.as_ref().is_none_or(|p| p.matches(TREE[*n].0));
            let names = (1..TREE.len()).filter(|n| restart && wanted(n));
            let items = names.map(|n| DirItem::new(TREE[n].0, info(n)));
            VfsReply::Listing(Listing { items: items.collect(), end: true })
        }
        _ => return Err(VfsError::NotSupported),
    })
}

/// An engine for each connection is enough where nobody changes anything; else one is for all.
pub(crate) fn serve(mut stream: TcpStream) -> Result<()> {
    let (mut seed, mut buffer) = ([0; 32], vec![0; 65536]);
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let share = Share::new("tree", BackendId(0), Capabilities::READ_ONLY);
    let config = Config::new("MEMORY", Sid::domain(1, 2, 3), vec![share]);
    let accounts = Accounts::new(&config, [("demo", "demo")]);
    let mut engine = Engine::new(config, seed);
    let now = || Now::since_1970(UNIX_EPOCH.elapsed().unwrap_or_default());
    let accepted = engine.accept(now(), stream.peer_addr()?.into());
    let conn = accepted.map_err(|_| ErrorKind::ConnectionRefused)?;
    while let len @ 1.. = stream.read(&mut buffer)? {
        engine.receive(now(), conn, &buffer[..len]);
        let (vfs, lookup) = (|_: &_, op| execute(op), |q| accounts.answer(&q));
        while let Some(action) = engine.poll_with(now(), vfs, lookup) {
            match action {
                Action::Transmit(_, bytes) => stream.write_all(&bytes.0.concat())?,
                Action::Close(..) => return Ok(()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).and_then(|p| p.parse().ok());
    for stream in TcpListener::bind(("127.0.0.1", port.unwrap_or(4455)))?.incoming() {
        std::thread::spawn(|| serve(stream?));
    }
    Ok(())
}
