//! What common work on a local directory costs, without the protocol: `cargo bench -p driver-mio`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use driver_mio::fs::{LocalFs, LocalOptions};
use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, Creation, DataAccess, Location, OpenHow, SharePath, VfsHandle, VfsOp, VfsReply,
    WriteAt,
};
use smb_proto::info::FileAttributes;

/// Files in the directory that is listed and searched.
const FILES: usize = 5000;

const MIB: u64 = 1 << 20;

struct Share {
    fs: LocalFs,
    by: Identity,
}

impl Share {
    fn run(&self, op: VfsOp) -> VfsReply {
        self.fs.execute(&self.by, op).expect("the operation works")
    }

    fn open(&self, name: &str) -> VfsReply {
        let (data, open_reparse) = (DataAccess::Best, false);
        self.run(VfsOp::Open {
            at: location(name),
            how: OpenHow { data, open_reparse },
        })
    }

    fn create(&self, name: &str) -> VfsHandle {
        let what = Creation {
            directory: false,
            attributes: FileAttributes::ARCHIVE,
            security: None,
            eas: Vec::new(),
            allocation: 0,
        };
        handle(&self.run(VfsOp::Create {
            at: location(name),
            what,
        }))
    }

    fn close(&self, handle: VfsHandle) {
        self.run(VfsOp::Close { handle });
    }
}

fn location(name: &str) -> Location {
    SharePath::new(name).expect("a proper name").into()
}

fn handle(reply: &VfsReply) -> VfsHandle {
    match reply {
        VfsReply::Opened(opened) => opened.handle,
        other => panic!("not opened: {other:?}"),
    }
}

fn local_fs(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs = LocalFs::open(dir.path(), LocalOptions::default()).expect("a directory to share");
    let share = Share {
        fs,
        by: Identity::system(),
    };
    for n in 0..FILES {
        let file = share.create(&format!("file number {n}"));
        share.close(file);
    }
    let mut group = c.benchmark_group("local directory");
    group.bench_function("open and close", |b| {
        b.iter(|| share.close(handle(&share.open("file number 4711"))));
    });
    group.bench_function("open in other case and close", |b| {
        b.iter(|| share.close(handle(&share.open("FILE number 4711"))));
    });
    group.bench_function("look for what is not there", |b| {
        b.iter(|| assert!(matches!(share.open("no such file"), VfsReply::Missing(_))));
    });
    let root = handle(&share.open(""));
    group.bench_function("list 5,000 names", |b| {
        b.iter(|| {
            let (handle, pattern, limit) = (root, None, usize::MAX);
            share.run(VfsOp::List {
                handle,
                restart: true,
                pattern,
                limit,
                security: false,
            })
        });
    });
    group.throughput(Throughput::Bytes(MIB));
    let big = share.create("big");
    let data = bytes::Bytes::from(vec![1; 1 << 20]);
    group.bench_function("write 1 MiB", |b| {
        b.iter(|| {
            let (at, data) = (WriteAt::Offset(0), data.clone());
            share.run(VfsOp::Write {
                handle: big,
                at,
                data,
                through: false,
            })
        });
    });
    group.bench_function("read 1 MiB", |b| {
        b.iter(|| {
            share.run(VfsOp::Read {
                handle: big,
                offset: 0,
                len: 1 << 20,
            })
        });
    });
    group.finish();
}

criterion_group!(benches, local_fs);
criterion_main!(benches);
