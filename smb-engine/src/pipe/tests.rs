//! A pipe as a client sees it.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use smb_proto::dtyp::{AclSlot, SecurityDescriptor, Sid};
use smb_proto::rpc::ndr::{ContextHandle, UnicodeString, Varying};
use smb_proto::rpc::pdu::{
    AuthTrailer, Bind, BindAck, Body, ContextElement, ContextResult, Fault, Pdu, PfcFlags, Request,
    SyntaxId,
};
use smb_proto::rpc::{lsarpc, samr, srvsvc, wkssvc};
use smb_proto::{FileTime, Guid, NtStatus};

use super::*;

pub(super) const DOMAIN: Sid = Sid::domain(7, 8, 9);
pub(super) const ALICE: Sid = Sid::domain_account(7, 8, 9, 1000);

/// A server with two shares, two users (one of them an administrator) and a group.
pub(super) fn view() -> ServerView {
    let account = |rid, name: &str, groups: &[Sid]| AccountView {
        sid: DOMAIN.with_rid(rid).unwrap(),
        name: name.to_owned(),
        full_name: format!("{name} full"),
        comment: format!("about {name}"),
        kind: AccountKind::User,
        groups: groups.to_vec(),
        disabled: rid == 1001,
    };
    let share = |name: &str, comment: &str| ShareView {
        name: name.to_owned(),
        share_type: srvsvc::STYPE_DISKTREE,
        comment: comment.to_owned(),
        path: format!("C:\\{name}"),
        max_users: None,
        current_users: 2,
        flags: 0x30,
        security: None,
    };
    let staff = DOMAIN.with_rid(2000).unwrap();
    ServerView {
        server_name: "SANSRV".to_owned(),
        workgroup: "LAB".to_owned(),
        comment: "a server".to_owned(),
        version: (6, 1),
        domain_sid: DOMAIN,
        caller: Caller {
            name: "alice".to_owned(),
            domain: "SANSRV".to_owned(),
            sid: ALICE,
            anonymous: false,
            admin: false,
        },
        shares: vec![
            share("data", "the data"),
            ShareView {
                max_users: Some(5),
                security: Some(SecurityDescriptor {
                    dacl: AclSlot::Null,
                    ..SecurityDescriptor::default()
                }),
                ..share("Büro", "")
            },
        ],
        accounts: vec![
            account(1000, "alice", &[staff]),
            account(1001, "bob", &[Sid::BUILTIN_ADMINISTRATORS]),
            AccountView {
                kind: AccountKind::Group,
                ..account(2000, "staff", &[])
            },
        ],
        sessions: vec![SessionView {
            client: "192.0.2.7".to_owned(),
            user: "alice".to_owned(),
            guest: false,
            opens: 3,
            active: Duration::from_secs(60),
            idle: Duration::from_secs(5),
        }],
        connections: vec![ConnectionView {
            id: 4,
            share: "data".to_owned(),
            share_type: srvsvc::STYPE_DISKTREE,
            client: "192.0.2.7".to_owned(),
            user: "alice".to_owned(),
            opens: 3,
            active: Duration::from_secs(50),
        }],
        files: vec![FileView {
            id: 9,
            path: "C:\\data\\a.txt".to_owned(),
            user: "alice".to_owned(),
            permissions: 3,
            locks: 1,
        }],
        now: FileTime::from_unix(1_795_353_566, 0),
        uptime: Duration::from_secs(1000),
    }
}

fn admin() -> ServerView {
    let mut v = view();
    v.caller.admin = true;
    v
}

fn anonymous() -> ServerView {
    let mut v = view();
    v.caller.anonymous = true;
    v
}

/// A client of one pipe.
struct Client {
    pipe: Pipe,
    view: ServerView,
    call_id: u32,
}

impl Client {
    fn unbound(pipe: &str, view: ServerView) -> Self {
        Self {
            pipe: Pipe::open(pipe).unwrap(),
            view,
            call_id: 0,
        }
    }

    fn bound(pipe: &str, interface: SyntaxId, view: ServerView) -> Self {
        let mut client = Self::unbound(pipe, view);
        let ack = client.bind(&[(interface, SyntaxId::NDR)], 4280);
        assert_eq!(ack.results, [ContextResult::Accepted(SyntaxId::NDR)]);
        client
    }

    fn bind_pdu(contexts: &[(SyntaxId, SyntaxId)], fragment: u16) -> Pdu {
        let contexts = contexts
            .iter()
            .zip(0..)
            .map(|(&(interface, transfer), id)| ContextElement {
                id,
                interface,
                transfers: vec![transfer],
            })
            .collect();
        Pdu::whole(
            1,
            Body::Bind(Bind {
                max_xmit_frag: fragment,
                max_recv_frag: fragment,
                assoc_group: 0,
                contexts,
            }),
        )
    }

