//! Named pipes: READ, WRITE, FSCTL_PIPE_TRANSCEIVE, FSCTL_PIPE_PEEK and FSCTL_PIPE_WAIT.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, Part, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::fsctl::{FsctlCode, PipeWait};
use smb_proto::id::FileId;
use smb_proto::msg::read::ReadFlags;
use smb_proto::msg::write::WriteFlags;
use smb_proto::msg::{Response, read, write};
use smb_proto::rpc::pdu::{Bind, Body, ContextElement, ContextResult, Pdu, Request, SyntaxId};
use smb_proto::rpc::{lsarpc, srvsvc};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, NtStatus};

/// A bind, the smallest exchange that there is.
fn bind(interface: SyntaxId) -> Bytes {
    let body = Body::Bind(Bind {
        max_xmit_frag: 4280,
        max_recv_frag: 4280,
        assoc_group: 0,
        contexts: vec![ContextElement {
            id: 0,
            interface,
            transfers: vec![SyntaxId::NDR],
        }],
    });
    Pdu::whole(1, body).to_bytes()
}

fn assert_bound(data: &Bytes) {
    let Body::BindAck(ack) = Pdu::parse(data).unwrap().body else {
        panic!("{data:?}")
    };
    assert_eq!(ack.results, [ContextResult::Accepted(SyntaxId::NDR)]);
}

fn open(pair: &mut Pair, name: &str) -> (Tree, FileId) {
    let end = pair.connect();
    let files = pair.mount_on(end);
    let ipc = pair.tree(end, files.target.session, "IPC$").unwrap();
    (ipc, pair.open(ipc, name).unwrap())
}

fn fsctl(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    code: FsctlCode,
    input: Bytes,
    max: u32,
) -> (NtStatus, Bytes) {
    let reply = pair.call(tree, ops::fsctl(file, code, input, max));
    match &reply.body {
        Response::Ioctl(r) => (reply.status(), r.output.clone()),
        _ => (reply.status(), Bytes::new()),
    }
}

#[test]
fn a_call_by_writing_and_reading() {
    for (name, interface) in [("srvsvc", srvsvc::INTERFACE), ("LSARPC", lsarpc::INTERFACE)] {
        let mut pair = Pair::new();
        let (tree, pipe) = open(&mut pair, name);
        let call = bind(interface);
        let len = call.len() as u32;
        assert_eq!(pair.write(tree, pipe, 0, call), Ok(len));
        assert_bound(&pair.read(tree, pipe, 0, 4280).unwrap());
        assert_eq!(pair.flush(tree, pipe), Ok(()));
        pair.close(tree, pipe).unwrap();
        pair.finish();
    }
}

#[test]
fn a_call_in_one_transaction() {
    for (name, interface) in [("srvsvc", srvsvc::INTERFACE), ("lsarpc", lsarpc::INTERFACE)] {
        let mut pair = Pair::new();
        let (tree, pipe) = open(&mut pair, name);
        let code = FsctlCode::PIPE_TRANSCEIVE;
        let (status, output) = fsctl(&mut pair, tree, pipe, code, bind(interface), 4280);
        assert_eq!(status, NtStatus::SUCCESS);
        assert_bound(&output);
        pair.finish();
    }
}

#[test]
fn a_message_in_pieces() {
    let mut pair = Pair::new();
    let (tree, pipe) = open(&mut pair, "srvsvc");
    let code = FsctlCode::PIPE_TRANSCEIVE;
    let (status, first) = fsctl(&mut pair, tree, pipe, code, bind(srvsvc::INTERFACE), 10);
    assert_eq!((status, first.len()), (NtStatus::BUFFER_OVERFLOW, 10));
    let peeked = fsctl(
        &mut pair,
        tree,
        pipe,
        FsctlCode::PIPE_PEEK,
        Bytes::new(),
        20,
    );
    assert_eq!(peeked.0, NtStatus::BUFFER_OVERFLOW);
    let reply = pair.call(tree, ops::read(pipe, 0, 10));
    assert_eq!(reply.status(), NtStatus::BUFFER_OVERFLOW);
    let Response::Read(second) = reply.body else {
        panic!()
    };
    assert_eq!(second.data[..4], peeked.1[16..]);
    let rest = pair.read(tree, pipe, 0, 4280).unwrap();
    assert_bound(&Bytes::from([&first[..], &second.data, &rest].concat()));
    pair.finish();
}

