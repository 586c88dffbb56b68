//! SET_INFO, [MS-SMB2] 3.3.5.21.

mod basic;
mod disposition;
mod ea;
mod open;
mod quota;
mod rename;
mod security;
mod size;

use smb_proto::dtyp::AccessMask;
use smb_proto::info::{FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::msg::{self, set_info};
use smb_proto::{NtStatus, ParseError};

use super::{CmdResult, Cx, Phase, Step, WRONG_REPLY};
use crate::core::{OpenKind, Wake, notify, write_time};
use crate::status::Refusal;
use crate::vfs::{VfsOp, VfsReply};

/// Which answer of the backend a SET_INFO waits for.
#[derive(Debug)]
pub(crate) enum State {
    /// The change itself; then watchers are told.
    Changing(CompletionFilter),
    /// The write time, which the client keeps where it is.
    Restoring,
    /// Times and attributes.
    Basic(basic::State),
    /// Steps before a file may be marked for deletion.
    Disposition(disposition::State),
    /// A new name.
    Rename(rename::State),
    /// Quotas, one after another.
    Quota(quota::State),
    /// A new security descriptor.
    Security(security::State),
    /// The size that a valid data length is compared with.
    ValidData(size::ValidData),
}

/// Enters a SET_INFO.
pub(super) fn start(cx: &mut Cx<'_>, request: set_info::Request) -> CmdResult {
    let max = cx.core.config.limits.max_transact;
    if u32::try_from(request.buffer.len()).map_or(true, |n| n > max) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let kind = InfoType::from_code(request.info_type);
    in_the_past(cx, kind, request.file_info_class)?;
    match kind {
        Some(InfoType::File) => file(cx, &request),
        Some(InfoType::FileSystem) => file_system(cx, &request),
        Some(InfoType::Security) => security::start(cx, &request),
        Some(InfoType::Quota) => quota::start(cx, &request.buffer),
        None => Err(Refusal(NtStatus::INVALID_PARAMETER)),
    }
}

/// Goes on with a SET_INFO.
pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::Changing(filter) => {
            expect_done(wake)?;
            tell(cx, filter)?;
            if filter.contains(CompletionFilter::SIZE) {
                let node = cx.file_open()?.node;
                write_time::settle(cx.core, node);
            }
            if filter.contains(CompletionFilter::SIZE) && cx.restore_times()? {
                return waits(State::Restoring);
            }
            Ok(done())
        }
        State::Restoring => {
            expect_done(wake)?;
            Ok(done())
        }
        State::Basic(s) => basic::resume(cx, s, wake),
        State::Disposition(s) => disposition::resume(cx, s, wake),
        State::Rename(s) => rename::resume(cx, s, wake),
        State::Quota(s) => quota::resume(cx, s, wake),
        State::Security(s) => security::resume(cx, s, wake),
        State::ValidData(s) => size::valid_data_resume(s, wake),
    }
}

/// Refuses what would change something in a snapshot. What is of the open alone can be set.
fn in_the_past(cx: &Cx<'_>, kind: Option<InfoType>, class: u8) -> Result<(), Refusal> {
    use FileInfoClass as C;
    if !matches!(&cx.open()?.1.kind, OpenKind::File(f) if f.snapshot.is_some()) {
        return Ok(());
    }
    match (kind, C::from_code(class)) {
        (Some(InfoType::File), Some(C::Position | C::Mode) | None) | (None, _) => Ok(()),
        // The new name would be one of the present, which is another volume.
        (Some(InfoType::File), Some(C::Rename | C::RenameEx | C::Link | C::LinkEx)) => {
            Err(Refusal(NtStatus::NOT_SAME_DEVICE))
        }
        (Some(_), _) => Err(Refusal(NtStatus::MEDIA_WRITE_PROTECTED)),
    }
}

