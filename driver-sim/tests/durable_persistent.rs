//! Opens that outlive the server ([MS-SMB2] 3.3.1.10 Open.IsPersistent), and resilient ones
//! (3.3.5.15.9).

use std::time::Duration;

use bytes::Bytes;
use driver_sim::check::{self, Panel};
use driver_sim::client::{ClientConfig, ClientEvent, Credentials, ops};
use driver_sim::pair::{End, Pair, Tree};
use smb_engine::config::Limits;
use smb_engine::identity::Identity;
use smb_engine::vfs::{Backend, DataAccess, Location, OpenHow, SharePath, VfsOp, VfsReply};
use smb_proto::create_ctx::{
    AppInstanceId, AppInstanceVersion, DurableFlags, DurableReconnect, DurableReconnectV2,
    DurableRequest, DurableRequestV2, Lease, LeaseFlags, LeaseState, LeaseV2, RawContext,
};
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::FsctlCode;
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::FileRenameInformation;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ShareAccess};
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::tree_connect::ShareCapabilities;
use smb_proto::msg::{OplockLevel, Response, oplock_break};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, Guid, NtStatus};

const RWH: LeaseState = LeaseState::READ
    .union(LeaseState::WRITE)
    .union(LeaseState::HANDLE);
const RH: LeaseState = LeaseState::READ.union(LeaseState::HANDLE);

fn pair() -> Pair {
    // That of files takes locks for lost with the server.
    let mut checkers = check::all_for(&Limits::default());
    checkers.retain(|c| c.name() != "files");
    Pair::builder()
        .panel(Panel::new(checkers))
        .config(|c| {
            c.leases = true;
            c.durable_handles = true;
        })
        .share("files", |s| s.continuous_availability = true)
        .build()
}

fn config(seed: u64) -> ClientConfig {
    let mut config = ClientConfig::default().seed(seed);
    config.capabilities |= GlobalCapabilities::PERSISTENT_HANDLES;
    config
}

fn mount(pair: &mut Pair, seed: u64) -> Tree {
    let end = pair.connect_as(config(seed));
    pair.mount_on(end)
}

fn guid(n: u8) -> Guid {
    Guid::from_bytes([n; 16])
}

fn request(n: u8, flags: DurableFlags) -> RawContext {
    DurableRequestV2 {
        timeout_ms: 30_000,
        flags,
        create_guid: guid(n),
    }
    .to_raw()
}

fn persistent(name: &str, n: u8) -> create::Request {
    create::Request {
        contexts: vec![request(n, DurableFlags::PERSISTENT)],
        ..ops::create(name, CreateDisposition::OpenIf)
    }
}

fn lease(n: u8, state: LeaseState) -> RawContext {
    Lease {
        key: LeaseKey([n; 16]),
        state,
        flags: LeaseFlags::empty(),
        v2: Some(LeaseV2 {
            parent_key: LeaseKey([0; 16]),
            epoch: 1,
        }),
    }
    .to_raw()
}

fn with_lease(mut request: create::Request, n: u8, state: LeaseState) -> create::Request {
    request.requested_oplock_level = OplockLevel::LEASE;
    request.contexts.push(lease(n, state));
    request
}

fn again(name: &str, file_id: FileId, n: u8) -> create::Request {
    create::Request {
        contexts: vec![
            DurableReconnectV2 {
                file_id,
                create_guid: guid(n),
                flags: DurableFlags::PERSISTENT,
            }
            .to_raw(),
        ],
        ..ops::open(name)
    }
}

fn flags(answer: &create::Response) -> Option<DurableFlags> {
    let raw = answer
        .contexts
        .iter()
        .find(|c| c.name[..] == *DurableRequestV2::NAME)?;
    let flags = raw.data[4..8].try_into().unwrap();
    Some(DurableFlags::from_bits_retain(u32::from_le_bytes(flags)))
}

const EXCLUSIVE: LockFlags = LockFlags::EXCLUSIVE_LOCK.union(LockFlags::FAIL_IMMEDIATELY);

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

