//! Framing, headers, encryption: before a command is known.

use driver_sim::client::{ClientConfig, Part, Seal, Sign, Target, ops};
use driver_sim::pair::Pair;
use smb_engine::Fault;
use smb_engine::config::EncryptionPolicy;
use smb_proto::header::HEADER_LEN;
use smb_proto::id::MessageId;
use smb_proto::msg::{Response, create, echo};
use smb_proto::wire::Writer;
use smb_proto::{Command, Dialect, Header, NtStatus};

use crate::bed::{INVALID, Stage, ask, body, closed_without_answer, patched, twice, twice_in};

/// A whole request without session.
fn echo_message(id: u64) -> Vec<u8> {
    let mut w = Writer::new();
    Header::request(Command::Echo, MessageId(id)).encode(&mut w);
    w.bytes(&body(echo::Request));
    w.written().to_vec()
}

/// CVE-2023-38431, CVE-2023-38429, CVE-2023-38430: shorter than a header, or not of this protocol.
#[test]
fn pdu_shorter_than_a_header_or_of_another_protocol() {
    for stage in Stage::ALL {
        twice(|pair| {
            for len in 0..HEADER_LEN {
                let end = stage.reach(pair);
                let whole = echo_message(pair.client(end).next_message_id().0);
                pair.client(end).send_frame(&whole[..len]);
                let fault = closed_without_answer(pair, end);
                assert!(matches!(fault, Fault::NotSmb2(_)), "{len}: {fault:?}");
            }
            for id in [
                *b"\0SMB",
                *b"\xfeSMb",
                *b"\xfaSMB",
                *b"GET ",
                [0; 4],
                [0xff; 4],
            ] {
                let end = stage.reach(pair);
                let whole = echo_message(pair.client(end).next_message_id().0);
                pair.client(end).send_frame(&patched(whole, &[(0, &id)]));
                let fault = closed_without_answer(pair, end);
                assert!(matches!(fault, Fault::NotSmb2(_)), "{id:?}: {fault:?}");
            }
        });
    }
}

/// CVE-2023-38431: a length that promises more than ever comes is waited for, and forgotten with the
/// connection.
#[test]
fn pdu_that_never_comes_whole() {
    for stage in Stage::ALL {
        twice(|pair| {
            let end = stage.reach(pair);
            pair.client(end).send_bytes(&b"\0\0\xff\xff\xfeSMB"[..]);
            pair.run();
            assert!(pair.is_connected(end));
        });
    }
}

/// CVE-2024-26936, CVE-2024-26980: a request that is cut short, in the clear and encrypted: its size is
/// looked at again after decryption.
#[test]
fn truncated_query_info_in_the_clear_and_encrypted() {
    for protect in [
        ClientConfig::encrypting as fn(ClientConfig) -> _,
        std::convert::identity,
    ] {
        twice(|pair| {
            let end = pair.connect_as(protect(ClientConfig::default()));
            let tree = pair.mount_on(end);
            let file = pair.create_new(tree, "f").unwrap();
            let whole = body(ops::query_file(file, smb_proto::info::FileInfoClass::All));
            for len in 0..40 {
                let status = ask(pair, tree, Command::QueryInfo, &whole[..len]);
                assert_eq!(status, INVALID, "{len}");
            }
        });
    }
}

/// CVE-2024-26980: an encrypted message with less than a header inside
/// ([MS-SMB2] 3.3.5.2.1.1: what does not decrypt to a message ends the connection).
#[test]
fn transform_that_hides_less_than_a_header() {
    twice(|pair| {
        for len in (0..HEADER_LEN).step_by(7).chain([HEADER_LEN - 1]) {
            let end = pair.connect_as(ClientConfig::default().encrypting());
            let tree = pair.mount_on(end);
            let whole = echo_message(pair.client(end).next_message_id().0);
            pair.client(end)
                .send_sealed_bytes(tree.target.session, &whole[..len]);
            let fault = closed_without_answer(pair, end);
            assert!(matches!(fault, Fault::Decrypt(_)), "{len}: {fault:?}");
        }
        // Encryption inside encryption, SMB1 inside encryption.
        for id in [*b"\xfdSMB", *b"\xfcSMB", *b"\xffSMB"] {
            let end = pair.connect_as(ClientConfig::default().encrypting());
            let tree = pair.mount_on(end);
            let whole = echo_message(pair.client(end).next_message_id().0);
            pair.client(end)
                .send_sealed_bytes(tree.target.session, &patched(whole, &[(0, &id)]));
            let fault = closed_without_answer(pair, end);
            assert!(matches!(fault, Fault::NotSmb2(_)), "{id:?}: {fault:?}");
        }
    });
}

