//! Information about a file or directory, [MS-SMB2] 3.3.5.20.1, [MS-FSA] 2.1.5.12.

use bytes::BytesMut;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{
    CaseSensitiveFlags, FileAccessInformation, FileAlignmentInformation, FileAllInformation,
    FileAttributeTagInformation, FileBasicInformation, FileCaseSensitiveInformation,
    FileCompressionInformation, FileEaInformation, FileIdInformation, FileInternalInformation,
    FileMode, FileModeInformation, FileNameInformation, FileNetworkOpenInformation,
    FilePositionInformation, FileStandardInformation, FileStatInformation, FileStatLxInformation,
    FileStreamInformation, LxFlags,
};
use smb_proto::info::{FileInfoClass, QueryLen};
use smb_proto::msg::query_info;
use smb_proto::wire::Writer;
use smb_proto::{Dialect, NtStatus};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{answer, dialect, ea, length_mismatch, room, short_name, waits};
use crate::core::{Core, FileOpen, Open, Wake, write_time};
use crate::status::Refusal;
use crate::vfs::{Capabilities, FileInfo, Location, StreamInfo, VfsOp, VfsReply};

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    class: FileInfoClass,
    room: usize,
}

/// Where the answer to a class comes from.
enum Source {
    /// The open itself.
    Open,
    /// The file's metadata.
    Metadata,
    Streams,
    Eas,
    ShortName,
}

/// Which classes are answered: those that [MS-SMB2] 2.2.37 lists, and three that the kernel of
/// Windows knows and [MS-SMB2] does not speak of.
fn source(class: FileInfoClass) -> Result<Source, NtStatus> {
    use FileInfoClass as C;
    Ok(match class {
        C::Internal
        | C::Access
        | C::Position
        | C::Mode
        | C::Alignment
        | C::NormalizedName
        | C::Id
        | C::CaseSensitive => Source::Open,
        C::Basic
        | C::Standard
        | C::Ea
        | C::All
        | C::Compression
        | C::NetworkOpen
        | C::AttributeTag
        | C::Stat
        | C::StatLx => Source::Metadata,
        C::Stream => Source::Streams,
        C::FullEa => Source::Eas,
        C::AlternateName => Source::ShortName,
        // These are about pipes.
        C::Pipe | C::PipeLocal | C::PipeRemote => return Err(NtStatus::INVALID_PARAMETER),
        C::Directory
        | C::FullDirectory
        | C::BothDirectory
        | C::Name
        | C::Rename
        | C::Link
        | C::Names
        | C::Disposition
        | C::Allocation
        | C::EndOfFile
        | C::MailslotQuery
        | C::MailslotSet
        | C::ObjectId
        | C::Completion
        | C::MoveCluster
        | C::Quota
        | C::ReparsePoint
        | C::Tracking
        | C::IdBothDirectory
        | C::IdFullDirectory
        | C::ValidDataLength
        | C::ShortName
        | C::SfioReserve
        | C::SfioVolume
        | C::HardLink
        | C::IdGlobalTxDirectory
        | C::StandardLink
        | C::RemoteProtocol
        | C::IdExtdDirectory
        | C::IdExtdBothDirectory
        | C::DispositionEx
        | C::RenameEx
        | C::LinkEx
        | C::Id64ExtdDirectory
        | C::Id64ExtdBothDirectory
        | C::IdAllExtdDirectory
        | C::IdAllExtdBothDirectory
        | C::Posix => return Err(refused(class)),
    })
}

/// 3.3.5.20.1: what the specification knows but the network does not carry is not supported, what
/// it does not know is no class.
fn refused(class: FileInfoClass) -> NtStatus {
    if class.is_documented() {
        NtStatus::NOT_SUPPORTED
    } else {
        NtStatus::INVALID_INFO_CLASS
    }
}

/// The right that a class wants of the open (3.3.5.20.1).
fn wanted(class: FileInfoClass) -> AccessMask {
    use FileInfoClass as C;
    match class {
        C::Basic | C::All | C::NetworkOpen | C::AttributeTag | C::Stat | C::StatLx => {
            AccessMask::FILE_READ_ATTRIBUTES
        }
        C::FullEa => AccessMask::FILE_READ_EA,
        _ => AccessMask::empty(),
    }
}