#[test]
fn who_is_told_of_persistent_handles() {
    for (dialect, client, expected) in [
        (Dialect::Smb210, true, false),
        (Dialect::Smb300, true, true),
        (Dialect::Smb311, true, true),
        (Dialect::Smb311, false, false),
    ] {
        let mut pair = pair();
        let mut config = ClientConfig::only(dialect);
        if client {
            config.capabilities |= GlobalCapabilities::PERSISTENT_HANDLES;
        }
        let end = pair.connect_as(config);
        let told = pair.client(end).negotiated().unwrap().response.capabilities;
        assert_eq!(
            told.contains(GlobalCapabilities::PERSISTENT_HANDLES),
            expected,
            "{dialect}"
        );
        let session = pair.logon(end, Credentials::new("user", "secret")).unwrap();
        for (share, available) in [("files", true), ("readonly", false)] {
            let target = driver_sim::client::Target::session(session);
            let path = format!("\\\\SIM\\{share}");
            let reply = pair.call_end(end, target, ops::tree_connect(&path));
            let Response::TreeConnect(body) = reply.body else {
                panic!("{:?}", reply.body)
            };
            assert_eq!(
                body.capabilities
                    .contains(ShareCapabilities::CONTINUOUS_AVAILABILITY),
                available && dialect.is_smb3()
            );
        }
        // Who cannot have one gets a durable one at most.
        let tree = pair.mount_on(end);
        let answer = pair
            .create(tree, with_lease(persistent("f", 1), 1, RH))
            .unwrap();
        let granted = flags(&answer);
        if dialect.is_smb3() {
            let is = granted.unwrap().contains(DurableFlags::PERSISTENT);
            assert_eq!(is, expected, "{dialect} {client}");
        } else {
            assert_eq!(granted, None);
        }
        assert_eq!(pair.kept().len(), usize::from(expected));
        pair.close(tree, answer.file_id).unwrap();
        assert!(pair.kept().is_empty());
        pair.finish();
    }
}

/// What an open is made of is there after the server was killed, and its client takes it up.
#[test]
fn an_open_outlives_the_server() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let mut request = with_lease(persistent("f", 1), 9, RWH);
    request.share_access = ShareAccess::READ;
    let first = pair.create(tree, request).unwrap();
    assert_eq!(flags(&first), Some(DurableFlags::PERSISTENT));
    pair.write(tree, first.file_id, 0, "hello").unwrap();
    for offset in [0, 20] {
        pair.lock(tree, ops::lock(first.file_id, offset, 10, EXCLUSIVE))
            .unwrap();
    }
    pair.lock(tree, ops::lock(first.file_id, 20, 10, LockFlags::UNLOCK))
        .unwrap();

    pair.restart();
    // Somebody else comes first, and does not get in the way.
    let other = mount(&mut pair, 2);
    let id = pair.start(other, ops::open("f"));
    pair.run();
    assert!(
        pair.reply(other.end, id).is_none(),
        "the lease has to be broken first"
    );
    let tree = mount(&mut pair, 1);
    let answer = pair
        .create(tree, with_lease(again("f", first.file_id, 1), 9, RWH))
        .unwrap();
    assert_eq!(answer.file_id.persistent, first.file_id.persistent);
    let file = answer.file_id;
    assert_eq!(&pair.read(tree, file, 0, 100).unwrap()[..], b"hello");
    // It is told now of the break that began before it came.
    let told = breaks(&mut pair, tree.end);
    let [oplock_break::Message::LeaseNotification(told)] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(told.current_lease_state, RWH);
    let keep = told.new_lease_state;
    let ack = oplock_break::LeaseBreakAck {
        lease_key: LeaseKey([9; 16]),
        lease_state: keep,
    };
    pair.call(tree, oplock_break::Message::LeaseAck(ack));
    let reply = pair.wait(other.end, id);
    assert_eq!(reply.header.status, NtStatus::SHARING_VIOLATION);
    // The locks are those that there were.
    let reader = create::Request {
        desired_access: AccessMask::FILE_READ_DATA,
        ..ops::open("f")
    };
    let reader = {
        let id = pair.start(other, reader);
        pair.run();
        for m in breaks(&mut pair, tree.end) {
            let oplock_break::Message::LeaseNotification(m) = m else {
                panic!()
            };
            let ack = oplock_break::LeaseBreakAck {
                lease_key: LeaseKey([9; 16]),
                lease_state: m.new_lease_state,
            };
            pair.call(tree, oplock_break::Message::LeaseAck(ack));
        }
        let Response::Create(r) = pair.wait(other.end, id).body else {
            panic!()
        };
        r.file_id
    };
    assert_eq!(
        pair.read(other, reader, 0, 1),
        Err(NtStatus::FILE_LOCK_CONFLICT)
    );
    pair.close(other, reader).unwrap();
    pair.close(tree, file).unwrap();
    assert!(pair.kept().is_empty());
    pair.finish();
}