    fn bind(&mut self, contexts: &[(SyntaxId, SyntaxId)], fragment: u16) -> BindAck {
        self.send(&Self::bind_pdu(contexts, fragment));
        match self.receive().body {
            Body::BindAck(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, pdu: &Pdu) {
        self.pipe.write(&pdu.to_bytes(), &self.view).unwrap();
    }

    fn receive(&mut self) -> Pdu {
        let got = self.pipe.read(65536);
        assert!(!got.more);
        let pdu = Pdu::parse(&got.data).unwrap();
        assert_eq!(Pdu::fragment_len(&got.data), Ok(Some(got.data.len())));
        pdu
    }

    fn request(id: u32, flags: PfcFlags, opnum: u16, stub: &[u8]) -> Pdu {
        Pdu {
            flags,
            ..Pdu::whole(
                id,
                Body::Request(Request {
                    alloc_hint: 0,
                    context_id: 0,
                    opnum,
                    object: None,
                    stub: Bytes::copy_from_slice(stub),
                }),
            )
        }
    }

    fn try_call(&mut self, opnum: u16, stub: &[u8]) -> Result<Bytes, u32> {
        self.call_id += 1;
        self.send(&Self::request(self.call_id, PfcFlags::WHOLE, opnum, stub));
        let mut all = Vec::new();
        loop {
            let pdu = self.receive();
            assert_eq!(pdu.call_id, self.call_id);
            match pdu.body {
                Body::Response(r) => all.extend_from_slice(&r.stub),
                Body::Fault(f) => return Err(f.status),
                other => panic!("{other:?}"),
            }
            if pdu.flags.contains(PfcFlags::LAST_FRAG) {
                return Ok(all.into());
            }
        }
    }

    fn call(&mut self, opnum: u16, stub: &[u8]) -> Bytes {
        self.try_call(opnum, stub).unwrap()
    }
}

/// Makes a call and reads its reply.
macro_rules! ask {
    ($client:expr, $module:ident :: $call:ident $fields:tt, $reply:ident) => {{
        let call = $module::$call $fields;
        let stub = $client.call($module::$call::OPNUM, &call.encode());
        $module::$reply::parse(&stub).unwrap()
    }};
}

#[test]
fn names_of_pipes() {
    for name in [
        "srvsvc",
        "\\SrvSvc",
        "pipe\\wkssvc",
        "\\PIPE\\lsarpc",
        "lsass",
        "samr",
    ] {
        assert!(Pipe::open(name).is_some(), "{name}");
    }
    for name in [
        "",
        "\\",
        "pipe\\",
        "spoolss",
        "\\\\srvsvc",
        "srvsvc\\",
        "ŝrvsvc",
        "pip\u{e9}\\",
    ] {
        assert!(Pipe::open(name).is_none(), "{name}");
    }
}

#[test]
fn reads_are_messages() {
    let mut c = Client::unbound("srvsvc", view());
    assert_eq!(
        c.pipe.read(10),
        ReadOutcome {
            data: Bytes::new(),
            more: false
        }
    );
    let bind = Client::bind_pdu(&[(srvsvc::INTERFACE, SyntaxId::NDR)], 4280).to_bytes();
    // Written in pieces; nothing comes before the last.
    for piece in bind.chunks(7) {
        assert_eq!(c.pipe.available(), 0);
        c.pipe.write(piece, &c.view).unwrap();
    }
    let whole = c.pipe.next_message().unwrap().clone();
    assert_eq!(c.pipe.available(), whole.len());
    assert_eq!(
        c.pipe.transceive(&bind, 100, &c.view),
        Err(NtStatus::PIPE_BUSY)
    );
    let first = c.pipe.read(20);
    assert!(first.more);
    assert_eq!(first.data, whole[..20]);
    let rest = c.pipe.read(usize::MAX);
    assert!(!rest.more);
    assert_eq!(rest.data, whole[20..]);
    // A read of exactly the length is whole.
    let again = Client::request(2, PfcFlags::WHOLE, 28, &[0; 4]).to_bytes();
    let got = c.pipe.transceive(&again, 24 + 56, &c.view).unwrap();
    assert_eq!((got.data.len(), got.more), (80, false));
}

#[test]
fn binding_as_windows_does() {
    let features = SyntaxId {
        uuid: Guid::from_fields(0x6cb7_1c2c, 0x9812, 0x4540, [3, 0, 0, 0, 0, 0, 0, 0]),
        version: 1,
    };
    let later = SyntaxId {
        version: samr::INTERFACE.version | 1 << 16,
        ..samr::INTERFACE
    };
    let mut c = Client::unbound("samr", view());
    let ack = c.bind(
        &[
            (samr::INTERFACE, SyntaxId::NDR),
            (samr::INTERFACE, SyntaxId::NDR64),
            (samr::INTERFACE, features),
            (lsarpc::INTERFACE, SyntaxId::NDR),
            (srvsvc::INTERFACE, SyntaxId::NDR),
            (later, SyntaxId::NDR),
        ],
        65535,
    );
    assert_eq!(
        ack.results,
        [
            ContextResult::Accepted(SyntaxId::NDR),
            ContextResult::TRANSFER_SYNTAXES,
            ContextResult::Features(0),
            ContextResult::Accepted(SyntaxId::NDR),
            ContextResult::ABSTRACT_SYNTAX,
            ContextResult::ABSTRACT_SYNTAX,
        ]
    );
    assert_eq!((ack.max_xmit_frag, ack.max_recv_frag), (4280, 4280));
    assert_eq!(ack.secondary_address, "\\pipe\\lsass");
    assert_ne!(ack.assoc_group, 0);
}

#[test]
fn binding_that_is_refused() {
    let bind = Client::bind_pdu(&[(srvsvc::INTERFACE, SyntaxId::NDR)], 4280);
    let with_auth = Pdu {
        auth: Some(AuthTrailer {
            auth_type: 10,
            auth_level: 5,
            context_id: 1,
            value: Bytes::from_static(b"NTLMSSP\0"),
        }),
        ..bind.clone()
    };
    let mut c = Client::unbound("srvsvc", view());
    c.send(&with_auth);
    assert!(matches!(c.receive().body, Body::BindNak(n) if n.reason == 8));
    // Without authentication it works then, once.
    c.send(&bind);
    assert!(matches!(c.receive().body, Body::BindAck(_)));
    c.send(&bind);
    assert!(matches!(c.receive().body, Body::BindNak(_)));
}

#[test]
fn alter_context_adds_an_interface() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let Body::Bind(mut bind) = Client::bind_pdu(&[(wkssvc::INTERFACE, SyntaxId::NDR)], 4280).body
    else {
        panic!()
    };
    bind.contexts[0].id = 3;
    c.send(&Pdu::whole(9, Body::AlterContext(bind)));
    match c.receive().body {
        Body::AlterContextResp(ack) => {
            assert_eq!(ack.secondary_address, "");
            assert_eq!(ack.results, [ContextResult::Accepted(SyntaxId::NDR)]);
        }
        other => panic!("{other:?}"),
    }
    let call = wkssvc::WkstaGetInfo {
        server_name: None,
        level: 100,
    };
    let mut pdu = Client::request(10, PfcFlags::WHOLE, 0, &call.encode());
    if let Body::Request(r) = &mut pdu.body {
        r.context_id = 3;
    }
    c.send(&pdu);
    let Body::Response(r) = c.receive().body else {
        panic!()
    };
    assert_eq!(r.context_id, 3);
    assert_eq!(wkssvc::WkstaGetInfoReply::parse(&r.stub).unwrap().status, 0);
}

#[test]
fn faults() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    assert_eq!(c.try_call(99, &[]), Err(Fault::OP_RNG_ERROR));
    assert_eq!(
        c.try_call(srvsvc::ShareEnum::OPNUM, &[1]),
        Err(Fault::BAD_STUB_DATA)
    );
    // A presentation context that was not bound.
    let mut pdu = Client::request(7, PfcFlags::WHOLE, 15, &[]);
    if let Body::Request(r) = &mut pdu.body {
        r.context_id = 1;
    }
    c.send(&pdu);
    let reply = c.receive();
    assert!(reply.flags.contains(PfcFlags::DID_NOT_EXECUTE));
    assert!(matches!(reply.body, Body::Fault(f) if f.status == Fault::UNK_IF));
    // A later fragment of no call.
    c.send(&Client::request(8, PfcFlags::LAST_FRAG, 15, &[]));
    assert!(matches!(c.receive().body, Body::Fault(f) if f.status == Fault::PROTO_ERROR));
    // And the pipe still works.
    assert!(c.try_call(srvsvc::RemoteTod::OPNUM, &[0; 4]).is_ok());
}