pub(super) fn start(cx: &mut Cx<'_>, request: &query_info::Request) -> CmdResult {
    let class = FileInfoClass::from_code(request.file_info_class)
        .ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    let source = source(class)?;
    match (class, dialect(cx)) {
        (FileInfoClass::NormalizedName, Dialect::Smb311) => {}
        // Windows answers it to 3.1.1 clients only.
        (FileInfoClass::NormalizedName, _)
        | (FileInfoClass::Id, Dialect::Smb202 | Dialect::Smb210) => {
            return Err(Refusal(NtStatus::NOT_SUPPORTED));
        }
        _ => {}
    }
    let room = room(request);
    let least = class.query_len().map_or(0, QueryLen::min);
    if room < least {
        return Ok(length_mismatch(cx));
    }
    let (_, open) = cx.open()?;
    if !open.granted.contains(wanted(class)) {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let handle = cx.file_open()?.handle;
    let state = State { class, room };
    match source {
        Source::Open => finish(cx, state, None),
        Source::Metadata => {
            cx.ask_vfs(VfsOp::Stat { handle })?;
            Ok(waits(super::State::File(state)))
        }
        Source::Streams => {
            // A file without named streams has its unnamed one all the same.
            cx.ask_vfs(if has_streams(cx)? {
                VfsOp::Streams { handle }
            } else {
                VfsOp::Stat { handle }
            })?;
            Ok(waits(super::State::File(state)))
        }
        Source::Eas => ea::start(cx, request),
        Source::ShortName => short_name::start(cx, room),
    }
}

fn has_streams(cx: &Cx<'_>) -> Result<bool, Refusal> {
    let (_, tree) = cx.tree()?;
    Ok(tree
        .disk()
        .is_some_and(|s| s.capabilities.contains(Capabilities::STREAMS)))
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match (write_time::in_reply(cx.core, wake.vfs()?), state.class) {
        (VfsReply::Info(info), FileInfoClass::Stream) => {
            let unnamed = (!info.is_directory()).then_some(StreamInfo {
                name: String::new(),
                size: info.size,
                allocation: info.allocation,
            });
            Ok(streams(cx, state, unnamed.as_slice()))
        }
        (VfsReply::Streams(list), FileInfoClass::Stream) => Ok(streams(cx, state, &list)),
        (VfsReply::Info(info), _) => finish(cx, state, Some(&info)),
        _ => Err(WRONG_REPLY),
    }
}

/// [MS-FSA] 2.1.5.12.30: names in the form `:name:$DATA`.
fn streams(cx: &Cx<'_>, state: State, list: &[StreamInfo]) -> super::Step {
    let list: Vec<_> = list
        .iter()
        .map(|s| FileStreamInformation {
            size: s.size,
            allocation_size: s.allocation,
            name: format!(":{}:$DATA", s.name),
        })
        .collect();
    let mut w = Writer::new();
    FileStreamInformation::encode_list(&list, &mut w);
    answer(cx, w.into_inner(), QueryLen::Variable(0), state.room)
}

fn finish(cx: &Cx<'_>, state: State, info: Option<&FileInfo>) -> CmdResult {
    let (_, open) = cx.open()?;
    let file = cx.file_open()?;
    let bytes = encode(cx.core, state.class, open, file, info)?;
    let len = state.class.query_len().ok_or(WRONG_REPLY)?;
    Ok(answer(cx, bytes, len, state.room))
}

/// The path of an open as clients see it: from the root of the share, with a leading backslash.
pub(super) fn full_name(at: &Location) -> String {
    match &at.stream {
        Some(stream) => format!("\\{}:{stream}", at.path),
        None => format!("\\{}", at.path),
    }
}

/// Whether the name (or the stream) of an open goes when it is closed.
fn delete_pending(core: &Core, file: &FileOpen) -> bool {
    core.rows_of(file.node).iter().any(|id| {
        core.files.get(*id).is_some_and(|row| {
            row.delete_pending.is_some() && (*id == file.file || row.key.stream.is_none())
        })
    })
}

fn basic(info: &FileInfo) -> FileBasicInformation {
    FileBasicInformation {
        creation_time: info.creation,
        last_access_time: info.access,
        last_write_time: info.write,
        change_time: info.change,
        attributes: info.attributes,
    }
}

/// [MS-FSA] 2.1.5.12.28: a name that is about to go does not count as a link.
fn standard(core: &Core, file: &FileOpen, info: &FileInfo) -> FileStandardInformation {
    let pending = delete_pending(core, file);
    // A file that has lost its last name under its opens is as one that is about to.
    let gone = info.links == 0;
    FileStandardInformation {
        allocation_size: info.allocation,
        end_of_file: info.size,
        number_of_links: info.links.saturating_sub(u32::from(pending)),
        delete_pending: pending || gone,
        directory: file.directory,
    }
}

fn mode(file: &FileOpen) -> FileModeInformation {
    let known = FileMode::WRITE_THROUGH
        | FileMode::SEQUENTIAL_ONLY
        | FileMode::NO_INTERMEDIATE_BUFFERING
        | FileMode::SYNCHRONOUS_IO_ALERT
        | FileMode::SYNCHRONOUS_IO_NONALERT
        | FileMode::DELETE_ON_CLOSE;
    FileModeInformation {
        mode: FileMode::from_bits_retain(file.options.bits() & known.bits()),
    }
}

fn position(file: &FileOpen) -> FilePositionInformation {
    FilePositionInformation {
        current_byte_offset: i64::try_from(file.position).unwrap_or(i64::MAX),
    }
}

fn encode(
    core: &Core,
    class: FileInfoClass,
    open: &Open,
    file: &FileOpen,
    info: Option<&FileInfo>,
) -> Result<BytesMut, Refusal> {
    use FileInfoClass as C;
    let w = &mut Writer::new();
    let access = FileAccessInformation {
        access_flags: open.granted,
    };
    let internal = FileInternalInformation {
        index_number: file.node.file,
    };
    match (class, info) {
        (C::Internal, _) => internal.encode(w),
        (C::Access, _) => access.encode(w),
        (C::Position, _) => position(file).encode(w),
        (C::Mode, _) => mode(file).encode(w),
        (C::Alignment, _) => FileAlignmentInformation::default().encode(w),
        (C::NormalizedName, _) => FileNameInformation {
            // Windows leaves the backslash out here.
            name: full_name(&file.at).split_off(1),
        }
        .encode(w),
        (C::Id, _) => FileIdInformation {
            volume_serial_number: file.node.volume,
            file_id: u128::from(file.node.file),
        }
        .encode(w),
        (C::CaseSensitive, _) => {
            if !file.directory {
                return Err(Refusal(NtStatus::INVALID_PARAMETER));
            }
            FileCaseSensitiveInformation {
                flags: CaseSensitiveFlags::empty(),
            }
            .encode(w);
        }
        (C::Basic, Some(info)) => basic(info).encode(w),
        (C::Standard, Some(info)) => standard(core, file, info).encode(w),
        (C::Ea, Some(info)) => FileEaInformation {
            ea_size: info.ea_size,
        }
        .encode(w),
        (C::All, Some(info)) => FileAllInformation {
            basic: basic(info),
            standard: standard(core, file, info),
            internal,
            ea: FileEaInformation {
                ea_size: info.ea_size,
            },
            access,
            position: position(file),
            mode: mode(file),
            alignment: FileAlignmentInformation::default(),
            name: FileNameInformation {
                name: full_name(&file.at),
            },
        }
        .encode(w),
        (C::Compression, Some(info)) => FileCompressionInformation {
            compressed_file_size: info.size,
            ..FileCompressionInformation::default()
        }
        .encode(w),
        (C::NetworkOpen, Some(info)) => FileNetworkOpenInformation {
            creation_time: info.creation,
            last_access_time: info.access,
            last_write_time: info.write,
            change_time: info.change,
            allocation_size: info.allocation,
            end_of_file: info.size,
            attributes: info.attributes,
        }
        .encode(w),
        (C::AttributeTag, Some(info)) => FileAttributeTagInformation {
            attributes: info.attributes,
            reparse_tag: info.reparse_tag,
        }
        .encode(w),
        (C::Stat, Some(info)) => stat(open, file, info).encode(w),
        (C::StatLx, Some(info)) => stat_lx(&stat(open, file, info)).encode(w),
        _ => return Err(WRONG_REPLY),
    }
    Ok(std::mem::take(w).into_inner())
}

fn stat(open: &Open, file: &FileOpen, info: &FileInfo) -> FileStatInformation {
    FileStatInformation {
        file_id: file.node.file,
        creation_time: info.creation,
        last_access_time: info.access,
        last_write_time: info.write,
        change_time: info.change,
        allocation_size: info.allocation,
        end_of_file: info.size,
        attributes: info.attributes,
        reparse_tag: info.reparse_tag,
        number_of_links: info.links,
        effective_access: open.granted,
    }
}

/// The Linux fields are marked as not present: nothing keeps them.
fn stat_lx(s: &FileStatInformation) -> FileStatLxInformation {
    FileStatLxInformation {
        file_id: s.file_id,
        creation_time: s.creation_time,
        last_access_time: s.last_access_time,
        last_write_time: s.last_write_time,
        change_time: s.change_time,
        allocation_size: s.allocation_size,
        end_of_file: s.end_of_file,
        attributes: s.attributes,
        reparse_tag: s.reparse_tag,
        number_of_links: s.number_of_links,
        effective_access: s.effective_access,
        lx_flags: LxFlags::empty(),
        ..FileStatLxInformation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::SharePath;

    #[test]
    fn every_listed_query_is_answered() {
        for &class in FileInfoClass::ALL {
            let pipe_only = matches!(
                class,
                FileInfoClass::Pipe | FileInfoClass::PipeLocal | FileInfoClass::PipeRemote
            );
            // POSIX extensions are not negotiated.
            if class.uses().query && !pipe_only && class != FileInfoClass::Posix {
                assert!(source(class).is_ok(), "{class:?}");
            }
            if source(class).is_ok() {
                assert!(class.query_len().is_some(), "{class:?}");
            }
        }
        assert_eq!(refused(FileInfoClass::Name), NtStatus::NOT_SUPPORTED);
        assert_eq!(
            refused(FileInfoClass::RenameEx),
            NtStatus::INVALID_INFO_CLASS
        );
    }

    #[test]
    fn names_begin_at_the_root_of_the_share() {
        assert_eq!(full_name(&Location::default()), "\\");
        let at = Location {
            path: SharePath::new("a\\b").unwrap(),
            stream: Some("s".to_owned()),
        };
        assert_eq!(full_name(&at), "\\a\\b:s");
    }
}
