//! Checkers: simple models, apart from the code they check, that are told every request and every
//! answer and say whether the answer was allowed.
//!
//! A checker knows nothing of the engine but what went over the wire. Requests that are in flight at
//! the same time may take effect in any order and at any moment between request and answer.
//!
//! ```text
//! let panel = Panel::new(check::all());
//! engine.observe(panel.observer());          // from now on every checker looks on
//! panel.tell(now, &Seen::Outside(..));       // what the engine cannot know: disk faults, other users
//! panel.verdict()?;                          // after every step
//! panel.finish()?;                           // at the end
//! ```

mod answers;
mod credits;
mod files;
mod ids;
mod levels;
mod notify;
mod panel;

use smb_engine::output::ConnId;
use smb_engine::time::Now;
use smb_engine::vfs::{VfsError, VfsOp};
use smb_proto::create_ctx::{DurableReconnect, DurableReconnectV2};
use smb_proto::header::HeaderFlags;
use smb_proto::{Header, msg};
use thiserror::Error;

pub use answers::Answers;
pub use credits::Credits;
pub use files::Files;
pub use ids::Ids;
pub use levels::Levels;
pub use notify::Notify;
pub use panel::Panel;

/// Whether a request was signed or encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Neither.
    None,
    /// One of them, and rightly.
    Good,
    /// It was signed wrongly, or with a key that the connection does not have.
    Forged,
}

/// What happened, in order.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The server took in a connection.
    Connected {
        /// Which.
        conn: ConnId,
    },
    /// The server has decided to close a connection: nothing more is answered on it.
    Closing {
        /// Which.
        conn: ConnId,
    },
    /// A connection has gone. What was asked on it may still take effect; nothing more is answered.
    Disconnected {
        /// Which.
        conn: ConnId,
    },
    /// The server has been given a request: it can take effect from now on. Elements of a compound
    /// follow each other; `header.next_command` says that there is another one.
    Request {
        /// On which connection.
        conn: ConnId,
        /// Its header, as received.
        header: &'a Header,
        /// Its body; `None` if it does not parse.
        request: Option<&'a msg::Request>,
        /// Whether it was shown to come from who it says.
        proof: Proof,
    },
    /// The server has sent an interim answer ([MS-SMB2] 3.3.4.2).
    Interim {
        /// On which connection.
        conn: ConnId,
        /// Its header, with the AsyncId.
        header: &'a Header,
    },
    /// The server has given the final answer: what the request does has been done.
    Answer {
        /// On which connection.
        conn: ConnId,
        /// Its header.
        header: &'a Header,
        /// Its body.
        body: &'a msg::Response,
    },
    /// The server has sent an oplock or lease break that answers nothing.
    Break {
        /// On which connection.
        conn: ConnId,
        /// Its header.
        header: &'a Header,
        /// Its body.
        body: &'a msg::Response,
    },
    /// The server has nothing left to do by itself, and no question of its own is open: whatever has
    /// no answer by now waits for what other clients do.
    Settled,
    /// Something that the server could not know beforehand.
    Outside(Outside<'a>),
}

/// What the world did besides clients: it widens what the server may answer.
#[derive(Debug)]
pub enum Outside<'a> {
    /// The disk is about to answer a file operation with an error of its own making. Nothing of the
    /// operation was carried out.
    Fault {
        /// What was asked.
        op: &'a VfsOp,
        /// The answer.
        error: &'a VfsError,
    },
    /// As [`Self::Fault`], but an unknown part of the operation was carried out.
    Torn {
        /// What was asked.
        op: &'a VfsOp,
        /// The answer.
        error: &'a VfsError,
    },
    /// The disk is about to answer a read with less than there is.
    ShortRead {
        /// What was asked.
        op: &'a VfsOp,
    },
    /// Somebody has changed, made, removed or renamed something at or beneath this name (with
    /// backslashes, relative to the share) past the server.
    Touched {
        /// The name.
        path: &'a str,
    },
    /// What was there before the first client came: a directory (`None`) or a file with this content.
    Present {
        /// The name.
        path: &'a str,
        /// The content.
        content: Option<&'a [u8]>,
    },
    /// The machine lost its power, and with it everything that had not been flushed; names and
    /// attributes are kept as by a journal. The connections of the server are told as
    /// [`Seen::Disconnected`] after this, and then a new server starts.
    Lost,
    /// The operator wants the server to end: requests that wait are cancelled, and connections close.
    Drained,
}

/// An answer that was not allowed, or one that did not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{checker}: {what}")]
pub struct Violation {
    /// Name of the checker that found it.
    pub checker: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    fn new(checker: &'static str, what: impl Into<String>) -> Self {
        Self {
            checker,
            what: what.into(),
        }
    }
}

/// One model; see the module's documentation.
pub trait Checker: Send {
    /// A short name, for reports.
    fn name(&self) -> &'static str;

    /// Takes note of what happened, in order.
    ///
    /// # Errors
    /// The answer was not allowed. Nothing more need be told after that.
    fn observe(&mut self, now: Now, seen: &Seen<'_>) -> Result<(), Violation>;

    /// Nothing more will happen.
    ///
    /// # Errors
    /// Something is missing.
    fn finish(&mut self) -> Result<(), Violation> {
        Ok(())
    }

    /// How often the checker lost track and passed something that it could not judge.
    fn given_up(&self) -> u64 {
        0
    }

    /// How many answers it judged.
    fn judged(&self) -> u64 {
        0
    }
}

/// Whether a CREATE may be answered with an open that was there already ([MS-SMB2] 3.3.5.9.7, 3.3.5.9.10,
/// 3.3.5.9.12).
fn takes_up(header: &Header, create: &msg::create::Request) -> bool {
    header.flags.contains(HeaderFlags::REPLAY_OPERATION)
        || create.contexts.iter().any(|c| {
            c.name.as_ref() == DurableReconnect::NAME || c.name.as_ref() == DurableReconnectV2::NAME
        })
}

/// All checkers there are.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    all_for(&smb_engine::config::Limits::default())
}

/// All checkers there are, for a server with these limits.
#[must_use]
pub fn all_for(limits: &smb_engine::config::Limits) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(Answers::new(limits.break_after)),
        Box::new(Credits::new(limits.max_credits)),
        Box::new(Ids::default()),
        Box::new(Levels::new(limits.break_after)),
        Box::new(Files::default()),
        Box::new(Notify::default()),
    ]
}
