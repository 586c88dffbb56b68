//! What a peer sends that breaks the rules.

use bytes::Bytes;
use smb_proto::frame::encode_prefix;
use smb_proto::header::{HeaderFlags, PROTOCOL_ID, Route};
use smb_proto::id::{FileId, MessageId, SessionId, TreeId};
use smb_proto::msg::{echo, negotiate};
use smb_proto::transform::{COMPRESSION_PROTOCOL_ID, TRANSFORM_PROTOCOL_ID, TransformHeader};
use smb_proto::wire::Writer;
use smb_proto::{Command, FileTime, Guid, Header};

use super::dice::Dice;
use super::request;
use super::step::Raw;
use crate::client::{Client, Part, Seal, Sign, Target, ops};

fn random(dice: &mut Dice, len: usize) -> Vec<u8> {
    (0..len).map(|_| dice.small(255)).collect()
}

fn header(command: Command, id: u64) -> Header {
    Header {
        credits: 1,
        ..Header::request(command, MessageId(id))
    }
}

fn encoded(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    write(&mut w);
    w.written().to_vec()
}

/// Sends it. `target` is a session and tree connect of the client, `file` a file that it may have open.
pub(super) fn send(client: &mut Client, dice: &mut Dice, raw: Raw, target: Target, file: FileId) {
    let next = client.next_message_id().0;
    let session = Target::session(target.session);
    match raw {
        Raw::Garbage(len) => {
            let mut bytes = random(dice, usize::from(len));
            if dice.chance(1, 2) {
                // Gets past the first look.
                for (to, from) in bytes.iter_mut().zip(PROTOCOL_ID) {
                    *to = from;
                }
            }
            client.send_frame(&bytes);
        }
        Raw::TooLong => client.send_bytes(vec![0, 0xff, 0xff, 0xff, 0, 1, 2]),
        Raw::BadPrefix(byte) => client.send_bytes(vec![byte, 0, 0, 4, 1, 2, 3, 4]),
        Raw::KeepAlive => client.send_bytes(vec![0x85, 0, 0, 0]),
        Raw::Smb1 => client.send_frame(&[&[0xff, b'S', b'M', b'B', 0x72][..], &[0; 40]].concat()),
        Raw::UsedId => {
            let part = Part::new(session, echo::Request).message_id(next.saturating_sub(1));
            client.send_part(part);
        }
        Raw::FarId => {
            client.send_part(Part::new(session, echo::Request).message_id(next + 100_000));
        }
        Raw::Overcharge => {
            // With an id of its own, so that the client's counting is not touched.
            let part = Part::new(session, echo::Request).message_id(next);
            client.send_part(part.charge(60_000));
        }
        Raw::WrongSignature => {
            client.send_part(Part::new(session, echo::Request).sign(Sign::Wrong));
        }
        Raw::WrongSeal => {
            client.send_sealed(vec![Part::new(session, echo::Request)], Seal::Wrong);
        }
        Raw::SealedForNobody => {
            let head = TransformHeader {
                signature: [7; 16],
                nonce: [1; 16],
                original_message_size: 80,
                flags: TransformHeader::ENCRYPTED,
                session_id: SessionId(0xdead),
            };
            let mut bytes = encoded(|w| head.encode(w));
            debug_assert!(bytes.starts_with(&TRANSFORM_PROTOCOL_ID));
            bytes.extend(random(dice, 80));
            client.send_frame(&bytes);
        }
        Raw::Compressed => {
            client.send_frame(&[&COMPRESSION_PROTOCOL_ID[..], &[0; 64]].concat());
        }
        Raw::Body { command, len } => {
            let body = random(dice, usize::from(len));
            client.send_part(Part::raw(target, command, Bytes::from(body)));
        }
        Raw::BadCompound(next_command) => {
            let mut head = header(Command::Echo, next);
            head.session_id = target.session;
            head.next_command = u32::from(next_command);
            let bytes = encoded(|w| {
                head.encode(w);
                echo::Request.encode(w);
                w.zeros(80);
            });
            client.send_frame(&bytes);
        }
        Raw::Response => {
            let mut head = header(Command::Echo, next);
            head.flags = HeaderFlags::SERVER_TO_REDIR;
            let bytes = encoded(|w| {
                head.encode(w);
                echo::Response.encode(w);
            });
            client.send_frame(&bytes);
        }
        Raw::Negotiate => {
            let request = negotiate::Request {
                dialects: vec![0x0202],
                security_mode: negotiate::SecurityMode::SIGNING_ENABLED,
                capabilities: negotiate::GlobalCapabilities::empty(),
                client_guid: Guid::NIL,
                client_start_time: FileTime::ZERO,
                contexts: Vec::new(),
            };
            client.send(Target::NONE, request);
        }
        Raw::Stranger => {
            let target = Target {
                session: SessionId(dice.below(8)),
                tree: TreeId(u32::from(dice.small(8))),
            };
            client.send_part(Part::new(target, ops::read(file, 0, 16)).sign(Sign::No));
        }
        Raw::Mutated { slot: _, at, bits } => {
            let write = ops::write(file, 0, request::pattern(0, 0, 24)).into();
            let mut body = request::body_of(&write);
            let at = usize::from(at) % body.len();
            body[at] ^= bits;
            client.send_part(Part::raw(target, Command::Write.into(), body.into()));
        }
    }
}

/// Half of a message, from a peer that then falls silent.
pub(super) fn half() -> Bytes {
    let prefix = encode_prefix(120).unwrap_or_default();
    let mut head = header(Command::Negotiate, 0);
    head.route = Route::Sync {
        process_id: 0,
        tree_id: TreeId(0),
    };
    let bytes = encoded(|w| head.encode(w));
    [&prefix[..], &bytes[..50]].concat().into()
}
