//! Bodies that are cut short, and offsets and lengths in them that lead outside.

use bytes::Bytes;
use driver_sim::client::{Part, Target, ops};
use driver_sim::pair::{End, Pair, Tree};
use smb_proto::fsctl::FsctlCode;
use smb_proto::header::HEADER_LEN;
use smb_proto::id::{FileId, SessionId};
use smb_proto::info::{FileInfoClass, SecurityInformation};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::session_setup::{self, SetupFlags};
use smb_proto::msg::{Channel, echo, logoff, query_info, read, tree_disconnect, write};
use smb_proto::{Command, NtStatus};

use crate::bed::{INVALID, ask_for, body, patched, twice};

/// One request of a kind, right in all things.
struct Sample {
    command: Command,
    target: Target,
    body: Vec<u8>,
    /// Bytes of the fixed part.
    fixed: usize,
}

fn setup() -> Vec<u8> {
    body(session_setup::Request {
        flags: SetupFlags::empty(),
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: GlobalCapabilities::empty(),
        previous_session_id: SessionId(0),
        security_buffer: Bytes::from_static(&[7; 40]),
    })
}

/// A request of every command but NEGOTIATE and CANCEL.
fn samples(tree: Tree, file: FileId, dir: FileId) -> Vec<Sample> {
    let t = tree.target;
    let session = Target::session(t.session);
    let of = |command, target, body, fixed| Sample {
        command,
        target,
        body,
        fixed,
    };
    use Command as C;
    vec![
        of(C::SessionSetup, Target::NONE, setup(), 24),
        of(C::Logoff, session, body(logoff::Request), 4),
        of(
            C::TreeConnect,
            session,
            body(ops::tree_connect("\\\\SIM\\files")),
            8,
        ),
        of(C::TreeDisconnect, t, body(tree_disconnect::Request), 4),
        of(C::Create, t, body(ops::open("f")), 56),
        of(C::Close, t, body(ops::close(file)), 24),
        of(C::Flush, t, body(ops::flush(file)), 24),
        of(C::Read, t, body(ops::read(file, 0, 1)), 48),
        of(C::Write, t, body(ops::write(file, 0, "evil")), 48),
        of(
            C::Lock,
            t,
            body(ops::lock(file, 0, 1, LockFlags::EXCLUSIVE_LOCK)),
            48,
        ),
        of(
            C::Ioctl,
            t,
            body(ops::fsctl(file, FsctlCode::GET_COMPRESSION, vec![0; 8], 2)),
            56,
        ),
        of(C::Echo, Target::NONE, body(echo::Request), 4),
        of(
            C::QueryDirectory,
            t,
            body(ops::query_directory(dir, FileInfoClass::Names, "*", 4096)),
            32,
        ),
        of(
            C::ChangeNotify,
            t,
            body(ops::notify(dir, CompletionFilter::FILE_NAME, false)),
            32,
        ),
        of(
            C::QueryInfo,
            t,
            body(ops::query_security(file, SecurityInformation::DACL)),
            40,
        ),
        of(
            C::SetInfo,
            t,
            body(ops::set_file(file, FileInfoClass::EndOfFile, vec![0; 8])),
            32,
        ),
        of(C::OplockBreak, t, [&[24, 0][..], &[0; 22]].concat(), 24),
    ]
}

fn world(pair: &mut Pair) -> (Tree, FileId, FileId) {
    pair.fs().write_file("f", b"good").unwrap();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "f").unwrap();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    (tree, file, dir)
}

fn send(pair: &mut Pair, end: End, sample: &Sample, bytes: impl Into<Vec<u8>>) -> NtStatus {
    ask_for(pair, end, sample.target, sample.command, bytes)
}

/// CVE-2023-38432, CVE-2023-4515: a fixed part that is cut short, and StructureSize that does not say
/// what the specification has for the command: nothing of it is carried out.
#[test]
fn structure_size_or_fixed_part_larger_than_the_element() {
    twice(|pair| {
        let (tree, file, dir) = world(pair);
        let before = pair.counts();
        for sample in samples(tree, file, dir) {
            for len in 0..sample.fixed {
                let status = send(pair, tree.end, &sample, &sample.body[..len]);
                assert_eq!(status, INVALID, "{} cut to {len}", sample.command);
            }
            let right = u16::from_le_bytes([sample.body[0], sample.body[1]]);
            for size in [0, 1, right - 1, right + 1, 0x7fff, 0xffff] {
                let bytes = patched(sample.body.clone(), &[(0, &size.to_le_bytes())]);
                let status = send(pair, tree.end, &sample, bytes);
                assert_eq!(status, INVALID, "{} with size {size}", sample.command);
            }
            assert_eq!(pair.counts(), before, "{}", sample.command);
        }
        assert_eq!(pair.fs().read_file("f").unwrap(), b"good");
    });
}