#[test]
fn whoever_breaks_the_protocol_is_disconnected() {
    let refused = Err(NtStatus::PIPE_DISCONNECTED);
    let mut p = Pipe::open("srvsvc").unwrap();
    assert_eq!(p.write(b"GET / HTTP/1.1\r\n", &view()), refused);
    assert!(p.is_broken());
    let mut c = Client::unbound("srvsvc", view());
    let shutdown = Pdu::whole(1, Body::Shutdown).to_bytes();
    assert_eq!(c.pipe.write(&shutdown, &c.view), refused);
    let bind = Client::bind_pdu(&[(srvsvc::INTERFACE, SyntaxId::NDR)], 4280).to_bytes();
    assert_eq!(c.pipe.write(&bind, &c.view), refused);
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let call = srvsvc::PathCanonicalize {
        path_name: "x".into(),
        outbuf_len: 64_000,
        ..srvsvc::PathCanonicalize::default()
    };
    let pdu = Client::request(1, PfcFlags::WHOLE, 31, &call.encode()).to_bytes();
    let mut refused = None;
    for _ in 0..100 {
        if let Err(e) = c.pipe.write(&pdu, &c.view) {
            refused = Some(e);
            break;
        }
    }
    assert_eq!(refused, Some(NtStatus::PIPE_DISCONNECTED));
    assert!(c.pipe.available() < MAX_PENDING + 2 * 64_000);
}

