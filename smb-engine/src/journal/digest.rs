//! A number for each output, so that two can be compared without keeping them.

use std::fmt::{self, Write};

use smb_proto::msg::encode_message;
use smb_proto::wire::Writer;

use crate::error::Fault;
use crate::event::Event;
use crate::output::{Body, CloseReason, KeyUpdate, Outbound, Output};
use crate::vfs::VfsOp;

/// A hash that is quick and the same on every machine; it finds differences, not forgeries.
pub(super) struct Hash(u64);

impl Hash {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 ^= self.0 >> 32;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.word(u64::from_le_bytes(last));
        self.word(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    pub(super) fn finish(self) -> u64 {
        self.0
    }

    fn shown(&mut self, value: &dyn fmt::Debug) {
        // Writing into a hash cannot fail.
        let _ = write!(self, "{value:?}");
    }
}

impl Write for Hash {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.bytes(s.as_bytes());
        Ok(())
    }
}

/// A number made of everything in an output but its keys: of an answer, header, body and how it is to
/// be signed and sealed.
#[must_use]
pub fn digest(output: &Output) -> u64 {
    let mut hash = Hash::new();
    match output {
        Output::Send(conn, outbound) => {
            hash.word(1);
            hash.word(conn.to_u64());
            answer(outbound, &mut hash);
        }
        Output::Keys(conn, update) => {
            hash.word(2);
            hash.word(conn.to_u64());
            keys(update, &mut hash);
        }
        Output::Vfs(request) => {
            hash.word(3);
            hash.shown(&(request.token, request.backend, &request.by));
            match &request.op {
                VfsOp::Write {
                    handle,
                    at,
                    data,
                    through,
                } => {
                    hash.shown(&(handle, at, through));
                    hash.bytes(data);
                }
                op => hash.shown(op),
            }
        }
        Output::Lookup(token, query) => {
            hash.word(4);
            hash.shown(&(token, query));
        }
        Output::Close(conn, reason) => {
            hash.word(5);
            hash.word(conn.to_u64());
            closing(reason, &mut hash);
        }
        Output::Store(news) => {
            hash.word(7);
            for keep in news {
                hash.word(keep.id);
                hash.word(u64::from(keep.record.is_some()));
                hash.bytes(keep.record.as_deref().unwrap_or_default());
            }
        }
        Output::Event(event) => {
            hash.word(6);
            match event {
                Event::Closing { conn, reason } => {
                    hash.word(conn.to_u64());
                    closing(reason, &mut hash);
                }
                event => hash.shown(event),
            }
        }
    }
    hash.finish()
}

fn closing(reason: &CloseReason, hash: &mut Hash) {
    match reason {
        // Where in a message an error was found is not in a journal.
        CloseReason::Fault(Fault::NotSmb2(_)) => hash.word(1),
        CloseReason::Fault(Fault::Compound(_)) => hash.word(2),
        reason => hash.shown(reason),
    }
}

fn answer(outbound: &Outbound, hash: &mut Hash) {
    let Outbound { elements, seal } = outbound;
    for e in elements {
        hash.word(u64::from(e.sign.is_some()));
        match &e.body {
            Body::Message(body) => {
                let mut w = Writer::new();
                encode_message(&e.header, body, &mut w);
                hash.bytes(w.written());
            }
            Body::Read(payload) => {
                let mut w = Writer::new();
                e.header.encode(&mut w);
                hash.bytes(w.written());
                hash.bytes(payload.data());
            }
            Body::Encoded(bytes) => hash.bytes(bytes),
        }
    }
    if let Some(seal) = seal {
        hash.word(seal.session.0);
        hash.bytes(&seal.nonce);
    }
}

fn keys(update: &KeyUpdate, hash: &mut Hash) {
    match update {
        KeyUpdate::Negotiated { encryption } => hash.word(u64::from(*encryption)),
        KeyUpdate::MaxMessage(len) => hash.word(u64::try_from(*len).unwrap_or(u64::MAX)),
        KeyUpdate::Install {
            session,
            verify,
            open,
        } => {
            hash.word(session.0);
            hash.word(u64::from(verify.is_some()));
            hash.word(u64::from(open.is_some()));
        }
        KeyUpdate::Remove(session) => hash.word(session.0),
    }
}
