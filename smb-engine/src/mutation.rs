//! Deliberate mistakes, one at a time: each breaks one rule at its place, so that a test can show that
//! the checkers of the simulator find it. Without the feature `mutations` none of this exists.

/// A mistake that [`crate::Engine::mutate`] makes the engine make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// Unlocking does not wake who waits for the range.
    LostWakeup,
    /// Closing an open does not release its byte-range locks.
    LockKeptAtClose,
    /// WRITE does not look at the locks of others.
    WriteIgnoresLocks,
    /// A connection that breaks closes its opens without deleting what was to be deleted on close.
    DeleteOnCloseForgotten,
    /// Taking a deletion back has no effect.
    DeleteNotTakenBack,
    /// An open of something that is being deleted is refused with STATUS_ACCESS_DENIED.
    WrongDeletePendingStatus,
    /// The persistent half of a FileId is given out again.
    FileIdReused,
    /// An open can be used by sessions that did not make it.
    ForeignFileId,
    /// Refusals grant no credits.
    CreditLeak,
    /// Any MessageId is taken, granted or not.
    AnyMessageId,
    /// FLUSH is answered twice.
    AnsweredTwice,
    /// A READ at the end of the file is not answered.
    NotAnswered,
    /// A failed open leaves its share mode behind.
    ShareModeNotUndone,
    /// Only what the existing opens share is looked at, not what the new one does.
    ShareModeOneSided,
    /// What was cut off a file can still be read, as zeros.
    ReadPastEnd,
    /// Cutting a file is answered and not done.
    SizeNotSet,
    /// Overwriting a file leaves its content.
    ContentKept,
    /// A file that was renamed keeps its old name besides.
    OldNameKept,
    /// CANCEL does nothing.
    CancelIgnored,
    /// Who waits for changes is not told of them.
    NotifyLost,
    /// Changes are reported that the request did not ask for.
    NotifyUnasked,
    /// An exclusive oplock is granted, which nobody will ever break.
    OplockGranted,
    /// FLUSH is answered, and nothing flushed.
    FlushForgotten,
    /// FSCTL_SRV_COPYCHUNK copies to one byte behind where it was told to.
    CopyShifted,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::LostWakeup,
        Self::LockKeptAtClose,
        Self::WriteIgnoresLocks,
        Self::DeleteOnCloseForgotten,
        Self::DeleteNotTakenBack,
        Self::WrongDeletePendingStatus,
        Self::FileIdReused,
        Self::ForeignFileId,
        Self::CreditLeak,
        Self::AnyMessageId,
        Self::AnsweredTwice,
        Self::NotAnswered,
        Self::ShareModeNotUndone,
        Self::ShareModeOneSided,
        Self::ReadPastEnd,
        Self::SizeNotSet,
        Self::ContentKept,
        Self::OldNameKept,
        Self::CancelIgnored,
        Self::NotifyLost,
        Self::NotifyUnasked,
        Self::OplockGranted,
        Self::FlushForgotten,
        Self::CopyShifted,
    ];
}
