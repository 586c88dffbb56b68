//! NEGOTIATE, once, twice, malformed.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, ClientEvent, Credentials, LogonFor, Part, Target, ops};
use driver_sim::pair::Pair;
use smb_engine::Fault;
use smb_proto::fsctl::{FsctlCode, ValidateNegotiateRequest};
use smb_proto::id::FileId;
use smb_proto::msg::negotiate::{GlobalCapabilities, Request, SecurityMode};
use smb_proto::msg::negotiate_context::{HashAlgorithm, NegotiateContext, PreauthIntegrity};
use smb_proto::wire::Writer;
use smb_proto::{Command, Dialect, FileTime, Guid, NtStatus, smb1};

use crate::bed::{INVALID, Stage, ask_for, body, closed_without_answer, patched, twice, twice_in};

/// Where the first context begins in the body of [`good`].
const CONTEXT: usize = 40;

/// A NEGOTIATE for 3.1.1 with one context.
fn good() -> Vec<u8> {
    body(Request {
        dialects: vec![Dialect::Smb311.into()],
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: GlobalCapabilities::LARGE_MTU,
        client_guid: Guid::from_bytes([7; 16]),
        client_start_time: FileTime::ZERO,
        contexts: vec![NegotiateContext::PreauthIntegrity(PreauthIntegrity {
            hash_algorithms: vec![HashAlgorithm::Sha512.into()],
            salt: Bytes::from_static(&[9; 32]),
        })],
    })
}

/// The good one, with something wrong.
fn bad() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let with = |changes: &[(usize, &[u8])]| patched(good(), changes);
    // NegotiateContextOffset (at 28, counted from the header) and NegotiateContextCount (at 32).
    for offset in [
        0u32,
        1,
        63,
        64,
        99,
        103,
        105,
        200,
        0xffff,
        u32::MAX - 7,
        u32::MAX,
    ] {
        all.push(with(&[(28, &offset.to_le_bytes())]));
    }
    for count in [0u16, 2, 3, 0xffff] {
        all.push(with(&[(32, &count.to_le_bytes())]));
    }
    // DataLength of the context: less than its counts say, less than its own fields, more than
    // there is.
    for len in [0u16, 1, 2, 3, 4, 5, 6, 37, 39, 1000, 0xffff] {
        all.push(with(&[(CONTEXT + 2, &len.to_le_bytes())]));
    }
    // HashAlgorithmCount and SaltLength that the data do not cover.
    for count in [0u16, 2, 17, 18, 0xffff] {
        all.push(with(&[(CONTEXT + 8, &count.to_le_bytes())]));
    }
    for salt in [33u16, 0x8000, 0xffff] {
        all.push(with(&[(CONTEXT + 10, &salt.to_le_bytes())]));
    }
    // DialectCount that the body does not cover, or none.
    for count in [0u16, 0x7fff, 0xffff] {
        all.push(with(&[(2, &count.to_le_bytes())]));
    }
    // StructureSize.
    all.push(with(&[(0, &[37, 0])]));
    // Cut short anywhere.
    all.extend((0..good().len()).map(|n| good()[..n].to_vec()));
    all
}

/// CVE-2023-38427, CVE-2023-54250, CVE-2022-47941: contexts outside the message, in a loop on one
/// connection. Nothing is kept, and the connection can still be negotiated.
#[test]
fn negotiate_contexts_outside_the_message() {
    twice(|pair| {
        let end = pair.accept(ClientConfig::default());
        let before = pair.counts();
        for (n, bytes) in bad().into_iter().enumerate() {
            let status = ask_for(pair, end, Target::NONE, Command::Negotiate, bytes);
            assert_eq!(status, INVALID, "{n}");
            assert_eq!(pair.counts(), before, "{n}");
        }
        let id = pair.client(end).next_message_id();
        assert_eq!(
            ask_for(pair, end, Target::NONE, Command::Negotiate, good()),
            NtStatus::SUCCESS,
            "{id}"
        );
    });
}

/// CVE-2025-22037: no SESSION_SETUP after a NEGOTIATE that failed, since no dialect was chosen
/// ([MS-SMB2] 3.3.5.2.2).
#[test]
fn session_setup_after_a_failed_negotiate() {
    twice(|pair| {
        for bytes in [bad().swap_remove(3), good()[..20].to_vec()] {
            let end = pair.accept(ClientConfig::default());
            let status = ask_for(pair, end, Target::NONE, Command::Negotiate, bytes);
            assert_eq!(status, INVALID);
            pair.client(end)
                .logon(Credentials::new("user", "secret"), LogonFor::New);
            assert_eq!(closed_without_answer(pair, end), Fault::NotNegotiated);
        }
    });
}

/// CVE-2026-74494: a second NEGOTIATE ends the connection ([MS-SMB2] 3.3.5.4), good or bad, also
/// when a session has been made meanwhile.
#[test]
fn second_negotiate() {
    twice(|pair| {
        for stage in [Stage::Negotiated, Stage::Mounted] {
            for bytes in [good(), good()[..10].to_vec(), vec![]] {
                let end = stage.reach(pair);
                let part = Part::raw(Target::NONE, Command::Negotiate.into(), bytes.into());
                pair.client(end).send_part(part);
                assert_eq!(closed_without_answer(pair, end), Fault::SecondNegotiate);
                assert_eq!(pair.counts().sessions, 0);
            }
        }
    });
}

