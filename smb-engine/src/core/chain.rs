//! One received message: its elements run one after another, and its answers leave together.

use std::collections::VecDeque;

use smb_proto::NtStatus;
use smb_proto::id::{FileId, SessionId, TreeId};

use super::Op;
use crate::link::Element;
use crate::output::{Answer, ConnId, SealPlan};
use crate::table::Id;

/// What a related element takes over from the one before it ([MS-SMB2] 3.3.5.2.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Related {
    pub(crate) session: Option<SessionId>,
    pub(crate) tree: Option<TreeId>,
    pub(crate) file: LastFile,
}

/// The file that a related element may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LastFile {
    /// No element so far had one.
    #[default]
    None,
    /// That of an element before.
    Id(FileId),
    /// The element that should have produced it failed: so do those that depend on it.
    Failed(NtStatus),
}

/// A message being worked on.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) conn: ConnId,
    /// Elements not begun yet.
    pub(crate) todo: VecDeque<Element>,
    /// Answers so far.
    pub(crate) answers: Vec<Answer>,
    /// The element being worked on.
    pub(crate) current: Option<Id<Op>>,
    /// The message came encrypted for this session.
    pub(crate) sealed: Option<SessionId>,
    /// How to seal the last of the answers, taken from the session when it ended.
    pub(crate) seal: Option<SealPlan>,
    /// What later related elements take over.
    pub(crate) related: Related,
    /// Elements begun so far.
    pub(crate) begun: usize,
    /// Bytes of the message as received: payloads are slices of it, so it is held until the end.
    pub(crate) bytes: usize,
}