/// 3.3.5.21.1
fn file(cx: &mut Cx<'_>, request: &set_info::Request) -> CmdResult {
    use FileInfoClass as C;
    let class =
        C::from_code(request.file_info_class).ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    if let OpenKind::Pipe(_) = cx.open()?.1.kind {
        return open::pipe(cx, class, &request.buffer);
    }
    let input = &request.buffer;
    if class.set_min_len().is_some_and(|least| input.len() < least) {
        return Err(Refusal(NtStatus::INFO_LENGTH_MISMATCH));
    }
    match class {
        C::Basic => basic::start(cx, input),
        C::Rename | C::RenameEx | C::Link | C::LinkEx => rename::start(cx, class, input),
        C::Disposition | C::DispositionEx => disposition::start(cx, class, input),
        C::Position => open::position(cx, input),
        C::Mode => open::mode(cx, input),
        C::FullEa => ea::start(cx, input),
        C::Allocation => size::allocation(cx, input),
        C::EndOfFile => size::end_of_file(cx, input),
        C::ValidDataLength => size::valid_data(cx, input),
        // [MS-FSA] 2.1.5.15.14: 8.3 names are the backend's affair.
        C::ShortName => Err(Refusal(NtStatus::SHORT_NAMES_NOT_ENABLED_ON_VOLUME)),
        // [MS-FSCC] allows these to be set, but not so.
        C::Quota | C::ObjectId | C::ReparsePoint => Err(Refusal(NtStatus::NOT_SUPPORTED)),
        C::Pipe => Err(Refusal(NtStatus::INVALID_PARAMETER)),
        C::Directory
        | C::FullDirectory
        | C::BothDirectory
        | C::Standard
        | C::Internal
        | C::Ea
        | C::Access
        | C::Name
        | C::Names
        | C::Alignment
        | C::All
        | C::AlternateName
        | C::Stream
        | C::PipeLocal
        | C::PipeRemote
        | C::MailslotQuery
        | C::MailslotSet
        | C::Compression
        | C::Completion
        | C::MoveCluster
        | C::NetworkOpen
        | C::AttributeTag
        | C::Tracking
        | C::IdBothDirectory
        | C::IdFullDirectory
        | C::SfioReserve
        | C::SfioVolume
        | C::HardLink
        | C::NormalizedName
        | C::IdGlobalTxDirectory
        | C::StandardLink
        | C::RemoteProtocol
        | C::Id
        | C::IdExtdDirectory
        | C::IdExtdBothDirectory
        | C::Stat
        | C::StatLx
        | C::CaseSensitive
        | C::Id64ExtdDirectory
        | C::Id64ExtdBothDirectory
        | C::IdAllExtdDirectory
        | C::IdAllExtdBothDirectory
        | C::Posix => Err(Refusal(NtStatus::INVALID_INFO_CLASS)),
    }
}

/// 3.3.5.21.2: the volume of a share is configured by its operator, not by clients.
fn file_system(cx: &Cx<'_>, request: &set_info::Request) -> CmdResult {
    use FsInfoClass as C;
    if let OpenKind::Pipe(_) = cx.open()?.1.kind {
        return Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST));
    }
    let class =
        C::from_code(request.file_info_class).ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    match class {
        C::Control | C::ObjectId => {
            needs(cx, AccessMask::FILE_WRITE_DATA)?;
            if class
                .set_min_len()
                .is_some_and(|n| request.buffer.len() < n)
            {
                return Err(Refusal(NtStatus::INFO_LENGTH_MISMATCH));
            }
            Err(Refusal(NtStatus::NOT_SUPPORTED))
        }
        C::Label | C::DriverPath => Err(Refusal(NtStatus::NOT_SUPPORTED)),
        C::Volume
        | C::Size
        | C::Device
        | C::Attribute
        | C::FullSize
        | C::VolumeFlags
        | C::SectorSize
        | C::Posix => Err(Refusal(NtStatus::INVALID_INFO_CLASS)),
    }
}

/// A structure that does not parse: too short, or a length in it that leads outside.
fn malformed(error: ParseError) -> Refusal {
    Refusal(match error {
        ParseError::Truncated(_) => NtStatus::INFO_LENGTH_MISMATCH,
        ParseError::BadString(_) => NtStatus::OBJECT_NAME_INVALID,
        ParseError::BadStructure(_)
        | ParseError::OutOfBounds(_)
        | ParseError::Misaligned(_)
        | ParseError::BadValue(_)
        | ParseError::TooMany(_) => NtStatus::INVALID_PARAMETER,
    })
}

/// The open must have been granted all of this.
fn needs(cx: &Cx<'_>, access: AccessMask) -> Result<(), Refusal> {
    if cx.open()?.1.granted.contains(access) {
        Ok(())
    } else {
        Err(Refusal(NtStatus::ACCESS_DENIED))
    }
}

fn waits(state: State) -> CmdResult {
    Ok(Step::Wait(Phase::SetInfo(state)))
}

/// Asks the backend for a change of which watchers are told what `filter` says.
fn change(cx: &mut Cx<'_>, op: VfsOp, filter: CompletionFilter) -> CmdResult {
    cx.ask_vfs(op)?;
    waits(State::Changing(filter))
}

/// Why the waiting for breaks of others' oplocks and leases has ended.
fn breaks_done(wake: &Wake) -> Result<(), Refusal> {
    match wake {
        Wake::Ready => Ok(()),
        Wake::Cancelled => Err(Refusal(NtStatus::CANCELLED)),
        Wake::Closed => Err(Refusal(NtStatus::FILE_CLOSED)),
        Wake::Completion(_) => Err(WRONG_REPLY),
    }
}

fn expect_done(wake: Wake) -> Result<(), Refusal> {
    match wake.vfs()? {
        VfsReply::Done => Ok(()),
        _ => Err(WRONG_REPLY),
    }
}

fn tell(cx: &mut Cx<'_>, filter: CompletionFilter) -> Result<(), Refusal> {
    let (id, _) = cx.open()?;
    notify::changed(cx.core, cx.now, id, filter);
    Ok(())
}

fn done() -> Step {
    msg::Response::SetInfo(set_info::Response).into()
}