fn breaks(pair: &mut Pair, end: End) -> Vec<oplock_break::Message> {
    let events = pair.client_events(end).into_iter();
    events
        .filter_map(|e| match e {
            ClientEvent::Break(message) => Some(message),
            _ => None,
        })
        .collect()
}

/// Also several times in a row, under its new name, and without lease.
#[test]
fn many_starts_and_new_names() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let file = pair.create(tree, persistent("a", 1)).unwrap().file_id;
    let to = bytes(|w| {
        FileRenameInformation {
            replace_if_exists: false,
            root_directory: 0,
            file_name: "b".to_owned(),
        }
        .encode(w);
    });
    pair.set_file(tree, file, FileInfoClass::Rename, to)
        .unwrap();
    for _ in 0..3 {
        pair.restart();
        let tree = mount(&mut pair, 1);
        let answer = pair.create(tree, again("b", file, 1)).unwrap();
        assert_eq!(answer.file_id.persistent, file.persistent);
        // Not twice.
        let twice = pair.create(tree, again("b", file, 1));
        assert_eq!(twice.unwrap_err(), NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    pair.restart();
    // Renamed past the server, while it was there.
    rename_outside(&pair, "b", "c");
    pair.restart();
    let tree = mount(&mut pair, 1);
    let answer = pair.create(tree, again("b", file, 1)).unwrap();
    pair.write(tree, answer.file_id, 0, "x").unwrap();
    assert_eq!(pair.fs().read_file("c").unwrap(), b"x");
    pair.close(tree, answer.file_id).unwrap();
    pair.finish();
}

fn rename_outside(pair: &Pair, from: &str, to: &str) {
    let at = |name: &str| Location {
        path: SharePath::new(name).unwrap(),
        stream: None,
    };
    let (fs, by) = (pair.fs(), Identity::system());
    let how = OpenHow {
        data: DataAccess::None,
        open_reparse: false,
    };
    let op = VfsOp::Open { at: at(from), how };
    let Ok(VfsReply::Opened(opened)) = fs.execute(&by, op) else {
        panic!("{from} is not there");
    };
    let handle = opened.handle;
    let rename = VfsOp::Rename {
        handle,
        from: at(from),
        to: at(to),
        replace: false,
    };
    fs.execute(&by, rename).unwrap();
    fs.execute(&by, VfsOp::Close { handle }).unwrap();
}

/// Who comes for it has to be the same user, and to say what it is.
#[test]
fn who_may_take_it_up() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let file = pair.create(tree, persistent("f", 1)).unwrap().file_id;
    pair.restart();
    let end = pair.connect_as(config(1));
    let session = pair
        .logon(end, Credentials::new("other", "secret"))
        .unwrap();
    let other = pair.tree(end, session, "files").unwrap();
    assert_eq!(
        pair.create(other, again("f", file, 1)).unwrap_err(),
        NtStatus::ACCESS_DENIED
    );
    let tree = mount(&mut pair, 1);
    for wrong in [
        again("f", file, 2),
        create::Request {
            contexts: vec![
                DurableReconnectV2 {
                    file_id: file,
                    create_guid: guid(1),
                    flags: DurableFlags::empty(),
                }
                .to_raw(),
            ],
            ..ops::open("f")
        },
        create::Request {
            contexts: vec![DurableReconnect { file_id: file }.to_raw()],
            ..ops::open("f")
        },
        with_lease(again("f", file, 1), 3, RH),
    ] {
        assert_eq!(
            pair.create(tree, wrong).unwrap_err(),
            NtStatus::OBJECT_NAME_NOT_FOUND
        );
    }
    // Others find the file kept until its client comes, or does not.
    assert_eq!(
        pair.create(tree, ops::open("f")).unwrap_err(),
        NtStatus::FILE_NOT_AVAILABLE
    );
    // Its CREATE names it too.
    let unknown = FileId {
        persistent: 77,
        volatile: 0,
    };
    let answer = pair.create(tree, again("f", unknown, 1)).unwrap();
    assert_eq!(answer.file_id.persistent, file.persistent);
    pair.disconnect(tree.end);
    pair.advance(Duration::from_secs(29));
    assert_eq!(pair.kept().len(), 1);
    pair.advance(Duration::from_secs(2));
    assert!(pair.kept().is_empty());
    let late = mount(&mut pair, 1);
    assert_eq!(
        pair.create(late, again("f", file, 1)).unwrap_err(),
        NtStatus::OBJECT_NAME_NOT_FOUND
    );
    assert!(pair.create(late, ops::open("f")).is_ok());
    pair.finish();
}

