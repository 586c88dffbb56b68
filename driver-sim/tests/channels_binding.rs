//! Binding a session to further connections, [MS-SMB2] 3.3.5.5: what both have to have in common, who is
//! told what and with which signature, how many there may be.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, ClientEvent, Credentials, LogonFor, Sign, Target, ops};
use driver_sim::client::{Part, Reply};
use driver_sim::pair::{Builder, End, Pair, Tree};
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::session_setup::{self, SetupFlags};
use smb_proto::msg::{echo, logoff};
use smb_proto::{Dialect, Guid, NtStatus as S};

fn user() -> Credentials {
    Credentials::new("user", "secret")
}

fn server() -> Builder {
    Pair::builder().config(|c| c.multichannel = true)
}

/// A client that signs; all of them have one ClientGuid.
fn client(dialect: Dialect, seed: u64) -> ClientConfig {
    ClientConfig {
        seed,
        capabilities: GlobalCapabilities::LARGE_MTU
            | GlobalCapabilities::ENCRYPTION
            | GlobalCapabilities::MULTI_CHANNEL,
        ..ClientConfig::only(dialect).signing()
    }
}

fn newest(seed: u64) -> ClientConfig {
    client(Dialect::Smb311, seed)
}

fn signs(algorithm: SigningAlgorithm) -> ClientConfig {
    newest(0).signing_algorithm(algorithm)
}

fn bind(pair: &mut Pair, tree: Tree, end: End) -> Result<(), S> {
    let exported = pair.client(tree.end).export(tree.target.session);
    let purpose = LogonFor::Bind(exported.expect("a session with a key"));
    pair.logon_for(end, user(), purpose).map(|_| ())
}

/// The client of this connection learns the session's key and loses the request that it makes with it.
fn knows_key(pair: &mut Pair, tree: Tree, end: End) {
    let exported = pair.client(tree.end).export(tree.target.session);
    let purpose = LogonFor::Bind(exported.expect("a session with a key"));
    pair.pause(end);
    pair.client(end).logon(user(), purpose);
    while pair.client(end).poll_transmit().is_some() {}
    pair.resume(end);
}

fn echo_on(pair: &mut Pair, end: End, target: Target) -> Reply {
    pair.call_end(end, target, echo::Request)
}

