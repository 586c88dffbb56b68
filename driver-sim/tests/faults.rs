//! Peers that break the rules: their connection closes with a typed reason, others go on.

use driver_sim::client::{ClientConfig, Credentials, Part, Seal, Sign, Target, ops};
use driver_sim::pair::{End, Pair};
use smb_engine::Fault;
use smb_engine::output::CloseReason;
use smb_proto::header::{Header, HeaderFlags};
use smb_proto::id::{FileId, MessageId};
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{self, echo};
use smb_proto::wire::Writer;
use smb_proto::{Command, Dialect, NtStatus};

/// Does something bad on a connection that is logged on while another one works, and gives the
/// reason why it was closed.
fn provoke(bad: impl FnOnce(&mut Pair, End, Target)) -> Fault {
    let mut pair = Pair::new();
    let good = pair.mount();
    let file = pair.create_new(good, "f").unwrap();
    let evil = pair.mount();
    pair.create_new(evil, "g").unwrap();
    bad(&mut pair, evil.end, evil.target);
    pair.run();
    let Some(CloseReason::Fault(fault)) = pair.close_reason(evil.end).cloned() else {
        panic!("not closed: {:?}", pair.close_reason(evil.end));
    };
    // What it had is gone; the other one notices nothing.
    let counts = pair.counts();
    assert_eq!(
        (counts.connections, counts.sessions, counts.opens),
        (1, 1, 1)
    );
    pair.write(good, file, 0, "still working").unwrap();
    pair.finish();
    fault
}

fn frame(pair: &mut Pair, end: End, bytes: &[u8]) {
    pair.client(end).send_frame(bytes);
}

/// An ECHO with changes to its bytes.
fn echo_bytes(pair: &mut Pair, end: End, change: impl FnOnce(&mut Vec<u8>)) {
    let id = pair.client(end).next_message_id();
    let mut w = Writer::new();
    Header::request(Command::Echo, id).encode(&mut w);
    echo::Request.encode(&mut w);
    let mut bytes = w.written().to_vec();
    change(&mut bytes);
    frame(pair, end, &bytes);
}

#[test]
fn framing() {
    let fault = provoke(|p, e, _| p.client(e).send_bytes(&[1u8, 0, 0, 4, 0, 0, 0, 0][..]));
    assert!(matches!(fault, Fault::FrameType(1)), "{fault:?}");
    let fault = provoke(|p, e, _| p.client(e).send_bytes(&[0u8, 0xff, 0xff, 0xff][..]));
    assert!(matches!(fault, Fault::FrameTooLong { .. }), "{fault:?}");
    for n in [0, 1, 3, 4, 63] {
        let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b.truncate(n)));
        assert!(matches!(fault, Fault::NotSmb2(_)), "{n}: {fault:?}");
    }
}

#[test]
fn before_authentication_only_small_messages() {
    let mut pair = Pair::new();
    let end = pair.connect();
    pair.client(end).send_bytes(&[0u8, 0x08, 0, 0][..]);
    pair.run();
    pair.assert_faulted(end);
    pair.finish();
}

#[test]
fn headers() {
    let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[0] = 0xff));
    assert!(matches!(fault, Fault::Smb1), "{fault:?}");
    let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[0] = 0xaa));
    assert!(matches!(fault, Fault::NotSmb2(_)), "{fault:?}");
    let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[0] = 0xfc));
    assert!(matches!(fault, Fault::NoCompression), "{fault:?}");
    let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[4] = 65));
    assert!(matches!(fault, Fault::NotSmb2(_)), "{fault:?}");
    let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[12] = 0x13));
    assert!(matches!(fault, Fault::UnknownCommand(0x13)), "{fault:?}");
    let fault = provoke(|p, e, _| {
        echo_bytes(p, e, |b| b[16] |= HeaderFlags::SERVER_TO_REDIR.bits() as u8);
    });
    assert!(matches!(fault, Fault::ResponseReceived), "{fault:?}");
    let fault = provoke(|p, e, _| {
        p.client(e).send(
            Target::NONE,
            msg::negotiate::Request {
                dialects: vec![0x0202],
                ..msg::negotiate::Request::default()
            },
        );
    });
    assert!(matches!(fault, Fault::SecondNegotiate), "{fault:?}");
}

#[test]
fn compounds_that_do_not_fit_together() {
    for next in [4u8, 60, 72, 200, 255] {
        let fault = provoke(|p, e, _| echo_bytes(p, e, |b| b[20] = next));
        assert!(matches!(fault, Fault::Compound(_)), "{next}: {fault:?}");
    }
    let fault = provoke(|p, e, _| {
        let parts = vec![Part::new(Target::NONE, echo::Request).charge(0); 100];
        p.client(e).send_compound(parts[..65].to_vec());
        p.client(e).send_frame(&[0; 4]);
    });
    assert!(
        matches!(fault, Fault::Compound(_) | Fault::NotSmb2(_)),
        "{fault:?}"
    );
}