#[test]
fn calls_and_replies_in_fragments() {
    let mut v = view();
    v.shares = (0..300)
        .map(|i| ShareView {
            name: format!("share{i}"),
            ..v.shares[0].clone()
        })
        .collect();
    let mut c = Client::unbound("srvsvc", v);
    // Less than everybody must be able to receive counts as that much.
    c.bind(&[(srvsvc::INTERFACE, SyntaxId::NDR)], 100);
    let stub = srvsvc::ShareEnum::all_level_1("s").encode();
    let (a, b) = stub.split_at(16);
    c.send(&Client::request(5, PfcFlags::FIRST_FRAG, 15, a));
    assert_eq!(c.pipe.available(), 0);
    c.send(&Client::request(5, PfcFlags::LAST_FRAG, 15, b));
    let mut all = Vec::new();
    loop {
        let got = c.pipe.read(65536).data;
        assert!(got.len() <= 1432);
        let pdu = Pdu::parse(&got).unwrap();
        let first = pdu.flags.contains(PfcFlags::FIRST_FRAG);
        assert_eq!(first, all.is_empty());
        let Body::Response(r) = pdu.body else {
            panic!()
        };
        all.extend_from_slice(&r.stub);
        if pdu.flags.contains(PfcFlags::LAST_FRAG) {
            break;
        }
        assert_eq!(r.stub.len() % 8, 0);
    }
    assert_eq!(c.pipe.available(), 0);
    let reply = srvsvc::ShareEnumReply::parse(&all).unwrap();
    assert_eq!(reply.total_entries, 301);
}

#[test]
fn calls_that_are_too_long_are_refused_at_their_end() {
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let part = vec![0; 60_000];
    let mut flags = PfcFlags::FIRST_FRAG;
    for _ in 0..10 {
        c.send(&Client::request(5, flags, 57, &part));
        flags = PfcFlags::empty();
        assert_eq!(c.pipe.available(), 0);
    }
    c.send(&Client::request(5, PfcFlags::LAST_FRAG, 57, &part));
    assert!(matches!(c.receive().body, Body::Fault(f) if f.status == Fault::REMOTE_NO_MEMORY));
    // An orphaned call leaves nothing behind.
    c.send(&Client::request(6, PfcFlags::FIRST_FRAG, 57, &part));
    c.send(&Pdu::whole(6, Body::Orphaned));
    c.send(&Client::request(6, PfcFlags::LAST_FRAG, 57, &part));
    assert!(matches!(c.receive().body, Body::Fault(f) if f.status == Fault::PROTO_ERROR));
}

fn share_enum(level: u32) -> srvsvc::ShareEnum {
    use srvsvc::ShareEnumUnion as U;
    let share_info = match level {
        0 => U::Level0(Some(Default::default())),
        1 => U::Level1(Some(Default::default())),
        2 => U::Level2(Some(Default::default())),
        501 => U::Level501(Some(Default::default())),
        502 => U::Level502(Some(Default::default())),
        other => U::Other(other, Some(Default::default())),
    };
    srvsvc::ShareEnum {
        server_name: Some("\\\\sansrv".into()),
        info: srvsvc::ShareEnumStruct { level, share_info },
        prefered_maximum_length: u32::MAX,
        resume_handle: Some(0),
    }
}

#[test]
fn shares_at_every_level() {
    use srvsvc::ShareEnumUnion as U;
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    for level in [0, 1, 2, 501, 502] {
        let stub = c.call(15, &share_enum(level).encode());
        let reply = srvsvc::ShareEnumReply::parse(&stub).unwrap();
        assert_eq!((reply.status, reply.total_entries), (0, 3), "{level}");
        let names: Vec<_> = match reply.info.share_info {
            U::Level0(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level1(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level2(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level501(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level502(Some(l)) => {
                let list = l.buffer.unwrap();
                assert_eq!(list[0].path, Some("C:\\data".into()));
                assert_eq!((list[0].max_uses, list[1].max_uses), (u32::MAX, 5));
                let sd = list[1].security_descriptor.as_deref().unwrap();
                assert_eq!(list[1].reserved, 20);
                assert_eq!(SecurityDescriptor::parse(sd).unwrap().dacl, AclSlot::Null);
                list.into_iter().map(|s| s.netname).collect()
            }
            other => panic!("{other:?}"),
        };
        let expected = ["data", "Büro", "IPC$"].map(|n| Some(n.into()));
        assert_eq!(names, expected, "{level}");
    }
    let stub = c.call(15, &share_enum(77).encode());
    let reply = srvsvc::ShareEnumReply::parse(&stub).unwrap();
    assert_eq!((reply.status, reply.total_entries), (124, 0));
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, anonymous());
    for (level, status) in [(1, 0), (2, 5), (502, 5)] {
        let stub = c.call(15, &share_enum(level).encode());
        assert_eq!(srvsvc::ShareEnumReply::parse(&stub).unwrap().status, status);
    }
}

#[test]
fn shares_in_parts() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut call = share_enum(0);
    call.prefered_maximum_length = 1;
    let mut seen = Vec::new();
    for left in [3, 2, 1] {
        let reply = srvsvc::ShareEnumReply::parse(&c.call(15, &call.encode())).unwrap();
        assert_eq!(reply.total_entries, left);
        assert_eq!(reply.status, if left == 1 { 0 } else { 234 });
        let srvsvc::ShareEnumUnion::Level0(Some(list)) = reply.info.share_info else {
            panic!()
        };
        seen.extend(
            list.buffer
                .unwrap()
                .into_iter()
                .map(|s| s.netname.unwrap().0),
        );
        call.resume_handle = reply.resume_handle;
    }
    assert_eq!(seen, ["data", "Büro", "IPC$"]);
}

#[test]
fn one_share() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut get = |name: &str, level| {
        ask!(
            c,
            srvsvc::ShareGetInfo {
                server_name: None,
                net_name: name.into(),
                level
            },
            ShareGetInfoReply
        )
    };
    for level in [0, 1, 2, 501, 502, 1005] {
        let reply = get("BÜRO", level);
        assert_eq!((reply.status, reply.info.tag()), (0, level));
    }
    assert_eq!(
        get("data", 1005).info,
        srvsvc::ShareInfo::Level1005(Some(srvsvc::ShareInfo1005 { flags: 0x30 }))
    );
    assert_eq!(get("ipc$", 1).status, 0);
    assert_eq!(get("nothing", 1).status, 2310);
    assert_eq!(get("data", 3).status, 124);
}

#[test]
fn server_and_workstation() {
    for (view, expected) in [
        (view(), [(100, 0), (101, 0), (102, 5), (103, 124)]),
        (admin(), [(100, 0), (101, 0), (102, 0), (599, 124)]),
    ] {
        let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view.clone());
        let mut w = Client::bound("wkssvc", wkssvc::INTERFACE, view);
        for (level, status) in expected {
            let server_name = None;
            let reply = ask!(
                c,
                srvsvc::ServerGetInfo { server_name, level },
                ServerGetInfoReply
            );
            assert_eq!((reply.status, reply.info.tag()), (status, level));
            let server_name = None;
            let reply = ask!(
                w,
                wkssvc::WkstaGetInfo { server_name, level },
                WkstaGetInfoReply
            );
            assert_eq!((reply.status, reply.info.tag()), (status, level));
        }
    }
}