/// Dialects, ciphers and signing algorithms that differ, each with its status, in the order that clients
/// know; a ClientGuid that differs matters only where nothing else does. What was refused leaves both
/// connections as good as they were.
#[test]
fn what_both_connections_have_to_have_in_common() {
    use Dialect::{Smb202, Smb210, Smb300, Smb302, Smb311};
    use SigningAlgorithm::{AesCmac, AesGmac, HmacSha256};
    let of = |dialect| client(dialect, 0);
    let rows = [
        (of(Smb202), of(Smb202), S::REQUEST_NOT_ACCEPTED),
        (of(Smb210), of(Smb210), S::REQUEST_NOT_ACCEPTED),
        (of(Smb210), signs(AesCmac), S::INVALID_PARAMETER),
        (of(Smb210), of(Smb300), S::INVALID_PARAMETER),
        (signs(AesCmac), of(Smb210), S::REQUEST_NOT_ACCEPTED),
        (of(Smb302), signs(AesCmac), S::INVALID_PARAMETER),
        (of(Smb300), of(Smb302), S::INVALID_PARAMETER),
        (of(Smb300), of(Smb300), S::SUCCESS),
        (of(Smb302), of(Smb302), S::SUCCESS),
        (of(Smb311), of(Smb311), S::SUCCESS),
        (
            of(Smb311).cipher(Cipher::Aes128Gcm),
            of(Smb311).cipher(Cipher::Aes128Ccm),
            S::INVALID_PARAMETER,
        ),
        (signs(AesCmac), signs(HmacSha256), S::SUCCESS),
        (signs(HmacSha256), signs(AesCmac), S::SUCCESS),
        (signs(HmacSha256), signs(AesGmac), S::NOT_SUPPORTED),
        (signs(AesCmac), signs(AesGmac), S::NOT_SUPPORTED),
        (of(Smb300), signs(AesGmac), S::NOT_SUPPORTED),
        (of(Smb210), signs(AesGmac), S::NOT_SUPPORTED),
        (signs(AesGmac), signs(AesCmac), S::REQUEST_OUT_OF_SEQUENCE),
        (
            signs(AesGmac),
            signs(HmacSha256),
            S::REQUEST_OUT_OF_SEQUENCE,
        ),
        (signs(AesGmac), of(Smb300), S::REQUEST_OUT_OF_SEQUENCE),
        (signs(AesGmac), of(Smb210), S::REQUEST_OUT_OF_SEQUENCE),
        (
            signs(AesGmac).cipher(Cipher::Aes128Gcm),
            signs(AesCmac).cipher(Cipher::Aes128Ccm),
            S::REQUEST_OUT_OF_SEQUENCE,
        ),
        (
            signs(AesCmac).cipher(Cipher::Aes128Ccm),
            signs(AesGmac).cipher(Cipher::Aes128Gcm),
            S::NOT_SUPPORTED,
        ),
    ];
    for (n, (one, two, status)) in rows.into_iter().enumerate() {
        for same in [true, false] {
            let mut pair = server().build();
            let first = pair.connect_as(ClientConfig {
                seed: 1,
                ..one.clone()
            });
            let tree = pair.mount_on(first);
            let mut config = ClientConfig {
                seed: 2,
                ..two.clone()
            };
            let mut expected = status;
            if !same {
                config.client_guid = Guid::from_bytes([7; 16]);
                if status == S::SUCCESS {
                    expected = S::USER_SESSION_DELETED;
                }
            }
            let second = pair.connect_as(config);
            let before = pair.counts();
            let outcome = bind(&mut pair, tree, second).err().unwrap_or(S::SUCCESS);
            assert_eq!(outcome, expected, "row {n}, same GUID: {same}");
            let reply = echo_on(&mut pair, first, tree.target);
            assert!(reply.signed && reply.status() == S::SUCCESS, "row {n}");
            let there = echo_on(&mut pair, second, tree.target);
            if expected == S::SUCCESS {
                assert!(there.signed && there.status() == S::SUCCESS, "row {n}");
            } else {
                assert_eq!(there.status(), S::USER_SESSION_DELETED, "row {n}");
                assert_eq!(pair.counts(), before);
                let own = pair.mount_on(second);
                assert_ne!(own.target.session, tree.target.session);
            }
            pair.finish();
        }
    }
}

/// A session that is not bound to this connection is not there for it; but who shows that it has the key
/// is told so with a signature.
#[test]
fn requests_where_the_session_is_not_bound() {
    let mut pair = server().build();
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let file = pair.create_new(tree, "f").unwrap();
    let second = pair.connect_as(newest(2));
    let own = pair.mount_on(second);
    knows_key(&mut pair, tree, second);
    for request in [
        ops::read(file, 0, 1).into(),
        ops::open("f").into(),
        ops::tree_connect("\\\\SIM\\files").into(),
        logoff::Request.into(),
        echo::Request.into(),
    ] as [smb_proto::msg::Request; 5]
    {
        for (sign, signed) in [(Sign::Yes, true), (Sign::Wrong, false), (Sign::No, false)] {
            let part = Part::new(tree.target, request.clone()).sign(sign);
            let reply = pair.call_part(second, part);
            assert_eq!(reply.status(), S::USER_SESSION_DELETED);
            assert_eq!(reply.signed, signed, "{sign:?}");
        }
    }
    assert_eq!(echo_on(&mut pair, first, tree.target).status(), S::SUCCESS);
    assert_eq!(echo_on(&mut pair, second, own.target).status(), S::SUCCESS);
    pair.finish();
}