/// A file that is to go goes with its open, whichever server that is.
#[test]
fn deletion_outlives_the_server() {
    for at_close in [true, false] {
        let mut pair = pair();
        let tree = mount(&mut pair, 1);
        let mut request = persistent("f", 1);
        if at_close {
            request.create_options |= CreateOptions::DELETE_ON_CLOSE;
        }
        let file = pair.create(tree, request).unwrap().file_id;
        if !at_close {
            pair.set_file(tree, file, FileInfoClass::Disposition, vec![1])
                .unwrap();
        }
        pair.restart();
        assert!(pair.fs().exists("f"));
        let tree = mount(&mut pair, 1);
        let answer = pair.create(tree, again("f", file, 1)).unwrap();
        pair.close(tree, answer.file_id).unwrap();
        assert!(!pair.fs().exists("f"));
        pair.finish();
    }
}

/// What does not outlive the server is gone, and numbers of one server name nothing in the next.
#[test]
fn other_opens_end_with_the_server() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let mut request = with_lease(ops::create("f", CreateDisposition::Create), 1, RH);
    request.contexts.push(request_durable(1));
    let file = pair.create(tree, request).unwrap();
    assert_eq!(flags(&file), Some(DurableFlags::empty()));
    assert!(pair.kept().is_empty());
    pair.restart();
    let tree = mount(&mut pair, 1);
    let new = pair.open(tree, "f").unwrap();
    assert_ne!(new.persistent, file.file_id.persistent);
    pair.finish();
}

fn request_durable(n: u8) -> RawContext {
    request(n, DurableFlags::empty())
}

/// A resilient open stays whoever comes, for the time asked for.
#[test]
fn resilient_opens() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let mut request = ops::create("f", CreateDisposition::Create);
    request.share_access = ShareAccess::empty();
    let file = pair.create(tree, request).unwrap().file_id;
    let ask = |pair: &mut Pair, input: &[u8]| {
        let input = Bytes::copy_from_slice(input);
        let call = ops::fsctl(file, FsctlCode::LMR_REQUEST_RESILIENCY, input, 0);
        pair.call(tree, call).header.status
    };
    assert_eq!(ask(&mut pair, &[0; 7]), NtStatus::INVALID_PARAMETER);
    let mut input = [0; 8];
    input[..4].copy_from_slice(&300_001u32.to_le_bytes());
    assert_eq!(ask(&mut pair, &input), NtStatus::INVALID_PARAMETER);
    input[..4].copy_from_slice(&20_000u32.to_le_bytes());
    assert_eq!(ask(&mut pair, &input), NtStatus::SUCCESS);
    pair.lock(tree, ops::lock(file, 0, 1, EXCLUSIVE)).unwrap();
    pair.disconnect(tree.end);
    let other = mount(&mut pair, 2);
    assert_eq!(
        pair.create(other, ops::open("f")).unwrap_err(),
        NtStatus::SHARING_VIOLATION
    );
    pair.advance(Duration::from_secs(19));
    let tree = mount(&mut pair, 1);
    let back = create::Request {
        contexts: vec![DurableReconnect { file_id: file }.to_raw()],
        ..ops::open("f")
    };
    let answer = pair.create(tree, back.clone()).unwrap();
    assert_eq!(answer.file_id.persistent, file.persistent);
    pair.disconnect(tree.end);
    pair.advance(Duration::from_secs(21));
    assert_eq!(
        pair.create(other, back).unwrap_err(),
        NtStatus::OBJECT_NAME_NOT_FOUND
    );
    assert!(pair.create(other, ops::open("f")).is_ok());
    pair.finish();
}

