//! Packet captures as SMB conversations: packets, TCP streams, frames, messages; decrypted and
//! decompressed where the keys allow it, names and requests found for ids and answers.
//!
//! [`Capture::conversations`] holds one entry for each TCP connection that carries SMB. Everything
//! that could not be read leaves a trace: a [`Gap`] where bytes are missing, an [`Other`] for a frame
//! that is no readable SMB2 message, a note for what concerns the whole capture.

mod message;

pub use message::{
    Body, Capture, Compound, Content, Conversation, Direction, End, Gap, GapCause, Logon,
    Mechanism, Message, Negotiated, Other, Proof, Resolved, Signature, Start, Transport,
};
