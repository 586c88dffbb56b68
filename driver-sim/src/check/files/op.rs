//! Requests as the model sees them, how far they are, and what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use smb_engine::output::ConnId;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::SrvCopychunk;
use smb_proto::id::MessageId;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::lock::LockElement;

use super::state::{No, Path, State};

/// A CREATE.
#[derive(Debug, Clone)]
pub(super) struct Create {
    pub(super) path: Path,
    /// Generic rights mapped; MAXIMUM_ALLOWED turned into all.
    pub(super) access: AccessMask,
    /// It may be granted less than that.
    pub(super) maximum: bool,
    pub(super) share: u32,
    pub(super) disposition: CreateDisposition,
    pub(super) dir: bool,
    pub(super) nondir: bool,
    pub(super) doc: bool,
    pub(super) through: bool,
    /// It gives attributes that make the server refuse things later.
    pub(super) odd: bool,
}

impl Create {
    pub(super) fn creates(&self) -> bool {
        !matches!(
            self.disposition,
            CreateDisposition::Open | CreateDisposition::Overwrite
        )
    }

    pub(super) fn destroys(&self) -> bool {
        matches!(
            self.disposition,
            CreateDisposition::Supersede
                | CreateDisposition::Overwrite
                | CreateDisposition::OverwriteIf
        )
    }

    /// What the disposition itself does to an existing file.
    pub(super) fn implied(&self) -> AccessMask {
        match self.disposition {
            CreateDisposition::Supersede => AccessMask::DELETE | AccessMask::FILE_WRITE_DATA,
            CreateDisposition::Overwrite | CreateDisposition::OverwriteIf => {
                AccessMask::FILE_WRITE_DATA
            }
            CreateDisposition::Open | CreateDisposition::Create | CreateDisposition::OpenIf => {
                AccessMask::empty()
            }
        }
    }

    /// CreateAction of the answer if the file exists.
    pub(super) fn action(&self) -> u32 {
        match self.disposition {
            CreateDisposition::Supersede => 0,
            CreateDisposition::Overwrite | CreateDisposition::OverwriteIf => 3,
            CreateDisposition::Open | CreateDisposition::Create | CreateDisposition::OpenIf => 1,
        }
    }
}

/// What is asked for. `open` is the number of the CREATE that made the open.
#[derive(Debug, Clone)]
pub(super) enum What {
    Create(Create),
    Close {
        open: No,
        query: bool,
    },
    Read {
        open: No,
        offset: u64,
        len: u32,
        min: u32,
    },
    Write {
        open: No,
        offset: u64,
        data: Bytes,
        /// On stable storage before the answer.
        through: bool,
    },
    Flush {
        open: No,
    },
    /// `cut`: makes the file smaller, never larger.
    Resize {
        open: No,
        size: u64,
        cut: bool,
    },
    Zero {
        open: No,
        from: u64,
        beyond: u64,
    },
    /// Copies parts of another open's file, one after the other.
    Copy {
        open: No,
        source: No,
        chunks: Vec<SrvCopychunk>,
    },
    /// Changes the content in a way that is not followed.
    Smash {
        open: No,
    },
    Delete {
        open: No,
        on: bool,
    },
    Rename {
        open: No,
        to: Path,
        replace: bool,
    },
    Lock {
        open: No,
        elements: Vec<LockElement>,
        may_wait: bool,
    },
    Unlock {
        open: No,
        elements: Vec<LockElement>,
    },
    Query {
        open: No,
    },
    /// Gives the file attributes that make the server refuse things, perhaps.
    Harden {
        open: No,
    },
    /// Anything else with an open: only whether that is open.
    Touch {
        open: No,
    },
    /// Names nothing that exists: has to be refused.
    Stale,
}

impl What {
    /// The open that it works on.
    pub(super) fn open(&self) -> Option<No> {
        match self {
            Self::Close { open, .. }
            | Self::Read { open, .. }
            | Self::Write { open, .. }
            | Self::Resize { open, .. }
            | Self::Zero { open, .. }
            | Self::Flush { open }
            | Self::Copy { open, .. }
            | Self::Smash { open }
            | Self::Harden { open }
            | Self::Delete { open, .. }
            | Self::Rename { open, .. }
            | Self::Lock { open, .. }
            | Self::Unlock { open, .. }
            | Self::Query { open }
            | Self::Touch { open } => Some(*open),
            Self::Create(_) | Self::Stale => None,
        }
    }

