//! The whole server, threads and sockets included, over a tree made up in memory. Run it with
//! `cargo run -p driver-mio --example embed 127.0.0.1:4450`; the user is `me`, the password `secret`.
use std::sync::Arc;

use driver_mio::runtime::{Setup, start};
use smb_engine::config::{BackendId, Config, Share};
use smb_engine::identity::{Account, Identity};
use smb_engine::vfs::*;
use smb_proto::{FileTime, crypto::ntlm::NtHash, dtyp::Sid};

const FILES: [(&str, &str); 2] = [("hello.txt", "Hello!\n"), ("answer.txt", "42\n")];

/// The handle of the file `n` is `n`; that of the root comes behind the last.
struct Tree;

const ROOT: u64 = FILES.len() as u64;

fn text(n: u64) -> &'static str {
    FILES.get(n as usize).map_or("", |f| f.1)
}

fn info(n: u64) -> FileInfo {
    let (node, time) = (
        NodeId { volume: 1, file: n },
        FileTime::from_unix(1_700_000_000, 0),
    );
    if n == ROOT {
        FileInfo::directory(node, time)
    } else {
        FileInfo::file(node, text(n).len() as u64, time)
    }
}

impl Backend for Tree {
    fn capabilities(&self) -> Capabilities {
        Capabilities::READ_ONLY
    }

    fn execute(&self, _by: &Identity, op: VfsOp) -> VfsResult {
        let security = readable_by_all();
        Ok(match op {
            VfsOp::Open { at, .. } if at.path.is_root() => VfsReply::Opened(Opened {
                handle: VfsHandle(ROOT),
                info: info(ROOT),
                at,
                security,
            }),
            VfsOp::Open { at, .. } => match (0..).zip(FILES).find(|(_, f)| f.0 == at.path.as_str())
            {
                Some((n, _)) => VfsReply::Opened(Opened {
                    handle: VfsHandle(n),
                    info: info(n),
                    at,
                    security,
                }),
                None => VfsReply::Missing(Missing {
                    parent: info(ROOT),
                    security,
                }),
            },
            VfsOp::Read {
                handle,
                offset,
                len,
            } => {
                let rest = text(handle.0)
                    .as_bytes()
                    .get(offset as usize..)
                    .unwrap_or(&[]);
                VfsReply::Data(Payload::copy_of(&rest[..rest.len().min(len as usize)]))
            }
            VfsOp::List {
                restart, pattern, ..
            } => {
                let wanted = |name| restart && pattern.as_ref().is_none_or(|p| p.matches(name));
                let item = |n, name: &str| DirItem {
                    name: name.into(),
                    short_name: String::new(),
                    info: info(n),
                };
                let items = (0..)
                    .zip(FILES)
                    .filter(|(_, f)| wanted(f.0))
                    .map(|(n, f)| item(n, f.0));
                VfsReply::Listing(Listing {
                    items: items.collect(),
                    end: true,
                })
            }
            VfsOp::Stat { handle } => VfsReply::Info(info(handle.0)),
            VfsOp::Security { .. } => VfsReply::Security(security),
            VfsOp::Volume { .. } => VfsReply::Volume(VolumeInfo::full("made up")),
            VfsOp::Close { .. } => VfsReply::Done,
            _ => return Err(VfsError::NotSupported),
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:4450".to_owned());
    let machine = Sid::domain(1, 2, 3);
    let identity = Identity::user("me", machine.with_rid(1000).ok_or("no room in the SID")?);
    let running = start(Setup {
        config: Config::new(
            "embedded",
            machine,
            vec![Share::new("made-up", BackendId(0), Tree.capabilities())],
        ),
        backends: vec![Arc::new(Tree)],
        accounts: Arc::new(vec![Account {
            nt_hash: NtHash::of_password("secret"),
            identity,
        }]),
        listen: vec![address.parse()?],
        io_threads: 1,
        file_threads: 1,
    })?;
    println!(
        "smbclient //{}/made-up -p {} -U me%secret",
        running.addresses()[0].ip(),
        running.addresses()[0].port()
    );
    std::io::stdin().read_line(&mut String::new())?;
    running.shut_down(std::time::Duration::from_secs(5));
    Ok(())
}