#[test]
fn who_uses_the_server() {
    let session = |level| {
        use srvsvc::SessionEnumUnion as U;
        let session_info = match level {
            0 => U::Level0(Some(Default::default())),
            1 => U::Level1(Some(Default::default())),
            2 => U::Level2(Some(Default::default())),
            10 => U::Level10(Some(Default::default())),
            _ => U::Level502(Some(Default::default())),
        };
        srvsvc::SessionEnum {
            client_name: Some("\\\\192.0.2.7".into()),
            info: srvsvc::SessionEnumStruct {
                level,
                session_info,
            },
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        }
    };
    let status = |view: ServerView, level| {
        let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view);
        let stub = c.call(12, &session(level).encode());
        let reply = srvsvc::SessionEnumReply::parse(&stub).unwrap();
        (reply.status, reply.total_entries)
    };
    for level in [0, 1, 2, 10, 502] {
        assert_eq!(status(admin(), level), (0, 1), "{level}");
        let user = if matches!(level, 0 | 10) {
            (0, 1)
        } else {
            (5, 0)
        };
        assert_eq!(status(view(), level), user, "{level}");
        assert_eq!(status(anonymous(), level), (5, 0), "{level}");
    }

    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, admin());
    for (qualifier, n) in [("data", 1), ("other", 0), ("\\\\192.0.2.7", 1)] {
        let reply = ask!(
            c,
            srvsvc::ConnectionEnum {
                qualifier: Some(qualifier.into()),
                info: srvsvc::ConnectionEnumStruct {
                    level: 1,
                    connect_info: srvsvc::ConnectionEnumUnion::Level1(Some(Default::default())),
                },
                prefered_maximum_length: u32::MAX,
                ..Default::default()
            },
            ConnectionEnumReply
        );
        assert_eq!((reply.status, reply.total_entries), (0, n), "{qualifier}");
    }
    for (base, n) in [("", 1), ("c:\\DATA", 1), ("C:\\other", 0)] {
        let reply = ask!(
            c,
            srvsvc::FileEnum {
                base_path: Some(base.into()),
                info: srvsvc::FileEnumStruct {
                    level: 3,
                    file_info: srvsvc::FileEnumUnion::Level3(Some(Default::default())),
                },
                prefered_maximum_length: u32::MAX,
                ..Default::default()
            },
            FileEnumReply
        );
        assert_eq!((reply.status, reply.total_entries), (0, n), "{base}");
    }
}

#[test]
fn paths_and_names() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut canonical = |path: &str, outbuf_len| {
        ask!(
            c,
            srvsvc::PathCanonicalize {
                path_name: path.into(),
                outbuf_len,
                ..Default::default()
            },
            PathCanonicalizeReply
        )
    };
    let reply = canonical("C:/a/../b", 20);
    assert_eq!((reply.status, reply.path_type), (0, 8198));
    assert_eq!(reply.outbuf.len(), 20);
    assert!(reply.outbuf.starts_with(b"C\0:\0\\\0b\0\0\0"));
    assert_eq!(canonical("C:\\b", 9).status, 2123);
    assert_eq!(canonical("C:\\..\\b", 20).status, 123);
    let long = srvsvc::PathCanonicalize {
        outbuf_len: 64_001,
        ..Default::default()
    };
    assert_eq!(c.try_call(31, &long.encode()), Err(Fault::BAD_STUB_DATA));
    for (name, status) in [("data", 0), ("a/b", 123)] {
        let reply = ask!(
            c,
            srvsvc::NameValidate {
                server_name: None,
                name: name.into(),
                name_type: 9,
                flags: 0
            },
            NameValidateReply
        );
        assert_eq!(reply.status, status, "{name}");
    }
}

