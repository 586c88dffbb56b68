//! Costs of the byte path: parsing, signing, sealing.
//!
//! `cargo bench -p smb-proto`; compare only figures of one run.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use smb_proto::crypto::{Cipher, Key, OpeningKey, SealingKey, SigningAlgorithm, SigningKey};
use smb_proto::id::{FileId, MessageId};
use smb_proto::msg::{self, Channel, read, write};
use smb_proto::wire::Writer;
use smb_proto::{Command, Header};

fn message(body: &msg::Request) -> Bytes {
    let mut w = Writer::new();
    Header::request(body.command(), MessageId(1)).encode(&mut w);
    body.encode(&mut w);
    w.into_inner().freeze()
}

fn read_request() -> msg::Request {
    msg::Request::Read(read::Request {
        padding: 0x50,
        flags: read::ReadFlags::empty(),
        length: 1 << 20,
        offset: 0,
        file_id: FileId {
            persistent: 1,
            volatile: 2,
        },
        minimum_count: 0,
        channel: Channel(0),
        remaining_bytes: 0,
        channel_info: Bytes::new(),
    })
}

fn write_request(len: usize) -> msg::Request {
    msg::Request::Write(write::Request {
        offset: 0,
        file_id: FileId {
            persistent: 1,
            volatile: 2,
        },
        channel: Channel(0),
        remaining_bytes: 0,
        channel_info: Bytes::new(),
        flags: write::WriteFlags::empty(),
        data: Bytes::from(vec![7; len]),
    })
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    let read = message(&read_request());
    group.bench_function("READ", |b| {
        b.iter(|| msg::Request::parse(Command::Read, black_box(&read)));
    });
    let write = message(&write_request(1 << 20));
    group.bench_function("WRITE 1 MiB", |b| {
        b.iter(|| msg::Request::parse(Command::Write, black_box(&write)));
    });
    group.finish();
}

fn sign(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign");
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::new(algorithm, &[1; 16]);
        for len in [4 << 10, 1 << 20] {
            let mut bytes = message(&write_request(len)).to_vec();
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new(format!("{algorithm:?}"), len), |b| {
                b.iter(|| key.sign(black_box(&mut bytes)));
            });
        }
    }
    group.finish();
}

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal");
    for cipher in Cipher::ALL {
        let key = Key::new(&vec![1; cipher.key_len()]).expect("a key of the right length");
        let sealing = SealingKey::new(cipher, &key).expect("a key of the right length");
        let opening = OpeningKey::new(cipher, &key).expect("a key of the right length");
        for len in [4 << 10, 1 << 20] {
            let mut bytes = vec![7; len];
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new(format!("{cipher:?}"), len), |b| {
                b.iter(|| sealing.seal(&[2; 16], &[3; 32], black_box(&mut bytes)));
            });
            // Opening a wrong tag costs what opening a right one does.
            group.bench_function(BenchmarkId::new(format!("{cipher:?} open"), len), |b| {
                b.iter(|| opening.open(&[2; 16], &[3; 32], black_box(&mut bytes), &[0; 16]));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, parse, sign, seal);
criterion_main!(benches);