    /// What a rename names: the open, and its new name.
    pub(super) fn target(&self) -> Option<(No, &Path)> {
        match self {
            Self::Rename { open, to, .. } => Some((*open, to)),
            _ => None,
        }
    }

    /// Whether it can change or depend on names.
    pub(super) fn naming(&self) -> bool {
        matches!(
            self,
            Self::Create(_) | Self::Close { .. } | Self::Delete { .. } | Self::Rename { .. }
        )
    }
}

/// When a refusal with whatever status is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lenient {
    No,
    /// Before anything was done: something about the request is unusual.
    Start,
    /// At any time: what it works on is being torn down.
    Any,
}

/// A request without answer, or work of the server that nobody waits for.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) what: What,
    /// Who waits for the answer.
    pub(super) asker: Option<(ConnId, MessageId)>,
    /// The element before it in its message.
    pub(super) after: Option<No>,
    /// The CREATE of its message whose failure is its own.
    pub(super) creator: Option<No>,
    /// That CREATE has failed so.
    pub(super) failed: Option<NtStatus>,
    pub(super) lenient: Lenient,
    /// Refusals that the disk is the reason of.
    pub(super) faults: BTreeSet<u32>,
    /// The disk may have given less than there is.
    pub(super) short: bool,
    pub(super) cancelled: bool,
    /// Its connection has gone: it stops somewhere.
    pub(super) orphan: bool,
    /// Closing of an open that depends on the success of this request.
    pub(super) owner: Option<No>,
    /// Names that it may concern.
    pub(super) paths: BTreeSet<Path>,
}

impl Op {
    pub(super) fn new(what: What) -> Self {
        Self {
            what,
            asker: None,
            after: None,
            creator: None,
            failed: None,
            lenient: Lenient::No,
            faults: BTreeSet::new(),
            short: false,
            cancelled: false,
            orphan: false,
            owner: None,
            paths: BTreeSet::new(),
        }
    }
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Refused(NtStatus),
    Done,
    /// Anything but STATUS_FILE_CLOSED.
    Anything,
    /// Any refusal but STATUS_FILE_CLOSED.
    Refusal,
    /// So many bytes were copied.
    Copied(u64),
    Data(Vec<u8>),
    /// So many bytes at most, whatever they are.
    SomeData(u32),
    Wrote(u32),
    Created {
        action: u32,
        size: Option<u64>,
        dir: bool,
    },
    Info {
        size: Option<u64>,
        pending: bool,
        dir: bool,
    },
    Closed {
        size: Option<u64>,
    },
    /// Nobody will ever know.
    Gone,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Start,
    /// CREATE: the disk has looked for the name.
    Found {
        node: Option<No>,
        size: Option<u64>,
    },
    /// CREATE: nothing is there, and something may be made.
    Planned,
    /// CREATE: it was made, and is not entered.
    Made,
    /// CREATE: it is entered, and the content is still to be replaced.
    Entered {
        dir: bool,
    },
    /// CLOSE has begun.
    Begun,
    /// CLOSE: share mode and locks have ended.
    Detached {
        node: No,
        asked: bool,
        size: Option<u64>,
    },
    /// So many checks were passed.
    Passed(u8),
    /// QUERY_INFO: the disk has told the size.
    Sized(Option<u64>),
    Over(Outcome),
}

/// One possibility of how things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Config {
    pub(super) state: State,
    /// Operations that are beyond their start.
    pub(super) stages: BTreeMap<No, Stage>,
}

impl Config {
    pub(super) fn stage(&self, no: No) -> &Stage {
        self.stages.get(&no).unwrap_or(&Stage::Start)
    }
}

/// Content of this length, if that can be kept.
pub(super) fn resized(content: &Arc<Vec<u8>>, size: u64) -> Option<Arc<Vec<u8>>> {
    let size = usize::try_from(size).ok().filter(|s| *s <= MAX_CONTENT)?;
    let mut content = content.as_ref().clone();
    content.resize(size, 0);
    Some(content.into())
}

/// Contents are followed up to this length.
pub(super) const MAX_CONTENT: usize = 4 << 20;