#[test]
fn message_ids_outside_the_window() {
    let window = |f: Fault| assert!(matches!(f, Fault::MessageIdWindow(_)), "{f:?}");
    let send = |id: fn(u64) -> u64| {
        provoke(move |p, e, t| {
            let next = p.client(e).next_message_id().0;
            let part = Part::new(t, echo::Request).message_id(id(next));
            p.client(e).send_part(part);
        })
    };
    // Used already, beyond what was granted, the one of unsolicited breaks.
    window(send(|_| 0));
    window(send(|next| next - 1));
    window(send(|next| next + 100_000));
    window(send(|_| u64::MAX));
    // A charge that leads out of the window.
    window(provoke(|p, e, t| {
        let part = Part::new(t, echo::Request)
            .message_id(u64::MAX - 3)
            .charge(200);
        p.client(e).send_part(part);
    }));
    window(provoke(|p, e, t| {
        let id = p.client(e).next_message_id().0;
        let part = Part::new(t, echo::Request).message_id(id).charge(u16::MAX);
        p.client(e).send_part(part);
    }));
}

#[test]
fn a_gap_in_the_ids_is_allowed_and_can_be_filled() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let next = pair.client(tree.end).next_message_id().0;
    for id in [next + 2, next, next + 1] {
        let part = Part::new(tree.target, echo::Request).message_id(id);
        let id = pair.client(tree.end).send_part(part);
        pair.run();
        assert_eq!(pair.wait(tree.end, id).status(), NtStatus::SUCCESS);
    }
    let part = Part::new(tree.target, echo::Request).message_id(next + 1);
    pair.client(tree.end).send_part(part);
    pair.run();
    pair.assert_faulted(tree.end);
    pair.finish();
}

#[test]
fn wrong_signatures_and_seals() {
    let mut pair = Pair::new();
    let end = pair.connect_as(ClientConfig::default().signing());
    let tree = pair.mount_on(end);
    for sign in [Sign::Wrong, Sign::No] {
        let part = Part::new(tree.target, ops::open("x")).sign(sign);
        let reply = pair.call_part(end, part);
        assert_eq!(reply.status(), NtStatus::ACCESS_DENIED, "{sign:?}");
    }
    // An encrypted message that does not open ends the connection ([MS-SMB2] 3.3.5.2.1.1).
    let fault = provoke(|p, e, t| {
        p.client(e)
            .send_sealed(vec![Part::new(t, echo::Request)], Seal::Wrong);
    });
    assert!(matches!(fault, Fault::Decrypt(_)), "{fault:?}");
    // Encrypted for one session, about another.
    let fault = provoke(|p, e, t| {
        let other = p.logon(e, Credentials::new("other", "secret")).unwrap();
        let mut inner = Part::new(Target::session(other), msg::logoff::Request);
        inner.sign = Sign::No;
        let sealed = Part::new(t, echo::Request);
        p.client(e).send_sealed(vec![sealed, inner], Seal::Yes);
    });
    assert!(matches!(fault, Fault::SessionMismatch), "{fault:?}");
    pair.finish();
}

#[test]
fn encryption_where_there_is_none() {
    let mut pair = Pair::new();
    let end = pair.connect_as(ClientConfig::only(Dialect::Smb210));
    pair.client(end)
        .send_frame(&[b"\xfdSMB".as_slice(), &[0; 200]].concat());
    pair.run();
    assert_eq!(
        pair.close_reason(end),
        Some(&CloseReason::Fault(Fault::NoCipher))
    );
    pair.finish();
}

#[test]
fn commands_before_negotiation() {
    let mut pair = Pair::new();
    let end = pair.accept(ClientConfig::default());
    pair.client(end).send(Target::NONE, echo::Request);
    pair.run();
    assert_eq!(
        pair.close_reason(end),
        Some(&CloseReason::Fault(Fault::NotNegotiated))
    );
    pair.finish();
}

#[test]
fn bodies_that_do_not_parse_are_answered() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    let session = Target::session(tree.target.session);
    for &command in Command::ALL {
        let target = match command {
            // Without session, an unreadable SESSION_SETUP is about none.
            Command::SessionSetup => Target::NONE,
            Command::TreeConnect | Command::Logoff => session,
            _ => tree.target,
        };
        for body in [&[][..], &[0], &[0xff; 7], &[0xff; 300]] {
            if matches!(command, Command::Negotiate | Command::Cancel) {
                continue;
            }
            let part = Part::raw(target, command.into(), body.to_vec().into()).sign(Sign::Yes);
            let id = pair.client(tree.end).send_part(part);
            pair.run();
            let reply = pair.wait(tree.end, id);
            assert!(
                reply.status().is_error(),
                "{command} {}: {}",
                body.len(),
                reply.status()
            );
        }
    }
    pair.write(tree, file, 0, "fine").unwrap();
    pair.finish();
}