fn open_policy(c: &mut Client) -> ContextHandle {
    let reply = ask!(
        c,
        lsarpc::OpenPolicy2 {
            desired_access: 0x0200_0000,
            ..Default::default()
        },
        HandleReply
    );
    assert_eq!(reply.status, 0);
    reply.handle
}

#[test]
fn lookups_of_names() {
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    let names: Vec<UnicodeString> = ["LAB\\bob", "nobody", "Everyone", "SANSRV"]
        .map(Into::into)
        .to_vec();
    let reply = ask!(
        c,
        lsarpc::LookupNames3 {
            handle,
            count: 4,
            names: names.clone(),
            lookup_level: 1,
            ..Default::default()
        },
        LookupNames3Reply
    );
    assert_eq!(reply.status, NtStatus::SOME_NOT_MAPPED.0);
    assert_eq!(reply.mapped_count, 3);
    let domains = reply.referenced_domains.unwrap().domains.unwrap();
    assert_eq!(domains.len(), 2);
    let sids = reply.translated_sids.sids.unwrap();
    let short: Vec<_> = sids
        .iter()
        .map(|s| (s.name_use, s.sid, s.domain_index))
        .collect();
    assert_eq!(
        short,
        [
            (1, Some(DOMAIN.with_rid(1001).unwrap()), 0),
            (8, None, u32::MAX),
            (5, Some(Sid::WORLD), 1),
            (3, Some(DOMAIN), 0),
        ]
    );
    let reply = ask!(
        c,
        lsarpc::LookupNames {
            handle,
            count: 4,
            names: names.clone(),
            lookup_level: 1,
            ..Default::default()
        },
        LookupNamesReply
    );
    let rids: Vec<_> = reply
        .translated_sids
        .sids
        .unwrap()
        .iter()
        .map(|s| s.relative_id)
        .collect();
    assert_eq!(rids, [1001, 0, 0, u32::MAX]);
    let wrong = lsarpc::LookupNames2 {
        handle,
        count: 3,
        names,
        ..Default::default()
    };
    assert_eq!(c.try_call(58, &wrong.encode()), Err(Fault::BAD_STUB_DATA));
}

#[test]
fn lookups_of_sids() {
    let ask_for = |sids: &[Sid]| lsarpc::SidEnumBuffer {
        entries: u32::try_from(sids.len()).unwrap(),
        sid_info: Some(sids.iter().copied().map(Some).collect()),
    };
    let stranger = Sid::domain(1, 2, 3).with_rid(4).unwrap();
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    let reply = ask!(
        c,
        lsarpc::LookupSids2 {
            handle,
            sid_enum_buffer: ask_for(&[ALICE, stranger, Sid::BUILTIN_USERS]),
            lookup_level: 1,
            ..Default::default()
        },
        LookupSidsExReply
    );
    assert_eq!(
        (reply.status, reply.mapped_count),
        (NtStatus::SOME_NOT_MAPPED.0, 2)
    );
    let names: Vec<_> = reply
        .translated_names
        .names
        .unwrap()
        .into_iter()
        .map(|n| (n.name_use, n.name.0.unwrap(), n.domain_index))
        .collect();
    assert_eq!(
        names,
        [
            (1, "alice".to_owned(), 0),
            (8, "S-1-5-21-1-2-3-4".to_owned(), u32::MAX),
            (4, "Users".to_owned(), 1),
        ]
    );
    for (sids, status) in [
        (ask_for(&[stranger]), NtStatus::NONE_MAPPED),
        (ask_for(&[ALICE]), NtStatus::SUCCESS),
        (
            lsarpc::SidEnumBuffer {
                entries: 1,
                sid_info: Some(vec![None]),
            },
            NtStatus::INVALID_PARAMETER,
        ),
    ] {
        let reply = ask!(
            c,
            lsarpc::LookupSids {
                handle,
                sid_enum_buffer: sids,
                ..Default::default()
            },
            LookupSidsReply
        );
        assert_eq!(reply.status, status.0);
    }
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, anonymous());
    let handle = open_policy(&mut c);
    let reply = ask!(
        c,
        lsarpc::LookupSids {
            handle,
            sid_enum_buffer: ask_for(&[ALICE]),
            ..Default::default()
        },
        LookupSidsReply
    );
    assert_eq!(reply.status, NtStatus::ACCESS_DENIED.0);
    assert_eq!(reply.mapped_count, 0);
}