/// CVE-2026-64578: the last element of a compound is a header and nothing else.
#[test]
fn last_compound_element_is_a_bare_header() {
    twice(|pair| {
        let (tree, file, dir) = world(pair);
        for sample in samples(tree, file, dir) {
            for related in [false, true] {
                let bare = Part::raw(sample.target, sample.command.into(), Bytes::new());
                let parts = vec![
                    Part::new(tree.target, ops::read(file, 0, 4)),
                    if related { bare.related() } else { bare },
                ];
                let replies = pair.call_compound(tree.end, parts);
                assert_eq!(replies[0].status(), NtStatus::SUCCESS);
                assert_eq!(replies[1].status(), INVALID, "{}", sample.command);
            }
        }
    });
}

/// CVE-2023-3865, CVE-2022-47943, CVE-2022-47940: data that lie outside the element are neither
/// written nor read.
#[test]
fn write_whose_data_lie_outside_the_element() {
    twice(|pair| {
        let (tree, file, _) = world(pair);
        let good = body(ops::write(file, 0, "evil"));
        let right = u16::try_from(HEADER_LEN + 48).unwrap();
        for (offset, len) in [
            (right, 5u32),
            (right + 1, 4),
            (right + 4, 1),
            (right, u32::MAX),
            (right, 0x7fff_ffff),
            (right, 0x8000_0000),
            (right, 1 << 20),
            (0xffff, 1),
            (0xffff, u32::MAX),
            (0, 4),
            (1, 4),
            (63, 4),
            (64, 4),
            (right - 1, 4),
        ] {
            let bytes = patched(
                good.clone(),
                &[(2, &offset.to_le_bytes()), (4, &len.to_le_bytes())],
            );
            let part = Part::raw(tree.target, Command::Write.into(), bytes.into());
            let status = pair.call_part(tree.end, part).status();
            assert_eq!(status, INVALID, "{offset} {len}");
        }
        // Data that would be there if the element behind belonged to it.
        let bytes = patched(good, &[(4, &80u32.to_le_bytes())]);
        let replies = pair.call_compound(
            tree.end,
            vec![
                Part::raw(tree.target, Command::Write.into(), bytes.into()),
                Part::new(tree.target, ops::read(file, 0, 100)),
            ],
        );
        assert_eq!(replies[0].status(), INVALID);
        assert_eq!(pair.fs().read_file("f").unwrap(), b"good");
    });
}

/// Where a buffer's offset and length lie in a body.
struct Buffer {
    command: Command,
    body: Vec<u8>,
    offset: (usize, usize),
    len: (usize, usize),
}

fn number(at: usize, width: usize, value: u64) -> (usize, Vec<u8>) {
    (at, value.to_le_bytes()[..width].to_vec())
}

/// CVE-2024-26952, CVE-2024-26954, CVE-2023-38426, CVE-2022-47938: every offset and length of a
/// variable part, below the fixed part or outside the element.
#[test]
fn offsets_below_the_fixed_part_or_outside_the_element() {
    twice(|pair| {
        let (tree, file, dir) = world(pair);
        let of = |command, body, offset, len| Buffer {
            command,
            body,
            offset,
            len,
        };
        let query = query_info::Request {
            input: Bytes::from_static(&[0; 8]),
            ..ops::query_file(file, FileInfoClass::FullEa)
        };
        let channel = read::Request {
            channel: Channel::RDMA_V1,
            channel_info: Bytes::from_static(&[0; 16]),
            ..ops::read(file, 0, 1)
        };
        let write_channel = write::Request {
            channel: Channel::RDMA_V1,
            channel_info: Bytes::from_static(&[0; 16]),
            ..ops::write(file, 0, "")
        };
        use Command as C;
        let buffers = [
            of(C::SessionSetup, setup(), (12, 2), (14, 2)),
            of(
                C::TreeConnect,
                body(ops::tree_connect("\\\\SIM\\files")),
                (4, 2),
                (6, 2),
            ),
            of(C::Create, body(ops::open("name")), (44, 2), (46, 2)),
            of(
                C::QueryDirectory,
                body(ops::query_directory(dir, FileInfoClass::Names, "*.*", 100)),
                (24, 2),
                (26, 2),
            ),
            of(C::QueryInfo, body(query), (8, 2), (12, 4)),
            of(
                C::SetInfo,
                body(ops::set_file(file, FileInfoClass::EndOfFile, vec![0; 8])),
                (8, 2),
                (4, 4),
            ),
            of(
                C::Ioctl,
                body(ops::fsctl(file, FsctlCode::SET_SPARSE, vec![1; 8], 8)),
                (24, 4),
                (28, 4),
            ),
            of(C::Read, body(channel), (44, 2), (46, 2)),
            of(C::Write, body(write_channel), (40, 2), (42, 2)),
        ];
        for b in buffers {
            let target = match b.command {
                C::SessionSetup => Target::NONE,
                C::TreeConnect => Target::session(tree.target.session),
                _ => tree.target,
            };
            let end = HEADER_LEN as u64 + b.body.len() as u64;
            let most = |width: usize| u64::MAX >> (64 - 8 * width);
            let mut wrong = Vec::new();
            for offset in [1, 8, 63, 64, 80, end - 1, end, end + 8, most(b.offset.1)] {
                wrong.push((Some(offset), None));
            }
            for len in [end, 0x7ffe, most(b.len.1) & !1] {
                wrong.push((None, Some(len)));
            }
            wrong.push((Some(most(b.offset.1)), Some(most(b.len.1))));
            for (offset, len) in wrong {
                let mut bytes = b.body.clone();
                let changes = [
                    offset.map(|v| number(b.offset.0, b.offset.1, v)),
                    len.map(|v| number(b.len.0, b.len.1, v)),
                ];
                for (at, new) in changes.into_iter().flatten() {
                    bytes = patched(bytes, &[(at, &new)]);
                }
                let status = ask_for(pair, tree.end, target, b.command, bytes);
                assert_eq!(status, INVALID, "{} {offset:?} {len:?}", b.command);
            }
        }
        assert_eq!(pair.counts().trees, 1);
        assert_eq!(pair.counts().sessions, 1);
        assert_eq!(pair.fs().read_file("f").unwrap(), b"good");
    });
}