/// CVE-2026-72422: two NEGOTIATEs in one segment, of which the second is bad: the first is answered,
/// then the connection ends.
#[test]
fn two_pipelined_negotiates() {
    twice(|pair| {
        for second in [good(), bad().swap_remove(0), vec![0; 3]] {
            let end = pair.accept(ClientConfig::default());
            pair.client(end).negotiate();
            let first = pair.client(end).poll_transmit().unwrap();
            let part = Part::raw(Target::NONE, Command::Negotiate.into(), second.into());
            pair.client(end).send_part(part.message_id(1));
            let second = pair.client(end).poll_transmit().unwrap();
            pair.client(end)
                .send_bytes([&first[..], &second[..]].concat());
            pair.run();
            assert_eq!(closed_without_answer(pair, end), Fault::SecondNegotiate);
            let events = pair.client_events(end);
            assert!(
                matches!(events[..], [ClientEvent::Negotiated(_)]),
                "{events:?}"
            );
        }
    });
}

/// CVE-2023-52441, CVE-2023-54203: SMB1 is for the first message only, and for nothing but a whole
/// NEGOTIATE.
#[test]
fn smb1_negotiate_late_or_bare() {
    let mut w = Writer::new();
    let dialects = [b"NT LM 0.12".as_slice(), smb1::DIALECT_SMB_2_002]
        .map(Bytes::from_static)
        .to_vec();
    smb1::NegotiateRequest { dialects }.encode(&mut w);
    let whole = w.written().to_vec();
    twice(|pair| {
        for stage in [Stage::Negotiated, Stage::Mounted] {
            let end = stage.reach(pair);
            pair.client(end).send_frame(&whole);
            assert_eq!(closed_without_answer(pair, end), Fault::Smb1);
        }
        // The second of two.
        let end = pair.accept(ClientConfig {
            smb1_dialects: Some(vec![Bytes::from_static(smb1::DIALECT_SMB_2_WILDCARD)]),
            ..ClientConfig::default()
        });
        pair.client(end).negotiate();
        let first = pair.client(end).poll_transmit().unwrap();
        pair.client(end).send_bytes([&first[..], &first].concat());
        assert_eq!(closed_without_answer(pair, end), Fault::Smb1);
        // Cut short, or with garbage for dialects, up to the 56 bytes of the record.
        for len in 4..whole.len() {
            let end = pair.accept(ClientConfig::default());
            pair.client(end).send_frame(&whole[..len]);
            let fault = closed_without_answer(pair, end);
            assert!(
                matches!(fault, Fault::NotSmb2(_) | Fault::Smb1),
                "{len}: {fault:?}"
            );
        }
        let end = pair.accept(ClientConfig::default());
        pair.client(end)
            .send_frame(&[b"\xffSMB\x72".as_slice(), &[0xff; 51]].concat());
        let fault = closed_without_answer(pair, end);
        assert!(matches!(fault, Fault::NotSmb2(_)), "{fault:?}");
    });
}

/// CVE-2026-74521: GUIDs that are equal up to a zero byte are not equal. A session is not bound from
/// another client ([MS-SMB2] 3.3.5.5 step 4: STATUS_USER_SESSION_DELETED), and a validation with
/// another GUID shows tampering (3.3.5.15.12).
#[test]
fn client_guids_equal_up_to_a_zero_byte() {
    let ours = Guid::from_bytes(*b"same\0AAAAAAAAAAA");
    let theirs = Guid::from_bytes(*b"same\0BBBBBBBBBBB");
    let config = |client_guid, seed| ClientConfig {
        client_guid,
        seed,
        capabilities: GlobalCapabilities::MULTI_CHANNEL | GlobalCapabilities::ENCRYPTION,
        ..ClientConfig::only(Dialect::Smb300).signing()
    };
    twice_in(
        || Pair::builder().config(|c| c.multichannel = true),
        |pair| {
            let first = pair.connect_as(config(ours, 1));
            let tree = pair.mount_on(first);
            let exported = pair.client(first).export(tree.target.session).unwrap();
            for (guid, seed, bound) in [
                (theirs, 2, Err(NtStatus::USER_SESSION_DELETED)),
                (ours, 3, Ok(tree.target.session)),
            ] {
                let other = pair.connect_as(config(guid, seed));
                let user = Credentials::new("user", "secret");
                let purpose = LogonFor::Bind(exported.clone());
                assert_eq!(pair.logon_for(other, user, purpose), bound);
            }
            let validate = |guid| {
                let mut w = Writer::new();
                ValidateNegotiateRequest {
                    capabilities: config(guid, 0).capabilities.bits(),
                    guid,
                    security_mode: config(guid, 0).security_mode.bits(),
                    dialects: vec![Dialect::Smb300.into()],
                }
                .encode(&mut w);
                let code = FsctlCode::VALIDATE_NEGOTIATE_INFO;
                ops::fsctl(FileId::RELATED, code, w.written().to_vec(), 24)
            };
            let reply = pair.call(tree, validate(ours));
            assert_eq!(reply.status(), NtStatus::SUCCESS);
            pair.start(tree, validate(theirs));
            let fault = closed_without_answer(pair, first);
            assert_eq!(fault, Fault::NegotiateTampered);
        },
    );
}