#[test]
fn a_call_written_in_pieces() {
    let mut pair = Pair::new();
    let (tree, pipe) = open(&mut pair, "srvsvc");
    let call = bind(srvsvc::INTERFACE);
    pair.write(tree, pipe, 0, call.slice(..20)).unwrap();
    let state = fsctl(
        &mut pair,
        tree,
        pipe,
        FsctlCode::PIPE_PEEK,
        Bytes::new(),
        16,
    );
    assert_eq!(state.0, NtStatus::SUCCESS);
    assert_eq!(
        state.1[..],
        [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    pair.write(tree, pipe, 0, call.slice(20..)).unwrap();
    assert_bound(&pair.read(tree, pipe, 0, 4280).unwrap());
    pair.finish();
}

#[test]
fn reading_waits_for_something_to_read() {
    for (name, interface) in [("srvsvc", srvsvc::INTERFACE), ("lsarpc", lsarpc::INTERFACE)] {
        let mut pair = Pair::new();
        let (tree, pipe) = open(&mut pair, name);
        let first = pair.start(tree, ops::read(pipe, 0, 4280));
        let second = pair.start(tree, ops::read(pipe, 0, 4280));
        assert_eq!(pair.reply(tree.end, first), None);
        pair.write(tree, pipe, 0, bind(interface)).unwrap();
        let reply = pair.wait(tree.end, first);
        assert!(reply.was_async);
        let Response::Read(r) = reply.body else {
            panic!("{reply:?}")
        };
        assert_bound(&r.data);
        assert_eq!(pair.reply(tree.end, second), None);
        pair.client(tree.end).cancel(second);
        pair.run();
        assert_eq!(pair.wait(tree.end, second).status(), NtStatus::CANCELLED);
        // Closing ends what waits.
        let third = pair.start(tree, ops::read(pipe, 0, 4280));
        pair.close(tree, pipe).unwrap();
        assert_eq!(pair.wait(tree.end, third).status(), NtStatus::PIPE_BROKEN);
        pair.finish();
    }
}

#[test]
fn writing_and_reading_in_one_message() {
    let mut pair = Pair::new();
    let (tree, pipe) = open(&mut pair, "lsarpc");
    let t = tree.target;
    let replies = pair.call_compound(
        tree.end,
        vec![
            Part::new(t, ops::read(pipe, 0, 4280)),
            Part::new(t, ops::write(pipe, 0, bind(lsarpc::INTERFACE))),
            Part::new(t, ops::read(pipe, 0, 4280)),
        ],
    );
    // The first could only wait, and is not the last.
    assert_eq!(replies[0].status(), NtStatus::PIPE_EMPTY);
    assert_eq!(replies[1].status(), NtStatus::SUCCESS);
    let Response::Read(r) = &replies[2].body else {
        panic!()
    };
    assert_bound(&r.data);
    pair.finish();
}

#[test]
fn nonsense_breaks_the_pipe_and_nothing_else() {
    let mut pair = Pair::new();
    let (tree, pipe) = open(&mut pair, "srvsvc");
    let waiting = pair.start(tree, ops::read(pipe, 0, 100));
    let broken = NtStatus::PIPE_DISCONNECTED;
    assert_eq!(pair.write(tree, pipe, 0, vec![0xff; 64]), Err(broken));
    assert_eq!(pair.wait(tree.end, waiting).status(), broken);
    assert_eq!(pair.read(tree, pipe, 0, 100), Err(broken));
    pair.close(tree, pipe).unwrap();
    let pipe = pair.open(tree, "srvsvc").unwrap();
    pair.write(tree, pipe, 0, bind(srvsvc::INTERFACE)).unwrap();
    pair.finish();
}

#[test]
fn flags_without_meaning_on_pipes() {
    for (dialect, expected) in [
        (Dialect::Smb210, NtStatus::SUCCESS),
        (Dialect::Smb300, NtStatus::SUCCESS),
        (Dialect::Smb302, NtStatus::INVALID_PARAMETER),
        (Dialect::Smb311, NtStatus::INVALID_PARAMETER),
    ] {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(dialect));
        let files = pair.mount_on(end);
        let tree = pair.tree(end, files.target.session, "IPC$").unwrap();
        let pipe = pair.open(tree, "srvsvc").unwrap();
        let request = write::Request {
            flags: WriteFlags::WRITE_UNBUFFERED,
            ..ops::write(pipe, 0, bind(srvsvc::INTERFACE))
        };
        assert_eq!(pair.call(tree, request).status(), expected, "{dialect}");
        if expected != NtStatus::SUCCESS {
            pair.write(tree, pipe, 0, bind(srvsvc::INTERFACE)).unwrap();
        }
        let request = read::Request {
            flags: ReadFlags::READ_UNBUFFERED,
            ..ops::read(pipe, 0, 4280)
        };
        assert_eq!(pair.call(tree, request).status(), expected, "{dialect}");
        pair.finish();
    }
}

#[test]
fn waiting_for_a_pipe() {
    let mut pair = Pair::new();
    let (ipc, _) = open(&mut pair, "srvsvc");
    let wait = |name: &str| {
        let mut w = Writer::new();
        PipeWait {
            timeout: None,
            name: name.to_owned(),
        }
        .encode(&mut w);
        w.into_inner().freeze()
    };
    for (name, expected) in [
        ("srvsvc", NtStatus::SUCCESS),
        ("nosuch", NtStatus::OBJECT_NAME_NOT_FOUND),
    ] {
        let code = FsctlCode::PIPE_WAIT;
        let (status, _) = fsctl(&mut pair, ipc, FileId::RELATED, code, wait(name), 0);
        assert_eq!(status, expected, "{name}");
    }
    pair.finish();
}

/// Calls `opnum` of srvsvc as `user`; the stub of the answer.
fn srvsvc_call(pair: &mut Pair, opnum: u16, stub: Bytes) -> Bytes {
    let (tree, pipe) = open(pair, "srvsvc");
    let code = FsctlCode::PIPE_TRANSCEIVE;
    let (_, answer) = fsctl(pair, tree, pipe, code, bind(srvsvc::INTERFACE), 4280);
    assert_bound(&answer);
    let request = Body::Request(rpc_request(opnum, stub));
    let call = Pdu::whole(2, request).to_bytes();
    let (status, answer) = fsctl(pair, tree, pipe, code, call, 4280);
    assert_eq!(status, NtStatus::SUCCESS);
    pair.close(tree, pipe).unwrap();
    match Pdu::parse(&answer).unwrap().body {
        Body::Response(r) => r.stub,
        other => panic!("{other:?}"),
    }
}

fn rpc_request(opnum: u16, stub: Bytes) -> Request {
    Request {
        alloc_hint: 0,
        context_id: 0,
        opnum,
        object: None,
        stub,
    }
}

/// [MS-SRVS] 3.1.4.5: who is on the server is told to administrators, who are here the administrators of
/// every share; and 2.2.4.29: the share says that its listings leave names out.
#[test]
fn administrators_of_all_shares_see_sessions() {
    use srvsvc::{SessionEnum, SessionEnumReply, ShareGetInfo, ShareGetInfoReply, ShareInfo};
    const ACCESS_DENIED: u32 = 5;
    for (shares, status) in [
        (&[][..], ACCESS_DENIED),
        (&["files"], ACCESS_DENIED),
        (&["files", "readonly"], 0),
    ] {
        let mut builder = Pair::builder().share("files", |s| s.hide_unreadable = true);
        for name in shares {
            builder = builder.share(name, |s| s.admin_users.users = vec!["user".into()]);
        }
        let mut pair = builder.build();
        let sessions = SessionEnum {
            server_name: None,
            client_name: None,
            user_name: None,
            info: srvsvc::SessionEnumStruct {
                level: 1,
                session_info: srvsvc::SessionEnumUnion::Level1(None),
            },
            prefered_maximum_length: u32::MAX,
            resume_handle: None,
        };
        let stub = srvsvc_call(&mut pair, SessionEnum::OPNUM, sessions.encode());
        let reply = SessionEnumReply::parse(&stub).unwrap();
        assert_eq!(reply.status, status, "{shares:?}");
        for (name, flags) in [("files", 0x800), ("readonly", 0)] {
            let info = ShareGetInfo {
                server_name: None,
                net_name: name.into(),
                level: 1005,
            };
            let stub = srvsvc_call(&mut pair, ShareGetInfo::OPNUM, info.encode());
            let ShareInfo::Level1005(Some(info)) = ShareGetInfoReply::parse(&stub).unwrap().info
            else {
                panic!("{name}");
            };
            assert_eq!(info.flags, flags);
        }
        pair.finish();
    }
}