/// CVE-2024-22705: names with an odd number of bytes. They are well laid out, but no names: CREATE and
/// QUERY_DIRECTORY answer as to any other that is none ([MS-SMB2] 3.3.5.9, 3.3.5.18:
/// STATUS_OBJECT_NAME_INVALID).
#[test]
fn names_with_an_odd_number_of_bytes() {
    twice(|pair| {
        let (tree, _, dir) = world(pair);
        let session = Target::session(tree.target.session);
        let listing = ops::query_directory(dir, FileInfoClass::Names, "*.*", 100);
        let share = ops::tree_connect("\\\\SIM\\files");
        for (command, target, bytes, at) in [
            (Command::Create, tree.target, body(ops::open("name")), 46),
            (Command::QueryDirectory, tree.target, body(listing), 26),
            (Command::TreeConnect, session, body(share), 6),
        ] {
            for len in [1u16, 3, 5] {
                let bytes = patched(bytes.clone(), &[(at, &len.to_le_bytes())]);
                let status = ask_for(pair, tree.end, target, command, bytes);
                assert_eq!(status, NtStatus::OBJECT_NAME_INVALID, "{command} {len}");
            }
        }
    });
}

/// CVE-2022-47940, CVE-2025-21944: LOCK whose array is longer than the element, or empty, or mixed.
#[test]
fn lock_array_longer_than_the_element_or_mixed() {
    twice(|pair| {
        let (tree, file, _) = world(pair);
        let good = body(ops::lock(file, 0, 1, LockFlags::EXCLUSIVE_LOCK));
        for count in [0u16, 2, 3, 0x7fff, 0xffff] {
            let bytes = patched(good.clone(), &[(2, &count.to_le_bytes())]);
            let status = ask_for(pair, tree.end, tree.target, Command::Lock, bytes);
            assert_eq!(status, INVALID, "{count}");
        }
        use LockFlags as L;
        let element = |offset, flags| smb_proto::msg::lock::LockElement {
            offset,
            length: 1,
            flags,
        };
        let now = L::FAIL_IMMEDIATELY;
        for locks in [
            vec![element(0, L::EXCLUSIVE_LOCK | now), element(5, L::UNLOCK)],
            vec![element(0, L::SHARED_LOCK | L::EXCLUSIVE_LOCK | now)],
            vec![element(0, L::empty())],
            vec![element(0, L::UNLOCK | now)],
            vec![element(0, L::from_bits_retain(0xffff_ffff))],
            // More than one that may wait ([MS-SMB2] 3.3.5.14.2).
            vec![
                element(0, L::EXCLUSIVE_LOCK | now),
                element(5, L::EXCLUSIVE_LOCK),
            ],
        ] {
            let request = smb_proto::msg::lock::Request {
                locks: locks.clone(),
                ..ops::lock(file, 0, 1, L::UNLOCK)
            };
            assert_eq!(pair.lock(tree, request), Err(INVALID), "{locks:?}");
        }
        // 3.3.5.14.1: what was unlocked before the element that is wrong stays so.
        pair.lock(tree, ops::lock(file, 0, 1, L::EXCLUSIVE_LOCK | now))
            .unwrap();
        let mixed = |offset| smb_proto::msg::lock::Request {
            locks: vec![
                element(offset, L::UNLOCK),
                element(5, L::EXCLUSIVE_LOCK | now),
            ],
            ..ops::lock(file, 0, 1, L::UNLOCK)
        };
        assert_eq!(pair.lock(tree, mixed(0)), Err(INVALID));
        let gone = NtStatus::RANGE_NOT_LOCKED;
        assert_eq!(pair.lock(tree, mixed(0)), Err(gone));
        // Nothing of all that is locked.
        let other = pair.mount();
        let theirs = pair.open(other, "f").unwrap();
        pair.write(other, theirs, 0, "free").unwrap();
        pair.write(other, theirs, 5, "free").unwrap();
    });
}