/// CVE-2026-68431: a TRANSFORM_HEADER that is cut short, and one on a connection without cipher.
#[test]
fn transform_that_is_short_or_without_cipher() {
    for (dialect, stage) in [
        (Dialect::Smb210, Stage::Negotiated),
        (Dialect::Smb311, Stage::Negotiated),
        (Dialect::Smb210, Stage::Mounted),
        (Dialect::Smb311, Stage::Mounted),
    ] {
        twice(|pair| {
            for len in [4, 5, 20, 36, 51, 52, 53, 115, 116, 200] {
                let end = pair.connect_as(ClientConfig::only(dialect));
                if stage == Stage::Mounted {
                    pair.mount_on(end);
                }
                let bytes = [b"\xfdSMB".as_slice(), &[1; 200]].concat();
                pair.client(end).send_frame(&bytes[..len]);
                let fault = closed_without_answer(pair, end);
                let fits = match dialect {
                    Dialect::Smb210 => fault == Fault::NoCipher,
                    _ => matches!(fault, Fault::NotSmb2(_) | Fault::Decrypt(_)),
                };
                assert!(fits, "{dialect} {len}: {fault:?}");
            }
        });
    }
}

/// CVE-2021-45100: where encryption is required, a plaintext request gets nothing.
#[test]
fn plaintext_where_encryption_is_required() {
    let everything = || Pair::builder().encryption(EncryptionPolicy::Required);
    let share = || Pair::builder().share("files", |s| s.encryption = EncryptionPolicy::Required);
    for world in [everything as fn() -> _, share] {
        twice_in(world, |pair| {
            pair.fs().write_file("secret", b"secret").unwrap();
            let end = pair.connect();
            let tree = pair.mount_on(end);
            let file = pair.open(tree, "secret").unwrap();
            for sign in [Sign::No, Sign::Yes] {
                let parts = vec![
                    Part::new(tree.target, ops::open("secret")).sign(sign),
                    Part::new(tree.target, ops::read(file, 0, 6)).sign(sign),
                    Part::new(tree.target, ops::write(file, 0, "public")).sign(sign),
                ];
                let ids = pair.client(end).send_sealed(parts, Seal::No);
                pair.run();
                for id in ids {
                    let reply = pair.wait(end, id);
                    assert_eq!(reply.status(), NtStatus::ACCESS_DENIED, "{sign:?}");
                    assert!(matches!(reply.body, Response::Error(_)));
                }
            }
            assert_eq!(pair.fs().read_file("secret").unwrap(), b"secret");
            assert_eq!(&pair.read(tree, file, 0, 6).unwrap()[..], b"secret");
        });
    }
    // Who cannot encrypt does not get a session.
    twice_in(everything, |pair| {
        for dialect in [Dialect::Smb210, Dialect::Smb302] {
            let end = pair.connect_as(ClientConfig {
                capabilities: smb_proto::msg::negotiate::GlobalCapabilities::LARGE_MTU,
                ..ClientConfig::only(dialect)
            });
            let user = driver_sim::client::Credentials::new("user", "secret");
            assert_eq!(pair.logon(end, user), Err(NtStatus::ACCESS_DENIED));
        }
    });
}

/// CVE-2022-47943, CVE-2023-3865: NextCommand that leads out of the message, or backwards, or to a
/// place that is not aligned ([MS-SMB2] 3.3.5.2.7: "the server MUST disconnect"); nothing of the
/// message is carried out.
#[test]
fn write_whose_next_command_leads_out_of_the_message() {
    twice(|pair| {
        for next in [1u32, 8, 63, 64, 65, 100, 4096, u32::MAX, 0x8000_0000] {
            let tree = pair.mount();
            let file = pair
                .create(tree, ops::create("f", create::CreateDisposition::OpenIf))
                .unwrap()
                .file_id;
            let id = pair.client(tree.end).next_message_id();
            let mut header = Header::request(Command::Write, id);
            header.session_id = tree.target.session;
            header.route = smb_proto::header::Route::Sync {
                process_id: 0,
                tree_id: tree.target.tree,
            };
            header.next_command = next;
            let mut w = Writer::new();
            header.encode(&mut w);
            w.bytes(&body(ops::write(file, 0, "evil")));
            pair.client(tree.end).send_frame(w.written());
            let fault = closed_without_answer(pair, tree.end);
            assert!(matches!(fault, Fault::Compound(_)), "{next}: {fault:?}");
            assert_eq!(pair.fs().read_file("f").unwrap(), b"");
        }
    });
}

/// CVE-2024-50285: who ignores its credits is disconnected ([MS-SMB2] 3.3.5.2.3).
#[test]
fn flood_of_requests_beyond_the_credits() {
    twice_in(
        || Pair::builder().config(|c| c.limits.max_credits = 16),
        |pair| {
            let tree = pair.mount();
            let next = pair.client(tree.end).next_message_id().0;
            let flood: Vec<u8> = (next..next + 1000)
                .flat_map(|id| {
                    let message = echo_message(id);
                    [&[0, 0, 0, message.len() as u8], &message[..]].concat()
                })
                .collect();
            // Each asks for one credit and gets it while there is one; a jump ahead does not.
            pair.client(tree.end)
                .send_part(Part::new(Target::NONE, echo::Request).message_id(next + 500));
            pair.run();
            let fault = closed_without_answer(pair, tree.end);
            assert!(matches!(fault, Fault::MessageIdWindow(_)), "{fault:?}");
            // What comes after the end is not looked at.
            pair.client(tree.end).send_bytes(flood);
            pair.run();
            assert_eq!(pair.counts().connections, 0);
        },
    );
}