#[test]
fn ids_of_nothing() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    let other = pair.mount();
    let wrong_volatile = FileId {
        volatile: file.volatile ^ 1,
        ..file
    };
    let wrong_persistent = FileId {
        persistent: file.persistent ^ 1,
        ..file
    };
    for id in [
        FileId::default(),
        FileId::RELATED,
        wrong_volatile,
        wrong_persistent,
    ] {
        let status = pair.read(tree, id, 0, 1).unwrap_err();
        assert_eq!(status, NtStatus::FILE_CLOSED, "{id}");
    }
    // Another session's file.
    assert_eq!(pair.close(other, file), Err(NtStatus::FILE_CLOSED));
    let mut gone = tree;
    gone.target.tree.0 ^= 0x100;
    assert_eq!(pair.open(gone, "f"), Err(NtStatus::NETWORK_NAME_DELETED));
    // Another connection's session, which this one has no key of.
    let foreign = Part::new(other.target, ops::open("f"));
    let reply = pair.call_part(tree.end, foreign);
    assert_eq!(reply.status(), NtStatus::USER_SESSION_DELETED);
    pair.finish();
}

#[test]
fn credits_run_out_and_come_back() {
    let mut pair = Pair::builder().config(|c| c.limits.max_credits = 8).build();
    let end = pair.connect();
    let tree = pair.mount_on(end);
    // Whatever is asked for, the client never holds more than the limit.
    for _ in 0..20 {
        let part = Part::new(tree.target, echo::Request).credits(1000);
        pair.call_part(end, part);
        assert!(pair.client(end).credits() <= 8);
    }
    // Asking for nothing, it keeps one at least.
    let all = u16::try_from(pair.client(end).credits()).unwrap();
    let greedy = Part::new(tree.target, echo::Request).charge(all).credits(0);
    pair.call_part(end, greedy);
    assert_eq!(pair.client(end).credits(), 1);
    pair.call_part(end, Part::new(tree.target, echo::Request).credits(0));
    assert_eq!(pair.client(end).credits(), 1);
    // A hundred requests at once are sent as credits allow.
    let ids: Vec<MessageId> = (0..100)
        .map(|_| pair.client(end).send(tree.target, echo::Request))
        .collect();
    assert!(pair.client(end).waiting() > 90);
    pair.run();
    for id in ids {
        assert_eq!(pair.wait(end, id).status(), NtStatus::SUCCESS);
    }
    pair.finish();
}

#[test]
fn a_charge_that_does_not_cover_the_request() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair
        .create(tree, ops::create("f", CreateDisposition::Create))
        .unwrap()
        .file_id;
    for (part, fine) in [
        (
            Part::new(tree.target, ops::write(file, 0, vec![0; 65536])).charge(1),
            true,
        ),
        (
            Part::new(tree.target, ops::write(file, 0, vec![0; 65537])).charge(1),
            false,
        ),
        (
            Part::new(tree.target, ops::write(file, 0, vec![0; 65537])).charge(2),
            true,
        ),
        (
            Part::new(tree.target, ops::read(file, 0, 65537)).charge(1),
            false,
        ),
        (
            Part::new(tree.target, ops::read(file, 0, 65536)).charge(0),
            true,
        ),
    ] {
        let status = pair.call_part(tree.end, part).status();
        let expected = if fine {
            NtStatus::SUCCESS
        } else {
            NtStatus::INVALID_PARAMETER
        };
        assert_eq!(status, expected);
    }
    pair.finish();
}

/// [MS-SMB2] 3.3.5.17
#[test]
fn an_echo_is_about_a_session_or_none() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let gone = Target::session(smb_proto::id::SessionId(0x1234));
    for (target, sign, status) in [
        (Target::NONE, Sign::No, NtStatus::SUCCESS),
        (tree.target, Sign::No, NtStatus::SUCCESS),
        (tree.target, Sign::Yes, NtStatus::SUCCESS),
        (tree.target, Sign::Wrong, NtStatus::ACCESS_DENIED),
        (gone, Sign::No, NtStatus::USER_SESSION_DELETED),
    ] {
        let part = Part::new(target, echo::Request).sign(sign);
        let reply = pair.call_part(tree.end, part);
        assert_eq!(reply.status(), status, "{target:?} {sign:?}");
        assert_eq!(reply.signed, matches!(sign, Sign::Yes | Sign::Wrong));
    }
    pair.finish();
}
