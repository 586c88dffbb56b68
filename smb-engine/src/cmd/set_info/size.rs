//! Sizes: [MS-FSA] 2.1.5.15.1 (allocation), 2.1.5.15.4 (end of file), 2.1.5.15.16 (valid data).

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{
    FileAllocationInformation, FileEndOfFileInformation, FileValidDataLengthInformation,
};
use smb_proto::msg::change_notify::CompletionFilter;

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{change, done, malformed, needs, waits};
use crate::core::Wake;
use crate::status::Refusal;
use crate::vfs::{VfsHandle, VfsOp, VfsReply};

/// The largest size of a file of NTFS, which clients know as the limit of all.
const SIZE_MAX: u64 = 0xfff_ffff_0000;

/// A size that can be set, and the handle of the file, if it is one.
fn check(cx: &Cx<'_>, size: i64) -> Result<(VfsHandle, u64), Refusal> {
    needs(cx, AccessMask::FILE_WRITE_DATA)?;
    let file = cx.file_open()?;
    let size = u64::try_from(size).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    if (file.directory && file.at.stream.is_none()) || size > SIZE_MAX {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    Ok((file.handle, size))
}

/// FileEndOfFileInformation.
pub(super) fn end_of_file(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileEndOfFileInformation::parse(input).map_err(malformed)?;
    let (handle, size) = check(cx, info.end_of_file)?;
    if mutated!(cx.core, SizeNotSet) {
        return Ok(done());
    }
    change(cx, VfsOp::SetSize { handle, size }, CompletionFilter::SIZE)
}

/// FileAllocationInformation.
pub(super) fn allocation(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileAllocationInformation::parse(input).map_err(malformed)?;
    let (handle, size) = check(cx, info.allocation_size)?;
    change(
        cx,
        VfsOp::SetAllocation { handle, size },
        CompletionFilter::SIZE,
    )
}

/// A valid data length that waits for the file's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValidData {
    length: u64,
}

/// FileValidDataLengthInformation. All data of a file here is valid, so the only length that can be
/// set is the one it has.
pub(super) fn valid_data(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileValidDataLengthInformation::parse(input).map_err(malformed)?;
    let (handle, length) = check(cx, info.valid_data_length)?;
    // SE_MANAGE_VOLUME_NAME.
    if !cx.file_open()?.by.admin {
        return Err(Refusal(NtStatus::PRIVILEGE_NOT_HELD));
    }
    cx.ask_vfs(VfsOp::Stat { handle })?;
    waits(super::State::ValidData(ValidData { length }))
}

pub(super) fn valid_data_resume(state: ValidData, wake: Wake) -> CmdResult {
    match wake.vfs()? {
        VfsReply::Info(info) if info.size == state.length => Ok(done()),
        VfsReply::Info(_) => Err(Refusal(NtStatus::INVALID_PARAMETER)),
        _ => Err(WRONG_REPLY),
    }
}
