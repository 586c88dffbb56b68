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
    /// A byte-range lock that conflicts with others is answered as if it had been granted.
    LockGrantedBeside,
    /// Who caches something is not told that it has to go.
    BreakNotSent,
    /// Nobody waits for the acknowledgment of a break.
    BreakNotAwaited,
    /// A break that has not been acknowledged is sent again.
    BreakSentTwice,
    /// Breaks go to the newest connection, whoever's that is.
    BreakMisdirected,
    /// A break is not counted in the epoch of its lease.
    EpochNotCounted,
    /// A lease may be acknowledged that is not being broken.
    AnyAcknowledgment,
    /// Oplocks and leases are granted without a look at the others.
    CachesBeside,
    /// Who changes data leaves others what they cache of it.
    ReadsKept,
    /// Who changes or removes a name leaves others the handles that they cache.
    HandlesKept,
    /// A durable open can be taken up from a client that is still there.
    DurableTakenTwice,
    /// A durable open whose client has gone stays when others do what it cached against.
    DurableKept,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 36] = [
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
        Self::LockGrantedBeside,
        Self::BreakNotSent,
        Self::BreakNotAwaited,
        Self::BreakSentTwice,
        Self::BreakMisdirected,
        Self::EpochNotCounted,
        Self::AnyAcknowledgment,
        Self::CachesBeside,
        Self::ReadsKept,
        Self::HandlesKept,
        Self::DurableTakenTwice,
        Self::DurableKept,
    ];
}
