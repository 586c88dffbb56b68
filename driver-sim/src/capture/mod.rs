//! Packet captures as SMB conversations: packets, TCP streams, frames, messages; decrypted and
//! decompressed where the keys allow it, names and requests found for ids and answers.
//!
//! [`Capture::open`] reads a whole file, a [`Reader`] gives message after message in bounded memory.
//! [`Capture::conversations`] holds one entry for each TCP connection that carries SMB. Everything
//! that could not be read leaves a trace: a [`Gap`] where bytes are missing, an [`Other`] for a frame
//! that is no readable SMB2 message, a note for what concerns the whole capture.

mod collect;
mod counts;
mod decode;
mod elements;
pub mod fields;
mod file;
mod flow;
mod framing;
mod keys;
mod line;
mod logon;
mod message;
mod names;
mod packet;
mod reader;
mod secrets;
mod smb1;
mod tcp;

pub use fields::{fields, gap_fields, other_fields};
pub use line::{attributes, command, line, other_line, status, summary};
pub use message::{
    Body, Capture, Compound, Content, Conversation, Direction, End, Gap, GapCause, Logon,
    Mechanism, Message, Negotiated, Other, Proof, Resolved, Signature, Start, Transport,
};
pub use reader::{CaptureError, Event, Options, Reader};
pub use secrets::{SecretError, Secrets};