/// A session has ended on all its channels: each is told so with a signature that it can believe, and so
/// is whoever wants to authenticate it again.
#[test]
fn the_end_of_a_session_is_told_with_a_signature() {
    let mut pair = server().build();
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let second = pair.connect_as(newest(2));
    bind(&mut pair, tree, second).unwrap();
    let purpose = LogonFor::Again(tree.target.session);
    let failed = pair.logon_for(second, Credentials::new("user", "wrong"), purpose);
    assert_eq!(failed, Err(S::LOGON_FAILURE));
    assert_eq!(pair.counts().sessions, 0);
    for end in [first, second] {
        for (sign, signed) in [(Sign::Yes, true), (Sign::Wrong, false)] {
            let part = Part::new(tree.target, ops::open("f")).sign(sign);
            let reply = pair.call_part(end, part);
            assert_eq!(reply.status(), S::USER_SESSION_DELETED);
            assert_eq!(reply.signed, signed);
        }
        let again = session_setup::Request {
            flags: SetupFlags::empty(),
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: GlobalCapabilities::empty(),
            previous_session_id: smb_proto::id::SessionId(0),
            security_buffer: Bytes::from_static(&[0; 40]),
        };
        let reply = pair.call_part(end, Part::new(tree.target, again).sign(Sign::Yes));
        assert_eq!(reply.status(), S::USER_SESSION_DELETED);
        assert!(reply.signed);
    }
    pair.finish();
}

/// Where the session has a channel already, its key is the one that counts: the session's own proves
/// nothing there, and with the right one a second binding is not accepted.
#[test]
fn binding_where_the_session_is_bound() {
    let mut pair = server().build();
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let second = pair.connect_as(newest(2));
    bind(&mut pair, tree, second).unwrap();
    // The first channel has the session's key.
    let bound = session_setup::Request {
        flags: SetupFlags::BINDING,
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: GlobalCapabilities::empty(),
        previous_session_id: smb_proto::id::SessionId(0),
        security_buffer: Bytes::from_static(&[0; 40]),
    };
    for end in [first, second] {
        for (sign, status) in [
            (Sign::Yes, S::REQUEST_NOT_ACCEPTED),
            (Sign::Wrong, S::ACCESS_DENIED),
        ] {
            let part = Part::new(tree.target, bound.clone()).sign(sign);
            let reply = pair.call_part(end, part);
            assert_eq!(reply.status(), status);
            assert!(reply.signed);
        }
    }
    assert_eq!(bind(&mut pair, tree, second), Err(S::ACCESS_DENIED));
    assert_eq!(echo_on(&mut pair, first, tree.target).status(), S::SUCCESS);
    pair.finish();
}

/// A session has a limited number of channels, those included that are being bound; the loss of one makes
/// room, and changes nothing else.
#[test]
fn number_of_channels() {
    let most = 4;
    let mut pair = server()
        .config(|c| c.limits.max_channels_per_session = most)
        .build();
    let first = pair.connect_as(newest(1));
    let tree = pair.mount_on(first);
    let file = pair.create_new(tree, "f").unwrap();
    let mut ends = vec![first];
    for seed in 2..=4 {
        let end = pair.connect_as(newest(seed));
        assert_eq!(bind(&mut pair, tree, end), Ok(()));
        ends.push(end);
    }
    let late = pair.connect_as(newest(5));
    assert_eq!(bind(&mut pair, tree, late), Err(S::INSUFFICIENT_RESOURCES));
    pair.disconnect(ends[1]);
    // One that has begun takes the place.
    let slow = pair.connect_as(newest(6));
    pair.hold_lookups();
    let exported = pair.client(first).export(tree.target.session).unwrap();
    pair.client(slow).logon(user(), LogonFor::Bind(exported));
    pair.run();
    assert_eq!(bind(&mut pair, tree, late), Err(S::INSUFFICIENT_RESOURCES));
    pair.release();
    pair.run();
    let bound = pair.client_events(slow);
    assert!(
        bound
            .iter()
            .any(|e| matches!(e, ClientEvent::LoggedOn { .. }))
    );
    // The first may go as well as any other.
    pair.disconnect(first);
    let there = Tree { end: slow, ..tree };
    assert_eq!(pair.write(there, file, 0, "data"), Ok(4));
    assert_eq!(pair.counts().sessions, 1);
    for end in [ends[2], ends[3]] {
        pair.disconnect(end);
        assert_eq!(pair.close(there, file).is_ok(), end == ends[2]);
    }
    pair.disconnect(slow);
    assert_eq!((pair.counts().sessions, pair.counts().opens), (0, 0));
    pair.finish();
}
