use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Bytes {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// `net user /domain` of Windows: NDR, NDR64 and features, each in a context of its own.
const WINDOWS_BIND: &str = "05000b0310000000a000000002000000b810b810000000000300000000000100\
    785734123412cdabef000123456789ac01000000045d888aeb1cc9119fe808002b1048600200000001000100\
    785734123412cdabef000123456789ac0100000033057171babe37498319b5dbef9ccc360100000002000100\
    785734123412cdabef000123456789ac010000002c1cb76c12984045030000000000000001000000";
/// The answer of a domain controller, which prefers NDR64.
const WINDOWS_ACK: &str = "05000c03100000007400000002000000b810b810660600000c005c706970655c\
    6c73617373000000030000000200020000000000000000000000000000000000000000000000000033057171\
    babe37498319b5dbef9ccc3601000000030003000000000000000000000000000000000000000000";

#[test]
fn bind_of_windows() {
    let pdu = Pdu::parse(&hex(WINDOWS_BIND)).unwrap();
    let Body::Bind(bind) = &pdu.body else {
        panic!("{pdu:?}")
    };
    assert_eq!((bind.max_xmit_frag, bind.max_recv_frag), (4280, 4280));
    let transfers: Vec<_> = bind.contexts.iter().map(|c| c.transfers[0]).collect();
    assert_eq!(transfers[..2], [SyntaxId::NDR, SyntaxId::NDR64]);
    assert_eq!(transfers[2].features(), Some(3));
    assert_eq!(transfers[0].features(), None);
    assert_eq!(
        (
            bind.contexts[0].interface.major(),
            bind.contexts[0].interface.minor()
        ),
        (1, 0)
    );
    assert_eq!(pdu.to_bytes(), hex(WINDOWS_BIND));
}

#[test]
fn bind_ack_of_windows() {
    let pdu = Pdu::parse(&hex(WINDOWS_ACK)).unwrap();
    let Body::BindAck(ack) = &pdu.body else {
        panic!("{pdu:?}")
    };
    assert_eq!(ack.secondary_address, "\\pipe\\lsass");
    assert_eq!(
        ack.results,
        [
            ContextResult::TRANSFER_SYNTAXES,
            ContextResult::Accepted(SyntaxId::NDR64),
            ContextResult::Features(3)
        ]
    );
    assert_eq!(pdu.to_bytes(), hex(WINDOWS_ACK));
}

#[test]
fn length_is_known_from_the_header() {
    let wire = hex(WINDOWS_ACK);
    assert_eq!(Pdu::fragment_len(&wire[..15]), Ok(None));
    assert_eq!(Pdu::fragment_len(&wire[..16]), Ok(Some(0x74)));
    let changed = |at: usize, to: u8| {
        let mut w = wire.to_vec();
        w[at] = to;
        Pdu::fragment_len(&w)
    };
    assert_eq!(changed(0, 4), Err(ParseError::BadStructure(WHAT)));
    assert_eq!(changed(1, 2), Err(ParseError::BadStructure(WHAT)));
    assert_eq!(changed(4, 0), Err(ParseError::BadValue(WHAT)));
    assert_eq!(changed(8, 15), Err(ParseError::OutOfBounds(WHAT)));
}

#[test]
fn trailer_and_its_padding_are_no_part_of_the_stub() {
    let pdu = Pdu {
        auth: Some(AuthTrailer {
            auth_type: 10,
            auth_level: 5,
            context_id: 1,
            value: Bytes::from_static(&[9; 16]),
        }),
        ..Pdu::whole(
            3,
            Body::Request(Request {
                alloc_hint: 5,
                context_id: 0,
                opnum: 15,
                object: None,
                stub: Bytes::from_static(b"stub!"),
            }),
        )
    };
    let wire = pdu.to_bytes();
    assert_eq!(wire.len(), 24 + 5 + 3 + 8 + 16);
    assert_eq!(Pdu::parse(&wire), Ok(pdu));
    // More padding than there is body, more trailer than there is PDU.
    for (at, to) in [(34, 0xff), (10, 0xff)] {
        let mut bad = wire.to_vec();
        bad[at] = to;
        assert_eq!(Pdu::parse(&bad.into()), Err(ParseError::OutOfBounds(WHAT)));
    }
}

fn syntax() -> impl Strategy<Value = SyntaxId> {
    (any::<[u8; 16]>(), any::<u32>()).prop_map(|(uuid, version)| SyntaxId {
        uuid: Guid::from_bytes(uuid),
        version,
    })
}

fn stub() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn bind() -> impl Strategy<Value = Bind> {
    let context = (
        any::<u16>(),
        syntax(),
        prop::collection::vec(syntax(), 0..3),
    )
        .prop_map(|(id, interface, transfers)| ContextElement {
            id,
            interface,
            transfers,
        });
    (
        any::<u16>(),
        any::<u16>(),
        any::<u32>(),
        prop::collection::vec(context, 0..4),
    )
        .prop_map(
            |(max_xmit_frag, max_recv_frag, assoc_group, contexts)| Bind {
                max_xmit_frag,
                max_recv_frag,
                assoc_group,
                contexts,
            },
        )
}

fn bind_ack() -> impl Strategy<Value = BindAck> {
    let result = prop_oneof![
        syntax().prop_map(ContextResult::Accepted),
        any::<u16>().prop_map(ContextResult::UserRejection),
        any::<u16>().prop_map(ContextResult::ProviderRejection),
        any::<u16>().prop_map(ContextResult::Features),
    ];
    (
        any::<u16>(),
        any::<u32>(),
        "[a-z\\\\]{0,9}",
        prop::collection::vec(result, 0..4),
    )
        .prop_map(|(max, assoc_group, secondary_address, results)| BindAck {
            max_xmit_frag: max,
            max_recv_frag: max,
            assoc_group,
            secondary_address,
            results,
        })
}

fn body() -> impl Strategy<Value = Body> {
    let request = (
        any::<u32>(),
        any::<u16>(),
        any::<u16>(),
        prop::option::of(any::<[u8; 16]>()),
        stub(),
    )
        .prop_map(|(alloc_hint, context_id, opnum, object, stub)| {
            Body::Request(Request {
                alloc_hint,
                context_id,
                opnum,
                object: object.map(Guid::from_bytes),
                stub,
            })
        });
    let response =
        (any::<u32>(), any::<u16>(), stub()).prop_map(|(alloc_hint, context_id, stub)| {
            Body::Response(Response {
                alloc_hint,
                context_id,
                stub,
            })
        });
    prop_oneof![
        request,
        response,
        (any::<u16>(), any::<u32>())
            .prop_map(|(context_id, status)| Body::Fault(Fault { context_id, status })),
        bind().prop_map(Body::Bind),
        bind().prop_map(Body::AlterContext),
        bind_ack().prop_map(Body::BindAck),
        bind_ack().prop_map(Body::AlterContextResp),
        any::<u16>().prop_map(|reason| Body::BindNak(BindNak { reason })),
        Just(Body::Auth3),
        Just(Body::Shutdown),
        Just(Body::Cancel),
        Just(Body::Orphaned),
    ]
}

fn pdu() -> impl Strategy<Value = Pdu> {
    let auth = (any::<u8>(), any::<u8>(), any::<u32>(), stub()).prop_map(
        |(auth_type, auth_level, context_id, value)| AuthTrailer {
            auth_type,
            auth_level,
            context_id,
            value,
        },
    );
    (
        any::<u8>(),
        any::<u32>(),
        body(),
        prop::option::of(auth.prop_filter("an empty token is no trailer", |a| !a.value.is_empty())),
    )
        .prop_map(|(flags, call_id, body, auth)| {
            let mut flags = PfcFlags::from_bits_retain(flags);
            let object = matches!(&body, Body::Request(r) if r.object.is_some());
            flags.set(PfcFlags::OBJECT_UUID, object);
            Pdu {
                flags,
                call_id,
                body,
                auth,
            }
        })
}

proptest! {
    #[test]
    fn round_trips_and_is_refused_when_cut(pdu in pdu()) {
        let wire = pdu.to_bytes();
        prop_assert_eq!(Pdu::fragment_len(&wire), Ok(Some(wire.len())));
        prop_assert_eq!(Pdu::parse(&wire), Ok(pdu));
        for n in 0..wire.len() {
            prop_assert!(Pdu::parse(&wire.slice(..n)).is_err());
        }
    }

    #[test]
    fn any_change_of_a_byte_is_survived(pdu in pdu(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut wire = pdu.to_bytes().to_vec();
        let at = at.index(wire.len());
        wire[at] = to;
        if let Ok(again) = Pdu::parse(&wire.into()) {
            let wire = again.to_bytes();
            prop_assert_eq!(Pdu::fragment_len(&wire), Ok(Some(wire.len())));
        }
    }
}