#[test]
fn policy_user_name_and_privileges() {
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    for (information_class, known) in [(3, true), (5, true), (6, true), (12, true), (2, false)] {
        let reply = ask!(
            c,
            lsarpc::QueryInformationPolicy {
                handle,
                information_class
            },
            QueryInformationPolicyReply
        );
        assert_eq!(
            (reply.information.is_some(), reply.status == 0),
            (known, known),
            "{information_class}"
        );
    }
    let reply = ask!(
        c,
        lsarpc::GetUserName {
            domain_name: Some(None),
            ..Default::default()
        },
        GetUserNameReply
    );
    assert_eq!(reply.user_name, Some("alice".into()));
    assert_eq!(reply.domain_name, Some(Some("SANSRV".into())));
    let reply = ask!(
        c,
        lsarpc::LookupPrivilegeValue {
            handle,
            name: "SeBackupPrivilege".into()
        },
        LookupPrivilegeValueReply
    );
    assert_eq!((reply.value.low_part, reply.status), (17, 0));
    let reply = ask!(
        c,
        lsarpc::EnumerateTrustedDomains {
            handle,
            ..Default::default()
        },
        EnumerateTrustedDomainsReply
    );
    assert_eq!(reply.status, NtStatus::NO_MORE_ENTRIES.0);
    let closed = ask!(c, lsarpc::Close { handle }, HandleReply);
    assert_eq!((closed.handle, closed.status), (ContextHandle::NULL, 0));
    assert_eq!(
        c.try_call(0, &lsarpc::Close { handle }.encode()),
        Err(Fault::CONTEXT_MISMATCH)
    );
}

fn open_domain(c: &mut Client, domain_id: Sid) -> ContextHandle {
    let server = ask!(
        c,
        samr::Connect5 {
            in_version: 1,
            in_revision_info: samr::RevisionInfo::V1(samr::RevisionInfoV1::default()),
            ..Default::default()
        },
        Connect5Reply
    );
    assert_eq!(server.status, 0);
    let reply = ask!(
        c,
        samr::OpenDomain {
            handle: server.handle,
            desired_access: 0,
            domain_id
        },
        HandleReply
    );
    assert_eq!(reply.status, 0);
    reply.handle
}

fn names_of(reply: samr::EnumerateReply) -> Vec<(u32, String)> {
    let list = reply.buffer.unwrap().buffer.unwrap_or_default();
    assert_eq!(usize::try_from(reply.count_returned).unwrap(), list.len());
    list.into_iter()
        .map(|e| (e.relative_id, e.name.0.unwrap()))
        .collect()
}

#[test]
fn users_and_groups() {
    let mut c = Client::bound("samr", samr::INTERFACE, view());
    let own = open_domain(&mut c, DOMAIN);
    let builtin = open_domain(&mut c, Sid::BUILTIN);
    let reply = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(reply.status, 0);
    assert_eq!(
        names_of(reply),
        [(1000, "alice".to_owned()), (1001, "bob".to_owned())]
    );
    // In parts, and only what is disabled.
    let first = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            prefered_maximum_length: 1,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(
        (first.status, first.enumeration_context),
        (NtStatus::MORE_ENTRIES.0, 1)
    );
    let reply = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            user_account_control: samr::USER_ACCOUNT_DISABLED,
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(names_of(reply), [(1001, "bob".to_owned())]);
    let groups = samr::EnumerateGroupsInDomain {
        handle: own,
        enumeration_context: 0,
        prefered_maximum_length: u32::MAX,
    };
    let reply = samr::EnumerateReply::parse(&c.call(11, &groups.encode())).unwrap();
    assert_eq!(
        names_of(reply),
        [(513, "None".to_owned()), (2000, "staff".to_owned())]
    );
    let aliases = samr::EnumerateGroupsInDomain {
        handle: builtin,
        ..groups
    };
    let reply = samr::EnumerateReply::parse(&c.call(15, &aliases.encode())).unwrap();
    assert_eq!(names_of(reply)[0], (544, "Administrators".to_owned()));

    let reply = ask!(
        c,
        samr::LookupNamesInDomain {
            handle: own,
            count: 2,
            names: Varying(vec!["BOB".into(), "nobody".into()])
        },
        LookupNamesInDomainReply
    );
    assert_eq!(reply.status, NtStatus::SOME_NOT_MAPPED.0);
    assert_eq!(reply.relative_ids.element, Some(vec![1001, 0]));
    assert_eq!(reply.name_use.element, Some(vec![1, 8]));
    let reply = ask!(
        c,
        samr::LookupIdsInDomain {
            handle: own,
            count: 2,
            relative_ids: Varying(vec![513, 1000])
        },
        LookupIdsInDomainReply
    );
    assert_eq!(
        reply.names.element,
        Some(vec!["None".into(), "alice".into()])
    );
    let reply = ask!(
        c,
        samr::GetAliasMembership {
            handle: builtin,
            sid_array: samr::SidArray {
                count: 1,
                sids: Some(vec![DOMAIN.with_rid(1001)])
            }
        },
        GetAliasMembershipReply
    );
    assert_eq!(reply.membership.element, Some(vec![544]));
    for class in [1, 2, 3] {
        let reply = ask!(
            c,
            samr::QueryDisplayInformation {
                handle: own,
                display_information_class: class,
                index: 0,
                entry_count: 1000,
                prefered_maximum_length: u32::MAX
            },
            QueryDisplayInformationReply
        );
        assert_eq!((reply.status, reply.buffer.tag()), (0, class));
        assert_eq!(reply.total_returned == 0, class == 2);
    }
    for class in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12] {
        let reply = ask!(
            c,
            samr::QueryInformationDomain {
                handle: own,
                information_class: class
            },
            QueryInformationDomainReply
        );
        assert_eq!(reply.buffer.map(|b| b.tag()), Some(class));
    }
}