/// The name goes with the durable open that had it, and who comes for it makes a new file.
#[test]
fn deletion_when_a_durable_open_gives_way() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let mut request = ops::create("f", CreateDisposition::OpenIf);
    request.requested_oplock_level = OplockLevel::BATCH;
    request.share_access = ShareAccess::empty();
    request.create_options |= CreateOptions::DELETE_ON_CLOSE;
    let first = create::Request {
        contexts: vec![DurableRequest.to_raw()],
        ..request.clone()
    };
    let file = pair.create(tree, first).unwrap().file_id;
    pair.write(tree, file, 0, "x").unwrap();
    pair.disconnect(tree.end);
    pair.advance(Duration::from_secs(1));
    let other = mount(&mut pair, 2);
    let answer = pair.create(other, request).unwrap();
    assert_eq!(answer.create_action, create::CreateAction::CREATED);
    assert_eq!(answer.end_of_file, 0);
    pair.finish();
}

/// Version 1 names the open alone, also one that version 2 has made durable.
#[test]
fn version_1_takes_up_what_version_2_has_made() {
    let mut pair = pair();
    let tree = mount(&mut pair, 1);
    let mut request = ops::create("f", CreateDisposition::Create);
    request.requested_oplock_level = OplockLevel::BATCH;
    request.contexts.push(request_durable(1));
    let file = pair.create(tree, request).unwrap().file_id;
    pair.disconnect(tree.end);
    let tree = mount(&mut pair, 2);
    let back = create::Request {
        requested_oplock_level: OplockLevel::BATCH,
        contexts: vec![DurableReconnect { file_id: file }.to_raw()],
        ..ops::open("f")
    };
    let file = pair.create(tree, back).unwrap().file_id;
    pair.close(tree, file).unwrap();
    pair.finish();
}

/// Of one application, the older version does not get what the newer one has ([MS-SMB2] 3.3.5.9.13).
#[test]
fn versions_of_an_application() {
    for (there, comes, same_client, expected) in [
        (Some((1, 0)), Some((1, 1)), false, NtStatus::SUCCESS),
        (
            Some((1, 1)),
            Some((1, 1)),
            false,
            NtStatus::FILE_FORCED_CLOSED,
        ),
        (
            Some((2, 0)),
            Some((1, 9)),
            false,
            NtStatus::FILE_FORCED_CLOSED,
        ),
        (Some((1, 0)), None, false, NtStatus::SUCCESS),
        (None, Some((1, 0)), false, NtStatus::SUCCESS),
        (
            Some((1, 0)),
            Some((1, 1)),
            true,
            NtStatus::SHARING_VIOLATION,
        ),
    ] {
        let mut pair = pair();
        let tree = mount(&mut pair, 1);
        let make = |version: Option<(u64, u64)>, n: u8| {
            let mut request = ops::create("f", CreateDisposition::OpenIf);
            request.share_access = ShareAccess::empty();
            request.contexts = vec![
                request_durable(n),
                AppInstanceId {
                    app_instance_id: guid(9),
                }
                .to_raw(),
            ];
            let version = version.map(|(high, low)| AppInstanceVersion { high, low }.to_raw());
            request.contexts.extend(version);
            request
        };
        pair.create(tree, make(there, 1)).unwrap();
        let other = mount(&mut pair, if same_client { 1 } else { 2 });
        let status = pair.create(other, make(comes, 2)).err();
        assert_eq!(
            status.unwrap_or(NtStatus::SUCCESS),
            expected,
            "{there:?} {comes:?}"
        );
        pair.finish();
    }
}
