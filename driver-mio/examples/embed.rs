//! The whole server, threads and sockets included, over files made up in memory:
//! `cargo run -p driver-mio --example embed 127.0.0.1:4455`, and then
//! `smbclient //127.0.0.1/tree -p 4455 -U demo%demo -c 'ls; get readme.txt -'`.

use driver_mio::runtime::{Running, Setup, StartError, start};
use smb_engine::config::{BackendId, Config, Share};
use smb_engine::{Accounts, identity::Identity, names::same_name, vfs::*};
use smb_proto::{FileTime, dtyp::Sid};
use std::{net::SocketAddr, sync::Arc};

/// Names and contents, the root first. Handles are places counted from 1; one listing tells all.
struct Files([(&'static str, &'static str); 3]);

impl Files {
    fn info(&self, n: usize) -> FileInfo {
        let (volume, file, time) = (1, n as u64 + 1, FileTime::from_unix(1_700_000_000, 0));
        match n {
            0 => FileInfo::directory(NodeId { volume, file }, time),
            n => FileInfo::file(NodeId { volume, file }, self.0[n].1.len() as u64, time),
        }
    }
}

#[rustfmt::skip] // one line for each part of an answer
impl Backend for Files {
    fn capabilities(&self) -> Capabilities { Capabilities::READ_ONLY }

    fn execute(&self, _by: &Identity, op: VfsOp) -> VfsResult {
        let (place, handle) = (|h: VfsHandle| h.0 as usize - 1, |n| VfsHandle(n as u64 + 1));
        let security = readable_by_all();
        Ok(match op {
            VfsOp::Open { at, .. } => match self.0.iter().position(|e| same_name(e.0, at.path.as_str())) {
                Some(n) => VfsReply::Opened(Opened { handle: handle(n), info: self.info(n), at, security }),
                None => VfsReply::Missing(Missing { parent: self.info(0), security }),
            },
            VfsOp::Close { .. } => VfsReply::Done,
            VfsOp::Volume { .. } => VfsReply::Volume(VolumeInfo::full("memory")),
            VfsOp::Stat { handle } => VfsReply::Info(self.info(place(handle))),
            VfsOp::Read { handle, offset, len } => {
                let text = self.0[place(handle)].1.bytes().skip(offset as usize).take(len as usize);
                VfsReply::Data(Payload::copy_of(&text.collect::<Vec<u8>>()))
            }
            VfsOp::List { restart, pattern, .. } => {
                let wanted = |n: &usize| pattern.as_ref().is_none_or(|p| p.matches(self.0[*n].0));
                let names = (1..self.0.len()).filter(|n| restart && wanted(n));
                let items = names.map(|n| DirItem::new(self.0[n].0, self.info(n)));
                VfsReply::Listing(Listing { items: items.collect(), end: true })
            }
            _ => return Err(VfsError::NotSupported),
        })
    }
}

/// Starts the server; port 0 takes a free one.
pub(crate) fn serve(address: SocketAddr) -> Result<Running, StartError> {
    let files = Files([("", ""), ("readme.txt", "No disk.\n"), ("b", "B\n")]);
    let share = Share::new("tree", BackendId(0), files.capabilities());
    let config = Config::new("MEMORY", Sid::domain(1, 2, 3), vec![share]);
    let accounts = Accounts::new(&config, [("demo", "demo")]);
    start(Setup {
        config,
        backends: vec![Arc::new(files)],
        watchers: Vec::new(),
        accounts: Arc::new(accounts),
        listen: vec![address],
        io_threads: 1,
        file_threads: 1,
        journal: None,
        persistent: None,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: embed ADDRESS:PORT")?;
    let running = serve(address.parse()?)?;
    std::io::stdin().read_line(&mut String::new())?;
    running.shut_down(std::time::Duration::from_secs(5));
    Ok(())
}
