//! Opening, binding, fragments and faults.

use bytes::Bytes;
use proptest::prelude::*;
use smb_proto::rpc::pdu::{AuthTrailer, Body, ContextResult, Fault, Pdu, PfcFlags, SyntaxId};
use smb_proto::rpc::{lsarpc, samr, srvsvc, wkssvc};
use smb_proto::{Guid, NtStatus};

use super::super::*;
use super::*;

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
