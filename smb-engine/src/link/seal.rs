//! From answers to the bytes of one transport message.

use bytes::{Bytes, BytesMut};
use smb_proto::frame::encode_prefix;
use smb_proto::header::{HEADER_LEN, HeaderFlags};
use smb_proto::msg::compound::{Joined, Joiner};
use smb_proto::msg::{self, read};
use smb_proto::transform::{AAD_RANGE, TRANSFORM_HEADER_LEN, TransformHeader};
use smb_proto::wire::Writer;

use crate::output::{Answer, Body, Outbound, SealPlan, Segments};
use crate::vfs::Payload;

/// Bytes of the direct-TCP prefix.
const PREFIX_LEN: usize = 4;

/// Encodes, signs, seals and frames.
pub(super) fn seal(answer: Outbound) -> Segments {
    let Outbound { mut elements, seal } = answer;
    let front = PREFIX_LEN
        + if seal.is_some() {
            TRANSFORM_HEADER_LEN
        } else {
            0
        };
    let message = match (elements.pop(), elements.is_empty()) {
        (
            Some(Answer {
                header,
                body: Body::Read(payload),
                sign,
            }),
            true,
            // Without data there is no room in front either.
        ) if !payload.is_empty() => read_in_place(
            Answer {
                header,
                body: Body::Read(Payload::default()),
                sign,
            },
            payload,
            front,
            seal.is_some(),
        ),
        (last, _) => {
            elements.extend(last);
            joined(elements, front, seal.is_some())
        }
    };
    Segments(vec![finish(message, front, seal)])
}

/// A READ answer alone in its message: the headers go into the room in front of the data, which
/// stay where they are.
fn read_in_place(mut answer: Answer, payload: Payload, front: usize, sealed: bool) -> BytesMut {
    let len = payload.len();
    let mut buf = payload.into_buffer();
    let head_len = HEADER_LEN + read::Response::FIXED_LEN;
    let unused = Payload::ROOM.saturating_sub(head_len + front);
    // What lies before the message is cut off; the data do not move.
    let mut buf = buf.split_off(unused.min(buf.len()));
    let sign = if sealed { None } else { answer.sign.take() };
    answer.header.flags.set(HeaderFlags::SIGNED, sign.is_some());
    let mut w = Writer::new();
    answer.header.encode(&mut w);
    read::Response::encode_fixed(len, &mut w);
    if let Some(room) = buf.get_mut(front..front + head_len) {
        room.copy_from_slice(w.written());
    }
    if let (Some(key), Some(message)) = (sign, buf.get_mut(front..)) {
        // It has a whole header, so it can be signed.
        let signed = key.sign(message);
        debug_assert!(signed.is_ok());
    }
    buf
}

/// Any other message: encoded one after the other, each signed once its padding is there.
fn joined(elements: Vec<Answer>, front: usize, sealed: bool) -> BytesMut {
    let mut joiner = Joiner::append_to(BytesMut::zeroed(front));
    let compound = elements.len() > 1;
    let mut keys = Vec::with_capacity(elements.len());
    for mut answer in elements {
        let sign = if sealed { None } else { answer.sign.take() };
        let w = joiner.begin();
        match answer.body {
            Body::Encoded(bytes) => {
                w.bytes(&bytes);
                keys.push(None);
                continue;
            }
            Body::Message(body) => {
                answer.header.flags.set(HeaderFlags::SIGNED, sign.is_some());
                answer.header.encode(w);
                body.encode(w);
            }
            Body::Read(payload) => {
                answer.header.flags.set(HeaderFlags::SIGNED, sign.is_some());
                answer.header.encode(w);
                read::Response::encode_fixed(payload.len(), w);
                w.bytes(payload.data());
                // StructureSize 17 counts one byte of buffer, which is there even without data.
                if payload.is_empty() {
                    w.u8(0);
                }
            }
        }
        keys.push(sign);
    }
    if compound {
        // [MS-SMB2] 3.3.4.1.3 leaves the last one open; Windows pads it, and clients count on that.
        joiner.pad();
    }
    let Joined { mut buf, elements } = joiner.finish();
    for (range, key) in elements.into_iter().zip(keys) {
        if let (Some(key), Some(element)) = (key, buf.get_mut(range)) {
            let signed = key.sign(element);
            debug_assert!(signed.is_ok());
        }
    }
    buf
}

/// Seals if asked to, and writes the prefix.
fn finish(mut buf: BytesMut, front: usize, seal: Option<SealPlan>) -> BytesMut {
    if let Some(plan) = seal {
        encrypt(&mut buf, front, &plan);
    }
    let len = buf.len().saturating_sub(PREFIX_LEN);
    // A message holds little more than the largest negotiated size, far below the 16 MiB of the
    // prefix: longer compounds are answered in several.
    if let (Some(prefix), Some(place)) = (encode_prefix(len), buf.get_mut(..PREFIX_LEN)) {
        place.copy_from_slice(&prefix);
    }
    buf
}

fn encrypt(buf: &mut BytesMut, front: usize, plan: &SealPlan) {
    let size = buf.len().saturating_sub(front);
    let mut header = TransformHeader {
        signature: [0; 16],
        nonce: plan.nonce,
        original_message_size: u32::try_from(size).unwrap_or(u32::MAX),
        flags: TransformHeader::ENCRYPTED,
        session_id: plan.session,
    };
    let mut w = Writer::new();
    header.encode(&mut w);
    let aad = w.written().get(AAD_RANGE).unwrap_or(&[]).to_vec();
    let Some(message) = buf.get_mut(front..) else {
        return;
    };
    match plan.key.seal(&plan.nonce, &aad, message) {
        Ok(tag) => header.signature = tag,
        // Only possible beyond the cipher's limits (64 GiB). Nothing may leave in the clear.
        Err(_) => message.fill(0),
    }
    let mut w = Writer::new();
    header.encode(&mut w);
    if let Some(place) = buf.get_mut(PREFIX_LEN..front) {
        place.copy_from_slice(w.written());
    }
}

/// Encodes one answer that stands alone in its message, signed if it says so.
pub(crate) fn encode_alone(answer: Answer) -> Bytes {
    joined(vec![answer], 0, false).freeze()
}

impl From<msg::Response> for Body {
    fn from(body: msg::Response) -> Self {
        Self::Message(body)
    }
}