#[test]
fn one_user_one_group_one_alias() {
    let mut c = Client::bound("samr", samr::INTERFACE, view());
    let own = open_domain(&mut c, DOMAIN);
    let builtin = open_domain(&mut c, Sid::BUILTIN);
    let open = |c: &mut Client, opnum, handle, relative_id| {
        let call = samr::OpenAccount {
            handle,
            desired_access: 0x0200_0000,
            relative_id,
        };
        samr::HandleReply::parse(&c.call(opnum, &call.encode())).unwrap()
    };
    assert_eq!(open(&mut c, 34, own, 4711).status, NtStatus::NO_SUCH_USER.0);
    assert_eq!(open(&mut c, 34, own, 513).status, NtStatus::NO_SUCH_USER.0);
    assert_eq!(
        open(&mut c, 19, own, 1000).status,
        NtStatus::NO_SUCH_GROUP.0
    );
    let user = open(&mut c, 34, own, 1000).handle;
    for class in [1, 6, 7, 8, 9, 13, 16, 20, 21] {
        let reply = ask!(
            c,
            samr::QueryInformationUser {
                handle: user,
                information_class: class
            },
            QueryInformationUserReply
        );
        assert_eq!(reply.status, 0);
        assert_eq!(reply.buffer.map(|b| b.tag()), Some(class));
    }
    let reply = ask!(
        c,
        samr::GetGroupsForUser { handle: user },
        GetGroupsForUserReply
    );
    let rids: Vec<_> = reply
        .groups
        .unwrap()
        .groups
        .unwrap()
        .iter()
        .map(|g| g.relative_id)
        .collect();
    assert_eq!(rids, [513, 2000]);
    let reply = ask!(
        c,
        samr::QuerySecurityObject {
            handle: user,
            security_information: 4
        },
        QuerySecurityObjectReply
    );
    let sd = reply.security_descriptor.unwrap();
    let sd = SecurityDescriptor::parse(&sd.security_descriptor.unwrap()).unwrap();
    assert_eq!(sd.owner, None);
    assert_eq!(sd.dacl.acl().unwrap().aces[2].sid(), Some(&ALICE));

    let group = open(&mut c, 19, own, 513).handle;
    let reply = ask!(
        c,
        samr::GetMembersInGroup { handle: group },
        GetMembersInGroupReply
    );
    assert_eq!(reply.members.unwrap().members, Some(vec![1000, 1001]));
    let alias = open(&mut c, 27, builtin, 544).handle;
    let reply = ask!(
        c,
        samr::GetMembersInAlias { handle: alias },
        GetMembersInAliasReply
    );
    assert_eq!(reply.members.sids, Some(vec![DOMAIN.with_rid(1001)]));
    // Handles of one kind do not do for another, nor those of the other interface.
    let wrong = samr::GetMembersInGroup { handle: alias }.encode();
    assert_eq!(c.try_call(25, &wrong), Err(Fault::CONTEXT_MISMATCH));
}

#[test]
fn null_sessions_read_no_accounts() {
    let mut c = Client::bound("samr", samr::INTERFACE, anonymous());
    let reply = ask!(
        c,
        samr::Connect2 {
            server_name: None,
            desired_access: 0
        },
        HandleReply
    );
    assert_eq!(
        (reply.handle, reply.status),
        (ContextHandle::NULL, NtStatus::ACCESS_DENIED.0)
    );
}

proptest! {
    /// Whatever is written, the pipe answers within its bounds or disconnects.
    #[test]
    fn any_bytes_are_survived(
        pipe in prop::sample::select(vec!["srvsvc", "wkssvc", "lsarpc", "samr"]),
        writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..8),
    ) {
        let mut p = Pipe::open(pipe).unwrap();
        let view = view();
        for w in writes {
            let done = p.write(&w, &view);
            prop_assert_eq!(done.is_err(), p.is_broken());
            p.read(10);
        }
    }

    /// Any parameters of any operation are answered with a reply or a fault.
    #[test]
    fn any_parameters_are_answered(
        (pipe, interface) in prop::sample::select(vec![
            ("srvsvc", srvsvc::INTERFACE),
            ("wkssvc", wkssvc::INTERFACE),
            ("lsarpc", lsarpc::INTERFACE),
            ("samr", samr::INTERFACE),
        ]),
        calls in prop::collection::vec(
            (0u16..80, prop::collection::vec(prop_oneof![4 => Just(0u8), 1 => any::<u8>()], 0..120)),
            1..5,
        ),
    ) {
        let mut c = Client::bound(pipe, interface, admin());
        for (opnum, stub) in calls {
            let _answer: Result<Bytes, u32> = c.try_call(opnum, &stub);
        }
        prop_assert!(!c.pipe.is_broken());
    }
}
